/* SPDX-License-Identifier: Apache-2.0 */
/* Keywords as terms: those of types, values, numbers and strings, and the list of all. A schema is
 * the conjunction of its keywords; a negated one is the choice of their negations. */
#include "text/grammar/schema_keyword.h"

#include <string.h>

/* ---- Building terms ---- */

int32_t lf_keyword_term(lf_keywords *k, lf_term_kind kind, lf_terms *list, lf_term **out)
{
    void *memory = NULL;
    LF_TRY(lf_schema_new(k->s, 1, sizeof(lf_term), &memory));
    *out = memory;
    (*out)->kind = kind;
    if (list->first == NULL) {
        list->first = *out;
    } else {
        list->last->next = *out;
    }
    list->last = *out;
    return LFM2_OK;
}

int32_t lf_keyword_lit(lf_keywords *k, lf_terms *list, lf_lit lit)
{
    lf_term *t = NULL;
    if (lit == LF_LIT_TRUE) {
        return LFM2_OK;
    }
    LF_TRY(lf_keyword_term(k, LF_TERM_LIT, list, &t));
    t->lit = lit;
    return LFM2_OK;
}

int32_t lf_keyword_types(lf_keywords *k, lf_terms *list, unsigned types)
{
    lf_term *t = NULL;
    LF_TRY(lf_keyword_term(k, LF_TERM_TYPES, list, &t));
    t->types = (uint8_t)types;
    return LFM2_OK;
}

int32_t lf_keyword_or(lf_keywords *k, lf_branch_list *to, const lf_terms *alternative)
{
    void *memory = NULL;
    LF_TRY(lf_schema_new(k->s, 1, sizeof(lf_branches), &memory));
    lf_branches *b = memory;
    b->terms = alternative->first;
    if (to->first == NULL) {
        to->first = b;
    } else {
        to->last->next = b;
    }
    to->last = b;
    return LFM2_OK;
}

int32_t lf_keyword_choice(lf_keywords *k, lf_terms *list, const lf_branch_list *choice)
{
    lf_term *t = NULL;
    LF_TRY(lf_keyword_term(k, LF_TERM_OR, list, &t));
    t->u.branches = choice->first;
    return LFM2_OK;
}

int32_t lf_keyword_refuse(lf_keywords *k, const char *keyword, unsigned types, const char *why)
{
    lf_terms one = {0};
    lf_term *t = NULL;
    LF_TRY(lf_keyword_types(k, &one, k->negated ? types : LF_TYPE_ALL));
    if (k->s->options->lenient) {
        /* The negation is ignored, too: each of these values may violate the keyword. */
        LF_TRY(lf_schema_ignore(k->s, k->place, keyword, why));
        return k->negated ? lf_keyword_or(k, &k->any, &one) : LFM2_OK;
    }
    LF_TRY(lf_keyword_term(k, LF_TERM_REFUSE, k->negated ? &one : &k->all, &t));
    t->u.refusal =
        (lf_refusal){.types = (uint8_t)types, .place = k->place, .keyword = keyword, .why = why};
    return k->negated ? lf_keyword_or(k, &k->any, &one) : LFM2_OK;
}

int32_t lf_keyword_invalid(const lf_keywords *k, const lf_json *member, const char *why)
{
    return lf_schema_fail(k->s, LFM2_E_TEXT, k->place, member->key, why);
}

int32_t lf_keyword_count(lf_keywords *k, const lf_json *member, uint32_t *out)
{
    double v = 0;
    if (!lf_json_double(member, &v) || v < 0 || v != v) {
        return lf_keyword_invalid(k, member, "must be a number that is not negative");
    }
    *out = v < 4e9 ? (uint32_t)v : LF_SCHEMA_MOST;
    return (double)*out == v || v >= 4e9 ? LFM2_OK
                                         : lf_keyword_invalid(k, member, "must be an integer");
}

/* ---- Types and values ---- */

static int32_t type_bits(lf_keywords *k, const lf_json *m, const lf_json *name, unsigned *bits,
                         bool *integer)
{
    static const struct {
        const char *name;
        uint8_t bits;
    } types[] = {{"null", LF_TYPE_NULL},     {"boolean", LF_TYPE_FALSE | LF_TYPE_TRUE},
                 {"number", LF_TYPE_NUMBER}, {"string", LF_TYPE_STRING},
                 {"array", LF_TYPE_ARRAY},   {"object", LF_TYPE_OBJECT}};
    if (lf_json_is_string(name, "integer")) {
        *integer = true;
        return LFM2_OK;
    }
    for (size_t i = 0; i < sizeof types / sizeof *types; i++) {
        if (lf_json_is_string(name, types[i].name)) {
            *bits |= types[i].bits;
            return LFM2_OK;
        }
    }
    return lf_keyword_invalid(k, m, "names no type");
}

static int32_t on_type(lf_keywords *k, const lf_json *m)
{
    unsigned bits = 0;
    bool integer = false;
    lf_terms one = {0};
    lf_term *t = NULL;
    if (m->kind == LF_JSON_ARRAY) {
        for (const lf_json *c = m->child; c != NULL; c = c->next) {
            LF_TRY(type_bits(k, m, c, &bits, &integer));
        }
    } else {
        LF_TRY(type_bits(k, m, m, &bits, &integer));
    }
    integer = integer && (bits & LF_TYPE_NUMBER) == 0;
    if (integer) {
        bits |= LF_TYPE_NUMBER;
    }
    if (!k->negated) {
        LF_TRY(lf_keyword_types(k, &k->all, bits));
        if (integer) {
            LF_TRY(lf_keyword_term(k, LF_TERM_INTEGER, &k->all, &t));
            t->flag = true;
        }
        return LFM2_OK;
    }
    LF_TRY(lf_keyword_types(k, &one, LF_TYPE_ALL & ~bits));
    LF_TRY(lf_keyword_or(k, &k->any, &one));
    if (integer) {
        lf_terms other = {0};
        LF_TRY(lf_keyword_types(k, &other, LF_TYPE_NUMBER));
        LF_TRY(lf_keyword_term(k, LF_TERM_INTEGER, &other, &t));
        LF_TRY(lf_keyword_or(k, &k->any, &other));
    }
    return LFM2_OK;
}

static unsigned scalar_bit(const lf_json *v)
{
    static const uint8_t bits[] = {
        LF_TYPE_NULL, LF_TYPE_FALSE, LF_TYPE_TRUE, LF_TYPE_NUMBER, LF_TYPE_STRING, 0, 0};
    return bits[v->kind];
}

/* `first` and those after it (or it alone) as a term of values; others are counted. */
static int32_t values_term(lf_keywords *k, lf_terms *list, const lf_json *first, bool alone,
                           unsigned *bits)
{
    uint32_t n = 0;
    void *memory = NULL;
    lf_term *t = NULL;
    *bits = 0;
    for (const lf_json *v = first; v != NULL; v = alone ? NULL : v->next) {
        n++;
    }
    LF_TRY(lf_schema_new(k->s, n, sizeof(const lf_json *), &memory));
    const lf_json **items = memory;
    n = 0;
    for (const lf_json *v = first; v != NULL; v = alone ? NULL : v->next) {
        if (scalar_bit(v) != 0) {
            items[n++] = v;
            *bits |= scalar_bit(v);
        }
    }
    if ((*bits & (LF_TYPE_STRING | LF_TYPE_NUMBER)) != 0 || k->negated) {
        LF_TRY(lf_keyword_term(k, LF_TERM_VALUES, list, &t));
        t->u.values = (lf_values){.items = items, .n = n};
        t->flag = k->negated;
    }
    return LFM2_OK;
}

static int32_t on_values(lf_keywords *k, const lf_json *m, const lf_json *first, bool alone)
{
    lf_terms scalars = {0};
    lf_terms none = {0}; /* of the values */
    lf_branch_list choice = {0};
    unsigned bits = 0;
    bool composite = false;
    LF_TRY(values_term(k, k->negated ? &none : &scalars, first, alone, &bits));
    if (bits != 0 && !k->negated) {
        LF_TRY(lf_keyword_types(k, &scalars, bits));
        LF_TRY(lf_keyword_or(k, &choice, &scalars));
    }
    for (const lf_json *v = first; v != NULL; v = alone ? NULL : v->next) {
        lf_terms one = {0};
        lf_lit lit = 0;
        if (scalar_bit(v) != 0) {
            continue;
        }
        composite = true;
        LF_TRY(lf_schema_constant(k->s, k->place, m->key, v, &lit));
        LF_TRY(lf_keyword_lit(k, k->negated ? &none : &one, lit ^ (k->negated ? 1 : 0)));
        if (!k->negated) {
            LF_TRY(lf_keyword_or(k, &choice, &one));
        }
    }
    if (k->negated) {
        return lf_keyword_or(k, &k->any, &none);
    }
    if (!composite && scalars.first != NULL) {
        /* The usual case needs no branches. */
        if (k->all.first == NULL) {
            k->all.first = scalars.first;
        } else {
            k->all.last->next = scalars.first;
        }
        k->all.last = scalars.last;
        return LFM2_OK;
    }
    return lf_keyword_choice(k, &k->all, &choice);
}

static int32_t on_enum(lf_keywords *k, const lf_json *m)
{
    if (m->kind != LF_JSON_ARRAY) {
        return lf_keyword_invalid(k, m, "must be an array");
    }
    return on_values(k, m, m->child, false);
}

static int32_t on_const(lf_keywords *k, const lf_json *m)
{
    return on_values(k, m, m, true);
}

/* ---- Numbers ---- */

/* A term of one type, or its negation. */
static int32_t typed(lf_keywords *k, lf_term_kind kind, unsigned type, lf_term **out)
{
    lf_terms one = {0};
    if (!k->negated) {
        return lf_keyword_term(k, kind, &k->all, out);
    }
    LF_TRY(lf_keyword_types(k, &one, type));
    LF_TRY(lf_keyword_term(k, kind, &one, out));
    return lf_keyword_or(k, &k->any, &one);
}

static int32_t decimal_of(lf_keywords *k, const lf_json *m, bool *fits, lf_decimal *out)
{
    if (m->kind != LF_JSON_NUMBER) {
        return lf_keyword_invalid(k, m, "must be a number");
    }
    return lf_schema_decimal(k->s, m, fits, out);
}

static int32_t on_bound(lf_keywords *k, const lf_json *m)
{
    lf_decimal d;
    lf_term *t = NULL;
    bool fits = false;
    const bool low = strstr(m->key, "inimum") != NULL;
    bool open = m->key[0] == 'e';
    if (open && (m->kind == LF_JSON_TRUE || m->kind == LF_JSON_FALSE)) {
        return LFM2_OK; /* of draft 4: read with the bound */
    }
    const lf_json *flag = lf_json_get(k->schema, low ? "exclusiveMinimum" : "exclusiveMaximum");
    open = open || (flag != NULL && flag->kind == LF_JSON_TRUE);
    LF_TRY(decimal_of(k, m, &fits, &d));
    if (!fits) {
        return lf_keyword_refuse(k, m->key, LF_TYPE_NUMBER, "has too many digits");
    }
    LF_TRY(typed(k, low != k->negated ? LF_TERM_MINIMUM : LF_TERM_MAXIMUM, LF_TYPE_NUMBER, &t));
    t->u.decimal = d;
    t->flag = open != k->negated;
    return LFM2_OK;
}

static int32_t on_multiple(lf_keywords *k, const lf_json *m)
{
    lf_decimal d;
    lf_term *t = NULL;
    bool fits = false;
    LF_TRY(decimal_of(k, m, &fits, &d));
    if (!fits) {
        return lf_keyword_refuse(k, m->key, LF_TYPE_NUMBER, "has too many digits");
    }
    if (d.negative || lf_decimal_is_zero(&d)) {
        return lf_keyword_invalid(k, m, "must be greater than 0");
    }
    LF_TRY(typed(k, LF_TERM_MULTIPLE, LF_TYPE_NUMBER, &t));
    t->u.decimal = d;
    t->flag = k->negated;
    return LFM2_OK;
}

/* ---- Strings ---- */

static int32_t text_term(lf_keywords *k, lf_rx rx)
{
    lf_term *t = NULL;
    LF_TRY(typed(k, LF_TERM_TEXT, LF_TYPE_STRING, &t));
    t->rx = k->negated ? lf_schema_text_not(k->s, rx) : rx;
    return LFM2_OK;
}

enum { LENIENT_LENGTH = 256 };

static int32_t on_text_length(lf_keywords *k, const lf_json *m)
{
    const lf_json *low = lf_json_get(k->schema, "minLength");
    const lf_json *high = lf_json_get(k->schema, "maxLength");
    uint32_t min = 0;
    uint32_t max = LF_RX_UNLIMITED;
    if (low != NULL && high != NULL && m != (low->offset < high->offset ? low : high)) {
        return LFM2_OK; /* both are read together */
    }
    if (low != NULL) {
        LF_TRY(lf_keyword_count(k, low, &min));
    }
    if (high != NULL) {
        LF_TRY(lf_keyword_count(k, high, &max));
        max = max == LF_SCHEMA_MOST ? LF_RX_UNLIMITED : max;
    }
    /* A text of Python is an intersection, which takes a kilobyte for each character of its limit.
     */
    if (k->s->options->python && k->s->options->lenient && max > LENIENT_LENGTH &&
        max != LF_RX_UNLIMITED) {
        LF_TRY(lf_keyword_refuse(k, "maxLength", LF_TYPE_STRING, "is too large for tools"));
        max = LF_RX_UNLIMITED;
    }
    if (min == 0 && max == LF_RX_UNLIMITED) {
        return LFM2_OK;
    }
    return text_term(k, min > max ? LF_RX_NONE : lf_schema_text_length(k->s, min, max));
}

static int32_t on_pattern(lf_keywords *k, const lf_json *m)
{
    uint32_t id = 0;
    const char *why = NULL;
    if (m->kind != LF_JSON_STRING) {
        return lf_keyword_invalid(k, m, "must be a string");
    }
    LF_TRY(lf_keyword_pattern(k, m, m->text, m->len, &id, &why));
    if (why != NULL) {
        return lf_keyword_refuse(k, m->key, LF_TYPE_STRING, why);
    }
    return text_term(k, k->s->pattern_rx[id]);
}

int32_t lf_keyword_pattern(lf_keywords *k, const lf_json *m, const char *text, size_t len,
                           uint32_t *id, const char **why)
{
    lf_schema *s = k->s;
    bool added = false;
    bool unsupported = false;
    *why = NULL;
    LF_TRY(lf_schema_intern(s, &s->patterns, text, len, id, &added));
    void *items = s->pattern_rx;
    LF_TRY(lf_schema_grow(s, &items, &s->cap_patterns, s->patterns.n, sizeof *s->pattern_rx));
    s->pattern_rx = items;
    if (s->pattern_rx[*id] == LF_RX_NONE) {
        LF_TRY(lf_schema_pattern(s, text, len, false, &s->pattern_rx[*id], why, &unsupported));
        if (*why != NULL && !unsupported) {
            return lf_keyword_invalid(k, m, *why);
        }
    }
    return LFM2_OK;
}

static int32_t on_format(lf_keywords *k, const lf_json *m)
{
    lf_rx rx = LF_RX_NONE;
    lf_schema_format format = LF_FORMAT_UNKNOWN;
    if (m->kind != LF_JSON_STRING) {
        return lf_keyword_invalid(k, m, "must be a string");
    }
    LF_TRY(lf_schema_format_of(k->s, m->text, m->len, &format, &rx));
    switch (format) {
    case LF_FORMAT_KNOWN:
        return text_term(k, rx);
    case LF_FORMAT_REFUSED:
        return lf_keyword_refuse(k, m->key, LF_TYPE_STRING, "this format is not supported");
    case LF_FORMAT_UNKNOWN:
        break;
    }
    return lf_schema_ignore(k->s, k->place, m->key, "no draft defines this format");
}

/* ---- All keywords ---- */

typedef struct keyword {
    const char *name;
    int32_t (*read)(lf_keywords *k, const lf_json *member);
} keyword;

/* Not listed: annotations, and keywords of other vocabularies, which constrain nothing. */
static const keyword all[] = {
    {"type", on_type},
    {"properties", lf_on_properties},
    {"required", lf_on_required},
    {"items", lf_on_items},
    {"additionalProperties", lf_on_properties},
    {"$ref", lf_on_ref},
    {"enum", on_enum},
    {"const", on_const},
    {"pattern", on_pattern},
    {"format", on_format},
    {"anyOf", lf_on_any_of},
    {"oneOf", lf_on_one_of},
    {"allOf", lf_on_all_of},
    {"not", lf_on_not},
    {"if", lf_on_if},
    {"minimum", on_bound},
    {"maximum", on_bound},
    {"exclusiveMinimum", on_bound},
    {"exclusiveMaximum", on_bound},
    {"multipleOf", on_multiple},
    {"minLength", on_text_length},
    {"maxLength", on_text_length},
    {"patternProperties", lf_on_properties},
    {"propertyNames", lf_on_property_names},
    {"minProperties", lf_on_size},
    {"maxProperties", lf_on_size},
    {"dependencies", lf_on_dependencies},
    {"dependentRequired", lf_on_dependencies},
    {"dependentSchemas", lf_on_dependencies},
    {"prefixItems", lf_on_items},
    {"additionalItems", lf_on_items},
    {"minItems", lf_on_length},
    {"maxItems", lf_on_length},
    {"contains", lf_on_contains},
    {"uniqueItems", lf_on_unique},
    {"unevaluatedProperties", lf_on_unevaluated},
    {"unevaluatedItems", lf_on_unevaluated},
    {"$dynamicRef", lf_on_ref},
    {"$recursiveRef", lf_on_ref},
};

static const keyword *find(const lf_json *m)
{
    for (size_t i = 0; i < sizeof all / sizeof *all; i++) {
        if (m->key[0] == all[i].name[0] && lf_json_key_is(m, all[i].name)) {
            return &all[i];
        }
    }
    return NULL;
}

int32_t lf_schema_terms(lf_schema *s, lf_lit lit, const lf_term **out)
{
    const uint32_t place = lit >> 1;
    const lf_json *schema = s->places[place].value;
    lf_keywords k = {.s = s, .place = place, .schema = schema, .negated = (lit & 1) != 0};
    const bool only_ref = s->draft <= LF_DRAFT_7 && lf_json_get(schema, "$ref") != NULL;
    LF_TRY(lf_schema_step(s, 1 + schema->count));
    for (const lf_json *m = schema->child; m != NULL; m = m->next) {
        const keyword *found = find(m);
        if (found != NULL && (!only_ref || lf_json_key_is(m, "$ref"))) {
            LF_TRY(found->read(&k, m));
        }
    }
    if (k.negated) {
        lf_terms choice = {0};
        LF_TRY(lf_keyword_choice(&k, &choice, &k.any));
        *out = choice.first;
    } else {
        *out = k.all.first;
    }
    return LFM2_OK;
}
