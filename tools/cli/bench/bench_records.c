/* SPDX-License-Identifier: Apache-2.0 */
/* lfm2 bench: prints a test as JSON, JSONL or CSV. A record starts with all keys of llama-bench, in
 * its order, with its types and units, so that scripts for llama-bench can read it. Keys of lfm2
 * follow. */
#include "cli/bench/bench.h"
#include "cli/support/json.h"
#include "cli/support/number.h"

#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

/* What is printed of a field. */
typedef enum record_mode { RECORD_NAMES, RECORD_CSV, RECORD_JSON } record_mode;

typedef struct record {
    record_mode mode;
    bool more; /* at least one field is printed */
} record;

static void open_field(record *r, const char *name)
{
    out_printf("%s", r->more ? "," : "");
    if (r->mode == RECORD_NAMES) {
        out_printf("%s", name);
    } else if (r->mode == RECORD_JSON) {
        out_printf("\"%s\":", name);
    } else {
        out_write("\"", 1);
    }
    r->more = true;
}

/* In CSV every value is quoted, as in llama-bench; a quote is doubled. */
static void put_text(record *r, const char *name, const char *text)
{
    open_field(r, name);
    if (r->mode == RECORD_JSON) {
        json_string(text, strlen(text));
    } else if (r->mode == RECORD_CSV) {
        for (const char *at = text; *at != 0; at++) {
            out_write(*at == '"' ? "\"\"" : at, *at == '"' ? 2 : 1);
        }
        out_write("\"", 1);
    }
}

static void put_integer(record *r, const char *name, uint64_t value)
{
    open_field(r, name);
    if (r->mode != RECORD_NAMES) {
        out_printf(r->mode == RECORD_CSV ? "%" PRIu64 "\"" : "%" PRIu64, value);
    }
}

/* An unknown value is empty in CSV and null in JSON. */
static void put_real(record *r, const char *name, double value)
{
    open_field(r, name);
    if (r->mode == RECORD_JSON) {
        json_number(value);
    } else if (r->mode == RECORD_CSV) {
        out_printf(isfinite(value) ? "%.9g\"" : "\"", value);
    }
}

static void put_bool(record *r, const char *name, bool value)
{
    open_field(r, name);
    if (r->mode == RECORD_JSON) {
        out_printf(value ? "true" : "false");
    } else if (r->mode == RECORD_CSV) {
        out_printf(value ? "1\"" : "0\"");
    }
}

/* ---- llama-bench's keys --------------------------------------------------------------------- */

/* The name of the CPU in /proc/cpuinfo, or "CPU". */
static void cpu_name(char *out, size_t size)
{
    char line[256];
    FILE *file = fopen("/proc/cpuinfo", "re");
    snprintf(out, size, "CPU");
    while (file != NULL && fgets(line, sizeof line, file) != NULL) {
        const char *value = strchr(line, ':');
        if (strncmp(line, "model name", 10) == 0 && value != NULL) {
            value += strspn(value, ": ");
            snprintf(out, size, "%.*s", (int)strcspn(value, "\n"), value);
            break;
        }
    }
    if (file != NULL) {
        fclose(file);
    }
}

/* The name of a KV type in ggml. */
static const char *ggml_type(uint32_t kv)
{
    return kv == LFM2_KV_F32 ? "f32" : kv == LFM2_KV_Q8 ? "q8_0" : "f16";
}

/* Program, machine and model. */
static void put_setup(record *r, const bench_test *t)
{
    char cpu[128];
    char type[128];
    char params[32];
    const lfm2_model_info *info = t->info;
    cpu_name(cpu, sizeof cpu);
    snprintf(type, sizeof type, "%.40s %s %.40s", info->arch, format_count(info->n_params, params),
             info->file_type);
    put_text(r, "build_commit", lfm2_version());
    put_integer(r, "build_number", LFM2_VERSION_NUMBER);
    put_text(r, "cpu_info", cpu);
    put_text(r, "gpu_info", "");
    put_text(r, "backends", "CPU");
    put_text(r, "model_filename", t->path);
    put_text(r, "model_type", type);
    put_integer(r, "model_size", info->weight_bytes);
    put_integer(r, "model_n_params", info->n_params);
    put_integer(r, "n_batch", t->chunk);
    put_integer(r, "n_ubatch", t->chunk);
    put_integer(r, "n_threads", (uint64_t)t->threads);
}

/* Settings of llama.cpp. One without a counterpart has the value that means "not used". */
static void put_settings(record *r, const bench_test *t)
{
    const char *kv = ggml_type(t->opts->session.kv);
    bool no_mmap = t->opts->model.no_mmap;
    put_text(r, "cpu_mask", "0x0");
    put_bool(r, "cpu_strict", false);
    put_integer(r, "poll", 0);
    put_text(r, "type_k", kv);
    put_text(r, "type_v", kv);
    put_integer(r, "n_gpu_layers", 0);
    put_integer(r, "n_cpu_moe", 0);
    put_text(r, "split_mode", "none");
    put_integer(r, "main_gpu", 0);
    put_bool(r, "no_kv_offload", false);
    put_integer(r, "flash_attn", 0);
    put_text(r, "devices", "none");
    put_text(r, "tensor_split", "0.00");
    put_text(r, "tensor_buft_overrides", "none");
    put_bool(r, "use_mmap", !no_mmap); /* llama-bench's key before load_mode */
    put_text(r, "load_mode", no_mmap ? "none" : "mmap");
    put_bool(r, "embeddings", false);
    put_integer(r, "no_op_offload", 0);
    put_bool(r, "no_host", false);
    put_integer(r, "fit_target", 0);
    put_integer(r, "fit_min_ctx", 0);
}

static uint64_t nanoseconds(double seconds)
{
    return (uint64_t)llround(seconds * 1e9);
}

static double deviation_ns(const bench_test *t, double mean_seconds)
{
    double squares = 0;
    uint32_t n = t->opts->repetitions;
    for (uint32_t i = 0; i < n; i++) {
        squares += (t->seconds[i] - mean_seconds) * (t->seconds[i] - mean_seconds);
    }
    return n > 1 ? sqrt(squares / (n - 1)) : 0;
}

static void put_result(record *r, const bench_test *t, const bench_speed *s)
{
    char stamp[32] = "";
    time_t now = time(NULL);
    struct tm utc;
    if (gmtime_r(&now, &utc) != NULL) {
        strftime(stamp, sizeof stamp, "%Y-%m-%dT%H:%M:%SZ", &utc);
    }
    put_integer(r, "n_prompt", t->n_prompt);
    put_integer(r, "n_gen", t->n_gen);
    put_integer(r, "n_depth", t->depth);
    put_text(r, "test_time", stamp);
    put_integer(r, "avg_ns", nanoseconds(s->mean_seconds));
    put_integer(r, "stddev_ns", nanoseconds(deviation_ns(t, s->mean_seconds)));
    put_real(r, "avg_ts", s->mean);
    put_real(r, "stddev_ts", s->deviation);
}

/* The individual measurements, which CSV does not have. */
static void put_samples(record *r, const bench_test *t)
{
    if (r->mode != RECORD_JSON) {
        return;
    }
    open_field(r, "samples_ns");
    for (uint32_t i = 0; i < t->opts->repetitions; i++) {
        out_printf("%s%" PRIu64, i > 0 ? "," : "[", nanoseconds(t->seconds[i]));
    }
    out_printf("]");
    open_field(r, "samples_ts");
    for (uint32_t i = 0; i < t->opts->repetitions; i++) {
        out_printf(i > 0 ? "," : "[");
        json_number(t->seconds[i] > 0 ? bench_tokens(t) / t->seconds[i] : 0);
    }
    out_printf("]");
}

/* ---- Keys of lfm2 --------------------------------------------------------------------------- */

static void put_seconds(record *r, const bench_test *t, const bench_speed *s)
{
    if (r->mode != RECORD_JSON) {
        put_real(r, "seconds", s->mean_seconds);
        return;
    }
    open_field(r, "seconds");
    for (uint32_t i = 0; i < t->opts->repetitions; i++) {
        out_printf(i > 0 ? "," : "[");
        json_number(t->seconds[i]);
    }
    out_printf("]");
}

static void put_own(record *r, const bench_test *t, const bench_speed *s)
{
    put_text(r, "version", lfm2_version());
    put_text(r, "model", t->path);
    put_text(r, "type", t->info->file_type);
    put_integer(r, "size", t->info->file_bytes);
    put_integer(r, "params", t->info->n_params);
    put_text(r, "cpu", t->cpu);
    put_text(r, "kernels", choice_name(kernel_choices, t->opts->model.kernels));
    put_integer(r, "threads", (uint64_t)t->threads);
    put_text(r, "kv", choice_name(kv_choices, t->opts->session.kv));
    put_integer(r, "n_seqs", t->n_seqs);
    put_real(r, "tokens_per_second", s->mean);
    put_real(r, "deviation", s->deviation);
    put_seconds(r, t, s);
    put_real(r, "ms", s->step_seconds * 1e3);
    put_real(r, "limit_tokens_per_second", s->limit);
    put_real(r, "percent_of_limit", s->percent);
    put_real(r, "read_bytes_per_second", s->read_bytes);
    put_real(r, "weights_bytes_per_second", s->weights_bytes);
    put_real(r, "int8_ops_per_second", s->int8_ops);
    put_real(r, "load_seconds", t->load_seconds);
    put_bool(r, "from_cache", t->info->from_cache != 0);
    put_integer(r, "peak_rss", t->peak_rss);
}

static void put_all(record_mode mode, const bench_test *t, const bench_speed *s)
{
    record r = {.mode = mode};
    put_setup(&r, t);
    put_settings(&r, t);
    put_result(&r, t, s);
    put_samples(&r, t);
    put_own(&r, t, s);
}

void bench_print_record(const bench_test *t, const bench_speed *s, bool first)
{
    if (t->opts->format == BENCH_CSV) {
        if (first) {
            put_all(RECORD_NAMES, t, s);
            out_write("\n", 1);
        }
        put_all(RECORD_CSV, t, s);
        out_write("\n", 1);
        return;
    }
    out_printf("%s{", bench_before_object(t->opts, first));
    put_all(RECORD_JSON, t, s);
    out_printf("}%s", bench_after_object(t->opts));
}
