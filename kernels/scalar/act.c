/* SPDX-License-Identifier: Apache-2.0 */
/* Owns the activation formats in plain C: plain floats, and int8 with a scale per 32. */
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
                                  .row_bytes = lf_row_bytes_f32,
                                  .quantize = lf_quantize_f32,
                                  .tile_bytes = lf_tile_bytes_f32,
                                  .tile = lf_tile_f32};

/* ---- LF_A_I8B32 --------------------------------------------------------------------------------
 */

size_t lf_row_bytes_i8b32(size_t k)
{
    return lf_ceil(k / 32 * LF_X_DWORDS * 4, 64);
}

size_t lf_tile_bytes_i8b32(size_t m, size_t k)
{
    return lf_ceil(m * (k / 32) * LF_X_DWORDS * 4, 64);
}

/* One block: scale = amax / 127 rounded to 22 bits, code = round to even of x * (127 / amax). With
 * `rest`, a second block: code = round to even of what is left of x * (127 / amax), times 254. */
static void quantize_block(const float *x, uint8_t *out, uint8_t *rest)
{
    uint32_t amax = 0; /* as bits: orders magnitudes, infinity and NaN above all */
    for (size_t i = 0; i < 32; i++) {
        uint32_t magnitude = lf_bits(x[i]) & 0x7FFFFFFFu;
        amax = magnitude > amax ? magnitude : amax;
    }
    int8_t codes[2][32] = {{0}};
    int32_t sums[2][2] = {{0}};
    if (amax >= LF_X_TINY && amax < LF_X_HUGE) {
        float inverse = 127.0f / lf_float(amax);
        for (size_t i = 0; i < 32; i++) {
            /* Adding the magic number rounds to nearest even. */
            int32_t code = (int32_t)(lf_bits(x[i] * inverse + LF_MAGIC) - LF_MAGIC_BITS);
            codes[0][i] = (int8_t)code;
            sums[0][i / 16] += code;
            if (rest != NULL) {
                float left = fmaf(x[i], inverse, -(float)code) * LF_X2_STEPS;
                code = (int32_t)(lf_bits(left + LF_MAGIC) - LF_MAGIC_BITS);
                codes[1][i] = (int8_t)code;
                sums[1][i / 16] += code;
            }
        }
    }
    float scale = lf_block_scale(amax);
    lf_put_block(out, scale, sums[0][0], sums[0][1]);
    memcpy(out + LF_X_CODES * 4, codes[0], sizeof codes[0]);
    if (rest != NULL) {
        lf_put_block(rest, lf_scale22(scale * (1.0f / LF_X2_STEPS)), sums[1][0], sums[1][1]);
        memcpy(rest + LF_X_CODES * 4, codes[1], sizeof codes[1]);
    }
}

static void quantize_i8b32(size_t k, const float *x, void *row)
{
    for (size_t b = 0; b < k / 32; b++) {
        quantize_block(x + b * 32, (uint8_t *)row + b * LF_X_DWORDS * 4, NULL);
    }
}

void lf_tile_i8b32(size_t m, size_t k, const void *const *rows, void *tile)
{
    enum { BLOCK = LF_X_DWORDS * 4 };
    uint8_t *out = tile;
    for (size_t b = 0; b < k / 32; b++) {
        for (size_t i = 0; i < m; i++, out += BLOCK) {
            memcpy(out, (const uint8_t *)rows[i] + b * BLOCK, BLOCK);
        }
    }
}

const lf_act lf_act_i8b32_scalar = {.name = "i8b32",
                                    .by = LF_BY_SCALAR,
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
        uint8_t *out = (uint8_t *)row + b * 2 * LF_X_DWORDS * 4;
        quantize_block(x + b * 32, out, out + LF_X_DWORDS * 4);
    }
}

const lf_act lf_act_i8x2b32_scalar = {.name = "i8x2b32",
                                      .by = LF_BY_SCALAR,
                                      .row_bytes = lf_row_bytes_i8x2b32,
                                      .quantize = quantize_i8x2b32,
                                      .tile_bytes = lf_tile_bytes_i8x2b32,
                                      .tile = lf_tile_i8x2b32};
