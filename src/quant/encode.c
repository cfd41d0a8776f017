/* SPDX-License-Identifier: Apache-2.0 */
/* Owns encoding: the rules of the formats' reference encoders without an importance matrix, step by
 * step in f32 and in their order, because the bytes are compared with theirs. */
#include "quant/block.h"

/* Truncation with a defined result for every input, NaN included. */
static int clamp_to_int(float v, int low, int high)
{
    if (!(v > (float)low)) {
        return low;
    }
    return v < (float)high ? (int)v : high;
}

/* Nearest integer, halves away from zero. |v| < 2^22. */
static int round_away(float v)
{
    int whole = (int)v;
    float rest = v - (float)whole;
    return whole + (rest >= 0.5f) - (rest <= -0.5f);
}

/* Nearest integer, halves to even: adding 1.5 * 2^23 leaves the integer in the low mantissa bits.
 * |v| < 2^22; other values give some integer. */
static int round_even(float v)
{
    return (int)(lf_bits_of(v + 12582912.0f) & 0x007fffffu) - 0x00400000;
}

static float magnitude(float v)
{
    return lf_float_of(lf_bits_of(v) & 0x7fffffffu);
}

/* The element of largest magnitude, sign kept; the first of equals. n is a multiple of 8. */
static float extreme(const float *x, int n)
{
    enum { LANES = 8 }; /* independent maxima, which the compiler can keep in vectors */
    float lanes[LANES] = {0.0f};
    for (int i = 0; i < n; i += LANES) {
        for (int j = 0; j < LANES; j++) {
            float a = magnitude(x[i + j]);
            lanes[j] = a > lanes[j] ? a : lanes[j];
        }
    }
    float most = 0.0f;
    for (int j = 0; j < LANES; j++) {
        most = lanes[j] > most ? lanes[j] : most;
    }
    for (int i = 0; i < n; i++) {
        if (magnitude(x[i]) >= most) {
            return x[i];
        }
    }
    return 0.0f; /* nothing but NaN */
}

/* Scale = largest / 127. */
static void encode_q8_0(const float *src, uint8_t *dst, size_t blocks)
{
    for (size_t b = 0; b < blocks; b++, src += LF_SMALL, dst += LF_Q8_0_BYTES) {
        float d = magnitude(extreme(src, LF_SMALL)) / 127.0f;
        float inverse = d != 0.0f ? 1.0f / d : 0.0f;
        lf_block_put_u16(dst, lf_f32_to_f16(d));
        for (int j = 0; j < LF_SMALL; j++) {
            float v = src[j] * inverse;
            v = v > -128.0f ? v : -128.0f;
            v = v < 127.0f ? v : 127.0f;
            dst[2 + j] = (uint8_t)round_away(v);
        }
    }
}

/* The element of largest magnitude becomes code -8. */
static void encode_q4_0(const float *src, uint8_t *dst, size_t blocks)
{
    for (size_t b = 0; b < blocks; b++, src += LF_SMALL, dst += LF_Q4_0_BYTES) {
        float d = extreme(src, LF_SMALL) / -8.0f;
        float inverse = d != 0.0f ? 1.0f / d : 0.0f;
        lf_block_put_u16(dst, lf_f32_to_f16(d));
        for (int j = 0; j < LF_SMALL / 2; j++) {
            int low = clamp_to_int(src[j] * inverse + 8.5f, 0, 15);
            int high = clamp_to_int(src[j + LF_SMALL / 2] * inverse + 8.5f, 0, 15);
            dst[2 + j] = (uint8_t)(low | high << 4);
        }
    }
}

/* ---- Q6_K ---- */

enum {
    GROUP = 16,
    GROUPS = LF_SUPER / GROUP,
    STEPS = 9,                 /* candidates on either side of the obvious one */
    CANDIDATES = 2 * STEPS + 2 /* the obvious one first, and once more among the others */
};

static const float nothing = 1e-15f; /* groups below this are stored as zero */

/* Code -32..31 of a value given as a multiple of its scale. The limits are applied to integers:
 * compilers do not turn comparisons of floats into vector code. */
static int code6(float v)
{
    int l = round_even(v);
    l = l > -32 ? l : -32;
    return l < 31 ? l : 31;
}

/* For each candidate inverse scale the sums of w*x*l and w*l*l with w = x^2 over the codes l that
 * it gives. The candidates are independent of each other, each sum runs in the order of x. */
static void weighted_sums(const float *restrict x, const float *restrict inverse,
                          float *restrict xl, float *restrict ll)
{
    for (int i = 0; i < GROUP; i++) {
        float w = x[i] * x[i];
        float wx = w * x[i];
        for (int c = 0; c < CANDIDATES; c++) {
            float l = (float)code6(inverse[c] * x[i]);
            xl[c] += wx * l;
            ll[c] += w * l * l;
        }
    }
}

/* Scale of one group: of the steps around largest / -32 the one whose least-squares scale leaves
 * the smallest weighted error. The codes (0..63) of the winner go to `codes`. */
static float group_scale(const float *x, uint8_t *codes)
{
    float largest = extreme(x, GROUP);
    if (magnitude(largest) < nothing) {
        memset(codes, 0, GROUP);
        return 0.0f;
    }
    float inverse[CANDIDATES];
    float xl[CANDIDATES] = {0.0f};
    float ll[CANDIDATES] = {0.0f};
    inverse[0] = -32.0f / largest;
    for (int step = -STEPS; step <= STEPS; step++) {
        inverse[step + STEPS + 1] = -(32.0f + 0.1f * (float)step) / largest;
    }
    weighted_sums(x, inverse, xl, ll);
    int chosen = 0;
    float scale = ll[0] != 0.0f ? xl[0] / ll[0] : 0.0f;
    float best = scale * xl[0];
    for (int c = 1; c < CANDIDATES; c++) {
        if (c != STEPS + 1 && ll[c] > 0.0f && xl[c] * xl[c] > best * ll[c]) {
            chosen = c;
            scale = xl[c] / ll[c];
            best = scale * xl[c];
        }
    }
    for (int i = 0; i < GROUP; i++) {
        codes[i] = (uint8_t)(code6(inverse[chosen] * x[i]) + 32);
    }
    return scale;
}

/* Splits 256 codes of 6 bits into the nibbles and the upper pairs. */
static void pack_q6(const uint8_t *codes, uint8_t *dst)
{
    for (int half = 0; half < 2; half++) {
        const uint8_t *c = codes + half * 128;
        uint8_t *low = dst + half * 64;
        uint8_t *high = dst + 128 + half * 32;
        for (int l = 0; l < 32; l++) {
            low[l] = (uint8_t)((c[l] & 15) | (c[l + 64] & 15) << 4);
            low[l + 32] = (uint8_t)((c[l + 32] & 15) | (c[l + 96] & 15) << 4);
            high[l] = (uint8_t)(c[l] >> 4 | c[l + 32] >> 4 << 2 | c[l + 64] >> 4 << 4 |
                                c[l + 96] >> 4 << 6);
        }
    }
}

static void encode_q6_k(const float *src, uint8_t *dst, size_t blocks)
{
    for (size_t b = 0; b < blocks; b++, src += LF_SUPER, dst += LF_Q6_K_BYTES) {
        uint8_t codes[LF_SUPER];
        float scales[GROUPS];
        for (int g = 0; g < GROUPS; g++) {
            scales[g] = group_scale(src + g * GROUP, codes + g * GROUP);
        }
        float largest = extreme(scales, GROUPS);
        if (magnitude(largest) < nothing) {
            memset(dst, 0, LF_Q6_K_BYTES);
            continue;
        }
        float inverse = -128.0f / largest;
        uint16_t d = lf_f32_to_f16(1.0f / inverse);
        lf_block_put_u16(dst + 208, d);
        for (int g = 0; g < GROUPS; g++) {
            int stored = round_even(inverse * scales[g]);
            stored = stored < 127 ? stored : 127;
            dst[192 + g] = (uint8_t)stored;
            float scale = lf_f16_to_f32(d) * (float)stored;
            if (scale == 0.0f) {
                continue; /* the codes do not matter: those of the search stay */
            }
            for (int i = 0; i < GROUP; i++) {
                codes[g * GROUP + i] = (uint8_t)(code6(src[g * GROUP + i] / scale) + 32);
            }
        }
        pack_q6(codes, dst);
    }
}

bool lf_encode_row(lf_type type, const float *src, void *dst, size_t n)
{
    uint8_t *bytes = dst;
    switch (type) {
    case LF_F32:
        memcpy(dst, src, n * sizeof *src);
        return true;
    case LF_F16:
        for (size_t i = 0; i < n; i++) {
            lf_block_put_u16(bytes + 2 * i, lf_f32_to_f16(src[i]));
        }
        return true;
    case LF_BF16:
        for (size_t i = 0; i < n; i++) {
            lf_block_put_u16(bytes + 2 * i, lf_f32_to_bf16(src[i]));
        }
        return true;
    case LF_Q8_0:
        encode_q8_0(src, bytes, n / LF_SMALL);
        return true;
    case LF_Q4_0:
        encode_q4_0(src, bytes, n / LF_SMALL);
        return true;
    case LF_Q6_K:
        encode_q6_k(src, bytes, n / LF_SUPER);
        return true;
    case LF_Q4_1:
    case LF_Q5_0:
    case LF_Q5_1:
    case LF_Q4_K:
    case LF_Q5_K:
    case LF_IQ4_NL:
    case LF_IQ4_XS:
    case LF_MXFP4:
        break;
    }
    return false;
}
