/* SPDX-License-Identifier: Apache-2.0 */
/* Implements references to a model, and reading its packed weights and its embedding. */
#include "model/model.h"

#include "model/workspace.h"

/* ---- References ---- */

lfm2_model *lf_model_retain(lfm2_model *model)
{
    atomic_fetch_add(&model->refs, 1);
    return model;
}

void lf_model_free(lfm2_model *model)
{
    if (model == NULL || atomic_fetch_sub(&model->refs, 1) != 1) {
        return;
    }
    lfm2_runtime *runtime = model->runtime;
    const lf_alloc *alloc = &runtime->alloc;
    lf_workspace_free_idle(model);
    for (size_t i = 0; i < model->n_matrices; i++) {
        lf_pack_free(alloc, model->matrices[i]);
    }
    if (model->embed_owned != NULL) {
        lf_free(alloc, model->embed_owned, (size_t)model->weights.embed->bytes, 1);
    }
    lf_cache_close(alloc, model->cache);
    lf_token_trie_free(atomic_load(&model->trie));
    lf_tokenizer_free(model->tokenizer);
    lf_chat_set_free(model->chat);
    lf_arena_free(&model->arena);
    lf_source_close(model->source);
    lf_free(alloc, model, 1, sizeof *model);
    lf_runtime_release(runtime);
}

int32_t lf_model_need_full(const lfm2_model *model)
{
    if (model->mode != LFM2_LOAD_FULL) {
        return lf_fail(LFM2_E_STATE, "model.mode", "the model was not loaded with LFM2_LOAD_FULL");
    }
    return LFM2_OK;
}

int32_t lf_model_need_text(const lfm2_model *model)
{
    if (model->tokenizer == NULL) {
        return lf_fail(LFM2_E_STATE, "model.tokenizer", "%s: the model has no tokenizer",
                       model->source->path);
    }
    return LFM2_OK;
}

/* ---- Trie ---- */

/* Threads that need the trie at once each build one; the first is kept. */
int32_t lf_model_trie(lfm2_model *model, const lf_token_trie **out)
{
    lf_token_trie *trie = atomic_load(&model->trie);
    if (trie == NULL) {
        lf_token_trie *built = NULL;
        LF_TRY(lf_token_trie_create(&model->runtime->alloc, model->tokenizer, &built));
        if (atomic_compare_exchange_strong(&model->trie, &trie, built)) {
            trie = built;
        } else {
            lf_token_trie_free(built);
        }
    }
    *out = trie;
    return LFM2_OK;
}

/* ---- Weights ---- */

void lf_model_walk(const lfm2_model *model, uint64_t begin, uint64_t bytes, size_t most,
                   lf_weights_fn visit, void *ctx)
{
    size_t i = 0;
    while (begin >= model->matrices[i]->bytes) {
        begin -= model->matrices[i++]->bytes;
    }
    while (bytes > 0) {
        const lf_packed *matrix = model->matrices[i];
        uint64_t n = matrix->bytes - begin;
        n = n < bytes ? n : bytes;
        n = n < most ? n : most;
        visit(ctx, matrix->panels + begin, (size_t)n);
        begin += n;
        bytes -= n;
        if (begin == matrix->bytes) {
            begin = 0;
            i = (i + 1) % model->n_matrices;
        }
    }
}

uint64_t lf_model_embed_owned(const lfm2_model *model)
{
    const lf_tensor *embed = model->weights.embed;
    return lf_tensor_expert(model->source, embed, 0) == NULL ? embed->bytes : 0;
}

void lf_model_embed(const lfm2_model *model, int32_t id, float *out)
{
    const lf_tensor *embed = model->weights.embed;
    size_t row_bytes = lf_row_bytes(embed->type, embed->ne[0]);
    lf_decode_row(embed->type, model->embed + (size_t)id * row_bytes, out, embed->ne[0]);
}
