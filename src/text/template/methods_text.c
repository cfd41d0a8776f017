/* SPDX-License-Identifier: Apache-2.0 */
/* Implements the methods of strings. */
#include "text/template/value.h"

#include "common/utf8.h"
#include "text/unicode.h"

#include <string.h>

typedef int32_t (*method_fn)(tpl_vm *vm, const tpl_string *s, const tpl_slots *a, int variant,
                             tpl_value *out);

static int32_t m_case(tpl_vm *vm, const tpl_string *s, const tpl_slots *a, int variant,
                      tpl_value *out)
{
    (void)a;
    return tpl_change_case(vm, s, (tpl_case)variant, out);
}

static int32_t m_strip(tpl_vm *vm, const tpl_string *s, const tpl_slots *a, int variant,
                       tpl_value *out)
{
    return tpl_strip(vm, s, variant, &a->v[0], out);
}

/* ---- Split ---- */

/* The next section between white space in [*from, s->len); false at the end. */
static bool next_word(const tpl_string *s, size_t *from, size_t *to)
{
    uint32_t c = 0;
    size_t at = *from, n = 0;
    while (at < s->len) {
        n = lf_utf8_decode((const uint8_t *)s->text + at, s->len - at, &c);
        if (!tpl_is_space(c)) {
            break;
        }
        at += n;
    }
    *from = at;
    while (at < s->len) {
        n = lf_utf8_decode((const uint8_t *)s->text + at, s->len - at, &c);
        if (tpl_is_space(c)) {
            break;
        }
        at += n;
    }
    *to = at;
    return at > *from;
}

static int32_t push_part(tpl_vm *vm, tpl_value *list, const tpl_string *s, size_t from, size_t to)
{
    tpl_value part;
    LF_TRY(tpl_string_part(vm, s, from, to, &part));
    return tpl_seq_push(vm, list, part);
}

static void reverse(tpl_seq *l)
{
    for (size_t i = 0; i < l->n / 2; i++) {
        tpl_value t = l->items[i];
        l->items[i] = l->items[l->n - 1 - i];
        l->items[l->n - 1 - i] = t;
    }
}

static int32_t split_words(tpl_vm *vm, const tpl_string *s, int64_t most, tpl_value *out)
{
    size_t from = 0, to = 0;
    for (int64_t n = 0; next_word(s, &from, &to); n++) {
        bool rest = most >= 0 && n >= most;
        LF_TRY(push_part(vm, out, s, from, rest ? s->len : to));
        if (rest) {
            break;
        }
        from = to;
    }
    return LFM2_OK;
}

static int32_t rsplit_words(tpl_vm *vm, const tpl_string *s, int64_t most, tpl_value *out)
{
    tpl_value words, trimmed, none = tpl_none();
    LF_TRY(tpl_seq_new(vm, TPL_LIST, NULL, 0, &words));
    LF_TRY(split_words(vm, s, -1, &words));
    int64_t n = (int64_t)words.u.l->n;
    if (most < 0 || n <= most) {
        *out = words;
        return LFM2_OK;
    }
    if (n > most) {
        const char *end = most > 0 ? words.u.l->items[n - most].u.s->text : s->text + s->len;
        tpl_value head;
        LF_TRY(tpl_string_part(vm, s, 0, (size_t)(end - s->text), &head));
        LF_TRY(tpl_strip(vm, head.u.s, TPL_RIGHT, &none, &trimmed));
        LF_TRY(tpl_seq_push(vm, out, trimmed));
    }
    for (int64_t i = n - most; i < n; i++) {
        LF_TRY(tpl_seq_push(vm, out, words.u.l->items[i]));
    }
    return LFM2_OK;
}

static int32_t m_split(tpl_vm *vm, const tpl_string *s, const tpl_slots *a, int variant,
                       tpl_value *out)
{
    const tpl_string *by = NULL;
    int64_t most = -1;
    LF_TRY(tpl_seq_new(vm, TPL_LIST, NULL, 0, out));
    if (a->given[1]) {
        LF_TRY(tpl_need_int(vm, "split", &a->v[1], &most));
    }
    LF_TRY(tpl_charge(vm, s->len / 16));
    if (!a->given[0] || a->v[0].type == TPL_NONE) {
        return variant == TPL_LEFT ? split_words(vm, s, most, out) : rsplit_words(vm, s, most, out);
    }
    LF_TRY(tpl_need_string(vm, "split", &a->v[0], &by));
    if (by->len == 0) {
        return TPL_TYPE_ERROR(vm, "split with an empty separator");
    }
    LF_TRY(tpl_charge_find(vm, s, by));
    size_t from = 0, to = s->len;
    while (most != 0) {
        size_t at =
            variant == TPL_LEFT ? tpl_find(s, from, to, by) : tpl_find_last(s, from, to, by);
        if (at == SIZE_MAX) {
            break;
        }
        if (variant == TPL_LEFT) {
            LF_TRY(push_part(vm, out, s, from, at));
            from = at + by->len;
        } else {
            LF_TRY(push_part(vm, out, s, at + by->len, to));
            to = at;
        }
        most--;
    }
    LF_TRY(push_part(vm, out, s, from, to));
    if (variant == TPL_RIGHT) {
        reverse(out->u.l);
    }
    return LFM2_OK;
}

static int32_t m_partition(tpl_vm *vm, const tpl_string *s, const tpl_slots *a, int variant,
                           tpl_value *out)
{
    const tpl_string *by = NULL;
    LF_TRY(tpl_need_string(vm, "partition", &a->v[0], &by));
    if (by->len == 0) {
        return TPL_TYPE_ERROR(vm, "partition with an empty separator");
    }
    LF_TRY(tpl_charge_find(vm, s, by));
    size_t at = variant == TPL_LEFT ? tpl_find(s, 0, s->len, by) : tpl_find_last(s, 0, s->len, by);
    bool found = at != SIZE_MAX;
    size_t one = found ? at : variant == TPL_LEFT ? s->len : 0;
    size_t two = found ? at + by->len : one;
    LF_TRY(tpl_seq_new(vm, TPL_TUPLE, NULL, 0, out));
    LF_TRY(push_part(vm, out, s, 0, one));
    LF_TRY(push_part(vm, out, s, one, two));
    return push_part(vm, out, s, two, s->len);
}

static int32_t m_splitlines(tpl_vm *vm, const tpl_string *s, const tpl_slots *a, int variant,
                            tpl_value *out)
{
    (void)variant;
    return tpl_splitlines(vm, s, a->given[0] && tpl_truthy(&a->v[0]), out);
}

/* ---- Search ---- */

/* The byte range of arguments start and end, in characters as in Python. */
static int32_t range_of(tpl_vm *vm, const tpl_string *s, const tpl_slots *a, size_t *from,
                        size_t *to, bool *empty)
{
    int64_t n = (int64_t)s->chars, bounds[2] = {0, n};
    for (int i = 0; i < 2; i++) {
        if (a->given[1 + i] && a->v[1 + i].type != TPL_NONE) {
            LF_TRY(tpl_need_int(vm, "a bound", &a->v[1 + i], &bounds[i]));
            bounds[i] += bounds[i] < 0 ? n : 0;
            bounds[i] = bounds[i] < 0 ? 0 : bounds[i];
        }
    }
    bounds[1] = bounds[1] > n ? n : bounds[1];
    *empty = bounds[0] > bounds[1];
    *from = tpl_char_at(s, (size_t)bounds[0]);
    *to = *empty ? *from : tpl_char_at(s, (size_t)bounds[1]);
    return tpl_charge(vm, s->len / 64);
}

static bool affix(const tpl_string *s, size_t from, size_t to, const tpl_string *with, int side)
{
    return with->len <= to - from &&
           memcmp(s->text + (side == TPL_LEFT ? from : to - with->len), with->text, with->len) == 0;
}

static int32_t m_affix(tpl_vm *vm, const tpl_string *s, const tpl_slots *a, int variant,
                       tpl_value *out)
{
    size_t from = 0, to = 0;
    bool empty = false, found = false;
    LF_TRY(range_of(vm, s, a, &from, &to, &empty));
    bool tuple = a->v[0].type == TPL_TUPLE;
    size_t n = tuple ? a->v[0].u.l->n : 1;
    for (size_t i = 0; i < n; i++) {
        const tpl_string *with = NULL;
        LF_TRY(tpl_need_string(vm, variant == TPL_LEFT ? "startswith" : "endswith",
                               tuple ? &a->v[0].u.l->items[i] : &a->v[0], &with));
        found = found || (!empty && affix(s, from, to, with, variant));
    }
    *out = tpl_bool(found, false);
    return LFM2_OK;
}

enum { FIND, RFIND, INDEX, RINDEX, COUNT };

static int32_t m_find(tpl_vm *vm, const tpl_string *s, const tpl_slots *a, int variant,
                      tpl_value *out)
{
    size_t from = 0, to = 0;
    bool empty = false;
    const tpl_string *needle = NULL;
    LF_TRY(tpl_need_string(vm, "find", &a->v[0], &needle));
    LF_TRY(range_of(vm, s, a, &from, &to, &empty));
    LF_TRY(tpl_charge_find(vm, s, needle));
    int64_t n = 0;
    if (variant == COUNT) {
        if (needle->len == 0) {
            n = empty ? 0 : (int64_t)tpl_count_chars(s->text + from, to - from) + 1;
        }
        for (size_t at = from; needle->len > 0 && !empty; at += needle->len) {
            at = tpl_find(s, at, to, needle);
            if (at == SIZE_MAX) {
                break;
            }
            n++;
        }
        *out = tpl_int(n, s->data);
        return LFM2_OK;
    }
    bool last = variant == RFIND || variant == RINDEX;
    size_t at = empty  ? SIZE_MAX
                : last ? tpl_find_last(s, from, to, needle)
                       : tpl_find(s, from, to, needle);
    if (at == SIZE_MAX && variant >= INDEX) {
        return TPL_TYPE_ERROR(vm, "index: the text is not there");
    }
    *out = tpl_int(at == SIZE_MAX ? -1 : (int64_t)tpl_count_chars(s->text, at), s->data);
    return LFM2_OK;
}

static int32_t m_replace(tpl_vm *vm, const tpl_string *s, const tpl_slots *a, int variant,
                         tpl_value *out)
{
    (void)variant;
    const tpl_string *old = NULL, *by = NULL;
    int64_t count = -1;
    LF_TRY(tpl_need_string(vm, "replace", &a->v[0], &old));
    LF_TRY(tpl_need_string(vm, "replace", &a->v[1], &by));
    if (a->given[2]) {
        LF_TRY(tpl_need_int(vm, "replace", &a->v[2], &count));
    }
    return tpl_replace(vm, s, old, by, count, out);
}

static int32_t m_remove(tpl_vm *vm, const tpl_string *s, const tpl_slots *a, int variant,
                        tpl_value *out)
{
    const tpl_string *with = NULL;
    LF_TRY(tpl_need_string(vm, "removeprefix", &a->v[0], &with));
    size_t n = affix(s, 0, s->len, with, variant) ? with->len : 0;
    return tpl_string_part(vm, s, variant == TPL_LEFT ? n : 0,
                           variant == TPL_LEFT ? s->len : s->len - n, out);
}

static int32_t m_join(tpl_vm *vm, const tpl_string *s, const tpl_slots *a, int variant,
                      tpl_value *out)
{
    (void)variant;
    tpl_value *items = NULL;
    size_t n = 0;
    LF_TRY(tpl_iterate(vm, &a->v[0], &items, &n));
    return tpl_join(vm, s, items, n, true, out);
}

/* ---- Width ---- */

enum { LJUST, RJUST, CENTER };

static int32_t m_just(tpl_vm *vm, const tpl_string *s, const tpl_slots *a, int variant,
                      tpl_value *out)
{
    int64_t width = 0;
    const tpl_string *fill = NULL;
    LF_TRY(tpl_need_int(vm, "ljust", &a->v[0], &width));
    if (a->given[1]) {
        LF_TRY(tpl_need_string(vm, "ljust", &a->v[1], &fill));
        if (fill->chars != 1) {
            return TPL_TYPE_ERROR(vm, "the fill must be one character");
        }
    }
    int64_t pad = width - (int64_t)s->chars;
    pad = pad > 0 ? pad : 0;
    int64_t left = variant == LJUST ? 0 : variant == RJUST ? pad : pad / 2 + (pad & width & 1);
    return tpl_pad(vm, s, left, pad - left, fill != NULL ? fill->text : " ",
                   fill != NULL ? fill->len : 1, out);
}

static int32_t m_zfill(tpl_vm *vm, const tpl_string *s, const tpl_slots *a, int variant,
                       tpl_value *out)
{
    (void)variant;
    int64_t width = 0;
    LF_TRY(tpl_need_int(vm, "zfill", &a->v[0], &width));
    bool sign = s->len > 0 && (s->text[0] == '-' || s->text[0] == '+');
    tpl_value head, tail, padded;
    LF_TRY(tpl_string_part(vm, s, 0, sign, &head));
    LF_TRY(tpl_string_part(vm, s, sign, s->len, &tail));
    LF_TRY(tpl_pad(vm, tail.u.s, width - (int64_t)s->chars, 0, "0", 1, &padded));
    return tpl_string_add(vm, head.u.s, padded.u.s, out);
}

/* ---- Classes ---- */

enum { IS_DIGIT, IS_ALPHA, IS_ALNUM, IS_SPACE, IS_ASCII, IS_UPPER, IS_LOWER, IS_TITLE };

static bool in_class(uint32_t c, int class)
{
    switch (class) {
    case IS_DIGIT:
        return lf_is_decimal(c) || c == 0xB2 || c == 0xB3 || c == 0xB9;
    case IS_ALPHA:
        return lf_class_of(c) == LF_CLASS_LETTER;
    case IS_ALNUM:
        return lf_class_of(c) == LF_CLASS_LETTER || lf_class_of(c) == LF_CLASS_NUMBER;
    case IS_SPACE:
        return tpl_is_space(c);
    default:
        return c < 0x80;
    }
}

static bool is_title(const tpl_string *s)
{
    bool cased = false, any = false;
    for (size_t i = 0; i < s->len;) {
        uint32_t c = 0;
        i += lf_utf8_decode((const uint8_t *)s->text + i, s->len - i, &c);
        bool upper = lf_to_lower(c) != c, lower = !upper && lf_to_upper(c) != c;
        if ((upper && cased) || (lower && !cased)) {
            return false;
        }
        cased = upper || lower;
        any |= cased;
    }
    return any;
}

static int32_t m_is(tpl_vm *vm, const tpl_string *s, const tpl_slots *a, int variant,
                    tpl_value *out)
{
    (void)a;
    bool yes = s->len > 0 || variant == IS_ASCII;
    if (variant == IS_TITLE) {
        yes = is_title(s);
    } else if (variant == IS_UPPER || variant == IS_LOWER) {
        yes = tpl_all_case(s, variant == IS_UPPER);
    } else {
        for (size_t i = 0; i < s->len && yes;) {
            uint32_t c = 0;
            i += lf_utf8_decode((const uint8_t *)s->text + i, s->len - i, &c);
            yes = in_class(c, variant);
        }
    }
    *out = tpl_bool(yes, false);
    return tpl_charge(vm, s->len / 16);
}

/* ---- Table ---- */

typedef struct text_method {
    const char *name, *arguments;
    uint8_t required;
    int variant;
    method_fn call; /* NULL: format, which takes any arguments */
} text_method;

static const text_method methods[] = {
    {"upper", "", 0, TPL_UPPER, m_case},
    {"lower", "", 0, TPL_LOWER, m_case},
    {"casefold", "", 0, TPL_LOWER, m_case},
    {"capitalize", "", 0, TPL_CAPITALIZE, m_case},
    {"title", "", 0, TPL_TITLE, m_case},
    {"swapcase", "", 0, TPL_SWAPCASE, m_case},
    {"strip", "chars", 0, TPL_LEFT | TPL_RIGHT, m_strip},
    {"lstrip", "chars", 0, TPL_LEFT, m_strip},
    {"rstrip", "chars", 0, TPL_RIGHT, m_strip},
    {"split", "sep maxsplit", 0, TPL_LEFT, m_split},
    {"rsplit", "sep maxsplit", 0, TPL_RIGHT, m_split},
    {"partition", "sep", 1, TPL_LEFT, m_partition},
    {"rpartition", "sep", 1, TPL_RIGHT, m_partition},
    {"splitlines", "keepends", 0, 0, m_splitlines},
    {"startswith", "prefix start end", 1, TPL_LEFT, m_affix},
    {"endswith", "suffix start end", 1, TPL_RIGHT, m_affix},
    {"find", "sub start end", 1, FIND, m_find},
    {"rfind", "sub start end", 1, RFIND, m_find},
    {"index", "sub start end", 1, INDEX, m_find},
    {"rindex", "sub start end", 1, RINDEX, m_find},
    {"count", "sub start end", 1, COUNT, m_find},
    {"replace", "old new count", 2, 0, m_replace},
    {"removeprefix", "prefix", 1, TPL_LEFT, m_remove},
    {"removesuffix", "suffix", 1, TPL_RIGHT, m_remove},
    {"join", "iterable", 1, 0, m_join},
    {"ljust", "width fillchar", 1, LJUST, m_just},
    {"rjust", "width fillchar", 1, RJUST, m_just},
    {"center", "width fillchar", 1, CENTER, m_just},
    {"zfill", "width", 1, 0, m_zfill},
    {"isdigit", "", 0, IS_DIGIT, m_is},
    {"isdecimal", "", 0, IS_DIGIT, m_is},
    {"isnumeric", "", 0, IS_DIGIT, m_is},
    {"isalpha", "", 0, IS_ALPHA, m_is},
    {"isalnum", "", 0, IS_ALNUM, m_is},
    {"isspace", "", 0, IS_SPACE, m_is},
    {"isascii", "", 0, IS_ASCII, m_is},
    {"isupper", "", 0, IS_UPPER, m_is},
    {"islower", "", 0, IS_LOWER, m_is},
    {"istitle", "", 0, IS_TITLE, m_is},
    {"format", "", 0, 0, NULL},
};

static int32_t text_method_id(const char *name, size_t len)
{
    for (size_t i = 0; i < sizeof methods / sizeof *methods; i++) {
        if (strlen(methods[i].name) == len && memcmp(methods[i].name, name, len) == 0) {
            return (int32_t)i;
        }
    }
    return -1;
}

/* The methods of the other types. */
static const struct {
    uint8_t type;
    const char *name;
} others[] = {
    {TPL_DICT, "items"},   {TPL_DICT, "keys"},       {TPL_DICT, "values"},  {TPL_DICT, "get"},
    {TPL_DICT, "copy"},    {TPL_DICT, "pop"},        {TPL_DICT, "update"},  {TPL_DICT, "clear"},
    {TPL_DICT, "popitem"}, {TPL_DICT, "setdefault"}, {TPL_LIST, "index"},   {TPL_LIST, "count"},
    {TPL_LIST, "copy"},    {TPL_LIST, "append"},     {TPL_LIST, "clear"},   {TPL_LIST, "pop"},
    {TPL_LIST, "reverse"}, {TPL_LIST, "insert"},     {TPL_LIST, "sort"},    {TPL_LIST, "extend"},
    {TPL_LIST, "remove"},  {TPL_TUPLE, "index"},     {TPL_TUPLE, "count"},  {TPL_RANGE, "index"},
    {TPL_RANGE, "count"},  {TPL_LOOP, "cycle"},      {TPL_LOOP, "changed"}, {TPL_CYCLER, "next"},
    {TPL_CYCLER, "reset"}};

int32_t tpl_method_id(const tpl_value *object, const char *name, size_t len)
{
    if (object->type == TPL_STRING) {
        return text_method_id(name, len);
    }
    for (size_t i = 0; i < sizeof others / sizeof *others; i++) {
        if (object->type == others[i].type && strlen(others[i].name) == len &&
            memcmp(others[i].name, name, len) == 0) {
            return (int32_t)i;
        }
    }
    return -1;
}

int32_t tpl_call_string(tpl_vm *vm, const tpl_method *method, const tpl_args *args, tpl_value *out)
{
    const text_method *m = &methods[method->id];
    const tpl_string *s = method->object.u.s;
    if (m->call == NULL) {
        return tpl_format_braces(vm, s, args, out);
    }
    tpl_slots slots;
    LF_TRY(tpl_bind(vm, m->name, m->arguments, m->required, args, &slots));
    LF_TRY(m->call(vm, s, &slots, m->variant, out));
    if (s->markup && out->type == TPL_STRING && !out->u.s->markup) {
        tpl_string *copy = NULL;
        LF_TRY(tpl_new(vm, 1, sizeof *copy, &copy));
        *copy = *out->u.s;
        copy->markup = true;
        out->u.s = copy;
    }
    return LFM2_OK;
}
