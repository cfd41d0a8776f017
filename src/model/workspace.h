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
 * after another. */
typedef struct lf_workspace {
    lf_limits limits;
    lf_pass_memory pass;
    lf_linear_memory linear;
    lf_conv_memory conv; /* conv and attn overlap: a layer has one of them */
    lf_attn_memory attn;
    lf_ffn_memory ffn;
    lf_head_memory head;
    const lf_observer *observer; /* of the next passes, or NULL; needs limits.observed */
    uint8_t *memory;             /* one allocation for all arrays above but attn.partials */
    size_t bytes;
    uint64_t bytes_read; /* packed weights that the current pass has read */
} lf_workspace;

/* Sets limits, bytes and attn.n_slots only. Errors: MEMORY if the size overflows. */
int32_t lf_workspace_measure(const lfm2_model *model, lf_limits limits, lf_workspace *workspace);

/* All bytes that a measured workspace has when it is created. */
uint64_t lf_workspace_bytes(const lfm2_model *model, const lf_workspace *workspace);

/* Measures and allocates; the memory is not cleared. Errors: MEMORY. */
int32_t lf_workspace_new(const lfm2_model *model, lf_limits limits, lf_workspace **out);
void lf_workspace_free(const lfm2_model *model, lf_workspace *workspace); /* NULL is allowed */

/* Gets slots for passes over states of up to n_ctx tokens. Errors: MEMORY. */
int32_t lf_workspace_grow(const lfm2_model *model, lf_workspace *workspace, uint32_t n_ctx);

/* ---- The workspaces that a model keeps for calls without their own ---- */

/* Takes an idle workspace for at least `rows` rows, or makes one; a smaller idle one is freed
 * first. Any thread may call these functions at any time. Errors: MEMORY. */
int32_t lf_workspace_take(lfm2_model *model, uint32_t rows, lf_workspace **out);
void lf_workspace_return(lfm2_model *model, lf_workspace *workspace);

/* Frees the idle workspaces; for the last user of the model. */
void lf_workspace_free_idle(lfm2_model *model);

/* Memory of a model, one full session and its workspace. Errors: ARGUMENT, MEMORY. */
int32_t lf_session_memory(const lfm2_model *model, const lfm2_session_options *options,
                          lfm2_memory *memory);

#endif /* LF_MODEL_WORKSPACE_H */
