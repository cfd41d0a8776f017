/* SPDX-License-Identifier: Apache-2.0 */
/* Owns the gated short convolution: in-projection, causal filter over u = B * X, out-projection. */
#include "model/forward.h"

#include <string.h>

typedef struct conv_job {
    const lf_pass *pass;
    const lf_layer *layer;
    const float *now; /* [taps - 1][H] history before the pass */
    float *next;      /* the same after it */
} conv_job;

/* u of token t (from the start of the pass; negative: before it). */
static const float *history(const conv_job *j, const float *ring, int64_t t)
{
    const lf_hparams *h = &j->pass->model->source->hparams;
    int64_t taps = h->conv_kernel;
    if (t < 0) {
        return j->now + (size_t)(taps - 1 + t) * h->n_embd;
    }
    return ring + (size_t)(t % taps) * h->n_embd;
}

/* Returns u of the token. */
static const float *filter_token(const conv_job *j, float *ring, int64_t t, float *out)
{
    const lf_pass *pass = j->pass;
    const lf_hparams *h = &pass->model->source->hparams;
    int64_t taps = h->conv_kernel;
    const float *past[LF_MAX_TAPS];
    for (int64_t i = 0; i < taps - 1; i++) {
        past[i] = history(j, ring, t - (taps - 1) + i);
    }
    float *u = ring + (size_t)(t % taps) * h->n_embd;
    pass->kernels->ops.conv(h->n_embd, h->conv_kernel, pass->s->mix + (size_t)t * 3 * h->n_embd,
                            past, j->layer->conv_kernel, u, out);
    return u;
}

static void filter_body(void *ctx, uint32_t part, size_t begin, size_t end)
{
    const conv_job *j = ctx;
    const lf_hparams *h = &j->pass->model->source->hparams;
    size_t rows = (size_t)h->conv_kernel + 2;
    float *ring = j->pass->s->conv_ring + part * rows * h->n_embd;
    float *unused = ring + (rows - 1) * h->n_embd;
    /* The part's first tokens need the u of tokens that belong to another part: made again here.
     * What they in turn see as their past does not matter for u. */
    memset(ring, 0, rows * h->n_embd * sizeof(float));
    int64_t warm = (int64_t)begin - (h->conv_kernel - 1);
    for (int64_t t = warm > 0 ? warm : 0; t < (int64_t)begin; t++) {
        filter_token(j, ring, t, unused);
    }
    size_t kept = (size_t)h->conv_kernel - 1;
    for (size_t t = begin; t < end; t++) {
        const float *u = filter_token(j, ring, (int64_t)t, j->pass->s->mixed + t * h->n_embd);
        if (t + kept >= j->pass->n) {
            memcpy(j->next + (t + kept - j->pass->n) * h->n_embd, u, h->n_embd * sizeof(float));
        }
    }
}

void lf_block_conv(const lf_pass *pass, uint32_t layer)
{
    const lf_hparams *h = &pass->model->source->hparams;
    const lf_layer *w = &pass->model->layers[layer];
    lf_scratch *s = pass->s;
    size_t width = h->n_embd;
    size_t taps = h->conv_kernel;
    lf_acts acts;
    memcpy(acts.rows, s->acts, sizeof acts.rows);
    lf_norm_rows(pass, s->x, w->mixer_norm, pass->n, width, s->normed);
    lf_acts_make(pass, s->normed, width, pass->n, width, lf_format_bit(&w->in), &acts);
    lf_linear(pass, &acts, &w->in, s->mix, 3 * width);

    conv_job j = {pass, w, lf_state_conv(pass->model, pass->state, layer, false),
                  lf_state_conv(pass->model, pass->state, layer, true)};
    /* A pass shorter than the history keeps part of the old one. */
    if (pass->n < taps - 1) {
        memmove(j.next, j.now + pass->n * width, (taps - 1 - pass->n) * width * sizeof(float));
    }
    lf_pass_parallel(pass, pass->n, width / 2, filter_body, &j);

    lf_acts_make(pass, s->mixed, width, pass->n, width, lf_format_bit(&w->out), &acts);
    lf_linear(pass, &acts, &w->out, s->normed, width);
    lf_add_rows(pass, pass->n, s->normed, s->x);
}
