/* SPDX-License-Identifier: Apache-2.0 */
/* Several threads use the prefix caches of a model at once, with budgets that make them evict each
 * other's prefixes: every session has the logits of its tokens. Also for the thread sanitizer. */
#include "support/sessions.h"

#include "common/lock.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

#include <pthread.h>
#include <stdlib.h>
#include <string.h>

enum { N_THREADS = 4, N_TURNS = 40, N_PROMPTS = 6, MOST = 150 };

static lfm2_model *model;
static lfm2_cache *caches[2];
static uint32_t n_vocab;

/* Prompts with common beginnings, and the logits after each of their tokens. */
static int32_t prompts[N_PROMPTS][MOST];
static float *logits[N_PROMPTS];

static void make_prompts(void)
{
    for (int i = 0; i < N_PROMPTS; i++) {
        int32_t *ids = lft_ids(MOST, n_vocab, (uint64_t)i + 1);
        memcpy(prompts[i], ids, sizeof prompts[i]);
        free(ids);
        if (i > 0) {
            memcpy(prompts[i], prompts[i / 2], (size_t)(30 + 20 * i) * sizeof prompts[i][0]);
        }
        logits[i] = lft_fresh(model, LFM2_KV_F16, prompts[i], MOST);
    }
}

/* Returns whether the logits are right. */
static bool turn(lfm2_cache *cache, uint64_t *seed)
{
    uint32_t which = (uint32_t)(lft_random(seed) % N_PROMPTS);
    uint32_t n = 1 + (uint32_t)(lft_random(seed) % MOST);
    lfm2_session_options o;
    lfm2_session_options_init(&o, sizeof o);
    lfm2_session *s = NULL;
    uint32_t reused = 0;
    const float *have = NULL;
    const float *want = logits[which] + (size_t)(n - 1) * n_vocab;
    bool good = lfm2_session_create(model, &o, &s) == LFM2_OK &&
                lfm2_cache_start(cache, s, prompts[which], n, &reused) == LFM2_OK;
    if (good && reused < n) {
        int32_t status = lfm2_session_prefill(s, prompts[which] + reused, n - reused);
        if (status == LFM2_E_LIMIT) { /* the other threads' sessions use all */
            lfm2_session_free(s);
            return true;
        }
        good = status == LFM2_OK;
    }
    good = good && lfm2_session_logits(s, &have, NULL) == LFM2_OK &&
           memcmp(have, want, n_vocab * sizeof *have) == 0 &&
           lfm2_cache_insert(cache, s, 0) == LFM2_OK &&
           (cache != caches[1] || lfm2_cache_save(cache, s) == LFM2_OK);
    lfm2_session_free(s);
    return good;
}

/* Now and then a thread changes budgets, makes another cache, or clears one. */
static bool disturb(lfm2_cache *cache, uint64_t *seed)
{
    lfm2_cache_usage usage = {.size = sizeof usage};
    lfm2_cache *other = NULL;
    bool good = lfm2_cache_get_usage(cache, &usage) == LFM2_OK;
    switch (lft_random(seed) % 4) {
    case 0:
        return good && lfm2_cache_set_budget(cache, 1 + lft_random(seed) % 500000,
                                             1 + lft_random(seed) % 500000) == LFM2_OK;
    case 1:
        return good && lfm2_cache_clear(cache) == LFM2_OK;
    case 2:
        return good && lfm2_model_set_kv_budget(model, lft_random(seed) % 400000 + 100000) == 0;
    default:
        good = good && lfm2_cache_create(model, NULL, &other) == LFM2_OK && turn(other, seed);
        lfm2_cache_free(other);
        return good;
    }
}

static void *use(void *argument)
{
    uint64_t seed = (uint64_t)(uintptr_t)argument;
    uintptr_t n_bad = 0;
    for (int i = 0; i < N_TURNS; i++) {
        lfm2_cache *cache = caches[lft_random(&seed) % 2];
        n_bad += !turn(cache, &seed);
        n_bad += lft_random(&seed) % 4 == 0 && !disturb(cache, &seed);
    }
    return (void *)n_bad;
}

static void test_caches(void **state)
{
    (void)state;
    for (int32_t n_threads = 1; n_threads <= 2; n_threads++) {
        model = lft_open(lft_tiny("q4_0"), n_threads, LFM2_KERNELS_AUTO, 0);
        n_vocab = lft_vocab(model);
        make_prompts();
        caches[0] = lft_cache(model, 400000);
        lfm2_cache_options o;
        lfm2_cache_options_init(&o, sizeof o);
        o.folder = lft_temp("prefixes");
        LFT_OK(lfm2_cache_create(model, &o, &caches[1]));
        pthread_t threads[N_THREADS];
        for (uintptr_t i = 0; i < N_THREADS; i++) {
            assert_int_equal(pthread_create(&threads[i], NULL, use, (void *)(i + 1)), 0);
        }
        for (int i = 0; i < N_THREADS; i++) {
            void *bad = NULL;
            pthread_join(threads[i], &bad);
            assert_null(bad);
        }
        LFT_OK(lfm2_cache_set_budget(caches[1], 0, 1)); /* deletes all files */
        for (int i = 0; i < 2; i++) {
            lfm2_cache_usage usage = lft_cache_usage(caches[i]);
            assert_true(usage.hits > 0 && usage.pages_evicted > 0 && usage.files_bad == 0);
            assert_true((usage.files_read > 0) == (i == 1));
            lfm2_cache_free(caches[i]);
        }
        assert_int_equal(lft_kv_usage(model).used, 0);
        for (int i = 0; i < N_PROMPTS; i++) {
            free(logits[i]);
        }
        lfm2_model_free(model);
    }
}

/* ---- The lock ---- */

static struct {
    lf_lock lock;
    int n; /* guarded */
} counted;

static void *count(void *argument)
{
    (void)argument;
    for (int i = 0; i < 20000; i++) {
        if (!lf_lock_take(&counted.lock)) {
            return &counted;
        }
        counted.n++;
        lf_lock_give(&counted.lock);
    }
    return NULL;
}

static void test_lock(void **state)
{
    (void)state;
    pthread_t threads[N_THREADS];
    for (int i = 0; i < N_THREADS; i++) {
        assert_int_equal(pthread_create(&threads[i], NULL, count, NULL), 0);
    }
    for (int i = 0; i < N_THREADS; i++) {
        void *failed = NULL;
        pthread_join(threads[i], &failed);
        assert_null(failed);
    }
    assert_int_equal(counted.n, N_THREADS * 20000);
    assert_int_equal(atomic_load(&counted.lock.word), 0);
}

static int end(void **state)
{
    (void)state;
    lft_end();
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_lock), cmocka_unit_test(test_caches)};
    return cmocka_run_group_tests(tests, NULL, end);
}
