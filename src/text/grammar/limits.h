/* SPDX-License-Identifier: Apache-2.0 */
/* Limits of compiling and running a grammar. */
#ifndef LF_GRAMMAR_LIMITS_H
#define LF_GRAMMAR_LIMITS_H

#include "common/json.h"

typedef struct lf_grammar_limits {
    uint64_t compile_steps; /* of the front end and the expressions while compiling */
    uint64_t token_steps;   /* of one mask or one accepted token */
    size_t memory;          /* bytes of grammar, expressions and caches */
    uint32_t depth;         /* of nesting in schemas, patterns and grammars */
    uint32_t stack;         /* of nesting in the text */
} lf_grammar_limits;

void lf_grammar_limits_default(lf_grammar_limits *limits);

/* Parses the JSON text of a constraint. Its values take at most half of `memory`. Errors: TEXT,
 * MEMORY, LIMIT "constraint.memory". */
int32_t lf_grammar_json(const lf_grammar_limits *limits, lf_arena *arena, const char *name,
                        const char *text, size_t len, const lf_json **out);

#endif /* LF_GRAMMAR_LIMITS_H */
