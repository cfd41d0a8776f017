/* SPDX-License-Identifier: Apache-2.0 */
/* The logits against two independent implementations: Hugging Face transformers for tiny
 * checkpoints of both architectures, and the double-precision network of support/reference.c. */
/* ctest-labels: golden */
#include "support/models.h"
#include "support/reference.h"

#include "model/model.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* ---- Against transformers ---- */

static double engine_distance(const char *path, int32_t kernels, int32_t kv, const int32_t *ids,
                              size_t n, size_t n_vocab, const float *expected)
{
    lfm2_model *model = lft_open(path, 2, kernels, 0);
    assert_int_equal(lft_vocab(model), n_vocab);
    lfm2_session *session = lft_session(model, (uint32_t)n, 0, kv);
    float *logits = calloc(n * n_vocab, sizeof *logits);
    assert_non_null(logits);
    LFT_OK(lfm2_session_eval(session, ids, n, logits));
    double distance = lft_log_distance(logits, expected, n, n_vocab);
    free(logits);
    lfm2_session_free(session);
    lfm2_model_free(model);
    return distance;
}

/* f32 with different orders of summation: about 1e-5. The limit leaves a factor of ten. */
static void test_transformers(void **state)
{
    (void)state;
    for (int i = 0; lft_cases[i] != NULL; i++) {
        lft_golden g;
        lft_golden_read(lft_cases[i], &g);
        const char *path = lft_golden_folder(lft_cases[i]);
        double distance = engine_distance(path, LFM2_KERNELS_AUTO, LFM2_KV_F32, g.ids, g.n_ids,
                                          g.n_vocab, g.logits);
        double scalar = engine_distance(path, LFM2_KERNELS_SCALAR, LFM2_KV_F32, g.ids, g.n_ids,
                                        g.n_vocab, g.logits);
        print_message("%-14s max |log p - transformers| %.2e (scalar kernels %.2e)\n", lft_cases[i],
                      distance, scalar);
        assert_true(distance < 1e-4);
        assert_true(scalar < 1e-4);
        lft_golden_free(&g);
    }
}

/* The reference itself against transformers: the next tests rely on it. */
static void test_reference(void **state)
{
    (void)state;
    for (int i = 0; lft_cases[i] != NULL; i++) {
        lft_golden g;
        lft_golden_read(lft_cases[i], &g);
        lft_reference_options exact = {false, false};
        size_t n_vocab = 0;
        float *logits =
            lft_reference(lft_golden_folder(lft_cases[i]), &exact, g.ids, g.n_ids, &n_vocab);
        assert_int_equal(n_vocab, g.n_vocab);
        double distance = lft_log_distance(logits, g.logits, g.n_ids, n_vocab);
        print_message("%-14s max |log p reference - transformers| %.2e\n", lft_cases[i], distance);
        assert_true(distance < 1e-4);
        free(logits);
        lft_golden_free(&g);
    }
}

/* ---- Against the double-precision network ---- */

enum { N_TOKENS = 6 };
#define Q8_KV_MOST 0.1

/* Only the order and rounding of float sums differ; with f16 keys and values also the rounding of
 * values that are nearly halfway between two f16 numbers (2^-11 apart). */
static void test_float_weights(void **state)
{
    (void)state;
    const char *const types[] = {"f32", "f16", "bf16"};
    const int32_t kernels[] = {LFM2_KERNELS_SCALAR, LFM2_KERNELS_OWN};
    for (size_t i = 0; i < 6; i++) {
        const char *path = lft_tiny(types[i / 2]);
        lft_reference_options options = {.f16_kv = i % 2 == 1};
        int32_t kv = options.f16_kv ? LFM2_KV_F16 : LFM2_KV_F32;
        int32_t *ids = lft_ids(N_TOKENS, 256, 3);
        size_t n = 0;
        float *expected = lft_reference(path, &options, ids, N_TOKENS, &n);
        for (int k = 0; k < 2; k++) {
            double distance = engine_distance(path, kernels[k], kv, ids, N_TOKENS, n, expected);
            print_message("%-4s kv %s, kernels %d: max |log p - reference| %.2e\n", types[i / 2],
                          options.f16_kv ? "f16" : "f32", kernels[k], distance);
            assert_true(distance < (options.f16_kv ? 1e-2 : 1e-4));
        }
        free(expected);
        free(ids);
    }
}

/* ---- Keys and values as int8 ---- */

/* A float model without experts, so a small difference cannot change a router's choice. Keys are
 * rounded to steps of 1/127 of a head's largest value. */
static double q8_kv_distance(const char *path)
{
    int32_t *ids = lft_ids(N_TOKENS, 64, 3);
    lft_reference_options exact = {false, false};
    size_t n = 0;
    float *expected = lft_reference(path, &exact, ids, N_TOKENS, &n);
    double f32 = engine_distance(path, LFM2_KERNELS_AUTO, LFM2_KV_F32, ids, N_TOKENS, n, expected);
    double q8 = engine_distance(path, LFM2_KERNELS_AUTO, LFM2_KV_Q8, ids, N_TOKENS, n, expected);
    print_message("max |log p - reference|: kv f32 %.2e, q8 %.2e\n", f32, q8);
    assert_true(f32 < 1e-4);
    free(expected);
    free(ids);
    return q8;
}

/* Writes a copy of the file with uneven weights of the key norms, which are found by their bytes.
 * Returns the path of the copy. */
static const char *uneven_keys(const char *path, const char *name)
{
    lfm2_model *model = lft_open(path, 1, LFM2_KERNELS_AUTO, 0);
    const lf_hparams *h = &model->source->hparams;
    size_t size = 0, found = 0, head = h->head_dim * sizeof(float);
    char *file = lft_read_file(path, &size);
    for (uint32_t l = 0; l < h->n_layer; l++) {
        for (size_t at = 0; h->n_head_kv[l] != 0 && at + head <= size; at += 4) {
            if (memcmp(file + at, model->layers[l].k_norm, head) == 0) {
                float *k = (float *)(void *)(file + at);
                k[3] *= 20;
                k[h->head_dim / 2 + 3] *= 12;
                k[5] /= 6;
                found++;
            }
        }
    }
    assert_true(found > 0);
    lfm2_model_free(model);
    const char *copy = lft_temp(name);
    FILE *out = fopen(copy, "wb");
    assert_non_null(out);
    assert_int_equal(fwrite(file, 1, size, out), size);
    assert_int_equal(fclose(out), 0);
    free(file);
    return copy;
}

/* Channels of keys are balanced at load: without it the error of the uneven model is ten times as
 * large. */
static void test_q8_kv(void **state)
{
    (void)state;
    const char *even = lft_golden_gguf("dense-plain", "f32");
    assert_true(q8_kv_distance(even) < Q8_KV_MOST);
    const char *uneven = uneven_keys(even, "uneven.gguf");
    assert_true(q8_kv_distance(uneven) < Q8_KV_MOST);
    lfm2_model *model = lft_open(uneven, 1, LFM2_KERNELS_AUTO, 0);
    const lf_hparams *h = &model->source->hparams;
    for (uint32_t l = 0; l < h->n_layer; l++) {
        const float *k = model->layers[l].k_norm;
        float top = 0;
        for (size_t i = 0; h->n_head_kv[l] != 0 && i < h->head_dim; i++) {
            top = fmaxf(top, fabsf(k[i]));
        }
        for (size_t i = 0; h->n_head_kv[l] != 0 && i < h->head_dim; i++) {
            size_t other = (i + h->head_dim / 2) % h->head_dim;
            assert_true(2 * fmaxf(fabsf(k[i]), fabsf(k[other])) > top);
        }
    }
    lfm2_model_free(model);
}

/* With block-quantized weights both sides quantize activations to int8 by the same rule, but from
 * inputs that differ in the last bits of a float. A value nearly halfway between two quants may be
 * rounded differently, by 1/127 of its block's largest value, and everything after it differs too.
 * So texts in which that happens nowhere agree as floats do, and others to about a nat for the
 * least likely token. The texts are short, so that at least limits.equal of limits.texts agree.
 * Q8_0 has steps that are 254 times finer: quants differ in every text, with little effect. */
typedef struct quantized_limits {
    int texts, equal;
    double most;
} quantized_limits;

enum { LENGTH = 3, KERNELS = 2 };

static void compare_quantized(const char *path, const char *what, quantized_limits limits)
{
    static const int32_t kernels[KERNELS] = {LFM2_KERNELS_SCALAR, LFM2_KERNELS_OWN};
    lfm2_model *models[KERNELS];
    lfm2_session *sessions[KERNELS];
    for (int k = 0; k < KERNELS; k++) {
        models[k] = lft_open(path, 1, kernels[k], 0);
        sessions[k] = lft_session(models[k], 64, 0, LFM2_KV_F32);
    }
    uint32_t n_vocab = lft_vocab(models[0]);
    lft_reference_options options = {.int8_activations = true};
    int32_t *ids = lft_ids((size_t)limits.texts * LENGTH, n_vocab, 5);
    float *logits = calloc((size_t)LENGTH * n_vocab, sizeof *logits);
    assert_non_null(logits);
    int equal = 0;
    double least = HUGE_VAL, most = 0;
    for (int i = 0; i < limits.texts * KERNELS; i++) {
        const int32_t *text = ids + (size_t)(i / KERNELS) * LENGTH;
        static float *expected;
        if (i % KERNELS == 0) {
            size_t n = 0;
            expected = lft_reference(path, &options, text, LENGTH, &n);
            assert_int_equal(n, n_vocab);
        }
        LFT_OK(lfm2_session_reset(sessions[i % KERNELS]));
        LFT_OK(lfm2_session_eval(sessions[i % KERNELS], text, LENGTH, logits));
        double distance = lft_log_distance(logits, expected, LENGTH, n_vocab);
        equal += distance < 1e-4 ? 1 : 0;
        least = fmin(least, distance);
        most = fmax(most, distance);
        if (i % KERNELS == KERNELS - 1) {
            free(expected);
        }
    }
    print_message("%-4s %d of %d texts agree as floats do; max |log p - reference| %.1e to %.1e\n",
                  what, equal, limits.texts * KERNELS, least, most);
    assert_true(equal >= limits.equal * KERNELS);
    assert_true(most < limits.most);
    free(logits);
    free(ids);
    for (int k = 0; k < KERNELS; k++) {
        lfm2_session_free(sessions[k]);
        lfm2_model_free(models[k]);
    }
}

static void test_quantized_weights(void **state)
{
    (void)state;
    compare_quantized(lft_tiny("q8_0"), "q8_0", (quantized_limits){5, 0, 1e-2});
    compare_quantized(lft_tiny("q4_0"), "q4_0", (quantized_limits){10, 7, 1});
}

static void test_demo_model(void **state)
{
    (void)state;
    if (access(LFM2_DEMO_MODEL, R_OK) != 0) {
        print_message("no demo model at %s\n", LFM2_DEMO_MODEL);
        skip();
    }
    compare_quantized(LFM2_DEMO_MODEL, "demo", (quantized_limits){4, 1, 5});
}

static int end(void **state)
{
    (void)state;
    lft_end();
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_transformers),      cmocka_unit_test(test_reference),
        cmocka_unit_test(test_float_weights),     cmocka_unit_test(test_q8_kv),
        cmocka_unit_test(test_quantized_weights), cmocka_unit_test(test_demo_model),
    };
    return cmocka_run_group_tests(tests, NULL, end);
}
