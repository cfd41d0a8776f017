/* SPDX-License-Identifier: Apache-2.0 */
/* Work cut into pieces that threads take. */
#ifndef LF_RUNTIME_REGION_H
#define LF_RUNTIME_REGION_H

#include "runtime/sched.h"

#include <stdatomic.h>

enum { LF_CACHE_LINE = 64, LF_REGION_THREADS = 256, LF_REGION_CHUNKS = INT32_MAX };

/* Pieces left to a thread, taken from both sides. On a cache line of its own. */
typedef struct lf_range {
    _Alignas(LF_CACHE_LINE) atomic_uint_least64_t left;
} lf_range;

typedef struct lf_region { /* 16 KiB: too large for a frame */
    lf_body body;
    void *ctx;
    size_t n, grain;
    uint32_t threads;
    lf_range shares[LF_REGION_THREADS];
} lf_region;

/* Shares of 1..LF_REGION_THREADS threads that have nothing to take. */
void lf_region_clear(lf_region *region, uint32_t threads);

/* Pieces of `grain` units (LF_GUIDED: 1) that n units are cut into. */
size_t lf_region_chunks(size_t n, size_t grain);

/* Gives each thread its range of at most LF_REGION_CHUNKS pieces in all. All pieces of the region
 * before must be done; threads may be inside of lf_region_run. */
void lf_region_open(lf_region *region, size_t n, size_t grain, lf_body body, void *ctx);

/* Runs the pieces of a thread in order, then what others have left, from the back; returns how many
 * it ran. Whoever takes a piece sees what lf_region_open wrote, so threads that come late from an
 * earlier region of the same memory take thread like any other. */
size_t lf_region_run(lf_region *region, uint32_t thread);

#endif /* LF_RUNTIME_REGION_H */
