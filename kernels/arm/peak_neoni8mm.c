/* SPDX-License-Identifier: Apache-2.0 */
/* Owns int8 products at full speed for arm64's matrix products. */
#include "kernels/internal.h"

#include <arm_neon.h>

enum { CHAINS = 16 }; /* latency 4, at most four a cycle */

/* A step multiplies 2 x 8 by 8 x 2. */
static uint16_t dot_neoni8mm(size_t rounds)
{
    int32x4_t sum[CHAINS];
    const int8x16_t w = vdupq_n_s8(LF_PEAK_W);
    const int8x16_t x = vdupq_n_s8(LF_PEAK_X);
    for (size_t c = 0; c < CHAINS; c++) {
        sum[c] = vdupq_n_s32(0);
        __asm__("" : "+w"(sum[c])); /* each its own, else one chain would serve all */
    }
    for (size_t r = 0; r < rounds; r++) {
        for (size_t c = 0; c < CHAINS; c++) {
            sum[c] = vmmlaq_s32(sum[c], w, x);
        }
    }
    for (size_t c = 1; c < CHAINS; c++) {
        sum[0] = vaddq_s32(sum[0], sum[c]);
    }
    return (uint16_t)vaddvq_s32(sum[0]);
}

const lf_peak lf_peak_neoni8mm = {
    .dot_isa = "neoni8mm", .dot = dot_neoni8mm, .dot_ops = (size_t)CHAINS * 32 * 2};
