/* SPDX-License-Identifier: Apache-2.0 */
/* Owns the order of the network: embedding, layers, head. */
#include "model/forward.h"

#include <math.h>
#include <string.h>

typedef struct rows_job {
    const lf_pass *pass;
    const int32_t *ids;
    const float *x;
    float *y;
} rows_job;

static void embed_body(void *ctx, uint32_t part, size_t begin, size_t end)
{
    (void)part;
    const rows_job *j = ctx;
    size_t width = j->pass->model->source->hparams.n_embd;
    for (size_t i = begin; i < end; i++) {
        lf_model_embed(j->pass->model, j->ids[i], j->y + i * width);
    }
}

static void add_body(void *ctx, uint32_t part, size_t begin, size_t end)
{
    (void)part;
    const rows_job *j = ctx;
    size_t width = j->pass->model->source->hparams.n_embd;
    j->pass->kernels->ops.add((end - begin) * width, j->x + begin * width, j->y + begin * width);
}

void lf_add_rows(const lf_pass *pass, uint32_t n, const float *x, float *y)
{
    rows_job j = {pass, NULL, x, y};
    lf_pass_parallel(pass, n, pass->model->source->hparams.n_embd / 8, add_body, &j);
}

/* cos and sin of every position of the pass. The angle is an f32 product, as in the reference
 * implementation: at long positions its rounding shows in the logits. */
static void rope_angles(const lf_pass *pass)
{
    size_t half = pass->model->source->hparams.head_dim / 2;
    for (uint32_t t = 0; t < pass->n; t++) {
        float *row = pass->s->rope + t * 2 * half;
        for (size_t i = 0; i < half; i++) {
            float angle = (float)(pass->start + t) * pass->model->rope_freq[i];
            row[i] = (float)cos((double)angle);
            row[half + i] = (float)sin((double)angle);
        }
    }
}

/* Entering a KV block clears it: kernels read whole blocks, also where nothing was written yet. */
static void clear_new_blocks(const lf_pass *pass)
{
    const lf_hparams *h = &pass->model->source->hparams;
    size_t bytes = (size_t)LF_ATTN_BLOCK * h->head_dim * pass->state->kv_item;
    uint32_t first = (pass->start + LF_ATTN_BLOCK - 1) / LF_ATTN_BLOCK;
    uint32_t end = (pass->start + pass->n + LF_ATTN_BLOCK - 1) / LF_ATTN_BLOCK;
    for (uint32_t l = 0; l < h->n_layer; l++) {
        for (uint32_t head = 0; head < h->n_head_kv[l]; head++) {
            for (uint32_t b = first; b < end; b++) {
                memset(lf_state_block(pass->model, pass->state, pass->state->k[l], head, b), 0,
                       bytes);
                memset(lf_state_block(pass->model, pass->state, pass->state->v[l], head, b), 0,
                       bytes);
            }
        }
    }
}

static void head(const lf_pass *pass, lf_logits wanted, float *out)
{
    const lfm2_model *model = pass->model;
    const lf_hparams *h = &model->source->hparams;
    uint32_t n = wanted == LF_LOGITS_ALL ? pass->n : 1;
    const float *x = pass->s->x + (size_t)(pass->n - n) * h->n_embd;
    lf_norm_rows(pass, x, model->final_norm, n, h->n_embd, pass->s->normed);
    lf_acts acts;
    memcpy(acts.rows, pass->s->acts, sizeof acts.rows);
    lf_acts_make(pass, pass->s->normed, h->n_embd, n, h->n_embd, lf_format_bit(&model->head),
                 &acts);
    lf_linear(pass, &acts, &model->head, out, h->n_vocab);
}

int32_t lf_forward(const lfm2_model *model, lf_state *state, const int32_t *ids, uint32_t n,
                   lf_logits wanted, float *out, const atomic_int *cancel)
{
    const lf_hparams *h = &model->source->hparams;
    lf_pass pass = {.model = model,
                    .state = state,
                    .s = &state->scratch,
                    .kernels = &model->runtime->kernels,
                    .sched = &model->runtime->sched,
                    .n = n,
                    .start = state->length};
    rows_job embed = {&pass, ids, NULL, pass.s->x};
    lf_pass_parallel(&pass, n, h->n_embd, embed_body, &embed);
    rope_angles(&pass);
    clear_new_blocks(&pass);
    for (uint32_t l = 0; l < h->n_layer; l++) {
        if (cancel != NULL && atomic_load_explicit(cancel, memory_order_relaxed) != 0) {
            return lf_fail(LFM2_E_CANCELLED, "session.cancelled", "cancelled by the caller");
        }
        if (h->n_head_kv[l] != 0) {
            lf_block_attn(&pass, l);
        } else {
            lf_block_conv(&pass, l);
        }
        lf_block_ffn(&pass, l);
    }
    if (wanted != LF_LOGITS_NONE) {
        head(&pass, wanted, out);
    }
    state->length += n;
    state->conv_now = 1 - state->conv_now;
    return LFM2_OK;
}
