/* SPDX-License-Identifier: Apache-2.0 */
/* Implements the measuring functions of lfm2_tools.h: checks arguments and calls bench/. */
#include "api.h"

#include "bench/bench.h"
#include "common/utf8.h"

#include <string.h>

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

/* ---- Prefetch ---- */

const char *lfm2_prefetch_name(uint32_t index)
{
    return index < LF_PREFETCH_POLICIES ? lf_prefetch_table[index].name : NULL;
}

int32_t lfm2_runtime_set_prefetch(lfm2_runtime *runtime, const char *name)
{
    if (runtime == NULL) {
        return lf_api_null("runtime");
    }
    uint32_t policy = LF_PREFETCH_POLICIES;
    if (name != NULL && strcmp(name, "auto") != 0) {
        policy = 0;
        while (policy < LF_PREFETCH_POLICIES && strcmp(lf_prefetch_table[policy].name, name) != 0) {
            policy++;
        }
        if (policy == LF_PREFETCH_POLICIES) {
            lf_shown shown;
            return lf_fail(LFM2_E_ARGUMENT, "runtime.prefetch",
                           "there is no prefetch policy '%s'; lfm2_prefetch_name lists the names",
                           lf_show(&shown, name, strlen(name)));
        }
    }
    lf_prefetch_force(runtime->prefetch, policy);
    return LFM2_OK;
}

static float cost_of(const lf_prefetch_choice *choice, uint32_t policy)
{
    return atomic_load_explicit(&choice->cost[policy], memory_order_acquire);
}

static bool any_measured(const lf_prefetch_choice *choice)
{
    uint32_t policy = 0;
    while (policy < LF_PREFETCH_POLICIES && cost_of(choice, policy) == 0) {
        policy++;
    }
    return policy < LF_PREFETCH_POLICIES;
}

/* Fills `out` if the policy was measured for this format and row class, or if it is in use and none
 * was measured. */
static bool describe(const lf_prefetch *prefetch, uint32_t format, uint32_t row_class,
                     uint32_t policy, lfm2_prefetch_info *out)
{
    static const char *const kv_names[LF_KV_COUNT] = {
        [LF_KV_F16] = "kv-f16", [LF_KV_F32] = "kv-f32", [LF_KV_Q8] = "kv-q8"};
    static const uint32_t rows[LF_ROW_CLASSES][2] = {{1, 1}, {2, 2}, {3, 4}, {5, 16}, {17, 0}};
    const lf_prefetch_choice *choice = &prefetch->choices[format][row_class];
    bool chosen = lf_prefetch_policy_index(prefetch, format, row_class) == policy;
    float cost = cost_of(choice, policy);
    bool measured = cost != 0;
    if (!measured && (!chosen || any_measured(choice))) {
        return false;
    }
    *out = (lfm2_prefetch_info){
        .format =
            format < LF_PREFETCH_KV ? weight_names[format] : kv_names[format - LF_PREFETCH_KV],
        .policy = lf_prefetch_table[policy].name,
        .least_rows = rows[row_class][0],
        .most_rows = rows[row_class][1],
        .chosen = chosen,
        .rounds = measured ? atomic_load_explicit(&choice->rounds, memory_order_relaxed) : 0,
        .comparisons = atomic_load_explicit(&choice->comparisons, memory_order_relaxed),
        .bytes_per_second = measured ? 1e9 / (double)cost : 0,
        .relative_time =
            (double)atomic_load_explicit(&choice->relative[policy], memory_order_relaxed)};
    return true;
}

int32_t lfm2_prefetch_get(const lfm2_runtime *runtime, uint32_t index, lfm2_prefetch_info *info)
{
    if (runtime == NULL) {
        return lf_api_null("runtime");
    }
    enum { ALL = LF_PREFETCH_FORMATS * LF_ROW_CLASSES * LF_PREFETCH_POLICIES };
    uint32_t left = index;
    for (uint32_t i = 0; i < ALL; i++) {
        lfm2_prefetch_info out;
        uint32_t choice = i / LF_PREFETCH_POLICIES;
        if (describe(runtime->prefetch, choice / LF_ROW_CLASSES, choice % LF_ROW_CLASSES,
                     i % LF_PREFETCH_POLICIES, &out) &&
            left-- == 0) {
            return lf_api_write(&out, sizeof out, info, "info");
        }
    }
    return lf_fail(LFM2_E_ARGUMENT, "prefetch.index", "index is %u, past the last entry", index);
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
