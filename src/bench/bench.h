/* SPDX-License-Identifier: Apache-2.0 */
/* The benchmarks of lfm2_tools.h: matrix kernels, and the limits of the machine. */
#ifndef LF_BENCH_BENCH_H
#define LF_BENCH_BENCH_H

#include "lfm2_tools.h"
#include "model/model.h"

/* Contracts: lfm2_kernel_bench and lfm2_machine_bench; the caller has checked `seconds`. */
int32_t lf_kernel_bench(lfm2_runtime *runtime, uint32_t index, uint32_t m, uint32_t n, uint32_t k,
                        uint64_t pool_bytes, double seconds, double *ops, double *bytes);
int32_t lf_machine_bench(lfm2_runtime *runtime, double seconds, lfm2_machine *out);

/* Contract: lfm2_model_read_bench; the model was loaded in full. */
int32_t lf_read_bench(const lfm2_model *model, double seconds, double *bytes_per_second);

#endif /* LF_BENCH_BENCH_H */
