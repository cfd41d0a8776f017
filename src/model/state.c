/* SPDX-License-Identifier: Apache-2.0 */
/* Owns the sizes, layout and life of a session's memory. */
#include "model/linear.h"

#include <string.h>

_Static_assert((int)LF_MAX_HEAD_DIM <= (int)LF_ATTN_MOST_DIMS, "int8 attention takes every head");

/* ---- Carving: the same walk measures (base NULL) and assigns ---- */

typedef struct carver {
    uint8_t *base;
    size_t used;
    bool overflow;
} carver;

static void *carve(carver *c, size_t count, size_t item)
{
    size_t bytes = 0;
    size_t end = 0;
    if (!lf_mul_size(count, item, &bytes) || !lf_add_size(c->used, bytes, &end) ||
        !lf_add_size(end, LF_ALIGN - 1, &end)) {
        c->overflow = true;
        return NULL;
    }
    void *p = c->base == NULL ? NULL : c->base + c->used;
    c->used = end / LF_ALIGN * LF_ALIGN;
    return p;
}

static size_t max_size(size_t a, size_t b)
{
    return a > b ? a : b;
}

/* Largest row and tile buffers that the matrices of the model ask for. */
typedef struct act_needs {
    size_t rows[LF_LHS_COUNT];   /* bytes: inputs of width H or of the mixer */
    size_t hidden[LF_LHS_COUNT]; /* bytes: inputs of down */
    size_t tiles;                /* bytes */
    size_t wide;                 /* bytes a thread */
    size_t hidden_floats;        /* of rows whose hidden columns do not become tiles at once */
} act_needs;

/* `matrix` reads n_rows rows in groups of up to `most`. */
static void need_rows(const lfm2_model *model, const lf_packed *matrix, size_t n_rows, size_t most,
                      size_t *rows, act_needs *needs)
{
    if (matrix->gemm == NULL) {
        return;
    }
    const lf_gemm *gemm = matrix->gemm;
    const lf_lhs *act = &model->runtime->kernels.lhs[gemm->lhs];
    rows[gemm->lhs] = max_size(rows[gemm->lhs], n_rows * act->row_bytes(matrix->k));
    if (lf_unpacks(matrix, (most + gemm->mr - 1) / gemm->mr)) {
        needs->wide =
            max_size(needs->wide, lf_panels_a_step(matrix, true) * gemm->unpacked_bytes(matrix->k));
    }
}

/* Its rows become `outputs` rows of tiles in `groups` groups. */
static void need_tiles(const lfm2_model *model, const lf_packed *matrix, size_t outputs,
                       size_t groups, act_needs *needs)
{
    if (matrix->gemm != NULL) {
        const lf_lhs *act = &model->runtime->kernels.lhs[matrix->gemm->lhs];
        size_t tiles = outputs / matrix->gemm->mr + groups;
        size_t bytes = tiles * act->tile_bytes(matrix->gemm->mr, matrix->k);
        needs->tiles = max_size(needs->tiles, bytes);
    }
}

/* Of the passes of up to t rows, r with those of all experts. */
static act_needs measure_acts(const lfm2_model *model, size_t t, size_t r)
{
    const lf_hparams *h = &model->source->hparams;
    act_needs needs = {0};
    need_rows(model, &model->head, t, t, needs.rows, &needs);
    need_tiles(model, &model->head, t, 1, &needs);
    for (uint32_t l = 0; l < h->n_layer; l++) {
        const lf_layer *layer = &model->layers[l];
        const lf_packed *plain[] = {&layer->in, &layer->k, &layer->v, &layer->out, &layer->router};
        for (size_t i = 0; i < sizeof plain / sizeof plain[0]; i++) {
            need_rows(model, plain[i], t, t, needs.rows, &needs);
            need_tiles(model, plain[i], t, 1, &needs);
        }
        bool moe = layer->router.gemm != NULL;
        size_t rows = moe ? r : t;
        size_t groups = moe ? h->n_expert : 1;
        need_rows(model, &layer->gate_up, t, t, needs.rows, &needs);
        need_tiles(model, &layer->gate_up, rows, groups, &needs);
        need_rows(model, &layer->down, rows, t, needs.hidden, &needs);
        size_t hidden_rows = rows;
        if (!lf_hidden_tiled(&model->runtime->kernels, &layer->gate_up, &layer->down)) {
            need_tiles(model, &layer->down, rows, groups, &needs);
        } else if (groups < rows) {
            hidden_rows = groups; /* where each has a single row */
        }
        needs.hidden_floats = max_size(needs.hidden_floats, hidden_rows * layer->gate_up.n);
    }
    return needs;
}

static void carve_scratch(const lfm2_model *model, lf_state *state, carver *c)
{
    const lf_hparams *h = &model->source->hparams;
    lf_scratch *s = &state->scratch;
    size_t t = state->n_chunk;
    size_t r = t * max_size(1, h->n_expert_used);
    size_t width = h->n_embd;
    size_t heads = (size_t)h->n_head * h->head_dim;
    size_t mix = 3 * width;
    size_t attn_floats = 0;
    for (uint32_t l = 0; l < h->n_layer; l++) {
        size_t kv = (size_t)h->n_head_kv[l] * h->head_dim;
        mix = max_size(mix, kv != 0 ? heads + 2 * kv : 0);
        attn_floats = max_size(attn_floats, kv != 0 ? lf_attn_scratch(model, state, l) : 0);
    }
    act_needs needs = measure_acts(model, t, r);
    s->runs = carve(c, t, sizeof(lf_item));
    s->item_first = carve(c, t + 1, sizeof(uint32_t));
    s->row_item = carve(c, t, sizeof(uint32_t));
    s->head_rows = carve(c, t, sizeof(float *));
    s->attn_plan = carve(c, t, sizeof(lf_attn_plan));
    s->attn_order = carve(c, t, sizeof(uint32_t));
    s->attn_slots = lf_attn_slots(state);
    s->x = carve(c, t * width, sizeof(float));
    s->normed = carve(c, model->runtime->sched.n_threads * width, sizeof(float));
    s->mix = carve(c, t * mix, sizeof(float));
    s->mixed = carve(c, t * max_size(width, heads), sizeof(float));
    s->rope = carve(c, t * h->head_dim, sizeof(float));
    s->conv_ring = carve(c, (size_t)model->runtime->sched.n_threads * (h->conv_kernel + 2) * width,
                         sizeof(float));
    s->hidden = carve(c, needs.hidden_floats, sizeof(float));
    s->experts_out = carve(c, h->n_expert > 0 ? r * width : 0, sizeof(float));
    s->router = carve(c, t * h->n_expert, sizeof(float));
    s->routes = carve(c, r, sizeof(lf_route));
    s->route_row = carve(c, r, sizeof(uint32_t));
    s->row_token = carve(c, r, sizeof(uint32_t));
    s->expert_first = carve(c, (size_t)h->n_expert + 1, sizeof(uint32_t));
    for (int f = 0; f < LF_LHS_COUNT; f++) {
        s->lhs[f] = carve(c, needs.rows[f], 1);
        s->hidden_lhs[f] = carve(c, needs.hidden[f], 1);
    }
    s->tiles = carve(c, needs.tiles, 1);
    s->wide = carve(c, model->runtime->sched.n_threads, needs.wide);
    s->unpacked_bytes = needs.wide;
    s->attn_partial = carve(c, attn_floats, sizeof(float));
    s->logits = carve(c, h->n_vocab, sizeof(float));
}

static void carve_kv(const lfm2_model *model, lf_state *state, carver *c)
{
    const lf_hparams *h = &model->source->hparams;
    for (uint32_t l = 0; l < h->n_layer; l++) {
        size_t blocks = (size_t)h->n_head_kv[l] * state->n_blocks;
        state->k[l] = carve(c, blocks, state->block_bytes);
        state->v[l] = carve(c, blocks, state->block_bytes);
    }
}

/* ---- Measure, create, free ---- */

enum { DEFAULT_CTX = 4096, DEFAULT_CHUNK = 512, MAX_CHUNK = 8192 };

static int32_t read_options(const lfm2_model *model, const lfm2_session_options *options,
                            lf_state *state)
{
    uint32_t trained = model->source->hparams.n_ctx_train;
    uint32_t n_ctx = options->n_ctx;
    if (n_ctx == 0) {
        n_ctx = trained < DEFAULT_CTX ? trained : DEFAULT_CTX;
    }
    if (n_ctx > trained) {
        return lf_fail(LFM2_E_ARGUMENT, "session.n_ctx",
                       "n_ctx %u is beyond the model's context of %u tokens", n_ctx, trained);
    }
    if (options->kv_type < 0 || options->kv_type >= LF_KV_COUNT) {
        return lf_fail(LFM2_E_ARGUMENT, "session.kv_type", "unknown kv_type %d", options->kv_type);
    }
    uint32_t chunk = options->n_chunk == 0 ? DEFAULT_CHUNK : options->n_chunk;
    if (chunk > MAX_CHUNK) {
        return lf_fail(LFM2_E_ARGUMENT, "session.n_chunk", "n_chunk %u is above %d", chunk,
                       MAX_CHUNK);
    }
    state->n_ctx = n_ctx;
    state->n_chunk = chunk < n_ctx ? chunk : n_ctx;
    state->n_blocks = (n_ctx + LF_ATTN_BLOCK - 1) / LF_ATTN_BLOCK;
    state->kv_type = (lf_kv_type)options->kv_type;
    state->block_bytes = lf_kv_block_bytes(state->kv_type, model->source->hparams.head_dim);
    return LFM2_OK;
}

int32_t lf_state_measure(const lfm2_model *model, const lfm2_session_options *options,
                         lf_state *state)
{
    *state = (lf_state){0};
    LF_TRY(read_options(model, options, state));
    const lf_hparams *h = &model->source->hparams;
    uint32_t conv_layers = 0;
    for (uint32_t l = 0; l < h->n_layer; l++) {
        if (h->n_head_kv[l] == 0) {
            state->conv_index[l] = conv_layers++;
        }
    }
    carver conv = {0};
    carve(&conv, (size_t)2 * conv_layers * (h->conv_kernel - 1) * h->n_embd, sizeof(float));
    carver kv = {0};
    carve_kv(model, state, &kv);
    carver scratch = {0};
    carve_scratch(model, state, &scratch);
    if (conv.overflow || kv.overflow || scratch.overflow) {
        return lf_fail(LFM2_E_MEMORY, "memory.overflow", "session: size overflows");
    }
    state->conv_bytes = conv.used;
    state->kv_bytes = kv.used;
    state->scratch_bytes = scratch.used;
    return LFM2_OK;
}

int32_t lf_state_memory(const lfm2_model *model, const lfm2_session_options *options,
                        lfm2_memory *memory)
{
    lf_state state;
    LF_TRY(lf_state_measure(model, options, &state));
    uint64_t owned = lf_model_embed_owned(model);
    *memory = (lfm2_memory){.weights = model->packed_bytes + owned,
                            .mapped = model->weights.embed->bytes - owned,
                            .kv = state.kv_bytes,
                            .conv = state.conv_bytes,
                            .scratch = state.scratch_bytes};
    memory->total = memory->weights + memory->mapped + memory->kv + memory->conv + memory->scratch;
    return LFM2_OK;
}

int32_t lf_state_create(const lfm2_model *model, const lfm2_session_options *options,
                        lf_state *state)
{
    LF_TRY(lf_state_measure(model, options, state));
    const lf_alloc *alloc = &model->runtime->alloc;
    void *conv = NULL;
    void *kv = NULL;
    void *scratch = NULL;
    int32_t status = lf_new_zero(alloc, state->conv_bytes, 1, "convolution state", &conv);
    /* Not cleared: no kernel uses what it holds before a token is written, and pages that no token
     * reaches stay untouched. */
    if (status == LFM2_OK) {
        status = lf_new(alloc, state->kv_bytes, 1, "KV cache", &kv);
    }
    if (status == LFM2_OK) {
        status = lf_new(alloc, state->scratch_bytes, 1, "session working memory", &scratch);
    }
    state->conv = conv;
    state->kv = kv;
    state->scratch_block = scratch;
    if (status != LFM2_OK) {
        lf_state_free(model, state);
        return status;
    }
    carver c = {.base = kv};
    carve_kv(model, state, &c);
    c = (carver){.base = scratch};
    carve_scratch(model, state, &c);
    return LFM2_OK;
}

void lf_state_free(const lfm2_model *model, lf_state *state)
{
    const lf_alloc *alloc = &model->runtime->alloc;
    lf_free(alloc, state->conv, state->conv_bytes, 1);
    lf_free(alloc, state->kv, state->kv_bytes, 1);
    lf_free(alloc, state->scratch_block, state->scratch_bytes, 1);
    *state = (lf_state){0};
}

void lf_state_reset(lf_state *state)
{
    state->length = 0;
    state->conv_now = 0;
    memset(state->conv, 0, state->conv_bytes);
}

/* ---- Places ---- */

float *lf_state_conv(const lfm2_model *model, const lf_state *state, uint32_t layer, bool next)
{
    const lf_hparams *h = &model->source->hparams;
    size_t layer_floats = (size_t)(h->conv_kernel - 1) * h->n_embd;
    size_t copy_floats = state->conv_bytes / sizeof(float) / 2;
    uint32_t copy = next ? 1 - state->conv_now : state->conv_now;
    return state->conv + copy * copy_floats + state->conv_index[layer] * layer_floats;
}

uint8_t *lf_state_block(const lf_state *state, uint8_t *base, uint32_t head, uint32_t block)
{
    return base + ((size_t)head * state->n_blocks + block) * state->block_bytes;
}
