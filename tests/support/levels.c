/* SPDX-License-Identifier: Apache-2.0 */
/* The levels of instructions that kernels are tested at. */
#include "support/levels.h"

#include <stdio.h>

/* A CPU with `needs` has the level; its table is the one without `disable`. */
typedef struct level {
    const char *name;
    uint32_t needs, disable;
} level;

static const level levels[] = {
#if LF_ARCH_X86
    {"portable C", 0, LF_CPU_SSE41},
    {"sse41", LF_CPU_SSE41, LF_CPU_AVX},
    {"avx", LF_CPU_AVX, LF_CPU_AVX2},
    {"avx2", LF_CPU_AVX2, LF_CPU_AVX512 | LF_CPU_AVXVNNI},
    {"avxvnni", LF_CPU_AVXVNNI, LF_CPU_AVX512},
    {"avx512", LF_CPU_AVX512, LF_CPU_AVX512VNNI},
    {"avx512vnni", LF_CPU_AVX512VNNI, 0},
#else
    {"portable C", 0, LF_CPU_NEON},
    {"neon", LF_CPU_NEON, LF_CPU_DOTPROD},
    {"neondot", LF_CPU_DOTPROD, LF_CPU_I8MM},
    {"neoni8mm", LF_CPU_I8MM, 0},
#endif
};
enum { N_LEVELS = sizeof levels / sizeof levels[0] };

void lft_add(lft_tests *tests, const char *name, const char *variant, CMUnitTestFunction test,
             const void *initial)
{
    assert_true(tests->n < LFT_MOST_TESTS);
    char *full = tests->names[tests->n];
    snprintf(full, sizeof tests->names[0], variant == NULL ? "%s" : "%s: %s", name, variant);
    tests->list[tests->n++] = (struct CMUnitTest){
        .name = full, .test_func = test, .initial_state = (void *)(uintptr_t)initial};
}

void lft_add_levels(lft_tests *tests, const char *name, CMUnitTestFunction test)
{
    for (size_t i = 0; i < N_LEVELS; i++) {
        lft_add(tests, name, levels[i].name, test, &levels[i]);
    }
}

/* Whether this CPU has the level, and the mask of its table. */
static bool level_mask(const level *l, uint32_t *mask)
{
    uint32_t cpu = lf_cpu_detect().features;
    *mask = lf_cpu_without(cpu, l->disable);
    return (l->needs & ~cpu) == 0;
}

lf_kernels lft_table(void **state, lf_pick pick)
{
    uint32_t mask = 0;
    if (!level_mask(*state, &mask)) {
        skip();
    }
    lf_kernels table;
    lf_kernels_init(&table, mask, pick);
    return table;
}

size_t lft_masks(uint32_t masks[8])
{
    size_t n = 0;
    for (size_t i = N_LEVELS; i-- > 0;) {
        n += level_mask(&levels[i], &masks[n]);
    }
    return n;
}
