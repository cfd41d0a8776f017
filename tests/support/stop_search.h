/* SPDX-License-Identifier: Apache-2.0 */
/* Slow searches for stop strings, to compare those of src/run with. */
#ifndef LF_TESTS_STOP_SEARCH_H
#define LF_TESTS_STOP_SEARCH_H

#include "run/stops.h"

/* Whether a stop string ends in text[begin .. end). *match is the first one in the text[0 .. end),
 * among those that begin together the one that ends first, among equal ones that with the lowest
 * index. */
bool lft_find_stop(const char *const *strings, size_t n, const char *text, size_t begin, size_t end,
                   lf_stop_match *match);

/* The length of the longest end of the text that is the beginning of a stop string, but not all of
 * it. */
size_t lft_held_back(const char *const *strings, size_t n, const char *text, size_t end);

#endif /* LF_TESTS_STOP_SEARCH_H */
