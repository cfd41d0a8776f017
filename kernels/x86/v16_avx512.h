/* SPDX-License-Identifier: Apache-2.0 */
/* The vector type of kernels/vector as one AVX-512 register: v16 is 16 floats, w16 16 int32 or 16
 * pairs of int16. */
#ifndef LF_KERNELS_X86_V16_AVX512_H
#define LF_KERNELS_X86_V16_AVX512_H

#include "kernels/numbers.h"
#include "kernels/vector/unroll.h"

#include <immintrin.h>

typedef __m512 v16;

LF_INLINE __mmask16 v_mask(size_t n)
{
    return (__mmask16)(n < 16 ? (1u << n) - 1u : 0xFFFFu);
}

LF_INLINE v16 v_set(float f)
{
    return _mm512_set1_ps(f);
}

LF_INLINE v16 v_load(const float *p)
{
    return _mm512_loadu_ps(p);
}

/* The first n floats, then zeros. */
LF_INLINE v16 v_load_n(const float *p, size_t n)
{
    return _mm512_maskz_loadu_ps(v_mask(n), p);
}

LF_INLINE void v_store(float *p, v16 a)
{
    _mm512_storeu_ps(p, a);
}

LF_INLINE void v_store_n(float *p, v16 a, size_t n)
{
    _mm512_mask_storeu_ps(p, v_mask(n), a);
}

LF_INLINE v16 v_load_f16(const uint16_t *p)
{
    return _mm512_cvtph_ps(_mm256_loadu_si256((const __m256i *)(const void *)p));
}

LF_INLINE void v_store_f16(uint16_t *p, v16 a)
{
    _mm256_storeu_si256((__m256i *)(void *)p, _mm512_cvtps_ph(a, _MM_FROUND_TO_NEAREST_INT));
}

/* Stores the quants of x = quant + LF_MAGIC. */
LF_INLINE void v_store_i8(int8_t *p, v16 x)
{
    _mm_storeu_si128((__m128i *)(void *)p, _mm512_cvtepi32_epi8(_mm512_castps_si512(x)));
}

LF_INLINE v16 v_load_bf16(const uint16_t *p)
{
    const __m256i h = _mm256_loadu_si256((const __m256i *)(const void *)p);
    return _mm512_castsi512_ps(_mm512_slli_epi32(_mm512_cvtepu16_epi32(h), 16));
}

LF_INLINE v16 v_add(v16 a, v16 b)
{
    return _mm512_add_ps(a, b);
}

LF_INLINE v16 v_sub(v16 a, v16 b)
{
    return _mm512_sub_ps(a, b);
}

LF_INLINE v16 v_mul(v16 a, v16 b)
{
    return _mm512_mul_ps(a, b);
}

LF_INLINE v16 v_div(v16 a, v16 b)
{
    return _mm512_div_ps(a, b);
}

LF_INLINE v16 v_fma(v16 a, v16 b, v16 c)
{
    return _mm512_fmadd_ps(a, b, c);
}

/* a > b ? a : b: b where a is NaN. */
LF_INLINE v16 v_max(v16 a, v16 b)
{
    return _mm512_max_ps(a, b);
}

/* The larger magnitude, as bits: infinity and NaN above all. a has no sign. */
LF_INLINE v16 v_max_bits(v16 a, v16 b)
{
    const __m512i magnitude =
        _mm512_and_si512(_mm512_castps_si512(b), _mm512_set1_epi32(0x7FFFFFFF));
    return _mm512_castsi512_ps(_mm512_max_epi32(_mm512_castps_si512(a), magnitude));
}

/* a < b ? a : b */
LF_INLINE v16 v_min(v16 a, v16 b)
{
    return _mm512_min_ps(a, b);
}

LF_INLINE v16 v_neg(v16 a)
{
    return _mm512_xor_ps(a, _mm512_set1_ps(-0.0f));
}

/* a in the first n lanes, b in the others. */
LF_INLINE v16 v_first(size_t n, v16 a, v16 b)
{
    return _mm512_mask_blend_ps(v_mask(n), b, a);
}

/* Adds, or compares, both halves: the first step of the folds, in the order of lf_fold_sum. */
LF_INLINE __m256 v_half_sum(v16 a)
{
    return _mm256_add_ps(_mm512_castps512_ps256(a), _mm512_extractf32x8_ps(a, 1));
}

LF_INLINE __m256 v_half_max(v16 a)
{
    return _mm256_max_ps(_mm512_castps512_ps256(a), _mm512_extractf32x8_ps(a, 1));
}

LF_INLINE __m256i v_half_max_bits(v16 a)
{
    return _mm256_max_epi32(_mm512_castsi512_si256(_mm512_castps_si512(a)),
                            _mm512_extracti32x8_epi32(_mm512_castps_si512(a), 1));
}

/* p * 2^n; shifted = n + LF_MAGIC. */
LF_INLINE v16 v_scale2(v16 p, v16 n, v16 shifted)
{
    (void)shifted;
    return _mm512_scalef_ps(p, n);
}

/* ---- 16 lanes of int32, or of pairs of int16 ---- */

typedef __m512i w16;

LF_INLINE w16 w_zero(void)
{
    return _mm512_setzero_si512();
}

/* Stores the int16 quants of x = quant + LF_MAGIC. */
LF_INLINE void w_store_i16(int16_t *p, v16 x)
{
    _mm256_storeu_si256((__m256i *)(void *)p, _mm512_cvtepi32_epi16(_mm512_castps_si512(x)));
}

/* 16 pairs of int8. */
LF_INLINE w16 w_load_i8(const int8_t *p)
{
    return _mm512_cvtepi8_epi16(_mm256_loadu_si256((const __m256i *)(const void *)p));
}

/* One pair in all lanes. */
LF_INLINE w16 w_pair(const int16_t *p)
{
    int32_t pair;
    memcpy(&pair, p, sizeof pair);
    return _mm512_set1_epi32(pair);
}

/* sum + the two products of each pair. In assembly because gcc copies each sum twice when its
 * intrinsic is in a loop. */
LF_INLINE w16 w_dot(w16 sum, w16 a, w16 b)
{
#ifdef __AVX512VNNI__
    __asm__("vpdpwssd %2, %1, %0" : "+v"(sum) : "v"(a), "v"(b));
    return sum;
#else
    return _mm512_add_epi32(sum, _mm512_madd_epi16(a, b));
#endif
}

LF_INLINE v16 w_float(w16 a)
{
    return _mm512_cvtepi32_ps(a);
}

#include "kernels/x86/v16_fold.h"

#endif /* LF_KERNELS_X86_V16_AVX512_H */
