/* SPDX-License-Identifier: Apache-2.0 */
/* The plan of a matrix of every type, and of a pair of any two types. */
#include "load/pack.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

/* A bound of the bytes of a matrix in panels: types below 4 bits and NVFP4 keep about the size of
 * the file, IQ4_NL, IQ4_XS and MXFP4 take at most 5.25 bits a value; others have at most int8
 * quants with an f32 scale and minimum. */
static size_t most_bytes(const lf_type_info *type, size_t file_bytes)
{
    bool keeps = type->block_bytes * 8 < type->block * 4 || type->type == LF_NVFP4;
    if (type->type == LF_IQ4_NL || type->type == LF_IQ4_XS || type->type == LF_MXFP4) {
        return (size_t)512 * 48 * 21 / 32;
    }
    return keeps ? file_bytes + file_bytes / 7 : (size_t)512 * 48 * 4;
}

static void test_plans(void **state)
{
    (void)state;
    lf_kernels kernels = {0};
    lf_kernels_init(&kernels, 0, LF_PICK_SCALAR);
    int planned = 0;
    for (uint32_t number = 0; number < 64; number++) {
        const lf_type_info *type = lf_type_get(number);
        if (type == NULL) {
            continue;
        }
        lf_tensor tensor = {.name = "blk.0.ffn_up.weight",
                            .type = (lf_type)number,
                            .n_dims = 2,
                            .ne = {512, 48, 1, 1}};
        lf_packed packed = {0};
        assert_int_equal(lf_pack_plan(&kernels, &tensor, NULL, &packed), LFM2_OK);
        assert_non_null(packed.gemm);
        size_t file_bytes = 48 * lf_row_bytes(tensor.type, 512);
        assert_in_range(packed.bytes, file_bytes, most_bytes(type, file_bytes));
        planned++;
    }
    assert_int_equal(planned, 24);
}

/* Gate and up of any two types have a plan. */
static void test_pairs(void **state)
{
    (void)state;
    lf_kernels kernels = {0};
    lf_kernels_init(&kernels, 0, LF_PICK_SCALAR);
    for (uint32_t a = 0; a < 64; a++) {
        for (uint32_t b = 0; b < 64; b++) {
            const lf_type_info *types[2] = {lf_type_get(a), lf_type_get(b)};
            if (types[0] == NULL || types[1] == NULL) {
                continue;
            }
            lf_tensor gate = {.name = "gate", .type = (lf_type)a, .ne = {512, 48, 1, 1}};
            lf_tensor up = {.name = "up", .type = (lf_type)b, .ne = {512, 48, 1, 1}};
            lf_packed packed = {0};
            assert_int_equal(lf_pack_plan(&kernels, &gate, &up, &packed), LFM2_OK);
            assert_true(packed.types[0] == gate.type && packed.types[1] == up.type);
            if (a != b) {
                bool quantized = types[0]->group != 0 && types[1]->group != 0;
                assert_int_equal(packed.gemm->weights, quantized ? LF_W_I8G16 : LF_W_F32);
                assert_true(packed.blocks == quantized);
            }
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_plans), cmocka_unit_test(test_pairs)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
