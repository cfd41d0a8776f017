/* SPDX-License-Identifier: Apache-2.0 */
/* Implements the string functions that filters and methods share. */
#include "text/template/value.h"

#include "common/utf8.h"
#include "text/unicode.h"

#include <string.h>

/* ---- Case ---- */

static bool is_cased(uint32_t c)
{
    return lf_to_upper(c) != c || lf_to_lower(c) != c;
}

bool tpl_all_case(const tpl_string *s, bool upper)
{
    bool any = false;
    for (size_t i = 0; i < s->len;) {
        uint32_t c = 0;
        i += lf_utf8_decode((const uint8_t *)s->text + i, s->len - i, &c);
        if (is_cased(c)) {
            any = true;
            if (upper ? lf_to_upper(c) != c : lf_to_lower(c) != c) {
                return false;
            }
        }
    }
    return any;
}

static uint32_t change(uint32_t c, tpl_case how, bool start)
{
    switch (how) {
    case TPL_UPPER:
        return lf_to_upper(c);
    case TPL_LOWER:
        return lf_to_lower(c);
    case TPL_CAPITALIZE:
    case TPL_TITLE:
        return start ? lf_to_title(c) : lf_to_lower(c);
    case TPL_SWAPCASE:
        return lf_to_upper(c) != c ? lf_to_upper(c) : lf_to_lower(c);
    }
    return c;
}

int32_t tpl_change_case(tpl_vm *vm, const tpl_string *s, tpl_case how, tpl_value *out)
{
    enum { SHARP_S = 0xDF };
    tpl_text text = {0};
    bool start = true;
    for (size_t i = 0; i < s->len;) {
        uint32_t c = 0;
        char bytes[4] = "SS";
        size_t n = lf_utf8_decode((const uint8_t *)s->text + i, s->len - i, &c);
        size_t len = 2;
        bool upper = how == TPL_UPPER || (start && how != TPL_LOWER);
        if (c == SHARP_S && upper) {
            bytes[1] = how == TPL_UPPER || how == TPL_SWAPCASE ? 'S' : 's';
        } else {
            len = lf_utf8_encode(change(c, how, start), bytes);
        }
        LF_TRY(tpl_text_put(vm, &text, bytes, len, s->marks != NULL ? s->marks[i] != 0 : s->data));
        start = how == TPL_TITLE ? !is_cased(c) : how == TPL_SWAPCASE;
        i += n;
    }
    LF_TRY(tpl_charge(vm, s->len / 16));
    return tpl_text_end(vm, &text, out);
}

/* ---- Strip ---- */

static bool in_set(const tpl_string *set, const char *c, size_t n)
{
    for (size_t i = 0; i + n <= set->len; i++) {
        if (memcmp(set->text + i, c, n) == 0) {
            return true;
        }
    }
    return false;
}

static bool strips(const tpl_string *s, size_t from, size_t to, const tpl_string *set)
{
    if (set != NULL) {
        return in_set(set, s->text + from, to - from);
    }
    uint32_t c = 0;
    lf_utf8_decode((const uint8_t *)s->text + from, to - from, &c);
    return tpl_is_space(c);
}

int32_t tpl_strip(tpl_vm *vm, const tpl_string *s, int sides, const tpl_value *chars,
                  tpl_value *out)
{
    const tpl_string *set = NULL;
    if (chars->type != TPL_NONE && chars->type != TPL_UNDEFINED) {
        LF_TRY(tpl_need_string(vm, "strip", chars, &set));
    }
    size_t from = 0, to = s->len;
    size_t cost = set != NULL ? set->len / 8 : 0;
    while ((sides & TPL_LEFT) != 0 && from < to) {
        LF_TRY(tpl_charge(vm, cost));
        size_t n = lf_utf8_char(s->text + from, to - from);
        if (!strips(s, from, from + n, set)) {
            break;
        }
        from += n;
    }
    while ((sides & TPL_RIGHT) != 0 && to > from) {
        LF_TRY(tpl_charge(vm, cost));
        size_t start = to - 1;
        while (start > from && ((uint8_t)s->text[start] & 0xC0) == 0x80) {
            start--;
        }
        if (!strips(s, start, to, set)) {
            break;
        }
        to = start;
    }
    LF_TRY(tpl_charge(vm, (s->len - (to - from)) / 16));
    return tpl_string_part(vm, s, from, to, out);
}

/* ---- Replace, join, pad ---- */

static int32_t put_part(tpl_vm *vm, tpl_text *to, const tpl_string *s, size_t from, size_t end)
{
    return tpl_text_put_marked(vm, to, s->text + from, s->marks != NULL ? s->marks + from : NULL,
                               end - from, s->data);
}

/* Python: an empty `old` matches before each character and at the end. */
static int32_t insert_between(tpl_vm *vm, const tpl_string *s, const tpl_string *by, int64_t count,
                              tpl_value *out)
{
    tpl_text text = {0};
    for (size_t i = 0; i <= s->len; i++) {
        bool boundary = i == s->len || ((uint8_t)s->text[i] & 0xC0) != 0x80;
        if (boundary && count != 0) {
            LF_TRY(tpl_charge(vm, 1));
            LF_TRY(tpl_text_put_string(vm, &text, by));
            count--;
        }
        if (i < s->len) {
            LF_TRY(put_part(vm, &text, s, i, i + 1));
        }
    }
    return tpl_text_end(vm, &text, out);
}

int32_t tpl_replace(tpl_vm *vm, const tpl_string *s, const tpl_string *old, const tpl_string *by,
                    int64_t count, tpl_value *out)
{
    LF_TRY(tpl_charge_find(vm, s, old));
    if (old->len == 0) {
        return insert_between(vm, s, by, count, out);
    }
    size_t at = count != 0 ? tpl_find(s, 0, s->len, old) : SIZE_MAX;
    if (at == SIZE_MAX) {
        return tpl_string_part(vm, s, 0, s->len, out);
    }
    tpl_text text = {0};
    size_t from = 0;
    for (; at != SIZE_MAX && count != 0; count--) {
        LF_TRY(tpl_charge(vm, 1));
        LF_TRY(put_part(vm, &text, s, from, at));
        LF_TRY(tpl_text_put_string(vm, &text, by));
        from = at + old->len;
        at = tpl_find(s, from, s->len, old);
    }
    LF_TRY(put_part(vm, &text, s, from, s->len));
    return tpl_text_end(vm, &text, out);
}

int32_t tpl_join(tpl_vm *vm, const tpl_string *separator, const tpl_value *items, size_t n,
                 bool strings_only, tpl_value *out)
{
    tpl_text text = {0};
    for (size_t i = 0; i < n; i++) {
        LF_TRY(tpl_charge(vm, 1));
        if (i > 0) {
            LF_TRY(tpl_text_put_string(vm, &text, separator));
        }
        if (strings_only && items[i].type != TPL_STRING) {
            return TPL_TYPE_ERROR(vm, "join takes strings, not %s", tpl_type_name(&items[i]));
        }
        LF_TRY(tpl_text_put_value(vm, &text, &items[i]));
    }
    return tpl_text_end(vm, &text, out);
}

int32_t tpl_pad(tpl_vm *vm, const tpl_string *s, int64_t left, int64_t right, const char *fill,
                size_t fill_len, tpl_value *out)
{
    tpl_text text = {0};
    for (int64_t i = 0; i < left; i++) {
        LF_TRY(tpl_charge(vm, 1));
        LF_TRY(tpl_text_put(vm, &text, fill, fill_len, false));
    }
    LF_TRY(tpl_text_put_string(vm, &text, s));
    for (int64_t i = 0; i < right; i++) {
        LF_TRY(tpl_charge(vm, 1));
        LF_TRY(tpl_text_put(vm, &text, fill, fill_len, false));
    }
    return tpl_text_end(vm, &text, out);
}

/* ---- Lines ---- */

/* The length of a line break at `at`, as str.splitlines knows them; 0: none. */
static size_t line_break(const tpl_string *s, size_t at)
{
    uint32_t c = 0;
    size_t n = lf_utf8_decode((const uint8_t *)s->text + at, s->len - at, &c);
    if (c == '\r' && at + 1 < s->len && s->text[at + 1] == '\n') {
        return 2;
    }
    bool breaks =
        (c >= 10 && c <= 13) || (c >= 0x1C && c <= 0x1E) || c == 0x85 || c == 0x2028 || c == 0x2029;
    return breaks ? n : 0;
}

int32_t tpl_splitlines(tpl_vm *vm, const tpl_string *s, bool keep, tpl_value *out)
{
    LF_TRY(tpl_seq_new(vm, TPL_LIST, NULL, 0, out));
    LF_TRY(tpl_charge(vm, s->len / 16));
    size_t from = 0;
    tpl_value line;
    for (size_t i = 0; i < s->len;) {
        size_t n = line_break(s, i);
        if (n > 0) {
            LF_TRY(tpl_string_part(vm, s, from, keep ? i + n : i, &line));
            LF_TRY(tpl_seq_push(vm, out, line));
            from = i + n;
        }
        i += n > 0 ? n : lf_utf8_char(s->text + i, s->len - i);
    }
    if (from < s->len) {
        LF_TRY(tpl_string_part(vm, s, from, s->len, &line));
        LF_TRY(tpl_seq_push(vm, out, line));
    }
    return LFM2_OK;
}
