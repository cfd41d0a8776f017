/* SPDX-License-Identifier: Apache-2.0 */
/* Owns appending tokens in chunks and the session's life. */
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
    if (status != LFM2_OK) {
        lf_free(alloc, p, 1, sizeof(lfm2_session));
        return status;
    }
    atomic_init(&session->cancel, 0);
    atomic_fetch_add(&model->refs, 1);
    session->model = model;
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
                       "%zu tokens do not fit: the context holds %u of %u", n, length,
                       session->state.n_ctx);
    }
    uint32_t n_vocab = session->model->source->hparams.n_vocab;
    for (size_t i = 0; i < n; i++) {
        if (ids[i] < 0 || (uint32_t)ids[i] >= n_vocab) {
            return lf_fail(LFM2_E_ARGUMENT, "session.token",
                           "token %zu: id %d is outside the vocabulary of %u", i, ids[i], n_vocab);
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
    session->has_logits = false;
    return lf_forward(session->model, &session->state, ids, n, wanted, out, &session->cancel);
}

/* Computes the postponed token. */
static int32_t settle(lfm2_session *session, lf_logits wanted)
{
    if (session->later < 0) {
        return LFM2_OK;
    }
    LF_TRY(forward(session, &session->later, 1, wanted, session->state.scratch.logits));
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
    *logits = session->state.scratch.logits;
    return LFM2_OK;
}

int32_t lf_session_append(lfm2_session *session, const int32_t *ids, size_t n, float *all_logits)
{
    if (n == 0) {
        return lf_fail(LFM2_E_ARGUMENT, "session.empty", "no tokens given");
    }
    LF_TRY(check_tokens(session, ids, n));
    LF_TRY(settle(session, LF_LOGITS_NONE));
    lf_state *state = &session->state;
    size_t n_vocab = session->model->source->hparams.n_vocab;
    for (size_t done = 0; done < n;) {
        uint32_t step = n - done < state->n_chunk ? (uint32_t)(n - done) : state->n_chunk;
        if (all_logits != NULL) {
            LF_TRY(forward(session, ids + done, step, LF_LOGITS_ALL,
                           all_logits + done * n_vocab));
        } else {
            LF_TRY(forward(session, ids + done, step,
                           done + step == n ? LF_LOGITS_LAST : LF_LOGITS_NONE,
                           state->scratch.logits));
        }
        done += step;
    }
    if (all_logits != NULL) {
        memcpy(state->scratch.logits, all_logits + (n - 1) * n_vocab, n_vocab * sizeof(float));
    }
    session->has_logits = true;
    return LFM2_OK;
}
