/* SPDX-License-Identifier: Apache-2.0 */
/* Drafts: guesses of the next tokens of a text, from what followed its last tokens before. */
#ifndef LF_RUN_DRAFT_H
#define LF_RUN_DRAFT_H

#include "common/alloc.h"

enum { LF_DRAFT_KEYS = 2, LF_DRAFT_MOST_MATCH = 64 };

/* The tokens of a text, and an index of its n-grams. One thread at a time. */
typedef struct lf_draft {
    const lf_alloc *alloc;
    int32_t *ids; /* [size], n of them used */
    size_t n, size;
    /* For n-grams of each key length: hash -> the position after the last occurrence that is not
     * the end of the text, or 0. Each has n_slots elements, a power of 2. */
    uint32_t *slots[LF_DRAFT_KEYS];
    size_t n_slots;
} lf_draft;

/* `alloc` must outlive the draft. Nothing is allocated. */
void lf_draft_init(lf_draft *draft, const lf_alloc *alloc);
void lf_draft_free(lf_draft *draft);

/* Adds tokens to the text: at most 2^31 in all. Takes about 12 to 24 bytes a token. Errors: MEMORY;
 * then the text is unchanged. */
int32_t lf_draft_append(lf_draft *draft, const int32_t *ids, size_t n);

/* Looks for an earlier occurrence of the last 8 tokens, or else of the last 3, and writes the
 * tokens that followed it to ids[0 .. most). A repetition that reaches the end of the text is
 * continued. Returns the number of last tokens that agree (at most LF_DRAFT_MOST_MATCH), 0 if there
 * is no such occurrence; otherwise all `most` ids are written. Time: constant. */
size_t lf_draft_propose(const lf_draft *draft, int32_t *ids, size_t most);

#endif /* LF_RUN_DRAFT_H */
