/* SPDX-License-Identifier: Apache-2.0 */
/* Bindings of XNNPACK's arm64 micro-kernels: matrix kernels, LHS quantization, operations. This
 * file is compiled for the baseline; the micro-kernels in the archive are compiled for their own
 * instruction sets. */
#include "kernels/xnnpack/bind.h"

/* ---- LF_LHS_QD8 * ---- */

LF_QD8(neon, LF_CPU_NEON, xnn_f32_rminmax_ukernel__neon_u16_acc4,
       xnn_f32_qs8_vcvt_ukernel__neonv8_u32)

/* ---- LF_W_Q4 with bf16 scales: XNNPACK's qb4w ---- */

LF_QB4W_PANEL(16, 1)
LF_QB4W_PANEL(16, 4)
LF_QB4W_PANEL(16, 8)

LF_QB4W_FN(neon, 16, xnn_qd8_f32_qb4w_gemm_minmax_ukernel_1x16__neon_mlal_lane,
           xnn_qd8_f32_qb4w_gemm_minmax_ukernel_6x16__neon_mlal_lane)
LF_QB4W_FN(neondot, 16, xnn_qd8_f32_qb4w_gemm_minmax_ukernel_1x16c4__neondot,
           xnn_qd8_f32_qb4w_gemm_minmax_ukernel_4x16c4__neondot)
LF_QB4W_FN(neoni8mm, 16, xnn_qd8_f32_qb4w_gemm_minmax_ukernel_1x16c8__neoni8mm,
           xnn_qd8_f32_qb4w_gemm_minmax_ukernel_4x16c8__neoni8mm)

LF_QB4W_ENTRY(neoni8mm, LF_CPU_I8MM, 4, 16, 8)
LF_QB4W_ENTRY(neondot, LF_CPU_DOTPROD, 4, 16, 4)
LF_QB4W_ENTRY(neon, LF_CPU_NEON, 6, 16, 1)

/* ---- LF_W_F32 ---- */

LF_F32_PANEL(8)
LF_F32_FN(neonfma, 8, xnn_f32_gemm_minmax_ukernel_1x8__aarch64_neonfma_lane_ld128,
          xnn_f32_gemm_minmax_ukernel_6x8__aarch64_neonfma_lane_ld128)
LF_F32_ENTRY(neonfma, LF_CPU_NEON, 6, 8, true)

/* ---- Operations that are bit-equal to scalar/ops.c ----
 *
 * In multiples of 8: the micro-kernels read past the end of a remainder. */

static size_t whole(size_t n)
{
    return n / 8 * 8;
}

static void add_neon(size_t n, const float *x, float *y)
{
    if (whole(n) != 0) {
        xnn_f32_vadd_ukernel__neon_u8(whole(n) * sizeof(float), x, y, y, NULL);
    }
    lf_ops_scalar.add(n - whole(n), x + whole(n), y + whole(n));
}

static void scale_neon(size_t n, float a, const float *x, float *y)
{
    if (whole(n) != 0) {
        xnn_f32_vmulc_ukernel__neon_u8(whole(n) * sizeof(float), x, &a, y, NULL);
    }
    lf_ops_scalar.scale(n - whole(n), a, x + whole(n), y + whole(n));
}

static void f32_to_f16_neon(size_t n, const float *x, uint16_t *y)
{
    if (whole(n) != 0) {
        xnn_f32_f16_vcvt_ukernel__neonfp16_u16(whole(n) * sizeof(float), x, y, NULL);
    }
    lf_ops_scalar.f32_to_f16(n - whole(n), x + whole(n), y + whole(n));
}

static void f16_to_f32_neon(size_t n, const uint16_t *x, float *y)
{
    if (whole(n) != 0) {
        xnn_f16_f32_vcvt_ukernel__neonfp16_u16(whole(n) * sizeof(uint16_t), x, y, NULL);
    }
    lf_ops_scalar.f16_to_f32(n - whole(n), x + whole(n), y + whole(n));
}

void lf_ops_use_xnnpack(uint32_t cpu, lf_ops *ops)
{
    if ((cpu & LF_CPU_NEON) != 0) {
        ops->add = add_neon;
        ops->scale = scale_neon;
        ops->f32_to_f16 = f32_to_f16_neon;
        ops->f16_to_f32 = f16_to_f32_neon;
    }
}
