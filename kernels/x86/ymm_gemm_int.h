/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The 256-bit integer kernels, except those of LF_W_Q8. Before it includes this header, a file
 * defines for its instruction set YMM_SUBTILES and
 *
 * void ymm_sums(bits, unpacked, m, x, init, quants, first, end, s): s = for each of m rows the
 * products of groups [first, end) of the weight block at `quants` with the row's block at x,
 * plus dword `init` of that block, or LF_MAGIC_BITS if init is negative. Quants are `bits`
 * wide; with `unpacked` they are bytes. With 8 bits the zero point of 128 may be subtracted from
 * the quants instead of the sum. For half a block dword `init` is of the zero point 32;
 * lf_ymm_half_start makes the start for the format's.
 *
 * The 16 columns of a panel are two halves of 8. Integer sums are in registers (s[2 * row +
 * half]); float sums are an array in the first level cache. Tiles of up to YMM_FIXED_ROWS rows
 * unpack quants in registers as they read them. Larger tiles go through each block of 32 k in
 * subtiles (YMM_SUBTILES) and unpack its quants once for all of them, into the first level
 * cache.
 */
#ifndef LF_KERNELS_X86_YMM_GEMM_INT_H
#define LF_KERNELS_X86_YMM_GEMM_INT_H

#include "kernels/x86/ymm.h"

/* Panel formats, as constants for inline functions. */
enum {
    YMM_Q4,
    YMM_Q2K,
    YMM_Q3K,
    YMM_Q4K,
    YMM_Q5K,
    YMM_Q6K,
    YMM_I8G,
    YMM_I8GM,
    YMM_I8G16,
    YMM_I8G16M
};

/* Width of the quants; it decides how many products fit 16 bits. */
LF_INLINE int ymm_bits(const int format)
{
    switch (format) {
    case YMM_Q2K:
        return 2;
    case YMM_Q3K:
        return 3;
    case YMM_Q4:
    case YMM_Q4K:
        return 4;
    case YMM_Q5K:
        return 5;
    case YMM_Q6K:
        return 6;
    default:
        return 8;
    }
}

/* Whether scales are for half a block. */
LF_INLINE bool ymm_halves(const int format)
{
    return format == YMM_Q2K || format == YMM_Q3K || format == YMM_Q6K || format == YMM_I8G16 ||
           format == YMM_I8G16M;
}

/* ---- Blocks of 32 k ---- */

/* acc = fma(-32 * sum of the LHS quants * LHS scale, minimum / 32, acc). init: LF_MAGIC_BITS - 32 *
 * sum; x: the rows' LHS scales, each followed by its bias. */
LF_INLINE void ymm_minimums(const size_t m, const uint32_t *init, const uint32_t *x,
                            const float *minimums, float (*acc)[LF_NR])
{
    const __m256 minimum0 = _mm256_load_ps(minimums), minimum1 = _mm256_load_ps(minimums + 8);
#define F(i)                                                                                       \
    {                                                                                              \
        const __m256 sum = _mm256_fmadd_ps(_mm256_set1_ps(lf_load_f32(init + (i)*LF_X_DWORDS)),    \
                                           _mm256_set1_ps(lf_load_f32(x + (i)*LF_X_DWORDS)),       \
                                           _mm256_set1_ps(lf_load_f32(x + (i)*LF_X_DWORDS + 1)));  \
        _mm256_store_ps(acc[i], _mm256_fmadd_ps(sum, minimum0, _mm256_load_ps(acc[i])));           \
        _mm256_store_ps(acc[i] + 8, _mm256_fmadd_ps(sum, minimum1, _mm256_load_ps(acc[i] + 8)));   \
    }
    LF_EACH_ROW(m, F)
#undef F
}

/* Half a block of 16 k. factors: lines of scales of both halves, then of minimums. */
LF_INLINE void ymm_half(const int format, const bool unpacked, const size_t m, const uint32_t *x,
                        const size_t half, const uint8_t *quants, const float *factors,
                        float (*acc)[LF_NR])
{
    __m256i s[2 * YMM_ROWS];
    const uint32_t *scale = x + LF_X16_SCALE_LO + 2 * half;
    const int init = LF_X16_INIT6_LO + (int)half;
    ymm_sums(ymm_bits(format), unpacked, m, x, format == YMM_Q2K ? -1 : init, quants, 4 * half,
             4 * half + 4, s);
    lf_ymm_finish(m, scale, s, factors + half * LF_NR, NULL, NULL, acc);
    if (format == YMM_I8G16M || format == YMM_Q2K) {
        ymm_minimums(m, x + init, scale, factors + (2 + half) * LF_NR, acc);
    }
}

/* One block. factors: two lines of 16 floats, weight scales, then minimums; for groups of 16 as in
 * ymm_half. */
LF_INLINE void ymm_block(const int format, const bool unpacked, const size_t m, const uint32_t *x,
                         const uint8_t *quants, const float *factors, float (*acc)[LF_NR])
{
    __m256i s[2 * YMM_ROWS];
    const int bits = ymm_bits(format);
    if (ymm_halves(format)) {
        ymm_half(format, unpacked, m, x, 0, quants, factors, acc);
        ymm_half(format, unpacked, m, x, 1, quants, factors, acc);
        return;
    }
    const bool mins = format == YMM_Q4K || format == YMM_Q5K || format == YMM_I8GM;
    const int init = format == YMM_Q4 ? LF_X_INIT4 : (bits == 8 ? LF_X_INIT8 : -1);
    ymm_sums(bits, unpacked, m, x, init, quants, 0, 8, s);
    lf_ymm_finish(m, x + LF_X_SCALE, s, factors, mins ? x + LF_X_SUM : NULL, factors + LF_NR, acc);
}

LF_INLINE void ymm_unpack(const int bits, const uint8_t *quants, uint8_t *unpacked)
{
#define G(g)                                                                                       \
    lf_store_ymm(unpacked + (g)*64, lf_ymm_quants(bits, quants, g, 0));                            \
    lf_store_ymm(unpacked + (g)*64 + 32, lf_ymm_quants(bits, quants, g, 32));
    LF_EACH_GROUP(G)
#undef G
}

/* One block for all m rows of a tile. `fixed` is m as a constant, or 0 for m above
 * YMM_FIXED_ROWS. */
LF_INLINE void ymm_rows(const int format, const size_t fixed, size_t m, const uint32_t *x,
                        const uint8_t *quants, const float *factors, float (*acc)[LF_NR])
{
    const int bits = ymm_bits(format);
    if (fixed != 0) {
        ymm_block(format, bits == 8, fixed, x, quants, factors, acc);
        return;
    }
    _Alignas(32) uint8_t bytes[8 * 64];
    const uint8_t *unpacked = quants;
    if (bits != 8) {
        ymm_unpack(bits, quants, bytes);
        unpacked = bytes;
    }
    YMM_SUBTILES(m, LF_X_DWORDS, ymm_block, format, true, unpacked, factors)
}

/* ---- LF_W_Q4 ---- */

LF_INLINE void q4_rows(const size_t fixed, size_t m, const uint32_t *x, const uint8_t *quants,
                       const uint8_t *halves, float (*acc)[LF_NR])
{
    _Alignas(32) float scales[LF_NR];
    lf_ymm_f16x16(halves, scales);
    ymm_rows(YMM_Q4, fixed, m, x, quants, scales, acc);
}

LF_INLINE void q4_panel(lf_distances distances, const size_t fixed, size_t m, size_t k,
                        const uint32_t *x, const uint8_t *p, float (*acc)[LF_NR])
{
    for (size_t s = 0; s < k / 64; s++) {
        lf_prefetch_panel(distances, p, LF_Q4_SUPER);
        lf_prefetch_sparse(distances, p);
        q4_rows(fixed, m, x, p + 64, p, acc);
        x += LF_X_DWORDS * m;
        q4_rows(fixed, m, x, p + 64 + LF_Q4_QUANTS, p + 32, acc);
        x += LF_X_DWORDS * m;
        p += LF_Q4_SUPER;
    }
    if (k % 64 != 0) {
        q4_rows(fixed, m, x, p + 64, p, acc);
    }
}

/* ---- LF_W_I8G, LF_W_I8G16 ---- */

LF_INLINE void i8g_panel(const int format, lf_distances distances, const size_t fixed, size_t m,
                         size_t k, const uint32_t *x, const uint8_t *p, float (*acc)[LF_NR])
{
    const size_t lines = format == YMM_I8G ? 1 : (format == YMM_I8G16M ? 4 : 2);
    const size_t head = lines * LF_NR * sizeof(float);
    for (size_t b = 0; b < k / 32; b++) {
        lf_prefetch_panel(distances, p, head + LF_Q8_QUANTS);
        lf_prefetch_sparse(distances, p);
        ymm_rows(format, fixed, m, x, p + head, (const float *)(const void *)p, acc);
        x += LF_X_DWORDS * m;
        p += head + LF_Q8_QUANTS;
    }
}

/* ---- LF_W_Q4K, LF_W_Q5K, LF_W_Q6K ---- */

/* Factor i, a constant, of three lines of 6-bit factors. lines: 8 columns. */
LF_INLINE __m256i six_bits(const __m256i lines[3], const size_t i)
{
    if (i < 15) {
        return _mm256_and_si256(_mm256_srli_epi32(lines[i / 5], (int)(i % 5) * 6),
                                _mm256_set1_epi32(63));
    }
    const __m256i second = _mm256_and_si256(_mm256_srli_epi32(lines[1], 28), _mm256_set1_epi32(12));
    const __m256i third = _mm256_and_si256(_mm256_srli_epi32(lines[2], 26), _mm256_set1_epi32(48));
    return _mm256_or_si256(_mm256_srli_epi32(lines[0], 30), _mm256_or_si256(second, third));
}

/* F(i) for each of 16 factors; gcc leaves a loop over them rolled. */
#define EACH_FACTOR(F)                                                                             \
    F(0) F(1) F(2) F(3) F(4) F(5) F(6) F(7) F(8) F(9) F(10) F(11) F(12) F(13) F(14) F(15)

/* Scales and minimums of the eight blocks of 256 k. */
LF_INLINE void k_factors(const uint8_t *super, float (*out)[2][LF_NR])
{
    for (size_t half = 0; half < LF_NR; half += 8) {
        const uint8_t *line = super + 64 + half * 4;
        const __m256 d = lf_load_f16x8(super + half * 2);
        const __m256 dmin = lf_load_f16x8(super + 32 + half * 2);
        const __m256i lines[3] = {lf_load_ymm(line), lf_load_ymm(line + 64),
                                  lf_load_ymm(line + 128)};
#define F(i)                                                                                       \
    _mm256_store_ps(out[(i) % 8][(i) / 8] + half,                                                  \
                    _mm256_mul_ps(_mm256_cvtepi32_ps(six_bits(lines, i)), (i) < 8 ? d : dmin));
        EACH_FACTOR(F)
#undef F
    }
}

/* Scales of the 16 half blocks of 256 k. */
LF_INLINE void q6k_scales(const uint8_t *super, const uint8_t *halves, float (*out)[2][LF_NR])
{
    for (size_t half = 0; half < LF_NR; half += 8) {
        const __m256 d = lf_load_f16x8(halves + half * 2);
        for (size_t i = 0; i < 16; i++) {
            const __m128i bytes =
                _mm_loadl_epi64((const __m128i *)(const void *)(super + i * LF_NR + half));
            const __m256 s = _mm256_cvtepi32_ps(_mm256_cvtepi8_epi32(bytes));
            _mm256_store_ps(out[i / 2][i % 2] + half, _mm256_mul_ps(s, d));
        }
    }
}

LF_INLINE void k_panel(const int format, lf_distances distances, const size_t fixed, size_t m,
                       size_t k, const uint32_t *x, const uint8_t *panel, float (*acc)[LF_NR])
{
    const size_t step = format == YMM_Q4K   ? LF_Q4_QUANTS
                        : format == YMM_Q5K ? LF_Q5K_QUANTS
                                            : LF_Q6K_QUANTS;
    const uint8_t *p = panel;
    if (format == YMM_Q6K) {
        p += lf_panel_bytes_q6k(k) - k / 256 * LF_Q6K_SUPER;
    }
    for (size_t s = 0; s < k / 256; s++) {
        _Alignas(32) float factors[8][2][LF_NR];
        lf_prefetch_panel(distances, p, LF_K_HEAD);
        lf_prefetch_sparse(distances, p);
        if (format == YMM_Q6K) {
            q6k_scales(p, panel + s * 32, factors);
        } else {
            k_factors(p, factors);
        }
        p += LF_K_HEAD;
        for (size_t b = 0; b < 8; b++) {
            lf_prefetch_panel(distances, p, step);
            ymm_rows(format, fixed, m, x, p, factors[b][0], acc);
            x += LF_X_DWORDS * m;
            p += step;
        }
    }
}

/* ---- LF_W_Q2K, LF_W_Q3K ---- */

/* Lines of factors of a block: scales of both halves, with 2 bits also minimums / 32. */
enum { YMM_Q2K_LINES = 4, YMM_Q3K_LINES = 2 };

LF_INLINE void q2k_factors(const uint8_t *super, float (*out)[LF_NR])
{
    for (size_t half = 0; half < LF_NR; half += 8) {
        const __m256 d = lf_load_f16x8(super + half * 2);
        const __m256 dmin =
            _mm256_mul_ps(lf_load_f16x8(super + 32 + half * 2), _mm256_set1_ps(1.0f / 32));
        for (size_t i = 0; i < 16; i++) {
            const uint8_t *bytes = super + 64 + i * LF_NR + half;
            const __m256i both =
                _mm256_cvtepu8_epi32(_mm_loadl_epi64((const __m128i *)(const void *)bytes));
            const __m256 s = _mm256_cvtepi32_ps(_mm256_and_si256(both, _mm256_set1_epi32(15)));
            const __m256 minimum = _mm256_cvtepi32_ps(_mm256_srli_epi32(both, 4));
            float *line = out[i / 2 * YMM_Q2K_LINES + i % 2] + half;
            _mm256_store_ps(line, _mm256_mul_ps(s, d));
            _mm256_store_ps(line + 2 * LF_NR, _mm256_mul_ps(minimum, dmin));
        }
    }
}

LF_INLINE void q3k_factors(const uint8_t *super, const uint8_t *halves, float (*out)[LF_NR])
{
    const __m256i zero = _mm256_set1_epi32(32);
    for (size_t half = 0; half < LF_NR; half += 8) {
        const uint8_t *line = super + half * 4;
        const __m256 d = lf_load_f16x8(halves + half * 2);
        const __m256i lines[3] = {lf_load_ymm(line), lf_load_ymm(line + 64),
                                  lf_load_ymm(line + 128)};
#define F(i)                                                                                       \
    _mm256_store_ps(                                                                               \
        out[i] + half,                                                                             \
        _mm256_mul_ps(_mm256_cvtepi32_ps(_mm256_sub_epi32(six_bits(lines, i), zero)), d));
        EACH_FACTOR(F)
#undef F
    }
}

LF_INLINE void lowk_panel(const int format, lf_distances distances, const size_t fixed, size_t m,
                          size_t k, const uint32_t *x, const uint8_t *panel, float (*acc)[LF_NR])
{
    const bool two = format == YMM_Q2K;
    const size_t head = two ? LF_Q2K_HEAD : LF_Q3K_HEAD;
    const size_t step = two ? LF_Q2K_QUANTS : LF_Q3K_QUANTS;
    const size_t lines = two ? YMM_Q2K_LINES : YMM_Q3K_LINES;
    const uint8_t *p = two ? panel : panel + (lf_panel_bytes_q3k(k) - k / 256 * LF_Q3K_SUPER);
    for (size_t s = 0; s < k / 256; s++) {
        _Alignas(32) float factors[8 * YMM_Q2K_LINES][LF_NR];
        lf_prefetch_panel(distances, p, head);
        lf_prefetch_sparse(distances, p);
        if (two) {
            q2k_factors(p, factors);
        } else {
            q3k_factors(p, panel + s * 32, factors);
        }
        p += head;
        for (size_t b = 0; b < 8; b++) {
            lf_prefetch_panel(distances, p, step);
            ymm_rows(format, fixed, m, x, p, factors[b * lines], acc);
            x += LF_X_DWORDS * m;
            p += step;
        }
    }
}

/* ---- LF_W_IQ3S: each block becomes one of LF_W_I8G ---- */

/* 8 columns, from column `half` on, of group g of block b. The codebook has magnitudes + 128. */
LF_INLINE __m256i iq3s_quants(const uint8_t *super, size_t b, const size_t g, const size_t half)
{
    const size_t group = b * 8 + g;
    const uint8_t *index = super + LF_IQ3S_INDEX + group * LF_NR + half;
    const uint8_t *upper = super + LF_IQ3S_HIGH + b * LF_NR + half;
    const __m256i low = _mm256_cvtepu8_epi32(_mm_loadl_epi64((const __m128i *)(const void *)index));
    const __m256i high =
        _mm256_cvtepu8_epi32(_mm_loadl_epi64((const __m128i *)(const void *)upper));
    const __m256i ninth =
        _mm256_and_si256(_mm256_slli_epi32(high, 8 - (int)g), _mm256_set1_epi32(256));
    const __m256i w = _mm256_i32gather_epi32((const int *)(const void *)lf_iq3s_grid,
                                             _mm256_or_si256(low, ninth), 4);
    /* Bit i of the signs becomes byte i. */
    const __m256i bytes =
        _mm256_setr_epi64x(0, 0x0101010101010101, 0x0202020202020202, 0x0303030303030303);
    const __m256i bits = _mm256_set1_epi64x((long long)0x8040201008040201);
    int32_t signs;
    memcpy(&signs, super + LF_IQ3S_SIGNS + group * 8 + half / 2, sizeof signs);
    const __m256i spread = _mm256_shuffle_epi8(_mm256_set1_epi32(signs), bytes);
    const __m256i negative = _mm256_cmpeq_epi8(_mm256_and_si256(spread, bits), bits);
    return _mm256_sub_epi8(_mm256_xor_si256(w, negative), negative);
}

LF_INLINE void iq3s_scales(const uint8_t *super, size_t b, const uint8_t *halves, float *out)
{
    for (size_t half = 0; half < LF_NR; half += 8) {
        const __m256i all = lf_load_ymm(super + half * 4);
        const __m256i scale = _mm256_and_si256(
            _mm256_srlv_epi32(all, _mm256_set1_epi32((int)(4 * b))), _mm256_set1_epi32(15));
        const __m256i odd = _mm256_add_epi32(_mm256_add_epi32(scale, scale), _mm256_set1_epi32(1));
        _mm256_store_ps(out + half,
                        _mm256_mul_ps(_mm256_cvtepi32_ps(odd), lf_load_f16x8(halves + half * 2)));
    }
}

LF_INLINE void iq3s_panel(lf_distances distances, const size_t fixed, size_t m, size_t k,
                          const uint32_t *x, const uint8_t *panel, float (*acc)[LF_NR])
{
    const uint8_t *p = panel + (lf_panel_bytes_iq3s(k) - k / 256 * LF_IQ3S_SUPER);
    for (size_t s = 0; s < k / 256; s++, p += LF_IQ3S_SUPER) {
        lf_prefetch_sparse(distances, p);
        for (size_t b = 0; b < 8; b++, x += LF_X_DWORDS * m) {
            _Alignas(32) uint8_t quants[LF_Q8_QUANTS];
            _Alignas(32) float scales[LF_NR];
            lf_prefetch_panel(distances, p + b * (LF_IQ3S_SUPER / 8), LF_IQ3S_SUPER / 8);
            iq3s_scales(p, b, panel + s * 32, scales);
#define G(g)                                                                                       \
    lf_store_ymm(quants + (g)*64, iq3s_quants(p, b, g, 0));                                        \
    lf_store_ymm(quants + (g)*64 + 32, iq3s_quants(p, b, g, 8));
            LF_EACH_GROUP(G)
#undef G
            ymm_rows(YMM_I8G, fixed, m, x, quants, scales, acc);
        }
    }
}

/* ---- LF_W_T4, LF_W_T4G16: each block becomes one of LF_W_I8G or LF_W_I8G16 ---- */

/* Quants + 128 of a block. table: its 16 quants + 128, twice. */
LF_INLINE void t4_quants(__m256i table, const uint8_t *nibbles, uint8_t *out)
{
    for (size_t i = 0; i < LF_Q4_QUANTS; i += 32) {
        const __m256i w = lf_load_ymm(nibbles + i);
        lf_store_ymm(out + i, _mm256_shuffle_epi8(table, lf_ymm_field(w, 0, 15)));
        lf_store_ymm(out + LF_Q4_QUANTS + i, _mm256_shuffle_epi8(table, lf_ymm_field(w, 4, 15)));
    }
}

/* The table of a panel, quants + 128. halves: scales are for 16 k. */
LF_INLINE __m256i t4_table(const bool halves, const uint8_t *panel)
{
    return _mm256_add_epi8(lf_load_ymm(panel), _mm256_set1_epi8(halves ? 128 - 32 : 0));
}

/* The scales of a block of LF_W_T4G16. */
LF_INLINE void t4_scales(const uint8_t *block, float *out)
{
    lf_ymm_f16x16(block, out);
    lf_ymm_f16x16(block + 32, out + LF_NR);
}

LF_INLINE void t4_panel(const int format, lf_distances distances, const size_t fixed, size_t m,
                        size_t k, const uint32_t *x, const uint8_t *p, float (*acc)[LF_NR])
{
    const bool halves = format == YMM_I8G16;
    const __m256i table = t4_table(halves, p);
    p += LF_T4_TABLE;
    for (size_t b = 0; b < k / 32; b++, p += LF_T4_BLOCK) {
        _Alignas(32) uint8_t quants[LF_Q8_QUANTS];
        _Alignas(32) float scales[2 * LF_NR];
        lf_prefetch_panel(distances, p, LF_T4_BLOCK);
        if (b % 2 == 0) {
            lf_prefetch_sparse(distances, p);
        }
        if (halves) {
            t4_scales(p, scales);
        }
        t4_quants(table, p + 64, quants);
        ymm_rows(format, fixed, m, x, quants, halves ? scales : (const float *)(const void *)p,
                 acc);
        x += LF_X_DWORDS * m;
    }
}

/* To a panel of LF_W_I8G or LF_W_I8G16. */
LF_INLINE void t4_expand(const bool halves, size_t k, const uint8_t *panel, uint8_t *out)
{
    const lf_distances distances = lf_prefetch_distances(lf_prefetch_unpacking);
    const __m256i table = t4_table(halves, panel);
    const size_t head = halves ? 2 * 64 : 64;
    const uint8_t *p = panel + LF_T4_TABLE;
    for (size_t b = 0; b < k / 32; b++, p += LF_T4_BLOCK, out += head + LF_Q8_QUANTS) {
        lf_prefetch_panel(distances, p, LF_T4_BLOCK);
        if (halves) {
            t4_scales(p, (float *)(void *)out);
        } else {
            memcpy(out, p, head);
        }
        t4_quants(table, p + 64, out + head);
    }
}

static void t4_unpack(size_t k, const void *panel, void *unpacked)
{
    t4_expand(false, k, panel, unpacked);
}

static void t4g16_unpack(size_t k, const void *panel, void *unpacked)
{
    t4_expand(true, k, panel, unpacked);
}

#define t4_plain_panel(...)    t4_panel(YMM_I8G, __VA_ARGS__)
#define t4g16_panel(...)       t4_panel(YMM_I8G16, __VA_ARGS__)
#define i8g_plain_panel(...)   i8g_panel(YMM_I8G, __VA_ARGS__)
#define i8g_mins_panel(...)    i8g_panel(YMM_I8GM, __VA_ARGS__)
#define i8g16_plain_panel(...) i8g_panel(YMM_I8G16, __VA_ARGS__)
#define i8g16_mins_panel(...)  i8g_panel(YMM_I8G16M, __VA_ARGS__)
#define q2k_panel(...)         lowk_panel(YMM_Q2K, __VA_ARGS__)
#define q3k_panel(...)         lowk_panel(YMM_Q3K, __VA_ARGS__)
#define q4k_panel(...)         k_panel(YMM_Q4K, __VA_ARGS__)
#define q5k_panel(...)         k_panel(YMM_Q5K, __VA_ARGS__)
#define q6k_panel(...)         k_panel(YMM_Q6K, __VA_ARGS__)
LF_YMM_GEMM(q4_gemm, q4_panel, lf_panel_bytes_q4)
LF_YMM_GEMM(i8g_gemm, i8g_plain_panel, lf_panel_bytes_i8g)
LF_YMM_GEMM(i8gm_gemm, i8g_mins_panel, lf_panel_bytes_i8gm)
LF_YMM_GEMM(i8g16_gemm, i8g16_plain_panel, lf_panel_bytes_i8g16)
LF_YMM_GEMM(i8g16m_gemm, i8g16_mins_panel, lf_panel_bytes_i8g16m)
LF_YMM_GEMM(q2k_gemm, q2k_panel, lf_panel_bytes_q2k)
LF_YMM_GEMM(q3k_gemm, q3k_panel, lf_panel_bytes_q3k)
LF_YMM_GEMM(iq3s_gemm, iq3s_panel, lf_panel_bytes_iq3s)
LF_YMM_GEMM(t4_gemm, t4_plain_panel, lf_panel_bytes_t4)
LF_YMM_GEMM(t4g16_gemm, t4g16_panel, lf_panel_bytes_t4g16)
LF_YMM_GEMM(q4k_gemm, q4k_panel, lf_panel_bytes_q4k)
LF_YMM_GEMM(q5k_gemm, q5k_panel, lf_panel_bytes_q5k)
LF_YMM_GEMM(q6k_gemm, q6k_panel, lf_panel_bytes_q6k)

/* Defines the entries of one instruction set. */
#define LF_YMM_INT_ENTRIES(arch, feature)                                                          \
    LF_YMM_ENTRY(i8b32, LF_LHS_I8B32, LF_W_Q4, q4, q4, 32, arch, feature, .raw_blocks = true)      \
    LF_YMM_ENTRY(i8b32, LF_LHS_I8B32, LF_W_I8G, i8g, i8g, 32, arch, feature, .mins = false)        \
    LF_YMM_ENTRY(i8b32, LF_LHS_I8B32, LF_W_I8G, i8gm, i8g, 32, arch, feature, .mins = true)        \
    LF_YMM_ENTRY(i8b16, LF_LHS_I8B16, LF_W_I8G16, i8g16, i8g16, 32, arch, feature, .mins = false)  \
    LF_YMM_ENTRY(i8b16, LF_LHS_I8B16, LF_W_I8G16, i8g16m, i8g16, 32, arch, feature, .mins = true)  \
    LF_YMM_ENTRY(i8b16, LF_LHS_I8B16, LF_W_Q2K, q2k, q2k, 256, arch, feature, .raw_blocks = true)  \
    LF_YMM_ENTRY(i8b16, LF_LHS_I8B16, LF_W_Q3K, q3k, q3k, 256, arch, feature, .raw_blocks = true)  \
    LF_YMM_ENTRY(i8b32, LF_LHS_I8B32, LF_W_IQ3S, iq3s, iq3s, 256, arch, feature,                   \
                 .raw_blocks = true)                                                               \
    LF_YMM_ENTRY(i8b32, LF_LHS_I8B32, LF_W_T4, t4, t4, 32, arch, feature,                          \
                 .unpacked_bytes = lf_panel_bytes_i8g, .unpack = t4_unpack,                        \
                 .unpacked_fn = i8g_gemm)                                                          \
    LF_YMM_ENTRY(i8b16, LF_LHS_I8B16, LF_W_T4G16, t4g16, t4g16, 32, arch, feature,                 \
                 .unpacked_bytes = lf_panel_bytes_i8g16, .unpack = t4g16_unpack,                   \
                 .unpacked_fn = i8g16_gemm)                                                        \
    LF_YMM_ENTRY(i8b32, LF_LHS_I8B32, LF_W_Q4K, q4k, q4k, 256, arch, feature, .raw_blocks = true)  \
    LF_YMM_ENTRY(i8b32, LF_LHS_I8B32, LF_W_Q5K, q5k, q5k, 256, arch, feature, .raw_blocks = true)  \
    LF_YMM_ENTRY(i8b16, LF_LHS_I8B16, LF_W_Q6K, q6k, q6k, 256, arch, feature, .raw_blocks = true)

#endif /* LF_KERNELS_X86_YMM_GEMM_INT_H */
