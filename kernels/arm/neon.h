/* SPDX-License-Identifier: Apache-2.0 */
/* Steps that the integer kernels for arm64 share; neon_gemm_int.h describes these kernels. */
#ifndef LF_KERNELS_ARM_NEON_H
#define LF_KERNELS_ARM_NEON_H

#include "kernels/lhs_layout.h"
#include "kernels/panel_layout.h"
#include "kernels/tables.h"
#include "kernels/vector/prefetch.h"

#include <arm_neon.h>

enum { LF_NEON_MR = 16 };
#define LF_NEON_TILE "16x16c4"

/* A line of 16 columns is four registers, its quads. Everything below is written out, so that
 * arrays with constant indices are registers, and shifts and lanes are constants. The functions
 * with a parameter nq handle nq quads, 2 or 4, of each row: quad q of row i is at nq * i + q of an
 * array. */
#define LF_EACH_QUAD(F) F(0) F(1) F(2) F(3)
#define LF_QUADS(nq, F)                                                                            \
    F(0)                                                                                           \
    F(1)                                                                                           \
    if ((nq) == 4) {                                                                               \
        F(2)                                                                                       \
        F(3)                                                                                       \
    }
#define LF_FEW_ROWS(m, F) /* at most 4, as in subtiles */                                          \
    LF_ROW_IF(m, 0, F) LF_ROW_IF(m, 1, F) LF_ROW_IF(m, 2, F) LF_ROW_IF(m, 3, F)
#define LF_EACH_GROUP(F) F(0) F(1) F(2) F(3) F(4) F(5) F(6) F(7)

/* How the quants of a block are stored: LF_SIGNED is int8, another number the width of unsigned
 * quants. */
enum { LF_SIGNED = 0 };

/* ---- Lines ---- */

LF_INLINE void lf_neon_load16(const void *p, float32x4_t *out)
{
    const float *from = p;
#define Q(q) out[q] = vld1q_f32(from + 4 * (q));
    LF_EACH_QUAD(Q)
#undef Q
}

/* 16 f16 */
LF_INLINE void lf_neon_f16x16(const uint8_t *p, float32x4_t *out)
{
    for (size_t i = 0; i < 2; i++) {
        const float16x8_t h = vreinterpretq_f16_u8(vld1q_u8(p + 16 * i));
        out[2 * i] = vcvt_f32_f16(vget_low_f16(h));
        out[2 * i + 1] = vcvt_high_f32_f16(h);
    }
}

/* 16 uint8 as dwords */
LF_INLINE void lf_neon_dwords(uint8x16_t bytes, uint32x4_t *out)
{
    const uint16x8_t low = vmovl_u8(vget_low_u8(bytes)), high = vmovl_high_u8(bytes);
    out[0] = vmovl_u16(vget_low_u16(low));
    out[1] = vmovl_high_u16(low);
    out[2] = vmovl_u16(vget_low_u16(high));
    out[3] = vmovl_high_u16(high);
}

/* The same of int8. */
LF_INLINE void lf_neon_signed_dwords(int8x16_t bytes, int32x4_t *out)
{
    const int16x8_t low = vmovl_s8(vget_low_s8(bytes)), high = vmovl_high_s8(bytes);
    out[0] = vmovl_s16(vget_low_s16(low));
    out[1] = vmovl_high_s16(low);
    out[2] = vmovl_s16(vget_low_s16(high));
    out[3] = vmovl_high_s16(high);
}

/* ---- Quants: those of group g, 4 columns from byte `quad` of a line on ---- */

LF_INLINE uint8x16_t lf_neon_two_bits(const uint8_t *line, const size_t g)
{
    const uint8x16_t v = vld1q_u8(line + g / 4 * 64), mask = vdupq_n_u8(3);
    switch (g % 4) {
    case 0:
        return vandq_u8(v, mask);
    case 1:
        return vandq_u8(vshrq_n_u8(v, 2), mask);
    case 2:
        return vandq_u8(vshrq_n_u8(v, 4), mask);
    default:
        return vshrq_n_u8(v, 6);
    }
}

LF_INLINE uint8x16_t lf_neon_three_bits(const uint8_t *line, const size_t g)
{
    const uint8x16_t mask = vdupq_n_u8(7);
    if (g < 6) {
        const uint8x16_t v = vld1q_u8(line + g / 2 * 64);
        return vandq_u8(g % 2 == 0 ? v : vshrq_n_u8(v, 4), mask);
    }
    /* Bits 7 and 3 of the lines, the last line's first, become bits 7 to 5 and 3 to 1. */
    const uint8x16_t first = vshrq_n_u8(vld1q_u8(line), 2);
    const uint8x16_t second = vshrq_n_u8(vld1q_u8(line + 64), 1);
    uint8x16_t all = vbslq_u8(vdupq_n_u8(0x44), second, first);
    all = vbslq_u8(vdupq_n_u8(0x88), vld1q_u8(line + 128), all);
    return g == 7 ? vshrq_n_u8(all, 5) : vandq_u8(vshrq_n_u8(all, 1), mask);
}

LF_INLINE uint8x16_t lf_neon_five_bits(const uint8_t *line, const size_t g)
{
    if (g < 5) {
        return vandq_u8(vld1q_u8(line + g * 64), vdupq_n_u8(31));
    }
    const uint8_t *first = line + (g - 5) * 2 * 64;
    const uint8x16_t upper = vshrq_n_u8(vld1q_u8(first), 3);
    if (g < 7) {
        return vsriq_n_u8(upper, vld1q_u8(first + 64), 6);
    }
    const uint8x16_t bit1 = vshlq_n_u8(vld1q_u8(line + 3 * 64), 2);
    const uint8x16_t bit0 = vshlq_n_u8(vld1q_u8(line + 64), 2);
    return vsriq_n_u8(vsriq_n_u8(upper, bit1, 6), bit0, 7);
}

/* g of half a block. */
LF_INLINE uint8x16_t lf_neon_six_bits(const uint8_t *line, const size_t g)
{
    if (g < 3) {
        return vandq_u8(vld1q_u8(line + g * 64), vdupq_n_u8(63));
    }
    const uint8x16_t first = vshrq_n_u8(vld1q_u8(line), 2);
    const uint8x16_t both = vsriq_n_u8(first, vld1q_u8(line + 64), 4);
    return vsriq_n_u8(both, vld1q_u8(line + 128), 6);
}

LF_INLINE uint8x16_t lf_neon_unsigned(const int bits, const uint8_t *line, const size_t g)
{
    switch (bits) {
    case 2:
        return lf_neon_two_bits(line, g);
    case 3:
        return lf_neon_three_bits(line, g);
    case 4: {
        const uint8x16_t v = vld1q_u8(line + g % 4 * 64);
        return g < 4 ? vandq_u8(v, vdupq_n_u8(15)) : vshrq_n_u8(v, 4);
    }
    case 5:
        return lf_neon_five_bits(line, g);
    case 6:
        return lf_neon_six_bits(line + g / 4 * 3 * 64, g % 4);
    default:
        return vld1q_u8(line + g * 64);
    }
}

LF_INLINE int8x16_t lf_neon_quants(const int bits, const uint8_t *quants, const size_t g,
                                   const size_t quad)
{
    return vreinterpretq_s8_u8(lf_neon_unsigned(bits, quants + 16 * quad, g));
}

/* All groups of a block. */
LF_INLINE void lf_neon_unpack(const int bits, const uint8_t *quants, uint8_t *out)
{
#define Q(q) vst1q_s8((int8_t *)to + 16 * (q), lf_neon_quants(bits, quants, group, q));
#define G(g)                                                                                       \
    {                                                                                              \
        const size_t group = g;                                                                    \
        uint8_t *to = out + 64 * (g);                                                              \
        LF_EACH_QUAD(Q)                                                                            \
    }
    LF_EACH_GROUP(G)
#undef G
#undef Q
}

/* ---- Sums ---- */

/* s = the start of each row: dword `init` of its block at x, or LF_MAGIC_BITS if init is negative.
 * eighth: the dword is of the zero point 32, but the format's is 4. */
LF_INLINE void lf_neon_start(const bool eighth, const size_t nq, const size_t m, const uint32_t *x,
                             const int init, int32x4_t *s)
{
#define Q(q) si[q] = start;
#define F(i)                                                                                       \
    {                                                                                              \
        int32x4_t *si = s + nq * (i);                                                              \
        int32x4_t start = vdupq_n_s32(LF_MAGIC_BITS);                                              \
        if (init >= 0) {                                                                           \
            start = vld1q_dup_s32((const int32_t *)(const void *)(x + (i)*LF_X_DWORDS + init));    \
        }                                                                                          \
        if (eighth) {                                                                              \
            start =                                                                                \
                vaddq_s32(vshrq_n_s32(start, 3), vdupq_n_s32(LF_MAGIC_BITS - LF_MAGIC_BITS / 8));  \
        }                                                                                          \
        LF_QUADS(nq, Q)                                                                            \
    }
    LF_FEW_ROWS(m, F)
#undef F
#undef Q
}

/* acc = fma(isum * LHS scale, weight scale, acc), where s is LF_MAGIC + isum. With `sums` (of the
 * rows' LHS quants, times the LHS scale) then acc = fma(-sum, minimum, acc). x: the rows' LHS
 * scales, each followed by its bias. */
LF_INLINE void lf_neon_finish(const size_t nq, const size_t m, const uint32_t *x,
                              const int32x4_t *s, const float32x4_t *scales, const uint32_t *sums,
                              const float32x4_t *minimums, float32x4_t *acc){
#define Q(q)                                                                                       \
    {                                                                                              \
        const float32x4_t t = vfmaq_lane_f32(bias, vreinterpretq_f32_s32(si[q]), factors, 0);      \
        a[q] = vfmaq_f32(a[q], t, scales[q]);                                                      \
        if (sums != NULL) {                                                                        \
            a[q] = vfmsq_lane_f32(a[q], minimums[q], sum, 0);                                      \
        }                                                                                          \
    }
#define F(i)                                                                                       \
    {                                                                                              \
        const int32x4_t *si = s + nq * (i);                                                        \
        float32x4_t *a = acc + nq * (i);                                                           \
        const float32x2_t factors = vld1_f32((const float *)(const void *)(x + (i)*LF_X_DWORDS));  \
        const float32x4_t bias = vdupq_lane_f32(factors, 1);                                       \
        float32x2_t sum = factors;                                                                 \
        if (sums != NULL) {                                                                        \
            sum = vld1_dup_f32((const float *)(const void *)(sums + (i)*LF_X_DWORDS));             \
        }                                                                                          \
        (void)sum;                                                                                 \
        LF_QUADS(nq, Q)                                                                            \
    }
    LF_FEW_ROWS(m, F)
#undef F
#undef Q
}

/* acc = fma((float)isum * LHS scale, weight scale, acc) of LF_W_Q8. s: the isum. */
LF_INLINE void lf_neon_finish_q8(const size_t nq, const size_t m, const uint32_t *x,
                                 const int32x4_t *s, const float32x4_t *scales, float32x4_t *acc)
{
#define Q(q) a[q] = vfmaq_f32(a[q], vmulq_n_f32(vcvtq_f32_s32(si[q]), scale), scales[q]);
#define F(i)                                                                                       \
    {                                                                                              \
        const int32x4_t *si = s + nq * (i);                                                        \
        float32x4_t *a = acc + nq * (i);                                                           \
        const float scale = lf_load_f32(x + (i)*LF_X2_DWORDS + LF_X2_SCALE);                       \
        LF_QUADS(nq, Q)                                                                            \
    }
    LF_FEW_ROWS(m, F)
#undef F
#undef Q
}

/* acc = fma(-32 * sum of the LHS quants * LHS scale, minimum / 32, acc). init: LF_MAGIC_BITS - 32 *
 * sum; x: the rows' LHS scales, each followed by its bias. */
LF_INLINE void lf_neon_minimums(const size_t nq, const size_t m, const uint32_t *init,
                                const uint32_t *x, const float32x4_t *minimums, float32x4_t *acc)
{
#define Q(q) a[q] = vfmaq_n_f32(a[q], minimums[q], sum);
#define F(i)                                                                                       \
    {                                                                                              \
        float32x4_t *a = acc + nq * (i);                                                           \
        const float sum =                                                                          \
            __builtin_fmaf(lf_load_f32(init + (i)*LF_X_DWORDS), lf_load_f32(x + (i)*LF_X_DWORDS),  \
                           lf_load_f32(x + (i)*LF_X_DWORDS + 1));                                  \
        LF_QUADS(nq, Q)                                                                            \
    }
    LF_FEW_ROWS(m, F)
#undef F
#undef Q
}

/* ---- Results ---- */

LF_INLINE void lf_neon_store_row(const float32x4_t *acc, size_t columns, float *c)
{
    if (columns >= LF_NR) {
#define Q(q) vst1q_f32(c + 4 * (q), acc[q]);
        LF_EACH_QUAD(Q)
#undef Q
        return;
    }
    float row[LF_NR];
#define Q(q) vst1q_f32(row + 4 * (q), acc[q]);
    LF_EACH_QUAD(Q)
#undef Q
    memcpy(c, row, columns * sizeof(float));
}

static inline void lf_neon_store(size_t m, const float32x4_t *acc, size_t columns, float *c,
                                 size_t c_stride)
{
    for (size_t i = 0; i < m; i++) {
        lf_neon_store_row(acc + 4 * i, columns, c + i * c_stride);
    }
}

/* lf_gemm.kr of these panels: a pack cache must not mix them up with those of other kernels. */
enum { LF_NEON_SIGNED_KR = 4 };

/* Panels of bytes have quant + 128; those of these kernels have the quants themselves, which saves
 * an instruction for each register. Changes n blocks of 32 k that are `stride` bytes apart. */
static inline void lf_neon_sign_quants(uint8_t *quants, size_t n, size_t stride)
{
    for (; n > 0; n--, quants += stride) {
        for (size_t i = 0; i < LF_Q8_QUANTS; i += 16) {
            vst1q_u8(quants + i, veorq_u8(vld1q_u8(quants + i), vdupq_n_u8(128)));
        }
    }
}

#define LF_NEON_ENTRY(in, in_format, format, tag, packer, multiple, arch, feature, ...)            \
    const lf_gemm lf_gemm_##tag##_##arch = {.name =                                                \
                                                #in "_f32_" #tag "_gemm_" LF_NEON_TILE "__" #arch, \
                                            .isa = #arch,                                          \
                                            .provider = LF_PROVIDER_LFM2,                          \
                                            .needs = feature,                                      \
                                            .weights = format,                                     \
                                            .lhs = in_format,                                      \
                                            .mr = LF_NEON_MR,                                      \
                                            .nr = LF_NR,                                           \
                                            .k_multiple = multiple,                                \
                                            .exact = true,                                         \
                                            .panel_bytes = lf_panel_bytes_##tag,                   \
                                            .pack = packer,                                        \
                                            .fn = tag##_gemm,                                      \
                                            __VA_ARGS__};

#endif /* LF_KERNELS_ARM_NEON_H */
