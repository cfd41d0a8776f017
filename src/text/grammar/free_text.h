/* SPDX-License-Identifier: Apache-2.0 */
/* Text that a grammar leaves free, and the reasoning that may precede what a grammar constrains. */
#ifndef LF_GRAMMAR_FREE_TEXT_H
#define LF_GRAMMAR_FREE_TEXT_H

#include "text/grammar/grammar.h"
#include "text/tokenizer.h"

/* The tokens that frame reasoning. -1: the vocabulary has no such token, and its text frames it. */
typedef struct lf_reasoning_marks {
    int32_t start, end;
} lf_reasoning_marks;

lf_reasoning_marks lf_reasoning_find(const lf_tokenizer *tokenizer);

/* A node of one character, or of one control token that is neither an end token nor one of the
 * `excluded`. Errors: MEMORY; those of the grammar stay in it. */
int32_t lf_free_unit(lf_grammar *grammar, const lf_alloc *alloc, const lf_tokenizer *tokenizer,
                     const int32_t *excluded, size_t n_excluded, lf_node *out);

/* What follows "<think>": free text and "</think>". Errors as above. */
int32_t lf_reasoning_rest(lf_grammar *grammar, const lf_alloc *alloc, const lf_tokenizer *tokenizer,
                          lf_node *out);

/* Reasoning and white space before `text`: LFM2_REASONING_OPEN is that of a prompt that ends with
 * "<think>"; with LFM2_REASONING_ALLOWED it may be missing. Errors as above. */
int32_t lf_reasoning_before(lf_grammar *grammar, const lf_alloc *alloc,
                            const lf_tokenizer *tokenizer, int32_t reasoning, lf_node text,
                            lf_node *out);

#endif /* LF_GRAMMAR_FREE_TEXT_H */
