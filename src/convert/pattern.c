/* SPDX-License-Identifier: Apache-2.0 */
/* Regular expressions that select tensors by name, as a nondeterministic automaton. Matching
 * follows all alternatives at once, so no expression makes it slow. */
#include "convert/pattern.h"

#include "common/utf8.h"

#include <stdio.h>
#include <string.h>

typedef enum {
    NEXT,     /* go to a */
    EITHER,   /* go to a and to b */
    SET,      /* a byte of the set, then the next step */
    BEGIN,    /* at the start of the name */
    END,      /* at its end */
    BOUNDARY, /* between a word character and another one */
    ACCEPT
} step_kind;

typedef struct lf_pattern_step {
    uint16_t kind, a, b;
    uint8_t set[32]; /* bit c of the set: byte c */
} step;

enum {
    MOST_DEPTH = 32,    /* nested groups */
    MOST_WORK = 1 << 16 /* steps that are written, those of discarded repetitions included */
};

typedef struct compiler {
    const char *text;
    size_t len, pos;
    uint32_t n, work, depth;
    step steps[LF_PATTERN_STEPS];
} compiler;

static int32_t refuse(const compiler *c, const char *what)
{
    lf_shown shown;
    return lf_fail(LFM2_E_ARGUMENT, "convert.pattern", "regular expression '%s': byte %zu: %s",
                   lf_show(&shown, c->text, c->len), c->pos + 1, what);
}

static int32_t emit(compiler *c, step_kind kind, uint32_t *at)
{
    if (c->n == LF_PATTERN_STEPS || c->work == MOST_WORK) {
        char text[80];
        snprintf(text, sizeof text, "the expression is too large; it may have %d steps",
                 LF_PATTERN_STEPS);
        return refuse(c, text);
    }
    *at = c->n;
    c->steps[c->n] = (step){.kind = (uint16_t)kind, .a = (uint16_t)(c->n + 1)};
    c->n++;
    c->work++;
    return LFM2_OK;
}

static bool more(const compiler *c)
{
    return c->pos < c->len;
}

static bool take(compiler *c, char wanted)
{
    bool found = more(c) && c->text[c->pos] == wanted;
    c->pos += found;
    return found;
}

/* ---- Sets ---- */

static bool is_digit(int c)
{
    return c >= '0' && c <= '9';
}

static bool is_lower(int c)
{
    return c >= 'a' && c <= 'z';
}

static bool is_upper(int c)
{
    return c >= 'A' && c <= 'Z';
}

static bool is_alpha(int c)
{
    return is_lower(c) || is_upper(c);
}

static bool is_alnum(int c)
{
    return is_alpha(c) || is_digit(c);
}

static bool is_word(int c)
{
    return is_alnum(c) || c == '_';
}

static bool is_space(int c)
{
    return c == ' ' || (c >= '\t' && c <= '\r');
}

static bool is_punct(int c)
{
    return c > ' ' && c < 127 && !is_alnum(c);
}

static bool is_xdigit(int c)
{
    return is_digit(c) || (c >= 'a' && c <= 'f') || (c >= 'A' && c <= 'F');
}

static char lower(char c)
{
    return is_upper(c) ? (char)(c - 'A' + 'a') : c;
}

static bool in_set(const step *s, unsigned c)
{
    return (s->set[c / 8] >> c % 8 & 1) != 0;
}

static void add(step *s, unsigned c)
{
    s->set[c / 8] = (uint8_t)(s->set[c / 8] | 1u << c % 8);
}

static void add_class(step *s, bool (*class)(int))
{
    for (int c = 0; c < 256; c++) {
        if (class(c)) {
            add(s, (unsigned)c);
        }
    }
}

/* After a backslash: a class of characters, or one character, which *single receives (else -1). */
static int32_t escape(compiler *c, step *s, int *single)
{
    static const char controls[] = "tnvfr";
    if (!more(c)) {
        return refuse(c, "the expression ends after a backslash");
    }
    char e = c->text[c->pos];
    const char *control = strchr(controls, e);
    *single = -1;
    if (e == 'd') {
        add_class(s, is_digit);
    } else if (e == 'w') {
        add_class(s, is_word);
    } else if (e == 's') {
        add_class(s, is_space);
    } else if (control != NULL && e != '\0') {
        *single = '\t' + (int)(control - controls);
    } else if (is_alnum(e)) {
        return refuse(c, "this escape is not supported; supported: \\d, \\w, \\s, \\b, \\t, \\n, "
                         "\\v, \\f, \\r and a backslash before a punctuation character");
    } else {
        *single = (unsigned char)e;
    }
    c->pos++;
    if (*single >= 0) {
        add(s, (unsigned)*single);
    }
    return LFM2_OK;
}

/* "[:digit:]" and the like, after "[:". */
static int32_t named_class(compiler *c, step *s)
{
    static const struct {
        const char *name;
        bool (*class)(int);
    } classes[] = {
        {"alnum:]", is_alnum}, {"alpha:]", is_alpha},   {"digit:]", is_digit},
        {"lower:]", is_lower}, {"punct:]", is_punct},   {"space:]", is_space},
        {"upper:]", is_upper}, {"xdigit:]", is_xdigit},
    };
    for (size_t i = 0; i < sizeof classes / sizeof classes[0]; i++) {
        size_t n = strlen(classes[i].name);
        if (c->len - c->pos >= n && memcmp(c->text + c->pos, classes[i].name, n) == 0) {
            add_class(s, classes[i].class);
            c->pos += n;
            return LFM2_OK;
        }
    }
    return refuse(c, "unknown class; allowed: alnum, alpha, digit, lower, punct, space, upper and "
                     "xdigit");
}

/* One character or class inside brackets; *single as for escape. */
static int32_t set_item(compiler *c, step *s, int *single)
{
    *single = -1;
    if (!more(c)) {
        return refuse(c, "a ']' is missing");
    }
    char first = c->text[c->pos++];
    if (first == '\\') {
        return escape(c, s, single);
    }
    if (first == '[' && more(c) && strchr(":.=", c->text[c->pos]) != NULL) {
        if (!take(c, ':')) {
            return refuse(c, "collating elements are not supported");
        }
        return named_class(c, s);
    }
    *single = (unsigned char)lower(first);
    add(s, (unsigned)*single);
    return LFM2_OK;
}

/* After "[". */
static int32_t bracket(compiler *c, step *s)
{
    bool negated = take(c, '^');
    if (more(c) && c->text[c->pos] == ']') {
        return refuse(c, "an empty set matches nothing; write \\] for a bracket");
    }
    while (!take(c, ']')) {
        int low = -1;
        int high = -1;
        LF_TRY(set_item(c, s, &low));
        if (c->len - c->pos < 2 || c->text[c->pos] != '-' || c->text[c->pos + 1] == ']') {
            continue;
        }
        c->pos++;
        LF_TRY(set_item(c, s, &high));
        if (low < 0 || high < low) {
            return refuse(c, "a range must lead from a character to the same or a later one");
        }
        for (int v = low; v <= high; v++) {
            add(s, (unsigned)v);
        }
    }
    for (size_t i = 0; negated && i < sizeof s->set; i++) {
        s->set[i] = (uint8_t)~s->set[i];
    }
    return LFM2_OK;
}

/* ---- Expressions ---- */

static int32_t alternatives(compiler *c);

static int32_t group(compiler *c)
{
    if (take(c, '?') && !take(c, ':')) {
        return refuse(c, "of the groups that begin with (? only (?: is supported");
    }
    if (c->depth == MOST_DEPTH) {
        return refuse(c, "more than 32 groups are nested");
    }
    c->depth++;
    LF_TRY(alternatives(c));
    c->depth--;
    return take(c, ')') ? LFM2_OK : refuse(c, "a ')' is missing");
}

/* Characters, sets, assertions and groups. *fixed receives whether it is an assertion, which cannot
 * be repeated. */
static int32_t atom(compiler *c, bool *fixed)
{
    uint32_t at = 0;
    int single = -1;
    char first = c->text[c->pos++];
    *fixed = first == '^' || first == '$';
    switch (first) {
    case '(':
        return group(c);
    case '^':
        return emit(c, BEGIN, &at);
    case '$':
        return emit(c, END, &at);
    case '*':
    case '+':
    case '?':
    case '{':
        c->pos--;
        return refuse(c, "there is nothing to repeat");
    default:
        break;
    }
    if (first == '\\' && take(c, 'b')) {
        *fixed = true;
        return emit(c, BOUNDARY, &at);
    }
    LF_TRY(emit(c, SET, &at));
    step *s = &c->steps[at];
    if (first == '\\') {
        return escape(c, s, &single);
    }
    if (first == '[') {
        return bracket(c, s);
    }
    if (first == '.') {
        memset(s->set, 0xff, sizeof s->set);
        s->set['\n' / 8] = (uint8_t) ~(1u << '\n' % 8 | 1u << '\r' % 8);
        return LFM2_OK;
    }
    add(s, (unsigned char)lower(first));
    return LFM2_OK;
}

static int32_t number(compiler *c, uint32_t *out)
{
    uint32_t v = 0;
    if (!more(c) || !is_digit(c->text[c->pos])) {
        return refuse(c, "a number of repetitions is missing");
    }
    while (more(c) && is_digit(c->text[c->pos])) {
        v = v * 10 + (uint32_t)(c->text[c->pos++] - '0');
        if (v > LF_PATTERN_STEPS) {
            return refuse(c, "more than 1024 repetitions");
        }
    }
    *out = v;
    return LFM2_OK;
}

enum { UNLIMITED = UINT16_MAX };

/* An optional quantifier; {1, 1} without one. */
static int32_t quantifier(compiler *c, uint32_t *least, uint32_t *most)
{
    bool found = true;
    *least = *most = 1;
    if (take(c, '*')) {
        *least = 0;
        *most = UNLIMITED;
    } else if (take(c, '+')) {
        *most = UNLIMITED;
    } else if (take(c, '?')) {
        *least = 0;
    } else if (take(c, '{')) {
        LF_TRY(number(c, least));
        *most = *least;
        if (take(c, ',')) {
            *most = UNLIMITED;
            if (more(c) && c->text[c->pos] != '}') {
                LF_TRY(number(c, most));
            }
        }
        if (!take(c, '}')) {
            return refuse(c, "a '}' is missing");
        }
        if (*most < *least) {
            return refuse(c, "the second number of repetitions is less than the first");
        }
    } else {
        found = false;
    }
    if (found) {
        take(c, '?'); /* whether the repetition is lazy does not decide whether there is a match */
    }
    return LFM2_OK;
}

/* Another copy of an atom, after a step from which it can be skipped if `optional`. The steps that
 * skip form a list in their field b, which begins at *skips. */
static int32_t copy_atom(compiler *c, size_t begin, bool optional, uint32_t *first, uint32_t *skips)
{
    bool fixed = false;
    c->pos = begin;
    LF_TRY(emit(c, optional ? EITHER : NEXT, first));
    if (optional) {
        c->steps[*first].b = (uint16_t)*skips;
        *skips = *first;
    }
    return atom(c, &fixed);
}

/* An atom and its quantifier. */
static int32_t term(compiler *c)
{
    enum { NONE = UINT16_MAX };
    uint32_t least = 0;
    uint32_t most = 0;
    uint32_t first = 0;
    uint32_t skips = NONE;
    uint32_t start = c->n;
    size_t begin = c->pos;
    bool fixed = false;
    LF_TRY(atom(c, &fixed));
    size_t quantified = c->pos;
    LF_TRY(quantifier(c, &least, &most));
    size_t end = c->pos;
    if (fixed && end != quantified) {
        c->pos = quantified;
        return refuse(c, "^, $ and \\b cannot be repeated");
    }
    if (least == 1 && most == 1) {
        return LFM2_OK;
    }
    c->n = start; /* written again, with the steps of the repetition */
    uint32_t copies = most != UNLIMITED ? most : (least > 1 ? least : 1);
    for (uint32_t i = 0; i < copies; i++) {
        LF_TRY(copy_atom(c, begin, i >= least, &first, &skips));
    }
    if (most == UNLIMITED) {
        uint32_t loop = 0;
        LF_TRY(emit(c, EITHER, &loop));
        c->steps[loop].a = (uint16_t)first;
        c->steps[loop].b = (uint16_t)(loop + 1);
    }
    while (skips != NONE) {
        uint32_t next = c->steps[skips].b;
        c->steps[skips].b = (uint16_t)c->n;
        skips = next;
    }
    c->pos = end;
    return LFM2_OK;
}

/* Alternatives up to the end or a ')'. */
static int32_t alternatives(compiler *c)
{
    enum { NONE = UINT16_MAX };
    uint32_t ends = NONE; /* list of the steps that leave an alternative, in their field a */
    for (;;) {
        uint32_t begin = 0;
        LF_TRY(emit(c, NEXT, &begin));
        while (more(c) && c->text[c->pos] != '|' && c->text[c->pos] != ')') {
            LF_TRY(term(c));
        }
        if (!take(c, '|')) {
            break;
        }
        uint32_t leave = 0;
        LF_TRY(emit(c, NEXT, &leave));
        c->steps[leave].a = (uint16_t)ends;
        ends = leave;
        c->steps[begin].kind = EITHER;
        c->steps[begin].b = (uint16_t)c->n;
    }
    while (ends != NONE) {
        uint32_t next = c->steps[ends].a;
        c->steps[ends].a = (uint16_t)c->n;
        ends = next;
    }
    return LFM2_OK;
}

static int32_t compile(compiler *c)
{
    uint32_t at = 0;
    LF_TRY(alternatives(c));
    if (more(c)) {
        return refuse(c, "this ')' closes no group");
    }
    return emit(c, ACCEPT, &at);
}

int32_t lf_pattern_compile(lf_arena *arena, const char *text, size_t len, lf_pattern *out)
{
    void *p = NULL;
    if (len > LF_PATTERN_BYTES) {
        return lf_fail(LFM2_E_ARGUMENT, "convert.pattern",
                       "a regular expression has %zu bytes; allowed: up to %d", len,
                       LF_PATTERN_BYTES);
    }
    LF_TRY(lf_new(arena->alloc, 1, sizeof(compiler), "regular expression", &p));
    compiler *c = p;
    c->text = text;
    c->len = len;
    c->pos = 0;
    c->n = c->work = c->depth = 0;
    int32_t status = compile(c);
    if (status == LFM2_OK) {
        status = lf_arena_new(arena, c->n, sizeof(step), "regular expression", &p);
    }
    if (status == LFM2_OK) {
        memcpy(p, c->steps, c->n * sizeof(step));
        *out = (lf_pattern){p, c->n};
    }
    lf_free(arena->alloc, c, 1, sizeof *c);
    return status;
}

/* ---- Matching ---- */

/* The steps that are reached at a place in the name. */
typedef struct reached {
    uint16_t list[LF_PATTERN_STEPS];
    uint32_t n;
    bool has[LF_PATTERN_STEPS];
} reached;

typedef struct place {
    const char *name;
    size_t at, len;
} place;

static bool word_at(const place *p, size_t at)
{
    return at < p->len && is_word((unsigned char)p->name[at]);
}

static bool holds(const place *p, uint16_t kind)
{
    if (kind == BEGIN) {
        return p->at == 0;
    }
    if (kind == END) {
        return p->at == p->len;
    }
    return word_at(p, p->at) != (p->at > 0 && word_at(p, p->at - 1));
}

static void reach(reached *r, uint32_t at)
{
    if (!r->has[at]) {
        r->has[at] = true;
        r->list[r->n++] = (uint16_t)at;
    }
}

/* Adds the steps that can be reached without a byte; returns whether ACCEPT is one of them. */
static bool follow(const lf_pattern *pattern, const place *p, reached *r)
{
    for (uint32_t i = 0; i < r->n; i++) {
        uint32_t at = r->list[i];
        const step *s = &pattern->steps[at];
        if (s->kind == ACCEPT) {
            return true;
        }
        if (s->kind == NEXT || s->kind == EITHER) {
            reach(r, s->a);
            if (s->kind == EITHER) {
                reach(r, s->b);
            }
        } else if (s->kind != SET && holds(p, s->kind)) {
            reach(r, at + 1);
        }
    }
    return false;
}

bool lf_pattern_matches(const lf_pattern *pattern, const char *name)
{
    place p = {.name = name, .len = strlen(name)};
    reached sets[2];
    reached *now = &sets[0];
    reached *next = &sets[1];
    memset(now, 0, sizeof *now);
    for (;; p.at++) {
        reach(now, 0); /* a match may begin anywhere */
        if (follow(pattern, &p, now)) {
            return true;
        }
        if (p.at == p.len) {
            return false;
        }
        memset(next, 0, sizeof *next);
        for (uint32_t i = 0; i < now->n; i++) {
            const step *s = &pattern->steps[now->list[i]];
            if (s->kind == SET && in_set(s, (unsigned char)name[p.at])) {
                reach(next, now->list[i] + 1U);
            }
        }
        reached *old = now;
        now = next;
        next = old;
    }
}
