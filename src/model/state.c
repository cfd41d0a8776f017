/* SPDX-License-Identifier: Apache-2.0 */
/* Implements the state of a sequence: page table, convolution history, sharing. */
#include "model/state.h"

#include <string.h>

_Static_assert((int)LF_MAX_HEAD_DIM <= (int)LF_ATTN_MOST_DIMS,
               "int8 attention supports every head_dim");

/* ---- Measure, create, free ---- */

enum { DEFAULT_CHUNK = 512, MAX_CHUNK = 8192 };

static int32_t read_options(const lfm2_model *model, const lfm2_session_options *options,
                            lf_state *state)
{
    uint32_t trained = model->source->hparams.n_ctx_train;
    uint32_t n_ctx = options->n_ctx == 0 ? trained : options->n_ctx;
    if (n_ctx > trained) {
        return lf_fail(LFM2_E_ARGUMENT, "session.n_ctx",
                       "n_ctx is %u; allowed: 0 to %u, the model's context", n_ctx, trained);
    }
    if (options->kv_type < 0 || options->kv_type >= LF_KV_COUNT) {
        return lf_fail(LFM2_E_ARGUMENT, "session.kv_type", "kv_type is %d; allowed: 0 to %d",
                       options->kv_type, LF_KV_COUNT - 1);
    }
    uint32_t chunk = options->n_chunk == 0 ? DEFAULT_CHUNK : options->n_chunk;
    if (chunk > MAX_CHUNK) {
        return lf_fail(LFM2_E_ARGUMENT, "session.n_chunk", "n_chunk is %u; allowed: 0 to %d", chunk,
                       MAX_CHUNK);
    }
    if (options->n_reserve > n_ctx) {
        return lf_fail(LFM2_E_ARGUMENT, "session.n_reserve",
                       "n_reserve is %u; allowed: 0 to %u, the capacity", options->n_reserve,
                       n_ctx);
    }
    state->n_ctx = n_ctx;
    state->n_chunk = chunk < n_ctx ? chunk : n_ctx;
    state->n_reserve = lf_pages_for(options->n_reserve);
    state->kv_type = (lf_kv_type)options->kv_type;
    state->scope = options->cache_scope;
    return LFM2_OK;
}

size_t lf_state_conv_floats(const lfm2_model *model)
{
    const lf_hparams *h = &model->source->hparams;
    return (size_t)model->n_conv * (h->conv_kernel - 1) * h->n_embd;
}

int32_t lf_state_measure(const lfm2_model *model, const lfm2_session_options *options,
                         lf_state *state)
{
    lf_state s = {0};
    *state = s;
    LF_TRY(read_options(model, options, &s));
    s.block_bytes = lf_kv_block_bytes(s.kv_type, model->source->hparams.head_dim);
    size_t all = 0;
    if (!lf_mul_size(model->kv_page_blocks, s.block_bytes, &s.page_bytes) ||
        !lf_mul_size(s.page_bytes, lf_pages_for(s.n_ctx), &all)) {
        return lf_fail(LFM2_E_MEMORY, "memory.overflow",
                       "the size of the session in bytes overflows");
    }
    *state = s;
    return LFM2_OK;
}

int32_t lf_state_create(lfm2_model *model, const lfm2_session_options *options, lf_state *state)
{
    LF_TRY(lf_state_measure(model, options, state));
    int32_t status =
        options->n_reserve == 0 ? LFM2_OK : lf_state_prepare(model, state, options->n_reserve);
    if (status != LFM2_OK) {
        lf_state_free(model, state);
    }
    return status;
}

static void release_from(lf_state *state, uint32_t n_pages)
{
    while (state->n_pages > n_pages) {
        lf_kv_release(state->pages[--state->n_pages]);
    }
}

void lf_state_free(const lfm2_model *model, lf_state *state)
{
    const lf_alloc *alloc = &model->runtime->alloc;
    release_from(state, 0);
    lf_free(alloc, state->pages, state->table_size, sizeof *state->pages);
    lf_floats_release(alloc, state->conv);
    lf_floats_release(alloc, state->next);
    *state = (lf_state){0};
}

/* ---- Appending tokens ---- */

int32_t lf_state_prepare_conv(const lfm2_model *model, lf_state *state)
{
    const lf_alloc *alloc = &model->runtime->alloc;
    size_t n = lf_state_conv_floats(model);
    if (state->conv == NULL) {
        LF_TRY(lf_floats_new(alloc, n, "convolution state", &state->conv));
        memset(state->conv->at, 0, n * sizeof(float));
    }
    return state->next != NULL ? LFM2_OK
                               : lf_floats_new(alloc, n, "convolution state", &state->next);
}

int32_t lf_state_own_conv(const lfm2_model *model, lf_state *state)
{
    const lf_alloc *alloc = &model->runtime->alloc;
    if (lf_floats_is_own(state->conv)) {
        return LFM2_OK;
    }
    lf_floats *copy = NULL;
    LF_TRY(lf_floats_new(alloc, state->conv->n, "convolution state", &copy));
    memcpy(copy->at, state->conv->at, copy->n * sizeof(float));
    lf_floats_release(alloc, state->conv);
    state->conv = copy;
    return LFM2_OK;
}

static int32_t grow_table(const lfm2_model *model, lf_state *state, uint32_t n_pages)
{
    enum { LEAST = 8 };
    if (n_pages <= state->table_size) {
        return LFM2_OK;
    }
    uint32_t size = state->table_size < LEAST ? LEAST : state->table_size * 2;
    size = size < n_pages ? n_pages : size;
    const lf_alloc *alloc = &model->runtime->alloc;
    void *p = NULL;
    LF_TRY(lf_new(alloc, size, sizeof *state->pages, "page table", &p));
    if (state->n_pages > 0) {
        memcpy(p, state->pages, state->n_pages * sizeof *state->pages);
    }
    lf_free(alloc, state->pages, state->table_size, sizeof *state->pages);
    state->pages = p;
    state->table_size = size;
    return LFM2_OK;
}

static void copy_page(const lf_state *state, lf_kv_page *to, const lf_kv_page *from)
{
    memcpy(to->data, from->data, state->page_bytes);
    memcpy(to->ids, from->ids, sizeof to->ids);
}

int32_t lf_state_take_pages(lfm2_model *model, lf_state *state, uint32_t n_pages)
{
    LF_TRY(grow_table(model, state, n_pages));
    if (n_pages > state->n_pages) {
        LF_TRY(lf_kv_take(&model->kv_pool, state->page_bytes, n_pages - state->n_pages,
                          state->pages + state->n_pages));
        state->n_pages = n_pages;
    }
    return LFM2_OK;
}

int32_t lf_state_prepare(lfm2_model *model, lf_state *state, uint32_t n)
{
    LF_TRY(lf_state_prepare_conv(model, state));
    uint32_t n_pages = lf_pages_for(state->length + n);
    uint32_t page = state->length / LF_ATTN_BLOCK;
    if (state->length % LF_ATTN_BLOCK != 0 && !lf_kv_is_own(state->pages[page])) {
        lf_kv_page *copy = NULL;
        LF_TRY(lf_kv_take(&model->kv_pool, state->page_bytes, 1, &copy));
        copy_page(state, copy, state->pages[page]);
        lf_kv_release(state->pages[page]);
        state->pages[page] = copy;
    }
    return lf_state_take_pages(model, state, n_pages);
}

void lf_state_swap_conv(const lfm2_model *model, lf_state *state)
{
    lf_floats *old = state->conv;
    state->conv = state->next;
    state->next = old;
    if (!lf_floats_is_own(old)) {
        lf_floats_release(&model->runtime->alloc, old);
        state->next = NULL;
    }
}

void lf_state_commit(const lfm2_model *model, lf_state *state, const int32_t *ids, uint32_t n)
{
    for (uint32_t i = 0; i < n; i++) {
        uint32_t position = state->length + i;
        state->pages[position / LF_ATTN_BLOCK]->ids[position % LF_ATTN_BLOCK] = ids[i];
    }
    state->length += n;
    lf_state_swap_conv(model, state);
}

void lf_state_trim(lf_state *state)
{
    uint32_t used = lf_pages_for(state->length);
    uint32_t kept = used;
    /* A shared page would have to be copied: it is no reserve. */
    while (kept < state->n_pages && kept < state->n_reserve && lf_kv_is_own(state->pages[kept])) {
        kept++;
    }
    release_from(state, kept);
}

/* ---- Operations on the sequence ---- */

void lf_state_cut(const lfm2_model *model, lf_state *state, uint32_t length, lf_floats *conv)
{
    lf_floats_release(&model->runtime->alloc, state->conv);
    state->conv = conv;
    state->length = length;
    lf_state_trim(state);
}

void lf_state_reset(const lfm2_model *model, lf_state *state)
{
    lf_floats *conv = NULL;
    if (state->n_reserve > 0 && state->conv != NULL && lf_floats_is_own(state->conv)) {
        conv = lf_floats_retain(state->conv);
        memset(conv->at, 0, conv->n * sizeof(float));
    } else {
        lf_floats_release(&model->runtime->alloc, state->next);
        state->next = NULL;
    }
    lf_state_cut(model, state, 0, conv);
    if (state->n_pages == 0) {
        lf_free(&model->runtime->alloc, state->pages, state->table_size, sizeof *state->pages);
        state->pages = NULL;
        state->table_size = 0;
    }
}

int32_t lf_state_fork(const lfm2_model *model, const lf_state *state, lf_state *out)
{
    const lf_alloc *alloc = &model->runtime->alloc;
    *out = (lf_state){0};
    uint32_t n = lf_pages_for(state->length);
    void *p = NULL;
    if (n > 0) {
        LF_TRY(lf_new(alloc, n, sizeof *state->pages, "page table", &p));
    }
    *out = *state;
    out->pages = p;
    out->table_size = n;
    out->n_pages = n;
    out->n_reserve = 0;
    for (uint32_t i = 0; i < n; i++) {
        out->pages[i] = state->pages[i];
        lf_kv_retain(out->pages[i]);
    }
    out->conv = lf_floats_retain(state->conv);
    out->next = NULL;
    return LFM2_OK;
}

void lf_state_replace(const lfm2_model *model, lf_state *old, lf_state *state)
{
    lf_kv_page **pages = state->pages;
    const uint32_t table_size = state->table_size;
    const uint32_t n_pages = state->n_pages;
    /* The state gets the table of `old`. */
    for (uint32_t i = 0; i < n_pages; i++) {
        lf_kv_page *page = old->pages[i];
        if (i < old->n_reserve && lf_kv_is_own(page)) {
            copy_page(state, page, pages[i]);
        } else {
            old->pages[i] = pages[i];
            pages[i] = page;
        }
    }
    state->n_reserve = old->n_reserve;
    state->pages = old->pages;
    state->table_size = old->table_size;
    state->n_pages = old->n_pages;
    old->pages = pages;
    old->table_size = table_size;
    old->n_pages = n_pages;
    lf_state_free(model, old);
    lf_state_trim(state);
}

int32_t lf_state_adopt(const lfm2_model *model, lf_state *state, lf_kv_page *const *pages,
                       uint32_t length, lf_floats *conv)
{
    uint32_t n = lf_pages_for(length);
    LF_TRY(grow_table(model, state, n));
    for (uint32_t i = 0; i < n; i++) {
        if (i < state->n_pages) {
            copy_page(state, state->pages[i], pages[i]);
            lf_kv_release(pages[i]);
        } else {
            state->pages[i] = pages[i];
        }
    }
    state->n_pages = n < state->n_pages ? state->n_pages : n;
    state->length = length;
    if (conv != NULL) {
        lf_state_set_conv(model, state, conv);
    }
    return LFM2_OK;
}

void lf_state_set_conv(const lfm2_model *model, lf_state *state, lf_floats *conv)
{
    const lf_alloc *alloc = &model->runtime->alloc;
    if (state->n_reserve > 0 && state->conv != NULL && lf_floats_is_own(state->conv)) {
        memcpy(state->conv->at, conv->at, conv->n * sizeof(float));
        lf_floats_release(alloc, conv);
        return;
    }
    lf_floats_release(alloc, state->conv);
    state->conv = conv;
}

void lf_state_ids(const lf_state *state, uint32_t first, uint32_t n, int32_t *ids)
{
    for (uint32_t i = 0; i < n; i++) {
        uint32_t position = first + i;
        ids[i] = state->pages[position / LF_ATTN_BLOCK]->ids[position % LF_ATTN_BLOCK];
    }
}

/* ---- Addresses ---- */

float *lf_state_conv(const lfm2_model *model, const lf_state *state, uint32_t layer, bool next)
{
    const lf_hparams *h = &model->source->hparams;
    size_t layer_floats = (size_t)(h->conv_kernel - 1) * h->n_embd;
    lf_floats *floats = next ? state->next : state->conv;
    return floats->at + model->layers[layer].conv_index * layer_floats;
}
