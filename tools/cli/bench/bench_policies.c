/* SPDX-License-Identifier: Apache-2.0 */
/* lfm2 bench --policies: compares the measured prefetch policies with each fixed one, in one
 * process and in alternation, so that all see the same minutes of the machine. */
#include "cli/bench/bench.h"
#include "cli/support/interrupt.h"
#include "cli/support/prefetch_report.h"
#include "cli/support/system.h"

#include <stdio.h>
#include <stdlib.h>

enum { MOST_POLICIES = 16, MOST_SEQS = 1024, SETTLING_STEPS = 50 };

/* Decoding n_seqs sequences together. */
typedef struct policy_test {
    const bench_options *opts;
    lfm2_runtime *runtime;
    lfm2_session *sessions[MOST_SEQS];
    uint32_t n_seqs, n_gen;
    uint32_t n_policies; /* the first is "auto" */
    double seconds[MOST_POLICIES][BENCH_MAX_REPETITIONS];
} policy_test;

static const char *policy_name(uint32_t policy)
{
    return policy == 0 ? "auto" : lfm2_prefetch_name(policy - 1);
}

static int open_sequences(policy_test *t, lfm2_model *model)
{
    session_options options = t->opts->session;
    uint32_t longest = t->n_gen > SETTLING_STEPS ? t->n_gen : SETTLING_STEPS;
    options.n_ctx = longest > t->n_seqs ? longest : t->n_seqs;
    options.n_chunk = t->n_seqs; /* the passes are computed by the first session */
    int code = EXIT_OK;
    for (uint32_t s = 0; s < t->n_seqs && code == EXIT_OK; s++) {
        code = session_open(&options, model, &t->sessions[s]);
        options.n_chunk = 1;
    }
    return code;
}

/* Decodes `steps` tokens of each sequence, from the first position on. */
static int32_t decode(policy_test *t, uint32_t steps, double *seconds)
{
    int32_t ids[MOST_SEQS];
    int32_t status = LFM2_OK;
    for (uint32_t s = 0; s < t->n_seqs && status == LFM2_OK; s++) {
        status = interrupt_status(lfm2_session_reset(t->sessions[s]));
    }
    double start = now_seconds();
    for (uint32_t i = 0; i < steps && status == LFM2_OK; i++) {
        for (uint32_t s = 0; s < t->n_seqs; s++) {
            ids[s] = (int32_t)((i * 37 + s * 101) % 256);
        }
        status = interrupt_status(lfm2_session_decode_many(t->sessions, ids, t->n_seqs));
    }
    *seconds = now_seconds() - start;
    return status;
}

/* Every repetition measures each policy once, each time beginning with another one. */
static int measure(policy_test *t)
{
    double unused = 0;
    int32_t status = lfm2_runtime_set_prefetch(t->runtime, NULL);
    if (status == LFM2_OK) {
        status = decode(t, SETTLING_STEPS, &unused);
    }
    for (uint32_t r = 0; r < t->opts->repetitions && status == LFM2_OK; r++) {
        for (uint32_t i = 0; i < t->n_policies && status == LFM2_OK; i++) {
            uint32_t policy = (r + i) % t->n_policies;
            status = lfm2_runtime_set_prefetch(t->runtime, policy_name(policy));
            if (status == LFM2_OK) {
                status = decode(t, t->n_gen, &t->seconds[policy][r]);
            }
        }
    }
    return interrupt_code(status);
}

static int ascending(const void *a, const void *b)
{
    const double x = *(const double *)a;
    const double y = *(const double *)b;
    return (x > y) - (x < y);
}

/* Tokens per second in the median repetition. */
static double speed(policy_test *t, uint32_t policy)
{
    uint32_t n = t->opts->repetitions;
    double *seconds = t->seconds[policy];
    qsort(seconds, n, sizeof *seconds, ascending);
    double median = (seconds[(n - 1) / 2] + seconds[n / 2]) / 2;
    return (double)t->n_gen * t->n_seqs / median;
}

static void print_line(policy_test *t, const char *type, bool first)
{
    if (first) {
        out_printf("| type | sequences |");
        for (uint32_t i = 0; i < t->n_policies; i++) {
            out_printf(" %s |", policy_name(i));
        }
        out_printf(" fastest | auto / fastest |\n|---|---|");
        for (uint32_t i = 0; i < t->n_policies + 2; i++) {
            out_printf("---|");
        }
        out_printf("\n");
    }
    double best = 0;
    uint32_t fastest = 0;
    double automatic = speed(t, 0);
    out_printf("| %s | %u | %.1f |", type, t->n_seqs, automatic);
    for (uint32_t i = 1; i < t->n_policies; i++) {
        double now = speed(t, i);
        out_printf(" %.1f |", now);
        if (now > best) {
            best = now;
            fastest = i;
        }
    }
    out_printf(" %s | %.3f |\n", policy_name(fastest), automatic / best);
    out_flush();
}

static int compare(policy_test *t, lfm2_model *model, const char *type, bool first)
{
    int code = open_sequences(t, model);
    if (code == EXIT_OK) {
        interrupt_begin(t->sessions[0]);
        code = measure(t);
        interrupt_end();
    }
    if (code == EXIT_OK) {
        print_line(t, type, first);
    }
    for (uint32_t s = 0; s < t->n_seqs; s++) {
        lfm2_session_free(t->sessions[s]);
        t->sessions[s] = NULL;
    }
    return code;
}

int bench_policies(const bench_options *opts)
{
    model_options model = opts->model;
    model.threads = opts->threads.items[0];
    lfm2_model_info info = {.size = sizeof info};
    open_model opened = {0};
    policy_test *t = calloc(1, sizeof *t);
    int code = t != NULL ? EXIT_OK : fail("cli.memory", "out of memory");
    if (code == EXIT_OK) {
        code = model_open(&model, LFM2_LOAD_FULL, &opened);
    }
    if (code == EXIT_OK && lfm2_model_get_info(opened.model, &info) != LFM2_OK) {
        code = fail_library();
    }
    for (uint32_t i = 0; i < opts->n_seqs.n && code == EXIT_OK; i++) {
        t->opts = opts;
        t->runtime = opened.runtime;
        t->n_seqs = opts->n_seqs.items[i];
        t->n_gen = opts->n_gen.items[0];
        t->n_policies = 1;
        while (t->n_policies < MOST_POLICIES && lfm2_prefetch_name(t->n_policies - 1) != NULL) {
            t->n_policies++;
        }
        code = compare(t, opened.model, info.file_type, i == 0);
        code = code == EXIT_OK && out_failed() ? EXIT_FAILED : code;
    }
    if (code == EXIT_OK && model.verbose) {
        notice_prefetch(opened.runtime);
    }
    model_close(&opened);
    free(t);
    return code;
}
