/* SPDX-License-Identifier: Apache-2.0 */
/* Implements the index of names: hashing, a stable merge sort, binary search. */
#include "common/index.h"

#include <string.h>

/* FNV-1a. A collision costs a comparison of names, of which there are at most n log n. */
static uint64_t hash_bytes(const char *text, size_t len)
{
    uint64_t h = 0xCBF29CE484222325u;
    for (size_t i = 0; i < len; i++) {
        h = (h ^ (uint8_t)text[i]) * 0x100000001B3u;
    }
    return h;
}

void lf_index_hash(lf_index_entry *entry)
{
    entry->key = hash_bytes(entry->text, entry->len);
}

static int compare(const lf_index_entry *a, const lf_index_entry *b)
{
    if (a->key != b->key) {
        return a->key < b->key ? -1 : 1;
    }
    if (a->len != b->len) {
        return a->len < b->len ? -1 : 1;
    }
    return a->len > 0 ? memcmp(a->text, b->text, a->len) : 0;
}

/* Insertion sort for short sections, which saves half of the merge passes. */
static void sort_section(lf_index_entry *e, size_t n)
{
    for (size_t i = 1; i < n; i++) {
        lf_index_entry moved = e[i];
        size_t j = i;
        while (j > 0 && compare(&moved, &e[j - 1]) < 0) {
            e[j] = e[j - 1];
            j--;
        }
        e[j] = moved;
    }
}

static void merge(const lf_index_entry *a, size_t na, const lf_index_entry *b, size_t nb,
                  lf_index_entry *out)
{
    size_t i = 0;
    size_t j = 0;
    while (i < na && j < nb) {
        *out++ = compare(&b[j], &a[i]) < 0 ? b[j++] : a[i++];
    }
    memcpy(out, a + i, (na - i) * sizeof *a);
    memcpy(out + (na - i), b + j, (nb - j) * sizeof *b);
}

void lf_index_sort(lf_index_entry *entries, lf_index_entry *scratch, size_t n)
{
    enum { SECTION = 16 };
    for (size_t i = 0; i < n; i += SECTION) {
        sort_section(entries + i, n - i < SECTION ? n - i : SECTION);
    }
    lf_index_entry *from = entries;
    lf_index_entry *to = scratch;
    for (size_t width = SECTION; width < n; width *= 2) {
        for (size_t i = 0; i < n; i += 2 * width) {
            size_t na = n - i < width ? n - i : width;
            size_t nb = n - i - na < width ? n - i - na : width;
            merge(from + i, na, from + i + na, nb, to + i);
        }
        lf_index_entry *swap = from;
        from = to;
        to = swap;
    }
    if (from != entries) {
        memcpy(entries, from, n * sizeof *entries);
    }
}

int32_t lf_index_new(lf_arena *arena, uint32_t count, lf_index *out)
{
    void *p = NULL;
    LF_TRY(lf_arena_new(arena, count, sizeof(lf_index_entry), "index of names", &p));
    *out = (lf_index){.entries = p, .count = count};
    return LFM2_OK;
}

int32_t lf_index_build(const lf_alloc *alloc, lf_index *index, const lf_index_entry **duplicate)
{
    lf_index_entry *e = index->entries;
    void *scratch = NULL;
    LF_TRY(lf_new(alloc, index->count, sizeof *e, "index of names", &scratch));
    for (uint32_t i = 0; i < index->count; i++) {
        lf_index_hash(&e[i]);
    }
    lf_index_sort(e, scratch, index->count);
    lf_free(alloc, scratch, index->count, sizeof *e);
    *duplicate = NULL;
    for (uint32_t i = 1; i < index->count && *duplicate == NULL; i++) {
        if (compare(&e[i - 1], &e[i]) == 0) {
            *duplicate = &e[i];
        }
    }
    return LFM2_OK;
}

const lf_index_entry *lf_index_find(const lf_index *index, const char *text, size_t len)
{
    if (len > UINT32_MAX) {
        return NULL;
    }
    lf_index_entry wanted = {.text = text, .len = (uint32_t)len};
    lf_index_hash(&wanted);
    uint32_t low = 0;
    uint32_t high = index->count;
    while (low < high) {
        uint32_t middle = low + (high - low) / 2;
        int c = compare(&index->entries[middle], &wanted);
        if (c == 0) {
            return &index->entries[middle];
        }
        if (c < 0) {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    return NULL;
}
