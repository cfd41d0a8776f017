/* SPDX-License-Identifier: Apache-2.0 */
/* lf_model_walk visits every byte of the packed weights from its start, in order, past the end, in
 * chunks that are not larger than requested and are within one matrix. */
#include "support/models.h"

#include "model/model.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

typedef struct walk {
    const lfm2_model *model;
    uint64_t at; /* where the next chunk must start, in all matrices one after the other */
    uint64_t bytes;
    size_t most;
} walk;

static void visit(void *ctx, const uint8_t *at, size_t bytes)
{
    walk *w = ctx;
    uint64_t offset = w->at % w->model->packed_bytes;
    size_t m = 0;
    while (offset >= w->model->matrices[m]->bytes) {
        offset -= w->model->matrices[m++]->bytes;
    }
    assert_ptr_equal(at, w->model->matrices[m]->panels + offset);
    assert_in_range(bytes, 1, w->most);
    assert_true(bytes <= w->model->matrices[m]->bytes - offset);
    w->at += bytes;
    w->bytes += bytes;
}

static void visits_everything(void **state)
{
    (void)state;
    lfm2_runtime *runtime = lft_runtime(1, LFM2_KERNELS_AUTO, 0);
    lfm2_model *model = lft_load(runtime, lft_tiny("q4_0"));
    const uint64_t all = model->packed_bytes;
    const uint64_t first = model->matrices[0]->bytes;
    const uint64_t begins[] = {0, 64, first - 64, first, first + 64, all / 128 * 64, all - 64};
    const uint64_t sizes[] = {0, 1, 64, first, all - 64, all, all + 64, 3 * all + 1};
    const size_t mosts[] = {64, 1000, (size_t)first, SIZE_MAX};
    assert_true(model->n_matrices > 3);
    for (size_t b = 0; b < sizeof begins / sizeof begins[0]; b++) {
        for (size_t s = 0; s < sizeof sizes / sizeof sizes[0]; s++) {
            for (size_t m = 0; m < sizeof mosts / sizeof mosts[0]; m++) {
                walk w = {.model = model, .at = begins[b], .most = mosts[m]};
                lf_model_walk(model, begins[b], sizes[s], mosts[m], visit, &w);
                assert_int_equal(w.bytes, sizes[s]);
            }
        }
    }
    lfm2_model_free(model);
    lfm2_runtime_free(runtime);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(visits_everything)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
