/* SPDX-License-Identifier: Apache-2.0 */
/* Finds out which nodes of a grammar match the empty text, which match anything, and whether rules
 * begin with themselves. */
#include "text/grammar/pushdown.h"

#include <string.h>

typedef struct analysis {
    lf_grammar *g;
    uint8_t *props;
    uint8_t prop;    /* the one that is being computed */
    uint32_t *begin; /* parents of node i: parents[begin[i] .. begin[i + 1] - 1] */
    uint32_t *parents;
    uint32_t begin_capacity, n_edges; /* n_edges: of `parents` */
    uint32_t *missing;                /* of a sequence: items that do not have the property */
    lf_list work;
} analysis;

/* The children of a node. */
static uint32_t children(const lf_grammar *g, lf_node node, const uint32_t **items)
{
    const lf_grammar_node *n = &g->nodes[node];
    switch (n->kind) {
    case LF_NODE_K_SEQUENCE:
    case LF_NODE_K_CHOICE:
        *items = &g->lists.items[n->a];
        return n->b;
    case LF_NODE_K_REPEAT:
    case LF_NODE_K_RULE:
        *items = &n->a;
        return 1;
    default:
        return 0;
    }
}

/* Fills `begin` and `parents`. */
static bool find_parents(analysis *x)
{
    const lf_grammar *g = x->g;
    const uint32_t *items = NULL;
    lf_quota *quota = &x->g->quota;
    void *p = NULL;
    if (!lf_quota_grow(quota, &p, &x->begin_capacity, 2 * ((size_t)g->n_nodes + 2),
                       sizeof(uint32_t))) {
        return false;
    }
    x->begin = p;
    memset(x->begin, 0, x->begin_capacity * sizeof(uint32_t));
    x->missing = x->begin + g->n_nodes + 2;
    uint32_t total = 0;
    for (lf_node i = 0; i < g->n_nodes; i++) {
        uint32_t n = children(g, i, &items);
        for (uint32_t k = 0; k < n; k++) {
            x->begin[items[k] + 2]++;
        }
        total += n;
    }
    p = NULL;
    if (!lf_quota_step(quota, g->n_nodes + (uint64_t)total) ||
        !lf_quota_grow(quota, &p, &x->n_edges, total, sizeof(uint32_t))) {
        return false;
    }
    x->parents = p;
    for (lf_node i = 0; i < g->n_nodes; i++) {
        x->begin[i + 1] += x->begin[i];
    }
    for (lf_node i = 0; i < g->n_nodes; i++) {
        uint32_t n = children(g, i, &items);
        for (uint32_t k = 0; k < n; k++) {
            x->parents[x->begin[items[k] + 1]++] = i;
        }
    }
    return true;
}

static bool set_prop(analysis *x, lf_node node)
{
    if ((x->props[node] & x->prop) != 0) {
        return true;
    }
    x->props[node] |= x->prop;
    return lf_list_push(&x->g->quota, &x->work, node);
}

/* Whether a node has the property whatever its children are. */
static bool has_by_itself(analysis *x, lf_node node)
{
    const lf_grammar_node *n = &x->g->nodes[node];
    switch (n->kind) {
    case LF_NODE_K_EMPTY:
        return true;
    case LF_NODE_K_TEXT:
        return x->prop == LF_PROP_NULLABLE ? lf_rx_nullable(x->g->rx, n->a)
                                           : !lf_rx_is_none(x->g->rx, n->a);
    case LF_NODE_K_REPEAT:
        return n->b == 0;
    default:
        return false;
    }
}

/* From the leaves up: each edge is followed once. */
static bool propagate(analysis *x, uint8_t prop)
{
    lf_grammar *g = x->g;
    x->prop = prop;
    for (lf_node i = 0; i < g->n_nodes; i++) {
        const lf_grammar_node *n = &g->nodes[i];
        x->missing[i] = n->kind == LF_NODE_K_SEQUENCE ? n->b : 1;
        if (has_by_itself(x, i) && !set_prop(x, i)) {
            return false;
        }
    }
    while (x->work.n > 0 && lf_quota_step(&g->quota, 1)) {
        lf_node node = x->work.items[--x->work.n];
        for (uint32_t k = x->begin[node]; k < x->begin[node + 1]; k++) {
            lf_node parent = x->parents[k];
            if (x->missing[parent] > 0 && --x->missing[parent] == 0 && !set_prop(x, parent)) {
                return false;
            }
        }
    }
    return g->quota.status == LFM2_OK;
}

bool lf_grammar_analyse(lf_grammar *grammar, uint8_t *props)
{
    analysis x = {.g = grammar, .props = props};
    memset(props, 0, grammar->n_nodes);
    bool ok =
        find_parents(&x) && propagate(&x, LF_PROP_PRODUCTIVE) && propagate(&x, LF_PROP_NULLABLE);
    lf_quota *quota = &grammar->quota;
    lf_quota_free(quota, x.begin, x.begin_capacity, sizeof(uint32_t));
    lf_quota_free(quota, x.parents, x.n_edges, sizeof(uint32_t));
    lf_list_free(quota, &x.work);
    return ok;
}

/* ---- Left recursion ---- */

/* Tarjan's search for strongly connected components, over the edges to what a node can begin
 * with. */
typedef struct search {
    lf_grammar *g;
    const uint8_t *props;
    uint32_t *order;     /* of the visit, from 1; 0: not visited */
    uint32_t *low;       /* the first node in `order` that can be reached; DONE: left */
    uint32_t *member_of; /* the component, as the node at which it was left */
    uint32_t count;
    lf_list path; /* pairs: a node, and the child that is next */
    lf_list component;
} search;

#define DONE UINT32_MAX

/* Child k of what a node can begin with; false: no more. `*pushes`: something follows it. */
static bool corner(const search *s, lf_node node, uint32_t k, lf_node *child, bool *pushes)
{
    const lf_grammar_node *n = &s->g->nodes[node];
    const uint32_t *items = NULL;
    uint32_t count = children(s->g, node, &items);
    if (k >= count) {
        return false;
    }
    if (n->kind == LF_NODE_K_SEQUENCE && k > 0 &&
        (s->props[items[k - 1]] & LF_PROP_NULLABLE) == 0) {
        return false;
    }
    *child = items[k];
    *pushes = (n->kind == LF_NODE_K_SEQUENCE && k + 1 < count) ||
              (n->kind == LF_NODE_K_REPEAT && n->c > 1);
    return true;
}

static bool visit(search *s, lf_node node)
{
    lf_quota *quota = &s->g->quota;
    s->order[node] = s->low[node] = ++s->count;
    return lf_quota_step(quota, 1) && lf_list_push(quota, &s->component, node) &&
           lf_list_push(quota, &s->path, node) && lf_list_push(quota, &s->path, 0);
}

static void leave(search *s, lf_node node)
{
    s->path.n -= 2;
    if (s->low[node] == s->order[node]) {
        lf_node member;
        do {
            member = s->component.items[--s->component.n];
            s->low[member] = DONE;
            s->member_of[member] = node;
        } while (member != node);
    }
    if (s->path.n > 0) {
        lf_node parent = s->path.items[s->path.n - 2];
        s->low[parent] = s->low[node] < s->low[parent] ? s->low[node] : s->low[parent];
    }
}

static bool find_components(search *s, lf_node root)
{
    bool ok = visit(s, root);
    while (ok && s->path.n > 0) {
        lf_node node = s->path.items[s->path.n - 2], child;
        uint32_t k = s->path.items[s->path.n - 1]++;
        bool pushes = false;
        if (!corner(s, node, k, &child, &pushes)) {
            leave(s, node);
        } else if ((s->props[child] & LF_PROP_PRODUCTIVE) == 0) {
            continue;
        } else if (s->order[child] == 0) {
            ok = visit(s, child);
        } else if (s->low[child] != DONE && s->order[child] < s->low[node]) {
            s->low[node] = s->order[child];
        }
    }
    return ok;
}

/* Whether an edge with something after it lies on a circle: both its ends are in one component. */
static bool has_pushing_circle(const search *s)
{
    for (lf_node node = 0; node < s->g->n_nodes; node++) {
        lf_node child;
        bool pushes = false;
        for (uint32_t k = 0; s->order[node] != 0 && corner(s, node, k, &child, &pushes); k++) {
            if (pushes && s->member_of[child] == s->member_of[node]) {
                return true;
            }
        }
    }
    return false;
}

bool lf_grammar_left_recursive(lf_grammar *grammar, const uint8_t *props, lf_node root)
{
    lf_quota *quota = &grammar->quota;
    uint32_t capacity = 0;
    void *p = NULL;
    if (!lf_quota_grow(quota, &p, &capacity, 3 * (size_t)grammar->n_nodes, sizeof(uint32_t))) {
        return false;
    }
    search s = {.g = grammar, .props = props, .order = p};
    memset(s.order, 0, capacity * sizeof(uint32_t));
    s.low = s.order + grammar->n_nodes;
    s.member_of = s.low + grammar->n_nodes;
    bool found = find_components(&s, root) && has_pushing_circle(&s);
    lf_quota_free(quota, s.order, capacity, sizeof(uint32_t));
    lf_list_free(quota, &s.path);
    lf_list_free(quota, &s.component);
    return found;
}
