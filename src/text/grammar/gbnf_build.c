/* SPDX-License-Identifier: Apache-2.0 */
/* Builds the nodes of a parsed GBNF grammar. Rules are built after those that they use, so a rule
 * that does not use itself is an ordinary value, and all text in it becomes one expression. Rules
 * that use each other form a component of the graph (Tarjan's algorithm) and become rule nodes. */
#include "text/grammar/free_text.h"
#include "text/grammar/gbnf_program.h"

#include "common/utf8.h"

#include <string.h>

/* Rules that use others twice double their size with each level. So expressions are joined up to
 * MOST_TEXT, in characters and operators, and a rule that is a longer sequence is used as a rule
 * node, not as its items. */
enum { MOST_TEXT = 1 << 13 };

/* What an operand is: an expression, or a node. */
typedef struct value {
    uint32_t handle;
    uint32_t size; /* of an expression or a sequence, in characters and operators */
    bool is_text;
    bool nullable; /* it matches the empty string */
} value;

typedef struct rule_state {
    value value;             /* of a rule that is not built yet: what is known so far */
    uint32_t number;         /* in the order of the walk, from 1; 0: not reached */
    uint32_t low;            /* the least number of an open rule that is reached from it */
    uint32_t cursor;         /* the next operation of the walk */
    uint32_t left, left_end; /* its left references that are not followed yet, in `left` */
    bool open;               /* its component is not complete; later: on the path of check_left */
    bool member;             /* of the component that is built */
} rule_state;

typedef struct builder {
    lf_gbnf_program *p;
    rule_state *rules;          /* [n_rules] */
    uint32_t *walk, *component; /* stacks of rules, [n_rules] each */
    uint32_t *path;             /* [n_rules] */
    size_t n_walk, n_component;
    uint32_t n_numbers;
    value *values; /* [n_ops] operands */
    size_t n_values;
    uint32_t *left; /* [n_ops] members of the component with which rules can begin */
    size_t n_left;
    lf_node *nodes; /* [n_ops] */
    lf_rx *texts;   /* [n_ops] */
} builder;

static uint32_t add_sizes(uint32_t a, uint32_t b)
{
    return a > UINT32_MAX - b ? UINT32_MAX : a + b;
}

static lf_node as_node(const builder *b, const value *v)
{
    return v->is_text ? lf_grammar_text(b->p->grammar, v->handle) : v->handle;
}

/* ---- Operators ---- */

static value text_value(const builder *b, lf_rx rx, uint32_t size)
{
    bool nullable = lf_rx_nullable(lf_grammar_rx(b->p->grammar), rx);
    return (value){rx, size, true, nullable};
}

/* Joins neighboring expressions, as far as they are not too large. */
static value sequence(builder *b, const value *items, uint32_t n)
{
    lf_rx_set *set = lf_grammar_rx(b->p->grammar);
    value all = {.nullable = true};
    size_t n_nodes = 0;
    /* From the end, because concatenation is cheap at the front. */
    for (uint32_t end = n; end > 0;) {
        const value *last = &items[end - 1];
        value joined = *last;
        end--;
        while (joined.is_text && end > 0 && items[end - 1].is_text &&
               add_sizes(joined.size, items[end - 1].size) <= MOST_TEXT) {
            joined = text_value(b, lf_rx_concat(set, items[end - 1].handle, joined.handle),
                                joined.size + items[end - 1].size);
            end--;
        }
        if (end == 0 && n_nodes == 0 && joined.is_text) {
            return joined;
        }
        all.size = add_sizes(all.size, joined.size);
        all.nullable = all.nullable && joined.nullable;
        b->nodes[n - ++n_nodes] = as_node(b, &joined);
    }
    all.handle = lf_grammar_sequence(b->p->grammar, b->nodes + (n - n_nodes), n_nodes);
    return all;
}

static value choice(builder *b, const value *items, uint32_t n)
{
    value all = {.size = 1};
    size_t n_texts = 0;
    size_t n_nodes = 0;
    uint32_t size = 0;
    for (uint32_t i = 0; i < n; i++) {
        all.nullable = all.nullable || items[i].nullable;
        if (items[i].is_text && add_sizes(size, items[i].size) <= MOST_TEXT) {
            size += items[i].size;
            b->texts[n_texts++] = items[i].handle;
        } else {
            b->nodes[n_nodes++] = as_node(b, &items[i]);
        }
    }
    if (n_texts > 0) {
        value text =
            text_value(b, lf_rx_alt_many(lf_grammar_rx(b->p->grammar), b->texts, n_texts), size);
        if (n_nodes == 0) {
            return text;
        }
        b->nodes[n_nodes++] = as_node(b, &text);
    }
    all.handle = lf_grammar_choice(b->p->grammar, b->nodes, n_nodes);
    return all;
}

static value repeat(builder *b, const value *item, uint32_t min, uint32_t max)
{
    if (item->is_text) {
        return text_value(b, lf_rx_repeat(lf_grammar_rx(b->p->grammar), item->handle, min, max),
                          add_sizes(item->size, 1));
    }
    return (value){.handle = lf_grammar_repeat(b->p->grammar, item->handle, min, max),
                   .size = 1,
                   .nullable = min == 0 || item->nullable};
}

/* ---- Negated tokens ---- */

/* A node of one character or of one other control token. */
static int32_t not_token(builder *b, int32_t id, value *out)
{
    const lf_gbnf_options *o = b->p->options;
    lf_node unit = LF_NODE_NONE;
    LF_TRY(lf_gbnf_spend(b->p, lf_tokenizer_size(o->tokenizer)));
    LF_TRY(lf_free_unit(b->p->grammar, o->alloc, o->tokenizer, &id, 1, &unit));
    *out = (value){.handle = unit, .size = 1};
    return LFM2_OK;
}

/* Fails unless the operator after a negated token repeats it without limit: a single token of any
 * text cannot be told from two shorter ones. */
static int32_t check_not_token(const builder *b, const lf_gbnf_op *op, const lf_gbnf_rule *rule)
{
    const lf_gbnf_op *next = op + 1;
    bool last = next == b->p->ops + rule->end;
    if (last || next->kind != LF_GBNF_REPEAT || next->a > 1 || next->b != LF_RX_UNLIMITED) {
        return lf_gbnf_fail(b->p, LFM2_E_UNSUPPORTED, "gbnf.token", op->b,
                            "a negated token must be repeated with * or +");
    }
    return LFM2_OK;
}

/* ---- Building a rule ---- */

static int32_t build_op(builder *b, const lf_gbnf_rule *rule, const lf_gbnf_op *op, value *out)
{
    value *top = b->values + b->n_values;
    switch (op->kind) {
    case LF_GBNF_EMPTY:
        *out = text_value(b, LF_RX_EMPTY, 0);
        return LFM2_OK;
    case LF_GBNF_TEXT:
        *out = text_value(b, op->a, op->b);
        return LFM2_OK;
    case LF_GBNF_RULE:
        *out = b->rules[op->a].value;
        return LFM2_OK;
    case LF_GBNF_TOKEN:
        *out = (value){.handle = lf_grammar_token(b->p->grammar, (int32_t)op->a), .size = 1};
        return LFM2_OK;
    case LF_GBNF_NOT_TOKEN:
        LF_TRY(check_not_token(b, op, rule));
        return not_token(b, (int32_t)op->a, out);
    case LF_GBNF_SEQUENCE:
        b->n_values -= op->a;
        *out = sequence(b, top - op->a, op->a);
        return LFM2_OK;
    case LF_GBNF_CHOICE:
        b->n_values -= op->a;
        *out = choice(b, top - op->a, op->a);
        return LFM2_OK;
    default:
        b->n_values -= 1;
        *out = repeat(b, top - 1, op->a, op->b);
        return LFM2_OK;
    }
}

static int32_t build_rule(builder *b, uint32_t index, value *out)
{
    const lf_gbnf_rule *rule = &b->p->rules[index];
    b->n_values = 0;
    for (uint32_t i = rule->begin; i < rule->end; i++) {
        const lf_gbnf_op *op = &b->p->ops[i];
        value made = {0};
        LF_TRY(lf_gbnf_spend(b->p, 1));
        LF_TRY(build_op(b, rule, op, &made));
        b->values[b->n_values++] = made;
    }
    LF_TRY(lf_grammar_status(b->p->grammar));
    *out = b->values[0];
    return LFM2_OK;
}

/* ---- What the rules of a component match ---- */

/* Sets what the result of an operator matches. `size` is where the left references of an operand
 * begin in `left`; those behind an operand that is not empty are removed from there. */
static void examine_operator(builder *b, const lf_gbnf_op *op, const value *items, value *made)
{
    if (op->kind == LF_GBNF_REPEAT) {
        made->nullable = op->a == 0 || items[0].nullable;
        return;
    }
    bool all = op->kind == LF_GBNF_SEQUENCE;
    made->nullable = all;
    for (uint32_t i = 0; i < op->a; i++) {
        if (all && made->nullable && !items[i].nullable && i + 1 < op->a) {
            b->n_left = items[i + 1].size;
        }
        made->nullable =
            all ? made->nullable && items[i].nullable : made->nullable || items[i].nullable;
    }
}

static void examine_operand(builder *b, const lf_gbnf_op *op, value *made)
{
    if (op->kind == LF_GBNF_RULE) {
        const rule_state *used = &b->rules[op->a];
        made->nullable = used->value.nullable;
        if (used->member) {
            b->left[b->n_left++] = op->a;
        }
    } else if (op->kind == LF_GBNF_TEXT) {
        made->nullable = lf_rx_nullable(lf_grammar_rx(b->p->grammar), op->a);
    } else {
        made->nullable = op->kind == LF_GBNF_EMPTY;
    }
}

/* Computes what a rule matches from what is known of the others, and adds to `left` the members of
 * the component with which it can begin. */
static int32_t examine(builder *b, uint32_t index, value *out)
{
    const lf_gbnf_rule *rule = &b->p->rules[index];
    value *stack = b->values;
    size_t n = 0;
    for (uint32_t i = rule->begin; i < rule->end; i++) {
        const lf_gbnf_op *op = &b->p->ops[i];
        bool many = op->kind == LF_GBNF_SEQUENCE || op->kind == LF_GBNF_CHOICE;
        uint32_t operands = many ? op->a : op->kind == LF_GBNF_REPEAT;
        n -= operands;
        value made = {.size = operands > 0 ? stack[n].size : (uint32_t)b->n_left};
        LF_TRY(lf_gbnf_spend(b->p, 1 + operands));
        if (operands > 0) {
            examine_operator(b, op, stack + n, &made);
        } else {
            examine_operand(b, op, &made);
        }
        stack[n++] = made;
    }
    *out = stack[0];
    return LFM2_OK;
}

/* Examines the members until nothing changes, forwards and backwards alternately. In the last round
 * `left` receives the left references of all members. */
static int32_t examine_component(builder *b, const uint32_t *members, size_t n)
{
    bool changed = true;
    for (bool forward = true; changed; forward = !forward) {
        changed = false;
        b->n_left = 0;
        for (size_t i = 0; i < n; i++) {
            rule_state *rule = &b->rules[members[forward ? i : n - 1 - i]];
            value found;
            rule->left = (uint32_t)b->n_left;
            LF_TRY(examine(b, (uint32_t)(rule - b->rules), &found));
            rule->left_end = (uint32_t)b->n_left;
            changed = changed || found.nullable != rule->value.nullable;
            rule->value.nullable = found.nullable;
        }
    }
    return LFM2_OK;
}

/* Fails if a member can begin with itself. A search in depth over the left references: `left` of a
 * rule moves on to its next one, and a rule with `open` is on the path. */
static int32_t check_left(builder *b, uint32_t first)
{
    uint32_t *path = b->path;
    size_t n = 1;
    path[0] = first;
    b->rules[first].open = true;
    while (n > 0) {
        rule_state *rule = &b->rules[path[n - 1]];
        if (rule->left == rule->left_end) {
            rule->open = false;
            n--;
            continue;
        }
        uint32_t next = b->left[rule->left++];
        if (b->rules[next].open) {
            const lf_gbnf_name *name = &b->p->rules[next].name;
            lf_shown shown;
            return lf_gbnf_fail(b->p, LFM2_E_UNSUPPORTED, "gbnf.left_recursion", name->offset,
                                "the rule '%s' can begin with itself (left recursion)",
                                lf_show(&shown, b->p->text + name->offset, name->len));
        }
        if (b->rules[next].left < b->rules[next].left_end) {
            b->rules[next].open = true;
            path[n++] = next;
        }
    }
    return LFM2_OK;
}

/* ---- Components ---- */

/* Builds rules that use each other. */
static int32_t build_recursive(builder *b, const uint32_t *members, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        b->rules[members[i]].value = (value){0};
        b->rules[members[i]].member = true;
    }
    LF_TRY(examine_component(b, members, n));
    for (size_t i = 0; i < n; i++) {
        LF_TRY(check_left(b, members[i]));
    }
    for (size_t i = 0; i < n; i++) {
        value *v = &b->rules[members[i]].value;
        v->handle = lf_grammar_rule(b->p->grammar);
        v->size = 1;
    }
    for (size_t i = 0; i < n; i++) {
        const value *v = &b->rules[members[i]].value;
        value body = {0};
        LF_TRY(build_rule(b, members[i], &body));
        lf_grammar_define(b->p->grammar, v->handle, as_node(b, &body));
        b->rules[members[i]].member = false;
    }
    return LFM2_OK;
}

static bool uses(const builder *b, uint32_t index, uint32_t used)
{
    const lf_gbnf_rule *rule = &b->p->rules[index];
    for (uint32_t i = rule->begin; i < rule->end; i++) {
        if (b->p->ops[i].kind == LF_GBNF_RULE && b->p->ops[i].a == used) {
            return true;
        }
    }
    return false;
}

/* Builds the component whose first rule is `root`; its members are the last of the stack. */
static int32_t build_component(builder *b, uint32_t root)
{
    size_t first = b->n_component;
    do {
        first--;
        b->rules[b->component[first]].open = false;
    } while (b->component[first] != root);
    size_t n = b->n_component - first;
    b->n_component = first;
    if (n > 1 || uses(b, root, root)) {
        return build_recursive(b, b->component + first, n);
    }
    value *v = &b->rules[root].value;
    LF_TRY(build_rule(b, root, v));
    if (!v->is_text && v->size > MOST_TEXT) {
        lf_node node = lf_grammar_rule(b->p->grammar);
        lf_grammar_define(b->p->grammar, node, as_node(b, v));
        *v = (value){node, 1, false, v->nullable};
    }
    return LFM2_OK;
}

static void enter(builder *b, uint32_t index)
{
    rule_state *rule = &b->rules[index];
    rule->number = rule->low = ++b->n_numbers;
    rule->cursor = b->p->rules[index].begin;
    rule->open = true;
    b->walk[b->n_walk++] = index;
    b->component[b->n_component++] = index;
}

/* Walks the rules that the root needs; components end in the order in which they can be built. */
static int32_t walk(builder *b)
{
    enter(b, b->p->root);
    while (b->n_walk > 0) {
        uint32_t index = b->walk[b->n_walk - 1];
        rule_state *rule = &b->rules[index];
        if (rule->cursor < b->p->rules[index].end) {
            const lf_gbnf_op *op = &b->p->ops[rule->cursor++];
            rule_state *used = op->kind == LF_GBNF_RULE ? &b->rules[op->a] : NULL;
            if (used != NULL && used->number == 0) {
                enter(b, op->a);
            } else if (used != NULL && used->open && used->number < rule->low) {
                rule->low = used->number;
            }
            continue;
        }
        b->n_walk--;
        if (b->n_walk > 0) {
            rule_state *user = &b->rules[b->walk[b->n_walk - 1]];
            user->low = rule->low < user->low ? rule->low : user->low;
        }
        if (rule->low == rule->number) {
            LF_TRY(build_component(b, index));
        }
    }
    return LFM2_OK;
}

/* The arrays are as long as any rule can need. */
static int32_t allocate(builder *b)
{
    lf_gbnf_program *p = b->p;
    size_t bytes_rule = sizeof *b->rules + 3 * sizeof(uint32_t);
    size_t bytes_op = sizeof *b->values + 3 * sizeof(uint32_t);
    size_t limit = p->options->limits->memory / LF_GBNF_SHARE;
    void *memory = NULL;
    if (p->arena.total > limit ||
        p->n_rules * bytes_rule + p->n_ops * bytes_op > limit - p->arena.total) {
        return lf_fail(LFM2_E_LIMIT, "gbnf.memory", "grammar: it takes more than %zu bytes", limit);
    }
    LF_TRY(lf_arena_new(&p->arena, p->n_rules, sizeof *b->rules, "grammar", &memory));
    b->rules = memory;
    memset(b->rules, 0, p->n_rules * sizeof *b->rules);
    LF_TRY(lf_arena_new(&p->arena, p->n_ops, sizeof *b->values, "grammar", &memory));
    b->values = memory;
    LF_TRY(lf_arena_new(&p->arena, 3 * p->n_rules + 3 * p->n_ops, sizeof(uint32_t), "grammar",
                        &memory));
    b->walk = memory;
    b->component = b->walk + p->n_rules;
    b->path = b->component + p->n_rules;
    b->left = b->path + p->n_rules;
    b->nodes = b->left + p->n_ops;
    b->texts = b->nodes + p->n_ops;
    return LFM2_OK;
}

int32_t lf_gbnf_nodes(lf_gbnf_program *p, lf_node *out)
{
    builder b = {.p = p};
    LF_TRY(allocate(&b));
    LF_TRY(walk(&b));
    *out = as_node(&b, &b.rules[p->root].value);
    return LFM2_OK;
}
