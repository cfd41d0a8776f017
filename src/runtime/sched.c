/* SPDX-License-Identifier: Apache-2.0 */
/* Implements turns on the threads and the division of work over them. */
#include "runtime/sched.h"

#include "common/os.h"
#include "runtime/region.h"
#include "runtime/team.h"

#include <pthreadpool.h>

/* ---- Life ---- */

/* With more threads than processors threads must not spin: they would take processors from threads
 * that have work. */
static int32_t use_threads(lf_sched *sched, void *host_pool)
{
    uint32_t processors = lf_os_processors();
    bool spins = processors == 0 || sched->n_threads <= processors;
    if (host_pool != NULL) {
        sched->host_pool = host_pool;
        sched->host_flags = spins ? 0 : PTHREADPOOL_FLAG_YIELD_WORKERS;
        return LFM2_OK;
    }
    sched->may_spin = spins && sched->n_threads <= LF_REGION_THREADS;
    return lf_pool_create(sched->alloc, sched->n_threads, spins, &sched->pool);
}

static int32_t init_shared(lf_sched *sched)
{
    void *p = NULL;
    LF_TRY(lf_new(sched->alloc, 1, sizeof(lf_region), "threads", &p));
    sched->region = p;
    LF_TRY(lf_team_memory_create(sched->alloc, sched->region, &sched->team_memory));
    return lf_os_mark_create(&sched->mark);
}

int32_t lf_sched_init(lf_sched *sched, const lf_alloc *alloc, uint32_t n_threads, void *host_pool)
{
    *sched = (lf_sched){.alloc = alloc, .n_threads = n_threads > 0 ? n_threads : 1};
    if (host_pool != NULL) {
        size_t n = pthreadpool_get_threads_count(host_pool);
        if (n < 1 || n > LF_MAX_THREADS) {
            return lf_fail(LFM2_E_ARGUMENT, "runtime.threadpool",
                           "the host's thread pool has %zu threads; allowed: 1 to %d", n,
                           LF_MAX_THREADS);
        }
        sched->n_threads = (uint32_t)n;
    }
    if (sched->n_threads == 1) {
        return LFM2_OK;
    }
    if (!lf_turns_init(&sched->turns)) {
        return lf_fail(LFM2_E_MEMORY, "memory", "the system could not create a mutex");
    }
    int32_t status = init_shared(sched);
    if (status == LFM2_OK) {
        status = use_threads(sched, host_pool);
    }
    if (status != LFM2_OK) {
        lf_sched_free(sched);
    }
    return status;
}

void lf_sched_free(lf_sched *sched)
{
    if (sched->n_threads == 1) {
        return;
    }
    lf_pool_free(sched->pool, sched->mark != NULL && !lf_os_mark_is_ours(sched->mark));
    lf_os_mark_free(sched->mark);
    lf_team_memory_free(sched->alloc, sched->team_memory);
    lf_free(sched->alloc, sched->region, 1, sizeof(lf_region));
    lf_turns_free(&sched->turns);
}

/* ---- Turns ---- */

int32_t lf_sched_begin(lf_sched *sched, lf_turns_gave_up gave_up, const void *ctx)
{
    if (sched->n_threads == 1) {
        return LFM2_OK;
    }
    if (!lf_os_mark_is_ours(sched->mark)) {
        return lf_fail(LFM2_E_STATE, "runtime.forked",
                       "the runtime was created before fork() and its threads exist in the parent "
                       "only: create a runtime in this process");
    }
    if (!lf_turns_take(&sched->turns, gave_up, ctx)) {
        return lf_fail(LFM2_E_CANCELLED, "session.cancelled", "cancelled by the caller");
    }
    return LFM2_OK;
}

void lf_sched_end(lf_sched *sched)
{
    if (sched->n_threads > 1) {
        lf_turns_give(&sched->turns);
    }
}

/* ---- Dividing work ---- */

typedef struct range_job {
    lf_body body;
    void *ctx;
    size_t n, threads;
} range_job;

/* The whole range of a thread in one call. */
static void run_range(void *context, uint32_t thread)
{
    const range_job *r = context;
    size_t begin = r->n * thread / r->threads;
    size_t end = r->n * (thread + 1) / r->threads;
    if (begin < end) {
        r->body(r->ctx, thread, begin, end);
    }
}

static void run_chunks(void *region, uint32_t thread)
{
    lf_region_run(region, thread);
}

/* Adapts a task to pthreadpool's type. */
typedef struct host_task {
    lf_pool_task task;
    void *ctx;
} host_task;

static void run_host_task(void *context, size_t thread)
{
    const host_task *t = context;
    t->task(t->ctx, (uint32_t)thread);
}

static void run_threads(const lf_sched *sched, uint32_t threads, lf_pool_task task, void *ctx)
{
    if (sched->pool != NULL) {
        lf_pool_run(sched->pool, threads, task, ctx);
        return;
    }
    host_task t = {task, ctx};
    pthreadpool_parallelize_1d(sched->host_pool, run_host_task, &t, threads, sched->host_flags);
}

void lf_parallel(const lf_sched *sched, size_t n, size_t grain, lf_body body, void *ctx)
{
    if (n == 0) {
        return;
    }
    size_t chunks = grain == 0 ? n : lf_region_chunks(n, grain);
    uint32_t threads = sched->pool != NULL ? lf_pool_threads(sched->pool) : sched->n_threads;
    threads = chunks < threads ? (uint32_t)chunks : threads;
    if (threads <= 1) {
        body(ctx, 0, 0, n);
        return;
    }
    if (grain == 0 || chunks > LF_REGION_CHUNKS) {
        range_job r = {body, ctx, n, threads};
        run_threads(sched, threads, run_range, &r);
        return;
    }
    lf_region *r = sched->region;
    lf_region_clear(r, threads < LF_REGION_THREADS ? threads : LF_REGION_THREADS);
    lf_region_open(r, n, grain, body, ctx);
    run_threads(sched, r->threads, run_chunks, r);
}

int32_t lf_parallel_turn(lf_sched *sched, size_t n, size_t grain, lf_body body, void *ctx)
{
    LF_TRY(lf_sched_begin(sched, NULL, NULL));
    lf_parallel(sched, n, grain, body, ctx);
    lf_sched_end(sched);
    return LFM2_OK;
}
