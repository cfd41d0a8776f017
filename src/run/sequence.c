/* SPDX-License-Identifier: Apache-2.0 */
/* Implements fork, rewind, remove and reading the tokens of a session. */
#include "run/sequence.h"

#include "run/step.h"

enum { WARM_UP_CHUNK = 256 };

/* ---- Fork ---- */

int32_t lf_session_fork(const lfm2_session *session, lfm2_session **out)
{
    lfm2_model *model = session->model;
    const lf_alloc *alloc = &model->runtime->alloc;
    void *p = NULL;
    LF_TRY(lf_new_zero(alloc, 1, sizeof(lfm2_session), "session", &p));
    lfm2_session *fork = p;
    int32_t status = lf_state_fork(model, &session->state, &fork->state);
    if (status != LFM2_OK) {
        lf_free(alloc, p, 1, sizeof *fork);
        return status;
    }
    fork->model = lf_model_retain(model);
    fork->logits = session->has_logits ? lf_floats_retain(session->logits) : NULL;
    fork->has_logits = session->has_logits;
    fork->later = session->later;
    atomic_init(&fork->cancel, 0);
    *out = fork;
    return LFM2_OK;
}

/* ---- Tokens ---- */

int32_t lf_session_tokens(const lfm2_session *session, uint32_t first, uint32_t n, int32_t *ids)
{
    uint32_t length = lf_session_length(session);
    if (first > length || n > length - first) {
        return lf_fail(LFM2_E_ARGUMENT, "session.range",
                       "%u tokens from position %u on; the session has %u tokens", n, first,
                       length);
    }
    if (n > 0 && session->later >= 0 && first + n == length) {
        ids[--n] = session->later;
    }
    lf_state_ids(&session->state, first, n, ids);
    return LFM2_OK;
}

/* ---- Rewind ---- */

/* lf_session_warm_up with a workspace. The filters are finite: what is `length - lf_warm_up_tokens`
 * positions away has no influence on the history. */
static int32_t warm_up(lfm2_session *session, lf_workspace *workspace, uint32_t length,
                       lf_floats **conv)
{
    lfm2_model *model = session->model;
    const lf_alloc *alloc = &model->runtime->alloc;
    uint32_t n = lf_warm_up_tokens(model);
    lf_state state = session->state; /* with the same pages, which are only read */
    state.length = length > n ? length - n : 0;
    state.conv = NULL;
    state.next = NULL;
    int32_t status = lf_state_prepare_conv(model, &state);
    while (status == LFM2_OK && n > 0 && state.length < length) {
        int32_t ids[WARM_UP_CHUNK];
        uint32_t step = length - state.length;
        step = step < WARM_UP_CHUNK ? step : WARM_UP_CHUNK;
        step = step < workspace->limits.rows ? step : workspace->limits.rows;
        lf_state_ids(&state, state.length, step, ids);
        lf_item item = {.state = &state,
                        .ids = ids,
                        .n = step,
                        .wanted = LF_LOGITS_NONE,
                        .cancel = &session->cancel,
                        .warm_up = true};
        status = lf_forward_batch(model, workspace, &item, 1, true);
    }
    lf_floats_release(alloc, state.next);
    if (status != LFM2_OK) {
        lf_floats_release(alloc, state.conv);
        return status;
    }
    *conv = state.conv;
    return LFM2_OK;
}

int32_t lf_session_warm_up(lfm2_session *session, uint32_t length, lf_floats **conv)
{
    lf_workspace *workspace = NULL;
    uint32_t rows = lf_warm_up_tokens(session->model);
    rows = rows < length ? rows : length;
    LF_TRY(lf_step_open(session, rows < WARM_UP_CHUNK ? rows : WARM_UP_CHUNK, &workspace));
    int32_t status = warm_up(session, workspace, length, conv);
    lf_step_close(session, workspace);
    return status;
}

int32_t lf_session_rewind(lfm2_session *session, uint32_t length)
{
    uint32_t now = lf_session_length(session);
    if (length > now) {
        return lf_fail(LFM2_E_ARGUMENT, "session.length",
                       "length is %u; allowed: 0 to %u, the tokens of the session", length, now);
    }
    if (length == now) {
        return LFM2_OK;
    }
    if (length == session->state.length) { /* only the pending token goes */
        session->later = -1;
        return LFM2_OK;
    }
    if (length == 0) {
        lf_state_reset(session->model, &session->state);
    } else {
        lf_floats *conv = NULL;
        LF_TRY(lf_session_warm_up(session, length, &conv));
        lf_state_cut(session->model, &session->state, length, conv);
    }
    session->has_logits = false;
    session->later = -1;
    return LFM2_OK;
}

/* ---- Remove ---- */

/* What a session is besides its identity. */
typedef struct content {
    lf_state state;
    lf_floats *logits;
    bool has_logits;
    int32_t later;
} content;

/* Replaces the content of the session by an equal one and returns the old one. */
static int32_t detach(lfm2_session *session, content *old)
{
    lf_state equal;
    LF_TRY(lf_state_fork(session->model, &session->state, &equal));
    *old = (content){session->state, session->logits, session->has_logits, session->later};
    session->state = equal;
    lf_floats_retain(session->logits);
    return LFM2_OK;
}

/* Undoes detach, whatever happened since. */
static void restore(lfm2_session *session, const content *old)
{
    lf_state_free(session->model, &session->state);
    lf_floats_release(&session->model->runtime->alloc, session->logits);
    session->state = old->state;
    session->logits = old->logits;
    session->has_logits = old->has_logits;
    session->later = old->later;
}

static int32_t recompute(lfm2_session *session, uint32_t first, const int32_t *ids, uint32_t n)
{
    content old;
    LF_TRY(detach(session, &old));
    int32_t status = lf_session_rewind(session, first);
    status = status == LFM2_OK ? lf_session_append(session, ids, n, NULL) : status;
    if (status == LFM2_OK) {
        lf_state_replace(session->model, &old.state, &session->state);
        lf_floats_release(&session->model->runtime->alloc, old.logits);
    } else {
        restore(session, &old);
    }
    return status;
}

/* Removes the tokens from `first` on, except for the last `rest` ones. */
static int32_t remove_tokens(lfm2_session *session, uint32_t first, uint32_t rest)
{
    if (rest == 0) {
        return lf_session_rewind(session, first);
    }
    const lf_alloc *alloc = &session->model->runtime->alloc;
    void *ids = NULL;
    LF_TRY(lf_new(alloc, rest, sizeof(int32_t), "token ids", &ids));
    int32_t status = lf_session_tokens(session, lf_session_length(session) - rest, rest, ids);
    status = status == LFM2_OK ? recompute(session, first, ids, rest) : status;
    lf_free(alloc, ids, rest, sizeof(int32_t));
    return status;
}

int32_t lf_session_remove(lfm2_session *session, uint32_t first, uint32_t n,
                          lfm2_remove_result *result)
{
    uint32_t length = lf_session_length(session);
    if (n == 0 || first > length || n > length - first) {
        return lf_fail(LFM2_E_ARGUMENT, "session.range",
                       "%u tokens from position %u on; the session has %u tokens, and at least 1 "
                       "must be removed",
                       n, first, length);
    }
    uint32_t rest = length - first - n;
    LF_TRY(remove_tokens(session, first, rest));
    result->n_reused = first;
    result->n_computed = rest;
    return LFM2_OK;
}
