/* SPDX-License-Identifier: Apache-2.0 */
/* Owns the encoding of Q6_K: 16 groups of 16 values, each with the best of 19 scales. */
#include "quant/encode.h"

enum {
    GROUP = 16,
    GROUPS = LF_SUPER / GROUP,
    STEPS = 9,                 /* candidates on either side of the obvious one */
    CANDIDATES = 2 * STEPS + 2 /* the obvious one first, and once more among the others */
};

static const float nothing = 1e-15f; /* groups below this are stored as zero */

/* Code -32..31 of a value given as a multiple of its scale. The limits are applied to integers:
 * compilers do not turn comparisons of floats into vector code. */
static int code6(float v)
{
    int l = lf_round_even(v);
    l = l > -32 ? l : -32;
    return l < 31 ? l : 31;
}

/* For each candidate inverse scale the sums of w*x*l and w*l*l with w = x^2 over the quants l that
 * it gives. The candidates are independent of each other, each sum runs in the order of x. */
static void weighted_sums(const float *restrict x, const float *restrict inverse,
                          float *restrict xl, float *restrict ll)
{
    for (int i = 0; i < GROUP; i++) {
        float w = x[i] * x[i];
        float wx = w * x[i];
        for (int c = 0; c < CANDIDATES; c++) {
            float l = (float)code6(inverse[c] * x[i]);
            xl[c] += wx * l;
            ll[c] += w * l * l;
        }
    }
}

/* Scale of one group: of the steps around largest / -32 the one whose least-squares scale leaves
 * the smallest weighted error. The quants (0..63) of the winner go to `quants`. */
static float group_scale(const float *x, uint8_t *quants)
{
    float largest = lf_extreme(x, GROUP);
    if (lf_magnitude(largest) < nothing) {
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
        quants[i] = (uint8_t)(code6(inverse[chosen] * x[i]) + 32);
    }
    return scale;
}

/* Splits 256 quants of 6 bits into the nibbles and the upper pairs. */
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
    for (size_t b = 0; b < blocks; b++, src += LF_SUPER, dst += LF_Q6_K_BYTES) {
        uint8_t quants[LF_SUPER];
        float scales[GROUPS];
        for (int g = 0; g < GROUPS; g++) {
            scales[g] = group_scale(src + g * GROUP, quants + g * GROUP);
        }
        float largest = lf_extreme(scales, GROUPS);
        if (lf_magnitude(largest) < nothing) {
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
                continue; /* the quants do not matter: those of the search stay */
            }
            for (int i = 0; i < GROUP; i++) {
                quants[g * GROUP + i] = (uint8_t)(code6(src[g * GROUP + i] / scale) + 32);
            }
        }
        pack_q6(quants, dst);
    }
}
