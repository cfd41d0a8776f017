/* SPDX-License-Identifier: Apache-2.0 */
/* Engines and threads: several threads submit, cancel and ask for numbers while the thread of the
 * engine computes and another one takes events; freeing an engine with requests; the child of a
 * fork. */
#include "support/engines.h"

#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

enum { N_CTX = 300, N = 120, CLIENTS = 3, EACH = 12, KINDS = 4, SECONDS = 120 };

static lfm2_model *model; /* the demo model, with 2 threads */
static int32_t *ids;
static lfm2_request_options kinds[KINDS];
static lft_text alone[KINDS];
static lft_outcomes outcomes;

static lfm2_engine *open_engine(uint32_t flags, void (*notify)(void *user), void *user)
{
    lfm2_engine_options o;
    lfm2_engine_options_init(&o, sizeof o);
    o.n_ctx = N_CTX;
    o.flags = flags;
    o.step_ms = 5;
    o.notify = notify;
    o.notify_user = user;
    return lft_engine(model, &o);
}

/* ---- Clients ---- */

typedef struct client {
    pthread_t thread;
    lfm2_engine *engine;
    uint64_t seed;
    atomic_int kind_of[LFT_MOST_REQUESTS]; /* of its requests; 0: not its */
    atomic_bool cancelled[LFT_MOST_REQUESTS];
} client;

static void *run_client(void *argument)
{
    client *c = argument;
    for (int i = 0; i < EACH; i++) {
        int kind = (int)(lft_random(&c->seed) % KINDS);
        uint64_t id = 0;
        if (lfm2_engine_submit(c->engine, &kinds[kind], &id) != LFM2_OK) {
            return c;
        }
        atomic_store(&c->kind_of[id], kind + 1);
        if (lft_random(&c->seed) % 4 == 0) {
            atomic_store(&c->cancelled[id], true);
            nanosleep(&(struct timespec){0, (long)(lft_random(&c->seed) % 3000000)}, NULL);
            lfm2_engine_cancel(c->engine, id);
        }
        lfm2_engine_stats stats = {.size = sizeof stats};
        if (lfm2_engine_get_stats(c->engine, &stats) != LFM2_OK) {
            return c;
        }
    }
    return NULL;
}

static void count_call(void *user)
{
    atomic_fetch_add((atomic_int *)user, 1);
}

static void test_clients(void **state)
{
    (void)state;
    static client clients[CLIENTS];
    atomic_int calls = 0;
    lfm2_engine *engine = open_engine(LFM2_ENGINE_THREAD, count_call, &calls);
    for (int i = 0; i < CLIENTS; i++) {
        clients[i].engine = engine;
        clients[i].seed = (uint64_t)i + 1;
        assert_int_equal(pthread_create(&clients[i].thread, NULL, run_client, &clients[i]), 0);
    }
    for (int ended = 0; ended < CLIENTS * EACH;) {
        lfm2_engine_event e = {.size = sizeof e};
        LFT_OK(lfm2_engine_wait(engine, 60000, &e));
        assert_int_not_equal(e.kind, LFM2_EVENT_NONE);
        lft_note(&outcomes, &e);
        ended += e.kind == LFM2_EVENT_END;
    }
    lfm2_engine_event e = {.size = sizeof e};
    LFT_OK(lfm2_engine_wait(engine, 1, &e));
    assert_int_equal(e.kind, LFM2_EVENT_NONE);
    assert_true(atomic_load(&calls) > 0);
    int compared = 0;
    for (int i = 0; i < CLIENTS; i++) {
        void *failed = NULL;
        pthread_join(clients[i].thread, &failed);
        assert_null(failed);
        for (int id = 1; id <= CLIENTS * EACH; id++) {
            int kind = atomic_load(&clients[i].kind_of[id]) - 1;
            const lft_outcome *of = &outcomes.of[id];
            if (kind < 0 ||
                (of->status == LFM2_E_CANCELLED && atomic_load(&clients[i].cancelled[id]))) {
                continue;
            }
            assert_int_equal(of->status, LFM2_OK);
            lft_expect_text(&of->choices[0], &alone[kind]);
            compared++;
        }
    }
    assert_true(compared > CLIENTS * EACH / 2);
    lft_outcomes_free(&outcomes);
    lfm2_engine_free(engine);
}

/* Requests that run and wait end without events. */
static void test_freed(void **state)
{
    (void)state;
    for (long wait = 0; wait <= 4000000; wait += 1000000) {
        lfm2_engine *engine = open_engine(LFM2_ENGINE_THREAD, NULL, NULL);
        for (int i = 0; i < 8; i++) {
            lft_submit(engine, &kinds[i % KINDS]);
        }
        nanosleep(&(struct timespec){0, wait}, NULL);
        lfm2_engine_event e = {.size = sizeof e};
        LFT_OK(lfm2_engine_next(engine, &e));
        lfm2_engine_free(engine);
    }
    lfm2_kv_usage usage = {.size = sizeof usage};
    LFT_OK(lfm2_model_kv_usage(model, &usage));
    assert_int_equal(usage.used, 0);
}

/* Two threads make steps: each call is a step or STATE. */
static void *make_steps(void *argument)
{
    for (int i = 0; i < 200; i++) {
        int32_t status = lfm2_engine_step(argument, NULL);
        if (status != LFM2_OK && status != LFM2_E_STATE) {
            return argument;
        }
    }
    return NULL;
}

static void test_steps(void **state)
{
    (void)state;
    lfm2_engine *engine = open_engine(0, NULL, NULL);
    for (int i = 0; i < KINDS; i++) {
        lft_submit(engine, &kinds[i]);
    }
    pthread_t thread;
    void *failed = NULL;
    assert_int_equal(pthread_create(&thread, NULL, make_steps, engine), 0);
    assert_null(make_steps(engine));
    pthread_join(thread, &failed);
    assert_null(failed);
    lft_run_engine(engine, &outcomes);
    for (int i = 0; i < KINDS; i++) {
        lft_expect_text(&outcomes.of[i + 1].choices[0], &alone[i]);
    }
    lft_outcomes_free(&outcomes);
    lfm2_engine_free(engine);
}

/* ---- Fork ---- */

/* Returns 0 if every call of the child fails as it should, else its number. */
static int use_in_child(lfm2_engine *engine)
{
    uint64_t id = 0;
    lfm2_engine_event e = {.size = sizeof e};
    lfm2_engine_stats stats = {.size = sizeof stats};
    lfm2_session *session = NULL;
    const int32_t statuses[] = {
        lfm2_engine_submit(engine, &kinds[0], &id),
        lfm2_engine_cancel(engine, 1),
        lfm2_engine_step(engine, NULL),
        lfm2_engine_next(engine, &e),
        lfm2_engine_wait(engine, 1000, &e),
        lfm2_engine_take_session(engine, 1, &session),
        lfm2_engine_get_stats(engine, &stats),
    };
    for (int i = 0; i < (int)(sizeof statuses / sizeof statuses[0]); i++) {
        if (statuses[i] != LFM2_E_STATE || strcmp(lfm2_last_error_code(), "engine.forked") != 0) {
            return i + 1;
        }
    }
    lfm2_engine_free(engine);
    return 0;
}

static void test_fork(void **state)
{
    (void)state;
    for (int i = 0; i < 10; i++) {
        lfm2_engine *engine = open_engine(i % 2 == 0 ? LFM2_ENGINE_THREAD : 0, NULL, NULL);
        for (int r = 0; r < i; r++) {
            lft_submit(engine, &kinds[r % KINDS]);
        }
        nanosleep(&(struct timespec){0, i * 500000}, NULL);
        pid_t child = fork();
        assert_true(child >= 0);
        if (child == 0) {
            alarm(SECONDS);
            _exit(use_in_child(engine));
        }
        int status = 0;
        assert_int_equal(waitpid(child, &status, 0), child);
        assert_true(WIFEXITED(status));
        assert_int_equal(WEXITSTATUS(status), 0);
        lfm2_engine_free(engine);
    }
}

/* ---- Fixture ---- */

static int setup(void **state)
{
    (void)state;
    alarm(10 * SECONDS);
    model = lft_open(LFM2_DEMO_MODEL, 2, LFM2_KERNELS_AUTO, 0);
    ids = lft_ids(N + KINDS, lft_vocab(model), 5);
    for (int i = 0; i < KINDS; i++) {
        kinds[i] = lft_request(ids + (i < 2 ? 0 : i), (size_t)(N - 30 * i), 10);
        kinds[i].flags |= LFM2_REQUEST_IGNORE_EOS | (i == 1 ? LFM2_REQUEST_DRAFT : 0) |
                          (i == 2 ? LFM2_REQUEST_KEEP : 0);
        kinds[i].priority = i % 2;
        alone[i] = lft_alone(model, &kinds[i], N_CTX, 0);
    }
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    for (int i = 0; i < KINDS; i++) {
        lft_text_free(&alone[i]);
    }
    free(ids);
    lfm2_model_free(model);
    lft_end();
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_clients),
        cmocka_unit_test(test_freed),
        cmocka_unit_test(test_steps),
        cmocka_unit_test(test_fork),
    };
    return cmocka_run_group_tests(tests, setup, teardown);
}
