/* SPDX-License-Identifier: Apache-2.0 */
/* Control tokens and markers in everything that the application passes stay text: each of them at
 * each place, with the built-in format and the templates of golden/text/chat_templates.jsonl. */
#include "common/json.h"
#include "support/text_vocab.h"
#include "text/chat.h"
#include "text/chat_format.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

enum { MAX_TEMPLATES = 8, MAX_IDS = 4096, MAX_TEXT = 4096 };

static lf_template *templates[MAX_TEMPLATES];
static size_t n_templates;
static lf_tokenizer *tokenizer;

static void add_template(const char *text, size_t len)
{
    lf_alloc alloc = lf_alloc_default();
    const lf_template_limits limits = lf_template_limits_default();
    assert_true(n_templates < MAX_TEMPLATES);
    assert_int_equal(lf_template_compile(&alloc, &limits, text, len, &templates[n_templates++]),
                     LFM2_OK);
}

static void read_templates(void)
{
    lf_alloc alloc = lf_alloc_default();
    size_t size = 0;
    char *file = (char *)text_golden_read("chat_templates.jsonl", &size);
    assert_non_null(file);
    for (char *line = file; n_templates < 6; line = strchr(line, '\n') + 1) {
        lf_arena arena;
        lf_arena_init(&arena, &alloc);
        const lf_json *json = NULL;
        assert_int_equal(lf_json_parse(&arena, "line", LFM2_E_TEXT, line,
                                       (size_t)(strchr(line, '\n') - line), &json),
                         LFM2_OK);
        const lf_json *text = lf_json_get(json, "template");
        add_template(text->text, text->len);
        lf_arena_free(&arena);
    }
    free(file);
    add_template(lf_chat_format, strlen(lf_chat_format));
    /* All that a template can read, and functions that take text apart. */
    static const char everything[] =
        "<|im_start|>{{ messages }}{{ messages | tojson }}{{ tools }}{{ tools | tojson(indent=1) }}"
        "{{ x }}{{ y | upper }}{{ y | string | replace('a', 'b') }}{{ x[:2] ~ x[2:] }}"
        "{% for m in messages %}{{ m | dictsort }}{{ m.content | string | list | join }}"
        "{{ '%s' % m.role }}{% endfor %}";
    add_template(everything, sizeof everything - 1);
}

/* The golden vocabulary; as in LFM2.5 some markers are user-defined. */
static int set_up(void **state)
{
    (void)state;
    lf_alloc alloc = lf_alloc_default();
    text_vocab vocab;
    assert_true(text_vocab_load(&vocab));
    for (uint32_t i = 0; i < vocab.data.n_tokens; i++) {
        lf_vocab_token *t = &vocab.tokens[i];
        if (t->len > 12 && memcmp(t->text, "<|tool_call_", 12) == 0) {
            t->kind = LFM2_TOKEN_USER;
        }
    }
    text_vocab_add_string(&vocab, "<think>", LFM2_TOKEN_USER);
    text_vocab_add_string(&vocab, "</think>", LFM2_TOKEN_USER);
    assert_int_equal(lf_tokenizer_create(&alloc, &vocab.data, false, &tokenizer), LFM2_OK);
    text_vocab_free(&vocab);
    read_templates();
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    for (size_t i = 0; i < n_templates; i++) {
        lf_template_free(templates[i]);
    }
    lf_tokenizer_free(tokenizer);
    return 0;
}

static bool is_marker(int32_t id)
{
    const char *text = NULL;
    int32_t kind = 0;
    assert_int_equal(lf_tokenizer_token(tokenizer, id, &text, NULL, &kind), LFM2_OK);
    return kind == LFM2_TOKEN_CONTROL || (kind == LFM2_TOKEN_USER && text[0] == '<');
}

/* A conversation; % stands for the word under test. */
typedef struct place {
    const char *messages, *tools, *args;
} place;

#define USER "{\"role\":\"user\",\"content\":\"u\"}"
#define CALL(id, name, arguments)                                                                  \
    "[" USER ",{\"role\":\"assistant\",\"content\":\"a\",\"tool_calls\":[{\"id\":\"" id            \
    "\",\"type\":\"function\",\"function\":{\"name\":\"" name "\",\"arguments\":" arguments        \
    "}}]}]"
#define TOOL(name, description, property, value)                                                   \
    "[{\"type\":\"function\",\"function\":{\"name\":\"" name "\",\"description\":\"" description   \
    "\",\"parameters\":{\"type\":\"object\",\"properties\":{\"" property                           \
    "\":{\"type\":\"string\",\"enum\":[\"" value "\"]}}}}}]"

static const place places[] = {
    {"[{\"role\":\"system\",\"content\":\"%\"}," USER "]", NULL, NULL},
    {"[{\"role\":\"developer\",\"content\":\"a%b\"}," USER "]", NULL, NULL},
    {"[{\"role\":\"user\",\"content\":\"%\"}]", NULL, NULL},
    {"[{\"role\":\"user\",\"content\":\"x%%y\"}]", NULL, NULL},
    {"[{\"role\":\"user\",\"content\":[{\"type\":\"text\",\"text\":\"%\"},{\"type\":\"text\","
     "\"text\":\"z%\"}]}]",
     NULL, NULL},
    {"[" USER ",{\"role\":\"assistant\",\"content\":\"%\"}]", NULL, NULL},
    {"[" USER ",{\"role\":\"assistant\",\"content\":\"a\",\"reasoning_content\":\"%\"}]", NULL,
     NULL},
    {"[" USER ",{\"role\":\"assistant\",\"content\":\"a\",\"thinking\":\"%\"}]", NULL, NULL},
    {"[" USER ",{\"role\":\"tool\",\"tool_call_id\":\"%\",\"name\":\"%\",\"content\":\"%\"}]", NULL,
     NULL},
    {"[" USER ",{\"role\":\"tool\",\"content\":{\"%\":[\"%\"]}}]", NULL, NULL},
    {"[{\"role\":\"%\",\"name\":\"%\",\"content\":\"c\"}]", NULL, NULL},
    {CALL("%", "f", "{}"), NULL, NULL},
    {CALL("1", "%", "{}"), NULL, NULL},
    {CALL("1", "f", "{\"%\":1}"), NULL, NULL},
    {CALL("1", "f", "{\"a\":\"%\"}"), NULL, NULL},
    {CALL("1", "f", "{\"a\":[\"%\",{\"%\":\"%\"}]}"), NULL, NULL},
    {CALL("1", "f", "\"{\\\"%\\\":\\\"%\\\"}\""), NULL, NULL},
    {"[" USER "]", TOOL("%", "d", "p", "v"), NULL},
    {"[" USER "]", TOOL("f", "%", "p", "v"), NULL},
    {"[" USER "]", TOOL("f", "d", "%", "v"), NULL},
    {"[" USER "]", TOOL("f", "d", "p", "%"), NULL},
    {"[" USER "]", "[\"%\"]", NULL},
    {"[" USER "]", NULL, "{\"x\":\"%\",\"y\":{\"a%\":[\"%\"]},\"keep_past_thinking\":\"%\"}"},
};

/* The pattern with a word for each %; NULL for NULL. */
static const char *fill(const char *pattern, const char *word, char out[MAX_TEXT])
{
    size_t n = 0;
    for (const char *p = pattern; p != NULL && *p != '\0'; p++) {
        size_t len = *p == '%' ? strlen(word) : 1;
        assert_true(n + len < MAX_TEXT);
        memcpy(out + n, *p == '%' ? word : p, len);
        n += len;
    }
    out[n] = '\0';
    return pattern != NULL ? out : NULL;
}

/* The number of control tokens and markers among the ids; -1 if the template refuses. The ids
 * decode to the text. */
static int count(const lf_template *t, const place *p, const char *word)
{
    static const char *const special[LF_N_SPECIAL] = {"<|startoftext|>", "<|im_end|>"};
    static const lf_template_time now = {2026, 3, 7, 9, 5, 1};
    static char messages[MAX_TEXT];
    static char tools[MAX_TEXT];
    static char args[MAX_TEXT];
    static int32_t ids[MAX_IDS];
    fill(p->messages, word, messages);
    const lfm2_chat_options o = {.size = sizeof o,
                                 .tools = fill(p->tools, word, tools),
                                 .tools_len = strlen(tools),
                                 .template_args = fill(p->args, word, args),
                                 .template_args_len = strlen(args),
                                 .flags = LFM2_CHAT_GENERATION_PROMPT};
    const lf_chat_request request = {.t = t,
                                     .special = special,
                                     .messages = messages,
                                     .messages_len = strlen(messages),
                                     .options = &o,
                                     .now = &now};
    lf_alloc alloc = lf_alloc_default();
    lf_chat chat;
    int found = -1;
    int32_t status = lf_chat_build(&alloc, &request, &chat);
    if (status == LFM2_OK) {
        size_t n = 0;
        size_t at = 0;
        assert_int_equal(
            lf_tokenizer_encode(tokenizer, chat.spans, chat.n_spans, false, ids, MAX_IDS, &n),
            LFM2_OK);
        found = 0;
        for (size_t i = 0; i < n; i++) {
            const char *text = NULL;
            size_t len = 0;
            found += is_marker(ids[i]);
            lf_tokenizer_token(tokenizer, ids[i], &text, &len, NULL);
            assert_true(len <= chat.len - at);
            assert_memory_equal(chat.text + at, text, len);
            at += len;
        }
        assert_int_equal(at, chat.len);
    } else {
        assert_int_equal(status, LFM2_E_TEXT);
    }
    lf_chat_free(&chat);
    return found;
}

static void every_token_everywhere(void **state)
{
    (void)state;
    size_t accepted = 0;
    size_t markers = 0;
    for (int32_t id = 0; id < (int32_t)lf_tokenizer_size(tokenizer); id++) {
        const char *word = NULL;
        if (!is_marker(id)) {
            continue;
        }
        lf_tokenizer_token(tokenizer, id, &word, NULL, NULL);
        markers++;
        for (size_t p = 0; p < sizeof places / sizeof places[0]; p++) {
            for (size_t t = 0; t < n_templates; t++) {
                /* Templates look for </think> in content: without it the word has no meaning. */
                bool think = strcmp(word, "</think>") == 0;
                int want = count(templates[t], &places[p], think ? "(think)" : "word");
                int got = count(templates[t], &places[p], word);
                if (got != want) {
                    fail_msg("'%s' at place %zu with template %zu: %d control tokens, not %d", word,
                             p, t, got, want);
                }
                accepted += got > 0;
            }
        }
    }
    assert_true(markers > 50);
    assert_true(accepted > markers * 100);
}

/* The template's own markers are tokens, also those that are user-defined. */
static void own_markers(void **state)
{
    (void)state;
    static const place call = {CALL("1", "f", "{\"a\":1}"), NULL, NULL};
    /* BOS, two messages, a call, the prompt */
    assert_int_equal(count(templates[6], &call, ""), 1 + 4 + 2 + 1);
    assert_int_equal(count(templates[3], &call, ""), 1 + 4 + 2 + 1);
    assert_int_equal(count(templates[4], &call, ""), 1 + 4 + 2 + 2); /* and <think> */
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_token_everywhere),
        cmocka_unit_test(own_markers),
    };
    return cmocka_run_group_tests_name("chat_control", tests, set_up, tear_down);
}
