/* SPDX-License-Identifier: Apache-2.0 */
/* Working memory of passes. Each stage of a pass declares its memory in its header and computes the
 * sizes in its .c file. */
#ifndef LF_MODEL_WORKSPACE_H
#define LF_MODEL_WORKSPACE_H

#include "model/block_attn.h"
#include "model/block_conv.h"
#include "model/block_ffn.h"
#include "model/forward.h"
#include "model/linear.h"

/* Holds nothing that a later pass reads, so passes over any states of the model may use it, one
 * after another. Only head.logits is left to the caller between passes. */
typedef struct lf_workspace {
    lf_limits limits;
    lf_pass_memory pass;
    lf_linear_memory linear;
    lf_conv_memory conv; /* conv and attn overlap: a layer has one of them */
    lf_attn_memory attn;
    lf_ffn_memory ffn;
    lf_head_memory head;
    const lf_observer *observer; /* of the next passes, or NULL; needs limits.observed */
    uint8_t *memory;             /* one allocation for all arrays above */
    size_t bytes;
} lf_workspace;

/* Sets limits and bytes only. Errors: MEMORY if the size overflows. */
int32_t lf_workspace_measure(const lfm2_model *model, lf_limits limits, lf_workspace *workspace);

/* Measures and allocates; the memory is not cleared. Errors: MEMORY, with *workspace empty. */
int32_t lf_workspace_create(const lfm2_model *model, lf_limits limits, lf_workspace *workspace);

/* Frees; an empty workspace (all zero) is allowed. */
void lf_workspace_free(const lfm2_model *model, lf_workspace *workspace);

/* Memory of a model and one session with its own workspace. Errors: ARGUMENT, MEMORY. */
int32_t lf_session_memory(const lfm2_model *model, const lfm2_session_options *options,
                          lfm2_memory *memory);

#endif /* LF_MODEL_WORKSPACE_H */
