/* SPDX-License-Identifier: Apache-2.0 */
/* LF_W_Q8 x LF_LHS_I8X2B32 for matrix products; dot products for one row. */
#include "kernels/arm/neon_dot_q8.h"
#include "kernels/arm/neon_mm.h"

#define NEON_STORE neon_mm_store

LF_INLINE void block(const size_t m, const uint32_t *x, size_t stride, const uint8_t *quants,
                     const float32x4_t *scales, float32x4_t *acc)
{
    int32x4_t s[2 * 8];
    float32x4_t scale[2];
    const uint32_t *upper = x + LF_X2_QUANTS, *lower = x + LF_X2_QUANTS + 8;
#define P(p)                                                                                       \
    {                                                                                              \
        int32x4_t *to = s + 8 * (p);                                                               \
        NEON_EACH_COLUMNS(C)                                                                       \
    }
#define C(c) to[c] = vdupq_n_s32(0);
    NEON_EACH_PAIR(m, P)
#undef C
    neon_mm_half(m, upper, stride, quants, s);
    neon_mm_half(m, upper + 4, stride, quants + 256, s);
#define C(c) to[c] = vshlq_n_s32(to[c], 8);
    NEON_EACH_PAIR(m, P)
#undef C
#undef P
    quants = neon_again(quants);
    neon_mm_half(m, lower, stride, quants, s);
    neon_mm_half(m, lower + 4, stride, quants + 256, s);
#define P(p) scale[p] = neon_mm_floats(x + LF_X2_SCALE + 2 * (p)*stride, stride);
    NEON_EACH_PAIR(m, P)
#undef P
#define P(p)                                                                                       \
    {                                                                                              \
        const size_t at = 8 * (p) + column;                                                        \
        acc[at] = vfmaq_f32(acc[at], vmulq_f32(vcvtq_f32_s32(s[at]), scale[p]), w);                \
    }
#define C(c)                                                                                       \
    {                                                                                              \
        const size_t column = c;                                                                   \
        const float32x4_t w = neon_mm_factors(scales, c);                                          \
        NEON_EACH_PAIR(m, P)                                                                       \
    }
    NEON_EACH_COLUMNS(C)
#undef C
#undef P
}

static __attribute__((noinline)) void two(const uint32_t *x, size_t stride, const uint8_t *quants,
                                          const float32x4_t *factors, float32x4_t *acc)
{
    block(2, x, stride, quants, factors, acc);
}

static __attribute__((noinline)) void four(const uint32_t *x, size_t stride, const uint8_t *quants,
                                           const float32x4_t *factors, float32x4_t *acc)
{
    (void)stride; /* four rows are always LF_X2_DWORDS apart */
    block(4, x, LF_X2_DWORDS, quants, factors, acc);
}

static neon_mm_subtile *const subtiles[] = {two, four};

LF_INLINE void q8_large(size_t m, const uint32_t *x, const uint8_t *quants,
                        const float32x4_t *scales, float32x4_t *acc)
{
    uint8_t bytes[LF_Q8_QUANTS];
    neon_mm_unpack(LF_BYTES, quants, bytes);
    neon_mm_subtiles(subtiles, m, LF_X2_DWORDS, x, bytes, scales, acc);
}

#include "kernels/arm/neon_gemm_q8.h"

LF_NEON_ENTRY(i8x2b32, LF_LHS_I8X2B32, LF_W_Q8, q8, q8, 32, neoni8mm, LF_CPU_I8MM,
              .raw_blocks = true)
