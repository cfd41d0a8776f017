/* SPDX-License-Identifier: Apache-2.0 */
/* Implements limits, growing arrays and hash tables. */
#include "text/grammar/quota.h"

#include "common/sort.h"

#include <string.h>

enum { LEAST_CAPACITY = 16 };

/* An array that has this many times the space it needs gives some back. */
enum { SPARE = 4 };

/* Most searches in a hash table need fewer probes; only more of them count as steps. */
enum { FREE_PROBES = 4 };

void lf_grammar_limits_default(lf_grammar_limits *limits)
{
    *limits = (lf_grammar_limits){.compile_steps = 1300 * 1000,
                                  .token_steps = 1300 * 1000,
                                  .memory = (size_t)16 << 20,
                                  .depth = 512,
                                  .stack = 4096};
}

int32_t lf_grammar_json(const lf_grammar_limits *limits, lf_arena *arena, const char *name,
                        const char *text, size_t len, const lf_json **out)
{
    const size_t most = limits->memory / 2 / sizeof(lf_json);
    const uint32_t max_values = most < LF_JSON_MAX_VALUES ? (uint32_t)most : LF_JSON_MAX_VALUES;
    if (len > limits->memory) {
        return lf_fail(LFM2_E_LIMIT, "constraint.memory",
                       "%s: the text has %zu bytes, more than the limit of memory, %zu bytes", name,
                       len, limits->memory);
    }
    int32_t status = lf_json_parse_within(arena, name, LFM2_E_TEXT, max_values, text, len, out);
    if (status == LFM2_E_TEXT && strcmp(lf_fail_code(), "json.too_large") == 0) {
        status = lf_fail(LFM2_E_LIMIT, "constraint.memory",
                         "%s: the text has more than %u values: they take more than half of the "
                         "limit of memory, %zu bytes",
                         name, (unsigned)max_values, limits->memory);
    }
    return status;
}

size_t lf_quota_left(const lf_quota *quota)
{
    size_t taken = quota->used + quota->charged;
    return quota->limits.memory > taken ? quota->limits.memory - taken : 0;
}

bool lf_quota_step(lf_quota *quota, uint64_t n)
{
    if (quota->status != LFM2_OK) {
        return false;
    }
    if (quota->steps < n) {
        quota->steps = 0;
        quota->status = lf_fail(LFM2_E_LIMIT, "constraint.steps",
                                "the constraint is too complex: its limit of steps is reached");
        return false;
    }
    quota->steps -= n;
    return true;
}

bool lf_quota_grow(lf_quota *quota, void **items, uint32_t *capacity, size_t need, size_t item)
{
    if (quota->status != LFM2_OK) {
        return false;
    }
    if (need <= *capacity) {
        return true;
    }
    size_t n = *capacity + (size_t)*capacity / 2;
    n = n < need ? need : n;
    n = *capacity > 0 && n < LEAST_CAPACITY ? LEAST_CAPACITY : n; /* the first size is exact */
    size_t bytes = 0;
    if (n > UINT32_MAX || !lf_mul_size(n, item, &bytes) || bytes > lf_quota_left(quota)) {
        quota->full = true;
        quota->status = lf_fail(LFM2_E_LIMIT, "constraint.memory",
                                "the constraint is too complex: its limit of memory, %zu bytes, "
                                "is reached",
                                quota->limits.memory);
        return false;
    }
    void *grown = NULL;
    quota->status = lf_new(&quota->alloc, n, item, "constraint", &grown);
    if (quota->status != LFM2_OK) {
        return false;
    }
    quota->used += bytes;
    if (*items != NULL) {
        memcpy(grown, *items, *capacity * item);
        lf_quota_free(quota, *items, *capacity, item);
    }
    *items = grown;
    *capacity = (uint32_t)n;
    return true;
}

void lf_quota_shrink(lf_quota *quota, void **items, uint32_t *capacity, size_t n, size_t item)
{
    size_t least = n < LEAST_CAPACITY ? LEAST_CAPACITY : n;
    if (*items == NULL || *capacity / SPARE <= least || least * item > lf_quota_left(quota)) {
        return;
    }
    void *shrunk = NULL;
    lf_failure before;
    lf_fail_save(&before);
    if (lf_new(&quota->alloc, least, item, "constraint", &shrunk) != LFM2_OK) {
        lf_fail_restore(&before); /* the items stay where they are */
        return;
    }
    memcpy(shrunk, *items, n * item);
    lf_quota_free(quota, *items, *capacity, item);
    quota->used += least * item;
    *items = shrunk;
    *capacity = (uint32_t)least;
}

void lf_quota_free(lf_quota *quota, void *items, uint32_t capacity, size_t item)
{
    if (items != NULL) {
        lf_free(&quota->alloc, items, capacity, item);
        quota->used -= capacity * item;
    }
}

bool lf_list_push(lf_quota *quota, lf_list *list, uint32_t item)
{
    if (list->n == list->capacity) {
        void *items = list->items;
        if (!lf_quota_grow(quota, &items, &list->capacity, (size_t)list->n + 1, sizeof item)) {
            return false;
        }
        list->items = items;
    }
    list->items[list->n++] = item;
    return true;
}

void lf_list_shrink(lf_quota *quota, lf_list *list)
{
    void *items = list->items;
    lf_quota_shrink(quota, &items, &list->capacity, list->n, sizeof *list->items);
    list->items = items;
}

void lf_list_free(lf_quota *quota, lf_list *list)
{
    lf_quota_free(quota, list->items, list->capacity, sizeof *list->items);
    *list = (lf_list){0};
}

uint32_t lf_table_next(lf_quota *quota, const lf_table *table, uint32_t hash, uint32_t *at)
{
    if (table->capacity == 0) {
        return LF_NO_ID;
    }
    uint32_t mask = table->capacity - 1;
    for (uint64_t slot; (slot = table->slots[*at & mask]) != 0;) {
        *at += 1;
        if (*at - hash > FREE_PROBES && !lf_quota_step(quota, 1)) {
            return LF_NO_ID;
        }
        if (slot >> 32 == hash) {
            return (uint32_t)slot - 1;
        }
    }
    return LF_NO_ID;
}

static void insert(lf_table *table, uint64_t slot)
{
    uint32_t mask = table->capacity - 1;
    uint32_t at = (uint32_t)(slot >> 32);
    while (table->slots[at & mask] != 0) {
        at++;
    }
    table->slots[at & mask] = slot;
}

static bool enlarge(lf_quota *quota, lf_table *table)
{
    uint32_t n = table->capacity == 0 ? LEAST_CAPACITY : table->capacity * 2;
    lf_table larger = {.n = table->n};
    void *slots = NULL;
    if (!lf_quota_grow(quota, &slots, &larger.capacity, n, sizeof *larger.slots)) {
        return false;
    }
    larger.slots = slots;
    memset(larger.slots, 0, n * sizeof *larger.slots);
    for (uint32_t i = 0; i < table->capacity; i++) {
        if (table->slots[i] != 0) {
            insert(&larger, table->slots[i]);
        }
    }
    lf_table_free(quota, table);
    *table = larger;
    return true;
}

bool lf_table_add(lf_quota *quota, lf_table *table, uint32_t hash, uint32_t id)
{
    if (2 * (uint64_t)table->n >= table->capacity && !enlarge(quota, table)) {
        return false;
    }
    table->n++;
    insert(table, (uint64_t)hash << 32 | (id + 1));
    return true;
}

void lf_table_clear(lf_table *table)
{
    if (table->n > 0) {
        memset(table->slots, 0, table->capacity * sizeof *table->slots);
        table->n = 0;
    }
}

void lf_table_shrink(lf_quota *quota, lf_table *table, uint32_t n)
{
    uint32_t capacity = LEAST_CAPACITY;
    while (capacity < table->capacity && capacity / 2 <= n) {
        capacity *= 2;
    }
    void *slots = table->slots;
    table->n = 0;
    lf_quota_shrink(quota, &slots, &table->capacity, capacity, sizeof *table->slots);
    table->slots = slots;
    if (table->capacity > 0) {
        memset(table->slots, 0, table->capacity * sizeof *table->slots);
    }
}

void lf_table_free(lf_quota *quota, lf_table *table)
{
    lf_quota_free(quota, table->slots, table->capacity, sizeof *table->slots);
    *table = (lf_table){0};
}

/* ---- Pairs that were seen ---- */

void lf_seen_begin(lf_seen *seen)
{
    seen->n = 0;
    if (++seen->round == 0) {
        memset(seen->entries, 0, seen->capacity * sizeof *seen->entries);
        seen->round = 1;
    }
}

bool lf_seen_add(lf_quota *quota, lf_seen *seen, uint32_t a, uint32_t b, uint32_t most)
{
    if (2 * seen->n >= seen->capacity) {
        /* Forgets the pairs of this round: they may be entered again, which only costs time. */
        void *entries = NULL;
        uint32_t capacity = 0, n = seen->capacity == 0 ? 64 : 2 * seen->capacity;
        if (!lf_quota_grow(quota, &entries, &capacity, n, sizeof *seen->entries)) {
            return true;
        }
        memset(entries, 0, n * sizeof *seen->entries);
        uint32_t round = seen->round;
        lf_seen_free(quota, seen);
        *seen = (lf_seen){.entries = entries, .capacity = capacity, .round = round};
    }
    uint64_t pair = (uint64_t)a << 32 | b;
    uint32_t mask = seen->capacity - 1, at = lf_hash_add(a, b);
    lf_seen_entry *entry;
    while ((entry = &seen->entries[at & mask])->round == seen->round && entry->pair != pair) {
        at++;
    }
    if (entry->round == seen->round) {
        bool covered = entry->most >= most;
        entry->most = covered ? entry->most : most;
        return covered;
    }
    *entry = (lf_seen_entry){pair, seen->round, most};
    seen->n++;
    return false;
}

void lf_seen_free(lf_quota *quota, lf_seen *seen)
{
    lf_quota_free(quota, seen->entries, seen->capacity, sizeof *seen->entries);
    *seen = (lf_seen){0};
}

/* ---- Sorting ---- */

static int compare_one(const void *context, const void *first, const void *second)
{
    (void)context;
    uint32_t a = *(const uint32_t *)first, b = *(const uint32_t *)second;
    return (a > b) - (a < b);
}

static int compare_two(const void *context, const void *first, const void *second)
{
    const uint32_t *a = first;
    const uint32_t *b = second;
    return a[0] != b[0] ? compare_one(context, a, b) : compare_one(context, a + 1, b + 1);
}

size_t lf_sort_unique(uint32_t *items, size_t n, size_t width)
{
    lf_sort_order *order = width == 1 ? compare_one : compare_two;
    bool sorted = true;
    for (size_t i = 1; i < n && sorted; i++) {
        sorted = order(NULL, items + (i - 1) * width, items + i * width) < 0;
    }
    if (sorted) {
        return n;
    }
    if (width == 1) {
        lf_sort(items, n, sizeof *items, compare_one, NULL);
    } else {
        lf_sort(items, n, 2 * sizeof *items, compare_two, NULL);
    }
    size_t out = 1;
    for (size_t i = 1; i < n; i++) {
        if (order(NULL, items + (out - 1) * width, items + i * width) != 0) {
            memmove(items + out++ * width, items + i * width, width * sizeof *items);
        }
    }
    return out;
}
