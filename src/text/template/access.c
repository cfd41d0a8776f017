/* SPDX-License-Identifier: Apache-2.0 */
/* Implements attributes, items and slices. */
#include "text/template/value.h"

#include "common/utf8.h"

#include <string.h>

static int32_t no_attribute(tpl_vm *vm, const tpl_value *object)
{
    lf_shown shown;
    return TPL_TYPE_ERROR(vm, "%s is undefined and has no attributes",
                          object->u.s != NULL ? lf_show(&shown, object->u.s->text, object->u.s->len)
                                              : "a value");
}

static bool loop_attribute(const tpl_loop *l, const tpl_string *name, tpl_value *out)
{
    static const char *const names[] = {"index",     "index0",   "first",   "last",
                                        "length",    "depth",    "depth0",  "revindex",
                                        "revindex0", "previtem", "nextitem"};
    size_t i = 0;
    while (i < sizeof names / sizeof *names && !tpl_string_is(name, names[i])) {
        i++;
    }
    int64_t index = (int64_t)l->index, n = (int64_t)l->n;
    const int64_t numbers[] = {index + 1, index, 0, 0, n, 1, 0, n - index, n - index - 1};
    switch (i) {
    case 2:
        *out = tpl_bool(index == 0, false);
        return true;
    case 3:
        *out = tpl_bool(index == n - 1, false);
        return true;
    case 9:
        *out = index > 0 ? l->items[index - 1] : tpl_undefined(name);
        return true;
    case 10:
        *out = index + 1 < n ? l->items[index + 1] : tpl_undefined(name);
        return true;
    default:
        if (i < sizeof numbers / sizeof *numbers) {
            *out = tpl_int(numbers[i], false);
            return true;
        }
        return false;
    }
}

static int32_t bind_method(tpl_vm *vm, const tpl_value *object, const tpl_string *name,
                           tpl_value *out, bool *found)
{
    int32_t id = tpl_method_id(object, name->text, name->len);
    *found = id >= 0;
    if (!*found) {
        return LFM2_OK;
    }
    tpl_method *m = NULL;
    LF_TRY(tpl_new(vm, 1, sizeof *m, &m));
    *m = (tpl_method){*object, id, name->text};
    *out = (tpl_value){.type = TPL_METHOD, .u.method = m};
    return LFM2_OK;
}

/* What getattr(object, name) finds without looking at items. */
static int32_t own_attribute(tpl_vm *vm, const tpl_value *object, const tpl_string *name,
                             tpl_value *out, bool *found)
{
    *found = false;
    const tpl_value *v = NULL;
    if (object->type == TPL_NAMESPACE) {
        if (name->len > 0 && name->text[0] == '_') {
            return LFM2_OK; /* as jinja2's sandbox: such attributes can be set, but not read */
        }
        tpl_value key = {.type = TPL_STRING, .u.s = name};
        LF_TRY(tpl_dict_find(vm, object->u.d, &key, &v));
    } else if (object->type == TPL_LOOP) {
        *found = loop_attribute(object->u.loop, name, out);
    } else if (object->type == TPL_TUPLE && object->u.l->group) {
        v = tpl_string_is(name, "grouper") ? &object->u.l->items[0]
            : tpl_string_is(name, "list")  ? &object->u.l->items[1]
                                           : NULL;
    } else if (object->type == TPL_CYCLER && tpl_string_is(name, "current")) {
        v = &object->u.l->items[object->u.l->pos];
    }
    if (v != NULL) {
        *out = *v;
        *found = true;
    }
    return *found ? LFM2_OK : bind_method(vm, object, name, out, found);
}

int32_t tpl_getattr(tpl_vm *vm, const tpl_value *object, const tpl_string *name, tpl_value *out)
{
    bool found = false;
    const tpl_value *v = NULL;
    tpl_value key = {.type = TPL_STRING, .u.s = name};
    if (object->type == TPL_UNDEFINED) {
        return no_attribute(vm, object);
    }
    LF_TRY(own_attribute(vm, object, name, out, &found));
    if (found) {
        return LFM2_OK;
    }
    if (object->type == TPL_DICT) {
        LF_TRY(tpl_dict_find(vm, object->u.d, &key, &v));
    }
    *out = v != NULL ? *v : tpl_undefined(name);
    return LFM2_OK;
}

/* The item at an index, negative ones from the end; *found is false beyond the ends. */
static int32_t item_at(tpl_vm *vm, const tpl_value *object, int64_t index, tpl_value *out,
                       bool *found)
{
    bool string = object->type == TPL_STRING;
    int64_t n = (int64_t)(string ? object->u.s->chars : object->u.l->n);
    index += index < 0 ? n : 0;
    *found = index >= 0 && index < n;
    if (!*found) {
        return LFM2_OK;
    }
    if (!string) {
        *out = object->u.l->items[index];
        return LFM2_OK;
    }
    const tpl_string *s = object->u.s;
    size_t from = tpl_char_at(s, (size_t)index);
    LF_TRY(tpl_charge(vm, s->chars == s->len ? 0 : from / 64));
    size_t n_bytes = lf_utf8_char(s->text + from, s->len - from);
    return tpl_string_part(vm, s, from, from + n_bytes, out);
}

int32_t tpl_getitem(tpl_vm *vm, const tpl_value *object, const tpl_value *key, tpl_value *out)
{
    bool found = false;
    int64_t index = 0;
    const tpl_value *v = NULL;
    switch ((tpl_type)object->type) {
    case TPL_UNDEFINED:
        return no_attribute(vm, object);
    case TPL_DICT:
        if (tpl_keyable(key)) {
            LF_TRY(tpl_dict_find(vm, object->u.d, key, &v));
        }
        if (v != NULL) {
            *out = *v;
            return LFM2_OK;
        }
        break;
    case TPL_STRING:
    case TPL_LIST:
    case TPL_TUPLE:
    case TPL_RANGE:
        if (tpl_integer(key, &index)) {
            LF_TRY(item_at(vm, object, index, out, &found));
        }
        break;
    default:
        break;
    }
    if (!found && key->type == TPL_STRING) {
        LF_TRY(own_attribute(vm, object, key->u.s, out, &found));
    }
    if (!found) {
        *out = tpl_undefined(key->type == TPL_STRING ? key->u.s : NULL);
    }
    return LFM2_OK;
}

/* ---- Slices ---- */

typedef struct slice {
    int64_t start, stop, step, n;
} slice;

static int32_t slice_bound(tpl_vm *vm, const tpl_value *v, int64_t n, int64_t absent, int64_t low,
                           int64_t high, int64_t *out)
{
    if (v->type == TPL_NONE) {
        *out = absent;
        return LFM2_OK;
    }
    if (!tpl_integer(v, out)) {
        return TPL_TYPE_ERROR(vm, "a bound of a slice is %s", tpl_type_name(v));
    }
    *out += *out < 0 ? n : 0;
    *out = *out < low ? low : *out > high ? high : *out;
    return LFM2_OK;
}

static int32_t slice_of(tpl_vm *vm, const tpl_value bounds[3], int64_t n, slice *out)
{
    out->step = 1;
    if (bounds[2].type != TPL_NONE && !tpl_integer(&bounds[2], &out->step)) {
        return TPL_TYPE_ERROR(vm, "the step of a slice is %s", tpl_type_name(&bounds[2]));
    }
    if (out->step == 0 || out->step == INT64_MIN) {
        return TPL_TYPE_ERROR(vm, "the step of a slice is %lld", (long long)out->step);
    }
    bool up = out->step > 0;
    int64_t low = up ? 0 : -1, high = up ? n : n - 1;
    LF_TRY(slice_bound(vm, &bounds[0], n, up ? low : high, low, high, &out->start));
    LF_TRY(slice_bound(vm, &bounds[1], n, up ? high : low, low, high, &out->stop));
    int64_t distance = up ? out->stop - out->start : out->start - out->stop;
    int64_t step = up ? out->step : -out->step;
    out->n = distance > 0 ? (distance - 1) / step + 1 : 0;
    return LFM2_OK;
}

static int32_t slice_string(tpl_vm *vm, const tpl_string *s, const slice *at, tpl_value *out)
{
    if (at->step == 1) {
        size_t from = tpl_char_at(s, (size_t)at->start);
        size_t to = at->n > 0 ? tpl_char_at(s, (size_t)(at->start + at->n)) : from;
        LF_TRY(tpl_charge(vm, s->chars == s->len ? 0 : to / 64));
        return tpl_string_part(vm, s, from, to, out);
    }
    size_t *offsets = NULL; /* of each character */
    LF_TRY(tpl_new(vm, s->chars + 1, sizeof *offsets, &offsets));
    size_t n = 0;
    for (size_t i = 0; i < s->len; i++) {
        if (((uint8_t)s->text[i] & 0xC0) != 0x80) {
            offsets[n++] = i;
        }
    }
    offsets[n] = s->len;
    tpl_text text = {0};
    LF_TRY(tpl_charge(vm, s->chars / 16));
    for (int64_t i = 0, c = at->start; i < at->n; i++, c += at->step) {
        size_t from = offsets[c];
        LF_TRY(tpl_charge(vm, 1));
        LF_TRY(tpl_text_put_marked(vm, &text, s->text + from,
                                   s->marks != NULL ? s->marks + from : NULL, offsets[c + 1] - from,
                                   s->data));
    }
    return tpl_text_end(vm, &text, out);
}

int32_t tpl_slice(tpl_vm *vm, const tpl_value *object, const tpl_value bounds[3], tpl_value *out)
{
    slice at;
    switch ((tpl_type)object->type) {
    case TPL_STRING:
        LF_TRY(slice_of(vm, bounds, (int64_t)object->u.s->chars, &at));
        return slice_string(vm, object->u.s, &at, out);
    case TPL_LIST:
    case TPL_TUPLE:
    case TPL_RANGE:
        break;
    case TPL_UNDEFINED:
        return no_attribute(vm, object);
    default:
        return TPL_TYPE_ERROR(vm, "%s cannot be sliced", tpl_type_name(object));
    }
    const tpl_seq *l = object->u.l;
    LF_TRY(slice_of(vm, bounds, (int64_t)l->n, &at));
    LF_TRY(tpl_seq_new(vm, object->type, at.step == 1 ? l->items + at.start : NULL,
                       at.step == 1 ? (size_t)at.n : 0, out));
    for (int64_t i = 0, c = at.start; at.step != 1 && i < at.n; i++, c += at.step) {
        LF_TRY(tpl_seq_push(vm, out, l->items[c]));
    }
    out->data = object->data;
    if (object->type == TPL_RANGE) {
        out->u.l->range[0] = l->range[0] + at.start * l->range[2];
        out->u.l->range[1] = l->range[0] + at.stop * l->range[2];
        out->u.l->range[2] = l->range[2] * at.step;
    }
    return LFM2_OK;
}

static bool all_digits(const char *text, size_t len)
{
    size_t i = 0;
    while (i < len && text[i] >= '0' && text[i] <= '9') {
        i++;
    }
    return len > 0 && i == len;
}

static void set_default(tpl_value *v, const tpl_value *absent)
{
    if (v->type == TPL_UNDEFINED && absent != NULL && absent->type != TPL_NONE) {
        *v = *absent;
    }
}

int32_t tpl_getpath(tpl_vm *vm, const tpl_value *object, const tpl_value *path,
                    const tpl_value *absent, tpl_value *out)
{
    if (path->type == TPL_NONE) {
        *out = *object;
        return LFM2_OK;
    }
    if (path->type != TPL_STRING) {
        LF_TRY(tpl_getitem(vm, object, path, out));
        set_default(out, absent);
        return LFM2_OK;
    }
    const tpl_string *s = path->u.s;
    tpl_value at = *object;
    for (size_t from = 0; from <= s->len;) {
        const char *dot = memchr(s->text + from, '.', s->len - from);
        size_t to = dot != NULL ? (size_t)(dot - s->text) : s->len;
        tpl_value key, next;
        int64_t index = 0;
        if (all_digits(s->text + from, to - from) &&
            tpl_parse_int(s->text + from, to - from, 10, &index)) {
            key = tpl_int(index, false);
        } else {
            LF_TRY(tpl_string_part(vm, s, from, to, &key));
        }
        LF_TRY(tpl_getitem(vm, &at, &key, &next));
        set_default(&next, absent);
        at = next;
        from = to + 1;
    }
    *out = at;
    return LFM2_OK;
}
