/* SPDX-License-Identifier: Apache-2.0 */
/* Bindings of XNNPACK's x86 micro-kernels: matrix kernels, LHS quantization, operations. This
 * file is compiled for the baseline; the micro-kernels in the archive are compiled for their own
 * instruction sets. */
#include "kernels/xnnpack/bind.h"

/* ---- LF_LHS_QD8 * ---- */

LF_QD8(sse41, LF_CPU_SSE41, xnn_f32_rminmax_ukernel__sse_u16_acc4,
       xnn_f32_qs8_vcvt_ukernel__sse41_u32)
LF_QD8(avx, LF_CPU_AVX, xnn_f32_rminmax_ukernel__avx_u32_acc4, xnn_f32_qs8_vcvt_ukernel__avx_u32)
LF_QD8(avx2, LF_CPU_AVX2, xnn_f32_rminmax_ukernel__avx_u32_acc4, xnn_f32_qs8_vcvt_ukernel__avx2_u64)
LF_QD8(avx512, LF_CPU_AVX512, xnn_f32_rminmax_ukernel__avx512f_u64_acc4,
       xnn_f32_qs8_vcvt_ukernel__avx512skx_u128)

/* ---- LF_W_Q4 with bf16 scales: XNNPACK's qb4w ---- */

LF_QB4W_PANEL(4, 8)
LF_QB4W_PANEL(8, 8)
LF_QB4W_PANEL(16, 8)

LF_QB4W_FN(sse41, 4, xnn_qd8_f32_qb4w_gemm_minmax_ukernel_1x4c8__sse41_ld128,
           xnn_qd8_f32_qb4w_gemm_minmax_ukernel_3x4c8__sse41_ld128)
LF_QB4W_FN(avx, 4, xnn_qd8_f32_qb4w_gemm_minmax_ukernel_1x4c8__avx_ld128,
           xnn_qd8_f32_qb4w_gemm_minmax_ukernel_4x4c8__avx_ld128)
LF_QB4W_FN(avx2, 8, xnn_qd8_f32_qb4w_gemm_minmax_ukernel_1x8c8__avx2,
           xnn_qd8_f32_qb4w_gemm_minmax_ukernel_3x8c8__avx2)
LF_QB4W_FN(avx512vnni, 16, xnn_qd8_f32_qb4w_gemm_minmax_ukernel_1x16c8__avx512vnni_prfm,
           xnn_qd8_f32_qb4w_gemm_minmax_ukernel_8x16c8__avx512vnni_prfm)
LF_QB4W_FN(avx512vnnigfni, 16, xnn_qd8_f32_qb4w_gemm_minmax_ukernel_1x16c8__avx512vnnigfni_prfm,
           xnn_qd8_f32_qb4w_gemm_minmax_ukernel_14x16c8__avx512vnnigfni_prfm)

LF_QB4W_ENTRY(avx512vnnigfni, LF_CPU_AVX512VNNI | LF_CPU_GFNI, 14, 16, 8)
LF_QB4W_ENTRY(avx512vnni, LF_CPU_AVX512VNNI, 8, 16, 8)
LF_QB4W_ENTRY(avx2, LF_CPU_AVX2, 3, 8, 8)
LF_QB4W_ENTRY(avx, LF_CPU_AVX, 4, 4, 8)
LF_QB4W_ENTRY(sse41, LF_CPU_SSE41, 3, 4, 8)

/* ---- LF_W_F32 ---- */

LF_F32_PANEL(8)
LF_F32_PANEL(16)
LF_F32_PANEL(32)

LF_F32_FN(sse, 8, xnn_f32_gemm_minmax_ukernel_1x8__sse_load1,
          xnn_f32_gemm_minmax_ukernel_4x8__sse_load1)
LF_F32_FN(avx, 16, xnn_f32_gemm_minmax_ukernel_1x16__avx_broadcast,
          xnn_f32_gemm_minmax_ukernel_5x16__avx_broadcast)
LF_F32_FN(fma3, 16, xnn_f32_gemm_minmax_ukernel_1x16__fma3_broadcast,
          xnn_f32_gemm_minmax_ukernel_5x16__fma3_broadcast)
LF_F32_FN(avx512f, 32, xnn_f32_gemm_minmax_ukernel_1x32__avx512f_broadcast,
          xnn_f32_gemm_minmax_ukernel_7x32__avx512f_broadcast)

LF_F32_ENTRY(avx512f, LF_CPU_AVX512, 7, 32, true)
LF_F32_ENTRY(fma3, LF_CPU_AVX2, 5, 16, true)
LF_F32_ENTRY(avx, LF_CPU_AVX, 5, 16, false)
LF_F32_ENTRY(sse, LF_CPU_SSE41, 4, 8, false)

/* ---- Operations that are bit-equal to scalar/ops.c ---- */

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

/* In multiples of 8: the micro-kernel reads past the end of a remainder. */
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

void lf_ops_use_xnnpack(uint32_t cpu, lf_ops *ops)
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
