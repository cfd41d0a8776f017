/* SPDX-License-Identifier: Apache-2.0 */
/* A pool of threads that sleep or spin between calls. */
#ifndef LF_RUNTIME_POOL_H
#define LF_RUNTIME_POOL_H

#include "common/alloc.h"

typedef struct lf_pool lf_pool;

typedef void (*lf_pool_task)(void *ctx, uint32_t thread);

/* Starts n_threads - 1 threads, at least one; the caller of lf_pool_run is the remaining one.
 * `spins`: there is a processor for each thread, so they may spin while they wait. The threads
 * block all signals that are sent to the process. `alloc` must outlive the pool. Errors: MEMORY,
 * THREAD; then no thread is left. */
int32_t lf_pool_create(const lf_alloc *alloc, uint32_t n_threads, bool spins, lf_pool **out);

/* Ends the threads and frees the pool. `forked`: the caller is in the child of a fork, where the
 * threads do not exist. NULL is allowed. */
void lf_pool_free(lf_pool *pool, bool forked);

/* How many threads the next lf_pool_run should use, the caller included: all of them, or fewer (at
 * least 1) while other programs use the processors (crowding.h). */
uint32_t lf_pool_threads(lf_pool *pool);

/* Calls task(ctx, thread) once for each index thread < threads and returns when all calls have
 * returned. The calling thread makes the call for index 0, then the calls that no pool thread has
 * started by then. 1 <= threads <= n_threads. One caller at a time. */
void lf_pool_run(lf_pool *pool, uint32_t threads, lf_pool_task task, void *ctx);

#endif /* LF_RUNTIME_POOL_H */
