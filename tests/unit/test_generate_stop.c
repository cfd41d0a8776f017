/* SPDX-License-Identifier: Apache-2.0 */
/* How generation stops: stop strings, stop tokens, the callback. */
#include "support/dictation.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

#include <stdbool.h>
#include <string.h>

static lfm2_model *model;
static uint32_t n_vocab;
static int32_t eos;

/* ---- Stop strings ---- */

typedef struct stop_case {
    const char *stops[3];
    const char *dictated, *reported;
    bool stopped;
} stop_case;

static void check_stop(const stop_case *c)
{
    int32_t ids[64];
    lft_dictation d = lft_dictation_begin(model, ids, lft_spell(model, c->dictated, ids));
    d.options.stop_strings = c->stops;
    while (d.options.n_stop_strings < 3 && c->stops[d.options.n_stop_strings] != NULL) {
        d.options.n_stop_strings++;
    }
    LFT_OK(lft_dictate(&d, lft_prompt, LFT_N_PROMPT));
    if (strcmp(d.text, c->reported) != 0 ||
        (d.result.finish == LFM2_FINISH_STOP_STRING) != c->stopped) {
        fail_msg("'%s' stopped by '%s' gave '%s', finish %d", c->dictated, c->stops[0], d.text,
                 d.result.finish);
    }
    assert_int_equal(d.result.stop_id, -1);
    for (int i = 0; i < d.calls; i++) { /* no call reports text after the stop string */
        assert_true(d.text_end[i] <= strlen(c->reported));
    }
    lft_dictation_end(&d);
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
        {{"abc", "b"}, "zabcz", "za", true}, /* the string that is complete first ends the text */
        {{"cd", "abcde"}, "zabcdez", "zab", true},
        {{"\n\n", "User:"}, "a\nUser: b", "a\n", true},
        {{"\xC3\xA9"}, "a\xC3\xA8\xC3\xA9z", "a\xC3\xA8", true},
        {{"\xEF\xBF\xBD"}, "a\x80z", "a", true}, /* compared with the reported text */
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

/* A token of a space and three different letters. */
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

/* A stop string inside one token, and one that crosses two tokens of several characters. */
static void test_stop_in_tokens(void **state)
{
    (void)state;
    char word[5];
    int32_t id = find_word(word);
    const int32_t ids[] = {id, id, id};
    lft_dictation d = lft_dictation_begin(model, ids, 3);
    const char *stop = word + 2;
    d.options.stop_strings = &stop;
    d.options.n_stop_strings = 1;
    LFT_OK(lft_dictate(&d, lft_prompt, LFT_N_PROMPT));
    assert_int_equal(d.result.finish, LFM2_FINISH_STOP_STRING);
    assert_int_equal(d.result.n_generated, 1);
    assert_int_equal(d.len, 2);
    assert_memory_equal(d.text, word, 2);
    const char across[] = {word[3], word[0], word[1], '\0'};
    stop = across;
    LFT_OK(lft_dictate(&d, lft_prompt, LFT_N_PROMPT));
    assert_int_equal(d.result.n_generated, 2);
    assert_int_equal(d.len, 3);
    assert_memory_equal(d.text, word, 3);
    assert_int_equal(d.text_end[0], 3); /* the last letter was held back */
    lft_dictation_end(&d);
}

/* ---- Stop tokens and the callback ---- */

static void test_stop_tokens(void **state)
{
    (void)state;
    int32_t ids[8];
    size_t n = lft_spell(model, "abcdef", ids);
    lft_dictation d = lft_dictation_begin(model, ids, n);
    int32_t stops[] = {lft_byte_token(model, 'z'), lft_byte_token(model, 'd')};
    d.options.stop_ids = stops;
    d.options.n_stop_ids = 2;
    LFT_OK(lft_dictate(&d, lft_prompt, LFT_N_PROMPT));
    assert_int_equal(d.result.finish, LFM2_FINISH_STOP_TOKEN);
    assert_int_equal(d.result.stop_id, lft_byte_token(model, 'd'));
    assert_int_equal(d.result.n_generated, 3);
    assert_string_equal(d.text, "abc");
    assert_int_equal(lfm2_session_length(d.session),
                     LFT_N_PROMPT + 4); /* the stop token included */
    lft_dictation_end(&d);

    int32_t with_end[] = {lft_byte_token(model, 'a'), eos, lft_byte_token(model, 'b')};
    d = lft_dictation_begin(model, with_end, 3);
    LFT_OK(lft_dictate(&d, lft_prompt, LFT_N_PROMPT));
    assert_int_equal(d.result.finish, LFM2_FINISH_STOP_TOKEN);
    assert_int_equal(d.result.stop_id, eos);
    assert_string_equal(d.text, "a");
    d.options.flags = LFM2_GENERATE_IGNORE_EOS;
    LFT_OK(lft_dictate(&d, NULL, 0));
    assert_int_equal(d.result.finish, LFM2_FINISH_LENGTH);
    assert_string_equal(d.text, "ab");
    assert_int_equal(d.result.n_prompt, 0);
    d.options.stop_ids = &eos; /* listed in stop_ids it ends the text despite the flag */
    d.options.n_stop_ids = 1;
    LFT_OK(lft_dictate(&d, NULL, 0));
    assert_int_equal(d.result.finish, LFM2_FINISH_STOP_TOKEN);
    lft_dictation_end(&d);
}

/* A stop token while text is held back: the text is reported. */
static void test_stop_token_flushes(void **state)
{
    (void)state;
    int32_t ids[4];
    lft_spell(model, "xST", ids);
    ids[3] = eos;
    static const char *const stop = "STOP";
    lft_dictation d = lft_dictation_begin(model, ids, 4);
    d.options.stop_strings = &stop;
    d.options.n_stop_strings = 1;
    LFT_OK(lft_dictate(&d, lft_prompt, LFT_N_PROMPT));
    assert_int_equal(d.result.finish, LFM2_FINISH_STOP_TOKEN);
    assert_string_equal(d.text, "xST");
    assert_int_equal(d.token_id[d.calls - 1], -1);
    lft_dictation_end(&d);
}

/* A stop token for which the full session has no space is reported as excluded_id. */
static void test_stop_token_without_space(void **state)
{
    (void)state;
    int32_t ids[LFT_N_CTX];
    for (size_t i = 0; i < LFT_N_CTX; i++) {
        ids[i] = i < LFT_N_CTX - LFT_N_PROMPT ? lft_byte_token(model, 'm') : eos;
    }
    lft_dictation d = lft_dictation_begin(model, ids, LFT_N_CTX);
    d.options.max_tokens = 0;
    LFT_OK(lft_dictate(&d, lft_prompt, LFT_N_PROMPT));
    assert_int_equal(d.result.finish, LFM2_FINISH_STOP_TOKEN);
    assert_int_equal(d.result.stop_id, eos);
    assert_int_equal(d.result.excluded_id, eos);
    assert_int_equal(lfm2_session_length(d.session), LFT_N_CTX);
    lft_dictation_end(&d);
}

static void test_callback_stops(void **state)
{
    (void)state;
    int32_t ids[8];
    lft_dictation d = lft_dictation_begin(model, ids, lft_spell(model, "abcdef", ids));
    d.stop_at = 3;
    LFT_FAILS(lft_dictate(&d, lft_prompt, LFT_N_PROMPT), LFM2_E_STOPPED);
    assert_string_equal(lfm2_last_error_code(), "generate.stopped");
    assert_int_equal(d.result.finish, LFM2_FINISH_CALLBACK);
    assert_int_equal(d.result.n_prompt, LFT_N_PROMPT);
    assert_int_equal(d.result.n_generated, 3);
    assert_int_equal(d.calls, 3);
    assert_string_equal(d.text, "abc");
    assert_int_equal(lfm2_session_length(d.session), LFT_N_PROMPT + 3);
    lft_dictation_end(&d);
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
        cmocka_unit_test(test_stop_strings),
        cmocka_unit_test(test_stop_in_tokens),
        cmocka_unit_test(test_stop_tokens),
        cmocka_unit_test(test_stop_token_flushes),
        cmocka_unit_test(test_stop_token_without_space),
        cmocka_unit_test(test_callback_stops),
    };
    return cmocka_run_group_tests(tests, begin, end);
}
