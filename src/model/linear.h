/* SPDX-License-Identifier: Apache-2.0 */
/* The one door to matrix multiplication: rows are quantised once, gathered into tiles, and
 * multiplied with panels, split over the threads. Results never depend on the grouping. */
#ifndef LF_MODEL_LINEAR_H
#define LF_MODEL_LINEAR_H

#include "runtime/team.h"
#include "model/state.h"

/* Everything a pass of the model needs. Its rows are the tokens of all runs, run after run. */
typedef struct lf_pass {
    const lfm2_model *model;
    const lf_item *runs;
    size_t n_items;
    lf_scratch *s; /* of one of the states, or of another */
    const lf_kernels *kernels;
    lf_team *team;
    uint32_t n; /* rows */
} lf_pass;

/* Position of a row in its run's context. */
static inline uint32_t lf_row_position(const lf_pass *pass, size_t row)
{
    uint32_t run = pass->s->row_item[row];
    return pass->runs[run].state->length + ((uint32_t)row - pass->s->item_first[run]);
}

/* Serial when the work is too small to pay for a region. `cost` is about one nanosecond of
 * work a unit on one core. */
void lf_pass_parallel(const lf_pass *pass, size_t n, size_t cost, lf_body body, void *ctx);

/* The same in pieces of one unit, which may differ in size: a thread takes those of its range one
 * by one, then what others have left. `total` is the cost of all. */
void lf_pass_balance(const lf_pass *pass, size_t n, size_t total, lf_body body, void *ctx);

/* The same for units of one size that are a stream of memory: they are taken in runs. */
void lf_pass_stream(const lf_pass *pass, size_t n, size_t total, lf_body body, void *ctx);

/* Makes the activation forms in `formats` (bit f = lf_lhs_format f) of n rows of rmsnorm(x[i]) * w,
 * of the model's width, in the scratch's buffers. */
void lf_lhs_norm_quantize(const lf_pass *pass, const float *x, const float *w, uint32_t n,
                          uint32_t formats, lf_lhs_rows *lhs);

/* The same of n rows of k floats as they are, in the buffers lhs->rows, which the caller has set
 * or lf_lhs_norm_quantize has. */
void lf_lhs_quantize(const lf_pass *pass, const float *x, uint32_t n, size_t k, uint32_t formats,
                     lf_lhs_rows *lhs);

/* y[i][j] = sum over k of row i * weight j; rows y_stride floats apart. */
void lf_linear(const lf_pass *pass, const lf_lhs_rows *lhs, const lf_packed *w, float *y,
               size_t y_stride);

/* y[i][j] += the same; not for pairs of gate and up. */
void lf_linear_add(const lf_pass *pass, const lf_lhs_rows *lhs, const lf_packed *w, float *y,
                   size_t y_stride);

/* The same as lf_linear with row i of y at rows[i]. */
void lf_linear_scatter(const lf_pass *pass, const lf_lhs_rows *lhs, const lf_packed *w,
                       float *const *rows);

/* A group of rows that meet expert `expert` of a stacked matrix. */
typedef struct lf_group {
    uint32_t expert;
    uint32_t first, n; /* rows of the output */
} lf_group;

/* Names the matrix that is multiplied after the one of the next call, and by what (NULL: not known
 * yet). Threads that have nothing to do in that call and after it fetch the first lines of their
 * share. Of the head it is a guess, as if all rows were wanted. */
void lf_prefetch_hint(const lf_pass *pass, const lf_packed *w, const lf_group *groups,
                      size_t n_groups);

/* The same of all rows of the pass with expert 0. */
static inline void lf_prefetch_hint_rows(const lf_pass *pass, const lf_packed *w)
{
    const lf_group all = {0, 0, pass->n};
    lf_prefetch_hint(pass, w, &all, 1);
}

/* Multiplies groups: output row r of a group is input row `gather[r]` (gather NULL: r itself).
 * Pair matrices: y = silu(first) * second, n columns. Otherwise y = the product. */
void lf_linear_groups(const lf_pass *pass, const lf_lhs_rows *lhs, const uint32_t *gather,
                      const lf_group *groups, size_t n_groups, const lf_packed *w, float *y,
                      size_t y_stride);

/* The input of `down` from groups of rows that meet the pair matrix gate_up: silu(gate) * up in the
 * form that `down` reads, in the scratch's buffers. Only for products of `down` with these groups:
 * where lf_hidden_tiled, blocks of columns become tiles while they are in the cache. Not where
 * every group is a single row: those stream, and memory would wait meanwhile. */
void lf_linear_hidden(const lf_pass *pass, const lf_lhs_rows *lhs, const uint32_t *gather,
                      const lf_group *groups, size_t n_groups, const lf_packed *gate_up,
                      const lf_packed *down, lf_lhs_rows *hidden);
bool lf_hidden_tiled(const lf_kernels *kernels, const lf_packed *gate_up, const lf_packed *down);

enum { LF_HIDDEN_BLOCK = 32 }; /* hidden columns of a block, see lf_lhs */

/* Panels that one thread multiplies, since a block of hidden columns comes of them: of a pair
 * matrix, gate and up of two panels where they are half a block wide. */
static inline uint32_t lf_panels_together(const lf_packed *w)
{
    return !w->pair ? 1 : w->gemm->nr == LF_HIDDEN_BLOCK / 2 ? 4 : 2;
}

/* Whether panels are widened for a group of so many tiles, and how many panels its tiles pass at a
 * time. */
bool lf_unpacks(const lf_packed *w, size_t tiles);
uint32_t lf_panels_a_step(const lf_packed *w, bool wide);

static inline uint32_t lf_format_bit(const lf_packed *w)
{
    return w->gemm == NULL ? 0u : 1u << w->gemm->lhs;
}

#endif /* LF_MODEL_LINEAR_H */
