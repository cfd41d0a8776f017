/* SPDX-License-Identifier: Apache-2.0 */
/* Owns the border: argument checks, option structs of older callers, runtime life. */
#include "api.h"

#include "common/os.h"

#include <string.h>

/* ---- Status ---- */

const char *lfm2_version(void)
{
    return "0.1.0";
}

const char *lfm2_status_name(int32_t status)
{
    static const char *const names[] = {
        "LFM2_OK",           "LFM2_E_ARGUMENT",  "LFM2_E_MEMORY",    "LFM2_E_IO",
        "LFM2_E_FORMAT",     "LFM2_E_UNSUPPORTED", "LFM2_E_THREAD",  "LFM2_E_LIMIT",
        "LFM2_E_BUFFER",     "LFM2_E_STOPPED",   "LFM2_E_CANCELLED", "LFM2_E_TEXT",
        "LFM2_E_STATE",      "LFM2_E_INTERNAL"};
    if (status < 0 || (size_t)status >= sizeof names / sizeof names[0]) {
        return "LFM2_E_?";
    }
    return names[status];
}

const char *lfm2_last_error(void)
{
    return lf_fail_text();
}

const char *lfm2_last_error_code(void)
{
    return lf_fail_code();
}

/* ---- Checks shared by all calls ---- */

int32_t lf_api_null(const char *what)
{
    return lf_fail(LFM2_E_ARGUMENT, "argument.null", "%s is NULL", what);
}

int32_t lf_api_read(const void *given, size_t least, void *options, size_t size)
{
    if (given == NULL) {
        return LFM2_OK;
    }
    size_t given_size = 0;
    memcpy(&given_size, given, sizeof given_size);
    if (given_size < least) {
        return lf_fail(LFM2_E_ARGUMENT, "argument.size",
                       "options: size is %zu; fill the struct with its _init function",
                       given_size);
    }
    memcpy(options, given, given_size < size ? given_size : size);
    memcpy(options, &size, sizeof size);
    return LFM2_OK;
}

int32_t lf_api_write(const void *value, size_t size, void *out, const char *what)
{
    if (out == NULL) {
        return lf_api_null(what);
    }
    size_t given_size = 0;
    memcpy(&given_size, out, sizeof given_size);
    if (given_size < sizeof given_size) {
        return lf_fail(LFM2_E_ARGUMENT, "argument.size", "%s: size is not set", what);
    }
    memcpy(out, value, given_size < size ? given_size : size);
    memcpy(out, &given_size, sizeof given_size);
    return LFM2_OK;
}

/* ---- Runtime ---- */

void lfm2_runtime_options_init(lfm2_runtime_options *options)
{
    if (options != NULL) {
        *options = (lfm2_runtime_options){.size = sizeof *options, .log_level = LFM2_LOG_WARN};
    }
}

static int32_t check_runtime(const lfm2_runtime_options *o)
{
    if (o->n_threads < 0 || o->n_threads > LF_MAX_THREADS) {
        return lf_fail(LFM2_E_ARGUMENT, "runtime.n_threads", "n_threads is %d; allowed: 0 to %d",
                       o->n_threads, LF_MAX_THREADS);
    }
    if ((o->alloc == NULL) != (o->free == NULL)) {
        return lf_fail(LFM2_E_ARGUMENT, "runtime.alloc", "alloc and free must be given together");
    }
    if (o->kernels < LFM2_KERNELS_AUTO || o->kernels > LFM2_KERNELS_XNNPACK) {
        return lf_fail(LFM2_E_ARGUMENT, "runtime.kernels", "unknown kernels value %d", o->kernels);
    }
    return LFM2_OK;
}

int32_t lfm2_runtime_create(const lfm2_runtime_options *options, lfm2_runtime **out)
{
    if (out == NULL) {
        return lf_api_null("out");
    }
    lfm2_runtime_options o;
    lfm2_runtime_options_init(&o);
    LF_TRY(lf_api_read(options, LF_API_FIRST(lfm2_runtime_options, threadpool), &o, sizeof o));
    LF_TRY(check_runtime(&o));
    lf_alloc alloc = lf_alloc_default();
    if (o.alloc != NULL) {
        alloc = (lf_alloc){o.alloc, o.free, o.alloc_user};
    }
    uint32_t cpu = 0;
    uint32_t cores = 0;
    if (!lf_cpu_detect(&cpu, &cores)) {
        cpu = 0;
        cores = 1;
    }
    void *p = NULL;
    LF_TRY(lf_new_zero(&alloc, 1, sizeof(lfm2_runtime), "runtime", &p));
    lfm2_runtime *runtime = p;
    atomic_init(&runtime->refs, 1);
    runtime->alloc = alloc;
    runtime->log = (lf_log){o.log, o.log_user, o.log_level};
    uint32_t allowed = lf_os_processors();
    cores = allowed > 0 && allowed < cores ? allowed : cores;
    uint32_t threads = o.n_threads > 0 ? (uint32_t)o.n_threads : cores;
    threads = threads < LF_MAX_THREADS ? threads : LF_MAX_THREADS;
    int32_t status = lf_sched_init(&runtime->sched, threads, o.threadpool);
    if (status != LFM2_OK) {
        lf_free(&alloc, runtime, 1, sizeof *runtime);
        return status;
    }
    lf_kernels_init(&runtime->kernels, lf_cpu_without(cpu, o.cpu_disable), (lf_pick)o.kernels);
    *out = runtime;
    return LFM2_OK;
}

void lfm2_runtime_free(lfm2_runtime *runtime)
{
    lf_runtime_release(runtime);
}

int32_t lfm2_runtime_threads(const lfm2_runtime *runtime)
{
    return runtime == NULL ? 0 : (int32_t)runtime->sched.n_threads;
}

uint32_t lfm2_runtime_cpu(const lfm2_runtime *runtime)
{
    return runtime == NULL ? 0 : runtime->kernels.cpu;
}
