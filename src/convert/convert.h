/* SPDX-License-Identifier: Apache-2.0 */
/* Writes model files: quantized models and synthetic models. */
#ifndef LF_CONVERT_CONVERT_H
#define LF_CONVERT_CONVERT_H

#include "runtime/sched.h"
#include "load/bind.h"

#include "lfm2_tools.h"

/* lfm2_tools.h documents both. The output does not depend on the number of threads. */
int32_t lf_quantize(const lf_alloc *alloc, const lf_log *log, lf_sched *sched, const char *in_path,
                    const char *out_path, const lfm2_convert_options *options);
int32_t lf_synthesize(const lf_alloc *alloc, const lf_log *log, lf_sched *sched, const char *shape,
                      uint64_t seed, const char *out_path, const lfm2_convert_options *options);

#endif /* LF_CONVERT_CONVERT_H */
