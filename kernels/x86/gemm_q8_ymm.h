/* SPDX-License-Identifier: Apache-2.0 */
/* Owns the 256-bit kernels of LF_W_Q8 x LF_A_I8X2B32 and LF_W_I8G x LF_A_I8B32; see ymm.h. */
#ifndef LF_KERNELS_X86_GEMM_Q8_YMM_H
#define LF_KERNELS_X86_GEMM_Q8_YMM_H

#include "kernels/x86/ymm.h"

enum { Q8_AHEAD = 4608 }; /* bytes; prefetch distance within the stream of panels */

/* Sums over groups of 4 k first .. first + n - 1 of a block. */
LF_INLINE void q8_dot(const size_t m, const uint32_t *x, const uint8_t *codes, const size_t first,
                      const size_t n, __m256i *v)
{
    for (size_t g = first; g < first + n; g++) {
        lf_ymm_dot(m, x + (LF_X_CODES + g) * m, lf_load_ymm(codes + g * 64),
                   lf_load_ymm(codes + g * 64 + 32), v);
    }
}

/* ---- LF_W_Q8 -----------------------------------------------------------------------------------
 */

LF_INLINE void q8_block(const size_t m, const uint32_t *x, const uint8_t *codes,
                        const uint8_t *halves, float (*acc)[LF_NR])
{
    __m256i v[2 * LF_YMM_MR];
    lf_ymm_start(m, x + LF_X_INIT8 * m, v);
    q8_dot(m, x, codes, 0, 8, v);
    lf_ymm_finish(m, x, x + LF_X_INIT8 * m, v, lf_load_half8(halves), lf_load_half8(halves + 16),
                  acc);
}

/* The same block of weights times both activation blocks of LF_A_I8X2B32. */
LF_INLINE void q8_pair(const size_t m, const uint32_t *x, const uint8_t *codes,
                       const uint8_t *halves, float (*acc)[LF_NR])
{
    q8_block(m, x, codes, halves, acc);
    q8_block(m, x + LF_X_DWORDS * m, codes, halves, acc);
}

LF_INLINE void q8_run(const size_t m, size_t n, size_t k, const void *tile, const void *panels,
                      float *c, size_t c_stride)
{
    const uint8_t *super = panels;
    for (size_t n0 = 0; n0 < n; n0 += LF_NR) {
        const uint32_t *x = tile;
        _Alignas(32) float acc[LF_YMM_MR][LF_NR] = {{0}};
        for (size_t s = 0; s < k / 64; s++) {
            lf_ymm_prefetch(super, Q8_AHEAD, LF_Q8_SUPER);
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

/* What a group of weights covers: a whole block, its first or its second half. */
enum { WHOLE, FIRST, SECOND };

/* Where the sums of a group start: LF_MAGIC_BITS - 128 * sum of the activation codes. */
LF_INLINE void group_init(const int part, const size_t m, const uint32_t *x, uint32_t *init)
{
    for (size_t i = 0; i < m; i++) {
        const uint32_t whole = x[LF_X_INIT8 * m + i], low = x[LF_X_INIT8_LO * m + i];
        init[i] = part == WHOLE ? whole : part == FIRST ? low : whole - low + LF_MAGIC_BITS;
    }
}

LF_INLINE void i8g_group(const int part, const size_t m, const uint32_t *x, const uint8_t *codes,
                         const float *scales, const float *mins, float (*acc)[LF_NR])
{
    __m256i v[2 * LF_YMM_MR];
    uint32_t init[LF_YMM_MR];
    group_init(part, m, x, init);
    lf_ymm_start(m, init, v);
    q8_dot(m, x, codes, part == SECOND ? 4 : 0, part == WHOLE ? 8 : 4, v);
    lf_ymm_finish(m, x, init, v, _mm256_load_ps(scales), _mm256_load_ps(scales + 8), acc);
    if (mins != NULL) {
        const float *xs = (const float *)(const void *)(x + LF_X_SCALE * m);
        const float *xb = (const float *)(const void *)(x + LF_X_BIAS * m);
        const __m256 mins0 = _mm256_load_ps(mins), mins1 = _mm256_load_ps(mins + 8);
        for (size_t i = 0; i < m; i++) {
            const __m256i sum = _mm256_set1_epi32((int32_t)init[i]);
            lf_ymm_finish1(sum, xs[i], xb[i], mins0, acc[i]);
            lf_ymm_finish1(sum, xs[i], xb[i], mins1, acc[i] + 8);
        }
    }
}

LF_INLINE void i8g_run(const size_t group, const bool has_mins, const size_t m, size_t n, size_t k,
                       const void *tile, const void *panels, float *c, size_t c_stride)
{
    const size_t floats = 32 / group * LF_NR; /* scales, and minimums, of a block */
    const size_t head = has_mins ? 2 * floats : floats;
    const uint8_t *p = panels;
    for (size_t n0 = 0; n0 < n; n0 += LF_NR) {
        const uint32_t *x = tile;
        _Alignas(32) float acc[LF_YMM_MR][LF_NR] = {{0}};
        for (size_t b = 0; b < k / 32; b++) {
            const float *scales = (const float *)(const void *)p;
            const float *mins = has_mins ? scales + floats : NULL;
            const uint8_t *codes = p + head * sizeof(float);
            lf_ymm_prefetch(p, Q8_AHEAD, head * sizeof(float) + LF_Q8_CODES);
            if (group == 32) {
                i8g_group(WHOLE, m, x, codes, scales, mins, acc);
            } else {
                i8g_group(FIRST, m, x, codes, scales, mins, acc);
                i8g_group(SECOND, m, x, codes, scales + LF_NR, has_mins ? mins + LF_NR : NULL, acc);
            }
            x += LF_X_DWORDS * m;
            p = codes + LF_Q8_CODES;
        }
        lf_ymm_store(m, acc, n - n0, c + n0, c_stride);
    }
}

#define i8g16_run(...)  i8g_run(16, false, __VA_ARGS__)
#define i8g16m_run(...) i8g_run(16, true, __VA_ARGS__)
#define i8g32_run(...)  i8g_run(32, false, __VA_ARGS__)
#define i8g32m_run(...) i8g_run(32, true, __VA_ARGS__)
LF_GEMM_ROWS(LF_YMM_MR, q8_gemm, q8_run)
LF_GEMM_ROWS(LF_YMM_MR, i8g16_gemm, i8g16_run)
LF_GEMM_ROWS(LF_YMM_MR, i8g16m_gemm, i8g16m_run)
LF_GEMM_ROWS(LF_YMM_MR, i8g32_gemm, i8g32_run)
LF_GEMM_ROWS(LF_YMM_MR, i8g32m_gemm, i8g32m_run)

#define LF_Q8_YMM_ROW(in, in_format, format, tag, size, has_mins, packer, arch, feature)           \
    {                                                                                              \
        .name = #in "_f32_" #tag "_gemm_" LF_YMM_TILE "__" arch, .isa = arch, .by = LF_BY_LFM2,    \
        .needs = feature, .weights = format, .acts = in_format, .group = size, .mins = has_mins,   \
        .mr = LF_YMM_MR, .nr = LF_NR, .k_multiple = 32, .exact = true,                             \
        .panel_bytes = lf_panel_bytes_##tag, .pack = packer, .stored = format == LF_W_Q8,          \
        .fn = tag##_gemm                                                                           \
    }
#define LF_I8G_YMM_ROW(tag, size, has_mins, arch, feature)                                         \
    LF_Q8_YMM_ROW(i8b32, LF_A_I8B32, LF_W_I8G, tag, size, has_mins, lf_pack_i8g, arch, feature)
#define LF_Q8_YMM_ROWS(arch, feature)                                                              \
    {                                                                                              \
        LF_Q8_YMM_ROW(i8x2b32, LF_A_I8X2B32, LF_W_Q8, q8, 0, false, lf_pack_q8, arch, feature),    \
            LF_I8G_YMM_ROW(i8g16, 16, false, arch, feature),                                       \
            LF_I8G_YMM_ROW(i8g16m, 16, true, arch, feature),                                       \
            LF_I8G_YMM_ROW(i8g32, 32, false, arch, feature),                                       \
            LF_I8G_YMM_ROW(i8g32m, 32, true, arch, feature),                                       \
    }

#endif /* LF_KERNELS_X86_GEMM_Q8_YMM_H */
