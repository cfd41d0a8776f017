/* SPDX-License-Identifier: Apache-2.0 */
/* What the parts of lfm2 bench share: options, one test and its result, the limit, the output. */
#ifndef LFM2_TOOLS_BENCH_H
#define LFM2_TOOLS_BENCH_H

#include "cli/options/gen_opts.h"
#include "cli/options/model_opts.h"

#include "lfm2_tools.h"

enum { BENCH_MD, BENCH_JSON, BENCH_JSONL, BENCH_CSV };
enum { BENCH_MAX_REPETITIONS = 1000, BENCH_MAX_SESSIONS = 256 };

typedef struct bench_opts {
    model_opts model; /* threads is not used: the list below is */
    session_opts session;
    opt_u32s n_prompt, n_gen, n_seqs, depth, threads;
    uint32_t repetitions, format;
    double delay; /* seconds before a test */
    bool no_roofline, machine, kernels;
    uint32_t prefetch;           /* LFM2_PREFETCH_* */
    uint32_t n_sessions, n_busy; /* 0 sessions: another table */
    /* micro-kernels */
    opt_u32s m;
    uint32_t n, k, pool_mib;
    double seconds;
    const char *filter;
} bench_opts;

/* What the machine can do, and how fast it reads the weights where they lie; machine.n_threads 0:
 * not measured. */
typedef struct bench_rates {
    lfm2_machine machine;
    double weights_bytes; /* a second */
} bench_rates;

/* One line of the table. */
typedef struct bench_test {
    const bench_opts *opts;
    const lfm2_model_info *info;
    const char *path;
    char cpu[96]; /* instruction sets in use */
    int32_t threads;
    uint32_t n_prompt, n_gen, depth; /* one of n_prompt, n_gen is 0 */
    uint32_t n_seqs;                 /* sequences that are decoded together */
    uint32_t chunk;                  /* most prompt tokens of a pass */
    double load_seconds;
    double seconds[BENCH_MAX_REPETITIONS];
    bench_rates rates;    /* the better of what was measured before and after */
    double limit_seconds; /* what a machine of these figures takes at least; 0: not known */
    uint64_t peak_rss;
} bench_test;

/* What opening the model at one thread count took. */
typedef struct bench_loading {
    int32_t threads;
    double seconds;
    bool from_cache;
    uint64_t peak_rss; /* of the process, after the tests */
} bench_loading;

/* What goes before and after an object of the output: JSON is one array, JSONL lines of objects. */
static inline const char *bench_before_object(const bench_opts *opts, bool first)
{
    return opts->format == BENCH_JSONL ? "" : first ? "\n " : ",\n ";
}
static inline const char *bench_after_object(const bench_opts *opts)
{
    return opts->format == BENCH_JSONL ? "\n" : "";
}

/* Tokens of a test, all sequences together. */
static inline double bench_tokens(const bench_test *t)
{
    return t->n_prompt > 0 ? t->n_prompt : (double)t->n_gen * t->n_seqs;
}

/* ---- bench_limit.c ---- */

/* The most resident memory so far, the machine's measurements left out. */
typedef struct bench_memory {
    uint64_t peak_rss;
} bench_memory;
uint64_t bench_peak_rss(bench_memory *memory);

/* Measures the machine, and reading the model's weights unless it is NULL. Returns an exit code. */
int bench_machine(lfm2_runtime *runtime, const lfm2_model *model, bench_memory *memory,
                  bench_rates *out);

/* Figure for figure the better one. */
bench_rates bench_better(const bench_rates *a, const bench_rates *b);

/* Fills t->limit_seconds from t->rates, for passes of at most `chunk` tokens and kv_row bytes of
 * attention memory a token. */
void bench_limit(bench_test *t, uint32_t chunk, double kv_row);

/* lfm2 bench --machine. Returns the exit code. */
int bench_machine_alone(const bench_opts *opts);

/* ---- bench_print.c ---- */

/* What is measured over the repetitions. */
typedef struct bench_speed {
    double mean, deviation; /* tokens a second */
    double mean_seconds;
    double step_seconds; /* until the first token is known (prompts), of one step (generation) */
    double limit;        /* tokens a second; NAN: not known */
    double percent;      /* of the limit */
    double read_bytes, weights_bytes, int8_ops; /* a second; NAN: not measured */
} bench_speed;

bench_speed bench_summarise(const bench_test *t);

void bench_print_head(const bench_opts *opts);
void bench_print_test(const bench_test *t, bool first);
void bench_print_end(const bench_opts *opts, const bench_loading *loads, uint32_t n,
                     const bench_rates *low, const bench_rates *high);

/* ---- bench_rows.c ---- */

/* One test as JSON, JSONL or CSV; the names of the columns go before the first one. */
void bench_print_row(const bench_test *t, const bench_speed *s, bool first);

/* ---- bench_sessions.c ---- */

/* The table of sessions in threads of their own. Returns the exit code. */
int bench_sessions(const bench_opts *opts);

/* ---- bench_kernels.c ---- */

/* The table of micro-kernels. Returns the exit code. */
int bench_kernels(const bench_opts *opts);

#endif /* LFM2_TOOLS_BENCH_H */
