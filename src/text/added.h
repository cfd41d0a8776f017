/* SPDX-License-Identifier: Apache-2.0 */
/* Finds added tokens (control or user-defined) written out in text. */
#ifndef LF_TEXT_ADDED_H
#define LF_TEXT_ADDED_H

#include "common/alloc.h"

/* Longest added token in bytes: bounds the search's work to this many steps for a byte of text,
 * whatever a vocabulary holds. */
enum { LF_ADDED_MAX = 256 };

typedef struct lf_added_token {
    const uint8_t *text;
    uint32_t len; /* 1..LF_ADDED_MAX */
    int32_t id;
} lf_added_token;

typedef struct lf_added {
    lf_added_token *tokens; /* sorted by bytes, a prefix before what it begins */
    uint32_t n;
    uint32_t first[257]; /* tokens that start with byte b: first[b] .. first[b + 1] - 1 */
} lf_added;

/* Sorts tokens[0..n-1] (kept, not copied) and fills *added. Returns one of two equal tokens, NULL
 * if there are none. */
const lf_added_token *lf_added_init(lf_added *added, lf_added_token *tokens, uint32_t n);

/* The leftmost, and there the longest, token inside text[pos .. end - 1]; NULL if there is none.
 * *at receives its position. */
const lf_added_token *lf_added_find(const lf_added *added, const uint8_t *text, size_t pos,
                                    size_t end, size_t *at);

#endif /* LF_TEXT_ADDED_H */
