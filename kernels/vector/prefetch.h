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

/* The distances of a policy, as a kernel adds them to addresses. */
typedef struct lf_distances {
    size_t l1, l2, sparse_l2;
} lf_distances;

LF_INLINE lf_distances lf_prefetch_distances(lf_prefetch_policy policy)
{
    return (lf_distances){policy.l1, policy.l2, policy.sparse_l2};
}

/* The policy of unpacking a panel, which takes a small part of the time of its many tiles. */
static const lf_prefetch_policy lf_prefetch_unpacking = {.l1 = 4608, .l2 = 9216};

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
