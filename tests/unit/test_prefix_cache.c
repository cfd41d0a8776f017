/* SPDX-License-Identifier: Apache-2.0 */
/* Prefix caches: what is reused, computed, shared, evicted and refused. */
#include "support/sessions.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

#include <stdlib.h>
#include <string.h>

static const int32_t kv_types[] = {LFM2_KV_F16, LFM2_KV_F32, LFM2_KV_Q8};

/* ---- What is reused ---- */

static uint64_t bytes_read(const lfm2_model *model)
{
    uint64_t bytes = 0;
    LFT_OK(lfm2_model_bytes_read(model, &bytes));
    return bytes;
}

/* The cache holds no more than a page; then nothing. */
static void test_tiny_budget(void **state)
{
    (void)state;
    lfm2_model *model = lft_open(lft_golden_folder("moe-plain"), 1, LFM2_KERNELS_AUTO, 0);
    uint64_t page = lft_kv_page(model, LFM2_KV_F16);
    int32_t *ids = lft_ids(150, lft_vocab(model), 1);
    lfm2_cache *cache = lft_cache(model, page + 2000);
    lfm2_session *s = lft_session(model, 0, 0, LFM2_KV_F16);
    LFT_OK(lfm2_session_prefill(s, ids, 150));
    LFT_OK(lfm2_cache_insert(cache, s, 0));
    assert_int_equal(lft_cache_usage(cache).pages, 1); /* the first one: the end is evicted first */
    assert_int_equal(lft_cache_usage(cache).pages_evicted, 2);
    assert_int_equal(lft_kv_usage(model).cached, page);
    LFT_OK(lfm2_session_reset(s));
    assert_int_equal(lft_start_cached(cache, s, model, LFM2_KV_F16, ids, 150), 64);
    LFT_OK(lfm2_cache_set_budget(cache, page, 0));
    assert_int_equal(lft_cache_usage(cache).pages, 0);
    assert_int_equal(lft_cache_usage(cache).ram_bytes, 0);
    assert_int_equal(lft_cache_usage(cache).ram_budget, page);
    lfm2_memory memory = {.size = sizeof memory};
    LFT_OK(lfm2_estimate_memory(model, NULL, &memory));
    assert_int_equal(memory.cache, page);
    LFT_OK(lfm2_cache_insert(cache, s, 0));
    assert_int_equal(lft_cache_usage(cache).pages, 0);
    LFT_OK(lfm2_cache_set_budget(cache, UINT64_MAX, 0));
    LFT_OK(lfm2_estimate_memory(model, NULL, &memory));
    assert_true(memory.total == UINT64_MAX && memory.cache == UINT64_MAX);
    LFT_OK(lfm2_cache_insert(cache, s, 0));
    assert_int_equal(lft_cache_usage(cache).pages, 3);
    uint64_t contents = 3 * page + memory.cache_checkpoint;
    assert_in_range(lft_cache_usage(cache).ram_bytes, contents, contents + 3 * 1023);
    LFT_OK(lfm2_cache_clear(cache));
    assert_int_equal(lft_cache_usage(cache).pages, 0);
    assert_int_equal(lft_cache_usage(cache).checkpoints, 0);
    assert_int_equal(lft_cache_usage(cache).ram_bytes, 0);
    lfm2_session_free(s);
    LFT_OK(lfm2_model_set_kv_budget(model, 1000));
    LFT_OK(lfm2_cache_set_budget(cache, 0, 0));
    assert_int_equal(lft_cache_usage(cache).ram_budget, 250);
    lfm2_cache_free(cache);
    LFT_OK(lfm2_estimate_memory(model, NULL, &memory));
    assert_int_equal(memory.cache, 0);
    free(ids);
    lfm2_model_free(model);
}

/* Where a session stored logits or a checkpoint, nothing is computed. */
static void check_computed(int32_t kv)
{
    enum { N = 200, BRANCH = 150 };
    lfm2_model *model = lft_open(lft_tiny("q8_0"), 1, LFM2_KERNELS_AUTO, 0);
    int32_t *ids = lft_ids(N + 20, lft_vocab(model), 1);
    int32_t *other = lft_ids(N, lft_vocab(model), 2);
    memcpy(other, ids, BRANCH * sizeof *ids);
    lfm2_cache *cache = lft_cache(model, UINT64_MAX);
    lfm2_session *s = lft_session(model, N + 20, 0, kv);
    assert_int_equal(lft_start_cached(cache, s, model, kv, ids, N), 0);
    LFT_OK(lfm2_cache_insert(cache, s, 0));
    assert_int_equal(lft_cache_usage(cache).checkpoints, 1);
    lfm2_session_free(s);
    uint32_t reused = 0;
    for (uint32_t n = N; n <= N + 20; n += 20) { /* the same prompt, and a longer one */
        s = lft_session(model, N + 20, 0, kv);
        uint64_t before = bytes_read(model);
        LFT_OK(lfm2_cache_start(cache, s, ids, n, &reused));
        assert_int_equal(bytes_read(model), before);
        assert_int_equal(reused, N);
        lfm2_session_free(s);
    }
    for (int i = 0; i < 2; i++) { /* a branch is computed once */
        s = lft_session(model, N, 0, kv);
        uint64_t before = bytes_read(model);
        LFT_OK(lfm2_cache_start(cache, s, other, N, &reused));
        assert_true((bytes_read(model) == before) == (i == 1));
        assert_int_equal(reused, BRANCH);
        lfm2_session_free(s);
        assert_int_equal(lft_cache_usage(cache).checkpoints, 2);
    }
    /* A little after the branch, appending the tokens costs less than a pass of its own. */
    s = lft_session(model, N, 0, kv);
    memcpy(other, ids, (BRANCH + 1) * sizeof *ids);
    other[BRANCH + 1] = ids[BRANCH + 1] == 0;
    assert_int_equal(lft_start_cached(cache, s, model, kv, other, N), BRANCH);
    lfm2_session_free(s);
    /* Another KV type has nothing. */
    int32_t next = (kv + 1) % 3;
    s = lft_session(model, N, 0, next);
    assert_int_equal(lft_start_cached(cache, s, model, next, ids, N), 0);
    lfm2_session_free(s);
    lfm2_cache_free(cache);
    free(ids);
    free(other);
    lfm2_model_free(model);
}

static void test_computed(void **state)
{
    (void)state;
    for (int i = 0; i < 3; i++) {
        check_computed(kv_types[i]);
    }
}

/* ---- Memory ---- */

/* Sessions that computed the same tokens share their pages once both are stored. */
static void test_shared(void **state)
{
    (void)state;
    enum { N = 16, PROMPT = 192, TAIL = 5 };
    lfm2_model *model = lft_open(lft_tiny("q4_0"), 1, LFM2_KERNELS_AUTO, 0);
    uint64_t page = lft_kv_page(model, LFM2_KV_F16);
    int32_t *ids = lft_ids(PROMPT + TAIL, lft_vocab(model), 1);
    lfm2_cache *cache = lft_cache(model, UINT64_MAX);
    lfm2_session *sessions[N];
    for (int i = 0; i < N; i++) {
        sessions[i] = lft_session(model, PROMPT + TAIL, 0, LFM2_KV_F16);
        if (i < 2) {                                       /* the others start from the cache */
            for (uint32_t at = 0; at < PROMPT; at += 64) { /* a page in each extent */
                LFT_OK(lfm2_session_prefill(sessions[i], ids + at, 64));
            }
        } else {
            uint32_t reused = 0;
            LFT_OK(lfm2_cache_start(cache, sessions[i], ids, PROMPT, &reused));
            assert_int_equal(reused, PROMPT);
        }
        LFT_OK(lfm2_cache_insert(cache, sessions[i], 0));
        assert_int_equal(lft_kv_usage(model).used, PROMPT / 64 * page);
    }
    assert_int_equal(lft_kv_usage(model).cached, PROMPT / 64 * page);
    float *expected = lft_fresh(model, LFM2_KV_F16, ids, PROMPT + TAIL);
    for (int i = 0; i < N; i++) {
        LFT_OK(lfm2_session_prefill(sessions[i], ids + PROMPT, TAIL));
        lft_expect_logits(sessions[i], expected + (size_t)(PROMPT + TAIL - 1) * lft_vocab(model));
    }
    assert_int_equal(lft_kv_usage(model).used, (PROMPT / 64 + N) * page);
    lfm2_cache_free(cache); /* sessions outlive it */
    for (int i = 0; i < N; i++) {
        lft_expect_tokens(sessions[i], ids, PROMPT + TAIL);
        lfm2_session_free(sessions[i]);
    }
    assert_int_equal(lft_kv_usage(model).used, 0);
    free(expected);
    free(ids);
    lfm2_model_free(model);
}

/* Prefixes that no session shares are evicted before a step fails; those that sessions share stay.
 */
static void test_kv_budget(void **state)
{
    (void)state;
    enum { N = 6, TOKENS = 128 };
    lfm2_model *model = lft_open(lft_tiny("q4_0"), 1, LFM2_KERNELS_AUTO, 0);
    uint64_t page = lft_kv_page(model, LFM2_KV_F16);
    lfm2_cache *cache = lft_cache(model, UINT64_MAX);
    lfm2_session *sessions[N];
    int32_t *ids[N];
    for (int i = 0; i < N; i++) {
        ids[i] = lft_ids(TOKENS, lft_vocab(model), (uint64_t)i);
        sessions[i] = lft_session(model, 2 * TOKENS, 0, LFM2_KV_F16);
        LFT_OK(lfm2_session_prefill(sessions[i], ids[i], 64));
        LFT_OK(lfm2_session_prefill(sessions[i], ids[i] + 64, 64));
        LFT_OK(lfm2_cache_insert(cache, sessions[i], 0));
    }
    LFT_OK(lfm2_model_set_kv_budget(model, lft_kv_usage(model).used));
    LFT_FAILS(lfm2_session_prefill(sessions[0], ids[1], 1), LFM2_E_LIMIT);
    assert_int_equal(lft_cache_usage(cache).pages, 2 * N); /* evicting would free nothing */
    lfm2_session_free(sessions[4]);
    lfm2_session_free(sessions[2]);
    /* The ends of 2 and 4 go first, in the order of their use. */
    LFT_OK(lfm2_session_prefill(sessions[0], ids[1], 64));
    LFT_OK(lfm2_session_prefill(sessions[0], ids[1], 64));
    assert_int_equal(lft_cache_usage(cache).pages, 2 * N - 2);
    lfm2_session *s = lft_session(model, TOKENS, 0, LFM2_KV_F16);
    uint32_t reused = 0;
    LFT_OK(lfm2_cache_start(cache, s, ids[2], TOKENS, &reused));
    assert_int_equal(reused, 0);
    LFT_OK(lfm2_cache_start(cache, s, ids[4], TOKENS, &reused));
    assert_int_equal(reused, TOKENS);
    LFT_OK(lfm2_session_reset(s));
    LFT_OK(lfm2_session_prefill(s, ids[1], TOKENS));
    lfm2_session_free(s);
    assert_int_equal(lft_cache_usage(cache).pages, 2 * N - 4);
    LFT_OK(lfm2_model_set_kv_budget(model, page)); /* nothing is evicted for what cannot fit */
    s = lft_session(model, TOKENS, 0, LFM2_KV_F16);
    LFT_FAILS(lfm2_session_prefill(s, ids[1], TOKENS), LFM2_E_LIMIT);
    assert_int_equal(lft_cache_usage(cache).pages, 2 * N - 4);
    lfm2_session_free(s);
    LFT_OK(lfm2_model_set_kv_budget(model, UINT64_MAX));
    for (int i = 0; i < N; i++) {
        if (i != 2 && i != 4) {
            LFT_OK(lfm2_session_rewind(sessions[i], TOKENS));
            lft_expect_tokens(sessions[i], ids[i], TOKENS);
            lfm2_session_free(sessions[i]);
        }
    }
    lfm2_cache_free(cache);
    assert_int_equal(lft_kv_usage(model).used, 0);
    for (int i = 0; i < N; i++) {
        free(ids[i]);
    }
    lfm2_model_free(model);
}

/* A page that a session shares is evicted if it keeps one that no session uses. */
static void test_kv_budget_chain(void **state)
{
    (void)state;
    lfm2_model *model = lft_open(lft_tiny("q4_0"), 1, LFM2_KERNELS_AUTO, 0);
    uint64_t page = lft_kv_page(model, LFM2_KV_F16);
    int32_t *ids = lft_ids(128, lft_vocab(model), 1);
    lfm2_cache *cache = lft_cache(model, UINT64_MAX);
    lfm2_session *a = lft_session(model, 128, 0, LFM2_KV_F16);
    lfm2_session *b = lft_reserved(model, 128, 0, LFM2_KV_F16);
    LFT_OK(lfm2_session_prefill(a, ids, 64));
    LFT_OK(lfm2_session_prefill(b, ids, 128));
    LFT_OK(lfm2_cache_insert(cache, a, 0));
    LFT_OK(lfm2_cache_insert(cache, b, 0)); /* keeps its own first page */
    assert_int_equal(lft_kv_usage(model).used, 3 * page);
    lfm2_session_free(a);
    a = lft_session(model, 128, 0, LFM2_KV_F16);
    LFT_OK(lfm2_model_set_kv_budget(model, 3 * page));
    LFT_OK(lfm2_session_prefill(a, ids, 5));
    assert_int_equal(lft_cache_usage(cache).pages, 0);
    lft_expect_tokens(b, ids, 128);
    lfm2_session_free(a);
    lfm2_session_free(b);
    lfm2_cache_free(cache);
    free(ids);
    lfm2_model_free(model);
}

/* Stores the session without the last token and without logits. */
static void insert_without_logits(lfm2_cache *cache, lfm2_session *s)
{
    LFT_OK(lfm2_session_rewind(s, lfm2_session_length(s) - 1));
    LFT_OK(lfm2_cache_insert(cache, s, 0));
}

/* A checkpoint keeps its logits if it is stored again without, and takes none of another one. */
static void test_logits(void **state)
{
    (void)state;
    enum { PAGE = 64, N = PAGE + 8 };
    lfm2_model *model = lft_open(lft_golden_folder("moe-plain"), 1, LFM2_KERNELS_AUTO, 0);
    int32_t *ids = lft_ids(N, lft_vocab(model), 1);
    lfm2_cache *cache = lft_cache(model, UINT64_MAX);
    lfm2_session *s = lft_session(model, N, 0, LFM2_KV_F16);
    LFT_OK(lfm2_session_prefill(s, ids, PAGE));
    for (uint32_t n = PAGE + 1; n <= PAGE + 6; n++) { /* more than a page has */
        LFT_OK(lfm2_session_decode(s, ids[n - 1]));
        LFT_OK(lfm2_cache_insert(cache, s, 0));
    }
    assert_int_equal(lft_cache_usage(cache).checkpoints, 4);
    LFT_OK(lfm2_session_decode(s, ids[PAGE + 6]));
    insert_without_logits(cache, s);
    LFT_OK(lfm2_session_reset(s));
    assert_int_equal(lft_start_cached(cache, s, model, LFM2_KV_F16, ids, PAGE + 6), PAGE + 6);
    LFT_OK(lfm2_session_decode(s, ids[PAGE + 6]));
    LFT_OK(lfm2_session_decode(s, ids[PAGE + 7]));
    insert_without_logits(cache, s);
    LFT_OK(lfm2_session_reset(s));
    assert_int_equal(lft_start_cached(cache, s, model, LFM2_KV_F16, ids, PAGE + 7), PAGE + 6);
    lfm2_session_free(s);
    lfm2_cache_free(cache);
    free(ids);
    lfm2_model_free(model);
}

/* A reserved session keeps its memory: nothing is allocated and no budget is needed. */
static void test_reserved(void **state)
{
    (void)state;
    enum { N = 150, ALL = 190 };
    static lft_memory memory;
    lfm2_runtime_options o;
    lfm2_runtime_options_init(&o, sizeof o);
    o.n_threads = 1;
    o.alloc = lft_memory_alloc;
    o.free = lft_memory_free;
    o.alloc_user = &memory;
    lfm2_runtime *runtime = NULL;
    LFT_OK(lfm2_runtime_create(&o, &runtime));
    lfm2_model *model = lft_load(runtime, lft_tiny("q4_0"));
    lfm2_runtime_free(runtime);
    int32_t *ids = lft_ids(ALL, lft_vocab(model), 1);
    float *expected = lft_fresh(model, LFM2_KV_F16, ids, ALL);
    lfm2_cache *cache = lft_cache(model, UINT64_MAX);
    lfm2_session *s = lft_session(model, ALL, 0, LFM2_KV_F16);
    LFT_OK(lfm2_session_prefill(s, ids, N));
    LFT_OK(lfm2_cache_insert(cache, s, 0));
    lfm2_session_free(s);
    s = lft_reserved(model, ALL, 0, LFM2_KV_F16);
    LFT_OK(lfm2_model_set_kv_budget(model, 1));
    for (int i = 0; i < 2; i++) {
        uint32_t reused = 0;
        LFT_OK(lfm2_cache_start(cache, s, ids, N, &reused));
        assert_int_equal(reused, N);
        lft_expect_logits(s, expected + (size_t)(N - 1) * lft_vocab(model));
        long long calls = atomic_load(&memory.calls);
        for (uint32_t at = N; at < ALL; at++) {
            LFT_OK(lfm2_session_decode(s, ids[at]));
            lft_expect_logits(s, expected + (size_t)at * lft_vocab(model));
        }
        assert_int_equal(atomic_load(&memory.calls), calls);
        LFT_OK(lfm2_session_reset(s));
    }
    lfm2_session_free(s);
    lfm2_cache_free(cache);
    free(expected);
    free(ids);
    lfm2_model_free(model);
    assert_int_equal(atomic_load(&memory.live_blocks), 0);
}

/* ---- Refused, cancelled, order of freeing ---- */

static void test_refused(void **state)
{
    (void)state;
    lfm2_model *model = lft_open(lft_golden_folder("moe-plain"), 1, LFM2_KERNELS_AUTO, 0);
    lfm2_model *other = lft_open(lft_golden_folder("moe-plain"), 1, LFM2_KERNELS_AUTO, 0);
    int32_t *ids = lft_ids(100, lft_vocab(model), 3);
    lfm2_cache *cache = NULL;
    LFT_FAILS(lfm2_cache_create(NULL, NULL, &cache), LFM2_E_ARGUMENT);
    LFT_FAILS(lfm2_cache_create(model, NULL, NULL), LFM2_E_ARGUMENT);
    LFT_OK(lfm2_cache_create(model, NULL, &cache));
    lfm2_session *s = lft_session(model, 90, 0, LFM2_KV_F16);
    lfm2_session *foreign = lft_session(other, 90, 0, LFM2_KV_F16);
    uint32_t reused = 77;
    LFT_FAILS(lfm2_cache_start(NULL, s, ids, 5, &reused), LFM2_E_ARGUMENT);
    LFT_FAILS(lfm2_cache_start(cache, NULL, ids, 5, &reused), LFM2_E_ARGUMENT);
    LFT_FAILS(lfm2_cache_start(cache, s, NULL, 5, &reused), LFM2_E_ARGUMENT);
    LFT_FAILS(lfm2_cache_start(cache, s, ids, 5, NULL), LFM2_E_ARGUMENT);
    LFT_FAILS(lfm2_cache_start(cache, s, ids, 0, &reused), LFM2_E_ARGUMENT);
    LFT_FAILS(lfm2_cache_start(cache, s, ids, 91, &reused), LFM2_E_LIMIT);
    LFT_FAILS(lfm2_cache_start(cache, s, ids, (size_t)1 << 32, &reused), LFM2_E_LIMIT);
    LFT_FAILS(lfm2_cache_start(cache, s, (const int32_t[]){-1}, 1, &reused), LFM2_E_ARGUMENT);
    LFT_FAILS(lfm2_cache_start(cache, foreign, ids, 5, &reused), LFM2_E_ARGUMENT);
    assert_string_equal(lfm2_last_error_code(), "cache.model");
    LFT_FAILS(lfm2_cache_insert(cache, foreign, 0), LFM2_E_ARGUMENT);
    LFT_FAILS(lfm2_cache_insert(NULL, s, 0), LFM2_E_ARGUMENT);
    LFT_FAILS(lfm2_cache_insert(cache, NULL, 0), LFM2_E_ARGUMENT);
    LFT_FAILS(lfm2_cache_insert(cache, s, 1), LFM2_E_ARGUMENT);
    LFT_OK(lfm2_cache_insert(cache, s, 0)); /* nothing to store */
    LFT_OK(lfm2_session_prefill(s, ids, 80));
    LFT_FAILS(lfm2_cache_insert(cache, s, 81), LFM2_E_ARGUMENT);
    LFT_FAILS(lfm2_cache_start(cache, s, ids, 5, &reused), LFM2_E_STATE);
    LFT_FAILS(lfm2_cache_get_usage(cache, NULL), LFM2_E_ARGUMENT);
    LFT_FAILS(lfm2_cache_get_usage(NULL, &(lfm2_cache_usage){.size = 8}), LFM2_E_ARGUMENT);
    LFT_FAILS(lfm2_cache_set_budget(NULL, 1, 0), LFM2_E_ARGUMENT);
    LFT_FAILS(lfm2_cache_clear(NULL), LFM2_E_ARGUMENT);
    assert_int_equal(reused, 77);
    assert_int_equal(lft_cache_usage(cache).misses, 0);
    /* Cancelled while the state of the convolutions is computed: the session stays empty. */
    LFT_OK(lfm2_cache_insert(cache, s, 0));
    LFT_OK(lfm2_session_reset(s));
    int32_t branch[81];
    memcpy(branch, ids, 70 * sizeof *ids);
    branch[70] = ids[70] == 0;
    lfm2_session_cancel(s);
    LFT_FAILS(lfm2_cache_start(cache, s, branch, 71, &reused), LFM2_E_CANCELLED);
    assert_int_equal(lfm2_session_length(s), 0);
    assert_int_equal(lft_cache_usage(cache).checkpoints, 1);
    assert_int_equal(lft_start_cached(cache, s, model, LFM2_KV_F16, branch, 71), 70);
    /* The cache holds the model, and its pages live as long as a session uses them. */
    lfm2_model_free(model);
    lfm2_cache_free(cache);
    LFT_OK(lfm2_session_decode(s, 1));
    lfm2_session_free(s);
    lfm2_session_free(foreign);
    lfm2_model_free(other);
    lfm2_cache_free(NULL);
    free(ids);
}

/* The pending token of lfm2_generate is not stored. */
static void test_pending(void **state)
{
    (void)state;
    lfm2_model *model = lft_open(lft_tiny("q8_0"), 1, LFM2_KERNELS_AUTO, 0);
    lfm2_session *s = lft_session(model, 100, 0, LFM2_KV_F16);
    lfm2_sampler *sampler = NULL;
    LFT_OK(lfm2_sampler_create(model, NULL, &sampler));
    lfm2_generate_options o;
    lfm2_generate_options_init(&o, sizeof o);
    o.max_tokens = 5;
    o.flags = LFM2_GENERATE_IGNORE_EOS;
    LFT_OK(lfm2_generate(s, sampler, (const int32_t[]){5, 6, 7}, 3, &o, NULL));
    int32_t ids[10] = {0};
    LFT_OK(lfm2_session_tokens(s, 0, 8, ids));
    lfm2_cache *cache = lft_cache(model, UINT64_MAX);
    LFT_OK(lfm2_cache_insert(cache, s, 8));
    lfm2_session_free(s);
    s = lft_session(model, 100, 0, LFM2_KV_F16);
    assert_int_equal(lft_start_cached(cache, s, model, LFM2_KV_F16, ids, 10), 7);
    lfm2_session_free(s);
    lfm2_cache_free(cache);
    lfm2_sampler_free(sampler);
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
        cmocka_unit_test(test_tiny_budget),     cmocka_unit_test(test_computed),
        cmocka_unit_test(test_shared),          cmocka_unit_test(test_kv_budget),
        cmocka_unit_test(test_kv_budget_chain), cmocka_unit_test(test_logits),
        cmocka_unit_test(test_reserved),        cmocka_unit_test(test_refused),
        cmocka_unit_test(test_pending),
    };
    return cmocka_run_group_tests(tests, NULL, end);
}
