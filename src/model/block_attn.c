/* SPDX-License-Identifier: Apache-2.0 */
/* Implements grouped-query attention: projections, norm and rotation of queries and keys, KV
 * blocks, and the blocked online softmax. */
#include "model/block_attn.h"

#include "common/os.h"
#include "model/workspace.h"

#include <math.h>
#include <string.h>

/* TILE_ROWS: query rows that share a pass over the KV blocks. SEGMENT_BLOCKS: positions are summed
 * in segments of fixed size and place, which are merged in order, so the division over threads
 * changes no bit. SPLIT_TOKENS: items of at most this many tokens are split by segment while there
 * are slots for their partials. LEAST_SLOTS: of a workspace for several rows. */
enum { TILE_ROWS = 32, SEGMENT_BLOCKS = 32, SPLIT_TOKENS = 16, LEAST_SLOTS = 64 };

typedef struct attn_job {
    const lf_pass *pass;
    const lf_layer *layer;
    uint32_t head_dim, n_head, group; /* group: query heads of one KV head */
    float *q;     /* [n][heads][head_dim], after lf_kv.query of the item's KV type */
    float *k, *v; /* [n][kv heads][head_dim] */
    uint32_t tile_tokens;
    lf_kv_type measured; /* the KV type of items whose prefetch is measured */
    lf_prefetch_region prefetch;
} attn_job;

/* Consecutive tokens of an item and the query heads of one KV head. */
typedef struct attn_tile {
    const lf_state *state;
    uint32_t kv_head;
    uint32_t row;      /* of the pass: the first token */
    uint32_t position; /* of that token */
    uint32_t tokens;
    lf_prefetch_policy prefetch;
} attn_tile;

/* Working memory of one tile: queries, running softmax state, partial of one segment. */
typedef struct tile_memory {
    float *q, *acc, *partial_acc;                 /* [rows][head_dim] */
    float *max, *sum, *partial_max, *partial_sum; /* [rows] */
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

/* Floats of one slot: [n_head] of max, sum, acc[head_dim]. */
static size_t slot_floats(uint32_t n_head, uint32_t head_dim)
{
    return (size_t)n_head * ((size_t)head_dim + 2);
}

size_t lf_attn_slot_floats(const lfm2_model *model)
{
    const lf_hparams *h = &model->source->hparams;
    return model->kv_page_blocks == 0 ? 0 : slot_floats(h->n_head, h->head_dim);
}

uint32_t lf_attn_slots(const lf_limits *limits)
{
    uint32_t tokens = limits->rows < SPLIT_TOKENS ? limits->rows : SPLIT_TOKENS;
    uint32_t own = tokens * segments_for(limits->n_ctx);
    return limits->rows > 1 && own < LEAST_SLOTS ? LEAST_SLOTS : own;
}

void lf_attn_carve(const lfm2_model *model, const lf_limits *limits, lf_carver *c,
                   lf_attn_memory *out)
{
    const lf_hparams *h = &model->source->hparams;
    size_t heads = (size_t)h->n_head * h->head_dim;
    size_t qkv = 0;
    size_t tile = 0;
    for (uint32_t l = 0; l < h->n_layer; l++) {
        if (h->n_head_kv[l] != 0) {
            uint32_t rows = rows_of_tile(h->n_head / h->n_head_kv[l]);
            qkv = lf_max_size(qkv, heads + 2 * (size_t)h->n_head_kv[l] * h->head_dim);
            tile = lf_max_size(tile, tile_floats(rows, h->head_dim));
        }
    }
    bool any = qkv > 0;
    out->qkv = lf_carve(c, limits->rows * qkv, sizeof(float));
    out->out = lf_carve(c, any ? limits->rows * heads : 0, sizeof(float));
    out->plan = lf_carve(c, limits->rows, sizeof(lf_attn_plan));
    out->tiles = lf_carve(c, model->runtime->sched.n_threads * tile, sizeof(float));
}

static tile_memory tile_of_thread(const attn_job *j, uint32_t thread)
{
    uint32_t rows = rows_of_tile(j->group);
    size_t values = (size_t)rows * j->head_dim;
    float *p = j->pass->workspace->attn.tiles + thread * tile_floats(rows, j->head_dim);
    float *scalars = p + 3 * values;
    return (tile_memory){.q = p,
                         .acc = p + values,
                         .partial_acc = p + 2 * values,
                         .max = scalars,
                         .sum = scalars + rows,
                         .partial_max = scalars + 2 * (size_t)rows,
                         .partial_sum = scalars + 3 * (size_t)rows};
}

/* ---- Queries, keys and values of the new tokens ---- */

static void store_kv(const attn_job *j, const lf_state *state, uint32_t head, uint32_t position,
                     const float *k, const float *v)
{
    const lf_kv *kv = &j->pass->kernels->ops.kv[state->kv_type];
    uint32_t block = position / LF_ATTN_BLOCK;
    uint8_t *kb = lf_state_k(state, j->layer, head, block);
    uint8_t *vb = lf_state_v(state, j->layer, head, block);
    kv->store(j->head_dim, position % LF_ATTN_BLOCK, k, v, kb, vb);
}

/* Norm, rotation and scale of the queries of one KV head, and its key and value. */
static void make_qkv(const attn_job *j, size_t token, uint32_t kv_head)
{
    const lf_ops *ops = &j->pass->kernels->ops;
    const lf_item *item = j->pass->items[j->pass->shared->row_item[token]];
    const lf_state *state = item->state;
    float eps = j->pass->model->source->hparams.norm_eps;
    size_t n = j->head_dim;
    float scale = 1.0f / __builtin_sqrtf((float)j->head_dim);
    const float *cosines = j->pass->shared->rope + token * n;
    const float *sines = cosines + n / 2;
    float *q = j->q + (token * j->n_head + (size_t)kv_head * j->group) * n;
    for (uint32_t head = 0; head < j->group; head++, q += n) {
        ops->rmsnorm(n, q, j->layer->q_norm, eps, q);
        ops->rope(n, cosines, sines, q);
        ops->scale(n, scale, q, q);
        if (ops->kv[state->kv_type].query != NULL) {
            ops->kv[state->kv_type].query(n, q);
        }
    }
    if (item->warm_up) {
        return;
    }
    size_t at = (token * j->layer->n_head_kv + kv_head) * n;
    ops->rmsnorm(n, j->k + at, j->layer->k_norm, eps, j->k + at);
    ops->rope(n, cosines, sines, j->k + at);
    store_kv(j, state, kv_head, lf_row_position(j->pass, token), j->k + at, j->v + at);
}

/* Unit = (token, KV head). */
static void qkv_body(void *ctx, uint32_t thread, size_t begin, size_t end)
{
    (void)thread;
    const attn_job *j = ctx;
    uint32_t heads = j->layer->n_head_kv;
    for (size_t unit = begin; unit < end; unit++) {
        make_qkv(j, unit / heads, (uint32_t)(unit % heads));
    }
}

/* ---- Blocked online softmax ---- */

/* Block b of a tile's head, and the block to prefetch: the next one; after the newest, block 0 of
 * the next head, which is right where an item is one tile, as in decoding; for the last head, b
 * again. */
static lf_kv_blocks kv_blocks(const attn_job *j, const attn_tile *tile, uint32_t b, bool newest)
{
    const lf_state *s = tile->state;
    uint32_t head = tile->kv_head;
    bool last = newest && head + 1 == j->layer->n_head_kv;
    uint32_t next = newest && !last ? head + 1 : head;
    uint32_t next_b = last ? b : newest ? 0 : b + 1;
    return (lf_kv_blocks){.k = lf_state_k(s, j->layer, head, b),
                          .v = lf_state_v(s, j->layer, head, b),
                          .next_k = lf_state_k(s, j->layer, next, next_b),
                          .next_v = lf_state_v(s, j->layer, next, next_b),
                          .prefetch = tile->prefetch};
}

/* Softmax state of one segment for the rows of a tile. */
static void segment(const attn_job *j, const attn_tile *tile, uint32_t seg, const float *q,
                    const lf_attn_state *out)
{
    const lf_state *s = tile->state;
    const lf_kv *kv = &j->pass->kernels->ops.kv[s->kv_type];
    uint32_t rows = tile->tokens * j->group;
    for (uint32_t r = 0; r < rows; r++) {
        out->max[r] = -INFINITY;
        out->sum[r] = 0;
        memset(out->acc + r * out->acc_stride, 0, j->head_dim * sizeof(float));
    }
    uint32_t last = tile->position + tile->tokens - 1; /* newest position that a row attends to */
    uint32_t end = (seg + 1) * SEGMENT_BLOCKS;
    uint32_t valid[LF_MAX_HEADS]; /* a tile has at most max(TILE_ROWS, heads) rows */
    for (uint32_t b = seg * SEGMENT_BLOCKS; b < end && b * LF_ATTN_BLOCK <= last; b++) {
        for (uint32_t r = 0; r < rows; r++) {
            uint32_t seen = tile->position + r / j->group + 1;
            uint32_t before = b * LF_ATTN_BLOCK;
            uint32_t here = seen > before ? seen - before : 0;
            valid[r] = here < LF_ATTN_BLOCK ? here : LF_ATTN_BLOCK;
        }
        lf_kv_blocks blocks = kv_blocks(j, tile, b, last / LF_ATTN_BLOCK == b);
        kv->attn(rows, j->head_dim, q, j->head_dim, valid, &blocks, out);
    }
}

/* Merges a row's partial of the next segment into its running state. */
static void merge_row(const lf_ops *ops, size_t n, float partial_max, float partial_sum,
                      const float *partial_acc, float *max, float *sum, float *acc)
{
    if (partial_sum == 0.0f) {
        return;
    }
    if (*sum == 0.0f) {
        *max = partial_max;
        *sum = partial_sum;
        memcpy(acc, partial_acc, n * sizeof(float));
        return;
    }
    float top = *max > partial_max ? *max : partial_max;
    float old_weight = 0;
    float new_weight = 0;
    ops->sum_exp(1, max, top, &old_weight);
    ops->sum_exp(1, &partial_max, top, &new_weight);
    *max = top;
    *sum = *sum * old_weight + partial_sum * new_weight;
    ops->scale(n, old_weight, acc, acc);
    ops->axpy(n, new_weight, partial_acc, acc);
}

static void gather_queries(const attn_job *j, const attn_tile *tile, float *q)
{
    size_t n = (size_t)j->group * j->head_dim;
    for (uint32_t t = 0; t < tile->tokens; t++) {
        size_t head = (size_t)(tile->row + t) * j->n_head + (size_t)tile->kv_head * j->group;
        memcpy(q + t * n, j->q + head * j->head_dim, n * sizeof(float));
    }
}

static float *output_row(const attn_job *j, const attn_tile *tile, uint32_t row)
{
    size_t head = (size_t)tile->kv_head * j->group + row % j->group;
    size_t token = tile->row + row / j->group;
    return j->pass->workspace->attn.out + (token * j->n_head + head) * j->head_dim;
}

static float *partial(const attn_job *j, size_t slot, size_t head)
{
    return j->pass->workspace->attn.partials + slot * slot_floats(j->n_head, j->head_dim) +
           head * ((size_t)j->head_dim + 2);
}

/* All segments in order. */
static void walk_tile(const attn_job *j, const attn_tile *tile, const tile_memory *m)
{
    const lf_ops *ops = &j->pass->kernels->ops;
    size_t n = j->head_dim;
    uint32_t rows = tile->tokens * j->group;
    memset(m->sum, 0, rows * sizeof(float));
    lf_attn_state state = {m->partial_max, m->partial_sum, m->partial_acc, n};
    for (uint32_t seg = 0; seg < segments_for(tile->position + tile->tokens); seg++) {
        segment(j, tile, seg, m->q, &state);
        for (uint32_t r = 0; r < rows; r++) {
            merge_row(ops, n, m->partial_max[r], m->partial_sum[r], m->partial_acc + r * n,
                      &m->max[r], &m->sum[r], m->acc + r * n);
        }
    }
    for (uint32_t r = 0; r < rows; r++) {
        ops->scale(n, 1.0f / m->sum[r], m->acc + r * n, output_row(j, tile, r));
    }
}

/* One segment, stored in the slots of its tokens; `slot` is that of the first token. */
static void split_tile(const attn_job *j, const attn_tile *tile, const tile_memory *m, size_t slot,
                       uint32_t n_segments, uint32_t seg)
{
    size_t n = j->head_dim;
    lf_attn_state state = {m->partial_max, m->partial_sum, m->partial_acc, n};
    segment(j, tile, seg, m->q, &state);
    for (uint32_t r = 0; r < tile->tokens * j->group; r++) {
        uint32_t token = r / j->group;
        float *to = partial(j, slot + (size_t)token * n_segments + seg,
                            (size_t)tile->kv_head * j->group + r % j->group);
        to[0] = m->partial_max[r];
        to[1] = m->partial_sum[r];
        memcpy(to + 2, m->partial_acc + r * n, n * sizeof(float));
    }
}

/* ---- Division over threads ---- */

static uint32_t context_of(const lf_item *item)
{
    return item->state->length + item->n;
}

/* Fills the plans for tiles of tile_tokens; returns the number of units. Items with long contexts
 * get slots first. */
static size_t plan_items(const attn_job *j)
{
    const lf_pass *pass = j->pass;
    const lf_attn_memory *m = &pass->workspace->attn;
    uint32_t slots = 0;
    size_t units = 0;
    for (size_t i = 0; i < pass->n_items; i++) {
        uint32_t index = pass->shared->longest_first[i];
        const lf_item *item = pass->items[index];
        uint32_t segments = segments_for(context_of(item));
        bool split = item->n <= SPLIT_TOKENS && segments > 1 &&
                     (size_t)item->n * segments <= m->n_slots - slots;
        lf_attn_plan *plan = &m->plan[index];
        *plan = (lf_attn_plan){.first_unit = units,
                               .n_tiles = (item->n + j->tile_tokens - 1) / j->tile_tokens,
                               .n_segments = split ? segments : 0,
                               .first_slot = slots};
        slots += item->n * plan->n_segments;
        units += (size_t)j->layer->n_head_kv * plan->n_tiles * (split ? segments : 1);
    }
    return units;
}

/* The item that a unit belongs to. */
static uint32_t item_of_unit(const lf_pass *pass, size_t unit)
{
    const uint32_t *order = pass->shared->longest_first;
    size_t low = 0; /* first_unit of order[low] <= unit < that of order[high] */
    size_t high = pass->n_items;
    while (high - low > 1) {
        size_t mid = (low + high) / 2;
        if (pass->workspace->attn.plan[order[mid]].first_unit <= unit) {
            low = mid;
        } else {
            high = mid;
        }
    }
    return order[low];
}

/* The bytes of K and V in the blocks of a segment, or of all segments, up to the tile's last
 * position. */
static size_t kv_bytes(const attn_tile *tile, bool split, uint32_t seg)
{
    uint32_t blocks = (tile->position + tile->tokens + LF_ATTN_BLOCK - 1) / LF_ATTN_BLOCK;
    if (split) {
        blocks -= seg * SEGMENT_BLOCKS;
        blocks = blocks < SEGMENT_BLOCKS ? blocks : SEGMENT_BLOCKS;
    }
    return 2 * blocks * tile->state->block_bytes;
}

static lf_prefetch_policy tile_prefetch(const attn_job *j, const attn_tile *tile)
{
    uint32_t rows = tile->tokens * j->group;
    lf_kv_type type = tile->state->kv_type;
    return type == j->measured
               ? lf_prefetch_of(&j->prefetch, rows)
               : lf_prefetch_now(j->pass->prefetch, LF_PREFETCH_KV + (uint32_t)type, rows);
}

/* Unit = (item, KV head, tile of tokens), of split items also one segment. */
static void attend_body(void *ctx, uint32_t thread, size_t begin, size_t end)
{
    const attn_job *j = ctx;
    const lf_pass *pass = j->pass;
    tile_memory m = tile_of_thread(j, thread);
    uint64_t start = j->prefetch.measured != 0 ? lf_os_ns() : 0;
    for (size_t unit = begin; unit < end; unit++) {
        uint32_t index = item_of_unit(pass, unit);
        const lf_item *item = pass->items[index];
        const lf_attn_plan *plan = &pass->workspace->attn.plan[index];
        size_t rest = unit - plan->first_unit;
        /* The last tiles attend to the most positions: they go first. */
        uint32_t first = (plan->n_tiles - 1 - (uint32_t)(rest % plan->n_tiles)) * j->tile_tokens;
        uint32_t left = item->n - first;
        attn_tile tile = {.state = item->state,
                          .row = pass->shared->item_first[index] + first,
                          .position = item->state->length + first,
                          .tokens = left < j->tile_tokens ? left : j->tile_tokens};
        tile.prefetch = tile_prefetch(j, &tile);
        rest /= plan->n_tiles;
        uint32_t segments = plan->n_segments == 0 ? 1 : plan->n_segments;
        tile.kv_head = (uint32_t)(rest / segments);
        gather_queries(j, &tile, m.q);
        if (plan->n_segments == 0) {
            walk_tile(j, &tile, &m);
        } else {
            split_tile(j, &tile, &m, plan->first_slot + (size_t)first * segments, segments,
                       (uint32_t)(rest % segments));
        }
        if (j->prefetch.measured != 0) {
            uint64_t now = lf_os_ns();
            if (item->state->kv_type == j->measured) {
                lf_prefetch_add(&j->prefetch, thread, lf_row_class(tile.tokens * j->group),
                                kv_bytes(&tile, plan->n_segments != 0, (uint32_t)(rest % segments)),
                                now - start);
            }
            start = now;
        }
    }
}

/* Unit = (row, head). Only rows of split items have partials. */
static void merge_body(void *ctx, uint32_t thread, size_t begin, size_t end)
{
    (void)thread;
    const attn_job *j = ctx;
    const lf_pass_memory *rows = j->pass->shared;
    const lf_attn_memory *m = &j->pass->workspace->attn;
    const lf_ops *ops = &j->pass->kernels->ops;
    size_t n = j->head_dim;
    for (size_t unit = begin; unit < end; unit++) {
        size_t row = unit / j->n_head;
        uint32_t item = rows->row_item[row];
        const lf_attn_plan *plan = &m->plan[item];
        if (plan->n_segments == 0) {
            continue;
        }
        size_t slot = plan->first_slot + (row - rows->item_first[item]) * plan->n_segments;
        float *sum = partial(j, slot, unit % j->n_head);
        for (uint32_t seg = 1; seg < plan->n_segments; seg++) {
            const float *next = partial(j, slot + seg, unit % j->n_head);
            merge_row(ops, n, next[0], next[1], next + 2, &sum[0], &sum[1], sum + 2);
        }
        ops->scale(n, 1.0f / sum[1], sum + 2, m->out + unit * n);
    }
}

/* Chooses the prefetch policies of the region. One KV type is measured: that of the item with the
 * longest context. */
static void choose_prefetch(attn_job *j)
{
    const lf_pass *pass = j->pass;
    size_t bytes[LF_ROW_CLASSES] = {0};
    j->measured = pass->items[pass->shared->longest_first[0]]->state->kv_type;
    for (size_t i = 0; i < pass->n_items; i++) {
        const lf_item *item = pass->items[i];
        uint32_t tokens = item->n < j->tile_tokens ? item->n : j->tile_tokens;
        uint32_t tiles = (item->n + j->tile_tokens - 1) / j->tile_tokens;
        attn_tile tile = {.state = item->state, .position = item->state->length, .tokens = item->n};
        if (item->state->kv_type == j->measured) {
            bytes[lf_row_class(tokens * j->group)] +=
                (size_t)tiles * j->layer->n_head_kv * kv_bytes(&tile, false, 0);
        }
    }
    lf_prefetch_begin(pass->prefetch, LF_PREFETCH_KV + (uint32_t)j->measured, bytes, &j->prefetch);
}

static void attend(attn_job *j)
{
    const lf_pass *pass = j->pass;
    size_t least_units = 2 * (size_t)lf_team_threads(pass->team);
    j->tile_tokens = rows_of_tile(j->group) / j->group;
    size_t units = plan_items(j);
    while (units < least_units && j->tile_tokens > 1) { /* smaller tiles read KV more often */
        j->tile_tokens = (j->tile_tokens + 1) / 2;
        units = plan_items(j);
    }
    size_t blocks = 0; /* (token, block) pairs */
    size_t merges = 0;
    for (size_t i = 0; i < pass->n_items; i++) {
        const lf_item *item = pass->items[i];
        blocks += item->n * ((size_t)context_of(item) / LF_ATTN_BLOCK + 1);
        merges += item->n * (size_t)pass->workspace->attn.plan[i].n_segments;
    }
    /* About 16 multiplications a nanosecond; one for each value of K and of V. */
    size_t block_ns = (size_t)j->n_head * j->head_dim * LF_ATTN_BLOCK * 2 / 16;
    choose_prefetch(j);
    lf_pass_balance(pass, units, blocks * block_ns, attend_body, j);
    lf_prefetch_end(pass->prefetch, &j->prefetch);
    if (merges > 0) {
        size_t rows = (size_t)pass->n * j->n_head;
        lf_pass_parallel(pass, rows, merges * 16 / pass->n + 1, merge_body, j);
    }
}

int32_t lf_block_attn(const lf_pass *pass, uint32_t layer)
{
    const lf_hparams *h = &pass->model->source->hparams;
    const lf_layer *w = &pass->model->layers[layer];
    const lf_attn_memory *m = &pass->workspace->attn;
    float *x = pass->shared->x;
    size_t width = h->n_embd;
    size_t heads = (size_t)h->n_head * h->head_dim;
    size_t kv = (size_t)w->n_head_kv * h->head_dim;
    attn_job j = {.pass = pass,
                  .layer = w,
                  .head_dim = h->head_dim,
                  .n_head = h->n_head,
                  .group = h->n_head / w->n_head_kv,
                  .q = m->qkv,
                  .k = m->qkv + pass->n * heads,
                  .v = m->qkv + pass->n * (heads + kv)};
    lf_lhs_rows lhs;
    lf_lhs_norm_quantize(pass, x, w->mixer_norm, pass->n,
                         lf_format_bit(&w->in) | lf_format_bit(&w->k) | lf_format_bit(&w->v), &lhs);
    lf_prefetch_hint_rows(pass, &w->k);
    lf_linear(pass, &lhs, &w->in, j.q, heads);
    lf_prefetch_hint_rows(pass, &w->v);
    lf_linear(pass, &lhs, &w->k, j.k, kv);
    lf_prefetch_hint_rows(pass, &w->out);
    lf_linear(pass, &lhs, &w->v, j.v, kv);
    lf_pass_parallel(pass, (size_t)pass->n * w->n_head_kv, (j.group + 2) * (size_t)j.head_dim * 3,
                     qkv_body, &j);
    attend(&j);
    lf_lhs_quantize(pass, m->out, pass->n, heads, lf_format_bit(&w->out), &lhs);
    lf_prefetch_hint_rows(pass, lf_ffn_first(w));
    lf_linear_add(pass, &lhs, &w->out, x, width);
    return LFM2_OK;
}
