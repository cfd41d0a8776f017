/* SPDX-License-Identifier: Apache-2.0 */
/* Fork, rewind, remove and batches: every logit has the bits of a session that was just given the
 * same tokens. */
#include "support/sessions.h"

#include "run/session.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

#include <stdlib.h>
#include <string.h>

static const int32_t kv_types[] = {LFM2_KV_F16, LFM2_KV_F32, LFM2_KV_Q8};

/* ---- Rewind ---- */

/* Rewinds to `length` and appends the same tokens in two parts; every logit is compared. */
static void check_rewind(lfm2_session *session, const int32_t *ids, uint32_t n, uint32_t length,
                         const float *expected, size_t vocab)
{
    LFT_OK(lfm2_session_rewind(session, length));
    lft_expect_tokens(session, ids, length);
    if (length < n) {
        const float *logits = NULL;
        LFT_FAILS(lfm2_session_logits(session, &logits, NULL), LFM2_E_STATE);
    }
    float *out = malloc((n + 1) * vocab * sizeof *out);
    assert_non_null(out);
    uint32_t at = length;
    while (at < n) {
        uint32_t step = at == length ? (n - at + 2) / 3 : n - at;
        LFT_OK(lfm2_session_eval(session, ids + at, step, out));
        assert_memory_equal(out, expected + at * vocab, step * vocab * sizeof *out);
        at += step;
    }
    lft_expect_logits(session, expected + (n - 1) * vocab);
    free(out);
}

static void check_rewinds(const char *path, int32_t kernels, int32_t threads, int32_t kv,
                          uint32_t n, uint32_t step)
{
    lfm2_model *reference = lft_open(path, 1, kernels, 0);
    lfm2_model *model = lft_open(path, threads, kernels, 0);
    uint32_t vocab = lft_vocab(model);
    int32_t *ids = lft_ids(n, vocab, 3);
    float *expected = lft_fresh(reference, kv, ids, n);
    lfm2_session *session = lft_session(model, n, 37, kv);
    LFT_OK(lfm2_session_prefill(session, ids, n));
    for (uint32_t length = 0; length <= n; length += 1 + (length % 64 > 2 ? step : 0)) {
        check_rewind(session, ids, n, length, expected, vocab);
    }
    lfm2_session_free(session);
    assert_int_equal(lft_kv_usage(model).used, 0);
    free(expected);
    free(ids);
    lfm2_model_free(model);
    lfm2_model_free(reference);
}

static void test_rewind(void **state)
{
    (void)state;
    for (int i = 0; lft_cases[i] != NULL; i++) {
        const char *path = lft_golden_folder(lft_cases[i]);
        check_rewinds(path, LFM2_KERNELS_AUTO, i % 3 == 1 ? 3 : 1, kv_types[i % 3], 130, 9);
    }
    check_rewinds(lft_golden_folder("moe-plain"), LFM2_KERNELS_AUTO, 1, LFM2_KV_Q8, 70, 0);
    static const int32_t picks[] = {LFM2_KERNELS_SCALAR, LFM2_KERNELS_OWN, LFM2_KERNELS_XNNPACK};
    for (int i = 0; i < 3; i++) {
        check_rewinds(lft_tiny("q4_0"), picks[i], 2, kv_types[i], 200, 23);
    }
}

/* The last token of lfm2_generate, which is not computed yet, is removed without effect on logits.
 */
static void test_rewind_pending(void **state)
{
    (void)state;
    lfm2_model *model = lft_open(lft_golden_folder("moe-plain"), 1, LFM2_KERNELS_AUTO, 0);
    int32_t *ids = lft_ids(20, lft_vocab(model), 3);
    float *expected = lft_fresh(model, LFM2_KV_F16, ids, 20);
    lfm2_session *session = lft_session(model, 20, 0, LFM2_KV_F16);
    LFT_OK(lfm2_session_prefill(session, ids, 19));
    assert_true(lf_session_add_later(session, 1));
    LFT_OK(lfm2_session_rewind(session, 20));
    assert_int_equal(lfm2_session_length(session), 20);
    LFT_OK(lfm2_session_rewind(session, 19));
    lft_expect_tokens(session, ids, 19);
    lft_expect_logits(session, expected + (size_t)18 * lft_vocab(model));
    assert_true(lf_session_add_later(session, 1));
    LFT_OK(lfm2_session_rewind(session, 18));
    lft_expect_tokens(session, ids, 18);
    const float *logits = NULL;
    LFT_FAILS(lfm2_session_logits(session, &logits, NULL), LFM2_E_STATE);
    LFT_OK(lfm2_session_prefill(session, ids + 18, 2));
    lft_expect_logits(session, expected + (size_t)19 * lft_vocab(model));
    lfm2_session_free(session);
    free(expected);
    free(ids);
    lfm2_model_free(model);
}

static void test_rewind_refused(void **state)
{
    (void)state;
    lfm2_model *model = lft_open(lft_golden_folder("moe-plain"), 1, LFM2_KERNELS_AUTO, 0);
    int32_t *ids = lft_ids(80, lft_vocab(model), 3);
    float *expected = lft_fresh(model, LFM2_KV_F16, ids, 80);
    const float *last = expected + (size_t)79 * lft_vocab(model);
    lfm2_session *session = lft_session(model, 100, 0, LFM2_KV_F16);
    LFT_OK(lfm2_session_prefill(session, ids, 80));
    LFT_FAILS(lfm2_session_rewind(NULL, 0), LFM2_E_ARGUMENT);
    LFT_FAILS(lfm2_session_rewind(session, 81), LFM2_E_ARGUMENT);
    assert_true(strstr(lfm2_last_error(), "0 to 80") != NULL);
    lfm2_session_cancel(session);
    LFT_FAILS(lfm2_session_rewind(session, 40), LFM2_E_CANCELLED);
    lft_expect_tokens(session, ids, 80);
    lft_expect_logits(session, last);
    lfm2_remove_result result = {.size = sizeof result};
    LFT_FAILS(lfm2_session_remove(session, 10, 0, &result), LFM2_E_ARGUMENT);
    LFT_FAILS(lfm2_session_remove(session, 10, 71, &result), LFM2_E_ARGUMENT);
    LFT_FAILS(lfm2_session_remove(session, UINT32_MAX, 2, &result), LFM2_E_ARGUMENT);
    LFT_FAILS(lfm2_session_remove(session, 0, 1, &(lfm2_remove_result){0}), LFM2_E_ARGUMENT);
    lfm2_session_cancel(session);
    LFT_FAILS(lfm2_session_remove(session, 10, 5, &result), LFM2_E_CANCELLED);
    lft_expect_tokens(session, ids, 80);
    lft_expect_logits(session, last);
    int32_t id = 0;
    LFT_FAILS(lfm2_session_tokens(session, 80, 1, &id), LFM2_E_ARGUMENT);
    LFT_FAILS(lfm2_session_tokens(session, UINT32_MAX, 2, &id), LFM2_E_ARGUMENT);
    LFT_FAILS(lfm2_session_tokens(session, 0, 1, NULL), LFM2_E_ARGUMENT);
    LFT_OK(lfm2_session_tokens(session, 79, 1, &id));
    assert_int_equal(id, ids[79]);
    lfm2_session *fork = NULL;
    LFT_FAILS(lfm2_session_fork(NULL, &fork), LFM2_E_ARGUMENT);
    LFT_FAILS(lfm2_session_fork(session, NULL), LFM2_E_ARGUMENT);
    lfm2_session_free(session);
    free(expected);
    free(ids);
    lfm2_model_free(model);
}

/* ---- Pages ---- */

/* A call that is cancelled gives back the page that it took, and only that call is cancelled. */
static void test_cancelled_pages(void **state)
{
    (void)state;
    lfm2_model *model = lft_open(lft_golden_folder("moe-plain"), 1, LFM2_KERNELS_AUTO, 0);
    int32_t *ids = lft_ids(64, lft_vocab(model), 3);
    const float *logits = NULL;
    lfm2_session *session = lft_session(model, 100, 0, LFM2_KV_F16);
    LFT_OK(lfm2_session_prefill(session, ids, 64));
    const uint64_t used = lft_kv_usage(model).used;
    lfm2_batch *batch = NULL;
    LFT_OK(lfm2_batch_create(model, NULL, &batch));
    lfm2_batch_item item = {.size = sizeof item, .session = session, .ids = ids, .n = 1};
    lfm2_session_cancel(session);
    LFT_FAILS(lfm2_batch_run(batch, &item, 1), LFM2_E_CANCELLED);
    assert_int_equal(lft_kv_usage(model).used, used);
    assert_true(lf_session_add_later(session, 1));
    lfm2_session_cancel(session);
    LFT_FAILS(lfm2_session_logits(session, &logits, NULL), LFM2_E_CANCELLED);
    assert_int_equal(lft_kv_usage(model).used, used);
    LFT_OK(lfm2_session_rewind(session, 64));
    lfm2_session_cancel(session);
    LFT_FAILS(lfm2_batch_run(batch, &item, 1), LFM2_E_CANCELLED);
    LFT_OK(lfm2_batch_run(batch, &item, 1));
    lfm2_batch_free(batch);
    lfm2_session_free(session);
    free(ids);
    lfm2_model_free(model);
}

/* A fork has no reserve, and what a session shares is none. */
static void test_fork_reserved(void **state)
{
    (void)state;
    lfm2_model *model = lft_open(lft_golden_folder("moe-plain"), 1, LFM2_KERNELS_AUTO, 0);
    const uint64_t page = lft_kv_page(model, LFM2_KV_F16);
    int32_t *ids = lft_ids(64, lft_vocab(model), 3);
    lfm2_session *fork = NULL, *session = lft_reserved(model, 64, 0, LFM2_KV_F16);
    LFT_OK(lfm2_session_fork(session, &fork));
    LFT_OK(lfm2_session_prefill(fork, ids, 10));
    assert_int_equal(lft_kv_usage(model).used, 2 * page);
    LFT_OK(lfm2_session_reset(fork));
    assert_int_equal(lft_kv_usage(model).used, page);
    lfm2_session_free(fork);
    LFT_OK(lfm2_session_prefill(session, ids, 10));
    LFT_OK(lfm2_session_fork(session, &fork));
    LFT_OK(lfm2_session_reset(session));
    lfm2_session_free(fork);
    assert_int_equal(lft_kv_usage(model).used, 0);
    lfm2_session_free(session);
    free(ids);
    lfm2_model_free(model);
}

/* ---- Fork and remove ---- */

/* Forks of forks continue with different tokens, while the first session is freed. */
static void check_forks(int32_t kv)
{
    enum { N = 5, PROMPT = 100, TAIL = 40 };
    lfm2_model *model = lft_open(lft_tiny("q8_0"), 2, LFM2_KERNELS_AUTO, 0);
    uint32_t vocab = lft_vocab(model);
    int32_t ids[N][PROMPT + TAIL];
    lfm2_session *sessions[N];
    int32_t *prompt = lft_ids(PROMPT, vocab, 1);
    sessions[0] = lft_session(model, PROMPT + TAIL, 0, kv);
    LFT_OK(lfm2_session_prefill(sessions[0], prompt, PROMPT));
    uint64_t before = lft_kv_usage(model).used;
    for (int i = 1; i < N; i++) {
        LFT_OK(lfm2_session_fork(sessions[i / 2], &sessions[i]));
        assert_int_equal(lfm2_session_capacity(sessions[i]), PROMPT + TAIL);
    }
    assert_int_equal(lft_kv_usage(model).used, before); /* nothing is copied */
    for (int i = 0; i < N; i++) {
        int32_t *tail = lft_ids(TAIL, vocab, 10 + (uint64_t)i);
        memcpy(ids[i], prompt, PROMPT * sizeof *prompt);
        memcpy(ids[i] + PROMPT, tail, TAIL * sizeof *tail);
        free(tail);
    }
    float *expected[N];
    for (int i = 0; i < N; i++) {
        expected[i] = lft_fresh(model, kv, ids[i], PROMPT + TAIL);
        lft_expect_logits(sessions[i], expected[i] + (size_t)(PROMPT - 1) * vocab);
    }
    for (int t = 0; t < TAIL; t++) { /* all of them write to the shared page in turn */
        for (int i = t > TAIL / 2 ? 1 : 0; i < N; i++) {
            LFT_OK(lfm2_session_decode(sessions[i], ids[i][PROMPT + t]));
            lft_expect_logits(sessions[i], expected[i] + (size_t)(PROMPT + t) * vocab);
        }
        if (t == TAIL / 2) {
            lfm2_session_free(sessions[0]);
        }
    }
    for (int i = 0; i < N; i++) {
        if (i > 0) {
            lft_expect_tokens(sessions[i], ids[i], PROMPT + TAIL);
            lfm2_session_free(sessions[i]);
        }
        free(expected[i]);
    }
    free(prompt);
    assert_int_equal(lft_kv_usage(model).used, 0);
    lfm2_model_free(model);
}

static void test_fork(void **state)
{
    (void)state;
    for (int i = 0; i < 3; i++) {
        check_forks(kv_types[i]);
    }
}

static void test_remove(void **state)
{
    (void)state;
    enum { N = 150 };
    static const uint32_t cases[][2] = {{10, 30}, {0, 1}, {64, 64}, {140, 10}, {0, N}, {149, 1}};
    lfm2_model *model = lft_open(lft_tiny("q4_0"), 2, LFM2_KERNELS_AUTO, 0);
    uint32_t vocab = lft_vocab(model);
    int32_t *ids = lft_ids(N, vocab, 5);
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        uint32_t first = cases[i][0];
        uint32_t n = N - cases[i][1];
        int32_t rest[N];
        memcpy(rest, ids, first * sizeof *ids);
        memcpy(rest + first, ids + first + cases[i][1], (n - first) * sizeof *ids);
        lfm2_session *session = lft_session(model, N, 64, kv_types[i % 3]);
        LFT_OK(lfm2_session_prefill(session, ids, N));
        lfm2_remove_result result = {.size = sizeof result};
        LFT_OK(lfm2_session_remove(session, first, cases[i][1], &result));
        assert_int_equal(result.n_reused, first);
        assert_int_equal(result.n_computed, n - first);
        lft_expect_tokens(session, rest, n);
        if (n > first) {
            float *expected = lft_fresh(model, kv_types[i % 3], rest, n);
            lft_expect_logits(session, expected + (size_t)(n - 1) * vocab);
            free(expected);
        }
        lfm2_session_free(session);
    }
    free(ids);
    assert_int_equal(lft_kv_usage(model).used, 0);
    lfm2_model_free(model);
}

/* Removing tokens keeps the reserve: what is appended afterwards allocates nothing. */
static void test_remove_reserved(void **state)
{
    (void)state;
    enum { ALL = 260 };
    lft_memory memory = {0};
    lfm2_runtime_options o;
    lfm2_runtime_options_init(&o, sizeof o);
    o.n_threads = 1;
    o.alloc = lft_memory_alloc;
    o.free = lft_memory_free;
    o.alloc_user = &memory;
    lfm2_runtime *runtime = NULL;
    LFT_OK(lfm2_runtime_create(&o, &runtime));
    lfm2_model *model = lft_load(runtime, lft_golden_folder("moe-plain"));
    int32_t *ids = lft_ids(ALL, lft_vocab(model), 4);
    lfm2_session *session = lft_reserved(model, ALL, 50, LFM2_KV_F16);
    const uint64_t used = lft_kv_usage(model).used;
    static const uint32_t cases[][2] = {{70, 10}, {0, 150}, {130, 130}, {0, 260}, {1, 258}};
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        LFT_OK(lfm2_session_reset(session));
        LFT_OK(lfm2_session_prefill(session, ids, ALL));
        LFT_OK(lfm2_session_remove(session, cases[i][0], cases[i][1], NULL));
        assert_int_equal(lft_kv_usage(model).used, used);
        const long long calls = atomic_load(&memory.calls);
        LFT_OK(lfm2_session_prefill(session, ids, cases[i][1]));
        assert_int_equal(atomic_load(&memory.calls), calls);
    }
    lfm2_session_free(session);
    free(ids);
    lfm2_model_free(model);
    lfm2_runtime_free(runtime);
    assert_int_equal(atomic_load(&memory.live_blocks), 0);
}

/* ---- Pending tokens of lfm2_generate ---- */

static void test_pending(void **state)
{
    (void)state;
    lfm2_model *model = lft_open(lft_tiny("q8_0"), 1, LFM2_KERNELS_AUTO, 0);
    uint32_t vocab = lft_vocab(model);
    lfm2_session *session = lft_session(model, 100, 0, LFM2_KV_F16);
    lfm2_sampler *sampler = NULL;
    LFT_OK(lfm2_sampler_create(model, NULL, &sampler));
    lfm2_generate_options o;
    lfm2_generate_options_init(&o, sizeof o);
    o.max_tokens = 5;
    o.flags = LFM2_GENERATE_IGNORE_EOS;
    LFT_OK(lfm2_generate(session, sampler, (const int32_t[]){5, 6, 7}, 3, &o, NULL));
    int32_t ids[9];
    assert_true(session->later >= 0);
    LFT_OK(lfm2_session_tokens(session, 0, 8, ids));
    ids[8] = 9;
    float *expected = lft_fresh(model, LFM2_KV_F16, ids, 9);
    lfm2_session *fork = NULL, *other = NULL;
    LFT_OK(lfm2_session_fork(session, &fork));
    LFT_OK(lfm2_session_fork(session, &other));
    lft_expect_tokens(fork, ids, 8);
    lft_expect_logits(fork, expected + (size_t)7 * vocab);
    LFT_OK(lfm2_session_rewind(session, 7)); /* the pending token alone */
    lft_expect_tokens(session, ids, 7);
    lft_expect_logits(session, expected + (size_t)6 * vocab);
    lfm2_batch *batch = NULL;
    LFT_OK(lfm2_batch_create(model, NULL, &batch));
    lfm2_batch_item items[2] = {{.size = sizeof items[0],
                                 .session = session,
                                 .ids = ids + 7,
                                 .n = 2,
                                 .logits = LFM2_LOGITS_LAST},
                                {.size = sizeof items[0],
                                 .session = other,
                                 .ids = ids + 8,
                                 .n = 1,
                                 .logits = LFM2_LOGITS_LAST}};
    LFT_OK(lfm2_batch_run(batch, items, 2));
    lft_expect_logits(session, expected + (size_t)8 * vocab);
    lft_expect_logits(other, expected + (size_t)8 * vocab);
    lfm2_batch_free(batch);
    lfm2_session_free(fork);
    lfm2_session_free(other);
    lfm2_session_free(session);
    lfm2_sampler_free(sampler);
    free(expected);
    lfm2_model_free(model);
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
        cmocka_unit_test(test_rewind),          cmocka_unit_test(test_rewind_pending),
        cmocka_unit_test(test_cancelled_pages), cmocka_unit_test(test_fork_reserved),
        cmocka_unit_test(test_rewind_refused),  cmocka_unit_test(test_fork),
        cmocka_unit_test(test_remove),          cmocka_unit_test(test_remove_reserved),
        cmocka_unit_test(test_pending),
    };
    return cmocka_run_group_tests(tests, NULL, end);
}
