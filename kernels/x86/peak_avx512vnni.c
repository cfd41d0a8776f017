/* SPDX-License-Identifier: Apache-2.0 */
/* Peak loop for AVX-512 VNNI: int8 products. */
#include "kernels/tables.h"

#include <immintrin.h>

enum { CHAINS = 12 }; /* with a latency of 5 and two a cycle, 10 would do */

static uint16_t dot_avx512vnni(size_t rounds)
{
    __m512i sum[CHAINS];
    const __m512i w = _mm512_set1_epi8(LF_PEAK_W);
    const __m512i x = _mm512_set1_epi8(LF_PEAK_X);
    for (size_t c = 0; c < CHAINS; c++) {
        sum[c] = _mm512_setzero_si512();
        __asm__("" : "+v"(sum[c])); /* distinct values, or the compiler would merge the chains */
    }
    for (size_t r = 0; r < rounds; r++) {
        for (size_t c = 0; c < CHAINS; c++) {
            sum[c] = _mm512_dpbusd_epi32(sum[c], w, x);
        }
    }
    for (size_t c = 1; c < CHAINS; c++) {
        sum[0] = _mm512_add_epi32(sum[0], sum[c]);
    }
    uint32_t lanes[16];
    _mm512_storeu_si512(lanes, sum[0]);
    for (size_t i = 1; i < 16; i++) {
        lanes[0] += lanes[i];
    }
    return (uint16_t)lanes[0];
}

const lf_peak lf_peak_avx512vnni = {
    .dot_isa = "avx512vnni", .dot = dot_avx512vnni, .dot_ops = (size_t)CHAINS * 64 * 2};
