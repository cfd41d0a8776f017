/* SPDX-License-Identifier: Apache-2.0 */
/* ctest-labels: threads */
/* The chooser with simulated work: noise, outliers, speeds that drift, ties, work of different
 * sizes, repeated comparisons; and a runtime's choices with several callers at once. */
#include "runtime/chooser.h"
#include "runtime/prefetch.h"
#include "support/random.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include <math.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

/* ---- A simulated machine ---- */

enum { ALL = (1 << LF_CANDIDATES) - 1, MB = 1 << 20 };

typedef struct machine {
    lf_chooser c;
    double cost[LF_CANDIDATES]; /* nanoseconds for a byte */
    double noise;               /* relative width of uniform noise */
    double outliers;            /* share of samples that take three times as long */
    double drift;               /* change of the machine's speed with every sample */
    double speed;
    uint64_t seed;
    uint32_t samples;
    double lost; /* nanoseconds lost to candidates that are slower than the fastest */
    double spent;
} machine;

static machine machine_of(const double cost[LF_CANDIDATES], uint32_t start)
{
    machine m = {.speed = 1, .seed = 7};
    memcpy(m.cost, cost, sizeof m.cost);
    lf_chooser_init(&m.c, ALL, start);
    return m;
}

static double uniform(machine *m)
{
    return (double)(random_u64(&m->seed) >> 11) / (double)(1ull << 53);
}

static double fastest(const machine *m)
{
    double least = m->cost[0];
    for (int i = 1; i < LF_CANDIDATES; i++) {
        least = fmin(least, m->cost[i]);
    }
    return least;
}

static void work(machine *m, size_t bytes)
{
    uint32_t candidate = lf_chooser_next(&m->c, bytes);
    assert_true(candidate < LF_CANDIDATES);
    double ns = (double)bytes * m->cost[candidate] * m->speed;
    m->lost += ns - (double)bytes * fastest(m) * m->speed;
    m->spent += ns;
    ns *= 1 + m->noise * (uniform(m) - 0.5);
    ns *= uniform(m) < m->outliers ? 3 : 1;
    m->speed *= 1 + m->drift;
    lf_chooser_add(&m->c, candidate, bytes, (uint64_t)ns);
    m->samples++;
}

/* The matrices of a layer. */
static const size_t layer[] = {5 * MB, 2 * MB, 7 * MB, 4 * MB};

/* Passes of 24 layers, at most `most`, until a choice is made; returns their number. */
static uint32_t decide(machine *m, uint32_t most)
{
    uint32_t passes = 0;
    for (; passes < most && m->c.left != 0; passes++) {
        for (uint32_t i = 0; i < 24 * 4 && m->c.left != 0; i++) {
            work(m, layer[i % 4]);
        }
    }
    assert_int_equal(m->c.left, 0);
    return passes;
}

static const double typical[LF_CANDIDATES] = {0.040, 0.043, 0.036, 0.035,
                                              0.033, 0.030, 0.034, 0.032};
enum { BEST = 5, SECOND = 7 };

static void test_quiet(void **state)
{
    (void)state;
    for (uint32_t start = 0; start < LF_CANDIDATES; start++) {
        machine m = machine_of(typical, start);
        m.noise = 0.02;
        assert_true(decide(&m, 50) <= 2);
        assert_int_equal(m.c.best, BEST);
        assert_true(m.c.relative[BEST] == 1);
        assert_true(fabs((double)m.c.cost[BEST] - 0.030) < 0.0005);
        for (uint32_t i = 0; i < LF_CANDIDATES; i++) {
            assert_true(fabs((double)m.c.relative[i] - typical[i] / 0.030) < 0.03);
        }
    }
}

/* Neighbors that take the processor, and noise wider than the differences: how often of 40 times
 * the choice is the fastest candidate, and within 7 % of it. */
static void check_noise(double noise, double outliers, uint32_t right, uint32_t near)
{
    for (uint32_t run = 0; run < 40; run++) {
        machine m = machine_of(typical, run % LF_CANDIDATES);
        m.seed = run + 1;
        m.noise = noise;
        m.outliers = outliers;
        assert_true(decide(&m, 50) <= 4);
        right -= right > 0 && m.c.best == BEST ? 1 : 0;
        near -= near > 0 && m.cost[m.c.best] <= 0.0321 ? 1 : 0;
    }
    assert_int_equal(right, 0);
    assert_int_equal(near, 0);
}

static void test_noise(void **state)
{
    (void)state;
    check_noise(0.1, 0.02, 40, 40);
    check_noise(0.2, 0.05, 38, 40);
    check_noise(0.4, 0.15, 32, 37);
}

/* A machine whose speed doubles or halves within a comparison. */
static void test_drift(void **state)
{
    (void)state;
    for (int run = 0; run < 40; run++) {
        machine m = machine_of(typical, 0);
        m.seed = (uint64_t)run + 1;
        m.noise = 0.05;
        m.drift = run % 2 == 0 ? 0.01 : -0.01;
        decide(&m, 50);
        assert_true(m.cost[m.c.best] <= 0.032);
    }
}

/* All candidates are equally fast: the one to start with remains, soon. */
static void test_ties(void **state)
{
    (void)state;
    const double equal[LF_CANDIDATES] = {1, 1, 1.002, 1, 1, 0.998, 1, 1};
    for (uint32_t start = 0; start < LF_CANDIDATES; start++) {
        machine m = machine_of(equal, start);
        m.noise = 0.01;
        decide(&m, 50);
        assert_int_equal(m.c.best, start);
        assert_in_range(m.samples, 1, (12 + 8) * LF_CANDIDATES);
    }
}

/* One large matrix a pass, as the head of a model: a decision within 50 passes of two regions. */
static void test_rare_work(void **state)
{
    (void)state;
    machine m = machine_of(typical, 1);
    m.noise = 0.1;
    uint32_t passes = 0;
    for (; m.c.left != 0; passes++) {
        work(&m, 20 * MB);
        work(&m, 20 * MB);
    }
    assert_true(passes <= 50);
    assert_int_equal(m.c.best, BEST);
}

/* Small work costs more a byte; it must not be compared with large work. Work below the least size
 * is not measured. */
static void test_sizes(void **state)
{
    (void)state;
    machine m = machine_of(typical, 2);
    assert_false(lf_chooser_measures(1000));
    lf_chooser_add(&m.c, lf_chooser_next(&m.c, 1000), 1000, 100000);
    assert_int_equal(m.c.bytes, 0);
    lf_chooser_add(&m.c, lf_chooser_next(&m.c, MB), MB, 10); /* too short for the clock */
    assert_int_equal(m.c.bytes, 0);
    for (uint32_t i = 0; m.c.left != 0; i++) {
        size_t bytes = i % 7 == 0 ? 16 * MB : MB;
        m.speed = i % 7 == 0 ? 1 : 3;
        work(&m, bytes);
        assert_true(i < 2000);
    }
    assert_int_equal(m.c.best, BEST);
}

/* A comparison costs little, and those that follow become rare. */
static void test_cost(void **state)
{
    (void)state;
    machine m = machine_of(typical, 1);
    m.noise = 0.05;
    decide(&m, 50);
    for (int i = 0; i < 8; i++) {
        uint64_t rest = m.c.rest;
        assert_true(rest >= (i == 0 ? 4u : 16u) * m.c.bytes);
        m.spent += (double)rest * m.cost[m.c.best];
        assert_int_equal(lf_chooser_next(&m.c, MB), m.c.best);
        lf_chooser_repeat(&m.c);
        assert_true(m.c.left != 0);
        decide(&m, 50);
        assert_int_equal(m.c.best, BEST);
    }
    assert_true(m.c.rest >= 1000 * m.c.bytes);
    assert_true(m.lost < 0.002 * m.spent);
}

/* The fastest candidate changes: the next comparison finds the new one, and is followed soon. */
static void test_change(void **state)
{
    (void)state;
    machine m = machine_of(typical, BEST);
    m.noise = 0.05;
    decide(&m, 50);
    lf_chooser_repeat(&m.c);
    decide(&m, 50);
    assert_int_equal(m.c.best, BEST);
    m.cost[BEST] = 0.05;
    lf_chooser_repeat(&m.c);
    decide(&m, 50);
    assert_int_equal(m.c.best, SECOND);
    assert_int_equal(m.c.rest, 16 * m.c.bytes);
}

static void test_single(void **state)
{
    (void)state;
    lf_chooser c;
    lf_chooser_init(&c, 1 << 3, 3);
    assert_int_equal(c.left, 0);
    assert_int_equal(lf_chooser_next(&c, MB), 3);
}

/* ---- The choices of a runtime ---- */

/* Work of 1 MB whose time depends on the policy, measured on every thread. */
static void region(lf_prefetch *p, uint32_t format, uint32_t row_class, uint32_t best)
{
    size_t bytes[LF_ROW_CLASSES] = {0};
    bytes[row_class] = MB;
    lf_prefetch_region r;
    lf_prefetch_begin(p, format, bytes, &r);
    if (r.measured != 0) {
        const uint32_t rows[LF_ROW_CLASSES] = {1, 2, 3, 5, 17};
        lf_prefetch_policy used = lf_prefetch_of(&r, rows[row_class]);
        assert_int_equal(r.measured, 1u << row_class);
        assert_memory_equal(&used, &lf_prefetch_table[r.index[row_class]].policy, sizeof used);
    }
    for (uint32_t thread = 0; thread < p->n_threads && r.measured != 0; thread++) {
        lf_prefetch_add(&r, thread, row_class, MB / p->n_threads,
                        r.index[row_class] == best ? 30000 : 40000);
    }
    lf_prefetch_end(p, &r);
}

static void test_runtime(void **state)
{
    (void)state;
    const lf_alloc alloc = lf_alloc_default();
    lf_prefetch *p = NULL;
    assert_int_equal(lf_prefetch_create(&alloc, 3, LF_PREFETCH_COMMON, &p), LFM2_OK);
    for (int i = 0; i < 500; i++) {
        region(p, LF_W_Q4K, 0, 4);
        region(p, LF_W_Q4K, 3, 5);
        region(p, LF_PREFETCH_KV + LF_KV_Q8, 2, 0);
    }
    assert_int_equal(lf_prefetch_policy_index(p, LF_W_Q4K, 0), 4);
    assert_int_equal(lf_prefetch_policy_index(p, LF_W_Q4K, 3), 5);
    assert_int_equal(lf_prefetch_policy_index(p, LF_PREFETCH_KV + LF_KV_Q8, 2), 0);
    lf_prefetch_policy now = lf_prefetch_now(p, LF_W_Q4K, 16);
    assert_memory_equal(&now, &lf_prefetch_table[5].policy, sizeof now);

    /* So is it in a region that is not measured: it is too small. */
    const size_t little[LF_ROW_CLASSES] = {1000, 0, 0, 1000, 0};
    lf_prefetch_region r;
    lf_prefetch_begin(p, LF_W_Q4K, little, &r);
    assert_int_equal(r.measured, 0);
    now = lf_prefetch_of(&r, 16);
    assert_memory_equal(&now, &lf_prefetch_table[5].policy, sizeof now);
    now = lf_prefetch_of(&r, 1);
    assert_memory_equal(&now, &lf_prefetch_table[4].policy, sizeof now);
    lf_prefetch_end(p, &r);

    /* A forced policy is used everywhere and nothing is measured. */
    lf_prefetch_force(p, 2);
    unsigned rounds = atomic_load(&p->choices[LF_W_Q6K][0].rounds);
    for (int i = 0; i < 100; i++) {
        region(p, LF_W_Q6K, 0, 4);
        assert_int_equal(lf_prefetch_policy_index(p, LF_W_Q6K, 0), 2);
    }
    assert_int_equal(atomic_load(&p->choices[LF_W_Q6K][0].rounds), rounds);
    lf_prefetch_force(p, LF_PREFETCH_POLICIES);

    /* The machine changes. A comparison follows when its time has come. */
    for (int i = 0; i < 40000; i++) {
        region(p, LF_W_Q4K, 0, 6);
    }
    assert_int_equal(lf_prefetch_policy_index(p, LF_W_Q4K, 0), 6);
    assert_true(atomic_load(&p->choices[LF_W_Q4K][0].comparisons) >= 2);
    lf_prefetch_free(&alloc, p);
    lf_prefetch_free(&alloc, NULL);
}

enum { CALLERS = 4 };

typedef struct caller {
    lf_prefetch *prefetch;
    pthread_t thread;
} caller;

static void *call(void *ctx)
{
    const caller *c = ctx;
    for (int i = 0; i < 4000; i++) {
        region(c->prefetch, LF_W_Q4, 0, 4);
        region(c->prefetch, LF_W_Q6K, 1, 5);
    }
    return NULL;
}

/* Several sessions compute at once on a runtime of one thread. */
static void test_callers(void **state)
{
    (void)state;
    const lf_alloc alloc = lf_alloc_default();
    lf_prefetch *p = NULL;
    assert_int_equal(lf_prefetch_create(&alloc, 1, LF_PREFETCH_AMD512, &p), LFM2_OK);
    caller callers[CALLERS];
    for (int i = 0; i < CALLERS; i++) {
        callers[i].prefetch = p;
        assert_int_equal(pthread_create(&callers[i].thread, NULL, call, &callers[i]), 0);
    }
    for (int i = 0; i < CALLERS; i++) {
        assert_int_equal(pthread_join(callers[i].thread, NULL), 0);
    }
    assert_int_equal(lf_prefetch_policy_index(p, LF_W_Q4, 0), 4);
    assert_int_equal(lf_prefetch_policy_index(p, LF_W_Q6K, 1), 5);
    assert_false(atomic_load(&p->measuring));
    lf_prefetch_free(&alloc, p);
}

static void test_row_classes(void **state)
{
    (void)state;
    const uint32_t rows[] = {1, 2, 3, 4, 5, 16, 17, 512};
    const uint32_t classes[] = {0, 1, 2, 2, 3, 3, 4, 4};
    for (int i = 0; i < 8; i++) {
        assert_int_equal(lf_row_class(rows[i]), classes[i]);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_quiet),     cmocka_unit_test(test_noise),
        cmocka_unit_test(test_drift),     cmocka_unit_test(test_ties),
        cmocka_unit_test(test_rare_work), cmocka_unit_test(test_sizes),
        cmocka_unit_test(test_cost),      cmocka_unit_test(test_change),
        cmocka_unit_test(test_single),    cmocka_unit_test(test_runtime),
        cmocka_unit_test(test_callers),   cmocka_unit_test(test_row_classes),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
