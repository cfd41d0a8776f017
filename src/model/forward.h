/* SPDX-License-Identifier: Apache-2.0 */
/* One pass of the network over the items of a batch. */
#ifndef LF_MODEL_FORWARD_H
#define LF_MODEL_FORWARD_H

#include "model/pass.h"

struct lf_workspace;

typedef struct lf_head_memory {
    float **rows;  /* [T] where the logits of each wanted row go */
    float *logits; /* [V] for the caller; passes do not use it */
} lf_head_memory;

void lf_head_carve(const lfm2_model *model, const lf_limits *limits, lf_carver *c,
                   lf_head_memory *out);

/* Appends the tokens of every item to its state, in one pass over the weights. All states belong to
 * `model`. The results of an item do not depend on the other items, bit for bit. All or nothing:
 * LFM2_E_ARGUMENT (no items, an empty item, more rows than the workspace allows, the same state
 * twice) and LFM2_E_CANCELLED (`cancel` is read between layers) leave every state and every `out`
 * unchanged. */
int32_t lf_forward_batch(const lfm2_model *model, struct lf_workspace *workspace,
                         const lf_item *items, size_t n_items);

#endif /* LF_MODEL_FORWARD_H */
