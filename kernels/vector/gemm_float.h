/* SPDX-License-Identifier: Apache-2.0 */
/* LF_W_F32, LF_W_F16 and LF_W_BF16 x LF_LHS_F32 over 16 lanes: acc = fma(x, w, acc) over k
 * ascending, one chain for each result. The including file defines v16 and three constants:
 * FLOAT_MR, the maximum rows of a tile, FLOAT_TILE, the tile's name, and FLOAT_PANELS, the panels
 * that are computed together. */
#ifndef LF_KERNELS_VECTOR_GEMM_FLOAT_H
#define LF_KERNELS_VECTOR_GEMM_FLOAT_H

#include "kernels/lhs_layout.h"
#include "kernels/panel_layout.h"
#include "kernels/tables.h"
#include "kernels/vector/prefetch.h"

LF_INLINE v16 load_weights(const lf_wformat format, const uint8_t *p)
{
    switch (format) {
    case LF_W_F16:
        return v_load_f16((const uint16_t *)(const void *)p);
    case LF_W_BF16:
        return v_load_bf16((const uint16_t *)(const void *)p);
    default:
        return v_load((const float *)(const void *)p);
    }
}

/* `panels` panels, panel_bytes apart; the last one may have fewer than 16 columns. */
LF_INLINE void float_panels(const lf_wformat format, const size_t m, const size_t panels, size_t k,
                            const float *x, const uint8_t *p, size_t panel_bytes, float *c,
                            size_t c_stride, size_t columns, lf_distances distances)
{
    const size_t step = (format == LF_W_F32 ? sizeof(float) : sizeof(uint16_t)) * LF_NR;
    const size_t x_stride = lf_ceil(k * sizeof(float), 64) / sizeof(float);
    v16 acc[FLOAT_MR][FLOAT_PANELS];
    for (size_t i = 0; i < m; i++) {
        for (size_t j = 0; j < panels; j++) {
            acc[i][j] = v_set(0.0f);
        }
    }
    for (size_t d = 0; d < k; d++) {
        v16 w[FLOAT_PANELS];
        for (size_t j = 0; j < panels; j++) {
            const uint8_t *at = p + j * panel_bytes;
            lf_prefetch_l1(at + distances.l1); /* distance 0 costs less than a branch */
            if (distances.l2 != 0) {
                lf_prefetch_l2(at + distances.l2);
            }
            w[j] = load_weights(format, p + j * panel_bytes);
        }
        p += step;
        for (size_t i = 0; i < m; i++) {
            const v16 a = v_set(x[i * x_stride + d]);
            for (size_t j = 0; j < panels; j++) {
                acc[i][j] = v_fma(a, w[j], acc[i][j]);
            }
        }
    }
    for (size_t i = 0; i < m; i++) {
        for (size_t j = 0; j < panels; j++) {
            const size_t left = columns - j * LF_NR;
            v_store_n(c + i * c_stride + j * LF_NR, acc[i][j], left < LF_NR ? left : LF_NR);
        }
    }
}

LF_INLINE void float_tile(const lf_wformat format, const size_t m, size_t n, size_t k,
                          const void *tile, const void *panels, float *c, size_t c_stride,
                          lf_prefetch_policy policy)
{
    const lf_distances distances = lf_prefetch_distances(policy);
    const size_t bytes = format == LF_W_F32 ? lf_panel_bytes_f32(k) : lf_panel_bytes_f16(k);
    const uint8_t *p = panels;
    size_t n0 = 0;
    for (; n0 + (FLOAT_PANELS - 1) * LF_NR < n; n0 += FLOAT_PANELS * LF_NR) {
        float_panels(format, m, FLOAT_PANELS, k, tile, p, bytes, c + n0, c_stride, n - n0,
                     distances);
        p += FLOAT_PANELS * bytes;
    }
    for (; n0 < n; n0 += LF_NR) {
        float_panels(format, m, 1, k, tile, p, bytes, c + n0, c_stride, n - n0, distances);
        p += bytes;
    }
}

#define f32_tile(...)  float_tile(LF_W_F32, __VA_ARGS__)
#define f16_tile(...)  float_tile(LF_W_F16, __VA_ARGS__)
#define bf16_tile(...) float_tile(LF_W_BF16, __VA_ARGS__)
LF_GEMM_BY_ROWS(FLOAT_MR, f32_gemm, f32_tile)
LF_GEMM_BY_ROWS(FLOAT_MR, f16_gemm, f16_tile)
LF_GEMM_BY_ROWS(FLOAT_MR, bf16_gemm, bf16_tile)

#define LF_FLOAT_ENTRY(format, tag, size, arch, feature)                                           \
    const lf_gemm lf_gemm_##tag##_##arch = {.name =                                                \
                                                "f32_f32_" #tag "_gemm_" FLOAT_TILE "__" #arch,    \
                                            .isa = #arch,                                          \
                                            .provider = LF_PROVIDER_LFM2,                          \
                                            .needs = feature,                                      \
                                            .weights = format,                                     \
                                            .lhs = LF_LHS_F32,                                     \
                                            .mr = FLOAT_MR,                                        \
                                            .nr = LF_NR,                                           \
                                            .k_multiple = 1,                                       \
                                            .exact = true,                                         \
                                            .panel_bytes = lf_panel_bytes_##size,                  \
                                            .pack = lf_pack_##size,                                \
                                            .fn = tag##_gemm};
#define LF_FLOAT_ENTRIES(arch, feature)                                                            \
    LF_FLOAT_ENTRY(LF_W_F32, f32, f32, arch, feature)                                              \
    LF_FLOAT_ENTRY(LF_W_F16, f16, f16, arch, feature)                                              \
    LF_FLOAT_ENTRY(LF_W_BF16, bf16, f16, arch, feature)

#endif /* LF_KERNELS_VECTOR_GEMM_FLOAT_H */
