/* SPDX-License-Identifier: Apache-2.0 */
/* A session: one sequence of tokens and its state, with a shared model. */
#ifndef LF_RUN_SESSION_H
#define LF_RUN_SESSION_H

#include "model/workspace.h"

struct lfm2_session {
    lfm2_model *model;
    lf_state state;
    lf_workspace *workspace; /* its own, if memory is reserved; else NULL */
    lf_floats *logits;       /* [V] shared with forks until one of them computes others; or NULL */
    lf_floats *target;       /* where the next pass writes logits, if that is chosen, or NULL */
    bool has_logits;         /* `logits` are those of the last computed token */
    int32_t later;           /* the pending token, or -1 */
    atomic_int cancel;
};

int32_t lf_session_create(lfm2_model *model, const lfm2_session_options *options,
                          lfm2_session **out);
void lf_session_free(lfm2_session *session);

/* Contracts: lfm2_session_prefill (all_logits NULL) and lfm2_session_eval, except that a
 * cancellation stays set; the caller clears it with lf_session_take_cancel. */
int32_t lf_session_append(lfm2_session *session, const int32_t *ids, size_t n, float *all_logits);

/* Contract: lfm2_session_decode_many, with n >= 1 and no NULL; cancellations stay set as above. */
int32_t lf_session_append_many(lfm2_session *const *sessions, const int32_t *ids, uint32_t n);

/* Number of tokens, including the pending one. */
uint32_t lf_session_length(const lfm2_session *session);

/* Appends a token as the pending token. The next call that needs its effect computes it. No token
 * may be pending already. Returns false, and appends nothing, if the context is full. */
bool lf_session_add_later(lfm2_session *session, int32_t id);

/* Logits after the last token; computes a pending token. Errors: STATE (no logits), CANCELLED,
 * MEMORY, LIMIT (the KV budget). */
int32_t lf_session_logits(lfm2_session *session, const float **logits);

void lf_session_reset(lfm2_session *session);

/* Clears the cancel flag; returns whether it was set. */
bool lf_session_take_cancel(lfm2_session *session);

/* Fails with LIMIT or ARGUMENT unless the session can take n more tokens with these ids. */
int32_t lf_session_check_tokens(const lfm2_session *session, const int32_t *ids, size_t n);

#endif /* LF_RUN_SESSION_H */
