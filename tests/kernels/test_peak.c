/* SPDX-License-Identifier: Apache-2.0 */
/* The peak loops do all of their work: reading returns the sum of every word and touches nothing
 * else; the products are counted. For the tables of all levels of this CPU. */
#include "support/kernel_util.h"
#include "support/levels.h"

#include <stdlib.h>

static int teardown(void **state)
{
    (void)state;
    lft_unguard_all();
    return 0;
}

static void check_read(const lf_peak *peak, uint64_t *seed)
{
    static const size_t distances[] = {0, 1024, 4096, (size_t)1 << 40};
    for (size_t steps = 1; steps <= 17; steps++) {
        size_t bytes = steps * LF_PEAK_STEP;
        uint64_t *words = lft_guard(bytes, 64);
        uint64_t sum = 0;
        for (size_t i = 0; i < bytes / sizeof *words; i++) {
            words[i] = lft_next(seed);
            sum += words[i];
        }
        for (size_t d = 0; d < sizeof distances / sizeof distances[0]; d++) {
            assert_true(peak->read(words, bytes, distances[d]) == sum);
        }
        lft_unguard(words);
    }
}

static void check_dot(const lf_peak *peak)
{
    for (size_t rounds = 1; rounds < 300; rounds++) {
        int64_t sum = (int64_t)(rounds * peak->dot_ops / 2) * LF_PEAK_X * LF_PEAK_W;
        assert_int_equal(peak->dot(rounds), (uint16_t)sum);
    }
}

static void test_peaks(void **state)
{
    uint64_t seed = lft_seed();
    for (int pick = LF_PICK_AUTO; pick <= LF_PICK_XNNPACK; pick++) {
        lf_kernels table = lft_table(state, (lf_pick)pick);
        print_message("%s, %s\n", table.peak.read_isa, table.peak.dot_isa);
        check_read(&table.peak, &seed);
        check_dot(&table.peak);
    }
}

int main(void)
{
    static lft_tests tests;
    lft_add_levels(&tests, "peaks", test_peaks);
    return cmocka_run_group_tests(tests.list, NULL, teardown);
}
