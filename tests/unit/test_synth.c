/* SPDX-License-Identifier: Apache-2.0 */
/* Tests of synthetic models: shapes, distributions, determinism, lossless vocabulary. */
#include "convert/rule.h"
#include "support/counting_alloc.h"
#include "support/models.h"
#include "support/random.h"
#include "text/tokenizer.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

static const lf_log silent;
static lf_sched alone = {.n_threads = 1};

static const char *synthesize(const char *shape, const char *type, uint64_t seed, const char *name)
{
    lf_alloc alloc = lf_alloc_default();
    lfm2_convert_options options = {.size = sizeof options, .type = type};
    const char *path = lft_temp(name);
    LFT_OK(lf_synthesize(&alloc, &silent, &alone, shape, seed, path, &options));
    return path;
}

static void same_files(const char *a, const char *b, bool want)
{
    size_t na = 0;
    size_t nb = 0;
    char *da = lft_read_file(a, &na);
    char *db = lft_read_file(b, &nb);
    assert_int_equal(na == nb && memcmp(da, db, na) == 0, want);
    free(da);
    free(db);
}

/* ---- Shapes ---- */

typedef struct shape_case {
    const char *name;
    uint64_t params;
    uint32_t n_layer;
    uint64_t attention; /* bit i: layer i */
    size_t n_tensors;
} shape_case;

/* Parameter counts and layers of the published models (24B: the choice of attention layers is
 * ours). */
static const shape_case shape_cases[] = {
    {"lfm2-8b-a1b", 8339930560u, 24, 0x244444, 256},
    {"lfm2-24b-a2b", 23843661440u, 40, 0x4444444444, 428},
    {"lfm2-350m", 354483968u, 16, 0x5524, 148},
    {"lfm2-1.2b", 1170340608u, 16, 0x5524, 148},
    {"lfm2-700m", 742489344u, 16, 0x5524, 148},
    {"lfm2-2.6b", 2569272320u, 30, 0x9222224, 266},
    {"lfm2.5-230m", 229693184u, 14, 0x1554, 132},
    {"lfm2.5-2.6b", 2697198592u, 30, 0x9222224, 266},
    {"lfm2.5-8b-a1b", 8467856832u, 24, 0x244444, 256},
};

/* The parameters in which LFM2.5 differs from LFM2, and its vocabulary's special tokens. */
static void test_lfm25(void **state)
{
    (void)state;
    static const struct {
        const char *name;
        float rope_theta;
        uint32_t n_ctx;
    } cases[] = {{"lfm2.5-2.6b", 1e7f, 131072}, {"lfm2.5-8b-a1b", 5e6f, 128000}};
    lf_alloc alloc = lf_alloc_default();
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        lf_arena arena;
        lf_arena_init(&arena, &alloc);
        lf_synth_model m;
        LFT_OK(lf_synth_model_of(&arena, cases[i].name, lf_preset_find("q4_0"), &m));
        assert_true(m.hparams.rope_theta == cases[i].rope_theta);
        assert_int_equal(m.hparams.n_ctx_train, cases[i].n_ctx);
        assert_int_equal(m.hparams.n_vocab, 128000);
        lf_vocab_data v;
        LFT_OK(lf_synth_vocab(&arena, 128000, &v));
        assert_int_equal(v.bos_id, 124894);
        assert_int_equal(v.eos_id, 124900);
        assert_int_equal(v.pad_id, 124893);
        assert_string_equal(v.tokens[124894].text, "<|startoftext|>");
        assert_string_equal(v.tokens[124900].text, "<|im_end|>");
        assert_string_equal(v.tokens[124901].text, "<think>");
        assert_string_equal(v.tokens[124907].text, "<image>");
        lf_arena_free(&arena);
    }
}

static void test_shapes(void **state)
{
    (void)state;
    lf_alloc alloc = lf_alloc_default();
    for (size_t i = 0; i < sizeof shape_cases / sizeof shape_cases[0]; i++) {
        const shape_case *c = &shape_cases[i];
        lf_arena arena;
        lf_arena_init(&arena, &alloc);
        lf_synth_model m;
        LFT_OK(lf_synth_model_of(&arena, c->name, lf_preset_find("q4_0"), &m));
        uint64_t params = 0;
        for (size_t t = 0; t < m.n_tensors; t++) {
            params += m.tensors[t].ne[0] * m.tensors[t].ne[1] * m.tensors[t].ne[2];
        }
        assert_int_equal(params, c->params);
        assert_int_equal(m.hparams.n_layer, c->n_layer);
        uint64_t attention = 0;
        for (uint32_t l = 0; l < c->n_layer; l++) {
            attention |= (uint64_t)(m.hparams.n_head_kv[l] == 8) << l;
        }
        assert_int_equal(attention, c->attention);
        assert_int_equal(m.n_tensors, c->n_tensors);
        lf_arena_free(&arena);
    }
}

/* Bytes of the 8B model's tensors in the published presets. */
static void test_bytes_of_8b(void **state)
{
    (void)state;
    static const char *const types[] = {"q4_0", "q8_0", "f16", "bf16"};
    static const uint64_t want[] = {4731500288u, 8866035456u, 16683169536u, 16683169536u};
    lf_alloc alloc = lf_alloc_default();
    for (int i = 0; i < 4; i++) {
        lf_arena arena;
        lf_arena_init(&arena, &alloc);
        lf_synth_model m;
        LFT_OK(lf_synth_model_of(&arena, "lfm2-8b-a1b", lf_preset_find(types[i]), &m));
        uint64_t bytes = 0;
        for (size_t t = 0; t < m.n_tensors; t++) {
            const lf_out_tensor *p = &m.tensors[t];
            bytes += lf_row_bytes(p->type, (size_t)p->ne[0]) * p->ne[1] * p->ne[2];
        }
        assert_int_equal(bytes, want[i]);
        lf_arena_free(&arena);
    }
}

static void test_refused(void **state)
{
    (void)state;
    lf_alloc alloc = lf_alloc_default();
    lfm2_convert_options options = {.size = sizeof options, .type = "q4_0"};
    const char *out = lft_temp("refused.gguf");
    static const char *const names[] = {"", "lfm2", "LFM2-8B-A1B", "lfm2-8b-a1b "};
    for (int i = 0; i < 4; i++) {
        LFT_FAILS(lf_synthesize(&alloc, &silent, &alone, names[i], 1, out, &options),
                  LFM2_E_ARGUMENT);
    }
    options.type = "q3_k";
    LFT_FAILS(lf_synthesize(&alloc, &silent, &alone, "tiny", 1, out, &options), LFM2_E_ARGUMENT);
    assert_int_not_equal(access(out, F_OK), 0);
}

/* ---- Weights ---- */

/* FNV-1a of the whole file: the bytes for a seed must never change. */
static uint64_t file_hash(const char *path)
{
    size_t n = 0;
    char *data = lft_read_file(path, &n);
    uint64_t h = 0xCBF29CE484222325u;
    for (size_t i = 0; i < n; i++) {
        h = (h ^ (uint8_t)data[i]) * 0x100000001B3u;
    }
    free(data);
    return h;
}

static void test_seeds(void **state)
{
    (void)state;
    const char *a = synthesize("tiny", "q4_0", 1, "a.gguf");
    same_files(a, synthesize("tiny", "q4_0", 1, "b.gguf"), true);
    same_files(a, synthesize("tiny", "q4_0", 2, "b.gguf"), false);
    /* llama-quantize makes the same file from the F32 file. */
    static const char *const types[] = {"q4_0", "q4_k_s", "q4_k_m", "q5_k_s", "q5_k_m", "q6_k"};
    static const uint64_t hashes[] = {0xA49F5A7C16AB6076u, 0x89858C0F91F5D644u,
                                      0x726FF33F2381AB00u, 0x767EDFA9570EABDBu,
                                      0x731ABA71199974E1u, 0xB890EFD2DBBAF7DAu};
    for (int i = 0; i < 6; i++) {
        assert_int_equal(file_hash(synthesize("tiny", types[i], 1, "b.gguf")), hashes[i]);
    }
}

/* Quantizing the F32 model gives the same file as making the quantized model. */
static void test_same_as_quantized(void **state)
{
    (void)state;
    static const char *const types[] = {"q4_0", "q8_0", "f16", "bf16", "q4_k_m", "q5_k_s"};
    const char *full = synthesize("tiny", "f32", 3, "full.gguf");
    const char *out = lft_temp("quantized.gguf");
    lf_alloc alloc = lf_alloc_default();
    for (int i = 0; i < 6; i++) {
        lfm2_convert_options options = {.size = sizeof options, .type = types[i]};
        LFT_OK(lf_quantize(&alloc, &silent, &alone, full, out, &options));
        same_files(synthesize("tiny", types[i], 3, "direct.gguf"), out, true);
    }
}

/* One hash gives two elements, so a thread starts at an even row. */
static void test_grain(void **state)
{
    (void)state;
    for (size_t row = 1; row < 20000; row++) {
        size_t grain = lf_rule_grain(row);
        assert_true(grain >= 2 && grain % 2 == 0);
    }
}

static void check_moments(const lf_source *s, const char *name, double mean, double deviation)
{
    const lf_tensor *t = lf_source_find(s, name);
    assert_non_null(t);
    assert_int_equal(t->type, LF_F32);
    size_t n = (size_t)(t->ne[0] * t->ne[1] * t->ne[2]);
    float *v = malloc(n * sizeof *v);
    assert_non_null(v);
    lf_decode_row(t->type, lf_tensor_expert(s, t, 0), v, n);
    double sum = 0;
    double squares = 0;
    for (size_t i = 0; i < n; i++) {
        sum += (double)v[i];
        squares += (double)v[i] * (double)v[i];
    }
    free(v);
    double m = sum / (double)n;
    double d = sqrt(squares / (double)n - m * m);
    double slack = 5.0 / sqrt((double)n); /* five standard errors */
    if (fabs(m - mean) > slack * deviation || fabs(d / deviation - 1.0) > slack) {
        fail_msg("%s: mean %g (%g), deviation %g (%g)", name, m, mean, d, deviation);
    }
}

static void test_moments(void **state)
{
    (void)state;
    lf_alloc alloc = lf_alloc_default();
    lf_source *s = NULL;
    LFT_OK(lf_source_open(&alloc, &silent, synthesize("tiny", "f32", 3, "full.gguf"), &s));
    lf_weights weights;
    LFT_OK(lf_bind(s, &weights));
    double embed = 3.0 / 16.0; /* logits of deviation 3 from 256 products with a norm near 1 */
    double residual = embed / sqrt(12.0);
    check_moments(s, "token_embd.weight", 0.0, embed);
    check_moments(s, "token_embd_norm.weight", 0.0, sqrt(1.01));
    check_moments(s, "blk.3.attn_norm.weight", 1.0, 0.1);
    check_moments(s, "blk.2.attn_q.weight", 0.0, 1.0 / 16.0);
    check_moments(s, "blk.0.shortconv.conv.weight", 0.0, 1.0 / sqrt(3.0));
    check_moments(s, "blk.0.shortconv.out_proj.weight", 0.0, residual / 16.0);
    check_moments(s, "blk.4.ffn_gate_inp.weight", 0.0, 1.5 / 16.0);
    check_moments(s, "blk.4.ffn_down_exps.weight", 0.0, 3.3 * residual / sqrt(96.0));
    lf_source_close(s);
}

static void test_out_of_memory(void **state)
{
    (void)state;
    const char *out = lft_temp("memory.gguf");
    lfm2_convert_options options = {.size = sizeof options, .type = "q4_0"};
    counting_alloc c;
    lf_alloc alloc = counting_alloc_init(&c);
    int32_t status = LFM2_E_MEMORY;
    for (size_t n = 0; status != LFM2_OK && n < 1000; n++) {
        c.calls = 0;
        c.fail_at = n;
        status = lf_synthesize(&alloc, &silent, &alone, "tiny", 1, out, &options);
        assert_true(status == LFM2_OK || status == LFM2_E_MEMORY);
        assert_int_equal(access(out, F_OK) == 0, status == LFM2_OK);
        assert_int_equal(c.live, 0);
        assert_int_equal(c.mistakes, 0);
    }
    assert_int_equal(status, LFM2_OK);
    assert_true(c.peak < 8 * 1024 * 1024); /* the weights in F32 would be 30 MB */
}

/* ---- Vocabulary ---- */

static void round_trip(const lf_tokenizer *t, const char *text, size_t len)
{
    enum { MOST = 512 };
    int32_t ids[MOST];
    size_t n = 0;
    lf_span span = {text, len, false};
    LFT_OK(lf_tokenizer_encode(t, &span, 1, false, ids, MOST, &n));
    size_t at = 0;
    for (size_t i = 0; i < n; i++) {
        const char *bytes = NULL;
        size_t n_bytes = 0;
        int32_t kind = 0;
        LFT_OK(lf_tokenizer_token(t, ids[i], &bytes, &n_bytes, &kind));
        assert_int_equal(kind, LFM2_TOKEN_NORMAL);
        assert_true(n_bytes <= len - at);
        assert_memory_equal(bytes, text + at, n_bytes);
        at += n_bytes;
    }
    assert_int_equal(at, len);
}

static void check_vocab(uint32_t n, uint32_t least_merges)
{
    lf_alloc alloc = lf_alloc_default();
    lf_arena arena;
    lf_arena_init(&arena, &alloc);
    lf_vocab_data v;
    LFT_OK(lf_synth_vocab(&arena, n, &v));
    assert_int_equal(v.n_tokens, n);
    assert_true(v.n_merges >= least_merges);
    uint32_t first = n == 128000 ? 124893 : 0;
    uint32_t last = n == 128000 ? 124909 : 13;
    assert_string_equal(v.tokens[first].text, "<|pad|>");
    assert_string_equal(v.tokens[first + 7].text, "<|im_end|>");
    assert_string_equal(v.tokens[last].text, "<|tool_response_end|>");
    assert_int_equal(v.tokens[last].kind, LFM2_TOKEN_CONTROL);
    assert_int_equal(v.tokens[n - 1].kind, LFM2_TOKEN_UNUSED);

    lf_tokenizer *t = NULL; /* refuses duplicates and merges of unknown tokens */
    LFT_OK(lf_tokenizer_create(&alloc, &v, false, &t));
    static const char *const texts[] = {
        "Hello world", " the information  about\n\n\nchildren's 1234567890 things...\t\r\n",
        "int main(void) { return 0; }", "na\xC3\xAFve \xE4\xB8\x96\xE7\x95\x8C \xF0\x9F\x99\x82",
        "<|im_end|>"};
    for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++) {
        round_trip(t, texts[i], strlen(texts[i]));
    }
    uint64_t seed = 9;
    print_message("seed %u\n", (unsigned)seed);
    for (int i = 0; i < 50; i++) { /* any bytes, UTF-8 or not */
        char bytes[128];
        for (size_t j = 0; j < sizeof bytes; j++) {
            bytes[j] = (char)random_u64(&seed);
        }
        round_trip(t, bytes, sizeof bytes);
    }
    int32_t ids[8];
    size_t n_ids = 0;
    lf_span word = {" people", 7, false};
    LFT_OK(lf_tokenizer_encode(t, &word, 1, false, ids, 8, &n_ids));
    assert_int_equal(n_ids, 1); /* a word is one token, not one per byte */
    lf_tokenizer_free(t);
    lf_arena_free(&arena);
}

static void test_vocab(void **state)
{
    (void)state;
    check_vocab(2048, 1700);
    check_vocab(65536, 63000);
    check_vocab(128000, 124000);
}

static int finish(void **state)
{
    (void)state;
    lft_end();
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_shapes),
        cmocka_unit_test(test_bytes_of_8b),
        cmocka_unit_test(test_refused),
        cmocka_unit_test(test_seeds),
        cmocka_unit_test(test_same_as_quantized),
        cmocka_unit_test(test_grain),
        cmocka_unit_test(test_moments),
        cmocka_unit_test(test_out_of_memory),
        cmocka_unit_test(test_vocab),
        cmocka_unit_test(test_lfm25),
    };
    return cmocka_run_group_tests(tests, NULL, finish);
}
