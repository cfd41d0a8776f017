/* SPDX-License-Identifier: Apache-2.0 */
/* JSON: what the reader accepts, what it rejects and where, numbers, memory; writing. */
#include "support/models.h"

#include "common/json.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

#include <locale.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static lf_alloc heap;
static lf_arena arena;

static int setup(void **state)
{
    (void)state;
    heap = lf_alloc_default();
    lf_arena_init(&arena, &heap);
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    lf_arena_free(&arena);
    return 0;
}

/* Parses a copy without a terminating 0, so that sanitizers detect reads beyond the end. */
static int32_t parse(const char *text, size_t len, const lf_json **out)
{
    char *copy = malloc(len > 0 ? len : 1);
    assert_non_null(copy);
    memcpy(copy, text, len);
    int32_t status = lf_json_parse(&arena, "name.json", LFM2_E_TEXT, copy, len, out);
    free(copy);
    return status;
}

static const lf_json *good(const char *text)
{
    const lf_json *v = NULL;
    if (parse(text, strlen(text), &v) != LFM2_OK) {
        fail_msg("%s: %s", text, lf_fail_text());
    }
    return v;
}

static void bad(const char *text, size_t len, const char *code, unsigned offset)
{
    const lf_json *v = NULL;
    char where[64];
    snprintf(where, sizeof where, "name.json: offset %u: ", offset);
    assert_int_equal(parse(text, len, &v), LFM2_E_TEXT);
    assert_null(v);
    if (strcmp(lf_fail_code(), code) != 0 || strncmp(lf_fail_text(), where, strlen(where)) != 0) {
        fail_msg("'%s': expected %s at %u, got %s: %s", text, code, offset, lf_fail_code(),
                 lf_fail_text());
    }
}

#define BAD(text, code, offset) bad(text, sizeof(text) - 1, "json." code, offset)

static void test_values(void **state)
{
    (void)state;
    const lf_json *v =
        good(" {\"a\": [1, -2.5e3, true, false, null, \"x\"], \"b\":{}, \"\":[]}\r\n\t");
    assert_int_equal(v->kind, LF_JSON_OBJECT);
    assert_int_equal(v->count, 3);
    assert_int_equal(v->offset, 1);
    const lf_json *a = lf_json_get(v, "a");
    assert_int_equal(a->count, 6);
    assert_int_equal(a->offset, 7);
    const lf_json_kind kinds[] = {LF_JSON_NUMBER, LF_JSON_NUMBER, LF_JSON_TRUE,
                                  LF_JSON_FALSE,  LF_JSON_NULL,   LF_JSON_STRING};
    const lf_json *c = a->child;
    for (int i = 0; i < 6; i++, c = c->next) {
        assert_int_equal(c->kind, kinds[i]);
        assert_null(c->key);
    }
    assert_null(c);
    assert_string_equal(a->child->next->text, "-2.5e3");
    assert_int_equal(lf_json_get(v, "b")->kind, LF_JSON_OBJECT);
    assert_int_equal(lf_json_get(v, "")->kind, LF_JSON_ARRAY);
    assert_null(lf_json_get(v, "c"));
    assert_null(lf_json_get(a, "a"));
    assert_null(lf_json_get(NULL, "a"));
    assert_string_equal(v->child->next->key, "b"); /* order is kept */
    assert_int_equal(good("0")->kind, LF_JSON_NUMBER);
    assert_true(lf_json_is_string(good("\"a\""), "a"));
    assert_false(lf_json_is_string(good("\"a\""), "ab"));
    assert_false(lf_json_is_string(good("1"), "1"));
    assert_false(lf_json_is_string(NULL, "a"));
}

static void expect_text(const char *json, const char *text, size_t len)
{
    const lf_json *v = good(json);
    assert_int_equal(v->len, len);
    assert_memory_equal(v->text, text, len + 1); /* with its 0 */
}

static void test_strings(void **state)
{
    (void)state;
    expect_text("\"\"", "", 0);
    expect_text("\"\\\"\\\\\\/\\b\\f\\n\\r\\t\"", "\"\\/\b\f\n\r\t", 8);
    expect_text("\"\\u0041\\u00e9\\u20AC\\ud83d\\uDE00\"", "A\303\251\342\202\254\360\237\230\200",
                10);
    expect_text("\"a\\u0000b\"", "a\0b", 3);
    expect_text("\"\303\251\360\237\230\200\177\"", "\303\251\360\237\230\200\177", 7);
    const lf_json *v = good("{\"\\u0061\\u0000\": 1}");
    assert_int_equal(v->child->key_len, 2);
    assert_null(lf_json_get(v, "a"));
}

static void test_refused(void **state)
{
    (void)state;
    BAD("", "truncated", 0);
    BAD("  ", "truncated", 2);
    BAD("\xEF\xBB\xBF{}", "bom", 0);
    BAD("{} x", "trailing", 3);
    BAD("{}{}", "trailing", 2);
    BAD("[1,]", "syntax", 3);
    BAD("[,1]", "syntax", 1);
    BAD("[1 2]", "syntax", 3);
    BAD("[1}", "syntax", 2);
    BAD("{\"a\":1,}", "syntax", 7);
    BAD("{\"a\" 1}", "syntax", 5);
    BAD("{a:1}", "syntax", 1);
    BAD("{1:1}", "syntax", 1);
    BAD("{\"a\":1]", "syntax", 6);
    BAD("]", "syntax", 0);
    BAD("[", "truncated", 1);
    BAD("{\"a\":", "truncated", 5);
    BAD("[1", "truncated", 2);
    BAD("tru", "truncated", 3);
    BAD("trux", "syntax", 3);
    BAD("nulll", "trailing", 4);
    BAD("True", "syntax", 0);
    BAD("NaN", "number", 0);
    BAD("'a'", "syntax", 0);
    BAD("// c\n1", "syntax", 0);
    BAD("\"a", "truncated", 0);
    BAD("\"a\\\"", "truncated", 0);
    BAD("\"a\nb\"", "control", 2);
    BAD("\"\0\"", "control", 1);
    BAD("\"\\x\"", "escape", 1);
    BAD("\"\\\0\"", "escape", 1);
    BAD("\"\\u12\"", "escape", 1);
    BAD("\"\\u12g4\"", "escape", 1);
    BAD("\"\\uD800\"", "surrogate", 1);
    BAD("\"\\uD800\\n    \"", "surrogate", 1);
    BAD("\"\\uD800\\uD800\"", "surrogate", 1);
    BAD("\"\\uDC00\"", "surrogate", 1);
    BAD("\"\\uD83D\\uDE0\"", "surrogate", 1);
}

static void test_refused_utf8(void **state)
{
    (void)state;
    BAD("\"\x80\"", "utf8", 1);
    BAD("\"\xC0\x80\"", "utf8", 1);
    BAD("\"\xC1\xBF\"", "utf8", 1);
    BAD("\"a\xC3\"", "utf8", 2);
    BAD("\"\xE0\x80\x80\"", "utf8", 1);
    BAD("\"\xED\xA0\x80\"", "utf8", 1);
    BAD("\"\xF0\x80\x80\x80\"", "utf8", 1);
    BAD("\"\xF4\x90\x80\x80\"", "utf8", 1);
    BAD("\"\xF5\x80\x80\x80\"", "utf8", 1);
    BAD("\"\xF0\x9F\x98\"", "utf8", 1);
    BAD("{\"\xFF\":1}", "utf8", 2);
}

static void test_refused_numbers(void **state)
{
    (void)state;
    BAD("-", "truncated", 1);
    BAD("01", "number", 0);
    BAD("-00", "number", 0);
    BAD("[.5]", "syntax", 1);
    BAD("[+1]", "syntax", 1);
    BAD("[1.]", "number", 3);
    BAD("[1.e1]", "number", 3);
    BAD("[1e]", "number", 3);
    BAD("[1e+]", "number", 4);
    BAD("[-a]", "number", 2);
    BAD("0x10", "trailing", 1);
}

static void expect_u64(const char *text, bool ok, uint64_t value)
{
    uint64_t v = 77;
    if (lf_json_u64(good(text), &v) != ok || v != (ok ? value : 77)) {
        fail_msg("%s: %llu", text, (unsigned long long)v);
    }
}

static void expect_i64(const char *text, bool ok, int64_t value)
{
    int64_t v = 77;
    if (lf_json_i64(good(text), &v) != ok || v != (ok ? value : 77)) {
        fail_msg("%s: %lld", text, (long long)v);
    }
}

static void test_integers(void **state)
{
    (void)state;
    expect_u64("0", true, 0);
    expect_u64("-0", true, 0);
    expect_u64("18446744073709551615", true, UINT64_MAX);
    expect_u64("18446744073709551616", false, 0);
    expect_u64("1e19", true, 10000000000000000000u);
    expect_u64("1e20", false, 0);
    expect_u64("1e999999999999999999999", false, 0);
    expect_u64("0e999999999999999999999", true, 0);
    expect_u64("1e-999999999999999999999", false, 0);
    expect_u64("100e-2", true, 1);
    expect_u64("1.5e1", true, 15);
    expect_u64("1.50", false, 0);
    expect_u64("12.0", true, 12);
    expect_u64("0.0012e4", true, 12);
    expect_u64("-1", false, 0);
    expect_u64("\"1\"", false, 0);
    expect_u64("true", false, 0);
    expect_i64("-9223372036854775808", true, INT64_MIN);
    expect_i64("-9223372036854775809", false, 0);
    expect_i64("9223372036854775807", true, INT64_MAX);
    expect_i64("9223372036854775808", false, 0);
    expect_i64("-0.0", true, 0);
    expect_i64("-5e1", true, -50);
    uint64_t v = 1;
    assert_false(lf_json_u64(NULL, &v));
}

static void expect_double(const char *text, double value)
{
    double v = 0;
    if (!lf_json_double(good(text), &v) || memcmp(&v, &value, sizeof v) != 0) {
        fail_msg("%s: %.17g, expected %.17g", text, v, value);
    }
}

static void check_doubles(void)
{
    expect_double("0", 0.0);
    expect_double("-0", -0.0);
    expect_double("1.5", 1.5);
    expect_double("1e-05", 1e-05);
    expect_double("-1000000.0", -1e6);
    expect_double("0.1", 0.1);
    expect_double("2.2250738585072014e-308", 2.2250738585072014e-308);
    expect_double("4.9e-324", 4.9e-324);
    expect_double("1e-400", 0.0);
    expect_double("1.7976931348623157e308", 1.7976931348623157e308);
    expect_double("9007199254740993", 9007199254740992.0);
    expect_double("123456789012345678901234567890", 123456789012345678901234567890.0);
}

static void test_doubles(void **state)
{
    (void)state;
    check_doubles();
    double v = 3;
    assert_false(lf_json_double(good("1e309"), &v));
    assert_false(lf_json_double(good("\"1\""), &v));
    assert_false(lf_json_double(NULL, &v));
    /* more digits than can be converted: rejected, not rounded */
    char text[LF_JSON_MAX_DIGITS + 3];
    memset(text, '3', sizeof text);
    text[1] = '.';
    text[LF_JSON_MAX_DIGITS + 2] = '\0';
    assert_false(lf_json_double(good(text), &v));
    text[LF_JSON_MAX_DIGITS + 1] = '\0';
    assert_true(lf_json_double(good(text), &v));
    /* in a locale with a decimal comma, if the system has one */
    static const char *const names[] = {"de_DE.UTF-8", "de_DE.utf8", "fr_FR.UTF-8", "de_DE"};
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        if (setlocale(LC_ALL, names[i]) != NULL) {
            check_doubles();
        }
    }
    setlocale(LC_ALL, "C");
}

static void nested(char *text, int depth, char open, char close)
{
    memset(text, open, (size_t)depth);
    memset(text + depth, close, (size_t)depth);
    text[2 * depth] = '\0';
}

static void test_depth(void **state)
{
    (void)state;
    char text[2 * LF_JSON_MAX_DEPTH + 3];
    nested(text, LF_JSON_MAX_DEPTH, '[', ']');
    good(text);
    nested(text, LF_JSON_MAX_DEPTH + 1, '[', ']');
    bad(text, strlen(text), "json.depth", LF_JSON_MAX_DEPTH);
}

/* Many members: the check for duplicates sorts them. */
static char *object(int n, int last)
{
    char *text = malloc((size_t)n * 24 + 8);
    assert_non_null(text);
    size_t used = 1;
    text[0] = '{';
    for (int i = 0; i < n; i++) {
        used += (size_t)snprintf(text + used, 24, "%s\"key%07d\":0", i > 0 ? "," : "",
                                 i == n - 1 ? last : i);
    }
    snprintf(text + used, 2, "}");
    return text;
}

static void test_duplicates(void **state)
{
    (void)state;
    BAD("{\"a\":1,\"a\":2}", "duplicate", 11);
    BAD("{\"a\":1,\"b\":{\"x\":0,\"\\u0078\":0}}", "duplicate", 27);
    good("{\"a\":1,\"b\":{\"a\":0}}");
    for (int n = 2; n < 3000; n = n * 3 / 2 + 1) {
        char *text = object(n, n - 1);
        good(text);
        free(text);
        text = object(n, n / 2);
        const lf_json *v = NULL;
        if (n / 2 != n - 1) {
            assert_int_equal(parse(text, strlen(text), &v), LFM2_E_TEXT);
            assert_string_equal(lf_fail_code(), "json.duplicate");
        }
        free(text);
    }
}

static void test_limit(void **state)
{
    (void)state;
    size_t n = (size_t)LF_JSON_MAX_VALUES * 2 + 8;
    char *text = malloc(n);
    assert_non_null(text);
    memset(text, '0', n);
    for (size_t i = 0; i < n; i += 2) {
        text[i] = i == 0 ? '[' : ',';
    }
    const lf_json *v = NULL;
    assert_int_equal(lf_json_parse(&arena, "n", LFM2_E_FORMAT, text, n, &v), LFM2_E_FORMAT);
    assert_string_equal(lf_fail_code(), "json.too_large");
    assert_non_null(strstr(lf_fail_text(), "more than 4194304 values"));
    free(text);
    /* a lower limit: the array is a value, too */
    assert_int_equal(lf_json_parse_within(&arena, "n", LFM2_E_FORMAT, 3, "[0,0]", 5, &v), LFM2_OK);
    assert_int_equal(lf_json_parse_within(&arena, "n", LFM2_E_FORMAT, 2, "[0,0]", 5, &v),
                     LFM2_E_FORMAT);
    assert_string_equal(lf_fail_code(), "json.too_large");
    assert_non_null(strstr(lf_fail_text(), "offset 3: more than 2 values"));
}

/* Floats that are not finite, as Python writes them. */
static void test_not_finite(void **state)
{
    (void)state;
    static const char *const texts[] = {"NaN", "Infinity", "-Infinity", "[0,NaN]",
                                        "{\"a\":-Infinity}"};
    for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++) {
        const lf_json *v = NULL;
        assert_int_equal(parse(texts[i], strlen(texts[i]), &v), LFM2_E_TEXT);
        assert_string_equal(lf_fail_code(), "json.number");
        assert_non_null(strstr(lf_fail_text(), "NaN and Infinity are not JSON"));
    }
    BAD("Nan", "syntax", 0);
    BAD("-Infinite", "number", 1);
}

typedef struct sink {
    char text[256];
    size_t len;
} sink;

static void collect(void *user, const char *text, size_t len)
{
    sink *s = user;
    assert_true(len > 0 && len < sizeof s->text - s->len);
    memcpy(s->text + s->len, text, len);
    s->len += len;
    s->text[s->len] = '\0';
}

static void check_string(const char *text, size_t len, bool escape_del, const char *want)
{
    sink s = {.len = 0};
    const lf_json_writer writer = {.write = collect, .user = &s, .escape_del = escape_del};
    lf_json_write_string(&writer, text, len);
    assert_string_equal(s.text, want);
}

static void test_written(void **state)
{
    (void)state;
    check_string("", 0, false, "\"\"");
    check_string("a\"\\\b\f\n\r\t\x01\x1f\0b", 12, false,
                 "\"a\\\"\\\\\\b\\f\\n\\r\\t\\u0001\\u001f\\u0000b\"");
    check_string("\x7f", 1, false, "\"\x7f\"");
    check_string("\x7f", 1, true, "\"\\u007f\"");
    check_string("\xc3\xa4 \xf0\x9f\x99\x82", 7, true, "\"\xc3\xa4 \xf0\x9f\x99\x82\"");
    /* a cut character and a surrogate: a replacement for each byte */
    check_string("\xc3 \xed\xa0\x80", 5, true, "\"\\ufffd \\ufffd\\ufffd\\ufffd\"");

    sink s = {.len = 0};
    const lf_json_writer writer = {.write = collect, .user = &s};
    lf_json_write(&writer, good("{\"b\":[1.50,-2e3,[],{}],\"a\" : {\"\\u00e4\":null},"
                                "\"c\":[true,false,\"\\/\"]}"));
    assert_string_equal(s.text, "{\"b\": [1.50, -2e3, [], {}], \"a\": {\"\xc3\xa4\": null}, "
                                "\"c\": [true, false, \"/\"]}");
}

static void test_memory(void **state)
{
    (void)state;
    char *text = object(200, 199);
    bool done = false;
    for (long long i = 1; !done; i++) {
        lft_memory memory = {.fail_at = i};
        lf_alloc alloc = {lft_memory_alloc, lft_memory_free, &memory};
        lf_arena a;
        const lf_json *v = NULL;
        lf_arena_init(&a, &alloc);
        int32_t status = lf_json_parse(&a, "n", LFM2_E_FORMAT, text, strlen(text), &v);
        done = status == LFM2_OK;
        assert_true(done || (status == LFM2_E_MEMORY && v == NULL));
        lf_arena_free(&a);
        assert_int_equal(memory.live_blocks, 0);
        assert_false(memory.broken);
        assert_in_range(i, 1, 100);
    }
    free(text);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_values, setup, teardown),
        cmocka_unit_test_setup_teardown(test_strings, setup, teardown),
        cmocka_unit_test_setup_teardown(test_refused, setup, teardown),
        cmocka_unit_test_setup_teardown(test_refused_utf8, setup, teardown),
        cmocka_unit_test_setup_teardown(test_refused_numbers, setup, teardown),
        cmocka_unit_test_setup_teardown(test_integers, setup, teardown),
        cmocka_unit_test_setup_teardown(test_doubles, setup, teardown),
        cmocka_unit_test_setup_teardown(test_depth, setup, teardown),
        cmocka_unit_test_setup_teardown(test_duplicates, setup, teardown),
        cmocka_unit_test_setup_teardown(test_limit, setup, teardown),
        cmocka_unit_test_setup_teardown(test_not_finite, setup, teardown),
        cmocka_unit_test_setup_teardown(test_written, setup, teardown),
        cmocka_unit_test_setup_teardown(test_memory, setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
