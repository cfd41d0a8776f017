/* SPDX-License-Identifier: Apache-2.0 */
/* Owns the steps that the 256-bit integer kernels share: a panel's 16 columns are two halves of 8,
 * integer sums are registers (v[2 * row + half]), float sums an array in the first level cache. The
 * including file defines how a sum starts and ends (ymm_start, ymm_sum). */
#ifndef LF_KERNELS_X86_YMM_H
#define LF_KERNELS_X86_YMM_H

#include "kernels/x86/unroll.h"

/* acc = fma(isum * activation scale, weight scale, acc) of 8 columns; v: LF_MAGIC + isum. */
LF_INLINE void lf_ymm_finish1(__m256i v, float xs, float xb, __m256 scale, float *acc)
{
    const __m256 t =
        _mm256_fmadd_ps(_mm256_castsi256_ps(v), _mm256_set1_ps(xs), _mm256_set1_ps(xb));
    _mm256_store_ps(acc, _mm256_fmadd_ps(t, scale, _mm256_load_ps(acc)));
}

/* x: the scales, biases follow; init: the dword with which the exact sums start. */
LF_INLINE void lf_ymm_finish(const size_t m, const uint32_t *x, const uint32_t *init,
                             const __m256i *v, __m256 scale0, __m256 scale1, float (*acc)[LF_NR])
{
    const float *xs = (const float *)(const void *)x;
    const float *xb = (const float *)(const void *)(x + 1);
#define F(i)                                                                                       \
    lf_ymm_finish1(ymm_sum(v[2 * (i)], init[(i)*LF_X_DWORDS]), xs[(i)*LF_X_DWORDS],                \
                   xb[(i)*LF_X_DWORDS], scale0, acc[i]);                                           \
    lf_ymm_finish1(ymm_sum(v[2 * (i) + 1], init[(i)*LF_X_DWORDS]), xs[(i)*LF_X_DWORDS],            \
                   xb[(i)*LF_X_DWORDS], scale1, acc[i] + 8);
    LF_EACH_ROW(m, F)
#undef F
}

/* acc = fma(-(code sum * activation scale), minimum, acc) of both halves; x: these sums. */
LF_INLINE void lf_ymm_minimum(const size_t m, const uint32_t *x, __m256 minimum0, __m256 minimum1,
                              float (*acc)[LF_NR])
{
    const float *sum = (const float *)(const void *)x;
    for (size_t i = 0; i < m; i++) {
        const __m256 s = _mm256_set1_ps(sum[i * LF_X_DWORDS]);
        _mm256_store_ps(acc[i], _mm256_fnmadd_ps(s, minimum0, _mm256_load_ps(acc[i])));
        _mm256_store_ps(acc[i] + 8, _mm256_fnmadd_ps(s, minimum1, _mm256_load_ps(acc[i] + 8)));
    }
}

LF_INLINE void lf_ymm_start(const size_t m, const uint32_t *init, __m256i *v)
{
#define F(i) v[2 * (i)] = v[2 * (i) + 1] = ymm_start(init[(i)*LF_X_DWORDS]);
    LF_EACH_ROW(m, F)
#undef F
}

LF_INLINE void lf_ymm_store(const size_t m, float (*acc)[LF_NR], size_t columns, float *c,
                            size_t c_stride)
{
    if (columns >= LF_NR) {
#define F(i)                                                                                       \
    _mm256_storeu_ps(c + i * c_stride, _mm256_load_ps(acc[i]));                                    \
    _mm256_storeu_ps(c + i * c_stride + 8, _mm256_load_ps(acc[i] + 8));
        LF_EACH_ROW(m, F)
#undef F
    } else {
        for (size_t i = 0; i < m; i++) {
            memcpy(c + i * c_stride, acc[i], columns * sizeof(float));
        }
    }
}

LF_INLINE __m256 lf_load_half8(const uint8_t *p)
{
    return _mm256_cvtph_ps(_mm_load_si128((const __m128i *)(const void *)p));
}

LF_INLINE __m256i lf_load_ymm(const uint8_t *p)
{
    return _mm256_load_si256((const __m256i *)(const void *)p);
}

#endif /* LF_KERNELS_X86_YMM_H */
