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

static uint64_t slot_bytes(const lfm2_model *model, uint32_t n_slots)
{
    return (uint64_t)n_slots * lf_attn_slot_floats(model) * sizeof(float);
}

int32_t lf_workspace_measure(const lfm2_model *model, lf_limits limits, lf_workspace *workspace)
{
    *workspace = (lf_workspace){.limits = limits};
    lf_carver c = {0};
    carve(model, workspace, &c);
    if (c.overflow) {
        return lf_fail(LFM2_E_MEMORY, "memory.overflow",
                       "the size of the workspace in bytes overflows");
    }
    workspace->bytes = c.used;
    workspace->attn.n_slots = lf_attn_slots(&limits);
    return LFM2_OK;
}

uint64_t lf_workspace_bytes(const lfm2_model *model, const lf_workspace *workspace)
{
    return sizeof *workspace + workspace->bytes + slot_bytes(model, workspace->attn.n_slots);
}

void lf_workspace_free(const lfm2_model *model, lf_workspace *workspace)
{
    if (workspace == NULL) {
        return;
    }
    const lf_alloc *alloc = &model->runtime->alloc;
    lf_free(alloc, workspace->attn.partials, slot_bytes(model, workspace->attn.n_slots), 1);
    lf_free(alloc, workspace->memory, workspace->bytes, 1);
    lf_free(alloc, workspace, 1, sizeof *workspace);
}

/* Allocates the arrays of a measured workspace. */
static int32_t allocate(const lfm2_model *model, lf_workspace *workspace)
{
    const lf_alloc *alloc = &model->runtime->alloc;
    uint32_t n_slots = workspace->attn.n_slots;
    void *p = NULL;
    LF_TRY(lf_new(alloc, workspace->bytes, 1, "workspace", &p));
    workspace->memory = p;
    lf_carver c = {.base = p};
    carve(model, workspace, &c);
    workspace->attn.partials = NULL;
    workspace->attn.n_slots = n_slots;
    LF_TRY(lf_new(alloc, slot_bytes(model, n_slots), 1, "workspace", &p));
    workspace->attn.partials = p;
    return LFM2_OK;
}

int32_t lf_workspace_new(const lfm2_model *model, lf_limits limits, lf_workspace **out)
{
    lf_workspace measured;
    LF_TRY(lf_workspace_measure(model, limits, &measured));
    void *p = NULL;
    LF_TRY(lf_new(&model->runtime->alloc, 1, sizeof measured, "workspace", &p));
    lf_workspace *workspace = p;
    *workspace = measured;
    int32_t status = allocate(model, workspace);
    if (status != LFM2_OK) {
        lf_workspace_free(model, workspace);
        return status;
    }
    *out = workspace;
    return LFM2_OK;
}

int32_t lf_workspace_grow(const lfm2_model *model, lf_workspace *workspace, uint32_t n_ctx)
{
    const lf_limits limits = {.rows = workspace->limits.rows, .n_ctx = n_ctx};
    uint32_t need = lf_attn_slots(&limits);
    uint32_t have = workspace->attn.n_slots;
    if (need <= have) {
        return LFM2_OK;
    }
    need = need < 2 * have ? 2 * have : need;
    const lf_alloc *alloc = &model->runtime->alloc;
    void *p = NULL;
    LF_TRY(lf_new(alloc, slot_bytes(model, need), 1, "workspace", &p));
    lf_free(alloc, workspace->attn.partials, slot_bytes(model, have), 1);
    workspace->attn.partials = p;
    workspace->attn.n_slots = need;
    return LFM2_OK;
}

/* ---- The workspaces that a model keeps ---- */

/* There is no lock, which a fork could leave locked in the child: a workspace is taken by an
 * exchange with NULL. */
static lf_workspace *take_idle(lfm2_model *model, uint32_t rows)
{
    lf_workspace *small = NULL;
    lf_workspace *fit = NULL;
    for (int i = 0; i < LF_IDLE_WORKSPACES && fit == NULL; i++) {
        lf_workspace *found = atomic_load_explicit(&model->idle[i], memory_order_relaxed);
        if (found == NULL || (found = atomic_exchange(&model->idle[i], NULL)) == NULL) {
            continue;
        }
        if (found->limits.rows >= rows) {
            fit = found;
        } else if (small == NULL) {
            small = found;
        } else {
            lf_workspace_return(model, found);
        }
    }
    if (fit == NULL) { /* the larger one that is made now serves these calls, too */
        lf_workspace_free(model, small);
    } else if (small != NULL) {
        lf_workspace_return(model, small);
    }
    return fit;
}

int32_t lf_workspace_take(lfm2_model *model, uint32_t rows, lf_workspace **out)
{
    *out = take_idle(model, rows);
    if (*out != NULL) {
        return LFM2_OK;
    }
    lf_limits limits = {.rows = 1};
    while (limits.rows < rows) { /* so that longer prompts seldom need another one */
        limits.rows *= 2;
    }
    return lf_workspace_new(model, limits, out);
}

void lf_workspace_return(lfm2_model *model, lf_workspace *workspace)
{
    for (int i = 0; i < LF_IDLE_WORKSPACES; i++) {
        struct lf_workspace *none = NULL;
        if (atomic_compare_exchange_strong(&model->idle[i], &none, workspace)) {
            return;
        }
    }
    lf_workspace_free(model, workspace);
}

void lf_workspace_free_idle(lfm2_model *model)
{
    for (int i = 0; i < LF_IDLE_WORKSPACES; i++) {
        lf_workspace_free(model, atomic_exchange(&model->idle[i], NULL));
    }
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
    uint64_t logits = (uint64_t)model->source->hparams.n_vocab * sizeof(float);
    uint64_t conv = (uint64_t)lf_state_conv_floats(model) * sizeof(float);
    *memory = (lfm2_memory){.weights = model->packed_bytes + owned,
                            .mapped = model->weights.embed->bytes - owned,
                            .kv = (uint64_t)lf_pages_for(state.n_ctx) * state.page_bytes,
                            .conv = 2 * conv,
                            .scratch = lf_workspace_bytes(model, &workspace) + logits,
                            .kv_page = state.page_bytes,
                            .kv_budget = atomic_load(&model->kv_pool.budget),
                            .cache = atomic_load(&model->kv_pool.cache_budget),
                            .cache_checkpoint = conv + logits + 2 * sizeof(lf_floats)};
    memory->total = memory->weights + memory->mapped + memory->kv + memory->conv + memory->scratch;
    if (!lf_add_u64(memory->total, memory->cache, &memory->total)) {
        memory->total = UINT64_MAX;
    }
    return LFM2_OK;
}
