/* SPDX-License-Identifier: Apache-2.0 */
/* Limits of compiling and running a grammar. */
#ifndef LF_GRAMMAR_LIMITS_H
#define LF_GRAMMAR_LIMITS_H

#include "common/alloc.h"

typedef struct lf_grammar_limits {
    uint64_t compile_steps; /* of the front end and the expressions while compiling */
    uint64_t step_steps;    /* of one mask or one accepted token */
    size_t memory;          /* bytes of grammar, expressions and caches */
    uint32_t depth;         /* of nesting in schemas, patterns and grammars */
    uint32_t stack;         /* of nesting in the text */
} lf_grammar_limits;

void lf_grammar_limits_default(lf_grammar_limits *limits);

#endif /* LF_GRAMMAR_LIMITS_H */
