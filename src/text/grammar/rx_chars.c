/* SPDX-License-Identifier: Apache-2.0 */
/* Implements sets of code points. */
#include "text/grammar/rx_chars.h"

#include "text/unicode.h"

#include <string.h>

enum { LAST_CODE_POINT = 0x10FFFF };

/* Code points from here on have no property but that of being one. */
enum { END_OF_PROPERTIES = 0x40000 };

bool lf_chars_add(lf_quota *quota, lf_chars *chars, uint32_t first, uint32_t last)
{
    return lf_list_push(quota, chars, first) && lf_list_push(quota, chars, last);
}

/* Sorts the pairs from item `from` on, and joins those that touch. */
static bool normalize(lf_quota *quota, lf_chars *chars, uint32_t from)
{
    uint32_t *pairs = lf_list_from(chars, from);
    size_t n = (chars->n - from) / 2;
    if (!lf_quota_step(quota, n)) {
        return false;
    }
    n = lf_sort_unique(pairs, n, 2);
    size_t out = 0;
    for (size_t i = 0; i < n; i++) {
        if (out > 0 && pairs[2 * i] <= pairs[2 * out - 1] + 1) {
            uint32_t last = pairs[2 * i + 1];
            pairs[2 * out - 1] = last > pairs[2 * out - 1] ? last : pairs[2 * out - 1];
        } else {
            pairs[2 * out] = pairs[2 * i];
            pairs[2 * out + 1] = pairs[2 * i + 1];
            out++;
        }
    }
    chars->n = from + (uint32_t)(2 * out);
    return true;
}

bool lf_chars_complement(lf_quota *quota, lf_chars *chars, uint32_t from)
{
    if (!normalize(quota, chars, from) || !lf_chars_add(quota, chars, 0, 0)) {
        return false; /* there can be one pair more */
    }
    uint32_t n = (chars->n - from) / 2 - 1, next = 0, out = 0;
    uint32_t *pairs = lf_list_from(chars, from);
    for (uint32_t i = 0; i < n; i++) {
        uint32_t first = pairs[2 * i], last = pairs[2 * i + 1];
        if (first > next) {
            pairs[2 * out] = next;
            pairs[2 * out + 1] = first - 1;
            out++;
        }
        next = last + 1;
    }
    if (next <= LAST_CODE_POINT) {
        pairs[2 * out] = next;
        pairs[2 * out + 1] = LAST_CODE_POINT;
        out++;
    }
    chars->n = from + 2 * out;
    return true;
}

/* ---- Escapes ---- */

static bool add_all(lf_quota *quota, lf_chars *chars, const uint32_t (*pairs)[2], size_t n)
{
    for (size_t i = 0; i < n; i++) {
        if (!lf_chars_add(quota, chars, pairs[i][0], pairs[i][1])) {
            return false;
        }
    }
    return true;
}

bool lf_chars_add_escape(lf_quota *quota, lf_chars *chars, char name)
{
    static const uint32_t digits[][2] = {{'0', '9'}};
    static const uint32_t word[][2] = {{'0', '9'}, {'A', 'Z'}, {'_', '_'}, {'a', 'z'}};
    /* ECMA-262: WhiteSpace and LineTerminator. */
    static const uint32_t space[][2] = {
        {0x09, 0x0D},     {0x20, 0x20},     {0xA0, 0xA0},     {0x1680, 0x1680}, {0x2000, 0x200A},
        {0x2028, 0x2029}, {0x202F, 0x202F}, {0x205F, 0x205F}, {0x3000, 0x3000}, {0xFEFF, 0xFEFF}};
    static const uint32_t lines[][2] = {{0x0A, 0x0A}, {0x0D, 0x0D}, {0x2028, 0x2029}};
    uint32_t from = chars->n;
    bool ok = false;
    switch (name) {
    case 'd':
    case 'D':
        ok = add_all(quota, chars, digits, 1);
        break;
    case 'w':
    case 'W':
        ok = add_all(quota, chars, word, sizeof word / sizeof *word);
        break;
    case 's':
    case 'S':
        ok = add_all(quota, chars, space, sizeof space / sizeof *space);
        break;
    default: /* '.' */
        ok = add_all(quota, chars, lines, sizeof lines / sizeof *lines);
        break;
    }
    bool complement = name == 'D' || name == 'W' || name == 'S' || name == '.';
    return ok && (!complement || lf_chars_complement(quota, chars, from));
}

typedef struct property {
    const char *name;
    char kind;
} property;

static bool has_property(char kind, uint32_t c)
{
    switch (kind) {
    case 'L':
        return lf_class_of(c) == LF_CLASS_LETTER;
    case 'N':
        return lf_class_of(c) == LF_CLASS_NUMBER;
    case 'S':
        return lf_class_of(c) == LF_CLASS_SPACE;
    default: /* 'D' */
        return lf_is_decimal(c);
    }
}

bool lf_chars_add_property(lf_quota *quota, lf_chars *chars, const char *name, size_t len)
{
    static const property known[] = {{"L", 'L'},           {"Letter", 'L'}, {"N", 'N'},
                                     {"Number", 'N'},      {"Nd", 'D'},     {"Decimal_Number", 'D'},
                                     {"White_Space", 'S'}, {"Any", 'A'}};
    static const char *const prefixes[] = {"General_Category=", "gc="};
    for (size_t i = 0; i < 2; i++) {
        size_t n = strlen(prefixes[i]);
        if (len > n && memcmp(name, prefixes[i], n) == 0) {
            name += n;
            len -= n;
        }
    }
    char kind = '\0';
    for (size_t i = 0; i < sizeof known / sizeof *known; i++) {
        if (strlen(known[i].name) == len && memcmp(known[i].name, name, len) == 0) {
            kind = known[i].kind;
        }
    }
    if (kind == 'A') {
        return lf_chars_add(quota, chars, 0, LAST_CODE_POINT);
    }
    if (kind == '\0' || !lf_quota_step(quota, END_OF_PROPERTIES / 4)) {
        return false;
    }
    uint32_t first = 0;
    bool inside = false;
    for (uint32_t c = 0; c <= END_OF_PROPERTIES; c++) {
        bool has = c < END_OF_PROPERTIES && has_property(kind, c);
        if (!has && inside && !lf_chars_add(quota, chars, first, c - 1)) {
            return false;
        }
        first = has && !inside ? c : first;
        inside = has;
    }
    return true;
}

lf_rx lf_chars_rx(lf_rx_set *set, lf_chars *chars, lf_rx_spell *spell, void *user)
{
    if (!normalize(set->quota, chars, 0)) {
        return LF_RX_NONE;
    }
    uint32_t base = set->work.n;
    for (uint32_t i = 0; i < chars->n; i += 2) {
        uint32_t first = chars->items[i], last = chars->items[i + 1];
        lf_rx range =
            spell == NULL ? lf_rx_code_points(set, first, last) : spell(user, first, last);
        if (!lf_list_push(set->quota, &set->work, range)) {
            set->work.n = base;
            return LF_RX_NONE;
        }
    }
    return lf_rx_join(set, base, false);
}
