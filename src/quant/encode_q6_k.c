/* SPDX-License-Identifier: Apache-2.0 */
/* Encoding of Q6_K: 16 groups of 16 values, each with the best of 19 scales. */
#include "quant/encode.h"

#include "quant/block.h"
#include "quant/numbers.h"

enum {
    GROUP = 16,
    GROUPS = LF_SUPER_BLOCK / GROUP,
    STEPS = 9,                 /* candidates on either side of the initial one */
    CANDIDATES = 2 * STEPS + 2 /* the initial one comes first and again in the middle */
};

static const float zero_below = 1e-15f; /* smaller groups are stored as zeros */

/* Quant -32..31 of a value divided by its scale. The limits are applied to integers because
 * compilers do not vectorize comparisons of floats. */
static int quant6(float v)
{
    int l = lf_round_even(v);
    l = l > -32 ? l : -32;
    return l < 31 ? l : 31;
}

/* For each candidate inverse scale: the sums of w*x*l and w*l*l over its quants l, with w = x^2.
 * The candidates are independent; each sum follows the order of x. */
static void weighted_sums(const float *restrict x, const float *restrict inverse,
                          float *restrict xl, float *restrict ll)
{
    for (int i = 0; i < GROUP; i++) {
        float w = x[i] * x[i];
        float wx = w * x[i];
        for (int c = 0; c < CANDIDATES; c++) {
            float l = (float)quant6(inverse[c] * x[i]);
            xl[c] += wx * l;
            ll[c] += w * l * l;
        }
    }
}

/* Scale of one group: among the candidates around largest / -32, the one whose least-squares scale
 * has the smallest weighted error. `quants` receives its quants (0..63). */
static float group_scale(const float *x, uint8_t *quants)
{
    float largest = lf_extreme(x, GROUP);
    if (lf_magnitude(largest) < zero_below) {
        memset(quants, 0, GROUP);
        return 0.0f;
    }
    float inverse[CANDIDATES];
    float xl[CANDIDATES] = {0.0f};
    float ll[CANDIDATES] = {0.0f};
    inverse[0] = -32.0f / largest;
    for (int step = -STEPS; step <= STEPS; step++) {
        inverse[step + STEPS + 1] = -(32.0f + 0.1f * (float)step) / largest;
    }
    weighted_sums(x, inverse, xl, ll);
    int chosen = 0;
    float scale = ll[0] != 0.0f ? xl[0] / ll[0] : 0.0f;
    float best = scale * xl[0];
    for (int c = 1; c < CANDIDATES; c++) {
        if (c != STEPS + 1 && ll[c] > 0.0f && xl[c] * xl[c] > best * ll[c]) {
            chosen = c;
            scale = xl[c] / ll[c];
            best = scale * xl[c];
        }
    }
    for (int i = 0; i < GROUP; i++) {
        quants[i] = (uint8_t)(quant6(inverse[chosen] * x[i]) + 32);
    }
    return scale;
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

void lf_encode_q6_k(const float *src, uint8_t *dst, size_t blocks)
{
    for (size_t b = 0; b < blocks; b++, src += LF_SUPER_BLOCK, dst += LF_Q6_K_BYTES) {
        uint8_t quants[LF_SUPER_BLOCK];
        float scales[GROUPS];
        for (int g = 0; g < GROUPS; g++) {
            scales[g] = group_scale(src + g * GROUP, quants + g * GROUP);
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
