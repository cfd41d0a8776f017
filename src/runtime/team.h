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
 * (lf_sched_begin). If `spin`, the other threads spin between the regions, provided that the pool
 * is the library's and has a processor for each thread as far as known. While other programs use
 * the processors, fewer threads take part, or the caller alone. */
void lf_team_run(const lf_sched *sched, bool spin, lf_team_main main, void *ctx);

/* lf_parallel, for `main` only. With grain 0, too, a thread may get several calls. */
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
