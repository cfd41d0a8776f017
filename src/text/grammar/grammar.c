/* SPDX-License-Identifier: Apache-2.0 */
/* Implements the construction of grammars. */
#include "text/grammar/grammar_nodes.h"

#include <string.h>

static lf_node intern(lf_grammar *g, lf_node_kind kind, uint32_t a, uint32_t b, uint32_t c)
{
    bool list = kind == LF_NODE_K_SEQUENCE || kind == LF_NODE_K_CHOICE;
    uint32_t hash = lf_hash_add(kind, b);
    for (uint32_t i = 0; list && i < b; i++) {
        hash = lf_hash_add(hash, g->lists.items[a + i]);
    }
    hash = list ? hash : lf_hash_add(lf_hash_add(hash, a), c);
    uint32_t at = hash;
    /* Two rules that have no body yet have the same contents, but will get different bodies. */
    while (kind != LF_NODE_K_RULE) {
        uint32_t id = lf_table_next(&g->quota, &g->table, hash, &at);
        if (id == LF_NO_ID) {
            break;
        }
        const lf_grammar_node *n = &g->nodes[id];
        if (n->kind == kind && n->b == b && n->c == c &&
            (n->a == a || (list && memcmp(&g->lists.items[n->a], &g->lists.items[a],
                                          b * sizeof(uint32_t)) == 0))) {
            return id;
        }
    }
    void *nodes = g->nodes;
    bool ok =
        lf_quota_step(&g->quota, 1) && lf_quota_grow(&g->quota, &nodes, &g->node_capacity,
                                                     (size_t)g->n_nodes + 1, sizeof *g->nodes);
    g->nodes = nodes;
    if (!ok || (kind != LF_NODE_K_RULE && !lf_table_add(&g->quota, &g->table, hash, g->n_nodes))) {
        return LF_NODE_NONE;
    }
    g->nodes[g->n_nodes] = (lf_grammar_node){.kind = (uint8_t)kind, .a = a, .b = b, .c = c};
    return g->n_nodes++;
}

int32_t lf_grammar_create(const lf_alloc *alloc, const lf_grammar_limits *limits, lf_grammar **out)
{
    void *p = NULL;
    LF_TRY(lf_new_zero(alloc, 1, sizeof **out, "grammar", &p));
    lf_grammar *g = p;
    g->quota = (lf_quota){.alloc = *alloc, .limits = *limits, .steps = limits->compile_steps};
    int32_t status = lf_rx_set_create(&g->quota, &g->rx);
    if (status == LFM2_OK) {
        intern(g, LF_NODE_K_NONE, 0, 0, 0);
        intern(g, LF_NODE_K_EMPTY, 0, 0, 0);
        status = g->quota.status;
    }
    if (status != LFM2_OK) {
        lf_grammar_free(g);
        return status;
    }
    *out = g;
    return LFM2_OK;
}

void lf_grammar_free(lf_grammar *grammar)
{
    if (grammar == NULL) {
        return;
    }
    lf_quota *quota = &grammar->quota;
    lf_rx_set_free(grammar->rx);
    lf_quota_free(quota, grammar->nodes, grammar->node_capacity, sizeof *grammar->nodes);
    lf_list_free(quota, &grammar->lists);
    lf_list_free(quota, &grammar->work);
    lf_table_free(quota, &grammar->table);
    lf_alloc alloc = quota->alloc;
    lf_free(&alloc, grammar, 1, sizeof *grammar);
}

size_t lf_grammar_left(const lf_grammar *grammar)
{
    return lf_quota_left(&grammar->quota);
}

void lf_grammar_charge(lf_grammar *grammar, size_t bytes)
{
    grammar->quota.charged += bytes;
}

void lf_grammar_refund(lf_grammar *grammar, size_t bytes)
{
    grammar->quota.charged -= bytes;
}

lf_rx_set *lf_grammar_rx(lf_grammar *grammar)
{
    return grammar->rx;
}

int32_t lf_grammar_status(const lf_grammar *grammar)
{
    return grammar->quota.status;
}

/* ---- Terminals ---- */

static lf_node text_node(lf_grammar *g, lf_rx rx)
{
    if (rx <= LF_RX_EMPTY) {
        return rx == LF_RX_EMPTY ? LF_NODE_EMPTY : LF_NODE_NONE;
    }
    return intern(g, LF_NODE_K_TEXT, rx, 0, 0);
}

lf_node lf_grammar_text(lf_grammar *grammar, lf_rx rx)
{
    if ((lf_rx_at(grammar->rx, rx)->flags & LF_RX_F_CONTROL) != 0) {
        rx = lf_rx_and(grammar->rx, rx, lf_rx_utf8(grammar->rx));
    }
    return text_node(grammar, rx);
}

void lf_token_spell(int32_t id, char out[LF_TOKEN_SPELLING])
{
    out[0] = (char)0xFF;
    for (int i = 1; i < LF_TOKEN_SPELLING; i++) {
        out[i] = (char)(id >> (7 * (i - 1)) & 0x7F);
    }
}

lf_node lf_grammar_token(lf_grammar *grammar, int32_t id)
{
    char spelling[LF_TOKEN_SPELLING];
    lf_token_spell(id, spelling);
    return text_node(grammar, lf_rx_text(grammar->rx, spelling, sizeof spelling));
}

/* ---- Lists ---- */

/* Moves the items of g->work from `base` on to a new node. */
static lf_node make_list(lf_grammar *g, lf_node_kind kind, uint32_t base)
{
    uint32_t n = g->work.n - base, begin = g->lists.n;
    lf_node result = LF_NODE_NONE;
    if (n == 0) {
        return kind == LF_NODE_K_SEQUENCE ? LF_NODE_EMPTY : LF_NODE_NONE;
    }
    if (n == 1) {
        result = g->work.items[base];
        g->work.n = base;
        return result;
    }
    for (uint32_t i = base; i < g->work.n; i++) {
        if (!lf_list_push(&g->quota, &g->lists, g->work.items[i])) {
            break;
        }
    }
    if (g->quota.status == LFM2_OK) {
        uint32_t nodes = g->n_nodes;
        result = intern(g, kind, begin, n, 0);
        begin = g->n_nodes == nodes ? begin : g->lists.n;
    }
    g->lists.n = begin;
    g->work.n = base;
    return result;
}

/* Whether an expression is a sequence of single bytes. */
static bool is_bytes(const lf_rx_set *set, lf_rx a)
{
    while (lf_rx_at(set, a)->kind == LF_RX_K_CONCAT) {
        if (lf_rx_at(set, lf_rx_at(set, a)->a)->kind != LF_RX_K_CLASS) {
            return false;
        }
        a = lf_rx_at(set, a)->b;
    }
    return lf_rx_at(set, a)->kind == LF_RX_K_CLASS;
}

/* Adds an item to a sequence. Fixed bytes become the beginning of a text that follows them. */
static void add_to_sequence(lf_grammar *g, uint32_t base, lf_node item)
{
    lf_grammar_node n = g->nodes[item];
    if (n.kind == LF_NODE_K_TEXT && g->work.n > base) {
        lf_grammar_node last = g->nodes[g->work.items[g->work.n - 1]];
        if (last.kind == LF_NODE_K_TEXT && is_bytes(g->rx, last.a)) {
            g->work.items[g->work.n - 1] = text_node(g, lf_rx_concat(g->rx, last.a, n.a));
            return;
        }
    }
    lf_list_push(&g->quota, &g->work, item);
}

lf_node lf_grammar_sequence(lf_grammar *grammar, const lf_node *items, size_t n)
{
    uint32_t base = grammar->work.n;
    for (size_t i = 0; i < n && grammar->quota.status == LFM2_OK; i++) {
        lf_grammar_node node = grammar->nodes[items[i]];
        if (node.kind == LF_NODE_K_NONE) {
            grammar->work.n = base;
            return LF_NODE_NONE;
        }
        if (node.kind == LF_NODE_K_SEQUENCE) {
            for (uint32_t k = 0; k < node.b && lf_quota_step(&grammar->quota, 1); k++) {
                add_to_sequence(grammar, base, grammar->lists.items[node.a + k]);
            }
        } else if (node.kind != LF_NODE_K_EMPTY) {
            add_to_sequence(grammar, base, items[i]);
        }
    }
    if (grammar->quota.status != LFM2_OK) {
        grammar->work.n = base;
        return LF_NODE_NONE;
    }
    return make_list(grammar, LF_NODE_K_SEQUENCE, base);
}

/* Adds an alternative: texts to the expression's list, others to the grammar's. */
static bool add_to_choice(lf_grammar *g, lf_node item)
{
    const lf_grammar_node *n = &g->nodes[item];
    if (n->kind == LF_NODE_K_TEXT) {
        return lf_list_push(&g->quota, &g->rx->work, n->a);
    }
    return n->kind == LF_NODE_K_NONE || lf_list_push(&g->quota, &g->work, item);
}

/* Texts become one text: the alternation of their expressions. */
lf_node lf_grammar_choice(lf_grammar *grammar, const lf_node *items, size_t n)
{
    uint32_t base = grammar->work.n, texts = grammar->rx->work.n;
    bool ok = lf_quota_step(&grammar->quota, n);
    for (size_t i = 0; ok && i < n; i++) {
        lf_grammar_node node = grammar->nodes[items[i]];
        if (node.kind != LF_NODE_K_CHOICE) {
            ok = add_to_choice(grammar, items[i]);
        }
        for (uint32_t k = 0; ok && node.kind == LF_NODE_K_CHOICE && k < node.b; k++) {
            ok = lf_quota_step(&grammar->quota, 1) &&
                 add_to_choice(grammar, grammar->lists.items[node.a + k]);
        }
    }
    lf_node text = text_node(grammar, lf_rx_join(grammar->rx, texts, false));
    if (text != LF_NODE_NONE) {
        lf_list_push(&grammar->quota, &grammar->work, text);
    }
    if (grammar->quota.status != LFM2_OK) {
        grammar->work.n = base;
        return LF_NODE_NONE;
    }
    uint32_t *items_added = lf_list_from(&grammar->work, base);
    grammar->work.n = base + (uint32_t)lf_sort_unique(items_added, grammar->work.n - base, 1);
    return make_list(grammar, LF_NODE_K_CHOICE, base);
}

lf_node lf_grammar_repeat(lf_grammar *grammar, lf_node item, uint32_t min, uint32_t max)
{
    lf_grammar_node n = grammar->nodes[item];
    if (max < min || (item == LF_NODE_NONE && min > 0)) {
        return LF_NODE_NONE;
    }
    if (max == 0 || item <= LF_NODE_EMPTY) {
        return LF_NODE_EMPTY;
    }
    if (min == 1 && max == 1) {
        return item;
    }
    if (n.kind == LF_NODE_K_TEXT && (lf_rx_at(grammar->rx, n.a)->flags & LF_RX_F_LOOP) == 0) {
        return text_node(grammar, lf_rx_repeat(grammar->rx, n.a, min, max));
    }
    return intern(grammar, LF_NODE_K_REPEAT, item, min, max);
}

lf_node lf_grammar_rule(lf_grammar *grammar)
{
    return intern(grammar, LF_NODE_K_RULE, LF_NODE_NONE, 0, 0);
}

void lf_grammar_define(lf_grammar *grammar, lf_node rule, lf_node body)
{
    if (grammar->nodes[rule].kind == LF_NODE_K_RULE) {
        grammar->nodes[rule].a = body;
    }
}
