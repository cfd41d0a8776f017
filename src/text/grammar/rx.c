/* SPDX-License-Identifier: Apache-2.0 */
/* Implements the constructors of expressions. */
#include "text/grammar/rx_set.h"

#include "common/utf8.h"

#include <string.h>

/* ---- The set ---- */

static bool reserve_node(lf_rx_set *set)
{
    void *nodes = set->nodes;
    bool ok = lf_quota_grow(set->quota, &nodes, &set->node_capacity, (size_t)set->n_nodes + 1,
                            sizeof *set->nodes);
    set->nodes = nodes;
    return ok;
}

static uint32_t hash_term(const lf_rx_set *set, uint32_t kind, uint32_t a, uint32_t b, uint32_t c)
{
    uint32_t hash = lf_hash_add(kind, b);
    if (kind != LF_RX_K_ALT && kind != LF_RX_K_AND) {
        return lf_hash_add(lf_hash_add(hash, a), c);
    }
    for (uint32_t i = 0; i < b; i++) {
        hash = lf_hash_add(hash, set->lists.items[a + i]);
    }
    return hash;
}

lf_rx lf_rx_intern(lf_rx_set *set, lf_rx_kind kind, uint32_t flags, uint32_t a, uint32_t b,
                   uint32_t c)
{
    lf_quota *quota = set->quota;
    bool list = kind == LF_RX_K_ALT || kind == LF_RX_K_AND;
    uint32_t hash = hash_term(set, kind, a, b, c), at = hash;
    for (uint32_t id; (id = lf_table_next(quota, &set->node_table, hash, &at)) != LF_NO_ID;) {
        const lf_rx_node *n = &set->nodes[id];
        if (n->kind == kind && n->b == b && n->c == c &&
            (n->a == a || (list && memcmp(&set->lists.items[n->a], &set->lists.items[a],
                                          b * sizeof(uint32_t)) == 0))) {
            return id;
        }
    }
    if (!lf_quota_step(quota, 1) || !reserve_node(set) ||
        !lf_table_add(quota, &set->node_table, hash, set->n_nodes)) {
        return LF_RX_NONE;
    }
    set->nodes[set->n_nodes] =
        (lf_rx_node){.kind = (uint8_t)kind, .flags = (uint8_t)flags, .a = a, .b = b, .c = c};
    return set->n_nodes++;
}

static void init(lf_rx_set *set)
{
    uint64_t full[4] = {UINT64_MAX, UINT64_MAX, UINT64_MAX, UINT64_MAX};
    lf_rx_intern(set, LF_RX_K_NONE, LF_RX_F_DEAD, 0, 0, 0);
    lf_rx_intern(set, LF_RX_K_EMPTY, LF_RX_F_NULLABLE | LF_RX_F_ALIVE, 0, 0, 0);
    /* ANY is the next id; its class follows it. */
    lf_rx_intern(set, LF_RX_K_REPEAT,
                 LF_RX_F_NULLABLE | LF_RX_F_ALIVE | LF_RX_F_CONTROL | LF_RX_F_LOOP, 3, 0,
                 LF_RX_UNLIMITED);
    lf_rx_byte_class(set, full);
}

int32_t lf_rx_set_create(lf_quota *quota, lf_rx_set **out)
{
    void *p = NULL;
    LF_TRY(lf_new_zero(&quota->alloc, 1, sizeof **out, "expressions", &p));
    lf_rx_set *set = p;
    set->quota = quota;
    init(set);
    if (quota->status != LFM2_OK) {
        lf_rx_set_free(set);
        return quota->status;
    }
    *out = set;
    return LFM2_OK;
}

void lf_rx_set_free(lf_rx_set *set)
{
    if (set == NULL) {
        return;
    }
    lf_quota *quota = set->quota;
    lf_quota_free(quota, set->nodes, set->node_capacity, sizeof *set->nodes);
    lf_quota_free(quota, set->classes, set->class_capacity, sizeof *set->classes);
    lf_quota_free(quota, set->rows, set->row_capacity, sizeof *set->rows);
    lf_quota_free(quota, set->sets, set->sets_capacity, sizeof *set->sets);
    lf_list_free(quota, &set->lists);
    lf_list_free(quota, &set->work);
    lf_list_free(quota, &set->stack);
    lf_list_free(quota, &set->found);
    lf_table_free(quota, &set->node_table);
    lf_table_free(quota, &set->class_table);
    lf_free(&quota->alloc, set, 1, sizeof *set);
}

/* ---- Making room ---- */

void lf_rx_set_base(lf_rx_set *set)
{
    set->base = set->n_nodes;
    set->base_lists = set->lists.n;
}

void lf_rx_keep(lf_rx_set *set, lf_rx a)
{
    set->nodes[a].flags |= LF_RX_F_VISITED;
}

lf_rx lf_rx_moved(const lf_rx_set *set, lf_rx a)
{
    return a < set->base ? a : set->nodes[a].derived;
}

/* Terms contain terms with smaller handles: the last one goes first. */
static void keep_contents(lf_rx_set *set)
{
    for (uint32_t i = set->n_nodes; i-- > set->base;) {
        lf_rx_node n = set->nodes[i];
        if ((n.flags & LF_RX_F_VISITED) == 0) {
            continue;
        }
        if (n.kind == LF_RX_K_ALT || n.kind == LF_RX_K_AND) {
            for (uint32_t k = 0; k < n.b; k++) {
                lf_rx_keep(set, set->lists.items[n.a + k]);
            }
        } else if (n.kind != LF_RX_K_CLASS) {
            lf_rx_keep(set, n.a);
            lf_rx_keep(set, n.kind == LF_RX_K_CONCAT ? n.b : n.a);
        }
    }
}

/* Changes the handles inside a term, and moves its list to the end of those that are kept. */
static void move_contents(lf_rx_set *set, lf_rx_node *n)
{
    if (n->kind == LF_RX_K_ALT || n->kind == LF_RX_K_AND) {
        for (uint32_t k = 0; k < n->b; k++) {
            lf_rx item = lf_rx_moved(set, set->lists.items[n->a + k]);
            set->lists.items[set->lists.n + k] = item;
        }
        n->a = set->lists.n;
        set->lists.n += n->b;
    } else if (n->kind != LF_RX_K_CLASS) {
        n->a = lf_rx_moved(set, n->a);
        n->b = n->kind == LF_RX_K_CONCAT ? lf_rx_moved(set, n->b) : n->b;
    }
}

static uint32_t count_kept(const lf_rx_set *set)
{
    uint32_t n = 0;
    for (uint32_t i = 0; i < set->n_nodes; i++) {
        n += i < set->base || (set->nodes[i].flags & LF_RX_F_VISITED) != 0;
    }
    return n;
}

/* Gives back the memory of what was removed, except of terms: their places are still read. */
static void shrink(lf_rx_set *set)
{
    void *rows = set->rows, *sets = set->sets;
    lf_quota_shrink(set->quota, &rows, &set->row_capacity, 0, sizeof *set->rows);
    lf_quota_shrink(set->quota, &sets, &set->sets_capacity, 0, sizeof *set->sets);
    set->rows = rows;
    set->sets = sets;
    lf_list_shrink(set->quota, &set->lists);
    lf_list_shrink(set->quota, &set->work);
    lf_list_shrink(set->quota, &set->stack);
    lf_list_shrink(set->quota, &set->found);
}

/* Terms keep their order, so a term still comes after what it contains, and lists stay sorted.
 * While they move, `derived` of a place is the new handle of the term that was there. */
void lf_rx_compact(lf_rx_set *set)
{
    lf_rx_keep(set, set->utf8);
    lf_rx_keep(set, set->plain);
    keep_contents(set);
    lf_table_shrink(set->quota, &set->node_table, count_kept(set));
    uint32_t n = 0;
    set->lists.n = set->base_lists;
    for (uint32_t i = 0; i < set->n_nodes; i++) {
        lf_rx_node node = set->nodes[i];
        if (i >= set->base && (node.flags & LF_RX_F_VISITED) == 0) {
            continue;
        }
        set->nodes[i].derived = n;
        if (i >= set->base) {
            move_contents(set, &node);
        }
        node.flags &= (uint8_t)~LF_RX_F_VISITED;
        node.row = node.mark = 0;
        node.derived = set->nodes[n].derived;
        set->nodes[n] = node;
        lf_table_add(set->quota, &set->node_table,
                     hash_term(set, node.kind, node.a, node.b, node.c), n);
        n++;
    }
    set->n_nodes = n;
    set->n_rows = set->n_sets = 0;
    set->work.n = set->stack.n = set->found.n = 0;
    for (uint32_t b = 0; b < 256; b++) {
        set->bytes[b] = set->bytes[b] < set->base ? set->bytes[b] : LF_RX_NONE;
    }
    set->utf8 = lf_rx_moved(set, set->utf8);
    set->plain = lf_rx_moved(set, set->plain);
    shrink(set);
}

void lf_rx_forget(lf_rx_set *set)
{
    void *nodes = set->nodes;
    lf_quota_shrink(set->quota, &nodes, &set->node_capacity, set->n_nodes, sizeof *set->nodes);
    set->nodes = nodes;
}

int32_t lf_rx_status(const lf_rx_set *set)
{
    return set->quota->status;
}

bool lf_rx_nullable(const lf_rx_set *set, lf_rx a)
{
    return (set->nodes[a].flags & LF_RX_F_NULLABLE) != 0;
}

/* Flags of terms that contain this one. */
static uint32_t inherited(const lf_rx_set *set, lf_rx a)
{
    return set->nodes[a].flags & (LF_RX_F_BOOLEAN | LF_RX_F_CONTROL | LF_RX_F_LOOP);
}

/* ALIVE where nothing can make the expression match nothing. */
static uint32_t alive(uint32_t flags)
{
    return (flags & LF_RX_F_BOOLEAN) == 0 || (flags & LF_RX_F_NULLABLE) != 0 ? flags | LF_RX_F_ALIVE
                                                                             : flags;
}

/* ---- Classes and text ---- */

static uint32_t intern_class(lf_rx_set *set, const uint64_t bits[4])
{
    lf_quota *quota = set->quota;
    uint32_t hash = 0;
    for (int i = 0; i < 4; i++) {
        hash = lf_hash_add(lf_hash_add(hash, (uint32_t)bits[i]), (uint32_t)(bits[i] >> 32));
    }
    uint32_t at = hash;
    for (uint32_t id; (id = lf_table_next(quota, &set->class_table, hash, &at)) != LF_NO_ID;) {
        if (memcmp(set->classes[id].bits, bits, sizeof set->classes[id].bits) == 0) {
            return id;
        }
    }
    void *classes = set->classes;
    bool ok = lf_quota_grow(quota, &classes, &set->class_capacity, (size_t)set->n_classes + 1,
                            sizeof *set->classes);
    set->classes = classes;
    if (!ok || !lf_table_add(quota, &set->class_table, hash, set->n_classes)) {
        return LF_NO_ID;
    }
    lf_rx_class *added = &set->classes[set->n_classes];
    memcpy(added->bits, bits, sizeof added->bits);
    added->only = -1;
    uint32_t count = 0;
    for (uint32_t b = 0; b < 256; b++) {
        if (lf_rx_class_has(added, (uint8_t)b)) {
            added->only = count++ == 0 ? (int32_t)b : -1;
        }
    }
    return set->n_classes++;
}

lf_rx lf_rx_byte_class(lf_rx_set *set, const uint64_t bits[4])
{
    if ((bits[0] | bits[1] | bits[2] | bits[3]) == 0) {
        return LF_RX_NONE;
    }
    uint32_t id = intern_class(set, bits);
    if (id == LF_NO_ID) {
        return LF_RX_NONE;
    }
    uint32_t control = bits[3] >> 63 != 0 ? LF_RX_F_CONTROL : 0;
    return lf_rx_intern(set, LF_RX_K_CLASS, LF_RX_F_ALIVE | control, id, 0, 0);
}

/* The class of a single byte. */
static lf_rx single_byte(lf_rx_set *set, uint8_t byte)
{
    if (set->bytes[byte] == LF_RX_NONE) {
        uint64_t bits[4] = {0};
        bits[byte >> 6] = (uint64_t)1 << (byte & 63);
        set->bytes[byte] = lf_rx_byte_class(set, bits);
    }
    return set->bytes[byte];
}

lf_rx lf_rx_text(lf_rx_set *set, const char *bytes, size_t len)
{
    lf_rx result = LF_RX_EMPTY;
    while (len-- > 0 && lf_quota_step(set->quota, 1)) {
        result = lf_rx_concat(set, single_byte(set, (uint8_t)bytes[len]), result);
    }
    return set->quota->status == LFM2_OK ? result : LF_RX_NONE;
}

/* ---- Concatenation and repetition ---- */

static void as_repeat(const lf_rx_set *set, lf_rx a, lf_rx *item, uint32_t *min, uint32_t *max)
{
    const lf_rx_node *n = lf_rx_at(set, a);
    bool repeat = n->kind == LF_RX_K_REPEAT;
    *item = repeat ? n->a : a;
    *min = repeat ? n->b : 1;
    *max = repeat ? n->c : 1;
}

static bool fits_sum(uint32_t a, uint32_t b)
{
    return a < LF_RX_UNLIMITED - b;
}

static uint32_t add_counts(uint32_t a, uint32_t b)
{
    return a >= LF_RX_UNLIMITED - b ? LF_RX_UNLIMITED : a + b;
}

/* a is no concatenation. Adjacent repetitions of one expression become one. */
static lf_rx concat_one(lf_rx_set *set, lf_rx a, lf_rx b)
{
    if (((lf_rx_at(set, a)->flags | lf_rx_at(set, b)->flags) & LF_RX_F_DEAD) != 0) {
        return LF_RX_NONE;
    }
    if (a == LF_RX_EMPTY || b == LF_RX_EMPTY) {
        return a == LF_RX_EMPTY ? b : a;
    }
    if (b == LF_RX_ANY && lf_rx_nullable(set, a)) {
        return b;
    }
    const lf_rx_node *nb = lf_rx_at(set, b);
    lf_rx next = nb->kind == LF_RX_K_CONCAT ? nb->a : b;
    if (lf_rx_at(set, a)->kind == LF_RX_K_REPEAT || lf_rx_at(set, next)->kind == LF_RX_K_REPEAT) {
        lf_rx rest = nb->kind == LF_RX_K_CONCAT ? nb->b : LF_RX_EMPTY;
        lf_rx item, item2;
        uint32_t min, max, min2, max2;
        as_repeat(set, a, &item, &min, &max);
        as_repeat(set, next, &item2, &min2, &max2);
        bool fits = fits_sum(min, min2) &&
                    (max == LF_RX_UNLIMITED || max2 == LF_RX_UNLIMITED || fits_sum(max, max2));
        if (item == item2 && fits) {
            lf_rx both = lf_rx_repeat(set, item, add_counts(min, min2), add_counts(max, max2));
            if (rest == LF_RX_EMPTY || both == LF_RX_NONE) {
                return both;
            }
            uint32_t flags = inherited(set, both) | inherited(set, rest);
            flags |= lf_rx_at(set, both)->flags & lf_rx_at(set, rest)->flags & LF_RX_F_NULLABLE;
            return lf_rx_intern(set, LF_RX_K_CONCAT, alive(flags), both, rest, 0);
        }
    }
    uint32_t flags = inherited(set, a) | inherited(set, b);
    flags |= lf_rx_at(set, a)->flags & lf_rx_at(set, b)->flags & LF_RX_F_NULLABLE;
    return lf_rx_intern(set, LF_RX_K_CONCAT, alive(flags), a, b, 0);
}

lf_rx lf_rx_concat(lf_rx_set *set, lf_rx a, lf_rx b)
{
    if (lf_rx_at(set, a)->kind != LF_RX_K_CONCAT) {
        return concat_one(set, a, b);
    }
    if (b == LF_RX_NONE || b == LF_RX_EMPTY) {
        return b == LF_RX_NONE ? b : a;
    }
    uint32_t base = set->work.n;
    while (lf_rx_at(set, a)->kind == LF_RX_K_CONCAT) {
        if (!lf_quota_step(set->quota, 1) ||
            !lf_list_push(set->quota, &set->work, lf_rx_at(set, a)->a)) {
            set->work.n = base;
            return LF_RX_NONE;
        }
        a = lf_rx_at(set, a)->b;
    }
    lf_rx result = concat_one(set, a, b);
    while (set->work.n > base) {
        result = concat_one(set, set->work.items[--set->work.n], result);
    }
    return result;
}

lf_rx lf_rx_repeat(lf_rx_set *set, lf_rx a, uint32_t min, uint32_t max)
{
    if (max < min) {
        return LF_RX_NONE;
    }
    if (a == LF_RX_NONE || a == LF_RX_EMPTY || max == 0) {
        return a == LF_RX_NONE && min > 0 ? LF_RX_NONE : LF_RX_EMPTY;
    }
    min = lf_rx_nullable(set, a) ? 0 : min;
    const lf_rx_node *n = lf_rx_at(set, a);
    if (n->kind == LF_RX_K_REPEAT && n->b <= 1 && n->c == LF_RX_UNLIMITED) {
        /* (x*){m,n} and (x+){m,n} */
        uint32_t least = n->b == 0 ? 0 : min;
        return lf_rx_repeat(set, n->a, least, LF_RX_UNLIMITED);
    }
    if (n->kind == LF_RX_K_REPEAT && n->b == 0 && n->c == 1) {
        return lf_rx_repeat(set, n->a, 0, max);
    }
    if (min == 1 && max == 1) {
        return a;
    }
    uint32_t flags = inherited(set, a) | LF_RX_F_LOOP | (min == 0 ? LF_RX_F_NULLABLE : 0);
    return lf_rx_intern(set, LF_RX_K_REPEAT, alive(flags), a, min, max);
}

lf_rx lf_rx_not(lf_rx_set *set, lf_rx a)
{
    const lf_rx_node *n = lf_rx_at(set, a);
    if (n->kind == LF_RX_K_NOT) {
        return n->a;
    }
    if (a == LF_RX_NONE || a == LF_RX_ANY) {
        return a == LF_RX_NONE && set->quota->status == LFM2_OK ? LF_RX_ANY : LF_RX_NONE;
    }
    uint32_t flags =
        (~n->flags & LF_RX_F_NULLABLE) | LF_RX_F_BOOLEAN | LF_RX_F_CONTROL | LF_RX_F_LOOP;
    return lf_rx_intern(set, LF_RX_K_NOT, alive(flags), a, 0, 0);
}

/* ---- Code points ---- */

/* The encodings of one length whose code points are first .. last: both encodings have the bytes
 * lo[0 .. n - 1] and hi[0 .. n - 1]. */
static lf_rx encoded_range(lf_rx_set *set, const uint8_t *lo, const uint8_t *hi, int n)
{
    uint64_t bits[4] = {0};
    if (n == 1) {
        for (int b = lo[0]; b <= hi[0]; b++) {
            bits[b >> 6] |= (uint64_t)1 << (b & 63);
        }
        return lf_rx_byte_class(set, bits);
    }
    static const uint8_t least[3] = {0x80, 0x80, 0x80}, most[3] = {0xBF, 0xBF, 0xBF};
    if (lo[0] == hi[0]) {
        lf_rx rest = encoded_range(set, lo + 1, hi + 1, n - 1);
        return lf_rx_concat(set, encoded_range(set, lo, hi, 1), rest);
    }
    /* First bytes whose other bytes are free stand together. */
    uint8_t from = lo[0], to = hi[0];
    lf_rx result = LF_RX_NONE;
    if (memcmp(lo + 1, least, (size_t)n - 1) != 0) {
        lf_rx rest = encoded_range(set, lo + 1, most, n - 1);
        result = lf_rx_concat(set, encoded_range(set, &from, &from, 1), rest);
        from++;
    }
    if (memcmp(hi + 1, most, (size_t)n - 1) != 0) {
        lf_rx rest = encoded_range(set, least, hi + 1, n - 1);
        rest = lf_rx_concat(set, encoded_range(set, &to, &to, 1), rest);
        result = lf_rx_alt(set, result, rest);
        to--;
    }
    if (from <= to) {
        lf_rx rest = encoded_range(set, least, most, n - 1);
        rest = lf_rx_concat(set, encoded_range(set, &from, &to, 1), rest);
        result = lf_rx_alt(set, result, rest);
    }
    return result;
}

lf_rx lf_rx_code_points(lf_rx_set *set, uint32_t first, uint32_t last)
{
    /* Code points between two of these have encodings of one length, and no surrogates. */
    static const uint32_t parts[][2] = {
        {0, 0x7F}, {0x80, 0x7FF}, {0x800, 0xD7FF}, {0xE000, 0xFFFF}, {0x10000, 0x10FFFF}};
    lf_rx result = LF_RX_NONE;
    if (first == last && first < 0x80) {
        return single_byte(set, (uint8_t)first);
    }
    for (size_t i = 0; i < sizeof parts / sizeof *parts; i++) {
        uint32_t from = first > parts[i][0] ? first : parts[i][0];
        uint32_t to = last < parts[i][1] ? last : parts[i][1];
        if (from <= to) {
            char lo[4], hi[4];
            lf_utf8_encode(from, lo);
            int n = (int)lf_utf8_encode(to, hi);
            result = lf_rx_alt(set, result,
                               encoded_range(set, (const uint8_t *)lo, (const uint8_t *)hi, n));
        }
    }
    return result;
}

lf_rx lf_rx_utf8(lf_rx_set *set)
{
    if (set->utf8 == LF_RX_NONE) {
        set->utf8 = lf_rx_repeat(set, lf_rx_code_points(set, 0, 0x10FFFF), 0, LF_RX_UNLIMITED);
    }
    return set->utf8;
}
