/* SPDX-License-Identifier: Apache-2.0 */
/* Which plain tokens (token_trie.h) an expression allows, found without looking at tokens. */
#ifndef LF_GRAMMAR_PLAIN_H
#define LF_GRAMMAR_PLAIN_H

#include "text/grammar/matcher_internal.h"

/* Whether every plain text is the beginning of a match; false: not, or not known. */
bool lf_plain_all(lf_compiled *m, lf_rx a);
/* Whether `a` is x{m,n} r where plain characters match x as a whole and cannot begin r. Then the
 * plain tokens that follow are those that x* r, `endless`, allows and that have up to n
 * characters. */
bool lf_plain_run(lf_rx_set *set, lf_rx a, lf_rx *endless, uint32_t *most);

/* An expression that allows the same tokens as `a`, except perhaps longer ones: with smaller
 * counts. */
lf_rx lf_plain_clamp(lf_rx_set *set, lf_rx a);

#endif /* LF_GRAMMAR_PLAIN_H */
