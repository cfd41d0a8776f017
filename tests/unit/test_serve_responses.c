/* SPDX-License-Identifier: Apache-2.0 */
/* /v1/responses: objects and events, calls under the names of the client, stored responses. */
#include "serve/reply.h"
#include "serve/responses_store.h"
#include "support/apis.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static lft_api a;

#define PATH     "/v1/responses"
#define GREEDY   ",\"temperature\":0"
#define QUESTION "\"input\":\"What is the weather in Paris?\"" GREEDY
#define CITY                                                                                       \
    "{\"type\":\"object\",\"properties\":{\"city\":{\"type\":\"string\"}},\"required\":[\"city\"]" \
    "}"
#define WEATHER                                                                                    \
    "{\"type\":\"function\",\"name\":\"get_weather\",\"description\":\"Weather of a city\","       \
    "\"parameters\":" CITY "}"

static void test_whole(void **state)
{
    (void)state;
    const lf_json *r = lft_ask(&a, PATH,
                               "{\"model\":\"demo\",\"input\":\"Hello!\",\"metadata\":{\"k\":"
                               "\"v\"},\"max_output_tokens\":30" GREEDY "}",
                               200);
    static const char *const nulls[] = {"error", "incomplete_details", "instructions",
                                        "previous_response_id"};
    assert_memory_equal(lft_get_string(r, "id"), "resp_", 5);
    assert_string_equal(lft_get_string(r, "object"), "response");
    assert_string_equal(lft_get_string(r, "status"), "completed");
    assert_string_equal(lft_get_string(r, "model"), "demo");
    assert_true(lft_get_int(r, "completed_at") >= lft_get_int(r, "created_at"));
    for (size_t i = 0; i < sizeof nulls / sizeof nulls[0]; i++) {
        assert_int_equal(lft_get(r, nulls[i])->kind, LF_JSON_NULL);
    }
    assert_string_equal(lft_get_string(r, "tool_choice"), "auto");
    assert_int_equal(lft_get(r, "tools")->count, 0);
    assert_int_equal(lft_get(r, "parallel_tool_calls")->kind, LF_JSON_TRUE);
    assert_string_equal(lft_get_string(r, "metadata.k"), "v");
    assert_string_equal(lft_get_string(r, "text.format.type"), "text");
    assert_int_equal(lft_get(r, "output")->count, 1);
    assert_string_equal(lft_get_string(r, "output.0.type"), "message");
    assert_string_equal(lft_get_string(r, "output.0.role"), "assistant");
    assert_string_equal(lft_get_string(r, "output.0.status"), "completed");
    assert_string_equal(lft_get_string(r, "output.0.content.0.type"), "output_text");
    assert_true(strlen(lft_get_string(r, "output.0.content.0.text")) > 0);
    assert_int_equal(lft_get(r, "output.0.content.0.annotations")->count, 0);
    assert_int_equal(lft_get(r, "output.0.content.0.logprobs")->count, 0);
    assert_int_equal(lft_get_int(r, "usage.total_tokens"),
                     lft_get_int(r, "usage.input_tokens") + lft_get_int(r, "usage.output_tokens"));
    assert_true(lft_get_int(r, "usage.input_tokens_details.cached_tokens") >= 0);
    assert_int_equal(lft_get_int(r, "usage.output_tokens_details.reasoning_tokens"), 0);
}

static void test_incomplete(void **state)
{
    (void)state;
    const lf_json *r =
        lft_ask(&a, PATH, "{\"input\":\"Hello!\",\"max_output_tokens\":2" GREEDY "}", 200);
    assert_string_equal(lft_get_string(r, "status"), "incomplete");
    assert_string_equal(lft_get_string(r, "incomplete_details.reason"), "max_output_tokens");
    assert_string_equal(lft_get_string(r, "output.0.status"), "incomplete");
    assert_int_equal(lft_get_int(r, "usage.output_tokens"), 2);
}

/* Checks the names of the events, their numbers, and returns the last one. */
static const lf_json *check_events(lft_exchange *e, const char *const *names)
{
    const lf_json *last = NULL, *event;
    const char *name, *before = "";
    uint32_t n = 0;
    for (uint32_t i = 0; (event = lft_event(e, i, &name)) != NULL; i++) {
        assert_string_equal(lft_get_string(event, "type"), name);
        assert_int_equal(lft_get_int(event, "sequence_number"), i);
        bool again = strcmp(name, before) == 0 && strstr(name, ".delta") != NULL;
        if (!again) {
            assert_non_null(names[n]);
            assert_string_equal(name, names[n++]);
        }
        before = name;
        last = event;
    }
    assert_string_equal(name, "[DONE]");
    assert_null(names[n]);
    return last;
}

static void test_text_events(void **state)
{
    (void)state;
    static const char *const names[] = {"response.created",           "response.in_progress",
                                        "response.output_item.added", "response.content_part.added",
                                        "response.output_text.delta", "response.output_text.done",
                                        "response.content_part.done", "response.output_item.done",
                                        "response.completed",         NULL};
    const lf_json *whole = lft_ask(&a, PATH, "{\"input\":\"Hello!\"" GREEDY "}", 200);
    lft_exchange *e = lft_post(&a, PATH, "{\"input\":\"Hello!\",\"stream\":true" GREEDY "}");
    const lf_json *last = check_events(e, names);
    const char *text = lft_get_string(whole, "output.0.content.0.text");
    char *joined = lft_joined(e, "delta");
    assert_string_equal(joined, text);
    free(joined);
    assert_string_equal(lft_get_string(last, "response.output.0.content.0.text"), text);
    assert_string_equal(lft_get_string(last, "response.status"), "completed");
    const lf_json *created = lft_event(e, 0, NULL), *added = lft_event(e, 2, NULL);
    assert_string_equal(lft_get_string(created, "response.status"), "in_progress");
    assert_int_equal(lft_get(created, "response.usage")->kind, LF_JSON_NULL);
    assert_string_equal(lft_get_string(added, "item.id"),
                        lft_get_string(last, "response.output.0.id"));
    const lf_json *delta = lft_event(e, 4, NULL);
    assert_int_equal(lft_get(delta, "logprobs")->count, 0);
    assert_int_equal(lft_get_int(delta, "output_index"), 0);
    assert_int_equal(lft_get_int(delta, "content_index"), 0);
    lft_exchange_free(e);
}

static void test_call_events(void **state)
{
    (void)state;
    static const char *const names[] = {"response.created",
                                        "response.in_progress",
                                        "response.output_item.added",
                                        "response.function_call_arguments.delta",
                                        "response.function_call_arguments.done",
                                        "response.output_item.done",
                                        "response.completed",
                                        NULL};
    lft_exchange *e = lft_post(&a, PATH, "{" QUESTION ",\"tools\":[" WEATHER "],\"stream\":true}");
    const lf_json *last = check_events(e, names);
    const lf_json *added = lft_event(e, 2, NULL), *done = lft_event(e, 4, NULL);
    assert_string_equal(lft_get_string(added, "item.name"), "get_weather");
    assert_string_equal(lft_get_string(added, "item.arguments"), "");
    assert_string_equal(lft_get_string(added, "item.status"), "in_progress");
    assert_string_equal(lft_get_string(done, "name"), "get_weather");
    assert_string_equal(lft_get_string(done, "arguments"), "{\"city\": \"Paris\"}");
    assert_string_equal(lft_get_string(last, "response.output.0.arguments"),
                        "{\"city\": \"Paris\"}");
    assert_string_equal(lft_get_string(last, "response.output.0.call_id"),
                        lft_get_string(added, "item.call_id"));
    assert_string_equal(lft_get_string(last, "response.output.0.id"),
                        lft_get_string(done, "item_id"));
    assert_string_equal(lft_get_string(last, "response.tools.0.name"), "get_weather");
    assert_int_equal(lft_get(last, "response.tools.0.strict")->kind, LF_JSON_NULL);
    lft_exchange_free(e);
}

/* Calls have the names that the client knows. */
static void test_names(void **state)
{
    (void)state;
    const lf_json *r =
        lft_ask(&a, PATH,
                "{" QUESTION ",\"tool_choice\":\"required\",\"tools\":[{\"type\":"
                "\"namespace\",\"name\":\"mcp__w\",\"description\":\"\",\"tools\":[" WEATHER
                "]}],\"max_output_tokens\":100}",
                200);
    assert_string_equal(lft_get_string(r, "output.0.type"), "function_call");
    assert_string_equal(lft_get_string(r, "output.0.name"), "get_weather");
    assert_string_equal(lft_get_string(r, "output.0.namespace"), "mcp__w");
    lft_exchange *e = lft_post(&a, PATH,
                               "{" QUESTION ",\"tool_choice\":{\"type\":\"custom\",\"name\":"
                               "\"say\"},\"tools\":[{\"type\":\"custom\",\"name\":\"say\"}],"
                               "\"stream\":true,\"max_output_tokens\":200}");
    bool called = false;
    const lf_json *event;
    const char *name;
    for (uint32_t i = 0; (event = lft_event(e, i, &name)) != NULL; i++) {
        assert_null(strstr(name, "function_call"));
        if (strcmp(name, "response.custom_tool_call_input.done") == 0) {
            called = true;
            assert_non_null(lft_get_string(event, "input"));
        }
        if (strcmp(name, "response.output_item.done") == 0 && called) {
            assert_string_equal(lft_get_string(event, "item.type"), "custom_tool_call");
            assert_string_equal(lft_get_string(event, "item.name"), "say");
            assert_null(lft_get(event, "item.arguments"));
        }
    }
    char *delta = lft_joined(e, "delta");
    assert_null(strstr(delta, "{\"input\""));
    free(delta);
    lft_exchange_free(e);
}

/* A turn that refers to a stored response is the turn that sends everything again. */
static void test_previous(void **state)
{
    (void)state;
    char body[4096];
    const lf_json *first = lft_ask(
        &a, PATH, "{\"instructions\":\"Be brief.\"," QUESTION ",\"tools\":[" WEATHER "]}", 200);
    const char *id = lft_get_string(first, "id");
    const char *call = lft_get_string(first, "output.0.call_id");
    snprintf(
        body, sizeof body,
        "{\"instructions\":\"Be brief.\",\"input\":[{\"role\":\"user\",\"content\":\"What is "
        "the weather in Paris?\"},{\"type\":\"function_call\",\"call_id\":\"%s\",\"name\":"
        "\"get_weather\",\"arguments\":\"{\\\"city\\\": \\\"Paris\\\"}\"},{\"type\":"
        "\"function_call_output\",\"call_id\":\"%s\",\"output\":\"sunny\"}],\"tools\":[" WEATHER
        "]" GREEDY "}",
        call, call);
    const lf_json *whole = lft_ask(&a, PATH, body, 200);
    snprintf(body, sizeof body,
             "{\"instructions\":\"Be brief.\",\"previous_response_id\":\"%s\",\"input\":[{"
             "\"type\":\"function_call_output\",\"call_id\":\"%s\",\"output\":\"sunny\"}],"
             "\"tools\":[" WEATHER "]" GREEDY "}",
             id, call);
    const lf_json *chained = lft_ask(&a, PATH, body, 200);
    assert_string_equal(lft_get_string(chained, "previous_response_id"), id);
    assert_int_equal(lft_get_int(chained, "usage.input_tokens"),
                     lft_get_int(whole, "usage.input_tokens"));
    assert_string_equal(lft_get_string(chained, "output.0.content.0.text"),
                        lft_get_string(whole, "output.0.content.0.text"));
    /* The prompt before the output of the tool is in the cache. */
    assert_true(lft_get_int(whole, "usage.input_tokens_details.cached_tokens") >=
                lft_get_int(first, "usage.input_tokens"));
    /* An item of a stored response by its id. */
    snprintf(
        body, sizeof body,
        "{\"instructions\":\"Be brief.\",\"input\":[{\"role\":\"user\",\"content\":\"What is "
        "the weather in Paris?\"},{\"type\":\"item_reference\",\"id\":\"%s\"},{\"type\":"
        "\"function_call_output\",\"call_id\":\"%s\",\"output\":\"sunny\"}],\"tools\":[" WEATHER
        "]" GREEDY "}",
        lft_get_string(first, "output.0.id"), call);
    const lf_json *referred = lft_ask(&a, PATH, body, 200);
    assert_string_equal(lft_get_string(referred, "output.0.content.0.text"),
                        lft_get_string(whole, "output.0.content.0.text"));
}

static lft_exchange *send(const char *method, const char *id, uint64_t owner)
{
    char path[128];
    snprintf(path, sizeof path, PATH "/%s", id);
    lft_exchange *e = lft_exchange_new(method, path, "");
    e->x.owner = owner;
    api_handle(a.api, &e->x);
    assert_true(e->over);
    return e;
}

static void test_stored(void **state)
{
    (void)state;
    lft_exchange *made = lft_post(&a, PATH, "{\"input\":\"Hello!\"" GREEDY "}");
    const char *id = lft_get_string(lft_response(made), "id");
    static const struct {
        const char *method;
        uint64_t owner;
        int status;
    } steps[] = {{"GET", 0, 200},    {"GET", 7, 404}, {"DELETE", 7, 404}, {"GET", 0, 200},
                 {"DELETE", 0, 200}, {"GET", 0, 404}, {"DELETE", 0, 404}};
    for (size_t i = 0; i < sizeof steps / sizeof steps[0]; i++) {
        lft_exchange *e = send(steps[i].method, id, steps[i].owner);
        assert_int_equal(e->status, steps[i].status);
        if (i == 0) {
            assert_string_equal(e->text, made->text);
        }
        lft_exchange_free(e);
    }
    lft_exchange_free(made);
    made = lft_post(&a, PATH, "{\"input\":\"Hello!\",\"store\":false" GREEDY "}");
    lft_exchange *e = send("GET", lft_get_string(lft_response(made), "id"), 0);
    assert_int_equal(e->status, 404);
    lft_exchange_free(e);
    lft_exchange_free(made);
}

static void test_format(void **state)
{
    (void)state;
    const lf_json *r =
        lft_ask(&a, PATH,
                "{\"input\":\"Hello!\",\"max_output_tokens\":200,\"text\":{\"format\":{\"type\":"
                "\"json_schema\",\"name\":\"x\",\"strict\":true,\"schema\":{\"type\":\"object\","
                "\"properties\":{\"a\":{\"enum\":[1,2]}},\"required\":[\"a\"],"
                "\"additionalProperties\":false}}}}",
                200);
    const char *text = lft_get_string(r, "output.0.content.0.text");
    assert_true(strncmp(text, "{\"a\": ", 6) == 0 && (text[6] == '1' || text[6] == '2'));
    assert_int_equal(text[strlen(text) - 1], '}');
    assert_string_equal(lft_get_string(r, "text.format.name"), "x");
}

static void test_too_long(void **state)
{
    (void)state;
    static char body[20000];
    strcpy(body, "{\"input\":\"");
    for (int i = 0; i < 5000; i++) {
        strcat(body + 2 * i, "x ");
    }
    strcat(body, "\",\"stream\":true}");
    const lf_json *r = lft_ask(&a, PATH, body, 400);
    assert_string_equal(lft_get_string(r, "error.code"), "context_length_exceeded");
    assert_string_equal(lft_get_string(r, "error.param"), "input");
    assert_non_null(strstr(lft_get_string(r, "error.message"), "2048"));
}

/* A generation that fails after its first events. */
static void test_failed(void **state)
{
    (void)state;
    static const char *const names[] = {"response.created", "response.in_progress",
                                        "response.failed", NULL};
    lft_exchange *e = lft_send(&a, "POST", PATH, "{\"input\":\"Hello!\",\"stream\":true}");
    assert_true(e->begun);
    for (uint64_t id = 1; id < 1000; id++) { /* one of them is that of the request */
        LFT_OK(lfm2_engine_cancel(a.engine, id));
    }
    lft_api_run(&a);
    const lf_json *last = check_events(e, names);
    assert_string_equal(lft_get_string(last, "response.status"), "failed");
    assert_string_equal(lft_get_string(last, "response.error.code"), "server_error");
    assert_true(strlen(lft_get_string(last, "response.error.message")) > 0);
    lft_exchange_free(e);
}

static void test_gone(void **state)
{
    (void)state;
    lft_exchange *e = lft_send(&a, "POST", PATH, "{\"input\":\"Hello!\",\"stream\":true}");
    size_t len = e->len;
    e->x.gone(&e->x);
    lft_api_run(&a);
    assert_false(e->over);
    assert_int_equal(e->len, len);
    lft_exchange_free(e);
}

static void test_store_limits(void **state)
{
    (void)state;
    response_store s;
    char id[16], big[600];
    memset(big, 'x', sizeof big);
    response_store_init(&s, 4000);
    assert_false(response_store_add(&s, "big", 0, big, 4001, NULL, 0));
    for (int i = 0; i < 20; i++) {
        snprintf(id, sizeof id, "r%d", i);
        assert_true(response_store_add(&s, id, 1, big, 500, big, 100));
        assert_true(s.bytes <= 4000);
    }
    assert_null(response_store_find(&s, "r0", 1));
    assert_non_null(response_store_find(&s, "r19", 1));
    assert_null(response_store_find(&s, "r19", 2));
    assert_true(response_store_remove(&s, "r17", 1));
    assert_true(response_store_remove(&s, "r19", 1));
    assert_false(response_store_remove(&s, "r19", 1));
    assert_int_equal(response_store_find(&s, "r18", 1)->messages_len, 100);
    while (s.newest != NULL) {
        assert_true(response_store_remove(&s, s.newest->id, 1));
    }
    assert_int_equal(s.bytes, 0);
    assert_null(s.oldest);
    response_store_free(&s);
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
        cmocka_unit_test(test_whole),       cmocka_unit_test(test_incomplete),
        cmocka_unit_test(test_text_events), cmocka_unit_test(test_call_events),
        cmocka_unit_test(test_names),       cmocka_unit_test(test_previous),
        cmocka_unit_test(test_stored),      cmocka_unit_test(test_format),
        cmocka_unit_test(test_too_long),    cmocka_unit_test(test_failed),
        cmocka_unit_test(test_gone),        cmocka_unit_test(test_store_limits),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
