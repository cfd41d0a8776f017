/* SPDX-License-Identifier: Apache-2.0 */
/* Owns the truth of KV blocks: storing a position, and attention over one block; kernels.h gives
 * the order of operations. */
#include "kernels/internal.h"

/* ---- Storing ----------------------------------------------------------------------------------
 */

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

/* Codes of one position, `stride` apart. */
static void store_codes(size_t head_dim, const float *x, float *scale, int8_t *codes, size_t stride)
{
    uint32_t amax = 0; /* as bits: orders magnitudes, infinity and NaN above all */
    for (size_t d = 0; d < head_dim; d++) {
        uint32_t magnitude = lf_bits(x[d]) & 0x7FFFFFFFu;
        amax = magnitude > amax ? magnitude : amax;
    }
    float factor = 0.0f;
    *scale = lf_kv_scale(amax, &factor);
    for (size_t d = 0; d < head_dim; d++) {
        /* Adding the magic number rounds to nearest even. */
        uint32_t bits = factor != 0.0f ? lf_bits(x[d] * factor + LF_MAGIC) : LF_MAGIC_BITS;
        codes[d * stride] = (int8_t)(int32_t)(bits - LF_MAGIC_BITS);
    }
}

void lf_kv_store_q8_scalar(size_t head_dim, size_t j, const float *k, const float *v, void *k_block,
                           void *v_block)
{
    store_codes(head_dim, k, (float *)k_block + j, (int8_t *)k_block + LF_KV_SCALES + j,
                LF_ATTN_BLOCK);
    store_codes(head_dim, v, (float *)v_block + j, (int8_t *)v_block + LF_KV_SCALES + j * head_dim,
                1);
}

/* ---- Attention --------------------------------------------------------------------------------
 */

/* How numbers and scales are read; `values` is where the numbers of a block begin. */
typedef float (*load_fn)(const void *values, size_t i);

typedef struct kv_block {
    load_fn load;
    const void *k, *v;
    const float *k_scales, *v_scales; /* NULL: 1 */
} kv_block;

static float load_f32(const void *values, size_t i)
{
    return ((const float *)values)[i];
}

static float load_f16(const void *values, size_t i)
{
    return lf_half_to_float(((const uint16_t *)values)[i]);
}

static float load_i8(const void *values, size_t i)
{
    return (float)((const int8_t *)values)[i];
}

/* One row that sees `valid` >= 1 positions. */
static void attend(const kv_block *b, size_t head_dim, const float *q, size_t valid, float *row_max,
                   float *row_sum, float *acc)
{
    float p[LF_ATTN_BLOCK] = {0};
    float max = *row_max;
    for (size_t j = 0; j < valid; j++) {
        float s = 0.0f;
        for (size_t d = 0; d < head_dim; d++) {
            s = fmaf(q[d], b->load(b->k, d * LF_ATTN_BLOCK + j), s);
        }
        p[j] = b->k_scales != NULL ? s * b->k_scales[j] : s;
        max = p[j] > max ? p[j] : max;
    }
    max += 0.0f; /* never the negative zero: its place in the order of comparisons must not show */
    float alpha = lf_exp_scalar(*row_max - max);
    float lane[LF_LANES] = {0};
    for (size_t j = 0; j < valid; j++) {
        p[j] = lf_exp_scalar(p[j] - max);
        lane[j % LF_LANES] += p[j];
        p[j] = b->v_scales != NULL ? p[j] * b->v_scales[j] : p[j];
    }
    *row_max = max;
    *row_sum = fmaf(*row_sum, alpha, lf_fold_sum(lane));
    for (size_t d = 0; d < head_dim; d++) {
        float sum = acc[d] * alpha;
        for (size_t j = 0; j < valid; j++) {
            sum = fmaf(p[j], b->load(b->v, j * head_dim + d), sum);
        }
        acc[d] = sum;
    }
}

static void attn(const kv_block *b, size_t m, size_t head_dim, const float *q, size_t q_stride,
                 const uint32_t *valid, const lf_attn_state *state)
{
    for (size_t i = 0; i < m; i++) {
        if (valid[i] != 0) {
            attend(b, head_dim, q + i * q_stride, valid[i], state->max + i, state->sum + i,
                   state->acc + i * state->acc_stride);
        }
    }
}

void lf_attn_f16_scalar(size_t m, size_t head_dim, const float *q, size_t q_stride,
                        const uint32_t *valid, const lf_kv_blocks *kv, const lf_attn_state *state)
{
    const kv_block b = {load_f16, kv->k, kv->v, NULL, NULL};
    attn(&b, m, head_dim, q, q_stride, valid, state);
}

void lf_attn_f32_scalar(size_t m, size_t head_dim, const float *q, size_t q_stride,
                        const uint32_t *valid, const lf_kv_blocks *kv, const lf_attn_state *state)
{
    const kv_block b = {load_f32, kv->k, kv->v, NULL, NULL};
    attn(&b, m, head_dim, q, q_stride, valid, state);
}

void lf_attn_q8_scalar(size_t m, size_t head_dim, const float *q, size_t q_stride,
                       const uint32_t *valid, const lf_kv_blocks *kv, const lf_attn_state *state)
{
    const kv_block b = {load_i8, (const int8_t *)kv->k + LF_KV_SCALES,
                        (const int8_t *)kv->v + LF_KV_SCALES, kv->k, kv->v};
    attn(&b, m, head_dim, q, q_stride, valid, state);
}
