/* SPDX-License-Identifier: Apache-2.0 */
/* A batch: the working memory of a caller that runs passes over many sessions. */
#ifndef LF_RUN_BATCH_H
#define LF_RUN_BATCH_H

#include "run/step.h"

struct lfm2_batch {
    lfm2_model *model;
    lf_workspace *workspace;
};

/* Errors: ARGUMENT (a limit), MEMORY. */
int32_t lf_batch_create(lfm2_model *model, const lfm2_batch_options *options, lfm2_batch **out);
void lf_batch_free(lfm2_batch *batch); /* NULL is allowed */

/* The items of a call: n structs of `stride` bytes, of which this version knows lfm2_batch_item. */
typedef struct lf_batch_items {
    lfm2_batch_item *first;
    size_t stride;
    uint32_t n;
} lf_batch_items;

static inline lfm2_batch_item *lf_batch_item_at(const lf_batch_items *items, uint32_t i)
{
    return (lfm2_batch_item *)(void *)((char *)items->first + i * items->stride);
}

/* Contract: lfm2_batch_run; the pointers in the items are not NULL where they must not be.
 * Cancellations stay set. */
int32_t lf_batch_run(lfm2_batch *batch, const lf_batch_items *items);

#endif /* LF_RUN_BATCH_H */
