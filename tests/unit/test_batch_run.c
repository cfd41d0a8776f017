/* SPDX-License-Identifier: Apache-2.0 */
/* lfm2_batch_run: prompts and single tokens together have the bits of sessions that are alone; an
 * item that fails leaves its session unchanged and does not concern the others; the KV budget; how
 * often weights are read. */
#include "support/models.h"

#include "run/session.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

#include <stdlib.h>
#include <string.h>

enum { N = 5, N_CTX = 400 };

static lfm2_model *model;
static uint32_t n_vocab;
static lfm2_batch *batch;

/* Sessions with 1, 41, 81, ... tokens and different KV types, and equal ones to compare with. */
typedef struct group {
    lfm2_session *sessions[N], *alone[N];
} group;

static int32_t kv_of(uint32_t i)
{
    return i % 3 == 1 ? LFM2_KV_F32 : i % 3 == 2 ? LFM2_KV_Q8 : LFM2_KV_F16;
}

static group open_group(void)
{
    group g;
    for (uint32_t i = 0; i < N; i++) {
        int32_t *ids = lft_ids(1 + i * 40, n_vocab, i + 1);
        for (int which = 0; which < 2; which++) {
            lfm2_session *s = lft_session(model, N_CTX, which == 0 ? 1 : 0, kv_of(i));
            *(which == 0 ? &g.sessions[i] : &g.alone[i]) = s;
            LFT_OK(lfm2_session_prefill(s, ids, 1 + i * 40));
        }
        free(ids);
    }
    return g;
}

static void close_group(group *g)
{
    for (uint32_t i = 0; i < N; i++) {
        lfm2_session_free(g->sessions[i]);
        lfm2_session_free(g->alone[i]);
    }
}

static const float *logits_of(lfm2_session *session)
{
    const float *logits = NULL;
    LFT_OK(lfm2_session_logits(session, &logits, NULL));
    return logits;
}

static void expect_same(group *g)
{
    for (uint32_t i = 0; i < N; i++) {
        assert_int_equal(lfm2_session_length(g->sessions[i]), lfm2_session_length(g->alone[i]));
        assert_memory_equal(logits_of(g->sessions[i]), logits_of(g->alone[i]),
                            n_vocab * sizeof(float));
    }
}

static const int32_t forty[40] = {3, 1, 4, 1, 5, 9, 2, 6, 5, 3, 5, 8, 9, 7, 9, 3, 2, 3, 8, 4,
                                  6, 2, 6, 4, 3, 3, 8, 3, 2, 7, 9, 5, 0, 2, 8, 8, 4, 1, 9, 7};

/* One token, a prompt, three tokens, a prompt, one token. */
static void fill_items(group *g, lfm2_batch_item items[N])
{
    static const uint32_t n[N] = {1, 40, 3, 25, 1};
    for (uint32_t i = 0; i < N; i++) {
        items[i] = (lfm2_batch_item){.size = sizeof items[i],
                                     .session = g->sessions[i],
                                     .ids = forty,
                                     .n = n[i],
                                     .logits = LFM2_LOGITS_LAST,
                                     .status = 77};
    }
}

static void test_mixed(void **state)
{
    (void)state;
    group g = open_group();
    lfm2_batch_item items[N];
    fill_items(&g, items);
    float *out = calloc((size_t)40 * n_vocab, sizeof *out);
    float *expected = calloc((size_t)40 * n_vocab, sizeof *out);
    assert_non_null(out);
    assert_non_null(expected);
    items[1].logits = LFM2_LOGITS_ALL;
    items[1].out = out;
    items[2].logits = LFM2_LOGITS_NONE;
    LFT_OK(lfm2_batch_run(batch, items, N));
    for (uint32_t i = 0; i < N; i++) {
        assert_int_equal(items[i].status, LFM2_OK);
        LFT_OK(lfm2_session_eval(g.alone[i], forty, items[i].n, expected));
        if (i == 1) {
            assert_memory_equal(out, expected, (size_t)40 * n_vocab * sizeof *out);
        }
    }
    const float *logits = NULL;
    LFT_FAILS(lfm2_session_logits(g.sessions[2], &logits, NULL), LFM2_E_STATE); /* not wanted */
    LFT_OK(lfm2_session_decode(g.sessions[2], 5));
    LFT_OK(lfm2_session_decode(g.alone[2], 5));
    expect_same(&g);
    free(out);
    free(expected);
    close_group(&g);
}

/* ---- Items that fail ---- */

/* Runs the items; `failing` gets the status, the others are computed. Then all are equal to
 * sessions without the failing item. */
static void expect_failure(group *g, lfm2_batch_item *items, uint32_t failing, int32_t status,
                           const char *says)
{
    LFT_FAILS(lfm2_batch_run(batch, items, N), status);
    if (strstr(lfm2_last_error(), says) == NULL) {
        fail_msg("'%s' does not say '%s'", lfm2_last_error(), says);
    }
    for (uint32_t i = 0; i < N; i++) {
        assert_int_equal(items[i].status, i == failing ? status : LFM2_OK);
        if (i != failing) {
            LFT_OK(lfm2_session_prefill(g->alone[i], items[i].ids, items[i].n));
        }
    }
    expect_same(g);
}

static void test_failing_items(void **state)
{
    (void)state;
    group g = open_group();
    lfm2_batch_item items[N];
    const int32_t bad[3] = {1, 2, (int32_t)n_vocab};
    fill_items(&g, items);
    items[2].ids = bad;
    expect_failure(&g, items, 2, LFM2_E_ARGUMENT, "items[2]: token 2 has id");
    fill_items(&g, items);
    items[0].n = 0;
    expect_failure(&g, items, 0, LFM2_E_ARGUMENT, "items[0]: no tokens");
    fill_items(&g, items);
    lfm2_session_cancel(g.sessions[3]);
    expect_failure(&g, items, 3, LFM2_E_CANCELLED, "cancelled");
    fill_items(&g, items);
    LFT_OK(lfm2_batch_run(batch, items, N)); /* the flag is cleared */
    for (uint32_t i = 0; i < N; i++) {
        LFT_OK(lfm2_session_prefill(g.alone[i], forty, items[i].n));
    }
    while (lfm2_session_length(g.sessions[4]) < N_CTX) {
        LFT_OK(lfm2_session_decode(g.sessions[4], 7));
        LFT_OK(lfm2_session_decode(g.alone[4], 7));
    }
    fill_items(&g, items);
    expect_failure(&g, items, 4, LFM2_E_LIMIT, "items[4]: the context is too small");
    close_group(&g);
}

/* The call as a whole: nothing is computed, and each item has the status of the call. */
static void refuse(group *g, lfm2_batch_item *items, uint32_t n, int32_t status, const char *says)
{
    LFT_FAILS(lfm2_batch_run(batch, items, n), status);
    if (strstr(lfm2_last_error(), says) == NULL) {
        fail_msg("'%s' does not say '%s'", lfm2_last_error(), says);
    }
    for (uint32_t i = 0; items != NULL && i < n; i++) {
        assert_true(items[i].status == status || items[i].status == 77);
        assert_int_equal(items[i].status, items[0].status);
    }
    expect_same(g);
}

static void test_refused(void **state)
{
    (void)state;
    group g = open_group();
    lfm2_batch_item items[N];
    fill_items(&g, items);
    LFT_FAILS(lfm2_batch_run(NULL, items, N), LFM2_E_ARGUMENT);
    refuse(&g, NULL, N, LFM2_E_ARGUMENT, "items is NULL");
    refuse(&g, items, 0, LFM2_E_ARGUMENT, "n is 0");
    items[3].size -= 1;
    refuse(&g, items, N, LFM2_E_ARGUMENT, "items[3].size");
    fill_items(&g, items);
    items[3].ids = NULL;
    refuse(&g, items, N, LFM2_E_ARGUMENT, "items[3].ids");
    fill_items(&g, items);
    items[1].session = NULL;
    refuse(&g, items, N, LFM2_E_ARGUMENT, "items[1].session");
    fill_items(&g, items);
    items[1].logits = LFM2_LOGITS_ALL;
    refuse(&g, items, N, LFM2_E_ARGUMENT, "items[1].out");
    items[1].logits = 3;
    refuse(&g, items, N, LFM2_E_ARGUMENT, "items[1].logits is 3; allowed: 0 to 2");
    fill_items(&g, items);
    items[1].reserved = 1;
    refuse(&g, items, N, LFM2_E_ARGUMENT, "reserved");
    assert_int_equal(items[0].status, 77);
    fill_items(&g, items);
    items[4].session = g.sessions[1];
    refuse(&g, items, N, LFM2_E_ARGUMENT, "items[1] and items[4]");
    assert_int_equal(items[0].status, LFM2_E_ARGUMENT);
    fill_items(&g, items);
    items[3].n = 40;
    items[4].n = 40;
    items[2].n = UINT32_MAX - 50;
    refuse(&g, items, N, LFM2_E_LIMIT, "allowed: 100");
    lfm2_batch_options o;
    lfm2_batch_options_init(&o, sizeof o);
    lfm2_batch *other = NULL;
    o.n_rows = 8193;
    LFT_FAILS(lfm2_batch_create(model, &o, &other), LFM2_E_ARGUMENT);
    o.n_rows = 1;
    o.n_ctx = 8193;
    LFT_FAILS(lfm2_batch_create(model, &o, &other), LFM2_E_ARGUMENT);
    LFT_FAILS(lfm2_batch_create(NULL, &o, &other), LFM2_E_ARGUMENT);
    LFT_FAILS(lfm2_batch_create(model, NULL, NULL), LFM2_E_ARGUMENT);
    assert_null(other);
    lfm2_batch_free(NULL);
    close_group(&g);
}

/* ---- Memory ---- */

static uint64_t used(void)
{
    lfm2_kv_usage usage = {.size = sizeof usage};
    LFT_OK(lfm2_model_kv_usage(model, &usage));
    return usage.used;
}

static uint64_t page_bytes(int32_t kv)
{
    lfm2_session_options o;
    lfm2_session_options_init(&o, sizeof o);
    o.kv_type = kv;
    lfm2_memory memory = {.size = sizeof memory};
    LFT_OK(lfm2_estimate_memory(model, &o, &memory));
    assert_int_equal(memory.kv, 8192 / 64 * memory.kv_page);
    return memory.kv_page;
}

static void test_budget(void **state)
{
    (void)state;
    group g = open_group();
    lfm2_batch_item items[N];
    fill_items(&g, items);
    lfm2_kv_usage usage = {.size = sizeof usage};
    LFT_OK(lfm2_model_kv_usage(model, &usage));
    assert_true(usage.budget > usage.used);
    /* Only items[1] (41 + 40 tokens) and items[3] (121 + 25) need a page more; of F32 and F16. */
    uint64_t before = usage.used;
    LFT_OK(lfm2_model_set_kv_budget(model, before + page_bytes(LFM2_KV_F16)));
    LFT_FAILS(lfm2_batch_run(batch, items, N), LFM2_E_LIMIT);
    assert_true(strstr(lfm2_last_error(), "budget") != NULL);
    assert_string_equal(lfm2_last_error_code(), "kv.budget");
    assert_int_equal(used(), before + page_bytes(LFM2_KV_F16));
    LFT_OK(lfm2_model_set_kv_budget(model, 0));
    for (uint32_t i = 0; i < N; i++) {
        assert_int_equal(items[i].status, i == 1 ? LFM2_E_LIMIT : LFM2_OK);
        if (i != 1) {
            LFT_OK(lfm2_session_prefill(g.alone[i], forty, items[i].n));
        }
    }
    expect_same(&g);
    /* Other calls, with a session that is unchanged. */
    LFT_OK(lfm2_model_set_kv_budget(model, 1));
    LFT_FAILS(lfm2_session_prefill(g.sessions[1], forty, 40), LFM2_E_LIMIT);
    float *out = calloc((size_t)40 * n_vocab, sizeof *out);
    assert_non_null(out);
    LFT_FAILS(lfm2_session_eval(g.sessions[1], forty, 40, out), LFM2_E_LIMIT);
    free(out);
    lfm2_remove_result result = {.size = sizeof result};
    LFT_FAILS(lfm2_session_remove(g.sessions[3], 1, 1, &result), LFM2_E_LIMIT);
    expect_same(&g);
    lfm2_session_options o;
    lfm2_session_options_init(&o, sizeof o);
    o.n_reserve = 1;
    lfm2_session *reserved = NULL;
    LFT_FAILS(lfm2_session_create(model, &o, &reserved), LFM2_E_LIMIT);
    LFT_OK(lfm2_model_set_kv_budget(model, UINT64_MAX));
    LFT_OK(lfm2_session_prefill(g.sessions[1], forty, 40));
    LFT_OK(lfm2_session_prefill(g.alone[1], forty, 40));
    expect_same(&g);
    close_group(&g);
    assert_int_equal(used(), 0);
    LFT_FAILS(lfm2_model_set_kv_budget(NULL, 0), LFM2_E_ARGUMENT);
    LFT_FAILS(lfm2_model_kv_usage(model, NULL), LFM2_E_ARGUMENT);
    LFT_OK(lfm2_model_set_kv_budget(model, 0));
}

/* Memory follows the tokens, and a shared prompt is there once. */
static void test_pages(void **state)
{
    (void)state;
    enum { FORKS = 16, PROMPT = 200, TAIL = 30 };
    uint64_t page = page_bytes(LFM2_KV_F16);
    lfm2_session *first = lft_session(model, 8192, 0, LFM2_KV_F16);
    assert_int_equal(used(), 0);
    LFT_OK(lfm2_session_decode(first, 1));
    assert_int_equal(used(), page);
    LFT_OK(lfm2_session_reset(first));
    assert_int_equal(used(), 0);
    int32_t *ids = lft_ids(PROMPT, n_vocab, 8);
    LFT_OK(lfm2_session_prefill(first, ids, PROMPT));
    assert_int_equal(used(), 4 * page);
    lfm2_session *forks[FORKS];
    for (int i = 0; i < FORKS; i++) {
        LFT_OK(lfm2_session_fork(first, &forks[i]));
        LFT_OK(lfm2_session_prefill(forks[i], ids + i, TAIL));
    }
    assert_int_equal(used(), (4 + FORKS) * page); /* 200 + 30 tokens end in the fourth page */
    for (int i = 0; i < FORKS; i++) {
        lfm2_session_free(forks[i]);
    }
    assert_int_equal(used(), 4 * page);
    LFT_OK(lfm2_session_rewind(first, 64));
    lfm2_session_free(first);
    assert_int_equal(used(), 0);
    free(ids);
}

/* ---- Weights are read once a pass ---- */

static uint64_t bytes_of(group *g, lfm2_batch_item *items, uint32_t n)
{
    uint64_t before = 0, after = 0;
    (void)g;
    LFT_OK(lfm2_model_bytes_read(model, &before));
    LFT_OK(lfm2_batch_run(batch, items, n));
    LFT_OK(lfm2_model_bytes_read(model, &after));
    return after - before;
}

static void test_bytes_read(void **state)
{
    (void)state;
    group g = open_group();
    lfm2_batch_item items[N];
    lfm2_model_info info = {.size = sizeof info};
    LFT_OK(lfm2_model_get_info(model, &info));
    fill_items(&g, items);
    assert_int_equal(bytes_of(&g, items, 1), info.token_bytes);
    items[1].logits = LFM2_LOGITS_NONE; /* the head is not read */
    assert_int_equal(bytes_of(&g, items + 1, 1), info.token_bytes - info.head_bytes);
    fill_items(&g, items);
    assert_int_equal(bytes_of(&g, items, N), info.token_bytes); /* 70 rows of five sessions */
    LFT_FAILS(lfm2_model_bytes_read(model, NULL), LFM2_E_ARGUMENT);
    close_group(&g);
}

static int begin(void **state)
{
    (void)state;
    model = lft_open(lft_golden_gguf("dense-plain", "q8_0"), 2, LFM2_KERNELS_AUTO, 0);
    n_vocab = lft_vocab(model);
    lfm2_batch_options o;
    lfm2_batch_options_init(&o, sizeof o);
    o.n_rows = 100;
    LFT_OK(lfm2_batch_create(model, &o, &batch));
    return 0;
}

static int end(void **state)
{
    (void)state;
    lfm2_batch_free(batch);
    lfm2_model_free(model);
    lft_end();
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_mixed),   cmocka_unit_test(test_failing_items),
        cmocka_unit_test(test_refused), cmocka_unit_test(test_budget),
        cmocka_unit_test(test_pages),   cmocka_unit_test(test_bytes_read),
    };
    return cmocka_run_group_tests(tests, begin, end);
}
