/* SPDX-License-Identifier: Apache-2.0 */
/* Matrix kernels for float weights for AVX2. */
#include "kernels/x86/v16_avx2.h"

#define FLOAT_MR     6
#define FLOAT_TILE   "6x16"
#define FLOAT_PANELS 1

#include "kernels/vector/gemm_float.h"

LF_FLOAT_ENTRIES(avx2, LF_CPU_AVX2)
