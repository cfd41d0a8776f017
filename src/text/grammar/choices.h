/* SPDX-License-Identifier: Apache-2.0 */
/* Lists of choices and regular expressions as grammars. */
#ifndef LF_GRAMMAR_CHOICES_H
#define LF_GRAMMAR_CHOICES_H

#include "text/grammar/grammar.h"

/* One of the strings of a JSON array. `path` names the array in messages.
 * Errors: TEXT, MEMORY, LIMIT. */
int32_t lf_choices_build(lf_grammar *grammar, const char *path, const char *text, size_t len,
                         lf_node *out);

/* A text that an ECMA-262 pattern matches as a whole. Errors: those of lf_rx_parse. */
int32_t lf_regex_build(lf_grammar *grammar, const char *path, const char *pattern, size_t len,
                       lf_node *out);

#endif /* LF_GRAMMAR_CHOICES_H */
