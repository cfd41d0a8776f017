/* SPDX-License-Identifier: Apache-2.0 */
/* lfm2 bench: summarizes tests and prints them as a Markdown table. */
#include "cli/bench/bench.h"
#include "cli/support/number.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

bench_speed bench_summarize(const bench_test *t)
{
    uint32_t n = t->opts->repetitions;
    double tokens = bench_tokens(t);
    const double unknown = (double)NAN;
    bench_speed s = {.limit = unknown,
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

static void print_head(const bench_options *opts)
{
    static const char line[] = "--------------------------------";
    bool limit = !opts->no_roofline;
    out_printf("| %-30s | %10s | %10s | %-7s | %7s | %19s | %20s | %9s |", "model", "size",
               "params", "backend", "threads", "test", "t/s", "ms");
    out_printf(limit ? " limit t/s | %% of limit |\n" : "\n");
    out_printf("| %.30s | %.9s: | %.9s: | %.7s | %.6s: | %.18s: | %.19s: | %.8s: |", line, line,
               line, line, line, line, line, line);
    out_printf(limit ? " --------: | ---------: |\n" : "\n");
}

static void print_md(const bench_test *t, const bench_speed *s)
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
    /* "±" has two bytes and takes one column */
    out_printf("%*s | %10s | %10s | %-7s | %7d | %19s | %21s | %9.1f |",
               (int)(strlen(name) < 30 ? 30 - strlen(name) : 0), "",
               format_bytes(t->info->file_bytes, size), format_count(t->info->n_params, params),
               "CPU", (int)t->threads, what, result, s->step_seconds * 1e3);
    if (!t->opts->no_roofline) {
        out_printf(" %9.1f | %10.0f |", s->limit, s->percent);
    }
    out_printf("\n");
}

void bench_print_test(const bench_test *t, bool first)
{
    bench_speed s = bench_summarize(t);
    if (t->opts->format == BENCH_MD) {
        if (first) {
            print_head(t->opts);
        }
        print_md(t, &s);
    } else {
        bench_print_record(t, &s, first);
    }
    out_flush();
}

void bench_print_end(const bench_options *opts, const bench_loading *loads, uint32_t n,
                     const bench_rates *low, const bench_rates *high)
{
    char rss[32];
    bench_end_array(opts, 1);
    if (opts->format != BENCH_MD || n == 0) {
        return;
    }
    out_printf(
        "\nms: the time to the first token of a prompt, the time of one step of generation\n");
    for (uint32_t i = 0; i < n; i++) {
        out_printf("%d thread%s: loaded in %.3f s (%s), peak resident memory %s\n",
                   (int)loads[i].threads, plural((uint64_t)loads[i].threads), loads[i].seconds,
                   loads[i].from_cache ? "pack cache" : "weights packed",
                   format_bytes(loads[i].peak_rss, rss));
    }
    if (high->machine.n_threads > 0) {
        out_printf("limits, measured between the tests: reading (%s) the weights %.1f to %.1f "
                   "GB/s, new memory "
                   "%.1f to %.1f GB/s;\nint8 operations (%s) %.0f to %.0f GOP/s\n",
                   high->machine.read_isa, low->weights_bytes * 1e-9, high->weights_bytes * 1e-9,
                   low->machine.read_bytes * 1e-9, high->machine.read_bytes * 1e-9,
                   high->machine.int8_isa, low->machine.int8_ops * 1e-9,
                   high->machine.int8_ops * 1e-9);
    }
}
