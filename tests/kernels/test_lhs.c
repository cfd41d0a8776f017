/* SPDX-License-Identifier: Apache-2.0 */
/* LHS formats: quantized rows of every table equal the scalar ones and represent the values,
 * packed tiles hold their rows, nothing is written beyond the stated sizes. */
#include "kernels/lhs_layout.h"
#include "kernels/tables.h"
#include "support/kernel_util.h"
#include "support/levels.h"

#include <math.h>

static int teardown(void **state)
{
    (void)state;
    lft_unguard_all();
    return 0;
}

static float *random_row(uint64_t *seed, size_t k)
{
    static const float odd[] = {0.0f,      -0.0f,    1e-40f,   0x1p-100f, 0x1.fp-101f,
                                -0x1p109f, 0x1p110f, INFINITY, -INFINITY, NAN,
                                0.5f,      1.5f,     2.5f,     127.0f};
    float *x = lft_guard(k * sizeof(float), sizeof(float));
    lft_activations(seed, k, (lft_distribution)lft_below(seed, LFT_N_DISTRIBUTIONS), x);
    uint32_t some = lft_below(seed, 2);
    for (uint32_t i = some * lft_below(seed, 5); i > 0; i--) {
        uint32_t at = lft_below(seed, (uint32_t)k);
        x[at] = odd[lft_below(seed, sizeof odd / sizeof odd[0])];
    }
    return x;
}

/* Checks the head of a block of LF_LHS_I8B32 against the sum of its quants. */
static void check_sums(const uint32_t *block, int32_t total)
{
    float sum = lf_float(block[LF_X_SUM]), scale = lf_float(block[LF_X_SCALE]);
    assert_int_equal((int32_t)block[LF_X_INIT4], LF_MAGIC_BITS - 8 * total);
    assert_int_equal((int32_t)block[LF_X_INIT8], LF_MAGIC_BITS - 128 * total);
    assert_true(isnan(scale) ? isnan(sum) : sum == (float)total * scale);
}

/* The scale is amax / 127 within 1.5 * 2^-22 (rounded to 22 bits, after two roundings), quants
 * are within half a step, sums and constants are exact, blocks with values out of range have a
 * NaN scale. */
static void check_values(size_t k, const float *x, const uint32_t *row)
{
    for (size_t b = 0; b < k / 32; b++) {
        const uint32_t *block = row + b * LF_X_DWORDS;
        const int8_t *quants = (const int8_t *)(block + LF_X_QUANTS);
        float amax = 0.0f;
        bool odd = false;
        for (size_t i = 0; i < 32; i++) {
            amax = fmaxf(amax, fabsf(x[b * 32 + i]));
            odd = odd || !(fabsf(x[b * 32 + i]) < 0x1p110f);
        }
        float scale = lf_float(block[LF_X_SCALE]);
        int32_t sum = 0;
        for (size_t i = 0; i < 32; i++) {
            sum += quants[i];
            assert_in_range(quants[i] + 127, 0, 254);
        }
        check_sums(block, sum);
        if (odd) {
            assert_true(isnan(scale) && isnan(lf_float(block[LF_X_BIAS])));
            continue;
        }
        assert_true((double)lf_float(block[LF_X_BIAS]) == -12582912.0 * (double)scale);
        if (amax < 0x1p-100f) {
            assert_true(scale == 0.0f && sum == 0);
            continue;
        }
        assert_true(fabs((double)scale * 127 / (double)amax - 1) <= 0x1.8p-22);
        for (size_t i = 0; i < 32; i++) {
            double want = (double)x[b * 32 + i] * 127 / (double)amax;
            assert_true(fabs(want - quants[i]) <= 0.5 + 1e-4);
        }
    }
}

static void rows_equal_scalar(void **state)
{
    uint64_t seed = lft_seed();
    lf_kernels table = lft_table(state, LF_PICK_AUTO);
    const lf_lhs *lhs = &table.lhs[LF_LHS_I8B32];
    assert_int_equal(lhs->needs & ~table.cpu, 0);
    for (size_t k = 32; k <= 2048; k = k < 320 ? k + 32 : 2 * k) {
        for (int repeat = 0; repeat < 8; repeat++) {
            float *x = random_row(&seed, k);
            void *a = lft_row(lhs, k, x), *b = lft_row(&lf_lhs_i8b32_scalar, k, x);
            assert_memory_equal(a, b, k / 32 * LF_X_BYTES);
            check_values(k, x, a);
            lft_unguard(x);
            lft_unguard(a);
            lft_unguard(b);
        }
    }
}

/* One block of LF_LHS_I16B32 (words) and LF_LHS_I8X2B32 (bytes): the same quants, within half a
 * step of x * 32512 / amax (1e-2: its roundings), exact constants, a NaN scale for values out of
 * range. The scale has two roundings: 2^-23. */
static void check_fine(const float *x, const uint32_t *words, const uint32_t *bytes)
{
    const int16_t *quants = (const int16_t *)(words + LF_X2_QUANTS);
    const int8_t *upper = (const int8_t *)(bytes + LF_X2_QUANTS);
    float amax = 0.0f;
    bool odd = false;
    for (size_t i = 0; i < 32; i++) {
        amax = fmaxf(amax, fabsf(x[i]));
        odd = odd || !(fabsf(x[i]) < 0x1p110f);
    }
    float scale = lf_float(words[LF_X2_SCALE]);
    int32_t sum = 0;
    for (size_t i = 0; i < 32; i++) {
        int32_t c = quants[i / 4 * 4 + i % 2 * 2 + i % 4 / 2];
        assert_int_equal(c, upper[i] * 256 + upper[32 + i]);
        assert_in_range(upper[i] + 127, 0, 254);
        sum += c;
        if (odd || amax < 0x1p-100f) {
            assert_int_equal(c, 0);
        } else {
            double want = (double)x[i] * 32512 / (double)amax;
            assert_true(fabs(want - c) <= 0.5 + 1e-2);
        }
    }
    assert_int_equal((int32_t)words[LF_X2_INIT], -128 * sum);
    assert_memory_equal(words, bytes, LF_X2_QUANTS * 4);
    if (odd) {
        assert_true(isnan(scale));
    } else if (amax < 0x1p-100f) {
        assert_true(scale == 0.0f);
    } else {
        assert_true(fabs((double)scale * 32512 / (double)amax - 1) <= 0x1p-23);
    }
}

/* LF_LHS_I16B32 and LF_LHS_I8X2B32 are bit-equal on every ISA, and have the same quants. */
static void fine_rows_equal_scalar(void **state)
{
    uint64_t seed = lft_seed();
    lf_kernels table = lft_table(state, LF_PICK_AUTO);
    const lf_lhs *words = &table.lhs[LF_LHS_I16B32], *bytes = &table.lhs[LF_LHS_I8X2B32];
    assert_int_equal((words->needs | bytes->needs) & ~table.cpu, 0);
    for (size_t k = 32; k <= 2048; k = k < 320 ? k + 32 : 2 * k) {
        float *x = random_row(&seed, k);
        /* Every remainder for the lower int8, and ties. */
        for (size_t j = 0; j < 32 && k == 64; j++) {
            x[j] = (float)((int)j - 16) * 384.0f + (j % 4 == 1 ? 0.5f : 0.0f);
        }
        x[0] = k == 64 ? 32512.0f : x[0];
        uint32_t *w = lft_row(words, k, x), *b = lft_row(bytes, k, x);
        uint32_t *ws = lft_row(&lf_lhs_i16b32_scalar, k, x);
        uint32_t *bs = lft_row(&lf_lhs_i8x2b32_scalar, k, x);
        assert_memory_equal(w, ws, k / 32 * LF_X2_BYTES);
        assert_memory_equal(b, bs, k / 32 * LF_X2_BYTES);
        for (size_t j = 0; j < k / 32; j++) {
            check_fine(x + 32 * j, w + j * LF_X2_DWORDS, b + j * LF_X2_DWORDS);
        }
        lft_unguard(x);
        lft_unguard(w);
        lft_unguard(b);
        lft_unguard(ws);
        lft_unguard(bs);
    }
}

/* LF_LHS_I8B16 is bit-equal on every ISA. A half has the quants and the scale of a block of
 * LF_LHS_I8B32 with zeros as its other half. */
static void half_rows_equal_scalar(void **state)
{
    uint64_t seed = lft_seed();
    lf_kernels table = lft_table(state, LF_PICK_AUTO);
    const lf_lhs *lhs = &table.lhs[LF_LHS_I8B16];
    assert_int_equal(lhs->needs & ~table.cpu, 0);
    for (size_t k = 32; k <= 2048; k = k < 320 ? k + 32 : 2 * k) {
        float *x = random_row(&seed, k);
        uint32_t *a = lft_row(lhs, k, x), *b = lft_row(&lf_lhs_i8b16_scalar, k, x);
        assert_memory_equal(a, b, k / 32 * LF_X_BYTES);
        for (size_t half = 0; half < k / 16; half++) {
            const uint32_t *block = a + half / 2 * LF_X_DWORDS;
            const int8_t *quants = (const int8_t *)(block + LF_X_QUANTS) + half % 2 * 16;
            float alone[32] = {0};
            memcpy(alone, x + half * 16, 16 * sizeof(float));
            uint32_t *other = lft_row(&lf_lhs_i8b32_scalar, 32, alone);
            const uint32_t *scale = block + LF_X16_SCALE_LO + half % 2 * 2;
            int32_t sum = 0;
            for (size_t j = 0; j < 16; j++) {
                sum += quants[j];
            }
            assert_memory_equal(quants, other + LF_X_QUANTS, 16);
            assert_int_equal(scale[0], other[LF_X_SCALE]);
            assert_int_equal(scale[1], other[LF_X_BIAS]);
            assert_int_equal((int32_t)block[LF_X16_INIT6_LO + half % 2], LF_MAGIC_BITS - 32 * sum);
            lft_unguard(other);
        }
        lft_unguard(x);
        lft_unguard(a);
        lft_unguard(b);
    }
}

/* XNNPACK's qd8: every ISA gives the same bytes. Each value is within a step (zero point and
 * quant are both rounded); 0 is exact. */
static void qd8_rows_represent_values(void **state)
{
    uint64_t seed = lft_seed();
    lf_kernels table = lft_table(state, LF_PICK_AUTO);
    const lf_lhs *lhs = &table.lhs[LF_LHS_QD8];
    assert_int_equal(lhs->needs & ~table.cpu, 0);
    for (size_t k = 32; k <= 2048; k = k < 320 ? k + 32 : 2 * k) {
        float *x = lft_guard(k * sizeof(float), sizeof(float));
        lft_activations(&seed, k, (lft_distribution)lft_below(&seed, 2), x);
        x[lft_below(&seed, (uint32_t)k)] = 0.0f;
        uint8_t *a = lft_row(lhs, k, x), *b = lft_row(&lf_lhs_qd8_xnnpack_scalar, k, x);
        assert_memory_equal(a, b, lhs->row_bytes(k));
        int32_t zero_point = (int32_t)lf_load_u32(a);
        float scale = lf_load_f32(a + 4);
        for (size_t j = 0; j < k; j++) {
            double value = (double)scale * (((int8_t *)a)[128 + j] - zero_point);
            assert_true(fabs(value - (double)x[j]) <= (x[j] == 0.0f ? 0 : (double)scale));
        }
        lft_unguard(a);
        lft_unguard(b);
        x[k / 2] = NAN;
        a = lft_row(lhs, k, x);
        assert_true(isnan(lf_load_f32(a + 4)));
        memset(x, 0, k * sizeof(float));
        lhs->quantize(k, x, a);
        assert_true(lf_load_f32(a + 4) == 1.0f);
        lft_unguard(a);
        lft_unguard(x);
    }
}

/* Every format of every table: the tile of one row is the row, as far as kernels read it. */
static void tiles_hold_rows(void **state)
{
    enum { M = LF_MAX_MR };
    uint64_t seed = lft_seed();
    lf_kernels table = lft_table(state, LF_PICK_AUTO);
    for (size_t k = 32; k <= 1792; k = k < 96 ? k + 32 : k * 14 / 3 / 32 * 32) {
        void *rows[M];
        for (int format = 0; format < LF_LHS_COUNT; format++) {
            const lf_lhs *lhs = &table.lhs[format];
            if (lhs->quantize == NULL) {
                continue;
            }
            for (size_t r = 0; r < M; r++) {
                float *x = random_row(&seed, k);
                rows[r] = lft_row(lhs, k, x);
                lft_unguard(x);
            }
            void *one = lft_tile(lhs, 1, k, rows);
            assert_true(lhs->tile_bytes(1, k) <= lhs->row_bytes(k));
            assert_memory_equal(one, rows[0], k);
            lft_unguard(one);
            for (size_t m = 1; m <= M; m++) {
                uint32_t *tile = lft_tile(lhs, m, k, rows);
                for (size_t r = 0; lhs->stacked && r < m; r++) {
                    assert_memory_equal((uint8_t *)tile + r * lhs->row_bytes(k), rows[r],
                                        k * sizeof(float));
                }
                size_t dwords = lhs->block_bytes / 4;
                for (size_t d = 0; d < k / 32 * dwords; d++) {
                    for (size_t r = 0; r < m; r++) {
                        size_t b = d / dwords, j = d % dwords;
                        assert_int_equal(tile[(b * m + r) * dwords + j], ((uint32_t *)rows[r])[d]);
                    }
                }
                lft_unguard(tile);
            }
            for (size_t r = 0; r < M; r++) {
                lft_unguard(rows[r]);
            }
        }
    }
}

/* lf_lhs.block_bytes: rows can be quantized and packed block by block. */
static void blocks_make_tiles(void **state)
{
    enum { M = LF_MAX_MR, K = 96 };
    uint64_t seed = lft_seed();
    lf_kernels table = lft_table(state, LF_PICK_AUTO);
    for (int format = 0; format < LF_LHS_COUNT; format++) {
        const lf_lhs *lhs = &table.lhs[format];
        bool blockwise = format != LF_LHS_F32 && format != LF_LHS_QD8;
        assert_int_equal(lhs->block_bytes != 0, blockwise);
        assert_true(lhs->block_bytes <= LF_MAX_BLOCK_BYTES);
        assert_int_equal(lhs->stacked, format == LF_LHS_F32);
        if (!blockwise) {
            continue;
        }
        float *x[M];
        void *rows[M];
        for (size_t r = 0; r < M; r++) {
            x[r] = random_row(&seed, K);
            rows[r] = lft_row(lhs, K, x[r]);
        }
        for (size_t m = 1; m <= M; m++) {
            uint8_t *tile = lft_tile(lhs, m, K, rows);
            assert_true(lhs->tile_bytes(m, K) <= m * lhs->row_bytes(K));
            for (size_t b = 0; b < K / 32; b++) {
                const size_t bytes = m * lhs->block_bytes;
                float side[M * 32];
                uint8_t blocks[(M + 1) * LF_MAX_BLOCK_BYTES];
                uint8_t part[(M + 1) * LF_MAX_BLOCK_BYTES];
                const void *each[M];
                memset(blocks, 0xA5, sizeof blocks);
                memset(part, 0xA5, sizeof part);
                for (size_t r = 0; r < m; r++) {
                    memcpy(side + r * 32, x[r] + b * 32, 32 * sizeof(float));
                    each[r] = blocks + r * lhs->block_bytes;
                }
                lhs->quantize(m * 32, side, blocks);
                lhs->pack(m, 32, each, part);
                assert_memory_equal(part, tile + b * bytes, bytes);
                /* Another thread may write these bytes. */
                for (size_t end = bytes; end < sizeof part; end++) {
                    assert_int_equal(blocks[end], 0xA5);
                    assert_int_equal(part[end], 0xA5);
                }
            }
            lft_unguard(tile);
        }
        for (size_t r = 0; r < M; r++) {
            lft_unguard(x[r]);
            lft_unguard(rows[r]);
        }
    }
}

int main(void)
{
    static lft_tests tests;
    lft_add_levels(&tests, "rows equal scalar", rows_equal_scalar);
    lft_add_levels(&tests, "fine rows equal scalar", fine_rows_equal_scalar);
    lft_add_levels(&tests, "half rows equal scalar", half_rows_equal_scalar);
    lft_add_levels(&tests, "qd8 rows represent values", qd8_rows_represent_values);
    lft_add_levels(&tests, "tiles hold rows", tiles_hold_rows);
    lft_add_levels(&tests, "blocks make tiles", blocks_make_tiles);
    return cmocka_run_group_tests(tests.list, NULL, teardown);
}
