/* SPDX-License-Identifier: Apache-2.0 */
/* lfm2 bench: measures tokens per second, with the options and tests of llama-bench. */
#include "cli/bench/bench.h"
#include "cli/commands.h"
#include "cli/options/compat_options.h"
#include "cli/support/interrupt.h"
#include "cli/support/model_open.h"
#include "cli/support/prefetch_report.h"
#include "cli/support/system.h"

#include <math.h>
#include <stdlib.h>

static const opt_choice format_choices[] = {{"md", BENCH_MD, NULL},
                                            {"json", BENCH_JSON, NULL},
                                            {"jsonl", BENCH_JSONL, NULL},
                                            {"csv", BENCH_CSV, NULL},
                                            {NULL, 0, NULL}};

enum { MAX_TOKENS = 1 << 24, MAX_SEQS = 1024 };

static const opt_spec specs[] = {
    {.type = OPT_U32S,
     .letter = 'p',
     .name = "n-prompt",
     .arg = "LIST",
     .help = "numbers of prompt tokens to process, comma-separated; 0 = skip this test",
     .default_text = "512",
     .offset = offsetof(bench_options, n_prompt),
     .max = MAX_TOKENS},
    {.type = OPT_U32S,
     .letter = 'n',
     .name = "n-gen",
     .arg = "LIST",
     .help = "numbers of tokens to generate, comma-separated; 0 = skip this test",
     .default_text = "64",
     .offset = offsetof(bench_options, n_gen),
     .max = MAX_TOKENS},
    {.type = OPT_U32S,
     .name = "npl",
     .arg = "LIST",
     .help = "numbers of parallel sequences in the tests of -n, comma-separated",
     .default_text = "1",
     .offset = offsetof(bench_options, n_seqs),
     .min = 1,
     .max = MAX_SEQS},
    {.type = OPT_U32S,
     .letter = 'd',
     .name = "depth",
     .aliases = "--n-depth",
     .arg = "LIST",
     .help = "numbers of tokens in the context before each test, comma-separated",
     .default_text = "0",
     .offset = offsetof(bench_options, depth),
     .max = MAX_TOKENS},
    {.type = OPT_U32S,
     .letter = 't',
     .name = "threads",
     .arg = "LIST",
     .help = "numbers of threads, comma-separated",
     .default_text = "0",
     .offset = offsetof(bench_options, threads),
     .min = 1,
     .max = MAX_THREADS,
     .specials = thread_specials},
    {.type = OPT_U32,
     .letter = 'r',
     .name = "repetitions",
     .arg = "N",
     .help = "number of repetitions of each test",
     .default_text = "3",
     .offset = offsetof(bench_options, repetitions),
     .min = 1,
     .max = BENCH_MAX_REPETITIONS},
    {.type = OPT_CHOICE,
     .letter = 'o',
     .name = "output",
     .arg = "FORMAT",
     .help = "output format",
     .default_text = "md",
     .offset = offsetof(bench_options, format),
     .choices = format_choices},
    {.type = OPT_REAL,
     .name = "delay",
     .arg = "S",
     .help = "seconds to wait before each test; on a virtual machine, the host may still be busy "
             "with memory that was freed",
     .default_text = "0",
     .offset = offsetof(bench_options, delay),
     .max = 3600},
    {.type = OPT_FLAG,
     .name = "no-roofline",
     .help = "do not measure the limits of the machine between the tests",
     .offset = offsetof(bench_options, no_roofline)},
    {.type = OPT_U32,
     .name = "sessions",
     .arg = "N",
     .help =
         "instead of the tests, compare N sessions, each in its own thread, with a single one: on "
         "a runtime with one thread, where they run in parallel, and on a runtime with -t "
         "threads, where they take turns; each generates -n tokens",
     .offset = offsetof(bench_options, n_sessions),
     .min = 1,
     .max = BENCH_MAX_SESSIONS},
    {.type = OPT_U32,
     .name = "busy",
     .arg = "N",
     .help = "with --sessions: number of threads that occupy processors meanwhile",
     .default_text = "0",
     .offset = offsetof(bench_options, n_busy),
     .max = BENCH_MAX_SESSIONS},
    {.type = OPT_U32S,
     .name = "drafts",
     .arg = "LIST",
     .help = "instead of the tests, compare generation of -n tokens after -d with and without "
             "drafts: with n-grams, and with drafts of which these percentages of the tokens are "
             "right, comma-separated",
     .offset = offsetof(bench_options, drafts),
     .max = 100},
    {.type = OPT_FLAG,
     .name = "operations",
     .help = "instead of the tests, measure the operations of a session of -d tokens (512 if that "
             "is 0): fork, rewind, save, restore, prefix cache; and a pass that reads 64 tokens of "
             "a prompt and continues 8 sessions, next to a prompt of 72 tokens",
     .offset = offsetof(bench_options, operations)},
    {.type = OPT_FLAG,
     .name = "policies",
     .help =
         "instead of the tests, compare the policies of --prefetch in alternation, generating -n "
         "tokens of --npl sequences; 'auto' first computes 50 steps",
     .offset = offsetof(bench_options, policies)},
    {.type = OPT_FLAG,
     .name = "machine",
     .help = "instead of the tests, measure the machine: memory bandwidth and peak int8 throughput",
     .offset = offsetof(bench_options, machine)},
    {.type = OPT_END},
};

static const opt_spec micro_kernel_specs[] = {
    {.type = OPT_FLAG,
     .name = "micro-kernels",
     .help = "instead of the tests, measure the micro-kernels",
     .offset = offsetof(bench_options, kernels)},
    {.type = OPT_U32S,
     .name = "m",
     .arg = "LIST",
     .help = "numbers of activation rows, comma-separated",
     .default_text = "1,64",
     .offset = offsetof(bench_options, m),
     .min = 1,
     .max = 65536},
    {.type = OPT_U32,
     .name = "n",
     .arg = "N",
     .help = "output dimension of the weight matrix",
     .default_text = "1792",
     .offset = offsetof(bench_options, n),
     .min = 1,
     .max = 1 << 20},
    {.type = OPT_U32,
     .name = "k",
     .arg = "N",
     .help = "input dimension of the weight matrix",
     .default_text = "2048",
     .offset = offsetof(bench_options, k),
     .min = 1,
     .max = 1 << 20},
    {.type = OPT_U32,
     .name = "pool",
     .arg = "MIB",
     .help = "size of the pool of weights in MiB; if the caches cannot hold it, kernels read from "
             "memory",
     .default_text = "256",
     .offset = offsetof(bench_options, pool_mib),
     .min = 1,
     .max = 1 << 20},
    {.type = OPT_REAL,
     .name = "seconds",
     .arg = "S",
     .help = "duration of each measurement in seconds",
     .default_text = "0.2",
     .offset = offsetof(bench_options, seconds),
     .min = 0.001,
     .max = 3600},
    {.type = OPT_TEXT,
     .name = "filter",
     .arg = "TEXT",
     .help = "measure only kernels with TEXT in their name",
     .offset = offsetof(bench_options, filter)},
    {.type = OPT_END},
};

static const opt_group groups[] = {
    {"Tests", specs, 0, NULL},
    SESSION_MEMORY_GROUPS(bench_options, session),
    MODEL_FILE_GROUP(bench_options, model),
    MODEL_KERNEL_GROUP(bench_options, model),
    MODEL_CACHE_GROUP(bench_options, model),
    {"Micro-kernels", micro_kernel_specs, 0, NULL},
    COMPAT_GROUP,
};

/* ---- Measuring ------------------------------------------------------------------------------ */

/* Processes `depth` tokens, then measures n_prompt tokens at once, or n_gen tokens one by one. */
static int32_t measure_once(lfm2_session *session, const int32_t *ids, const bench_test *t,
                            double *seconds)
{
    int32_t status = lfm2_session_reset(session);
    if (status == LFM2_OK && t->depth > 0) {
        status = interrupt_status(lfm2_session_prefill(session, ids, t->depth));
    }
    double start = now_seconds();
    if (status == LFM2_OK && t->n_prompt > 0) {
        status = interrupt_status(lfm2_session_prefill(session, ids + t->depth, t->n_prompt));
    }
    for (uint32_t i = 0; i < t->n_gen && status == LFM2_OK; i++) {
        status = interrupt_status(lfm2_session_decode(session, ids[t->depth + i]));
    }
    *seconds = now_seconds() - start;
    return status;
}

/* The same for n_seqs sessions with different tokens: a step computes one token of each. */
static int32_t measure_many(lfm2_session *const *sessions, const int32_t *ids, const bench_test *t,
                            double *seconds)
{
    int32_t next[MAX_SEQS];
    size_t n_ids = (size_t)t->depth + t->n_gen;
    int32_t status = LFM2_OK;
    for (uint32_t s = 0; s < t->n_seqs && status == LFM2_OK; s++) {
        status = lfm2_session_reset(sessions[s]);
        if (status == LFM2_OK && t->depth > 0) {
            status = lfm2_session_prefill(sessions[s], ids + s * n_ids, t->depth);
        }
        status = interrupt_status(status);
    }
    double start = now_seconds();
    for (uint32_t i = 0; i < t->n_gen && status == LFM2_OK; i++) {
        for (uint32_t s = 0; s < t->n_seqs; s++) {
            next[s] = ids[s * n_ids + t->depth + i];
        }
        status = interrupt_status(lfm2_session_decode_many(sessions, next, t->n_seqs));
    }
    *seconds = now_seconds() - start;
    return status;
}

static int measure(lfm2_session *session, uint32_t chunk, const int32_t *ids, bench_test *t)
{
    /* The first run of a test touches new memory, such as the workspace of the largest pass of a
     * prompt. The host of a virtual machine may have to allocate it. */
    bench_test warm = {.n_prompt = t->n_prompt < chunk ? t->n_prompt : chunk,
                       .n_gen = t->n_gen > 0};
    double unused = 0;
    int32_t status = measure_once(session, ids, &warm, &unused);
    for (uint32_t i = 0; i < t->opts->repetitions && status == LFM2_OK; i++) {
        status = measure_once(session, ids, t, &t->seconds[i]);
    }
    return interrupt_code(status);
}

/* Measures a test with several sequences, in new sessions that are just large enough. */
static int measure_sequences(lfm2_model *model, bench_test *t)
{
    enum { CHUNK = 64 }; /* the default */
    lfm2_session *sessions[MAX_SEQS] = {0};
    uint32_t n_ctx = t->depth + t->n_gen;
    session_options options = t->opts->session;
    uint32_t chunk = options.n_chunk != 0 ? options.n_chunk : CHUNK;
    t->chunk = chunk;
    /* All sessions are computed in the workspace of the first one, whose passes must have space for
     * one token of each. */
    options.n_chunk = t->n_seqs > chunk ? t->n_seqs : chunk;
    options.n_ctx = n_ctx > t->n_seqs ? n_ctx : t->n_seqs;
    size_t n_ids = (size_t)t->n_seqs * n_ctx;
    int32_t *ids = calloc(n_ids, sizeof *ids);
    int code = ids != NULL ? EXIT_OK : fail("cli.memory", "out of memory");
    for (uint32_t s = 0; s < t->n_seqs && code == EXIT_OK; s++) {
        code = session_open(&options, model, &sessions[s]);
        options.n_chunk = chunk;
        options.n_ctx = n_ctx;
    }
    if (code == EXIT_OK) {
        bench_fill_ids(ids, n_ids, t->info->n_vocab);
        interrupt_begin(sessions[0]);
        bench_test warm = {.n_gen = 1, .n_seqs = t->n_seqs};
        double unused = 0;
        int32_t status = measure_many(sessions, ids, &warm, &unused);
        for (uint32_t i = 0; i < t->opts->repetitions && status == LFM2_OK; i++) {
            status = measure_many(sessions, ids, t, &t->seconds[i]);
        }
        code = interrupt_code(status);
        interrupt_end();
    }
    for (uint32_t s = 0; s < t->n_seqs; s++) {
        lfm2_session_free(sessions[s]);
    }
    free(ids);
    return code;
}

static uint32_t largest(const opt_u32s *list)
{
    uint32_t max = 0;
    for (uint32_t i = 0; i < list->n; i++) {
        max = list->items[i] > max ? list->items[i] : max;
    }
    return max;
}

/* A model with one number of threads. */
typedef struct bench_run {
    const bench_options *opts;
    open_model opened;
    lfm2_session *session;
    const int32_t *ids;
    uint32_t chunk;
    double kv_token_bytes; /* KV cache of one token */
    bench_memory memory;
    bench_rates before;    /* measured before the next test */
    bench_rates low, high; /* over all tests */
    bool *first;           /* nothing is printed yet */
} bench_run;

/* Measures the machine after the test `t`, or before the first test if `t` is NULL. */
static int measure_machine(bench_run *r, bench_test *t)
{
    bench_rates now;
    if (r->opts->no_roofline) {
        return EXIT_OK;
    }
    int code = bench_machine(r->opened.runtime, r->opened.model, &r->memory, &now);
    if (code != EXIT_OK) {
        return code;
    }
    if (r->high.machine.n_threads == 0) {
        r->before = r->low = r->high = now;
    }
    if (t != NULL) {
        t->rates = bench_better(&r->before, &now);
        bench_limit(t, r->chunk, r->kv_token_bytes);
    }
    r->before = now;
    r->high = bench_better(&r->high, &now);
    r->low.machine.read_bytes = fmin(r->low.machine.read_bytes, now.machine.read_bytes);
    r->low.weights_bytes = fmin(r->low.weights_bytes, now.weights_bytes);
    r->low.machine.int8_ops = fmin(r->low.machine.int8_ops, now.machine.int8_ops);
    return EXIT_OK;
}

static int run_test(bench_run *r, bench_test *t)
{
    int code = EXIT_OK;
    if (t->n_prompt + t->n_gen == 0) {
        return EXIT_OK;
    }
    wait_seconds(r->opts->delay);
    if (t->n_seqs == 1) {
        t->chunk = r->chunk;
        interrupt_begin(r->session);
        code = measure(r->session, r->chunk, r->ids, t);
        interrupt_end();
    } else {
        code = measure_sequences(r->opened.model, t);
    }
    if (code == EXIT_OK) {
        code = measure_machine(r, t);
    }
    if (code != EXIT_OK) {
        return code;
    }
    t->peak_rss = bench_peak_rss(&r->memory);
    bench_print_test(t, *r->first);
    *r->first = false;
    return out_failed() ? EXIT_FAILED : EXIT_OK;
}

/* Number of tokens that use all experts, with near certainty. They load all pages of a pack cache
 * before the first measurement. */
enum { WARM_UP = 64 };

static int warm_up(bench_run *r)
{
    interrupt_begin(r->session);
    int32_t status = interrupt_status(lfm2_session_prefill(r->session, r->ids, WARM_UP));
    interrupt_end();
    return interrupt_code(status);
}

/* Runs all tests with one number of threads. */
static int run_tests(bench_run *r, bench_test *t)
{
    const bench_options *opts = r->opts;
    int code = measure_machine(r, NULL);
    for (uint32_t d = 0; d < opts->depth.n && code == EXIT_OK; d++) {
        t->depth = opts->depth.items[d];
        t->n_seqs = 1;
        t->n_gen = 0;
        for (uint32_t i = 0; i < opts->n_prompt.n && code == EXIT_OK; i++) {
            t->n_prompt = opts->n_prompt.items[i];
            code = run_test(r, t);
        }
        t->n_prompt = 0;
        for (uint32_t s = 0; s < opts->n_seqs.n && code == EXIT_OK; s++) {
            t->n_seqs = opts->n_seqs.items[s];
            for (uint32_t i = 0; i < opts->n_gen.n && code == EXIT_OK; i++) {
                t->n_gen = opts->n_gen.items[i];
                code = run_test(r, t);
            }
        }
    }
    return code;
}

/* Opens the session of the tests with one sequence. */
static int open_session(bench_run *r, uint32_t n_ctx)
{
    enum { DEFAULT_CHUNK = 512, KV_BLOCK = 64 };
    session_options options = r->opts->session;
    options.n_ctx = n_ctx;
    r->chunk = options.n_chunk != 0 ? options.n_chunk : DEFAULT_CHUNK;
    int code = session_open(&options, r->opened.model, &r->session);
    lfm2_session_options library;
    session_options_fill(&options, r->opened.model, &library);
    lfm2_memory memory = {.size = sizeof memory};
    if (code == EXIT_OK && lfm2_estimate_memory(r->opened.model, &library, &memory) != LFM2_OK) {
        code = fail_library();
    }
    /* Memory is allocated in blocks. */
    r->kv_token_bytes = (double)memory.kv / ((n_ctx + KV_BLOCK - 1) / KV_BLOCK * KV_BLOCK);
    return code;
}

/* Loads the model with `threads` threads and runs all tests. */
static int bench_threads(const bench_options *opts, uint32_t threads, bool *first,
                         bench_loading *loaded, bench_rates *low, bench_rates *high)
{
    lfm2_model_info info = {.size = sizeof info};
    uint32_t longest = largest(&opts->n_prompt);
    longest = longest > largest(&opts->n_gen) ? longest : largest(&opts->n_gen);
    size_t n_ids = (size_t)longest + largest(&opts->depth);
    n_ids = n_ids > WARM_UP ? n_ids : WARM_UP;
    int32_t *ids = calloc(n_ids, sizeof *ids);
    bench_test *t = calloc(1, sizeof *t);
    bench_run *r = calloc(1, sizeof *r);
    model_options model = opts->model;
    model.threads = threads;
    int code = EXIT_OK;
    if (ids == NULL || t == NULL || r == NULL) {
        code = fail("cli.memory", "out of memory");
        goto done;
    }
    *r = (bench_run){.opts = opts, .ids = ids, .low = *low, .high = *high, .first = first};
    code = model_open(&model, LFM2_LOAD_FULL, &r->opened);
    if (code == EXIT_OK) {
        code = open_session(r, (uint32_t)n_ids);
    }
    if (code == EXIT_OK && lfm2_model_get_info(r->opened.model, &info) != LFM2_OK) {
        code = fail_library();
    }
    if (code == EXIT_OK) {
        *t = (bench_test){.opts = opts,
                          .info = &info,
                          .path = r->opened.path,
                          .threads = lfm2_runtime_threads(r->opened.runtime),
                          .load_seconds = r->opened.load_seconds};
        cpu_names(lfm2_runtime_cpu(r->opened.runtime), t->cpu, sizeof t->cpu);
        bench_fill_ids(ids, n_ids, info.n_vocab);
        code = warm_up(r);
    }
    if (code == EXIT_OK) {
        code = run_tests(r, t);
    }
    if (code == EXIT_OK && opts->model.verbose) {
        notice_prefetch(r->opened.runtime);
    }
    if (code == EXIT_OK) {
        *loaded = (bench_loading){.threads = t->threads,
                                  .seconds = t->load_seconds,
                                  .from_cache = info.from_cache != 0,
                                  .peak_rss = bench_peak_rss(&r->memory)};
        *low = r->low;
        *high = r->high;
    }
    lfm2_session_free(r->session);
    model_close(&r->opened);
done:
    free(r);
    free(t);
    free(ids);
    return code;
}

/* What is measured instead of the tests, or NULL. */
static bench_mode *mode_of(const bench_options *opts)
{
    return opts->kernels          ? bench_kernels
           : opts->machine        ? bench_machine_alone
           : opts->n_sessions > 0 ? bench_sessions
           : opts->drafts.n > 0   ? bench_drafts
           : opts->operations     ? bench_operations
           : opts->policies       ? bench_policies
                                  : NULL;
}

/* Refuses options that contradict each other. */
static int check_mode(const command *self, const bench_options *opts)
{
    if (opts->kernels + opts->machine + opts->policies + opts->operations + (opts->n_sessions > 0) +
            (opts->drafts.n > 0) >
        1) {
        return fail_usage(self->name, "--sessions, --drafts, --operations, --policies, --machine "
                                      "and --micro-kernels cannot be combined");
    }
    if (opts->policies && (opts->format != BENCH_MD || opts->model.prefetch != 0)) {
        return fail_usage(self->name, "--policies cannot be combined with -o and --prefetch");
    }
    if (opts->n_busy > 0 && opts->n_sessions == 0) {
        return fail_usage(self->name, "option --busy requires --sessions");
    }
    if ((opts->n_sessions > 0 || opts->policies) && opts->n_gen.items[0] == 0) {
        return fail_usage(self->name, "nothing to measure: -n is 0");
    }
    if (opts->drafts.n > 0 && opts->n_gen.items[0] < 2) {
        return fail_usage(self->name, "nothing to measure: --drafts needs -n 2 or more, because "
                                      "the first token is not timed");
    }
    if (mode_of(opts) == NULL && largest(&opts->n_prompt) + largest(&opts->n_gen) == 0) {
        return fail_usage(self->name, "nothing to measure: -p and -n are both 0");
    }
    return PARSED;
}

static int run(const command *self, int argc, char **argv)
{
    bench_options opts = {
        .n_prompt = {{512}, 1, false},
        .n_gen = {{64}, 1, false},
        .n_seqs = {{1}, 1, false},
        .depth = {{0}, 1, false},
        .threads = {{0}, 1, false},
        .repetitions = 3,
        .m = {{1, 64}, 2, false},
        .n = 1792,
        .k = 2048,
        .pool_mib = 256,
        .seconds = 0.2,
    };
    opt_args args = {.n = 0};
    int code = options_parse(self, argc, argv, &opts, &args);
    if (code == PARSED) {
        code = model_argument(self, &args, &opts.model);
    }
    if (code == PARSED) {
        code = check_mode(self, &opts);
    }
    if (code != PARSED) {
        return code;
    }
    bench_mode *mode = mode_of(&opts);
    if (mode != NULL) {
        return mode(&opts);
    }
    bool first = true;
    bench_loading loads[OPT_MAX_ITEMS];
    bench_rates low = {.weights_bytes = 0};
    bench_rates high = low;
    uint32_t n_loads = 0;
    code = EXIT_OK;
    while (n_loads < opts.threads.n && code == EXIT_OK) {
        code =
            bench_threads(&opts, opts.threads.items[n_loads], &first, &loads[n_loads], &low, &high);
        n_loads += code == EXIT_OK;
    }
    if (!first) {
        bench_print_end(&opts, loads, n_loads, &low, &high);
    }
    return code;
}

const command cmd_bench = {
    .name = "bench",
    .summary = "Measure the speed of a model, the machine or the micro-kernels.",
    .synopsis = "[MODEL | -m PATH] [-p LIST] [-n LIST] [-d LIST] [OPTION]...",
    .details =
        "Tests: pp512 processes a prompt of 512 tokens, tg64 generates 64 tokens, tg64 x 8 "
        "generates 64 tokens of each of 8 parallel sequences; '@ d4096' means with 4096 tokens "
        "in the context, which are computed before each repetition and not timed. t/s is the "
        "mean over the repetitions and its standard deviation; it counts the tokens of all "
        "sequences. The model is loaded again for each number of threads.\n\n"
        "The limit is the speed that the hardware allows: the time to read the weights and the "
        "KV cache at the measured memory bandwidth, or the time of the multiplications at the "
        "measured peak of int8 operations, whichever is longer. Bandwidth and peak are "
        "measured for about a second before and after each test; the better value counts.",
    .groups = groups,
    .n_groups = COUNT(groups),
    .max_args = 1,
    .run = run,
};
