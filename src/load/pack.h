/* SPDX-License-Identifier: Apache-2.0 */
/* Packing of weights into panels, the layout that the matrix kernels read. */
#ifndef LF_LOAD_PACK_H
#define LF_LOAD_PACK_H

#include "runtime/sched.h"
#include "kernels/kernels.h"
#include "load/source.h"

/* A packed matrix for each of n_experts experts (1 for a dense matrix). Immutable after packing. */
typedef struct lf_packed {
    const lf_gemm *gemm;
    uint32_t n, k; /* outputs, inputs; a pair holds n columns of each of its two matrices */
    uint32_t n_experts;
    bool pair; /* panels alternate: first matrix, second matrix */
    /* Panels hold the blocks of the file: nr rows, one after another, missing ones zero. They are
     * unpacked to panels of `gemm` before each product. */
    bool blocks;
    lf_type types[2];  /* in the file; of a single matrix both are the same */
    uint32_t n_panels; /* of an expert */
    size_t panel_bytes, expert_bytes, bytes;
    const uint8_t *panels;
    uint8_t *owned; /* the panels' memory; NULL if they are in a mapped cache */
} lf_packed;

/* Chooses the kernel and computes the sizes. `second` has the shape of `first` and is packed in
 * alternation with it; NULL for a single matrix. Allocates nothing. Error: MEMORY (a size
 * overflows). */
int32_t lf_pack_plan(const lf_kernels *kernels, const lf_tensor *first, const lf_tensor *second,
                     lf_packed *out);

/* Allocates and fills the panels; pages of the source are dropped once they are packed. Data that
 * is not in place is read into a buffer of about 32 MiB, on the calling thread and outside of
 * turns. `source` owns the files. Errors: MEMORY, IO, STATE (lf_sched_begin), STOPPED; lf_pack_free
 * also frees what an error leaves. */
int32_t lf_pack_fill(const lf_alloc *alloc, lf_sched *sched, const lf_source *source,
                     const lf_tensor *first, const lf_tensor *second, lf_packed *packed);
/* `packed` has blocks: writes panel number `panel` of an expert, whose blocks are at `from`, as a
 * panel of packed->gemm. */
void lf_unpack_blocks(const lf_packed *packed, uint32_t panel, const uint8_t *from, uint8_t *to);

void lf_pack_free(const lf_alloc *alloc, lf_packed *packed);

#endif /* LF_LOAD_PACK_H */
