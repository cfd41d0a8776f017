/* SPDX-License-Identifier: Apache-2.0 */
/* Matrix kernels for float weights for AVX-512. */
#include "kernels/x86/v16_avx512.h"

#define FLOAT_MR     8
#define FLOAT_TILE   "8x16"
#define FLOAT_PANELS 2

#include "kernels/vector/gemm_float.h"

LF_FLOAT_ENTRIES(avx512, LF_CPU_AVX512)
