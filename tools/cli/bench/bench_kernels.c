/* SPDX-License-Identifier: Apache-2.0 */
/* lfm2 bench --micro-kernels: measures every micro-kernel that this CPU can run. */
#include "cli/bench/bench.h"
#include "cli/support/interrupt.h"
#include "cli/support/json.h"

#include <string.h>

static void print_head(uint32_t format)
{
    if (format == BENCH_MD) {
        out_printf("| kernel | provider | isa | weights | activations | m | GOP/s | GB/s | chosen "
                   "|\n| --- | --- | --- | --- | --- | ---: | ---: | ---: | --- |\n");
    } else if (format == BENCH_CSV) {
        out_printf("kernel,provider,isa,weights,activations,mr,nr,threads,m,n,k,ops,bytes,"
                   "chosen\n");
    }
}

static void print_result(const bench_options *opts, const lfm2_kernel_info *i, int32_t threads,
                         uint32_t m, double ops, double bytes, bool first)
{
    if (first) {
        print_head(opts->format);
    }
    if (opts->format == BENCH_MD) {
        out_printf("| %s | %s | %s | %s | %s | %u | %.1f | %.2f | %s |\n", i->name, i->provider,
                   i->isa, i->weights, i->activations, m, ops * 1e-9, bytes * 1e-9,
                   i->chosen != 0 ? "yes" : "");
    } else if (opts->format == BENCH_CSV) {
        out_printf("%s,%s,%s,%s,%s,%u,%u,%d,%u,%u,%u,%.6g,%.6g,%u\n", i->name, i->provider, i->isa,
                   i->weights, i->activations, i->mr, i->nr, (int)threads, m, opts->n, opts->k, ops,
                   bytes, i->chosen);
    } else {
        out_printf("%s{\"kernel\":\"%s\",\"provider\":\"%s\",\"isa\":\"%s\",\"weights\":\"%s\","
                   "\"activations\":\"%s\",\"mr\":%u,\"nr\":%u,\"threads\":%d,\"m\":%u,\"n\":%u,"
                   "\"k\":%u,\"ops\":",
                   bench_before_object(opts, first), i->name, i->provider, i->isa, i->weights,
                   i->activations, i->mr, i->nr, (int)threads, m, opts->n, opts->k);
        json_number(ops);
        out_printf(",\"bytes\":");
        json_number(bytes);
        out_printf(",\"chosen\":%s}%s", i->chosen != 0 ? "true" : "false",
                   bench_after_object(opts));
    }
    out_flush();
}

/* Measures one kernel with each number of rows, and adds the results to *n_results. */
static int bench_one(const bench_options *opts, lfm2_runtime *runtime, uint32_t index,
                     const lfm2_kernel_info *info, uint32_t *n_results)
{
    for (uint32_t i = 0; i < opts->m.n && !out_failed(); i++) {
        double ops = 0;
        double bytes = 0;
        int32_t status =
            lfm2_kernel_bench(runtime, index, opts->m.items[i], opts->n, opts->k,
                              (uint64_t)opts->pool_mib << 20, opts->seconds, &ops, &bytes);
        if (status == LFM2_E_UNSUPPORTED) {
            notice("%s: skipped: %s", info->name, lfm2_last_error());
            return EXIT_OK;
        }
        if (interrupt_status(status) != LFM2_OK) {
            return interrupt_code(interrupt_status(status));
        }
        print_result(opts, info, lfm2_runtime_threads(runtime), opts->m.items[i], ops, bytes,
                     *n_results == 0);
        (*n_results)++;
    }
    return EXIT_OK;
}

int bench_kernels(const bench_options *opts)
{
    model_options model = opts->model;
    model.threads = opts->threads.items[0];
    lfm2_runtime *runtime = NULL;
    int code = runtime_open(&model, &runtime);
    if (code != EXIT_OK) {
        return code;
    }
    uint32_t n_results = 0;
    interrupt_begin(NULL);
    for (uint32_t index = 0; code == EXIT_OK && !out_failed(); index++) {
        lfm2_kernel_info info = {.size = sizeof info};
        if (lfm2_kernel_get(runtime, index, &info) != LFM2_OK) {
            break;
        }
        if (info.available != 0 &&
            (opts->filter == NULL || strstr(info.name, opts->filter) != NULL)) {
            code = bench_one(opts, runtime, index, &info, &n_results);
        }
    }
    interrupt_end();
    bench_end_array(opts, n_results);
    int n_threads = (int)lfm2_runtime_threads(runtime);
    if (code == EXIT_OK && n_results == 0 && !out_failed()) {
        code =
            fail("cli.kernels", "no micro-kernel was measured: this CPU has none for --filter, --n "
                                "and --k");
    } else if (opts->format == BENCH_MD && n_results > 0) {
        out_printf("\n%d thread%s, n = %u, k = %u, weights from a pool of %u MiB\n", n_threads,
                   plural((uint64_t)n_threads), opts->n, opts->k, opts->pool_mib);
    }
    lfm2_runtime_free(runtime);
    return code;
}
