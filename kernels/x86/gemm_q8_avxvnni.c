/* SPDX-License-Identifier: Apache-2.0 */
/* LF_W_Q8 x LF_LHS_I8X2B32 for AVX-VNNI: the sums of the upper int8, times 256, are the start of
 * the sums of the lower ones. */
#include "kernels/x86/ymm_asm.h"

#define YMM_SUBTILES LF_YMM_SUBTILES_6

enum { Q8_UNPACKED_BYTES = 0 };

LF_INLINE void q8_unpack(const uint8_t *quants, uint8_t *unpacked)
{
    (void)quants;
    (void)unpacked;
}

LF_INLINE void add_plane(const size_t m, const uint32_t *x, const uint8_t *quants, __m256i *s)
{
    if (m > 2) {
        LF_YMM_DOTS("72", 8, m, x, quants, s)
        return;
    }
    for (size_t g = 0; g < 8; g++) {
        const __m256i w0 = lf_load_ymm(quants + g * 64), w1 = lf_load_ymm(quants + g * 64 + 32);
#define F(i)                                                                                       \
    {                                                                                              \
        const __m256i a = _mm256_set1_epi32((int32_t)x[(i)*LF_X2_DWORDS + g]);                     \
        s[2 * (i)] = _mm256_dpbusd_avx_epi32(s[2 * (i)], w0, a);                                   \
        s[2 * (i) + 1] = _mm256_dpbusd_avx_epi32(s[2 * (i) + 1], w1, a);                           \
    }
        LF_EACH_ROW(m, F)
#undef F
    }
}

LF_INLINE void q8_sums(const bool unpacked, const size_t m, const uint32_t *x,
                       const uint8_t *quants, __m256i *s)
{
    (void)unpacked;
    for (size_t i = 0; i < 2 * m; i++) {
        s[i] = _mm256_setzero_si256();
    }
    add_plane(m, x + LF_X2_QUANTS, quants, s);
    for (size_t i = 0; i < 2 * m; i++) {
        const __m256i init = _mm256_set1_epi32((int32_t)x[i / 2 * LF_X2_DWORDS + LF_X2_INIT]);
        s[i] = _mm256_add_epi32(_mm256_slli_epi32(s[i], 8), init);
    }
    add_plane(m, x + LF_X2_QUANTS + 8, quants, s);
}

#include "kernels/x86/ymm_gemm_q8.h"

_Static_assert(LF_X2_BYTES == 72, "as written in add_plane");

LF_YMM_ENTRY(i8x2b32, LF_LHS_I8X2B32, LF_W_Q8, q8, q8, 32, avxvnni, LF_CPU_AVXVNNI,
             .raw_blocks = true)
