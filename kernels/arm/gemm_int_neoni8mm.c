/* SPDX-License-Identifier: Apache-2.0 */
/* The integer kernels but LF_W_Q8 for matrix products. One row uses dot products: half of a matrix
 * product would be wasted. */
#define neon_unpack neon_mm_unpack
#define neon_store  neon_mm_store

#include "kernels/arm/neon_dot.h"

static void neon_multiply(int kind, size_t m, size_t blocks, const uint32_t *x, size_t stride,
                          const uint8_t *unpacked, float32x4_t *acc);
LF_INLINE void neon_mm_unpack(const int bits, const uint8_t *quants, uint8_t *out);
static inline void neon_mm_store(size_t m, const float32x4_t *acc, size_t columns, float *c,
                                 size_t c_stride);

#define NEON_KIND neon_kind
#include "kernels/arm/neon_gemm_int.h"
#include "kernels/arm/neon_mm.h"

/* The start of the sums of a pair of rows. */
LF_INLINE int32x4_t start_of(const bool eighth, const uint32_t *x, size_t row, const int init)
{
    const int32x4_t magic = vdupq_n_s32(LF_MAGIC_BITS);
    if (init < 0) {
        return magic;
    }
    const int32x4_t start = vreinterpretq_s32_f32(neon_mm_first(neon_mm_numbers(x + init, row)));
    if (eighth) {
        return vaddq_s32(vshrq_n_s32(start, 3), vdupq_n_s32(LF_MAGIC_BITS - LF_MAGIC_BITS / 8));
    }
    return start;
}

LF_INLINE void start(const bool eighth, const size_t m, const uint32_t *x, size_t row,
                     const int init, int32x4_t *s)
{
#define C(c) to[c] = first;
#define P(p)                                                                                       \
    {                                                                                              \
        const int32x4_t first = start_of(eighth, x + 2 * (p)*row, row, init);                      \
        int32x4_t *to = s + 4 * (p);                                                               \
        NEON_EACH_COLUMNS(C)                                                                       \
    }
    NEON_EACH_PAIR(m, P)
#undef C
#undef P
}

/* acc = fma(isum * LHS scale, weight scale, acc), then minimums, of 32 k or of half a block. x: the
 * first row's LHS scale; sums: its dword for minimums, which with `halves` still needs the LHS
 * scale, or NULL. */
LF_INLINE void finish(const bool halves, const size_t m, const uint32_t *x, const uint32_t *sums,
                      size_t row, const int32x4_t *s, const uint8_t *scales,
                      const uint8_t *minimums, float32x4_t *acc)
{
    float32x4_t w[4], w_min[4];
    neon_mm_factors(scales, w);
    if (sums != NULL) {
        neon_mm_factors(minimums, w_min);
    }
#define C(c)                                                                                       \
    {                                                                                              \
        const float32x4_t t = vfmaq_f32(bias, vreinterpretq_f32_s32(from[c]), scale);              \
        to[c] = vfmaq_f32(to[c], t, w[c]);                                                         \
        if (sums != NULL) {                                                                        \
            to[c] = vfmsq_f32(to[c], sum, w_min[c]);                                               \
        }                                                                                          \
    }
#define P(p)                                                                                       \
    {                                                                                              \
        const int32x4_t *from = s + 4 * (p);                                                       \
        float32x4_t *to = acc + 4 * (p);                                                           \
        const float32x4_t both = neon_mm_numbers(x + 2 * (p)*row, row);                            \
        const float32x4_t scale = neon_mm_first(both), bias = neon_mm_second(both);                \
        float32x4_t sum = bias;                                                                    \
        if (sums != NULL) {                                                                        \
            sum = neon_mm_first(neon_mm_numbers(sums + 2 * (p)*row, row));                         \
            if (halves) {                                                                          \
                sum = vnegq_f32(vfmaq_f32(bias, sum, scale));                                      \
            }                                                                                      \
        }                                                                                          \
        (void)sum;                                                                                 \
        NEON_EACH_COLUMNS(C)                                                                       \
    }
    NEON_EACH_PAIR(m, P)
#undef P
#undef C
}

/* Half a block of 16 k, of 8 columns. head: the first of their factors. */
LF_INLINE void half_block(const int kind, const size_t m, const uint32_t *x, size_t row,
                          const size_t half, const uint8_t *head, const uint8_t *quants,
                          float32x4_t *acc)
{
    int32x4_t s[2 * 4];
    start(kind == NEON_Q3K, m, x, row, neon_init(kind, half), s);
    neon_mm_half(m, x + LF_X_QUANTS + 4 * half, row, quants + 256 * half, s);
    finish(true, m, x + LF_X16_SCALE_LO + 2 * half,
           neon_minimums(kind) ? x + LF_X16_INIT6_LO + half : NULL, row, s, head + 64 * half,
           head + 64 * (2 + half), acc);
}

LF_INLINE void block(const int kind, const size_t m, const uint32_t *x, size_t row,
                     const uint8_t *head, const uint8_t *quants, float32x4_t *acc)
{
    if (neon_halves(kind)) {
        half_block(kind, m, x, row, 0, head, quants, acc);
        half_block(kind, m, x, row, 1, head, quants, acc);
        return;
    }
    int32x4_t s[2 * 4];
    start(false, m, x, row, neon_init(kind, 0), s);
    neon_mm_half(m, x + LF_X_QUANTS, row, quants, s);
    neon_mm_half(m, x + LF_X_QUANTS + 4, row, quants + 256, s);
    finish(false, m, x + LF_X_SCALE, neon_minimums(kind) ? x + LF_X_SUM : NULL, row, s, head,
           head + 64, acc);
}

LF_INLINE void columns(const int kind, const size_t m, size_t blocks, const uint32_t *x,
                       size_t stride, size_t row, const uint8_t *unpacked, const size_t half,
                       float32x4_t *out)
{
    const size_t lines = neon_lines(kind);
    float32x4_t acc[2 * 4];
    neon_mm_load_acc(m, half, out, acc);
    for (; blocks > 0; blocks--, x += stride, unpacked += neon_unpacked_block(lines)) {
        block(kind, m, x, row, unpacked + 32 * half, unpacked + 64 * lines + 64 * half, acc);
    }
    neon_mm_store_acc(m, half, acc, out);
}

/* Four rows are always LF_X_DWORDS apart. */
#define SUBTILE(m, name, kind, distance)                                                           \
    static __attribute__((noinline)) void kind##_##name(size_t blocks, const uint32_t *x,          \
                                                        size_t stride, size_t row,                 \
                                                        const uint8_t *unpacked, float32x4_t *acc) \
    {                                                                                              \
        (void)row;                                                                                 \
        columns(kind, m, blocks, x, stride, distance, unpacked, 0, acc);                           \
        columns(kind, m, blocks, x, stride, distance, unpacked, 1, acc);                           \
    }
#define SUBTILES(kind)                                                                             \
    SUBTILE(2, two, kind, row)                                                                     \
    SUBTILE(4, four, kind, LF_X_DWORDS)
NEON_EACH_KIND(SUBTILES)

#define BY_PAIRS(kind) [kind] = {kind##_two, kind##_four},
static neon_subtile *const subtiles[][2] = {NEON_EACH_KIND(BY_PAIRS)};

static void neon_multiply(int kind, size_t m, size_t blocks, const uint32_t *x, size_t stride,
                          const uint8_t *unpacked, float32x4_t *acc)
{
    neon_mm_subtiles(subtiles[kind], m, blocks, x, stride, LF_X_DWORDS, unpacked, acc);
}

LF_NEON_INT_ENTRIES(neoni8mm, LF_CPU_I8MM)
