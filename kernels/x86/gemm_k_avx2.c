/* SPDX-License-Identifier: Apache-2.0 */
/* Owns LF_W_Q4K, LF_W_Q5K and LF_W_Q6K for AVX2: two groups of 4 k fit 16 bits (at
 * most 63 * 127 * 2 * 2 = 32004), one vpmaddwd for both widens them. */
#include "kernels/x86/unroll.h"

#define LF_YMM_MR   4
#define LF_YMM_TILE "4x16c4"

LF_INLINE __m256i ymm_dot2(__m256i v, __m256i w0, __m256i a0, __m256i w1, __m256i a1)
{
    const __m256i pairs =
        _mm256_add_epi16(_mm256_maddubs_epi16(w0, a0), _mm256_maddubs_epi16(w1, a1));
    return lf_keep(_mm256_add_epi32(v, _mm256_madd_epi16(pairs, _mm256_set1_epi16(1))));
}

#include "kernels/x86/gemm_k_ymm.h"

const lf_gemm lf_gemms_k_avx2[LF_GEMMS_K] = LF_K_YMM_ROWS("avx2", LF_CPU_AVX2);
