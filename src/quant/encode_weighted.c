/* SPDX-License-Identifier: Apache-2.0 */
/* Encoding with an importance matrix: the weights of errors, scales and minima of super-blocks, and
 * the encoders of Q4_0, Q4_1, Q5_0 and Q5_1. */
#include "quant/encode.h"

#include "quant/block.h"
#include "quant/encode_fit.h"
#include "quant/numbers.h"

float lf_mean_square(const float *x, size_t n)
{
    float sum = 0.0f;
    for (size_t i = 0; i < n; i++) {
        sum += x[i] * x[i];
    }
    return sum / (float)n;
}

float lf_error_weights(const float *x, const float *importance, float variance, int n,
                       float *weights)
{
    float sum = 0.0f;
    for (int i = 0; i < n; i++) {
        weights[i] = importance[i] * __builtin_sqrtf(variance + x[i] * x[i]);
        sum += weights[i];
    }
    return sum;
}

/* ---- Scales and minima of super-blocks ---- */

/* The code 0..top of a value in units of `scale`. Values are not negative but for rounding. */
static int code_of(float v, int top)
{
    int l = lf_round_even(v);
    l = l < top ? l : top;
    return l > 0 ? l : 0;
}

/* The inverse scale with the smallest weighted squared error among top / largest and eight around
 * it. */
static float best_inverse(const float *x, const float *weights, int n, int top, float largest)
{
    enum { STEPS = 4 };
    float chosen = (float)top / largest;
    float best = 0.0f;
    for (int step = -STEPS - 1; step <= STEPS; step++) {
        bool first = step < -STEPS;
        if (step == 0) {
            continue;
        }
        float inverse = first ? chosen : (0.1f * (float)step + (float)top) / largest;
        float scale = 1.0f / inverse;
        float error = 0.0f;
        for (int i = 0; i < n; i++) {
            float miss = x[i] - scale * (float)code_of(inverse * x[i], top);
            error += weights[i] * miss * miss;
        }
        if (first || error < best) {
            best = error;
            chosen = inverse;
        }
    }
    return chosen;
}

float lf_fit_codes(const float *x, const float *weights, int n, int top, uint8_t *codes)
{
    enum { ROUNDS = 5 }; /* at most, over the values */
    static const float zero_below = 1e-15f;
    float largest = 0.0f;
    for (int i = 0; i < n; i++) {
        largest = x[i] > largest ? x[i] : largest;
        codes[i] = 0;
    }
    if (largest < zero_below) {
        return 0.0f;
    }
    float inverse = best_inverse(x, weights, n, top, largest);
    float sum_lx = 0.0f;
    float sum_ll = 0.0f;
    for (int i = 0; i < n; i++) {
        codes[i] = (uint8_t)code_of(inverse * x[i], top);
        float l = (float)codes[i];
        sum_lx += weights[i] * x[i] * l;
        sum_ll += weights[i] * l * l;
    }
    bool improved = true;
    for (int round = 0; round < ROUNDS && improved; round++) {
        improved = false;
        for (int i = 0; i < n; i++) {
            float w = weights[i];
            float old = (float)codes[i];
            float lx = sum_lx - w * x[i] * old;
            float ll = sum_ll - w * old * old;
            if (!(lx > 0.0f) || !(ll > 0.0f)) {
                continue;
            }
            int l = code_of(x[i] * ll / lx, top);
            lx += w * x[i] * (float)l;
            ll += w * (float)l * (float)l;
            if (l != codes[i] && lx * lx * sum_ll > sum_lx * sum_lx * ll) {
                codes[i] = (uint8_t)l;
                sum_lx = lx;
                sum_ll = ll;
                improved = true;
            }
        }
    }
    return sum_ll > 0.0f ? sum_lx / sum_ll : 0.0f;
}

/* ---- Blocks of 32 ---- */

/* Fits scales and minima of up to four adjacent blocks with quants 0..top; block b of the output
 * begins at dst + b * bytes. */
static void fit_minima(const float *x, const float *importance, float variance, size_t blocks,
                       int top, uint8_t *dst, size_t bytes, uint8_t quants[][LF_BLOCK])
{
    const lf_search search = {LF_BLOCK, top, 37, -0.9f, 0.05f, false};
    float values[LF_FIT_GROUPS * LF_BLOCK] = {0.0f};
    float weights[LF_FIT_GROUPS * LF_BLOCK] = {0.0f};
    lf_fit fits[LF_FIT_GROUPS];
    memcpy(values, x, blocks * LF_BLOCK * sizeof *x);
    lf_error_weights(x, importance, variance, (int)blocks * LF_BLOCK, weights);
    lf_fit_groups(values, weights, &search, fits);
    for (size_t b = 0; b < blocks; b++, x += LF_BLOCK, dst += bytes) {
        lf_block_put_u16(dst, lf_f32_to_f16(fits[b].scale));
        lf_block_put_u16(dst + 2, lf_f32_to_f16(-fits[b].min));
        for (int i = 0; i < LF_BLOCK; i++) {
            quants[b][i] = lf_fit_quant(&fits[b], x[i], 0.0f, 0.0f, top);
        }
    }
}

/* Q4_0 and Q5_0. */
static void encode_scales(const float *src, const float *importance, uint8_t *dst, size_t n,
                          bool five)
{
    float variance = lf_mean_square(src, n);
    for (size_t i = 0; i < n; i += LF_BLOCK, dst += five ? LF_Q5_0_BYTES : LF_Q4_0_BYTES) {
        float weights[LF_BLOCK];
        uint8_t quants[LF_BLOCK];
        lf_error_weights(src + i, importance + i, variance, LF_BLOCK, weights);
        float d = lf_fit_symmetric(src + i, weights, LF_BLOCK, five ? 16 : 8, quants);
        lf_block_put_u16(dst, lf_f32_to_f16(d));
        if (five) {
            lf_pack_q5(quants, dst + 2);
        } else {
            lf_pack_nibbles(quants, dst + 2);
        }
    }
}

void lf_encode_weighted_q4_0(const float *src, const float *importance, uint8_t *dst, size_t n)
{
    encode_scales(src, importance, dst, n, false);
}

void lf_encode_weighted_q5_0(const float *src, const float *importance, uint8_t *dst, size_t n)
{
    encode_scales(src, importance, dst, n, true);
}

/* Q4_1 and Q5_1. */
static void encode_minima(const float *src, const float *importance, uint8_t *dst, size_t n,
                          bool five)
{
    size_t bytes = five ? LF_Q5_1_BYTES : LF_Q4_1_BYTES;
    float variance = lf_mean_square(src, n);
    for (size_t i = 0; i < n; i += LF_FIT_GROUPS * LF_BLOCK) {
        uint8_t quants[LF_FIT_GROUPS][LF_BLOCK];
        size_t left = (n - i) / LF_BLOCK;
        size_t blocks = left < LF_FIT_GROUPS ? left : LF_FIT_GROUPS;
        fit_minima(src + i, importance + i, variance, blocks, five ? 31 : 15, dst, bytes, quants);
        for (size_t b = 0; b < blocks; b++, dst += bytes) {
            if (five) {
                lf_pack_q5(quants[b], dst + 4);
            } else {
                lf_pack_nibbles(quants[b], dst + 4);
            }
        }
    }
}

void lf_encode_weighted_q4_1(const float *src, const float *importance, uint8_t *dst, size_t n)
{
    encode_minima(src, importance, dst, n, false);
}

void lf_encode_weighted_q5_1(const float *src, const float *importance, uint8_t *dst, size_t n)
{
    encode_minima(src, importance, dst, n, true);
}
