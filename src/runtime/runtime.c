/* SPDX-License-Identifier: Apache-2.0 */
/* Implements creating and freeing a runtime, and the default number of threads. */
#include "runtime/runtime.h"

#include "runtime/cpus.h"

static uint32_t default_threads(const lf_log *log, const lf_cpu *cpu)
{
    lf_cpu_mask mask;
    lf_cpus cpus;
    lf_cpus_read("", lf_os_affinity(&mask) ? &mask : NULL, cpu->threads_per_core, &cpus);
    uint32_t threads = lf_cpus_threads(&cpus);
    threads = threads < LF_MAX_THREADS ? threads : LF_MAX_THREADS;
    if (cpus.no_topology) {
        lf_log_write(log, LFM2_LOG_WARN,
                     "/sys does not say which processors share a core: using %u threads for %u "
                     "processors",
                     threads, cpus.allowed);
    }
    if (cpus.no_groups) {
        lf_log_write(log, LFM2_LOG_WARN,
                     "/proc does not name the control group of this process: a CPU quota may be "
                     "ignored; using %u threads",
                     threads);
    }
    return threads;
}

int32_t lf_runtime_create(const lfm2_runtime_options *options, lfm2_runtime **out)
{
    lf_alloc alloc = lf_alloc_default();
    if (options->alloc != NULL) {
        alloc = (lf_alloc){options->alloc, options->free, options->alloc_user};
    }
    void *p = NULL;
    LF_TRY(lf_new_zero(&alloc, 1, sizeof(lfm2_runtime), "runtime", &p));
    lfm2_runtime *runtime = p;
    atomic_init(&runtime->refs, 1);
    runtime->alloc = alloc;
    runtime->log = (lf_log){options->log, options->log_user, options->log_level};
    const lf_cpu cpu = lf_cpu_detect();
    uint32_t threads = (uint32_t)options->n_threads;
    if (threads == 0 && options->threadpool == NULL) {
        threads = default_threads(&runtime->log, &cpu);
    }
    int32_t status = lf_sched_init(&runtime->sched, &runtime->alloc, threads, options->threadpool);
    if (status != LFM2_OK) {
        lf_free(&alloc, runtime, 1, sizeof *runtime);
        return status;
    }
    lf_kernels_init(&runtime->kernels, lf_cpu_without(cpu.features, options->cpu_disable),
                    (lf_pick)options->kernels);
    runtime->kernels.prefetch = cpu.prefetch;
    *out = runtime;
    return LFM2_OK;
}

lfm2_runtime *lf_runtime_retain(lfm2_runtime *runtime)
{
    atomic_fetch_add(&runtime->refs, 1);
    return runtime;
}

void lf_runtime_release(lfm2_runtime *runtime)
{
    if (runtime == NULL || atomic_fetch_sub(&runtime->refs, 1) != 1) {
        return;
    }
    lf_sched_free(&runtime->sched);
    lf_alloc alloc = runtime->alloc;
    lf_free(&alloc, runtime, 1, sizeof *runtime);
}
