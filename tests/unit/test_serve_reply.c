/* SPDX-License-Identifier: Apache-2.0 */
/* The server's JSON, errors in the style of each API, and streams; with memory that fails. */
/* link-wrap: realloc */
#include "support/exchanges.h"

#include "serve/reply.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

#include <math.h>
#include <stdlib.h>
#include <string.h>

static int until_failure = -1; /* calls of realloc that succeed; -1 = all */

void *__real_realloc(void *p, size_t bytes);
void *__wrap_realloc(void *p, size_t bytes);

void *__wrap_realloc(void *p, size_t bytes)
{
    if (until_failure == 0) {
        return NULL;
    }
    until_failure -= until_failure > 0;
    return __real_realloc(p, bytes);
}

/* ---- JSON ---- */

static void test_values(void **state)
{
    (void)state;
    json_out out = {0};
    out_object(&out, NULL);
    out_string(&out, "a", "x\"\n\x01\xff");
    out_string(&out, "b", NULL);
    out_array(&out, "c");
    out_u64(&out, NULL, UINT64_MAX);
    out_i64(&out, NULL, INT64_MIN);
    out_object(&out, NULL);
    out_end_object(&out);
    out_array(&out, NULL);
    out_end_array(&out);
    out_bool(&out, NULL, true);
    out_bool(&out, NULL, false);
    out_end_array(&out);
    out_json(&out, "d", "[1]", 3);
    out_text_begin(&out, "e");
    out_text_add(&out, "p\\", 2);
    out_text_add(&out, "", 0);
    out_text_add(&out, "\xc3\xa4", 2);
    out_text_end(&out);
    out_value(&out, "f", NULL);
    out_end_object(&out);
    assert_false(out.failed);
    assert_string_equal(out.text, "{\"a\":\"x\\\"\\n\\u0001\\ufffd\",\"b\":null,"
                                  "\"c\":[18446744073709551615,-9223372036854775808,{},[],true,"
                                  "false],\"d\":[1],\"e\":\"p\\\\\xc3\xa4\",\"f\":null}");
    json_out_clear(&out);
    out_raw(&out, "data: ", 6);
    out_null(&out, NULL);
    assert_string_equal(out.text, "data: null");
    json_out_free(&out);
}

static void test_parsed_value_is_compact(void **state)
{
    (void)state;
    static const char text[] = "{\"a\":[1.50,2e3,{\"b\":\"c, d: e\"}],\"f\":{}}";
    lft_exchange *e = lft_exchange_new("POST", "/",
                                       "{ \"a\" : [ 1.50, 2e3,"
                                       " {\"b\": \"c, d: e\"} ], \"f\" : { } }");
    const lf_json *value = NULL;
    assert_int_equal(lf_json_parse(&e->arena, "x", LFM2_E_TEXT, e->x.body, e->x.body_len, &value),
                     LFM2_OK);
    json_out out = {0};
    out_value(&out, NULL, value);
    assert_string_equal(out.text, text);
    json_out_free(&out);
    lft_exchange_free(e);
}

static void test_numbers(void **state)
{
    (void)state;
    static const struct {
        double value;
        const char *text;
    } cases[] = {
        {0, "0"},
        {-0.0, "0"},
        {1, "1"},
        {-17, "-17"},
        {123456792, "123456792"},
        {0.5, "0.5"},
        {0.1, "0.1"},
        {(double)0.7F, "0.7"},
        {-1.0 / 3, "-0.3333333333333333"},
        {1e300, "1e+300"},
        {5e-324, "4.94065645841247e-324"},
        {(double)NAN, "null"},
        {(double)INFINITY, "null"},
        {-(double)INFINITY, "null"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        json_out out = {0};
        out_number(&out, NULL, cases[i].value);
        assert_string_equal(out.text, cases[i].text);
        if (isfinite(cases[i].value)) {
            double back = strtod(out.text, NULL);
            assert_true(back == cases[i].value || (float)back == (float)cases[i].value);
        }
        json_out_free(&out);
    }
}

static void test_no_memory_for_json(void **state)
{
    (void)state;
    char big[1000];
    memset(big, 'x', sizeof big);
    for (int i = 0; i < 4; i++) {
        json_out out = {0};
        until_failure = i;
        out_text(&out, NULL, big, 200);
        out_text(&out, NULL, big, sizeof big);
        until_failure = -1;
        assert_int_equal(out.failed, i < 3);
        size_t len = out.len;
        out_null(&out, NULL);
        assert_true(out.failed ? out.len == len : out.len > len);
        lft_exchange *e = lft_exchange_new("POST", "/", "");
        reply_json(&e->x, 201, &out);
        assert_int_equal(e->status, i < 3 ? 500 : 201);
        if (i < 3) {
            assert_string_equal(lft_get_string(lft_response(e), "error.code"), "out_of_memory");
        }
        lft_exchange_free(e);
        json_out_free(&out);
    }
}

/* ---- Errors ---- */

static lft_exchange *new_exchange(exchange_style style)
{
    lft_exchange *e = lft_exchange_new("POST", "/", "");
    e->x.style = style;
    return e;
}

static void test_openai_errors(void **state)
{
    (void)state;
    lft_exchange *e = new_exchange(STYLE_OPENAI);
    reply_error(&e->x, 404, "invalid_request_error", "model", "model_not_found", "no model '%s'",
                "x");
    assert_int_equal(e->status, 404);
    assert_string_equal(e->content_type, "application/json");
    assert_string_equal(e->text,
                        "{\"error\":{\"message\":\"no model 'x'\",\"type\":\"invalid_request_"
                        "error\",\"param\":\"model\",\"code\":\"model_not_found\"}}");
    lft_exchange_free(e);
    e = new_exchange(STYLE_OPENAI);
    reply_bad_field(&e->x, NULL, "%d", 5);
    assert_int_equal(e->status, 400);
    assert_string_equal(e->text, "{\"error\":{\"message\":\"5\",\"type\":\"invalid_request_error\","
                                 "\"param\":null,\"code\":null}}");
    lft_exchange_free(e);
}

static void test_anthropic_errors(void **state)
{
    (void)state;
    static const struct {
        int status;
        const char *type;
    } cases[] = {{400, "invalid_request_error"},
                 {401, "authentication_error"},
                 {403, "permission_error"},
                 {404, "not_found_error"},
                 {413, "request_too_large"},
                 {429, "rate_limit_error"},
                 {500, "api_error"},
                 {503, "overloaded_error"}};
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        lft_exchange *e = new_exchange(STYLE_ANTHROPIC);
        reply_error(&e->x, cases[i].status, "some_type", "system", "code", "wrong");
        const lf_json *r = lft_response(e);
        assert_int_equal(e->status, cases[i].status);
        assert_string_equal(lft_get_string(r, "type"), "error");
        assert_string_equal(lft_get_string(r, "error.type"), cases[i].type);
        assert_string_equal(lft_get_string(r, "error.message"), "system: wrong");
        assert_int_equal(strncmp(lft_get_string(r, "request_id"), "req_", 4), 0);
        lft_exchange_free(e);
    }
}

static void test_ollama_errors(void **state)
{
    (void)state;
    lft_exchange *e = new_exchange(STYLE_OLLAMA);
    reply_bad_field(&e->x, "model", "model is missing");
    assert_string_equal(e->text, "{\"error\":\"model is missing\"}");
    lft_exchange_free(e);
}

static void test_failures_of_the_library(void **state)
{
    (void)state;
    static const struct {
        int32_t status;
        const char *code;
        int http;
        const char *type, *reported;
    } cases[] = {
        {LFM2_E_LIMIT, "engine.context", 400, "invalid_request_error", "context_length_exceeded"},
        {LFM2_E_LIMIT, "engine.queue", 429, "rate_limit_error", "queue_full"},
        {LFM2_E_LIMIT, "grammar.steps", 400, "invalid_request_error", "grammar.steps"},
        {LFM2_E_TEXT, "chat.role", 400, "invalid_request_error", "chat.role"},
        {LFM2_E_UNSUPPORTED, "chat.part", 400, "invalid_request_error", "chat.part"},
        {LFM2_E_MEMORY, "memory", 503, "server_error", "out_of_memory"},
        {LFM2_E_CANCELLED, "cancelled", 503, "server_error", "cancelled"},
        {LFM2_E_INTERNAL, "internal", 500, "server_error", "internal"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        lft_exchange *e = new_exchange(STYLE_OPENAI);
        reply_failure_text(&e->x, cases[i].status, "messages", cases[i].code, "why 100%");
        const lf_json *r = lft_response(e);
        assert_int_equal(e->status, cases[i].http);
        assert_string_equal(lft_get_string(r, "error.type"), cases[i].type);
        assert_string_equal(lft_get_string(r, "error.code"), cases[i].reported);
        assert_string_equal(lft_get_string(r, "error.param"), "messages");
        assert_string_equal(lft_get_string(r, "error.message"), "why 100%");
        bool later = cases[i].http == 429 || cases[i].http == 503;
        assert_int_equal(strstr(e->headers, "Retry-After: ") != NULL, later);
        lft_exchange_free(e);
    }
}

/* ---- Streams ---- */

static void send_number(lft_exchange *e, const char *name, uint64_t number)
{
    json_out out = {0};
    out_u64(&out, NULL, number);
    stream_event(&e->x, name, &out);
    json_out_free(&out);
}

static void test_stream(void **state)
{
    (void)state;
    lft_exchange *e = new_exchange(STYLE_OPENAI);
    send_number(e, NULL, 1);
    stream_raw(&e->x, ": alive\n\n");
    send_number(e, "two", 2);
    stream_raw(&e->x, "data: [DONE]\n\n");
    stream_end(&e->x);
    assert_true(e->over);
    assert_string_equal(e->content_type, "text/event-stream");
    assert_string_equal(e->text, "data: 1\n\n: alive\n\nevent: two\ndata: 2\n\ndata: [DONE]\n\n");
    lft_exchange_free(e);
    e = new_exchange(STYLE_OLLAMA);
    json_out out = {0};
    out_u64(&out, NULL, 1);
    stream_line(&e->x, &out);
    stream_line(&e->x, &out);
    stream_end(&e->x);
    json_out_free(&out);
    assert_string_equal(e->content_type, "application/x-ndjson");
    assert_string_equal(e->text, "1\n1\n");
    lft_exchange_free(e);
}

static void test_error_in_a_stream(void **state)
{
    (void)state;
    static const struct {
        exchange_style style;
        const char *text;
    } cases[] = {
        {STYLE_OPENAI, "data: 1\n\ndata: {\"error\":{\"message\":\"why\",\"type\":\"server_error\","
                       "\"param\":null,\"code\":\"c\"}}\n\n"},
        {STYLE_ANTHROPIC, "data: 1\n\nevent: error\ndata: {\"type\":\"error\",\"error\":{\"type\":"
                          "\"api_error\",\"message\":\"why\"},\"request_id\":\"req_7\"}\n\n"},
        {STYLE_OLLAMA, "data: 1\n\n{\"error\":\"why\"}\n"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        lft_exchange *e = new_exchange(cases[i].style);
        e->x.number = 7;
        send_number(e, NULL, 1);
        reply_failure_text(&e->x, LFM2_E_INTERNAL, NULL, "c", "why");
        assert_true(e->over);
        assert_string_equal(e->text, cases[i].text);
        lft_exchange_free(e);
    }
}

/* While a handler runs, its exchange stays valid after the response. */
static void test_held_responses(void **state)
{
    (void)state;
    for (int i = 0; i < 3; i++) {
        lft_exchange *e = new_exchange(STYLE_OPENAI);
        reply_hold(&e->x);
        if (i == 0) {
            reply_bad_field(&e->x, "a", "wrong");
        } else if (i == 1) {
            send_number(e, NULL, 1);
            assert_string_equal(e->text, "data: 1\n\n");
            stream_end(&e->x);
        }
        assert_false(e->over);
        reply_release(&e->x);
        assert_int_equal(e->over, i < 2);
        assert_int_equal(e->status, i == 0 ? 400 : i == 1 ? 200 : 0);
        lft_exchange_free(e);
    }
}

/* An event for which there is no memory: what follows is not sent, so that nobody takes a text with
 * a gap for a whole one. */
static void test_no_memory_in_a_stream(void **state)
{
    (void)state;
    for (int i = 0; i < 2; i++) {
        lft_exchange *e = new_exchange(i == 0 ? STYLE_OPENAI : STYLE_OLLAMA);
        send_number(e, NULL, 1);
        json_out out = {0};
        until_failure = 0;
        out_u64(&out, NULL, 2);
        until_failure = -1;
        if (i == 0) {
            stream_event(&e->x, NULL, &out);
        } else {
            stream_line(&e->x, &out);
        }
        send_number(e, NULL, 3);
        json_out_free(&out);
        stream_end(&e->x);
        assert_true(e->over);
        assert_non_null(strstr(e->text, "data: 1\n\n"));
        assert_null(strstr(e->text, "data: 3"));
        assert_non_null(strstr(e->text, "out of memory"));
        lft_exchange_free(e);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_values),         cmocka_unit_test(test_parsed_value_is_compact),
        cmocka_unit_test(test_numbers),        cmocka_unit_test(test_no_memory_for_json),
        cmocka_unit_test(test_openai_errors),  cmocka_unit_test(test_anthropic_errors),
        cmocka_unit_test(test_ollama_errors),  cmocka_unit_test(test_failures_of_the_library),
        cmocka_unit_test(test_stream),         cmocka_unit_test(test_error_in_a_stream),
        cmocka_unit_test(test_held_responses), cmocka_unit_test(test_no_memory_in_a_stream),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
