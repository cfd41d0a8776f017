/* SPDX-License-Identifier: Apache-2.0 */
/* /v1/messages and its count of tokens: objects, blocks, events, errors. */
#include "support/apis.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static lft_api a;

#define PATH     "/v1/messages"
#define HELLO    "\"messages\":[{\"role\":\"user\",\"content\":\"Hello!\"}]"
#define QUESTION "\"messages\":[{\"role\":\"user\",\"content\":\"What is the weather in Paris?\"}]"
#define GREEDY   ",\"temperature\":0,\"max_tokens\":60"
#define TOOLS                                                                                      \
    "\"tools\":[{\"name\":\"get_weather\",\"description\":\"Weather of a city\","                  \
    "\"input_schema\":{\"type\":\"object\",\"properties\":{\"city\":{\"type\":\"string\"}},"       \
    "\"required\":[\"city\"]}}]"

static void test_whole(void **state)
{
    (void)state;
    const lf_json *m = lft_ask(&a, PATH, "{\"model\":\"demo\"," HELLO GREEDY "}", 200);
    assert_memory_equal(lft_get_string(m, "id"), "msg_", 4);
    assert_string_equal(lft_get_string(m, "type"), "message");
    assert_string_equal(lft_get_string(m, "role"), "assistant");
    assert_string_equal(lft_get_string(m, "model"), "demo");
    assert_int_equal(lft_get(m, "content")->count, 1);
    assert_string_equal(lft_get_string(m, "content.0.type"), "text");
    assert_true(strlen(lft_get_string(m, "content.0.text")) > 0);
    assert_string_equal(lft_get_string(m, "stop_reason"), "end_turn");
    assert_int_equal(lft_get(m, "stop_sequence")->kind, LF_JSON_NULL);
    assert_true(lft_get_int(m, "usage.output_tokens") > 0);
    m = lft_ask(&a, PATH, "{" HELLO ",\"max_tokens\":2,\"temperature\":0}", 200);
    assert_string_equal(lft_get_string(m, "stop_reason"), "max_tokens");
}

static void check_events(lft_exchange *e, const char *const *names)
{
    const lf_json *event;
    const char *name, *before = "";
    uint32_t n = 0;
    for (uint32_t i = 0; (event = lft_event(e, i, &name)) != NULL; i++) {
        assert_string_equal(lft_get_string(event, "type"), name);
        bool again = strcmp(name, before) == 0 && strcmp(name, "content_block_delta") == 0;
        if (!again) {
            assert_non_null(names[n]);
            assert_string_equal(name, names[n++]);
        }
        before = name;
    }
    assert_string_equal(name, ""); /* no [DONE] */
    assert_null(names[n]);
    assert_true(e->over);
}

static const char *const one_block[] = {"message_start",
                                        "content_block_start",
                                        "content_block_delta",
                                        "content_block_stop",
                                        "message_delta",
                                        "message_stop",
                                        NULL};

static uint32_t count_events(lft_exchange *e)
{
    uint32_t n = 0;
    while (lft_event(e, n, NULL) != NULL) {
        n++;
    }
    return n;
}

static void test_text_events(void **state)
{
    (void)state;
    const lf_json *whole = lft_ask(&a, PATH, "{" HELLO GREEDY "}", 200);
    lft_exchange *e = lft_post(&a, PATH, "{" HELLO GREEDY ",\"stream\":true}");
    check_events(e, one_block);
    char *text = lft_joined(e, "delta.text");
    assert_string_equal(text, lft_get_string(whole, "content.0.text"));
    free(text);
    const lf_json *start = lft_event(e, 0, NULL), *block = lft_event(e, 1, NULL);
    assert_int_equal(lft_get(start, "message.content")->count, 0);
    assert_int_equal(lft_get(start, "message.stop_reason")->kind, LF_JSON_NULL);
    assert_true(lft_get_int(start, "message.usage.input_tokens") > 0);
    assert_string_equal(lft_get_string(block, "content_block.text"), "");
    assert_int_equal(lft_get_int(block, "index"), 0);
    const lf_json *end = lft_event(e, count_events(e) - 2, NULL);
    assert_string_equal(lft_get_string(end, "delta.stop_reason"), "end_turn");
    assert_int_equal(lft_get_int(end, "usage.output_tokens"),
                     lft_get_int(whole, "usage.output_tokens"));
    lft_exchange_free(e);
}

static void test_calls(void **state)
{
    (void)state;
    const lf_json *m = lft_ask(&a, PATH, "{" QUESTION "," TOOLS GREEDY "}", 200);
    assert_string_equal(lft_get_string(m, "stop_reason"), "tool_use");
    assert_string_equal(lft_get_string(m, "content.0.type"), "tool_use");
    assert_string_equal(lft_get_string(m, "content.0.name"), "get_weather");
    assert_string_equal(lft_get_string(m, "content.0.input.city"), "Paris");
    assert_memory_equal(lft_get_string(m, "content.0.id"), "toolu_", 6);
    lft_exchange *e = lft_post(&a, PATH, "{" QUESTION "," TOOLS GREEDY ",\"stream\":true}");
    check_events(e, one_block);
    const lf_json *block = lft_event(e, 1, NULL);
    assert_int_equal(lft_get(block, "content_block.input")->count, 0);
    char *input = lft_joined(e, "delta.partial_json");
    assert_string_equal(input, "{\"city\": \"Paris\"}");
    free(input);
    lft_exchange_free(e);
    /* The next turn reads what the model wrote from the cache. */
    char body[2048];
    snprintf(
        body, sizeof body,
        "{\"messages\":[{\"role\":\"user\",\"content\":\"What is the weather in Paris?\"},"
        "{\"role\":\"assistant\",\"content\":[{\"type\":\"tool_use\",\"id\":\"%s\",\"name\":"
        "\"get_weather\",\"input\":{\"city\":\"Paris\"}}]},{\"role\":\"user\",\"content\":[{"
        "\"type\":\"tool_result\",\"tool_use_id\":\"%s\",\"content\":\"sunny\"}]}]," TOOLS GREEDY
        "}",
        lft_get_string(m, "content.0.id"), lft_get_string(m, "content.0.id"));
    const lf_json *next = lft_ask(&a, PATH, body, 200);
    assert_true(lft_get_int(next, "usage.cache_read_input_tokens") >=
                lft_get_int(m, "usage.input_tokens") +
                    lft_get_int(m, "usage.cache_read_input_tokens"));
    /* The count is that of the request. */
    const lf_json *count = lft_ask(&a, PATH "/count_tokens", body, 200);
    assert_int_equal(lft_get_int(count, "input_tokens"),
                     lft_get_int(next, "usage.input_tokens") +
                         lft_get_int(next, "usage.cache_read_input_tokens"));
}

static void test_choices(void **state)
{
    (void)state;
    static const char *const forced[] = {"{\"type\":\"any\"}",
                                         "{\"type\":\"tool\",\"name\":\"get_weather\"}"};
    char body[1024];
    for (size_t i = 0; i < 2; i++) {
        snprintf(body, sizeof body, "{" HELLO "," TOOLS GREEDY ",\"tool_choice\":%s}", forced[i]);
        const lf_json *m = lft_ask(&a, PATH, body, 200);
        assert_string_equal(lft_get_string(m, "content.0.type"), "tool_use");
    }
    const lf_json *m = lft_ask(
        &a, PATH, "{" QUESTION "," TOOLS GREEDY ",\"tool_choice\":{\"type\":\"none\"}}", 200);
    assert_string_equal(lft_get_string(m, "content.0.type"), "text");
}

/* A schema that is too large to enforce, as Claude Code has one. */
static void test_large_schema(void **state)
{
    (void)state;
    const lf_json *m =
        lft_ask(&a, PATH,
                "{" HELLO GREEDY ",\"tools\":[{\"name\":\"run\",\"input_schema\":{\"type\":"
                "\"object\",\"properties\":{\"script\":{\"type\":\"string\",\"maxLength\":524288},"
                "\"id\":{\"type\":\"string\",\"pattern\":\"^w_[a-z0-9-]{6,}$\"}},"
                "\"additionalProperties\":false}}]}",
                200);
    assert_string_equal(lft_get_string(m, "type"), "message");
}

static void test_stop(void **state)
{
    (void)state;
    char body[512];
    const lf_json *m = lft_ask(&a, PATH, "{" HELLO GREEDY "}", 200);
    const char *text = lft_get_string(m, "content.0.text");
    assert_true(strlen(text) > 6);
    snprintf(body, sizeof body, "{" HELLO GREEDY ",\"stop_sequences\":[\"qqq\",\"%.2s\"]}",
             text + 3);
    m = lft_ask(&a, PATH, body, 200);
    assert_string_equal(lft_get_string(m, "stop_reason"), "stop_sequence");
    assert_memory_equal(lft_get_string(m, "stop_sequence"), text + 3, 2);
    /* An answer that the client has begun goes on as the model would have gone on. */
    snprintf(body, sizeof body,
             "{\"messages\":[{\"role\":\"user\",\"content\":\"Hello!\"},{\"role\":\"assistant\","
             "\"content\":\"%.6s\"}]" GREEDY "}",
             text);
    m = lft_ask(&a, PATH, body, 200);
    assert_string_equal(lft_get_string(m, "stop_reason"), "end_turn");
}

static void test_alive(void **state)
{
    (void)state;
    lft_exchange *e = lft_send(&a, "POST", PATH, "{" HELLO GREEDY ",\"stream\":true}");
    api_tick(a.api, 100);
    api_tick(a.api, 120);
    api_tick(a.api, 140);
    const char *name;
    const lf_json *ping = lft_event(e, 1, &name);
    assert_string_equal(name, "ping");
    assert_string_equal(lft_get_string(ping, "type"), "ping");
    lft_api_run(&a);
    assert_true(e->over);
    lft_exchange_free(e);
}

static void test_failed(void **state)
{
    (void)state;
    lft_exchange *e = lft_send(&a, "POST", PATH, "{" HELLO GREEDY ",\"stream\":true}");
    for (uint64_t id = 1; id < 1000; id++) {
        LFT_OK(lfm2_engine_cancel(a.engine, id));
    }
    lft_api_run(&a);
    const char *name;
    const lf_json *error = lft_event(e, 1, &name);
    assert_string_equal(name, "error");
    assert_string_equal(lft_get_string(error, "type"), "error");
    assert_string_equal(lft_get_string(error, "error.type"), "overloaded_error");
    assert_true(e->over);
    lft_exchange_free(e);
}

static void test_too_long(void **state)
{
    (void)state;
    static char body[20000];
    static const char head[] = "{\"max_tokens\":5,\"messages\":[{\"role\":\"user\",\"content\":\"";
    strcpy(body, head);
    for (size_t i = 0; i < 5000; i++) {
        strcpy(body + sizeof head - 1 + 2 * i, "x ");
    }
    strcat(body, "\"}]}");
    const lf_json *r = lft_ask(&a, PATH, body, 400);
    assert_string_equal(lft_get_string(r, "type"), "error");
    assert_string_equal(lft_get_string(r, "error.type"), "invalid_request_error");
    unsigned n, limit;
    assert_int_equal(sscanf(lft_get_string(r, "error.message"),
                            "prompt is too long: %u tokens > %u maximum", &n, &limit),
                     2);
    assert_true(n >= 5000 && limit == 2048);
}

static void test_unknown_model(void **state)
{
    (void)state;
    const lf_json *r = lft_ask(&a, PATH, "{\"model\":\"x\"," HELLO GREEDY "}", 404);
    assert_string_equal(lft_get_string(r, "error.type"), "not_found_error");
}

static int set_up(void **state)
{
    (void)state;
    a = lft_api_open(NULL, NULL, NULL);
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    lft_api_close(&a);
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_whole),        cmocka_unit_test(test_text_events),
        cmocka_unit_test(test_calls),        cmocka_unit_test(test_choices),
        cmocka_unit_test(test_large_schema), cmocka_unit_test(test_stop),
        cmocka_unit_test(test_alive),        cmocka_unit_test(test_failed),
        cmocka_unit_test(test_too_long),     cmocka_unit_test(test_unknown_model),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
