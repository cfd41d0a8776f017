/* SPDX-License-Identifier: Apache-2.0 */
/* Packs raw Q2_K, Q3_K and IQ3_S blocks into the panels of panel_layout.h. Quants move as dwords: 4
 * consecutive k of one column. */
#include "kernels/numbers.h"
#include "kernels/panel_layout.h"

/* Blocks of 256 in GGUF. Q2_K: 16 bytes of factors, 64 of quants, d, dmin. Q3_K: 32 bytes of third
 * bits, 64 of lower bits, 12 of scales, d. The two bits of a quant are at bit 2 * (b % 4) of byte
 * 32 * (b / 4) + i for value i of the 32 with number b; the third bit is at bit b of byte i. */
enum {
    Q2K_QUANTS = 16,
    Q2K_D = 80,
    Q2K_BLOCK = 84,
    Q3K_QUANTS = 32,
    Q3K_SCALES = 96,
    Q3K_D = 108,
    Q3K_BLOCK = 110
};

/* IQ3_S: d, 64 bytes of positions, 8 of their ninth bits, 32 of signs, 4 of scales. */
enum { IQ3S_INDEX = 2, IQ3S_HIGH = 66, IQ3S_SIGNS = 74, IQ3S_SCALES = 106, IQ3S_BLOCK = 110 };

size_t lf_panel_bytes_q2k(size_t k)
{
    return k / 256 * LF_Q2K_SUPER;
}

/* Bytes of the d of a whole panel of Q3_K or IQ3_S. */
static size_t d_bytes(size_t k)
{
    return lf_ceil(k / 256 * LF_NR * sizeof(uint16_t), 64);
}

size_t lf_panel_bytes_q3k(size_t k)
{
    return d_bytes(k) + k / 256 * LF_Q3K_SUPER;
}

/* Lower bits of 4 k: dword g of the 32 with number b. */
static uint32_t two_bits(const uint8_t *quants, size_t b, size_t g)
{
    return lf_load_u32(quants + b / 4 * 32 + g * 4) >> 2 * (b % 4) & 0x03030303u;
}

void lf_pack_q2k(size_t k, const lf_panel_source *source, void *panel)
{
    uint8_t *super = panel;
    memset(panel, 0, source->rows < LF_NR ? lf_panel_bytes_q2k(k) : 0);
    for (size_t s = 0; s < k / 256; s++, super += LF_Q2K_SUPER) {
        for (size_t c = 0; c < source->rows; c++) {
            const uint8_t *block = (const uint8_t *)source->raw + (c * (k / 256) + s) * Q2K_BLOCK;
            memcpy(super + c * 2, block + Q2K_D, 2);
            memcpy(super + 32 + c * 2, block + Q2K_D + 2, 2);
            for (size_t i = 0; i < 16; i++) {
                super[64 + i * LF_NR + c] = block[i];
            }
            for (size_t line = 0; line < 16; line++) {
                uint32_t dword = 0;
                for (size_t i = 0; i < 4; i++) {
                    dword |= two_bits(block + Q2K_QUANTS, line / 2, line % 2 * 4 + i) << 2 * i;
                }
                memcpy(super + LF_Q2K_HEAD + line * 64 + c * 4, &dword, 4);
            }
        }
    }
}

/* Writes the 16 scales of a column. In GGUF the low nibbles of scales 0 to 7 are in the low halves
 * of the first 8 bytes, those of 8 to 15 in the high halves; the upper two bits of scale i are in
 * byte 8 + i % 4. */
static void put_scales(const uint8_t *packed, size_t c, uint8_t *super)
{
    uint32_t scales[16];
    for (size_t i = 0; i < 16; i++) {
        uint32_t low = (uint32_t)packed[i % 8] >> 4 * (i / 8) & 15u;
        scales[i] = low | ((uint32_t)packed[8 + i % 4] >> 2 * (i / 4) & 3u) << 4;
    }
    for (size_t line = 0; line < 3; line++) {
        uint32_t dword = scales[15] >> 2 * line << 30;
        for (size_t i = 0; i < 5; i++) {
            dword |= scales[line * 5 + i] << 6 * i;
        }
        memcpy(super + line * 64 + c * 4, &dword, 4);
    }
}

/* Writes the quants of column c of 32 k. */
static void put_three_bits(const uint8_t *block, size_t b, size_t c, uint8_t *quants)
{
    const uint32_t ones = 0x01010101u;
    uint32_t groups[8];
    for (size_t g = 0; g < 8; g++) {
        groups[g] = two_bits(block + Q3K_QUANTS, b, g) | (lf_load_u32(block + g * 4) >> b & ones)
                                                             << 2;
    }
    for (size_t line = 0; line < 3; line++) {
        uint32_t dword = groups[2 * line] | groups[2 * line + 1] << 4 |
                         (groups[6] >> line & ones) << 3 | (groups[7] >> line & ones) << 7;
        memcpy(quants + line * 64 + c * 4, &dword, 4);
    }
}

void lf_pack_q3k(size_t k, const lf_panel_source *source, void *panel)
{
    uint8_t *super = (uint8_t *)panel + d_bytes(k);
    memset(panel, 0, source->rows < LF_NR ? lf_panel_bytes_q3k(k) : d_bytes(k));
    for (size_t s = 0; s < k / 256; s++, super += LF_Q3K_SUPER) {
        for (size_t c = 0; c < source->rows; c++) {
            const uint8_t *block = (const uint8_t *)source->raw + (c * (k / 256) + s) * Q3K_BLOCK;
            memcpy((uint8_t *)panel + s * 32 + c * 2, block + Q3K_D, 2);
            put_scales(block + Q3K_SCALES, c, super);
            for (size_t b = 0; b < 8; b++) {
                put_three_bits(block, b, c, super + LF_Q3K_HEAD + b * LF_Q3K_QUANTS);
            }
        }
    }
}

size_t lf_panel_bytes_iq3s(size_t k)
{
    return d_bytes(k) + k / 256 * LF_IQ3S_SUPER;
}

void lf_pack_iq3s(size_t k, const lf_panel_source *source, void *panel)
{
    uint8_t *super = (uint8_t *)panel + d_bytes(k);
    memset(panel, 0, lf_panel_bytes_iq3s(k));
    for (size_t s = 0; s < k / 256; s++, super += LF_IQ3S_SUPER) {
        for (size_t c = 0; c < source->rows; c++) {
            const uint8_t *block = (const uint8_t *)source->raw + (c * (k / 256) + s) * IQ3S_BLOCK;
            memcpy((uint8_t *)panel + s * 32 + c * 2, block, 2);
            memcpy(super + c * 4, block + IQ3S_SCALES, 4);
            for (size_t g = 0; g < 64; g++) {
                unsigned signs = (unsigned)block[IQ3S_SIGNS + g / 2] >> g % 2 * 4 & 15u;
                uint8_t *at = super + LF_IQ3S_SIGNS + g * 8 + c / 2;
                *at = (uint8_t)(*at | signs << c % 2 * 4);
                super[LF_IQ3S_INDEX + g * LF_NR + c] = block[IQ3S_INDEX + g];
            }
            for (size_t b = 0; b < 8; b++) {
                super[LF_IQ3S_HIGH + b * LF_NR + c] = block[IQ3S_HIGH + b];
            }
        }
    }
}
