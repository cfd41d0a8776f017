/* SPDX-License-Identifier: Apache-2.0 */
/* The prefetch policies to choose from, and those with which a CPU starts. */
#include "kernels/kernels.h"

/* The first level cache has too few line buffers to hide the latency of memory at the rate of
 * memory: where that matters, lines go into the second level cache first. */
enum { NONE, SPARSE, L1_1K, L1_4K, L2_4K, L2_9K, L2_L1_4K, L2_L1_9K };

const lf_prefetch_entry lf_prefetch_table[LF_PREFETCH_POLICIES] = {
    [NONE] = {"none", {0}, .attention = true},
    [SPARSE] = {"l2-sparse", {.sparse_l2 = 9216}, .attention = false},
    [L1_1K] = {"l1-1k", {.l1 = 1152}, .attention = true},
    [L1_4K] = {"l1-4k", {.l1 = 4608}, .attention = true},
    [L2_4K] = {"l2-4k", {.l2 = 4608}, .attention = false},
    [L2_9K] = {"l2-9k", {.l2 = 9216}, .attention = true},
    [L2_L1_4K] = {"l2-l1-4k", {.l1 = 2304, .l2 = 4608}, .attention = true},
    [L2_L1_9K] = {"l2-l1-9k", {.l1 = 4608, .l2 = 9216}, .attention = true},
};

uint32_t lf_prefetch_start(lf_prefetch_rule rule, lf_wformat weights, uint32_t rows)
{
    if (weights == LF_W_F32 || weights == LF_W_F16 || weights == LF_W_BF16) {
        return L1_4K;
    }
    switch (rule) {
    case LF_PREFETCH_AMD256:
        return rows <= 2 ? L1_1K : L1_4K;
    case LF_PREFETCH_AMD512:
        return rows <= 2 ? SPARSE : rows <= 4 ? L2_9K : L2_L1_9K;
    default:
        return L2_L1_9K;
    }
}

uint32_t lf_prefetch_start_attention(void)
{
    return L2_L1_4K;
}
