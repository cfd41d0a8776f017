/* SPDX-License-Identifier: Apache-2.0 */
/* Folds of 16 lanes to one number, from the halves that v16_avx2.h and v16_avx512.h add or
 * compare. */
#ifndef LF_KERNELS_X86_V16_FOLD_H
#define LF_KERNELS_X86_V16_FOLD_H

/* In the order of lf_fold_sum. */
LF_INLINE float v_fold_sum(v16 x)
{
    const __m256 h = v_half_sum(x);
    __m128 q = _mm_add_ps(_mm256_castps256_ps128(h), _mm256_extractf128_ps(h, 1));
    q = _mm_add_ps(q, _mm_movehl_ps(q, q));
    return _mm_cvtss_f32(_mm_add_ss(q, _mm_movehdup_ps(q)));
}

/* Largest lane of x, which has no NaN; never returns -0. */
LF_INLINE float v_fold_max(v16 x)
{
    const __m256 h = v_half_max(x);
    __m128 q = _mm_max_ps(_mm256_castps256_ps128(h), _mm256_extractf128_ps(h, 1));
    q = _mm_max_ps(q, _mm_movehl_ps(q, q));
    q = _mm_max_ss(q, _mm_movehdup_ps(q));
    return _mm_cvtss_f32(_mm_add_ss(q, _mm_setzero_ps()));
}

/* Largest lane of a result of v_max_bits. */
LF_INLINE uint32_t v_fold_max_bits(v16 x)
{
    const __m256i h = v_half_max_bits(x);
    __m128i q = _mm_max_epi32(_mm256_castsi256_si128(h), _mm256_extracti128_si256(h, 1));
    q = _mm_max_epi32(q, _mm_shuffle_epi32(q, 0x4E));
    q = _mm_max_epi32(q, _mm_shuffle_epi32(q, 0xB1));
    return (uint32_t)_mm_cvtsi128_si32(q);
}

#endif /* LF_KERNELS_X86_V16_FOLD_H */
