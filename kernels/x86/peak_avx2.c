/* SPDX-License-Identifier: Apache-2.0 */
/* Peak loops for AVX2: reading memory, int8 products. */
#include "kernels/tables.h"
#include "kernels/vector/prefetch.h"
#include "kernels/x86/ymm_opaque.h"

static uint64_t read_avx2(const void *p, size_t bytes, size_t distance)
{
    enum { CHAINS = 8, STEP = CHAINS * 32 };
    const char *at = p;
    const char *end = at + bytes;
    __m256i sum[CHAINS];
    for (size_t c = 0; c < CHAINS; c++) {
        sum[c] = _mm256_setzero_si256();
    }
    for (; at < end; at += STEP) {
        for (size_t line = 0; distance != 0 && line < STEP; line += 64) {
            lf_prefetch_l1(at + distance + line);
        }
        for (size_t line = 0; distance != 0 && line < STEP; line += 64) {
            lf_prefetch_l2(at + 2 * distance + line);
        }
        for (size_t c = 0; c < CHAINS; c++) {
            const __m256i *v = (const __m256i *)(const void *)(at + 32 * c);
            sum[c] = _mm256_add_epi64(sum[c], _mm256_load_si256(v));
        }
    }
    for (size_t c = 1; c < CHAINS; c++) {
        sum[0] = _mm256_add_epi64(sum[0], sum[c]);
    }
    uint64_t lanes[4];
    _mm256_storeu_si256((__m256i *)(void *)lanes, sum[0]);
    return lanes[0] + lanes[1] + lanes[2] + lanes[3];
}

enum { CHAINS = 12 };

/* The cheapest step of the kernels: vpmaddubsw, with sums in 16 bits. */
static uint16_t dot_avx2(size_t rounds)
{
    __m256i sum[CHAINS];
    __m256i w = _mm256_set1_epi8(LF_PEAK_W);
    const __m256i x = _mm256_set1_epi8(LF_PEAK_X);
    for (size_t c = 0; c < CHAINS; c++) {
        sum[c] = _mm256_setzero_si256();
    }
    for (size_t r = 0; r < rounds; r++) {
        for (size_t c = 0; c < CHAINS; c++) {
            w = lf_opaque(w); /* or the compiler would reuse one product */
            sum[c] = lf_opaque(_mm256_add_epi16(sum[c], _mm256_maddubs_epi16(w, x)));
        }
    }
    for (size_t c = 1; c < CHAINS; c++) {
        sum[0] = _mm256_add_epi16(sum[0], sum[c]);
    }
    uint16_t lanes[16];
    _mm256_storeu_si256((__m256i *)(void *)lanes, sum[0]);
    uint32_t total = 0;
    for (size_t i = 0; i < 16; i++) {
        total += lanes[i];
    }
    return (uint16_t)total;
}

const lf_peak lf_peak_avx2 = {.read_isa = "avx2",
                              .read = read_avx2,
                              .dot_isa = "avx2",
                              .dot = dot_avx2,
                              .dot_ops = (size_t)CHAINS * 32 * 2};
