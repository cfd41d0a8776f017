/* SPDX-License-Identifier: Apache-2.0 */
/* Owns thread start-up and the regions of the pool. */
#include "common/region.h"

#include "common/os.h"

#include <pthread.h>
#include <pthreadpool.h>
#include <semaphore.h>
#include <stdlib.h>

/* ---- Start-up ---- */

static void *wait_for_post(void *gate)
{
    while (sem_wait(gate) != 0) {
    }
    return NULL;
}

/* pthreadpool does not check pthread_create: where the system refuses threads it would wait for
 * ever for those that never started. So the same number is started and ended here first. */
static bool can_start(uint32_t n)
{
    pthread_t *threads = calloc(n, sizeof *threads);
    sem_t gate;
    if (threads == NULL || sem_init(&gate, 0, 0) != 0) {
        free(threads);
        return false;
    }
    uint32_t started = 0;
    while (started < n && pthread_create(&threads[started], NULL, wait_for_post, &gate) == 0) {
        started++;
    }
    for (uint32_t i = 0; i < started; i++) {
        sem_post(&gate);
    }
    for (uint32_t i = 0; i < started; i++) {
        pthread_join(threads[i], NULL);
    }
    sem_destroy(&gate);
    free(threads);
    return started == n;
}

int32_t lf_sched_init(lf_sched *sched, uint32_t n_threads, void *lent_pool)
{
    *sched = (lf_sched){.n_threads = n_threads};
    /* After a region the pool's threads spin for some milliseconds (16 were seen). With more
     * threads than processors they would spin instead of those that have work. */
    uint32_t processors = lf_os_processors();
    if (processors > 0 && n_threads > processors) {
        sched->flags = PTHREADPOOL_FLAG_YIELD_WORKERS;
    }
    if (lent_pool != NULL) {
        size_t n = pthreadpool_get_threads_count(lent_pool);
        if (n < 1 || n > LF_MAX_THREADS) {
            return lf_fail(LFM2_E_ARGUMENT, "runtime.threadpool",
                           "lent thread pool has %zu threads (1..%d allowed)", n, LF_MAX_THREADS);
        }
        sched->pool = lent_pool;
        sched->n_threads = (uint32_t)n;
        return LFM2_OK;
    }
    if (n_threads <= 1) {
        sched->n_threads = 1;
        return LFM2_OK;
    }
    if (!can_start(n_threads - 1)) {
        return lf_fail(LFM2_E_THREAD, "runtime.threads", "the system refused to start %u threads",
                       n_threads - 1);
    }
    sched->pool = pthreadpool_create(n_threads);
    if (sched->pool == NULL) {
        return lf_fail(LFM2_E_THREAD, "runtime.threads", "thread pool of %u threads not created",
                       n_threads);
    }
    sched->owns_pool = true;
    return LFM2_OK;
}

void lf_sched_free(lf_sched *sched)
{
    if (sched->owns_pool) {
        pthreadpool_destroy(sched->pool);
    }
    sched->pool = NULL;
}

bool lf_sched_enter(lf_sched *sched)
{
    return atomic_fetch_add_explicit(&sched->users, 1, memory_order_relaxed) == 0;
}

void lf_sched_leave(lf_sched *sched)
{
    atomic_fetch_sub_explicit(&sched->users, 1, memory_order_relaxed);
}

/* ---- Dividing work ---- */

static void run_part(void *region, size_t part)
{
    lf_region_run(region, (uint32_t)part);
}

/* One range a part. */
typedef struct ranges {
    lf_body body;
    void *ctx;
    size_t n, parts;
} ranges;

static void run_range(void *context, size_t part)
{
    const ranges *r = context;
    size_t begin = r->n * part / r->parts;
    size_t end = r->n * (part + 1) / r->parts;
    if (begin < end) {
        r->body(r->ctx, (uint32_t)part, begin, end);
    }
}

void lf_parallel(const lf_sched *sched, size_t n, size_t grain, lf_body body, void *ctx)
{
    if (n == 0) {
        return;
    }
    size_t pieces = grain == 0 ? n : lf_region_pieces(n, grain);
    uint32_t parts = pieces < sched->n_threads ? (uint32_t)pieces : sched->n_threads;
    if (parts <= 1) {
        body(ctx, 0, 0, n);
        return;
    }
    if (grain == 0 || pieces > LF_REGION_PIECES) {
        ranges r = {body, ctx, n, parts};
        pthreadpool_parallelize_1d(sched->pool, run_range, &r, parts, sched->flags);
        return;
    }
    lf_region r; /* not cleared as a whole: its shares are 16 KiB */
    lf_region_clear(&r, parts < LF_REGION_PARTS ? parts : LF_REGION_PARTS);
    lf_region_open(&r, n, grain, body, ctx);
    pthreadpool_parallelize_1d(sched->pool, run_part, &r, r.parts, sched->flags);
}
