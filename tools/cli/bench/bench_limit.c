/* SPDX-License-Identifier: Apache-2.0 */
/* lfm2 bench: measures the machine, and computes the limit of a test from its rates. */
#include "cli/bench/bench.h"
#include "cli/support/json.h"
#include "cli/support/system.h"

#include <math.h>
#include <stdio.h>

/* Duration of measuring the machine; the weights take half of it. */
#define MACHINE_SECONDS 0.5

uint64_t bench_peak_rss(bench_memory *memory)
{
    uint64_t now = peak_rss();
    memory->peak_rss = now > memory->peak_rss ? now : memory->peak_rss;
    return memory->peak_rss;
}

int bench_machine(lfm2_runtime *runtime, const lfm2_model *model, bench_memory *memory,
                  bench_rates *out)
{
    bench_peak_rss(memory);
    *out = (bench_rates){.machine.size = sizeof out->machine};
    int32_t status = lfm2_machine_bench(runtime, MACHINE_SECONDS, &out->machine);
    peak_rss_restart();
    if (status == LFM2_OK && model != NULL) {
        status = lfm2_model_read_bench(model, MACHINE_SECONDS / 2, &out->weights_bytes);
    }
    return status == LFM2_OK ? EXIT_OK : fail_library();
}

bench_rates bench_better(const bench_rates *a, const bench_rates *b)
{
    bench_rates best = *b;
    best.machine.read_bytes = fmax(a->machine.read_bytes, b->machine.read_bytes);
    best.machine.int8_ops = fmax(a->machine.int8_ops, b->machine.int8_ops);
    best.weights_bytes = fmax(a->weights_bytes, b->weights_bytes);
    return best;
}

/* Bytes of packed weights that a pass of n tokens reads. It reads the experts that n independent
 * choices of k out of E select on average: for one token its own, for many tokens all. */
static double pass_bytes(const lfm2_model_info *info, double n)
{
    double all = (double)info->packed_bytes;
    double unused = all - (double)info->token_bytes;
    if (info->n_expert == 0) {
        return all;
    }
    double left_out = 1.0 - (double)info->n_expert_used / info->n_expert;
    return all - unused * pow(left_out, n - 1);
}

/* Seconds of a pass: the longer one of reading and computing, which overlap at best. */
static double pass_seconds(const bench_test *t, double weights, double kv, double macs)
{
    double reading = weights / t->rates.weights_bytes + kv / t->rates.machine.read_bytes;
    return fmax(reading, 2 * macs / t->rates.machine.int8_ops);
}

void bench_limit(bench_test *t, uint32_t chunk, double kv_token_bytes)
{
    const lfm2_model_info *info = t->info;
    double head_bytes = (double)info->head_bytes;
    double head_macs = (double)info->head_macs;
    double token_macs = (double)info->token_macs;
    t->limit_seconds = 0;
    if (t->rates.weights_bytes <= 0) {
        return; /* the weights are too small to measure */
    }
    for (uint32_t done = 0; done < t->n_prompt;) {
        uint32_t n = t->n_prompt - done < chunk ? t->n_prompt - done : chunk;
        done += n;
        /* Only the last token of the prompt needs the head. */
        bool last = done == t->n_prompt;
        double kv = kv_token_bytes * ((double)t->depth + done);
        t->limit_seconds += pass_seconds(t, pass_bytes(info, n) - (last ? 0 : head_bytes), kv,
                                         n * (token_macs - head_macs) + (last ? head_macs : 0));
    }
    for (uint32_t i = 0; i < t->n_gen; i++) {
        double kv = kv_token_bytes * t->n_seqs * ((double)t->depth + i + 1);
        t->limit_seconds +=
            pass_seconds(t, pass_bytes(info, t->n_seqs), kv, token_macs * t->n_seqs);
    }
}

static void print_machine(const bench_options *opts, const lfm2_machine *m, bool first)
{
    if (opts->format == BENCH_MD) {
        if (first) {
            out_printf("| threads | read GB/s | ISA | int8 GOP/s | ISA |\n"
                       "| ---: | ---: | --- | ---: | --- |\n");
        }
        out_printf("| %d | %.2f | %s | %.0f | %s |\n", (int)m->n_threads, m->read_bytes * 1e-9,
                   m->read_isa, m->int8_ops * 1e-9, m->int8_isa);
    } else if (opts->format == BENCH_CSV) {
        if (first) {
            out_printf("threads,read_bytes_per_second,read_isa,int8_ops_per_second,int8_isa\n");
        }
        out_printf("%d,%.9g,%s,%.9g,%s\n", (int)m->n_threads, m->read_bytes, m->read_isa,
                   m->int8_ops, m->int8_isa);
    } else {
        out_printf("%s{\"threads\":%d,\"read_bytes_per_second\":", bench_before_object(opts, first),
                   (int)m->n_threads);
        json_number(m->read_bytes);
        out_printf(",\"read_isa\":\"%s\",\"int8_ops_per_second\":", m->read_isa);
        json_number(m->int8_ops);
        out_printf(",\"int8_isa\":\"%s\"}%s", m->int8_isa, bench_after_object(opts));
    }
    out_flush();
}

int bench_machine_alone(const bench_options *opts)
{
    int code = EXIT_OK;
    uint32_t n_printed = 0;
    for (uint32_t i = 0; i < opts->threads.n && code == EXIT_OK && !out_failed(); i++) {
        model_options model = opts->model;
        model.threads = opts->threads.items[i];
        lfm2_runtime *runtime = NULL;
        bench_rates rates;
        bench_memory memory = {0};
        code = runtime_open(&model, &runtime);
        if (code == EXIT_OK) {
            code = bench_machine(runtime, NULL, &memory, &rates);
        }
        if (code == EXIT_OK) {
            print_machine(opts, &rates.machine, n_printed++ == 0);
        }
        lfm2_runtime_free(runtime);
    }
    bench_end_array(opts, n_printed);
    return code;
}
