/* SPDX-License-Identifier: Apache-2.0 */
/* Operations on the tokens of a session. No later logits differ in any bit from those of a session
 * that was given the same tokens. */
#ifndef LF_RUN_SEQUENCE_H
#define LF_RUN_SEQUENCE_H

#include "run/session.h"

/* Contracts: the functions of lfm2.h with these names. Cancellations stay set. */
int32_t lf_session_fork(const lfm2_session *session, lfm2_session **out);
int32_t lf_session_rewind(lfm2_session *session, uint32_t length);
int32_t lf_session_tokens(const lfm2_session *session, uint32_t first, uint32_t n, int32_t *ids);
int32_t lf_session_remove(lfm2_session *session, uint32_t first, uint32_t n,
                          lfm2_remove_result *result);

/* Computes the convolution history after the first `length` tokens, 1 or more, whose pages the
 * session has. Errors: those of lfm2_session_rewind. */
int32_t lf_session_warm_up(lfm2_session *session, uint32_t length, lf_floats **conv);

#endif /* LF_RUN_SEQUENCE_H */
