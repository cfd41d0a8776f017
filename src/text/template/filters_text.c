/* SPDX-License-Identifier: Apache-2.0 */
/* Implements the filters that make text. */
#include "text/template/value.h"

#include "common/utf8.h"
#include "text/unicode.h"

#include <string.h>

#define FILTER(name)                                                                               \
    static int32_t f_##name(tpl_vm *vm, const tpl_value *v, const tpl_args *args, tpl_value *out)

static int32_t no_arguments(tpl_vm *vm, const char *what, const tpl_args *args)
{
    tpl_slots slots;
    return tpl_bind(vm, what, "", 0, args, &slots);
}

static int32_t change_case(tpl_vm *vm, const char *what, tpl_case how, const tpl_value *v,
                           const tpl_args *args, tpl_value *out)
{
    tpl_value text;
    LF_TRY(no_arguments(vm, what, args));
    LF_TRY(tpl_str(vm, v, &text));
    return tpl_change_case(vm, text.u.s, how, out);
}

FILTER(upper)
{
    return change_case(vm, "upper", TPL_UPPER, v, args, out);
}

FILTER(lower)
{
    return change_case(vm, "lower", TPL_LOWER, v, args, out);
}

FILTER(capitalize)
{
    return change_case(vm, "capitalize", TPL_CAPITALIZE, v, args, out);
}

/* Jinja's title begins words after white space and - ( { [ <, unlike str.title. */
FILTER(title)
{
    tpl_value text, part;
    tpl_text to = {0};
    LF_TRY(no_arguments(vm, "title", args));
    LF_TRY(tpl_str(vm, v, &text));
    const tpl_string *s = text.u.s;
    size_t from = 0;
    bool divides = false;
    for (size_t i = 0; i <= s->len;) {
        uint32_t c = 0;
        size_t n = i < s->len ? lf_utf8_decode((const uint8_t *)s->text + i, s->len - i, &c) : 1;
        bool now =
            i < s->len && (tpl_is_space(c) || (c < 0x80 && c > 0 && strchr("-({[<", (int)c)));
        if (i > from && (now != divides || i == s->len)) {
            LF_TRY(tpl_string_part(vm, s, from, i, &part));
            LF_TRY(tpl_change_case(vm, part.u.s, TPL_CAPITALIZE, &part));
            LF_TRY(tpl_text_put_string(vm, &to, part.u.s));
            from = i;
        }
        divides = now;
        i += n;
    }
    return tpl_text_end(vm, &to, out);
}

FILTER(trim)
{
    tpl_slots a;
    tpl_value text;
    LF_TRY(tpl_bind(vm, "trim", "chars", 0, args, &a));
    LF_TRY(tpl_str(vm, v, &text));
    return tpl_strip(vm, text.u.s, TPL_LEFT | TPL_RIGHT, &a.v[0], out);
}

FILTER(string)
{
    LF_TRY(no_arguments(vm, "string", args));
    return tpl_str(vm, v, out);
}

static int32_t mark_up(tpl_vm *vm, tpl_value *v)
{
    tpl_string *copy = NULL;
    LF_TRY(tpl_new(vm, 1, sizeof *copy, &copy));
    *copy = *v->u.s;
    copy->markup = true;
    v->u.s = copy;
    return LFM2_OK;
}

FILTER(safe)
{
    LF_TRY(no_arguments(vm, "safe", args));
    LF_TRY(tpl_str(vm, v, out));
    return mark_up(vm, out);
}

FILTER(escape)
{
    tpl_value text;
    LF_TRY(no_arguments(vm, "escape", args));
    LF_TRY(tpl_str(vm, v, &text));
    return tpl_escape(vm, text.u.s, out);
}

FILTER(forceescape)
{
    tpl_value text, plain;
    LF_TRY(no_arguments(vm, "forceescape", args));
    LF_TRY(tpl_str(vm, v, &text));
    tpl_string copy = *text.u.s;
    copy.markup = false;
    LF_TRY(tpl_string_part(vm, &copy, 0, copy.len, &plain));
    return tpl_escape(vm, plain.u.s, out);
}

FILTER(replace)
{
    tpl_slots a;
    tpl_value text, old, by;
    int64_t count = -1;
    LF_TRY(tpl_bind(vm, "replace", "old new count", 2, args, &a));
    if (a.given[2] && a.v[2].type != TPL_NONE) {
        LF_TRY(tpl_need_int(vm, "replace", &a.v[2], &count));
    }
    LF_TRY(tpl_str(vm, v, &text));
    LF_TRY(tpl_str(vm, &a.v[0], &old));
    LF_TRY(tpl_str(vm, &a.v[1], &by));
    tpl_string plain = *text.u.s;
    plain.markup = false;
    return tpl_replace(vm, &plain, old.u.s, by.u.s, count, out);
}

FILTER(center)
{
    tpl_slots a;
    tpl_value text;
    int64_t width = 80;
    LF_TRY(tpl_bind(vm, "center", "width", 0, args, &a));
    if (a.given[0]) {
        LF_TRY(tpl_need_int(vm, "center", &a.v[0], &width));
    }
    LF_TRY(tpl_str(vm, v, &text));
    int64_t pad = width - (int64_t)text.u.s->chars;
    pad = pad > 0 ? pad : 0;
    int64_t left = pad / 2 + (pad & width & 1);
    return tpl_pad(vm, text.u.s, left, pad - left, " ", 1, out);
}

FILTER(format)
{
    tpl_value text, values;
    LF_TRY(tpl_str(vm, v, &text));
    if (args->n_named > 0) {
        LF_TRY(tpl_dict_new(vm, args->n_named, &values));
        for (size_t i = 0; i < args->n_named; i++) {
            const tpl_value *pair = args->items + args->n + 2 * i;
            LF_TRY(tpl_dict_set(vm, &values, &pair[0], &pair[1]));
        }
        return args->n > 0 ? TPL_TYPE_ERROR(vm, "format takes positional or named arguments")
                           : tpl_format_percent(vm, text.u.s, &values, out);
    }
    LF_TRY(tpl_seq_new(vm, TPL_TUPLE, args->items, args->n, &values));
    return tpl_format_percent(vm, text.u.s, &values, out);
}

/* ---- Lines and words ---- */

FILTER(indent)
{
    tpl_slots a;
    tpl_value text, width, lines, newline;
    int64_t n = 4;
    LF_TRY(tpl_bind(vm, "indent", "width first blank", 0, args, &a));
    const tpl_string *s = NULL;
    if (v->type != TPL_STRING) {
        return TPL_TYPE_ERROR(vm, "indent takes a string, not %s", tpl_type_name(v));
    }
    if (a.given[0] && a.v[0].type == TPL_STRING) {
        width = a.v[0];
    } else {
        if (a.given[0]) {
            LF_TRY(tpl_need_int(vm, "indent", &a.v[0], &n));
        }
        tpl_string empty = {.text = ""};
        LF_TRY(tpl_pad(vm, &empty, n, 0, " ", 1, &width));
    }
    bool blank = a.given[2] && tpl_truthy(&a.v[2]);
    LF_TRY(tpl_string_new(vm, "\n", 1, false, &newline));
    LF_TRY(tpl_string_add(vm, v->u.s, newline.u.s, &text));
    LF_TRY(tpl_splitlines(vm, text.u.s, false, &lines));
    tpl_text to = {0};
    if (a.given[1] && tpl_truthy(&a.v[1])) {
        LF_TRY(tpl_text_put_string(vm, &to, width.u.s));
    }
    for (size_t i = 0; i < lines.u.l->n; i++) {
        s = lines.u.l->items[i].u.s;
        if (i > 0) {
            LF_TRY(tpl_text_put(vm, &to, "\n", 1, s->marks == NULL && s->data));
            LF_TRY(blank || s->len > 0 ? tpl_text_put_string(vm, &to, width.u.s) : LFM2_OK);
        }
        LF_TRY(tpl_text_put_string(vm, &to, s));
    }
    return tpl_text_end(vm, &to, out);
}

FILTER(truncate)
{
    tpl_slots a;
    int64_t length = 255, leeway = 5;
    tpl_value end, head;
    LF_TRY(tpl_bind(vm, "truncate", "length killwords end leeway", 0, args, &a));
    if (a.given[0]) {
        LF_TRY(tpl_need_int(vm, "truncate", &a.v[0], &length));
    }
    if (a.given[3] && a.v[3].type != TPL_NONE) {
        LF_TRY(tpl_need_int(vm, "truncate", &a.v[3], &leeway));
    }
    LF_TRY(tpl_string_new(vm, "...", 3, false, &end));
    if (a.given[2]) {
        end = a.v[2];
    }
    const tpl_string *s = NULL, *tail = NULL;
    int64_t now = 0;
    LF_TRY(tpl_need_string(vm, "truncate", &end, &tail));
    LF_TRY(tpl_length(vm, v, &now));
    if (length < (int64_t)tail->chars || leeway < 0 || length > INT32_MAX || leeway > INT32_MAX) {
        return TPL_TYPE_ERROR(vm, "truncate: the length is too small");
    }
    if (now <= length + leeway) {
        *out = *v;
        return LFM2_OK;
    }
    LF_TRY(tpl_need_string(vm, "truncate", v, &s));
    size_t to = tpl_char_at(s, (size_t)(length - (int64_t)tail->chars));
    tpl_string space = {.text = " ", .len = 1};
    size_t at = a.given[1] && tpl_truthy(&a.v[1]) ? SIZE_MAX : tpl_find_last(s, 0, to, &space);
    LF_TRY(tpl_string_part(vm, s, 0, at != SIZE_MAX ? at : to, &head));
    return tpl_string_add(vm, head.u.s, tail, out);
}

FILTER(wordcount)
{
    tpl_value text;
    LF_TRY(no_arguments(vm, "wordcount", args));
    LF_TRY(tpl_str(vm, v, &text));
    const tpl_string *s = text.u.s;
    int64_t n = 0;
    bool inside = false;
    for (size_t i = 0; i < s->len;) {
        uint32_t c = 0;
        i += lf_utf8_decode((const uint8_t *)s->text + i, s->len - i, &c);
        lf_class class = lf_class_of(c);
        bool word = class == LF_CLASS_LETTER || class == LF_CLASS_NUMBER || c == '_';
        n += word && !inside;
        inside = word;
    }
    *out = tpl_int(n, s->data);
    return tpl_charge(vm, s->len / 16);
}

static int32_t put_url(tpl_vm *vm, tpl_text *to, const tpl_value *v, bool query)
{
    static const char plain[] =
        "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_.-~/";
    static const char digits[] = "0123456789ABCDEF";
    tpl_value text;
    LF_TRY(tpl_str(vm, v, &text));
    const tpl_string *s = text.u.s;
    for (size_t i = 0; i < s->len; i++) {
        char c = s->text[i];
        char escaped[3] = {'%', digits[(uint8_t)c >> 4], digits[c & 15]};
        bool data = s->marks != NULL ? s->marks[i] != 0 : s->data;
        bool same = c != '\0' && strchr(plain, c) != NULL && !(query && c == '/');
        if (query && c == ' ') {
            LF_TRY(tpl_text_put(vm, to, "+", 1, data));
        } else {
            LF_TRY(tpl_text_put(vm, to, same ? &c : escaped, same ? 1 : 3, data));
        }
    }
    return tpl_charge(vm, s->len / 8);
}

FILTER(urlencode)
{
    tpl_text to = {0};
    LF_TRY(no_arguments(vm, "urlencode", args));
    if (v->type == TPL_STRING || !tpl_iterable(v)) {
        LF_TRY(put_url(vm, &to, v, false));
        return tpl_text_end(vm, &to, out);
    }
    tpl_value *items = NULL;
    size_t n = 0;
    LF_TRY(tpl_iterate(vm, v, &items, &n));
    for (size_t i = 0; i < n; i++) {
        tpl_value *pair = NULL;
        size_t two = 2;
        tpl_value both[2];
        if (v->type == TPL_DICT) {
            both[0] = v->u.d->keys[i];
            both[1] = v->u.d->values[i];
            pair = both;
        } else {
            LF_TRY(tpl_iterate(vm, &items[i], &pair, &two));
        }
        if (two != 2) {
            return TPL_TYPE_ERROR(vm, "urlencode takes pairs");
        }
        LF_TRY(tpl_text_put(vm, &to, "&", i > 0, false));
        LF_TRY(put_url(vm, &to, &pair[0], true));
        LF_TRY(tpl_text_put(vm, &to, "=", 1, false));
        LF_TRY(put_url(vm, &to, &pair[1], true));
    }
    return tpl_text_end(vm, &to, out);
}

/* ---- JSON ---- */

/* transformers' tojson: json.dumps without the escaping of HTML. */
FILTER(tojson)
{
    tpl_slots a;
    tpl_text to = {0};
    tpl_json_options o = {.json = true};
    LF_TRY(tpl_bind(vm, "tojson", "ensure_ascii indent separators sort_keys", 0, args, &a));
    o.ascii = a.given[0] && tpl_truthy(&a.v[0]);
    o.sort = a.given[3] && tpl_truthy(&a.v[3]);
    if (a.given[1] && a.v[1].type != TPL_NONE) {
        o.indented = true;
        if (a.v[1].type == TPL_STRING) {
            o.indent = a.v[1].u.s;
        } else {
            LF_TRY(tpl_need_int(vm, "tojson", &a.v[1], &o.spaces));
        }
    }
    if (a.given[2] && a.v[2].type != TPL_NONE) {
        tpl_value *items = NULL;
        size_t n = 0;
        LF_TRY(tpl_iterate(vm, &a.v[2], &items, &n));
        if (n != 2) {
            return TPL_TYPE_ERROR(vm, "tojson: separators takes a pair of strings");
        }
        LF_TRY(tpl_need_string(vm, "tojson", &items[0], &o.item_separator));
        LF_TRY(tpl_need_string(vm, "tojson", &items[1], &o.key_separator));
    }
    LF_TRY(tpl_write(vm, &to, v, &o));
    return tpl_text_end(vm, &to, out);
}

const tpl_filter tpl_text_filters[] = {{"upper", f_upper},
                                       {"lower", f_lower},
                                       {"capitalize", f_capitalize},
                                       {"title", f_title},
                                       {"trim", f_trim},
                                       {"string", f_string},
                                       {"safe", f_safe},
                                       {"escape", f_escape},
                                       {"e", f_escape},
                                       {"forceescape", f_forceescape},
                                       {"replace", f_replace},
                                       {"center", f_center},
                                       {"format", f_format},
                                       {"indent", f_indent},
                                       {"truncate", f_truncate},
                                       {"wordcount", f_wordcount},
                                       {"urlencode", f_urlencode},
                                       {"tojson", f_tojson},
                                       {"attr", NULL},
                                       {"filesizeformat", NULL},
                                       {"pprint", NULL},
                                       {"random", NULL},
                                       {"striptags", NULL},
                                       {"urlize", NULL},
                                       {"wordwrap", NULL},
                                       {"xmlattr", NULL},
                                       {NULL, NULL}};
