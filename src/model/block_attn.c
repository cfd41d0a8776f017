/* SPDX-License-Identifier: Apache-2.0 */
/* Owns grouped-query attention: projections, q/k norm and rotation, the KV blocks, and the blocked
 * online softmax over them. */
#include "model/forward.h"

#include <math.h>
#include <string.h>

/* Query rows that share a pass over the KV blocks; positions are summed in segments of fixed size
 * and place, merged in order, so that splitting a long context over threads changes no bit. */
enum { TILE_ROWS = 32, SEGMENT_BLOCKS = 32, SPLIT_TOKENS = 4 };

typedef struct attn_job {
    const lf_pass *pass;
    const lf_layer *layer;
    uint32_t layer_index;
    uint32_t head_dim, n_head, group; /* group: query heads of one KV head */
    float *q, *k, *v;                 /* [n][heads][head_dim], [n][kv heads][head_dim] x 2 */
    lf_attn_fn fn;
    uint32_t tile_tokens, n_tiles, n_segments;
} attn_job;

/* Working memory of one tile: queries, running state, state of one segment. */
typedef struct tile_memory {
    float *q, *acc, *part_acc;              /* [rows][head_dim] */
    float *max, *sum, *part_max, *part_sum; /* [rows] */
} tile_memory;

static uint32_t rows_of_tile(uint32_t group)
{
    return group > TILE_ROWS ? group : TILE_ROWS / group * group;
}

static size_t tile_floats(uint32_t rows, uint32_t head_dim)
{
    return (size_t)rows * (3 * (size_t)head_dim + 4);
}

static uint32_t segments_for(uint32_t positions)
{
    uint32_t blocks = (positions + LF_ATTN_BLOCK - 1) / LF_ATTN_BLOCK;
    return (blocks + SEGMENT_BLOCKS - 1) / SEGMENT_BLOCKS;
}

/* Tiles for every thread, then the partial states of SPLIT_TOKENS tokens. */
size_t lf_attn_scratch(const lfm2_model *model, const lf_state *state, uint32_t layer)
{
    const lf_hparams *h = &model->source->hparams;
    uint32_t rows = rows_of_tile(h->n_head / h->n_head_kv[layer]);
    size_t tiles = model->runtime->sched.n_threads * tile_floats(rows, h->head_dim);
    size_t split =
        (size_t)SPLIT_TOKENS * h->n_head * segments_for(state->n_ctx) * ((size_t)h->head_dim + 2);
    return tiles + split;
}

static tile_memory tile_of_part(const attn_job *j, uint32_t part)
{
    uint32_t rows = rows_of_tile(j->group);
    size_t values = (size_t)rows * j->head_dim;
    float *p = j->pass->s->attn_part + part * tile_floats(rows, j->head_dim);
    float *scalars = p + 3 * values;
    return (tile_memory){.q = p,
                         .acc = p + values,
                         .part_acc = p + 2 * values,
                         .max = scalars,
                         .sum = scalars + rows,
                         .part_max = scalars + 2 * (size_t)rows,
                         .part_sum = scalars + 3 * (size_t)rows};
}

/* ---- Queries, keys and values of the new tokens ---- */

static void store_kv(const attn_job *j, uint32_t head, uint32_t position, const float *k,
                     const float *v)
{
    const lf_pass *pass = j->pass;
    lf_state *state = pass->state;
    uint32_t block = position / LF_ATTN_BLOCK;
    uint32_t column = position % LF_ATTN_BLOCK;
    uint8_t *kb = lf_state_block(pass->model, state, state->k[j->layer_index], head, block);
    uint8_t *vb = lf_state_block(pass->model, state, state->v[j->layer_index], head, block);
    size_t n = j->head_dim;
    if (state->kv_type == LFM2_KV_F32) {
        float *columns = (float *)(void *)kb;
        for (size_t d = 0; d < n; d++) {
            columns[d * LF_ATTN_BLOCK + column] = k[d];
        }
        memcpy(vb + column * n * sizeof(float), v, n * sizeof(float));
        return;
    }
    uint16_t half[LF_MAX_HEAD_DIM];
    uint16_t *columns = (uint16_t *)(void *)kb;
    pass->kernels->ops.f32_to_f16(n, k, half);
    for (size_t d = 0; d < n; d++) {
        columns[d * LF_ATTN_BLOCK + column] = half[d];
    }
    pass->kernels->ops.f32_to_f16(n, v, (uint16_t *)(void *)vb + column * n);
}

static void qkv_body(void *ctx, uint32_t part, size_t begin, size_t end)
{
    (void)part;
    const attn_job *j = ctx;
    const lf_ops *ops = &j->pass->kernels->ops;
    float eps = j->pass->model->source->hparams.norm_eps;
    size_t n = j->head_dim;
    float scale = 1.0f / sqrtf((float)j->head_dim);
    for (size_t t = begin; t < end; t++) {
        const float *cosines = j->pass->s->rope + t * n;
        const float *sines = cosines + n / 2;
        for (uint32_t head = 0; head < j->n_head; head++) {
            float *q = j->q + (t * j->n_head + head) * n;
            ops->rmsnorm(n, q, j->layer->q_norm, eps, q);
            ops->rope(n, cosines, sines, q);
            ops->scale(n, scale, q, q);
        }
        for (uint32_t head = 0; head < j->layer->n_head_kv; head++) {
            float *k = j->k + (t * j->layer->n_head_kv + head) * n;
            const float *v = j->v + (t * j->layer->n_head_kv + head) * n;
            ops->rmsnorm(n, k, j->layer->k_norm, eps, k);
            ops->rope(n, cosines, sines, k);
            store_kv(j, head, j->pass->start + (uint32_t)t, k, v);
        }
    }
}

/* ---- Blocked online softmax ---- */

/* State of one segment for `tokens` tokens from `first`. */
static void segment(const attn_job *j, uint32_t kv_head, uint32_t first, uint32_t tokens,
                    uint32_t seg, const float *q, const lf_attn_state *state)
{
    const lf_pass *pass = j->pass;
    uint32_t rows = tokens * j->group;
    for (uint32_t r = 0; r < rows; r++) {
        state->max[r] = -INFINITY;
        state->sum[r] = 0;
        memset(state->acc + r * state->acc_stride, 0, j->head_dim * sizeof(float));
    }
    uint32_t last = pass->start + first + tokens - 1; /* newest position any row sees */
    uint32_t end = (seg + 1) * SEGMENT_BLOCKS;
    uint32_t valid[LF_MAX_HEADS]; /* a tile has at most max(TILE_ROWS, heads) rows */
    for (uint32_t b = seg * SEGMENT_BLOCKS; b < end && b * LF_ATTN_BLOCK <= last; b++) {
        for (uint32_t r = 0; r < rows; r++) {
            uint32_t seen = pass->start + first + r / j->group + 1;
            uint32_t before = b * LF_ATTN_BLOCK;
            uint32_t here = seen > before ? seen - before : 0;
            valid[r] = here < LF_ATTN_BLOCK ? here : LF_ATTN_BLOCK;
        }
        const lf_state *s = pass->state;
        j->fn(rows, j->head_dim, q, j->head_dim, valid,
              lf_state_block(pass->model, s, s->k[j->layer_index], kv_head, b),
              lf_state_block(pass->model, s, s->v[j->layer_index], kv_head, b), state);
    }
}

/* Adds a later segment's state of one row to the running one. */
static void merge_row(const lf_ops *ops, size_t n, float part_max, float part_sum,
                      const float *part_acc, float *max, float *sum, float *acc)
{
    if (part_sum == 0.0f) {
        return;
    }
    if (*sum == 0.0f) {
        *max = part_max;
        *sum = part_sum;
        memcpy(acc, part_acc, n * sizeof(float));
        return;
    }
    float top = *max > part_max ? *max : part_max;
    float old_weight = 0;
    float new_weight = 0;
    ops->sum_exp(1, max, top, &old_weight);
    ops->sum_exp(1, &part_max, top, &new_weight);
    *max = top;
    *sum = *sum * old_weight + part_sum * new_weight;
    ops->scale(n, old_weight, acc, acc);
    ops->axpy(n, new_weight, part_acc, acc);
}

static void gather_queries(const attn_job *j, uint32_t kv_head, uint32_t first, uint32_t tokens,
                           float *q)
{
    size_t n = (size_t)j->group * j->head_dim;
    for (uint32_t t = 0; t < tokens; t++) {
        const float *from =
            j->q + ((size_t)(first + t) * j->n_head + (size_t)kv_head * j->group) * j->head_dim;
        memcpy(q + t * n, from, n * sizeof(float));
    }
}

static float *output_row(const attn_job *j, uint32_t kv_head, uint32_t first, uint32_t row)
{
    size_t head = (size_t)kv_head * j->group + row % j->group;
    return j->pass->s->mixed + ((size_t)(first + row / j->group) * j->n_head + head) * j->head_dim;
}

/* Unit = (KV head, tile of tokens): all segments in order. */
static void tile_body(void *ctx, uint32_t part, size_t begin, size_t end)
{
    const attn_job *j = ctx;
    const lf_ops *ops = &j->pass->kernels->ops;
    tile_memory m = tile_of_part(j, part);
    size_t n = j->head_dim;
    for (size_t unit = begin; unit < end; unit++) {
        uint32_t kv_head = (uint32_t)(unit / j->n_tiles);
        /* The last tiles see the most positions: they go first, so that none is left over late. */
        uint32_t first = (j->n_tiles - 1 - (uint32_t)(unit % j->n_tiles)) * j->tile_tokens;
        uint32_t left = j->pass->n - first;
        uint32_t tokens = left < j->tile_tokens ? left : j->tile_tokens;
        uint32_t rows = tokens * j->group;
        gather_queries(j, kv_head, first, tokens, m.q);
        memset(m.sum, 0, rows * sizeof(float));
        lf_attn_state state = {m.part_max, m.part_sum, m.part_acc, n};
        for (uint32_t seg = 0; seg < segments_for(j->pass->start + first + tokens); seg++) {
            segment(j, kv_head, first, tokens, seg, m.q, &state);
            for (uint32_t r = 0; r < rows; r++) {
                merge_row(ops, n, m.part_max[r], m.part_sum[r], m.part_acc + r * n, &m.max[r],
                          &m.sum[r], m.acc + r * n);
            }
        }
        for (uint32_t r = 0; r < rows; r++) {
            ops->scale(n, 1.0f / m.sum[r], m.acc + r * n, output_row(j, kv_head, first, r));
        }
    }
}

/* Few tokens, long context. Unit = (token, KV head, segment): partial states, merged afterwards.
 * Layout: [token][head][segment] of max, sum, acc[head_dim]. */
static float *partial(const attn_job *j, uint32_t token, uint32_t head, uint32_t seg)
{
    uint32_t rows = rows_of_tile(j->group);
    float *base =
        j->pass->s->attn_part + j->pass->sched->n_threads * tile_floats(rows, j->head_dim);
    size_t index = ((size_t)token * j->n_head + head) * j->n_segments + seg;
    return base + index * ((size_t)j->head_dim + 2);
}

static void split_body(void *ctx, uint32_t part, size_t begin, size_t end)
{
    const attn_job *j = ctx;
    tile_memory m = tile_of_part(j, part);
    size_t n = j->head_dim;
    for (size_t unit = begin; unit < end; unit++) {
        uint32_t seg = (uint32_t)(unit % j->n_segments);
        uint32_t kv_head = (uint32_t)(unit / j->n_segments % j->layer->n_head_kv);
        uint32_t token = (uint32_t)(unit / j->n_segments / j->layer->n_head_kv);
        lf_attn_state state = {m.part_max, m.part_sum, m.part_acc, n};
        gather_queries(j, kv_head, token, 1, m.q);
        segment(j, kv_head, token, 1, seg, m.q, &state);
        for (uint32_t g = 0; g < j->group; g++) {
            float *to = partial(j, token, kv_head * j->group + g, seg);
            to[0] = m.part_max[g];
            to[1] = m.part_sum[g];
            memcpy(to + 2, m.part_acc + g * n, n * sizeof(float));
        }
    }
}

static void merge_body(void *ctx, uint32_t part, size_t begin, size_t end)
{
    (void)part;
    const attn_job *j = ctx;
    const lf_ops *ops = &j->pass->kernels->ops;
    size_t n = j->head_dim;
    for (size_t unit = begin; unit < end; unit++) { /* unit = (token, head) */
        float *row = partial(j, (uint32_t)(unit / j->n_head), (uint32_t)(unit % j->n_head), 0);
        for (uint32_t seg = 1; seg < j->n_segments; seg++) {
            const float *next = row + seg * (n + 2);
            merge_row(ops, n, next[0], next[1], next + 2, &row[0], &row[1], row + 2);
        }
        ops->scale(n, 1.0f / row[1], row + 2, j->pass->s->mixed + unit * n);
    }
}

static void attend(attn_job *j)
{
    const lf_pass *pass = j->pass;
    uint32_t seen = pass->start + pass->n;
    j->n_segments = segments_for(seen);
    size_t block_cost = (size_t)j->group * j->head_dim * 8; /* ns of one KV block for one token */
    if (pass->n <= SPLIT_TOKENS) {
        size_t units = (size_t)pass->n * j->layer->n_head_kv * j->n_segments;
        size_t blocks = seen / LF_ATTN_BLOCK / j->n_segments + 1;
        lf_pass_parallel(pass, units, blocks * block_cost, split_body, j);
        lf_pass_parallel(pass, (size_t)pass->n * j->n_head, j->n_segments * 16, merge_body, j);
        return;
    }
    j->tile_tokens = rows_of_tile(j->group) / j->group;
    j->n_tiles = (pass->n + j->tile_tokens - 1) / j->tile_tokens;
    lf_parallel(pass->sched, (size_t)j->layer->n_head_kv * j->n_tiles, 1, tile_body, j);
}

void lf_block_attn(const lf_pass *pass, uint32_t layer)
{
    const lf_hparams *h = &pass->model->source->hparams;
    const lf_layer *w = &pass->model->layers[layer];
    lf_scratch *s = pass->s;
    size_t width = h->n_embd;
    size_t heads = (size_t)h->n_head * h->head_dim;
    size_t kv = (size_t)w->n_head_kv * h->head_dim;
    attn_job j = {.pass = pass,
                  .layer = w,
                  .layer_index = layer,
                  .head_dim = h->head_dim,
                  .n_head = h->n_head,
                  .group = h->n_head / w->n_head_kv,
                  .q = s->mix,
                  .k = s->mix + pass->n * heads,
                  .v = s->mix + pass->n * (heads + kv),
                  .fn = pass->state->kv_type == LFM2_KV_F32 ? pass->kernels->ops.attn_f32
                                                            : pass->kernels->ops.attn_f16};
    lf_acts acts;
    memcpy(acts.rows, s->acts, sizeof acts.rows);
    lf_norm_rows(pass, s->x, w->mixer_norm, pass->n, width, s->normed);
    lf_acts_make(pass, s->normed, width, pass->n, width,
                 lf_format_bit(&w->in) | lf_format_bit(&w->k) | lf_format_bit(&w->v), &acts);
    lf_linear(pass, &acts, &w->in, j.q, heads);
    lf_linear(pass, &acts, &w->k, j.k, kv);
    lf_linear(pass, &acts, &w->v, j.v, kv);
    lf_pass_parallel(pass, pass->n, (heads + 2 * kv) / 2, qkv_body, &j);
    attend(&j);
    lf_acts_make(pass, s->mixed, heads, pass->n, heads, lf_format_bit(&w->out), &acts);
    lf_linear(pass, &acts, &w->out, s->normed, width);
    lf_add_rows(pass, pass->n, s->normed, s->x);
}
