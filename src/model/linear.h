/* SPDX-License-Identifier: Apache-2.0 */
/* Matrix products: the only interface through which the network multiplies. A row's result does not
 * depend on the rows that are multiplied with it. */
#ifndef LF_MODEL_LINEAR_H
#define LF_MODEL_LINEAR_H

#include "model/lhs.h"

/* Rows of a batch that are multiplied by the same expert. */
typedef struct lf_group {
    uint32_t expert;
    uint32_t first, n; /* rows of the output; groups are ordered and adjacent */
} lf_group;

/* Receives the inputs of matrix products. */
typedef struct lf_observer {
    /* Output row r of `w` is the product of input row gather[r] (gather NULL: r) of lhs->floats.
     * Called before each product, on the thread that started the pass. */
    void (*inputs)(void *ctx, const lf_packed *w, const lf_lhs_rows *lhs, const uint32_t *gather,
                   const lf_group *groups, size_t n_groups);
    void *ctx;
} lf_observer;

/* T = rows of a pass, R = T * max(1, n_expert_used). */
typedef struct lf_linear_memory {
    float *normed;                     /* [threads][H]; observed: [T][H] */
    uint8_t *lhs[LF_LHS_COUNT];        /* T rows */
    uint8_t *hidden_lhs[LF_LHS_COUNT]; /* the LHS of down, by row or packed: T or R rows */
    float *hidden;                     /* [rows][F] where lf_linear_hidden writes floats first */
    uint8_t *tiles;                    /* packed LHS of the current product */
    uint8_t *unpacked;                 /* [threads][unpacked_bytes] panels */
    size_t unpacked_bytes;
} lf_linear_memory;

void lf_linear_carve(const lfm2_model *model, const lf_limits *limits, lf_carver *c,
                     lf_linear_memory *out);

/* y[i][j] = sum over k of row i * weight j; rows of y are y_stride floats apart. */
void lf_linear(const lf_pass *pass, const lf_lhs_rows *lhs, const lf_packed *w, float *y,
               size_t y_stride);

/* y[i][j] += the same; not for pairs of gate and up. */
void lf_linear_add(const lf_pass *pass, const lf_lhs_rows *lhs, const lf_packed *w, float *y,
                   size_t y_stride);

/* lf_linear that writes row i to rows[i]. */
void lf_linear_scatter(const lf_pass *pass, const lf_lhs_rows *lhs, const lf_packed *w,
                       float *const *rows);

/* Multiplies each group by its expert: output row r is the product of input row gather[r] (gather
 * NULL: r). Pairs: y = silu(first) * second, n columns. */
void lf_linear_groups(const lf_pass *pass, const lf_lhs_rows *lhs, const uint32_t *gather,
                      const lf_group *groups, size_t n_groups, const lf_packed *w, float *y,
                      size_t y_stride);

/* silu(gate) * up of each group, quantized for `down` into the workspace; for products of `down`
 * with the same groups only. If lf_packs_hidden is true and some group has several rows, each
 * block of hidden columns is quantized and packed while it is in the cache. */
void lf_linear_hidden(const lf_pass *pass, const lf_lhs_rows *lhs, const uint32_t *gather,
                      const lf_group *groups, size_t n_groups, const lf_packed *gate_up,
                      const lf_packed *down, lf_lhs_rows *hidden);
bool lf_packs_hidden(const lf_kernels *kernels, const lf_packed *gate_up, const lf_packed *down);

/* Names the matrix and the groups of the product after the next one (w NULL: not known yet).
 * Threads without work in the next product and after it prefetch the first lines of their range. */
void lf_prefetch_hint(const lf_pass *pass, const lf_packed *w, const lf_group *groups,
                      size_t n_groups);

/* The same for all rows of the pass and expert 0. */
static inline void lf_prefetch_hint_rows(const lf_pass *pass, const lf_packed *w)
{
    const lf_group all = {0, 0, pass->n};
    lf_prefetch_hint(pass, w, &all, 1);
}

/* Whether panels are unpacked for a group of this many tiles, the bytes of an unpacked panel, and
 * how many panels are multiplied with all tiles before the next panels are read. */
bool lf_unpacks(const lf_packed *w, size_t tiles);
size_t lf_unpacked_bytes(const lf_packed *w);
uint32_t lf_panels_a_step(const lf_packed *w, bool unpacked);

#endif /* LF_MODEL_LINEAR_H */
