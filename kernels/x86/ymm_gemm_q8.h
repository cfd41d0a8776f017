/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The 256-bit kernels of LF_W_Q8, with subtiles as in ymm_gemm_int.h. Before it includes this
 * header, a file defines for its instruction set YMM_SUBTILES, Q8_UNPACKED_BYTES (bytes of an
 * unpacked block; 0 if quants are used as stored) and
 *
 * void q8_unpack(quants, unpacked) and void q8_sums(unpacked, m, x, quants, s), the exact sums of
 * a block with the zero point subtracted.
 */
#ifndef LF_KERNELS_X86_YMM_GEMM_Q8_H
#define LF_KERNELS_X86_YMM_GEMM_Q8_H

#include "kernels/x86/ymm.h"

/* acc = fma((float)isum * LHS scale, weight scale, acc). s: the isum. */
LF_INLINE void q8_finish(const size_t m, const uint32_t *x, const __m256i *s, const float *scales,
                         float (*acc)[LF_NR])
{
    const __m256 scale0 = _mm256_load_ps(scales), scale1 = _mm256_load_ps(scales + 8);
#define F(i)                                                                                       \
    {                                                                                              \
        const __m256 xs = _mm256_set1_ps(lf_load_f32(x + (i)*LF_X2_DWORDS + LF_X2_SCALE));         \
        const __m256 t0 = _mm256_mul_ps(_mm256_cvtepi32_ps(s[2 * (i)]), xs);                       \
        const __m256 t1 = _mm256_mul_ps(_mm256_cvtepi32_ps(s[2 * (i) + 1]), xs);                   \
        const __m256 sum0 = _mm256_fmadd_ps(t0, scale0, _mm256_load_ps(acc[i]));                   \
        const __m256 sum1 = _mm256_fmadd_ps(t1, scale1, _mm256_load_ps(acc[i] + 8));               \
        _mm256_store_ps(acc[i], sum0);                                                             \
        _mm256_store_ps(acc[i] + 8, sum1);                                                         \
    }
    LF_EACH_ROW(m, F)
#undef F
}

LF_INLINE void q8_block(const int format, const bool unpacked, const size_t m, const uint32_t *x,
                        const uint8_t *quants, const float *scales, float (*acc)[LF_NR])
{
    (void)format; /* there is one format */
    __m256i s[2 * YMM_ROWS];
    q8_sums(unpacked, m, x, quants, s);
    q8_finish(m, x, s, scales, acc);
}

LF_INLINE void q8_rows(const size_t fixed, size_t m, const uint32_t *x, const uint8_t *quants,
                       const uint8_t *halves, float (*acc)[LF_NR])
{
    _Alignas(32) float scales[LF_NR];
    lf_ymm_f16x16(halves, scales);
    if (fixed != 0) {
        q8_block(0, false, fixed, x, quants, scales, acc);
        return;
    }
    _Alignas(32) uint8_t words[Q8_UNPACKED_BYTES > 0 ? Q8_UNPACKED_BYTES : 1];
    const uint8_t *from = quants;
    if (Q8_UNPACKED_BYTES > 0) {
        q8_unpack(quants, words);
        from = words;
    }
    YMM_SUBTILES(m, LF_X2_DWORDS, q8_block, 0, Q8_UNPACKED_BYTES > 0, from, scales)
}

LF_INLINE void q8_panel(lf_distances distances, const size_t fixed, size_t m, size_t k,
                        const uint32_t *x, const uint8_t *p, float (*acc)[LF_NR])
{
    for (size_t s = 0; s < k / 64; s++) {
        lf_prefetch_panel(distances, p, LF_Q8_SUPER);
        lf_prefetch_sparse(distances, p);
        q8_rows(fixed, m, x, p + 64, p, acc);
        x += LF_X2_DWORDS * m;
        q8_rows(fixed, m, x, p + 64 + LF_Q8_QUANTS, p + 32, acc);
        x += LF_X2_DWORDS * m;
        p += LF_Q8_SUPER;
    }
    if (k % 64 != 0) {
        q8_rows(fixed, m, x, p + 64, p, acc);
    }
}

LF_YMM_GEMM(q8_gemm, q8_panel, lf_panel_bytes_q8)

#endif /* LF_KERNELS_X86_YMM_GEMM_Q8_H */
