/* SPDX-License-Identifier: Apache-2.0 */
/* The vector type of kernels/vector as two AVX2 registers: v16 is 16 floats, w16 16 int32 or 16
 * pairs of int16. */
#ifndef LF_KERNELS_X86_V16_AVX2_H
#define LF_KERNELS_X86_V16_AVX2_H

#include "kernels/numbers.h"
#include "kernels/vector/unroll.h"

#include <immintrin.h>

typedef struct v16 {
    __m256 a, b;
} v16;

LF_INLINE v16 v_set(float f)
{
    return (v16){_mm256_set1_ps(f), _mm256_set1_ps(f)};
}

LF_INLINE v16 v_load(const float *p)
{
    return (v16){_mm256_loadu_ps(p), _mm256_loadu_ps(p + 8)};
}

LF_INLINE void v_store(float *p, v16 x)
{
    _mm256_storeu_ps(p, x.a);
    _mm256_storeu_ps(p + 8, x.b);
}

/* All ones in the first n lanes. */
LF_INLINE v16 v_mask(size_t n)
{
    const __m256i lanes = _mm256_setr_epi32(0, 1, 2, 3, 4, 5, 6, 7);
    const __m256i count = _mm256_set1_epi32((int32_t)n);
    return (v16){_mm256_castsi256_ps(_mm256_cmpgt_epi32(count, lanes)),
                 _mm256_castsi256_ps(
                     _mm256_cmpgt_epi32(count, _mm256_add_epi32(lanes, _mm256_set1_epi32(8))))};
}

/* The first n floats, then zeros. */
LF_INLINE v16 v_load_n(const float *p, size_t n)
{
    const v16 mask = v_mask(n);
    return (v16){_mm256_maskload_ps(p, _mm256_castps_si256(mask.a)),
                 _mm256_maskload_ps(p + 8, _mm256_castps_si256(mask.b))};
}

LF_INLINE void v_store_n(float *p, v16 x, size_t n)
{
    const v16 mask = v_mask(n);
    _mm256_maskstore_ps(p, _mm256_castps_si256(mask.a), x.a);
    _mm256_maskstore_ps(p + 8, _mm256_castps_si256(mask.b), x.b);
}

LF_INLINE v16 v_load_f16(const uint16_t *p)
{
    return (v16){_mm256_cvtph_ps(_mm_loadu_si128((const __m128i *)(const void *)p)),
                 _mm256_cvtph_ps(_mm_loadu_si128((const __m128i *)(const void *)(p + 8)))};
}

LF_INLINE void v_store_f16(uint16_t *p, v16 x)
{
    _mm_storeu_si128((__m128i *)(void *)p, _mm256_cvtps_ph(x.a, _MM_FROUND_TO_NEAREST_INT));
    _mm_storeu_si128((__m128i *)(void *)(p + 8), _mm256_cvtps_ph(x.b, _MM_FROUND_TO_NEAREST_INT));
}

/* Stores the quants of x = quant + LF_MAGIC. */
LF_INLINE void v_store_i8(int8_t *p, v16 x)
{
    const __m256i byte = _mm256_set1_epi32(0xFF);
    const __m256i words = _mm256_permute4x64_epi64(
        _mm256_packus_epi32(_mm256_and_si256(_mm256_castps_si256(x.a), byte),
                            _mm256_and_si256(_mm256_castps_si256(x.b), byte)),
        0xD8);
    _mm_storeu_si128((__m128i *)(void *)p, _mm_packus_epi16(_mm256_castsi256_si128(words),
                                                            _mm256_extracti128_si256(words, 1)));
}

LF_INLINE __m256 v_load_bf16_half(const uint16_t *p)
{
    const __m128i h = _mm_loadu_si128((const __m128i *)(const void *)p);
    return _mm256_castsi256_ps(_mm256_slli_epi32(_mm256_cvtepu16_epi32(h), 16));
}

LF_INLINE v16 v_load_bf16(const uint16_t *p)
{
    return (v16){v_load_bf16_half(p), v_load_bf16_half(p + 8)};
}

LF_INLINE v16 v_add(v16 x, v16 y)
{
    return (v16){_mm256_add_ps(x.a, y.a), _mm256_add_ps(x.b, y.b)};
}

LF_INLINE v16 v_sub(v16 x, v16 y)
{
    return (v16){_mm256_sub_ps(x.a, y.a), _mm256_sub_ps(x.b, y.b)};
}

LF_INLINE v16 v_mul(v16 x, v16 y)
{
    return (v16){_mm256_mul_ps(x.a, y.a), _mm256_mul_ps(x.b, y.b)};
}

LF_INLINE v16 v_div(v16 x, v16 y)
{
    return (v16){_mm256_div_ps(x.a, y.a), _mm256_div_ps(x.b, y.b)};
}

LF_INLINE v16 v_fma(v16 x, v16 y, v16 z)
{
    return (v16){_mm256_fmadd_ps(x.a, y.a, z.a), _mm256_fmadd_ps(x.b, y.b, z.b)};
}

/* x > y ? x : y: y where x is NaN. */
LF_INLINE v16 v_max(v16 x, v16 y)
{
    return (v16){_mm256_max_ps(x.a, y.a), _mm256_max_ps(x.b, y.b)};
}

/* The larger magnitude, as bits: infinity and NaN above all. x has no sign. */
LF_INLINE v16 v_max_bits(v16 x, v16 y)
{
    const __m256i mask = _mm256_set1_epi32(0x7FFFFFFF);
    const __m256i a = _mm256_and_si256(_mm256_castps_si256(y.a), mask);
    const __m256i b = _mm256_and_si256(_mm256_castps_si256(y.b), mask);
    return (v16){_mm256_castsi256_ps(_mm256_max_epi32(_mm256_castps_si256(x.a), a)),
                 _mm256_castsi256_ps(_mm256_max_epi32(_mm256_castps_si256(x.b), b))};
}

/* x < y ? x : y */
LF_INLINE v16 v_min(v16 x, v16 y)
{
    return (v16){_mm256_min_ps(x.a, y.a), _mm256_min_ps(x.b, y.b)};
}

LF_INLINE v16 v_neg(v16 x)
{
    const __m256 sign = _mm256_set1_ps(-0.0f);
    return (v16){_mm256_xor_ps(x.a, sign), _mm256_xor_ps(x.b, sign)};
}

/* x in the first n lanes, y in the others. */
LF_INLINE v16 v_first(size_t n, v16 x, v16 y)
{
    const v16 mask = v_mask(n);
    return (v16){_mm256_blendv_ps(y.a, x.a, mask.a), _mm256_blendv_ps(y.b, x.b, mask.b)};
}

/* Adds, or compares, both halves: the first step of the folds, in the order of lf_fold_sum. */
LF_INLINE __m256 v_half_sum(v16 x)
{
    return _mm256_add_ps(x.a, x.b);
}

LF_INLINE __m256 v_half_max(v16 x)
{
    return _mm256_max_ps(x.a, x.b);
}

LF_INLINE __m256i v_half_max_bits(v16 x)
{
    return _mm256_max_epi32(_mm256_castps_si256(x.a), _mm256_castps_si256(x.b));
}

LF_INLINE __m256 v_scale2_half(__m256 p, __m256 shifted)
{
    const __m256i one = _mm256_set1_epi32(127), offset = _mm256_set1_epi32(1024);
    const __m256i e =
        _mm256_sub_epi32(_mm256_castps_si256(shifted), _mm256_set1_epi32(LF_MAGIC_BITS));
    const __m256i half =
        _mm256_sub_epi32(_mm256_srli_epi32(_mm256_add_epi32(e, offset), 1), _mm256_set1_epi32(512));
    const __m256i first = _mm256_slli_epi32(_mm256_add_epi32(half, one), 23);
    const __m256i second = _mm256_slli_epi32(_mm256_add_epi32(_mm256_sub_epi32(e, half), one), 23);
    p = _mm256_mul_ps(p, _mm256_castsi256_ps(first));
    return _mm256_mul_ps(p, _mm256_castsi256_ps(second));
}

/* p * 2^n; shifted = n + LF_MAGIC. */
LF_INLINE v16 v_scale2(v16 p, v16 n, v16 shifted)
{
    (void)n;
    return (v16){v_scale2_half(p.a, shifted.a), v_scale2_half(p.b, shifted.b)};
}

/* ---- 16 lanes of int32, or of pairs of int16 ---- */

typedef struct w16 {
    __m256i a, b;
} w16;

LF_INLINE w16 w_zero(void)
{
    return (w16){_mm256_setzero_si256(), _mm256_setzero_si256()};
}

/* Stores the int16 quants of x = quant + LF_MAGIC. */
LF_INLINE void w_store_i16(int16_t *p, v16 x)
{
    const __m256i word = _mm256_set1_epi32(0xFFFF);
    const __m256i words = _mm256_packus_epi32(_mm256_and_si256(_mm256_castps_si256(x.a), word),
                                              _mm256_and_si256(_mm256_castps_si256(x.b), word));
    _mm256_storeu_si256((__m256i *)(void *)p, _mm256_permute4x64_epi64(words, 0xD8));
}

/* 16 pairs of int8. */
LF_INLINE w16 w_load_i8(const int8_t *p)
{
    return (w16){_mm256_cvtepi8_epi16(_mm_loadu_si128((const __m128i *)(const void *)p)),
                 _mm256_cvtepi8_epi16(_mm_loadu_si128((const __m128i *)(const void *)(p + 16)))};
}

/* One pair in all lanes. */
LF_INLINE w16 w_pair(const int16_t *p)
{
    int32_t pair;
    memcpy(&pair, p, sizeof pair);
    return (w16){_mm256_set1_epi32(pair), _mm256_set1_epi32(pair)};
}

/* In assembly because gcc copies each sum twice when its intrinsic is in a loop. */
LF_INLINE __m256i w_dot_half(__m256i sum, __m256i a, __m256i b)
{
#ifdef __AVXVNNI__
    __asm__("%{vex%} vpdpwssd %2, %1, %0" : "+x"(sum) : "x"(a), "x"(b));
    return sum;
#else
    return _mm256_add_epi32(sum, _mm256_madd_epi16(a, b));
#endif
}

/* sum + the two products of each pair */
LF_INLINE w16 w_dot(w16 sum, w16 x, w16 y)
{
    return (w16){w_dot_half(sum.a, x.a, y.a), w_dot_half(sum.b, x.b, y.b)};
}

LF_INLINE v16 w_float(w16 x)
{
    return (v16){_mm256_cvtepi32_ps(x.a), _mm256_cvtepi32_ps(x.b)};
}

#include "kernels/x86/v16_fold.h"

#endif /* LF_KERNELS_X86_V16_AVX2_H */
