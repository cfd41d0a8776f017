/* SPDX-License-Identifier: Apache-2.0 */
/* Owns LF_W_Q4K, LF_W_Q5K and LF_W_Q6K for AVX-VNNI. */
#include "kernels/x86/unroll.h"

#define LF_YMM_MR   6
#define LF_YMM_TILE "6x16c4"

LF_INLINE __m256i ymm_dot2(__m256i v, __m256i w0, __m256i a0, __m256i w1, __m256i a1)
{
    return _mm256_dpbusd_avx_epi32(_mm256_dpbusd_avx_epi32(v, w0, a0), w1, a1);
}

#include "kernels/x86/gemm_k_ymm.h"

const lf_gemm lf_gemms_k_avxvnni[LF_GEMMS_K] = LF_K_YMM_ROWS("avxvnni", LF_CPU_AVXVNNI);
