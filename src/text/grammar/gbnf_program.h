/* SPDX-License-Identifier: Apache-2.0 */
/* A GBNF grammar after parsing, in postfix form: gbnf.c writes it, gbnf_build.c reads it. */
#ifndef LF_GRAMMAR_GBNF_PROGRAM_H
#define LF_GRAMMAR_GBNF_PROGRAM_H

#include "text/grammar/gbnf.h"

/* The part of the limit of memory that parsing may take. */
enum { LF_GBNF_SHARE = 4 };

/* Operators follow their operands. */
typedef enum lf_gbnf_kind {
    LF_GBNF_EMPTY,
    LF_GBNF_TEXT,      /* a: lf_rx; b: its size in characters or ranges */
    LF_GBNF_RULE,      /* a: index in `references`, after parsing in `rules` */
    LF_GBNF_TOKEN,     /* a: id */
    LF_GBNF_NOT_TOKEN, /* a: id; b: offset. The operand of a repetition without an upper limit */
    LF_GBNF_SEQUENCE,  /* a: operands, at least 2 */
    LF_GBNF_CHOICE,    /* a: operands, at least 2 */
    LF_GBNF_REPEAT     /* a to b times, b may be LF_RX_UNLIMITED; one operand */
} lf_gbnf_kind;

typedef struct lf_gbnf_op {
    lf_gbnf_kind kind;
    uint32_t a, b;
} lf_gbnf_op;

/* A name where a rule is defined or used. */
typedef struct lf_gbnf_name {
    size_t offset;
    uint32_t len;
} lf_gbnf_name;

typedef struct lf_gbnf_rule {
    lf_gbnf_name name;
    uint32_t begin, end; /* in `ops` */
} lf_gbnf_rule;

typedef struct lf_gbnf_program {
    lf_arena arena; /* of all arrays */
    const lf_gbnf_options *options;
    lf_grammar *grammar;
    const char *text;
    size_t len;
    uint64_t steps; /* used so far */
    lf_gbnf_op *ops;
    size_t n_ops, ops_size;
    lf_gbnf_rule *rules;
    size_t n_rules, rules_size;
    lf_gbnf_name *references;
    size_t n_references, references_size;
    uint32_t root;
} lf_gbnf_program;

/* Fails with a message that begins with the line and column of `offset`. */
int32_t lf_gbnf_fail(const lf_gbnf_program *p, int32_t status, const char *code, size_t offset,
                     const char *format, ...) LF_PRINTF(5, 6);

/* Counts steps of work. Errors: LIMIT. */
int32_t lf_gbnf_spend(lf_gbnf_program *p, uint64_t steps);

/* Makes space for one more item in an array of the arena. Errors: MEMORY, LIMIT. */
int32_t lf_gbnf_grow(lf_gbnf_program *p, void **items, size_t *size, size_t n, size_t item);

/* Parses what begins at text[*at], moves *at behind it and adds an operand (gbnf_terminal.c). */
int32_t lf_gbnf_literal(lf_gbnf_program *p, size_t *at);
int32_t lf_gbnf_class(lf_gbnf_program *p, size_t *at);
int32_t lf_gbnf_token(lf_gbnf_program *p, size_t *at);

/* Adds an operand or operator. */
int32_t lf_gbnf_add(lf_gbnf_program *p, lf_gbnf_kind kind, uint32_t a, uint32_t b);

/* Builds the nodes of all rules that the root needs (gbnf_build.c). */
int32_t lf_gbnf_nodes(lf_gbnf_program *p, lf_node *out);

#endif /* LF_GRAMMAR_GBNF_PROGRAM_H */
