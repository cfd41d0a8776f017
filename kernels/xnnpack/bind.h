/* SPDX-License-Identifier: Apache-2.0 */
/* Declarations and macros that make XNNPACK's micro-kernels entries of tables.h. */
#ifndef LF_KERNELS_XNNPACK_BIND_H
#define LF_KERNELS_XNNPACK_BIND_H

#include "kernels/lhs_layout.h"
#include "kernels/tables.h"
#include "kernels/xnnpack/ukernels.h"

#include <math.h>

/* ---- LF_LHS_QD8 ----
 *
 * A quantized row, and a packed tile of m rows: 16 xnn_qd8_params (those after row m are copies
 * of row m's), then rows of quants, lf_qd8_stride(k) bytes apart, then 64 readable bytes. */
enum { LF_QD8_HEAD = 16 * sizeof(xnn_qd8_params), LF_QD8_SLACK = 64 };

static inline size_t lf_qd8_stride(size_t k)
{
    return lf_ceil(k, 64);
}

size_t lf_row_bytes_qd8(size_t k);
size_t lf_tile_bytes_qd8(size_t m, size_t k);
void lf_lhs_pack_qd8(size_t m, size_t k, const void *const *rows, void *tile);
void lf_quantize_qd8(xnn_f32_rminmax_fn *minmax, xnn_f32_qs8_vcvt_fn *convert, size_t k,
                     const float *x, void *row);

/* ---- Matrices: one call of a micro-kernel a panel ---- */

/* nr columns of int4 with a scale per 32: an f32 rounded to bf16. A column is in groups of kr
 * bytes: the low nibbles are kr consecutive k, the high nibbles the next kr. */
size_t lf_panel_bytes_qb4w(size_t nr, size_t k);
void lf_pack_qb4w(size_t nr, size_t kr, size_t k, const lf_panel_source *source, void *panel);
void lf_multiply_qb4w(xnn_qb4w_gemm_fn *kernel, size_t nr, size_t m, size_t n, size_t k,
                      const void *tile, const void *panels, float *c, size_t c_stride);

/* Floats: nr biases (zero), then [k][nr]. */
size_t lf_panel_bytes_f32_xnnpack(size_t nr, size_t k);
void lf_pack_f32_xnnpack(size_t nr, size_t k, const lf_panel_source *source, void *panel);
void lf_multiply_f32_xnnpack(xnn_f32_gemm_fn *kernel, size_t nr, size_t m, size_t n, size_t k,
                             const void *tile, const void *panels, float *c, size_t c_stride);

/* ---- Entries of the tables, from a micro-kernel for one row and one for more ---- */

#define LF_QD8(isa_name, feature, minmax, convert)                                                 \
    static void quantize_##isa_name(size_t k, const float *x, void *row)                           \
    {                                                                                              \
        lf_quantize_qd8(minmax, convert, k, x, row);                                               \
    }                                                                                              \
    const lf_lhs lf_lhs_qd8_xnnpack_##isa_name = {.name = "qd8",                                   \
                                                  .provider = LF_PROVIDER_XNNPACK,                 \
                                                  .needs = feature,                                \
                                                  .row_bytes = lf_row_bytes_qd8,                   \
                                                  .quantize = quantize_##isa_name,                 \
                                                  .tile_bytes = lf_tile_bytes_qd8,                 \
                                                  .pack = lf_lhs_pack_qd8};

#define LF_QB4W_PANEL(nr, kr)                                                                      \
    static size_t qb4w_bytes_##nr##c##kr(size_t k)                                                 \
    {                                                                                              \
        return lf_panel_bytes_qb4w(nr, k);                                                         \
    }                                                                                              \
    static void qb4w_pack_##nr##c##kr(size_t k, const lf_panel_source *source, void *panel)        \
    {                                                                                              \
        lf_pack_qb4w(nr, kr, k, source, panel);                                                    \
    }

#define LF_QB4W_FN(isa_name, columns, one, many)                                                   \
    static void qb4w_##isa_name(size_t m, size_t n, size_t k, const void *tile,                    \
                                const void *panels, float *c, size_t c_stride,                     \
                                lf_prefetch_policy policy)                                         \
    {                                                                                              \
        (void)policy;                                                                              \
        lf_multiply_qb4w(m == 1 ? one : many, columns, m, n, k, tile, panels, c, c_stride);        \
    }

#define LF_QB4W_ENTRY(isa_name, feature, rows, columns, group)                                     \
    const lf_gemm lf_gemm_qb4w_xnnpack_##isa_name = {                                              \
        .name = "qd8_f32_qb4w_gemm_" #rows "x" #columns "c" #group "__" #isa_name,                 \
        .isa = #isa_name,                                                                          \
        .provider = LF_PROVIDER_XNNPACK,                                                           \
        .needs = feature,                                                                          \
        .weights = LF_W_Q4,                                                                        \
        .lhs = LF_LHS_QD8,                                                                         \
        .mr = rows,                                                                                \
        .nr = columns,                                                                             \
        .kr = group,                                                                               \
        .k_multiple = 32,                                                                          \
        .exact = false,                                                                            \
        .panel_bytes = qb4w_bytes_##columns##c##group,                                             \
        .pack = qb4w_pack_##columns##c##group,                                                     \
        .fn = qb4w_##isa_name};

#define LF_F32_PANEL(nr)                                                                           \
    static size_t f32_bytes_##nr(size_t k)                                                         \
    {                                                                                              \
        return lf_panel_bytes_f32_xnnpack(nr, k);                                                  \
    }                                                                                              \
    static void f32_pack_##nr(size_t k, const lf_panel_source *source, void *panel)                \
    {                                                                                              \
        lf_pack_f32_xnnpack(nr, k, source, panel);                                                 \
    }

#define LF_F32_FN(isa_name, columns, one, many)                                                    \
    static void f32_##isa_name(size_t m, size_t n, size_t k, const void *tile, const void *panels, \
                               float *c, size_t c_stride, lf_prefetch_policy policy)               \
    {                                                                                              \
        (void)policy;                                                                              \
        lf_multiply_f32_xnnpack(m == 1 ? one : many, columns, m, n, k, tile, panels, c, c_stride); \
    }

/* Kernels with a fused multiply-add follow the contract: one chain for each result, k ascending. */
#define LF_F32_ENTRY(isa_name, feature, rows, columns, is_exact)                                   \
    const lf_gemm lf_gemm_f32_xnnpack_##isa_name = {.name = "f32_f32_f32_gemm_" #rows "x" #columns \
                                                            "__" #isa_name,                        \
                                                    .isa = #isa_name,                              \
                                                    .provider = LF_PROVIDER_XNNPACK,               \
                                                    .needs = feature,                              \
                                                    .weights = LF_W_F32,                           \
                                                    .lhs = LF_LHS_F32,                             \
                                                    .mr = rows,                                    \
                                                    .nr = columns,                                 \
                                                    .k_multiple = 1,                               \
                                                    .exact = is_exact,                             \
                                                    .panel_bytes = f32_bytes_##columns,            \
                                                    .pack = f32_pack_##columns,                    \
                                                    .fn = f32_##isa_name};

#endif /* LF_KERNELS_XNNPACK_BIND_H */
