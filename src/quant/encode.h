/* SPDX-License-Identifier: Apache-2.0 */
/* Private to src/quant: what the encoders share. */
#ifndef LF_QUANT_ENCODE_H
#define LF_QUANT_ENCODE_H

#include "quant/block.h"

/* Nearest integer, halves to even: adding 1.5 * 2^23 leaves the integer in the low mantissa bits.
 * |v| < 2^22; other values give some integer. */
static inline int lf_round_even(float v)
{
    return (int)(lf_bits_of(v + 12582912.0f) & 0x007fffffu) - 0x00400000;
}

static inline float lf_magnitude(float v)
{
    return lf_float_of(lf_bits_of(v) & 0x7fffffffu);
}

/* The element of largest magnitude, sign kept; the first of equals. n is a multiple of 8. */
float lf_extreme(const float *x, int n);

void lf_encode_q4_k(const float *src, uint8_t *dst, size_t blocks);
void lf_encode_q5_k(const float *src, uint8_t *dst, size_t blocks);
void lf_encode_q6_k(const float *src, uint8_t *dst, size_t blocks);

#endif /* LF_QUANT_ENCODE_H */
