/* SPDX-License-Identifier: Apache-2.0 */
/* Peak loops for NEON: reading memory, int8 products. */
#include "kernels/arm/peak_dot.h"

static uint64_t read_neon(const void *p, size_t bytes, size_t distance)
{
    enum { CHAINS = 8, STEP = CHAINS * 16 };
    const uint8_t *at = p;
    const uint8_t *end = at + bytes;
    uint64x2_t sum[CHAINS];
    for (size_t c = 0; c < CHAINS; c++) {
        sum[c] = vdupq_n_u64(0);
    }
    for (; at < end; at += STEP) {
        for (size_t line = 0; distance != 0 && line < STEP; line += 64) {
            __builtin_prefetch(at + distance + line, 0, 3);
            __builtin_prefetch(at + 2 * distance + line, 0, 2);
        }
        for (size_t c = 0; c < CHAINS; c++) {
            sum[c] = vaddq_u64(sum[c], vreinterpretq_u64_u8(vld1q_u8(at + 16 * c)));
        }
    }
    for (size_t c = 1; c < CHAINS; c++) {
        sum[0] = vaddq_u64(sum[0], sum[c]);
    }
    return vaddvq_u64(sum[0]);
}

/* In 16 bits, as XNNPACK's NEON kernel: one instruction for 4 products. */
PEAK_DOT(dot_neon, int16x4_t, vdup_n_s16, vmlal_s16)

const lf_peak lf_peak_neon = {.read_isa = "neon",
                              .read = read_neon,
                              .dot_isa = "neon",
                              .dot = dot_neon,
                              .dot_ops = (size_t)DOT_CHAINS * 4 * 2};
