/* SPDX-License-Identifier: Apache-2.0 */
/* The state of a sequence: its KV pages, which also hold its token ids, and convolution history. */
#ifndef LF_MODEL_STATE_H
#define LF_MODEL_STATE_H

#include "model/model.h"

/* A state without tokens has no memory but reserved pages. Forks share pages and history until one
 * of them writes. */
typedef struct lf_state {
    uint32_t n_ctx, n_chunk; /* maximum positions; maximum tokens of a pass */
    uint32_t n_reserve;      /* pages that stay when tokens are removed */
    lf_kv_type kv_type;
    uint64_t scope; /* caches give it what states with the same scope have stored */
    size_t block_bytes; /* of a KV block */
    size_t page_bytes;
    uint32_t length;     /* tokens held */
    uint32_t n_pages;    /* at least enough for `length` */
    uint32_t table_size; /* elements of `pages` */
    lf_kv_page **pages;  /* by position / LF_ATTN_BLOCK */
    lf_floats *conv;     /* [conv layers][taps - 1][H], oldest first; NULL: no token yet, all 0 */
    lf_floats *next;     /* the same after the current pass, which writes it; NULL or own */
} lf_state;

/* The pages of `positions` positions. */
static inline uint32_t lf_pages_for(uint32_t positions)
{
    return positions / LF_ATTN_BLOCK + (positions % LF_ATTN_BLOCK != 0);
}

/* Floats of the convolution history. */
size_t lf_state_conv_floats(const lfm2_model *model);

/* Reads the options and computes the sizes, without allocating. Errors: ARGUMENT, MEMORY. */
int32_t lf_state_measure(const lfm2_model *model, const lfm2_session_options *options,
                         lf_state *state);

/* Measures, and with n_reserve allocates all memory for that many tokens. Errors: as
 * lf_state_measure, and LIMIT (the budget), with *state empty. */
int32_t lf_state_create(lfm2_model *model, const lfm2_session_options *options, lf_state *state);
/* An empty state (all zero) is allowed. */
void lf_state_free(const lfm2_model *model, lf_state *state);

/* ---- Appending tokens ---- */

/* Gets the memory for n more tokens, which must fit: pages, and histories; a page that is shared
 * and will be written is copied. Errors: MEMORY, LIMIT (the budget); the tokens are unchanged, and
 * lf_state_trim frees what was taken. */
int32_t lf_state_prepare(lfm2_model *model, lf_state *state, uint32_t n);

/* Gets pages until there are n_pages. Errors: MEMORY, LIMIT (the budget); the tokens are unchanged.
 */
int32_t lf_state_take_pages(lfm2_model *model, lf_state *state, uint32_t n_pages);

/* The histories alone. Errors: MEMORY. */
int32_t lf_state_prepare_conv(const lfm2_model *model, lf_state *state);

/* Copies the history if it is shared: then passes exchange two arrays, and none needs another one.
 * Errors: MEMORY. */
int32_t lf_state_own_conv(const lfm2_model *model, lf_state *state);

/* Ends a pass that has stored keys, values and history of n tokens. */
void lf_state_commit(const lfm2_model *model, lf_state *state, const int32_t *ids, uint32_t n);

/* Exchanges the history with the one that a pass has written. */
void lf_state_swap_conv(const lfm2_model *model, lf_state *state);

/* Frees the pages without tokens, except reserved ones. */
void lf_state_trim(lf_state *state);

/* ---- Operations on the sequence ---- */

/* Removes all tokens. */
void lf_state_reset(const lfm2_model *model, lf_state *state);

/* Removes the tokens from position `length` on. `conv` is the history of the others; the state
 * takes over the reference. */
void lf_state_cut(const lfm2_model *model, lf_state *state, uint32_t length, lf_floats *conv);

/* Makes *out an equal state without reserve. Errors: MEMORY, with *out empty. */
int32_t lf_state_fork(const lfm2_model *model, const lf_state *state, lf_state *out);

/* Frees `old`, of which `state` is a fork that was given fewer or as many tokens. The state keeps
 * the reserve of `old`: its data is copied there. */
void lf_state_replace(const lfm2_model *model, lf_state *old, lf_state *state);

/* Gives a state without tokens the first `length` tokens of other states: `pages` are theirs, and
 * `conv` is the history after these tokens, or NULL: the caller adds it (lf_state_set_conv). The
 * state takes over the references. Where it has memory of its own, the data is copied there: its
 * reserve stays. Errors: MEMORY, with the state unchanged and the references still the caller's. */
int32_t lf_state_adopt(const lfm2_model *model, lf_state *state, lf_kv_page *const *pages,
                       uint32_t length, lf_floats *conv);

/* Replaces the history; takes over the reference. */
void lf_state_set_conv(const lfm2_model *model, lf_state *state, lf_floats *conv);

/* Copies the ids of n tokens from position `first` on, which must exist. */
void lf_state_ids(const lf_state *state, uint32_t first, uint32_t n, int32_t *ids);

/* ---- Addresses ---- */

/* History of a layer, [taps - 1][H]: the one that belongs to `length`, or with `next` the one that
 * the current pass writes. */
float *lf_state_conv(const lfm2_model *model, const lf_state *state, uint32_t layer, bool next);

/* KV blocks of the positions from 64 * page on, of a head of an attention layer. kernels.h has
 * their layout. */
static inline uint8_t *lf_state_k(const lf_state *state, const lf_layer *layer, uint32_t head,
                                  uint32_t page)
{
    return state->pages[page]->data + ((size_t)layer->kv_block + head) * state->block_bytes;
}

static inline uint8_t *lf_state_v(const lf_state *state, const lf_layer *layer, uint32_t head,
                                  uint32_t page)
{
    return lf_state_k(state, layer, layer->n_head_kv + head, page);
}

#endif /* LF_MODEL_STATE_H */
