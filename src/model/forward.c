/* SPDX-License-Identifier: Apache-2.0 */
/* Implements the order of the network: embedding, layers, head. */
#include "model/forward.h"

#include "common/elementary.h"
#include "model/workspace.h"

#include <string.h>

void lf_head_carve(const lfm2_model *model, const lf_limits *limits, lf_carver *c,
                   lf_head_memory *out)
{
    (void)model;
    out->rows = lf_carve(c, limits->rows, sizeof(float *));
}

/* cos and sin of a position. The angle is an f32 product, as in the reference implementation: its
 * rounding at large positions is visible in the logits. */
static void rope_angles(const lf_pass *pass, uint32_t position, float *row)
{
    size_t half = pass->model->source->hparams.head_dim / 2;
    for (size_t i = 0; i < half; i++) {
        float angle = (float)position * pass->model->rope_freq[i];
        lf_sincos_f32(angle, &row[half + i], &row[i]);
    }
}

static void embed_body(void *ctx, uint32_t thread, size_t begin, size_t end)
{
    (void)thread;
    const lf_pass *pass = ctx;
    const lf_hparams *h = &pass->model->source->hparams;
    const lf_pass_memory *m = pass->shared;
    for (size_t row = begin; row < end; row++) {
        uint32_t item = m->row_item[row];
        int32_t id = pass->items[item]->ids[row - m->item_first[item]];
        lf_model_embed(pass->model, id, m->x + row * h->n_embd);
        rope_angles(pass, lf_row_position(pass, row), m->rope + row * h->head_dim);
    }
}

/* Moves the wanted rows to the front of x and sets head.rows; returns their number. */
static uint32_t collect_wanted(const lf_pass *pass)
{
    const lf_hparams *h = &pass->model->source->hparams;
    float *x = pass->shared->x;
    size_t width = h->n_embd;
    uint32_t n = 0;
    for (size_t i = 0; i < pass->n_items; i++) {
        const lf_item *item = pass->items[i];
        uint32_t wanted = item->wanted == LF_LOGITS_ALL ? item->n : item->wanted == LF_LOGITS_LAST;
        for (uint32_t w = 0; w < wanted; w++, n++) {
            uint32_t row = pass->shared->item_first[i + 1] - wanted + w;
            if (row != n) {
                memcpy(x + n * width, x + row * width, width * sizeof(float));
            }
            pass->workspace->head.rows[n] = item->out + (size_t)w * h->n_vocab;
        }
    }
    return n;
}

static void head(const lf_pass *pass)
{
    const lfm2_model *model = pass->model;
    uint32_t n = collect_wanted(pass);
    if (n == 0) {
        return;
    }
    lf_lhs_rows lhs;
    lf_lhs_norm_quantize(pass, pass->shared->x, model->final_norm, n, lf_format_bit(&model->head),
                         &lhs);
    lf_prefetch_hint_rows(pass, &model->layers[0].in); /* of the next token */
    lf_linear_scatter(pass, &lhs, &model->head, pass->workspace->head.rows);
}

/* ---- The batch ---- */

static int32_t check_items(const lf_workspace *workspace, const lf_item *items, size_t n_items)
{
    uint32_t most = workspace->limits.rows;
    uint32_t rows = 0;
    for (size_t i = 0; i < n_items; i++) {
        if (items[i].n == 0 || items[i].n > most - rows) {
            return lf_fail(LFM2_E_ARGUMENT, "forward.rows",
                           "item %zu has %u tokens, the items before it %u; allowed: at least 1 "
                           "each, %u in all",
                           i, items[i].n, rows, most);
        }
        for (size_t other = 0; other < i; other++) {
            if (items[other].state == items[i].state) {
                return lf_fail(LFM2_E_ARGUMENT, "forward.twice",
                               "items %zu and %zu have the same state", other, i);
            }
        }
        rows += items[i].n;
    }
    if (n_items == 0) {
        return lf_fail(LFM2_E_ARGUMENT, "forward.rows", "the batch has no items");
    }
    return LFM2_OK;
}

/* Sorts the items by decreasing length of their states; stable. */
static void sort_items(lf_item *const *items, size_t n_items, uint32_t *order)
{
    for (uint32_t i = 0; i < n_items; i++) {
        uint32_t at = i;
        for (; at > 0; at--) {
            if (items[order[at - 1]]->state->length >= items[i]->state->length) {
                break;
            }
            order[at] = order[at - 1];
        }
        order[at] = i;
    }
}

/* Assigns rows to the active items. */
static void assign_rows(lf_pass *pass)
{
    lf_pass_memory *m = pass->shared;
    uint32_t row = 0;
    for (size_t i = 0; i < pass->n_items; i++) {
        m->item_first[i] = row;
        for (uint32_t t = 0; t < pass->items[i]->n; t++) {
            m->row_item[row++] = (uint32_t)i;
        }
    }
    m->item_first[pass->n_items] = row;
    pass->n = row;
    sort_items(pass->items, pass->n_items, m->longest_first);
}

/* ---- The network ---- */

typedef struct network {
    lf_pass pass;
    bool together;
    uint32_t n_layers; /* that are computed */
    int32_t status;    /* LFM2_OK, or the one that was set last */
} network;

static bool is_cancelled(const lf_item *item)
{
    return item->cancel != NULL && atomic_load_explicit(item->cancel, memory_order_relaxed) != 0;
}

/* Whether no item needs the turn that it waits for. */
static bool gave_up(const void *ctx)
{
    const network *net = ctx;
    size_t n = 0;
    for (size_t i = 0; i < net->pass.n_items; i++) {
        n += is_cancelled(net->pass.items[i]);
    }
    return net->together ? n > 0 : n == net->pass.n_items;
}

/* Ends all items that still take part. */
static void fail_all(network *net, int32_t status)
{
    for (size_t i = 0; i < net->pass.n_items; i++) {
        net->pass.items[i]->status = status;
    }
    net->pass.n_items = 0;
    net->status = status;
}

/* Ends one item; the caller removes it. */
static void fail_item(network *net, lf_item *item, int32_t status)
{
    item->status = status;
    net->status = status;
}

/* Removes the items whose flag is set, and moves the rows of the others together: between layers
 * the pass has nothing else by row. */
static void drop_cancelled(network *net)
{
    lf_pass *pass = &net->pass;
    const lf_hparams *h = &pass->model->source->hparams;
    lf_pass_memory *m = pass->shared;
    size_t kept = 0;
    uint32_t row = 0;
    for (size_t i = 0; i < pass->n_items; i++) {
        lf_item *item = pass->items[i];
        if (is_cancelled(item)) {
            fail_item(net, item,
                      lf_fail(LFM2_E_CANCELLED, "session.cancelled", "cancelled by the caller"));
            continue;
        }
        uint32_t from = m->item_first[i];
        if (from != row) {
            size_t x = h->n_embd;
            size_t rope = h->head_dim;
            memmove(m->x + row * x, m->x + from * x, item->n * x * sizeof(float));
            memmove(m->rope + row * rope, m->rope + from * rope, item->n * rope * sizeof(float));
        }
        row += item->n;
        pass->items[kept++] = item;
    }
    if (kept == pass->n_items) {
        return;
    }
    if (net->together) {
        pass->n_items = kept;
        fail_all(net, LFM2_E_CANCELLED);
        return;
    }
    pass->n_items = kept;
    assign_rows(pass);
}

static void run_network(lf_team *team, void *ctx)
{
    network *net = ctx;
    lf_pass *pass = &net->pass;
    const lfm2_model *model = pass->model;
    const lf_hparams *h = &model->source->hparams;
    pass->team = team;
    lf_pass_parallel(pass, pass->n, (size_t)h->n_embd + (size_t)h->head_dim * 16, embed_body, pass);
    for (uint32_t l = 0; l < net->n_layers; l++) {
        drop_cancelled(net);
        if (pass->n_items == 0) {
            return;
        }
        int32_t status = h->n_head_kv[l] != 0 ? lf_block_attn(pass, l) : lf_block_conv(pass, l);
        status = status == LFM2_OK ? lf_block_ffn(pass, l) : status;
        if (status != LFM2_OK) {
            fail_all(net, status);
            return;
        }
    }
    head(pass);
}

/* ---- Before and after the network ---- */

/* Gets the memory of the items and lists those that take part. */
static void prepare(lfm2_model *model, network *net, lf_item *items, size_t n_items)
{
    lf_pass *pass = &net->pass;
    uint32_t longest = 0;
    for (size_t i = 0; i < n_items; i++) {
        lf_item *item = &items[i];
        if (item->status == LFM2_OK) {
            item->status = item->warm_up ? lf_state_prepare_conv(model, item->state)
                                         : lf_state_prepare(model, item->state, item->n);
        }
        if (item->status != LFM2_OK) {
            net->status = item->status;
            continue;
        }
        pass->items[pass->n_items++] = item;
        uint32_t length = item->state->length + item->n;
        longest = length > longest ? length : longest;
        net->n_layers = item->warm_up ? net->n_layers : model->source->hparams.n_layer;
    }
    int32_t status = net->together ? net->status : LFM2_OK;
    if (status == LFM2_OK) {
        status = lf_workspace_grow(model, pass->workspace, longest);
    }
    if (status != LFM2_OK) {
        fail_all(net, status);
    }
}

/* The layers with convolution and those before them. */
static uint32_t warm_up_layers(const lfm2_model *model)
{
    uint32_t n = model->source->hparams.n_layer;
    while (n > 0 && model->source->hparams.n_head_kv[n - 1] != 0) {
        n--;
    }
    return n;
}

uint32_t lf_warm_up_tokens(const lfm2_model *model)
{
    return model->n_conv * (model->source->hparams.conv_kernel - 1);
}

int32_t lf_forward_batch(lfm2_model *model, lf_workspace *workspace, lf_item *items, size_t n_items,
                         bool together)
{
    LF_TRY(check_items(workspace, items, n_items));
    network net = {.pass = {.model = model,
                            .items = workspace->pass.active,
                            .workspace = workspace,
                            .shared = &workspace->pass,
                            .kernels = &model->runtime->kernels,
                            .prefetch = model->runtime->prefetch},
                   .together = together,
                   .n_layers = warm_up_layers(model)};
    lf_pass *pass = &net.pass;
    prepare(model, &net, items, n_items);
    if (pass->n_items == 0) {
        return net.status;
    }
    assign_rows(pass);
    lf_sched *sched = &model->runtime->sched;
    int32_t status = lf_sched_begin(sched, gave_up, &net);
    if (status != LFM2_OK) {
        fail_all(&net, status);
        return status;
    }
    workspace->bytes_read = 0;
    lf_team_run(sched, pass->n <= LF_FEW_ROWS, run_network, &net);
    lf_sched_end(sched);
    atomic_fetch_add(&model->bytes_read, workspace->bytes_read);
    for (size_t i = 0; i < pass->n_items; i++) {
        lf_item *item = pass->items[i];
        if (item->warm_up) {
            item->state->length += item->n;
            lf_state_swap_conv(model, item->state);
        } else {
            lf_state_commit(model, item->state, item->ids, item->n);
        }
    }
    return net.status;
}
