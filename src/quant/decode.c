/* SPDX-License-Identifier: Apache-2.0 */
/* Owns decoding to f32: exact for every type, one super-block of quants at a time. */
#include "quant/block.h"

enum { LARGEST_GROUPS = LF_SUPER / 16 };

/* 16 values = scale * code - min, in the order of the format's definition. A constant length and
 * restrict, so that compilers use vectors. */
static void values16(const int8_t *restrict quants, float scale, float *restrict dst)
{
    for (int i = 0; i < 16; i++) {
        dst[i] = scale * (float)quants[i];
    }
}

static void values16_min(const int8_t *restrict quants, float scale, float min, float *restrict dst)
{
    for (int i = 0; i < 16; i++) {
        dst[i] = scale * (float)quants[i] - min;
    }
}

static void decode_quants(lf_type type, const lf_quant_info *form, const uint8_t *src, float *dst,
                          size_t n)
{
    int8_t quants[LF_SUPER];
    float scales[LARGEST_GROUPS];
    float mins[LARGEST_GROUPS];
    while (n > 0) {
        size_t part = n < LF_SUPER ? n : LF_SUPER;
        lf_quants_row(type, src, part, quants, scales, mins);
        for (size_t i = 0; i < part; i += 16) {
            size_t g = i / form->group;
            if (form->has_min) {
                values16_min(quants + i, scales[g], mins[g], dst + i);
            } else {
                values16(quants + i, scales[g], dst + i);
            }
        }
        src += lf_row_bytes(type, part);
        dst += part;
        n -= part;
    }
}

/* 16 two-byte floats; memcpy because rows need not be aligned. */
static void halves16(const uint8_t *restrict src, float *restrict dst)
{
    uint16_t h[16];
    memcpy(h, src, sizeof h);
    for (int i = 0; i < 16; i++) {
        dst[i] = lf_half_value(h[i]);
    }
}

static void brains16(const uint8_t *restrict src, float *restrict dst)
{
    uint16_t b[16];
    memcpy(b, src, sizeof b);
    for (int i = 0; i < 16; i++) {
        dst[i] = lf_brain_value(b[i]);
    }
}

static void decode_16_bits(lf_type type, const uint8_t *src, float *dst, size_t n)
{
    size_t i = 0;
    for (; i + 16 <= n; i += 16) {
        if (type == LF_F16) {
            halves16(src + 2 * i, dst + i);
        } else {
            brains16(src + 2 * i, dst + i);
        }
    }
    for (; i < n; i++) {
        uint16_t bits = lf_block_u16(src + 2 * i);
        dst[i] = type == LF_F16 ? lf_half_value(bits) : lf_brain_value(bits);
    }
}

void lf_decode_row(lf_type type, const void *src, float *dst, size_t n)
{
    const uint8_t *bytes = src;
    lf_quant_info form;
    if (type == LF_F32) {
        memcpy(dst, src, n * sizeof *dst);
    } else if (type == LF_F16 || type == LF_BF16) {
        decode_16_bits(type, bytes, dst, n);
    } else if (lf_quant_info_of(type, &form)) {
        decode_quants(type, &form, bytes, dst, n);
    }
}
