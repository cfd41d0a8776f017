/* SPDX-License-Identifier: Apache-2.0 */
/* The operations of scalar/ops.c over 16 lanes. The including file defines v16. */
#ifndef LF_KERNELS_VECTOR_OPS_H
#define LF_KERNELS_VECTOR_OPS_H

#include "kernels/tables.h"
#include "kernels/vector/attn_float.h"
#include "kernels/vector/exp.h"
#include "kernels/vector/kv.h"

static void rmsnorm(size_t n, const float *x, const float *w, float eps, float *out)
{
    v16 sum = v_set(0.0f);
    size_t i = 0;
    for (; i + 16 <= n; i += 16) {
        const v16 a = v_load(x + i);
        sum = v_fma(a, a, sum);
    }
    const size_t rest = n - i;
    const v16 last = v_load_n(x + i, rest);
    sum = v_fma(last, last, sum);
    const v16 r = v_set(1.0f / __builtin_sqrtf(v_fold_sum(sum) / (float)n + eps));
    for (i = 0; i + 16 <= n; i += 16) {
        v_store(out + i, v_mul(v_mul(v_load(x + i), r), v_load(w + i)));
    }
    v_store_n(out + i, v_mul(v_mul(last, r), v_load_n(w + i, rest)), rest);
}

static void add(size_t n, const float *x, float *y)
{
    size_t i = 0;
    for (; i + 16 <= n; i += 16) {
        v_store(y + i, v_add(v_load(x + i), v_load(y + i)));
    }
    v_store_n(y + i, v_add(v_load_n(x + i, n - i), v_load_n(y + i, n - i)), n - i);
}

static void axpy(size_t n, float a, const float *x, float *y)
{
    const v16 va = v_set(a);
    size_t i = 0;
    for (; i + 16 <= n; i += 16) {
        v_store(y + i, v_fma(va, v_load(x + i), v_load(y + i)));
    }
    v_store_n(y + i, v_fma(va, v_load_n(x + i, n - i), v_load_n(y + i, n - i)), n - i);
}

static void scale(size_t n, float a, const float *x, float *y)
{
    const v16 va = v_set(a);
    size_t i = 0;
    for (; i + 16 <= n; i += 16) {
        v_store(y + i, v_mul(va, v_load(x + i)));
    }
    v_store_n(y + i, v_mul(va, v_load_n(x + i, n - i)), n - i);
}

static void combine(size_t n, size_t m, const float *a, const float *const *x, float *y)
{
    size_t i = 0;
    for (; i + 16 <= n; i += 16) {
        v16 sum = v_mul(v_set(a[0]), v_load(x[0] + i));
        for (size_t r = 1; r < m; r++) {
            sum = v_fma(v_set(a[r]), v_load(x[r] + i), sum);
        }
        v_store(y + i, v_add(v_load(y + i), sum));
    }
    const size_t rest = n - i;
    v16 sum = v_mul(v_set(a[0]), v_load_n(x[0] + i, rest));
    for (size_t r = 1; r < m; r++) {
        sum = v_fma(v_set(a[r]), v_load_n(x[r] + i, rest), sum);
    }
    v_store_n(y + i, v_add(v_load_n(y + i, rest), sum), rest);
}

LF_INLINE v16 v_swiglu(v16 gate, v16 up)
{
    return v_mul(v_div(gate, v_add(v_set(1.0f), v_exp(v_neg(gate)))), up);
}

static void swiglu(size_t n, const float *gate, const float *up, float *out)
{
    size_t i = 0;
    for (; i + 16 <= n; i += 16) {
        v_store(out + i, v_swiglu(v_load(gate + i), v_load(up + i)));
    }
    if (i < n) {
        v_store_n(out + i, v_swiglu(v_load_n(gate + i, n - i), v_load_n(up + i, n - i)), n - i);
    }
}

LF_INLINE v16 v_sigmoid(v16 x)
{
    return v_div(v_set(1.0f), v_add(v_set(1.0f), v_exp(v_neg(x))));
}

static void sigmoid(size_t n, const float *x, float *out)
{
    size_t i = 0;
    for (; i + 16 <= n; i += 16) {
        v_store(out + i, v_sigmoid(v_load(x + i)));
    }
    if (i < n) {
        v_store_n(out + i, v_sigmoid(v_load_n(x + i, n - i)), n - i);
    }
}

/* 16 channels, or the last `count` ones. */
LF_INLINE void conv16(size_t n, size_t taps, const float *bcx, const float *const *past,
                      const float *kernel, float *u_now, float *out, size_t i, size_t count)
{
    const v16 u = v_mul(v_load_n(bcx + i, count), v_load_n(bcx + 2 * n + i, count));
    v16 sum = v_set(0.0f);
    for (size_t t = 0; t + 1 < taps; t++) {
        sum = v_fma(v_load_n(kernel + t * n + i, count), v_load_n(past[t] + i, count), sum);
    }
    sum = v_fma(v_load_n(kernel + (taps - 1) * n + i, count), u, sum);
    const v16 gate = v_load_n(bcx + n + i, count);
    v_store_n(u_now + i, u, count);
    v_store_n(out + i, v_mul(gate, sum), count);
}

static void conv(size_t first, size_t end, size_t n, size_t taps, const float *bcx,
                 const float *const *past, const float *kernel, float *u_now, float *out)
{
    size_t i = first;
    for (; i + 16 <= end; i += 16) {
        conv16(n, taps, bcx, past, kernel, u_now, out, i, 16);
    }
    if (i < end) {
        conv16(n, taps, bcx, past, kernel, u_now, out, i, end - i);
    }
}

static void rope(size_t head_dim, const float *cos, const float *sin, float *x)
{
    const size_t half = head_dim / 2;
    for (size_t i = 0; i < half; i += 16) {
        const size_t count = half - i < 16 ? half - i : 16;
        const v16 a = v_load_n(x + i, count), b = v_load_n(x + half + i, count);
        const v16 c = v_load_n(cos + i, count), s = v_load_n(sin + i, count);
        v_store_n(x + i, v_fma(a, c, v_neg(v_mul(b, s))), count);
        v_store_n(x + half + i, v_fma(b, c, v_mul(a, s)), count);
    }
}

static void f32_to_f16(size_t n, const float *x, uint16_t *y)
{
    size_t i = 0;
    for (; i + 16 <= n; i += 16) {
        v_store_f16(y + i, v_load(x + i));
    }
    uint16_t last[16];
    v_store_f16(last, v_load_n(x + i, n - i));
    memcpy(y + i, last, (n - i) * sizeof last[0]);
}

static void f16_to_f32(size_t n, const uint16_t *x, float *y)
{
    size_t i = 0;
    for (; i + 16 <= n; i += 16) {
        v_store(y + i, v_load_f16(x + i));
    }
    uint16_t last[16] = {0};
    memcpy(last, x + i, (n - i) * sizeof last[0]);
    v_store_n(y + i, v_load_f16(last), n - i);
}

static void bf16_to_f32(size_t n, const uint16_t *x, float *y)
{
    size_t i = 0;
    for (; i + 16 <= n; i += 16) {
        v_store(y + i, v_load_bf16(x + i));
    }
    uint16_t last[16] = {0};
    memcpy(last, x + i, (n - i) * sizeof last[0]);
    v_store_n(y + i, v_load_bf16(last), n - i);
}

static float max(size_t n, const float *x)
{
    const v16 none = v_set(-INFINITY);
    v16 m = none;
    size_t i = 0;
    for (; i + 16 <= n; i += 16) {
        m = v_max(v_load(x + i), m);
    }
    m = v_max(v_first(n - i, v_load_n(x + i, n - i), none), m);
    return v_fold_max(m);
}

static float sum_exp(size_t n, const float *x, float shift, float *out)
{
    const v16 s = v_set(shift);
    v16 sum = v_set(0.0f);
    for (size_t i = 0; i < n; i += 16) {
        const size_t count = n - i < 16 ? n - i : 16;
        v16 e = v_exp(v_sub(v_load_n(x + i, count), s));
        e = v_first(count, e, v_set(0.0f));
        sum = v_add(sum, e);
        if (out != NULL) {
            v_store_n(out + i, e, count);
        }
    }
    return v_fold_sum(sum);
}

#define LF_OPS_V16                                                                                 \
    {                                                                                              \
        .rmsnorm = rmsnorm, .add = add, .axpy = axpy, .scale = scale, .combine = combine,          \
        .swiglu = swiglu, .sigmoid = sigmoid, .conv = conv, .rope = rope,                          \
        .f32_to_f16 = f32_to_f16, .f16_to_f32 = f16_to_f32, .bf16_to_f32 = bf16_to_f32,            \
        .max = max, .sum_exp = sum_exp, .kv = {                                                    \
            [LF_KV_F16] = {store_f16, NULL, attn_f16},                                             \
            [LF_KV_F32] = {lf_kv_store_f32_scalar, NULL, attn_f32},                                \
            [LF_KV_Q8] = {store_q8, query_q8, NULL}                                                \
        }                                                                                          \
    }

#endif /* LF_KERNELS_VECTOR_OPS_H */
