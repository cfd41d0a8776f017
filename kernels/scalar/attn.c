/* SPDX-License-Identifier: Apache-2.0 */
/* Owns the truth of attention over one KV block; kernels.h gives the order of operations. */
#include "kernels/internal.h"

typedef float (*load_fn)(const void *values, size_t i);

static float load_f32(const void *values, size_t i)
{
    return ((const float *)values)[i];
}

static float load_f16(const void *values, size_t i)
{
    return lf_half_to_float(((const uint16_t *)values)[i]);
}

/* One row that sees `valid` >= 1 positions. */
static void attend(load_fn load, size_t head_dim, const float *q, size_t valid, const void *k,
                   const void *v, float *row_max, float *row_sum, float *acc)
{
    float p[LF_ATTN_BLOCK] = {0};
    float max = *row_max;
    for (size_t j = 0; j < valid; j++) {
        float s = 0.0f;
        for (size_t d = 0; d < head_dim; d++) {
            s = fmaf(q[d], load(k, d * LF_ATTN_BLOCK + j), s);
        }
        p[j] = s;
        max = s > max ? s : max;
    }
    max += 0.0f; /* never the negative zero: its place in the order of comparisons must not show */
    float alpha = lf_exp_scalar(*row_max - max);
    float lane[LF_LANES] = {0};
    for (size_t j = 0; j < valid; j++) {
        p[j] = lf_exp_scalar(p[j] - max);
        lane[j % LF_LANES] += p[j];
    }
    *row_max = max;
    *row_sum = fmaf(*row_sum, alpha, lf_fold_sum(lane));
    for (size_t d = 0; d < head_dim; d++) {
        float sum = acc[d] * alpha;
        for (size_t j = 0; j < valid; j++) {
            sum = fmaf(p[j], load(v, j * head_dim + d), sum);
        }
        acc[d] = sum;
    }
}

static void attn(load_fn load, size_t m, size_t head_dim, const float *q, size_t q_stride,
                 const uint32_t *valid, const void *k, const void *v, const lf_attn_state *state)
{
    for (size_t i = 0; i < m; i++) {
        if (valid[i] != 0) {
            attend(load, head_dim, q + i * q_stride, valid[i], k, v, state->max + i, state->sum + i,
                   state->acc + i * state->acc_stride);
        }
    }
}

void lf_attn_f16_scalar(size_t m, size_t head_dim, const float *q, size_t q_stride,
                        const uint32_t *valid, const void *k, const void *v,
                        const lf_attn_state *state)
{
    attn(load_f16, m, head_dim, q, q_stride, valid, k, v, state);
}

void lf_attn_f32_scalar(size_t m, size_t head_dim, const float *q, size_t q_stride,
                        const uint32_t *valid, const void *k, const void *v,
                        const lf_attn_state *state)
{
    attn(load_f32, m, head_dim, q, q_stride, valid, k, v, state);
}
