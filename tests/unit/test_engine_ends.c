/* SPDX-License-Identifier: Apache-2.0 */
/* How requests of engines end and wait: deadlines, the queue, cancellation, the KV budget, order,
 * notifications, what is refused. */
#include "support/engines.h"
#include "support/sessions.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

#include <stdlib.h>
#include <string.h>

/* link-wrap: lf_block_ffn lf_os_seconds */

enum { N_CTX = 400, N = 150 };

static lfm2_model *model; /* the demo model */
static int32_t *ids;      /* [N_CTX] */
static lft_outcomes outcomes;

/* The clock. */
static double now;

double __wrap_lf_os_seconds(void);
double __wrap_lf_os_seconds(void)
{
    return now += 1e-6;
}

static lfm2_engine *open_engine(uint32_t flags)
{
    lfm2_engine_options o = lft_engine_options(N_CTX);
    o.flags = flags;
    return lft_engine(model, &o);
}

static void expect_alone(uint64_t id, const lfm2_request_options *r)
{
    lft_expect_alone(&outcomes, id, model, r, N_CTX);
}

/* ---- Ends ---- */

static void test_deadline(void **state)
{
    (void)state;
    lfm2_engine_options o = lft_engine_options(N_CTX);
    o.max_running = 1;
    lfm2_engine *engine = lft_engine(model, &o);
    lfm2_request_options r = lft_request(ids, N, 0);
    r.flags |= LFM2_REQUEST_IGNORE_EOS | LFM2_REQUEST_KEEP;
    r.n_choices = 2;
    r.deadline_ms = 30;
    uint64_t running = lft_submit(engine, &r);
    LFT_OK(lfm2_engine_step(engine, NULL));
    LFT_OK(lfm2_engine_step(engine, NULL));
    uint64_t queued = lft_submit(engine, &r);
    r.deadline_ms = 100000;
    r.max_tokens = 3;
    uint64_t patient = lft_submit(engine, &r);
    now += 0.05;
    lft_run_engine(engine, &outcomes);
    for (uint32_t c = 0; c < 2; c++) {
        assert_int_equal(outcomes.of[running].choices[c].finish, LFM2_FINISH_DEADLINE);
        assert_int_equal(outcomes.of[queued].choices[c].finish, LFM2_FINISH_DEADLINE);
        assert_int_equal(outcomes.of[queued].choices[c].n_ids, 0);
        assert_int_equal(outcomes.of[patient].choices[c].finish, LFM2_FINISH_LENGTH);
    }
    assert_true(outcomes.of[running].choices[0].n_ids >= 1);
    assert_int_equal(outcomes.of[queued].status, LFM2_OK);
    assert_false(outcomes.of[queued].started);
    assert_int_equal(lft_engine_stats(engine).n_finished, 3);
    lft_outcomes_free(&outcomes);
    lfm2_engine_free(engine);
}

static void test_queue(void **state)
{
    (void)state;
    lfm2_engine_options o = lft_engine_options(N_CTX);
    o.max_queue = 2;
    lfm2_engine *engine = lft_engine(model, &o);
    lfm2_request_options r = lft_request(ids, N, 2);
    uint64_t id = 0;
    lft_submit(engine, &r);
    lft_submit(engine, &r);
    LFT_FAILS(lfm2_engine_submit(engine, &r, &id), LFM2_E_LIMIT);
    assert_string_equal(lfm2_last_error_code(), "engine.queue");
    assert_int_equal(lft_engine_stats(engine).n_waiting, 2);
    assert_int_equal(lft_engine_stats(engine).n_refused, 1);
    LFT_OK(lfm2_engine_cancel(engine, 1));
    LFT_OK(lfm2_engine_step(engine, NULL));
    assert_int_equal(lft_engine_stats(engine).n_waiting, 0);
    lft_submit(engine, &r);
    lft_submit(engine, &r);
    LFT_FAILS(lfm2_engine_submit(engine, &r, &id), LFM2_E_LIMIT);
    lft_run_engine(engine, &outcomes);
    assert_int_equal(outcomes.of[1].status, LFM2_E_CANCELLED);
    assert_string_equal(outcomes.of[1].code, "engine.cancelled");
    assert_int_equal(outcomes.of[4].status, LFM2_OK);
    LFT_OK(lfm2_engine_cancel(engine, 4)); /* known no more */
    LFT_OK(lfm2_engine_cancel(engine, 12345));
    lfm2_engine_stats s = lft_engine_stats(engine);
    assert_true(s.n_submitted == 4 && s.n_finished == 3 && s.n_cancelled == 1 && s.n_failed == 0);
    assert_true(s.n_waiting == 0 && s.n_running == 0 && s.n_decoding == 0 && s.n_parked == 0);
    lft_outcomes_free(&outcomes);
    lfm2_engine_free(engine);
}

/* A prompt is cancelled in the middle of its pass: no further layer is computed. */
static lfm2_engine *cancelling; /* the engine whose request 1 a layer cancels; NULL: none */
static int layers, cancel_at;

int32_t __real_lf_block_ffn(void *pass, uint32_t layer);
int32_t __wrap_lf_block_ffn(void *pass, uint32_t layer);
int32_t __wrap_lf_block_ffn(void *pass, uint32_t layer)
{
    layers++;
    if (cancelling != NULL && layers == cancel_at) {
        assert_int_equal(lfm2_engine_cancel(cancelling, 1), LFM2_OK);
    }
    return __real_lf_block_ffn(pass, layer);
}

static void test_cancel_in_pass(void **state)
{
    (void)state;
    for (cancel_at = 1; cancel_at <= 3; cancel_at++) {
        lfm2_engine *engine = open_engine(0);
        lfm2_request_options r = lft_request(ids, N, 2);
        lft_submit(engine, &r);
        cancelling = engine;
        layers = 0;
        LFT_OK(lfm2_engine_step(engine, NULL));
        assert_int_equal(layers, cancel_at);
        cancelling = NULL;
        uint32_t n_left = 1;
        LFT_OK(lfm2_engine_step(engine, &n_left));
        assert_int_equal(n_left, 0);
        assert_int_equal(layers, cancel_at);
        lft_drain(engine, &outcomes);
        assert_int_equal(outcomes.of[1].status, LFM2_E_CANCELLED);
        lft_outcomes_free(&outcomes);
        lfm2_engine_free(engine);
    }
}

/* ---- Notifications, progress ---- */

static void count_call(void *user)
{
    (*(int *)user)++;
}

static void test_notify(void **state)
{
    (void)state;
    int calls = 0;
    lfm2_engine_options o = lft_engine_options(N_CTX);
    o.notify = count_call;
    o.notify_user = &calls;
    lfm2_engine *engine = lft_engine(model, &o);
    lfm2_request_options r = lft_request(ids, N, 5);
    r.flags |= LFM2_REQUEST_IGNORE_EOS;
    lft_submit(engine, &r);
    assert_int_equal(calls, 0);
    lfm2_engine_event e = {.size = sizeof e};
    LFT_OK(lfm2_engine_next(engine, &e));
    assert_int_equal(e.kind, LFM2_EVENT_NONE);
    for (int i = 0; i < 4; i++) { /* nobody takes events: one call */
        LFT_OK(lfm2_engine_step(engine, NULL));
        assert_int_equal(calls, 1);
    }
    LFT_OK(lfm2_engine_next(engine, &e));
    assert_int_equal(e.kind, LFM2_EVENT_START);
    LFT_OK(lfm2_engine_step(engine, NULL));
    assert_int_equal(calls, 1); /* there were still some */
    lft_submit(engine, &r);
    while (e.kind != LFM2_EVENT_NONE) {
        LFT_OK(lfm2_engine_next(engine, &e));
    }
    LFT_OK(lfm2_engine_step(engine, NULL));
    assert_true(calls >= 2);
    lfm2_engine_free(engine);
}

static void test_progress(void **state)
{
    (void)state;
    lfm2_engine_options o = lft_engine_options(N_CTX);
    o.n_rows = 20;
    lfm2_engine *engine = lft_engine(model, &o);
    lfm2_request_options r = lft_request(ids, N, 1);
    lft_submit(engine, &r);
    r.flags |= LFM2_REQUEST_PROGRESS | LFM2_REQUEST_NO_CACHE;
    lft_submit(engine, &r);
    lft_run_engine(engine, &outcomes);
    assert_int_equal(outcomes.of[1].n_progress, 0);
    assert_int_equal(outcomes.of[2].n_progress, 7); /* 20, 40, ... 140 */
    lft_outcomes_free(&outcomes);
    lfm2_engine_free(engine);
}

/* Short prompts overtake a long one, unless its priority is better. */
static void test_order(void **state)
{
    (void)state;
    for (int32_t priority = -1; priority <= 0; priority++) {
        lfm2_engine_options o = lft_engine_options(N_CTX);
        o.n_rows = 16;
        lfm2_engine *engine = lft_engine(model, &o);
        lfm2_request_options r = lft_request(ids, 300, 1);
        r.flags |= LFM2_REQUEST_NO_CACHE;
        r.priority = priority;
        lft_submit(engine, &r);
        LFT_OK(lfm2_engine_step(engine, NULL));
        for (int i = 0; i < 5; i++) {
            lfm2_request_options s = lft_request(ids + i, 10, 1);
            s.flags |= LFM2_REQUEST_NO_CACHE;
            lft_submit(engine, &s);
        }
        lft_run_engine(engine, &outcomes);
        for (int i = 2; i <= 6; i++) {
            assert_true((outcomes.of[i].end_at < outcomes.of[1].end_at) == (priority == 0));
        }
        lft_outcomes_free(&outcomes);
        lfm2_engine_free(engine);
    }
}

/* ---- The KV budget ---- */

/* Sequences that do not fit together are parked, those that came last first. */
static void test_parking(void **state)
{
    (void)state;
    lfm2_engine_options o = lft_engine_options(N_CTX);
    o.flags = LFM2_ENGINE_NO_CACHE;
    lfm2_engine *engine = lft_engine(model, &o);
    LFT_OK(lfm2_model_set_kv_budget(model, lft_kv_page(model, LFM2_KV_F16) * 7));
    lfm2_request_options r[4];
    for (int i = 0; i < 4; i++) {
        r[i] = lft_request(ids + i, 60, 200);
        r[i].flags |= LFM2_REQUEST_IGNORE_EOS;
        lft_submit(engine, &r[i]);
    }
    lft_run_engine(engine, &outcomes);
    assert_true(lft_engine_stats(engine).n_parks >= 1);
    for (int i = 0; i < 4; i++) {
        expect_alone((uint64_t)i + 1, &r[i]);
        assert_true(i == 0 || outcomes.of[1].end_at <= outcomes.of[i + 1].end_at);
    }
    lft_outcomes_free(&outcomes);
    /* One that does not fit alone. */
    LFT_OK(lfm2_model_set_kv_budget(model, lft_kv_page(model, LFM2_KV_F16) * 3));
    lfm2_request_options small = lft_request(ids, 20, 20);
    lft_submit(engine, &r[0]);
    lft_submit(engine, &small);
    lft_run_engine(engine, &outcomes);
    assert_int_equal(outcomes.of[5].status, LFM2_E_LIMIT);
    assert_true(outcomes.of[5].choices[0].n_tokens > 100);
    expect_alone(6, &small);
    LFT_OK(lfm2_model_set_kv_budget(model, 0));
    lft_outcomes_free(&outcomes);
    lfm2_engine_free(engine);
    assert_int_equal(lft_kv_usage(model).used, 0);
}

/* ---- What is refused ---- */

static void test_refused(void **state)
{
    (void)state;
    lfm2_engine *engine = open_engine(0);
    uint64_t id = 7;
    lfm2_session *session = NULL;
    lfm2_engine_event e = {.size = sizeof e};
    const lfm2_request_options good = lft_request(ids, N, 5);
#define REFUSED(change, status)                                                                    \
    do {                                                                                           \
        lfm2_request_options r = good;                                                             \
        change;                                                                                    \
        LFT_FAILS(lfm2_engine_submit(engine, &r, &id), status);                                    \
    } while (0)
    REFUSED(r.prompt = NULL, LFM2_E_ARGUMENT);
    REFUSED(r.n_prompt = 0, LFM2_E_ARGUMENT);
    REFUSED(r.n_prompt = N_CTX, LFM2_E_LIMIT);
    assert_string_equal(lfm2_last_error_code(), "engine.context");
    REFUSED(r.flags = 128, LFM2_E_ARGUMENT);
    REFUSED(r.n_choices = 129, LFM2_E_ARGUMENT);
    REFUSED(r.n_top = 65, LFM2_E_ARGUMENT);
    REFUSED(r.n_stop_ids = 1, LFM2_E_ARGUMENT);
    REFUSED(r.n_stop_strings = 1, LFM2_E_ARGUMENT);
    REFUSED(r.n_draft_ids = 1, LFM2_E_ARGUMENT);
    const int32_t bad = -1;
    REFUSED((r.prompt = &bad, r.n_prompt = 1), LFM2_E_ARGUMENT);
    REFUSED((r.draft_ids = &bad, r.n_draft_ids = 1, r.flags = LFM2_REQUEST_DRAFT), LFM2_E_ARGUMENT);
    lfm2_sampler_options sampler = *good.sampler;
    sampler.temperature = -1;
    REFUSED(r.sampler = &sampler, LFM2_E_ARGUMENT);
    lfm2_chat_parser_options po;
    lfm2_chat_parser_options_init(&po, sizeof po);
    po.tools = "{";
    po.tools_len = 1;
    REFUSED(r.parser = &po, LFM2_E_TEXT);
    lfm2_session *q8 = lft_session(model, N_CTX, 0, LFM2_KV_Q8);
    REFUSED(r.session = q8, LFM2_E_ARGUMENT);
    lfm2_session_free(q8);
    assert_int_equal(id, 7);
    LFT_FAILS(lfm2_engine_submit(NULL, &good, &id), LFM2_E_ARGUMENT);
    LFT_FAILS(lfm2_engine_submit(engine, NULL, &id), LFM2_E_ARGUMENT);
    LFT_FAILS(lfm2_engine_submit(engine, &good, NULL), LFM2_E_ARGUMENT);
    LFT_FAILS(lfm2_engine_step(NULL, NULL), LFM2_E_ARGUMENT);
    LFT_FAILS(lfm2_engine_next(engine, NULL), LFM2_E_ARGUMENT);
    LFT_FAILS(lfm2_engine_wait(engine, 1, &e), LFM2_E_STATE);
    LFT_FAILS(lfm2_engine_take_session(engine, 1, &session), LFM2_E_ARGUMENT);
    LFT_FAILS(lfm2_engine_cancel(NULL, 1), LFM2_E_ARGUMENT);
    lfm2_engine_free(engine);
    lfm2_engine_free(NULL);
}

static void test_not_created(void **state)
{
    (void)state;
    lfm2_engine *engine = NULL;
    lfm2_engine_options o = lft_engine_options(N_CTX);
#define NOT_CREATED(change)                                                                        \
    do {                                                                                           \
        o = lft_engine_options(N_CTX);                                                             \
        change;                                                                                    \
        LFT_FAILS(lfm2_engine_create(model, &o, &engine), LFM2_E_ARGUMENT);                        \
    } while (0)
    NOT_CREATED(o.flags = 4);
    NOT_CREATED(o.n_ctx = UINT32_MAX);
    NOT_CREATED(o.kv_type = 3);
    NOT_CREATED(o.max_running = 1025);
    NOT_CREATED(o.n_rows = 7090);
    NOT_CREATED(o.decode_share = 1.5f);
    NOT_CREATED(o.decode_share = -0.5f);
    LFT_FAILS(lfm2_engine_create(NULL, NULL, &engine), LFM2_E_ARGUMENT);
    LFT_FAILS(lfm2_engine_create(model, NULL, NULL), LFM2_E_ARGUMENT);
}

/* ---- Fixture ---- */

static int setup(void **state)
{
    (void)state;
    model = lft_open(LFM2_DEMO_MODEL, 1, LFM2_KERNELS_AUTO, 0);
    ids = lft_ids(N_CTX, lft_vocab(model), 5);
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    free(ids);
    lfm2_model_free(model);
    lft_end();
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_deadline),       cmocka_unit_test(test_queue),
        cmocka_unit_test(test_cancel_in_pass), cmocka_unit_test(test_notify),
        cmocka_unit_test(test_progress),       cmocka_unit_test(test_order),
        cmocka_unit_test(test_parking),        cmocka_unit_test(test_refused),
        cmocka_unit_test(test_not_created),
    };
    return cmocka_run_group_tests(tests, setup, teardown);
}
