/* SPDX-License-Identifier: Apache-2.0 */
/* Masks of expressions that match a whole without a part, such as every string but some names:
 * where the part is not matched, they are the masks of the whole. */
#ifndef LF_GRAMMAR_DIFFERENCE_H
#define LF_GRAMMAR_DIFFERENCE_H

#include "text/grammar/matcher_internal.h"

/* An expression (x & !part) r, where r begins with a byte class. */
typedef struct lf_difference {
    lf_rx whole;  /* x r */
    lf_rx inside; /* x */
    lf_rx part;
    uint32_t next; /* the class with which r begins */
    bool endless;  /* something always follows: x repeats for ever, the part ends */
} lf_difference;

bool lf_difference_find(lf_rx_set *set, lf_rx a, lf_difference *out);

/* Clears the bits of the tokens of a trie that the whole allows and the difference `a` does not,
 * and notes the nodes that `a` does not reach in m->cleared. False if the bits cannot be corrected
 * so, or after a failure. */
bool lf_difference_subtract(lf_compiled *m, const lf_trie *t, lf_rx a, const lf_difference *d,
                            uint32_t *bits);

/* Whether a node is one that the last difference does not reach. */
bool lf_difference_cleared(const lf_compiled *m, uint32_t node);

#endif /* LF_GRAMMAR_DIFFERENCE_H */
