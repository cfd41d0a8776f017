/* SPDX-License-Identifier: Apache-2.0 */
/* Implements batches: checks the items of a call, computes pending tokens, then the items. */
#include "run/batch.h"

enum { DEFAULT_ROWS = 512 };

int32_t lf_batch_create(lfm2_model *model, const lfm2_batch_options *options, lfm2_batch **out)
{
    lf_limits limits = {.rows = options->n_rows == 0 ? DEFAULT_ROWS : options->n_rows,
                        .n_ctx = options->n_ctx};
    if (limits.rows > LF_STEP_MOST_ROWS) {
        return lf_fail(LFM2_E_ARGUMENT, "batch.n_rows", "n_rows is %u; allowed: 0 to %d",
                       limits.rows, LF_STEP_MOST_ROWS);
    }
    uint32_t trained = model->source->hparams.n_ctx_train;
    if (limits.n_ctx > trained) {
        return lf_fail(LFM2_E_ARGUMENT, "batch.n_ctx",
                       "n_ctx is %u; allowed: 0 to %u, the model's context", limits.n_ctx, trained);
    }
    const lf_alloc *alloc = &model->runtime->alloc;
    void *p = NULL;
    LF_TRY(lf_new_zero(alloc, 1, sizeof(lfm2_batch), "batch", &p));
    lfm2_batch *batch = p;
    int32_t status = lf_workspace_new(model, limits, &batch->workspace);
    if (status != LFM2_OK) {
        lf_free(alloc, p, 1, sizeof *batch);
        return status;
    }
    batch->model = lf_model_retain(model);
    *out = batch;
    return LFM2_OK;
}

void lf_batch_free(lfm2_batch *batch)
{
    if (batch == NULL) {
        return;
    }
    lfm2_model *model = batch->model;
    lf_workspace_free(model, batch->workspace);
    lf_free(&model->runtime->alloc, batch, 1, sizeof *batch);
    lf_model_free(model);
}

/* ---- Running ---- */

/* What concerns the call as a whole. */
static int32_t check_call(const lfm2_batch *batch, const lf_batch_items *items)
{
    uint64_t rows = 0;
    for (uint32_t i = 0; i < items->n; i++) {
        const lfm2_batch_item *item = lf_batch_item_at(items, i);
        if (item->session->model != batch->model) {
            return lf_fail(LFM2_E_ARGUMENT, "batch.model",
                           "items[%u].session and the batch have different models", i);
        }
        for (uint32_t other = 0; other < i; other++) {
            if (lf_batch_item_at(items, other)->session == item->session) {
                return lf_fail(LFM2_E_ARGUMENT, "batch.twice",
                               "items[%u] and items[%u] have the same session", other, i);
            }
        }
        rows += item->n;
    }
    if (rows > batch->workspace->limits.rows) {
        return lf_fail(LFM2_E_LIMIT, "batch.rows",
                       "the items have %llu tokens; allowed: %u, the n_rows of the batch",
                       (unsigned long long)rows, batch->workspace->limits.rows);
    }
    return LFM2_OK;
}

/* Runs a pass over the items without an error: over their pending tokens, or over their own. Items
 * without a pending token have no part in the former. */
static int32_t run_pass(lfm2_batch *batch, const lf_batch_items *items, bool pending)
{
    lf_item *of_pass = batch->workspace->pass.items;
    uint32_t n = 0;
    for (uint32_t i = 0; i < items->n; i++) {
        const lfm2_batch_item *item = lf_batch_item_at(items, i);
        if (item->status != LFM2_OK || (pending && item->session->later < 0)) {
            continue;
        }
        of_pass[n++] =
            pending ? lf_step_item(item->session, &item->session->later, 1, LF_LOGITS_LAST, NULL)
                    : lf_step_item(item->session, item->ids, item->n, (lf_logits)item->logits,
                                   item->out);
    }
    if (n == 0) {
        return LFM2_OK;
    }
    int32_t status = lf_step(batch->model, batch->workspace, n, false);
    for (uint32_t i = 0, at = 0; i < items->n && at < n; i++) {
        lfm2_batch_item *item = lf_batch_item_at(items, i);
        if (item->session == of_pass[at].owner) {
            item->status = of_pass[at++].status;
        }
    }
    return status;
}

int32_t lf_batch_run(lfm2_batch *batch, const lf_batch_items *items)
{
    int32_t failed = check_call(batch, items);
    for (uint32_t i = 0; i < items->n; i++) {
        lf_batch_item_at(items, i)->status = failed;
    }
    LF_TRY(failed);
    for (uint32_t i = 0; i < items->n; i++) {
        lfm2_batch_item *item = lf_batch_item_at(items, i);
        item->status = lf_session_check_tokens(item->session, item->ids, item->n);
        if (item->status != LFM2_OK) {
            failed = lf_fail_prefix(item->status, "items[%u]: ", i);
        }
    }
    for (int pending = 1; pending >= 0; pending--) {
        int32_t status = run_pass(batch, items, pending != 0);
        failed = status != LFM2_OK ? status : failed;
    }
    for (uint32_t i = 0; i < items->n; i++) {
        lf_state_trim(&lf_batch_item_at(items, i)->session->state);
    }
    return failed;
}
