/* SPDX-License-Identifier: Apache-2.0 */
/* lfm2_session_decode_many: equal to decoding one session after the other, or without effect. */
#include "support/models.h"

#include "run/session.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

#include <stdlib.h>
#include <string.h>

enum { N = 5, N_CTX = 40 };

static lfm2_model *model;
static uint32_t n_vocab;

/* Sessions with prompts of different lengths, different n_chunk and KV types. */
typedef struct group {
    lfm2_session *sessions[N];
} group;

static group open_group(void)
{
    group g;
    static const uint32_t chunks[N] = {16, 0, 1, 5, 32};
    for (uint32_t i = 0; i < N; i++) {
        g.sessions[i] = lft_session(model, N_CTX + i, chunks[i],
                                    i == 3   ? LFM2_KV_F32
                                    : i == 4 ? LFM2_KV_Q8
                                             : LFM2_KV_F16);
        int32_t *ids = lft_ids(1 + i * 6, n_vocab, i + 1);
        LFT_OK(lfm2_session_prefill(g.sessions[i], ids, 1 + i * 6));
        free(ids);
    }
    return g;
}

static void close_group(group *g)
{
    for (uint32_t i = 0; i < N; i++) {
        lfm2_session_free(g->sessions[i]);
    }
}

static const float *logits_of(lfm2_session *session)
{
    const float *logits = NULL;
    size_t n = 0;
    LFT_OK(lfm2_session_logits(session, &logits, &n));
    assert_int_equal(n, n_vocab);
    return logits;
}

static void expect_same(group *a, group *b)
{
    for (uint32_t i = 0; i < N; i++) {
        assert_int_equal(lfm2_session_length(a->sessions[i]), lfm2_session_length(b->sessions[i]));
        assert_memory_equal(logits_of(a->sessions[i]), logits_of(b->sessions[i]),
                            n_vocab * sizeof(float));
    }
}

static void decode_each(group *g, const int32_t *ids)
{
    for (uint32_t i = 0; i < N; i++) {
        LFT_OK(lfm2_session_decode(g->sessions[i], ids[i]));
    }
}

static void test_decode(void **state)
{
    (void)state;
    group alone = open_group();
    group many = open_group();
    for (uint64_t step = 0; step < 8; step++) {
        int32_t *ids = lft_ids(N, n_vocab, 50 + step);
        decode_each(&alone, ids);
        LFT_OK(lfm2_session_decode_many(many.sessions, ids, N));
        expect_same(&alone, &many);
        free(ids);
    }
    int32_t id = 3; /* a batch of one session, whose n_chunk is 1 */
    LFT_OK(lfm2_session_decode_many(&many.sessions[2], &id, 1));
    LFT_OK(lfm2_session_decode(alone.sessions[2], id));
    expect_same(&alone, &many);
    /* the n_chunk of a session does not limit the batch */
    lfm2_session *list[2] = {many.sessions[2], many.sessions[0]};
    LFT_OK(lfm2_session_decode_many(list, (const int32_t[]){4, 5}, 2));
    LFT_OK(lfm2_session_decode(alone.sessions[2], 4));
    LFT_OK(lfm2_session_decode(alone.sessions[0], 5));
    expect_same(&alone, &many);
    close_group(&alone);
    close_group(&many);
}

/* Sessions with reserved memory, as many as n_chunk of the first one: every array of its workspace
 * with an entry per item is full. A multiple of 16, so that each array fills its last cache line.
 */
static void test_full_batch(void **state)
{
    (void)state;
    enum { FULL = 16 };
    lfm2_session *many[FULL], *alone[FULL];
    int32_t *ids = lft_ids(2 * FULL, n_vocab, 70);
    for (uint32_t i = 0; i < FULL; i++) {
        many[i] = lft_reserved(model, FULL, FULL, LFM2_KV_F16);
        alone[i] = lft_session(model, FULL, FULL, LFM2_KV_F16);
        LFT_OK(lfm2_session_prefill(many[i], ids + i, 1));
        LFT_OK(lfm2_session_prefill(alone[i], ids + i, 1));
        LFT_OK(lfm2_session_decode(alone[i], ids[FULL + i]));
    }
    LFT_OK(lfm2_session_decode_many(many, ids + FULL, FULL));
    for (uint32_t i = 0; i < FULL; i++) {
        assert_memory_equal(logits_of(many[i]), logits_of(alone[i]), n_vocab * sizeof(float));
        lfm2_session_free(many[i]);
        lfm2_session_free(alone[i]);
    }
    free(ids);
}

/* ---- All or nothing ---- */

static const int32_t five[N] = {1, 2, 3, 4, 5};

/* The call fails with `says` in its message, and the sessions of `g` still equal those of `as`. */
static void refuse(lfm2_session *const *sessions, const int32_t *ids, uint32_t n, int32_t status,
                   const char *says, group *g, group *as)
{
    LFT_FAILS(lfm2_session_decode_many(sessions, ids, n), status);
    if (strstr(lfm2_last_error(), says) == NULL) {
        fail_msg("'%s' does not say '%s'", lfm2_last_error(), says);
    }
    expect_same(g, as);
}

/* A call that finds the budget used up gives back the pages that it took for the first session. */
static void test_budget(void **state)
{
    (void)state;
    lfm2_session *two[2];
    int32_t *ids = lft_ids(64, n_vocab, 80);
    for (int i = 0; i < 2; i++) {
        two[i] = lft_session(model, 128, 0, LFM2_KV_F16);
        LFT_OK(lfm2_session_prefill(two[i], ids, 64)); /* a full page */
    }
    lfm2_kv_usage before = {.size = sizeof before};
    LFT_OK(lfm2_model_kv_usage(model, &before));
    LFT_OK(lfm2_model_set_kv_budget(model, before.used + before.used / 2));
    LFT_FAILS(lfm2_session_decode_many(two, five, 2), LFM2_E_LIMIT);
    lfm2_kv_usage after = {.size = sizeof after};
    LFT_OK(lfm2_model_kv_usage(model, &after));
    assert_int_equal(after.used, before.used);
    LFT_OK(lfm2_session_decode(two[1], 1));
    LFT_OK(lfm2_model_set_kv_budget(model, 0));
    for (int i = 0; i < 2; i++) {
        lfm2_session_free(two[i]);
    }
    free(ids);
}

static void test_refused(void **state)
{
    (void)state;
    group g = open_group();
    group as = open_group();
    refuse(NULL, five, N, LFM2_E_ARGUMENT, "sessions", &g, &as);
    refuse(g.sessions, NULL, N, LFM2_E_ARGUMENT, "ids", &g, &as);
    refuse(g.sessions, five, 0, LFM2_E_ARGUMENT, "n is 0", &g, &as);

    lfm2_session *list[N];
    memcpy(list, g.sessions, sizeof list);
    list[3] = NULL;
    refuse(list, five, N, LFM2_E_ARGUMENT, "sessions[3]", &g, &as);
    list[3] = list[1];
    refuse(list, five, N, LFM2_E_ARGUMENT, "sessions[1] and sessions[3]", &g, &as);
    int32_t ids[N];
    memcpy(ids, five, sizeof ids);
    ids[4] = (int32_t)n_vocab;
    refuse(g.sessions, ids, N, LFM2_E_ARGUMENT, "ids[4]", &g, &as);
    ids[4] = -1;
    refuse(g.sessions, ids, N, LFM2_E_ARGUMENT, "ids[4]", &g, &as);

    lfm2_model *other = lft_open(lft_tiny("q4_0"), 1, LFM2_KERNELS_AUTO, 0);
    lfm2_session *unrelated = lft_session(other, 20, 0, LFM2_KV_F16);
    memcpy(list, g.sessions, sizeof list);
    list[1] = unrelated;
    refuse(list, five, N, LFM2_E_ARGUMENT, "sessions[1]", &g, &as);
    lfm2_session_free(unrelated);
    lfm2_model_free(other);

    for (group *each = &g;; each = &as) {
        while (lfm2_session_length(each->sessions[2]) < lfm2_session_capacity(each->sessions[2])) {
            LFT_OK(lfm2_session_decode(each->sessions[2], 7));
        }
        if (each == &as) {
            break;
        }
    }
    refuse(g.sessions, five, N, LFM2_E_LIMIT, "sessions[2]", &g, &as);
    close_group(&g);
    close_group(&as);
}

static void test_cancel(void **state)
{
    (void)state;
    group g = open_group();
    group as = open_group();
    lfm2_session_cancel(g.sessions[3]);
    lfm2_session_cancel(g.sessions[1]);
    refuse(g.sessions, five, N, LFM2_E_CANCELLED, "cancelled", &g, &as);
    LFT_OK(lfm2_session_decode_many(g.sessions, five, N)); /* the call above cleared both flags */
    decode_each(&as, five);
    expect_same(&g, &as);
    /* A refused call clears the flag, too. */
    lfm2_session_cancel(g.sessions[4]);
    int32_t ids[N] = {-1};
    refuse(g.sessions, ids, N, LFM2_E_ARGUMENT, "ids[0]", &g, &as);
    LFT_OK(lfm2_session_decode(g.sessions[4], 9));
    LFT_OK(lfm2_session_decode(as.sessions[4], 9));
    expect_same(&g, &as);
    close_group(&g);
    close_group(&as);
}

/* ---- With pending tokens of lfm2_generate ---- */

static void generate(lfm2_session *session, uint64_t seed)
{
    lfm2_sampler_options o;
    lfm2_sampler_options_init(&o, sizeof o, NULL);
    o.seed = seed;
    lfm2_sampler *sampler = NULL;
    LFT_OK(lfm2_sampler_create(model, &o, &sampler));
    lfm2_generate_options options;
    lfm2_generate_options_init(&options, sizeof options);
    options.max_tokens = 3;
    lfm2_generate_result result = {.size = sizeof result};
    LFT_OK(lfm2_generate(session, sampler, (const int32_t[]){5, 6}, 2, &options, &result));
    lfm2_sampler_free(sampler);
    assert_true(session->later >= 0);
}

static group generated(uint32_t first)
{
    group g = open_group();
    for (uint32_t i = first; i < N; i += 2) {
        generate(g.sessions[i], i);
    }
    return g;
}

static void test_pending(void **state)
{
    (void)state;
    for (uint32_t first = 0; first < 2; first++) {
        group alone = generated(first);
        group many = generated(first);
        LFT_OK(lfm2_session_decode_many(many.sessions, five, N));
        decode_each(&alone, five);
        expect_same(&alone, &many);
        close_group(&many);

        /* The pending tokens are computed, the tokens of the call are cancelled: the call has
         * no visible effect. The first session has a pending token in one of the two rounds. */
        many = generated(first);
        group as = generated(first);
        lfm2_session_cancel(many.sessions[1 - first]);
        refuse(many.sessions, five, N, LFM2_E_CANCELLED, "cancelled", &many, &as);
        LFT_OK(lfm2_session_decode_many(many.sessions, five, N));
        expect_same(&alone, &many);
        close_group(&many);
        close_group(&as);

        /* The computation of the pending tokens is cancelled. */
        many = generated(first);
        as = generated(first);
        lfm2_session_cancel(many.sessions[first]);
        refuse(many.sessions, five, N, LFM2_E_CANCELLED, "cancelled", &many, &as);
        LFT_OK(lfm2_session_decode_many(many.sessions, five, N));
        expect_same(&alone, &many);
        close_group(&many);
        close_group(&as);
        close_group(&alone);
    }
}

static int begin(void **state)
{
    (void)state;
    model = lft_open(lft_tiny("q8_0"), 1, LFM2_KERNELS_AUTO, 0);
    n_vocab = lft_vocab(model);
    return 0;
}

static int end(void **state)
{
    (void)state;
    lfm2_model_free(model);
    lft_end();
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_decode),  cmocka_unit_test(test_full_batch),
        cmocka_unit_test(test_refused), cmocka_unit_test(test_cancel),
        cmocka_unit_test(test_pending), cmocka_unit_test(test_budget),
    };
    return cmocka_run_group_tests(tests, begin, end);
}
