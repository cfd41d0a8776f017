/* SPDX-License-Identifier: Apache-2.0 */
/* The quantized LHS of matrix products: rows of activations in the formats that kernels read. */
#ifndef LF_MODEL_LHS_H
#define LF_MODEL_LHS_H

#include "model/pass.h"

/* The same rows in one or several formats. */
typedef struct lf_lhs_rows {
    uint32_t n; /* rows */
    size_t k;
    uint8_t *rows[LF_LHS_COUNT];    /* by format; row i starts at i * row_bytes */
    size_t row_bytes[LF_LHS_COUNT]; /* 0: not in this format */
    bool are_packed; /* each tile is packed at the address of its first row; valid only for products
                        with the groups that determined the tiles */
    const float *floats; /* the rows before quantization, [n][k]; set only for an observer */
} lf_lhs_rows;

/* Quantizes rmsnorm(x[i]) * w for n rows of the model's width to the formats in the mask `formats`
 * (bit f = lf_lhs_format f), into the workspace. */
void lf_lhs_norm_quantize(const lf_pass *pass, const float *x, const float *w, uint32_t n,
                          uint32_t formats, lf_lhs_rows *lhs);

/* Quantizes n rows of k floats into lhs->rows, which the caller or lf_lhs_norm_quantize has set. */
void lf_lhs_quantize(const lf_pass *pass, const float *x, uint32_t n, size_t k, uint32_t formats,
                     lf_lhs_rows *lhs);

/* The mask of the format that w multiplies; 0 for an absent matrix. */
static inline uint32_t lf_format_bit(const lf_packed *w)
{
    return w->gemm == NULL ? 0u : 1u << w->gemm->lhs;
}

#endif /* LF_MODEL_LHS_H */
