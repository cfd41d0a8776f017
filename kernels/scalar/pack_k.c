/* SPDX-License-Identifier: Apache-2.0 */
/* Packs raw Q4_K, Q5_K and Q6_K blocks into the panels of panel_layout.h. Quants move as dwords:
 * 4 consecutive k of one column. */
#include "kernels/numbers.h"
#include "kernels/panel_layout.h"

/* Blocks of 256 in GGUF. Q4_K and Q5_K: d, dmin, 12 bytes of factors, 32 bytes of fifth bits
 * (Q5_K only), 128 bytes of nibbles. Q6_K: 128 bytes of nibbles, 64 of upper bits, 16 scales, d. */
enum {
    FACTORS = 4,
    HEAD = 16,
    FIFTH_BITS = 32,
    Q4K_BLOCK = HEAD + 128,
    Q5K_BLOCK = HEAD + FIFTH_BITS + 128,
    Q6K_HIGH = 128,
    Q6K_SCALES = 192,
    Q6K_D = 208,
    Q6K_BLOCK = 210
};

static const uint32_t NIBBLES = 0x0F0F0F0Fu;

size_t lf_panel_bytes_q4k(size_t k)
{
    return k / 256 * LF_Q4K_SUPER;
}

size_t lf_panel_bytes_q5k(size_t k)
{
    return k / 256 * LF_Q5K_SUPER;
}

/* Bytes of the d of a whole panel. */
static size_t q6k_head(size_t k)
{
    return lf_ceil(k / 256 * LF_NR * sizeof(uint16_t), 64);
}

size_t lf_panel_bytes_q6k(size_t k)
{
    return q6k_head(k) + k / 256 * LF_Q6K_SUPER;
}

static void put_u32(uint8_t *dst, uint32_t v)
{
    memcpy(dst, &v, sizeof v);
}

/* The 16 factors of a column, eight scales and eight minimums. In GGUF each of the first four
 * scales and minimums is the low 6 bits of a byte; the low nibbles of the others are in four more
 * bytes, and their top bits are above those 6. */
static void unpack_factors(const uint8_t *s, uint32_t factor[16])
{
    for (size_t i = 0; i < 4; i++) {
        factor[i] = s[i] & 63u;
        factor[i + 8] = s[i + 4] & 63u;
        factor[i + 4] = (s[i + 8] & 15u) | (uint32_t)(s[i] >> 6) << 4;
        factor[i + 12] = (uint32_t)(s[i + 8] >> 4) | (uint32_t)(s[i + 4] >> 6) << 4;
    }
}

/* Writes column c of the first LF_K_HEAD bytes of 256 k. */
static void put_head(const uint8_t *block, size_t c, uint8_t *super)
{
    uint32_t factor[16];
    memcpy(super + c * 2, block, 2);
    memcpy(super + 32 + c * 2, block + 2, 2);
    unpack_factors(block + FACTORS, factor);
    for (size_t line = 0; line < 3; line++) {
        uint32_t dword = factor[15] >> 2 * line << 30;
        for (size_t i = 0; i < 5; i++) {
            dword |= factor[line * 5 + i] << 6 * i;
        }
        put_u32(super + 64 + line * 64 + c * 4, dword);
    }
}

/* Writes the nibbles of two blocks of 32 from 32 bytes: the low ones belong to the first block. */
static void put_nibbles(const uint8_t *q, size_t c, uint8_t *even, uint8_t *odd)
{
    for (size_t g = 0; g < 4; g++) {
        uint32_t first = lf_load_u32(q + g * 4), second = lf_load_u32(q + 16 + g * 4);
        put_u32(even + g * 64 + c * 4, (first & NIBBLES) | (second & NIBBLES) << 4);
        put_u32(odd + g * 64 + c * 4, (first >> 4 & NIBBLES) | (second & ~NIBBLES));
    }
}

/* Writes one block of Q5_K: its nibbles are at bit `low_bit` of 32 bytes, its fifth bits at bit
 * `high_bit` of 32 others. */
static void put_five_bits(const uint8_t *low, size_t low_bit, const uint8_t *high, size_t high_bit,
                          size_t c, uint8_t *lines)
{
    uint32_t q[8];
    for (size_t g = 0; g < 8; g++) {
        q[g] = (lf_load_u32(low + g * 4) >> low_bit & NIBBLES) |
               (lf_load_u32(high + g * 4) >> high_bit & 0x01010101u) << 4;
    }
    const uint32_t top = 0x07070707u, two = 0x03030303u, one = 0x01010101u;
    const uint32_t upper[5] = {q[5] >> 2 & top, (q[5] & two) << 1 | (q[7] & one), q[6] >> 2 & top,
                               (q[6] & two) << 1 | (q[7] >> 1 & one), q[7] >> 2 & top};
    for (size_t i = 0; i < 5; i++) {
        put_u32(lines + i * 64 + c * 4, q[i] | upper[i] << 5);
    }
}

static void pack_k(size_t k, const lf_panel_source *source, bool five, uint8_t *super)
{
    size_t block_bytes = five ? Q5K_BLOCK : Q4K_BLOCK;
    size_t quants_bytes = five ? LF_Q5K_QUANTS : LF_Q4_QUANTS;
    size_t row_bytes = k / 256 * block_bytes;
    for (size_t s = 0; s < k / 256; s++) {
        if (source->rows < LF_NR) {
            memset(super, 0, LF_K_HEAD + 8 * quants_bytes);
        }
        for (size_t c = 0; c < source->rows; c++) {
            const uint8_t *block = (const uint8_t *)source->raw + c * row_bytes + s * block_bytes;
            const uint8_t *q = block + HEAD + (five ? FIFTH_BITS : 0);
            uint8_t *quants = super + LF_K_HEAD;
            put_head(block, c, super);
            for (size_t b = 0; b < 8; b += 2, quants += 2 * quants_bytes) {
                if (five) {
                    put_five_bits(q + b * 16, 0, block + HEAD, b, c, quants);
                    put_five_bits(q + b * 16, 4, block + HEAD, b + 1, c, quants + quants_bytes);
                } else {
                    put_nibbles(q + b * 16, c, quants, quants + quants_bytes);
                }
            }
        }
        super += LF_K_HEAD + 8 * quants_bytes;
    }
}

void lf_pack_q4k(size_t k, const lf_panel_source *source, void *panel)
{
    pack_k(k, source, false, panel);
}

void lf_pack_q5k(size_t k, const lf_panel_source *source, void *panel)
{
    pack_k(k, source, true, panel);
}

/* The same for Q6_K, with two upper bits. */
static void put_six_bits(const uint8_t *low, size_t low_bit, const uint8_t *high, size_t high_bit,
                         size_t c, uint8_t *lines)
{
    uint32_t q[8];
    for (size_t g = 0; g < 8; g++) {
        q[g] = (lf_load_u32(low + g * 4) >> low_bit & NIBBLES) |
               (lf_load_u32(high + g * 4) >> high_bit & 0x03030303u) << 4;
    }
    for (size_t i = 0; i < 6; i++) {
        uint32_t upper = q[i / 3 * 4 + 3] >> (4 - i % 3 * 2) & 0x03030303u;
        put_u32(lines + i * 64 + c * 4, q[i / 3 * 4 + i % 3] | upper << 6);
    }
}

void lf_pack_q6k(size_t k, const lf_panel_source *source, void *panel)
{
    size_t row_bytes = k / 256 * Q6K_BLOCK;
    uint8_t *super = (uint8_t *)panel + q6k_head(k);
    memset(panel, 0, q6k_head(k));
    for (size_t s = 0; s < k / 256; s++, super += LF_Q6K_SUPER) {
        if (source->rows < LF_NR) {
            memset(super, 0, LF_Q6K_SUPER);
        }
        for (size_t c = 0; c < source->rows; c++) {
            const uint8_t *block = (const uint8_t *)source->raw + c * row_bytes + s * Q6K_BLOCK;
            memcpy((uint8_t *)panel + s * 32 + c * 2, block + Q6K_D, 2);
            for (size_t g = 0; g < 16; g++) {
                super[g * LF_NR + c] = block[Q6K_SCALES + g];
            }
            /* Blocks of 32, in the order in which GGUF stores halves of 128. */
            for (size_t b = 0; b < 8; b++) {
                put_six_bits(block + b / 4 * 64 + b % 2 * 32, b % 4 / 2 * 4,
                             block + Q6K_HIGH + b / 4 * 32, b % 4 * 2, c,
                             super + LF_K_HEAD + b * LF_Q6K_QUANTS);
            }
        }
    }
}
