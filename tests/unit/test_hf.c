/* SPDX-License-Identifier: Apache-2.0 */
/* Tests of Hugging Face folders of every generation: config.json, tensors, shards, tokenizer.json;
 * failing allocations. */
#include "support/sources.h"

#include "load/bind.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static void config_bad(const char *from, const char *to, int32_t status, const char *code)
{
    tiny_replace(&lft_folder.config, from, to);
    lft_open_refused(lft_open_folder(), status, code, "hf/config.json: ");
}

static void config_good(const char *from, const char *to)
{
    tiny_replace(&lft_folder.config, from, to);
    LFT_OK(lft_open_folder());
}

static void tokenizer_bad(const char *from, const char *to, int32_t status, const char *code)
{
    tiny_replace(&lft_folder.tokenizer, from, to);
    lft_open_refused(lft_open_folder(), status, code, "hf/tokenizer.json: offset ");
}

/* ---- config.json ---- */

static void test_config_accepted(void **state)
{
    (void)state;
    config_good("\"rope_theta\": 1000000.0",
                "\"rope_parameters\": {\"rope_theta\": 5e6, \"rope_type\": \"default\"}");
    assert_true(lft_source->hparams.rope_theta == 5e6F);
    config_good("\"rope_theta\": 1000000.0",
                "\"rope_theta\": 1, \"rope_parameters\": {\"rope_theta\": 5e6}");
    assert_true(lft_source->hparams.rope_theta == 5e6F);
    config_good("\"eos_token_id\": 7", "\"eos_token_id\": [7, 2]");
    config_good("\"pad_token_id\": 0", "\"pad_token_id\": -1"); /* -1 and null: none */
    config_good("\"pad_token_id\": 0", "\"pad_token_id\": null");
    config_good("\"eos_token_id\": 7", "\"eos_token_id\": -1");
    config_good("\"eos_token_id\": 7", "\"eos_token_id\": [-1, 7]");
    config_good("\"tie_word_embeddings\": true, ", "");
    assert_true(lft_source->hparams.tied);
    config_good("\"tie_word_embeddings\": true", "\"tie_word_embeddings\": null");
    config_good("\"tie_word_embeddings\": true",
                "\"tie_word_embeddings\": false, \"tie_embedding\": true");
    config_good("\"conv_bias\": false, ", "");
    config_good("\"conv_bias\": false, ",
                "\"is_causal\": true, \"use_bidirectional_attention\": false, ");
    config_good("\"norm_topk_prob\": true", "\"norm_topk_prob\": false");
    assert_false(lft_source->hparams.norm_topk);
    config_good("\"routed_scaling_factor\": 1.0", "\"routed_scaling_factor\": 2.5");
    assert_true(lft_source->hparams.expert_scale == 2.5F);
    config_good("\"architectures\": [\"Lfm2MoeForCausalLM\"], ", "");
    config_good("\"norm_eps\"", "\"head_dim\": 8, \"rope_scaling\": null, \"norm_eps\"");
    config_good("\"hidden_size\": 32", "\"hidden_size\": 32.0");
}

static void test_config_dense(void **state)
{
    (void)state;
    tiny_folder_free(&lft_folder);
    tiny_folder_init(&lft_folder, false);
    config_good("[\"conv\", \"full_attention\", \"conv\"]", "null, \"full_attn_idxs\": [1]");
    assert_int_equal(lft_source->hparams.n_head_kv[1], 2);
    assert_int_equal(lft_source->hparams.n_head_kv[2], 0);
    config_good("\"intermediate_size\": 90", "\"intermediate_size\": 1, \"block_ff_dim\": 90");
    config_good("\"intermediate_size\": 90, \"block_auto_adjust_ff_dim\": true",
                "\"intermediate_size\": 64, \"block_auto_adjust_ff_dim\": false");
    config_good("\"intermediate_size\": 90, \"block_auto_adjust_ff_dim\": true, "
                "\"block_ffn_dim_multiplier\": 1.0",
                "\"intermediate_size\": 97, \"block_auto_adjust_ff_dim\": true, "
                "\"block_ffn_dim_multiplier\": null"); /* floor(194 / 3), not rounded up */
    config_good("\"block_ffn_dim_multiplier\": 1.0", "\"block_ffn_dim_multiplier\": 0.6");
    tiny_replace(&lft_folder.config, "\"intermediate_size\": 90", "\"intermediate_size\": 100");
    lft_open_refused(lft_open_folder(), LFM2_E_FORMAT, "bind.shape",
                     "model.layers.0.feed_forward.w1.weight");
    config_bad("\"block_auto_adjust_ff_dim\": true, ", "", LFM2_E_FORMAT, "config.key.missing");
    config_bad("[\"conv\", \"full_attention\", \"conv\"]", "null", LFM2_E_FORMAT,
               "config.key.missing");
    config_bad("[\"conv\", \"full_attention\", \"conv\"]", "null, \"full_attn_idxs\": [3]",
               LFM2_E_FORMAT, "config.layers");
    config_bad("[\"conv\", \"full_attention\", \"conv\"]", "null, \"full_attn_idxs\": 1",
               LFM2_E_FORMAT, "config.layers");
    config_bad("\"num_attention_heads\": ", "\"num_attention_heads\": 3, \"x\": ", LFM2_E_FORMAT,
               "hparams.head_dim");
    config_bad("\"num_attention_heads\": ", "\"num_attention_heads\": 0, \"x\": ", LFM2_E_FORMAT,
               "hparams.head_dim");
    config_bad("\"block_ffn_dim_multiplier\": 1.0", "\"block_ffn_dim_multiplier\": \"1\"",
               LFM2_E_FORMAT, "config.key.type");
    config_bad("\"block_ffn_dim_multiplier\": 1.0", "\"block_ffn_dim_multiplier\": 1e300",
               LFM2_E_FORMAT, "hparams.range");
    config_bad("\"block_ffn_dim_multiplier\": 1.0", "\"block_ffn_dim_multiplier\": -1",
               LFM2_E_FORMAT, "hparams.range");
}

static void test_config_missing(void **state)
{
    (void)state;
    static const char *const needed[] = {"hidden_size",
                                         "num_hidden_layers",
                                         "num_attention_heads",
                                         "num_key_value_heads",
                                         "layer_types",
                                         "conv_L_cache",
                                         "norm_eps",
                                         "rope_theta",
                                         "max_position_embeddings",
                                         "vocab_size",
                                         "intermediate_size",
                                         "moe_intermediate_size",
                                         "num_dense_layers",
                                         "num_experts\"",
                                         "num_experts_per_tok",
                                         "model_type"};
    for (size_t i = 0; i < sizeof needed / sizeof needed[0]; i++) {
        char from[64];
        snprintf(from, sizeof from, "\"%s", needed[i]);
        config_bad(from, needed[i][strlen(needed[i]) - 1] == '"' ? "\"x\"" : "\"x", LFM2_E_FORMAT,
                   "config.key.missing");
    }
    free(lft_folder.config);
    free(lft_folder.tokenizer);
    lft_folder.config = lft_folder.tokenizer = NULL;
    tiny_folder_write(&lft_folder, lft_temp("hf"));
    lft_open_refused(lft_open_path(lft_temp("hf")), LFM2_E_IO, "io.open", "hf/config.json");
}

static void test_config_unsupported(void **state)
{
    (void)state;
    static const char *const unsupported[][2] = {
        {"\"lfm2_moe\"", "\"lfm3\", \"x\": \"lfm2_moe\""},
        {"Lfm2MoeForCausalLM", "Lfm2MoeModel"},
        {"\"conv_bias\": false", "\"conv_bias\": true"},
        {"\"full_attention\"", "\"sliding_attention\""},
        {"\"norm_eps\"", "\"quantization_config\": {}, \"norm_eps\""},
        {"\"norm_eps\"", "\"rope_scaling\": {\"type\": \"yarn\"}, \"norm_eps\""},
        {"\"norm_eps\"", "\"sliding_window\": 4096, \"norm_eps\""},
        {"\"norm_eps\"", "\"is_causal\": false, \"norm_eps\""},
        {"\"norm_eps\"", "\"use_bidirectional_attention\": true, \"norm_eps\""},
        {"\"rope_theta\"", "\"rope_parameters\": {\"rope_type\": \"yarn\"}, \"rope_theta\""},
        {"\"rope_theta\"", "\"partial_rotary_factor\": 0.5, \"rope_theta\""},
    };
    for (size_t i = 0; i < sizeof unsupported / sizeof unsupported[0]; i++) {
        config_bad(unsupported[i][0], unsupported[i][1], LFM2_E_UNSUPPORTED,
                   i < 2 || i == 3 ? "config.architecture" : "config.variant");
    }
}

static void test_config_refused(void **state)
{
    (void)state;
    config_bad("\"hidden_size\": 32", "\"hidden_size\": \"32\"", LFM2_E_FORMAT, "config.key.type");
    config_bad("\"vocab_size\": 300", "\"vocab_size\": 301", LFM2_E_FORMAT, "hf.vocab.count");
    config_bad("\"hidden_size\": 32", "\"hidden_size\": 32.5", LFM2_E_FORMAT, "config.key.type");
    config_bad("\"hidden_size\": 32", "\"hidden_size\": 4294967296", LFM2_E_FORMAT,
               "config.key.type");
    config_bad("\"norm_eps\": 1e-05", "\"norm_eps\": 1e39", LFM2_E_FORMAT, "config.key.type");
    config_bad("\"norm_eps\": 1e-05", "\"norm_eps\": 0", LFM2_E_FORMAT, "hparams.range");
    config_bad("\"conv_bias\": false", "\"conv_bias\": 0", LFM2_E_FORMAT, "config.key.type");
    config_bad("\"eos_token_id\": 7", "\"eos_token_id\": -2", LFM2_E_FORMAT, "config.key.type");
    config_bad("\"eos_token_id\": 7", "\"eos_token_id\": 2147483648", LFM2_E_FORMAT,
               "config.key.type");
    config_bad("\"num_hidden_layers\": 3", "\"num_hidden_layers\": 4", LFM2_E_FORMAT,
               "config.layers");
    config_bad("\"num_hidden_layers\": 3", "\"num_hidden_layers\": 257", LFM2_E_FORMAT,
               "hparams.range");
    config_bad("\"num_key_value_heads\": 2", "\"num_key_value_heads\": 0", LFM2_E_FORMAT,
               "hparams.range");
    config_bad("\"num_key_value_heads\": 2", "\"num_key_value_heads\": 3", LFM2_E_FORMAT,
               "hparams.head_kv");
    config_bad("\"num_experts\": 4", "\"num_experts\": 1", LFM2_E_FORMAT, "hparams.range");
    config_bad("\"num_experts\": 4", "\"num_experts\": 4, \"num_experts\": 4", LFM2_E_FORMAT,
               "json.duplicate");
}

/* ---- Tensors of a folder ---- */

static void header_bad(const char *from, const char *to, const char *code, const char *says)
{
    tiny_replace(&lft_folder.header, from, to);
    lft_open_refused(lft_open_folder(), LFM2_E_FORMAT, code, says);
}

static void test_folder_tensors(void **state)
{
    (void)state;
    header_bad("model.layers.1.self_attn.q_proj.weight", "model.layers.1.self_attn.q_proj.bias",
               "bind.unknown", "'model.layers.1.self_attn.q_proj.bias'");
    header_bad("model.layers.1.self_attn.q_proj.weight", "model.rotary_emb.inv_freq",
               "bind.missing", "'model.layers.1.self_attn.q_proj.weight'");
    header_bad("model.embedding_norm.weight", "x.rotary_emb.inv_freq", "bind.missing",
               "'model.embedding_norm.weight'");
    header_bad("model.layers.1.self_attn.q", "model.layers.01.self_attn.q", "bind.unknown",
               "layers.01");
    header_bad("model.layers.1.self_attn.q", "model.layers.3.self_attn.q", "bind.unknown",
               "layers.3");
    header_bad("model.layers.1.self_attn.q", "model.layers..self_attn.q", "bind.unknown", "");
    header_bad("experts.3.w1", "experts.4.w1", "bind.unknown", "experts.4.w1");
    header_bad("experts.3.w1", "experts.2.w4", "bind.unknown", "experts.2.w4");
    header_bad("model.layers.1.feed_forward.experts.3.w2.weight", "model.x.rotary_emb.inv_freq",
               "bind.missing", "'model.layers.1.feed_forward.experts.3.w2.weight' is missing");
    header_bad("experts.3.w2.weight\": {\"dtype\": \"F32\", \"shape\": [32, 32]",
               "experts.3.w2.weight\": {\"dtype\": \"F32\", \"shape\": [16, 64]", "bind.shape",
               "differ");
    /* an expert with a smaller shape than the others, and data of that size */
    const char *entry = strstr(lft_folder.header, "layers.1.feed_forward.experts.3.w2");
    unsigned begin = 0;
    char from[128];
    char to[128];
    assert_non_null(entry);
    assert_int_equal(sscanf(strstr(entry, "data_offsets"), "data_offsets\": [%u", &begin), 1);
    snprintf(from, sizeof from, "[32, 32], \"data_offsets\": [%u, %u]", begin, begin + 4096);
    snprintf(to, sizeof to, "[32, 16], \"data_offsets\": [%u, %u]", begin, begin + 2048);
    header_bad(from, to, "bind.shape", "differ");
    header_bad("model.layers.0.feed_forward.w1.weight",
               "model.layers.0.feed_forward.experts.0.w1.weight", "bind.unknown", "experts.0");
    header_bad("[32, 1, 3]", "[32, 3, 2]", "safetensors.offsets", "conv.conv.weight");
    header_bad("[32, 1, 3]", "[3, 32, 1]", "bind.shape", "conv.conv.weight");
    header_bad("[32, 1, 3]", "[32, 3]", "bind.shape", "conv.conv.weight");
    tiny_replace(&lft_folder.config, "\"tie_word_embeddings\": true",
                 "\"tie_word_embeddings\": false");
    lft_open_refused(lft_open_folder(), LFM2_E_FORMAT, "bind.missing", "'lm_head.weight'");
    tiny_replace(&lft_folder.config, "\"use_expert_bias\": true", "\"use_expert_bias\": false");
    lft_open_refused(lft_open_folder(), LFM2_E_FORMAT, "bind.unknown", "feed_forward.expert_bias'");
}

/* Replaces the per-expert entries of layer 2 by fused entries over the same bytes, whose order is
 * w1 of all experts, w3 of all, w2 of all. Only the order of gate and up differs. */
static void test_fused(void **state)
{
    (void)state;
    char *begin = strstr(lft_folder.header, "\"model.layers.2.feed_forward.experts.0.w1");
    char *end = strstr(lft_folder.header, "\"model.embedding_norm");
    assert_true(begin != NULL && end != NULL);
    unsigned first = 0;
    assert_int_equal(sscanf(strstr(begin, "data_offsets"), "data_offsets\": [%u", &first), 1);
    enum { EXPERT = 32 * 32 * 4 };
    char fused[512];
    snprintf(
        fused, sizeof fused,
        "\"model.layers.2.feed_forward.experts.gate_up_proj\": {\"dtype\": \"F32\", \"shape\": "
        "[4, 64, 32], \"data_offsets\": [%u, %u]}, "
        "\"model.layers.2.feed_forward.experts.down_proj\": {\"dtype\": \"F32\", \"shape\": "
        "[4, 32, 32], \"data_offsets\": [%u, %u]}, ",
        first, first + 8 * EXPERT, first + 8 * EXPERT, first + 12 * EXPERT);
    char *header = malloc(strlen(lft_folder.header) + sizeof fused);
    assert_non_null(header);
    sprintf(header, "%.*s%s%s", (int)(begin - lft_folder.header), lft_folder.header, fused, end);
    free(lft_folder.header);
    lft_folder.header = header;
    char *wrong = strdup(header);
    assert_non_null(wrong);
    LFT_OK(lft_open_folder());
    const lf_tensor *gate = lf_source_find(lft_source, "blk.2.ffn_gate_exps.weight");
    const lf_tensor *up = lf_source_find(lft_source, "blk.2.ffn_up_exps.weight");
    const lf_tensor *down = lf_source_find(lft_source, "blk.2.ffn_down_exps.weight");
    const uint8_t *data =
        lft_source->files[0].data + lft_source->files[0].size - lft_folder.n_data + first;
    for (uint32_t e = 0; e < 4; e++) {
        assert_ptr_equal(lf_tensor_expert(lft_source, gate, e), data + (2 * e) * EXPERT);
        assert_ptr_equal(lf_tensor_expert(lft_source, up, e), data + (2 * e + 1) * EXPERT);
        assert_ptr_equal(lf_tensor_expert(lft_source, down, e), data + (8 + e) * EXPERT);
    }
    assert_int_equal(gate->bytes, 4 * EXPERT);
    free(lft_folder.header);
    lft_folder.header = wrong;
    header_bad("[4, 64, 32]", "[4, 32, 64]", "bind.shape", "gate_up_proj");
}

/* ---- Shards ---- */

/* Writes two files: one with the first tensor, one with all others. `map` is the index. */
static int32_t open_shards(const char *map)
{
    const char *dir = lft_temp("hf");
    char path[1024];
    char *comma = strstr(lft_folder.header, ", \"model.layers.0.");
    assert_non_null(comma);
    char *one = strdup(lft_folder.header);
    char *rest = malloc(strlen(lft_folder.header));
    assert_true(one != NULL && rest != NULL);
    sprintf(one + (comma - lft_folder.header), "}");
    sprintf(rest, "{%s", comma + 2);
    char *saved = lft_folder.header;
    lft_folder.header = NULL;
    tiny_folder_write(&lft_folder, dir);
    lft_folder.header = saved;
    snprintf(path, sizeof path, "%s/a.safetensors", dir);
    tiny_safetensors(path, one, lft_folder.data, lft_folder.n_data);
    snprintf(path, sizeof path, "%s/b.safetensors", dir);
    tiny_safetensors(path, rest, lft_folder.data, lft_folder.n_data);
    snprintf(path, sizeof path, "%s/model.safetensors.index.json", dir);
    gb_write(path, map, strlen(map));
    free(one);
    free(rest);
    return lft_open_path(dir);
}

static void test_shards(void **state)
{
    (void)state;
#define EMBED "\"model.embed_tokens.weight\": "
#define NORM  "\"model.embedding_norm.weight\": "
    LFT_OK(
        open_shards("{\"weight_map\": {" NORM "\"b.safetensors\", " EMBED "\"a.safetensors\"}}"));
    assert_int_equal(lft_source->n_files, 2);
    assert_int_equal(lf_source_find(lft_source, "token_embd.weight")->part, 0);
    assert_int_equal(lf_source_find(lft_source, "token_embd_norm.weight")->part, 1);
    lft_open_refused(
        open_shards("{\"weight_map\": {" NORM "\"a.safetensors\", " EMBED "\"b.safetensors\"}}"),
        LFM2_E_FORMAT, "hf.index", "tensor 'model.embedding_norm.weight' is not in 'a.");
    LFT_OK(
        open_shards("{\"weight_map\": {" NORM "\"b.safetensors\", " EMBED "\"a.safetensors\"}}"));
    char b[1024];
    snprintf(b, sizeof b, "%s/b.safetensors", lft_temp("hf"));
    tiny_safetensors(b, lft_folder.header, lft_folder.data,
                     lft_folder.n_data); /* all tensors, including that of file a */
    lft_open_refused(lft_open_path(lft_temp("hf")), LFM2_E_FORMAT, "source.duplicate",
                     "tensor 'model.embed_tokens.weight' is also in another file");
    lft_open_refused(
        open_shards("{\"weight_map\": {" NORM "\"b.safetensors\", \"x\": \"a.safetensors\"}}"),
        LFM2_E_FORMAT, "hf.index", "tensor 'x' is not in 'a.safetensors'");
    lft_open_refused(open_shards("{\"weight_map\": {" NORM "\"c.safetensors\"}}"), LFM2_E_IO,
                     "io.open", "part 1 of 1: ");
    lft_open_refused(open_shards("{\"weight_map\": {" NORM "\"b.safetensors\"}}"), LFM2_E_FORMAT,
                     "bind.missing", "model.embed_tokens.weight");
    lft_open_refused(open_shards("{\"weight_map\": []}"), LFM2_E_FORMAT, "hf.index", "weight_map");
    lft_open_refused(open_shards("{\"weight_map\": {}}"), LFM2_E_FORMAT, "bind.missing", "");
    lft_open_refused(open_shards("{"), LFM2_E_FORMAT, "json.truncated", "index.json");
    static const char *const names[] = {"\"../a.safetensors\"",
                                        "\"/a.safetensors\"",
                                        "\"x/a.safetensors\"",
                                        "\"..\"",
                                        "\"\"",
                                        "\".a.safetensors\"",
                                        "1",
                                        "\"a.bin\"",
                                        "\".safetensors\"",
                                        "\"a\\u0000.safetensors\"",
                                        "\"a\\\\b.safetensors\""};
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        char map[128];
        snprintf(map, sizeof map, "{\"weight_map\": {" NORM "%s}}", names[i]);
        lft_open_refused(open_shards(map), LFM2_E_FORMAT, "hf.index", "must be the plain name");
    }
    char path[1024];
    snprintf(path, sizeof path, "%s/model.safetensors.index.json", lft_temp("hf"));
    unlink(path);
    snprintf(path, sizeof path, "%s/tokenizer.json", lft_temp("hf"));
    unlink(path);
    lft_open_refused(lft_open_path(lft_temp("hf")), LFM2_E_FORMAT, "hf.weights", "neither");
}

/* ---- tokenizer.json ---- */

static void test_tokenizer_accepted(void **state)
{
    (void)state;
    tiny_replace(&lft_folder.tokenizer, "\"a b\"", "[\"a\", \"b\"]");
    LFT_OK(lft_open_folder());
    assert_int_equal(lft_source->vocab.n_merges, TINY_MERGES);
    assert_memory_equal(lft_source->vocab.merges[0].right, "b", 2);
    tiny_replace(&lft_folder.tokenizer, "\"ignore_merges\": false", "\"ignore_merges\": true");
    LFT_OK(lft_open_folder());
    assert_true(lft_source->vocab.ignore_merges);
    tiny_replace(&lft_folder.tokenizer, "\"Isolated\", \"invert\": false",
                 "\"Removed\", \"invert\": true");
    LFT_OK(lft_open_folder());
    /* the template decides on BOS; without it the settings do */
    tiny_replace(&lft_folder.tokenizer,
                 "[{\"SpecialToken\": {\"id\": \"<|startoftext|>\", \"type_id\": 0}}, ", "[");
    LFT_OK(lft_open_folder());
    assert_false(lft_source->vocab.add_bos);
    assert_int_equal(lft_source->vocab.bos_id, 1);
    tiny_replace(&lft_folder.tokenizer, "TemplateProcessing", "ByteLevel");
    LFT_OK(lft_open_folder());
    assert_true(lft_source->vocab.add_bos);
    tiny_replace(&lft_folder.tokenizer, "TemplateProcessing", "ByteLevel");
    tiny_replace(&lft_folder.settings, "\"add_bos_token\": true", "\"add_bos_token\": false");
    LFT_OK(lft_open_folder());
    assert_false(lft_source->vocab.add_bos);
    /* no settings: the ids are those of config.json */
    free(lft_folder.settings);
    lft_folder.settings = NULL;
    LFT_OK(lft_open_folder());
    assert_int_equal(lft_source->vocab.eos_id, 7);
    assert_int_equal(lft_source->vocab.pad_id, 0);
    assert_int_equal(lft_source->vocab.n_templates, 0);
    free(lft_folder.tokenizer);
    lft_folder.tokenizer = NULL;
    LFT_OK(lft_open_folder());
    assert_int_equal(lft_source->vocab.n_tokens, 0);
    assert_int_equal(lft_source->vocab.eos_id, 7);
    free(lft_folder.tokenizer);
    lft_folder.tokenizer = NULL;
    tiny_replace(&lft_folder.config, "\"eos_token_id\": 7", "\"eos_token_id\": [300]");
    lft_open_refused(lft_open_folder(), LFM2_E_FORMAT, "tokenizer.named",
                     "'eos_token_id': the value is 300; allowed: 0 to 299");
}

/* Newer files have a post-processor of several steps. */
static void test_post_processors(void **state)
{
    (void)state;
#define STEPS "\"post_processor\": {\"type\": \"Sequence\", \"processors\": ["
    static const char one[] = "\"post_processor\": {";
    static const char one_end[] = "\"tokens\": [\"<|startoftext|>\"]}}}";
    static const char steps_end[] = "\"tokens\": [\"<|startoftext|>\"]}}}]}";
    tiny_replace(&lft_folder.settings, "\"add_bos_token\": true", "\"add_bos_token\": false");
    tiny_replace(&lft_folder.tokenizer, one, STEPS "{\"type\": \"ByteLevel\"}, {");
    tiny_replace(&lft_folder.tokenizer, one_end, steps_end);
    LFT_OK(lft_open_folder());
    assert_true(lft_source->vocab.add_bos); /* the template takes precedence over the settings */
    assert_int_equal(lft_source->vocab.bos_id, 1);
    static const char *const others[] = {
        STEPS "{\"type\": \"Bert\"}, {",
        STEPS "{\"type\": \"TemplateProcessing\", \"single\": [{\"SpecialToken\": {}}, "
              "{\"Sequence\": {}}]}, {"};
    for (size_t i = 0; i < 2; i++) {
        tiny_replace(&lft_folder.tokenizer, one, others[i]);
        tiny_replace(&lft_folder.tokenizer, one_end, steps_end);
        lft_open_refused(lft_open_folder(), LFM2_E_UNSUPPORTED, "tokenizer.pipeline",
                         "the post-processor");
    }
    tiny_replace(&lft_folder.tokenizer, "TemplateProcessing", "Sequence"); /* without steps */
    lft_open_refused(lft_open_folder(), LFM2_E_FORMAT, "tokenizer.pipeline", "'processors'");
#undef STEPS
}

static void test_tokenizer_pipeline(void **state)
{
    (void)state;
    static const char *const cases[][2] = {
        {"\"normalizer\": null", "\"normalizer\": {\"type\": \"NFC\"}"},
        {"{1,3}", "{1,2}"},
        {"\"Isolated\"", "\"Removed\""},
        {"\"type\": \"Sequence\"", "\"type\": \"Sequenz\""},
        {"\"type\": \"Split\"", "\"type\": \"Digits\""},
        {"\"use_regex\": false", "\"use_regex\": true"},
        {", \"use_regex\": false", ""},
        {"\"add_prefix_space\": false", "\"add_prefix_space\": true"},
        {"\"decoder\": {\"type\": \"ByteLevel\"}", "\"decoder\": {\"type\": \"Fuse\"}"},
        {"\"type\": \"BPE\"", "\"type\": \"Unigram\""},
        {"\"dropout\": null", "\"dropout\": 0.1"},
        {"TemplateProcessing", "BertProcessing"},
        {"{\"Sequence\": {\"id\": \"A\", \"type_id\": 0}}]",
         "{\"Sequence\": {\"id\": \"A\"}}, {\"SpecialToken\": {\"id\": \"<|im_end|>\"}}]"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        tokenizer_bad(cases[i][0], cases[i][1], LFM2_E_UNSUPPORTED, "tokenizer.pipeline");
    }
    tokenizer_bad("\"lstrip\": false", "\"lstrip\": true", LFM2_E_UNSUPPORTED, "tokenizer.added");
}

static void test_tokenizer_refused(void **state)
{
    (void)state;
    static const char *const cases[][3] = {
        {"\"abcd\": 266", "\"abcd\": 300", "tokenizer.vocab.id"},
        {"\"abcd\": 266", "\"abcd\": -1", "tokenizer.vocab"},
        {"\"abcd\": 266", "\"abcd\": 265", "tokenizer.vocab.id"},
        {"{\"id\": 268", "{\"id\": 300", "tokenizer.vocab.id"},
        {"{\"id\": 268", "{\"id\": 267", "tokenizer.vocab.id"},
        {"{\"id\": 268, \"content\": \"python\"", "{\"id\": 268, \"content\": \"\"",
         "tokenizer.added"},
        {"\"vocab\": {", "\"x\": {", "tokenizer.vocab"},
        {"\"merges\": [", "\"x\": [", "tokenizer.merges"},
        {"\"a b\"", "\"ab\"", "tokenizer.merges"},
        {"\"a b\"", "\"a b c\"", "tokenizer.merges"},
        {"\"a b\"", "\" b\"", "tokenizer.merges"},
        {"\"a b\"", "[\"a\"]", "tokenizer.merges"},
        {"\"a b\"", "[\"a\", \"b\", \"c\"]", "tokenizer.merges"},
        {"\"a b\"", "[\"a\", 1]", "tokenizer.merges"},
        {"\"ids\": [1]", "\"ids\": [300]", "tokenizer.template"},
        {"\"ids\": [1]", "\"ids\": []", "tokenizer.template"},
        {"\"version\": \"1.0\"", "\"version\": \"1.0\", \"version\": 1", "json.duplicate"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        tokenizer_bad(cases[i][0], cases[i][1], LFM2_E_FORMAT, cases[i][2]);
    }
    tiny_replace(&lft_folder.tokenizer, "\"abcd\": 266", "\"abcd\": 300");
    lft_open_refused(lft_open_folder(), LFM2_E_FORMAT, "tokenizer.vocab.id", "token id 300");
    tiny_replace(&lft_folder.settings, "\"<|startoftext|>\"", "\"<|nothing|>\"");
    lft_open_refused(lft_open_folder(), LFM2_E_FORMAT, "tokenizer.named",
                     "token '<|nothing|>' is not in");
    tiny_replace(&lft_folder.settings, "\"<|startoftext|>\"", "5");
    lft_open_refused(lft_open_folder(), LFM2_E_FORMAT, "tokenizer.named",
                     "the value must be a string, null or");
    tiny_replace(&lft_folder.settings, "\"pad_token\"", "\"x\"");
    tiny_replace(&lft_folder.config, "\"pad_token_id\": 0", "\"pad_token_id\": 300");
    lft_open_refused(lft_open_folder(), LFM2_E_FORMAT, "tokenizer.named",
                     "'pad_token_id': the value is 300");
    tokenizer_bad("\"added_tokens\": [", "\"added_tokens\": 1, \"x\": [", LFM2_E_FORMAT,
                  "tokenizer.added");
}

/* ---- Files that are something else ---- */

static void replace_all(char **text, const char *with)
{
    free(*text);
    *text = malloc(strlen(with) + 1);
    assert_non_null(*text);
    strcpy(*text, with);
}

static void test_wrong_files(void **state)
{
    (void)state;
    replace_all(&lft_folder.config, "[]");
    lft_open_refused(lft_open_folder(), LFM2_E_FORMAT, "config.object", "hf/config.json: ");
    replace_all(&lft_folder.tokenizer, "[]");
    lft_open_refused(lft_open_folder(), LFM2_E_FORMAT, "tokenizer.object", "hf/tokenizer.json: ");
    /* A configuration has a few kilobytes; one of a gigabyte is refused without being read. */
    char path[1024];
    LFT_OK(lft_open_folder());
    snprintf(path, sizeof path, "%s/config.json", lft_temp("hf"));
    assert_int_equal(truncate(path, 1 << 30), 0);
    lft_open_refused(lft_open_path(lft_temp("hf")), LFM2_E_FORMAT, "hf.file_size", "config.json");
}

/* ---- Memory ---- */

static void test_memory(void **state)
{
    (void)state;
    LFT_OK(lft_open_folder());
    lft_open_without_memory(lft_temp("hf"));
    unlink(lft_temp("hf/model.safetensors"));
    LFT_OK(
        open_shards("{\"weight_map\": {" NORM "\"b.safetensors\", " EMBED "\"a.safetensors\"}}"));
    lft_open_without_memory(lft_temp("hf"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_config_accepted, lft_source_begin, lft_source_end),
        cmocka_unit_test_setup_teardown(test_config_dense, lft_source_begin, lft_source_end),
        cmocka_unit_test_setup_teardown(test_config_missing, lft_source_begin, lft_source_end),
        cmocka_unit_test_setup_teardown(test_config_unsupported, lft_source_begin, lft_source_end),
        cmocka_unit_test_setup_teardown(test_config_refused, lft_source_begin, lft_source_end),
        cmocka_unit_test_setup_teardown(test_folder_tensors, lft_source_begin, lft_source_end),
        cmocka_unit_test_setup_teardown(test_fused, lft_source_begin, lft_source_end),
        cmocka_unit_test_setup_teardown(test_shards, lft_source_begin, lft_source_end),
        cmocka_unit_test_setup_teardown(test_tokenizer_accepted, lft_source_begin, lft_source_end),
        cmocka_unit_test_setup_teardown(test_post_processors, lft_source_begin, lft_source_end),
        cmocka_unit_test_setup_teardown(test_tokenizer_pipeline, lft_source_begin, lft_source_end),
        cmocka_unit_test_setup_teardown(test_tokenizer_refused, lft_source_begin, lft_source_end),
        cmocka_unit_test_setup_teardown(test_wrong_files, lft_source_begin, lft_source_end),
        cmocka_unit_test_setup_teardown(test_memory, lft_source_begin, lft_source_end),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
