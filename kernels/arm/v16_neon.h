/* SPDX-License-Identifier: Apache-2.0 */
/* The vector type of kernels/vector as four NEON registers: v16 is 16 floats, w16 16 sums of int32
 * or 16 pairs of int16. */
#ifndef LF_KERNELS_ARM_V16_NEON_H
#define LF_KERNELS_ARM_V16_NEON_H

#include "kernels/numbers.h"
#include "kernels/vector/unroll.h"

#include <arm_neon.h>

typedef struct v16 {
    float32x4_t q[4];
} v16;

/* A v16 of the results of f(i), one for each register. */
#define V_EACH(f) ((v16){{f(0), f(1), f(2), f(3)}})

LF_INLINE v16 v_set(float f)
{
    const float32x4_t q = vdupq_n_f32(f);
    return (v16){{q, q, q, q}};
}

LF_INLINE v16 v_load(const float *p)
{
    return (v16){{vld1q_f32(p), vld1q_f32(p + 4), vld1q_f32(p + 8), vld1q_f32(p + 12)}};
}

LF_INLINE void v_store(float *p, v16 x)
{
    vst1q_f32(p, x.q[0]);
    vst1q_f32(p + 4, x.q[1]);
    vst1q_f32(p + 8, x.q[2]);
    vst1q_f32(p + 12, x.q[3]);
}

/* The first n floats, then zeros. */
LF_INLINE v16 v_load_n(const float *p, size_t n)
{
    if (n >= 16) {
        return v_load(p);
    }
    float lanes[16] = {0};
    for (size_t i = 0; i < n; i++) {
        lanes[i] = p[i];
    }
    return v_load(lanes);
}

LF_INLINE void v_store_n(float *p, v16 x, size_t n)
{
    if (n >= 16) {
        v_store(p, x);
        return;
    }
    float lanes[16];
    v_store(lanes, x);
    for (size_t i = 0; i < n; i++) {
        p[i] = lanes[i];
    }
}

LF_INLINE v16 v_load_f16(const uint16_t *p)
{
#define F(i) vcvt_f32_f16(vreinterpret_f16_u16(vld1_u16(p + 4 * (i))))
    return V_EACH(F);
#undef F
}

LF_INLINE void v_store_f16(uint16_t *p, v16 x)
{
    for (size_t i = 0; i < 4; i++) {
        vst1_u16(p + 4 * i, vreinterpret_u16_f16(vcvt_f16_f32(x.q[i])));
    }
}

LF_INLINE v16 v_load_bf16(const uint16_t *p)
{
#define F(i) vreinterpretq_f32_u32(vshll_n_u16(vld1_u16(p + 4 * (i)), 16))
    return V_EACH(F);
#undef F
}

/* The low 16 bits of 8 lanes from lane 8 * half on. */
LF_INLINE int16x8_t v_words(v16 x, const size_t half)
{
    return vcombine_s16(vmovn_s32(vreinterpretq_s32_f32(x.q[2 * half])),
                        vmovn_s32(vreinterpretq_s32_f32(x.q[2 * half + 1])));
}

/* Stores the quants of x = quant + LF_MAGIC. */
LF_INLINE void v_store_i8(int8_t *p, v16 x)
{
    vst1_s8(p, vmovn_s16(v_words(x, 0)));
    vst1_s8(p + 8, vmovn_s16(v_words(x, 1)));
}

LF_INLINE v16 v_add(v16 x, v16 y)
{
#define F(i) vaddq_f32(x.q[i], y.q[i])
    return V_EACH(F);
#undef F
}

LF_INLINE v16 v_sub(v16 x, v16 y)
{
#define F(i) vsubq_f32(x.q[i], y.q[i])
    return V_EACH(F);
#undef F
}

LF_INLINE v16 v_mul(v16 x, v16 y)
{
#define F(i) vmulq_f32(x.q[i], y.q[i])
    return V_EACH(F);
#undef F
}

LF_INLINE v16 v_div(v16 x, v16 y)
{
#define F(i) vdivq_f32(x.q[i], y.q[i])
    return V_EACH(F);
#undef F
}

LF_INLINE v16 v_fma(v16 x, v16 y, v16 z)
{
#define F(i) vfmaq_f32(z.q[i], x.q[i], y.q[i])
    return V_EACH(F);
#undef F
}

/* x > y ? x : y: y where x is NaN. */
LF_INLINE v16 v_max(v16 x, v16 y)
{
#define F(i) vbslq_f32(vcgtq_f32(x.q[i], y.q[i]), x.q[i], y.q[i])
    return V_EACH(F);
#undef F
}

/* x < y ? x : y */
LF_INLINE v16 v_min(v16 x, v16 y)
{
#define F(i) vbslq_f32(vcltq_f32(x.q[i], y.q[i]), x.q[i], y.q[i])
    return V_EACH(F);
#undef F
}

/* The larger magnitude, as bits: infinity and NaN above all. x has no sign. */
LF_INLINE v16 v_max_bits(v16 x, v16 y)
{
#define F(i)                                                                                       \
    vreinterpretq_f32_u32(                                                                         \
        vmaxq_u32(vreinterpretq_u32_f32(x.q[i]), vreinterpretq_u32_f32(vabsq_f32(y.q[i]))))
    return V_EACH(F);
#undef F
}

LF_INLINE v16 v_neg(v16 x)
{
#define F(i) vnegq_f32(x.q[i])
    return V_EACH(F);
#undef F
}

/* x in the first n lanes, y in the others. */
LF_INLINE v16 v_first(size_t n, v16 x, v16 y)
{
    static const uint32_t lanes[16] = {0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15};
    const uint32x4_t count = vdupq_n_u32((uint32_t)(n < 16 ? n : 16));
#define F(i) vbslq_f32(vcltq_u32(vld1q_u32(lanes + 4 * (i)), count), x.q[i], y.q[i])
    return V_EACH(F);
#undef F
}

LF_INLINE float32x4_t v_scale2_part(float32x4_t p, float32x4_t shifted)
{
    const int32x4_t e = vsubq_s32(vreinterpretq_s32_f32(shifted), vdupq_n_s32(LF_MAGIC_BITS));
    const int32x4_t half = vshrq_n_s32(e, 1);
    const int32x4_t one = vdupq_n_s32(127);
    const int32x4_t first = vshlq_n_s32(vaddq_s32(half, one), 23);
    const int32x4_t second = vshlq_n_s32(vaddq_s32(vsubq_s32(e, half), one), 23);
    p = vmulq_f32(p, vreinterpretq_f32_s32(first));
    return vmulq_f32(p, vreinterpretq_f32_s32(second));
}

/* p * 2^n; shifted = n + LF_MAGIC. */
LF_INLINE v16 v_scale2(v16 p, v16 n, v16 shifted)
{
    (void)n;
#define F(i) v_scale2_part(p.q[i], shifted.q[i])
    return V_EACH(F);
#undef F
}

/* ---- Folds of 16 lanes to one number ---- */

/* In the order of lf_fold_sum. */
LF_INLINE float v_fold_sum(v16 x)
{
    const float32x4_t q = vaddq_f32(vaddq_f32(x.q[0], x.q[2]), vaddq_f32(x.q[1], x.q[3]));
    const float32x2_t d = vadd_f32(vget_low_f32(q), vget_high_f32(q));
    return vget_lane_f32(d, 0) + vget_lane_f32(d, 1);
}

/* Largest lane of x, which has no NaN; never returns -0. */
LF_INLINE float v_fold_max(v16 x)
{
    return vmaxvq_f32(vmaxq_f32(vmaxq_f32(x.q[0], x.q[1]), vmaxq_f32(x.q[2], x.q[3]))) + 0.0f;
}

/* Largest lane of a result of v_max_bits. */
LF_INLINE uint32_t v_fold_max_bits(v16 x)
{
#define F(i) vreinterpretq_u32_f32(x.q[i])
    return vmaxvq_u32(vmaxq_u32(vmaxq_u32(F(0), F(1)), vmaxq_u32(F(2), F(3))));
#undef F
}

/* ---- 16 lanes of int32, or of pairs of int16 ----
 *
 * A sum is two numbers, of the first and of the second products of its pairs, which w_float adds:
 * sum i is numbers 2 * i and 2 * i + 1 of `sums`. */

typedef struct w16 {
    int32x4_t sums[8];
    int16x8_t pairs[4];
} w16;

LF_INLINE w16 w_zero(void)
{
    w16 x;
    for (size_t i = 0; i < 8; i++) {
        x.sums[i] = vdupq_n_s32(0);
    }
    for (size_t i = 0; i < 4; i++) {
        x.pairs[i] = vdupq_n_s16(0);
    }
    return x;
}

/* Stores the int16 quants of x = quant + LF_MAGIC. */
LF_INLINE void w_store_i16(int16_t *p, v16 x)
{
    vst1q_s16(p, v_words(x, 0));
    vst1q_s16(p + 8, v_words(x, 1));
}

/* 16 pairs of int8. */
LF_INLINE w16 w_load_i8(const int8_t *p)
{
    w16 x = w_zero();
    for (size_t i = 0; i < 2; i++) {
        const int8x16_t bytes = vld1q_s8(p + 16 * i);
        x.pairs[2 * i] = vmovl_s8(vget_low_s8(bytes));
        x.pairs[2 * i + 1] = vmovl_high_s8(bytes);
    }
    return x;
}

/* One pair in all lanes. */
LF_INLINE w16 w_pair(const int16_t *p)
{
    int32_t pair;
    memcpy(&pair, p, sizeof pair);
    w16 x = w_zero();
    for (size_t i = 0; i < 4; i++) {
        x.pairs[i] = vreinterpretq_s16_s32(vdupq_n_s32(pair));
    }
    return x;
}

/* sum + the two products of each pair */
LF_INLINE w16 w_dot(w16 sum, w16 x, w16 y)
{
    for (size_t i = 0; i < 4; i++) {
        sum.sums[2 * i] =
            vmlal_s16(sum.sums[2 * i], vget_low_s16(x.pairs[i]), vget_low_s16(y.pairs[i]));
        sum.sums[2 * i + 1] = vmlal_high_s16(sum.sums[2 * i + 1], x.pairs[i], y.pairs[i]);
    }
    return sum;
}

LF_INLINE v16 w_float(w16 x)
{
#define F(i) vcvtq_f32_s32(vpaddq_s32(x.sums[2 * (i)], x.sums[2 * (i) + 1]))
    return V_EACH(F);
#undef F
}

#endif /* LF_KERNELS_ARM_V16_NEON_H */
