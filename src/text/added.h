/* SPDX-License-Identifier: Apache-2.0 */
/* The search for added tokens (control or user-defined) in text. */
#ifndef LF_TEXT_ADDED_H
#define LF_TEXT_ADDED_H

#include "common/alloc.h"

/* Maximum bytes of an added token. With any vocabulary, the search takes at most this many steps
 * per byte of text. */
enum { LF_ADDED_MAX = 256 };

typedef struct lf_added_token {
    const uint8_t *text;
    uint32_t len; /* 1..LF_ADDED_MAX */
    int32_t id;
} lf_added_token;

typedef struct lf_added {
    lf_added_token *tokens; /* [n] sorted by bytes; a prefix precedes its extensions */
    uint32_t n;
    uint32_t first[257]; /* tokens whose first byte is b: first[b] .. first[b + 1] - 1 */
} lf_added;

/* Sorts tokens[0..n-1] in place and fills *added, which keeps the pointer. Returns one of two equal
 * tokens, NULL if all differ. */
const lf_added_token *lf_added_init(lf_added *added, lf_added_token *tokens, uint32_t n);

/* The leftmost token inside text[pos .. end - 1], the longest of those at the same position; NULL
 * if there is none. *at receives its position. */
const lf_added_token *lf_added_find(const lf_added *added, const uint8_t *text, size_t pos,
                                    size_t end, size_t *at);

#endif /* LF_TEXT_ADDED_H */
