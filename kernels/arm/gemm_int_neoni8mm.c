/* SPDX-License-Identifier: Apache-2.0 */
/* The integer kernels but LF_W_Q8 for matrix products. One row uses dot products: half of a matrix
 * product would be wasted. */
#include "kernels/arm/neon_dot.h"
#include "kernels/arm/neon_formats.h"
#include "kernels/arm/neon_mm.h"

#define NEON_STORE neon_mm_store

/* The start of the sums of a pair of rows. */
LF_INLINE int32x4_t start_of(const bool eighth, const uint32_t *x, size_t stride, const int init)
{
    const int32x4_t magic = vdupq_n_s32(LF_MAGIC_BITS);
    if (init < 0) {
        return magic;
    }
    const int32x4_t start = neon_mm_dwords(x + init, stride);
    if (eighth) {
        return vaddq_s32(vshrq_n_s32(start, 3), vsubq_s32(magic, vdupq_n_s32(LF_MAGIC_BITS / 8)));
    }
    return start;
}

/* acc = fma(isum * LHS scale, weight scale, acc), then minimums, of 32 k or of half a block. x: the
 * first row's LHS scale; sums: its dword for minimums, which with `halves` still needs the LHS
 * scale, or NULL. */
LF_INLINE void finish(const bool halves, const size_t m, const uint32_t *x, const uint32_t *sums,
                      size_t stride, const int32x4_t *s, const float32x4_t *scales,
                      const float32x4_t *minimums, float32x4_t *acc)
{
    float32x4_t scale[2], bias[2], sum[2];
#define P(p)                                                                                       \
    scale[p] = neon_mm_floats(x + 2 * (p)*stride, stride);                                         \
    bias[p] = neon_mm_floats(x + 2 * (p)*stride + 1, stride);                                      \
    if (sums != NULL) {                                                                            \
        sum[p] = neon_mm_floats(sums + 2 * (p)*stride, stride);                                    \
        if (halves) {                                                                              \
            sum[p] = vnegq_f32(vfmaq_f32(bias[p], sum[p], scale[p]));                              \
        }                                                                                          \
    }
    NEON_EACH_PAIR(m, P)
#undef P
#define P(p)                                                                                       \
    {                                                                                              \
        const size_t at = 8 * (p) + column;                                                        \
        const float32x4_t t = vfmaq_f32(bias[p], vreinterpretq_f32_s32(s[at]), scale[p]);          \
        float32x4_t now = vfmaq_f32(acc[at], t, w);                                                \
        if (sums != NULL) {                                                                        \
            now = vfmsq_f32(now, sum[p], minimum);                                                 \
        }                                                                                          \
        acc[at] = now;                                                                             \
    }
#define C(c)                                                                                       \
    {                                                                                              \
        const size_t column = c;                                                                   \
        const float32x4_t w = neon_mm_factors(scales, c);                                          \
        const float32x4_t minimum = sums != NULL ? neon_mm_factors(minimums, c) : w;               \
        (void)minimum;                                                                             \
        NEON_EACH_PAIR(m, P)                                                                       \
    }
    NEON_EACH_COLUMNS(C)
#undef C
#undef P
}

LF_INLINE void start(const bool eighth, const size_t m, const uint32_t *x, size_t stride,
                     const int init, int32x4_t *s)
{
#define P(p)                                                                                       \
    {                                                                                              \
        const int32x4_t first = start_of(eighth, x + 2 * (p)*stride, stride, init);                \
        int32x4_t *to = s + 8 * (p);                                                               \
        NEON_EACH_COLUMNS(C)                                                                       \
    }
#define C(c) to[c] = first;
    NEON_EACH_PAIR(m, P)
#undef C
#undef P
}

/* Half a block of 16 k. factors: scales of both halves, then minimums. */
LF_INLINE void half_block(const int format, const size_t m, const uint32_t *x, size_t stride,
                          const size_t half, const uint8_t *quants, const float32x4_t *factors,
                          float32x4_t *acc)
{
    int32x4_t s[2 * 8];
    start(format == NEON_Q3K, m, x, stride, neon_init(format, half), s);
    neon_mm_half(m, x + LF_X_QUANTS + 4 * half, stride, quants + 256 * half, s);
    finish(true, m, x + LF_X16_SCALE_LO + 2 * half,
           neon_minimums(format) ? x + LF_X16_INIT6_LO + half : NULL, stride, s, factors + 4 * half,
           factors + 8 + 4 * half, acc);
}

LF_INLINE void block(const int format, const size_t m, const uint32_t *x, size_t stride,
                     const uint8_t *quants, const float32x4_t *factors, float32x4_t *acc)
{
    if (neon_halves(format)) {
        half_block(format, m, x, stride, 0, quants, factors, acc);
        half_block(format, m, x, stride, 1, quants, factors, acc);
        return;
    }
    int32x4_t s[2 * 8];
    start(false, m, x, stride, neon_init(format, 0), s);
    neon_mm_half(m, x + LF_X_QUANTS, stride, quants, s);
    neon_mm_half(m, x + LF_X_QUANTS + 4, stride, quants + 256, s);
    finish(false, m, x + LF_X_SCALE, neon_minimums(format) ? x + LF_X_SUM : NULL, stride, s,
           factors, factors + 4, acc);
}

/* Four rows are always LF_X_DWORDS apart. */
#define SUBTILES(format)                                                                           \
    static __attribute__((noinline)) void format##_two(                                            \
        const uint32_t *x, size_t stride, const uint8_t *quants, const float32x4_t *factors,       \
        float32x4_t *acc)                                                                          \
    {                                                                                              \
        block(format, 2, x, stride, quants, factors, acc);                                         \
    }                                                                                              \
    static __attribute__((noinline)) void format##_four(                                           \
        const uint32_t *x, size_t stride, const uint8_t *quants, const float32x4_t *factors,       \
        float32x4_t *acc)                                                                          \
    {                                                                                              \
        (void)stride;                                                                              \
        block(format, 4, x, LF_X_DWORDS, quants, factors, acc);                                    \
    }
NEON_EACH_KIND(SUBTILES)

#define BY_PAIRS(format) [format] = {format##_two, format##_four},
static neon_mm_subtile *const subtiles[][2] = {NEON_EACH_KIND(BY_PAIRS)};

LF_INLINE void neon_large(const int format, const int bits, size_t m, const uint32_t *x,
                          const uint8_t *quants, const float32x4_t *factors, float32x4_t *acc)
{
    uint8_t bytes[LF_Q8_QUANTS];
    neon_mm_unpack(bits, quants, bytes);
    neon_mm_subtiles(subtiles[neon_kind(format)], m, LF_X_DWORDS, x, bytes, factors, acc);
}

#include "kernels/arm/neon_gemm_int.h"

LF_NEON_INT_ENTRIES(neoni8mm, LF_CPU_I8MM)
