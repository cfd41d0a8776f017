/* SPDX-License-Identifier: Apache-2.0 */
/* Weights to panels: the form in which the matrix kernels read them. */
#ifndef LF_LOAD_PACK_H
#define LF_LOAD_PACK_H

#include "runtime/sched.h"
#include "kernels/kernels.h"
#include "load/source.h"

/* A packed matrix, or a stack of n_experts of them (experts). Immutable once made. */
typedef struct lf_packed {
    const lf_gemm *gemm;
    uint32_t n, k; /* outputs, inputs; a pair holds n columns of each of its two matrices */
    uint32_t n_experts;
    bool pair;         /* panels alternate: first matrix, second matrix */
    uint32_t n_panels; /* of a expert */
    size_t panel_bytes, expert_bytes, bytes;
    const uint8_t *panels;
    uint8_t *owned; /* panels in memory of our own; NULL when they are in a mapped cache */
} lf_packed;

/* Chooses the kernel and computes sizes for `first` (and `second`, packed in alternation with it;
 * NULL for a single matrix; both of one shape and type, else UNSUPPORTED). Allocates nothing. */
int32_t lf_pack_plan(const lf_kernels *kernels, const lf_tensor *first, const lf_tensor *second,
                     lf_packed *out);

/* Allocates and fills the panels; source pages leave memory as they are consumed. What cannot be
 * read in place is read into a buffer of some 32 MiB, on the calling thread, which has no turn
 * then. `source` owns the files. Errors: MEMORY, IO, STATE (lf_sched_begin), STOPPED; lf_pack_free
 * also frees what an error leaves. */
int32_t lf_pack_fill(const lf_alloc *alloc, lf_sched *sched, const lf_source *source,
                     const lf_tensor *first, const lf_tensor *second, lf_packed *packed);
void lf_pack_free(const lf_alloc *alloc, lf_packed *packed);

#endif /* LF_LOAD_PACK_H */
