/* SPDX-License-Identifier: Apache-2.0 */
/* Tests of refused arguments: NULL for every argument of every function.
 * Each is refused with a message, and no output is written. */
#include "support/models.h"

#include "quant/quant.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static lfm2_model *model;
static lfm2_runtime *runtime;

/* ---- NULL ---- */

/* Checks that the message names the argument `what`. */
static void null_is(int32_t status, const char *what)
{
    lft_expect(status, LFM2_E_ARGUMENT, what);
    assert_string_equal(lfm2_last_error_code(), "argument.null");
    char want[64];
    snprintf(want, sizeof want, "%s is NULL", what);
    assert_string_equal(lfm2_last_error(), want);
}

static void test_null_text(void **state)
{
    (void)state;
    int32_t id = 1;
    size_t n = 77;
    char text[8] = "before";
    const char *out = NULL;
    null_is(lfm2_tokenize(NULL, "a", 1, 0, &id, 1, &n), "model");
    null_is(lfm2_tokenize(model, NULL, 1, 0, &id, 1, &n), "text");
    null_is(lfm2_tokenize(model, "a", 1, 0, NULL, 1, &n), "ids");
    null_is(lfm2_tokenize(model, "a", 1, 0, &id, 1, NULL), "n_ids");
    null_is(lfm2_detokenize(NULL, &id, 1, 0, text, 8, &n), "model");
    null_is(lfm2_detokenize(model, NULL, 1, 0, text, 8, &n), "ids");
    null_is(lfm2_detokenize(model, &id, 1, 0, NULL, 8, &n), "text");
    null_is(lfm2_detokenize(model, &id, 1, 0, text, 8, NULL), "len");
    lfm2_decoder *decoder = NULL;
    null_is(lfm2_decoder_create(NULL, 0, &decoder), "model");
    null_is(lfm2_decoder_create(model, 0, NULL), "out");
    LFT_OK(lfm2_decoder_create(model, 0, &decoder));
    null_is(lfm2_decoder_push(NULL, 1, &out, &n), "decoder");
    null_is(lfm2_decoder_push(decoder, 1, NULL, &n), "text");
    null_is(lfm2_decoder_push(decoder, 1, &out, NULL), "len");
    null_is(lfm2_decoder_flush(NULL, &out, &n), "decoder");
    null_is(lfm2_decoder_flush(decoder, NULL, &n), "text");
    null_is(lfm2_decoder_flush(decoder, &out, NULL), "len");
    lfm2_decoder_free(decoder);
    assert_true(id == 1 && n == 77 && out == NULL);
    assert_string_equal(text, "before");
}

static void test_null_chat(void **state)
{
    (void)state;
    static const char messages[] = "[{\"role\": \"user\", \"content\": \"Hi\"}]";
    const size_t len = sizeof messages - 1;
    int32_t id = 1;
    size_t n = 77;
    char text[8] = "before";
    null_is(lfm2_chat_render(NULL, messages, len, NULL, text, 8, &n), "model");
    null_is(lfm2_chat_render(model, NULL, len, NULL, text, 8, &n), "messages");
    null_is(lfm2_chat_render(model, messages, len, NULL, NULL, 8, &n), "text");
    null_is(lfm2_chat_render(model, messages, len, NULL, text, 8, NULL), "len");
    null_is(lfm2_chat_tokenize(NULL, messages, len, NULL, &id, 1, &n), "model");
    null_is(lfm2_chat_tokenize(model, NULL, len, NULL, &id, 1, &n), "messages");
    null_is(lfm2_chat_tokenize(model, messages, len, NULL, NULL, 1, &n), "ids");
    null_is(lfm2_chat_tokenize(model, messages, len, NULL, &id, 1, NULL), "n_ids");
    assert_true(id == 1 && n == 77);
    assert_string_equal(text, "before");
}

static void test_null_handles(void **state)
{
    (void)state;
    lfm2_model *m = NULL;
    lfm2_session *s = NULL;
    lfm2_sampler *sampler = NULL;
    null_is(lfm2_model_load(NULL, "x", NULL, &m), "runtime");
    null_is(lfm2_model_load(runtime, "x", NULL, NULL), "out");
    null_is(lfm2_session_create(NULL, NULL, &s), "model");
    null_is(lfm2_session_create(model, NULL, NULL), "out");
    null_is(lfm2_sampler_create(NULL, NULL, &sampler), "model");
    null_is(lfm2_sampler_create(model, NULL, NULL), "out");
    null_is(lfm2_quantize(NULL, "x", "y", NULL), "runtime");
    null_is(lfm2_quantize(runtime, NULL, "y", NULL), "in_path");
    null_is(lfm2_quantize(runtime, "x", NULL, NULL), "out_path");
    null_is(lfm2_synthesize(NULL, "tiny", 1, "y", NULL), "runtime");
    null_is(lfm2_synthesize(runtime, NULL, 1, "y", NULL), "shape");
    null_is(lfm2_synthesize(runtime, "tiny", 1, NULL, NULL), "out_path");
    assert_true(m == NULL && s == NULL && sampler == NULL);
}

static int32_t no_hook(void *user, float *logits, size_t n)
{
    (void)user;
    (void)logits;
    (void)n;
    return 0;
}

static void test_null_streams(void **state)
{
    (void)state;
    lfm2_sampler *sampler = NULL;
    lfm2_sampler *other = NULL;
    lfm2_stream *stream = NULL;
    lfm2_stream *clone = NULL;
    lfm2_sampler_options o;
    lfm2_sampler_options_init(&o, sizeof o, model);
    LFT_OK(lfm2_sampler_create(model, &o, &sampler));
    null_is(lfm2_sampler_clone(NULL, &other), "sampler");
    null_is(lfm2_sampler_clone(sampler, NULL), "out");
    null_is(lfm2_sampler_configure(NULL, &o), "sampler");
    null_is(lfm2_sampler_configure(sampler, NULL), "options");
    null_is(lfm2_stream_create(NULL, sampler, NULL, &stream), "model");
    null_is(lfm2_stream_create(model, NULL, NULL, &stream), "sampler");
    null_is(lfm2_stream_create(model, sampler, NULL, NULL), "out");
    assert_true(other == NULL && stream == NULL);
    LFT_OK(lfm2_stream_create(model, sampler, NULL, &stream));
    lfm2_sampler_free(sampler);
    const float logits[1] = {0};
    lfm2_stream_step step = {.size = sizeof step, .id = 77};
    null_is(lfm2_stream_clone(NULL, &clone), "stream");
    null_is(lfm2_stream_clone(stream, NULL), "out");
    null_is(lfm2_stream_set_hook(NULL, no_hook, NULL), "stream");
    null_is(lfm2_stream_prompt(NULL, (const int32_t[]){1}, 1), "stream");
    null_is(lfm2_stream_prompt(stream, NULL, 1), "ids");
    null_is(lfm2_stream_sample(NULL, logits, 1, &step), "stream");
    null_is(lfm2_stream_sample(stream, NULL, 1, &step), "logits");
    null_is(lfm2_stream_force(NULL, 1, NULL, 0, &step), "stream");
    null_is(lfm2_stream_force(stream, 1, NULL, 0, NULL), "step");
    null_is(lfm2_stream_flush(NULL, &step), "stream");
    null_is(lfm2_stream_flush(stream, NULL), "step");
    assert_null(lfm2_stream_sampler(NULL));
    assert_true(clone == NULL && step.id == 77);
    lfm2_stream_free(stream);
    lfm2_stream_free(NULL);
}

/* ---- Kernels ---- */

/* A kernel for blocks of 256 values cannot be measured at a depth of 64. */
static void test_bench_depth(void **state)
{
    (void)state;
    lfm2_kernel_info k = {.size = sizeof k};
    uint32_t refused = 0;
    for (uint32_t i = 0; lfm2_kernel_get(runtime, i, &k) == LFM2_OK; i++) {
        double ops = -1, bytes = -1;
        if (k.available != 0 && lfm2_kernel_bench(runtime, i, 1, 16, 64, 1, 0, &ops, &bytes) != 0) {
            assert_string_equal(lfm2_last_error_code(), "kernel.k");
            assert_true(ops == -1 && bytes == -1);
            refused++;
        }
    }
    assert_true(refused > 0);
}

static int begin(void **state)
{
    (void)state;
    runtime = lft_runtime(1, LFM2_KERNELS_AUTO, 0);
    model = lft_load(runtime, lft_tiny("q4_0"));
    return 0;
}

static int end(void **state)
{
    (void)state;
    lfm2_model_free(model);
    lfm2_runtime_free(runtime);
    lft_end();
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_null_text),    cmocka_unit_test(test_null_chat),
        cmocka_unit_test(test_null_handles), cmocka_unit_test(test_null_streams),
        cmocka_unit_test(test_bench_depth),
    };
    return cmocka_run_group_tests(tests, begin, end);
}
