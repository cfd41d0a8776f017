/* SPDX-License-Identifier: Apache-2.0 */
/* Quantization to every integer LHS format but LF_LHS_QD8 for NEON (scalar/lhs.c). */
#include "kernels/lhs_layout.h"
#include "kernels/tables.h"
#include "kernels/vector/unroll.h"

#include <arm_neon.h>

/* Loads n * 4 values and returns the bits of their largest magnitude. */
LF_INLINE uint32_t load_values(const size_t n, const float *x, float32x4_t *v)
{
    uint32x4_t most = vdupq_n_u32(0);
    for (size_t i = 0; i < n; i++) {
        v[i] = vld1q_f32(x + 4 * i);
        most = vmaxq_u32(most, vreinterpretq_u32_f32(vabsq_f32(v[i])));
    }
    return vmaxvq_u32(most);
}

LF_INLINE bool in_range(uint32_t amax)
{
    return amax >= LF_X_TINY && amax < LF_X_HUGE;
}

/* 8 quants of v * inverse, rounded to nearest even. */
LF_INLINE int16x8_t quants8(const float32x4_t *v, float inverse)
{
    return vcombine_s16(vmovn_s32(vcvtnq_s32_f32(vmulq_n_f32(v[0], inverse))),
                        vmovn_s32(vcvtnq_s32_f32(vmulq_n_f32(v[1], inverse))));
}

/* ---- LF_LHS_I8B32, LF_LHS_I8B16 ---- */

static void quantize_i8b32(size_t k, const float *x, void *row)
{
    uint8_t *out = row;
    for (size_t b = 0; b < k / 32; b++, x += 32, out += LF_X_BYTES) {
        float32x4_t v[8];
        const uint32_t amax = load_values(8, x, v);
        if (!in_range(amax)) {
            lf_lhs_i8b32_scalar.quantize(32, x, out);
            continue;
        }
        const float inverse = 127.0f / lf_float(amax);
        int8_t *bytes = (int8_t *)(out + LF_X_QUANTS * 4);
        int16x8_t sum = vdupq_n_s16(0);
        for (size_t i = 0; i < 4; i++) {
            const int16x8_t words = quants8(v + 2 * i, inverse);
            sum = vaddq_s16(sum, words);
            vst1_s8(bytes + 8 * i, vmovn_s16(words));
        }
        lf_put_block(out, lf_block_scale(amax), vaddlvq_s16(sum));
    }
}

const lf_lhs lf_lhs_i8b32_neon = {.name = "i8b32",
                                  .provider = LF_PROVIDER_LFM2,
                                  .needs = LF_CPU_NEON,
                                  .block_bytes = LF_X_BYTES,
                                  .row_bytes = lf_row_bytes_i8b32,
                                  .quantize = quantize_i8b32,
                                  .tile_bytes = lf_tile_bytes_i8b32,
                                  .pack = lf_lhs_pack_i8b32};

static void quantize_i8b16(size_t k, const float *x, void *row)
{
    for (size_t h = 0; h < k / 16; h++, x += 16) {
        uint8_t *out = (uint8_t *)row + h / 2 * LF_X_BYTES;
        int8_t *bytes = (int8_t *)(out + LF_X_QUANTS * 4 + (h & 1) * 16);
        float32x4_t v[4];
        const uint32_t amax = load_values(4, x, v);
        int16x8_t words[2] = {vdupq_n_s16(0), vdupq_n_s16(0)};
        if (in_range(amax)) { /* infinity and NaN times 0 do not give a quant */
            const float inverse = 127.0f / lf_float(amax);
            words[0] = quants8(v, inverse);
            words[1] = quants8(v + 2, inverse);
        }
        lf_put_half(out, h & 1, lf_block_scale(amax), vaddlvq_s16(vaddq_s16(words[0], words[1])));
        vst1_s8(bytes, vmovn_s16(words[0]));
        vst1_s8(bytes + 8, vmovn_s16(words[1]));
    }
}

const lf_lhs lf_lhs_i8b16_neon = {.name = "i8b16",
                                  .provider = LF_PROVIDER_LFM2,
                                  .needs = LF_CPU_NEON,
                                  .block_bytes = LF_X_BYTES,
                                  .row_bytes = lf_row_bytes_i8b32,
                                  .quantize = quantize_i8b16,
                                  .tile_bytes = lf_tile_bytes_i8b32,
                                  .pack = lf_lhs_pack_i8b32};

/* ---- LF_LHS_I16B32, LF_LHS_I8X2B32 ---- */

/* Makes the quants in order, as 4 x 8 words, and writes the head of the block. false: did
 * neither, because the largest magnitude is out of range, which scalar code handles. */
LF_INLINE bool make_words(const float *x, int16x8_t *words, uint8_t *out)
{
    float32x4_t v[8];
    const uint32_t amax = load_values(8, x, v);
    if (!in_range(amax)) {
        return false;
    }
    const float inverse = LF_X2_MAX / lf_float(amax);
    int32x4_t sum = vdupq_n_s32(0);
    for (size_t i = 0; i < 4; i++) {
        words[i] = quants8(v + 2 * i, inverse);
        sum = vpadalq_s16(sum, words[i]);
    }
    const uint32_t head[LF_X2_QUANTS] = {[LF_X2_INIT] = (uint32_t)(-128 * vaddvq_s32(sum)),
                                         [LF_X2_SCALE] = lf_bits(lf_block_scale16(amax))};
    memcpy(out, head, sizeof head);
    return true;
}

static void quantize_i16b32(size_t k, const float *x, void *row)
{
    uint8_t *out = row;
    for (size_t b = 0; b < k / 32; b++, x += 32, out += LF_X2_BYTES) {
        int16x8_t words[4];
        if (!make_words(x, words, out)) {
            lf_lhs_i16b32_scalar.quantize(32, x, out);
            continue;
        }
        for (size_t i = 0; i < 4; i++) { /* swaps words 1 and 2 of each 4 */
            const int32x4_t even = vreinterpretq_s32_s16(vuzp1q_s16(words[i], words[i]));
            const int32x4_t odd = vreinterpretq_s32_s16(vuzp2q_s16(words[i], words[i]));
            vst1q_s32((int32_t *)(void *)(out + LF_X2_QUANTS * 4 + 16 * i), vzip1q_s32(even, odd));
        }
    }
}

static void quantize_i8x2b32(size_t k, const float *x, void *row)
{
    uint8_t *out = row;
    for (size_t b = 0; b < k / 32; b++, x += 32, out += LF_X2_BYTES) {
        int16x8_t words[4];
        if (!make_words(x, words, out)) {
            lf_lhs_i8x2b32_scalar.quantize(32, x, out);
            continue;
        }
        int8_t *bytes = (int8_t *)(out + LF_X2_QUANTS * 4);
        for (size_t i = 0; i < 4; i++) { /* the lower int8 is the low byte */
            vst1_s8(bytes + 8 * i, vrshrn_n_s16(words[i], 8));
            vst1_s8(bytes + 32 + 8 * i, vmovn_s16(words[i]));
        }
    }
}

const lf_lhs lf_lhs_i16b32_neon = {.name = "i16b32",
                                   .provider = LF_PROVIDER_LFM2,
                                   .needs = LF_CPU_NEON,
                                   .block_bytes = LF_X2_BYTES,
                                   .row_bytes = lf_row_bytes_x2,
                                   .quantize = quantize_i16b32,
                                   .tile_bytes = lf_tile_bytes_x2,
                                   .pack = lf_lhs_pack_x2};

const lf_lhs lf_lhs_i8x2b32_neon = {.name = "i8x2b32",
                                    .provider = LF_PROVIDER_LFM2,
                                    .needs = LF_CPU_NEON,
                                    .block_bytes = LF_X2_BYTES,
                                    .row_bytes = lf_row_bytes_x2,
                                    .quantize = quantize_i8x2b32,
                                    .tile_bytes = lf_tile_bytes_x2,
                                    .pack = lf_lhs_pack_x2};
