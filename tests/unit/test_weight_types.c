/* SPDX-License-Identifier: Apache-2.0 */
/* Models whose matrices have each of the quantized types, and mixtures of types: results against
 * the reference network, and independence of batches, threads and kernels, bit for bit. */
#include "quant/quant.h"
#include "support/models.h"
#include "support/reference.h"
#include "support/retype.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { LENGTH = 3, TEXTS = 4, LONG = 40 };

static const lf_type types[] = {LF_Q4_0,    LF_Q4_1,   LF_Q5_0,  LF_Q5_1,    LF_Q8_0,  LF_Q2_K,
                                LF_Q3_K,    LF_Q4_K,   LF_Q5_K,  LF_Q6_K,    LF_IQ1_S, LF_IQ1_M,
                                LF_IQ2_XXS, LF_IQ2_XS, LF_IQ2_S, LF_IQ3_XXS, LF_IQ3_S, LF_IQ4_NL,
                                LF_IQ4_XS,  LF_MXFP4,  LF_NVFP4};
enum { N_TYPES = sizeof types / sizeof types[0] };

/* ---- Models ---- */

/* Every matrix has another type than the one before it, so that gate and up differ too. Not Q8_0,
 * whose activations the reference rounds in another way. */
static lf_type mixed(const char *tensor, size_t index, const void *ctx)
{
    if (strstr(tensor, "ffn_gate_inp") != NULL) {
        return LF_F32;
    }
    lf_type type = types[(index * 5 + *(const size_t *)ctx) % N_TYPES];
    return type == LF_Q8_0 ? LF_Q4_0 : type;
}

/* Gate is F16, up has a type without panels of its own. */
static lf_type half_gate(const char *tensor, size_t index, const void *ctx)
{
    (void)index;
    (void)ctx;
    return strstr(tensor, "gate") != NULL ? LF_F16
           : strstr(tensor, "up") != NULL ? LF_Q2_K
                                          : LF_F32;
}

/* ---- Comparisons ---- */

/* Both sides round activations to int8 by the same rule, from inputs that differ in the last bits
 * of a float: a value nearly halfway between two quants may be rounded differently. Texts in which
 * that does not happen agree as floats do; of all texts at least `least` must. */
static void compare(const char *path, const char *what, int least)
{
    lfm2_model *model = lft_open(path, 1, LFM2_KERNELS_OWN, 0);
    lfm2_session *session = lft_session(model, 64, 0, LFM2_KV_F32);
    uint32_t n_vocab = lft_vocab(model);
    int32_t *ids = lft_ids(TEXTS * LENGTH, n_vocab, 5);
    float *logits = calloc((size_t)LENGTH * n_vocab, sizeof *logits);
    assert_non_null(logits);
    int equal = 0;
    double nearest = HUGE_VAL, furthest = 0;
    for (size_t i = 0; i < TEXTS; i++) {
        lft_reference_options options = {.int8_activations = true};
        size_t n = 0;
        float *expected = lft_reference(path, &options, ids + i * LENGTH, LENGTH, &n);
        LFT_OK(lfm2_session_reset(session));
        LFT_OK(lfm2_session_eval(session, ids + i * LENGTH, LENGTH, logits));
        double distance = lft_log_distance(logits, expected, LENGTH, n_vocab);
        equal += distance < 1e-4 ? 1 : 0;
        nearest = fmin(nearest, distance);
        furthest = fmax(furthest, distance);
        free(expected);
    }
    print_message("%-10s %d of %d texts agree; max |log p - reference| %.1e to %.1e\n", what, equal,
                  TEXTS, nearest, furthest);
    if (equal < least || !(furthest < 5)) {
        fail_msg("%s: %d texts agree", what, equal);
    }
    free(logits);
    free(ids);
    lfm2_session_free(session);
    lfm2_model_free(model);
}

/* One pass of all tokens on 2 threads with all instructions, against single tokens on scalar
 * kernels. */
static void check_invariance(const char *path, const char *what)
{
    lfm2_model *models[2] = {lft_open(path, 2, LFM2_KERNELS_OWN, 0),
                             lft_open(path, 1, LFM2_KERNELS_SCALAR, 0)};
    uint32_t n_vocab = lft_vocab(models[0]);
    size_t n = (size_t)LONG * n_vocab;
    int32_t *ids = lft_ids(LONG, n_vocab, 9);
    float *logits[2];
    for (int i = 0; i < 2; i++) {
        logits[i] = calloc(n, sizeof(float));
        assert_non_null(logits[i]);
        lfm2_session *session = lft_session(models[i], 64, 0, LFM2_KV_F16);
        for (size_t at = 0; at < LONG; at += i == 0 ? LONG : 1) {
            LFT_OK(
                lfm2_session_eval(session, ids + at, i == 0 ? LONG : 1, logits[i] + at * n_vocab));
        }
        lfm2_session_free(session);
        lfm2_model_free(models[i]);
    }
    if (memcmp(logits[0], logits[1], n * sizeof(float)) != 0) {
        fail_msg("%s: a batch differs from single tokens", what);
    }
    free(logits[0]);
    free(logits[1]);
    free(ids);
}

static void test_types(void **state)
{
    (void)state;
    for (size_t i = 0; i < N_TYPES; i++) {
        const char *name = lf_type_get((uint32_t)types[i])->name;
        const char *path = lft_retyped_all(types[i]);
        compare(path, name, types[i] == LF_Q8_0 ? 0 : 1);
        check_invariance(path, name);
    }
}

static void test_mixtures(void **state)
{
    (void)state;
    for (size_t first = 0; first < 4; first++) {
        char file[32];
        snprintf(file, sizeof file, "mixed-%zu.gguf", first);
        const char *path = lft_retyped(file, mixed, &first);
        compare(path, file, 2);
        check_invariance(path, file);
    }
    const char *path = lft_retyped("half-gate.gguf", half_gate, NULL);
    compare(path, "half gate", TEXTS);
    check_invariance(path, "half gate");
}

static int end(void **state)
{
    (void)state;
    lft_end();
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_types),
                                       cmocka_unit_test(test_mixtures)};
    return cmocka_run_group_tests(tests, NULL, end);
}
