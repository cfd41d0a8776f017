/* SPDX-License-Identifier: Apache-2.0 */
/* Each allocation of single calls of the API fails once: the call returns MEMORY, nothing leaks, no
 * incomplete file is left, and the same call then succeeds. test_api.c does the same for a whole
 * program. */
#include "support/failing.h"
#include "support/imatrix_file.h"
#include "support/models.h"
#include "support/retype.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static lft_memory memory;
static lfm2_runtime *runtime;
static lfm2_model *model;
static const char *cache_path; /* of a pack cache that fits the model */

static void check(lft_failing_call *call, const char *output)
{
    lft_check_failing(&memory, call, output);
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

/* The first use of a model's template compiles it. */
static int32_t first_render(void)
{
    lfm2_model_options o;
    lfm2_model_options_init(&o, sizeof o);
    o.mode = LFM2_LOAD_TOKENIZER;
    lfm2_model *m = NULL;
    char text[600];
    size_t n = 0;
    int32_t status = lfm2_model_load(runtime, lft_tiny("q4_0"), &o, &m);
    if (status == LFM2_OK) {
        status = lfm2_chat_render(m, messages, sizeof messages - 1, NULL, text, 600, &n);
    }
    lfm2_model_free(m);
    return status;
}

/* A template of the application; a conversation that is rendered twice. */
static int32_t other_template(void)
{
    static const char source[] = "{{ messages[0].content + messages[0].x|string }}{{ d }}";
    static const char parts[] =
        "[{\"role\": \"assistant\", \"content\": [{\"type\": \"text\", \"text\": \"a\"}], "
        "\"tool_calls\": [{\"function\": {\"name\": \"f\", \"arguments\": \"{}\"}}]}]";
    char text[16];
    size_t n = 0;
    lfm2_chat_options o = chat_options();
    lfm2_chat_template *t = NULL;
    int32_t status = lfm2_chat_template_create(runtime, source, sizeof source - 1, &t);
    assert_true((t != NULL) == (status == LFM2_OK));
    o.chat_template = t;
    o.template_args = "{\"d\": [1]}";
    o.template_args_len = strlen(o.template_args);
    if (status == LFM2_OK) {
        status = lfm2_chat_render(model, parts, sizeof parts - 1, &o, text, sizeof text, &n);
    }
    lfm2_chat_template_free(t);
    return status;
}

static int32_t find_template(void)
{
    lfm2_chat_template *t = NULL;
    int32_t status = lfm2_chat_template_find(model, "lfm2", &t);
    assert_true((t != NULL) == (status == LFM2_OK));
    lfm2_chat_template_free(t);
    return status;
}

static int32_t chat_info(void)
{
    lfm2_chat_info info = {.size = sizeof info};
    lfm2_chat_options o = chat_options();
    return lfm2_chat_get_info(model, &o, &info);
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
    check(first_render, NULL);
    LFT_OK(render());
    check(render, NULL);
    check(other_template, NULL);
    check(find_template, NULL);
    check(chat_info, NULL);
    check(chat_tokens, NULL);
    check(decode_text, NULL);
}

/* ---- Sessions, samplers, streams ---- */

static lfm2_sampler *shared_sampler;

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

static int32_t clone_sampler(void)
{
    lfm2_sampler *clone = NULL;
    int32_t status = lfm2_sampler_clone(shared_sampler, &clone);
    assert_true((clone != NULL) == (status == LFM2_OK));
    lfm2_sampler_free(clone);
    return status;
}

/* With a bias and a window, and then with smaller ones. */
static int32_t configure_sampler(void)
{
    static const int32_t bias_ids[] = {4, 5};
    static const float bias_values[] = {1, 2};
    lfm2_sampler *s = NULL;
    lfm2_sampler_options o;
    lfm2_sampler_options_init(&o, sizeof o, model);
    int32_t status = lfm2_sampler_create(model, &o, &s);
    o.bias_ids = bias_ids;
    o.bias_values = bias_values;
    o.n_bias = 2;
    o.penalty_last_n = 8;
    status = status != LFM2_OK ? status : lfm2_sampler_configure(s, &o);
    o.n_bias = 0;
    o.penalty_last_n = 4;
    status = status != LFM2_OK ? status : lfm2_sampler_configure(s, &o);
    lfm2_sampler_free(s);
    return status;
}

static lfm2_stream_options stream_options(void)
{
    static const char *const stops[] = {"ab", "abc", "x", "ab"};
    static const int32_t ids[] = {5, 6};
    lfm2_stream_options o;
    lfm2_stream_options_init(&o, sizeof o);
    o.stop_strings = stops;
    o.n_stop_strings = 4;
    o.stop_ids = ids;
    o.n_stop_ids = 2;
    return o;
}

static int32_t stream(void)
{
    lfm2_stream_options o = stream_options();
    lfm2_stream *s = NULL;
    int32_t status = lfm2_stream_create(model, shared_sampler, &o, &s);
    assert_true((s != NULL) == (status == LFM2_OK));
    lfm2_stream_free(s);
    return status;
}

static int32_t clone_stream(void)
{
    lfm2_stream_options o = stream_options();
    lfm2_stream *s = NULL;
    lfm2_stream *clone = NULL;
    int32_t status = lfm2_stream_create(model, shared_sampler, &o, &s);
    status = status != LFM2_OK ? status : lfm2_stream_clone(s, &clone);
    assert_true((clone != NULL) == (status == LFM2_OK));
    lfm2_stream_free(clone);
    lfm2_stream_free(s);
    return status;
}

enum { N_STEPS = 100 };

/* Samples letters at random, which are all held back: the text grows. A step that fails is
 * repeated; the text is the same as without failures. */
static int32_t hold_back(lfm2_stream *s, const float *logits, char *text)
{
    const size_t n_vocab = lft_vocab(model);
    int32_t status = LFM2_OK;
    lfm2_stream_step step = {.size = sizeof step};
    for (uint32_t i = 0; i < N_STEPS; i++) {
        int32_t tried = lfm2_stream_sample(s, logits, n_vocab, &step);
        if (tried != LFM2_OK) {
            status = tried;
            LFT_OK(lfm2_stream_sample(s, logits, n_vocab, &step));
        }
        assert_true(step.n_generated == i + 1 && step.len == 0);
    }
    LFT_OK(lfm2_stream_flush(s, &step));
    assert_int_equal(step.len, N_STEPS);
    memcpy(text, step.text, N_STEPS);
    return status;
}

static float letters[1 << 16]; /* logits that allow "a" and "b" */

/* The first call writes the text, without stop strings. For the others, the stop string is this
 * text and one character more. */
static int32_t steps(void)
{
    static char text[N_STEPS + 2];
    const char *stop = text;
    lfm2_stream_options o;
    lfm2_stream_options_init(&o, sizeof o);
    o.stop_strings = &stop;
    o.n_stop_strings = text[0] == '\0' ? 0 : 1;
    lfm2_stream *s = NULL;
    lfm2_sampler_reset(shared_sampler);
    int32_t status = lfm2_stream_create(model, shared_sampler, &o, &s);
    if (status == LFM2_OK && o.n_stop_strings == 0) {
        for (int i = 0; i < N_STEPS; i++) {
            lfm2_stream_step step = {.size = sizeof step};
            LFT_OK(lfm2_stream_sample(s, letters, lft_vocab(model), &step));
            text[i] = step.text[0];
        }
        text[N_STEPS] = '!';
    } else if (status == LFM2_OK) {
        char again[N_STEPS];
        status = hold_back(s, letters, again);
        assert_memory_equal(again, text, N_STEPS);
    }
    lfm2_stream_free(s);
    return status;
}

static void test_steps(void **state)
{
    (void)state;
    lfm2_sampler_options o;
    lfm2_sampler_options_init(&o, sizeof o, NULL);
    o.temperature = 1;
    LFT_OK(lfm2_sampler_create(model, &o, &shared_sampler));
    for (uint32_t id = 0; id < lft_vocab(model); id++) {
        const char *bytes = NULL;
        size_t len = 0;
        LFT_OK(lfm2_token_get(model, (int32_t)id, &bytes, &len, NULL));
        letters[id] = len == 1 && (bytes[0] == 'a' || bytes[0] == 'b') ? 0 : -INFINITY;
    }
    LFT_OK(steps()); /* writes the text */
    check(steps, NULL);
    lfm2_sampler_free(shared_sampler);
}

static void test_sessions(void **state)
{
    (void)state;
    check(session, NULL);
    check(sampler, NULL);
    LFT_OK(lfm2_sampler_create(model, NULL, &shared_sampler));
    check(clone_sampler, NULL);
    check(configure_sampler, NULL);
    check(stream, NULL);
    check(clone_stream, NULL);
    lfm2_sampler_free(shared_sampler);
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
    return lfm2_kernel_bench(runtime, lft_kernel(runtime), 2, 64, 256, 1, 0, &ops, &bytes);
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

/* The last test: cmocka ignores failures of teardowns. */
static void test_freed(void **state)
{
    (void)state;
    lfm2_model_free(model);
    lfm2_runtime_free(runtime);
    lft_end();
    assert_int_equal(atomic_load(&memory.live_blocks), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_loading),  cmocka_unit_test(test_text),
        cmocka_unit_test(test_sessions), cmocka_unit_test(test_steps),
        cmocka_unit_test(test_files),    cmocka_unit_test(test_bench),
        cmocka_unit_test(test_freed),
    };
    return cmocka_run_group_tests(tests, begin, NULL);
}
