/* SPDX-License-Identifier: Apache-2.0 */
/* Implements checks of sessions and prefix caches. */
#include "support/sessions.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

#include <stdlib.h>
#include <string.h>

lfm2_cache *lft_cache(lfm2_model *model, uint64_t ram_bytes)
{
    lfm2_cache_options o;
    lfm2_cache_options_init(&o, sizeof o);
    o.ram_bytes = ram_bytes;
    lfm2_cache *cache = NULL;
    LFT_OK(lfm2_cache_create(model, &o, &cache));
    return cache;
}

lfm2_cache_usage lft_cache_usage(lfm2_cache *cache)
{
    lfm2_cache_usage usage = {.size = sizeof usage};
    LFT_OK(lfm2_cache_get_usage(cache, &usage));
    return usage;
}

lfm2_kv_usage lft_kv_usage(const lfm2_model *model)
{
    lfm2_kv_usage usage = {.size = sizeof usage};
    LFT_OK(lfm2_model_kv_usage(model, &usage));
    return usage;
}

uint64_t lft_kv_page(const lfm2_model *model, int32_t kv)
{
    lfm2_session_options o;
    lfm2_session_options_init(&o, sizeof o);
    o.kv_type = kv;
    lfm2_memory memory = {.size = sizeof memory};
    LFT_OK(lfm2_estimate_memory(model, &o, &memory));
    return memory.kv_page;
}

float *lft_fresh(lfm2_model *reference, int32_t kv, const int32_t *ids, uint32_t n)
{
    size_t vocab = lft_vocab(reference);
    float *out = malloc(n * vocab * sizeof *out);
    assert_non_null(out);
    lfm2_session *session = lft_session(reference, n, 0, kv);
    LFT_OK(lfm2_session_eval(session, ids, n, out));
    lfm2_session_free(session);
    return out;
}

void lft_expect_tokens(const lfm2_session *session, const int32_t *ids, uint32_t n)
{
    assert_int_equal(lfm2_session_length(session), n);
    int32_t *held = malloc((n + 1) * sizeof *held);
    assert_non_null(held);
    LFT_OK(lfm2_session_tokens(session, 0, n, held));
    assert_memory_equal(held, ids, n * sizeof *ids);
    free(held);
}

void lft_expect_logits(lfm2_session *session, const float *expected)
{
    const float *logits = NULL;
    size_t n = 0;
    LFT_OK(lfm2_session_logits(session, &logits, &n));
    assert_memory_equal(logits, expected, n * sizeof *logits);
}

uint32_t lft_start_cached(lfm2_cache *cache, lfm2_session *session, lfm2_model *reference,
                          int32_t kv, const int32_t *ids, uint32_t n)
{
    size_t vocab = lft_vocab(reference);
    float *expected = lft_fresh(reference, kv, ids, n);
    uint32_t reused = UINT32_MAX;
    LFT_OK(lfm2_cache_start(cache, session, ids, n, &reused));
    assert_true(reused <= n);
    lft_expect_tokens(session, ids, reused);
    if (reused < n) {
        const float *none = NULL;
        LFT_FAILS(lfm2_session_logits(session, &none, NULL), LFM2_E_STATE);
        float *out = malloc(n * vocab * sizeof *out);
        assert_non_null(out);
        uint32_t half = (n - reused + 1) / 2;
        LFT_OK(lfm2_session_eval(session, ids + reused, half, out));
        if (half < n - reused) {
            LFT_OK(lfm2_session_eval(session, ids + reused + half, n - reused - half,
                                     out + half * vocab));
        }
        assert_memory_equal(out, expected + reused * vocab, (n - reused) * vocab * sizeof *out);
        free(out);
    }
    lft_expect_tokens(session, ids, n);
    lft_expect_logits(session, expected + (n - 1) * vocab);
    free(expected);
    return reused;
}
