/* SPDX-License-Identifier: Apache-2.0 */
/* Declares the scalar matrix kernels for the table. */
#ifndef LF_KERNELS_SCALAR_GEMM_H
#define LF_KERNELS_SCALAR_GEMM_H

#include "kernels/kernels.h"

enum { LF_SCALAR_MR = 8 };

void lf_gemm_q4_scalar(size_t m, size_t n, size_t k, const void *tile, const void *panels, float *c,
                       size_t c_stride, lf_prefetch_policy policy);
void lf_gemm_q8_scalar(size_t m, size_t n, size_t k, const void *tile, const void *panels, float *c,
                       size_t c_stride, lf_prefetch_policy policy);
void lf_gemm_q4k_scalar(size_t m, size_t n, size_t k, const void *tile, const void *panels,
                        float *c, size_t c_stride, lf_prefetch_policy policy);
void lf_gemm_q5k_scalar(size_t m, size_t n, size_t k, const void *tile, const void *panels,
                        float *c, size_t c_stride, lf_prefetch_policy policy);
void lf_gemm_q6k_scalar(size_t m, size_t n, size_t k, const void *tile, const void *panels,
                        float *c, size_t c_stride, lf_prefetch_policy policy);
void lf_gemm_i8g_scalar(size_t m, size_t n, size_t k, const void *tile, const void *panels,
                        float *c, size_t c_stride, lf_prefetch_policy policy);
void lf_gemm_i8gm_scalar(size_t m, size_t n, size_t k, const void *tile, const void *panels,
                         float *c, size_t c_stride, lf_prefetch_policy policy);
void lf_gemm_f32_scalar(size_t m, size_t n, size_t k, const void *tile, const void *panels,
                        float *c, size_t c_stride, lf_prefetch_policy policy);
void lf_gemm_f16_scalar(size_t m, size_t n, size_t k, const void *tile, const void *panels,
                        float *c, size_t c_stride, lf_prefetch_policy policy);
void lf_gemm_bf16_scalar(size_t m, size_t n, size_t k, const void *tile, const void *panels,
                         float *c, size_t c_stride, lf_prefetch_policy policy);

#endif /* LF_KERNELS_SCALAR_GEMM_H */
