/* SPDX-License-Identifier: Apache-2.0 */
/* Implements the norm and the quantization of the LHS. */
#include "model/lhs.h"

#include "model/workspace.h"

#include <string.h>

typedef struct lhs_job {
    const lf_pass *pass;
    const float *x;
    const float *norm; /* weights; NULL: no norm */
    const lf_lhs_rows *lhs;
} lhs_job;

/* The row to quantize. If f32 is a wanted format, the norm writes to its final place. With
 * an observer each row has a place of its own. */
static const float *norm_row(const lhs_job *j, uint32_t thread, size_t i)
{
    const lf_pass *pass = j->pass;
    const lf_lhs_rows *lhs = j->lhs;
    const float *x = j->x + i * lhs->k;
    if (j->norm == NULL) {
        return x;
    }
    bool observed = pass->workspace->observer != NULL;
    float *row = observed || lhs->row_bytes[LF_LHS_F32] == 0
                     ? pass->workspace->linear.normed + (observed ? i : thread) * lhs->k
                     : (float *)(void *)(lhs->rows[LF_LHS_F32] + i * lhs->row_bytes[LF_LHS_F32]);
    pass->kernels->ops.rmsnorm(lhs->k, x, j->norm, pass->model->source->hparams.norm_eps, row);
    return row;
}

static void quantize_body(void *ctx, uint32_t thread, size_t begin, size_t end)
{
    const lhs_job *j = ctx;
    const lf_lhs_rows *lhs = j->lhs;
    for (size_t i = begin; i < end; i++) {
        const float *x = norm_row(j, thread, i);
        for (uint32_t f = 0; f < LF_LHS_COUNT; f++) {
            uint8_t *row = lhs->rows[f] + i * lhs->row_bytes[f];
            if (lhs->row_bytes[f] != 0 && (const void *)row != (const void *)x) {
                j->pass->kernels->lhs[f].quantize(lhs->k, x, row);
            }
        }
    }
}

static void quantize_rows(lhs_job *j, uint32_t n, size_t k, uint32_t formats, size_t cost,
                          lf_lhs_rows *lhs)
{
    lhs->n = n;
    lhs->k = k;
    lhs->are_packed = false;
    for (uint32_t f = 0; f < LF_LHS_COUNT; f++) {
        bool wanted = (formats >> f & 1) != 0;
        lhs->row_bytes[f] = wanted ? j->pass->kernels->lhs[f].row_bytes(k) : 0;
    }
    lhs->floats = NULL;
    if (j->pass->workspace->observer != NULL) {
        lhs->floats = j->norm != NULL ? j->pass->workspace->linear.normed : j->x;
    }
    j->lhs = lhs;
    lf_pass_parallel(j->pass, n, cost, quantize_body, j);
}

void lf_lhs_quantize(const lf_pass *pass, const float *x, uint32_t n, size_t k, uint32_t formats,
                     lf_lhs_rows *lhs)
{
    lhs_job j = {.pass = pass, .x = x};
    quantize_rows(&j, n, k, formats, k / 4, lhs);
}

void lf_lhs_norm_quantize(const lf_pass *pass, const float *x, const float *w, uint32_t n,
                          uint32_t formats, lf_lhs_rows *lhs)
{
    size_t k = pass->model->source->hparams.n_embd;
    lhs_job j = {.pass = pass, .x = x, .norm = w};
    memcpy(lhs->rows, pass->workspace->linear.lhs, sizeof lhs->rows);
    quantize_rows(&j, n, k, formats, k / 2, lhs);
}
