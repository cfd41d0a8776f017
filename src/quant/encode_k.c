/* SPDX-License-Identifier: Apache-2.0 */
/* Encoding of Q4_K and Q5_K: eight sub-blocks of 32 values, each with a scale and a minimum. A
 * search over a few grids finds these; they are then rounded to 6 bits. */
#include "quant/encode.h"

#include "quant/block.h"
#include "quant/encode_fit.h"
#include "quant/numbers.h"

enum {
    SUBS = LF_SUPER_BLOCK / LF_BLOCK, /* sub-blocks of a block */
    HEAD_BYTES = 16                   /* d, dmin, 12 bytes of 6-bit scales and minima */
};

static const lf_search search4 = {LF_BLOCK, 15, 21, -1.0f, 0.1f, false};
static const lf_search search5 = {LF_BLOCK, 31, 16, -0.5f, 0.1f, false};
static const lf_search weighted4 = {LF_BLOCK, 15, 37, -0.9f, 0.05f, false};
static const lf_search weighted5 = {LF_BLOCK, 31, 37, -0.9f, 0.05f, false};

/* What the head of a block stores: codes of scales and minima, and their factors. */
typedef struct stored {
    uint8_t scales[SUBS], minima[SUBS];
    uint16_t d, dmin;
} stored;

/* A scale or minimum, in 63rds of the largest, as 6 bits. */
static uint8_t six_bits(float v)
{
    uint8_t l = (uint8_t)lf_round_even(v);
    return l < 63 ? l : 63;
}

/* Fits a block without an importance matrix. */
static void fit_block(const float *src, const lf_search *s, lf_fit *fits, stored *out)
{
    float most_scale = 0.0f;
    float most_min = 0.0f;
    for (int b = 0; b < SUBS; b += LF_FIT_GROUPS) {
        lf_fit_groups(src + b * LF_BLOCK, NULL, s, fits + b);
    }
    for (int b = 0; b < SUBS; b++) {
        most_scale = fits[b].scale > most_scale ? fits[b].scale : most_scale;
        most_min = fits[b].min > most_min ? fits[b].min : most_min;
    }
    float inverse_scale = most_scale > 0.0f ? 63.0f / most_scale : 0.0f;
    float inverse_min = most_min > 0.0f ? 63.0f / most_min : 0.0f;
    out->d = lf_f32_to_f16(most_scale / 63.0f);
    out->dmin = lf_f32_to_f16(most_min / 63.0f);
    for (int b = 0; b < SUBS; b++) {
        out->scales[b] = six_bits(inverse_scale * fits[b].scale);
        out->minima[b] = six_bits(inverse_min * fits[b].min);
    }
}

/* Fits a block with one. */
static void fit_weighted(const float *src, const float *importance, const lf_search *s,
                         lf_fit *fits, stored *out)
{
    float weights[LF_SUPER_BLOCK];
    float sums[SUBS];
    float scales[SUBS];
    float minima[SUBS];
    float variance = 2.0f * lf_mean_square(src, LF_SUPER_BLOCK);
    for (int b = 0; b < SUBS; b++) {
        int at = b * LF_BLOCK;
        sums[b] = lf_error_weights(src + at, importance + at, variance, LF_BLOCK, weights + at);
    }
    for (int b = 0; b < SUBS; b += LF_FIT_GROUPS) {
        lf_fit_groups(src + b * LF_BLOCK, weights + b * LF_BLOCK, s, fits + b);
    }
    for (int b = 0; b < SUBS; b++) {
        scales[b] = fits[b].scale;
        minima[b] = fits[b].min;
    }
    out->d = lf_f32_to_f16(lf_fit_codes(scales, sums, SUBS, 63, out->scales));
    out->dmin = lf_f32_to_f16(lf_fit_codes(minima, sums, SUBS, 63, out->minima));
}

/* The common part of Q4_K and Q5_K: encodes the head of the block and computes its quants. */
static void encode_head(const float *src, const lf_fit *fits, const stored *given, int top,
                        uint8_t *head, uint8_t *quants)
{
    memset(head, 0, HEAD_BYTES);
    lf_block_put_u16(head, given->d);
    lf_block_put_u16(head + 2, given->dmin);
    uint8_t *packed = head + 4;
    for (int b = 0; b < SUBS; b++) {
        uint8_t sc = given->scales[b];
        uint8_t m = given->minima[b];
        if (b < 4) {
            packed[b] = sc;
            packed[b + 4] = m;
        } else { /* the upper two bits go into the spare bits of the first four */
            packed[b + 4] = (uint8_t)((sc & 15) | (m & 15) << 4);
            packed[b - 4] = (uint8_t)(packed[b - 4] | sc >> 4 << 6);
            packed[b] = (uint8_t)(packed[b] | m >> 4 << 6);
        }
        /* Compute the quants again, from the rounded scale and minimum. */
        const float *x = src + b * LF_BLOCK;
        float scale = lf_f16_to_f32(given->d) * (float)sc;
        float min = lf_f16_to_f32(given->dmin) * (float)m;
        for (int i = 0; i < LF_BLOCK; i++) {
            quants[b * LF_BLOCK + i] = lf_fit_quant(&fits[b], x[i], scale, min, top);
        }
    }
}

/* Packs the lower four bits of the quants: each pair of sub-blocks shares 32 bytes. */
static void pack_nibbles(const uint8_t *quants, uint8_t *dst)
{
    for (int pair = 0; pair < SUBS / 2; pair++, quants += 2 * LF_BLOCK, dst += LF_BLOCK) {
        for (int j = 0; j < LF_BLOCK; j++) {
            dst[j] = (uint8_t)((quants[j] & 15) | (quants[j + LF_BLOCK] & 15) << 4);
        }
    }
}

/* Encodes the head of block b and computes its quants. */
static void encode_block(const float *src, const float *importance, size_t b, bool five,
                         uint8_t *head, uint8_t *quants)
{
    lf_fit fits[SUBS];
    stored s;
    if (importance != NULL) {
        fit_weighted(src, importance + b * LF_SUPER_BLOCK, five ? &weighted5 : &weighted4, fits,
                     &s);
    } else {
        fit_block(src, five ? &search5 : &search4, fits, &s);
    }
    encode_head(src, fits, &s, five ? 31 : 15, head, quants);
}

void lf_encode_q4_k(const float *src, const float *importance, uint8_t *dst, size_t blocks)
{
    for (size_t b = 0; b < blocks; b++, src += LF_SUPER_BLOCK, dst += LF_Q4_K_BYTES) {
        uint8_t quants[LF_SUPER_BLOCK];
        encode_block(src, importance, b, false, dst, quants);
        pack_nibbles(quants, dst + HEAD_BYTES);
    }
}

/* Bit b of byte j is the fifth bit of element j of sub-block b. */
static void pack_fifth_bits(const uint8_t *quants, uint8_t *dst)
{
    memset(dst, 0, LF_BLOCK);
    for (int b = 0; b < SUBS; b++) {
        for (int j = 0; j < LF_BLOCK; j++) {
            dst[j] = (uint8_t)(dst[j] | quants[b * LF_BLOCK + j] >> 4 << b);
        }
    }
}

void lf_encode_q5_k(const float *src, const float *importance, uint8_t *dst, size_t blocks)
{
    for (size_t b = 0; b < blocks; b++, src += LF_SUPER_BLOCK, dst += LF_Q5_K_BYTES) {
        uint8_t quants[LF_SUPER_BLOCK];
        encode_block(src, importance, b, true, dst, quants);
        pack_fifth_bits(quants, dst + HEAD_BYTES);
        pack_nibbles(quants, dst + HEAD_BYTES + LF_BLOCK);
    }
}
