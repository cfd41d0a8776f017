/* SPDX-License-Identifier: Apache-2.0 */
/* Tensor types of GGUF: names, sizes, exact decoding, and encoding. */
#ifndef LF_QUANT_QUANT_H
#define LF_QUANT_QUANT_H

#include "common/status.h"

#include <stdbool.h>

/* The values are GGUF's type numbers. */
typedef enum {
    LF_F32 = 0,
    LF_F16 = 1,
    LF_Q4_0 = 2,
    LF_Q4_1 = 3,
    LF_Q5_0 = 6,
    LF_Q5_1 = 7,
    LF_Q8_0 = 8,
    LF_Q2_K = 10,
    LF_Q3_K = 11,
    LF_Q4_K = 12,
    LF_Q5_K = 13,
    LF_Q6_K = 14,
    LF_IQ2_XXS = 16,
    LF_IQ2_XS = 17,
    LF_IQ3_XXS = 18,
    LF_IQ1_S = 19,
    LF_IQ4_NL = 20,
    LF_IQ3_S = 21,
    LF_IQ2_S = 22,
    LF_IQ4_XS = 23,
    LF_IQ1_M = 29,
    LF_BF16 = 30,
    LF_MXFP4 = 39,
    LF_NVFP4 = 40
} lf_type;

typedef struct lf_type_info {
    lf_type type;
    const char *name; /* "Q4_0" */
    uint32_t block;   /* elements of a block; 1 if the type is not quantized */
    uint32_t block_bytes;
    uint32_t group; /* elements that share a scale: 16 or 32; 0 if the type is not quantized */
    bool has_min;   /* a group has a minimum too */
} lf_type_info;

/* By GGUF's number; NULL if this library does not read the type. */
const lf_type_info *lf_type_get(uint32_t number);
/* The name of any type that GGUF has or had, supported or not; NULL for other numbers. */
const char *lf_type_name(uint32_t number);
/* By name, case-insensitive; NULL if unknown. */
const lf_type_info *lf_type_find(const char *name);

/* Bytes of a row of n elements; 0 if n is not a multiple of the block. */
size_t lf_row_bytes(lf_type type, size_t n);

/* Exact values of n elements (a multiple of the block) in f32. */
void lf_decode_row(lf_type type, const void *src, float *dst, size_t n);

/* Encodes n elements (a multiple of the block) into the blocks that llama.cpp's encoder makes
 * without an importance matrix. False for MXFP4, NVFP4, IQ1, IQ2 and IQ3, which have no encoder. */
bool lf_encode_row(lf_type type, const float *src, void *dst, size_t n);

/* The same for one row of n elements with an importance matrix: `importance` holds one weight for
 * each element, finite and not negative. */
bool lf_encode_weighted(lf_type type, const float *src, const float *importance, void *dst,
                        size_t n);

/* Unpacks n elements (a multiple of the block) of a quantized type: quants[n], scales[n / group],
 * mins[n / group]. An element's value is scale * quant - min of its group, in f32, exactly as
 * lf_decode_row computes it. `mins` may be NULL if the type has none. */
void lf_unpack_row(lf_type type, const void *src, size_t n, int8_t *quants, float *scales,
                   float *mins);

float lf_f16_to_f32(uint16_t h);
uint16_t lf_f32_to_f16(float f); /* rounds to nearest, ties to even */
float lf_bf16_to_f32(uint16_t b);
uint16_t lf_f32_to_bf16(float f); /* the same; NaN stays NaN */

#endif /* LF_QUANT_QUANT_H */
