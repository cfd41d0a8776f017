/* SPDX-License-Identifier: Apache-2.0 */
/* The sampler against the processors of Hugging Face transformers (tests/golden/sampler.txt),
 * against a slow computation in the order that lfm2.h specifies, and in corner cases.
 * ctest-labels: golden */
#include "support/models.h"

#include "run/sampler.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { MOST = 64 };

static lfm2_runtime *runtime;

static lfm2_sampler_options plain(void)
{
    lfm2_sampler_options o;
    lfm2_sampler_options_init(&o, sizeof o, NULL);
    o.temperature = 1;
    o.min_p = 0;
    o.repetition_penalty = 1;
    return o;
}

static lfm2_sampler *make(const lfm2_sampler_options *o, uint32_t n_vocab)
{
    lfm2_sampler *s = NULL;
    LFT_OK(lf_sampler_create(runtime, n_vocab, o, &s));
    return s;
}

static int32_t choose(lfm2_sampler *s, const float *logits)
{
    int32_t id = -1;
    LFT_OK(lfm2_sampler_sample(s, logits, s->n_vocab, &id));
    return id;
}

/* ---- The exact distribution ---- */

static uint64_t inverse_of(uint64_t odd)
{
    uint64_t x = odd; /* Newton's iteration doubles the correct bits, 3 at first */
    for (int i = 0; i < 5; i++) {
        x *= 2 - odd * x;
    }
    return x;
}

/* Makes the next draw of the seeded generator (SplitMix64, 53 bits) be `bits` / 2^53. */
static void force_draw(lfm2_sampler *s, uint64_t bits)
{
    uint64_t z = bits << 11;
    z ^= z >> 31 ^ z >> 62;
    z *= inverse_of(0x94D049BB133111EBu);
    z ^= z >> 27 ^ z >> 54;
    z *= inverse_of(0xBF58476D1CE4E5B9u);
    z ^= z >> 30 ^ z >> 60;
    s->random = z - 0x9E3779B97F4A7C15u;
}

/* Each possible token corresponds to one interval of the draw in [0, 1), whose length is its
 * probability; bisection finds the ends. p has n_vocab entries; returns the number of intervals. */
static int distribution(lfm2_sampler *s, const float *logits, double *p)
{
    const uint64_t end = (uint64_t)1 << 53;
    memset(p, 0, s->n_vocab * sizeof *p);
    int intervals = 0;
    for (uint64_t at = 0; at < end; intervals++) {
        force_draw(s, at);
        int32_t id = choose(s, logits);
        uint64_t in = at;
        uint64_t out = end;
        while (out - in > 1) {
            uint64_t middle = in + (out - in) / 2;
            force_draw(s, middle);
            *(choose(s, logits) == id ? &in : &out) = middle;
        }
        /* One interval per token, except for a rounding error at the end. */
        assert_true(p[id] == 0 || (out == end && end - at < 4096));
        p[id] += (double)(out - at) / (double)end;
        at = out;
    }
    return intervals;
}

/* ---- Against transformers ---- */

typedef struct golden {
    lfm2_sampler_options options;
    int32_t bias_ids[MOST];
    float bias_values[MOST];
    int32_t seen[MOST];
    size_t n_seen;
    float logits[MOST];
    uint32_t n_vocab;
    double p[MOST];
} golden;

static void read_options(char *text, lfm2_sampler_options *o)
{
    char *rest = NULL;
    for (char *word = strtok_r(text, " ", &rest); word != NULL; word = strtok_r(NULL, " ", &rest)) {
        char *value = strchr(word, '=');
        assert_non_null(value);
        *value++ = '\0';
        float x = strtof(value, NULL);
        if (strcmp(word, "top_k") == 0) {
            o->top_k = (int32_t)x;
            continue;
        }
        float *fields[] = {&o->temperature, &o->top_p, &o->min_p, &o->repetition_penalty};
        const char *names[] = {"temperature", "top_p", "min_p", "repetition_penalty"};
        int i = 0;
        while (i < 4 && strcmp(names[i], word) != 0) {
            i++;
        }
        assert_in_range(i, 0, 3);
        *fields[i] = x;
    }
}

/* Reads one line of the file; true if it completes a case. */
static bool read_line(char *line, golden *g)
{
    char *text = strchr(line, ' ');
    assert_non_null(text);
    *text++ = '\0';
    if (strcmp(line, "options") == 0) {
        memset(g, 0, sizeof *g);
        g->options = plain();
        g->options.bias_ids = g->bias_ids;
        g->options.bias_values = g->bias_values;
        read_options(text, &g->options);
        return false;
    }
    char *rest = NULL;
    for (char *word = strtok_r(text, " ", &rest); word != NULL; word = strtok_r(NULL, " ", &rest)) {
        char *value = strchr(word, ':');
        double number = strtod(value != NULL ? value + 1 : word, NULL);
        int32_t id = (int32_t)strtol(word, NULL, 10);
        if (strcmp(line, "seen") == 0) {
            g->seen[g->n_seen++] = id;
        } else if (strcmp(line, "bias") == 0) {
            g->bias_ids[g->options.n_bias] = id;
            g->bias_values[g->options.n_bias++] = (float)number;
        } else if (strcmp(line, "logits") == 0) {
            g->logits[g->n_vocab++] = (float)number;
        } else {
            g->p[id] = number;
        }
    }
    return strcmp(line, "kept") == 0;
}

static void test_transformers(void **state)
{
    (void)state;
    char *text = lft_read_file(LFM2_TEST_DATA "/golden/sampler.txt", NULL);
    char *rest = NULL;
    golden g;
    int n_cases = 0;
    for (char *line = strtok_r(text, "\n", &rest); line != NULL;
         line = strtok_r(NULL, "\n", &rest)) {
        if (line[0] == '#' || !read_line(line, &g)) {
            continue;
        }
        lfm2_sampler *s = make(&g.options, g.n_vocab);
        for (size_t i = 0; i < g.n_seen; i++) {
            LFT_OK(lfm2_sampler_accept(s, g.seen[i]));
        }
        double p[MOST];
        distribution(s, g.logits, p);
        for (uint32_t i = 0; i < g.n_vocab; i++) {
            if ((p[i] > 0) != (g.p[i] > 0) || fabs(p[i] - g.p[i]) > 1e-6) {
                fail_msg("case %d, token %u: probability %.9g, expected %.9g", n_cases, i, p[i],
                         g.p[i]);
            }
        }
        lfm2_sampler_free(s);
        n_cases++;
    }
    assert_true(n_cases > 10);
    free(text);
}

/* ---- Against the order written in lfm2.h ---- */

typedef struct candidate {
    int32_t id;
    double logit, p;
} candidate;

static int larger_first(const void *a, const void *b)
{
    const candidate *x = a;
    const candidate *y = b;
    if (x->logit != y->logit) {
        return x->logit > y->logit ? -1 : 1;
    }
    return x->id < y->id ? -1 : 1;
}

static void renormalize(candidate *c, size_t n)
{
    double sum = 0;
    for (size_t i = 0; i < n; i++) {
        sum += c[i].p = exp(c[i].logit - c[0].logit);
    }
    for (size_t i = 0; i < n; i++) {
        c[i].p /= sum;
    }
}

/* The probabilities by steps 1 to 6 without any shortcut; `last` is the penalty window. */
static void expected(const lfm2_sampler_options *o, const float *logits, uint32_t n_vocab,
                     const int32_t *last, size_t n_last, double *p)
{
    candidate c[MOST];
    for (uint32_t i = 0; i < n_vocab; i++) {
        double x = (double)logits[i];
        for (size_t b = 0; b < o->n_bias; b++) {
            x += o->bias_ids[b] == (int32_t)i ? (double)o->bias_values[b] : 0.0;
        }
        int count = 0;
        for (size_t k = 0; k < n_last; k++) {
            count += last[k] == (int32_t)i ? 1 : 0;
        }
        if (count > 0) {
            double r = (double)o->repetition_penalty;
            x = x > 0 ? x / r : x * r;
            x -= count * (double)o->frequency_penalty + (double)o->presence_penalty;
        }
        c[i] = (candidate){(int32_t)i, x / (double)o->temperature, 0};
    }
    qsort(c, n_vocab, sizeof c[0], larger_first);
    size_t n = o->top_k > 0 && (uint32_t)o->top_k < n_vocab ? (size_t)o->top_k : n_vocab;
    renormalize(c, n);
    double sum = c[0].p;
    size_t kept = 1;
    while (kept < n && sum < (double)o->top_p) {
        sum += c[kept++].p;
    }
    n = o->top_p < 1 ? kept : n;
    renormalize(c, n);
    while (n > 1 && c[n - 1].p < (double)o->min_p * c[0].p) {
        n--;
    }
    renormalize(c, n);
    memset(p, 0, n_vocab * sizeof *p);
    for (size_t i = 0; i < n; i++) {
        p[c[i].id] = c[i].p;
    }
}

static void test_order(void **state)
{
    (void)state;
    uint64_t seed = 99;
    print_message("seed %llu\n", (unsigned long long)seed);
    for (int round = 0; round < 60; round++) {
        float logits[MOST];
        int32_t text[40];
        int32_t bias_ids[4];
        float bias_values[4];
        for (int i = 0; i < MOST; i++) {
            logits[i] = (float)(8 * lft_unit(&seed) - 4);
        }
        for (int i = 0; i < 40; i++) {
            text[i] = (int32_t)(lft_random(&seed) % MOST);
        }
        for (int i = 0; i < 4; i++) {
            bias_ids[i] = (int32_t)(lft_random(&seed) % MOST);
            bias_values[i] = (float)(4 * lft_unit(&seed) - 2);
        }
        bias_values[3] = -INFINITY;
        lfm2_sampler_options o = plain();
        o.temperature = (float)(0.2 + 1.5 * lft_unit(&seed));
        o.top_k = round % 2 == 0 ? (int32_t)(lft_random(&seed) % (MOST + 9)) : 0;
        o.top_p = round % 3 == 0 ? (float)(1 - lft_unit(&seed)) : 1;
        o.min_p = round % 4 == 0 ? (float)(0.3 * lft_unit(&seed)) : 0;
        o.repetition_penalty = (float)(0.5 + lft_unit(&seed));
        o.frequency_penalty = (float)(lft_unit(&seed) - 0.5);
        o.presence_penalty = (float)(lft_unit(&seed) - 0.5);
        o.penalty_last_n = (int32_t)(lft_random(&seed) % 50) - 1;
        o.bias_ids = bias_ids;
        o.bias_values = bias_values;
        o.n_bias = round % 5 == 0 ? 4 : 0;
        lfm2_sampler *s = make(&o, MOST);
        for (int i = 0; i < 40; i++) {
            LFT_OK(lfm2_sampler_accept(s, text[i]));
        }
        size_t n_last =
            o.penalty_last_n < 0 || o.penalty_last_n > 40 ? 40 : (size_t)o.penalty_last_n;
        double want[MOST], got[MOST];
        expected(&o, logits, MOST, text + 40 - n_last, n_last, want);
        distribution(s, logits, got);
        for (int i = 0; i < MOST; i++) {
            if (fabs(want[i] - got[i]) > 2e-6) {
                fail_msg("round %d, token %d: probability %.9g, expected %.9g", round, i, got[i],
                         want[i]);
            }
        }
        lfm2_sampler_free(s);
    }
}

/* ---- Greedy ---- */

static void test_greedy(void **state)
{
    (void)state;
    lfm2_sampler_options o = plain();
    o.temperature = 0;
    lfm2_sampler *s = make(&o, 6);
    assert_int_equal(choose(s, (float[]){1, 3, 2, 3, 3, -1}), 1); /* the lowest id on ties */
    assert_int_equal(choose(s, (float[]){-1, -3, -2, -3, -3, -0.5f}), 5);
    lfm2_sampler_free(s);
    o.repetition_penalty = 2;
    s = make(&o, 3);
    LFT_OK(lfm2_sampler_accept(s, 1));
    assert_int_equal(choose(s, (float[]){1, 1.5f, 0.5f}), 0);
    assert_int_equal(choose(s, (float[]){1, 2.5f, 0.5f}), 1);
    lfm2_sampler_reset(s); /* clears the penalty window */
    assert_int_equal(choose(s, (float[]){1, 1.5f, 0.5f}), 1);
    lfm2_sampler_free(s);
}

/* ---- Determinism and the draw ---- */

static void test_seed(void **state)
{
    (void)state;
    float logits[MOST];
    uint64_t random = 5;
    for (int i = 0; i < MOST; i++) {
        logits[i] = (float)lft_unit(&random);
    }
    lfm2_sampler_options o = plain();
    o.seed = 17;
    lfm2_sampler *a = make(&o, MOST);
    lfm2_sampler *b = make(&o, MOST);
    o.seed = 18;
    lfm2_sampler *c = make(&o, MOST);
    int32_t first[50];
    int differ = 0;
    for (int i = 0; i < 50; i++) {
        first[i] = choose(a, logits);
        assert_int_equal(choose(b, logits), first[i]);
        differ += choose(c, logits) != first[i] ? 1 : 0;
    }
    assert_true(differ > 25);
    lfm2_sampler_reset(a);
    for (int i = 0; i < 50; i++) {
        assert_int_equal(choose(a, logits), first[i]);
    }
    lfm2_sampler_free(a);
    lfm2_sampler_free(b);
    lfm2_sampler_free(c);
}

/* Frequencies of many draws. Chi-square with 15 degrees of freedom exceeds 37.7 with probability
 * 0.001; the seeds are fixed, so the result never changes. */
static void test_frequencies(void **state)
{
    (void)state;
    enum { N = 16, DRAWS = 20000 };
    for (uint64_t seed = 0; seed < 3; seed++) {
        float logits[N];
        double sum = 0;
        for (int i = 0; i < N; i++) {
            logits[i] = 0.15f * (float)i;
            sum += exp((double)logits[i]);
        }
        lfm2_sampler_options o = plain();
        o.seed = seed;
        lfm2_sampler *s = make(&o, N);
        int counts[N] = {0};
        for (int i = 0; i < DRAWS; i++) {
            counts[choose(s, logits)]++;
        }
        double chi = 0;
        for (int i = 0; i < N; i++) {
            double want = (double)DRAWS * exp((double)logits[i]) / sum;
            chi += (counts[i] - want) * (counts[i] - want) / want;
        }
        print_message("seed %llu: chi-square %.1f\n", (unsigned long long)seed, chi);
        assert_true(chi > 3.0 && chi < 37.7);
        lfm2_sampler_free(s);
    }
}

/* ---- Corner cases ---- */

/* The call fails and does not advance the random number generator. */
static void expect_nothing_left(lfm2_sampler *s, const float *logits)
{
    int32_t id = -7;
    uint64_t random = s->random;
    LFT_FAILS(lfm2_sampler_sample(s, logits, s->n_vocab, &id), LFM2_E_STATE);
    assert_string_equal(lfm2_last_error_code(), "sampler.empty");
    assert_int_equal(id, -7);
    assert_true(s->random == random);
}

static void test_strange_logits(void **state)
{
    (void)state;
    const float inf = INFINITY;
    const float nan = NAN;
    const float temperatures[] = {0, 0.5f, 1e-30f, 1e30f};
    for (int i = 0; i < 4; i++) {
        lfm2_sampler_options o = plain();
        o.temperature = temperatures[i];
        lfm2_sampler *s = make(&o, 4);
        for (int draw = 0; draw < 20; draw++) {
            assert_int_equal(choose(s, (float[]){nan, nan, -5, nan}), 2);
            assert_int_equal(choose(s, (float[]){0, inf, 3, inf}), 1);
            assert_int_equal(choose(s, (float[]){-inf, -inf, -inf, 1}), 3);
            expect_nothing_left(s, (float[]){-inf, nan, -inf, -inf});
            expect_nothing_left(s, (float[]){nan, nan, nan, nan});
            int32_t id = choose(s, (float[]){-3e38f, 3e38f, nan, -inf});
            assert_true(temperatures[i] > 1 ? id < 2 : id == 1);
        }
        o.top_k = 3;
        o.top_p = 0.5f;
        o.min_p = 0.5f;
        o.repetition_penalty = 1e-30f;
        o.presence_penalty = 1e38f;
        o.frequency_penalty = -3e38f;
        lfm2_sampler *wild = make(&o, 4);
        for (int32_t k = 0; k < 12; k++) {
            LFT_OK(lfm2_sampler_accept(wild, k % 4));
            float logits[] = {1, inf, nan, -inf};
            int32_t id = -1;
            int32_t status = lfm2_sampler_sample(wild, logits, 4, &id);
            assert_true(status == LFM2_OK ? id >= 0 && id <= 3 : status == LFM2_E_STATE);
        }
        lfm2_sampler_free(wild);
        lfm2_sampler_free(s);
    }
}

static void test_forbidden(void **state)
{
    (void)state;
    int32_t bias_ids[] = {0, 2, 1, 1};
    float bias_values[] = {-INFINITY, -INFINITY, 0.5f, 0.25f};
    lfm2_sampler_options o = plain();
    o.bias_ids = bias_ids;
    o.bias_values = bias_values;
    o.n_bias = 4;
    for (int i = 0; i < 2; i++) {
        o.temperature = (float)i;
        lfm2_sampler *s = make(&o, 4);
        for (int draw = 0; draw < 200; draw++) {
            int32_t id = choose(s, (float[]){INFINITY, 1, 50, 1});
            assert_true(id == 1 || id == 3);
        }
        expect_nothing_left(s, (float[]){5, -INFINITY, 50, NAN});
        lfm2_sampler_free(s);
    }
    o.temperature = 1;
    lfm2_sampler *s = make(&o, 4);
    memset(bias_ids, 0, sizeof bias_ids); /* the sampler keeps copies */
    memset(bias_values, 0, sizeof bias_values);
    double p[4];
    assert_int_equal(distribution(s, (float[]){9, 1, 9, 1}, p), 2);
    assert_true(fabs(p[1] / p[3] - exp(0.75)) < 1e-6);
    lfm2_sampler_free(s);
}

/* Probabilities 1/2, 1/4, 1/8, ...: how many tokens are kept on either side of a threshold. */
static void test_thresholds(void **state)
{
    (void)state;
    float logits[20];
    for (int i = 0; i < 20; i++) {
        logits[i] = (float)(-i * log(2.0));
    }
    static const struct {
        float top_p, min_p;
        int kept;
    } cases[] = {{0.4999f, 0, 1}, {0.5001f, 0, 2},      {0.7499f, 0, 2},     {0.7501f, 0, 3},
                 {0.875f, 0, 3},  {1, 0.2501f, 2},      {1, 0.2499f, 3},     {1, 0.0624f, 5},
                 {1, 1, 1},       {0.7501f, 0.499f, 2}, {0.7501f, 0.01f, 3}, {1, 0, 20}};
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        lfm2_sampler_options o = plain();
        o.top_p = cases[i].top_p;
        o.min_p = cases[i].min_p;
        lfm2_sampler *s = make(&o, 20);
        double p[20];
        distribution(s, logits, p);
        int kept = 0;
        for (int id = 0; id < 20; id++) {
            kept += p[id] > 0 ? 1 : 0;
        }
        assert_int_equal(kept, cases[i].kept);
        lfm2_sampler_free(s);
    }
}

static void test_window(void **state)
{
    (void)state;
    lfm2_sampler_options o = plain();
    o.temperature = 0;
    o.presence_penalty = 5;
    o.penalty_last_n = 2;
    lfm2_sampler *s = make(&o, 4);
    const float logits[] = {4, 3, 2, 1};
    static const int32_t seen[] = {0, 0, 1, 2, 2, 3, 0};
    static const int32_t want[] = {1, 1, 2, 0, 0, 0, 1};
    for (int i = 0; i < 7; i++) {
        LFT_OK(lfm2_sampler_accept(s, seen[i]));
        assert_int_equal(choose(s, logits), want[i]);
    }
    lfm2_sampler_free(s);
    o.penalty_last_n = 0;
    s = make(&o, 4);
    LFT_OK(lfm2_sampler_accept(s, 0));
    assert_int_equal(choose(s, logits), 0);
    lfm2_sampler_free(s);
}

static int begin(void **state)
{
    (void)state;
    runtime = lft_runtime(1, LFM2_KERNELS_AUTO, 0);
    return 0;
}

static int end(void **state)
{
    (void)state;
    lfm2_runtime_free(runtime);
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_transformers), cmocka_unit_test(test_order),
        cmocka_unit_test(test_greedy),       cmocka_unit_test(test_seed),
        cmocka_unit_test(test_frequencies),  cmocka_unit_test(test_strange_logits),
        cmocka_unit_test(test_forbidden),    cmocka_unit_test(test_thresholds),
        cmocka_unit_test(test_window),
    };
    return cmocka_run_group_tests(tests, begin, end);
}
