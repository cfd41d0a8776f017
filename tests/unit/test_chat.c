/* SPDX-License-Identifier: Apache-2.0 */
/* The chat format against Hugging Face's rendering (golden/text/chat.jsonl), and its errors.
 * ctest-labels: golden */
#include "common/json.h"
#include "support/counting_alloc.h"
#include "support/messages.h"
#include "support/text_vocab.h"
#include "text/chat.h"
#include "text/chat_format.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

enum { MAX_MESSAGES = 16, MAX_IDS = 16384 };

/* Renders with LFM2's built-in format. */
static int32_t build(const lf_alloc *alloc, const char *json, size_t len,
                     const lfm2_chat_options *options, lf_chat *out)
{
    static const char *const special[LF_N_SPECIAL] = {"<|startoftext|>", "<|im_end|>"};
    const lf_template_limits limits = lf_template_limits_default();
    lf_alloc plain = lf_alloc_default();
    lf_template *t = NULL;
    assert_int_equal(
        lf_template_compile(&plain, &limits, lf_chat_format, strlen(lf_chat_format), &t), LFM2_OK);
    const lf_chat_request request = {
        .t = t, .special = special, .messages = json, .messages_len = len, .options = options};
    int32_t status = lf_chat_build(alloc, &request, out);
    lf_template_free(t);
    return status;
}

static char *text_of(const lf_chat *chat)
{
    char *text = malloc(chat->len + 1);
    assert_non_null(text);
    size_t at = 0;
    for (size_t i = 0; i < chat->n_spans; i++) {
        assert_true(chat->spans[i].len > 0);
        memcpy(text + at, chat->spans[i].text, chat->spans[i].len);
        at += chat->spans[i].len;
    }
    assert_int_equal(at, chat->len);
    assert_memory_equal(text, chat->text, at);
    text[at] = '\0';
    return text;
}

/* ---- The reference's conversations ---- */

static void replay_one(const lf_tokenizer *t, const lf_json *line, size_t number)
{
    lft_message messages[MAX_MESSAGES];
    size_t n = 0;
    for (const lf_json *m = lf_json_get(line, "m")->child; m != NULL; m = m->next) {
        assert_true(n < MAX_MESSAGES);
        messages[n++] = (lft_message){m->child->text, m->child->next->text, m->child->next->len};
    }
    size_t json_len = 0;
    char *json = lft_messages_json(messages, n, &json_len);
    const lf_json *tools = lf_json_get(line, "t");
    const char *tools_text = tools->kind == LF_JSON_STRING ? tools->text : NULL;
    uint32_t flags = lf_json_get(line, "g")->kind == LF_JSON_TRUE ? LFM2_CHAT_GENERATION_PROMPT : 0;
    const lf_json *want = lf_json_get(line, "x");
    lf_alloc alloc = lf_alloc_default();
    for (int no_bos = 0; no_bos < 2; no_bos++) {
        lf_chat chat;
        lfm2_chat_options o = {.size = sizeof o,
                               .tools = tools_text,
                               .tools_len = tools->len,
                               .flags = flags | (no_bos ? LFM2_CHAT_NO_BOS : 0)};
        int32_t status = build(&alloc, json, json_len, &o, &chat);
        if (status != LFM2_OK) {
            fail_msg("line %zu: %s", number, lf_fail_text());
        }
        char *text = text_of(&chat);
        size_t bos = no_bos ? strlen("<|startoftext|>") : 0;
        if (chat.len != want->len - bos || memcmp(text, want->text + bos, chat.len) != 0) {
            fail_msg("line %zu gives:\n%s\nnot:\n%s", number, text, want->text + bos);
        }
        free(text);
        static int32_t ids[MAX_IDS];
        size_t n_ids = 0;
        assert_int_equal(
            lf_tokenizer_encode(t, chat.spans, chat.n_spans, false, ids, MAX_IDS, &n_ids), LFM2_OK);
        char hash[17];
        snprintf(hash, sizeof hash, "%016llx", (unsigned long long)text_hash_ids(ids, n_ids));
        if (!no_bos && strcmp(hash, lf_json_get(line, "h")->text) != 0) {
            print_error("line %zu has other ids:", number);
            for (size_t i = 0; i < n_ids; i++) {
                print_error(" %d", ids[i]);
            }
            fail_msg("%s", "");
        }
        lf_chat_free(&chat);
    }
    free(json);
}

static void replay(void **state)
{
    (void)state;
    lf_alloc alloc = lf_alloc_default();
    text_vocab vocab;
    assert_true(text_vocab_load(&vocab));
    lf_tokenizer *t = NULL;
    assert_int_equal(lf_tokenizer_create(&alloc, &vocab.data, false, &t), LFM2_OK);
    text_vocab_free(&vocab);
    size_t size = 0;
    uint8_t *file = text_golden_read("chat.jsonl", &size);
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
        replay_one(t, json, lines + 1);
        lf_arena_free(&arena);
        line = end + 1;
    }
    assert_true(lines >= 200);
    free(file);
    lf_tokenizer_free(t);
}

/* ---- Written by hand ---- */

static lft_message message(const char *role, const char *content)
{
    return (lft_message){role, content, strlen(content)};
}

static lfm2_chat_options options_of(const char *tools, uint32_t flags)
{
    return (lfm2_chat_options){.size = sizeof(lfm2_chat_options),
                               .tools = tools,
                               .tools_len = tools != NULL ? strlen(tools) : 0,
                               .flags = flags};
}

static void check_json(const char *json, const char *tools, uint32_t flags, const char *want)
{
    lf_alloc alloc = lf_alloc_default();
    lf_chat chat;
    lfm2_chat_options o = options_of(tools, flags);
    int32_t status = build(&alloc, json, strlen(json), &o, &chat);
    if (status != LFM2_OK) {
        fail_msg("%s", lf_fail_text());
    }
    char *text = text_of(&chat);
    assert_string_equal(text, want);
    free(text);
    lf_chat_free(&chat);
    lf_chat_free(&chat);
}

static void check(const lft_message *messages, size_t n, const char *tools, uint32_t flags,
                  const char *want)
{
    char *json = lft_messages_json(messages, n, NULL);
    check_json(json, tools, flags, want);
    free(json);
}

#define USER(content) "{\"role\":\"user\",\"content\":" content "}"
#define PART(text)    "{\"type\":\"text\",\"text\":" text "}"
#define CALLS(arguments)                                                                           \
    "{\"role\":\"assistant\",\"tool_calls\":[{\"id\":\"1\",\"type\":\"function\",\"function\":{"   \
    "\"name\":\"f\",\"arguments\":" arguments "}}]}"
#define OPENED(text) "<|im_start|>assistant\n" text "<|im_end|>\n"

static void by_hand(void **state)
{
    (void)state;
    lft_message m[] = {message("system", "S"), message("user", "U"), message("system", ""),
                       message("tool", "T")};
    check(m, 0, NULL, 0, "<|startoftext|>");
    check(NULL, 0, NULL, LFM2_CHAT_NO_BOS, "");
    check(m, 1, NULL, 0, "<|startoftext|><|im_start|>system\nS<|im_end|>\n");
    check(m + 1, 1, NULL, LFM2_CHAT_GENERATION_PROMPT | LFM2_CHAT_NO_BOS,
          "<|im_start|>user\nU<|im_end|>\n<|im_start|>assistant\n");
    /* An empty system message is left out; a later system message is rendered like any other. */
    check(m + 2, 1, NULL, LFM2_CHAT_NO_BOS, "");
    check(m + 1, 3, NULL, LFM2_CHAT_NO_BOS,
          "<|im_start|>user\nU<|im_end|>\n<|im_start|>system\n<|im_end|>\n"
          "<|im_start|>tool\n<|tool_response_start|>T<|tool_response_end|><|im_end|>\n");
    check(m + 2, 1, "[1]", LFM2_CHAT_NO_BOS,
          "<|im_start|>system\nList of tools: <|tool_list_start|>[1]<|tool_list_end|><|im_end|>\n");
    check(m, 1,
          " [ {\"b\":[],\"a\":{}} , \"as is \\u00e9\" ,\n[ 1.50e+2,\"\\u00e9\\u001F\\/\" ] ] ",
          LFM2_CHAT_NO_BOS,
          "<|im_start|>system\nS\nList of tools: <|tool_list_start|>[{\"b\": [], \"a\": {}}, as is "
          "\xC3\xA9, [150.0, \"\xC3\xA9\\u001f/\"]]<|tool_list_end|><|im_end|>\n");
    check(m, 1, "[]", LFM2_CHAT_NO_BOS, "<|im_start|>system\nS<|im_end|>\n");
    check(m, 1, "", LFM2_CHAT_NO_BOS, "<|im_start|>system\nS<|im_end|>\n");
    /* JSON variants: order of members, white space, escapes, empty content. */
    check_json(" [ { \"content\" : \"\\u0055\\n\\ud83d\\ude00\" ,\n\"role\":\"us\\u0065r\"} ] ",
               NULL, LFM2_CHAT_NO_BOS, "<|im_start|>user\nU\n\xF0\x9F\x98\x80<|im_end|>\n");
    check_json("[{\"role\":\"user\",\"content\":\"\"}]", NULL, LFM2_CHAT_NO_BOS,
               "<|im_start|>user\n<|im_end|>\n");
}

/* The forms of messages that APIs use. */
static void forms(void **state)
{
    (void)state;
    const uint32_t flags = LFM2_CHAT_NO_BOS;
    check_json("[" USER("[" PART("\"a\"") "," PART("\"\\nb\"") "]") "]", NULL, flags,
               "<|im_start|>user\na\nb<|im_end|>\n");
    check_json("[" USER("[]") "," USER("null") ",{\"role\":\"user\",\"name\":\"x\"}]", NULL, flags,
               "<|im_start|>user\n<|im_end|>\n<|im_start|>user\n<|im_end|>\n"
               "<|im_start|>user\n<|im_end|>\n");
    check_json("[{\"role\":\"developer\",\"content\":\"D\"}," USER("\"U\"") "]", NULL, flags,
               "<|im_start|>system\nD<|im_end|>\n<|im_start|>user\nU<|im_end|>\n");
    check_json("[{\"role\":\"tool\",\"tool_call_id\":\"1\",\"content\":{\"t\":[1.0,null]}}]", NULL,
               flags,
               "<|im_start|>tool\n<|tool_response_start|>{\"t\": [1.0, null]}"
               "<|tool_response_end|><|im_end|>\n");
    /* Calls: arguments as JSON or as text. */
    check_json("[" CALLS("{\"a\":\"x\",\"b\":2}") "]", NULL, flags,
               OPENED("<|tool_call_start|>[f(a=\"x\", b=2)]<|tool_call_end|>"));
    check_json("[" CALLS("\"{\\\"a\\\":\\\"x\\\",\\\"b\\\":2}\"") "]", NULL, flags,
               OPENED("<|tool_call_start|>[f(a=\"x\", b=2)]<|tool_call_end|>"));
    check_json("[" CALLS("\"\"") "," CALLS("null") "," CALLS("{}") "]", NULL, flags,
               OPENED("<|tool_call_start|>[f()]<|tool_call_end|>")
                   OPENED("<|tool_call_start|>[f()]<|tool_call_end|>")
                       OPENED("<|tool_call_start|>[f()]<|tool_call_end|>"));
    check_json("[" CALLS("{\"s\":\"it's\\n\\\\\",\"l\":[true,\"é\"],\"m\":{\"k\":null},\"n\":null,"
                         "\"t\":true,\"x\":-1.5}") "]",
               NULL, flags,
               OPENED("<|tool_call_start|>[f(s=\"it's\\n\\\\\", l=[true, \"é\"], m={\"k\": null}, "
                      "n=None, t=True, x=-1.5)]<|tool_call_end|>"));
    check_json(
        "[{\"role\":\"assistant\",\"content\":\"C\",\"reasoning_content\":\"R\","
        "\"tool_calls\":[{\"name\":\"f\",\"arguments\":{}},{\"function\":{\"name\":\"g\"}}]}]",
        NULL, flags, OPENED("C<|tool_call_start|>[f(), g()]<|tool_call_end|>"));
}

/* The template writes the markers; content of every role is data, and so are tools. */
static void special_spans(void **state)
{
    (void)state;
    static const char *const roles[] = {"system", "user", "assistant", "tool"};
    lf_alloc alloc = lf_alloc_default();
    for (size_t r = 0; r < 4; r++) {
        lft_message m = message(roles[r], "CONTENT");
        size_t len = 0;
        char *json = lft_messages_json(&m, 1, &len);
        lf_chat chat;
        lfm2_chat_options o = options_of("[{\"TOOL\": 1}]", 0);
        assert_int_equal(build(&alloc, json, len, &o, &chat), LFM2_OK);
        free(json); /* the spans do not refer to it */
        size_t seen = 0;
        for (size_t i = 0; i < chat.n_spans; i++) {
            const lf_span *s = &chat.spans[i];
            for (size_t at = 0; at + 4 <= s->len; at++) {
                bool data =
                    memcmp(s->text + at, "CONT", 4) == 0 || memcmp(s->text + at, "TOOL", 4) == 0;
                bool marker =
                    memcmp(s->text + at, "<|im", 4) == 0 || memcmp(s->text + at, "<|to", 4) == 0;
                seen += data;
                assert_true(!data || !s->special);
                assert_true(!marker || s->special);
            }
        }
        assert_int_equal(seen, 2);
        lf_chat_free(&chat);
    }
}

static void check_error(const char *json, const char *tools, int32_t status, const char *code,
                        const char *expected)
{
    counting_alloc counter;
    lf_alloc alloc = counting_alloc_init(&counter);
    lf_chat chat;
    lfm2_chat_options o = options_of(tools, 0);
    assert_int_equal(build(&alloc, json, strlen(json), &o, &chat), status);
    if (code != NULL) {
        assert_string_equal(lf_fail_code(), code);
    }
    if (strstr(lf_fail_text(), expected) == NULL) {
        fail_msg("'%s' lacks '%s'", lf_fail_text(), expected);
    }
    lf_chat_free(&chat);
    assert_int_equal(counter.live, 0);
}

static void errors(void **state)
{
    (void)state;
    const char *m = "[" USER("\"x\"") "]";
    check_error("[" USER("\"x\"") ",{\"role\":\"User\",\"content\":\"x\"}]", NULL, LFM2_E_TEXT,
                "template.exception", "message 1: role is 'User'; allowed: system, ");
    check_error("[{\"role\":\"system\",\"content\":\"x\"},{\"role\":\"\",\"content\":\"\"}]", NULL,
                LFM2_E_TEXT, "template.exception", "message 1: role is ''; allowed: ");
    check_error("[{\"content\":\"x\"}]", NULL, LFM2_E_TEXT, "chat.messages",
                "message 0: 'role' is not a string");
    check_error("[{\"role\":1,\"content\":\"x\"}]", NULL, LFM2_E_TEXT, "chat.messages", "offset 9");
    check_error("[" USER("17") "]", NULL, LFM2_E_TEXT, "chat.messages",
                "offset 26: message 0: 'content' must be a string, null, an array of parts");
    check_error("[" USER("true") "]", NULL, LFM2_E_TEXT, "chat.messages", "'content' must be");
    check_error("[" USER("[\"x\"]") "]", NULL, LFM2_E_TEXT, "chat.messages",
                "message 0: part 0 of 'content' must be an object with 'type'");
    check_error("[" USER("[" PART("\"x\"") ",{\"type\":\"text\"}]") "]", NULL, LFM2_E_TEXT,
                "chat.messages", "part 1 of 'content' must have 'text', a string");
    check_error("[" USER("\"\"") "," USER("[{\"type\":\"image_url\",\"image_url\":{}}]") "]", NULL,
                LFM2_E_UNSUPPORTED, "chat.content",
                "message 1: part 0 of 'content' has the type 'image_url'; allowed: 'text'");
    check_error("[" CALLS("\"no object\"") "]", NULL, LFM2_E_TEXT, "template.exception",
                "message 0: the arguments of a call are not a JSON object");
    check_error("[7]", NULL, LFM2_E_TEXT, "chat.messages", "message 0: not a JSON object");
    check_error("{}", NULL, LFM2_E_TEXT, "chat.messages", "not a JSON array");
    check_error("", NULL, LFM2_E_TEXT, NULL, "messages");
    check_error("[" USER("\"x\"") ",]", NULL, LFM2_E_TEXT, NULL, "messages");
    check_error("[" USER("\"\xff\"") "]", NULL, LFM2_E_TEXT, NULL, "messages");
    check_error("[{\"role\":\"user\",\"role\":\"user\",\"content\":\"x\"}]", NULL, LFM2_E_TEXT,
                NULL, "messages");
    check_error(m, "{}", LFM2_E_TEXT, "chat.tools", "not a JSON array");
    check_error(m, "  null", LFM2_E_TEXT, "chat.tools", "offset 2");
    check_error(m, "\"x\"", LFM2_E_TEXT, "chat.tools", "tools");
    check_error(m, "[{\"a\":1},]", LFM2_E_TEXT, NULL, "tools");
    check_error(m, "[1", LFM2_E_TEXT, NULL, "tools");
}

/* Up to the depth that the parser allows, and beyond. */
static void deep_tools(void **state)
{
    (void)state;
    const char *m = "[" USER("\"x\"") "]";
    for (size_t depth = LF_JSON_MAX_DEPTH - 2; depth <= LF_JSON_MAX_DEPTH + 2; depth++) {
        char tools[2 * LF_JSON_MAX_DEPTH + 8] = "";
        char want[2 * LF_JSON_MAX_DEPTH + 200] = "<|im_start|>system\nList of tools: "
                                                 "<|tool_list_start|>";
        memset(tools, '[', depth);
        memset(tools + depth, ']', depth);
        strcat(want, tools);
        strcat(want, "<|tool_list_end|><|im_end|>\n<|im_start|>user\nx<|im_end|>\n");
        lf_alloc alloc = lf_alloc_default();
        lf_chat chat;
        lfm2_chat_options o = options_of(tools, LFM2_CHAT_NO_BOS);
        int32_t status = build(&alloc, m, strlen(m), &o, &chat);
        if (status == LFM2_OK) {
            assert_true(depth <= LF_JSON_MAX_DEPTH + 1);
            char *text = text_of(&chat);
            assert_string_equal(text, want);
            free(text);
        } else {
            assert_true(depth > LF_JSON_MAX_DEPTH);
            assert_int_equal(status, LFM2_E_TEXT);
        }
        lf_chat_free(&chat);
    }
}

static void without_memory(void **state)
{
    (void)state;
    static char big[100000];
    memset(big, ' ', sizeof big);
    memcpy(big, "[{\"a\":[1,2,{\"b\":null}]},", 24);
    memset(big + 24, '1', 40000);
    big[sizeof big - 1] = ']';
    const char *m = "[" USER("\"x\"") "]";
    lfm2_chat_options o = options_of(NULL, 0);
    o.tools = big;
    o.tools_len = sizeof big;
    size_t needed = SIZE_MAX;
    for (size_t fail_at = 0; fail_at < needed; fail_at++) {
        counting_alloc counter;
        lf_alloc alloc = counting_alloc_init(&counter);
        counter.fail_at = fail_at;
        lf_chat chat;
        int32_t status = build(&alloc, m, strlen(m), &o, &chat);
        if (status == LFM2_OK) {
            needed = fail_at;
        } else {
            assert_int_equal(status, LFM2_E_MEMORY);
        }
        lf_chat_free(&chat);
        assert_int_equal(counter.live, 0);
        assert_int_equal(counter.mistakes, 0);
    }
    assert_true(needed >= 2);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(replay),         cmocka_unit_test(by_hand), cmocka_unit_test(forms),
        cmocka_unit_test(special_spans),  cmocka_unit_test(errors),  cmocka_unit_test(deep_tools),
        cmocka_unit_test(without_memory),
    };
    return cmocka_run_group_tests_name("chat", tests, NULL, NULL);
}
