/* SPDX-License-Identifier: Apache-2.0 */
/* The sums of the integer kernels by dot products (sdot): a register of 4 columns and 4 k times a
 * lane of 4 LHS quants. */
#ifndef LF_KERNELS_ARM_NEON_DOT_H
#define LF_KERNELS_ARM_NEON_DOT_H

#include "kernels/arm/neon.h"

LF_INLINE int32x4_t neon_dot_lane(int32x4_t s, int8x16_t w, int8x16_t x, const size_t lane)
{
    switch (lane) {
    case 0:
        return vdotq_laneq_s32(s, w, x, 0);
    case 1:
        return vdotq_laneq_s32(s, w, x, 1);
    case 2:
        return vdotq_laneq_s32(s, w, x, 2);
    default:
        return vdotq_laneq_s32(s, w, x, 3);
    }
}

/* s += group g of nq quads of m rows. x: each row's quants of the four groups that g is one of. */
LF_INLINE void neon_dot_group(const int bits, const size_t nq, const size_t m, const int8x16_t *x,
                              const uint8_t *quants, const size_t g, int32x4_t *s)
{
    int8x16_t w[4];
#define Q(q) w[q] = lf_neon_quants(bits, quants, g, q);
    LF_QUADS(nq, Q)
#undef Q
#define Q(q) si[q] = neon_dot_lane(si[q], w[q], a, g % 4);
#define F(i)                                                                                       \
    {                                                                                              \
        int32x4_t *si = s + nq * (i);                                                              \
        const int8x16_t a = x[i];                                                                  \
        LF_QUADS(nq, Q)                                                                            \
    }
    LF_FEW_ROWS(m, F)
#undef F
#undef Q
}

/* s += four groups from g on of m rows, whose LHS quants of the block are at x, `stride` dwords
 * apart. */
LF_INLINE void neon_dot_four(const int bits, const size_t nq, const size_t m, const uint32_t *x,
                             const size_t stride, const uint8_t *quants, const size_t g,
                             int32x4_t *s)
{
    int8x16_t a[4];
#define F(i) a[i] = vld1q_s8((const int8_t *)(const void *)(x + (i) * (stride) + g));
    LF_FEW_ROWS(m, F)
#undef F
    neon_dot_group(bits, nq, m, a, quants, g, s);
    neon_dot_group(bits, nq, m, a, quants, g + 1, s);
    neon_dot_group(bits, nq, m, a, quants, g + 2, s);
    neon_dot_group(bits, nq, m, a, quants, g + 3, s);
}

LF_INLINE void neon_sums(const int bits, const bool eighth, const size_t nq, const size_t m,
                         const uint32_t *x, const int init, const uint8_t *quants,
                         const size_t first, const size_t end, int32x4_t *s)
{
    lf_neon_start(eighth, nq, m, x, init, s);
    if (first == 0) {
        neon_dot_four(bits, nq, m, x + LF_X_QUANTS, LF_X_DWORDS, quants, 0, s);
    }
    if (end == 8) {
        neon_dot_four(bits, nq, m, x + LF_X_QUANTS, LF_X_DWORDS, quants, 4, s);
    }
}

#endif /* LF_KERNELS_ARM_NEON_DOT_H */
