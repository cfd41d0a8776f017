/* SPDX-License-Identifier: Apache-2.0 */
/* Passes over many states: what a run receives are the bits that its tokens give alone, whatever
 * runs stand beside it, whoever lends working memory, and however the rows are divided. */
#include "support/models.h"

#include "run/session.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* A text, its logits computed alone, and how much of it a session holds. */
typedef struct story {
    int32_t *ids;
    size_t n;
    size_t known; /* `truth` begins with this token */
    float *truth; /* [n - known][V] */
    lfm2_session *session;
} story;

enum { MOST_STORIES = 24, MOST_ROWS = 160 };

/* The truth: one thread, one session, small chunks. */
static void tell(story *s, const char *path, int32_t kernels, int32_t kv, size_t n, size_t known,
                 uint64_t seed)
{
    lfm2_model *model = lft_open(path, 1, kernels, 0);
    size_t n_vocab = lft_vocab(model);
    *s = (story){.n = n, .known = known};
    s->ids = lft_ids(n, (uint32_t)n_vocab, seed);
    s->truth = malloc((n - known) * n_vocab * sizeof *s->truth);
    assert_non_null(s->truth);
    lfm2_session *alone = lft_session(model, (uint32_t)n, 64, kv);
    if (known > 0) {
        LFT_OK(lfm2_session_prefill(alone, s->ids, known));
    }
    LFT_OK(lfm2_session_eval(alone, s->ids + known, n - known, s->truth));
    lfm2_session_free(alone);
    lfm2_model_free(model);
}

static void forget(story *stories, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        free(stories[i].ids);
        free(stories[i].truth);
    }
}

/* One pass with `n[i]` tokens of story i (0: it is not in the pass), in the order of `from`,
 * `from + 1`, ... The rows that are wanted are compared with the truth, the others must stay. */
static void pass(const lfm2_model *model, lf_workspace *workspace, story *stories, size_t n_stories,
                 const uint32_t *n, const lf_logits *wanted, size_t from, const char *what)
{
    size_t n_vocab = lft_vocab(model);
    size_t row = n_vocab * sizeof(float);
    lf_item runs[MOST_STORIES];
    story *of[MOST_STORIES];
    float *out = malloc(MOST_ROWS * row);
    assert_non_null(out);
    memset(out, 0xA5, MOST_ROWS * row);
    size_t n_items = 0;
    size_t rows = 0;
    for (size_t k = 0; k < n_stories; k++) {
        size_t i = (from + k) % n_stories;
        if (n[i] == 0) {
            continue;
        }
        story *s = of[n_items] = &stories[i];
        runs[n_items++] = (lf_item){.state = &s->session->state,
                                    .ids = s->ids + s->session->state.length,
                                    .n = n[i],
                                    .wanted = wanted[i],
                                    .out = out + rows * n_vocab};
        rows += n[i];
    }
    assert_true(rows <= MOST_ROWS);
    LFT_OK(lf_forward_batch(model, workspace, runs, n_items));
    for (size_t r = 0; r < n_items; r++) {
        const story *s = of[r];
        size_t first = s->session->state.length - runs[r].n;
        size_t written = runs[r].wanted == LF_LOGITS_ALL ? runs[r].n : runs[r].wanted;
        for (size_t t = 0; t < written; t++) {
            size_t token = first + runs[r].n - written + t;
            if (token >= s->known && memcmp(runs[r].out + t * n_vocab,
                                            s->truth + (token - s->known) * n_vocab, row) != 0) {
                fail_msg("%s: run %zu of %zu (%u tokens from %zu): token %zu differs", what, r,
                         n_items, runs[r].n, first, token);
            }
        }
        for (size_t t = written; t < runs[r].n; t++) {
            for (size_t i = 0; i < row; i++) {
                assert_int_equal(((unsigned char *)(runs[r].out + t * n_vocab))[i], 0xA5);
            }
        }
    }
    free(out);
}

/* ---- Random company ---- */

/* Tokens of the next run of a story: mostly one, sometimes a prompt. */
static uint32_t choose_n(const story *s, uint64_t *random)
{
    static const uint32_t sizes[] = {0, 1, 1, 1, 1, 1, 2, 3, 5, 9, 17, 40};
    uint32_t n = sizes[lft_random(random) % (sizeof sizes / sizeof sizes[0])];
    size_t left = s->n - s->session->state.length;
    return n < left ? n : (uint32_t)left;
}

static void tell_together(const lfm2_model *model, story *stories, size_t n_stories, uint64_t seed,
                          const char *what)
{
    for (bool more = true; more;) {
        uint32_t n[MOST_STORIES];
        lf_logits wanted[MOST_STORIES];
        size_t from = lft_random(&seed) % n_stories;
        size_t workspace = lft_random(&seed) % n_stories;
        uint32_t room = stories[workspace].session->state.n_chunk;
        uint32_t rows = 0;
        room = room < MOST_ROWS ? room : MOST_ROWS;
        more = false;
        for (size_t i = 0; i < n_stories; i++) {
            n[i] = choose_n(&stories[i], &seed);
            n[i] = n[i] < room - rows ? n[i] : room - rows;
            rows += n[i];
            wanted[i] = (lf_logits)(lft_random(&seed) % 3);
            more = more || stories[i].session->state.length + n[i] < stories[i].n;
        }
        if (rows > 0) {
            pass(model, &stories[workspace].session->workspace, stories, n_stories, n, wanted, from,
                 what);
        }
    }
}

/* Sessions with contexts, chunks and KV types of their own; 1 to most_threads threads, which stand
 * by for short passes although there may be fewer processors if they are eager. */
static void check_model(const char *path, int32_t kernels, int32_t most_threads, bool eager)
{
    enum { N = 9 };
    story stories[N];
    for (size_t i = 0; i < N; i++) {
        tell(&stories[i], path, kernels, i % 3 == 1 ? LFM2_KV_F32 : LFM2_KV_F16, 20 + i * 9, 0,
             i + 1);
    }
    for (int32_t threads = 1; threads <= most_threads; threads++) {
        lfm2_model *model = lft_open(path, threads, kernels, 0);
        if (eager) {
            model->runtime->sched.may_spin = threads > 1;
        }
        for (size_t i = 0; i < N; i++) {
            static const uint32_t chunks[] = {512, 64, 20, 1};
            stories[i].session = lft_session(model, (uint32_t)(stories[i].n + i), chunks[i % 4],
                                             i % 3 == 1 ? LFM2_KV_F32 : LFM2_KV_F16);
            /* KV memory that was never written holds no numbers. */
            lf_state *memory = &stories[i].session->state;
            memset(memory->kv, 0xFF, memory->kv_bytes);
        }
        for (uint64_t round = 0; round < 2; round++) {
            char what[96];
            snprintf(what, sizeof what, "%s, kernels %d, %d threads", path, kernels, threads);
            tell_together(model, stories, N, 100 * round + (uint64_t)threads, what);
            for (size_t i = 0; i < N; i++) {
                assert_int_equal(stories[i].session->state.length, stories[i].n);
                LFT_OK(lfm2_session_reset(stories[i].session));
            }
        }
        for (size_t i = 0; i < N; i++) {
            lfm2_session_free(stories[i].session);
        }
        lfm2_model_free(model);
    }
    forget(stories, N);
}

static void test_company(void **state)
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

/* ---- Long contexts: segments of 2048 positions, and too few slots for all of them ---- */

static void check_long(const char *path, int32_t kv, int32_t threads)
{
    /* Positions at which the runs begin, and their tokens: borders of segments between and inside
     * them; some need 3 segments, and together more slots than the workspace has. */
    static const struct {
        uint32_t at, n;
    } first[] = {{4100, 16}, {2040, 16}, {4090, 12}, {2047, 1}, {2048, 1}, {10, 40},
                 {0, 7},     {4095, 1},  {3000, 9},  {4097, 3}, {2030, 30}};
    enum { N = sizeof first / sizeof first[0], STEPS = 3 };
    story stories[N];
    lfm2_model *model = lft_open(path, threads, LFM2_KERNELS_AUTO, 0);
    uint32_t n[N];
    lf_logits wanted[N];
    for (size_t i = 0; i < N; i++) {
        tell(&stories[i], path, LFM2_KERNELS_AUTO, kv, first[i].at + first[i].n + STEPS,
             first[i].at, i + 1);
        stories[i].session = lft_session(model, 4200, i == 6 ? 300 : 512, kv);
        if (first[i].at > 0) {
            LFT_OK(lfm2_session_prefill(stories[i].session, stories[i].ids, first[i].at));
        }
        n[i] = first[i].n;
        wanted[i] = i % 2 == 0 ? LF_LOGITS_ALL : LF_LOGITS_LAST;
    }
    lfm2_session *small = lft_session(model, 300, 200, kv); /* is not in the batch */
    assert_int_equal(small->workspace.attn.n_slots, 64);
    pass(model, &small->workspace, stories, N, n, wanted, 5, "long, a small workspace");
    for (size_t step = 0; step < STEPS; step++) {
        for (size_t i = 0; i < N; i++) {
            n[i] = 1;
        }
        pass(model, &stories[6].session->workspace, stories, N, n, wanted, step, "long, one each");
    }
    for (size_t i = 0; i < N; i++) {
        lfm2_session_free(stories[i].session);
    }
    lfm2_session_free(small);
    lfm2_model_free(model);
    forget(stories, N);
}

static void test_long(void **state)
{
    (void)state;
    check_long(lft_golden_gguf("dense-plain", "q8_0"), LFM2_KV_F16, 3);
    check_long(lft_golden_gguf("dense-plain", "f32"), LFM2_KV_F32, 1);
}

/* ---- What is refused, and what a cancelled pass leaves ---- */

static void test_refused(void **state)
{
    (void)state;
    lfm2_model *model = lft_open(lft_tiny("q4_0"), 1, LFM2_KERNELS_AUTO, 0);
    lfm2_session *a = lft_session(model, 64, 8, LFM2_KV_F16);
    lfm2_session *b = lft_session(model, 64, 64, LFM2_KV_F16);
    static const int32_t ids[9] = {1, 2, 3, 4, 5, 6, 7, 8, 9};
    lf_item runs[3] = {{.state = &a->state, .ids = ids, .n = 4},
                       {.state = &b->state, .ids = ids, .n = 4},
                       {.state = &a->state, .ids = ids, .n = 1}};
    LFT_FAILS(lf_forward_batch(model, &a->workspace, runs, 0), LFM2_E_ARGUMENT);
    LFT_FAILS(lf_forward_batch(model, &b->workspace, runs, 3), LFM2_E_ARGUMENT); /* a twice */
    runs[1].n = 5;
    LFT_FAILS(lf_forward_batch(model, &a->workspace, runs, 2), LFM2_E_ARGUMENT); /* 9 rows of 8 */
    runs[1].n = UINT32_MAX;
    LFT_FAILS(lf_forward_batch(model, &a->workspace, runs, 2), LFM2_E_ARGUMENT);
    runs[1].n = 0;
    LFT_FAILS(lf_forward_batch(model, &a->workspace, runs, 2), LFM2_E_ARGUMENT);
    assert_int_equal(a->state.length, 0);
    assert_int_equal(b->state.length, 0);
    runs[1].n = 4;
    LFT_OK(lf_forward_batch(model, &a->workspace, runs, 2));
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
    story stories[N];
    lfm2_model *model = lft_open(path, 1, LFM2_KERNELS_AUTO, 0);
    for (size_t i = 0; i < N; i++) {
        tell(&stories[i], path, LFM2_KERNELS_AUTO, LFM2_KV_F16, TOKENS, 0, i + 1);
        stories[i].session = lft_session(model, 64, 64, LFM2_KV_F16);
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
            lf_item runs[N];
            for (size_t i = 0; i < N; i++) {
                lf_state *s = &stories[i].session->state;
                runs[i] = (lf_item){s,
                                    stories[i].ids + s->length,
                                    n[p][i],
                                    LF_LOGITS_ALL,
                                    out + i * TOKENS * n_vocab,
                                    i == p % N ? &trap.flag : NULL};
            }
            atomic_store(&trap.flag, 0);
            trap.calls = 0;
            trap.at = 1 + again * 3;
            uint32_t before = stories[1].session->state.length;
            status = lf_forward_batch(model, &stories[3].session->workspace, runs, N);
            if (status != LFM2_OK) {
                lft_expect(status, LFM2_E_CANCELLED, "runs");
                assert_int_equal(stories[1].session->state.length, before);
                cancels++;
            }
        }
        for (size_t i = 0; i < N; i++) {
            size_t first = stories[i].session->state.length - n[p][i];
            assert_memory_equal(out + i * TOKENS * n_vocab, stories[i].truth + first * n_vocab,
                                n[p][i] * n_vocab * sizeof *out);
        }
    }
    assert_true(cancels > 50);
    free(out);
    for (size_t i = 0; i < N; i++) {
        lfm2_session_free(stories[i].session);
    }
    lfm2_model_free(model);
    forget(stories, N);
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
        cmocka_unit_test(test_company),
        cmocka_unit_test(test_long),
        cmocka_unit_test(test_refused),
        cmocka_unit_test(test_cancelled),
    };
    return cmocka_run_group_tests(tests, NULL, end);
}
