/* SPDX-License-Identifier: Apache-2.0 */
/* Owns LF_W_Q4 x LF_A_I8B32 for AVX-VNNI. */
#include "kernels/x86/unroll.h"

#define LF_YMM_MR 6

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

#include "kernels/x86/gemm_q4_ymm.h"

const lf_gemm lf_gemm_q4_avxvnni = {.name = "i8b32_f32_q4_gemm_6x16c4__avxvnni",
                                    .isa = "avxvnni",
                                    .by = LF_BY_LFM2,
                                    .needs = LF_CPU_AVXVNNI,
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
