/* SPDX-License-Identifier: Apache-2.0 */
/* Peak loop of int8 products for arm64's dot products. */
#include "kernels/arm/peak_dot.h"

PEAK_DOT(dot_neondot, int8x16_t, vdupq_n_s8, vdotq_s32)

const lf_peak lf_peak_neondot = {
    .dot_isa = "neondot", .dot = dot_neondot, .dot_ops = (size_t)DOT_CHAINS * 16 * 2};
