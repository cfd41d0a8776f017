/* SPDX-License-Identifier: Apache-2.0 */
/* Owns the 256-bit kernels of LF_W_Q8 x LF_A_I8X2B32 and LF_W_I8G x LF_A_I8B32; see ymm.h and
 * ymm_dot.h. */
#ifndef LF_KERNELS_X86_GEMM_Q8_YMM_H
#define LF_KERNELS_X86_GEMM_Q8_YMM_H

#include "kernels/x86/ymm_dot.h"

/* Sums over a block. */
LF_INLINE void q8_dot(const size_t m, const uint32_t *x, const uint8_t *codes, __m256i *v)
{
    for (size_t g = 0; g < 8; g++) {
        lf_ymm_dot(m, x + LF_X_CODES + g, lf_load_ymm(codes + g * 64),
                   lf_load_ymm(codes + g * 64 + 32), v);
    }
}

/* ---- LF_W_Q8 -----------------------------------------------------------------------------------
 */

LF_INLINE void q8_block(const size_t m, const uint32_t *x, const uint8_t *codes, __m256 scale0,
                        __m256 scale1, float (*acc)[LF_NR])
{
    __m256i v[2 * LF_YMM_MR];
    lf_ymm_start(m, x + LF_X_INIT8, v);
    q8_dot(m, x, codes, v);
    lf_ymm_finish(m, x + LF_X_SCALE, x + LF_X_INIT8, v, scale0, scale1, acc);
}

/* The same block of weights times both activation blocks of LF_A_I8X2B32. */
LF_INLINE void q8_pair(const size_t m, const uint32_t *x, const uint8_t *codes,
                       const uint8_t *halves, float (*acc)[LF_NR])
{
    const __m256 scale0 = lf_load_half8(halves), scale1 = lf_load_half8(halves + 16);
    q8_block(m, x, codes, scale0, scale1, acc);
    q8_block(m, x + LF_X_DWORDS * m, codes, scale0, scale1, acc);
}

LF_INLINE void q8_run(const size_t m, size_t n, size_t k, const void *tile, const void *panels,
                      float *c, size_t c_stride)
{
    const uint8_t *super = panels;
    for (size_t n0 = 0; n0 < n; n0 += LF_NR) {
        const uint32_t *x = tile;
        _Alignas(32) float acc[LF_YMM_MR][LF_NR] = {{0}};
        for (size_t s = 0; s < k / 64; s++) {
            lf_prefetch(m, super, LF_Q8_SUPER);
            q8_pair(m, x, super + 64, super, acc);
            x += 2 * LF_X_DWORDS * m;
            q8_pair(m, x, super + 64 + LF_Q8_CODES, super + 32, acc);
            x += 2 * LF_X_DWORDS * m;
            super += LF_Q8_SUPER;
        }
        if (k % 64 != 0) {
            q8_pair(m, x, super + 64, super, acc);
            super += 64 + LF_Q8_CODES;
        }
        lf_ymm_store(m, acc, n - n0, c + n0, c_stride);
    }
}

/* ---- LF_W_I8G ----------------------------------------------------------------------------------
 */

LF_INLINE void i8g_run(const bool has_mins, const size_t m, size_t n, size_t k, const void *tile,
                       const void *panels, float *c, size_t c_stride)
{
    const size_t head = has_mins ? 2 * LF_NR : LF_NR; /* scales and minimums of a block */
    const uint8_t *p = panels;
    for (size_t n0 = 0; n0 < n; n0 += LF_NR) {
        const uint32_t *x = tile;
        _Alignas(32) float acc[LF_YMM_MR][LF_NR] = {{0}};
        for (size_t b = 0; b < k / 32; b++) {
            const float *f = (const float *)(const void *)p;
            const uint8_t *codes = p + head * sizeof(float);
            lf_prefetch(m, p, head * sizeof(float) + LF_Q8_CODES);
            q8_block(m, x, codes, _mm256_load_ps(f), _mm256_load_ps(f + 8), acc);
            if (has_mins) {
                lf_ymm_minimum(m, x + LF_X_SUM, _mm256_load_ps(f + 16), _mm256_load_ps(f + 24),
                               acc);
            }
            x += LF_X_DWORDS * m;
            p = codes + LF_Q8_CODES;
        }
        lf_ymm_store(m, acc, n - n0, c + n0, c_stride);
    }
}

#define i8g_plain(...) i8g_run(false, __VA_ARGS__)
#define i8g_mins(...)  i8g_run(true, __VA_ARGS__)
LF_GEMM_ROWS(LF_YMM_MR, q8_gemm, q8_run)
LF_GEMM_ROWS(LF_YMM_MR, i8g_gemm, i8g_plain)
LF_GEMM_ROWS(LF_YMM_MR, i8gm_gemm, i8g_mins)

#define LF_Q8_YMM_ROW(in, in_format, format, tag, has_mins, packer, arch, feature)                 \
    {                                                                                              \
        .name = #in "_f32_" #tag "_gemm_" LF_YMM_TILE "__" arch, .isa = arch, .by = LF_BY_LFM2,    \
        .needs = feature, .weights = format, .acts = in_format, .mins = has_mins, .mr = LF_YMM_MR, \
        .nr = LF_NR, .k_multiple = 32, .exact = true, .panel_bytes = lf_panel_bytes_##tag,         \
        .pack = packer, .stored = format == LF_W_Q8, .fn = tag##_gemm                              \
    }
#define LF_Q8_YMM_ROWS(arch, feature)                                                              \
    {                                                                                              \
        LF_Q8_YMM_ROW(i8x2b32, LF_A_I8X2B32, LF_W_Q8, q8, false, lf_pack_q8, arch, feature),       \
            LF_Q8_YMM_ROW(i8b32, LF_A_I8B32, LF_W_I8G, i8g, false, lf_pack_i8g, arch, feature),    \
            LF_Q8_YMM_ROW(i8b32, LF_A_I8B32, LF_W_I8G, i8gm, true, lf_pack_i8g, arch, feature),    \
    }

#endif /* LF_KERNELS_X86_GEMM_Q8_YMM_H */
