/* SPDX-License-Identifier: Apache-2.0 */
/* Runs a grammar over tokens. */
#ifndef LF_GRAMMAR_MATCHER_H
#define LF_GRAMMAR_MATCHER_H

#include "text/grammar/grammar.h"
#include "text/tokenizer.h"

/* The vocabulary as a trie over bytes, built once a model. Immutable. */
typedef struct lf_token_trie lf_token_trie;
int32_t lf_token_trie_create(const lf_alloc *alloc, const lf_tokenizer *tokenizer,
                             lf_token_trie **out);
void lf_token_trie_free(lf_token_trie *trie);

/* A compiled grammar, with its caches. Takes over `grammar`, also after a failure. Any number of
 * threads may use it; a lock guards the caches. Errors: MEMORY, LIMIT; TEXT "constraint.empty" (no
 * text matches), "constraint.recursion" (a rule begins with itself). */
typedef struct lf_compiled lf_compiled;
int32_t lf_compiled_create(lf_grammar *grammar, lf_node root, const lf_token_trie *trie,
                           lf_compiled **out);
void lf_compiled_free(lf_compiled *compiled);

/* A position in a text. A call fails with STATE in the child of a fork if another thread was using
 * the grammar during the fork. */
typedef struct lf_match lf_match;
int32_t lf_match_create(lf_compiled *compiled, lf_match **out);
int32_t lf_match_clone(const lf_match *match, lf_match **out);
/* Goes to the position of another one of the same grammar. */
void lf_match_assign(lf_match *match, const lf_match *place);
void lf_match_free(lf_match *match);

/* Sets bit `id` of bits[0 .. (n_vocab + 31) / 32 - 1] for each token that may follow, and the bits
 * of the end tokens if the text may end here. Errors: MEMORY, LIMIT. */
int32_t lf_match_mask(lf_match *match, uint32_t *bits);
/* Advance by a token, or by bytes; unchanged after a failure. Errors: ARGUMENT (it does not
 * follow), MEMORY, LIMIT. */
int32_t lf_match_accept(lf_match *match, int32_t id);
int32_t lf_match_accept_bytes(lf_match *match, const char *bytes, size_t len);
bool lf_match_complete(const lf_match *match); /* the text may end here */
/* The longest text (or the single token) that must follow, up to `capacity` bytes. */
int32_t lf_match_forced(lf_match *match, char *bytes, size_t capacity, size_t *len, int32_t *id);

#endif /* LF_GRAMMAR_MATCHER_H */
