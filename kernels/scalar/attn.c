/* SPDX-License-Identifier: Apache-2.0 */
/* Scalar KV blocks: storing a position, quantizing a query, attention over one block. kernels.h
 * gives the order of operations. */
#include "kernels/exp.h"
#include "kernels/kv_layout.h"
#include "kernels/tables.h"

/* ---- Storing ---- */

void lf_kv_store_f16_scalar(size_t head_dim, size_t j, const float *k, const float *v,
                            void *k_block, void *v_block)
{
    uint16_t *column = (uint16_t *)k_block + j;
    uint16_t *row = (uint16_t *)v_block + j * head_dim;
    for (size_t d = 0; d < head_dim; d++) {
        column[d * LF_ATTN_BLOCK] = lf_float_to_half(k[d]);
        row[d] = lf_float_to_half(v[d]);
    }
}

void lf_kv_store_f32_scalar(size_t head_dim, size_t j, const float *k, const float *v,
                            void *k_block, void *v_block)
{
    float *column = (float *)k_block + j;
    for (size_t d = 0; d < head_dim; d++) {
        column[d * LF_ATTN_BLOCK] = k[d];
    }
    memcpy((float *)v_block + j * head_dim, v, head_dim * sizeof(float));
}

/* Scale of n numbers whose largest magnitude becomes the quant `largest`; *factor makes quants of
 * them. */
static float scale_of(size_t n, const float *x, float largest, float *factor)
{
    uint32_t amax = 0; /* bits order magnitudes, with infinity and NaN above all */
    for (size_t i = 0; i < n; i++) {
        uint32_t magnitude = lf_bits(x[i]) & 0x7FFFFFFFu;
        amax = magnitude > amax ? magnitude : amax;
    }
    return lf_quant_scale(amax, largest, factor);
}

/* Adding LF_MAGIC rounds to nearest even. */
static int32_t quant_of(float x, float factor)
{
    uint32_t bits = factor != 0.0f ? lf_bits(x * factor + LF_MAGIC) : LF_MAGIC_BITS;
    return (int32_t)(bits - LF_MAGIC_BITS);
}

void lf_kv_store_q8_scalar(size_t head_dim, size_t j, const float *k, const float *v, void *k_block,
                           void *v_block)
{
    int8_t *keys = (int8_t *)k_block + LF_KV_SCALES;
    int8_t *values = (int8_t *)v_block + LF_KV_SCALES;
    float k_factor = 0.0f, v_factor = 0.0f;
    ((float *)k_block)[j] = scale_of(head_dim, k, 127.0f, &k_factor);
    ((float *)v_block)[j] = scale_of(head_dim, v, 127.0f, &v_factor);
    for (size_t d = 0; d < head_dim; d++) {
        keys[lf_q8_key(d, j)] = (int8_t)quant_of(k[d], k_factor);
        values[lf_q8_value(head_dim, d, j)] = (int8_t)quant_of(v[d], v_factor);
    }
}

/* ---- Attention ---- */

/* Reads number i of a block. */
typedef float (*load_fn)(const void *values, size_t i);

static float load_f32(const void *values, size_t i)
{
    return ((const float *)values)[i];
}

static float load_f16(const void *values, size_t i)
{
    return lf_half_to_float(((const uint16_t *)values)[i]);
}

/* Turns the scores p of the `valid` >= 1 positions of a row into weights and updates the row's
 * maximum and sum. Returns the factor for the row's previous results. */
static float update_softmax(size_t valid, float *p, float *row_max, float *row_sum)
{
    float max = *row_max;
    for (size_t j = 0; j < valid; j++) {
        max = p[j] > max ? p[j] : max;
    }
    max += 0.0f; /* never the negative zero, or the order of comparisons would show */
    float alpha = lf_exp_scalar(*row_max - max);
    float lane[LF_LANES] = {0};
    for (size_t j = 0; j < valid; j++) {
        p[j] = lf_exp_scalar(p[j] - max);
        lane[j % LF_LANES] += p[j];
    }
    *row_max = max;
    *row_sum = lf_fma(*row_sum, alpha, lf_fold_sum(lane));
    return alpha;
}

static void attn(load_fn load, size_t m, size_t head_dim, const float *q, size_t q_stride,
                 const uint32_t *valid, const lf_kv_blocks *kv, const lf_attn_state *state)
{
    for (size_t i = 0; i < m; i++) {
        if (valid[i] == 0) {
            continue;
        }
        float p[LF_ATTN_BLOCK];
        for (size_t j = 0; j < valid[i]; j++) {
            p[j] = 0.0f;
            for (size_t d = 0; d < head_dim; d++) {
                p[j] = lf_fma(q[i * q_stride + d], load(kv->k, d * LF_ATTN_BLOCK + j), p[j]);
            }
        }
        float alpha = update_softmax(valid[i], p, state->max + i, state->sum + i);
        float *acc = state->acc + i * state->acc_stride;
        for (size_t d = 0; d < head_dim; d++) {
            acc[d] *= alpha;
            for (size_t j = 0; j < valid[i]; j++) {
                acc[d] = lf_fma(p[j], load(kv->v, j * head_dim + d), acc[d]);
            }
        }
    }
}

void lf_attn_f16_scalar(size_t m, size_t head_dim, const float *q, size_t q_stride,
                        const uint32_t *valid, const lf_kv_blocks *kv, const lf_attn_state *state)
{
    attn(load_f16, m, head_dim, q, q_stride, valid, kv, state);
}

void lf_attn_f32_scalar(size_t m, size_t head_dim, const float *q, size_t q_stride,
                        const uint32_t *valid, const lf_kv_blocks *kv, const lf_attn_state *state)
{
    attn(load_f32, m, head_dim, q, q_stride, valid, kv, state);
}

static float quants_of(size_t n, const float *x, int16_t *quants)
{
    float factor = 0.0f;
    const float scale = scale_of(n, x, LF_ATTN_QUANT_MAX, &factor);
    for (size_t i = 0; i < n; i++) {
        quants[i] = (int16_t)quant_of(x[i], factor);
    }
    return scale;
}

void lf_kv_query_q8_scalar(size_t head_dim, float *q)
{
    int16_t quants[LF_ATTN_MOST_DIMS];
    const float scale = quants_of(head_dim, q, quants);
    memcpy(q, quants, head_dim * sizeof quants[0]);
    q[head_dim / 2] = scale;
}

/* Attention of one row over the first `valid` >= 1 positions of int8 keys and values. */
static void attend_q8(size_t head_dim, const float *q, size_t valid, const lf_kv_blocks *kv,
                      float *row_max, float *row_sum, float *acc)
{
    const float *k_scales = kv->k, *v_scales = kv->v;
    const int8_t *k = (const int8_t *)kv->k + LF_KV_SCALES;
    const int8_t *v = (const int8_t *)kv->v + LF_KV_SCALES;
    float p[LF_ATTN_BLOCK];
    int16_t quants[LF_ATTN_MOST_DIMS]; /* of the query, then of the weights */
    memcpy(quants, q, head_dim * sizeof quants[0]);
    for (size_t j = 0; j < valid; j++) {
        int32_t sum = 0;
        for (size_t d = 0; d < head_dim; d++) {
            sum += quants[d] * k[lf_q8_key(d, j)];
        }
        p[j] = (float)sum * q[head_dim / 2] * k_scales[j];
    }
    const float alpha = update_softmax(valid, p, row_max, row_sum);
    for (size_t j = 0; j < valid; j++) {
        p[j] *= v_scales[j];
    }
    const float scale = quants_of(valid, p, quants);
    for (size_t d = 0; d < head_dim; d++) {
        int32_t sum = 0;
        for (size_t j = 0; j < valid; j++) {
            sum += quants[j] * v[lf_q8_value(head_dim, d, j)];
        }
        acc[d] = lf_fma((float)sum, scale, acc[d] * alpha);
    }
}

void lf_attn_q8_scalar(size_t m, size_t head_dim, const float *q, size_t q_stride,
                       const uint32_t *valid, const lf_kv_blocks *kv, const lf_attn_state *state)
{
    for (size_t i = 0; i < m; i++) {
        if (valid[i] != 0) {
            attend_q8(head_dim, q + i * q_stride, valid[i], kv, state->max + i, state->sum + i,
                      state->acc + i * state->acc_stride);
        }
    }
}
