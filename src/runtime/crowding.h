/* SPDX-License-Identifier: Apache-2.0 */
/* Chooses how many threads of a pool work while other programs use the processors. */
#ifndef LF_RUNTIME_CROWDING_H
#define LF_RUNTIME_CROWDING_H

#include <stdbool.h>
#include <stdint.h>

typedef struct lf_crowding {
    uint32_t n_threads; /* limit */
    uint32_t active;    /* 1 to n_threads */
    bool raised;        /* the last change was an increase */
    uint64_t decide_at; /* nanoseconds */
    uint64_t retry_at;  /* when to try one more thread */
    uint64_t wait;      /* from the next decrease to the next retry */
} lf_crowding;

void lf_crowding_init(lf_crowding *crowding, uint32_t n_threads);

/* Whether lf_crowding_decide is due. */
bool lf_crowding_due(const lf_crowding *crowding, uint64_t now);

/* Converts the share of its time that a thread lost, 0 to 1, to processors lost; small shares give
 * 0. */
double lf_crowding_counts(double share);

/* Updates `active`. `lost`: processors lost to other programs since the last decision, summed over
 * the threads. */
void lf_crowding_decide(lf_crowding *crowding, double lost, uint64_t now);

#endif /* LF_RUNTIME_CROWDING_H */
