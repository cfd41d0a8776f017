/* SPDX-License-Identifier: Apache-2.0 */
/* Compares, searches and sorts values as Python does. */
#include "text/template/value.h"

#include <math.h>
#include <string.h>

static bool is_numeric(const tpl_value *v)
{
    return v->type == TPL_INT || v->type == TPL_BOOL || v->type == TPL_FLOAT;
}

/* -1, 0, 1; 2 with NaN. Exact between integers and floats. */
static int compare_numbers(const tpl_value *a, const tpl_value *b)
{
    int64_t i = 0, j = 0;
    double x = 0, y = 0;
    bool int_a = tpl_integer(a, &i), int_b = tpl_integer(b, &j);
    if (int_a && int_b) {
        return (i > j) - (i < j);
    }
    tpl_number(a, &x);
    tpl_number(b, &y);
    if (isnan(x) || isnan(y)) {
        return 2;
    }
    if (x == y && fabs(x) < 0x1p63 && (int_a || int_b)) { /* the integer may have been rounded */
        i = int_a ? i : (int64_t)x;
        j = int_b ? j : (int64_t)y;
        return (i > j) - (i < j);
    }
    return (x > y) - (x < y);
}

static int compare_strings(const tpl_string *a, const tpl_string *b)
{
    int c = memcmp(a->text, b->text, a->len < b->len ? a->len : b->len);
    return c != 0 ? c : (a->len > b->len) - (a->len < b->len);
}

/* The work that comparing may take. */
static size_t weight(const tpl_value *v)
{
    switch ((tpl_type)v->type) {
    case TPL_STRING:
        return v->u.s->len / 64;
    case TPL_LIST:
    case TPL_TUPLE:
    case TPL_RANGE:
    case TPL_VIEW:
        return v->u.l->n;
    case TPL_DICT:
        return v->u.d->n * (v->u.d->n / 8 + 1);
    default:
        return 0;
    }
}

/* Whether two values are equal; of lists and dicts, whether they have as many items: *n. */
static bool equal_heads(tpl_vm *vm, const tpl_value *a, const tpl_value *b, size_t *n)
{
    *n = 0;
    if (is_numeric(a) && is_numeric(b)) {
        return compare_numbers(a, b) == 0;
    }
    if (a->type != b->type || vm->steps >= vm->limits.steps) {
        return false;
    }
    tpl_spend(vm, a->type == TPL_STRING || a->type >= TPL_LIST ? 1 + weight(a) / 4 : 0);
    switch ((tpl_type)a->type) {
    case TPL_UNDEFINED:
    case TPL_NONE:
        return true;
    case TPL_STRING:
    case TPL_BIG:
        return tpl_same_bytes(a->u.s, b->u.s);
    case TPL_LIST:
    case TPL_TUPLE:
    case TPL_RANGE:
        *n = a->u.l->n;
        return a->u.l->n == b->u.l->n;
    case TPL_DICT:
        *n = a->u.d->n;
        return a->u.d->n == b->u.d->n;
    case TPL_BUILTIN:
        return a->u.i == b->u.i;
    default:
        return a->u.l == b->u.l;
    }
}

/* The item of `b` at the place or key of item i of `a`, or NULL. Keys are compared by tpl_equal:
 * they contain no dicts, so it is not called by itself more than once. */
static const tpl_value *counterpart(tpl_vm *vm, const tpl_value *a, const tpl_value *b, size_t i)
{
    if (a->type != TPL_DICT) {
        return &b->u.l->items[i];
    }
    for (size_t j = 0; j < b->u.d->n; j++) {
        if (tpl_equal(vm, &a->u.d->keys[i], &b->u.d->keys[j])) {
            return &b->u.d->values[j];
        }
    }
    return NULL;
}

/* When the steps are used up, the answer is false and the next instruction fails. */
bool tpl_equal(tpl_vm *vm, const tpl_value *a, const tpl_value *b)
{
    struct {
        const tpl_value *a, *b;
        size_t i, n;
    } open[TPL_MAX_DEPTH]; /* the containers around a and b, outermost first */
    size_t depth = 0;
    size_t n = 0;
    for (;;) {
        if (!equal_heads(vm, a, b, &n)) {
            return false;
        }
        if (n > 0) {
            open[depth].a = a;
            open[depth].b = b;
            open[depth].i = 0;
            open[depth++].n = n;
        }
        while (depth > 0 && open[depth - 1].i == open[depth - 1].n) {
            depth--;
        }
        if (depth == 0) {
            return true;
        }
        const tpl_value *in = open[depth - 1].a;
        size_t i = open[depth - 1].i++;
        a = in->type == TPL_DICT ? &in->u.d->values[i] : &in->u.l->items[i];
        b = counterpart(vm, in, open[depth - 1].b, i);
        if (b == NULL) {
            return false;
        }
    }
}

int32_t tpl_less(tpl_vm *vm, const tpl_value *a, const tpl_value *b, bool *out)
{
    /* The first items that differ decide. */
    while ((a->type == TPL_LIST || a->type == TPL_TUPLE) && a->type == b->type) {
        const tpl_seq *x = a->u.l, *y = b->u.l;
        size_t i = 0;
        while (i < x->n && i < y->n && tpl_equal(vm, &x->items[i], &y->items[i])) {
            i++;
        }
        if (i == x->n || i == y->n) {
            *out = x->n < y->n;
            return LFM2_OK;
        }
        a = &x->items[i];
        b = &y->items[i];
    }
    if (is_numeric(a) && is_numeric(b)) {
        *out = compare_numbers(a, b) == -1;
        return LFM2_OK;
    }
    if (a->type == TPL_STRING && b->type == TPL_STRING) {
        *out = compare_strings(a->u.s, b->u.s) < 0;
        return LFM2_OK;
    }
    return TPL_TYPE_ERROR(vm, "cannot order %s and %s", tpl_type_name(a), tpl_type_name(b));
}

static int32_t contains(tpl_vm *vm, const tpl_value *item, const tpl_value *in, bool *out)
{
    *out = false;
    if (in->type == TPL_STRING) {
        if (item->type != TPL_STRING) {
            return TPL_TYPE_ERROR(vm, "cannot look for %s in a string", tpl_type_name(item));
        }
        LF_TRY(tpl_charge_find(vm, in->u.s, item->u.s));
        *out = tpl_find(in->u.s, 0, in->u.s->len, item->u.s) != SIZE_MAX;
        return LFM2_OK;
    }
    if (in->type == TPL_DICT) {
        const tpl_value *found = NULL;
        LF_TRY(tpl_dict_find(vm, in->u.d, item, &found));
        *out = found != NULL;
        return LFM2_OK;
    }
    tpl_value *items = NULL;
    size_t n = 0;
    size_t start = in->type == TPL_ITERATOR ? in->u.l->pos : 0;
    LF_TRY(tpl_iterate(vm, in, &items, &n));
    for (size_t i = 0; i < n && !*out; i++) {
        LF_TRY(tpl_charge(vm, 1 + weight(&items[i])));
        *out = tpl_equal(vm, &items[i], item);
        if (in->type == TPL_ITERATOR) {
            in->u.l->pos = start + i + 1;
        }
    }
    return LFM2_OK;
}

int32_t tpl_compare_values(tpl_vm *vm, tpl_compare op, const tpl_value *a, const tpl_value *b,
                           bool *out)
{
    LF_TRY(tpl_charge(vm, weight(a)));
    switch (op) {
    case TPL_EQ:
    case TPL_NE:
        *out = tpl_equal(vm, a, b) == (op == TPL_EQ);
        return LFM2_OK;
    case TPL_LT:
        return tpl_less(vm, a, b, out);
    case TPL_GT:
        return tpl_less(vm, b, a, out);
    case TPL_LE:
    case TPL_GE:
        LF_TRY(op == TPL_LE ? tpl_less(vm, a, b, out) : tpl_less(vm, b, a, out));
        *out = *out || tpl_equal(vm, a, b);
        return LFM2_OK;
    case TPL_IN:
        return contains(vm, a, b, out);
    case TPL_NOT_IN:
        LF_TRY(contains(vm, a, b, out));
        *out = !*out;
        return LFM2_OK;
    }
    return LFM2_OK;
}

/* Merges two sorted sections of `from` into `to`. Equal keys keep their order. */
static int32_t merge(tpl_vm *vm, const tpl_value *from, tpl_value *to, size_t a, size_t middle,
                     size_t end, bool reverse)
{
    size_t b = middle;
    while (a < middle || b < end) {
        bool second = a == middle;
        if (a < middle && b < end) {
            LF_TRY(tpl_charge(vm, 1 + weight(&from[2 * a])));
            LF_TRY(reverse ? tpl_less(vm, &from[2 * a], &from[2 * b], &second)
                           : tpl_less(vm, &from[2 * b], &from[2 * a], &second));
        }
        size_t at = second ? b++ : a++;
        to[0] = from[2 * at];
        to[1] = from[2 * at + 1];
        to += 2;
    }
    return LFM2_OK;
}

int32_t tpl_sort(tpl_vm *vm, tpl_value *items, tpl_value *keys, size_t n, bool reverse)
{
    if (n < 2) {
        return LFM2_OK;
    }
    tpl_value *pairs = NULL; /* key, item; twice: to merge from one half to the other */
    LF_TRY(tpl_new(vm, 4 * n, sizeof *pairs, &pairs));
    tpl_value *other = pairs + 2 * n;
    for (size_t i = 0; i < n; i++) {
        pairs[2 * i] = keys[i];
        pairs[2 * i + 1] = items[i];
    }
    for (size_t width = 1; width < n; width *= 2) {
        for (size_t a = 0; a < n; a += 2 * width) {
            size_t middle = a + width < n ? a + width : n;
            size_t end = a + 2 * width < n ? a + 2 * width : n;
            LF_TRY(merge(vm, pairs, other + 2 * a, a, middle, end, reverse));
        }
        tpl_value *t = pairs;
        pairs = other;
        other = t;
    }
    for (size_t i = 0; i < n; i++) {
        keys[i] = pairs[2 * i];
        items[i] = pairs[2 * i + 1];
    }
    return LFM2_OK;
}

int32_t tpl_lower_key(tpl_vm *vm, tpl_value *key)
{
    return key->type == TPL_STRING ? tpl_change_case(vm, key->u.s, TPL_LOWER, key) : LFM2_OK;
}
