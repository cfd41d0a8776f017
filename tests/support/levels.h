/* SPDX-License-Identifier: Apache-2.0 */
/* Tests of kernels that are executed once for each level of instructions, and reported as skipped
 * for the levels that this CPU lacks. */
#ifndef LFT_LEVELS_H
#define LFT_LEVELS_H

#include "kernels/kernels.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

enum { LFT_MOST_TESTS = 128 };

/* The tests of a program: start with {0}, add tests, then call cmocka_run_group_tests(tests.list,
 * ...), which skips the empty entries at the end. */
typedef struct lft_tests {
    struct CMUnitTest list[LFT_MOST_TESTS];
    char names[LFT_MOST_TESTS][96];
    size_t n;
} lft_tests;

/* A test called NAME, or "NAME: VARIANT" if variant is not NULL; *state of `test` is `initial`. */
void lft_add(lft_tests *tests, const char *name, const char *variant, CMUnitTestFunction test,
             const void *initial);

/* The same for each level of this architecture, the lowest, portable C, first. */
void lft_add_levels(lft_tests *tests, const char *name, CMUnitTestFunction test);

/* Called first by such a test: the table of its level. Skips the test if this CPU lacks it. */
lf_kernels lft_table(void **state, lf_pick pick);

/* CPU masks of all levels that this CPU has, the highest first. Returns how many. */
size_t lft_masks(uint32_t masks[8]);

#endif /* LFT_LEVELS_H */
