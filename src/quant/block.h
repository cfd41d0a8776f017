/* SPDX-License-Identifier: Apache-2.0 */
/* Private to src/quant: the byte layout of the blocks. */
#ifndef LF_QUANT_BLOCK_H
#define LF_QUANT_BLOCK_H

#include "quant/quant.h"

enum {
    LF_BLOCK = 32,        /* elements of a block, and of a sub-block of Q4_K and Q5_K */
    LF_SUPER_BLOCK = 256, /* elements of a super-block (K formats, IQ4_XS) */
    LF_Q4_0_BYTES = 18,
    LF_Q4_1_BYTES = 20,
    LF_Q5_0_BYTES = 22,
    LF_Q5_1_BYTES = 24,
    LF_Q8_0_BYTES = 34,
    LF_Q2_K_BYTES = 84,
    LF_Q3_K_BYTES = 110,
    LF_Q4_K_BYTES = 144,
    LF_Q5_K_BYTES = 176,
    LF_Q6_K_BYTES = 210,
    LF_IQ2_XXS_BYTES = 66,
    LF_IQ2_XS_BYTES = 74,
    LF_IQ3_XXS_BYTES = 98,
    LF_IQ1_S_BYTES = 50,
    LF_IQ4_NL_BYTES = 18,
    LF_IQ3_S_BYTES = 110,
    LF_IQ2_S_BYTES = 82,
    LF_IQ4_XS_BYTES = 136,
    LF_IQ1_M_BYTES = 56,
    LF_MXFP4_BYTES = 17,
    LF_NVFP4_BLOCK = 64, /* elements: four groups of 16 */
    LF_NVFP4_BYTES = 36
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

#endif /* LF_QUANT_BLOCK_H */
