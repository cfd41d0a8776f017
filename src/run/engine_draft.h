/* SPDX-License-Identifier: Apache-2.0 */
/* Drafts in an engine: guesses of the next tokens that are computed in the pass of all sequences.
 */
#ifndef LF_RUN_ENGINE_DRAFT_H
#define LF_RUN_ENGINE_DRAFT_H

#include "run/draft.h"
#include "run/pace.h"
#include "run/verify.h"

/* Of one text. */
typedef struct lf_choice_draft {
    lf_draft text;
    lf_pace pace;
    bool ended;     /* memory was lacking: no more guesses */
    uint32_t rows;  /* of the current pass: the token before the guesses, and guesses */
    lf_guess guess; /* that of the current pass; more tokens of it may be known than computed */
    lf_verify pass; /* the current pass, in memory of the engine; its history is `history` */
    float *history;
    int32_t ids[LF_PACE_MOST_ROWS]; /* the token before the guesses, then the guesses */
} lf_choice_draft;

struct lf_choice;

/* Gives a choice, which has the prompt, a draft. What was made when it fails is freed with the
 * choice. Errors: ARGUMENT (an id), MEMORY. */
int32_t lf_choice_add_draft(lfm2_engine *engine, struct lf_choice *choice, const int32_t *ids,
                            size_t n);
void lf_choice_drop_draft(lfm2_engine *engine, struct lf_choice *choice); /* if it has one */

/* The choice, which has a draft, lacks one token. Makes *item if guesses are computed with it; the
 * pass has `n_sequences` sequences that generate and `used` rows of other guesses. */
bool lf_choice_guess(lfm2_engine *engine, struct lf_choice *choice, uint32_t n_sequences,
                     uint32_t used, lf_item *item);

/* The pass failed for lack of memory: if it had guesses of this choice, there are no more, and the
 * token before them is computed alone. */
bool lf_choice_drop_guesses(struct lf_choice *choice);

/* Notes a chosen token, if there is a draft. */
void lf_choice_follow_draft(struct lf_choice *choice, int32_t id);

/* Chooses tokens after the pass as long as they are the guesses that were computed, and one more.
 * Errors: those of lf_choice_choose_one. */
int32_t lf_choice_choose_guessed(lfm2_engine *engine, struct lf_choice *choice);

#endif /* LF_RUN_ENGINE_DRAFT_H */
