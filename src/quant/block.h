/* SPDX-License-Identifier: Apache-2.0 */
/* Private to src/quant: the byte layout of the blocks. */
#ifndef LF_QUANT_BLOCK_H
#define LF_QUANT_BLOCK_H

#include "quant/quant.h"

#include <string.h>

enum {
    LF_SMALL = 32,  /* elements of a small block, and of most scale groups */
    LF_SUPER = 256, /* elements of a super-block (K formats, IQ4_XS) */
    LF_Q4_0_BYTES = 18,
    LF_Q4_1_BYTES = 20,
    LF_Q5_0_BYTES = 22,
    LF_Q5_1_BYTES = 24,
    LF_Q8_0_BYTES = 34,
    LF_Q4_K_BYTES = 144,
    LF_Q5_K_BYTES = 176,
    LF_Q6_K_BYTES = 210,
    LF_IQ4_NL_BYTES = 18,
    LF_IQ4_XS_BYTES = 136,
    LF_MXFP4_BYTES = 17
};

/* Little-endian fields at any alignment. */
static inline uint16_t lf_block_u16(const uint8_t *p)
{
    return (uint16_t)(p[0] | (uint16_t)(p[1] << 8));
}

static inline uint32_t lf_block_u32(const uint8_t *p)
{
    return lf_block_u16(p) | (uint32_t)lf_block_u16(p + 2) << 16;
}

static inline void lf_block_put_u16(uint8_t *p, uint16_t v)
{
    p[0] = (uint8_t)v;
    p[1] = (uint8_t)(v >> 8);
}

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

/* lf_f16_to_f32 and lf_bf16_to_f32 for loops: no branches. */
static inline float lf_half_value(uint16_t h)
{
    uint32_t sign = (uint32_t)(h & 0x8000u) << 16;
    uint32_t rest = h & 0x7fffu;
    uint32_t is_tiny = 0u - (uint32_t)((int32_t)rest < 0x0400);
    uint32_t is_special = 0u - (uint32_t)((int32_t)rest > 0x7bff);
    uint32_t is_nan = 0u - (uint32_t)((int32_t)rest > 0x7c00);
    /* Normal numbers: move the fields, add 127 - 15 to the exponent (infinity and NaN: twice). */
    uint32_t normal = (rest << 13) + (112u << 23) + (is_special & 112u << 23);
    /* Exponent 0: in 0.5 + m * 2^-24 the bits of m are the lowest ones. */
    uint32_t tiny = lf_bits_of(lf_float_of(0x3f000000u | rest) - 0.5f);
    uint32_t u = (normal & ~is_tiny) | (tiny & is_tiny) | (is_nan & 0x00400000u);
    return lf_float_of(sign | u);
}

static inline float lf_brain_value(uint16_t b)
{
    return lf_float_of((uint32_t)b << 16);
}

#endif /* LF_QUANT_BLOCK_H */
