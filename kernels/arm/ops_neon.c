/* SPDX-License-Identifier: Apache-2.0 */
/* Everything but matrix products and int8 attention for NEON. */
#include "kernels/arm/v16_neon.h"

#define ATTN_ROWS 6
#define ATTN_VECS 1

#include "kernels/vector/ops.h"

const lf_ops lf_ops_neon = LF_OPS_V16;
