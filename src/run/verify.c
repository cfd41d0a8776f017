/* SPDX-License-Identifier: Apache-2.0 */
/* Implements passes over guessed tokens. A convolution's history is its last inputs: those of the
 * pass are stored, so that the history after any of its tokens can be copied together. */
#include "run/verify.h"

#include <string.h>

/* Inputs of all convolutions for one token. */
static size_t gated_floats(const lfm2_model *model)
{
    return lf_state_conv_floats(model) / (model->source->hparams.conv_kernel - 1);
}

int32_t lf_verify_create(const lfm2_model *model, uint32_t rows, bool all, lf_verify *verify)
{
    const lf_alloc *alloc = &model->runtime->alloc;
    size_t n_vocab = model->source->hparams.n_vocab;
    void *p = NULL;
    verify->rows = rows;
    if (all) {
        LF_TRY(lf_new(alloc, rows * n_vocab, sizeof(float), "logits of drafts", &p));
        verify->logits = p;
    }
    LF_TRY(lf_new(alloc, rows * gated_floats(model), sizeof(float), "inputs of drafts", &p));
    verify->gated = p;
    LF_TRY(lf_new(alloc, lf_state_conv_floats(model), sizeof(float), "history of drafts", &p));
    verify->history = p;
    return LFM2_OK;
}

void lf_verify_free(const lfm2_model *model, lf_verify *verify)
{
    const lf_alloc *alloc = &model->runtime->alloc;
    size_t n_vocab = model->source->hparams.n_vocab;
    lf_free(alloc, verify->logits, verify->rows * n_vocab, sizeof(float));
    lf_free(alloc, verify->gated, verify->rows * gated_floats(model), sizeof(float));
    lf_free(alloc, verify->history, lf_state_conv_floats(model), sizeof(float));
    *verify = (lf_verify){0};
}

lf_item lf_verify_item(lf_verify *verify, lfm2_session *session, const int32_t *ids, uint32_t n,
                       bool all)
{
    const lf_floats *conv = session->state.conv;
    size_t bytes = lf_state_conv_floats(session->model) * sizeof(float);
    if (conv != NULL) {
        memcpy(verify->history, conv->at, bytes);
    } else {
        memset(verify->history, 0, bytes);
    }
    verify->n = n;
    verify->all = all;
    lf_item item = all ? lf_step_item(session, ids, n, LF_LOGITS_ALL, verify->logits)
                       : lf_step_item(session, ids, n, LF_LOGITS_LAST, NULL);
    item.gated = verify->gated;
    return item;
}

int32_t lf_verify_run(lf_verify *verify, lfm2_session *session, const int32_t *ids, uint32_t n,
                      bool all)
{
    lf_workspace *workspace = NULL;
    LF_TRY(lf_step_open(session, n, &workspace));
    workspace->pass.items[0] = lf_verify_item(verify, session, ids, n, all);
    int32_t status = lf_step(session->model, workspace, 1, true);
    lf_step_close(session, workspace);
    if (status != LFM2_OK) {
        lf_state_trim(&session->state);
        return status;
    }
    session->later = -1;
    return LFM2_OK;
}

void lf_verify_keep(const lf_verify *verify, lfm2_session *session, uint32_t n_kept)
{
    if (n_kept == verify->n) {
        return;
    }
    lf_state *state = &session->state;
    const lf_hparams *h = &session->model->source->hparams;
    size_t width = h->n_embd;
    size_t taps = h->conv_kernel;
    size_t n_layers = gated_floats(session->model) / width;
    for (size_t layer = 0; layer < n_layers; layer++) {
        const float *old = verify->history + layer * (taps - 1) * width;
        const float *gated = verify->gated + layer * verify->n * width;
        float *kept = state->conv->at + layer * (taps - 1) * width; /* written by the pass: own */
        for (size_t i = 0; i < taps - 1; i++) {
            size_t token = n_kept + i; /* of old history and pass together */
            const float *from =
                token < taps - 1 ? old + token * width : gated + (token - (taps - 1)) * width;
            memcpy(kept + i * width, from, width * sizeof(float));
        }
    }
    lf_state_cut(session->model, state, state->length - (verify->n - n_kept),
                 lf_floats_retain(state->conv));
    /* These were written by the pass as well. */
    session->has_logits = verify->all;
    if (!verify->all) {
        return;
    }
    size_t n_vocab = h->n_vocab;
    memcpy(session->logits->at, verify->logits + (n_kept - 1) * n_vocab, n_vocab * sizeof(float));
}
