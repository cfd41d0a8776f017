/* SPDX-License-Identifier: Apache-2.0 */
/* Owns LF_W_Q8 and LF_W_I8G x LF_A_I8B32 for AVX-VNNI. */
#include "kernels/x86/unroll.h"

#define LF_YMM_MR   6
#define LF_YMM_TILE "6x16c4"

LF_INLINE __m256i ymm_start(uint32_t init)
{
    return _mm256_set1_epi32((int32_t)init);
}

LF_INLINE __m256i ymm_dot(__m256i v, __m256i w, __m256i a)
{
    return _mm256_dpbusd_avx_epi32(v, w, a);
}

LF_INLINE __m256i ymm_sum(__m256i v, uint32_t init)
{
    (void)init;
    return v;
}

#include "kernels/x86/gemm_q8_ymm.h"

const lf_gemm lf_gemms_q8_avxvnni[LF_GEMMS_Q8] = LF_Q8_YMM_ROWS("avxvnni", LF_CPU_AVXVNNI);
