/* SPDX-License-Identifier: Apache-2.0 */
/* Scalar operations: everything but matrix products and attention. */
#include "kernels/exp.h"
#include "kernels/kv_layout.h"
#include "kernels/numbers.h"
#include "kernels/tables.h"

#include <math.h>

float lf_exp_scalar(float x)
{
    x = LF_EXP_HIGH < x ? LF_EXP_HIGH : x; /* these comparisons keep a NaN */
    x = LF_EXP_LOW > x ? LF_EXP_LOW : x;
    float shifted = lf_fma(x, LF_EXP_LOG2E, LF_MAGIC);
    float n = shifted - LF_MAGIC;
    float r = lf_fma(n, -LF_EXP_LN2_HI, x);
    r = lf_fma(n, -LF_EXP_LN2_LO, r);
    float p = lf_fma(LF_EXP_C6, r, LF_EXP_C5);
    p = lf_fma(p, r, LF_EXP_C4);
    p = lf_fma(p, r, LF_EXP_C3);
    p = lf_fma(p, r, LF_EXP_C2);
    p = lf_fma(p, r, 1.0f);
    p = lf_fma(p, r, 1.0f);
    /* 2^n as two factors with normal exponents. For a NaN any factors do. */
    uint32_t e = lf_bits(shifted) - LF_MAGIC_BITS;
    uint32_t half = ((e + 1024) >> 1) - 512;
    return p * lf_float((half + 127) << 23) * lf_float((e - half + 127) << 23);
}

static float lane_sum_squares(size_t n, const float *x)
{
    float lane[LF_LANES] = {0};
    for (size_t i = 0; i < n; i++) {
        lane[i % LF_LANES] = lf_fma(x[i], x[i], lane[i % LF_LANES]);
    }
    return lf_fold_sum(lane);
}

static void rmsnorm(size_t n, const float *x, const float *w, float eps, float *out)
{
    float r = 1.0f / __builtin_sqrtf(lane_sum_squares(n, x) / (float)n + eps);
    for (size_t i = 0; i < n; i++) {
        out[i] = x[i] * r * w[i];
    }
}

static void add(size_t n, const float *x, float *y)
{
    for (size_t i = 0; i < n; i++) {
        y[i] = x[i] + y[i];
    }
}

static void axpy(size_t n, float a, const float *x, float *y)
{
    for (size_t i = 0; i < n; i++) {
        y[i] = lf_fma(a, x[i], y[i]);
    }
}

static void scale(size_t n, float a, const float *x, float *y)
{
    for (size_t i = 0; i < n; i++) {
        y[i] = a * x[i];
    }
}

static void combine(size_t n, size_t m, const float *a, const float *const *x, float *y)
{
    enum { COLUMNS = 64 };
    for (size_t first = 0; first < n; first += COLUMNS) {
        size_t count = n - first < COLUMNS ? n - first : COLUMNS;
        float sum[COLUMNS];
        scale(count, a[0], x[0] + first, sum);
        for (size_t r = 1; r < m; r++) {
            axpy(count, a[r], x[r] + first, sum);
        }
        add(count, sum, y + first);
    }
}

static void swiglu(size_t n, const float *gate, const float *up, float *out)
{
    for (size_t i = 0; i < n; i++) {
        out[i] = gate[i] / (1.0f + lf_exp_scalar(-gate[i])) * up[i];
    }
}

static void sigmoid(size_t n, const float *x, float *out)
{
    for (size_t i = 0; i < n; i++) {
        out[i] = 1.0f / (1.0f + lf_exp_scalar(-x[i]));
    }
}

static void conv(size_t first, size_t end, size_t n, size_t taps, const float *bcx,
                 const float *const *past, const float *kernel, float *u_now, float *out)
{
    for (size_t i = first; i < end; i++) {
        u_now[i] = bcx[i] * bcx[2 * n + i];
        float sum = 0.0f;
        for (size_t t = 0; t + 1 < taps; t++) {
            sum = lf_fma(kernel[t * n + i], past[t][i], sum);
        }
        sum = lf_fma(kernel[(taps - 1) * n + i], u_now[i], sum);
        out[i] = bcx[n + i] * sum;
    }
}

static void rope(size_t head_dim, const float *cos, const float *sin, float *x)
{
    size_t half = head_dim / 2;
    for (size_t i = 0; i < half; i++) {
        float a = x[i], b = x[half + i];
        x[i] = lf_fma(a, cos[i], -(b * sin[i]));
        x[half + i] = lf_fma(b, cos[i], a * sin[i]);
    }
}

static void f32_to_f16(size_t n, const float *x, uint16_t *y)
{
    for (size_t i = 0; i < n; i++) {
        y[i] = lf_float_to_half(x[i]);
    }
}

static void f16_to_f32(size_t n, const uint16_t *x, float *y)
{
    for (size_t i = 0; i < n; i++) {
        y[i] = lf_half_to_float(x[i]);
    }
}

static void bf16_to_f32(size_t n, const uint16_t *x, float *y)
{
    for (size_t i = 0; i < n; i++) {
        y[i] = lf_float((uint32_t)x[i] << 16);
    }
}

static float max(size_t n, const float *x)
{
    float m = -INFINITY;
    for (size_t i = 0; i < n; i++) {
        m = x[i] > m ? x[i] : m;
    }
    return m + 0.0f; /* never the negative zero */
}

static float sum_exp(size_t n, const float *x, float shift, float *out)
{
    float lane[LF_LANES] = {0};
    for (size_t i = 0; i < n; i++) {
        float e = lf_exp_scalar(x[i] - shift);
        lane[i % LF_LANES] += e;
        if (out != NULL) {
            out[i] = e;
        }
    }
    return lf_fold_sum(lane);
}

const lf_ops lf_ops_scalar = {
    .rmsnorm = rmsnorm,
    .add = add,
    .axpy = axpy,
    .scale = scale,
    .combine = combine,
    .swiglu = swiglu,
    .sigmoid = sigmoid,
    .conv = conv,
    .rope = rope,
    .f32_to_f16 = f32_to_f16,
    .f16_to_f32 = f16_to_f32,
    .bf16_to_f32 = bf16_to_f32,
    .kv = {[LF_KV_F16] = {lf_kv_store_f16_scalar, NULL, lf_attn_f16_scalar},
           [LF_KV_F32] = {lf_kv_store_f32_scalar, NULL, lf_attn_f32_scalar},
           [LF_KV_Q8] = {lf_kv_store_q8_scalar, lf_kv_query_q8_scalar, NULL}},
    .max = max,
    .sum_exp = sum_exp};
