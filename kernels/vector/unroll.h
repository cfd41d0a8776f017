/* SPDX-License-Identifier: Apache-2.0 */
/* Unrolling by rows of a tile. A kernel is one inline function for a constant number of rows;
 * every loop over its rows is written out, so that the rows' accumulators are registers. */
#ifndef LF_KERNELS_VECTOR_UNROLL_H
#define LF_KERNELS_VECTOR_UNROLL_H

#include "kernels/kernels.h"

#define LF_INLINE static inline __attribute__((always_inline))

/* F(i) for each row i < m, m a constant of at most 12. */
#define LF_ROW_IF(m, i, F)                                                                         \
    if ((m) > (i)) {                                                                               \
        F(i)                                                                                       \
    }
#define LF_EACH_ROW(m, F)                                                                          \
    LF_ROW_IF(m, 0, F)                                                                             \
    LF_ROW_IF(m, 1, F)                                                                             \
    LF_ROW_IF(m, 2, F)                                                                             \
    LF_ROW_IF(m, 3, F)                                                                             \
    LF_ROW_IF(m, 4, F)                                                                             \
    LF_ROW_IF(m, 5, F)                                                                             \
    LF_ROW_IF(m, 6, F)                                                                             \
    LF_ROW_IF(m, 7, F)                                                                             \
    LF_ROW_IF(m, 8, F)                                                                             \
    LF_ROW_IF(m, 9, F)                                                                             \
    LF_ROW_IF(m, 10, F)                                                                            \
    LF_ROW_IF(m, 11, F)

/* Defines a lf_gemm_fn `name` from an inline function tile(m, n, k, lhs, panels, c, c_stride,
 * policy) that needs m, at most mr, as a constant: one function tile_<m> for each m. mr is 6, 8
 * or 12. */
#define LF_ROWS_CASE(m, tile)                                                                      \
    case m:                                                                                        \
        tile##_##m(n, k, lhs, panels, c, c_stride, policy);                                        \
        break;
#define LF_ROWS_FN(m, tile)                                                                        \
    static void tile##_##m(size_t n, size_t k, const void *lhs, const void *panels, float *c,      \
                           size_t c_stride, lf_prefetch_policy policy)                             \
    {                                                                                              \
        tile(m, n, k, lhs, panels, c, c_stride, policy);                                           \
    }
#define LF_GEMM_OPEN(name)                                                                         \
    static void name(size_t m, size_t n, size_t k, const void *lhs, const void *panels, float *c,  \
                     size_t c_stride, lf_prefetch_policy policy)                                   \
    {                                                                                              \
        switch (m) {
#define LF_GEMM_CLOSE                                                                              \
    default:                                                                                       \
        break;                                                                                     \
        }                                                                                          \
        }
#define LF_ROWS_FNS_6(tile)                                                                        \
    LF_ROWS_FN(1, tile)                                                                            \
    LF_ROWS_FN(2, tile)                                                                            \
    LF_ROWS_FN(3, tile) LF_ROWS_FN(4, tile) LF_ROWS_FN(5, tile) LF_ROWS_FN(6, tile)
#define LF_ROWS_CASES_6(tile)                                                                      \
    LF_ROWS_CASE(1, tile)                                                                          \
    LF_ROWS_CASE(2, tile)                                                                          \
    LF_ROWS_CASE(3, tile) LF_ROWS_CASE(4, tile) LF_ROWS_CASE(5, tile) LF_ROWS_CASE(6, tile)
#define LF_ROWS_FNS_8(tile)   LF_ROWS_FNS_6(tile) LF_ROWS_FN(7, tile) LF_ROWS_FN(8, tile)
#define LF_ROWS_CASES_8(tile) LF_ROWS_CASES_6(tile) LF_ROWS_CASE(7, tile) LF_ROWS_CASE(8, tile)
#define LF_ROWS_FNS_12(tile)                                                                       \
    LF_ROWS_FNS_8(tile)                                                                            \
    LF_ROWS_FN(9, tile) LF_ROWS_FN(10, tile) LF_ROWS_FN(11, tile) LF_ROWS_FN(12, tile)
#define LF_ROWS_CASES_12(tile)                                                                     \
    LF_ROWS_CASES_8(tile)                                                                          \
    LF_ROWS_CASE(9, tile) LF_ROWS_CASE(10, tile) LF_ROWS_CASE(11, tile) LF_ROWS_CASE(12, tile)
#define LF_GEMM_BY_ROWS_(mr, name, tile)                                                           \
    LF_ROWS_FNS_##mr(tile) LF_GEMM_OPEN(name) LF_ROWS_CASES_##mr(tile) LF_GEMM_CLOSE
#define LF_GEMM_BY_ROWS(mr, name, tile) LF_GEMM_BY_ROWS_(mr, name, tile)

#endif /* LF_KERNELS_VECTOR_UNROLL_H */
