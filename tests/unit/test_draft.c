/* SPDX-License-Identifier: Apache-2.0 */
/* Drafts against a slow search, and the choice of how many to verify. */
#include "run/draft.h"
#include "run/pace.h"

#include "support/counting_alloc.h"
#include "support/models.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

#include <stdlib.h>
#include <string.h>

enum { MOST = 12, N = 3000 };

/* The length of the match of the last occurrence before the end that has at least `key` tokens, and
 * what followed; 0: none. */
static size_t search(const int32_t *ids, size_t n, size_t key, int32_t *out)
{
    for (size_t at = n - 1; at >= key && at < n; at--) {
        size_t match = 0;
        while (match < at && match < LF_DRAFT_MOST_MATCH &&
               ids[at - 1 - match] == ids[n - 1 - match]) {
            match++;
        }
        if (match >= key) {
            for (size_t i = 0; i < MOST; i++) {
                out[i] = at + i < n ? ids[at + i] : out[i - (n - at)];
            }
            return match;
        }
    }
    return 0;
}

/* A slot holds one n-gram: another one with the same hash replaces it. So a draft may be missing,
 * but one that is given is that of the last occurrence of its n-gram. */
static void check_draft(const lf_draft *draft, const int32_t *ids, size_t n, size_t *found,
                        size_t *missed)
{
    int32_t out[MOST] = {0};
    int32_t expected[MOST] = {0};
    size_t match = lf_draft_propose(draft, out, MOST);
    size_t longer = n > 8 ? search(ids, n, 8, expected) : 0;
    if (match >= 8 && longer >= 8) {
        assert_int_equal(match, longer);
        assert_memory_equal(out, expected, sizeof out);
        ++*found;
        return;
    }
    size_t shorter = n > 3 ? search(ids, n, 3, expected) : 0;
    if (match > 0) {
        assert_true(match >= 3);
        assert_int_equal(match, shorter);
        assert_memory_equal(out, expected, sizeof out);
        ++*found;
    } else if (shorter > 0) {
        ++*missed;
    }
}

static void test_propose(void **state)
{
    (void)state;
    counting_alloc counter;
    lf_alloc alloc = counting_alloc_init(&counter);
    size_t found = 0;
    size_t missed = 0;
    for (uint64_t seed = 1; seed < 6; seed++) {
        uint64_t random = seed;
        int32_t ids[N];
        lf_draft draft;
        lf_draft_init(&draft, &alloc);
        int32_t nothing[MOST];
        assert_int_equal(lf_draft_propose(&draft, nothing, MOST), 0);
        for (size_t n = 0; n < N;) {
            size_t more = 1 + lft_random(&random) % 4;
            more = more < N - n ? more : N - n;
            bool copy = n > 100 && lft_random(&random) % 8 != 0;
            for (size_t i = 0; i < more; i++) { /* copies what was 37 tokens before, or not */
                ids[n + i] = copy ? ids[n + i - 37] : (int32_t)(lft_random(&random) % 200);
            }
            LFT_OK(lf_draft_append(&draft, ids + n, more));
            n += more;
            check_draft(&draft, ids, n, &found, &missed);
        }
        lf_draft_free(&draft);
    }
    assert_true(found > 1000 && missed * 4 < found);
    assert_int_equal(counter.live, 0);
    assert_int_equal(counter.mistakes, 0);
}

static void test_repetition(void **state)
{
    (void)state;
    lf_alloc alloc = lf_alloc_default();
    lf_draft draft;
    lf_draft_init(&draft, &alloc);
    const int32_t ids[] = {1, 2, 3, 1, 2, 3, 1, 2, 3};
    const int32_t expected[MOST] = {1, 2, 3, 1, 2, 3, 1, 2, 3, 1, 2, 3};
    LFT_OK(lf_draft_append(&draft, ids, 9));
    int32_t out[MOST];
    assert_int_equal(lf_draft_propose(&draft, out, MOST), 6);
    assert_memory_equal(out, expected, sizeof out);
    lf_draft_free(&draft);
}

/* The first allocation that fails, the second, ... */
static void test_failing_memory(void **state)
{
    (void)state;
    counting_alloc counter;
    lf_alloc alloc = counting_alloc_init(&counter);
    int32_t *ids = lft_ids(1000, 50, 1);
    size_t fail_at = 0;
    for (int32_t status = LFM2_E_MEMORY; status != LFM2_OK; fail_at++) {
        counter.calls = 0;
        counter.fail_at = fail_at;
        lf_draft draft;
        lf_draft_init(&draft, &alloc);
        status = LFM2_OK;
        for (size_t i = 0; i < 1000 && status == LFM2_OK; i++) {
            size_t n = draft.n;
            status = lf_draft_append(&draft, ids + i, 1);
            assert_true(status == LFM2_OK || (status == LFM2_E_MEMORY && draft.n == n));
        }
        lf_draft_free(&draft);
        assert_int_equal(counter.live, 0);
    }
    assert_int_equal(fail_at, 10); /* three arrays of 256, 512 and 1,024 */
    free(ids);
}

/* ---- The pace ---- */

static void test_pace(void **state)
{
    (void)state;
    lf_pace pace;
    lf_pace_init(&pace);
    assert_int_equal(lf_pace_rows(&pace, 0, 64), 1);
    assert_true(lf_pace_rows(&pace, 64, 64) >= 8); /* long matches are tried at once */
    assert_int_equal(lf_pace_rows(&pace, 64, 1), 1);
    assert_true(lf_pace_rows(&pace, 64, 5) <= 4);
    for (int i = 0; i < 100; i++) { /* always wrong: no drafts */
        lf_pace_outcome(&pace, 64, 0, 1);
    }
    assert_int_equal(lf_pace_rows(&pace, 64, 64), 1);
    for (int i = 0; i < 100; i++) { /* plain steps show that they are right again */
        lf_pace_outcome(&pace, 64, 1, 0);
    }
    assert_true(lf_pace_rows(&pace, 64, 64) >= 8);
    lf_pace_cost(&pace, 1, 0.030);
    for (int i = 0; i < 50; i++) { /* rows that cost as much as single steps */
        for (uint32_t rows = 2; rows <= 64; rows *= 2) {
            lf_pace_cost(&pace, rows, 0.030 * rows);
        }
    }
    assert_int_equal(lf_pace_rows(&pace, 64, 64), 1);
    for (int i = 0; i < 50; i++) { /* rows that cost nothing */
        for (uint32_t rows = 2; rows <= 64; rows *= 2) {
            lf_pace_cost(&pace, rows, 0.031);
        }
    }
    assert_int_equal(lf_pace_rows(&pace, 64, 64), 64);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_propose),
        cmocka_unit_test(test_repetition),
        cmocka_unit_test(test_failing_memory),
        cmocka_unit_test(test_pace),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
