/* SPDX-License-Identifier: Apache-2.0 */
/* Implements the division of a pass's work over threads and the memory of its rows. */
#include "model/pass.h"

/* Smaller work, in nanoseconds, costs less on the calling thread alone: where the other threads
 * sleep, and where they spin. */
enum { WAKING_NS = 8000, SPINNING_NS = 1500 };

static void divide(const lf_pass *pass, size_t n, size_t total_ns, size_t grain, lf_body body,
                   void *ctx)
{
    if (total_ns >= (lf_team_spins(pass->team) ? SPINNING_NS : WAKING_NS)) {
        lf_team_parallel(pass->team, n, grain, body, ctx);
    } else if (n > 0) {
        body(ctx, 0, 0, n);
    }
}

void lf_pass_parallel(const lf_pass *pass, size_t n, size_t cost, lf_body body, void *ctx)
{
    divide(pass, n, n * cost, 0, body, ctx);
}

void lf_pass_balance(const lf_pass *pass, size_t n, size_t total, lf_body body, void *ctx)
{
    divide(pass, n, total, 1, body, ctx);
}

void lf_pass_stream(const lf_pass *pass, size_t n, size_t total, lf_body body, void *ctx)
{
    divide(pass, n, total, LF_GUIDED, body, ctx);
}

void lf_pass_carve(const lfm2_model *model, const lf_limits *limits, lf_carver *c,
                   lf_pass_memory *out)
{
    const lf_hparams *h = &model->source->hparams;
    size_t rows = limits->rows;
    out->items = lf_carve(c, rows, sizeof(lf_item));
    out->active = lf_carve(c, rows, sizeof(lf_item *));
    out->item_first = lf_carve(c, rows + 1, sizeof(uint32_t));
    out->row_item = lf_carve(c, rows, sizeof(uint32_t));
    out->longest_first = lf_carve(c, rows, sizeof(uint32_t));
    out->x = lf_carve(c, rows * h->n_embd, sizeof(float));
    out->rope = lf_carve(c, rows * h->head_dim, sizeof(float));
}
