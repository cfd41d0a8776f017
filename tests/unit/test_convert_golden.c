/* SPDX-License-Identifier: Apache-2.0 */
/* A checkpoint that was converted to a GGUF file with float weights gives the same results as the
 * folder, bit for bit: the conversion keeps every hyperparameter, including rare ones.
 * ctest-labels: golden */
#include "support/models.h"

#include "model/model.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

#include <stdlib.h>
#include <string.h>

static float *logits_of(const char *path, const lft_golden *g, lf_hparams *hparams)
{
    lfm2_model *model = lft_open(path, 1, LFM2_KERNELS_AUTO, 0);
    *hparams = model->source->hparams;
    assert_int_equal(hparams->n_vocab, g->n_vocab);
    lfm2_session *session = lft_session(model, (uint32_t)g->n_ids, 0, LFM2_KV_F32);
    float *logits = malloc(g->n_ids * g->n_vocab * sizeof *logits);
    assert_non_null(logits);
    LFT_OK(lfm2_session_eval(session, g->ids, g->n_ids, logits));
    lfm2_session_free(session);
    lfm2_model_free(model);
    return logits;
}

static void same_hparams(const lf_hparams *a, const lf_hparams *b)
{
    assert_int_equal(a->arch, b->arch);
    assert_int_equal(a->n_embd, b->n_embd);
    assert_int_equal(a->n_layer, b->n_layer);
    assert_int_equal(a->n_head, b->n_head);
    assert_int_equal(a->head_dim, b->head_dim);
    assert_memory_equal(a->n_head_kv, b->n_head_kv, sizeof a->n_head_kv);
    assert_int_equal(a->n_ff, b->n_ff);
    assert_int_equal(a->n_dense, b->n_dense);
    assert_int_equal(a->n_expert, b->n_expert);
    assert_int_equal(a->n_expert_used, b->n_expert_used);
    assert_int_equal(a->n_ff_expert, b->n_ff_expert);
    assert_int_equal(a->conv_kernel, b->conv_kernel);
    assert_int_equal(a->n_ctx_train, b->n_ctx_train);
    assert_true(a->norm_eps == b->norm_eps);
    assert_true(a->rope_theta == b->rope_theta);
    assert_true(a->expert_scale == b->expert_scale);
    assert_int_equal(a->norm_topk, b->norm_topk);
    assert_int_equal(a->expert_bias, b->expert_bias);
    assert_int_equal(a->tied, b->tied);
}

/* The rare keys that occur in any of the checkpoints; the test requires all of them. */
typedef struct rare {
    bool head_dim, scale, no_norm, untied;
} rare;

static void test_same_bits(void **state)
{
    (void)state;
    rare seen = {false, false, false, false};
    for (int i = 0; lft_cases[i] != NULL; i++) {
        lft_golden g;
        lft_golden_read(lft_cases[i], &g);
        lf_hparams from, to;
        float *folder = logits_of(lft_golden_folder(lft_cases[i]), &g, &from);
        float *file = logits_of(lft_golden_gguf(lft_cases[i], "f32"), &g, &to);
        same_hparams(&from, &to);
        assert_memory_equal(folder, file, g.n_ids * g.n_vocab * sizeof *file);
        seen.head_dim = seen.head_dim || from.head_dim * from.n_head != from.n_embd;
        seen.scale = seen.scale || from.expert_scale != 1.0f;
        seen.no_norm = seen.no_norm || !from.norm_topk;
        seen.untied = seen.untied || !from.tied;
        free(file);
        free(folder);
        lft_golden_free(&g);
    }
    print_message("head_dim %d, scale %d, no norm %d, untied %d\n", seen.head_dim, seen.scale,
                  seen.no_norm, seen.untied);
    assert_true(seen.head_dim && seen.scale && seen.no_norm && seen.untied);
}

static int teardown(void **state)
{
    (void)state;
    lft_end();
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_same_bits)};
    return cmocka_run_group_tests(tests, NULL, teardown);
}
