/* SPDX-License-Identifier: Apache-2.0 */
/* Peak loop for AVX-512: reading memory. */
#include "kernels/tables.h"
#include "kernels/vector/prefetch.h"

#include <immintrin.h>

static uint64_t read_avx512(const void *p, size_t bytes, size_t distance)
{
    enum { CHAINS = 8, STEP = CHAINS * 64 };
    const char *at = p;
    const char *end = at + bytes;
    __m512i sum[CHAINS];
    for (size_t c = 0; c < CHAINS; c++) {
        sum[c] = _mm512_setzero_si512();
    }
    for (; at < end; at += STEP) {
        for (size_t c = 0; distance != 0 && c < CHAINS; c++) {
            lf_prefetch_l1(at + distance + 64 * c);
        }
        for (size_t c = 0; distance != 0 && c < CHAINS; c++) {
            lf_prefetch_l2(at + 2 * distance + 64 * c);
        }
        for (size_t c = 0; c < CHAINS; c++) {
            sum[c] = _mm512_add_epi64(sum[c], _mm512_load_si512(at + 64 * c));
        }
    }
    for (size_t c = 1; c < CHAINS; c++) {
        sum[0] = _mm512_add_epi64(sum[0], sum[c]);
    }
    /* _mm512_reduce_add_epi64 would not do: gcc's adds signed numbers, and these overflow. */
    uint64_t lanes[8];
    _mm512_storeu_si512(lanes, sum[0]);
    for (size_t i = 1; i < 8; i++) {
        lanes[0] += lanes[i];
    }
    return lanes[0];
}

const lf_peak lf_peak_avx512 = {.read_isa = "avx512", .read = read_avx512};
