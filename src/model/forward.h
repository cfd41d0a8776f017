/* SPDX-License-Identifier: Apache-2.0 */
/* One pass of the network over a run of tokens. */
#ifndef LF_MODEL_FORWARD_H
#define LF_MODEL_FORWARD_H

#include "model/linear.h"

/* Which tokens' logits are wanted. */
typedef enum { LF_LOGITS_NONE, LF_LOGITS_LAST, LF_LOGITS_ALL } lf_logits;

/* Appends n (1..n_chunk) tokens, which must fit, to the state. `out` receives [V] or [n][V] floats.
 * `cancel` is looked at between layers: then LFM2_E_CANCELLED, and the state is as before. */
int32_t lf_forward(const lfm2_model *model, lf_state *state, const int32_t *ids, uint32_t n,
                   lf_logits wanted, float *out, const atomic_int *cancel);

/* x += Mixer(rms(x)) and x += FFN(rms(x)) for the tokens of the pass. */
void lf_block_conv(const lf_pass *pass, uint32_t layer);
void lf_block_attn(const lf_pass *pass, uint32_t layer);
void lf_block_ffn(const lf_pass *pass, uint32_t layer);

/* y[i] += x[i] for n rows of n_embd floats. */
void lf_add_rows(const lf_pass *pass, uint32_t n, const float *x, float *y);

#endif /* LF_MODEL_FORWARD_H */
