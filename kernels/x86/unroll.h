/* SPDX-License-Identifier: Apache-2.0 */
/* Owns the unrolling of tiles: a kernel is one inline function of a constant number of rows, and
 * every loop over its rows is written out, so that the rows' accumulators are registers. */
#ifndef LF_KERNELS_X86_UNROLL_H
#define LF_KERNELS_X86_UNROLL_H

#include "kernels/internal.h"

#include <immintrin.h>

#define LF_INLINE static inline __attribute__((always_inline))

/* How a kernel fetches the stream of panels: bytes ahead of where it reads. A few rows read as fast
 * as memory gives, many compute. LF_FETCH_TWO: lines go to the second level cache far ahead and
 * from there to the first, which has too few line buffers to cover the latency of memory; the near
 * lines first: they are the next to be read, and leave their buffers sooner. LF_FETCH_NEAR: for
 * CPUs that fetch a stream well by themselves, where requests far ahead are in the way; one or two
 * rows fetch close by, others as many do. */
enum { LF_FETCH_TWO, LF_FETCH_NEAR };
enum { LF_AHEAD_FEW = 4, LF_AHEAD_FAR = 9216, LF_AHEAD = 4608, LF_AHEAD_NEAR = 1152 };

LF_INLINE void lf_prefetch(const int fetch, const size_t m, const uint8_t *p, size_t bytes)
{
    const bool few = m <= LF_AHEAD_FEW;
    const size_t near = m <= 2 && fetch == LF_FETCH_NEAR ? LF_AHEAD_NEAR : LF_AHEAD;
    for (size_t line = 0; line < bytes; line += 64) {
        _mm_prefetch((const char *)p + near + line, _MM_HINT_T0);
    }
    for (size_t line = 0; few && fetch == LF_FETCH_TWO && line < bytes; line += 64) {
        _mm_prefetch((const char *)p + LF_AHEAD_FAR + line, _MM_HINT_T1);
    }
}

/* The value itself, as something the compiler cannot look into: nothing that it is used for can be
 * reordered or left out. */
LF_INLINE __m256i lf_keep(__m256i v)
{
    __asm__("" : "+x"(v));
    return v;
}

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

/* A lf_gemm_fn `name` over an inline function run(fetch, m, n, k, tile, panels, c, c_stride) that
 * wants fetch (LF_FETCH_TWO) and m as constants. */
#define LF_CASE(m, run)                                                                            \
    case m:                                                                                        \
        run##_##m(n, k, tile, panels, c, c_stride);                                                \
        break;
#define LF_TILE_(m, run, fetch, suffix)                                                            \
    static void run##suffix##m(size_t n, size_t k, const void *tile, const void *panels, float *c, \
                               size_t c_stride)                                                    \
    {                                                                                              \
        run(fetch, m, n, k, tile, panels, c, c_stride);                                            \
    }
#define LF_TILE(m, run) LF_TILE_(m, run, LF_FETCH_TWO, _)
#define LF_GEMM_OPEN(name)                                                                         \
    static void name(size_t m, size_t n, size_t k, const void *tile, const void *panels, float *c, \
                     size_t c_stride)                                                              \
    {                                                                                              \
        switch (m) {
#define LF_GEMM_CLOSE                                                                              \
    default:                                                                                       \
        break;                                                                                     \
        }                                                                                          \
        }

/* For up to 4, 6, 8 and 12 rows. */
#define LF_TILES_4(run) LF_TILE(1, run) LF_TILE(2, run) LF_TILE(3, run) LF_TILE(4, run)
#define LF_CASES_4(run) LF_CASE(1, run) LF_CASE(2, run) LF_CASE(3, run) LF_CASE(4, run)
#define LF_TILES_6(run) LF_TILES_4(run) LF_TILE(5, run) LF_TILE(6, run)
#define LF_CASES_6(run) LF_CASES_4(run) LF_CASE(5, run) LF_CASE(6, run)
#define LF_TILES_8(run) LF_TILES_6(run) LF_TILE(7, run) LF_TILE(8, run)
#define LF_CASES_8(run) LF_CASES_6(run) LF_CASE(7, run) LF_CASE(8, run)
#define LF_TILES_12(run)                                                                           \
    LF_TILES_8(run) LF_TILE(9, run) LF_TILE(10, run) LF_TILE(11, run) LF_TILE(12, run)
#define LF_CASES_12(run)                                                                           \
    LF_CASES_8(run) LF_CASE(9, run) LF_CASE(10, run) LF_CASE(11, run) LF_CASE(12, run)
#define LF_GEMM_ROWS_(mr, name, run)                                                               \
    LF_TILES_##mr(run) LF_GEMM_OPEN(name) LF_CASES_##mr(run) LF_GEMM_CLOSE
#define LF_GEMM_ROWS(mr, name, run) LF_GEMM_ROWS_(mr, name, run)

/* NAME_near after NAME: up to LF_AHEAD_FEW rows fetch by LF_FETCH_NEAR. */
#define LF_NEAR_TILE(m, run) LF_TILE_(m, run, LF_FETCH_NEAR, _near_)
#define LF_NEAR_CASE(m, run)                                                                       \
    case m:                                                                                        \
        run##_near_##m(n, k, tile, panels, c, c_stride);                                           \
        break;
_Static_assert(LF_AHEAD_FEW == 4, "as written in LF_GEMM_NEAR");
#define LF_GEMM_NEAR(name, run)                                                                    \
    LF_NEAR_TILE(1, run)                                                                           \
    LF_NEAR_TILE(2, run)                                                                           \
    LF_NEAR_TILE(3, run)                                                                           \
    LF_NEAR_TILE(4, run)                                                                           \
    static void name##_near(size_t m, size_t n, size_t k, const void *tile, const void *panels,    \
                            float *c, size_t c_stride)                                             \
    {                                                                                              \
        switch (m) {                                                                               \
            LF_NEAR_CASE(1, run)                                                                   \
            LF_NEAR_CASE(2, run)                                                                   \
            LF_NEAR_CASE(3, run)                                                                   \
            LF_NEAR_CASE(4, run)                                                                   \
        default:                                                                                   \
            name(m, n, k, tile, panels, c, c_stride);                                              \
            break;                                                                                 \
        }                                                                                          \
    }

#endif /* LF_KERNELS_X86_UNROLL_H */
