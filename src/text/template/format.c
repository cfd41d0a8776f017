/* SPDX-License-Identifier: Apache-2.0 */
/* Implements the formatting of strings: "..." % values and "...".format(values). */
#include "text/template/value.h"

#include "common/utf8.h"

#include <stdio.h>
#include <string.h>

typedef struct spec {
    char fill[4];
    size_t fill_len;
    char align; /* < > ^ = or 0 */
    bool zeros; /* zeros between the sign and the digits, unless there is another alignment */
    char sign;  /* + space or 0 */
    bool alternate;
    int64_t width, precision; /* precision -1: none */
    char group;               /* , or _ or 0 */
    char type;                /* or 0 */
} spec;

static int32_t unsupported(tpl_vm *vm)
{
    return tpl_fail(vm, LFM2_E_UNSUPPORTED, "template.unsupported",
                    "this format of a string is not supported");
}

static bool is_digit(char c)
{
    return c >= '0' && c <= '9';
}

static bool read_count(const char *text, size_t len, size_t *at, int64_t *out)
{
    bool any = false;
    for (*out = 0; *at < len && is_digit(text[*at]) && *out < 1000000; ++*at) {
        *out = *out * 10 + (text[*at] - '0');
        any = true;
    }
    return any;
}

/* Pads text to the width of the spec. `sign` bytes at the start stay first if zeros fill. */
static int32_t put_padded(tpl_vm *vm, tpl_text *to, const tpl_string *s, const spec *f, char align,
                          size_t sign)
{
    int64_t pad = f->width - (int64_t)s->chars;
    pad = pad > 0 ? pad : 0;
    int64_t left = align == '>' || align == '=' ? pad : align == '^' ? pad / 2 : 0;
    size_t kept = align == '=' ? sign : 0;
    LF_TRY(tpl_text_put_marked(vm, to, s->text, s->marks, kept, s->data));
    for (int64_t i = 0; i < pad; i++) {
        if (i == left) {
            LF_TRY(tpl_text_put_marked(vm, to, s->text + kept,
                                       s->marks != NULL ? s->marks + kept : NULL, s->len - kept,
                                       s->data));
        }
        LF_TRY(tpl_charge(vm, 1));
        LF_TRY(tpl_text_put(vm, to, f->fill, f->fill_len, false));
    }
    return left < pad ? LFM2_OK
                      : tpl_text_put_marked(vm, to, s->text + kept,
                                            s->marks != NULL ? s->marks + kept : NULL,
                                            s->len - kept, s->data);
}

/* Inserts a separator between groups of three digits. */
static size_t group_digits(char *text, size_t len, size_t start, char separator)
{
    size_t end = start;
    while (end < len && is_digit(text[end])) {
        end++;
    }
    for (size_t at = end; at > start + 3;) {
        at -= 3;
        memmove(text + at + 1, text + at, len - at);
        text[at] = separator;
        len++;
    }
    return len;
}

/* The digits of a number; false if the type of the spec is not supported. */
static bool number_text(const tpl_value *v, const spec *f, char *out, size_t *len)
{
    int64_t i = 0;
    double d = 0;
    char type = f->type;
    bool integer = tpl_integer(v, &i);
    if (integer && (type == 0 || type == 'd' || type == 'x' || type == 'X' || type == 'o')) {
        uint64_t magnitude = i < 0 ? 0 - (uint64_t)i : (uint64_t)i;
        const char *prefix = !f->alternate ? ""
                             : type == 'x' ? "0x"
                             : type == 'X' ? "0X"
                             : type == 'o' ? "0o"
                                           : "";
        *len = (size_t)snprintf(out, TPL_NUMBER_TEXT,
                                type == 'x'   ? "%s%s%llx"
                                : type == 'X' ? "%s%s%llX"
                                : type == 'o' ? "%s%s%llo"
                                              : "%s%s%llu",
                                i < 0 ? "-" : "", prefix, (unsigned long long)magnitude);
        return f->precision < 0;
    }
    if (!tpl_number(v, &d)) {
        return false;
    }
    if (type == 'f' || type == 'F' || type == '%') {
        *len = tpl_fixed_text(type == '%' ? d * 100 : d, f->precision < 0 ? 6 : (int)f->precision,
                              out);
        if (type == '%') {
            out[(*len)++] = '%';
        }
        return f->precision <= 60;
    }
    if (type == 0 && f->precision < 0) {
        *len = tpl_float_text(d, out);
        return true;
    }
    return false;
}

static int32_t put_number(tpl_vm *vm, tpl_text *to, const tpl_value *v, const spec *f)
{
    char text[2 * TPL_NUMBER_TEXT];
    size_t len = 0;
    if (!number_text(v, f, text, &len)) {
        return unsupported(vm);
    }
    if (f->sign != 0 && text[0] != '-') {
        memmove(text + 1, text, len++);
        text[0] = f->sign;
    }
    size_t sign = len > 0 && !is_digit(text[0]);
    if (f->group != 0) {
        len = group_digits(text, len, sign, f->group);
    }
    tpl_value s;
    LF_TRY(tpl_string_new(vm, text, len, v->data, &s));
    char align = f->align != 0 ? f->align : f->zeros ? '=' : '>';
    return put_padded(vm, to, s.u.s, f, align, sign);
}

static int32_t put_string(tpl_vm *vm, tpl_text *to, const tpl_string *s, const spec *f)
{
    tpl_value cut;
    if (f->precision >= 0 && f->precision < (int64_t)s->chars) {
        LF_TRY(tpl_string_part(vm, s, 0, tpl_char_at(s, (size_t)f->precision), &cut));
        s = cut.u.s;
    }
    return put_padded(vm, to, s, f, f->align != 0 ? f->align : '<', 0);
}

/* ---- % ---- */

/* What follows a %: (name), flags, width, precision, type. */
static int32_t percent_spec(tpl_vm *vm, const tpl_string *s, size_t *at, spec *f)
{
    *f = (spec){.fill = " ", .fill_len = 1, .align = '>', .precision = -1};
    for (; *at < s->len && memchr("-+ 0#", s->text[*at], 5) != NULL; ++*at) {
        char c = s->text[*at];
        if (c == '-') {
            f->align = '<';
        } else if (c == '0' && f->align != '<') {
            f->align = '=';
            f->fill[0] = '0';
        } else if (c == '+' || (c == ' ' && f->sign == 0)) {
            f->sign = c;
        } else {
            f->alternate |= c == '#';
        }
    }
    if (f->align == '<') {
        f->fill[0] = ' ';
    }
    read_count(s->text, s->len, at, &f->width);
    if (*at < s->len && s->text[*at] == '.') {
        ++*at;
        read_count(s->text, s->len, at, &f->precision);
    }
    if (*at == s->len) {
        return TPL_TYPE_ERROR(vm, "a format that ends after %%");
    }
    f->type = s->text[(*at)++];
    return LFM2_OK;
}

static int32_t put_percent(tpl_vm *vm, tpl_text *to, const tpl_value *v, spec *f)
{
    tpl_value text;
    tpl_text repr = {0};
    static const tpl_json_options options = {0};
    double d = 0;
    switch (f->type) {
    case 's':
        LF_TRY(tpl_str(vm, v, &text));
        break;
    case 'r':
    case 'a':
        LF_TRY(tpl_write(vm, &repr, v, &options));
        LF_TRY(tpl_text_end(vm, &repr, &text));
        break;
    case 'd':
    case 'i':
    case 'u': {
        tpl_value whole = *v;
        f->type = 'd';
        if (v->type == TPL_FLOAT && v->u.f > -1e18 && v->u.f < 1e18) {
            whole = tpl_int((int64_t)v->u.f, v->data);
        }
        if (!tpl_number(v, &d)) {
            return TPL_TYPE_ERROR(vm, "%%d takes a number, not %s", tpl_type_name(v));
        }
        return put_number(vm, to, &whole, f);
    }
    default:
        if (!tpl_number(v, &d)) {
            return TPL_TYPE_ERROR(vm, "%%%c takes a number, not %s", f->type, tpl_type_name(v));
        }
        return put_number(vm, to, v, f);
    }
    f->align = f->align == '<' ? '<' : '>';
    f->fill[0] = ' ';
    return put_string(vm, to, text.u.s, f);
}

int32_t tpl_format_percent(tpl_vm *vm, const tpl_string *s, const tpl_value *args, tpl_value *out)
{
    tpl_text text = {0};
    bool tuple = args->type == TPL_TUPLE;
    size_t n = tuple ? args->u.l->n : 1, used = 0;
    for (size_t i = 0; i < s->len;) {
        const char *p = memchr(s->text + i, '%', s->len - i);
        size_t next = p != NULL ? (size_t)(p - s->text) : s->len;
        LF_TRY(tpl_text_put_marked(vm, &text, s->text + i, s->marks != NULL ? s->marks + i : NULL,
                                   next - i, s->data));
        i = next + 1;
        if (i > s->len) {
            break;
        }
        if (i < s->len && s->text[i] == '%') {
            LF_TRY(tpl_text_put(vm, &text, "%", 1, s->marks != NULL ? s->marks[i] : s->data));
            i++;
            continue;
        }
        const tpl_value *v = NULL;
        if (i < s->len && s->text[i] == '(') {
            const char *end = memchr(s->text + i, ')', s->len - i);
            tpl_value key;
            if (end == NULL || args->type != TPL_DICT) {
                return TPL_TYPE_ERROR(vm, "%% with names takes a dict");
            }
            LF_TRY(tpl_string_part(vm, s, i + 1, (size_t)(end - s->text), &key));
            LF_TRY(tpl_dict_find(vm, args->u.d, &key, &v));
            i = (size_t)(end - s->text) + 1;
            used = n;
        } else {
            v = used == n ? NULL : tuple ? &args->u.l->items[used] : args;
            used += used < n;
        }
        spec f;
        LF_TRY(percent_spec(vm, s, &i, &f));
        if (v == NULL) {
            return TPL_TYPE_ERROR(vm, "%% lacks an argument");
        }
        LF_TRY(put_percent(vm, &text, v, &f));
    }
    if (used < n && args->type != TPL_DICT && args->type != TPL_LIST &&
        args->type != TPL_UNDEFINED) {
        return TPL_TYPE_ERROR(vm, "%% has too many arguments");
    }
    return tpl_text_end(vm, &text, out);
}

/* ---- format ---- */

/* [[fill]align][sign][#][0][width][,][.precision][type] */
static int32_t brace_spec(tpl_vm *vm, const char *text, size_t len, spec *f)
{
    *f = (spec){.fill = " ", .fill_len = 1, .precision = -1};
    size_t at = 0;
    size_t n = lf_utf8_char(text, len);
    bool filled = n > 0 && n < len && memchr("<>^=", text[n], 4) != NULL;
    if (filled) {
        memcpy(f->fill, text, n);
        f->fill_len = n;
        at = n;
    }
    if (at < len && memchr("<>^=", text[at], 4) != NULL) {
        f->align = text[at++];
    }
    if (at < len && memchr("+- ", text[at], 3) != NULL) {
        f->sign = text[at] == '-' ? 0 : text[at];
        at++;
    }
    if (at < len && text[at] == '#') {
        f->alternate = true;
        at++;
    }
    if (at < len && text[at] == '0') {
        f->zeros = true;
        f->fill[0] = filled ? f->fill[0] : '0';
        at++;
    }
    read_count(text, len, &at, &f->width);
    if (at < len && (text[at] == ',' || text[at] == '_')) {
        f->group = text[at++];
    }
    if (at < len && text[at] == '.') {
        at++;
        if (!read_count(text, len, &at, &f->precision)) {
            return TPL_TYPE_ERROR(vm, "a format without its precision");
        }
    }
    if (at < len) {
        f->type = text[at++];
    }
    return at < len ? unsupported(vm) : LFM2_OK;
}

/* The value of a field: "", "0", "name", with ".name" and "[key]" after it. */
static int32_t field_value(tpl_vm *vm, const tpl_string *s, size_t from, size_t to,
                           const tpl_args *args, int64_t *next, tpl_value *out)
{
    size_t end = from;
    int64_t index = 0;
    while (end < to && s->text[end] != '.' && s->text[end] != '[') {
        end++;
    }
    if (end < to) {
        return unsupported(vm);
    }
    bool number = from == end || tpl_parse_int(s->text + from, end - from, 10, &index);
    if (number) {
        index = from == end ? (*next)++ : index;
        if (index < 0 || (uint64_t)index >= args->n) {
            return TPL_TYPE_ERROR(vm, "format lacks an argument");
        }
        *out = args->items[index];
        return LFM2_OK;
    }
    for (size_t i = 0; i < args->n_named; i++) {
        const tpl_value *pair = args->items + args->n + 2 * i;
        if (pair->u.s->len == end - from &&
            memcmp(pair->u.s->text, s->text + from, end - from) == 0) {
            *out = pair[1];
            return LFM2_OK;
        }
    }
    return TPL_TYPE_ERROR(vm, "format lacks a named argument");
}

/* The field in the braces [from, to). */
static int32_t put_field(tpl_vm *vm, tpl_text *text, const tpl_string *s, size_t from, size_t to,
                         const tpl_args *args, int64_t *next)
{
    const char *colon = memchr(s->text + from, ':', to - from);
    size_t end = colon != NULL ? (size_t)(colon - s->text) : to;
    const char *bang = memchr(s->text + from, '!', end - from);
    size_t name_end = bang != NULL ? (size_t)(bang - s->text) : end;
    tpl_value v;
    spec f;
    LF_TRY(field_value(vm, s, from, name_end, args, next, &v));
    if (bang != NULL) {
        static const tpl_json_options options = {0};
        tpl_text repr = {0};
        if (end != name_end + 2 || (bang[1] != 's' && bang[1] != 'r')) {
            return unsupported(vm);
        }
        LF_TRY(bang[1] == 's' ? tpl_text_put_value(vm, &repr, &v)
                              : tpl_write(vm, &repr, &v, &options));
        LF_TRY(tpl_text_end(vm, &repr, &v));
    }
    size_t spec_at = colon != NULL ? end + 1 : to;
    if (spec_at == to) {
        return tpl_text_put_value(vm, text, &v);
    }
    LF_TRY(brace_spec(vm, s->text + spec_at, to - spec_at, &f));
    if (v.type == TPL_STRING) {
        if ((f.type != 0 && f.type != 's') || f.sign != 0 || f.group != 0 || f.alternate ||
            f.align == '=') {
            return TPL_TYPE_ERROR(vm, "format: a string with the format of a number");
        }
        return put_string(vm, text, v.u.s, &f);
    }
    if (v.type != TPL_INT && v.type != TPL_FLOAT && v.type != TPL_BOOL) {
        return TPL_TYPE_ERROR(vm, "format: %s takes no format", tpl_type_name(&v));
    }
    return v.type == TPL_BOOL && f.type == 0 ? unsupported(vm) : put_number(vm, text, &v, &f);
}

int32_t tpl_format_braces(tpl_vm *vm, const tpl_string *s, const tpl_args *args, tpl_value *out)
{
    tpl_text text = {0};
    int64_t next = 0;
    for (size_t i = 0; i < s->len; i++) {
        char c = s->text[i];
        bool data = s->marks != NULL ? s->marks[i] != 0 : s->data;
        if ((c == '{' || c == '}') && i + 1 < s->len && s->text[i + 1] == c) {
            LF_TRY(tpl_text_put(vm, &text, &c, 1, data));
            i++;
        } else if (c == '{') {
            const char *end = memchr(s->text + i, '}', s->len - i);
            size_t to = end != NULL ? (size_t)(end - s->text) : s->len;
            if (end == NULL || memchr(s->text + i + 1, '{', to - i - 1) != NULL) {
                return end == NULL ? TPL_TYPE_ERROR(vm, "format: { without }") : unsupported(vm);
            }
            LF_TRY(put_field(vm, &text, s, i + 1, to, args, &next));
            i = to;
        } else if (c == '}') {
            return TPL_TYPE_ERROR(vm, "format: } without {");
        } else {
            LF_TRY(tpl_text_put(vm, &text, &c, 1, data));
        }
        LF_TRY(tpl_charge(vm, 1));
    }
    return tpl_text_end(vm, &text, out);
}
