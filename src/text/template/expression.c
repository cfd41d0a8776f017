/* SPDX-License-Identifier: Apache-2.0 */
/* Compiles expressions of operators and operands. */
#include "text/template/parse.h"

#include <string.h>

enum { PREC_OR = 1, PREC_AND, PREC_NOT, PREC_COMPARE, PREC_ADD, PREC_CONCAT, PREC_MUL, PREC_POW };

typedef struct binary_op {
    const char *text;
    uint8_t precedence, x; /* x: operand of the instruction */
} binary_op;

static const binary_op binary_ops[] = {
    {"==", PREC_COMPARE, TPL_EQ}, {"!=", PREC_COMPARE, TPL_NE}, {"<", PREC_COMPARE, TPL_LT},
    {"<=", PREC_COMPARE, TPL_LE}, {">", PREC_COMPARE, TPL_GT},  {">=", PREC_COMPARE, TPL_GE},
    {"+", PREC_ADD, '+'},         {"-", PREC_ADD, '-'},         {"~", PREC_CONCAT, 0},
    {"*", PREC_MUL, '*'},         {"/", PREC_MUL, '/'},         {"//", PREC_MUL, '\\'},
    {"%", PREC_MUL, '%'},         {"**", PREC_POW, '^'}};

/* Whether the current token begins `not in`. */
static bool is_not_in(const tpl_parser *p)
{
    size_t len = 0;
    const char *text = tpl_following(p, &len);
    return tpl_is_name(p, "not") && len > 2 && memcmp(text, "in", 2) == 0 &&
           strchr("_0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ", text[2]) ==
               NULL;
}

/* The operator at the current token; precedence 0: none. */
static binary_op current_op(const tpl_parser *p)
{
    for (size_t i = 0; i < sizeof binary_ops / sizeof *binary_ops; i++) {
        if (tpl_is_operator(p, binary_ops[i].text)) {
            return binary_ops[i];
        }
    }
    if (tpl_is_name(p, "or")) {
        return (binary_op){"or", PREC_OR, 0};
    }
    if (tpl_is_name(p, "and")) {
        return (binary_op){"and", PREC_AND, 0};
    }
    if (tpl_is_name(p, "in")) {
        return (binary_op){"in", PREC_COMPARE, TPL_IN};
    }
    if (is_not_in(p)) {
        return (binary_op){"not", PREC_COMPARE, TPL_NOT_IN};
    }
    return (binary_op){"", 0, 0};
}

static int32_t binary(tpl_parser *p, uint8_t least);

/* A comparison, or a chain of them. The left side is on the stack. */
static int32_t comparison(tpl_parser *p, binary_op op)
{
    int32_t ends = -1;
    while (op.precedence == PREC_COMPARE) {
        LF_TRY(tpl_next(p));
        if (op.x == TPL_NOT_IN) {
            LF_TRY(tpl_next(p));
        }
        LF_TRY(binary(p, PREC_ADD));
        binary_op following = current_op(p);
        if (following.precedence == PREC_COMPARE) {
            LF_TRY(tpl_emit_jump(p, TPL_OP_CHAIN, &ends));
            p->t->code[p->t->n_code - 1].x = op.x;
        } else {
            LF_TRY(tpl_emit(p, TPL_OP_COMPARE, 0, 0, op.x));
        }
        op = following;
    }
    tpl_resolve(p, &ends);
    return LFM2_OK;
}

/* One operator of higher precedence than comparisons, or `and`, `or`. */
static int32_t operation(tpl_parser *p, binary_op op)
{
    int32_t end = -1;
    if (op.precedence == PREC_OR || op.precedence == PREC_AND) {
        LF_TRY(tpl_emit_jump(p, op.precedence == PREC_OR ? TPL_OP_OR : TPL_OP_AND, &end));
    }
    LF_TRY(tpl_next(p));
    LF_TRY(binary(p, (uint8_t)(op.precedence + 1)));
    tpl_resolve(p, &end);
    if (op.precedence == PREC_CONCAT) {
        return tpl_emit(p, TPL_OP_CONCAT, 0, 0, 0);
    }
    return op.precedence >= PREC_ADD ? tpl_emit(p, TPL_OP_ARITHMETIC, 0, 0, op.x) : LFM2_OK;
}

/* Operators of at least this precedence. */
static int32_t binary(tpl_parser *p, uint8_t least)
{
    LF_TRY(tpl_enter(p));
    size_t n_not = 0;
    uint8_t most = PREC_POW; /* of the next operator */
    if (least <= PREC_NOT) {
        for (; tpl_is_name(p, "not"); n_not++) {
            LF_TRY(tpl_next(p));
        }
    }
    if (n_not > 0) {
        LF_TRY(binary(p, PREC_COMPARE));
        for (; n_not > 0; n_not--) {
            LF_TRY(tpl_emit(p, TPL_OP_NOT, 0, 0, 0));
        }
        most = PREC_AND;
    } else {
        LF_TRY(tpl_unary(p));
    }
    for (;;) {
        binary_op op = current_op(p);
        if (op.precedence < least || op.precedence == 0 || op.precedence > most) {
            break;
        }
        LF_TRY(op.precedence == PREC_COMPARE ? comparison(p, op) : operation(p, op));
    }
    p->nesting--;
    return LFM2_OK;
}

int32_t tpl_expression(tpl_parser *p)
{
    enum { MAX_REPEATS = 50 };
    LF_TRY(tpl_enter(p));
    bool soft = p->soft;
    int32_t ends = -1;
    size_t repeats = 0;
    size_t start = p->t->n_code;
    const tpl_unknown unknown = p->unknown;
    LF_TRY(binary(p, PREC_OR));
    while (tpl_is_name(p, "if")) {
        p->unknown = unknown; /* what precedes `if` is conditional, too */
        if (++repeats > MAX_REPEATS) {
            return lf_fail(LFM2_E_LIMIT, "template.nesting",
                           "chat template, line %u: more than %d conditions in one expression",
                           p->now.line, MAX_REPEATS);
        }
        p->soft = true;
        size_t middle = p->t->n_code;
        LF_TRY(tpl_next(p));
        LF_TRY(binary(p, PREC_OR));
        LF_TRY(tpl_emit(p, TPL_OP_JUMP_FALSE, (int32_t)(middle - start) + 2, 0, 0));
        tpl_rotate(p, start, middle);
        int32_t end = -1;
        LF_TRY(tpl_emit_jump(p, TPL_OP_JUMP, &end));
        if (!tpl_is_name(p, "else")) {
            LF_TRY(tpl_emit_constant(p, TPL_OP_CONST, tpl_undefined(NULL), 0));
            tpl_resolve(p, &end);
            continue;
        }
        p->t->code[end].a = ends;
        ends = end;
        LF_TRY(tpl_next(p));
        start = p->t->n_code;
        LF_TRY(binary(p, PREC_OR));
    }
    tpl_resolve(p, &ends);
    p->soft = soft;
    p->nesting--;
    return LFM2_OK;
}

int32_t tpl_tuple(tpl_parser *p, bool condition)
{
    int32_t n = 0;
    bool tuple = false;
    while (p->now.type != TPL_TOKEN_END && !tpl_is_operator(p, ")")) {
        LF_TRY(condition ? tpl_expression(p) : binary(p, PREC_OR));
        n++;
        if (!tpl_is_operator(p, ",")) {
            break;
        }
        tuple = true;
        LF_TRY(tpl_next(p));
    }
    if (n == 0) {
        return tpl_unexpected(p, "an expression");
    }
    return tuple ? tpl_emit(p, TPL_OP_TUPLE, n, 0, 0) : LFM2_OK;
}
