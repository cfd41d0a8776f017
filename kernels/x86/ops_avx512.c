/* SPDX-License-Identifier: Apache-2.0 */
/* Owns everything that is not a matrix product for AVX-512. */
#include "kernels/x86/v16_avx512.h"

#define ATTN_ROWS  6
#define ATTN_VECS  4
#define ATTN_CASES ATTN_CASE(1) ATTN_CASE(2) ATTN_CASE(3) ATTN_CASE(4) ATTN_CASE(5) ATTN_CASE(6)

#include "kernels/x86/attn_v16.h"
#include "kernels/x86/ops_v16.h"

const lf_ops lf_ops_avx512 = LF_OPS_V16;
