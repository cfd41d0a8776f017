/* SPDX-License-Identifier: Apache-2.0 */
/* What generation reports: log-probabilities, computed from the session's logits, and the same text
 * for the same seed. */
#include "support/models.h"
#include "support/reference.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { N_CTX = 128, N_PROMPT = 4 };

static lfm2_model *model;
static uint32_t n_vocab;

static const int32_t PROMPT[] = {1, 300, 301, 302};

/* ---- Log-probabilities ---- */

typedef struct prober {
    lfm2_session *shadow; /* decodes the same tokens */
    uint32_t n_top;
    int calls;
} prober;

static int32_t probe(void *user, const lfm2_generated_token *token)
{
    prober *p = user;
    if (token->id < 0) {
        return 0;
    }
    const float *logits = NULL;
    LFT_OK(lfm2_session_logits(p->shadow, &logits, NULL));
    double *expected = calloc(n_vocab, sizeof *expected);
    assert_non_null(expected);
    lft_log_softmax(logits, n_vocab, expected);
    assert_true(fabs((double)token->logprob - expected[token->id]) < 1e-4);
    assert_int_equal(token->n_top, p->n_top);
    double mass = 0;
    for (size_t i = 0; i < token->n_top; i++) {
        int32_t id = token->top_ids[i];
        assert_in_range(id, 0, n_vocab - 1);
        assert_true(fabs((double)token->top_logprobs[i] - expected[id]) < 1e-4);
        if (i > 0) { /* best first, lower id on ties, no id twice */
            float a = logits[token->top_ids[i - 1]];
            assert_true(a > logits[id] || (!(a < logits[id]) && token->top_ids[i - 1] < id));
        }
        mass += exp(expected[id]);
    }
    size_t better = 0; /* than the last reported one */
    for (uint32_t i = 0; token->n_top > 0 && i < n_vocab; i++) {
        better += logits[i] > logits[token->top_ids[token->n_top - 1]] ? 1 : 0;
    }
    assert_true(token->n_top == 0 || better < token->n_top);
    assert_true(mass < 1.0 + 1e-9);
    free(expected);
    p->calls++;
    LFT_OK(lfm2_session_decode(p->shadow, token->id));
    return 0;
}

static void test_logprobs(void **state)
{
    (void)state;
    const uint32_t tops[] = {0, 1, 5, 64};
    for (int i = 0; i < 4; i++) {
        lfm2_sampler_options so;
        /* with penalties: the report is of the raw logits */
        lfm2_sampler_options_init(&so, sizeof so, model);
        so.temperature = 1.5f;
        so.min_p = 0;
        so.seed = (uint64_t)i;
        lfm2_sampler *sampler = NULL;
        LFT_OK(lfm2_sampler_create(model, &so, &sampler));
        lfm2_session *session = lft_session(model, N_CTX, 0, LFM2_KV_F16);
        prober p = {lft_session(model, N_CTX, 0, LFM2_KV_F16), tops[i], 0};
        LFT_OK(lfm2_session_prefill(p.shadow, PROMPT, N_PROMPT));
        lfm2_generate_options o;
        lfm2_generate_options_init(&o, sizeof o);
        o.max_tokens = 12;
        o.flags = LFM2_GENERATE_IGNORE_EOS;
        o.n_top = tops[i];
        o.callback = probe;
        o.callback_user = &p;
        LFT_OK(lfm2_generate(session, sampler, PROMPT, N_PROMPT, &o, NULL));
        assert_int_equal(p.calls, 12);
        lfm2_session_free(p.shadow);
        lfm2_session_free(session);
        lfm2_sampler_free(sampler);
    }
}

/* ---- Determinism ---- */

typedef struct transcript {
    int32_t ids[32];
    int n;
} transcript;

static int32_t write_down(void *user, const lfm2_generated_token *token)
{
    transcript *t = user;
    if (token->id >= 0) {
        t->ids[t->n++] = token->id;
    }
    return 0;
}

static void test_deterministic(void **state)
{
    (void)state;
    transcript all[3] = {0};
    for (int i = 0; i < 3; i++) {
        lfm2_sampler_options so;
        lfm2_sampler_options_init(&so, sizeof so, NULL);
        so.temperature = 2;
        so.min_p = 0;
        so.seed = i < 2 ? 4 : 5;
        lfm2_sampler *sampler = NULL;
        LFT_OK(lfm2_sampler_create(model, &so, &sampler));
        lfm2_session *session = lft_session(model, N_CTX, i == 0 ? 1 : 0, LFM2_KV_F16);
        lfm2_generate_options o;
        lfm2_generate_options_init(&o, sizeof o);
        o.max_tokens = 30;
        o.flags = LFM2_GENERATE_IGNORE_EOS;
        o.callback = write_down;
        o.callback_user = &all[i];
        LFT_OK(lfm2_generate(session, sampler, PROMPT, N_PROMPT, &o, NULL));
        lfm2_session_free(session);
        lfm2_sampler_free(sampler);
    }
    assert_int_equal(all[0].n, 30);
    assert_memory_equal(&all[0], &all[1], sizeof all[0]);
    assert_memory_not_equal(&all[0], &all[2], sizeof all[0]);
}

static int begin(void **state)
{
    (void)state;
    model = lft_open(lft_tiny("q4_0"), 1, LFM2_KERNELS_AUTO, 0);
    lfm2_model_info info = {.size = sizeof info};
    LFT_OK(lfm2_model_get_info(model, &info));
    n_vocab = info.n_vocab;
    return 0;
}

static int end(void **state)
{
    (void)state;
    lfm2_model_free(model);
    lft_end();
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_logprobs),
        cmocka_unit_test(test_deterministic),
    };
    return cmocka_run_group_tests(tests, begin, end);
}
