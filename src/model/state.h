/* SPDX-License-Identifier: Apache-2.0 */
/* The state of a sequence: KV blocks and convolution history. */
#ifndef LF_MODEL_STATE_H
#define LF_MODEL_STATE_H

#include "model/model.h"

/* KV memory is not cleared: a block holds numbers only for the positions that were stored. */
typedef struct lf_state {
    uint32_t n_ctx, n_chunk; /* maximum positions; maximum tokens of a pass */
    uint32_t n_blocks;       /* of LF_ATTN_BLOCK positions */
    lf_kv_type kv_type;
    uint32_t length;    /* tokens held */
    size_t block_bytes; /* of a KV block */
    uint8_t *kv;        /* all layers */
    size_t kv_bytes;
    uint8_t *k[LF_MAX_LAYERS], *v[LF_MAX_LAYERS]; /* [kv heads][n_blocks] blocks */
    float *conv;       /* two copies of [conv layers][taps - 1][H], oldest first */
    size_t conv_bytes; /* of both */
    uint32_t conv_now; /* which copy belongs to `length` */
    uint32_t conv_index[LF_MAX_LAYERS];
} lf_state;

/* Reads the options and computes the sizes, without allocating. Errors: ARGUMENT, MEMORY. */
int32_t lf_state_measure(const lfm2_model *model, const lfm2_session_options *options,
                         lf_state *state);

/* Measures and allocates. Errors: as lf_state_measure, with *state empty. */
int32_t lf_state_create(const lfm2_model *model, const lfm2_session_options *options,
                        lf_state *state);
/* An empty state (all zero) is allowed. */
void lf_state_free(const lfm2_model *model, lf_state *state);

/* Removes all tokens. */
void lf_state_reset(lf_state *state);

/* Convolution history of a layer, [taps - 1][H]: the copy that belongs to `length`, or with `next`
 * the one that the current pass writes. */
float *lf_state_conv(const lfm2_model *model, const lf_state *state, uint32_t layer, bool next);

/* KV block `block` of a head; `base` is an entry of k or v. kernels.h has its layout. */
uint8_t *lf_state_block(const lf_state *state, uint8_t *base, uint32_t head, uint32_t block);

#endif /* LF_MODEL_STATE_H */
