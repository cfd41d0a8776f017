/* SPDX-License-Identifier: Apache-2.0 */
/* Scalar LHS formats: f32, int8 with scales per 32 or 16, int16 with scales per 32. */
#include "kernels/lhs_layout.h"
#include "kernels/tables.h"

/* ---- LF_LHS_F32: rows of k floats, padded to 64 bytes ---- */

size_t lf_row_bytes_f32(size_t k)
{
    return lf_ceil(k * sizeof(float), 64);
}

size_t lf_tile_bytes_f32(size_t m, size_t k)
{
    return m * lf_row_bytes_f32(k);
}

static void quantize_f32(size_t k, const float *x, void *row)
{
    memcpy(row, x, k * sizeof(float));
}

void lf_lhs_pack_f32(size_t m, size_t k, const void *const *rows, void *tile)
{
    for (size_t i = 0; i < m; i++) {
        memcpy((uint8_t *)tile + i * lf_row_bytes_f32(k), rows[i], k * sizeof(float));
    }
}

const lf_lhs lf_lhs_f32_scalar = {.name = "f32",
                                  .provider = LF_PROVIDER_SCALAR,
                                  .stacked = true,
                                  .row_bytes = lf_row_bytes_f32,
                                  .quantize = quantize_f32,
                                  .tile_bytes = lf_tile_bytes_f32,
                                  .pack = lf_lhs_pack_f32};

/* ---- LF_LHS_I8B32 * ---- */

size_t lf_row_bytes_i8b32(size_t k)
{
    return lf_ceil(k / 32 * LF_X_BYTES, 64);
}

size_t lf_tile_bytes_i8b32(size_t m, size_t k)
{
    return lf_ceil(m * (k / 32) * LF_X_BYTES, 64);
}

/* Bits of the largest magnitude. Bits order magnitudes, with infinity and NaN above all. */
static uint32_t largest(const float *x, size_t n)
{
    uint32_t amax = 0;
    for (size_t i = 0; i < n; i++) {
        uint32_t magnitude = lf_bits(x[i]) & 0x7FFFFFFFu;
        amax = magnitude > amax ? magnitude : amax;
    }
    return amax;
}

/* Makes the quants of n values, at most `largest_quant`, and returns their sum. All are 0 if the
 * largest magnitude is out of range. */
static int32_t make_quants(const float *x, size_t n, uint32_t amax, float largest_quant,
                           int32_t *quants)
{
    int32_t sum = 0;
    memset(quants, 0, n * sizeof *quants);
    if (amax < LF_X_TINY || amax >= LF_X_HUGE) {
        return 0;
    }
    float inverse = largest_quant / lf_float(amax);
    for (size_t i = 0; i < n; i++) {
        /* Adding LF_MAGIC rounds to nearest even. */
        quants[i] = (int32_t)(lf_bits(x[i] * inverse + LF_MAGIC) - LF_MAGIC_BITS);
        sum += quants[i];
    }
    return sum;
}

static void put_quants(size_t n, const int32_t *quants, void *out)
{
    int8_t *bytes = out;
    for (size_t i = 0; i < n; i++) {
        bytes[i] = (int8_t)quants[i];
    }
}

/* scale = amax / 127 rounded to 22 bits; quant = x * (127 / amax) rounded to nearest even. */
static void quantize_i8b32(size_t k, const float *x, void *row)
{
    uint8_t *out = row;
    for (size_t b = 0; b < k / 32; b++, x += 32, out += LF_X_BYTES) {
        int32_t quants[32];
        uint32_t amax = largest(x, 32);
        int32_t sum = make_quants(x, 32, amax, 127.0f, quants);
        lf_put_block(out, lf_block_scale(amax), sum);
        put_quants(32, quants, out + LF_X_QUANTS * 4);
    }
}

/* Packs the first block of each row, then the second block of each, and so on. */
static void pack_blocks(size_t m, size_t blocks, size_t bytes, const void *const *rows, void *tile)
{
    uint8_t *out = tile;
    for (size_t b = 0; b < blocks; b++) {
        for (size_t i = 0; i < m; i++, out += bytes) {
            memcpy(out, (const uint8_t *)rows[i] + b * bytes, bytes);
        }
    }
}

void lf_lhs_pack_i8b32(size_t m, size_t k, const void *const *rows, void *tile)
{
    pack_blocks(m, k / 32, LF_X_BYTES, rows, tile);
}

const lf_lhs lf_lhs_i8b32_scalar = {.name = "i8b32",
                                    .provider = LF_PROVIDER_SCALAR,
                                    .block_bytes = LF_X_BYTES,
                                    .row_bytes = lf_row_bytes_i8b32,
                                    .quantize = quantize_i8b32,
                                    .tile_bytes = lf_tile_bytes_i8b32,
                                    .pack = lf_lhs_pack_i8b32};

/* ---- LF_LHS_I16B32, LF_LHS_I8X2B32 * ---- */

size_t lf_row_bytes_x2(size_t k)
{
    return lf_ceil(k / 32 * LF_X2_BYTES, 64);
}

size_t lf_tile_bytes_x2(size_t m, size_t k)
{
    return lf_ceil(m * (k / 32) * LF_X2_BYTES, 64);
}

void lf_lhs_pack_x2(size_t m, size_t k, const void *const *rows, void *tile)
{
    pack_blocks(m, k / 32, LF_X2_BYTES, rows, tile);
}

/* Makes the quants of one block and writes its head: scale = amax / LF_X2_MAX; quant = x *
 * (LF_X2_MAX / amax) rounded to nearest even. */
static void make_x2(const float *x, int32_t *quants, uint8_t *out)
{
    uint32_t amax = largest(x, 32);
    int32_t sum = make_quants(x, 32, amax, LF_X2_MAX, quants);
    const uint32_t head[LF_X2_QUANTS] = {
        [LF_X2_INIT] = (uint32_t)(-128 * sum), [LF_X2_SCALE] = lf_bits(lf_block_scale16(amax))};
    memcpy(out, head, sizeof head);
}

static void quantize_i16b32(size_t k, const float *x, void *row)
{
    uint8_t *out = row;
    for (size_t b = 0; b < k / 32; b++, x += 32, out += LF_X2_BYTES) {
        int32_t quants[32];
        int16_t words[32];
        make_x2(x, quants, out);
        for (size_t i = 0; i < 32; i++) {
            words[i / 4 * 4 + i % 2 * 2 + i % 4 / 2] = (int16_t)quants[i];
        }
        memcpy(out + LF_X2_QUANTS * 4, words, sizeof words);
    }
}

static void quantize_i8x2b32(size_t k, const float *x, void *row)
{
    uint8_t *out = row;
    for (size_t b = 0; b < k / 32; b++, x += 32, out += LF_X2_BYTES) {
        int32_t quants[32];
        int32_t upper[32];
        make_x2(x, quants, out);
        for (size_t i = 0; i < 32; i++) {
            upper[i] = (quants[i] + 127 * 256 + 128) / 256 - 127; /* rounds to nearest */
            quants[i] -= upper[i] * 256;
        }
        put_quants(32, upper, out + LF_X2_QUANTS * 4);
        put_quants(32, quants, out + LF_X2_QUANTS * 4 + 32);
    }
}

const lf_lhs lf_lhs_i16b32_scalar = {.name = "i16b32",
                                     .provider = LF_PROVIDER_SCALAR,
                                     .block_bytes = LF_X2_BYTES,
                                     .row_bytes = lf_row_bytes_x2,
                                     .quantize = quantize_i16b32,
                                     .tile_bytes = lf_tile_bytes_x2,
                                     .pack = lf_lhs_pack_x2};

const lf_lhs lf_lhs_i8x2b32_scalar = {.name = "i8x2b32",
                                      .provider = LF_PROVIDER_SCALAR,
                                      .block_bytes = LF_X2_BYTES,
                                      .row_bytes = lf_row_bytes_x2,
                                      .quantize = quantize_i8x2b32,
                                      .tile_bytes = lf_tile_bytes_x2,
                                      .pack = lf_lhs_pack_x2};

/* ---- LF_LHS_I8B16: rows and tiles have the sizes of LF_LHS_I8B32 * ---- */

static void quantize_i8b16(size_t k, const float *x, void *row)
{
    for (size_t h = 0; h < k / 16; h++) {
        uint8_t *out = (uint8_t *)row + h / 2 * LF_X_BYTES;
        int32_t quants[16];
        uint32_t amax = largest(x + h * 16, 16);
        int32_t sum = make_quants(x + h * 16, 16, amax, 127.0f, quants);
        lf_put_half(out, h & 1, lf_block_scale(amax), sum);
        put_quants(16, quants, out + LF_X_QUANTS * 4 + (h & 1) * 16);
    }
}

const lf_lhs lf_lhs_i8b16_scalar = {.name = "i8b16",
                                    .provider = LF_PROVIDER_SCALAR,
                                    .block_bytes = LF_X_BYTES,
                                    .row_bytes = lf_row_bytes_i8b32,
                                    .quantize = quantize_i8b16,
                                    .tile_bytes = lf_tile_bytes_i8b32,
                                    .pack = lf_lhs_pack_i8b32};
