/* SPDX-License-Identifier: Apache-2.0 */
/* Implements sessions: creation, appending tokens in chunks, many sessions in one pass. */
#include "run/session.h"

#include <string.h>

int32_t lf_session_create(lfm2_model *model, const lfm2_session_options *options,
                          lfm2_session **out)
{
    const lf_alloc *alloc = &model->runtime->alloc;
    void *p = NULL;
    LF_TRY(lf_new_zero(alloc, 1, sizeof(lfm2_session), "session", &p));
    lfm2_session *session = p;
    int32_t status = lf_state_create(model, options, &session->state);
    if (status == LFM2_OK) {
        const lf_limits limits = {session->state.n_chunk, session->state.n_ctx};
        status = lf_workspace_create(model, limits, &session->workspace);
    }
    if (status != LFM2_OK) {
        lf_state_free(model, &session->state);
        lf_free(alloc, p, 1, sizeof(lfm2_session));
        return status;
    }
    atomic_init(&session->cancel, 0);
    session->model = lf_model_retain(model);
    session->later = -1;
    *out = session;
    return LFM2_OK;
}

void lf_session_free(lfm2_session *session)
{
    if (session == NULL) {
        return;
    }
    lfm2_model *model = session->model;
    lf_workspace_free(model, &session->workspace);
    lf_state_free(model, &session->state);
    lf_free(&model->runtime->alloc, session, 1, sizeof *session);
    lf_model_free(model);
}

bool lf_session_take_cancel(lfm2_session *session)
{
    return atomic_exchange(&session->cancel, 0) != 0;
}

static int32_t check_tokens(const lfm2_session *session, const int32_t *ids, size_t n)
{
    uint32_t length = lf_session_length(session);
    if (n > session->state.n_ctx - length) {
        return lf_fail(LFM2_E_LIMIT, "session.full",
                       "the context is too small: %u of %u tokens are in use, %zu requested",
                       length, session->state.n_ctx, n);
    }
    uint32_t n_vocab = session->model->source->hparams.n_vocab;
    for (size_t i = 0; i < n; i++) {
        if (ids[i] < 0 || (uint32_t)ids[i] >= n_vocab) {
            return lf_fail(LFM2_E_ARGUMENT, "session.token",
                           "token %zu has id %d; allowed: 0 to %u", i, ids[i], n_vocab - 1);
        }
    }
    return LFM2_OK;
}

uint32_t lf_session_length(const lfm2_session *session)
{
    return session->state.length + (session->later >= 0 ? 1 : 0);
}

void lf_session_reset(lfm2_session *session)
{
    lf_state_reset(&session->state);
    session->has_logits = false;
    session->later = -1;
    lf_session_take_cancel(session);
}

static int32_t forward(lfm2_session *session, const int32_t *ids, uint32_t n, lf_logits wanted,
                       float *out)
{
    lf_item item = {&session->state, ids, n, wanted, out, &session->cancel};
    LF_TRY(lf_forward_batch(session->model, &session->workspace, &item, 1));
    session->has_logits = false; /* the logits belong to an earlier token now */
    return LFM2_OK;
}

/* Computes the pending token. */
static int32_t settle(lfm2_session *session, lf_logits wanted)
{
    if (session->later < 0) {
        return LFM2_OK;
    }
    LF_TRY(forward(session, &session->later, 1, wanted, session->workspace.head.logits));
    session->later = -1;
    session->has_logits = wanted != LF_LOGITS_NONE;
    return LFM2_OK;
}

bool lf_session_add_later(lfm2_session *session, int32_t id)
{
    if (lf_session_length(session) >= session->state.n_ctx) {
        return false;
    }
    session->later = id;
    return true;
}

int32_t lf_session_logits(lfm2_session *session, const float **logits)
{
    LF_TRY(settle(session, LF_LOGITS_LAST));
    if (!session->has_logits) {
        return lf_fail(LFM2_E_STATE, "session.logits",
                       "no logits: the session is empty or its last call failed");
    }
    *logits = session->workspace.head.logits;
    return LFM2_OK;
}

int32_t lf_session_append(lfm2_session *session, const int32_t *ids, size_t n, float *all_logits)
{
    if (n == 0) {
        return lf_fail(LFM2_E_ARGUMENT, "session.empty",
                       "no tokens given; at least one is required");
    }
    LF_TRY(check_tokens(session, ids, n));
    /* With logits, because the tokens that follow can be cancelled. */
    LF_TRY(settle(session, LF_LOGITS_LAST));
    lf_state *state = &session->state;
    size_t n_vocab = session->model->source->hparams.n_vocab;
    for (size_t done = 0; done < n;) {
        uint32_t step = n - done < state->n_chunk ? (uint32_t)(n - done) : state->n_chunk;
        if (all_logits != NULL) {
            LF_TRY(forward(session, ids + done, step, LF_LOGITS_ALL, all_logits + done * n_vocab));
        } else {
            LF_TRY(forward(session, ids + done, step,
                           done + step == n ? LF_LOGITS_LAST : LF_LOGITS_NONE,
                           session->workspace.head.logits));
        }
        done += step;
    }
    if (all_logits != NULL) {
        memcpy(session->workspace.head.logits, all_logits + (n - 1) * n_vocab,
               n_vocab * sizeof(float));
    }
    session->has_logits = true;
    return LFM2_OK;
}

int32_t lf_session_verify(lfm2_session *session, const int32_t *ids, uint32_t n, float *out)
{
    session->later = -1;
    int32_t status = lf_session_append(session, ids, n, out);
    if (status != LFM2_OK) {
        session->later = ids[0];
    }
    return status;
}

/* ---- Many sessions in one pass ---- */

static int32_t check_many(lfm2_session *const *sessions, const int32_t *ids, uint32_t n)
{
    const lfm2_session *first = sessions[0];
    if (n > first->state.n_chunk) {
        return lf_fail(LFM2_E_LIMIT, "batch.size",
                       "the batch has %u sessions; allowed: 1 to %u, the n_chunk of sessions[0]", n,
                       first->state.n_chunk);
    }
    for (uint32_t i = 0; i < n; i++) {
        if (sessions[i]->model != first->model) {
            return lf_fail(LFM2_E_ARGUMENT, "batch.model",
                           "sessions[%u] and sessions[0] have different models", i);
        }
        for (uint32_t other = 0; other < i; other++) {
            if (sessions[other] == sessions[i]) {
                return lf_fail(LFM2_E_ARGUMENT, "batch.twice",
                               "sessions[%u] and sessions[%u] are the same session", other, i);
            }
        }
        uint32_t n_vocab = first->model->source->hparams.n_vocab;
        if (ids[i] < 0 || (uint32_t)ids[i] >= n_vocab) {
            return lf_fail(LFM2_E_ARGUMENT, "session.token", "ids[%u] is %d; allowed: 0 to %u", i,
                           ids[i], n_vocab - 1);
        }
        if (lf_session_length(sessions[i]) >= sessions[i]->state.n_ctx) {
            return lf_fail(LFM2_E_LIMIT, "session.full",
                           "the context of sessions[%u] is full (n_ctx is %u)", i,
                           sessions[i]->state.n_ctx);
        }
    }
    return LFM2_OK;
}

static lf_item item_of_one(lfm2_session *session, const int32_t *id)
{
    return (lf_item){&session->state, id, 1, LF_LOGITS_LAST, session->workspace.head.logits,
                     &session->cancel};
}

/* Computes the pending tokens, with logits: if the tokens that follow are cancelled, the caller can
 * still ask for these logits. */
static int32_t settle_many(lfm2_session *const *sessions, uint32_t n)
{
    lf_workspace *workspace = &sessions[0]->workspace;
    lf_item *items = workspace->pass.items;
    size_t n_items = 0;
    for (uint32_t i = 0; i < n; i++) {
        if (sessions[i]->later >= 0) {
            items[n_items++] = item_of_one(sessions[i], &sessions[i]->later);
        }
    }
    if (n_items == 0) {
        return LFM2_OK;
    }
    LF_TRY(lf_forward_batch(sessions[0]->model, workspace, items, n_items));
    for (uint32_t i = 0; i < n; i++) {
        sessions[i]->has_logits = sessions[i]->has_logits || sessions[i]->later >= 0;
        sessions[i]->later = -1;
    }
    return LFM2_OK;
}

int32_t lf_session_append_many(lfm2_session *const *sessions, const int32_t *ids, uint32_t n)
{
    LF_TRY(check_many(sessions, ids, n));
    LF_TRY(settle_many(sessions, n));
    lf_workspace *workspace = &sessions[0]->workspace;
    lf_item *items = workspace->pass.items;
    for (uint32_t i = 0; i < n; i++) {
        items[i] = item_of_one(sessions[i], &ids[i]);
    }
    LF_TRY(lf_forward_batch(sessions[0]->model, workspace, items, n));
    for (uint32_t i = 0; i < n; i++) {
        sessions[i]->has_logits = true;
    }
    return LFM2_OK;
}
