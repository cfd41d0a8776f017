/* SPDX-License-Identifier: Apache-2.0 */
/* The peak loop of int8 products in registers for arm64; the including file names the
 * instruction. */
#ifndef LF_KERNELS_ARM_PEAK_DOT_H
#define LF_KERNELS_ARM_PEAK_DOT_H

#include "kernels/tables.h"

#include <arm_neon.h>

enum { DOT_CHAINS = 16 }; /* latency 4, at most four a cycle */

/* lf_peak.dot: step(sum, w, x) on vectors of `type`, which splat(value) fills. */
#define PEAK_DOT(name, type, splat, step)                                                          \
    static uint16_t name(size_t rounds)                                                            \
    {                                                                                              \
        int32x4_t sum[DOT_CHAINS];                                                                 \
        const type w = splat(LF_PEAK_W);                                                           \
        const type x = splat(LF_PEAK_X);                                                           \
        for (size_t c = 0; c < DOT_CHAINS; c++) {                                                  \
            sum[c] = vdupq_n_s32(0);                                                               \
            __asm__(""                                                                             \
                    : "+w"(sum[c])); /* distinct values, or the compiler would merge the chains */ \
        }                                                                                          \
        for (size_t r = 0; r < rounds; r++) {                                                      \
            for (size_t c = 0; c < DOT_CHAINS; c++) {                                              \
                sum[c] = step(sum[c], w, x);                                                       \
            }                                                                                      \
        }                                                                                          \
        for (size_t c = 1; c < DOT_CHAINS; c++) {                                                  \
            sum[0] = vaddq_s32(sum[0], sum[c]);                                                    \
        }                                                                                          \
        return (uint16_t)vaddvq_s32(sum[0]);                                                       \
    }

#endif /* LF_KERNELS_ARM_PEAK_DOT_H */
