/* SPDX-License-Identifier: Apache-2.0 */
/* Runs a grammar byte by byte. A configuration is a text that is being matched, as an expression,
 * and the stack of what follows it. A state is a set of configurations. Stacks and states are
 * interned, so transitions can be kept. */
#ifndef LF_GRAMMAR_PUSHDOWN_H
#define LF_GRAMMAR_PUSHDOWN_H

#include "text/grammar/grammar_nodes.h"

/* A stack is its top frame. */
typedef struct lf_pda_frame {
    lf_node node; /* SEQUENCE: its items from `a` on follow; REPEAT: a to b more items */
    uint32_t a, b;
    uint32_t parent; /* the frame below */
    uint32_t depth;
    uint32_t state; /* lf_pushdown_return of it; 0: not known */
    uint32_t mark;  /* the last closure that returned to it */
} lf_pda_frame;

enum { LF_STACK_EMPTY = 0 }; /* the frame below all others */

typedef struct lf_pda_config {
    lf_rx rx;
    uint32_t stack;
} lf_pda_config;

typedef struct lf_pda_state {
    uint32_t first, n; /* configurations */
    uint32_t mask;     /* of the tokens that may follow + 1; 0: not known */
    bool end;          /* the text may end here */
    bool cut;          /* deeper nesting was left out */
} lf_pda_state;

enum { LF_STATE_NONE = 0, LF_FORCED_NONE = -1 };

/* Properties of a node. */
enum { LF_PROP_NULLABLE = 1, LF_PROP_PRODUCTIVE = 2 };

typedef struct lf_pushdown {
    lf_quota *quota;
    lf_grammar *grammar;
    uint8_t *props; /* [n_props]: of the grammar's nodes */
    uint32_t n_props;
    lf_pda_frame *frames;
    uint32_t n_frames, frame_capacity;
    lf_table frame_table;
    lf_pda_config *configs;
    uint32_t n_configs, config_capacity;
    lf_pda_state *states;
    uint32_t n_states, state_capacity;
    lf_table state_table;
    uint32_t start;
    /* The closure that is being computed: entries are pairs of a node and a stack. */
    uint32_t mark;
    lf_list pending, returns;
    lf_pda_config *found, *before; /* before: those of the byte before */
    uint32_t n_found, found_capacity, before_capacity;
    lf_seen seen;
    bool end, cut;
} lf_pushdown;

/* Analyses the grammar. Errors: MEMORY, LIMIT; TEXT "constraint.empty", "constraint.recursion". */
int32_t lf_pushdown_init(lf_pushdown *p, lf_grammar *grammar, lf_node root);
void lf_pushdown_free(lf_pushdown *p);

/* The state after some bytes. LF_STATE_NONE after a failure, or if they do not follow: then *wrong
 * receives the number of bytes that do, and *cut whether the limit of nesting is the reason. */
uint32_t lf_pushdown_advance(lf_pushdown *p, uint32_t state, const char *bytes, size_t len,
                             size_t *wrong, bool *cut);
/* The only byte that follows where the text may not end; LF_FORCED_NONE if there are several, or
 * after a failure. */
int32_t lf_pushdown_forced(lf_pushdown *p, uint32_t state);
/* The state in which a text of stack `stack` has just ended. */
uint32_t lf_pushdown_return(lf_pushdown *p, uint32_t stack);

/* Removes states, stacks and expressions, except the states whose `mask` is not 0 and what they
 * need. Afterwards `mask` of an old number is the new number, until lf_pushdown_forget clears them
 * and gives the memory back. */
void lf_pushdown_compact(lf_pushdown *p);
void lf_pushdown_forget(lf_pushdown *p);

/* Sets the properties of all nodes. */
bool lf_grammar_analyse(lf_grammar *grammar, uint8_t *props);
/* Whether a rule can begin with itself, with something after it. */
bool lf_grammar_left_recursive(lf_grammar *grammar, const uint8_t *props, lf_node root);

#endif /* LF_GRAMMAR_PUSHDOWN_H */
