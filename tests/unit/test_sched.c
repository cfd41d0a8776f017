/* SPDX-License-Identifier: Apache-2.0 */
/* Dividing work: every unit once, in whole pieces, and no two calls of one part at a time. */
#include "common/sched.h"

#include <pthreadpool.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

enum { MOST_UNITS = 3000, MOST_PARTS = 512 };

typedef struct job {
    size_t n, grain;
    uint32_t parts; /* more than this is no part */
    atomic_uint seen[MOST_UNITS];
    atomic_uint busy[MOST_PARTS];
    atomic_uint wrong;
} job;

static job j; /* large */

static void body(void *ctx, uint32_t part, size_t begin, size_t end)
{
    (void)ctx;
    bool fits = part < j.parts && begin < end && end <= j.n;
    bool whole = j.grain == 0 || j.parts == 1 || (begin == 0 && end == j.n) ||
                 (begin % j.grain == 0 && (end - begin == j.grain || end == j.n));
    if (!fits || !whole || atomic_fetch_add(&j.busy[part], 1) != 0) {
        atomic_fetch_add(&j.wrong, 1);
        return;
    }
    for (size_t i = begin; i < end; i++) {
        atomic_fetch_add(&j.seen[i], 1);
    }
    atomic_fetch_sub(&j.busy[part], 1);
}

static void check(const lf_sched *sched, size_t n, size_t grain)
{
    memset(&j, 0, sizeof j);
    j.n = n;
    j.grain = grain;
    j.parts = sched->n_threads;
    lf_parallel(sched, n, grain, body, NULL);
    assert_int_equal(j.wrong, 0);
    for (size_t i = 0; i < n; i++) {
        assert_int_equal(j.seen[i], 1);
    }
}

static void check_all(const lf_sched *sched)
{
    static const size_t sizes[] = {0, 1, 2, 3, 5, 8, 64, 255, 1000, MOST_UNITS};
    static const size_t grains[] = {0, 1, 2, 3, 7, 64, 999, 5000};
    for (size_t s = 0; s < sizeof sizes / sizeof sizes[0]; s++) {
        for (size_t g = 0; g < sizeof grains / sizeof grains[0]; g++) {
            check(sched, sizes[s], grains[g]);
        }
    }
}

static void test_own_threads(void **state)
{
    (void)state;
    for (uint32_t n = 1; n <= 5; n++) {
        lf_sched sched;
        assert_int_equal(lf_sched_init(&sched, n, NULL), LFM2_OK);
        for (int repeat = 0; repeat < 5; repeat++) {
            check_all(&sched);
        }
        lf_sched_free(&sched);
    }
}

/* More threads than can share pieces: some take no part. */
static void test_lent_pool(void **state)
{
    (void)state;
    pthreadpool_t pool = pthreadpool_create(300);
    assert_non_null(pool);
    lf_sched sched;
    assert_int_equal(lf_sched_init(&sched, 1, pool), LFM2_OK);
    assert_int_equal(sched.n_threads, 300);
    check(&sched, MOST_UNITS, 0);
    check(&sched, MOST_UNITS, 1);
    check(&sched, 300, 1);
    check(&sched, 257, 1);
    lf_sched_free(&sched);
    pthreadpool_destroy(pool);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_own_threads),
        cmocka_unit_test(test_lent_pool),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
