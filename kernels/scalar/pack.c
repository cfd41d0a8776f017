/* SPDX-License-Identifier: Apache-2.0 */
/* Packs weights into the panels of panel_layout.h: float formats, Q4_0, Q8_0, int8 with f32
 * scales. */
#include "kernels/numbers.h"
#include "kernels/panel_layout.h"

size_t lf_panel_bytes_q4(size_t k)
{
    return k / 64 * LF_Q4_SUPER + (k % 64 != 0 ? 64 + LF_Q4_QUANTS : 0);
}

size_t lf_panel_bytes_q8(size_t k)
{
    return k / 64 * LF_Q8_SUPER + (k % 64 != 0 ? 64 + LF_Q8_QUANTS : 0);
}

size_t lf_panel_bytes_i8g(size_t k)
{
    return k / 32 * (LF_NR * sizeof(float) + LF_Q8_QUANTS);
}

size_t lf_panel_bytes_i8gm(size_t k)
{
    return k / 32 * (2 * LF_NR * sizeof(float) + LF_Q8_QUANTS);
}

size_t lf_panel_bytes_i8g16(size_t k)
{
    return k / 32 * (2 * LF_NR * sizeof(float) + LF_Q8_QUANTS);
}

size_t lf_panel_bytes_i8g16m(size_t k)
{
    return k / 32 * (4 * LF_NR * sizeof(float) + LF_Q8_QUANTS);
}

size_t lf_panel_bytes_t4(size_t k)
{
    return LF_T4_TABLE + k / 32 * LF_T4_BLOCK;
}

size_t lf_panel_bytes_t4g16(size_t k)
{
    return lf_panel_bytes_t4(k);
}

size_t lf_panel_bytes_f32(size_t k)
{
    return k * LF_NR * sizeof(float);
}

size_t lf_panel_bytes_f16(size_t k)
{
    return lf_ceil(k * LF_NR * sizeof(uint16_t), 64);
}

static void put_half(uint8_t *dst, float f)
{
    uint16_t h = lf_float_to_half(f);
    memcpy(dst, &h, sizeof h);
}

/* Packs raw Q4_0 and Q8_0 blocks. Their quants are already in the order of panels: a block of a
 * column is an f16 scale and dwords of quants that only change place. `flip` turns int8 quants
 * into quant + 128; `none` is the dword of a missing column. */
static void pack_stored(size_t k, const lf_panel_source *source, size_t quants_bytes, uint32_t flip,
                        uint32_t none, uint8_t *panel)
{
    size_t block_bytes = 2 + quants_bytes / LF_NR;
    size_t row_bytes = k / 32 * block_bytes;
    uint8_t *super = panel;
    for (size_t b = 0; b < k / 32; b++) {
        uint8_t *scales = super + (b & 1) * 32;
        uint8_t *quants = super + 64 + (b & 1) * quants_bytes;
        const uint8_t *block = (const uint8_t *)source->raw + b * block_bytes;
        for (size_t c = 0; c < source->rows; c++, block += row_bytes) {
            memcpy(scales + c * 2, block, 2);
            for (size_t d = 0; d < quants_bytes / 64; d++) {
                uint32_t dword = lf_load_u32(block + 2 + d * 4) ^ flip;
                memcpy(quants + d * 64 + c * 4, &dword, 4);
            }
        }
        for (size_t c = source->rows; c < LF_NR; c++) {
            memset(scales + c * 2, 0, 2);
            for (size_t d = 0; d < quants_bytes / 64; d++) {
                memcpy(quants + d * 64 + c * 4, &none, 4);
            }
        }
        super += (b & 1) != 0 ? 64 + 2 * quants_bytes : 0;
    }
    if (k % 64 != 0) {
        memset(super + 32, 0, 32);
    }
}

void lf_pack_q4(size_t k, const lf_panel_source *source, void *panel)
{
    uint8_t *super = panel;
    if (source->quants == NULL) {
        pack_stored(k, source, LF_Q4_QUANTS, 0, 0x88888888u, panel);
        return;
    }
    memset(panel, 0, lf_panel_bytes_q4(k));
    for (size_t b = 0; b < k / 32; b++) {
        uint8_t *quants = super + 64 + (b & 1) * LF_Q4_QUANTS;
        for (size_t c = 0; c < LF_NR; c++) {
            bool real = c < source->rows;
            const int8_t *w = real ? source->quants + c * k + b * 32 : NULL;
            put_half(super + (b & 1) * 32 + c * 2, real ? source->scales[c * (k / 32) + b] : 0.0f);
            for (size_t i = 0; i < 16; i++) {
                unsigned low = real ? (unsigned)(w[i] + 8) & 15u : 8u;
                unsigned high = real ? (unsigned)(w[i + 16] + 8) & 15u : 8u;
                quants[i / 4 * 64 + c * 4 + i % 4] = (uint8_t)(low | high << 4);
            }
        }
        super += (b & 1) != 0 ? LF_Q4_SUPER : 0;
    }
}

/* 32 k of all columns, as 8 groups of bytes quant + 128. */
static void put_bytes(size_t k, size_t k0, const lf_panel_source *source, uint8_t *dst)
{
    const uint32_t flip = 0x80808080u;
    for (size_t c = 0; c < LF_NR; c++) {
        const int8_t *quants = source->quants + c * k + k0;
        for (size_t g = 0; g < 8; g++) {
            uint32_t dword = (c < source->rows ? lf_load_u32(quants + g * 4) : 0) ^ flip;
            memcpy(dst + g * 64 + c * 4, &dword, sizeof dword);
        }
    }
}

void lf_pack_q8(size_t k, const lf_panel_source *source, void *panel)
{
    uint8_t *super = panel;
    if (source->quants == NULL) {
        pack_stored(k, source, LF_Q8_QUANTS, 0x80808080u, 0x80808080u, panel);
        return;
    }
    memset(panel, 0, lf_panel_bytes_q8(k));
    for (size_t b = 0; b < k / 32; b++) {
        for (size_t c = 0; c < source->rows; c++) {
            put_half(super + (b & 1) * 32 + c * 2, source->scales[c * (k / 32) + b]);
        }
        put_bytes(k, b * 32, source, super + 64 + (b & 1) * LF_Q8_QUANTS);
        super += (b & 1) != 0 ? LF_Q8_SUPER : 0;
    }
}

/* A line of values * factor. */
static uint8_t *put_floats(uint8_t *dst, uint32_t rows, size_t stride, const float *values,
                           float factor)
{
    for (size_t c = 0; c < LF_NR; c++) {
        float f = c < rows ? values[c * stride] * factor : 0.0f;
        memcpy(dst + c * sizeof f, &f, sizeof f);
    }
    return dst + LF_NR * sizeof(float);
}

void lf_pack_i8g(size_t k, const lf_panel_source *source, void *panel)
{
    uint8_t *dst = panel;
    for (size_t b = 0; b < k / 32; b++) {
        dst = put_floats(dst, source->rows, k / 32, source->scales + b, 1.0f);
        if (source->mins != NULL) {
            dst = put_floats(dst, source->rows, k / 32, source->mins + b, 1.0f);
        }
        put_bytes(k, b * 32, source, dst);
        dst += LF_Q8_QUANTS;
    }
}

void lf_pack_i8g16(size_t k, const lf_panel_source *source, void *panel)
{
    uint8_t *dst = panel;
    for (size_t b = 0; b < k / 32; b++) {
        for (size_t g = 2 * b; g < 2 * b + 2; g++) {
            dst = put_floats(dst, source->rows, k / 16, source->scales + g, 1.0f);
        }
        for (size_t g = 2 * b; g < 2 * b + 2 && source->mins != NULL; g++) {
            dst = put_floats(dst, source->rows, k / 16, source->mins + g, 1.0f / 32.0f);
        }
        put_bytes(k, b * 32, source, dst);
        dst += LF_Q8_QUANTS;
    }
}

/* Writes the table of a panel from its quants, + `zero`, ascending; indexes[quant + 128] is where a
 * quant is in it. */
static void put_table(size_t k, const lf_panel_source *source, int zero, uint8_t *table,
                      uint8_t indexes[256])
{
    bool used[256] = {false};
    size_t n_used = 0;
    for (size_t i = 0; i < source->rows * k && n_used < 16; i++) {
        bool *seen = &used[source->quants[i] + 128];
        n_used += *seen ? 0 : 1;
        *seen = true;
    }
    uint8_t n = 0;
    memset(indexes, 0, 256);
    memset(table, 0, LF_T4_TABLE);
    for (size_t q = 0; q < 256; q++) {
        if (used[q]) {
            for (size_t copy = 0; copy < LF_T4_TABLE; copy += 16) {
                table[copy + n] = (uint8_t)((int)q - 128 + zero);
            }
            indexes[q] = n++;
        }
    }
}

static void pack_t4(size_t k, size_t group, const lf_panel_source *source, uint8_t *panel)
{
    uint8_t indexes[256];
    memset(panel, 0, lf_panel_bytes_t4(k));
    put_table(k, source, group == 32 ? 128 : 32, panel, indexes);
    uint8_t *block = panel + LF_T4_TABLE;
    for (size_t b = 0; b < k / 32; b++, block += LF_T4_BLOCK) {
        for (size_t c = 0; c < source->rows; c++) {
            const float *scales = source->scales + c * (k / group) + b * (32 / group);
            const int8_t *quants = source->quants + c * k + b * 32;
            if (group == 32) {
                memcpy(block + c * 4, scales, sizeof *scales);
            } else {
                put_half(block + c * 2, scales[0]);
                put_half(block + 32 + c * 2, scales[1]);
            }
            for (size_t g = 0; g < 4; g++) {
                uint32_t dword = 0;
                for (size_t j = 0; j < 4; j++) {
                    uint32_t low = indexes[quants[g * 4 + j] + 128];
                    uint32_t high = indexes[quants[16 + g * 4 + j] + 128];
                    dword |= (low | high << 4) << 8 * j;
                }
                memcpy(block + 64 + g * 64 + c * 4, &dword, sizeof dword);
            }
        }
    }
}

void lf_pack_t4(size_t k, const lf_panel_source *source, void *panel)
{
    pack_t4(k, 32, source, panel);
}

void lf_pack_t4g16(size_t k, const lf_panel_source *source, void *panel)
{
    pack_t4(k, 16, source, panel);
}

static void pack_values(size_t k, size_t size, const lf_panel_source *source, uint8_t *panel)
{
    const uint8_t *values = source->raw;
    for (size_t i = 0; i < k; i++) {
        for (size_t c = 0; c < source->rows; c++) {
            memcpy(panel + (i * LF_NR + c) * size, values + (c * k + i) * size, size);
        }
    }
}

void lf_pack_f32(size_t k, const lf_panel_source *source, void *panel)
{
    memset(panel, 0, lf_panel_bytes_f32(k));
    pack_values(k, sizeof(float), source, panel);
}

void lf_pack_f16(size_t k, const lf_panel_source *source, void *panel)
{
    memset(panel, 0, lf_panel_bytes_f16(k));
    pack_values(k, sizeof(uint16_t), source, panel);
}
