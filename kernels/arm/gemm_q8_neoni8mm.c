/* SPDX-License-Identifier: Apache-2.0 */
/* LF_W_Q8 x LF_LHS_I8X2B32 for matrix products; dot products for one row. */
#define neon_unpack neon_mm_unpack
#define neon_store  neon_mm_store

#include "kernels/arm/neon_dot_q8.h"

static void neon_multiply(int kind, size_t m, size_t blocks, const uint32_t *x, size_t stride,
                          const uint8_t *unpacked, float32x4_t *acc);
LF_INLINE void neon_mm_unpack(const int bits, const uint8_t *quants, uint8_t *out);
static inline void neon_mm_store(size_t m, const float32x4_t *acc, size_t columns, float *c,
                                 size_t c_stride);

#include "kernels/arm/neon_gemm_q8.h"
#include "kernels/arm/neon_mm.h"

_Static_assert(LF_X2_SCALE == 1, "the second number of a block");

LF_INLINE void finish(const size_t m, const uint32_t *x, size_t row, const int32x4_t *s,
                      const uint8_t *scales, float32x4_t *acc)
{
    float32x4_t w[4];
    neon_mm_factors(scales, w);
#define C(c) to[c] = vfmaq_f32(to[c], vmulq_f32(vcvtq_f32_s32(from[c]), scale), w[c]);
#define P(p)                                                                                       \
    {                                                                                              \
        const int32x4_t *from = s + 4 * (p);                                                       \
        float32x4_t *to = acc + 4 * (p);                                                           \
        const float32x4_t scale = neon_mm_second(neon_mm_numbers(x + 2 * (p)*row, row));           \
        NEON_EACH_COLUMNS(C)                                                                       \
    }
    NEON_EACH_PAIR(m, P)
#undef P
#undef C
}

LF_INLINE void block(const size_t m, const uint32_t *x, size_t row, const uint8_t *scales,
                     const uint8_t *quants, float32x4_t *acc)
{
    int32x4_t s[2 * 4];
    const uint32_t *upper = x + LF_X2_QUANTS, *lower = x + LF_X2_QUANTS + 8;
#define P(p) s[4 * (p)] = s[4 * (p) + 1] = s[4 * (p) + 2] = s[4 * (p) + 3] = vdupq_n_s32(0);
    NEON_EACH_PAIR(m, P)
#undef P
    neon_mm_half(m, upper, row, quants, s);
    neon_mm_half(m, upper + 4, row, quants + 256, s);
#define C(c) to[c] = vshlq_n_s32(to[c], 8);
#define P(p)                                                                                       \
    {                                                                                              \
        int32x4_t *to = s + 4 * (p);                                                               \
        NEON_EACH_COLUMNS(C)                                                                       \
    }
    NEON_EACH_PAIR(m, P)
#undef P
#undef C
    quants = neon_again(quants);
    neon_mm_half(m, lower, row, quants, s);
    neon_mm_half(m, lower + 4, row, quants + 256, s);
    finish(m, x, row, s, scales, acc);
}

LF_INLINE void columns(const size_t m, size_t blocks, const uint32_t *x, size_t stride, size_t row,
                       const uint8_t *unpacked, const size_t half, float32x4_t *out)
{
    float32x4_t acc[2 * 4];
    neon_mm_load_acc(m, half, out, acc);
    for (; blocks > 0; blocks--, x += stride, unpacked += neon_unpacked_block(1)) {
        block(m, x, row, unpacked + 32 * half, unpacked + 64 + 64 * half, acc);
    }
    neon_mm_store_acc(m, half, acc, out);
}

/* Four rows are always LF_X2_DWORDS apart. */
#define SUBTILE(m, name, distance)                                                                 \
    static __attribute__((noinline)) void name(size_t blocks, const uint32_t *x, size_t stride,    \
                                               size_t row, const uint8_t *unpacked,                \
                                               float32x4_t *acc)                                   \
    {                                                                                              \
        (void)row;                                                                                 \
        columns(m, blocks, x, stride, distance, unpacked, 0, acc);                                 \
        columns(m, blocks, x, stride, distance, unpacked, 1, acc);                                 \
    }
SUBTILE(2, two, row)
SUBTILE(4, four, LF_X2_DWORDS)

static void neon_multiply(int kind, size_t m, size_t blocks, const uint32_t *x, size_t stride,
                          const uint8_t *unpacked, float32x4_t *acc)
{
    static neon_subtile *const by_pairs[] = {two, four};
    (void)kind;
    neon_mm_subtiles(by_pairs, m, blocks, x, stride, LF_X2_DWORDS, unpacked, acc);
}

LF_NEON_Q8_ENTRY(i8x2b32, LF_LHS_I8X2B32, neon_q8_pack, LF_NEON_SIGNED_KR, neoni8mm, LF_CPU_I8MM)
