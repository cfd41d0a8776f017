/* SPDX-License-Identifier: Apache-2.0 */
/* An agent that sends its answers back as JSON: the next prompt begins with the tokens that the
 * model wrote, so that nearly all of it is in the cache. */
#include "serve/json_out.h"
#include "serve/replay.h"
#include "support/apis.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define CHAT "/v1/chat/completions"

static lft_api a;

static const char tools[] =
    "[{\"type\":\"function\",\"function\":{\"name\":\"get_weather\",\"description\":\"Weather\","
    "\"parameters\":{\"type\":\"object\",\"properties\":{\"city\":{\"type\":\"string\","
    "\"maxLength\":40},\"note\":{"
    "\"type\":\"string\",\"maxLength\":40},\"days\":{\"enum\":[1,2]}},\"required\":[\"city\","
    "\"note\"]}}}]";

/* The state of an agent: its messages as JSON, without the closing bracket. */
typedef struct agent {
    json_out messages;
    uint64_t computed, prompt; /* tokens, of all turns after the first */
    int turns;
    bool rewrite; /* send the answers back with other arguments */
} agent;

static void add_message(agent *g, const char *role, const char *content, const char *id)
{
    out_object(&g->messages, NULL);
    out_string(&g->messages, "role", role);
    out_string(&g->messages, "content", content);
    if (id != NULL) {
        out_string(&g->messages, "tool_call_id", id);
    }
    out_end_object(&g->messages);
}

static void add_answer(agent *g, const lf_json *message)
{
    json_out *out = &g->messages;
    out_object(out, NULL);
    out_string(out, "role", "assistant");
    out_value(out, "content", lft_get(message, "content"));
    if (!g->rewrite) {
        out_value(out, "tool_calls", lft_get(message, "tool_calls"));
    } else {
        out_array(out, "tool_calls");
        out_object(out, NULL);
        out_value(out, "id", lft_get(message, "tool_calls.0.id"));
        out_string(out, "type", "function");
        out_object(out, "function");
        out_string(out, "name", "get_weather");
        out_string(out, "arguments", "{\"city\":\"Oslo\",\"note\":\"changed\"}");
        out_end_object(out);
        out_end_object(out);
        out_end_array(out);
    }
    out_end_object(out);
}

/* One call of the model, which must call a tool, and the result of the tool. */
static void turn(agent *g, int seed)
{
    json_out body = {0};
    out_object(&body, NULL);
    out_array(&body, "messages");
    out_json(&body, NULL, g->messages.text, g->messages.len);
    out_end_array(&body);
    out_json(&body, "tools", tools, sizeof tools - 1);
    out_string(&body, "tool_choice", "required");
    out_bool(&body, "parallel_tool_calls", false);
    out_number(&body, "temperature", 0.9);
    out_i64(&body, "seed", seed);
    out_i64(&body, "max_tokens", 400);
    out_end_object(&body);
    const lf_json *r = lft_ask(&a, CHAT, body.text, 200);
    json_out_free(&body);
    assert_string_equal(lft_get_string(r, "choices.0.finish_reason"), "tool_calls");
    if (g->turns++ > 0) {
        int64_t n = lft_get_int(r, "usage.prompt_tokens");
        g->prompt += (uint64_t)n;
        g->computed += (uint64_t)(n - lft_get_int(r, "usage.prompt_tokens_details.cached_tokens"));
    }
    const lf_json *message = lft_get(r, "choices.0.message");
    add_answer(g, message);
    add_message(g, "tool", "sunny", lft_get_string(message, "tool_calls.0.id"));
}

static void begin(agent *g, bool rewrite)
{
    *g = (agent){.rewrite = rewrite};
    json_out text = {0};
    for (int i = 0; i < 30; i++) {
        out_raw(&text, "You are an agent that asks about the weather of many cities. ", 61);
    }
    add_message(g, "system", text.text, NULL);
    add_message(g, "user", "What is the weather in Paris, Oslo and Rome?", NULL);
    json_out_free(&text);
}

/* Of ten turns at most a twentieth is computed again, beside what is new in each of them: the
 * tool's result and the opening of the next answer. */
static void test_ten_turns(void **state)
{
    (void)state;
    agent g;
    begin(&g, false);
    for (int i = 0; i < 10; i++) {
        turn(&g, 100 + i);
    }
    assert_true(g.prompt > 4000);
    if (g.computed * 20 > g.prompt) {
        fail_msg("%llu of %llu tokens were computed again", (unsigned long long)g.computed,
                 (unsigned long long)g.prompt);
    }
    json_out_free(&g.messages);
}

/* A client that changes its calls gets the template's text for them. */
static void test_changed(void **state)
{
    (void)state;
    agent g;
    begin(&g, true);
    turn(&g, 1);
    json_out body = {0};
    out_object(&body, NULL);
    out_array(&body, "messages");
    out_json(&body, NULL, g.messages.text, g.messages.len);
    out_end_array(&body);
    out_end_object(&body);
    const lf_json *r = lft_ask(&a, "/v1/render", body.text, 200);
    assert_non_null(strstr(lft_get_string(r, "prompt"), "changed"));
    json_out_free(&body);
    json_out_free(&g.messages);
}

/* ---- The store ---- */

static const char answer[] =
    "{\"role\":\"assistant\",\"content\":\" I look. \",\"tool_calls\":[{\"id\":\"call_x0\","
    "\"type\":\"function\",\"function\":{\"name\":\"f\",\"arguments\":\"{\\\"a\\\": 1}\"}}]}";

static const int32_t *find(replay *r, uint64_t owner, const char *message, size_t *n)
{
    static lf_arena arena;
    static lf_alloc alloc;
    bool reasoning = false;
    alloc = lf_alloc_default();
    lf_arena_init(&arena, &alloc);
    const lf_json *value = NULL;
    assert_int_equal(
        lf_json_parse(&arena, "message", LFM2_E_TEXT, message, strlen(message), &value), LFM2_OK);
    const int32_t *ids = replay_find(r, owner, value, n, &reasoning);
    lf_arena_free(&arena);
    return ids;
}

static void test_store(void **state)
{
    (void)state;
    static const int32_t ids[] = {5, 6, 7};
    replay r;
    size_t n = 0;
    replay_init(&r, 1 << 16);
    replay_store(&r, 1, answer, strlen(answer), ids, 3);
    const int32_t *found = find(&r, 1, answer, &n);
    assert_non_null(found);
    assert_int_equal(n, 3);
    assert_memory_equal(found, ids, sizeof ids);
    assert_null(find(&r, 2, answer, &n)); /* of another owner */
    /* White space in arguments and around the content does not matter; the rest does. */
    assert_non_null(
        find(&r, 1,
             "{\"content\":\"I look.\",\"tool_calls\":[{\"id\":\"call_x0\",\"function\":"
             "{\"name\":\"f\",\"arguments\":\"{\\\"a\\\":1}\"}}]}",
             &n));
    assert_null(find(&r, 1,
                     "{\"content\":\"I look.\",\"tool_calls\":[{\"id\":\"call_x0\",\"function\":"
                     "{\"name\":\"f\",\"arguments\":\"{\\\"a\\\":2}\"}}]}",
                     &n));
    assert_null(find(&r, 1,
                     "{\"content\":\"I look!\",\"tool_calls\":[{\"id\":\"call_x0\",\"function\":"
                     "{\"name\":\"f\",\"arguments\":\"{\\\"a\\\":1}\"}}]}",
                     &n));
    assert_null(find(&r, 1, "{\"content\":\"I look.\"}", &n));
    replay_free(&r);
}

/* The memory is bounded: the oldest answers go first. */
static void test_bound(void **state)
{
    (void)state;
    int32_t ids[100] = {0};
    replay r;
    size_t n = 0;
    char text[512];
    replay_init(&r, 20000);
    for (int i = 0; i < 200; i++) {
        snprintf(text, sizeof text,
                 "{\"content\":\"\",\"tool_calls\":[{\"id\":\"c%d\",\"function\":{\"name\":\"f\","
                 "\"arguments\":\"{}\"}}]}",
                 i);
        replay_store(&r, 0, text, strlen(text), ids, 100);
        assert_true(r.bytes <= 20000);
    }
    assert_non_null(find(&r, 0, text, &n));
    assert_null(find(&r, 0,
                     "{\"content\":\"\",\"tool_calls\":[{\"id\":\"c0\",\"function\":{\"name\":"
                     "\"f\",\"arguments\":\"{}\"}}]}",
                     &n));
    /* One that is too large, and none without memory at all. */
    replay_store(&r, 0, answer, strlen(answer), ids, 100);
    replay_free(&r);
    replay_init(&r, 0);
    replay_store(&r, 0, answer, strlen(answer), ids, 100);
    assert_null(find(&r, 0, answer, &n));
    replay_free(&r);
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
        cmocka_unit_test(test_ten_turns),
        cmocka_unit_test(test_changed),
        cmocka_unit_test(test_store),
        cmocka_unit_test(test_bound),
    };
    return cmocka_run_group_tests(tests, open_api, close_api);
}
