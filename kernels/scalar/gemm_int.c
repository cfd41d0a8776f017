/* SPDX-License-Identifier: Apache-2.0 */
/* Scalar matrix kernels for quantized weights. Per block or group, k ascending: acc =
 * fma((float)isum * LHS scale, weight scale, acc), with isum exact; then, with minimums, acc =
 * fma(-(sum of the LHS quants * LHS scale), minimum, acc). LF_LHS_I8B16 has -32 * sum, and panels
 * minimum / 32. */
#include "kernels/scalar/entry.h"

/* The weights of one block of 32 k, for all rows of a tile: values as [k][column], scales of each
 * group of `group` k (16 or 32), and its minimums (of 16 k: / 32). */
typedef struct block {
    int16_t w[32][LF_NR];
    float scales[2][LF_NR];
    float mins[2][LF_NR];
    size_t group;
    bool has_mins;
} block;

/* Adds the products of the group from k0 on to one row's results. x: the row's block. */
static void add_group(const block *w, size_t k0, const uint32_t *x, float scale, float acc[LF_NR])
{
    const float *scales = w->scales[k0 / w->group];
    int32_t isum[LF_NR] = {0};
    for (size_t i = k0; i < k0 + w->group; i++) {
        int16_t a = (int8_t)(x[LF_X_QUANTS + i / 4] >> i % 4 * 8 & 0xFFu);
        for (size_t c = 0; c < LF_NR; c++) {
            isum[c] += a * w->w[i][c];
        }
    }
    for (size_t c = 0; c < LF_NR; c++) {
        acc[c] = lf_fma((float)isum[c] * scale, scales[c], acc[c]);
    }
}

/* Adds the products of half a block of LF_LHS_I8B16 to one row's results. x: the row's block. */
static void add_half(const block *w, size_t half, const uint32_t *x, float acc[LF_NR])
{
    float scale = lf_float(x[LF_X16_SCALE_LO + 2 * half]);
    float sum = (float)((int32_t)x[LF_X16_INIT6_LO + half] - LF_MAGIC_BITS) * scale;
    add_group(w, 16 * half, x, scale, acc);
    for (size_t c = 0; c < LF_NR && w->has_mins; c++) {
        acc[c] = lf_fma(sum, w->mins[half][c], acc[c]);
    }
}

/* Adds the products of one block to one row's results. x: the row's block, of LF_LHS_I8B16 if
 * groups have 16 k, otherwise of LF_LHS_I8B32. */
static void add_block(const block *w, const uint32_t *x, float acc[LF_NR])
{
    if (w->group == 16) {
        add_half(w, 0, x, acc);
        add_half(w, 1, x, acc);
        return;
    }
    add_group(w, 0, x, lf_float(x[LF_X_SCALE]), acc);
    for (size_t c = 0; c < LF_NR && w->has_mins; c++) {
        acc[c] = lf_fma(-lf_float(x[LF_X_SUM]), w->mins[0][c], acc[c]);
    }
}

/* The same for LF_LHS_I16B32. */
static void add_block16(const block *w, const uint32_t *x, float acc[LF_NR])
{
    float scale = lf_float(x[LF_X2_SCALE]);
    int32_t isum[LF_NR] = {0};
    for (size_t i = 0; i < 32; i++) {
        uint32_t pair = x[LF_X2_QUANTS + i / 4 * 2 + i % 2];
        int16_t a = (int16_t)(pair >> i % 4 / 2 * 16 & 0xFFFFu);
        for (size_t c = 0; c < LF_NR; c++) {
            isum[c] += a * w->w[i][c];
        }
    }
    for (size_t c = 0; c < LF_NR; c++) {
        acc[c] = lf_fma((float)isum[c] * scale, w->scales[0][c], acc[c]);
    }
}

static void load_bytes(const uint8_t *quants, block *out)
{
    for (size_t i = 0; i < 32; i++) {
        for (size_t c = 0; c < LF_NR; c++) {
            out->w[i][c] = (int16_t)(quants[i / 4 * 64 + c * 4 + i % 4] - 128);
        }
    }
}

static void load_f16_line(const uint8_t *halves, float *out)
{
    for (size_t c = 0; c < LF_NR; c++) {
        out[c] = lf_half_to_float(lf_load_u16(halves + c * 2));
    }
}

/* The low nibbles are k 0..15 of the block, the high ones k 16..31. */
static void load_nibbles(const uint8_t *quants, int zero, block *out)
{
    for (size_t i = 0; i < 16; i++) {
        for (size_t c = 0; c < LF_NR; c++) {
            uint8_t pair = quants[i / 4 * 64 + c * 4 + i % 4];
            out->w[i][c] = (int16_t)((pair & 15) - zero);
            out->w[i + 16][c] = (int16_t)((pair >> 4) - zero);
        }
    }
}

static void load_q4(const uint8_t *panel, size_t k, size_t b, block *out)
{
    (void)k;
    const uint8_t *super = panel + b / 2 * LF_Q4_SUPER;
    load_f16_line(super + (b & 1) * 32, out->scales[0]);
    load_nibbles(super + 64 + (b & 1) * LF_Q4_QUANTS, 8, out);
}

static void load_q8(const uint8_t *panel, size_t k, size_t b, block *out)
{
    (void)k;
    const uint8_t *super = panel + b / 2 * LF_Q8_SUPER;
    load_f16_line(super + (b & 1) * 32, out->scales[0]);
    load_bytes(super + 64 + (b & 1) * LF_Q8_QUANTS, out);
}

static void load_i8g(const uint8_t *panel, size_t k, size_t b, block *out)
{
    (void)k;
    size_t floats = LF_NR * sizeof(float);
    const uint8_t *src = panel + b * (floats * (out->has_mins ? 2 : 1) + LF_Q8_QUANTS);
    memcpy(out->scales, src, floats);
    src += floats;
    if (out->has_mins) {
        memcpy(out->mins, src, floats);
        src += floats;
    }
    load_bytes(src, out);
}

static void load_i8g16(const uint8_t *panel, size_t k, size_t b, block *out)
{
    (void)k;
    size_t floats = 2 * LF_NR * sizeof(float);
    const uint8_t *src = panel + b * (floats * (out->has_mins ? 2 : 1) + LF_Q8_QUANTS);
    memcpy(out->scales, src, floats);
    src += floats;
    if (out->has_mins) {
        memcpy(out->mins, src, floats);
        src += floats;
    }
    load_bytes(src, out);
}

/* Factor i of 256 k of a column from three lines of factors. */
static uint32_t k_factor(const uint8_t *lines, size_t i, size_t c)
{
    const uint8_t *dwords = lines + c * 4;
    if (i < 15) {
        return lf_load_u32(dwords + i / 5 * 64) >> 6 * (i % 5) & 63u;
    }
    return lf_load_u32(dwords) >> 30 | lf_load_u32(dwords + 64) >> 30 << 2 |
           lf_load_u32(dwords + 128) >> 30 << 4;
}

/* Block b of 32 of a Q4_K or Q5_K superblock: scales and minimums, both exact in f32. */
static void load_k_factors(const uint8_t *super, size_t b, block *out)
{
    float d[LF_NR], dmin[LF_NR];
    load_f16_line(super, d);
    load_f16_line(super + 32, dmin);
    for (size_t c = 0; c < LF_NR; c++) {
        out->scales[0][c] = d[c] * (float)k_factor(super + 64, b, c);
        out->mins[0][c] = dmin[c] * (float)k_factor(super + 64, b + 8, c);
    }
}

static void load_q4k(const uint8_t *panel, size_t k, size_t b, block *out)
{
    (void)k;
    const uint8_t *super = panel + b / 8 * LF_Q4K_SUPER;
    load_k_factors(super, b % 8, out);
    load_nibbles(super + LF_K_HEAD + b % 8 * LF_Q4_QUANTS, 0, out);
}

static void load_q5k(const uint8_t *panel, size_t k, size_t b, block *out)
{
    (void)k;
    const uint8_t *super = panel + b / 8 * LF_Q5K_SUPER;
    const uint8_t *quants = super + LF_K_HEAD + b % 8 * LF_Q5K_QUANTS;
    load_k_factors(super, b % 8, out);
    for (size_t j = 0; j < 4; j++) {
        for (size_t c = 0; c < LF_NR; c++) {
            const uint8_t *bytes = quants + c * 4 + j;
            const int line[5] = {bytes[0], bytes[64], bytes[128], bytes[192], bytes[256]};
            for (size_t g = 0; g < 5; g++) {
                out->w[g * 4 + j][c] = (int16_t)(line[g] & 31);
            }
            out->w[20 + j][c] = (int16_t)(line[0] >> 5 << 2 | line[1] >> 6);
            out->w[24 + j][c] = (int16_t)(line[2] >> 5 << 2 | line[3] >> 6);
            out->w[28 + j][c] =
                (int16_t)(line[4] >> 5 << 2 | (line[1] >> 5 & 1) | (line[3] >> 5 & 1) << 1);
        }
    }
}

static void load_q6k(const uint8_t *panel, size_t k, size_t b, block *out)
{
    const uint8_t *super =
        panel + (lf_panel_bytes_q6k(k) - k / 256 * LF_Q6K_SUPER) + b / 8 * LF_Q6K_SUPER;
    const uint8_t *quants = super + LF_K_HEAD + b % 8 * LF_Q6K_QUANTS;
    float d[LF_NR];
    load_f16_line(panel + b / 8 * 32, d);
    for (size_t g = 0; g < 2; g++) {
        for (size_t c = 0; c < LF_NR; c++) {
            out->scales[g][c] = d[c] * (float)(int8_t)super[(b % 8 * 2 + g) * LF_NR + c];
        }
    }
    for (size_t i = 0; i < 8; i++) { /* 4 bytes of each half */
        int16_t(*w)[LF_NR] = out->w + i / 4 * 16 + i % 4;
        for (size_t c = 0; c < LF_NR; c++) {
            const uint8_t *bytes = quants + i / 4 * 3 * 64 + c * 4 + i % 4;
            const int line[3] = {bytes[0], bytes[64], bytes[128]};
            for (size_t g = 0; g < 3; g++) {
                w[g * 4][c] = (int16_t)((line[g] & 63) - 32);
            }
            int last = line[0] >> 6 << 4 | line[1] >> 6 << 2 | line[2] >> 6;
            w[12][c] = (int16_t)(last - 32);
        }
    }
}

static void load_q2k(const uint8_t *panel, size_t k, size_t b, block *out)
{
    (void)k;
    const uint8_t *super = panel + b / 8 * LF_Q2K_SUPER;
    const uint8_t *quants = super + LF_Q2K_HEAD + b % 8 * LF_Q2K_QUANTS;
    float d[LF_NR], dmin[LF_NR];
    load_f16_line(super, d);
    load_f16_line(super + 32, dmin);
    for (size_t g = 0; g < 2; g++) {
        for (size_t c = 0; c < LF_NR; c++) {
            uint8_t factors = super[64 + (b % 8 * 2 + g) * LF_NR + c];
            out->scales[g][c] = d[c] * (float)(factors & 15);
            out->mins[g][c] = dmin[c] * (1.0f / 32.0f) * (float)(factors >> 4);
        }
    }
    for (size_t i = 0; i < 32; i++) {
        int shift = (int)(i % 16 / 4 * 2);
        for (size_t c = 0; c < LF_NR; c++) {
            out->w[i][c] = (int16_t)(quants[i / 16 * 64 + c * 4 + i % 4] >> shift & 3);
        }
    }
}

static void load_q3k(const uint8_t *panel, size_t k, size_t b, block *out)
{
    const uint8_t *super =
        panel + (lf_panel_bytes_q3k(k) - k / 256 * LF_Q3K_SUPER) + b / 8 * LF_Q3K_SUPER;
    const uint8_t *quants = super + LF_Q3K_HEAD + b % 8 * LF_Q3K_QUANTS;
    float d[LF_NR];
    load_f16_line(panel + b / 8 * 32, d);
    for (size_t g = 0; g < 2; g++) {
        for (size_t c = 0; c < LF_NR; c++) {
            int32_t scale = (int32_t)k_factor(super, b % 8 * 2 + g, c) - 32;
            out->scales[g][c] = d[c] * (float)scale;
        }
    }
    for (size_t j = 0; j < 4; j++) {
        for (size_t c = 0; c < LF_NR; c++) {
            const uint8_t *bytes = quants + c * 4 + j;
            const int line[3] = {bytes[0], bytes[64], bytes[128]};
            for (size_t i = 0; i < 3; i++) {
                out->w[i * 8 + j][c] = (int16_t)((line[i] & 7) - 4);
                out->w[i * 8 + 4 + j][c] = (int16_t)((line[i] >> 4 & 7) - 4);
            }
            int low = (line[0] >> 3 & 1) | (line[1] >> 3 & 1) << 1 | (line[2] >> 3 & 1) << 2;
            int high = line[0] >> 7 | line[1] >> 7 << 1 | line[2] >> 7 << 2;
            out->w[24 + j][c] = (int16_t)(low - 4);
            out->w[28 + j][c] = (int16_t)(high - 4);
        }
    }
}

static void load_iq3s(const uint8_t *panel, size_t k, size_t b, block *out)
{
    const uint8_t *super =
        panel + (lf_panel_bytes_iq3s(k) - k / 256 * LF_IQ3S_SUPER) + b / 8 * LF_IQ3S_SUPER;
    float d[LF_NR];
    load_f16_line(panel + b / 8 * 32, d);
    for (size_t c = 0; c < LF_NR; c++) {
        uint32_t scale = lf_load_u32(super + c * 4) >> b % 8 * 4 & 15u;
        uint8_t high = super[LF_IQ3S_HIGH + b % 8 * LF_NR + c];
        out->scales[0][c] = d[c] * (float)(2 * scale + 1);
        for (size_t g = 0; g < 8; g++) {
            size_t group = b % 8 * 8 + g;
            uint8_t signs = super[LF_IQ3S_SIGNS + group * 8 + c / 2] >> c % 2 * 4 & 15;
            uint32_t low = super[LF_IQ3S_INDEX + group * LF_NR + c];
            uint32_t vector = lf_iq3s_grid[low | (uint32_t)(high >> g & 1) << 8];
            for (size_t j = 0; j < 4; j++) {
                int magnitude = (int)(vector >> 8 * j & 0xFFu) - 128;
                out->w[g * 4 + j][c] = (int16_t)((signs >> j & 1) != 0 ? -magnitude : magnitude);
            }
        }
    }
}

static void load_table(const uint8_t *panel, const uint8_t *quants, int zero, block *out)
{
    for (size_t i = 0; i < 16; i++) {
        for (size_t c = 0; c < LF_NR; c++) {
            uint8_t pair = quants[i / 4 * 64 + c * 4 + i % 4];
            out->w[i][c] = (int16_t)(panel[pair & 15] - zero);
            out->w[i + 16][c] = (int16_t)(panel[pair >> 4] - zero);
        }
    }
}

static void load_t4(const uint8_t *panel, size_t k, size_t b, block *out)
{
    (void)k;
    const uint8_t *src = panel + LF_T4_TABLE + b * LF_T4_BLOCK;
    memcpy(out->scales, src, LF_NR * sizeof(float));
    load_table(panel, src + 64, 128, out);
}

static void load_t4g16(const uint8_t *panel, size_t k, size_t b, block *out)
{
    (void)k;
    const uint8_t *src = panel + LF_T4_TABLE + b * LF_T4_BLOCK;
    load_f16_line(src, out->scales[0]);
    load_f16_line(src + 32, out->scales[1]);
    load_table(panel, src + 64, 32, out);
}

typedef void (*load_fn)(const uint8_t *panel, size_t k, size_t b, block *out);

/* `dwords`: of an LHS block, which tells its format. */
static void gemm(load_fn load, size_t dwords, size_t group, bool has_mins, size_t panel_bytes,
                 size_t m, size_t n, size_t k, const void *tile, const void *panels, float *c,
                 size_t c_stride)
{
    block w = {.group = group, .has_mins = has_mins};
    const uint8_t *panel = panels;
    for (size_t n0 = 0; n0 < n; n0 += LF_NR) {
        float acc[LF_SCALAR_MR][LF_NR] = {{0}};
        for (size_t b = 0; b < k / 32; b++) {
            load(panel, k, b, &w);
            const uint32_t *x = (const uint32_t *)tile + b * dwords * m;
            for (size_t i = 0; i < m; i++) {
                (dwords == LF_X2_DWORDS ? add_block16 : add_block)(&w, x + i * dwords, acc[i]);
            }
        }
        size_t columns = n - n0 < LF_NR ? n - n0 : LF_NR;
        for (size_t i = 0; i < m; i++) {
            memcpy(c + i * c_stride + n0, acc[i], columns * sizeof(float));
        }
        panel += panel_bytes;
    }
}

LF_SCALAR_ENTRY(i8b32, LF_LHS_I8B32, q4, LF_W_Q4, false, 32, true, q4, q4, load_q4, LF_X_DWORDS, 32,
                false)
LF_SCALAR_ENTRY(i16b32, LF_LHS_I16B32, q8, LF_W_Q8, false, 32, true, q8, q8, load_q8, LF_X2_DWORDS,
                32, false)
LF_SCALAR_ENTRY(i8b16, LF_LHS_I8B16, q2k, LF_W_Q2K, false, 256, true, q2k, q2k, load_q2k,
                LF_X_DWORDS, 16, true)
LF_SCALAR_ENTRY(i8b16, LF_LHS_I8B16, q3k, LF_W_Q3K, false, 256, true, q3k, q3k, load_q3k,
                LF_X_DWORDS, 16, false)
LF_SCALAR_ENTRY(i8b32, LF_LHS_I8B32, iq3s, LF_W_IQ3S, false, 256, true, iq3s, iq3s, load_iq3s,
                LF_X_DWORDS, 32, false)
LF_SCALAR_ENTRY(i8b32, LF_LHS_I8B32, q4k, LF_W_Q4K, false, 256, true, q4k, q4k, load_q4k,
                LF_X_DWORDS, 32, true)
LF_SCALAR_ENTRY(i8b32, LF_LHS_I8B32, q5k, LF_W_Q5K, false, 256, true, q5k, q5k, load_q5k,
                LF_X_DWORDS, 32, true)
LF_SCALAR_ENTRY(i8b16, LF_LHS_I8B16, q6k, LF_W_Q6K, false, 256, true, q6k, q6k, load_q6k,
                LF_X_DWORDS, 16, false)
LF_SCALAR_ENTRY(i8b32, LF_LHS_I8B32, i8g, LF_W_I8G, false, 32, false, i8g, i8g, load_i8g,
                LF_X_DWORDS, 32, false)
LF_SCALAR_ENTRY(i8b32, LF_LHS_I8B32, i8gm, LF_W_I8G, true, 32, false, i8gm, i8g, load_i8g,
                LF_X_DWORDS, 32, true)
LF_SCALAR_ENTRY(i8b16, LF_LHS_I8B16, i8g16, LF_W_I8G16, false, 32, false, i8g16, i8g16, load_i8g16,
                LF_X_DWORDS, 16, false)
LF_SCALAR_ENTRY(i8b16, LF_LHS_I8B16, i8g16m, LF_W_I8G16, true, 32, false, i8g16m, i8g16, load_i8g16,
                LF_X_DWORDS, 16, true)
LF_SCALAR_ENTRY(i8b32, LF_LHS_I8B32, t4, LF_W_T4, false, 32, false, t4, t4, load_t4, LF_X_DWORDS,
                32, false)
LF_SCALAR_ENTRY(i8b16, LF_LHS_I8B16, t4g16, LF_W_T4G16, false, 32, false, t4g16, t4g16, load_t4g16,
                LF_X_DWORDS, 16, false)
