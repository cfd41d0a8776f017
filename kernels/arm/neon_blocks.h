/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Blocks of 32 k of the integer kernels by nq quads of m rows. The including file defines
 *
 * void neon_sums(bits, eighth, nq, m, x, init, quants, first, end, s): s = the products of groups
 * [first, end) of the weight block at `quants`, stored as `bits` says, with each row's block at x,
 * plus the start that lf_neon_start makes.
 */
#ifndef LF_KERNELS_ARM_NEON_BLOCKS_H
#define LF_KERNELS_ARM_NEON_BLOCKS_H

#include "kernels/arm/neon_formats.h"
#include "kernels/arm/neon_tiles.h"

/* Half a block of 16 k. factors: lines of nq quads. */
LF_INLINE void neon_half(const int format, const int bits, const size_t nq, const size_t m,
                         const uint32_t *x, const size_t half, const uint8_t *quants,
                         const float32x4_t *factors, float32x4_t *acc)
{
    int32x4_t s[8];
    const uint32_t *scale = x + LF_X16_SCALE_LO + 2 * half;
    neon_sums(bits, format == NEON_Q3K, nq, m, x, neon_init(format, half), quants, 4 * half,
              4 * half + 4, s);
    lf_neon_finish(nq, m, scale, s, factors + nq * half, NULL, NULL, acc);
    if (neon_minimums(format)) {
        lf_neon_minimums(nq, m, x + LF_X16_INIT6_LO + half, scale, factors + nq * (2 + half), acc);
    }
}

LF_INLINE void neon_block(const int format, const int bits, const size_t nq, const size_t m,
                          const uint32_t *x, const uint8_t *quants, const float32x4_t *factors,
                          float32x4_t *acc)
{
    if (neon_halves(format)) {
        neon_half(format, bits, nq, m, x, 0, quants, factors, acc);
        neon_half(format, bits, nq, m, x, 1, quants, factors, acc);
        return;
    }
    int32x4_t s[8];
    neon_sums(bits, false, nq, m, x, neon_init(format, 0), quants, 0, 8, s);
    lf_neon_finish(nq, m, x + LF_X_SCALE, s, factors, neon_minimums(format) ? x + LF_X_SUM : NULL,
                   factors + nq, acc);
}

/* Unpacked blocks times m rows, for 8 columns. */
LF_INLINE void neon_columns(const int kind, const int bits, const size_t m, size_t blocks,
                            const uint32_t *x, size_t stride, const uint8_t *unpacked,
                            const size_t half, float32x4_t *out)
{
    const size_t lines = neon_lines(kind);
    float32x4_t acc[8];
    neon_load_acc(m, half, out, acc);
    for (; blocks > 0; blocks--, x += stride, unpacked += neon_unpacked_block(lines)) {
        const float *head = (const float *)(const void *)(unpacked + 32 * half);
        float32x4_t factors[2 * NEON_MOST_LINES];
        for (size_t i = 0; i < lines; i++) {
            factors[2 * i] = vld1q_f32(head + 16 * i);
            factors[2 * i + 1] = vld1q_f32(head + 16 * i + 4);
        }
        neon_block(kind, bits, 2, m, x, unpacked + 64 * lines + 32 * half, factors, acc);
    }
    neon_store_acc(m, half, acc, out);
}

#define NEON_SUBTILE(m, kind, bits)                                                                \
    static __attribute__((noinline)) void kind##_subtile_##m(                                      \
        size_t blocks, const uint32_t *x, size_t stride, size_t row, const uint8_t *unpacked,      \
        float32x4_t *acc)                                                                          \
    {                                                                                              \
        (void)row; /* always LF_X_DWORDS */                                                        \
        neon_columns(kind, bits, m, blocks, x, stride, unpacked, 0, acc);                          \
        neon_columns(kind, bits, m, blocks, x, stride, unpacked, 1, acc);                          \
    }
#define NEON_SUBTILES(kind, bits)                                                                  \
    NEON_SUBTILE(1, kind, bits)                                                                    \
    NEON_SUBTILE(2, kind, bits)                                                                    \
    NEON_SUBTILE(3, kind, bits)                                                                    \
    NEON_SUBTILE(4, kind, bits)
#define NEON_BY_ROWS(kind)                                                                         \
    [kind] = {kind##_subtile_1, kind##_subtile_2, kind##_subtile_3, kind##_subtile_4},

#endif /* LF_KERNELS_ARM_NEON_BLOCKS_H */
