/* SPDX-License-Identifier: Apache-2.0 */
/* Implements stacks, states and transitions. */
#include "text/grammar/pushdown.h"

#include <string.h>

/* ---- Stacks ---- */

static uint32_t hash_frame(lf_node node, uint32_t a, uint32_t b, uint32_t parent)
{
    return lf_hash_add(lf_hash_add(lf_hash_add(node, a), b), parent);
}

/* The frame of what follows; LF_NO_ID after a failure or where nesting is too deep. */
static uint32_t push_frame(lf_pushdown *p, lf_node node, uint32_t a, uint32_t b, uint32_t parent)
{
    uint32_t hash = hash_frame(node, a, b, parent);
    uint32_t at = hash;
    for (uint32_t id; (id = lf_table_next(p->quota, &p->frame_table, hash, &at)) != LF_NO_ID;) {
        const lf_pda_frame *f = &p->frames[id];
        if (f->node == node && f->a == a && f->b == b && f->parent == parent) {
            return id;
        }
    }
    uint32_t depth = p->n_frames == 0 ? 0 : p->frames[parent].depth + 1;
    if (depth > p->quota->limits.stack) {
        p->cut = true;
        return LF_NO_ID;
    }
    void *frames = p->frames;
    bool ok =
        lf_quota_step(p->quota, 1) && lf_quota_grow(p->quota, &frames, &p->frame_capacity,
                                                    (size_t)p->n_frames + 1, sizeof *p->frames);
    p->frames = frames;
    if (!ok || !lf_table_add(p->quota, &p->frame_table, hash, p->n_frames)) {
        return LF_NO_ID;
    }
    p->frames[p->n_frames] =
        (lf_pda_frame){.node = node, .a = a, .b = b, .parent = parent, .depth = depth};
    return p->n_frames++;
}

/* ---- Closures ---- */

/* Whether the closure has entered a node on this stack before; of a repetition, with at least as
 * many items to come. */
static bool seen(lf_pushdown *p, lf_node node, uint32_t stack, uint32_t max)
{
    return lf_seen_add(p->quota, &p->seen, node, stack, max);
}

static void begin_closure(lf_pushdown *p)
{
    if (++p->mark == 0) {
        p->mark = 1;
        for (uint32_t i = 0; i < p->n_frames; i++) {
            p->frames[i].mark = 0;
        }
    }
    lf_seen_begin(&p->seen);
    p->n_found = 0;
    p->pending.n = p->returns.n = 0;
    p->end = p->cut = false;
}

static bool add_config(lf_pushdown *p, lf_rx rx, uint32_t stack)
{
    if (p->n_found == p->found_capacity) {
        void *found = p->found;
        bool ok = lf_quota_grow(p->quota, &found, &p->found_capacity, (size_t)p->n_found + 1,
                                sizeof *p->found);
        p->found = found;
        if (!ok) {
            return false;
        }
    }
    p->found[p->n_found++] = (lf_pda_config){rx, stack};
    return true;
}

static bool add_entry(lf_pushdown *p, lf_node node, uint32_t stack)
{
    return stack == LF_NO_ID || (p->props[node] & LF_PROP_PRODUCTIVE) == 0 ||
           (lf_list_push(p->quota, &p->pending, node) &&
            lf_list_push(p->quota, &p->pending, stack));
}

/* A text of this stack has ended. */
static bool add_return(lf_pushdown *p, uint32_t stack)
{
    if (stack == LF_STACK_EMPTY) {
        p->end = true;
        return true;
    }
    if (p->frames[stack].mark == p->mark) {
        return true;
    }
    p->frames[stack].mark = p->mark;
    return lf_list_push(p->quota, &p->returns, stack);
}

static bool enter_sequence(lf_pushdown *p, lf_node node, uint32_t index, uint32_t parent)
{
    lf_grammar_node n = p->grammar->nodes[node];
    uint32_t stack = index + 1 < n.b ? push_frame(p, node, index + 1, 0, parent) : parent;
    return add_entry(p, p->grammar->lists.items[n.a + index], stack);
}

static bool enter_repeat(lf_pushdown *p, lf_node node, uint32_t min, uint32_t max, uint32_t parent)
{
    lf_node item = p->grammar->nodes[node].a;
    min = (p->props[item] & LF_PROP_NULLABLE) != 0 ? 0 : min;
    if (min == 0 && !add_return(p, parent)) {
        return false;
    }
    if (max == 0 || (min == 0 && seen(p, node, parent, max))) {
        return true;
    }
    uint32_t rest = max == LF_RX_UNLIMITED ? max : max - 1;
    uint32_t stack = rest == 0 ? parent : push_frame(p, node, min > 0 ? min - 1 : 0, rest, parent);
    return add_entry(p, item, stack);
}

static bool enter(lf_pushdown *p, lf_node node, uint32_t stack)
{
    lf_grammar_node n = p->grammar->nodes[node];
    switch (n.kind) {
    case LF_NODE_K_EMPTY:
        return add_return(p, stack);
    case LF_NODE_K_TEXT:
        return (!lf_rx_nullable(p->grammar->rx, n.a) || add_return(p, stack)) &&
               add_config(p, n.a, stack);
    case LF_NODE_K_SEQUENCE:
        return enter_sequence(p, node, 0, stack);
    case LF_NODE_K_REPEAT:
        return enter_repeat(p, node, n.b, n.c, stack);
    case LF_NODE_K_RULE:
        return seen(p, node, stack, 0) || add_entry(p, n.a, stack);
    case LF_NODE_K_CHOICE:
        if (seen(p, node, stack, 0)) {
            return true;
        }
        for (uint32_t i = 0; i < n.b; i++) {
            if (!add_entry(p, p->grammar->lists.items[n.a + i], stack)) {
                return false;
            }
        }
        return true;
    default:
        return true;
    }
}

static void close_entries(lf_pushdown *p)
{
    bool ok = true;
    while (ok && (p->pending.n > 0 || p->returns.n > 0) && lf_quota_step(p->quota, 1)) {
        if (p->pending.n > 0) {
            uint32_t stack = p->pending.items[p->pending.n - 1];
            lf_node node = p->pending.items[p->pending.n - 2];
            p->pending.n -= 2;
            ok = enter(p, node, stack);
        } else {
            lf_pda_frame f = p->frames[p->returns.items[--p->returns.n]];
            ok = p->grammar->nodes[f.node].kind == LF_NODE_K_SEQUENCE
                     ? enter_sequence(p, f.node, f.a, f.parent)
                     : enter_repeat(p, f.node, f.a, f.b, f.parent);
        }
    }
}

/* ---- States ---- */

enum { SORT_STEPS = 4 }; /* of sorting and comparing a configuration */

static void sort_found(lf_pushdown *p)
{
    if (p->n_found > 1 && lf_quota_step(p->quota, SORT_STEPS * (uint64_t)p->n_found)) {
        p->n_found = (uint32_t)lf_sort_unique(&p->found->rx, p->n_found, 2);
    }
}

static uint32_t hash_state(const lf_pda_config *configs, uint32_t n, bool end, bool cut)
{
    uint32_t hash = lf_hash_add(end, cut);
    for (uint32_t i = 0; i < n; i++) {
        hash = lf_hash_add(lf_hash_add(hash, configs[i].rx), configs[i].stack);
    }
    return hash;
}

static uint32_t add_state(lf_pushdown *p, uint32_t hash)
{
    lf_quota *quota = p->quota;
    void *states = p->states, *configs = p->configs;
    bool ok = lf_quota_step(quota, 1) && lf_quota_grow(quota, &states, &p->state_capacity,
                                                       (size_t)p->n_states + 1, sizeof *p->states);
    p->states = states;
    ok = ok && lf_quota_grow(quota, &configs, &p->config_capacity,
                             (size_t)p->n_configs + p->n_found, sizeof *p->configs);
    p->configs = configs;
    if (!ok || !lf_table_add(quota, &p->state_table, hash, p->n_states)) {
        return LF_STATE_NONE;
    }
    if (p->n_found > 0) {
        memcpy(p->configs + p->n_configs, p->found, p->n_found * sizeof *p->found);
    }
    p->states[p->n_states] =
        (lf_pda_state){.first = p->n_configs, .n = p->n_found, .end = p->end, .cut = p->cut};
    p->n_configs += p->n_found;
    return p->n_states++;
}

/* The state of the configurations that the closure has found. */
static uint32_t intern_found(lf_pushdown *p)
{
    close_entries(p);
    if (p->quota->status != LFM2_OK) {
        return LF_STATE_NONE;
    }
    sort_found(p);
    uint32_t hash = hash_state(p->found, p->n_found, p->end, p->cut);
    uint32_t at = hash;
    for (uint32_t id; (id = lf_table_next(p->quota, &p->state_table, hash, &at)) != LF_NO_ID;) {
        const lf_pda_state *s = &p->states[id];
        if (s->n == p->n_found && s->end == p->end && s->cut == p->cut &&
            (s->n == 0 || memcmp(&p->configs[s->first], p->found, s->n * sizeof *p->found) == 0)) {
            return id;
        }
    }
    return p->quota->status == LFM2_OK ? add_state(p, hash) : LF_STATE_NONE;
}

uint32_t lf_pushdown_return(lf_pushdown *p, uint32_t stack)
{
    if (p->frames[stack].state == LF_STATE_NONE) {
        begin_closure(p);
        add_return(p, stack);
        uint32_t state = intern_found(p); /* may move the frames */
        p->frames[stack].state = state;
    }
    return p->frames[stack].state;
}

/* ---- Transitions ---- */

/* Replaces the configurations that were found by those after `byte`. False: there are none, or a
 * failure. */
static bool step(lf_pushdown *p, uint8_t byte)
{
    lf_rx_set *rx = p->grammar->rx;
    lf_pda_config *before = p->found;
    uint32_t n = p->n_found, capacity = p->found_capacity;
    p->found = p->before;
    p->found_capacity = p->before_capacity;
    p->before = before;
    p->before_capacity = capacity;
    begin_closure(p);
    for (uint32_t i = 0; i < n && lf_quota_step(p->quota, 1); i++) {
        lf_rx next = lf_rx_derive(rx, before[i].rx, byte);
        if (lf_rx_dead(rx, next)) {
            continue;
        }
        if (lf_rx_nullable(rx, next) && !add_return(p, before[i].stack)) {
            break;
        }
        if (next != LF_RX_EMPTY && !add_config(p, next, before[i].stack)) {
            break;
        }
    }
    close_entries(p);
    sort_found(p);
    return p->quota->status == LFM2_OK && (p->n_found > 0 || p->end);
}

uint32_t lf_pushdown_advance(lf_pushdown *p, uint32_t state, const char *bytes, size_t len,
                             size_t *wrong, bool *cut)
{
    if (len == 0) {
        return state;
    }
    lf_pda_state s = p->states[state];
    begin_closure(p);
    p->cut = s.cut;
    for (uint32_t i = 0; i < s.n; i++) {
        lf_pda_config c = p->configs[s.first + i];
        if (!add_config(p, c.rx, c.stack)) {
            return LF_STATE_NONE;
        }
    }
    for (size_t i = 0; i < len; i++) {
        bool was_cut = p->cut;
        if (!lf_quota_step(p->quota, 1) || !step(p, (uint8_t)bytes[i])) {
            *wrong = i;
            *cut = was_cut || p->cut;
            return LF_STATE_NONE;
        }
    }
    return intern_found(p);
}

/* Adds the bytes that can follow in an expression to a set. False: there are more than one. */
static bool find_forced(lf_pushdown *p, lf_rx a, int32_t *found)
{
    lf_rx_set *rx = p->grammar->rx;
    int32_t first = lf_rx_first(rx, a);
    uint64_t covered[4] = {0};
    for (uint32_t b = first >= 0 ? (uint32_t)first : 0; b < 256; b++) {
        if ((covered[b >> 6] >> (b & 63) & 1) != 0) {
            continue;
        }
        uint64_t same[4] = {UINT64_MAX, UINT64_MAX, UINT64_MAX, UINT64_MAX};
        lf_rx next = lf_rx_derive_same(rx, a, (uint8_t)b, same);
        if (!lf_quota_step(p->quota, 1)) {
            return false;
        }
        if (!lf_rx_dead(rx, next)) {
            same[b >> 6] &= ~((uint64_t)1 << (b & 63));
            if ((*found >= 0 && *found != (int32_t)b) ||
                (same[0] | same[1] | same[2] | same[3]) != 0) {
                return false;
            }
            *found = (int32_t)b;
        }
        for (int i = 0; i < 4; i++) {
            covered[i] |= same[i];
        }
        if (first >= 0) {
            break;
        }
    }
    return p->quota->status == LFM2_OK;
}

int32_t lf_pushdown_forced(lf_pushdown *p, uint32_t state)
{
    int32_t found = LF_FORCED_NONE;
    for (uint32_t i = 0; i < p->states[state].n && !p->states[state].end; i++) {
        if (!find_forced(p, p->configs[p->states[state].first + i].rx, &found)) {
            return LF_FORCED_NONE;
        }
    }
    return found;
}

/* ---- Making room ---- */

/* Removes the frames that no configuration needs. Frames keep their order, so a frame still comes
 * after the one below it. While they move, `state` of a place is the new number of the frame that
 * was there. */
static void compact_frames(lf_pushdown *p)
{
    begin_closure(p);
    p->frames[LF_STACK_EMPTY].mark = p->mark;
    for (uint32_t i = 0; i < p->n_configs; i++) {
        p->frames[p->configs[i].stack].mark = p->mark;
    }
    for (uint32_t i = p->n_frames; i-- > 0;) {
        if (p->frames[i].mark == p->mark) {
            p->frames[p->frames[i].parent].mark = p->mark;
        }
    }
    uint32_t n = 0;
    for (uint32_t i = 0; i < p->n_frames; i++) {
        n += p->frames[i].mark == p->mark;
    }
    lf_table_shrink(p->quota, &p->frame_table, n);
    n = 0;
    for (uint32_t i = 0; i < p->n_frames; i++) {
        if (p->frames[i].mark != p->mark) {
            continue;
        }
        p->frames[i].state = n;
        lf_pda_frame f = p->frames[i];
        f.parent = p->frames[f.parent].state;
        f.state = p->frames[n].state;
        f.mark = n == i ? f.mark : 0;
        p->frames[n] = f;
        lf_table_add(p->quota, &p->frame_table, hash_frame(f.node, f.a, f.b, f.parent), n);
        n++;
    }
    for (uint32_t i = 0; i < p->n_configs; i++) {
        p->configs[i].stack = p->frames[p->configs[i].stack].state;
    }
    for (uint32_t i = 0; i < n; i++) {
        p->frames[i].state = LF_STATE_NONE;
    }
    p->n_frames = n;
}

void lf_pushdown_compact(lf_pushdown *p)
{
    lf_rx_set *rx = p->grammar->rx;
    uint32_t n = 0, n_configs = 0;
    for (uint32_t i = 0; i < p->n_states; i++) {
        lf_pda_state s = p->states[i];
        if (s.mask == 0) {
            continue;
        }
        if (s.n > 0) {
            memmove(p->configs + n_configs, p->configs + s.first, s.n * sizeof *p->configs);
        }
        p->states[i].mask = n;
        s.first = n_configs;
        s.mask = p->states[n].mask;
        p->states[n++] = s;
        n_configs += s.n;
    }
    p->n_configs = n_configs;
    for (uint32_t i = 0; i < n_configs; i++) {
        lf_rx_keep(rx, p->configs[i].rx);
    }
    lf_rx_compact(rx);
    for (uint32_t i = 0; i < n_configs; i++) {
        p->configs[i].rx = lf_rx_moved(rx, p->configs[i].rx);
    }
    lf_rx_forget(rx);
    compact_frames(p);
    lf_table_shrink(p->quota, &p->state_table, n);
    for (uint32_t i = 0; i < n; i++) {
        const lf_pda_state *s = &p->states[i];
        uint32_t hash = hash_state(p->configs + s->first, s->n, s->end, s->cut);
        lf_table_add(p->quota, &p->state_table, hash, i);
    }
    p->start = p->states[p->start].mask;
    p->n_states = n;
}

void lf_pushdown_forget(lf_pushdown *p)
{
    lf_quota *quota = p->quota;
    void *states = p->states, *configs = p->configs, *frames = p->frames;
    void *found = p->found, *before = p->before;
    for (uint32_t i = 0; i < p->n_states; i++) {
        p->states[i].mask = 0;
    }
    lf_quota_shrink(quota, &states, &p->state_capacity, p->n_states, sizeof *p->states);
    lf_quota_shrink(quota, &configs, &p->config_capacity, p->n_configs, sizeof *p->configs);
    lf_quota_shrink(quota, &frames, &p->frame_capacity, p->n_frames, sizeof *p->frames);
    lf_quota_shrink(quota, &found, &p->found_capacity, 0, sizeof *p->found);
    lf_quota_shrink(quota, &before, &p->before_capacity, 0, sizeof *p->before);
    p->states = states;
    p->configs = configs;
    p->frames = frames;
    p->found = found;
    p->before = before;
    p->pending.n = p->returns.n = p->n_found = 0;
    lf_list_shrink(quota, &p->pending);
    lf_list_shrink(quota, &p->returns);
    lf_seen_free(quota, &p->seen);
}

/* ---- Creation ---- */

int32_t lf_pushdown_init(lf_pushdown *p, lf_grammar *grammar, lf_node root)
{
    lf_quota *quota = &grammar->quota;
    *p = (lf_pushdown){.quota = quota, .grammar = grammar};
    void *props = NULL;
    if (!lf_quota_grow(quota, &props, &p->n_props, grammar->n_nodes, 1)) {
        return quota->status;
    }
    p->props = props;
    if (!lf_grammar_analyse(grammar, p->props)) {
        return quota->status;
    }
    if ((p->props[root] & LF_PROP_PRODUCTIVE) == 0) {
        return lf_fail(LFM2_E_TEXT, "constraint.empty", "no text satisfies the constraint");
    }
    if (lf_grammar_left_recursive(grammar, p->props, root)) {
        return lf_fail(LFM2_E_TEXT, "constraint.recursion",
                       "a rule of the grammar begins with itself (left recursion)");
    }
    begin_closure(p);
    intern_found(p); /* LF_STATE_NONE */
    if (quota->status == LFM2_OK) {
        begin_closure(p);
        push_frame(p, LF_NODE_NONE, 0, 0, 0); /* LF_STACK_EMPTY */
        add_entry(p, root, LF_STACK_EMPTY);
        p->start = intern_found(p);
    }
    return quota->status;
}

void lf_pushdown_free(lf_pushdown *p)
{
    lf_quota *quota = p->quota;
    if (quota == NULL) {
        return;
    }
    lf_quota_free(quota, p->props, p->n_props, 1);
    lf_quota_free(quota, p->frames, p->frame_capacity, sizeof *p->frames);
    lf_quota_free(quota, p->configs, p->config_capacity, sizeof *p->configs);
    lf_quota_free(quota, p->states, p->state_capacity, sizeof *p->states);
    lf_quota_free(quota, p->found, p->found_capacity, sizeof *p->found);
    lf_quota_free(quota, p->before, p->before_capacity, sizeof *p->before);
    lf_seen_free(quota, &p->seen);
    lf_list_free(quota, &p->pending);
    lf_list_free(quota, &p->returns);
    lf_table_free(quota, &p->frame_table);
    lf_table_free(quota, &p->state_table);
}
