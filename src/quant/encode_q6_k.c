/* SPDX-License-Identifier: Apache-2.0 */
/* Encoding of Q6_K: 16 groups of 16 values, each with the best of 19 scales. */
#include "quant/encode.h"

#include "quant/block.h"
#include "quant/encode_fit.h"
#include "quant/numbers.h"

enum { GROUP = 16, GROUPS = LF_SUPER_BLOCK / GROUP };

static const float zero_below = 1e-15f; /* smaller blocks are stored as zeros */

/* Quant -32..31 of a value divided by its scale. */
static int quant6(float v)
{
    int l = lf_round_even(v);
    l = l > -32 ? l : -32;
    return l < 31 ? l : 31;
}

/* Scale and quants (0..63) of a group. Without an importance matrix the weight of an error is the
 * square of its value. */
static float group_scale(const float *x, const float *importance, uint8_t *quants)
{
    float weights[GROUP];
    if (importance != NULL) {
        return lf_fit_symmetric(x, importance, GROUP, 32, quants);
    }
    for (int i = 0; i < GROUP; i++) {
        weights[i] = x[i] * x[i];
    }
    return lf_fit_symmetric(x, weights, GROUP, 32, quants);
}

/* Stores 256 quants of 6 bits: the lower four bits, then the upper two. */
static void pack_q6(const uint8_t *quants, uint8_t *dst)
{
    for (int half = 0; half < 2; half++) {
        const uint8_t *c = quants + half * 128;
        uint8_t *low = dst + half * 64;
        uint8_t *high = dst + 128 + half * 32;
        for (int l = 0; l < 32; l++) {
            low[l] = (uint8_t)((c[l] & 15) | (c[l + 64] & 15) << 4);
            low[l + 32] = (uint8_t)((c[l + 32] & 15) | (c[l + 96] & 15) << 4);
            high[l] = (uint8_t)(c[l] >> 4 | c[l + 32] >> 4 << 2 | c[l + 64] >> 4 << 4 |
                                c[l + 96] >> 4 << 6);
        }
    }
}

void lf_encode_q6_k(const float *src, const float *importance, uint8_t *dst, size_t blocks)
{
    for (size_t b = 0; b < blocks; b++, src += LF_SUPER_BLOCK, dst += LF_Q6_K_BYTES) {
        uint8_t quants[LF_SUPER_BLOCK];
        float scales[GROUPS];
        for (int g = 0; g < GROUPS; g++) {
            const float *weights =
                importance != NULL ? importance + b * LF_SUPER_BLOCK + g * GROUP : NULL;
            scales[g] = group_scale(src + g * GROUP, weights, quants + g * GROUP);
        }
        float largest = lf_extreme(scales, GROUPS);
        if (lf_magnitude(largest) < zero_below) {
            memset(dst, 0, LF_Q6_K_BYTES);
            continue;
        }
        float inverse = -128.0f / largest;
        uint16_t d = lf_f32_to_f16(1.0f / inverse);
        lf_block_put_u16(dst + 208, d);
        for (int g = 0; g < GROUPS; g++) {
            int stored = lf_round_even(inverse * scales[g]);
            stored = stored < 127 ? stored : 127;
            dst[192 + g] = (uint8_t)stored;
            float scale = lf_f16_to_f32(d) * (float)stored;
            if (scale == 0.0f) {
                continue; /* the quants do not matter: keep those of the search */
            }
            for (int i = 0; i < GROUP; i++) {
                quants[g * GROUP + i] = (uint8_t)(quant6(src[g * GROUP + i] / scale) + 32);
            }
        }
        pack_q6(quants, dst);
    }
}
