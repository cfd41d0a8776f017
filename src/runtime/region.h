/* SPDX-License-Identifier: Apache-2.0 */
/* A parallel region: work divided into chunks that threads take from each other's ranges. */
#ifndef LF_RUNTIME_REGION_H
#define LF_RUNTIME_REGION_H

#include "runtime/sched.h"

#include <stdatomic.h>

enum { LF_CACHE_LINE = 64, LF_REGION_THREADS = 256, LF_REGION_CHUNKS = INT32_MAX };

/* The remaining chunks of a thread's range, taken from both ends. On its own cache line. */
typedef struct lf_range {
    _Alignas(LF_CACHE_LINE) atomic_uint_least64_t left;
} lf_range;

typedef struct lf_region { /* 16 KiB: too large for the stack */
    lf_body body;
    void *ctx;
    size_t n, grain;
    uint32_t threads;
    lf_range ranges[LF_REGION_THREADS];
} lf_region;

/* Empties the ranges of `threads` threads, 1 to LF_REGION_THREADS. */
void lf_region_clear(lf_region *region, uint32_t threads);

/* Chunks of `grain` units in n units; LF_GUIDED counts as 1. */
size_t lf_region_chunks(size_t n, size_t grain);

/* Gives each thread its range; at most LF_REGION_CHUNKS chunks in all. All chunks of the previous
 * region must be done; threads may still be inside lf_region_run. */
void lf_region_open(lf_region *region, size_t n, size_t grain, lf_body body, void *ctx);

/* Runs the chunks of the thread's range in order, then chunks from the back of other ranges;
 * returns how many it ran. Taking a chunk acquires what lf_region_open wrote, so a thread that is
 * still in the call for an earlier region can run chunks of the newest one. */
size_t lf_region_run(lf_region *region, uint32_t thread);

#endif /* LF_RUNTIME_REGION_H */
