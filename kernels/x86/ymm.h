/* SPDX-License-Identifier: Apache-2.0 */
/* Steps that the 256-bit integer kernels share; ymm_gemm_int.h describes these kernels. */
#ifndef LF_KERNELS_X86_YMM_H
#define LF_KERNELS_X86_YMM_H

#include "kernels/lhs_layout.h"
#include "kernels/panel_layout.h"
#include "kernels/tables.h"
#include "kernels/vector/prefetch.h"

#include <immintrin.h>

/* Tiles of up to YMM_FIXED_ROWS rows have functions of their own; a larger tile is computed in
 * subtiles of at most YMM_ROWS rows. */
enum { YMM_FIXED_ROWS = 4, YMM_ROWS = 6, LF_YMM_MR = 16 };
#define LF_YMM_TILE "16x16c4"

/* F(g) for each of the 8 groups of 4 k of a block. */
#define LF_EACH_GROUP(F) F(0) F(1) F(2) F(3) F(4) F(5) F(6) F(7)

LF_INLINE __m256 lf_load_f16x8(const uint8_t *p)
{
    return _mm256_cvtph_ps(_mm_load_si128((const __m128i *)(const void *)p));
}

/* 16 f16 -> 16 floats. */
LF_INLINE void lf_ymm_f16x16(const uint8_t *p, float *out)
{
    _mm256_store_ps(out, lf_load_f16x8(p));
    _mm256_store_ps(out + 8, lf_load_f16x8(p + 16));
}

LF_INLINE __m256i lf_load_ymm(const uint8_t *p)
{
    return _mm256_load_si256((const __m256i *)(const void *)p);
}

LF_INLINE void lf_store_ymm(uint8_t *p, __m256i v)
{
    _mm256_store_si256((__m256i *)(void *)p, v);
}

/* (v >> n) & mask */
LF_INLINE __m256i lf_ymm_field(__m256i v, const int n, char mask)
{
    return _mm256_and_si256(n != 0 ? _mm256_srli_epi32(v, n) : v, _mm256_set1_epi8(mask));
}

/* Quants of group g of a block of LF_W_Q2K or LF_W_Q3K, as lf_ymm_quants. */
LF_INLINE __m256i lf_ymm_few_bits(const int bits, const uint8_t *line, const size_t g)
{
    if (bits == 2) {
        return lf_ymm_field(lf_load_ymm(line + g / 4 * 64), (int)(g % 4) * 2, 3);
    }
    if (g < 6) {
        return lf_ymm_field(lf_load_ymm(line + g / 2 * 64), (int)(g % 2) * 4, 7);
    }
    const __m256i top = _mm256_set1_epi8((char)0x88);
    const __m256i bit0 = _mm256_srli_epi32(_mm256_and_si256(lf_load_ymm(line), top), 3);
    const __m256i bit1 = _mm256_srli_epi32(_mm256_and_si256(lf_load_ymm(line + 64), top), 2);
    const __m256i bit2 = _mm256_srli_epi32(_mm256_and_si256(lf_load_ymm(line + 128), top), 1);
    const __m256i both = _mm256_or_si256(_mm256_or_si256(bit0, bit1), bit2);
    return lf_ymm_field(both, g == 6 ? 0 : 4, 7);
}

/* Quants of group g of a block of LF_W_Q5K, as lf_ymm_quants. */
LF_INLINE __m256i lf_ymm_five_bits(const uint8_t *line, const size_t g)
{
    if (g < 5) {
        return lf_ymm_field(lf_load_ymm(line + g * 64), 0, 31);
    }
    const uint8_t *first = line + (g - 5) * 2 * 64;
    const __m256i upper = lf_ymm_field(lf_load_ymm(first), 3, 28);
    if (g < 7) {
        return _mm256_or_si256(upper, lf_ymm_field(lf_load_ymm(first + 64), 6, 3));
    }
    const __m256i bit0 = lf_ymm_field(lf_load_ymm(line + 64), 5, 1);
    const __m256i bit1 = lf_ymm_field(lf_load_ymm(line + 3 * 64), 4, 2);
    return _mm256_or_si256(upper, _mm256_or_si256(bit0, bit1));
}

/* Quants of group g of half a block of LF_W_Q6K, as lf_ymm_quants. */
LF_INLINE __m256i lf_ymm_six_bits(const uint8_t *line, const size_t g)
{
    if (g < 3) {
        return lf_ymm_field(lf_load_ymm(line + g * 64), 0, 63);
    }
    const __m256i first = lf_ymm_field(lf_load_ymm(line), 2, 48);
    const __m256i second = lf_ymm_field(lf_load_ymm(line + 64), 4, 12);
    const __m256i third = lf_ymm_field(lf_load_ymm(line + 128), 6, 3);
    return _mm256_or_si256(first, _mm256_or_si256(second, third));
}

/* Quants of group g of a block, `bits` wide, unsigned: 8 columns, from byte `half` on. */
LF_INLINE __m256i lf_ymm_quants(const int bits, const uint8_t *quants, const size_t g,
                                const size_t half)
{
    if (bits == 8) {
        return lf_load_ymm(quants + g * 64 + half);
    }
    if (bits < 4) {
        return lf_ymm_few_bits(bits, quants + half, g);
    }
    if (bits == 4) {
        return lf_ymm_field(lf_load_ymm(quants + g % 4 * 64 + half), g < 4 ? 0 : 4, 15);
    }
    return bits == 5 ? lf_ymm_five_bits(quants + half, g)
                     : lf_ymm_six_bits(quants + g / 4 * 3 * 64 + half, g % 4);
}

/* The start of sums of half a block for the zero point of quants of `bits`, 4 or 128, from that for
 * 32, LF_MAGIC_BITS - 32 * sum. */
LF_INLINE __m256i lf_ymm_half_start(const int bits, __m256i start32)
{
    if (bits == 3) {
        return _mm256_add_epi32(_mm256_srli_epi32(start32, 3),
                                _mm256_set1_epi32(LF_MAGIC_BITS - LF_MAGIC_BITS / 8));
    }
    if (bits == 8) {
        return _mm256_sub_epi32(_mm256_slli_epi32(start32, 2),
                                _mm256_set1_epi32((int32_t)(3u * (uint32_t)LF_MAGIC_BITS)));
    }
    return start32;
}

/* acc = fma(isum * LHS scale, weight scale, acc), where s is LF_MAGIC + isum. With `sums` (of the
 * rows' LHS quants, times the LHS scale) then acc = fma(-sum, minimum, acc). x: the rows' LHS
 * scales, each followed by its bias. */
LF_INLINE void lf_ymm_finish(const size_t m, const uint32_t *x, const __m256i *s,
                             const float *scales, const uint32_t *sums, const float *minimums,
                             float (*acc)[LF_NR])
{
    const __m256 scale0 = _mm256_load_ps(scales), scale1 = _mm256_load_ps(scales + 8);
    __m256 minimum0 = _mm256_setzero_ps(), minimum1 = minimum0;
    if (sums != NULL) {
        minimum0 = _mm256_load_ps(minimums);
        minimum1 = _mm256_load_ps(minimums + 8);
    }
#define F(i)                                                                                       \
    {                                                                                              \
        const __m256 xs = _mm256_set1_ps(lf_load_f32(x + (i)*LF_X_DWORDS));                        \
        const __m256 xb = _mm256_set1_ps(lf_load_f32(x + (i)*LF_X_DWORDS + 1));                    \
        const __m256 t0 = _mm256_fmadd_ps(_mm256_castsi256_ps(s[2 * (i)]), xs, xb);                \
        const __m256 t1 = _mm256_fmadd_ps(_mm256_castsi256_ps(s[2 * (i) + 1]), xs, xb);            \
        __m256 sum0 = _mm256_fmadd_ps(t0, scale0, _mm256_load_ps(acc[i]));                         \
        __m256 sum1 = _mm256_fmadd_ps(t1, scale1, _mm256_load_ps(acc[i] + 8));                     \
        if (sums != NULL) {                                                                        \
            const __m256 quants = _mm256_set1_ps(lf_load_f32(sums + (i)*LF_X_DWORDS));             \
            sum0 = _mm256_fnmadd_ps(quants, minimum0, sum0);                                       \
            sum1 = _mm256_fnmadd_ps(quants, minimum1, sum1);                                       \
        }                                                                                          \
        _mm256_store_ps(acc[i], sum0);                                                             \
        _mm256_store_ps(acc[i] + 8, sum1);                                                         \
    }
    LF_EACH_ROW(m, F)
#undef F
}

/* Calls block(format, unpacked, rows, x, quants, factors, acc) for all m rows of a tile, m above
 * YMM_FIXED_ROWS, in subtiles. Blocks of x have `stride` dwords. */
#define LF_YMM_SUBTILE(n, stride, block, format, unpacked, quants, factors)                        \
    block(format, unpacked, n, x + row * (stride), quants, factors, acc + row)

/* For a product and a sum that are two instructions: subtiles of 3, the fastest size, and as
 * few of 4 as possible. */
#define LF_YMM_SUBTILES_3(m, stride, ...)                                                          \
    {                                                                                              \
        const size_t fours = (m) == 5 ? 0 : (m) % 3;                                               \
        size_t row = 0;                                                                            \
        for (; row + 4 * fours + 2 < (m); row += 3) {                                              \
            LF_YMM_SUBTILE(3, stride, __VA_ARGS__);                                                \
        }                                                                                          \
        for (; row + 3 < (m); row += 4) {                                                          \
            LF_YMM_SUBTILE(4, stride, __VA_ARGS__);                                                \
        }                                                                                          \
        if (row < (m)) {                                                                           \
            LF_YMM_SUBTILE(2, stride, __VA_ARGS__);                                                \
        }                                                                                          \
    }

/* For one instruction whose latency the rows must hide: subtiles of up to 6, as equal as
 * possible. */
#define LF_YMM_SUBTILES_6(m, stride, ...)                                                          \
    for (size_t row = 0, n; row < (m); row += n) {                                                 \
        const size_t left = (m)-row;                                                               \
        n = left <= 6 ? left : (left <= 12 ? (left + 1) / 2 : (left + 2) / 3);                     \
        if (n == 6) {                                                                              \
            LF_YMM_SUBTILE(6, stride, __VA_ARGS__);                                                \
        } else if (n == 5) {                                                                       \
            LF_YMM_SUBTILE(5, stride, __VA_ARGS__);                                                \
        } else if (n == 4) {                                                                       \
            LF_YMM_SUBTILE(4, stride, __VA_ARGS__);                                                \
        } else {                                                                                   \
            LF_YMM_SUBTILE(3, stride, __VA_ARGS__);                                                \
        }                                                                                          \
    }

LF_INLINE void lf_ymm_clear(size_t m, float (*acc)[LF_NR])
{
    for (size_t i = 0; i < m; i++) {
        _mm256_store_ps(acc[i], _mm256_setzero_ps());
        _mm256_store_ps(acc[i] + 8, _mm256_setzero_ps());
    }
}

LF_INLINE void lf_ymm_store(size_t m, float (*acc)[LF_NR], size_t columns, float *c,
                            size_t c_stride)
{
    for (size_t i = 0; i < m; i++) {
        if (columns >= LF_NR) {
            _mm256_storeu_ps(c + i * c_stride, _mm256_load_ps(acc[i]));
            _mm256_storeu_ps(c + i * c_stride + 8, _mm256_load_ps(acc[i] + 8));
        } else {
            memcpy(c + i * c_stride, acc[i], columns * sizeof(float));
        }
    }
}

/* Defines a lf_gemm_fn `name` from panel(distances, fixed, m, k, tile, panel, acc), where `fixed`
 * is a constant: m, or 0 for m above YMM_FIXED_ROWS. */
#define LF_YMM_GEMM_FIXED(name, fixed, panel, bytes)                                               \
    static void name##_##fixed(size_t m, size_t n, size_t k, const void *tile, const void *panels, \
                               float *c, size_t c_stride, lf_prefetch_policy policy)               \
    {                                                                                              \
        const uint8_t *p = panels;                                                                 \
        const size_t rows = (fixed) != 0 ? (fixed) : m;                                            \
        const lf_distances distances = lf_prefetch_distances(policy);                              \
        for (size_t n0 = 0; n0 < n; n0 += LF_NR, p += bytes(k)) {                                  \
            _Alignas(32) float acc[(fixed) != 0 ? (fixed) : LF_YMM_MR][LF_NR];                     \
            lf_ymm_clear(rows, acc);                                                               \
            panel(distances, fixed, rows, k, tile, p, acc);                                        \
            lf_ymm_store(rows, acc, n - n0, c + n0, c_stride);                                     \
        }                                                                                          \
    }
#define LF_YMM_GEMM(name, panel, bytes)                                                            \
    LF_YMM_GEMM_FIXED(name, 0, panel, bytes)                                                       \
    LF_YMM_GEMM_FIXED(name, 1, panel, bytes)                                                       \
    LF_YMM_GEMM_FIXED(name, 2, panel, bytes)                                                       \
    LF_YMM_GEMM_FIXED(name, 3, panel, bytes)                                                       \
    LF_YMM_GEMM_FIXED(name, 4, panel, bytes)                                                       \
    static void name(size_t m, size_t n, size_t k, const void *tile, const void *panels, float *c, \
                     size_t c_stride, lf_prefetch_policy policy)                                   \
    {                                                                                              \
        static const lf_gemm_fn by_rows[] = {name##_0, name##_1, name##_2, name##_3, name##_4};    \
        by_rows[m <= YMM_FIXED_ROWS ? m : 0](m, n, k, tile, panels, c, c_stride, policy);          \
    }

#define LF_YMM_ENTRY(in, in_format, format, tag, packer, multiple, arch, feature, ...)             \
    const lf_gemm lf_gemm_##tag##_##arch = {.name =                                                \
                                                #in "_f32_" #tag "_gemm_" LF_YMM_TILE "__" #arch,  \
                                            .isa = #arch,                                          \
                                            .provider = LF_PROVIDER_LFM2,                          \
                                            .needs = feature,                                      \
                                            .weights = format,                                     \
                                            .lhs = in_format,                                      \
                                            .mr = LF_YMM_MR,                                       \
                                            .nr = LF_NR,                                           \
                                            .k_multiple = multiple,                                \
                                            .exact = true,                                         \
                                            .panel_bytes = lf_panel_bytes_##tag,                   \
                                            .pack = lf_pack_##packer,                              \
                                            .fn = tag##_gemm,                                      \
                                            __VA_ARGS__};

#endif /* LF_KERNELS_X86_YMM_H */
