/* SPDX-License-Identifier: Apache-2.0 */
/* What the integer kernels for arm64 know of each panel format, except LF_W_Q8. */
#ifndef LF_KERNELS_ARM_NEON_FORMATS_H
#define LF_KERNELS_ARM_NEON_FORMATS_H

#include "kernels/arm/neon.h"

/* Panel formats, as constants for inline functions. */
enum {
    NEON_Q4,
    NEON_Q2K,
    NEON_Q3K,
    NEON_Q4K,
    NEON_Q5K,
    NEON_Q6K,
    NEON_I8G,
    NEON_I8GM,
    NEON_I8G16,
    NEON_I8G16M
};

/* Whether scales are for half a block. */
LF_INLINE bool neon_halves(const int format)
{
    return format == NEON_Q2K || format == NEON_Q3K || format == NEON_Q6K || format == NEON_I8G16 ||
           format == NEON_I8G16M;
}

LF_INLINE bool neon_minimums(const int format)
{
    return format == NEON_Q2K || format == NEON_Q4K || format == NEON_Q5K || format == NEON_I8GM ||
           format == NEON_I8G16M;
}

/* The dword of an LHS block with the start of the sums, which contains the zero point; -1: there
 * is no zero point. */
LF_INLINE int neon_init(const int format, const size_t half)
{
    if (format == NEON_Q3K || format == NEON_Q6K) {
        return LF_X16_INIT6_LO + (int)half;
    }
    return format == NEON_Q4 ? LF_X_INIT4 : -1;
}

/* Lines of factors of a block: scales of each half, then minimums. */
LF_INLINE size_t neon_lines(const int format)
{
    return (neon_halves(format) ? 2u : 1u) * (neon_minimums(format) ? 2u : 1u);
}

/* Once quants are int8, formats differ in their start, halves and minimums only. F(kind) for one
 * format of each kind, and the kind of a format. */
#define NEON_EACH_KIND(F)                                                                          \
    F(NEON_Q4) F(NEON_Q3K) F(NEON_Q4K) F(NEON_Q6K) F(NEON_I8G) F(NEON_I8G16) F(NEON_I8G16M)

LF_INLINE int neon_kind(const int format)
{
    switch (format) {
    case NEON_Q5K:
    case NEON_I8GM:
        return NEON_Q4K;
    case NEON_Q2K:
        return NEON_I8G16M;
    default:
        return format;
    }
}

/* ---- Factors ---- */

/* Field `at` of dwords with 6-bit fields. */
LF_INLINE uint32x4_t neon_field(uint32x4_t v, const size_t at)
{
    const uint32x4_t mask = vdupq_n_u32(63);
    switch (at) {
    case 0:
        return vandq_u32(v, mask);
    case 1:
        return vandq_u32(vshrq_n_u32(v, 6), mask);
    case 2:
        return vandq_u32(vshrq_n_u32(v, 12), mask);
    case 3:
        return vandq_u32(vshrq_n_u32(v, 18), mask);
    default:
        return vandq_u32(vshrq_n_u32(v, 24), mask);
    }
}

/* Factor i, a constant, of three lines of 6-bit factors; 4 columns. */
LF_INLINE uint32x4_t neon_six_bits(const uint32x4_t lines[3], const size_t i)
{
    if (i < 15) {
        return neon_field(lines[i / 5], i % 5);
    }
    const uint32x4_t first = vshrq_n_u32(lines[0], 30);
    const uint32x4_t second = vsliq_n_u32(first, vshrq_n_u32(lines[1], 30), 2);
    return vsliq_n_u32(second, vshrq_n_u32(lines[2], 30), 4);
}

/* F(i) for each of 16 factors. */
#define NEON_EACH_FACTOR(F)                                                                        \
    F(0) F(1) F(2) F(3) F(4) F(5) F(6) F(7) F(8) F(9) F(10) F(11) F(12) F(13) F(14) F(15)

LF_INLINE void neon_load_lines(const uint8_t *lines, size_t quad, uint32x4_t out[3])
{
    for (size_t i = 0; i < 3; i++) {
        out[i] = vreinterpretq_u32_u8(vld1q_u8(lines + 64 * i + 16 * quad));
    }
}

/* Scales and minimums of the eight blocks of 256 k of Q4_K and Q5_K. */
LF_INLINE void neon_k_factors(const uint8_t *super, float32x4_t (*out)[4 * 2])
{
    float32x4_t d[4], dmin[4];
    lf_neon_f16x16(super, d);
    lf_neon_f16x16(super + 32, dmin);
    for (size_t q = 0; q < 4; q++) {
        uint32x4_t lines[3];
        neon_load_lines(super + 64, q, lines);
#define F(i)                                                                                       \
    out[(i) % 8][(i) / 8 * 4 + q] =                                                                \
        vmulq_f32(vcvtq_f32_u32(neon_six_bits(lines, i)), (i) < 8 ? d[q] : dmin[q]);
        NEON_EACH_FACTOR(F)
#undef F
    }
}

/* Scales of the 16 half blocks of 256 k. */
LF_INLINE void neon_q6k_factors(const uint8_t *super, const uint8_t *halves,
                                float32x4_t (*out)[4 * 2])
{
    float32x4_t d[4];
    lf_neon_f16x16(halves, d);
    for (size_t i = 0; i < 16; i++) {
        int32x4_t scale[4];
        lf_neon_signed_dwords(vreinterpretq_s8_u8(vld1q_u8(super + i * LF_NR)), scale);
        for (size_t q = 0; q < 4; q++) {
            out[i / 2][i % 2 * 4 + q] = vmulq_f32(vcvtq_f32_s32(scale[q]), d[q]);
        }
    }
}

LF_INLINE void neon_q2k_factors(const uint8_t *super, float32x4_t (*out)[16])
{
    float32x4_t d[4], dmin[4];
    lf_neon_f16x16(super, d);
    lf_neon_f16x16(super + 32, dmin);
    for (size_t q = 0; q < 4; q++) {
        dmin[q] = vmulq_n_f32(dmin[q], 1.0f / 32.0f);
    }
    for (size_t i = 0; i < 16; i++) {
        const uint8x16_t both = vld1q_u8(super + 64 + i * LF_NR);
        uint32x4_t scale[4], minimum[4];
        lf_neon_dwords(vandq_u8(both, vdupq_n_u8(15)), scale);
        lf_neon_dwords(vshrq_n_u8(both, 4), minimum);
        for (size_t q = 0; q < 4; q++) {
            out[i / 2][i % 2 * 4 + q] = vmulq_f32(vcvtq_f32_u32(scale[q]), d[q]);
            out[i / 2][8 + i % 2 * 4 + q] = vmulq_f32(vcvtq_f32_u32(minimum[q]), dmin[q]);
        }
    }
}

LF_INLINE void neon_q3k_factors(const uint8_t *super, const uint8_t *halves, float32x4_t (*out)[16])
{
    float32x4_t d[4];
    lf_neon_f16x16(halves, d);
    for (size_t q = 0; q < 4; q++) {
        uint32x4_t lines[3];
        neon_load_lines(super, q, lines);
#define F(i)                                                                                       \
    out[(i) / 2][(i) % 2 * 4 + q] = vmulq_f32(                                                     \
        vcvtq_f32_s32(vsubq_s32(vreinterpretq_s32_u32(neon_six_bits(lines, i)), vdupq_n_s32(32))), \
        d[q]);
        NEON_EACH_FACTOR(F)
#undef F
    }
}

/* ---- LF_W_IQ3S ---- */

/* The scales of block b of 256 k. */
LF_INLINE void neon_iq3s_scales(const uint8_t *super, size_t b, const uint8_t *halves,
                                float32x4_t *out)
{
    float32x4_t d[4];
    lf_neon_f16x16(halves, d);
    const int32x4_t down = vdupq_n_s32(-4 * (int32_t)b);
    for (size_t q = 0; q < 4; q++) {
        const uint32x4_t all = vreinterpretq_u32_u8(vld1q_u8(super + 16 * q));
        const uint32x4_t scale = vandq_u32(vshlq_u32(all, down), vdupq_n_u32(15));
        const uint32x4_t odd = vorrq_u32(vshlq_n_u32(scale, 1), vdupq_n_u32(1));
        out[q] = vmulq_f32(vcvtq_f32_u32(odd), d[q]);
    }
}

/* The quants of group g of block b. The codebook has magnitudes + 128. */
LF_INLINE void neon_iq3s_group(const uint8_t *super, size_t b, size_t g, uint8_t *out)
{
    static const uint8_t bits[16] = {1, 2, 4, 8, 16, 32, 64, 128, 1, 2, 4, 8, 16, 32, 64, 128};
    const size_t group = b * 8 + g;
    const uint8_t *signs = super + LF_IQ3S_SIGNS + group * 8;
    const uint8x16_t low = vld1q_u8(super + LF_IQ3S_INDEX + group * LF_NR);
    const uint8x16_t upper = vld1q_u8(super + LF_IQ3S_HIGH + b * LF_NR);
    const uint8x16_t ninth =
        vandq_u8(vtstq_u8(upper, vdupq_n_u8((uint8_t)(1u << g))), vdupq_n_u8(1));
    uint8_t index[2 * LF_NR];
    vst2q_u8(index, ((uint8x16x2_t){{low, ninth}}));
    for (size_t q = 0; q < 4; q++) {
        uint32_t vectors[4];
        for (size_t c = 0; c < 4; c++) {
            vectors[c] = lf_iq3s_grid[lf_load_u16(index + (q * 4 + c) * 2)];
        }
        const uint8x16_t w = veorq_u8(vreinterpretq_u8_u32(vld1q_u32(vectors)), vdupq_n_u8(128));
        const uint8x16_t spread = vcombine_u8(vdup_n_u8(signs[2 * q]), vdup_n_u8(signs[2 * q + 1]));
        const uint8x16_t negative = vtstq_u8(spread, vld1q_u8(bits));
        vst1q_u8(out + 16 * q, vsubq_u8(veorq_u8(w, negative), negative));
    }
}

/* ---- LF_W_T4, LF_W_T4G16 ---- */

/* The quants of a block. */
LF_INLINE void neon_t4_quants(uint8x16_t table, const uint8_t *nibbles, uint8_t *out)
{
    for (size_t i = 0; i < LF_Q4_QUANTS; i += 16) {
        const uint8x16_t v = vld1q_u8(nibbles + i);
        vst1q_u8(out + i, vqtbl1q_u8(table, vandq_u8(v, vdupq_n_u8(15))));
        vst1q_u8(out + LF_Q4_QUANTS + i, vqtbl1q_u8(table, vshrq_n_u8(v, 4)));
    }
}

#endif /* LF_KERNELS_ARM_NEON_FORMATS_H */
