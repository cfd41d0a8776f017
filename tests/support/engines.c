/* SPDX-License-Identifier: Apache-2.0 */
/* Implements the helpers of the tests of engines. */
#include "support/engines.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

#include <stdlib.h>
#include <string.h>

/* ---- Outcomes ---- */

void lft_text_free(lft_text *text)
{
    free(text->text);
    free(text->ids);
    *text = (lft_text){0};
}

void lft_outcomes_free(lft_outcomes *outcomes)
{
    for (int i = 0; i < LFT_MOST_REQUESTS; i++) {
        for (int c = 0; c < LFT_MOST_CHOICES; c++) {
            lft_text_free(&outcomes->of[i].choices[c]);
        }
        free(outcomes->of[i].message);
    }
    memset(outcomes, 0, sizeof *outcomes);
}

static void append(lft_text *t, const char *text, size_t len)
{
    t->text = realloc(t->text, t->len + len + 1);
    assert_non_null(t->text);
    if (len > 0) {
        memcpy(t->text + t->len, text, len);
    }
    t->len += len;
    t->text[t->len] = 0;
}

static void set_ids(lft_text *t, const int32_t *ids, size_t n)
{
    t->ids = malloc((n + 1) * sizeof *ids);
    assert_non_null(t->ids);
    if (n > 0) {
        memcpy(t->ids, ids, n * sizeof *ids);
    }
    t->n_ids = n;
}

static void note_finish(lft_outcome *o, lft_text *t, const lfm2_engine_event *e)
{
    assert_false(t->finished);
    t->finished = true;
    append(t, e->text, e->len);
    set_ids(t, e->ids, e->n_ids);
    t->finish = e->finish;
    t->stop_id = e->stop_id;
    t->n_generated = e->n_generated;
    t->n_drafted = e->n_drafted;
    t->n_accepted = e->n_accepted;
    assert_int_equal(t->n_tokens, e->n_generated);
    if (e->choice == 0 && e->message_len > 0) {
        assert_int_equal(strlen(e->message), e->message_len);
        o->message = malloc(e->message_len + 1);
        assert_non_null(o->message);
        memcpy(o->message, e->message, e->message_len + 1);
    }
}

void lft_note(lft_outcomes *outcomes, const lfm2_engine_event *e)
{
    assert_in_range(e->request, 1, LFT_MOST_REQUESTS - 1);
    assert_in_range(e->choice, 0, LFT_MOST_CHOICES - 1);
    lft_outcome *o = &outcomes->of[e->request];
    lft_text *t = &o->choices[e->choice];
    outcomes->n_events++;
    assert_false(o->ended);
    o->id = e->request;
    o->n_cached = e->n_cached;
    if (e->kind == LFM2_EVENT_START) {
        assert_false(o->started);
        o->started = true;
    } else if (e->kind == LFM2_EVENT_PROGRESS) {
        assert_true(o->started && t->n_tokens == 0 && e->n_computed < e->n_prompt);
        o->n_progress++;
    } else if (e->kind == LFM2_EVENT_TOKEN) {
        assert_true(o->started && !t->finished && e->id >= 0);
        append(t, e->text, e->len);
        t->n_tokens++;
        t->logprobs += (double)e->logprob;
        assert_int_equal(t->n_tokens, e->n_generated);
    } else if (e->kind == LFM2_EVENT_CHAT) {
        assert_true(o->started && !t->finished && e->chat != NULL);
    } else if (e->kind == LFM2_EVENT_FINISH) {
        note_finish(o, t, e);
    } else {
        assert_int_equal(e->kind, LFM2_EVENT_END);
        o->ended = true;
        o->status = e->status;
        o->end_at = outcomes->n_events;
        assert_true((e->status == LFM2_OK) == (e->error[0] == 0));
        strncpy(o->code, e->error_code, sizeof o->code - 1);
    }
}

/* ---- Engines ---- */

lfm2_engine_options lft_engine_options(uint32_t n_ctx)
{
    lfm2_engine_options o;
    lfm2_engine_options_init(&o, sizeof o);
    o.n_ctx = n_ctx;
    return o;
}

lfm2_engine_stats lft_engine_stats(lfm2_engine *engine)
{
    lfm2_engine_stats s = {.size = sizeof s};
    LFT_OK(lfm2_engine_get_stats(engine, &s));
    return s;
}

lfm2_engine *lft_engine(lfm2_model *model, const lfm2_engine_options *options)
{
    lfm2_engine *engine = NULL;
    LFT_OK(lfm2_engine_create(model, options, &engine));
    return engine;
}

static lfm2_sampler_options greedy;

lfm2_request_options lft_request(const int32_t *prompt, size_t n, uint32_t max_tokens)
{
    lfm2_request_options o;
    lfm2_request_options_init(&o, sizeof o);
    lfm2_sampler_options_init(&greedy, sizeof greedy, NULL);
    greedy.temperature = 0;
    o.prompt = prompt;
    o.n_prompt = n;
    o.max_tokens = max_tokens;
    o.sampler = &greedy;
    o.flags = LFM2_REQUEST_LOGPROBS;
    return o;
}

uint64_t lft_submit(lfm2_engine *engine, const lfm2_request_options *request)
{
    uint64_t id = 0;
    LFT_OK(lfm2_engine_submit(engine, request, &id));
    return id;
}

void lft_drain(lfm2_engine *engine, lft_outcomes *outcomes)
{
    for (;;) {
        lfm2_engine_event event = {.size = sizeof event};
        LFT_OK(lfm2_engine_next(engine, &event));
        if (event.kind == LFM2_EVENT_NONE) {
            return;
        }
        lft_note(outcomes, &event);
    }
}

uint32_t lft_run_engine(lfm2_engine *engine, lft_outcomes *outcomes)
{
    uint32_t n_left = 1;
    uint32_t n_steps = 0;
    for (; n_left > 0; n_steps++) {
        LFT_OK(lfm2_engine_step(engine, &n_left));
        lft_drain(engine, outcomes);
        assert_true(n_steps < 100000);
    }
    return n_steps;
}

/* ---- Alone ---- */

static int32_t note_token(void *user, const lfm2_generated_token *token)
{
    lft_text *t = user;
    append(t, token->text, token->len);
    t->n_tokens += token->id >= 0;
    t->logprobs += (double)token->logprob;
    return 0;
}

lft_text lft_alone(lfm2_model *model, const lfm2_request_options *r, uint32_t n_ctx, uint32_t index)
{
    lft_text t = {.stop_id = -1};
    append(&t, "", 0);
    lfm2_sampler_options so = *r->sampler;
    so.seed += index;
    lfm2_sampler *sampler = NULL;
    LFT_OK(lfm2_sampler_create(model, &so, &sampler));
    lfm2_session *session = lft_session(model, n_ctx, 0, LFM2_KV_F16);
    lfm2_generate_options go;
    lfm2_generate_options_init(&go, sizeof go);
    go.max_tokens = r->max_tokens;
    go.flags = r->flags & (LFM2_REQUEST_IGNORE_EOS | LFM2_REQUEST_SPECIAL);
    go.stop_ids = r->stop_ids;
    go.n_stop_ids = r->n_stop_ids;
    go.stop_strings = r->stop_strings;
    go.n_stop_strings = r->n_stop_strings;
    go.n_top = r->n_top;
    go.constraint = r->constraint;
    go.callback = note_token;
    go.callback_user = &t;
    lfm2_generate_result result = {.size = sizeof result};
    LFT_OK(lfm2_generate(session, sampler, r->prompt, r->n_prompt, &go, &result));
    t.finish = result.finish;
    t.stop_id = result.stop_id;
    t.n_generated = result.n_generated;
    uint32_t n = lfm2_session_length(session) - (uint32_t)r->n_prompt;
    set_ids(&t, NULL, 0);
    t.ids = realloc(t.ids, (n + 2) * sizeof *t.ids);
    assert_non_null(t.ids);
    LFT_OK(lfm2_session_tokens(session, (uint32_t)r->n_prompt, n, t.ids));
    if (result.excluded_id >= 0) {
        t.ids[n++] = result.excluded_id;
    }
    t.n_ids = n;
    t.finished = true;
    lfm2_session_free(session);
    lfm2_sampler_free(sampler);
    return t;
}

void lft_expect_text(const lft_text *got, const lft_text *expected)
{
    assert_true(got->finished);
    assert_int_equal(got->n_ids, expected->n_ids);
    assert_memory_equal(got->ids, expected->ids, got->n_ids * sizeof *got->ids);
    assert_int_equal(got->finish, expected->finish);
    assert_int_equal(got->stop_id, expected->stop_id);
    assert_int_equal(got->n_generated, expected->n_generated);
    assert_int_equal(got->n_tokens, expected->n_tokens);
    assert_string_equal(got->text, expected->text);
    assert_true(!(got->logprobs < expected->logprobs) && !(got->logprobs > expected->logprobs));
}

void lft_expect_alone(const lft_outcomes *outcomes, uint64_t id, lfm2_model *model,
                      const lfm2_request_options *request, uint32_t n_ctx)
{
    lft_text alone = lft_alone(model, request, n_ctx, 0);
    assert_int_equal(outcomes->of[id].status, LFM2_OK);
    lft_expect_text(&outcomes->of[id].choices[0], &alone);
    lft_text_free(&alone);
}
