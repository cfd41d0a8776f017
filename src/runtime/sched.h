/* SPDX-License-Identifier: Apache-2.0 */
/* The scheduler of a runtime: turns, and work divided over the threads. Only sched.c includes
 * pthreadpool. */
#ifndef LF_RUNTIME_SCHED_H
#define LF_RUNTIME_SCHED_H

#include "runtime/pool.h"
#include "runtime/turns.h"

enum { LF_MAX_THREADS = 1024 };

typedef struct lf_sched {
    const lf_alloc *alloc;
    uint32_t n_threads;  /* the caller included; if 1, nothing below is used */
    lf_pool *pool;       /* the library's, or NULL */
    void *host_pool;     /* pthreadpool_t of the host, or NULL */
    uint32_t host_flags; /* PTHREADPOOL_FLAG_* of every region */
    bool may_spin;       /* the pool has a processor for each thread (team.h) */
    lf_turns turns;
    void *mark;                         /* of the process that started the threads */
    struct lf_region *region;           /* used by the caller whose turn it is */
    struct lf_team_memory *team_memory; /* likewise */
} lf_sched;

/* Starts n_threads - 1 threads, or uses all threads of the host's pool. `alloc` must outlive the
 * scheduler. Errors: ARGUMENT (size of the host's pool), MEMORY, THREAD. */
int32_t lf_sched_init(lf_sched *sched, const lf_alloc *alloc, uint32_t n_threads, void *host_pool);
void lf_sched_free(lf_sched *sched);

/* Every use of the threads is between begin and end. Begin sleeps until it is the caller's turn;
 * turns come in the order of the calls. A turn is one pass of a model or one step of a longer task,
 * and never includes a callback. With one thread there are no turns and all callers run at once.
 * Errors: STATE in the child of a fork, where the threads do not exist; CANCELLED if gave_up(ctx)
 * is true while the caller waits (NULL: never). */
int32_t lf_sched_begin(lf_sched *sched, lf_turns_gave_up gave_up, const void *ctx);
void lf_sched_end(lf_sched *sched);

/* Computes units [begin, end) as thread index `thread`, 0 to n_threads - 1. Calls with the same
 * index do not overlap in time, so each index can have its own working memory. */
typedef void (*lf_body)(void *ctx, uint32_t thread, size_t begin, size_t end);

/* A grain: guided scheduling of single units. */
#define LF_GUIDED SIZE_MAX

/* Calls body for all of [0, n) and returns when all is done; in a turn only. Each thread has a
 * contiguous range, and `grain` decides its calls:
 * - 0: one call for each range. The calling thread makes the call for index 0 first.
 * - g: ranges are divided into chunks of g units (the last may be shorter). A thread takes the
 *   chunks of its range in order, one at a time, then chunks from the back of other ranges. So
 *   memory is read in streams, and no thread waits longer than one chunk for a slow one.
 * - LF_GUIDED: each call gets a quarter of what is left of the range; for units of equal size that
 *   should be read in long streams.
 * With a grain, at most LF_REGION_THREADS threads work. If fewer than 2 threads would work, there
 * is one call. */
void lf_parallel(const lf_sched *sched, size_t n, size_t grain, lf_body body, void *ctx);

/* lf_sched_begin, lf_parallel, lf_sched_end. Errors: STATE, as lf_sched_begin. */
int32_t lf_parallel_turn(lf_sched *sched, size_t n, size_t grain, lf_body body, void *ctx);

#endif /* LF_RUNTIME_SCHED_H */
