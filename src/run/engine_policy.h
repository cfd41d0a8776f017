/* SPDX-License-Identifier: Apache-2.0 */
/* Decides what an engine computes next: how many prompt tokens a step takes, whose prompt comes
 * first, and which sequence is parked. Measures nothing itself and knows no sequence. */
#ifndef LF_RUN_ENGINE_POLICY_H
#define LF_RUN_ENGINE_POLICY_H

#include <stdbool.h>
#include <stdint.h>

enum { LF_POLICY_CLASSES = 12 };

/* The predicted time of steps, from those before. A step that appends one token to each of d
 * sequences takes decode[class of d]; one with n prompt tokens fixed + (d + n) * row. */
typedef struct lf_step_times {
    double decode[LF_POLICY_CLASSES]; /* seconds, for 1, 2, 3-4, 5-8, ... rows; 0: not measured */
    double fixed, row;                /* seconds; row 0: not measured */
    /* Sums over the steps with prompt tokens, of which older ones count less: weights, rows,
     * squares of rows, seconds, rows times seconds. */
    double w, wx, wxx, wy, wxy;
} lf_step_times;

typedef struct lf_policy {
    double step_seconds; /* most predicted time of a step; 0: no limit */
    double share;        /* of their speed that generating sequences keep */
    uint32_t n_rows;     /* most prompt tokens of a step */
    lf_step_times times;
    double balance; /* seconds that generating sequences had beyond their share */
} lf_policy;

void lf_policy_init(lf_policy *policy, uint32_t step_ms, double share, uint32_t n_rows);

/* The most prompt tokens that the next step may compute beside `decode_rows` rows of generating
 * sequences; 0 if these come first. */
uint32_t lf_policy_slice(const lf_policy *policy, uint32_t decode_rows);

/* Notes a step that took `seconds`. */
void lf_policy_note(lf_policy *policy, uint32_t decode_rows, uint32_t prompt_rows, double seconds);

/* Notes that `decode_rows` generating sequences waited for `seconds` for something else. */
void lf_policy_note_wait(lf_policy *policy, uint32_t decode_rows, double seconds);

/* The class of a number of rows: 0 for none, 1 for 1, 2 for 2, 3 for 3-4, ... */
uint32_t lf_policy_class(uint32_t rows);

/* ---- Order ---- */

/* A sequence whose tokens are not all computed. */
typedef struct lf_claim {
    int32_t priority; /* lower comes first */
    uint32_t n_left;  /* tokens to compute */
    double waited;    /* seconds since the request was made */
    uint64_t id;      /* of the request */
    uint32_t index;   /* of the sequence in it */
} lf_claim;

/* Whether `a` is computed before `b`. */
bool lf_policy_before(const lf_policy *policy, const lf_claim *a, const lf_claim *b);

/* Whether `a` is parked before `b`. */
bool lf_policy_parks(const lf_claim *a, const lf_claim *b);

#endif /* LF_RUN_ENGINE_POLICY_H */
