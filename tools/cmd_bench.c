/* SPDX-License-Identifier: Apache-2.0 */
/* lfm2 bench: tokens a second, in llama-bench's terms. */
#include "bench.h"
#include "interrupt.h"
#include "json.h"

#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const opt_choice format_choices[] = {
    {"md", BENCH_MD}, {"json", BENCH_JSON}, {"csv", BENCH_CSV}, {NULL, 0}};

enum { MAX_TOKENS = 1 << 24, MAX_REPETITIONS = 1000 };

static const opt_spec specs[] = {
    {.kind = OPT_U32S,
     .letter = 'p',
     .name = "n-prompt",
     .arg = "LIST",
     .help = "prompt tokens to be computed, comma list; 0 = no such test (default 512)",
     .offset = offsetof(bench_opts, n_prompt),
     .max = MAX_TOKENS},
    {.kind = OPT_U32S,
     .letter = 'n',
     .name = "n-gen",
     .arg = "LIST",
     .help = "tokens to be generated one by one, comma list; 0 = no such test (default 64)",
     .offset = offsetof(bench_opts, n_gen),
     .max = MAX_TOKENS},
    {.kind = OPT_U32S,
     .letter = 'd',
     .name = "depth",
     .arg = "LIST",
     .help = "tokens the session holds before each test, comma list (default 0)",
     .offset = offsetof(bench_opts, depth),
     .max = MAX_TOKENS},
    {.kind = OPT_U32S,
     .letter = 't',
     .name = "threads",
     .arg = "LIST",
     .help = "threads, comma list; 0 = one for each physical core (default)",
     .offset = offsetof(bench_opts, threads),
     .max = 1024},
    {.kind = OPT_U32,
     .letter = 'r',
     .name = "repetitions",
     .arg = "N",
     .help = "how often each test is run (default 3)",
     .offset = offsetof(bench_opts, repetitions),
     .min = 1,
     .max = MAX_REPETITIONS},
    {.kind = OPT_CHOICE,
     .letter = 'o',
     .name = "output",
     .arg = "FORMAT",
     .help = "md (default), json or csv",
     .offset = offsetof(bench_opts, format),
     .choices = format_choices},
    {.kind = OPT_U32,
     .name = "chunk",
     .arg = "N",
     .help = "most prompt tokens computed in one pass; 0 = 512 (default)",
     .offset = offsetof(bench_opts, session) + offsetof(session_opts, n_chunk),
     .max = INT32_MAX},
    {.kind = OPT_CHOICE,
     .name = "kv",
     .arg = "TYPE",
     .help = "attention memory: f16 (default), f32 or q8",
     .offset = offsetof(bench_opts, session) + offsetof(session_opts, kv),
     .choices = kv_choices},
};

static const opt_spec model_only[] = {
    {.kind = OPT_TEXT,
     .letter = 'm',
     .name = "model",
     .arg = "PATH",
     .help = "GGUF file or Hugging Face folder (default: the built-in demo model)",
     .offset = offsetof(bench_opts, model) + offsetof(model_opts, path)},
    {.kind = OPT_CHOICES,
     .name = "cpu-disable",
     .arg = "LIST",
     .help = "instruction sets not to be used: sse41, avx, avx2, avxvnni, gfni, avx512, "
             "avx512vnni, avx512bf16, all",
     .offset = offsetof(bench_opts, model) + offsetof(model_opts, cpu_disable),
     .choices = cpu_choices},
    {.kind = OPT_CHOICE,
     .name = "provider",
     .arg = "WHOSE",
     .help = "matrix kernels (--kernels of the other commands): auto, scalar, own or xnnpack",
     .offset = offsetof(bench_opts, model) + offsetof(model_opts, kernels),
     .choices = kernel_choices},
    {.kind = OPT_FLAG,
     .letter = 'v',
     .name = "verbose",
     .help = "messages on standard error",
     .offset = offsetof(bench_opts, model) + offsetof(model_opts, verbose)},
};

static const opt_spec kernel_only[] = {
    {.kind = OPT_FLAG,
     .name = "kernels",
     .help = "measure the micro-kernels instead of a model",
     .offset = offsetof(bench_opts, kernels)},
    {.kind = OPT_U32S,
     .name = "m",
     .arg = "LIST",
     .help = "rows of the activations, comma list (default 1,64)",
     .offset = offsetof(bench_opts, m),
     .min = 1,
     .max = 65536},
    {.kind = OPT_U32,
     .name = "n",
     .arg = "N",
     .help = "columns of a weight matrix (default 1792)",
     .offset = offsetof(bench_opts, n),
     .min = 1,
     .max = 1 << 20},
    {.kind = OPT_U32,
     .name = "k",
     .arg = "N",
     .help = "inner dimension (default 2048)",
     .offset = offsetof(bench_opts, k),
     .min = 1,
     .max = 1 << 20},
    {.kind = OPT_U32,
     .name = "pool",
     .arg = "MIB",
     .help = "the weights are streamed from a pool of so many MiB (default 256)",
     .offset = offsetof(bench_opts, pool_mib),
     .min = 1,
     .max = 1 << 20},
    {.kind = OPT_REAL,
     .name = "seconds",
     .arg = "S",
     .help = "time for each kernel and row count (default 0.2)",
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
    {"Tests", specs, COUNT(specs), 0},
    {"Model", model_only, COUNT(model_only), 0},
    {"Micro-kernels", kernel_only, COUNT(kernel_only), 0},
};

/* One line of the table. */
typedef struct test {
    const bench_opts *opts;
    const lfm2_model_info *info;
    const char *path;
    char cpu[96]; /* instruction sets in use */
    int32_t threads;
    uint32_t n_prompt, n_gen, depth; /* one of n_prompt, n_gen is 0 */
    double load_seconds;
    double seconds[MAX_REPETITIONS];
} test;

/* What opening the model at one thread count took. */
typedef struct loading {
    int32_t threads;
    double seconds;
    uint64_t peak_rss; /* of the process, after the tests */
} loading;

/* What is measured over the repetitions. */
typedef struct speed {
    double mean, deviation; /* tokens a second */
    double mean_seconds;
} speed;

/* ---- Output --------------------------------------------------------------------------------- */

static speed summarise(const test *t)
{
    uint32_t n = t->opts->repetitions;
    double tokens = t->n_prompt + t->n_gen;
    speed s = {0};
    double squares = 0;
    for (uint32_t i = 0; i < n; i++) {
        double rate = t->seconds[i] > 0 ? tokens / t->seconds[i] : 0;
        s.mean += rate / n;
        squares += rate * rate;
        s.mean_seconds += t->seconds[i] / n;
    }
    double variance = n > 1 ? (squares - n * s.mean * s.mean) / (n - 1) : 0;
    s.deviation = variance > 0 ? sqrt(variance) : 0;
    return s;
}

static void print_head(uint32_t format)
{
    if (format == BENCH_MD) {
        out_printf("| %-30s | %10s | %10s | %-7s | %7s | %15s | %20s |\n"
                   "| %.30s | %.9s: | %.9s: | %.7s | %.6s: | %.14s: | %.19s: |\n",
                   "model", "size", "params", "backend", "threads", "test", "t/s",
                   "------------------------------", "----------", "----------", "-------",
                   "-------", "---------------", "--------------------");
    } else if (format == BENCH_CSV) {
        out_printf("model,type,size,params,cpu,threads,kv,n_prompt,n_gen,n_depth,seconds,"
                   "tokens_per_second,deviation,load_seconds,peak_rss\n");
    } else {
        out_printf("[");
    }
}

static void print_md(const test *t, const speed *s)
{
    char name[64];
    char what[48];
    char size[32];
    char params[32];
    char result[48];
    const char *base = t->info->name[0] != 0 ? t->info->name : t->info->arch;
    snprintf(name, sizeof name, "%.40s %s", base, t->info->file_type);
    int n =
        snprintf(what, sizeof what, "%s%u", t->n_prompt > 0 ? "pp" : "tg", t->n_prompt + t->n_gen);
    if (t->depth > 0 && n > 0) {
        snprintf(what + n, sizeof what - (size_t)n, " @ d%u", t->depth);
    }
    snprintf(result, sizeof result, "%.2f ± %.2f", s->mean, s->deviation);
    out_printf("| ");
    out_name(name);
    /* "±" is two bytes and one column */
    out_printf("%*s | %10s | %10s | %-7s | %7d | %15s | %21s |\n",
               (int)(strlen(name) < 30 ? 30 - strlen(name) : 0), "",
               format_bytes(t->info->file_bytes, size), format_count(t->info->n_params, params),
               "CPU", (int)t->threads, what, result);
}

static void print_csv(const test *t, const speed *s)
{
    /* a name in CSV: quotes are doubled */
    out_write("\"", 1);
    for (const char *at = t->path; *at != 0; at++) {
        out_write(*at == '"' ? "\"\"" : at, *at == '"' ? 2 : 1);
    }
    out_printf("\",%s,%" PRIu64 ",%" PRIu64 ",%s,%d,%s,%u,%u,%u,%.9g,%.9g,%.9g,%.9g,%" PRIu64 "\n",
               t->info->file_type, t->info->file_bytes, t->info->n_params, t->cpu, (int)t->threads,
               choice_name(kv_choices, t->opts->session.kv), t->n_prompt, t->n_gen, t->depth,
               s->mean_seconds, s->mean, s->deviation, t->load_seconds, peak_rss());
}

static void print_json(const test *t, const speed *s, bool first)
{
    out_printf("%s\n {\"version\":\"%s\",\"model\":", first ? "" : ",", lfm2_version());
    json_string(t->path, strlen(t->path));
    out_printf(",\"type\":\"%s\",\"size\":%" PRIu64 ",\"params\":%" PRIu64
               ",\"cpu\":\"%s\",\"kernels\":\"%s\",\"threads\":%d,\"kv\":\"%s\",\"n_prompt\":%u"
               ",\"n_gen\":%u,\"n_depth\":%u,\"tokens_per_second\":",
               t->info->file_type, t->info->file_bytes, t->info->n_params, t->cpu,
               choice_name(kernel_choices, t->opts->model.kernels), (int)t->threads,
               choice_name(kv_choices, t->opts->session.kv), t->n_prompt, t->n_gen, t->depth);
    json_number(s->mean);
    out_printf(",\"deviation\":");
    json_number(s->deviation);
    out_printf(",\"seconds\":[");
    for (uint32_t i = 0; i < t->opts->repetitions; i++) {
        out_printf("%s", i > 0 ? "," : "");
        json_number(t->seconds[i]);
    }
    out_printf("],\"load_seconds\":");
    json_number(t->load_seconds);
    out_printf(",\"peak_rss\":%" PRIu64 "}", peak_rss());
}

static void print_test(const test *t, bool first)
{
    speed s = summarise(t);
    if (t->opts->format == BENCH_MD) {
        print_md(t, &s);
    } else if (t->opts->format == BENCH_CSV) {
        print_csv(t, &s);
    } else {
        print_json(t, &s, first);
    }
    out_flush();
}

static void print_end(uint32_t format, const loading *loads, uint32_t n)
{
    char rss[32];
    if (format == BENCH_JSON) {
        out_printf("\n]\n");
    }
    for (uint32_t i = 0; i < n && format == BENCH_MD; i++) {
        out_printf("%s%d thread%s: loaded in %.3f s, peak resident memory %s\n", i == 0 ? "\n" : "",
                   (int)loads[i].threads, loads[i].threads == 1 ? "" : "s", loads[i].seconds,
                   format_bytes(loads[i].peak_rss, rss));
    }
}

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
static int32_t measure_once(lfm2_session *session, const int32_t *ids, const test *t,
                            double *seconds)
{
    int32_t status = lfm2_session_reset(session);
    if (status == LFM2_OK && t->depth > 0) {
        status = lfm2_session_prefill(session, ids, t->depth);
    }
    double start = now_seconds();
    if (status == LFM2_OK && t->n_prompt > 0) {
        status = lfm2_session_prefill(session, ids + t->depth, t->n_prompt);
    }
    for (uint32_t i = 0; i < t->n_gen && status == LFM2_OK; i++) {
        status = lfm2_session_decode(session, ids[t->depth + i]);
    }
    *seconds = now_seconds() - start;
    return status;
}

static int measure(lfm2_session *session, const int32_t *ids, test *t)
{
    /* The first run of each kind touches memory that was never used. */
    test warm = {.n_prompt = t->n_prompt < 64 ? t->n_prompt : 64, .n_gen = t->n_gen > 0};
    double unused = 0;
    int32_t status = measure_once(session, ids, &warm, &unused);
    for (uint32_t i = 0; i < t->opts->repetitions && status == LFM2_OK; i++) {
        status = measure_once(session, ids, t, &t->seconds[i]);
    }
    return status == LFM2_OK ? EXIT_OK : fail_library();
}

static uint32_t largest(const opt_u32s *list)
{
    uint32_t max = 0;
    for (uint32_t i = 0; i < list->n; i++) {
        max = list->items[i] > max ? list->items[i] : max;
    }
    return max;
}

/* All tests of one model at one thread count. */
static int run_tests(const bench_opts *opts, lfm2_session *session, const int32_t *ids, test *t,
                     bool *first)
{
    for (uint32_t d = 0; d < opts->depth.n; d++) {
        t->depth = opts->depth.items[d];
        for (uint32_t i = 0; i < opts->n_prompt.n + opts->n_gen.n; i++) {
            bool prompt = i < opts->n_prompt.n;
            t->n_prompt = prompt ? opts->n_prompt.items[i] : 0;
            t->n_gen = prompt ? 0 : opts->n_gen.items[i - opts->n_prompt.n];
            if (t->n_prompt + t->n_gen == 0) {
                continue;
            }
            int code = measure(session, ids, t);
            if (code != EXIT_OK) {
                return code;
            }
            print_test(t, *first);
            *first = false;
            if (out_failed()) {
                return EXIT_FAILED;
            }
        }
    }
    return EXIT_OK;
}

static int bench_threads(const bench_opts *opts, uint32_t threads, bool *first, loading *loaded)
{
    open_model opened = {0};
    lfm2_session *session = NULL;
    lfm2_model_info info = {.size = sizeof info};
    uint32_t longest = largest(&opts->n_prompt);
    longest = longest > largest(&opts->n_gen) ? longest : largest(&opts->n_gen);
    size_t n_ids = (size_t)longest + largest(&opts->depth);
    int32_t *ids = calloc(n_ids, sizeof *ids);
    test *t = calloc(1, sizeof *t);
    model_opts model = opts->model;
    model.threads = threads;
    int code = ids != NULL && t != NULL ? EXIT_OK : fail("cli.memory", "out of memory");
    if (code == EXIT_OK) {
        code = model_open(&model, LFM2_LOAD_FULL, &opened);
    }
    if (code == EXIT_OK) {
        session_opts session_options = opts->session;
        session_options.n_ctx = (uint32_t)n_ids;
        code = session_open(&session_options, opened.model, &session);
    }
    if (code == EXIT_OK && lfm2_model_get_info(opened.model, &info) != LFM2_OK) {
        code = fail_library();
    }
    if (code == EXIT_OK) {
        *t = (test){.opts = opts,
                    .info = &info,
                    .path = opened.path,
                    .threads = lfm2_runtime_threads(opened.runtime),
                    .load_seconds = opened.load_seconds};
        cpu_names(lfm2_runtime_cpu(opened.runtime), t->cpu, sizeof t->cpu);
        fill_ids(ids, n_ids, info.n_vocab);
        interrupt_begin(session);
        code = run_tests(opts, session, ids, t, first);
        interrupt_end();
    }
    if (code == EXIT_OK) {
        loaded->threads = lfm2_runtime_threads(opened.runtime);
        loaded->seconds = opened.load_seconds;
        loaded->peak_rss = peak_rss();
    }
    lfm2_session_free(session);
    model_close(&opened);
    free(t);
    free(ids);
    return code;
}

static int run(const command *self, int argc, char **argv)
{
    bench_opts opts = {
        .n_prompt = {{512}, 1},
        .n_gen = {{64}, 1},
        .depth = {{0}, 1},
        .threads = {{0}, 1},
        .repetitions = 3,
        .m = {{1, 64}, 2},
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
    if (largest(&opts.n_prompt) + largest(&opts.n_gen) == 0) {
        return fail_usage(self->name, "nothing to measure: -p and -n are both 0");
    }
    bool first = true;
    loading loads[OPT_MAX_ITEMS];
    uint32_t n_loads = 0;
    code = EXIT_OK;
    print_head(opts.format);
    while (n_loads < opts.threads.n && code == EXIT_OK) {
        code = bench_threads(&opts, opts.threads.items[n_loads], &first, &loads[n_loads]);
        n_loads += code == EXIT_OK;
    }
    print_end(opts.format, loads, n_loads);
    return code;
}

const command cmd_bench = {
    .name = "bench",
    .summary = "Measure tokens a second, or the micro-kernels.",
    .synopsis = "[-m PATH] [-p LIST] [-n LIST] [-d LIST] [-t LIST] [OPTION]...",
    .details =
        "pp512 is the computation of 512 prompt tokens at once, tg64 that of 64 tokens one by "
        "one, @ d4096 with\n4096 tokens held before (computed anew for each repetition, not "
        "timed). Speed is the mean over the\nrepetitions and its standard deviation. Each thread "
        "count loads the model anew; with several, the peak\nof the resident memory is that of "
        "the process so far.",
    .groups = groups,
    .n_groups = COUNT(groups),
    .run = run,
};
