/* SPDX-License-Identifier: Apache-2.0 */
/* Peak loops in portable C: reading memory, products of small integers. */
#include "kernels/tables.h"

#include <string.h>

static uint64_t read_scalar(const void *p, size_t bytes, size_t distance)
{
    enum { CHAINS = 8 };
    const uint8_t *at = p;
    uint64_t sum[CHAINS] = {0};
    (void)distance; /* plain C has no prefetch */
    for (size_t i = 0; i < bytes; i += CHAINS * sizeof(uint64_t)) {
        uint64_t word[CHAINS];
        memcpy(word, at + i, sizeof word);
        for (size_t c = 0; c < CHAINS; c++) {
            sum[c] += word[c];
        }
    }
    for (size_t c = 1; c < CHAINS; c++) {
        sum[0] += sum[c];
    }
    return sum[0];
}

enum { N = 64 }; /* products of a round */

static uint16_t dot_scalar(size_t rounds)
{
    int16_t x[N];
    int16_t w[N];
    uint32_t sum = 0;
    for (size_t i = 0; i < N; i++) {
        x[i] = LF_PEAK_X;
        w[i] = LF_PEAK_W;
    }
    for (size_t r = 0; r < rounds; r++) {
        /* Makes the compiler assume that the numbers changed. */
        __asm__("" : "+m"(x), "+m"(w));
        int32_t round = 0;
        for (size_t i = 0; i < N; i++) {
            round += x[i] * w[i];
        }
        sum += (uint32_t)round;
    }
    return (uint16_t)sum;
}

const lf_peak lf_peak_scalar = {.read_isa = "scalar",
                                .read = read_scalar,
                                .dot_isa = "scalar",
                                .dot = dot_scalar,
                                .dot_ops = 2 * N};
