/* SPDX-License-Identifier: Apache-2.0 */
/* Peak loop for AVX-VNNI: int8 products. */
#include "kernels/tables.h"
#include "kernels/x86/ymm_opaque.h"

enum { CHAINS = 12 }; /* with a latency of 5 and two a cycle, 10 would do */

static uint16_t dot_avxvnni(size_t rounds)
{
    __m256i sum[CHAINS];
    const __m256i w = _mm256_set1_epi8(LF_PEAK_W);
    const __m256i x = _mm256_set1_epi8(LF_PEAK_X);
    for (size_t c = 0; c < CHAINS; c++) {
        sum[c] = _mm256_setzero_si256();
    }
    for (size_t r = 0; r < rounds; r++) {
        for (size_t c = 0; c < CHAINS; c++) {
            sum[c] = lf_opaque(_mm256_dpbusd_avx_epi32(sum[c], w, x));
        }
    }
    for (size_t c = 1; c < CHAINS; c++) {
        sum[0] = _mm256_add_epi32(sum[0], sum[c]);
    }
    uint32_t lanes[8];
    _mm256_storeu_si256((__m256i *)(void *)lanes, sum[0]);
    uint32_t total = 0;
    for (size_t i = 0; i < 8; i++) {
        total += lanes[i];
    }
    return (uint16_t)total;
}

const lf_peak lf_peak_avxvnni = {
    .dot_isa = "avxvnni", .dot = dot_avxvnni, .dot_ops = (size_t)CHAINS * 32 * 2};
