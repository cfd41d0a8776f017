/* SPDX-License-Identifier: Apache-2.0 */
/* Implements the merge table and the merges inside a pre-token: a linked list of symbols with a
 * heap of pairs, and plain arrays for short pre-tokens. */
#include "text/bpe.h"
#include "text/hash.h"

#include <string.h>

#define NO_PAIR   UINT64_MAX
#define NO_RANK   UINT32_MAX
#define NO_SYMBOL UINT32_MAX

/* ---- Merge table ---- */

static uint64_t pair_key(uint32_t left, uint32_t right)
{
    return (uint64_t)left << 32 | right;
}

/* The slot of a pair, or the free slot to store it in; SIZE_MAX after too many probes. */
static size_t slot_of(const lf_bpe *bpe, uint64_t key)
{
    size_t at = lf_hash_mix(key ^ bpe->seed) & bpe->mask;
    for (int probe = 0; probe < LF_HASH_PROBES; probe++) {
        if (bpe->keys[at] == key || bpe->keys[at] == NO_PAIR) {
            return at;
        }
        at = (at + 1) & bpe->mask;
    }
    return SIZE_MAX;
}

/* Fills the table; false if a pair would need too many probes. On a duplicate pair the rest of the
 * table stays unfilled. */
static bool fill(lf_bpe *bpe, const lf_merge *merges, int64_t *duplicate)
{
    *duplicate = -1;
    memset(bpe->keys, 0xFF, (bpe->mask + 1) * sizeof *bpe->keys);
    for (uint32_t rank = 0; rank < bpe->n_merges; rank++) {
        uint64_t key = pair_key(merges[rank].left, merges[rank].right);
        size_t at = slot_of(bpe, key);
        if (at == SIZE_MAX) {
            return false;
        }
        if (bpe->keys[at] == key) {
            *duplicate = rank;
            return true;
        }
        bpe->keys[at] = key;
        bpe->ranks[at] = rank;
    }
    return true;
}

static inline uint32_t rank_of(const lf_bpe *bpe, uint32_t left, uint32_t right)
{
    uint64_t key = pair_key(left, right);
    size_t at = lf_hash_mix(key ^ bpe->seed) & bpe->mask;
    while (bpe->keys[at] != NO_PAIR) {
        if (bpe->keys[at] == key) {
            return bpe->ranks[at];
        }
        at = (at + 1) & bpe->mask;
    }
    return NO_RANK;
}

int32_t lf_bpe_init(lf_bpe *bpe, lf_arena *arena, const lf_merge *merges, uint32_t n,
                    const char *name, int64_t *duplicate)
{
    size_t capacity = lf_hash_capacity(n);
    void *p = NULL;
    LF_TRY(lf_arena_new(arena, n, sizeof *bpe->result, "merges", &p));
    bpe->result = p;
    LF_TRY(lf_arena_new_aligned(arena, capacity, sizeof *bpe->keys, "merges", &p));
    bpe->keys = p;
    LF_TRY(lf_arena_new_aligned(arena, capacity, sizeof *bpe->ranks, "merges", &p));
    bpe->ranks = p;
    LF_TRY(lf_arena_new_aligned(arena, 256 * 256, sizeof *bpe->by_byte, "merges", &p));
    bpe->by_byte = p;
    bpe->mask = capacity - 1;
    bpe->n_merges = n;
    for (uint32_t rank = 0; rank < n; rank++) {
        bpe->result[rank] = merges[rank].result;
    }
    bool done = false;
    for (uint64_t seed = 1; seed <= LF_HASH_SEEDS && !done; seed++) {
        bpe->seed = lf_hash_mix(seed);
        done = fill(bpe, merges, duplicate);
    }
    if (!done) {
        return lf_fail(
            LFM2_E_FORMAT, "vocab.hash",
            "%s: too many hash collisions among the merges; the file may be damaged or malicious",
            name);
    }
    for (size_t i = 0; i < 256 * 256; i++) {
        bpe->by_byte[i] = rank_of(bpe, bpe->byte_id[i >> 8], bpe->byte_id[i & 255]);
    }
    return LFM2_OK;
}

/* ---- Workspace ---- */

int32_t lf_bpe_work_init(const lf_alloc *alloc, size_t capacity, lf_bpe_work *out)
{
    *out = (lf_bpe_work){.capacity = capacity};
    void *p = NULL;
    LF_TRY(lf_new(alloc, capacity, sizeof *out->symbols, "tokenizer workspace", &p));
    out->symbols = p;
    LF_TRY(lf_new(alloc, capacity, 2 * sizeof *out->heap, "tokenizer workspace", &p));
    out->heap = p;
    return LFM2_OK;
}

void lf_bpe_work_free(const lf_alloc *alloc, lf_bpe_work *work)
{
    lf_free(alloc, work->symbols, work->capacity, sizeof *work->symbols);
    lf_free(alloc, work->heap, work->capacity, 2 * sizeof *work->heap);
    *work = (lf_bpe_work){0};
}

/* ---- Heap of pairs: rank << 32 | position of the left symbol, smallest first ---- */

/* Children per entry. Four fit into one cache line, and the heap has half the levels of a binary
 * one. */
enum { ARITY = 4 };

static size_t smallest_child(const uint64_t *heap, size_t n, size_t at)
{
    size_t first = ARITY * at + 1;
    size_t end = n - first < ARITY ? n : first + ARITY;
    size_t best = first;
    for (size_t child = first + 1; child < end; child++) {
        best = heap[child] < heap[best] ? child : best;
    }
    return best;
}

static void sift_down(uint64_t *heap, size_t n, size_t at)
{
    uint64_t moved = heap[at];
    while (ARITY * at + 1 < n) {
        size_t child = smallest_child(heap, n, at);
        if (moved <= heap[child]) {
            break;
        }
        heap[at] = heap[child];
        at = child;
    }
    heap[at] = moved;
}

static void push(uint64_t *heap, size_t *n, uint64_t entry)
{
    size_t at = (*n)++;
    while (at > 0 && heap[(at - 1) / ARITY] > entry) {
        heap[at] = heap[(at - 1) / ARITY];
        at = (at - 1) / ARITY;
    }
    heap[at] = entry;
}

static uint64_t pop(uint64_t *heap, size_t *n)
{
    uint64_t top = heap[0];
    heap[0] = heap[--*n];
    sift_down(heap, *n, 0);
    return top;
}

/* ---- Merging ---- */

enum { SHORT_PRETOKEN = 24 }; /* bytes */

/* Looks up the rank of symbol `at` with its successor and pushes the pair. */
static void update_pair(const lf_bpe *bpe, const lf_bpe_work *work, uint32_t at, size_t *n_heap)
{
    lf_symbol *s = &work->symbols[at];
    s->rank = s->next == NO_SYMBOL ? NO_RANK : rank_of(bpe, s->id, work->symbols[s->next].id);
    if (s->rank != NO_RANK) {
        push(work->heap, n_heap, (uint64_t)s->rank << 32 | at);
    }
}

static void merge(const lf_bpe *bpe, const lf_bpe_work *work, uint32_t at, size_t *n_heap)
{
    lf_symbol *left = &work->symbols[at];
    lf_symbol *right = &work->symbols[left->next];
    left->id = bpe->result[left->rank];
    left->next = right->next;
    right->rank = NO_RANK;
    if (left->next != NO_SYMBOL) {
        work->symbols[left->next].prev = at;
    }
    update_pair(bpe, work, at, n_heap);
    if (left->prev != NO_SYMBOL) {
        update_pair(bpe, work, left->prev, n_heap);
    }
}

static void encode_long(const lf_bpe *bpe, const lf_bpe_work *work, const uint8_t *text, size_t len,
                        lf_ids *ids)
{
    lf_symbol *symbols = work->symbols;
    size_t n_heap = 0;
    for (uint32_t i = 0; i < len; i++) {
        bool last = i + 1 == len;
        uint32_t rank = last ? NO_RANK : bpe->by_byte[(size_t)text[i] << 8 | text[i + 1]];
        symbols[i] = (lf_symbol){bpe->byte_id[text[i]], rank, last ? NO_SYMBOL : i + 1,
                                 i > 0 ? i - 1 : NO_SYMBOL};
        if (rank != NO_RANK) {
            work->heap[n_heap++] = (uint64_t)rank << 32 | i;
        }
    }
    for (size_t i = (n_heap + ARITY - 2) / ARITY; i-- > 0;) {
        sift_down(work->heap, n_heap, i);
    }
    /* Each merge pops one entry and pushes at most two, so 2 * len entries suffice. An entry is
     * stale if its rank differs from the current rank of its symbol. */
    while (n_heap > 0) {
        uint64_t top = pop(work->heap, &n_heap);
        uint32_t at = (uint32_t)top;
        if (symbols[at].rank == (uint32_t)(top >> 32)) {
            merge(bpe, work, at, &n_heap);
        }
    }
    for (uint32_t i = 0; i != NO_SYMBOL; i = symbols[i].next) {
        lf_ids_add(ids, symbols[i].id);
    }
}

/* Nearly all pre-tokens are short; for these, arrays are faster than list and heap. */
static void encode_short(const lf_bpe *bpe, const uint8_t *text, size_t n, lf_ids *ids)
{
    uint32_t id[SHORT_PRETOKEN];
    uint32_t rank[SHORT_PRETOKEN]; /* of symbol i with symbol i + 1 */
    for (size_t i = 0; i < n; i++) {
        id[i] = bpe->byte_id[text[i]];
        rank[i] = i + 1 < n ? bpe->by_byte[(size_t)text[i] << 8 | text[i + 1]] : NO_RANK;
    }
    for (;;) {
        size_t at = 0;
        for (size_t i = 1; i < n; i++) {
            at = rank[i] < rank[at] ? i : at;
        }
        if (rank[at] == NO_RANK) {
            break;
        }
        id[at] = bpe->result[rank[at]];
        n--;
        for (size_t i = at + 1; i < n; i++) {
            id[i] = id[i + 1];
            rank[i] = rank[i + 1];
        }
        rank[at] = at + 1 < n ? rank_of(bpe, id[at], id[at + 1]) : NO_RANK;
        if (at > 0) {
            rank[at - 1] = rank_of(bpe, id[at - 1], id[at]);
        }
    }
    for (size_t i = 0; i < n; i++) {
        lf_ids_add(ids, id[i]);
    }
}

void lf_bpe_encode(const lf_bpe *bpe, const lf_bpe_work *work, const uint8_t *text, size_t len,
                   lf_ids *ids)
{
    if (len <= SHORT_PRETOKEN) {
        encode_short(bpe, text, len, ids);
    } else {
        encode_long(bpe, work, text, len, ids);
    }
}
