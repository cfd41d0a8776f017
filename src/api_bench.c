/* SPDX-License-Identifier: Apache-2.0 */
/* Implements the measuring functions of lfm2_tools.h: checks arguments and calls bench/. */
#include "api.h"

#include "bench/bench.h"

static const char *const providers[] = {"scalar", "lfm2", "xnnpack"}; /* by lf_provider */
static const char *const weight_names[LF_W_COUNT] = {
    [LF_W_F32] = "f32",   [LF_W_F16] = "f16",     [LF_W_BF16] = "bf16",  [LF_W_Q4] = "q4",
    [LF_W_Q8] = "q8",     [LF_W_Q4K] = "q4k",     [LF_W_Q5K] = "q5k",    [LF_W_Q6K] = "q6k",
    [LF_W_I8G] = "i8g",   [LF_W_I8G16] = "i8g16", [LF_W_Q2K] = "q2k",    [LF_W_Q3K] = "q3k",
    [LF_W_IQ3S] = "iq3s", [LF_W_T4] = "t4",       [LF_W_T4G16] = "t4g16"};

int32_t lfm2_kernel_get(const lfm2_runtime *runtime, uint32_t index, lfm2_kernel_info *info)
{
    if (runtime == NULL) {
        return lf_api_null("runtime");
    }
    const lf_gemm *g = lf_gemm_at(index);
    if (g == NULL) {
        return lf_fail(LFM2_E_ARGUMENT, "kernel.index", "index is %u, past the last kernel", index);
    }
    const lf_kernels *kernels = &runtime->kernels;
    enum { USUAL_K = 2048 }; /* a multiple of every block size: the choice for most matrices */
    bool chosen = lf_gemm_pick(kernels, g->weights, g->mins, USUAL_K) == g;
    lfm2_kernel_info i = {.name = g->name,
                          .provider = providers[g->provider],
                          .isa = g->isa,
                          .weights = weight_names[g->weights],
                          .activations = kernels->lhs[g->lhs].name,
                          .mr = g->mr,
                          .nr = g->nr,
                          .available = (g->needs & ~kernels->cpu) == 0,
                          .chosen = chosen};
    return lf_api_write(&i, sizeof i, info, "info");
}

int32_t lfm2_runtime_set_prefetch(lfm2_runtime *runtime, int32_t prefetch)
{
    if (runtime == NULL) {
        return lf_api_null("runtime");
    }
    switch (prefetch) {
    case LFM2_PREFETCH_CPU:
        runtime->kernels.prefetch = lf_cpu_detect().prefetch;
        return LFM2_OK;
    case LFM2_PREFETCH_L2_L1:
        runtime->kernels.prefetch = LF_PREFETCH_L2_L1;
        return LFM2_OK;
    case LFM2_PREFETCH_L1:
        runtime->kernels.prefetch = LF_PREFETCH_L1;
        return LFM2_OK;
    case LFM2_PREFETCH_L2:
        runtime->kernels.prefetch = LF_PREFETCH_L2;
        return LFM2_OK;
    default:
        return lf_fail(LFM2_E_ARGUMENT, "runtime.prefetch", "prefetch is %d; allowed: %d to %d",
                       prefetch, LFM2_PREFETCH_CPU, LFM2_PREFETCH_L2);
    }
}

/* ---- Benchmarks ---- */

static int32_t check_seconds(double seconds, double most)
{
    if (!(seconds >= 0 && seconds <= most)) {
        return lf_fail(LFM2_E_ARGUMENT, "bench.seconds", "seconds is %g; allowed: 0 to %g", seconds,
                       most);
    }
    return LFM2_OK;
}

int32_t lfm2_kernel_bench(lfm2_runtime *runtime, uint32_t index, uint32_t m, uint32_t n, uint32_t k,
                          uint64_t pool_bytes, double seconds, double *ops, double *bytes)
{
    if (runtime == NULL || ops == NULL || bytes == NULL) {
        return lf_api_null(runtime == NULL ? "runtime" : ops == NULL ? "ops" : "bytes");
    }
    LF_TRY(check_seconds(seconds, 3600));
    return lf_kernel_bench(runtime, index, m, n, k, pool_bytes, seconds, ops, bytes);
}

int32_t lfm2_machine_bench(lfm2_runtime *runtime, double seconds, lfm2_machine *out)
{
    if (runtime == NULL || out == NULL) {
        return lf_api_null(runtime == NULL ? "runtime" : "out");
    }
    LF_TRY(check_seconds(seconds, 60));
    /* First: a struct without size must not cost a measurement. */
    LF_TRY(lf_api_check_result(out, "out"));
    lfm2_machine machine;
    LF_TRY(lf_machine_bench(runtime, seconds, &machine));
    return lf_api_write(&machine, sizeof machine, out, "out");
}

int32_t lfm2_model_read_bench(const lfm2_model *model, double seconds, double *bytes_per_second)
{
    if (model == NULL || bytes_per_second == NULL) {
        return lf_api_null(model == NULL ? "model" : "bytes_per_second");
    }
    LF_TRY(check_seconds(seconds, 60));
    LF_TRY(lf_model_need_full(model));
    return lf_read_bench(model, seconds, bytes_per_second);
}

int32_t lfm2_model_bytes_read(const lfm2_model *model, uint64_t *bytes)
{
    if (model == NULL || bytes == NULL) {
        return lf_api_null(model == NULL ? "model" : "bytes");
    }
    *bytes = atomic_load(&model->bytes_read);
    return LFM2_OK;
}
