/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Owns the vector form of scalar/attn.c over 16 lanes; the including file defines v16, and
 * ATTN_ROWS, the query rows that share the loads of K and V, and ATTN_VECS, the vectors of 16
 * positions (of dimensions in the second product) a row has in registers.
 */
#ifndef LF_KERNELS_X86_ATTN_V16_H
#define LF_KERNELS_X86_ATTN_V16_H

#include "kernels/x86/exp_v16.h"

/* The rows of one tile. */
typedef struct attn_rows {
    const float *q[ATTN_ROWS];
    float *acc[ATTN_ROWS];
    size_t valid[ATTN_ROWS];
    size_t least; /* the smallest of valid */
    float *max[ATTN_ROWS], *sum[ATTN_ROWS];
    float alpha[ATTN_ROWS];
    _Alignas(64) float p[ATTN_ROWS][LF_ATTN_BLOCK]; /* scores, then weights */
} attn_rows;

/* 16 values of K or V from element i on. */
LF_INLINE v16 attn_load(const bool half, const void *values, size_t i)
{
    return half ? v_load_half((const uint16_t *)values + i) : v_load((const float *)values + i);
}

/* Scores of m rows at positions j0 .. j0 + 16 * ATTN_VECS. */
LF_INLINE void attn_scores(const bool half, const size_t m, size_t head_dim, const void *k,
                           size_t j0, attn_rows *t)
{
    v16 s[ATTN_ROWS][ATTN_VECS];
    for (size_t i = 0; i < m; i++) {
        for (size_t v = 0; v < ATTN_VECS; v++) {
            s[i][v] = v_set(0.0f);
        }
    }
    for (size_t d = 0; d < head_dim; d++) {
        v16 kd[ATTN_VECS];
        for (size_t v = 0; v < ATTN_VECS; v++) {
            kd[v] = attn_load(half, k, d * LF_ATTN_BLOCK + j0 + v * 16);
        }
        for (size_t i = 0; i < m; i++) {
            const v16 q = v_set(t->q[i][d]);
            for (size_t v = 0; v < ATTN_VECS; v++) {
                s[i][v] = v_fma(q, kd[v], s[i][v]);
            }
        }
    }
    for (size_t i = 0; i < m; i++) {
        for (size_t v = 0; v < ATTN_VECS; v++) {
            v_store(t->p[i] + j0 + v * 16, s[i][v]);
        }
    }
}

/* Scores of one row to weights, with the state's new maximum and sum. */
LF_INLINE void attn_weights(size_t valid, float *p, float *row_max, float *row_sum, float *alpha)
{
    const v16 none = v_set(-INFINITY);
    v16 m = none;
    for (size_t j = 0; j < LF_ATTN_BLOCK; j += 16) {
        const v16 s = v_first(valid > j ? valid - j : 0, v_load(p + j), none);
        v_store(p + j, s);
        m = v_max(s, m);
    }
    const float top = v_fold_max(m);
    const float old = *row_max;
    const float now = top > old ? top : old;
    v16 sum = v_set(0.0f);
    for (size_t j = 0; j < LF_ATTN_BLOCK; j += 16) {
        v16 e = v_exp(v_sub(v_load(p + j), v_set(now)));
        e = v_first(valid > j ? valid - j : 0, e, v_set(0.0f));
        v_store(p + j, e);
        sum = v_add(sum, e);
    }
    *alpha = v_exp1(old - now);
    *row_max = now;
    *row_sum = fmaf(*row_sum, *alpha, v_fold_sum(sum));
}

/* acc = acc * alpha + weights * V for n * 16 dimensions from d on. */
LF_INLINE void attn_values(const bool half, const size_t m, const size_t n, size_t head_dim,
                           const void *v, size_t d, const attn_rows *t)
{
    v16 acc[ATTN_ROWS][ATTN_VECS];
    for (size_t i = 0; i < m; i++) {
        for (size_t c = 0; c < n; c++) {
            acc[i][c] = v_mul(v_load(t->acc[i] + d + c * 16), v_set(t->alpha[i]));
        }
    }
    for (size_t j = 0; j < t->least; j++) {
        v16 vj[ATTN_VECS];
        for (size_t c = 0; c < n; c++) {
            vj[c] = attn_load(half, v, j * head_dim + d + c * 16);
        }
        for (size_t i = 0; i < m; i++) {
            const v16 p = v_set(t->p[i][j]);
            for (size_t c = 0; c < n; c++) {
                acc[i][c] = v_fma(p, vj[c], acc[i][c]);
            }
        }
    }
    for (size_t i = 0; i < m; i++) {
        for (size_t j = t->least; j < t->valid[i]; j++) {
            const v16 p = v_set(t->p[i][j]);
            for (size_t c = 0; c < n; c++) {
                acc[i][c] = v_fma(p, attn_load(half, v, j * head_dim + d + c * 16), acc[i][c]);
            }
        }
        for (size_t c = 0; c < n; c++) {
            v_store(t->acc[i] + d + c * 16, acc[i][c]);
        }
    }
}

/* The last dimensions of a head that is no multiple of 16. */
LF_INLINE void attn_values_rest(const bool half, const size_t m, size_t head_dim, const void *v,
                                size_t d, const attn_rows *t)
{
    for (size_t i = 0; i < m; i++) {
        for (size_t e = d; e < head_dim; e++) {
            float acc = t->acc[i][e] * t->alpha[i];
            for (size_t j = 0; j < t->valid[i]; j++) {
                const size_t at = j * head_dim + e;
                const float value =
                    half ? lf_half_to_float(((const uint16_t *)v)[at]) : ((const float *)v)[at];
                acc = fmaf(t->p[i][j], value, acc);
            }
            t->acc[i][e] = acc;
        }
    }
}

LF_INLINE void attn_tile(const bool half, const size_t m, size_t head_dim, const void *k,
                         const void *v, attn_rows *t)
{
    for (size_t j = 0; j < LF_ATTN_BLOCK; j += 16 * ATTN_VECS) {
        attn_scores(half, m, head_dim, k, j, t);
    }
    t->least = LF_ATTN_BLOCK;
    for (size_t i = 0; i < m; i++) {
        attn_weights(t->valid[i], t->p[i], t->max[i], t->sum[i], t->alpha + i);
        t->least = t->valid[i] < t->least ? t->valid[i] : t->least;
    }
    size_t d = 0;
    for (; d + 16 * ATTN_VECS <= head_dim; d += 16 * ATTN_VECS) {
        attn_values(half, m, ATTN_VECS, head_dim, v, d, t);
    }
    for (; d + 16 <= head_dim; d += 16) {
        attn_values(half, m, 1, head_dim, v, d, t);
    }
    if (d < head_dim) {
        attn_values_rest(half, m, head_dim, v, d, t);
    }
}

#define ATTN_CASE(m)                                                                               \
    case m:                                                                                        \
        attn_tile(half, m, head_dim, k, v, t);                                                     \
        break;

LF_INLINE void attn_some(const bool half, size_t m, size_t head_dim, const void *k, const void *v,
                         attn_rows *t)
{
    switch (m) {
        ATTN_CASES
    default:
        break;
    }
}

LF_INLINE void attn(const bool half, size_t m, size_t head_dim, const float *q, size_t q_stride,
                    const uint32_t *valid, const void *k, const void *v, const lf_attn_state *state)
{
    size_t left = 0; /* rows that see something */
    for (size_t i = 0; i < m; i++) {
        left += valid[i] != 0 ? 1 : 0;
    }
    attn_rows t;
    size_t n = 0, i = 0;
    while (left > 0) {
        const size_t tiles = (left + ATTN_ROWS - 1) / ATTN_ROWS;
        const size_t size = (left + tiles - 1) / tiles;
        for (n = 0; n < size; i++) {
            if (valid[i] != 0) {
                t.q[n] = q + i * q_stride;
                t.acc[n] = state->acc + i * state->acc_stride;
                t.max[n] = state->max + i;
                t.sum[n] = state->sum + i;
                t.valid[n++] = valid[i];
            }
        }
        attn_some(half, n, head_dim, k, v, &t);
        left -= n;
    }
}

static void attn_f16(size_t m, size_t head_dim, const float *q, size_t q_stride,
                     const uint32_t *valid, const void *k, const void *v,
                     const lf_attn_state *state)
{
    attn(true, m, head_dim, q, q_stride, valid, k, v, state);
}

static void attn_f32(size_t m, size_t head_dim, const float *q, size_t q_stride,
                     const uint32_t *valid, const void *k, const void *v,
                     const lf_attn_state *state)
{
    attn(false, m, head_dim, q, q_stride, valid, k, v, state);
}

#endif /* LF_KERNELS_X86_ATTN_V16_H */
