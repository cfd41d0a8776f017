/* SPDX-License-Identifier: Apache-2.0 */
/* Hostile and large JSON Schemas, memory that fails, small limits, and the stack. */
#define _GNU_SOURCE /* MAP_ANONYMOUS, MAP_STACK */
#include "support/counting_alloc.h"
#include "support/models.h"
#include "support/schema_match.h"

#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include <cmocka.h>

/* ---- Limits ---- */

static char *repeated(const char *before, const char *part, size_t n, const char *middle,
                      const char *after_part, const char *after)
{
    const size_t len =
        strlen(before) + n * (strlen(part) + strlen(after_part)) + strlen(middle) + strlen(after);
    char *out = malloc(len + 1);
    assert_non_null(out);
    char *at = out;
    at += sprintf(at, "%s", before);
    for (size_t i = 0; i < n; i++) {
        at += sprintf(at, "%s", part);
    }
    at += sprintf(at, "%s", middle);
    for (size_t i = 0; i < n; i++) {
        at += sprintf(at, "%s", after_part);
    }
    sprintf(at, "%s", after);
    return out;
}

static char *hostile(int i)
{
    switch (i) {
    case 0:
        return repeated("{\"pattern\": \"", "(", 60000, "a", ")", "\"}");
    case 1:
        return repeated("{\"pattern\": \"", "(a*", 90, "", ")*", "\"}");
    case 2:
        return repeated("{\"pattern\": \"", "(a|a?)+", 2000, "$", "", "\"}");
    case 3:
        return repeated("", "{\"not\": ", 500, "{}", "}", "");
    case 4:
        return repeated("", "{\"items\": ", 500, "{}", "}", "");
    case 5:
        return repeated("", "{\"propertyNames\": {\"not\": ", 240, "{}", "}}", "");
    case 6:
        return repeated("{\"allOf\": [",
                        "{\"anyOf\": [{\"required\": [\"a\"]}, {\"required\": "
                        "[\"b\"]}, {\"required\": [\"c\"]}]}, ",
                        40, "{}", "", "]}");
    case 7:
        return repeated("{\"oneOf\": [", "{\"minimum\": 1}, ", 300, "{}", "", "]}");
    case 8:
        return repeated("{\"pattern\": \"^", "(.{0,9999}){9999}", 3, "$", "", "\"}");
    case 9:
        return repeated("{\"minItems\": 4000000000, \"maxProperties\": 3999999999, \"minLength\": "
                        "4000000000, \"contains\": {}, \"minContains\": 999999999",
                        "", 0, "", "", "}");
    case 10:
        return repeated("{\"$ref\": \"#/allOf/0\", \"allOf\": [", "{\"allOf\": [", 100,
                        "{\"$ref\": \"#\"}", "]}", "]}");
    case 11:
        return repeated("{\"patternProperties\": {\"a\": {}", "", 0,
                        ", \"b\": {}, \"c\": {}, \"d\": {}, \"e\": {}, \"f\": {}, \"g\": {}, "
                        "\"h\": {}, \"i\": {}, \"j\": {}, \"k\": {}, \"l\": {}, \"m\": {}",
                        "", "}}");
    case 12:
        return repeated("{\"multipleOf\": 0.", "9", 300, "1", "", "}");
    case 13:
        return repeated("{\"type\": \"number\", \"minimum\": 0.", "1234567890", 79, "1", "", "}");
    case 14:
        return repeated("{\"enum\": [", "\"abcdefgh\", 1.5, {\"a\": [1]}, ", 20000, "1", "", "]}");
    case 15:
        return repeated("{\"enum\": [", "\"abcdefghijklmnopqrstuvwxyz 0123456789\", ", 200000, "1",
                        "", "]}");
    case 16:
        return repeated("{\"$ref\": \"#/$defs/x\", \"$defs\": {\"x\": {}, \"", "y", 3000000, "", "",
                        "\": {}}}");
    case 17:
        return repeated("{\"required\": [\"a\"", ", \"b\"", 100000, "", "", "]}");
    case 18:
        return repeated("{\"allOf\": [{}", ", {\"properties\": {\"a\": {\"minimum\": 1}}}", 20000,
                        "", "", "]}");
    default:
        return NULL;
    }
}

static void test_hostile(void **state)
{
    (void)state;
    char *schema = NULL;
    for (int i = 0; (schema = hostile(i)) != NULL; i++) {
        counting_alloc counter = {.fail_at = SIZE_MAX};
        lft_schema u;
        lf_compiled *matcher = NULL;
        lft_schema_init(&u);
        u.alloc = counting_alloc_init(&counter);
        u.limits.memory = (size_t)12 << 20;
        const int32_t status = lft_schema_compile(&u, schema, strlen(schema), &matcher);
        if (status != LFM2_OK && status != LFM2_E_LIMIT && status != LFM2_E_UNSUPPORTED &&
            status != LFM2_E_TEXT) {
            fail_msg("schema %d: status %d %s", i, (int)status, lf_fail_text());
        }
        lf_compiled_free(matcher);
        /* The document, the compiler and the grammar together. */
        if (counter.peak > u.limits.memory + ((size_t)1 << 18)) {
            fail_msg("schema %d takes %zu bytes", i, counter.peak);
        }
        assert_int_equal(counter.live, 0);
        assert_int_equal(counter.mistakes, 0);
        free(schema);
    }
}

/* Names of 3,000 properties, some of which are required. */
static void test_many_properties(void **state)
{
    (void)state;
    enum { N = 3000 };
    lft_schema u;
    lf_compiled *matcher = NULL;
    char *schema = malloc(N * 40 + 100);
    assert_non_null(schema);
    char *at = schema + sprintf(schema, "{\"required\": [\"p7\"], \"properties\": {\"p0\": {}");
    for (int i = 1; i < N; i++) {
        at += sprintf(at, ", \"p%d\": {\"type\": \"integer\"}", i);
    }
    sprintf(at, "}}");
    lft_schema_init(&u);
    u.options.space = LF_SCHEMA_SPACE_COMPACT;
    assert_int_equal(lft_schema_compile(&u, schema, strlen(schema), &matcher), LFM2_OK);
    assert_true(lft_schema_accepts_text(matcher, "{\"p2\":1,\"p7\":2,\"p2999\":3}"));
    assert_false(lft_schema_accepts_text(matcher, "{\"p2\":1,\"p8\":2}"));
    lf_compiled_free(matcher);
    free(schema);
}

/* ---- Memory and stack ---- */

static const char *const varied[] = {
    "{\"type\": \"object\", \"properties\": {\"a\": {\"$ref\": \"#/$defs/x\"}}, \"required\": "
    "[\"a\"], "
    "\"$defs\": {\"x\": {\"$anchor\": \"i\", \"enum\": [1, \"a\", [{}]]}}, \"patternProperties\": "
    "{\"^b\": {\"format\": \"date\"}}, \"minProperties\": 1}",
    "{\"oneOf\": [{\"required\": [\"a\"]}, {\"not\": {\"additionalProperties\": {\"type\": "
    "\"integer\", \"multipleOf\": 3}}}], \"$ref\": \"#i\", \"$defs\": {\"x\": {\"$anchor\": "
    "\"i\"}}}",
    ("{\"type\": [\"array\", \"number\"], \"contains\": {\"pattern\": \"a\"}, \"minimum\": 1.5, "
     "\"items\": {\"uniqueItems\": true, \"items\": {\"enum\": [1, 2]}}}"),
};

static void test_failing_memory(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof varied / sizeof *varied; i++) {
        int32_t status = LFM2_E_MEMORY;
        for (size_t at = 0; status != LFM2_OK; at += lft_sampled() ? 3 : 1) {
            counting_alloc counter = {.fail_at = at};
            lft_schema u;
            lf_compiled *matcher = NULL;
            lft_schema_init(&u);
            u.alloc = counting_alloc_init(&counter);
            status = lft_schema_compile(&u, varied[i], strlen(varied[i]), &matcher);
            lf_compiled_free(matcher);
            assert_true(status == LFM2_OK || status == LFM2_E_MEMORY);
            assert_int_equal(counter.live, 0);
            assert_int_equal(counter.mistakes, 0);
        }
    }
}

/* Every limit of steps and of memory is an error that leaks nothing. */
static void test_small_limits(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof varied / sizeof *varied; i++) {
        int32_t status = LFM2_E_LIMIT;
        for (uint64_t steps = 1; status != LFM2_OK; steps += 1 + steps / 4) {
            counting_alloc counter = {.fail_at = SIZE_MAX};
            lft_schema u;
            lf_compiled *matcher = NULL;
            lft_schema_init(&u);
            u.alloc = counting_alloc_init(&counter);
            u.limits.compile_steps = steps;
            u.limits.memory = 1000 * steps;
            status = lft_schema_compile(&u, varied[i], strlen(varied[i]), &matcher);
            lf_compiled_free(matcher);
            assert_true(status == LFM2_OK || status == LFM2_E_LIMIT);
            assert_int_equal(counter.live, 0);
        }
    }
}

static void *compile_hostile(void *argument)
{
    char *schema = NULL;
    (void)argument;
    for (int i = 0; (schema = hostile(i)) != NULL; i++) {
        lft_schema u;
        lf_compiled *matcher = NULL;
        lft_schema_init(&u);
        (void)lft_schema_compile(&u, schema, strlen(schema), &matcher);
        lf_compiled_free(matcher);
        free(schema);
    }
    return NULL;
}

/* The stack that lfm2.h requires is enough; below it is an inaccessible page. */
static void test_stack(void **state)
{
    (void)state;
    enum { STACK = 64 * 1024, GUARD = 4096 };
    const char *sanitized = getenv("LFM2_SANITIZED");
    pthread_attr_t attributes;
    pthread_t thread;
    if (sanitized != NULL && *sanitized != 0) {
        skip();
    }
    char *stack = mmap(NULL, GUARD + STACK, PROT_READ | PROT_WRITE,
                       MAP_PRIVATE | MAP_ANONYMOUS | MAP_STACK, -1, 0);
    assert_ptr_not_equal(stack, MAP_FAILED);
    assert_int_equal(mprotect(stack, GUARD, PROT_NONE), 0);
    assert_int_equal(pthread_attr_init(&attributes), 0);
    assert_int_equal(pthread_attr_setstack(&attributes, stack + GUARD, STACK), 0);
    assert_int_equal(pthread_create(&thread, &attributes, compile_hostile, NULL), 0);
    assert_int_equal(pthread_join(thread, NULL), 0);
    pthread_attr_destroy(&attributes);
    munmap(stack, GUARD + STACK);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_hostile),        cmocka_unit_test(test_many_properties),
        cmocka_unit_test(test_failing_memory), cmocka_unit_test(test_small_limits),
        cmocka_unit_test(test_stack),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
