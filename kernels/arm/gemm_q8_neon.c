/* SPDX-License-Identifier: Apache-2.0 */
/* LF_W_Q8 x LF_LHS_I16B32 for NEON without dot products: bytes become words, whose products with
 * the 16-bit LHS quants are 32 bits. Words are quant + 128; the start of the sums corrects that. */
#include "kernels/arm/neon.h"

#define NEON_STORE lf_neon_store

/* A block of m rows, at most 2. Even bytes of a register are k 0 and 2 of each column, odd ones k 1
 * and 3; the LHS has its quants in the same order. v[8 * row + 2 * quad] are sums of the first two
 * columns of a quad, of two k each. */
LF_INLINE void block(const size_t m, const uint32_t *x, const uint8_t *quants,
                     const float32x4_t *scales, float32x4_t *acc)
{
    int32x4_t v[2 * 8], s[2 * 4];
#define F(i)                                                                                       \
    for (size_t c = 0; c < 8; c++) {                                                               \
        v[8 * (i) + c] = vdupq_n_s32(0);                                                           \
    }
    LF_EACH_ROW(m, F)
#undef F
    for (size_t g = 0; g < 8; g++, quants += 64) {
        const uint32_t *dwords = x + LF_X2_QUANTS + 2 * g;
        int16x8_t a[2], b[2];
#define F(i)                                                                                       \
    {                                                                                              \
        const int32_t *at = (const int32_t *)(const void *)(dwords + (i)*LF_X2_DWORDS);            \
        a[i] = vreinterpretq_s16_s32(vld1q_dup_s32(at));                                           \
        b[i] = vreinterpretq_s16_s32(vld1q_dup_s32(at + 1));                                       \
    }
        LF_EACH_ROW(m, F)
#undef F
#define F(i)                                                                                       \
    {                                                                                              \
        int32x4_t *vi = v + 8 * (i) + at;                                                          \
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
        LF_EACH_ROW(m, F)                                                                          \
    }
        LF_EACH_QUAD(Q)
#undef Q
#undef F
    }
#define Q(q) to[q] = vaddq_s32(init, vpaddq_s32(from[2 * (q)], from[2 * (q) + 1]));
#define F(i)                                                                                       \
    {                                                                                              \
        const int32x4_t *from = v + 8 * (i);                                                       \
        int32x4_t *to = s + 4 * (i);                                                               \
        const int32x4_t init = vdupq_n_s32((int32_t)x[(i)*LF_X2_DWORDS + LF_X2_INIT]);             \
        LF_EACH_QUAD(Q)                                                                            \
    }
    LF_EACH_ROW(m, F)
#undef F
#undef Q
    lf_neon_finish_q8(m, x, s, scales, acc);
}

LF_INLINE void q8_one(const uint32_t *x, const uint8_t *quants, const float32x4_t *scales,
                      float32x4_t *acc)
{
    block(1, x, quants, scales, acc);
}

static __attribute__((noinline)) void subtile_1(const uint32_t *x, const uint8_t *quants,
                                                const float32x4_t *factors, float32x4_t *acc)
{
    block(1, x, quants, factors, acc);
}

static __attribute__((noinline)) void subtile_2(const uint32_t *x, const uint8_t *quants,
                                                const float32x4_t *factors, float32x4_t *acc)
{
    block(2, x, quants, factors, acc);
}

static lf_neon_subtile *const subtiles[] = {subtile_1, subtile_2};

LF_INLINE void q8_large(size_t m, const uint32_t *x, const uint8_t *quants,
                        const float32x4_t *scales, float32x4_t *acc)
{
    lf_neon_subtiles(subtiles, 2, m, LF_X2_DWORDS, x, quants, scales, acc);
}

#include "kernels/arm/neon_gemm_q8.h"

LF_NEON_ENTRY(i16b32, LF_LHS_I16B32, LF_W_Q8, q8, q8, 32, neon, LF_CPU_NEON, .raw_blocks = true)
