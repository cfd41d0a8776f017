/* SPDX-License-Identifier: Apache-2.0 */
/* Compiles operands: literals, names, calls, attributes, filters and tests. */
#include "text/template/parse.h"

#include "common/utf8.h"

#include <string.h>

int32_t tpl_next(tpl_parser *p)
{
    return tpl_lex(&p->lex, &p->now);
}

static bool token_is(const tpl_token *t, tpl_token_type type, const char *text)
{
    return t->type == type && t->len == strlen(text) && memcmp(t->text, text, t->len) == 0;
}

bool tpl_is_operator(const tpl_parser *p, const char *op)
{
    return token_is(&p->now, TPL_TOKEN_OPERATOR, op);
}

bool tpl_is_name(const tpl_parser *p, const char *name)
{
    return token_is(&p->now, TPL_TOKEN_NAME, name);
}

int32_t tpl_unexpected(const tpl_parser *p, const char *expected)
{
    lf_shown shown;
    const char *what = p->now.type == TPL_TOKEN_END ? "the end of the tag"
                                                    : lf_show(&shown, p->now.text, p->now.len);
    return tpl_syntax_error(p->now.line, "expected %s, found %s", expected, what);
}

int32_t tpl_expect(tpl_parser *p, const char *op)
{
    if (!tpl_is_operator(p, op)) {
        return tpl_unexpected(p, op);
    }
    return tpl_next(p);
}

int32_t tpl_enter(tpl_parser *p)
{
    if (++p->nesting > TPL_MAX_NESTING) {
        return lf_fail(LFM2_E_LIMIT, "template.nesting",
                       "chat template, line %u: expressions nested more than %d deep", p->now.line,
                       TPL_MAX_NESTING);
    }
    return LFM2_OK;
}

/* ---- Arguments ---- */

/* The text after the current token, without white space. */
const char *tpl_following(const tpl_parser *p, size_t *len)
{
    size_t i = p->lex.pos;
    while (i < p->lex.len && strchr(" \t\n", p->lex.text[i]) != NULL) {
        i++;
    }
    *len = p->lex.len - i;
    return p->lex.text + i;
}

/* Whether a name and = follow. */
static bool is_keyword(const tpl_parser *p)
{
    size_t len = 0;
    const char *text = tpl_following(p, &len);
    return p->now.type == TPL_TOKEN_NAME && len > 1 && text[0] == '=' && text[1] != '=';
}

/* Arguments in parentheses. */
static int32_t arguments(tpl_parser *p, uint32_t *n, uint32_t *n_named)
{
    LF_TRY(tpl_expect(p, "("));
    *n = *n_named = 0;
    while (!tpl_is_operator(p, ")")) {
        if (*n + *n_named > 0) {
            LF_TRY(tpl_expect(p, ","));
            if (tpl_is_operator(p, ")")) {
                break;
            }
        }
        if (tpl_is_operator(p, "*") || tpl_is_operator(p, "**")) {
            return lf_fail(LFM2_E_UNSUPPORTED, "template.unsupported",
                           "chat template, line %u: * and ** in calls are not supported",
                           p->now.line);
        }
        if (is_keyword(p)) {
            LF_TRY(tpl_emit_text(p, TPL_OP_CONST, p->now.text, p->now.len, 0));
            LF_TRY(tpl_next(p));
            LF_TRY(tpl_next(p));
            ++*n_named;
        } else if (*n_named > 0) {
            return tpl_syntax_error(p->now.line, "a positional argument after a named one");
        } else {
            ++*n;
        }
        LF_TRY(tpl_expression(p));
        if (*n > 250 || *n_named > 250) {
            return lf_fail(LFM2_E_LIMIT, "template.arguments",
                           "chat template, line %u: more than 250 arguments", p->now.line);
        }
    }
    return tpl_expect(p, ")");
}

/* ---- Primary expressions ---- */

static int32_t strings(tpl_parser *p)
{
    size_t total = 0, n = 0;
    char *text = NULL;
    do { /* strings next to each other are one */
        void *larger = NULL;
        LF_TRY(lf_arena_new(&p->t->arena, n + p->now.len + 1, 1, "chat template", &larger));
        total += n + p->now.len + 1;
        if (total > 64 * p->lex.len + 64) {
            return lf_fail(LFM2_E_LIMIT, "template.strings",
                           "chat template, line %u: too many strings next to each other",
                           p->now.line);
        }
        if (n > 0) {
            memcpy(larger, text, n);
        }
        text = larger;
        LF_TRY(tpl_unescape(&p->now, text, &n));
        LF_TRY(tpl_next(p));
    } while (p->now.type == TPL_TOKEN_STRING);
    return tpl_emit_text(p, TPL_OP_CONST, text, n, 0);
}

/* The names caller, varargs and kwargs make every macro around them accept such arguments. */
static void note_special(tpl_parser *p, uint32_t name)
{
    for (size_t i = 0; i < p->n_blocks; i++) {
        if (p->blocks[i].type == TPL_BLOCK_MACRO || p->blocks[i].type == TPL_BLOCK_CALL) {
            tpl_macro_code *m = p->t->macros[p->blocks[i].macro];
            m->uses_caller |= name == p->t->name_caller;
            m->uses_varargs |= name == p->t->name_varargs;
            m->uses_kwargs |= name == p->t->name_kwargs;
        }
    }
}

static int32_t name_or_constant(tpl_parser *p)
{
    tpl_value v = {.type = TPL_UNDEFINED};
    if (tpl_is_name(p, "true") || tpl_is_name(p, "True")) {
        v = tpl_bool(true, false);
    } else if (tpl_is_name(p, "false") || tpl_is_name(p, "False")) {
        v = tpl_bool(false, false);
    } else if (tpl_is_name(p, "none") || tpl_is_name(p, "None")) {
        v = tpl_none();
    }
    if (v.type != TPL_UNDEFINED) {
        LF_TRY(tpl_emit_constant(p, TPL_OP_CONST, v, 0));
    } else {
        uint32_t name = 0;
        LF_TRY(tpl_name(p, p->now.text, p->now.len, &name));
        note_special(p, name);
        LF_TRY(tpl_emit(p, TPL_OP_LOAD, (int32_t)name, 0, 0));
    }
    return tpl_next(p);
}

/* The rest of a list or of a tuple in parentheses. */
static int32_t list(tpl_parser *p, const char *end)
{
    LF_TRY(tpl_next(p));
    int32_t n = 0;
    bool comma = false;
    while (!tpl_is_operator(p, end)) {
        if (n > 0 && !comma) {
            return tpl_unexpected(p, end);
        }
        LF_TRY(tpl_expression(p));
        n++;
        comma = tpl_is_operator(p, ",");
        if (comma) {
            LF_TRY(tpl_next(p));
        }
    }
    if (*end == ']' || n != 1 || comma) {
        LF_TRY(tpl_emit(p, *end == ']' ? TPL_OP_LIST : TPL_OP_TUPLE, n, 0, 0));
    }
    return tpl_next(p);
}

static int32_t dict(tpl_parser *p)
{
    LF_TRY(tpl_next(p));
    int32_t n = 0;
    while (!tpl_is_operator(p, "}")) {
        if (n > 0) {
            LF_TRY(tpl_expect(p, ","));
            if (tpl_is_operator(p, "}")) {
                break;
            }
        }
        LF_TRY(tpl_expression(p));
        LF_TRY(tpl_expect(p, ":"));
        LF_TRY(tpl_expression(p));
        n++;
    }
    LF_TRY(tpl_emit(p, TPL_OP_DICT, n, 0, 0));
    return tpl_next(p);
}

static int32_t primary(tpl_parser *p)
{
    tpl_value v = {.type = TPL_INT};
    switch (p->now.type) {
    case TPL_TOKEN_NAME:
        return name_or_constant(p);
    case TPL_TOKEN_STRING:
        return strings(p);
    case TPL_TOKEN_INT:
        v.u.i = p->now.i;
        break;
    case TPL_TOKEN_FLOAT:
        v.type = TPL_FLOAT;
        v.u.f = p->now.f;
        break;
    case TPL_TOKEN_END:
    case TPL_TOKEN_OPERATOR:
        if (tpl_is_operator(p, "(")) {
            return list(p, ")");
        }
        if (tpl_is_operator(p, "[")) {
            return list(p, "]");
        }
        return tpl_is_operator(p, "{") ? dict(p) : tpl_unexpected(p, "an expression");
    }
    LF_TRY(tpl_emit_constant(p, TPL_OP_CONST, v, 0));
    return tpl_next(p);
}

/* ---- Postfixes ---- */

/* One bound of a slice; none is the constant none. */
static int32_t bound(tpl_parser *p)
{
    if (tpl_is_operator(p, ":") || tpl_is_operator(p, "]") || tpl_is_operator(p, ",")) {
        return tpl_emit_constant(p, TPL_OP_CONST, tpl_none(), 0);
    }
    return tpl_expression(p);
}

static int32_t subscript(tpl_parser *p)
{
    LF_TRY(tpl_next(p));
    if (tpl_is_operator(p, "]")) { /* Jinja: the index () */
        LF_TRY(tpl_emit(p, TPL_OP_TUPLE, 0, 0, 0));
        LF_TRY(tpl_emit(p, TPL_OP_GETITEM, 0, 0, 0));
        return tpl_next(p);
    }
    bool slice = tpl_is_operator(p, ":");
    LF_TRY(bound(p));
    if (slice || tpl_is_operator(p, ":")) {
        LF_TRY(tpl_next(p));
        LF_TRY(bound(p));
        if (tpl_is_operator(p, ":")) {
            LF_TRY(tpl_next(p));
        }
        LF_TRY(bound(p));
        LF_TRY(tpl_emit(p, TPL_OP_SLICE, 0, 0, 0));
        return tpl_expect(p, "]");
    }
    int32_t n = 1;
    while (tpl_is_operator(p, ",")) {
        LF_TRY(tpl_next(p));
        if (tpl_is_operator(p, "]")) {
            break;
        }
        LF_TRY(tpl_expression(p));
        n++;
    }
    if (n > 1) {
        LF_TRY(tpl_emit(p, TPL_OP_TUPLE, n, 0, 0));
    }
    LF_TRY(tpl_emit(p, TPL_OP_GETITEM, 0, 0, 0));
    return tpl_expect(p, "]");
}

static int32_t attribute(tpl_parser *p)
{
    LF_TRY(tpl_next(p));
    if (p->now.type == TPL_TOKEN_NAME) {
        uint32_t name = 0;
        LF_TRY(tpl_name(p, p->now.text, p->now.len, &name));
        LF_TRY(tpl_emit(p, TPL_OP_GETATTR, (int32_t)name, 0, 0));
    } else if (p->now.type == TPL_TOKEN_INT) {
        tpl_value v = {.type = TPL_INT, .u.i = p->now.i};
        LF_TRY(tpl_emit_constant(p, TPL_OP_CONST, v, 0));
        LF_TRY(tpl_emit(p, TPL_OP_GETITEM, 0, 0, 0));
    } else {
        return tpl_unexpected(p, "a name or number");
    }
    return tpl_next(p);
}

static int32_t call(tpl_parser *p)
{
    uint32_t n = 0, n_named = 0;
    LF_TRY(arguments(p, &n, &n_named));
    return tpl_emit(p, TPL_OP_CALL, 0, n, n_named);
}

static int32_t postfixes(tpl_parser *p)
{
    for (;;) {
        if (tpl_is_operator(p, ".")) {
            LF_TRY(attribute(p));
        } else if (tpl_is_operator(p, "[")) {
            LF_TRY(subscript(p));
        } else if (tpl_is_operator(p, "(")) {
            LF_TRY(call(p));
        } else {
            return LFM2_OK;
        }
    }
}

int32_t tpl_postfix_expression(tpl_parser *p)
{
    LF_TRY(primary(p));
    return postfixes(p);
}

/* The name of a filter or test, with dots, and the table entry; *entry is NULL if there is none. */
static int32_t function_name(tpl_parser *p, bool test, const tpl_filter **entry, tpl_token *name)
{
    if (p->now.type != TPL_TOKEN_NAME) {
        return tpl_unexpected(p, test ? "the name of a test" : "the name of a filter");
    }
    *name = p->now;
    *entry = test ? tpl_find_test(name->text, name->len) : tpl_find_filter(name->text, name->len);
    LF_TRY(tpl_next(p));
    while (tpl_is_operator(p, ".")) {
        LF_TRY(tpl_next(p));
        if (p->now.type != TPL_TOKEN_NAME) {
            return tpl_unexpected(p, "a name");
        }
        *entry = NULL;
        LF_TRY(tpl_next(p));
    }
    return LFM2_OK;
}

/* Ends the code of a filter or test. */
static int32_t apply(tpl_parser *p, bool test, const tpl_filter *entry, const tpl_token *name,
                     uint32_t n, uint32_t n_named)
{
    if (entry == NULL && !p->soft && p->unknown.kind == NULL) {
        p->unknown = (tpl_unknown){test ? "test" : "filter", *name};
    }
    if (entry == NULL || entry->call == NULL) {
        return tpl_emit_text(p, TPL_OP_UNKNOWN, name->text, name->len, test);
    }
    tpl_value v = {.type = TPL_BUILTIN};
    memcpy(&v.u, &entry, sizeof entry);
    LF_TRY(tpl_emit_constant(p, test ? TPL_OP_TEST : TPL_OP_FILTER, v, n_named));
    p->t->code[p->t->n_code - 1].n = (uint16_t)n;
    return LFM2_OK;
}

static int32_t filter(tpl_parser *p)
{
    const tpl_filter *entry = NULL;
    tpl_token name;
    uint32_t n = 0, n_named = 0;
    LF_TRY(function_name(p, false, &entry, &name));
    if (tpl_is_operator(p, "(")) {
        LF_TRY(arguments(p, &n, &n_named));
    }
    return apply(p, false, entry, &name, n, n_named);
}

int32_t tpl_filter_chain(tpl_parser *p)
{
    LF_TRY(filter(p));
    while (tpl_is_operator(p, "|")) {
        LF_TRY(tpl_next(p));
        LF_TRY(filter(p));
    }
    return LFM2_OK;
}

static int32_t test(tpl_parser *p)
{
    LF_TRY(tpl_next(p));
    bool negated = tpl_is_name(p, "not");
    if (negated) {
        LF_TRY(tpl_next(p));
    }
    const tpl_filter *entry = NULL;
    tpl_token name;
    uint32_t n = 0, n_named = 0;
    LF_TRY(function_name(p, true, &entry, &name));
    bool operand = p->now.type == TPL_TOKEN_OPERATOR
                       ? tpl_is_operator(p, "[") || tpl_is_operator(p, "{")
                       : p->now.type != TPL_TOKEN_END;
    if (tpl_is_operator(p, "(")) {
        LF_TRY(arguments(p, &n, &n_named));
    } else if (operand && !tpl_is_name(p, "else") && !tpl_is_name(p, "or") &&
               !tpl_is_name(p, "and")) {
        if (tpl_is_name(p, "is")) {
            return tpl_syntax_error(p->now.line, "tests cannot be chained with is");
        }
        LF_TRY(tpl_postfix_expression(p));
        n = 1;
    }
    LF_TRY(apply(p, true, entry, &name, n, n_named));
    return negated ? tpl_emit(p, TPL_OP_NOT, 0, 0, 0) : LFM2_OK;
}

int32_t tpl_unary(tpl_parser *p)
{
    char signs[32];
    size_t n = 0;
    while (tpl_is_operator(p, "-") || tpl_is_operator(p, "+")) {
        if (n == sizeof signs) {
            return lf_fail(LFM2_E_LIMIT, "template.nesting",
                           "chat template, line %u: more than %zu signs", p->now.line, n);
        }
        signs[n++] = *p->now.text;
        LF_TRY(tpl_next(p));
    }
    LF_TRY(tpl_postfix_expression(p));
    while (n > 0) {
        LF_TRY(tpl_emit(p, TPL_OP_NEGATE, 0, 0, signs[--n] == '-'));
    }
    for (;;) {
        if (tpl_is_operator(p, "|")) {
            LF_TRY(tpl_next(p));
            LF_TRY(filter(p));
        } else if (tpl_is_name(p, "is")) {
            LF_TRY(test(p));
        } else if (tpl_is_operator(p, "(")) {
            LF_TRY(call(p));
        } else {
            return LFM2_OK;
        }
    }
}
