/* SPDX-License-Identifier: Apache-2.0 */
/* Tests of the safetensors container: allowed and refused headers. */
#include "support/models.h"
#include "support/tiny_files.h"

#include "load/hf.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static lf_alloc heap;
static lf_arena arena;
static lf_file file;
static lf_st_tensor *tensors;
static uint32_t n_tensors;

static int setup(void **state)
{
    (void)state;
    heap = lf_alloc_default();
    lf_arena_init(&arena, &heap);
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    lf_arena_free(&arena);
    free((void *)(uintptr_t)file.data);
    file.data = NULL;
    return 0;
}

/* Parses an exact copy, so that sanitizers detect a read past the end. */
static int32_t parse_bytes(const uint8_t *data, size_t n)
{
    static char path[] = "m.safetensors";
    free((void *)(uintptr_t)file.data);
    uint8_t *copy = malloc(n > 0 ? n : 1);
    assert_non_null(copy);
    memcpy(copy, data, n);
    file = (lf_file){.data = copy, .size = n, .path = path, .alloc = &heap};
    return lf_safetensors_parse(&arena, &file, 5, &tensors, &n_tensors);
}

/* A header, padded with spaces to a multiple of `pad`, and n_data bytes. */
static int32_t parse_padded(const char *header, size_t pad, size_t n_data)
{
    uint8_t bytes[4096] = {0};
    size_t n = strlen(header);
    size_t padded = (n + pad - 1) / pad * pad;
    assert_true(8 + padded + n_data <= sizeof bytes);
    bytes[0] = (uint8_t)padded;
    bytes[1] = (uint8_t)(padded >> 8);
    memset(bytes + 8, ' ', padded);
    memcpy(bytes + 8, header, n);
    return parse_bytes(bytes, 8 + padded + n_data);
}

static int32_t parse(const char *header, size_t n_data)
{
    return parse_padded(header, 8, n_data);
}

static void refused(int32_t status, int32_t expected, const char *code, const char *says)
{
    if (status != expected || strcmp(lf_fail_code(), code) != 0 ||
        strncmp(lf_fail_text(), "m.safetensors: ", 15) != 0 ||
        strstr(lf_fail_text(), says) == NULL) {
        fail_msg("expected %d %s with '%s', got %d %s: %s", expected, code, says, status,
                 lf_fail_code(), lf_fail_text());
    }
}

/* One tensor "t" with these members and 64 bytes of data. */
static void bad(const char *members, const char *code)
{
    char header[512];
    snprintf(header, sizeof header, "{\"t\":{%s}}", members);
    refused(parse(header, 64), LFM2_E_FORMAT, code, "tensor 't'");
}

static void test_good(void **state)
{
    (void)state;
    LFT_OK(parse("{\"__metadata__\":{\"format\":\"pt\"},"
                 "\"b\":{\"dtype\":\"BF16\",\"shape\":[2,1,3],\"data_offsets\":[16,28]},"
                 "\"a\":{\"data_offsets\":[0,16],\"shape\":[4],\"dtype\":\"F32\",\"x\":1},"
                 "\"s\":{\"dtype\":\"F16\",\"shape\":[],\"data_offsets\":[30,32]}}",
                 32));
    assert_int_equal(n_tensors, 3);
    assert_string_equal(tensors[0].name, "b"); /* the header's order */
    assert_int_equal(tensors[0].type, LF_BF16);
    assert_int_equal(tensors[0].n_dims, 3);
    assert_int_equal(tensors[0].shape[0], 2);
    assert_int_equal(tensors[0].shape[2], 3);
    assert_int_equal(tensors[0].shape[3], 1);
    assert_int_equal(tensors[0].bytes, 12);
    assert_int_equal(tensors[0].part, 5);
    assert_int_equal(tensors[0].offset, file.size - 16);
    assert_int_equal(tensors[1].type, LF_F32);
    assert_int_equal(tensors[2].n_dims, 0);
    assert_int_equal(tensors[2].bytes, 2);
    LFT_OK(parse("{}", 0));
    assert_int_equal(n_tensors, 0);
}

static void test_header(void **state)
{
    (void)state;
    refused(parse_bytes((const uint8_t *)"", 0), LFM2_E_FORMAT, "safetensors.truncated", "");
    refused(parse_bytes((const uint8_t *)"\2\0\0\0\0\0\0", 7), LFM2_E_FORMAT,
            "safetensors.truncated", "");
    refused(parse_bytes((const uint8_t *)"\0\0\0\0\0\0\0\0", 8), LFM2_E_FORMAT,
            "safetensors.header", "");
    refused(parse_bytes((const uint8_t *)"\3\0\0\0\0\0\0\0{}", 10), LFM2_E_FORMAT,
            "safetensors.header", "3 bytes");
    refused(parse_bytes((const uint8_t *)"\xFF\xFF\xFF\xFF\xFF\xFF\xFF\xFF{}", 10), LFM2_E_FORMAT,
            "safetensors.header", "18446744073709551615 bytes");
    refused(parse(" {}", 0), LFM2_E_FORMAT, "safetensors.header",
            "its header must be a JSON object");
    refused(parse("[]", 0), LFM2_E_FORMAT, "safetensors.header",
            "its header must be a JSON object");
    refused(parse("{} x", 0), LFM2_E_FORMAT, "json.trailing", "");
    refused(parse("{\"t\":", 0), LFM2_E_FORMAT, "json.truncated", "");
    refused(parse("{\"t\":1}", 0), LFM2_E_FORMAT, "safetensors.entry", "'t'");
    refused(parse("{\"t\\n\":{}}", 0), LFM2_E_FORMAT, "safetensors.name", "'t?'");
    refused(parse("{\"\":{}}", 0), LFM2_E_FORMAT, "safetensors.name", "");
}

static void test_entries(void **state)
{
    (void)state;
    bad("\"shape\":[1],\"data_offsets\":[0,4]", "safetensors.dtype");
    bad("\"dtype\":1,\"shape\":[1],\"data_offsets\":[0,4]", "safetensors.dtype");
    bad("\"dtype\":\"F32\",\"data_offsets\":[0,4]", "safetensors.shape");
    bad("\"dtype\":\"F32\",\"shape\":4,\"data_offsets\":[0,4]", "safetensors.shape");
    bad("\"dtype\":\"F32\",\"shape\":[-1],\"data_offsets\":[0,4]", "safetensors.shape");
    bad("\"dtype\":\"F32\",\"shape\":[0],\"data_offsets\":[0,0]", "safetensors.shape");
    bad("\"dtype\":\"F32\",\"shape\":[1.5],\"data_offsets\":[0,4]", "safetensors.shape");
    bad("\"dtype\":\"F32\",\"shape\":[1,1,1,1,1],\"data_offsets\":[0,4]", "safetensors.shape");
    bad("\"dtype\":\"F32\",\"shape\":[4294967296,4294967296],\"data_offsets\":[0,4]",
        "safetensors.overflow");
    bad("\"dtype\":\"F32\",\"shape\":[1]", "safetensors.offsets");
    bad("\"dtype\":\"F32\",\"shape\":[1],\"data_offsets\":[0]", "safetensors.offsets");
    bad("\"dtype\":\"F32\",\"shape\":[1],\"data_offsets\":[0,4,8]", "safetensors.offsets");
    bad("\"dtype\":\"F32\",\"shape\":[1],\"data_offsets\":[4,0]", "safetensors.offsets");
    bad("\"dtype\":\"F32\",\"shape\":[1],\"data_offsets\":[0,8]", "safetensors.offsets");
    bad("\"dtype\":\"F32\",\"shape\":[1],\"data_offsets\":[64,68]", "safetensors.bounds");
    bad("\"dtype\":\"F32\",\"shape\":[1],\"data_offsets\":[18446744073709551611,"
        "18446744073709551615]",
        "safetensors.bounds");
    static const char *const types[] = {"F64", "I64", "I8", "U8", "BOOL", "F8_E4M3", "bf16", ""};
    for (size_t i = 0; i < sizeof types / sizeof types[0]; i++) {
        char header[256];
        snprintf(header, sizeof header,
                 "{\"t\":{\"dtype\":\"%s\",\"shape\":[1],\"data_offsets\":[0,1]}}", types[i]);
        refused(parse(header, 64), LFM2_E_UNSUPPORTED, "safetensors.dtype", types[i]);
    }
}

static void test_places(void **state)
{
    (void)state;
    refused(parse("{\"a\":{\"dtype\":\"F16\",\"shape\":[4],\"data_offsets\":[0,8]},"
                  "\"b\":{\"dtype\":\"F16\",\"shape\":[4],\"data_offsets\":[6,14]}}",
                  64),
            LFM2_E_FORMAT, "safetensors.overlap", "tensor 'b'");
    refused(parse("{\"a\":{\"dtype\":\"F32\",\"shape\":[1],\"data_offsets\":[0,4]},"
                  "\"a\":{\"dtype\":\"F32\",\"shape\":[1],\"data_offsets\":[4,8]}}",
                  64),
            LFM2_E_FORMAT, "json.duplicate", "'a'");
    /* a header of odd length gives all data odd offsets */
    static const char odd[] = "{\"a\":{\"dtype\":\"F32\",\"shape\":[1],\"data_offsets\":[0,4]}}";
    assert_int_not_equal((sizeof odd - 1) % 4, 0);
    refused(parse_padded(odd, 1, 4), LFM2_E_UNSUPPORTED, "safetensors.alignment", "'a'");
    LFT_OK(parse_padded(odd, 4, 4));
    refused(parse("{\"a\":{\"dtype\":\"F32\",\"shape\":[1],\"data_offsets\":[2,6]}}", 8),
            LFM2_E_UNSUPPORTED, "safetensors.alignment", "'a'");
}

static void test_memory(void **state)
{
    (void)state;
    tiny_folder f;
    tiny_folder_init(&f, true);
    tiny_safetensors(lft_temp("m"), f.header, f.data, f.n_data);
    lf_file whole;
    LFT_OK(lf_file_open(&heap, lft_temp("m"), &whole));
    bool done = false;
    for (long long i = 1; !done; i++) {
        lft_memory memory = {.fail_at = i};
        lf_alloc alloc = {lft_memory_alloc, lft_memory_free, &memory};
        lf_arena a;
        lf_arena_init(&a, &alloc);
        int32_t status = lf_safetensors_parse(&a, &whole, 0, &tensors, &n_tensors);
        done = status == LFM2_OK;
        assert_true(done || status == LFM2_E_MEMORY);
        lf_arena_free(&a);
        assert_int_equal(memory.live_blocks, 0);
        assert_in_range(i, 1, 100);
    }
    lf_file_close(&whole);
    tiny_folder_free(&f);
    lft_end();
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_good, setup, teardown),
        cmocka_unit_test_setup_teardown(test_header, setup, teardown),
        cmocka_unit_test_setup_teardown(test_entries, setup, teardown),
        cmocka_unit_test_setup_teardown(test_places, setup, teardown),
        cmocka_unit_test_setup_teardown(test_memory, setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
