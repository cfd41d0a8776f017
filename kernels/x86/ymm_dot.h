/* SPDX-License-Identifier: Apache-2.0 */
/* Owns the step of the 256-bit integer kernels that add 4 k at a time. The including file defines
 * it for 8 columns of one row: ymm_dot, maddubs or vpdpbusd. */
#ifndef LF_KERNELS_X86_YMM_DOT_H
#define LF_KERNELS_X86_YMM_DOT_H

#include "kernels/x86/ymm.h"

LF_INLINE void lf_ymm_dot(const size_t m, const uint32_t *x, __m256i w0, __m256i w1, __m256i *v)
{
#define F(i)                                                                                       \
    {                                                                                              \
        const __m256i a = _mm256_set1_epi32((int32_t)x[(i)*LF_X_DWORDS]);                          \
        v[2 * (i)] = ymm_dot(v[2 * (i)], w0, a);                                                   \
        v[2 * (i) + 1] = ymm_dot(v[2 * (i) + 1], w1, a);                                           \
    }
    LF_EACH_ROW(m, F)
#undef F
}

#endif /* LF_KERNELS_X86_YMM_DOT_H */
