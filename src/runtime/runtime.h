/* SPDX-License-Identifier: Apache-2.0 */
/* The object that models share: threads, allocator, log and kernels. */
#ifndef LF_RUNTIME_RUNTIME_H
#define LF_RUNTIME_RUNTIME_H

#include "common/log.h"
#include "kernels/kernels.h"
#include "runtime/prefetch.h"
#include "runtime/sched.h"

#include <stdatomic.h>

typedef struct lfm2_runtime {
    atomic_uint_fast32_t refs; /* held by the host and by every object that uses the runtime */
    lf_alloc alloc;
    lf_log log;
    lf_sched sched;
    lf_kernels kernels;
    lf_prefetch *prefetch;
} lfm2_runtime;

/* The caller has checked `options`. Errors: MEMORY, THREAD, ARGUMENT (size of the host's thread
 * pool). */
int32_t lf_runtime_create(const lfm2_runtime_options *options, lfm2_runtime **out);

/* Adds a reference. */
lfm2_runtime *lf_runtime_retain(lfm2_runtime *runtime);

/* Drops a reference; the last one frees the runtime. NULL is allowed. */
void lf_runtime_release(lfm2_runtime *runtime);

#endif /* LF_RUNTIME_RUNTIME_H */
