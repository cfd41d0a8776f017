/* SPDX-License-Identifier: Apache-2.0 */
/* Implements the gated short convolution: in-projection, causal filter over u = B * X,
 * out-projection. */
#include "model/block_conv.h"

#include "model/workspace.h"

#include <string.h>

/* In short passes each thread takes a range of channels, in units of CHANNELS. */
enum { CHANNELS = 128, NS_CHANNEL = 3 };

void lf_conv_carve(const lfm2_model *model, const lf_limits *limits, lf_carver *c,
                   lf_conv_memory *out)
{
    const lf_hparams *h = &model->source->hparams;
    size_t width = h->n_embd;
    size_t ring_rows = model->runtime->sched.n_threads * ((size_t)h->conv_kernel + 2);
    out->bcx = lf_carve(c, limits->rows * 3 * width, sizeof(float));
    out->out = lf_carve(c, limits->rows * width, sizeof(float));
    out->ring = lf_carve(c, ring_rows * width, sizeof(float));
}

typedef struct conv_job {
    const lf_pass *pass;
    const lf_layer *layer;
    uint32_t layer_index;
} conv_job;

/* A range of channels of one item in this layer. */
typedef struct conv_item {
    size_t first, end; /* channels */
    uint32_t n;        /* tokens */
    const float *bcx;  /* [n][3][H] */
    float *out;        /* [n][H] */
    const float *now;  /* [taps - 1][H] history before the pass */
    float *next;       /* the same after it */
    float *gated;      /* [n][H] receives all u, or NULL */
} conv_item;

static conv_item open_item(const conv_job *j, uint32_t index, size_t first_channel,
                           size_t end_channel)
{
    const lf_pass *pass = j->pass;
    const lf_conv_memory *m = &pass->workspace->conv;
    const lf_item *item = pass->items[index];
    size_t width = pass->model->source->hparams.n_embd;
    size_t first = pass->shared->item_first[index];
    size_t conv_index = pass->model->layers[j->layer_index].conv_index;
    return (conv_item){.first = first_channel,
                       .end = end_channel,
                       .n = item->n,
                       .bcx = m->bcx + first * 3 * width,
                       .out = m->out + first * width,
                       .now = lf_state_conv(pass->model, item->state, j->layer_index, false),
                       .next = lf_state_conv(pass->model, item->state, j->layer_index, true),
                       .gated =
                           item->gated == NULL ? NULL : item->gated + conv_index * item->n * width};
}

/* Copies the item's channels of n rows of H floats. */
static void copy_channels(const lf_hparams *h, const conv_item *item, const float *from, size_t n,
                          float *to)
{
    size_t bytes = (item->end - item->first) * sizeof(float);
    for (size_t i = 0; i < n; i++) {
        size_t at = i * h->n_embd + item->first;
        memcpy(to + at, from + at, bytes);
    }
}

/* u of token t of the item (negative: before the pass). */
static const float *history(const lf_hparams *h, const conv_item *item, const float *ring,
                            int64_t t)
{
    int64_t taps = h->conv_kernel;
    if (t < 0) {
        return item->now + (size_t)(taps - 1 + t) * h->n_embd;
    }
    return ring + (size_t)(t % taps) * h->n_embd;
}

/* Filters token t into `out`; returns its u. */
static const float *filter_token(const conv_job *j, const conv_item *item, float *ring, int64_t t,
                                 float *out)
{
    const lf_pass *pass = j->pass;
    const lf_hparams *h = &pass->model->source->hparams;
    int64_t taps = h->conv_kernel;
    const float *past[LF_MAX_TAPS];
    for (int64_t i = 0; i < taps - 1; i++) {
        past[i] = history(h, item, ring, t - (taps - 1) + i);
    }
    float *u = ring + (size_t)(t % taps) * h->n_embd;
    pass->kernels->ops.conv(item->first, item->end, h->n_embd, h->conv_kernel,
                            item->bcx + (size_t)t * 3 * h->n_embd, past, j->layer->conv_kernel, u,
                            out);
    return u;
}

/* Tokens [begin, end) of an item. */
static void filter_item(const conv_job *j, const conv_item *item, float *ring, uint32_t begin,
                        uint32_t end)
{
    const lf_hparams *h = &j->pass->model->source->hparams;
    size_t width = h->n_embd;
    size_t rows = (size_t)h->conv_kernel + 2;
    uint32_t kept = h->conv_kernel - 1;
    if (begin == 0 && item->n < kept) { /* the newest of the old history stays */
        copy_channels(h, item, item->now + item->n * width, kept - item->n, item->next);
    }
    if (begin > 0) {
        /* The first tokens need the u of tokens in another thread's range: compute them again.
         * Their own past does not influence u. */
        float *unused = ring + (rows - 1) * width;
        memset(ring, 0, rows * width * sizeof(float));
        for (uint32_t t = begin > kept ? begin - kept : 0; t < begin; t++) {
            filter_token(j, item, ring, t, unused);
        }
    }
    for (uint32_t t = begin; t < end; t++) {
        const float *u = filter_token(j, item, ring, t, item->out + t * width);
        if (item->gated != NULL) {
            copy_channels(h, item, u, 1, item->gated + t * width);
        }
        if (t + kept >= item->n) {
            copy_channels(h, item, u, 1, item->next + (t + kept - item->n) * width);
        }
    }
}

/* Channels [first_channel, end_channel) of rows [begin, end). */
static void filter(const conv_job *j, uint32_t thread, size_t begin, size_t end,
                   size_t first_channel, size_t end_channel)
{
    const lf_hparams *h = &j->pass->model->source->hparams;
    const lf_pass_memory *rows = j->pass->shared;
    float *ring = j->pass->workspace->conv.ring + thread * ((size_t)h->conv_kernel + 2) * h->n_embd;
    for (size_t row = begin; row < end;) {
        uint32_t index = rows->row_item[row];
        uint32_t first = rows->item_first[index];
        conv_item item = open_item(j, index, first_channel, end_channel);
        size_t stop = first + item.n < end ? first + item.n : end;
        filter_item(j, &item, ring, (uint32_t)row - first, (uint32_t)stop - first);
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

int32_t lf_block_conv(const lf_pass *pass, uint32_t layer)
{
    const lf_hparams *h = &pass->model->source->hparams;
    const lf_layer *w = &pass->model->layers[layer];
    const lf_conv_memory *m = &pass->workspace->conv;
    float *x = pass->shared->x;
    size_t width = h->n_embd;
    lf_lhs_rows lhs;
    lf_lhs_norm_quantize(pass, x, w->mixer_norm, pass->n, lf_format_bit(&w->in), &lhs);
    lf_prefetch_hint_rows(pass, &w->out);
    lf_linear(pass, &lhs, &w->in, m->bcx, 3 * width);

    conv_job j = {pass, w, layer};
    if (pass->n <= LF_FEW_ROWS) {
        size_t units = (width + CHANNELS - 1) / CHANNELS;
        lf_pass_parallel(pass, units, pass->n * CHANNELS * NS_CHANNEL, filter_channels, &j);
    } else {
        lf_pass_parallel(pass, pass->n, width * NS_CHANNEL, filter_rows, &j);
    }

    lf_lhs_quantize(pass, m->out, pass->n, width, lf_format_bit(&w->out), &lhs);
    lf_prefetch_hint_rows(pass, lf_ffn_first(w));
    lf_linear_add(pass, &lhs, &w->out, x, width);
    return LFM2_OK;
}
