/* SPDX-License-Identifier: Apache-2.0 */
/* Storing a position and quantizing a query (scalar/attn.c) over 16 lanes. The including file
 * defines v16. */
#ifndef LF_KERNELS_VECTOR_KV_H
#define LF_KERNELS_VECTOR_KV_H

#include "kernels/vector/quants.h"

static void store_f16(size_t head_dim, size_t j, const float *k, const float *v, void *k_block,
                      void *v_block)
{
    uint16_t *column = (uint16_t *)k_block + j;
    uint16_t *row = (uint16_t *)v_block + j * head_dim;
    for (size_t d = 0; d < head_dim; d += 16) {
        const size_t count = head_dim - d < 16 ? head_dim - d : 16;
        uint16_t half[16];
        v_store_f16(half, v_load_n(k + d, count));
        for (size_t i = 0; i < count; i++) {
            column[(d + i) * LF_ATTN_BLOCK] = half[i];
        }
        v_store_f16(half, v_load_n(v + d, count));
        memcpy(row + d, half, count * sizeof half[0]);
    }
}

/* Quants of the first `count` of 16 values. Factor 0 also marks values that are not finite. */
LF_INLINE void row_quants(const float *x, size_t count, float factor, int8_t quants[16])
{
    const v16 magic = v_set(LF_MAGIC);
    const v16 scaled = v_add(v_mul(v_load_n(x, count), v_set(factor)), magic);
    v_store_i8(quants, factor != 0.0f ? scaled : magic);
}

static void store_q8(size_t head_dim, size_t j, const float *k, const float *v, void *k_block,
                     void *v_block)
{
    int8_t *keys = (int8_t *)k_block + LF_KV_SCALES;
    int8_t *values = (int8_t *)v_block + LF_KV_SCALES;
    float k_factor = 0.0f, v_factor = 0.0f;
    ((float *)k_block)[j] = v_quant_scale(head_dim, k, 127.0f, &k_factor);
    ((float *)v_block)[j] = v_quant_scale(head_dim, v, 127.0f, &v_factor);
    for (size_t d = 0; d < head_dim; d += 16) {
        const size_t count = head_dim - d < 16 ? head_dim - d : 16;
        int8_t quants[16];
        row_quants(k + d, count, k_factor, quants);
        for (size_t i = 0; i < count; i++) {
            keys[lf_q8_key(d + i, j)] = quants[i];
        }
        row_quants(v + d, count, v_factor, quants);
        for (size_t i = 0; i < count; i++) {
            values[lf_q8_value(head_dim, d + i, j)] = quants[i];
        }
    }
}

static void query_q8(size_t head_dim, float *q)
{
    _Alignas(64) int16_t quants[LF_ATTN_MOST_DIMS];
    const float scale = v_quants(head_dim, q, quants);
    memcpy(q, quants, head_dim * sizeof quants[0]);
    q[head_dim / 2] = scale;
}

#endif /* LF_KERNELS_VECTOR_KV_H */
