/* SPDX-License-Identifier: Apache-2.0 */
/* Implements alternation and intersection. */
#include "common/sort.h"
#include "text/grammar/rx_set.h"

#include <string.h>

/* Alternatives that begin with the same term are joined, this deep within one another. */
enum { FACTOR_DEPTH = 48 };

/* The order of items: those with the same first term are neighbors. */
static uint64_t order(const lf_rx_set *set, lf_rx a)
{
    const lf_rx_node *n = lf_rx_at(set, a);
    return (uint64_t)(n->kind == LF_RX_K_CONCAT ? n->a : a) << 32 | a;
}

static int compare(const void *context, const void *a, const void *b)
{
    uint64_t x = order(context, *(const lf_rx *)a), y = order(context, *(const lf_rx *)b);
    return (x > y) - (x < y);
}

static void sort(const lf_rx_set *set, lf_rx *items, size_t n)
{
    bool sorted = true;
    for (size_t i = 1; i < n && sorted; i++) {
        sorted = order(set, items[i - 1]) <= order(set, items[i]);
    }
    if (!sorted) {
        lf_sort(items, n, sizeof *items, compare, set);
    }
}

/* What is known about the items of a list while it is simplified. */
typedef struct items {
    uint32_t base;
    bool all;
    bool decided; /* one item decides the result: NONE or ANY */
    bool empty, has_class;
    bool nullable, not_nullable; /* an item other than EMPTY is, is not */
    uint64_t bits[4];
} items;

static void add_class(lf_rx_set *set, items *it, lf_rx a)
{
    const uint64_t *bits = set->classes[lf_rx_at(set, a)->a].bits;
    for (int i = 0; i < 4; i++) {
        it->bits[i] = !it->has_class ? bits[i]
                      : it->all      ? it->bits[i] & bits[i]
                                     : it->bits[i] | bits[i];
    }
    it->has_class = true;
}

/* Expands nested lists, and takes out EMPTY, classes and items without effect. */
static bool flatten(lf_rx_set *set, items *it)
{
    lf_list *work = &set->work;
    lf_rx_kind kind = it->all ? LF_RX_K_AND : LF_RX_K_ALT;
    uint32_t out = it->base;
    for (uint32_t i = it->base; i < work->n; i++) {
        lf_rx a = work->items[i];
        lf_rx_node n = *lf_rx_at(set, a);
        bool dead = (n.flags & LF_RX_F_DEAD) != 0;
        if (n.kind == kind && !dead) {
            for (uint32_t k = 0; k < n.b; k++) {
                if (!lf_list_push(set->quota, work, set->lists.items[n.a + k])) {
                    return false;
                }
            }
        } else if (dead || a == LF_RX_ANY) {
            it->decided = it->decided || dead == it->all;
        } else if (a == LF_RX_EMPTY) {
            it->empty = true;
        } else if (n.kind == LF_RX_K_CLASS) {
            add_class(set, it, a);
            it->not_nullable = true;
        } else {
            it->nullable = it->nullable || (n.flags & LF_RX_F_NULLABLE) != 0;
            it->not_nullable = it->not_nullable || (n.flags & LF_RX_F_NULLABLE) == 0;
            work->items[out++] = a;
        }
    }
    work->n = out;
    return lf_quota_step(set->quota, 1 + (out - it->base));
}

/* Replaces neighbors that begin with the same term by one concatenation. */
static void factor(lf_rx_set *set, uint32_t base)
{
    lf_list *work = &set->work;
    uint32_t end = work->n, out = base;
    for (uint32_t i = base, next; i < end && set->quota->status == LFM2_OK; i = next) {
        lf_rx head = (lf_rx)(order(set, work->items[i]) >> 32);
        next = i + 1;
        while (next < end && order(set, work->items[next]) >> 32 == head) {
            next++;
        }
        if (next == i + 1) {
            work->items[out++] = work->items[i];
            continue;
        }
        for (uint32_t k = i; k < next; k++) {
            lf_rx a = work->items[k];
            if (!lf_list_push(set->quota, work, a == head ? LF_RX_EMPTY : lf_rx_at(set, a)->b)) {
                return;
            }
        }
        lf_rx rest = lf_rx_join(set, end, false);
        lf_rx joined = lf_rx_concat(set, head, rest); /* may move the items */
        work->items[out++] = joined;
    }
    work->n = out;
}

/* Sorting takes more time than other steps of as many items. */
enum { SORT_STEPS = 4 };

static void sort_and_dedupe(lf_rx_set *set, uint32_t base)
{
    lf_list *work = &set->work;
    lf_quota_step(set->quota, SORT_STEPS * (uint64_t)(work->n - base));
    sort(set, lf_list_from(work, base), work->n - base);
    uint32_t out = base;
    for (uint32_t i = base; i < work->n; i++) {
        if (i == base || work->items[i] != work->items[i - 1]) {
            work->items[out++] = work->items[i];
        }
    }
    work->n = out;
}

/* Whether the list has an expression and its complement. */
static bool has_complement(const lf_rx_set *set, uint32_t base)
{
    const lf_list *work = &set->work;
    for (uint32_t i = base; i < work->n; i++) {
        const lf_rx_node *n = lf_rx_at(set, work->items[i]);
        if (n->kind != LF_RX_K_NOT) {
            continue;
        }
        uint64_t key = order(set, n->a);
        uint32_t low = base, high = work->n;
        while (low < high) {
            uint32_t middle = low + (high - low) / 2;
            if (order(set, work->items[middle]) < key) {
                low = middle + 1;
            } else {
                high = middle;
            }
        }
        if (low < work->n && work->items[low] == n->a) {
            return true;
        }
    }
    return false;
}

static lf_rx make_list(lf_rx_set *set, uint32_t base, bool all)
{
    const lf_list *work = &set->work;
    uint32_t n = work->n - base, some = 0, common = UINT32_MAX, begin = set->lists.n;
    if (n == 0) {
        return all ? LF_RX_ANY : LF_RX_NONE;
    }
    if (n == 1) {
        return work->items[base];
    }
    for (uint32_t i = base; i < work->n; i++) {
        uint32_t flags = lf_rx_at(set, work->items[i])->flags;
        some |= flags;
        common &= flags;
        if (!lf_list_push(set->quota, &set->lists, work->items[i])) {
            set->lists.n = begin;
            return LF_RX_NONE;
        }
    }
    uint32_t flags = all ? (common & (LF_RX_F_NULLABLE | LF_RX_F_CONTROL)) | LF_RX_F_BOOLEAN |
                               (some & LF_RX_F_LOOP)
                         : some & ~(uint32_t)(LF_RX_F_DEAD | LF_RX_F_VISITED);
    flags |= (flags & LF_RX_F_NULLABLE) != 0 ? LF_RX_F_ALIVE : 0;
    uint32_t terms = set->n_nodes;
    lf_rx result = lf_rx_intern(set, all ? LF_RX_K_AND : LF_RX_K_ALT, flags, begin, n, 0);
    if (set->n_nodes == terms) {
        set->lists.n = begin; /* the term existed, or could not be added */
    }
    return result;
}

static lf_rx simplify(lf_rx_set *set, items *it)
{
    lf_list *work = &set->work;
    if (!flatten(set, it)) {
        return LF_RX_NONE;
    }
    if (it->decided) {
        return it->all ? LF_RX_NONE : LF_RX_ANY;
    }
    if (it->empty && it->all) {
        return it->not_nullable ? LF_RX_NONE : LF_RX_EMPTY;
    }
    if (it->has_class) {
        lf_rx joined = lf_rx_byte_class(set, it->bits);
        if (joined == LF_RX_NONE) {
            return LF_RX_NONE; /* only an intersection can be empty */
        }
        lf_list_push(set->quota, work, joined);
    }
    if (it->empty && !it->nullable) {
        lf_list_push(set->quota, work, LF_RX_EMPTY);
    }
    if (set->quota->status != LFM2_OK) {
        return LF_RX_NONE;
    }
    sort_and_dedupe(set, it->base);
    if (!it->all && set->depth < FACTOR_DEPTH) {
        uint32_t n = work->n;
        set->depth++;
        factor(set, it->base);
        set->depth--;
        if (set->quota->status != LFM2_OK) {
            return LF_RX_NONE;
        }
        if (work->n != n) {
            sort_and_dedupe(set, it->base);
        }
    }
    if (has_complement(set, it->base)) {
        return it->all ? LF_RX_NONE : LF_RX_ANY;
    }
    return make_list(set, it->base, it->all);
}

lf_rx lf_rx_join(lf_rx_set *set, uint32_t base, bool all)
{
    items it = {.base = base, .all = all};
    lf_rx result = simplify(set, &it);
    set->work.n = base;
    return set->quota->status == LFM2_OK ? result : LF_RX_NONE;
}

static lf_rx join_two(lf_rx_set *set, lf_rx a, lf_rx b, bool all)
{
    uint32_t base = set->work.n;
    if (!lf_list_push(set->quota, &set->work, a) || !lf_list_push(set->quota, &set->work, b)) {
        set->work.n = base;
        return LF_RX_NONE;
    }
    return lf_rx_join(set, base, all);
}

lf_rx lf_rx_alt(lf_rx_set *set, lf_rx a, lf_rx b)
{
    return a == b || b == LF_RX_NONE ? a : a == LF_RX_NONE ? b : join_two(set, a, b, false);
}

lf_rx lf_rx_and(lf_rx_set *set, lf_rx a, lf_rx b)
{
    return a == b || b == LF_RX_ANY ? a : a == LF_RX_ANY ? b : join_two(set, a, b, true);
}

lf_rx lf_rx_alt_many(lf_rx_set *set, lf_rx *list, size_t n)
{
    uint32_t base = set->work.n;
    for (size_t i = 0; i < n; i++) {
        if (!lf_list_push(set->quota, &set->work, list[i])) {
            set->work.n = base;
            return LF_RX_NONE;
        }
    }
    return lf_rx_join(set, base, false);
}
