/* SPDX-License-Identifier: Apache-2.0 */
/* Patterns (ECMA-262) as expressions of the spellings of the strings in which they match. */
#include "text/grammar/schema_internal.h"

#include "common/utf8.h"

#include <string.h>

enum {
    AT_START = 1, /* the match begins where the text does */
    AT_END = 2,   /* it ends where the text ends */
    MAX_RANGES = 200,
    MAX_DEPTH = 100,
    LAST = 0x10FFFF
};

/* What a part of a pattern matches: without a condition on its place, at the start, at the end, as
 * the whole text. */
typedef struct part {
    lf_rx v[4];
} part;

typedef struct parser {
    lf_schema *s;
    const char *text;
    size_t len, pos;
    uint32_t depth;
    bool whole;
    const char *why; /* of the failure */
    bool unsupported;
    /* The class that is being read. */
    uint32_t ranges[MAX_RANGES][2];
    uint32_t n_ranges;
} parser;

static int32_t fail(parser *p, bool unsupported, const char *why)
{
    p->why = why;
    p->unsupported = unsupported;
    return LFM2_E_TEXT;
}

static int peek(const parser *p)
{
    return p->pos < p->len ? (uint8_t)p->text[p->pos] : -1;
}

static bool take(parser *p, char c)
{
    if (peek(p) != (uint8_t)c) {
        return false;
    }
    p->pos++;
    return true;
}

static uint32_t next_char(parser *p)
{
    uint32_t c = 0;
    p->pos += lf_utf8_decode((const uint8_t *)p->text + p->pos, p->len - p->pos, &c);
    return c;
}

/* ---- Parts ---- */

static part plain(lf_rx rx)
{
    return (part){{rx, LF_RX_NONE, LF_RX_NONE, LF_RX_NONE}};
}

static part either(parser *p, part a, part b)
{
    for (int i = 0; i < 4; i++) {
        a.v[i] = lf_rx_alt(p->s->rx, a.v[i], b.v[i]);
    }
    return a;
}

/* a, then b. What is at the end has nothing behind it; what is at the start has nothing before it.
 */
static part both(parser *p, part a, part b)
{
    lf_rx_set *rx = p->s->rx;
    part out = plain(LF_RX_NONE);
    for (unsigned i = 0; i < 4; i++) {
        for (unsigned j = 0; j < 4; j++) {
            if (a.v[i] == LF_RX_NONE || b.v[j] == LF_RX_NONE) {
                continue;
            }
            if ((j & AT_START && !lf_rx_nullable(rx, a.v[i])) ||
                (i & AT_END && !lf_rx_nullable(rx, b.v[j]))) {
                continue;
            }
            lf_rx left = j & AT_START ? LF_RX_EMPTY : a.v[i];
            lf_rx right = i & AT_END ? LF_RX_EMPTY : b.v[j];
            out.v[i | j] = lf_rx_alt(rx, out.v[i | j], lf_rx_concat(rx, left, right));
        }
    }
    return out;
}

static bool is_plain(const part *a)
{
    return a->v[1] == LF_RX_NONE && a->v[2] == LF_RX_NONE && a->v[3] == LF_RX_NONE;
}

/* ---- Classes ---- */

static bool add_range(parser *p, uint32_t first, uint32_t last)
{
    if (p->n_ranges == MAX_RANGES) {
        return false;
    }
    p->ranges[p->n_ranges][0] = first;
    p->ranges[p->n_ranges][1] = last;
    p->n_ranges++;
    return true;
}

/* Sorts the ranges from `from` on and joins those that touch. */
static void tidy(parser *p, uint32_t from)
{
    uint32_t(*r)[2] = p->ranges;
    for (uint32_t i = from + 1; i < p->n_ranges; i++) {
        for (uint32_t k = i; k > from && r[k][0] < r[k - 1][0]; k--) {
            const uint32_t first = r[k][0];
            const uint32_t last = r[k][1];
            r[k][0] = r[k - 1][0];
            r[k][1] = r[k - 1][1];
            r[k - 1][0] = first;
            r[k - 1][1] = last;
        }
    }
    uint32_t n = from;
    for (uint32_t i = from; i < p->n_ranges; i++) {
        if (n > from && r[i][0] <= r[n - 1][1] + 1) {
            r[n - 1][1] = r[i][1] > r[n - 1][1] ? r[i][1] : r[n - 1][1];
        } else {
            r[n][0] = r[i][0];
            r[n++][1] = r[i][1];
        }
    }
    p->n_ranges = n;
}

/* Replaces the ranges from `from` on by their complement. */
static bool complement(parser *p, uint32_t from)
{
    tidy(p, from);
    uint32_t next = 0;
    uint32_t n = from;
    for (uint32_t i = from; i < p->n_ranges; i++) {
        const uint32_t first = p->ranges[i][0];
        const uint32_t last = p->ranges[i][1];
        if (first > next) {
            p->ranges[n][0] = next;
            p->ranges[n++][1] = first - 1;
        }
        next = last + 1;
    }
    p->n_ranges = n;
    return next > LAST || add_range(p, next, LAST);
}

/* Adds the class of \d, \w, \s or their complements; false: `c` is none of them. */
static bool add_named(parser *p, uint32_t c)
{
    static const uint32_t word[][2] = {{'0', '9'}, {'A', 'Z'}, {'_', '_'}, {'a', 'z'}};
    static const uint32_t space[][2] = {
        {9, 13},          {' ', ' '},       {0xA0, 0xA0},     {0x1680, 0x1680}, {0x2000, 0x200A},
        {0x2028, 0x2029}, {0x202F, 0x202F}, {0x205F, 0x205F}, {0x3000, 0x3000}, {0xFEFF, 0xFEFF}};
    const uint32_t from = p->n_ranges;
    bool room = true;
    if (c == 'd' || c == 'D') {
        room = add_range(p, '0', '9');
    } else if (c == 'w' || c == 'W') {
        for (size_t i = 0; i < sizeof word / sizeof *word; i++) {
            room = room && add_range(p, word[i][0], word[i][1]);
        }
    } else if (c == 's' || c == 'S') {
        for (size_t i = 0; i < sizeof space / sizeof *space; i++) {
            room = room && add_range(p, space[i][0], space[i][1]);
        }
    } else {
        return false;
    }
    if (room && c < 'a') {
        room = complement(p, from);
    }
    return room;
}

static lf_rx class_of(parser *p)
{
    lf_rx out = LF_RX_NONE;
    tidy(p, 0);
    for (uint32_t i = 0; i < p->n_ranges; i++) {
        out = lf_rx_alt(p->s->rx, out, lf_schema_spell(p->s, p->ranges[i][0], p->ranges[i][1]));
    }
    return out;
}

/* ---- Escapes ---- */

static int32_t read_hex(parser *p, uint32_t digits, uint32_t *out)
{
    *out = 0;
    for (uint32_t i = 0; i < digits; i++) {
        int c = peek(p);
        int d = c >= '0' && c <= '9'                     ? c - '0'
                : (c | 0x20) >= 'a' && (c | 0x20) <= 'f' ? (c | 0x20) - 'a' + 10
                                                         : -1;
        if (c < 0 || d < 0) {
            return fail(p, false, "an escape lacks digits");
        }
        *out = *out * 16 + (uint32_t)d;
        p->pos++;
    }
    return LFM2_OK;
}

static int32_t unicode_escape(parser *p, uint32_t *out)
{
    if (take(p, '{')) {
        *out = 0;
        do {
            uint32_t digit = 0;
            LF_TRY(read_hex(p, 1, &digit));
            *out = *out * 16 + digit;
            if (*out > LAST) {
                return fail(p, false, "an escape is no code point");
            }
        } while (!take(p, '}'));
        return LFM2_OK;
    }
    LF_TRY(read_hex(p, 4, out));
    if (*out >= 0xD800 && *out < 0xDC00 && p->len - p->pos >= 6 && p->text[p->pos] == '\\' &&
        p->text[p->pos + 1] == 'u') {
        uint32_t low = 0;
        p->pos += 2;
        LF_TRY(read_hex(p, 4, &low));
        if (low < 0xDC00 || low > 0xDFFF) {
            return fail(p, true, "an escape is half a character");
        }
        *out = 0x10000 + ((*out - 0xD800) << 10) + (low - 0xDC00);
    }
    return LFM2_OK;
}

/* The character of an escape, behind its backslash. */
static int32_t escaped_char(parser *p, bool in_class, uint32_t *out)
{
    static const char names[] = "tnrfv";
    static const char values[] = "\t\n\r\f\v";
    if (p->pos == p->len) {
        return fail(p, false, "the pattern ends in a backslash");
    }
    uint32_t c = next_char(p);
    const char *at = c < 0x80 && c != 0 ? strchr(names, (char)c) : NULL;
    const bool letter = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
    *out = c;
    if (at != NULL) {
        *out = (uint32_t)values[at - names];
    } else if (c == 'x') {
        return read_hex(p, 2, out);
    } else if (c == 'u') {
        return unicode_escape(p, out);
    } else if (c == 'c' && peek(p) >= 0 && ((peek(p) | 0x20) >= 'a' && (peek(p) | 0x20) <= 'z')) {
        *out = next_char(p) & 31;
    } else if (c == '0' && !(peek(p) >= '0' && peek(p) <= '9')) {
        *out = 0;
    } else if (c == 'b' && in_class) {
        *out = 8;
    } else if (c >= '0' && c <= '9') {
        return fail(p, true, "back-references are not regular");
    } else if (c == 'b' || c == 'B') {
        return fail(p, true, "word boundaries are not supported");
    } else if (c == 'p' || c == 'P') {
        return fail(p, true, "Unicode properties are not supported");
    } else if (c == 'k') {
        return fail(p, true, "back-references are not regular");
    } else if (letter) {
        return fail(p, true, "this escape has no meaning");
    }
    return LFM2_OK;
}

/* One member of a class: *single says whether it is the character *c, which may begin a range. */
static int32_t class_atom(parser *p, bool *single, uint32_t *c)
{
    *single = true;
    if (!take(p, '\\')) {
        *c = next_char(p);
        return LFM2_OK;
    }
    const int name = peek(p);
    if (name >= 0 && strchr("dDwWsS", name) != NULL && name != 0) {
        p->pos++;
        *single = false;
        return add_named(p, (uint32_t)name) ? LFM2_OK : fail(p, true, "a class is too long");
    }
    return escaped_char(p, true, c);
}

static int32_t read_class(parser *p, lf_rx *out)
{
    const bool negated = take(p, '^');
    p->n_ranges = 0;
    while (!take(p, ']')) {
        uint32_t first = 0;
        uint32_t last = 0;
        bool single = false;
        bool end = false;
        if (p->pos == p->len) {
            return fail(p, false, "a class has no end");
        }
        LF_TRY(class_atom(p, &single, &first));
        last = first;
        if (peek(p) == '-' && p->pos + 1 < p->len && p->text[p->pos + 1] != ']') {
            p->pos++;
            LF_TRY(class_atom(p, &end, &last));
            if (!single || !end) {
                /* A dash next to a class is itself. */
                if (!add_range(p, '-', '-') || (single && !add_range(p, first, first)) ||
                    (end && !add_range(p, last, last))) {
                    return fail(p, true, "a class is too long");
                }
                continue;
            }
        }
        if (first > last) {
            return fail(p, false, "a range of a class is reversed");
        }
        if (single && !add_range(p, first, last)) {
            return fail(p, true, "a class is too long");
        }
    }
    if (negated && !complement(p, 0)) {
        return fail(p, true, "a class is too long");
    }
    *out = class_of(p);
    return LFM2_OK;
}

/* ---- Terms ---- */

static int32_t read_choice(parser *p, part *out);

static int32_t read_group(parser *p, part *out)
{
    if (take(p, '?')) {
        if (take(p, '<') && peek(p) != '=' && peek(p) != '!') {
            while (p->pos < p->len && !take(p, '>')) {
                p->pos++;
            }
        } else if (!take(p, ':')) {
            return fail(p, true, "look-around is not supported");
        }
    }
    if (++p->depth > MAX_DEPTH) {
        return fail(p, true, "groups nest too deep");
    }
    LF_TRY(read_choice(p, out));
    p->depth--;
    return take(p, ')') ? LFM2_OK : fail(p, false, "a group has no end");
}

static int32_t read_escape(parser *p, part *out)
{
    const int name = peek(p);
    uint32_t c = 0;
    p->n_ranges = 0;
    if (name > 0 && strchr("dDwWsS", name) != NULL) {
        p->pos++;
        if (!add_named(p, (uint32_t)name)) {
            return fail(p, true, "a class is too long");
        }
        *out = plain(class_of(p));
        return LFM2_OK;
    }
    LF_TRY(escaped_char(p, false, &c));
    if (c >= 0xD800 && c < 0xE000) {
        return fail(p, true, "an escape is half a character");
    }
    *out = plain(lf_schema_spell(p->s, c, c));
    return LFM2_OK;
}

static int32_t read_atom(parser *p, part *out)
{
    lf_rx rx = LF_RX_NONE;
    if (take(p, '(')) {
        return read_group(p, out);
    }
    if (take(p, '[')) {
        LF_TRY(read_class(p, &rx));
        *out = plain(rx);
        return LFM2_OK;
    }
    if (take(p, '\\')) {
        return read_escape(p, out);
    }
    if (take(p, '^') || take(p, '$')) {
        *out = plain(LF_RX_NONE);
        out->v[p->text[p->pos - 1] == '^' ? AT_START : AT_END] = LF_RX_EMPTY;
        return LFM2_OK;
    }
    if (take(p, '.')) {
        p->n_ranges = 0;
        add_range(p, '\n', '\n');
        add_range(p, '\r', '\r');
        add_range(p, 0x2028, 0x2029);
        complement(p, 0);
        *out = plain(class_of(p));
        return LFM2_OK;
    }
    const int c = peek(p);
    if (c == '*' || c == '+' || c == '?') {
        return fail(p, false, "nothing to repeat");
    }
    const uint32_t point = next_char(p);
    *out = plain(lf_schema_spell(p->s, point, point));
    return LFM2_OK;
}

static bool read_number(parser *p, uint32_t *out)
{
    const size_t from = p->pos;
    uint64_t v = 0;
    for (; peek(p) >= '0' && peek(p) <= '9'; p->pos++) {
        v = v * 10 + (uint64_t)(peek(p) - '0');
        v = v > 1000000000 ? 1000000000 : v;
    }
    *out = (uint32_t)v;
    return p->pos > from;
}

/* A quantifier at the position, if there is one: a brace that begins none is a character. */
static bool read_quantifier(parser *p, uint32_t *min, uint32_t *max)
{
    const size_t from = p->pos;
    *min = 0;
    *max = LF_RX_UNLIMITED;
    if (take(p, '*')) {
        return true;
    }
    if (take(p, '+')) {
        *min = 1;
        return true;
    }
    if (take(p, '?')) {
        *max = 1;
        return true;
    }
    if (take(p, '{') && read_number(p, min)) {
        *max = *min;
        if (take(p, ',') && !read_number(p, max)) {
            *max = LF_RX_UNLIMITED;
        }
        if (take(p, '}')) {
            return true;
        }
    }
    p->pos = from;
    return false;
}

/* min to max times a part. A match at the start can only be the first, one at the end the last. */
static int32_t repeat(parser *p, part *a, uint32_t min, uint32_t max)
{
    lf_rx_set *rx = p->s->rx;
    part out = plain(lf_rx_repeat(rx, a->v[0], min, max));
    if (!is_plain(a) && max > 0) {
        if (min > 1) {
            return fail(p, true, "an anchor is repeated");
        }
        const uint32_t more = max == LF_RX_UNLIMITED ? max : max - 1;
        lf_rx others = lf_rx_repeat(rx, a->v[0], 0, more);
        out.v[AT_START] = lf_rx_concat(rx, a->v[AT_START], others);
        out.v[AT_END] = lf_rx_concat(rx, others, a->v[AT_END]);
        out.v[AT_START | AT_END] = a->v[AT_START | AT_END];
        if (max > 1) {
            others = lf_rx_repeat(rx, a->v[0], 0, more == LF_RX_UNLIMITED ? more : more - 1);
            out.v[AT_START | AT_END] =
                lf_rx_alt(rx, out.v[AT_START | AT_END],
                          lf_rx_concat(rx, a->v[AT_START], lf_rx_concat(rx, others, a->v[AT_END])));
        }
    }
    *a = out;
    return LFM2_OK;
}

static bool at_end_of_sequence(const parser *p)
{
    return p->pos == p->len || peek(p) == '|' || peek(p) == ')';
}

static int32_t read_sequence(parser *p, part *out)
{
    bool first = true;
    *out = plain(LF_RX_EMPTY);
    for (; !at_end_of_sequence(p); first = false) {
        part atom = plain(LF_RX_NONE);
        uint32_t min = 0;
        uint32_t max = 0;
        LF_TRY(lf_schema_step(p->s, 4));
        LF_TRY(read_atom(p, &atom));
        while (read_quantifier(p, &min, &max)) {
            (void)take(p, '?'); /* a lazy quantifier matches the same texts */
            if (min > max) {
                return fail(p, false, "a quantifier is reversed");
            }
            /* Any text may be around the match: at its ends no more than `min` are needed. */
            if (p->depth == 0 && !p->whole && is_plain(&atom) && (first || at_end_of_sequence(p))) {
                max = min;
            }
            LF_TRY(repeat(p, &atom, min, max));
        }
        *out = both(p, *out, atom);
    }
    return LFM2_OK;
}

static int32_t read_choice(parser *p, part *out)
{
    LF_TRY(read_sequence(p, out));
    while (take(p, '|')) {
        part other = plain(LF_RX_NONE);
        LF_TRY(read_sequence(p, &other));
        *out = either(p, *out, other);
    }
    return LFM2_OK;
}

int32_t lf_schema_pattern(lf_schema *s, const char *text, size_t len, bool whole, lf_rx *out,
                          const char **why, bool *unsupported)
{
    parser p = {.s = s, .text = text, .len = len, .whole = whole};
    part all = plain(LF_RX_NONE);
    *why = NULL;
    int32_t status = read_choice(&p, &all);
    if (status == LFM2_OK && p.pos < len) {
        status = fail(&p, false, "a group has no beginning");
    }
    if (p.why != NULL) {
        *why = p.why;
        *unsupported = p.unsupported;
        return LFM2_OK;
    }
    LF_TRY(status);
    lf_rx_set *rx = s->rx;
    lf_rx any = whole ? LF_RX_EMPTY : lf_schema_any_text(s);
    *out = lf_rx_concat(rx, any, lf_rx_concat(rx, all.v[0], any));
    *out = lf_rx_alt(rx, *out, lf_rx_concat(rx, all.v[AT_START], any));
    *out = lf_rx_alt(rx, *out, lf_rx_concat(rx, any, all.v[AT_END]));
    *out = lf_rx_alt(rx, *out, all.v[AT_START | AT_END]);
    return LFM2_OK;
}
