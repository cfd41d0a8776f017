/* SPDX-License-Identifier: Apache-2.0 */
/* Parses GBNF: rules, alternatives, sequences, groups and repetitions. */
#include "text/grammar/gbnf_program.h"

#include "common/index.h"
#include "common/utf8.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

/* ---- Failures and limits ---- */

int32_t lf_gbnf_fail(const lf_gbnf_program *p, int32_t status, const char *code, size_t offset,
                     const char *format, ...)
{
    size_t line = 1;
    size_t column = 1;
    for (size_t i = 0; i < offset && i < p->len; i++) {
        if (p->text[i] == '\n') {
            line++;
            column = 1;
        } else if (((uint8_t)p->text[i] & 0xC0) != 0x80) {
            column++;
        }
    }
    char message[256];
    va_list args;
    va_start(args, format);
    vsnprintf(message, sizeof message, format, args);
    va_end(args);
    return lf_fail(status, code, "grammar: line %zu, column %zu: %s", line, column, message);
}

int32_t lf_gbnf_spend(lf_gbnf_program *p, uint64_t steps)
{
    p->steps += steps;
    if (p->steps > p->options->limits->compile_steps) {
        return lf_fail(LFM2_E_LIMIT, "gbnf.steps", "grammar: it takes more than %llu steps",
                       (unsigned long long)p->options->limits->compile_steps);
    }
    return LFM2_OK;
}

int32_t lf_gbnf_grow(lf_gbnf_program *p, void **items, size_t *size, size_t n, size_t item)
{
    if (n < *size) {
        return LFM2_OK;
    }
    size_t more = *size == 0 ? 16 : 2 * *size;
    size_t limit = p->options->limits->memory / LF_GBNF_SHARE;
    if (p->arena.total > limit || more > (limit - p->arena.total) / item) {
        return lf_fail(LFM2_E_LIMIT, "gbnf.memory", "grammar: it takes more than %zu bytes", limit);
    }
    void *grown = NULL;
    LF_TRY(lf_arena_new(&p->arena, more, item, "grammar", &grown));
    if (n > 0) {
        memcpy(grown, *items, n * item);
    }
    *items = grown;
    *size = more;
    return LFM2_OK;
}

int32_t lf_gbnf_add(lf_gbnf_program *p, lf_gbnf_kind kind, uint32_t a, uint32_t b)
{
    void *ops = p->ops;
    LF_TRY(lf_gbnf_grow(p, &ops, &p->ops_size, p->n_ops, sizeof *p->ops));
    p->ops = ops;
    p->ops[p->n_ops++] = (lf_gbnf_op){kind, a, b};
    return LFM2_OK;
}

/* ---- Characters ---- */

/* The byte at the position, 0 at the end. */
static char peek(const lf_gbnf_program *p, size_t at)
{
    return at < p->len ? p->text[at] : '\0';
}

static bool is_digit(char c)
{
    return c >= '0' && c <= '9';
}

static bool is_name(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || is_digit(c) || c == '-' || c == '_';
}

/* Skips blanks and comments, and line ends if they have no meaning at this place. */
static size_t skip_space(const lf_gbnf_program *p, size_t at, bool line_ends)
{
    bool comment = false;
    for (; at < p->len; at++) {
        char c = p->text[at];
        bool line_end = c == '\n' || c == '\r';
        comment = line_end ? false : comment || c == '#';
        if (!comment && c != ' ' && c != '\t' && !(line_ends && line_end)) {
            break;
        }
    }
    return at;
}

static int32_t syntax(const lf_gbnf_program *p, size_t at, const char *expected)
{
    size_t n = at < p->len ? lf_utf8_char(p->text + at, p->len - at) : 0;
    lf_shown shown;
    return lf_gbnf_fail(p, LFM2_E_TEXT, "gbnf.syntax", at, "%s expected, not %s%s%s", expected,
                        at < p->len ? "'" : "the end",
                        at < p->len ? lf_show(&shown, p->text + at, n > 0 ? n : 1) : "",
                        at < p->len ? "'" : "");
}

static int32_t read_name(const lf_gbnf_program *p, size_t *at, lf_gbnf_name *name)
{
    size_t end = *at;
    while (is_name(peek(p, end))) {
        end++;
    }
    if (end == *at) {
        return syntax(p, *at, "the name of a rule");
    }
    *name = (lf_gbnf_name){*at, (uint32_t)(end - *at)};
    *at = end;
    return LFM2_OK;
}

/* ---- Repetitions ---- */

static int32_t read_count(const lf_gbnf_program *p, size_t *at, uint32_t *out)
{
    size_t first = *at;
    uint64_t value = 0;
    for (; is_digit(peek(p, *at)); (*at)++) {
        value = value > UINT32_MAX ? value : 10 * value + (uint64_t)(p->text[*at] - '0');
    }
    if (*at == first) {
        return syntax(p, first, "a number");
    }
    if (value >= LF_RX_UNLIMITED) {
        return lf_gbnf_fail(p, LFM2_E_LIMIT, "gbnf.repeat", first,
                            "too many repetitions: at most %u are possible", LF_RX_UNLIMITED - 1);
    }
    *out = (uint32_t)value;
    return LFM2_OK;
}

/* What follows "{". */
static int32_t read_counts(const lf_gbnf_program *p, size_t *at, bool nested, uint32_t *min,
                           uint32_t *max)
{
    size_t first = *at;
    *at = skip_space(p, *at, nested);
    LF_TRY(read_count(p, at, min));
    *max = *min;
    *at = skip_space(p, *at, nested);
    if (peek(p, *at) == ',') {
        *max = LF_RX_UNLIMITED;
        *at = skip_space(p, *at + 1, nested);
        if (is_digit(peek(p, *at))) {
            LF_TRY(read_count(p, at, max));
            *at = skip_space(p, *at, nested);
        }
    }
    if (peek(p, *at) != '}') {
        return syntax(p, *at, "'}'");
    }
    (*at)++;
    if (*max < *min) {
        return lf_gbnf_fail(p, LFM2_E_TEXT, "gbnf.syntax", first,
                            "{%u,%u}: the second number is smaller than the first", *min, *max);
    }
    return LFM2_OK;
}

/* Adds a repetition of the last item. */
static int32_t read_repeat(lf_gbnf_program *p, size_t *at, bool nested, uint32_t n_items)
{
    char c = p->text[*at];
    if (n_items == 0) {
        return lf_gbnf_fail(p, LFM2_E_TEXT, "gbnf.syntax", *at, "nothing precedes '%c'", c);
    }
    uint32_t min = c == '+' ? 1 : 0;
    uint32_t max = c == '?' ? 1 : LF_RX_UNLIMITED;
    (*at)++;
    if (c == '{') {
        LF_TRY(read_counts(p, at, nested, &min, &max));
    }
    return lf_gbnf_add(p, LF_GBNF_REPEAT, min, max);
}

/* ---- Rules ---- */

/* A group that is open, or the whole rule. */
typedef struct group {
    size_t offset;
    uint32_t n_items;        /* of the sequence that is read */
    uint32_t n_alternatives; /* before it */
} group;

typedef struct groups {
    group *items;
    size_t n, size;
} groups;

static int32_t open_group(lf_gbnf_program *p, groups *g, size_t offset)
{
    if (g->n > p->options->limits->depth) {
        return lf_gbnf_fail(p, LFM2_E_LIMIT, "gbnf.depth", offset,
                            "groups are nested more than %u levels deep",
                            p->options->limits->depth);
    }
    void *items = g->items;
    LF_TRY(lf_gbnf_grow(p, &items, &g->size, g->n, sizeof *g->items));
    g->items = items;
    g->items[g->n++] = (group){.offset = offset};
    return LFM2_OK;
}

static int32_t end_sequence(lf_gbnf_program *p, group *g)
{
    if (g->n_items == 0) {
        LF_TRY(lf_gbnf_add(p, LF_GBNF_EMPTY, 0, 0));
    } else if (g->n_items > 1) {
        LF_TRY(lf_gbnf_add(p, LF_GBNF_SEQUENCE, g->n_items, 0));
    }
    g->n_items = 0;
    g->n_alternatives++;
    return LFM2_OK;
}

static int32_t end_group(lf_gbnf_program *p, groups *g)
{
    group *last = &g->items[g->n - 1];
    LF_TRY(end_sequence(p, last));
    if (last->n_alternatives > 1) {
        LF_TRY(lf_gbnf_add(p, LF_GBNF_CHOICE, last->n_alternatives, 0));
    }
    g->n--;
    return LFM2_OK;
}

static int32_t read_reference(lf_gbnf_program *p, size_t *at)
{
    lf_gbnf_name name;
    LF_TRY(read_name(p, at, &name));
    void *references = p->references;
    LF_TRY(
        lf_gbnf_grow(p, &references, &p->references_size, p->n_references, sizeof *p->references));
    p->references = references;
    p->references[p->n_references++] = name;
    return lf_gbnf_add(p, LF_GBNF_RULE, (uint32_t)(p->n_references - 1), 0);
}

/* Reads an item that is no group. *found: whether there is one. */
static int32_t read_item(lf_gbnf_program *p, size_t *at, bool *found)
{
    char c = peek(p, *at);
    *found = true;
    if (c == '"') {
        return lf_gbnf_literal(p, at);
    }
    if (c == '[' || c == '.') {
        return lf_gbnf_class(p, at);
    }
    if (c == '<' || c == '!') {
        return lf_gbnf_token(p, at);
    }
    if (is_name(c)) {
        return read_reference(p, at);
    }
    *found = false;
    return LFM2_OK;
}

/* Reads up to the end of the rule. */
static int32_t read_body(lf_gbnf_program *p, size_t *at, groups *g)
{
    g->n = 0;
    LF_TRY(open_group(p, g, *at));
    for (;;) {
        group *last = &g->items[g->n - 1];
        bool nested = g->n > 1;
        char c = peek(p, *at);
        bool found = false;
        LF_TRY(lf_gbnf_spend(p, 1));
        LF_TRY(read_item(p, at, &found));
        if (found) {
            last->n_items++;
            *at = skip_space(p, *at, nested);
        } else if (c == '*' || c == '+' || c == '?' || c == '{') {
            LF_TRY(read_repeat(p, at, nested, last->n_items));
            *at = skip_space(p, *at, nested);
        } else if (c == '|') {
            LF_TRY(end_sequence(p, last));
            *at = skip_space(p, *at + 1, true);
        } else if (c == '(') {
            LF_TRY(open_group(p, g, *at));
            *at = skip_space(p, *at + 1, true);
        } else if (c == ')' && nested) {
            LF_TRY(end_group(p, g));
            g->items[g->n - 1].n_items++;
            *at = skip_space(p, *at + 1, g->n > 1);
        } else if (nested) {
            return lf_gbnf_fail(p, LFM2_E_TEXT, "gbnf.syntax", last->offset,
                                "the group that begins here does not end");
        } else {
            return end_group(p, g);
        }
    }
}

static int32_t read_rule(lf_gbnf_program *p, size_t *at, groups *g)
{
    lf_gbnf_rule rule = {.begin = (uint32_t)p->n_ops};
    LF_TRY(read_name(p, at, &rule.name));
    *at = skip_space(p, *at, false);
    if (p->len - *at < 3 || memcmp(p->text + *at, "::=", 3) != 0) {
        return syntax(p, *at, "'::='");
    }
    *at = skip_space(p, *at + 3, true);
    LF_TRY(read_body(p, at, g));
    if (*at < p->len && peek(p, *at) != '\n' && peek(p, *at) != '\r') {
        return syntax(p, *at, "the end of the line");
    }
    *at = skip_space(p, *at, true);
    rule.end = (uint32_t)p->n_ops;
    void *rules = p->rules;
    LF_TRY(lf_gbnf_grow(p, &rules, &p->rules_size, p->n_rules, sizeof *p->rules));
    p->rules = rules;
    p->rules[p->n_rules++] = rule;
    return LFM2_OK;
}

/* ---- Names ---- */

static int32_t index_rules(lf_gbnf_program *p, lf_index *index)
{
    const lf_index_entry *duplicate = NULL;
    LF_TRY(lf_index_new(&p->arena, (uint32_t)p->n_rules, index));
    for (uint32_t i = 0; i < p->n_rules; i++) {
        const lf_gbnf_name *name = &p->rules[i].name;
        index->entries[i] =
            (lf_index_entry){.text = p->text + name->offset, .len = name->len, .id = i};
    }
    LF_TRY(lf_index_build(p->options->alloc, index, &duplicate));
    if (duplicate != NULL) {
        lf_shown shown;
        return lf_gbnf_fail(p, LFM2_E_TEXT, "gbnf.duplicate", p->rules[duplicate->id].name.offset,
                            "the rule '%s' is defined twice",
                            lf_show(&shown, duplicate->text, duplicate->len));
    }
    return LFM2_OK;
}

/* Replaces the references by rules. */
static int32_t resolve(lf_gbnf_program *p)
{
    static const char root[] = "root";
    lf_index index;
    LF_TRY(index_rules(p, &index));
    for (size_t i = 0; i < p->n_ops; i++) {
        if (p->ops[i].kind == LF_GBNF_RULE) {
            const lf_gbnf_name *name = &p->references[p->ops[i].a];
            const char *text = p->text + name->offset;
            const lf_index_entry *found = lf_index_find(&index, text, name->len);
            if (found == NULL) {
                lf_shown shown;
                return lf_gbnf_fail(p, LFM2_E_TEXT, "gbnf.undefined", name->offset,
                                    "the rule '%s' is not defined",
                                    lf_show(&shown, text, name->len));
            }
            p->ops[i].a = found->id;
        }
    }
    const lf_index_entry *found = lf_index_find(&index, root, sizeof root - 1);
    if (found == NULL) {
        return lf_fail(LFM2_E_TEXT, "gbnf.undefined", "grammar: the rule 'root' is not defined");
    }
    p->root = found->id;
    return LFM2_OK;
}

/* Parses the text and finds the rule of each reference. */
static int32_t parse(lf_gbnf_program *p)
{
    groups g = {0};
    /* Indexes have 32 bits. */
    if (p->len > 1u << 30) {
        return lf_fail(LFM2_E_LIMIT, "gbnf.memory", "grammar: it has more than 1 GiB");
    }
    LF_TRY(lf_gbnf_spend(p, p->len));
    for (size_t at = skip_space(p, 0, true); at < p->len;) {
        LF_TRY(read_rule(p, &at, &g));
    }
    return resolve(p);
}

int32_t lf_gbnf_build(lf_grammar *grammar, const lf_gbnf_options *options, const char *text,
                      size_t len, lf_node *out)
{
    lf_gbnf_program p = {.options = options, .grammar = grammar, .text = text, .len = len};
    lf_arena_init(&p.arena, options->alloc);
    int32_t status = parse(&p);
    const size_t parsed = p.arena.total;
    lf_grammar_charge(grammar, parsed);
    status = status != LFM2_OK ? status : lf_gbnf_nodes(&p, out);
    lf_grammar_refund(grammar, parsed);
    lf_arena_free(&p.arena);
    /* A constructor that failed says so at last, and returned a node that matches nothing. */
    return status != LFM2_OK ? status : lf_grammar_status(grammar);
}
