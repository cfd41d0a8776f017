/* SPDX-License-Identifier: Apache-2.0 */
/* Exact decoding of every type to f32, one super-block at a time. */
#include "quant/block.h"
#include "quant/numbers.h"

enum { MAX_GROUPS = LF_SUPER_BLOCK / 16 };

/* 16 values scale * quant - min, computed in the order of the format's definition. The constant
 * length and restrict let compilers vectorize the loop. */
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

static void decode_quants(const lf_type_info *info, const uint8_t *src, float *dst, size_t n)
{
    int8_t quants[LF_SUPER_BLOCK];
    float scales[MAX_GROUPS];
    float mins[MAX_GROUPS];
    while (n > 0) {
        size_t step = n < LF_SUPER_BLOCK ? n : LF_SUPER_BLOCK;
        lf_unpack_row(info->type, src, step, quants, scales, mins);
        for (size_t i = 0; i < step; i += 16) {
            size_t g = i / info->group;
            if (info->has_min) {
                values16_min(quants + i, scales[g], mins[g], dst + i);
            } else {
                values16(quants + i, scales[g], dst + i);
            }
        }
        src += lf_row_bytes(info->type, step);
        dst += step;
        n -= step;
    }
}

/* 16 two-byte floats; memcpy because a row may start at any address. */
static void decode16_f16(const uint8_t *restrict src, float *restrict dst)
{
    uint16_t h[16];
    memcpy(h, src, sizeof h);
    for (int i = 0; i < 16; i++) {
        dst[i] = lf_f16_value(h[i]);
    }
}

static void decode16_bf16(const uint8_t *restrict src, float *restrict dst)
{
    uint16_t b[16];
    memcpy(b, src, sizeof b);
    for (int i = 0; i < 16; i++) {
        dst[i] = lf_bf16_value(b[i]);
    }
}

static void decode_16_bits(lf_type type, const uint8_t *src, float *dst, size_t n)
{
    size_t i = 0;
    for (; i + 16 <= n; i += 16) {
        if (type == LF_F16) {
            decode16_f16(src + 2 * i, dst + i);
        } else {
            decode16_bf16(src + 2 * i, dst + i);
        }
    }
    for (; i < n; i++) {
        uint16_t bits = lf_block_u16(src + 2 * i);
        dst[i] = type == LF_F16 ? lf_f16_value(bits) : lf_bf16_value(bits);
    }
}

void lf_decode_row(lf_type type, const void *src, float *dst, size_t n)
{
    const uint8_t *bytes = src;
    const lf_type_info *info = lf_type_get((uint32_t)type);
    if (type == LF_F32) {
        memcpy(dst, src, n * sizeof *dst);
    } else if (type == LF_F16 || type == LF_BF16) {
        decode_16_bits(type, bytes, dst, n);
    } else if (info != NULL && info->group > 0) {
        decode_quants(info, bytes, dst, n);
    }
}
