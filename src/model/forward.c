/* SPDX-License-Identifier: Apache-2.0 */
/* Owns the order of the network: embedding, layers, head. */
#include "model/forward.h"

#include "common/elementary.h"

#include <string.h>

/* cos and sin of a position. The angle is an f32 product, as in the reference implementation: at
 * long positions its rounding shows in the logits. */
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
    const lf_scratch *s = pass->s;
    for (size_t row = begin; row < end; row++) {
        uint32_t run = s->row_item[row];
        int32_t id = pass->runs[run].ids[row - s->item_first[run]];
        lf_model_embed(pass->model, id, s->x + row * h->n_embd);
        rope_angles(pass, lf_row_position(pass, row), s->rope + row * h->head_dim);
    }
}

/* Moves the wanted rows to the front of x and notes where their logits go; returns how many. */
static uint32_t collect_wanted(const lf_pass *pass)
{
    const lf_hparams *h = &pass->model->source->hparams;
    lf_scratch *s = pass->s;
    size_t width = h->n_embd;
    uint32_t n = 0;
    for (size_t i = 0; i < pass->n_items; i++) {
        const lf_item *run = &pass->runs[i];
        uint32_t wanted = run->wanted == LF_LOGITS_ALL ? run->n : run->wanted == LF_LOGITS_LAST;
        for (uint32_t w = 0; w < wanted; w++, n++) {
            uint32_t row = s->item_first[i + 1] - wanted + w;
            if (row != n) {
                memcpy(s->x + n * width, s->x + row * width, width * sizeof(float));
            }
            s->head_rows[n] = run->out + (size_t)w * h->n_vocab;
        }
    }
    return n;
}

static void head(const lf_pass *pass)
{
    const lfm2_model *model = pass->model;
    lf_scratch *s = pass->s;
    uint32_t n = collect_wanted(pass);
    if (n == 0) {
        return;
    }
    lf_lhs_rows lhs;
    lf_lhs_norm_quantize(pass, s->x, model->final_norm, n, lf_format_bit(&model->head), &lhs);
    lf_prefetch_hint_rows(pass, &model->layers[0].in); /* of the next token */
    lf_linear_scatter(pass, &lhs, &model->head, s->head_rows);
}

/* Checks the runs and gives them their rows. */
static int32_t place_runs(const lf_state *workspace, const lf_item *runs, size_t n_items,
                          uint32_t *n_rows)
{
    const lf_scratch *s = &workspace->scratch;
    uint32_t row = 0;
    for (size_t i = 0; i < n_items; i++) {
        if (runs[i].n == 0 || runs[i].n > workspace->n_chunk - row) {
            return lf_fail(LFM2_E_ARGUMENT, "forward.rows",
                           "run %zu: %u tokens after %u; a pass takes %u", i, runs[i].n, row,
                           workspace->n_chunk);
        }
        for (size_t other = 0; other < i; other++) {
            if (runs[other].state == runs[i].state) {
                return lf_fail(LFM2_E_ARGUMENT, "forward.twice",
                               "runs %zu and %zu are of one state", other, i);
            }
        }
        s->item_first[i] = row;
        for (uint32_t t = 0; t < runs[i].n; t++) {
            s->row_item[row++] = (uint32_t)i;
        }
    }
    if (n_items == 0) {
        return lf_fail(LFM2_E_ARGUMENT, "forward.rows", "no runs given");
    }
    s->item_first[n_items] = row;
    *n_rows = row;
    return LFM2_OK;
}

static bool cancelled(const void *ctx)
{
    const lf_pass *pass = ctx;
    for (size_t i = 0; i < pass->n_items; i++) {
        const atomic_int *flag = pass->runs[i].cancel;
        if (flag != NULL && atomic_load_explicit(flag, memory_order_relaxed) != 0) {
            return true;
        }
    }
    return false;
}

/* All of the network; false if it was cancelled. */
typedef struct network {
    lf_pass pass;
    bool complete;
} network;

static void run_network(lf_team *team, void *ctx)
{
    network *net = ctx;
    lf_pass *pass = &net->pass;
    const lfm2_model *model = pass->model;
    const lf_hparams *h = &model->source->hparams;
    pass->team = team;
    lf_pass_parallel(pass, pass->n, (size_t)h->n_embd + (size_t)h->head_dim * 16, embed_body, pass);
    lf_attn_begin(pass);
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

int32_t lf_forward_batch(const lfm2_model *model, lf_state *workspace, const lf_item *runs,
                         size_t n_items)
{
    uint32_t n = 0;
    LF_TRY(place_runs(workspace, runs, n_items, &n));
    network net = {.pass = {.model = model,
                            .runs = runs,
                            .n_items = n_items,
                            .s = &workspace->scratch,
                            .kernels = &model->runtime->kernels,
                            .n = n}};
    lf_sched *sched = &model->runtime->sched;
    LF_TRY(lf_sched_begin(sched, cancelled, &net.pass));
    lf_team_run(sched, n <= LF_FEW_ROWS, run_network, &net);
    lf_sched_end(sched);
    if (!net.complete) {
        return lf_fail(LFM2_E_CANCELLED, "session.cancelled", "cancelled by the caller");
    }
    for (size_t i = 0; i < n_items; i++) {
        runs[i].state->length += runs[i].n;
        runs[i].state->conv_now = 1 - runs[i].state->conv_now;
    }
    return LFM2_OK;
}
