/* SPDX-License-Identifier: Apache-2.0 */
/* Implements what expressions allow of plain tokens. */
#include "text/grammar/plain.h"

#include <string.h>

/* Ranges of first bytes of plain characters, and of the bytes that follow. */
typedef struct range {
    uint8_t first, last;
} range;

static const range ascii[] = {{0x20, 0x21}, {0x23, 0x5B}, {0x5D, 0x7E}};
enum { N_ASCII = sizeof ascii / sizeof *ascii };

static const struct lead {
    range of, second;
    int more; /* bytes after the second one */
} leads[] = {{{0xC2, 0xDF}, {0x80, 0xBF}, 0}, {{0xE0, 0xE0}, {0xA0, 0xBF}, 1},
             {{0xE1, 0xEC}, {0x80, 0xBF}, 1}, {{0xED, 0xED}, {0x80, 0x9F}, 1},
             {{0xEE, 0xEF}, {0x80, 0xBF}, 1}, {{0xF0, 0xF0}, {0x90, 0xBF}, 2},
             {{0xF1, 0xF3}, {0x80, 0xBF}, 2}, {{0xF4, 0xF4}, {0x80, 0x8F}, 2}};
enum { N_LEADS = sizeof leads / sizeof *leads };

/* The most expressions among which plain characters may lead, and the steps to find them: trying
 * the tokens takes about as long. */
enum { REACHED = 64, REACH_STEPS = 20000 };

typedef struct reached {
    lf_rx_set *set;
    lf_rx items[REACHED];
    uint32_t n;
    uint64_t steps; /* that may be left */
} reached;

/* An expression after a plain character. False: something dies, or there are too many. */
static bool reach(reached *r, lf_rx a)
{
    if (lf_rx_dead(r->set, a) || r->set->quota->steps < r->steps) {
        return false;
    }
    uint32_t i = 0;
    while (i < r->n && r->items[i] != a) {
        i++;
    }
    if (i == REACHED) {
        return false;
    }
    if (i == r->n) {
        r->items[r->n++] = a;
    }
    return true;
}

/* Reaches what follows the bytes of n ranges. */
static bool reach_ranges(reached *r, lf_rx a, const range *ranges, int n)
{
    if (n == 0) {
        return reach(r, a);
    }
    uint64_t covered[4] = {0};
    for (uint32_t byte = ranges->first; byte <= ranges->last; byte++) {
        if ((covered[byte >> 6] >> (byte & 63) & 1) != 0) {
            continue;
        }
        uint64_t same[4] = {UINT64_MAX, UINT64_MAX, UINT64_MAX, UINT64_MAX};
        lf_rx next = lf_rx_derive_same(r->set, a, (uint8_t)byte, same);
        if (next == LF_RX_NONE || !reach_ranges(r, next, ranges + 1, n - 1)) {
            return false;
        }
        for (int i = 0; i < 4; i++) {
            covered[i] |= same[i];
        }
    }
    return true;
}

/* Reaches what follows every plain character. */
static bool reach_plain(reached *r, lf_rx a)
{
    for (int i = 0; i < N_ASCII; i++) {
        if (!reach_ranges(r, a, &ascii[i], 1)) {
            return false;
        }
    }
    for (int i = 0; i < N_LEADS; i++) {
        range ranges[4] = {leads[i].of, leads[i].second, {0x80, 0xBF}, {0x80, 0xBF}};
        if (!reach_ranges(r, a, ranges, 2 + leads[i].more)) {
            return false;
        }
    }
    return r->set->quota->status == LFM2_OK;
}

/* What is kept of an expression. */
enum { UNKNOWN, TRY_TOKENS, ALL };

static uint32_t find_plain(lf_rx_set *set, lf_rx a, reached *r)
{
    uint64_t steps = set->quota->steps;
    *r = (reached){.set = set, .items = {a}, .n = 1};
    r->steps = steps > REACH_STEPS ? steps - REACH_STEPS : 0;
    for (uint32_t i = 0; i < r->n; i++) {
        if (!reach_plain(r, r->items[i])) {
            r->n = 1;
            return TRY_TOKENS;
        }
    }
    return ALL;
}

bool lf_plain_all(lf_compiled *m, lf_rx a)
{
    lf_rx_set *set = m->grammar->rx;
    /* Most expressions that are not about strings fail here. */
    if (lf_rx_first(set, a) >= 0 || lf_rx_next(set, a, 'e') == LF_RX_NONE ||
        lf_rx_next(set, a, '~') == LF_RX_NONE) {
        return false;
    }
    uint32_t kept = a < m->plain.n ? m->plain.items[a] : UNKNOWN;
    if (kept == UNKNOWN) {
        reached r;
        kept = find_plain(set, a, &r);
        for (uint32_t i = 0; i < r.n; i++) {
            while (m->plain.n <= r.items[i] && lf_list_push(set->quota, &m->plain, UNKNOWN)) {
            }
            if (set->quota->status != LFM2_OK) {
                return false;
            }
            m->plain.items[r.items[i]] = kept;
        }
    }
    return kept == ALL;
}

/* Whether a match of `a` is at least a character long: it contains no fraction of one. */
static bool has_characters(const lf_rx_set *set, lf_rx a)
{
    const lf_rx_node *n = lf_rx_at(set, a);
    uint32_t count = n->kind == LF_RX_K_ALT ? n->b : 1;
    for (uint32_t i = 0; i < count; i++) {
        lf_rx item = n->kind == LF_RX_K_ALT ? set->lists.items[n->a + i] : a;
        const lf_rx_node *x = lf_rx_at(set, item);
        if (x->kind == LF_RX_K_CLASS &&
            (set->classes[x->a].bits[2] | set->classes[x->a].bits[3]) != 0) {
            return false;
        }
    }
    return true;
}

/* A plain character, as an expression. */
static lf_rx plain_character(lf_rx_set *set)
{
    lf_rx result = lf_rx_code_points(set, 0x80, 0x10FFFF);
    for (int i = 0; i < N_ASCII; i++) {
        result = lf_rx_alt(set, result, lf_rx_code_points(set, ascii[i].first, ascii[i].last));
    }
    return result;
}

bool lf_plain_run(lf_rx_set *set, lf_rx a, lf_rx *endless, uint32_t *most)
{
    lf_rx_node n = *lf_rx_at(set, a);
    if (n.kind != LF_RX_K_CONCAT || lf_rx_at(set, n.a)->kind != LF_RX_K_REPEAT) {
        return false;
    }
    lf_rx_node repeat = *lf_rx_at(set, n.a), rest = *lf_rx_at(set, n.b);
    rest = rest.kind == LF_RX_K_CONCAT ? *lf_rx_at(set, rest.a) : rest;
    if (rest.kind != LF_RX_K_CLASS || (n.flags & LF_RX_F_BOOLEAN) != 0 ||
        !has_characters(set, repeat.a)) {
        return false;
    }
    const uint64_t *bits = set->classes[rest.a].bits;
    for (uint32_t byte = 0; byte < 256; byte++) {
        bool is_plain = byte >= 0x20 && byte != '"' && byte != '\\' && byte != 0x7F;
        if (is_plain && (bits[byte >> 6] >> (byte & 63) & 1) != 0) {
            return false;
        }
    }
    if (set->plain == LF_RX_NONE) {
        set->plain = plain_character(set);
    }
    /* No match of x begins with a plain character and goes on. */
    lf_rx more = lf_rx_concat(set, set->plain, lf_rx_not(set, LF_RX_EMPTY));
    if (!lf_rx_is_none(set, lf_rx_and(set, repeat.a, more))) {
        return false;
    }
    *endless = lf_rx_concat(set, lf_rx_repeat(set, repeat.a, 0, LF_RX_UNLIMITED), n.b);
    *most = repeat.c;
    return set->quota->status == LFM2_OK;
}

/* ---- Counts ---- */

enum { CLAMP_ITEMS = 64, CLAMP_DEPTH = 8 };

/* Whether every match has the first byte of a character. */
static bool begins_character(const lf_rx_set *set, lf_rx a, uint32_t depth)
{
    const lf_rx_node *n = lf_rx_at(set, a);
    for (; n->kind == LF_RX_K_CONCAT && depth > 0; n = lf_rx_at(set, n->b), depth--) {
        if (begins_character(set, n->a, depth - 1)) {
            return true;
        }
    }
    switch (depth > 0 ? n->kind : LF_RX_K_NONE) {
    case LF_RX_K_CLASS:
        return set->classes[n->a].bits[2] == 0; /* no byte from 0x80 to 0xBF */
    case LF_RX_K_REPEAT:
        return n->b > 0 && begins_character(set, n->a, depth - 1);
    case LF_RX_K_ALT:
        for (uint32_t i = 0; i < n->b; i++) {
            if (!begins_character(set, set->lists.items[n->a + i], depth - 1)) {
                return false;
            }
        }
        return n->b <= CLAMP_ITEMS;
    default:
        return false;
    }
}

/* x{m,n}: a short token has at most as many matches of x as characters. */
static lf_rx clamp_repeat(lf_rx_set *set, lf_rx a)
{
    lf_rx_node n = *lf_rx_at(set, a);
    if (n.c <= LF_SHORT_TOKEN || n.c == LF_RX_UNLIMITED ||
        !begins_character(set, n.a, CLAMP_DEPTH)) {
        return a;
    }
    uint32_t min = n.b > LF_SHORT_TOKEN ? LF_SHORT_TOKEN + 1 : n.b;
    return lf_rx_repeat(set, n.a, min, LF_RX_UNLIMITED);
}

/* Clamps the counts of what follows one another, and of alternatives. Both are at most `depth`
 * deep.
 */
static lf_rx clamp(lf_rx_set *set, lf_rx a, uint32_t depth)
{
    lf_rx_node n = *lf_rx_at(set, a);
    if ((n.flags & LF_RX_F_LOOP) == 0 || depth == 0) {
        return a;
    }
    if (n.kind == LF_RX_K_REPEAT) {
        return clamp_repeat(set, a);
    }
    if (n.kind == LF_RX_K_CONCAT) {
        lf_rx first = clamp(set, n.a, depth - 1), rest = clamp(set, n.b, depth - 1);
        return first == n.a && rest == n.b ? a : lf_rx_concat(set, first, rest);
    }
    if (n.kind != LF_RX_K_ALT || n.b > CLAMP_ITEMS) {
        return a;
    }
    lf_rx items[CLAMP_ITEMS];
    bool changed = false;
    memcpy(items, set->lists.items + n.a, n.b * sizeof *items);
    for (uint32_t i = 0; i < n.b; i++) {
        lf_rx item = clamp(set, items[i], depth - 1);
        changed = changed || item != items[i];
        items[i] = item;
    }
    return changed ? lf_rx_alt_many(set, items, n.b) : a;
}

lf_rx lf_plain_clamp(lf_rx_set *set, lf_rx a)
{
    bool boolean = (lf_rx_at(set, a)->flags & LF_RX_F_BOOLEAN) != 0;
    return boolean ? a : clamp(set, a, CLAMP_DEPTH);
}
