/* SPDX-License-Identifier: Apache-2.0 */
/* The layout and the quantization of LF_KV_Q8, and the scalar functions of KV blocks
 * (scalar/attn.c). */
#ifndef LF_KERNELS_KV_LAYOUT_H
#define LF_KERNELS_KV_LAYOUT_H

#include "kernels/kernels.h"
#include "kernels/numbers.h"

/* Index of the quant of dimension d at position j, in a block of keys and in a block of values. */
static inline size_t lf_q8_key(size_t d, size_t j)
{
    return (d / 2 * LF_ATTN_BLOCK + j) * 2 + d % 2;
}

static inline size_t lf_q8_value(size_t head_dim, size_t d, size_t j)
{
    return (j / 2 * head_dim + d) * 2 + j % 2;
}

/* Largest quant of queries and weights: the sum of LF_ATTN_MOST_DIMS products with int8 quants fits
 * an int32. */
#define LF_ATTN_QUANT_MAX 32767.0f
_Static_assert((int64_t)LF_ATTN_MOST_DIMS * 32767 * 127 <= INT32_MAX, "the sums overflow");

/* Scale of values whose largest magnitude has the bits `amax` and becomes the quant `largest`. A
 * quant is value * *factor, rounded; *factor is 0 if all quants are 0. */
static inline float lf_quant_scale(uint32_t amax, float largest, float *factor)
{
    const bool finite = amax < 0x7F800000u;
    const bool nonzero = finite && amax >= 0x0D800000u; /* 2^-100: the factor is finite */
    *factor = nonzero ? largest / lf_float(amax) : 0.0f;
    return nonzero ? lf_float(amax) / largest : finite ? 0.0f : lf_float(0x7FC00000u);
}

lf_kv_query_fn lf_kv_query_q8_scalar;
lf_kv_store_fn lf_kv_store_f16_scalar, lf_kv_store_f32_scalar, lf_kv_store_q8_scalar;
lf_attn_fn lf_attn_f16_scalar, lf_attn_f32_scalar;

#endif /* LF_KERNELS_KV_LAYOUT_H */
