/* SPDX-License-Identifier: Apache-2.0 */
/* Requests of Responses, Messages and Ollama while memory fails: each gets an error or its whole
 * answer, never a text with a gap, and nothing leaks. */
/* link-wrap: realloc malloc */
#include "support/apis.h"
#include "support/counting_alloc.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static lft_api a;
static bool counting;           /* allocations are counted */
static size_t calls, fail_from; /* those of the server since then; the first that fails */

void *__real_realloc(void *p, size_t bytes);
void *__wrap_realloc(void *p, size_t bytes);
void *__real_malloc(size_t bytes);
void *__wrap_malloc(size_t bytes);

void *__wrap_realloc(void *p, size_t bytes)
{
    return counting && calls++ >= fail_from ? NULL : __real_realloc(p, bytes);
}

void *__wrap_malloc(size_t bytes)
{
    return counting && calls++ >= fail_from ? NULL : __real_malloc(bytes);
}

#define TOOL_SCHEMA                                                                                \
    "{\"type\":\"object\",\"properties\":{\"city\":{\"type\":\"string\"}},\"required\":[\"city\"]" \
    "}"

static const struct {
    const char *path, *body, *end; /* the end of a complete stream */
} requests[] = {
    {"/v1/responses",
     "{\"instructions\":\"S\",\"input\":[{\"role\":\"user\",\"content\":\"What is the weather in "
     "Paris?\"}],\"tools\":[{\"type\":\"namespace\",\"name\":\"n\",\"tools\":[{\"type\":"
     "\"function\",\"name\":\"get_weather\",\"parameters\":" TOOL_SCHEMA
     "}]}],\"temperature\":0,\"max_output_tokens\":20",
     "data: [DONE]\n\n"},
    {"/v1/messages",
     "{\"system\":\"S\",\"messages\":[{\"role\":\"user\",\"content\":[{\"type\":\"text\","
     "\"text\":\"What is the weather in Paris?\"}]}],\"tools\":[{\"name\":\"get_weather\","
     "\"input_schema\":" TOOL_SCHEMA "}],\"temperature\":0,\"max_tokens\":20",
     "data: {\"type\":\"message_stop\"}\n\n"},
    {"/api/chat",
     "{\"model\":\"demo\",\"messages\":[{\"role\":\"user\",\"content\":\"What is the weather in "
     "Paris?\"}],\"tools\":[{\"type\":\"function\",\"function\":{\"name\":\"get_weather\","
     "\"parameters\":" TOOL_SCHEMA "}}],\"options\":{\"temperature\":0,\"num_predict\":20}",
     NULL},
};

static bool ends_with(const lft_exchange *e, const char *end)
{
    size_t n = strlen(end);
    return e->len >= n && memcmp(e->text + e->len - n, end, n) == 0;
}

/* Whether a response is an answer; otherwise it must be an error. */
static bool is_whole(const lft_exchange *e, bool stream, const char *end)
{
    if (!stream || !e->begun) {
        assert_true(e->status == 200 || e->status == 500 || e->status == 503);
        return e->status == 200;
    }
    bool whole = end != NULL ? ends_with(e, end) : strstr(e->text, "\"done_reason\"") != NULL;
    assert_true(whole || strstr(e->text, "memory") != NULL);
    return whole;
}

/* Runs a request with the n-th allocation of the server, or of the exchange, failing. */
static bool try_request(size_t i, bool stream, size_t n, bool in_arena)
{
    char body[1024];
    counting_alloc counter;
    lf_alloc alloc = counting_alloc_init(&counter);
    counter.fail_at = in_arena ? n : SIZE_MAX;
    snprintf(body, sizeof body, "%s,\"stream\":%s}", requests[i].body, stream ? "true" : "false");
    lft_exchange *e = lft_exchange_new("POST", requests[i].path, body);
    lf_arena_free(&e->arena);
    e->alloc = alloc;
    e->capacity = 1 << 18; /* the sink allocates nothing while allocations fail */
    e->text = malloc(e->capacity);
    assert_non_null(e->text);
    e->text[0] = '\0';
    calls = 0;
    fail_from = in_arena ? SIZE_MAX : n;
    counting = true;
    api_handle(a.api, &e->x);
    while (!e->over) {
        uint32_t left;
        counting = false;
        LFT_OK(lfm2_engine_step(a.engine, &left));
        counting = true;
        api_events(a.api);
    }
    counting = false;
    lft_api_run(&a);
    bool whole = is_whole(e, stream, requests[i].end);
    lft_exchange_free(e);
    assert_int_equal(counter.live, 0);
    assert_int_equal(counter.mistakes, 0);
    return whole;
}

static void test_requests(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof requests / sizeof requests[0]; i++) {
        for (int kind = 0; kind < 4; kind++) {
            size_t n = 0;
            while (!try_request(i, kind % 2 == 0, n, kind / 2 == 0)) {
                n++;
                assert_true(n < 500);
            }
            assert_true(n > 0);
        }
    }
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
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_requests)};
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
