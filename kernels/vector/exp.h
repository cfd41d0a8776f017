/* SPDX-License-Identifier: Apache-2.0 */
/* Owns exp and the folds of 16 lanes; internal.h and scalar/ops.c define what they compute. */
#ifndef LF_KERNELS_X86_EXP_V16_H
#define LF_KERNELS_X86_EXP_V16_H

LF_INLINE v16 v_exp(v16 x)
{
    x = v_min(v_set(LF_EXP_HIGH), x);
    x = v_max(v_set(LF_EXP_LOW), x);
    const v16 shifted = v_fma(x, v_set(LF_EXP_LOG2E), v_set(LF_MAGIC));
    const v16 n = v_sub(shifted, v_set(LF_MAGIC));
    v16 r = v_fma(n, v_set(-LF_EXP_LN2_HI), x);
    r = v_fma(n, v_set(-LF_EXP_LN2_LO), r);
    v16 p = v_fma(v_set(LF_EXP_C6), r, v_set(LF_EXP_C5));
    p = v_fma(p, r, v_set(LF_EXP_C4));
    p = v_fma(p, r, v_set(LF_EXP_C3));
    p = v_fma(p, r, v_set(LF_EXP_C2));
    p = v_fma(p, r, v_set(1.0f));
    p = v_fma(p, r, v_set(1.0f));
    return v_scale2(p, n, shifted);
}

LF_INLINE float v_fold_sum(v16 x)
{
    const __m256 h = v_half_sum(x);
    __m128 q = _mm_add_ps(_mm256_castps256_ps128(h), _mm256_extractf128_ps(h, 1));
    q = _mm_add_ps(q, _mm_movehl_ps(q, q));
    return _mm_cvtss_f32(_mm_add_ss(q, _mm_movehdup_ps(q)));
}

/* Largest lane, NaNs aside if they were kept out of x; never the negative zero. */
LF_INLINE float v_fold_max(v16 x)
{
    const __m256 h = v_half_max(x);
    __m128 q = _mm_max_ps(_mm256_castps256_ps128(h), _mm256_extractf128_ps(h, 1));
    q = _mm_max_ps(q, _mm_movehl_ps(q, q));
    q = _mm_max_ss(q, _mm_movehdup_ps(q));
    return _mm_cvtss_f32(_mm_add_ss(q, _mm_setzero_ps()));
}

/* Largest lane of v_max_bits. */
LF_INLINE uint32_t v_fold_max_bits(v16 x)
{
    const __m256i h = v_half_max_bits(x);
    __m128i q = _mm_max_epi32(_mm256_castsi256_si128(h), _mm256_extracti128_si256(h, 1));
    q = _mm_max_epi32(q, _mm_shuffle_epi32(q, 0x4E));
    q = _mm_max_epi32(q, _mm_shuffle_epi32(q, 0xB1));
    return (uint32_t)_mm_cvtsi128_si32(q);
}

#endif /* LF_KERNELS_X86_EXP_V16_H */
