/* SPDX-License-Identifier: Apache-2.0 */
/* Generation with drafts: nothing that is generated changes, whether drafts are right or wrong. */
/* link-wrap: lf_os_seconds */
#include "support/dictation.h"

#include "run/session.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

#include <stdatomic.h>
#include <string.h>

enum { N_CTX = 200, N_PROMPT = 8, MAX_STEPS = 200, MAX_TEXT = 4096, N_TOP = 2 };

static lfm2_model *model;
static uint32_t n_vocab;

/* ---- Clock: the time that passes take decides how many guesses are computed ---- */

static uint64_t clock_ns = 1;
static bool clock_jumps;

double __wrap_lf_os_seconds(void);

/* Each call of the loop that generates advances the clock by 1 us, so that all passes cost the same
 * and guesses always pay; or by 1 ns to 1 ms. Other parts of the library read another clock, and
 * how often they do depends on the speed of the machine. */
double __wrap_lf_os_seconds(void)
{
    uint64_t step = 1000;
    if (clock_jumps) {
        uint64_t random = clock_ns;
        step = 1 + (lft_random(&random) & (((uint64_t)1 << lft_random(&random) % 21) - 1));
    }
    clock_ns += step;
    return (double)clock_ns * 1e-9;
}

/* ---- One text ---- */

typedef struct record {
    int32_t n, finish, stop_id, excluded_id;
    size_t len;
    uint64_t random; /* the sampler's generator, afterwards */
    int32_t ids[MAX_STEPS];
    float logprobs[MAX_STEPS];
    int32_t top_ids[MAX_STEPS][N_TOP];
    float top_logprobs[MAX_STEPS][N_TOP];
    char text[MAX_TEXT];
    uint32_t length; /* of the session */
    uint32_t n_accepted, n_drafted, unused;
} record; /* without padding */

typedef struct trial {
    uint64_t seed;
    float temperature;
    uint32_t max_tokens, flags;
    int32_t stop_at, cancel_at; /* the callback that stops or cancels, from 1; 0: none */
    int32_t kv;
    uint32_t n_chunk;
    bool reserved, may_fail;
    const char *stop;
    /* What is changed: */
    bool draft;
    const int32_t *draft_ids;
    size_t n_draft_ids;
    lfm2_session *session;
    lfm2_sampler *sampler;
    record *out;
} trial;

static int32_t listen(void *user, const lfm2_generated_token *token)
{
    const trial *t = user;
    record *r = t->out;
    assert_true(r->len + token->len < MAX_TEXT);
    memcpy(r->text + r->len, token->text, token->len);
    r->len += token->len;
    if (token->id >= 0) {
        assert_true(r->n < MAX_STEPS);
        r->logprobs[r->n] = token->logprob;
        memcpy(r->top_ids[r->n], token->top_ids, sizeof r->top_ids[0]);
        memcpy(r->top_logprobs[r->n], token->top_logprobs, sizeof r->top_logprobs[0]);
        r->ids[r->n++] = token->id;
    }
    if (r->n == t->cancel_at) {
        lfm2_session_cancel(t->session);
    }
    return r->n == t->stop_at;
}

/* Generates in the session and with the sampler of the trial. */
static record generate(trial *t, const int32_t *prompt, size_t n_prompt)
{
    record r = {.n = 0};
    t->out = &r;
    lfm2_generate_options o;
    lfm2_generate_options_init(&o, sizeof o);
    o.max_tokens = t->max_tokens;
    o.flags = t->flags | (t->draft ? LFM2_GENERATE_DRAFT : 0);
    o.draft_ids = t->draft_ids;
    o.n_draft_ids = t->n_draft_ids;
    o.n_top = N_TOP;
    o.stop_strings = &t->stop;
    o.n_stop_strings = t->stop != NULL ? 1 : 0;
    o.callback = listen;
    o.callback_user = t;
    lfm2_generate_result result = {.size = sizeof result};
    lft_mark_error();
    int32_t status = lfm2_generate(t->session, t->sampler, prompt, n_prompt, &o, &result);
    if (t->may_fail && status == LFM2_E_MEMORY) {
        assert_int_equal(result.finish, 0);
        return r;
    }
    if (status != LFM2_E_STOPPED && status != LFM2_E_CANCELLED) {
        lft_expect(status, LFM2_OK, "lfm2_generate");
    }
    assert_true(result.n_accepted <= result.n_drafted);
    assert_true(t->draft || result.n_drafted == 0);
    assert_int_equal(result.n_prompt, n_prompt);
    r.finish = result.finish;
    r.stop_id = result.stop_id;
    r.excluded_id = result.excluded_id;
    r.length = lfm2_session_length(t->session);
    r.n_accepted = result.n_accepted;
    r.n_drafted = result.n_drafted;
    r.random = t->sampler->random;
    return r;
}

static void begin_trial(trial *t)
{
    lfm2_sampler_options o;
    lfm2_sampler_options_init(&o, sizeof o, model);
    o.temperature = t->temperature;
    o.seed = t->seed;
    o.repetition_penalty = 1 + 0.1f * (float)(t->seed % 3);
    o.frequency_penalty = t->seed % 4 == 3 ? 0.4f : 0;
    o.penalty_last_n = t->seed % 2 == 0 ? -1 : 20;
    LFT_OK(lfm2_sampler_create(model, &o, &t->sampler));
    t->session = t->reserved ? lft_reserved(model, N_CTX, t->n_chunk, t->kv)
                             : lft_session(model, N_CTX, t->n_chunk, t->kv);
}

static void end_trial(trial *t)
{
    lfm2_session_free(t->session);
    lfm2_sampler_free(t->sampler);
}

static const int32_t first_prompt[N_PROMPT] = {1, 300, 301, 302, 300, 301, 302, 300};

static record text_of(trial t)
{
    begin_trial(&t);
    record r = generate(&t, first_prompt, N_PROMPT);
    end_trial(&t);
    return r;
}

static void expect_same_logits(lfm2_session *a, lfm2_session *b)
{
    const float *x = NULL;
    const float *y = NULL;
    LFT_OK(lfm2_session_logits(a, &x, NULL));
    LFT_OK(lfm2_session_logits(b, &y, NULL));
    assert_memory_equal(x, y, n_vocab * sizeof *x);
}

/* Generates without drafts and with them. Returns how many were accepted. */
static uint32_t compare_call(trial *plain, trial *drafted, const int32_t *prompt, size_t n_prompt)
{
    record a = generate(plain, prompt, n_prompt);
    record b = generate(drafted, prompt, n_prompt);
    uint32_t n_accepted = b.n_accepted;
    b.n_accepted = b.n_drafted = 0;
    assert_string_equal(a.text, b.text);
    assert_int_equal(a.n, b.n);
    assert_int_equal(a.finish, b.finish);
    assert_int_equal(a.length, b.length);
    assert_memory_equal(&a, &b, sizeof a);
    assert_memory_equal(plain->sampler->counts, drafted->sampler->counts,
                        n_vocab * sizeof(uint32_t));
    assert_int_equal(plain->sampler->window_next, drafted->sampler->window_next);
    assert_int_equal(plain->session->later, drafted->session->later);
    int32_t x[N_CTX], y[N_CTX];
    LFT_OK(lfm2_session_tokens(plain->session, 0, a.length, x));
    LFT_OK(lfm2_session_tokens(drafted->session, 0, b.length, y));
    assert_memory_equal(x, y, a.length * sizeof *x);
    assert_int_equal(plain->session->state.n_pages, drafted->session->state.n_pages);
    return n_accepted;
}

/* The sessions have the same logits, also without a pending token. */
static void compare_logits(const trial *plain, const trial *drafted)
{
    uint32_t before = plain->session->state.length;
    lfm2_session *a = NULL, *b = NULL;
    LFT_OK(lfm2_session_fork(plain->session, &a));
    LFT_OK(lfm2_session_fork(drafted->session, &b));
    LFT_OK(lfm2_session_rewind(a, before));
    LFT_OK(lfm2_session_rewind(b, before));
    expect_same_logits(a, b);
    lfm2_session_free(a);
    lfm2_session_free(b);
    LFT_OK(lfm2_session_fork(plain->session, &a));
    LFT_OK(lfm2_session_fork(drafted->session, &b));
    expect_same_logits(a, b);
    lfm2_session_free(a);
    lfm2_session_free(b);
}

/* Compares two turns. Returns how many drafts were accepted. */
static uint32_t compare(const trial *t)
{
    static const int32_t next[] = {305, 300, 301};
    trial plain = *t;
    plain.draft = false;
    trial drafted = *t;
    drafted.draft = true;
    begin_trial(&plain);
    begin_trial(&drafted);
    uint32_t n_accepted = compare_call(&plain, &drafted, first_prompt, N_PROMPT);
    compare_logits(&plain, &drafted);
    if (lfm2_session_length(plain.session) + 3 < N_CTX) { /* the next turn */
        compare_call(&plain, &drafted, next, 3);
        compare_logits(&plain, &drafted);
    }
    end_trial(&plain);
    end_trial(&drafted);
    return n_accepted;
}

/* Drafts of the text itself, and with every 2nd, 5th, ... token wrong. */
static void check_given(trial t)
{
    static const int32_t errors[] = {0, 1, 2, 5, 17};
    record text = text_of(t);
    for (size_t e = 0; e < sizeof errors / sizeof errors[0]; e++) {
        int32_t ids[MAX_STEPS];
        for (int32_t i = 0; i < text.n; i++) {
            bool wrong = errors[e] > 0 && i % errors[e] == errors[e] - 1;
            ids[i] = wrong ? (text.ids[i] + 1) % (int32_t)n_vocab : text.ids[i];
        }
        t.draft_ids = ids;
        t.n_draft_ids = (size_t)text.n;
        uint32_t n_accepted = compare(&t);
        /* Right guesses save steps: even with passes of 2 rows every other token is a guess. */
        assert_true(errors[e] != 0 || clock_jumps || t.n_chunk == 1 ||
                    (int32_t)n_accepted * 3 > text.n - 6);
        assert_true(t.n_chunk != 1 || n_accepted == 0);
    }
}

static void test_given(void **state)
{
    (void)state;
    for (uint64_t seed = 0; seed < 12; seed += lft_sampled() ? 4 : 1) {
        static const uint32_t chunks[] = {0, 0, 16, 3, 1};
        trial t = {.seed = seed,
                   .temperature = 0.6f * (float)(seed % 3),
                   .max_tokens = 60,
                   .flags = LFM2_GENERATE_IGNORE_EOS,
                   .kv = (int32_t)(seed / 3 % 3),
                   .n_chunk = chunks[seed % 5],
                   .reserved = seed % 4 == 1};
        check_given(t);
        t.flags = LFM2_GENERATE_SPECIAL;
        t.temperature = 1.5f;
        check_given(t);
    }
}

/* Drafts from the text's own n-grams. */
static void test_ngrams(void **state)
{
    (void)state;
    uint32_t n_accepted = 0;
    for (uint64_t seed = 0; seed < 10; seed += lft_sampled() ? 3 : 1) {
        trial t = {.seed = seed, .temperature = 0.3f * (float)(seed % 2), .max_tokens = 100};
        n_accepted += compare(&t);
    }
    assert_true(n_accepted > 0);
}

/* With a clock that jumps, passes have any number of rows. */
static void test_any_pace(void **state)
{
    clock_jumps = true;
    test_given(state);
    test_ngrams(state);
    clock_jumps = false;
}

/* All ways to end, at every token. */
static void test_ends(void **state)
{
    (void)state;
    trial t = {.seed = 4, .max_tokens = 24, .flags = LFM2_GENERATE_IGNORE_EOS};
    record text = text_of(t);
    assert_true(text.n > 20);
    t.draft_ids = text.ids;
    t.n_draft_ids = (size_t)text.n;
    const int32_t step = lft_sampled() ? 4 : 1;
    for (int32_t at = 1; at < text.n; at += step) {
        trial other = t;
        other.stop_at = at;
        compare(&other);
        other = t;
        other.cancel_at = at;
        compare(&other);
        other = t;
        other.max_tokens = (uint32_t)at;
        compare(&other);
        other = t;
        other.n_chunk = (uint32_t)at;
        compare(&other);
    }
    char stop[3] = {0};
    for (size_t at = 0; at + 2 < text.len; at += (size_t)step) {
        memcpy(stop, text.text + at, 2);
        t.stop = stop;
        if ((stop[0] & 0x80) == 0 && (stop[1] & 0x80) == 0) {
            compare(&t);
        }
    }
}

/* A draft that is longer than the context. */
static void test_full(void **state)
{
    (void)state;
    trial t = {.seed = 5};
    record text = text_of(t);
    int32_t ids[MAX_STEPS + 64];
    for (size_t i = 0; i < MAX_STEPS + 64; i++) {
        ids[i] = (int32_t)i < text.n ? text.ids[i] : 300;
    }
    t.draft_ids = ids;
    t.n_draft_ids = MAX_STEPS + 64;
    compare(&t);
}

static void test_refused(void **state)
{
    (void)state;
    lfm2_session *session = lft_session(model, N_CTX, 0, LFM2_KV_F16);
    lfm2_sampler *sampler = NULL;
    LFT_OK(lfm2_sampler_create(model, NULL, &sampler));
    lfm2_generate_options o;
    lfm2_generate_options_init(&o, sizeof o);
    o.flags = LFM2_GENERATE_DRAFT;
    o.n_draft_ids = 2;
    const int32_t prompt = 1;
    LFT_FAILS(lfm2_generate(session, sampler, &prompt, 1, &o, NULL), LFM2_E_ARGUMENT);
    assert_string_equal(lfm2_last_error(), "draft_ids is NULL");
    const int32_t ids[] = {1, (int32_t)n_vocab};
    o.draft_ids = ids;
    LFT_FAILS(lfm2_generate(session, sampler, &prompt, 1, &o, NULL), LFM2_E_ARGUMENT);
    assert_non_null(strstr(lfm2_last_error(), "draft_ids[1] is "));
    assert_int_equal(lfm2_session_length(session), 0);
    lfm2_sampler_free(sampler);
    lfm2_session_free(session);
}

/* No guess is computed that max_tokens excludes. */
static void test_max_tokens(void **state)
{
    (void)state;
    trial t = {.seed = 7, .max_tokens = 60, .flags = LFM2_GENERATE_IGNORE_EOS};
    record text = text_of(t);
    t.draft = true;
    t.draft_ids = text.ids;
    t.n_draft_ids = (size_t)text.n;
    t.max_tokens = 31;
    record r = text_of(t);
    assert_int_equal(r.n, 31);
    assert_int_equal(r.n_drafted, r.n_accepted);
    assert_true(r.n_drafted > 20);
}

/* Where n-grams are found: in draft_ids, the session, the prompt and the text itself. */
static void test_sources(void **state)
{
    (void)state;
    enum { NOWHERE, DRAFT_IDS, SESSION, PROMPT, ITSELF, N = 24 };
    for (int where = NOWHERE; where <= ITSELF; where++) {
        int32_t ids[2 * N], twice[4 + 2 * N] = {5, 6, 7, 8};
        char text[2 * N + 1] = {0};
        for (int i = 0; i < 2 * N; i++) {
            text[i] = (char)('a' + i % N);
            ids[i] = lft_byte_token(model, (uint8_t)text[i]);
            twice[4 + i] = ids[i];
        }
        size_t n = where == ITSELF ? 2 * N : N;
        lft_dictation d = lft_dictation_begin(model, ids, n);
        d.options.flags = LFM2_GENERATE_DRAFT;
        if (where == DRAFT_IDS) {
            d.options.draft_ids = twice; /* which the text does not begin with */
            d.options.n_draft_ids = 4 + N;
        }
        if (where == SESSION) {
            LFT_OK(lfm2_session_prefill(d.session, ids, N));
        }
        LFT_OK(lft_dictate(&d, where == PROMPT ? twice : lft_prompt, where == PROMPT ? 4 + N : 4));
        text[n] = 0;
        assert_string_equal(d.text, text);
        assert_true(where == NOWHERE ? d.result.n_accepted == 0 : d.result.n_accepted > 10);
        lft_dictation_end(&d);
    }
}

/* A session that is forked before: the other one keeps its tokens and logits. */
static void test_fork(void **state)
{
    (void)state;
    trial t = {.seed = 1, .max_tokens = 40, .flags = LFM2_GENERATE_IGNORE_EOS};
    record text = text_of(t);
    begin_trial(&t);
    LFT_OK(lfm2_session_prefill(t.session, first_prompt, N_PROMPT));
    lfm2_session *fork = NULL, *fresh = lft_session(model, N_CTX, 0, t.kv);
    LFT_OK(lfm2_session_fork(t.session, &fork));
    LFT_OK(lfm2_session_prefill(fresh, first_prompt, N_PROMPT));
    for (size_t i = 0; i < N_PROMPT; i++) {
        LFT_OK(lfm2_sampler_accept(t.sampler, first_prompt[i]));
    }
    t.draft = true;
    t.draft_ids = text.ids;
    t.n_draft_ids = (size_t)text.n;
    record r = generate(&t, NULL, 0);
    assert_string_equal(r.text, text.text);
    assert_true(r.n_accepted > 10);
    expect_same_logits(fork, fresh);
    LFT_OK(lfm2_session_decode(fork, 310));
    LFT_OK(lfm2_session_decode(fresh, 310));
    expect_same_logits(fork, fresh);
    lfm2_session_free(fork);
    lfm2_session_free(fresh);
    end_trial(&t);
}

/* A budget of one page, which guesses would exceed long before the text does. */
static void test_budget(void **state)
{
    (void)state;
    lfm2_memory memory = {.size = sizeof memory};
    LFT_OK(lfm2_estimate_memory(model, NULL, &memory));
    trial t = {.seed = 5, .max_tokens = 64 - N_PROMPT + 1, .flags = LFM2_GENERATE_IGNORE_EOS};
    record text = text_of(t);
    assert_int_equal(text.length, 65); /* the last token is pending */
    t.max_tokens = 0;
    t.draft = true;
    t.draft_ids = text.ids;
    t.n_draft_ids = (size_t)text.n;
    int32_t longer[2 * MAX_STEPS];
    for (int32_t i = 0; i < 2 * MAX_STEPS; i++) {
        longer[i] = text.ids[i % text.n];
    }
    t.draft_ids = longer;
    t.n_draft_ids = 2 * MAX_STEPS;
    t.stop_at = text.n;
    LFT_OK(lfm2_model_set_kv_budget(model, memory.kv_page));
    begin_trial(&t);
    record r = generate(&t, first_prompt, N_PROMPT);
    assert_int_equal(r.finish, LFM2_FINISH_CALLBACK);
    assert_int_equal(r.n, text.n);
    assert_memory_equal(r.ids, text.ids, (size_t)text.n * sizeof *r.ids);
    assert_true(r.n_accepted > 0);
    LFT_OK(lfm2_model_set_kv_budget(model, UINT64_MAX));
    end_trial(&t);
}

/* Each allocation fails once: the call returns MEMORY, or it goes on without drafts. */
static void test_failing_memory(void **state)
{
    (void)state;
    lft_memory memory = {0};
    lfm2_runtime_options o;
    lfm2_runtime_options_init(&o, sizeof o);
    o.n_threads = 1;
    o.alloc = lft_memory_alloc;
    o.free = lft_memory_free;
    o.alloc_user = &memory;
    lfm2_runtime *runtime = NULL;
    lfm2_model *usual = model;
    trial t = {.seed = 5, .max_tokens = 80, .flags = LFM2_GENERATE_IGNORE_EOS};
    record text = text_of(t);
    int32_t ids[MAX_STEPS];
    for (size_t i = 0; i < MAX_STEPS; i++) {
        ids[i] = text.ids[i < (size_t)text.n ? i : (size_t)text.n - 1];
    }
    t.draft = true; /* with an index that grows while the text is generated */
    t.draft_ids = ids;
    t.n_draft_ids = MAX_STEPS;
    LFT_OK(lfm2_runtime_create(&o, &runtime));
    model = lft_load(runtime, lft_tiny("q4_0"));
    lfm2_runtime_free(runtime);
    uint32_t n_failed = 0, n_went_on = 0;
    for (long long n = 1;; n++) {
        begin_trial(&t);
        lf_workspace_free_idle(model);
        const long long blocks = atomic_load(&memory.live_blocks);
        atomic_store(&memory.calls, 0);
        atomic_store(&memory.fail_at, n);
        t.may_fail = true;
        record r = generate(&t, first_prompt, N_PROMPT);
        atomic_store(&memory.fail_at, 0);
        bool none = atomic_load(&memory.calls) < n;
        if (r.finish == 0) { /* the session has what was computed before */
            n_failed++;
            assert_false(none);
            LFT_OK(lfm2_session_reset(t.session));
            lf_workspace_free_idle(model);
            assert_int_equal(atomic_load(&memory.live_blocks), blocks);
        } else {
            n_went_on += !none;
            assert_int_equal(r.n, text.n);
            assert_memory_equal(r.ids, text.ids, (size_t)r.n * sizeof *r.ids);
            assert_memory_equal(r.logprobs, text.logprobs, (size_t)r.n * sizeof *r.logprobs);
            assert_true(r.n_accepted > 30 || !none);
        }
        end_trial(&t);
        if (none) {
            break;
        }
    }
    print_message("%u calls failed, %u went on without drafts\n", n_failed, n_went_on);
    assert_true(n_failed > 5 && n_went_on > 3);
    assert_false(atomic_load(&memory.broken));
    lfm2_model_free(model);
    assert_int_equal(atomic_load(&memory.live_blocks), 0);
    model = usual;
}

static void load(const char *type, int32_t threads, int32_t kernels)
{
    lfm2_model_free(model);
    model = lft_open(lft_tiny(type), threads, kernels, 0);
    n_vocab = lft_vocab(model);
}

/* Other kernels, and several threads. */
static void test_models(void **state)
{
    (void)state;
    static const char *const types[] = {"q8_0", "q4_k_m"};
    for (int32_t i = 0; i < 2; i++) {
        load(types[i], 2, i == 0 ? LFM2_KERNELS_OWN : LFM2_KERNELS_XNNPACK);
        for (uint64_t seed = 0; seed < 3; seed++) {
            trial t = {.seed = seed,
                       .temperature = 0.5f * (float)seed,
                       .max_tokens = 60,
                       .kv = (int32_t)seed,
                       .flags = LFM2_GENERATE_IGNORE_EOS};
            check_given(t);
        }
    }
    load("q4_0", 1, LFM2_KERNELS_AUTO);
}

static int begin(void **state)
{
    (void)state;
    load("q4_0", 1, LFM2_KERNELS_AUTO);
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
        cmocka_unit_test(test_given),    cmocka_unit_test(test_ngrams),
        cmocka_unit_test(test_any_pace), cmocka_unit_test(test_ends),
        cmocka_unit_test(test_full),     cmocka_unit_test(test_fork),
        cmocka_unit_test(test_budget),   cmocka_unit_test(test_max_tokens),
        cmocka_unit_test(test_sources),  cmocka_unit_test(test_failing_memory),
        cmocka_unit_test(test_models),   cmocka_unit_test(test_refused),
    };
    return cmocka_run_group_tests(tests, begin, end);
}
