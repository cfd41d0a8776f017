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
#include <unistd.h>

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
    size_t n = 0;
    return lfm2_session_save_memory(s, 0, bytes, sizeof bytes, &n);
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

static void test_sessions(void **state)
{
    (void)state;
    lft_failing_call *const calls[] = {reserved_session, with_prefill, with_decode_many,
                                       with_rewind,      with_remove,  with_batch,
                                       with_fork};
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

static int end(void **state)
{
    (void)state;
    lfm2_model_free(model);
    lft_end();
    assert_int_equal(atomic_load(&memory.live_blocks), 0);
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_sessions)};
    return cmocka_run_group_tests(tests, begin, end);
}
