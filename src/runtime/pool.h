/* SPDX-License-Identifier: Apache-2.0 */
/* The threads of a runtime. */
#ifndef LF_RUNTIME_POOL_H
#define LF_RUNTIME_POOL_H

#include "common/alloc.h"

typedef struct lf_pool lf_pool;

typedef void (*lf_pool_task)(void *ctx, uint32_t thread);

/* Starts n_threads - 1 threads, at least one, that sleep; the caller of lf_pool_run is the other.
 * `spins`: each has a processor, so that they may wait in loops. Signals that are sent to the
 * process are never handled by them. All or nothing. Errors: MEMORY, THREAD. `alloc` must outlive
 * the pool. */
int32_t lf_pool_create(const lf_alloc *alloc, uint32_t n_threads, bool spins, lf_pool **out);

/* Ends the threads. `forked`: in the child of a fork, where there are none. NULL is allowed. */
void lf_pool_free(lf_pool *pool, bool forked);

/* How many threads the next call of lf_pool_run should use, the caller included: all of them,
 * unless other programs keep the processors busy. Then it is less, at least 1, and now and then one
 * more for a few milliseconds, until they all have a processor again. */
uint32_t lf_pool_threads(lf_pool *pool);

/* Calls task(ctx, thread) once for each thread < threads and returns when all have returned. The
 * calling thread calls thread 0, and after it those whose threads have not begun by then; each
 * other thread has a thread of its own. 1 <= threads <= n_threads. One caller at a time. */
void lf_pool_run(lf_pool *pool, uint32_t threads, lf_pool_task task, void *ctx);

#endif /* LF_RUNTIME_POOL_H */
