/* SPDX-License-Identifier: Apache-2.0 */
/* The chat parser through the public API, and messages that templates render again: the text is the
 * one that was parsed, as far as the template writes all of it. */
#include "common/json.h"
#include "support/models.h"
#include "support/text_vocab.h"
#include "text/chat.h"
#include "text/chat_format.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define S "<|tool_call_start|>"
#define E "<|tool_call_end|>"

static lfm2_runtime *runtime;
static lfm2_model *model;

static int begin(void **state)
{
    (void)state;
    lfm2_model_options o;
    runtime = lft_runtime(1, LFM2_KERNELS_OWN, 0);
    lfm2_model_options_init(&o, sizeof o);
    o.mode = LFM2_LOAD_TOKENIZER;
    LFT_OK(lfm2_model_load(runtime, LFM2_DEMO_MODEL, &o, &model));
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

static lfm2_chat_parser *create(uint32_t flags)
{
    lfm2_chat_parser_options o;
    lfm2_chat_parser *p = NULL;
    lfm2_chat_parser_options_init(&o, sizeof o);
    o.flags = flags;
    LFT_OK(lfm2_chat_parser_create(model, &o, &p));
    return p;
}

/* The message of a text; the caller frees it. */
static char *message_of(const char *text, uint32_t flags, size_t *len)
{
    lfm2_chat_parser *p = create(flags);
    LFT_OK(lfm2_chat_parser_push_text(p, text, strlen(text)));
    LFT_OK(lfm2_chat_parser_finish(p));
    assert_int_equal(lfm2_chat_parser_message(p, NULL, 0, len), LFM2_E_BUFFER);
    char *message = malloc(*len + 1);
    assert_non_null(message);
    LFT_OK(lfm2_chat_parser_message(p, message, *len, len));
    message[*len] = '\0';
    lfm2_chat_parser_free(p);
    return message;
}

static void whole_answer(void **state)
{
    (void)state;
    const char text[] = "Yes. " S "[get_time(city='Rome')]" E "<|im_end|>";
    int32_t ids[64];
    size_t n = 0;
    size_t len = 0;
    char message[512];
    lfm2_chat_event event = {.size = sizeof event};
    lfm2_chat_call call = {.size = sizeof call};
    lfm2_chat_parser *p = create(0);
    LFT_OK(lfm2_tokenize(model, text, strlen(text), LFM2_TOKENIZE_SPECIAL, ids, 64, &n));
    LFT_OK(lfm2_chat_parser_push(p, ids, n));
    LFT_OK(lfm2_chat_parser_finish(p));
    LFT_OK(lfm2_chat_parser_next(p, &event));
    assert_int_equal(event.kind, LFM2_CHAT_EVENT_CONTENT);
    assert_string_equal(event.text, "Yes. ");
    LFT_OK(lfm2_chat_parser_next(p, &event));
    assert_int_equal(event.kind, LFM2_CHAT_EVENT_CALL_START);
    assert_string_equal(event.name, "get_time");
    assert_int_equal(lfm2_chat_parser_calls(p), 1);
    LFT_OK(lfm2_chat_parser_get_call(p, 0, &call));
    assert_string_equal(call.arguments, "{\"city\": \"Rome\"}");
    assert_string_equal(lfm2_chat_parser_source(p, &len), text);
    LFT_OK(lfm2_chat_parser_message(p, message, sizeof message, &len));
    assert_int_equal(message[len - 1], '}');
    /* The parser keeps the model. */
    LFT_OK(lfm2_chat_parser_reset(p));
    assert_string_equal(lfm2_chat_parser_source(p, NULL), "");
    lfm2_chat_parser_free(p);
}

static void arguments(void **state)
{
    (void)state;
    lfm2_chat_parser_options o;
    lfm2_chat_parser *p = NULL;
    lfm2_chat_event event = {.size = sizeof event};
    lfm2_chat_call call = {.size = sizeof call};
    size_t len = 0;
    char text[4];
    int32_t id = -1;
    lfm2_chat_parser_options_init(&o, sizeof o);
    assert_int_equal(lfm2_chat_parser_create(NULL, &o, &p), LFM2_E_ARGUMENT);
    assert_int_equal(lfm2_chat_parser_create(model, &o, NULL), LFM2_E_ARGUMENT);
    o.flags = 4;
    assert_int_equal(lfm2_chat_parser_create(model, &o, &p), LFM2_E_ARGUMENT);
    o.flags = 0;
    o.reserved = 1;
    assert_int_equal(lfm2_chat_parser_create(model, &o, &p), LFM2_E_ARGUMENT);
    o.reserved = 0;
    o.tools_len = 1;
    assert_int_equal(lfm2_chat_parser_create(model, &o, &p), LFM2_E_ARGUMENT);
    o.tools = "{";
    assert_int_equal(lfm2_chat_parser_create(model, &o, &p), LFM2_E_TEXT);
    LFT_OK(lfm2_chat_parser_create(model, NULL, &p));
    assert_int_equal(lfm2_chat_parser_push(NULL, &id, 1), LFM2_E_ARGUMENT);
    assert_int_equal(lfm2_chat_parser_push(p, NULL, 1), LFM2_E_ARGUMENT);
    assert_int_equal(lfm2_chat_parser_push(p, &id, 1), LFM2_E_ARGUMENT);
    LFT_OK(lfm2_chat_parser_push(p, NULL, 0));
    assert_int_equal(lfm2_chat_parser_push_text(NULL, "a", 1), LFM2_E_ARGUMENT);
    assert_int_equal(lfm2_chat_parser_push_text(p, NULL, 1), LFM2_E_ARGUMENT);
    LFT_OK(lfm2_chat_parser_push_text(p, NULL, 0));
    assert_int_equal(lfm2_chat_parser_next(p, NULL), LFM2_E_ARGUMENT);
    assert_int_equal(lfm2_chat_parser_next(NULL, &event), LFM2_E_ARGUMENT);
    event.size = 0;
    LFT_OK(lfm2_chat_parser_push_text(p, "1", 1));
    assert_int_equal(lfm2_chat_parser_next(p, &event), LFM2_E_ARGUMENT);
    event.size = sizeof event;
    LFT_OK(lfm2_chat_parser_next(p, &event)); /* it was not taken */
    assert_string_equal(event.text, "1");
    assert_int_equal(lfm2_chat_parser_message(p, NULL, 1, &len), LFM2_E_ARGUMENT);
    assert_int_equal(lfm2_chat_parser_message(p, text, 4, NULL), LFM2_E_ARGUMENT);
    assert_int_equal(lfm2_chat_parser_message(p, text, 4, &len), LFM2_E_BUFFER);
    assert_memory_equal(text, "{\"ro", 4);
    assert_int_equal(lfm2_chat_parser_get_call(p, 0, &call), LFM2_E_ARGUMENT);
    assert_int_equal(lfm2_chat_parser_finish(NULL), LFM2_E_ARGUMENT);
    assert_int_equal(lfm2_chat_parser_reset(NULL), LFM2_E_ARGUMENT);
    assert_int_equal(lfm2_chat_parser_calls(NULL), 0);
    assert_string_equal(lfm2_chat_parser_source(NULL, &len), "");
    lfm2_chat_parser_free(p);
    lfm2_chat_parser_free(NULL);
}

/* ---- Templates ---- */

/* What a template writes of an answer. */
typedef struct rendering {
    bool calls, reasoning;
    char quote; /* of strings */
    bool escapes;
} rendering;

static const struct {
    const char *name;
    rendering does;
} variants[] = {
    {"a", {false, false, 0, false}},    {"b", {false, false, 0, false}},
    {"c", {true, true, '\'', false}},   {"d", {true, true, '\'', false}},
    {"e", {true, true, '\'', true}},    {"f", {true, true, '"', true}},
    {"lfm2", {true, false, '"', true}},
};

/* Renders a conversation with the message as its last answer, and compares that answer. */
static void check_rendered(const char *name, const lf_template *t, const char *text, uint32_t flags)
{
    static const char *const special[LF_N_SPECIAL] = {"<|startoftext|>", "<|im_end|>"};
    static const lf_template_time now = {2026, 3, 7, 9, 5, 1};
    static const char user[] = "[{\"role\": \"user\", \"content\": \"?\"}, ";
    size_t len = 0;
    char *message = message_of(text, flags, &len);
    char *json = malloc(len + sizeof user + 1);
    assert_non_null(json);
    memcpy(json, user, sizeof user - 1);
    memcpy(json + sizeof user - 1, message, len);
    json[sizeof user - 1 + len] = ']';
    const lfm2_chat_options o = {.size = sizeof o};
    const lf_chat_request request = {.t = t,
                                     .special = special,
                                     .messages = json,
                                     .messages_len = sizeof user + len,
                                     .options = &o,
                                     .now = &now};
    lf_alloc alloc = lf_alloc_default();
    lf_chat chat;
    if (lf_chat_build(&alloc, &request, &chat) != LFM2_OK) {
        fail_msg("template %s: %s: %s", name, message, lf_fail_text());
    }
    char *rendered = malloc(chat.len + 1);
    assert_non_null(rendered);
    memcpy(rendered, chat.text, chat.len);
    rendered[chat.len] = '\0';
    const char *answer = strstr(rendered, "<|im_start|>assistant\n");
    assert_non_null(answer);
    answer += strlen("<|im_start|>assistant\n");
    size_t n = strlen(text);
    if (strncmp(answer, text, n) != 0 || strncmp(answer + n, "<|im_end|>", 10) != 0) {
        fail_msg("template %s: %s\nrenders as %s", name, text, answer);
    }
    free(rendered);
    free(json);
    free(message);
    lf_chat_free(&chat);
}

/* Answers as the template writes them. */
static void check_variant(const char *name, const lf_template *t, const rendering *does)
{
    static const char *const plain[] = {"Yes.", "Line one\n\n  two \n", "[x](y) <b> 1 < 2"};
    static const char *const single[] = {
        S "[clock()]" E,
        "Let me look. " S "[get_time(city='Rome', at={\"h\": 7, \"zone\": null}, exact=True)]" E,
        S "[a(x=1), b.c(y=-2.5, z=None), a(x='')]" E,
        "\n" S "[f(a='x, y', n=12345678901234567890, d=1)]" E,
    };
    static const char *const twice[] = {
        S "[clock()]" E,
        "Let me look. " S "[get_time(city=\"Rome\", at={\"h\": 7, \"zone\": null}, exact=True)]" E,
        S "[a(x=1), b.c(y=-2.5, z=None), a(x=\"\")]" E,
        S "[note(text=\"a \\\"b\\\"\\n\\\\ it's é\", at={\"list\": [1, \"x\", true]})]" E,
    };
    for (size_t i = 0; i < 3; i++) {
        check_rendered(name, t, plain[i], 0);
    }
    for (size_t i = 0; i < 4 && does->calls; i++) {
        check_rendered(name, t, does->quote == '"' ? twice[i] : single[i], 0);
    }
    if (does->reasoning) {
        check_rendered(name, t, "<think>why</think>Yes.", 0);
        check_rendered(name, t, "<think>\nwhy so\n</think>\n\nYes.", 0);
        check_rendered(name, t, "<think>why</think>" S "[clock()]" E, 0);
    }
    if (does->escapes && does->quote == '\'') {
        check_rendered(name, t, S "[note(text='it\\'s\\n\\\\ \"b\"', list=[1, \"x\", true])]" E, 0);
    } else if (does->calls && does->quote == '\'') {
        check_rendered(name, t, S "[note(text='it's \"b\"', n=1)]" E, 0);
    }
}

static void rendered_again(void **state)
{
    (void)state;
    lf_alloc alloc = lf_alloc_default();
    const lf_template_limits limits = lf_template_limits_default();
    size_t size = 0;
    char *data = (char *)text_golden_read("chat_templates.jsonl", &size);
    char *at = data;
    assert_non_null(data);
    for (size_t i = 0; i < sizeof variants / sizeof variants[0]; i++) {
        lf_template *t = NULL;
        lf_arena arena;
        const lf_json *line = NULL;
        const char *text = lf_chat_format;
        lf_arena_init(&arena, &alloc);
        if (i < 6) {
            char *line_end = strchr(at, '\n');
            LFT_OK(lf_json_parse(&arena, "case", LFM2_E_TEXT, at, (size_t)(line_end - at), &line));
            assert_string_equal(lf_json_get(line, "name")->text, variants[i].name);
            text = lf_json_get(line, "template")->text;
            at = line_end + 1;
        }
        LFT_OK(lf_template_compile(&alloc, &limits, text, strlen(text), &t));
        check_variant(variants[i].name, t, &variants[i].does);
        lf_template_free(t);
        lf_arena_free(&arena);
    }
    free(data);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(whole_answer),
        cmocka_unit_test(arguments),
        cmocka_unit_test(rendered_again),
    };
    return cmocka_run_group_tests(tests, begin, end);
}
