/* SPDX-License-Identifier: Apache-2.0 */
/* Declares the lexer and the compiler of templates. */
#ifndef LF_TEXT_TEMPLATE_PARSE_H
#define LF_TEXT_TEMPLATE_PARSE_H

#include "text/template/code.h"

typedef enum {
    TPL_TOKEN_END, /* of the tag */
    TPL_TOKEN_NAME,
    TPL_TOKEN_STRING,
    TPL_TOKEN_INT,
    TPL_TOKEN_FLOAT,
    TPL_TOKEN_OPERATOR
} tpl_token_type;

typedef struct tpl_token {
    tpl_token_type type;
    const char *text; /* NAME, OPERATOR: its source; STRING: with its escapes, without quotes */
    size_t len;
    uint32_t line;
    double f;
    int64_t i;
} tpl_token;

typedef struct tpl_lexer {
    const char *text; /* line breaks normalized to \n */
    size_t len, pos;
    uint32_t line;
    bool block;        /* inside a tag {% */
    bool line_start;   /* what was read last ends a line */
    bool after_dot;    /* then digits are an integer */
    uint8_t open[128]; /* brackets that are open inside the tag */
    size_t n_open;
} tpl_lexer;

enum { TPL_MAX_BLOCKS = 100, TPL_MAX_NESTING = 80 };

typedef enum {
    TPL_BLOCK_IF,
    TPL_BLOCK_FOR,
    TPL_BLOCK_FOR_ELSE,
    TPL_BLOCK_SET,
    TPL_BLOCK_FILTER,
    TPL_BLOCK_MACRO,
    TPL_BLOCK_CALL,
    TPL_BLOCK_GENERATION,
    TPL_BLOCK_WITH
} tpl_block_type;

typedef struct tpl_block {
    tpl_block_type type;
    uint32_t line;
    int32_t start; /* FOR: of FOR_NEXT; MACRO, CALL: the jump over the body; FILTER: the filters */
    int32_t pending; /* IF: the jump to the next branch; -1: none */
    int32_t ends;    /* jumps to the end of the block, linked by their operand; -1: none */
    bool soft;       /* of the code around the block */
    bool has_else;
    int32_t macro;
    tpl_code call;               /* CALL */
    struct tpl_targets *targets; /* SET */
} tpl_block;

/* What a value is assigned to, in prefix order. */
enum { TPL_MAX_TARGETS = 32 };
typedef struct tpl_targets {
    size_t n;
    struct {
        uint8_t type; /* 0: name a; 1: attribute n of name a; 2: tuple of a targets */
        uint32_t a, n;
    } t[TPL_MAX_TARGETS];
} tpl_targets;

/* A filter or test that does not exist. */
typedef struct tpl_unknown {
    const char *kind; /* NULL: there is none */
    tpl_token name;
} tpl_unknown;

typedef struct tpl_parser {
    lf_template *t;
    tpl_lexer lex;
    tpl_token now;
    int32_t status; /* of the lexer, when `now` is an END that is none */
    uint32_t nesting;
    /* In conditional code an unknown filter or test fails only when it is reached. */
    bool soft;
    tpl_unknown unknown; /* the first one of the tag in other code */
    tpl_block blocks[TPL_MAX_BLOCKS];
    size_t n_blocks;
} tpl_parser;

/* ---- lexer.c ---- */

int32_t tpl_lex(tpl_lexer *lex, tpl_token *out);
/* Appends the string without its escapes. */
int32_t tpl_unescape(const tpl_token *token, char *to, size_t *len);
int32_t tpl_syntax_error(uint32_t line, const char *format, ...) LF_PRINTF(2, 3);

/* ---- emit.c ---- */

int32_t tpl_emit(tpl_parser *p, tpl_op op, int32_t a, uint32_t n, uint32_t x);
int32_t tpl_emit_constant(tpl_parser *p, tpl_op op, tpl_value v, uint32_t x);
int32_t tpl_emit_text(tpl_parser *p, tpl_op op, const char *text, size_t len, uint32_t x);
int32_t tpl_emit_targets(tpl_parser *p, const tpl_targets *targets);
/* Links a jump into a list; resolves all of the list to the next instruction. */
int32_t tpl_emit_jump(tpl_parser *p, tpl_op op, int32_t *list);
void tpl_resolve(tpl_parser *p, int32_t *list);
void tpl_rotate(tpl_parser *p, size_t from, size_t middle);
int32_t tpl_name(tpl_parser *p, const char *name, size_t len, uint32_t *out);

/* ---- operand.c, expression.c ---- */

int32_t tpl_unexpected(const tpl_parser *p, const char *expected);
/* The text after the current token, without white space. */
const char *tpl_following(const tpl_parser *p, size_t *len);
int32_t tpl_unary(tpl_parser *p);

int32_t tpl_next(tpl_parser *p);
bool tpl_is_operator(const tpl_parser *p, const char *op);
bool tpl_is_name(const tpl_parser *p, const char *name);
int32_t tpl_expect(tpl_parser *p, const char *op);
int32_t tpl_expression(tpl_parser *p);
/* An expression, or a tuple without parentheses. `condition`: a if b else c is allowed. */
int32_t tpl_tuple(tpl_parser *p, bool condition);
/* A primary expression with attributes, items and calls, without filters and tests. */
int32_t tpl_postfix_expression(tpl_parser *p);
/* A filter, its | already read. */
int32_t tpl_filter_chain(tpl_parser *p);
int32_t tpl_enter(tpl_parser *p);

/* ---- statement.c ---- */

int32_t tpl_statement(tpl_parser *p);
/* Fails unless the current token is the end of the tag. */
int32_t tpl_need_end(const tpl_parser *p);

#endif /* LF_TEXT_TEMPLATE_PARSE_H */
