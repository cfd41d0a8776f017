/* SPDX-License-Identifier: Apache-2.0 */
/* The grammar of arrays: items of a prefix, then others; items that must be contained are counted;
 * distinct items are drawn from a small set. */
#include "text/grammar/schema_internal.h"

enum {
    MAX_STATES = 4000, /* of the counters, or of sets of distinct items */
    MAX_KINDS = 3,     /* schemas of `contains` at once */
    MAX_DISTINCT = 12
};

typedef struct array {
    lf_schema *s;
    const lf_shape *shape;
    uint32_t prefix;
    uint32_t min, max;
} array;

static lf_node pair(lf_schema *s, lf_node a, lf_node b)
{
    const lf_node items[2] = {a, b};
    return lf_grammar_sequence(s->grammar, items, 2);
}

static lf_node either(lf_schema *s, lf_node a, lf_node b)
{
    const lf_node items[2] = {a, b};
    return lf_grammar_choice(s->grammar, items, 2);
}

static lf_node separated(lf_schema *s, bool first, lf_node item)
{
    return first ? item : pair(s, lf_schema_separator(s), item);
}

/* ---- Items in order ---- */

static int32_t item_node(const array *a, uint32_t i, lf_node *out)
{
    uint32_t node = 0;
    LF_TRY(lf_schema_item_node(a->s, a->shape, i, NULL, 0, &node));
    return lf_schema_reference(a->s, node, out);
}

static int32_t plain(const array *a, lf_node *out)
{
    lf_schema *s = a->s;
    const uint32_t n = a->prefix < a->max ? a->prefix : a->max;
    lf_node rest = LF_NODE_NONE;
    lf_node close = lf_schema_close(s, ']', true);
    LF_TRY(item_node(a, a->prefix, &rest));
    /* What follows the first i items, the closing bracket included. */
    lf_node next = LF_NODE_NONE;
    const uint32_t min = a->min > n ? a->min - n : 0;
    const uint32_t max = a->max == LF_RX_UNLIMITED ? a->max : a->max - n;
    if (max > 0 && rest != LF_NODE_NONE) {
        const uint32_t more = max == LF_RX_UNLIMITED ? max : max - 1;
        lf_node repeated = pair(s, lf_schema_separator(s), rest);
        if (n > 0) {
            next = pair(s, lf_grammar_repeat(s->grammar, repeated, min, max), close);
        } else {
            const lf_node some[3] = {
                rest, lf_grammar_repeat(s->grammar, repeated, min > 0 ? min - 1 : 0, more), close};
            next = lf_grammar_sequence(s->grammar, some, 3);
        }
    } else if (min == 0 && n > 0) {
        next = close;
    }
    if (n == 0 && a->min == 0) {
        next = either(s, lf_schema_close(s, ']', false), next);
    }
    for (uint32_t i = n; i-- > 0;) {
        lf_node item = LF_NODE_NONE;
        LF_TRY(item_node(a, i, &item));
        lf_node with = item == LF_NODE_NONE || next == LF_NODE_NONE
                           ? LF_NODE_NONE
                           : pair(s, separated(s, i == 0, item), next);
        next = i >= a->min ? either(s, lf_schema_close(s, ']', i > 0), with) : with;
    }
    *out = next;
    return lf_grammar_status(s->grammar);
}

/* ---- contains ---- */

typedef struct counter {
    array a;
    uint32_t n; /* kinds */
    lf_contains kinds[MAX_KINDS];
    uint32_t sizes[MAX_KINDS]; /* counts that are told apart */
    uint32_t combined;         /* their product */
    uint32_t positions;        /* that are told apart; the last one repeats */
    lf_node *rules;
} counter;

/* The node of items at a position that satisfy the kinds in `hits` (and, where that is counted, not
 * the others). */
static int32_t counted_item(const counter *c, uint32_t at, uint32_t hits, lf_node *out)
{
    lf_lit also[MAX_KINDS];
    uint32_t n = 0;
    uint32_t node = 0;
    for (uint32_t k = 0; k < c->n; k++) {
        if (hits >> k & 1) {
            also[n++] = c->kinds[k].lit;
        } else if (at >= c->kinds[k].from && c->kinds[k].max != LF_RX_UNLIMITED) {
            also[n++] = c->kinds[k].lit ^ 1;
        }
    }
    LF_TRY(lf_schema_item_node(c->a.s, c->a.shape, at < c->a.prefix ? at : c->a.prefix, also, n,
                               &node));
    return lf_schema_reference(c->a.s, node, out);
}

/* The counts after an item; false: too many. */
static bool count_hits(const counter *c, uint32_t at, uint32_t counts, uint32_t hits, uint32_t *out)
{
    uint32_t unit = 1;
    *out = counts;
    for (uint32_t k = 0; k < c->n; k++) {
        const uint32_t count = counts / unit % c->sizes[k];
        if (hits >> k & 1) {
            if (at < c->kinds[k].from || count == c->kinds[k].max) {
                return false;
            }
            *out += count + 1 < c->sizes[k] ? unit : 0;
        }
        unit *= c->sizes[k];
    }
    return true;
}

static bool may_end(const counter *c, uint32_t at, uint32_t counts)
{
    uint32_t unit = 1;
    for (uint32_t k = 0; k < c->n; k++) {
        if (counts / unit % c->sizes[k] < c->kinds[k].min) {
            return false;
        }
        unit *= c->sizes[k];
    }
    return at >= c->a.min;
}

static int32_t define(const counter *c, uint32_t at, uint32_t counts)
{
    lf_schema *s = c->a.s;
    lf_node choice[(1 << MAX_KINDS) + 1];
    size_t n = 0;
    if (may_end(c, at, counts)) {
        choice[n++] = lf_schema_close(s, ']', at > 0);
    }
    for (uint32_t hits = 0; hits < 1u << c->n && at < c->a.max; hits++) {
        uint32_t after = 0;
        lf_node item = LF_NODE_NONE;
        LF_TRY(lf_schema_step(s, 4));
        if (!count_hits(c, at, counts, hits, &after)) {
            continue;
        }
        LF_TRY(counted_item(c, at, hits, &item));
        if (item != LF_NODE_NONE) {
            const uint32_t next = at + 1 < c->positions ? at + 1 : at;
            choice[n++] =
                pair(s, separated(s, at == 0, item), c->rules[(size_t)next * c->combined + after]);
        }
    }
    lf_grammar_define(s->grammar, c->rules[(size_t)at * c->combined + counts],
                      lf_grammar_choice(s->grammar, choice, n));
    return lf_grammar_status(s->grammar);
}

static int32_t read_kinds(counter *c)
{
    c->combined = 1;
    c->positions = c->a.prefix > c->a.min ? c->a.prefix : c->a.min;
    for (const lf_contains *x = c->a.shape->contains; x != NULL; x = x->before) {
        if (c->n == MAX_KINDS) {
            return LFM2_E_LIMIT;
        }
        const uint32_t top = x->max != LF_RX_UNLIMITED && x->max > x->min ? x->max : x->min;
        if (top > MAX_STATES || x->from > MAX_STATES) {
            return LFM2_E_LIMIT;
        }
        c->kinds[c->n] = *x;
        c->sizes[c->n] = top + 1;
        c->combined *= top + 1;
        c->n++;
        c->positions = x->from > c->positions ? x->from : c->positions;
        if (c->combined > MAX_STATES) {
            return LFM2_E_LIMIT;
        }
    }
    if (c->a.max != LF_RX_UNLIMITED && c->a.max > c->positions) {
        c->positions = c->a.max;
    }
    /* Position 0 has no comma before it, so it does not repeat. */
    c->positions = (c->positions > 0 ? c->positions : 1) + 1;
    return c->positions <= MAX_STATES && c->positions * c->combined <= MAX_STATES ? LFM2_OK
                                                                                  : LFM2_E_LIMIT;
}

static int32_t counted(const array *a, lf_node *out)
{
    counter c = {.a = *a};
    lf_schema *s = a->s;
    void *memory = NULL;
    if (read_kinds(&c) != LFM2_OK) {
        LF_TRY(lf_schema_cannot(s, "contains", "needs too many states"));
        return plain(a, out);
    }
    LF_TRY(lf_schema_new(s, (size_t)c.positions * c.combined, sizeof(lf_node), &memory));
    c.rules = memory;
    for (uint32_t i = 0; i < c.positions * c.combined; i++) {
        c.rules[i] = lf_grammar_rule(s->grammar);
    }
    for (uint32_t at = 0; at < c.positions; at++) {
        for (uint32_t counts = 0; counts < c.combined; counts++) {
            LF_TRY(define(&c, at, counts));
        }
    }
    *out = c.rules[0];
    return lf_grammar_status(s->grammar);
}

/* ---- uniqueItems ---- */

/* Every set of items that can be in an array has a rule: what may follow it. */
static int32_t distinct(const array *a, const lf_rx *texts, uint32_t n, lf_node *out)
{
    lf_schema *s = a->s;
    void *memory = NULL;
    const uint32_t sets = (uint32_t)1 << n;
    LF_TRY(lf_schema_step(s, sets));
    LF_TRY(lf_schema_new(s, sets, sizeof(lf_node), &memory));
    lf_node *rest = memory;
    lf_node items[MAX_DISTINCT];
    for (uint32_t i = 0; i < n; i++) {
        items[i] = lf_grammar_text(s->grammar, texts[i]);
    }
    for (uint32_t set = sets; set-- > 0;) {
        lf_node choice[MAX_DISTINCT + 1];
        size_t n_choice = 0;
        uint32_t count = 0;
        for (uint32_t i = 0; i < n; i++) {
            count += set >> i & 1;
        }
        if (count >= a->min && count <= a->max) {
            choice[n_choice++] = lf_schema_close(s, ']', set != 0);
        }
        for (uint32_t i = 0; i < n && count < a->max; i++) {
            lf_node next = set >> i & 1 ? LF_NODE_NONE : rest[set | (uint32_t)1 << i];
            if (next != LF_NODE_NONE) {
                choice[n_choice++] = pair(s, separated(s, set == 0, items[i]), next);
            }
        }
        rest[set] = lf_grammar_choice(s->grammar, choice, n_choice);
    }
    *out = rest[0];
    return lf_grammar_status(s->grammar);
}

static int32_t unique(const array *a, lf_node *out)
{
    lf_schema *s = a->s;
    lf_rx texts[MAX_DISTINCT];
    uint32_t n = 0;
    uint32_t node = 0;
    bool finite = a->prefix == 0 && a->shape->contains == NULL;
    if (finite) {
        LF_TRY(lf_schema_item_node(s, a->shape, 0, NULL, 0, &node));
        LF_TRY(lf_schema_finite(s, node, texts, MAX_DISTINCT - 3, &n, &finite));
    }
    if (finite) {
        return distinct(a, texts, n, out);
    }
    if (!s->options->lenient) {
        return lf_schema_fail(s, LFM2_E_UNSUPPORTED, a->shape->unique->number, "uniqueItems",
                              "is supported only for items that are one of a few constants");
    }
    LF_TRY(lf_schema_ignore(s, a->shape->unique->number, "uniqueItems",
                            "is supported only for items that are one of a few constants"));
    return a->shape->contains != NULL ? counted(a, out) : plain(a, out);
}

int32_t lf_schema_array_node(lf_schema *s, const lf_shape *shape, lf_node *out)
{
    const array a = {.s = s,
                     .shape = shape,
                     .prefix = lf_schema_prefix_of(shape),
                     .min = shape->min_length,
                     .max = shape->max_length};
    lf_node body = LF_NODE_NONE;
    lf_node rest = LF_NODE_NONE;
    bool single = a.max <= 1;
    if (shape->unique != NULL && !single && a.prefix <= 1 && shape->contains == NULL) {
        /* Nothing may follow the first item. */
        LF_TRY(item_node(&a, a.prefix, &rest));
        single = rest == LF_NODE_NONE;
    }
    if (shape->unique != NULL && !single) {
        LF_TRY(unique(&a, &body));
    } else if (shape->contains != NULL) {
        LF_TRY(counted(&a, &body));
    } else {
        LF_TRY(plain(&a, &body));
    }
    *out = body == LF_NODE_NONE ? LF_NODE_NONE : pair(s, lf_schema_open(s, '['), body);
    return lf_grammar_status(s->grammar);
}
