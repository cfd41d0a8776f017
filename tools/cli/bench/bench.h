/* SPDX-License-Identifier: Apache-2.0 */
/* Declarations for the files of lfm2 bench: options, a test and its result, limits, output. */
#ifndef LFM2_CLI_BENCH_H
#define LFM2_CLI_BENCH_H

#include "cli/options/model_options.h"
#include "cli/options/session_options.h"
#include "cli/support/model_open.h"

#include "lfm2_tools.h"

enum { BENCH_MD, BENCH_JSON, BENCH_JSONL, BENCH_CSV };
enum { BENCH_MAX_REPETITIONS = 1000, BENCH_MAX_SESSIONS = 256 };

typedef struct bench_options {
    model_options model; /* its `threads` is not used */
    session_options session;
    opt_u32s n_prompt, n_gen, n_seqs, depth, threads;
    uint32_t repetitions, format;
    double delay; /* seconds before each test */
    bool no_roofline, machine, kernels, policies;
    uint32_t n_sessions, n_busy; /* n_sessions > 0: --sessions */
    opt_u32s drafts;             /* percentages of right tokens; not empty: --drafts */
    /* micro-kernels */
    opt_u32s m;
    uint32_t n, k, pool_mib;
    double seconds;
    const char *filter;
} bench_options;

/* Measured rates of the machine, and of reading the packed weights. machine.n_threads is 0 if they
 * were not measured. */
typedef struct bench_rates {
    lfm2_machine machine;
    double weights_bytes; /* per second */
} bench_rates;

/* A test: one line of the table. */
typedef struct bench_test {
    const bench_options *opts;
    const lfm2_model_info *info;
    const char *path;
    char cpu[96]; /* instruction sets in use */
    int32_t threads;
    uint32_t n_prompt, n_gen, depth; /* one of n_prompt, n_gen is 0 */
    uint32_t n_seqs;                 /* parallel sequences */
    uint32_t chunk;                  /* maximum number of prompt tokens in a pass */
    double load_seconds;
    double seconds[BENCH_MAX_REPETITIONS];
    bench_rates rates;    /* the better ones of before and after the test */
    double limit_seconds; /* minimum time at these rates; 0 = unknown */
    uint64_t peak_rss;
} bench_test;

/* The time and memory that a model took with one number of threads. */
typedef struct bench_loading {
    int32_t threads;
    double seconds;
    bool from_cache;
    uint64_t peak_rss; /* of the process, after the tests */
} bench_loading;

/* The text before and after an object: JSON is one array, JSONL has an object per line. */
static inline const char *bench_before_object(const bench_options *opts, bool first)
{
    return opts->format == BENCH_JSONL ? "" : first ? "[\n " : ",\n ";
}
static inline const char *bench_after_object(const bench_options *opts)
{
    return opts->format == BENCH_JSONL ? "\n" : "";
}

/* Ends the output of `n` objects. */
static inline void bench_end_array(const bench_options *opts, uint32_t n)
{
    if (opts->format == BENCH_JSON && n > 0) {
        out_printf("\n]\n");
    }
}

/* Marsaglia's xorshift; the same numbers in each run. */
#define BENCH_SEED 2463534242U
static inline uint32_t bench_random(uint32_t *state)
{
    *state ^= *state << 13;
    *state ^= *state >> 17;
    *state ^= *state << 5;
    return *state;
}
static inline void bench_fill_ids(int32_t *ids, size_t n, uint32_t n_vocab)
{
    uint32_t state = BENCH_SEED;
    for (size_t i = 0; i < n; i++) {
        ids[i] = (int32_t)(bench_random(&state) % n_vocab);
    }
}

/* The number of tokens of a test, in all sequences. */
static inline double bench_tokens(const bench_test *t)
{
    return t->n_prompt > 0 ? t->n_prompt : (double)t->n_gen * t->n_seqs;
}

/* ---- bench_limit.c ---- */

/* The peak of resident memory, without what the measurements of the machine took. */
typedef struct bench_memory {
    uint64_t peak_rss;
} bench_memory;
uint64_t bench_peak_rss(bench_memory *memory);

/* Measures the machine and, unless `model` is NULL, reading its weights. Returns an exit code. */
int bench_machine(lfm2_runtime *runtime, const lfm2_model *model, bench_memory *memory,
                  bench_rates *out);

/* The better one of each rate. */
bench_rates bench_better(const bench_rates *a, const bench_rates *b);

/* Computes t->limit_seconds from t->rates, for passes of up to `chunk` tokens and a KV cache of
 * kv_token_bytes for each token. */
void bench_limit(bench_test *t, uint32_t chunk, double kv_token_bytes);

/* lfm2 bench --machine. Returns the exit code. */
int bench_machine_alone(const bench_options *opts);

/* ---- bench_table.c ---- */

/* The result of a test over its repetitions. */
typedef struct bench_speed {
    double mean, deviation; /* tokens per second */
    double mean_seconds;
    double step_seconds; /* time to the first token (prompts), time of a step (generation) */
    double limit;        /* tokens per second; NAN = unknown */
    double percent;      /* of the limit */
    double read_bytes, weights_bytes, int8_ops; /* per second; NAN = not measured */
} bench_speed;

bench_speed bench_summarize(const bench_test *t);

/* Prints a test, and before the first one the head of the table. */
void bench_print_test(const bench_test *t, bool first);

/* Ends the output after at least one test. */
void bench_print_end(const bench_options *opts, const bench_loading *loads, uint32_t n,
                     const bench_rates *low, const bench_rates *high);

/* ---- bench_records.c ---- */

/* Prints a test as JSON, JSONL or CSV, and before the first one the names of the CSV columns. */
void bench_print_record(const bench_test *t, const bench_speed *s, bool first);

/* ---- bench_sessions.c ---- */

/* lfm2 bench --sessions. Returns the exit code. */
int bench_sessions(const bench_options *opts);

/* ---- bench_drafts.c ---- */

/* lfm2 bench --drafts. Returns the exit code. */
int bench_drafts(const bench_options *opts);

/* ---- bench_policies.c ---- */

/* lfm2 bench --policies. Returns the exit code. */
int bench_policies(const bench_options *opts);

/* ---- bench_kernels.c ---- */

/* lfm2 bench --micro-kernels. Returns the exit code. */
int bench_kernels(const bench_options *opts);

#endif /* LFM2_CLI_BENCH_H */
