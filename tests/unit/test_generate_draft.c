/* SPDX-License-Identifier: Apache-2.0 */
/* Generation with drafts: nothing that is generated changes, whether drafts are right or wrong. */
#include "support/models.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

#include <string.h>

enum { N_CTX = 200, N_PROMPT = 8, MAX_STEPS = 200, MAX_TEXT = 4096, N_TOP = 2 };

static lfm2_model *model;
static uint32_t n_vocab;

typedef struct record {
    int32_t n, finish;
    size_t len;
    int32_t ids[MAX_STEPS];
    float logprobs[MAX_STEPS];
    int32_t top_ids[MAX_STEPS][N_TOP];
    float top_logprobs[MAX_STEPS][N_TOP];
    char text[MAX_TEXT];
    uint32_t length; /* of the session */
    uint32_t n_accepted;
} record; /* without padding */

typedef struct trial {
    uint64_t seed;
    float temperature;
    uint32_t max_tokens;
    int32_t stop_at, cancel_at; /* the callback that stops or cancels, from 1; 0: none */
    uint32_t n_chunk;
    const char *stop;
    /* What is changed: */
    bool draft;
    const int32_t *draft_ids;
    size_t n_draft_ids;
    lfm2_session *session;
    record *out;
} trial;

static int32_t listen(void *user, const lfm2_generated_token *token)
{
    const trial *t = user;
    record *r = t->out;
    assert_true(r->len + token->len < MAX_TEXT);
    memcpy(r->text + r->len, token->text, token->len);
    r->len += token->len;
    if (token->id >= 0) {
        assert_true(r->n < MAX_STEPS);
        r->logprobs[r->n] = token->logprob;
        memcpy(r->top_ids[r->n], token->top_ids, sizeof r->top_ids[0]);
        memcpy(r->top_logprobs[r->n], token->top_logprobs, sizeof r->top_logprobs[0]);
        r->ids[r->n++] = token->id;
    }
    if (r->n == t->cancel_at) {
        lfm2_session_cancel(t->session);
    }
    return r->n == t->stop_at;
}

static void expect_same_logits(lfm2_session *a, lfm2_session *b)
{
    const float *x = NULL;
    const float *y = NULL;
    LFT_OK(lfm2_session_logits(a, &x, NULL));
    LFT_OK(lfm2_session_logits(b, &y, NULL));
    assert_memory_equal(x, y, n_vocab * sizeof *x);
}

/* Generates; the caller frees t->session. */
static record generate(trial *t)
{
    static const int32_t prompt[N_PROMPT] = {1, 300, 301, 302, 300, 301, 302, 300};
    record r = {.n = 0};
    lfm2_sampler_options so;
    lfm2_sampler_options_init(&so, sizeof so, model);
    so.temperature = t->temperature;
    so.seed = t->seed;
    lfm2_sampler *sampler = NULL;
    LFT_OK(lfm2_sampler_create(model, &so, &sampler));
    t->session = lft_session(model, N_CTX, t->n_chunk, LFM2_KV_F16);
    t->out = &r;
    lfm2_generate_options o;
    lfm2_generate_options_init(&o, sizeof o);
    o.max_tokens = t->max_tokens;
    o.flags = t->draft ? LFM2_GENERATE_DRAFT : 0;
    o.draft_ids = t->draft_ids;
    o.n_draft_ids = t->n_draft_ids;
    o.n_top = N_TOP;
    o.stop_strings = &t->stop;
    o.n_stop_strings = t->stop != NULL ? 1 : 0;
    o.callback = listen;
    o.callback_user = t;
    lfm2_generate_result result = {.size = sizeof result};
    int32_t status = lfm2_generate(t->session, sampler, prompt, N_PROMPT, &o, &result);
    assert_true(status == LFM2_OK || status == LFM2_E_STOPPED || status == LFM2_E_CANCELLED);
    assert_true(result.n_accepted <= result.n_drafted);
    assert_true(t->draft || result.n_drafted == 0);
    r.finish = result.finish;
    r.length = lfm2_session_length(t->session);
    r.n_accepted = result.n_accepted;
    lfm2_sampler_free(sampler);
    return r;
}

/* Generates without drafts, and with them. Returns how many drafts were accepted. */
static uint32_t compare(const trial *t)
{
    trial plain = *t;
    plain.draft = false;
    trial drafted = *t;
    drafted.draft = true;
    record a = generate(&plain);
    record b = generate(&drafted);
    uint32_t n_accepted = b.n_accepted;
    b.n_accepted = 0;
    assert_string_equal(a.text, b.text);
    assert_int_equal(a.n, b.n);
    assert_int_equal(a.finish, b.finish);
    assert_int_equal(a.length, b.length);
    assert_memory_equal(&a, &b, sizeof a);
    expect_same_logits(plain.session, drafted.session);
    if (a.length + 2 < N_CTX) { /* the next turn */
        LFT_OK(lfm2_session_decode(plain.session, 305));
        LFT_OK(lfm2_session_decode(drafted.session, 305));
        expect_same_logits(plain.session, drafted.session);
    }
    lfm2_session_free(plain.session);
    lfm2_session_free(drafted.session);
    return n_accepted;
}

static record text_of(trial t)
{
    record r = generate(&t);
    lfm2_session_free(t.session);
    return r;
}

/* Drafts of the text itself, and with every 2nd, 5th, ... token wrong. */
static void test_given(void **state)
{
    (void)state;
    static const int32_t errors[] = {0, 1, 2, 5, 17};
    for (uint64_t seed = 0; seed < 6; seed++) {
        trial t = {.seed = seed, .temperature = 0.6f * (float)(seed % 3), .max_tokens = 60};
        record text = text_of(t);
        for (size_t e = 0; e < sizeof errors / sizeof errors[0]; e++) {
            int32_t ids[MAX_STEPS];
            for (int32_t i = 0; i < text.n; i++) {
                bool wrong = errors[e] > 0 && i % errors[e] == errors[e] - 1;
                ids[i] = wrong ? (text.ids[i] + 1) % (int32_t)n_vocab : text.ids[i];
            }
            t.draft_ids = ids;
            t.n_draft_ids = (size_t)text.n;
            uint32_t n_accepted = compare(&t);
            assert_true(errors[e] != 0 || text.n < 20 || n_accepted >= 7);
        }
    }
}

/* Drafts from the text's own n-grams. */
static void test_ngrams(void **state)
{
    (void)state;
    uint32_t n_accepted = 0;
    for (uint64_t seed = 0; seed < 10; seed++) {
        trial t = {.seed = seed, .temperature = 0.3f * (float)(seed % 2), .max_tokens = 100};
        n_accepted += compare(&t);
    }
    assert_true(n_accepted > 0);
}

/* All ways to end, at every token. */
static void test_ends(void **state)
{
    (void)state;
    trial t = {.seed = 3, .max_tokens = 24};
    record text = text_of(t);
    assert_true(text.n > 20);
    t.draft_ids = text.ids;
    t.n_draft_ids = (size_t)text.n;
    for (int32_t at = 1; at < text.n; at++) {
        trial other = t;
        other.stop_at = at;
        compare(&other);
        other = t;
        other.cancel_at = at;
        compare(&other);
        other = t;
        other.max_tokens = (uint32_t)at;
        compare(&other);
        other = t;
        other.n_chunk = (uint32_t)at;
        compare(&other);
    }
    char stop[3] = {0};
    for (size_t at = 0; at + 2 < text.len; at++) {
        memcpy(stop, text.text + at, 2);
        t.stop = stop;
        if ((stop[0] & 0x80) == 0 && (stop[1] & 0x80) == 0) {
            compare(&t);
        }
    }
}

/* A draft that is longer than the context. */
static void test_full(void **state)
{
    (void)state;
    trial t = {.seed = 5};
    record text = text_of(t);
    int32_t ids[MAX_STEPS + 64];
    for (size_t i = 0; i < MAX_STEPS + 64; i++) {
        ids[i] = (int32_t)i < text.n ? text.ids[i] : 300;
    }
    t.draft_ids = ids;
    t.n_draft_ids = MAX_STEPS + 64;
    compare(&t);
}

static void test_refused(void **state)
{
    (void)state;
    lfm2_session *session = lft_session(model, N_CTX, 0, LFM2_KV_F16);
    lfm2_sampler *sampler = NULL;
    LFT_OK(lfm2_sampler_create(model, NULL, &sampler));
    lfm2_generate_options o;
    lfm2_generate_options_init(&o, sizeof o);
    o.flags = LFM2_GENERATE_DRAFT;
    o.n_draft_ids = 2;
    const int32_t prompt = 1;
    LFT_FAILS(lfm2_generate(session, sampler, &prompt, 1, &o, NULL), LFM2_E_ARGUMENT);
    assert_string_equal(lfm2_last_error(), "draft_ids is NULL");
    const int32_t ids[] = {1, (int32_t)n_vocab};
    o.draft_ids = ids;
    LFT_FAILS(lfm2_generate(session, sampler, &prompt, 1, &o, NULL), LFM2_E_ARGUMENT);
    assert_non_null(strstr(lfm2_last_error(), "draft_ids[1] is "));
    assert_int_equal(lfm2_session_length(session), 0);
    lfm2_sampler_free(sampler);
    lfm2_session_free(session);
}

static int begin(void **state)
{
    (void)state;
    model = lft_open(lft_tiny("q4_0"), 1, LFM2_KERNELS_AUTO, 0);
    n_vocab = lft_vocab(model);
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
        cmocka_unit_test(test_given), cmocka_unit_test(test_ngrams),  cmocka_unit_test(test_ends),
        cmocka_unit_test(test_full),  cmocka_unit_test(test_refused),
    };
    return cmocka_run_group_tests(tests, begin, end);
}
