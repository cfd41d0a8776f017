/* SPDX-License-Identifier: Apache-2.0 */
/* Owns the 256-bit kernels of LF_W_Q4K and LF_W_Q5K x LF_A_I8B32 and LF_W_Q6K x LF_A_I8B16; see
 * ymm.h. The including file defines ymm_dot2, which adds two groups of 4 k; integer sums are exact
 * 32-bit. */
#ifndef LF_KERNELS_X86_GEMM_K_YMM_H
#define LF_KERNELS_X86_GEMM_K_YMM_H

LF_INLINE __m256i ymm_sum(__m256i v, uint32_t init)
{
    (void)init;
    return v;
}

LF_INLINE __m256i ymm_start(uint32_t init)
{
    return _mm256_set1_epi32((int32_t)init);
}

#include "kernels/x86/ymm.h"

/* v << n, or v >> -n: what crosses a byte is masked away by the caller. */
LF_INLINE __m256i k_shift(__m256i v, const int n)
{
    return n > 0 ? _mm256_slli_epi32(v, n) : (n < 0 ? _mm256_srli_epi32(v, -n) : v);
}

/* Codes of group g of a block, `bits` wide, unsigned: 8 columns from byte `half` on. */
LF_INLINE __m256i k_codes(const int bits, const uint8_t *codes, const size_t g, const size_t half)
{
    const __m256i nibbles = _mm256_and_si256(
        k_shift(lf_load_ymm(codes + g % 4 * 64 + half), g < 4 ? 0 : -4), _mm256_set1_epi8(15));
    if (bits == 4) {
        return nibbles;
    }
    const uint8_t *upper = codes + LF_Q4_CODES + half;
    const __m256i bits5 = k_shift(lf_load_ymm(upper), 4 - (int)g);
    if (bits == 5) {
        return _mm256_or_si256(nibbles, _mm256_and_si256(bits5, _mm256_set1_epi8(16)));
    }
    const __m256i bits56 = k_shift(lf_load_ymm(upper + g / 4 * 64), 4 - 2 * (int)(g % 4));
    return _mm256_or_si256(nibbles, _mm256_and_si256(bits56, _mm256_set1_epi8(48)));
}

/* Groups g and g + 1. */
LF_INLINE void k_dot2(const int bits, const size_t m, const uint32_t *x, const uint8_t *codes,
                      const size_t g, __m256i *v)
{
    const uint32_t *a0 = x + LF_X_CODES + g, *a1 = a0 + 1;
    for (size_t half = 0; half < 2; half++) {
        const __m256i w0 = k_codes(bits, codes, g, half * 32);
        const __m256i w1 = k_codes(bits, codes, g + 1, half * 32);
#define F(i)                                                                                       \
    v[2 * (i) + half] =                                                                            \
        ymm_dot2(v[2 * (i) + half], w0, _mm256_set1_epi32((int32_t)a0[(i)*LF_X_DWORDS]), w1,       \
                 _mm256_set1_epi32((int32_t)a1[(i)*LF_X_DWORDS]));
        LF_EACH_ROW(m, F)
#undef F
    }
}

/* x: the scales of the rows; integer sums are whole, so where they started does not matter. */
LF_INLINE void k_finish(const size_t m, const uint32_t *x, const __m256i *v, const float *scales,
                        float (*acc)[LF_NR])
{
    lf_ymm_finish(m, x, x, v, _mm256_load_ps(scales), _mm256_load_ps(scales + 8), acc);
}

/* ---- Q4_K, Q5_K --------------------------------------------------------------------------------
 */

/* Scales of the eight blocks of 256 k, then their minimums. */
LF_INLINE void k_factors(const uint8_t *super, float (*out)[LF_NR])
{
    const __m256i low = _mm256_set1_epi32(63);
    for (size_t half = 0; half < 2; half++) {
        const __m256 d = lf_load_half8(super + half * 16);
        const __m256 dmin = lf_load_half8(super + 32 + half * 16);
        __m256i top = _mm256_setzero_si256();
        for (size_t line = 0; line < 3; line++) {
            __m256i dwords = lf_load_ymm(super + 64 + line * 64 + half * 32);
            top = _mm256_or_si256(top, _mm256_sllv_epi32(_mm256_srli_epi32(dwords, 30),
                                                         _mm256_set1_epi32(2 * (int)line)));
            for (size_t i = line * 5; i < line * 5 + 5; i++) {
                const __m256 f = _mm256_cvtepi32_ps(_mm256_and_si256(dwords, low));
                _mm256_store_ps(out[i] + half * 8, _mm256_mul_ps(f, i < 8 ? d : dmin));
                dwords = _mm256_srli_epi32(dwords, 6);
            }
        }
        _mm256_store_ps(out[15] + half * 8, _mm256_mul_ps(_mm256_cvtepi32_ps(top), dmin));
    }
}

LF_INLINE void k_start(const size_t m, __m256i *v)
{
#define F(i) v[2 * (i)] = v[2 * (i) + 1] = _mm256_set1_epi32(LF_MAGIC_BITS);
    LF_EACH_ROW(m, F)
#undef F
}

LF_INLINE void k_run(const int bits, const size_t m, size_t n, size_t k, const void *tile,
                     const void *panels, float *c, size_t c_stride)
{
    const size_t step = bits == 4 ? LF_Q4_CODES : LF_Q5K_CODES;
    const uint8_t *p = panels;
    for (size_t n0 = 0; n0 < n; n0 += LF_NR) {
        const uint32_t *x = tile;
        _Alignas(32) float acc[LF_YMM_MR][LF_NR] = {{0}};
        for (size_t s = 0; s < k / 256; s++) {
            _Alignas(32) float factors[16][LF_NR];
            lf_prefetch(m, p, LF_K_HEAD);
            k_factors(p, factors);
            p += LF_K_HEAD;
            for (size_t b = 0; b < 8; b++) {
                __m256i v[2 * LF_YMM_MR];
                lf_prefetch(m, p, step);
                k_start(m, v);
                k_dot2(bits, m, x, p, 0, v);
                k_dot2(bits, m, x, p, 2, v);
                k_dot2(bits, m, x, p, 4, v);
                k_dot2(bits, m, x, p, 6, v);
                k_finish(m, x + LF_X_SCALE, v, factors[b], acc);
                lf_ymm_minimum(m, x + LF_X_SUM, _mm256_load_ps(factors[b + 8]),
                               _mm256_load_ps(factors[b + 8] + 8), acc);
                x += LF_X_DWORDS * m;
                p += step;
            }
        }
        lf_ymm_store(m, acc, n - n0, c + n0, c_stride);
    }
}

/* ---- Q6_K --------------------------------------------------------------------------------------
 */

LF_INLINE void q6k_scales(const uint8_t *super, const uint8_t *halves, float (*out)[LF_NR])
{
    for (size_t half = 0; half < 2; half++) {
        const __m256 d = lf_load_half8(halves + half * 16);
        for (size_t i = 0; i < 16; i++) {
            const __m128i bytes =
                _mm_loadl_epi64((const __m128i *)(const void *)(super + i * LF_NR + half * 8));
            const __m256 s = _mm256_cvtepi32_ps(_mm256_cvtepi8_epi32(bytes));
            _mm256_store_ps(out[i] + half * 8, _mm256_mul_ps(s, d));
        }
    }
}

/* Half a block: groups g .. g + 3. x: the rows' dwords of the block; init and xs: which of them the
 * sums start with, and the scale. */
LF_INLINE void q6k_half(const size_t m, const uint32_t *x, const size_t init, const size_t xs,
                        const uint8_t *codes, const size_t g, const float *scale,
                        float (*acc)[LF_NR])
{
    __m256i v[2 * LF_YMM_MR];
    lf_ymm_start(m, x + init, v);
    k_dot2(6, m, x, codes, g, v);
    k_dot2(6, m, x, codes, g + 2, v);
    k_finish(m, x + xs, v, scale, acc);
}

LF_INLINE void q6k_run(const size_t m, size_t n, size_t k, const void *tile, const void *panels,
                       float *c, size_t c_stride)
{
    const uint8_t *halves = panels;
    const size_t panel_bytes = lf_panel_bytes_q6k(k);
    for (size_t n0 = 0; n0 < n; n0 += LF_NR, halves += panel_bytes) {
        const uint32_t *x = tile;
        const uint8_t *p = halves + (panel_bytes - k / 256 * LF_Q6K_SUPER);
        _Alignas(32) float acc[LF_YMM_MR][LF_NR] = {{0}};
        for (size_t s = 0; s < k / 256; s++) {
            _Alignas(32) float scales[16][LF_NR];
            lf_prefetch(m, p, LF_K_HEAD);
            q6k_scales(p, halves + s * 32, scales);
            p += LF_K_HEAD;
            for (size_t b = 0; b < 8; b++) {
                lf_prefetch(m, p, LF_Q6K_CODES);
                q6k_half(m, x, LF_X16_INIT6_LO, LF_X16_SCALE_LO, p, 0, scales[2 * b], acc);
                q6k_half(m, x, LF_X16_INIT6_HI, LF_X16_SCALE_HI, p, 4, scales[2 * b + 1], acc);
                x += LF_X_DWORDS * m;
                p += LF_Q6K_CODES;
            }
        }
        lf_ymm_store(m, acc, n - n0, c + n0, c_stride);
    }
}

#define q4k_run(...) k_run(4, __VA_ARGS__)
#define q5k_run(...) k_run(5, __VA_ARGS__)
LF_GEMM_ROWS(LF_YMM_MR, q4k_gemm, q4k_run)
LF_GEMM_ROWS(LF_YMM_MR, q5k_gemm, q5k_run)
LF_GEMM_ROWS(LF_YMM_MR, q6k_gemm, q6k_run)

#define LF_K_YMM_ROW(in, in_format, format, tag, arch, feature)                                    \
    {                                                                                              \
        .name = #in "_f32_" #tag "_gemm_" LF_YMM_TILE "__" arch, .isa = arch, .by = LF_BY_LFM2,    \
        .needs = feature, .weights = format, .acts = in_format, .mr = LF_YMM_MR, .nr = LF_NR,      \
        .k_multiple = 256, .stored = true, .exact = true, .panel_bytes = lf_panel_bytes_##tag,     \
        .pack = lf_pack_##tag, .fn = tag##_gemm                                                    \
    }
#define LF_K_YMM_ROWS(arch, feature)                                                               \
    {                                                                                              \
        LF_K_YMM_ROW(i8b32, LF_A_I8B32, LF_W_Q4K, q4k, arch, feature),                             \
            LF_K_YMM_ROW(i8b32, LF_A_I8B32, LF_W_Q5K, q5k, arch, feature),                         \
            LF_K_YMM_ROW(i8b16, LF_A_I8B16, LF_W_Q6K, q6k, arch, feature),                         \
    }

#endif /* LF_KERNELS_X86_GEMM_K_YMM_H */
