/* SPDX-License-Identifier: Apache-2.0 */
/* Names to fields, once, with strict shapes. */
#ifndef LF_LOAD_BIND_H
#define LF_LOAD_BIND_H

#include "load/source.h"

/* Dimensions in [rows, cols] with cols contiguous. H = n_embd. */
typedef struct lf_layer_weights {
    const lf_tensor *mixer_norm; /* [H] F32 (attn_norm) */
    const lf_tensor *ffn_norm;   /* [H] F32 */
    /* convolution layers */
    const lf_tensor *conv_in;     /* [3H, H] */
    const lf_tensor *conv_kernel; /* [H, taps] F32 or F16 or BF16 */
    const lf_tensor *conv_out;    /* [H, H] */
    /* attention layers */
    const lf_tensor *q, *k, *v;       /* [heads * head_dim, H], [kv heads * head_dim, H] x 2 */
    const lf_tensor *q_norm, *k_norm; /* [head_dim] */
    const lf_tensor *o;               /* [H, heads * head_dim] */
    /* dense feed-forward: gate, up [F, H], down [H, F]; experts: a third dimension n_expert */
    const lf_tensor *gate, *up, *down;
    const lf_tensor *router;      /* [n_expert, H]; NULL in dense layers */
    const lf_tensor *router_bias; /* [n_expert] or NULL */
} lf_layer_weights;

typedef struct lf_weights {
    const lf_tensor *embed;      /* [V, H] */
    const lf_tensor *final_norm; /* [H] */
    const lf_tensor *head;       /* [V, H]; == embed when tied */
    lf_layer_weights layers[LF_MAX_LAYERS];
} lf_weights;

/* Fills `weights` from the source; every tensor the architecture needs must be there with its exact
 * shape and a type that its place allows; tensors the architecture does not know are FORMAT errors
 * that name them. Part of lf_source_open's checks as well. */
int32_t lf_bind(const lf_source *source, lf_weights *weights);

#endif /* LF_LOAD_BIND_H */
