/* SPDX-License-Identifier: Apache-2.0 */
/* exp over 16 lanes (kernels/exp.h). */
#ifndef LF_KERNELS_VECTOR_EXP_H
#define LF_KERNELS_VECTOR_EXP_H

#include "kernels/exp.h"
#include "kernels/numbers.h"
#include "kernels/vector/unroll.h"

#include <math.h>

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

#endif /* LF_KERNELS_VECTOR_EXP_H */
