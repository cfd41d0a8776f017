/* SPDX-License-Identifier: Apache-2.0 */
/* lfm2 bench: tokens a second, in llama-bench's terms: options and measuring. */
#include "cli/bench/bench.h"
#include "cli/options/compat_opts.h"
#include "cli/support/interrupt.h"

#include <math.h>
#include <stdlib.h>

static const opt_choice format_choices[] = {
    {"md", BENCH_MD}, {"json", BENCH_JSON}, {"jsonl", BENCH_JSONL}, {"csv", BENCH_CSV}, {NULL, 0}};

static const opt_choice prefetch_choices[] = {{"cpu", LFM2_PREFETCH_CPU},
                                              {"l2-l1", LFM2_PREFETCH_L2_L1},
                                              {"l1", LFM2_PREFETCH_L1},
                                              {"l2", LFM2_PREFETCH_L2},
                                              {NULL, 0}};

enum { MAX_TOKENS = 1 << 24, MAX_SEQS = 1024 };

static const opt_spec specs[] = {
    {.kind = OPT_U32S,
     .letter = 'p',
     .name = "n-prompt",
     .arg = "LIST",
     .help = "prompt tokens to be computed, comma list; 0 = no such test",
     .default_text = "512",
     .offset = offsetof(bench_opts, n_prompt),
     .max = MAX_TOKENS},
    {.kind = OPT_U32S,
     .letter = 'n',
     .name = "n-gen",
     .arg = "LIST",
     .help = "tokens to be generated one by one, comma list; 0 = no such test",
     .default_text = "64",
     .offset = offsetof(bench_opts, n_gen),
     .max = MAX_TOKENS},
    {.kind = OPT_U32S,
     .name = "npl",
     .arg = "LIST",
     .help = "sequences decoded together in the tests of -n, comma list",
     .default_text = "1",
     .offset = offsetof(bench_opts, n_seqs),
     .min = 1,
     .max = MAX_SEQS},
    {.kind = OPT_U32S,
     .letter = 'd',
     .name = "depth",
     .aliases = "--n-depth",
     .arg = "LIST",
     .help = "tokens the session holds before each test, comma list",
     .default_text = "0",
     .offset = offsetof(bench_opts, depth),
     .max = MAX_TOKENS},
    {.kind = OPT_U32S,
     .letter = 't',
     .name = "threads",
     .arg = "LIST",
     .help = "threads, comma list",
     .default_text = "0",
     .offset = offsetof(bench_opts, threads),
     .min = 1,
     .max = MAX_THREADS,
     .specials = default_threads},
    {.kind = OPT_U32,
     .letter = 'r',
     .name = "repetitions",
     .arg = "N",
     .help = "how often each test is run",
     .default_text = "3",
     .offset = offsetof(bench_opts, repetitions),
     .min = 1,
     .max = BENCH_MAX_REPETITIONS},
    {.kind = OPT_CHOICE,
     .letter = 'o',
     .name = "output",
     .arg = "FORMAT",
     .help = "format of the result",
     .default_text = "md",
     .offset = offsetof(bench_opts, format),
     .choices = format_choices},
    {.kind = OPT_REAL,
     .name = "delay",
     .arg = "S",
     .help = "seconds to wait before each test: a hypervisor may take back for a while what was "
             "just freed",
     .default_text = "0",
     .offset = offsetof(bench_opts, delay),
     .max = 3600},
    {.kind = OPT_FLAG,
     .name = "no-roofline",
     .help = "do not measure the machine's limits between the tests",
     .offset = offsetof(bench_opts, no_roofline)},
    {.kind = OPT_CHOICE,
     .name = "prefetch",
     .arg = "HOW",
     .help = "how kernels prefetch weights; cpu: the policy for this CPU",
     .default_text = "cpu",
     .offset = offsetof(bench_opts, prefetch),
     .choices = prefetch_choices},
    {.kind = OPT_U32,
     .name = "sessions",
     .arg = "N",
     .help = "measure nothing but N sessions, each in a thread of its own, against one: on a "
             "runtime of one thread, where they run side by side, and on one of -t threads, where "
             "they take turns; -n tokens each",
     .offset = offsetof(bench_opts, n_sessions),
     .min = 1,
     .max = BENCH_MAX_SESSIONS},
    {.kind = OPT_U32,
     .name = "busy",
     .arg = "N",
     .help = "with --sessions: threads that keep processors busy meanwhile",
     .default_text = "0",
     .offset = offsetof(bench_opts, n_busy),
     .max = BENCH_MAX_SESSIONS},
    {.kind = OPT_FLAG,
     .name = "machine",
     .help = "measure nothing but the machine: bandwidth of reading, peak of int8 products",
     .offset = offsetof(bench_opts, machine)},
};

static const opt_spec kernel_only[] = {
    {.kind = OPT_FLAG,
     .name = "micro-kernels",
     .help = "measure the micro-kernels instead of a model",
     .offset = offsetof(bench_opts, kernels)},
    {.kind = OPT_U32S,
     .name = "m",
     .arg = "LIST",
     .help = "rows of the activations, comma list",
     .default_text = "1,64",
     .offset = offsetof(bench_opts, m),
     .min = 1,
     .max = 65536},
    {.kind = OPT_U32,
     .name = "n",
     .arg = "N",
     .help = "columns of a weight matrix",
     .default_text = "1792",
     .offset = offsetof(bench_opts, n),
     .min = 1,
     .max = 1 << 20},
    {.kind = OPT_U32,
     .name = "k",
     .arg = "N",
     .help = "inner dimension",
     .default_text = "2048",
     .offset = offsetof(bench_opts, k),
     .min = 1,
     .max = 1 << 20},
    {.kind = OPT_U32,
     .name = "pool",
     .arg = "MIB",
     .help = "the weights are streamed from a pool of MIB mebibytes",
     .default_text = "256",
     .offset = offsetof(bench_opts, pool_mib),
     .min = 1,
     .max = 1 << 20},
    {.kind = OPT_REAL,
     .name = "seconds",
     .arg = "S",
     .help = "time for each kernel and row count",
     .default_text = "0.2",
     .offset = offsetof(bench_opts, seconds),
     .min = 0.001,
     .max = 3600},
    {.kind = OPT_TEXT,
     .name = "filter",
     .arg = "TEXT",
     .help = "only kernels whose name contains TEXT",
     .offset = offsetof(bench_opts, filter)},
};

static const opt_group groups[] = {
    {"Tests", specs, COUNT(specs), 0, NULL},
    SESSION_MEMORY_GROUPS(bench_opts, session),
    MODEL_FILE_GROUP(bench_opts, model),
    MODEL_KERNEL_GROUP(bench_opts, model),
    MODEL_CACHE_GROUP(bench_opts, model),
    {"Micro-kernels", kernel_only, COUNT(kernel_only), 0, NULL},
    COMPAT_GROUP,
};

/* ---- Measuring ------------------------------------------------------------------------------ */

/* Ids that look random and are the same in each run (Marsaglia's xorshift). */
static void fill_ids(int32_t *ids, size_t n, uint32_t n_vocab)
{
    uint32_t state = 2463534242U;
    for (size_t i = 0; i < n; i++) {
        state ^= state << 13;
        state ^= state >> 17;
        state ^= state << 5;
        ids[i] = (int32_t)(state % n_vocab);
    }
}

/* Holds `depth` tokens, then measures n_prompt at once or n_gen one by one. */
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

/* The same for n_seqs sessions, one token of each a step. Each has other tokens. */
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
    /* The first run of each kind touches memory that was never used: of a prompt, the working
     * memory of its largest pass, which a virtual machine's host may have to find. */
    bench_test warm = {.n_prompt = t->n_prompt < chunk ? t->n_prompt : chunk,
                       .n_gen = t->n_gen > 0};
    double unused = 0;
    int32_t status = measure_once(session, ids, &warm, &unused);
    for (uint32_t i = 0; i < t->opts->repetitions && status == LFM2_OK; i++) {
        status = measure_once(session, ids, t, &t->seconds[i]);
    }
    return interrupt_code(status);
}

/* Sessions of their own, just large enough. */
static int measure_sequences(lfm2_model *model, bench_test *t)
{
    enum { CHUNK = 64 }; /* unless the options say another */
    lfm2_session *sessions[MAX_SEQS] = {0};
    uint32_t n_ctx = t->depth + t->n_gen;
    session_opts options = t->opts->session;
    uint32_t chunk = options.n_chunk != 0 ? options.n_chunk : CHUNK;
    t->chunk = chunk;
    /* The first one lends its working memory: a pass of it must take them all. */
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
        fill_ids(ids, n_ids, t->info->n_vocab);
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

/* A model at one thread count. */
typedef struct bench_run {
    const bench_opts *opts;
    open_model opened;
    lfm2_session *session;
    const int32_t *ids;
    uint32_t chunk;
    double kv_row; /* bytes of attention memory a token */
    bench_memory memory;
    bench_rates before;    /* what the machine could do before the next test */
    bench_rates low, high; /* over all of them */
    bool *first;           /* nothing was printed yet */
} bench_run;

static int watch_machine(bench_run *r, bench_test *t)
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
        bench_limit(t, r->chunk, r->kv_row);
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
        code = watch_machine(r, t);
    }
    if (code != EXIT_OK) {
        return code;
    }
    t->peak_rss = bench_peak_rss(&r->memory);
    bench_print_test(t, *r->first);
    *r->first = false;
    return out_failed() ? EXIT_FAILED : EXIT_OK;
}

/* So many tokens meet all experts: the pages of a pack cache are in memory before anything is
 * measured. */
enum { WARM_UP = 64 };

static int warm_up(bench_run *r)
{
    interrupt_begin(r->session);
    int32_t status = interrupt_status(lfm2_session_prefill(r->session, r->ids, WARM_UP));
    interrupt_end();
    return interrupt_code(status);
}

/* All tests of one model at one thread count. */
static int run_tests(bench_run *r, bench_test *t)
{
    const bench_opts *opts = r->opts;
    int code = watch_machine(r, NULL);
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

/* The session of the tests with one sequence, and what it says about sizes. */
static int open_session(bench_run *r, uint32_t n_ctx)
{
    enum { DEFAULT_CHUNK = 512, KV_BLOCK = 64 };
    session_opts options = r->opts->session;
    options.n_ctx = n_ctx;
    r->chunk = options.n_chunk != 0 ? options.n_chunk : DEFAULT_CHUNK;
    int code = session_open(&options, r->opened.model, &r->session);
    lfm2_session_options library;
    session_options_fill(&options, r->opened.model, &library);
    lfm2_memory memory = {.size = sizeof memory};
    if (code == EXIT_OK && lfm2_estimate_memory(r->opened.model, &library, &memory) != LFM2_OK) {
        code = fail_library();
    }
    /* It is allocated in blocks. */
    r->kv_row = (double)memory.kv / ((n_ctx + KV_BLOCK - 1) / KV_BLOCK * KV_BLOCK);
    return code;
}

static int bench_threads(const bench_opts *opts, uint32_t threads, bool *first,
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
    model_opts model = opts->model;
    model.threads = threads;
    int code = EXIT_OK;
    if (ids == NULL || t == NULL || r == NULL) {
        code = fail("cli.memory", "out of memory");
        goto done;
    }
    *r = (bench_run){.opts = opts, .ids = ids, .low = *low, .high = *high, .first = first};
    code = model_open(&model, LFM2_LOAD_FULL, &r->opened);
    if (code == EXIT_OK) {
        lfm2_runtime_set_prefetch(r->opened.runtime, (int32_t)opts->prefetch);
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
        fill_ids(ids, n_ids, info.n_vocab);
        code = warm_up(r);
    }
    if (code == EXIT_OK) {
        code = run_tests(r, t);
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

static int run(const command *self, int argc, char **argv)
{
    bench_opts opts = {
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
    int code = options_parse(self, argc, argv, &opts, NULL);
    if (code != PARSED) {
        return code;
    }
    if (opts.kernels) {
        return bench_kernels(&opts);
    }
    if (opts.machine) {
        return bench_machine_alone(&opts);
    }
    if (largest(&opts.n_prompt) + largest(&opts.n_gen) == 0) {
        return fail_usage(self->name, "nothing to measure: -p and -n are both 0");
    }
    if (opts.n_sessions > 0) {
        return bench_sessions(&opts);
    }
    bool first = true;
    bench_loading loads[OPT_MAX_ITEMS];
    bench_rates low = {.weights_bytes = 0};
    bench_rates high = low;
    uint32_t n_loads = 0;
    code = EXIT_OK;
    bench_print_head(&opts);
    while (n_loads < opts.threads.n && code == EXIT_OK) {
        code =
            bench_threads(&opts, opts.threads.items[n_loads], &first, &loads[n_loads], &low, &high);
        n_loads += code == EXIT_OK;
    }
    bench_print_end(&opts, loads, n_loads, &low, &high);
    return code;
}

const command cmd_bench = {
    .name = "bench",
    .summary = "Measure tokens a second, or the micro-kernels.",
    .synopsis = "[-m PATH] [-p LIST] [-n LIST] [--npl LIST] [-d LIST] [-t LIST] [OPTION]...",
    .details =
        "pp512 is the computation of 512 prompt tokens at once, tg64 that of 64 tokens one by "
        "one,\n"
        "tg64 x 8 that of 64 tokens of each of 8 sequences together, @ d4096 with 4096 tokens "
        "held\n"
        "before (computed again for each repetition, not timed). Speed is the mean over the\n"
        "repetitions and its standard deviation; of several sequences, all tokens count. Each\n"
        "thread count loads the model again; with several, the peak of the resident memory is\n"
        "that of the process so far.\n\n"
        "The limit is what the machine could do at best: weights at the bandwidth of reading\n"
        "them where they lie and attention memory at that of new memory, or multiplications at\n"
        "the peak of int8 products, whichever takes longer. All are measured before and after\n"
        "each test, in about a second, and the better figure counts.",
    .groups = groups,
    .n_groups = COUNT(groups),
    .run = run,
};
