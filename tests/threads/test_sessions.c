/* SPDX-License-Identifier: Apache-2.0 */
/* Several threads with one runtime and one model, through the public API alone: sessions in
 * different threads generate the same text, any thread may free an object, and another thread can
 * cancel a session. Also for the thread sanitizer. */
#include <limits.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "lfm2_tools.h"

enum { N_USERS = 4, N_PROMPT = 40, N_GENERATED = 12 };

static struct {
    char folder[64], path[96];
    lfm2_runtime *runtime;
    lfm2_model *model;
    uint32_t n_vocab;
} shared;

static int fail_setup(const char *what)
{
    fprintf(stderr, "%s: %s\n", what, lfm2_last_error());
    return -1;
}

static int setup(void **state)
{
    (void)state;
    strcpy(shared.folder, "/tmp/lfm2-threads-XXXXXX");
    if (mkdtemp(shared.folder) == NULL) {
        return -1;
    }
    snprintf(shared.path, sizeof shared.path, "%s/tiny.gguf", shared.folder);
    lfm2_runtime_options options;
    lfm2_runtime_options_init(&options, sizeof options);
    options.n_threads = 2; /* no more than most machines have, so they spin */
    if (lfm2_runtime_create(&options, &shared.runtime) != LFM2_OK) {
        return fail_setup("runtime");
    }
    if (lfm2_synthesize(shared.runtime, "tiny", 7, shared.path, NULL) != LFM2_OK) {
        return fail_setup("synthesize");
    }
    if (lfm2_model_load(shared.runtime, shared.path, NULL, &shared.model) != LFM2_OK) {
        return fail_setup("load");
    }
    lfm2_model_info info = {.size = sizeof info};
    if (lfm2_model_get_info(shared.model, &info) != LFM2_OK) {
        return fail_setup("info");
    }
    shared.n_vocab = info.n_vocab;
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    lfm2_model_free(shared.model);
    lfm2_runtime_free(shared.runtime);
    unlink(shared.path);
    rmdir(shared.folder);
    return 0;
}

/* ---- The same text in every thread ---- */

typedef struct user {
    lfm2_model *model; /* a reference that the thread drops */
    int32_t status;
    int32_t ids[N_GENERATED];
    float last_logits[8];
} user;

static int32_t run_greedily(lfm2_session *session, user *u)
{
    int32_t prompt[N_PROMPT];
    for (int32_t i = 0; i < N_PROMPT; i++) {
        prompt[i] = (int32_t)((uint32_t)(i * 37 + 11) % shared.n_vocab);
    }
    int32_t status = lfm2_session_prefill(session, prompt, N_PROMPT);
    for (int i = 0; status == LFM2_OK && i < N_GENERATED; i++) {
        const float *logits = NULL;
        size_t n = 0;
        status = lfm2_session_logits(session, &logits, &n);
        if (status != LFM2_OK) {
            break;
        }
        size_t best = 0;
        for (size_t j = 1; j < n; j++) {
            best = logits[j] > logits[best] ? j : best;
        }
        u->ids[i] = (int32_t)best;
        memcpy(u->last_logits, logits, sizeof u->last_logits);
        status = lfm2_session_decode(session, u->ids[i]);
    }
    return status;
}

static void *use_model(void *argument)
{
    user *u = argument;
    lfm2_session *session = NULL;
    u->status = lfm2_session_create(u->model, NULL, &session);
    if (u->status == LFM2_OK) {
        u->status = run_greedily(session, u);
    }
    lfm2_session_free(session);
    /* The error message belongs to the thread that failed. */
    lfm2_model *none = NULL;
    char missing[96];
    snprintf(missing, sizeof missing, "%s/missing.gguf", shared.folder);
    if (u->status == LFM2_OK && (lfm2_model_load(shared.runtime, missing, NULL, &none) == LFM2_OK ||
                                 strstr(lfm2_last_error(), "lfm2-threads") == NULL)) {
        u->status = LFM2_E_INTERNAL;
    }
    lfm2_model_free(u->model);
    return NULL;
}

static void test_same_text(void **state)
{
    (void)state;
    static user users[N_USERS];
    pthread_t threads[N_USERS];
    for (int i = 0; i < N_USERS; i++) {
        users[i] = (user){.model = lfm2_model_retain(shared.model)};
        assert_int_equal(pthread_create(&threads[i], NULL, use_model, &users[i]), 0);
    }
    for (int i = 0; i < N_USERS; i++) {
        pthread_join(threads[i], NULL);
    }
    for (int i = 0; i < N_USERS; i++) {
        assert_int_equal(users[i].status, LFM2_OK);
        assert_memory_equal(users[i].ids, users[0].ids, sizeof users[0].ids);
        assert_memory_equal(users[i].last_logits, users[0].last_logits,
                            sizeof users[0].last_logits);
    }
}

/* ---- Cancelling from another thread ---- */

typedef struct canceller {
    lfm2_session *session;
    int most; /* requests */
    atomic_bool stop;
} canceller;

static void *keep_cancelling(void *argument)
{
    canceller *c = argument;
    for (int i = 0; i < c->most && !atomic_load(&c->stop); i++) {
        lfm2_session_cancel(c->session);
        nanosleep(&(struct timespec){.tv_nsec = 200000}, NULL);
    }
    return NULL;
}

static void test_cancel(void **state)
{
    (void)state;
    canceller c = {.most = INT_MAX};
    atomic_init(&c.stop, false);
    assert_int_equal(lfm2_session_create(shared.model, NULL, &c.session), LFM2_OK);
    pthread_t thread;
    assert_int_equal(pthread_create(&thread, NULL, keep_cancelling, &c), 0);

    int32_t status = LFM2_OK;
    for (int i = 0; i < 200000 && status == LFM2_OK; i++) {
        status = lfm2_session_decode(c.session, 3);
        if (lfm2_session_length(c.session) + 1 >= lfm2_session_capacity(c.session)) {
            assert_int_equal(lfm2_session_reset(c.session), LFM2_OK);
        }
    }
    atomic_store(&c.stop, true);
    pthread_join(thread, NULL);
    assert_int_equal(status, LFM2_E_CANCELLED);

    /* A request after the failed call cancels the next call. */
    status = lfm2_session_decode(c.session, 3);
    assert_true(status == LFM2_OK || status == LFM2_E_CANCELLED);
    assert_int_equal(lfm2_session_reset(c.session), LFM2_OK);
    user before = {0}, after = {0};
    assert_int_equal(run_greedily(c.session, &before), LFM2_OK);
    lfm2_session_free(c.session);

    lfm2_session *fresh = NULL;
    assert_int_equal(lfm2_session_create(shared.model, NULL, &fresh), LFM2_OK);
    assert_int_equal(run_greedily(fresh, &after), LFM2_OK);
    assert_memory_equal(before.ids, after.ids, sizeof after.ids);
    lfm2_session_free(fresh);
}

/* ---- Many sessions in one pass ---- */

enum { N_BATCH = 5 };

typedef struct batch {
    lfm2_session *sessions[N_BATCH];
    int32_t status;
    int cancels;
    float last_logits[N_BATCH][8];
} batch;

/* Decodes the same tokens in every thread; repeats cancelled steps. */
static void *decode_together(void *argument)
{
    batch *c = argument;
    for (int32_t step = 0; step < N_GENERATED && c->status == LFM2_OK;) {
        int32_t ids[N_BATCH];
        for (int32_t i = 0; i < N_BATCH; i++) {
            ids[i] = (int32_t)((uint32_t)(step * 31 + i * 7 + 3) % shared.n_vocab);
        }
        c->status = lfm2_session_decode_many(c->sessions, ids, N_BATCH);
        if (c->status == LFM2_E_CANCELLED && c->cancels < 1000) {
            c->status = LFM2_OK;
            c->cancels++;
        } else {
            step++;
        }
    }
    for (int i = 0; i < N_BATCH && c->status == LFM2_OK; i++) {
        const float *logits = NULL;
        do { /* a late request cancels this call */
            c->status = lfm2_session_logits(c->sessions[i], &logits, NULL);
        } while (c->status == LFM2_E_CANCELLED);
        if (c->status == LFM2_OK) {
            memcpy(c->last_logits[i], logits, sizeof c->last_logits[i]);
        }
    }
    return NULL;
}

static void open_batch(batch *c)
{
    for (int i = 0; i < N_BATCH; i++) {
        assert_int_equal(lfm2_session_create(shared.model, NULL, &c->sessions[i]), LFM2_OK);
    }
}

static void close_batch(batch *c)
{
    for (int i = 0; i < N_BATCH; i++) {
        lfm2_session_free(c->sessions[i]);
    }
}

/* Two threads with a batch each; a third cancels a session of one of them. */
static void test_batches(void **state)
{
    (void)state;
    static batch alone, undisturbed, cancelled;
    open_batch(&alone);
    decode_together(&alone);
    assert_int_equal(alone.status, LFM2_OK);
    open_batch(&undisturbed);
    open_batch(&cancelled);
    canceller c = {.session = cancelled.sessions[3], .most = 100};
    atomic_init(&c.stop, false);
    pthread_t threads[3];
    assert_int_equal(pthread_create(&threads[0], NULL, decode_together, &undisturbed), 0);
    assert_int_equal(pthread_create(&threads[1], NULL, decode_together, &cancelled), 0);
    assert_int_equal(pthread_create(&threads[2], NULL, keep_cancelling, &c), 0);
    for (int i = 0; i < 3; i++) {
        pthread_join(threads[i], NULL);
    }
    assert_int_equal(undisturbed.status, LFM2_OK);
    assert_int_equal(undisturbed.cancels, 0);
    assert_int_equal(cancelled.status, LFM2_OK);
    assert_memory_equal(undisturbed.last_logits, alone.last_logits, sizeof alone.last_logits);
    assert_memory_equal(cancelled.last_logits, alone.last_logits, sizeof alone.last_logits);
    close_batch(&alone);
    close_batch(&undisturbed);
    close_batch(&cancelled);
}

/* ---- Freeing in other threads ---- */

static void *free_model(void *model)
{
    lfm2_model_free(model);
    return NULL;
}

static void test_freed_elsewhere(void **state)
{
    (void)state;
    lfm2_runtime *runtime = NULL;
    lfm2_model *model = NULL;
    assert_int_equal(lfm2_runtime_create(NULL, &runtime), LFM2_OK);
    assert_int_equal(lfm2_model_load(runtime, shared.path, NULL, &model), LFM2_OK);
    lfm2_runtime_free(runtime); /* the model holds a reference */
    pthread_t threads[N_USERS];
    for (int i = 0; i < N_USERS; i++) {
        void *reference = i == 0 ? model : lfm2_model_retain(model);
        if (i == 0) {
            lfm2_model_retain(model); /* so that later references come from a live one */
        }
        assert_int_equal(pthread_create(&threads[i], NULL, free_model, reference), 0);
    }
    for (int i = 0; i < N_USERS; i++) {
        pthread_join(threads[i], NULL);
    }
    lfm2_model_free(model);
}

/* ---- Prefetch policies are measured, shown and forced meanwhile ---- */

enum { N_LONG = 530 }; /* tokens whose keys and values are enough to be measured */

static void *use_long_context(void *argument)
{
    user *u = argument;
    int32_t ids[N_LONG];
    for (int32_t i = 0; i < N_LONG; i++) {
        ids[i] = (int32_t)((uint32_t)(i * 37 + 11) % shared.n_vocab);
    }
    lfm2_session *session = NULL;
    const float *logits = NULL;
    size_t n = 0;
    u->status = lfm2_session_create(u->model, NULL, &session);
    for (int i = 0; i < 3 && u->status == LFM2_OK; i++) {
        u->status = lfm2_session_reset(session);
        if (u->status == LFM2_OK) {
            u->status = lfm2_session_prefill(session, ids, N_LONG);
        }
        for (int d = 0; d < N_GENERATED && u->status == LFM2_OK; d++) {
            u->status = lfm2_session_decode(session, ids[d]);
        }
    }
    if (u->status == LFM2_OK) {
        u->status = lfm2_session_logits(session, &logits, &n);
    }
    if (u->status == LFM2_OK) {
        memcpy(u->last_logits, logits, sizeof u->last_logits);
    }
    lfm2_session_free(session);
    lfm2_model_free(u->model);
    return NULL;
}

/* The users of a model compute the same; returns how many entries were measured. */
static uint32_t use_together(lfm2_runtime *runtime, lfm2_model *model, float logits[8])
{
    static user users[N_USERS];
    pthread_t threads[N_USERS];
    for (int i = 0; i < N_USERS; i++) {
        users[i] = (user){.model = lfm2_model_retain(model)};
        assert_int_equal(pthread_create(&threads[i], NULL, use_long_context, &users[i]), 0);
    }
    lfm2_prefetch_info info = {.size = sizeof info};
    for (uint32_t i = 0; i < 1000; i++) {
        assert_int_equal(lfm2_runtime_set_prefetch(runtime, i % 10 == 0 ? "none" : NULL), LFM2_OK);
        if (lfm2_prefetch_get(runtime, i % 8, &info) == LFM2_OK) {
            assert_true((info.bytes_per_second > 0 && info.relative_time >= 1) ||
                        (info.bytes_per_second == 0 && info.relative_time == 0));
        }
    }
    for (int i = 0; i < N_USERS; i++) {
        assert_int_equal(pthread_join(threads[i], NULL), 0);
        assert_int_equal(users[i].status, LFM2_OK);
        assert_memory_equal(users[i].last_logits, users[0].last_logits,
                            sizeof users[0].last_logits);
    }
    memcpy(logits, users[0].last_logits, sizeof users[0].last_logits);
    uint32_t n = 0;
    for (uint32_t i = 0; lfm2_prefetch_get(runtime, i, &info) == LFM2_OK; i++) {
        n += info.bytes_per_second > 0;
    }
    return n;
}

static void test_prefetch(void **state)
{
    (void)state;
    float taking_turns[8], at_once[8];
    lfm2_runtime_options options;
    lfm2_runtime_options_init(&options, sizeof options);
    options.n_threads = 1;
    lfm2_runtime *runtime = NULL;
    lfm2_model *model = NULL;
    assert_int_equal(lfm2_runtime_create(&options, &runtime), LFM2_OK);
    assert_int_equal(lfm2_model_load(runtime, shared.path, NULL, &model), LFM2_OK);
    assert_true(use_together(runtime, model, at_once) > 0);
    assert_true(use_together(shared.runtime, shared.model, taking_turns) > 0);
    assert_memory_equal(at_once, taking_turns, sizeof at_once);
    lfm2_model_free(model);
    lfm2_runtime_free(runtime);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_same_text),       cmocka_unit_test(test_cancel),
        cmocka_unit_test(test_batches),         cmocka_unit_test(test_prefetch),
        cmocka_unit_test(test_freed_elsewhere),
    };
    return cmocka_run_group_tests(tests, setup, teardown);
}
