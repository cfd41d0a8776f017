/* SPDX-License-Identifier: Apache-2.0 */
/* Implements the thread pool: starting and ending threads, passing work to them, and measuring how
 * much processor time they lose. */
#include "runtime/pool.h"

#include "runtime/crowding.h"
#include "runtime/meter.h"
#include "runtime/thread.h"

#include <stdatomic.h>

enum { CACHE_LINE = 64 };

/* Values of worker.mail. The pool's caller writes WORK and END, the worker ASLEEP. Whoever takes
 * the work writes NONE: the worker, or the caller when it takes the work back. */
enum { MAIL_NONE, MAIL_ASLEEP, MAIL_WORK, MAIL_END };

/* How long a worker spins before it sleeps; how long the caller spins for workers that have not
 * started (SHORT), and then for the last worker to end. Waking takes tens of microseconds. */
static const uint64_t WORKER_SPIN_NS = 10000000;
static const uint64_t CALLER_SPIN_NS = 2000000;
static const uint64_t SHORT_SPIN_NS = 20000;

typedef struct worker {
    _Alignas(CACHE_LINE) atomic_uint mail;
    _Alignas(CACHE_LINE) lf_pool *pool;
    uint32_t thread;
    pthread_t id;
    lf_meter meter;
} worker;

struct lf_pool {
    const lf_alloc *alloc;
    uint32_t n_threads; /* the caller included */
    bool spins;
    lf_pool_task task;
    void *ctx;
    lf_crowding crowding;
    pthread_t caller; /* the thread that `meter` measures */
    lf_meter meter;
    _Alignas(CACHE_LINE) atomic_uint left; /* workers still working, and CALLER_ASLEEP */
    worker workers[];                      /* of indices 1 and up */
};

static const unsigned CALLER_ASLEEP = 1u << 31;

/* ---- Waiting ---- */

/* Spins until (word == value) == until; false after ns nanoseconds. */
static bool spin(const atomic_uint *word, unsigned value, bool until, uint64_t ns)
{
    enum { STEPS = 256 }; /* between reads of the clock */
    uint64_t end = 0;
    for (;;) {
        for (int i = 0; i < STEPS; i++) {
            if ((atomic_load_explicit(word, memory_order_acquire) == value) == until) {
                return true;
            }
            lf_os_relax();
        }
        uint64_t now = lf_os_ns();
        end = end == 0 ? now + ns : end;
        if (now >= end) {
            return false;
        }
    }
}

/* Waits for mail and takes it. A worker that wakes up after the caller took the work back goes to
 * sleep again at once. */
static unsigned wait_for_mail(worker *w, bool may_spin)
{
    for (;;) {
        unsigned mail = atomic_load_explicit(&w->mail, memory_order_relaxed);
        if (mail != MAIL_NONE) {
            if (atomic_compare_exchange_strong_explicit(
                    &w->mail, &mail, MAIL_NONE, memory_order_acquire, memory_order_relaxed)) {
                return mail;
            }
            continue;
        }
        if (may_spin && spin(&w->mail, MAIL_NONE, false, WORKER_SPIN_NS)) {
            continue;
        }
        may_spin = false;
        if (atomic_compare_exchange_strong_explicit(&w->mail, &mail, MAIL_ASLEEP,
                                                    memory_order_relaxed, memory_order_relaxed)) {
            while (atomic_load_explicit(&w->mail, memory_order_relaxed) == MAIL_ASLEEP) {
                lf_os_wait(&w->mail, MAIL_ASLEEP);
            }
        }
    }
}

static void send(worker *w, unsigned mail)
{
    if (atomic_exchange_explicit(&w->mail, mail, memory_order_acq_rel) == MAIL_ASLEEP) {
        lf_os_wake(&w->mail);
    }
}

/* Runs the tasks of workers that have not started: they may wait for a processor longer than the
 * whole work takes. */
static void take_back(lf_pool *pool, uint32_t threads)
{
    for (uint32_t i = 0; i + 1 < threads; i++) {
        worker *w = &pool->workers[i];
        unsigned mail = MAIL_WORK;
        if (atomic_load_explicit(&w->mail, memory_order_relaxed) == MAIL_WORK &&
            atomic_compare_exchange_strong_explicit(&w->mail, &mail, MAIL_NONE,
                                                    memory_order_acquire, memory_order_relaxed)) {
            pool->task(pool->ctx, w->thread);
            atomic_fetch_sub_explicit(&pool->left, 1, memory_order_relaxed);
        }
    }
}

static void wait_for_workers(lf_pool *pool, uint32_t threads)
{
    if (spin(&pool->left, 0, true, SHORT_SPIN_NS)) {
        return;
    }
    take_back(pool, threads);
    if (pool->spins && spin(&pool->left, 0, true, CALLER_SPIN_NS)) {
        return;
    }
    for (;;) {
        unsigned left = atomic_load_explicit(&pool->left, memory_order_acquire);
        if ((left & ~CALLER_ASLEEP) == 0) {
            return;
        }
        unsigned asleep = left | CALLER_ASLEEP;
        if (left == asleep ||
            atomic_compare_exchange_strong_explicit(&pool->left, &left, asleep,
                                                    memory_order_relaxed, memory_order_relaxed)) {
            lf_os_wait(&pool->left, asleep);
        }
    }
}

/* ---- Work ---- */

static void *work(void *argument)
{
    worker *w = argument;
    lf_pool *pool = w->pool;
    for (bool may_spin = false; wait_for_mail(w, may_spin) == MAIL_WORK;) {
        lf_meter_step(&w->meter);
        pool->task(pool->ctx, w->thread);
        lf_meter_step(&w->meter);
        if (atomic_fetch_sub_explicit(&pool->left, 1, memory_order_acq_rel) ==
            (CALLER_ASLEEP | 1)) {
            lf_os_wake(&pool->left);
        }
        may_spin = pool->spins;
    }
    return NULL;
}

void lf_pool_run(lf_pool *pool, uint32_t threads, lf_pool_task task, void *ctx)
{
    if (!pthread_equal(pool->caller, pthread_self())) {
        pool->caller = pthread_self();
        lf_meter_reset(&pool->meter);
    }
    lf_meter_step(&pool->meter);
    pool->task = task;
    pool->ctx = ctx;
    atomic_store_explicit(&pool->left, threads - 1, memory_order_relaxed);
    for (uint32_t i = 0; i + 1 < threads; i++) {
        send(&pool->workers[i], MAIL_WORK);
    }
    task(ctx, 0);
    wait_for_workers(pool, threads);
    lf_meter_step(&pool->meter);
}

uint32_t lf_pool_threads(lf_pool *pool)
{
    lf_crowding *c = &pool->crowding;
    if (!pool->spins) {
        return pool->n_threads; /* some threads always wait: losses mean nothing */
    }
    uint64_t now = lf_os_ns();
    if (lf_crowding_due(c, now)) {
        double lost = lf_crowding_counts(lf_meter_take(&pool->meter));
        for (uint32_t i = 0; i + 1 < pool->n_threads; i++) {
            lost += lf_crowding_counts(lf_meter_take(&pool->workers[i].meter));
        }
        lf_crowding_decide(c, lost, now);
    }
    return c->active;
}

/* ---- Life ---- */

static size_t bytes_of(uint32_t n_threads)
{
    return sizeof(lf_pool) + (n_threads - 1) * sizeof(worker);
}

static void end_workers(lf_pool *pool, uint32_t n)
{
    for (uint32_t i = 0; i < n; i++) {
        send(&pool->workers[i], MAIL_END);
    }
    for (uint32_t i = 0; i < n; i++) {
        pthread_join(pool->workers[i].id, NULL);
    }
}

int32_t lf_pool_create(const lf_alloc *alloc, uint32_t n_threads, bool spins, lf_pool **out)
{
    void *p = NULL;
    LF_TRY(lf_new_zero(alloc, 1, bytes_of(n_threads), "thread pool", &p));
    lf_pool *pool = p;
    pool->alloc = alloc;
    pool->n_threads = n_threads;
    pool->spins = spins;
    lf_crowding_init(&pool->crowding, n_threads);
    uint32_t started = 0;
    while (started < n_threads - 1) {
        worker *w = &pool->workers[started];
        w->pool = pool;
        w->thread = started + 1;
        if (!lf_thread_start(&w->id, work, w)) {
            break;
        }
        started++;
    }
    if (started < n_threads - 1) {
        end_workers(pool, started);
        lf_free(alloc, pool, 1, bytes_of(n_threads));
        return lf_fail(LFM2_E_THREAD, "runtime.threads",
                       "the system refused to start thread %u of %u", started + 1, n_threads - 1);
    }
    *out = pool;
    return LFM2_OK;
}

void lf_pool_free(lf_pool *pool, bool forked)
{
    if (pool == NULL) {
        return;
    }
    if (!forked) {
        end_workers(pool, pool->n_threads - 1);
    }
    lf_free(pool->alloc, pool, 1, bytes_of(pool->n_threads));
}
