/* SPDX-License-Identifier: Apache-2.0 */
/* Tests of what a model's files say about generation: end tokens, defaults of the sampler. */
#include "load/generation.h"
#include "support/sources.h"

#include "lfm2.h"
#include "lfm2_tools.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

#include <stdio.h>
#include <string.h>

/* ---- Models ---- */

/* Writes lft_folder with this generation_config.json (NULL: none) and makes a right folder again.
 */
static const char *write_folder(const char *generation)
{
    char path[1024];
    const char *folder = lft_temp("hf");
    tiny_folder_write(&lft_folder, folder);
    snprintf(path, sizeof path, "%s/generation_config.json", folder);
    if (generation != NULL) {
        gb_write(path, generation, strlen(generation));
    } else {
        remove(path);
    }
    tiny_folder_free(&lft_folder);
    tiny_folder_init(&lft_folder, true);
    return folder;
}

static lfm2_model *load(const char *path)
{
    lfm2_runtime *runtime = lft_runtime(1, LFM2_KERNELS_AUTO, 0);
    lfm2_model_options o;
    lfm2_model_options_init(&o, sizeof o);
    o.mode = LFM2_LOAD_TOKENIZER;
    lfm2_model *model = NULL;
    LFT_OK(lfm2_model_load(runtime, path, &o, &model));
    lfm2_runtime_free(runtime);
    return model;
}

/* The end tokens of the model at `path` are exactly `expected`, in ascending order. */
static void check_ends(const char *path, const char *expected)
{
    char text[256] = "";
    size_t n = 0;
    lfm2_model *model = load(path);
    for (int32_t id = -2; id < TINY_VOCAB + 2; id++) {
        int32_t end = lfm2_token_is_end(model, id);
        assert_true(end == 0 || end == 1);
        if (end && n < sizeof text) {
            n += (size_t)snprintf(text + n, sizeof text - n, "%s%d", n > 0 ? " " : "", id);
        }
    }
    lfm2_model_free(model);
    assert_string_equal(text, expected);
}

/* ---- End tokens ---- */

static void test_ends_of_folders(void **state)
{
    (void)state;
    check_ends(write_folder(NULL), "2 7"); /* by name: <|endoftext|>, <|im_end|> */
    tiny_replace(&lft_folder.config, "\"eos_token_id\": 7", "\"eos_token_id\": [100, 101]");
    check_ends(write_folder(NULL), "2 7 100 101");
    /* generation_config.json replaces the list of config.json */
    tiny_replace(&lft_folder.config, "\"eos_token_id\": 7", "\"eos_token_id\": [100, 101]");
    check_ends(write_folder("{\"eos_token_id\": [50, 51]}"), "2 7 50 51");
    tiny_replace(&lft_folder.config, "\"eos_token_id\": 7", "\"eos_token_id\": 100");
    check_ends(write_folder("{\"eos_token_id\": 50}"), "2 7 50");
    tiny_replace(&lft_folder.config, "\"eos_token_id\": 7", "\"eos_token_id\": 100");
    check_ends(write_folder("{\"eos_token_id\": null}"), "2 7 100");
    /* the name in tokenizer_config.json is the EOS token; without it, the first of the list */
    tiny_replace(&lft_folder.settings, "\"eos_token\": {\"content\": \"<|im_end|>\"}, ", "");
    write_folder("{\"eos_token_id\": [50, 51]}");
    LFT_OK(lft_open_path(lft_temp("hf")));
    assert_int_equal(lft_source->vocab.eos_id, 50);
    write_folder("{\"eos_token_id\": [50, 51]}");
    LFT_OK(lft_open_path(lft_temp("hf")));
    assert_int_equal(lft_source->vocab.eos_id, 7);
    /* a user-defined token with such a name ends, too */
    tiny_replace(&lft_folder.tokenizer, "\"python\"", "\"<|end_of_text|>\"");
    check_ends(write_folder(NULL), "2 7 268");
}

static void test_wrong_ends(void **state)
{
    (void)state;
    static const char *const wrong[][2] = {
        {"{\"eos_token_id\": [50, 300]}", "generation_config.json: key 'eos_token_id'"},
        {"{\"eos_token_id\": -2}", "generation_config.json: key 'eos_token_id'"},
        {"{\"eos_token_id\": \"a\"}", "must be a token id"},
        {"{\"eos_token_id\": {\"a\": 1}}", "must be a token id"},
        {"[]", "must contain a JSON object"},
        {"{", "generation_config.json"},
        {"version https://git-lfs.github.com/spec/v1\n", "Git LFS pointer"},
    };
    for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++) {
        int32_t status = lft_open_path(write_folder(wrong[i][0]));
        assert_int_equal(status, LFM2_E_FORMAT);
        assert_non_null(strstr(lf_fail_text(), wrong[i][1]));
        assert_null(lft_source);
    }
    char many[1024] = "{\"eos_token_id\": [0";
    for (int i = 1; i <= LF_MAX_ENDS; i++) {
        snprintf(many + strlen(many), sizeof many - strlen(many), ", %d", i);
    }
    snprintf(many + strlen(many), sizeof many - strlen(many), "]}");
    lft_open_refused(lft_open_path(write_folder(many)), LFM2_E_FORMAT, "generation.ends",
                     "more than 64 tokens");
    lft_open_without_memory(write_folder("{\"eos_token_id\": [5], \"temperature\": 0.5}"));
}

static void test_ends_of_gguf(void **state)
{
    (void)state;
    gguf_builder b;
    const char *path = lft_temp("m.gguf");
    tiny_gguf(&b, true, NULL);
    gb_u32(&b, "tokenizer.ggml.eot_token_id", 60);
    gb_u32(&b, "tokenizer.ggml.eom_token_id", 61);
    gb_finish(&b);
    gb_write(path, b.file.data, b.file.size);
    gb_free(&b);
    check_ends(path, "2 7 60 61");
    tiny_gguf(&b, true, NULL);
    gb_u32(&b, "tokenizer.ggml.eot_token_id", TINY_VOCAB);
    gb_finish(&b);
    gb_write(path, b.file.data, b.file.size);
    gb_free(&b);
    lft_open_refused(lft_open_path(path), LFM2_E_FORMAT, "gguf.vocab.id", "eot_token_id");
    /* -1 means none, with any sign */
    tiny_gguf(&b, true, NULL);
    gb_u32(&b, "tokenizer.ggml.eot_token_id", UINT32_MAX);
    gb_raw(&b, "tokenizer.ggml.eom_token_id", 5, &(int32_t){-1}, 4);
    gb_finish(&b);
    gb_write(path, b.file.data, b.file.size);
    gb_free(&b);
    check_ends(path, "2 7");
    tiny_gguf(&b, true, NULL);
    gb_raw(&b, "tokenizer.ggml.eom_token_id", 5, &(int32_t){-2}, 4);
    gb_finish(&b);
    gb_write(path, b.file.data, b.file.size);
    gb_free(&b);
    lft_open_refused(lft_open_path(path), LFM2_E_FORMAT, "gguf.key.range", "eom_token_id");
    assert_int_equal(lfm2_token_is_end(NULL, 7), 0);
}

/* ---- Sampling from files ---- */

static void check_sampling(const char *path, float t, int k, float p, float m, float r, int n,
                           const char *origin)
{
    lfm2_model *model = load(path);
    lfm2_sampler_options o;
    lfm2_model_info info = {.size = sizeof info};
    lfm2_sampler_options_init(&o, sizeof o, model);
    LFT_OK(lfm2_model_get_info(model, &info));
    if (o.temperature != t || o.top_k != k || o.top_p != p || o.min_p != m ||
        o.repetition_penalty != r || o.penalty_last_n != n ||
        strncmp(info.sampling, origin, strlen(origin)) != 0) {
        fail_msg("got %g %d %g %g %g %d from '%s'", (double)o.temperature, o.top_k, (double)o.top_p,
                 (double)o.min_p, (double)o.repetition_penalty, o.penalty_last_n, info.sampling);
    }
    lfm2_sampler *sampler = NULL;
    LFT_OK(lfm2_sampler_create(model, &o, &sampler));
    lfm2_sampler_free(sampler);
    lfm2_model_free(model);
}

static void test_sampling_of_folders(void **state)
{
    (void)state;
    static const char file[] = "generation_config.json, then defaults of LFM2";
    check_sampling(write_folder(NULL), 0.3F, 0, 1, 0.15F, 1.05F, -1, "defaults of LFM2");
    check_sampling(write_folder("{\"bos_token_id\": 1}"), 0.3F, 0, 1, 0.15F, 1.05F, -1,
                   "defaults of LFM2");
    check_sampling(write_folder("{\"temperature\": 0.7}"), 0.7F, 0, 1, 0.15F, 1.05F, -1, file);
    check_sampling(write_folder("{\"temperature\": 0.1, \"top_k\": 50, \"repetition_penalty\": "
                                "1.2, \"do_sample\": true}"),
                   0.1F, 50, 1, 0, 1.2F, -1, file);
    check_sampling(write_folder("{\"top_p\": 0.9}"), 0.3F, 0, 0.9F, 0, 1.05F, -1, file);
    check_sampling(write_folder("{\"min_p\": 0.05}"), 0.3F, 0, 1, 0.05F, 1.05F, -1, file);
    check_sampling(write_folder("{\"do_sample\": false}"), 0, 0, 1, 0.15F, 1.05F, -1, file);
    check_sampling(write_folder("{\"top_k\": null, \"temperature\": null}"), 0.3F, 0, 1, 0.15F,
                   1.05F, -1, "defaults of LFM2");
    /* values that no sampler accepts do not count */
    static const char *const wrong[] = {
        "{\"temperature\": -1}",
        "{\"temperature\": 1e300}",
        "{\"temperature\": \"a\"}",
        "{\"top_p\": 0}",
        "{\"top_p\": 1.5}",
        "{\"min_p\": -0.1}",
        "{\"repetition_penalty\": 0}",
        "{\"top_k\": 4294967296}",
        "{\"top_k\": [1]}",
        "{\"min_p\": 2}",
        "{\"penalty_last_n\": \"a\"}",
    };
    for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++) {
        check_sampling(write_folder(wrong[i]), 0.3F, 0, 1, 0.15F, 1.05F, -1, "defaults of LFM2");
    }
}

static void keep_text(void *user, int32_t level, const char *text, size_t len)
{
    (void)level;
    snprintf(user, 256, "%.*s", (int)len, text);
}

/* The warning has the exact limits. */
static void test_warning(void **state)
{
    (void)state;
    char text[256] = "";
    lf_alloc heap = lf_alloc_default();
    lf_log log = {.sink = keep_text, .user = text, .level = LFM2_LOG_WARN};
    LFT_OK(lf_source_open(&heap, &log, write_folder("{\"top_k\": 1e10}"), &lft_source));
    assert_non_null(strstr(text, "generation_config.json: key 'top_k': the value is ignored; it "
                                 "must be a number from -1 to 2147483647"));
}

static void test_sampling_of_gguf(void **state)
{
    (void)state;
    static const char origin[] = "general.sampling, then defaults of LFM2";
    gguf_builder b;
    const char *path = lft_temp("m.gguf");
    tiny_gguf(&b, true, NULL);
    gb_f32(&b, "general.sampling.temp", 0.5F);
    gb_raw(&b, "general.sampling.top_k", 5, &(int32_t){40}, 4);
    gb_f32(&b, "general.sampling.top_p", 0.75F);
    gb_f32(&b, "general.sampling.min_p", 0.25F);
    gb_f32(&b, "general.sampling.penalty_repeat", 1.5F);
    gb_raw(&b, "general.sampling.penalty_last_n", 5, &(int32_t){64}, 4);
    gb_finish(&b);
    gb_write(path, b.file.data, b.file.size);
    gb_free(&b);
    check_sampling(path, 0.5F, 40, 0.75F, 0.25F, 1.5F, 64, origin);
    tiny_gguf(&b, true, NULL);
    gb_string(&b, "general.sampling.temp", "warm");
    gb_raw(&b, "general.sampling.top_k", 5, &(int32_t){-1}, 4);
    gb_f32(&b, "general.sampling.top_p", -2);
    gb_finish(&b);
    gb_write(path, b.file.data, b.file.size);
    gb_free(&b);
    check_sampling(path, 0.3F, 0, 1, 0, 1.05F, -1, origin);
}

/* A folder that becomes a GGUF file keeps its end tokens and its sampling. */
static void test_converted(void **state)
{
    (void)state;
    lfm2_runtime *runtime = lft_runtime(1, LFM2_KERNELS_AUTO, 0);
    lfm2_convert_options o;
    lfm2_convert_options_init(&o, sizeof o);
    o.type = "f32";
    const char *path = lft_temp("converted.gguf");
    LFT_OK(lfm2_quantize(runtime,
                         write_folder("{\"eos_token_id\": [7, 50, 51], \"temperature\": 0.5, "
                                      "\"top_k\": 20}"),
                         path, &o));
    check_ends(path, "2 7 50 51");
    check_sampling(path, 0.5F, 20, 1, 0, 1.05F, -1, "general.sampling");
    LFT_OK(lfm2_quantize(runtime, write_folder(NULL), path, &o));
    check_ends(path, "2 7");
    check_sampling(path, 0.3F, 0, 1, 0.15F, 1.05F, -1, "defaults of LFM2");
    lfm2_runtime_free(runtime);
}

/* ---- Model cards ---- */

typedef struct card_case {
    uint32_t n_embd, n_layer, n_expert, n_vocab;
    const char *name, *path, *origin;
    float temperature, min_p;
    int32_t top_k;
} card_case;

static void test_cards(void **state)
{
    (void)state;
    static const card_case cases[] = {
        {1024, 16, 0, 65536, "LFM2 350M", "m.gguf", "model card of LFM2-350M", 0.3F, 0.15F, 0},
        {1024, 16, 0, 65536, "LFM2.5 350M", "m.gguf", "model card of LFM2.5-350M", 0.1F, 0, 50},
        {1024, 16, 0, 65536, "", "/x/lfm2_5-350m.gguf", "model card of LFM2.5-350M", 0.1F, 0, 50},
        {1024, 16, 0, 65536, "", "/lfm2.5/m.gguf", "model card of LFM2-350M", 0.3F, 0.15F, 0},
        {1024, 14, 0, 65536, "tuned", "m.gguf", "model card of LFM2.5-230M", 0.1F, 0, 50},
        {1536, 16, 0, 65536, "tuned", "m.gguf", "model card of LFM2-700M", 0.3F, 0.15F, 0},
        {2048, 16, 0, 65536, "LFM2-1.2B-5bit", "m", "model card of LFM2-1.2B", 0.3F, 0.15F, 0},
        {2048, 16, 0, 65536, "Lfm2.5 1.2B JP", "m", "model card of LFM2.5-1.2B", 0.1F, 0, 50},
        {2048, 30, 0, 65536, "x", "m.gguf", "model card of LFM2-2.6B", 0.3F, 0.15F, 0},
        {2048, 30, 0, 128000, "x", "m.gguf", "model card of LFM2.5-2.6B", 0.1F, 0, 50},
        {2048, 24, 32, 65536, "x", "m.gguf", "model card of LFM2-8B-A1B", 0.3F, 0.15F, 0},
        {2048, 24, 32, 128000, "x", "m.gguf", "model card of LFM2.5-8B-A1B", 0.2F, 0, 80},
        {2048, 40, 64, 65536, "x", "m.gguf", "model card of LFM2-24B-A2B", 0.1F, 0, 50},
        {2048, 40, 64, 128000, "x", "m.gguf", "model card of LFM2.5-24B-A2B", 0.1F, 0, 50},
        /* other shapes: by name */
        {64, 4, 0, 100, "lfm2_5_1_2b-instruct", "m", "model card of LFM2.5-1.2B", 0.1F, 0, 50},
        {64, 4, 0, 100, "", "/a/LFM2-8B-A1B-pruned", "model card of LFM2-8B-A1B", 0.3F, 0.15F, 0},
        {64, 4, 0, 100, "LFM2.5 8B A1B", "m", "model card of LFM2.5-8B-A1B", 0.2F, 0, 80},
        {64, 4, 0, 100, "LFM2 11.2B", "m", "defaults of LFM2,", 0.3F, 0.15F, 0},
        {64, 4, 0, 100, "other 1.2B", "m", "defaults of LFM2,", 0.3F, 0.15F, 0},
        {2048, 40, 32, 65536, "LFM2.5", "m.gguf", "model cards of LFM2.5", 0.1F, 0, 50},
        {64, 4, 0, 128000, "tuned", "m", "model cards of LFM2.5", 0.1F, 0, 50},
    };
    lf_alloc heap = lf_alloc_default();
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        const card_case *c = &cases[i];
        lf_source s = {.alloc = heap, .name = c->name, .path = c->path};
        lf_arena_init(&s.arena, &s.alloc);
        s.hparams.n_embd = c->n_embd;
        s.hparams.n_layer = c->n_layer;
        s.hparams.n_expert = c->n_expert;
        s.hparams.n_vocab = c->n_vocab;
        LFT_OK(lf_generation_finish(&s));
        assert_memory_equal(s.sampling.origin, c->origin, strlen(c->origin));
        assert_true(s.sampling.temperature == c->temperature);
        assert_true(s.sampling.min_p == c->min_p);
        assert_int_equal(s.sampling.top_k, c->top_k);
        assert_true(s.sampling.repetition_penalty == 1.05F && s.sampling.top_p == 1);
        lf_arena_free(&s.arena);
    }
}

/* LFM2.5's revision of the old vocabulary: tool-call tokens that are not special. */
static void test_revision(void **state)
{
    (void)state;
    lf_alloc heap = lf_alloc_default();
    lf_vocab_token tokens[11] = {{NULL, 0, LFM2_TOKEN_NORMAL}};
    for (int kind = LFM2_TOKEN_CONTROL; kind <= LFM2_TOKEN_USER; kind++) {
        lf_source s = {.alloc = heap, .name = "", .path = "m"};
        lf_arena_init(&s.arena, &s.alloc);
        s.hparams.n_embd = 2048;
        s.hparams.n_layer = 16;
        tokens[10] = (lf_vocab_token){"<|tool_call_start|>", 19, kind};
        s.vocab.tokens = tokens;
        s.vocab.n_tokens = 11;
        LFT_OK(lf_generation_finish(&s));
        assert_string_equal(s.sampling.origin, kind == LFM2_TOKEN_USER ? "model card of LFM2.5-1.2B"
                                                                       : "model card of LFM2-1.2B");
        lf_arena_free(&s.arena);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_ends_of_folders, lft_source_begin, lft_source_end),
        cmocka_unit_test_setup_teardown(test_wrong_ends, lft_source_begin, lft_source_end),
        cmocka_unit_test_setup_teardown(test_ends_of_gguf, lft_source_begin, lft_source_end),
        cmocka_unit_test_setup_teardown(test_sampling_of_folders, lft_source_begin, lft_source_end),
        cmocka_unit_test_setup_teardown(test_warning, lft_source_begin, lft_source_end),
        cmocka_unit_test_setup_teardown(test_sampling_of_gguf, lft_source_begin, lft_source_end),
        cmocka_unit_test_setup_teardown(test_converted, lft_source_begin, lft_source_end),
        cmocka_unit_test(test_cards),
        cmocka_unit_test(test_revision),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
