/* SPDX-License-Identifier: Apache-2.0 */
/* Adds up, allocates and hands out the working memory that the stages of a pass declare. */
#include "model/workspace.h"

static void carve(const lfm2_model *model, lf_workspace *ws, lf_carver *c)
{
    const lf_limits *limits = &ws->limits;
    lf_pass_carve(model, limits, c, &ws->pass);
    lf_linear_carve(model, limits, c, &ws->linear);
    lf_ffn_carve(model, limits, c, &ws->ffn);
    lf_head_carve(model, limits, c, &ws->head);
    size_t mixer = c->used;
    lf_conv_carve(model, limits, c, &ws->conv);
    size_t end = c->used;
    c->used = mixer;
    lf_attn_carve(model, limits, c, &ws->attn);
    c->used = lf_max_size(c->used, end);
}

int32_t lf_workspace_measure(const lfm2_model *model, lf_limits limits, lf_workspace *workspace)
{
    *workspace = (lf_workspace){.limits = limits};
    lf_carver c = {0};
    carve(model, workspace, &c);
    if (c.overflow) {
        return lf_fail(LFM2_E_MEMORY, "memory.overflow",
                       "the size of the session in bytes overflows");
    }
    workspace->bytes = c.used;
    return LFM2_OK;
}

int32_t lf_workspace_create(const lfm2_model *model, lf_limits limits, lf_workspace *workspace)
{
    LF_TRY(lf_workspace_measure(model, limits, workspace));
    void *p = NULL;
    int32_t status =
        lf_new(&model->runtime->alloc, workspace->bytes, 1, "session working memory", &p);
    if (status != LFM2_OK) {
        *workspace = (lf_workspace){0};
        return status;
    }
    workspace->memory = p;
    lf_carver c = {.base = p};
    carve(model, workspace, &c);
    return LFM2_OK;
}

void lf_workspace_free(const lfm2_model *model, lf_workspace *workspace)
{
    lf_free(&model->runtime->alloc, workspace->memory, workspace->bytes, 1);
    *workspace = (lf_workspace){0};
}

int32_t lf_session_memory(const lfm2_model *model, const lfm2_session_options *options,
                          lfm2_memory *memory)
{
    lf_state state;
    lf_workspace workspace;
    LF_TRY(lf_state_measure(model, options, &state));
    const lf_limits limits = {.rows = state.n_chunk, .n_ctx = state.n_ctx};
    LF_TRY(lf_workspace_measure(model, limits, &workspace));
    uint64_t owned = lf_model_embed_owned(model);
    *memory = (lfm2_memory){.weights = model->packed_bytes + owned,
                            .mapped = model->weights.embed->bytes - owned,
                            .kv = state.kv_bytes,
                            .conv = state.conv_bytes,
                            .scratch = workspace.bytes};
    memory->total = memory->weights + memory->mapped + memory->kv + memory->conv + memory->scratch;
    return LFM2_OK;
}
