/* SPDX-License-Identifier: Apache-2.0 */
/* The feed-forward half of a layer, dense or a mixture of experts. */
#ifndef LF_MODEL_BLOCK_FFN_H
#define LF_MODEL_BLOCK_FFN_H

#include "model/pass.h"

typedef struct lf_route { /* one (token, expert) pair */
    uint32_t token;
    uint32_t expert;
    float weight;
} lf_route;

/* Without experts only `routes` and the row tables have elements. T = rows of a pass,
 * R = T * max(1, n_expert_used). */
typedef struct lf_ffn_memory {
    float *experts_out;     /* [R][H] */
    float *router;          /* [T][n_expert] scores */
    lf_route *routes;       /* [R] by token, then by expert */
    uint32_t *route_row;    /* [R] row of routes[i] in expert order */
    uint32_t *row_token;    /* [R] token of a row in expert order */
    uint32_t *expert_first; /* [n_expert + 1] first row of each expert */
} lf_ffn_memory;

void lf_ffn_carve(const lfm2_model *model, const lf_limits *limits, lf_carver *c,
                  lf_ffn_memory *out);

/* x += ffn(rms(x)) for the rows of the pass. */
int32_t lf_block_ffn(const lf_pass *pass, uint32_t layer);

/* The first matrix that lf_block_ffn multiplies. */
const lf_packed *lf_ffn_first(const lf_layer *w);

#endif /* LF_MODEL_BLOCK_FFN_H */
