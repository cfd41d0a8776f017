/* SPDX-License-Identifier: Apache-2.0 */
/* A token's logits depend on the model, the tokens before it, the KV type and the kernel family
 * alone; threads, chunks, calls, cancelled passes and the CPU change no bit. */
/* ctest-labels: sampled */
#include "support/models.h"
#include "support/retype.h"

#include "model/model.h"
#include "run/sampler.h"
#include "run/session.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* ---- Ways to compute the logits of every position of a text ---- */

typedef struct text {
    const int32_t *ids;
    size_t n, n_vocab;
} text;

static float *rows(const text *t)
{
    float *out = calloc(t->n * t->n_vocab, sizeof *out);
    assert_non_null(out);
    return out;
}

static void copy_last(lfm2_session *session, const text *t, float *row)
{
    const float *logits = NULL;
    size_t n = 0;
    LFT_OK(lfm2_session_logits(session, &logits, &n));
    assert_int_equal(n, t->n_vocab);
    memcpy(row, logits, n * sizeof *row);
}

static void eval_all(lfm2_session *session, const text *t, float *out)
{
    LFT_OK(lfm2_session_eval(session, t->ids, t->n, out));
    float *last = rows(&(text){t->ids, 1, t->n_vocab});
    copy_last(session, t, last);
    assert_memory_equal(last, out + (t->n - 1) * t->n_vocab, t->n_vocab * sizeof *last);
    free(last);
}

static void decode_all(lfm2_session *session, const text *t, float *out)
{
    for (size_t i = 0; i < t->n; i++) {
        LFT_OK(lfm2_session_decode(session, t->ids[i]));
        copy_last(session, t, out + i * t->n_vocab);
    }
}

/* Calls with 1 to `most` tokens, alternately eval and prefill. Prefill gives only the last row of
 * its call; the others are copied from `known`. */
static void split_randomly(lfm2_session *session, const text *t, size_t most, uint64_t seed,
                           const float *known, float *out)
{
    for (size_t at = 0, call = 0; at < t->n; call++) {
        size_t n = 1 + lft_random(&seed) % most;
        n = n < t->n - at ? n : t->n - at;
        float *rows_out = out + at * t->n_vocab;
        if (call % 2 == 0) {
            LFT_OK(lfm2_session_eval(session, t->ids + at, n, rows_out));
        } else {
            LFT_OK(lfm2_session_prefill(session, t->ids + at, n));
            memcpy(rows_out, known + at * t->n_vocab, n * t->n_vocab * sizeof *rows_out);
            copy_last(session, t, rows_out + (n - 1) * t->n_vocab);
        }
        at += n;
        assert_int_equal(lfm2_session_length(session), at);
    }
}

static void same(const text *t, const float *a, const float *b, const char *what)
{
    size_t row = t->n_vocab * sizeof *a;
    for (size_t i = 0; i < t->n; i++) {
        if (memcmp(a + i * t->n_vocab, b + i * t->n_vocab, row) != 0) {
            fail_msg("%s: the logits of token %zu of %zu differ (by %g in log p)", what, i, t->n,
                     lft_log_distance(a + i * t->n_vocab, b + i * t->n_vocab, 1, t->n_vocab));
        }
    }
}

/* Compares with `expected`, the logits of one pass on one thread. */
static void check_ways(const char *path, int32_t kernels, int32_t kv, int32_t most_threads,
                       const text *t, const float *expected)
{
    enum { EVAL, DECODE, SPLIT };
    static const struct {
        int32_t threads;
        uint32_t chunk;
        int way;
    } ways[] = {{1, 1, EVAL},   {1, 2, EVAL},   {1, 7, SPLIT},    {1, 512, DECODE},
                {2, 512, EVAL}, {2, 64, SPLIT}, {2, 512, DECODE}, {3, 64, EVAL}};
    lfm2_model *model = NULL;
    float *out = rows(t);
    size_t n_ways = sizeof ways / sizeof ways[0];
    for (size_t i = 0; i < n_ways && ways[i].threads <= most_threads; i++) {
        if (i == 0 || ways[i].threads != ways[i - 1].threads) {
            lfm2_model_free(model);
            model = lft_open(path, ways[i].threads, kernels, 0);
        }
        lfm2_session *session = lft_session(model, (uint32_t)t->n, ways[i].chunk, kv);
        if (ways[i].way == EVAL) {
            eval_all(session, t, out);
        } else if (ways[i].way == DECODE) {
            decode_all(session, t, out);
        } else {
            split_randomly(session, t, ways[i].chunk == 7 ? 9 : 40, i, expected, out);
        }
        char what[96];
        snprintf(what, sizeof what, "kernels %d, %d threads, chunk %u, way %d", kernels,
                 ways[i].threads, ways[i].chunk, ways[i].way);
        same(t, expected, out, what);
        lfm2_session_free(session);
    }
    free(out);
    lfm2_model_free(model);
}

static float *make_reference(const char *path, int32_t kernels, int32_t kv, text *t, size_t n)
{
    lfm2_model *model = lft_open(path, 1, kernels, 0);
    t->n = n;
    t->n_vocab = lft_vocab(model);
    t->ids = lft_ids(n, (uint32_t)t->n_vocab, 11);
    lfm2_session *session = lft_session(model, (uint32_t)n, 0, kv);
    float *out = rows(t);
    eval_all(session, t, out);
    lfm2_session_free(session);
    lfm2_model_free(model);
    return out;
}

/* Spinning threads are slow on a busy machine, so not every model is tested with several. */
static void check_model(const char *path, int32_t kernels, int32_t kv, int32_t most_threads)
{
    text t;
    float *expected = make_reference(path, kernels, kv, &t, 68);
    check_ways(path, kernels, kv, most_threads, &t, expected);
    free(expected);
    free((void *)(uintptr_t)t.ids);
}

static void test_calls_and_threads(void **state)
{
    (void)state;
    if (lft_sampled()) {
        check_model(lft_golden_folder("dense-odd"), LFM2_KERNELS_AUTO, LFM2_KV_Q8, 1);
        check_model(lft_golden_gguf("moe-plain", "f16"), LFM2_KERNELS_AUTO, LFM2_KV_F16, 1);
        check_model(lft_tiny("q4_0"), LFM2_KERNELS_AUTO, LFM2_KV_F16, 3);
        return;
    }
    for (int i = 0; lft_cases[i] != NULL; i++) {
        check_model(lft_golden_folder(lft_cases[i]), LFM2_KERNELS_AUTO,
                    i % 2 == 0 ? LFM2_KV_F16 : LFM2_KV_F32, i % 3 == 1 ? 3 : 1);
        check_model(lft_golden_folder(lft_cases[i]), LFM2_KERNELS_AUTO, LFM2_KV_Q8,
                    i % 3 == 0 ? 3 : 1);
    }
    check_model(lft_golden_gguf("moe-plain", "f16"), LFM2_KERNELS_AUTO, LFM2_KV_F16, 1);
    check_model(lft_golden_gguf("moe-plain", "f32"), LFM2_KERNELS_AUTO, LFM2_KV_F16, 1);
    check_model(lft_golden_gguf("moe-mixed", "q8_0"), LFM2_KERNELS_SCALAR, LFM2_KV_F16, 2);
    static const int32_t picks[] = {LFM2_KERNELS_AUTO, LFM2_KERNELS_OWN, LFM2_KERNELS_XNNPACK};
    for (int i = 0; i < 3; i++) {
        check_model(lft_tiny("q4_0"), picks[i], LFM2_KV_F16, 3);
        check_model(lft_tiny("q8_0"), picks[i], LFM2_KV_F16, 3);
    }
    /* Panels of Q5_K and Q6_K are unpacked for many tiles. */
    check_model(lft_tiny("q5_k_m"), LFM2_KERNELS_AUTO, LFM2_KV_F16, 3);
    check_model(lft_tiny("q2_k"), LFM2_KERNELS_AUTO, LFM2_KV_F16, 3);
    /* Panels that hold the blocks of the file are unpacked for any number of rows. */
    check_model(lft_retyped_all(LF_IQ2_XS), LFM2_KERNELS_AUTO, LFM2_KV_F16, 3);
}

/* ---- The CPU ---- */

/* The kernels that a set of CPU features selects. */
typedef struct selection {
    lf_ops ops;
    lf_lhs lhs[LF_LHS_COUNT];
    const lf_gemm *gemms[LF_W_COUNT][2][2];
} selection;

static void select_kernels(const lfm2_runtime *runtime, selection *out)
{
    memset(out, 0, sizeof *out);
    memcpy(&out->ops, &runtime->kernels.ops, sizeof out->ops);
    memcpy(out->lhs, runtime->kernels.lhs, sizeof out->lhs);
    for (uint32_t w = 0; w < LF_W_COUNT; w++) {
        for (uint32_t i = 0; i < 4; i++) {
            out->gemms[w][i & 1][i >> 1] = lf_gemm_pick(&runtime->kernels, (lf_wformat)w,
                                                        (i & 1) != 0, (i & 2) != 0 ? 44 : 256);
        }
    }
}

/* Compares every set of kernels that subsets of this CPU's features select with the scalar ones. */
static void check_cpus(const char *path, int32_t kv, size_t n)
{
    enum { BITS = 8, MOST = 64 };
    static selection seen[MOST];
    size_t n_seen = 0;
    text t;
    float *expected = make_reference(path, LFM2_KERNELS_SCALAR, kv, &t, n);
    float *out = rows(&t);
    for (uint32_t disable = 0; disable < 1u << BITS; disable++) {
        lfm2_runtime *runtime = lft_runtime(1, LFM2_KERNELS_OWN, disable);
        select_kernels(runtime, &seen[n_seen]);
        size_t same_as = 0;
        while (memcmp(&seen[same_as], &seen[n_seen], sizeof seen[0]) != 0) {
            same_as++;
        }
        if (same_as == n_seen) {
            n_seen++;
            assert_true(n_seen < MOST);
            lfm2_model *model = lft_load(runtime, path);
            lfm2_session *session = lft_session(model, 64, 0, kv);
            eval_all(session, &t, out);
            char what[64];
            snprintf(what, sizeof what, "own kernels, CPU bits %x", lfm2_runtime_cpu(runtime));
            same(&t, expected, out, what);
            LFT_OK(lfm2_session_reset(session));
            decode_all(session, &t, out);
            same(&t, expected, out, what);
            lfm2_session_free(session);
            lfm2_model_free(model);
        }
        lfm2_runtime_free(runtime);
    }
    print_message("%s: %zu sets of kernels\n", path, n_seen);
    free(out);
    free(expected);
    free((void *)(uintptr_t)t.ids);
}

static void test_cpus(void **state)
{
    (void)state;
    if (lft_sampled()) {
        check_cpus(lft_golden_folder("dense-odd"), LFM2_KV_F32, 10);
        check_cpus(lft_golden_folder("moe-scaled"), LFM2_KV_Q8, 5);
        return;
    }
    check_cpus(lft_tiny("q4_0"), LFM2_KV_F16, 20);
    check_cpus(lft_tiny("q8_0"), LFM2_KV_F32, 10);
    check_cpus(lft_tiny("q2_k"), LFM2_KV_F32, 10);
    check_cpus(lft_retyped_all(LF_IQ1_M), LFM2_KV_F32, 10);
    check_cpus(lft_golden_gguf("moe-plain", "f16"), LFM2_KV_F16, 10);
    check_cpus(lft_golden_gguf("moe-plain", "f32"), LFM2_KV_F16, 10);
    check_cpus(lft_golden_folder("dense-odd"), LFM2_KV_F32, 20);
    check_cpus(lft_golden_folder("moe-scaled"), LFM2_KV_F16, 10);
    check_cpus(lft_golden_folder("dense-odd"), LFM2_KV_Q8, 20);
    check_cpus(lft_tiny("q8_0"), LFM2_KV_Q8, 10);
    if (access(LFM2_DEMO_MODEL, R_OK) == 0) {
        check_cpus(LFM2_DEMO_MODEL, LFM2_KV_F16, 5);
    }
}

/* ---- Prefetch ---- */

/* Every policy, and those that are measured, over a context that is long enough to be measured. */
static void check_policies(const char *path, int32_t kv, size_t n)
{
    enum { DECODED = 4 };
    text t;
    float *expected = make_reference(path, LFM2_KERNELS_SCALAR, kv, &t, n);
    float *out = rows(&t);
    lfm2_model *model = lft_open(path, 1, LFM2_KERNELS_OWN, 0);
    lfm2_session *session = lft_session(model, (uint32_t)n, 0, kv);
    const text most = {t.ids, n - DECODED, t.n_vocab};
    const text rest = {t.ids + most.n, DECODED, t.n_vocab};
    lf_prefetch *prefetch = model->runtime->prefetch;
    for (uint32_t i = 0; i <= LF_PREFETCH_POLICIES; i++) {
        lf_prefetch_force(prefetch, i);
        LFT_OK(lfm2_session_reset(session));
        eval_all(session, &most, out);
        decode_all(session, &rest, out + most.n * t.n_vocab);
        same(&t, expected, out, i < LF_PREFETCH_POLICIES ? lf_prefetch_table[i].name : "measured");
    }
    uint64_t bytes = 0;
    for (uint32_t c = 0; c < LF_ROW_CLASSES; c++) {
        bytes += prefetch->choices[LF_PREFETCH_KV + kv][c].chooser.bytes;
    }
    assert_true(bytes > 0);
    lfm2_session_free(session);
    lfm2_model_free(model);
    free(out);
    free(expected);
    free((void *)(uintptr_t)t.ids);
}

static void test_policies(void **state)
{
    (void)state;
    check_policies(lft_tiny("q4_0"), LFM2_KV_F16, 530);
    if (!lft_sampled()) {
        check_policies(lft_tiny("q5_k_m"), LFM2_KV_F32, 530);
        check_policies(lft_tiny("q8_0"), LFM2_KV_Q8, 1100);
    }
}

/* ---- Cancelled passes leave no trace ---- */

/* A model whose row norm cancels `session` when it is called for the `at`-th time. */
static struct {
    void (*norm)(size_t n, const float *x, const float *w, float eps, float *out);
    lfm2_session *session;
    int calls, at;
} trap;

static void cancelling_norm(size_t n, const float *x, const float *w, float eps, float *out)
{
    trap.norm(n, x, w, eps, out);
    if (++trap.calls == trap.at) {
        lfm2_session_cancel(trap.session);
    }
}

/* Appends tokens in a pass that is cancelled at later and later points until one completes. Until
 * then the logits stay those of the token before, which are in the row before `out`. */
static int append_with_cancels(const int32_t *ids, size_t n, float *out)
{
    uint32_t before = lfm2_session_length(trap.session);
    for (int cancels = 0;; cancels++) {
        trap.calls = 0;
        trap.at = 1 + cancels * 3;
        int32_t status = lfm2_session_eval(trap.session, ids, n, out);
        if (status == LFM2_OK) {
            /* A request after the last check belonged to this call and is gone. */
            assert_false(lf_session_take_cancel(trap.session));
            trap.at = 0;
            assert_int_equal(lfm2_session_length(trap.session), before + n);
            return cancels;
        }
        lft_expect(status, LFM2_E_CANCELLED, "eval");
        assert_int_equal(lfm2_session_length(trap.session), before);
        const float *logits = NULL;
        size_t n_vocab = 0;
        status = lfm2_session_logits(trap.session, &logits, &n_vocab);
        assert_int_equal(status, before == 0 ? LFM2_E_STATE : LFM2_OK);
        if (before > 0) {
            assert_memory_equal(logits, out - n_vocab, n_vocab * sizeof *logits);
        }
    }
}

static void check_cancels(const char *path, int32_t kv)
{
    text t;
    float *expected = make_reference(path, LFM2_KERNELS_AUTO, kv, &t, 70);
    float *out = rows(&t);
    lfm2_model *model = lft_open(path, 1, LFM2_KERNELS_AUTO, 0);
    trap.session = lft_session(model, 80, 64, kv);
    trap.norm = model->runtime->kernels.ops.rmsnorm;
    trap.at = 0;
    model->runtime->kernels.ops.rmsnorm = cancelling_norm;
    static const size_t calls[] = {1, 2, 3, 1, 5, 30, 1, 20, 1, 6};
    size_t at = 0;
    int cancels = 0;
    for (size_t i = 0; i < sizeof calls / sizeof calls[0]; i++) {
        cancels += append_with_cancels(t.ids + at, calls[i], out + at * t.n_vocab);
        at += calls[i];
    }
    assert_int_equal(at, t.n);
    assert_true(cancels > 50);
    same(&t, expected, out, "after cancelled passes");
    lfm2_session_free(trap.session);
    lfm2_model_free(model);
    free(out);
    free(expected);
    free((void *)(uintptr_t)t.ids);
}

static void test_cancelled_passes(void **state)
{
    (void)state;
    check_cancels(lft_golden_folder("dense-untied"), LFM2_KV_F16); /* 4 taps, attention first */
    if (!lft_sampled()) {
        check_cancels(lft_golden_folder("moe-plain"), LFM2_KV_F32); /* 3 taps, experts */
        check_cancels(lft_golden_folder("moe-plain"), LFM2_KV_Q8);
    }
}

/* On CANCELLED the chunks computed before stay. */
static void test_cancel_between_chunks(void **state)
{
    (void)state;
    text t;
    const char *path = lft_golden_folder("moe-plain");
    float *expected = make_reference(path, LFM2_KERNELS_AUTO, LFM2_KV_F16, &t, 40);
    float *out = rows(&t);
    lfm2_model *model = lft_open(path, 1, LFM2_KERNELS_AUTO, 0);
    trap.session = lft_session(model, 40, 16, LFM2_KV_F16);
    trap.norm = model->runtime->kernels.ops.rmsnorm;
    trap.calls = 0;
    trap.at = 300; /* a chunk takes 224 calls: 16 rows, 4 layers x 2, 2 layers x 3 heads */
    model->runtime->kernels.ops.rmsnorm = cancelling_norm;
    LFT_FAILS(lfm2_session_eval(trap.session, t.ids, t.n, out), LFM2_E_CANCELLED);
    uint32_t length = lfm2_session_length(trap.session);
    assert_true(length > 0 && length < 40 && length % 16 == 0);
    trap.at = 0;
    LFT_OK(lfm2_session_eval(trap.session, t.ids + length, t.n - length, out + length * t.n_vocab));
    same(&t, expected, out, "chunks before a cancel");
    lfm2_session_free(trap.session);
    lfm2_model_free(model);
    free(out);
    free(expected);
    free((void *)(uintptr_t)t.ids);
}

/* The sampler counts the tokens of a cancelled prompt that reached the session, so the rest can
 * follow. */
static void test_cancelled_prompt(void **state)
{
    (void)state;
    enum { N = 40, CHUNK = 16 };
    lfm2_model *model = lft_open(lft_tiny("q4_0"), 1, LFM2_KERNELS_AUTO, 0);
    uint32_t n_vocab = lft_vocab(model);
    int32_t *ids = lft_ids(N, n_vocab, 3);
    lfm2_sampler *sampler = NULL;
    LFT_OK(lfm2_sampler_create(model, NULL, &sampler));
    trap.session = lft_session(model, N + 8, CHUNK, LFM2_KV_F16);
    trap.norm = model->runtime->kernels.ops.rmsnorm;
    trap.calls = 0;
    trap.at = 0;
    model->runtime->kernels.ops.rmsnorm = cancelling_norm;
    LFT_OK(lfm2_session_prefill(trap.session, ids, CHUNK)); /* counts the calls of a chunk */
    LFT_OK(lfm2_session_reset(trap.session));
    trap.at = trap.calls + trap.calls / 2;
    trap.calls = 0;
    lfm2_generate_result result = {.size = sizeof result};
    LFT_FAILS(lfm2_generate(trap.session, sampler, ids, N, NULL, &result), LFM2_E_CANCELLED);
    assert_int_equal(result.finish, LFM2_FINISH_CANCELLED);
    assert_int_equal(lfm2_session_length(trap.session), CHUNK);
    uint32_t counted = 0;
    for (uint32_t i = 0; i < n_vocab; i++) {
        counted += sampler->counts[i];
    }
    assert_int_equal(counted, CHUNK);
    for (int i = 0; i < CHUNK; i++) {
        assert_true(sampler->counts[ids[i]] > 0);
    }
    lfm2_sampler_free(sampler);
    lfm2_session_free(trap.session);
    lfm2_model_free(model);
    free(ids);
}

/* A session that held another text before its reset. */
static void test_reset(void **state)
{
    (void)state;
    const char *path = lft_golden_folder("dense-untied");
    text t;
    float *expected = make_reference(path, LFM2_KERNELS_AUTO, LFM2_KV_F16, &t, 70);
    float *out = rows(&t);
    lfm2_model *model = lft_open(path, 1, LFM2_KERNELS_AUTO, 0);
    lfm2_session *session = lft_session(model, 200, 64, LFM2_KV_F16);
    for (uint64_t round = 1; round < 4; round++) {
        int32_t *other = lft_ids(200, (uint32_t)t.n_vocab, round);
        LFT_OK(lfm2_session_prefill(session, other, 201 - round));
        LFT_OK(lfm2_session_reset(session));
        assert_int_equal(lfm2_session_length(session), 0);
        eval_all(session, &t, out);
        same(&t, expected, out, "after a reset");
        LFT_OK(lfm2_session_reset(session));
        free(other);
    }
    lfm2_session_free(session);
    lfm2_model_free(model);
    free(out);
    free(expected);
    free((void *)(uintptr_t)t.ids);
}

/* ---- Long contexts: attention in several segments of 2048 positions ---- */

enum { LONG = 4130, TAIL = 24 };

/* Logits of the last TAIL tokens: the text before them in chunks, the tail with `step` tokens a
 * call. */
static void long_tail(const char *path, int32_t kv, int32_t threads, uint32_t chunk, size_t step,
                      const text *t, float *out)
{
    lfm2_model *model = lft_open(path, threads, LFM2_KERNELS_AUTO, 0);
    lfm2_session *session = lft_session(model, 5000, chunk, kv);
    size_t start = t->n - TAIL;
    LFT_OK(lfm2_session_prefill(session, t->ids, start));
    for (size_t at = 0; at < TAIL; at += step) {
        size_t n = step < TAIL - at ? step : TAIL - at;
        LFT_OK(lfm2_session_eval(session, t->ids + start + at, n, out + at * t->n_vocab));
    }
    lfm2_session_free(session);
    lfm2_model_free(model);
}

static void check_long(const char *path, int32_t kv)
{
    static const struct {
        int32_t threads;
        uint32_t chunk;
        size_t step; /* attention splits items of up to 16 tokens by segment */
    } ways[] = {{1, 500, TAIL}, {2, 512, 4}, {1, 65, 1}, {3, 4096, 7}};
    lfm2_model *model = lft_open(path, 1, LFM2_KERNELS_AUTO, 0);
    text t = {.n = LONG, .n_vocab = lft_vocab(model)};
    lfm2_model_free(model);
    t.ids = lft_ids(LONG, (uint32_t)t.n_vocab, 5);
    text tail = {t.ids + LONG - TAIL, TAIL, t.n_vocab};
    float *expected = rows(&tail);
    float *out = rows(&tail);
    for (size_t i = 0; i < sizeof ways / sizeof ways[0]; i++) {
        long_tail(path, kv, ways[i].threads, ways[i].chunk, ways[i].step, &t,
                  i == 0 ? expected : out);
        if (i > 0) {
            char what[96];
            snprintf(what, sizeof what, "%d tokens, way %zu", LONG, i);
            same(&tail, expected, out, what);
        }
    }
    free(expected);
    free(out);
    free((void *)(uintptr_t)t.ids);
}

static void test_long_context(void **state)
{
    (void)state;
    if (lft_sampled()) {
        skip();
    }
    check_long(lft_golden_gguf("dense-plain", "q8_0"), LFM2_KV_F16);
    check_long(lft_golden_gguf("dense-plain", "f32"), LFM2_KV_F32);
    check_long(lft_golden_gguf("dense-plain", "f32"), LFM2_KV_Q8);
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
        cmocka_unit_test(test_calls_and_threads),
        cmocka_unit_test(test_cpus),
        cmocka_unit_test(test_policies),
        cmocka_unit_test(test_cancelled_passes),
        cmocka_unit_test(test_cancel_between_chunks),
        cmocka_unit_test(test_cancelled_prompt),
        cmocka_unit_test(test_reset),
        cmocka_unit_test(test_long_context),
    };
    return cmocka_run_group_tests(tests, NULL, end);
}
