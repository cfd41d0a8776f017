/* SPDX-License-Identifier: Apache-2.0 */
/* Batches of several items: the logits of an item have the same bits as when it is computed alone,
 * whatever other items are in the batch, whichever workspace is used, and however rows are divided.
 */
#include "support/models.h"

#include "run/session.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* A text, its logits computed alone, and a session that holds its beginning. */
typedef struct text {
    int32_t *ids;
    size_t n;
    size_t first;    /* `expected` starts with this token */
    float *expected; /* [n - first][V] */
    lfm2_session *session;
} text;

enum { MOST_TEXTS = 24, MOST_ROWS = 160 };

/* Computes the expected logits: one thread, one session, small chunks. */
static void compute_alone(text *s, const char *path, int32_t kernels, int32_t kv, size_t n,
                          size_t first, uint64_t seed)
{
    lfm2_model *model = lft_open(path, 1, kernels, 0);
    size_t n_vocab = lft_vocab(model);
    *s = (text){.n = n, .first = first};
    s->ids = lft_ids(n, (uint32_t)n_vocab, seed);
    s->expected = malloc((n - first) * n_vocab * sizeof *s->expected);
    assert_non_null(s->expected);
    lfm2_session *alone = lft_session(model, (uint32_t)n, 64, kv);
    if (first > 0) {
        LFT_OK(lfm2_session_prefill(alone, s->ids, first));
    }
    LFT_OK(lfm2_session_eval(alone, s->ids + first, n - first, s->expected));
    lfm2_session_free(alone);
    lfm2_model_free(model);
}

static void free_texts(text *texts, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        free(texts[i].ids);
        free(texts[i].expected);
    }
}

/* One pass with n[i] tokens of text i (0: it is not in the batch), in the order from, from + 1, ...
 * Wanted rows are compared with the expected ones; other rows of `out` must be unchanged. */
static void pass(lfm2_model *model, lf_workspace *workspace, text *texts, size_t n_texts,
                 const uint32_t *n, const lf_logits *wanted, size_t from, const char *what)
{
    size_t n_vocab = lft_vocab(model);
    size_t row = n_vocab * sizeof(float);
    lf_item items[MOST_TEXTS];
    text *of[MOST_TEXTS];
    float *out = malloc(MOST_ROWS * row);
    assert_non_null(out);
    memset(out, 0xA5, MOST_ROWS * row);
    size_t n_items = 0;
    size_t rows = 0;
    for (size_t k = 0; k < n_texts; k++) {
        size_t i = (from + k) % n_texts;
        if (n[i] == 0) {
            continue;
        }
        text *s = of[n_items] = &texts[i];
        items[n_items++] = (lf_item){.state = &s->session->state,
                                     .ids = s->ids + s->session->state.length,
                                     .n = n[i],
                                     .wanted = wanted[i],
                                     .out = out + rows * n_vocab};
        rows += n[i];
    }
    assert_true(rows <= MOST_ROWS);
    LFT_OK(lf_forward_batch(model, workspace, items, n_items, false));
    for (size_t r = 0; r < n_items; r++) {
        const text *s = of[r];
        size_t first = s->session->state.length - items[r].n;
        size_t written = items[r].wanted == LF_LOGITS_ALL ? items[r].n : items[r].wanted;
        for (size_t t = 0; t < written; t++) {
            size_t token = first + items[r].n - written + t;
            if (token >= s->first && memcmp(items[r].out + t * n_vocab,
                                            s->expected + (token - s->first) * n_vocab, row) != 0) {
                fail_msg("%s: item %zu of %zu (%u tokens from %zu): token %zu differs", what, r,
                         n_items, items[r].n, first, token);
            }
        }
        for (size_t t = written; t < items[r].n; t++) {
            for (size_t i = 0; i < row; i++) {
                assert_int_equal(((unsigned char *)(items[r].out + t * n_vocab))[i], 0xA5);
            }
        }
    }
    free(out);
}

/* ---- Random batches ---- */

/* Tokens of the next item of a text: mostly one, sometimes a prompt. */
static uint32_t choose_n(const text *s, uint64_t *random)
{
    static const uint32_t sizes[] = {0, 1, 1, 1, 1, 1, 2, 3, 5, 9, 17, 40};
    uint32_t n = sizes[lft_random(random) % (sizeof sizes / sizeof sizes[0])];
    size_t left = s->n - s->session->state.length;
    return n < left ? n : (uint32_t)left;
}

static void compute_together(lfm2_model *model, text *texts, size_t n_texts, uint64_t seed,
                             const char *what)
{
    for (bool more = true; more;) {
        uint32_t n[MOST_TEXTS];
        lf_logits wanted[MOST_TEXTS];
        size_t from = lft_random(&seed) % n_texts;
        size_t workspace = lft_random(&seed) % n_texts;
        uint32_t capacity = texts[workspace].session->state.n_chunk;
        uint32_t rows = 0;
        capacity = capacity < MOST_ROWS ? capacity : MOST_ROWS;
        more = false;
        for (size_t i = 0; i < n_texts; i++) {
            n[i] = choose_n(&texts[i], &seed);
            n[i] = n[i] < capacity - rows ? n[i] : capacity - rows;
            rows += n[i];
            wanted[i] = (lf_logits)(lft_random(&seed) % 3);
            more = more || texts[i].session->state.length + n[i] < texts[i].n;
        }
        if (rows > 0) {
            pass(model, texts[workspace].session->workspace, texts, n_texts, n, wanted, from, what);
        }
    }
}

/* Sessions with different contexts, chunks and KV types; 1 to most_threads threads. `spin`: they
 * spin in short passes even if there are fewer processors. */
static void check_model(const char *path, int32_t kernels, int32_t most_threads, bool spin)
{
    enum { N = 9 };
    text texts[N];
    for (size_t i = 0; i < N; i++) {
        compute_alone(&texts[i], path, kernels, i % 3 == 1 ? LFM2_KV_F32 : LFM2_KV_F16, 20 + i * 9,
                      0, i + 1);
    }
    for (int32_t threads = lft_sampled() ? most_threads : 1; threads <= most_threads; threads++) {
        lfm2_model *model = lft_open(path, threads, kernels, 0);
        if (spin) {
            model->runtime->sched.may_spin = threads > 1;
        }
        for (size_t i = 0; i < N; i++) {
            static const uint32_t chunks[] = {512, 64, 20, 1};
            texts[i].session = lft_reserved(model, (uint32_t)(texts[i].n + i), chunks[i % 4],
                                            i % 3 == 1 ? LFM2_KV_F32 : LFM2_KV_F16);
            /* KV memory that no pass has written holds NaNs. */
            lf_state *memory = &texts[i].session->state;
            for (uint32_t p = 0; p < memory->n_pages; p++) {
                memset(memory->pages[p]->data, 0xFF, memory->page_bytes);
            }
        }
        for (uint64_t round = 0; round < (lft_sampled() ? 1 : 2); round++) {
            char what[96];
            snprintf(what, sizeof what, "%s, kernels %d, %d threads", path, kernels, threads);
            compute_together(model, texts, N, 100 * round + (uint64_t)threads, what);
            for (size_t i = 0; i < N; i++) {
                assert_int_equal(texts[i].session->state.length, texts[i].n);
                LFT_OK(lfm2_session_reset(texts[i].session));
            }
        }
        for (size_t i = 0; i < N; i++) {
            lfm2_session_free(texts[i].session);
        }
        lfm2_model_free(model);
    }
    free_texts(texts, N);
}

static void test_random_batches(void **state)
{
    (void)state;
    for (int i = 0; lft_cases[i] != NULL; i++) {
        check_model(lft_golden_folder(lft_cases[i]), LFM2_KERNELS_AUTO, i % 3 == 1 ? 3 : 1, false);
    }
    check_model(lft_golden_gguf("moe-plain", "f16"), LFM2_KERNELS_AUTO, 1, false);
    check_model(lft_golden_gguf("moe-mixed", "q8_0"), LFM2_KERNELS_SCALAR, 1, false);
    static const int32_t picks[] = {LFM2_KERNELS_AUTO, LFM2_KERNELS_OWN, LFM2_KERNELS_XNNPACK};
    for (int i = 0; i < 3; i++) {
        check_model(lft_tiny("q4_0"), picks[i], i == 0 ? 3 : 1, true);
        check_model(lft_tiny("q8_0"), picks[i], 1, false);
    }
    if (access(LFM2_DEMO_MODEL, R_OK) == 0) {
        check_model(LFM2_DEMO_MODEL, LFM2_KERNELS_AUTO, 2,
                    false); /* wide: threads share channels */
    }
}

/* ---- Long contexts: segments of 2048 positions, and too few slots for all items ---- */

static void check_long(const char *path, int32_t kv, int32_t threads)
{
    /* First position and number of tokens of each item: segments end between items and inside them;
     * some need 3 segments, and together they need more slots than the workspace has. */
    static const struct {
        uint32_t at, n;
    } starts[] = {{4100, 16}, {2040, 16}, {4090, 12}, {2047, 1}, {2048, 1}, {10, 40},
                  {0, 7},     {4095, 1},  {3000, 9},  {4097, 3}, {2030, 30}};
    enum { N = sizeof starts / sizeof starts[0], STEPS = 3 };
    text texts[N];
    lfm2_model *model = lft_open(path, threads, LFM2_KERNELS_AUTO, 0);
    uint32_t n[N];
    lf_logits wanted[N];
    for (size_t i = 0; i < N; i++) {
        compute_alone(&texts[i], path, LFM2_KERNELS_AUTO, kv, starts[i].at + starts[i].n + STEPS,
                      starts[i].at, i + 1);
        texts[i].session = lft_reserved(model, 4200, i == 6 ? 300 : 512, kv);
        if (starts[i].at > 0) {
            LFT_OK(lfm2_session_prefill(texts[i].session, texts[i].ids, starts[i].at));
        }
        n[i] = starts[i].n;
        wanted[i] = i % 2 == 0 ? LF_LOGITS_ALL : LF_LOGITS_LAST;
    }
    lfm2_session *small = lft_reserved(model, 300, 200, kv); /* not in the batch */
    assert_int_equal(small->workspace->attn.n_slots, 64);
    pass(model, small->workspace, texts, N, n, wanted, 5, "long, a small workspace");
    for (size_t step = 0; step < STEPS; step++) {
        for (size_t i = 0; i < N; i++) {
            n[i] = 1;
        }
        pass(model, texts[6].session->workspace, texts, N, n, wanted, step, "long, one each");
    }
    for (size_t i = 0; i < N; i++) {
        lfm2_session_free(texts[i].session);
    }
    lfm2_session_free(small);
    lfm2_model_free(model);
    free_texts(texts, N);
}

static void test_long(void **state)
{
    (void)state;
    check_long(lft_golden_gguf("dense-plain", "q8_0"), LFM2_KV_F16, 3);
    check_long(lft_golden_gguf("dense-plain", "f32"), LFM2_KV_F32, 1);
}

/* ---- Refused batches and cancelled passes ---- */

static void test_refused(void **state)
{
    (void)state;
    lfm2_model *model = lft_open(lft_tiny("q4_0"), 1, LFM2_KERNELS_AUTO, 0);
    lfm2_session *a = lft_reserved(model, 64, 8, LFM2_KV_F16);
    lfm2_session *b = lft_reserved(model, 64, 64, LFM2_KV_F16);
    static const int32_t ids[9] = {1, 2, 3, 4, 5, 6, 7, 8, 9};
    lf_item items[3] = {{.state = &a->state, .ids = ids, .n = 4},
                        {.state = &b->state, .ids = ids, .n = 4},
                        {.state = &a->state, .ids = ids, .n = 1}};
    LFT_FAILS(lf_forward_batch(model, a->workspace, items, 0, true), LFM2_E_ARGUMENT);
    LFT_FAILS(lf_forward_batch(model, b->workspace, items, 3, true), LFM2_E_ARGUMENT); /* a twice */
    items[1].n = 5;
    LFT_FAILS(lf_forward_batch(model, a->workspace, items, 2, true),
              LFM2_E_ARGUMENT); /* 9 rows of 8 */
    items[1].n = UINT32_MAX;
    LFT_FAILS(lf_forward_batch(model, a->workspace, items, 2, true), LFM2_E_ARGUMENT);
    items[1].n = 0;
    LFT_FAILS(lf_forward_batch(model, a->workspace, items, 2, true), LFM2_E_ARGUMENT);
    assert_int_equal(a->state.length, 0);
    assert_int_equal(b->state.length, 0);
    items[1].n = 4;
    LFT_OK(lf_forward_batch(model, a->workspace, items, 2, true));
    assert_int_equal(a->state.length, 4);
    assert_int_equal(b->state.length, 4);
    lfm2_session_free(a);
    lfm2_session_free(b);
    lfm2_model_free(model);
}

/* Sets `flag` when the row norm is called for the `at`-th time. */
static struct {
    void (*norm)(size_t n, const float *x, const float *w, float eps, float *out);
    atomic_int flag;
    int calls, at;
} trap;

static void cancelling_norm(size_t n, const float *x, const float *w, float eps, float *out)
{
    trap.norm(n, x, w, eps, out);
    if (++trap.calls == trap.at) {
        atomic_store(&trap.flag, 1);
    }
}

static void check_cancels(const char *path)
{
    enum { N = 4, PASSES = 4, TOKENS = 12 };
    text texts[N];
    lfm2_model *model = lft_open(path, 1, LFM2_KERNELS_AUTO, 0);
    for (size_t i = 0; i < N; i++) {
        compute_alone(&texts[i], path, LFM2_KERNELS_AUTO, LFM2_KV_F16, TOKENS, 0, i + 1);
        texts[i].session = lft_reserved(model, 64, 64, LFM2_KV_F16);
    }
    trap.norm = model->runtime->kernels.ops.rmsnorm;
    model->runtime->kernels.ops.rmsnorm = cancelling_norm;
    size_t n_vocab = lft_vocab(model);
    float *out = calloc(N * TOKENS, n_vocab * sizeof *out);
    assert_non_null(out);
    static const uint32_t n[PASSES][N] = {{1, 7, 2, 5}, {3, 1, 1, 2}, {1, 1, 1, 1}, {6, 2, 4, 3}};
    int cancels = 0;
    for (size_t p = 0; p < PASSES; p++) {
        int32_t status = LFM2_E_CANCELLED;
        for (int again = 0; status != LFM2_OK; again++) {
            lf_item items[N];
            for (size_t i = 0; i < N; i++) {
                lf_state *s = &texts[i].session->state;
                items[i] = (lf_item){.state = s,
                                     .ids = texts[i].ids + s->length,
                                     .n = n[p][i],
                                     .wanted = LF_LOGITS_ALL,
                                     .out = out + i * TOKENS * n_vocab,
                                     .cancel = i == p % N ? &trap.flag : NULL};
            }
            atomic_store(&trap.flag, 0);
            trap.calls = 0;
            trap.at = 1 + again * 3;
            uint32_t before = texts[1].session->state.length;
            status = lf_forward_batch(model, texts[3].session->workspace, items, N, true);
            if (status != LFM2_OK) {
                lft_expect(status, LFM2_E_CANCELLED, "batch");
                assert_int_equal(texts[1].session->state.length, before);
                cancels++;
            }
        }
        for (size_t i = 0; i < N; i++) {
            size_t first = texts[i].session->state.length - n[p][i];
            assert_memory_equal(out + i * TOKENS * n_vocab, texts[i].expected + first * n_vocab,
                                n[p][i] * n_vocab * sizeof *out);
        }
    }
    assert_true(cancels > 50);
    free(out);
    for (size_t i = 0; i < N; i++) {
        lfm2_session_free(texts[i].session);
    }
    lfm2_model_free(model);
    free_texts(texts, N);
}

/* ---- Items that leave the pass ---- */

enum { DROP_ITEMS = 4, DROP_FIRST = 4, DROP_TOKENS = 12 };

/* A pass in which the flagged items are cancelled at call `at` of the norm (0: never); n tokens
 * each. The others have the bits of their sequences. Returns how many left. */
static uint32_t pass_with_drops(lfm2_model *model, text *texts, const bool *flagged,
                                const uint32_t *n, int at, float *out)
{
    size_t n_vocab = lft_vocab(model);
    lf_item items[DROP_ITEMS];
    uint32_t before[DROP_ITEMS];
    for (size_t i = 0; i < DROP_ITEMS; i++) {
        lf_state *s = &texts[i].session->state;
        before[i] = s->length;
        items[i] = (lf_item){.state = s,
                             .ids = texts[i].ids + s->length,
                             .n = n[i],
                             .wanted = LF_LOGITS_ALL,
                             .out = out + i * DROP_TOKENS * n_vocab,
                             .cancel = flagged[i] ? &trap.flag : NULL};
    }
    atomic_store(&trap.flag, 0);
    trap.calls = 0;
    trap.at = at;
    int32_t status = lf_forward_batch(model, texts[0].session->workspace, items, DROP_ITEMS, false);
    uint32_t left = 0;
    for (size_t i = 0; i < DROP_ITEMS; i++) {
        uint32_t length = texts[i].session->state.length;
        if (flagged[i] && status != LFM2_OK) {
            lft_expect(items[i].status, LFM2_E_CANCELLED, "an item");
            assert_int_equal(length, before[i]);
            left++;
            continue;
        }
        lft_expect(items[i].status, LFM2_OK, "an item");
        assert_int_equal(length, before[i] + n[i]);
        assert_memory_equal(items[i].out, texts[i].expected + before[i] * n_vocab,
                            n[i] * n_vocab * sizeof *out);
    }
    lft_expect(status, left > 0 ? LFM2_E_CANCELLED : LFM2_OK, "the batch");
    return left;
}

/* One or two items leave the pass at each point where it can notice. Then those that left append
 * the same tokens, beside one token of each of the others. */
static void check_drops(const char *path, int32_t kv)
{
    static const uint32_t n[DROP_ITEMS] = {3, 7, 1, 5};
    text texts[DROP_ITEMS];
    lfm2_model *model = lft_open(path, 1, LFM2_KERNELS_AUTO, 0);
    for (size_t i = 0; i < DROP_ITEMS; i++) {
        compute_alone(&texts[i], path, LFM2_KERNELS_AUTO, kv, DROP_TOKENS, 0, i + 1);
    }
    trap.norm = model->runtime->kernels.ops.rmsnorm;
    model->runtime->kernels.ops.rmsnorm = cancelling_norm;
    float *out = calloc((size_t)DROP_ITEMS * DROP_TOKENS, lft_vocab(model) * sizeof *out);
    assert_non_null(out);
    uint32_t dropped = 0;
    uint32_t left = 1;
    for (int at = 1; left > 0; at += 2) {
        bool flagged[DROP_ITEMS] = {false};
        uint32_t rest[DROP_ITEMS];
        flagged[at / 2 % DROP_ITEMS] = true;
        flagged[(at / 2 + 2) % DROP_ITEMS] |= at % 3 == 0;
        for (size_t i = 0; i < DROP_ITEMS; i++) {
            trap.at = 0;
            texts[i].session = lft_reserved(model, 64, 64, kv);
            LFT_OK(lfm2_session_prefill(texts[i].session, texts[i].ids, DROP_FIRST));
            rest[i] = flagged[i] ? n[i] : 1;
        }
        left = pass_with_drops(model, texts, flagged, n, at, out);
        dropped += left;
        if (left > 0) {
            pass_with_drops(model, texts, flagged, rest, 0, out);
        }
        for (size_t i = 0; i < DROP_ITEMS; i++) {
            lfm2_session_free(texts[i].session);
        }
    }
    assert_true(dropped > 20);
    free(out);
    lfm2_model_free(model);
    free_texts(texts, DROP_ITEMS);
}

static void test_dropped(void **state)
{
    (void)state;
    check_drops(lft_golden_folder("dense-untied"), LFM2_KV_F16);
    check_drops(lft_golden_folder("moe-plain"), LFM2_KV_Q8);
}

static void test_cancelled(void **state)
{
    (void)state;
    check_cancels(lft_golden_folder("dense-untied")); /* 4 taps, attention first */
    check_cancels(lft_golden_folder("moe-plain"));
}

static int end(void **state)
{
    (void)state;
    lft_end();
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_random_batches), cmocka_unit_test(test_long),
        cmocka_unit_test(test_refused),        cmocka_unit_test(test_cancelled),
        cmocka_unit_test(test_dropped),
    };
    return cmocka_run_group_tests(tests, NULL, end);
}
