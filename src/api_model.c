/* SPDX-License-Identifier: Apache-2.0 */
/* Implements the functions for models: loading, information, memory estimate, conversion. Checks
 * arguments, copies structs and calls model/, convert/ and imatrix/. */
#include "api.h"

#include "convert/convert.h"
#include "imatrix/imatrix_compute.h"
#include "model/workspace.h"

#include <string.h>

static const lfm2_model_options model_defaults = {.size = sizeof model_defaults};

void lfm2_model_options_init(lfm2_model_options *options, size_t size)
{
    lf_api_init(options, size, &model_defaults, sizeof model_defaults);
}

/* The common end of the four load functions: fills in origin->copy. */
static int32_t load(lfm2_runtime *runtime, lf_origin *origin, const lfm2_model_options *options,
                    lfm2_model **out)
{
    if (runtime == NULL || out == NULL) {
        return lf_api_null(runtime == NULL ? "runtime" : "out");
    }
    lfm2_model_options o = model_defaults;
    LF_TRY(lf_api_read("options", options, LF_API_FIRST(lfm2_model_options, progress_user), &o,
                       sizeof o));
    if (o.mode < LFM2_LOAD_FULL || o.mode > LFM2_LOAD_INSPECT) {
        return lf_fail(LFM2_E_ARGUMENT, "model.mode", "mode is %d; allowed: %d to %d", o.mode,
                       LFM2_LOAD_FULL, LFM2_LOAD_INSPECT);
    }
    if (o.merges < LFM2_MERGES_FILE || o.merges > LFM2_MERGES_IGNORE) {
        return lf_fail(LFM2_E_ARGUMENT, "model.merges", "merges is %d; allowed: %d to %d", o.merges,
                       LFM2_MERGES_FILE, LFM2_MERGES_IGNORE);
    }
    if (o.cache < LFM2_CACHE_USE || o.cache > LFM2_CACHE_REQUIRE) {
        return lf_fail(LFM2_E_ARGUMENT, "model.cache", "cache is %d; allowed: %d to %d", o.cache,
                       LFM2_CACHE_USE, LFM2_CACHE_REQUIRE);
    }
    LF_TRY(lf_api_flags(o.flags, LFM2_MODEL_COPY, "flags"));
    origin->copy = (o.flags & LFM2_MODEL_COPY) != 0;
    return lf_model_load(runtime, origin, &o, out);
}

int32_t lfm2_model_load(lfm2_runtime *runtime, const char *path, const lfm2_model_options *options,
                        lfm2_model **out)
{
    if (path == NULL) {
        return lf_api_null("path");
    }
    return load(runtime, &(lf_origin){.kind = LF_FROM_PATH, .path = path}, options, out);
}

int32_t lfm2_model_load_fd(lfm2_runtime *runtime, int32_t fd, uint64_t offset, uint64_t bytes,
                           const lfm2_model_options *options, lfm2_model **out)
{
    if (fd < 0) {
        return lf_fail(LFM2_E_ARGUMENT, "model.fd", "fd is %d; a file descriptor is not negative",
                       fd);
    }
    lf_origin origin = {.kind = LF_FROM_FD, .fd = fd, .offset = offset, .bytes = bytes};
    return load(runtime, &origin, options, out);
}

int32_t lfm2_model_load_memory(lfm2_runtime *runtime, const void *data, uint64_t bytes,
                               const lfm2_model_options *options, lfm2_model **out)
{
    if (data == NULL) {
        return lf_api_null("data");
    }
    if (bytes > UINTPTR_MAX - (uintptr_t)data) {
        return lf_fail(LFM2_E_ARGUMENT, "model.bytes",
                       "bytes is %llu, more than the address space has after data",
                       (unsigned long long)bytes);
    }
    lf_origin origin = {.kind = LF_FROM_MEMORY, .memory = data, .bytes = bytes};
    return load(runtime, &origin, options, out);
}

int32_t lfm2_model_load_reader(lfm2_runtime *runtime, const lfm2_model_reader *reader,
                               const lfm2_model_options *options, lfm2_model **out)
{
    if (reader == NULL) {
        return lf_api_null("reader");
    }
    lfm2_model_reader r = {.size = sizeof r};
    LF_TRY(lf_api_read("reader", reader, LF_API_FIRST(lfm2_model_reader, user), &r, sizeof r));
    if (r.read == NULL) {
        return lf_api_null("reader->read");
    }
    return load(runtime, &(lf_origin){.kind = LF_FROM_READER, .reader = &r}, options, out);
}

int32_t lfm2_model_save_cache(const lfm2_model *model, const char *path)
{
    if (model == NULL) {
        return lf_api_null("model");
    }
    LF_TRY(lf_model_need_full(model));
    return lf_model_save_cache(model, path);
}

lfm2_model *lfm2_model_retain(lfm2_model *model)
{
    return model == NULL ? NULL : lf_model_retain(model);
}

void lfm2_model_free(lfm2_model *model)
{
    lf_model_free(model);
}

/* ---- Information ---- */

int32_t lfm2_model_get_info(const lfm2_model *model, lfm2_model_info *info)
{
    if (model == NULL) {
        return lf_api_null("model");
    }
    const lf_source *s = model->source;
    const lf_hparams *h = &s->hparams;
    lfm2_model_info i = {.arch = h->arch == LF_ARCH_LFM2MOE ? "lfm2moe" : "lfm2",
                         .name = s->name != NULL ? s->name : "",
                         .file_type = s->file_type != NULL ? s->file_type : "",
                         .packed_bytes = model->mode == LFM2_LOAD_FULL ? model->packed_bytes : 0,
                         .n_vocab = h->n_vocab,
                         .n_embd = h->n_embd,
                         .n_layer = h->n_layer,
                         .n_layer_dense = h->n_dense,
                         .n_head = h->n_head,
                         .head_dim = h->head_dim,
                         .n_ff = h->n_ff,
                         .n_expert = h->n_expert,
                         .n_expert_used = h->n_expert_used,
                         .n_ff_expert = h->n_ff_expert,
                         .conv_kernel = h->conv_kernel,
                         .n_ctx_train = h->n_ctx_train,
                         .rope_theta = h->rope_theta,
                         .norm_eps = h->norm_eps,
                         .bos_id = s->vocab.bos_id,
                         .eos_id = s->vocab.eos_id,
                         .pad_id = s->vocab.pad_id,
                         .n_tensors = s->n_tensors,
                         .n_meta = s->n_meta,
                         .from_cache = model->cache != NULL,
                         .sampling = s->sampling.origin,
                         .n_chat_templates = lf_chat_set_size(model->chat)};
    lf_model_count(model, &i);
    return lf_api_write(&i, sizeof i, info, "info");
}

int32_t lfm2_model_get_tensor(const lfm2_model *model, uint32_t index, lfm2_tensor_info *info)
{
    if (model == NULL) {
        return lf_api_null("model");
    }
    if (index >= model->source->n_tensors) {
        return lf_fail(LFM2_E_ARGUMENT, "model.tensor", "index is %u; the model has %u tensors",
                       index, model->source->n_tensors);
    }
    const lf_tensor *t = &model->source->tensors[index];
    lfm2_tensor_info i = {.name = t->name,
                          .type = lf_type_get(t->type)->name,
                          .n_dims = t->n_dims,
                          .part = t->part,
                          .bytes = t->bytes,
                          .offset = t->offset};
    memcpy(i.dims, t->ne, sizeof i.dims);
    return lf_api_write(&i, sizeof i, info, "info");
}

int32_t lfm2_model_get_meta(const lfm2_model *model, uint32_t index, const char **key,
                            const char **value)
{
    if (model == NULL || key == NULL || value == NULL) {
        return lf_api_null(model == NULL ? "model" : key == NULL ? "key" : "value");
    }
    if (index >= model->source->n_meta) {
        return lf_fail(LFM2_E_ARGUMENT, "model.meta", "index is %u; the model has %u entries",
                       index, model->source->n_meta);
    }
    *key = model->source->meta[index].key;
    *value = model->source->meta[index].value;
    return LFM2_OK;
}

int32_t lfm2_estimate_memory(const lfm2_model *model, const lfm2_session_options *options,
                             lfm2_memory *memory)
{
    if (model == NULL) {
        return lf_api_null("model");
    }
    if (model->mode == LFM2_LOAD_TOKENIZER) {
        return lf_fail(LFM2_E_STATE, "model.mode", "the model was loaded with LFM2_LOAD_TOKENIZER");
    }
    lfm2_session_options o;
    LF_TRY(lf_api_session_options(options, &o));
    lfm2_memory m = {0};
    LF_TRY(lf_session_memory(model, &o, &m));
    return lf_api_write(&m, sizeof m, memory, "memory");
}

/* ---- Conversion ---- */

static const lfm2_convert_options convert_defaults = {.size = sizeof convert_defaults,
                                                      .type = "q4_0"};

void lfm2_convert_options_init(lfm2_convert_options *options, size_t size)
{
    lf_api_init(options, size, &convert_defaults, sizeof convert_defaults);
}

static int32_t convert_options(const lfm2_convert_options *given, lfm2_convert_options *o)
{
    *o = convert_defaults;
    LF_TRY(
        lf_api_read("options", given, LF_API_FIRST(lfm2_convert_options, reserved), o, sizeof *o));
    LF_TRY(lf_api_flags(o->flags, LFM2_CONVERT_REQUANTIZE, "flags"));
    LF_TRY(lf_api_flags(o->reserved, 0, "reserved"));
    return o->type == NULL ? lf_api_null("type") : LFM2_OK;
}

int32_t lfm2_quantize(lfm2_runtime *runtime, const char *in_path, const char *out_path,
                      const lfm2_convert_options *options)
{
    if (runtime == NULL || in_path == NULL || out_path == NULL) {
        return lf_api_null(runtime == NULL ? "runtime" : in_path == NULL ? "in_path" : "out_path");
    }
    lfm2_convert_options o;
    LF_TRY(convert_options(options, &o));
    return lf_quantize(&runtime->alloc, &runtime->log, &runtime->sched, in_path, out_path, &o);
}

int32_t lfm2_synthesize(lfm2_runtime *runtime, const char *shape, uint64_t seed,
                        const char *out_path, const lfm2_convert_options *options)
{
    if (runtime == NULL || shape == NULL || out_path == NULL) {
        return lf_api_null(runtime == NULL ? "runtime" : shape == NULL ? "shape" : "out_path");
    }
    lfm2_convert_options o;
    LF_TRY(convert_options(options, &o));
    return lf_synthesize(&runtime->alloc, &runtime->log, &runtime->sched, shape, seed, out_path,
                         &o);
}

static const lfm2_imatrix_options imatrix_defaults = {.size = sizeof imatrix_defaults,
                                                      .n_ctx = 512};

void lfm2_imatrix_options_init(lfm2_imatrix_options *options, size_t size)
{
    lf_api_init(options, size, &imatrix_defaults, sizeof imatrix_defaults);
}

int32_t lfm2_imatrix_compute(lfm2_model *model, const int32_t *ids, size_t n_ids,
                             const char *out_path, const lfm2_imatrix_options *options,
                             uint32_t *n_done)
{
    if (model == NULL || out_path == NULL || (ids == NULL && n_ids > 0)) {
        return lf_api_null(model == NULL ? "model" : out_path == NULL ? "out_path" : "ids");
    }
    LF_TRY(lf_model_need_full(model));
    lfm2_imatrix_options o = imatrix_defaults;
    LF_TRY(lf_api_read("options", options, LF_API_FIRST(lfm2_imatrix_options, progress_user), &o,
                       sizeof o));
    return lf_imatrix_compute(model, ids, n_ids, out_path, &o, n_done);
}
