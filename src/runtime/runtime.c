/* SPDX-License-Identifier: Apache-2.0 */
/* Implements creating and freeing a runtime, and the default number of threads. */
#include "runtime/runtime.h"

#include "runtime/cpus.h"

/* The kernels do not include lfm2.h, but use its values. */
#define SAME(ours, public) _Static_assert((int)(ours) == (int)(public), #ours " is not " #public)
SAME(LF_CPU_AVX2, LFM2_CPU_AVX2);
SAME(LF_CPU_AVXVNNI, LFM2_CPU_AVXVNNI);
SAME(LF_CPU_AVX512, LFM2_CPU_AVX512);
SAME(LF_CPU_AVX512VNNI, LFM2_CPU_AVX512VNNI);
SAME(LF_CPU_AVX512BF16, LFM2_CPU_AVX512BF16);
SAME(LF_CPU_GFNI, LFM2_CPU_GFNI);
SAME(LF_CPU_SSE41, LFM2_CPU_SSE41);
SAME(LF_CPU_AVX, LFM2_CPU_AVX);
SAME(LF_CPU_NEON, LFM2_CPU_NEON);
SAME(LF_CPU_DOTPROD, LFM2_CPU_DOTPROD);
SAME(LF_CPU_I8MM, LFM2_CPU_I8MM);
SAME(LF_KV_F16, LFM2_KV_F16);
SAME(LF_KV_F32, LFM2_KV_F32);
SAME(LF_KV_Q8, LFM2_KV_Q8);
SAME(LF_PICK_AUTO, LFM2_KERNELS_AUTO);
SAME(LF_PICK_SCALAR, LFM2_KERNELS_SCALAR);
SAME(LF_PICK_OWN, LFM2_KERNELS_OWN);
SAME(LF_PICK_XNNPACK, LFM2_KERNELS_XNNPACK);

static uint32_t default_threads(const lf_log *log, const lf_cpu *cpu)
{
    lf_cpu_mask mask;
    lf_cpus cpus;
    lf_cpus_read("", lf_os_affinity(&mask) ? &mask : NULL, cpu->threads_per_core, &cpus);
    uint32_t threads = lf_cpus_threads(&cpus);
    threads = threads < LF_MAX_THREADS ? threads : LF_MAX_THREADS;
    if (cpus.efficiency_cores != 0) {
        lf_log_write(log, LFM2_LOG_INFO, "not using %u efficiency cores: %u threads",
                     cpus.efficiency_cores, threads);
    }
    if (cpus.no_topology) {
        lf_log_write(log, LFM2_LOG_INFO,
                     "/sys does not say which processors share a core: using %u threads for %u "
                     "processors",
                     threads, cpus.allowed);
    }
    if (cpus.no_groups) {
        lf_log_write(log, LFM2_LOG_INFO,
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
    if (status == LFM2_OK) {
        status =
            lf_prefetch_create(&alloc, runtime->sched.n_threads, cpu.prefetch, &runtime->prefetch);
        if (status != LFM2_OK) {
            lf_sched_free(&runtime->sched);
        }
    }
    if (status != LFM2_OK) {
        lf_free(&alloc, runtime, 1, sizeof *runtime);
        return status;
    }
    lf_kernels_init(&runtime->kernels, lf_cpu_without(cpu.features, options->cpu_disable),
                    (lf_pick)options->kernels);
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
    lf_prefetch_free(&alloc, runtime->prefetch);
    lf_free(&alloc, runtime, 1, sizeof *runtime);
}
