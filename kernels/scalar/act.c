/* SPDX-License-Identifier: Apache-2.0 */
/* Owns the activation formats in plain C: plain floats, and int8 with scales per 32 or 16. */
#include "kernels/internal.h"

/* ---- LF_A_F32: rows of k floats, padded to 64 bytes -------------------------------------------
 */

size_t lf_row_bytes_f32(size_t k)
{
    return lf_ceil(k * sizeof(float), 64);
}

size_t lf_tile_bytes_f32(size_t m, size_t k)
{
    return m * lf_row_bytes_f32(k);
}

void lf_quantize_f32(size_t k, const float *x, void *row)
{
    memcpy(row, x, k * sizeof(float));
}

void lf_tile_f32(size_t m, size_t k, const void *const *rows, void *tile)
{
    for (size_t i = 0; i < m; i++) {
        memcpy((uint8_t *)tile + i * lf_row_bytes_f32(k), rows[i], k * sizeof(float));
    }
}

const lf_act lf_act_f32_scalar = {.name = "f32",
                                  .by = LF_BY_SCALAR,
                                  .stacked = true,
                                  .row_bytes = lf_row_bytes_f32,
                                  .quantize = lf_quantize_f32,
                                  .tile_bytes = lf_tile_bytes_f32,
                                  .tile = lf_tile_f32};

/* ---- LF_A_I8B32 --------------------------------------------------------------------------------
 */

size_t lf_row_bytes_i8b32(size_t k)
{
    return lf_ceil(k / 32 * LF_X_BYTES, 64);
}

size_t lf_tile_bytes_i8b32(size_t m, size_t k)
{
    return lf_ceil(m * (k / 32) * LF_X_BYTES, 64);
}

/* Bits of the largest magnitude: they order magnitudes, infinity and NaN above all. */
static uint32_t largest(const float *x, size_t n)
{
    uint32_t amax = 0;
    for (size_t i = 0; i < n; i++) {
        uint32_t magnitude = lf_bits(x[i]) & 0x7FFFFFFFu;
        amax = magnitude > amax ? magnitude : amax;
    }
    return amax;
}

/* Codes of n values, and their sum; 0 where the largest magnitude cannot be used. With `rest` also
 * the codes of what rounding left. */
static int32_t make_codes(const float *x, size_t n, uint32_t amax, int8_t *codes, int8_t *rest,
                          int32_t *rest_sum)
{
    int32_t sum = 0;
    memset(codes, 0, n);
    if (amax < LF_X_TINY || amax >= LF_X_HUGE) {
        return 0;
    }
    float inverse = 127.0f / lf_float(amax);
    for (size_t i = 0; i < n; i++) {
        /* Adding the magic number rounds to nearest even. */
        int32_t code = (int32_t)(lf_bits(x[i] * inverse + LF_MAGIC) - LF_MAGIC_BITS);
        codes[i] = (int8_t)code;
        sum += code;
        if (rest != NULL) {
            float left = fmaf(x[i], inverse, -(float)code) * LF_X2_STEPS;
            code = (int32_t)(lf_bits(left + LF_MAGIC) - LF_MAGIC_BITS);
            rest[i] = (int8_t)code;
            *rest_sum += code;
        }
    }
    return sum;
}

/* One block: scale = amax / 127 rounded to 22 bits, code = round to even of x * (127 / amax). With
 * `rest`, a second block: code = round to even of what is left of x * (127 / amax), times 254. */
static void quantize_block(const float *x, uint8_t *out, uint8_t *rest)
{
    int8_t codes[32];
    int8_t rest_codes[32] = {0};
    int32_t rest_sum = 0;
    uint32_t amax = largest(x, 32);
    float scale = lf_block_scale(amax);
    int32_t sum = make_codes(x, 32, amax, codes, rest != NULL ? rest_codes : NULL, &rest_sum);
    lf_put_block(out, scale, sum);
    memcpy(out + LF_X_CODES * 4, codes, sizeof codes);
    if (rest != NULL) {
        lf_put_block(rest, lf_scale22(scale * (1.0f / LF_X2_STEPS)), rest_sum);
        memcpy(rest + LF_X_CODES * 4, rest_codes, sizeof rest_codes);
    }
}

static void quantize_i8b32(size_t k, const float *x, void *row)
{
    for (size_t b = 0; b < k / 32; b++) {
        quantize_block(x + b * 32, (uint8_t *)row + b * LF_X_BYTES, NULL);
    }
}

void lf_tile_i8b32(size_t m, size_t k, const void *const *rows, void *tile)
{
    uint8_t *out = tile;
    for (size_t b = 0; b < k / 32; b++) {
        for (size_t i = 0; i < m; i++, out += LF_X_BYTES) {
            memcpy(out, (const uint8_t *)rows[i] + b * LF_X_BYTES, LF_X_BYTES);
        }
    }
}

const lf_act lf_act_i8b32_scalar = {.name = "i8b32",
                                    .by = LF_BY_SCALAR,
                                    .block_bytes = LF_X_BYTES,
                                    .row_bytes = lf_row_bytes_i8b32,
                                    .quantize = quantize_i8b32,
                                    .tile_bytes = lf_tile_bytes_i8b32,
                                    .tile = lf_tile_i8b32};

/* ---- LF_A_I8X2B32: a row of LF_A_I8B32 of twice the length --------------------------------------
 */

size_t lf_row_bytes_i8x2b32(size_t k)
{
    return lf_row_bytes_i8b32(2 * k);
}

size_t lf_tile_bytes_i8x2b32(size_t m, size_t k)
{
    return lf_tile_bytes_i8b32(m, 2 * k);
}

void lf_tile_i8x2b32(size_t m, size_t k, const void *const *rows, void *tile)
{
    lf_tile_i8b32(m, 2 * k, rows, tile);
}

static void quantize_i8x2b32(size_t k, const float *x, void *row)
{
    for (size_t b = 0; b < k / 32; b++) {
        uint8_t *out = (uint8_t *)row + b * 2 * LF_X_BYTES;
        quantize_block(x + b * 32, out, out + LF_X_BYTES);
    }
}

const lf_act lf_act_i8x2b32_scalar = {.name = "i8x2b32",
                                      .by = LF_BY_SCALAR,
                                      .block_bytes = 2 * LF_X_BYTES,
                                      .row_bytes = lf_row_bytes_i8x2b32,
                                      .quantize = quantize_i8x2b32,
                                      .tile_bytes = lf_tile_bytes_i8x2b32,
                                      .tile = lf_tile_i8x2b32};

/* ---- LF_A_I8B16: rows and tiles have the sizes of LF_A_I8B32 ------------------------------------
 */

static void quantize_i8b16(size_t k, const float *x, void *row)
{
    for (size_t h = 0; h < k / 16; h++) {
        uint8_t *out = (uint8_t *)row + h / 2 * LF_X_BYTES;
        int8_t codes[16];
        uint32_t amax = largest(x + h * 16, 16);
        int32_t sum = make_codes(x + h * 16, 16, amax, codes, NULL, NULL);
        lf_put_half(out, h & 1, lf_block_scale(amax), sum);
        memcpy(out + LF_X_CODES * 4 + (h & 1) * 16, codes, sizeof codes);
    }
}

const lf_act lf_act_i8b16_scalar = {.name = "i8b16",
                                    .by = LF_BY_SCALAR,
                                    .block_bytes = LF_X_BYTES,
                                    .row_bytes = lf_row_bytes_i8b32,
                                    .quantize = quantize_i8b16,
                                    .tile_bytes = lf_tile_bytes_i8b32,
                                    .tile = lf_tile_i8b32};
