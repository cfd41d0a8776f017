/* SPDX-License-Identifier: Apache-2.0 */
/* A persistent parallel region: threads spin between many short regions and prefetch the memory
 * that they will read next. */
#ifndef LF_RUNTIME_TEAM_H
#define LF_RUNTIME_TEAM_H

#include "runtime/sched.h"

typedef struct lf_team lf_team;

/* The function that lf_team_run calls; it opens the regions. */
typedef void (*lf_team_main)(lf_team *team, void *ctx);

/* Calls main(team, ctx) on the calling thread and returns after it; in a turn only
 * (lf_sched_begin). If `spin`, the other threads spin between the regions. They do not spin in a
 * pool of the host, or if the pool is known to have more threads than processors. While other
 * programs use the processors, fewer threads take part, or the caller alone. */
void lf_team_run(const lf_sched *sched, bool spin, lf_team_main main, void *ctx);

/* lf_parallel, for `main` only. A thread may get several calls even if the grain is 0. */
void lf_team_parallel(lf_team *team, size_t n, size_t grain, lf_body body, void *ctx);

/* Whether the threads spin, so that regions start without waking them. */
bool lf_team_spins(const lf_team *team);

/* Threads of a region, at most. */
uint32_t lf_team_threads(const lf_team *team);

/* The prefetch hint of a thread, until the next call: while the thread waits, in the next region or
 * after it, it loads `bytes` bytes from `from` into its second-level cache, as far as time permits.
 * The memory need not be readable. */
void lf_team_prefetch(lf_team *team, uint32_t thread, const void *from, size_t bytes);

/* ---- For the scheduler ---- */

/* Memory that the threads of a team share, a few kilobytes; it uses `region`. Errors: MEMORY. */
int32_t lf_team_memory_create(const lf_alloc *alloc, struct lf_region *region,
                              struct lf_team_memory **out);
void lf_team_memory_free(const lf_alloc *alloc, struct lf_team_memory *memory);

#endif /* LF_RUNTIME_TEAM_H */
