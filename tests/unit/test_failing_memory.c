/* SPDX-License-Identifier: Apache-2.0 */
/* Each allocation of single calls of the API fails once: the call returns MEMORY, nothing leaks, no
 * incomplete file is left, and the same call then succeeds. test_api.c does the same for a whole
 * program. */
#include "support/imatrix_file.h"
#include "support/models.h"
#include "support/retype.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static lft_memory memory;
static lfm2_runtime *runtime;
static lfm2_model *model;
static const char *cache_path; /* of a pack cache that fits the model */

/* One call; what it makes is freed before it returns. */
typedef int32_t call_fn(void);

/* Runs `call` with its first allocation failing, then its second, and so on, until none is left to
 * fail; `output` (or NULL) is a file that must exist after success alone. */
static void check(call_fn *call, const char *output)
{
    const long long blocks = atomic_load(&memory.live_blocks);
    const long long bytes = atomic_load(&memory.live_bytes);
    long long n = 1;
    int32_t status = LFM2_E_MEMORY;
    for (; status != LFM2_OK; n++) {
        if (output != NULL) {
            unlink(output);
        }
        atomic_store(&memory.calls, 0);
        atomic_store(&memory.fail_at, n);
        status = call();
        atomic_store(&memory.fail_at, 0);
        if (status != LFM2_OK) {
            lft_expect(status, LFM2_E_MEMORY, "the call with a failing allocation");
            assert_true(n <= atomic_load(&memory.calls));
            assert_true(strlen(lfm2_last_error()) > 0);
        }
        assert_true(output == NULL || (access(output, F_OK) == 0) == (status == LFM2_OK));
        assert_int_equal(atomic_load(&memory.live_blocks), blocks);
        assert_int_equal(atomic_load(&memory.live_bytes), bytes);
        assert_false(atomic_load(&memory.broken));
    }
    print_message("%lld allocations\n", n - 2);
    assert_true(n > 2);
    assert_true(atomic_load(&memory.calls) == n - 2); /* none failed */
}

/* ---- Loading ---- */

static int32_t load(const char *path, int32_t mode, int32_t cache)
{
    lfm2_model_options o;
    lfm2_model_options_init(&o, sizeof o);
    o.mode = mode;
    o.cache = cache;
    o.cache_path = cache_path;
    lfm2_model *m = NULL;
    int32_t status = lfm2_model_load(runtime, path, &o, &m);
    assert_true((m != NULL) == (status == LFM2_OK));
    lfm2_model_free(m);
    return status;
}

static int32_t load_gguf(void)
{
    return load(lft_tiny("q4_0"), LFM2_LOAD_FULL, LFM2_CACHE_OFF);
}

static const char *blocks_path; /* a model whose panels hold the blocks of the file */

static int32_t load_blocks(void)
{
    return load(blocks_path, LFM2_LOAD_FULL, LFM2_CACHE_OFF);
}

static int32_t load_folder(void)
{
    return load(lft_golden_folder("moe-mixed"), LFM2_LOAD_FULL, LFM2_CACHE_OFF);
}

static int32_t load_cached(void)
{
    return load(lft_tiny("q4_0"), LFM2_LOAD_FULL, LFM2_CACHE_USE);
}

static int32_t load_to_inspect(void)
{
    return load(lft_tiny("q4_0"), LFM2_LOAD_INSPECT, LFM2_CACHE_USE);
}

static int32_t load_tokenizer(void)
{
    return load(lft_tiny("q4_0"), LFM2_LOAD_TOKENIZER, LFM2_CACHE_USE);
}

static void test_loading(void **state)
{
    (void)state;
    check(load_gguf, NULL);
    blocks_path = lft_retyped_all(LF_IQ2_XS);
    check(load_blocks, NULL);
    check(load_folder, NULL);
    check(load_cached, NULL);
    check(load_to_inspect, NULL);
    check(load_tokenizer, NULL);
}

/* ---- Text ---- */

static int32_t tokenize(void)
{
    char text[300];
    memset(text, 'a', sizeof text);
    int32_t ids[300];
    size_t n = 0;
    int32_t status = lfm2_tokenize(model, text, sizeof text, 0, ids, 300, &n);
    assert_true((n > 0) == (status == LFM2_OK));
    return status;
}

static int32_t decode_text(void)
{
    lfm2_decoder *decoder = NULL;
    int32_t status = lfm2_decoder_create(model, 0, &decoder);
    assert_true((decoder != NULL) == (status == LFM2_OK));
    lfm2_decoder_free(decoder);
    return status;
}

static const char messages[] = "[{\"role\": \"user\", \"content\": \"Hi \\u0041\"}]";
static const char tools[] = "[{\"type\": \"function\", \"function\": {\"name\": \"f\"}}]";

static lfm2_chat_options chat_options(void)
{
    lfm2_chat_options o;
    lfm2_chat_options_init(&o, sizeof o);
    o.tools = tools;
    o.tools_len = sizeof tools - 1;
    return o;
}

static int32_t render(void)
{
    char text[600];
    size_t n = 0;
    lfm2_chat_options o = chat_options();
    int32_t status = lfm2_chat_render(model, messages, sizeof messages - 1, &o, text, 600, &n);
    assert_true((n > 0) == (status == LFM2_OK));
    return status;
}

static int32_t chat_tokens(void)
{
    int32_t ids[600];
    size_t n = 0;
    lfm2_chat_options o = chat_options();
    int32_t status = lfm2_chat_tokenize(model, messages, sizeof messages - 1, &o, ids, 600, &n);
    assert_true((n > 0) == (status == LFM2_OK));
    return status;
}

static void test_text(void **state)
{
    (void)state;
    check(tokenize, NULL);
    check(render, NULL);
    check(chat_tokens, NULL);
    check(decode_text, NULL);
}

/* ---- Sessions and samplers ---- */

static int32_t session(void)
{
    lfm2_session *s = NULL;
    int32_t status = lfm2_session_create(model, NULL, &s);
    assert_true((s != NULL) == (status == LFM2_OK));
    lfm2_session_free(s);
    return status;
}

static int32_t sampler(void)
{
    lfm2_sampler *s = NULL;
    int32_t status = lfm2_sampler_create(model, NULL, &s);
    assert_true((s != NULL) == (status == LFM2_OK));
    lfm2_sampler_free(s);
    return status;
}

static void test_sessions(void **state)
{
    (void)state;
    check(session, NULL);
    check(sampler, NULL);
}

/* ---- Files ---- */

static int32_t save_cache(void)
{
    return lfm2_model_save_cache(model, lft_temp("saved.lfm2pack"));
}

/* Without a path: next to the model. */
static int32_t save_cache_there(void)
{
    return lfm2_model_save_cache(model, NULL);
}

static int32_t quantize(void)
{
    lfm2_convert_options o;
    lfm2_convert_options_init(&o, sizeof o);
    o.type = "q6_k";
    return lfm2_quantize(runtime, lft_tiny("f32"), lft_temp("quantized.gguf"), &o);
}

static int32_t quantize_weighted(void)
{
    static const char *const types[] = {"ffn_(up|gate)=q5_1", "embd=f16"};
    lfm2_convert_options o;
    lfm2_convert_options_init(&o, sizeof o);
    o.type = "q4_0";
    o.imatrix = lft_temp("imatrix.gguf");
    o.tensor_types = types;
    o.n_tensor_types = 2;
    return lfm2_quantize(runtime, lft_tiny("f32"), lft_temp("quantized.gguf"), &o);
}

static int32_t compute_imatrix(void)
{
    static const int32_t ids[] = {1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16};
    lfm2_imatrix_options o;
    lfm2_imatrix_options_init(&o, sizeof o);
    o.n_ctx = sizeof ids / sizeof ids[0];
    return lfm2_imatrix_compute(model, ids, o.n_ctx, lft_temp("computed.gguf"), &o, NULL);
}

static int32_t synthesize(void)
{
    lfm2_convert_options o;
    lfm2_convert_options_init(&o, sizeof o);
    o.type = "q8_0";
    return lfm2_synthesize(runtime, "tiny", 2, lft_temp("synthetic.gguf"), &o);
}

static void test_files(void **state)
{
    (void)state;
    check(save_cache, lft_temp("saved.lfm2pack"));
    check(save_cache_there, lft_temp("tiny-q4_0.gguf.lfm2pack"));
    check(quantize, lft_temp("quantized.gguf"));
    lft_write_imatrix(lft_tiny("f32"), lft_temp("imatrix.gguf"));
    check(quantize_weighted, lft_temp("quantized.gguf"));
    check(compute_imatrix, lft_temp("computed.gguf"));
    check(synthesize, lft_temp("synthetic.gguf"));
}

/* ---- Measurements ---- */

static int32_t bench(void)
{
    double ops = 0, bytes = 0;
    return lfm2_kernel_bench(runtime, 0, 2, 64, 256, 1, 0, &ops, &bytes);
}

static void test_bench(void **state)
{
    (void)state;
    check(bench, NULL);
}

static int begin(void **state)
{
    (void)state;
    lfm2_runtime_options o;
    lfm2_runtime_options_init(&o, sizeof o);
    o.n_threads = 1;
    o.alloc = lft_memory_alloc;
    o.free = lft_memory_free;
    o.alloc_user = &memory;
    LFT_OK(lfm2_runtime_create(&o, &runtime));
    model = lft_load(runtime, lft_tiny("q4_0"));
    cache_path = lft_temp("tiny.lfm2pack");
    LFT_OK(lfm2_model_save_cache(model, cache_path));
    return 0;
}

static int end(void **state)
{
    (void)state;
    lfm2_model_free(model);
    lfm2_runtime_free(runtime);
    lft_end();
    assert_int_equal(atomic_load(&memory.live_blocks), 0);
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_loading),  cmocka_unit_test(test_text),
        cmocka_unit_test(test_sessions), cmocka_unit_test(test_files),
        cmocka_unit_test(test_bench),
    };
    return cmocka_run_group_tests(tests, begin, end);
}
