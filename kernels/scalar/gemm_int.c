/* SPDX-License-Identifier: Apache-2.0 */
/* Owns the truth of the integer matrix kernels: per block or group, in order of k,
 * acc = fma((float)isum * activation scale, weight scale, acc), with isum exact; with minimums then
 * acc = fma((float)(-128 * code sum) * activation scale, min / 128, acc). LF_A_I8X2B32 gives each
 * block of weights two such steps. */
#include "kernels/internal.h"
#include "kernels/scalar/gemm.h"

/* What the rows of one block have in common: weights of 32 k as [k][column], and per group of
 * `group` k the scales and the minimums (NULL: none). */
typedef struct block {
    int16_t w[32][LF_NR];
    float scales[2][LF_NR];
    float mins[2][LF_NR];
    size_t group;
    bool has_mins;
} block;

/* Adds one block to the sums of one row; x is the row's dwords of the block, m dwords apart. */
static void add_block(const block *w, const uint32_t *x, size_t m, float acc[LF_NR])
{
    float scale = lf_float(x[LF_X_SCALE * m]);
    for (size_t k0 = 0; k0 < 32; k0 += w->group) {
        int32_t isum[LF_NR] = {0};
        int32_t asum = 0;
        for (size_t i = k0; i < k0 + w->group; i++) {
            int32_t a = (int8_t)(x[(LF_X_CODES + i / 4) * m] >> i % 4 * 8 & 0xFFu);
            asum += a;
            for (size_t c = 0; c < LF_NR; c++) {
                isum[c] += a * w->w[i][c];
            }
        }
        const float *scales = w->scales[k0 / w->group];
        for (size_t c = 0; c < LF_NR; c++) {
            acc[c] = fmaf((float)isum[c] * scale, scales[c], acc[c]);
        }
        if (w->has_mins) {
            const float *mins = w->mins[k0 / w->group];
            float x_sum = (float)(-128 * asum) * scale;
            for (size_t c = 0; c < LF_NR; c++) {
                acc[c] = fmaf(x_sum, mins[c], acc[c]);
            }
        }
    }
}

static void load_bytes(const uint8_t *codes, block *out)
{
    for (size_t i = 0; i < 32; i++) {
        for (size_t c = 0; c < LF_NR; c++) {
            out->w[i][c] = (int16_t)(codes[i / 4 * 64 + c * 4 + i % 4] - 128);
        }
    }
}

static void load_halves(const uint8_t *halves, float *out)
{
    for (size_t c = 0; c < LF_NR; c++) {
        out[c] = lf_half_to_float(lf_load_u16(halves + c * 2));
    }
}

static void load_q4(const uint8_t *panel, size_t b, block *out)
{
    const uint8_t *super = panel + b / 2 * LF_Q4_SUPER;
    const uint8_t *codes = super + 64 + (b & 1) * LF_Q4_CODES;
    load_halves(super + (b & 1) * 32, out->scales[0]);
    for (size_t i = 0; i < 16; i++) {
        for (size_t c = 0; c < LF_NR; c++) {
            uint8_t code = codes[i / 4 * 64 + c * 4 + i % 4];
            out->w[i][c] = (int16_t)((code & 15) - 8);
            out->w[i + 16][c] = (int16_t)((code >> 4) - 8);
        }
    }
}

static void load_q8(const uint8_t *panel, size_t b, block *out)
{
    const uint8_t *super = panel + b / 2 * LF_Q8_SUPER;
    load_halves(super + (b & 1) * 32, out->scales[0]);
    load_bytes(super + 64 + (b & 1) * LF_Q8_CODES, out);
}

static void load_i8g(const uint8_t *panel, size_t b, block *out)
{
    size_t floats = 32 / out->group * LF_NR * sizeof(float);
    const uint8_t *src = panel + b * (floats * (out->has_mins ? 2 : 1) + LF_Q8_CODES);
    memcpy(out->scales, src, floats);
    src += floats;
    if (out->has_mins) {
        memcpy(out->mins, src, floats);
        src += floats;
    }
    load_bytes(src, out);
}

typedef void (*load_fn)(const uint8_t *panel, size_t b, block *out);

/* `planes`: activation blocks that meet each block of weights. */
static void gemm(load_fn load, size_t planes, size_t group, bool has_mins, size_t panel_bytes,
                 size_t m, size_t n, size_t k, const void *tile, const void *panels, float *c,
                 size_t c_stride)
{
    block w = {.group = group, .has_mins = has_mins};
    const uint8_t *panel = panels;
    for (size_t n0 = 0; n0 < n; n0 += LF_NR) {
        float acc[LF_SCALAR_MR][LF_NR] = {{0}};
        for (size_t b = 0; b < k / 32; b++) {
            load(panel, b, &w);
            const uint32_t *x = (const uint32_t *)tile + b * planes * LF_X_DWORDS * m;
            for (size_t i = 0; i < planes * m; i++) {
                add_block(&w, x + i / m * LF_X_DWORDS * m + i % m, m, acc[i % m]);
            }
        }
        size_t columns = n - n0 < LF_NR ? n - n0 : LF_NR;
        for (size_t i = 0; i < m; i++) {
            memcpy(c + i * c_stride + n0, acc[i], columns * sizeof(float));
        }
        panel += panel_bytes;
    }
}

void lf_gemm_q4_scalar(size_t m, size_t n, size_t k, const void *tile, const void *panels, float *c,
                       size_t c_stride)
{
    gemm(load_q4, 1, 32, false, lf_panel_bytes_q4(k), m, n, k, tile, panels, c, c_stride);
}

void lf_gemm_q8_scalar(size_t m, size_t n, size_t k, const void *tile, const void *panels, float *c,
                       size_t c_stride)
{
    gemm(load_q8, 2, 32, false, lf_panel_bytes_q8(k), m, n, k, tile, panels, c, c_stride);
}

void lf_gemm_i8g16_scalar(size_t m, size_t n, size_t k, const void *tile, const void *panels,
                          float *c, size_t c_stride)
{
    gemm(load_i8g, 1, 16, false, lf_panel_bytes_i8g16(k), m, n, k, tile, panels, c, c_stride);
}

void lf_gemm_i8g16m_scalar(size_t m, size_t n, size_t k, const void *tile, const void *panels,
                           float *c, size_t c_stride)
{
    gemm(load_i8g, 1, 16, true, lf_panel_bytes_i8g16m(k), m, n, k, tile, panels, c, c_stride);
}

void lf_gemm_i8g32_scalar(size_t m, size_t n, size_t k, const void *tile, const void *panels,
                          float *c, size_t c_stride)
{
    gemm(load_i8g, 1, 32, false, lf_panel_bytes_i8g32(k), m, n, k, tile, panels, c, c_stride);
}

void lf_gemm_i8g32m_scalar(size_t m, size_t n, size_t k, const void *tile, const void *panels,
                           float *c, size_t c_stride)
{
    gemm(load_i8g, 1, 32, true, lf_panel_bytes_i8g32m(k), m, n, k, tile, panels, c, c_stride);
}
