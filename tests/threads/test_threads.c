/* SPDX-License-Identifier: Apache-2.0 */
/* Divided work from several threads at once: long passes on one runtime, loading during passes, a
 * shared tokenizer, cancelling a generation. Also for the thread sanitizer; test_sessions.c has the
 * small cases. */
#include "support/models.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

#include <pthread.h>
#include <pthreadpool.h>
#include <semaphore.h>
#include <stdlib.h>
#include <string.h>

enum { USERS = 3, LONG = 150, TAIL = 3 };

/* cmocka's checks work on the main thread only: other threads record the first failure. */
static void *note(const char *volatile *where, int32_t status, const char *what)
{
    if (status != LFM2_OK && *where == NULL) {
        *where = what;
    }
    return NULL;
}
#define NOTE(user, call) note(&(user)->failed, (call), #call)

static void start(pthread_t *thread, void *(*body)(void *), void *argument)
{
    assert_int_equal(pthread_create(thread, NULL, body, argument), 0);
}

/* ---- Long passes ---- */

typedef struct user {
    lfm2_model *model;
    const int32_t *ids;
    uint32_t n_chunk;
    float *logits; /* of the last 1 + TAIL tokens */
    size_t n_vocab;
    const char *volatile failed;
} user;

/* One long prefill, then single tokens. */
static void *compute(void *argument)
{
    user *u = argument;
    lfm2_session_options o;
    lfm2_session_options_init(&o, sizeof o);
    o.n_ctx = LONG + TAIL;
    o.n_chunk = u->n_chunk;
    lfm2_session *session = NULL;
    NOTE(u, lfm2_session_create(u->model, &o, &session));
    for (size_t i = 0; i <= TAIL && u->failed == NULL; i++) {
        if (i == 0) {
            NOTE(u, lfm2_session_prefill(session, u->ids, LONG));
        } else {
            NOTE(u, lfm2_session_decode(session, u->ids[LONG + i - 1]));
        }
        const float *logits = NULL;
        NOTE(u, lfm2_session_logits(session, &logits, NULL));
        if (logits != NULL) {
            memcpy(u->logits + i * u->n_vocab, logits, u->n_vocab * sizeof *logits);
        }
    }
    lfm2_session_free(session);
    return NULL;
}

static void check_long_passes(const char *path)
{
    lfm2_model *alone = lft_open(path, 1, LFM2_KERNELS_AUTO, 0);
    lfm2_model *shared = lft_open(path, 3, LFM2_KERNELS_AUTO, 0);
    size_t n_vocab = lft_vocab(alone);
    int32_t *ids = lft_ids(LONG + TAIL, (uint32_t)n_vocab, 21);
    size_t floats = (1 + TAIL) * n_vocab;
    float *logits = calloc((USERS + 1) * floats, sizeof *logits);
    assert_non_null(logits);
    user expected = {alone, ids, 0, logits, n_vocab, NULL};
    compute(&expected);
    assert_null(expected.failed);
    user users[USERS];
    pthread_t threads[USERS];
    for (int i = 0; i < USERS; i++) {
        users[i] =
            (user){shared,  ids, i == 0 ? 0 : (uint32_t)(i * 50), logits + (size_t)(i + 1) * floats,
                   n_vocab, NULL};
        start(&threads[i], compute, &users[i]);
    }
    for (int i = 0; i < USERS; i++) {
        pthread_join(threads[i], NULL);
    }
    for (int i = 0; i < USERS; i++) {
        if (users[i].failed != NULL) {
            fail_msg("%s", users[i].failed);
        }
        assert_memory_equal(users[i].logits, logits, floats * sizeof *logits);
    }
    free(logits);
    free(ids);
    lfm2_model_free(alone);
    lfm2_model_free(shared);
}

static void test_long_passes(void **state)
{
    (void)state;
    check_long_passes(lft_tiny("q4_0"));
    check_long_passes(lft_golden_folder("moe-nobias")); /* 4 taps */
}

/* A pass of few more tokens than threads: a thread's range is shorter than the convolution's
 * history. */
static void test_short_ranges(void **state)
{
    (void)state;
    const char *path =
        lft_golden_folder("moe-nobias"); /* 4 taps, 256 wide; its rows are divided from 16 on */
    const char *sanitizer = getenv("LFM2_SANITIZED");
    bool many = sanitizer != NULL && strcmp(sanitizer, "thread") == 0;
    lfm2_model *models[] = {lft_open(path, 1, LFM2_KERNELS_AUTO, 0),
                            lft_open(path, many ? 40 : 3, LFM2_KERNELS_AUTO, 0)};
    size_t n_vocab = lft_vocab(models[0]);
    int32_t *ids = lft_ids(80, (uint32_t)n_vocab, 4);
    float *out = calloc(2 * 80 * n_vocab, sizeof *out);
    assert_non_null(out);
    for (int i = 0; i < 2; i++) {
        lfm2_session *session = lft_session(models[i], 80, 70, LFM2_KV_F16);
        LFT_OK(lfm2_session_eval(session, ids, 80, out + (size_t)i * 80 * n_vocab));
        lfm2_session_free(session);
        lfm2_model_free(models[i]);
    }
    assert_memory_equal(out, out + 80 * n_vocab, 80 * n_vocab * sizeof *out);
    free(out);
    free(ids);
}

/* A host's pool: all its threads are used, and the pool still works afterwards. */
static void test_host_pool(void **state)
{
    (void)state;
    pthreadpool_t pool = pthreadpool_create(3);
    assert_non_null(pool);
    lfm2_model *alone = lft_open(lft_tiny("q4_0"), 1, LFM2_KERNELS_AUTO, 0);
    size_t n_vocab = lft_vocab(alone);
    int32_t *ids = lft_ids(LONG + TAIL, (uint32_t)n_vocab, 8);
    size_t floats = (1 + TAIL) * n_vocab;
    float *logits = calloc(2 * floats, sizeof *logits);
    assert_non_null(logits);
    user expected = {alone, ids, 0, logits, n_vocab, NULL};
    compute(&expected);
    lfm2_model_free(alone);
    for (int i = 0; i < 2; i++) {
        lfm2_runtime_options o;
        lfm2_runtime_options_init(&o, sizeof o);
        o.threadpool = pool;
        o.n_threads = 1; /* ignored: the pool has 3 */
        lfm2_runtime *runtime = NULL;
        LFT_OK(lfm2_runtime_create(&o, &runtime));
        assert_int_equal(lfm2_runtime_threads(runtime), 3);
        user u = {lft_load(runtime, lft_tiny("q4_0")), ids, 0, logits + floats, n_vocab, NULL};
        lfm2_runtime_free(runtime);
        compute(&u);
        assert_null(u.failed);
        assert_memory_equal(logits, logits + floats, floats * sizeof *logits);
        lfm2_model_free(u.model);
    }
    assert_int_equal(pthreadpool_get_threads_count(pool), 3);
    pthreadpool_destroy(pool);
    free(logits);
    free(ids);
}

/* ---- Loading and tokenizing during passes ---- */

typedef struct loader {
    lfm2_runtime *runtime;
    const char *path;
    const char *volatile failed;
} loader;

static void *load_again(void *argument)
{
    loader *l = argument;
    for (int i = 0; i < 3; i++) {
        lfm2_model *m = NULL;
        NOTE(l, lfm2_model_load(l->runtime, l->path, NULL, &m));
        lfm2_model_free(m);
    }
    return NULL;
}

typedef struct writer {
    lfm2_model *model;
    lfm2_runtime *runtime;
    int32_t ids[256];
    size_t n;
    char text[512];
    size_t len;
    const char *volatile failed;
} writer;

static void *write_text(void *argument)
{
    writer *w = argument;
    static const char messages[] =
        "[{\"role\": \"user\", \"content\": "
        "\"Several threads, one tokenizer: caf\xC3\xA9 12345 \xF0\x9F\x98\x80 end.\"}]";
    for (int i = 0; i < 10; i++) {
        NOTE(w,
             lfm2_chat_tokenize(w->model, messages, sizeof messages - 1, NULL, w->ids, 256, &w->n));
        NOTE(w, lfm2_detokenize(w->model, w->ids, w->n, 0, w->text, sizeof w->text, &w->len));
        lfm2_decoder *d = NULL;
        NOTE(w, lfm2_decoder_create(w->model, 0, &d));
        for (size_t k = 0; k < w->n && w->failed == NULL; k++) {
            const char *piece = NULL;
            size_t len = 0;
            NOTE(w, lfm2_decoder_push(d, w->ids[k], &piece, &len));
        }
        lfm2_decoder_free(d);
    }
    return NULL;
}

static void test_loading_and_text(void **state)
{
    (void)state;
    lfm2_runtime *runtime = lft_runtime(2, LFM2_KERNELS_AUTO, 0);
    lfm2_model *model = lft_load(runtime, lft_tiny("q4_0"));
    size_t n_vocab = lft_vocab(model);
    int32_t *ids = lft_ids(LONG + TAIL, (uint32_t)n_vocab, 21);
    float *logits = calloc((1 + TAIL) * n_vocab, sizeof *logits);
    assert_non_null(logits);
    user runner = {model, ids, 64, logits, n_vocab, NULL};
    loader loaders[2] = {{runtime, lft_tiny("q4_0"), NULL},
                         {runtime, lft_golden_folder("dense-untied"), NULL}};
    static writer writers[2];
    pthread_t threads[5];
    start(&threads[0], compute, &runner);
    for (int i = 0; i < 2; i++) {
        writers[i] = (writer){.model = model, .runtime = runtime};
        start(&threads[1 + i], load_again, &loaders[i]);
        start(&threads[3 + i], write_text, &writers[i]);
    }
    for (int i = 0; i < 5; i++) {
        pthread_join(threads[i], NULL);
    }
    assert_null(runner.failed);
    for (int i = 0; i < 2; i++) {
        assert_null(loaders[i].failed);
        assert_null(writers[i].failed);
    }
    assert_int_equal(writers[0].n, writers[1].n);
    assert_memory_equal(writers[0].ids, writers[1].ids, writers[0].n * sizeof(int32_t));
    assert_memory_equal(writers[0].text, writers[1].text, writers[0].len);
    free(logits);
    free(ids);
    lfm2_model_free(model);
    lfm2_runtime_free(runtime);
}

/* ---- Callbacks that use the runtime ---- */

typedef struct user_of_other {
    lfm2_session *other;
    int calls;
} user_of_other;

static int32_t decode_another(void *argument, const lfm2_generated_token *token)
{
    user_of_other *m = argument;
    m->calls++;
    return lfm2_session_decode(m->other, token->id);
}

static int32_t decode_while_loading(void *argument, double done)
{
    (void)done;
    user_of_other *m = argument;
    m->calls++;
    return lfm2_session_decode(m->other, 1);
}

/* A callback is not in a turn, so it may compute with another session of the same runtime. */
static void test_callbacks(void **state)
{
    (void)state;
    lfm2_runtime *runtime = lft_runtime(2, LFM2_KERNELS_AUTO, 0);
    lfm2_model *model = lft_load(runtime, lft_tiny("q4_0"));
    lfm2_session *session = lft_session(model, 64, 0, LFM2_KV_F16);
    user_of_other m = {.other = lft_session(model, 1000, 0, LFM2_KV_F16)};
    lfm2_sampler *sampler = NULL;
    LFT_OK(lfm2_sampler_create(model, NULL, &sampler));
    lfm2_generate_options o;
    lfm2_generate_options_init(&o, sizeof o);
    o.max_tokens = 5;
    o.flags = LFM2_GENERATE_IGNORE_EOS;
    o.callback = decode_another;
    o.callback_user = &m;
    LFT_OK(lfm2_generate(session, sampler, (int32_t[]){1, 2, 3}, 3, &o, NULL));
    assert_true(m.calls >= 5);
    lfm2_model_options mo;
    lfm2_model_options_init(&mo, sizeof mo);
    mo.progress = decode_while_loading;
    mo.progress_user = &m;
    m.calls = 0;
    lfm2_model *again = NULL;
    LFT_OK(lfm2_model_load(runtime, lft_tiny("q4_0"), &mo, &again));
    assert_true(m.calls > 0);
    lfm2_sampler_free(sampler);
    lfm2_session_free(session);
    lfm2_session_free(m.other);
    lfm2_model_free(again);
    lfm2_model_free(model);
    lfm2_runtime_free(runtime);
}

/* ---- Cancelling a generation ---- */

typedef struct canceller {
    lfm2_session *session;
    sem_t seen;
    int calls;
} canceller;

static int32_t count(void *argument, const lfm2_generated_token *token)
{
    canceller *c = argument;
    if (token->id >= 0 && ++c->calls == 5) {
        sem_post(&c->seen);
    }
    return 0;
}

static void *cancel_once(void *argument)
{
    canceller *c = argument;
    while (sem_wait(&c->seen) != 0) {
    }
    lfm2_session_cancel(c->session);
    return NULL;
}

static void test_cancel_generation(void **state)
{
    (void)state;
    lfm2_model *model = lft_open(lft_tiny("q4_0"), 2, LFM2_KERNELS_AUTO, 0);
    lfm2_sampler *sampler = NULL;
    LFT_OK(lfm2_sampler_create(model, NULL, &sampler));
    canceller c = {.session = lft_session(model, 4000, 0, LFM2_KV_F16)};
    assert_int_equal(sem_init(&c.seen, 0, 0), 0);
    pthread_t thread;
    start(&thread, cancel_once, &c);
    lfm2_generate_options o;
    lfm2_generate_options_init(&o, sizeof o);
    o.flags = LFM2_GENERATE_IGNORE_EOS;
    o.callback = count;
    o.callback_user = &c;
    lfm2_generate_result result = {.size = sizeof result};
    int32_t status = lfm2_generate(c.session, sampler, (int32_t[]){1, 2, 3}, 3, &o, &result);
    pthread_join(thread, NULL);
    /* The request may come after the last token; otherwise the text is cut. */
    if (result.finish == LFM2_FINISH_CANCELLED) {
        assert_int_equal(status, LFM2_E_CANCELLED);
        assert_in_range(result.n_generated, 5, 3998);
        assert_int_equal(lfm2_session_length(c.session), 3 + result.n_generated);
    } else {
        assert_int_equal(status, LFM2_OK);
        assert_int_equal(result.finish, LFM2_FINISH_CONTEXT);
        assert_true(result.excluded_id >= 0);
    }
    assert_true(c.calls >= 5);
    sem_destroy(&c.seen);
    lfm2_session_free(c.session);
    lfm2_sampler_free(sampler);
    lfm2_model_free(model);
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
        cmocka_unit_test(test_long_passes),       cmocka_unit_test(test_short_ranges),
        cmocka_unit_test(test_host_pool),         cmocka_unit_test(test_loading_and_text),
        cmocka_unit_test(test_cancel_generation), cmocka_unit_test(test_callbacks),
    };
    return cmocka_run_group_tests(tests, NULL, end);
}
