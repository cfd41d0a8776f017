/* SPDX-License-Identifier: Apache-2.0 */
/* Stop conditions against a naive search, for all divisions of a text into portions; their limits,
 * memory and time. */
#include "run/stops.h"

#include "support/counting_alloc.h"
#include "support/models.h"
#include "support/stop_search.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

#include <stdlib.h>
#include <string.h>

enum { MAX_STRINGS = 24, MAX_LEN = 8, MAX_TEXT = 64 };

static counting_alloc counter;
static lf_alloc alloc;

static lf_stops *stops_of(const char *const *strings, size_t n)
{
    const lf_stops_options o = {.strings = strings, .n_strings = n};
    lf_stops *stops = NULL;
    LFT_OK(lf_stops_create(&alloc, &o, &stops));
    return stops;
}

/* ---- Strings ---- */

/* Reads the text in random portions until a stop string is found. */
static bool compare(const lf_stops *stops, const char *const *strings, size_t n, const char *text,
                    size_t len, uint64_t *random)
{
    lf_stop_search search = {0};
    for (size_t begin = 0; begin < len;) {
        size_t end = begin + 1 + lft_random(random) % 5;
        end = end < len ? end : len;
        lf_stop_match expected = {0};
        lf_stop_match match = {0};
        bool found = lft_find_stop(strings, n, text, begin, end, &expected);
        assert_int_equal(lf_stops_find(stops, &search, text, begin, end, &match), found);
        if (found) {
            assert_int_equal(match.at, expected.at);
            assert_string_equal(strings[match.string], strings[expected.string]);
            assert_int_equal(match.string, expected.string);
            return true;
        }
        assert_int_equal(lf_stops_held(stops, &search), lft_held_back(strings, n, text, end));
        begin = end;
    }
    return false;
}

/* Random strings of few different bytes, so that they share beginnings and ends. */
static void test_random(void **state)
{
    (void)state;
    uint64_t random = 7;
    size_t n_found = 0;
    for (int round = 0; round < 20000; round++) {
        char strings[MAX_STRINGS][MAX_LEN + 1];
        const char *pointers[MAX_STRINGS];
        size_t n = 1 + lft_random(&random) % MAX_STRINGS;
        unsigned letters = 2 + (unsigned)(lft_random(&random) % 3);
        for (size_t i = 0; i < n; i++) {
            size_t len = 1 + lft_random(&random) % MAX_LEN;
            for (size_t j = 0; j < len; j++) {
                strings[i][j] = (char)('a' + lft_random(&random) % letters);
            }
            strings[i][len] = '\0';
            pointers[i] = strings[i];
        }
        char text[MAX_TEXT];
        size_t len = lft_random(&random) % MAX_TEXT;
        for (size_t j = 0; j < len; j++) {
            text[j] = (char)('a' + lft_random(&random) % letters);
        }
        lf_stops *stops = stops_of(pointers, n);
        n_found += compare(stops, pointers, n, text, len, &random);
        lf_stops_free(stops);
    }
    assert_true(n_found > 5000 && n_found < 19900);
    assert_int_equal(counter.live, 0);
}

/* Bytes from 0x80 on, and strings that begin with every byte of UTF-8 text. */
static void test_all_bytes(void **state)
{
    (void)state;
    char strings[128 + 30][5] = {{0}};
    const char *pointers[128 + 30];
    size_t n = 0;
    for (unsigned code = 1; code < 128; code++) {
        strings[n][0] = (char)code;
        strings[n][1] = '!';
        n++;
    }
    for (unsigned lead = 0xC2; lead < 0xE0; lead++) {
        strings[n][0] = (char)lead;
        strings[n][1] = (char)0xBF;
        n++;
    }
    for (size_t i = 0; i < n; i++) {
        pointers[i] = strings[i];
    }
    lf_stops *stops = stops_of(pointers, n);
    for (size_t i = 0; i < n; i++) {
        const char text[] = {(char)0xF0, strings[i][0], strings[i][1]};
        lf_stop_search search = {0};
        lf_stop_match match = {0};
        assert_false(lf_stops_find(stops, &search, text, 0, 2, &match));
        assert_int_equal(lf_stops_held(stops, &search), 1);
        assert_true(lf_stops_find(stops, &search, text, 2, 3, &match));
        assert_true(match.at == 1 && match.string == i);
    }
    lf_stops_free(stops);
}

/* ---- Cost ---- */

enum { LONG = 1 << 16, LONG_TEXT = 1 << 20 };

/* The longest strings in a text that nearly matches them everywhere. A search that compares each
 * position with each string would take hours. */
static void test_time(void **state)
{
    (void)state;
    enum { N = 8 };
    char *strings[N];
    for (int i = 0; i < N; i++) { /* a...ab, a...ac, ...: they differ at the end only */
        strings[i] = malloc(LONG + 1);
        assert_non_null(strings[i]);
        memset(strings[i], 'a', LONG);
        strings[i][LONG - 1] = (char)('b' + i);
        strings[i][LONG] = '\0';
    }
    const char *const *pointers = (const char *const *)strings;
    char *text = malloc(LONG_TEXT);
    assert_non_null(text);
    memset(text, 'a', LONG_TEXT);
    lf_stops *stops = stops_of(pointers, N);
    lf_stop_search search = {0};
    lf_stop_match match = {0};
    for (size_t i = 0; i < LONG_TEXT; i++) {
        assert_false(lf_stops_find(stops, &search, text, i, i + 1, &match));
    }
    assert_int_equal(lf_stops_held(stops, &search), LONG - 1);
    text[LONG_TEXT - 1] = 'e';
    assert_true(lf_stops_find(stops, &search, text, LONG_TEXT - 1, LONG_TEXT, &match));
    assert_true(match.at == LONG_TEXT - LONG && match.string == 3);
    lf_stops_free(stops);
    free(text);
    for (int i = 0; i < N; i++) {
        free(strings[i]);
    }
}

/* 4096 strings: memory as documented, each found. */
static void test_memory(void **state)
{
    (void)state;
    enum { N = 4096, LEN = 1000 };
    char *all = malloc((size_t)N * (LEN + 1));
    const char **pointers = malloc(N * sizeof *pointers);
    assert_true(all != NULL && pointers != NULL);
    uint64_t random = 3;
    for (size_t i = 0; i < N; i++) {
        char *string = all + i * (LEN + 1);
        for (size_t j = 0; j < LEN; j++) {
            string[j] = (char)('a' + lft_random(&random) % 26);
        }
        string[LEN] = '\0';
        pointers[i] = string;
    }
    counter.peak = counter.live;
    lf_stops *stops = stops_of(pointers, N);
    assert_true(counter.peak <= (size_t)N * LEN * 13 + (2 << 20));
    for (size_t i = 0; i < N; i++) {
        lf_stop_search search = {0};
        lf_stop_match match = {0};
        assert_true(lf_stops_find(stops, &search, pointers[i], 0, LEN, &match));
        assert_true(match.at == 0 && match.string == i);
    }
    lf_stops_free(stops);
    free(pointers);
    free(all);
}

/* ---- Ids, limits, references ---- */

static void test_ids(void **state)
{
    (void)state;
    const int32_t ids[] = {0, 7, 8, 99, 100, -1, INT32_MAX, INT32_MIN, 8};
    const lf_stops_options o = {.n_vocab = 100, .ids = ids, .n_ids = 9};
    lf_stops *stops = NULL;
    LFT_OK(lf_stops_create(&alloc, &o, &stops));
    for (int32_t id = -2; id < 200; id++) {
        assert_int_equal(lf_stops_has_id(stops, id), id == 0 || id == 7 || id == 8 || id == 99);
    }
    assert_false(lf_stops_has_id(stops, INT32_MAX));
    lf_stop_search search = {0};
    lf_stop_match match;
    assert_false(lf_stops_find(stops, &search, "abc", 0, 3, &match));
    assert_int_equal(lf_stops_held(stops, &search), 0);
    assert_ptr_equal(lf_stops_retain(stops), stops);
    lf_stops_free(stops);
    assert_true(lf_stops_has_id(stops, 99)); /* one reference is left */
    lf_stops_free(stops);
    lf_stops_free(NULL);
    assert_int_equal(counter.live, 0);
    const lf_stops_options large = {.n_vocab = 1 << 20, .ids = ids, .n_ids = 9};
    counter.peak = 0;
    LFT_OK(lf_stops_create(&alloc, &large, &stops));
    assert_true(counter.peak < (1 << 20) / 8 + (32 << 10));
    lf_stops_free(stops);
    static const char *const string = "x";
    stops = stops_of(&string, 1);
    assert_false(lf_stops_has_id(stops, 0));
    lf_stops_free(stops);
}

static void test_limits(void **state)
{
    (void)state;
    char *longest = malloc(LONG + 2);
    assert_non_null(longest);
    memset(longest, 'x', LONG + 1);
    longest[LONG + 1] = '\0';
    const char *bad[] = {NULL, "", "\x80", "a\xC3", "\xED\xA0\x80", longest};
    lf_stops *stops = NULL;
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        const lf_stops_options o = {.strings = &bad[i], .n_strings = 1};
        LFT_FAILS(lf_stops_create(&alloc, &o, &stops), LFM2_E_ARGUMENT);
        assert_string_equal(lfm2_last_error_code(), "generate.stop");
        assert_non_null(strstr(lfm2_last_error(), "stop_strings[0] is NULL, empty, not UTF-8"));
    }
    longest[LONG] = '\0';
    const char *string = longest;
    stops = stops_of(&string, 1);
    lf_stops_free(stops);
    assert_int_equal(counter.live, 0);
    assert_int_equal(counter.mistakes, 0);
    free(longest);
}

static int begin(void **state)
{
    (void)state;
    alloc = counting_alloc_init(&counter);
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_random), cmocka_unit_test(test_all_bytes),
        cmocka_unit_test(test_time),   cmocka_unit_test(test_memory),
        cmocka_unit_test(test_ids),    cmocka_unit_test(test_limits),
    };
    return cmocka_run_group_tests(tests, begin, NULL);
}
