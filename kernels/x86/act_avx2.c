/* SPDX-License-Identifier: Apache-2.0 */
/* Owns the quantisation of LF_A_I8B32, LF_A_I8X2B32 and LF_A_I8B16 for AVX2; scalar/act.c defines
 * it. */
#include "kernels/x86/unroll.h"

/* Sum of 16 signed bytes. */
LF_INLINE int32_t sum_codes(__m128i codes)
{
    const __m128i sums =
        _mm_sad_epu8(_mm_xor_si128(codes, _mm_set1_epi8(-128)), _mm_setzero_si128());
    return _mm_cvtsi128_si32(_mm_add_epi32(sums, _mm_unpackhi_epi64(sums, sums))) - 16 * 128;
}

LF_INLINE __m256i magnitudes(__m256 v)
{
    return _mm256_and_si256(_mm256_castps_si256(v), _mm256_set1_epi32(0x7FFFFFFF));
}

LF_INLINE uint32_t largest(__m256i m)
{
    __m128i h = _mm_max_epu32(_mm256_castsi256_si128(m), _mm256_extracti128_si256(m, 1));
    h = _mm_max_epu32(h, _mm_shuffle_epi32(h, _MM_SHUFFLE(1, 0, 3, 2)));
    h = _mm_max_epu32(h, _mm_shuffle_epi32(h, _MM_SHUFFLE(2, 3, 0, 1)));
    return (uint32_t)_mm_cvtsi128_si32(h);
}

/* codes: 4 x 8 dwords. */
LF_INLINE void put_codes(uint8_t *out, float scale, const __m256i *codes)
{
    const __m256i order = _mm256_setr_epi32(0, 4, 1, 5, 2, 6, 3, 7);
    const __m256i low = _mm256_packs_epi32(codes[0], codes[1]);
    const __m256i high = _mm256_packs_epi32(codes[2], codes[3]);
    const __m256i bytes = _mm256_permutevar8x32_epi32(_mm256_packs_epi16(low, high), order);
    lf_put_block(out, scale,
                 sum_codes(_mm256_castsi256_si128(bytes)) +
                     sum_codes(_mm256_extracti128_si256(bytes, 1)));
    _mm256_storeu_si256((__m256i *)(void *)(out + LF_X_CODES * 4), bytes);
}

LF_INLINE void quantize(const bool twice, size_t k, const float *x, void *row)
{
    const size_t step = (twice ? 2 : 1) * LF_X_BYTES;
    uint8_t *out = row;
    for (size_t b = 0; b < k / 32; b++, x += 32, out += step) {
        __m256 v[4];
        __m256i most[4], codes[4];
        for (size_t i = 0; i < 4; i++) {
            v[i] = _mm256_loadu_ps(x + 8 * i);
            most[i] = magnitudes(v[i]);
        }
        const uint32_t amax = largest(_mm256_max_epu32(_mm256_max_epu32(most[0], most[1]),
                                                       _mm256_max_epu32(most[2], most[3])));
        if (amax < LF_X_TINY || amax >= LF_X_HUGE) {
            (twice ? lf_act_i8x2b32_scalar : lf_act_i8b32_scalar).quantize(32, x, out);
            continue;
        }
        const __m256 inverse = _mm256_set1_ps(127.0f / lf_float(amax));
        const float scale = lf_block_scale(amax);
        for (size_t i = 0; i < 4; i++) {
            codes[i] = _mm256_cvtps_epi32(_mm256_mul_ps(v[i], inverse));
        }
        put_codes(out, scale, codes);
        if (twice) { /* codes of what this rounding left */
            for (size_t i = 0; i < 4; i++) {
                const __m256 left = _mm256_fmsub_ps(v[i], inverse, _mm256_cvtepi32_ps(codes[i]));
                codes[i] = _mm256_cvtps_epi32(_mm256_mul_ps(left, _mm256_set1_ps(LF_X2_STEPS)));
            }
            put_codes(out + LF_X_BYTES, lf_scale22(scale * (1.0f / LF_X2_STEPS)), codes);
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

const lf_act lf_act_i8b32_avx2 = {.name = "i8b32",
                                  .by = LF_BY_LFM2,
                                  .needs = LF_CPU_AVX2,
                                  .block_bytes = LF_X_BYTES,
                                  .row_bytes = lf_row_bytes_i8b32,
                                  .quantize = quantize_once,
                                  .tile_bytes = lf_tile_bytes_i8b32,
                                  .tile = lf_tile_i8b32};

const lf_act lf_act_i8x2b32_avx2 = {.name = "i8x2b32",
                                    .by = LF_BY_LFM2,
                                    .needs = LF_CPU_AVX2,
                                    .block_bytes = 2 * LF_X_BYTES,
                                    .row_bytes = lf_row_bytes_i8x2b32,
                                    .quantize = quantize_twice,
                                    .tile_bytes = lf_tile_bytes_i8x2b32,
                                    .tile = lf_tile_i8x2b32};

static void quantize_i8b16(size_t k, const float *x, void *row)
{
    for (size_t h = 0; h < k / 16; h++, x += 16) {
        uint8_t *out = (uint8_t *)row + h / 2 * LF_X_BYTES;
        const __m256 v0 = _mm256_loadu_ps(x), v1 = _mm256_loadu_ps(x + 8);
        const uint32_t amax = largest(_mm256_max_epu32(magnitudes(v0), magnitudes(v1)));
        const bool usable = amax >= LF_X_TINY && amax < LF_X_HUGE;
        const __m256 inverse = _mm256_set1_ps(usable ? 127.0f / lf_float(amax) : 0.0f);
        const __m256i c0 = _mm256_cvtps_epi32(_mm256_mul_ps(v0, inverse));
        const __m256i c1 = _mm256_cvtps_epi32(_mm256_mul_ps(v1, inverse));
        const __m256i words =
            _mm256_permute4x64_epi64(_mm256_packs_epi32(c0, c1), _MM_SHUFFLE(3, 1, 2, 0));
        __m128i codes =
            _mm_packs_epi16(_mm256_castsi256_si128(words), _mm256_extracti128_si256(words, 1));
        if (!usable) { /* infinity and NaN times 0 are no code */
            codes = _mm_setzero_si128();
        }
        lf_put_half(out, h & 1, lf_block_scale(amax), sum_codes(codes));
        _mm_storeu_si128((__m128i *)(void *)(out + LF_X_CODES * 4 + (h & 1) * 16), codes);
    }
}

const lf_act lf_act_i8b16_avx2 = {.name = "i8b16",
                                  .by = LF_BY_LFM2,
                                  .needs = LF_CPU_AVX2,
                                  .block_bytes = LF_X_BYTES,
                                  .row_bytes = lf_row_bytes_i8b32,
                                  .quantize = quantize_i8b16,
                                  .tile_bytes = lf_tile_bytes_i8b32,
                                  .tile = lf_tile_i8b32};
