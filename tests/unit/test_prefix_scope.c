/* SPDX-License-Identifier: Apache-2.0 */
/* Scopes: a prefix cache gives a session only what sessions of its scope have stored, in memory and
 * in a folder, also for another process. */
#include "support/sessions.h"

#include "run/prefix_folder.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { N = 150 };

static const uint64_t scopes[] = {0, 1, 1ULL << 31, UINT64_MAX};
enum { N_SCOPES = sizeof scopes / sizeof scopes[0] };

static lfm2_model *model;
static int32_t *ids;

static lfm2_session *open_session(uint64_t scope)
{
    lfm2_session_options o;
    lfm2_session_options_init(&o, sizeof o);
    o.n_ctx = N;
    o.cache_scope = scope;
    lfm2_session *session = NULL;
    LFT_OK(lfm2_session_create(model, &o, &session));
    return session;
}

static uint32_t reused(lfm2_cache *cache, uint64_t scope)
{
    lfm2_session *s = open_session(scope);
    uint32_t n = lft_start_cached(cache, s, model, LFM2_KV_F16, ids, N);
    lfm2_session_free(s);
    return n;
}

static void test_memory(void **state)
{
    (void)state;
    lfm2_cache *cache = lft_cache(model, UINT64_MAX);
    for (int i = 0; i < N_SCOPES; i++) {
        for (int other = i; other < N_SCOPES; other++) {
            assert_int_equal(reused(cache, scopes[other]), 0);
        }
        lfm2_session *s = open_session(scopes[i]);
        LFT_OK(lfm2_session_prefill(s, ids, N));
        LFT_OK(lfm2_cache_insert(cache, s, 0));
        lfm2_session_free(s);
        assert_int_equal(reused(cache, scopes[i]), N);
        assert_int_equal(lft_cache_usage(cache).pages, 3 * (i + 1));
    }
    lfm2_cache_free(cache);
}

/* What a fork stores has the scope of its session, also after a reset. */
static void test_fork(void **state)
{
    (void)state;
    lfm2_cache *cache = lft_cache(model, UINT64_MAX);
    lfm2_session *s = open_session(5);
    lfm2_session *fork = NULL;
    LFT_OK(lfm2_session_fork(s, &fork));
    lfm2_session_free(s);
    LFT_OK(lfm2_session_prefill(fork, ids, 10));
    LFT_OK(lfm2_session_reset(fork));
    LFT_OK(lfm2_session_prefill(fork, ids, N));
    LFT_OK(lfm2_cache_insert(cache, fork, 0));
    lfm2_session_free(fork);
    assert_int_equal(reused(cache, 0), 0);
    assert_int_equal(reused(cache, 5), N);
    lfm2_cache_free(cache);
}

static lfm2_cache *open_cache(void)
{
    lfm2_cache_options o;
    lfm2_cache_options_init(&o, sizeof o);
    o.ram_bytes = UINT64_MAX;
    o.folder = lft_temp("scopes");
    lfm2_cache *cache = NULL;
    LFT_OK(lfm2_cache_create(model, &o, &cache));
    return cache;
}

static void test_folder(void **state)
{
    (void)state;
    for (int i = 0; i < N_SCOPES; i++) {
        lfm2_cache *cache = open_cache();
        for (int other = i; other < N_SCOPES; other++) {
            assert_int_equal(reused(cache, scopes[other]), 0);
        }
        lfm2_session *s = open_session(scopes[i]);
        LFT_OK(lfm2_session_prefill(s, ids, N));
        LFT_OK(lfm2_cache_save(cache, s));
        lfm2_session_free(s);
        assert_int_equal(lft_cache_usage(cache).files, i + 1);
        lfm2_cache_free(cache);
    }
    lfm2_cache *cache = open_cache(); /* all files are read again */
    for (int i = 0; i < N_SCOPES; i++) {
        assert_int_equal(reused(cache, scopes[i]), N);
    }
    assert_int_equal(reused(cache, 77), 0);
    assert_int_equal(lft_cache_usage(cache).files_read, N_SCOPES);
    assert_int_equal(lft_cache_usage(cache).files_bad, 0);
    lfm2_cache_free(cache);
}

static void test_names(void **state)
{
    (void)state;
    static const char *const bad[] = {"0123456789abcdef-0123456789abcdef-0000000000000000.lfm2kv",
                                      "0123456789abcdef-0123456789abcdef-000000000000001.lfm2kv",
                                      "0123456789abcdef-0123456789abcdef-.lfm2kv",
                                      "0123456789abcdef-0123456789abcdef-0000000000000001",
                                      "0123456789abcdef-0123456789abcdef"};
    lf_disk_name name;
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        assert_false(lf_folder_parse(bad[i], &name));
    }
    for (int i = 0; i < N_SCOPES; i++) {
        char path[LF_FOLDER_PATH];
        const lf_disk_name written = {5, 6, scopes[i]};
        lf_folder_path("x", &written, path);
        assert_true(lf_folder_parse(path + 2, &name));
        assert_memory_equal(&name, &written, sizeof name);
        assert_true(strlen(path + 2) < LF_FOLDER_NAME);
    }
}

static int setup(void **state)
{
    (void)state;
    model = lft_open(lft_tiny("q8_0"), 1, LFM2_KERNELS_AUTO, 0);
    ids = lft_ids(N, lft_vocab(model), 1);
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    free(ids);
    lfm2_model_free(model);
    lft_end();
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_memory),
        cmocka_unit_test(test_fork),
        cmocka_unit_test(test_folder),
        cmocka_unit_test(test_names),
    };
    return cmocka_run_group_tests(tests, setup, teardown);
}
