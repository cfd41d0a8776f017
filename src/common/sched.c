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

enum { CACHE_LINE = 64, STEALING_PARTS = 256 };

/* What is left of a part's range of pieces, the first in the low half, the end in the high half:
 * taken from both sides. On a cache line of its own. */
typedef struct share {
    _Alignas(CACHE_LINE) atomic_uint_least64_t left;
} share;

typedef struct region {
    lf_body body;
    void *ctx;
    size_t n, grain, parts; /* grain 0: one call a part */
    share shares[STEALING_PARTS];
} region;

static uint64_t range_of(uint64_t begin, uint64_t end)
{
    return begin | end << 32;
}

/* Takes the first, or the last, piece of a share; false when it is empty. */
static bool take(share *from, bool last, size_t *piece)
{
    uint64_t left = atomic_load_explicit(&from->left, memory_order_relaxed);
    for (;;) {
        uint64_t begin = left & UINT32_MAX;
        uint64_t end = left >> 32;
        if (begin >= end) {
            return false;
        }
        *piece = last ? end - 1 : begin;
        uint64_t rest = last ? range_of(begin, end - 1) : range_of(begin + 1, end);
        if (atomic_compare_exchange_weak_explicit(&from->left, &left, rest, memory_order_relaxed,
                                                  memory_order_relaxed)) {
            return true;
        }
    }
}

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
    for (size_t i = 0; i < r->parts; i++) {
        share *from = &r->shares[(part + i) % r->parts];
        size_t piece = 0;
        while (take(from, i > 0, &piece)) {
            size_t begin = piece * r->grain;
            size_t end = r->n - begin < r->grain ? r->n : begin + r->grain;
            r->body(r->ctx, (uint32_t)part, begin, end);
        }
    }
}

void lf_parallel(const lf_sched *sched, size_t n, size_t grain, lf_body body, void *ctx)
{
    if (n == 0) {
        return;
    }
    size_t parts = sched->n_threads;
    size_t pieces = grain == 0 ? n : (n - 1) / grain + 1;
    if (parts > pieces) {
        parts = pieces;
    }
    if (grain > 0 && parts > STEALING_PARTS) {
        parts = STEALING_PARTS;
    }
    if (parts <= 1) {
        body(ctx, 0, 0, n);
        return;
    }
    region r; /* not cleared: its shares are 16 KiB */
    r.body = body;
    r.ctx = ctx;
    r.n = n;
    r.grain = pieces > UINT32_MAX ? 0 : grain;
    r.parts = parts;
    for (size_t part = 0; part < parts && r.grain > 0; part++) {
        atomic_init(&r.shares[part].left,
                    range_of(pieces * part / parts, pieces * (part + 1) / parts));
    }
    pthreadpool_parallelize_1d(sched->pool, run_part, &r, parts, sched->flags);
}
