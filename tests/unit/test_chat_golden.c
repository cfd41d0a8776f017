/* SPDX-License-Identifier: Apache-2.0 */
/* Conversations with templates against transformers: text and ids
 * (golden/text/chat_templates.jsonl). ctest-labels: golden */
#include "common/json.h"
#include "support/text_vocab.h"
#include "text/chat.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

enum { MAX_TEMPLATES = 8, MAX_IDS = 16384, MAX_JSON = 1 << 17 };

static struct {
    char name[8];
    lf_template *compiled;
} templates[MAX_TEMPLATES];
static size_t n_templates;
static lf_tokenizer *tokenizer;

static int set_up(void **state)
{
    (void)state;
    lf_alloc alloc = lf_alloc_default();
    text_vocab vocab;
    assert_true(text_vocab_load(&vocab));
    assert_int_equal(lf_tokenizer_create(&alloc, &vocab.data, false, &tokenizer), LFM2_OK);
    text_vocab_free(&vocab);
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    for (size_t i = 0; i < n_templates; i++) {
        lf_template_free(templates[i].compiled);
    }
    lf_tokenizer_free(tokenizer);
    return 0;
}

static void add_template(const lf_json *line)
{
    lf_alloc alloc = lf_alloc_default();
    const lf_template_limits limits = lf_template_limits_default();
    const lf_json *text = lf_json_get(line, "template");
    assert_true(n_templates < MAX_TEMPLATES);
    snprintf(templates[n_templates].name, sizeof templates[0].name, "%s",
             lf_json_get(line, "name")->text);
    int32_t status = lf_template_compile(&alloc, &limits, text->text, text->len,
                                         &templates[n_templates].compiled);
    if (status != LFM2_OK) {
        fail_msg("template %s: %s", templates[n_templates].name, lf_fail_text());
    }
    n_templates++;
}

static const lf_template *template_of(const lf_json *line)
{
    for (size_t i = 0; i < n_templates; i++) {
        if (strcmp(templates[i].name, lf_json_get(line, "t")->text) == 0) {
            return templates[i].compiled;
        }
    }
    fail_msg("unknown template %s", lf_json_get(line, "t")->text);
    return NULL;
}

typedef struct buffer {
    char text[MAX_JSON];
    size_t len;
} buffer;

static void put(void *user, const char *text, size_t len)
{
    buffer *b = user;
    assert_true(len <= sizeof b->text - b->len);
    memcpy(b->text + b->len, text, len);
    b->len += len;
}

/* A member of the line as JSON text; empty for null. */
static void json_of(const lf_json *line, const char *name, buffer *out)
{
    const lf_json_writer writer = {.write = put, .user = out};
    out->len = 0;
    if (lf_json_get(line, name)->kind != LF_JSON_NULL) {
        lf_json_write(&writer, lf_json_get(line, name));
    }
}

static void check_ids(const lf_chat *chat, const lf_json *line, size_t number)
{
    static int32_t ids[MAX_IDS];
    size_t n = 0;
    char hash[17];
    assert_int_equal(
        lf_tokenizer_encode(tokenizer, chat->spans, chat->n_spans, false, ids, MAX_IDS, &n),
        LFM2_OK);
    snprintf(hash, sizeof hash, "%016llx", (unsigned long long)text_hash_ids(ids, n));
    if (strcmp(hash, lf_json_get(line, "h")->text) != 0) {
        fail_msg("line %zu has other ids", number);
    }
}

static void replay_one(const lf_json *line, size_t number)
{
    static const char *const special[LF_N_SPECIAL] = {"<|startoftext|>", "<|im_end|>"};
    static const lf_template_time now = {2026, 3, 7, 9, 5, 1};
    static buffer messages;
    static buffer tools;
    static buffer args;
    json_of(line, "m", &messages);
    json_of(line, "o", &tools);
    json_of(line, "a", &args);
    const bool prompt = lf_json_get(line, "g")->kind == LF_JSON_TRUE;
    const lfm2_chat_options o = {.size = sizeof o,
                                 .tools = tools.text,
                                 .tools_len = tools.len,
                                 .template_args = args.text,
                                 .template_args_len = args.len,
                                 .flags = prompt ? LFM2_CHAT_GENERATION_PROMPT : 0};
    const lf_chat_request request = {.t = template_of(line),
                                     .special = special,
                                     .messages = messages.text,
                                     .messages_len = messages.len,
                                     .options = &o,
                                     .now = &now};
    lf_alloc alloc = lf_alloc_default();
    lf_chat chat;
    int32_t status = lf_chat_build(&alloc, &request, &chat);
    const lf_json *want = lf_json_get(line, "x");
    if (want->kind == LF_JSON_NULL) {
        if (status != LFM2_E_TEXT) {
            fail_msg("line %zu is not refused", number);
        }
    } else if (status != LFM2_OK) {
        fail_msg("line %zu: %s", number, lf_fail_text());
    } else if (chat.len != want->len || memcmp(chat.text, want->text, chat.len) != 0) {
        fail_msg("line %zu gives:\n%.*s\nnot:\n%s", number, (int)chat.len, chat.text, want->text);
    } else {
        check_ids(&chat, line, number);
    }
    lf_chat_free(&chat);
}

static void replay(void **state)
{
    (void)state;
    lf_alloc alloc = lf_alloc_default();
    size_t size = 0;
    uint8_t *file = text_golden_read("chat_templates.jsonl", &size);
    assert_non_null(file);
    size_t lines = 0;
    for (const char *line = (const char *)file; *line != '\0'; lines++) {
        const char *end = strchr(line, '\n');
        assert_non_null(end);
        lf_arena arena;
        lf_arena_init(&arena, &alloc);
        const lf_json *json = NULL;
        assert_int_equal(
            lf_json_parse(&arena, "line", LFM2_E_TEXT, line, (size_t)(end - line), &json), LFM2_OK);
        if (lf_json_get(json, "template") != NULL) {
            add_template(json);
        } else {
            replay_one(json, lines + 1);
        }
        lf_arena_free(&arena);
        line = end + 1;
    }
    assert_int_equal(n_templates, 6);
    assert_true(lines >= 150);
    free(file);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(replay)};
    return cmocka_run_group_tests_name("chat_golden", tests, set_up, tear_down);
}
