/* SPDX-License-Identifier: Apache-2.0 */
/* Children of a shape: the conditions of each property and of each item, from all schemas that the
 * shape joins. */
#include "text/grammar/schema_internal.h"

#include "common/utf8.h"

#include <string.h>

enum { MAX_EXTRAS = 32 }; /* kinds of additional keys */

/* ---- Keys ---- */

static int32_t spell_name(lf_schema *s, const struct lf_name *n, lf_rx *out)
{
    const char *text = n->text;
    size_t left = n->len;
    void *memory = NULL;
    uint32_t count = 0;
    LF_TRY(lf_schema_new(s, n->len, sizeof(lf_rx), &memory));
    LF_TRY(lf_schema_step(s, n->len));
    lf_rx *parts = memory;
    while (left > 0) {
        uint32_t c = 0;
        const size_t size = lf_utf8_decode((const uint8_t *)text, left, &c);
        parts[count++] = lf_schema_spell(s, c, c);
        text += size;
        left -= size;
    }
    *out = LF_RX_EMPTY;
    while (count > 0) {
        *out = lf_rx_concat(s->rx, parts[--count], *out);
    }
    return lf_rx_status(s->rx);
}

int32_t lf_schema_name_rx(lf_schema *s, uint32_t name, lf_rx *out)
{
    void *items = s->name_rx;
    LF_TRY(lf_schema_grow(s, &items, &s->cap_name_rx, s->names.n, sizeof *s->name_rx));
    s->name_rx = items;
    if (s->name_rx[name] == LF_RX_NONE) {
        LF_TRY(spell_name(s, &s->names.items[name], &s->name_rx[name]));
    }
    *out = s->name_rx[name];
    return LFM2_OK;
}

int32_t lf_schema_key_rx(lf_schema *s, lf_lit lit, lf_rx *out)
{
    uint32_t node = 0;
    *out = LF_RX_NONE;
    LF_TRY(lf_schema_node(s, &lit, 1, &node));
    if (s->nodes[node].expanding) {
        return lf_schema_fail(s, LFM2_E_UNSUPPORTED, lit >> 1, NULL, "keys depend on themselves");
    }
    LF_TRY(lf_schema_expand(s, node));
    for (const lf_product *p = s->nodes[node].products; p != NULL; p = p->next) {
        lf_shape text = p->shape;
        lf_rx rx = LF_RX_NONE;
        if (text.types & LF_TYPE_STRING) {
            LF_TRY(lf_schema_strings(s, &text, true, &rx));
            *out = lf_rx_alt(s->rx, *out, rx);
        }
    }
    return lf_rx_status(s->rx);
}

static int32_t key_language(lf_schema *s, const lf_shape *shape, lf_rx *out)
{
    *out = lf_schema_any_text(s);
    for (const lf_numbers *k = shape->keys; k != NULL; k = k->before) {
        lf_rx one = LF_RX_NONE;
        LF_TRY(lf_schema_key_rx(s, k->value, &one));
        *out = *out == lf_schema_any_text(s) ? one : lf_rx_and(s->rx, *out, one);
    }
    return LFM2_OK;
}

/* ---- Fields ---- */

/* The clauses of a shape in order. */
static int32_t clauses_of(lf_schema *s, lf_arena *arena, const lf_shape *shape,
                          const lf_clause ***out, uint32_t *n)
{
    void *memory = NULL;
    *n = 0;
    for (const lf_clause *c = shape->clauses; c != NULL; c = c->before) {
        ++*n;
    }
    LF_TRY(lf_schema_new_in(s, arena, *n, sizeof(const lf_clause *), &memory));
    *out = memory;
    uint32_t at = *n;
    for (const lf_clause *c = shape->clauses; c != NULL; c = c->before) {
        (*out)[--at] = c;
    }
    return LFM2_OK;
}

typedef struct fields {
    lf_arena *arena;
    lf_field *items;
    uint32_t n, capacity;
} fields;

static int32_t add_field(lf_schema *s, fields *f, uint32_t name)
{
    if (s->names.items[name].value != 0) {
        return LFM2_OK;
    }
    void *items = f->items;
    LF_TRY(lf_schema_grow_in(s, f->arena, &items, &f->capacity, f->n + 1, sizeof(lf_field)));
    f->items = items;
    f->items[f->n++] = (lf_field){.name = name};
    s->names.items[name].value = f->n;
    return LFM2_OK;
}

static int32_t collect(lf_schema *s, const lf_shape *shape, const lf_clause **clauses, uint32_t n,
                       fields *f)
{
    for (uint32_t i = 0; i < n; i++) {
        LF_TRY(lf_schema_step(s, clauses[i]->n_members));
        for (uint32_t k = 0; k < clauses[i]->n_members; k++) {
            LF_TRY(add_field(s, f, clauses[i]->members[k].name));
        }
    }
    uint32_t n_required = 0;
    for (const lf_numbers *r = shape->required; r != NULL; r = r->before) {
        n_required++;
    }
    void *memory = NULL;
    LF_TRY(lf_schema_new_in(s, f->arena, n_required, sizeof(uint32_t), &memory));
    uint32_t *order = memory;
    uint32_t at = n_required;
    for (const lf_numbers *r = shape->required; r != NULL; r = r->before) {
        order[--at] = r->value;
    }
    for (uint32_t i = 0; i < n_required; i++) {
        LF_TRY(add_field(s, f, order[i]));
        f->items[s->names.items[order[i]].value - 1].required = true;
    }
    return LFM2_OK;
}

/* The conditions of a clause on a name that its patterns may match; appends them to lits. */
static int32_t add_patterns(lf_schema *s, const lf_clause *c, uint32_t name, bool listed,
                            lf_lit *lits, uint32_t *n)
{
    for (uint32_t i = 0; i < c->n_patterns; i++) {
        bool matches = false;
        const struct lf_name *text = &s->names.items[name];
        LF_TRY(lf_schema_matches(s, s->pattern_rx[c->patterns[i].name], text->text, text->len,
                                 &matches));
        if (matches) {
            lits[(*n)++] = c->patterns[i].lit;
            listed = true;
        }
    }
    if (!listed) {
        lits[(*n)++] = c->extra;
    }
    return LFM2_OK;
}

/* Row i of `lits` receives the conditions of field i, counts[i] of them. */
static int32_t gather(lf_schema *s, const lf_clause **clauses, uint32_t n, const fields *f,
                      uint32_t width, lf_lit *lits, uint32_t *counts)
{
    void *memory = NULL;
    LF_TRY(lf_schema_new_in(s, f->arena, f->n, sizeof(bool), &memory));
    bool *listed = memory;
    for (uint32_t i = 0; i < n; i++) {
        const lf_clause *c = clauses[i];
        LF_TRY(lf_schema_step(s, 1 + f->n / 4));
        memset(listed, 0, f->n * sizeof *listed);
        for (uint32_t k = 0; k < c->n_members; k++) {
            const uint32_t at = s->names.items[c->members[k].name].value - 1;
            lits[(size_t)at * width + counts[at]++] = c->members[k].lit;
            listed[at] = true;
        }
        if (c->n_patterns == 0 && c->extra == LF_LIT_TRUE) {
            continue;
        }
        for (uint32_t at = 0; at < f->n; at++) {
            LF_TRY(add_patterns(s, c, f->items[at].name, listed[at], lits + (size_t)at * width,
                                &counts[at]));
        }
    }
    return LFM2_OK;
}

int32_t lf_schema_fields(lf_schema *s, lf_arena *arena, const lf_shape *shape, lf_field **out,
                         uint32_t *n)
{
    const lf_clause **clauses = NULL;
    uint32_t n_clauses = 0;
    fields f = {.arena = arena};
    lf_rx keys = LF_RX_NONE;
    /* Tables are used while no other object is read. */
    LF_TRY(shape->keys != NULL ? key_language(s, shape, &keys) : LFM2_OK);
    LF_TRY(clauses_of(s, arena, shape, &clauses, &n_clauses));
    int32_t status = collect(s, shape, clauses, n_clauses, &f);
    uint32_t width = 1;
    for (uint32_t i = 0; i < n_clauses; i++) {
        width += 1 + clauses[i]->n_patterns;
    }
    void *lits = NULL;
    void *counts = NULL;
    if (status == LFM2_OK) {
        status = lf_schema_new_in(s, arena, (size_t)f.n * width, sizeof(lf_lit), &lits);
    }
    if (status == LFM2_OK) {
        status = lf_schema_new_in(s, arena, f.n, sizeof(uint32_t), &counts);
    }
    if (status == LFM2_OK) {
        status = gather(s, clauses, n_clauses, &f, width, lits, counts);
    }
    for (uint32_t i = 0; i < f.n; i++) {
        s->names.items[f.items[i].name].value = 0;
    }
    LF_TRY(status);
    for (uint32_t i = 0; i < f.n; i++) {
        bool valid = true;
        if (shape->keys != NULL) {
            const struct lf_name *name = &s->names.items[f.items[i].name];
            LF_TRY(lf_schema_matches(s, keys, name->text, name->len, &valid));
        }
        const lf_lit never = LF_LIT_FALSE;
        LF_TRY(lf_schema_node(s, valid ? (lf_lit *)lits + (size_t)i * width : &never,
                              valid ? ((uint32_t *)counts)[i] : 1, &f.items[i].node));
    }
    *out = f.items;
    *n = f.n;
    return LFM2_OK;
}

/* ---- Additional keys ---- */

typedef struct kind_of_key {
    lf_rx key;
    lf_lit *lits;
    uint32_t n;
} kind_of_key;

/* Divides the kinds by whether a pattern matches. */
static int32_t divide(lf_schema *s, kind_of_key *kinds, uint32_t *n, lf_rx pattern, lf_lit lit,
                      bool *matched)
{
    const uint32_t before = *n;
    for (uint32_t i = 0; i < before; i++) {
        lf_rx inside = lf_rx_and(s->rx, kinds[i].key, pattern);
        lf_rx outside = lf_rx_and(s->rx, kinds[i].key, lf_rx_not(s->rx, pattern));
        if (lf_rx_is_none(s->rx, inside)) {
            continue;
        }
        LF_TRY(lf_schema_step(s, 10));
        if (!lf_rx_is_none(s->rx, outside)) {
            if (*n == MAX_EXTRAS) {
                return lf_schema_fail(s, LFM2_E_UNSUPPORTED, s->nodes[s->node].lits[0] >> 1,
                                      "patternProperties", "too many patterns overlap");
            }
            matched[*n] = matched[i];
            memcpy(kinds[*n].lits, kinds[i].lits, kinds[i].n * sizeof(lf_lit));
            kinds[*n].n = kinds[i].n;
            kinds[(*n)++].key = outside;
        }
        kinds[i].key = inside;
        kinds[i].lits[kinds[i].n++] = lit;
        matched[i] = true;
    }
    return lf_rx_status(s->rx);
}

static int32_t first_kind(lf_schema *s, const lf_shape *shape, const lf_field *f, uint32_t n_fields,
                          lf_rx *out)
{
    void *memory = NULL;
    LF_TRY(key_language(s, shape, out));
    if (n_fields == 0) {
        return LFM2_OK;
    }
    LF_TRY(lf_schema_new(s, n_fields, sizeof(lf_rx), &memory));
    lf_rx *names = memory;
    for (uint32_t i = 0; i < n_fields; i++) {
        LF_TRY(lf_schema_name_rx(s, f[i].name, &names[i]));
    }
    *out = lf_rx_and(s->rx, *out, lf_rx_not(s->rx, lf_rx_alt_many(s->rx, names, n_fields)));
    return lf_rx_status(s->rx);
}

static int32_t kinds_of(lf_schema *s, const lf_shape *shape, kind_of_key *kinds, uint32_t *n)
{
    const lf_clause **clauses = NULL;
    uint32_t n_clauses = 0;
    LF_TRY(clauses_of(s, &s->arena, shape, &clauses, &n_clauses));
    uint32_t width = 1 + LF_MAX_CLAIMS;
    for (uint32_t i = 0; i < n_clauses; i++) {
        width += 1 + clauses[i]->n_patterns;
    }
    for (uint32_t i = 0; i < MAX_EXTRAS; i++) {
        void *memory = NULL;
        LF_TRY(lf_schema_new(s, width, sizeof(lf_lit), &memory));
        kinds[i].lits = memory;
    }
    *n = 1;
    for (uint32_t i = 0; i < n_clauses; i++) {
        bool matched[MAX_EXTRAS] = {false};
        for (uint32_t k = 0; k < clauses[i]->n_patterns; k++) {
            const lf_member *p = &clauses[i]->patterns[k];
            LF_TRY(divide(s, kinds, n, s->pattern_rx[p->name], p->lit, matched));
        }
        for (uint32_t k = 0; k < *n; k++) {
            if (!matched[k]) {
                kinds[k].lits[kinds[k].n++] = clauses[i]->extra;
            }
        }
    }
    return LFM2_OK;
}

/* Whether additional keys are excluded: then their expressions are not needed. */
static bool is_closed(const lf_shape *shape)
{
    for (const lf_clause *c = shape->clauses; c != NULL; c = c->before) {
        if (c->extra == LF_LIT_FALSE && c->n_patterns == 0) {
            return true;
        }
    }
    return false;
}

/* One kind of key, with each set of claims that it can satisfy. */
static int32_t add_kinds(lf_schema *s, const lf_shape *shape, const kind_of_key *kind,
                         lf_extra *out, uint32_t *n)
{
    const lf_exists *claims[LF_MAX_CLAIMS];
    uint32_t n_claims = 0;
    for (const lf_exists *e = shape->claimed; e != NULL; e = e->before) {
        claims[n_claims++] = e;
    }
    for (uint32_t set = 0; set < 1u << n_claims; set++) {
        uint32_t n_lits = kind->n;
        lf_rx key = kind->key;
        for (uint32_t i = 0; i < n_claims; i++) {
            if (set >> i & 1) {
                kind->lits[n_lits++] = claims[i]->lit;
                key = lf_rx_and(s->rx, key, claims[i]->key);
            }
        }
        lf_extra *e = &out[(*n)++];
        *e = (lf_extra){.key = key, .claims = set};
        LF_TRY(lf_schema_node(s, kind->lits, n_lits, &e->node));
    }
    return LFM2_OK;
}

int32_t lf_schema_extras(lf_schema *s, const lf_shape *shape, const lf_field *f, uint32_t n_fields,
                         lf_extra **out, uint32_t *n)
{
    kind_of_key kinds[MAX_EXTRAS] = {{0}};
    void *memory = NULL;
    uint32_t n_kinds = 0;
    *n = 0;
    if (is_closed(shape)) {
        return LFM2_OK;
    }
    LF_TRY(first_kind(s, shape, f, n_fields, &kinds[0].key));
    LF_TRY(kinds_of(s, shape, kinds, &n_kinds));
    LF_TRY(lf_schema_new(s, (size_t)n_kinds << LF_MAX_CLAIMS, sizeof(lf_extra), &memory));
    *out = memory;
    for (uint32_t i = 0; i < n_kinds; i++) {
        LF_TRY(add_kinds(s, shape, &kinds[i], *out, n));
    }
    return lf_rx_status(s->rx);
}

/* ---- Items ---- */

uint32_t lf_schema_prefix_of(const lf_shape *shape)
{
    uint32_t n = 0;
    for (const lf_tuple *t = shape->tuples; t != NULL; t = t->before) {
        n = t->n > n ? t->n : n;
    }
    return n;
}

int32_t lf_schema_item_node(lf_schema *s, const lf_shape *shape, uint32_t i, const lf_lit *also,
                            uint32_t n_also, uint32_t *out)
{
    void *memory = NULL;
    uint32_t n = 0;
    for (const lf_tuple *t = shape->tuples; t != NULL; t = t->before) {
        n++;
    }
    LF_TRY(lf_schema_new(s, (size_t)n + n_also, sizeof(lf_lit), &memory));
    lf_lit *lits = memory;
    uint32_t at = n;
    for (const lf_tuple *t = shape->tuples; t != NULL; t = t->before) {
        lits[--at] = i < t->n ? t->items[i] : t->rest;
    }
    for (uint32_t k = 0; k < n_also; k++) {
        lits[n + k] = also[k];
    }
    return lf_schema_node(s, lits, n + n_also, out);
}
