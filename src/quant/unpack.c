/* SPDX-License-Identifier: Apache-2.0 */
/* Unpacking of every quantized format into integer quants, scales and mins. Decoding to floats
 * (decode.c) uses it too, so both get the same numbers. */
#include "quant/unpack.h"

#include "quant/block.h"
#include "quant/numbers.h"

/* Value tables of the non-linear 4-bit formats. */
static const int8_t iq4_values[16] = {-127, -104, -83, -65, -49, -35, -22, -10,
                                      1,    13,   25,  38,  53,  69,  89,  113};
/* Twice the E2M1 values; the scale is half of the E8M0 scale in return. */
static const int8_t mxfp4_values[16] = {0, 1, 2, 3, 4, 6, 8, 12, 0, -1, -2, -3, -4, -6, -8, -12};

static float f16_at(const uint8_t *p)
{
    return lf_f16_to_f32(lf_block_u16(p));
}

/* Each loop below is a function with restrict parameters and a constant length, so that compilers
 * vectorize it at ordinary optimization levels. */

/* Twice as many quants as bytes: the low nibbles, then the high ones. */
static void nibbles16(const uint8_t *restrict q, int8_t *restrict quants, int bias)
{
    for (int j = 0; j < 16; j++) {
        quants[j] = (int8_t)((q[j] & 15) + bias);
    }
    for (int j = 0; j < 16; j++) {
        quants[j + 16] = (int8_t)((q[j] >> 4) + bias);
    }
}

static void nibbles32(const uint8_t *restrict q, int8_t *restrict quants)
{
    for (int j = 0; j < 32; j++) {
        quants[j] = (int8_t)(q[j] & 15);
    }
    for (int j = 0; j < 32; j++) {
        quants[j + 32] = (int8_t)(q[j] >> 4);
    }
}

/* Bit `bit` of each byte becomes bit 4 of its quant. */
static void add_bit4(const uint8_t *restrict high, int bit, int8_t *restrict quants)
{
    for (int j = 0; j < 32; j++) {
        quants[j] = (int8_t)(quants[j] | (high[j] >> bit & 1) << 4);
    }
}

/* 32 quants of Q6_K: four bits of `low` from low_shift on, then two of `high` from high_shift on.
 */
static void six_bits(const uint8_t *restrict low, int low_shift, const uint8_t *restrict high,
                     int high_shift, int8_t *restrict quants)
{
    for (int j = 0; j < 32; j++) {
        quants[j] = (int8_t)(((low[j] >> low_shift & 15) | (high[j] >> high_shift & 3) << 4) - 32);
    }
}

static void table_nibbles(const uint8_t *q, int8_t *quants, const int8_t *table)
{
    for (int j = 0; j < 16; j++) {
        quants[j] = table[q[j] & 15];
        quants[j + 16] = table[q[j] >> 4];
    }
}

/* Adds 16 where the element's bit is set. */
static void fifth_bits(uint32_t high, int8_t *quants)
{
    for (int j = 0; j < 32; j++) {
        quants[j] = (int8_t)(quants[j] + (int)((high >> j) & 1u) * 16);
    }
}

static void unpack_q4_0(const uint8_t *src, size_t blocks, int8_t *quants, float *scales)
{
    for (size_t b = 0; b < blocks; b++, src += LF_Q4_0_BYTES) {
        scales[b] = f16_at(src);
        nibbles16(src + 2, quants + b * LF_BLOCK, -8);
    }
}

static void unpack_q4_1(const uint8_t *src, size_t blocks, int8_t *quants, float *scales,
                        float *mins)
{
    for (size_t b = 0; b < blocks; b++, src += LF_Q4_1_BYTES) {
        scales[b] = f16_at(src);
        mins[b] = -f16_at(src + 2);
        nibbles16(src + 4, quants + b * LF_BLOCK, 0);
    }
}

static void unpack_q5_0(const uint8_t *src, size_t blocks, int8_t *quants, float *scales)
{
    for (size_t b = 0; b < blocks; b++, src += LF_Q5_0_BYTES) {
        scales[b] = f16_at(src);
        nibbles16(src + 6, quants + b * LF_BLOCK, -16);
        fifth_bits(lf_block_u32(src + 2), quants + b * LF_BLOCK);
    }
}

static void unpack_q5_1(const uint8_t *src, size_t blocks, int8_t *quants, float *scales,
                        float *mins)
{
    for (size_t b = 0; b < blocks; b++, src += LF_Q5_1_BYTES) {
        scales[b] = f16_at(src);
        mins[b] = -f16_at(src + 2);
        nibbles16(src + 8, quants + b * LF_BLOCK, 0);
        fifth_bits(lf_block_u32(src + 4), quants + b * LF_BLOCK);
    }
}

static void unpack_q8_0(const uint8_t *src, size_t blocks, int8_t *quants, float *scales)
{
    for (size_t b = 0; b < blocks; b++, src += LF_Q8_0_BYTES) {
        scales[b] = f16_at(src);
        memcpy(quants + b * LF_BLOCK, src + 2, LF_BLOCK);
    }
}

static void unpack_iq4_nl(const uint8_t *src, size_t blocks, int8_t *quants, float *scales)
{
    for (size_t b = 0; b < blocks; b++, src += LF_IQ4_NL_BYTES) {
        scales[b] = f16_at(src);
        table_nibbles(src + 2, quants + b * LF_BLOCK, iq4_values);
    }
}

/* 2^(e - 128), half of the E8M0 scale; subnormal for e < 2. */
static float mxfp4_scale(uint8_t e)
{
    return lf_float_of(e < 2 ? (uint32_t)0x00200000 << e : (e - 1u) << 23);
}

static void unpack_mxfp4(const uint8_t *src, size_t blocks, int8_t *quants, float *scales)
{
    for (size_t b = 0; b < blocks; b++, src += LF_MXFP4_BYTES) {
        scales[b] = mxfp4_scale(src[0]);
        table_nibbles(src + 1, quants + b * LF_BLOCK, mxfp4_values);
    }
}

/* Scales and mins of the 8 sub-blocks from the head of a Q4_K or Q5_K block: f16 d, f16 dmin, and
 * 12 bytes with eight pairs of 6 bits. The top bits of the last four pairs are in the spare bits of
 * the first four. */
static void k_scales(const uint8_t *src, float *scales, float *mins)
{
    float d = f16_at(src);
    float dmin = f16_at(src + 2);
    const uint8_t *s = src + 4;
    for (int b = 0; b < 4; b++) {
        scales[b] = d * (float)(s[b] & 63);
        mins[b] = dmin * (float)(s[b + 4] & 63);
        scales[b + 4] = d * (float)((s[b + 8] & 15) | ((s[b] >> 6) << 4));
        mins[b + 4] = dmin * (float)((s[b + 8] >> 4) | ((s[b + 4] >> 6) << 4));
    }
}

static void unpack_q4_k(const uint8_t *src, size_t blocks, int8_t *quants, float *scales,
                        float *mins)
{
    for (size_t b = 0; b < blocks; b++, src += LF_Q4_K_BYTES) {
        k_scales(src, scales + b * 8, mins + b * 8);
        for (int pair = 0; pair < 4; pair++) {
            nibbles32(src + 16 + pair * 32, quants + b * LF_SUPER_BLOCK + pair * 64);
        }
    }
}

static void unpack_q5_k(const uint8_t *src, size_t blocks, int8_t *quants, float *scales,
                        float *mins)
{
    for (size_t b = 0; b < blocks; b++, src += LF_Q5_K_BYTES) {
        k_scales(src, scales + b * 8, mins + b * 8);
        for (int pair = 0; pair < 4; pair++) {
            int8_t *out = quants + b * LF_SUPER_BLOCK + pair * 64;
            nibbles32(src + 48 + pair * 32, out);
            add_bit4(src + 16, 2 * pair, out);
            add_bit4(src + 16, 2 * pair + 1, out + 32);
        }
    }
}

static void unpack_q6_k(const uint8_t *src, size_t blocks, int8_t *quants, float *scales)
{
    for (size_t b = 0; b < blocks; b++, src += LF_Q6_K_BYTES) {
        float d = f16_at(src + 208);
        for (int s = 0; s < 16; s++) {
            scales[b * 16 + (size_t)s] = d * (float)(int8_t)src[192 + s];
        }
        for (int half = 0; half < 2; half++) { /* 128 elements: 4 times 32 */
            const uint8_t *low = src + half * 64;
            const uint8_t *high = src + 128 + half * 32;
            int8_t *out = quants + b * LF_SUPER_BLOCK + half * 128;
            six_bits(low, 0, high, 0, out);
            six_bits(low + 32, 0, high, 2, out + 32);
            six_bits(low, 4, high, 4, out + 64);
            six_bits(low + 32, 4, high, 6, out + 96);
        }
    }
}

static void unpack_iq4_xs(const uint8_t *src, size_t blocks, int8_t *quants, float *scales)
{
    for (size_t b = 0; b < blocks; b++, src += LF_IQ4_XS_BYTES) {
        float d = f16_at(src);
        unsigned high = lf_block_u16(src + 2);
        for (unsigned s = 0; s < 8; s++) {
            unsigned low = (unsigned)src[4 + s / 2] >> (4 * (s % 2)) & 15u;
            int scale = (int)(low | ((high >> (2 * s)) & 3u) << 4) - 32;
            scales[b * 8 + s] = d * (float)scale;
            table_nibbles(src + 8 + s * 16, quants + b * LF_SUPER_BLOCK + s * 32, iq4_values);
        }
    }
}

void lf_unpack_row(lf_type type, const void *src, size_t n, int8_t *quants, float *scales,
                   float *mins)
{
    switch (type) {
    case LF_Q4_0:
        unpack_q4_0(src, n / LF_BLOCK, quants, scales);
        break;
    case LF_Q4_1:
        unpack_q4_1(src, n / LF_BLOCK, quants, scales, mins);
        break;
    case LF_Q5_0:
        unpack_q5_0(src, n / LF_BLOCK, quants, scales);
        break;
    case LF_Q5_1:
        unpack_q5_1(src, n / LF_BLOCK, quants, scales, mins);
        break;
    case LF_Q8_0:
        unpack_q8_0(src, n / LF_BLOCK, quants, scales);
        break;
    case LF_Q4_K:
        unpack_q4_k(src, n / LF_SUPER_BLOCK, quants, scales, mins);
        break;
    case LF_Q5_K:
        unpack_q5_k(src, n / LF_SUPER_BLOCK, quants, scales, mins);
        break;
    case LF_Q6_K:
        unpack_q6_k(src, n / LF_SUPER_BLOCK, quants, scales);
        break;
    case LF_IQ4_NL:
        unpack_iq4_nl(src, n / LF_BLOCK, quants, scales);
        break;
    case LF_IQ4_XS:
        unpack_iq4_xs(src, n / LF_SUPER_BLOCK, quants, scales);
        break;
    case LF_MXFP4:
        unpack_mxfp4(src, n / LF_BLOCK, quants, scales);
        break;
    case LF_NVFP4:
        lf_unpack_nvfp4(src, n / LF_NVFP4_BLOCK, quants, scales);
        break;
    case LF_Q2_K:
        lf_unpack_q2_k(src, n / LF_SUPER_BLOCK, quants, scales, mins);
        break;
    case LF_Q3_K:
        lf_unpack_q3_k(src, n / LF_SUPER_BLOCK, quants, scales);
        break;
    case LF_IQ1_S:
    case LF_IQ1_M:
    case LF_IQ2_XXS:
    case LF_IQ2_XS:
    case LF_IQ2_S:
    case LF_IQ3_XXS:
    case LF_IQ3_S:
        lf_unpack_iq(type, src, n / LF_SUPER_BLOCK, quants, scales);
        break;
    case LF_F32:
    case LF_F16:
    case LF_BF16:
        break;
    }
}
