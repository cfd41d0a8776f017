/* SPDX-License-Identifier: Apache-2.0 */
/* lfm2 bench: the table of a model's tests as Markdown, CSV or JSON. */
#include "bench.h"
#include "json.h"

#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

/* What is measured over the repetitions. */
typedef struct speed {
    double mean, deviation; /* tokens a second */
    double mean_seconds;
    double step_seconds; /* until the first token is known (prompts), of one step (generation) */
    double limit;        /* tokens a second; NAN: not known */
    double percent;      /* of the limit */
    double read_bytes, weights_bytes, int8_ops; /* a second; NAN: not measured */
} speed;

static speed summarise(const bench_test *t)
{
    uint32_t n = t->opts->repetitions;
    double tokens = bench_tokens(t);
    const double unknown = (double)NAN;
    speed s = {.limit = unknown,
               .percent = unknown,
               .read_bytes = unknown,
               .weights_bytes = unknown,
               .int8_ops = unknown};
    double squares = 0;
    for (uint32_t i = 0; i < n; i++) {
        double rate = t->seconds[i] > 0 ? tokens / t->seconds[i] : 0;
        s.mean += rate / n;
        squares += rate * rate;
        s.mean_seconds += t->seconds[i] / n;
    }
    double variance = n > 1 ? (squares - n * s.mean * s.mean) / (n - 1) : 0;
    s.deviation = variance > 0 ? sqrt(variance) : 0;
    s.step_seconds = s.mean_seconds / (t->n_gen > 0 ? t->n_gen : 1);
    if (t->rates.machine.n_threads > 0) {
        s.read_bytes = t->rates.machine.read_bytes;
        s.weights_bytes = t->rates.weights_bytes;
        s.int8_ops = t->rates.machine.int8_ops;
    }
    if (t->limit_seconds > 0) {
        s.limit = tokens / t->limit_seconds;
        s.percent = 100 * s.mean / s.limit;
    }
    return s;
}

void bench_print_head(const bench_opts *opts)
{
    if (opts->format == BENCH_MD) {
        static const char line[] = "--------------------------------";
        bool limit = !opts->no_roofline;
        out_printf("| %-30s | %10s | %10s | %-7s | %7s | %19s | %20s | %9s |", "model", "size",
                   "params", "backend", "threads", "test", "t/s", "ms");
        out_printf(limit ? " limit t/s | %% of limit |\n" : "\n");
        out_printf("| %.30s | %.9s: | %.9s: | %.7s | %.6s: | %.18s: | %.19s: | %.8s: |", line, line,
                   line, line, line, line, line, line);
        out_printf(limit ? " --------: | ---------: |\n" : "\n");
    } else if (opts->format == BENCH_CSV) {
        out_printf("model,type,size,params,cpu,threads,kv,n_prompt,n_gen,n_depth,seconds,"
                   "tokens_per_second,deviation,load_seconds,peak_rss,n_seqs,ms,"
                   "limit_tokens_per_second,percent_of_limit,read_bytes_per_second,"
                   "weights_bytes_per_second,int8_ops_per_second,from_cache\n");
    } else {
        out_printf("[");
    }
}

static void print_md(const bench_test *t, const speed *s)
{
    char name[64];
    char what[64];
    char size[32];
    char params[32];
    char result[48];
    char depth[24] = "";
    char seqs[24] = "";
    const char *base = t->info->name[0] != 0 ? t->info->name : t->info->arch;
    snprintf(name, sizeof name, "%.40s %s", base, t->info->file_type);
    if (t->depth > 0) {
        snprintf(depth, sizeof depth, " @ d%u", t->depth);
    }
    if (t->n_seqs > 1) {
        snprintf(seqs, sizeof seqs, " x %u", t->n_seqs);
    }
    snprintf(what, sizeof what, "%s%u%s%s", t->n_prompt > 0 ? "pp" : "tg", t->n_prompt + t->n_gen,
             seqs, depth);
    snprintf(result, sizeof result, "%.2f ± %.2f", s->mean, s->deviation);
    out_printf("| ");
    out_name(name);
    /* "±" is two bytes and one column */
    out_printf("%*s | %10s | %10s | %-7s | %7d | %19s | %21s | %9.1f |",
               (int)(strlen(name) < 30 ? 30 - strlen(name) : 0), "",
               format_bytes(t->info->file_bytes, size), format_count(t->info->n_params, params),
               "CPU", (int)t->threads, what, result, s->step_seconds * 1e3);
    if (!t->opts->no_roofline) {
        out_printf(" %9.1f | %10.0f |", s->limit, s->percent);
    }
    out_printf("\n");
}

/* Empty if not known. */
static void csv_number(double value)
{
    out_printf(isfinite(value) ? ",%.9g" : ",", value);
}

static void print_csv(const bench_test *t, const speed *s)
{
    /* a name in CSV: quotes are doubled */
    out_write("\"", 1);
    for (const char *at = t->path; *at != 0; at++) {
        out_write(*at == '"' ? "\"\"" : at, *at == '"' ? 2 : 1);
    }
    out_printf("\",%s,%" PRIu64 ",%" PRIu64 ",%s,%d,%s,%u,%u,%u,%.9g,%.9g,%.9g,%.9g,%" PRIu64
               ",%u,%.9g",
               t->info->file_type, t->info->file_bytes, t->info->n_params, t->cpu, (int)t->threads,
               choice_name(kv_choices, t->opts->session.kv), t->n_prompt, t->n_gen, t->depth,
               s->mean_seconds, s->mean, s->deviation, t->load_seconds, t->peak_rss, t->n_seqs,
               s->step_seconds * 1e3);
    csv_number(s->limit);
    csv_number(s->percent);
    csv_number(s->read_bytes);
    csv_number(s->weights_bytes);
    csv_number(s->int8_ops);
    out_printf(",%u\n", t->info->from_cache);
}

static void json_field(const char *name, double value)
{
    out_printf(",\"%s\":", name);
    json_number(value);
}

static void print_json(const bench_test *t, const speed *s, bool first)
{
    out_printf("%s\n {\"version\":\"%s\",\"model\":", first ? "" : ",", lfm2_version());
    json_string(t->path, strlen(t->path));
    out_printf(",\"type\":\"%s\",\"size\":%" PRIu64 ",\"params\":%" PRIu64
               ",\"cpu\":\"%s\",\"kernels\":\"%s\",\"threads\":%d,\"kv\":\"%s\",\"n_prompt\":%u"
               ",\"n_gen\":%u,\"n_depth\":%u,\"n_seqs\":%u",
               t->info->file_type, t->info->file_bytes, t->info->n_params, t->cpu,
               choice_name(kernel_choices, t->opts->model.kernels), (int)t->threads,
               choice_name(kv_choices, t->opts->session.kv), t->n_prompt, t->n_gen, t->depth,
               t->n_seqs);
    json_field("tokens_per_second", s->mean);
    json_field("deviation", s->deviation);
    out_printf(",\"seconds\":[");
    for (uint32_t i = 0; i < t->opts->repetitions; i++) {
        out_printf("%s", i > 0 ? "," : "");
        json_number(t->seconds[i]);
    }
    out_printf("]");
    json_field("ms", s->step_seconds * 1e3);
    json_field("limit_tokens_per_second", s->limit);
    json_field("percent_of_limit", s->percent);
    json_field("read_bytes_per_second", s->read_bytes);
    json_field("weights_bytes_per_second", s->weights_bytes);
    json_field("int8_ops_per_second", s->int8_ops);
    json_field("load_seconds", t->load_seconds);
    out_printf(",\"from_cache\":%s,\"peak_rss\":%" PRIu64 "}",
               t->info->from_cache != 0 ? "true" : "false", t->peak_rss);
}

void bench_print_test(const bench_test *t, bool first)
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

void bench_print_end(const bench_opts *opts, const bench_loading *loads, uint32_t n,
                     const bench_rates *low, const bench_rates *high)
{
    char rss[32];
    if (opts->format == BENCH_JSON) {
        out_printf("\n]\n");
    }
    if (opts->format != BENCH_MD || n == 0) {
        return;
    }
    out_printf("\nms: of a prompt until the first token is known, of generation one step\n");
    for (uint32_t i = 0; i < n; i++) {
        out_printf("%d thread%s: loaded in %.3f s (%s), peak resident memory %s\n",
                   (int)loads[i].threads, loads[i].threads == 1 ? "" : "s", loads[i].seconds,
                   loads[i].from_cache ? "pack cache" : "weights packed",
                   format_bytes(loads[i].peak_rss, rss));
    }
    if (high->machine.n_threads > 0) {
        out_printf(
            "limit, measured between the tests: reading (%s) these weights %.1f to %.1f GB/s, new "
            "memory %.1f to %.1f GB/s,\nint8 products (%s) %.0f to %.0f GOP/s\n",
            high->machine.read_isa, low->weights_bytes * 1e-9, high->weights_bytes * 1e-9,
            low->machine.read_bytes * 1e-9, high->machine.read_bytes * 1e-9, high->machine.int8_isa,
            low->machine.int8_ops * 1e-9, high->machine.int8_ops * 1e-9);
    }
}
