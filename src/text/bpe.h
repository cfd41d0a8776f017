/* SPDX-License-Identifier: Apache-2.0 */
/* The merges of a byte-level BPE over one piece of text. */
#ifndef LF_TEXT_BPE_H
#define LF_TEXT_BPE_H

#include "load/source.h"

/* ---- Words: byte strings to ids ---- */

typedef struct lf_word {
    const uint8_t *text; /* bytes, not the stored mapped form; not copied */
    uint32_t len;
} lf_word;

typedef struct lf_word_slot {
    uint32_t id;  /* + 1; 0 = free */
    uint32_t tag; /* upper half of the hash */
} lf_word_slot;

/* Open addressing with a bounded number of probes: see README.md on hostile files. */
typedef struct lf_words {
    const lf_word *words; /* [n], index = id; text NULL = no word */
    lf_word_slot *slots;  /* [mask + 1] */
    size_t mask;
    uint64_t seed;
    uint32_t longest; /* bytes of the longest word */
} lf_words;

/* *duplicate: an id whose word a lower id has too, or -1 (then the table is complete). The table is
 * given back with lf_words_free, also after failure. Errors: MEMORY, FORMAT. */
int32_t lf_words_init(const lf_alloc *alloc, const lf_word *words, uint32_t n, const char *name,
                      lf_words *out, int64_t *duplicate);
void lf_words_free(const lf_alloc *alloc, lf_words *words);

/* Id of a word, -1 if there is none. */
int32_t lf_words_find(const lf_words *words, const uint8_t *text, size_t len);

/* ---- Merges ---- */

typedef struct lf_merge {
    uint32_t left, right, result; /* ids */
} lf_merge;

typedef struct lf_bpe {
    uint32_t byte_id[256];
    uint32_t n_merges;
    uint32_t *result;  /* [n_merges]: id a merge makes; index = rank */
    uint64_t *keys;    /* [mask + 1]: left << 32 | right, NO_PAIR = free */
    uint32_t *ranks;   /* [mask + 1] */
    uint32_t *by_byte; /* [256 * 256]: rank of a pair of single bytes */
    size_t mask;
    uint64_t seed;
} lf_bpe;

/* Builds the tables in `arena` from byte_id (set before) and the merges. *duplicate: the rank of a
 * merge whose pair an earlier one has too, or -1. Errors: MEMORY, FORMAT. */
int32_t lf_bpe_init(lf_bpe *bpe, lf_arena *arena, const lf_merge *merges, uint32_t n,
                    const char *name, int64_t *duplicate);

/* ---- Encoding ---- */

/* Ids are counted without end, and written while there is room. */
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
    uint32_t rank; /* of the merge with the next symbol; LF_NO_RANK = none, or this one is gone */
    uint32_t next, prev;
} lf_symbol;

/* Working memory for pieces of up to `capacity` bytes. */
typedef struct lf_bpe_work {
    lf_symbol *symbols; /* [capacity] */
    uint64_t *heap;     /* [2 * capacity] */
    size_t capacity;
} lf_bpe_work;

enum { LF_PIECE_MAX = INT32_MAX }; /* bytes: positions are 32-bit */

int32_t lf_bpe_work_init(const lf_alloc *alloc, size_t capacity, lf_bpe_work *out);
void lf_bpe_work_free(const lf_alloc *alloc, lf_bpe_work *work);

/* Applies the merges to one piece of 1 .. work->capacity bytes: always the pair of lowest rank,
 * the leftmost one on ties. n log n. */
void lf_bpe_encode(const lf_bpe *bpe, const lf_bpe_work *work, const uint8_t *text, size_t len,
                   lf_ids *ids);

#endif /* LF_TEXT_BPE_H */
