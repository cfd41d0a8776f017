/* SPDX-License-Identifier: Apache-2.0 */
/* Binding: finds the tensors of the architecture by name and checks their shapes. */
#ifndef LF_LOAD_BIND_H
#define LF_LOAD_BIND_H

#include "load/source.h"

/* Shapes are [rows, cols] with cols contiguous; H = n_embd, F = feed-forward width. */
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
    /* feed-forward: gate, up [F, H], down [H, F]; MoE layers: one of each for every expert */
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

/* Fills `weights` from the source. Every tensor of the architecture must be present with its exact
 * shape and an allowed type; any other tensor is an error. Errors: FORMAT and UNSUPPORTED, naming
 * the tensor, MEMORY. lf_source_open calls it, too, as a check. */
int32_t lf_bind(const lf_source *source, lf_weights *weights);

#endif /* LF_LOAD_BIND_H */
