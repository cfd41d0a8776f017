/* SPDX-License-Identifier: Apache-2.0 */
/* What XNNPACK's operators do around their micro-kernels: quantizing rows, packing panels. */
#include "kernels/xnnpack/bind.h"

/* ---- LF_LHS_QD8 * ---- */

size_t lf_tile_bytes_qd8(size_t m, size_t k)
{
    return LF_QD8_HEAD + m * lf_qd8_stride(k) + LF_QD8_SLACK;
}

size_t lf_row_bytes_qd8(size_t k)
{
    return lf_tile_bytes_qd8(1, k);
}

/* A micro-kernel computes the rows that a tile lacks as copies of the last row, but with their
 * own parameters: those must be copies, too. */
static void fill_head(size_t m, uint8_t *tile)
{
    for (size_t i = m; i < LF_QD8_HEAD / sizeof(xnn_qd8_params); i++) {
        memcpy(tile + i * sizeof(xnn_qd8_params), tile + (m - 1) * sizeof(xnn_qd8_params),
               sizeof(xnn_qd8_params));
    }
}

void lf_lhs_pack_qd8(size_t m, size_t k, const void *const *rows, void *tile)
{
    uint8_t *out = tile;
    for (size_t i = 0; i < m; i++) {
        memcpy(out + i * sizeof(xnn_qd8_params), rows[i], sizeof(xnn_qd8_params));
        memcpy(out + LF_QD8_HEAD + i * lf_qd8_stride(k), (const uint8_t *)rows[i] + LF_QD8_HEAD,
               lf_qd8_stride(k));
    }
    fill_head(m, out);
    memset(out + LF_QD8_HEAD + m * lf_qd8_stride(k), 0, LF_QD8_SLACK);
}

/* 255 steps from min(0, lo) to max(0, hi). The zero point comes from the end that gives the
 * smaller error. Values that are not finite make all results of the row NaN or, after a clamp,
 * infinite. */
void lf_quantize_qd8(xnn_f32_rminmax_fn *minmax, xnn_f32_qs8_vcvt_fn *convert, size_t k,
                     const float *x, void *row)
{
    uint8_t *out = row;
    memset(out, 0, lf_row_bytes_qd8(k));
    uint32_t largest = 0;
    for (size_t i = 0; i < k; i++) {
        uint32_t magnitude = lf_bits(x[i]) & 0x7FFFFFFFu;
        largest = magnitude > largest ? magnitude : largest;
    }
    xnn_qd8_params params = {0, lf_float(0x7FC00000u)};
    if (largest < LF_X_HUGE) {
        float ends[2];
        minmax(k * sizeof(float), x, ends, NULL);
        float lo = ends[0] < 0.0f ? ends[0] : 0.0f, hi = ends[1] > 0.0f ? ends[1] : 0.0f;
        float steps = hi - lo < 0x1p-100f ? 1.0f : 255.0f / (hi - lo);
        float low_end = lo * steps, high_end = hi * steps;
        float zero =
            -128.0f + low_end + (127.0f + high_end) > 0.0f ? -128.0f - low_end : 127.0f - high_end;
        zero = zero < -128.0f ? -128.0f : zero > 127.0f ? 127.0f : zero;
        /* Adding LF_MAGIC rounds to nearest even. */
        params.zero_point = (int32_t)(lf_bits(zero + LF_MAGIC) - LF_MAGIC_BITS);
        params.scale = 1.0f / steps;
        const xnn_qs8_cvt_params cvt = {steps, (int16_t)params.zero_point};
        convert(k * sizeof(float), x, (int8_t *)(out + LF_QD8_HEAD), &cvt);
    }
    memcpy(out, &params, sizeof params);
    fill_head(1, out);
}

/* ---- int4, XNNPACK's qb4w ---- */

size_t lf_panel_bytes_qb4w(size_t nr, size_t k)
{
    /* sums, per block 16 bytes of quants and a bf16 scale, biases */
    return lf_ceil(nr * (sizeof(float) + k / 32 * 18 + sizeof(float)) + 16, 64);
}

/* Round to nearest even. */
static uint16_t to_bf16(float f)
{
    uint32_t u = lf_bits(f);
    if ((u & 0x7FFFFFFFu) > 0x7F800000u) {
        return (uint16_t)(u >> 16 | 0x40u);
    }
    return (uint16_t)((u + 0x7FFFu + (u >> 16 & 1u)) >> 16);
}

static float from_bf16(uint16_t h)
{
    return lf_float((uint32_t)h << 16);
}

void lf_pack_qb4w(size_t nr, size_t kr, size_t k, const lf_panel_source *source, void *panel)
{
    uint8_t *out = panel;
    memset(out, 0, lf_panel_bytes_qb4w(nr, k));
    for (size_t c = 0; c < source->rows; c++) {
        const int8_t *quants = source->quants + c * k;
        float corrections = 0.0f;
        for (size_t b = 0; b < k / 32; b++) {
            uint8_t *block = out + nr * sizeof(float) + b * nr * 18;
            float scale = from_bf16(to_bf16(source->scales[c * (k / 32) + b]));
            int32_t sum = 0;
            for (size_t i = 0; i < 16; i++) {
                const int8_t *w = quants + b * 32 + i / kr * 2 * kr + i % kr;
                sum += w[0] + w[kr];
                block[i / kr * nr * kr + c * kr + i % kr] =
                    (uint8_t)((w[0] & 15) | (w[kr] & 15) << 4);
            }
            corrections -= scale * (float)sum;
            uint16_t stored = to_bf16(scale / 16.0f); /* kernels use nibbles as 16 * quant */
            memcpy(block + nr * 16 + c * sizeof stored, &stored, sizeof stored);
        }
        memcpy(out + c * sizeof corrections, &corrections, sizeof corrections);
    }
}

void lf_multiply_qb4w(xnn_qb4w_gemm_fn *kernel, size_t nr, size_t m, size_t n, size_t k,
                      const void *tile, const void *panels, float *c, size_t c_stride)
{
    const xnn_qb4w_params params = {-INFINITY, INFINITY, 32};
    const int8_t *quants = (const int8_t *)tile + LF_QD8_HEAD;
    const uint8_t *panel = panels;
    for (size_t n0 = 0; n0 < n; n0 += nr) {
        kernel(m, n - n0 < nr ? n - n0 : nr, k, quants, lf_qd8_stride(k), panel, c + n0,
               c_stride * sizeof(float), nr * sizeof(float), &params, tile);
        panel += lf_panel_bytes_qb4w(nr, k);
    }
}

/* ---- Floats ---- */

size_t lf_panel_bytes_f32_xnnpack(size_t nr, size_t k)
{
    return lf_ceil(nr * (k + 1) * sizeof(float), 64);
}

void lf_pack_f32_xnnpack(size_t nr, size_t k, const lf_panel_source *source, void *panel)
{
    const uint8_t *values = source->raw;
    uint8_t *out = panel;
    memset(out, 0, lf_panel_bytes_f32_xnnpack(nr, k));
    for (size_t i = 0; i < k; i++) {
        for (size_t c = 0; c < source->rows; c++) {
            memcpy(out + ((i + 1) * nr + c) * sizeof(float), values + (c * k + i) * sizeof(float),
                   sizeof(float));
        }
    }
}

void lf_multiply_f32_xnnpack(xnn_f32_gemm_fn *kernel, size_t nr, size_t m, size_t n, size_t k,
                             const void *tile, const void *panels, float *c, size_t c_stride)
{
    const xnn_minmax_params params = {-INFINITY, INFINITY};
    const uint8_t *panel = panels;
    for (size_t n0 = 0; n0 < n; n0 += nr) {
        kernel(m, n - n0 < nr ? n - n0 : nr, k * sizeof(float), tile, lf_row_bytes_f32(k),
               (const float *)(const void *)panel, c + n0, c_stride * sizeof(float),
               nr * sizeof(float), &params);
        panel += lf_panel_bytes_f32_xnnpack(nr, k);
    }
}
