/* SPDX-License-Identifier: Apache-2.0 */
/* LF_W_Q8 x LF_LHS_I16B32 for NEON without dot products: bytes become words, whose products with
 * the 16-bit LHS quants are 32 bits. Words are quant + 128; the start of the sums corrects that. */
#define neon_unpack lf_neon_unpack
#define neon_store  lf_neon_store

#include "kernels/arm/neon.h"

static void neon_multiply(int kind, size_t m, size_t blocks, const uint32_t *x, size_t stride,
                          const uint8_t *unpacked, float32x4_t *acc);

/* A block of nq quads of m rows. Even bytes of a register are k 0 and 2 of each column, odd ones k
 * 1 and 3; the LHS has its quants in the same order. Registers 2 * quad and the next of a row's v
 * are sums of two k each of the first two columns of the quad, and of the other two. */
LF_INLINE void block(const size_t nq, const size_t m, const uint32_t *x, const uint8_t *quants,
                     const float32x4_t *scales, float32x4_t *acc)
{
    int32x4_t v[16], s[8];
#define F(i)                                                                                       \
    for (size_t c = 0; c < 2 * nq; c++) {                                                          \
        v[2 * nq * (i) + c] = vdupq_n_s32(0);                                                      \
    }
    LF_FEW_ROWS(m, F)
#undef F
    for (size_t g = 0; g < 8; g++, quants += 64) {
        const uint32_t *dwords = x + LF_X2_QUANTS + 2 * g;
        int16x8_t a[4], b[4];
#define F(i)                                                                                       \
    {                                                                                              \
        const int32_t *at = (const int32_t *)(const void *)(dwords + (i)*LF_X2_DWORDS);            \
        a[i] = vreinterpretq_s16_s32(vld1q_dup_s32(at));                                           \
        b[i] = vreinterpretq_s16_s32(vld1q_dup_s32(at + 1));                                       \
    }
        LF_FEW_ROWS(m, F)
#undef F
#define F(i)                                                                                       \
    {                                                                                              \
        int32x4_t *vi = v + 2 * nq * (i) + at;                                                     \
        vi[0] = vmlal_s16(vi[0], vget_low_s16(even), vget_low_s16(a[i]));                          \
        vi[1] = vmlal_high_s16(vi[1], even, a[i]);                                                 \
        vi[0] = vmlal_s16(vi[0], vget_low_s16(odd), vget_low_s16(b[i]));                           \
        vi[1] = vmlal_high_s16(vi[1], odd, b[i]);                                                  \
    }
#define Q(q)                                                                                       \
    {                                                                                              \
        const size_t at = 2 * (q);                                                                 \
        const uint16x8_t w = vreinterpretq_u16_u8(vld1q_u8(quants + 16 * (q)));                    \
        const int16x8_t even = vreinterpretq_s16_u16(vandq_u16(w, vdupq_n_u16(255)));              \
        const int16x8_t odd = vreinterpretq_s16_u16(vshrq_n_u16(w, 8));                            \
        LF_FEW_ROWS(m, F)                                                                          \
    }
        LF_QUADS(nq, Q)
#undef Q
#undef F
    }
#define Q(q) to[q] = vaddq_s32(init, vpaddq_s32(from[2 * (q)], from[2 * (q) + 1]));
#define F(i)                                                                                       \
    {                                                                                              \
        const int32x4_t *from = v + 2 * nq * (i);                                                  \
        int32x4_t *to = s + nq * (i);                                                              \
        const int32x4_t init = vdupq_n_s32((int32_t)x[(i)*LF_X2_DWORDS + LF_X2_INIT]);             \
        LF_QUADS(nq, Q)                                                                            \
    }
    LF_FEW_ROWS(m, F)
#undef F
#undef Q
    lf_neon_finish_q8(nq, m, x, s, scales, acc);
}

LF_INLINE void q8_one(const uint32_t *x, const uint8_t *quants, const float32x4_t *scales,
                      float32x4_t *acc)
{
    block(4, 1, x, quants, scales, acc);
}

#include "kernels/arm/neon_gemm_q8.h"

#define Q8_BLOCK(m, ...) block(2, m, __VA_ARGS__)
#include "kernels/arm/neon_tiles_q8.h"

LF_NEON_Q8_ENTRY(i16b32, LF_LHS_I16B32, lf_pack_q8, 0, neon, LF_CPU_NEON)
