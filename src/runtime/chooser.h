/* SPDX-License-Identifier: Apache-2.0 */
/* Chooses the fastest of a few ways to do the same work, by the time that real work takes. */
#ifndef LF_RUNTIME_CHOOSER_H
#define LF_RUNTIME_CHOOSER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum {
    LF_CANDIDATES = 8,      /* at most */
    LF_CHOOSER_ROUNDS = 48, /* after which a comparison ends */
    LF_CHOOSER_SIZES = 8,   /* classes of sizes of work */
    /* Shorter work says little: starting it and reading the clock take part of the time. */
    LF_CHOOSER_BYTES = 256 << 10
};

/* A round whose candidates are not all measured yet. */
typedef struct lf_open_round {
    uint32_t done; /* mask of measured candidates */
    float bytes;
    float cost[LF_CANDIDATES];
} lf_open_round;

/* Works in comparisons. A comparison consists of rounds, in each of which every remaining candidate
 * is measured once, in random order, with work of about the same size. Candidates are compared
 * within rounds only, so that a machine whose speed drifts and work of different sizes do not
 * matter. Not thread-safe. */
typedef struct lf_chooser {
    uint32_t all;  /* mask of the candidates */
    uint32_t left; /* mask of those that are still compared; 0: the choice is made */
    uint32_t best; /* the choice; during a comparison the previous one */
    uint32_t n_rounds;
    uint64_t random;
    uint64_t bytes;    /* of all samples of the comparison */
    uint64_t rest;     /* bytes to do with this choice before the next comparison */
    uint32_t patience; /* rest / bytes; 0 before the end of the first comparison */
    lf_open_round open[LF_CHOOSER_SIZES];
    float weights[LF_CHOOSER_ROUNDS];
    float costs[LF_CHOOSER_ROUNDS][LF_CANDIDATES]; /* nanoseconds for a byte */
    /* Results of the newest evaluation of each candidate; 0: never evaluated. */
    float cost[LF_CANDIDATES];     /* nanoseconds for a byte */
    float relative[LF_CANDIDATES]; /* to the best of the same evaluation; at least 1 */
} lf_chooser;

/* Starts a comparison of the candidates in the mask, which contains `start`. */
void lf_chooser_init(lf_chooser *chooser, uint32_t candidates, uint32_t start);

/* Whether work of this size is long enough to be measured. */
static inline bool lf_chooser_measures(size_t bytes)
{
    return bytes >= LF_CHOOSER_BYTES;
}

/* The candidate to use for the next work of this size. */
uint32_t lf_chooser_next(lf_chooser *chooser, size_t bytes);

/* Adds a measurement of the candidate that lf_chooser_next returned. */
void lf_chooser_add(lf_chooser *chooser, uint32_t candidate, size_t bytes, uint64_t ns);

/* Starts another comparison of all candidates; the present choice remains unless another candidate
 * is clearly faster. */
void lf_chooser_repeat(lf_chooser *chooser);

#endif /* LF_RUNTIME_CHOOSER_H */
