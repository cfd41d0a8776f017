/* SPDX-License-Identifier: Apache-2.0 */
/* Peak loop of int8 products for arm64's matrix products. */
#include "kernels/arm/peak_dot.h"

/* A step multiplies 2 x 8 by 8 x 2. */
PEAK_DOT(dot_neoni8mm, int8x16_t, vdupq_n_s8, vmmlaq_s32)

const lf_peak lf_peak_neoni8mm = {
    .dot_isa = "neoni8mm", .dot = dot_neoni8mm, .dot_ops = (size_t)DOT_CHAINS * 32 * 2};
