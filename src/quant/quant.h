/* SPDX-License-Identifier: Apache-2.0 */
/* Block formats of GGUF: names, sizes, exact decoding, and encoding. */
#ifndef LF_QUANT_QUANT_H
#define LF_QUANT_QUANT_H

#include "common/status.h"

#include <stdbool.h>

/* Values are GGUF's type quants. */
typedef enum {
    LF_F32 = 0,
    LF_F16 = 1,
    LF_Q4_0 = 2,
    LF_Q4_1 = 3,
    LF_Q5_0 = 6,
    LF_Q5_1 = 7,
    LF_Q8_0 = 8,
    LF_Q4_K = 12,
    LF_Q5_K = 13,
    LF_Q6_K = 14,
    LF_IQ4_NL = 20,
    LF_IQ4_XS = 23,
    LF_BF16 = 30,
    LF_MXFP4 = 39
} lf_type;

typedef struct lf_type_info {
    lf_type type;
    const char *name; /* "Q4_0" */
    uint32_t block;   /* elements of a block */
    uint32_t block_bytes;
} lf_type_info;

/* NULL for quants this library does not read. */
const lf_type_info *lf_type_get(uint32_t code);
/* By name, case-insensitive; NULL if unknown. */
const lf_type_info *lf_type_find(const char *name);

/* Bytes of a row of n elements; n must be a multiple of the block (0 otherwise). */
size_t lf_row_bytes(lf_type type, size_t n);

/* Exact values of n elements (a multiple of the block) in f32. */
void lf_decode_row(lf_type type, const void *src, float *dst, size_t n);

/* n elements into blocks, as the reference encoder of the format makes them without an importance
 * matrix. Q4_1, IQ4_NL, IQ4_XS and MXFP4 cannot be written: false. */
bool lf_encode_row(lf_type type, const float *src, void *dst, size_t n);

/* A quantised format seen as integer quants with scales, for exact packing: element i of a group of
 * `group` elements has the value scale * code - min (scale and min in f32, as decoding computes
 * them). */
typedef struct lf_quant_info {
    uint32_t group; /* 16 or 32 */
    bool has_min;
} lf_quant_info;

/* False for F32, F16 and BF16. */
bool lf_quant_info_of(lf_type type, lf_quant_info *out);

/* n elements (a multiple of the block): quants[n] in -128..127, scales[n/group], mins[n/group]
 * (mins may be NULL when the type has none). */
void lf_quants_row(lf_type type, const void *src, size_t n, int8_t *quants, float *scales,
                   float *mins);

float lf_f16_to_f32(uint16_t h);
uint16_t lf_f32_to_f16(float f); /* round to nearest even */
float lf_bf16_to_f32(uint16_t b);
uint16_t lf_f32_to_bf16(float f); /* round to nearest even, NaN stays NaN */

#endif /* LF_QUANT_QUANT_H */
