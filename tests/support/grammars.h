/* SPDX-License-Identifier: Apache-2.0 */
/* Helpers of the tests of grammars: a vocabulary, nodes, masks checked against every token. */
#ifndef LF_TESTS_GRAMMARS_H
#define LF_TESTS_GRAMMARS_H

#include "support/text_vocab.h"
#include "text/grammar/choices.h"
#include "text/grammar/matcher.h"

/* A vocabulary with all kinds of tokens, of few letters, so that grammars use them. */
typedef struct vocabulary {
    text_vocab source;
    lf_tokenizer *tokenizer;
    lf_token_trie *trie;
    uint32_t n, n_words;
    int32_t call, think; /* a control token and a marker */
} vocabulary;

enum { MAX_WORDS = 128 }; /* of a mask */

extern vocabulary vocab;

/* Fixtures of a group of tests. */
int make_vocabulary(void **state);
int free_vocabulary(void **state);

lf_grammar_limits usual_limits(void);
lf_grammar *new_grammar(const lf_grammar_limits *limits);
lf_compiled *new_matcher(lf_grammar *g, lf_node root);
lf_match *new_match(lf_compiled *m);

lf_node text_node(lf_grammar *g, const char *text);
lf_node regex_node(lf_grammar *g, const char *pattern);
lf_node sequence(lf_grammar *g, lf_node a, lf_node b, lf_node c);
lf_node choice(lf_grammar *g, lf_node a, lf_node b, lf_node c);

/* JSON without white space, with `string` as the pattern of its strings. A value can also be the
 * control token. */
lf_node json_node(lf_grammar *g, const char *string);

/* The mask has a token exactly if it can be accepted. Returns the number of tokens; 0 if the limit
 * of steps is reached. */
uint32_t check_mask(lf_match *match, uint32_t *bits);

/* Checks the masks of random texts of up to `most` tokens. A text that is cut off can always be
 * continued. */
void check_texts(lf_compiled *m, uint32_t texts, uint32_t most, uint64_t *random);

#endif /* LF_TESTS_GRAMMARS_H */
