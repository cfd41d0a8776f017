/* SPDX-License-Identifier: Apache-2.0 */
/* Defines scalar entries of the table of matrix kernels. */
#ifndef LF_KERNELS_SCALAR_ENTRY_H
#define LF_KERNELS_SCALAR_ENTRY_H

#include "kernels/lhs_layout.h"
#include "kernels/panel_layout.h"
#include "kernels/tables.h"

enum { LF_SCALAR_MR = 8 };

/* Defines a lf_gemm_fn <tag>_gemm that calls the file's gemm(..., panel_bytes, m, n, k, tile,
 * panels, c, c_stride), and its entry. `size` and `packer` stand for lf_panel_bytes_<size> and
 * lf_pack_<packer>. */
#define LF_SCALAR_ENTRY(in, in_format, tag, format, has_mins, multiple, from_raw, size, packer,    \
                        ...)                                                                       \
    static void tag##_gemm(size_t m, size_t n, size_t k, const void *tile, const void *panels,     \
                           float *c, size_t c_stride, lf_prefetch_policy policy)                   \
    {                                                                                              \
        (void)policy;                                                                              \
        gemm(__VA_ARGS__, lf_panel_bytes_##size(k), m, n, k, tile, panels, c, c_stride);           \
    }                                                                                              \
    const lf_gemm lf_gemm_##tag##_scalar = {.name = #in "_f32_" #tag "_gemm_8x16__scalar",         \
                                            .isa = "scalar",                                       \
                                            .provider = LF_PROVIDER_SCALAR,                        \
                                            .weights = format,                                     \
                                            .lhs = in_format,                                      \
                                            .mins = has_mins,                                      \
                                            .mr = LF_SCALAR_MR,                                    \
                                            .nr = LF_NR,                                           \
                                            .k_multiple = multiple,                                \
                                            .exact = true,                                         \
                                            .panel_bytes = lf_panel_bytes_##size,                  \
                                            .pack = lf_pack_##packer,                              \
                                            .raw_blocks = from_raw,                                \
                                            .fn = tag##_gemm};

#endif /* LF_KERNELS_SCALAR_ENTRY_H */
