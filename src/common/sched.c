/* SPDX-License-Identifier: Apache-2.0 */
/* Owns thread start-up and the two ways of dividing work. */
#include "common/sched.h"

#include "common/os.h"

#include <pthread.h>
#include <pthreadpool.h>
#include <semaphore.h>
#include <stdatomic.h>
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
    /* Between regions the pool's threads spin for about a millisecond. With more threads than
     * processors they would spin instead of those that have work. */
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

/* ---- Dividing work ---- */

typedef struct region {
    lf_body body;
    void *ctx;
    size_t n, grain, parts;
    atomic_size_t next; /* first unit not yet taken */
} region;

static void run_part(void *context, size_t part)
{
    region *r = context;
    if (r->grain == 0) {
        size_t begin = r->n * part / r->parts;
        size_t end = r->n * (part + 1) / r->parts;
        if (begin < end) {
            r->body(r->ctx, (uint32_t)part, begin, end);
        }
        return;
    }
    for (;;) {
        size_t begin = atomic_fetch_add_explicit(&r->next, r->grain, memory_order_relaxed);
        if (begin >= r->n) {
            return;
        }
        size_t end = r->n - begin < r->grain ? r->n : begin + r->grain;
        r->body(r->ctx, (uint32_t)part, begin, end);
    }
}

void lf_parallel(const lf_sched *sched, size_t n, size_t grain, lf_body body, void *ctx)
{
    if (n == 0) {
        return;
    }
    size_t parts = sched->n_threads;
    size_t steps = grain == 0 ? n : (n + grain - 1) / grain;
    if (parts > steps) {
        parts = steps;
    }
    if (parts <= 1) {
        body(ctx, 0, 0, n);
        return;
    }
    region r = {.body = body, .ctx = ctx, .n = n, .grain = grain, .parts = parts};
    atomic_init(&r.next, 0);
    pthreadpool_parallelize_1d(sched->pool, run_part, &r, parts, sched->flags);
}
