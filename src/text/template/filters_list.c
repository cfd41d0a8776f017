/* SPDX-License-Identifier: Apache-2.0 */
/* Implements the filters for sequences and numbers. */
#include "text/template/value.h"

#include <math.h>
#include <string.h>

#define FILTER(name)                                                                               \
    static int32_t f_##name(tpl_vm *vm, const tpl_value *v, const tpl_args *args, tpl_value *out)

/* ---- Items ---- */

FILTER(default)
{
    tpl_slots a;
    LF_TRY(tpl_bind(vm, "default", "default_value boolean", 0, args, &a));
    bool boolean = a.given[1] && tpl_truthy(&a.v[1]);
    if (v->type != TPL_UNDEFINED && !(boolean && !tpl_truthy(v))) {
        *out = *v;
        return LFM2_OK;
    }
    if (a.given[0]) {
        *out = a.v[0];
        return LFM2_OK;
    }
    return tpl_string_new(vm, "", 0, false, out);
}

FILTER(first)
{
    tpl_slots a;
    tpl_value *items = NULL;
    size_t n = 0;
    LF_TRY(tpl_bind(vm, "first", "", 0, args, &a));
    size_t pos = v->type == TPL_ITERATOR ? v->u.l->pos : 0;
    LF_TRY(tpl_iterate(vm, v, &items, &n));
    if (v->type == TPL_ITERATOR && n > 0) {
        v->u.l->pos = pos + 1;
    }
    *out = n > 0 ? items[0] : tpl_undefined(NULL);
    return LFM2_OK;
}

FILTER(last)
{
    tpl_slots a;
    tpl_value *items = NULL;
    size_t n = 0;
    LF_TRY(tpl_bind(vm, "last", "", 0, args, &a));
    if (v->type == TPL_ITERATOR || v->type == TPL_UNDEFINED) {
        return TPL_TYPE_ERROR(vm, "last is not defined for %s", tpl_type_name(v));
    }
    LF_TRY(tpl_iterate(vm, v, &items, &n));
    *out = n > 0 ? items[n - 1] : tpl_undefined(NULL);
    return LFM2_OK;
}

FILTER(length)
{
    tpl_slots a;
    int64_t n = 0;
    LF_TRY(tpl_bind(vm, "length", "", 0, args, &a));
    LF_TRY(tpl_length(vm, v, &n));
    *out = tpl_int(n, v->type == TPL_STRING ? v->u.s->data : v->data);
    return LFM2_OK;
}

FILTER(list)
{
    tpl_slots a;
    tpl_value *items = NULL;
    size_t n = 0;
    LF_TRY(tpl_bind(vm, "list", "", 0, args, &a));
    LF_TRY(tpl_iterate(vm, v, &items, &n));
    LF_TRY(tpl_seq_new(vm, TPL_LIST, items, n, out));
    out->data = v->data;
    return LFM2_OK;
}

FILTER(join)
{
    tpl_slots a;
    tpl_value *items = NULL, separator;
    size_t n = 0;
    LF_TRY(tpl_bind(vm, "join", "d attribute", 0, args, &a));
    LF_TRY(tpl_iterate(vm, v, &items, &n));
    if (a.given[1] && a.v[1].type != TPL_NONE) {
        tpl_value *mapped = NULL;
        LF_TRY(tpl_new(vm, n, sizeof *mapped, &mapped));
        for (size_t i = 0; i < n; i++) {
            LF_TRY(tpl_getpath(vm, &items[i], &a.v[1], NULL, &mapped[i]));
        }
        items = mapped;
    }
    LF_TRY(tpl_str(vm, &a.v[0], &separator)); /* undefined: empty */
    return tpl_join(vm, separator.u.s, items, n, false, out);
}

FILTER(reverse)
{
    tpl_slots a;
    tpl_value *items = NULL;
    size_t n = 0;
    LF_TRY(tpl_bind(vm, "reverse", "", 0, args, &a));
    if (v->type == TPL_STRING) {
        const tpl_value bounds[3] = {tpl_none(), tpl_none(), tpl_int(-1, false)};
        return tpl_slice(vm, v, bounds, out);
    }
    LF_TRY(tpl_iterate(vm, v, &items, &n));
    LF_TRY(tpl_seq_new(vm, v->type == TPL_ITERATOR ? TPL_LIST : TPL_ITERATOR, items, n, out));
    for (size_t i = 0; i < n; i++) {
        out->u.l->items[i] = items[n - 1 - i];
    }
    return LFM2_OK;
}

FILTER(items)
{
    tpl_slots a;
    LF_TRY(tpl_bind(vm, "items", "", 0, args, &a));
    if (v->type != TPL_DICT && v->type != TPL_UNDEFINED) {
        return TPL_TYPE_ERROR(vm, "items is not defined for %s", tpl_type_name(v));
    }
    LF_TRY(tpl_seq_new(vm, TPL_ITERATOR, NULL, 0, out));
    for (size_t i = 0; v->type == TPL_DICT && i < v->u.d->n; i++) {
        const tpl_value pair[2] = {v->u.d->keys[i], v->u.d->values[i]};
        tpl_value tuple;
        LF_TRY(tpl_seq_new(vm, TPL_TUPLE, pair, 2, &tuple));
        tuple.data = v->data;
        LF_TRY(tpl_seq_push(vm, out, tuple));
    }
    return LFM2_OK;
}

/* ---- Sorting ---- */

/* A copy of the items, and the keys to order them by. */
typedef struct keyed {
    tpl_value *items, *keys;
    size_t n;
} keyed;

/* The key of an item: an attribute, or a list of those that commas divide ("a,b"). Lists order
 * differently: equal items need no order. */
static int32_t key_of(tpl_vm *vm, const tpl_value *item, const tpl_value *attribute,
                      const tpl_value *absent, bool several, bool lower, tpl_value *out)
{
    const tpl_string *s = attribute->type == TPL_STRING ? attribute->u.s : NULL;
    if (!several || s == NULL) {
        tpl_value key;
        LF_TRY(tpl_getpath(vm, item, attribute, absent, &key));
        LF_TRY(lower ? tpl_lower_key(vm, &key) : LFM2_OK);
        *out = key;
        return several ? tpl_seq_new(vm, TPL_LIST, &key, 1, out) : LFM2_OK;
    }
    LF_TRY(tpl_seq_new(vm, TPL_LIST, NULL, 0, out));
    for (size_t from = 0; from <= s->len;) {
        const char *comma = memchr(s->text + from, ',', s->len - from);
        size_t to = comma != NULL ? (size_t)(comma - s->text) : s->len;
        tpl_value path, key;
        LF_TRY(tpl_string_part(vm, s, from, to, &path));
        LF_TRY(tpl_getpath(vm, item, &path, absent, &key));
        LF_TRY(lower ? tpl_lower_key(vm, &key) : LFM2_OK);
        LF_TRY(tpl_seq_push(vm, out, key));
        from = to + 1;
    }
    return LFM2_OK;
}

static int32_t make_keyed(tpl_vm *vm, const tpl_value *v, const tpl_value *attribute,
                          const tpl_value *absent, bool several, bool lower, keyed *out)
{
    tpl_value *items = NULL;
    tpl_value none = tpl_none();
    LF_TRY(tpl_iterate(vm, v, &items, &out->n));
    LF_TRY(tpl_new(vm, 2 * out->n, sizeof *items, &out->items));
    out->keys = out->items + out->n;
    for (size_t i = 0; i < out->n; i++) {
        out->items[i] = items[i];
        LF_TRY(tpl_charge(vm, 1));
        LF_TRY(key_of(vm, &items[i], attribute->type == TPL_UNDEFINED ? &none : attribute, absent,
                      several, lower, &out->keys[i]));
    }
    return LFM2_OK;
}

/* Sorts by keys. `reverse` may be absent; Python takes no other types. */
static int32_t sort_keyed(tpl_vm *vm, const char *what, keyed *k, const tpl_value *reverse,
                          bool given)
{
    int64_t r = 0;
    LF_TRY(given ? tpl_need_int(vm, what, reverse, &r) : LFM2_OK);
    return tpl_sort(vm, k->items, k->keys, k->n, r != 0);
}

FILTER(sort)
{
    tpl_slots a;
    keyed k;
    LF_TRY(tpl_bind(vm, "sort", "reverse case_sensitive attribute", 0, args, &a));
    LF_TRY(make_keyed(vm, v, &a.v[2], NULL, true, !tpl_truthy(&a.v[1]), &k));
    LF_TRY(sort_keyed(vm, "sort: reverse", &k, &a.v[0], a.given[0]));
    LF_TRY(tpl_seq_new(vm, TPL_LIST, k.items, k.n, out));
    out->data = v->data;
    return LFM2_OK;
}

FILTER(dictsort)
{
    tpl_slots a;
    tpl_value pairs;
    LF_TRY(tpl_bind(vm, "dictsort", "case_sensitive by reverse", 0, args, &a));
    if (v->type != TPL_DICT) {
        return TPL_TYPE_ERROR(vm, "dictsort is not defined for %s", tpl_type_name(v));
    }
    bool by_value = a.given[1] && a.v[1].type == TPL_STRING && tpl_string_is(a.v[1].u.s, "value");
    if (a.given[1] && !by_value &&
        !(a.v[1].type == TPL_STRING && tpl_string_is(a.v[1].u.s, "key"))) {
        return TPL_TYPE_ERROR(vm, "dictsort: by is \"key\" or \"value\"");
    }
    const tpl_args none = {0};
    tpl_value index = tpl_int(by_value, false);
    keyed k;
    LF_TRY(f_items(vm, v, &none, &pairs));
    LF_TRY(make_keyed(vm, &pairs, &index, NULL, false, !tpl_truthy(&a.v[0]), &k));
    LF_TRY(sort_keyed(vm, "dictsort: reverse", &k, &a.v[2], a.given[2]));
    LF_TRY(tpl_seq_new(vm, TPL_LIST, k.items, k.n, out));
    out->data = v->data;
    return LFM2_OK;
}

FILTER(unique)
{
    tpl_slots a;
    keyed k;
    LF_TRY(tpl_bind(vm, "unique", "case_sensitive attribute", 0, args, &a));
    LF_TRY(make_keyed(vm, v, &a.v[1], NULL, false, !tpl_truthy(&a.v[0]), &k));
    LF_TRY(tpl_seq_new(vm, TPL_ITERATOR, NULL, 0, out));
    tpl_value seen;
    LF_TRY(tpl_dict_new(vm, 0, &seen));
    for (size_t i = 0; i < k.n; i++) {
        const tpl_value *found = NULL;
        LF_TRY(tpl_dict_find(vm, seen.u.d, &k.keys[i], &found));
        if (found == NULL) {
            LF_TRY(tpl_dict_set(vm, &seen, &k.keys[i], &k.keys[i]));
            LF_TRY(tpl_seq_push(vm, out, k.items[i]));
        }
    }
    return LFM2_OK;
}

/* The smallest (largest) item by key; of equal ones the first. */
static int32_t extreme(tpl_vm *vm, const char *what, bool largest, const tpl_value *v,
                       const tpl_args *args, tpl_value *out)
{
    tpl_slots a;
    keyed k;
    LF_TRY(tpl_bind(vm, what, "case_sensitive attribute", 0, args, &a));
    LF_TRY(make_keyed(vm, v, &a.v[1], NULL, false, !tpl_truthy(&a.v[0]), &k));
    size_t best = 0;
    for (size_t i = 1; i < k.n; i++) {
        bool better = false;
        LF_TRY(largest ? tpl_less(vm, &k.keys[best], &k.keys[i], &better)
                       : tpl_less(vm, &k.keys[i], &k.keys[best], &better));
        best = better ? i : best;
    }
    *out = k.n > 0 ? k.items[best] : tpl_undefined(NULL);
    return LFM2_OK;
}

FILTER(min)
{
    return extreme(vm, "min", false, v, args, out);
}

FILTER(max)
{
    return extreme(vm, "max", true, v, args, out);
}

FILTER(groupby)
{
    tpl_slots a;
    keyed k;
    LF_TRY(tpl_bind(vm, "groupby", "attribute default case_sensitive", 1, args, &a));
    LF_TRY(make_keyed(vm, v, &a.v[0], a.given[1] ? &a.v[1] : NULL, false, false, &k));
    tpl_value *own = NULL; /* the keys with their case, moved along as the items */
    LF_TRY(tpl_new(vm, k.n, 2 * sizeof *own, &own));
    tpl_value *again = own + k.n;
    for (size_t i = 0; i < k.n; i++) {
        own[i] = k.keys[i];
        LF_TRY(tpl_truthy(&a.v[2]) ? LFM2_OK : tpl_lower_key(vm, &k.keys[i]));
        again[i] = k.keys[i];
    }
    LF_TRY(tpl_sort(vm, own, again, k.n, false));
    LF_TRY(tpl_sort(vm, k.items, k.keys, k.n, false));
    LF_TRY(tpl_seq_new(vm, TPL_LIST, NULL, 0, out));
    for (size_t i = 0, end = 0; i < k.n; i = end) {
        tpl_value pair[2] = {own[i], tpl_none()};
        tpl_value group;
        for (end = i + 1; end < k.n && tpl_equal(vm, &k.keys[i], &k.keys[end]); end++) {
        }
        LF_TRY(tpl_seq_new(vm, TPL_LIST, k.items + i, end - i, &pair[1]));
        LF_TRY(tpl_seq_new(vm, TPL_TUPLE, pair, 2, &group));
        group.u.l->group = true;
        LF_TRY(tpl_seq_push(vm, out, group));
    }
    return LFM2_OK;
}

/* ---- Division ---- */

static int32_t push_list(tpl_vm *vm, tpl_value *to, const tpl_value *items, size_t n)
{
    tpl_value list;
    LF_TRY(tpl_seq_new(vm, TPL_LIST, items, n, &list));
    return tpl_seq_push(vm, to, list);
}

FILTER(batch)
{
    tpl_slots a;
    tpl_value *items = NULL;
    size_t n = 0;
    int64_t size = 0;
    LF_TRY(tpl_bind(vm, "batch", "linecount fill_with", 1, args, &a));
    LF_TRY(tpl_need_int(vm, "batch", &a.v[0], &size));
    LF_TRY(tpl_iterate(vm, v, &items, &n));
    LF_TRY(tpl_seq_new(vm, TPL_ITERATOR, NULL, 0, out));
    if (size < 1 && n > 0) { /* the size is compared before an item is added: it is never reached */
        LF_TRY(size == 0 ? push_list(vm, out, NULL, 0) : LFM2_OK);
        return push_list(vm, out, items, n);
    }
    for (size_t i = 0; i < n;) {
        size_t take = (uint64_t)size < n - i ? (size_t)size : n - i;
        tpl_value list;
        LF_TRY(tpl_seq_new(vm, TPL_LIST, items + i, take, &list));
        while (a.given[1] && a.v[1].type != TPL_NONE && (int64_t)list.u.l->n < size) {
            LF_TRY(tpl_seq_push(vm, &list, a.v[1]));
        }
        LF_TRY(tpl_seq_push(vm, out, list));
        i += take;
    }
    return LFM2_OK;
}

FILTER(slice)
{
    tpl_slots a;
    tpl_value *items = NULL;
    size_t n = 0, offset = 0;
    int64_t slices = 0;
    LF_TRY(tpl_bind(vm, "slice", "slices fill_with", 1, args, &a));
    LF_TRY(tpl_need_int(vm, "slice", &a.v[0], &slices));
    LF_TRY(tpl_iterate(vm, v, &items, &n));
    LF_TRY(tpl_seq_new(vm, TPL_ITERATOR, NULL, 0, out));
    if (slices < 1) {
        return slices == 0 ? TPL_TYPE_ERROR(vm, "slice: the number is 0") : LFM2_OK;
    }
    size_t each = n / (size_t)slices, extra = n % (size_t)slices;
    for (size_t i = 0; i < (size_t)slices; i++) {
        size_t take = each + (i < extra);
        tpl_value list;
        LF_TRY(tpl_charge(vm, 1));
        LF_TRY(tpl_seq_new(vm, TPL_LIST, n > 0 ? items + offset : NULL, take, &list));
        if (a.given[1] && a.v[1].type != TPL_NONE && i >= extra) {
            LF_TRY(tpl_seq_push(vm, &list, a.v[1]));
        }
        LF_TRY(tpl_seq_push(vm, out, list));
        offset += take;
    }
    return LFM2_OK;
}

/* ---- Numbers ---- */

FILTER(sum)
{
    tpl_slots a;
    tpl_value *items = NULL;
    size_t n = 0;
    LF_TRY(tpl_bind(vm, "sum", "attribute start", 0, args, &a));
    LF_TRY(tpl_iterate(vm, v, &items, &n));
    tpl_value total = a.given[1] ? a.v[1] : tpl_int(0, false);
    if (total.type == TPL_STRING) {
        return TPL_TYPE_ERROR(vm, "sum does not add strings");
    }
    for (size_t i = 0; i < n; i++) {
        tpl_value item = items[i], next;
        if (a.given[0] && a.v[0].type != TPL_NONE) {
            LF_TRY(tpl_getpath(vm, &items[i], &a.v[0], NULL, &item));
        }
        LF_TRY(tpl_charge(vm, 1));
        LF_TRY(tpl_arithmetic(vm, '+', &total, &item, &next));
        total = next;
    }
    *out = total;
    return LFM2_OK;
}

FILTER(abs)
{
    tpl_slots a;
    LF_TRY(tpl_bind(vm, "abs", "", 0, args, &a));
    bool minus = v->type == TPL_FLOAT ? signbit(v->u.f) != 0 : v->type == TPL_INT && v->u.i < 0;
    return tpl_negate(vm, v, minus, out);
}

static bool to_int(double f, bool data, tpl_value *out)
{
    if (!(fabs(f) < 0x1p63)) {
        return false;
    }
    *out = tpl_int((int64_t)f, data);
    return true;
}

FILTER(int)
{
    tpl_slots a;
    int64_t i = 0, base = 10;
    double f = 0;
    LF_TRY(tpl_bind(vm, "int", "default base", 0, args, &a));
    if (a.given[1]) {
        LF_TRY(tpl_need_int(vm, "int", &a.v[1], &base));
    }
    *out = a.given[0] ? a.v[0] : tpl_int(0, false);
    if (v->type == TPL_UNDEFINED) {
        return TPL_TYPE_ERROR(vm, "int: the value is undefined");
    }
    if (v->type == TPL_BIG) {
        *out = *v;
    } else if (v->type == TPL_STRING) {
        const tpl_string *s = v->u.s;
        if (base != 0 && (base < 2 || base > 36)) {
            return LFM2_OK;
        }
        if (tpl_parse_int(s->text, s->len, base, &i)) {
            *out = tpl_int(i, s->data);
        } else if (tpl_parse_float(s->text, s->len, &f)) {
            to_int(f, s->data, out);
        }
    } else if (tpl_integer(v, &i)) {
        *out = tpl_int(i, v->data);
    } else if (v->type == TPL_FLOAT && !to_int(v->u.f, v->data, out) && isfinite(v->u.f)) {
        return tpl_fail(vm, LFM2_E_LIMIT, "template.integer", "an integer beyond 64 bits");
    }
    return LFM2_OK;
}

FILTER(float)
{
    tpl_slots a;
    double f = 0;
    LF_TRY(tpl_bind(vm, "float", "default", 0, args, &a));
    if (v->type == TPL_UNDEFINED) {
        return TPL_TYPE_ERROR(vm, "float: the value is undefined");
    }
    *out = a.given[0] ? a.v[0] : tpl_float(0, false);
    if (v->type == TPL_STRING || v->type == TPL_BIG) {
        if (tpl_parse_float(v->u.s->text, v->u.s->len, &f)) {
            *out = tpl_float(f, v->u.s->data);
        }
    } else if (tpl_number(v, &f)) {
        *out = tpl_float(f, v->data);
    }
    return LFM2_OK;
}

FILTER(round)
{
    tpl_slots a;
    int64_t precision = 0, i = 0;
    double f = 0, scale = 1;
    LF_TRY(tpl_bind(vm, "round", "precision method", 0, args, &a));
    if (a.given[0]) {
        LF_TRY(tpl_need_int(vm, "round", &a.v[0], &precision));
    }
    const tpl_string *m = a.given[1] && a.v[1].type == TPL_STRING ? a.v[1].u.s : NULL;
    bool ceiling = m != NULL && tpl_string_is(m, "ceil"),
         low = m != NULL && tpl_string_is(m, "floor");
    if ((a.given[1] && m == NULL) ||
        (m != NULL && !ceiling && !low && !tpl_string_is(m, "common"))) {
        return TPL_TYPE_ERROR(vm, "round: method is common, ceil or floor");
    }
    if (!tpl_number(v, &f)) {
        return TPL_TYPE_ERROR(vm, "round is not defined for %s", tpl_type_name(v));
    }
    if (precision < 0 || precision > 22) {
        return tpl_fail(vm, LFM2_E_UNSUPPORTED, "template.unsupported",
                        "round: the precision is %lld; allowed: 0 to 22", (long long)precision);
    }
    for (i = 0; i < precision; i++) {
        scale *= 10;
    }
    if (ceiling || low) { /* Python: an integer unless divided; both print as a float here */
        *out =
            tpl_float((ceiling ? -tpl_floor(-f * scale) : tpl_floor(f * scale)) / scale, v->data);
        return LFM2_OK;
    }
    if (tpl_integer(v, &i)) {
        *out = tpl_int(i, v->data);
        return LFM2_OK;
    }
    char text[TPL_NUMBER_TEXT];
    size_t n = tpl_fixed_text(f, (int)precision, text); /* exact, half to even */
    tpl_parse_float(text, n, &f);
    *out = tpl_float(f, v->data);
    return LFM2_OK;
}

const tpl_filter tpl_list_filters[] = {
    {"default", f_default}, {"d", f_default},    {"first", f_first}, {"last", f_last},
    {"length", f_length},   {"count", f_length}, {"list", f_list},   {"join", f_join},
    {"reverse", f_reverse}, {"items", f_items},  {"sort", f_sort},   {"dictsort", f_dictsort},
    {"unique", f_unique},   {"min", f_min},      {"max", f_max},     {"groupby", f_groupby},
    {"batch", f_batch},     {"slice", f_slice},  {"sum", f_sum},     {"abs", f_abs},
    {"int", f_int},         {"float", f_float},  {"round", f_round}, {NULL, NULL}};
