/* SPDX-License-Identifier: Apache-2.0 */
/* The integer kernels but LF_W_Q8 for AVX2: vpmaddubsw with sums in 16 bits over as many groups
 * as fit, then vpmaddwd to 32 bits. A pair of products with quants of 4, 5 and 6 bits is at most
 * 15, 31 and 63 times 254. Quants of 2 and 3 bits have scales for four groups, whose sums fit. */
#include "kernels/x86/ymm_asm.h"

#define YMM_SUBTILES LF_YMM_SUBTILES_3

/* Bytes: products of the magnitude of a weight with the LHS quant under the weight's sign. A pair
 * is at most 2 * 128 * 127 = 32512. The products are signed, so that there is no zero point to
 * correct. */
LF_INLINE __m256i dot_bytes(__m256i s, __m256i bytes, uint32_t x)
{
    const __m256i w = _mm256_xor_si256(bytes, _mm256_set1_epi8(-128));
    const __m256i a = _mm256_sign_epi8(_mm256_set1_epi32((int32_t)x), w);
    const __m256i two = _mm256_maddubs_epi16(_mm256_abs_epi8(w), a);
    return _mm256_add_epi32(s, _mm256_madd_epi16(two, _mm256_set1_epi16(1)));
}

LF_INLINE void byte_sums(const size_t m, const uint32_t *x, const uint8_t *quants,
                         const size_t first, const size_t end, __m256i *s)
{
#define F(i) s[2 * (i)] = s[2 * (i) + 1] = _mm256_set1_epi32(LF_MAGIC_BITS);
    LF_EACH_ROW(m, F)
#undef F
    for (size_t g = first; g < end; g++) {
        for (size_t half = 0; half < 2; half++) {
            const __m256i w = lf_load_ymm(quants + g * 64 + half * 32);
#define F(i)                                                                                       \
    s[2 * (i) + half] = dot_bytes(s[2 * (i) + half], w, x[(i)*LF_X_DWORDS + LF_X_QUANTS + g]);
            LF_EACH_ROW(m, F)
#undef F
        }
    }
}

/* Groups whose sums fit 16 bits. */
LF_INLINE size_t groups_per_sum(const int bits)
{
    return bits == 4 ? 8 : (bits == 6 ? 2 : 4);
}

LF_INLINE void unpacked_products(const size_t n, const size_t m, const uint32_t *x,
                                 const uint8_t *w, __m256i *v)
{
    if (n == 2) {
        LF_YMM_PRODUCTS("vpmaddubsw", "vpaddw", "56", LF_X_DWORDS, 2, m, x, w, v)
    } else if (n == 4) {
        LF_YMM_PRODUCTS("vpmaddubsw", "vpaddw", "56", LF_X_DWORDS, 4, m, x, w, v)
    } else {
        LF_YMM_PRODUCTS("vpmaddubsw", "vpaddw", "56", LF_X_DWORDS, 8, m, x, w, v)
    }
}
_Static_assert(LF_X_BYTES == 56, "as written in unpacked_products");

LF_INLINE void group(const int bits, const size_t m, const uint32_t *x, const uint8_t *quants,
                     const size_t g, const bool starts, __m256i *v)
{
    const __m256i w0 = lf_ymm_quants(bits, quants, g, 0), w1 = lf_ymm_quants(bits, quants, g, 32);
    x += LF_X_QUANTS + g;
#define F(i)                                                                                       \
    if (starts) {                                                                                  \
        LF_YMM_MUL("vpmaddubsw", w0, w1, x[(i)*LF_X_DWORDS], v[2 * (i)], v[2 * (i) + 1]);          \
    } else {                                                                                       \
        LF_YMM_MULADD("vpmaddubsw", "vpaddw", w0, w1, x[(i)*LF_X_DWORDS], v[2 * (i)],              \
                      v[2 * (i) + 1])                                                              \
    }
    LF_EACH_ROW(m, F)
#undef F
}

/* s = the sums of the pairs in v, or s += that. */
LF_INLINE void fold(const size_t m, const bool starts, const __m256i *v, __m256i *s)
{
    for (size_t i = 0; i < 2 * m; i++) {
        const __m256i sum = _mm256_madd_epi16(v[i], _mm256_set1_epi16(1));
        s[i] = starts ? sum : _mm256_add_epi32(s[i], sum);
    }
}

LF_INLINE void ymm_sums(const int bits, const bool unpacked, const size_t m, const uint32_t *x,
                        const int init, const uint8_t *quants, const size_t first, const size_t end,
                        __m256i *s)
{
    if (bits == 8) {
        byte_sums(m, x, quants, first, end, s);
        return;
    }
    const size_t per_sum = groups_per_sum(bits);
    __m256i v[2 * YMM_ROWS];
    if (unpacked) {
        for (size_t g = first; g < end; g += per_sum) {
            unpacked_products(per_sum, m, x + LF_X_QUANTS + g, quants + g * 64, v);
            fold(m, g == first, v, s);
        }
    } else { /* written out: shifts must be constants */
#define G(g)                                                                                       \
    if ((g) >= first && (g) < end) {                                                               \
        group(bits, m, x, quants, g, (g) % per_sum == 0, v);                                       \
        if ((g) % per_sum == per_sum - 1) {                                                        \
            fold(m, (g) < first + per_sum, v, s);                                                  \
        }                                                                                          \
    }
        LF_EACH_GROUP(G)
#undef G
    }
#define F(i)                                                                                       \
    {                                                                                              \
        __m256i start = _mm256_set1_epi32(init >= 0 ? (int32_t)x[(i)*LF_X_DWORDS + (size_t)init]   \
                                                    : LF_MAGIC_BITS);                              \
        if (end - first == 4 && init >= 0) {                                                       \
            start = lf_ymm_half_start(bits, start);                                                \
        }                                                                                          \
        s[2 * (i)] = _mm256_add_epi32(s[2 * (i)], start);                                          \
        s[2 * (i) + 1] = _mm256_add_epi32(s[2 * (i) + 1], start);                                  \
    }
    LF_EACH_ROW(m, F)
#undef F
}

#include "kernels/x86/ymm_gemm_int.h"

LF_YMM_INT_ENTRIES(avx2, LF_CPU_AVX2)
