/* SPDX-License-Identifier: Apache-2.0 */
/* Subtiles of up to 4 rows and 8 columns of LF_W_Q8, without matrix products. The including file
 * defines Q8_BLOCK(m, x, quants, scales, acc): adds the products of m rows with a block of 8
 * columns to acc. */
#ifndef LF_KERNELS_ARM_NEON_TILES_Q8_H
#define LF_KERNELS_ARM_NEON_TILES_Q8_H

#include "kernels/arm/neon_tiles.h"

LF_INLINE void columns(const size_t m, size_t blocks, const uint32_t *x, size_t stride,
                       const uint8_t *unpacked, const size_t half, float32x4_t *out)
{
    float32x4_t acc[2 * 4];
    neon_load_acc(m, half, out, acc);
    for (; blocks > 0; blocks--, x += stride, unpacked += neon_unpacked_block(1)) {
        const float *head = (const float *)(const void *)(unpacked + 32 * half);
        const float32x4_t scales[2] = {vld1q_f32(head), vld1q_f32(head + 4)};
        Q8_BLOCK(m, x, unpacked + 64 + 32 * half, scales, acc);
    }
    neon_store_acc(m, half, acc, out);
}

#define SUBTILE(m)                                                                                 \
    static __attribute__((noinline)) void subtile_##m(size_t blocks, const uint32_t *x,            \
                                                      size_t stride, size_t row,                   \
                                                      const uint8_t *unpacked, float32x4_t *acc)   \
    {                                                                                              \
        (void)row; /* always LF_X2_DWORDS */                                                       \
        columns(m, blocks, x, stride, unpacked, 0, acc);                                           \
        columns(m, blocks, x, stride, unpacked, 1, acc);                                           \
    }
SUBTILE(1)
SUBTILE(2)
SUBTILE(3)
SUBTILE(4)

static void neon_multiply(int kind, size_t m, size_t blocks, const uint32_t *x, size_t stride,
                          const uint8_t *unpacked, float32x4_t *acc)
{
    static neon_subtile *const by_rows[] = {subtile_1, subtile_2, subtile_3, subtile_4};
    (void)kind;
    neon_subtiles(by_rows, 4, m, blocks, x, stride, LF_X2_DWORDS, unpacked, acc);
}

#endif /* LF_KERNELS_ARM_NEON_TILES_Q8_H */
