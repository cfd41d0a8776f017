/* SPDX-License-Identifier: Apache-2.0 */
/* Parses patterns of ECMA-262 (flag u). */
#include "text/grammar/rx_parser.h"

#include <string.h>

/* What a part of a pattern matches, by what it demands of its place: index START: it begins where
 * the text begins; index END: it ends where the text ends. So anchors take no part in expressions.
 */
enum { FREE = 0, START = 1, END = 2, BOTH = 3, DEMANDS = 4 /* their number */ };
typedef struct part {
    lf_rx of[DEMANDS];
} part;

enum { GROUP = 3 }; /* items of a group */

enum { ATOM_STEPS = 4 }; /* reading an atom takes about as long */

static int32_t problem(lf_rx_parser *p, int32_t status, size_t at, const char *what)
{
    *p->problem = (lf_rx_problem){.status = status, .at = at, .what = what};
    return status;
}

int32_t lf_rx_wrong(lf_rx_parser *p, size_t at, const char *what)
{
    return problem(p, LFM2_E_TEXT, at, what);
}

int32_t lf_rx_unsupported(lf_rx_parser *p, size_t at, const char *what)
{
    return problem(p, LFM2_E_UNSUPPORTED, at, what);
}

bool lf_rx_next_is(const lf_rx_parser *p, const char *what)
{
    size_t n = strlen(what);
    return p->len - p->at >= n && memcmp(p->text + p->at, what, n) == 0;
}

bool lf_rx_take(lf_rx_parser *p, const char *what)
{
    bool is = lf_rx_next_is(p, what);
    p->at += is ? strlen(what) : 0;
    return is;
}

/* ---- Parts ---- */

static int32_t push_part(lf_rx_parser *p, lf_list *list, part value)
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
static void join_demands(lf_rx_parser *p, part *out, const part *first, int a, const part *second,
                         int b)
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

static part concat_parts(lf_rx_parser *p, part first, part second)
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
static part end_sequence(lf_rx_parser *p, uint32_t from)
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
static part end_alternatives(lf_rx_parser *p, uint32_t from)
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

int32_t lf_rx_push(lf_rx_parser *p, lf_rx rx)
{
    p->repeatable = true;
    return push_part(p, &p->sequence, (part){{rx, LF_RX_NONE, LF_RX_NONE, LF_RX_NONE}});
}

/* ---- Quantifiers ---- */

/* Reads a decimal number; false without digits. Numbers that no text reaches are cut. */
static bool read_number(lf_rx_parser *p, uint32_t *out)
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
static bool read_quantifier(lf_rx_parser *p, uint32_t *min, uint32_t *max)
{
    size_t begin = p->at;
    *min = lf_rx_next_is(p, "+") ? 1 : 0;
    *max = lf_rx_next_is(p, "?") ? 1 : LF_RX_UNLIMITED;
    if (lf_rx_take(p, "*") || lf_rx_take(p, "+") || lf_rx_take(p, "?")) {
        return true;
    }
    if (!lf_rx_take(p, "{")) {
        return false;
    }
    bool ok = read_number(p, min);
    if (ok && lf_rx_take(p, ",")) {
        if (!lf_rx_next_is(p, "}")) {
            ok = read_number(p, max);
        }
    } else {
        *max = *min;
    }
    if (!ok || !lf_rx_take(p, "}")) {
        p->at = begin;
        return false;
    }
    return true;
}

/* Whether the part that was just taken from the sequence begins or ends an alternative of a pattern
 * that is searched. */
static bool is_at_end(const lf_rx_parser *p)
{
    bool ends = p->at == p->len || lf_rx_next_is(p, "|");
    return p->groups.n == 0 && !p->reading->whole && (p->sequence.n == 0 || ends);
}

/* min to max times a part. A match that begins at the start can only be the first, one that ends at
 * the end the last: those before and after it match the empty text, and are left out if `min`
 * allows it. */
static part repeat_anchored(lf_rx_parser *p, const part *a, uint32_t min, uint32_t max)
{
    lf_rx_set *set = p->set;
    const uint32_t more = max == LF_RX_UNLIMITED ? max : max - 1;
    lf_rx others = lf_rx_repeat(set, a->of[FREE], 0, more);
    part out = {{lf_rx_repeat(set, a->of[FREE], min, max), lf_rx_concat(set, a->of[START], others),
                 lf_rx_concat(set, others, a->of[END]), a->of[BOTH]}};
    if (max > 1) {
        others = lf_rx_repeat(set, a->of[FREE], 0, more == LF_RX_UNLIMITED ? more : more - 1);
        lf_rx both = lf_rx_concat(set, a->of[START], lf_rx_concat(set, others, a->of[END]));
        out.of[BOTH] = lf_rx_alt(set, out.of[BOTH], both);
    }
    return out;
}

static int32_t repeat_last(lf_rx_parser *p, size_t at, uint32_t min, uint32_t max)
{
    if (!p->repeatable) {
        return lf_rx_wrong(p, at, "a quantifier without anything to repeat");
    }
    if (max < min) {
        return lf_rx_wrong(p, at, "a quantifier that is out of order");
    }
    p->repeatable = false;
    lf_rx_take(p, "?"); /* lazy: it matches the same texts */
    p->sequence.n -= DEMANDS;
    part last = part_at(&p->sequence, p->sequence.n);
    bool anchored =
        last.of[START] != LF_RX_NONE || last.of[END] != LF_RX_NONE || last.of[BOTH] != LF_RX_NONE;
    if (!anchored) {
        if (is_at_end(p)) {
            max = min; /* any text may be around the match */
        }
        last.of[FREE] = lf_rx_repeat(p->set, last.of[FREE], min, max);
    } else if (max == 0) {
        last = (part){{LF_RX_EMPTY, LF_RX_NONE, LF_RX_NONE, LF_RX_NONE}};
    } else if (min > 1) {
        return lf_rx_unsupported(p, at, "an anchor inside a repetition");
    } else {
        last = repeat_anchored(p, &last, min, max);
    }
    return push_part(p, &p->sequence, last);
}

/* ---- Groups ---- */

static int32_t open_group(lf_rx_parser *p)
{
    size_t begin = p->at - 1;
    if (lf_rx_take(p, "?:")) {
    } else if (lf_rx_next_is(p, "?=") || lf_rx_next_is(p, "?!") || lf_rx_next_is(p, "?<=") ||
               lf_rx_next_is(p, "?<!")) {
        return lf_rx_unsupported(p, begin, "look-around");
    } else if (lf_rx_take(p, "?<")) {
        size_t name = p->at;
        while (p->at < p->len && p->text[p->at] != '>') {
            p->at++;
        }
        if (p->at == name || !lf_rx_take(p, ">")) {
            return lf_rx_wrong(p, begin, "a group without a name");
        }
    } else if (lf_rx_next_is(p, "?")) {
        return lf_rx_unsupported(p, begin, "an unknown kind of group");
    }
    if (p->groups.n / GROUP >= p->quota->limits.depth) {
        return problem(p, LFM2_E_LIMIT, begin, "groups nest deeper than the limit");
    }
    lf_list_push(p->quota, &p->groups, p->sequence.n);
    lf_list_push(p->quota, &p->groups, p->alternatives.n);
    lf_list_push(p->quota, &p->groups, (uint32_t)begin);
    p->repeatable = false;
    return p->quota->status;
}

/* Where the parts of the innermost group begin. */
static uint32_t group_base(const lf_rx_parser *p, uint32_t word)
{
    return p->groups.n == 0 ? 0 : p->groups.items[p->groups.n - GROUP + word];
}

static int32_t end_alternative(lf_rx_parser *p)
{
    p->repeatable = false;
    return push_part(p, &p->alternatives, end_sequence(p, group_base(p, 0)));
}

static int32_t close_group(lf_rx_parser *p)
{
    if (p->groups.n == 0) {
        return lf_rx_wrong(p, p->at - 1, "a parenthesis that closes nothing");
    }
    LF_TRY(end_alternative(p));
    part value = end_alternatives(p, group_base(p, 1));
    p->groups.n -= GROUP;
    p->repeatable = true;
    return push_part(p, &p->sequence, value);
}

/* ---- The pattern ---- */

static int32_t read_anchor(lf_rx_parser *p, int demand)
{
    part value = {{LF_RX_NONE, LF_RX_NONE, LF_RX_NONE, LF_RX_NONE}};
    value.of[demand] = LF_RX_EMPTY;
    p->repeatable = false;
    return push_part(p, &p->sequence, value);
}

static int32_t read_atom(lf_rx_parser *p)
{
    if (lf_rx_take(p, "(")) {
        return open_group(p);
    }
    if (lf_rx_take(p, ")")) {
        return close_group(p);
    }
    if (lf_rx_take(p, "|")) {
        return end_alternative(p);
    }
    if (lf_rx_take(p, "^")) {
        return read_anchor(p, START);
    }
    if (lf_rx_take(p, "$")) {
        return read_anchor(p, END);
    }
    if (lf_rx_take(p, "[")) {
        return lf_rx_read_class(p);
    }
    if (lf_rx_take(p, "\\")) {
        return lf_rx_read_escape(p);
    }
    return lf_rx_take(p, ".") ? lf_rx_read_dot(p) : lf_rx_read_character(p);
}

static int32_t read_pattern(lf_rx_parser *p)
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
        return lf_rx_wrong(p, group_base(p, 2), "a group without an end");
    }
    return end_alternative(p);
}

int32_t lf_rx_read(lf_rx_set *set, const lf_rx_reading *reading, const char *pattern, size_t len,
                   lf_rx *out, lf_rx_problem *problem)
{
    lf_rx_parser p = {.set = set,
                      .quota = set->quota,
                      .reading = reading,
                      .problem = problem,
                      .text = pattern,
                      .len = len};
    *problem = (lf_rx_problem){.status = LFM2_OK};
    int32_t status = len < UINT32_MAX
                         ? read_pattern(&p)
                         : lf_fail(LFM2_E_LIMIT, "constraint.size", "the pattern is too long");
    if (status == LFM2_OK) {
        part value = end_alternatives(&p, 0);
        lf_rx any = reading->whole ? LF_RX_EMPTY : reading->any;
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

int32_t lf_rx_parse(lf_rx_set *set, const char *path, const char *pattern, size_t len, bool search,
                    lf_rx *out)
{
    lf_rx_problem problem;
    const lf_rx_reading reading = {.whole = !search, .any = search ? lf_rx_utf8(set) : LF_RX_EMPTY};
    int32_t status = lf_rx_read(set, &reading, pattern, len, out, &problem);
    if (problem.status == LFM2_OK) {
        return status;
    }
    const char *code = status == LFM2_E_TEXT          ? "regex.syntax"
                       : status == LFM2_E_UNSUPPORTED ? "regex.unsupported"
                                                      : "constraint.depth";
    return lf_fail(status, code, "%s: offset %zu: %s", path, problem.at, problem.what);
}
