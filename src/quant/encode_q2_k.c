/* SPDX-License-Identifier: Apache-2.0 */
/* Encoding of Q2_K: 16 groups of 16 values, each with a scale and a minimum. A search over a few
 * grids finds these; they are then rounded to 4 bits. */
#include "quant/encode.h"

#include "quant/block.h"
#include "quant/encode_fit.h"
#include "quant/numbers.h"

enum {
    GROUP = 16,
    GROUPS = LF_SUPER_BLOCK / GROUP,
    D = 80 /* bytes before d and dmin */
};

static const lf_search search2 = {GROUP, 3, 16, -0.5f, 0.1f, true};
static const lf_search weighted2 = {GROUP, 3, 37, -0.9f, 0.05f, false};

void lf_pack_two_bits(const uint8_t *quants, uint8_t *dst)
{
    for (int half = 0; half < 2; half++, quants += LF_SUPER_BLOCK / 2, dst += 32) {
        for (int j = 0; j < 32; j++) {
            dst[j] = (uint8_t)(quants[j] | quants[j + 32] << 2 | quants[j + 64] << 4 |
                               quants[j + 96] << 6);
        }
    }
}

/* Writes the scales and minima, d and dmin of a block. */
static void put_scales(const lf_fit *fits, uint8_t *dst)
{
    float scale = 0.0f;
    float min = 0.0f;
    for (int g = 0; g < GROUPS; g++) {
        scale = fits[g].scale > scale ? fits[g].scale : scale;
        min = fits[g].min > min ? fits[g].min : min;
    }
    float inverse_scale = scale > 0.0f ? 15.0f / scale : 0.0f;
    float inverse_min = min > 0.0f ? 15.0f / min : 0.0f;
    for (int g = 0; g < GROUPS; g++) {
        int s = lf_round_even(inverse_scale * fits[g].scale);
        int m = lf_round_even(inverse_min * fits[g].min);
        dst[g] = (uint8_t)((unsigned)s | (unsigned)m << 4);
    }
    lf_block_put_u16(dst + D, lf_f32_to_f16(scale / 15.0f));
    lf_block_put_u16(dst + D + 2, lf_f32_to_f16(min / 15.0f));
}

/* Scales and minima of a block without an importance matrix. */
static void fit_block(const float *src, lf_fit *fits, uint8_t *dst)
{
    for (int g = 0; g < GROUPS; g += LF_FIT_GROUPS) {
        lf_fit_groups(src + g * GROUP, NULL, &search2, fits + g);
    }
    put_scales(fits, dst);
}

/* The same with one. */
static void fit_weighted(const float *src, const float *importance, lf_fit *fits, uint8_t *dst)
{
    float weights[LF_SUPER_BLOCK];
    float sums[GROUPS];
    float scales[GROUPS];
    float minima[GROUPS];
    uint8_t scale_codes[GROUPS];
    uint8_t min_codes[GROUPS];
    float variance = lf_mean_square(src, LF_SUPER_BLOCK);
    for (int g = 0; g < GROUPS; g++) {
        int at = g * GROUP;
        sums[g] = lf_error_weights(src + at, importance + at, variance, GROUP, weights + at);
    }
    for (int g = 0; g < GROUPS; g += LF_FIT_GROUPS) {
        lf_fit_groups(src + g * GROUP, weights + g * GROUP, &weighted2, fits + g);
    }
    for (int g = 0; g < GROUPS; g++) {
        scales[g] = fits[g].scale;
        minima[g] = fits[g].min;
    }
    float scale = lf_fit_codes(scales, sums, GROUPS, 15, scale_codes);
    float min = lf_fit_codes(minima, sums, GROUPS, 15, min_codes);
    for (int g = 0; g < GROUPS; g++) {
        dst[g] = (uint8_t)(scale_codes[g] | min_codes[g] << 4);
    }
    lf_block_put_u16(dst + D, lf_f32_to_f16(scale));
    lf_block_put_u16(dst + D + 2, lf_f32_to_f16(min));
}

void lf_encode_q2_k(const float *src, const float *importance, uint8_t *dst, size_t blocks)
{
    for (size_t b = 0; b < blocks; b++, src += LF_SUPER_BLOCK, dst += LF_Q2_K_BYTES) {
        lf_fit fits[GROUPS];
        uint8_t quants[LF_SUPER_BLOCK];
        if (importance != NULL) {
            fit_weighted(src, importance + b * LF_SUPER_BLOCK, fits, dst);
        } else {
            fit_block(src, fits, dst);
        }
        float d = lf_f16_value(lf_block_u16(dst + D));
        float dmin = lf_f16_value(lf_block_u16(dst + D + 2));
        for (int i = 0; i < LF_SUPER_BLOCK; i++) {
            int g = i / GROUP;
            float scale = d * (float)(dst[g] & 15);
            float min = dmin * (float)(dst[g] >> 4);
            quants[i] = lf_fit_quant(&fits[g], src[i], scale, min, search2.top);
        }
        lf_pack_two_bits(quants, dst + 16);
    }
}
