/* SPDX-License-Identifier: Apache-2.0 */
/* Generation: text, the end of the context, what is refused. */
#include "support/dictation.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

#include <math.h>
#include <stdlib.h>
#include <string.h>

static lfm2_model *model;
static uint32_t n_vocab;
static int32_t eos;

/* ---- Text ---- */

/* Only whole characters are reported, each as soon as its last byte is generated. */
static void test_characters(void **state)
{
    (void)state;
    static const char text[] = "a\xC3\xA9\xE2\x82\xAC\xF0\x9F\x98\x80!";
    static const size_t ends[] = {1, 1, 3, 3, 3, 6, 6, 6, 6, 10, 11};
    int32_t ids[64];
    lft_dictation d = lft_dictation_begin(model, ids, lft_spell(model, text, ids));
    LFT_OK(lft_dictate(&d, lft_prompt, LFT_N_PROMPT));
    assert_int_equal(d.result.finish, LFM2_FINISH_LENGTH);
    assert_int_equal(d.result.n_generated, 11);
    assert_int_equal(d.result.n_prompt, LFT_N_PROMPT);
    assert_int_equal(d.result.stop_id, -1);
    assert_true(d.result.prompt_seconds >= 0 && d.result.generate_seconds >= 0);
    assert_string_equal(d.text, text);
    assert_int_equal(d.calls, 11);
    for (int i = 0; i < 11; i++) {
        assert_int_equal(d.text_end[i], ends[i]);
        assert_int_equal(d.token_id[i], ids[i]);
    }
    lft_dictation_end(&d);
}

static void expect_text(const char *dictated, const char *reported, int flushes)
{
    int32_t ids[64];
    lft_dictation d = lft_dictation_begin(model, ids, lft_spell(model, dictated, ids));
    LFT_OK(lft_dictate(&d, lft_prompt, LFT_N_PROMPT));
    assert_string_equal(d.text, reported);
    assert_int_equal(d.calls, (int)strlen(dictated) + flushes);
    if (flushes > 0) {
        assert_int_equal(d.token_id[d.calls - 1], -1);
    }
    lft_dictation_end(&d);
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
    int32_t ids[2] = {0, lft_byte_token(model, 'x')};
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
    lft_dictation d = lft_dictation_begin(model, ids, 2);
    d.options.flags = LFM2_GENERATE_IGNORE_EOS;
    LFT_OK(lft_dictate(&d, lft_prompt, LFT_N_PROMPT));
    assert_string_equal(d.text, "x");
    assert_int_equal(d.calls, 2); /* it is reported, without text */
    d.options.flags |= LFM2_GENERATE_SPECIAL;
    LFT_OK(lft_dictate(&d, lft_prompt, LFT_N_PROMPT));
    assert_int_equal(d.len, len + 1);
    assert_memory_equal(d.text, name, len);
    lft_dictation_end(&d);
}

/* ---- Limits ---- */

static void test_context(void **state)
{
    (void)state;
    int32_t id = lft_byte_token(model, 'm');
    lft_dictation d = lft_dictation_begin(model, &id, 1);
    d.options.max_tokens = 0;
    LFT_OK(lft_dictate(&d, lft_prompt, LFT_N_PROMPT));
    assert_int_equal(d.result.finish, LFM2_FINISH_CONTEXT);
    assert_int_equal(lfm2_session_length(d.session), LFT_N_CTX);
    /* one more token than fits is chosen and reported */
    assert_int_equal(d.result.n_generated, LFT_N_CTX - LFT_N_PROMPT + 1);
    assert_int_equal(d.len, LFT_N_CTX - LFT_N_PROMPT + 1);
    assert_int_equal(d.result.excluded_id, id);
    LFT_FAILS(lft_dictate(&d, lft_prompt, 1), LFM2_E_LIMIT);
    assert_int_equal(lfm2_session_length(d.session), LFT_N_CTX);
    LFT_OK(lft_dictate(&d, NULL, 0)); /* no space left, but there are logits */
    assert_int_equal(d.result.finish, LFM2_FINISH_CONTEXT);
    assert_int_equal(d.result.n_generated, 1);
    assert_int_equal(d.result.excluded_id, id);
    lft_dictation_end(&d);
}

/* A bias of -infinity for every token: the call fails, the session keeps the prompt. */
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
    lfm2_session *session = lft_session(model, LFT_N_CTX, 0, LFM2_KV_F16);
    lfm2_generate_result result = {.size = sizeof result, .finish = 77};
    LFT_FAILS(lfm2_generate(session, sampler, lft_prompt, LFT_N_PROMPT, NULL, &result),
              LFM2_E_STATE);
    assert_int_equal(result.finish, 77);
    assert_int_equal(lfm2_session_length(session), LFT_N_PROMPT);
    lfm2_session_free(session);
    lfm2_sampler_free(sampler);
    free(values);
    free(ids);
}

/* The sampler accepts the prompt and the output. */
static void test_accepted(void **state)
{
    (void)state;
    int32_t ids[4];
    lft_dictation d = lft_dictation_begin(model, ids, lft_spell(model, "aab", ids));
    LFT_OK(lft_dictate(&d, lft_prompt, LFT_N_PROMPT));
    uint32_t sum = 0;
    for (uint32_t i = 0; i < n_vocab; i++) {
        sum += d.sampler->counts[i];
    }
    assert_int_equal(sum, LFT_N_PROMPT + 3);
    assert_int_equal(d.sampler->counts[ids[0]], 2);
    assert_int_equal(d.sampler->counts[300], 1);
    lft_dictation_end(&d);
}

/* ---- What is refused ---- */

/* Generating from a prompt of one token is an argument error with `says` in its message. */
static void refuse(lft_dictation *d, const char *says)
{
    LFT_FAILS(lft_dictate(d, lft_prompt, 1), LFM2_E_ARGUMENT);
    if (strstr(lfm2_last_error(), says) == NULL) {
        fail_msg("'%s' does not say '%s'", lfm2_last_error(), says);
    }
}

static void test_refused(void **state)
{
    (void)state;
    int32_t id = lft_byte_token(model, 'a');
    lft_dictation d = lft_dictation_begin(model, &id, 1);
    const int32_t bad_id = (int32_t)n_vocab;
    LFT_FAILS(lfm2_generate(NULL, d.sampler, lft_prompt, 1, NULL, NULL), LFM2_E_ARGUMENT);
    LFT_FAILS(lfm2_generate(d.session, NULL, lft_prompt, 1, NULL, NULL), LFM2_E_ARGUMENT);
    LFT_FAILS(lft_dictate(&d, NULL, 1), LFM2_E_ARGUMENT);
    LFT_FAILS(lft_dictate(&d, NULL, 0), LFM2_E_ARGUMENT); /* no token to continue from */
    LFT_FAILS(lft_dictate(&d, &bad_id, 1), LFM2_E_ARGUMENT);
    int32_t *many = lft_ids(LFT_N_CTX + 1, n_vocab, 1);
    LFT_FAILS(lft_dictate(&d, many, LFT_N_CTX + 1), LFM2_E_LIMIT);
    free(many);

    lfm2_generate_options good = d.options;
    d.options.n_top = 65;
    refuse(&d, "n_top is 65; allowed: 0 to 64");
    d.options = good;
    d.options.n_stop_ids = 1;
    refuse(&d, "stop_ids is NULL although n_stop_ids is 1");
    d.options = good;
    d.options.n_stop_strings = 1;
    refuse(&d, "stop_strings is NULL although n_stop_strings is 1");
    const char *strings[] = {"ok", NULL};
    d.options.stop_strings = strings;
    d.options.n_stop_strings = 4097;
    refuse(&d, "n_stop_strings is 4097; allowed: 0 to 4096");
    d.options.n_stop_strings = 2;
    refuse(&d, "stop_strings[1]");
    strings[1] = "";
    refuse(&d, "stop_strings[1]");
    strings[1] = "\xA9"; /* not a whole character */
    refuse(&d, "stop_strings[1]");
    d.options = good;
    d.options.size = 4;
    refuse(&d, "size");
    d.options = good;
    d.result.size = 0;
    refuse(&d, "size");
    assert_int_equal(lfm2_session_length(d.session), 0); /* none of these calls appended a token */
    assert_int_equal(d.calls, 0);
    d.result.size = sizeof d.result;
    LFT_OK(lft_dictate(&d, lft_prompt, 1));
    lft_dictation_end(&d);
}

/* A sampler of another vocabulary, a model without a tokenizer. */
static void test_mismatch(void **state)
{
    (void)state;
    lfm2_model *other = lft_open(lft_golden_folder("moe-plain"), 1, LFM2_KERNELS_AUTO, 0);
    lfm2_sampler *sampler = NULL;
    LFT_OK(lfm2_sampler_create(other, NULL, &sampler));
    lfm2_session *session = lft_session(model, LFT_N_CTX, 0, LFM2_KV_F16);
    lfm2_session *textless = lft_session(other, LFT_N_CTX, 0, LFM2_KV_F16);
    LFT_FAILS(lfm2_generate(session, sampler, lft_prompt, 1, NULL, NULL), LFM2_E_ARGUMENT);
    LFT_FAILS(lfm2_generate(textless, sampler, lft_prompt, 1, NULL, NULL), LFM2_E_STATE);
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
        cmocka_unit_test(test_characters),        cmocka_unit_test(test_broken_characters),
        cmocka_unit_test(test_control_tokens),    cmocka_unit_test(test_context),
        cmocka_unit_test(test_nothing_to_choose), cmocka_unit_test(test_accepted),
        cmocka_unit_test(test_refused),           cmocka_unit_test(test_mismatch),
    };
    return cmocka_run_group_tests(tests, begin, end);
}
