/* SPDX-License-Identifier: Apache-2.0 */
/* Makes, converts and iterates over values. */
#include "text/template/value.h"

#include <math.h>
#include <string.h>

tpl_value tpl_none(void)
{
    return (tpl_value){.type = TPL_NONE};
}

tpl_value tpl_bool(bool b, bool data)
{
    return (tpl_value){.type = TPL_BOOL, .data = data, .u.b = b};
}

tpl_value tpl_int(int64_t i, bool data)
{
    return (tpl_value){.type = TPL_INT, .data = data, .u.i = i};
}

tpl_value tpl_float(double f, bool data)
{
    return (tpl_value){.type = TPL_FLOAT, .data = data, .u.f = f};
}

tpl_value tpl_undefined(const tpl_string *name)
{
    return (tpl_value){.type = TPL_UNDEFINED, .u.s = name};
}

const char *tpl_type_name(const tpl_value *v)
{
    static const char *const names[] = {
        "undefined",       "none",        "a boolean", "an integer",  "a float",
        "a large integer", "a string",    "a list",    "a tuple",     "a range",
        "a view",          "an iterator", "a dict",    "a namespace", "a macro",
        "a method",        "a function",  "a loop",    "a joiner",    "a cycler"};
    return names[v->type];
}

bool tpl_truthy(const tpl_value *v)
{
    switch ((tpl_type)v->type) {
    case TPL_UNDEFINED:
    case TPL_NONE:
        return false;
    case TPL_BOOL:
        return v->u.b;
    case TPL_INT:
        return v->u.i != 0;
    case TPL_FLOAT:
        return v->u.f != 0;
    case TPL_STRING:
        return v->u.s->len > 0;
    case TPL_LIST:
    case TPL_TUPLE:
    case TPL_RANGE:
    case TPL_VIEW:
        return v->u.l->n > 0;
    case TPL_DICT:
        return v->u.d->n > 0;
    default:
        return true;
    }
}

/* ---- Sequences ---- */

static uint32_t depth_of(const tpl_value *v)
{
    switch ((tpl_type)v->type) {
    case TPL_LIST:
    case TPL_TUPLE:
    case TPL_VIEW:
    case TPL_ITERATOR:
        return v->u.l->depth;
    case TPL_DICT:
        return v->u.d->depth;
    default:
        return 0;
    }
}

static int32_t fail_depth(const tpl_vm *vm)
{
    return tpl_fail(vm, LFM2_E_LIMIT, "template.depth", "values nested more than %d deep",
                    TPL_MAX_DEPTH);
}

static int32_t note_depth(tpl_vm *vm, uint32_t *depth, const tpl_value *item)
{
    uint32_t d = depth_of(item) + 1;
    if (d > TPL_MAX_DEPTH) {
        return fail_depth(vm);
    }
    *depth = *depth > d ? *depth : d;
    return LFM2_OK;
}

bool tpl_keyable(const tpl_value *v)
{
    switch ((tpl_type)v->type) {
    case TPL_LIST:
    case TPL_DICT:
        return false;
    case TPL_TUPLE:
        return v->u.l->keyable;
    case TPL_VIEW:
        return v->u.l->view == TPL_VIEW_VALUES;
    default:
        return true;
    }
}

int32_t tpl_seq_new(tpl_vm *vm, tpl_type type, const tpl_value *items, size_t n, tpl_value *out)
{
    tpl_seq *l = NULL;
    LF_TRY(tpl_new(vm, 1, sizeof *l, &l));
    *l = (tpl_seq){.n = n, .depth = 1, .keyable = type == TPL_TUPLE};
    LF_TRY(
        tpl_new(vm, n > 0 ? n : 1, sizeof *items, &l->items)); /* never NULL: callers add to it */
    if (n > 0) {
        memcpy(l->items, items, n * sizeof *items);
        for (size_t i = 0; i < n; i++) {
            LF_TRY(note_depth(vm, &l->depth, &items[i]));
            l->keyable = l->keyable && tpl_keyable(&items[i]);
        }
    }
    *out = (tpl_value){.type = (uint8_t)type, .u.l = l};
    return tpl_charge(vm, n);
}

int32_t tpl_seq_push(tpl_vm *vm, tpl_value *list, tpl_value item)
{
    tpl_seq *l = list->u.l;
    if (l->shared == NULL) {
        LF_TRY(tpl_new(vm, 1, sizeof *l->shared, &l->shared));
        *l->shared = (tpl_items){l->items, l->n, l->n};
    }
    tpl_items *s = l->shared;
    LF_TRY(tpl_grow(vm, &s->items, s->n, &s->cap, 8, sizeof *s->items));
    LF_TRY(note_depth(vm, &l->depth, &item));
    s->items[s->n++] = item;
    l->items = s->items;
    l->n = s->n;
    return tpl_charge(vm, 1);
}

bool tpl_iterable(const tpl_value *v)
{
    switch ((tpl_type)v->type) {
    case TPL_UNDEFINED:
    case TPL_STRING:
    case TPL_LIST:
    case TPL_TUPLE:
    case TPL_RANGE:
    case TPL_VIEW:
    case TPL_ITERATOR:
    case TPL_DICT:
    case TPL_LOOP:
        return true;
    default:
        return false;
    }
}

static int32_t characters(tpl_vm *vm, const tpl_string *s, tpl_value **items, size_t *n)
{
    LF_TRY(tpl_new(vm, s->chars, sizeof **items, items));
    size_t at = 0;
    for (*n = 0; at < s->len; ++*n) {
        size_t end = at + 1;
        while (end < s->len && ((uint8_t)s->text[end] & 0xC0) == 0x80) {
            end++;
        }
        LF_TRY(tpl_string_part(vm, s, at, end, &(*items)[*n]));
        at = end;
    }
    return tpl_charge(vm, *n);
}

int32_t tpl_iterate(tpl_vm *vm, const tpl_value *v, tpl_value **items, size_t *n)
{
    *items = NULL;
    *n = 0;
    switch ((tpl_type)v->type) {
    case TPL_UNDEFINED:
        return LFM2_OK;
    case TPL_STRING:
        return characters(vm, v->u.s, items, n);
    case TPL_LIST:
    case TPL_TUPLE:
    case TPL_RANGE:
    case TPL_VIEW:
        *items = v->u.l->items;
        *n = v->u.l->n;
        return LFM2_OK;
    case TPL_ITERATOR:
        *items = v->u.l->items + v->u.l->pos;
        *n = v->u.l->n - v->u.l->pos;
        v->u.l->pos = v->u.l->n;
        return LFM2_OK;
    case TPL_DICT:
        *items = v->u.d->keys;
        *n = v->u.d->n;
        return LFM2_OK;
    default:
        return TPL_TYPE_ERROR(vm, "cannot iterate over %s", tpl_type_name(v));
    }
}

int32_t tpl_length(tpl_vm *vm, const tpl_value *v, int64_t *out)
{
    switch ((tpl_type)v->type) {
    case TPL_UNDEFINED:
        *out = 0;
        return LFM2_OK;
    case TPL_STRING:
        *out = (int64_t)v->u.s->chars;
        return LFM2_OK;
    case TPL_LIST:
    case TPL_TUPLE:
    case TPL_RANGE:
    case TPL_VIEW:
        *out = (int64_t)v->u.l->n;
        return LFM2_OK;
    case TPL_DICT:
        *out = (int64_t)v->u.d->n;
        return LFM2_OK;
    case TPL_LOOP:
        *out = (int64_t)v->u.loop->n;
        return LFM2_OK;
    default:
        return TPL_TYPE_ERROR(vm, "%s has no length", tpl_type_name(v));
    }
}

/* ---- Dicts ---- */

int32_t tpl_dict_new(tpl_vm *vm, size_t cap, tpl_value *out)
{
    tpl_dict *d = NULL;
    LF_TRY(tpl_new(vm, 1, sizeof *d, &d));
    *d = (tpl_dict){.cap = cap, .depth = 1};
    LF_TRY(tpl_new(vm, cap > 0 ? 2 * cap : 1, sizeof *d->keys, &d->keys)); /* never NULL */
    d->values = d->keys + cap;
    *out = (tpl_value){.type = TPL_DICT, .u.d = d};
    return LFM2_OK;
}

int32_t tpl_dict_find(tpl_vm *vm, const tpl_dict *d, const tpl_value *key, const tpl_value **out)
{
    *out = NULL;
    if (!tpl_keyable(key)) {
        return TPL_TYPE_ERROR(vm, "%s cannot be a key", tpl_type_name(key));
    }
    size_t i = 0;
    if (key->type == TPL_STRING) {
        while (i < d->n &&
               !(d->keys[i].type == TPL_STRING && tpl_same_bytes(d->keys[i].u.s, key->u.s))) {
            i++;
        }
    } else {
        while (i < d->n && !tpl_equal(vm, &d->keys[i], key)) {
            i++;
        }
    }
    *out = i < d->n ? &d->values[i] : NULL;
    size_t bytes = key->type == TPL_STRING ? key->u.s->len : 0;
    return tpl_charge(vm, i / 4 + bytes / 64 * (i + 1));
}

const tpl_value *tpl_dict_name(const tpl_dict *d, const char *name)
{
    for (size_t i = 0; i < d->n; i++) {
        if (d->keys[i].type == TPL_STRING && tpl_string_is(d->keys[i].u.s, name)) {
            return &d->values[i];
        }
    }
    return NULL;
}

int32_t tpl_dict_set(tpl_vm *vm, tpl_value *dict, const tpl_value *key, const tpl_value *v)
{
    tpl_dict *d = dict->u.d;
    const tpl_value *found = NULL;
    LF_TRY(tpl_dict_find(vm, d, key, &found));
    if (dict->type == TPL_DICT) {
        LF_TRY(note_depth(vm, &d->depth, key));
        LF_TRY(note_depth(vm, &d->depth, v));
    }
    if (found != NULL) {
        d->values[found - d->values] = *v;
        return LFM2_OK;
    }
    if (d->n == d->cap) {
        size_t cap = d->cap > 0 ? 2 * d->cap : 8;
        tpl_value *keys = NULL;
        LF_TRY(tpl_new(vm, 2 * cap, sizeof *keys, &keys));
        if (d->n > 0) {
            memcpy(keys, d->keys, d->n * sizeof *keys);
            memcpy(keys + cap, d->values, d->n * sizeof *keys);
        }
        d->keys = keys;
        d->values = keys + cap;
        d->cap = cap;
    }
    d->keys[d->n] = *key;
    d->values[d->n++] = *v;
    return LFM2_OK;
}

/* ---- JSON ---- */

static int32_t number_from_json(tpl_vm *vm, const lf_json *json, bool data, tpl_value *out)
{
    bool real = false;
    for (size_t i = 0; i < json->len; i++) {
        real |= strchr(".eE", json->text[i]) != NULL;
    }
    if (real) {
        double f = 0;
        if (!lf_json_double(json, &f)) {
            f = json->text[0] == '-' ? -(double)INFINITY : (double)INFINITY;
        }
        *out = tpl_float(f, data);
        return LFM2_OK;
    }
    int64_t i = 0;
    if (lf_json_i64(json, &i)) {
        *out = tpl_int(i, data);
        return LFM2_OK;
    }
    LF_TRY(tpl_string_new(vm, json->text, json->len, data, out));
    out->type = TPL_BIG;
    return LFM2_OK;
}

static int32_t string_from_json(tpl_vm *vm, const char *text, size_t len, bool data, tpl_value *out)
{
    tpl_string s = {.text = text, .len = len, .data = data};
    return tpl_string_part(vm, &s, 0, len, out);
}

/* A scalar, or an empty container. */
static int32_t head_from_json(tpl_vm *vm, const lf_json *json, bool data, tpl_value *out)
{
    LF_TRY(tpl_charge(vm, 1));
    switch (json->kind) {
    case LF_JSON_NULL:
        *out = (tpl_value){.type = TPL_NONE, .data = data};
        return LFM2_OK;
    case LF_JSON_FALSE:
    case LF_JSON_TRUE:
        *out = tpl_bool(json->kind == LF_JSON_TRUE, data);
        return LFM2_OK;
    case LF_JSON_NUMBER:
        return number_from_json(vm, json, data, out);
    case LF_JSON_STRING:
        return string_from_json(vm, json->text, json->len, data, out);
    case LF_JSON_ARRAY:
        LF_TRY(tpl_seq_new(vm, TPL_LIST, NULL, 0, out));
        break;
    case LF_JSON_OBJECT:
        LF_TRY(tpl_dict_new(vm, json->count, out));
        break;
    }
    out->data = data;
    return LFM2_OK;
}

/* Adds the value of the element or member `json`. */
static int32_t add_from_json(tpl_vm *vm, tpl_value *to, const lf_json *json, bool data, tpl_value v)
{
    if (to->type == TPL_LIST) {
        return tpl_seq_push(vm, to, v);
    }
    tpl_dict *d = to->u.d; /* JSON's names are different: no search */
    LF_TRY(string_from_json(vm, json->key, json->key_len, data, &d->keys[d->n]));
    d->values[d->n++] = v;
    return note_depth(vm, &d->depth, &v);
}

int32_t tpl_from_json(tpl_vm *vm, const lf_json *json, bool data, tpl_value *out)
{
    struct {
        const lf_json *from;
        tpl_value to;
    } open[TPL_MAX_DEPTH]; /* the containers around `at`, outermost first */
    size_t depth = 0;
    const lf_json *at = json;
    for (;;) {
        tpl_value v;
        LF_TRY(head_from_json(vm, at, data, &v));
        if ((v.type == TPL_LIST || v.type == TPL_DICT) && at->child != NULL) {
            LF_TRY(depth < TPL_MAX_DEPTH ? LFM2_OK : fail_depth(vm));
            open[depth].from = at;
            open[depth++].to = v;
            at = at->child;
            continue;
        }
        while (depth > 0) {
            LF_TRY(add_from_json(vm, &open[depth - 1].to, at, data, v));
            at = at->next;
            if (at != NULL) {
                break;
            }
            v = open[--depth].to; /* all its children are in it */
            at = open[depth].from;
        }
        if (depth == 0) {
            *out = v;
            return LFM2_OK;
        }
    }
}
