/* SPDX-License-Identifier: Apache-2.0 */
/* From a document to a grammar: reads the schema, expands nodes and writes their rules, one after
 * the other. */
#include "text/grammar/schema_internal.h"

#include <string.h>

/* ---- Punctuation ---- */

enum { MAX_INDENT = 64 };

static lf_rx space_of(lf_schema *s)
{
    static const uint64_t blank[4] = {1u << 9 | (uint64_t)1 << 32};
    lf_rx_set *rx = s->rx;
    if (!s->has_space) {
        s->has_space = true;
        s->space = LF_RX_EMPTY;
        if (s->options->space == LF_SCHEMA_SPACE_FLEXIBLE) {
            lf_rx line = lf_rx_concat(rx, lf_rx_text(rx, "\n", 1),
                                      lf_rx_repeat(rx, lf_rx_byte_class(rx, blank), 0, MAX_INDENT));
            s->space = lf_rx_alt(rx, LF_RX_EMPTY, lf_rx_alt(rx, lf_rx_text(rx, " ", 1), line));
        }
    }
    return s->space;
}

/* A comma or colon with the white space around it. */
static lf_rx mark(lf_schema *s, const char *text)
{
    lf_rx_set *rx = s->rx;
    const bool one = s->options->space == LF_SCHEMA_SPACE_JSON;
    lf_rx after = one ? lf_rx_text(rx, " ", 1) : space_of(s);
    return lf_rx_concat(rx, space_of(s), lf_rx_concat(rx, lf_rx_text(rx, text, 1), after));
}

lf_node lf_schema_open(lf_schema *s, char bracket)
{
    if (s->in_arguments) {
        return LF_NODE_EMPTY;
    }
    return lf_grammar_text(s->grammar,
                           lf_rx_concat(s->rx, lf_rx_text(s->rx, &bracket, 1), space_of(s)));
}

lf_node lf_schema_close(lf_schema *s, char bracket, bool after)
{
    if (s->in_arguments) {
        return LF_NODE_EMPTY;
    }
    lf_rx text = lf_rx_text(s->rx, &bracket, 1);
    return lf_grammar_text(s->grammar, after ? lf_rx_concat(s->rx, space_of(s), text) : text);
}

lf_node lf_schema_separator(lf_schema *s)
{
    if (s->separator == LF_NODE_NONE) {
        s->separator = lf_grammar_text(s->grammar, mark(s, ","));
    }
    return s->separator;
}

lf_node lf_schema_key(lf_schema *s, lf_rx key)
{
    lf_rx_set *rx = s->rx;
    if (s->in_arguments) {
        return lf_grammar_text(s->grammar, lf_rx_concat(rx, key, lf_rx_text(rx, "=", 1)));
    }
    if (s->options->python) {
        return lf_grammar_text(s->grammar,
                               lf_rx_concat(rx, lf_schema_quoted(s, key), mark(s, ":")));
    }
    lf_rx quote = lf_rx_text(rx, "\"", 1);
    if (s->colon == LF_RX_NONE) {
        s->colon = lf_rx_concat(rx, quote, mark(s, ":"));
    }
    return lf_grammar_text(s->grammar, lf_rx_concat(rx, quote, lf_rx_concat(rx, key, s->colon)));
}

/* ---- Nodes ---- */

/* Whether all values of a node are scalars: then it needs no rule. */
static bool is_scalar(const lf_value_node *node)
{
    for (const lf_product *p = node->products; p != NULL; p = p->next) {
        if ((p->shape.types & ~LF_TYPE_SCALARS) != 0) {
            return false;
        }
    }
    return true;
}

static int32_t body_of(lf_schema *s, uint32_t node, lf_node *out)
{
    s->node = node;
    void *memory = NULL;
    uint32_t count = 0;
    size_t n = 0;
    lf_rx scalars = LF_RX_NONE;
    for (const lf_product *p = s->nodes[node].products; p != NULL; p = p->next) {
        count++;
    }
    LF_TRY(lf_schema_new(s, (size_t)count * 3 + 1, sizeof(lf_node), &memory));
    lf_node *choice = memory;
    for (const lf_product *p = s->nodes[node].products; p != NULL; p = p->next) {
        lf_rx rx = LF_RX_NONE;
        lf_node one = LF_NODE_NONE;
        LF_TRY(lf_schema_scalar(s, &p->shape, &rx, &one));
        scalars = lf_rx_alt(s->rx, scalars, rx);
        if (one != LF_NODE_NONE) {
            choice[n++] = one;
        }
        if (p->shape.types & LF_TYPE_ARRAY) {
            LF_TRY(lf_schema_array_node(s, &p->shape, &choice[n]));
            n += choice[n] != LF_NODE_NONE;
        }
        if (p->shape.types & LF_TYPE_OBJECT) {
            LF_TRY(lf_schema_object_node(s, &p->shape, &choice[n]));
            n += choice[n] != LF_NODE_NONE;
        }
    }
    if (scalars != LF_RX_NONE) {
        choice[n++] = lf_grammar_text(s->grammar, scalars);
    }
    *out = lf_grammar_choice(s->grammar, choice, n);
    return lf_grammar_status(s->grammar);
}

int32_t lf_schema_reference(lf_schema *s, uint32_t node, lf_node *out)
{
    if (!s->nodes[node].built) {
        lf_node made = LF_NODE_NONE;
        LF_TRY(lf_schema_expand(s, node));
        if (is_scalar(&s->nodes[node])) {
            const uint32_t outer = s->node;
            LF_TRY(body_of(s, node, &made));
            s->node = outer;
        } else {
            void *items = s->queue;
            LF_TRY(lf_schema_grow(s, &items, &s->cap_queue, s->n_queue + 1, sizeof *s->queue));
            s->queue = items;
            s->queue[s->n_queue++] = node;
            made = lf_grammar_rule(s->grammar);
        }
        s->nodes[node].out = made;
        s->nodes[node].built = true;
    }
    *out = s->nodes[node].out;
    return lf_grammar_status(s->grammar);
}

static int32_t write_rules(lf_schema *s)
{
    for (uint32_t i = 0; i < s->n_queue; i++) {
        const uint32_t node = s->queue[i];
        lf_node body = LF_NODE_NONE;
        LF_TRY(body_of(s, node, &body));
        lf_grammar_define(s->grammar, s->nodes[node].out, body);
    }
    return lf_grammar_status(s->grammar);
}

/* The objects among the values of the root, as arguments of a call. */
static int32_t arguments_of(lf_schema *s, uint32_t node, lf_node *out)
{
    *out = LF_NODE_NONE;
    LF_TRY(lf_schema_expand(s, node));
    for (const lf_product *p = s->nodes[node].products; p != NULL; p = p->next) {
        lf_node either[2] = {*out, LF_NODE_NONE};
        if ((p->shape.types & LF_TYPE_OBJECT) != 0) {
            s->in_arguments = true;
            const int32_t status = lf_schema_object_node(s, &p->shape, &either[1]);
            s->in_arguments = false;
            LF_TRY(status);
            *out = lf_grammar_choice(s->grammar, either, 2);
        }
    }
    return LFM2_OK;
}

/* ---- Documents ---- */

static void read_draft(lf_schema *s, const lf_json *schema)
{
    static const struct {
        const char *part;
        lf_schema_draft draft;
    } drafts[] = {{"draft-03", LF_DRAFT_4}, {"draft-04", LF_DRAFT_4},   {"draft-06", LF_DRAFT_6},
                  {"draft-07", LF_DRAFT_7}, {"2019-09", LF_DRAFT_2019}, {"2020-12", LF_DRAFT_2020}};
    const lf_json *uri = lf_json_get(schema, "$schema");
    s->draft = LF_DRAFT_2020;
    s->any_draft = true;
    for (size_t i = 0; i < sizeof drafts / sizeof *drafts; i++) {
        if (uri != NULL && uri->kind == LF_JSON_STRING && strstr(uri->text, drafts[i].part)) {
            s->draft = drafts[i].draft;
            s->any_draft = false;
        }
    }
}

static int32_t compile(lf_schema *s, const lf_json *schema, lf_node *out)
{
    static const lf_json always = {.kind = LF_JSON_TRUE};
    uint32_t place = 0;
    uint32_t node = 0;
    read_draft(s, schema);
    void *places = NULL;
    LF_TRY(lf_schema_grow(s, &places, &s->cap_places, 8, sizeof *s->places));
    s->places = places;
    LF_TRY(lf_schema_place(s, (lf_place){.value = &always, .index = LF_NO_INDEX}, &place));
    LF_TRY(lf_schema_place(s, (lf_place){.value = schema, .parent = LF_ROOT, .index = LF_NO_INDEX},
                           &place));
    const lf_lit lit = schema->kind == LF_JSON_TRUE    ? LF_LIT_TRUE
                       : schema->kind == LF_JSON_FALSE ? LF_LIT_FALSE
                                                       : LF_ROOT << 1;
    LF_TRY(lf_schema_node(s, &lit, 1, &node));
    LF_TRY(s->options->arguments ? arguments_of(s, node, out) : lf_schema_reference(s, node, out));
    LF_TRY(write_rules(s));
    LF_TRY(lf_rx_status(s->rx));
    if (*out == LF_NODE_NONE) {
        return lf_fail(LFM2_E_TEXT, "schema.empty", "no value is valid under the schema");
    }
    return LFM2_OK;
}

int32_t lf_schema_build_json(lf_grammar *grammar, const lf_schema_options *options,
                             const lf_json *schema, lf_node *out)
{
    lf_schema s = {.options = options,
                   .grammar = grammar,
                   .rx = lf_grammar_rx(grammar),
                   .steps = options->limits->compile_steps};
    *out = LF_NODE_NONE;
    lf_arena_init(&s.arena, options->alloc);
    const int32_t status = compile(&s, schema, out);
    lf_schema_free_arena(&s, &s.arena);
    return status;
}

int32_t lf_schema_build(lf_grammar *grammar, const lf_schema_options *options, const char *text,
                        size_t len, lf_node *out)
{
    const lf_json *schema = NULL;
    lf_arena arena;
    lf_arena_init(&arena, options->alloc);
    int32_t status = lf_grammar_json(options->limits, &arena, "schema", text, len, &schema);
    if (status == LFM2_OK) {
        lf_grammar_charge(grammar, arena.total);
        status = lf_schema_build_json(grammar, options, schema, out);
        lf_grammar_refund(grammar, arena.total);
    }
    lf_arena_free(&arena);
    return status;
}
