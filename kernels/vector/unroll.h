/* SPDX-License-Identifier: Apache-2.0 */
/* Owns the unrolling of tiles: a kernel is one inline function of a constant number of rows, and
 * every loop over its rows is written out, so that the rows' accumulators are registers. */
#ifndef LF_KERNELS_X86_UNROLL_H
#define LF_KERNELS_X86_UNROLL_H

#include "kernels/internal.h"

#include <immintrin.h>

#define LF_INLINE static inline __attribute__((always_inline))

/* How a kernel asks for the lines of the stream of panels, in bytes ahead of where it reads: all of
 * them into the first and into the second level cache, and one alone of each stretch of 0.5 KB or
 * more into the second; 0: it does not. */
typedef struct lf_ahead {
    size_t near, far, one;
} lf_ahead;

enum { LF_AHEAD_FAR = 9216, LF_AHEAD_NEAR = 4608, LF_AHEAD_CLOSE = 1152 };
enum { LF_AHEAD_FEW = 4 }; /* rows that read about as fast as memory gives */

/* What that is for m rows. `swift`: so many rows cost so few instructions a line that with
 * LF_PREFETCH_L2 the next lines are under way by themselves, and prefetching them is in their way;
 * one line now and then keeps them coming where a call ends. */
LF_INLINE lf_ahead lf_ahead_of(lf_prefetch_policy policy, size_t m, size_t swift)
{
    lf_ahead ahead = {.near = LF_AHEAD_NEAR, .far = LF_AHEAD_FAR};
    if (policy == LF_PREFETCH_L1) {
        ahead.near = m <= 2 ? LF_AHEAD_CLOSE : LF_AHEAD_NEAR;
        ahead.far = 0;
    } else if (policy == LF_PREFETCH_L2 && m <= LF_AHEAD_FEW) {
        ahead.near = 0;
        ahead.far = m <= swift ? 0 : LF_AHEAD_FAR;
        ahead.one = m <= swift ? LF_AHEAD_FAR : 0;
    }
    return ahead;
}

/* The near lines first: they are the next to be read, and leave their buffers sooner. */
LF_INLINE void lf_prefetch(lf_ahead ahead, const uint8_t *p, size_t bytes)
{
    if (ahead.near != 0) {
        for (size_t line = 0; line < bytes; line += 64) {
            _mm_prefetch((const char *)p + ahead.near + line, _MM_HINT_T0);
        }
    }
    if (ahead.far != 0) {
        for (size_t line = 0; line < bytes; line += 64) {
            _mm_prefetch((const char *)p + ahead.far + line, _MM_HINT_T1);
        }
    }
}

/* The one line of the stretch that begins at p. */
LF_INLINE void lf_prefetch_one(lf_ahead ahead, const uint8_t *p)
{
    if (ahead.one != 0) {
        _mm_prefetch((const char *)p + ahead.one, _MM_HINT_T1);
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

/* A lf_gemm_fn `name` over an inline function run(m, n, k, tile, panels, c, c_stride, policy) that
 * wants m as a constant. */
#define LF_CASE(m, run)                                                                            \
    case m:                                                                                        \
        run##_##m(n, k, tile, panels, c, c_stride, policy);                                        \
        break;
#define LF_TILE(m, run)                                                                            \
    static void run##_##m(size_t n, size_t k, const void *tile, const void *panels, float *c,      \
                          size_t c_stride, lf_prefetch_policy policy)                              \
    {                                                                                              \
        run(m, n, k, tile, panels, c, c_stride, policy);                                           \
    }
#define LF_GEMM_OPEN(name)                                                                         \
    static void name(size_t m, size_t n, size_t k, const void *tile, const void *panels, float *c, \
                     size_t c_stride, lf_prefetch_policy policy)                                   \
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

#endif /* LF_KERNELS_X86_UNROLL_H */
