/* SPDX-License-Identifier: Apache-2.0 */
/* Every micro-kernel of XNNPACK that this library calls, as of the source of 2024-11-08 (Debian's
 * package 0.0~git20241108.4ea82e5, libmicrokernels-prod.a). The archive has no public header and
 * no stable interface. The kernel tests check these declarations: they compare every matrix
 * kernel and operation made from them with the scalar ones. Sizes and strides are in bytes and
 * never 0. The archive is built with assertions: a call that breaks a precondition aborts. */
#ifndef LF_KERNELS_XNNPACK_UKERNELS_H
#define LF_KERNELS_XNNPACK_UKERNELS_H

#include "kernels/kernels.h"

/* ---- Parameters ---- */

typedef struct xnn_minmax_params {
    float min, max;
} xnn_minmax_params;

typedef struct xnn_qb4w_params {
    float min, max;
    size_t blocksize; /* k of a block */
} xnn_qb4w_params;

/* Of one quantized row: value = scale * (quant - zero_point). */
typedef struct xnn_qd8_params {
    int32_t zero_point;
    float scale;
} xnn_qd8_params;

typedef struct xnn_qs8_cvt_params {
    float scale; /* 1 / scale of the quants */
    int16_t zero_point;
} xnn_qs8_cvt_params;

/* ---- Kinds of micro-kernels ---- */

typedef void xnn_f32_gemm_fn(size_t m, size_t n, size_t k, const float *a, size_t a_stride,
                             const float *w, float *c, size_t c_row_stride, size_t c_panel_stride,
                             const xnn_minmax_params *params);

typedef void xnn_qb4w_gemm_fn(size_t m, size_t n, size_t k, const int8_t *a, size_t a_stride,
                              const void *w, float *c, size_t c_row_stride, size_t c_panel_stride,
                              const xnn_qb4w_params *params, const xnn_qd8_params *rows);

/* out: minimum, maximum */
typedef void xnn_f32_rminmax_fn(size_t n, const float *x, float *out, const void *params);
typedef void xnn_f32_qs8_vcvt_fn(size_t n, const float *x, int8_t *out,
                                 const xnn_qs8_cvt_params *params);
typedef void xnn_f32_vbinary_fn(size_t n, const float *a, const float *b, float *out,
                                const void *params);
typedef void xnn_f16_f32_vcvt_fn(size_t n, const uint16_t *x, float *out, const void *params);
typedef void xnn_f32_f16_vcvt_fn(size_t n, const float *x, uint16_t *out, const void *params);

/* ---- Everywhere ---- */

xnn_f32_rminmax_fn xnn_f32_rminmax_ukernel__scalar_u4_acc4;
xnn_f32_qs8_vcvt_fn xnn_f32_qs8_vcvt_ukernel__scalar_imagic_u4;

/* ---- x86 ---- */

xnn_f32_gemm_fn xnn_f32_gemm_minmax_ukernel_1x8__sse_load1;
xnn_f32_gemm_fn xnn_f32_gemm_minmax_ukernel_4x8__sse_load1;
xnn_f32_gemm_fn xnn_f32_gemm_minmax_ukernel_1x16__avx_broadcast;
xnn_f32_gemm_fn xnn_f32_gemm_minmax_ukernel_5x16__avx_broadcast;
xnn_f32_gemm_fn xnn_f32_gemm_minmax_ukernel_1x16__fma3_broadcast;
xnn_f32_gemm_fn xnn_f32_gemm_minmax_ukernel_5x16__fma3_broadcast;
xnn_f32_gemm_fn xnn_f32_gemm_minmax_ukernel_1x32__avx512f_broadcast;
xnn_f32_gemm_fn xnn_f32_gemm_minmax_ukernel_7x32__avx512f_broadcast;

xnn_qb4w_gemm_fn xnn_qd8_f32_qb4w_gemm_minmax_ukernel_1x4c8__sse41_ld128;
xnn_qb4w_gemm_fn xnn_qd8_f32_qb4w_gemm_minmax_ukernel_3x4c8__sse41_ld128;
xnn_qb4w_gemm_fn xnn_qd8_f32_qb4w_gemm_minmax_ukernel_1x4c8__avx_ld128;
xnn_qb4w_gemm_fn xnn_qd8_f32_qb4w_gemm_minmax_ukernel_4x4c8__avx_ld128;
xnn_qb4w_gemm_fn xnn_qd8_f32_qb4w_gemm_minmax_ukernel_1x8c8__avx2;
xnn_qb4w_gemm_fn xnn_qd8_f32_qb4w_gemm_minmax_ukernel_3x8c8__avx2;
xnn_qb4w_gemm_fn xnn_qd8_f32_qb4w_gemm_minmax_ukernel_1x16c8__avx512vnni_prfm;
xnn_qb4w_gemm_fn xnn_qd8_f32_qb4w_gemm_minmax_ukernel_8x16c8__avx512vnni_prfm;
xnn_qb4w_gemm_fn xnn_qd8_f32_qb4w_gemm_minmax_ukernel_1x16c8__avx512vnnigfni_prfm;
xnn_qb4w_gemm_fn xnn_qd8_f32_qb4w_gemm_minmax_ukernel_14x16c8__avx512vnnigfni_prfm;

xnn_f32_rminmax_fn xnn_f32_rminmax_ukernel__sse_u16_acc4;
xnn_f32_rminmax_fn xnn_f32_rminmax_ukernel__avx_u32_acc4;
xnn_f32_rminmax_fn xnn_f32_rminmax_ukernel__avx512f_u64_acc4;
xnn_f32_qs8_vcvt_fn xnn_f32_qs8_vcvt_ukernel__sse41_u32;
xnn_f32_qs8_vcvt_fn xnn_f32_qs8_vcvt_ukernel__avx_u32;
xnn_f32_qs8_vcvt_fn xnn_f32_qs8_vcvt_ukernel__avx2_u64;
xnn_f32_qs8_vcvt_fn xnn_f32_qs8_vcvt_ukernel__avx512skx_u128;

xnn_f32_vbinary_fn xnn_f32_vadd_ukernel__avx_u16;
xnn_f32_vbinary_fn xnn_f32_vadd_ukernel__avx512f_u32;
xnn_f32_vbinary_fn xnn_f32_vmulc_ukernel__avx_u16; /* b: one value */
xnn_f32_vbinary_fn xnn_f32_vmulc_ukernel__avx512f_u32;
xnn_f16_f32_vcvt_fn xnn_f16_f32_vcvt_ukernel__f16c_u16; /* reads up to 14 bytes beyond x */
xnn_f16_f32_vcvt_fn xnn_f16_f32_vcvt_ukernel__avx512skx_u16;
xnn_f32_f16_vcvt_fn xnn_f32_f16_vcvt_ukernel__f16c_u16;
xnn_f32_f16_vcvt_fn xnn_f32_f16_vcvt_ukernel__avx512skx_u16;

/* ---- arm64 ---- */

xnn_f32_gemm_fn xnn_f32_gemm_minmax_ukernel_1x8__aarch64_neonfma_lane_ld128;
xnn_f32_gemm_fn xnn_f32_gemm_minmax_ukernel_6x8__aarch64_neonfma_lane_ld128;

xnn_qb4w_gemm_fn xnn_qd8_f32_qb4w_gemm_minmax_ukernel_1x16__neon_mlal_lane;
xnn_qb4w_gemm_fn xnn_qd8_f32_qb4w_gemm_minmax_ukernel_6x16__neon_mlal_lane;
xnn_qb4w_gemm_fn xnn_qd8_f32_qb4w_gemm_minmax_ukernel_1x16c4__neondot;
xnn_qb4w_gemm_fn xnn_qd8_f32_qb4w_gemm_minmax_ukernel_4x16c4__neondot;
xnn_qb4w_gemm_fn xnn_qd8_f32_qb4w_gemm_minmax_ukernel_1x16c8__neoni8mm;
xnn_qb4w_gemm_fn xnn_qd8_f32_qb4w_gemm_minmax_ukernel_4x16c8__neoni8mm;

xnn_f32_rminmax_fn xnn_f32_rminmax_ukernel__neon_u16_acc4;
xnn_f32_qs8_vcvt_fn xnn_f32_qs8_vcvt_ukernel__neonv8_u32;

xnn_f32_vbinary_fn xnn_f32_vadd_ukernel__neon_u8;
xnn_f32_vbinary_fn xnn_f32_vmulc_ukernel__neon_u8;
xnn_f16_f32_vcvt_fn xnn_f16_f32_vcvt_ukernel__neonfp16_u16;
xnn_f32_f16_vcvt_fn xnn_f32_f16_vcvt_ukernel__neonfp16_u16;

#endif /* LF_KERNELS_XNNPACK_UKERNELS_H */
