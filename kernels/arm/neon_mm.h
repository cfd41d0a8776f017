/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Sums of the integer kernels by matrix products (smmla), for more than one row. An instruction
 * multiplies 8 k of 2 rows with 8 k of 2 columns; so rows are in pairs, and sums of a pair of rows
 * are eight registers, each of two columns: first row, first row, second row, second row. Float
 * sums stay in that order until the results are stored. A tile of an odd number of rows computes
 * its last row twice.
 */
#ifndef LF_KERNELS_ARM_NEON_MM_H
#define LF_KERNELS_ARM_NEON_MM_H

#include "kernels/arm/neon_tiles.h"

/* F(c) for each of 4 pairs of columns: subtiles have 8 columns. F(p) for each pair of at most 4
 * rows. The sums of pair p of rows and c of columns are at 4 * p + c. */
#define NEON_EACH_COLUMNS(F)    F(0) F(1) F(2) F(3)
#define NEON_EACH_PAIR(rows, F) LF_ROW_IF(rows, 0, F) LF_ROW_IF((rows) / 2, 1, F)

/* All m rows in subtiles of 4 rows and of 2. by_pairs[n - 1] computes n pairs. */
LF_INLINE void neon_mm_subtiles(neon_subtile *const *by_pairs, size_t m, size_t blocks,
                                const uint32_t *x, size_t stride, const size_t row,
                                const uint8_t *unpacked, float32x4_t *acc)
{
    size_t i = 0;
    for (; i + 4 <= m; i += 4) {
        by_pairs[1](blocks, x + i * row, stride, row, unpacked, acc + 4 * i);
    }
    for (; i < m; i += 2) {
        by_pairs[0](blocks, x + i * row, stride, m - i > 1 ? row : 0, unpacked, acc + 4 * i);
    }
}

/* Rows' sums of 8 columns. */
LF_INLINE void neon_mm_load_acc(const size_t m, const size_t half, const float32x4_t *from,
                                float32x4_t *acc)
{
#define C(c) to[c] = at[c];
#define P(p)                                                                                       \
    {                                                                                              \
        float32x4_t *to = acc + 4 * (p);                                                           \
        const float32x4_t *at = from + 8 * (p) + 4 * half;                                         \
        NEON_EACH_COLUMNS(C)                                                                       \
    }
    NEON_EACH_PAIR(m, P)
#undef P
}

LF_INLINE void neon_mm_store_acc(const size_t m, const size_t half, const float32x4_t *acc,
                                 float32x4_t *out){
#define P(p)                                                                                       \
    {                                                                                              \
        float32x4_t *to = out + 8 * (p) + 4 * half;                                                \
        const float32x4_t *at = acc + 4 * (p);                                                     \
        NEON_EACH_COLUMNS(C)                                                                       \
    }
    NEON_EACH_PAIR(m, P)
#undef P
#undef C
}

/* All groups of a block, [4][8] registers with 8 k of two columns each. */
LF_INLINE void neon_mm_unpack(const int bits, const uint8_t *quants, uint8_t *out){
#define Q(q)                                                                                       \
    {                                                                                              \
        const int32x4_t first = vreinterpretq_s32_s8(lf_neon_quants(bits, quants, group, q));      \
        const int32x4_t second = vreinterpretq_s32_s8(lf_neon_quants(bits, quants, group + 1, q)); \
        vst1q_s32(to + 8 * (q), vzip1q_s32(first, second));                                        \
        vst1q_s32(to + 8 * (q) + 4, vzip2q_s32(first, second));                                    \
    }
#define G(g)                                                                                       \
    {                                                                                              \
        const size_t group = 2 * (g);                                                              \
        int32_t *to = (int32_t *)(void *)(out + 128 * (g));                                        \
        LF_EACH_QUAD(Q)                                                                            \
    }
    G(0) G(1) G(2) G(3)
#undef G
#undef Q
}

/* Two consecutive numbers of each of two rows. */
LF_INLINE float32x4_t neon_mm_numbers(const uint32_t *x, size_t row)
{
    const float *first = (const float *)(const void *)x;
    return vcombine_f32(vld1_f32(first), vld1_f32(first + row));
}

/* The first or the second of the two, in the order of the sums. */
LF_INLINE float32x4_t neon_mm_first(float32x4_t numbers)
{
    return vtrn1q_f32(numbers, numbers);
}

LF_INLINE float32x4_t neon_mm_second(float32x4_t numbers)
{
    return vtrn2q_f32(numbers, numbers);
}

/* s += 16 k of m rows, whose LHS quants are at x, `row` dwords apart. quants: those of the 16 k, of
 * the first of the 8 columns. */
LF_INLINE void neon_mm_half(const size_t m, const uint32_t *x, size_t row, const uint8_t *quants,
                            int32x4_t *s)
{
    int8x16_t a[2], b[2];
#define P(p)                                                                                       \
    {                                                                                              \
        const int64_t *at = (const int64_t *)(const void *)(x + 2 * (p)*row);                      \
        const int64_t *next = (const int64_t *)(const void *)(x + (2 * (p) + 1) * row);            \
        const int64x2_t first = vreinterpretq_s64_s8(vld1q_s8((const int8_t *)(const void *)at));  \
        const int64x2_t second =                                                                   \
            vreinterpretq_s64_s8(vld1q_s8((const int8_t *)(const void *)next));                    \
        a[p] = vreinterpretq_s8_s64(vzip1q_s64(first, second));                                    \
        b[p] = vreinterpretq_s8_s64(vzip2q_s64(first, second));                                    \
    }
    NEON_EACH_PAIR(m, P)
#undef P
    const int8_t *w = (const int8_t *)quants;
    int8x16_t now[4];
#define C(c) now[c] = vld1q_s8(w + 16 * (c));
    NEON_EACH_COLUMNS(C)
#undef C
#define C(c) to[c] = vmmlaq_s32(to[c], pair, now[c]);
#define P(p)                                                                                       \
    {                                                                                              \
        int32x4_t *to = s + 4 * (p);                                                               \
        const int8x16_t pair = a[p];                                                               \
        NEON_EACH_COLUMNS(C)                                                                       \
    }
    NEON_EACH_PAIR(m, P)
#undef P
#undef C
    w += 128;
#define C(c) now[c] = vld1q_s8(w + 16 * (c));
    NEON_EACH_COLUMNS(C)
#undef C
#define C(c) to[c] = vmmlaq_s32(to[c], pair, now[c]);
#define P(p)                                                                                       \
    {                                                                                              \
        int32x4_t *to = s + 4 * (p);                                                               \
        const int8x16_t pair = b[p];                                                               \
        NEON_EACH_COLUMNS(C)                                                                       \
    }
    NEON_EACH_PAIR(m, P)
#undef P
#undef C
}

/* A line of factors of 8 columns, in the order of the sums. */
LF_INLINE void neon_mm_factors(const uint8_t *line, float32x4_t *out)
{
    const double *at = (const double *)(const void *)line;
#define C(c) out[c] = vreinterpretq_f32_f64(vld1q_dup_f64(at + (c)));
    NEON_EACH_COLUMNS(C)
#undef C
}

/* Writes the results of m rows. */
static inline void neon_mm_store(size_t m, const float32x4_t *acc, size_t columns, float *c,
                                 size_t c_stride)
{
    for (size_t row = 0; row < m; row += 2, acc += 8) {
        float32x4_t first[4], second[4];
        for (size_t q = 0; q < 4; q++) {
            const float32x4_t low = acc[2 * q], high = acc[2 * q + 1];
            first[q] = vcombine_f32(vget_low_f32(low), vget_low_f32(high));
            second[q] = vcombine_f32(vget_high_f32(low), vget_high_f32(high));
        }
        lf_neon_store_row(first, columns, c + row * c_stride);
        if (row + 1 < m) {
            lf_neon_store_row(second, columns, c + (row + 1) * c_stride);
        }
    }
}

#endif /* LF_KERNELS_ARM_NEON_MM_H */
