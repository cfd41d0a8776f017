/* SPDX-License-Identifier: Apache-2.0 */
/* Encoding of Q3_K: 16 groups of 16 values, each with a signed scale of 6 bits. The quants of a
 * group are improved one at a time; four groups are improved at once, one in each vector lane. */
#include "quant/encode.h"

#include "quant/block.h"
#include "quant/encode_fit.h"
#include "quant/lanes.h"
#include "quant/numbers.h"

enum {
    GROUP = 16,
    GROUPS = LF_SUPER_BLOCK / GROUP,
    LANES = 4,
    LOW = -4,
    HIGH = 3,
    ROUNDS = 5 /* at most, over the values of a group */
};

static const float nothing = 1e-15f; /* groups below this get scale 0 */

/* Four groups. The weight of a value x is x^2. Quants l have the scale sum_lx / sum_ll; the best
 * quants have the largest sum_lx^2 / sum_ll. */
typedef struct lanes {
    f4 x[GROUP];
    f4 quants[GROUP];
    f4 sum_lx, sum_ll;
} lanes;

/* Begins with the quants that make the value of largest magnitude -4. */
static void begin(const float *src, lanes *v)
{
    f4 inverse = all(0.0f);
    for (int j = 0; j < LANES; j++) {
        float largest = lf_extreme(src + j * GROUP, GROUP);
        inverse[j] = lf_magnitude(largest) < nothing ? 0.0f : (float)LOW / largest;
    }
    v->sum_lx = v->sum_ll = all(0.0f);
    for (int i = 0; i < GROUP; i++, src++) {
        f4 x = {src[0], src[GROUP], src[2 * GROUP], src[3 * GROUP]};
        f4 l = float_lanes(round_lanes(inverse * x, LOW, HIGH));
        f4 w = x * x;
        v->x[i] = x;
        v->quants[i] = l;
        v->sum_lx += w * x * l;
        v->sum_ll += w * l * l;
    }
}

/* Gives each value in turn the quant that fits the scale of the other values, if that is better.
 * Returns whether a quant changed. */
static bool improve(lanes *v)
{
    i4 improved = all_int(0);
    for (int i = 0; i < GROUP; i++) {
        f4 x = v->x[i];
        f4 old = v->quants[i];
        f4 w = x * x;
        f4 lx = v->sum_lx - w * x * old;
        f4 ll = v->sum_ll - w * old * old;
        f4 l = float_lanes(round_lanes(x * ll / lx, LOW, HIGH));
        i4 better = (i4)(lx > all(0.0f)) & (i4)(l != old);
        lx += w * x * l;
        ll += w * l * l;
        better &= (i4)(ll > all(0.0f));
        better &= (i4)(lx * lx * v->sum_ll > v->sum_lx * v->sum_lx * ll);
        v->quants[i] = choose(better, l, old);
        v->sum_lx = choose(better, lx, v->sum_lx);
        v->sum_ll = choose(better, ll, v->sum_ll);
        improved |= better;
    }
    return any(improved);
}

/* Scales and quants (0..7) of four groups. */
static void fit_lanes(const float *src, float *scales, uint8_t *quants)
{
    lanes v;
    begin(src, &v);
    for (int round = 0; round < ROUNDS && improve(&v); round++) {
    }
    for (int j = 0; j < LANES; j++, src += GROUP, quants += GROUP) {
        scales[j] = v.sum_ll[j] > 0.0f ? v.sum_lx[j] / v.sum_ll[j] : 0.0f;
        bool empty = lf_magnitude(lf_extreme(src, GROUP)) < nothing;
        for (int i = 0; i < GROUP; i++) {
            quants[i] = (uint8_t)(empty ? 0 : (int)v.quants[i][j] - LOW);
        }
    }
}

/* A group's scale as a multiple of the block's. */
static int scale_code(float v)
{
    int l = lf_round_even(v);
    l = l > -32 ? l : -32;
    return l < 31 ? l : 31;
}

/* Writes the 12 bytes of scales (layout: lf_unpack_q3_k). */
static void put_scales(const int *codes, uint8_t *dst)
{
    memset(dst, 0, 12);
    for (int g = 0; g < GROUPS; g++) {
        unsigned code = (unsigned)(codes[g] + 32);
        dst[g % 8] = (uint8_t)(dst[g % 8] | (code & 15u) << 4 * (g / 8));
        dst[8 + g % 4] = (uint8_t)(dst[8 + g % 4] | code >> 4 << 2 * (g / 4));
    }
}

/* Computes the quants again for the scales as they are stored. Groups with scale 0 keep the quants
 * of the search. */
static void fit_stored(const float *src, float d, const int *codes, uint8_t *quants)
{
    for (int i = 0; i < LF_SUPER_BLOCK; i++) {
        float scale = d * (float)codes[i / GROUP];
        if (scale != 0.0f) {
            int l = lf_round_even(src[i] / scale);
            l = l > LOW ? l : LOW;
            quants[i] = (uint8_t)((l < HIGH ? l : HIGH) - LOW);
        }
    }
}

/* Scales, quants and codes of a block without an importance matrix. Returns d. */
static uint16_t fit_block(const float *src, int *codes, uint8_t *quants)
{
    float scales[GROUPS];
    for (int g = 0; g < GROUPS; g += LANES) {
        fit_lanes(src + g * GROUP, scales + g, quants + g * GROUP);
    }
    float largest = lf_extreme(scales, GROUPS);
    float inverse = largest != 0.0f ? -32.0f / largest : 0.0f;
    for (int g = 0; g < GROUPS; g++) {
        codes[g] = largest != 0.0f ? scale_code(inverse * scales[g]) : -32;
    }
    return lf_f32_to_f16(largest != 0.0f ? 1.0f / inverse : 0.0f);
}

/* The same with one. */
static uint16_t fit_weighted(const float *src, const float *importance, int *codes, uint8_t *quants)
{
    float scales[GROUPS];
    float sums[GROUPS];
    uint8_t stored[GROUPS];
    float variance = 2.0f * lf_mean_square(src, LF_SUPER_BLOCK);
    for (int g = 0; g < GROUPS; g++) {
        float weights[GROUP];
        const float *x = src + g * GROUP;
        sums[g] = lf_error_weights(x, importance + g * GROUP, variance, GROUP, weights);
        scales[g] = lf_fit_symmetric(x, weights, GROUP, -LOW, quants + g * GROUP);
    }
    float d = lf_fit_symmetric(scales, sums, GROUPS, 32, stored);
    for (int g = 0; g < GROUPS; g++) {
        codes[g] = stored[g] - 32;
    }
    return lf_f32_to_f16(d);
}

void lf_encode_q3_k(const float *src, const float *importance, uint8_t *dst, size_t blocks)
{
    for (size_t b = 0; b < blocks; b++, src += LF_SUPER_BLOCK, dst += LF_Q3_K_BYTES) {
        uint8_t quants[LF_SUPER_BLOCK];
        int codes[GROUPS];
        uint16_t d = importance != NULL
                         ? fit_weighted(src, importance + b * LF_SUPER_BLOCK, codes, quants)
                         : fit_block(src, codes, quants);
        fit_stored(src, lf_f16_value(d), codes, quants);
        memset(dst, 0, 32);
        for (int i = 0; i < LF_SUPER_BLOCK; i++) {
            dst[i % 32] = (uint8_t)(dst[i % 32] | quants[i] >> 2 << i / 32);
            quants[i] &= 3;
        }
        lf_pack_two_bits(quants, dst + 32);
        put_scales(codes, dst + 96);
        lf_block_put_u16(dst + 108, d);
    }
}
