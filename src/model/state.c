/* SPDX-License-Identifier: Apache-2.0 */
/* Implements the layout of a sequence's KV blocks and convolution history. */
#include "model/state.h"

#include "model/carve.h"

#include <string.h>

_Static_assert((int)LF_MAX_HEAD_DIM <= (int)LF_ATTN_MOST_DIMS,
               "int8 attention supports every head_dim");

static void carve_kv(const lfm2_model *model, lf_state *state, lf_carver *c)
{
    const lf_hparams *h = &model->source->hparams;
    for (uint32_t l = 0; l < h->n_layer; l++) {
        size_t blocks = (size_t)h->n_head_kv[l] * state->n_blocks;
        state->k[l] = lf_carve(c, blocks, state->block_bytes);
        state->v[l] = lf_carve(c, blocks, state->block_bytes);
    }
}

/* ---- Measure, create, free ---- */

enum { DEFAULT_CTX = 4096, DEFAULT_CHUNK = 512, MAX_CHUNK = 8192 };

static int32_t read_options(const lfm2_model *model, const lfm2_session_options *options,
                            lf_state *state)
{
    uint32_t trained = model->source->hparams.n_ctx_train;
    uint32_t n_ctx = options->n_ctx;
    if (n_ctx == 0) {
        n_ctx = trained < DEFAULT_CTX ? trained : DEFAULT_CTX;
    }
    if (n_ctx > trained) {
        return lf_fail(LFM2_E_ARGUMENT, "session.n_ctx",
                       "n_ctx is %u; allowed: 0 to %u, the model's context", n_ctx, trained);
    }
    if (options->kv_type < 0 || options->kv_type >= LF_KV_COUNT) {
        return lf_fail(LFM2_E_ARGUMENT, "session.kv_type", "kv_type is %d; allowed: 0 to %d",
                       options->kv_type, LF_KV_COUNT - 1);
    }
    uint32_t chunk = options->n_chunk == 0 ? DEFAULT_CHUNK : options->n_chunk;
    if (chunk > MAX_CHUNK) {
        return lf_fail(LFM2_E_ARGUMENT, "session.n_chunk", "n_chunk is %u; allowed: 0 to %d", chunk,
                       MAX_CHUNK);
    }
    state->n_ctx = n_ctx;
    state->n_chunk = chunk < n_ctx ? chunk : n_ctx;
    state->n_blocks = (n_ctx + LF_ATTN_BLOCK - 1) / LF_ATTN_BLOCK;
    state->kv_type = (lf_kv_type)options->kv_type;
    state->block_bytes = lf_kv_block_bytes(state->kv_type, model->source->hparams.head_dim);
    return LFM2_OK;
}

int32_t lf_state_measure(const lfm2_model *model, const lfm2_session_options *options,
                         lf_state *state)
{
    *state = (lf_state){0};
    LF_TRY(read_options(model, options, state));
    const lf_hparams *h = &model->source->hparams;
    uint32_t conv_layers = 0;
    for (uint32_t l = 0; l < h->n_layer; l++) {
        if (h->n_head_kv[l] == 0) {
            state->conv_index[l] = conv_layers++;
        }
    }
    lf_carver conv = {0};
    lf_carve(&conv, (size_t)2 * conv_layers * (h->conv_kernel - 1) * h->n_embd, sizeof(float));
    lf_carver kv = {0};
    carve_kv(model, state, &kv);
    if (conv.overflow || kv.overflow) {
        return lf_fail(LFM2_E_MEMORY, "memory.overflow",
                       "the size of the session in bytes overflows");
    }
    state->conv_bytes = conv.used;
    state->kv_bytes = kv.used;
    return LFM2_OK;
}

int32_t lf_state_create(const lfm2_model *model, const lfm2_session_options *options,
                        lf_state *state)
{
    LF_TRY(lf_state_measure(model, options, state));
    const lf_alloc *alloc = &model->runtime->alloc;
    void *conv = NULL;
    void *kv = NULL;
    int32_t status = lf_new_zero(alloc, state->conv_bytes, 1, "convolution state", &conv);
    /* Not cleared: kernels use only positions that were stored, and pages without any stay
     * untouched. */
    if (status == LFM2_OK) {
        status = lf_new(alloc, state->kv_bytes, 1, "KV cache", &kv);
    }
    state->conv = conv;
    state->kv = kv;
    if (status != LFM2_OK) {
        lf_state_free(model, state);
        return status;
    }
    lf_carver c = {.base = kv};
    carve_kv(model, state, &c);
    return LFM2_OK;
}

void lf_state_free(const lfm2_model *model, lf_state *state)
{
    const lf_alloc *alloc = &model->runtime->alloc;
    lf_free(alloc, state->conv, state->conv_bytes, 1);
    lf_free(alloc, state->kv, state->kv_bytes, 1);
    *state = (lf_state){0};
}

void lf_state_reset(lf_state *state)
{
    state->length = 0;
    state->conv_now = 0;
    memset(state->conv, 0, state->conv_bytes);
}

/* ---- Addresses ---- */

float *lf_state_conv(const lfm2_model *model, const lf_state *state, uint32_t layer, bool next)
{
    const lf_hparams *h = &model->source->hparams;
    size_t layer_floats = (size_t)(h->conv_kernel - 1) * h->n_embd;
    size_t copy_floats = state->conv_bytes / sizeof(float) / 2;
    uint32_t copy = next ? 1 - state->conv_now : state->conv_now;
    return state->conv + copy * copy_floats + state->conv_index[layer] * layer_floats;
}

uint8_t *lf_state_block(const lf_state *state, uint8_t *base, uint32_t head, uint32_t block)
{
    return base + ((size_t)head * state->n_blocks + block) * state->block_bytes;
}
