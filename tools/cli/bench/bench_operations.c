/* SPDX-License-Identifier: Apache-2.0 */
/* lfm2 bench --operations: measures what a session can do besides computing tokens, and a pass that
 * continues several sessions while it reads a prompt. */
#include "cli/bench/bench.h"
#include "cli/support/interrupt.h"
#include "cli/support/system.h"

#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

enum {
    DEFAULT_DEPTH = 512,
    LEAST_SAVED = 64,              /* lfm2_cache_save saves no shorter session */
    N_DECODING = 8,                /* sessions that continue in a mixed pass */
    N_READ = 64,                   /* tokens of the prompt in it */
    N_MIXED = N_DECODING + N_READ, /* tokens of the pass */
    N_SESSIONS = N_DECODING + 1
};

typedef enum operation_kind {
    FORK,
    REWIND,
    SAVE,
    RESTORE,
    CACHED,      /* in memory */
    CACHED_FILE, /* in a file alone */
    PROMPT,
    MIXED
} operation_kind;

/* A line of the table. */
typedef struct operation {
    operation_kind kind;
    uint32_t n; /* REWIND: tokens that are removed; PROMPT, MIXED: tokens of the pass */
    double seconds[BENCH_MAX_REPETITIONS];
} operation;

typedef struct operations {
    const bench_options *opts;
    open_model opened;
    lfm2_session *base; /* with `depth` tokens; never changed */
    lfm2_batch *batch;
    uint32_t depth;
    int32_t *ids;      /* [depth + N_MIXED] */
    lfm2_cache *cache; /* holds the tokens of base, in memory and in cache_folder */
    char folder[256], path[320], cache_folder[320];
    uint64_t saved_bytes;
    operation lines[10];
    uint32_t n_lines;
} operations;

/* ---- Measuring ---- */

static int32_t time_fork(const operations *o, double *seconds)
{
    lfm2_session *copy = NULL;
    const double begin = now_seconds();
    int32_t status = lfm2_session_fork(o->base, &copy);
    *seconds = now_seconds() - begin;
    lfm2_session_free(copy);
    return status;
}

/* Removes n tokens and computes the next one. */
static int32_t time_rewind(const operations *o, uint32_t n, double *seconds)
{
    lfm2_session *copy = NULL;
    const uint32_t left = o->depth - n;
    int32_t status = lfm2_session_fork(o->base, &copy);
    const double begin = now_seconds();
    status = status == LFM2_OK ? lfm2_session_rewind(copy, left) : status;
    status = status == LFM2_OK ? lfm2_session_decode(copy, o->ids[left]) : status;
    *seconds = now_seconds() - begin;
    lfm2_session_free(copy);
    return status;
}

static int32_t time_save(const operations *o, double *seconds)
{
    const double begin = now_seconds();
    int32_t status = lfm2_session_save(o->base, o->path, LFM2_SAVE_NO_SYNC);
    *seconds = now_seconds() - begin;
    return status;
}

static int32_t time_restore(const operations *o, double *seconds)
{
    lfm2_session *session = NULL;
    lfm2_restore_options options;
    lfm2_restore_options_init(&options, sizeof options);
    options.n_ctx = lfm2_session_capacity(o->base);
    const double begin = now_seconds();
    int32_t status = lfm2_session_restore(o->opened.model, o->path, &options, &session);
    *seconds = now_seconds() - begin;
    lfm2_session_free(session);
    return status;
}

static int32_t open_cache(const operations *o, lfm2_cache **out)
{
    lfm2_cache_options options;
    lfm2_cache_options_init(&options, sizeof options);
    options.ram_bytes = UINT64_MAX;
    options.disk_bytes = UINT64_MAX;
    options.folder = o->cache_folder;
    return lfm2_cache_create(o->opened.model, &options, out);
}

/* Gives an empty session the tokens of base from a cache, and computes the next one. With `file`,
 * the cache is a new one that finds them in its folder. */
static int32_t time_cached(const operations *o, bool file, double *seconds)
{
    lfm2_session *session = NULL;
    lfm2_cache *cache = file ? NULL : o->cache;
    uint32_t n = 0;
    int32_t status = lfm2_session_fork(o->base, &session);
    status = status == LFM2_OK ? lfm2_session_reset(session) : status;
    status = status == LFM2_OK && file ? open_cache(o, &cache) : status;
    const double begin = now_seconds();
    status =
        status == LFM2_OK ? lfm2_cache_start(cache, session, o->ids, o->depth + 1, &n) : status;
    status =
        status == LFM2_OK ? lfm2_session_prefill(session, o->ids + n, o->depth + 1 - n) : status;
    *seconds = now_seconds() - begin;
    lfm2_session_free(session);
    if (file) {
        lfm2_cache_free(cache);
    }
    return status;
}

/* A pass over N_MIXED tokens after `depth` others: all of one session, or, if `mixed`, one of each
 * of N_DECODING sessions and the rest of another one. */
static int32_t time_pass(const operations *o, bool mixed, double *seconds)
{
    lfm2_session *sessions[N_SESSIONS] = {NULL};
    lfm2_batch_item items[N_SESSIONS];
    const uint32_t n = mixed ? N_SESSIONS : 1;
    int32_t status = LFM2_OK;
    for (uint32_t i = 0; i < n && status == LFM2_OK; i++) {
        status = lfm2_session_fork(o->base, &sessions[i]);
        items[i] = (lfm2_batch_item){.size = sizeof items[i],
                                     .session = sessions[i],
                                     .ids = o->ids + o->depth + i,
                                     .n = i + 1 < n ? 1 : N_MIXED - i,
                                     .logits = LFM2_LOGITS_LAST};
    }
    const double begin = now_seconds();
    status = status == LFM2_OK ? lfm2_batch_run(o->batch, items, n) : status;
    *seconds = now_seconds() - begin;
    for (uint32_t i = 0; i < n; i++) {
        lfm2_session_free(sessions[i]);
    }
    return status;
}

static int32_t time_line(const operations *o, const operation *line, double *seconds)
{
    switch (line->kind) {
    case FORK:
        return time_fork(o, seconds);
    case REWIND:
        return time_rewind(o, line->n, seconds);
    case SAVE:
        return time_save(o, seconds);
    case RESTORE:
        return time_restore(o, seconds);
    case CACHED:
    case CACHED_FILE:
        return time_cached(o, line->kind == CACHED_FILE, seconds);
    default:
        return time_pass(o, line->kind == MIXED, seconds);
    }
}

/* Measures all lines in alternation, so that changes of the machine affect all of them. The first
 * round, which touches new memory, does not count. */
static int run_lines(operations *o)
{
    int32_t status = LFM2_OK;
    for (uint32_t r = 0; r <= o->opts->repetitions && status == LFM2_OK; r++) {
        for (uint32_t i = 0; i < o->n_lines && status == LFM2_OK; i++) {
            double *seconds = &o->lines[i].seconds[r > 0 ? r - 1 : 0];
            status = interrupt_status(time_line(o, &o->lines[i], seconds));
        }
    }
    struct stat info;
    if (status == LFM2_OK && stat(o->path, &info) == 0) {
        o->saved_bytes = (uint64_t)info.st_size;
    }
    return interrupt_code(status);
}

/* ---- The table ---- */

static int compare_seconds(const void *a, const void *b)
{
    const double x = *(const double *)a;
    const double y = *(const double *)b;
    return (x > y) - (x < y);
}

static void name_line(const operation *line, char *out, size_t size)
{
    static const char *const names[] = {
        "fork",   "rewind", "save", "restore", "cached prefix + 1 token", "the same from a file",
        "prompt", "mixed"};
    if (line->kind == MIXED) {
        snprintf(out, size, "prompt %d + %d sessions", N_READ, N_DECODING);
    } else if (line->n > 0) {
        snprintf(out, size, "%s %u%s", names[line->kind], line->n,
                 line->kind == REWIND ? " + 1 token" : "");
    } else {
        snprintf(out, size, "%s", names[line->kind]);
    }
}

static void print_head(uint32_t format)
{
    if (format == BENCH_MD) {
        out_printf(
            "| %-24s | %8s | %11s | %11s | %7s |\n"
            "| ------------------------ | -------: | ----------: | ----------: | ------: |\n",
            "operation", "tokens", "median ms", "least ms", "GB/s");
    } else if (format == BENCH_CSV) {
        out_printf("operation,depth,median_seconds,least_seconds,bytes\n");
    }
}

static void print_line(operations *o, uint32_t index)
{
    const bench_options *opts = o->opts;
    operation *line = &o->lines[index];
    const uint32_t n = opts->repetitions;
    const uint64_t bytes = line->kind == SAVE || line->kind == RESTORE ? o->saved_bytes : 0;
    char name[64];
    char rate[32] = "";
    name_line(line, name, sizeof name);
    qsort(line->seconds, n, sizeof line->seconds[0], compare_seconds);
    const double least = line->seconds[0];
    const double median = (line->seconds[(n - 1) / 2] + line->seconds[n / 2]) / 2;
    if (bytes > 0 && median > 0) {
        snprintf(rate, sizeof rate, "%.2f", (double)bytes / median * 1e-9);
    }
    if (opts->format == BENCH_MD) {
        out_printf("| %-24s | %8u | %11.4f | %11.4f | %7s |\n", name, o->depth, median * 1e3,
                   least * 1e3, rate);
    } else if (opts->format == BENCH_CSV) {
        out_printf("%s,%u,%.9g,%.9g,%llu\n", name, o->depth, median, least,
                   (unsigned long long)bytes);
    } else {
        out_printf("%s{\"operation\":\"%s\",\"depth\":%u,\"median_seconds\":%.9g,"
                   "\"least_seconds\":%.9g,\"bytes\":%llu}%s",
                   bench_before_object(opts, index == 0), name, o->depth, median, least,
                   (unsigned long long)bytes, bench_after_object(opts));
    }
}

/* ---- Opening ---- */

static void add_line(operations *o, operation_kind kind, uint32_t n)
{
    operation *line = &o->lines[o->n_lines++];
    line->kind = kind;
    line->n = n;
}

static void add_lines(operations *o)
{
    add_line(o, FORK, 0);
    add_line(o, REWIND, 1);
    if (o->depth > 3) {
        add_line(o, REWIND, o->depth / 2);
        add_line(o, REWIND, o->depth - 1);
    }
    add_line(o, SAVE, 0);
    add_line(o, RESTORE, 0);
    add_line(o, CACHED, 0);
    if (o->depth >= LEAST_SAVED) {
        add_line(o, CACHED_FILE, 0);
    }
    add_line(o, PROMPT, N_MIXED);
    add_line(o, MIXED, N_MIXED);
}

/* Makes a folder for saved sessions, which only its owner may enter. */
static int make_folder(operations *o)
{
    const char *parent = getenv("TMPDIR");
    parent = parent != NULL && parent[0] != 0 ? parent : "/tmp";
    int n = snprintf(o->folder, sizeof o->folder, "%s/lfm2-bench-XXXXXX", parent);
    if (n < 0 || (size_t)n >= sizeof o->folder || mkdtemp(o->folder) == NULL) {
        o->folder[0] = 0;
        return fail("cli.output", "%s: cannot make a folder for the saved session", parent);
    }
    snprintf(o->path, sizeof o->path, "%s/session", o->folder);
    snprintf(o->cache_folder, sizeof o->cache_folder, "%s/cache", o->folder);
    return EXIT_OK;
}

static int fill_cache(operations *o)
{
    int32_t status = open_cache(o, &o->cache);
    status = status == LFM2_OK ? lfm2_cache_insert(o->cache, o->base, 0) : status;
    status = status == LFM2_OK ? lfm2_cache_save(o->cache, o->base) : status;
    return status == LFM2_OK ? EXIT_OK : fail_library();
}

static int open_base(operations *o)
{
    session_options options = o->opts->session;
    lfm2_batch_options batch;
    options.n_ctx = o->depth + N_MIXED;
    int code = session_open(&options, o->opened.model, &o->base);
    if (code == EXIT_OK) {
        interrupt_begin(o->base);
        int32_t status = interrupt_status(lfm2_session_prefill(o->base, o->ids, o->depth));
        interrupt_end();
        code = interrupt_code(status);
    }
    lfm2_batch_options_init(&batch, sizeof batch);
    batch.n_rows = N_MIXED;
    batch.n_ctx = options.n_ctx;
    if (code == EXIT_OK && lfm2_batch_create(o->opened.model, &batch, &o->batch) != LFM2_OK) {
        code = fail_library();
    }
    return code == EXIT_OK ? fill_cache(o) : code;
}

static int open_all(operations *o)
{
    model_options model = o->opts->model;
    lfm2_model_info info = {.size = sizeof info};
    model.threads = o->opts->threads.items[0];
    o->depth = o->opts->depth.items[0] > 0 ? o->opts->depth.items[0] : DEFAULT_DEPTH;
    o->ids = calloc((size_t)o->depth + N_MIXED, sizeof *o->ids);
    if (o->ids == NULL) {
        return fail("cli.memory", "out of memory");
    }
    add_lines(o);
    int code = model_open(&model, LFM2_LOAD_FULL, &o->opened);
    if (code == EXIT_OK && lfm2_model_get_info(o->opened.model, &info) != LFM2_OK) {
        code = fail_library();
    }
    if (code == EXIT_OK) {
        bench_fill_ids(o->ids, (size_t)o->depth + N_MIXED, info.n_vocab);
        code = make_folder(o);
    }
    return code == EXIT_OK ? open_base(o) : code;
}

static void close_all(operations *o)
{
    if (o->cache != NULL) {
        lfm2_cache_set_budget(o->cache, 1, 1); /* deletes the files */
        lfm2_cache_free(o->cache);
    }
    if (o->folder[0] != 0) {
        unlink(o->path);
        rmdir(o->cache_folder);
        rmdir(o->folder);
    }
    lfm2_batch_free(o->batch);
    lfm2_session_free(o->base);
    model_close(&o->opened);
    free(o->ids);
}

int bench_operations(const bench_options *opts)
{
    operations *o = calloc(1, sizeof *o);
    if (o == NULL) {
        return fail("cli.memory", "out of memory");
    }
    o->opts = opts;
    int code = open_all(o);
    if (code == EXIT_OK) {
        interrupt_begin(NULL);
        code = run_lines(o);
        interrupt_end();
    }
    if (code == EXIT_OK) {
        print_head(opts->format);
        for (uint32_t i = 0; i < o->n_lines; i++) {
            print_line(o, i);
        }
        bench_end_array(opts, o->n_lines);
        code = out_failed() ? EXIT_FAILED : EXIT_OK;
    }
    close_all(o);
    free(o);
    return code;
}
