/* SPDX-License-Identifier: Apache-2.0 */
/* Requests of engines: the cache, starting from a session, the session that is kept, choices,
 * drafts, the chat parser. */
#include "support/constraints.h"
#include "support/engines.h"
#include "support/sessions.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

#include <stdlib.h>
#include <string.h>

/* link-wrap: lf_os_seconds */

enum { N_CTX = 400, N = 150 };

/* A clock on which all passes take the same time: then guesses always pay. */
double __wrap_lf_os_seconds(void);
double __wrap_lf_os_seconds(void)
{
    static double now;
    return now += 0.001;
}

static lfm2_model *model; /* the demo model */
static int32_t *ids;      /* [N_CTX] */
static lft_outcomes outcomes;

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

/* ---- Sessions ---- */

static void test_cache(void **state)
{
    (void)state;
    lfm2_engine *engine = open_engine(0);
    lfm2_request_options r = lft_request(ids, N, 10);
    static const struct {
        uint64_t scope;
        uint32_t flags, cached;
    } cases[] = {{0, 0, 0},
                 {0, 0, N},
                 {1, 0, 0},
                 {1, 0, N},
                 {0, LFM2_REQUEST_NO_CACHE, 0},
                 {2, LFM2_REQUEST_NO_CACHE, 0},
                 {2, 0, 0},
                 {0, 0, N}};
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        r.cache_scope = cases[i].scope;
        r.flags = LFM2_REQUEST_LOGPROBS | cases[i].flags;
        uint64_t id = lft_submit(engine, &r);
        lft_run_engine(engine, &outcomes);
        assert_int_equal(outcomes.of[id].n_cached, cases[i].cached);
        expect_alone(id, &r);
    }
    lfm2_cache_usage usage = lft_cache_usage(lfm2_engine_cache(engine));
    assert_int_equal(usage.tokens_reused, 3 * N);
    assert_int_equal(lft_engine_stats(engine).cached_tokens, 3 * N);
    assert_int_equal(lft_engine_stats(engine).prompt_tokens, 5 * N);
    lft_outcomes_free(&outcomes);
    lfm2_engine_free(engine);
    engine = open_engine(LFM2_ENGINE_NO_CACHE);
    assert_null(lfm2_engine_cache(engine));
    lfm2_engine_free(engine);
}

/* A request starts from a session of the caller, which stays as it was. */
static void test_base(void **state)
{
    (void)state;
    static const uint32_t lengths[] = {1, 63, 64, 65, N - 1, N, N + 1, N + 40};
    for (int different = 0; different < 2; different++) {
        for (size_t i = 0; i < sizeof lengths / sizeof lengths[0]; i += lft_sampled() ? 3 : 1) {
            lfm2_engine *engine = open_engine(0);
            int32_t *own = lft_ids(N_CTX, lft_vocab(model), 9);
            memcpy(own, ids, (different ? 100 : N_CTX) * sizeof *own);
            lfm2_session *base = lft_session(model, N_CTX - 1, 0, LFM2_KV_F16);
            LFT_OK(lfm2_session_prefill(base, own, lengths[i]));
            lfm2_request_options r = lft_request(ids, N, 10);
            r.session = base;
            uint64_t id = lft_submit(engine, &r);
            lft_expect_tokens(base, own, lengths[i]);
            lfm2_session_free(base);
            lft_run_engine(engine, &outcomes);
            uint32_t same = different && lengths[i] > 100 ? 100 : lengths[i];
            /* Logits after the last token are those of the session or are computed. */
            uint32_t cached = same > N ? N - 1 : same;
            assert_int_equal(outcomes.of[id].n_cached, cached);
            expect_alone(id, &r);
            lft_outcomes_free(&outcomes);
            lfm2_engine_free(engine);
            free(own);
        }
    }
    assert_int_equal(lft_kv_usage(model).used, 0);
}

/* The kept session holds all tokens; the next turn can be generated with it. */
static void check_kept(const char *grammar, uint32_t max_tokens)
{
    lfm2_engine *engine = open_engine(0);
    lfm2_request_options r = lft_request(ids, N, max_tokens);
    r.flags |= LFM2_REQUEST_KEEP;
    r.n_choices = 2;
    r.constraint = grammar == NULL ? NULL : lft_constraint(model, LFM2_CONSTRAINT_GBNF, grammar);
    uint64_t id = lft_submit(engine, &r);
    lfm2_session *kept = NULL;
    LFT_FAILS(lfm2_engine_take_session(engine, id, &kept), LFM2_E_ARGUMENT);
    lfm2_engine_event e = {.size = sizeof e};
    while (e.kind != LFM2_EVENT_FINISH || e.choice != 0) {
        LFT_OK(lfm2_engine_step(engine, NULL));
        for (e.kind = 1; e.kind != LFM2_EVENT_NONE && (e.kind != LFM2_EVENT_FINISH || e.choice);) {
            LFT_OK(lfm2_engine_next(engine, &e));
        }
    }
    int32_t chosen[N_CTX];
    size_t n = e.n_ids;
    assert_in_range(n, 1, N_CTX - N);
    memcpy(chosen, ids, N * sizeof *ids);
    memcpy(chosen + N, e.ids, n * sizeof *ids);
    LFT_OK(lfm2_engine_take_session(engine, id, &kept));
    LFT_FAILS(lfm2_engine_take_session(engine, id, &kept), LFM2_E_ARGUMENT);
    lfm2_engine_free(engine);
    uint32_t held = lfm2_session_length(kept);
    assert_int_equal(held, N + n);
    lft_expect_tokens(kept, chosen, held);
    float *fresh = lft_fresh(model, LFM2_KV_F16, chosen, held);
    lft_expect_logits(kept, fresh + (size_t)(held - 1) * lft_vocab(model));
    free(fresh);
    lfm2_session_free(kept);
    lfm2_constraint_free(r.constraint);
}

static void test_kept(void **state)
{
    (void)state;
    check_kept(NULL, 12);
    check_kept(NULL, N_CTX - N);
    check_kept(lft_record_grammar, 0);
    check_kept("root ::= [ab] \"0123456789 abcdefghijklmnopqrstuvwxyz\"{1,3}", 0);
    check_kept("root ::= [ab] \"0123456789 abcdefghijklmnopqrstuvwxyz\"", 9);
    assert_int_equal(lft_kv_usage(model).used, 0);
}

/* A session that nobody takes is freed, and one of a full context is kept as it is. */
static void test_kept_rest(void **state)
{
    (void)state;
    lfm2_engine_options o = lft_engine_options(N_CTX);
    o.n_ctx = N + 5;
    o.flags = LFM2_ENGINE_NO_CACHE;
    lfm2_engine *engine = lft_engine(model, &o);
    lfm2_request_options r = lft_request(ids, N, 0);
    r.flags |= LFM2_REQUEST_KEEP | LFM2_REQUEST_IGNORE_EOS;
    uint64_t id = lft_submit(engine, &r);
    uint32_t n_left = 1;
    while (n_left > 0) {
        LFT_OK(lfm2_engine_step(engine, &n_left));
    }
    assert_true(lft_kv_usage(model).used > 0);
    lfm2_engine_event e = {.size = sizeof e};
    lfm2_session *kept = NULL;
    do {
        LFT_FAILS(lfm2_engine_take_session(engine, id, &kept), LFM2_E_ARGUMENT);
        LFT_OK(lfm2_engine_next(engine, &e));
    } while (e.kind != LFM2_EVENT_FINISH);
    assert_int_equal(e.finish, LFM2_FINISH_CONTEXT);
    assert_int_equal(e.n_ids, 6); /* the last one is excluded */
    LFT_OK(lfm2_engine_take_session(engine, id, &kept));
    assert_int_equal(lfm2_session_length(kept), N + 5);
    lfm2_session_free(kept);
    LFT_OK(lfm2_engine_next(engine, &e));
    assert_int_equal(e.kind, LFM2_EVENT_END);
    lft_submit(engine, &r);
    lft_run_engine(engine, &outcomes); /* takes all events and no session */
    assert_int_equal(lft_kv_usage(model).used, 0);
    lft_outcomes_free(&outcomes);
    lfm2_engine_free(engine);
}

/* ---- Choices ---- */

static void test_choices(void **state)
{
    (void)state;
    lfm2_engine_options o = lft_engine_options(N_CTX);
    for (uint32_t most = 1; most <= 9; most += 4) {
        o.max_running = most;
        lfm2_engine *engine = lft_engine(model, &o);
        lfm2_sampler_options sampler;
        lfm2_sampler_options_init(&sampler, sizeof sampler, model);
        sampler.temperature = 1;
        sampler.seed = UINT64_MAX - 2; /* the sum wraps */
        lfm2_request_options r = lft_request(ids, N, 15);
        r.sampler = &sampler;
        r.n_choices = LFT_MOST_CHOICES;
        uint64_t id = lft_submit(engine, &r);
        lft_run_engine(engine, &outcomes);
        for (uint32_t c = 0; c < LFT_MOST_CHOICES; c++) {
            lft_text alone = lft_alone(model, &r, N_CTX, c);
            lft_expect_text(&outcomes.of[id].choices[c], &alone);
            lft_text_free(&alone);
        }
        lfm2_engine_stats s = lft_engine_stats(engine);
        assert_int_equal(s.prompt_tokens, N);
        uint64_t beyond = 0;
        for (int i = 5; i < 12; i++) {
            beyond += s.steps_by_rows[i];
        }
        assert_int_equal(beyond, 0);
        assert_int_equal(most == 1 ? s.steps_by_rows[2] : 0, 0);
        lft_outcomes_free(&outcomes);
        lfm2_engine_free(engine);
    }
}

/* ---- Drafts ---- */

static void test_drafts(void **state)
{
    (void)state;
    lfm2_engine *engine = open_engine(0);
    lfm2_request_options r = lft_request(ids, N, 60);
    r.flags |= LFM2_REQUEST_IGNORE_EOS;
    lft_text alone = lft_alone(model, &r, N_CTX, 0);
    int32_t draft[60];
    memcpy(draft, alone.ids, sizeof draft);
    draft[20] = draft[20] == 7 ? 8 : 7;
    r.draft_ids = draft;
    r.n_draft_ids = 60;
    r.flags |= LFM2_REQUEST_DRAFT;
    lfm2_sampler_options sampler = *r.sampler;
    sampler.temperature = 0.8f;
    for (int warm = 0; warm < 2; warm++) {
        uint64_t id = lft_submit(engine, &r);
        lft_run_engine(engine, &outcomes);
        lft_expect_text(&outcomes.of[id].choices[0], &alone);
        assert_true(outcomes.of[id].choices[0].n_drafted >= 10);
        assert_true(outcomes.of[id].choices[0].n_accepted >= 10);
        assert_true(outcomes.of[id].choices[0].n_accepted <= outcomes.of[id].choices[0].n_drafted);
    }
    assert_true(lft_engine_stats(engine).accepted_tokens >= 20);
    r.sampler = &sampler; /* most guesses are wrong */
    for (int n = 0; n < 5; n++) {
        lfm2_request_options other = lft_request(ids + n, N, 30);
        lft_submit(engine, n % 2 == 0 ? &other : &r);
    }
    uint64_t id = lft_submit(engine, &r);
    lft_run_engine(engine, &outcomes);
    expect_alone(id, &r);
    expect_alone(id - 2, &r);
    lft_text_free(&alone);
    lft_outcomes_free(&outcomes);
    lfm2_engine_free(engine);
}

/* A sequence with guesses is parked and resumed. */
static void test_drafts_parked(void **state)
{
    (void)state;
    lfm2_engine *engine = open_engine(LFM2_ENGINE_NO_CACHE);
    lfm2_request_options first = lft_request(ids + 1, N, 200);
    first.flags |= LFM2_REQUEST_IGNORE_EOS;
    lfm2_request_options r = lft_request(ids, N, 200);
    r.flags |= LFM2_REQUEST_IGNORE_EOS;
    lft_text alone = lft_alone(model, &r, N_CTX, 0);
    r.flags |= LFM2_REQUEST_DRAFT;
    r.draft_ids = alone.ids;
    r.n_draft_ids = alone.n_ids;
    for (int round = 0; round < 6; round += lft_sampled() ? 3 : 1) {
        lft_submit(engine, &first);
        uint64_t id = lft_submit(engine, &r);
        for (int i = 0; i < 3 + round; i++) {
            LFT_OK(lfm2_engine_step(engine, NULL));
        }
        LFT_OK(lfm2_model_set_kv_budget(model, 1)); /* no more pages */
        uint64_t before = lft_engine_stats(engine).n_parks;
        for (int i = 0; i < 64 && lft_engine_stats(engine).n_parks == before; i++) {
            LFT_OK(lfm2_engine_step(engine, NULL));
        }
        LFT_OK(lfm2_model_set_kv_budget(model, 0));
        lft_run_engine(engine, &outcomes);
        expect_alone(id - 1, &first);
        lft_expect_text(&outcomes.of[id].choices[0], &alone);
    }
    assert_true(lft_engine_stats(engine).n_parks > 0);
    assert_true(lft_engine_stats(engine).accepted_tokens > 0);
    lft_text_free(&alone);
    lft_outcomes_free(&outcomes);
    lfm2_engine_free(engine);
}

/* ---- The chat parser ---- */

static const char tools[] =
    "[{\"type\":\"function\",\"function\":{\"name\":\"add\",\"parameters\":{"
    "\"type\":\"object\",\"properties\":{\"a\":{\"type\":\"integer\"}},"
    "\"required\":[\"a\"]}}}]";

static void test_parser(void **state)
{
    (void)state;
    lfm2_chat_parser_options po;
    lfm2_chat_parser_options_init(&po, sizeof po);
    po.tools = tools;
    po.tools_len = sizeof tools - 1;
    po.id_prefix = "c";
    lfm2_constraint_options co;
    lfm2_constraint_options_init(&co, sizeof co);
    co.tool_choice = LFM2_TOOL_CHOICE_REQUIRED;
    co.flags = LFM2_CONSTRAINT_ONE_CALL;
    lfm2_constraint *constraint = NULL;
    LFT_OK(lfm2_constraint_create(model, LFM2_CONSTRAINT_TOOLS, tools, sizeof tools - 1, &co,
                                  &constraint));
    lfm2_engine *engine = open_engine(0);
    lfm2_request_options r = lft_request(ids, N, 100);
    r.parser = &po;
    r.constraint = constraint;
    r.n_choices = 2;
    uint64_t called = lft_submit(engine, &r);
    const char *stop = "e";
    r.constraint = NULL;
    r.stop_strings = &stop;
    r.n_stop_strings = 1;
    uint64_t stopped = lft_submit(engine, &r);
    lfm2_constraint_free(constraint);
    lft_run_engine(engine, &outcomes);
    const lft_outcome *of = &outcomes.of[called];
    assert_int_equal(of->status, LFM2_OK);
    assert_non_null(strstr(of->message, "\"tool_calls\""));
    assert_non_null(strstr(of->message, "\"id\": \"c0\""));
    assert_int_equal(of->choices[0].len, 0); /* no text beside the parser's */
    assert_true(of->choices[1].finished);
    of = &outcomes.of[stopped];
    assert_int_equal(of->status, LFM2_OK);
    assert_int_equal(of->choices[0].finish, LFM2_FINISH_STOP_STRING);
    r.parser = NULL;
    lft_text alone = lft_alone(model, &r, N_CTX, 0);
    assert_int_equal(of->choices[0].n_ids, alone.n_ids);
    assert_null(strchr(alone.text, 'e'));
    lft_text_free(&alone);
    lft_outcomes_free(&outcomes);
    lfm2_engine_free(engine);
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
        cmocka_unit_test(test_cache),         cmocka_unit_test(test_base),
        cmocka_unit_test(test_kept),          cmocka_unit_test(test_kept_rest),
        cmocka_unit_test(test_choices),       cmocka_unit_test(test_drafts),
        cmocka_unit_test(test_drafts_parked), cmocka_unit_test(test_parser),
    };
    return cmocka_run_group_tests(tests, setup, teardown);
}
