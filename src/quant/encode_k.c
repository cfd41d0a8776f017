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

static const lf_search search4 = {LF_BLOCK, 15, 21, -1.0f, false};
static const lf_search search5 = {LF_BLOCK, 31, 16, -0.5f, false};

/* A scale or minimum, in 63rds of the largest, as 6 bits. */
static uint8_t six_bits(float v)
{
    uint8_t l = (uint8_t)lf_round_even(v);
    return l < 63 ? l : 63;
}

/* The common part of Q4_K and Q5_K: encodes the head of the block and computes its quants. */
static void encode_head(const float *src, const lf_search *s, uint8_t *head, uint8_t *quants)
{
    lf_fit fits[SUBS];
    float most_scale = 0.0f;
    float most_min = 0.0f;
    for (int b = 0; b < SUBS; b += LF_FIT_GROUPS) {
        lf_fit_groups(src + b * LF_BLOCK, s, fits + b);
    }
    for (int b = 0; b < SUBS; b++) {
        most_scale = fits[b].scale > most_scale ? fits[b].scale : most_scale;
        most_min = fits[b].min > most_min ? fits[b].min : most_min;
    }
    float inverse_scale = most_scale > 0.0f ? 63.0f / most_scale : 0.0f;
    float inverse_min = most_min > 0.0f ? 63.0f / most_min : 0.0f;
    uint16_t d = lf_f32_to_f16(most_scale / 63.0f);
    uint16_t dmin = lf_f32_to_f16(most_min / 63.0f);
    memset(head, 0, HEAD_BYTES);
    lf_block_put_u16(head, d);
    lf_block_put_u16(head + 2, dmin);
    uint8_t *packed = head + 4;
    for (int b = 0; b < SUBS; b++) {
        uint8_t sc = six_bits(inverse_scale * fits[b].scale);
        uint8_t m = six_bits(inverse_min * fits[b].min);
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
        float scale = lf_f16_to_f32(d) * (float)sc;
        float min = lf_f16_to_f32(dmin) * (float)m;
        for (int i = 0; i < LF_BLOCK; i++) {
            quants[b * LF_BLOCK + i] = lf_fit_quant(&fits[b], x[i], scale, min, s->top);
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

void lf_encode_q4_k(const float *src, uint8_t *dst, size_t blocks)
{
    for (size_t b = 0; b < blocks; b++, src += LF_SUPER_BLOCK, dst += LF_Q4_K_BYTES) {
        uint8_t quants[LF_SUPER_BLOCK];
        encode_head(src, &search4, dst, quants);
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

void lf_encode_q5_k(const float *src, uint8_t *dst, size_t blocks)
{
    for (size_t b = 0; b < blocks; b++, src += LF_SUPER_BLOCK, dst += LF_Q5_K_BYTES) {
        uint8_t quants[LF_SUPER_BLOCK];
        encode_head(src, &search5, dst, quants);
        pack_fifth_bits(quants, dst + HEAD_BYTES);
        pack_nibbles(quants, dst + HEAD_BYTES + LF_BLOCK);
    }
}
