/* SPDX-License-Identifier: Apache-2.0 */
/* A grammar under construction: nodes over regular expressions. Front ends (JSON Schema, GBNF,
 * regular expressions, choices, tools) build it; the matcher runs it. */
#ifndef LF_GRAMMAR_GRAMMAR_H
#define LF_GRAMMAR_GRAMMAR_H

#include "text/grammar/rx.h"

typedef uint32_t lf_node; /* a handle; equal nodes (except rules) have equal handles */

enum {
    LF_NODE_NONE = 0, /* matches nothing */
    LF_NODE_EMPTY = 1 /* matches the empty string */
};

typedef struct lf_grammar lf_grammar;

int32_t lf_grammar_create(const lf_alloc *alloc, const lf_grammar_limits *limits, lf_grammar **out);
void lf_grammar_free(lf_grammar *grammar);
lf_rx_set *lf_grammar_rx(lf_grammar *grammar);

/* Memory of a front end counts until the grammar is complete. Bytes that are left; bytes that it
 * takes, and gives back. */
size_t lf_grammar_left(const lf_grammar *grammar);
void lf_grammar_charge(lf_grammar *grammar, size_t bytes);
void lf_grammar_refund(lf_grammar *grammar, size_t bytes);
/* MEMORY or LIMIT of any constructor so far, the expressions' included. After a failure
 * constructors return LF_NODE_NONE. */
int32_t lf_grammar_status(const lf_grammar *grammar);

lf_node lf_grammar_text(lf_grammar *grammar, lf_rx rx);
/* The one token `id`, which stands for no text: a control token or a marker. */
lf_node lf_grammar_token(lf_grammar *grammar, int32_t id);
lf_node lf_grammar_sequence(lf_grammar *grammar, const lf_node *items, size_t n);
lf_node lf_grammar_choice(lf_grammar *grammar, const lf_node *items, size_t n);
lf_node lf_grammar_repeat(lf_grammar *grammar, lf_node item, uint32_t min, uint32_t max);
/* A node that is defined later, possibly in terms of itself. */
lf_node lf_grammar_rule(lf_grammar *grammar);
void lf_grammar_define(lf_grammar *grammar, lf_node rule, lf_node body);

#endif /* LF_GRAMMAR_GRAMMAR_H */
