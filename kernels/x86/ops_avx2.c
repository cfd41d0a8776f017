/* SPDX-License-Identifier: Apache-2.0 */
/* Owns everything that is not a matrix product for AVX2. */
#include "kernels/x86/v16_avx2.h"

#define ATTN_ROWS  2
#define ATTN_VECS  2
#define ATTN_CASES ATTN_CASE(1) ATTN_CASE(2)

#include "kernels/x86/attn_v16.h"
#include "kernels/x86/ops_v16.h"

const lf_ops lf_ops_avx2 = LF_OPS_V16;
