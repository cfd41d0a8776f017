/* SPDX-License-Identifier: Apache-2.0 */
/* Requests to OpenAI's endpoints that are refused: the status, the field that is named, the code;
 * and fields that are ignored. */
#include "support/apis.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static lft_api a;

#define CHAT "/v1/chat/completions"
#define M    "\"messages\":[{\"role\":\"user\",\"content\":\"Hi\"}]"
#define TOOL(name)                                                                                 \
    "{\"type\":\"function\",\"function\":{\"name\":\"" name                                        \
    "\",\"parameters\":{\"type\":\"object\",\"properties\":{}}}}"

typedef struct refusal {
    const char *body, *param; /* param NULL = null */
} refusal;

static const refusal chat_refusals[] = {
    {"", NULL},
    {"[]", NULL},
    {"{\"messages\":", NULL},
    {"{\"messages\":[],\"messages\":[]}", NULL},
    {"{}", "messages"},
    {"{\"messages\":null}", "messages"},
    {"{\"messages\":{}}", "messages"},
    {"{\"messages\":\"Hi\"}", "messages"},
    {"{\"messages\":[]}", "messages"},
    {"{\"messages\":[1]}", "messages[0]"},
    {"{\"messages\":[{}]}", "messages[0].role"},
    {"{\"messages\":[{\"role\":\"robot\",\"content\":\"x\"}]}", "messages[0].role"},
    {"{\"messages\":[{\"role\":1,\"content\":\"x\"}]}", "messages[0].role"},
    {"{\"messages\":[{\"role\":\"user\"}]}", "messages[0].content"},
    {"{\"messages\":[{\"role\":\"user\",\"content\":5}]}", "messages[0].content"},
    {"{\"messages\":[{\"role\":\"user\",\"content\":[5]}]}", "messages[0].content[0]"},
    {"{\"messages\":[{\"role\":\"user\",\"content\":[{}]}]}", "messages[0].content[0].type"},
    {"{\"messages\":[{\"role\":\"user\",\"content\":[{\"type\":\"image_url\",\"image_url\":{"
     "\"url\":\"data:,\"}}]}]}",
     "messages[0].content[0].type"},
    {"{\"messages\":[{\"role\":\"user\",\"content\":[{\"type\":\"input_audio\"}]}]}",
     "messages[0].content[0].type"},
    {"{\"messages\":[{\"role\":\"user\",\"content\":[{\"type\":\"text\"}]}]}",
     "messages[0].content[0].text"},
    {"{\"messages\":[{\"role\":\"assistant\",\"tool_calls\":[{}]}]}",
     "messages[0].tool_calls[0].function"},
    {"{\"messages\":[{\"role\":\"assistant\",\"tool_calls\":[{\"id\":\"a\",\"function\":{}}]}]}",
     "messages[0].tool_calls[0].function.name"},
    {"{\"messages\":[{\"role\":\"assistant\",\"tool_calls\":{}}]}", "messages[0].tool_calls"},
    {"{\"messages\":[{\"role\":\"assistant\",\"function_call\":{}}]}", "messages[0].function_call"},
    {"{" M ",\"temperature\":\"warm\"}", "temperature"},
    {"{" M ",\"temperature\":-1}", "temperature"},
    {"{" M ",\"top_p\":1.5}", "top_p"},
    {"{" M ",\"n\":0}", "n"},
    {"{" M ",\"n\":1.5}", "n"},
    {"{" M ",\"n\":100000}", "n"},
    {"{" M ",\"max_tokens\":0}", "max_tokens"},
    {"{" M ",\"max_tokens\":\"5\"}", "max_tokens"},
    {"{" M ",\"max_completion_tokens\":-2}", "max_completion_tokens"},
    {"{" M ",\"stream\":\"yes\"}", "stream"},
    {"{" M ",\"stream_options\":5}", "stream_options"},
    {"{" M ",\"stream_options\":{\"include_usage\":5}}", "stream_options.include_usage"},
    {"{" M ",\"stop\":5}", "stop"},
    {"{" M ",\"stop\":[\"a\",5]}", "stop"},
    {"{" M ",\"stop\":\"\"}", "stop"},
    {"{" M ",\"seed\":\"x\"}", "seed"},
    {"{" M ",\"logit_bias\":5}", "logit_bias"},
    {"{" M ",\"logit_bias\":[5]}", "logit_bias"},
    {"{" M ",\"logit_bias\":[[5]]}", "logit_bias"},
    {"{" M ",\"logit_bias\":[[5,\"x\"]]}", "logit_bias"},
    {"{" M ",\"logit_bias\":{\"\":1}}", "logit_bias"},
    {"{" M ",\"logit_bias\":{\"x\":1}}", "logit_bias"},
    {"{" M ",\"logit_bias\":{\"99999999\":1}}", "logit_bias"},
    {"{" M ",\"logit_bias\":{\"5\":101}}", "logit_bias"},
    {"{" M ",\"logprobs\":3}", "logprobs"},
    {"{" M ",\"top_logprobs\":3}", "top_logprobs"},
    {"{" M ",\"logprobs\":true,\"top_logprobs\":21}", "top_logprobs"},
    {"{" M ",\"response_format\":\"json\"}", "response_format"},
    {"{" M ",\"response_format\":{}}", "response_format.type"},
    {"{" M ",\"response_format\":{\"type\":\"xml\"}}", "response_format.type"},
    {"{" M ",\"response_format\":{\"type\":\"json_schema\"}}", "response_format.json_schema"},
    {"{" M ",\"response_format\":{\"type\":\"json_schema\",\"json_schema\":{\"name\":\"x\","
     "\"schema\":5}}}",
     "response_format.json_schema.schema"},
    {"{" M ",\"response_format\":{\"type\":\"json_schema\",\"json_schema\":{\"name\":\"x\","
     "\"strict\":true,\"schema\":{\"type\":\"object\",\"properties\":{\"a\":{\"pattern\":"
     "\"(?=x)\"}}}}}}",
     "response_format.json_schema.schema"},
    {"{" M ",\"response_format\":{\"type\":\"json_schema\",\"json_schema\":{\"name\":\"x\","
     "\"schema\":{\"type\":\"elephant\"}}}}",
     "response_format.json_schema.schema"},
    {"{" M ",\"guided_regex\":\"(\"}", "guided_regex"},
    {"{" M ",\"grammar\":\"root ::= (\"}", "grammar"},
    {"{" M ",\"guided_choice\":[]}", "guided_choice"},
    {"{" M ",\"tools\":5}", "tools"},
    {"{" M ",\"tools\":[{}]}", "tools[0].type"},
    {"{" M ",\"tools\":[{\"type\":\"web_search\"}]}", "tools[0].type"},
    {"{" M ",\"tools\":[{\"type\":\"function\"}]}", "tools[0].function"},
    {"{" M ",\"tools\":[{\"type\":\"function\",\"function\":{}}]}", "tools[0].function.name"},
    {"{" M ",\"tools\":[{\"type\":\"function\",\"function\":{\"name\":\"f\",\"parameters\":5}}]}",
     "tools[0].function.parameters"},
    {"{" M ",\"tools\":[" TOOL("f") "," TOOL("f") "]}", "tools"},
    {"{" M ",\"tools\":[" TOOL("a b") "]}", "tools"},
    {"{" M ",\"tool_choice\":\"required\"}", "tool_choice"},
    {"{" M ",\"tool_choice\":\"maybe\"}", "tool_choice"},
    {"{" M ",\"tool_choice\":5}", "tool_choice"},
    {"{" M ",\"tools\":[" TOOL("f") "],\"tool_choice\":{\"type\":\"function\",\"function\":{"
                                    "\"name\":\"g\"}}}",
     "tool_choice.function.name"},
    {"{" M ",\"tools\":[" TOOL("f") "],\"tool_choice\":{\"type\":\"function\"}}",
     "tool_choice.function"},
    {"{" M ",\"parallel_tool_calls\":5}", "parallel_tool_calls"},
    {"{" M ",\"functions\":[]}", "functions"},
    {"{" M ",\"function_call\":\"auto\"}", "function_call"},
    {"{" M ",\"modalities\":[\"text\",\"audio\"]}", "modalities"},
    {"{" M ",\"audio\":{\"voice\":\"x\"}}", "audio"},
    {"{" M ",\"web_search_options\":{}}", "web_search_options"},
    {"{" M ",\"prediction\":{\"type\":\"content\"}}", "prediction.content"},
    {"{" M ",\"reasoning_effort\":\"some\"}", "reasoning_effort"},
    {"{" M ",\"chat_template_kwargs\":5}", "chat_template_kwargs"},
    {"{" M ",\"chat_template_kwargs\":{\"messages\":5}}", "chat_template_kwargs"},
    {"{" M ",\"session\":\"../x\"}", "session"},
    {"{" M ",\"session\":\"a\",\"n\":2}", "n"},
    {"{" M ",\"continue_final_message\":true}", "continue_final_message"},
    {"{" M ",\"model\":5}", "model"},
};

static const refusal text_refusals[] = {
    {"{}", "prompt"},
    {"{\"prompt\":5}", "prompt"},
    {"{\"prompt\":[]}", "prompt"},
    {"{\"prompt\":[5,\"x\"]}", "prompt"},
    {"{\"prompt\":[[]]}", "prompt"},
    {"{\"prompt\":[-1]}", "prompt"},
    {"{\"prompt\":[99999999]}", "prompt"},
    {"{\"prompt\":[[1],[1.5]]}", "prompt"},
    {"{\"prompt\":\"x\",\"best_of\":2}", "best_of"},
    {"{\"prompt\":\"x\",\"suffix\":\"y\"}", "suffix"},
    {"{\"prompt\":\"x\",\"echo\":true,\"logprobs\":1}", "echo"},
    {"{\"prompt\":\"x\",\"logprobs\":true}", "logprobs"},
    {"{\"prompt\":[\"x\",\"y\"],\"n\":100}", "n"},
    {"{\"prompt\":[\"x\",\"y\"],\"session\":\"s\"}", "prompt"},
};

static void check_refusals(const char *path, const refusal *all, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        const lf_json *r = lft_ask(&a, path, all[i].body, 400);
        assert_string_equal(lft_get_string(r, "error.type"), "invalid_request_error");
        assert_true(strlen(lft_get_string(r, "error.message")) > 0);
        const lf_json *param = lft_get(r, "error.param");
        if (all[i].param == NULL) {
            assert_int_equal(param->kind, LF_JSON_NULL);
        } else if (!lf_json_is_string(param, all[i].param)) {
            fail_msg("%s: %s, not %s", all[i].body, param->text, all[i].param);
        }
        assert_non_null(lft_get(r, "error.code"));
    }
}

static void test_chat_refused(void **state)
{
    (void)state;
    check_refusals(CHAT, chat_refusals, sizeof chat_refusals / sizeof chat_refusals[0]);
}

static void test_text_refused(void **state)
{
    (void)state;
    check_refusals("/v1/completions", text_refusals,
                   sizeof text_refusals / sizeof text_refusals[0]);
}

/* Fields that mean nothing here, and null for each field. */
static void test_ignored(void **state)
{
    (void)state;
    (void)lft_ask(&a, CHAT,
                  "{" M ",\"max_tokens\":1,\"service_tier\":\"auto\",\"user\":\"u\",\"metadata\":{"
                  "\"a\":\"b\"},\"store\":true,\"verbosity\":\"low\",\"prompt_cache_key\":\"k\","
                  "\"safety_identifier\":\"s\",\"nonsense\":[{}],\"modalities\":[\"text\"],"
                  "\"tools\":[],\"tool_choice\":\"auto\",\"stream_options\":{\"include_usage\":"
                  "true}}",
                  200);
    (void)lft_ask(&a, CHAT,
                  "{" M ",\"max_tokens\":1,\"temperature\":null,\"stop\":null,\"tools\":null,"
                  "\"tool_choice\":null,\"response_format\":null,\"logprobs\":null,\"n\":null,"
                  "\"seed\":null,\"stream\":null,\"logit_bias\":null,\"top_logprobs\":null,"
                  "\"model\":null,\"stream_options\":null,\"reasoning_effort\":null}",
                  200);
}

static void test_model(void **state)
{
    (void)state;
    const lf_json *r = lft_ask(&a, CHAT, "{" M ",\"model\":\"gpt-4\"}", 404);
    assert_string_equal(lft_get_string(r, "error.code"), "model_not_found");
    assert_string_equal(lft_get_string(r, "error.param"), "model");
    lft_exchange *e = lft_send(&a, "GET", "/v1/models", "");
    r = lft_response(e);
    assert_string_equal(lft_get_string(r, "object"), "list");
    assert_string_equal(lft_get_string(r, "data.0.id"), "demo");
    assert_string_equal(lft_get_string(r, "data.0.owned_by"), "lfm2");
    assert_true(lft_get_int(r, "data.0.created") > 1500000000);
    /* What Anthropic's clients need. */
    assert_string_equal(lft_get_string(r, "data.0.type"), "model");
    assert_int_equal(strlen(lft_get_string(r, "data.0.created_at")), 20);
    assert_string_equal(lft_get_string(r, "last_id"), "demo");
    lft_exchange_free(e);
    e = lft_send(&a, "GET", "/v1/models/demo", "");
    assert_int_equal(e->status, 200);
    lft_exchange_free(e);
    e = lft_send(&a, "GET", "/v1/models/other", "");
    assert_int_equal(e->status, 404);
    lft_exchange_free(e);
    e = lft_send(&a, "GET", CHAT, "");
    assert_int_equal(e->status, 405);
    lft_exchange_free(e);
    e = lft_send(&a, "GET", "/v1/nothing", "");
    assert_int_equal(e->status, 404);
    lft_exchange_free(e);
}

/* A prompt that is too long is an error with both numbers, and is never cut. One that is far too
 * long is not tokenized as a whole. */
static void test_context(void **state)
{
    (void)state;
    static const size_t sizes[] = {20000, 400000};
    for (size_t k = 0; k < 2; k++) {
        size_t n = sizes[k];
        char *body = malloc(n + 200);
        assert_non_null(body);
        for (int chat = 0; chat < 2; chat++) {
            char *at =
                body + sprintf(body, chat ? "{\"messages\":[{\"role\":\"user\",\"content\":\""
                                          : "{\"prompt\":\"");
            memset(at, 'x', n);
            for (size_t i = 1; i < n; i += 2) {
                at[i] = ' ';
            }
            strcpy(at + n, chat ? "\"}]}" : "\"}");
            const lf_json *r = lft_ask(&a, chat ? CHAT : "/v1/completions", body, 400);
            assert_string_equal(lft_get_string(r, "error.code"), "context_length_exceeded");
            assert_string_equal(lft_get_string(r, "error.param"), chat ? "messages" : "prompt");
            const char *message = lft_get_string(r, "error.message");
            assert_non_null(strstr(message, "2048"));
            assert_int_equal(strstr(message, "more than") != NULL, k == 1);
        }
        free(body);
    }
}

static void test_queue(void **state)
{
    (void)state;
    enum { N = 4 };
    lft_exchange *e[N];
    lfm2_engine_options o;
    lfm2_engine_options_init(&o, sizeof o);
    o.max_queue = 2;
    o.max_running = 1;
    lft_api small = lft_api_open(NULL, NULL, &o);
    uint32_t n_refused = 0;
    for (int i = 0; i < N; i++) {
        e[i] = lft_send(&small, "POST", CHAT, "{" M ",\"max_tokens\":2}");
        if (e[i]->over) {
            n_refused++;
            assert_int_equal(e[i]->status, 429);
            assert_non_null(strstr(e[i]->headers, "Retry-After: "));
        }
    }
    assert_int_equal(n_refused, 2);
    lft_api_run(&small);
    for (int i = 0; i < N; i++) {
        assert_true(e[i]->over);
        lft_exchange_free(e[i]);
    }
    lft_api_close(&small);
}

/* ---- Texts that are made to harm ---- */

static void expect_bad(const char *body, size_t len)
{
    static const char *const paths[] = {CHAT, "/v1/completions", "/v1/tokenize", "/v1/render"};
    for (size_t i = 0; i < sizeof paths / sizeof paths[0]; i++) {
        lft_exchange *e = lft_exchange_new_bytes("POST", paths[i], body, len);
        api_handle(a.api, &e->x);
        assert_true(e->over);
        assert_int_equal(e->status, 400);
        lft_exchange_free(e);
    }
}

static void test_hostile(void **state)
{
    (void)state;
    size_t n = 100000;
    char *deep = malloc(n + 1);
    assert_non_null(deep);
    memset(deep, '[', n);
    expect_bad(deep, n);
    for (size_t i = 0; i + 5 <= n; i += 5) {
        memcpy(deep + i, "{\"a\":", 5);
    }
    expect_bad(deep, n);
    free(deep);
    size_t big = lft_sampled() ? 1 << 20 : 8 << 20;
    char *numbers = malloc(big);
    assert_non_null(numbers);
    for (size_t i = 0; i + 1 < big; i += 2) {
        memcpy(numbers + i, "1,", 2);
    }
    static const char head[] = "{\"prompt\":[", tail[] = "1]}";
    memcpy(numbers, head, sizeof head - 1);
    memcpy(numbers + big - (sizeof tail - 1) - 1, tail, sizeof tail - 1);
    expect_bad(numbers, big - 1);
    free(numbers);
    static const char zero[] = "{\"messages\":[{\"role\":\"user\\u0000\",\"content\":\"x\"}]}";
    expect_bad(zero, sizeof zero - 1);
    static const char bad_utf8[] = "{\"messages\":[{\"role\":\"user\",\"content\":\"\xff\"}]}";
    expect_bad(bad_utf8, sizeof bad_utf8 - 1);
}

/* The memory of a request is in proportion to its body. */
static void test_memory(void **state)
{
    (void)state;
    static const char message[] =
        "{\"role\":\"user\",\"content\":[{\"type\":\"text\",\"text\":\"a b\"}]},";
    size_t n = 5000, len = sizeof message - 1;
    char *body = malloc(n * len + 64);
    assert_non_null(body);
    size_t at = (size_t)sprintf(body, "{\"messages\":[");
    for (size_t i = 0; i < n; i++, at += len) {
        memcpy(body + at, message, len);
    }
    at += (size_t)sprintf(body + at - 1, "]}") - 1;
    lft_exchange *e = lft_exchange_new_bytes("POST", CHAT, body, at);
    api_handle(a.api, &e->x);
    assert_true(e->over && e->status == 400); /* too long */
    assert_true(e->arena.total < 64 * at);
    lft_exchange_free(e);
    free(body);
}

static int open_api(void **state)
{
    (void)state;
    a = lft_api_open(NULL, NULL, NULL);
    return 0;
}

static int close_api(void **state)
{
    (void)state;
    lft_api_close(&a);
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_chat_refused), cmocka_unit_test(test_text_refused),
        cmocka_unit_test(test_ignored),      cmocka_unit_test(test_model),
        cmocka_unit_test(test_context),      cmocka_unit_test(test_queue),
        cmocka_unit_test(test_hostile),      cmocka_unit_test(test_memory),
    };
    return cmocka_run_group_tests(tests, open_api, close_api);
}
