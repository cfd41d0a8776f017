/* SPDX-License-Identifier: Apache-2.0 */
/* Generation: text, stop conditions, and what is left in the session. Most tests
 * dictate the tokens: the callback sets a bias that nothing else can beat. */
#include "support/models.h"

#include "run/sampler.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { MOST_TEXT = 4096, MOST_CALLS = 256, N_CTX = 128 };

static lfm2_model *model;
static uint32_t n_vocab;
static int32_t eos;

/* ---- Dictated generation ---- */

typedef struct dictation {
    const int32_t *ids; /* what shall be chosen, token after token; the last one from then on */
    size_t n, at;
    lfm2_sampler *sampler;
    lfm2_session *session;
    char text[MOST_TEXT];
    size_t len;
    size_t text_end[MOST_CALLS]; /* length of the text after each call */
    int32_t token_id[MOST_CALLS];
    int calls;
    int stop_at, cancel_at; /* at which call, from 1; 0: never */
    lfm2_generate_options options;
    lfm2_generate_result result;
} dictation;

static void dictate(dictation *d)
{
    d->sampler->bias_ids[0] = d->ids[d->at < d->n ? d->at : d->n - 1];
}

static int32_t listen(void *user, const lfm2_generated_token *token)
{
    dictation *d = user;
    assert_int_equal(token->size, sizeof *token);
    assert_true(d->len + token->len < MOST_TEXT && d->calls < MOST_CALLS);
    assert_int_equal(token->text[token->len], '\0');
    memcpy(d->text + d->len, token->text, token->len);
    d->len += token->len;
    d->text[d->len] = '\0';
    d->text_end[d->calls] = d->len;
    d->token_id[d->calls] = token->id;
    d->calls++;
    if (token->id >= 0) {
        assert_int_equal(token->id, d->ids[d->at < d->n ? d->at : d->n - 1]);
        assert_true(token->logprob <= 0);
        d->at++;
        dictate(d);
    }
    if (d->calls == d->cancel_at) {
        lfm2_session_cancel(d->session);
    }
    return d->calls == d->stop_at ? 5 : 0;
}

static dictation begin_with(const int32_t *ids, size_t n)
{
    dictation d = {.ids = ids, .n = n};
    static const int32_t bias_id = 0;
    static const float bias_value = 1e30f;
    lfm2_sampler_options o;
    lfm2_sampler_options_init(&o, sizeof o, NULL);
    o.temperature = 0;
    o.repetition_penalty = 1;
    o.bias_ids = &bias_id;
    o.bias_values = &bias_value;
    o.n_bias = 1;
    LFT_OK(lfm2_sampler_create(model, &o, &d.sampler));
    d.session = lft_session(model, N_CTX, 0, LFM2_KV_F16);
    lfm2_generate_options_init(&d.options, sizeof d.options);
    d.options.callback = listen;
    d.options.max_tokens = (uint32_t)n;
    d.result.size = sizeof d.result;
    dictate(&d);
    return d;
}

static void end_with(dictation *d)
{
    lfm2_sampler_free(d->sampler);
    lfm2_session_free(d->session);
}

static const int32_t PROMPT[] = {1, 300, 301, 302};
enum { N_PROMPT = 4 };

static int32_t run(dictation *d, const int32_t *prompt, size_t n_prompt)
{
    d->options.callback_user = d;
    d->calls = 0;
    d->len = 0;
    d->at = 0;
    dictate(d);
    return lfm2_generate(d->session, d->sampler, prompt, n_prompt, &d->options, &d->result);
}

/* Tokens of single bytes: any text can be dictated. */
static int32_t byte_token(uint8_t byte)
{
    static int32_t table[256];
    if (table[byte] == 0) {
        for (int32_t id = 0; id < (int32_t)n_vocab; id++) {
            const char *bytes = NULL;
            size_t len = 0;
            int32_t kind = 0;
            LFT_OK(lfm2_token_get(model, id, &bytes, &len, &kind));
            if (len == 1 && kind == LFM2_TOKEN_NORMAL && (uint8_t)bytes[0] == byte) {
                table[byte] = id;
            }
        }
        assert_true(table[byte] != 0);
    }
    return table[byte];
}

static size_t spell(const char *text, int32_t *ids)
{
    size_t n = strlen(text);
    for (size_t i = 0; i < n; i++) {
        ids[i] = byte_token((uint8_t)text[i]);
    }
    return n;
}

/* ---- Text ---- */

/* Whole characters only, and each as soon as its last byte is there. */
static void test_characters(void **state)
{
    (void)state;
    static const char text[] = "a\xC3\xA9\xE2\x82\xAC\xF0\x9F\x98\x80!";
    static const size_t ends[] = {1, 1, 3, 3, 3, 6, 6, 6, 6, 10, 11};
    int32_t ids[64];
    dictation d = begin_with(ids, spell(text, ids));
    LFT_OK(run(&d, PROMPT, N_PROMPT));
    assert_int_equal(d.result.finish, LFM2_FINISH_LENGTH);
    assert_int_equal(d.result.n_generated, 11);
    assert_int_equal(d.result.n_prompt, N_PROMPT);
    assert_int_equal(d.result.stop_id, -1);
    assert_true(d.result.prompt_seconds >= 0 && d.result.generate_seconds >= 0);
    assert_string_equal(d.text, text);
    assert_int_equal(d.calls, 11);
    for (int i = 0; i < 11; i++) {
        assert_int_equal(d.text_end[i], ends[i]);
        assert_int_equal(d.token_id[i], ids[i]);
    }
    end_with(&d);
}

static void expect_text(const char *dictated, const char *reported, int flushes)
{
    int32_t ids[64];
    dictation d = begin_with(ids, spell(dictated, ids));
    LFT_OK(run(&d, PROMPT, N_PROMPT));
    assert_string_equal(d.text, reported);
    assert_int_equal(d.calls, (int)strlen(dictated) + flushes);
    if (flushes > 0) {
        assert_int_equal(d.token_id[d.calls - 1], -1);
    }
    end_with(&d);
}

static void test_broken_characters(void **state)
{
    (void)state;
    expect_text("a\xE2\x82", "a\xEF\xBF\xBD", 1);             /* cut at the end: flushed */
    expect_text("a\xE2\x82z", "a\xEF\xBF\xBDz", 0);           /* cut in the middle */
    expect_text("\x80\xFFz", "\xEF\xBF\xBD\xEF\xBF\xBDz", 0); /* never valid */
    expect_text("\xF0\x9F\x98", "\xEF\xBF\xBD", 1);
}

static void test_control_tokens(void **state)
{
    (void)state;
    int32_t ids[2] = {0, byte_token('x')};
    const char *name = NULL;
    size_t len = 0;
    int32_t kind = 0;
    for (int32_t id = 0; id < (int32_t)n_vocab && (kind != LFM2_TOKEN_CONTROL || id < 3); id++) {
        LFT_OK(lfm2_token_get(model, id, &name, &len, &kind));
        ids[0] = id;
    }
    if (ids[0] == eos) {
        ids[0] = 0;
    }
    LFT_OK(lfm2_token_get(model, ids[0], &name, &len, &kind));
    assert_int_equal(kind, LFM2_TOKEN_CONTROL);
    dictation d = begin_with(ids, 2);
    d.options.flags = LFM2_GENERATE_IGNORE_EOS;
    LFT_OK(run(&d, PROMPT, N_PROMPT));
    assert_string_equal(d.text, "x");
    assert_int_equal(d.calls, 2); /* reported all the same, with no text */
    d.options.flags |= LFM2_GENERATE_SPECIAL;
    LFT_OK(run(&d, PROMPT, N_PROMPT));
    assert_int_equal(d.len, len + 1);
    assert_memory_equal(d.text, name, len);
    end_with(&d);
}

/* ---- Stop strings ---- */

typedef struct stop_case {
    const char *stops[3];
    const char *dictated, *reported;
    bool stopped;
} stop_case;

static void check_stop(const stop_case *c)
{
    int32_t ids[64];
    dictation d = begin_with(ids, spell(c->dictated, ids));
    d.options.stop_strings = c->stops;
    while (d.options.n_stop_strings < 3 && c->stops[d.options.n_stop_strings] != NULL) {
        d.options.n_stop_strings++;
    }
    LFT_OK(run(&d, PROMPT, N_PROMPT));
    if (strcmp(d.text, c->reported) != 0 ||
        (d.result.finish == LFM2_FINISH_STOP_STRING) != c->stopped) {
        fail_msg("'%s' stopped by '%s' gave '%s', finish %d", c->dictated, c->stops[0], d.text,
                 d.result.finish);
    }
    assert_int_equal(d.result.stop_id, -1);
    for (int i = 0; i < d.calls; i++) { /* never anything that had to be taken back */
        assert_true(d.text_end[i] <= strlen(c->reported));
    }
    end_with(&d);
}

static void test_stop_strings(void **state)
{
    (void)state;
    static const stop_case cases[] = {
        {{"STOP"}, "xSTOPy", "x", true},
        {{"STOP"}, "xSTy", "xSTy", false},
        {{"STOP"}, "xSTO", "xSTO", false}, /* held back, flushed at the end */
        {{"STOP"}, "STSTOPz", "ST", true},
        {{"aab"}, "aaabz", "a", true},
        {{"abab"}, "abaababz", "aba", true},
        {{"x"}, "xy", "", true},
        {{"abc", "b"}, "zabcz", "za", true}, /* the one that is complete first ends it */
        {{"cd", "abcde"}, "zabcdez", "zab", true},
        {{"\n\n", "User:"}, "a\nUser: b", "a\n", true},
        {{"\xC3\xA9"}, "a\xC3\xA8\xC3\xA9z", "a\xC3\xA8", true},
        {{"\xEF\xBF\xBD"}, "a\x80z", "a", true}, /* what is reported is what counts */
        {{"never"},
         "n\xC3\xA9"
         "ver",
         "n\xC3\xA9"
         "ver",
         false},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        check_stop(&cases[i]);
    }
}

/* A token of a space and three letters, none of them twice. */
static int32_t find_word(char word[5])
{
    for (int32_t id = 0; id < (int32_t)n_vocab; id++) {
        const char *text = NULL;
        size_t len = 0;
        int32_t kind = 0;
        LFT_OK(lfm2_token_get(model, id, &text, &len, &kind));
        if (kind == LFM2_TOKEN_NORMAL && len == 4 && text[0] == ' ' && text[1] != text[2] &&
            text[2] != text[3] && text[1] != text[3]) {
            memcpy(word, text, 4);
            word[4] = '\0';
            return id;
        }
    }
    fail_msg("no such word in the vocabulary");
    return 0;
}

/* A stop string inside one token, and across two of several characters. */
static void test_stop_in_tokens(void **state)
{
    (void)state;
    char word[5];
    int32_t id = find_word(word);
    const int32_t ids[] = {id, id, id};
    dictation d = begin_with(ids, 3);
    const char *stop = word + 2;
    d.options.stop_strings = &stop;
    d.options.n_stop_strings = 1;
    LFT_OK(run(&d, PROMPT, N_PROMPT));
    assert_int_equal(d.result.finish, LFM2_FINISH_STOP_STRING);
    assert_int_equal(d.result.n_generated, 1);
    assert_int_equal(d.len, 2);
    assert_memory_equal(d.text, word, 2);
    const char across[] = {word[3], word[0], word[1], '\0'};
    stop = across;
    LFT_OK(run(&d, PROMPT, N_PROMPT));
    assert_int_equal(d.result.n_generated, 2);
    assert_int_equal(d.len, 3);
    assert_memory_equal(d.text, word, 3);
    assert_int_equal(d.text_end[0], 3); /* the last letter was held back */
    end_with(&d);
}

/* ---- Stop tokens, limits, stopping from outside ---- */

static void test_stop_tokens(void **state)
{
    (void)state;
    int32_t ids[8];
    size_t n = spell("abcdef", ids);
    dictation d = begin_with(ids, n);
    int32_t stops[] = {byte_token('z'), byte_token('d')};
    d.options.stop_ids = stops;
    d.options.n_stop_ids = 2;
    LFT_OK(run(&d, PROMPT, N_PROMPT));
    assert_int_equal(d.result.finish, LFM2_FINISH_STOP_TOKEN);
    assert_int_equal(d.result.stop_id, byte_token('d'));
    assert_int_equal(d.result.n_generated, 3);
    assert_string_equal(d.text, "abc");
    assert_int_equal(lfm2_session_length(d.session), N_PROMPT + 4); /* the stop token included */
    end_with(&d);

    int32_t with_end[] = {byte_token('a'), eos, byte_token('b')};
    d = begin_with(with_end, 3);
    LFT_OK(run(&d, PROMPT, N_PROMPT));
    assert_int_equal(d.result.finish, LFM2_FINISH_STOP_TOKEN);
    assert_int_equal(d.result.stop_id, eos);
    assert_string_equal(d.text, "a");
    d.options.flags = LFM2_GENERATE_IGNORE_EOS;
    LFT_OK(run(&d, NULL, 0));
    assert_int_equal(d.result.finish, LFM2_FINISH_LENGTH);
    assert_string_equal(d.text, "ab");
    assert_int_equal(d.result.n_prompt, 0);
    d.options.stop_ids = &eos; /* asked for by name it ends the text all the same */
    d.options.n_stop_ids = 1;
    LFT_OK(run(&d, NULL, 0));
    assert_int_equal(d.result.finish, LFM2_FINISH_STOP_TOKEN);
    end_with(&d);
}

/* A stop token while text is held back: the text is final. */
static void test_stop_token_flushes(void **state)
{
    (void)state;
    int32_t ids[4];
    spell("xST", ids);
    ids[3] = eos;
    static const char *const stop = "STOP";
    dictation d = begin_with(ids, 4);
    d.options.stop_strings = &stop;
    d.options.n_stop_strings = 1;
    LFT_OK(run(&d, PROMPT, N_PROMPT));
    assert_int_equal(d.result.finish, LFM2_FINISH_STOP_TOKEN);
    assert_string_equal(d.text, "xST");
    assert_int_equal(d.token_id[d.calls - 1], -1);
    end_with(&d);
}

static void test_context(void **state)
{
    (void)state;
    int32_t id = byte_token('m');
    dictation d = begin_with(&id, 1);
    d.options.max_tokens = 0;
    LFT_OK(run(&d, PROMPT, N_PROMPT));
    assert_int_equal(d.result.finish, LFM2_FINISH_CONTEXT);
    assert_int_equal(lfm2_session_length(d.session), N_CTX);
    /* the one after the last that fits is still chosen and reported */
    assert_int_equal(d.result.n_generated, N_CTX - N_PROMPT + 1);
    assert_int_equal(d.len, N_CTX - N_PROMPT + 1);
    assert_int_equal(d.result.excluded_id, id);
    LFT_FAILS(run(&d, PROMPT, 1), LFM2_E_LIMIT);
    assert_int_equal(lfm2_session_length(d.session), N_CTX);
    LFT_OK(run(&d, NULL, 0)); /* no room at all, but there are logits */
    assert_int_equal(d.result.finish, LFM2_FINISH_CONTEXT);
    assert_int_equal(d.result.n_generated, 1);
    assert_int_equal(d.result.excluded_id, id);
    end_with(&d);
}

/* A stop token that the full session does not hold is named as well. */
static void test_stop_token_without_room(void **state)
{
    (void)state;
    int32_t ids[N_CTX];
    for (size_t i = 0; i < N_CTX; i++) {
        ids[i] = i < N_CTX - N_PROMPT ? byte_token('m') : eos;
    }
    dictation d = begin_with(ids, N_CTX);
    d.options.max_tokens = 0;
    LFT_OK(run(&d, PROMPT, N_PROMPT));
    assert_int_equal(d.result.finish, LFM2_FINISH_STOP_TOKEN);
    assert_int_equal(d.result.stop_id, eos);
    assert_int_equal(d.result.excluded_id, eos);
    assert_int_equal(lfm2_session_length(d.session), N_CTX);
    end_with(&d);
}

/* A sampler that forbids every token: the call fails, the session keeps the prompt. */
static void test_nothing_to_choose(void **state)
{
    (void)state;
    int32_t *ids = calloc(n_vocab, sizeof *ids);
    float *values = calloc(n_vocab, sizeof *values);
    assert_true(ids != NULL && values != NULL);
    for (uint32_t i = 0; i < n_vocab; i++) {
        ids[i] = (int32_t)i;
        values[i] = -INFINITY;
    }
    lfm2_sampler_options so;
    lfm2_sampler_options_init(&so, sizeof so, model);
    so.bias_ids = ids;
    so.bias_values = values;
    so.n_bias = n_vocab;
    lfm2_sampler *sampler = NULL;
    LFT_OK(lfm2_sampler_create(model, &so, &sampler));
    lfm2_session *session = lft_session(model, N_CTX, 0, LFM2_KV_F16);
    lfm2_generate_result result = {.size = sizeof result, .finish = 77};
    LFT_FAILS(lfm2_generate(session, sampler, PROMPT, N_PROMPT, NULL, &result), LFM2_E_STATE);
    assert_int_equal(result.finish, 77);
    assert_int_equal(lfm2_session_length(session), N_PROMPT);
    lfm2_session_free(session);
    lfm2_sampler_free(sampler);
    free(values);
    free(ids);
}

static void test_callback_stops(void **state)
{
    (void)state;
    int32_t ids[8];
    dictation d = begin_with(ids, spell("abcdef", ids));
    d.stop_at = 3;
    LFT_FAILS(run(&d, PROMPT, N_PROMPT), LFM2_E_STOPPED);
    assert_string_equal(lfm2_last_error_code(), "generate.stopped");
    assert_int_equal(d.result.finish, LFM2_FINISH_CALLBACK);
    assert_int_equal(d.result.n_prompt, N_PROMPT);
    assert_int_equal(d.result.n_generated, 3);
    assert_int_equal(d.calls, 3);
    assert_string_equal(d.text, "abc");
    assert_int_equal(lfm2_session_length(d.session), N_PROMPT + 3);
    end_with(&d);
}

static void test_cancel(void **state)
{
    (void)state;
    int32_t ids[8];
    dictation d = begin_with(ids, spell("abcdef", ids));
    d.cancel_at = 2;
    LFT_FAILS(run(&d, PROMPT, N_PROMPT), LFM2_E_CANCELLED);
    assert_int_equal(d.result.finish, LFM2_FINISH_CANCELLED);
    assert_int_equal(d.result.n_generated, 2);
    assert_int_equal(lfm2_session_length(d.session), N_PROMPT + 2);
    d.cancel_at = 0;
    LFT_OK(run(&d, NULL, 0)); /* goes on */
    assert_int_equal(d.result.finish, LFM2_FINISH_LENGTH);
    assert_int_equal(d.result.n_generated, 6);

    LFT_OK(lfm2_session_reset(d.session));
    lfm2_session_cancel(d.session); /* before the call: its prompt is cancelled */
    LFT_FAILS(run(&d, PROMPT, N_PROMPT), LFM2_E_CANCELLED);
    assert_int_equal(d.result.finish, LFM2_FINISH_CANCELLED);
    assert_int_equal(d.result.n_generated, 0);
    assert_int_equal(d.result.n_prompt, 0);
    assert_int_equal(lfm2_session_length(d.session), 0);
    LFT_OK(run(&d, PROMPT, N_PROMPT));
    assert_int_equal(d.result.finish, LFM2_FINISH_LENGTH);
    end_with(&d);
}

/* ---- What is left in the session ---- */

static void expect_same_logits(lfm2_session *a, lfm2_session *b)
{
    const float *x = NULL;
    const float *y = NULL;
    size_t n = 0;
    LFT_OK(lfm2_session_logits(a, &x, &n));
    LFT_OK(lfm2_session_logits(b, &y, &n));
    assert_memory_equal(x, y, n * sizeof *x);
}

/* Ends a text in one of the ways, then goes on: as if all tokens had been given at once. */
static void check_continuation(int32_t finish)
{
    int32_t status = finish == LFM2_FINISH_CALLBACK    ? LFM2_E_STOPPED
                     : finish == LFM2_FINISH_CANCELLED ? LFM2_E_CANCELLED
                                                       : LFM2_OK;
    int32_t ids[5];
    spell("abcd", ids);
    ids[4] = eos;
    static const char *const stop = "cd";
    dictation d = begin_with(ids, 5);
    d.options.max_tokens = finish == LFM2_FINISH_LENGTH ? 4 : 0;
    d.stop_at = finish == LFM2_FINISH_CALLBACK ? 4 : 0;
    d.cancel_at = finish == LFM2_FINISH_CANCELLED ? 4 : 0;
    d.options.stop_strings = &stop;
    d.options.n_stop_strings = finish == LFM2_FINISH_STOP_STRING ? 1 : 0;
    LFT_FAILS(run(&d, PROMPT, N_PROMPT), status);
    assert_int_equal(d.result.finish, finish);
    assert_int_equal(d.result.excluded_id, -1);
    size_t n = finish == LFM2_FINISH_STOP_TOKEN ? 5 : 4;
    assert_int_equal(lfm2_session_length(d.session), N_PROMPT + n);

    lfm2_session *whole = lft_session(model, N_CTX, 0, LFM2_KV_F16);
    LFT_OK(lfm2_session_prefill(whole, PROMPT, N_PROMPT));
    LFT_OK(lfm2_session_prefill(whole, ids, n));
    if (finish != LFM2_FINISH_CALLBACK) { /* one way asks for logits in between, one does not */
        expect_same_logits(d.session, whole);
    }
    LFT_OK(lfm2_session_prefill(d.session, PROMPT, 2));
    LFT_OK(lfm2_session_prefill(whole, PROMPT, 2));
    expect_same_logits(d.session, whole);
    LFT_FAILS(run(&d, PROMPT, 1), status); /* and a second turn */
    assert_int_equal(d.result.finish, finish);
    LFT_OK(lfm2_session_prefill(whole, PROMPT, 1));
    LFT_OK(lfm2_session_prefill(whole, ids, n));
    expect_same_logits(d.session, whole);
    LFT_OK(lfm2_session_reset(d.session));
    LFT_OK(lfm2_session_reset(whole));
    LFT_OK(lfm2_session_decode(d.session, 9));
    LFT_OK(lfm2_session_decode(whole, 9));
    expect_same_logits(d.session, whole);
    lfm2_session_free(whole);
    end_with(&d);
}

static void test_continuation(void **state)
{
    (void)state;
    check_continuation(LFM2_FINISH_LENGTH);
    check_continuation(LFM2_FINISH_STOP_TOKEN);
    check_continuation(LFM2_FINISH_STOP_STRING);
    check_continuation(LFM2_FINISH_CALLBACK);
    check_continuation(LFM2_FINISH_CANCELLED);
}

/* A call that is cancelled before it appended a token leaves the logits as they were. */
static void test_cancel_keeps_logits(void **state)
{
    (void)state;
    lfm2_session *whole = lft_session(model, N_CTX, 0, LFM2_KV_F16);
    lfm2_session *session = lft_session(model, N_CTX, 0, LFM2_KV_F16);
    LFT_OK(lfm2_session_prefill(whole, PROMPT, N_PROMPT));
    LFT_OK(lfm2_session_prefill(session, PROMPT, N_PROMPT));
    lfm2_session_cancel(session);
    LFT_FAILS(lfm2_session_decode(session, 9), LFM2_E_CANCELLED);
    expect_same_logits(session, whole);
    lfm2_session_cancel(session);
    LFT_FAILS(lfm2_session_prefill(session, PROMPT, N_PROMPT), LFM2_E_CANCELLED);
    expect_same_logits(session, whole);
    LFT_FAILS(lfm2_session_decode(session, -1), LFM2_E_ARGUMENT);
    expect_same_logits(session, whole);
    lfm2_session_free(session);

    int32_t ids[4]; /* the last token of a text is postponed */
    dictation d = begin_with(ids, spell("abc", ids));
    LFT_OK(run(&d, PROMPT, N_PROMPT));
    LFT_OK(lfm2_session_prefill(whole, ids, 3));
    lfm2_session_cancel(d.session);
    LFT_FAILS(lfm2_session_prefill(d.session, PROMPT, N_PROMPT), LFM2_E_CANCELLED);
    expect_same_logits(d.session, whole);
    lfm2_session_free(whole);
    end_with(&d);
}

/* A cancelled computation of the postponed token leaves it to be computed. */
static void test_cancel_of_postponed(void **state)
{
    (void)state;
    int32_t ids[4];
    dictation d = begin_with(ids, spell("abc", ids));
    LFT_OK(run(&d, PROMPT, N_PROMPT));
    uint32_t length = lfm2_session_length(d.session);
    const float *logits = NULL;
    lfm2_session_cancel(d.session);
    LFT_FAILS(lfm2_session_logits(d.session, &logits, NULL), LFM2_E_CANCELLED);
    assert_int_equal(lfm2_session_length(d.session), length);
    lfm2_session_cancel(d.session);
    LFT_FAILS(lfm2_session_decode(d.session, 5), LFM2_E_CANCELLED);
    assert_int_equal(lfm2_session_length(d.session), length);
    lfm2_session *whole = lft_session(model, N_CTX, 0, LFM2_KV_F16);
    LFT_OK(lfm2_session_prefill(whole, PROMPT, N_PROMPT));
    LFT_OK(lfm2_session_prefill(whole, ids, 3));
    expect_same_logits(d.session, whole);
    lfm2_session_free(whole);
    end_with(&d);
}

/* Prompt and output reach the sampler. */
static void test_accepted(void **state)
{
    (void)state;
    int32_t ids[4];
    dictation d = begin_with(ids, spell("aab", ids));
    LFT_OK(run(&d, PROMPT, N_PROMPT));
    uint32_t sum = 0;
    for (uint32_t i = 0; i < n_vocab; i++) {
        sum += d.sampler->counts[i];
    }
    assert_int_equal(sum, N_PROMPT + 3);
    assert_int_equal(d.sampler->counts[ids[0]], 2);
    assert_int_equal(d.sampler->counts[300], 1);
    end_with(&d);
}

/* ---- What is refused ---- */

static void test_refused(void **state)
{
    (void)state;
    int32_t id = byte_token('a');
    dictation d = begin_with(&id, 1);
    const int32_t bad_id = (int32_t)n_vocab;
    LFT_FAILS(lfm2_generate(NULL, d.sampler, PROMPT, 1, NULL, NULL), LFM2_E_ARGUMENT);
    LFT_FAILS(lfm2_generate(d.session, NULL, PROMPT, 1, NULL, NULL), LFM2_E_ARGUMENT);
    LFT_FAILS(run(&d, NULL, 1), LFM2_E_ARGUMENT);
    LFT_FAILS(run(&d, NULL, 0), LFM2_E_ARGUMENT); /* nothing to go on from */
    LFT_FAILS(run(&d, &bad_id, 1), LFM2_E_ARGUMENT);
    int32_t *many = lft_ids(N_CTX + 1, n_vocab, 1);
    LFT_FAILS(run(&d, many, N_CTX + 1), LFM2_E_LIMIT);
    free(many);

    lfm2_generate_options good = d.options;
    d.options.n_top = 65;
    LFT_FAILS(run(&d, PROMPT, 1), LFM2_E_ARGUMENT);
    d.options = good;
    d.options.n_stop_ids = 1;
    LFT_FAILS(run(&d, PROMPT, 1), LFM2_E_ARGUMENT);
    d.options = good;
    d.options.n_stop_strings = 1;
    LFT_FAILS(run(&d, PROMPT, 1), LFM2_E_ARGUMENT);
    const char *strings[] = {"ok", NULL};
    d.options.stop_strings = strings;
    d.options.n_stop_strings = 2;
    LFT_FAILS(run(&d, PROMPT, 1), LFM2_E_ARGUMENT);
    strings[1] = "";
    LFT_FAILS(run(&d, PROMPT, 1), LFM2_E_ARGUMENT);
    strings[1] = "\xA9"; /* would cut characters */
    LFT_FAILS(run(&d, PROMPT, 1), LFM2_E_ARGUMENT);
    d.options = good;
    d.options.size = 4;
    LFT_FAILS(run(&d, PROMPT, 1), LFM2_E_ARGUMENT);
    d.options = good;
    d.result.size = 0;
    LFT_FAILS(run(&d, PROMPT, 1), LFM2_E_ARGUMENT);
    assert_int_equal(lfm2_session_length(d.session), 0); /* none of these left anything behind */
    assert_int_equal(d.calls, 0);
    d.result.size = sizeof d.result;
    LFT_OK(run(&d, PROMPT, 1));
    end_with(&d);
}

/* A sampler of another vocabulary, a model without a tokenizer. */
static void test_mismatch(void **state)
{
    (void)state;
    lfm2_model *other = lft_open(lft_golden_folder("moe-plain"), 1, LFM2_KERNELS_AUTO, 0);
    lfm2_sampler *sampler = NULL;
    LFT_OK(lfm2_sampler_create(other, NULL, &sampler));
    lfm2_session *session = lft_session(model, N_CTX, 0, LFM2_KV_F16);
    lfm2_session *textless = lft_session(other, N_CTX, 0, LFM2_KV_F16);
    LFT_FAILS(lfm2_generate(session, sampler, PROMPT, 1, NULL, NULL), LFM2_E_ARGUMENT);
    LFT_FAILS(lfm2_generate(textless, sampler, PROMPT, 1, NULL, NULL), LFM2_E_STATE);
    lfm2_session_free(session);
    lfm2_session_free(textless);
    lfm2_sampler_free(sampler);
    lfm2_model_free(other);
}

static int begin(void **state)
{
    (void)state;
    model = lft_open(lft_tiny("q4_0"), 1, LFM2_KERNELS_AUTO, 0);
    lfm2_model_info info = {.size = sizeof info};
    LFT_OK(lfm2_model_get_info(model, &info));
    n_vocab = info.n_vocab;
    eos = info.eos_id;
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
        cmocka_unit_test(test_characters),
        cmocka_unit_test(test_broken_characters),
        cmocka_unit_test(test_control_tokens),
        cmocka_unit_test(test_stop_strings),
        cmocka_unit_test(test_stop_in_tokens),
        cmocka_unit_test(test_stop_tokens),
        cmocka_unit_test(test_stop_token_flushes),
        cmocka_unit_test(test_context),
        cmocka_unit_test(test_stop_token_without_room),
        cmocka_unit_test(test_nothing_to_choose),
        cmocka_unit_test(test_callback_stops),
        cmocka_unit_test(test_cancel),
        cmocka_unit_test(test_continuation),
        cmocka_unit_test(test_cancel_keeps_logits),
        cmocka_unit_test(test_cancel_of_postponed),
        cmocka_unit_test(test_accepted),
        cmocka_unit_test(test_refused),
        cmocka_unit_test(test_mismatch),
    };
    return cmocka_run_group_tests(tests, begin, end);
}
