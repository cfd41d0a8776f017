/* SPDX-License-Identifier: Apache-2.0 */
/* Scalar matrix kernels for float weights: acc = fma(x, w, acc) over k ascending, from 0. */
#include "kernels/scalar/entry.h"

typedef void (*load_fn)(const uint8_t *panel, size_t i, float w[LF_NR]);

static void load_f32(const uint8_t *panel, size_t i, float w[LF_NR])
{
    memcpy(w, panel + i * LF_NR * sizeof(float), LF_NR * sizeof(float));
}

static void load_f16(const uint8_t *panel, size_t i, float w[LF_NR])
{
    for (size_t c = 0; c < LF_NR; c++) {
        w[c] = lf_half_to_float(lf_load_u16(panel + (i * LF_NR + c) * 2));
    }
}

static void load_bf16(const uint8_t *panel, size_t i, float w[LF_NR])
{
    for (size_t c = 0; c < LF_NR; c++) {
        w[c] = lf_float((uint32_t)lf_load_u16(panel + (i * LF_NR + c) * 2) << 16);
    }
}

static void gemm(load_fn load, size_t panel_bytes, size_t m, size_t n, size_t k, const void *tile,
                 const void *panels, float *c, size_t c_stride)
{
    size_t x_stride = lf_row_bytes_f32(k);
    const uint8_t *panel = panels;
    for (size_t n0 = 0; n0 < n; n0 += LF_NR) {
        float acc[LF_SCALAR_MR][LF_NR] = {{0}};
        for (size_t i = 0; i < k; i++) {
            float w[LF_NR];
            load(panel, i, w);
            for (size_t r = 0; r < m; r++) {
                float x = lf_load_f32((const uint8_t *)tile + r * x_stride + i * sizeof(float));
                for (size_t j = 0; j < LF_NR; j++) {
                    acc[r][j] = lf_fma(x, w[j], acc[r][j]);
                }
            }
        }
        size_t columns = n - n0 < LF_NR ? n - n0 : LF_NR;
        for (size_t r = 0; r < m; r++) {
            memcpy(c + r * c_stride + n0, acc[r], columns * sizeof(float));
        }
        panel += panel_bytes;
    }
}

LF_SCALAR_ENTRY(f32, LF_LHS_F32, f32, LF_W_F32, false, 1, false, f32, f32, load_f32)
LF_SCALAR_ENTRY(f32, LF_LHS_F32, f16, LF_W_F16, false, 1, false, f16, f16, load_f16)
LF_SCALAR_ENTRY(f32, LF_LHS_F32, bf16, LF_W_BF16, false, 1, false, f16, f16, load_bf16)
