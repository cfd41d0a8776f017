/* SPDX-License-Identifier: Apache-2.0 */
/* Walks over tries of tokens along expressions. */
#ifndef LF_GRAMMAR_WALK_H
#define LF_GRAMMAR_WALK_H

#include "text/grammar/matcher_internal.h"

typedef struct lf_walk {
    lf_compiled *m;
    const lf_trie *trie;
    uint32_t stack; /* of the expression */
    uint32_t *bits;
    uint32_t steps, most; /* steps taken; the number at which a walk ends early */
} lf_walk;

/* Sets the bits of the tokens below a node that stay inside an expression, which must follow there,
 * and adds the nodes at which it can end to m->exits. */
bool lf_walk_from(lf_walk *w, uint32_t at, lf_rx a);
/* Walks on from the exits that were noted from `base` on, which removes them. */
bool lf_walk_cross(lf_walk *w, uint32_t base);

#endif /* LF_GRAMMAR_WALK_H */
