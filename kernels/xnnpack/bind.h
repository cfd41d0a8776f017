/* SPDX-License-Identifier: Apache-2.0 */
/* Owns the declarations that make XNNPACK's micro-kernels rows of our table, whatever the ISA. */
#ifndef LF_KERNELS_XNNPACK_BIND_H
#define LF_KERNELS_XNNPACK_BIND_H

#include "kernels/internal.h"
#include "kernels/xnnpack/ukernels.h"

/* ---- LF_A_QD8 ----------------------------------------------------------------------------------
 * A row, and a tile of m rows: 16 xnn_qd8_params (those after row m are copies of its), then rows
 * of codes, LF_QD8_STRIDE(k) apart, then 64 bytes that may be read. */
enum { LF_QD8_HEAD = 16 * sizeof(xnn_qd8_params), LF_QD8_SLACK = 64 };

static inline size_t lf_qd8_stride(size_t k)
{
    return lf_ceil(k, 64);
}

size_t lf_row_bytes_qd8(size_t k);
size_t lf_tile_bytes_qd8(size_t m, size_t k);
void lf_tile_qd8(size_t m, size_t k, const void *const *rows, void *tile);
void lf_quantize_qd8(xnn_f32_rminmax_fn *minmax, xnn_f32_qs8_vcvt_fn *convert, size_t k,
                     const float *x, void *row);

/* ---- Matrices: one call of a micro-kernel a panel -----------------------------------------------
 */

/* int4 with an f32 scale per 32 that is rounded to bf16, nr columns, groups of 8 k. */
size_t lf_panel_bytes_qb4w(size_t nr, size_t k);
void lf_pack_qb4w(size_t nr, size_t k, const lf_panel_source *source, void *panel);
void lf_run_qb4w(xnn_qb4w_gemm_fn *kernel, size_t nr, size_t m, size_t n, size_t k,
                 const void *tile, const void *panels, float *c, size_t c_stride);

/* Floats: nr biases (zero), then [k][nr]. */
size_t lf_panel_bytes_f32_xnnpack(size_t nr, size_t k);
void lf_pack_f32_xnnpack(size_t nr, size_t k, const lf_panel_source *source, void *panel);
void lf_run_f32_xnnpack(xnn_f32_gemm_fn *kernel, size_t nr, size_t m, size_t n, size_t k,
                        const void *tile, const void *panels, float *c, size_t c_stride);

#endif /* LF_KERNELS_XNNPACK_BIND_H */
