/* SPDX-License-Identifier: Apache-2.0 */
/* Implements the feed-forward half of a layer: routing, and products of groups of rows. A dense
 * layer is one group with expert 0. */
#include "model/block_ffn.h"

#include "model/workspace.h"

#include <string.h>

/* Added as in the reference implementation; keeps the quotient finite when all weights are 0. */
static const float SUM_EPSILON = 1e-6f;

typedef struct ffn_job {
    const lf_pass *pass;
    const lf_layer *layer;
} ffn_job;

void lf_ffn_carve(const lfm2_model *model, const lf_limits *limits, lf_carver *c,
                  lf_ffn_memory *out)
{
    const lf_hparams *h = &model->source->hparams;
    size_t t = limits->rows;
    size_t r = t * lf_max_size(1, h->n_expert_used);
    out->experts_out = lf_carve(c, h->n_expert > 0 ? r * h->n_embd : 0, sizeof(float));
    out->router = lf_carve(c, t * h->n_expert, sizeof(float));
    out->routes = lf_carve(c, r, sizeof(lf_route));
    out->route_row = lf_carve(c, r, sizeof(uint32_t));
    out->row_token = lf_carve(c, r, sizeof(uint32_t));
    out->expert_first = lf_carve(c, (size_t)h->n_expert + 1, sizeof(uint32_t));
}

/* ---- Routing ---- */

/* The n_used largest of score + bias, in increasing index; the lower index wins a tie. */
static void choose(const float *score, const float *bias, uint32_t n, uint32_t n_used,
                   uint32_t *chosen)
{
    uint32_t n_chosen = 0; /* sorted by value, largest first */
    float value[LF_MAX_EXPERTS_USED];
    for (uint32_t e = 0; e < n; e++) {
        float v = bias != NULL ? score[e] + bias[e] : score[e];
        uint32_t at = n_chosen;
        while (at > 0 && v > value[at - 1]) {
            at--;
        }
        if (at == n_used) {
            continue;
        }
        uint32_t last = n_chosen < n_used ? n_chosen++ : n_used - 1;
        for (uint32_t i = last; i > at; i--) {
            value[i] = value[i - 1];
            chosen[i] = chosen[i - 1];
        }
        value[at] = v;
        chosen[at] = e;
    }
    for (uint32_t i = 1; i < n_used; i++) { /* insertion sort by index */
        uint32_t e = chosen[i];
        uint32_t at = i;
        for (; at > 0 && chosen[at - 1] > e; at--) {
            chosen[at] = chosen[at - 1];
        }
        chosen[at] = e;
    }
}

static void route_body(void *ctx, uint32_t thread, size_t begin, size_t end)
{
    (void)thread;
    const ffn_job *j = ctx;
    const lf_hparams *h = &j->pass->model->source->hparams;
    const lf_ffn_memory *m = &j->pass->workspace->ffn;
    for (size_t t = begin; t < end; t++) {
        float *p = m->router + t * h->n_expert;
        j->pass->kernels->ops.sigmoid(h->n_expert, p, p);
        uint32_t chosen[LF_MAX_EXPERTS_USED] = {0};
        choose(p, j->layer->router_bias, h->n_expert, h->n_expert_used, chosen);
        float sum = 0;
        for (uint32_t i = 0; i < h->n_expert_used; i++) {
            sum += p[chosen[i]];
        }
        float scale = h->norm_topk ? h->expert_scale / (sum + SUM_EPSILON) : h->expert_scale;
        lf_route *routes = m->routes + t * h->n_expert_used;
        for (uint32_t i = 0; i < h->n_expert_used; i++) {
            routes[i] = (lf_route){(uint32_t)t, chosen[i], p[chosen[i]] * scale};
        }
    }
}

/* Orders rows by expert, with a counting sort; returns the number of groups. */
static size_t sort_routes(const lf_pass *pass, lf_group *groups)
{
    const lf_hparams *h = &pass->model->source->hparams;
    const lf_ffn_memory *m = &pass->workspace->ffn;
    size_t n_routes = (size_t)pass->n * h->n_expert_used;
    memset(m->expert_first, 0, ((size_t)h->n_expert + 1) * sizeof(uint32_t));
    for (size_t i = 0; i < n_routes; i++) {
        m->expert_first[m->routes[i].expert + 1]++;
    }
    size_t n_groups = 0;
    for (uint32_t e = 0; e < h->n_expert; e++) {
        uint32_t n = m->expert_first[e + 1];
        m->expert_first[e + 1] += m->expert_first[e];
        if (n > 0) {
            groups[n_groups++] = (lf_group){e, m->expert_first[e], n};
        }
    }
    for (size_t i = 0; i < n_routes; i++) {
        uint32_t row = m->expert_first[m->routes[i].expert]++;
        m->route_row[i] = row;
        m->row_token[row] = m->routes[i].token;
    }
    return n_groups;
}

/* x += sum over the token's experts, in increasing index, of weight * output. */
static void combine_body(void *ctx, uint32_t thread, size_t begin, size_t end)
{
    (void)thread;
    const ffn_job *j = ctx;
    const lf_hparams *h = &j->pass->model->source->hparams;
    const lf_ffn_memory *m = &j->pass->workspace->ffn;
    float *x = j->pass->shared->x;
    size_t width = h->n_embd;
    for (size_t t = begin; t < end; t++) {
        float weights[LF_MAX_EXPERTS_USED];
        const float *rows[LF_MAX_EXPERTS_USED];
        for (size_t i = 0; i < h->n_expert_used; i++) {
            size_t route = t * h->n_expert_used + i;
            weights[i] = m->routes[route].weight;
            rows[i] = m->experts_out + m->route_row[route] * width;
        }
        j->pass->kernels->ops.combine(width, h->n_expert_used, weights, rows, x + t * width);
    }
}

/* ---- The block ---- */

const lf_packed *lf_ffn_first(const lf_layer *w)
{
    return w->router.gemm != NULL ? &w->router : &w->gate_up;
}

int32_t lf_block_ffn(const lf_pass *pass, uint32_t layer)
{
    const lf_hparams *h = &pass->model->source->hparams;
    const lf_layer *w = &pass->model->layers[layer];
    const lf_ffn_memory *m = &pass->workspace->ffn;
    float *x = pass->shared->x;
    size_t width = h->n_embd;
    const lf_packed *next = layer + 1 < h->n_layer ? &w[1].in : &pass->model->head;
    lf_lhs_rows lhs;
    lf_lhs_rows hidden;
    lf_lhs_norm_quantize(pass, x, w->ffn_norm, pass->n,
                         lf_format_bit(&w->gate_up) | lf_format_bit(&w->router), &lhs);
    if (w->router.gemm == NULL) {
        lf_group all = {0, 0, pass->n};
        lf_prefetch_hint_rows(pass, &w->down);
        lf_linear_hidden(pass, &lhs, NULL, &all, 1, &w->gate_up, &w->down, &hidden);
        lf_prefetch_hint_rows(pass, next);
        lf_linear_add(pass, &hidden, &w->down, x, width);
        return LFM2_OK;
    }
    ffn_job j = {pass, w};
    lf_group groups[LF_MAX_EXPERTS];
    lf_prefetch_hint_rows(pass, NULL);
    lf_linear(pass, &lhs, &w->router, m->router, h->n_expert);
    lf_pass_parallel(pass, pass->n, (size_t)h->n_expert * 4, route_body, &j);
    size_t n_groups = sort_routes(pass, groups);
    lf_prefetch_hint(pass, &w->down, groups, n_groups);
    lf_linear_hidden(pass, &lhs, m->row_token, groups, n_groups, &w->gate_up, &w->down, &hidden);
    lf_prefetch_hint_rows(pass, next);
    lf_linear_groups(pass, &hidden, NULL, groups, n_groups, &w->down, m->experts_out, width);
    lf_pass_parallel(pass, pass->n, width, combine_body, &j);
    return LFM2_OK;
}
