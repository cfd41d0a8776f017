/* SPDX-License-Identifier: Apache-2.0 */
/* Shapes: adding terms to them, and finding types of which no value is left. */
#include "text/grammar/schema_internal.h"

#include <string.h>

/* ---- Adding terms ---- */

static void at_least(lf_shape *shape, const lf_decimal *d, bool open)
{
    const int order = shape->low == NULL ? 1 : lf_decimal_compare(d, shape->low);
    if (order >= 0) {
        shape->low_open = order == 0 ? shape->low_open || open : open;
        shape->low = d;
    }
}

static void at_most(lf_shape *shape, const lf_decimal *d, bool open)
{
    const int order = shape->high == NULL ? -1 : lf_decimal_compare(d, shape->high);
    if (order <= 0) {
        shape->high_open = order == 0 ? shape->high_open || open : open;
        shape->high = d;
    }
}

static void add_text(lf_schema *s, lf_shape *shape, lf_rx text)
{
    if (shape->text == lf_schema_any_text(s)) {
        shape->text = text;
    } else if (text != shape->text && text != lf_schema_any_text(s)) {
        shape->text = lf_rx_and(s->rx, shape->text, text);
        shape->text_joined = true;
    }
}

static int32_t add_number(lf_schema *s, const lf_numbers **list, uint32_t value)
{
    void *memory = NULL;
    LF_TRY(lf_schema_new(s, 1, sizeof(lf_numbers), &memory));
    *(lf_numbers *)memory = (lf_numbers){value, *list};
    *list = memory;
    return LFM2_OK;
}

static void narrow(uint32_t *min, uint32_t *max, const lf_term *t)
{
    *min = t->min > *min ? t->min : *min;
    *max = t->max < *max ? t->max : *max;
}

/* Terms are never changed, so a shape refers to their contents; what forms lists is copied. */
static int32_t add_to_list(lf_schema *s, lf_shape *shape, const lf_term *t)
{
    void *memory = NULL;
    LF_TRY(lf_schema_new(s, 1, sizeof(lf_term), &memory));
    lf_term *copy = memory;
    *copy = *t;
    switch (t->kind) {
    case LF_TERM_MULTIPLE: {
        LF_TRY(lf_schema_new(s, 1, sizeof(lf_multiple), &memory));
        *(lf_multiple *)memory = (lf_multiple){t->u.decimal, t->flag, shape->multiples};
        shape->multiples = memory;
        break;
    }
    case LF_TERM_VALUES: {
        const lf_values **list = t->flag ? &shape->excluded : &shape->allowed;
        copy->u.values.before = *list;
        *list = &copy->u.values;
        break;
    }
    case LF_TERM_CLAUSE:
        copy->u.clause.before = shape->clauses;
        shape->clauses = &copy->u.clause;
        break;
    case LF_TERM_EXISTS:
        copy->u.exists.before = shape->exists;
        shape->exists = &copy->u.exists;
        break;
    case LF_TERM_TUPLE:
        copy->u.tuple.before = shape->tuples;
        shape->tuples = &copy->u.tuple;
        break;
    case LF_TERM_CONTAINS:
        copy->u.contains.before = shape->contains;
        shape->contains = &copy->u.contains;
        break;
    default:
        copy->u.refusal.before = shape->refusals;
        shape->refusals = &copy->u.refusal;
        break;
    }
    return LFM2_OK;
}

int32_t lf_shape_apply(lf_schema *s, lf_shape *shape, const lf_term *t)
{
    switch (t->kind) {
    case LF_TERM_TYPES:
        shape->types &= t->types;
        break;
    case LF_TERM_INTEGER:
        shape->integer = shape->integer || t->flag;
        shape->fraction = shape->fraction || !t->flag;
        break;
    case LF_TERM_MINIMUM:
        at_least(shape, &t->u.decimal, t->flag);
        break;
    case LF_TERM_MAXIMUM:
        at_most(shape, &t->u.decimal, t->flag);
        break;
    case LF_TERM_TEXT:
        add_text(s, shape, t->rx);
        break;
    case LF_TERM_REQUIRED:
        return add_number(s, &shape->required, t->number);
    case LF_TERM_KEYS:
        return add_number(s, &shape->keys, t->lit);
    case LF_TERM_SIZE:
        narrow(&shape->min_size, &shape->max_size, t);
        break;
    case LF_TERM_LENGTH:
        narrow(&shape->min_length, &shape->max_length, t);
        break;
    case LF_TERM_UNIQUE:
        shape->unique = t;
        break;
    default:
        return add_to_list(s, shape, t);
    }
    return LFM2_OK;
}

/* ---- Scalars ---- */

static bool same_scalar(const lf_json *a, const lf_json *b, const lf_decimal *number, lf_schema *s,
                        int32_t *status)
{
    if (a->kind != b->kind || a->kind >= LF_JSON_ARRAY) {
        return false;
    }
    if (a->kind == LF_JSON_STRING) {
        return a->len == b->len && memcmp(a->text, b->text, a->len) == 0;
    }
    if (a->kind == LF_JSON_NUMBER) {
        lf_decimal other;
        bool fits = false;
        *status = lf_schema_decimal(s, b, &fits, &other);
        return *status == LFM2_OK && fits && lf_decimal_compare(number, &other) == 0;
    }
    return true;
}

static int32_t among(lf_schema *s, const lf_values *values, const lf_json *value,
                     const lf_decimal *number, bool *out)
{
    int32_t status = LFM2_OK;
    *out = false;
    LF_TRY(lf_schema_step(s, 1 + values->n / 16));
    for (uint32_t i = 0; i < values->n && !*out && status == LFM2_OK; i++) {
        *out =
            values->items[i] == value || same_scalar(value, values->items[i], number, s, &status);
    }
    return status;
}

static int32_t number_fits(lf_schema *s, const lf_shape *shape, const lf_decimal *d, bool *out)
{

    const bool integer = lf_decimal_is_integer(d);
    *out = !(shape->integer && !integer) && !(shape->fraction && integer);
    if (shape->low != NULL) {
        const int order = lf_decimal_compare(d, shape->low);
        *out = *out && (order > 0 || (order == 0 && !shape->low_open));
    }
    if (shape->high != NULL) {
        const int order = lf_decimal_compare(d, shape->high);
        *out = *out && (order < 0 || (order == 0 && !shape->high_open));
    }
    for (const lf_multiple *m = shape->multiples; m != NULL && *out; m = m->before) {
        bool known = false;
        const bool divides = lf_decimal_divides(&m->of, d, &known);
        if (!known) {
            LF_TRY(lf_schema_cannot(s, "multipleOf", "has too many digits"));
            continue;
        }
        *out = divides != m->negated;
    }
    return LFM2_OK;
}

static unsigned type_of(const lf_json *value)
{
    static const uint8_t bits[] = {LF_TYPE_NULL,   LF_TYPE_FALSE, LF_TYPE_TRUE,  LF_TYPE_NUMBER,
                                   LF_TYPE_STRING, LF_TYPE_ARRAY, LF_TYPE_OBJECT};
    return bits[value->kind];
}

int32_t lf_shape_allows(lf_schema *s, const lf_shape *shape, const lf_json *value, bool *out)
{
    lf_decimal number = {0};
    *out = (type_of(value) & shape->types) != 0;
    if (!*out) {
        return LFM2_OK;
    }
    if (value->kind == LF_JSON_NUMBER) {
        bool fits = false;
        LF_TRY(lf_schema_decimal(s, value, &fits, &number));
        if (!fits) {
            return lf_schema_fail(s, LFM2_E_UNSUPPORTED, s->nodes[s->node].lits[0] >> 1, NULL,
                                  "a constant has too many digits");
        }
        LF_TRY(number_fits(s, shape, &number, out));
    } else if (value->kind == LF_JSON_STRING && shape->text != lf_schema_any_text(s)) {
        LF_TRY(lf_schema_matches(s, shape->text, value->text, value->len, out));
    }
    for (const lf_values *v = shape->allowed->before; v != NULL && *out; v = v->before) {
        LF_TRY(among(s, v, value, &number, out));
    }
    for (const lf_values *v = shape->excluded; v != NULL && *out; v = v->before) {
        bool found = false;
        LF_TRY(among(s, v, value, &number, &found));
        *out = !found;
    }
    return LFM2_OK;
}

/* Whether one of the listed scalars of some types is allowed. */
static int32_t any_allowed(lf_schema *s, const lf_shape *shape, unsigned type, bool *out)
{
    const lf_values *v = shape->allowed;
    *out = false;
    for (uint32_t i = 0; i < v->n && !*out; i++) {
        if ((type_of(v->items[i]) & type) != 0) {
            LF_TRY(lf_shape_allows(s, shape, v->items[i], out));
        }
    }
    return LFM2_OK;
}

/* Whether an excluded list contains the only value of a type. */
static bool is_excluded(const lf_shape *shape, lf_json_kind kind)
{
    for (const lf_values *v = shape->excluded; v != NULL; v = v->before) {
        for (uint32_t i = 0; i < v->n; i++) {
            if (v->items[i]->kind == kind) {
                return true;
            }
        }
    }
    return false;
}

static int32_t no_number(lf_schema *s, const lf_shape *shape, bool *out)
{
    const lf_decimal *low = shape->low;
    const lf_decimal *high = shape->high;
    lf_decimal least;
    lf_decimal most;
    bool open = shape->low_open || shape->high_open;
    *out = shape->integer && shape->fraction;
    if (low == NULL || high == NULL) {
        return LFM2_OK;
    }
    if (shape->integer) {
        LF_TRY(lf_decimal_bound(s, low, shape->low_open, true, &least));
        LF_TRY(lf_decimal_bound(s, high, shape->high_open, false, &most));
        low = &least;
        high = &most;
        open = false;
    }
    const int order = lf_decimal_compare(low, high);
    *out = *out || order > 0 || (order == 0 && open);
    if (!*out && order == 0) {
        /* One value. */
        LF_TRY(number_fits(s, shape, low, out));
        *out = !*out;
    }
    return LFM2_OK;
}

static int32_t check_scalars(lf_schema *s, lf_shape *shape)
{
    if (shape->types & LF_TYPE_NULL && is_excluded(shape, LF_JSON_NULL)) {
        shape->types &= (uint8_t)~LF_TYPE_NULL;
    }
    if (shape->types & LF_TYPE_TRUE && is_excluded(shape, LF_JSON_TRUE)) {
        shape->types &= (uint8_t)~LF_TYPE_TRUE;
    }
    if (shape->types & LF_TYPE_FALSE && is_excluded(shape, LF_JSON_FALSE)) {
        shape->types &= (uint8_t)~LF_TYPE_FALSE;
    }
    bool some = false;
    bool none = false;
    if (shape->allowed != NULL) {
        if (shape->types & LF_TYPE_NUMBER) {
            LF_TRY(any_allowed(s, shape, LF_TYPE_NUMBER, &some));
            shape->types &= (uint8_t)(some ? LF_TYPE_ALL : ~LF_TYPE_NUMBER);
        }
        if (shape->types & LF_TYPE_STRING) {
            LF_TRY(any_allowed(s, shape, LF_TYPE_STRING, &some));
            shape->types &= (uint8_t)(some ? LF_TYPE_ALL : ~LF_TYPE_STRING);
        }
        return LFM2_OK;
    }
    if (shape->types & LF_TYPE_NUMBER) {
        LF_TRY(no_number(s, shape, &none));
        shape->types &= (uint8_t)(none ? ~LF_TYPE_NUMBER : LF_TYPE_ALL);
    }
    /* Whether an intersection is empty costs a search: lf_schema_is_empty does it. */
    if (shape->types & LF_TYPE_STRING && shape->text == LF_RX_NONE) {
        shape->types &= (uint8_t)~LF_TYPE_STRING;
    }
    return LFM2_OK;
}

/* ---- Objects and arrays ---- */

/* Whether a node is the conjunction of several schemas, which may contradict each other. The
 * matcher finds out what else has no value. */
static bool is_joined(const lf_schema *s, uint32_t node)
{
    const lf_value_node *n = &s->nodes[node];
    return n->n_lits > 1 || (n->n_lits == 1 && n->lits[0] == LF_LIT_FALSE);
}

/* Whether a required property cannot have a value, or too many are required. */
static int32_t lacks_property(lf_schema *s, lf_arena *arena, const lf_shape *shape, bool *out)
{
    lf_field *fields = NULL;
    uint32_t n = 0;
    uint32_t required = 0;
    *out = false;
    LF_TRY(lf_schema_fields(s, arena, shape, &fields, &n));
    for (uint32_t i = 0; i < n && !*out; i++) {
        required += fields[i].required;
        if (fields[i].required && is_joined(s, fields[i].node)) {
            LF_TRY(lf_schema_is_empty(s, fields[i].node, out));
        }
    }
    *out = *out || required > shape->max_size;
    return LFM2_OK;
}

/* Whether a required property, or an item that must be there, cannot have a value. */
static int32_t check_children(lf_schema *s, lf_shape *shape)
{
    bool empty = false;
    if (shape->types & LF_TYPE_OBJECT && shape->required != NULL && shape->clauses != NULL) {
        lf_arena arena;
        lf_arena_init(&arena, s->options->alloc);
        const int32_t status = lacks_property(s, &arena, shape, &empty);
        lf_schema_free_arena(s, &arena);
        LF_TRY(status);
        shape->types &= (uint8_t)(empty ? ~LF_TYPE_OBJECT : LF_TYPE_ALL);
    }
    if (shape->types & LF_TYPE_ARRAY && shape->tuples != NULL) {
        const uint32_t prefix = lf_schema_prefix_of(shape);
        empty = false;
        for (uint32_t i = 0; i < shape->min_length && i <= prefix && !empty; i++) {
            uint32_t node = 0;
            LF_TRY(lf_schema_item_node(s, shape, i, NULL, 0, &node));
            if (is_joined(s, node)) {
                LF_TRY(lf_schema_is_empty(s, node, &empty));
            }
        }
        shape->types &= (uint8_t)(empty ? ~LF_TYPE_ARRAY : LF_TYPE_ALL);
    }
    return LFM2_OK;
}

int32_t lf_shape_check(lf_schema *s, lf_shape *shape)
{
    LF_TRY(check_scalars(s, shape));
    if (shape->min_size > shape->max_size) {
        shape->types &= (uint8_t)~LF_TYPE_OBJECT;
    }
    if (shape->min_length > shape->max_length) {
        shape->types &= (uint8_t)~LF_TYPE_ARRAY;
    }
    if ((shape->types & (LF_TYPE_OBJECT | LF_TYPE_ARRAY)) != 0 && s->depth <= 6) {
        return check_children(s, shape);
    }
    return LFM2_OK;
}
