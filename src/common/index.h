/* SPDX-License-Identifier: Apache-2.0 */
/* Names to numbers for foreign names: built once, n log n whatever the names are. */
#ifndef LF_COMMON_INDEX_H
#define LF_COMMON_INDEX_H

#include "common/alloc.h"

typedef struct lf_index_entry {
    uint64_t key;     /* hash of the name */
    const char *text; /* the name, not copied; need not be 0-terminated */
    uint32_t len;
    uint32_t id; /* the caller's number */
} lf_index_entry;

/* Entries sorted by (key, len, bytes). A sorted array and not a hash table: its worst case does not
 * depend on what a hostile file calls its things. */
typedef struct lf_index {
    lf_index_entry *entries;
    uint32_t count;
} lf_index;

/* Fills entry->key from its text. */
void lf_index_hash(lf_index_entry *entry);

/* Sorts n entries, equal ones in their old order; scratch has room for n. */
void lf_index_sort(lf_index_entry *entries, lf_index_entry *scratch, size_t n);

/* Room for `count` entries in the arena; the caller sets their text, len and id. */
int32_t lf_index_new(lf_arena *arena, uint32_t count, lf_index *out);

/* Hashes and sorts. *duplicate receives an entry whose name an earlier one has too, or NULL. The
 * working memory is given back. Errors: MEMORY. */
int32_t lf_index_build(const lf_alloc *alloc, lf_index *index, const lf_index_entry **duplicate);

/* The entry of a name; NULL if there is none. */
const lf_index_entry *lf_index_find(const lf_index *index, const char *text, size_t len);

#endif /* LF_COMMON_INDEX_H */
