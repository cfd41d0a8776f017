/* SPDX-License-Identifier: Apache-2.0 */
/* lfm2.h: argument checks and errors of the calls, and an allocator that fails at each allocation
 * in turn. */
#include "support/models.h"

#include "model/model.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static lfm2_runtime *runtime;
static lfm2_model *model;

/* ---- Status ---- */

static void test_status(void **state)
{
    (void)state;
    static const char *const names[] = {"LFM2_OK",        "LFM2_E_ARGUMENT",  "LFM2_E_MEMORY",
                                        "LFM2_E_IO",      "LFM2_E_FORMAT",    "LFM2_E_UNSUPPORTED",
                                        "LFM2_E_THREAD",  "LFM2_E_LIMIT",     "LFM2_E_BUFFER",
                                        "LFM2_E_STOPPED", "LFM2_E_CANCELLED", "LFM2_E_TEXT",
                                        "LFM2_E_STATE",   "LFM2_E_INTERNAL"};
    for (int32_t i = 0; i < 14; i++) {
        assert_string_equal(lfm2_status_name(i), names[i]);
    }
    assert_string_equal(lfm2_status_name(14), "LFM2_E_?");
    assert_string_equal(lfm2_status_name(-1), "LFM2_E_?");
    assert_string_equal(lfm2_status_name(INT32_MIN), "LFM2_E_?");
    assert_string_equal(lfm2_version(), "0.2.0");
    assert_string_equal(LFM2_VERSION_STRING, "0.2.0");
    assert_int_equal(lfm2_version_number(), LFM2_VERSION_NUMBER);
    assert_int_equal(LFM2_VERSION_NUMBER,
                     LFM2_VERSION_MAJOR * 1000000 + LFM2_VERSION_MINOR * 1000 + LFM2_VERSION_PATCH);
    LFT_FAILS(lfm2_model_load(NULL, "x", NULL, &model), LFM2_E_ARGUMENT);
    assert_string_equal(lfm2_last_error(), "runtime is NULL");
    assert_string_equal(lfm2_last_error_code(), "argument.null");
}

/* ---- Runtime ---- */

static void refuse_runtime(const lfm2_runtime_options *o)
{
    lfm2_runtime *r = NULL;
    LFT_FAILS(lfm2_runtime_create(o, &r), LFM2_E_ARGUMENT);
    assert_null(r);
}

static void test_runtime(void **state)
{
    (void)state;
    lfm2_runtime_options o, bad;
    lfm2_runtime_options_init(&o, sizeof o);
    LFT_FAILS(lfm2_runtime_create(&o, NULL), LFM2_E_ARGUMENT);
    bad = o;
    bad.n_threads = -1;
    refuse_runtime(&bad);
    bad.n_threads = 100000;
    refuse_runtime(&bad);
    bad = o;
    bad.alloc = lft_memory_alloc;
    refuse_runtime(&bad);
    bad = o;
    bad.free = lft_memory_free;
    refuse_runtime(&bad);
    bad = o;
    bad.kernels = 4;
    refuse_runtime(&bad);
    bad.kernels = -1;
    refuse_runtime(&bad);
    bad = o;
    bad.log_level = LFM2_LOG_DEBUG + 1;
    refuse_runtime(&bad);
    bad.log_level = -1;
    refuse_runtime(&bad);
    bad = o;
    bad.cpu_disable = 1u << 20;
    refuse_runtime(&bad);
    assert_string_equal(lfm2_last_error_code(), "argument.flags");

    lfm2_runtime *r = NULL;
    LFT_OK(lfm2_runtime_create(NULL, &r));
    assert_in_range(lfm2_runtime_threads(r), 1, 1024);
    uint32_t cpu = lfm2_runtime_cpu(r);
    lfm2_runtime_free(r);
    o.cpu_disable = LFM2_CPU_AVX2;
    LFT_OK(lfm2_runtime_create(&o, &r));
    assert_int_equal(lfm2_runtime_cpu(r) & ~cpu, 0);
    assert_int_equal(lfm2_runtime_cpu(r) & (LFM2_CPU_AVX2 | LFM2_CPU_AVXVNNI | LFM2_CPU_AVX512 |
                                            LFM2_CPU_AVX512VNNI | LFM2_CPU_AVX512BF16),
                     0);
    lfm2_runtime_free(r);
    o.cpu_disable = LFM2_CPU_ALL;
    LFT_OK(lfm2_runtime_create(&o, &r));
    assert_int_equal(lfm2_runtime_cpu(r), 0);
    lfm2_runtime_free(r);
    assert_int_equal(lfm2_runtime_threads(NULL), 0);
    assert_int_equal(lfm2_runtime_cpu(NULL), 0);
    lfm2_runtime_free(NULL);
}

/* ---- Model ---- */

typedef struct progress {
    double last;
    int calls, stop_at;
} progress;

static int32_t watch(void *user, double done)
{
    progress *p = user;
    assert_false(runtime->sched.turns.taken); /* other calls could take a turn */
    assert_true(done >= p->last && done <= 1.0);
    p->last = done;
    return ++p->calls == p->stop_at ? 1 : 0;
}

static void test_load(void **state)
{
    (void)state;
    const char *path = lft_tiny("q4_0");
    lfm2_model *m = NULL;
    LFT_FAILS(lfm2_model_load(runtime, NULL, NULL, &m), LFM2_E_ARGUMENT);
    LFT_FAILS(lfm2_model_load(runtime, path, NULL, NULL), LFM2_E_ARGUMENT);
    LFT_FAILS(lfm2_model_load(runtime, lft_temp("none.gguf"), NULL, &m), LFM2_E_IO);
    assert_non_null(strstr(lfm2_last_error(), "none.gguf"));
    lfm2_model_options o;
    lfm2_model_options_init(&o, sizeof o);
    o.mode = 3;
    LFT_FAILS(lfm2_model_load(runtime, path, &o, &m), LFM2_E_ARGUMENT);
    o.mode = -1;
    LFT_FAILS(lfm2_model_load(runtime, path, &o, &m), LFM2_E_ARGUMENT);
    o.mode = LFM2_LOAD_FULL;
    o.merges = 3;
    LFT_FAILS(lfm2_model_load(runtime, path, &o, &m), LFM2_E_ARGUMENT);
    assert_null(m);

    lfm2_model_options_init(&o, sizeof o);
    progress p = {0};
    o.progress = watch;
    o.progress_user = &p;
    LFT_OK(lfm2_model_load(runtime, path, &o, &m));
    lfm2_model_free(m);
    m = NULL;
    assert_true(p.calls > 2 && p.last == 1.0);
    int all = p.calls;
    for (int stop = 1; stop <= all; stop++) {
        p = (progress){.stop_at = stop};
        LFT_FAILS(lfm2_model_load(runtime, path, &o, &m), LFM2_E_STOPPED);
        assert_null(m);
        assert_int_equal(p.calls, stop);
    }
}

static void test_info(void **state)
{
    (void)state;
    lfm2_model *m = lft_load(runtime, lft_golden_folder("moe-mixed"));
    lfm2_model_info i = {.size = sizeof i};
    LFT_OK(lfm2_model_get_info(m, &i));
    assert_string_equal(i.arch, "lfm2moe");
    assert_string_equal(i.file_type, "BF16");
    assert_int_equal(i.n_vocab, 256);
    assert_int_equal(i.n_embd, 128);
    assert_int_equal(i.n_layer, 4);
    assert_int_equal(i.n_layer_attn, 2);
    assert_int_equal(i.n_layer_dense, 1);
    assert_int_equal(i.n_head, 4);
    assert_int_equal(i.n_head_kv, 2);
    assert_int_equal(i.head_dim, 32);
    assert_int_equal(i.n_ff, 160);
    assert_int_equal(i.n_expert, 7);
    assert_int_equal(i.n_expert_used, 3);
    assert_int_equal(i.n_ff_expert, 96);
    assert_int_equal(i.conv_kernel, 4);
    assert_int_equal(i.n_ctx_train, 8192);
    assert_true(i.rope_theta == 5000000.0f && i.norm_eps == 1e-5f);
    assert_int_equal(i.n_params, 1135509); /* printed by make_forward.py */
    /* without 4 of 7 experts: 3 layers x 3 matrices of 96 x 128; the input embedding counts, too
     */
    assert_int_equal(i.n_params_active, 1135509 - 4 * 3 * 3 * 96 * 128);
    assert_true(i.packed_bytes > 0 && i.file_bytes > i.weight_bytes);

    uint64_t bytes = 0;
    for (uint32_t t = 0; t < i.n_tensors; t++) {
        lfm2_tensor_info info = {.size = sizeof info};
        LFT_OK(lfm2_model_get_tensor(m, t, &info));
        assert_true(strlen(info.name) > 0 && strlen(info.type) > 0);
        assert_in_range(info.n_dims, 1, 4);
        bytes += info.bytes;
    }
    assert_int_equal(bytes, i.weight_bytes);
    lfm2_tensor_info info = {.size = sizeof info};
    LFT_FAILS(lfm2_model_get_tensor(m, i.n_tensors, &info), LFM2_E_ARGUMENT);
    LFT_FAILS(lfm2_model_get_tensor(m, 0, NULL), LFM2_E_ARGUMENT);
    LFT_FAILS(lfm2_model_get_tensor(NULL, 0, &info), LFM2_E_ARGUMENT);
    const char *key = NULL;
    const char *value = NULL;
    for (uint32_t k = 0; k < i.n_meta; k++) {
        LFT_OK(lfm2_model_get_meta(m, k, &key, &value));
        assert_true(key != NULL && value != NULL);
    }
    LFT_FAILS(lfm2_model_get_meta(m, i.n_meta, &key, &value), LFM2_E_ARGUMENT);
    LFT_FAILS(lfm2_model_get_meta(m, 0, NULL, &value), LFM2_E_ARGUMENT);
    lfm2_model_free(m);
}

/* The cost of a token, counted by hand. */
static void test_token_cost(void **state)
{
    (void)state;
    /* In f32 panels of 16 columns every weight is 4 bytes. Width 256; 4 convolutions: in 3 x 256,
     * out; 2 attentions: q, out, k and v of 128; 2 dense: 3 of 512; 4 of experts: router of 16, 4
     * used: 3 of 96 each; head 2048. */
    enum {
        CONV = 256 * (3 * 256 + 256),
        ATTN = 256 * (2 * 256 + 2 * 128),
        DENSE = 3 * 256 * 512,
        ROUTED = 256 * 16 + 4 * 3 * 256 * 96,
        HEAD = 256 * 2048,
        ALL = 4 * CONV + 2 * ATTN + 2 * DENSE + 4 * ROUTED + HEAD,
        UNUSED = 4 * (16 - 4) * 3 * 256 * 96
    };
    assert_int_equal(ALL, 3948544);
    lfm2_runtime *scalar = lft_runtime(1, LFM2_KERNELS_SCALAR, 0);
    lfm2_model_info i = {.size = sizeof i};
    lfm2_model *m = lft_load(scalar, lft_tiny("f32"));
    LFT_OK(lfm2_model_get_info(m, &i));
    assert_int_equal(i.token_macs, ALL);
    assert_int_equal(i.head_macs, HEAD);
    assert_int_equal(i.token_bytes, 4 * ALL);
    assert_int_equal(i.head_bytes, 4 * HEAD);
    assert_int_equal(i.packed_bytes, 4 * (ALL + UNUSED));
    lfm2_model_free(m);

    /* The same before packing; a tokenizer alone has no costs. */
    lfm2_model_options o;
    lfm2_model_options_init(&o, sizeof o);
    o.mode = LFM2_LOAD_INSPECT;
    LFT_OK(lfm2_model_load(scalar, lft_tiny("f32"), &o, &m));
    LFT_OK(lfm2_model_get_info(m, &i));
    assert_int_equal(i.token_bytes, 4 * ALL);
    assert_int_equal(i.packed_bytes, 0);
    lfm2_model_free(m);
    o.mode = LFM2_LOAD_TOKENIZER;
    LFT_OK(lfm2_model_load(scalar, lft_tiny("f32"), &o, &m));
    LFT_OK(lfm2_model_get_info(m, &i));
    assert_true(i.token_bytes == 0 && i.token_macs == 0 && i.head_bytes == 0 && i.head_macs == 0);
    lfm2_model_free(m);

    /* Int4: 9 / 16 of a byte; the router stays f32; a panel of the down matrices, where k is no
     * multiple of 64, has 32 bytes of scales that nothing uses. */
    m = lft_load(scalar, lft_tiny("q4_0"));
    LFT_OK(lfm2_model_get_info(m, &i));
    assert_int_equal(i.token_macs, ALL);
    enum { ROUTER = 4 * 256 * 16, UNUSED_SCALES = 4 * 4 * (256 / 16) * 32 };
    assert_int_equal(i.token_bytes - i.head_bytes,
                     (ALL - HEAD - ROUTER) / 16 * 9 + 4 * ROUTER + UNUSED_SCALES);
    lfm2_model_free(m);
    lfm2_runtime_free(scalar);
}

/* ---- Text calls: sizes, buffers ---- */

static void test_text(void **state)
{
    (void)state;
    static const char text[] = "Hello world, 123";
    int32_t ids[64];
    size_t n = 0;
    LFT_OK(lfm2_tokenize(model, text, strlen(text), LFM2_TOKENIZE_BOS, ids, 64, &n));
    assert_in_range(n, 3, 20);
    size_t again = 0;
    LFT_FAILS(lfm2_tokenize(model, text, strlen(text), LFM2_TOKENIZE_BOS, NULL, 0, &again),
              LFM2_E_BUFFER);
    assert_int_equal(again, n);
    int32_t few[3] = {-1, -1, -1};
    LFT_FAILS(lfm2_tokenize(model, text, strlen(text), LFM2_TOKENIZE_BOS, few, 2, &again),
              LFM2_E_BUFFER);
    assert_int_equal(again, n);
    assert_memory_equal(few, ids, 2 * sizeof few[0]);
    assert_int_equal(few[2], -1);
    LFT_OK(lfm2_tokenize(model, NULL, 0, 0, NULL, 0, &again));
    assert_int_equal(again, 0);
    LFT_FAILS(lfm2_tokenize(model, NULL, 5, 0, ids, 64, &again), LFM2_E_ARGUMENT);
    LFT_FAILS(lfm2_tokenize(model, text, 5, 0, NULL, 64, &again), LFM2_E_ARGUMENT);
    LFT_FAILS(lfm2_tokenize(model, text, 5, 0, ids, 64, NULL), LFM2_E_ARGUMENT);
    LFT_FAILS(lfm2_tokenize(NULL, text, 5, 0, ids, 64, &again), LFM2_E_ARGUMENT);

    char back[64];
    size_t len = 0;
    LFT_OK(lfm2_detokenize(model, ids, n, 0, back, sizeof back, &len));
    assert_int_equal(len, strlen(text));
    assert_memory_equal(back, text, len);
    memset(back, '#', sizeof back);
    LFT_FAILS(lfm2_detokenize(model, ids, n, 0, back, 7, &len), LFM2_E_BUFFER);
    assert_int_equal(len, strlen(text));
    assert_memory_equal(back, "Hello w#", 8);
    LFT_FAILS(lfm2_detokenize(model, (int32_t[]){-1}, 1, 0, back, 64, &len), LFM2_E_ARGUMENT);
    LFT_FAILS(lfm2_token_get(model, 1 << 30, NULL, NULL, NULL), LFM2_E_ARGUMENT);
    LFT_OK(lfm2_token_get(model, 5, NULL, NULL, NULL));

    lfm2_decoder *d = NULL;
    LFT_OK(lfm2_decoder_create(model, 0, &d));
    const char *piece = NULL;
    char whole[64] = "";
    for (size_t i = 0; i < n; i++) {
        LFT_OK(lfm2_decoder_push(d, ids[i], &piece, &len));
        assert_int_equal(piece[len], '\0');
        strcat(whole, piece);
    }
    LFT_OK(lfm2_decoder_flush(d, &piece, &len));
    assert_int_equal(len, 0);
    assert_string_equal(whole, text);
    LFT_FAILS(lfm2_decoder_push(d, -1, &piece, &len), LFM2_E_ARGUMENT);
    LFT_FAILS(lfm2_decoder_push(d, 1, NULL, &len), LFM2_E_ARGUMENT);
    LFT_FAILS(lfm2_decoder_push(NULL, 1, &piece, &len), LFM2_E_ARGUMENT);
    LFT_FAILS(lfm2_decoder_flush(NULL, &piece, &len), LFM2_E_ARGUMENT);
    LFT_FAILS(lfm2_decoder_create(model, 0, NULL), LFM2_E_ARGUMENT);
    lfm2_decoder_free(d);
    lfm2_decoder_free(NULL);
}

static const char HELLO[] = "[{\"role\": \"user\", \"content\": \"Hi\"}]";
enum { HELLO_LEN = sizeof HELLO - 1 };

static void test_chat(void **state)
{
    (void)state;
    lfm2_chat_options o;
    lfm2_chat_options_init(&o, sizeof o);
    o.flags = LFM2_CHAT_GENERATION_PROMPT;
    char text[256];
    size_t len = 0;
    LFT_OK(lfm2_chat_render(model, HELLO, HELLO_LEN, &o, text, sizeof text, &len));
    const char *want = "<|startoftext|><|im_start|>user\nHi<|im_end|>\n<|im_start|>assistant\n";
    assert_int_equal(len, strlen(want));
    assert_memory_equal(text, want, len);
    size_t again = 0;
    LFT_FAILS(lfm2_chat_render(model, HELLO, HELLO_LEN, &o, NULL, 0, &again), LFM2_E_BUFFER);
    assert_int_equal(again, len);
    memset(text, 'x', sizeof text);
    LFT_FAILS(lfm2_chat_render(model, HELLO, HELLO_LEN, &o, text, 20, &again), LFM2_E_BUFFER);
    assert_memory_equal(text, want, 20);
    assert_int_equal(text[20], 'x');
    int32_t ids[64];
    size_t n = 0;
    LFT_OK(lfm2_chat_tokenize(model, HELLO, HELLO_LEN, NULL, ids, 64, &n));
    assert_true(n > 4);
    LFT_FAILS(lfm2_chat_render(model, NULL, 1, NULL, text, 256, &len), LFM2_E_ARGUMENT);
    LFT_FAILS(lfm2_chat_render(NULL, HELLO, HELLO_LEN, NULL, text, 256, &len), LFM2_E_ARGUMENT);
    LFT_FAILS(lfm2_chat_render(model, HELLO, HELLO_LEN, NULL, text, 256, NULL), LFM2_E_ARGUMENT);
    LFT_FAILS(lfm2_chat_tokenize(model, HELLO, HELLO_LEN, NULL, NULL, 64, &n), LFM2_E_ARGUMENT);
    LFT_FAILS(lfm2_chat_tokenize(model, HELLO, HELLO_LEN, NULL, ids, 64, NULL), LFM2_E_ARGUMENT);
    static const char nobody[] = "[{\"role\": \"nobody\", \"content\": \"Hi\"}]";
    LFT_FAILS(lfm2_chat_render(model, nobody, sizeof nobody - 1, NULL, text, 256, &len),
              LFM2_E_TEXT);
    LFT_FAILS(lfm2_chat_tokenize(model, nobody, sizeof nobody - 1, NULL, ids, 64, &n), LFM2_E_TEXT);
    o.tools_len = 2;
    LFT_FAILS(lfm2_chat_render(model, HELLO, HELLO_LEN, &o, text, 256, &len), LFM2_E_ARGUMENT);
    o.tools = "[{";
    LFT_FAILS(lfm2_chat_render(model, HELLO, HELLO_LEN, &o, text, 256, &len), LFM2_E_TEXT);
    o.tools_len = 0;
    o.flags = 8;
    LFT_FAILS(lfm2_chat_render(model, HELLO, HELLO_LEN, &o, text, 256, &len), LFM2_E_ARGUMENT);
    o.flags = 0;
    o.reserved = 1;
    LFT_FAILS(lfm2_chat_tokenize(model, HELLO, HELLO_LEN, &o, ids, 64, &n), LFM2_E_ARGUMENT);
}

/* The text calls of a model without a tokenizer. */
static void test_no_text(void **state)
{
    (void)state;
    lfm2_model *m = lft_load(runtime, lft_golden_folder("dense-plain"));
    int32_t ids[8];
    size_t n = 0;
    char text[8];
    lfm2_decoder *d = NULL;
    LFT_FAILS(lfm2_tokenize(m, "a", 1, 0, ids, 8, &n), LFM2_E_STATE);
    LFT_FAILS(lfm2_detokenize(m, ids, 0, 0, text, 8, &n), LFM2_E_STATE);
    LFT_FAILS(lfm2_token_get(m, 1, NULL, NULL, NULL), LFM2_E_STATE);
    LFT_FAILS(lfm2_decoder_create(m, 0, &d), LFM2_E_STATE);
    LFT_FAILS(lfm2_chat_tokenize(m, HELLO, HELLO_LEN, NULL, ids, 8, &n), LFM2_E_STATE);
    size_t len = 0;
    char rendered[64];
    LFT_OK(lfm2_chat_render(m, HELLO, HELLO_LEN, NULL, rendered, sizeof rendered, &len));
    lfm2_model_free(m);
    lfm2_model_options o;
    lfm2_model_options_init(&o, sizeof o);
    o.mode = LFM2_LOAD_TOKENIZER;
    m = NULL;
    LFT_FAILS(lfm2_model_load(runtime, lft_golden_folder("dense-plain"), &o, &m), LFM2_E_STATE);
    assert_null(m);
}

/* ---- An allocator that fails ---- */

/* Calls every function that a program typically calls. Returns the first failure; always frees its
 * handles. */
static int32_t whole_program(lft_memory *memory, const char *path)
{
    lfm2_runtime_options ro;
    lfm2_runtime_options_init(&ro, sizeof ro);
    ro.n_threads = 1;
    ro.alloc = lft_memory_alloc;
    ro.free = lft_memory_free;
    ro.alloc_user = memory;
    lfm2_runtime *r = NULL;
    lfm2_model *m = NULL;
    lfm2_session *s = NULL;
    lfm2_sampler *sampler = NULL;
    lfm2_decoder *decoder = NULL;
    static const char *const stop = "\n\n\n";
    static const int32_t bias_id = 3;
    static const float bias_value = 1;
    static const char messages[] = "[{\"role\": \"system\", \"content\": \"Be brief.\"},"
                                   "{\"role\": \"user\", \"content\": \"Say hello.\"}]";
    static const char tools[] = "[{\"name\": \"f\", \"n\": [1, 2.5, null, true]}]";
    int32_t ids[128];
    size_t n = 0;
    lfm2_session_options so;
    lfm2_session_options_init(&so, sizeof so);
    so.n_ctx = 160;
    so.n_chunk = 64;
    lfm2_sampler_options po;
    lfm2_sampler_options_init(&po, sizeof po, NULL);
    po.bias_ids = &bias_id;
    po.bias_values = &bias_value;
    po.n_bias = 1;
    po.penalty_last_n = 64;
    lfm2_chat_options co;
    lfm2_chat_options_init(&co, sizeof co);
    co.tools = tools;
    co.tools_len = sizeof tools - 1;
    co.flags = LFM2_CHAT_GENERATION_PROMPT;
    lfm2_generate_options go;
    lfm2_generate_options_init(&go, sizeof go);
    go.max_tokens = 3;
    go.flags = LFM2_GENERATE_IGNORE_EOS;
    go.stop_strings = &stop;
    go.n_stop_strings = 1;
    int32_t status = lfm2_runtime_create(&ro, &r);
    status = status != LFM2_OK ? status : lfm2_model_load(r, path, NULL, &m);
    status = status != LFM2_OK ? status : lfm2_session_create(m, &so, &s);
    status = status != LFM2_OK ? status : lfm2_sampler_create(m, &po, &sampler);
    status = status != LFM2_OK ? status : lfm2_decoder_create(m, 0, &decoder);
    status = status != LFM2_OK
                 ? status
                 : lfm2_chat_tokenize(m, messages, sizeof messages - 1, &co, ids, 128, &n);
    status = status != LFM2_OK ? status : lfm2_generate(s, sampler, ids, n, &go, NULL);
    lfm2_runtime_free(r); /* handles can be freed in any order */
    lfm2_model_free(m);
    lfm2_decoder_free(decoder);
    lfm2_sampler_free(sampler);
    lfm2_session_free(s);
    return status;
}

/* `after`: all allocations after the failing one fail, too. */
static void fail_everywhere(const char *path, bool after)
{
    lft_memory memory = {0};
    LFT_OK(whole_program(&memory, path));
    assert_int_equal(atomic_load(&memory.live_blocks), 0);
    long long calls = atomic_load(&memory.calls);
    print_message("%lld allocations\n", calls);
    assert_true(calls > 20);
    for (long long i = 1; i <= calls; i++) {
        atomic_store(&memory.calls, 0);
        atomic_store(&memory.fail_at, i);
        atomic_store(&memory.fail_on, after);
        int32_t status = whole_program(&memory, path);
        if (status != LFM2_E_MEMORY || atomic_load(&memory.live_blocks) != 0 ||
            atomic_load(&memory.live_bytes) != 0) {
            fail_msg("allocation %lld of %lld fails: %s (%s), %lld blocks of %lld bytes lost", i,
                     calls, lfm2_status_name(status), lfm2_last_error(),
                     atomic_load(&memory.live_blocks), atomic_load(&memory.live_bytes));
        }
        assert_true(strlen(lfm2_last_error()) > 0);
    }
    assert_false(atomic_load(&memory.broken));
}

static void test_failing_allocator(void **state)
{
    (void)state;
    fail_everywhere(lft_tiny("q4_0"), false);
    fail_everywhere(lft_tiny("q4_0"), true);
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
        cmocka_unit_test(test_status),
        cmocka_unit_test(test_runtime),
        cmocka_unit_test(test_load),
        cmocka_unit_test(test_info),
        cmocka_unit_test(test_text),
        cmocka_unit_test(test_chat),
        cmocka_unit_test(test_no_text),
        cmocka_unit_test(test_token_cost),
        cmocka_unit_test(test_failing_allocator),
    };
    return cmocka_run_group_tests(tests, begin, end);
}
