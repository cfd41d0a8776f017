/* SPDX-License-Identifier: Apache-2.0 */
/* Splits text into pre-tokens as this regular expression does, whose alternatives are tried in
 * order at each position:
 *
 *   (?i:'s|'t|'re|'ve|'m|'ll|'d) | [^\r\n\p{L}\p{N}]?\p{L}+ | \p{N}{1,3} |
 *   [ ]?[^\s\p{L}\p{N}]+[\r\n]* | \s*[\r\n]+ | \s+(?!\S) | \s+
 */
#include "text/pretokenize.h"

#include "common/utf8.h"
#include "text/unicode.h"

#include <stdbool.h>

typedef struct character {
    uint32_t code; /* code point, or LF_UTF8_* */
    lf_class class;
    size_t next; /* position after it */
} character;

/* The character at pos < end. */
static inline character look(const uint8_t *text, size_t pos, size_t end)
{
    if (text[pos] < 0x80) {
        return (character){text[pos], (lf_class)lf_class_ascii[text[pos]], pos + 1};
    }
    character c;
    c.next = pos + lf_utf8_decode(text + pos, end - pos, &c.code);
    c.class = lf_class_of(c.code);
    return c;
}

static inline bool is_newline(uint32_t code)
{
    return code == '\r' || code == '\n';
}

/* p points after an apostrophe, n bytes are left. Returns the length of the letters that form a
 * contraction with it, 0 if there is none. */
static size_t contraction(const uint8_t *p, size_t n)
{
    if (n < 1) {
        return 0;
    }
    int first = p[0] | 0x20; /* lower case, for the letters that matter here */
    if (first == 's' || first == 't' || first == 'm' || first == 'd') {
        return 1;
    }
    if (n < 2) {
        return 0;
    }
    if (p[0] == 0xC5 && p[1] == 0xBF) { /* U+017F, long s: an s when case is ignored */
        return 2;
    }
    int second = p[1] | 0x20;
    bool two = (first == 'r' && second == 'e') || (first == 'v' && second == 'e') ||
               (first == 'l' && second == 'l');
    return two ? 2 : 0;
}

static bool class_at(const uint8_t *text, size_t pos, size_t end, lf_class class)
{
    return pos < end && look(text, pos, end).class == class;
}

/* Skips up to `most` characters of a class. Returns the position after them. */
static size_t skip(const uint8_t *text, size_t pos, size_t end, lf_class class, size_t most)
{
    for (; most > 0 && pos < end; most--) {
        character c = look(text, pos, end);
        if (c.class != class) {
            break;
        }
        pos = c.next;
    }
    return pos;
}

static size_t skip_symbols(const uint8_t *text, size_t pos, size_t end)
{
    pos = skip(text, pos, end, LF_CLASS_OTHER, SIZE_MAX);
    while (pos < end && is_newline(text[pos])) {
        pos++;
    }
    return pos;
}

/* End of the pre-token of white space at pos. It ends after the last newline of the white space, if
 * there is one; else at the end of the text, if nothing follows; else before the last white-space
 * character, which can belong to the next pre-token. It has at least one character. */
static size_t skip_space(const uint8_t *text, size_t pos, size_t end)
{
    size_t newline_end = 0;
    size_t last = pos; /* start of the last white-space character */
    size_t at = pos;
    while (at < end) {
        character c = look(text, at, end);
        if (c.class != LF_CLASS_SPACE) {
            break;
        }
        if (is_newline(c.code)) {
            newline_end = c.next;
        }
        last = at;
        at = c.next;
    }
    if (newline_end > 0) {
        return newline_end;
    }
    return at == end || last == pos ? at : last;
}

size_t lf_pretoken_end(const uint8_t *text, size_t pos, size_t end)
{
    character c = look(text, pos, end);
    if (c.code == '\'') {
        size_t n = contraction(text + c.next, end - c.next);
        if (n > 0) {
            return c.next + n;
        }
    }
    if (c.class == LF_CLASS_LETTER) {
        return skip(text, c.next, end, LF_CLASS_LETTER, SIZE_MAX);
    }
    if (c.class == LF_CLASS_NUMBER) {
        return skip(text, c.next, end, LF_CLASS_NUMBER, 2);
    }
    if (!is_newline(c.code) && class_at(text, c.next, end, LF_CLASS_LETTER)) {
        return skip(text, c.next, end, LF_CLASS_LETTER, SIZE_MAX);
    }
    if (c.class == LF_CLASS_OTHER ||
        (c.code == ' ' && class_at(text, c.next, end, LF_CLASS_OTHER))) {
        return skip_symbols(text, c.next, end);
    }
    return skip_space(text, pos, end);
}
