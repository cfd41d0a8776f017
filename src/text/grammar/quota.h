/* SPDX-License-Identifier: Apache-2.0 */
/* The memory and the steps that a grammar may use, growing arrays and hash tables. */
#ifndef LF_GRAMMAR_QUOTA_H
#define LF_GRAMMAR_QUOTA_H

#include "text/grammar/limits.h"

/* The first failure is kept in `status` until it is cleared; functions then return false. */
typedef struct lf_quota {
    lf_alloc alloc;
    lf_grammar_limits limits;
    size_t used;    /* bytes allocated */
    size_t charged; /* bytes that a front end has beside them */
    uint64_t steps; /* that are left */
    int32_t status;
    bool full; /* the limit of memory was reached */
} lf_quota;

/* Bytes that may still be allocated. */
size_t lf_quota_left(const lf_quota *quota);

/* Takes n steps. Errors: LIMIT "constraint.steps". */
bool lf_quota_step(lf_quota *quota, uint64_t n);

/* Makes room for `need` items. Errors: MEMORY, LIMIT "constraint.memory". */
bool lf_quota_grow(lf_quota *quota, void **items, uint32_t *capacity, size_t need, size_t item);
/* Gives memory back that `n` items do not need, if there is much of it. */
void lf_quota_shrink(lf_quota *quota, void **items, uint32_t *capacity, size_t n, size_t item);
void lf_quota_free(lf_quota *quota, void *items, uint32_t capacity, size_t item);

/* A growing array of numbers. */
typedef struct lf_list {
    uint32_t *items;
    uint32_t n, capacity;
} lf_list;

bool lf_list_push(lf_quota *quota, lf_list *list, uint32_t item);

/* The items from index i on, 0 to n; maybe NULL if there are none. */
static inline uint32_t *lf_list_from(const lf_list *list, uint32_t i)
{
    return i < list->n ? list->items + i : NULL;
}

void lf_list_shrink(lf_quota *quota, lf_list *list);
void lf_list_free(lf_quota *quota, lf_list *list);

/* A hash table of ids. The caller compares the contents of ids with equal hashes. */
typedef struct lf_table {
    uint64_t *slots; /* the hash above id + 1; 0: free */
    uint32_t capacity, n;
} lf_table;

#define LF_NO_ID UINT32_MAX

/* The first id with this hash at or after position *at; LF_NO_ID: none, or no steps are left. Begin
 * with *at = hash. */
uint32_t lf_table_next(lf_quota *quota, const lf_table *table, uint32_t hash, uint32_t *at);
/* Adds an id that the table lacks. */
bool lf_table_add(lf_quota *quota, lf_table *table, uint32_t hash, uint32_t id);
void lf_table_clear(lf_table *table);
/* Clears the table and gives memory back; up to n ids can then be added without memory. */
void lf_table_shrink(lf_quota *quota, lf_table *table, uint32_t n);
void lf_table_free(lf_quota *quota, lf_table *table);

/* Pairs of numbers that were seen, with a third one. Beginning again forgets them. */
typedef struct lf_seen_entry {
    uint64_t pair;
    uint32_t round, most;
} lf_seen_entry;
typedef struct lf_seen {
    lf_seen_entry *entries;
    uint32_t n, capacity, round;
} lf_seen;

void lf_seen_begin(lf_seen *seen);
/* Whether the pair was seen with at least `most`; notes it. After a failure true, and rarely false
 * for a pair that was seen. */
bool lf_seen_add(lf_quota *quota, lf_seen *seen, uint32_t a, uint32_t b, uint32_t most);
void lf_seen_free(lf_quota *quota, lf_seen *seen);

/* Sorts n items of `width` numbers (1 or 2) and removes those that occur twice. Returns how many
 * are left. */
size_t lf_sort_unique(uint32_t *items, size_t n, size_t width);

static inline uint32_t lf_hash_add(uint32_t hash, uint32_t value)
{
    uint64_t x = ((uint64_t)hash << 32 | value) * 0x9E3779B97F4A7C15u;
    x ^= x >> 29;
    x *= 0xD6E8FEB86659FD93u;
    return (uint32_t)(x >> 32);
}

#endif /* LF_GRAMMAR_QUOTA_H */
