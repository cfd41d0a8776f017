/* SPDX-License-Identifier: Apache-2.0 */
/* Grammars in GBNF, the language of llama.cpp. */
#ifndef LF_GRAMMAR_GBNF_H
#define LF_GRAMMAR_GBNF_H

#include "text/grammar/grammar.h"
#include "text/tokenizer.h"

typedef struct lf_gbnf_options {
    const lf_alloc *alloc;
    const lf_grammar_limits *limits;
    const lf_tokenizer *tokenizer; /* of token references; NULL: they are refused */
} lf_gbnf_options;

/* Builds the nodes of a grammar; *out is that of the rule "root". Everything that is allocated
 * besides the nodes is freed again. Messages name line and column. Errors: TEXT (syntax, a rule
 * that is missing or defined twice, a token that does not exist), UNSUPPORTED (left recursion;
 * references to end tokens; a negated token without * or +), MEMORY, LIMIT. */
int32_t lf_gbnf_build(lf_grammar *grammar, const lf_gbnf_options *options, const char *text,
                      size_t len, lf_node *out);

#endif /* LF_GRAMMAR_GBNF_H */
