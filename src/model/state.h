/* SPDX-License-Identifier: Apache-2.0 */
/* What one timeline remembers (KV blocks, convolution history) and the working memory of a pass. */
#ifndef LF_MODEL_STATE_H
#define LF_MODEL_STATE_H

#include "model/model.h"

/* A run of rows in the activation forms that the next matrices read. */
typedef struct lf_lhs_rows {
    uint32_t n; /* rows */
    size_t k;
    uint8_t *rows[LF_LHS_COUNT]; /* row form, row_bytes apart; only wanted formats are valid */
    size_t row_bytes[LF_LHS_COUNT];
    bool are_packed; /* rows r .. r + m - 1 that stand in one tile are that tile, at the place of
                       row r; only for products with the groups they were made for */
} lf_lhs_rows;

typedef struct lf_route { /* one (token, expert) pair */
    uint32_t token;
    uint32_t expert;
    float weight;
} lf_route;

/* Which tokens' logits are wanted. */
typedef enum { LF_LOGITS_NONE, LF_LOGITS_LAST, LF_LOGITS_ALL } lf_logits;

/* Consecutive tokens that a pass appends to one state. */
typedef struct lf_item {
    struct lf_state *state;
    const int32_t *ids;
    uint32_t n; /* at least 1; they must fit */
    lf_logits wanted;
    float *out;               /* LAST: [V], ALL: [n][V] */
    const atomic_int *cancel; /* not 0: the pass is to end; or NULL */
} lf_item;

/* How attention divides a run; see block_attn.c. */
typedef struct lf_attn_plan {
    size_t first_unit;
    uint32_t n_tiles;
    uint32_t n_segments; /* each a unit of its own; 0: one unit walks them all */
    uint32_t first_slot; /* of the partial states [token][segment] */
} lf_attn_plan;

/* Working memory for passes of up to n_chunk tokens; one block, carved in state.c.
 * T = n_chunk, R = T * max(1, n_expert_used). */
typedef struct lf_scratch {
    lf_item *runs;           /* [T] for the caller who puts a batch together */
    uint32_t *item_first;    /* [T + 1] first row of each run of the pass */
    uint32_t *row_item;      /* [T] run of a row */
    float **head_rows;       /* [T] where the logits of a wanted row go */
    lf_attn_plan *attn_plan; /* [T] by run */
    uint32_t *attn_order;    /* [T] runs, the longest context first */
    uint32_t attn_slots;     /* (token, segment) pairs that attn_partial has room for */
    float *x;                /* [T][H] residual stream */
    float *normed;           /* [threads][H] */
    float *mix;              /* [T][max(3H, (heads + 2 kv) * head_dim)]: conv B, C, X or q, k, v */
    float *mixed;            /* [T][max(H, heads * head_dim)] */
    float *rope;             /* [T][2][head_dim / 2] cos, sin */
    float *conv_ring;        /* [threads][taps + 2][H] */
    float *hidden;           /* [rows][F] where lf_linear_hidden does not make tiles at once */
    float *experts_out;      /* [R][H] if there are experts */
    float *router;           /* [T][n_expert] */
    lf_route *routes;        /* [R] by token, then by expert */
    uint32_t *route_row;     /* [R] row of routes[i] in expert order */
    uint32_t *row_token;     /* [R] token of a row in expert order */
    uint32_t *expert_first;  /* [n_expert + 1] first row of each expert */
    uint8_t *lhs[LF_LHS_COUNT];        /* row forms of up to T rows */
    uint8_t *hidden_lhs[LF_LHS_COUNT]; /* row forms or tiles of what down reads: T or R rows */
    uint8_t *tiles;                    /* of gathered rows */
    uint8_t *wide;                     /* [threads][unpacked_bytes]: widened panels */
    size_t unpacked_bytes;
    float *attn_partial; /* partial attention states, see block_attn.c */
    float *logits;       /* [V] */
} lf_scratch;

typedef struct lf_state {
    uint32_t n_ctx, n_chunk, n_blocks; /* blocks of LF_ATTN_BLOCK positions */
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
    uint8_t *scratch_block;
    size_t scratch_bytes;
    lf_scratch scratch;
} lf_state;

/* Sizes only. */
int32_t lf_state_measure(const lfm2_model *model, const lfm2_session_options *options,
                         lf_state *state);
/* What a model and one session on it take. Errors: as lf_state_measure. */
int32_t lf_state_memory(const lfm2_model *model, const lfm2_session_options *options,
                        lfm2_memory *memory);
/* Measures and allocates. */
int32_t lf_state_create(const lfm2_model *model, const lfm2_session_options *options,
                        lf_state *state);
void lf_state_free(const lfm2_model *model, lf_state *state);
void lf_state_reset(lf_state *state);

/* Convolution history of a layer, [taps - 1][H]: the copy that belongs to `length`, or the one the
 * running pass writes. */
float *lf_state_conv(const lfm2_model *model, const lf_state *state, uint32_t layer, bool next);

/* Floats of working memory that attention layer `layer` needs besides q, k, v, and the slots for
 * partial states in it (block_attn.c). */
size_t lf_attn_scratch(const lfm2_model *model, const lf_state *state, uint32_t layer);
uint32_t lf_attn_slots(const lf_state *state);

/* One KV block of those from `base` on, as kernels.h describes it. */
uint8_t *lf_state_block(const lf_state *state, uint8_t *base, uint32_t head, uint32_t block);

#endif /* LF_MODEL_STATE_H */
