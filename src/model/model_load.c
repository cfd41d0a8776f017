/* SPDX-License-Identifier: Apache-2.0 */
/* Implements loading: from a source to bound weights to a packed model. */
#include "model/model.h"

#include "common/elementary.h"
#include "runtime/memory.h"

#include <string.h>

/* ---- Small tensors ---- */

/* The bytes of a contiguous tensor: in the mapped file, or a copy in *owned, to be freed with
 * lf_free(*owned, tensor->bytes, 1). */
static int32_t stored_bytes(const lfm2_model *model, const lf_tensor *tensor, const uint8_t **data,
                            uint8_t **owned)
{
    *owned = NULL;
    *data = lf_tensor_expert(model->source, tensor, 0);
    if (*data != NULL) {
        return LFM2_OK;
    }
    const lf_alloc *alloc = &model->runtime->alloc;
    size_t bytes = (size_t)tensor->bytes;
    void *p = NULL;
    LF_TRY(lf_new(alloc, bytes, 1, tensor->name, &p));
    int32_t status = lf_tensor_read(model->source, tensor, 0, 0, p, bytes);
    if (status != LFM2_OK) {
        lf_free(alloc, p, bytes, 1);
        return status;
    }
    *owned = p;
    *data = p;
    return LFM2_OK;
}

/* Decodes a small tensor to f32 in the model's arena. */
static int32_t small_tensor(lfm2_model *model, const lf_tensor *tensor, const float **out)
{
    size_t row = tensor->ne[0];
    size_t rows = tensor->ne[1] * tensor->ne[2] * tensor->ne[3];
    void *p = NULL;
    LF_TRY(lf_arena_new_aligned(&model->arena, row * rows, sizeof(float), tensor->name, &p));
    const uint8_t *data = NULL;
    uint8_t *owned = NULL;
    LF_TRY(stored_bytes(model, tensor, &data, &owned));
    size_t row_bytes = lf_row_bytes(tensor->type, row);
    for (size_t r = 0; r < rows; r++) {
        lf_decode_row(tensor->type, data + r * row_bytes, (float *)p + r * row, row);
    }
    lf_free(&model->runtime->alloc, owned, (size_t)tensor->bytes, 1);
    *out = p;
    return LFM2_OK;
}

/* Transposes the stored [H][taps] to [taps][H]. */
static int32_t conv_kernel(lfm2_model *model, const lf_tensor *tensor, const float **out)
{
    const float *stored = NULL;
    LF_TRY(small_tensor(model, tensor, &stored));
    size_t taps = tensor->ne[0];
    size_t n = tensor->ne[1];
    void *p = NULL;
    LF_TRY(lf_arena_new_aligned(&model->arena, taps * n, sizeof(float), tensor->name, &p));
    float *transposed = p;
    for (size_t t = 0; t < taps; t++) {
        for (size_t i = 0; i < n; i++) {
            transposed[t * n + i] = stored[i * taps + t];
        }
    }
    *out = transposed;
    return LFM2_OK;
}

/* The larger of a and |b|; a if b is NaN. */
static float larger(float a, float b)
{
    float size = b < 0 ? -b : b;
    return size > a ? size : a;
}

/* Weights of the norms of queries and keys, with the channels of the keys balanced: where the
 * weight of a pair of channels that rotate together is below half of the largest, it is doubled
 * until it is not, and the query's weight is halved as often. Powers of two change no bit of an f32
 * product of query and key (nor with f16 keys above the subnormals), but int8 keys, which share one
 * scale, lose less; int8 queries have 258 times as many steps. */
static int32_t head_norms(lfm2_model *model, const lf_layer_weights *w, lf_layer *layer)
{
    const float most = 65536;
    const float *stored_q = NULL;
    const float *stored_k = NULL;
    LF_TRY(small_tensor(model, w->q_norm, &stored_q));
    LF_TRY(small_tensor(model, w->k_norm, &stored_k));
    size_t n = model->source->hparams.head_dim;
    void *p = NULL;
    LF_TRY(lf_arena_new_aligned(&model->arena, 2 * n, sizeof(float), w->k_norm->name, &p));
    float *q = p;
    float *k = q + n;
    float top = 0;
    for (size_t i = 0; i < n; i++) {
        top = larger(top, stored_k[i]);
    }
    for (size_t i = 0; i < n; i++) {
        float pair = larger(larger(0, stored_k[i]), stored_k[(i + n / 2) % n]);
        float factor = 1;
        while (factor < most && pair > 0 && 2 * factor * pair <= top) {
            factor *= 2;
        }
        q[i] = stored_q[i] / factor;
        k[i] = stored_k[i] * factor;
    }
    layer->q_norm = q;
    layer->k_norm = k;
    return LFM2_OK;
}

static int32_t load_small(lfm2_model *model)
{
    const lf_hparams *h = &model->source->hparams;
    LF_TRY(small_tensor(model, model->weights.final_norm, &model->final_norm));
    for (uint32_t l = 0; l < h->n_layer; l++) {
        const lf_layer_weights *w = &model->weights.layers[l];
        lf_layer *layer = &model->layers[l];
        layer->n_head_kv = h->n_head_kv[l];
        LF_TRY(small_tensor(model, w->mixer_norm, &layer->mixer_norm));
        LF_TRY(small_tensor(model, w->ffn_norm, &layer->ffn_norm));
        if (layer->n_head_kv != 0) {
            LF_TRY(head_norms(model, w, layer));
        } else {
            LF_TRY(conv_kernel(model, w->conv_kernel, &layer->conv_kernel));
        }
        if (w->router_bias != NULL) {
            LF_TRY(small_tensor(model, w->router_bias, &layer->router_bias));
        }
    }
    void *p = NULL;
    LF_TRY(lf_arena_new_aligned(&model->arena, h->head_dim / 2, sizeof(float), "rope", &p));
    model->rope_freq = p;
    for (uint32_t i = 0; i < h->head_dim / 2; i++) {
        model->rope_freq[i] =
            (float)lf_pow_f64((double)h->rope_theta, -2.0 * (double)i / (double)h->head_dim);
    }
    return LFM2_OK;
}

/* ---- Matrices ---- */

/* A matrix to load; `second` is the up of a pair. */
typedef struct matrix_ref {
    const lf_tensor *first, *second;
    lf_packed *packed;
} matrix_ref;

enum { LAYER_MATRICES = 7 };

/* The matrices of a layer in the order in which a pass reads them; returns their number. */
static size_t layer_matrices(const lf_layer_weights *w, lf_layer *layer,
                             matrix_ref refs[LAYER_MATRICES])
{
    const matrix_ref all[LAYER_MATRICES] = {
        {w->q != NULL ? w->q : w->conv_in, NULL, &layer->in},
        {w->k, NULL, &layer->k},
        {w->v, NULL, &layer->v},
        {w->q != NULL ? w->o : w->conv_out, NULL, &layer->out},
        {w->router, NULL, &layer->router},
        {w->gate, w->up, &layer->gate_up},
        {w->down, NULL, &layer->down},
    };
    size_t n = 0;
    for (size_t i = 0; i < LAYER_MATRICES; i++) {
        if (all[i].first != NULL) {
            refs[n++] = all[i];
        }
    }
    return n;
}

static int32_t report(const lfm2_model_options *options, double done)
{
    if (options->progress != NULL && options->progress(options->progress_user, done) != 0) {
        return lf_fail(LFM2_E_STOPPED, "model.stopped", "loading stopped by the progress callback");
    }
    return LFM2_OK;
}

typedef int32_t (*matrix_fn)(lfm2_model *model, const matrix_ref *ref, void *ctx);

/* Calls `each` for every matrix in order, the head last. */
static int32_t for_matrices(lfm2_model *model, matrix_fn each, void *ctx)
{
    uint32_t n_layer = model->source->hparams.n_layer;
    for (uint32_t l = 0; l <= n_layer; l++) {
        matrix_ref refs[LAYER_MATRICES] = {{model->weights.head, NULL, &model->head}};
        size_t n = 1;
        if (l < n_layer) {
            n = layer_matrices(&model->weights.layers[l], &model->layers[l], refs);
        }
        for (size_t i = 0; i < n; i++) {
            LF_TRY(each(model, &refs[i], ctx));
        }
    }
    return LFM2_OK;
}

static int32_t plan_matrix(lfm2_model *model, const matrix_ref *ref, void *ctx)
{
    (void)ctx;
    int32_t status = lf_pack_plan(&model->runtime->kernels, ref->first, ref->second, ref->packed);
    if (status != LFM2_OK) {
        return lf_fail_prefix(status, "%s: ", model->source->path);
    }
    model->packed_bytes += ref->packed->bytes;
    model->matrices[model->n_matrices++] = ref->packed;
    return LFM2_OK;
}

typedef struct fill_progress {
    const lfm2_model_options *options;
    uint64_t done;
} fill_progress;

static int32_t fill_matrix(lfm2_model *model, const matrix_ref *ref, void *ctx)
{
    fill_progress *progress = ctx;
    lfm2_runtime *rt = model->runtime;
    LF_TRY(
        lf_pack_fill(&rt->alloc, &rt->sched, model->source, ref->first, ref->second, ref->packed));
    progress->done += ref->packed->bytes;
    return report(progress->options, (double)progress->done / (double)model->packed_bytes);
}

/* Where the state of a sequence holds the values of each layer. */
static void plan_state(lfm2_model *model)
{
    const lf_hparams *h = &model->source->hparams;
    for (uint32_t l = 0; l < h->n_layer; l++) {
        lf_layer *layer = &model->layers[l];
        layer->conv_index = model->n_conv;
        layer->kv_block = model->kv_page_blocks;
        model->n_conv += h->n_head_kv[l] == 0;
        model->kv_page_blocks += 2 * h->n_head_kv[l];
    }
}

static int32_t plan(lfm2_model *model)
{
    size_t n_layer = model->source->hparams.n_layer;
    void *p = NULL;
    LF_TRY(lf_arena_new_aligned(&model->arena, n_layer, sizeof(lf_layer), "layers", &p));
    memset(p, 0, n_layer * sizeof(lf_layer));
    model->layers = p;
    LF_TRY(lf_arena_new_aligned(&model->arena, n_layer * LAYER_MATRICES + 1, sizeof(lf_packed *),
                                "matrices", &p));
    model->matrices = p;
    plan_state(model);
    return for_matrices(model, plan_matrix, NULL);
}

/* ---- Pack cache ---- */

/* `given`, or the default path in *owned (bytes: *bytes), which the caller frees. */
static int32_t cache_path(const lfm2_model *model, const char *given, const char **path,
                          char **owned, size_t *bytes)
{
    *owned = NULL;
    *path = given;
    if (given == NULL) {
        LF_TRY(lf_cache_path(model->source, owned, bytes));
        *path = *owned;
    }
    return LFM2_OK;
}

static int32_t open_cache(lfm2_model *model, const lfm2_model_options *options)
{
    lfm2_runtime *rt = model->runtime;
    lf_cache_use use = {.copy = model->source->origin.copy,
                        .verify = options->cache == LFM2_CACHE_VERIFY,
                        .required = options->cache == LFM2_CACHE_REQUIRE};
    char *owned = NULL;
    size_t bytes = 0;
    LF_TRY(cache_path(model, options->cache_path, &use.path, &owned, &bytes));
    int32_t status = lf_cache_open(&rt->alloc, &rt->log, &use, &model->cache_key, model->matrices,
                                   model->n_matrices, &model->cache);
    lf_free(&model->source->alloc, owned, bytes, 1);
    return status;
}

int32_t lf_model_save_cache(const lfm2_model *model, const char *path)
{
    const char *target = NULL;
    char *owned = NULL;
    size_t bytes = 0;
    if (path == NULL && model->source->origin.kind != LF_FROM_PATH) {
        return lf_fail(LFM2_E_ARGUMENT, "cache.path",
                       "%s: the model was not loaded by path, so its pack cache has no default "
                       "path; give one",
                       model->source->path);
    }
    LF_TRY(cache_path(model, path, &target, &owned, &bytes));
    int32_t status = lf_source_refuse_overwrite(model->source, target);
    if (status == LFM2_OK) {
        status = lf_cache_write(&model->runtime->alloc, target, &model->cache_key, model->matrices,
                                model->n_matrices);
    }
    lf_free(&model->source->alloc, owned, bytes, 1);
    return status;
}

/* ---- The model ---- */

/* Loads small tensors, the embedding, and the matrices: from the pack cache, or by packing. */
static int32_t load_weights(lfm2_model *model, const lfm2_model_options *options)
{
    const lf_tensor *embed = model->weights.embed;
    bool has_path = model->source->origin.kind == LF_FROM_PATH || options->cache_path != NULL;
    if (options->cache == LFM2_CACHE_REQUIRE && !has_path) {
        return lf_fail(
            LFM2_E_ARGUMENT, "cache.path",
            "%s: LFM2_CACHE_REQUIRE needs cache_path for a model that is not loaded by path",
            model->source->path);
    }
    LF_TRY(load_small(model));
    LF_TRY(stored_bytes(model, embed, &model->embed, &model->embed_owned));
    LF_TRY(lf_identity_of(model->source, model->matrices, model->n_matrices, &model->identity));
    model->cache_key =
        lf_cache_key_of(model->source, &model->identity, model->matrices, model->n_matrices);
    if (options->cache != LFM2_CACHE_OFF && has_path) {
        LF_TRY(open_cache(model, options));
        if (model->cache != NULL) {
            return report(options, 1.0);
        }
    }
    fill_progress progress = {options, 0};
    return for_matrices(model, fill_matrix, &progress);
}

static int32_t fill_model(lfm2_model *model, const lf_origin *origin,
                          const lfm2_model_options *options)
{
    lfm2_runtime *rt = model->runtime;
    LF_TRY(lf_source_open_from(&rt->alloc, &rt->log, origin, &model->source));
    const lf_vocab_data *vocab = &model->source->vocab;
    LF_TRY(lf_chat_set_create(&rt->alloc, vocab, model->source->path, &model->chat));
    if (vocab->n_tokens > 0) {
        bool ignore = options->merges == LFM2_MERGES_IGNORE ||
                      (options->merges == LFM2_MERGES_FILE && vocab->ignore_merges);
        LF_TRY(lf_tokenizer_create(&rt->alloc, vocab, ignore, &model->tokenizer));
    } else if (options->mode == LFM2_LOAD_TOKENIZER) {
        return lf_model_need_text(model);
    }
    if (model->source->missing != NULL && options->mode == LFM2_LOAD_TOKENIZER) {
        return LFM2_OK;
    }
    LF_TRY(lf_source_need_weights(model->source));
    LF_TRY(lf_bind(model->source, &model->weights));
    if (model->mode == LFM2_LOAD_TOKENIZER) {
        return LFM2_OK;
    }
    LF_TRY(plan(model));
    return model->mode == LFM2_LOAD_INSPECT ? LFM2_OK : load_weights(model, options);
}

uint64_t lf_model_default_budget(void)
{
    uint64_t left = lf_memory_left("");
    return left == UINT64_MAX ? left : left / 2;
}

int32_t lf_model_load(lfm2_runtime *runtime, const lf_origin *origin,
                      const lfm2_model_options *options, lfm2_model **out)
{
    void *p = NULL;
    LF_TRY(lf_new_zero(&runtime->alloc, 1, sizeof(lfm2_model), "model", &p));
    lfm2_model *model = p;
    atomic_init(&model->refs, 1);
    model->runtime = lf_runtime_retain(runtime);
    model->mode = options->mode;
    lf_arena_init(&model->arena, &runtime->alloc);
    int32_t status = fill_model(model, origin, options);
    if (status != LFM2_OK) {
        lf_model_free(model);
        return status;
    }
    lf_source_release(model->source);
    lf_kv_pool_init(&model->kv_pool, &runtime->alloc, lf_model_default_budget());
    *out = model;
    return LFM2_OK;
}
