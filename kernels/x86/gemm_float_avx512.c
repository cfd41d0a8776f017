/* SPDX-License-Identifier: Apache-2.0 */
/* Owns the float matrix kernels for AVX-512. */
#include "kernels/x86/v16_avx512.h"

#define FLOAT_MR     8
#define FLOAT_TILE   "8x16"
#define FLOAT_PANELS 2

#include "kernels/x86/gemm_float_v16.h"

const lf_gemm lf_gemms_float_avx512[LF_GEMMS_FLOAT] = LF_FLOAT_ROWS("avx512", LF_CPU_AVX512);
