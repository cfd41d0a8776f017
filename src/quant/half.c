/* SPDX-License-Identifier: Apache-2.0 */
/* Conversion between f32 and 16-bit floats. */
#include "quant/numbers.h"

#include "quant/quant.h"

float lf_f16_to_f32(uint16_t h)
{
    return lf_f16_value(h);
}

uint16_t lf_f32_to_f16(float f)
{
    uint32_t u = lf_bits_of(f);
    uint32_t sign = (u >> 16) & 0x8000u;
    uint32_t rest = u & 0x7fffffffu;
    uint32_t h = 0;
    if (rest > 0x7f800000u) {
        h = 0x7e00u;
    } else if (rest >= 0x477ff000u) { /* 65520 and above round to infinity */
        h = 0x7c00u;
    } else if (rest >= 0x38800000u) {
        uint32_t r = rest - (112u << 23);
        h = (r + 0x0fffu + ((r >> 13) & 1u)) >> 13;
    } else { /* subnormal: the addition rounds to a multiple of 2^-24 */
        h = lf_bits_of(lf_float_of(rest) + 0.5f) - 0x3f000000u;
    }
    return (uint16_t)(sign | h);
}

float lf_bf16_to_f32(uint16_t b)
{
    return lf_bf16_value(b);
}

uint16_t lf_f32_to_bf16(float f)
{
    uint32_t u = lf_bits_of(f);
    if ((u & 0x7fffffffu) > 0x7f800000u) {
        return (uint16_t)((u >> 16) | 0x40u);
    }
    return (uint16_t)((u + 0x7fffu + ((u >> 16) & 1u)) >> 16);
}
