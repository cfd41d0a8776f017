/* SPDX-License-Identifier: Apache-2.0 */
/* One pass of the network over the tokens of one or many states. */
#ifndef LF_MODEL_FORWARD_H
#define LF_MODEL_FORWARD_H

#include "model/linear.h"

/* Passes of at most so many rows are over soon: threads stand by for them, and share what single
 * rows are too few for. */
enum { LF_FEW_ROWS = 16 };

/* Appends the tokens of every run to its state, in one pass over the weights. All states are of
 * `model`; `workspace` gives working memory and may be one of them. What a run receives are the
 * bits it would receive alone. All or nothing: LFM2_E_ARGUMENT (no run, an empty one, more rows
 * than the workspace's n_chunk, a state twice) and LFM2_E_CANCELLED (flags are looked at between
 * layers) leave every state and every `out` as they were. */
int32_t lf_forward_batch(const lfm2_model *model, lf_state *workspace, const lf_item *runs,
                         size_t n_items);

/* x += Mixer(rms(x)) and x += FFN(rms(x)) for the tokens of the pass. */
void lf_block_conv(const lf_pass *pass, uint32_t layer);
void lf_block_attn(const lf_pass *pass, uint32_t layer);
void lf_block_ffn(const lf_pass *pass, uint32_t layer);

/* The first matrix that lf_block_ffn multiplies. */
const lf_packed *lf_ffn_first(const lf_layer *w);

/* Orders the runs of a pass for lf_block_attn. */
void lf_attn_begin(const lf_pass *pass);

#endif /* LF_MODEL_FORWARD_H */
