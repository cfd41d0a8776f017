/* SPDX-License-Identifier: Apache-2.0 */
/* Tests of names, shapes and types of both architectures; of hyperparameters and their limits; of
 * the vocabulary of GGUF files. Every case is the tiny model with one change. */
#include "support/models.h"
#include "support/tiny_files.h"

#include "load/bind.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static lf_alloc heap;
static lf_source *source;

static int setup(void **state)
{
    (void)state;
    heap = lf_alloc_default();
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    lf_source_close(source);
    source = NULL;
    lft_end();
    return 0;
}

static int32_t open_builder(gguf_builder *b)
{
    gb_finish(b);
    gb_write(lft_temp("m.gguf"), b->file.data, b->file.size);
    gb_free(b);
    lf_source_close(source);
    source = NULL;
    return lf_source_open(&heap, NULL, lft_temp("m.gguf"), &source);
}

static int32_t open_changed(bool moe, const tiny_change *c)
{
    gguf_builder b;
    tiny_gguf(&b, moe, c);
    return open_builder(&b);
}

static void refused(int32_t status, int32_t expected, const char *code, const char *says)
{
    if (status != expected || strcmp(lf_fail_code(), code) != 0 ||
        strstr(lf_fail_text(), "m.gguf: ") == NULL || strstr(lf_fail_text(), says) == NULL) {
        fail_msg("expected %d %s with '%s', got %d %s: %s", expected, code, says, status,
                 lf_fail_code(), lf_fail_text());
    }
    assert_null(source);
}

#define CHANGED(moe, ...)         open_changed(moe, &(const tiny_change){__VA_ARGS__})
#define BAD(moe, code, says, ...) refused(CHANGED(moe, __VA_ARGS__), LFM2_E_FORMAT, code, says)
#define UNSUPPORTED(moe, code, says, ...)                                                          \
    refused(CHANGED(moe, __VA_ARGS__), LFM2_E_UNSUPPORTED, code, says)

/* ---- Right files ---- */

static void test_moe(void **state)
{
    (void)state;
    LFT_OK(open_changed(true, NULL));
    const lf_hparams *h = &source->hparams;
    assert_int_equal(h->arch, LF_ARCH_LFM2MOE);
    assert_int_equal(h->n_vocab, TINY_VOCAB);
    assert_int_equal(h->n_embd, 32);
    assert_int_equal(h->n_layer, 3);
    assert_int_equal(h->n_head, 4);
    assert_int_equal(h->head_dim, 8);
    const uint32_t kv[] = {0, 2, 0};
    assert_memory_equal(h->n_head_kv, kv, sizeof kv);
    assert_int_equal(h->n_ff, 64);
    assert_int_equal(h->n_dense, 1);
    assert_int_equal(h->n_expert, 4);
    assert_int_equal(h->n_expert_used, 2);
    assert_int_equal(h->n_ff_expert, 32);
    assert_int_equal(h->conv_kernel, 3);
    assert_int_equal(h->n_ctx_train, 1000);
    assert_true(h->norm_eps == 1e-5F && h->rope_theta == 1e6F && h->expert_scale == 1.0F);
    assert_true(h->norm_topk && h->expert_bias && h->tied);
    assert_string_equal(source->name, "tiny");
    assert_string_equal(source->file_type, "F32");
    lf_weights w;
    LFT_OK(lf_bind(source, &w));
    assert_ptr_equal(w.embed, lf_source_find(source, "token_embd.weight"));
    assert_ptr_equal(w.head, w.embed);
    assert_ptr_equal(w.final_norm, lf_source_find(source, "token_embd_norm.weight"));
    assert_ptr_equal(w.layers[0].gate, lf_source_find(source, "blk.0.ffn_gate.weight"));
    assert_ptr_equal(w.layers[0].conv_kernel,
                     lf_source_find(source, "blk.0.shortconv.conv.weight"));
    assert_null(w.layers[0].q);
    assert_null(w.layers[0].router);
    assert_ptr_equal(w.layers[1].o, lf_source_find(source, "blk.1.attn_output.weight"));
    assert_null(w.layers[1].conv_in);
    assert_ptr_equal(w.layers[2].down, lf_source_find(source, "blk.2.ffn_down_exps.weight"));
    assert_ptr_equal(w.layers[2].router_bias, lf_source_find(source, "blk.2.exp_probs_b.bias"));
    const lf_tensor *t = w.layers[2].down;
    assert_ptr_equal(lf_tensor_expert(source, t, 3),
                     lf_tensor_expert(source, t, 0) + 3 * t->ne[0] * t->ne[1] * 4);
    assert_null(lf_source_find(source, "blk.2.ffn_down.weight"));
}

static void test_dense(void **state)
{
    (void)state;
    LFT_OK(open_changed(false, NULL));
    assert_int_equal(source->hparams.arch, LF_ARCH_LFM2);
    assert_int_equal(source->hparams.n_dense, 3);
    assert_int_equal(source->hparams.n_expert, 0);
    assert_false(source->hparams.expert_bias);
    lf_weights w;
    LFT_OK(lf_bind(source, &w));
    assert_non_null(w.layers[2].gate);
    assert_null(w.layers[2].router_bias);
}

static void test_accepted(void **state)
{
    (void)state;
    lf_weights w;
    LFT_OK(CHANGED(true, .untied = true));
    assert_false(source->hparams.tied);
    LFT_OK(lf_bind(source, &w));
    assert_ptr_equal(w.head, lf_source_find(source, "output.weight"));
    LFT_OK(CHANGED(true, .extra = "rope_freqs.weight"));
    LFT_OK(CHANGED(true, .extra = "blk.1.rope_freqs.weight"));
    LFT_OK(CHANGED(true, .tensor = "blk.0.attn_norm.weight", .type = LF_F16));
    LFT_OK(CHANGED(true, .tensor = "blk.1.attn_q_norm.weight", .type = LF_BF16));
    LFT_OK(CHANGED(true, .tensor = "blk.0.shortconv.conv.weight", .type = LF_F16));
    LFT_OK(CHANGED(true, .tensor = "blk.2.ffn_gate_inp.weight", .type = LF_Q8_0));
    LFT_OK(CHANGED(true, .tensor = "blk.2.ffn_up_exps.weight", .type = LF_Q4_0));
    LFT_OK(CHANGED(true, .tensor = "token_embd.weight", .type = LF_Q8_0));
    assert_string_equal(source->file_type, "F32");
    LFT_OK(CHANGED(true, .skip = "lfm2moe.vocab_size"));
    LFT_OK(CHANGED(true, .skip = "lfm2moe.expert_gating_func"));
    LFT_OK(CHANGED(true, .key = "extra.lfm2moe.attention.key_length", .value = 8));
    LFT_OK(CHANGED(true, .key = "extra.lfm2moe.attention.value_length", .value = 8));
    LFT_OK(CHANGED(true, .key = "extra.lfm2moe.rope.dimension_count", .value = 8));
    LFT_OK(CHANGED(false, .key = "extra.lfm2.attention.sliding_window", .value = 0));
    LFT_OK(CHANGED(true, .no_vocab = true));
    assert_int_equal(source->vocab.n_tokens, 0);
    assert_int_equal(source->vocab.bos_id, -1);
}

/* output_norm.weight is another name for token_embd_norm.weight. */
static void test_norm_alias(void **state)
{
    (void)state;
    gguf_builder b;
    lf_weights w;
    const uint64_t dims[] = {32};
    tiny_gguf(&b, true, &(const tiny_change){.skip = "token_embd_norm.weight"});
    gb_tensor(&b, "output_norm.weight", 0, 1, dims, 128);
    LFT_OK(open_builder(&b));
    LFT_OK(lf_bind(source, &w));
    assert_ptr_equal(w.final_norm, lf_source_find(source, "output_norm.weight"));
    tiny_gguf(&b, true, NULL);
    gb_tensor(&b, "output_norm.weight", 0, 1, dims, 128);
    refused(open_builder(&b), LFM2_E_FORMAT, "bind.unknown", "output_norm.weight");
}

/* ---- Tensors ---- */

static void test_every_tensor_is_needed(void **state)
{
    (void)state;
    LFT_OK(open_changed(true, NULL));
    char names[64][64];
    uint32_t n = source->n_tensors;
    assert_in_range(n, 30, 64);
    for (uint32_t i = 0; i < n; i++) {
        snprintf(names[i], sizeof names[i], "%s", source->tensors[i].name);
    }
    for (uint32_t i = 0; i < n; i++) {
        BAD(true, "bind.missing", names[i], .skip = names[i]);
    }
}

static void test_quantized_norm(void **state)
{
    (void)state;
    UNSUPPORTED(true, "bind.type", "blk.0.attn_norm.weight", .tensor = "blk.0.attn_norm.weight",
                .type = LF_Q8_0);
    UNSUPPORTED(true, "bind.type", "Q4_0", .tensor = "token_embd_norm.weight", .type = LF_Q4_0);
}

static void test_shapes(void **state)
{
    (void)state;
    BAD(true, "bind.shape",
        "'blk.1.attn_q.weight': its shape is 32 x 31 x 1 x 1; the model's configuration requires "
        "32 x 32 x 1 x 1",
        .tensor = "blk.1.attn_q.weight", .dims = {32, 31});
    BAD(true, "bind.shape", "blk.1.attn_k.weight", .tensor = "blk.1.attn_k.weight",
        .dims = {32, 32});
    BAD(true, "bind.shape", "blk.0.ffn_down.weight", .tensor = "blk.0.ffn_down.weight",
        .dims = {32, 64});
    BAD(true, "bind.shape", "blk.2.ffn_up_exps.weight", .tensor = "blk.2.ffn_up_exps.weight",
        .dims = {32, 32, 5});
    BAD(true, "bind.shape", "blk.2.ffn_up_exps.weight", .tensor = "blk.2.ffn_up_exps.weight",
        .dims = {32, 32, 4, 2});
    BAD(true, "bind.shape", "blk.0.shortconv.conv.weight", .tensor = "blk.0.shortconv.conv.weight",
        .dims = {4, 32});
    BAD(true, "bind.shape", "token_embd.weight", .tensor = "token_embd.weight",
        .dims = {16, TINY_VOCAB});
    BAD(true, "gguf.vocab.count", "299 rows", .tensor = "token_embd.weight", .dims = {32, 299});
}

static void test_unknown(void **state)
{
    (void)state;
    BAD(true, "bind.unknown", "'blk.0.attn_q.weight'", .extra = "blk.0.attn_q.weight");
    BAD(true, "bind.unknown", "'blk.3.attn_norm.weight'", .extra = "blk.3.attn_norm.weight");
    BAD(true, "bind.unknown", "'blk.1.attn_q.bias'", .extra = "blk.1.attn_q.bias");
    BAD(true, "bind.unknown", "'xrope_freqs.weight'", .extra = "xrope_freqs.weight");
    BAD(false, "bind.unknown", "exp_probs_b", .extra = "blk.1.exp_probs_b.bias");
    BAD(true, "source.duplicate", "'blk.1.attn_q.weight' appears twice",
        .extra = "blk.1.attn_q.weight");
}

/* ---- Keys ---- */

static void test_keys_needed(void **state)
{
    (void)state;
    static const char *const needed[] = {
        "block_count",         "context_length",       "embedding_length",
        "feed_forward_length", "attention.head_count", "attention.head_count_kv",
        "shortconv.l_cache",   "rope.freq_base",       "attention.layer_norm_rms_epsilon",
        "expert_count",        "expert_used_count",    "expert_feed_forward_length"};
    BAD(true, "gguf.key.missing", "general.architecture", .skip = "general.architecture");
    for (size_t i = 0; i < sizeof needed / sizeof needed[0]; i++) {
        char key[64];
        snprintf(key, sizeof key, "lfm2moe.%s", needed[i]);
        BAD(true, "gguf.key.missing", key, .skip = key);
    }
    BAD(true, "gguf.key.missing", "token_type", .skip = "tokenizer.ggml.token_type");
    BAD(true, "gguf.key.missing", "merges", .skip = "tokenizer.ggml.merges");
}

static void test_ranges(void **state)
{
    (void)state;
    static const struct {
        const char *key;
        uint32_t value;
        const char *code;
    } cases[] = {
        {"block_count", 0, "hparams.range"},
        {"block_count", 257, "hparams.range"},
        {"block_count", 4, "gguf.key.count"},
        {"embedding_length", 0, "hparams.range"},
        {"embedding_length", 65540, "hparams.range"},
        {"embedding_length", 33, "hparams.head_dim"},
        {"context_length", 0, "hparams.range"},
        {"context_length", UINT32_MAX, "hparams.range"},
        {"feed_forward_length", 0, "hparams.range"},
        {"feed_forward_length", 1u << 31, "hparams.range"},
        {"attention.head_count", 0, "hparams.head_dim"},
        {"attention.head_count", 3, "hparams.head_dim"},
        {"attention.head_count", 32, "hparams.range"},
        {"shortconv.l_cache", 1, "hparams.range"},
        {"shortconv.l_cache", 9, "hparams.range"},
        {"shortconv.l_cache", 4, "bind.shape"},
        {"expert_count", 0, "hparams.range"},
        {"expert_count", 1025, "hparams.range"},
        {"expert_used_count", 0, "hparams.range"},
        {"expert_used_count", 5, "hparams.range"},
        {"expert_feed_forward_length", 0, "hparams.range"},
        {"leading_dense_block_count", 4, "hparams.range"},
        {"leading_dense_block_count", 2, "bind.missing"},
        {"vocab_size", 301, "gguf.vocab.count"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        char key[64];
        snprintf(key, sizeof key, "lfm2moe.%s", cases[i].key);
        BAD(true, cases[i].code, "", .key = key, .value = cases[i].value);
    }
    BAD(true, "hparams.range", "is 65540; allowed: 1 to 65536", .key = "lfm2moe.embedding_length",
        .value = 65540);
}

static void test_variants(void **state)
{
    (void)state;
    UNSUPPORTED(true, "gguf.variant", "expert_gating_func", .key = "lfm2moe.expert_gating_func",
                .value = 1);
    UNSUPPORTED(true, "gguf.variant", "head dimension 8",
                .key = "extra.lfm2moe.rope.dimension_count", .value = 4);
    UNSUPPORTED(true, "gguf.variant", "value_length", .key = "extra.lfm2moe.attention.value_length",
                .value = 16);
    BAD(true, "bind.shape", "attn_q", .key = "extra.lfm2moe.attention.key_length", .value = 16);
    UNSUPPORTED(false, "gguf.variant", "sliding", .key = "extra.lfm2.attention.sliding_window",
                .value = 512);
    UNSUPPORTED(true, "gguf.variant", "shared", .key = "extra.lfm2moe.expert_shared_count",
                .value = 1);
    gguf_builder b;
    tiny_gguf(&b, true, NULL);
    gb_bool(&b, "lfm2moe.attention.causal", false);
    refused(open_builder(&b), LFM2_E_UNSUPPORTED, "gguf.variant",
            "lfm2moe.attention.causal': this is an encoder");
    tiny_gguf(&b, true, NULL);
    gb_bool(&b, "lfm2moe.attention.causal", true);
    gb_f32(&b, "lfm2moe.expert_weights_scale", 2.5F);
    gb_bool(&b, "lfm2moe.expert_weights_norm", false);
    LFT_OK(open_builder(&b));
    assert_true(source->hparams.expert_scale == 2.5F && !source->hparams.norm_topk);
    tiny_gguf(&b, true, &(const tiny_change){.skip = "general.architecture"});
    gb_string(&b, "general.architecture", "lfm2-bidir");
    refused(open_builder(&b), LFM2_E_UNSUPPORTED, "gguf.architecture", "'lfm2-bidir'");
    tiny_gguf(&b, true, NULL);
    gb_string(&b, "lfm2moe.rope.scaling.type", "yarn");
    refused(open_builder(&b), LFM2_E_UNSUPPORTED, "gguf.variant", "rope.scaling.type");
}

static void expect_kv(bool ok, const int32_t kv[3], const char *code)
{
    gguf_builder b;
    tiny_gguf(&b, true, &(const tiny_change){.skip = "lfm2moe.attention.head_count_kv"});
    gb_i32s(&b, "lfm2moe.attention.head_count_kv", kv, 3);
    int32_t status = open_builder(&b);
    assert_int_equal(status, ok ? LFM2_OK : LFM2_E_FORMAT);
    if (!ok) {
        assert_string_equal(lf_fail_code(), code);
    }
}

static void test_kv_heads(void **state)
{
    (void)state;
    expect_kv(true, (const int32_t[]){0, 2, 0}, "");
    expect_kv(false, (const int32_t[]){0, 4, 0}, "bind.shape");
    expect_kv(false, (const int32_t[]){0, 0, 0}, "bind.missing");
    expect_kv(false, (const int32_t[]){0, 3, 0}, "hparams.head_kv");
    expect_kv(false, (const int32_t[]){0, 8, 0}, "hparams.head_kv");
    expect_kv(false, (const int32_t[]){0, -2, 0}, "gguf.key.range");
    gguf_builder b;
    tiny_gguf(&b, true, &(const tiny_change){.skip = "lfm2moe.attention.head_count_kv"});
    gb_u32(&b, "lfm2moe.attention.head_count_kv", 2); /* every layer is an attention layer */
    refused(open_builder(&b), LFM2_E_FORMAT, "bind.missing", "blk.0.attn_q.weight");
    static const float wrong[] = {0, -1, INFINITY};
    for (int i = 0; i < 3; i++) {
        tiny_gguf(&b, true, &(const tiny_change){.skip = "lfm2moe.rope.freq_base"});
        gb_f32(&b, "lfm2moe.rope.freq_base", wrong[i]);
        refused(open_builder(&b), LFM2_E_FORMAT, i < 2 ? "hparams.range" : "gguf.key.range", "");
    }
}

/* Limits that no file reaches, because another check fails before. */
static void test_check(void **state)
{
    (void)state;
    LFT_OK(open_changed(true, NULL));
    lf_hparams h = source->hparams;
    LFT_OK(lf_hparams_check(&h, "f"));
    h.n_vocab = (1u << 22) + 1;
    LFT_FAILS(lf_hparams_check(&h, "f"), LFM2_E_FORMAT);
    assert_string_equal(
        lf_fail_text(),
        "f: the size of the vocabulary (rows of the embedding) is 4194305; allowed: 1 to 4194304");
    h = source->hparams;
    h.head_dim = 7;
    LFT_FAILS(lf_hparams_check(&h, "f"), LFM2_E_UNSUPPORTED);
    h.head_dim = 514;
    LFT_FAILS(lf_hparams_check(&h, "f"), LFM2_E_FORMAT);
    h = source->hparams;
    h.norm_eps = NAN;
    LFT_FAILS(lf_hparams_check(&h, "f"), LFM2_E_FORMAT);
    h = source->hparams;
    h.expert_scale = INFINITY;
    LFT_FAILS(lf_hparams_check(&h, "f"), LFM2_E_FORMAT);
    h = source->hparams;
    h.n_expert = 1024;
    h.n_expert_used = 65;
    LFT_FAILS(lf_hparams_check(&h, "f"), LFM2_E_FORMAT);
    h = source->hparams;
    h.arch = LF_ARCH_LFM2; /* with a layer that has experts */
    LFT_FAILS(lf_hparams_check(&h, "f"), LFM2_E_FORMAT);
}

/* ---- Vocabulary ---- */

static void test_vocab(void **state)
{
    (void)state;
    LFT_OK(open_changed(true, NULL));
    const lf_vocab_data *v = &source->vocab;
    assert_int_equal(v->n_tokens, TINY_VOCAB);
    assert_int_equal(v->n_merges, TINY_MERGES);
    assert_int_equal(v->bos_id, 1);
    assert_int_equal(v->eos_id, 7);
    assert_int_equal(v->pad_id, 0);
    assert_true(v->add_bos);
    assert_false(v->ignore_merges);
    assert_int_equal(v->n_templates, 1);
    assert_string_equal(v->templates[0].name, "default");
    assert_string_equal(v->templates[0].origin, "tokenizer.chat_template");
    assert_string_equal(v->templates[0].text, "{{ bos_token }}");
    assert_string_equal(v->special[LF_SPECIAL_BOS], "<|startoftext|>");
    assert_null(v->special[LF_SPECIAL_UNK]);
    assert_int_equal(v->tokens[1].kind, LFM2_TOKEN_CONTROL);
    assert_int_equal(v->tokens[1].len, 15);
    assert_memory_equal(v->tokens[1].text, "<|startoftext|>", 15);
    assert_int_equal(v->tokens[268].kind, LFM2_TOKEN_USER);
    assert_int_equal(v->tokens[299].kind, LFM2_TOKEN_UNUSED);
    assert_int_equal(v->merges[2].left_len, 2);
    assert_memory_equal(v->merges[2].left, "ab", 2);
    assert_int_equal(v->merges[2].right_len, 2);
    assert_memory_equal(v->merges[2].right, "cd", 2);
    BAD(true, "gguf.vocab.id", "eos_token_id", .key = "tokenizer.ggml.eos_token_id", .value = 300);
    LFT_OK(CHANGED(true, .skip = "tokenizer.ggml.bos_token_id"));
    assert_int_equal(source->vocab.bos_id, -1);
    assert_false(source->vocab.add_bos);
}

static void expect_merges(const char *const *merges, size_t n, bool ok)
{
    gguf_builder b;
    tiny_gguf(&b, true, &(const tiny_change){.skip = "tokenizer.ggml.merges"});
    gb_strings(&b, "tokenizer.ggml.merges", merges, n);
    if (ok) {
        LFT_OK(open_builder(&b));
    } else {
        refused(open_builder(&b), LFM2_E_FORMAT, "gguf.vocab",
                "element 1: a merge must be two tokens");
    }
}

static void test_bad_vocab(void **state)
{
    (void)state;
    static const char *const wrong[] = {"", "ab", " b", "a ", " ", "a b c", "a  b"};
    expect_merges(NULL, 0, true);
    for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++) {
        expect_merges((const char *const[]){"a b", wrong[i]}, 2, false);
    }
    gguf_builder b;
    int32_t kinds[TINY_VOCAB];
    for (int i = 0; i < TINY_VOCAB; i++) {
        kinds[i] = 1;
    }
    kinds[3] = 7;
    tiny_gguf(&b, true, &(const tiny_change){.skip = "tokenizer.ggml.token_type"});
    gb_i32s(&b, "tokenizer.ggml.token_type", kinds, TINY_VOCAB);
    refused(open_builder(&b), LFM2_E_FORMAT, "gguf.vocab", "element 3: unknown kind");
    tiny_gguf(&b, true, &(const tiny_change){.skip = "tokenizer.ggml.token_type"});
    gb_i32s(&b, "tokenizer.ggml.token_type", kinds, TINY_VOCAB - 1);
    refused(open_builder(&b), LFM2_E_FORMAT, "gguf.vocab.count", "token_type");
    tiny_gguf(&b, true, &(const tiny_change){.no_vocab = true});
    gb_string(&b, "tokenizer.ggml.model", "gpt2");
    gb_string(&b, "tokenizer.ggml.pre", "qwen2");
    gb_strings(&b, "tokenizer.ggml.tokens", wrong, 7);
    refused(open_builder(&b), LFM2_E_UNSUPPORTED, "gguf.tokenizer", "'qwen2'");
    tiny_gguf(&b, true, &(const tiny_change){.no_vocab = true});
    gb_string(&b, "tokenizer.ggml.model", "gpt2");
    gb_string(&b, "tokenizer.ggml.pre", "lfm2");
    gb_strings(&b, "tokenizer.ggml.tokens", wrong, 7);
    refused(open_builder(&b), LFM2_E_FORMAT, "gguf.vocab.count", "7 tokens");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_moe, setup, teardown),
        cmocka_unit_test_setup_teardown(test_dense, setup, teardown),
        cmocka_unit_test_setup_teardown(test_accepted, setup, teardown),
        cmocka_unit_test_setup_teardown(test_norm_alias, setup, teardown),
        cmocka_unit_test_setup_teardown(test_every_tensor_is_needed, setup, teardown),
        cmocka_unit_test_setup_teardown(test_quantized_norm, setup, teardown),
        cmocka_unit_test_setup_teardown(test_shapes, setup, teardown),
        cmocka_unit_test_setup_teardown(test_unknown, setup, teardown),
        cmocka_unit_test_setup_teardown(test_keys_needed, setup, teardown),
        cmocka_unit_test_setup_teardown(test_ranges, setup, teardown),
        cmocka_unit_test_setup_teardown(test_variants, setup, teardown),
        cmocka_unit_test_setup_teardown(test_kv_heads, setup, teardown),
        cmocka_unit_test_setup_teardown(test_check, setup, teardown),
        cmocka_unit_test_setup_teardown(test_vocab, setup, teardown),
        cmocka_unit_test_setup_teardown(test_bad_vocab, setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
