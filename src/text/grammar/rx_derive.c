/* SPDX-License-Identifier: Apache-2.0 */
/* Implements derivatives, and the search for a match. */
#include "text/grammar/rx_set.h"

#include <string.h>

/* A derivation in progress. `same` are the bytes for which every step has had the same result. */
typedef struct derivation {
    lf_rx_set *set;
    uint8_t byte;
    uint64_t same[4];
    lf_rx result;
} derivation;

enum { FRAME = 3 }; /* words of a frame: term, stage, what the stage needs */

static lf_rx derive_class(derivation *d, uint32_t id)
{
    const lf_rx_class *c = &d->set->classes[id];
    bool has = lf_rx_class_has(c, d->byte);
    for (int i = 0; i < 4; i++) {
        d->same[i] &= has ? c->bits[i] : ~c->bits[i];
    }
    return has ? LF_RX_EMPTY : LF_RX_NONE;
}

/* Terms whose derivative needs no other term. */
static bool derive_simple(derivation *d, lf_rx a)
{
    lf_rx_set *set = d->set;
    const lf_rx_node *n = lf_rx_at(set, a);
    if (n->kind == LF_RX_K_CLASS) {
        d->result = derive_class(d, n->a);
        return true;
    }
    if (n->kind == LF_RX_K_CONCAT && lf_rx_at(set, n->a)->kind == LF_RX_K_CLASS) {
        bool has = derive_class(d, lf_rx_at(set, n->a)->a) == LF_RX_EMPTY;
        d->result = has ? n->b : LF_RX_NONE;
        return true;
    }
    if (n->kind <= LF_RX_K_EMPTY) {
        d->result = LF_RX_NONE;
        return true;
    }
    if (n->mark == set->mark) {
        d->result = n->derived;
        return true;
    }
    return false;
}

/* Sets the result, or pushes a frame for the term. False after a failure. */
static bool enter(derivation *d, lf_rx a)
{
    if (derive_simple(d, a)) {
        return lf_quota_step(d->set->quota, 1);
    }
    lf_list *stack = &d->set->stack;
    lf_quota *quota = d->set->quota;
    return lf_quota_step(quota, 1) && lf_list_push(quota, stack, a) &&
           lf_list_push(quota, stack, 0) && lf_list_push(quota, stack, 0);
}

/* What repeats, and the items of an intersection, are derived again and again with other terms
 * around them: their rows keep the results. Calls nest this deep at most. */
enum { KEPT_DEPTH = 4 };

static bool derive_kept(derivation *d, lf_rx a)
{
    lf_rx_set *set = d->set;
    if (set->derivations == KEPT_DEPTH || lf_rx_at(set, a)->kind == LF_RX_K_CLASS) {
        return false;
    }
    set->derivations++;
    d->result = lf_rx_derive_same(set, a, d->byte, d->same);
    set->derivations--;
    return true;
}

/* One stage of a term of a list; true when the result is final. */
static bool step_list(derivation *d, const lf_rx_node *n, uint32_t *frame)
{
    lf_rx_set *set = d->set;
    bool all = n->kind == LF_RX_K_AND;
    uint32_t stage = frame[1];
    uint32_t base = stage == 0 ? set->work.n : frame[2];
    if (stage > 0 && (all || d->result != LF_RX_NONE)) {
        if (!lf_list_push(set->quota, &set->work, d->result)) {
            return true;
        }
    }
    if (stage > 0 && all && d->result == LF_RX_NONE) {
        set->work.n = base;
        return true;
    }
    if (stage == n->b) {
        d->result = lf_rx_join(set, base, all);
        return true;
    }
    frame[1] = stage + 1;
    frame[2] = base;
    lf_rx item = set->lists.items[n->a + stage];
    if (!all || !derive_kept(d, item)) {
        enter(d, item);
    }
    return false;
}

/* One stage of a term; true when the result is final. */
static bool step(derivation *d, uint32_t *frame)
{
    lf_rx_set *set = d->set;
    lf_rx_node n = *lf_rx_at(set, frame[0]);
    uint32_t stage = frame[1]++;
    switch (n.kind) {
    case LF_RX_K_ALT:
    case LF_RX_K_AND:
        frame[1] = stage;
        return step_list(d, &n, frame);
    case LF_RX_K_NOT:
        if (stage == 0 && !derive_kept(d, n.a)) {
            enter(d, n.a);
            return false;
        }
        d->result = lf_rx_not(set, d->result);
        return true;
    case LF_RX_K_REPEAT:
        if (stage == 0 && !derive_kept(d, n.a)) {
            enter(d, n.a);
            return false;
        }
        if (d->result != LF_RX_NONE) {
            uint32_t max = n.c == LF_RX_UNLIMITED ? n.c : n.c - 1;
            lf_rx rest = lf_rx_repeat(set, n.a, n.b > 0 ? n.b - 1 : 0, max);
            d->result = lf_rx_concat(set, d->result, rest);
        }
        return true;
    default: /* CONCAT */
        if (stage == 0) {
            enter(d, n.a);
            return false;
        }
        if (stage == 1) {
            d->result = lf_rx_concat(set, d->result, n.b);
            if (!lf_rx_nullable(set, n.a)) {
                return true;
            }
            frame[2] = d->result;
            enter(d, n.b);
            return false;
        }
        d->result = lf_rx_alt(set, frame[2], d->result);
        return true;
    }
}

/* Begins a derivation: no term has been derived in it. */
static void begin(lf_rx_set *set)
{
    if (++set->mark == 0) {
        set->mark = 1;
        for (uint32_t i = 0; i < set->n_nodes; i++) {
            set->nodes[i].mark = 0;
        }
    }
}

/* The derivative. Works on a stack of its own, because terms nest as deep as patterns are long. */
static lf_rx derive(derivation *d, lf_rx a)
{
    lf_rx_set *set = d->set;
    uint32_t base = set->stack.n, work = set->work.n;
    begin(set);
    bool ok = enter(d, a);
    while (ok && set->stack.n > base && set->quota->status == LFM2_OK) {
        uint32_t at = set->stack.n - FRAME, frame[FRAME];
        memcpy(frame, set->stack.items + at, sizeof frame);
        bool done = step(d, frame);
        if (set->quota->status != LFM2_OK) {
            break;
        }
        if (done) {
            set->nodes[frame[0]].mark = set->mark;
            set->nodes[frame[0]].derived = d->result;
            set->stack.n = at;
        } else {
            memcpy(set->stack.items + at, frame, sizeof frame);
        }
    }
    set->stack.n = base;
    set->work.n = work;
    return set->quota->status == LFM2_OK ? d->result : LF_RX_NONE;
}

/* ---- Rows ---- */

/* Adds the value of some bytes to a row that has room for it. */
static void add_value(lf_rx_set *set, lf_rx_row *row, const uint64_t bytes[4], uint32_t value)
{
    uint32_t byte = 0;
    if (row->sets != 0) {
        memcpy(set->sets[row->sets - 1].of[row->n], bytes, sizeof set->sets->of[0]);
    }
    for (uint32_t i = 0; i < 256 / 8; i++) {
        uint64_t eight = bytes[i / 8] >> (8 * (i % 8)) & 0xFF;
        if (eight == 0xFF) {
            memset(row->index + byte, (int)row->n, 8);
        }
        for (uint32_t b = 0; eight != 0xFF && eight >> b != 0; b++) {
            if ((eight >> b & 1) != 0) {
                row->index[byte + b] = (uint8_t)row->n;
            }
        }
        byte += 8;
    }
    row->values[row->n++] = value;
}

static uint32_t new_row(lf_rx_set *set)
{
    void *rows = set->rows;
    bool ok = lf_quota_grow(set->quota, &rows, &set->row_capacity, (size_t)set->n_rows + 1,
                            sizeof *set->rows);
    set->rows = rows;
    if (!ok) {
        return 0;
    }
    lf_rx_row *row = &set->rows[set->n_rows++];
    memset(row->index, LF_RX_ROW_UNKNOWN, sizeof row->index);
    row->next = row->n = row->sets = 0;
    return set->n_rows;
}

static void store(lf_rx_set *set, lf_rx a, const uint64_t same[4], lf_rx value)
{
    uint32_t *link = &set->nodes[a].row;
    while (*link != 0 && set->rows[*link - 1].n == LF_RX_ROW_VALUES) {
        link = &set->rows[*link - 1].next;
    }
    if (*link == 0) {
        /* The new row may move the others: its link is stored after that. */
        uint32_t last = set->nodes[a].row;
        while (last != 0 && set->rows[last - 1].next != 0) {
            last = set->rows[last - 1].next;
        }
        uint32_t row = new_row(set);
        if (row == 0) {
            return;
        }
        link = last == 0 ? &set->nodes[a].row : &set->rows[last - 1].next;
        *link = row;
    }
    add_value(set, &set->rows[*link - 1], same, value);
}

/* Computes a derivative that no row has, and the bytes that have the same one. */
static lf_rx compute(lf_rx_set *set, lf_rx a, uint8_t byte, uint64_t same[4])
{
    derivation d = {set, byte, {UINT64_MAX, UINT64_MAX, UINT64_MAX, UINT64_MAX}, LF_RX_NONE};
    const lf_rx_node *n = lf_rx_at(set, a);
    bool simple = n->kind <= LF_RX_K_CLASS ||
                  (n->kind == LF_RX_K_CONCAT && lf_rx_at(set, n->a)->kind == LF_RX_K_CLASS);
    if (simple) {
        derive_simple(&d, a);
    } else {
        d.result = derive(&d, a);
        if (set->quota->status == LFM2_OK) {
            store(set, a, d.same, d.result);
        }
    }
    memcpy(same, d.same, sizeof d.same);
    return set->quota->status == LFM2_OK ? d.result : LF_RX_NONE;
}

lf_rx lf_rx_derive(lf_rx_set *set, lf_rx a, uint8_t byte)
{
    for (uint32_t row = set->nodes[a].row; row != 0; row = set->rows[row - 1].next) {
        uint8_t index = set->rows[row - 1].index[byte];
        if (index != LF_RX_ROW_UNKNOWN) {
            return set->rows[row - 1].values[index];
        }
    }
    return compute(set, a, byte, (uint64_t[4]){0});
}

/* Makes the sets of a row. */
static bool make_sets(lf_rx_set *set, uint32_t row)
{
    void *sets = set->sets;
    bool ok = lf_quota_grow(set->quota, &sets, &set->sets_capacity, (size_t)set->n_sets + 1,
                            sizeof *set->sets);
    set->sets = sets;
    if (!ok) {
        return false;
    }
    lf_rx_row_sets *made = &set->sets[set->n_sets++];
    lf_rx_row *r = &set->rows[row];
    r->sets = set->n_sets;
    memset(made, 0, sizeof *made);
    for (uint32_t b = 0; b < 256; b++) {
        if (r->index[b] != LF_RX_ROW_UNKNOWN) {
            made->of[r->index[b]][b >> 6] |= (uint64_t)1 << (b & 63);
        }
    }
    return true;
}

lf_rx lf_rx_derive_same(lf_rx_set *set, lf_rx a, uint8_t byte, uint64_t same[4])
{
    for (uint32_t row = set->nodes[a].row; row != 0; row = set->rows[row - 1].next) {
        uint8_t index = set->rows[row - 1].index[byte];
        if (index == LF_RX_ROW_UNKNOWN) {
            continue;
        }
        if (set->rows[row - 1].sets == 0 && !make_sets(set, row - 1)) {
            return LF_RX_NONE;
        }
        const lf_rx_row *r = &set->rows[row - 1];
        for (int i = 0; i < 4; i++) {
            same[i] &= set->sets[r->sets - 1].of[index][i];
        }
        return r->values[index];
    }
    uint64_t bytes[4];
    lf_rx result = compute(set, a, byte, bytes);
    for (int i = 0; i < 4; i++) {
        same[i] &= bytes[i];
    }
    return result;
}

/* ---- The search for a match ---- */

/* Goes to the next derivative of the term on top of the stack that was not visited. True when it
 * matches something. */
static bool visit_next(lf_rx_set *set)
{
    uint32_t *frame = set->stack.items + set->stack.n - 2;
    lf_rx a = frame[0];
    while (frame[1] < 256) {
        uint8_t byte = (uint8_t)frame[1]++;
        lf_rx next = lf_rx_next(set, a, byte);
        /* Most derivatives are known: a step for each eight of them. */
        if (set->quota->status != LFM2_OK || (byte % 8 == 7 && !lf_quota_step(set->quota, 1))) {
            return false;
        }
        uint32_t flags = set->nodes[next].flags;
        if ((flags & LF_RX_F_ALIVE) != 0) {
            return true;
        }
        if ((flags & (LF_RX_F_DEAD | LF_RX_F_VISITED)) == 0) {
            set->nodes[next].flags |= LF_RX_F_VISITED;
            lf_list_push(set->quota, &set->found, next);
            lf_list_push(set->quota, &set->stack, next);
            lf_list_push(set->quota, &set->stack, 0);
            return false;
        }
        frame = set->stack.items + set->stack.n - 2; /* derivation moves the stack */
    }
    set->stack.n -= 2;
    return false;
}

bool lf_rx_is_none(lf_rx_set *set, lf_rx a)
{
    if ((set->nodes[a].flags & (LF_RX_F_ALIVE | LF_RX_F_DEAD)) != 0) {
        return (set->nodes[a].flags & LF_RX_F_DEAD) != 0;
    }
    lf_quota *quota = set->quota;
    uint32_t base = set->stack.n;
    bool alive = false;
    set->found.n = 0;
    if (!lf_list_push(quota, &set->found, a) || !lf_list_push(quota, &set->stack, a) ||
        !lf_list_push(quota, &set->stack, 0)) {
        set->stack.n = base;
        return false;
    }
    set->nodes[a].flags |= LF_RX_F_VISITED;
    while (!alive && set->stack.n > base && quota->status == LFM2_OK) {
        alive = visit_next(set);
    }
    for (uint32_t i = 0; i < set->found.n; i++) {
        uint8_t *flags = &set->nodes[set->found.items[i]].flags;
        *flags &= (uint8_t)~LF_RX_F_VISITED;
        *flags |= !alive && quota->status == LFM2_OK ? LF_RX_F_DEAD : 0;
    }
    for (uint32_t i = base; alive && i < set->stack.n; i += 2) {
        set->nodes[set->stack.items[i]].flags |= LF_RX_F_ALIVE;
    }
    set->stack.n = base;
    return !alive && quota->status == LFM2_OK;
}
