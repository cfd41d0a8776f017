/* SPDX-License-Identifier: Apache-2.0 */
/* Compiles the tags {% ... %}. */
#include "text/template/parse.h"

#include "common/utf8.h"

#include <string.h>

static int32_t push_block(tpl_parser *p, tpl_block_type type, tpl_block **out)
{
    if (p->n_blocks == TPL_MAX_BLOCKS) {
        return lf_fail(LFM2_E_LIMIT, "template.nesting",
                       "chat template, line %u: blocks nested more than %d deep", p->now.line,
                       TPL_MAX_BLOCKS);
    }
    tpl_block *b = &p->blocks[p->n_blocks++];
    *b = (tpl_block){
        .type = type, .line = p->now.line, .start = -1, .pending = -1, .ends = -1, .soft = p->soft};
    *out = b;
    return LFM2_OK;
}

static tpl_block *top_block(tpl_parser *p)
{
    return p->n_blocks > 0 ? &p->blocks[p->n_blocks - 1] : NULL;
}

static void pop_block(tpl_parser *p)
{
    p->soft = p->blocks[--p->n_blocks].soft;
}

int32_t tpl_need_end(const tpl_parser *p)
{
    return p->now.type == TPL_TOKEN_END ? LFM2_OK : tpl_unexpected(p, "the end of the tag");
}

/* ---- Targets ---- */

static int32_t space_for_target(const tpl_parser *p, const tpl_targets *to)
{
    if (to->n == TPL_MAX_TARGETS) {
        return lf_fail(LFM2_E_LIMIT, "template.targets",
                       "chat template, line %u: more than %d names to assign to", p->now.line,
                       TPL_MAX_TARGETS);
    }
    return LFM2_OK;
}

static int32_t target_tuple(tpl_parser *p, tpl_targets *to, bool namespaces, uint32_t depth);

static int32_t target(tpl_parser *p, tpl_targets *to, bool namespaces, uint32_t depth)
{
    if (tpl_is_operator(p, "(") && depth < 4) {
        LF_TRY(tpl_next(p));
        LF_TRY(target_tuple(p, to, namespaces, depth + 1));
        return tpl_expect(p, ")");
    }
    if (p->now.type != TPL_TOKEN_NAME) {
        return tpl_syntax_error(p->now.line, "expected a name to assign to");
    }
    LF_TRY(space_for_target(p, to));
    static const char *const constants[] = {"true", "false", "none", "True", "False", "None"};
    for (size_t i = 0; i < sizeof constants / sizeof *constants; i++) {
        if (tpl_is_name(p, constants[i])) {
            return tpl_syntax_error(p->now.line, "cannot assign to %s", constants[i]);
        }
    }
    size_t i = to->n++;
    to->t[i].type = 0;
    LF_TRY(tpl_name(p, p->now.text, p->now.len, &to->t[i].a));
    to->t[i].n = 0;
    LF_TRY(tpl_next(p));
    if (namespaces && tpl_is_operator(p, ".")) {
        LF_TRY(tpl_next(p));
        if (p->now.type != TPL_TOKEN_NAME) {
            return tpl_syntax_error(p->now.line, "expected the name of an attribute");
        }
        to->t[i].type = 1;
        LF_TRY(tpl_name(p, p->now.text, p->now.len, &to->t[i].n));
        LF_TRY(tpl_next(p));
    }
    return LFM2_OK;
}

/* One target, or several with commas. */
static int32_t target_tuple(tpl_parser *p, tpl_targets *to, bool namespaces, uint32_t depth)
{
    size_t start = to->n;
    uint32_t n = 0;
    bool tuple = false;
    do {
        LF_TRY(target(p, to, namespaces, depth));
        n++;
        if (!tpl_is_operator(p, ",")) {
            break;
        }
        tuple = true;
        LF_TRY(tpl_next(p));
    } while (p->now.type == TPL_TOKEN_NAME || tpl_is_operator(p, "("));
    if (tuple) {
        LF_TRY(space_for_target(p, to));
        memmove(&to->t[start + 1], &to->t[start], (to->n - start) * sizeof to->t[0]);
        to->t[start].type = 2;
        to->t[start].a = n;
        to->t[start].n = 0;
        to->n++;
    }
    return LFM2_OK;
}

/* ---- if ---- */

static int32_t begin_if(tpl_parser *p)
{
    tpl_block *b = NULL;
    LF_TRY(push_block(p, TPL_BLOCK_IF, &b));
    LF_TRY(tpl_next(p));
    p->soft = true;
    LF_TRY(tpl_tuple(p, false));
    LF_TRY(tpl_emit_jump(p, TPL_OP_JUMP_FALSE, &b->pending));
    return tpl_need_end(p);
}

static int32_t next_branch(tpl_parser *p, tpl_block *b)
{
    bool other = tpl_is_name(p, "else");
    if (b->has_else) {
        return tpl_syntax_error(p->now.line, "a branch after else");
    }
    LF_TRY(tpl_emit_jump(p, TPL_OP_JUMP, &b->ends));
    tpl_resolve(p, &b->pending);
    b->has_else = other;
    LF_TRY(tpl_next(p));
    if (!other) {
        LF_TRY(tpl_tuple(p, false));
        LF_TRY(tpl_emit_jump(p, TPL_OP_JUMP_FALSE, &b->pending));
    }
    return tpl_need_end(p);
}

/* ---- for ---- */

/* {% for x in items if condition %}: a loop that keeps the items with a true condition. */
static int32_t filter_items(tpl_parser *p, const tpl_targets *targets)
{
    int32_t end = -1;
    LF_TRY(tpl_next(p));
    LF_TRY(tpl_emit(p, TPL_OP_FOR, 0, 1, 0));
    int32_t start = (int32_t)p->t->n_code;
    LF_TRY(tpl_emit_jump(p, TPL_OP_FOR_NEXT, &end));
    LF_TRY(tpl_emit_targets(p, targets));
    LF_TRY(tpl_expression(p));
    LF_TRY(tpl_emit(p, TPL_OP_FOR_KEEP, start - (int32_t)p->t->n_code, 0, 0));
    tpl_resolve(p, &end);
    return tpl_emit(p, TPL_OP_FOR_KEPT, 0, 0, 0);
}

static int32_t begin_for(tpl_parser *p)
{
    tpl_block *b = NULL;
    tpl_targets targets = {.n = 0};
    LF_TRY(push_block(p, TPL_BLOCK_FOR, &b));
    LF_TRY(tpl_next(p));
    LF_TRY(target_tuple(p, &targets, false, 0));
    if (!tpl_is_name(p, "in")) {
        return tpl_syntax_error(p->now.line, "expected in");
    }
    LF_TRY(tpl_next(p));
    LF_TRY(tpl_tuple(p, false));
    if (tpl_is_name(p, "if")) {
        LF_TRY(filter_items(p, &targets));
    }
    if (tpl_is_name(p, "recursive")) {
        return lf_fail(LFM2_E_UNSUPPORTED, "template.unsupported",
                       "chat template, line %u: recursive loops are not supported", p->now.line);
    }
    LF_TRY(tpl_emit(p, TPL_OP_FOR, 0, 0, 0));
    b->start = (int32_t)p->t->n_code;
    LF_TRY(tpl_emit_jump(p, TPL_OP_FOR_NEXT, &b->pending));
    LF_TRY(tpl_emit_targets(p, &targets));
    p->soft = false;
    return tpl_need_end(p);
}

/* The end of the loop itself. An else branch follows where `b->pending` is. */
static int32_t finish_loop(tpl_parser *p, tpl_block *b)
{
    LF_TRY(tpl_emit(p, TPL_OP_FOR_MARK, 0, 0, 0));
    LF_TRY(tpl_emit(p, TPL_OP_JUMP, b->start - (int32_t)p->t->n_code, 0, 0));
    tpl_resolve(p, &b->pending);
    tpl_resolve(p, &b->ends);
    return tpl_emit_jump(p, TPL_OP_FOR_END, &b->pending);
}

static int32_t for_else(tpl_parser *p, tpl_block *b)
{
    LF_TRY(finish_loop(p, b));
    b->type = TPL_BLOCK_FOR_ELSE;
    LF_TRY(tpl_emit(p, TPL_OP_SCOPE, 0, 0, 0));
    LF_TRY(tpl_next(p));
    return tpl_need_end(p);
}

static int32_t end_for(tpl_parser *p, tpl_block *b)
{
    if (b->type == TPL_BLOCK_FOR_ELSE) {
        LF_TRY(tpl_emit(p, TPL_OP_SCOPE_END, 0, 0, 0));
    } else {
        LF_TRY(finish_loop(p, b));
    }
    tpl_resolve(p, &b->pending);
    return LFM2_OK;
}

static int32_t leave_loop(tpl_parser *p)
{
    bool out = tpl_is_name(p, "break");
    int32_t frames = 0;
    size_t i = p->n_blocks;
    for (; i > 0; i--) {
        tpl_block_type type = p->blocks[i - 1].type;
        if (type == TPL_BLOCK_FOR) {
            break;
        }
        if (type == TPL_BLOCK_MACRO || type == TPL_BLOCK_CALL || type == TPL_BLOCK_GENERATION) {
            i = 0;
            break;
        }
        frames += type != TPL_BLOCK_IF;
    }
    if (i == 0) {
        return tpl_syntax_error(p->now.line, "%s outside of a loop", out ? "break" : "continue");
    }
    tpl_block *loop = &p->blocks[i - 1];
    if (frames > 0) {
        LF_TRY(tpl_emit(p, TPL_OP_UNWIND, frames, 0, 0));
    }
    LF_TRY(out ? tpl_emit_jump(p, TPL_OP_JUMP, &loop->ends)
               : tpl_emit(p, TPL_OP_JUMP, loop->start - (int32_t)p->t->n_code, 0, 0));
    LF_TRY(tpl_next(p));
    return tpl_need_end(p);
}

/* ---- set, with, filter ---- */

/* Filters for a block whose code is still to come: it jumps back to them. */
static int32_t filters_first(tpl_parser *p, tpl_block *b)
{
    int32_t over = -1;
    LF_TRY(tpl_emit_jump(p, TPL_OP_JUMP, &over));
    b->start = (int32_t)p->t->n_code;
    LF_TRY(tpl_filter_chain(p));
    LF_TRY(tpl_emit_jump(p, TPL_OP_JUMP, &b->ends));
    tpl_resolve(p, &over);
    return LFM2_OK;
}

static int32_t begin_set(tpl_parser *p)
{
    tpl_targets targets = {.n = 0};
    LF_TRY(tpl_next(p));
    LF_TRY(target_tuple(p, &targets, true, 0));
    if (tpl_is_operator(p, "=")) {
        LF_TRY(tpl_next(p));
        LF_TRY(tpl_tuple(p, true));
        LF_TRY(tpl_emit_targets(p, &targets));
        return tpl_need_end(p);
    }
    tpl_block *b = NULL;
    void *copy = NULL;
    LF_TRY(push_block(p, TPL_BLOCK_SET, &b));
    LF_TRY(lf_arena_new(&p->t->arena, 1, sizeof targets, "chat template", &copy));
    b->targets = copy;
    *b->targets = targets;
    if (tpl_is_operator(p, "|")) {
        LF_TRY(tpl_next(p));
        LF_TRY(filters_first(p, b));
    }
    p->soft = false;
    LF_TRY(tpl_emit(p, TPL_OP_CAPTURE, 0, 0, 0));
    return tpl_need_end(p);
}

static int32_t begin_filter(tpl_parser *p)
{
    tpl_block *b = NULL;
    LF_TRY(push_block(p, TPL_BLOCK_FILTER, &b));
    LF_TRY(tpl_next(p));
    LF_TRY(filters_first(p, b));
    p->soft = false;
    LF_TRY(tpl_emit(p, TPL_OP_CAPTURE, 0, 0, 0));
    return tpl_need_end(p);
}

static int32_t end_capture(tpl_parser *p, tpl_block *b)
{
    LF_TRY(tpl_emit(p, TPL_OP_CAPTURE_END, 0, 0, 0));
    if (b->start >= 0) {
        LF_TRY(tpl_emit(p, TPL_OP_JUMP, b->start - (int32_t)p->t->n_code, 0, 0));
        tpl_resolve(p, &b->ends);
    }
    return b->type == TPL_BLOCK_SET ? tpl_emit_targets(p, b->targets)
                                    : tpl_emit(p, TPL_OP_PRINT, 0, 0, 1);
}

static int32_t begin_with(tpl_parser *p)
{
    tpl_block *b = NULL;
    tpl_targets targets = {.n = 0};
    LF_TRY(push_block(p, TPL_BLOCK_WITH, &b));
    LF_TRY(tpl_next(p));
    while (p->now.type != TPL_TOKEN_END) {
        if (targets.n > 0) {
            LF_TRY(tpl_expect(p, ","));
        }
        LF_TRY(target(p, &targets, false, 4));
        LF_TRY(tpl_expect(p, "="));
        LF_TRY(tpl_expression(p));
    }
    LF_TRY(tpl_emit(p, TPL_OP_SCOPE, 0, 0, 0));
    while (targets.n > 0) {
        LF_TRY(tpl_emit(p, TPL_OP_STORE, (int32_t)targets.t[--targets.n].a, 0, 0));
    }
    p->soft = false;
    return LFM2_OK;
}

/* ---- macro, call, generation ---- */

static int32_t new_macro(tpl_parser *p, uint32_t name, tpl_block *b, tpl_macro_code **out)
{
    lf_template *t = p->t;
    if (t->n_macros == t->cap_macros) {
        size_t cap = t->cap_macros > 0 ? 2 * t->cap_macros : 16;
        void *larger = NULL;
        LF_TRY(lf_arena_new(&t->arena, cap, sizeof(*t->macros), "chat template", &larger));
        if (t->n_macros > 0) {
            memcpy(larger, t->macros, t->n_macros * sizeof(*t->macros));
        }
        t->macros = larger;
        t->cap_macros = cap;
    }
    void *m = NULL;
    LF_TRY(lf_arena_new(&t->arena, 1, sizeof(tpl_macro_code), "chat template", &m));
    *out = m;
    **out = (tpl_macro_code){.name = name};
    b->macro = (int32_t)t->n_macros;
    t->macros[t->n_macros++] = m;
    return LFM2_OK;
}

/* (a, b=1). The defaults become the first code of the macro. */
static int32_t signature(tpl_parser *p, tpl_macro_code *m)
{
    LF_TRY(tpl_expect(p, "("));
    bool defaults = false;
    while (!tpl_is_operator(p, ")")) {
        if (m->n_params > 0) {
            LF_TRY(tpl_expect(p, ","));
        }
        tpl_targets name = {.n = 0};
        if (m->n_params == TPL_MAX_PARAMS) {
            return lf_fail(LFM2_E_LIMIT, "template.parameters",
                           "chat template, line %u: more than %d parameters", p->now.line,
                           TPL_MAX_PARAMS);
        }
        LF_TRY(target(p, &name, false, 4));
        uint32_t i = m->n_params++;
        m->params[i] = name.t[0].a;
        if (tpl_is_operator(p, "=")) {
            int32_t given = -1;
            defaults = m->has_default[i] = true;
            LF_TRY(tpl_next(p));
            LF_TRY(tpl_emit_jump(p, TPL_OP_DEFAULT, &given));
            p->t->code[given].n = (uint16_t)i;
            LF_TRY(tpl_expression(p));
            LF_TRY(tpl_emit(p, TPL_OP_STORE, (int32_t)m->params[i], 0, 0));
            tpl_resolve(p, &given);
        } else if (defaults) {
            return tpl_syntax_error(p->now.line, "a parameter without default after one with it");
        }
    }
    return tpl_expect(p, ")");
}

static int32_t begin_macro(tpl_parser *p)
{
    tpl_block *b = NULL;
    tpl_macro_code *m = NULL;
    tpl_targets name = {.n = 0};
    LF_TRY(push_block(p, TPL_BLOCK_MACRO, &b));
    LF_TRY(tpl_next(p));
    LF_TRY(target(p, &name, false, 4));
    LF_TRY(new_macro(p, name.t[0].a, b, &m));
    LF_TRY(tpl_emit_jump(p, TPL_OP_JUMP, &b->start));
    m->entry = (uint32_t)p->t->n_code;
    LF_TRY(signature(p, m));
    p->soft = false;
    return tpl_need_end(p);
}

static int32_t end_macro(tpl_parser *p, tpl_block *b)
{
    LF_TRY(tpl_emit(p, TPL_OP_RETURN, 0, 0, 0));
    tpl_resolve(p, &b->start);
    if (b->type == TPL_BLOCK_MACRO) {
        LF_TRY(tpl_emit(p, TPL_OP_MACRO, b->macro, 0, 0));
        return tpl_emit(p, TPL_OP_STORE, (int32_t)p->t->macros[b->macro]->name, 0, 0);
    }
    LF_TRY(tpl_emit_text(p, TPL_OP_CONST, "caller", 6, 0));
    LF_TRY(tpl_emit(p, TPL_OP_MACRO, b->macro, 0, 0));
    LF_TRY(tpl_emit(p, TPL_OP_CALL, 0, b->call.n, b->call.x + 1u));
    return tpl_emit(p, TPL_OP_PRINT, 0, 0, 0);
}

/* {% call(a) f(x) %}: the parameters are compiled before f's arguments, and jumped over. */
static int32_t begin_call(tpl_parser *p)
{
    tpl_block *b = NULL;
    tpl_macro_code *m = NULL;
    int32_t over = -1, body = -1;
    LF_TRY(push_block(p, TPL_BLOCK_CALL, &b));
    LF_TRY(new_macro(p, UINT32_MAX, b, &m));
    LF_TRY(tpl_next(p));
    LF_TRY(tpl_emit_jump(p, TPL_OP_JUMP, &over));
    m->entry = (uint32_t)p->t->n_code;
    if (tpl_is_operator(p, "(")) {
        LF_TRY(signature(p, m));
    }
    LF_TRY(tpl_emit_jump(p, TPL_OP_JUMP, &body));
    tpl_resolve(p, &over);
    if (p->now.type != TPL_TOKEN_NAME) {
        return tpl_syntax_error(p->now.line, "expected a call");
    }
    LF_TRY(tpl_postfix_expression(p));
    tpl_code last = p->t->code[p->t->n_code - 1];
    if (last.op != TPL_OP_CALL) {
        return tpl_syntax_error(p->now.line, "expected a call");
    }
    p->t->n_code--;
    b->call = last;
    LF_TRY(tpl_emit_jump(p, TPL_OP_JUMP, &b->start));
    tpl_resolve(p, &body);
    p->soft = false;
    return tpl_need_end(p);
}

static int32_t begin_generation(tpl_parser *p)
{
    tpl_block *b = NULL;
    LF_TRY(push_block(p, TPL_BLOCK_GENERATION, &b));
    LF_TRY(tpl_emit(p, TPL_OP_SCOPE, 0, 0, 0));
    LF_TRY(tpl_next(p));
    p->soft = false;
    return tpl_need_end(p);
}

/* ---- Dispatch ---- */

static int32_t print(tpl_parser *p)
{
    LF_TRY(tpl_next(p));
    while (p->now.type != TPL_TOKEN_END) {
        LF_TRY(tpl_expression(p));
        LF_TRY(tpl_emit(p, TPL_OP_PRINT, 0, 0, 0));
        if (p->now.type != TPL_TOKEN_END) {
            LF_TRY(tpl_expect(p, ","));
        }
    }
    return LFM2_OK;
}

static int32_t end_scope(tpl_parser *p, tpl_block *b)
{
    (void)b;
    return tpl_emit(p, TPL_OP_SCOPE_END, 0, 0, 0);
}

static int32_t end_if(tpl_parser *p, tpl_block *b)
{
    tpl_resolve(p, &b->pending);
    tpl_resolve(p, &b->ends);
    return LFM2_OK;
}

typedef struct tag {
    const char *name;
    int32_t (*begin)(tpl_parser *p);
    int32_t (*end)(tpl_parser *p, tpl_block *b);
    tpl_block_type type; /* `end`: of the block that it ends */
} tag;

static const tag tags[] = {{"if", begin_if, NULL, 0},
                           {"for", begin_for, NULL, 0},
                           {"set", begin_set, NULL, 0},
                           {"macro", begin_macro, NULL, 0},
                           {"call", begin_call, NULL, 0},
                           {"filter", begin_filter, NULL, 0},
                           {"with", begin_with, NULL, 0},
                           {"generation", begin_generation, NULL, 0},
                           {"break", leave_loop, NULL, 0},
                           {"continue", leave_loop, NULL, 0},
                           {"print", print, NULL, 0},
                           {"endif", NULL, end_if, TPL_BLOCK_IF},
                           {"endfor", NULL, end_for, TPL_BLOCK_FOR},
                           {"endset", NULL, end_capture, TPL_BLOCK_SET},
                           {"endmacro", NULL, end_macro, TPL_BLOCK_MACRO},
                           {"endcall", NULL, end_macro, TPL_BLOCK_CALL},
                           {"endfilter", NULL, end_capture, TPL_BLOCK_FILTER},
                           {"endwith", NULL, end_scope, TPL_BLOCK_WITH},
                           {"endgeneration", NULL, end_scope, TPL_BLOCK_GENERATION}};

static int32_t unknown_tag(const tpl_parser *p)
{
    static const char *const refused[] = {"block",  "extends", "include",
                                          "import", "from",    "autoescape"};
    for (size_t i = 0; i < sizeof refused / sizeof *refused; i++) {
        if (tpl_is_name(p, refused[i])) {
            return lf_fail(LFM2_E_UNSUPPORTED, "template.unsupported",
                           "chat template, line %u: the tag %s is not supported", p->now.line,
                           refused[i]);
        }
    }
    lf_shown shown;
    return tpl_syntax_error(p->now.line, "unknown tag %s",
                            lf_show(&shown, p->now.text, p->now.len));
}

int32_t tpl_statement(tpl_parser *p)
{
    tpl_block *b = top_block(p);
    if (p->now.type != TPL_TOKEN_NAME) {
        return tpl_syntax_error(p->now.line, "expected the name of a tag");
    }
    bool other = tpl_is_name(p, "else");
    if (b != NULL && b->type == TPL_BLOCK_IF && (other || tpl_is_name(p, "elif"))) {
        return next_branch(p, b);
    }
    if (b != NULL && b->type == TPL_BLOCK_FOR && other) {
        return for_else(p, b);
    }
    for (size_t i = 0; i < sizeof tags / sizeof *tags; i++) {
        if (!tpl_is_name(p, tags[i].name)) {
            continue;
        }
        if (tags[i].begin != NULL) {
            return tags[i].begin(p);
        }
        tpl_block_type type = tags[i].type;
        if (b == NULL ||
            (b->type != type && !(type == TPL_BLOCK_FOR && b->type == TPL_BLOCK_FOR_ELSE))) {
            return tpl_syntax_error(p->now.line, "%s without its beginning", tags[i].name);
        }
        LF_TRY(tpl_next(p));
        LF_TRY(tpl_need_end(p));
        LF_TRY(tags[i].end(p, b));
        pop_block(p);
        return LFM2_OK;
    }
    return unknown_tag(p);
}
