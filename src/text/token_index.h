/* SPDX-License-Identifier: Apache-2.0 */
/* A hash table from the bytes of a token to its id. */
#ifndef LF_TEXT_TOKEN_INDEX_H
#define LF_TEXT_TOKEN_INDEX_H

#include "common/alloc.h"

typedef struct lf_token_key {
    const uint8_t *bytes; /* decoded, not in byte-level form; NULL: the id is not in the table */
    uint32_t len;
} lf_token_key;

typedef struct lf_token_slot {
    uint32_t id;  /* + 1; 0 = free */
    uint32_t tag; /* upper half of the hash */
} lf_token_slot;

/* Open addressing with a bounded number of probes (README.md: hash tables). */
typedef struct lf_token_index {
    const lf_token_key *keys; /* [n], index = id; not copied */
    lf_token_slot *slots;     /* [mask + 1] */
    size_t mask;
    uint64_t seed;
    uint32_t longest; /* bytes of the longest key */
} lf_token_index;

/* Indexes keys[0..n-1]; both the array and its bytes must outlive the table. *duplicate receives
 * an id whose bytes a lower id also has, or -1; the table is complete only if it is -1. `name` is
 * the file named in messages. Free with lf_token_index_free, after failure as well. Errors: MEMORY,
 * FORMAT. */
int32_t lf_token_index_init(const lf_alloc *alloc, const lf_token_key *keys, uint32_t n,
                            const char *name, lf_token_index *out, int64_t *duplicate);
void lf_token_index_free(const lf_alloc *alloc, lf_token_index *index);

/* The id of the token with exactly these bytes, -1 if there is none. */
int32_t lf_token_index_find(const lf_token_index *index, const uint8_t *bytes, size_t len);

#endif /* LF_TEXT_TOKEN_INDEX_H */
