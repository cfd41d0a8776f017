/* SPDX-License-Identifier: Apache-2.0 */
/* Declares an index from names to numbers. The names are untrusted: building the index takes
 * O(n log n) steps for any names. */
#ifndef LF_COMMON_INDEX_H
#define LF_COMMON_INDEX_H

#include "common/alloc.h"

typedef struct lf_index_entry {
    uint64_t key;     /* hash of the name */
    const char *text; /* the name, not copied; need not be 0-terminated */
    uint32_t len;
    uint32_t id; /* the caller's number */
} lf_index_entry;

/* Entries sorted by (key, len, bytes). README.md says why this is not a hash table. */
typedef struct lf_index {
    lf_index_entry *entries;
    uint32_t count;
} lf_index;

/* Computes entry->key from the text. */
void lf_index_hash(lf_index_entry *entry);

/* Sorts n entries and keeps the order of equal ones; scratch holds n entries. */
void lf_index_sort(lf_index_entry *entries, lf_index_entry *scratch, size_t n);

/* Allocates `count` entries in the arena; the caller sets text, len and id. Errors: MEMORY. */
int32_t lf_index_new(lf_arena *arena, uint32_t count, lf_index *out);

/* Hashes and sorts the entries. *duplicate receives an entry with the name of an earlier one, or
 * NULL. Errors: MEMORY. */
int32_t lf_index_build(const lf_alloc *alloc, lf_index *index, const lf_index_entry **duplicate);

/* The entry with this name, or NULL. */
const lf_index_entry *lf_index_find(const lf_index *index, const char *text, size_t len);

#endif /* LF_COMMON_INDEX_H */
