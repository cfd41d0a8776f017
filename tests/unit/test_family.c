/* SPDX-License-Identifier: Apache-2.0 */
/* Tests that every published layout of a model loads as the same model: config.json of each
 * generation, vision models, MLX folders, GGUF files with a guessed pre-tokenizer. */
#include "support/sources.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static char logged[1024];

static void sink(void *user, int32_t level, const char *text, size_t len)
{
    (void)user;
    if (level == LFM2_LOG_WARN) {
        snprintf(logged, sizeof logged, "%.*s", (int)len, text);
    }
}

/* Opens a model into lft_source; `logged` receives the last warning. */
static int32_t open_logged(const char *path)
{
    lf_alloc heap = lf_alloc_default();
    lf_log log = {.sink = sink, .level = LFM2_LOG_WARN};
    lf_source_close(lft_source);
    lft_source = NULL;
    logged[0] = '\0';
    return lf_source_open(&heap, &log, path, &lft_source);
}

/* ---- The same model ---- */

static void compare_tensor(const lf_source *want, const lf_tensor *t)
{
    const lf_tensor *got = lf_source_find(lft_source, t->name);
    assert_non_null(got);
    assert_memory_equal(got->ne, t->ne, sizeof t->ne);
    assert_int_equal(got->bytes, t->bytes);
    uint64_t bytes = t->bytes / t->ne[2];
    for (uint64_t e = 0; e < t->ne[2]; e++) {
        assert_memory_equal(lf_tensor_expert(lft_source, got, e), lf_tensor_expert(want, t, e),
                            bytes);
    }
}

/* lft_source has the hyperparameters and every byte of the weights of the GGUF file. */
static void same_as_gguf(bool moe)
{
    lf_alloc heap = lf_alloc_default();
    gguf_builder b;
    tiny_gguf(&b, moe, NULL);
    gb_finish(&b);
    gb_write(lft_temp("same.gguf"), b.file.data, b.file.size);
    gb_free(&b);
    lf_source *want = NULL;
    LFT_OK(lf_source_open(&heap, NULL, lft_temp("same.gguf"), &want));
    assert_memory_equal(&lft_source->hparams, &want->hparams, sizeof want->hparams);
    assert_int_equal(lft_source->n_tensors, want->n_tensors);
    for (uint32_t i = 0; i < want->n_tensors; i++) {
        compare_tensor(want, &want->tensors[i]);
    }
    lf_source_close(want);
}

static void replace_all(char **text, const char *from, const char *to)
{
    while (strstr(*text, from) != NULL) {
        tiny_replace(text, from, to);
    }
}

static void begin_folder(bool moe, bool mlx)
{
    tiny_folder_free(&lft_folder);
    if (mlx) {
        tiny_folder_init_mlx(&lft_folder, moe);
    } else {
        tiny_folder_init(&lft_folder, moe);
    }
}

static int32_t open_written(void)
{
    tiny_folder_write(&lft_folder, lft_temp("hf"));
    return open_logged(lft_temp("hf"));
}

/* ---- config.json ---- */

static void test_configs(void **state)
{
    (void)state;
    static const char *const moe[][2] = {
        {"\"num_experts\"", "\"num_local_experts\""},
        {"\"num_experts\"", "\"num_local_experts\": 9, \"num_experts\""},
        {"\"rope_theta\": 1000000.0", "\"rope_theta\": 1e6, \"rope_scaling\": {\"type\": "
                                      "\"default\"}"},
        {"\"rope_theta\": 1000000.0",
         "\"rope_theta\": 1e6, \"rope_scaling\": {\"rope_type\": \"default\"}"},
        {"\"rope_theta\": 1000000.0",
         "\"rope_parameters\": {\"full_attention\": {\"rope_type\": \"default\", "
         "\"rope_theta\": 1e6}, \"conv\": null}"},
        {"\"rope_theta\": 1000000.0", "\"theta\": 1000000, \"rope_theta\": 5"},
        {"\"norm_eps\"", "\"block_norm_eps\""},
    };
    for (size_t i = 0; i < sizeof moe / sizeof moe[0]; i++) {
        begin_folder(true, false);
        tiny_replace(&lft_folder.config, moe[i][0], moe[i][1]);
        LFT_OK(open_written());
        assert_string_equal(logged, "");
        same_as_gguf(true);
    }
    begin_folder(false, false);
    LFT_OK(open_written());
    same_as_gguf(false);
    begin_folder(true, false);
    tiny_replace(&lft_folder.config, "\"rope_theta\"",
                 "\"rope_parameters\": {\"rope_theta\": 1e6, \"rope_type\": \"yarn\", \"factor\": "
                 "2.0}, \"x\"");
    lft_open_refused(lft_open_folder(), LFM2_E_UNSUPPORTED, "config.variant",
                     "with YaRN is not supported; use the original model");
    static const struct {
        const char *from, *to, *says;
    } types[] = {
        {"\"rope_theta\"", "\"rope_scaling\": 2, \"rope_theta\"", "'rope_scaling'"},
        {"\"rope_theta\"", "\"rope_scaling\": {\"rope_theta\": []}, \"x\"", "'rope_theta'"},
        {"\"rope_theta\"", "\"rope_parameters\": {\"full_attention\": []}, \"rope_theta\"",
         "'rope_parameters'"},
        {"\"norm_eps\": 1e-05", "\"block_norm_eps\": \"1e-5\"", "'block_norm_eps'"},
        {"\"full_attention\"", "null", "key 'layer_types': offset"},
        {"\"lfm2_moe\"", "5, \"x\": \"lfm2_moe\"", "key 'model_type': offset"},
    };
    for (size_t i = 0; i < sizeof types / sizeof types[0]; i++) {
        tiny_replace(&lft_folder.config, types[i].from, types[i].to);
        lft_open_refused(lft_open_folder(), LFM2_E_FORMAT, "config.key.type", types[i].says);
    }
    tiny_replace(&lft_folder.config, "\"norm_eps\"",
                 "\"quantization\": {\"group_size\": 64, \"bits\": 4}, \"norm_eps\"");
    lft_open_refused(lft_open_folder(), LFM2_E_UNSUPPORTED, "config.variant",
                     "weights quantized by MLX");
}

/* ---- Vision models ---- */

/* Turns lft_folder into a vision model whose text tensors have this prefix. */
static void make_vision(const char *prefix)
{
    char to[128];
    char *nested = lft_folder.config;
    size_t n = strlen(nested) + 256;
    lft_folder.config = malloc(n);
    assert_non_null(lft_folder.config);
    snprintf(lft_folder.config, n,
             "{\"architectures\": [\"Lfm2VlForConditionalGeneration\"], \"model_type\": "
             "\"lfm2_vl\", \"text_config\": %s, \"vision_config\": {\"hidden_size\": 1}}",
             nested);
    free(nested);
    snprintf(to, sizeof to, "\"%s", prefix);
    replace_all(&lft_folder.header, "\"model.", "\"@");
    replace_all(&lft_folder.header, "\"@", to);
    static const char *const vision[] = {"model.vision_tower.x.weight", "vision_tower.x.weight",
                                         "multi_modal_projector.linear_1.bias",
                                         "model.multi_modal_projector.linear_2.weight"};
    for (size_t i = 0; i < sizeof vision / sizeof vision[0]; i++) {
        char entry[256];
        size_t at = lft_folder.n_data;
        snprintf(entry, sizeof entry,
                 "{\"%s\": {\"dtype\": \"F32\", \"shape\": [1, 1], \"data_offsets\": [%zu, %zu]}, "
                 "\"",
                 vision[i], at, at + 4);
        tiny_replace(&lft_folder.header, "{\"", entry);
        lft_folder.data = realloc(lft_folder.data, at + 4);
        assert_non_null(lft_folder.data);
        memset(lft_folder.data + at, 0, 4);
        lft_folder.n_data = at + 4;
    }
}

static void test_vision(void **state)
{
    (void)state;
    static const char *const prefixes[] = {"model.language_model.", "language_model.model."};
    for (size_t i = 0; i < 4; i++) {
        begin_folder(i >= 2, false);
        make_vision(prefixes[i % 2]);
        LFT_OK(open_written());
        assert_non_null(strstr(logged, "4 tensors of the vision part are ignored"));
        same_as_gguf(i >= 2);
        assert_int_equal(lft_source->vocab.eos_id, 7);
    }
    /* a missing tensor is reported under the name that the folder would give it */
    begin_folder(true, false);
    make_vision(prefixes[0]);
    tiny_replace(&lft_folder.header, "model.language_model.layers.1.self_attn.q_proj.weight",
                 "vision_tower.y");
    lft_open_refused(open_written(), LFM2_E_FORMAT, "bind.missing",
                     "'model.language_model.layers.1.self_attn.q_proj.weight' is missing");
    /* other tensors of a vision model remain errors */
    begin_folder(true, false);
    make_vision(prefixes[0]);
    tiny_replace(&lft_folder.header, "model.vision_tower.x", "model.audio_tower.x");
    lft_open_refused(open_written(), LFM2_E_FORMAT, "bind.unknown", "audio_tower");
    /* a text model has none */
    begin_folder(true, false);
    tiny_replace(&lft_folder.header, "model.embed_tokens", "model.language_model.embed_tokens");
    lft_open_refused(open_written(), LFM2_E_FORMAT, "bind.unknown", "language_model");
    begin_folder(true, false);
    make_vision(prefixes[0]);
    tiny_replace(&lft_folder.config, "text_config", "text_confix");
    lft_open_refused(open_written(), LFM2_E_FORMAT, "config.key.missing", "'text_config'");
}

/* The keys of the vision model count before those of its text model, the older key first. */
static void test_vision_head(void **state)
{
    (void)state;
    static const struct {
        const char *outer, *inner;
        bool tied;
    } cases[] = {
        {"", "", true},
        {"\"tie_word_embeddings\": false, ", "", false},
        {"\"tie_word_embeddings\": true, ", "\"tie_word_embeddings\": false, ", true},
        {"\"tie_word_embeddings\": null, ", "\"tie_word_embeddings\": false, ", false},
        {"", "\"tie_embedding\": false, \"tie_word_embeddings\": true, ", false},
        {"\"tie_embedding\": false, \"tie_word_embeddings\": true, ",
         "\"tie_word_embeddings\": true, ", false},
        {"\"tie_word_embeddings\": false, ", "\"tie_embedding\": true, ", false},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        char text[128];
        begin_folder(true, false);
        tiny_replace(&lft_folder.config, "\"tie_word_embeddings\": true, ", cases[i].inner);
        make_vision("model.language_model.");
        snprintf(text, sizeof text, "{%s\"architectures\"", cases[i].outer);
        tiny_replace(&lft_folder.config, "{\"architectures\"", text);
        if (cases[i].tied) {
            LFT_OK(open_written());
            assert_true(lft_source->hparams.tied);
        } else { /* the folder has none */
            lft_open_refused(open_written(), LFM2_E_FORMAT, "bind.missing", "lm_head.weight");
        }
    }
}

/* ---- The output matrix of a tied model ---- */

/* Adds the output matrix to lft_folder: the embedding, with `added` in its last byte. */
static void add_head(const char *shape, uint8_t added)
{
    char entry[160];
    unsigned begin = 0;
    unsigned end = 0;
    const char *embed = strstr(lft_folder.header, "model.embed_tokens.weight");
    assert_non_null(embed);
    assert_int_equal(
        sscanf(strstr(embed, "data_offsets"), "data_offsets\": [%u, %u]", &begin, &end), 2);
    size_t at = lft_folder.n_data;
    size_t n = end - begin;
    lft_folder.data = realloc(lft_folder.data, at + n);
    assert_non_null(lft_folder.data);
    memcpy(lft_folder.data + at, lft_folder.data + begin, n);
    lft_folder.data[at + n - 1] = (uint8_t)(lft_folder.data[at + n - 1] + added);
    lft_folder.n_data = at + n;
    snprintf(entry, sizeof entry,
             "{\"lm_head.weight\": {\"dtype\": \"F32\", \"shape\": %s, \"data_offsets\": "
             "[%zu, %zu]}, \"model.embed",
             shape, at, at + n);
    tiny_replace(&lft_folder.header, "{\"model.embed", entry);
}

/* A stored output matrix of a tied model: a copy of the embedding is not used, another one is. */
static void test_stored_head(void **state)
{
    (void)state;
    add_head("[300, 32]", 0);
    LFT_OK(lft_open_folder());
    assert_true(lft_source->hparams.tied);
    assert_null(lf_source_find(lft_source, "output.weight"));
    add_head("[300, 32]", 1);
    LFT_OK(lft_open_folder());
    assert_false(lft_source->hparams.tied);
    assert_non_null(lf_source_find(lft_source, "output.weight"));
    add_head("[32, 300]", 1);
    lft_open_refused(lft_open_folder(), LFM2_E_FORMAT, "bind.shape", "'lm_head.weight'");
}

/* ---- Experts ---- */

/* The matrix of one expert has two dimensions, even where others would have the same elements. */
static void test_expert_shapes(void **state)
{
    (void)state;
    static const char name[] = "model.layers.1.feed_forward.experts.1.w1.weight";
    char from[128];
    char to[128];
    begin_folder(true, false);
    snprintf(from, sizeof from, "\"%s\": {\"dtype\": \"F32\", \"shape\": [32, 32]", name);
    snprintf(to, sizeof to, "\"%s\": {\"dtype\": \"F32\", \"shape\": [2, 1, 16, 32]", name);
    tiny_replace(&lft_folder.header, from, to);
    lft_open_refused(open_written(), LFM2_E_FORMAT, "bind.shape", "must have two dimensions");
    tiny_replace(&lft_folder.header, "[2, 1, 16, 32]", "[1, 1, 32, 32]");
    lft_open_refused(open_written(), LFM2_E_FORMAT, "bind.shape", "must have two dimensions");
}

/* A long name is cut, so that the message has the reason. */
static void test_long_name(void **state)
{
    (void)state;
    char to[8192];
    begin_folder(true, false);
    size_t n = (size_t)snprintf(to, sizeof to, "\"model.layers.1.");
    memset(to + n, 'x', sizeof to - n);
    to[sizeof to - 1] = '\0';
    tiny_replace(&lft_folder.header, "\"model.layers.1.operator_norm", to);
    lft_open_refused(open_written(), LFM2_E_FORMAT, "bind.unknown", "it is unknown");
}

/* ---- MLX ---- */

static void test_mlx(void **state)
{
    (void)state;
    for (int moe = 0; moe < 2; moe++) {
        begin_folder(moe, true);
        LFT_OK(open_written());
        same_as_gguf(moe);
    }
    begin_folder(true, true);
    tiny_replace(&lft_folder.header, "layers.1.feed_forward.switch_mlp.up_proj",
                 "layers.0.feed_forward.switch_mlp.up_proj");
    lft_open_refused(open_written(), LFM2_E_FORMAT, "bind.unknown", "layers.0");
    begin_folder(true, true);
    tiny_replace(&lft_folder.header, "[4, 32, 32]", "[8, 16, 32]");
    lft_open_refused(open_written(), LFM2_E_FORMAT, "bind.shape", "feed_forward.experts");
}

/* ---- The pre-tokenizer of GGUF files ---- */

static int32_t open_pre(const char *pre)
{
    gguf_builder b;
    tiny_gguf(&b, true, &(const tiny_change){.skip = "tokenizer.ggml.pre"});
    if (pre != NULL) {
        gb_string(&b, "tokenizer.ggml.pre", pre);
    }
    gb_finish(&b);
    gb_write(lft_temp("m.gguf"), b.file.data, b.file.size);
    gb_free(&b);
    return open_logged(lft_temp("m.gguf"));
}

static void test_pre(void **state)
{
    (void)state;
    LFT_OK(open_pre("lfm2"));
    assert_string_equal(logged, "");
    static const char *const guessed[] = {NULL, "default", "llama-bpe"};
    for (size_t i = 0; i < sizeof guessed / sizeof guessed[0]; i++) {
        LFT_OK(open_pre(guessed[i]));
        assert_non_null(strstr(logged, "'tokenizer.ggml.pre'"));
        assert_non_null(strstr(logged, "it is read as 'lfm2'"));
        assert_int_equal(lft_source->vocab.n_tokens, TINY_VOCAB);
    }
    lft_open_refused(open_pre("qwen2"), LFM2_E_UNSUPPORTED, "gguf.tokenizer", "'qwen2'");
}

/* A vocabulary without LFM2's control tokens is not taken for LFM2's. */
static void test_pre_of_others(void **state)
{
    (void)state;
    static char texts[TINY_VOCAB][16];
    const char *list[TINY_VOCAB];
    int32_t kinds[TINY_VOCAB];
    for (int i = 0; i < TINY_VOCAB; i++) {
        snprintf(texts[i], sizeof texts[i], "t%d", i);
        list[i] = texts[i];
        kinds[i] = LFM2_TOKEN_NORMAL;
    }
    gguf_builder b;
    tiny_gguf(&b, true, &(const tiny_change){.no_vocab = true});
    gb_string(&b, "tokenizer.ggml.model", "gpt2");
    gb_string(&b, "tokenizer.ggml.pre", "llama-bpe");
    gb_strings(&b, "tokenizer.ggml.tokens", list, TINY_VOCAB);
    gb_i32s(&b, "tokenizer.ggml.token_type", kinds, TINY_VOCAB);
    gb_finish(&b);
    gb_write(lft_temp("m.gguf"), b.file.data, b.file.size);
    gb_free(&b);
    lft_open_refused(open_logged(lft_temp("m.gguf")), LFM2_E_UNSUPPORTED, "gguf.tokenizer",
                     "'llama-bpe'");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_configs, lft_source_begin, lft_source_end),
        cmocka_unit_test_setup_teardown(test_vision, lft_source_begin, lft_source_end),
        cmocka_unit_test_setup_teardown(test_vision_head, lft_source_begin, lft_source_end),
        cmocka_unit_test_setup_teardown(test_stored_head, lft_source_begin, lft_source_end),
        cmocka_unit_test_setup_teardown(test_expert_shapes, lft_source_begin, lft_source_end),
        cmocka_unit_test_setup_teardown(test_long_name, lft_source_begin, lft_source_end),
        cmocka_unit_test_setup_teardown(test_mlx, lft_source_begin, lft_source_end),
        cmocka_unit_test_setup_teardown(test_pre, lft_source_begin, lft_source_end),
        cmocka_unit_test_setup_teardown(test_pre_of_others, lft_source_begin, lft_source_end),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
