/* SPDX-License-Identifier: Apache-2.0 */
/* The child of a fork: calls that need the threads of the parent's runtime fail at once, all
 * objects can be freed, a runtime with one thread still computes, and a new runtime can be created.
 * An alarm ends a child that hangs and fails the test. */
/* link-wrap: madvise getpid */
#define _GNU_SOURCE /* MADV_WIPEONFORK */
#include "support/models.h"

#include "model/model.h"

#include <pthreadpool.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

enum { N_IDS = 40, SECONDS = 60 };

static int32_t ids[N_IDS];

/* ---- Kernels without MADV_WIPEONFORK ---- */

static enum { WIPES, REFUSES, IGNORES } kernel;
static bool wiped;     /* the kernel of this machine accepted the advice */
static size_t n_asked; /* calls of getpid */

int __real_madvise(void *memory, size_t size, int advice);
int __wrap_madvise(void *memory, size_t size, int advice);
pid_t __real_getpid(void);
pid_t __wrap_getpid(void);

int __wrap_madvise(void *memory, size_t size, int advice)
{
    if (kernel != WIPES && (advice == MADV_WIPEONFORK || advice == -1)) {
        return kernel == IGNORES ? 0 : -1;
    }
    int result = __real_madvise(memory, size, advice);
    wiped = advice == MADV_WIPEONFORK ? result == 0 : wiped;
    return result;
}

pid_t __wrap_getpid(void)
{
    n_asked++;
    return __real_getpid();
}

static int setup(void **state)
{
    (void)state;
    for (int32_t i = 0; i < N_IDS; i++) {
        ids[i] = i * 7 % 50 + 1;
    }
    lft_tiny("q4_0"); /* written before any fork */
    lft_tiny("f32");
    return 0;
}

static int end(void **state)
{
    (void)state;
    lft_end();
    return 0;
}

/* ---- Children ---- */

/* Exit codes have 8 bits, so line numbers start here. */
enum { FIRST_LINE = __LINE__ };

/* Runs body(ctx) in a child, which exits with its result: 0, or the line of a failed check. */
static void in_child(int (*body)(void *ctx), void *ctx)
{
    pid_t child = fork();
    assert_true(child >= 0);
    if (child == 0) {
        alarm(SECONDS);
        _exit(body(ctx));
    }
    int status = 0;
    assert_int_equal(waitpid(child, &status, 0), child);
    if (!WIFEXITED(status)) {
        fail_msg("the child was ended by signal %d", WTERMSIG(status));
    }
    if (WEXITSTATUS(status) != 0) {
        fail_msg("line %d failed in the child", FIRST_LINE + WEXITSTATUS(status));
    }
}

/* In a child. */
#define CHECK(condition)                                                                           \
    do {                                                                                           \
        if (!(condition)) {                                                                        \
            return __LINE__ - FIRST_LINE;                                                          \
        }                                                                                          \
    } while (0)

static bool is_refused(int32_t status)
{
    return status == LFM2_E_STATE && strcmp(lfm2_last_error_code(), "runtime.forked") == 0;
}

/* Objects that the parent created before the fork. */
typedef struct handles {
    lfm2_runtime *runtime;
    lfm2_model *model;
    lfm2_session *session; /* holds the ids */
    lfm2_session *empty;
    lfm2_sampler *sampler;
    float *logits; /* of the session */
    size_t n_vocab;
    uint32_t kernel; /* one that the CPU supports */
    const char *cache, *out;
} handles;

static void open_handles(lfm2_runtime *runtime, handles *h)
{
    *h = (handles){.runtime = runtime,
                   .model = lft_load(runtime, lft_tiny("q4_0")),
                   .kernel = lft_kernel(runtime)};
    h->session = lft_session(h->model, 64, 0, LFM2_KV_F16);
    h->empty = lft_session(h->model, 64, 0, LFM2_KV_F16);
    LFT_OK(lfm2_sampler_create(h->model, NULL, &h->sampler));
    LFT_OK(lfm2_session_prefill(h->session, ids, N_IDS));
    const float *logits = NULL;
    LFT_OK(lfm2_session_logits(h->session, &logits, &h->n_vocab));
    h->logits = malloc(h->n_vocab * sizeof *logits);
    assert_non_null(h->logits);
    memcpy(h->logits, logits, h->n_vocab * sizeof *logits);
    h->out = lft_temp("out.gguf");
    h->cache = lft_temp("fork.pack");
}

static void free_handles(const handles *h)
{
    lfm2_sampler_free(h->sampler);
    lfm2_session_free(h->session);
    lfm2_session_free(h->empty);
    lfm2_model_free(h->model);
    lfm2_runtime_free(h->runtime);
}

static void close_handles(handles *h)
{
    free_handles(h);
    free(h->logits);
}

/* ---- With threads ---- */

static int use_tools(const handles *h)
{
    double a = 0, b = 0;
    lfm2_machine machine = {.size = sizeof machine};
    CHECK(is_refused(lfm2_kernel_bench(h->runtime, h->kernel, 1, 64, 256, 1 << 20, 0, &a, &b)));
    CHECK(is_refused(lfm2_machine_bench(h->runtime, 0, &machine)));
    CHECK(is_refused(lfm2_model_read_bench(h->model, 0, &a)));
    CHECK(is_refused(lfm2_quantize(h->runtime, lft_tiny("f32"), h->out, NULL)));
    CHECK(is_refused(lfm2_synthesize(h->runtime, "tiny", 1, h->out, NULL)));
    CHECK(access(h->out, F_OK) != 0);
    return 0;
}

static int use_threads(void *ctx)
{
    const handles *h = ctx;
    const float *logits = NULL;
    static float rows[2][1 << 16];
    lfm2_generate_options options;
    lfm2_generate_options_init(&options, sizeof options);
    options.max_tokens = 4;
    /* Results from before the fork are still there. */
    CHECK(lfm2_session_logits(h->session, &logits, NULL) == LFM2_OK);
    CHECK(memcmp(logits, h->logits, h->n_vocab * sizeof *logits) == 0);
    uint32_t length = lfm2_session_length(h->empty);
    CHECK(is_refused(lfm2_session_prefill(h->empty, ids, 3)));
    CHECK(lfm2_session_length(h->empty) == length);
    CHECK(is_refused(lfm2_session_decode(h->empty, 1)));
    CHECK(h->n_vocab <= 1 << 16 && is_refused(lfm2_session_eval(h->empty, ids, 2, rows[0])));
    lfm2_session *both[] = {h->session, h->empty};
    CHECK(is_refused(lfm2_session_decode_many(both, ids, 2)));
    CHECK(is_refused(lfm2_generate(h->session, h->sampler, ids, 4, &options, NULL)));
    lfm2_model *model = NULL;
    CHECK(is_refused(lfm2_model_load(h->runtime, lft_tiny("q4_0"), NULL, &model)));
    CHECK(model == NULL);
    int line = use_tools(h);
    if (line != 0) {
        return line;
    }
    /* Calls that need no threads work. */
    lfm2_model_options tokenizer;
    lfm2_model_options_init(&tokenizer, sizeof tokenizer);
    tokenizer.mode = LFM2_LOAD_TOKENIZER;
    CHECK(lfm2_model_load(h->runtime, lft_tiny("q4_0"), &tokenizer, &model) == LFM2_OK);
    lfm2_model_free(model);
    CHECK(lfm2_model_save_cache(h->model, h->cache) == LFM2_OK);
    lfm2_session *session = NULL;
    CHECK(lfm2_session_create(h->model, NULL, &session) == LFM2_OK);
    lfm2_session_free(session);
    free_handles(h);
    return 0;
}

static void test_threads(void **state)
{
    (void)state;
    handles h;
    open_handles(lft_runtime(2, LFM2_KERNELS_AUTO, 0), &h);
    in_child(use_threads, &h);
    /* The parent is not affected. */
    LFT_OK(lfm2_session_decode(h.empty, 1));
    in_child(use_threads, &h);
    close_handles(&h);
}

/* Passes call getpid only where the kernel does not clear the page. */
static void test_kernels(void **state)
{
    (void)state;
    for (kernel = WIPES; kernel <= IGNORES; kernel++) {
        handles h;
        wiped = false;
        open_handles(lft_runtime(2, LFM2_KERNELS_AUTO, 0), &h);
        n_asked = 0;
        LFT_OK(lfm2_session_decode(h.empty, 1));
        assert_int_equal(n_asked == 0, wiped);
        assert_true(kernel == WIPES || !wiped);
        in_child(use_threads, &h);
        close_handles(&h);
    }
    kernel = WIPES;
}

/* A runtime on the host's pool; the caller destroys the pool after it. */
static lfm2_runtime *host_pool_runtime(pthreadpool_t pool)
{
    assert_non_null(pool);
    lfm2_runtime_options o;
    lfm2_runtime_options_init(&o, sizeof o);
    o.threadpool = pool;
    lfm2_runtime *runtime = NULL;
    LFT_OK(lfm2_runtime_create(&o, &runtime));
    return runtime;
}

static void test_host_pool(void **state)
{
    (void)state;
    pthreadpool_t pool = pthreadpool_create(2);
    handles h;
    open_handles(host_pool_runtime(pool), &h);
    in_child(use_threads, &h);
    close_handles(&h);
    pthreadpool_destroy(pool);
}

/* ---- One thread ---- */

static int compute(const handles *h, lfm2_session *session)
{
    const float *logits = NULL;
    CHECK(lfm2_session_prefill(session, ids, N_IDS) == LFM2_OK);
    CHECK(lfm2_session_logits(session, &logits, NULL) == LFM2_OK);
    CHECK(memcmp(logits, h->logits, h->n_vocab * sizeof *logits) == 0);
    return 0;
}

static int use_one(void *ctx)
{
    const handles *h = ctx;
    int line = compute(h, h->empty);
    if (line != 0) {
        return line;
    }
    CHECK(lfm2_session_decode(h->session, 3) == LFM2_OK);
    CHECK(lfm2_quantize(h->runtime, lft_tiny("f32"), h->out, NULL) == LFM2_OK);
    free_handles(h);
    return 0;
}

static void test_one_thread(void **state)
{
    (void)state;
    handles h;
    open_handles(lft_runtime(1, LFM2_KERNELS_AUTO, 0), &h);
    in_child(use_one, &h);
    close_handles(&h);
    /* A host's pool of one thread is the same. */
    pthreadpool_t pool = pthreadpool_create(1);
    open_handles(host_pool_runtime(pool), &h);
    in_child(use_one, &h);
    close_handles(&h);
    pthreadpool_destroy(pool);
}

/* ---- Prefix caches ---- */

typedef struct cached {
    handles h;
    lfm2_cache *cache;
} cached;

/* The child finds and stores prefixes. */
static int use_cache(void *ctx)
{
    const cached *c = ctx;
    const float *logits = NULL;
    uint32_t reused = 0;
    CHECK(lfm2_cache_start(c->cache, c->h.empty, ids, N_IDS, &reused) == LFM2_OK);
    CHECK(reused == N_IDS);
    CHECK(lfm2_session_logits(c->h.empty, &logits, NULL) == LFM2_OK);
    CHECK(memcmp(logits, c->h.logits, c->h.n_vocab * sizeof *logits) == 0);
    CHECK(lfm2_session_decode(c->h.empty, 3) == LFM2_OK);
    CHECK(lfm2_cache_insert(c->cache, c->h.empty, 0) == LFM2_OK);
    lfm2_cache_free(c->cache);
    free_handles(&c->h);
    return 0;
}

/* Another thread was inside the cache during the fork: it finds and stores nothing, and nothing
 * hangs. */
static int use_lost_cache(void *ctx)
{
    const cached *c = ctx;
    uint32_t reused = 77;
    lfm2_cache *cache = NULL;
    lfm2_cache_usage usage = {.size = sizeof usage};
    CHECK(lfm2_cache_start(c->cache, c->h.empty, ids, N_IDS, &reused) == LFM2_OK);
    CHECK(reused == 0);
    CHECK(lfm2_cache_insert(c->cache, c->h.session, 0) == LFM2_OK);
    CHECK(lfm2_cache_clear(c->cache) == LFM2_OK);
    CHECK(lfm2_cache_set_budget(c->cache, 1, 0) == LFM2_OK);
    CHECK(lfm2_cache_get_usage(c->cache, &usage) == LFM2_OK && usage.pages == 0);
    CHECK(lfm2_cache_create(c->h.model, NULL, &cache) == LFM2_E_STATE);
    CHECK(strcmp(lfm2_last_error_code(), "cache.forked") == 0);
    CHECK(lfm2_model_set_kv_budget(c->h.model, 1) == LFM2_OK);
    CHECK(lfm2_session_prefill(c->h.empty, ids, N_IDS) == LFM2_E_LIMIT);
    lfm2_cache_free(c->cache);
    free_handles(&c->h);
    return 0;
}

static void test_cache(void **state)
{
    (void)state;
    cached c;
    open_handles(lft_runtime(1, LFM2_KERNELS_AUTO, 0), &c.h);
    LFT_OK(lfm2_cache_create(c.h.model, NULL, &c.cache));
    LFT_OK(lfm2_cache_insert(c.cache, c.h.session, 0));
    in_child(use_cache, &c);
    lf_lock *lock = &c.h.model->kv_pool.lock;
    assert_true(lf_lock_take(lock));
    in_child(use_lost_cache, &c);
    lf_lock_give(lock);
    uint32_t reused = 0;
    LFT_OK(lfm2_cache_start(c.cache, c.h.empty, ids, N_IDS, &reused));
    assert_int_equal(reused, N_IDS);
    lfm2_cache_free(c.cache);
    close_handles(&c.h);
}

/* ---- A new runtime ---- */

static int make_new(void *ctx)
{
    const handles *h = ctx;
    lfm2_runtime_options o;
    lfm2_runtime_options_init(&o, sizeof o);
    o.n_threads = 2;
    lfm2_runtime *runtime = NULL;
    lfm2_model *model = NULL;
    lfm2_session *session = NULL;
    CHECK(lfm2_runtime_create(&o, &runtime) == LFM2_OK);
    CHECK(lfm2_model_load(runtime, lft_tiny("q4_0"), NULL, &model) == LFM2_OK);
    CHECK(lfm2_session_create(model, NULL, &session) == LFM2_OK);
    int line = compute(h, session);
    if (line != 0) {
        return line;
    }
    lfm2_session_free(session);
    lfm2_model_free(model);
    lfm2_runtime_free(runtime);
    free_handles(h);
    return 0;
}

static void test_new_runtime(void **state)
{
    (void)state;
    const char *sanitizer = getenv("LFM2_SANITIZED");
    if (sanitizer != NULL && strcmp(sanitizer, "thread") == 0) {
        skip(); /* it does not support threads in the child of a process with threads */
    }
    handles h;
    open_handles(lft_runtime(2, LFM2_KERNELS_AUTO, 0), &h);
    in_child(make_new, &h);
    close_handles(&h);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_threads),   cmocka_unit_test(test_kernels),
        cmocka_unit_test(test_host_pool), cmocka_unit_test(test_one_thread),
        cmocka_unit_test(test_cache),     cmocka_unit_test(test_new_runtime),
    };
    return cmocka_run_group_tests(tests, setup, end);
}
