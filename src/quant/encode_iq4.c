/* SPDX-License-Identifier: Apache-2.0 */
/* Encoding of IQ4_NL and IQ4_XS: groups of 32 values, each the multiple of a scale by one of 16
 * fixed numbers. Of 16 scales the one with the smallest error is taken. An error counts with the
 * square of its value, or with its weight in the importance matrix. */
#include "quant/encode.h"

#include "quant/block.h"
#include "quant/encode_fit.h"
#include "quant/lanes.h"
#include "quant/numbers.h"

enum {
    VALUES = 16,
    CANDIDATES = 16, /* scales tried for a group: the obvious one, then 15 steps around it */
    VECTORS = CANDIDATES / 4,
    SUBS = LF_SUPER_BLOCK / LF_BLOCK
};

static const float nothing = 1e-15f; /* groups below this get scale 0 */

/* The fixed numbers: the first; from each to the next; and the middles between neighbors. */
static const int first_value = -127;
static const int gaps[VALUES - 1] = {23, 21, 18, 16, 14, 13, 12, 11, 12, 12, 13, 15, 16, 20, 24};
static const float middles[VALUES - 1] = {-115.5f, -93.5f, -74.0f, -57.0f, -42.0f,
                                          -28.5f,  -16.0f, -4.5f,  7.0f,   19.0f,
                                          31.5f,   45.5f,  61.0f,  79.0f,  101.0f};

/* Index of the nearest number, of two equally near the upper one; the last one for NaN. */
static int nearest_index(float v)
{
    int index = 0;
    for (int k = 0; k < VALUES - 1; k++) {
        index += !(v < middles[k]);
    }
    return index;
}

static f4 nearest_values(f4 v)
{
    i4 value = all_int(first_value);
    for (int k = 0; k < VALUES - 1; k++) {
        value += ~(i4)(v < all(middles[k])) & all_int(gaps[k]);
    }
    return float_lanes(value);
}

/* For each candidate inverse scale the sums of w*q*x and w*q*q over the numbers q that it
 * gives. The candidates are independent of each other, each sum runs in the order of x. */
static void weighted_sums(const float *x, const float *weights, const f4 *inverse, f4 *qx, f4 *qq)
{
    for (int v = 0; v < VECTORS; v++) {
        f4 sum_qx = all(0.0f);
        f4 sum_qq = all(0.0f);
        for (int i = 0; i < LF_BLOCK; i++) {
            f4 q = nearest_values(inverse[v] * all(x[i]));
            f4 wq = all(weights[i]) * q;
            sum_qx += wq * all(x[i]);
            sum_qq += wq * q;
        }
        qx[v] = sum_qx;
        qq[v] = sum_qq;
    }
}

/* The least-squares scale of the best candidate. `variance` is used with `importance` only. */
static float group_scale(const float *x, const float *importance, float variance)
{
    float weights[LF_BLOCK];
    float largest = lf_extreme(x, LF_BLOCK);
    if (lf_magnitude(largest) < nothing) {
        return 0.0f;
    }
    f4 inverse[VECTORS] = {all(0.0f)};
    f4 qx[VECTORS];
    f4 qq[VECTORS];
    for (int c = 0; c < CANDIDATES; c++) { /* the largest becomes -127; then -134 to -120 */
        inverse[c / 4][c % 4] = c == 0 ? 1.0f / (-largest / (float)first_value)
                                       : (float)(first_value - 8 + c) / largest;
    }
    if (importance != NULL) {
        lf_error_weights(x, importance, variance, LF_BLOCK, weights);
    } else {
        for (int i = 0; i < LF_BLOCK; i++) {
            weights[i] = x[i] * x[i];
        }
    }
    weighted_sums(x, weights, inverse, qx, qq);
    float scale = qq[0][0] > 0.0f ? qx[0][0] / qq[0][0] : 0.0f;
    float best = scale * qx[0][0];
    for (int c = 1; c < CANDIDATES; c++) {
        float lx = qx[c / 4][c % 4];
        float ll = qq[c / 4][c % 4];
        if (ll > 0.0f && lx * lx > best * ll) {
            scale = lx / ll;
            best = scale * lx;
        }
    }
    return scale;
}

/* 32 values for a scale, two to a byte. */
static void put_indexes(const float *x, float scale, uint8_t *dst)
{
    float inverse = scale != 0.0f ? 1.0f / scale : 0.0f;
    for (int j = 0; j < LF_BLOCK / 2; j++) {
        dst[j] = (uint8_t)(nearest_index(inverse * x[j]) |
                           nearest_index(inverse * x[j + LF_BLOCK / 2]) << 4);
    }
}

/* Weights of group g. */
static const float *group_of(const float *importance, size_t g)
{
    return importance != NULL ? importance + g * LF_BLOCK : NULL;
}

void lf_encode_iq4_nl(const float *src, const float *importance, uint8_t *dst, size_t blocks)
{
    for (size_t b = 0; b < blocks; b++, src += LF_BLOCK, dst += LF_IQ4_NL_BYTES) {
        const float *group = group_of(importance, b);
        float variance = group != NULL ? 2.0f * lf_mean_square(src, LF_BLOCK) : 0.0f;
        float scale = group_scale(src, group, variance);
        lf_block_put_u16(dst, lf_f32_to_f16(scale));
        put_indexes(src, scale, dst + 2);
    }
}

void lf_encode_iq4_xs(const float *src, const float *importance, uint8_t *dst, size_t blocks)
{
    for (size_t b = 0; b < blocks; b++, src += LF_SUPER_BLOCK, dst += LF_IQ4_XS_BYTES) {
        float scales[SUBS];
        float variance = importance != NULL ? 2.0f * lf_mean_square(src, LF_SUPER_BLOCK) : 0.0f;
        for (int s = 0; s < SUBS; s++) {
            scales[s] = group_scale(src + s * LF_BLOCK, group_of(importance, b * SUBS + (size_t)s),
                                    variance);
        }
        float d = -lf_extreme(scales, SUBS) / 32.0f;
        float inverse = d != 0.0f ? 1.0f / d : 0.0f;
        unsigned high = 0;
        memset(dst + 4, 0, SUBS / 2);
        for (int s = 0; s < SUBS; s++) {
            int l = lf_round_even(inverse * scales[s]);
            l = l > -32 ? l : -32;
            l = l < 31 ? l : 31;
            unsigned code = (unsigned)(l + 32);
            dst[4 + s / 2] = (uint8_t)(dst[4 + s / 2] | (code & 15u) << 4 * (s % 2));
            high |= code >> 4 << 2 * s;
            put_indexes(src + s * LF_BLOCK, d * (float)l, dst + 8 + s * LF_BLOCK / 2);
        }
        lf_block_put_u16(dst, lf_f32_to_f16(d));
        lf_block_put_u16(dst + 2, (uint16_t)high);
    }
}
