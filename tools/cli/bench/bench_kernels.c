/* SPDX-License-Identifier: Apache-2.0 */
/* lfm2 bench --micro-kernels: every micro-kernel that this machine can run, and how fast it is. */
#include "cli/bench/bench.h"
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
    } else if (format == BENCH_JSON) {
        out_printf("[");
    }
}

static void print_row(const bench_opts *opts, const lfm2_kernel_info *i, int32_t threads,
                      uint32_t m, double ops, double bytes, bool first)
{
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

/* All row counts of one kernel. *n_rows counts what was printed. */
static int bench_one(const bench_opts *opts, lfm2_runtime *runtime, uint32_t index,
                     const lfm2_kernel_info *info, uint32_t *n_rows)
{
    for (uint32_t i = 0; i < opts->m.n && !out_failed(); i++) {
        double ops = 0;
        double bytes = 0;
        int32_t status =
            lfm2_kernel_bench(runtime, index, opts->m.items[i], opts->n, opts->k,
                              (uint64_t)opts->pool_mib << 20, opts->seconds, &ops, &bytes);
        if (status == LFM2_E_UNSUPPORTED) {
            notice("%s: left out: %s", info->name, lfm2_last_error());
            return EXIT_OK;
        }
        if (status != LFM2_OK) {
            return fail_library();
        }
        print_row(opts, info, lfm2_runtime_threads(runtime), opts->m.items[i], ops, bytes,
                  *n_rows == 0);
        (*n_rows)++;
    }
    return EXIT_OK;
}

int bench_kernels(const bench_opts *opts)
{
    model_opts model = opts->model;
    model.threads = opts->threads.items[0];
    lfm2_runtime *runtime = NULL;
    int code = runtime_open(&model, &runtime);
    if (code != EXIT_OK) {
        return code;
    }
    lfm2_runtime_set_prefetch(runtime, (int32_t)opts->prefetch);
    uint32_t n_rows = 0;
    print_head(opts->format);
    for (uint32_t index = 0; code == EXIT_OK && !out_failed(); index++) {
        lfm2_kernel_info info = {.size = sizeof info};
        if (lfm2_kernel_get(runtime, index, &info) != LFM2_OK) {
            break;
        }
        if (info.available != 0 &&
            (opts->filter == NULL || strstr(info.name, opts->filter) != NULL)) {
            code = bench_one(opts, runtime, index, &info, &n_rows);
        }
    }
    if (opts->format == BENCH_JSON) {
        out_printf("\n]\n");
    } else if (opts->format == BENCH_MD) {
        out_printf("\n%d threads, n %u, k %u, weights from a pool of %u MiB\n",
                   (int)lfm2_runtime_threads(runtime), opts->n, opts->k, opts->pool_mib);
    }
    lfm2_runtime_free(runtime);
    return code;
}
