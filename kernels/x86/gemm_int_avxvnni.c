/* SPDX-License-Identifier: Apache-2.0 */
/* The integer kernels but LF_W_Q8 for AVX-VNNI. */
#include "kernels/x86/ymm_asm.h"

#define YMM_SUBTILES LF_YMM_SUBTILES_6

LF_INLINE void group(const int bits, const size_t m, const uint32_t *x, const uint8_t *quants,
                     const size_t g, __m256i *s)
{
    const __m256i w0 = lf_ymm_quants(bits, quants, g, 0), w1 = lf_ymm_quants(bits, quants, g, 32);
#define F(i)                                                                                       \
    {                                                                                              \
        const __m256i a = _mm256_set1_epi32((int32_t)x[(i)*LF_X_DWORDS + LF_X_QUANTS + g]);        \
        s[2 * (i)] = _mm256_dpbusd_avx_epi32(s[2 * (i)], w0, a);                                   \
        s[2 * (i) + 1] = _mm256_dpbusd_avx_epi32(s[2 * (i) + 1], w1, a);                           \
    }
    LF_EACH_ROW(m, F)
#undef F
}

LF_INLINE void ymm_sums(const int bits, const bool unpacked, const size_t m, const uint32_t *x,
                        const int init, const uint8_t *quants, const size_t first, const size_t end,
                        __m256i *s)
{
    for (size_t i = 0; i < m; i++) {
        __m256i start = _mm256_set1_epi32(init >= 0 ? (int32_t)x[i * LF_X_DWORDS + (size_t)init]
                                                    : LF_MAGIC_BITS);
        if (end - first == 4 && init >= 0) {
            start = lf_ymm_half_start(bits, start);
        }
        s[2 * i] = s[2 * i + 1] = start;
    }
    if (unpacked && m > 2) {
        const uint32_t *x0 = x + LF_X_QUANTS + first;
        const uint8_t *w = quants + first * 64;
        if (end - first == 4) {
            LF_YMM_DOTS("56", 4, m, x0, w, s)
        } else {
            LF_YMM_DOTS("56", 8, m, x0, w, s)
        }
        return;
    }
#define G(g)                                                                                       \
    if ((g) >= first && (g) < end) {                                                               \
        group(unpacked ? 8 : bits, m, x, quants, g, s);                                            \
    }
    LF_EACH_GROUP(G)
#undef G
}

_Static_assert(LF_X_BYTES == 56, "as written in ymm_sums");

#include "kernels/x86/ymm_gemm_int.h"

LF_YMM_INT_ENTRIES(avxvnni, LF_CPU_AVXVNNI)
