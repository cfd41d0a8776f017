/* SPDX-License-Identifier: Apache-2.0 */
/* Tests of block formats: values are compared with gguf-py's, encoders with ggml's bytes
 * (golden/make_quant.py), 16-bit floats with their definition.
 * ctest-labels: golden */
#include "quant/quant.h"

#include <float.h>
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

/* ---- Golden files ---- */

typedef struct golden {
    uint8_t *data;
    size_t size, at;
} golden;

static void read_golden(const char *name, golden *g)
{
    char path[1024];
    snprintf(path, sizeof path, "%s/golden/quant/%s", LFM2_TEST_DATA, name);
    FILE *f = fopen(path, "rb");
    assert_non_null(f);
    assert_int_equal(fseek(f, 0, SEEK_END), 0);
    long size = ftell(f);
    assert_true(size > 0);
    rewind(f);
    g->size = (size_t)size;
    g->at = 0;
    g->data = malloc(g->size);
    assert_non_null(g->data);
    assert_int_equal(fread(g->data, 1, g->size, f), g->size);
    fclose(f);
}

static const uint8_t *take(golden *g, size_t bytes)
{
    assert_true(bytes <= g->size - g->at);
    const uint8_t *p = g->data + g->at;
    g->at += bytes;
    return p;
}

static uint32_t take_u32(golden *g)
{
    uint32_t v = 0;
    memcpy(&v, take(g, sizeof v), sizeof v);
    return v;
}

static float *copy_floats(const uint8_t *src, size_t n)
{
    float *out = malloc(n * sizeof *out);
    assert_non_null(out);
    memcpy(out, src, n * sizeof *out);
    return out;
}

static uint32_t bits_of(float f)
{
    uint32_t u = 0;
    memcpy(&u, &f, sizeof u);
    return u;
}

/* The same bits; any NaN equals any other. */
static bool same(float a, float b)
{
    return bits_of(a) == bits_of(b) || (isnan(a) && isnan(b));
}

static void check_values(lf_type type, const float *got, const float *want, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        if (!same(got[i], want[i])) {
            fail_msg("%s: element %zu is %a, not %a", lf_type_get(type)->name, i, (double)got[i],
                     (double)want[i]);
        }
    }
}

/* ---- Types ---- */

static void test_types(void **state)
{
    (void)state;
    assert_int_equal(lf_type_get(2)->block_bytes, 18);
    assert_string_equal(lf_type_get(14)->name, "Q6_K");
    assert_null(lf_type_get(4)); /* a type that was removed from GGUF */
    assert_null(lf_type_get(0xFFFFFFFFu));
    assert_int_equal(lf_type_find("q4_k")->type, LF_Q4_K);
    assert_int_equal(lf_type_find("Bf16")->type, LF_BF16);
    assert_null(lf_type_find("q4"));
    assert_null(lf_type_find("q4_00"));
    assert_null(lf_type_find(""));
    assert_int_equal(lf_type_find("iq2_xs")->type, LF_IQ2_XS);
    assert_int_equal(lf_type_find("IQ2_XXS")->type, LF_IQ2_XXS);
    assert_null(lf_type_find("tq1_0"));
    assert_string_equal(lf_type_name(40), "NVFP4");
    assert_string_equal(lf_type_name(34), "TQ1_0"); /* known, not supported */
    assert_null(lf_type_get(34));
    assert_null(lf_type_name(43));
    assert_null(lf_type_name(0xFFFFFFFFu));

    assert_int_equal(lf_row_bytes(LF_F32, 7), 28);
    assert_int_equal(lf_row_bytes(LF_Q4_0, 2048), 1152);
    assert_int_equal(lf_row_bytes(LF_Q6_K, 1792), 1470);
    assert_int_equal(lf_row_bytes(LF_Q4_0, 48), 0);
    assert_int_equal(lf_row_bytes(LF_Q6_K, 128), 0);
    assert_int_equal(lf_row_bytes(LF_F32, SIZE_MAX / 2), 0);
    assert_int_equal(lf_row_bytes((lf_type)5, 32), 0);
}

/* ---- 16-bit floats ---- */

static double half_by_definition(unsigned h)
{
    int exponent = (int)(h >> 10 & 31);
    double mantissa = (double)(h & 1023);
    double v = exponent == 0 ? ldexp(mantissa, -24) : ldexp(1024.0 + mantissa, exponent - 25);
    return (h & 0x8000) != 0 ? -v : v;
}

static void test_f16(void **state)
{
    (void)state;
    for (unsigned h = 0; h < 0x10000; h++) {
        float v = lf_f16_to_f32((uint16_t)h);
        if ((h & 0x7FFF) > 0x7C00) {
            assert_true(isnan(v));
            assert_int_equal(lf_f32_to_f16(v) & 0x7FFF, 0x7E00);
        } else if ((h & 0x7FFF) == 0x7C00) {
            assert_true(isinf(v) && (v < 0) == (h > 0x8000));
        } else {
            assert_true(same(v, (float)half_by_definition(h)));
        }
        if (!isnan(v)) {
            assert_int_equal(lf_f32_to_f16(v), h);
        }
    }
}

/* Rounds to the nearest neighbor, ties to even. */
static void test_f16_rounding(void **state)
{
    (void)state;
    for (unsigned h = 0; h < 0x7BFF; h++) {
        float low = lf_f16_to_f32((uint16_t)h);
        float high = lf_f16_to_f32((uint16_t)(h + 1));
        float middle = 0.5f * (low + high);
        assert_int_equal(lf_f32_to_f16(middle), (h & 1) == 0 ? h : h + 1);
        assert_int_equal(lf_f32_to_f16(nextafterf(middle, low)), h);
        assert_int_equal(lf_f32_to_f16(-nextafterf(middle, high)), (h + 1) | 0x8000);
    }
    assert_int_equal(lf_f32_to_f16(nextafterf(65520.0f, 0.0f)), 0x7BFF);
    assert_int_equal(lf_f32_to_f16(65520.0f), 0x7C00);
    assert_int_equal(lf_f32_to_f16(-INFINITY), 0xFC00);
    assert_int_equal(lf_f32_to_f16(0x1p-149f), 0);
    assert_int_equal(lf_f32_to_f16(-0.0f), 0x8000);
}

static void test_bf16(void **state)
{
    (void)state;
    for (unsigned b = 0; b < 0x10000; b++) {
        float v = lf_bf16_to_f32((uint16_t)b);
        assert_int_equal(bits_of(v), b << 16);
        if (!isnan(v)) {
            assert_int_equal(lf_f32_to_bf16(v), b);
        } else {
            assert_true(isnan(lf_bf16_to_f32(lf_f32_to_bf16(v))));
        }
    }
    assert_int_equal(lf_f32_to_bf16(0x1.01p0f), 0x3F80); /* tie: down to even */
    assert_int_equal(lf_f32_to_bf16(0x1.03p0f), 0x3F82); /* tie: up to even */
    assert_int_equal(lf_f32_to_bf16(0x1.0102p0f), 0x3F81);
    assert_int_equal(lf_f32_to_bf16(0x1.fffffep127f), 0x7F80);
    uint32_t quiet_lost = 0x7F800001u; /* a NaN whose upper half is infinity */
    float nan_low = 0.0f;
    memcpy(&nan_low, &quiet_lost, sizeof nan_low);
    assert_true(isnan(lf_bf16_to_f32(lf_f32_to_bf16(nan_low))));
}

/* ---- Decoding ---- */

static void check_quants(lf_type type, const uint8_t *src, size_t n, const float *want)
{
    const lf_type_info *info = lf_type_get((uint32_t)type);
    assert_true(info->group == 16 || info->group == 32);
    assert_int_equal(info->block % info->group, 0);
    int8_t *quants = malloc(n);
    float *scales = malloc(n / info->group * sizeof *scales);
    float *mins = malloc(n / info->group * sizeof *mins);
    float *values = malloc(n * sizeof *values);
    assert_true(quants != NULL && scales != NULL && mins != NULL && values != NULL);
    lf_unpack_row(type, src, n, quants, scales, info->has_min ? mins : NULL);
    for (size_t i = 0; i < n; i++) {
        float product = scales[i / info->group] * (float)quants[i];
        values[i] = info->has_min ? product - mins[i / info->group] : product;
        if (type == LF_Q4_0) {
            assert_in_range(quants[i] + 8, 0, 15);
        } else if (info->has_min) {
            assert_in_range(quants[i], 0, 31);
        }
    }
    check_values(type, values, want, n);
    free(quants);
    free(scales);
    free(mins);
    free(values);
}

static void test_decode(void **state)
{
    (void)state;
    golden g;
    read_golden("decode.bin", &g);
    int types = 0;
    while (g.at < g.size) {
        lf_type type = (lf_type)take_u32(&g);
        size_t n = take_u32(&g);
        size_t bytes = take_u32(&g);
        assert_non_null(lf_type_get((uint32_t)type));
        assert_int_equal(lf_row_bytes(type, n), bytes);
        uint8_t *src = malloc(bytes + 1); /* a row may start at any address */
        float *got = malloc(n * sizeof *got);
        assert_true(src != NULL && got != NULL);
        memcpy(src + 1, take(&g, bytes), bytes);
        float *want = copy_floats(take(&g, n * sizeof *want), n);

        lf_decode_row(type, src + 1, got, n);
        check_values(type, got, want, n);
        if (lf_type_get((uint32_t)type)->group > 0) {
            check_quants(type, src + 1, n, want);
        } else {
            assert_true(type == LF_F32 || type == LF_F16 || type == LF_BF16);
            assert_false(lf_type_get((uint32_t)type)->has_min);
        }
        types++;
        free(src);
        free(got);
        free(want);
    }
    assert_int_equal(types, 24);
    free(g.data);
}

/* ---- Encoding ---- */

/* Every record of a file; returns their number. */
static int check_encoded(const char *name)
{
    golden g;
    read_golden(name, &g);
    size_t n = take_u32(&g);
    float *src = copy_floats(take(&g, n * sizeof *src), n);
    int types = 0;
    while (g.at < g.size) {
        lf_type type = (lf_type)take_u32(&g);
        size_t bytes = take_u32(&g);
        const uint8_t *want = take(&g, bytes);
        size_t block = lf_type_get((uint32_t)type)->block_bytes;
        assert_int_equal(lf_row_bytes(type, n), bytes);
        uint8_t *got = malloc(bytes);
        assert_non_null(got);
        assert_true(lf_encode_row(type, src, got, n));
        for (size_t b = 0; b < bytes / block; b++) {
            if (memcmp(got + b * block, want + b * block, block) != 0) {
                fail_msg("%s: block %zu differs", lf_type_get((uint32_t)type)->name, b);
            }
        }
        types++;
        free(got);
    }
    free(src);
    free(g.data);
    return types;
}

static void test_encode(void **state)
{
    (void)state;
    assert_int_equal(check_encoded("encode.bin"), 14);
    assert_int_equal(check_encoded("encode_rare.bin"), 4);
}

/* The blocks of a row are independent of each other. */
/* Encoders with an importance matrix. */
static void test_encode_weighted(void **state)
{
    (void)state;
    enum { COLUMNS = 1024 };
    golden g;
    read_golden("encode_weighted.bin", &g);
    size_t n = take_u32(&g);
    float *src = copy_floats(take(&g, n * sizeof *src), n);
    float *weights = copy_floats(take(&g, COLUMNS * sizeof *weights), COLUMNS);
    int types = 0;
    for (; g.at < g.size; types++) {
        lf_type type = (lf_type)take_u32(&g);
        size_t bytes = take_u32(&g);
        const uint8_t *want = take(&g, bytes);
        size_t row = lf_row_bytes(type, COLUMNS);
        uint8_t got[COLUMNS * 4];
        for (size_t r = 0; r < n / COLUMNS; r++) {
            assert_true(lf_encode_weighted(type, src + r * COLUMNS, weights, got, COLUMNS));
            if (memcmp(got, want + r * row, row) != 0) {
                fail_msg("%s: row %zu differs", lf_type_get((uint32_t)type)->name, r);
            }
        }
    }
    assert_int_equal(types, 12);
    free(weights);
    free(src);
    free(g.data);
}

static void test_encode_parts(void **state)
{
    (void)state;
    static const lf_type types[] = {LF_Q8_0, LF_Q4_0, LF_Q5_0, LF_Q5_1,   LF_Q4_K,  LF_Q5_K,
                                    LF_Q6_K, LF_Q2_K, LF_Q3_K, LF_IQ4_NL, LF_IQ4_XS};
    float src[1024];
    uint32_t seed = 5;
    print_message("seed %u\n", seed);
    for (size_t i = 0; i < 1024; i++) {
        seed = seed * 1664525u + 1013904223u;
        src[i] = (float)(int32_t)seed * 0x1p-31f;
    }
    for (size_t t = 0; t < sizeof types / sizeof types[0]; t++) {
        uint8_t whole[2048];
        uint8_t part[2048];
        assert_true(lf_encode_row(types[t], src, whole, 1024));
        for (size_t i = 0; i < 1024; i += 256) {
            assert_true(lf_encode_row(types[t], src + i, part + lf_row_bytes(types[t], i), 256));
        }
        assert_memory_equal(whole, part, lf_row_bytes(types[t], 1024));
    }
}

static void test_encode_refused(void **state)
{
    (void)state;
    static const lf_type types[] = {LF_MXFP4,  LF_NVFP4, LF_IQ1_S,   LF_IQ1_M, LF_IQ2_XXS,
                                    LF_IQ2_XS, LF_IQ2_S, LF_IQ3_XXS, LF_IQ3_S};
    float src[256] = {0.0f};
    uint8_t dst[1024] = {0};
    for (size_t i = 0; i < sizeof types / sizeof types[0]; i++) {
        assert_false(lf_encode_row(types[i], src, dst, 256));
        assert_false(lf_encode_weighted(types[i], src, src, dst, 256));
    }
}

/* NaN and infinity: the result is undefined, but sanitizers must find no fault. */
static void test_encode_hostile(void **state)
{
    (void)state;
    static const float values[] = {NAN,      INFINITY,  -INFINITY,  FLT_MAX,
                                   -FLT_MAX, 0x1p-149f, -0x1p-130f, 1e20f};
    static const lf_type types[] = {LF_F16,  LF_BF16,   LF_Q8_0,   LF_Q4_0, LF_Q5_0,
                                    LF_Q5_1, LF_Q4_K,   LF_Q5_K,   LF_Q6_K, LF_Q2_K,
                                    LF_Q3_K, LF_IQ4_NL, LF_IQ4_XS, LF_Q4_1};
    for (size_t v = 0; v < sizeof values / sizeof values[0]; v++) {
        float src[256];
        float weights[256];
        for (size_t i = 0; i < 256; i++) {
            weights[i] = i % 7 == 0 ? FLT_MAX : i % 7 == 1 ? 0.0f : 1.0f;
            /* mixed with others, alone, and next to zeros */
            src[i] = i < 96 ? (i % 3 == 0 ? values[v] : (float)i) : i < 192 ? values[v] : 0.0f;
        }
        for (size_t t = 0; t < sizeof types / sizeof types[0]; t++) {
            uint8_t dst[1024];
            assert_true(lf_encode_row(types[t], src, dst, 256));
            float back[256];
            lf_decode_row(types[t], dst, back, 256);
            assert_true(lf_encode_weighted(types[t], src, weights, dst, 256));
            lf_decode_row(types[t], dst, back, 256);
        }
    }
}

/* Formats with a minimum: blocks of one value, of one sign, and of zeros, decoded again. */
static void test_encode_constant(void **state)
{
    (void)state;
    static const lf_type types[] = {LF_Q5_0, LF_Q5_1, LF_Q4_K, LF_Q5_K, LF_Q6_K, LF_Q2_K, LF_Q3_K};
    static const float constants[] = {0.0f, 1.0f, -1.0f, 1000.0f, -0x1p-10f};
    for (size_t t = 0; t < sizeof types / sizeof types[0]; t++) {
        for (size_t c = 0; c < sizeof constants / sizeof constants[0]; c++) {
            float src[256];
            float back[256];
            uint8_t dst[1024];
            for (size_t i = 0; i < 256; i++) {
                src[i] = constants[c];
            }
            assert_true(lf_encode_row(types[t], src, dst, 256));
            lf_decode_row(types[t], dst, back, 256);
            for (size_t i = 0; i < 256; i++) { /* rounding of the f16 scale, and its products */
                assert_true(fabsf(back[i] - src[i]) <= 0.002f * fabsf(src[i]));
            }
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_types),           cmocka_unit_test(test_f16),
        cmocka_unit_test(test_f16_rounding),    cmocka_unit_test(test_bf16),
        cmocka_unit_test(test_decode),          cmocka_unit_test(test_encode),
        cmocka_unit_test(test_encode_weighted), cmocka_unit_test(test_encode_parts),
        cmocka_unit_test(test_encode_refused),  cmocka_unit_test(test_encode_hostile),
        cmocka_unit_test(test_encode_constant),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
