/* SPDX-License-Identifier: Apache-2.0 */
/* Many short regions in a row: threads that stand by between them, and fetch what comes next. */
#ifndef LF_RUNTIME_TEAM_H
#define LF_RUNTIME_TEAM_H

#include "runtime/sched.h"

typedef struct lf_team lf_team;

/* What the caller of lf_team_run does meanwhile. */
typedef void (*lf_team_main)(lf_team *team, void *ctx);

/* To be called in a turn (lf_sched_begin). Calls main(team, ctx) on the calling thread and returns
 * after it. If `spin`, the scheduler's other threads wait for its regions without going to
 * sleep. They do so only in a pool of our own with no more threads than processors, as far as these
 * are known. While other programs use the processors fewer threads take thread, or the caller
 * alone.
 */
void lf_team_run(const lf_sched *sched, bool spin, lf_team_main main, void *ctx);

/* lf_parallel; to be called by main alone. A thread may get more than one call with grain 0, too.
 */
void lf_team_parallel(lf_team *team, size_t n, size_t grain, lf_body body, void *ctx);

/* Whether regions begin without waking threads. */
bool lf_team_spins(const lf_team *team);

/* Parts that a region has at most. */
uint32_t lf_team_threads(const lf_team *team);

/* What thread `thread` fetches into its second level cache whenever it has nothing to do in the
 * next region and after it, until this is called again: of `bytes` from `from` on, which need not
 * be readable, as many as there is time for. */
void lf_team_prefetch(lf_team *team, uint32_t thread, const void *from, size_t bytes);

/* ---- For the scheduler ---- */

/* What the threads of a team share, a few kilobytes; `region` is used with it. Errors: MEMORY. */
int32_t lf_crew_create(const lf_alloc *alloc, struct lf_region *region, struct lf_crew **out);
void lf_crew_free(const lf_alloc *alloc, struct lf_crew *crew);

#endif /* LF_RUNTIME_TEAM_H */
