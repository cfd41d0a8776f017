/* SPDX-License-Identifier: Apache-2.0 */
/* Sessions: options, calls that fail without effect, cancellation, the memory estimate, lifetimes.
 * test_forward.c and test_invariance.c check the values. */
#include "support/models.h"

#include "model/workspace.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

#include <stdlib.h>
#include <string.h>

static lfm2_model *model;
static uint32_t n_vocab;

static float *copy_logits(lfm2_session *session)
{
    const float *logits = NULL;
    size_t n = 0;
    LFT_OK(lfm2_session_logits(session, &logits, &n));
    assert_int_equal(n, n_vocab);
    float *copy = malloc(n * sizeof *copy);
    assert_non_null(copy);
    memcpy(copy, logits, n * sizeof *copy);
    return copy;
}

static void expect_logits(lfm2_session *session, const float *expected)
{
    float *now = copy_logits(session);
    assert_memory_equal(now, expected, n_vocab * sizeof *now);
    free(now);
}

/* ---- Creation ---- */

static void refuse(lfm2_session_options o, int32_t status)
{
    lfm2_session *session = NULL;
    LFT_FAILS(lfm2_session_create(model, &o, &session), status);
    assert_null(session);
}

static void test_options(void **state)
{
    (void)state;
    lfm2_session_options o;
    lfm2_session_options_init(&o, sizeof o);
    lfm2_session_options_init(NULL, 8);
    assert_int_equal(o.size, sizeof o);
    assert_int_equal(o.kv_type, LFM2_KV_F16);

    lfm2_session *session = NULL;
    LFT_OK(lfm2_session_create(model, NULL, &session));
    assert_int_equal(lfm2_session_capacity(session), 8192); /* the model's */
    assert_int_equal(lfm2_session_length(session), 0);
    lfm2_session_free(session);

    lfm2_session_options bad = o;
    bad.n_ctx = 8193; /* the model's context is 8192 */
    refuse(bad, LFM2_E_ARGUMENT);
    bad = o;
    bad.kv_type = 3;
    refuse(bad, LFM2_E_ARGUMENT);
    bad.kv_type = -1;
    refuse(bad, LFM2_E_ARGUMENT);
    bad = o;
    bad.n_chunk = 1u << 30;
    refuse(bad, LFM2_E_ARGUMENT);
    bad = o;
    bad.n_ctx = 100;
    bad.n_reserve = 101;
    refuse(bad, LFM2_E_ARGUMENT);
    bad = o;
    bad.reserved2 = 1;
    refuse(bad, LFM2_E_ARGUMENT);
    bad = o;
    bad.size = 8;
    refuse(bad, LFM2_E_ARGUMENT);

    session = lft_session(model, 1, 100, LFM2_KV_F32); /* the smallest */
    assert_int_equal(lfm2_session_capacity(session), 1);
    LFT_OK(lfm2_session_decode(session, 5));
    LFT_FAILS(lfm2_session_decode(session, 5), LFM2_E_LIMIT);
    lfm2_session_free(session);

    session = lft_session(model, 8192, 0, LFM2_KV_F16); /* the largest */
    assert_int_equal(lfm2_session_capacity(session), 8192);
    LFT_OK(lfm2_session_decode(session, 5));
    lfm2_session_free(session);

    LFT_FAILS(lfm2_session_create(NULL, &o, &session), LFM2_E_ARGUMENT);
    LFT_FAILS(lfm2_session_create(model, &o, NULL), LFM2_E_ARGUMENT);
}

static void test_modes(void **state)
{
    (void)state;
    lfm2_runtime *runtime = lft_runtime(1, LFM2_KERNELS_AUTO, 0);
    const int32_t modes[] = {LFM2_LOAD_INSPECT, LFM2_LOAD_TOKENIZER};
    for (int i = 0; i < 2; i++) {
        lfm2_model_options o;
        lfm2_model_options_init(&o, sizeof o);
        o.mode = modes[i];
        lfm2_model *other = NULL;
        LFT_OK(lfm2_model_load(runtime, lft_tiny("q4_0"), &o, &other));
        lfm2_session *session = NULL;
        LFT_FAILS(lfm2_session_create(other, NULL, &session), LFM2_E_STATE);
        assert_null(session);
        lfm2_memory memory = {.size = sizeof memory};
        LFT_FAILS(lfm2_estimate_memory(other, NULL, &memory), i == 0 ? LFM2_OK : LFM2_E_STATE);
        lfm2_model_free(other);
    }
    lfm2_runtime_free(runtime);
}

/* ---- Calls that fail without effect ---- */

static void test_limit(void **state)
{
    (void)state;
    lfm2_session *session = lft_session(model, 20, 7, LFM2_KV_F16);
    int32_t *ids = lft_ids(32, n_vocab, 1);
    float *out = calloc((size_t)32 * n_vocab, sizeof *out);
    assert_non_null(out);
    LFT_FAILS(lfm2_session_prefill(session, ids, 21), LFM2_E_LIMIT);
    assert_int_equal(lfm2_session_length(session), 0);
    LFT_OK(lfm2_session_prefill(session, ids, 17));
    float *before = copy_logits(session);
    LFT_FAILS(lfm2_session_prefill(session, ids + 17, 4), LFM2_E_LIMIT);
    LFT_FAILS(lfm2_session_eval(session, ids + 17, 4, out), LFM2_E_LIMIT);
    LFT_FAILS(lfm2_session_prefill(session, ids + 17, SIZE_MAX / 8), LFM2_E_LIMIT);
    assert_true(out[0] == 0);
    assert_int_equal(lfm2_session_length(session), 17);
    expect_logits(session, before);
    LFT_OK(lfm2_session_eval(session, ids + 17, 3, out));
    assert_int_equal(lfm2_session_length(session), 20);
    expect_logits(session, out + (size_t)2 * n_vocab);
    LFT_FAILS(lfm2_session_decode(session, 1), LFM2_E_LIMIT);
    assert_true(strstr(lfm2_last_error(), "20 of 20 tokens are in use, 1 requested") != NULL);
    expect_logits(session, out + (size_t)2 * n_vocab);
    free(before);
    free(out);
    free(ids);
    lfm2_session_free(session);
}

static void test_tokens(void **state)
{
    (void)state;
    lfm2_session *session = lft_session(model, 50, 4, LFM2_KV_F16);
    float out[1] = {7};
    LFT_OK(lfm2_session_prefill(session, (int32_t[]){1, 2, 3}, 3));
    float *before = copy_logits(session);
    const int32_t last = (int32_t)n_vocab;
    LFT_FAILS(lfm2_session_decode(session, -1), LFM2_E_ARGUMENT);
    LFT_FAILS(lfm2_session_decode(session, last), LFM2_E_ARGUMENT);
    LFT_FAILS(lfm2_session_decode(session, INT32_MIN), LFM2_E_ARGUMENT);
    /* the bad id is in the second chunk */
    LFT_FAILS(lfm2_session_prefill(session, (int32_t[]){1, 2, 3, 4, 5, last}, 6), LFM2_E_ARGUMENT);
    LFT_FAILS(lfm2_session_eval(session, (int32_t[]){1, -5}, 2, out), LFM2_E_ARGUMENT);
    LFT_FAILS(lfm2_session_prefill(session, (int32_t[]){1}, 0), LFM2_E_ARGUMENT);
    LFT_FAILS(lfm2_session_eval(session, (int32_t[]){1}, 0, out), LFM2_E_ARGUMENT);
    LFT_FAILS(lfm2_session_prefill(session, NULL, 1), LFM2_E_ARGUMENT);
    LFT_FAILS(lfm2_session_eval(session, (int32_t[]){1}, 1, NULL), LFM2_E_ARGUMENT);
    LFT_FAILS(lfm2_session_logits(session, NULL, NULL), LFM2_E_ARGUMENT);
    assert_int_equal(lfm2_session_length(session), 3);
    assert_true(out[0] == 7);
    expect_logits(session, before);
    LFT_OK(lfm2_session_decode(session, last - 1));
    free(before);
    lfm2_session_free(session);
}

static void test_null(void **state)
{
    (void)state;
    const float *logits = NULL;
    float out[1];
    LFT_FAILS(lfm2_session_prefill(NULL, (int32_t[]){1}, 1), LFM2_E_ARGUMENT);
    LFT_FAILS(lfm2_session_decode(NULL, 1), LFM2_E_ARGUMENT);
    LFT_FAILS(lfm2_session_eval(NULL, (int32_t[]){1}, 1, out), LFM2_E_ARGUMENT);
    LFT_FAILS(lfm2_session_logits(NULL, &logits, NULL), LFM2_E_ARGUMENT);
    LFT_FAILS(lfm2_session_reset(NULL), LFM2_E_ARGUMENT);
    assert_int_equal(lfm2_session_length(NULL), 0);
    assert_int_equal(lfm2_session_capacity(NULL), 0);
    lfm2_session_cancel(NULL);
    lfm2_session_free(NULL);
}

/* ---- Logits and cancellation ---- */

static void test_logits(void **state)
{
    (void)state;
    lfm2_session *session = lft_session(model, 50, 0, LFM2_KV_F16);
    const float *logits = NULL;
    size_t n = 0;
    LFT_FAILS(lfm2_session_logits(session, &logits, &n), LFM2_E_STATE);
    assert_null(logits);
    LFT_OK(lfm2_session_decode(session, 3));
    LFT_OK(lfm2_session_logits(session, &logits, NULL)); /* without the count */
    LFT_OK(lfm2_session_reset(session));
    LFT_FAILS(lfm2_session_logits(session, &logits, &n), LFM2_E_STATE);
    lfm2_session_free(session);
}

static void test_cancel(void **state)
{
    (void)state;
    lfm2_session *session = lft_session(model, 50, 0, LFM2_KV_F16);
    LFT_OK(lfm2_session_prefill(session, (int32_t[]){1, 2, 3}, 3));
    float *before = copy_logits(session);
    lfm2_session_cancel(session);
    lfm2_session_cancel(session); /* the second call has no effect */
    LFT_FAILS(lfm2_session_decode(session, 4), LFM2_E_CANCELLED);
    assert_int_equal(lfm2_session_length(session), 3);
    LFT_OK(lfm2_session_decode(session, 4)); /* the call above cleared the flag */
    assert_int_equal(lfm2_session_length(session), 4);
    LFT_OK(lfm2_session_reset(session));
    LFT_OK(lfm2_session_prefill(session, (int32_t[]){1, 2, 3}, 3));
    expect_logits(session, before);
    free(before);
    lfm2_session_free(session);
}

/* ---- Several sessions, lifetimes ---- */

static void test_interleaved(void **state)
{
    (void)state;
    int32_t *a = lft_ids(12, n_vocab, 1);
    int32_t *b = lft_ids(12, n_vocab, 2);
    lfm2_session *alone = lft_session(model, 50, 0, LFM2_KV_F16);
    LFT_OK(lfm2_session_prefill(alone, a, 12));
    float *want_a = copy_logits(alone);
    LFT_OK(lfm2_session_reset(alone));
    LFT_OK(lfm2_session_prefill(alone, b, 12));
    float *want_b = copy_logits(alone);
    lfm2_session *first = lft_session(model, 50, 0, LFM2_KV_F16);
    lfm2_session *second = lft_session(model, 70, 5, LFM2_KV_F16);
    for (int i = 0; i < 12; i += 3) {
        LFT_OK(lfm2_session_prefill(first, a + i, 3));
        LFT_OK(lfm2_session_prefill(second, b + i, 3));
    }
    expect_logits(first, want_a);
    expect_logits(second, want_b);
    lfm2_session_free(first);
    expect_logits(second, want_b);
    lfm2_session_free(second);
    lfm2_session_free(alone);
    free(want_a);
    free(want_b);
    free(a);
    free(b);
}

/* A session holds a reference to its model, a model to its runtime. */
static void test_lifetimes(void **state)
{
    (void)state;
    lft_memory memory = {0};
    lfm2_runtime_options o;
    lfm2_runtime_options_init(&o, sizeof o);
    o.alloc = lft_memory_alloc;
    o.free = lft_memory_free;
    o.alloc_user = &memory;
    o.n_threads = 2;
    lfm2_runtime *runtime = NULL;
    LFT_OK(lfm2_runtime_create(&o, &runtime));
    lfm2_model *own = lft_load(runtime, lft_golden_folder("moe-plain"));
    lfm2_runtime_free(runtime);
    lfm2_session *session = lft_session(own, 50, 0, LFM2_KV_F16);
    assert_ptr_equal(lfm2_model_retain(own), own);
    lfm2_model_free(own);
    lfm2_model_free(own);
    LFT_OK(lfm2_session_prefill(session, (int32_t[]){1, 2, 3}, 3));
    assert_true(atomic_load(&memory.live_blocks) > 0);
    lfm2_session *other = lft_session(model, 50, 0, LFM2_KV_F16);
    LFT_OK(lfm2_session_prefill(other, (int32_t[]){1, 2, 3}, 3));
    float *expected = copy_logits(other); /* from memory that was not filled with NaNs */
    expect_logits(session, expected);
    free(expected);
    lfm2_session_free(other);
    lfm2_session_free(session);
    assert_int_equal(atomic_load(&memory.live_blocks), 0);
    assert_int_equal(atomic_load(&memory.live_bytes), 0);
    assert_false(atomic_load(&memory.broken));
    assert_null(lfm2_model_retain(NULL));
    lfm2_model_free(NULL);
    lfm2_runtime_free(NULL);
}

/* ---- Memory ---- */

/* A session that reserves its capacity allocates what the estimate says, and computing tokens
 * allocates nothing. */
static void check_memory(const char *path, uint32_t n_ctx, uint32_t n_chunk, int32_t kv)
{
    lft_memory memory = {0};
    lfm2_runtime_options o;
    lfm2_runtime_options_init(&o, sizeof o);
    o.alloc = lft_memory_alloc;
    o.free = lft_memory_free;
    o.alloc_user = &memory;
    o.n_threads = 2;
    lfm2_runtime *runtime = NULL;
    LFT_OK(lfm2_runtime_create(&o, &runtime));

    lfm2_session_options so;
    lfm2_session_options_init(&so, sizeof so);
    so.n_ctx = n_ctx;
    so.n_chunk = n_chunk;
    so.kv_type = kv;
    lfm2_model_options mo;
    lfm2_model_options_init(&mo, sizeof mo);
    mo.mode = LFM2_LOAD_INSPECT;
    lfm2_model *inspected = NULL;
    LFT_OK(lfm2_model_load(runtime, path, &mo, &inspected));
    lfm2_memory before = {.size = sizeof before};
    LFT_OK(lfm2_estimate_memory(inspected, &so, &before));
    lfm2_model_free(inspected);

    lfm2_model *own = lft_load(runtime, path);
    lfm2_memory after = {.size = sizeof after};
    LFT_OK(lfm2_estimate_memory(own, &so, &after));
    assert_true(before.kv_budget > 0 && after.kv_budget > 0);
    before.kv_budget = after.kv_budget; /* each load measures the memory that is left */
    assert_memory_equal(&before, &after, sizeof after);
    assert_true(after.weights > 0 && after.kv > 0 && after.scratch > 0);
    assert_int_equal(after.total,
                     after.weights + after.mapped + after.kv + after.conv + after.scratch);
    assert_true((uint64_t)atomic_load(&memory.live_bytes) >= after.weights);

    long long bytes = atomic_load(&memory.live_bytes);
    lfm2_session *session = lft_reserved(own, n_ctx, n_chunk, kv);
    bytes = atomic_load(&memory.live_bytes) - bytes;
    uint64_t estimate = after.kv + after.conv + after.scratch;
    assert_in_range((uint64_t)bytes, estimate, estimate + 16384); /* plus the handle */

    long long calls = atomic_load(&memory.calls);
    int32_t *ids = lft_ids(n_ctx, lft_vocab(own), 1);
    LFT_OK(lfm2_session_prefill(session, ids, n_ctx - 3));
    LFT_OK(lfm2_session_decode(session, 1));
    LFT_OK(lfm2_session_decode(session, 2));
    const float *logits = NULL;
    LFT_OK(lfm2_session_logits(session, &logits, NULL));
    LFT_OK(lfm2_session_reset(session));
    assert_int_equal(atomic_load(&memory.calls), calls);
    free(ids);
    lfm2_session_free(session);
    lfm2_model_free(own);
    lfm2_runtime_free(runtime);
    assert_int_equal(atomic_load(&memory.live_blocks), 0);
    assert_false(atomic_load(&memory.broken));
}

/* A reset session has no more memory than a new one. */
static void test_reset_memory(void **state)
{
    (void)state;
    lft_memory memory = {0};
    lfm2_runtime_options o;
    lfm2_runtime_options_init(&o, sizeof o);
    o.alloc = lft_memory_alloc;
    o.free = lft_memory_free;
    o.alloc_user = &memory;
    o.n_threads = 1;
    lfm2_runtime *runtime = NULL;
    LFT_OK(lfm2_runtime_create(&o, &runtime));
    lfm2_model *own = lft_load(runtime, lft_tiny("q4_0"));
    lfm2_session *session = lft_session(own, 200, 0, LFM2_KV_F16);
    const long long bytes = atomic_load(&memory.live_bytes);
    int32_t *ids = lft_ids(130, lft_vocab(own), 1);
    LFT_OK(lfm2_session_prefill(session, ids, 130));
    LFT_OK(lfm2_session_reset(session));
    lf_workspace_free_idle(own);
    assert_int_equal(atomic_load(&memory.live_bytes), bytes);
    free(ids);
    lfm2_session_free(session);
    lfm2_model_free(own);
    lfm2_runtime_free(runtime);
    assert_int_equal(atomic_load(&memory.live_blocks), 0);
}

static void test_memory(void **state)
{
    (void)state;
    check_memory(lft_golden_folder("moe-plain"), 100, 0, LFM2_KV_F16);
    check_memory(lft_golden_folder("moe-mixed"), 65, 9, LFM2_KV_F32);
    check_memory(lft_golden_folder("moe-plain"), 129, 32, LFM2_KV_Q8);
    check_memory(lft_golden_folder("dense-odd"), 64, 64, LFM2_KV_F16);
    check_memory(lft_tiny("q4_0"), 40, 0, LFM2_KV_F16);
}

static void test_estimate(void **state)
{
    (void)state;
    lfm2_memory small = {.size = sizeof small};
    lfm2_memory large = {.size = sizeof large};
    lfm2_session_options o;
    lfm2_session_options_init(&o, sizeof o);
    o.n_ctx = 1024;
    LFT_OK(lfm2_estimate_memory(model, &o, &small));
    o.n_ctx = 2048;
    LFT_OK(lfm2_estimate_memory(model, &o, &large));
    assert_int_equal(large.kv, 2 * small.kv);
    assert_int_equal(large.conv, small.conv);
    o.kv_type = LFM2_KV_F32;
    LFT_OK(lfm2_estimate_memory(model, &o, &small));
    assert_int_equal(small.kv, 2 * large.kv);
    /* 2 attention layers, keys and values, 1 head of 32 values, 2 bytes */
    assert_int_equal(large.kv, 2 * 2 * 32 * 2 * 2048);
    o.kv_type = LFM2_KV_Q8;
    LFT_OK(lfm2_estimate_memory(model, &o, &small));
    assert_int_equal(small.kv, 2 * 2 * (32 + 4) * 2048); /* a byte each, and 4 for the scale */
    LFT_FAILS(lfm2_estimate_memory(NULL, &o, &small), LFM2_E_ARGUMENT);
    LFT_FAILS(lfm2_estimate_memory(model, &o, NULL), LFM2_E_ARGUMENT);
    o.n_ctx = UINT32_MAX;
    LFT_FAILS(lfm2_estimate_memory(model, &o, &small), LFM2_E_ARGUMENT);
}

static int begin(void **state)
{
    (void)state;
    model = lft_open(lft_golden_folder("moe-plain"), 1, LFM2_KERNELS_AUTO, 0);
    n_vocab = lft_vocab(model);
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
        cmocka_unit_test(test_options),      cmocka_unit_test(test_modes),
        cmocka_unit_test(test_limit),        cmocka_unit_test(test_tokens),
        cmocka_unit_test(test_null),         cmocka_unit_test(test_logits),
        cmocka_unit_test(test_cancel),       cmocka_unit_test(test_interleaved),
        cmocka_unit_test(test_lifetimes),    cmocka_unit_test(test_memory),
        cmocka_unit_test(test_reset_memory), cmocka_unit_test(test_estimate),
    };
    return cmocka_run_group_tests(tests, begin, end);
}
