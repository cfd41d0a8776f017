/* SPDX-License-Identifier: Apache-2.0 */
/* Unpacking of Q2_K, Q3_K and NVFP4: low-bit formats with a scale for every 16 elements. */
#include "quant/unpack.h"

#include "quant/block.h"
#include "quant/numbers.h"

/* Twice the E2M1 values; the scale is half of the stored scale in return. */
static const int8_t e2m1_values[16] = {0, 1, 2, 3, 4, 6, 8, 12, 0, -1, -2, -3, -4, -6, -8, -12};

/* 32 quants: two bits of every byte. */
static void two_bits(const uint8_t *restrict low, int shift, int8_t *restrict quants)
{
    for (int j = 0; j < 32; j++) {
        quants[j] = (int8_t)(low[j] >> shift & 3);
    }
}

/* Subtracts 4 where bit `bit` of the byte is 0. */
static void third_bit(const uint8_t *restrict high, int bit, int8_t *restrict quants)
{
    for (int j = 0; j < 32; j++) {
        quants[j] = (int8_t)(quants[j] + 4 * (high[j] >> bit & 1) - 4);
    }
}

/* Q2_K: 16 bytes of 4-bit scales and mins, 64 of quants, f16 d and dmin. */
void lf_unpack_q2_k(const uint8_t *src, size_t blocks, int8_t *quants, float *scales, float *mins)
{
    for (size_t b = 0; b < blocks; b++, src += LF_Q2_K_BYTES) {
        float d = lf_f16_value(lf_block_u16(src + 80));
        float dmin = lf_f16_value(lf_block_u16(src + 82));
        for (int g = 0; g < 16; g++) {
            *scales++ = d * (float)(src[g] & 15);
            *mins++ = dmin * (float)(src[g] >> 4);
        }
        for (int part = 0; part < 8; part++, quants += 32) {
            two_bits(src + 16 + part / 4 * 32, 2 * (part % 4), quants);
        }
    }
}

/* Q3_K: 32 bytes of third bits, 64 of low bits, 16 scales of 6 bits, f16 d. The low nibbles of
 * scales 0 to 7 are in the low halves of the first 8 scale bytes, those of 8 to 15 in the high
 * halves; the upper two bits of scale g are in byte 8 + g % 4. */
void lf_unpack_q3_k(const uint8_t *src, size_t blocks, int8_t *quants, float *scales)
{
    for (size_t b = 0; b < blocks; b++, src += LF_Q3_K_BYTES) {
        const uint8_t *packed = src + 96;
        float d = lf_f16_value(lf_block_u16(src + 108));
        for (int g = 0; g < 16; g++) {
            int low = packed[g % 8] >> 4 * (g / 8) & 15;
            int high = packed[8 + g % 4] >> 2 * (g / 4) & 3;
            *scales++ = d * (float)((low | high << 4) - 32);
        }
        for (int part = 0; part < 8; part++, quants += 32) {
            two_bits(src + 32 + part / 4 * 32, 2 * (part % 4), quants);
            third_bit(src, part, quants);
        }
    }
}

/* Half of an unsigned E4M3 number; its top bit is ignored, 0x7F is 0. */
static float e4m3_half(uint8_t byte)
{
    unsigned exponent = byte >> 3 & 15u;
    unsigned mantissa = byte & 7u;
    if (byte == 0x7f) {
        return 0.0f;
    }
    if (exponent == 0) {
        return (float)mantissa * 0x1p-10f;
    }
    return (float)(8 + mantissa) * lf_float_of((127u - 11u + exponent) << 23);
}

/* NVFP4: four scales, then 8 bytes for each group: elements 0 to 7 are the low nibbles. */
void lf_unpack_nvfp4(const uint8_t *src, size_t blocks, int8_t *quants, float *scales)
{
    for (size_t b = 0; b < blocks; b++, src += LF_NVFP4_BYTES) {
        for (int g = 0; g < 4; g++, quants += 16) {
            const uint8_t *q = src + 4 + 8 * g;
            *scales++ = e4m3_half(src[g]);
            for (int j = 0; j < 8; j++) {
                quants[j] = e2m1_values[q[j] & 15];
                quants[j + 8] = e2m1_values[q[j] >> 4];
            }
        }
    }
}
