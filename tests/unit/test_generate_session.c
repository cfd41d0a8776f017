/* SPDX-License-Identifier: Apache-2.0 */
/* What generation leaves in the session, after it ends or is cancelled. */
#include "support/dictation.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

#include <string.h>

static lfm2_model *model;
static int32_t eos;

static void expect_same_logits(lfm2_session *a, lfm2_session *b)
{
    const float *x = NULL;
    const float *y = NULL;
    size_t n = 0;
    LFT_OK(lfm2_session_logits(a, &x, &n));
    LFT_OK(lfm2_session_logits(b, &y, &n));
    assert_memory_equal(x, y, n * sizeof *x);
}

static void test_cancel(void **state)
{
    (void)state;
    int32_t ids[8];
    lft_dictation d = lft_dictation_begin(model, ids, lft_spell(model, "abcdef", ids));
    d.cancel_at = 2;
    LFT_FAILS(lft_dictate(&d, lft_prompt, LFT_N_PROMPT), LFM2_E_CANCELLED);
    assert_int_equal(d.result.finish, LFM2_FINISH_CANCELLED);
    assert_int_equal(d.result.n_generated, 2);
    assert_int_equal(lfm2_session_length(d.session), LFT_N_PROMPT + 2);
    d.cancel_at = 0;
    LFT_OK(lft_dictate(&d, NULL, 0)); /* continues */
    assert_int_equal(d.result.finish, LFM2_FINISH_LENGTH);
    assert_int_equal(d.result.n_generated, 6);

    LFT_OK(lfm2_session_reset(d.session));
    lfm2_session_cancel(d.session); /* before the call: its prompt is cancelled */
    LFT_FAILS(lft_dictate(&d, lft_prompt, LFT_N_PROMPT), LFM2_E_CANCELLED);
    assert_int_equal(d.result.finish, LFM2_FINISH_CANCELLED);
    assert_int_equal(d.result.n_generated, 0);
    assert_int_equal(d.result.n_prompt, 0);
    assert_int_equal(lfm2_session_length(d.session), 0);
    LFT_OK(lft_dictate(&d, lft_prompt, LFT_N_PROMPT));
    assert_int_equal(d.result.finish, LFM2_FINISH_LENGTH);
    lft_dictation_end(&d);
}

/* After the text ended with `finish`, the session continues as if all tokens had been appended at
 * once. */
static void check_continuation(int32_t finish)
{
    int32_t status = finish == LFM2_FINISH_CALLBACK    ? LFM2_E_STOPPED
                     : finish == LFM2_FINISH_CANCELLED ? LFM2_E_CANCELLED
                                                       : LFM2_OK;
    int32_t ids[5];
    lft_spell(model, "abcd", ids);
    ids[4] = eos;
    static const char *const stop = "cd";
    lft_dictation d = lft_dictation_begin(model, ids, 5);
    d.options.max_tokens = finish == LFM2_FINISH_LENGTH ? 4 : 0;
    d.stop_at = finish == LFM2_FINISH_CALLBACK ? 4 : 0;
    d.cancel_at = finish == LFM2_FINISH_CANCELLED ? 4 : 0;
    d.options.stop_strings = &stop;
    d.options.n_stop_strings = finish == LFM2_FINISH_STOP_STRING ? 1 : 0;
    LFT_FAILS(lft_dictate(&d, lft_prompt, LFT_N_PROMPT), status);
    assert_int_equal(d.result.finish, finish);
    assert_int_equal(d.result.excluded_id, -1);
    size_t n = finish == LFM2_FINISH_STOP_TOKEN ? 5 : 4;
    assert_int_equal(lfm2_session_length(d.session), LFT_N_PROMPT + n);

    lfm2_session *whole = lft_session(model, LFT_N_CTX, 0, LFM2_KV_F16);
    LFT_OK(lfm2_session_prefill(whole, lft_prompt, LFT_N_PROMPT));
    LFT_OK(lfm2_session_prefill(whole, ids, n));
    if (finish != LFM2_FINISH_CALLBACK) { /* without logits in between for one case */
        expect_same_logits(d.session, whole);
    }
    LFT_OK(lfm2_session_prefill(d.session, lft_prompt, 2));
    LFT_OK(lfm2_session_prefill(whole, lft_prompt, 2));
    expect_same_logits(d.session, whole);
    LFT_FAILS(lft_dictate(&d, lft_prompt, 1), status); /* and a second turn */
    assert_int_equal(d.result.finish, finish);
    LFT_OK(lfm2_session_prefill(whole, lft_prompt, 1));
    LFT_OK(lfm2_session_prefill(whole, ids, n));
    expect_same_logits(d.session, whole);
    LFT_OK(lfm2_session_reset(d.session));
    LFT_OK(lfm2_session_reset(whole));
    LFT_OK(lfm2_session_decode(d.session, 9));
    LFT_OK(lfm2_session_decode(whole, 9));
    expect_same_logits(d.session, whole);
    lfm2_session_free(whole);
    lft_dictation_end(&d);
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

/* A call that is cancelled before it appends a token does not change the logits. */
static void test_cancel_keeps_logits(void **state)
{
    (void)state;
    lfm2_session *whole = lft_session(model, LFT_N_CTX, 0, LFM2_KV_F16);
    lfm2_session *session = lft_session(model, LFT_N_CTX, 0, LFM2_KV_F16);
    LFT_OK(lfm2_session_prefill(whole, lft_prompt, LFT_N_PROMPT));
    LFT_OK(lfm2_session_prefill(session, lft_prompt, LFT_N_PROMPT));
    lfm2_session_cancel(session);
    LFT_FAILS(lfm2_session_decode(session, 9), LFM2_E_CANCELLED);
    expect_same_logits(session, whole);
    lfm2_session_cancel(session);
    LFT_FAILS(lfm2_session_prefill(session, lft_prompt, LFT_N_PROMPT), LFM2_E_CANCELLED);
    expect_same_logits(session, whole);
    LFT_FAILS(lfm2_session_decode(session, -1), LFM2_E_ARGUMENT);
    expect_same_logits(session, whole);
    lfm2_session_free(session);

    int32_t ids[4]; /* the last token of a text is pending */
    lft_dictation d = lft_dictation_begin(model, ids, lft_spell(model, "abc", ids));
    LFT_OK(lft_dictate(&d, lft_prompt, LFT_N_PROMPT));
    LFT_OK(lfm2_session_prefill(whole, ids, 3));
    lfm2_session_cancel(d.session);
    LFT_FAILS(lfm2_session_prefill(d.session, lft_prompt, LFT_N_PROMPT), LFM2_E_CANCELLED);
    expect_same_logits(d.session, whole);
    lfm2_session_free(whole);
    lft_dictation_end(&d);
}

/* If the computation of the pending token is cancelled, the token stays pending. */
static void test_cancel_of_pending(void **state)
{
    (void)state;
    int32_t ids[4];
    lft_dictation d = lft_dictation_begin(model, ids, lft_spell(model, "abc", ids));
    LFT_OK(lft_dictate(&d, lft_prompt, LFT_N_PROMPT));
    uint32_t length = lfm2_session_length(d.session);
    const float *logits = NULL;
    lfm2_session_cancel(d.session);
    LFT_FAILS(lfm2_session_logits(d.session, &logits, NULL), LFM2_E_CANCELLED);
    assert_int_equal(lfm2_session_length(d.session), length);
    lfm2_session_cancel(d.session);
    LFT_FAILS(lfm2_session_decode(d.session, 5), LFM2_E_CANCELLED);
    assert_int_equal(lfm2_session_length(d.session), length);
    lfm2_session *whole = lft_session(model, LFT_N_CTX, 0, LFM2_KV_F16);
    LFT_OK(lfm2_session_prefill(whole, lft_prompt, LFT_N_PROMPT));
    LFT_OK(lfm2_session_prefill(whole, ids, 3));
    expect_same_logits(d.session, whole);
    lfm2_session_free(whole);
    lft_dictation_end(&d);
}

static int begin(void **state)
{
    (void)state;
    model = lft_open(lft_tiny("q4_0"), 1, LFM2_KERNELS_AUTO, 0);
    lfm2_model_info info = {.size = sizeof info};
    LFT_OK(lfm2_model_get_info(model, &info));
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
        cmocka_unit_test(test_cancel),
        cmocka_unit_test(test_continuation),
        cmocka_unit_test(test_cancel_keeps_logits),
        cmocka_unit_test(test_cancel_of_pending),
    };
    return cmocka_run_group_tests(tests, begin, end);
}
