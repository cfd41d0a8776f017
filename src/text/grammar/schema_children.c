/* SPDX-License-Identifier: Apache-2.0 */
/* Keywords of objects and arrays as terms. */
#include "text/grammar/schema_keyword.h"

#include <string.h>

/* ---- Helpers ---- */

static int32_t name_of(lf_keywords *k, const char *text, size_t len, uint32_t *out)
{
    bool added = false;
    return lf_schema_intern(k->s, &k->s->names, text, len, out, &added);
}

/* The value is an object with (or without) this key. */
static int32_t has_key(lf_keywords *k, lf_terms *list, uint32_t name)
{
    lf_term *t = NULL;
    LF_TRY(lf_keyword_types(k, list, LF_TYPE_OBJECT));
    LF_TRY(lf_keyword_term(k, LF_TERM_REQUIRED, list, &t));
    t->number = name;
    return LFM2_OK;
}

static int32_t one_clause(lf_keywords *k, lf_terms *list, uint32_t name, lf_lit lit)
{
    lf_term *t = NULL;
    void *memory = NULL;
    LF_TRY(lf_schema_new(k->s, 1, sizeof(lf_member), &memory));
    *(lf_member *)memory = (lf_member){name, lit};
    LF_TRY(lf_keyword_term(k, LF_TERM_CLAUSE, list, &t));
    t->u.clause = (lf_clause){.members = memory, .n_members = 1, .extra = LF_LIT_TRUE};
    return LFM2_OK;
}

/* ---- Properties ---- */

static int32_t read_members(lf_keywords *k, const lf_json *m, bool patterns, lf_clause *out,
                            bool *refused)
{
    lf_schema *s = k->s;
    void *memory = NULL;
    uint32_t n = 0;
    if (m == NULL) {
        return LFM2_OK;
    }
    if (m->kind != LF_JSON_OBJECT) {
        return lf_keyword_invalid(k, m, "must be an object");
    }
    LF_TRY(lf_schema_new(s, m->count, sizeof(lf_member), &memory));
    lf_member *members = memory;
    for (const lf_json *c = m->child; c != NULL; c = c->next, n++) {
        LF_TRY(lf_schema_child(s, k->place, m->key, c, &members[n].lit));
        if (patterns) {
            const char *why = NULL;
            LF_TRY(lf_keyword_pattern(k, m, c->key, c->key_len, &members[n].name, &why));
            if (why != NULL) {
                *refused = true;
                return lf_keyword_refuse(k, m->key, LF_TYPE_OBJECT, why);
            }
        } else {
            LF_TRY(name_of(k, c->key, c->key_len, &members[n].name));
        }
    }
    if (patterns) {
        out->patterns = members;
        out->n_patterns = n;
    } else {
        out->members = members;
        out->n_members = n;
    }
    return LFM2_OK;
}

/* Keys that no member names and no pattern matches. */
static int32_t extra_keys(lf_keywords *k, const lf_clause *c, lf_rx *out)
{
    lf_schema *s = k->s;
    lf_rx known = LF_RX_NONE;
    for (uint32_t i = 0; i < c->n_members; i++) {
        lf_rx name = LF_RX_NONE;
        LF_TRY(lf_schema_name_rx(s, c->members[i].name, &name));
        known = lf_rx_alt(s->rx, known, name);
    }
    for (uint32_t i = 0; i < c->n_patterns; i++) {
        known = lf_rx_alt(s->rx, known, s->pattern_rx[c->patterns[i].name]);
    }
    *out = known == LF_RX_NONE ? lf_schema_any_text(s) : lf_schema_text_not(s, known);
    return LFM2_OK;
}

static int32_t exists(lf_keywords *k, lf_rx key, lf_lit lit)
{
    lf_terms one = {0};
    lf_term *t = NULL;
    LF_TRY(lf_keyword_types(k, &one, LF_TYPE_OBJECT));
    LF_TRY(lf_keyword_term(k, LF_TERM_EXISTS, &one, &t));
    t->u.exists = (lf_exists){.key = key, .lit = lit};
    return lf_keyword_or(k, &k->any, &one);
}

static int32_t negate_clause(lf_keywords *k, const lf_clause *c)
{
    for (uint32_t i = 0; i < c->n_members; i++) {
        lf_terms one = {0};
        if (c->members[i].lit == LF_LIT_TRUE) {
            continue;
        }
        LF_TRY(has_key(k, &one, c->members[i].name));
        LF_TRY(one_clause(k, &one, c->members[i].name, c->members[i].lit ^ 1));
        LF_TRY(lf_keyword_or(k, &k->any, &one));
    }
    for (uint32_t i = 0; i < c->n_patterns; i++) {
        if (c->patterns[i].lit != LF_LIT_TRUE) {
            LF_TRY(exists(k, k->s->pattern_rx[c->patterns[i].name], c->patterns[i].lit ^ 1));
        }
    }
    if (c->extra != LF_LIT_TRUE) {
        lf_rx key = LF_RX_NONE;
        LF_TRY(extra_keys(k, c, &key));
        LF_TRY(exists(k, key, c->extra ^ 1));
    }
    return LFM2_OK;
}

/* properties, patternProperties and additionalProperties together, at the first of them. */
int32_t lf_on_properties(lf_keywords *k, const lf_json *m)
{
    const lf_json *properties = lf_json_get(k->schema, "properties");
    const lf_json *patterns = lf_json_get(k->schema, "patternProperties");
    const lf_json *extra = lf_json_get(k->schema, "additionalProperties");
    lf_clause c = {.extra = LF_LIT_TRUE};
    lf_term *t = NULL;
    bool refused = false;
    for (const lf_json *x = k->schema->child; x != m; x = x->next) {
        if (x == properties || x == patterns || x == extra) {
            return LFM2_OK;
        }
    }
    LF_TRY(read_members(k, properties, false, &c, &refused));
    LF_TRY(read_members(k, patterns, true, &c, &refused));
    if (extra != NULL) {
        LF_TRY(lf_schema_item(k->s, k->place, extra->key, extra, LF_NO_INDEX, &c.extra));
    }
    if (refused && k->s->options->lenient) {
        /* Keys of the unknown pattern would count as additional ones. */
        c.n_patterns = 0;
        c.extra = LF_LIT_TRUE;
    } else if (refused) {
        return LFM2_OK;
    }
    if (k->negated) {
        return negate_clause(k, &c);
    }
    LF_TRY(lf_keyword_term(k, LF_TERM_CLAUSE, &k->all, &t));
    t->u.clause = c;
    return LFM2_OK;
}

/* One key after the other is required, or one of them is absent. */
static int32_t require(lf_keywords *k, const lf_json *list, lf_terms *all, lf_branch_list *any,
                       const lf_json *m)
{
    if (list->kind != LF_JSON_ARRAY) {
        return list->kind == LF_JSON_TRUE || list->kind == LF_JSON_FALSE
                   ? LFM2_OK /* of draft 3 */
                   : lf_keyword_invalid(k, m, "must be an array of strings");
    }
    for (const lf_json *c = list->child; c != NULL; c = c->next) {
        uint32_t name = 0;
        lf_term *t = NULL;
        lf_terms one = {0};
        if (c->kind != LF_JSON_STRING) {
            return lf_keyword_invalid(k, m, "must be an array of strings");
        }
        LF_TRY(name_of(k, c->text, c->len, &name));
        if (any != NULL) {
            LF_TRY(lf_keyword_types(k, &one, LF_TYPE_OBJECT));
            LF_TRY(one_clause(k, &one, name, LF_LIT_FALSE));
            LF_TRY(lf_keyword_or(k, any, &one));
        } else {
            LF_TRY(lf_keyword_term(k, LF_TERM_REQUIRED, all, &t));
            t->number = name;
        }
    }
    return LFM2_OK;
}

int32_t lf_on_required(lf_keywords *k, const lf_json *m)
{
    return require(k, m, &k->all, k->negated ? &k->any : NULL, m);
}

int32_t lf_on_property_names(lf_keywords *k, const lf_json *m)
{
    lf_lit lit = 0;
    lf_term *t = NULL;
    LF_TRY(lf_schema_item(k->s, k->place, m->key, m, LF_NO_INDEX, &lit));
    if (lit == LF_LIT_TRUE) {
        return LFM2_OK;
    }
    if (k->negated) {
        /* Some key is not valid. */
        lf_terms one = {0};
        LF_TRY(lf_keyword_types(k, &one, LF_TYPE_OBJECT));
        LF_TRY(lf_keyword_term(k, LF_TERM_EXISTS, &one, &t));
        t->u.exists = (lf_exists){.key = LF_RX_NONE, .lit = lit ^ 1};
        return lf_keyword_or(k, &k->any, &one);
    }
    LF_TRY(lf_keyword_term(k, LF_TERM_KEYS, &k->all, &t));
    t->lit = lit;
    return LFM2_OK;
}

/* A keyword with a bound on a count: of properties or of items. */
static int32_t on_count(lf_keywords *k, const lf_json *m, lf_term_kind kind, unsigned type)
{
    lf_terms one = {0};
    lf_term *t = NULL;
    uint32_t v = 0;
    bool low = m->key[1] == 'i'; /* min... */
    LF_TRY(lf_keyword_count(k, m, &v));
    if (k->negated) {
        if (low && v == 0) {
            return LFM2_OK;
        }
        LF_TRY(lf_keyword_types(k, &one, type));
        v = low ? v - 1 : v + 1;
        low = !low;
    }
    LF_TRY(lf_keyword_term(k, kind, k->negated ? &one : &k->all, &t));
    t->min = low ? v : 0;
    t->max = low || v >= LF_SCHEMA_MOST ? LF_RX_UNLIMITED : v;
    return k->negated ? lf_keyword_or(k, &k->any, &one) : LFM2_OK;
}

int32_t lf_on_size(lf_keywords *k, const lf_json *m)
{
    return on_count(k, m, LF_TERM_SIZE, LF_TYPE_OBJECT);
}

int32_t lf_on_length(lf_keywords *k, const lf_json *m)
{
    return on_count(k, m, LF_TERM_LENGTH, LF_TYPE_ARRAY);
}

/* `name` absent, or the requirement of a member of dependencies. */
static int32_t dependency(lf_keywords *k, const lf_json *m, const lf_json *c)
{
    uint32_t name = 0;
    lf_lit lit = LF_LIT_TRUE;
    lf_branch_list choice = {0};
    LF_TRY(name_of(k, c->key, c->key_len, &name));
    const bool list = c->kind == LF_JSON_ARRAY;
    if (!list) {
        LF_TRY(lf_schema_child(k->s, k->place, m->key, c, &lit));
    }
    if (k->negated) {
        lf_branch_list absent = {0};
        LF_TRY(list ? require(k, c, NULL, &absent, m) : LFM2_OK);
        lf_terms one = {0};
        LF_TRY(has_key(k, &one, name));
        if (list) {
            LF_TRY(lf_keyword_choice(k, &one, &absent));
        } else {
            LF_TRY(lf_keyword_lit(k, &one, lit ^ 1));
        }
        return lf_keyword_or(k, &k->any, &one);
    }
    lf_terms without = {0};
    lf_terms with = {0};
    LF_TRY(one_clause(k, &without, name, LF_LIT_FALSE));
    LF_TRY(has_key(k, &with, name));
    LF_TRY(list ? require(k, c, &with, NULL, m) : lf_keyword_lit(k, &with, lit));
    LF_TRY(lf_keyword_or(k, &choice, &without));
    LF_TRY(lf_keyword_or(k, &choice, &with));
    return lf_keyword_choice(k, &k->all, &choice);
}

int32_t lf_on_dependencies(lf_keywords *k, const lf_json *m)
{
    if (m->kind != LF_JSON_OBJECT) {
        return lf_keyword_invalid(k, m, "must be an object");
    }
    for (const lf_json *c = m->child; c != NULL; c = c->next) {
        LF_TRY(dependency(k, m, c));
    }
    return LFM2_OK;
}

/* ---- Items ---- */

static int32_t negate_tuple(lf_keywords *k, const lf_tuple *t)
{
    for (uint32_t i = 0; i <= t->n; i++) {
        const lf_lit lit = i < t->n ? t->items[i] : t->rest;
        lf_terms one = {0};
        lf_term *term = NULL;
        if (lit == LF_LIT_TRUE) {
            continue;
        }
        LF_TRY(lf_keyword_types(k, &one, LF_TYPE_ARRAY));
        if (i < t->n) {
            /* Item i is not valid: a tuple of which only the last item counts. */
            void *memory = NULL;
            LF_TRY(lf_schema_new(k->s, i + 1, sizeof(lf_lit), &memory));
            ((lf_lit *)memory)[i] = lit ^ 1;
            LF_TRY(lf_keyword_term(k, LF_TERM_TUPLE, &one, &term));
            term->u.tuple = (lf_tuple){.items = memory, .n = i + 1, .rest = LF_LIT_TRUE};
            LF_TRY(lf_keyword_term(k, LF_TERM_LENGTH, &one, &term));
            term->min = i + 1;
            term->max = LF_RX_UNLIMITED;
        } else {
            LF_TRY(lf_keyword_term(k, LF_TERM_CONTAINS, &one, &term));
            term->u.contains =
                (lf_contains){.lit = lit ^ 1, .from = t->n, .min = 1, .max = LF_RX_UNLIMITED};
        }
        LF_TRY(lf_keyword_or(k, &k->any, &one));
    }
    return LFM2_OK;
}

/* prefixItems, items and additionalItems together, at the first of them. */
int32_t lf_on_items(lf_keywords *k, const lf_json *m)
{
    const lf_json *prefix = lf_json_get(k->schema, "prefixItems");
    const lf_json *items = lf_json_get(k->schema, "items");
    const lf_json *more = lf_json_get(k->schema, "additionalItems");
    lf_tuple tuple = {.rest = LF_LIT_TRUE};
    lf_term *t = NULL;
    for (const lf_json *x = k->schema->child; x != m; x = x->next) {
        if (x == prefix || x == items || x == more) {
            return LFM2_OK;
        }
    }
    const lf_json *rest = items;
    if (items != NULL && items->kind == LF_JSON_ARRAY) {
        prefix = prefix == NULL ? items : prefix;
        rest = more;
    }
    if (prefix != NULL) {
        void *memory = NULL;
        uint32_t n = 0;
        if (prefix->kind != LF_JSON_ARRAY) {
            return lf_keyword_invalid(k, prefix, "must be an array");
        }
        LF_TRY(lf_schema_new(k->s, prefix->count, sizeof(lf_lit), &memory));
        lf_lit *lits = memory;
        for (const lf_json *c = prefix->child; c != NULL; c = c->next, n++) {
            LF_TRY(lf_schema_item(k->s, k->place, prefix->key, c, n, &lits[n]));
        }
        tuple.items = lits;
        tuple.n = n;
    }
    if (rest != NULL) {
        LF_TRY(lf_schema_item(k->s, k->place, rest->key, rest, LF_NO_INDEX, &tuple.rest));
    }
    if (k->negated) {
        return negate_tuple(k, &tuple);
    }
    LF_TRY(lf_keyword_term(k, LF_TERM_TUPLE, &k->all, &t));
    t->u.tuple = tuple;
    return LFM2_OK;
}

static int32_t contains_term(lf_keywords *k, lf_terms *list, lf_contains c)
{
    lf_term *t = NULL;
    LF_TRY(lf_keyword_term(k, LF_TERM_CONTAINS, list, &t));
    t->u.contains = c;
    return LFM2_OK;
}

int32_t lf_on_contains(lf_keywords *k, const lf_json *m)
{
    const bool counted = k->s->any_draft || k->s->draft > LF_DRAFT_7;
    const lf_json *low = counted ? lf_json_get(k->schema, "minContains") : NULL;
    const lf_json *high = counted ? lf_json_get(k->schema, "maxContains") : NULL;
    lf_contains c = {.min = 1, .max = LF_RX_UNLIMITED};
    LF_TRY(lf_schema_item(k->s, k->place, m->key, m, LF_NO_INDEX, &c.lit));
    if (low != NULL) {
        LF_TRY(lf_keyword_count(k, low, &c.min));
    }
    if (high != NULL) {
        LF_TRY(lf_keyword_count(k, high, &c.max));
    }
    if (!k->negated) {
        return c.min == 0 && c.max == LF_RX_UNLIMITED ? LFM2_OK : contains_term(k, &k->all, c);
    }
    if (c.min > 0) {
        lf_terms fewer = {0};
        LF_TRY(lf_keyword_types(k, &fewer, LF_TYPE_ARRAY));
        LF_TRY(contains_term(k, &fewer, (lf_contains){.lit = c.lit, .max = c.min - 1}));
        LF_TRY(lf_keyword_or(k, &k->any, &fewer));
    }
    if (c.max < LF_SCHEMA_MOST) {
        lf_terms more = {0};
        LF_TRY(lf_keyword_types(k, &more, LF_TYPE_ARRAY));
        LF_TRY(contains_term(
            k, &more, (lf_contains){.lit = c.lit, .min = c.max + 1, .max = LF_RX_UNLIMITED}));
        LF_TRY(lf_keyword_or(k, &k->any, &more));
    }
    return LFM2_OK;
}

int32_t lf_on_unique(lf_keywords *k, const lf_json *m)
{
    lf_term *t = NULL;
    if (m->kind != LF_JSON_TRUE) {
        return LFM2_OK;
    }
    if (k->negated) {
        return lf_keyword_refuse(k, m->key, LF_TYPE_ARRAY, "its negation is not supported");
    }
    LF_TRY(lf_keyword_term(k, LF_TERM_UNIQUE, &k->all, &t));
    t->number = k->place;
    return LFM2_OK;
}

/* Members without their conditions, which the keywords themselves add. */
static int32_t only_names(lf_keywords *k, const lf_member *from, uint32_t n, const lf_member **out)
{
    void *memory = NULL;
    LF_TRY(lf_schema_new(k->s, n, sizeof(lf_member), &memory));
    lf_member *members = memory;
    for (uint32_t i = 0; i < n; i++) {
        members[i] = (lf_member){from[i].name, LF_LIT_TRUE};
    }
    *out = members;
    return LFM2_OK;
}

static int32_t unevaluated_keys(lf_keywords *k, lf_lit lit)
{
    lf_clause c = {.extra = lit};
    lf_term *t = NULL;
    bool refused = false;
    LF_TRY(read_members(k, lf_json_get(k->schema, "properties"), false, &c, &refused));
    LF_TRY(read_members(k, lf_json_get(k->schema, "patternProperties"), true, &c, &refused));
    LF_TRY(only_names(k, c.members, c.n_members, &c.members));
    LF_TRY(only_names(k, c.patterns, c.n_patterns, &c.patterns));
    if (refused) {
        return LFM2_OK;
    }
    if (k->negated) {
        return negate_clause(k, &c);
    }
    LF_TRY(lf_keyword_term(k, LF_TERM_CLAUSE, &k->all, &t));
    t->u.clause = c;
    return LFM2_OK;
}

/* Trivial where no keyword next to it looks at the same children: then it is additionalProperties
 * or items. */
int32_t lf_on_unevaluated(lf_keywords *k, const lf_json *m)
{
    static const char *const others[] = {"$ref",
                                         "$dynamicRef",
                                         "allOf",
                                         "anyOf",
                                         "oneOf",
                                         "if",
                                         "not",
                                         "dependentSchemas",
                                         "additionalProperties",
                                         "items",
                                         "additionalItems",
                                         "contains",
                                         "$recursiveRef"};
    const bool object = lf_json_key_is(m, "unevaluatedProperties");
    const unsigned type = object ? LF_TYPE_OBJECT : LF_TYPE_ARRAY;
    lf_lit lit = 0;
    LF_TRY(lf_schema_item(k->s, k->place, m->key, m, LF_NO_INDEX, &lit));
    if (lit == LF_LIT_TRUE) {
        return LFM2_OK;
    }
    for (size_t i = 0; i < sizeof others / sizeof *others; i++) {
        if (lf_json_get(k->schema, others[i]) != NULL) {
            return lf_keyword_refuse(k, m->key, type, "is supported only without applicators");
        }
    }
    if (object) {
        return unevaluated_keys(k, lit);
    }
    const lf_json *prefix = lf_json_get(k->schema, "prefixItems");
    lf_tuple tuple = {.n = prefix != NULL ? prefix->count : 0, .rest = lit};
    void *memory = NULL;
    lf_term *t = NULL;
    LF_TRY(lf_schema_new(k->s, tuple.n, sizeof(lf_lit), &memory));
    tuple.items = memory;
    if (k->negated) {
        return negate_tuple(k, &tuple);
    }
    LF_TRY(lf_keyword_term(k, LF_TERM_TUPLE, &k->all, &t));
    t->u.tuple = tuple;
    return LFM2_OK;
}
