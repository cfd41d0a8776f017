/* SPDX-License-Identifier: Apache-2.0 */
/* Owns the gated short convolution: in-projection, causal filter over u = B * X, out-projection. */
#include "model/forward.h"

#include <string.h>

/* Of few rows threads share the channels, in units of CHANNELS. */
enum { CHANNELS = 128, NS_CHANNEL = 3 };

typedef struct conv_job {
    const lf_pass *pass;
    const lf_layer *layer;
    uint32_t layer_index;
} conv_job;

/* Channels of one run in this layer. */
typedef struct conv_run {
    size_t first, end; /* channels */
    uint32_t n;        /* tokens */
    const float *bcx;  /* [n][3][H] */
    float *out;        /* [n][H] */
    const float *now;  /* [taps - 1][H] history before the pass */
    float *next;       /* the same after it */
} conv_run;

static conv_run open_run(const conv_job *j, uint32_t index, size_t first_channel,
                         size_t end_channel)
{
    const lf_pass *pass = j->pass;
    const lf_item *run = &pass->runs[index];
    size_t width = pass->model->source->hparams.n_embd;
    size_t first = pass->s->item_first[index];
    return (conv_run){.first = first_channel,
                      .end = end_channel,
                      .n = run->n,
                      .bcx = pass->s->mix + first * 3 * width,
                      .out = pass->s->mixed + first * width,
                      .now = lf_state_conv(pass->model, run->state, j->layer_index, false),
                      .next = lf_state_conv(pass->model, run->state, j->layer_index, true)};
}

/* Both [n][H], of the run's channels. */
static void copy_channels(const lf_hparams *h, const conv_run *run, const float *from, size_t n,
                          float *to)
{
    size_t bytes = (run->end - run->first) * sizeof(float);
    for (size_t i = 0; i < n; i++) {
        size_t at = i * h->n_embd + run->first;
        memcpy(to + at, from + at, bytes);
    }
}

/* u of token t of the run (negative: before the pass). */
static const float *history(const lf_hparams *h, const conv_run *run, const float *ring, int64_t t)
{
    int64_t taps = h->conv_kernel;
    if (t < 0) {
        return run->now + (size_t)(taps - 1 + t) * h->n_embd;
    }
    return ring + (size_t)(t % taps) * h->n_embd;
}

/* Returns u of the token. */
static const float *filter_token(const conv_job *j, const conv_run *run, float *ring, int64_t t,
                                 float *out)
{
    const lf_pass *pass = j->pass;
    const lf_hparams *h = &pass->model->source->hparams;
    int64_t taps = h->conv_kernel;
    const float *past[LF_MAX_TAPS];
    for (int64_t i = 0; i < taps - 1; i++) {
        past[i] = history(h, run, ring, t - (taps - 1) + i);
    }
    float *u = ring + (size_t)(t % taps) * h->n_embd;
    pass->kernels->ops.conv(run->first, run->end, h->n_embd, h->conv_kernel,
                            run->bcx + (size_t)t * 3 * h->n_embd, past, j->layer->conv_kernel, u,
                            out);
    return u;
}

/* Tokens [begin, end) of a run. */
static void filter_run(const conv_job *j, const conv_run *run, float *ring, uint32_t begin,
                       uint32_t end)
{
    const lf_hparams *h = &j->pass->model->source->hparams;
    size_t width = h->n_embd;
    size_t rows = (size_t)h->conv_kernel + 2;
    uint32_t kept = h->conv_kernel - 1;
    if (begin == 0 && run->n < kept) { /* shorter than the history: part of the old one stays */
        copy_channels(h, run, run->now + run->n * width, kept - run->n, run->next);
    }
    if (begin > 0) {
        /* The first tokens need the u of tokens that belong to another thread: made again here.
         * What they in turn see as their past does not matter for u. */
        float *unused = ring + (rows - 1) * width;
        memset(ring, 0, rows * width * sizeof(float));
        for (uint32_t t = begin > kept ? begin - kept : 0; t < begin; t++) {
            filter_token(j, run, ring, t, unused);
        }
    }
    for (uint32_t t = begin; t < end; t++) {
        const float *u = filter_token(j, run, ring, t, run->out + t * width);
        if (t + kept >= run->n) {
            copy_channels(h, run, u, 1, run->next + (t + kept - run->n) * width);
        }
    }
}

/* Channels [first_channel, end_channel) of rows [begin, end). */
static void filter(const conv_job *j, uint32_t thread, size_t begin, size_t end,
                   size_t first_channel, size_t end_channel)
{
    const lf_hparams *h = &j->pass->model->source->hparams;
    const lf_scratch *s = j->pass->s;
    float *ring = s->conv_ring + thread * ((size_t)h->conv_kernel + 2) * h->n_embd;
    for (size_t row = begin; row < end;) {
        uint32_t index = s->row_item[row];
        uint32_t first = s->item_first[index];
        conv_run run = open_run(j, index, first_channel, end_channel);
        size_t stop = first + run.n < end ? first + run.n : end;
        filter_run(j, &run, ring, (uint32_t)row - first, (uint32_t)stop - first);
        row = stop;
    }
}

static void filter_rows(void *ctx, uint32_t thread, size_t begin, size_t end)
{
    const conv_job *j = ctx;
    filter(j, thread, begin, end, 0, j->pass->model->source->hparams.n_embd);
}

static void filter_channels(void *ctx, uint32_t thread, size_t begin, size_t end)
{
    const conv_job *j = ctx;
    size_t width = j->pass->model->source->hparams.n_embd;
    size_t stop = end * CHANNELS < width ? end * CHANNELS : width;
    filter(j, thread, 0, j->pass->n, begin * CHANNELS, stop);
}

void lf_block_conv(const lf_pass *pass, uint32_t layer)
{
    const lf_hparams *h = &pass->model->source->hparams;
    const lf_layer *w = &pass->model->layers[layer];
    lf_scratch *s = pass->s;
    size_t width = h->n_embd;
    lf_lhs_rows lhs;
    lf_lhs_norm_quantize(pass, s->x, w->mixer_norm, pass->n, lf_format_bit(&w->in), &lhs);
    lf_prefetch_hint_rows(pass, &w->out);
    lf_linear(pass, &lhs, &w->in, s->mix, 3 * width);

    conv_job j = {pass, w, layer};
    if (pass->n <= LF_FEW_ROWS) {
        size_t units = (width + CHANNELS - 1) / CHANNELS;
        lf_pass_parallel(pass, units, pass->n * CHANNELS * NS_CHANNEL, filter_channels, &j);
    } else {
        lf_pass_parallel(pass, pass->n, width * NS_CHANNEL, filter_rows, &j);
    }

    lf_lhs_quantize(pass, s->mixed, pass->n, width, lf_format_bit(&w->out), &lhs);
    lf_prefetch_hint_rows(pass, lf_ffn_first(w));
    lf_linear_add(pass, &lhs, &w->out, s->x, width);
}
