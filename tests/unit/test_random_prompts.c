/* SPDX-License-Identifier: Apache-2.0 */
/* A thousand random prompts with common beginnings: sessions that start from a prefix cache have
 * the bits of sessions that computed all tokens. */
#include "support/sessions.h"

#include "model/workspace.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

#include <stdlib.h>
#include <string.h>

static const int32_t kv_types[] = {LFM2_KV_F16, LFM2_KV_F32, LFM2_KV_Q8};

enum { MOST_TOKENS = 220, KEPT = 24 };

typedef struct prompt {
    int32_t ids[MOST_TOKENS];
    uint32_t n;
    int32_t kv;
    uint32_t stored; /* tokens that the cache was given */
} prompt;

static prompt prompts[KEPT]; /* the last ones */

/* A beginning of an earlier prompt, and a random rest of few different tokens. */
static prompt random_prompt(uint64_t *seed, uint32_t n_vocab)
{
    prompt p = {.kv = kv_types[lft_random(seed) % 3]};
    const prompt *from = &prompts[lft_random(seed) % KEPT];
    if (from->n > 0 && lft_random(seed) % 8 != 0) {
        p.n = (uint32_t)(lft_random(seed) % (from->n + 1));
        memcpy(p.ids, from->ids, p.n * sizeof *p.ids);
    }
    uint32_t rest = (uint32_t)(lft_random(seed) % (lft_random(seed) % 2 ? 100 : 6));
    rest = rest < MOST_TOKENS - p.n ? rest : MOST_TOKENS - p.n;
    rest = p.n + rest == 0 ? 1 : rest;
    while (rest-- > 0) {
        p.ids[p.n++] = (int32_t)(lft_random(seed) % 3 * (n_vocab / 3));
    }
    return p;
}

/* The most tokens that the prompt shares with a stored one of its KV type. */
static uint32_t shared_tokens(const prompt *p)
{
    uint32_t most = 0;
    for (int i = 0; i < KEPT; i++) {
        const prompt *q = &prompts[i];
        uint32_t n = 0;
        while (q->kv == p->kv && n < p->n && n < q->stored && p->ids[n] == q->ids[n]) {
            n++;
        }
        most = n > most ? n : most;
    }
    return most;
}

static void check_random(const char *path, int32_t kernels, int32_t threads, uint64_t n_pages,
                         int n, uint64_t seed)
{
    lfm2_model *model = lft_open(path, threads, kernels, 0);
    lfm2_model *reference = lft_open(path, 1, kernels, 0);
    uint32_t vocab = lft_vocab(model);
    uint64_t budget =
        n_pages == 0 ? UINT64_MAX : n_pages * (lft_kv_page(model, LFM2_KV_F32) + 1000);
    lfm2_cache *cache = lft_cache(model, budget);
    memset(prompts, 0, sizeof prompts);
    for (int i = 0; i < n; i++) {
        prompt p = random_prompt(&seed, vocab);
        uint32_t shared = shared_tokens(&p);
        bool reserve = lft_random(&seed) % 4 == 0;
        lfm2_session *s = reserve ? lft_reserved(model, MOST_TOKENS, 70, p.kv)
                                  : lft_session(model, MOST_TOKENS, 50, p.kv);
        uint32_t reused = lft_start_cached(cache, s, reference, p.kv, p.ids, p.n);
        if (n_pages == 0) { /* nothing is evicted */
            uint32_t most = shared == p.n ? p.n - 1 : shared;
            assert_true(reused == p.n || reused + lf_warm_up_tokens(model) >= most);
        }
        uint32_t part = lft_random(&seed) % 3 == 0 ? (uint32_t)(lft_random(&seed) % p.n) : 0;
        LFT_OK(lfm2_cache_insert(cache, s, part));
        p.stored = part == 0 ? p.n : part;
        assert_true(lft_cache_usage(cache).ram_bytes <= budget);
        lfm2_session_free(s);
        prompts[lft_random(&seed) % KEPT] = p;
    }
    lfm2_cache_usage usage = lft_cache_usage(cache);
    print_message("%s: %llu hits, %llu misses, %llu of %llu tokens, %llu pages, %llu evicted\n",
                  path, (unsigned long long)usage.hits, (unsigned long long)usage.misses,
                  (unsigned long long)usage.tokens_reused, (unsigned long long)usage.tokens_asked,
                  (unsigned long long)usage.pages, (unsigned long long)usage.pages_evicted);
    assert_int_equal(usage.hits + usage.misses, n);
    assert_true(usage.hits > 0 && usage.misses > 0);
    assert_true((usage.pages_evicted > 0) == (n_pages > 0));
    lfm2_cache_free(cache);
    assert_int_equal(lft_kv_usage(model).used, 0);
    assert_int_equal(lft_kv_usage(model).cached, 0);
    lfm2_model_free(model);
    lfm2_model_free(reference);
}

static void test_random(void **state)
{
    (void)state;
    int scale = lft_sampled() ? 1 : 4;
    check_random(lft_golden_folder("moe-plain"), LFM2_KERNELS_AUTO, 2, 0, 100 * scale, 1);
    check_random(lft_golden_folder("dense-untied"), LFM2_KERNELS_AUTO, 1, 0, 60 * scale, 2);
    check_random(lft_golden_folder("moe-plain"), LFM2_KERNELS_AUTO, 1, 12, 50 * scale, 3);
    check_random(lft_golden_folder("moe-mixed"), LFM2_KERNELS_SCALAR, 3, 3, 20 * scale, 4);
    check_random(lft_tiny("q4_0"), LFM2_KERNELS_OWN, 2, 0, 20 * scale, 5);
}

static int end(void **state)
{
    (void)state;
    lft_end();
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_random)};
    return cmocka_run_group_tests(tests, NULL, end);
}
