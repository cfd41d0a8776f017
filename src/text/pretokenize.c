/* SPDX-License-Identifier: Apache-2.0 */
/* Owns the cutting of text into pieces, equal to this regular expression whose alternatives are
 * tried in order at each position:
 *
 *   (?i:'s|'t|'re|'ve|'m|'ll|'d) | [^\r\n\p{L}\p{N}]?\p{L}+ | \p{N}{1,3} |
 *   [ ]?[^\s\p{L}\p{N}]+[\r\n]* | \s*[\r\n]+ | \s+(?!\S) | \s+
 */
#include "text/pretokenize.h"

#include "common/utf8.h"
#include "text/unicode.h"

#include <stdbool.h>

typedef struct glyph {
    uint32_t code; /* code point, or LF_UTF8_* */
    lf_class class;
    size_t next; /* position behind it */
} glyph;

/* The character at pos < end. */
static inline glyph look(const uint8_t *text, size_t pos, size_t end)
{
    if (text[pos] < 0x80) {
        return (glyph){text[pos], (lf_class)lf_class_ascii[text[pos]], pos + 1};
    }
    glyph g;
    g.next = pos + lf_utf8_decode(text + pos, end - pos, &g.code);
    g.class = lf_class_of(g.code);
    return g;
}

static inline bool is_newline(uint32_t code)
{
    return code == '\r' || code == '\n';
}

/* Length of what follows the apostrophe of a contraction (p, n bytes), 0 if it is none. */
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
    if (p[0] == 0xC5 && p[1] == 0xBF) { /* U+017F, the long s, is an s in any case */
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

/* Skips at most `most` characters of a class. */
static size_t skip(const uint8_t *text, size_t pos, size_t end, lf_class class, size_t most)
{
    for (; most > 0 && pos < end; most--) {
        glyph g = look(text, pos, end);
        if (g.class != class) {
            break;
        }
        pos = g.next;
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

/* White space from pos on that no word or symbol takes: up to the last newline of the run; without
 * one, to the end of the text; before a word, all but the run's last character (which the word may
 * take), yet at least one. */
static size_t skip_space(const uint8_t *text, size_t pos, size_t end)
{
    size_t newline_end = 0;
    size_t last = pos; /* start of the run's last character */
    size_t at = pos;
    while (at < end) {
        glyph g = look(text, at, end);
        if (g.class != LF_CLASS_SPACE) {
            break;
        }
        if (is_newline(g.code)) {
            newline_end = g.next;
        }
        last = at;
        at = g.next;
    }
    if (newline_end > 0) {
        return newline_end;
    }
    return at == end || last == pos ? at : last;
}

size_t lf_pretoken_end(const uint8_t *text, size_t pos, size_t end)
{
    glyph g = look(text, pos, end);
    if (g.code == '\'') {
        size_t n = contraction(text + g.next, end - g.next);
        if (n > 0) {
            return g.next + n;
        }
    }
    if (g.class == LF_CLASS_LETTER) {
        return skip(text, g.next, end, LF_CLASS_LETTER, SIZE_MAX);
    }
    if (g.class == LF_CLASS_NUMBER) {
        return skip(text, g.next, end, LF_CLASS_NUMBER, 2);
    }
    if (!is_newline(g.code) && class_at(text, g.next, end, LF_CLASS_LETTER)) {
        return skip(text, g.next, end, LF_CLASS_LETTER, SIZE_MAX);
    }
    if (g.class == LF_CLASS_OTHER ||
        (g.code == ' ' && class_at(text, g.next, end, LF_CLASS_OTHER))) {
        return skip_symbols(text, g.next, end);
    }
    return skip_space(text, pos, end);
}
