/* SPDX-License-Identifier: Apache-2.0 */
/* A pass: the items of a batch, their rows, and the division of work over the threads. */
#ifndef LF_MODEL_PASS_H
#define LF_MODEL_PASS_H

#include "model/carve.h"
#include "model/state.h"
#include "runtime/prefetch.h"
#include "runtime/team.h"

/* Passes of at most this many rows are short: threads spin between their regions, and smaller work
 * is divided. */
enum { LF_FEW_ROWS = 16 };

/* Which tokens' logits are wanted. */
typedef enum { LF_LOGITS_NONE, LF_LOGITS_LAST, LF_LOGITS_ALL } lf_logits;

/* Consecutive tokens that a pass appends to one state. */
typedef struct lf_item {
    lf_state *state;
    const int32_t *ids;
    uint32_t n; /* at least 1; they must fit */
    lf_logits wanted;
    float *out;   /* LAST: [V], ALL: [n][V] */
    float *gated; /* [conv layers][n][H] receives the inputs of the convolutions; or NULL */
    const atomic_int *cancel; /* not 0: the item leaves the pass; NULL: never */
    bool warm_up;   /* the state's pages already hold these tokens and are only read: the pass just
                       computes the history after them */
    int32_t status; /* set by the pass; if it is not LFM2_OK before, the item does not take part */
    void *owner;    /* of the caller */
} lf_item;

/* The largest pass that a workspace is made for. */
typedef struct lf_limits {
    uint32_t rows;  /* T */
    uint32_t n_ctx; /* context length that attention has slots for from the start; 0: few */
    bool observed;  /* passes may have an observer */
} lf_limits;

/* Working memory of the whole pass. */
typedef struct lf_pass_memory {
    lf_item *items;          /* [T] for the caller that assembles a batch */
    lf_item **active;        /* [T] the items that take part, in their order */
    uint32_t *item_first;    /* [T + 1] first row of each item */
    uint32_t *row_item;      /* [T] item of each row */
    uint32_t *longest_first; /* [T] items by decreasing length of their states */
    float *x;                /* [T][H] residual stream */
    float *rope;             /* [T][2][head_dim / 2] cos, sin */
} lf_pass_memory;

void lf_pass_carve(const lfm2_model *model, const lf_limits *limits, lf_carver *c,
                   lf_pass_memory *out);

/* The rows of a pass are the tokens of all items, item after item. */
typedef struct lf_pass {
    const lfm2_model *model;
    lf_item **items; /* those that take part; without the cancelled ones from the next layer on */
    size_t n_items;
    struct lf_workspace *workspace;
    lf_pass_memory *shared; /* &workspace->pass */
    const lf_kernels *kernels;
    lf_prefetch *prefetch;
    lf_team *team;
    uint32_t n; /* rows */
} lf_pass;

/* Position of a row in the context of its item's state. */
static inline uint32_t lf_row_position(const lf_pass *pass, size_t row)
{
    uint32_t item = pass->shared->row_item[row];
    return pass->items[item]->state->length + ((uint32_t)row - pass->shared->item_first[item]);
}

/* Calls body for the ranges of [0, n), one range a thread; on the calling thread alone when the
 * work is too small to pay for a region. `cost` is the approximate time of one unit on one core, in
 * nanoseconds. */
void lf_pass_parallel(const lf_pass *pass, size_t n, size_t cost, lf_body body, void *ctx);

/* The same for units of different size: each thread takes the units of its range one by one, then
 * those left in other ranges. `total` is the cost of all units. */
void lf_pass_balance(const lf_pass *pass, size_t n, size_t total, lf_body body, void *ctx);

/* The same with guided scheduling, for units of equal size that read consecutive memory. */
void lf_pass_stream(const lf_pass *pass, size_t n, size_t total, lf_body body, void *ctx);

#endif /* LF_MODEL_PASS_H */
