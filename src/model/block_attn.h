/* SPDX-License-Identifier: Apache-2.0 */
/* Grouped-query attention of a layer. */
#ifndef LF_MODEL_BLOCK_ATTN_H
#define LF_MODEL_BLOCK_ATTN_H

#include "model/pass.h"

/* How the attention of an item is divided into units. */
typedef struct lf_attn_plan {
    size_t first_unit;
    uint32_t n_tiles;
    uint32_t n_segments; /* each a unit; 0: the item is not split by segment */
    uint32_t first_slot; /* of its partials, [token][segment] */
} lf_attn_plan;

typedef struct lf_attn_memory { /* T = rows of a pass */
    float *qkv;                 /* [T][heads * head_dim], then [T][kv heads * head_dim] twice */
    float *out;                 /* [T][heads * head_dim] */
    lf_attn_plan *plan;         /* [T] by item */
    float *tiles;               /* [threads] working memory of one tile each */
    float *partials;            /* [n_slots][heads] of max, sum, acc[head_dim]; its own allocation,
                                   which grows with the contexts */
    uint32_t n_slots;           /* one slot for each (token, segment) */
} lf_attn_memory;

void lf_attn_carve(const lfm2_model *model, const lf_limits *limits, lf_carver *c,
                   lf_attn_memory *out);

/* The slots that passes within `limits` can use, and the floats of a slot (0: no attention). */
uint32_t lf_attn_slots(const lf_limits *limits);
size_t lf_attn_slot_floats(const lfm2_model *model);

/* x += attention(rms(x)) for the rows of the pass; stores their keys and values. */
int32_t lf_block_attn(const lf_pass *pass, uint32_t layer);

#endif /* LF_MODEL_BLOCK_ATTN_H */
