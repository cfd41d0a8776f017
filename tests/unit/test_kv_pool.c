/* SPDX-License-Identifier: Apache-2.0 */
/* Pages of keys and values: those that are no longer used serve other sessions, so memory follows
 * the pages in use and not the largest calls. */
#include "support/sessions.h"

#include "model/kv_pool.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

#include <stdlib.h>
#include <string.h>

enum { PAGES = 20, PAGE_BYTES = 4096 };

static lft_memory memory;

static lfm2_model *open_counted(void)
{
    lfm2_runtime_options o;
    lfm2_runtime_options_init(&o, sizeof o);
    o.alloc = lft_memory_alloc;
    o.free = lft_memory_free;
    o.alloc_user = &memory;
    o.n_threads = 1;
    lfm2_runtime *runtime = NULL;
    LFT_OK(lfm2_runtime_create(&o, &runtime));
    lfm2_model *model = lft_load(runtime, lft_tiny("q4_0"));
    lfm2_runtime_free(runtime);
    return model;
}

static void close_counted(lfm2_model *model)
{
    lfm2_model_free(model);
    assert_int_equal(atomic_load(&memory.live_blocks), 0);
    assert_false(atomic_load(&memory.broken));
}

/* The model then has the workspace of the passes. */
static void warm_up(lfm2_model *model, const int32_t *ids, uint32_t n)
{
    lfm2_session *session = lft_session(model, n, 0, LFM2_KV_F16);
    LFT_OK(lfm2_session_prefill(session, ids, n));
    lfm2_session_free(session);
}

/* A cache that keeps the first page of long prompts has the memory of these pages. */
static void test_first_pages(void **state)
{
    (void)state;
    enum { PROMPTS = 24, N = 64 * 10 };
    lfm2_model *model = open_counted();
    uint64_t page = lft_kv_page(model, LFM2_KV_F16);
    int32_t *ids = lft_ids(N, lft_vocab(model), 1);
    lfm2_cache *cache = lft_cache(model, UINT64_MAX);
    warm_up(model, ids, N);
    long long before = atomic_load(&memory.live_bytes);
    for (int i = 0; i < PROMPTS; i++) {
        lfm2_session *session = lft_session(model, N, 0, LFM2_KV_F16);
        ids[0] = i;
        LFT_OK(lfm2_session_prefill(session, ids, N));
        LFT_OK(lfm2_cache_insert(cache, session, 64));
        assert_int_equal(lft_kv_usage(model).used, (uint64_t)(i + 10) * page);
        lfm2_session_free(session);
        assert_int_equal(lft_kv_usage(model).used, (uint64_t)(i + 1) * page);
    }
    long long taken = atomic_load(&memory.live_bytes) - before;
    assert_in_range(taken, PROMPTS * page, (PROMPTS + 10 + 20) * page);
    lfm2_cache_free(cache);
    assert_int_equal(lft_kv_usage(model).used, 0);
    free(ids);
    close_counted(model);
}

/* After a rewind, another session gets the pages without new memory. */
static void test_rewound(void **state)
{
    (void)state;
    enum { N = 64 * 10 };
    lfm2_model *model = open_counted();
    uint64_t page = lft_kv_page(model, LFM2_KV_F16);
    int32_t *ids = lft_ids(N, lft_vocab(model), 1);
    lfm2_session *a = lft_session(model, N, 0, LFM2_KV_F16);
    lfm2_session *b = lft_session(model, N, 0, LFM2_KV_F16);
    LFT_OK(lfm2_session_prefill(a, ids, N));
    LFT_OK(lfm2_session_rewind(a, 64));
    assert_int_equal(lft_kv_usage(model).used, page);
    LFT_OK(lfm2_model_set_kv_budget(model, 10 * page));
    LFT_OK(lfm2_session_prefill(b, ids, 1));
    long long before = atomic_load(&memory.live_bytes);
    LFT_OK(lfm2_session_prefill(b, ids + 1, N - 65));
    assert_in_range(atomic_load(&memory.live_bytes) - before + 4096, 0, 8192);
    LFT_FAILS(lfm2_session_prefill(b, ids, 64), LFM2_E_LIMIT);
    LFT_OK(lfm2_model_set_kv_budget(model, UINT64_MAX));
    float *expected = lft_fresh(model, LFM2_KV_F16, ids, N - 64);
    lft_expect_logits(b, expected + (size_t)(N - 65) * lft_vocab(model));
    lft_expect_tokens(a, ids, 64);
    free(expected);
    lfm2_session_free(a);
    lfm2_session_free(b);
    free(ids);
    close_counted(model);
}

/* Pages are taken and released in any order, with several sizes. At the end all memory is free. If
 * the lock is lost, as in the child of a fork, nothing is used again and all is still freed. */
static void check_random(bool lost)
{
    lf_alloc alloc = {.alloc = lft_memory_alloc, .free = lft_memory_free, .user = &memory};
    lf_kv_pool pool;
    lf_kv_page *held[PAGES] = {NULL};
    uint64_t seed = 7, bytes = 0;
    lf_kv_pool_init(&pool, &alloc, 30 * PAGE_BYTES);
    if (lost) {
        atomic_store(&pool.spare_lock.word, 1); /* of another process */
    }
    for (int i = 0; i < 3000; i++) {
        uint32_t at = (uint32_t)(lft_random(&seed) % PAGES);
        uint32_t n = 0;
        size_t size = PAGE_BYTES * (1 + lft_random(&seed) % 2);
        while (at + n < PAGES && held[at + n] == NULL && n < 6) {
            n++;
        }
        if (n == 0) {
            lf_kv_release(held[at]);
            held[at] = NULL;
        } else {
            bool fits = lf_kv_fits(&pool, n * size);
            LFT_FAILS(lf_kv_take(&pool, size, n, held + at), fits ? LFM2_OK : LFM2_E_LIMIT);
            for (uint32_t k = 0; fits && k < n; k++) {
                memset(held[at + k]->data, 1, size);
                assert_true(lf_kv_is_own(held[at + k]));
                for (uint32_t other = 0; other < PAGES; other++) {
                    assert_true(other == at + k || held[other] != held[at + k]);
                }
            }
        }
    }
    for (int i = 0; i < PAGES; i++) {
        if (held[i] != NULL) {
            lf_kv_release(held[i]);
        }
    }
    bytes = atomic_load(&pool.used);
    assert_int_equal(bytes, 0);
    assert_true(lost || atomic_load(&pool.spare) == NULL);
    assert_int_equal(atomic_load(&memory.live_blocks), 0);
    assert_false(atomic_load(&memory.broken));
}

static void test_random(void **state)
{
    (void)state;
    check_random(false);
    check_random(true);
}

static int end(void **state)
{
    (void)state;
    lft_end();
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_first_pages),
                                       cmocka_unit_test(test_rewound),
                                       cmocka_unit_test(test_random)};
    return cmocka_run_group_tests(tests, NULL, end);
}
