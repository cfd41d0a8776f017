/* SPDX-License-Identifier: Apache-2.0 */
/* Matrix kernels for float weights for NEON. */
#include "kernels/arm/v16_neon.h"

#define FLOAT_MR     6
#define FLOAT_TILE   "6x16"
#define FLOAT_PANELS 1

#include "kernels/vector/gemm_float.h"

LF_FLOAT_ENTRIES(neon, LF_CPU_NEON)
