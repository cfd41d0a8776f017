/* SPDX-License-Identifier: Apache-2.0 */
/* One timeline of tokens over a shared model. */
#ifndef LF_RUN_SESSION_H
#define LF_RUN_SESSION_H

#include "model/forward.h"

struct lfm2_session {
    lfm2_model *model;
    lf_state state;
    atomic_int cancel;
    bool has_logits; /* state.scratch.logits belongs to the last token computed */
    int32_t later;   /* a token that belongs to the text but is not computed yet, or -1 */
};

int32_t lf_session_create(lfm2_model *model, const lfm2_session_options *options,
                          lfm2_session **out);
void lf_session_free(lfm2_session *session);

/* Contracts: lfm2_session_prefill (all_logits NULL) and lfm2_session_eval, but a cancellation stays
 * set for the caller to take. */
int32_t lf_session_append(lfm2_session *session, const int32_t *ids, size_t n, float *all_logits);

/* Contract: lfm2_session_decode_many, n >= 1, no NULL; cancellations stay set as above. */
int32_t lf_session_append_many(lfm2_session *const *sessions, const int32_t *ids, uint32_t n);

/* Tokens held, a postponed one included. */
uint32_t lf_session_length(const lfm2_session *session);

/* Appends a token without computing it: the next call that needs its effect does. The last token of
 * a text is often never needed. False when the context is full: then nothing was appended. Needs
 * that no token is postponed already. */
bool lf_session_add_later(lfm2_session *session, int32_t id);

/* Logits after the last token; computes a postponed one. */
int32_t lf_session_logits(lfm2_session *session, const float **logits);

void lf_session_reset(lfm2_session *session);

/* Takes a pending cancellation; whether there was one. */
bool lf_session_take_cancel(lfm2_session *session);

#endif /* LF_RUN_SESSION_H */
