/* SPDX-License-Identifier: Apache-2.0 */
/* Quantization to every integer LHS format but LF_LHS_QD8 for AVX2 (scalar/lhs.c). */
#include "kernels/lhs_layout.h"
#include "kernels/tables.h"
#include "kernels/vector/unroll.h"

#include <immintrin.h>

/* Sum of 16 signed bytes. */
LF_INLINE int32_t sum_quants(__m128i quants)
{
    const __m128i sums =
        _mm_sad_epu8(_mm_xor_si128(quants, _mm_set1_epi8(-128)), _mm_setzero_si128());
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

/* Loads a block and returns the bits of its largest magnitude. */
LF_INLINE uint32_t load_block(const float *x, __m256 *v)
{
    __m256i most = _mm256_setzero_si256();
    for (size_t i = 0; i < 4; i++) {
        v[i] = _mm256_loadu_ps(x + 8 * i);
        most = _mm256_max_epu32(most, magnitudes(v[i]));
    }
    return largest(most);
}

static void quantize_i8b32(size_t k, const float *x, void *row)
{
    const __m256i order = _mm256_setr_epi32(0, 4, 1, 5, 2, 6, 3, 7);
    uint8_t *out = row;
    for (size_t b = 0; b < k / 32; b++, x += 32, out += LF_X_BYTES) {
        __m256 v[4];
        const uint32_t amax = load_block(x, v);
        if (amax < LF_X_TINY || amax >= LF_X_HUGE) {
            lf_lhs_i8b32_scalar.quantize(32, x, out);
            continue;
        }
        const __m256 inverse = _mm256_set1_ps(127.0f / lf_float(amax));
        __m256i quants[4];
        for (size_t i = 0; i < 4; i++) {
            quants[i] = _mm256_cvtps_epi32(_mm256_mul_ps(v[i], inverse));
        }
        const __m256i low = _mm256_packs_epi32(quants[0], quants[1]);
        const __m256i high = _mm256_packs_epi32(quants[2], quants[3]);
        const __m256i bytes = _mm256_permutevar8x32_epi32(_mm256_packs_epi16(low, high), order);
        lf_put_block(out, lf_block_scale(amax),
                     sum_quants(_mm256_castsi256_si128(bytes)) +
                         sum_quants(_mm256_extracti128_si256(bytes, 1)));
        _mm256_storeu_si256((__m256i *)(void *)(out + LF_X_QUANTS * 4), bytes);
    }
}

const lf_lhs lf_lhs_i8b32_avx2 = {.name = "i8b32",
                                  .provider = LF_PROVIDER_LFM2,
                                  .needs = LF_CPU_AVX2,
                                  .block_bytes = LF_X_BYTES,
                                  .row_bytes = lf_row_bytes_i8b32,
                                  .quantize = quantize_i8b32,
                                  .tile_bytes = lf_tile_bytes_i8b32,
                                  .pack = lf_lhs_pack_i8b32};

/* ---- LF_LHS_I16B32, LF_LHS_I8X2B32 ---- */

/* Makes the quants in order, as 2 x 16 words, and writes the head of the block. false: did
 * neither, because the largest magnitude is out of range, which scalar code handles. */
LF_INLINE bool make_words(const float *x, __m256i *words, uint8_t *out)
{
    __m256 v[4];
    const uint32_t amax = load_block(x, v);
    if (amax < LF_X_TINY || amax >= LF_X_HUGE) {
        return false;
    }
    const __m256 inverse = _mm256_set1_ps(LF_X2_MAX / lf_float(amax));
    __m256i sum = _mm256_setzero_si256();
    for (size_t i = 0; i < 2; i++) {
        const __m256i two =
            _mm256_packs_epi32(_mm256_cvtps_epi32(_mm256_mul_ps(v[2 * i], inverse)),
                               _mm256_cvtps_epi32(_mm256_mul_ps(v[2 * i + 1], inverse)));
        words[i] = _mm256_permute4x64_epi64(two, _MM_SHUFFLE(3, 1, 2, 0));
        sum = _mm256_add_epi32(sum, _mm256_madd_epi16(words[i], _mm256_set1_epi16(1)));
    }
    __m128i h = _mm_add_epi32(_mm256_castsi256_si128(sum), _mm256_extracti128_si256(sum, 1));
    h = _mm_add_epi32(h, _mm_shuffle_epi32(h, _MM_SHUFFLE(1, 0, 3, 2)));
    h = _mm_add_epi32(h, _mm_shuffle_epi32(h, _MM_SHUFFLE(2, 3, 0, 1)));
    const uint32_t head[LF_X2_QUANTS] = {[LF_X2_INIT] = (uint32_t)(-128 * _mm_cvtsi128_si32(h)),
                                         [LF_X2_SCALE] = lf_bits(lf_block_scale16(amax))};
    memcpy(out, head, sizeof head);
    return true;
}

static void quantize_i16b32(size_t k, const float *x, void *row)
{
    enum { EVEN_ODD = _MM_SHUFFLE(3, 1, 2, 0) };
    uint8_t *out = row;
    for (size_t b = 0; b < k / 32; b++, x += 32, out += LF_X2_BYTES) {
        __m256i words[2];
        if (!make_words(x, words, out)) {
            lf_lhs_i16b32_scalar.quantize(32, x, out);
            continue;
        }
        for (size_t i = 0; i < 2; i++) {
            const __m256i low = _mm256_shufflelo_epi16(words[i], EVEN_ODD);
            _mm256_storeu_si256((__m256i *)(void *)(out + LF_X2_QUANTS * 4 + 32 * i),
                                _mm256_shufflehi_epi16(low, EVEN_ODD));
        }
    }
}

LF_INLINE __m256i words_to_bytes(__m256i first, __m256i second)
{
    return _mm256_permute4x64_epi64(_mm256_packs_epi16(first, second), _MM_SHUFFLE(3, 1, 2, 0));
}

static void quantize_i8x2b32(size_t k, const float *x, void *row)
{
    uint8_t *out = row;
    for (size_t b = 0; b < k / 32; b++, x += 32, out += LF_X2_BYTES) {
        __m256i words[2], upper[2], lower[2];
        if (!make_words(x, words, out)) {
            lf_lhs_i8x2b32_scalar.quantize(32, x, out);
            continue;
        }
        for (size_t i = 0; i < 2; i++) {
            upper[i] = _mm256_srai_epi16(_mm256_add_epi16(words[i], _mm256_set1_epi16(128)), 8);
            lower[i] = _mm256_sub_epi16(words[i], _mm256_slli_epi16(upper[i], 8));
        }
        uint8_t *quants = out + LF_X2_QUANTS * 4;
        _mm256_storeu_si256((__m256i *)(void *)quants, words_to_bytes(upper[0], upper[1]));
        _mm256_storeu_si256((__m256i *)(void *)(quants + 32), words_to_bytes(lower[0], lower[1]));
    }
}

const lf_lhs lf_lhs_i16b32_avx2 = {.name = "i16b32",
                                   .provider = LF_PROVIDER_LFM2,
                                   .needs = LF_CPU_AVX2,
                                   .block_bytes = LF_X2_BYTES,
                                   .row_bytes = lf_row_bytes_x2,
                                   .quantize = quantize_i16b32,
                                   .tile_bytes = lf_tile_bytes_x2,
                                   .pack = lf_lhs_pack_x2};

const lf_lhs lf_lhs_i8x2b32_avx2 = {.name = "i8x2b32",
                                    .provider = LF_PROVIDER_LFM2,
                                    .needs = LF_CPU_AVX2,
                                    .block_bytes = LF_X2_BYTES,
                                    .row_bytes = lf_row_bytes_x2,
                                    .quantize = quantize_i8x2b32,
                                    .tile_bytes = lf_tile_bytes_x2,
                                    .pack = lf_lhs_pack_x2};

/* ---- LF_LHS_I8B16 ---- */

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
        __m128i quants =
            _mm_packs_epi16(_mm256_castsi256_si128(words), _mm256_extracti128_si256(words, 1));
        if (!usable) { /* infinity and NaN times 0 do not give a quant */
            quants = _mm_setzero_si128();
        }
        lf_put_half(out, h & 1, lf_block_scale(amax), sum_quants(quants));
        _mm_storeu_si128((__m128i *)(void *)(out + LF_X_QUANTS * 4 + (h & 1) * 16), quants);
    }
}

const lf_lhs lf_lhs_i8b16_avx2 = {.name = "i8b16",
                                  .provider = LF_PROVIDER_LFM2,
                                  .needs = LF_CPU_AVX2,
                                  .block_bytes = LF_X_BYTES,
                                  .row_bytes = lf_row_bytes_i8b32,
                                  .quantize = quantize_i8b16,
                                  .tile_bytes = lf_tile_bytes_i8b32,
                                  .pack = lf_lhs_pack_i8b32};
