/* SPDX-License-Identifier: Apache-2.0 */
/* Sets of code points, for character classes of patterns. */
#ifndef LF_GRAMMAR_RX_CHARS_H
#define LF_GRAMMAR_RX_CHARS_H

#include "text/grammar/rx_set.h"

/* Pairs of a first and a last code point, in any order until lf_chars_complement or lf_chars_rx
 * sorts them. */
typedef lf_list lf_chars;

bool lf_chars_add(lf_quota *quota, lf_chars *chars, uint32_t first, uint32_t last);
/* The set of a class escape: d, D, s, S, w, W; or '.'. */
bool lf_chars_add_escape(lf_quota *quota, lf_chars *chars, char name);
/* The set of \p{name}; false also if the name is unknown, then the quota's status is OK. */
bool lf_chars_add_property(lf_quota *quota, lf_chars *chars, const char *name, size_t len);
/* Replaces what was added after item `from` by its complement. */
bool lf_chars_complement(lf_quota *quota, lf_chars *chars, uint32_t from);
/* One character of the set, in the spellings of `spell`; NULL: in UTF-8. */
lf_rx lf_chars_rx(lf_rx_set *set, lf_chars *chars, lf_rx_spell *spell, void *user);

#endif /* LF_GRAMMAR_RX_CHARS_H */
