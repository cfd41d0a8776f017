/* SPDX-License-Identifier: Apache-2.0 */
/* Implements the functions of lfm2.h for batches and the memory of sessions: checks arguments and
 * calls run/. */
#include "api.h"

#include "run/batch.h"

/* ---- Memory ---- */

int32_t lfm2_model_kv_usage(const lfm2_model *model, lfm2_kv_usage *usage)
{
    if (model == NULL) {
        return lf_api_null("model");
    }
    const lfm2_kv_usage u = {.budget = atomic_load(&model->kv_pool.budget),
                             .used = atomic_load(&model->kv_pool.used),
                             .cached = atomic_load(&model->kv_pool.cached)};
    return lf_api_write(&u, sizeof u, usage, "usage");
}

int32_t lfm2_model_set_kv_budget(lfm2_model *model, uint64_t bytes)
{
    if (model == NULL) {
        return lf_api_null("model");
    }
    atomic_store(&model->kv_pool.budget, bytes == 0 ? lf_model_default_budget() : bytes);
    return LFM2_OK;
}

/* ---- Batch ---- */

static const lfm2_batch_options batch_defaults = {.size = sizeof batch_defaults};

void lfm2_batch_options_init(lfm2_batch_options *options, size_t size)
{
    lf_api_init(options, size, &batch_defaults, sizeof batch_defaults);
}

int32_t lfm2_batch_create(lfm2_model *model, const lfm2_batch_options *options, lfm2_batch **out)
{
    if (model == NULL || out == NULL) {
        return lf_api_null(model == NULL ? "model" : "out");
    }
    lfm2_batch_options o = batch_defaults;
    LF_TRY(lf_api_read("options", options, LF_API_FIRST(lfm2_batch_options, n_ctx), &o, sizeof o));
    LF_TRY(lf_model_need_full(model));
    return lf_batch_create(model, &o, out);
}

void lfm2_batch_free(lfm2_batch *batch)
{
    lf_batch_free(batch);
}

/* Fails if an item cannot be read at all. */
static int32_t check_item(const lf_batch_items *items, uint32_t i)
{
    const lfm2_batch_item *item = lf_batch_item_at(items, i);
    if (item->size != items->stride) {
        return lf_fail(LFM2_E_ARGUMENT, "argument.size",
                       "items[%u].size is %zu, items[0].size %zu; they must be equal", i,
                       item->size, items->stride);
    }
    lfm2_batch_item known = {.size = sizeof known};
    LF_TRY(lf_api_read("an item", item, LF_API_FIRST(lfm2_batch_item, reserved), &known,
                       sizeof known));
    LF_TRY(lf_api_flags(known.reserved, 0, "reserved"));
    const char *null = known.session == NULL                                  ? "session"
                       : known.ids == NULL                                    ? "ids"
                       : known.logits == LFM2_LOGITS_ALL && known.out == NULL ? "out"
                                                                              : NULL;
    if (null != NULL) {
        return lf_fail(LFM2_E_ARGUMENT, "argument.null", "items[%u].%s is NULL", i, null);
    }
    if (known.logits < LFM2_LOGITS_NONE || known.logits > LFM2_LOGITS_ALL) {
        return lf_fail(LFM2_E_ARGUMENT, "batch.logits", "items[%u].logits is %d; allowed: %d to %d",
                       i, known.logits, LFM2_LOGITS_NONE, LFM2_LOGITS_ALL);
    }
    return LFM2_OK;
}

int32_t lfm2_batch_run(lfm2_batch *batch, lfm2_batch_item *items, uint32_t n)
{
    if (batch == NULL || items == NULL) {
        return lf_api_null(batch == NULL ? "batch" : "items");
    }
    if (n == 0) {
        return lf_fail(LFM2_E_ARGUMENT, "batch.empty", "n is 0; at least one item is needed");
    }
    const lf_batch_items all = {items, items->size, n};
    for (uint32_t i = 0; i < n; i++) {
        LF_TRY(check_item(&all, i));
    }
    int32_t status = lf_batch_run(batch, &all);
    for (uint32_t i = 0; i < n; i++) {
        lf_api_end_call(lf_batch_item_at(&all, i)->session, status);
    }
    return status;
}
