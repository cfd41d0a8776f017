/* SPDX-License-Identifier: Apache-2.0 */
/* Ollama's API: objects and lines, calls, formats, information about the model. */
#include "support/apis.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static lft_api a;

#define DEMO     "\"model\":\"demo\","
#define HELLO    "\"messages\":[{\"role\":\"user\",\"content\":\"Hello!\"}]"
#define QUESTION "\"messages\":[{\"role\":\"user\",\"content\":\"What is the weather in Paris?\"}]"
#define GREEDY   ",\"options\":{\"temperature\":0,\"num_predict\":60}"
#define TOOLS                                                                                      \
    "\"tools\":[{\"type\":\"function\",\"function\":{\"name\":\"get_weather\",\"description\":"    \
    "\"Weather of a city\",\"parameters\":{\"type\":\"object\",\"properties\":{\"city\":{"         \
    "\"type\":\"string\"}},\"required\":[\"city\"]}}}]"

static void check_end(const lf_json *r, const char *reason)
{
    static const char *const times[] = {"total_duration",       "load_duration",
                                        "prompt_eval_duration", "eval_duration",
                                        "prompt_eval_count",    "eval_count"};
    assert_string_equal(lft_get_string(r, "model"), "demo");
    assert_int_equal(strlen(lft_get_string(r, "created_at")),
                     strlen("2026-01-01T00:00:00.000000Z"));
    assert_int_equal(lft_get(r, "done")->kind, LF_JSON_TRUE);
    assert_string_equal(lft_get_string(r, "done_reason"), reason);
    for (size_t i = 0; i < sizeof times / sizeof times[0]; i++) {
        assert_true(lft_get_int(r, times[i]) >= 0);
    }
    assert_true(lft_get_int(r, "prompt_eval_count") > 0);
}

static void test_chat(void **state)
{
    (void)state;
    const lf_json *r = lft_ask(&a, "/api/chat", "{" DEMO HELLO GREEDY ",\"stream\":false}", 200);
    check_end(r, "stop");
    assert_string_equal(lft_get_string(r, "message.role"), "assistant");
    const char *text = lft_get_string(r, "message.content");
    assert_true(strlen(text) > 0);
    /* Without "stream" the answer is a stream. */
    lft_exchange *e = lft_post(&a, "/api/chat", "{" DEMO HELLO GREEDY "}");
    const lf_json *line, *last = NULL;
    size_t at = 0;
    for (uint32_t i = 0; (line = lft_line(e, i)) != NULL; i++) {
        const lf_json *piece = lft_get(line, "message.content");
        assert_memory_equal(piece->text, text + at, piece->len);
        at += piece->len;
        last = line;
    }
    assert_int_equal(at, strlen(text));
    check_end(last, "stop");
    assert_int_equal(lft_get(lft_line(e, 0), "done")->kind, LF_JSON_FALSE);
    lft_exchange_free(e);
    r = lft_ask(&a, "/api/chat",
                "{" DEMO HELLO ",\"options\":{\"temperature\":0,\"num_predict\":2},\"stream\":"
                "false}",
                200);
    check_end(r, "length");
}

static void test_calls(void **state)
{
    (void)state;
    const lf_json *r =
        lft_ask(&a, "/api/chat", "{" DEMO QUESTION "," TOOLS GREEDY ",\"stream\":false}", 200);
    check_end(r, "stop");
    assert_string_equal(lft_get_string(r, "message.content"), "");
    assert_string_equal(lft_get_string(r, "message.tool_calls.0.function.name"), "get_weather");
    assert_string_equal(lft_get_string(r, "message.tool_calls.0.function.arguments.city"), "Paris");
    lft_exchange *e = lft_post(&a, "/api/chat", "{" DEMO QUESTION "," TOOLS GREEDY "}");
    const lf_json *line = lft_line(e, 0);
    assert_string_equal(lft_get_string(line, "message.tool_calls.0.function.name"), "get_weather");
    assert_int_equal(lft_get_int(line, "message.tool_calls.0.function.index"), 0);
    check_end(lft_line(e, 1), "stop");
    assert_null(lft_get(lft_line(e, 1), "message.tool_calls"));
    lft_exchange_free(e);
}

static void test_generate(void **state)
{
    (void)state;
    const lf_json *chat = lft_ask(&a, "/api/chat", "{" DEMO HELLO GREEDY ",\"stream\":false}", 200);
    const lf_json *r = lft_ask(&a, "/api/generate",
                               "{" DEMO "\"prompt\":\"Hello!\"" GREEDY ",\"stream\":false}", 200);
    check_end(r, "stop");
    assert_string_equal(lft_get_string(r, "response"), lft_get_string(chat, "message.content"));
    /* Raw text: the model goes on with it. */
    r = lft_ask(&a, "/api/generate",
                "{" DEMO "\"prompt\":\"Hello! I\",\"raw\":true" GREEDY ",\"stream\":false}", 200);
    assert_true(lft_get_int(r, "prompt_eval_count") < lft_get_int(chat, "prompt_eval_count"));
    lft_exchange *e =
        lft_post(&a, "/api/generate", "{" DEMO "\"prompt\":\"Hello! I\",\"raw\":true" GREEDY "}");
    const char *text = lft_get_string(r, "response");
    const lf_json *line;
    size_t at = 0;
    for (uint32_t i = 0; (line = lft_line(e, i)) != NULL; i++) {
        const lf_json *piece = lft_get(line, "response");
        assert_memory_equal(piece->text, text + at, piece->len);
        at += piece->len;
    }
    assert_int_equal(at, strlen(text));
    lft_exchange_free(e);
}

static void test_format(void **state)
{
    (void)state;
    const lf_json *r =
        lft_ask(&a, "/api/chat",
                "{" DEMO HELLO ",\"stream\":false,\"options\":{\"num_predict\":100},\"format\":{"
                "\"type\":\"object\",\"properties\":{\"a\":{\"type\":\"boolean\"}},\"required\":["
                "\"a\"],\"additionalProperties\":false}}",
                200);
    const char *text = lft_get_string(r, "message.content");
    assert_true(strcmp(text, "{\"a\": true}") == 0 || strcmp(text, "{\"a\": false}") == 0);
}

static void test_idle(void **state)
{
    (void)state;
    const lf_json *r = lft_ask(&a, "/api/chat", "{" DEMO "\"messages\":[],\"stream\":false}", 200);
    assert_string_equal(lft_get_string(r, "done_reason"), "load");
    lft_exchange *e = lft_post(&a, "/api/generate", "{\"model\":\"demo:latest\"}");
    assert_string_equal(lft_get_string(lft_line(e, 0), "done_reason"), "load");
    assert_null(lft_line(e, 1));
    lft_exchange_free(e);
}

static void test_alive(void **state)
{
    (void)state;
    lft_exchange *e = lft_send(&a, "POST", "/api/chat", "{" DEMO HELLO GREEDY "}");
    api_tick(a.api, 100);
    api_tick(a.api, 120);
    api_tick(a.api, 140);
    const lf_json *line = lft_line(e, 0);
    assert_string_equal(lft_get_string(line, "message.content"), "");
    assert_int_equal(lft_get(line, "done")->kind, LF_JSON_FALSE);
    lft_api_run(&a);
    lft_exchange_free(e);
}

static const lf_json *get(const char *path, lft_exchange **out)
{
    *out = lft_send(&a, "GET", path, "");
    assert_int_equal((*out)->status, 200);
    return lft_response(*out);
}

static void test_model(void **state)
{
    (void)state;
    lft_exchange *e;
    const lf_json *r = get("/api/tags", &e);
    assert_string_equal(lft_get_string(r, "models.0.name"), "demo");
    assert_int_equal(strlen(lft_get_string(r, "models.0.digest")), 64);
    assert_string_equal(lft_get_string(r, "models.0.details.quantization_level"), "Q4_0");
    lft_exchange_free(e);
    r = get("/api/ps", &e);
    assert_int_equal(lft_get_int(r, "models.0.context_length"), 2048);
    lft_exchange_free(e);
    r = get("/api/version", &e);
    assert_string_equal(lft_get_string(r, "lfm2_version"), lfm2_version());
    lft_exchange_free(e);
    r = lft_ask(&a, "/api/show", "{\"model\":\"demo\"}", 200);
    assert_string_equal(lft_get_string(r, "capabilities.1"), "tools");
    assert_non_null(strstr(lft_get_string(r, "template"), "im_start"));
    assert_non_null(lf_json_get(lft_get(r, "model_info"), "general.parameter_count"));
    r = lft_ask(&a, "/api/show", "{\"model\":\"other\"}", 404);
    assert_string_equal(lft_get_string(r, "error"), "model 'other' not found");
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
        cmocka_unit_test(test_chat),     cmocka_unit_test(test_calls),
        cmocka_unit_test(test_generate), cmocka_unit_test(test_format),
        cmocka_unit_test(test_idle),     cmocka_unit_test(test_alive),
        cmocka_unit_test(test_model),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
