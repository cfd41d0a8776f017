/* SPDX-License-Identifier: Apache-2.0 */
/* Owns the bindings of XNNPACK's x86 micro-kernels: rows of the table, activations, operations.
 * This file itself is compiled for the baseline; the micro-kernels bring their instruction sets. */
#include "kernels/xnnpack/bind.h"

/* ---- LF_A_QD8 ----------------------------------------------------------------------------------
 */

#define QD8(isa_name, feature, minmax, convert)                                                    \
    static void quantize_##isa_name(size_t k, const float *x, void *row)                           \
    {                                                                                              \
        lf_quantize_qd8(minmax, convert, k, x, row);                                               \
    }                                                                                              \
    const lf_act lf_act_qd8_##isa_name = {.name = "qd8",                                           \
                                          .by = LF_BY_XNNPACK,                                     \
                                          .needs = feature,                                        \
                                          .row_bytes = lf_row_bytes_qd8,                           \
                                          .quantize = quantize_##isa_name,                         \
                                          .tile_bytes = lf_tile_bytes_qd8,                         \
                                          .tile = lf_tile_qd8};

QD8(sse41, LF_CPU_SSE41, xnn_f32_rminmax_ukernel__sse_u16_acc4, xnn_f32_qs8_vcvt_ukernel__sse41_u32)
QD8(avx, LF_CPU_AVX, xnn_f32_rminmax_ukernel__avx_u32_acc4, xnn_f32_qs8_vcvt_ukernel__avx_u32)
QD8(avx2, LF_CPU_AVX2, xnn_f32_rminmax_ukernel__avx_u32_acc4, xnn_f32_qs8_vcvt_ukernel__avx2_u64)
QD8(avx512, LF_CPU_AVX512, xnn_f32_rminmax_ukernel__avx512f_u64_acc4,
    xnn_f32_qs8_vcvt_ukernel__avx512skx_u128)

/* ---- LF_W_Q4 with bf16 scales: XNNPACK's qb4w --------------------------------------------------
 */

#define QB4W_PANEL(nr)                                                                             \
    static size_t qb4w_bytes_##nr(size_t k)                                                        \
    {                                                                                              \
        return lf_panel_bytes_qb4w(nr, k);                                                         \
    }                                                                                              \
    static void qb4w_pack_##nr(size_t k, const lf_panel_source *source, void *panel)               \
    {                                                                                              \
        lf_pack_qb4w(nr, k, source, panel);                                                        \
    }
QB4W_PANEL(4)
QB4W_PANEL(8)
QB4W_PANEL(16)

#define QB4W_RUN(isa_name, columns, one, many)                                                     \
    static void qb4w_##isa_name(size_t m, size_t n, size_t k, const void *tile,                    \
                                const void *panels, float *c, size_t c_stride)                     \
    {                                                                                              \
        lf_run_qb4w(m == 1 ? one : many, columns, m, n, k, tile, panels, c, c_stride);             \
    }
QB4W_RUN(sse41, 4, xnn_qd8_f32_qb4w_gemm_minmax_ukernel_1x4c8__sse41_ld128,
         xnn_qd8_f32_qb4w_gemm_minmax_ukernel_3x4c8__sse41_ld128)
QB4W_RUN(avx, 4, xnn_qd8_f32_qb4w_gemm_minmax_ukernel_1x4c8__avx_ld128,
         xnn_qd8_f32_qb4w_gemm_minmax_ukernel_4x4c8__avx_ld128)
QB4W_RUN(avx2, 8, xnn_qd8_f32_qb4w_gemm_minmax_ukernel_1x8c8__avx2,
         xnn_qd8_f32_qb4w_gemm_minmax_ukernel_3x8c8__avx2)
QB4W_RUN(avx512vnni, 16, xnn_qd8_f32_qb4w_gemm_minmax_ukernel_1x16c8__avx512vnni_prfm,
         xnn_qd8_f32_qb4w_gemm_minmax_ukernel_8x16c8__avx512vnni_prfm)
QB4W_RUN(avx512vnnigfni, 16, xnn_qd8_f32_qb4w_gemm_minmax_ukernel_1x16c8__avx512vnnigfni_prfm,
         xnn_qd8_f32_qb4w_gemm_minmax_ukernel_14x16c8__avx512vnnigfni_prfm)

#define QB4W_ROW(isa_name, feature, rows, columns)                                                 \
    {                                                                                              \
        .name = "qd8_f32_qb4w_gemm_" #rows "x" #columns "c8__" #isa_name, .isa = #isa_name,        \
        .by = LF_BY_XNNPACK, .needs = feature, .weights = LF_W_Q4, .acts = LF_A_QD8, .mr = rows,   \
        .nr = columns, .k_multiple = 32, .exact = false, .panel_bytes = qb4w_bytes_##columns,      \
        .pack = qb4w_pack_##columns, .fn = qb4w_##isa_name                                         \
    }
const lf_gemm lf_gemms_qb4w_x86[LF_GEMMS_QB4W_X86] = {
    QB4W_ROW(avx512vnnigfni, LF_CPU_AVX512VNNI | LF_CPU_GFNI, 14, 16),
    QB4W_ROW(avx512vnni, LF_CPU_AVX512VNNI, 8, 16),
    QB4W_ROW(avx2, LF_CPU_AVX2, 3, 8),
    QB4W_ROW(avx, LF_CPU_AVX, 4, 4),
    QB4W_ROW(sse41, LF_CPU_SSE41, 3, 4),
};

/* ---- LF_W_F32 ----------------------------------------------------------------------------------
 */

#define F32_PANEL(nr)                                                                              \
    static size_t f32_bytes_##nr(size_t k)                                                         \
    {                                                                                              \
        return lf_panel_bytes_f32_xnnpack(nr, k);                                                  \
    }                                                                                              \
    static void f32_pack_##nr(size_t k, const lf_panel_source *source, void *panel)                \
    {                                                                                              \
        lf_pack_f32_xnnpack(nr, k, source, panel);                                                 \
    }
F32_PANEL(8)
F32_PANEL(16)
F32_PANEL(32)

#define F32_RUN(isa_name, columns, one, many)                                                      \
    static void f32_##isa_name(size_t m, size_t n, size_t k, const void *tile, const void *panels, \
                               float *c, size_t c_stride)                                          \
    {                                                                                              \
        lf_run_f32_xnnpack(m == 1 ? one : many, columns, m, n, k, tile, panels, c, c_stride);      \
    }
F32_RUN(sse, 8, xnn_f32_gemm_minmax_ukernel_1x8__sse_load1,
        xnn_f32_gemm_minmax_ukernel_4x8__sse_load1)
F32_RUN(avx, 16, xnn_f32_gemm_minmax_ukernel_1x16__avx_broadcast,
        xnn_f32_gemm_minmax_ukernel_5x16__avx_broadcast)
F32_RUN(fma3, 16, xnn_f32_gemm_minmax_ukernel_1x16__fma3_broadcast,
        xnn_f32_gemm_minmax_ukernel_5x16__fma3_broadcast)
F32_RUN(avx512f, 32, xnn_f32_gemm_minmax_ukernel_1x32__avx512f_broadcast,
        xnn_f32_gemm_minmax_ukernel_7x32__avx512f_broadcast)

/* Those with a fused multiply-add follow the contract: one chain a result, k ascending. */
#define F32_ROW(isa_name, feature, rows, columns, is_exact)                                        \
    {                                                                                              \
        .name = "f32_f32_f32_gemm_" #rows "x" #columns "__" #isa_name, .isa = #isa_name,           \
        .by = LF_BY_XNNPACK, .needs = feature, .weights = LF_W_F32, .acts = LF_A_F32, .mr = rows,  \
        .nr = columns, .k_multiple = 1, .exact = is_exact, .panel_bytes = f32_bytes_##columns,     \
        .pack = f32_pack_##columns, .fn = f32_##isa_name                                           \
    }
const lf_gemm lf_gemms_f32_x86[LF_GEMMS_F32_X86] = {
    F32_ROW(avx512f, LF_CPU_AVX512, 7, 32, true),
    F32_ROW(fma3, LF_CPU_AVX2, 5, 16, true),
    F32_ROW(avx, LF_CPU_AVX, 5, 16, false),
    F32_ROW(sse, LF_CPU_SSE41, 4, 8, false),
};

/* ---- Operations whose results are the contract's -----------------------------------------------
 */

static void add_avx2(size_t n, const float *x, float *y)
{
    if (n != 0) {
        xnn_f32_vadd_ukernel__avx_u16(n * sizeof(float), x, y, y, NULL);
    }
}

static void add_avx512(size_t n, const float *x, float *y)
{
    if (n != 0) {
        xnn_f32_vadd_ukernel__avx512f_u32(n * sizeof(float), x, y, y, NULL);
    }
}

static void scale_avx2(size_t n, float a, const float *x, float *y)
{
    if (n != 0) {
        xnn_f32_vmulc_ukernel__avx_u16(n * sizeof(float), x, &a, y, NULL);
    }
}

static void scale_avx512(size_t n, float a, const float *x, float *y)
{
    if (n != 0) {
        xnn_f32_vmulc_ukernel__avx512f_u32(n * sizeof(float), x, &a, y, NULL);
    }
}

static void f32_to_f16_avx2(size_t n, const float *x, uint16_t *y)
{
    if (n != 0) {
        xnn_f32_f16_vcvt_ukernel__f16c_u16(n * sizeof(float), x, y, NULL);
    }
}

static void f32_to_f16_avx512(size_t n, const float *x, uint16_t *y)
{
    if (n != 0) {
        xnn_f32_f16_vcvt_ukernel__avx512skx_u16(n * sizeof(float), x, y, NULL);
    }
}

/* In multiples of 8, because of what the micro-kernel reads beyond its end. */
static void f16_to_f32_avx2(size_t n, const uint16_t *x, float *y)
{
    size_t whole = n / 8 * 8;
    if (whole != 0) {
        xnn_f16_f32_vcvt_ukernel__f16c_u16(whole * sizeof(uint16_t), x, y, NULL);
    }
    for (size_t i = whole; i < n; i++) {
        y[i] = lf_half_to_float(x[i]);
    }
}

static void f16_to_f32_avx512(size_t n, const uint16_t *x, float *y)
{
    if (n != 0) {
        xnn_f16_f32_vcvt_ukernel__avx512skx_u16(n * sizeof(uint16_t), x, y, NULL);
    }
}

void lf_ops_xnnpack_x86(uint32_t cpu, lf_ops *ops)
{
    if ((cpu & LF_CPU_AVX512) != 0) {
        ops->add = add_avx512;
        ops->scale = scale_avx512;
        ops->f32_to_f16 = f32_to_f16_avx512;
        ops->f16_to_f32 = f16_to_f32_avx512;
    } else if ((cpu & LF_CPU_AVX2) != 0) {
        ops->add = add_avx2;
        ops->scale = scale_avx2;
        ops->f32_to_f16 = f32_to_f16_avx2;
        ops->f16_to_f32 = f16_to_f32_avx2;
    }
}
