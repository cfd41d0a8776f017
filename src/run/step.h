/* SPDX-License-Identifier: Apache-2.0 */
/* One pass over tokens of several sessions: what every call that appends tokens is made of. */
#ifndef LF_RUN_STEP_H
#define LF_RUN_STEP_H

#include "run/session.h"

enum { LF_STEP_MOST_ROWS = 8192 };

/* Gets the session's own workspace or one of the model's for at least `rows` rows; the former may
 * have fewer. Errors: MEMORY. */
int32_t lf_step_open(lfm2_session *session, uint32_t rows, lf_workspace **out);
void lf_step_close(lfm2_session *session, lf_workspace *workspace);

/* An item of workspace->pass.items. `out` is [n][V] for LF_LOGITS_ALL, else NULL. */
lf_item lf_step_item(lfm2_session *session, const int32_t *ids, uint32_t n, lf_logits wanted,
                     float *out);

/* Gets the array that the next pass with logits writes: the session's own, or a new one if that is
 * shared or does not exist. The old logits stay until this pass is complete. lf_step does the same
 * where it was not done before. Errors: MEMORY. */
int32_t lf_step_take_logits(lfm2_session *session);

/* Gives the array back if no pass has written it. */
void lf_step_return_logits(lfm2_session *session);

/* Appends the first n_items items of workspace->pass.items to their sessions, in one pass. The
 * tokens must be valid and fit, and the sessions must be different ones of `model`. An item whose
 * ids are the session's pending token removes it. Each session keeps the logits of its last token
 * if logits are wanted. Contract of statuses and of `together`: lf_forward_batch. A failing item
 * leaves its session unchanged, except that pages may be taken (lf_state_trim). */
int32_t lf_step(lfm2_model *model, lf_workspace *workspace, size_t n_items, bool together);

#endif /* LF_RUN_STEP_H */
