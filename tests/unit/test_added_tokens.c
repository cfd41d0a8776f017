/* SPDX-License-Identifier: Apache-2.0 */
/* The search for added tokens and the token index, against slow references. */
#include "support/counting_alloc.h"
#include "support/random.h"
#include "text/added.h"
#include "text/hash.h"
#include "text/token_index.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

enum { MAX_TOKENS = 40, MAX_TEXT = 60 };

static const lf_added_token *slow_find(const lf_added_token *t, uint32_t n, const uint8_t *text,
                                       size_t pos, size_t end, size_t *at)
{
    for (; pos < end; pos++) {
        const lf_added_token *best = NULL;
        for (uint32_t i = 0; i < n; i++) {
            if (t[i].len <= end - pos && memcmp(t[i].text, text + pos, t[i].len) == 0 &&
                (best == NULL || t[i].len > best->len)) {
                best = &t[i];
            }
        }
        if (best != NULL) {
            *at = pos;
            return best;
        }
    }
    return NULL;
}

static void leftmost_longest(void **state)
{
    (void)state;
    uint64_t seed = 3;
    print_message("seed %llu\n", (unsigned long long)seed);
    size_t found_any = 0;
    for (int round = 0; round < 5000; round++) {
        uint8_t bytes[MAX_TOKENS][6];
        lf_added_token list[MAX_TOKENS] = {0};
        lf_added_token sorted[MAX_TOKENS];
        uint32_t n = random_below(&seed, MAX_TOKENS + 1);
        uint32_t letters = 2 + random_below(&seed, 3);
        bool twice = false;
        for (uint32_t i = 0; i < n; i++) {
            uint32_t len = 1 + random_below(&seed, 6);
            for (uint32_t k = 0; k < len; k++) {
                bytes[i][k] =
                    (uint8_t)(random_below(&seed, 8) == 0 ? 255 : random_below(&seed, letters));
            }
            list[i] = (lf_added_token){bytes[i], len, (int32_t)i};
            for (uint32_t k = 0; k < i; k++) {
                twice = twice || (list[k].len == len && memcmp(bytes[k], bytes[i], len) == 0);
            }
        }
        memcpy(sorted, list, n * sizeof *list);
        lf_added added;
        const lf_added_token *duplicate = lf_added_init(&added, sorted, n);
        assert_int_equal(duplicate != NULL, twice);
        if (twice) {
            continue;
        }
        uint8_t text[MAX_TEXT];
        for (size_t k = 0; k < MAX_TEXT; k++) {
            text[k] = (uint8_t)random_below(&seed, letters + 1);
        }
        size_t end = random_below(&seed, MAX_TEXT + 1);
        size_t pos = random_below(&seed, (uint32_t)end + 1);
        size_t at = 0;
        size_t want_at = 0;
        const lf_added_token *got = lf_added_find(&added, text, pos, end, &at);
        const lf_added_token *want = slow_find(list, n, text, pos, end, &want_at);
        assert_int_equal(got != NULL, want != NULL);
        if (want != NULL) {
            found_any++;
            assert_int_equal(got->id, want->id);
            assert_int_equal(at, want_at);
        }
    }
    assert_true(found_any > 500);
}

static void token_index(void **state)
{
    (void)state;
    enum { N = 3000 };
    static uint8_t bytes[N][12];
    static lf_token_key list[N];
    counting_alloc counter;
    lf_alloc alloc = counting_alloc_init(&counter);
    for (uint32_t i = 0; i < N; i++) {
        /* lengths 3..12, different bytes; every seventh id is not in the table */
        uint32_t len = 3 + i % 10;
        memset(bytes[i], (int)(i % 3), sizeof bytes[i]);
        bytes[i][len - 1] = (uint8_t)i;
        bytes[i][0] = (uint8_t)(i >> 8);
        list[i] = i % 7 == 6 ? (lf_token_key){NULL, 0} : (lf_token_key){bytes[i], len};
    }
    lf_token_index table;
    int64_t duplicate = 0;
    assert_int_equal(lf_token_index_init(&alloc, list, N, "test", &table, &duplicate), LFM2_OK);
    assert_true(duplicate == -1);
    for (uint32_t i = 0; i < N; i++) {
        int32_t id = lf_token_index_find(&table, bytes[i], 3 + i % 10);
        assert_int_equal(id, i % 7 == 6 ? -1 : (int32_t)i);
    }
    assert_int_equal(lf_token_index_find(&table, bytes[0], 0), -1);
    assert_int_equal(lf_token_index_find(&table, (const uint8_t *)"much longer than any", 20), -1);
    lf_token_index_free(&alloc, &table);
    list[2999] = list[17];
    assert_int_equal(lf_token_index_init(&alloc, list, N, "test", &table, &duplicate), LFM2_OK);
    assert_int_equal(duplicate, 2999);
    lf_token_index_free(&alloc, &table);
    assert_int_equal(counter.live, 0);
    assert_int_equal(counter.mistakes, 0);
}

/* ---- Keys made to collide ---- */

static uint64_t unshift(uint64_t x, int shift)
{
    uint64_t y = x;
    for (int i = shift; i < 64; i += shift) {
        y = x ^ y >> shift;
    }
    return y;
}

static uint64_t inverse(uint64_t odd)
{
    uint64_t y = odd;
    for (int i = 0; i < 6; i++) { /* Newton's iteration: each step doubles the correct bits */
        y *= 2 - odd * y;
    }
    return y;
}

/* The inverse of lf_hash_mix. */
static uint64_t unmix(uint64_t x)
{
    x = unshift(x, 32) * inverse(0xD6E8FEB86659FD93u);
    x = unshift(x, 29) * inverse(0x9E3779B97F4A7C15u);
    return unshift(x, 32);
}

/* 8-byte keys that all have the same slot under the first seed. */
static void collisions_under_one_seed(void **state)
{
    (void)state;
    enum { N = 400 };
    static uint8_t bytes[N][8];
    static lf_token_key list[N];
    assert_true(unmix(lf_hash_mix(12345)) == 12345);
    uint64_t start = lf_hash_mix(lf_hash_mix(1) ^ 8);
    for (uint64_t i = 0; i < N; i++) {
        uint64_t key = unmix(unmix(i << 32 | 77)) ^ start;
        memcpy(bytes[i], &key, 8);
        list[i] = (lf_token_key){bytes[i], 8};
    }
    lf_alloc alloc = lf_alloc_default();
    lf_token_index table;
    int64_t duplicate = 0;
    assert_int_equal(lf_token_index_init(&alloc, list, N, "test", &table, &duplicate), LFM2_OK);
    assert_true(duplicate == -1);
    assert_true(table.seed != lf_hash_mix(1)); /* else the keys did not collide: correct the test */
    for (int32_t i = 0; i < N; i++) {
        assert_int_equal(lf_token_index_find(&table, bytes[i], 8), i);
    }
    lf_token_index_free(&alloc, &table);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(leftmost_longest),
        cmocka_unit_test(token_index),
        cmocka_unit_test(collisions_under_one_seed),
    };
    return cmocka_run_group_tests_name("added_tokens", tests, NULL, NULL);
}
