/* SPDX-License-Identifier: Apache-2.0 */
/* The engine: texts are those of lfm2_generate alone, whatever runs beside them; events, choices,
 * limits, cancellation. */
#include "support/constraints.h"
#include "support/engines.h"
#include "support/sessions.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

#include <stdlib.h>
#include <string.h>

/* link-wrap: lf_os_seconds */

enum { N_CTX = 400, N_MIXED = 40 };

/* A clock on which all passes take about the same time: the steps are the same on every machine. */
double __wrap_lf_os_seconds(void);
double __wrap_lf_os_seconds(void)
{
    static double now;
    return now += 0.001;
}

static lfm2_model *model; /* the demo model */
static lft_outcomes outcomes;

static lfm2_engine_options engine_options(void)
{
    lfm2_engine_options o;
    lfm2_engine_options_init(&o, sizeof o);
    o.n_ctx = N_CTX;
    return o;
}

/* ---- One request ---- */

static void test_one_request(void **state)
{
    (void)state;
    int32_t *ids = lft_ids(100, lft_vocab(model), 1);
    lfm2_engine_options o = engine_options();
    lfm2_engine *engine = lft_engine(model, &o);
    lfm2_request_options r = lft_request(ids, 100, 20);
    assert_int_equal(lft_submit(engine, &r), 1);
    lft_run_engine(engine, &outcomes);
    lft_text alone = lft_alone(model, &r, N_CTX, 0);
    lft_expect_text(&outcomes.of[1].choices[0], &alone);
    assert_int_equal(outcomes.of[1].status, LFM2_OK);
    lft_text_free(&alone);
    lft_outcomes_free(&outcomes);
    lfm2_engine_free(engine);
    free(ids);
}

/* ---- Many requests ---- */

/* What a request is made of. */
typedef struct made {
    int32_t *ids;
    lfm2_sampler_options sampler;
    lfm2_request_options request;
    lft_text alone[LFT_MOST_CHOICES];
} made;

static const char *const stop_strings[] = {"e", "the"};
static const int32_t bias_ids[] = {301, 299};
static const float bias_values[] = {4, -4};
static lfm2_constraint *record;

static void make_request(made *m, uint64_t *random)
{
    uint32_t n = (uint32_t)(1 + lft_random(random) % 200);
    uint64_t seed = lft_random(random) % 4; /* some begin with the same tokens */
    m->ids = lft_ids(n, lft_vocab(model), seed);
    m->request = lft_request(m->ids, n, (uint32_t)(lft_random(random) % 60));
    m->request.max_tokens += n + m->request.max_tokens >= N_CTX - 2 ? 0 : 1;
    m->sampler = *m->request.sampler;
    m->sampler.seed = lft_random(random);
    m->sampler.temperature = lft_random(random) % 2 == 0 ? 0 : 0.9f;
    m->request.sampler = &m->sampler;
    m->request.n_choices = lft_random(random) % 4 == 0 ? 3 : 1;
    m->request.priority = (int32_t)(lft_random(random) % 2);
    m->request.flags |= lft_random(random) % 4 != 0 ? LFM2_REQUEST_IGNORE_EOS : 0;
    m->request.flags |= lft_random(random) % 3 == 0 ? LFM2_REQUEST_PROGRESS : 0;
    m->request.flags |= lft_random(random) % 5 == 0 ? LFM2_REQUEST_NO_CACHE : 0;
    m->request.n_top = lft_random(random) % 3 == 0 ? 2 : 0;
    m->request.n_stop_strings = lft_random(random) % 4 == 0 ? 2 : 0;
    m->request.stop_strings = stop_strings;
    m->sampler.bias_ids = bias_ids;
    m->sampler.bias_values = bias_values;
    m->sampler.n_bias = lft_random(random) % 3;
    m->request.stop_ids = bias_ids;
    m->request.n_stop_ids = lft_random(random) % 2;
    m->request.constraint = lft_random(random) % 4 == 0 ? record : NULL;
    for (uint32_t i = 0; i < m->request.n_choices; i++) {
        m->alone[i] = lft_alone(model, &m->request, N_CTX, i);
    }
}

/* Makes a step, with `squeeze` under a KV budget that changes and has room for one sequence. */
static uint32_t make_step(lfm2_engine *engine, uint64_t *random, bool squeeze)
{
    uint32_t n_left = 0;
    if (squeeze && lft_random(random) % 4 == 0) {
        uint64_t pages = 6 + lft_random(random) % 9;
        LFT_OK(lfm2_model_set_kv_budget(model, lft_kv_page(model, LFM2_KV_F16) * pages));
    }
    LFT_OK(lfm2_engine_step(engine, &n_left));
    lft_drain(engine, &outcomes);
    return n_left;
}

/* Runs the requests in an order of their own, some while others run. */
static void run_mixed(made *all, const lfm2_engine_options *o, uint64_t seed, bool cancels,
                      bool squeeze)
{
    uint64_t random = seed;
    lfm2_engine *engine = lft_engine(model, o);
    uint64_t id_of[N_MIXED];
    bool sent[N_MIXED] = {false};
    for (int n = 0; n < N_MIXED; n++) {
        int i = (int)(lft_random(&random) % N_MIXED);
        while (sent[i]) {
            i = (i + 1) % N_MIXED;
        }
        sent[i] = true;
        id_of[i] = lft_submit(engine, &all[i].request);
        for (uint64_t steps = lft_random(&random) % 4; steps > 0; steps--) {
            make_step(engine, &random, squeeze);
        }
        if (cancels && i % 5 == 0) {
            LFT_OK(lfm2_engine_cancel(engine, id_of[i]));
        }
        lft_drain(engine, &outcomes);
    }
    while (make_step(engine, &random, squeeze) > 0) {
    }
    for (int i = 0; i < N_MIXED; i++) {
        const lft_outcome *of = &outcomes.of[id_of[i]];
        assert_true(of->ended);
        if (cancels && of->status == LFM2_E_CANCELLED) {
            continue;
        }
        if (of->status != LFM2_OK) {
            fail_msg("request %d: %s", i, of->code);
        }
        for (uint32_t c = 0; c < all[i].request.n_choices; c++) {
            lft_expect_text(&of->choices[c], &all[i].alone[c]);
        }
    }
    lft_outcomes_free(&outcomes);
    lfm2_engine_stats stats = {.size = sizeof stats};
    LFT_OK(lfm2_engine_get_stats(engine, &stats));
    assert_true(stats.generated_tokens > 400);
    assert_true((stats.n_parks > 0) == squeeze);
    assert_true((stats.cached_tokens > 0) == ((o->flags & LFM2_ENGINE_NO_CACHE) == 0));
    lfm2_engine_free(engine);
}

static void test_mixed(void **state)
{
    (void)state;
    uint64_t random = 7;
    static made all[N_MIXED];
    record = lft_constraint(model, LFM2_CONSTRAINT_GBNF, lft_record_grammar);
    for (int i = 0; i < N_MIXED; i++) {
        make_request(&all[i], &random);
    }
    lfm2_engine_options o = engine_options();
    run_mixed(all, &o, 1, false, false);
    o.step_ms = 0;
    if (!lft_sampled()) {
        run_mixed(all, &o, 2, true, false);
    }
    o.step_ms = 1;
    o.n_rows = 24;
    o.max_running = 3;
    run_mixed(all, &o, 3, false, false);
    o.flags = LFM2_ENGINE_NO_CACHE;
    o.max_running = 0;
    run_mixed(all, &o, 4, false, true);
    o.flags = 0;
    run_mixed(all, &o, 5, true, true);
    LFT_OK(lfm2_model_set_kv_budget(model, 0));
    for (int i = 0; i < N_MIXED; i++) {
        free(all[i].ids);
        for (int c = 0; c < LFT_MOST_CHOICES; c++) {
            lft_text_free(&all[i].alone[c]);
        }
    }
    lfm2_constraint_free(record);
}

/* ---- Fixture ---- */

static int setup(void **state)
{
    (void)state;
    model = lft_open(LFM2_DEMO_MODEL, 2, LFM2_KERNELS_AUTO, 0);
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    lfm2_model_free(model);
    lft_end();
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_one_request),
        cmocka_unit_test(test_mixed),
    };
    return cmocka_run_group_tests(tests, setup, teardown);
}
