/* SPDX-License-Identifier: Apache-2.0 */
/* The exp that all kernels compute: constants and the scalar definition (scalar/ops.c).
 *
 * n = round(x * log2 e); r = x - n * ln 2 in two fused steps; a polynomial of degree 6 by fused
 * Horner steps; then * 2^n as two factors, of which only the second can round. The error is below
 * 1 ulp on all floats, subnormal results included; NaN stays NaN. */
#ifndef LF_KERNELS_EXP_H
#define LF_KERNELS_EXP_H

#define LF_EXP_HIGH   89.0f   /* above: infinity */
#define LF_EXP_LOW    -104.0f /* below: zero */
#define LF_EXP_LOG2E  0x1.715476p+0f
#define LF_EXP_LN2_HI 0x1.62e430p-1f
#define LF_EXP_LN2_LO -0x1.05c610p-29f
#define LF_EXP_C2     0x1.fffffcp-2f
#define LF_EXP_C3     0x1.555492p-3f
#define LF_EXP_C4     0x1.5558aap-5f
#define LF_EXP_C5     0x1.12396cp-7f
#define LF_EXP_C6     0x1.6a522cp-10f

float lf_exp_scalar(float x);

#endif /* LF_KERNELS_EXP_H */
