/* SPDX-License-Identifier: Apache-2.0 */
/* Drafts: guesses of the next tokens of a text, from what followed its last tokens before, and from
 * a text that the caller expects. */
#ifndef LF_RUN_DRAFT_H
#define LF_RUN_DRAFT_H

#include "common/alloc.h"

enum { LF_DRAFT_KEYS = 2, LF_DRAFT_MOST_MATCH = 64 };

/* The expected tokens, then those of the text, and an index of their n-grams. One thread at a
 * time. */
typedef struct lf_draft {
    const lf_alloc *alloc;
    int32_t *ids; /* [size], n of them used */
    size_t n, size;
    size_t n_expected; /* the first ones of `ids` */
    /* For n-grams of each key length: hash -> the position after the last occurrence that is not
     * the end of the text, or 0. Each has n_slots elements, a power of 2. */
    uint32_t *slots[LF_DRAFT_KEYS];
    size_t n_slots;
    /* The position whose token is guessed next, or LF_DRAFT_NOWHERE; it moves on with each token,
     * also after a wrong guess, because a text that is copied often differs in single tokens. */
    size_t source;
    size_t agreed; /* the last tokens that agree with those before `source`; at most MOST_MATCH */
} lf_draft;

#define LF_DRAFT_NOWHERE SIZE_MAX

/* A guess of what follows the text. */
typedef struct lf_guess {
    size_t n;     /* tokens; 0: no guess */
    size_t match; /* how many last tokens speak for it: 0 to LF_DRAFT_MOST_MATCH */
} lf_guess;

/* `alloc` must outlive the draft. Nothing is allocated. */
void lf_draft_init(lf_draft *draft, const lf_alloc *alloc);
void lf_draft_free(lf_draft *draft);

/* Sets the text that is expected to follow the prompt; before any token is added. Errors: as
 * lf_draft_append. */
int32_t lf_draft_expect(lf_draft *draft, const int32_t *ids, size_t n);

/* Adds tokens that precede the first guess: at most 2^31 - 1 in all. Takes about 12 to 24 bytes a
 * token. Errors: MEMORY, LIMIT; then nothing has changed. */
int32_t lf_draft_append(lf_draft *draft, const int32_t *ids, size_t n);

/* Adds the next token, which could be guessed. Errors: as lf_draft_append. */
int32_t lf_draft_follow(lf_draft *draft, int32_t id);

/* Writes up to `most` guessed tokens to `ids`. They follow the current source or the last earlier
 * occurrence of the text's last 8 tokens, or else 3, which then becomes the source if more tokens
 * agree with it. A repetition that reaches the end of the text is continued. Time: constant. */
lf_guess lf_draft_propose(lf_draft *draft, int32_t *ids, size_t most);

#endif /* LF_RUN_DRAFT_H */
