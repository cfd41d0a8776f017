/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Implements the persistent parallel region. All regions of a team use the same memory, one after
 * another; a region ends when all its chunks are done. A late thread does not delay it: others take
 * its chunks, and it finds empty ranges or works on a later region.
 */
#include "runtime/team.h"

#include "common/os.h"
#include "runtime/region.h"

#include <sched.h>
#include <stdatomic.h>

enum {
    FETCH_BYTES = 128 * 1024, /* of the second-level cache, at most */
    FETCH_STEP = 8 * LF_CACHE_LINE,
    SPINS = 4096 /* between calls of sched_yield */
};

/* What a thread prefetches while it waits. The two fields may come from different calls: then the
 * prefetch is useless, but harmless. */
typedef struct fetch_hint {
    atomic_uintptr_t from;
    atomic_size_t bytes;
} fetch_hint;

/* Lives as long as the scheduler; used by the caller whose turn it is. */
typedef struct lf_team_memory {
    lf_region *region;
    _Alignas(LF_CACHE_LINE) atomic_uint regions; /* number opened */
    _Alignas(LF_CACHE_LINE) atomic_size_t done;  /* chunks that others ran */
    _Alignas(LF_CACHE_LINE) atomic_bool over;
    _Alignas(LF_CACHE_LINE) fetch_hint prefetch[LF_REGION_THREADS];
} lf_team_memory;

struct lf_team {
    const lf_sched *sched;
    lf_team_main main;
    void *main_ctx;
    uint32_t threads;
    bool spins;
    lf_team_memory *memory;
};

/* ---- Waiting ---- */

typedef struct waiter {
    uintptr_t from;
    size_t bytes, steps;
} waiter;

static waiter begin_to_wait(lf_team_memory *m, uint32_t thread)
{
    const fetch_hint *hint = &m->prefetch[thread];
    return (waiter){.from = atomic_load_explicit(&hint->from, memory_order_relaxed),
                    .bytes = atomic_load_explicit(&hint->bytes, memory_order_relaxed)};
}

static void wait_step(waiter *w)
{
    size_t at = w->steps++ * FETCH_STEP;
    if (at < w->bytes) {
        for (size_t line = 0; line < FETCH_STEP; line += LF_CACHE_LINE) {
            __builtin_prefetch((const void *)(w->from + at + line), 0, 2);
        }
    } else if (w->steps % SPINS == 0) {
        sched_yield();
    } else {
        lf_os_relax();
    }
}

/* ---- Regions ---- */

static void spin(lf_team_memory *m, uint32_t thread)
{
    uint32_t seen = 0;
    for (;;) {
        uint32_t now = seen;
        for (waiter w = begin_to_wait(m, thread); now == seen;) {
            if (atomic_load_explicit(&m->over, memory_order_relaxed)) {
                return;
            }
            wait_step(&w);
            now = atomic_load_explicit(&m->regions, memory_order_acquire);
        }
        seen = now;
        size_t done = lf_region_run(m->region, thread);
        if (done > 0) {
            atomic_fetch_add_explicit(&m->done, done, memory_order_release);
        }
    }
}

/* All regions of a team are one call of the pool; index 0 is the caller. */
static void run_thread(void *ctx, uint32_t thread)
{
    lf_team *t = ctx;
    if (thread > 0) {
        spin(t->memory, thread);
        return;
    }
    t->main(t, t->main_ctx);
    atomic_store_explicit(&t->memory->over, true, memory_order_relaxed);
}

static void clear(lf_team_memory *m, uint32_t threads)
{
    lf_region_clear(m->region, threads);
    atomic_store_explicit(&m->regions, 0, memory_order_relaxed);
    atomic_store_explicit(&m->done, 0, memory_order_relaxed);
    atomic_store_explicit(&m->over, false, memory_order_relaxed);
    for (uint32_t thread = 0; thread < threads; thread++) {
        atomic_store_explicit(&m->prefetch[thread].from, 0, memory_order_relaxed);
        atomic_store_explicit(&m->prefetch[thread].bytes, 0, memory_order_relaxed);
    }
}

void lf_team_run(const lf_sched *sched, bool spin_wanted, lf_team_main main, void *ctx)
{
    lf_team t = {.sched = sched,
                 .main = main,
                 .main_ctx = ctx,
                 .threads = sched->n_threads,
                 .memory = sched->team_memory};
    if (spin_wanted && sched->may_spin) {
        t.threads = lf_pool_threads(sched->pool);
        t.spins = t.threads > 1;
    }
    if (!t.spins) {
        main(&t, ctx);
        return;
    }
    clear(t.memory, t.threads);
    lf_pool_run(sched->pool, t.threads, run_thread, &t);
}

void lf_team_parallel(lf_team *t, size_t n, size_t grain, lf_body body, void *ctx)
{
    if (n == 0) {
        return;
    }
    if (t->threads == 1) {
        body(ctx, 0, 0, n);
        return;
    }
    if (!t->spins) {
        lf_parallel(t->sched, n, grain, body, ctx);
        return;
    }
    lf_team_memory *m = t->memory;
    if (grain == 0) {
        grain = n / t->threads + (n % t->threads != 0);
    }
    size_t chunks = lf_region_chunks(n, grain);
    if (chunks == 1 || chunks > LF_REGION_CHUNKS) {
        body(ctx, 0, 0, n);
        return;
    }
    atomic_store_explicit(&m->done, 0, memory_order_relaxed);
    lf_region_open(m->region, n, grain, body, ctx);
    atomic_fetch_add_explicit(&m->regions, 1, memory_order_release);
    size_t left = chunks - lf_region_run(m->region, 0);
    for (waiter w = begin_to_wait(m, 0);
         atomic_load_explicit(&m->done, memory_order_acquire) != left;) {
        wait_step(&w);
    }
}

/* ---- Queries and hints ---- */

bool lf_team_spins(const lf_team *t)
{
    return t->spins;
}

uint32_t lf_team_threads(const lf_team *t)
{
    return t->threads;
}

void lf_team_prefetch(lf_team *t, uint32_t thread, const void *from, size_t bytes)
{
    if (t->spins && thread < t->threads) {
        fetch_hint *hint = &t->memory->prefetch[thread];
        bytes = bytes < FETCH_BYTES ? bytes : FETCH_BYTES;
        atomic_store_explicit(&hint->from, (uintptr_t)from, memory_order_relaxed);
        atomic_store_explicit(&hint->bytes, bytes, memory_order_relaxed);
    }
}

/* ---- For the scheduler ---- */

int32_t lf_team_memory_create(const lf_alloc *alloc, struct lf_region *region,
                              struct lf_team_memory **out)
{
    void *p = NULL;
    LF_TRY(lf_new_zero(alloc, 1, sizeof(lf_team_memory), "threads", &p));
    *out = p;
    (*out)->region = region;
    return LFM2_OK;
}

void lf_team_memory_free(const lf_alloc *alloc, struct lf_team_memory *memory)
{
    lf_free(alloc, memory, 1, sizeof(lf_team_memory));
}
