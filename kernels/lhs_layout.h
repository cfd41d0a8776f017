/* SPDX-License-Identifier: Apache-2.0 */
/* Layouts of the quantized LHS formats, how their scales are made, and the functions of
 * scalar/lhs.c that every ISA uses. */
#ifndef LF_KERNELS_LHS_LAYOUT_H
#define LF_KERNELS_LHS_LAYOUT_H

#include "kernels/kernels.h"
#include "kernels/numbers.h"

/* A quantized row is a sequence of blocks of 32 values; a block is a head of constants and then
 * dwords of quants. A packed tile of m rows is the first block of each row, then the second block
 * of each, and so on. Every operand of a kernel's inner loop is then a broadcast from one stream at
 * a constant offset, and the tile of one row is the row. */

/* ---- LF_LHS_I8B32, LF_LHS_I8B16: 14 dwords a block
 * -----------------------------------------------
 *
 * An int32 sum s that starts at LF_MAGIC_BITS is the bit pattern of the float LF_MAGIC + s as long
 * as |s| < 2^22; the largest sum is 32 * 127 * 128 = 520192. The bias, -LF_MAGIC * scale, is exact
 * because the scale has 22 significant bits. So fma(LF_MAGIC + s, scale, bias) is the correctly
 * rounded s * scale: one instruction instead of a conversion and a product. */
enum {
    LF_X_INIT4,  /* int32: LF_MAGIC_BITS - 8 * sum of the quants */
    LF_X_INIT8,  /* int32: LF_MAGIC_BITS - 128 * sum of the quants */
    LF_X_SUM,    /* float: sum of the quants * scale, for minimums */
    LF_X_ZERO,   /* 0; makes the blocks as large as those of LF_LHS_I8B16 */
    LF_X_SCALE,  /* float, 22 significant bits */
    LF_X_BIAS,   /* float: -LF_MAGIC * scale */
    LF_X_QUANTS, /* 8 dwords of 4 int8 quants, -127..127 */
    LF_X_DWORDS = LF_X_QUANTS + 8,
    LF_X_BYTES = LF_X_DWORDS * 4
};

/* LF_LHS_I8B16 has a scale for each half of 16 values. */
enum {
    LF_X16_INIT6_LO, /* int32: LF_MAGIC_BITS - 32 * sum of the first 16 quants */
    LF_X16_INIT6_HI, /* int32: the same of the last 16 */
    LF_X16_SCALE_LO, /* float, 22 significant bits; its bias follows */
    LF_X16_BIAS_LO,
    LF_X16_SCALE_HI,
    LF_X16_BIAS_HI
};

/* ---- LF_LHS_I16B32, LF_LHS_I8X2B32: 18 dwords a block
 * --------------------------------------------
 *
 * LF_LHS_I16B32 has pairs of int16 quants: of each 4 values first the even ones, then the odd ones.
 * LF_LHS_I8X2B32 has the upper int8 of 32 quants, then the lower ones. The largest quant is
 * 127 * 256, so that its upper int8 is 127. */
enum {
    LF_X2_INIT,  /* int32: -128 * sum of the quants */
    LF_X2_SCALE, /* float */
    LF_X2_QUANTS,
    LF_X2_DWORDS = LF_X2_QUANTS + 16,
    LF_X2_BYTES = LF_X2_DWORDS * 4
};
#define LF_X2_MAX 32512.0f

/* ---- Scales
 * --------------------------------------------------------------------------------------
 *
 * A block whose largest magnitude is below 2^-100 becomes zeros. At 2^110 and above, infinities and
 * NaN included, the scale becomes NaN, so that the results are NaN, too. The macros are the bit
 * patterns of both limits. */
#define LF_X_TINY 0x0D800000u
#define LF_X_HUGE 0x76800000u

/* Rounded to the 22 significant bits that make LF_X_BIAS exact. */
static inline float lf_scale22(float scale)
{
    return lf_float((lf_bits(scale) + 2u) & ~3u);
}

/* Scale of a block from the bits of its largest magnitude: LF_LHS_I8B32, LF_LHS_I8B16. */
static inline float lf_block_scale(uint32_t amax)
{
    if (amax >= LF_X_HUGE) {
        return lf_float(0x7FC00000u);
    }
    return amax >= LF_X_TINY ? lf_scale22(lf_float(amax) * (1.0f / 127.0f)) : 0.0f;
}

/* The same for LF_LHS_I16B32 and LF_LHS_I8X2B32. */
static inline float lf_block_scale16(uint32_t amax)
{
    if (amax >= LF_X_HUGE) {
        return lf_float(0x7FC00000u);
    }
    return amax >= LF_X_TINY ? lf_float(amax) * (1.0f / LF_X2_MAX) : 0.0f;
}

/* Writes the head of a block of LF_LHS_I8B32 from its scale and the sum of its quants. */
static inline void lf_put_block(uint8_t *out, float scale, int32_t sum)
{
    const uint32_t head[LF_X_QUANTS] = {[LF_X_INIT4] = (uint32_t)(LF_MAGIC_BITS - 8 * sum),
                                        [LF_X_INIT8] = (uint32_t)(LF_MAGIC_BITS - 128 * sum),
                                        [LF_X_SUM] = lf_bits((float)sum * scale),
                                        [LF_X_SCALE] = lf_bits(scale),
                                        [LF_X_BIAS] = lf_bits(-LF_MAGIC * scale)};
    memcpy(out, head, sizeof head);
}

/* The same for one half of a block of LF_LHS_I8B16. */
static inline void lf_put_half(uint8_t *out, size_t half, float scale, int32_t sum)
{
    const uint32_t init = (uint32_t)(LF_MAGIC_BITS - 32 * sum);
    const uint32_t factors[2] = {lf_bits(scale), lf_bits(-LF_MAGIC * scale)};
    memcpy(out + (LF_X16_INIT6_LO + half) * 4, &init, sizeof init);
    memcpy(out + (LF_X16_SCALE_LO + 2 * half) * 4, factors, sizeof factors);
}

/* ---- Sizes and packing (scalar/lhs.c): x2 is LF_LHS_I16B32 and LF_LHS_I8X2B32 * ---- */

size_t lf_row_bytes_f32(size_t k);
size_t lf_row_bytes_i8b32(size_t k);
size_t lf_row_bytes_x2(size_t k);
size_t lf_tile_bytes_f32(size_t m, size_t k);
size_t lf_tile_bytes_i8b32(size_t m, size_t k);
size_t lf_tile_bytes_x2(size_t m, size_t k);
void lf_lhs_pack_f32(size_t m, size_t k, const void *const *rows, void *tile);
void lf_lhs_pack_i8b32(size_t m, size_t k, const void *const *rows, void *tile);
void lf_lhs_pack_x2(size_t m, size_t k, const void *const *rows, void *tile);

#endif /* LF_KERNELS_LHS_LAYOUT_H */
