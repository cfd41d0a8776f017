/* SPDX-License-Identifier: Apache-2.0 */
/* The policy of engines, with machines and times that are made up: what generating sequences keep,
 * how long a step is, whose prompt comes first, and that nobody waits forever. */
#include "support/models.h"

#include "run/engine_policy.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

#include <string.h>

/* ---- A machine ---- */

/* A step of d rows costs decode + decode_row * (d - 1), one with prompts fixed + row * (all rows),
 * but not less. */
typedef struct machine {
    double decode, decode_row, fixed, row;
} machine;

/* Measured with LFM2-8B-A1B on two cores. */
static const machine usual = {0.032, 0.011, 0.090, 0.00346};

static double step_time(const machine *m, uint32_t decode_rows, uint32_t prompt_rows)
{
    double decode = decode_rows == 0 ? 0 : m->decode + m->decode_row * (decode_rows - 1);
    double both = m->fixed + m->row * (decode_rows + prompt_rows);
    return prompt_rows == 0 || both < decode ? decode : both;
}

/* What happened while a prompt was computed beside generating sequences. */
typedef struct trace {
    double seconds, longest;
    uint32_t n_steps; /* each gives every sequence a token */
    uint32_t n_slices;
} trace;

/* Computes a prompt beside `decode_rows` sequences. */
static trace compute(lf_policy *p, const machine *m, uint32_t decode_rows, uint32_t prompt)
{
    trace t = {0};
    while (prompt > 0) {
        uint32_t n = lf_policy_slice(p, decode_rows);
        n = n < prompt ? n : prompt;
        assert_true(decode_rows > 0 || n > 0);
        double seconds = step_time(m, decode_rows, n);
        lf_policy_note(p, decode_rows, n, seconds);
        prompt -= n;
        t.seconds += seconds;
        t.longest = seconds > t.longest ? seconds : t.longest;
        t.n_steps++;
        t.n_slices += n > 0;
        assert_true(t.n_steps < 100000);
    }
    return t;
}

static lf_policy policy_of(uint32_t step_ms, double share)
{
    lf_policy p;
    lf_policy_init(&p, step_ms, share, 512);
    return p;
}

/* ---- Slices ---- */

/* The share of their speed that the sequences kept. */
static double kept(const trace *t, const machine *m, uint32_t decode_rows)
{
    return t->n_steps * step_time(m, decode_rows, 0) / t->seconds;
}

static void test_share(void **state)
{
    (void)state;
    for (uint32_t rows = 1; rows <= 16; rows++) {
        lf_policy p = policy_of(300, 0.4);
        trace t = compute(&p, &usual, rows, 8000);
        assert_true(t.longest <= 0.33); /* 10 % for what is not known at first */
        assert_true(kept(&t, &usual, rows) >= 0.39);
        /* Nothing is given away either: prompts get most of the rest. */
        double rest = t.seconds - t.n_steps * step_time(&usual, rows, 0);
        double alone = step_time(&usual, 0, 512) / 512 * 8000;
        assert_true(rest / alone <= 2.5);
        assert_true(t.seconds <= 8 * alone);
    }
}

/* Eight sequences and a prompt of 2,048 tokens: the longest gap. */
static void test_gap(void **state)
{
    (void)state;
    lf_policy p = policy_of(300, 0.4);
    trace t = compute(&p, &usual, 8, 2048);
    assert_true(t.longest <= 0.33);
    p = policy_of(0, 0.4); /* no limit */
    t = compute(&p, &usual, 8, 2048);
    assert_int_equal(t.n_steps, 4);
}

static void test_nobody_generates(void **state)
{
    (void)state;
    lf_policy p = policy_of(1, 0.9);
    trace t = compute(&p, &usual, 0, 2048);
    assert_int_equal(t.n_steps, 4);
    assert_int_equal(lf_policy_slice(&p, 1), 0); /* steps of one row are not measured yet */
}

/* Random machines and options. */
static void test_machines(void **state)
{
    (void)state;
    uint64_t random = 3;
    for (int i = 0; i < 500; i++) {
        machine m = {0.001 + lft_unit(&random) * 0.1, lft_unit(&random) * 0.02, 0, 0};
        m.row = m.decode_row * (0.1 + 0.8 * lft_unit(&random));
        m.fixed = m.decode * (1 + 3 * lft_unit(&random)) + m.decode_row * 32;
        uint32_t step_ms = (uint32_t)(1 + lft_random(&random) % 500);
        double share = 0.9 * lft_unit(&random);
        uint32_t rows = (uint32_t)(1 + lft_random(&random) % 32);
        lf_policy p = policy_of(step_ms, share);
        compute(&p, &m, rows, 500); /* learns */
        trace t = compute(&p, &m, rows, 3000);
        double least = step_time(&m, rows, 16);
        double most = step_ms * 1e-3 > least ? step_ms * 1e-3 : least;
        assert_true(t.longest <= most * 1.15 + 0.001);
        double cost = most + 2; /* a slice and the most debt at the end */
        double wanted = share * (t.seconds - cost) / t.seconds;
        assert_true(kept(&t, &m, rows) >= (wanted < 0.98 ? wanted : 0.98) - 0.03);
    }
}

/* The machine becomes three times slower, and fast again. */
static void test_changes(void **state)
{
    (void)state;
    lf_policy p = policy_of(300, 0.3);
    compute(&p, &usual, 8, 4000);
    lf_step_times fast = p.times;
    const machine slow = {usual.decode * 3, usual.decode_row * 3, usual.fixed * 3, usual.row * 3};
    for (int i = 0; i < 40; i++) {
        uint32_t n = lf_policy_slice(&p, 8);
        double seconds = step_time(&usual, 8, n) * 3;
        assert_true(i < 20 || seconds <= step_time(&slow, 8, 17));
        lf_policy_note(&p, 8, n, seconds);
    }
    assert_true(p.times.row > fast.row * 1.5);
    trace t = compute(&p, &slow, 8, 4000);
    t = compute(&p, &usual, 8, 8000);
    assert_true(t.longest <= 0.33);
    assert_true(p.times.row < fast.row * 1.2);
    lf_policy_note(&p, 8, 32, 600); /* the system slept: prompts wait for seconds, not minutes */
    t = compute(&p, &usual, 8, 4000);
    assert_true(t.seconds < 200);
}

/* Steps with equally many tokens do not determine both parts: the usual ratio does. */
static void test_fit(void **state)
{
    (void)state;
    lf_policy p = policy_of(300, 0.4);
    for (int i = 0; i < 10; i++) {
        lf_policy_note(&p, 0, 512, 1.86);
    }
    assert_true(p.times.row > 0.002 && p.times.row < 0.004);
    assert_true(p.times.fixed > 0.05 && p.times.fixed < 0.2);
    for (int i = 0; i < 20; i++) {
        lf_policy_note(&p, 0, i % 2 == 0 ? 32 : 512, i % 2 == 0 ? 0.20 : 1.86);
    }
    assert_true(p.times.row > 0.0030 && p.times.row < 0.0037);
    assert_true(p.times.fixed > 0.07 && p.times.fixed < 0.12);
    for (int i = 0; i < 50; i++) { /* a clock that shows nothing, and times that make no sense */
        lf_policy_note(&p, 0, (uint32_t)(1 + i % 7 * 64), i % 3 == 0 ? 1 : 0);
        assert_true(p.times.row >= 0 && p.times.fixed >= 0);
        assert_true(lf_policy_slice(&p, 4) <= 512);
    }
}

static void test_wait(void **state)
{
    (void)state;
    lf_policy p = policy_of(300, 0.5);
    compute(&p, &usual, 4, 1000);
    while (lf_policy_slice(&p, 4) == 0) {
        lf_policy_note(&p, 4, 0, step_time(&usual, 4, 0));
    }
    lf_policy_note_wait(&p, 4, 1.0);
    int n = 0;
    for (; lf_policy_slice(&p, 4) == 0; n++) {
        lf_policy_note(&p, 4, 0, step_time(&usual, 4, 0));
    }
    assert_in_range(n, 14, 17); /* a second of steps of 65 ms */
    lf_policy_note_wait(&p, 0, 1.0);
    assert_true(lf_policy_slice(&p, 4) > 0);
}

static void test_classes(void **state)
{
    (void)state;
    static const struct {
        uint32_t rows, class;
    } cases[] = {{0, 0}, {1, 1},   {2, 2},    {3, 3},    {4, 3},    {5, 4},          {8, 4},
                 {9, 5}, {256, 9}, {257, 10}, {512, 10}, {513, 11}, {UINT32_MAX, 11}};
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        assert_int_equal(lf_policy_class(cases[i].rows), cases[i].class);
    }
}

/* ---- Order ---- */

static void test_order(void **state)
{
    (void)state;
    lf_policy p = policy_of(300, 0.4);
    for (int measured = 0; measured < 2; measured++) {
        lf_claim a = {.n_left = 100, .waited = 1, .id = 1};
        lf_claim b = {.n_left = 30000, .waited = 1, .id = 2};
        assert_true(lf_policy_before(&p, &a, &b) && !lf_policy_before(&p, &b, &a));
        b.priority = -1;
        assert_true(lf_policy_before(&p, &b, &a) && !lf_policy_before(&p, &a, &b));
        b.priority = 0;
        b.waited = 1 + 30000;
        assert_true(lf_policy_before(&p, &b, &a));
        b = a;
        b.id = 2;
        assert_true(lf_policy_before(&p, &a, &b) && !lf_policy_before(&p, &b, &a));
        b.id = 1;
        b.index = 1;
        assert_true(lf_policy_before(&p, &a, &b) && !lf_policy_before(&p, &b, &a));
        lf_policy_note(&p, 0, 512, 1.86);
    }
}

/* Short prompts come all the time and take most of the machine; a long one is computed within a
 * bounded time, and the short ones wait only a little for it. */
static void test_ageing(void **state)
{
    (void)state;
    lf_policy p = policy_of(300, 0.4);
    lf_policy_note(&p, 0, 512, step_time(&usual, 0, 512));
    lf_claim long_one = {.n_left = 8000, .id = 1};
    lf_claim short_one = {.n_left = 200, .id = 2};
    double now = 0;
    double came = 0;
    double worst = 0;
    double alone = step_time(&usual, 0, 512) / 512 * 8000;
    while (long_one.n_left > 0) {
        long_one.waited = now;
        short_one.waited = now - came;
        bool takes_long = now < came || !lf_policy_before(&p, &short_one, &long_one);
        uint32_t n = takes_long ? (long_one.n_left < 512 ? long_one.n_left : 512) : 200;
        now += step_time(&usual, 0, n);
        if (takes_long) {
            long_one.n_left -= n;
        } else {
            worst = now - came > worst ? now - came : worst;
            came += 1.0; /* 0.78 s of work a second */
            short_one.id++;
        }
    }
    assert_true(now < 6 * alone);
    assert_true(worst < 2 * alone);
}

static void test_parking(void **state)
{
    (void)state;
    lf_claim a = {.id = 1};
    lf_claim b = {.id = 2};
    assert_true(lf_policy_parks(&b, &a) && !lf_policy_parks(&a, &b));
    a.priority = 1;
    assert_true(lf_policy_parks(&a, &b) && !lf_policy_parks(&b, &a));
    b = a;
    b.index = 1;
    assert_true(lf_policy_parks(&b, &a) && !lf_policy_parks(&a, &b));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_share),
        cmocka_unit_test(test_gap),
        cmocka_unit_test(test_nobody_generates),
        cmocka_unit_test(test_machines),
        cmocka_unit_test(test_changes),
        cmocka_unit_test(test_fit),
        cmocka_unit_test(test_wait),
        cmocka_unit_test(test_classes),
        cmocka_unit_test(test_order),
        cmocka_unit_test(test_ageing),
        cmocka_unit_test(test_parking),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
