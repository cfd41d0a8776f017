/* SPDX-License-Identifier: Apache-2.0 */
/* Passes over guesses and the removal of wrong ones: logits, tokens and memory are those of a
 * session that was given the remaining tokens. */
#include "support/sessions.h"

#include "run/verify.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

#include <stdlib.h>
#include <string.h>

enum { N_CTX = 136, ROWS = 20 };

static lfm2_model *model, *reference;
static uint32_t n_vocab;
static uint64_t seed;

/* A session and what it should hold; the last token may be pending. */
typedef struct slot {
    lfm2_session *session;
    int32_t kv;
    int32_t ids[N_CTX];
    uint32_t n;
} slot;

static uint32_t below(uint32_t n)
{
    return (uint32_t)(lft_random(&seed) % n);
}

/* Compares `rows` rows of logits, those after the last tokens, with a fresh computation. */
static void compare(const slot *s, const float *logits, uint32_t rows)
{
    float *expected = lft_fresh(reference, s->kv, s->ids, s->n);
    assert_memory_equal(logits, expected + (size_t)(s->n - rows) * n_vocab,
                        (size_t)rows * n_vocab * sizeof *logits);
    free(expected);
}

/* The session has the tokens of the slot and their logits; nothing is pending. */
static void expect_exact(const slot *s)
{
    const float *logits = NULL;
    assert_int_equal(s->session->later, -1);
    lft_expect_tokens(s->session, s->ids, s->n);
    LFT_OK(lfm2_session_logits(s->session, &logits, NULL));
    compare(s, logits, 1);
    assert_int_equal(s->session->state.n_pages, lf_pages_for(s->n));
}

static void append(slot *s, uint32_t n)
{
    int32_t *ids = lft_ids(n, n_vocab, lft_random(&seed));
    LFT_OK(lfm2_session_prefill(s->session, ids, n));
    memcpy(s->ids + s->n, ids, n * sizeof *ids);
    s->n += n;
    free(ids);
}

/* One pass: `n` tokens, of which `kept` stay. */
static void verify(slot *s, lf_verify *v, uint32_t n, uint32_t kept)
{
    int32_t *ids = lft_ids(n, n_vocab, lft_random(&seed));
    assert_true(lf_session_add_later(s->session, ids[0]));
    LFT_OK(lf_verify_run(v, s->session, ids, n, true));
    memcpy(s->ids + s->n, ids, n * sizeof *ids);
    s->n += n;
    compare(s, v->logits, n);
    lf_verify_keep(v, s->session, kept);
    s->n -= n - kept;
    expect_exact(s);
    free(ids);
}

/* A pass that is cancelled or lacks budget changes nothing; the token stays pending. */
static void refuse(slot *s, lf_verify *v)
{
    int32_t *ids = lft_ids(ROWS, n_vocab, lft_random(&seed));
    assert_true(lf_session_add_later(s->session, ids[0]));
    bool cancel = below(2) == 0 || lf_pages_for(s->n + ROWS) == lf_pages_for(s->n);
    if (cancel) {
        lfm2_session_cancel(s->session);
    } else {
        LFT_OK(lfm2_model_set_kv_budget(model, 1));
    }
    LFT_FAILS(lf_verify_run(v, s->session, ids, ROWS, true),
              cancel ? LFM2_E_CANCELLED : LFM2_E_LIMIT);
    LFT_OK(lfm2_model_set_kv_budget(model, UINT64_MAX));
    lf_session_take_cancel(s->session);
    assert_int_equal(s->session->later, ids[0]);
    s->session->later = -1;
    expect_exact(s);
    free(ids);
}

/* A fork is not changed by passes over guesses of the other session. */
static void with_fork(slot *s, lf_verify *v)
{
    slot fork = *s;
    LFT_OK(lfm2_session_fork(s->session, &fork.session));
    uint32_t n = 1 + below(ROWS);
    verify(s, v, n, 1 + below(n));
    expect_exact(&fork);
    append(&fork, 3);
    expect_exact(&fork);
    lfm2_session_free(fork.session);
}

static void run(int32_t kv, int passes)
{
    lf_verify v = {0};
    LFT_OK(lf_verify_create(model, ROWS, true, &v));
    slot s = {.session = lft_session(model, N_CTX, 0, kv), .kv = kv};
    /* Short histories: fewer tokens than taps before and after the cut. */
    verify(&s, &v, 5, 1);
    verify(&s, &v, 2, 1);
    verify(&s, &v, 4, 2);
    for (int i = 0; i < passes; i++) {
        uint32_t what = below(8);
        if (s.n + ROWS > N_CTX) {
            s.n = 1 + below(s.n - 1);
            LFT_OK(lfm2_session_rewind(s.session, s.n));
            append(&s, 1);
        } else if (what == 0) {
            append(&s, 1 + below(20));
        } else if (what == 1) {
            refuse(&s, &v);
        } else if (what == 2) {
            with_fork(&s, &v);
        } else {
            uint32_t n = 1 + below(ROWS);
            verify(&s, &v, n, 1 + below(n));
        }
    }
    lfm2_session_free(s.session);
    lf_verify_free(model, &v);
}

static void check(const char *path, int32_t kernels, int32_t threads, int passes)
{
    model = lft_open(path, threads, kernels, 0);
    reference = lft_open(path, 1, kernels, 0);
    n_vocab = lft_vocab(model);
    for (int32_t kv = 0; kv < LF_KV_COUNT; kv++) {
        run(kv, passes);
    }
    lfm2_kv_usage usage = {.size = sizeof usage};
    LFT_OK(lfm2_model_kv_usage(model, &usage));
    assert_int_equal(usage.used, 0);
    lfm2_model_free(model);
    lfm2_model_free(reference);
}

static void test_verify(void **state)
{
    (void)state;
    seed = 1;
    check(lft_golden_folder("moe-plain"), LFM2_KERNELS_AUTO, 2, 24);
    check(lft_golden_folder("dense-untied"), LFM2_KERNELS_AUTO, 1, 24); /* 4 taps */
    check(lft_golden_folder("moe-mixed"), LFM2_KERNELS_SCALAR, 3, 8);
    check(lft_tiny("q4_0"), LFM2_KERNELS_OWN, 2, 16);
    check(lft_tiny("q8_0"), LFM2_KERNELS_XNNPACK, 1, 16);
}

static int end(void **state)
{
    (void)state;
    lft_end();
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_verify)};
    return cmocka_run_group_tests(tests, NULL, end);
}
