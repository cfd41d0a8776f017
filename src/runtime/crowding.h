/* SPDX-License-Identifier: Apache-2.0 */
/* How many threads of a pool work while other programs use the processors. */
#ifndef LF_RUNTIME_CROWDING_H
#define LF_RUNTIME_CROWDING_H

#include <stdbool.h>
#include <stdint.h>

typedef struct lf_crowding {
    uint32_t n_threads; /* at most */
    uint32_t active;    /* 1 to n_threads */
    bool raised;        /* the last change was upwards */
    uint64_t decide_at; /* nanoseconds */
    uint64_t retry_at;  /* when one more is tried */
    uint64_t wait;      /* from the next decrease to the next try */
} lf_crowding;

void lf_crowding_init(lf_crowding *crowding, uint32_t n_threads);

/* Whether it is time to decide again. */
bool lf_crowding_due(const lf_crowding *crowding, uint64_t now);

/* What a thread that lost this share of its time, 0 to 1, adds to the processors lost. */
double lf_crowding_counts(double share);

/* Decides. `lost`: how many processors others took from the threads since the last decision. */
void lf_crowding_decide(lf_crowding *crowding, double lost, uint64_t now);

#endif /* LF_RUNTIME_CROWDING_H */
