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

/* How many tokens before position `at` agree with the last ones. */
static size_t agreement(const int32_t *ids, size_t n, size_t at)
{
    size_t match = 0;
    while (match < at && match < LF_DRAFT_MOST_MATCH && ids[at - 1 - match] == ids[n - 1 - match]) {
        match++;
    }
    return match;
}

/* That of the last occurrence of the last `key` tokens before the end; 0: there is none. */
static size_t search(const int32_t *ids, size_t n, size_t key)
{
    for (size_t at = n - 1; at >= key && at < n; at--) {
        size_t match = agreement(ids, n, at);
        if (match >= key) {
            return match;
        }
    }
    return 0;
}

/* A slot holds one n-gram: another one with the same hash replaces it. So a guess may be missing,
 * but one that is given is what followed its source. */
static void check_draft(lf_draft *draft, const int32_t *ids, size_t n, size_t *found,
                        size_t *missed)
{
    int32_t out[MOST] = {0};
    lf_guess guess = lf_draft_propose(draft, out, MOST);
    size_t longest = n > 8 ? search(ids, n, 8) : 0;
    longest = longest == 0 && n > 3 ? search(ids, n, 3) : longest;
    if (longest > guess.match) {
        ++*missed;
    }
    if (guess.n == 0) {
        return;
    }
    ++*found;
    size_t at = draft->source;
    assert_true(at > 0 && at < n);
    assert_int_equal(guess.n, MOST);
    assert_int_equal(guess.match, agreement(ids, n, at));
    for (size_t i = 0; i < MOST; i++) {
        assert_int_equal(out[i], at + i < n ? ids[at + i] : out[i - (n - at)]);
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
        assert_int_equal(lf_draft_propose(&draft, nothing, MOST).n, 0);
        for (size_t n = 0; n < N;) {
            size_t more = 1 + lft_random(&random) % 4;
            more = more < N - n ? more : N - n;
            bool copy = n > 100 && lft_random(&random) % 8 != 0;
            for (size_t i = 0; i < more; i++) { /* copies what was 37 tokens before, or not */
                ids[n + i] = copy ? ids[n + i - 37] : (int32_t)(lft_random(&random) % 200);
            }
            if (n < 100) {
                LFT_OK(lf_draft_append(&draft, ids + n, more));
            }
            for (size_t i = 0; i < more && n >= 100; i++) {
                LFT_OK(lf_draft_follow(&draft, ids[n + i]));
            }
            n += more;
            check_draft(&draft, ids, n, &found, &missed);
        }
        lf_draft_free(&draft);
    }
    assert_true(found > 1000 && missed * 4 < found);
    assert_int_equal(counter.live, 0);
    assert_int_equal(counter.mistakes, 0);
}

/* The next guess is the numbers from `first` on, with this match. */
static void expect_numbers(lf_draft *draft, int32_t first, size_t n, size_t match)
{
    int32_t out[MOST];
    lf_guess guess = lf_draft_propose(draft, out, MOST);
    assert_int_equal(guess.n, n);
    for (size_t i = 0; i < n; i++) {
        assert_int_equal(out[i], first + (int32_t)i);
    }
    assert_true(n == 0 || guess.match == match);
}

/* The expected text is 100, 101, ... 139. */
static void test_expected(void **state)
{
    (void)state;
    lf_alloc alloc = lf_alloc_default();
    lf_draft draft;
    lf_draft_init(&draft, &alloc);
    int32_t ids[40];
    for (int32_t i = 0; i < 40; i++) {
        ids[i] = 100 + i;
    }
    LFT_OK(lf_draft_expect(&draft, ids, 40));
    expect_numbers(&draft, 100, MOST, LF_DRAFT_MOST_MATCH);
    const int32_t prompt[] = {1, 2, 3, 4};
    LFT_OK(lf_draft_append(&draft, prompt, 4));
    expect_numbers(&draft, 100, MOST, LF_DRAFT_MOST_MATCH); /* the prompt precedes it */
    LFT_OK(lf_draft_follow(&draft, 100));
    expect_numbers(&draft, 101, MOST, LF_DRAFT_MOST_MATCH);
    LFT_OK(lf_draft_follow(&draft, 9)); /* another token in the place of 101 */
    expect_numbers(&draft, 102, MOST, 0);
    LFT_OK(lf_draft_follow(&draft, 102));
    expect_numbers(&draft, 103, MOST, 1);
    for (int32_t id = 110; id < 113; id++) { /* 103 to 109 are left out: found again after 3 */
        LFT_OK(lf_draft_follow(&draft, id));
    }
    expect_numbers(&draft, 113, MOST, 3);
    for (int32_t id = 113; id < 137; id++) {
        LFT_OK(lf_draft_follow(&draft, id));
    }
    expect_numbers(&draft, 137, 3, 27);
    for (int32_t id = 137; id < 140; id++) {
        LFT_OK(lf_draft_follow(&draft, id));
    }
    expect_numbers(&draft, 0, 0, 0); /* the prompt does not follow the expected text */
    lf_draft_free(&draft);
    LFT_OK(lf_draft_expect(&draft, ids, 0)); /* nothing is expected */
    LFT_OK(lf_draft_append(&draft, prompt, 4));
    expect_numbers(&draft, 0, 0, 0);
    lf_draft_free(&draft);
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
    assert_int_equal(lf_draft_propose(&draft, out, MOST).match, 6);
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

static void note(lf_pace *pace, int n, bool right)
{
    for (int i = 0; i < n; i++) {
        lf_pace_outcome(pace, 64, right);
    }
}

static void test_pace(void **state)
{
    (void)state;
    lf_pace pace;
    lf_pace_init(&pace);
    assert_int_equal(lf_pace_rows(&pace, 64, 64), 1); /* two single steps are measured first */
    lf_pace_cost(&pace, 1, 0);
    assert_int_equal(lf_pace_rows(&pace, 64, 64), 1);
    lf_pace_cost(&pace, 1, 0);
    assert_int_equal(lf_pace_rows(&pace, 64, 64), 1); /* the clock did not move */
    lf_pace_cost(&pace, 1, 0.030);
    assert_int_equal(lf_pace_rows(&pace, 0, 64), 1);
    assert_int_equal(lf_pace_rows(&pace, 64, 64), 4); /* long matches are tried at once */
    assert_int_equal(lf_pace_rows(&pace, 64, 1), 1);
    assert_int_equal(lf_pace_rows(&pace, 64, 3), 2);
    note(&pace, 3, true); /* rows double while guesses are right */
    assert_int_equal(lf_pace_rows(&pace, 64, 64), 4);
    note(&pace, 1, true);
    assert_int_equal(lf_pace_rows(&pace, 64, 64), 8);
    note(&pace, 28, true);
    assert_int_equal(lf_pace_rows(&pace, 64, 64), 64);
    note(&pace, 1, false);
    assert_int_equal(lf_pace_rows(&pace, 64, 64), 32); /* a single error leaves most */
    assert_true(lf_pace_rows(&pace, 64, 5) <= 4);
    note(&pace, 100, false); /* no drafts */
    assert_int_equal(lf_pace_rows(&pace, 64, 64), 1);
    assert_int_equal(lf_pace_rows(&pace, 20, 64), 4); /* matches of another length count apart */
    note(&pace, 100, true); /* single steps show that they are right again */
    assert_true(lf_pace_rows(&pace, 64, 64) >= 8);
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
    assert_int_equal(lf_pace_rows(&pace, 64, 64), 1); /* a single step is measured again */
    lf_pace_cost(&pace, 1, 0.030);
    for (int i = 0; i < 32; i++) {
        assert_int_equal(lf_pace_rows(&pace, 64, 64), 64);
        lf_pace_cost(&pace, 64, 0.031);
    }
    assert_int_equal(lf_pace_rows(&pace, 64, 64), 1);
    /* A pass that was interrupted changes little, and the next ones make up for it. */
    lf_pace_cost(&pace, 1, 0.300);
    assert_true(pace.seconds[0] < 0.058);
    lf_pace_cost(&pace, 1, 0.030);
    lf_pace_cost(&pace, 1, 0.030);
    assert_true(pace.seconds[0] < 0.033);
}

/* With tokens that are right with probability `right`, and these costs, the pace comes close to the
 * best fixed number of rows. The first single step is slow. */
static void check_gain(double right, const double cost[LF_PACE_SIZES])
{
    enum { TOKENS = 20000 };
    double best = 1; /* tokens for the cost of a single step */
    for (int size = 1; size < LF_PACE_SIZES; size++) {
        double expected = 1;
        double chance = 1;
        for (int i = 1; i < 1 << size; i++) {
            chance *= right;
            expected += chance;
        }
        best = expected / cost[size] > best ? expected / cost[size] : best;
    }
    lf_pace pace;
    lf_pace_init(&pace);
    uint64_t random = 1;
    double spent = 0;
    uint32_t tokens = 0;
    while (tokens < TOKENS) {
        uint32_t rows = lf_pace_rows(&pace, 40, 64);
        int size = 0;
        while (1u << size < rows) {
            size++;
        }
        lf_pace_cost(&pace, rows, tokens == 0 ? 3 : cost[size]);
        spent += cost[size];
        for (uint32_t row = 0;; row++) {
            tokens++;
            bool is_right = lft_unit(&random) < right;
            lf_pace_outcome(&pace, 40, is_right);
            if (!is_right || row + 1 == rows) {
                break;
            }
        }
    }
    double gain = tokens / spent;
    print_message("right %.2f: %.2f tokens for the cost of a step, at best %.2f\n", right, gain,
                  best);
    assert_true(gain > 0.97 && gain > 0.9 * best);
}

static void test_gain(void **state)
{
    (void)state;
    static const double flat[LF_PACE_SIZES] = {1, 1.05, 1.1, 1.2, 1.6, 2.4, 4.2};
    static const double steep[LF_PACE_SIZES] = {1, 1.6, 2.6, 4, 6.4, 11, 20};
    static const double rights[] = {0, 0.2, 0.5, 0.8, 0.95, 1};
    for (size_t i = 0; i < sizeof rights / sizeof rights[0]; i++) {
        check_gain(rights[i], flat);
        check_gain(rights[i], steep);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_propose),    cmocka_unit_test(test_expected),
        cmocka_unit_test(test_repetition), cmocka_unit_test(test_failing_memory),
        cmocka_unit_test(test_pace),       cmocka_unit_test(test_gain),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
