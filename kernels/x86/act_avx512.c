/* SPDX-License-Identifier: Apache-2.0 */
/* Owns the quantisation of LF_A_I8B32 and LF_A_I8X2B32 for AVX-512; scalar/act.c defines it. */
#include "kernels/x86/unroll.h"

LF_INLINE uint32_t largest(__m512i m)
{
    const __m256i h = _mm256_max_epu32(_mm512_castsi512_si256(m), _mm512_extracti64x4_epi64(m, 1));
    __m128i q = _mm_max_epu32(_mm256_castsi256_si128(h), _mm256_extracti128_si256(h, 1));
    q = _mm_max_epu32(q, _mm_shuffle_epi32(q, _MM_SHUFFLE(1, 0, 3, 2)));
    q = _mm_max_epu32(q, _mm_shuffle_epi32(q, _MM_SHUFFLE(2, 3, 0, 1)));
    return (uint32_t)_mm_cvtsi128_si32(q);
}

/* Sum of 16 signed bytes. */
LF_INLINE int32_t sum_codes(__m128i codes)
{
    const __m128i sums =
        _mm_sad_epu8(_mm_xor_si128(codes, _mm_set1_epi8(-128)), _mm_setzero_si128());
    return _mm_cvtsi128_si32(_mm_add_epi32(sums, _mm_unpackhi_epi64(sums, sums))) - 16 * 128;
}

LF_INLINE void put_codes(uint8_t *out, float scale, __m512i low, __m512i high)
{
    const __m128i l = _mm512_cvtepi32_epi8(low), h = _mm512_cvtepi32_epi8(high);
    lf_put_block(out, scale, sum_codes(l), sum_codes(h));
    _mm_storeu_si128((__m128i *)(void *)(out + LF_X_CODES * 4), l);
    _mm_storeu_si128((__m128i *)(void *)(out + LF_X_CODES * 4 + 16), h);
}

/* Codes of what rounding x * inverse to `code` left. */
LF_INLINE __m512i left_over(__m512 x, __m512 inverse, __m512i code)
{
    const __m512 left = _mm512_fmsub_ps(x, inverse, _mm512_cvtepi32_ps(code));
    return _mm512_cvtps_epi32(_mm512_mul_ps(left, _mm512_set1_ps(LF_X2_STEPS)));
}

LF_INLINE void quantize(const bool twice, size_t k, const float *x, void *row)
{
    const __m512i positive = _mm512_set1_epi32(0x7FFFFFFF);
    const size_t step = (twice ? 2 : 1) * LF_X_DWORDS * 4;
    uint8_t *out = row;
    for (size_t b = 0; b < k / 32; b++, x += 32, out += step) {
        const __m512 v0 = _mm512_loadu_ps(x), v1 = _mm512_loadu_ps(x + 16);
        const uint32_t amax =
            largest(_mm512_max_epu32(_mm512_and_si512(_mm512_castps_si512(v0), positive),
                                     _mm512_and_si512(_mm512_castps_si512(v1), positive)));
        if (amax < LF_X_TINY || amax >= LF_X_HUGE) {
            (twice ? lf_act_i8x2b32_scalar : lf_act_i8b32_scalar).quantize(32, x, out);
            continue;
        }
        const __m512 inverse = _mm512_set1_ps(127.0f / lf_float(amax));
        const __m512i low = _mm512_cvtps_epi32(_mm512_mul_ps(v0, inverse));
        const __m512i high = _mm512_cvtps_epi32(_mm512_mul_ps(v1, inverse));
        const float scale = lf_block_scale(amax);
        put_codes(out, scale, low, high);
        if (twice) {
            put_codes(out + LF_X_DWORDS * 4, lf_scale22(scale * (1.0f / LF_X2_STEPS)),
                      left_over(v0, inverse, low), left_over(v1, inverse, high));
        }
    }
}

static void quantize_once(size_t k, const float *x, void *row)
{
    quantize(false, k, x, row);
}

static void quantize_twice(size_t k, const float *x, void *row)
{
    quantize(true, k, x, row);
}

const lf_act lf_act_i8b32_avx512 = {.name = "i8b32",
                                    .by = LF_BY_LFM2,
                                    .needs = LF_CPU_AVX512,
                                    .row_bytes = lf_row_bytes_i8b32,
                                    .quantize = quantize_once,
                                    .tile_bytes = lf_tile_bytes_i8b32,
                                    .tile = lf_tile_i8b32};

const lf_act lf_act_i8x2b32_avx512 = {.name = "i8x2b32",
                                      .by = LF_BY_LFM2,
                                      .needs = LF_CPU_AVX512,
                                      .row_bytes = lf_row_bytes_i8x2b32,
                                      .quantize = quantize_twice,
                                      .tile_bytes = lf_tile_bytes_i8x2b32,
                                      .tile = lf_tile_i8x2b32};
