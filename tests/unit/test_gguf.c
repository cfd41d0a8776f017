/* SPDX-License-Identifier: Apache-2.0 */
/* Tests of the GGUF container: every error with its code, values as text, typed keys. */
#include "support/models.h"
#include "support/tiny_files.h"

#include "load/gguf.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static lf_alloc heap;
static lf_arena arena;
static gguf_builder b;
static lf_file file;
static lf_gguf g;

static int setup(void **state)
{
    (void)state;
    heap = lf_alloc_default();
    lf_arena_init(&arena, &heap);
    gb_init(&b);
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    lf_gguf_close(&g);
    lf_arena_free(&arena);
    gb_free(&b);
    free((void *)(uintptr_t)file.data);
    file.data = NULL;
    return 0;
}

/* Parses an exact copy of the bytes, so that sanitizers detect a read past the end. */
static int32_t parse_bytes(const uint8_t *data, size_t n)
{
    static char path[] = "model.gguf";
    free((void *)(uintptr_t)file.data);
    uint8_t *copy = malloc(n > 0 ? n : 1);
    assert_non_null(copy);
    memcpy(copy, data, n);
    file = (lf_file){.data = copy, .size = n, .path = path, .alloc = &heap};
    lf_gguf_close(&g);
    memset(&g, 0, sizeof g);
    return lf_gguf_parse(&arena, &file, 0, &g);
}

/* A file without tensors is parsed without the padding before their data. */
static int32_t parse(void)
{
    size_t header = gb_finish(&b);
    return parse_bytes(b.file.data, b.data.size > 0 ? b.file.size : header);
}

static void refused(int32_t status, int32_t expected, const char *code, const char *says)
{
    if (status != expected || strcmp(lf_fail_code(), code) != 0 ||
        strncmp(lf_fail_text(), "model.gguf: ", 12) != 0 || strstr(lf_fail_text(), says) == NULL) {
        fail_msg("expected %d %s with '%s', got %d %s: %s", expected, code, says, status,
                 lf_fail_code(), lf_fail_text());
    }
    gb_free(&b);
    gb_init(&b);
}

static void bad(const char *code, const char *says)
{
    refused(parse(), LFM2_E_FORMAT, code, says);
}

static void unsupported(const char *code, const char *says)
{
    refused(parse(), LFM2_E_UNSUPPORTED, code, says);
}

/* ---- Right files ---- */

static void test_tiny(void **state)
{
    (void)state;
    gb_free(&b);
    tiny_gguf(&b, true, NULL);
    size_t header = gb_finish(&b);
    LFT_OK(parse_bytes(b.file.data, b.file.size));
    assert_int_equal(g.version, 3);
    assert_int_equal(g.n_values, b.n_keys);
    assert_int_equal(g.n_tensors, b.n_tensors);
    assert_int_equal(g.alignment, 32);
    assert_int_equal(g.data_begin, (header + 31) / 32 * 32);
    assert_string_equal(g.tensors[0].name, "token_embd.weight");
    assert_int_equal(g.tensors[0].ne[1], TINY_VOCAB);
    assert_int_equal(g.tensors[0].ne[2], 1);
    assert_int_equal(g.tensors[0].bytes, 32 * TINY_VOCAB * 4);
    assert_int_equal(g.tensors[0].offset, g.data_begin);
    /* the same as version 2, and version 2 alone */
    b.file.data[4] = 2;
    LFT_OK(parse_bytes(b.file.data, b.file.size));
    assert_int_equal(g.version, 2);
}

static void test_empty(void **state)
{
    (void)state;
    LFT_OK(parse());
    assert_int_equal(g.n_values, 0);
    assert_int_equal(g.n_tensors, 0);
    assert_null(lf_gguf_find(&g, "a"));
}

static void expect_text(const char *key, const char *text)
{
    const char *got = NULL;
    const lf_gguf_value *v = lf_gguf_find(&g, key);
    assert_non_null(v);
    LFT_OK(lf_gguf_text(&arena, v, &got));
    assert_string_equal(got, text);
}

static void test_text(void **state)
{
    (void)state;
    char longer[300];
    memset(longer, 'x', sizeof longer);
    longer[sizeof longer - 1] = '\0';
    memcpy(longer + 199, "\303\251", 2); /* a character that crosses the cut */
    const char *strings[] = {"a", ""};
    gb_raw(&b, "u8", LF_GGUF_U8, "\xFF", 1);
    gb_raw(&b, "i8", LF_GGUF_I8, "\xFF", 1);
    gb_raw(&b, "u16", LF_GGUF_U16, "\x01\x02", 2);
    gb_raw(&b, "i16", LF_GGUF_I16, "\x00\x80", 2);
    gb_raw(&b, "i32", LF_GGUF_I32, "\xFE\xFF\xFF\xFF", 4);
    gb_raw(&b, "u64", LF_GGUF_U64, "\xFF\xFF\xFF\xFF\xFF\xFF\xFF\xFF", 8);
    gb_raw(&b, "i64", LF_GGUF_I64, "\0\0\0\0\0\0\0\x80", 8);
    gb_raw(&b, "f64", LF_GGUF_F64, "\0\0\0\0\0\0\xE0\x3F", 8);
    gb_f32(&b, "f32", 1e-5F);
    gb_bool(&b, "true", true);
    gb_bool(&b, "false", false);
    gb_string(&b, "str", "one\ntwo \377");
    gb_string(&b, "long", longer);
    gb_strings(&b, "strs", strings, 2);
    gb_i32s(&b, "none", NULL, 0);
    LFT_OK(parse());
    expect_text("u8", "255");
    expect_text("i8", "-1");
    expect_text("u16", "513");
    expect_text("i16", "-32768");
    expect_text("i32", "-2");
    expect_text("u64", "18446744073709551615");
    expect_text("i64", "-9223372036854775808");
    expect_text("f64", "0.5");
    expect_text("f32", "1e-05");
    expect_text("true", "true");
    expect_text("false", "false");
    expect_text("str", "one?two ?");
    longer[199] = '\0';
    strcat(longer, "...");
    expect_text("long", longer);
    expect_text("strs", "[str x 2]");
    expect_text("none", "[i32 x 0]");
}

/* ---- Typed keys ---- */

static void test_integers(void **state)
{
    (void)state;
    gb_raw(&b, "u8", LF_GGUF_U8, "\x03", 1);
    gb_raw(&b, "i16", LF_GGUF_I16, "\x03\0", 2);
    gb_raw(&b, "i64", LF_GGUF_I64, "\x03\0\0\0\0\0\0\0", 8);
    gb_raw(&b, "u64", LF_GGUF_U64, "\xFF\xFF\xFF\xFF\0\0\0\0", 8);
    gb_raw(&b, "big", LF_GGUF_U64, "\0\0\0\0\x01\0\0\0", 8);
    gb_raw(&b, "minus", LF_GGUF_I8, "\xFF", 1);
    gb_f32(&b, "float", 3);
    gb_bool(&b, "bool", true);
    gb_i32s(&b, "array", (const int32_t[]){3, -1}, 2);
    LFT_OK(parse());
    uint32_t v = 0;
    const char *const same[] = {"u8", "i16", "i64"};
    for (int i = 0; i < 3; i++) {
        v = 0;
        LFT_OK(lf_gguf_get_u32(&g, same[i], &v, NULL));
        assert_int_equal(v, 3);
    }
    LFT_OK(lf_gguf_get_u32(&g, "u64", &v, NULL));
    assert_true(v == UINT32_MAX);
    refused(lf_gguf_get_u32(&g, "big", &v, NULL), LFM2_E_FORMAT, "gguf.key.range", "'big'");
    refused(lf_gguf_get_u32(&g, "minus", &v, NULL), LFM2_E_FORMAT, "gguf.key.range", "'minus'");
    refused(lf_gguf_get_u32(&g, "float", &v, NULL), LFM2_E_FORMAT, "gguf.key.type", "f32");
    refused(lf_gguf_get_u32(&g, "bool", &v, NULL), LFM2_E_FORMAT, "gguf.key.type", "'bool'");
    refused(lf_gguf_get_u32(&g, "array", &v, NULL), LFM2_E_FORMAT, "gguf.key.type", "array of i32");
    refused(lf_gguf_get_u32(&g, "absent", &v, NULL), LFM2_E_FORMAT, "gguf.key.missing", "'absent'");
    bool found = true;
    LFT_OK(lf_gguf_get_u32(&g, "absent", &v, &found));
    assert_false(found);
    const lf_gguf_value *array = NULL;
    LFT_OK(lf_gguf_get_array(&g, "array", false, &array, NULL));
    assert_true(lf_gguf_item_u32(array, 0, &v));
    assert_int_equal(v, 3);
    assert_false(lf_gguf_item_u32(array, 1, &v));
    refused(lf_gguf_get_array(&g, "array", true, &array, NULL), LFM2_E_FORMAT, "gguf.key.type",
            "array of strings");
}

static void test_other_types(void **state)
{
    (void)state;
    gb_f32(&b, "f32", 0.5F);
    gb_raw(&b, "f64", LF_GGUF_F64, "\0\0\0\0\0\0\xE0\x3F", 8);
    gb_raw(&b, "huge", LF_GGUF_F64, "\0\0\0\0\0\0\xE0\x7E", 8);
    gb_f32(&b, "nan", NAN);
    gb_raw(&b, "two", LF_GGUF_BOOL, "\x02", 1);
    gb_u32(&b, "u32", 1);
    gb_string(&b, "str", "text");
    LFT_OK(parse());
    float f = 0;
    bool on = false;
    const char *text = NULL;
    size_t len = 0;
    LFT_OK(lf_gguf_get_f32(&g, "f32", &f, NULL));
    assert_true(f == 0.5F);
    f = 0;
    LFT_OK(lf_gguf_get_f32(&g, "f64", &f, NULL));
    assert_true(f == 0.5F);
    refused(lf_gguf_get_f32(&g, "huge", &f, NULL), LFM2_E_FORMAT, "gguf.key.range", "'huge'");
    refused(lf_gguf_get_f32(&g, "nan", &f, NULL), LFM2_E_FORMAT, "gguf.key.range", "'nan'");
    refused(lf_gguf_get_f32(&g, "u32", &f, NULL), LFM2_E_FORMAT, "gguf.key.type", "'u32'");
    refused(lf_gguf_get_bool(&g, "two", &on, NULL), LFM2_E_FORMAT, "gguf.key.range", "'two'");
    refused(lf_gguf_get_bool(&g, "u32", &on, NULL), LFM2_E_FORMAT, "gguf.key.type", "'u32'");
    LFT_OK(lf_gguf_get_string(&g, "str", &text, &len, NULL));
    assert_int_equal(len, 4);
    assert_memory_equal(text, "text", 4);
    refused(lf_gguf_get_string(&g, "u32", &text, &len, NULL), LFM2_E_FORMAT, "gguf.key.type",
            "'u32'");
}

/* ---- Refused files ---- */

static void test_header(void **state)
{
    (void)state;
    refused(parse_bytes((const uint8_t *)"", 0), LFM2_E_FORMAT, "gguf.magic", "");
    refused(parse_bytes((const uint8_t *)"GGU", 3), LFM2_E_FORMAT, "gguf.magic", "");
    refused(parse_bytes((const uint8_t *)"GGML1234", 8), LFM2_E_FORMAT, "gguf.magic", "");
    refused(parse_bytes((const uint8_t *)"GGUF\3\0", 6), LFM2_E_FORMAT, "gguf.truncated",
            "version");
    b.version = 1;
    unsupported("gguf.version", "version 1 is not supported; supported: 2 and 3");
    b.version = 4;
    unsupported("gguf.version", "version 4 is not supported");
    b.version = 0;
    unsupported("gguf.version", "version 0 is not supported");
    b.version = 0x03000000;
    unsupported("gguf.big_endian", "big-endian");
    b.n_keys = 1;
    bad("gguf.key.count", "1 keys");
    b.n_keys = UINT64_MAX;
    bad("gguf.key.count", "18446744073709551615 keys");
    b.n_tensors = UINT64_MAX / 2;
    bad("gguf.tensor.count", "tensors");
}

static void test_keys(void **state)
{
    (void)state;
    gb_raw(&b, "", LF_GGUF_U8, "12345678", 8);
    bad("gguf.key.length", "offset 0x18");
    gb_raw(&b, "k", 13, "12345678", 8);
    bad("gguf.key.type", "'k'");
    gb_raw(&b, "k", LF_GGUF_U64, "1234567", 7);
    bad("gguf.truncated", "k: offset 0x25: needs 8 bytes, the file has 7 more");
    gb_raw(&b, "a\nb", LF_GGUF_U64, "1234567", 7);
    bad("gguf.truncated", "a?b: ");
    gb_raw(&b, "k", LF_GGUF_STRING, "\xFF\xFF\xFF\xFF\xFF\xFF\xFF\xFF", 8);
    bad("gguf.truncated", "k: ");
    gb_raw(&b, "k", LF_GGUF_ARRAY, "\x09\0\0\0\x01\0\0\0\0\0\0\0", 12);
    unsupported("gguf.key.nested", "'k'");
    gb_raw(&b, "k", LF_GGUF_ARRAY, "\x0D\0\0\0\x01\0\0\0\0\0\0\0", 12);
    bad("gguf.key.type", "'k'");
    gb_raw(&b, "k", LF_GGUF_ARRAY, "\x04\0\0\0\xFF\xFF\xFF\xFF\xFF\xFF\xFF\xFF", 12);
    bad("gguf.truncated", "'k'");
    gb_raw(&b, "k", LF_GGUF_ARRAY, "\x0A\0\0\0\0\0\0\0\0\0\0\x20", 12); /* 8 x 2^61 wraps */
    bad("gguf.truncated", "'k'");
    gb_raw(&b, "k", LF_GGUF_ARRAY, "\x08\0\0\0\x02\0\0\0\0\0\0\0\x01\0\0\0\0\0\0\0abcdefgh", 28);
    bad("gguf.truncated", "k: ");
    gb_u32(&b, "k", 1);
    gb_u32(&b, "l", 1);
    gb_bool(&b, "k", false);
    bad("gguf.key.duplicate", "'k'");
    gb_raw(&b, "u", LF_GGUF_ARRAY, "\x07\0\0\0\x02\0\0\0\0\0\0\0\x01\x05", 14);
    LFT_OK(parse()); /* unknown keys are not interpreted */
}

static void test_alignment(void **state)
{
    (void)state;
    const uint32_t wrong[] = {0, 1, 4, 24, 48, 1u << 21, UINT32_MAX};
    for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++) {
        gb_u32(&b, "general.alignment", wrong[i]);
        bad("gguf.alignment", "general.alignment");
    }
    gb_string(&b, "general.alignment", "32");
    bad("gguf.key.type", "general.alignment");
    b.alignment = 4096;
    gb_u32(&b, "general.alignment", 4096);
    gb_tensor(&b, "a", 0, 1, (const uint64_t[]){3}, 12);
    gb_tensor(&b, "b", 0, 1, (const uint64_t[]){3}, 12);
    LFT_OK(parse());
    assert_int_equal(g.tensors[0].offset, 4096);
    assert_int_equal(g.tensors[1].offset, 8192);
}

static void one_tensor(uint32_t type, uint32_t n_dims, uint64_t d0, uint64_t d1, uint64_t offset)
{
    const uint64_t dims[8] = {d0, d1, 1, 1, 1, 1, 1, 1};
    gb_tensor_at(&b, "first", type, n_dims, dims, offset);
    gb_tensor(&b, "second", 0, 1, (const uint64_t[]){32}, 128);
}

static void test_tensors(void **state)
{
    (void)state;
    gb_tensor(&b, "", 0, 1, (const uint64_t[]){1}, 4);
    bad("gguf.tensor.name", "0 bytes");
    char name[65];
    memset(name, 'n', 64);
    name[64] = '\0';
    gb_tensor(&b, name, 0, 1, (const uint64_t[]){1}, 4);
    bad("gguf.tensor.name", "64 bytes");
    gb_tensor(&b, name + 1, 0, 1, (const uint64_t[]){1}, 4);
    LFT_OK(parse());
    gb_free(&b);
    gb_init(&b);
    gb_tensor(&b, "a\tb", 0, 1, (const uint64_t[]){1}, 4);
    bad("gguf.tensor.name", "ASCII");
    one_tensor(0, 0, 1, 1, 0);
    bad("gguf.tensor.dims", "'first'");
    one_tensor(0, 5, 1, 1, 0);
    bad("gguf.tensor.dims", "'first'");
    one_tensor(0, 2, 1, 0, 0);
    bad("gguf.tensor.dims", "dimension 2 of 2 is 0");
    one_tensor(4, 1, 1, 1, 0);
    unsupported("gguf.tensor.type", "tensor type Q4_2 is not supported");
    one_tensor(1000, 1, 1, 1, 0);
    unsupported("gguf.tensor.type", "tensor type 1000 is unknown");
    one_tensor(LF_Q4_0, 2, 48, 2, 0);
    bad("gguf.tensor.block", "48 values");
    one_tensor(LF_Q6_K, 2, 128, 2, 0);
    bad("gguf.tensor.block", "Q6_K");
    one_tensor(0, 2, UINT64_C(1) << 62, 1, 0);
    bad("gguf.tensor.overflow", "'first'");
    one_tensor(0, 2, UINT64_C(1) << 40, UINT64_C(1) << 40, 0);
    bad("gguf.tensor.overflow", "'first'");
    one_tensor(0, 1, 1, 1, 16);
    bad("gguf.tensor.alignment", "'first'");
    one_tensor(0, 1, 1, 1, UINT64_MAX - 31);
    bad("gguf.tensor.overflow", "'first'");
    one_tensor(0, 1, 1, 1, 4096);
    bad("gguf.tensor.bounds", "'first'");
    one_tensor(0, 1, 33, 1, 0);
    bad("gguf.tensor.bounds", "'first'");
    one_tensor(0, 1, 32, 1, 0);
    bad("gguf.tensor.overlap", "overlaps the data of tensor");
    one_tensor(0, 1, 8, 1, 96);
    bad("gguf.tensor.overlap", "overlaps the data of tensor");
    one_tensor(LF_Q8_0, 2, 32, 3, 128);
    bad("gguf.tensor.bounds", "'first'");
}

/* Truncated data: the error names the tensor with incomplete data. */
static void test_cut(void **state)
{
    (void)state;
    gb_tensor(&b, "a", 0, 1, (const uint64_t[]){8}, 32);
    gb_tensor(&b, "b", 0, 1, (const uint64_t[]){8}, 32);
    gb_finish(&b);
    LFT_OK(parse_bytes(b.file.data, b.file.size));
    assert_int_equal(parse_bytes(b.file.data, b.file.size - 1), LFM2_E_FORMAT);
    assert_non_null(strstr(lf_fail_text(), "tensor 'b'"));
    assert_int_equal(parse_bytes(b.file.data, b.file.size - 33), LFM2_E_FORMAT);
    assert_non_null(strstr(lf_fail_text(), "tensor 'a'"));
    assert_string_equal(lf_fail_code(), "gguf.tensor.bounds");
}

static void test_memory(void **state)
{
    (void)state;
    gb_free(&b);
    tiny_gguf(&b, true, NULL);
    gb_finish(&b);
    LFT_OK(parse_bytes(b.file.data, b.file.size));
    bool done = false;
    for (long long i = 1; !done; i++) {
        lft_memory memory = {.fail_at = i};
        lf_alloc alloc = {lft_memory_alloc, lft_memory_free, &memory};
        lf_arena a;
        lf_gguf out;
        lf_arena_init(&a, &alloc);
        int32_t status = lf_gguf_parse(&a, &file, 0, &out);
        done = status == LFM2_OK;
        assert_true(done || status == LFM2_E_MEMORY);
        if (done) {
            lf_gguf_close(&out);
        }
        lf_arena_free(&a);
        assert_int_equal(memory.live_blocks, 0);
        assert_false(memory.broken);
        assert_in_range(i, 1, 100);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_tiny, setup, teardown),
        cmocka_unit_test_setup_teardown(test_empty, setup, teardown),
        cmocka_unit_test_setup_teardown(test_text, setup, teardown),
        cmocka_unit_test_setup_teardown(test_integers, setup, teardown),
        cmocka_unit_test_setup_teardown(test_other_types, setup, teardown),
        cmocka_unit_test_setup_teardown(test_header, setup, teardown),
        cmocka_unit_test_setup_teardown(test_keys, setup, teardown),
        cmocka_unit_test_setup_teardown(test_alignment, setup, teardown),
        cmocka_unit_test_setup_teardown(test_tensors, setup, teardown),
        cmocka_unit_test_setup_teardown(test_cut, setup, teardown),
        cmocka_unit_test_setup_teardown(test_memory, setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
