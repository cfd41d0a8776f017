/* SPDX-License-Identifier: Apache-2.0 */
/* The chat templates and special tokens of a Hugging Face folder. */
#include "support/sources.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* Checks the names, origins and texts of the templates. */
static void templates_are(const char *const (*want)[3], uint32_t n)
{
    const lf_vocab_data *v = &lft_source->vocab;
    assert_int_equal(v->n_templates, n);
    for (uint32_t i = 0; i < n; i++) {
        assert_string_equal(v->templates[i].name, want[i][0]);
        assert_string_equal(v->templates[i].origin, want[i][1]);
        assert_string_equal(v->templates[i].text, want[i][2]);
        assert_int_equal(v->templates[i].len, strlen(want[i][2]));
    }
}

/* Files of templates count before the settings, as in transformers. */
static void test_templates(void **state)
{
    (void)state;
    static const char *const settings[][3] = {{"tool", "tokenizer_config.json", "t"},
                                              {"default", "tokenizer_config.json", "d"}};
    static const char *const files[][3] = {
        {"default", "chat_template.jinja", "{{ 1 }}"},
        {"rag", "additional_chat_templates/rag.jinja", "r"},
        {"tool_use", "additional_chat_templates/tool_use.jinja", "u"}};
    LFT_OK(lft_open_folder());
    assert_int_equal(lft_source->vocab.n_templates, 1);
    assert_string_equal(lft_source->vocab.templates[0].name, "default");
    tiny_replace(&lft_folder.settings, "\"{{ bos_token }}\"",
                 "[{\"name\": \"tool\", \"template\": \"t\"}, 7, {\"name\": \"x\"}, "
                 "{\"name\": \"tool\", \"template\": \"second\"}, "
                 "{\"name\": \"default\", \"template\": \"d\"}]");
    LFT_OK(lft_open_folder());
    templates_are(settings, 2);
    char path[4][1024];
    snprintf(path[0], sizeof path[0], "%s/chat_template.jinja", lft_temp("hf"));
    snprintf(path[1], sizeof path[1], "%s/additional_chat_templates", lft_temp("hf"));
    snprintf(path[2], sizeof path[2], "%s/additional_chat_templates/tool_use.jinja",
             lft_temp("hf"));
    snprintf(path[3], sizeof path[3], "%s/additional_chat_templates/rag.jinja", lft_temp("hf"));
    gb_write(path[0], "{{ 1 }}", 7);
    LFT_OK(lft_open_folder());
    templates_are(files, 1);
    assert_int_equal(mkdir(path[1], 0700), 0);
    gb_write(path[2], "u", 1);
    gb_write(path[3], "r", 1);
    LFT_OK(lft_open_folder());
    templates_are(files, 3);
    unlink(path[0]);
    LFT_OK(lft_open_folder());
    templates_are(files + 1, 2);
    unlink(path[2]);
    unlink(path[3]);
    rmdir(path[1]);
}

/* The texts of the special tokens. */
static void test_special(void **state)
{
    (void)state;
    tiny_replace(
        &lft_folder.settings, "\"add_bos_token\"",
        "\"unk_token\": \"<u>\", \"mask_token\": {\"content\": \"<m>\"}, \"add_bos_token\"");
    LFT_OK(lft_open_folder());
    const lf_vocab_data *v = &lft_source->vocab;
    assert_string_equal(v->special[LF_SPECIAL_BOS], "<|startoftext|>");
    assert_string_equal(v->special[LF_SPECIAL_EOS], "<|im_end|>");
    assert_string_equal(v->special[LF_SPECIAL_PAD], "<|pad|>");
    assert_string_equal(v->special[LF_SPECIAL_UNK], "<u>");
    assert_string_equal(v->special[LF_SPECIAL_MASK], "<m>");
    assert_null(v->special[LF_SPECIAL_SEP]);
    assert_null(v->special[LF_SPECIAL_CLS]);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_templates, lft_source_begin, lft_source_end),
        cmocka_unit_test_setup_teardown(test_special, lft_source_begin, lft_source_end),
    };
    return cmocka_run_group_tests_name("hf_templates", tests, NULL, NULL);
}
