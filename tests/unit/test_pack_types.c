/* SPDX-License-Identifier: Apache-2.0 */
/* Which types can be packed: the plan of a matrix of every type, and a model that has no plan. */
#include "load/pack.h"
#include "support/models.h"
#include "support/tiny_files.h"

#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

/* Scales of 16 values have no panels, except Q6_K's. */
static bool expected(lf_type type)
{
    return lf_type_get((uint32_t)type)->group != 16 || type == LF_Q6_K;
}

static void test_plans(void **state)
{
    (void)state;
    lf_kernels kernels = {0};
    lf_kernels_init(&kernels, 0, LF_PICK_SCALAR);
    int planned = 0;
    int refused = 0;
    for (uint32_t number = 0; number < 64; number++) {
        if (lf_type_get(number) == NULL) {
            continue;
        }
        lf_tensor tensor = {.name = "blk.0.ffn_up.weight",
                            .type = (lf_type)number,
                            .n_dims = 2,
                            .ne = {512, 48, 1, 1}};
        lf_packed packed = {0};
        int32_t status = lf_pack_plan(&kernels, &tensor, NULL, &packed);
        if (expected(tensor.type)) {
            assert_int_equal(status, LFM2_OK);
            assert_non_null(packed.gemm);
            assert_true(packed.bytes >= (size_t)512 * 48 / 8);
            planned++;
        } else {
            assert_int_equal(status, LFM2_E_UNSUPPORTED);
            assert_string_equal(lfm2_last_error_code(), "pack.group");
            assert_non_null(strstr(lfm2_last_error(), "blk.0.ffn_up.weight"));
            assert_non_null(strstr(lfm2_last_error(), lf_type_name(number)));
            refused++;
        }
    }
    assert_int_equal(planned, 18);
    assert_int_equal(refused, 6); /* Q2_K, Q3_K, IQ1_M, IQ2_XS, IQ2_S, NVFP4 */
}

/* A model with a matrix that has no panels is described, and refused when it is loaded in full. */
static void test_inspect(void **state)
{
    (void)state;
    gguf_builder b;
    tiny_gguf(&b, false, &(const tiny_change){.tensor = "blk.0.ffn_down.weight", .type = LF_NVFP4});
    gb_finish(&b);
    gb_write(lft_temp("nvfp4.gguf"), b.file.data, b.file.size);
    gb_free(&b);
    lfm2_runtime *runtime = lft_runtime(1, LFM2_KERNELS_SCALAR, 0);
    lfm2_model *model = NULL;
    LFT_FAILS(lfm2_model_load(runtime, lft_temp("nvfp4.gguf"), NULL, &model), LFM2_E_UNSUPPORTED);
    assert_string_equal(lfm2_last_error_code(), "pack.group");
    assert_non_null(strstr(lfm2_last_error(), "nvfp4.gguf: tensor 'blk.0.ffn_down.weight'"));
    assert_non_null(strstr(lfm2_last_error(), "convert the model with lfm2 quantize"));
    lfm2_model_options options;
    lfm2_model_options_init(&options, sizeof options);
    options.mode = LFM2_LOAD_INSPECT;
    LFT_OK(lfm2_model_load(runtime, lft_temp("nvfp4.gguf"), &options, &model));
    lfm2_model_info info = {.size = sizeof info};
    LFT_OK(lfm2_model_get_info(model, &info));
    bool found = false;
    for (uint32_t i = 0; i < info.n_tensors; i++) {
        lfm2_tensor_info tensor = {.size = sizeof tensor};
        LFT_OK(lfm2_model_get_tensor(model, i, &tensor));
        if (strcmp(tensor.name, "blk.0.ffn_down.weight") == 0) {
            assert_string_equal(tensor.type, "NVFP4");
            assert_int_equal(tensor.bytes, 64 / 64 * 36 * 32);
            found = true;
        }
    }
    assert_true(found);
    lfm2_model_free(model);
    lfm2_runtime_free(runtime);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_plans),
                                       cmocka_unit_test(test_inspect)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
