/* SPDX-License-Identifier: Apache-2.0 */
/* Threads that create the first constraint of a model at once, and threads that share a constraint,
 * each with its own matcher: all see the same masks. */
#include "support/models.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

#include <pthread.h>
#include <stdlib.h>
#include <string.h>

enum { N_THREADS = 4, STEPS = 60 };

static const char schema[] =
    "{\"type\": \"object\", \"properties\": {\"name\": {\"type\": \"string\", \"maxLength\": 12}, "
    "\"list\": {\"type\": \"array\", \"items\": {\"type\": \"integer\"}}}, \"required\": "
    "[\"name\", \"list\"], \"additionalProperties\": false}";

static lfm2_model *model;
static uint32_t n_words;

static bool compile(lfm2_constraint **out)
{
    return lfm2_constraint_create(model, LFM2_CONSTRAINT_JSON_SCHEMA, schema, sizeof schema - 1,
                                  NULL, out) == LFM2_OK;
}

/* One step of a walk: adds the mask to the hash, and takes a random token of the mask. */
static bool step(lfm2_matcher *m, uint32_t *bits, uint64_t *seed, uint64_t *hash)
{
    if (lfm2_matcher_mask(m, bits, n_words) != LFM2_OK) {
        return false;
    }
    for (uint32_t i = 0; i < n_words; i++) {
        *hash = (*hash ^ bits[i]) * 0x100000001B3u;
    }
    uint32_t id = (uint32_t)(lft_random(seed) % (n_words * 32));
    for (uint32_t tried = 0; (bits[id / 32] >> id % 32 & 1) == 0; tried++) {
        id = (id + 1) % (n_words * 32);
        if (tried > n_words * 32) {
            return false;
        }
    }
    return lfm2_matcher_accept(m, (int32_t)id) == LFM2_OK &&
           (lfm2_token_is_end(model, (int32_t)id) == 0 || lfm2_matcher_reset(m) == LFM2_OK);
}

/* A hash of the masks on a walk that depends on the seed alone; 0 after a failure. */
static uint64_t walk(lfm2_constraint *c, uint64_t seed)
{
    uint32_t *bits = malloc(n_words * sizeof *bits);
    uint64_t hash = 0xCBF29CE484222325u;
    lfm2_matcher *m = NULL;
    bool good = bits != NULL && lfm2_matcher_create(c, &m) == LFM2_OK;
    for (int i = 0; i < STEPS && good; i++) {
        good = step(m, bits, &seed, &hash);
    }
    lfm2_matcher_free(m);
    free(bits);
    return good ? hash : 0;
}

typedef struct worker {
    lfm2_constraint *constraint; /* NULL: its own */
    uint64_t seed, hash;
} worker;

static void *work(void *arg)
{
    worker *w = arg;
    lfm2_constraint *own = NULL;
    if (w->constraint != NULL || compile(&own)) {
        w->hash = walk(own != NULL ? own : w->constraint, w->seed);
    }
    lfm2_constraint_free(own);
    return NULL;
}

static void run_all(worker *workers)
{
    pthread_t threads[N_THREADS];
    for (size_t i = 0; i < N_THREADS; i++) {
        assert_int_equal(pthread_create(&threads[i], NULL, work, &workers[i]), 0);
    }
    for (size_t i = 0; i < N_THREADS; i++) {
        assert_int_equal(pthread_join(threads[i], NULL), 0);
    }
}

/* The first constraints build the trie of the vocabulary. */
static void first_constraints(void **state)
{
    (void)state;
    worker workers[N_THREADS] = {{.seed = 1}, {.seed = 1}, {.seed = 1}, {.seed = 1}};
    run_all(workers);
    assert_true(workers[0].hash != 0);
    for (size_t i = 1; i < N_THREADS; i++) {
        assert_true(workers[i].hash == workers[0].hash);
    }
}

static void shared_constraint(void **state)
{
    (void)state;
    worker workers[N_THREADS];
    lfm2_constraint *c = NULL;
    assert_true(compile(&c));
    for (uint64_t i = 0; i < N_THREADS; i++) {
        workers[i] = (worker){.constraint = c, .seed = i / 2};
    }
    run_all(workers);
    lfm2_constraint_free(c);
    for (uint64_t i = 0; i < N_THREADS; i++) {
        assert_true(compile(&c));
        assert_true(workers[i].hash != 0 && walk(c, i / 2) == workers[i].hash);
        lfm2_constraint_free(c);
    }
}

static int setup(void **state)
{
    (void)state;
    model = lft_open(lft_tiny("Q4_0"), 1, LFM2_KERNELS_AUTO, 0);
    n_words = (lft_vocab(model) + 31) / 32;
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    lfm2_model_free(model);
    lft_end();
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(first_constraints),
        cmocka_unit_test(shared_constraint),
    };
    return cmocka_run_group_tests(tests, setup, teardown);
}
