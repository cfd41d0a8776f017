/* SPDX-License-Identifier: Apache-2.0 */
/* Encoding of rows, and the encoders without an importance matrix of all formats but the K formats.
 * They follow llama.cpp's encoders in f32 and in the same order of operations, so that the bytes
 * are identical. */
#include "quant/encode.h"

#include "quant/block.h"
#include "quant/numbers.h"

#include <float.h>
#include <math.h>

/* Truncates; defined for every input, NaN included. */
static int clamp_to_int(float v, int low, int high)
{
    if (!(v > (float)low)) {
        return low;
    }
    return v < (float)high ? (int)v : high;
}

/* Nearest integer, ties away from zero. |v| < 2^22. */
static int round_away(float v)
{
    int whole = (int)v;
    float rest = v - (float)whole;
    return whole + (rest >= 0.5f) - (rest <= -0.5f);
}

/* 1 / d, or `overflow` if that is not finite. A scale so small is stored as 0, so every quant
 * decodes to 0; `overflow` is chosen so that the quants are 0, as the reference encoder's. */
static float inverse_of(float d, float overflow)
{
    float inverse = d != 0.0f ? 1.0f / d : 0.0f;
    return lf_magnitude(inverse) <= FLT_MAX ? inverse : overflow;
}

/* Scale = largest magnitude / 127. */
static void encode_q8_0(const float *src, uint8_t *dst, size_t blocks)
{
    for (size_t b = 0; b < blocks; b++, src += LF_BLOCK, dst += LF_Q8_0_BYTES) {
        float d = lf_magnitude(lf_extreme(src, LF_BLOCK)) / 127.0f;
        float inverse = inverse_of(d, 0.0f);
        lf_block_put_u16(dst, lf_f32_to_f16(d));
        for (int j = 0; j < LF_BLOCK; j++) {
            float v = src[j] * inverse;
            v = v > -128.0f ? v : -128.0f;
            v = v < 127.0f ? v : 127.0f;
            dst[2 + j] = (uint8_t)round_away(v);
        }
    }
}

/* The element of largest magnitude gets the quant -8. */
static void encode_q4_0(const float *src, uint8_t *dst, size_t blocks)
{
    for (size_t b = 0; b < blocks; b++, src += LF_BLOCK, dst += LF_Q4_0_BYTES) {
        float d = lf_extreme(src, LF_BLOCK) / -8.0f;
        float inverse = inverse_of(d, NAN);
        lf_block_put_u16(dst, lf_f32_to_f16(d));
        for (int j = 0; j < LF_BLOCK / 2; j++) {
            int low = clamp_to_int(src[j] * inverse + 8.5f, 0, 15);
            int high = clamp_to_int(src[j + LF_BLOCK / 2] * inverse + 8.5f, 0, 15);
            dst[2 + j] = (uint8_t)(low | high << 4);
        }
    }
}

void lf_pack_nibbles(const uint8_t *quants, uint8_t *dst)
{
    for (int j = 0; j < LF_BLOCK / 2; j++) {
        dst[j] = (uint8_t)((quants[j] & 15) | (quants[j + LF_BLOCK / 2] & 15) << 4);
    }
}

void lf_pack_q5(const uint8_t *quants, uint8_t *dst)
{
    for (int j = 0; j < 4; j++) {
        unsigned bits = 0;
        for (int i = 0; i < 8; i++) {
            bits |= (unsigned)(quants[j * 8 + i] >> 4) << i;
        }
        dst[j] = (uint8_t)bits;
    }
    lf_pack_nibbles(quants, dst + 4);
}

/* The element of largest magnitude gets the quant -16. */
static void encode_q5_0(const float *src, uint8_t *dst, size_t blocks)
{
    for (size_t b = 0; b < blocks; b++, src += LF_BLOCK, dst += LF_Q5_0_BYTES) {
        float d = lf_extreme(src, LF_BLOCK) / -16.0f;
        float inverse = inverse_of(d, NAN);
        uint8_t quants[LF_BLOCK];
        for (int j = 0; j < LF_BLOCK; j++) {
            quants[j] = (uint8_t)clamp_to_int(src[j] * inverse + 16.5f, 0, 31);
        }
        lf_block_put_u16(dst, lf_f32_to_f16(d));
        lf_pack_q5(quants, dst + 2);
    }
}

/* Q4_1 and Q5_1: the quants 0..top span the range from the smallest element to the largest. */
static void encode_range(const float *src, int top, uint8_t *dst, uint8_t *quants)
{
    float low = src[0];
    float high = src[0];
    for (int j = 1; j < LF_BLOCK; j++) {
        low = src[j] < low ? src[j] : low;
        high = src[j] > high ? src[j] : high;
    }
    float d = (high - low) / (float)top;
    float inverse = inverse_of(d, NAN);
    for (int j = 0; j < LF_BLOCK; j++) {
        quants[j] = (uint8_t)clamp_to_int((src[j] - low) * inverse + 0.5f, 0, top);
    }
    lf_block_put_u16(dst, lf_f32_to_f16(d));
    lf_block_put_u16(dst + 2, lf_f32_to_f16(low));
}

static void encode_q4_1(const float *src, uint8_t *dst, size_t blocks)
{
    for (size_t b = 0; b < blocks; b++, src += LF_BLOCK, dst += LF_Q4_1_BYTES) {
        uint8_t quants[LF_BLOCK];
        encode_range(src, 15, dst, quants);
        lf_pack_nibbles(quants, dst + 4);
    }
}

static void encode_q5_1(const float *src, uint8_t *dst, size_t blocks)
{
    for (size_t b = 0; b < blocks; b++, src += LF_BLOCK, dst += LF_Q5_1_BYTES) {
        uint8_t quants[LF_BLOCK];
        encode_range(src, 31, dst, quants);
        lf_pack_q5(quants, dst + 4);
    }
}

static void encode_f16(const float *src, uint8_t *dst, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        lf_block_put_u16(dst + 2 * i, lf_f32_to_f16(src[i]));
    }
}

static void encode_bf16(const float *src, uint8_t *dst, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        lf_block_put_u16(dst + 2 * i, lf_f32_to_bf16(src[i]));
    }
}

/* K formats and IQ4; `importance` may be NULL. */
static bool encode_super(lf_type type, const float *src, const float *importance, uint8_t *dst,
                         size_t n)
{
    size_t blocks = n / LF_SUPER_BLOCK;
    switch ((int)type) {
    case LF_Q4_K:
        lf_encode_q4_k(src, importance, dst, blocks);
        return true;
    case LF_Q5_K:
        lf_encode_q5_k(src, importance, dst, blocks);
        return true;
    case LF_Q6_K:
        lf_encode_q6_k(src, importance, dst, blocks);
        return true;
    case LF_Q2_K:
        lf_encode_q2_k(src, importance, dst, blocks);
        return true;
    case LF_Q3_K:
        lf_encode_q3_k(src, importance, dst, blocks);
        return true;
    case LF_IQ4_NL:
        lf_encode_iq4_nl(src, importance, dst, n / LF_BLOCK);
        return true;
    case LF_IQ4_XS:
        lf_encode_iq4_xs(src, importance, dst, blocks);
        return true;
    default:
        return false;
    }
}

bool lf_encode_row(lf_type type, const float *src, void *dst, size_t n)
{
    uint8_t *bytes = dst;
    switch ((int)type) {
    case LF_F32:
        memcpy(dst, src, n * sizeof *src);
        return true;
    case LF_F16:
        encode_f16(src, bytes, n);
        return true;
    case LF_BF16:
        encode_bf16(src, bytes, n);
        return true;
    case LF_Q8_0:
        encode_q8_0(src, bytes, n / LF_BLOCK);
        return true;
    case LF_Q4_0:
        encode_q4_0(src, bytes, n / LF_BLOCK);
        return true;
    case LF_Q5_0:
        encode_q5_0(src, bytes, n / LF_BLOCK);
        return true;
    case LF_Q5_1:
        encode_q5_1(src, bytes, n / LF_BLOCK);
        return true;
    case LF_Q4_1:
        encode_q4_1(src, bytes, n / LF_BLOCK);
        return true;
    default:
        return encode_super(type, src, NULL, bytes, n);
    }
}

bool lf_encode_weighted(lf_type type, const float *src, const float *importance, void *dst,
                        size_t n)
{
    switch ((int)type) {
    case LF_Q4_0:
        lf_encode_weighted_q4_0(src, importance, dst, n);
        return true;
    case LF_Q4_1:
        lf_encode_weighted_q4_1(src, importance, dst, n);
        return true;
    case LF_Q5_0:
        lf_encode_weighted_q5_0(src, importance, dst, n);
        return true;
    case LF_Q5_1:
        lf_encode_weighted_q5_1(src, importance, dst, n);
        return true;
    default:
        return encode_super(type, src, importance, dst, n) || lf_encode_row(type, src, dst, n);
    }
}
