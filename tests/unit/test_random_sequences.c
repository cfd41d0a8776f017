/* SPDX-License-Identifier: Apache-2.0 */
/* Random operations on many sessions: create, append alone and in batches, fork, rewind, remove,
 * reset, save, restore, cancel, use up the KV budget, store in and start from a prefix cache, free.
 * Every logit is compared with a fresh computation of the same tokens, and after a failure the
 * session is as before.
 * ctest-labels: threads */
#include "support/sessions.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

#include <stdlib.h>
#include <string.h>

enum { MOST = 64, N_CTX = 160, ROWS = 60, MOST_ITEMS = 6 };

/* A session and what it should hold. */
typedef struct slot {
    lfm2_session *session; /* NULL: free */
    int32_t kv;
    int32_t ids[N_CTX];
    uint32_t n;
    bool has_logits;
} slot;

static lfm2_model *model, *reference;
static uint32_t n_vocab;
static lfm2_batch *batch;
static lfm2_cache *cache;
static slot slots[MOST];
static uint64_t seed;
static long long n_rows; /* of logits that were compared */
static uint64_t n_hits;  /* of prefix caches */

static uint32_t below(uint32_t n)
{
    return (uint32_t)(lft_random(&seed) % n);
}

/* Compares rows of logits of the slot's last `n` tokens with a fresh computation. */
static void compare(const slot *s, const float *logits, uint32_t n)
{
    float *expected = lft_fresh(reference, s->kv, s->ids, s->n);
    assert_memory_equal(logits, expected + (size_t)(s->n - n) * n_vocab,
                        (size_t)n * n_vocab * sizeof *logits);
    free(expected);
    n_rows += n;
}

/* The session holds what the slot says. */
static void verify(slot *s)
{
    lft_expect_tokens(s->session, s->ids, s->n);
    const float *logits = NULL;
    LFT_FAILS(lfm2_session_logits(s->session, &logits, NULL),
              s->has_logits ? LFM2_OK : LFM2_E_STATE);
    if (s->has_logits) {
        compare(s, logits, 1);
    }
}

/* A random session that exists, or NULL. */
static slot *pick(void)
{
    uint32_t at = below(MOST);
    for (uint32_t i = 0; i < MOST; i++) {
        slot *s = &slots[(at + i) % MOST];
        if (s->session != NULL) {
            return s;
        }
    }
    return NULL;
}

static slot *pick_free(void)
{
    for (uint32_t i = 0; i < MOST; i++) {
        if (slots[i].session == NULL) {
            return &slots[i];
        }
    }
    return NULL;
}

/* Notes the tokens that were appended. */
static void note(slot *s, const int32_t *ids, uint32_t n, bool has_logits)
{
    memcpy(s->ids + s->n, ids, n * sizeof *ids);
    s->n += n;
    s->has_logits = has_logits;
}

static uint32_t random_n(const slot *s, uint32_t most)
{
    static const uint32_t sizes[] = {1, 1, 1, 2, 5, 17, 40};
    uint32_t n = sizes[below(sizeof sizes / sizeof sizes[0])];
    n = n < most ? n : most;
    return n < N_CTX - s->n ? n : N_CTX - s->n;
}

/* ---- Operations ---- */

static void create(void)
{
    slot *s = pick_free();
    if (s == NULL) {
        return;
    }
    *s = (slot){.kv = (int32_t)below(3)};
    s->session = below(4) == 0 ? lft_reserved(model, N_CTX, 1 + below(30), s->kv)
                               : lft_session(model, N_CTX, 1 + below(60), s->kv);
}

static void append(slot *s)
{
    uint32_t n = random_n(s, ROWS);
    if (n == 0) {
        return;
    }
    int32_t *ids = lft_ids(n, n_vocab, lft_random(&seed));
    if (below(2) == 0) {
        LFT_OK(lfm2_session_prefill(s->session, ids, n));
        note(s, ids, n, true);
    } else {
        float *out = malloc((size_t)n * n_vocab * sizeof *out);
        assert_non_null(out);
        LFT_OK(lfm2_session_eval(s->session, ids, n, out));
        note(s, ids, n, true);
        compare(s, out, n);
        free(out);
    }
    free(ids);
}

/* A batch of random sessions; some are cancelled, and sometimes the budget is used up. */
static void run_batch(void)
{
    lfm2_batch_item items[MOST_ITEMS];
    slot *of[MOST_ITEMS];
    bool cancelled[MOST_ITEMS];
    uint32_t n = 0, rows = 0;
    uint32_t first = below(MOST);
    for (uint32_t i = 0; i < MOST && n < MOST_ITEMS && rows < ROWS; i++) {
        slot *s = &slots[(first + i) % MOST];
        uint32_t tokens = s->session == NULL ? 0 : random_n(s, ROWS - rows);
        if (tokens == 0 || below(3) == 0) {
            continue;
        }
        int32_t wanted = (int32_t)below(3);
        items[n] = (lfm2_batch_item){.size = sizeof items[n],
                                     .session = s->session,
                                     .ids = lft_ids(tokens, n_vocab, lft_random(&seed)),
                                     .n = tokens,
                                     .logits = wanted};
        items[n].out = malloc((size_t)tokens * n_vocab * sizeof(float));
        assert_non_null(items[n].out);
        cancelled[n] = below(8) == 0;
        if (cancelled[n]) {
            lfm2_session_cancel(s->session);
        }
        of[n++] = s;
        rows += tokens;
    }
    if (n == 0) {
        return;
    }
    bool limited = below(4) == 0;
    LFT_OK(lfm2_model_set_kv_budget(model, limited ? 1 : UINT64_MAX));
    int32_t status = lfm2_batch_run(batch, items, n);
    LFT_OK(lfm2_model_set_kv_budget(model, UINT64_MAX));
    bool all = true;
    for (uint32_t i = 0; i < n; i++) {
        all = all && items[i].status == LFM2_OK;
        if (items[i].status == LFM2_OK) {
            assert_false(cancelled[i]);
            note(of[i], items[i].ids, items[i].n, items[i].logits != LFM2_LOGITS_NONE);
            if (items[i].logits == LFM2_LOGITS_ALL) {
                compare(of[i], items[i].out, items[i].n);
            }
        } else {
            assert_true(items[i].status == LFM2_E_LIMIT
                            ? limited
                            : cancelled[i] && items[i].status == LFM2_E_CANCELLED);
        }
        verify(of[i]);
        free((void *)(uintptr_t)items[i].ids);
        free(items[i].out);
    }
    assert_true(all == (status == LFM2_OK));
}

static void decode_many(void)
{
    lfm2_session *sessions[MOST_ITEMS];
    slot *of[MOST_ITEMS];
    int32_t ids[MOST_ITEMS];
    uint32_t n = 0;
    for (uint32_t i = below(MOST); i < MOST && n < MOST_ITEMS; i++) {
        if (slots[i].session != NULL && slots[i].n < N_CTX) {
            of[n] = &slots[i];
            sessions[n] = slots[i].session;
            ids[n++] = (int32_t)below(n_vocab);
        }
    }
    if (n == 0) {
        return;
    }
    bool cancel = below(4) == 0;
    if (cancel) {
        lfm2_session_cancel(sessions[n - 1]);
    }
    LFT_FAILS(lfm2_session_decode_many(sessions, ids, n), cancel ? LFM2_E_CANCELLED : LFM2_OK);
    for (uint32_t i = 0; i < n; i++) {
        if (!cancel) {
            note(of[i], &ids[i], 1, true);
        }
        verify(of[i]);
    }
}

static void fork_one(slot *s)
{
    slot *to = pick_free();
    if (to != NULL) {
        *to = *s;
        to->session = NULL;
        LFT_OK(lfm2_session_fork(s->session, &to->session));
        verify(to);
    }
}

static void rewind_one(slot *s)
{
    uint32_t length = below(s->n + 1);
    if (below(6) == 0 && length < s->n && length > 0) {
        lfm2_session_cancel(s->session);
        LFT_FAILS(lfm2_session_rewind(s->session, length), LFM2_E_CANCELLED);
        return;
    }
    LFT_OK(lfm2_session_rewind(s->session, length));
    s->has_logits = s->has_logits && length == s->n;
    s->n = length;
}

static void remove_some(slot *s)
{
    if (s->n == 0) {
        return;
    }
    uint32_t first = below(s->n);
    uint32_t n = 1 + below(s->n - first);
    uint32_t rest = s->n - first - n;
    bool limited = below(4) == 0;
    LFT_OK(lfm2_model_set_kv_budget(model, limited ? 1 : UINT64_MAX));
    int32_t status = lfm2_session_remove(s->session, first, n, NULL);
    LFT_OK(lfm2_model_set_kv_budget(model, UINT64_MAX));
    if (status != LFM2_OK) {
        lft_expect(status, limited ? LFM2_E_LIMIT : LFM2_OK, "remove");
        return;
    }
    memmove(s->ids + first, s->ids + first + n, rest * sizeof *s->ids);
    s->n = first + rest;
    s->has_logits = rest > 0;
}

/* Stores a session. The budget is a few pages, sometimes less. */
static void store(const slot *s)
{
    if (below(4) == 0) {
        LFT_OK(lfm2_cache_set_budget(cache, below(2) == 0 ? 1 + below(300000) : UINT64_MAX, 0));
    }
    LFT_OK(lfm2_cache_insert(cache, s->session, below(2) * below(s->n + 1)));
    lfm2_cache_usage usage = {.size = sizeof usage};
    LFT_OK(lfm2_cache_get_usage(cache, &usage));
    assert_true(usage.ram_bytes <= usage.ram_budget);
}

/* A session that starts with tokens of `from`, and one other token. */
static void start(const slot *from)
{
    slot *s = pick_free();
    if (s == NULL || from->n == N_CTX) {
        return;
    }
    if (below(2) == 0) {
        store(from);
    }
    *s = (slot){.kv = from->kv};
    s->session = below(4) == 0 ? lft_reserved(model, N_CTX, 1 + below(30), s->kv)
                               : lft_session(model, N_CTX, 1 + below(60), s->kv);
    uint32_t n = from->n - below(from->n + 1);
    memcpy(s->ids, from->ids, n * sizeof *s->ids);
    n = below(3) == 0 && n > 0 ? n : n + 1;
    s->ids[n - 1] = n <= from->n ? s->ids[n - 1] : (int32_t)below(n_vocab);
    if (below(4) == 0) {
        lfm2_session_cancel(s->session);
    }
    uint32_t reused = 0;
    int32_t status = lfm2_cache_start(cache, s->session, s->ids, n, &reused);
    s->n = reused;
    s->has_logits = status == LFM2_OK && reused == n;
    lft_expect(status, status == LFM2_E_CANCELLED ? status : LFM2_OK, "start");
    verify(s);
    if (reused < n && status == LFM2_OK) {
        LFT_OK(lfm2_session_prefill(s->session, s->ids + reused, n - reused));
        s->n = n;
        s->has_logits = true;
        verify(s);
    }
}

/* Saves a session and restores another from it. */
static void restore_one(slot *s)
{
    slot *to = pick_free();
    if (to == NULL) {
        return;
    }
    uint32_t flags = below(3) == 0 ? LFM2_SAVE_NO_LOGITS : 0;
    size_t n = 0;
    LFT_FAILS(lfm2_session_save_memory(s->session, flags, NULL, 0, &n), LFM2_E_BUFFER);
    uint8_t *bytes = malloc(n);
    assert_non_null(bytes);
    LFT_OK(lfm2_session_save_memory(s->session, flags, bytes, n, &n));
    lfm2_restore_options o;
    lfm2_restore_options_init(&o, sizeof o);
    o.n_ctx = N_CTX;
    o.n_chunk = 1 + below(60);
    o.n_reserve = below(4) == 0 ? below(N_CTX) : 0;
    *to = *s;
    to->session = NULL;
    to->has_logits = s->has_logits && flags == 0;
    bool limited = s->n > 0 && below(4) == 0;
    LFT_OK(lfm2_model_set_kv_budget(model, limited ? 1 : UINT64_MAX));
    LFT_FAILS(lfm2_session_restore_memory(model, bytes, n, &o, &to->session),
              limited ? LFM2_E_LIMIT : LFM2_OK);
    LFT_OK(lfm2_model_set_kv_budget(model, UINT64_MAX));
    free(bytes);
    if (!limited) {
        verify(to);
    }
}

static void operate(void)
{
    slot *s = pick();
    uint32_t what = below(28);
    if (s == NULL || what < 3) {
        create();
    } else if (what < 6) {
        append(s);
    } else if (what < 10) {
        run_batch();
    } else if (what < 12) {
        decode_many();
    } else if (what < 15) {
        fork_one(s);
    } else if (what < 17) {
        rewind_one(s);
    } else if (what < 18) {
        remove_some(s);
    } else if (what < 20) {
        restore_one(s);
    } else if (what < 21) {
        lfm2_session_free(s->session);
        s->session = NULL;
    } else if (what < 24) {
        store(s);
    } else if (what < 27) {
        start(s);
    } else {
        LFT_OK(lfm2_session_reset(s->session));
        s->n = 0;
        s->has_logits = false;
    }
    if (s != NULL && s->session != NULL) {
        verify(s);
    }
}

static void check(const char *path, int32_t kernels, int32_t threads, int operations)
{
    model = lft_open(path, threads, kernels, 0);
    reference = lft_open(path, 1, kernels, 0);
    n_vocab = lft_vocab(model);
    lfm2_batch_options o;
    lfm2_batch_options_init(&o, sizeof o);
    o.n_rows = ROWS;
    LFT_OK(lfm2_batch_create(model, &o, &batch));
    LFT_OK(lfm2_cache_create(model, NULL, &cache));
    n_rows = 0;
    for (int i = 0; i < operations; i++) {
        operate();
    }
    print_message("%s, kernels %d: %lld rows of logits\n", path, kernels, n_rows);
    assert_true(n_rows > operations);
    for (int i = 0; i < MOST; i++) {
        if (slots[i].session != NULL) {
            verify(&slots[i]);
            lfm2_session_free(slots[i].session);
            slots[i].session = NULL;
        }
    }
    lfm2_cache_usage used = {.size = sizeof used};
    LFT_OK(lfm2_cache_get_usage(cache, &used));
    print_message("%llu hits, %llu of %llu tokens reused\n", (unsigned long long)used.hits,
                  (unsigned long long)used.tokens_reused, (unsigned long long)used.tokens_asked);
    n_hits += used.hits;
    lfm2_cache_free(cache);
    lfm2_kv_usage usage = {.size = sizeof usage};
    LFT_OK(lfm2_model_kv_usage(model, &usage));
    assert_int_equal(usage.used, 0);
    lfm2_batch_free(batch);
    lfm2_model_free(model);
    lfm2_model_free(reference);
}

static void test_random(void **state)
{
    (void)state;
    seed = 1;
    const int part = lft_sampled() ? 2 : 1;
    check(lft_golden_folder("moe-plain"), LFM2_KERNELS_AUTO, 2, 300 / part);
    check(lft_golden_folder("dense-untied"), LFM2_KERNELS_AUTO, 1, 200 / part); /* 4 taps */
    check(lft_golden_folder("moe-mixed"), LFM2_KERNELS_SCALAR, 3, 80 / part);
    check(lft_tiny("q4_0"), LFM2_KERNELS_OWN, 2, 80 / part);
    check(lft_tiny("q8_0"), LFM2_KERNELS_XNNPACK, 1, 80 / part);
    assert_true(n_hits > 10u / (unsigned)part);
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
