/* SPDX-License-Identifier: Apache-2.0 */
/* Fields of requests: values, and errors that name the field, once. */
#include "support/exchanges.h"

#include "serve/fields.h"
#include "serve/reply.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

#include <stdio.h>
#include <string.h>

static lft_exchange *open_fields(fields *f, const char *body)
{
    lft_exchange *e = lft_exchange_new("POST", "/", body);
    reply_hold(&e->x);
    assert_true(fields_open(f, &e->x));
    return e;
}

static void test_values(void **state)
{
    (void)state;
    fields f, inner, element;
    lft_exchange *e = open_fields(
        &f,
        "{\"b\":true,\"u\":7.0,\"i\":-3,\"f\":0.5,\"s\":\"a\\u0000b\",\"t\":\"x\",\"c\":\"two\","
        "\"l\":[\"p\",\"q\"],\"o\":{\"n\":null,\"k\":1},\"a\":[{\"v\":9}]}");
    bool b = false;
    uint32_t u = 0, n = 0;
    int64_t i = 0;
    float real = 0;
    const char *s = NULL, *t = NULL, **list = NULL;
    size_t len = 0;
    int choice = -1;
    static const char *const names[] = {"one", "two", NULL};
    field_bool(&f, "b", &b);
    field_u32(&f, "u", 1, 7, &u);
    field_i64(&f, "i", -3, 0, &i);
    field_float(&f, "f", 0, 1, &real);
    field_string(&f, "s", &s, &len);
    field_string(&f, "t", &t, NULL);
    field_choice(&f, "c", names, &choice);
    field_strings(&f, "l", 2, &list, &n);
    assert_true(b && u == 7 && i == -3 && real == 0.5F && len == 3 && choice == 1 && n == 2);
    assert_memory_equal(s, "a\0b", 3);
    assert_string_equal(t, "x");
    assert_string_equal(list[1], "q");
    field_strings(&f, "t", 1, &list, &n);
    assert_true(n == 1 && strcmp(list[0], "x") == 0);
    assert_true(field_object(&f, "o", &inner));
    u = 5;
    field_u32(&inner, "n", 0, 9, &u); /* null and absent fields change nothing */
    field_u32(&inner, "absent", 0, 9, &u);
    assert_int_equal(u, 5);
    assert_false(field_object(&f, "absent", &inner));
    const lf_json *array = field_array(&f, "a");
    assert_true(field_element(&f, "a", 0, array->child, &element));
    assert_string_equal(field_path(&element, "v"), "a[0].v");
    assert_true(!f.failed && !e->over);
    lft_exchange_free(e);
}

/* Reads the field "x" of a kind. */
static void read_x(fields *f, char kind)
{
    static const char *const names[] = {"one", "two", "three", NULL};
    bool b;
    uint32_t u = 0;
    int64_t i;
    float real;
    const char *s, **list;
    size_t len;
    int choice;
    fields inner;
    switch (kind) {
    case 'b':
        field_bool(f, "x", &b);
        break;
    case 'u':
        field_u32(f, "x", 1, 9, &u);
        break;
    case 'i':
        field_i64(f, "x", -5, 5, &i);
        break;
    case 'f':
        field_float(f, "x", 0, 2, &real);
        break;
    case 's':
        field_string(f, "x", &s, &len);
        break;
    case 'z':
        field_string(f, "x", &s, NULL);
        break;
    case 'c':
        field_choice(f, "x", names, &choice);
        break;
    case 'l':
        field_strings(f, "x", 2, &list, &u);
        break;
    case 'a':
        field_array(f, "x");
        break;
    default:
        assert_false(field_object(f, "x", &inner));
        break;
    }
}

static void test_errors(void **state)
{
    (void)state;
    static const struct {
        char kind;
        const char *value, *message;
    } cases[] = {
        {'b', "1", "x must be true or false, not a number"},
        {'u', "\"7\"", "x must be an integer, not a string"},
        {'u', "0", "x must be from 1 to 9, not 0"},
        {'u', "-1", "x must be from 1 to 9, not -1"},
        {'u', "1.5", "x must be an integer from 1 to 9"},
        {'u', "1e30", "x must be an integer from 1 to 9"},
        {'i', "true", "x must be an integer, not a boolean"},
        {'f', "2.5", "x must be a number from 0 to 2"},
        {'f', "1e999", "x must be a number from 0 to 2"},
        {'f', "[]", "x must be a number, not an array"},
        {'s', "{}", "x must be a string, not an object"},
        {'z', "\"a\\u0000\"", "x must not contain the character U+0000"},
        {'c', "\"four\"", "x must be \"one\", \"two\" or \"three\""},
        {'c', "3", "x must be a string, not a number"},
        {'l', "3", "x must be a string or an array of strings, not a number"},
        {'l', "[\"a\",null]", "x must be an array of strings, but has null"},
        {'l', "[\"a\",\"b\",\"c\"]", "x must have at most 2 elements, not 3"},
        {'l', "[\"\\u0000\"]", "x must not contain the character U+0000"},
        {'a', "{}", "x must be an array, not an object"},
        {'o', "[]", "x must be an object, not an array"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        char body[100];
        snprintf(body, sizeof body, "{\"x\":%s,\"y\":1}", cases[i].value);
        fields f;
        lft_exchange *e = open_fields(&f, body);
        read_x(&f, cases[i].kind);
        assert_true(f.failed);
        bool y;
        field_bool(&f, "y", &y); /* no second reply */
        assert_null(field(&f, "y"));
        field_fail(&f, "y", "is wrong");
        field_fail_memory(&f);
        reply_release(&e->x);
        assert_int_equal(e->status, 400);
        assert_string_equal(lft_get_string(lft_response(e), "error.message"), cases[i].message);
        assert_string_equal(lft_get_string(lft_response(e), "error.param"), "x");
        lft_exchange_free(e);
    }
}

/* A failure inside an object is one of all readers around it. */
static void test_nested_errors(void **state)
{
    (void)state;
    fields f, element, inner;
    lft_exchange *e = open_fields(&f, "{\"a\":[{},{\"o\":{\"s\":1}}],\"b\":1}");
    const lf_json *array = field_array(&f, "a");
    assert_true(field_element(&f, "a", 1, array->child->next, &element));
    assert_true(field_object(&element, "o", &inner));
    const char *s;
    field_string(&inner, "s", &s, NULL);
    assert_true(inner.failed && element.failed && f.failed);
    bool b;
    field_bool(&f, "b", &b);
    assert_false(field_element(&f, "a", 0, array->child, &element));
    reply_release(&e->x);
    assert_string_equal(lft_get_string(lft_response(e), "error.message"),
                        "a[1].o.s must be a string, not a number");
    assert_string_equal(lft_get_string(lft_response(e), "error.param"), "a[1].o.s");
    lft_exchange_free(e);
    e = open_fields(&f, "{\"a\":[{},3]}");
    array = field_array(&f, "a");
    assert_false(field_element(&f, "a", 1, array->child->next, &element));
    reply_release(&e->x);
    assert_string_equal(lft_get_string(lft_response(e), "error.message"),
                        "a[1] must be an object, not a number");
    lft_exchange_free(e);
}

static void test_bodies(void **state)
{
    (void)state;
    static const char *const bodies[] = {"", "{", "[]", "1", "null", "{\"a\":1,\"a\":2}", "{}x"};
    for (size_t i = 0; i < sizeof bodies / sizeof bodies[0]; i++) {
        lft_exchange *e = lft_exchange_new("POST", "/", bodies[i]);
        fields f;
        assert_false(fields_open(&f, &e->x));
        assert_true(f.failed);
        assert_int_equal(e->status, 400);
        assert_string_equal(lft_get_string(lft_response(e), "error.type"), "invalid_request_error");
        lft_exchange_free(e);
    }
}

static void *no_memory(void *user, size_t bytes, size_t align)
{
    (void)user;
    (void)bytes;
    (void)align;
    return NULL;
}

static void test_no_memory(void **state)
{
    (void)state;
    lft_exchange *e = lft_exchange_new("POST", "/", "{}");
    e->alloc.alloc = no_memory;
    fields f;
    assert_false(fields_open(&f, &e->x));
    assert_int_equal(e->status, 503);
    e->alloc = lf_alloc_default();
    assert_string_equal(lft_get_string(lft_response(e), "error.code"), "out_of_memory");
    lft_exchange_free(e);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_values),        cmocka_unit_test(test_errors),
        cmocka_unit_test(test_nested_errors), cmocka_unit_test(test_bodies),
        cmocka_unit_test(test_no_memory),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
