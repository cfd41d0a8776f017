/* SPDX-License-Identifier: Apache-2.0 */
/* Engines without memory: each allocation fails once, or with all after it. Every request that was
 * accepted ends, with its text or with MEMORY; nothing leaks. And a thread that cannot start. */
/* link-wrap: pthread_create */
#include "support/constraints.h"
#include "support/engines.h"
#include "support/sessions.h"

#include "model/workspace.h"

#include <errno.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

#include <stdlib.h>
#include <string.h>

enum { N_CTX = 200, N = 66, N_REQUESTS = 4 };

static lft_memory memory;
static lfm2_model *model; /* the demo model */
static int32_t *ids;
static lfm2_constraint *record;
static lfm2_session *base;
static lfm2_request_options requests[N_REQUESTS];
static lfm2_chat_parser_options parser;
static const char *const stops[] = {"zzz"};
static lft_text expected[N_REQUESTS][2];
static lft_outcomes outcomes;

static void make_requests(void)
{
    for (int i = 0; i < N_REQUESTS; i++) {
        requests[i] = lft_request(ids + i % 3, N, 5);
        requests[i].flags |= LFM2_REQUEST_IGNORE_EOS;
    }
    requests[0].n_choices = 2;
    requests[0].flags |= LFM2_REQUEST_KEEP | LFM2_REQUEST_PROGRESS;
    requests[1].constraint = record;
    requests[1].flags |= LFM2_REQUEST_DRAFT;
    requests[1].draft_ids = ids;
    requests[1].n_draft_ids = 20;
    requests[2].stop_strings = stops;
    requests[2].n_stop_strings = 1;
    requests[2].n_top = 3;
    requests[3].session = base;
    for (int i = 0; i < N_REQUESTS; i++) {
        for (uint32_t c = 0; c < 2; c++) {
            expected[i][c] = lft_alone(model, &requests[i], N_CTX, c);
        }
    }
    lfm2_chat_parser_options_init(&parser, sizeof parser);
    requests[3].parser = &parser;
}

static void check_outcome(int i)
{
    const lft_outcome *of = &outcomes.of[i];
    assert_true(of->ended);
    if (of->status != LFM2_OK) {
        assert_true(of->status == LFM2_E_MEMORY || of->status == LFM2_E_LIMIT);
        return;
    }
    /* Requests that were refused have no numbers: find the one with this prompt and these ids. */
    bool found = false;
    for (int r = 0; r < N_REQUESTS && !found; r++) {
        const lft_text *got = &of->choices[0];
        const lft_text *want = &expected[r][0];
        found = got->n_ids == want->n_ids &&
                memcmp(got->ids, want->ids, want->n_ids * sizeof *want->ids) == 0;
    }
    assert_true(found);
}

/* Returns the number of requests that had their texts. */
static int run_scenario(void)
{
    lfm2_engine_options o;
    lfm2_engine_options_init(&o, sizeof o);
    o.n_ctx = N_CTX;
    o.n_rows = 50;
    lfm2_engine *engine = NULL;
    int32_t status = lfm2_engine_create(model, &o, &engine);
    if (status != LFM2_OK) {
        assert_int_equal(status, LFM2_E_MEMORY);
        assert_null(engine);
        return 0;
    }
    int accepted = 0;
    for (int i = 0; i < N_REQUESTS; i++) {
        uint64_t id = 0;
        status = lfm2_engine_submit(engine, &requests[i], &id);
        assert_true(status == LFM2_OK || status == LFM2_E_MEMORY);
        accepted += status == LFM2_OK;
        assert_int_equal(id, status == LFM2_OK ? accepted : 0);
        lft_drain(engine, &outcomes);
    }
    uint32_t n_left = 1;
    for (int steps = 0; n_left > 0; steps++) {
        LFT_OK(lfm2_engine_step(engine, &n_left));
        lft_drain(engine, &outcomes);
        assert_true(steps < 10000);
    }
    int good = 0;
    for (int i = 1; i <= accepted; i++) {
        check_outcome(i);
        good += outcomes.of[i].status == LFM2_OK;
    }
    lfm2_engine_free(engine);
    lft_outcomes_free(&outcomes);
    return good;
}

static void check_failing(bool fail_on, int step)
{
    step = lft_sampled() ? 7 * step : step;
    long long blocks = atomic_load(&memory.live_blocks);
    atomic_store(&memory.fail_on, fail_on);
    long long n = 1;
    long long calls = 0;
    int worst = N_REQUESTS;
    do {
        atomic_store(&memory.calls, 0);
        atomic_store(&memory.fail_at, n);
        int good = run_scenario();
        atomic_store(&memory.fail_at, 0);
        calls = atomic_load(&memory.calls);
        worst = good < worst ? good : worst;
        assert_true(good < N_REQUESTS || !fail_on || calls < n || n > 1);
        lf_workspace_free_idle(model);
        assert_int_equal(atomic_load(&memory.live_blocks), blocks);
        assert_false(atomic_load(&memory.broken));
        n += step;
    } while (calls >= n - step);
    print_message("%lld allocations\n", n);
    assert_int_equal(worst, 0);
    assert_int_equal(run_scenario(), N_REQUESTS);
}

static void test_once(void **state)
{
    (void)state;
    check_failing(false, 1);
}

static void test_from_then_on(void **state)
{
    (void)state;
    check_failing(true, 1);
}

/* The same while sequences are parked. */
static void test_parking(void **state)
{
    (void)state;
    LFT_OK(lfm2_model_set_kv_budget(model, lft_kv_page(model, LFM2_KV_F16) * 6));
    check_failing(false, 3);
    LFT_OK(lfm2_model_set_kv_budget(model, 0));
}

/* The system has less memory than the budget, as with a limit of the process: requests wait for one
 * another or fail. They do not take memory from one another for ever, and a request alone has all
 * memory, that of the cache included. */
static void test_scarce(void **state)
{
    (void)state;
    lfm2_engine_options o;
    lfm2_engine_options_init(&o, sizeof o);
    o.n_ctx = N_CTX;
    o.n_rows = 50;
    lfm2_engine *engine = NULL;
    LFT_OK(lfm2_engine_create(model, &o, &engine));
    long long page = (long long)lft_kv_page(model, LFM2_KV_F16);
    lfm2_request_options request = lft_request(ids, N, 100);
    request.flags |= LFM2_REQUEST_IGNORE_EOS;
    long long live = atomic_load(&memory.live_bytes);
    for (int half_pages = 40; half_pages > 10; half_pages -= 2) {
        atomic_store(&memory.limit, live + half_pages * page / 2);
        uint32_t n_left = 1;
        for (int i = 0; i < 8; i++) {
            uint64_t id = 0;
            request.prompt = ids + i;
            int32_t status = lfm2_engine_submit(engine, &request, &id);
            assert_true(status == LFM2_OK || status == LFM2_E_MEMORY);
        }
        for (int steps = 0; n_left > 0; steps++) {
            LFT_OK(lfm2_engine_step(engine, &n_left));
            assert_true(steps < 8 * 200);
        }
        lft_drain(engine, &outcomes);
    }
    lfm2_engine_stats stats = {.size = sizeof stats};
    LFT_OK(lfm2_engine_get_stats(engine, &stats));
    assert_true(stats.n_parks > 0 && stats.n_finished > stats.n_failed);
    atomic_store(&memory.limit, 0);
    lfm2_engine_free(engine);
    lft_outcomes_free(&outcomes);
}

/* ---- Threads ---- */

static bool refuse;

int __real_pthread_create(pthread_t *thread, const pthread_attr_t *attr, void *(*body)(void *),
                          void *argument);
int __wrap_pthread_create(pthread_t *thread, const pthread_attr_t *attr, void *(*body)(void *),
                          void *argument);
int __wrap_pthread_create(pthread_t *thread, const pthread_attr_t *attr, void *(*body)(void *),
                          void *argument)
{
    return refuse ? EAGAIN : __real_pthread_create(thread, attr, body, argument);
}

static void test_thread(void **state)
{
    (void)state;
    long long blocks = atomic_load(&memory.live_blocks);
    lfm2_engine_options o;
    lfm2_engine_options_init(&o, sizeof o);
    o.flags = LFM2_ENGINE_THREAD;
    lfm2_engine *engine = NULL;
    refuse = true;
    LFT_FAILS(lfm2_engine_create(model, &o, &engine), LFM2_E_THREAD);
    assert_string_equal(lfm2_last_error_code(), "engine.thread");
    refuse = false;
    assert_null(engine);
    assert_int_equal(atomic_load(&memory.live_blocks), blocks);
    LFT_OK(lfm2_engine_create(model, &o, &engine));
    LFT_FAILS(lfm2_engine_step(engine, NULL), LFM2_E_STATE);
    lfm2_engine_free(engine);
    assert_int_equal(atomic_load(&memory.live_blocks), blocks);
}

/* ---- Fixture ---- */

static int setup(void **state)
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
    model = lft_load(runtime, LFM2_DEMO_MODEL);
    lfm2_runtime_free(runtime);
    ids = lft_ids(N + 10, lft_vocab(model), 5);
    record = lft_constraint(model, LFM2_CONSTRAINT_GBNF, lft_record_grammar);
    base = lft_session(model, N_CTX, 0, LFM2_KV_F16);
    LFT_OK(lfm2_session_prefill(base, ids, 40));
    make_requests();
    run_scenario(); /* fills what the constraint keeps */
    lf_workspace_free_idle(model);
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    for (int i = 0; i < N_REQUESTS; i++) {
        lft_text_free(&expected[i][0]);
        lft_text_free(&expected[i][1]);
    }
    lfm2_session_free(base);
    lfm2_constraint_free(record);
    lfm2_model_free(model);
    free(ids);
    lft_end();
    return atomic_load(&memory.live_blocks) != 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_once),    cmocka_unit_test(test_from_then_on),
        cmocka_unit_test(test_parking), cmocka_unit_test(test_scarce),
        cmocka_unit_test(test_thread),
    };
    return cmocka_run_group_tests(tests, setup, teardown);
}
