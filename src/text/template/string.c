/* SPDX-License-Identifier: Apache-2.0 */
/* Implements strings whose bytes are marked as data or as written by the template. */
#include "text/template/value.h"

#include "common/utf8.h"
#include "text/unicode.h"

#include <string.h>

bool tpl_is_space(uint32_t c)
{
    if (c < 0x80) {
        return c == ' ' || (c >= 9 && c <= 13) || (c >= 0x1C && c <= 0x1F);
    }
    return c <= 0x10FFFF && lf_class_of(c) == LF_CLASS_SPACE;
}

size_t tpl_count_chars(const char *text, size_t len)
{
    size_t n = 0;
    for (size_t i = 0; i < len; i++) {
        n += ((uint8_t)text[i] & 0xC0) != 0x80;
    }
    return n;
}

size_t tpl_char_at(const tpl_string *s, size_t index)
{
    if (index >= s->chars) {
        return s->len;
    }
    if (s->chars == s->len) {
        return index;
    }
    size_t at = 0;
    for (; at < s->len; at++) {
        if (((uint8_t)s->text[at] & 0xC0) != 0x80 && index-- == 0) {
            break;
        }
    }
    return at;
}

bool tpl_string_is(const tpl_string *s, const char *text)
{
    return strlen(text) == s->len && memcmp(s->text, text, s->len) == 0;
}

bool tpl_same_bytes(const tpl_string *a, const tpl_string *b)
{
    return a->len == b->len && memcmp(a->text, b->text, a->len) == 0;
}

/* The search may compare the needle at every byte. */
int32_t tpl_charge_find(tpl_vm *vm, const tpl_string *s, const tpl_string *needle)
{
    size_t work = 0;
    if (needle->len < 2) {
        return tpl_charge(vm, s->len / 64);
    }
    if (needle->len > s->len) {
        return LFM2_OK;
    }
    return lf_mul_size(s->len, 8 + needle->len / 16, &work) ? tpl_charge(vm, work / 64)
                                                            : tpl_charge(vm, SIZE_MAX);
}

size_t tpl_find(const tpl_string *s, size_t from, size_t to, const tpl_string *needle)
{
    if (needle->len == 0) {
        return from <= to ? from : SIZE_MAX;
    }
    while (from + needle->len <= to) {
        const char *p = memchr(s->text + from, needle->text[0], to - from - needle->len + 1);
        if (p == NULL) {
            break;
        }
        if (memcmp(p, needle->text, needle->len) == 0) {
            return (size_t)(p - s->text);
        }
        from = (size_t)(p - s->text) + 1;
    }
    return SIZE_MAX;
}

size_t tpl_find_last(const tpl_string *s, size_t from, size_t to, const tpl_string *needle)
{
    if (from > to || needle->len > to - from) {
        return SIZE_MAX;
    }
    for (size_t at = to - needle->len + 1; at-- > from;) {
        if (memcmp(s->text + at, needle->text, needle->len) == 0) {
            return at;
        }
    }
    return SIZE_MAX;
}

/* ---- Text under construction ---- */

static int32_t reserve(tpl_vm *vm, tpl_text *to, size_t more)
{
    size_t need = to->len + more;
    if (need <= to->cap) {
        return LFM2_OK;
    }
    size_t cap = need > 2 * to->cap ? need : 2 * to->cap;
    cap = cap > 32 ? cap : 32;
    char *p = NULL;
    LF_TRY(tpl_new(vm, cap, 2, &p));
    uint8_t *marks = (uint8_t *)p + cap;
    if (to->len > 0) {
        memcpy(p, to->text, to->len);
        memcpy(marks, to->marks, to->len);
    }
    *to = (tpl_text){p, marks, to->len, cap};
    return LFM2_OK;
}

int32_t tpl_text_put(tpl_vm *vm, tpl_text *to, const char *text, size_t len, bool data)
{
    if (len == 0) {
        return LFM2_OK;
    }
    LF_TRY(reserve(vm, to, len));
    memcpy(to->text + to->len, text, len);
    memset(to->marks + to->len, data, len);
    to->len += len;
    return tpl_charge(vm, len / 64);
}

int32_t tpl_text_put_marked(tpl_vm *vm, tpl_text *to, const char *text, const uint8_t *marks,
                            size_t len, bool data)
{
    LF_TRY(tpl_text_put(vm, to, text, len, data));
    if (marks != NULL && len > 0) {
        memcpy(to->marks + to->len - len, marks, len);
    }
    return LFM2_OK;
}

int32_t tpl_text_put_string(tpl_vm *vm, tpl_text *to, const tpl_string *s)
{
    return tpl_text_put_marked(vm, to, s->text, s->marks, s->len, s->data);
}

static int32_t new_string(tpl_vm *vm, tpl_string s, tpl_value *out)
{
    tpl_string *p = NULL;
    LF_TRY(tpl_new(vm, 1, sizeof *p, &p));
    *p = s;
    p->chars = tpl_count_chars(s.text, s.len);
    *out = (tpl_value){.type = TPL_STRING, .data = s.data, .u.s = p};
    return tpl_charge(vm, s.len / 64);
}

int32_t tpl_text_end(tpl_vm *vm, const tpl_text *from, tpl_value *out)
{
    tpl_string s = {.text = from->len > 0 ? from->text : "", .len = from->len};
    if (from->len > 0) {
        s.data = from->marks[0] != 0;
        bool mixed = memchr(from->marks, !s.data, from->len) != NULL;
        s.marks = mixed ? from->marks : NULL;
    }
    return new_string(vm, s, out);
}

int32_t tpl_string_new(tpl_vm *vm, const char *text, size_t len, bool data, tpl_value *out)
{
    tpl_text to = {0};
    LF_TRY(tpl_text_put(vm, &to, text, len, data));
    LF_TRY(tpl_text_end(vm, &to, out));
    return LFM2_OK;
}

int32_t tpl_string_part(tpl_vm *vm, const tpl_string *s, size_t from, size_t to, tpl_value *out)
{
    tpl_string part = {.text = s->text + from,
                       .len = to - from,
                       .marks = s->marks != NULL ? s->marks + from : NULL,
                       .data = s->data,
                       .markup = s->markup};
    return new_string(vm, part, out);
}

/* ---- Concatenation ---- */

static void put_marks(uint8_t *to, const tpl_string *s)
{
    if (s->marks != NULL) {
        memcpy(to, s->marks, s->len);
    } else {
        memset(to, s->data, s->len);
    }
}

/* Text that grows by + again and again is extended in place: its cost is that of its length. */
int32_t tpl_string_add(tpl_vm *vm, const tpl_string *a, const tpl_string *b, tpl_value *out)
{
    if (a->len == 0 || b->len == 0) {
        *out = (tpl_value){.type = TPL_STRING, .u.s = a->len == 0 ? b : a};
        return LFM2_OK;
    }
    tpl_buffer *buffer = a->buffer;
    size_t len = a->len + b->len;
    if (buffer == NULL || a->text + a->len != buffer->text + buffer->len ||
        b->len > buffer->cap - buffer->len) {
        size_t cap = buffer != NULL ? 2 * len : len;
        LF_TRY(tpl_new(vm, 1, sizeof *buffer, &buffer));
        char *text = NULL;
        LF_TRY(tpl_new(vm, cap, 2, &text));
        *buffer = (tpl_buffer){text, (uint8_t *)text + cap, a->len, cap};
        memcpy(text, a->text, a->len);
        put_marks(buffer->marks, a);
    }
    memcpy(buffer->text + buffer->len, b->text, b->len);
    put_marks(buffer->marks + buffer->len, b);
    buffer->len += b->len;
    tpl_string *s = NULL;
    LF_TRY(tpl_new(vm, 1, sizeof *s, &s));
    *s = (tpl_string){.text = buffer->text + buffer->len - len,
                      .len = len,
                      .marks = buffer->marks + buffer->len - len,
                      .markup = a->markup,
                      .chars = a->chars + b->chars,
                      .buffer = buffer};
    *out = (tpl_value){.type = TPL_STRING, .u.s = s};
    return tpl_charge(vm, b->len / 64);
}

int32_t tpl_escape(tpl_vm *vm, const tpl_string *s, tpl_value *out)
{
    static const char from[] = "&<>'\"";
    static const char *const to[] = {"&amp;", "&lt;", "&gt;", "&#39;", "&#34;"};
    tpl_text text = {0};
    size_t start = 0;
    for (size_t i = 0; i <= s->len && !s->markup; i++) {
        const char *c = i < s->len && s->text[i] != '\0' ? strchr(from, s->text[i]) : NULL;
        if (c == NULL && i < s->len) {
            continue;
        }
        LF_TRY(tpl_text_put_marked(vm, &text, s->text + start,
                                   s->marks != NULL ? s->marks + start : NULL, i - start, s->data));
        if (c != NULL) {
            bool data = s->marks != NULL ? s->marks[i] != 0 : s->data;
            LF_TRY(tpl_text_put(vm, &text, to[c - from], strlen(to[c - from]), data));
        }
        start = i + 1;
    }
    if (s->markup) {
        LF_TRY(tpl_text_put_string(vm, &text, s));
    }
    LF_TRY(tpl_text_end(vm, &text, out));
    tpl_string *copy = NULL;
    LF_TRY(tpl_new(vm, 1, sizeof *copy, &copy));
    *copy = *out->u.s;
    copy->markup = true;
    out->u.s = copy;
    return LFM2_OK;
}
