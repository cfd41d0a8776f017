/* SPDX-License-Identifier: Apache-2.0 */
/* What a template sees of messages, tools and tokens, and when it runs a second time. */
#include "support/counting_alloc.h"
#include "text/chat.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

/* Renders `json` with the template `text`; returns the text, "STATUS: message" after a failure. */
static const char *rendered(const char *text, const char *json, uint32_t flags)
{
    static const char *const special[LF_N_SPECIAL] = {"<s>", "</s>", "<u>", "<x>",
                                                      "<p>", "<c>",  "<m>"};
    static char out[2048];
    const lf_template_limits limits = lf_template_limits_default();
    counting_alloc counter;
    lf_alloc alloc = counting_alloc_init(&counter);
    lf_template *t = NULL;
    lf_chat chat;
    const lfm2_chat_options o = {.size = sizeof o, .flags = flags};
    assert_int_equal(lf_template_compile(&alloc, &limits, text, strlen(text), &t), LFM2_OK);
    const lf_chat_request request = {
        .t = t, .special = special, .messages = json, .messages_len = strlen(json), .options = &o};
    lf_fail(LFM2_E_INTERNAL, "test.before", "before");
    int32_t status = lf_chat_build(&alloc, &request, &chat);
    if (status == LFM2_OK) {
        snprintf(out, sizeof out, "%.*s", (int)chat.len, chat.text);
        assert_string_equal(lf_fail_code(), "test.before"); /* success records no failure */
    } else {
        snprintf(out, sizeof out, "%d: %s", (int)status, lf_fail_text());
    }
    lf_chat_free(&chat);
    lf_template_free(t);
    assert_int_equal(counter.live, 0);
    assert_int_equal(counter.mistakes, 0);
    return out;
}

#define ALL "{{ messages|tojson }}"

static void sees(const char *json, const char *want)
{
    assert_string_equal(rendered(ALL, json, 0), want);
}

static void unchanged(void **state)
{
    (void)state;
    static const char *const cases[] = {
        "[]",
        "[{\"role\": \"user\", \"content\": \"a\", \"name\": \"n\", \"x\": [1, {\"y\": null}]}]",
        "[{\"content\": [{\"type\": \"text\", \"text\": \"a\", \"more\": 1}], \"role\": \"r\"}]",
        "[{\"role\": \"tool\", \"tool_call_id\": \"1\", \"content\": {\"a\": null}}]",
        "[{\"role\": \"assistant\", \"tool_calls\": 7}, {\"role\": \"a\", \"tool_calls\": [1, "
        "{\"id\": \"x\", \"function\": \"f\"}, {\"function\": {\"name\": null, \"arguments\": "
        "7}}]}]",
        "[{\"role\": \"a\", \"tool_calls\": [{\"function\": {\"arguments\": \"[1]\"}}, "
        "{\"function\": {\"arguments\": \"{\\\"a\\\": 1\"}}, {\"function\": {\"arguments\": "
        "\"x\"}}]}]",
        "[{\"role\": \"a\", \"reasoning_content\": \"r\", \"thinking\": \"t\"}]",
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        sees(cases[i], cases[i]);
    }
}

static void changed(void **state)
{
    (void)state;
    sees("[{\"role\": \"a\", \"content\": null, \"tool_calls\": null, \"x\": null}]",
         "[{\"role\": \"a\"}]");
    sees("[{\"role\": \"a\", \"tool_calls\": [{\"id\": null, \"function\": {\"name\": \"f\", "
         "\"arguments\": \" {\\\"a\\\": [1.0, null]} \"}, \"type\": \"function\"}, {\"function\": "
         "{\"arguments\": \"\", \"name\": \"g\"}}], \"z\": 1}]",
         "[{\"role\": \"a\", \"tool_calls\": [{\"id\": null, \"function\": {\"name\": \"f\", "
         "\"arguments\": {\"a\": [1.0, null]}}, \"type\": \"function\"}, {\"function\": "
         "{\"arguments\": {}, \"name\": \"g\"}}], \"z\": 1}]");
    sees("[{\"role\": \"a\", \"reasoning\": \"r\"}]",
         "[{\"thinking\": \"r\", \"role\": \"a\", \"reasoning\": \"r\", "
         "\"reasoning_content\": \"r\"}]");
    sees("[{\"role\": \"a\", \"thinking\": \"t\", \"reasoning\": \"r\"}]",
         "[{\"role\": \"a\", \"thinking\": \"t\", \"reasoning\": \"r\", "
         "\"reasoning_content\": \"t\"}]");
    sees("[{\"role\": \"a\", \"thinking\": null, \"reasoning_content\": \"r\"}]",
         "[{\"thinking\": \"r\", \"role\": \"a\", \"reasoning_content\": \"r\"}]");
    assert_string_equal(
        rendered(ALL,
                 "[{\"role\": \"a\", \"content\": [{\"type\": \"text\", \"text\": \"x\"}, "
                 "{\"type\": \"text\", \"text\": \"y\"}]}, {\"role\": \"b\", \"content\": []}]",
                 LFM2_CHAT_JOIN_PARTS),
        "[{\"role\": \"a\", \"content\": \"xy\"}, {\"role\": \"b\", \"content\": \"\"}]");
}

static void variables(void **state)
{
    (void)state;
    static const char t[] =
        "{{ bos_token ~ eos_token ~ unk_token ~ sep_token ~ pad_token ~ cls_token "
        "~ mask_token }} {{ tools }} {{ documents }} {{ add_generation_prompt }} "
        "{{ x is defined }}";
    assert_string_equal(rendered(t, "[]", 0), "<s></s><u><x><p><c><m> None None False False");
    assert_string_equal(rendered(t, "[]", LFM2_CHAT_GENERATION_PROMPT | LFM2_CHAT_NO_BOS),
                        "</s><u><x><p><c><m> None None True False");
    /* Only a BOS that the template wrote at the beginning is removed. */
    assert_string_equal(rendered("a{{ bos_token }}", "[]", LFM2_CHAT_NO_BOS), "a<s>");
    assert_string_equal(rendered("{{ messages[0].content }}",
                                 "[{\"role\": \"a\", \"content\": \"<s>b\"}]", LFM2_CHAT_NO_BOS),
                        "<s>b");
    assert_string_equal(rendered("<s>", "[]", LFM2_CHAT_NO_BOS), "");
    assert_string_equal(rendered("", "[]", LFM2_CHAT_NO_BOS), "");
}

/* The second run, with simple content. */
static void second_run(void **state)
{
    (void)state;
    static const char t[] = "{% for m in messages %}{{ '(' + m.content + ')' }}{% endfor %}";
    static const char parts[] =
        "[{\"role\": \"a\", \"content\": null}, {\"role\": \"a\"}, {\"role\": "
        "\"a\", \"content\": [{\"type\": \"text\", \"text\": \"x\"}, "
        "{\"type\": \"text\", \"text\": \"y\"}]}]";
    assert_string_equal(rendered(t, parts, 0), "()()(xy)");
    /* A template that works sees the content as it is given. */
    assert_string_equal(
        rendered("{{ messages[0].content is defined }}{{ messages[2].content[1].text "
                 "}}",
                 parts, 0),
        "Falsey");
    /* Both runs fail: the message is that of the second one. */
    assert_string_equal(rendered("{{ raise_exception(messages[2].content|string) }}", parts, 0),
                        "11: chat template, line 1: the template refuses this input: xy");
    /* No second run for strings, nor for other failures. */
    assert_non_null(
        strstr(rendered("{{ 1 + '' }}", "[{\"role\": \"a\", \"content\": \"\"}]", 0), "11: "));
    assert_non_null(strstr(
        rendered("{{ 'x' * 99999999 if messages[0].content is undefined }}", parts, 0), "7: "));
}

/* Long conversations fit, the limits of a template grow with its input. */
static void long_conversation(void **state)
{
    (void)state;
    enum { LEN = 12 << 20 };
    static const char head[] = "[{\"role\":\"user\",\"content\":\"";
    char *json = malloc(LEN + 64);
    assert_non_null(json);
    memcpy(json, head, sizeof head - 1);
    memset(json + sizeof head - 1, 'a', LEN);
    memcpy(json + sizeof head - 1 + LEN, "\"}]", 4);
    const char *text =
        rendered("{% for m in messages %}{{ '<' + m.role + '>' + m.content + '\\n' }}"
                 "{% endfor %}",
                 json, 0);
    assert_memory_equal(text, "<user>aaaa", 10);
    free(json);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(unchanged),         cmocka_unit_test(changed),
        cmocka_unit_test(variables),         cmocka_unit_test(second_run),
        cmocka_unit_test(long_conversation),
    };
    return cmocka_run_group_tests_name("chat_messages", tests, NULL, NULL);
}
