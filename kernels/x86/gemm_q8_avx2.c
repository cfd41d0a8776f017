/* SPDX-License-Identifier: Apache-2.0 */
/* LF_W_Q8 x LF_LHS_I16B32 for AVX2. The sum of two products of bytes does not fit 16 bits, so
 * that weights become words anyway; LHS quants of 16 bits then cost nothing more. Of each 4 bytes
 * of a column, the even ones are one pair of words and the odd ones another. */
#include "kernels/x86/ymm_asm.h"

#define YMM_SUBTILES LF_YMM_SUBTILES_3

enum { Q8_UNPACKED_BYTES = 2 * LF_Q8_QUANTS };

LF_INLINE __m256i even_words(__m256i bytes)
{
    return _mm256_and_si256(bytes, _mm256_set1_epi16(0xFF));
}

LF_INLINE __m256i odd_words(__m256i bytes)
{
    return _mm256_srli_epi16(bytes, 8);
}

/* For each group the even words of both halves, then the odd words. */
LF_INLINE void q8_unpack(const uint8_t *quants, uint8_t *unpacked)
{
    for (size_t g = 0; g < 8; g++) {
        const __m256i w0 = lf_load_ymm(quants + g * 64), w1 = lf_load_ymm(quants + g * 64 + 32);
        lf_store_ymm(unpacked + g * 128, even_words(w0));
        lf_store_ymm(unpacked + g * 128 + 32, even_words(w1));
        lf_store_ymm(unpacked + g * 128 + 64, odd_words(w0));
        lf_store_ymm(unpacked + g * 128 + 96, odd_words(w1));
    }
}

LF_INLINE void step(const size_t m, const uint32_t *x, __m256i w0, __m256i w1, const bool starts,
                    __m256i *s)
{
#define F(i)                                                                                       \
    if (starts) {                                                                                  \
        LF_YMM_MUL("vpmaddwd", w0, w1, x[(i)*LF_X2_DWORDS], s[2 * (i)], s[2 * (i) + 1]);           \
    } else {                                                                                       \
        LF_YMM_MULADD("vpmaddwd", "vpaddd", w0, w1, x[(i)*LF_X2_DWORDS], s[2 * (i)],               \
                      s[2 * (i) + 1])                                                              \
    }
    LF_EACH_ROW(m, F)
#undef F
}

LF_INLINE void q8_sums(const bool unpacked, const size_t m, const uint32_t *x,
                       const uint8_t *quants, __m256i *s)
{
    if (unpacked) {
        LF_YMM_PRODUCTS("vpmaddwd", "vpaddd", "72", LF_X2_DWORDS, 16, m, x + LF_X2_QUANTS, quants,
                        s)
    } else {
        for (size_t g = 0; g < 8; g++) {
            const uint32_t *pairs = x + LF_X2_QUANTS + 2 * g;
            const __m256i w0 = lf_load_ymm(quants + g * 64), w1 = lf_load_ymm(quants + g * 64 + 32);
            step(m, pairs, even_words(w0), even_words(w1), g == 0, s);
            step(m, pairs + 1, odd_words(w0), odd_words(w1), false, s);
        }
    }
#define F(i)                                                                                       \
    {                                                                                              \
        const __m256i init = _mm256_set1_epi32((int32_t)x[(i)*LF_X2_DWORDS + LF_X2_INIT]);         \
        s[2 * (i)] = _mm256_add_epi32(s[2 * (i)], init);                                           \
        s[2 * (i) + 1] = _mm256_add_epi32(s[2 * (i) + 1], init);                                   \
    }
    LF_EACH_ROW(m, F)
#undef F
}
_Static_assert(LF_X2_BYTES == 72, "as written in q8_sums");

#include "kernels/x86/ymm_gemm_q8.h"

LF_YMM_ENTRY(i16b32, LF_LHS_I16B32, LF_W_Q8, q8, q8, 32, avx2, LF_CPU_AVX2, .raw_blocks = true)
