/* SPDX-License-Identifier: Apache-2.0 */
/* Byte-level BPE: the merge table, and the merges inside one pre-token. */
#ifndef LF_TEXT_BPE_H
#define LF_TEXT_BPE_H

#include "common/alloc.h"

/* ---- Merges ---- */

typedef struct lf_merge {
    uint32_t left, right, result; /* ids */
} lf_merge;

typedef struct lf_bpe {
    uint32_t byte_id[256];
    uint32_t n_merges;
    uint32_t *result;  /* [n_merges]: id of the merged token; index = rank */
    uint64_t *keys;    /* [mask + 1]: left << 32 | right; UINT64_MAX = free */
    uint32_t *ranks;   /* [mask + 1]: rank of the key in the same slot */
    uint32_t *by_byte; /* [256 * 256]: rank of a pair of single bytes */
    size_t mask;
    uint64_t seed;
} lf_bpe;

/* Builds the tables in `arena` from bpe->byte_id, which the caller sets first, and the merges in
 * order of rank. *duplicate receives the rank of a merge whose pair an earlier merge also has, or
 * -1. `name` is the file named in messages. Errors: MEMORY, FORMAT. */
int32_t lf_bpe_init(lf_bpe *bpe, lf_arena *arena, const lf_merge *merges, uint32_t n,
                    const char *name, int64_t *duplicate);

/* ---- Encoding ---- */

/* An output buffer: all ids are counted, the first `capacity` are written. */
typedef struct lf_ids {
    int32_t *ids;
    size_t capacity;
    size_t n;
} lf_ids;

static inline void lf_ids_add(lf_ids *ids, uint32_t id)
{
    if (ids->n < ids->capacity) {
        ids->ids[ids->n] = (int32_t)id;
    }
    ids->n++;
}

typedef struct lf_symbol {
    uint32_t id;
    uint32_t rank;       /* of the merge with the next symbol; UINT32_MAX = none, or merged away */
    uint32_t next, prev; /* indices; UINT32_MAX = none */
} lf_symbol;

/* Workspace for pre-tokens of up to `capacity` bytes. */
typedef struct lf_bpe_work {
    lf_symbol *symbols; /* [capacity] */
    uint64_t *heap;     /* [2 * capacity] */
    size_t capacity;
} lf_bpe_work;

enum { LF_PRETOKEN_MAX = INT32_MAX }; /* bytes: positions are 32-bit */

/* Free with lf_bpe_work_free, after failure as well. Errors: MEMORY. */
int32_t lf_bpe_work_init(const lf_alloc *alloc, size_t capacity, lf_bpe_work *out);
void lf_bpe_work_free(const lf_alloc *alloc, lf_bpe_work *work);

/* Splits a pre-token of 1 .. work->capacity bytes into tokens: merges the pair of lowest rank, the
 * leftmost on ties, until no pair has a rank. Costs O(len log len). */
void lf_bpe_encode(const lf_bpe *bpe, const lf_bpe_work *work, const uint8_t *text, size_t len,
                   lf_ids *ids);

#endif /* LF_TEXT_BPE_H */
