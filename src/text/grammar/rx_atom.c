/* SPDX-License-Identifier: Apache-2.0 */
/* Reads the characters, escapes and classes of patterns. */
#include "common/hex.h"
#include "common/utf8.h"
#include "text/grammar/rx_parser.h"

#include <string.h>

/* ---- Characters ---- */

/* Reads n hexadecimal digits. */
static bool read_hex(lf_rx_parser *p, int n, uint32_t *out)
{
    bool is = p->len - p->at >= (size_t)n && lf_hex_read(p->text + p->at, (size_t)n, out);
    p->at += is ? (size_t)n : 0;
    return is;
}

/* After "\u": four digits, two such escapes of a surrogate pair, or digits in braces. */
static int32_t read_unicode(lf_rx_parser *p, uint32_t *out)
{
    size_t begin = p->at;
    if (lf_rx_take(p, "{")) {
        uint32_t value = 0;
        size_t digits = 0;
        for (uint32_t digit; value <= 0x10FFFF && read_hex(p, 1, &digit); digits++) {
            value = value << 4 | digit;
        }
        if (digits == 0 || value > 0x10FFFF || !lf_rx_take(p, "}")) {
            return lf_rx_wrong(p, begin, "\\u{...} needs a code point");
        }
        *out = value;
        return LFM2_OK;
    }
    if (!read_hex(p, 4, out)) {
        return lf_rx_wrong(p, begin, "\\u needs four hexadecimal digits");
    }
    size_t after = p->at;
    uint32_t low = 0;
    if (*out >= 0xD800 && *out <= 0xDBFF) {
        if (lf_rx_take(p, "\\u") && read_hex(p, 4, &low) && low >= 0xDC00 && low <= 0xDFFF) {
            *out = 0x10000 + ((*out - 0xD800) << 10) + (low - 0xDC00);
        } else {
            p->at = after;
        }
    }
    return LFM2_OK;
}

static int32_t read_character(lf_rx_parser *p, uint32_t *out)
{
    size_t begin = p->at;
    p->at += lf_utf8_decode((const uint8_t *)p->text + begin, p->len - begin, out);
    return *out < LF_UTF8_BAD ? LFM2_OK : lf_rx_wrong(p, begin, "not UTF-8");
}

static bool is_letter(char c)
{
    return (c | 0x20) >= 'a' && (c | 0x20) <= 'z';
}

/* After a backslash: an escape that stands for one character. */
static int32_t read_escape(lf_rx_parser *p, uint32_t *out)
{
    size_t begin = p->at - 1;
    char c = p->text[p->at];
    static const char names[] = "fnrtv", values[] = "\f\n\r\t\v";
    const char *name = c == '\0' ? NULL : strchr(names, c);
    if (name != NULL) {
        p->at++;
        *out = (uint32_t)values[name - names];
        return LFM2_OK;
    }
    if (lf_rx_take(p, "u")) {
        return read_unicode(p, out);
    }
    if (lf_rx_take(p, "x")) {
        return read_hex(p, 2, out) ? LFM2_OK
                                   : lf_rx_wrong(p, begin, "\\x needs two hexadecimal digits");
    }
    if (c == 'c' && p->at + 1 < p->len && is_letter(p->text[p->at + 1])) {
        *out = (uint32_t)p->text[p->at + 1] & 0x1F;
        p->at += 2;
        return LFM2_OK;
    }
    if (c == '0' && (p->at + 1 == p->len || p->text[p->at + 1] < '0' || p->text[p->at + 1] > '9')) {
        p->at++;
        *out = 0;
        return LFM2_OK;
    }
    if ((c >= '0' && c <= '9') || c == 'k') {
        return lf_rx_unsupported(p, begin, "a back-reference, which is not regular");
    }
    if (is_letter(c)) {
        return lf_rx_unsupported(p, begin, "an escape without a meaning");
    }
    return read_character(p, out); /* also characters that need no escape */
}

/* After "\p" or "\P". */
static int32_t read_property(lf_rx_parser *p, bool negated)
{
    size_t begin = p->at, end;
    const char *close = memchr(p->text + p->at, '}', p->len - p->at);
    if (!lf_rx_take(p, "{") || close == NULL) {
        return lf_rx_wrong(p, begin, "\\p needs a property in braces");
    }
    end = (size_t)(close - p->text);
    uint32_t from = p->chars.n;
    bool ok = lf_chars_add_property(p->quota, &p->chars, p->text + p->at, end - p->at);
    LF_TRY(p->quota->status);
    if (!ok) {
        return lf_rx_unsupported(p, begin, "this property of characters is not supported");
    }
    p->at = end + 1;
    if (negated) {
        lf_chars_complement(p->quota, &p->chars, from);
    }
    return p->quota->status;
}

/* If an escape of a set of characters follows the backslash, adds the set. */
static int32_t read_set_escape(lf_rx_parser *p, bool *is_set)
{
    char c = p->text[p->at];
    *is_set = true;
    if (c == 'p' || c == 'P') {
        p->at++;
        return read_property(p, c == 'P');
    }
    if (c != '\0' && strchr("dDsSwW", c) != NULL) {
        p->at++;
        lf_chars_add_escape(p->quota, &p->chars, c);
        return p->quota->status;
    }
    *is_set = false;
    return LFM2_OK;
}

/* The expression of the characters first .. last. */
static lf_rx spell(const lf_rx_parser *p, uint32_t first, uint32_t last)
{
    const lf_rx_reading *r = p->reading;
    return r->spell == NULL ? lf_rx_code_points(p->set, first, last)
                            : r->spell(r->user, first, last);
}

/* One character of p->chars. */
static int32_t push_chars(lf_rx_parser *p)
{
    const lf_rx_reading *r = p->reading;
    return lf_rx_push(p, lf_chars_rx(p->set, &p->chars, r->spell, r->user));
}

/* ---- Classes ---- */

/* A character or a set of a class. Of a set, `*c` is LF_UTF8_BAD. */
static int32_t read_class_atom(lf_rx_parser *p, uint32_t *c)
{
    *c = LF_UTF8_BAD;
    if (p->at == p->len) {
        return lf_rx_wrong(p, p->at, "a class without an end");
    }
    if (!lf_rx_take(p, "\\")) {
        return read_character(p, c);
    }
    if (p->at == p->len) {
        return lf_rx_wrong(p, p->at, "a backslash at the end");
    }
    if (lf_rx_take(p, "b")) {
        *c = 8;
        return LFM2_OK;
    }
    bool is_set = false;
    LF_TRY(read_set_escape(p, &is_set));
    return is_set ? LFM2_OK : read_escape(p, c);
}

int32_t lf_rx_read_class(lf_rx_parser *p)
{
    bool negated = lf_rx_take(p, "^");
    p->chars.n = 0;
    while (!lf_rx_take(p, "]")) {
        uint32_t first, last;
        size_t at = p->at;
        LF_TRY(read_class_atom(p, &first));
        last = first;
        if (lf_rx_next_is(p, "-") && p->at + 1 < p->len && p->text[p->at + 1] != ']') {
            p->at++;
            LF_TRY(read_class_atom(p, &last));
            if (first >= LF_UTF8_BAD || last >= LF_UTF8_BAD) {
                /* As without flag u: a set beside a hyphen, which stands for itself. */
                lf_chars_add(p->quota, &p->chars, '-', '-');
                if (last < LF_UTF8_BAD) {
                    lf_chars_add(p->quota, &p->chars, last, last);
                }
                last = first;
            } else if (last < first) {
                return lf_rx_wrong(p, at, "a range that is out of order");
            }
        }
        if (first < LF_UTF8_BAD) {
            lf_chars_add(p->quota, &p->chars, first, last);
        }
        LF_TRY(p->quota->status);
        if (!lf_quota_step(p->quota, 1)) {
            return p->quota->status;
        }
    }
    if (negated) {
        lf_chars_complement(p->quota, &p->chars, 0);
    }
    return push_chars(p);
}

/* ---- Parts of one character ---- */

int32_t lf_rx_read_escape(lf_rx_parser *p)
{
    if (p->at == p->len) {
        return lf_rx_wrong(p, p->at, "a backslash at the end");
    }
    if (lf_rx_next_is(p, "b") || lf_rx_next_is(p, "B")) {
        return lf_rx_unsupported(p, p->at - 1, "a word boundary");
    }
    bool is_set = false;
    p->chars.n = 0;
    LF_TRY(read_set_escape(p, &is_set));
    if (is_set) {
        return push_chars(p);
    }
    uint32_t c = 0;
    LF_TRY(read_escape(p, &c));
    return lf_rx_push(p, spell(p, c, c));
}

int32_t lf_rx_read_character(lf_rx_parser *p)
{
    uint32_t c = 0;
    LF_TRY(read_character(p, &c));
    return lf_rx_push(p, spell(p, c, c));
}

int32_t lf_rx_read_dot(lf_rx_parser *p)
{
    p->chars.n = 0;
    lf_chars_add_escape(p->quota, &p->chars, '.');
    return push_chars(p);
}
