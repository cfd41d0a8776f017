/* SPDX-License-Identifier: Apache-2.0 */
/* Requests whose allocations fail: each gets a response, nothing leaks, and the next request works.
 * link-wrap: malloc calloc realloc posix_memalign */
#include "support/apis.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

#include <errno.h>
#include <stdlib.h>
#include <string.h>

/* The allocation that fails, counted from 0, and only while a request is handled. */
static size_t n_calls, fail_at = SIZE_MAX;

void *__real_malloc(size_t size);
void *__real_calloc(size_t n, size_t size);
void *__real_realloc(void *p, size_t size);
int __real_posix_memalign(void **out, size_t align, size_t size);
void *__wrap_malloc(size_t size);
void *__wrap_calloc(size_t n, size_t size);
void *__wrap_realloc(void *p, size_t size);
int __wrap_posix_memalign(void **out, size_t align, size_t size);

void *__wrap_malloc(size_t size)
{
    return n_calls++ == fail_at ? NULL : __real_malloc(size);
}

void *__wrap_calloc(size_t n, size_t size)
{
    return n_calls++ == fail_at ? NULL : __real_calloc(n, size);
}

void *__wrap_realloc(void *p, size_t size)
{
    return n_calls++ == fail_at ? NULL : __real_realloc(p, size);
}

int __wrap_posix_memalign(void **out, size_t align, size_t size)
{
    return n_calls++ == fail_at ? ENOMEM : __real_posix_memalign(out, align, size);
}

/* ---- A sink that allocates nothing ---- */

static struct {
    int status;
    bool begun, over, error;
    size_t len;
} response;

static void begin(exchange *x, const char *content_type)
{
    (void)x;
    (void)content_type;
    assert_false(response.begun || response.over);
    response.begun = true;
    response.status = 200;
}

static void add(exchange *x, const char *bytes, size_t len)
{
    (void)x;
    assert_true(response.begun && !response.over);
    response.error |= len > 9 && memcmp(bytes, "{\"error\":", 9) == 0;
    response.len += len;
}

static void end(exchange *x)
{
    (void)x;
    assert_true(response.begun && !response.over);
    response.over = true;
}

static void reply(exchange *x, int status, const char *content_type, const char *headers,
                  const char *body, size_t len)
{
    (void)x;
    (void)content_type;
    (void)headers;
    (void)body;
    assert_false(response.begun || response.over);
    response.status = status;
    response.len = len;
    response.over = true;
}

static const exchange_sink sink = {.reply = reply, .begin = begin, .write = add, .end = end};

static lft_api a;

/* Runs a request in which allocation `which` fails. Returns whether it was reached. */
static bool run(const char *path, const char *body, size_t which)
{
    lf_alloc alloc = lf_alloc_default();
    lf_arena arena;
    lf_arena_init(&arena, &alloc);
    exchange x = {.sink = &sink,
                  .method = "POST",
                  .path = path,
                  .query = "",
                  .body = body,
                  .body_len = strlen(body),
                  .arena = &arena};
    memset(&response, 0, sizeof response);
    n_calls = 0;
    fail_at = which;
    api_handle(a.api, &x);
    uint32_t left = 1;
    for (int i = 0; i < 1000 && left > 0; i++) {
        int32_t status = lfm2_engine_step(a.engine, &left);
        assert_true(status == LFM2_OK || status == LFM2_E_MEMORY);
        left = status == LFM2_OK ? left : 1;
        api_events(a.api);
    }
    bool reached = n_calls > which;
    fail_at = SIZE_MAX;
    assert_true(response.over);
    assert_int_equal(api_active(a.api), 0);
    assert_true(response.status == 200 || response.status == 500 || response.status == 503);
    lf_arena_free(&arena);
    return reached;
}

static void try_all(const char *path, const char *body)
{
    size_t n_failed = 0, which = 0;
    assert_false(run(path, body, SIZE_MAX));
    assert_int_equal(response.status, 200);
    for (bool reached = true; reached; which++) {
        reached = run(path, body, which);
        n_failed += response.status != 200 || response.error ? 1 : 0;
        which += lft_sampled() ? 6 : 0;
    }
    assert_true(n_failed > 0);
    print_message("%s: %zu allocations, %zu failures\n", path, which, n_failed);
    assert_false(run(path, body, SIZE_MAX));
    assert_int_equal(response.status, 200);
}

#define M "\"messages\":[{\"role\":\"user\",\"content\":\"What is the weather in Paris?\"}]"
#define TOOLS                                                                                      \
    "\"tools\":[{\"type\":\"function\",\"function\":{\"name\":\"get_weather\",\"parameters\":{"    \
    "\"type\":\"object\",\"properties\":{\"city\":{\"type\":\"string\",\"maxLength\":9}},"         \
    "\"required\":[\"city\"]}}}],\"tool_choice\":\"required\",\"parallel_tool_calls\":false"

static void test_chat(void **state)
{
    (void)state;
    try_all("/v1/chat/completions",
            "{" M ",\"max_tokens\":3,\"temperature\":0,\"logprobs\":true,\"top_logprobs\":2}");
}

static void test_stream(void **state)
{
    (void)state;
    try_all("/v1/chat/completions",
            "{" M ",\"max_tokens\":3,\"temperature\":0,\"stream\":true,\"n\":2,"
            "\"stream_options\":{\"include_usage\":true}}");
}

static void test_tools(void **state)
{
    (void)state;
    try_all("/v1/chat/completions", "{" M "," TOOLS ",\"max_tokens\":40,\"temperature\":0}");
}

static void test_text(void **state)
{
    (void)state;
    try_all("/v1/completions",
            "{\"prompt\":[\"Paris\",[1,5]],\"max_tokens\":2,\"logprobs\":1,\"echo\":false}");
}

static void test_render(void **state)
{
    (void)state;
    try_all("/v1/render", "{" M "}");
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
        cmocka_unit_test(test_chat), cmocka_unit_test(test_stream), cmocka_unit_test(test_tools),
        cmocka_unit_test(test_text), cmocka_unit_test(test_render),
    };
    return cmocka_run_group_tests(tests, open_api, close_api);
}
