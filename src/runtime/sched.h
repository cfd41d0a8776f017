/* SPDX-License-Identifier: Apache-2.0 */
/* Work over threads: the one place that knows pthreadpool. */
#ifndef LF_RUNTIME_SCHED_H
#define LF_RUNTIME_SCHED_H

#include "runtime/pool.h"
#include "runtime/turns.h"

enum { LF_MAX_THREADS = 1024 };

typedef struct lf_sched {
    const lf_alloc *alloc;
    uint32_t n_threads;  /* the caller included; with one nothing below is used */
    lf_pool *pool;       /* of our own, or NULL */
    void *host_pool;     /* pthreadpool_t of the host, or NULL */
    uint32_t host_flags; /* PTHREADPOOL_FLAG_* of every region */
    bool may_spin;       /* own threads, each with a processor (team.h) */
    lf_turns turns;
    void *mark;               /* of the process that has the threads */
    struct lf_region *region; /* of whose turn it is */
    struct lf_crew *crew;     /* the same for teams */
} lf_sched;

/* Starts n_threads - 1 threads, or takes the host's pool with all its threads. `alloc` must
 * outlive the scheduler. Errors: ARGUMENT (the size of the host's pool), MEMORY, THREAD. */
int32_t lf_sched_init(lf_sched *sched, const lf_alloc *alloc, uint32_t n_threads, void *host_pool);
void lf_sched_free(lf_sched *sched);

/* Around every use of the threads: waits, asleep, until it is the caller's turn. Turns come in the
 * order of the calls; a turn is one pass of a model, or one step of something longer, never a
 * callback. With one thread there is nothing to share and all callers run at once. Errors: STATE in
 * the child of a fork, where the threads are missing; CANCELLED if `gave_up` (NULL: never) is true
 * while the caller waits. */
int32_t lf_sched_begin(lf_sched *sched, lf_turns_gave_up gave_up, const void *ctx);
void lf_sched_end(lf_sched *sched);

/* Units [begin, end) for `thread`; threads are numbered 0..n_threads-1 and no two calls with the
 * same thread overlap in time, so a thread may own scratch memory. */
typedef void (*lf_body)(void *ctx, uint32_t thread, size_t begin, size_t end);

/* As a grain: pieces of one unit, taken in runs. */
#define LF_GUIDED SIZE_MAX

/* To be called in a turn. Covers [0, n) once; returns when all is done. Every thread has a
 * contiguous range. grain 0: it is one call, the caller makes that of thread 0 first, and no thread
 * makes another before its own ends. Otherwise [0, n) is cut into pieces of `grain` units, the last
 * maybe shorter; a thread calls for the pieces of its range in order, one at a time, and when none
 * is left, for others' pieces from the back: memory is read in streams, and no thread waits for a
 * slower one longer than a piece takes. LF_GUIDED: each call is for a fourth of the units that are
 * left where they are taken from, for units of one size whose stream should not be broken off. With
 * a grain at most 256 threads take thread. Regions of fewer threads than 2 are one call. */
void lf_parallel(const lf_sched *sched, size_t n, size_t grain, lf_body body, void *ctx);

/* The same as a turn of its own. Errors: STATE as lf_sched_begin. */
int32_t lf_parallel_turn(lf_sched *sched, size_t n, size_t grain, lf_body body, void *ctx);

#endif /* LF_RUNTIME_SCHED_H */
