/* SPDX-License-Identifier: Apache-2.0 */
/* Parses patterns of ECMA-262 (flag u). */
#include "common/utf8.h"
#include "text/grammar/rx_chars.h"

#include <string.h>

/* What a part of a pattern matches, by what it demands of its place: index START: it begins where
 * the text begins; index END: it ends where the text ends. So anchors take no part in expressions.
 */
enum { FREE = 0, START = 1, END = 2, BOTH = 3, DEMANDS = 4 /* their number */ };
typedef struct part {
    lf_rx of[DEMANDS];
} part;

typedef struct parser {
    lf_rx_set *set;
    lf_quota *quota;
    const char *path, *text;
    size_t len, at;
    /* Parts, of DEMANDS items each: of the sequence that is being read, and of the alternatives
     * before it. A group in `groups` keeps where its items begin in both, and its offset. */
    lf_list sequence, alternatives, groups;
    lf_chars chars;
    bool repeatable; /* the last part may be repeated */
} parser;

enum { GROUP = 3 }; /* items of a group */

enum { ATOM_STEPS = 4 }; /* reading an atom takes about as long */

static int32_t wrong(const parser *p, size_t at, const char *what)
{
    return lf_fail(LFM2_E_TEXT, "regex.syntax", "%s: offset %zu: %s", p->path, at, what);
}

static int32_t unsupported(const parser *p, size_t at, const char *what)
{
    return lf_fail(LFM2_E_UNSUPPORTED, "regex.unsupported", "%s: offset %zu: %s", p->path, at,
                   what);
}

static bool next_is(const parser *p, const char *what)
{
    size_t n = strlen(what);
    return p->len - p->at >= n && memcmp(p->text + p->at, what, n) == 0;
}

static bool take(parser *p, const char *what)
{
    bool is = next_is(p, what);
    p->at += is ? strlen(what) : 0;
    return is;
}

/* ---- Parts ---- */

static int32_t push_part(parser *p, lf_list *list, part value)
{
    for (int i = 0; i < DEMANDS; i++) {
        lf_list_push(p->quota, list, value.of[i]);
    }
    return p->quota->status;
}

static part part_at(const lf_list *list, uint32_t at)
{
    part value;
    memcpy(value.of, list->items + at, sizeof value.of);
    return value;
}

/* What the first part matches with demand a, then what the second one matches with demand b. */
static void join_demands(parser *p, part *out, const part *first, int a, const part *second, int b)
{
    lf_rx_set *set = p->set;
    lf_rx x = first->of[a], y = second->of[b];
    if (x == LF_RX_NONE || y == LF_RX_NONE) {
        return;
    }
    bool x_empty = (b & START) != 0, y_empty = (a & END) != 0;
    if ((x_empty && !lf_rx_nullable(set, x)) || (y_empty && !lf_rx_nullable(set, y))) {
        return; /* something stands before the start, or after the end */
    }
    lf_rx value = lf_rx_concat(set, x_empty ? LF_RX_EMPTY : x, y_empty ? LF_RX_EMPTY : y);
    out->of[a | b] = lf_rx_alt(set, out->of[a | b], value);
}

static part concat_parts(parser *p, part first, part second)
{
    part out = {{LF_RX_NONE, LF_RX_NONE, LF_RX_NONE, LF_RX_NONE}};
    for (int a = 0; a < DEMANDS; a++) {
        for (int b = 0; b < DEMANDS; b++) {
            join_demands(p, &out, &first, a, &second, b);
        }
    }
    return out;
}

/* Takes the parts of the sequence from `from` on, and returns what they match together. */
static part end_sequence(parser *p, uint32_t from)
{
    part value = {{LF_RX_EMPTY, LF_RX_NONE, LF_RX_NONE, LF_RX_NONE}};
    while (p->sequence.n > from && p->quota->status == LFM2_OK) {
        p->sequence.n -= DEMANDS;
        value = concat_parts(p, part_at(&p->sequence, p->sequence.n), value);
    }
    p->sequence.n = from;
    return value;
}

/* Takes the alternatives from `from` on. */
static part end_alternatives(parser *p, uint32_t from)
{
    part value;
    for (uint32_t k = 0; k < DEMANDS; k++) {
        uint32_t base = p->set->work.n;
        for (uint32_t i = from + k; i < p->alternatives.n; i += DEMANDS) {
            lf_list_push(p->quota, &p->set->work, p->alternatives.items[i]);
        }
        value.of[k] = lf_rx_join(p->set, base, false);
    }
    p->alternatives.n = from;
    return value;
}

static int32_t push_rx(parser *p, lf_rx rx)
{
    p->repeatable = true;
    return push_part(p, &p->sequence, (part){{rx, LF_RX_NONE, LF_RX_NONE, LF_RX_NONE}});
}

/* ---- Characters ---- */

static int hex_digit(char c)
{
    return c >= '0' && c <= '9'                     ? c - '0'
           : (c | 0x20) >= 'a' && (c | 0x20) <= 'f' ? (c | 0x20) - 'a' + 10
                                                    : -1;
}

/* Reads n hexadecimal digits. */
static bool read_hex(parser *p, int n, uint32_t *out)
{
    uint32_t value = 0;
    for (int i = 0; i < n; i++) {
        int digit = p->at + (size_t)i < p->len ? hex_digit(p->text[p->at + (size_t)i]) : -1;
        if (digit < 0) {
            return false;
        }
        value = value << 4 | (uint32_t)digit;
    }
    p->at += (size_t)n;
    *out = value;
    return true;
}

/* After "\u": four digits, two such escapes of a surrogate pair, or digits in braces. */
static int32_t read_unicode(parser *p, uint32_t *out)
{
    size_t begin = p->at;
    if (take(p, "{")) {
        uint32_t value = 0;
        size_t digits = 0;
        for (uint32_t digit; value <= 0x10FFFF && read_hex(p, 1, &digit); digits++) {
            value = value << 4 | digit;
        }
        if (digits == 0 || value > 0x10FFFF || !take(p, "}")) {
            return wrong(p, begin, "\\u{...} needs a code point");
        }
        *out = value;
        return LFM2_OK;
    }
    if (!read_hex(p, 4, out)) {
        return wrong(p, begin, "\\u needs four hexadecimal digits");
    }
    size_t after = p->at;
    uint32_t low = 0;
    if (*out >= 0xD800 && *out <= 0xDBFF) {
        if (take(p, "\\u") && read_hex(p, 4, &low) && low >= 0xDC00 && low <= 0xDFFF) {
            *out = 0x10000 + ((*out - 0xD800) << 10) + (low - 0xDC00);
        } else {
            p->at = after;
        }
    }
    return LFM2_OK;
}

static int32_t read_character(parser *p, uint32_t *out)
{
    size_t begin = p->at;
    p->at += lf_utf8_decode((const uint8_t *)p->text + begin, p->len - begin, out);
    return *out < LF_UTF8_BAD ? LFM2_OK : wrong(p, begin, "not UTF-8");
}

static bool is_letter(char c)
{
    return (c | 0x20) >= 'a' && (c | 0x20) <= 'z';
}

/* After a backslash: an escape that stands for one character. */
static int32_t read_escape(parser *p, uint32_t *out)
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
    if (take(p, "u")) {
        return read_unicode(p, out);
    }
    if (take(p, "x")) {
        return read_hex(p, 2, out) ? LFM2_OK : wrong(p, begin, "\\x needs two hexadecimal digits");
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
        return unsupported(p, begin, "a back-reference, which is not regular");
    }
    if (is_letter(c) || c == '_') {
        return wrong(p, begin, "an unknown escape");
    }
    return read_character(p, out); /* also characters that need no escape */
}

/* After "\p" or "\P". */
static int32_t read_property(parser *p, bool negated)
{
    size_t begin = p->at, end;
    const char *close = memchr(p->text + p->at, '}', p->len - p->at);
    if (!take(p, "{") || close == NULL) {
        return wrong(p, begin, "\\p needs a property in braces");
    }
    end = (size_t)(close - p->text);
    uint32_t from = p->chars.n;
    bool ok = lf_chars_add_property(p->quota, &p->chars, p->text + p->at, end - p->at);
    LF_TRY(p->quota->status);
    if (!ok) {
        return unsupported(p, begin, "this property of characters is not supported");
    }
    p->at = end + 1;
    if (negated) {
        lf_chars_complement(p->quota, &p->chars, from);
    }
    return p->quota->status;
}

/* If an escape of a set of characters follows the backslash, adds the set. */
static int32_t read_set_escape(parser *p, bool *is_set)
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

/* ---- Classes ---- */

/* A character or a set of a class. Of a set, `*c` is LF_UTF8_BAD. */
static int32_t read_class_atom(parser *p, uint32_t *c)
{
    *c = LF_UTF8_BAD;
    if (p->at == p->len) {
        return wrong(p, p->at, "a class without an end");
    }
    if (!take(p, "\\")) {
        return read_character(p, c);
    }
    if (p->at == p->len) {
        return wrong(p, p->at, "a backslash at the end");
    }
    if (take(p, "b")) {
        *c = 8;
        return LFM2_OK;
    }
    bool is_set = false;
    LF_TRY(read_set_escape(p, &is_set));
    return is_set ? LFM2_OK : read_escape(p, c);
}

static int32_t read_class(parser *p)
{
    bool negated = take(p, "^");
    p->chars.n = 0;
    while (!take(p, "]")) {
        uint32_t first, last;
        size_t at = p->at;
        LF_TRY(read_class_atom(p, &first));
        last = first;
        if (next_is(p, "-") && p->at + 1 < p->len && p->text[p->at + 1] != ']') {
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
                return wrong(p, at, "a range that is out of order");
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
    return push_rx(p, lf_chars_rx(p->set, &p->chars));
}

/* ---- Quantifiers ---- */

/* Reads a decimal number; false without digits. Numbers that no text reaches are cut. */
static bool read_number(parser *p, uint32_t *out)
{
    size_t begin = p->at;
    uint64_t value = 0;
    for (; p->at < p->len && p->text[p->at] >= '0' && p->text[p->at] <= '9'; p->at++) {
        value = value * 10 + (uint64_t)(p->text[p->at] - '0');
        value = value > INT32_MAX ? INT32_MAX : value;
    }
    *out = (uint32_t)value;
    return p->at > begin;
}

/* Reads a quantifier if one follows. A brace that begins none stands for itself. */
static bool read_quantifier(parser *p, uint32_t *min, uint32_t *max)
{
    size_t begin = p->at;
    *min = next_is(p, "+") ? 1 : 0;
    *max = next_is(p, "?") ? 1 : LF_RX_UNLIMITED;
    if (take(p, "*") || take(p, "+") || take(p, "?")) {
        return true;
    }
    if (!take(p, "{")) {
        return false;
    }
    bool ok = read_number(p, min);
    if (ok && take(p, ",")) {
        if (!next_is(p, "}")) {
            ok = read_number(p, max);
        }
    } else {
        *max = *min;
    }
    if (!ok || !take(p, "}")) {
        p->at = begin;
        return false;
    }
    return true;
}

static int32_t repeat_last(parser *p, size_t at, uint32_t min, uint32_t max)
{
    if (!p->repeatable) {
        return wrong(p, at, "a quantifier without anything to repeat");
    }
    if (max < min) {
        return wrong(p, at, "a quantifier that is out of order");
    }
    p->repeatable = false;
    take(p, "?"); /* lazy: it matches the same texts */
    p->sequence.n -= DEMANDS;
    part last = part_at(&p->sequence, p->sequence.n);
    bool anchored =
        last.of[START] != LF_RX_NONE || last.of[END] != LF_RX_NONE || last.of[BOTH] != LF_RX_NONE;
    if (!anchored) {
        last.of[FREE] = lf_rx_repeat(p->set, last.of[FREE], min, max);
    } else if (max == 0) {
        last = (part){{LF_RX_EMPTY, LF_RX_NONE, LF_RX_NONE, LF_RX_NONE}};
    } else if (max == 1) {
        last.of[FREE] = min == 0 ? lf_rx_alt(p->set, last.of[FREE], LF_RX_EMPTY) : last.of[FREE];
    } else {
        return unsupported(p, at, "an anchor inside a repetition");
    }
    return push_part(p, &p->sequence, last);
}

/* ---- Groups ---- */

static int32_t open_group(parser *p)
{
    size_t begin = p->at - 1;
    if (take(p, "?:")) {
    } else if (next_is(p, "?=") || next_is(p, "?!") || next_is(p, "?<=") || next_is(p, "?<!")) {
        return unsupported(p, begin, "look-around");
    } else if (take(p, "?<")) {
        size_t name = p->at;
        while (p->at < p->len && p->text[p->at] != '>') {
            p->at++;
        }
        if (p->at == name || !take(p, ">")) {
            return wrong(p, begin, "a group without a name");
        }
    } else if (next_is(p, "?")) {
        return unsupported(p, begin, "an unknown kind of group");
    }
    if (p->groups.n / GROUP >= p->quota->limits.depth) {
        return lf_fail(LFM2_E_LIMIT, "constraint.depth",
                       "%s: offset %zu: groups nest deeper than the limit of %u", p->path, begin,
                       p->quota->limits.depth);
    }
    lf_list_push(p->quota, &p->groups, p->sequence.n);
    lf_list_push(p->quota, &p->groups, p->alternatives.n);
    lf_list_push(p->quota, &p->groups, (uint32_t)begin);
    p->repeatable = false;
    return p->quota->status;
}

/* Where the parts of the innermost group begin. */
static uint32_t group_base(const parser *p, uint32_t word)
{
    return p->groups.n == 0 ? 0 : p->groups.items[p->groups.n - GROUP + word];
}

static int32_t end_alternative(parser *p)
{
    p->repeatable = false;
    return push_part(p, &p->alternatives, end_sequence(p, group_base(p, 0)));
}

static int32_t close_group(parser *p)
{
    if (p->groups.n == 0) {
        return wrong(p, p->at - 1, "a parenthesis that closes nothing");
    }
    LF_TRY(end_alternative(p));
    part value = end_alternatives(p, group_base(p, 1));
    p->groups.n -= GROUP;
    p->repeatable = true;
    return push_part(p, &p->sequence, value);
}

/* ---- The pattern ---- */

static int32_t read_anchor(parser *p, int demand)
{
    part value = {{LF_RX_NONE, LF_RX_NONE, LF_RX_NONE, LF_RX_NONE}};
    value.of[demand] = LF_RX_EMPTY;
    p->repeatable = false;
    return push_part(p, &p->sequence, value);
}

static int32_t read_atom_escape(parser *p)
{
    if (p->at == p->len) {
        return wrong(p, p->at, "a backslash at the end");
    }
    if (next_is(p, "b") || next_is(p, "B")) {
        return unsupported(p, p->at - 1, "a word boundary");
    }
    bool is_set = false;
    p->chars.n = 0;
    LF_TRY(read_set_escape(p, &is_set));
    if (is_set) {
        return push_rx(p, lf_chars_rx(p->set, &p->chars));
    }
    uint32_t c = 0;
    LF_TRY(read_escape(p, &c));
    return push_rx(p, lf_rx_code_points(p->set, c, c));
}

static int32_t read_atom(parser *p)
{
    if (take(p, "(")) {
        return open_group(p);
    }
    if (take(p, ")")) {
        return close_group(p);
    }
    if (take(p, "|")) {
        return end_alternative(p);
    }
    if (take(p, "^")) {
        return read_anchor(p, START);
    }
    if (take(p, "$")) {
        return read_anchor(p, END);
    }
    if (take(p, "[")) {
        return read_class(p);
    }
    if (take(p, "\\")) {
        return read_atom_escape(p);
    }
    if (take(p, ".")) {
        p->chars.n = 0;
        lf_chars_add_escape(p->quota, &p->chars, '.');
        return push_rx(p, lf_chars_rx(p->set, &p->chars));
    }
    uint32_t c = 0;
    LF_TRY(read_character(p, &c));
    return push_rx(p, lf_rx_code_points(p->set, c, c));
}

static int32_t read_pattern(parser *p)
{
    while (p->at < p->len) {
        uint32_t min, max;
        size_t at = p->at;
        if (!lf_quota_step(p->quota, ATOM_STEPS)) {
            return p->quota->status;
        }
        if (read_quantifier(p, &min, &max)) {
            LF_TRY(repeat_last(p, at, min, max));
        } else {
            LF_TRY(read_atom(p));
        }
    }
    if (p->groups.n > 0) {
        return wrong(p, group_base(p, 2), "a group without an end");
    }
    return end_alternative(p);
}

int32_t lf_rx_parse(lf_rx_set *set, const char *path, const char *pattern, size_t len, bool search,
                    lf_rx *out)
{
    parser p = {.set = set, .quota = set->quota, .path = path, .text = pattern, .len = len};
    int32_t status = len < UINT32_MAX ? read_pattern(&p)
                                      : lf_fail(LFM2_E_LIMIT, "constraint.size",
                                                "%s: the pattern is too long", path);
    if (status == LFM2_OK) {
        part value = end_alternatives(&p, 0);
        lf_rx any = search ? lf_rx_utf8(set) : LF_RX_EMPTY;
        lf_rx result = value.of[BOTH];
        result = lf_rx_alt(set, result, lf_rx_concat(set, value.of[START], any));
        result = lf_rx_alt(set, result, lf_rx_concat(set, any, value.of[END]));
        lf_rx inside = lf_rx_concat(set, any, lf_rx_concat(set, value.of[FREE], any));
        *out = lf_rx_alt(set, result, inside);
        status = set->quota->status;
    }
    lf_list_free(p.quota, &p.sequence);
    lf_list_free(p.quota, &p.alternatives);
    lf_list_free(p.quota, &p.groups);
    lf_list_free(p.quota, &p.chars);
    return status;
}
