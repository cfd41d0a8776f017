/* SPDX-License-Identifier: Apache-2.0 */
/* The state of a sampler: clones choose the same tokens, new options keep the state. */
#include "support/models.h"

#include "run/sampler.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

#include <math.h>
#include <string.h>

enum { V = 40, N_STEPS = 60 };

static lfm2_runtime *runtime;
static float logits[N_STEPS][V];

static lfm2_sampler_options some_options(int32_t last_n)
{
    lfm2_sampler_options o;
    lfm2_sampler_options_init(&o, sizeof o, NULL);
    o.temperature = 1.5f;
    o.min_p = 0;
    o.repetition_penalty = 1.3f;
    o.frequency_penalty = 0.2f;
    o.penalty_last_n = last_n;
    o.seed = 11;
    return o;
}

static lfm2_sampler *make(const lfm2_sampler_options *o)
{
    lfm2_sampler *s = NULL;
    LFT_OK(lf_sampler_create(runtime, V, o, &s));
    return s;
}

static int32_t step(lfm2_sampler *s, int i)
{
    int32_t id = -1;
    LFT_OK(lfm2_sampler_sample(s, logits[i], V, &id));
    LFT_OK(lfm2_sampler_accept(s, id));
    return id;
}

static void expect_same_state(const lfm2_sampler *a, const lfm2_sampler *b)
{
    assert_memory_equal(a->counts, b->counts, V * sizeof *a->counts);
    assert_true(a->random == b->random);
    assert_int_equal(a->window_used, b->window_used);
    for (size_t i = 0; i < a->window_used; i++) { /* from the newest on */
        size_t x = (a->window_next + a->window_size - 1 - i) % a->window_size;
        size_t y = (b->window_next + b->window_size - 1 - i) % b->window_size;
        assert_int_equal(a->window[x], b->window[y]);
    }
}

/* ---- Clones ---- */

/* At every step, with an empty, a partly filled and a full window. */
static void test_clone(void **state)
{
    (void)state;
    const int32_t windows[] = {-1, 0, 1, 7, 100};
    for (size_t w = 0; w < sizeof windows / sizeof windows[0]; w++) {
        lfm2_sampler_options o = some_options(windows[w]);
        const int32_t bias_id = 3;
        const float bias_value = 1.5f;
        o.bias_ids = &bias_id;
        o.bias_values = &bias_value;
        o.n_bias = 1;
        for (int at = 0; at < N_STEPS; at += 3) {
            lfm2_sampler *s = make(&o);
            for (int i = 0; i < at; i++) {
                step(s, i);
            }
            lfm2_sampler *clone = NULL;
            LFT_OK(lfm2_sampler_clone(s, &clone));
            expect_same_state(s, clone);
            int32_t ids[N_STEPS];
            for (int i = at; i < N_STEPS; i++) {
                ids[i] = step(s, i);
            }
            for (int i = at; i < N_STEPS; i++) { /* the original's steps did not affect it */
                assert_int_equal(step(clone, i), ids[i]);
            }
            expect_same_state(s, clone);
            lfm2_sampler_reset(clone);
            assert_true(clone->random == o.seed);
            lfm2_sampler_free(s);
            lfm2_sampler_free(clone);
        }
    }
}

/* ---- New options ---- */

/* With a new window, the sampler is as if that window had been used from the start. */
static void test_smaller_window(void **state)
{
    (void)state;
    const int32_t sizes[] = {1, 2, 5, 6, 7};
    for (size_t w = 0; w < sizeof sizes / sizeof sizes[0]; w++) {
        for (int accepted = 0; accepted < 20; accepted++) {
            lfm2_sampler_options o = some_options(7);
            lfm2_sampler *s = make(&o);
            o.penalty_last_n = sizes[w];
            lfm2_sampler *fresh = make(&o);
            for (int i = 0; i < accepted; i++) {
                LFT_OK(lfm2_sampler_accept(s, i * i % V));
                LFT_OK(lfm2_sampler_accept(fresh, i * i % V));
            }
            LFT_OK(lfm2_sampler_configure(s, &o));
            expect_same_state(s, fresh);
            for (int i = 0; i < N_STEPS; i++) {
                assert_int_equal(step(s, i), step(fresh, i));
                expect_same_state(s, fresh);
            }
            lfm2_sampler_free(s);
            lfm2_sampler_free(fresh);
        }
    }
}

static uint32_t total(const lfm2_sampler *s)
{
    uint32_t sum = 0;
    for (uint32_t i = 0; i < V; i++) {
        sum += s->counts[i];
    }
    return sum;
}

static void test_other_windows(void **state)
{
    (void)state;
    lfm2_sampler_options o = some_options(3);
    lfm2_sampler *s = make(&o);
    for (int32_t id = 0; id < 5; id++) {
        LFT_OK(lfm2_sampler_accept(s, id));
    }
    o.penalty_last_n = 8; /* the three tokens count, those before stay forgotten */
    LFT_OK(lfm2_sampler_configure(s, &o));
    assert_int_equal(total(s), 3);
    assert_int_equal(s->counts[1], 0);
    for (int32_t id = 10; id < 15; id++) {
        LFT_OK(lfm2_sampler_accept(s, id));
    }
    assert_int_equal(total(s), 8);
    LFT_OK(lfm2_sampler_accept(s, 15)); /* replaces the oldest */
    assert_int_equal(total(s), 8);
    assert_int_equal(s->counts[2], 0);

    o.penalty_last_n = -1; /* they keep counting */
    LFT_OK(lfm2_sampler_configure(s, &o));
    LFT_OK(lfm2_sampler_accept(s, 15));
    assert_int_equal(total(s), 9);
    o.penalty_last_n = 4; /* but which four are the last is not known */
    LFT_FAILS(lfm2_sampler_configure(s, &o), LFM2_E_STATE);
    assert_string_equal(lfm2_last_error_code(), "sampler.window");
    assert_int_equal(total(s), 9);
    assert_int_equal(s->options.penalty_last_n, -1);
    o.penalty_last_n = 0;
    LFT_OK(lfm2_sampler_configure(s, &o));
    assert_int_equal(total(s), 0);
    LFT_OK(lfm2_sampler_accept(s, 15));
    assert_int_equal(total(s), 0);
    o.penalty_last_n = -1;
    LFT_OK(lfm2_sampler_configure(s, &o));
    o.penalty_last_n = 4; /* nothing was accepted */
    LFT_OK(lfm2_sampler_configure(s, &o));
    LFT_OK(lfm2_sampler_accept(s, 15));
    assert_int_equal(total(s), 1);
    lfm2_sampler_free(s);
}

/* The generator keeps its position, whatever else changes; a new seed restarts it. */
static void test_generator(void **state)
{
    (void)state;
    lfm2_sampler_options o = some_options(-1);
    lfm2_sampler *s = make(&o);
    for (int i = 0; i < 10; i++) {
        step(s, i);
    }
    uint64_t random = s->random;
    o.temperature = 0.5f;
    o.top_k = 5;
    LFT_OK(lfm2_sampler_configure(s, &o));
    assert_true(s->random == random && random != o.seed);
    assert_int_equal(s->options.top_k, 5);
    o.seed++;
    LFT_OK(lfm2_sampler_configure(s, &o));
    assert_true(s->random == o.seed);
    lfm2_sampler_free(s);
}

static void test_bias(void **state)
{
    (void)state;
    const int32_t ids[] = {4, 9};
    float values[] = {1000, 2000};
    lfm2_sampler_options o = some_options(0);
    lfm2_sampler *s = make(&o);
    o.bias_ids = ids;
    o.bias_values = values;
    o.n_bias = 2;
    LFT_OK(lfm2_sampler_configure(s, &o));
    values[1] = 0; /* the arrays were copied */
    assert_int_equal(step(s, 0), 9);
    o.n_bias = 1;
    LFT_OK(lfm2_sampler_configure(s, &o));
    assert_int_equal(step(s, 0), 4);
    LFT_OK(lfm2_sampler_configure(s, &s->options)); /* its own options */
    assert_int_equal(step(s, 0), 4);
    o.n_bias = 0;
    LFT_OK(lfm2_sampler_configure(s, &o));
    assert_int_equal(s->options.n_bias, 0);
    step(s, 0);
    lfm2_sampler_free(s);
}

/* What is refused changes nothing. */
static void test_refused(void **state)
{
    (void)state;
    lfm2_sampler_options o = some_options(6);
    lfm2_sampler *s = make(&o);
    for (int i = 0; i < 10; i++) {
        step(s, i);
    }
    lfm2_sampler *before = NULL;
    LFT_OK(lfm2_sampler_clone(s, &before));
    o.seed = 5;
    o.penalty_last_n = 2;
    lfm2_sampler_options bad = o;
    bad.temperature = NAN;
    LFT_FAILS(lfm2_sampler_configure(s, &bad), LFM2_E_ARGUMENT);
    bad = o;
    bad.n_bias = 1;
    LFT_FAILS(lfm2_sampler_configure(s, &bad), LFM2_E_ARGUMENT);
    bad = o;
    bad.size = 3;
    LFT_FAILS(lfm2_sampler_configure(s, &bad), LFM2_E_ARGUMENT);
    expect_same_state(s, before);
    assert_int_equal(step(s, 20), step(before, 20));
    lfm2_sampler_free(before);
    lfm2_sampler_free(s);
}

static int begin(void **state)
{
    (void)state;
    runtime = lft_runtime(1, LFM2_KERNELS_AUTO, 0);
    uint64_t random = 1;
    for (int i = 0; i < N_STEPS; i++) {
        for (int j = 0; j < V; j++) {
            logits[i][j] = (float)(4 * lft_unit(&random));
        }
    }
    return 0;
}

static int end(void **state)
{
    (void)state;
    lfm2_runtime_free(runtime);
    lft_end();
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_clone),         cmocka_unit_test(test_smaller_window),
        cmocka_unit_test(test_other_windows), cmocka_unit_test(test_generator),
        cmocka_unit_test(test_bias),          cmocka_unit_test(test_refused),
    };
    return cmocka_run_group_tests(tests, begin, end);
}
