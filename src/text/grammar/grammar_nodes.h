/* SPDX-License-Identifier: Apache-2.0 */
/* The nodes of a grammar. */
#ifndef LF_GRAMMAR_NODES_H
#define LF_GRAMMAR_NODES_H

#include "text/grammar/grammar.h"
#include "text/grammar/rx_set.h"

typedef enum {
    LF_NODE_K_NONE,
    LF_NODE_K_EMPTY,
    LF_NODE_K_TEXT,     /* a match of expression a */
    LF_NODE_K_SEQUENCE, /* the b items from lists[a] on, in order */
    LF_NODE_K_CHOICE,   /* one of the b items from lists[a] on */
    LF_NODE_K_REPEAT,   /* b to c times a */
    LF_NODE_K_RULE      /* what a is; NONE until it is defined */
} lf_node_kind;

typedef struct lf_grammar_node {
    uint8_t kind;
    uint32_t a, b, c;
} lf_grammar_node;

struct lf_grammar {
    lf_quota quota;
    lf_rx_set *rx;
    lf_grammar_node *nodes;
    uint32_t n_nodes, node_capacity;
    lf_list lists;
    lf_list work; /* items under construction */
    lf_table table;
};

/* Token `id` is spelled as these bytes, which no text contains. */
enum { LF_TOKEN_SPELLING = 6 };
void lf_token_spell(int32_t id, char out[LF_TOKEN_SPELLING]);

#endif /* LF_GRAMMAR_NODES_H */
