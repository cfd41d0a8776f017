/* SPDX-License-Identifier: Apache-2.0 */
/* LF_W_Q8 x LF_LHS_I8X2B32 by dot products: the sums of the upper int8, times 256, are the start of
 * the sums of the lower ones. */
#ifndef LF_KERNELS_ARM_NEON_DOT_Q8_H
#define LF_KERNELS_ARM_NEON_DOT_Q8_H

#include "kernels/arm/neon_dot.h"

/* Bytes at an address that the compiler cannot compare: otherwise gcc keeps in registers, and
 * spills, what it will load again. */
LF_INLINE const uint8_t *neon_again(const uint8_t *p)
{
    __asm__("" : "+r"(p));
    return p;
}

/* As lf_pack_q8, then with the quants themselves. */
static void neon_q8_pack(size_t k, const lf_panel_source *source, void *panel)
{
    lf_pack_q8(k, source, panel);
    uint8_t *quants = (uint8_t *)panel + 64;
    for (size_t s = 0; s < k / 64; s++, quants += LF_Q8_SUPER) {
        lf_neon_sign_quants(quants, 2, LF_Q8_QUANTS);
    }
    lf_neon_sign_quants(quants, k / 32 % 2, LF_Q8_QUANTS);
}

/* One row: each register of quants is multiplied with both. */
LF_INLINE void q8_one(const uint32_t *x, const uint8_t *quants, const float32x4_t *scales,
                      float32x4_t *acc)
{
    int32x4_t upper[4], lower[4];
    const int8_t *at = (const int8_t *)(const void *)(x + LF_X2_QUANTS);
    int8x16_t a, b;
#define Q(q) upper[q] = lower[q] = vdupq_n_s32(0);
    LF_EACH_QUAD(Q)
#undef Q
#define L(q) w[q] = lf_neon_quants(LF_SIGNED, quants, group, q);
#define Q(q)                                                                                       \
    upper[q] = neon_dot_lane(upper[q], w[q], a, group % 4);                                        \
    lower[q] = neon_dot_lane(lower[q], w[q], b, group % 4);
#define G(g)                                                                                       \
    {                                                                                              \
        const size_t group = g;                                                                    \
        int8x16_t w[4]; /* loaded in pairs */                                                      \
        if (group % 4 == 0) {                                                                      \
            a = vld1q_s8(at + 4 * group);                                                          \
            b = vld1q_s8(at + 4 * group + 32);                                                     \
        }                                                                                          \
        LF_EACH_QUAD(L)                                                                            \
        LF_EACH_QUAD(Q)                                                                            \
    }
    LF_EACH_GROUP(G)
#undef G
#undef Q
#undef L
#define Q(q) lower[q] = vmlaq_n_s32(lower[q], upper[q], 256);
    LF_EACH_QUAD(Q)
#undef Q
    lf_neon_finish_q8(4, 1, x, lower, scales, acc);
}

#endif /* LF_KERNELS_ARM_NEON_DOT_Q8_H */
