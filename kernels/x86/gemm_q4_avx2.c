/* SPDX-License-Identifier: Apache-2.0 */
/* Owns LF_W_Q4 x LF_A_I8B32 for AVX2: the sums of a block stay in 16 bits (at most 15 * 127 * 2 * 8
 * = 30480), one vpmaddwd a block widens them. */
#include "kernels/x86/unroll.h"

#define LF_YMM_MR 6

LF_INLINE __m256i ymm_start(uint32_t init)
{
    (void)init;
    return _mm256_setzero_si256();
}

LF_INLINE __m256i ymm_dot(__m256i v, __m256i w, __m256i a)
{
    return lf_keep(_mm256_add_epi16(v, _mm256_maddubs_epi16(w, a)));
}

LF_INLINE __m256i ymm_sum(__m256i v, uint32_t init)
{
    return _mm256_add_epi32(_mm256_madd_epi16(v, _mm256_set1_epi16(1)),
                            _mm256_set1_epi32((int32_t)init));
}

#include "kernels/x86/gemm_q4_ymm.h"

const lf_gemm lf_gemm_q4_avx2 = {.name = "i8b32_f32_q4_gemm_6x16c4__avx2",
                                 .isa = "avx2",
                                 .by = LF_BY_LFM2,
                                 .needs = LF_CPU_AVX2,
                                 .weights = LF_W_Q4,
                                 .acts = LF_A_I8B32,
                                 .mr = LF_YMM_MR,
                                 .nr = LF_NR,
                                 .k_multiple = 32,
                                 .exact = true,
                                 .panel_bytes = lf_panel_bytes_q4,
                                 .pack = lf_pack_q4,
                                 .stored = true,
                                 .fn = q4_gemm};
