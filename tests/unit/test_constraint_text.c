/* SPDX-License-Identifier: Apache-2.0 */
/* Text under constraints, which is the same however its passes are cut: streams, generation with
 * and without drafts, texts that end among forced tokens. */
#include "support/constraints.h"

#include "run/sampler.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { N_CTX = 400, N_PROMPT = 4, MAX_IDS = 300, MAX_TEXT = 4096 };

static lfm2_model *model;
static uint32_t n_vocab;

static const int32_t prompt[N_PROMPT] = {1, 300, 301, 302};

static bool is_set(const uint32_t *bits, int32_t id)
{
    return (bits[id / 32] >> id % 32 & 1) != 0;
}

/* ---- The same text, however it is made ---- */

typedef struct text_record {
    int32_t ids[MAX_IDS];
    float logprobs[MAX_IDS];
    uint32_t forced[MAX_IDS];
    size_t n;
    char text[MAX_TEXT];
    size_t len;
    int32_t finish;
    uint64_t random; /* of the sampler, afterwards */
    int32_t session_ids[N_CTX];
    uint32_t session_length;
    float logit; /* that follows, of one token */
} text_record;

typedef struct trial {
    lfm2_constraint *constraint;
    uint64_t seed;
    uint32_t n_chunk, flags, max_tokens, n_ctx;
    const char *stop;
    int32_t cancel_at;
    lfm2_session *session;
    text_record *out;
} trial;

static lfm2_sampler *make_sampler(uint64_t seed)
{
    lfm2_sampler_options o;
    lfm2_sampler_options_init(&o, sizeof o, NULL);
    o.temperature = seed % 4 == 0 ? 0 : 1.5f;
    o.min_p = seed % 3 == 0 ? 0.1f : 0;
    o.top_k = seed % 5 == 0 ? 40 : 0;
    o.frequency_penalty = seed % 2 == 0 ? 0.3f : 0;
    o.seed = seed;
    lfm2_sampler *sampler = NULL;
    LFT_OK(lfm2_sampler_create(model, &o, &sampler));
    return sampler;
}

static void note(text_record *r, int32_t id, float logprob, uint32_t is_forced, const char *text,
                 size_t len)
{
    assert_true(r->n < MAX_IDS && r->len + len < MAX_TEXT);
    if (id >= 0) {
        r->logprobs[r->n] = logprob;
        r->forced[r->n] = is_forced;
        r->ids[r->n++] = id;
    }
    memcpy(r->text + r->len, text, len);
    r->len += len;
}

static int32_t listen(void *user, const lfm2_generated_token *token)
{
    const trial *t = user;
    assert_true(token->forced == 0 || (token->logprob == 0 && token->n_top == 0));
    note(t->out, token->id, token->logprob, token->forced, token->text, token->len);
    if (t->cancel_at > 0 && (int32_t)t->out->n == t->cancel_at) {
        lfm2_session_cancel(t->session);
    }
    return 0;
}

static void finish(const trial *t, text_record *r, const lfm2_sampler *sampler)
{
    r->random = sampler->random;
    r->session_length = lfm2_session_length(t->session);
    LFT_OK(lfm2_session_tokens(t->session, 0, r->session_length, r->session_ids));
    const float *logits = NULL;
    LFT_OK(lfm2_session_logits(t->session, &logits, NULL));
    r->logit = logits[n_vocab / 2];
}

/* With lfm2_generate. */
static void generate(trial t, text_record *r, uint32_t *n_forced)
{
    memset(r, 0, sizeof *r);
    lfm2_sampler *sampler = make_sampler(t.seed);
    uint32_t n_ctx = t.n_ctx != 0 ? t.n_ctx : N_CTX;
    t.session = t.seed % 2 == 0 ? lft_session(model, n_ctx, t.n_chunk, LFM2_KV_F16)
                                : lft_reserved(model, n_ctx, t.n_chunk, LFM2_KV_F16);
    t.out = r;
    lfm2_generate_options o;
    lfm2_generate_options_init(&o, sizeof o);
    o.flags = t.flags;
    o.max_tokens = t.max_tokens;
    o.stop_strings = &t.stop;
    o.n_stop_strings = t.stop != NULL;
    o.callback = listen;
    o.callback_user = &t;
    o.constraint = t.constraint;
    lfm2_generate_result result = {.size = sizeof result};
    lft_mark_error();
    lft_expect(lfm2_generate(t.session, sampler, prompt, N_PROMPT, &o, &result),
               t.cancel_at > 0 ? LFM2_E_CANCELLED : LFM2_OK, "lfm2_generate");
    r->finish = result.finish;
    *n_forced = result.n_forced;
    finish(&t, r, sampler);
    lfm2_session_free(t.session);
    lfm2_sampler_free(sampler);
}

static lfm2_stream *make_stream(const trial *t, lfm2_sampler *sampler, lfm2_constraint *constraint)
{
    lfm2_stream_options o;
    lfm2_stream_options_init(&o, sizeof o);
    o.max_tokens = t->max_tokens;
    o.flags = LFM2_STREAM_LOGPROBS;
    o.constraint = constraint;
    lfm2_stream *stream = NULL;
    LFT_OK(lfm2_stream_create(model, sampler, &o, &stream));
    LFT_OK(lfm2_stream_prompt(stream, prompt, N_PROMPT));
    return stream;
}

/* One step: a sampled token, which the session gets. */
static void sample_step(lfm2_session *session, lfm2_stream *stream, lfm2_stream_step *step)
{
    const float *logits = NULL;
    size_t n = 0;
    LFT_OK(lfm2_session_logits(session, &logits, &n));
    LFT_OK(lfm2_stream_sample(stream, logits, n, step));
    LFT_OK(lfm2_session_decode(session, step->id));
}

/* Forced tokens in one pass. */
static void forced_steps(lfm2_session *session, lfm2_stream *stream, text_record *r,
                         lfm2_stream_step *step)
{
    int32_t ids[256];
    size_t n = 0, used = 0;
    LFT_OK(lfm2_stream_forced(stream, ids, 256, &n));
    while (used < n && step->finish == 0) {
        LFT_OK(lfm2_stream_force(stream, ids[used++], NULL, 0, step));
        assert_int_equal(step->forced, 1);
        if (step->finish != LFM2_FINISH_STOP_TOKEN) {
            note(r, step->id, step->logprob, 1, step->text, step->len);
        }
    }
    if (used > 0) {
        LFT_OK(lfm2_session_prefill(session, ids, used));
    }
}

/* With a stream: forced tokens one by one, or in passes. */
static void stream_text(trial t, bool passes, text_record *r)
{
    memset(r, 0, sizeof *r);
    lfm2_sampler *sampler = make_sampler(t.seed);
    lfm2_stream *stream = make_stream(&t, sampler, t.constraint);
    t.session = lft_session(model, N_CTX, t.n_chunk, LFM2_KV_F16);
    LFT_OK(lfm2_session_prefill(t.session, prompt, N_PROMPT));
    lfm2_stream_step step = {.size = sizeof step};
    while (step.finish == 0) {
        if (passes) {
            forced_steps(t.session, stream, r, &step);
        }
        if (step.finish == 0) {
            sample_step(t.session, stream, &step);
            if (step.finish != LFM2_FINISH_STOP_TOKEN) {
                note(r, step.id, step.logprob, step.forced, step.text, step.len);
            }
        }
    }
    r->finish = step.finish;
    LFT_OK(lfm2_stream_flush(stream, &step));
    note(r, -1, 0, 0, step.text, step.len);
    finish(&t, r, sampler);
    lfm2_session_free(t.session);
    lfm2_stream_free(stream);
    lfm2_sampler_free(sampler);
}

/* Excludes what the matcher does not allow, as the definition says. */
static int32_t mask_hook(void *user, float *logits, size_t n)
{
    lfm2_matcher *m = user;
    uint32_t *bits = malloc((n + 31) / 32 * sizeof *bits);
    assert_non_null(bits);
    LFT_OK(lfm2_matcher_mask(m, bits, (n + 31) / 32));
    for (size_t i = 0; i < n; i++) {
        logits[i] = is_set(bits, (int32_t)i) ? logits[i] : -INFINITY;
    }
    free(bits);
    return 0;
}

/* By the definition: a stream without constraint, a matcher and a hook. */
static void defined_text(trial t, text_record *r)
{
    memset(r, 0, sizeof *r);
    lfm2_sampler *sampler = make_sampler(t.seed);
    lfm2_stream *stream = make_stream(&t, sampler, NULL);
    lfm2_matcher *m = lft_matcher(t.constraint);
    t.session = lft_session(model, N_CTX, t.n_chunk, LFM2_KV_F16);
    LFT_OK(lfm2_stream_set_hook(stream, mask_hook, m));
    LFT_OK(lfm2_session_prefill(t.session, prompt, N_PROMPT));
    lfm2_stream_step step = {.size = sizeof step};
    while (step.finish == 0) {
        int32_t ids[256];
        size_t n = 0;
        LFT_OK(lfm2_matcher_forced(m, ids, 256, &n));
        if (n > 0) {
            LFT_OK(lfm2_stream_force(stream, ids[0], NULL, 0, &step));
            LFT_OK(lfm2_session_decode(t.session, step.id));
        } else {
            sample_step(t.session, stream, &step);
        }
        LFT_OK(lfm2_matcher_accept(m, step.id));
        if (step.finish != LFM2_FINISH_STOP_TOKEN) {
            note(r, step.id, step.logprob, n > 0, step.text, step.len);
        }
    }
    r->finish = step.finish;
    LFT_OK(lfm2_stream_flush(stream, &step));
    note(r, -1, 0, 0, step.text, step.len);
    finish(&t, r, sampler);
    lfm2_session_free(t.session);
    lfm2_matcher_free(m);
    lfm2_stream_free(stream);
    lfm2_sampler_free(sampler);
}

static void same_text(void **state)
{
    (void)state;
    lfm2_constraint *c = lft_constraint(model, LFM2_CONSTRAINT_GBNF, lft_record_grammar);
    static text_record defined, other;
    for (uint64_t seed = 0; seed < (lft_sampled() ? 6 : 24); seed++) {
        uint32_t n_forced = 0;
        trial t = {.constraint = c, .seed = seed, .n_chunk = 1};
        defined_text(t, &defined);
        assert_int_equal(defined.finish, LFM2_FINISH_STOP_TOKEN);
        assert_true(lft_allows(c, defined.text));
        stream_text(t, false, &other);
        assert_memory_equal(&defined, &other, sizeof defined);
        stream_text(t, true, &other);
        assert_memory_equal(&defined, &other, sizeof defined);
        const uint32_t chunks[] = {1, 2, 7, 64};
        for (size_t i = 0; i < 4; i++) {
            t.n_chunk = chunks[i];
            for (uint32_t flags = 0; flags <= LFM2_GENERATE_DRAFT; flags += LFM2_GENERATE_DRAFT) {
                t.flags = flags;
                generate(t, &other, &n_forced);
                assert_memory_equal(&defined, &other, sizeof defined);
                assert_true(n_forced > 5);
            }
        }
    }
    lfm2_constraint_free(c);
}

/* The text can end among forced tokens: the session then has them up to there. */
static void ends_among_forced(void **state)
{
    (void)state;
    lfm2_constraint *c = lft_constraint(model, LFM2_CONSTRAINT_GBNF, lft_record_grammar);
    static text_record single, passes;
    for (uint32_t seed = 0; seed < (lft_sampled() ? 10 : 40); seed++) {
        uint32_t n_single = 0, n_passes = 0;
        trial t = {.constraint = c, .seed = seed % 3};
        t.max_tokens = seed % 4 == 0 ? 1 + seed : 0;
        t.n_ctx = seed % 4 == 1 ? N_PROMPT + 1 + seed : 0;
        t.stop = seed % 4 == 2 ? (seed % 8 == 2 ? "favor" : "colors\": [") : NULL;
        t.cancel_at = seed % 4 == 3 ? 1 + (int32_t)seed / 4 : 0;
        t.n_chunk = 1;
        generate(t, &single, &n_single);
        t.n_chunk = 64;
        generate(t, &passes, &n_passes);
        assert_memory_equal(&single, &passes, sizeof single);
        assert_int_equal(n_single, n_passes);
    }
    lfm2_constraint_free(c);
}

/* ---- Streams ---- */

static void stream_rules(void **state)
{
    (void)state;
    lfm2_constraint *c = lft_constraint(model, LFM2_CONSTRAINT_REGEX, "[ab]{2}c?");
    const trial t = {.constraint = c};
    lfm2_sampler *sampler = make_sampler(1);
    lfm2_stream *stream = make_stream(&t, sampler, c);
    lfm2_stream *clone = NULL;
    float *logits = calloc(n_vocab, sizeof *logits);
    int32_t a = 'a', x = 'x';
    size_t n = 0;
    assert_non_null(logits);
    LFT_OK(lfm2_tokenize(model, "a", 1, 0, &a, 1, &n));
    LFT_OK(lfm2_tokenize(model, "x", 1, 0, &x, 1, &n));
    lfm2_stream_step step = {.size = sizeof step};
    LFT_FAILS(lfm2_stream_force(stream, x, NULL, 0, &step), LFM2_E_ARGUMENT);
    assert_string_equal(lfm2_last_error_code(), "constraint.rejected");
    LFT_OK(lfm2_stream_force(stream, a, NULL, 0, &step));
    assert_int_equal(step.forced, 0);
    LFT_OK(lfm2_stream_clone(stream, &clone));
    LFT_OK(lfm2_stream_force(stream, a, NULL, 0, &step));
    /* The clone is where the stream was, and goes its own way. */
    LFT_OK(lfm2_stream_sample(clone, logits, n_vocab, &step));
    LFT_FAILS(lfm2_stream_force(clone, x, NULL, 0, &step), LFM2_E_ARGUMENT);
    /* Logits that favor what is not allowed change nothing; those of allowed tokens decide. */
    for (uint32_t i = 0; i < n_vocab; i++) {
        logits[i] = (int32_t)i == x ? 1000 : 0;
    }
    LFT_OK(lfm2_stream_sample(stream, logits, n_vocab, &step));
    assert_true(step.id != x);
    assert_true(step.logprob < 0 || step.finish != 0); /* that of the raw logits */
    LFT_OK(lfm2_stream_flush(stream, &step));
    /* From the beginning again. */
    LFT_OK(lfm2_stream_forced(stream, NULL, 0, &n));
    assert_int_equal(n, 0);
    LFT_OK(lfm2_stream_force(stream, a, NULL, 0, &step));
    lfm2_stream_free(clone);
    lfm2_stream_free(stream);
    lfm2_sampler_free(sampler);
    lfm2_constraint_free(c);
    free(logits);
}

/* With LFM2_STREAM_IGNORE_EOS the text ends where nothing else can follow, and only there. */
static void ignored_ends(void **state)
{
    (void)state;
    lfm2_constraint *c = lft_constraint(model, LFM2_CONSTRAINT_REGEX, "[ab]{0,5}");
    lfm2_stream_options o;
    lfm2_stream_options_init(&o, sizeof o);
    o.constraint = c;
    o.flags = LFM2_STREAM_IGNORE_EOS;
    float *logits = calloc(n_vocab, sizeof *logits);
    assert_non_null(logits);
    for (uint64_t seed = 0; seed < 5; seed++) {
        lfm2_sampler *sampler = make_sampler(seed);
        lfm2_stream *stream = NULL;
        LFT_OK(lfm2_stream_create(model, sampler, &o, &stream));
        lfm2_stream_step step = {.size = sizeof step};
        size_t len = 0;
        while (step.finish == 0) {
            LFT_OK(lfm2_stream_sample(stream, logits, n_vocab, &step));
            len += step.len;
        }
        assert_int_equal(len, 5);
        assert_int_equal(step.finish, LFM2_FINISH_STOP_TOKEN);
        assert_int_equal(step.forced, 1);
        lfm2_stream_free(stream);
        lfm2_sampler_free(sampler);
    }
    free(logits);
    lfm2_constraint_free(c);
}

/* A constraint of another model. */
static void other_model(void **state)
{
    (void)state;
    lfm2_constraint *c = lft_constraint(model, LFM2_CONSTRAINT_REGEX, "a");
    lfm2_model *other = lft_open(lft_tiny("Q4_0"), 1, LFM2_KERNELS_AUTO, 0);
    lfm2_sampler *sampler = NULL;
    LFT_OK(lfm2_sampler_create(other, NULL, &sampler));
    lfm2_stream_options o;
    lfm2_stream_options_init(&o, sizeof o);
    o.constraint = c;
    lfm2_stream *stream = NULL;
    LFT_FAILS(lfm2_stream_create(other, sampler, &o, &stream), LFM2_E_ARGUMENT);
    assert_string_equal(lfm2_last_error_code(), "generate.constraint");
    lfm2_sampler_free(sampler);
    lfm2_model_free(other);
    lfm2_constraint_free(c);
}

static int setup(void **state)
{
    (void)state;
    model = lft_open(lft_tiny("Q4_0"), 1, LFM2_KERNELS_AUTO, 0);
    n_vocab = lft_vocab(model);
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
        cmocka_unit_test(same_text),    cmocka_unit_test(ends_among_forced),
        cmocka_unit_test(stream_rules), cmocka_unit_test(ignored_ends),
        cmocka_unit_test(other_model),
    };
    return cmocka_run_group_tests(tests, setup, teardown);
}
