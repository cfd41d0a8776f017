/* SPDX-License-Identifier: Apache-2.0 */
/* Streams with sessions: the same tokens, text and log-probabilities as lfm2_generate, alone, in a
 * batch, and from a clone. */
#include "support/models.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

#include <string.h>

enum { N_CTX = 128, N_PROMPT = 4, MAX_STEPS = 64, MAX_TEXT = 1024, N_TOP = 3, N_SEQUENCES = 4 };

static lfm2_model *model;
static uint32_t n_vocab;
static const int32_t prompts[N_SEQUENCES][N_PROMPT] = {
    {1, 300, 301, 302}, {1, 310, 301, 305}, {1, 340, 2, 302}, {1, 311, 310, 309}};
static const char *const stops[] = {"e", " the", "zz"};

/* ---- What was generated ---- */

typedef struct record {
    int32_t ids[MAX_STEPS];
    float logprobs[MAX_STEPS];
    int32_t top_ids[MAX_STEPS][N_TOP];
    float top_logprobs[MAX_STEPS][N_TOP];
    size_t text_end[MAX_STEPS];
    int32_t n, finish;
    size_t len;
    char text[MAX_TEXT];
} record; /* without padding */

static void write_down(record *r, int32_t id, const char *text, size_t len)
{
    assert_true(r->len + len < MAX_TEXT && r->n < MAX_STEPS);
    memcpy(r->text + r->len, text, len);
    r->len += len;
    if (id >= 0) {
        r->ids[r->n] = id;
        r->text_end[r->n++] = r->len;
    }
}

static void write_down_step(record *r, const lfm2_stream_step *step)
{
    r->finish = step->finish;
    if (step->finish == LFM2_FINISH_STOP_TOKEN && step->id >= 0) {
        return; /* lfm2_generate does not report it */
    }
    if (step->id >= 0) {
        assert_int_equal(step->n_top, N_TOP);
        r->logprobs[r->n] = step->logprob;
        memcpy(r->top_ids[r->n], step->top_ids, sizeof r->top_ids[0]);
        memcpy(r->top_logprobs[r->n], step->top_logprobs, sizeof r->top_logprobs[0]);
    }
    write_down(r, step->id, step->text, step->len);
}

static int32_t listen(void *user, const lfm2_generated_token *token)
{
    record *r = user;
    if (token->id >= 0) {
        assert_int_equal(token->n_top, N_TOP);
        r->logprobs[r->n] = token->logprob;
        memcpy(r->top_ids[r->n], token->top_ids, sizeof r->top_ids[0]);
        memcpy(r->top_logprobs[r->n], token->top_logprobs, sizeof r->top_logprobs[0]);
    }
    write_down(r, token->id, token->text, token->len);
    return 0;
}

static lfm2_sampler *sampler_of(int which)
{
    lfm2_sampler_options o;
    lfm2_sampler_options_init(&o, sizeof o, model);
    o.temperature = which % 2 == 0 ? 1.2f : 0.7f;
    o.min_p = 0.01f;
    o.penalty_last_n = which < 2 ? -1 : 5;
    o.seed = (uint64_t)which + 20;
    lfm2_sampler *sampler = NULL;
    LFT_OK(lfm2_sampler_create(model, &o, &sampler));
    return sampler;
}

/* A longer text without stop strings, or one that they end. */
static uint32_t n_stops_of(int which)
{
    return which % 2 == 0 ? 3 : 0;
}

static record generated(int which)
{
    lfm2_session *session = lft_session(model, N_CTX, 0, LFM2_KV_F16);
    lfm2_sampler *sampler = sampler_of(which);
    record r = {.n = 0};
    lfm2_generate_options o;
    lfm2_generate_options_init(&o, sizeof o);
    o.max_tokens = 40;
    o.stop_strings = stops;
    o.n_stop_strings = n_stops_of(which);
    o.n_top = N_TOP;
    o.callback = listen;
    o.callback_user = &r;
    lfm2_generate_result result = {.size = sizeof result};
    LFT_OK(lfm2_generate(session, sampler, prompts[which], N_PROMPT, &o, &result));
    r.finish = result.finish;
    lfm2_sampler_free(sampler);
    lfm2_session_free(session);
    return r;
}

static lfm2_stream *stream_of(int which)
{
    lfm2_stream_options o;
    lfm2_stream_options_init(&o, sizeof o);
    o.max_tokens = 40;
    o.stop_strings = stops;
    o.n_stop_strings = n_stops_of(which);
    o.n_top = N_TOP;
    lfm2_sampler *sampler = sampler_of(which);
    lfm2_stream *stream = NULL;
    LFT_OK(lfm2_stream_create(model, sampler, &o, &stream));
    lfm2_sampler_free(sampler);
    LFT_OK(lfm2_stream_prompt(stream, prompts[which], N_PROMPT));
    return stream;
}

static lfm2_stream_step step_of(lfm2_stream *stream, lfm2_session *session, record *r)
{
    const float *logits = NULL;
    size_t n = 0;
    LFT_OK(lfm2_session_logits(session, &logits, &n));
    lfm2_stream_step step = {.size = sizeof step};
    LFT_OK(lfm2_stream_sample(stream, logits, n, &step));
    write_down_step(r, &step);
    return step;
}

static void finish(lfm2_stream *stream, record *r)
{
    lfm2_stream_step step = {.size = sizeof step};
    LFT_OK(lfm2_stream_flush(stream, &step));
    write_down_step(r, &step);
}

static void expect_same(const record *a, const record *b)
{
    assert_int_equal(a->n, b->n);
    assert_int_equal(a->len, b->len);
    assert_memory_equal(a->text, b->text, a->len);
    assert_memory_equal(a, b, sizeof *a);
}

/* ---- Tests ---- */

static void test_alone(void **state)
{
    (void)state;
    int n_ended = 0;
    for (int which = 0; which < N_SEQUENCES; which++) {
        record expected = generated(which);
        lfm2_session *session = lft_session(model, N_CTX, 0, LFM2_KV_F16);
        lfm2_stream *stream = stream_of(which);
        LFT_OK(lfm2_session_prefill(session, prompts[which], N_PROMPT));
        record r = {.n = 0};
        for (int32_t end = 0; end == 0;) {
            lfm2_stream_step step = step_of(stream, session, &r);
            end = step.finish;
            LFT_OK(lfm2_session_decode(session, step.id));
        }
        finish(stream, &r);
        expect_same(&r, &expected);
        n_ended += r.finish == LFM2_FINISH_STOP_STRING;
        lfm2_stream_free(stream);
        lfm2_session_free(session);
    }
    assert_true(n_ended > 0 && n_ended < N_SEQUENCES); /* both kinds of end */
}

/* All sequences in one pass; those whose text ended leave the batch. */
static void test_batch(void **state)
{
    (void)state;
    lfm2_session *sessions[N_SEQUENCES];
    lfm2_stream *streams[N_SEQUENCES];
    record records[N_SEQUENCES] = {{.n = 0}};
    int which[N_SEQUENCES];
    uint32_t n = N_SEQUENCES;
    for (int i = 0; i < N_SEQUENCES; i++) {
        which[i] = i;
        sessions[i] = lft_session(model, N_CTX, 0, LFM2_KV_F16);
        streams[i] = stream_of(i);
        LFT_OK(lfm2_session_prefill(sessions[i], prompts[i], N_PROMPT));
    }
    while (n > 0) {
        lfm2_session *batch[N_SEQUENCES];
        int32_t ids[N_SEQUENCES];
        uint32_t kept = 0;
        for (uint32_t i = 0; i < n; i++) {
            int w = which[i];
            lfm2_stream_step step = step_of(streams[w], sessions[w], &records[w]);
            if (step.finish != 0) {
                finish(streams[w], &records[w]);
                continue;
            }
            batch[kept] = sessions[w];
            ids[kept] = step.id;
            which[kept++] = w;
        }
        n = kept;
        if (n > 0) {
            LFT_OK(lfm2_session_decode_many(batch, ids, n));
        }
    }
    for (int i = 0; i < N_SEQUENCES; i++) {
        record expected = generated(i);
        expect_same(&records[i], &expected);
        lfm2_stream_free(streams[i]);
        lfm2_session_free(sessions[i]);
    }
}

/* A clone made after any number of steps writes the same text; its original is not affected. */
static void test_clone(void **state)
{
    (void)state;
    for (int which = 0; which < N_SEQUENCES; which++) {
        record expected = generated(which);
        for (int at = 0; at < expected.n; at++) {
            lfm2_session *session = lft_session(model, N_CTX, 0, LFM2_KV_F16);
            lfm2_stream *stream = stream_of(which);
            LFT_OK(lfm2_session_prefill(session, prompts[which], N_PROMPT));
            record r = {.n = 0};
            record copy = {.n = 0};
            lfm2_stream *clone = NULL;
            for (int i = 0; r.finish == 0; i++) {
                if (i == at) {
                    LFT_OK(lfm2_stream_clone(stream, &clone));
                    copy = r;
                }
                lfm2_stream_step step = step_of(stream, session, &r);
                if (i >= at) {
                    step_of(clone, session, &copy);
                }
                LFT_OK(lfm2_session_decode(session, step.id));
            }
            finish(stream, &r);
            lfm2_stream_free(stream);
            finish(clone, &copy);
            expect_same(&r, &expected);
            expect_same(&copy, &expected);
            lfm2_stream_free(clone);
            lfm2_session_free(session);
        }
    }
}

/* A clone with another seed writes another text, with the same penalties. */
static void test_reseeded_clone(void **state)
{
    (void)state;
    lfm2_session *session = lft_session(model, N_CTX, 0, LFM2_KV_F16);
    LFT_OK(lfm2_session_prefill(session, prompts[1], N_PROMPT));
    lfm2_stream *stream = stream_of(1);
    lfm2_stream *clone = NULL;
    LFT_OK(lfm2_stream_clone(stream, &clone));
    assert_ptr_not_equal(lfm2_stream_sampler(clone), lfm2_stream_sampler(stream));
    lfm2_sampler_options o;
    lfm2_sampler_options_init(&o, sizeof o, model);
    o.temperature = 0.7f;
    o.min_p = 0.01f;
    o.seed = 1000;
    LFT_OK(lfm2_sampler_configure(lfm2_stream_sampler(clone), &o));
    record a = {.n = 0};
    record b = {.n = 0};
    for (int i = 0; i < 12; i++) { /* always of the same logits */
        step_of(stream, session, &a);
        step_of(clone, session, &b);
    }
    assert_memory_not_equal(a.ids, b.ids, sizeof a.ids);
    lfm2_stream_free(stream);
    lfm2_stream_free(clone);
    lfm2_session_free(session);
}

static int begin(void **state)
{
    (void)state;
    model = lft_open(lft_tiny("q4_0"), 1, LFM2_KERNELS_AUTO, 0);
    n_vocab = lft_vocab(model);
    assert_true(n_vocab > 340);
    return 0;
}

static int end(void **state)
{
    (void)state;
    lfm2_model_free(model);
    lft_end();
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_alone),
        cmocka_unit_test(test_batch),
        cmocka_unit_test(test_clone),
        cmocka_unit_test(test_reseeded_clone),
    };
    return cmocka_run_group_tests(tests, begin, end);
}
