/* SPDX-License-Identifier: Apache-2.0 */
/* /v1/chat/completions: whole and streamed responses, tools, formats, log-probabilities, usage. */
#include "support/apis.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static lft_api a;

#define CHAT    "/v1/chat/completions"
#define HELLO   "\"messages\":[{\"role\":\"user\",\"content\":\"Hello!\"}]"
#define WEATHER "\"messages\":[{\"role\":\"user\",\"content\":\"What is the weather in Paris?\"}]"
#define TOOLS                                                                                      \
    "\"tools\":[{\"type\":\"function\",\"function\":{\"name\":\"get_weather\",\"description\":"    \
    "\"Weather of a "                                                                              \
    "city\",\"parameters\":{\"type\":\"object\",\"properties\":{\"city\":{\"type\":"               \
    "\"string\"}},\"required\":[\"city\"]}}},{\"type\":\"function\",\"function\":{\"name\":"       \
    "\"get_time\",\"parameters\":{\"type\":\"object\",\"properties\":{}}}}]"

static void test_whole(void **state)
{
    (void)state;
    const lf_json *r =
        lft_ask(&a, CHAT, "{\"model\":\"demo\"," HELLO ",\"max_tokens\":8,\"temperature\":0}", 200);
    assert_memory_equal(lft_get_string(r, "id"), "chatcmpl-", 9);
    assert_string_equal(lft_get_string(r, "object"), "chat.completion");
    assert_string_equal(lft_get_string(r, "model"), "demo");
    assert_memory_equal(lft_get_string(r, "system_fingerprint"), "fp_", 3);
    assert_string_equal(lft_get_string(r, "choices.0.message.role"), "assistant");
    assert_true(strlen(lft_get_string(r, "choices.0.message.content")) > 0);
    assert_int_equal(lft_get_int(r, "choices.0.index"), 0);
    assert_int_equal(lft_get(r, "choices.0.logprobs")->kind, LF_JSON_NULL);
    assert_null(lft_get(r, "choices.0.message.tool_calls"));
    int64_t n = lft_get_int(r, "usage.completion_tokens");
    assert_true(n > 0 && n <= 8);
    assert_string_equal(lft_get_string(r, "choices.0.finish_reason"), n == 8 ? "length" : "stop");
    assert_int_equal(lft_get_int(r, "usage.total_tokens"),
                     lft_get_int(r, "usage.prompt_tokens") + n);
}

/* A stream says the same as a whole response. */
static void test_stream(void **state)
{
    (void)state;
    const lf_json *r = lft_ask(&a, CHAT, "{" HELLO ",\"max_tokens\":20,\"temperature\":0}", 200);
    lft_exchange *e = lft_post(&a, CHAT,
                               "{" HELLO ",\"max_tokens\":20,\"temperature\":0,\"stream\":true,"
                               "\"stream_options\":{\"include_usage\":true}}");
    const char *name = NULL;
    const lf_json *first = lft_event(e, 0, &name);
    assert_string_equal(lft_get_string(first, "object"), "chat.completion.chunk");
    assert_string_equal(lft_get_string(first, "choices.0.delta.role"), "assistant");
    assert_string_equal(lft_get_string(first, "choices.0.delta.content"), "");
    assert_int_equal(lft_get(first, "usage")->kind, LF_JSON_NULL);
    char *text = lft_joined(e, "choices.0.delta.content");
    assert_string_equal(text, lft_get_string(r, "choices.0.message.content"));
    free(text);
    uint32_t n = 0;
    while (lft_event(e, n, &name) != NULL) {
        n++;
    }
    assert_string_equal(name, "[DONE]");
    const lf_json *usage = lft_event(e, n - 1, NULL), *last = lft_event(e, n - 2, NULL);
    assert_int_equal(lft_get(usage, "choices")->count, 0);
    assert_int_equal(lft_get_int(usage, "usage.completion_tokens"),
                     lft_get_int(r, "usage.completion_tokens"));
    assert_string_equal(lft_get_string(last, "choices.0.finish_reason"),
                        lft_get_string(r, "choices.0.finish_reason"));
    lft_exchange_free(e);
}

static void test_tool_call(void **state)
{
    (void)state;
    const lf_json *r = lft_ask(&a, CHAT, "{" WEATHER "," TOOLS ",\"temperature\":0}", 200);
    assert_string_equal(lft_get_string(r, "choices.0.finish_reason"), "tool_calls");
    assert_string_equal(lft_get_string(r, "choices.0.message.tool_calls.0.function.name"),
                        "get_weather");
    assert_string_equal(lft_get_string(r, "choices.0.message.tool_calls.0.type"), "function");
    assert_string_equal(lft_get_string(r, "choices.0.message.tool_calls.0.function.arguments"),
                        "{\"city\": \"Paris\"}");
    assert_memory_equal(lft_get_string(r, "choices.0.message.tool_calls.0.id"), "call_", 5);
    assert_int_equal(lft_get(r, "choices.0.message.content")->kind, LF_JSON_NULL);
}

/* The id and the name come once, the arguments in pieces. */
static void test_tool_stream(void **state)
{
    (void)state;
    lft_exchange *e =
        lft_post(&a, CHAT, "{" WEATHER "," TOOLS ",\"temperature\":0,\"stream\":true}");
    char *name = lft_joined(e, "choices.0.delta.tool_calls.0.function.name");
    char *arguments = lft_joined(e, "choices.0.delta.tool_calls.0.function.arguments");
    char *id = lft_joined(e, "choices.0.delta.tool_calls.0.id");
    char *finish = lft_joined(e, "choices.0.finish_reason");
    assert_string_equal(name, "get_weather");
    assert_string_equal(arguments, "{\"city\": \"Paris\"}");
    assert_int_equal(strlen(id), strlen("call_") + 16 + 1);
    assert_string_equal(finish, "tool_calls");
    free(name);
    free(arguments);
    free(id);
    free(finish);
    lft_exchange_free(e);
}

static void test_tool_choice(void **state)
{
    (void)state;
    const lf_json *r = lft_ask(
        &a, CHAT, "{" HELLO "," TOOLS ",\"tool_choice\":\"required\",\"max_tokens\":60}", 200);
    assert_true(lft_get(r, "choices.0.message.tool_calls.0") != NULL);
    r = lft_ask(&a, CHAT,
                "{" WEATHER "," TOOLS ",\"max_tokens\":60,\"tool_choice\":{\"type\":\"function\","
                "\"function\":{\"name\":\"get_time\"}},\"parallel_tool_calls\":false}",
                200);
    assert_string_equal(lft_get_string(r, "choices.0.message.tool_calls.0.function.name"),
                        "get_time");
    assert_null(lft_get(r, "choices.0.message.tool_calls.1"));
    r = lft_ask(&a, CHAT,
                "{" WEATHER "," TOOLS ",\"max_tokens\":30,\"tool_choice\":\"none\","
                "\"temperature\":0}",
                200);
    assert_null(lft_get(r, "choices.0.message.tool_calls"));
}

/* Each choice has calls with ids of its own. */
static void test_call_ids(void **state)
{
    (void)state;
    const lf_json *r = lft_ask(&a, CHAT,
                               "{" WEATHER "," TOOLS ",\"tool_choice\":\"required\",\"n\":3,"
                               "\"parallel_tool_calls\":false,\"temperature\":0}",
                               200);
    for (int i = 0; i < 3; i++) {
        for (int k = 0; k < i; k++) {
            char x[64], y[64];
            snprintf(x, sizeof x, "choices.%d.message.tool_calls.0.id", i);
            snprintf(y, sizeof y, "choices.%d.message.tool_calls.0.id", k);
            assert_string_not_equal(lft_get_string(r, x), lft_get_string(r, y));
        }
    }
}

/* Of all tools some are allowed. */
static void test_allowed_tools(void **state)
{
    (void)state;
    const lf_json *r =
        lft_ask(&a, CHAT,
                "{" WEATHER "," TOOLS ",\"max_tokens\":60,\"temperature\":0,\"tool_choice\":{"
                "\"type\":\"allowed_tools\",\"allowed_tools\":{\"mode\":\"required\",\"tools\":[{"
                "\"type\":\"function\",\"function\":{\"name\":\"get_time\"}}]}},"
                "\"parallel_tool_calls\":false}",
                200);
    assert_string_equal(lft_get_string(r, "choices.0.message.tool_calls.0.function.name"),
                        "get_time");
    r = lft_ask(&a, CHAT,
                "{" WEATHER "," TOOLS ",\"tool_choice\":{\"type\":\"allowed_tools\","
                "\"allowed_tools\":{\"mode\":\"auto\",\"tools\":[{\"type\":\"function\","
                "\"function\":{\"name\":\"other\"}}]}}}",
                400);
    assert_string_equal(lft_get_string(r, "error.param"),
                        "tool_choice.allowed_tools.tools[0].function.name");
}

/* An answer that ends inside a call: the stream has the beginning of the call, and no text. */
static void test_cut_call(void **state)
{
    (void)state;
    lft_exchange *e = lft_post(&a, CHAT,
                               "{" WEATHER "," TOOLS ",\"tool_choice\":\"required\",\"max_tokens\":"
                               "5,\"temperature\":0,\"stream\":true}");
    char *content = lft_joined(e, "choices.0.delta.content");
    char *finish = lft_joined(e, "choices.0.finish_reason");
    assert_string_equal(content, "");
    assert_string_equal(finish, "length");
    free(content);
    free(finish);
    lft_exchange_free(e);
}

static void test_formats(void **state)
{
    (void)state;
    const lf_json *r =
        lft_ask(&a, CHAT,
                "{" HELLO ",\"max_tokens\":200,\"response_format\":{\"type\":\"json_schema\","
                "\"json_schema\":{\"name\":\"x\",\"strict\":true,\"schema\":{\"type\":\"object\","
                "\"properties\":{\"a\":{\"enum\":[1,2]},\"b\":{\"type\":\"boolean\"}},"
                "\"required\":[\"a\",\"b\"],\"additionalProperties\":false}}}}",
                200);
    const char *text = lft_get_string(r, "choices.0.message.content");
    assert_true(strncmp(text, "{\"a\": 1, \"b\": ", 14) == 0 ||
                strncmp(text, "{\"a\": 2, \"b\": ", 14) == 0);
    assert_string_equal(lft_get_string(r, "choices.0.finish_reason"), "stop");
    r = lft_ask(&a, CHAT, "{" HELLO ",\"guided_choice\":[\"yes\",\"no\"]}", 200);
    text = lft_get_string(r, "choices.0.message.content");
    assert_true(strcmp(text, "yes") == 0 || strcmp(text, "no") == 0);
    r = lft_ask(&a, CHAT,
                "{" HELLO ",\"max_tokens\":3,\"response_format\":{\"type\":\"json_object\"}}", 200);
    assert_int_equal(lft_get_string(r, "choices.0.message.content")[0], '{');
}

/* With tools and a format, an answer calls a tool or has the format. */
static void test_tools_and_format(void **state)
{
    (void)state;
    static const char format[] =
        "\"response_format\":{\"type\":\"json_schema\",\"json_schema\":{\"name\":\"x\","
        "\"schema\":{\"type\":\"object\",\"properties\":{\"a\":{\"type\":\"boolean\"}},"
        "\"required\":[\"a\"],\"additionalProperties\":false}}}";
    char body[2048];
    const lf_json *ids = lft_ask(&a, "/v1/tokenize", "{\"content\":\"<|tool_call_start|>\"}", 200);
    for (int i = 0; i < 2; i++) {
        snprintf(body, sizeof body,
                 "{" WEATHER "," TOOLS ",%s,\"temperature\":0,\"max_tokens\":100,\"logit_bias\":{"
                 "\"%lld\":%d}}",
                 format, (long long)lft_get_int(ids, "tokens.0"), i == 0 ? 100 : -100);
        const lf_json *r = lft_ask(&a, CHAT, body, 200);
        const lf_json *content = lft_get(r, "choices.0.message.content");
        assert_int_equal(lft_get(r, "choices.0.message.tool_calls") != NULL, i == 0);
        if (i == 0) {
            assert_int_equal(content->kind, LF_JSON_NULL);
        } else {
            assert_memory_equal(content->text, "{\"a\": ", 6);
        }
    }
    snprintf(body, sizeof body, "{%s," TOOLS ",%s,\"tool_choice\":\"none\",\"max_tokens\":100}",
             WEATHER, format);
    const lf_json *r = lft_ask(&a, CHAT, body, 200);
    assert_memory_equal(lft_get_string(r, "choices.0.message.content"), "{\"a\": ", 6);
}

static void test_logprobs(void **state)
{
    (void)state;
    static const char *const bodies[] = {
        "{" HELLO ",\"max_tokens\":6,\"temperature\":0,\"logprobs\":true,\"top_logprobs\":3}",
        "{" WEATHER "," TOOLS ",\"temperature\":0,\"logprobs\":true,\"top_logprobs\":2}"};
    for (int i = 0; i < 2; i++) {
        const lf_json *r = lft_ask(&a, CHAT, bodies[i], 200);
        const lf_json *list = lft_get(r, "choices.0.logprobs.content");
        int64_t n = lft_get_int(r, "usage.completion_tokens");
        assert_int_equal(list->count, n);
        for (const lf_json *t = list->child; t != NULL; t = t->next) {
            double logprob = 1;
            assert_true(lf_json_double(lft_get(t, "logprob"), &logprob) && logprob <= 0);
            assert_true(lft_get(t, "bytes")->kind == LF_JSON_ARRAY);
            assert_true(lft_get(t, "top_logprobs")->count >= 1);
            assert_true(lft_get(t, "top_logprobs")->count <= 3);
        }
        /* The stream lists the same tokens. */
        char body[2048];
        snprintf(body, sizeof body, "%.*s,\"stream\":true}", (int)strlen(bodies[i]) - 1, bodies[i]);
        lft_exchange *e = lft_post(&a, CHAT, body);
        uint32_t seen = 0;
        const lf_json *event;
        for (uint32_t k = 0; (event = lft_event(e, k, NULL)) != NULL; k++) {
            const lf_json *part = lft_get(event, "choices.0.logprobs.content");
            for (const lf_json *t = part != NULL ? part->child : NULL; t != NULL; t = t->next) {
                char path[32];
                snprintf(path, sizeof path, "%u.token", seen++);
                assert_string_equal(lft_get_string(t, "token"), lft_get_string(list, path));
            }
        }
        assert_int_equal(seen, n);
        lft_exchange_free(e);
    }
}

static void test_choices(void **state)
{
    (void)state;
    const lf_json *r = lft_ask(
        &a, CHAT, "{" HELLO ",\"n\":3,\"max_tokens\":8,\"temperature\":1.5,\"seed\":7}", 200);
    assert_int_equal(lft_get(r, "choices")->count, 3);
    assert_int_equal(lft_get_int(r, "choices.2.index"), 2);
    /* Choice i is that of the seed + i. */
    const lf_json *one =
        lft_ask(&a, CHAT, "{" HELLO ",\"max_tokens\":8,\"temperature\":1.5,\"seed\":9}", 200);
    assert_string_equal(lft_get_string(r, "choices.2.message.content"),
                        lft_get_string(one, "choices.0.message.content"));
}

static void test_stop(void **state)
{
    (void)state;
    const lf_json *r = lft_ask(&a, CHAT, "{" HELLO ",\"max_tokens\":20,\"temperature\":0}", 200);
    const char *text = lft_get_string(r, "choices.0.message.content");
    char body[512];
    assert_true(strlen(text) > 6);
    snprintf(body, sizeof body,
             "{" HELLO ",\"max_tokens\":20,\"temperature\":0,\"stop\":[\"qqq\",\"%.2s\"]}",
             text + 3);
    const lf_json *cut = lft_ask(&a, CHAT, body, 200);
    const char *before = lft_get_string(cut, "choices.0.message.content");
    assert_true(strlen(before) <= 3 && strncmp(before, text, strlen(before)) == 0);
    assert_string_equal(lft_get_string(cut, "choices.0.finish_reason"), "stop");
}

/* The second request with the same prompt reads it from the cache, with the same text. */
static void test_cached(void **state)
{
    (void)state;
    static const char body[] =
        "{\"messages\":[{\"role\":\"user\",\"content\":\"Please tell me something about the sea "
        "and "
        "its colours, in a few words or more, as you like, but not about the mountains, which I "
        "have seen so often that I know all of their paths and their huts and their goats.\"}],"
        "\"max_tokens\":12,\"temperature\":0.7,\"seed\":5}";
    const lf_json *x = lft_ask(&a, CHAT, body, 200);
    const lf_json *y = lft_ask(&a, CHAT, body, 200);
    int64_t n = lft_get_int(y, "usage.prompt_tokens");
    assert_true(lft_get_int(y, "usage.prompt_tokens_details.cached_tokens") >= n - 1);
    assert_string_equal(lft_get_string(x, "choices.0.message.content"),
                        lft_get_string(y, "choices.0.message.content"));
}

/* A cached prompt is found by requests of its scope only. */
static void test_scopes(void **state)
{
    (void)state;
    static const char body[] =
        "{\"messages\":[{\"role\":\"user\",\"content\":\"The rain in Spain stays mainly in the "
        "plain, and nobody knows why.\"}],\"max_tokens\":2}";
    static const uint64_t scopes[] = {11, 12, 11};
    for (int i = 0; i < 3; i++) {
        lft_exchange *e = lft_exchange_new("POST", CHAT, body);
        e->x.cache_scope = scopes[i];
        api_handle(a.api, &e->x);
        lft_api_run(&a);
        int64_t n = lft_get_int(lft_response(e), "usage.prompt_tokens_details.cached_tokens");
        assert_int_equal(n > 0, i == 2);
        assert_int_equal(e->x.log.cached_tokens, n);
        lft_exchange_free(e);
    }
}

/* Requests that run together have the texts that they have alone. */
static void test_together(void **state)
{
    (void)state;
    enum { N = 6 };
    lft_exchange *e[N];
    char body[N][512];
    for (int i = 0; i < N; i++) {
        snprintf(body[i], sizeof body[i],
                 "{\"messages\":[{\"role\":\"user\",\"content\":\"Number %d\"}],\"max_tokens\":15,"
                 "\"temperature\":1,\"seed\":%d}",
                 i * 7, i);
        e[i] = lft_send(&a, "POST", CHAT, body[i]);
    }
    lft_api_run(&a);
    for (int i = N - 1; i >= 0; i--) {
        const lf_json *alone = lft_ask(&a, CHAT, body[i], 200);
        assert_string_equal(lft_get_string(lft_response(e[i]), "choices.0.message.content"),
                            lft_get_string(alone, "choices.0.message.content"));
        lft_exchange_free(e[i]);
    }
}

static void test_bias(void **state)
{
    (void)state;
    const lf_json *r = lft_ask(&a, CHAT, "{" HELLO ",\"max_tokens\":1,\"temperature\":0}", 200);
    const lf_json *tokens = lft_ask(&a, "/v1/tokenize", "{\"content\":\"Paris\"}", 200);
    char body[256];
    snprintf(body, sizeof body,
             "{" HELLO ",\"max_tokens\":1,\"temperature\":0,\"logit_bias\":{\"%lld\":100}}",
             (long long)lft_get_int(tokens, "tokens.0"));
    const lf_json *biased = lft_ask(&a, CHAT, body, 200);
    assert_string_not_equal(lft_get_string(r, "choices.0.message.content"),
                            lft_get_string(biased, "choices.0.message.content"));
    snprintf(body, sizeof body,
             "{" HELLO ",\"max_tokens\":1,\"temperature\":0,\"logit_bias\":[[%lld,100],[5,false]]}",
             (long long)lft_get_int(tokens, "tokens.0"));
    const lf_json *pairs = lft_ask(&a, CHAT, body, 200);
    assert_string_equal(lft_get_string(pairs, "choices.0.message.content"),
                        lft_get_string(biased, "choices.0.message.content"));
}

static void test_continue(void **state)
{
    (void)state;
    const lf_json *r =
        lft_ask(&a, "/v1/render",
                "{\"messages\":[{\"role\":\"user\",\"content\":\"Hi\"},{\"role\":\"assistant\","
                "\"content\":\"The answer is\"}],\"continue_final_message\":true}",
                200);
    const char *text = lft_get_string(r, "prompt");
    static const char tail[] = "assistant\nThe answer is";
    assert_true(strlen(text) > sizeof tail);
    assert_string_equal(text + strlen(text) - (sizeof tail - 1), tail);
}

/* What is not finished at its deadline is as if it had reached its limit. */
static void test_deadline(void **state)
{
    (void)state;
    const lf_json *r =
        lft_ask(&a, CHAT, "{" HELLO ",\"ignore_eos\":true,\"deadline_ms\":1,\"priority\":3}", 200);
    assert_string_equal(lft_get_string(r, "choices.0.finish_reason"), "length");
    assert_true(lft_get_int(r, "usage.completion_tokens") < 2000);
}

/* A client that leaves ends the work; nothing is written afterwards. */
static void test_gone(void **state)
{
    (void)state;
    lft_exchange *e = lft_send(
        &a, "POST", CHAT, "{" HELLO ",\"max_tokens\":500,\"ignore_eos\":true,\"stream\":true}");
    LFT_OK(lfm2_engine_step(a.engine, NULL));
    api_events(a.api);
    assert_int_equal(api_active(a.api), 1);
    assert_non_null(e->x.gone);
    e->x.gone(&e->x);
    size_t len = e->len;
    assert_int_equal(api_active(a.api), 0);
    lft_exchange_free(e);
    (void)len;
    uint32_t left = 1;
    for (int i = 0; i < 3 && left > 0; i++) {
        LFT_OK(lfm2_engine_step(a.engine, &left));
        api_events(a.api);
    }
    assert_int_equal(left, 0);
}

/* A stream without output gets a comment after some seconds. */
static void test_alive(void **state)
{
    (void)state;
    lft_exchange *e = lft_send(&a, "POST", CHAT, "{" HELLO ",\"max_tokens\":2,\"stream\":true}");
    size_t len = e->len;
    api_tick(a.api, 100);
    api_tick(a.api, 104);
    assert_int_equal(e->len, len);
    api_tick(a.api, 106);
    assert_true(e->len > len && e->text[len] == ':');
    len = e->len;
    api_tick(a.api, 108);
    assert_int_equal(e->len, len);
    api_tick(a.api, 111);
    assert_true(e->len > len);
    lft_api_run(&a);
    assert_true(e->over);
    lft_exchange_free(e);
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
        cmocka_unit_test(test_whole),         cmocka_unit_test(test_stream),
        cmocka_unit_test(test_tool_call),     cmocka_unit_test(test_tool_stream),
        cmocka_unit_test(test_tool_choice),   cmocka_unit_test(test_call_ids),
        cmocka_unit_test(test_allowed_tools), cmocka_unit_test(test_cut_call),
        cmocka_unit_test(test_formats),       cmocka_unit_test(test_tools_and_format),
        cmocka_unit_test(test_logprobs),      cmocka_unit_test(test_choices),
        cmocka_unit_test(test_stop),          cmocka_unit_test(test_cached),
        cmocka_unit_test(test_scopes),        cmocka_unit_test(test_together),
        cmocka_unit_test(test_bias),          cmocka_unit_test(test_continue),
        cmocka_unit_test(test_deadline),      cmocka_unit_test(test_gone),
        cmocka_unit_test(test_alive),
    };
    return cmocka_run_group_tests(tests, open_api, close_api);
}
