/* SPDX-License-Identifier: Apache-2.0 */
/* Stop conditions of a text: token ids, and strings that are searched while the text grows. */
#ifndef LF_RUN_STOPS_H
#define LF_RUN_STOPS_H

#include "common/alloc.h"

/* Immutable and reference-counted. */
typedef struct lf_stops lf_stops;

typedef struct lf_stops_options {
    uint32_t n_vocab;
    const int32_t *ids; /* [n_ids]; ids outside the vocabulary never occur */
    size_t n_ids;
    const char *const *strings; /* [n_strings] */
    size_t n_strings;
} lf_stops_options;

/* Copies the conditions. Takes 13 bytes of memory for each byte of the strings, plus n_vocab / 8
 * bytes if there are ids. `alloc` must outlive the result. Errors: ARGUMENT (NULL; more than 4096
 * strings; a string that is NULL, empty, not UTF-8 or longer than 65536 bytes), MEMORY. */
int32_t lf_stops_create(const lf_alloc *alloc, const lf_stops_options *options, lf_stops **out);

lf_stops *lf_stops_retain(lf_stops *stops); /* adds a reference */
void lf_stops_free(lf_stops *stops); /* drops a reference; the last one frees; NULL is allowed */

bool lf_stops_has_id(const lf_stops *stops, int32_t id);

/* Where a search stands: the longest end of the text read so far that begins a stop string. Start
 * with zero. */
typedef struct lf_stop_search {
    uint32_t node;
} lf_stop_search;

typedef struct lf_stop_match {
    size_t at;       /* position of the stop string in the text */
    uint32_t string; /* its index in lf_stops_options.strings */
} lf_stop_match;

/* Reads text[begin .. end). The bytes read before this call precede text[begin]; at least the last
 * lf_stops_held() of them must be in `text`. Returns whether a stop string ends in the bytes read:
 * then *match is the first one in the text, the longest one among those that end together, and the
 * search is over. Time: linear in the bytes read, times the logarithm of the number of strings. */
bool lf_stops_find(const lf_stops *stops, lf_stop_search *search, const char *text, size_t begin,
                   size_t end, lf_stop_match *match);

/* The number of bytes at the end of the text read that can be the beginning of a stop string. */
size_t lf_stops_held(const lf_stops *stops, const lf_stop_search *search);

#endif /* LF_RUN_STOPS_H */
