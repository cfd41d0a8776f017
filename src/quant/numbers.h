/* SPDX-License-Identifier: Apache-2.0 */
/* Private to src/quant: number helpers of the decoders and encoders. They use integers and single
 * f32 operations only, so a result depends neither on the CPU's half-precision instructions nor on
 * its flush-to-zero mode. */
#ifndef LF_QUANT_NUMBERS_H
#define LF_QUANT_NUMBERS_H

#include <stdint.h>
#include <string.h>

static inline uint32_t lf_bits_of(float f)
{
    uint32_t u = 0;
    memcpy(&u, &f, sizeof u);
    return u;
}

static inline float lf_float_of(uint32_t u)
{
    float f = 0.0f;
    memcpy(&f, &u, sizeof f);
    return f;
}

/* lf_f16_to_f32 and lf_bf16_to_f32 without branches, so that compilers can vectorize loops. */
static inline float lf_f16_value(uint16_t h)
{
    uint32_t sign = (uint32_t)(h & 0x8000u) << 16;
    uint32_t rest = h & 0x7fffu;
    uint32_t is_tiny = 0u - (uint32_t)((int32_t)rest < 0x0400);
    uint32_t is_special = 0u - (uint32_t)((int32_t)rest > 0x7bff);
    uint32_t is_nan = 0u - (uint32_t)((int32_t)rest > 0x7c00);
    /* Normal numbers: shift the fields and add 127 - 15 to the exponent (twice for infinity and
     * NaN). */
    uint32_t normal = (rest << 13) + (112u << 23) + (is_special & 112u << 23);
    /* Subnormal numbers: 0.5 + m * 2^-24 has the bits of m as its lowest bits. */
    uint32_t tiny = lf_bits_of(lf_float_of(0x3f000000u | rest) - 0.5f);
    uint32_t u = (normal & ~is_tiny) | (tiny & is_tiny) | (is_nan & 0x00400000u);
    return lf_float_of(sign | u);
}

static inline float lf_bf16_value(uint16_t b)
{
    return lf_float_of((uint32_t)b << 16);
}

/* Nearest integer, ties to even: adding 1.5 * 2^23 leaves the integer in the low mantissa bits.
 * Requires |v| < 2^22; other values give an arbitrary integer. */
static inline int lf_round_even(float v)
{
    return (int)(lf_bits_of(v + 12582912.0f) & 0x007fffffu) - 0x00400000;
}

static inline float lf_magnitude(float v)
{
    return lf_float_of(lf_bits_of(v) & 0x7fffffffu);
}

/* The element of largest magnitude with its sign; the first one if several are equal; +0 if all are
 * zeros of any sign. n is a multiple of 8. */
static inline float lf_extreme(const float *x, int n)
{
    enum { LANES = 8 }; /* independent maxima, which compilers keep in a vector */
    float lanes[LANES] = {0.0f};
    for (int i = 0; i < n; i += LANES) {
        for (int j = 0; j < LANES; j++) {
            float a = lf_magnitude(x[i + j]);
            lanes[j] = a > lanes[j] ? a : lanes[j];
        }
    }
    float most = 0.0f;
    for (int j = 0; j < LANES; j++) {
        most = lanes[j] > most ? lanes[j] : most;
    }
    for (int i = 0; i < n && most > 0.0f; i++) {
        if (lf_magnitude(x[i]) >= most) {
            return x[i];
        }
    }
    return 0.0f; /* every element is 0 or NaN */
}

#endif /* LF_QUANT_NUMBERS_H */
