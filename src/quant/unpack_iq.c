/* SPDX-License-Identifier: Apache-2.0 */
/* Unpacking of the IQ1, IQ2 and IQ3 formats. Their blocks hold indexes into a codebook of vectors
 * (grids.h), the signs of the elements, and scales of groups of 16 or 32. */
#include "quant/unpack.h"

#include "quant/block.h"
#include "quant/grids.h"
#include "quant/numbers.h"

/* Elements are computed 8 at a time, one in each byte of a number: no sum or product below carries
 * into the next byte. */
#define EACH(byte) ((byte)*UINT64_C(0x0101010101010101))

/* ---- Vectors ---- */

/* The signs of 8 elements from 7 stored bits: the number of negative elements is even. */
static unsigned even_signs(unsigned bits)
{
    unsigned parity = bits ^ bits >> 4;
    parity ^= parity >> 2;
    parity ^= parity >> 1;
    return bits | (parity & 1u) << 7;
}

/* 8 fields of 2 bits. */
static uint64_t spread_2(uint64_t bits)
{
    bits = (bits | bits << 24) & 0x000000FF000000FFu;
    bits = (bits | bits << 12) & 0x000F000F000F000Fu;
    return (bits | bits << 6) & EACH(3u);
}

/* 8 fields of 3 bits. */
static uint64_t spread_3(uint64_t bits)
{
    bits = (bits | bits << 20) & 0x00000FFF00000FFFu;
    bits = (bits | bits << 10) & 0x003F003F003F003Fu;
    return (bits | bits << 5) & EACH(7u);
}

/* Writes 8 magnitudes, none of them 0; bit j of `signs` makes element j negative. */
static void put_signed(uint64_t values, unsigned signs, int8_t *quants)
{
    uint64_t bits = EACH((uint64_t)signs) & 0x8040201008040201u; /* bit j of byte j */
    uint64_t negative = (bits + EACH(0x7Fu)) >> 7 & EACH(1u);
    values = (values ^ negative * 0xFF) + negative;
    memcpy(quants, &values, sizeof values);
}

/* 8 elements of an IQ2 vector: 8, 25 or 43. */
static void iq2_vector(uint16_t vector, unsigned signs, int8_t *quants)
{
    uint64_t fields = spread_2(vector);
    put_signed(EACH(8u) + 17 * fields + (fields >> 1 & EACH(1u)), signs, quants);
}

/* 8 elements from two vectors of IQ3_XXS: 4, 12, 20, ... 52, 62. */
static void iq3_xxs_vectors(uint16_t first, uint16_t second, unsigned signs, int8_t *quants)
{
    uint64_t fields = spread_3(first | (uint64_t)second << 12);
    uint64_t last = (fields + EACH(1u)) >> 3 & EACH(1u);
    put_signed(EACH(4u) + 8 * fields + 2 * last, signs, quants);
}

/* 8 elements from two vectors of IQ3_S: 1, 3, 5, ... 15. */
static void iq3_s_vectors(uint16_t first, uint16_t second, unsigned signs, int8_t *quants)
{
    put_signed(EACH(1u) + 2 * spread_3(first | (uint64_t)second << 12), signs, quants);
}

/* 8 elements of an IQ1 vector in eighths: -1, 0 or 1, shifted by an eighth up or down. */
static void iq1_vector(uint16_t vector, bool down, int8_t *quants)
{
    uint64_t shifted = 8 * spread_2(vector) + EACH(128u - 8 + 1) - EACH(down ? 2u : 0u);
    uint64_t values = shifted ^ EACH(128u);
    memcpy(quants, &values, sizeof values);
}

/* ---- IQ2: scale = d * (2 s + 1) / 8 for a 4-bit s ---- */

static float iq2_scale(float d, unsigned s)
{
    return d * (0.5f + (float)s) * 0.25f;
}

/* Per group of 32: four index bytes; 4 x 7 sign bits; 4 bits of scale. */
static void iq2_xxs_block(const uint8_t *src, int8_t *quants, float *scales)
{
    float d = lf_f16_value(lf_block_u16(src));
    for (int g = 0; g < 8; g++) {
        const uint8_t *group = src + 2 + 8 * g;
        uint32_t rest = lf_block_u32(group + 4);
        scales[g] = iq2_scale(d, rest >> 28);
        for (int v = 0; v < 4; v++, quants += 8) {
            iq2_vector(lf_grid_iq2_xxs[group[v]], even_signs(rest >> 7 * v & 127u), quants);
        }
    }
}

/* Per vector: 9 bits of index, 7 of signs; then a nibble of scale per group of 16. */
static void iq2_xs_block(const uint8_t *src, int8_t *quants, float *scales)
{
    float d = lf_f16_value(lf_block_u16(src));
    for (int g = 0; g < 16; g++) {
        scales[g] = iq2_scale(d, (unsigned)src[66 + g / 2] >> 4 * (g % 2) & 15u);
    }
    for (int v = 0; v < 32; v++, quants += 8) {
        unsigned bits = lf_block_u16(src + 2 + 2 * v);
        iq2_vector(lf_grid_iq2_xs[bits & 511u], even_signs(bits >> 9), quants);
    }
}

/* The low 8 bits of 32 indexes; 8 signs per vector; the upper 2 bits; a nibble of scale per 16. */
static void iq2_s_block(const uint8_t *src, int8_t *quants, float *scales)
{
    const uint8_t *signs = src + 34;
    const uint8_t *high = src + 66;
    float d = lf_f16_value(lf_block_u16(src));
    for (int g = 0; g < 16; g++) {
        scales[g] = iq2_scale(d, (unsigned)src[74 + g / 2] >> 4 * (g % 2) & 15u);
    }
    for (int v = 0; v < 32; v++, quants += 8) {
        unsigned index = src[2 + v] | ((unsigned)high[v / 4] >> 2 * (v % 4) & 3u) << 8;
        iq2_vector(lf_grid_iq2_s[index], signs[v], quants);
    }
}

/* ---- IQ3 ---- */

/* 64 index bytes; then per group of 32: 4 x 7 sign bits, 4 bits of scale. */
static void iq3_xxs_block(const uint8_t *src, int8_t *quants, float *scales)
{
    const uint16_t *grid = lf_grid_iq3_xxs;
    float d = lf_f16_value(lf_block_u16(src));
    for (int g = 0; g < 8; g++) {
        const uint8_t *index = src + 2 + 8 * g;
        uint32_t rest = lf_block_u32(src + 66 + 4 * g);
        scales[g] = d * (0.5f + (float)(rest >> 28)) * 0.5f;
        for (int v = 0; v < 4; v++, index += 2, quants += 8) {
            iq3_xxs_vectors(grid[index[0]], grid[index[1]], even_signs(rest >> 7 * v & 127u),
                            quants);
        }
    }
}

/* The low 8 bits of 64 indexes; their ninth bits; 256 signs; a nibble of scale per group of 32. */
static void iq3_s_block(const uint8_t *src, int8_t *quants, float *scales)
{
    const uint8_t *high = src + 66;
    const uint8_t *signs = src + 74;
    float d = lf_f16_value(lf_block_u16(src));
    for (int g = 0; g < 8; g++) {
        unsigned s = (unsigned)src[106 + g / 2] >> 4 * (g % 2) & 15u;
        scales[g] = d * (float)(1 + 2 * s);
    }
    for (int v = 0; v < 32; v++, quants += 8) {
        unsigned upper = (unsigned)high[v / 4] >> 2 * (v % 4);
        unsigned first = src[2 + 2 * v] | (upper & 1u) << 8;
        unsigned second = src[3 + 2 * v] | (upper >> 1 & 1u) << 8;
        iq3_s_vectors(lf_grid_iq3_s[first], lf_grid_iq3_s[second], signs[v], quants);
    }
}

/* ---- IQ1: quants are eighths, scale = d * (2 s + 1) / 8 for a 3-bit s ---- */

static float iq1_scale(float d, unsigned s)
{
    return d * (float)(2 * (s & 7u) + 1) * 0.125f;
}

/* The low 8 bits of 32 indexes; then per group of 32: 4 x 3 upper bits, 3 bits of scale, the
 * direction of the shift. */
static void iq1_s_block(const uint8_t *src, int8_t *quants, float *scales)
{
    float d = lf_f16_value(lf_block_u16(src));
    for (int g = 0; g < 8; g++) {
        unsigned head = lf_block_u16(src + 34 + 2 * g);
        scales[g] = iq1_scale(d, head >> 12);
        for (int v = 0; v < 4; v++, quants += 8) {
            unsigned index = src[2 + 4 * g + v] | (head >> 3 * v & 7u) << 8;
            iq1_vector(lf_grid_iq1[index], head >> 15 != 0, quants);
        }
    }
}

/* The low 8 bits of 32 indexes; per vector 3 upper bits and the direction of its shift; four words
 * with the scales of four groups of 16 each, 3 bits a scale, and a nibble of d on top. */
static void iq1_m_block(const uint8_t *src, int8_t *quants, float *scales)
{
    unsigned d_bits = 0;
    for (int w = 0; w < 4; w++) {
        d_bits |= (unsigned)(lf_block_u16(src + 48 + 2 * w) >> 12) << 4 * w;
    }
    float d = lf_f16_value((uint16_t)d_bits);
    for (int g = 0; g < 16; g++) {
        scales[g] = iq1_scale(d, (unsigned)lf_block_u16(src + 48 + g / 4 * 2) >> 3 * (g % 4));
    }
    for (int v = 0; v < 32; v++, quants += 8) {
        unsigned head = (unsigned)src[32 + v / 2] >> 4 * (v % 2);
        iq1_vector(lf_grid_iq1[src[v] | (head & 7u) << 8], (head & 8u) != 0, quants);
    }
}

/* ---- Rows ---- */

typedef void block_fn(const uint8_t *src, int8_t *quants, float *scales);

typedef struct unpacker {
    block_fn *unpack;
    size_t block_bytes;
    size_t groups; /* of a block */
} unpacker;

static unpacker unpacker_of(lf_type type)
{
    switch ((int)type) {
    case LF_IQ2_XXS:
        return (unpacker){iq2_xxs_block, LF_IQ2_XXS_BYTES, 8};
    case LF_IQ2_XS:
        return (unpacker){iq2_xs_block, LF_IQ2_XS_BYTES, 16};
    case LF_IQ2_S:
        return (unpacker){iq2_s_block, LF_IQ2_S_BYTES, 16};
    case LF_IQ3_XXS:
        return (unpacker){iq3_xxs_block, LF_IQ3_XXS_BYTES, 8};
    case LF_IQ3_S:
        return (unpacker){iq3_s_block, LF_IQ3_S_BYTES, 8};
    case LF_IQ1_S:
        return (unpacker){iq1_s_block, LF_IQ1_S_BYTES, 8};
    default:
        return (unpacker){iq1_m_block, LF_IQ1_M_BYTES, 16};
    }
}

void lf_unpack_iq(lf_type type, const uint8_t *src, size_t blocks, int8_t *quants, float *scales)
{
    unpacker u = unpacker_of(type);
    for (size_t b = 0; b < blocks; b++) {
        u.unpack(src + b * u.block_bytes, quants + b * LF_SUPER_BLOCK, scales + b * u.groups);
    }
}
