/* SPDX-License-Identifier: Apache-2.0 */
/* Owns everything that is not a matrix product for AVX2. */
#include "kernels/x86/v16_avx2.h"

#define ATTN_ROWS 6
#define ATTN_VECS 1
#define ATTN_Q8   lf_attn_q8_avx2

#include "kernels/x86/attn_v16.h"
#include "kernels/x86/kv_v16.h"
#include "kernels/x86/ops_v16.h"

const lf_ops lf_ops_avx2 = LF_OPS_V16;
