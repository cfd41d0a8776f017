/* SPDX-License-Identifier: Apache-2.0 */
/* Everything but matrix products and int8 attention for AVX-512. */
#include "kernels/x86/v16_avx512.h"

#define ATTN_ROWS 6
#define ATTN_VECS 4

#include "kernels/vector/ops.h"

const lf_ops lf_ops_avx512 = LF_OPS_V16;
