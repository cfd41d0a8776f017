/* SPDX-License-Identifier: Apache-2.0 */
/* The pace of drafts: how many drafted tokens a pass should verify, from what passes cost and how
 * many drafts were right. Decides about speed only. */
#ifndef LF_RUN_PACE_H
#define LF_RUN_PACE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { LF_PACE_SIZES = 7, LF_PACE_MOST_ROWS = 64, LF_PACE_CLASSES = 5 };

typedef struct lf_pace {
    double seconds[LF_PACE_SIZES]; /* of a pass of 1, 2, 4 ... 64 rows; 0: not measured yet */
    uint32_t n_single;             /* single steps that were measured, as far as it matters */
    uint32_t n_since_single;       /* passes of several rows since the last one */
    /* By length of the match: guesses that were right, and wrong ones; old ones count less. */
    double right[LF_PACE_CLASSES], wrong[LF_PACE_CLASSES];
    uint32_t streak; /* right guesses since the last wrong one */
    double longest;  /* streak, older ones count less */
} lf_pace;

void lf_pace_init(lf_pace *pace);

/* The number of rows of the next pass, 1 to `most`: the pending token and guesses. `match` is the
 * guess's. Single steps are measured first, and from time to time. */
uint32_t lf_pace_rows(const lf_pace *pace, size_t match, uint32_t most);

/* Notes what a pass cost. Choosing and reporting tokens takes the same time with and without drafts
 * and has no influence on the best number of rows. */
void lf_pace_cost(lf_pace *pace, uint32_t rows, double seconds);

/* Notes whether a guess was right, when those before it were. One that was not computed counts,
 * too, if the token at its place was chosen: so a text that begins to repeat itself gets drafts
 * again without trials. */
void lf_pace_outcome(lf_pace *pace, size_t match, bool right);

#endif /* LF_RUN_PACE_H */
