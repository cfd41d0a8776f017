/* SPDX-License-Identifier: Apache-2.0 */
/* Implements the pass over tokens of several sessions, and where their logits are stored. */
#include "run/step.h"

#include <string.h>

int32_t lf_step_open(lfm2_session *session, uint32_t rows, lf_workspace **out)
{
    *out = session->workspace;
    return *out != NULL ? LFM2_OK : lf_workspace_take(session->model, rows, out);
}

void lf_step_close(lfm2_session *session, lf_workspace *workspace)
{
    if (workspace != session->workspace) {
        lf_workspace_return(session->model, workspace);
    }
}

lf_item lf_step_item(lfm2_session *session, const int32_t *ids, uint32_t n, lf_logits wanted,
                     float *out)
{
    return (lf_item){.state = &session->state,
                     .ids = ids,
                     .n = n,
                     .wanted = wanted,
                     .out = out,
                     .cancel = &session->cancel,
                     .owner = session};
}

int32_t lf_step_take_logits(lfm2_session *session)
{
    if (session->target != NULL) {
        return LFM2_OK;
    }
    if (session->logits != NULL && lf_floats_is_own(session->logits)) {
        session->target = session->logits;
        return LFM2_OK;
    }
    return lf_floats_new(&session->model->runtime->alloc, session->model->source->hparams.n_vocab,
                         "logits", &session->target);
}

void lf_step_return_logits(lfm2_session *session)
{
    if (session->target != session->logits) {
        lf_floats_release(&session->model->runtime->alloc, session->target);
    }
    session->target = NULL;
}

/* Makes the session's own what the pass has computed for its item. */
static void finish(const lf_item *item)
{
    lfm2_session *session = item->owner;
    bool has_logits = item->wanted != LF_LOGITS_NONE;
    if (item->status != LFM2_OK) {
        if (has_logits) {
            lf_step_return_logits(session);
        }
        return;
    }
    session->has_logits = has_logits;
    if (item->ids == &session->later) {
        session->later = -1;
    }
    if (!has_logits) {
        return;
    }
    lf_floats *target = session->target;
    if (target != session->logits) {
        lf_floats_release(&session->model->runtime->alloc, session->logits);
        session->logits = target;
    }
    session->target = NULL;
    if (item->wanted == LF_LOGITS_ALL) {
        memcpy(target->at, item->out + (item->n - 1) * target->n, target->n * sizeof(float));
    }
}

int32_t lf_step(lfm2_model *model, lf_workspace *workspace, size_t n_items, bool together)
{
    lf_item *items = workspace->pass.items;
    for (size_t i = 0; i < n_items; i++) {
        lfm2_session *session = items[i].owner;
        if (items[i].status == LFM2_OK && items[i].wanted != LF_LOGITS_NONE) {
            items[i].status = lf_step_take_logits(session);
        }
        if (items[i].wanted == LF_LOGITS_LAST && session->target != NULL) {
            items[i].out = session->target->at;
        }
    }
    int32_t status = lf_forward_batch(model, workspace, items, n_items, together);
    for (size_t i = 0; i < n_items; i++) {
        if (status == LFM2_E_ARGUMENT) {
            items[i].status = status;
        }
        finish(&items[i]);
    }
    return status;
}
