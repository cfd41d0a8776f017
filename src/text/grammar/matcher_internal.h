/* SPDX-License-Identifier: Apache-2.0 */
/* The compiled grammar, and positions. */
#ifndef LF_GRAMMAR_MATCHER_INTERNAL_H
#define LF_GRAMMAR_MATCHER_INTERNAL_H

#include "common/lock.h"
#include "text/grammar/pushdown.h"
#include "text/grammar/token_trie.h"

/* A mask that is kept. The oldest ones give way. */
typedef struct lf_kept_mask {
    uint32_t owner;      /* a state, or an expression; 0: none */
    const lf_trie *trie; /* of an expression: the tokens that were tried */
    uint32_t *words;     /* [n_words] */
    uint32_t capacity;
    lf_list exits; /* of an expression: the nodes of the trie at which it can end */
} lf_kept_mask;

typedef struct lf_kept_masks {
    lf_kept_mask *items;
    uint32_t n, capacity; /* capacity: of `items` */
    uint32_t next;        /* the oldest one, when there are as many as may be */
} lf_kept_masks;

struct lf_compiled {
    lf_grammar *grammar;
    const lf_token_trie *trie;
    lf_lock lock; /* guards all below, and the grammar's expressions */
    lf_pushdown pushdown;
    lf_rx *path;              /* [trie->depth + 1] of a walk over a trie; three of them */
    uint32_t *scratch, *rest; /* [n_words] */
    lf_list cleared;          /* pairs of a node and its end: what a difference lacks */
    lf_list exits;            /* of a walk: nodes at which an expression can end, and its stacks */
    lf_seen crossed;          /* exits from which a walk has gone on */
    lf_kept_masks of_states;
    lf_kept_masks of_terms;   /* the tokens of a trie that stay inside an expression */
    lf_table term_table;      /* of the expressions in of_terms */
    struct lf_match *matches; /* all of them */
    lf_list plain;            /* by expression: where plain characters lead */
};

struct lf_match {
    lf_compiled *compiled;
    struct lf_match *next, *last; /* the neighbors in compiled->matches */
    uint32_t state;
    bool end;   /* the text may end here */
    bool ended; /* an end token has been accepted */
};

int32_t lf_masks_init(lf_compiled *m);
void lf_masks_forget(lf_compiled *m);
void lf_masks_free(lf_compiled *m);
/* Sets the bits of the tokens that may follow in `state`. */
bool lf_compiled_mask(lf_compiled *m, uint32_t state, uint32_t *bits);

#endif /* LF_GRAMMAR_MATCHER_INTERNAL_H */
