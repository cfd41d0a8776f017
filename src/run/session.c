/* SPDX-License-Identifier: Apache-2.0 */
/* Implements sessions: creation, appending tokens in chunks, many sessions in one pass. */
#include "run/session.h"

#include "run/step.h"

#include <string.h>

/* ---- Create, free ---- */

/* Memory that otherwise is taken by the first call that needs it. */
static int32_t reserve(lfm2_session *session)
{
    lfm2_model *model = session->model;
    const lf_limits limits = {.rows = session->state.n_chunk, .n_ctx = session->state.n_ctx};
    LF_TRY(lf_workspace_new(model, limits, &session->workspace));
    return lf_floats_new(&model->runtime->alloc, model->source->hparams.n_vocab, "logits",
                         &session->logits);
}

int32_t lf_session_create(lfm2_model *model, const lfm2_session_options *options,
                          lfm2_session **out)
{
    void *p = NULL;
    LF_TRY(lf_new_zero(&model->runtime->alloc, 1, sizeof(lfm2_session), "session", &p));
    lfm2_session *session = p;
    session->model = lf_model_retain(model);
    session->later = -1;
    atomic_init(&session->cancel, 0);
    int32_t status = lf_state_create(model, options, &session->state);
    if (status == LFM2_OK && options->n_reserve > 0) {
        status = reserve(session);
    }
    if (status != LFM2_OK) {
        lf_session_free(session);
        return status;
    }
    *out = session;
    return LFM2_OK;
}

void lf_session_free(lfm2_session *session)
{
    if (session == NULL) {
        return;
    }
    lfm2_model *model = session->model;
    const lf_alloc *alloc = &model->runtime->alloc;
    lf_workspace_free(model, session->workspace);
    lf_floats_release(alloc, session->logits);
    lf_state_free(model, &session->state);
    lf_free(alloc, session, 1, sizeof *session);
    lf_model_free(model);
}

void lf_session_reset(lfm2_session *session)
{
    lf_state_reset(session->model, &session->state);
    if (session->state.n_reserve == 0) {
        lf_floats_release(&session->model->runtime->alloc, session->logits);
        session->logits = NULL;
    }
    session->has_logits = false;
    session->later = -1;
    lf_session_take_cancel(session);
}

/* ---- Tokens ---- */

bool lf_session_take_cancel(lfm2_session *session)
{
    return atomic_exchange(&session->cancel, 0) != 0;
}

int32_t lf_session_check_tokens(const lfm2_session *session, const int32_t *ids, size_t n)
{
    uint32_t length = lf_session_length(session);
    if (n == 0) {
        return lf_fail(LFM2_E_ARGUMENT, "session.empty",
                       "no tokens given; at least one is required");
    }
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

bool lf_session_add_later(lfm2_session *session, int32_t id)
{
    if (lf_session_length(session) >= session->state.n_ctx) {
        return false;
    }
    session->later = id;
    return true;
}

/* ---- One session ---- */

static int32_t step_one(lfm2_session *session, lf_workspace *workspace, const int32_t *ids,
                        uint32_t n, lf_logits wanted, float *out)
{
    workspace->pass.items[0] = lf_step_item(session, ids, n, wanted, out);
    return lf_step(session->model, workspace, 1, true);
}

/* Computes the pending token, with logits: what follows can be cancelled. */
static int32_t flush(lfm2_session *session, lf_workspace *workspace)
{
    if (session->later < 0) {
        return LFM2_OK;
    }
    return step_one(session, workspace, &session->later, 1, LF_LOGITS_LAST, NULL);
}

int32_t lf_session_logits(lfm2_session *session, const float **logits)
{
    if (session->later >= 0) {
        lf_workspace *workspace = NULL;
        LF_TRY(lf_step_open(session, 1, &workspace));
        int32_t status = flush(session, workspace);
        lf_step_close(session, workspace);
        lf_state_trim(&session->state);
        LF_TRY(status);
    }
    if (!session->has_logits) {
        return lf_fail(LFM2_E_STATE, "session.logits",
                       "no logits: the session is empty or its last call failed");
    }
    *logits = session->logits->at;
    return LFM2_OK;
}

/* Gets all memory for n tokens in several passes before the first one: what is computed need not be
 * undone. */
static int32_t prepare_passes(lfm2_session *session, lf_workspace *workspace, uint32_t n)
{
    lfm2_model *model = session->model;
    LF_TRY(lf_state_prepare(model, &session->state, n));
    LF_TRY(lf_state_own_conv(model, &session->state));
    LF_TRY(lf_workspace_grow(model, workspace, session->state.length + n));
    return lf_step_take_logits(session);
}

static int32_t append(lfm2_session *session, lf_workspace *workspace, const int32_t *ids, size_t n,
                      float *all_logits)
{
    LF_TRY(flush(session, workspace));
    const lf_state *state = &session->state;
    if (n > state->n_chunk) {
        LF_TRY(prepare_passes(session, workspace, (uint32_t)n));
    }
    size_t n_vocab = session->model->source->hparams.n_vocab;
    for (size_t done = 0; done < n;) {
        uint32_t step = n - done < state->n_chunk ? (uint32_t)(n - done) : state->n_chunk;
        lf_logits wanted = all_logits != NULL ? LF_LOGITS_ALL
                           : done + step == n ? LF_LOGITS_LAST
                                              : LF_LOGITS_NONE;
        float *out = all_logits == NULL ? NULL : all_logits + done * n_vocab;
        LF_TRY(step_one(session, workspace, ids + done, step, wanted, out));
        done += step;
    }
    return LFM2_OK;
}

int32_t lf_session_append(lfm2_session *session, const int32_t *ids, size_t n, float *all_logits)
{
    LF_TRY(lf_session_check_tokens(session, ids, n));
    lf_workspace *workspace = NULL;
    uint32_t chunk = session->state.n_chunk;
    LF_TRY(lf_step_open(session, n < chunk ? (uint32_t)n : chunk, &workspace));
    int32_t status = append(session, workspace, ids, n, all_logits);
    lf_step_return_logits(session);
    lf_step_close(session, workspace);
    lf_state_trim(&session->state);
    return status;
}

/* ---- Many sessions in one pass ---- */

static int32_t check_many(lfm2_session *const *sessions, const int32_t *ids, uint32_t n)
{
    const lfm2_session *first = sessions[0];
    if (n > LF_STEP_MOST_ROWS) {
        return lf_fail(LFM2_E_LIMIT, "batch.size", "the batch has %u sessions; allowed: 1 to %d", n,
                       LF_STEP_MOST_ROWS);
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

/* Computes the pending tokens, then the tokens `ids`. */
static int32_t append_many(lf_workspace *workspace, lfm2_session *const *sessions,
                           const int32_t *ids, uint32_t n)
{
    lfm2_model *model = sessions[0]->model;
    lf_item *items = workspace->pass.items;
    size_t n_items = 0;
    for (uint32_t i = 0; i < n; i++) {
        if (sessions[i]->later >= 0) {
            items[n_items++] =
                lf_step_item(sessions[i], &sessions[i]->later, 1, LF_LOGITS_LAST, NULL);
        }
    }
    if (n_items > 0) {
        LF_TRY(lf_step(model, workspace, n_items, true));
    }
    for (uint32_t i = 0; i < n; i++) {
        items[i] = lf_step_item(sessions[i], &ids[i], 1, LF_LOGITS_LAST, NULL);
    }
    return lf_step(model, workspace, n, true);
}

/* The same with the workspace of the first session, if that is large enough, or one of the model's.
 */
static int32_t append_many_with(lfm2_session *const *sessions, const int32_t *ids, uint32_t n)
{
    lfm2_model *model = sessions[0]->model;
    lf_workspace *workspace = sessions[0]->workspace;
    if (workspace != NULL && workspace->limits.rows >= n) {
        return append_many(workspace, sessions, ids, n);
    }
    LF_TRY(lf_workspace_take(model, n, &workspace));
    int32_t status = append_many(workspace, sessions, ids, n);
    lf_workspace_return(model, workspace);
    return status;
}

int32_t lf_session_append_many(lfm2_session *const *sessions, const int32_t *ids, uint32_t n)
{
    LF_TRY(check_many(sessions, ids, n));
    int32_t status = append_many_with(sessions, ids, n);
    for (uint32_t i = 0; i < n; i++) {
        lf_state_trim(&sessions[i]->state);
    }
    return status;
}
