/* SPDX-License-Identifier: Apache-2.0 */
/* Number helpers of the kernels: bit patterns, unaligned loads, f16, fma, the fixed order of a
 * 16-lane sum, and the constants that round floats to integers. */
#ifndef LF_KERNELS_NUMBERS_H
#define LF_KERNELS_NUMBERS_H

#include <stddef.h>
#include <stdint.h>
#include <string.h>

enum { LF_LANES = 16 }; /* lanes of a reduction */

/* x + LF_MAGIC rounds x to the nearest integer n, ties to even, as long as |n| < 2^22; the bits of
 * that sum are LF_MAGIC_BITS + n. */
#define LF_MAGIC      12582912.0f /* 1.5 * 2^23 */
#define LF_MAGIC_BITS 0x4B400000

static inline size_t lf_ceil(size_t n, size_t to)
{
    return (n + to - 1) / to * to;
}

static inline uint32_t lf_bits(float f)
{
    uint32_t u;
    memcpy(&u, &f, sizeof u);
    return u;
}

static inline float lf_float(uint32_t u)
{
    float f;
    memcpy(&f, &u, sizeof f);
    return f;
}

static inline uint32_t lf_load_u32(const void *p)
{
    uint32_t u;
    memcpy(&u, p, sizeof u);
    return u;
}

static inline float lf_load_f32(const void *p)
{
    return lf_float(lf_load_u32(p));
}

static inline uint16_t lf_load_u16(const void *p)
{
    uint16_t u;
    memcpy(&u, p, sizeof u);
    return u;
}

/* Exact. A signalling NaN becomes quiet, as with F16C. */
static inline float lf_half_to_float(uint16_t h)
{
    uint32_t sign = (uint32_t)(h & 0x8000u) << 16;
    uint32_t rest = h & 0x7FFFu;
    if (rest >= 0x7C00u) {
        uint32_t quiet = rest > 0x7C00u ? 0x400000u : 0;
        return lf_float(sign | 0x7F800000u | (rest & 0x3FFu) << 13 | quiet);
    }
    if (rest >= 0x400u) {
        return lf_float(sign | ((rest << 13) + 0x38000000u));
    }
    /* Subnormal: rest * 2^-24, exact in float. */
    return lf_float(lf_bits((float)rest * 0x1p-24f) | sign);
}

/* Round to nearest even; NaN keeps its upper payload bits and becomes quiet, as with F16C. */
static inline uint16_t lf_float_to_half(float f)
{
    uint32_t u = lf_bits(f);
    uint32_t sign = u >> 16 & 0x8000u;
    u &= 0x7FFFFFFFu;
    if (u > 0x7F800000u) {
        return (uint16_t)(sign | 0x7E00u | (u >> 13 & 0x3FFu));
    }
    if (u >= 0x477FF000u) { /* 65520 and above round to infinity */
        return (uint16_t)(sign | 0x7C00u);
    }
    if (u >= 0x38800000u) {
        return (uint16_t)(sign | ((u - 0x38000000u + 0xFFFu + (u >> 13 & 1u)) >> 13));
    }
    /* Subnormal: adding 0.5 makes the float adder round at 2^-24. */
    return (uint16_t)(sign | (lf_bits(lf_float(u) + 0.5f) - 0x3F000000u));
}

/* fma by IEEE 754. The baseline of x86-64 has no such instruction, and musl's routine rounds some
 * subnormal results twice. The product of two floats is exact in double. The sum is rounded to odd
 * in double: an inexact sum gets 1 as its last bit and therefore never lies on a tie of floats, so
 * that only the conversion to float rounds (Boldo and Melquiond). */
static inline float lf_fma(float a, float b, float c)
{
#if LF_ARCH_ARM64
    return __builtin_fmaf(a, b, c);
#else
    double product = (double)a * (double)b;
    double sum = product + (double)c;
    double part = sum - product;
    double left = (product - (sum - part)) + ((double)c - part); /* sum + left is exact */
    uint64_t bits;
    memcpy(&bits, &sum, sizeof bits);
    uint64_t even = ~bits & 1u;
    bits += left < 0 || left > 0 ? ((left > 0) == (sum > 0) ? even : 0 - even) : 0;
    memcpy(&sum, &bits, sizeof sum);
    return (float)sum;
#endif
}

/* Sum of 16 lanes, in the order that every ISA follows. */
static inline float lf_fold_sum(const float lane[LF_LANES])
{
    float t[8];
    for (size_t i = 0; i < 8; i++) {
        t[i] = lane[i] + lane[i + 8];
    }
    for (size_t n = 4; n > 0; n /= 2) {
        for (size_t i = 0; i < n; i++) {
            t[i] += t[i + n];
        }
    }
    return t[0];
}

#endif /* LF_KERNELS_NUMBERS_H */
