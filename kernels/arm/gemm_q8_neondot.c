/* SPDX-License-Identifier: Apache-2.0 */
/* LF_W_Q8 x LF_LHS_I8X2B32 for dot products. */
#define neon_unpack lf_neon_unpack
#define neon_store  lf_neon_store

#include "kernels/arm/neon_dot_q8.h"

static void neon_multiply(int kind, size_t m, size_t blocks, const uint32_t *x, size_t stride,
                          const uint8_t *unpacked, float32x4_t *acc);

#include "kernels/arm/neon_gemm_q8.h"

LF_INLINE void block(const size_t m, const uint32_t *x, const uint8_t *quants,
                     const float32x4_t *scales, float32x4_t *acc)
{
    int32x4_t s[2 * 4];
    const uint32_t *upper = x + LF_X2_QUANTS, *lower = x + LF_X2_QUANTS + 8;
#define F(i) s[2 * (i)] = s[2 * (i) + 1] = vdupq_n_s32(0);
    LF_FEW_ROWS(m, F)
#undef F
    neon_dot_four(LF_SIGNED, 2, m, upper, LF_X2_DWORDS, quants, 0, s);
    neon_dot_four(LF_SIGNED, 2, m, upper, LF_X2_DWORDS, quants, 4, s);
#define F(i)                                                                                       \
    s[2 * (i)] = vshlq_n_s32(s[2 * (i)], 8);                                                       \
    s[2 * (i) + 1] = vshlq_n_s32(s[2 * (i) + 1], 8);
    LF_FEW_ROWS(m, F)
#undef F
    quants = neon_again(quants);
    neon_dot_four(LF_SIGNED, 2, m, lower, LF_X2_DWORDS, quants, 0, s);
    neon_dot_four(LF_SIGNED, 2, m, lower, LF_X2_DWORDS, quants, 4, s);
    lf_neon_finish_q8(2, m, x, s, scales, acc);
}

#define Q8_BLOCK block
#include "kernels/arm/neon_tiles_q8.h"

LF_NEON_Q8_ENTRY(i8x2b32, LF_LHS_I8X2B32, neon_q8_pack, LF_NEON_SIGNED_KR, neondot, LF_CPU_DOTPROD)
