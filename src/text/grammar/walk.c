/* SPDX-License-Identifier: Apache-2.0 */
/* Implements walks over tries. */
#include "text/grammar/walk.h"

static void set_tokens(const lf_trie *t, uint32_t from, uint32_t to, uint32_t *bits)
{
    for (uint32_t k = from; k < to; k++) {
        lf_mask_set(bits, t->ids[k]);
    }
}

/* The child with a byte; 0: none. */
static uint32_t child_with(const lf_trie *t, uint32_t at, uint8_t byte)
{
    if (at == 0) {
        return t->first[byte];
    }
    uint32_t end = t->nodes[at].end;
    for (uint32_t i = at + 1; i < end && t->nodes[i].byte <= byte; i = t->nodes[i].end) {
        if (t->nodes[i].byte == byte) {
            return i;
        }
    }
    return 0;
}

/* Bytes that repeat in an expression for some time before anything else can match. */
typedef struct run {
    lf_rx of;
    uint64_t bits[4];
    uint32_t most; /* 0: there are no such bytes */
} run;

/* Finds the run of x{m,n} r, where x is a class, or has one among its alternatives, and no byte of
 * it begins r. */
static void find_run(const lf_rx_set *set, lf_rx a, run *out)
{
    const lf_rx_node *n = lf_rx_at(set, a);
    *out = (run){.of = a};
    if (n->kind != LF_RX_K_CONCAT || lf_rx_at(set, n->a)->kind != LF_RX_K_REPEAT) {
        return;
    }
    const lf_rx_node *repeat = lf_rx_at(set, n->a), *rest = lf_rx_at(set, n->b);
    rest = rest->kind == LF_RX_K_CONCAT ? lf_rx_at(set, rest->a) : rest;
    const lf_rx_node *item = lf_rx_at(set, repeat->a);
    if (item->kind == LF_RX_K_ALT) {
        /* Classes of one list are one class. */
        uint32_t i = 0;
        while (i + 1 < item->b &&
               lf_rx_at(set, set->lists.items[item->a + i])->kind != LF_RX_K_CLASS) {
            i++;
        }
        item = lf_rx_at(set, set->lists.items[item->a + i]);
    }
    if (item->kind != LF_RX_K_CLASS || rest->kind != LF_RX_K_CLASS) {
        return;
    }
    for (int i = 0; i < 4; i++) {
        out->bits[i] = set->classes[item->a].bits[i] & ~set->classes[rest->a].bits[i];
    }
    out->most = repeat->c;
}

/* Whether all nodes below one are in a run. */
static bool is_run(const lf_rx_set *set, lf_rx a, const lf_trie_below *below, run *r)
{
    if (r->of != a) {
        find_run(set, a, r);
    }
    return r->most >= below->depth && (below->bits[0] & ~r->bits[0]) == 0 &&
           (below->bits[1] & ~r->bits[1]) == 0 && (below->bits[2] & ~r->bits[2]) == 0 &&
           (below->bits[3] & ~r->bits[3]) == 0;
}

/* Comes to a node: `a` must follow. True if nodes below it can matter. */
static bool arrive(lf_walk *w, uint32_t at, lf_rx a)
{
    const lf_trie_node *node = &w->trie->nodes[at];
    lf_quota *quota = &w->m->grammar->quota;
    set_tokens(w->trie, node->tokens, node[1].tokens, w->bits);
    if (node->end == at + 1) {
        return false;
    }
    if (lf_rx_nullable(w->m->grammar->rx, a)) {
        lf_list_push(quota, &w->m->exits, at);
        lf_list_push(quota, &w->m->exits, w->stack);
    }
    return a != LF_RX_EMPTY;
}

static void walk_below(lf_walk *w, uint32_t at, lf_rx a)
{
    const lf_trie *t = w->trie;
    lf_rx_set *set = w->m->grammar->rx;
    lf_rx *path = w->m->path;
    run r = {.of = LF_RX_NONE};
    path[t->nodes[at].depth] = a;
    for (uint32_t i = at + 1, end = t->nodes[at].end; i < end && w->steps < w->most; w->steps++) {
        const lf_trie_node *node = &t->nodes[i];
        lf_rx next = lf_rx_next(set, path[node->depth - 1], node->byte);
        if (lf_rx_dead(set, next)) {
            if (set->quota->status != LFM2_OK) {
                return;
            }
            i = node->end;
            continue;
        }
        bool deeper = arrive(w, i, next);
        path[node->depth] = next;
        if (deeper && node->below != 0 && is_run(set, next, &t->below[node->below - 1], &r)) {
            set_tokens(t, node[1].tokens, t->nodes[node->end].tokens, w->bits);
            deeper = false;
        }
        i = deeper ? i + 1 : node->end;
    }
}

/* Sets the bits of the tokens below a node that stay inside an expression, which must follow there,
 * and notes the nodes at which it can end. */
bool lf_walk_from(lf_walk *w, uint32_t at, lf_rx a)
{
    lf_rx_set *set = w->m->grammar->rx;
    bool deeper = true;
    for (int32_t byte; deeper && (byte = lf_rx_first(set, a)) >= 0; w->steps++) {
        at = child_with(w->trie, at, (uint8_t)byte);
        a = at == 0 ? LF_RX_NONE : lf_rx_next(set, a, (uint8_t)byte);
        deeper = !lf_rx_dead(set, a) && arrive(w, at, a);
    }
    if (deeper) {
        walk_below(w, at, a);
    }
    uint32_t steps = w->steps + 1;
    return lf_quota_step(set->quota, steps);
}

/* The bytes with which a state's texts go on, or more. */
static void first_bytes(lf_compiled *m, uint32_t state, uint64_t bits[4])
{
    lf_pushdown *p = &m->pushdown;
    lf_rx_set *set = m->grammar->rx;
    bits[0] = bits[1] = bits[2] = bits[3] = 0;
    for (uint32_t i = 0; i < p->states[state].n; i++) {
        lf_rx a = p->configs[p->states[state].first + i].rx;
        int32_t only = lf_rx_first(set, a);
        uint32_t from = only >= 0 ? (uint32_t)only : 0, to = only >= 0 ? from + 1 : 256;
        for (uint32_t b = from; b < to; b++) {
            bool follows = lf_rx_next(set, a, (uint8_t)b) != LF_RX_NONE;
            bits[b >> 6] |= (uint64_t)follows << (b & 63);
        }
        if (!lf_quota_step(p->quota, 1 + (to - from) / 8)) {
            return; /* most derivatives are known: a step for each eight of them */
        }
    }
}

/* From this number of exits on, computing the first bytes of what follows saves time. */
enum { MANY_EXITS = 16 };

bool lf_walk_cross(lf_walk *w, uint32_t base)
{
    lf_compiled *m = w->m;
    lf_pushdown *p = &m->pushdown;
    bool many = m->exits.n - base > 2 * MANY_EXITS;
    uint64_t first[4] = {0};
    uint32_t known = LF_STATE_NONE; /* the state that `first` is about */
    lf_seen_begin(&m->crossed);
    while (m->exits.n > base) {
        m->exits.n -= 2;
        uint32_t at = m->exits.items[m->exits.n], stack = m->exits.items[m->exits.n + 1];
        const lf_trie_node *node = &w->trie->nodes[at];
        uint32_t state = lf_pushdown_return(p, stack);
        if (many && state != known) {
            first_bytes(m, state, first);
            known = state;
        }
        if (many && node->below != 0) {
            const uint64_t *below = w->trie->below[node->below - 1].bits;
            if (((below[0] & first[0]) | (below[1] & first[1]) | (below[2] & first[2]) |
                 (below[3] & first[3])) == 0) {
                continue;
            }
        }
        if (lf_seen_add(p->quota, &m->crossed, at, stack, 0)) {
            continue;
        }
        for (uint32_t i = 0; i < p->states[state].n; i++) {
            lf_pda_config c = p->configs[p->states[state].first + i];
            w->stack = c.stack;
            w->steps = 0;
            if (!lf_walk_from(w, at, c.rx)) {
                return false;
            }
        }
        if (!lf_quota_step(p->quota, 1)) {
            return false;
        }
    }
    return p->quota->status == LFM2_OK;
}
