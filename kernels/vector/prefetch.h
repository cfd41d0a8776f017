/* SPDX-License-Identifier: Apache-2.0 */
/* Prefetch of the stream of panels: the instructions, and the distances of a policy. */
#ifndef LF_KERNELS_VECTOR_PREFETCH_H
#define LF_KERNELS_VECTOR_PREFETCH_H

#include "kernels/vector/unroll.h"

/* Loads the line of p, which need not be readable, into the first or the second level cache. */
LF_INLINE void lf_prefetch_l1(const void *p)
{
    __builtin_prefetch(p, 0, 3);
}

LF_INLINE void lf_prefetch_l2(const void *p)
{
    __builtin_prefetch(p, 0, 2);
}

/* Distances in bytes from where a kernel reads; 0: no prefetch. */
typedef struct lf_distances {
    size_t l1, l2;    /* of every line, into the first and the second level cache */
    size_t sparse_l2; /* of one line of each stretch of 0.5 KB or more, into the second */
} lf_distances;

enum { LF_L2_DISTANCE = 9216, LF_L1_DISTANCE = 4608, LF_L1_DISTANCE_SHORT = 1152 };
enum { LF_MEMORY_BOUND_ROWS = 4 }; /* with up to this many rows, memory limits the speed */

/* The distances for m rows. With LF_PREFETCH_L2 and up to `sparse_rows` rows, a line takes so few
 * instructions that out-of-order execution requests the next lines early enough: prefetching every
 * line would cost time. One line of each stretch keeps requests in flight across the end of a call.
 */
LF_INLINE lf_distances lf_prefetch_distances(lf_prefetch_policy policy, size_t m,
                                             size_t sparse_rows)
{
    lf_distances d = {.l1 = LF_L1_DISTANCE, .l2 = LF_L2_DISTANCE};
    if (policy == LF_PREFETCH_L1) {
        d.l1 = m <= 2 ? LF_L1_DISTANCE_SHORT : LF_L1_DISTANCE;
        d.l2 = 0;
    } else if (policy == LF_PREFETCH_L2 && m <= LF_MEMORY_BOUND_ROWS) {
        d.l1 = 0;
        d.l2 = m <= sparse_rows ? 0 : LF_L2_DISTANCE;
        d.sparse_l2 = m <= sparse_rows ? LF_L2_DISTANCE : 0;
    }
    return d;
}

/* Prefetches for `bytes` bytes from p on. The lines for the first level cache come first: they
 * are read next and free their line buffers sooner. */
LF_INLINE void lf_prefetch_panel(lf_distances d, const uint8_t *p, size_t bytes)
{
    if (d.l1 != 0) {
        for (size_t line = 0; line < bytes; line += 64) {
            lf_prefetch_l1(p + d.l1 + line);
        }
    }
    if (d.l2 != 0) {
        for (size_t line = 0; line < bytes; line += 64) {
            lf_prefetch_l2(p + d.l2 + line);
        }
    }
}

/* Prefetches one line for the stretch that begins at p. */
LF_INLINE void lf_prefetch_sparse(lf_distances d, const uint8_t *p)
{
    if (d.sparse_l2 != 0) {
        lf_prefetch_l2(p + d.sparse_l2);
    }
}

#endif /* LF_KERNELS_VECTOR_PREFETCH_H */
