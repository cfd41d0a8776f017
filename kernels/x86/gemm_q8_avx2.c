/* SPDX-License-Identifier: Apache-2.0 */
/* Owns LF_W_Q8 and LF_W_I8G x LF_A_I8B32 for AVX2: vpmaddubsw of the weights' magnitudes with the
 * activations under the weights' signs; a pair is at most 2 * 128 * 127 = 32512, so 16 bits hold it
 * and vpmaddwd widens every step. */
#include "kernels/x86/unroll.h"

#define LF_YMM_MR   4
#define LF_YMM_TILE "4x16c4"

LF_INLINE __m256i ymm_start(uint32_t init)
{
    (void)init;
    return _mm256_set1_epi32(LF_MAGIC_BITS); /* the products are signed: nothing to correct */
}

LF_INLINE __m256i ymm_dot(__m256i v, __m256i bytes, __m256i a)
{
    const __m256i w = _mm256_xor_si256(bytes, _mm256_set1_epi8(-128));
    const __m256i pairs = _mm256_maddubs_epi16(_mm256_abs_epi8(w), _mm256_sign_epi8(a, w));
    return lf_keep(_mm256_add_epi32(v, _mm256_madd_epi16(pairs, _mm256_set1_epi16(1))));
}

LF_INLINE __m256i ymm_sum(__m256i v, uint32_t init)
{
    (void)init;
    return v;
}

#include "kernels/x86/gemm_q8_ymm.h"

const lf_gemm lf_gemms_q8_avx2[LF_GEMMS_Q8] = LF_Q8_YMM_ROWS("avx2", LF_CPU_AVX2);
