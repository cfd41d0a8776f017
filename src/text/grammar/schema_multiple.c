/* SPDX-License-Identifier: Apache-2.0 */
/* Multiples. Numbers are read digit by digit with the remainder of what was read: a rule of the
 * grammar for each remainder and each state of the other keywords. */
#include "text/grammar/schema_internal.h"

#include <string.h>

enum { MAX_STATES = 4000, MAX_MODULUS = 100000, MAX_MULTIPLES = 8, BEFORE_POINT = UINT16_MAX };

typedef struct modulus {
    uint32_t all;   /* the remainder is taken by this */
    uint32_t scale; /* digits after the point that count */
    uint32_t n;
    struct {
        uint32_t c;
        bool negated;
    } of[MAX_MULTIPLES];
    bool positive; /* one is not negated */
} modulus;

/* What was read of a number. */
typedef struct state {
    lf_rx rest;
    uint32_t remainder;
    uint16_t digits; /* after the point, at most scale; scale + 1: one beyond is not 0 */
    uint16_t unused;
} state;

typedef struct machine {
    lf_schema *s;
    modulus m;
    lf_names table; /* of states */
    lf_node *rules;
    uint32_t capacity;
    bool full; /* more states are needed */
} machine;

static uint64_t gcd(uint64_t a, uint64_t b)
{
    while (b != 0) {
        const uint64_t rest = a % b;
        a = b;
        b = rest;
    }
    return a;
}

static bool read_modulus(const lf_multiple *list, modulus *out)
{
    *out = (modulus){.all = 1};
    for (const lf_multiple *m = list; m != NULL; m = m->before) {
        out->scale = m->of.n_frac > out->scale ? m->of.n_frac : out->scale;
    }
    for (const lf_multiple *m = list; m != NULL; m = m->before) {
        uint32_t c = 0;
        uint32_t scale = 0;
        if (out->n == MAX_MULTIPLES || !lf_decimal_modulus(&m->of, &c, &scale)) {
            return false;
        }
        uint64_t scaled = c;
        for (; scale < out->scale && scaled <= MAX_MODULUS; scale++) {
            scaled *= 10;
        }
        const uint64_t all = out->all / gcd(out->all, scaled) * scaled;
        if (scaled > MAX_MODULUS || all > MAX_MODULUS) {
            return false;
        }
        out->all = (uint32_t)all;
        out->of[out->n].c = (uint32_t)scaled;
        out->of[out->n++].negated = m->negated;
        out->positive = out->positive || !m->negated;
    }
    return true;
}

static bool accepts(const machine *m, const state *st)
{
    if (!lf_rx_nullable(m->s->rx, st->rest)) {
        return false;
    }
    if (st->digits != BEFORE_POINT && st->digits > m->m.scale) {
        return !m->m.positive;
    }
    uint64_t value = st->remainder;
    for (uint32_t i = st->digits == BEFORE_POINT ? 0 : st->digits; i < m->m.scale; i++) {
        value = value * 10 % m->m.all;
    }
    for (uint32_t i = 0; i < m->m.n; i++) {
        if ((value % m->m.of[i].c == 0) == m->m.of[i].negated) {
            return false;
        }
    }
    return true;
}

/* False: no number continues so. */
static bool step(const machine *m, const state *from, uint8_t byte, state *to)
{
    *to = *from;
    to->rest = lf_rx_derive(m->s->rx, from->rest, byte);
    if (to->rest == LF_RX_NONE || byte == 'e' || byte == 'E') {
        return false;
    }
    if (byte == '.') {
        to->digits = 0;
    }
    if (byte < '0' || byte > '9') {
        return true;
    }
    const uint32_t digit = (uint32_t)(byte - '0');
    if (from->digits != BEFORE_POINT && from->digits >= m->m.scale) {
        if (digit != 0) {
            to->digits = (uint16_t)(m->m.scale + 1);
            to->remainder = 0;
            return !m->m.positive;
        }
        return true;
    }
    to->remainder = (uint32_t)(((uint64_t)from->remainder * 10 + digit) % m->m.all);
    if (from->digits != BEFORE_POINT) {
        to->digits = (uint16_t)(from->digits + 1);
    }
    return true;
}

static int32_t rule_of(machine *m, const state *st, uint32_t *out)
{
    bool added = false;
    LF_TRY(lf_schema_intern(m->s, &m->table, st, sizeof *st, out, &added));
    if (added) {
        void *items = m->rules;
        if (*out == MAX_STATES) {
            m->full = true;
            return LFM2_OK;
        }
        LF_TRY(lf_schema_grow(m->s, &items, &m->capacity, *out + 1, sizeof *m->rules));
        m->rules = items;
        m->rules[*out] = lf_grammar_rule(m->s->grammar);
    }
    return LFM2_OK;
}

static int32_t define(machine *m, uint32_t at)
{
    static const char bytes[] = "-.0123456789";
    lf_schema *s = m->s;
    state st;
    lf_node choice[sizeof bytes];
    size_t n = 0;
    memcpy(&st, m->table.items[at].text, sizeof st);
    if (accepts(m, &st)) {
        choice[n++] = LF_NODE_EMPTY;
    }
    for (const char *b = bytes; *b != 0; b++) {
        state next;
        uint32_t target = 0;
        LF_TRY(lf_schema_step(s, 1));
        if (step(m, &st, (uint8_t)*b, &next)) {
            LF_TRY(rule_of(m, &next, &target));
            if (m->full) {
                return LFM2_OK;
            }
            const lf_node pair[2] = {lf_grammar_text(s->grammar, lf_rx_text(s->rx, b, 1)),
                                     m->rules[target]};
            choice[n++] = lf_grammar_sequence(s->grammar, pair, 2);
        }
    }
    lf_grammar_define(s->grammar, m->rules[at], lf_grammar_choice(s->grammar, choice, n));
    return lf_grammar_status(s->grammar);
}

/* Numbers with at most `scale` digits after the point. */
static lf_rx short_fraction(lf_schema *s, uint32_t scale)
{
    static const uint64_t digit[4] = {0x03FF000000000000u};
    lf_rx_set *rx = s->rx;
    lf_rx digits = lf_rx_byte_class(rx, digit);
    lf_rx minus = lf_rx_repeat(rx, lf_rx_text(rx, "-", 1), 0, 1);
    lf_rx whole = lf_rx_repeat(rx, digits, 1, LF_RX_UNLIMITED);
    lf_rx part = scale == 0
                     ? lf_rx_text(rx, ".0", 2)
                     : lf_rx_concat(rx, lf_rx_text(rx, ".", 1), lf_rx_repeat(rx, digits, 1, scale));
    return lf_rx_concat(rx, minus, lf_rx_concat(rx, whole, lf_rx_repeat(rx, part, 0, 1)));
}

int32_t lf_schema_multiples(lf_schema *s, const lf_multiple *list, lf_rx *rx, lf_node *numbers)
{
    machine m = {.s = s};
    uint32_t at = 0;
    if (!read_modulus(list, &m.m)) {
        return lf_schema_cannot(s, "multipleOf", "has too many digits");
    }
    if (m.m.all == 1 && m.m.n == 1 && m.m.positive) {
        *rx = lf_rx_and(s->rx, *rx, short_fraction(s, m.m.scale));
        return LFM2_OK;
    }
    const state first = {.rest = *rx, .digits = BEFORE_POINT};
    LF_TRY(rule_of(&m, &first, &at));
    for (; at < m.table.n && !m.full; at++) {
        LF_TRY(define(&m, at));
    }
    if (m.full) {
        return lf_schema_cannot(s, "multipleOf", "needs too many states");
    }
    *rx = LF_RX_NONE;
    *numbers = m.rules[0];
    return LFM2_OK;
}
