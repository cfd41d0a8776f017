/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Owns threads that stand by. All regions of a team use the same memory, one after another; each is
 * over when all its pieces are done. A thread that comes late to a region does not hold it up:
 * others take its pieces, and it finds the shares empty or takes part in a later one.
 */
#include "common/team.h"

#include "common/os.h"
#include "common/region.h"

#include <sched.h>

enum {
    FETCH_BYTES = 128 * 1024, /* of a second level cache, at most */
    FETCH_STEP = 8 * LF_CACHE_LINE,
    SPINS = 4096 /* then others may run */
};

/* What a part fetches while it waits. Two stores, so they may be of different calls: then something
 * useless is fetched. */
typedef struct fetch_hint {
    atomic_uintptr_t from;
    atomic_size_t bytes;
} fetch_hint;

struct lf_team {
    const lf_sched *sched;
    lf_team_main main;
    void *main_ctx;
    bool stands_by;
    lf_region region;
    _Alignas(LF_CACHE_LINE) atomic_uint regions; /* counts those opened */
    _Alignas(LF_CACHE_LINE) atomic_size_t done;  /* pieces of the newest */
    _Alignas(LF_CACHE_LINE) atomic_bool over;
    _Alignas(LF_CACHE_LINE) fetch_hint fetch[LF_REGION_PARTS]; /* not beside what waiters watch */
};

/* ---- Waiting ---- */

typedef struct waiter {
    uintptr_t from;
    size_t bytes, steps;
} waiter;

static waiter begin_to_wait(lf_team *t, uint32_t part)
{
    const fetch_hint *hint = &t->fetch[part];
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

static void stand_by(lf_team *t, uint32_t part)
{
    uint32_t seen = 0;
    for (;;) {
        uint32_t now = seen;
        for (waiter w = begin_to_wait(t, part); now == seen;) {
            if (atomic_load_explicit(&t->over, memory_order_relaxed)) {
                return;
            }
            wait_step(&w);
            now = atomic_load_explicit(&t->regions, memory_order_acquire);
        }
        seen = now;
        size_t done = lf_region_run(&t->region, part);
        if (done > 0) {
            atomic_fetch_add_explicit(&t->done, done, memory_order_release);
        }
    }
}

/* The one region of the scheduler that holds all of the team's: a part for each thread, the first
 * for the caller. */
static void run_part(void *ctx, uint32_t part, size_t begin, size_t end)
{
    (void)begin;
    (void)end;
    lf_team *t = ctx;
    if (part > 0) {
        stand_by(t, part);
        return;
    }
    t->main(t, t->main_ctx);
    atomic_store_explicit(&t->over, true, memory_order_relaxed);
}

void lf_team_run(lf_sched *sched, bool stand_by_wanted, lf_team_main main, void *ctx)
{
    lf_team t; /* not cleared as a whole: its shares are 16 KiB */
    t.sched = sched;
    t.main = main;
    t.main_ctx = ctx;
    bool alone = lf_sched_enter(sched);
    t.stands_by = stand_by_wanted && alone && sched->owns_pool && sched->flags == 0 &&
                  sched->n_threads <= LF_REGION_PARTS;
    if (t.stands_by) {
        lf_region_clear(&t.region, sched->n_threads);
        atomic_init(&t.regions, 0);
        atomic_init(&t.done, 0);
        atomic_init(&t.over, false);
        for (uint32_t part = 0; part < sched->n_threads; part++) {
            atomic_init(&t.fetch[part].from, 0);
            atomic_init(&t.fetch[part].bytes, 0);
        }
        lf_parallel(sched, sched->n_threads, 0, run_part, &t);
    } else {
        main(&t, ctx);
    }
    lf_sched_leave(sched);
}

void lf_team_parallel(lf_team *t, size_t n, size_t grain, lf_body body, void *ctx)
{
    if (!t->stands_by) {
        lf_parallel(t->sched, n, grain, body, ctx);
        return;
    }
    if (n == 0) {
        return;
    }
    if (grain == 0) {
        grain = n / t->region.parts + (n % t->region.parts != 0);
    }
    size_t pieces = lf_region_pieces(n, grain);
    if (pieces == 1 || pieces > LF_REGION_PIECES) {
        body(ctx, 0, 0, n);
        return;
    }
    atomic_store_explicit(&t->done, 0, memory_order_relaxed);
    lf_region_open(&t->region, n, grain, body, ctx);
    atomic_fetch_add_explicit(&t->regions, 1, memory_order_release);
    size_t left = pieces - lf_region_run(&t->region, 0);
    for (waiter w = begin_to_wait(t, 0);
         atomic_load_explicit(&t->done, memory_order_acquire) != left;) {
        wait_step(&w);
    }
}

/* ---- What a region's caller may ask ---- */

bool lf_team_stands_by(const lf_team *t)
{
    return t->stands_by;
}

uint32_t lf_team_parts(const lf_team *t)
{
    return t->sched->n_threads;
}

void lf_team_fetch(lf_team *t, uint32_t part, const void *from, size_t bytes)
{
    if (t->stands_by && part < t->region.parts) {
        fetch_hint *hint = &t->fetch[part];
        bytes = bytes < FETCH_BYTES ? bytes : FETCH_BYTES;
        atomic_store_explicit(&hint->from, (uintptr_t)from, memory_order_relaxed);
        atomic_store_explicit(&hint->bytes, bytes, memory_order_relaxed);
    }
}
