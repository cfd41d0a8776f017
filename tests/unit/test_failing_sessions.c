/* SPDX-License-Identifier: Apache-2.0 */
/* Each allocation of the calls on sessions and batches fails once: the call returns MEMORY, the
 * session is unchanged, nothing leaks, and the same call then succeeds. */
#include "support/failing.h"
#include "support/models.h"

#include "model/workspace.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

#include <fcntl.h>
#include <string.h>
#include <unistd.h>

enum { AT_SEGMENT = 2046 }; /* two tokens less than a segment */

static lft_memory memory;
static lfm2_model *model;

static const int32_t tokens[80] = {5, 6, 7, 8, 9};

/* The workspaces that the model keeps would hide allocations of the next call. */
static int32_t end_of(lfm2_session *s, int32_t status)
{
    lfm2_session_free(s);
    lf_workspace_free_idle(model);
    return status;
}

static int32_t reserved_session(void)
{
    lfm2_session_options o;
    lfm2_session_options_init(&o, sizeof o);
    o.n_reserve = 200;
    lfm2_session *s = NULL;
    int32_t status = lfm2_session_create(model, &o, &s);
    assert_true((s != NULL) == (status == LFM2_OK));
    return end_of(s, status);
}

/* A session with 70 tokens, made while no allocation fails. */
static lfm2_session *session_of_70(void)
{
    long long at = atomic_exchange(&memory.fail_at, 0);
    long long calls = atomic_load(&memory.calls);
    lfm2_session *s = lft_session(model, 200, 0, LFM2_KV_F16);
    LFT_OK(lfm2_session_prefill(s, tokens, 70));
    lf_workspace_free_idle(model);
    atomic_store(&memory.calls, calls);
    atomic_store(&memory.fail_at, at);
    return s;
}

/* After a failure the session has its 70 tokens and their logits, and the same call succeeds. */
static int32_t change(lfm2_session *s, int32_t (*call)(lfm2_session *s), uint32_t length)
{
    const float *before = NULL, *after = NULL;
    LFT_OK(lfm2_session_logits(s, &before, NULL));
    int32_t status = call(s);
    if (status != LFM2_OK) {
        atomic_store(&memory.fail_at, 0);
        assert_int_equal(lfm2_session_length(s), 70);
        LFT_OK(lfm2_session_logits(s, &after, NULL));
        assert_ptr_equal(after, before);
        LFT_OK(call(s));
    }
    assert_int_equal(lfm2_session_length(s), length);
    return status;
}

static int32_t call_prefill(lfm2_session *s)
{
    return lfm2_session_prefill(s, tokens, 80);
}

static int32_t call_decode_many(lfm2_session *s)
{
    return lfm2_session_decode_many(&s, tokens, 1);
}

static int32_t call_rewind(lfm2_session *s)
{
    return lfm2_session_rewind(s, 65);
}

static int32_t call_remove(lfm2_session *s)
{
    lfm2_remove_result result = {.size = sizeof result};
    return lfm2_session_remove(s, 10, 5, &result);
}

static int32_t call_batch(lfm2_session *s)
{
    lfm2_batch *batch = NULL;
    LF_TRY(lfm2_batch_create(model, NULL, &batch));
    lfm2_batch_item item = {
        .size = sizeof item, .session = s, .ids = tokens, .n = 80, .logits = LFM2_LOGITS_LAST};
    int32_t status = lfm2_batch_run(batch, &item, 1);
    assert_int_equal(item.status, status);
    lfm2_batch_free(batch);
    return status;
}

/* Forks, then appends to the fork: it copies the shared page. */
static int32_t call_fork(lfm2_session *s)
{
    lfm2_session *fork = NULL;
    int32_t status = lfm2_session_fork(s, &fork);
    assert_true((fork != NULL) == (status == LFM2_OK));
    if (status == LFM2_OK) {
        status = lfm2_session_decode(fork, 4);
        assert_int_equal(lfm2_session_length(fork), status == LFM2_OK ? 71 : 70);
    }
    lfm2_session_free(fork);
    return status;
}

static int32_t call_save(lfm2_session *s)
{
    return lfm2_session_save(s, lft_temp("session"), LFM2_SAVE_NO_SYNC);
}

static int32_t call_save_memory(lfm2_session *s)
{
    static uint8_t bytes[1 << 20];
    size_t n = 7;
    int32_t status = lfm2_session_save_memory(s, 0, bytes, sizeof bytes, &n);
    assert_true((n == 7) == (status != LFM2_OK));
    return status;
}

static int32_t call_save_fd(lfm2_session *s)
{
    int fd = open("/dev/null", O_WRONLY | O_CLOEXEC);
    assert_true(fd >= 0);
    int32_t status = lfm2_session_save_fd(s, fd, 0);
    close(fd);
    return status;
}

#define CHANGE(name, length)                                                                       \
    static int32_t with_##name(void)                                                               \
    {                                                                                              \
        lfm2_session *s = session_of_70();                                                         \
        return end_of(s, change(s, call_##name, length));                                          \
    }
CHANGE(prefill, 150)
CHANGE(decode_many, 71)
CHANGE(rewind, 65)
CHANGE(remove, 65)
CHANGE(batch, 150)
CHANGE(fork, 70)
CHANGE(save, 70)
CHANGE(save_fd, 70)
CHANGE(save_memory, 70)

/* A session at the end of the first segment of attention, with an n_chunk of 1 and memory that it
 * shares with *fork; made while no allocation fails. */
static lfm2_session *shared_session(lfm2_session **fork)
{
    static uint8_t saved[1 << 22];
    static size_t n_saved;
    long long at = atomic_exchange(&memory.fail_at, 0);
    long long calls = atomic_load(&memory.calls);
    if (n_saved == 0) {
        static const int32_t ids[AT_SEGMENT];
        lfm2_session *first = lft_session(model, AT_SEGMENT, 0, LFM2_KV_F16);
        LFT_OK(lfm2_session_prefill(first, ids, AT_SEGMENT));
        LFT_OK(lfm2_session_save_memory(first, 0, saved, sizeof saved, &n_saved));
        lfm2_session_free(first);
    }
    lfm2_restore_options o;
    lfm2_restore_options_init(&o, sizeof o);
    o.n_chunk = 1;
    lfm2_session *s = NULL;
    LFT_OK(lfm2_session_restore_memory(model, saved, n_saved, &o, &s));
    LFT_OK(lfm2_session_fork(s, fork));
    lf_workspace_free_idle(model);
    atomic_store(&memory.calls, calls);
    atomic_store(&memory.fail_at, at);
    return s;
}

/* Several passes. Each could need memory: the first two for their own convolution history, the
 * third for another segment, the last for logits. */
static int32_t with_chunks(void)
{
    lfm2_session *fork = NULL;
    lfm2_session *s = shared_session(&fork);
    const float *before = NULL, *after = NULL;
    LFT_OK(lfm2_session_logits(s, &before, NULL));
    int32_t status = lfm2_session_prefill(s, tokens, 4);
    if (status != LFM2_OK) {
        atomic_store(&memory.fail_at, 0);
        assert_int_equal(lfm2_session_length(s), AT_SEGMENT);
        LFT_OK(lfm2_session_logits(s, &after, NULL));
        assert_ptr_equal(after, before);
        LFT_OK(lfm2_session_prefill(s, tokens, 4));
    }
    assert_int_equal(lfm2_session_length(s), AT_SEGMENT + 4);
    lfm2_session_free(fork);
    return end_of(s, status);
}

/* From the file of with_save. */
static int32_t restored(void)
{
    lfm2_session *s = NULL;
    int32_t status = lfm2_session_restore(model, lft_temp("session"), NULL, &s);
    assert_true((s != NULL) == (status == LFM2_OK));
    return end_of(s, status);
}

static int32_t restored_fd(void)
{
    int fd = open(lft_temp("session"), O_RDONLY | O_CLOEXEC);
    assert_true(fd >= 0);
    lfm2_restore_options o;
    lfm2_restore_options_init(&o, sizeof o);
    o.n_reserve = 100;
    lfm2_session *s = NULL;
    int32_t status = lfm2_session_restore_fd(model, fd, &o, &s);
    assert_true((s != NULL) == (status == LFM2_OK));
    close(fd);
    return end_of(s, status);
}

/* ---- Prefix cache ---- */

static int32_t cache_create(void)
{
    lfm2_cache *cache = NULL;
    int32_t status = lfm2_cache_create(model, NULL, &cache);
    assert_true((cache != NULL) == (status == LFM2_OK));
    lfm2_cache_free(cache);
    return status;
}

/* A session of 70 tokens is stored, in two pages; the session stays as it is. */
static int32_t cache_insert(void)
{
    lfm2_session *s = session_of_70();
    long long at = atomic_exchange(&memory.fail_at, 0);
    lfm2_cache *cache = NULL;
    LFT_OK(lfm2_cache_create(model, NULL, &cache));
    atomic_store(&memory.calls, 0);
    atomic_store(&memory.fail_at, at);
    int32_t status = lfm2_cache_insert(cache, s, 0);
    if (status != LFM2_OK) {
        atomic_store(&memory.fail_at, 0);
        assert_int_equal(lfm2_session_length(s), 70);
        LFT_OK(lfm2_cache_insert(cache, s, 0));
    }
    lfm2_cache_usage usage = {.size = sizeof usage};
    LFT_OK(lfm2_cache_get_usage(cache, &usage));
    assert_int_equal(usage.pages, 2);
    assert_int_equal(usage.checkpoints, 1);
    lfm2_cache_free(cache);
    return end_of(s, status);
}

/* A session starts in the middle of a page, which needs a pass, and continues. */
static int32_t cache_start(void)
{
    lfm2_session *s = session_of_70();
    long long at = atomic_exchange(&memory.fail_at, 0);
    lfm2_cache *cache = NULL;
    LFT_OK(lfm2_cache_create(model, NULL, &cache));
    LFT_OK(lfm2_cache_insert(cache, s, 0));
    LFT_OK(lfm2_session_reset(s));
    lf_workspace_free_idle(model);
    atomic_store(&memory.calls, 0);
    atomic_store(&memory.fail_at, at);
    int32_t ids[67];
    memcpy(ids, tokens, 66 * sizeof *ids);
    ids[66] = 9;
    uint32_t reused = 0;
    int32_t status = lfm2_cache_start(cache, s, ids, 67, &reused);
    if (status != LFM2_OK) {
        atomic_store(&memory.fail_at, 0);
        assert_int_equal(lfm2_session_length(s), 0);
        LFT_OK(lfm2_cache_start(cache, s, ids, 67, &reused));
    }
    assert_int_equal(reused, 66);
    lfm2_cache_free(cache);
    return end_of(s, status);
}

/* A cache with a folder, which has a file of 70 tokens; made while no allocation fails. */
static lfm2_cache *cache_with_folder(void)
{
    long long at = atomic_exchange(&memory.fail_at, 0);
    lfm2_cache_options o;
    lfm2_cache_options_init(&o, sizeof o);
    o.folder = lft_temp("prefixes");
    lfm2_cache *cache = NULL;
    LFT_OK(lfm2_cache_create(model, &o, &cache));
    lfm2_session *s = session_of_70();
    LFT_OK(lfm2_cache_save(cache, s));
    lfm2_session_free(s);
    lfm2_cache_free(cache);
    LFT_OK(lfm2_cache_create(model, &o, &cache));
    atomic_store(&memory.calls, 0);
    atomic_store(&memory.fail_at, at);
    return cache;
}

static int32_t cache_folder(void)
{
    lfm2_cache_options o;
    lfm2_cache_options_init(&o, sizeof o);
    o.folder = lft_temp("prefixes");
    lfm2_cache *cache = NULL;
    int32_t status = lfm2_cache_create(model, &o, &cache);
    assert_true((cache != NULL) == (status == LFM2_OK));
    lfm2_cache_free(cache);
    return status;
}

/* A session of other tokens is saved; the index gets an entry, too. */
static int32_t cache_save(void)
{
    lfm2_session *s = session_of_70();
    lfm2_cache *cache = cache_with_folder();
    long long at = atomic_exchange(&memory.fail_at, 0);
    LFT_OK(lfm2_session_decode(s, 11));
    lf_workspace_free_idle(model);
    atomic_store(&memory.calls, 0);
    atomic_store(&memory.fail_at, at);
    int32_t status = lfm2_cache_save(cache, s);
    atomic_store(&memory.fail_at, 0);
    long long calls = atomic_load(&memory.calls);
    LFT_OK(lfm2_cache_set_budget(cache, 0, 1)); /* deletes it */
    atomic_store(&memory.calls, calls);
    lfm2_cache_free(cache);
    return end_of(s, status);
}

/* A session starts from a file, which needs a pass. */
static int32_t cache_read(void)
{
    lfm2_cache *cache = cache_with_folder();
    lfm2_session_options o;
    lfm2_session_options_init(&o, sizeof o);
    lfm2_session *s = NULL;
    int32_t status = lfm2_session_create(model, &o, &s);
    uint32_t reused = 0;
    if (status == LFM2_OK) {
        status = lfm2_cache_start(cache, s, tokens, 68, &reused);
        if (status != LFM2_OK) {
            atomic_store(&memory.fail_at, 0);
            assert_int_equal(lfm2_session_length(s), 0);
            LFT_OK(lfm2_cache_start(cache, s, tokens, 68, &reused));
        }
        /* The first page may be in memory by now; then the file is not worth a read. */
        assert_true(reused == 67 || (status != LFM2_OK && reused == 64));
    }
    lfm2_cache_free(cache);
    return end_of(s, status);
}

static void test_cache(void **state)
{
    (void)state;
    lft_failing_call *const calls[] = {cache_create, cache_insert, cache_start,
                                       cache_folder, cache_save,   cache_read};
    for (size_t i = 0; i < sizeof calls / sizeof calls[0]; i++) {
        lft_check_failing(&memory, calls[i], NULL);
    }
}

static void test_sessions(void **state)
{
    (void)state;
    lft_failing_call *const calls[] = {reserved_session, with_prefill, with_decode_many,
                                       with_rewind,      with_remove,  with_batch,
                                       with_fork,        with_chunks};
    for (size_t i = 0; i < sizeof calls / sizeof calls[0]; i++) {
        lft_check_failing(&memory, calls[i], NULL);
    }
    lft_check_failing(&memory, with_save_fd, NULL);
    lft_check_failing(&memory, with_save_memory, NULL);
    lft_check_failing(&memory, with_save, NULL);
    LFT_OK(with_save());
    lft_check_failing(&memory, restored, NULL);
    lft_check_failing(&memory, restored_fd, NULL);
}

/* No page counts as used that does not exist. */
static void test_used(void **state)
{
    (void)state;
    lfm2_kv_usage usage = {.size = sizeof usage};
    LFT_OK(lfm2_model_kv_usage(model, &usage));
    assert_int_equal(usage.used, 0);
}

static int begin(void **state)
{
    (void)state;
    lfm2_runtime_options o;
    lfm2_runtime_options_init(&o, sizeof o);
    o.n_threads = 1;
    o.alloc = lft_memory_alloc;
    o.free = lft_memory_free;
    o.alloc_user = &memory;
    lfm2_runtime *runtime = NULL;
    LFT_OK(lfm2_runtime_create(&o, &runtime));
    model = lft_load(runtime, lft_tiny("q4_0"));
    lfm2_runtime_free(runtime);
    return 0;
}

/* The last test: cmocka ignores failures of teardowns. */
static void test_freed(void **state)
{
    (void)state;
    lfm2_model_free(model);
    lft_end();
    assert_int_equal(atomic_load(&memory.live_blocks), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_sessions),
                                       cmocka_unit_test(test_cache), cmocka_unit_test(test_used),
                                       cmocka_unit_test(test_freed)};
    return cmocka_run_group_tests(tests, begin, NULL);
}
