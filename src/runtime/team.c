/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Owns threads that stand by. All regions of a team use the same memory, one after another; each is
 * over when all its pieces are done. A thread that comes late to a region does not hold it up:
 * others take its pieces, and it finds the shares empty or takes thread in a later one.
 */
#include "runtime/team.h"

#include "common/os.h"
#include "runtime/region.h"

#include <sched.h>
#include <stdatomic.h>

enum {
    FETCH_BYTES = 128 * 1024, /* of a second level cache, at most */
    FETCH_STEP = 8 * LF_CACHE_LINE,
    SPINS = 4096 /* then others may run */
};

/* What a thread fetches while it waits. Two stores, so they may be of different calls: then
 * something useless is fetched. */
typedef struct fetch_hint {
    atomic_uintptr_t from;
    atomic_size_t bytes;
} fetch_hint;

/* Lives as long as the scheduler; whose turn it is uses it. */
typedef struct lf_crew {
    lf_region *region;
    _Alignas(LF_CACHE_LINE) atomic_uint regions; /* counts those opened */
    _Alignas(LF_CACHE_LINE) atomic_size_t done;  /* pieces of the newest */
    _Alignas(LF_CACHE_LINE) atomic_bool over;
    _Alignas(LF_CACHE_LINE) fetch_hint prefetch[LF_REGION_THREADS]; /* lines of their own */
} lf_crew;

struct lf_team {
    const lf_sched *sched;
    lf_team_main main;
    void *main_ctx;
    uint32_t threads;
    bool stands_by;
    lf_crew *crew;
};

/* ---- Waiting ---- */

typedef struct waiter {
    uintptr_t from;
    size_t bytes, steps;
} waiter;

static waiter begin_to_wait(lf_crew *c, uint32_t thread)
{
    const fetch_hint *hint = &c->prefetch[thread];
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

static void spin(lf_crew *c, uint32_t thread)
{
    uint32_t seen = 0;
    for (;;) {
        uint32_t now = seen;
        for (waiter w = begin_to_wait(c, thread); now == seen;) {
            if (atomic_load_explicit(&c->over, memory_order_relaxed)) {
                return;
            }
            wait_step(&w);
            now = atomic_load_explicit(&c->regions, memory_order_acquire);
        }
        seen = now;
        size_t done = lf_region_run(c->region, thread);
        if (done > 0) {
            atomic_fetch_add_explicit(&c->done, done, memory_order_release);
        }
    }
}

/* All of the team's regions are one call of the pool: a thread for each thread, the first for the
 * caller. */
static void run_part(void *ctx, uint32_t thread)
{
    lf_team *t = ctx;
    if (thread > 0) {
        spin(t->crew, thread);
        return;
    }
    t->main(t, t->main_ctx);
    atomic_store_explicit(&t->crew->over, true, memory_order_relaxed);
}

static void clear(lf_crew *c, uint32_t threads)
{
    lf_region_clear(c->region, threads);
    atomic_store_explicit(&c->regions, 0, memory_order_relaxed);
    atomic_store_explicit(&c->done, 0, memory_order_relaxed);
    atomic_store_explicit(&c->over, false, memory_order_relaxed);
    for (uint32_t thread = 0; thread < threads; thread++) {
        atomic_store_explicit(&c->prefetch[thread].from, 0, memory_order_relaxed);
        atomic_store_explicit(&c->prefetch[thread].bytes, 0, memory_order_relaxed);
    }
}

void lf_team_run(const lf_sched *sched, bool spin_wanted, lf_team_main main, void *ctx)
{
    lf_team t = {.sched = sched,
                 .main = main,
                 .main_ctx = ctx,
                 .threads = sched->n_threads,
                 .crew = sched->crew};
    if (spin_wanted && sched->may_spin) {
        t.threads = lf_pool_threads(sched->pool);
        t.stands_by = t.threads > 1;
    }
    if (!t.stands_by) {
        main(&t, ctx);
        return;
    }
    clear(t.crew, t.threads);
    lf_pool_run(sched->pool, t.threads, run_part, &t);
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
    if (!t->stands_by) {
        lf_parallel(t->sched, n, grain, body, ctx);
        return;
    }
    lf_crew *c = t->crew;
    if (grain == 0) {
        grain = n / t->threads + (n % t->threads != 0);
    }
    size_t pieces = lf_region_chunks(n, grain);
    if (pieces == 1 || pieces > LF_REGION_CHUNKS) {
        body(ctx, 0, 0, n);
        return;
    }
    atomic_store_explicit(&c->done, 0, memory_order_relaxed);
    lf_region_open(c->region, n, grain, body, ctx);
    atomic_fetch_add_explicit(&c->regions, 1, memory_order_release);
    size_t left = pieces - lf_region_run(c->region, 0);
    for (waiter w = begin_to_wait(c, 0);
         atomic_load_explicit(&c->done, memory_order_acquire) != left;) {
        wait_step(&w);
    }
}

/* ---- What a region's caller may ask ---- */

bool lf_team_spins(const lf_team *t)
{
    return t->stands_by;
}

uint32_t lf_team_threads(const lf_team *t)
{
    return t->threads;
}

void lf_team_prefetch(lf_team *t, uint32_t thread, const void *from, size_t bytes)
{
    if (t->stands_by && thread < t->threads) {
        fetch_hint *hint = &t->crew->prefetch[thread];
        bytes = bytes < FETCH_BYTES ? bytes : FETCH_BYTES;
        atomic_store_explicit(&hint->from, (uintptr_t)from, memory_order_relaxed);
        atomic_store_explicit(&hint->bytes, bytes, memory_order_relaxed);
    }
}

/* ---- For the scheduler ---- */

int32_t lf_crew_create(const lf_alloc *alloc, struct lf_region *region, struct lf_crew **out)
{
    void *p = NULL;
    LF_TRY(lf_new_zero(alloc, 1, sizeof(lf_crew), "threads", &p));
    *out = p;
    (*out)->region = region;
    return LFM2_OK;
}

void lf_crew_free(const lf_alloc *alloc, struct lf_crew *crew)
{
    lf_free(alloc, crew, 1, sizeof(lf_crew));
}
