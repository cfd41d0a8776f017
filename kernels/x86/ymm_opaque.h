/* SPDX-License-Identifier: Apache-2.0 */
/* For peak loops, whose instructions must stay as written. */
#ifndef LF_KERNELS_X86_YMM_OPAQUE_H
#define LF_KERNELS_X86_YMM_OPAQUE_H

#include "kernels/vector/unroll.h"

#include <immintrin.h>

/* Returns v and hides its value from the compiler, which can then neither omit nor reorder uses of
 * the result. */
LF_INLINE __m256i lf_opaque(__m256i v)
{
    __asm__("" : "+x"(v));
    return v;
}

#endif /* LF_KERNELS_X86_YMM_OPAQUE_H */
