/* SPDX-License-Identifier: Apache-2.0 */
/* Writes values as Python's str(), repr() and json.dumps() do. */
#include "text/template/value.h"

#include "common/utf8.h"
#include "text/unicode.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

static int32_t put(tpl_vm *vm, tpl_text *to, const char *text, bool data)
{
    return tpl_text_put(vm, to, text, strlen(text), data);
}

/* ---- Strings ---- */

/* The escape of a character as \x, \u or \U with hexadecimal digits; as two surrogates for JSON. */
static void hex_escape(uint32_t c, bool json, char out[16])
{
    if (json && c > 0xFFFF) {
        c -= 0x10000;
        snprintf(out, 16, "\\u%04x\\u%04x", 0xD800 + (c >> 10), 0xDC00 + (c & 0x3FF));
    } else if (json || (c > 0xFF && c <= 0xFFFF)) {
        snprintf(out, 16, "\\u%04x", c);
    } else {
        snprintf(out, 16, c <= 0xFF ? "\\x%02x" : "\\U%08x", c);
    }
}

/* The escape of a character, or false. */
static bool escape(uint32_t c, const tpl_json_options *o, char quote, char out[16])
{
    static const char from[] = "\n\r\t\b\f", names[] = "nrtbf";
    const char *simple = c != 0 && c < 0x80 ? strchr(from, (int)c) : NULL;
    if (simple != NULL && (o->json || simple - from < 3)) {
        snprintf(out, 16, "\\%c", names[simple - from]);
        return true;
    }
    if (c == '\\' || c == (uint8_t)quote) {
        snprintf(out, 16, "\\%c", (int)c);
        return true;
    }
    bool plain = o->json ? c >= 0x20 && (!o->ascii || c < 0x7F)
                         : (c >= 0x20 && c < 0x7F) || (c >= 0x80 && lf_is_printable(c));
    if (!plain) {
        hex_escape(c, o->json, out);
    }
    return !plain;
}

static int32_t put_quoted(tpl_vm *vm, tpl_text *to, const tpl_string *s, const tpl_json_options *o)
{
    char quote[2] = "\"";
    bool data = s->marks == NULL && s->data;
    if (!o->json &&
        (memchr(s->text, '\'', s->len) == NULL || memchr(s->text, '"', s->len) != NULL)) {
        quote[0] = '\'';
    }
    if (s->markup && !o->json) {
        LF_TRY(put(vm, to, "Markup(", data));
    }
    LF_TRY(put(vm, to, quote, data));
    size_t start = 0;
    for (size_t i = 0; i < s->len;) {
        uint32_t c = 0;
        char escaped[16];
        size_t n = lf_utf8_decode((const uint8_t *)s->text + i, s->len - i, &c);
        if (escape(c, o, quote[0], escaped)) {
            const uint8_t *marks = s->marks != NULL ? s->marks + start : NULL;
            LF_TRY(tpl_text_put_marked(vm, to, s->text + start, marks, i - start, s->data));
            LF_TRY(put(vm, to, escaped, s->marks != NULL ? s->marks[i] != 0 : s->data));
            start = i + n;
        }
        i += n;
    }
    LF_TRY(tpl_text_put_marked(vm, to, s->text + start, s->marks != NULL ? s->marks + start : NULL,
                               s->len - start, s->data));
    LF_TRY(tpl_charge(vm, s->len / 16));
    LF_TRY(put(vm, to, quote, data));
    return s->markup && !o->json ? put(vm, to, ")", data) : LFM2_OK;
}

/* ---- Scalars ---- */

static int32_t cannot_write(tpl_vm *vm, const tpl_value *v, bool json)
{
    if (json) {
        return TPL_TYPE_ERROR(vm, "%s cannot be written as JSON", tpl_type_name(v));
    }
    return tpl_fail(vm, LFM2_E_UNSUPPORTED, "template.unsupported", "%s cannot be printed",
                    tpl_type_name(v));
}

static int32_t put_scalar(tpl_vm *vm, tpl_text *to, const tpl_value *v, const tpl_json_options *o)
{
    char number[TPL_NUMBER_TEXT];
    bool json = o->json;
    switch ((tpl_type)v->type) {
    case TPL_UNDEFINED:
        return json ? cannot_write(vm, v, true) : put(vm, to, "Undefined", false);
    case TPL_NONE:
        return put(vm, to, json ? "null" : "None", v->data);
    case TPL_BOOL:
        return put(vm, to, v->u.b ? (json ? "true" : "True") : (json ? "false" : "False"), v->data);
    case TPL_INT:
        snprintf(number, sizeof number, "%lld", (long long)v->u.i);
        return put(vm, to, number, v->data);
    case TPL_FLOAT:
        if (json && !isfinite(v->u.f)) {
            return put(vm, to,
                       isnan(v->u.f) ? "NaN"
                       : v->u.f < 0  ? "-Infinity"
                                     : "Infinity",
                       v->data);
        }
        LF_TRY(tpl_charge(vm, 100));
        return tpl_text_put(vm, to, number, tpl_float_text(v->u.f, number), v->data);
    case TPL_BIG:
        return tpl_text_put_string(vm, to, v->u.s);
    case TPL_STRING:
        return put_quoted(vm, to, v->u.s, o);
    case TPL_RANGE:
        if (!json) {
            const int64_t *r = v->u.l->range;
            int n = snprintf(number, sizeof number, "range(%lld, %lld", (long long)r[0],
                             (long long)r[1]);
            snprintf(number + n, sizeof number - (size_t)n, r[2] != 1 ? ", %lld)" : ")",
                     (long long)r[2]);
            return put(vm, to, number, v->data);
        }
        return cannot_write(vm, v, json);
    default:
        return cannot_write(vm, v, json);
    }
}

/* ---- Containers ---- */

typedef struct writer {
    tpl_vm *vm;
    tpl_text *to;
    const tpl_json_options *o;
    size_t depth;
    struct {
        const tpl_value *v;
        const tpl_dict *dict;
        size_t i;
    } open[TPL_MAX_DEPTH + 2];
} writer;

static bool is_container(const tpl_value *v, bool json)
{
    return v->type == TPL_LIST || v->type == TPL_TUPLE || v->type == TPL_DICT ||
           (v->type == TPL_VIEW && !json);
}

static int32_t put_break(writer *w, bool data)
{
    if (!w->o->indented) {
        return LFM2_OK;
    }
    LF_TRY(put(w->vm, w->to, "\n", data));
    for (size_t i = 0; i < w->depth; i++) {
        if (w->o->indent != NULL) {
            LF_TRY(tpl_text_put_string(w->vm, w->to, w->o->indent));
        }
        for (int64_t k = 0; w->o->indent == NULL && k < w->o->spaces; k++) {
            LF_TRY(put(w->vm, w->to, " ", data));
        }
    }
    return LFM2_OK;
}

static int32_t put_key(writer *w, const tpl_value *key, bool data)
{
    const tpl_json_options *o = w->o;
    bool quoted = o->json && key->type != TPL_STRING;
    if (quoted && (key->type == TPL_UNDEFINED || key->type > TPL_BIG)) {
        return TPL_TYPE_ERROR(w->vm, "%s cannot be a key in JSON", tpl_type_name(key));
    }
    LF_TRY(quoted ? put(w->vm, w->to, "\"", data) : LFM2_OK);
    if (is_container(key, o->json)) { /* a tuple as a key; its items are hashable */
        tpl_value text;
        tpl_text inner = {0};
        LF_TRY(tpl_enter_nested(w->vm));
        LF_TRY(tpl_write(w->vm, &inner, key, o));
        w->vm->nested--;
        LF_TRY(tpl_text_end(w->vm, &inner, &text));
        LF_TRY(tpl_text_put_string(w->vm, w->to, text.u.s));
    } else {
        LF_TRY(put_scalar(w->vm, w->to, key, o));
    }
    LF_TRY(quoted ? put(w->vm, w->to, "\"", data) : LFM2_OK);
    return o->key_separator != NULL ? tpl_text_put_string(w->vm, w->to, o->key_separator)
                                    : put(w->vm, w->to, ": ", data);
}

static int32_t sorted_dict(tpl_vm *vm, const tpl_dict *d, const tpl_dict **out)
{
    tpl_dict *copy = NULL;
    LF_TRY(tpl_new(vm, 1, sizeof *copy, &copy));
    *copy = (tpl_dict){.n = d->n, .cap = d->n};
    if (d->n > 0) {
        LF_TRY(tpl_new(vm, 2 * d->n, sizeof *d->keys, &copy->keys));
        copy->values = copy->keys + d->n;
        memcpy(copy->keys, d->keys, d->n * sizeof *d->keys);
        memcpy(copy->values, d->values, d->n * sizeof *d->keys);
        LF_TRY(tpl_sort(vm, copy->values, copy->keys, d->n, false));
    }
    *out = copy;
    return LFM2_OK;
}

static int32_t open_container(writer *w, const tpl_value *v)
{
    static const char *const views[] = {"dict_keys([", "dict_values([", "dict_items(["};
    const tpl_dict *dict = v->type == TPL_DICT ? v->u.d : NULL;
    bool tuple = v->type == TPL_TUPLE && !w->o->json;
    if (dict != NULL && w->o->sort) {
        LF_TRY(sorted_dict(w->vm, dict, &dict));
    }
    w->open[w->depth].v = v;
    w->open[w->depth].dict = dict;
    w->open[w->depth++].i = 0;
    return put(w->vm, w->to,
               dict != NULL          ? "{"
               : v->type == TPL_VIEW ? views[v->u.l->view]
               : tuple               ? "("
                                     : "[",
               v->data);
}

static int32_t close_container(writer *w)
{
    const tpl_value *v = w->open[--w->depth].v;
    bool tuple = v->type == TPL_TUPLE && !w->o->json;
    size_t n = w->open[w->depth].i;
    if (n > 0) {
        LF_TRY(put_break(w, v->data));
    }
    return put(w->vm, w->to,
               v->type == TPL_DICT   ? "}"
               : v->type == TPL_VIEW ? "])"
               : !tuple              ? "]"
               : n == 1              ? ",)"
                                     : ")",
               v->data);
}

/* Writes the next item of the innermost container; opens it if it is a container, too. */
static int32_t next_item(writer *w)
{
    const tpl_value *v = w->open[w->depth - 1].v;
    const tpl_dict *dict = w->open[w->depth - 1].dict;
    size_t i = w->open[w->depth - 1].i;
    LF_TRY(tpl_charge(w->vm, 1));
    if (i == (dict != NULL ? dict->n : v->u.l->n)) {
        return close_container(w);
    }
    w->open[w->depth - 1].i++;
    if (i > 0) {
        LF_TRY(w->o->item_separator != NULL
                   ? tpl_text_put_string(w->vm, w->to, w->o->item_separator)
                   : put(w->vm, w->to, w->o->indented ? "," : ", ", v->data));
    }
    LF_TRY(put_break(w, v->data));
    if (dict != NULL) {
        LF_TRY(put_key(w, &dict->keys[i], v->data));
    }
    const tpl_value *item = dict != NULL ? &dict->values[i] : &v->u.l->items[i];
    return is_container(item, w->o->json) ? open_container(w, item)
                                          : put_scalar(w->vm, w->to, item, w->o);
}

int32_t tpl_write(tpl_vm *vm, tpl_text *to, const tpl_value *v, const tpl_json_options *options)
{
    if (!is_container(v, options->json)) {
        return put_scalar(vm, to, v, options);
    }
    writer w = {.vm = vm, .to = to, .o = options};
    LF_TRY(open_container(&w, v));
    while (w.depth > 0) {
        LF_TRY(next_item(&w));
    }
    return LFM2_OK;
}

int32_t tpl_text_put_value(tpl_vm *vm, tpl_text *to, const tpl_value *v)
{
    static const tpl_json_options repr = {0};
    if (v->type == TPL_STRING) {
        return tpl_text_put_string(vm, to, v->u.s);
    }
    return v->type == TPL_UNDEFINED ? LFM2_OK : tpl_write(vm, to, v, &repr);
}

int32_t tpl_str(tpl_vm *vm, const tpl_value *v, tpl_value *out)
{
    if (v->type == TPL_STRING) {
        *out = *v;
        return LFM2_OK;
    }
    tpl_text text = {0};
    LF_TRY(tpl_text_put_value(vm, &text, v));
    return tpl_text_end(vm, &text, out);
}
