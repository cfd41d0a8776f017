/* SPDX-License-Identifier: Apache-2.0 */
/* Work over threads: the one place that knows pthreadpool. */
#ifndef LF_COMMON_SCHED_H
#define LF_COMMON_SCHED_H

#include "common/status.h"

#include <stdatomic.h>
#include <stdbool.h>

enum { LF_MAX_THREADS = 1024 };

typedef struct lf_sched {
    void *pool; /* pthreadpool_t; NULL for one thread */
    bool owns_pool;
    uint32_t n_threads; /* the caller included */
    uint32_t flags;     /* PTHREADPOOL_FLAG_* of every region */
    atomic_uint users;  /* between lf_sched_enter and lf_sched_leave */
} lf_sched;

/* Starts n_threads - 1 threads, or takes the lent pool with all its threads. Errors: THREAD. */
int32_t lf_sched_init(lf_sched *sched, uint32_t n_threads, void *lent_pool);
void lf_sched_free(lf_sched *sched);

/* Around work of many regions: says whether the caller is alone. Whoever is does not have to give
 * way to others between regions (team.h). */
bool lf_sched_enter(lf_sched *sched);
void lf_sched_leave(lf_sched *sched);

/* Units [begin, end) for `part`; parts are numbered 0..n_threads-1 and no two calls with the same
 * part overlap in time, so a part may own scratch memory. */
typedef void (*lf_body)(void *ctx, uint32_t part, size_t begin, size_t end);

/* As a grain: pieces of one unit, taken in runs. */
#define LF_IN_RUNS SIZE_MAX

/* Covers [0, n) once; returns when all is done. Every part has a contiguous range. grain 0: it is
 * one call, the caller makes that of part 0 first, and no thread makes another before its own ends
 * (team.c counts on it). Otherwise [0, n) is cut into pieces of `grain` units, the last maybe
 * shorter; a part calls for the pieces of its range in order, one at a time, and when none is left,
 * for others' pieces from the back: memory is read in streams, and no thread waits for a slower one
 * longer than a piece takes. LF_IN_RUNS: each call is for a fourth of the units that are left where
 * they are taken from, for units of one size whose stream should not be broken off. With a grain at
 * most 256 threads take part. Regions of fewer parts than 2 are one call. */
void lf_parallel(const lf_sched *sched, size_t n, size_t grain, lf_body body, void *ctx);

#endif /* LF_COMMON_SCHED_H */
