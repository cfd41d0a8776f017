/* SPDX-License-Identifier: Apache-2.0 */
/* One pass of the network over the items of a batch. */
#ifndef LF_MODEL_FORWARD_H
#define LF_MODEL_FORWARD_H

#include "model/pass.h"

struct lf_workspace;

typedef struct lf_head_memory {
    float **rows; /* [T] where the logits of each wanted row go */
} lf_head_memory;

void lf_head_carve(const lfm2_model *model, const lf_limits *limits, lf_carver *c,
                   lf_head_memory *out);

/* Appends the tokens of every item to its state, in one pass over the weights. All states belong to
 * `model`. The results of an item do not depend on the other items, bit for bit.
 * ARGUMENT (no items, an empty item, more rows than the workspace allows, the same state twice)
 * changes nothing, not even a status. Otherwise each item gets a status: MEMORY, LIMIT (the KV
 * budget), CANCELLED (its flag, read between layers) and STATE (lf_sched_begin) leave its state and
 * its `out` unchanged. The other items go on, unless `together`: then all or none are computed, and
 * each has that status. Returns LFM2_OK or the status that was set last. */
int32_t lf_forward_batch(lfm2_model *model, struct lf_workspace *workspace, lf_item *items,
                         size_t n_items, bool together);

/* The tokens from which a pass with empty history computes the history of a layer exactly. */
uint32_t lf_warm_up_tokens(const lfm2_model *model);

#endif /* LF_MODEL_FORWARD_H */
