/* SPDX-License-Identifier: Apache-2.0 */
/* A pass that computes the pending token and forced or guessed tokens after it, and the removal of
 * those that were not chosen. */
#ifndef LF_RUN_VERIFY_H
#define LF_RUN_VERIFY_H

#include "run/step.h"

/* Memory of such passes of at most `rows` tokens. V = n_vocab, H = n_embd. */
typedef struct lf_verify {
    uint32_t rows;
    uint32_t n;     /* tokens of the last pass */
    bool all;       /* it computed the logits after each of them */
    float *logits;  /* [rows][V] these; NULL if no pass computes them */
    float *gated;   /* [conv layers][n][H] inputs of the convolutions in the last pass */
    float *history; /* convolution history before it */
} lf_verify;

/* `verify` must be zero. `all`: passes may compute all logits. After a failure lf_verify_free frees
 * what was allocated. Errors: MEMORY. */
int32_t lf_verify_create(const lfm2_model *model, uint32_t rows, bool all, lf_verify *verify);
void lf_verify_free(const lfm2_model *model, lf_verify *verify);

/* Computes the pending token ids[0] and the n - 1 tokens after it, which must be valid and fit the
 * context; n is at most `rows` and the session's n_chunk. Without `all`, only the logits after the
 * last token are computed, which the session has in either case. Errors: those of
 * lfm2_session_decode; then nothing has changed. */
int32_t lf_verify_run(lf_verify *verify, lfm2_session *session, const int32_t *ids, uint32_t n,
                      bool all);

/* The item of such a pass, for a caller that computes it together with others: the session's
 * pending token is none, and ids[0] is not either. */
lf_item lf_verify_item(lf_verify *verify, lfm2_session *session, const int32_t *ids, uint32_t n,
                       bool all);

/* Keeps the first n_kept >= 1 tokens of the last pass and removes the others, so that the session
 * is as if only those had been computed. It then has no logits if tokens are removed and the pass
 * did not compute all. Computes nothing and cannot fail. */
void lf_verify_keep(const lf_verify *verify, lfm2_session *session, uint32_t n_kept);

#endif /* LF_RUN_VERIFY_H */
