/* SPDX-License-Identifier: Apache-2.0 */
/* Random tokenizer.json pipelines are accepted exactly when Hugging Face's tokenizers gives LFM2's
 * ids with them, and a folder without config.json or weights serves its tokenizer.
 * ctest-labels: golden */
#include "support/sources.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

/* The list that follows `key` in the tiny tokenizer, with its brackets. */
static char *list_of(const char *text, const char *key, char open, char close)
{
    const char *begin = strstr(text, key);
    assert_non_null(begin);
    begin = strchr(begin, open);
    assert_non_null(begin);
    const char *end = begin;
    bool quoted = false;
    for (int depth = 0; *end != '\0'; end++) {
        if (*end == '\\') {
            end++;
        } else if (*end == '"') {
            quoted = !quoted;
        } else if (!quoted && (*end == open || *end == close)) {
            depth += *end == open ? 1 : -1;
            if (depth == 0) {
                break;
            }
        }
    }
    return strndup(begin, (size_t)(end + 1 - begin));
}

static bool opens(char *line, const char *added, const char *vocab, const char *merges)
{
    free(lft_folder.tokenizer);
    lft_folder.tokenizer = strdup(line);
    tiny_replace(&lft_folder.tokenizer, "\"@ADDED@\"", added);
    tiny_replace(&lft_folder.tokenizer, "\"@VOCAB@\"", vocab);
    tiny_replace(&lft_folder.tokenizer, "\"@MERGES@\"", merges);
    int32_t status = lft_open_folder();
    if (status != LFM2_OK) {
        assert_int_equal(status, LFM2_E_UNSUPPORTED);
        assert_string_equal(lf_fail_code(), "tokenizer.pipeline");
    }
    return status == LFM2_OK;
}

static void test_pipelines(void **state)
{
    (void)state;
    char *added = list_of(lft_folder.tokenizer, "\"added_tokens\"", '[', ']');
    char *vocab = list_of(lft_folder.tokenizer, "\"vocab\"", '{', '}');
    char *merges = list_of(lft_folder.tokenizer, "\"merges\"", '[', ']');
    FILE *f = fopen(LFM2_TEST_DATA "/golden/text/pipelines.txt", "r");
    assert_non_null(f);
    char *line = NULL;
    size_t size = 0;
    uint32_t n = 0;
    uint32_t n_accepted = 0;
    while (getline(&line, &size, f) > 0) {
        bool wanted = line[0] == '+';
        n++;
        n_accepted += wanted ? 1 : 0;
        if (opens(line + 2, added, vocab, merges) != wanted) {
            fail_msg("line %u should be %s: %s", n, wanted ? "accepted" : "refused",
                     wanted ? lf_fail_text() : line);
        }
    }
    assert_true(n >= 200 && n_accepted >= 50);
    fclose(f);
    free(line);
    free(added);
    free(vocab);
    free(merges);
}

/* What the random pipelines have no component for. */
static void test_spellings(void **state)
{
    (void)state;
    static const struct {
        const char *from, *to;
        bool accepted;
    } cases[] = {
        {"(?i:'s|'t|'re|'ve|'m|'ll|'d)", "'(?i:[sdmt]|ll|ve|re)", true},
        {"?\\\\p{L}+|", "?+\\\\p{L}++|", true},
        {"\\\\s*[\\\\r\\\\n]+|", "\\\\s*[\\\\r\\\\n]|", true},
        {"(?!\\\\S)|\\\\s+", "(?!\\\\S)|\\\\s", true},
        {"(?!\\\\S)|\\\\s+", "(?!\\\\S)|\\\\s+|", false},
        {"(?!\\\\S)|\\\\s+", "(?!\\\\S)", false},
        {"{1,3}", "{1,3}+", false}, /* in Oniguruma's syntax not possessive but repeated */
        {"\"Regex\": \"", "\"String\": \"", false},
        {"\"type\": \"BPE\", ", "", true},
        {"\"normalizer\": null, ", "", true},
        {"\"decoder\": {\"type\": \"ByteLevel\"}",
         "\"decoder\": {\"type\": \"Sequence\", \"decoders\": [{\"type\": \"ByteLevel\"}]}", true},
        {"\"decoder\": {\"type\": \"ByteLevel\"}",
         "\"decoder\": {\"type\": \"Sequence\", \"decoders\": []}", false},
        {"\"decoder\": {\"type\": \"ByteLevel\"}", "\"decoder\": {\"type\": \"Metaspace\"}", false},
        {"\"pretokenizers\": [", "\"pretokenizers\": [{\"type\": \"Sequence\"}, ", false},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        tiny_replace(&lft_folder.tokenizer, cases[i].from, cases[i].to);
        bool accepted = lft_open_folder() == LFM2_OK;
        if (accepted != cases[i].accepted) {
            fail_msg("%s: %s", cases[i].to, accepted ? "accepted" : lf_fail_text());
        }
    }
}

static void nest_decoder(int depth)
{
    static const char open[] = "{\"type\": \"Sequence\", \"decoders\": [";
    char text[33 * (sizeof open + 2) + 64] = "\"decoder\": ";
    for (int i = 0; i < depth; i++) {
        strcat(text, open);
    }
    strcat(text, "{\"type\": \"ByteLevel\"}");
    for (int i = 0; i < depth; i++) {
        strcat(text, "]}");
    }
    tiny_replace(&lft_folder.tokenizer, "\"decoder\": {\"type\": \"ByteLevel\"}", text);
}

/* Sequences in sequences: as deep as is allowed, and deeper. */
static void test_nested_sequences(void **state)
{
    (void)state;
    nest_decoder(32);
    assert_int_equal(lft_open_folder(), LFM2_OK);
}

static void test_deep_sequences(void **state)
{
    (void)state;
    nest_decoder(33);
    assert_int_equal(lft_open_folder(), LFM2_E_UNSUPPORTED);
    assert_non_null(strstr(lf_fail_text(), "nested too deep"));
}

/* A folder that holds nothing but the tokenizer. */
static void test_tokenizer_alone(void **state)
{
    (void)state;
    lfm2_runtime *runtime = lft_runtime(1, LFM2_KERNELS_AUTO, 0);
    lfm2_model_options options;
    lfm2_model_options_init(&options, sizeof options);
    lfm2_model *model = NULL;
    char path[1024];
    tiny_folder_write(&lft_folder, lft_temp("hf"));
    for (int step = 0; step < 3; step++) {
        options.mode = LFM2_LOAD_TOKENIZER;
        LFT_OK(lfm2_model_load(runtime, lft_temp("hf"), &options, &model));
        int32_t ids[8];
        size_t n = 0;
        LFT_OK(lfm2_tokenize(model, "ab", 2, LFM2_TOKENIZE_BOS, ids, 8, &n));
        assert_int_equal(n, 2);
        assert_int_equal(ids[0], 1);
        lfm2_model_free(model);
        model = NULL;
        options.mode = LFM2_LOAD_FULL;
        if (step > 0) {
            LFT_FAILS(lfm2_model_load(runtime, lft_temp("hf"), &options, &model), LFM2_E_FORMAT);
            assert_string_equal(lfm2_last_error_code(), "hf.weights");
            assert_non_null(
                strstr(lfm2_last_error(), step == 1 ? "no model.safetensors" : "no config.json"));
        }
        snprintf(path, sizeof path, "%s/%s", lft_temp("hf"),
                 step == 0 ? "model.safetensors" : "config.json");
        unlink(path);
    }
    lfm2_runtime_free(runtime);
    lft_open_without_memory(lft_temp("hf"));
}

/* Without an embedding the number of tokens bounds the ids. */
static void test_tokenizer_ids(void **state)
{
    (void)state;
    free(lft_folder.header);
    lft_folder.header = NULL;
    tiny_replace(&lft_folder.config, "\"vocab_size\": 300", "\"vocab_size\": 4194304");
    tiny_folder_write(&lft_folder, lft_temp("hf"));
    lft_open_refused(lft_open_path(lft_temp("hf")), LFM2_E_FORMAT, "tokenizer.vocab.id",
                     "'vocab_size' of config.json is too large for a tokenizer with");
    free(lft_folder.config);
    lft_folder.config = NULL;
    tiny_replace(&lft_folder.tokenizer, "\"ab\": 264", "\"ab\": 4294967296");
    tiny_folder_write(&lft_folder, lft_temp("hf"));
    lft_open_refused(lft_open_path(lft_temp("hf")), LFM2_E_FORMAT, "tokenizer.vocab.id",
                     "a token id is too large for a tokenizer with");
    tiny_replace(&lft_folder.tokenizer, "\"ab\": 4294967296", "\"ab\": 4000");
    tiny_folder_write(&lft_folder, lft_temp("hf"));
    LFT_OK(lft_open_path(lft_temp("hf")));
    assert_int_equal(lft_source->vocab.n_tokens, 4001);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_pipelines, lft_source_begin, lft_source_end),
        cmocka_unit_test_setup_teardown(test_spellings, lft_source_begin, lft_source_end),
        cmocka_unit_test_setup_teardown(test_nested_sequences, lft_source_begin, lft_source_end),
        cmocka_unit_test_setup_teardown(test_deep_sequences, lft_source_begin, lft_source_end),
        cmocka_unit_test_setup_teardown(test_tokenizer_alone, lft_source_begin, lft_source_end),
        cmocka_unit_test_setup_teardown(test_tokenizer_ids, lft_source_begin, lft_source_end),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
