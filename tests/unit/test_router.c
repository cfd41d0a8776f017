/* SPDX-License-Identifier: Apache-2.0 */
/* The experts of a token and their weights against a ranking by a simple method: of equal scores
 * the lower index wins, with every kernel. In the model's routers most experts tie. */
#include "support/gguf_builder.h"
#include "support/models.h"

#include "run/session.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { N_TOKENS = 24, GROUP = 3 };

/* Copies the values of the first expert of each group of GROUP to the others. */
static void tie_groups(char *file, const lf_tensor *tensor, size_t experts)
{
    size_t bytes = tensor->bytes / experts;
    char *data = file + tensor->offset;
    assert_int_equal(tensor->type, LF_F32);
    for (size_t e = 0; e < experts; e++) {
        memmove(data + e * bytes, data + e / GROUP * GROUP * bytes, bytes);
    }
}

/* The tiny model with tied routers and biases. Four experts are used: all of the best group and one
 * of the next, unless the last expert, which is alone in its group, is among them. */
static const char *tied_model(void)
{
    const char *path = lft_tiny("f32");
    lfm2_model *model = lft_open(path, 1, LFM2_KERNELS_AUTO, 0);
    const lf_hparams *h = &model->source->hparams;
    assert_int_equal(h->n_expert_used, GROUP + 1);
    assert_int_equal(h->n_expert % GROUP, 1);
    size_t size = 0;
    char *file = lft_read_file(path, &size);
    for (uint32_t l = h->n_dense; l < h->n_layer; l++) {
        char name[64];
        snprintf(name, sizeof name, "blk.%u.ffn_gate_inp.weight", l);
        const lf_tensor *router = lf_source_find(model->source, name);
        snprintf(name, sizeof name, "blk.%u.exp_probs_b.bias", l);
        const lf_tensor *bias = lf_source_find(model->source, name);
        assert_non_null(router);
        assert_non_null(bias);
        tie_groups(file, router, h->n_expert);
        tie_groups(file, bias, h->n_expert);
    }
    lfm2_model_free(model);
    path = lft_temp("tied.gguf");
    gb_write(path, file, size);
    free(file);
    return path;
}

/* Whether expert e is among the n_used best by value, then by index. */
static bool is_chosen(const float *value, uint32_t n, uint32_t n_used, uint32_t e)
{
    uint32_t better = 0;
    for (uint32_t i = 0; i < n; i++) {
        better += value[i] > value[e] || (value[i] == value[e] && i < e);
    }
    return better < n_used;
}

/* Checks the routes of one token in the last layer; returns how many experts tie with the last
 * chosen one and are not chosen. */
static uint32_t check_token(const lfm2_model *model, const lf_ffn_memory *m, uint32_t token)
{
    const lf_hparams *h = &model->source->hparams;
    const float *bias = model->layers[h->n_layer - 1].router_bias;
    const float *score = m->router + (size_t)token * h->n_expert;
    const lf_route *routes = m->routes + (size_t)token * h->n_expert_used;
    float value[LF_MAX_EXPERTS];
    double sum = 0;
    uint32_t n = 0, ties = 0;
    for (uint32_t e = 0; e < h->n_expert; e++) {
        value[e] = score[e] + bias[e];
        assert_true(value[e] == value[e / GROUP * GROUP]);
    }
    for (uint32_t e = 0; e < h->n_expert; e++) {
        if (is_chosen(value, h->n_expert, h->n_expert_used, e)) {
            assert_int_equal(routes[n].token, token);
            assert_int_equal(routes[n].expert, e); /* also: in increasing index */
            sum += (double)score[e];
            n++;
        } else {
            ties += is_chosen(value, h->n_expert, h->n_expert_used, e / GROUP * GROUP);
        }
    }
    assert_int_equal(n, h->n_expert_used);
    for (uint32_t i = 0; i < n; i++) {
        double weight = (double)score[routes[i].expert];
        weight *= (double)h->expert_scale / (h->norm_topk ? sum : 1);
        assert_true(fabs((double)routes[i].weight - weight) < 1e-5 * weight);
    }
    return ties;
}

static void check_model(const char *path, int32_t n_threads, int32_t kernels, uint32_t disable)
{
    lfm2_model *model = lft_open(path, n_threads, kernels, disable);
    lfm2_session *session = lft_reserved(model, N_TOKENS + 1, N_TOKENS, LFM2_KV_F32);
    int32_t *ids = lft_ids(N_TOKENS + 1, lft_vocab(model), 7);
    uint32_t ties = 0;
    LFT_OK(lfm2_session_prefill(session, ids, N_TOKENS));
    for (uint32_t t = 0; t < N_TOKENS; t++) {
        ties += check_token(model, &session->workspace->ffn, t);
    }
    assert_true(ties > N_TOKENS);
    LFT_OK(lfm2_session_prefill(session, ids + N_TOKENS, 1)); /* a pass of one token */
    check_token(model, &session->workspace->ffn, 0);
    free(ids);
    lfm2_session_free(session);
    lfm2_model_free(model);
}

static void test_ties(void **state)
{
    (void)state;
    static const int32_t kernels[] = {LFM2_KERNELS_AUTO, LFM2_KERNELS_OWN, LFM2_KERNELS_XNNPACK};
    static const uint32_t disable[] = {
#if LF_ARCH_X86
        0,
        LFM2_CPU_AVX512VNNI,
        LFM2_CPU_AVX512,
        LFM2_CPU_AVX512 | LFM2_CPU_AVXVNNI,
        LFM2_CPU_AVX2,
        LFM2_CPU_AVX,
        LFM2_CPU_SSE41,
#else
        0,
        LFM2_CPU_I8MM,
        LFM2_CPU_DOTPROD,
        LFM2_CPU_NEON,
#endif
    };
    const char *path = tied_model();
    check_model(path, 1, LFM2_KERNELS_SCALAR, 0);
    for (size_t k = 0; k < sizeof kernels / sizeof kernels[0]; k++) {
        for (size_t d = 0; d < sizeof disable / sizeof disable[0]; d++) {
            check_model(path, 1, kernels[k], disable[d]);
        }
    }
    check_model(path, 3, LFM2_KERNELS_AUTO, 0);
}

static int teardown(void **state)
{
    (void)state;
    lft_end();
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_ties)};
    return cmocka_run_group_tests(tests, NULL, teardown);
}
