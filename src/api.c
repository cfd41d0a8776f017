/* SPDX-License-Identifier: Apache-2.0 */
/* Implements the versions, failures and runtimes of lfm2.h, and the checks that all api*.c share:
 * arguments, and structs of other versions. */
#include "api.h"

#include <string.h>

/* ---- Version and status ---- */

_Static_assert(LFM2_VERSION_NUMBER ==
                   LFM2_VERSION_MAJOR * 1000000 + LFM2_VERSION_MINOR * 1000 + LFM2_VERSION_PATCH,
               "the two forms of the version are the same");

const char *lfm2_version(void)
{
    return LFM2_VERSION_STRING;
}

uint32_t lfm2_version_number(void)
{
    return LFM2_VERSION_NUMBER;
}

const char *lfm2_status_name(int32_t status)
{
    static const char *const names[] = {[LFM2_OK] = "LFM2_OK",
                                        [LFM2_E_ARGUMENT] = "LFM2_E_ARGUMENT",
                                        [LFM2_E_MEMORY] = "LFM2_E_MEMORY",
                                        [LFM2_E_IO] = "LFM2_E_IO",
                                        [LFM2_E_FORMAT] = "LFM2_E_FORMAT",
                                        [LFM2_E_UNSUPPORTED] = "LFM2_E_UNSUPPORTED",
                                        [LFM2_E_THREAD] = "LFM2_E_THREAD",
                                        [LFM2_E_LIMIT] = "LFM2_E_LIMIT",
                                        [LFM2_E_BUFFER] = "LFM2_E_BUFFER",
                                        [LFM2_E_STOPPED] = "LFM2_E_STOPPED",
                                        [LFM2_E_CANCELLED] = "LFM2_E_CANCELLED",
                                        [LFM2_E_TEXT] = "LFM2_E_TEXT",
                                        [LFM2_E_STATE] = "LFM2_E_STATE",
                                        [LFM2_E_INTERNAL] = "LFM2_E_INTERNAL"};
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

void lf_api_init(void *options, size_t size, const void *defaults, size_t defaults_size)
{
    if (options == NULL || size < sizeof size) {
        return;
    }
    memset(options, 0, size);
    memcpy(options, defaults, size < defaults_size ? size : defaults_size);
    memcpy(options, &size, sizeof size);
}

int32_t lf_api_read(const char *what, const void *given, size_t least, void *options, size_t size)
{
    if (given == NULL) {
        return LFM2_OK;
    }
    size_t given_size = 0;
    memcpy(&given_size, given, sizeof given_size);
    if (given_size < least || given_size > LF_API_MAX_STRUCT) {
        return lf_fail(LFM2_E_ARGUMENT, "argument.size",
                       "%s: size is %zu; allowed: %zu to %d (set it with the _init function)", what,
                       given_size, least, LF_API_MAX_STRUCT);
    }
    for (size_t i = size; i < given_size; i++) {
        if (((const unsigned char *)given)[i] != 0) {
            return lf_fail(LFM2_E_ARGUMENT, "argument.unknown_field",
                           "%s: byte %zu is not 0; in lfm2 " LFM2_VERSION_STRING
                           " the struct has %zu bytes",
                           what, i, size);
        }
    }
    memcpy(options, given, given_size < size ? given_size : size);
    memcpy(options, &size, sizeof size);
    return LFM2_OK;
}

int32_t lf_api_check_result(const void *out, const char *what)
{
    if (out == NULL) {
        return lf_api_null(what);
    }
    size_t size = 0;
    memcpy(&size, out, sizeof size);
    if (size < sizeof size || size > LF_API_MAX_STRUCT) {
        return lf_fail(LFM2_E_ARGUMENT, "argument.size",
                       "%s: size is %zu; set it to the sizeof of the struct", what, size);
    }
    return LFM2_OK;
}

int32_t lf_api_write(const void *value, size_t size, void *out, const char *what)
{
    LF_TRY(lf_api_check_result(out, what));
    size_t given_size = 0;
    memcpy(&given_size, out, sizeof given_size);
    memcpy(out, value, given_size < size ? given_size : size);
    if (given_size > size) {
        memset((unsigned char *)out + size, 0, given_size - size);
    }
    memcpy(out, &given_size, sizeof given_size);
    return LFM2_OK;
}

int32_t lf_api_flags(uint32_t flags, uint32_t known, const char *what)
{
    if ((flags & ~known) != 0) {
        return lf_fail(LFM2_E_ARGUMENT, "argument.flags", "%s is 0x%x; allowed bits: 0x%x", what,
                       flags, known);
    }
    return LFM2_OK;
}

int32_t lf_api_ids(const int32_t *ids, size_t n, int32_t *out, size_t capacity, size_t *n_out)
{
    size_t written = n < capacity ? n : capacity;
    if (written > 0) {
        memcpy(out, ids, written * sizeof *ids);
    }
    *n_out = n;
    if (n > capacity) {
        return lf_fail(LFM2_E_BUFFER, "text.capacity", "%zu ids are needed, capacity is %zu", n,
                       capacity);
    }
    return LFM2_OK;
}

/* ---- Runtime ---- */

/* All instruction sets of lfm2.h. */
enum {
    CPU_BITS = LFM2_CPU_AVX2 | LFM2_CPU_AVXVNNI | LFM2_CPU_AVX512 | LFM2_CPU_AVX512VNNI |
               LFM2_CPU_AVX512BF16 | LFM2_CPU_GFNI | LFM2_CPU_SSE41 | LFM2_CPU_AVX | LFM2_CPU_NEON |
               LFM2_CPU_DOTPROD | LFM2_CPU_I8MM
};

static const lfm2_runtime_options runtime_defaults = {.size = sizeof runtime_defaults,
                                                      .log_level = LFM2_LOG_WARN};

void lfm2_runtime_options_init(lfm2_runtime_options *options, size_t size)
{
    lf_api_init(options, size, &runtime_defaults, sizeof runtime_defaults);
}

static int32_t check_runtime(const lfm2_runtime_options *o)
{
    if (o->cpu_disable != LFM2_CPU_ALL) {
        LF_TRY(lf_api_flags(o->cpu_disable, CPU_BITS, "cpu_disable"));
    }
    if (o->log_level < LFM2_LOG_ERROR || o->log_level > LFM2_LOG_DEBUG) {
        return lf_fail(LFM2_E_ARGUMENT, "runtime.log_level", "log_level is %d; allowed: %d to %d",
                       o->log_level, LFM2_LOG_ERROR, LFM2_LOG_DEBUG);
    }
    if (o->n_threads < 0 || o->n_threads > LF_MAX_THREADS) {
        return lf_fail(LFM2_E_ARGUMENT, "runtime.n_threads", "n_threads is %d; allowed: 0 to %d",
                       o->n_threads, LF_MAX_THREADS);
    }
    if ((o->alloc == NULL) != (o->free == NULL)) {
        return lf_fail(LFM2_E_ARGUMENT, "runtime.alloc", "%s is NULL; set both or neither",
                       o->alloc == NULL ? "alloc" : "free");
    }
    if (o->kernels < LFM2_KERNELS_AUTO || o->kernels > LFM2_KERNELS_XNNPACK) {
        return lf_fail(LFM2_E_ARGUMENT, "runtime.kernels", "kernels is %d; allowed: %d to %d",
                       o->kernels, LFM2_KERNELS_AUTO, LFM2_KERNELS_XNNPACK);
    }
    return LFM2_OK;
}

int32_t lfm2_runtime_create(const lfm2_runtime_options *options, lfm2_runtime **out)
{
    if (out == NULL) {
        return lf_api_null("out");
    }
    lfm2_runtime_options o = runtime_defaults;
    LF_TRY(lf_api_read("options", options, LF_API_FIRST(lfm2_runtime_options, threadpool), &o,
                       sizeof o));
    LF_TRY(check_runtime(&o));
    return lf_runtime_create(&o, out);
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
    return runtime == NULL ? 0 : runtime->kernels.cpu & CPU_BITS;
}
