/* SPDX-License-Identifier: Apache-2.0 */
/* Quantization of a row of numbers to int16 or int8 with one scale (kv_layout.h) over 16 lanes. */
#ifndef LF_KERNELS_VECTOR_QUANTS_H
#define LF_KERNELS_VECTOR_QUANTS_H

#include "kernels/kv_layout.h"
#include "kernels/vector/unroll.h"

/* Scale of n numbers whose largest magnitude becomes the quant `largest`. A quant is number *
 * *factor, rounded. */
LF_INLINE float v_quant_scale(size_t n, const float *x, float largest, float *factor)
{
    v16 top = v_set(0.0f);
    for (size_t i = 0; i < n; i += 16) {
        top = v_max_bits(top, v_load_n(x + i, n - i < 16 ? n - i : 16));
    }
    return lf_quant_scale(v_fold_max_bits(top), largest, factor);
}

/* Quantizes n numbers as queries and weights are, with zeros up to a multiple of 16. Returns the
 * scale. */
LF_INLINE float v_quants(size_t n, const float *x, int16_t *quants)
{
    float factor = 0.0f;
    const float scale = v_quant_scale(n, x, LF_ATTN_QUANT_MAX, &factor);
    const v16 magic = v_set(LF_MAGIC);
    for (size_t i = 0; i < n; i += 16) {
        const v16 values = v_load_n(x + i, n - i < 16 ? n - i : 16);
        const v16 scaled = v_add(v_mul(values, v_set(factor)), magic);
        w_store_i16(quants + i, factor != 0.0f ? scaled : magic);
    }
    return scale;
}

#endif /* LF_KERNELS_VECTOR_QUANTS_H */
