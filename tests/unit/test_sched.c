/* SPDX-License-Identifier: Apache-2.0 */
/* Division of work: every unit once, in whole chunks, and no two calls with the same thread index
 * at a time; with and without spinning threads. */
#include "common/os.h"
#include "runtime/region.h"
#include "runtime/team.h"

#include <pthread.h>
#include <pthreadpool.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

enum { MOST_UNITS = 3000, MOST_THREADS = 512 };

typedef struct job {
    size_t n, grain;
    uint32_t threads; /* the indices are below this */
    atomic_uint seen[MOST_UNITS];
    atomic_uint busy[MOST_THREADS];
    atomic_uint wrong;
} job;

static job j; /* large */

static lf_alloc alloc;

static int setup(void **state)
{
    (void)state;
    alloc = lf_alloc_default();
    return 0;
}

static void body(void *ctx, uint32_t thread, size_t begin, size_t end)
{
    (void)ctx;
    bool fits = thread < j.threads && begin < end && end <= j.n;
    bool whole = j.grain == 0 || j.grain == LF_GUIDED || j.threads == 1 ||
                 (begin == 0 && end == j.n) ||
                 (begin % j.grain == 0 && (end - begin == j.grain || end == j.n));
    if (!fits || !whole || atomic_fetch_add(&j.busy[thread], 1) != 0) {
        atomic_fetch_add(&j.wrong, 1);
        return;
    }
    for (size_t i = begin; i < end; i++) {
        atomic_fetch_add(&j.seen[i], 1);
    }
    atomic_fetch_sub(&j.busy[thread], 1);
}

/* Counts mistakes instead of failing: the main function of a team must return. */
static int mistakes;

/* Uses the team unless it is NULL. */
static void check(const lf_sched *sched, lf_team *team, size_t n, size_t grain)
{
    memset(&j, 0, sizeof j);
    j.n = n;
    j.grain = grain;
    j.threads = sched->n_threads;
    if (team != NULL) {
        lf_team_parallel(team, n, grain, body, NULL);
    } else {
        lf_parallel(sched, n, grain, body, NULL);
    }
    mistakes += (int)j.wrong;
    for (size_t i = 0; i < n; i++) {
        mistakes += j.seen[i] != 1;
    }
}

static void check_all(const lf_sched *sched, lf_team *team)
{
    static const size_t sizes[] = {0, 1, 2, 3, 5, 8, 64, 255, 1000, MOST_UNITS};
    static const size_t grains[] = {0, 1, 2, 3, 7, 64, 999, 5000, LF_GUIDED};
    for (size_t s = 0; s < sizeof sizes / sizeof sizes[0]; s++) {
        for (size_t g = 0; g < sizeof grains / sizeof grains[0]; g++) {
            check(sched, team, sizes[s], grains[g]);
        }
    }
}

static void test_own_threads(void **state)
{
    (void)state;
    for (uint32_t n = 1; n <= 5; n++) {
        lf_sched sched;
        assert_int_equal(lf_sched_init(&sched, &alloc, n, NULL), LFM2_OK);
        for (int repeat = 0; repeat < 5; repeat++) {
            check_all(&sched, NULL);
        }
        lf_sched_free(&sched);
    }
    assert_int_equal(mistakes, 0);
}

static void sleeping(lf_team *team, void *ctx)
{
    mistakes += lf_team_spins(team);
    check(ctx, team, 100, 7);
    lf_team_prefetch(team, 0, NULL, 64);
}

/* More threads than LF_REGION_THREADS: with a grain, some do not work. */
static void test_host_pool(void **state)
{
    (void)state;
    pthreadpool_t pool = pthreadpool_create(300);
    assert_non_null(pool);
    lf_sched sched;
    assert_int_equal(lf_sched_init(&sched, &alloc, 1, pool), LFM2_OK);
    assert_int_equal(sched.n_threads, 300);
    check(&sched, NULL, MOST_UNITS, 0);
    check(&sched, NULL, MOST_UNITS, 1);
    check(&sched, NULL, 300, 1);
    check(&sched, NULL, 257, 1);
    lf_team_run(&sched, true, sleeping, &sched);
    lf_sched_free(&sched);
    pthreadpool_destroy(pool);
    assert_int_equal(mistakes, 0);
}

/* ---- Teams ---- */

/* A pool of n threads that spin even if there are fewer processors: then some are late. */
static void start_spinning(uint32_t n, lf_sched *sched)
{
    assert_int_equal(lf_sched_init(sched, &alloc, n, NULL), LFM2_OK);
    sched->may_spin = n > 1;
    if (n > 1) { /* all of them work, however busy the machine is */
        lf_pool_free(sched->pool, false);
        assert_int_equal(lf_pool_create(&alloc, n, false, &sched->pool), LFM2_OK);
    }
}

static void all_sizes(lf_team *team, void *ctx)
{
    const lf_sched *sched = ctx;
    mistakes += lf_team_spins(team) != (sched->n_threads > 1);
    mistakes += lf_team_threads(team) != sched->n_threads;
    check_all(sched, team);
}

static void test_team(void **state)
{
    (void)state;
    for (uint32_t n = 1; n <= 5; n++) {
        lf_sched sched;
        start_spinning(n, &sched);
        lf_team_run(&sched, true, all_sizes, &sched);
        check_all(&sched, NULL); /* the pool is free again */
        lf_sched_free(&sched);
    }
    assert_int_equal(mistakes, 0);
}

static void test_team_that_sleeps(void **state)
{
    (void)state;
    lf_sched sched;
    start_spinning(2, &sched);
    lf_team_run(&sched, false, sleeping, &sched);
    lf_sched_free(&sched);
    uint32_t many = lf_os_processors() + 1;
    assert_int_equal(lf_sched_init(&sched, &alloc, many, NULL), LFM2_OK);
    lf_team_run(&sched, true, sleeping, &sched);
    lf_sched_free(&sched);
    pthreadpool_t pool = pthreadpool_create(2);
    assert_non_null(pool);
    assert_int_equal(lf_sched_init(&sched, &alloc, 1, pool), LFM2_OK);
    lf_team_run(&sched, true, sleeping, &sched);
    lf_sched_free(&sched);
    pthreadpool_destroy(pool);
    assert_int_equal(mistakes, 0);
}

/* Whether the threads of the host's pool may spin depends on the pool's size, not on n_threads. */
static void test_host_flags(void **state)
{
    (void)state;
    uint32_t processors = lf_os_processors();
    static const uint32_t asked[] = {1, 1000};
    for (size_t i = 0; i < 2; i++) {
        pthreadpool_t pool = pthreadpool_create(processors + 1);
        assert_non_null(pool);
        lf_sched sched;
        assert_int_equal(lf_sched_init(&sched, &alloc, asked[i], pool), LFM2_OK);
        assert_int_equal(sched.host_flags, PTHREADPOOL_FLAG_YIELD_WORKERS);
        lf_sched_free(&sched);
        pthreadpool_destroy(pool);
        pool = pthreadpool_create(processors);
        assert_non_null(pool);
        assert_int_equal(lf_sched_init(&sched, &alloc, asked[i], pool), LFM2_OK);
        assert_int_equal(sched.host_flags, 0);
        lf_sched_free(&sched);
        pthreadpool_destroy(pool);
    }
}

typedef struct counts {
    lf_sched *sched;
    int regions;
    int mistakes;
    atomic_size_t sum;
    size_t written[4]; /* by the bodies; read after the region */
} counts;

static void add_units(void *ctx, uint32_t thread, size_t begin, size_t end)
{
    (void)thread;
    counts *t = ctx;
    for (size_t i = begin; i < end; i++) {
        t->written[i]++;
    }
    atomic_fetch_add(&t->sum, end - begin);
}

/* Short regions, with prefetch hints of unreadable addresses. */
static void many_regions(lf_team *team, void *ctx)
{
    static const size_t grains[] = {0, 1, LF_GUIDED};
    counts *t = ctx;
    for (int i = 0; i < t->regions; i++) {
        for (uint32_t thread = 0; thread < lf_team_threads(team); thread++) {
            lf_team_prefetch(team, thread, (const void *)((uintptr_t)4096 * (uintptr_t)(i % 3)),
                             4096);
        }
        size_t before = atomic_load(&t->sum);
        lf_team_parallel(team, 4, grains[i % 3], add_units, t);
        t->mistakes += atomic_load(&t->sum) != before + 4;
        for (size_t u = 0; u < 4; u++) {
            t->mistakes += t->written[u] != (size_t)i + 1;
        }
    }
}

static void test_many_regions(void **state)
{
    (void)state;
    for (uint32_t n = 2; n <= 3; n++) {
        lf_sched sched;
        counts t = {.sched = &sched, .regions = 20000};
        start_spinning(n, &sched);
        lf_team_run(&sched, true, many_regions, &t);
        assert_int_equal(t.mistakes, 0);
        lf_sched_free(&sched);
    }
}

static void *run_teams(void *ctx)
{
    counts *t = ctx;
    for (int i = 0; i < 50; i++) {
        memset(t->written, 0, sizeof t->written);
        t->mistakes += lf_sched_begin(t->sched, NULL, NULL) != LFM2_OK;
        lf_team_run(t->sched, true, many_regions, t);
        lf_sched_end(t->sched);
    }
    return NULL;
}

/* Two callers of one pool at the same time. */
static void test_two_callers(void **state)
{
    (void)state;
    lf_sched sched;
    start_spinning(2, &sched);
    counts both[2] = {{.sched = &sched, .regions = 40}, {.sched = &sched, .regions = 40}};
    pthread_t other;
    assert_int_equal(pthread_create(&other, NULL, run_teams, &both[1]), 0);
    run_teams(&both[0]);
    pthread_join(other, NULL);
    assert_int_equal(both[0].mistakes + both[1].mistakes, 0);
    lf_sched_free(&sched);
}

/* The calls that lf_region_run makes for one thread index after another. */
typedef struct calls {
    size_t n;
    size_t begin[32], end[32];
} calls;

static void note(void *ctx, uint32_t thread, size_t begin, size_t end)
{
    (void)thread;
    calls *c = ctx;
    assert_true(c->n < 32);
    c->begin[c->n] = begin;
    c->end[c->n++] = end;
}

static void check_calls(size_t n, size_t grain, uint32_t threads, uint32_t first, size_t chunks,
                        size_t n_calls, const size_t (*expected)[2])
{
    static lf_region region; /* large */
    calls c = {0};
    lf_region_clear(&region, threads);
    lf_region_open(&region, n, grain, note, &c);
    assert_int_equal(lf_region_run(&region, first), chunks);
    for (uint32_t thread = 0; thread < threads; thread++) {
        assert_int_equal(lf_region_run(&region, thread), 0);
    }
    assert_int_equal(c.n, n_calls);
    for (size_t i = 0; i < n_calls; i++) {
        assert_int_equal(c.begin[i], expected[i][0]);
        assert_int_equal(c.end[i], expected[i][1]);
    }
}

/* A thread takes chunks from the front of its own range and from the back of others. */
static void test_order(void **state)
{
    (void)state;
    static const size_t guided[][2] = {{0, 4},   {4, 7},   {7, 10},  {10, 12},
                                       {12, 13}, {13, 14}, {14, 15}, {15, 16}};
    check_calls(16, LF_GUIDED, 1, 0, 16, 8, guided);
    static const size_t stolen[][2] = {{6, 8}, {8, 9}, {9, 10}, {10, 11}, {11, 12},
                                       {4, 6}, {3, 4}, {2, 3},  {1, 2},   {0, 1}};
    check_calls(12, LF_GUIDED, 2, 1, 12, 10, stolen);
    static const size_t single[][2] = {{10, 15}, {15, 18}, {5, 10}, {0, 5}};
    check_calls(18, 5, 2, 1, 4, 4, single);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_own_threads),  cmocka_unit_test(test_host_pool),
        cmocka_unit_test(test_team),         cmocka_unit_test(test_team_that_sleeps),
        cmocka_unit_test(test_many_regions), cmocka_unit_test(test_two_callers),
        cmocka_unit_test(test_order),        cmocka_unit_test(test_host_flags),
    };
    return cmocka_run_group_tests(tests, setup, NULL);
}
