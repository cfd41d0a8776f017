/* SPDX-License-Identifier: Apache-2.0 */
/* Quantization to LF_LHS_I8B32 and LF_LHS_I8B16 for AVX-512 (scalar/lhs.c). */
#include "kernels/lhs_layout.h"
#include "kernels/tables.h"
#include "kernels/vector/unroll.h"

#include <immintrin.h>

enum { BLOCKS = 16 }; /* blocks whose scales are computed together, one in each lane */

LF_INLINE __m512i magnitudes(const float *x)
{
    return _mm512_and_si512(_mm512_loadu_si512(x), _mm512_set1_epi32(0x7FFFFFFF));
}

LF_INLINE uint32_t largest(__m512i m)
{
    const __m256i h = _mm256_max_epu32(_mm512_castsi512_si256(m), _mm512_extracti64x4_epi64(m, 1));
    __m128i q = _mm_max_epu32(_mm256_castsi256_si128(h), _mm256_extracti128_si256(h, 1));
    q = _mm_max_epu32(q, _mm_shuffle_epi32(q, _MM_SHUFFLE(1, 0, 3, 2)));
    q = _mm_max_epu32(q, _mm_shuffle_epi32(q, _MM_SHUFFLE(2, 3, 0, 1)));
    return (uint32_t)_mm_cvtsi128_si32(q);
}

/* Sums of 4 signed bytes each. */
LF_INLINE __m256i sum_fours(__m256i quants)
{
    return _mm256_madd_epi16(_mm256_maddubs_epi16(_mm256_set1_epi8(1), quants),
                             _mm256_set1_epi16(1));
}

/* Sums of four blocks. */
LF_INLINE void sum_blocks(const __m256i *fours, int32_t *sums)
{
    const __m256i s = _mm256_hadd_epi32(_mm256_hadd_epi32(fours[0], fours[1]),
                                        _mm256_hadd_epi32(fours[2], fours[3]));
    _mm_store_si128((__m128i *)(void *)sums,
                    _mm_add_epi32(_mm256_castsi256_si128(s), _mm256_extracti128_si256(s, 1)));
}

LF_INLINE __m256i to_bytes(__m512i low, __m512i high)
{
    return _mm256_set_m128i(_mm512_cvtepi32_epi8(high), _mm512_cvtepi32_epi8(low));
}

/* Heads of blocks, as lf_put_block writes them. */
typedef struct heads {
    _Alignas(64) uint32_t dwords[LF_X_QUANTS][BLOCKS];
} heads;

LF_INLINE void make_heads(__m512 scale, const int32_t *sums, heads *out)
{
    const __m512i sum = _mm512_load_si512(sums), magic = _mm512_set1_epi32(LF_MAGIC_BITS);
    _mm512_store_si512(out->dwords[LF_X_INIT4], _mm512_sub_epi32(magic, _mm512_slli_epi32(sum, 3)));
    _mm512_store_si512(out->dwords[LF_X_INIT8], _mm512_sub_epi32(magic, _mm512_slli_epi32(sum, 7)));
    _mm512_store_ps((float *)out->dwords[LF_X_SUM], _mm512_mul_ps(_mm512_cvtepi32_ps(sum), scale));
    _mm512_store_si512(out->dwords[LF_X_ZERO], _mm512_setzero_si512());
    _mm512_store_ps((float *)out->dwords[LF_X_SCALE], scale);
    _mm512_store_ps((float *)out->dwords[LF_X_BIAS],
                    _mm512_mul_ps(_mm512_set1_ps(-LF_MAGIC), scale));
}

LF_INLINE void put_head(const heads *from, size_t block, uint8_t *out)
{
    for (size_t d = 0; d < LF_X_QUANTS; d++) {
        memcpy(out + d * 4, &from->dwords[d][block], 4);
    }
}

LF_INLINE __m512 scale22(__m512 scale)
{
    const __m512i up = _mm512_add_epi32(_mm512_castps_si512(scale), _mm512_set1_epi32(2));
    return _mm512_castsi512_ps(_mm512_andnot_si512(_mm512_set1_epi32(3), up));
}

/* n <= BLOCKS blocks. Blocks whose largest magnitude is out of range have an inverse of 0, so
 * that all their quants become 0; with infinities and NaN because the conversion gives
 * 0x80000000. */
LF_INLINE void quantize_blocks(size_t n, const float *x, uint8_t *out)
{
    _Alignas(64) uint32_t amax[BLOCKS] = {0};
    _Alignas(64) float inverses[BLOCKS];
    _Alignas(64) int32_t sums[BLOCKS] = {0};
    for (size_t b = 0; b < n; b++) {
        amax[b] = largest(_mm512_max_epu32(magnitudes(x + b * 32), magnitudes(x + b * 32 + 16)));
    }
    const __m512i bits = _mm512_load_si512(amax);
    const __mmask16 huge = _mm512_cmpge_epu32_mask(bits, _mm512_set1_epi32((int)LF_X_HUGE));
    const __mmask16 usable =
        _mm512_cmpge_epu32_mask(bits, _mm512_set1_epi32((int)LF_X_TINY)) & (__mmask16)~huge;
    const __m512 most = _mm512_castsi512_ps(bits);
    __m512 scale = _mm512_maskz_mul_ps(usable, most, _mm512_set1_ps(1.0f / 127.0f));
    scale = _mm512_mask_mov_ps(scale22(scale), huge,
                               _mm512_castsi512_ps(_mm512_set1_epi32(0x7FC00000)));
    _mm512_store_ps(inverses, _mm512_maskz_div_ps(usable, _mm512_set1_ps(127.0f), most));
    __m256i fours[4] = {{0}};
    for (size_t b = 0; b < n; b++) {
        const __m512 v0 = _mm512_loadu_ps(x + b * 32), v1 = _mm512_loadu_ps(x + b * 32 + 16);
        const __m512 inverse = _mm512_set1_ps(inverses[b]);
        const __m512i c0 = _mm512_cvtps_epi32(_mm512_mul_ps(v0, inverse));
        const __m512i c1 = _mm512_cvtps_epi32(_mm512_mul_ps(v1, inverse));
        const __m256i quants = to_bytes(c0, c1);
        uint8_t *at = out + b * LF_X_BYTES + LF_X_QUANTS * 4;
        _mm256_storeu_si256((__m256i *)(void *)at, quants);
        fours[b % 4] = sum_fours(quants);
        if (b % 4 == 3 || b + 1 == n) {
            sum_blocks(fours, sums + b / 4 * 4);
        }
    }
    heads h;
    make_heads(scale, sums, &h);
    for (size_t b = 0; b < n; b++) {
        put_head(&h, b, out + b * LF_X_BYTES);
    }
}

static void quantize_i8b32(size_t k, const float *x, void *row)
{
    for (size_t b = 0; b < k / 32; b += BLOCKS) {
        const size_t n = k / 32 - b < BLOCKS ? k / 32 - b : BLOCKS;
        quantize_blocks(n, x + b * 32, (uint8_t *)row + b * LF_X_BYTES);
    }
}

const lf_lhs lf_lhs_i8b32_avx512 = {.name = "i8b32",
                                    .provider = LF_PROVIDER_LFM2,
                                    .needs = LF_CPU_AVX512,
                                    .block_bytes = LF_X_BYTES,
                                    .row_bytes = lf_row_bytes_i8b32,
                                    .quantize = quantize_i8b32,
                                    .tile_bytes = lf_tile_bytes_i8b32,
                                    .pack = lf_lhs_pack_i8b32};

/* Sum of 16 signed bytes. */
LF_INLINE int32_t sum_quants(__m128i quants)
{
    const __m128i sums =
        _mm_sad_epu8(_mm_xor_si128(quants, _mm_set1_epi8(-128)), _mm_setzero_si128());
    return _mm_cvtsi128_si32(_mm_add_epi32(sums, _mm_unpackhi_epi64(sums, sums))) - 16 * 128;
}

static void quantize_i8b16(size_t k, const float *x, void *row)
{
    for (size_t h = 0; h < k / 16; h++, x += 16) {
        uint8_t *out = (uint8_t *)row + h / 2 * LF_X_BYTES;
        const uint32_t amax = largest(magnitudes(x));
        const bool usable =
            amax >= LF_X_TINY && amax < LF_X_HUGE; /* otherwise as in quantize_blocks */
        const __m512 inverse = _mm512_set1_ps(usable ? 127.0f / lf_float(amax) : 0.0f);
        const __m128i quants =
            _mm512_cvtepi32_epi8(_mm512_cvtps_epi32(_mm512_mul_ps(_mm512_loadu_ps(x), inverse)));
        lf_put_half(out, h & 1, lf_block_scale(amax), sum_quants(quants));
        _mm_storeu_si128((__m128i *)(void *)(out + LF_X_QUANTS * 4 + (h & 1) * 16), quants);
    }
}

const lf_lhs lf_lhs_i8b16_avx512 = {.name = "i8b16",
                                    .provider = LF_PROVIDER_LFM2,
                                    .needs = LF_CPU_AVX512,
                                    .block_bytes = LF_X_BYTES,
                                    .row_bytes = lf_row_bytes_i8b32,
                                    .quantize = quantize_i8b16,
                                    .tile_bytes = lf_tile_bytes_i8b32,
                                    .pack = lf_lhs_pack_i8b32};
