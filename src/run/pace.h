/* SPDX-License-Identifier: Apache-2.0 */
/* The pace of drafts: how many drafted tokens a pass should verify, from what passes cost and how
 * many drafts were right. Decides about speed only. */
#ifndef LF_RUN_PACE_H
#define LF_RUN_PACE_H

#include <stddef.h>
#include <stdint.h>

enum { LF_PACE_SIZES = 7, LF_PACE_MOST_ROWS = 64, LF_PACE_CLASSES = 4 };

typedef struct lf_pace {
    double seconds[LF_PACE_SIZES]; /* of a pass of 1, 2, 4 ... 64 rows; 0: not measured yet */
    /* By length of the match: drafted tokens that were right, and drafts that had a wrong one; old
     * ones count less. */
    double right[LF_PACE_CLASSES], wrong[LF_PACE_CLASSES];
} lf_pace;

void lf_pace_init(lf_pace *pace);

/* The number of rows of the next pass, 1 to `most`: the pending token and drafts. `match` is the
 * result of lf_draft_propose. */
uint32_t lf_pace_rows(const lf_pace *pace, size_t match, uint32_t most);

/* Notes what a pass cost, including the removal of wrong tokens. */
void lf_pace_cost(lf_pace *pace, uint32_t rows, double seconds);

/* Notes that n_right tokens of a draft were right, and whether the next one was wrong. Plain steps
 * count, too: their token shows whether the first one of the draft was right. */
void lf_pace_outcome(lf_pace *pace, size_t match, uint32_t n_right, uint32_t wrong);

#endif /* LF_RUN_PACE_H */
