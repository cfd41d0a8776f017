/* SPDX-License-Identifier: Apache-2.0 */
/* Implements the order of the network: embedding, layers, head. */
#include "model/forward.h"

#include "common/elementary.h"
#include "model/workspace.h"

#include <string.h>

void lf_head_carve(const lfm2_model *model, const lf_limits *limits, lf_carver *c,
                   lf_head_memory *out)
{
    out->rows = lf_carve(c, limits->rows, sizeof(float *));
    out->logits = lf_carve(c, model->source->hparams.n_vocab, sizeof(float));
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
        int32_t id = pass->items[item].ids[row - m->item_first[item]];
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
        const lf_item *item = &pass->items[i];
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

/* Checks the items and assigns their rows. */
static int32_t assign_rows(const lf_workspace *workspace, const lf_item *items, size_t n_items,
                           uint32_t *n_rows)
{
    const lf_pass_memory *m = &workspace->pass;
    uint32_t most = workspace->limits.rows;
    uint32_t row = 0;
    for (size_t i = 0; i < n_items; i++) {
        if (items[i].n == 0 || items[i].n > most - row) {
            return lf_fail(LFM2_E_ARGUMENT, "forward.rows",
                           "item %zu has %u tokens, the items before it %u; allowed: at least 1 "
                           "each, %u in all",
                           i, items[i].n, row, most);
        }
        for (size_t other = 0; other < i; other++) {
            if (items[other].state == items[i].state) {
                return lf_fail(LFM2_E_ARGUMENT, "forward.twice",
                               "items %zu and %zu have the same state", other, i);
            }
        }
        m->item_first[i] = row;
        for (uint32_t t = 0; t < items[i].n; t++) {
            m->row_item[row++] = (uint32_t)i;
        }
    }
    if (n_items == 0) {
        return lf_fail(LFM2_E_ARGUMENT, "forward.rows", "the batch has no items");
    }
    m->item_first[n_items] = row;
    *n_rows = row;
    return LFM2_OK;
}

/* Sorts the items by decreasing length of their states; stable. */
static void sort_items(const lf_item *items, size_t n_items, uint32_t *order)
{
    for (uint32_t i = 0; i < n_items; i++) {
        uint32_t at = i;
        for (; at > 0; at--) {
            if (items[order[at - 1]].state->length >= items[i].state->length) {
                break;
            }
            order[at] = order[at - 1];
        }
        order[at] = i;
    }
}

static bool cancelled(const void *ctx)
{
    const lf_pass *pass = ctx;
    for (size_t i = 0; i < pass->n_items; i++) {
        const atomic_int *flag = pass->items[i].cancel;
        if (flag != NULL && atomic_load_explicit(flag, memory_order_relaxed) != 0) {
            return true;
        }
    }
    return false;
}

/* ---- The network ---- */

typedef struct network {
    lf_pass pass;
    bool complete; /* not cancelled */
} network;

static void run_network(lf_team *team, void *ctx)
{
    network *net = ctx;
    lf_pass *pass = &net->pass;
    const lfm2_model *model = pass->model;
    const lf_hparams *h = &model->source->hparams;
    pass->team = team;
    lf_pass_parallel(pass, pass->n, (size_t)h->n_embd + (size_t)h->head_dim * 16, embed_body, pass);
    for (uint32_t l = 0; l < h->n_layer; l++) {
        if (cancelled(pass)) {
            return;
        }
        if (h->n_head_kv[l] != 0) {
            lf_block_attn(pass, l);
        } else {
            lf_block_conv(pass, l);
        }
        lf_block_ffn(pass, l);
    }
    head(pass);
    net->complete = true;
}

int32_t lf_forward_batch(const lfm2_model *model, lf_workspace *workspace, const lf_item *items,
                         size_t n_items)
{
    uint32_t n = 0;
    LF_TRY(assign_rows(workspace, items, n_items, &n));
    sort_items(items, n_items, workspace->pass.longest_first);
    network net = {.pass = {.model = model,
                            .items = items,
                            .n_items = n_items,
                            .workspace = workspace,
                            .shared = &workspace->pass,
                            .kernels = &model->runtime->kernels,
                            .prefetch = model->runtime->prefetch,
                            .n = n}};
    lf_sched *sched = &model->runtime->sched;
    LF_TRY(lf_sched_begin(sched, cancelled, &net.pass));
    lf_team_run(sched, n <= LF_FEW_ROWS, run_network, &net);
    lf_sched_end(sched);
    if (!net.complete) {
        return lf_fail(LFM2_E_CANCELLED, "session.cancelled", "cancelled by the caller");
    }
    for (size_t i = 0; i < n_items; i++) {
        items[i].state->length += items[i].n;
        items[i].state->conv_now = 1 - items[i].state->conv_now;
    }
    return LFM2_OK;
}
