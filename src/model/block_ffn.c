/* SPDX-License-Identifier: Apache-2.0 */
/* Owns the feed-forward half of a layer, dense or mixture of experts: both are groups of rows that
 * meet a expert of the stacked matrices. */
#include "model/forward.h"

#include <string.h>

/* As in the reference implementation: keeps the division finite when all weights vanish. */
static const float SUM_FLOOR = 1e-6f;

typedef struct ffn_job {
    const lf_pass *pass;
    const lf_layer *layer;
} ffn_job;

/* ---- Routing ---- */

/* The n_used largest of score + bias, ties to the lower index, in increasing index. */
static void choose(const float *score, const float *bias, uint32_t n, uint32_t n_used,
                   uint32_t *chosen)
{
    uint32_t n_chosen = 0; /* kept sorted by value, largest first */
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
    for (size_t t = begin; t < end; t++) {
        float *p = j->pass->s->router + t * h->n_expert;
        j->pass->kernels->ops.sigmoid(h->n_expert, p, p);
        uint32_t chosen[LF_MAX_EXPERTS_USED] = {0};
        choose(p, j->layer->router_bias, h->n_expert, h->n_expert_used, chosen);
        float sum = 0;
        for (uint32_t i = 0; i < h->n_expert_used; i++) {
            sum += p[chosen[i]];
        }
        float scale = h->norm_topk ? h->expert_scale / (sum + SUM_FLOOR) : h->expert_scale;
        lf_route *routes = j->pass->s->routes + t * h->n_expert_used;
        for (uint32_t i = 0; i < h->n_expert_used; i++) {
            routes[i] = (lf_route){(uint32_t)t, chosen[i], p[chosen[i]] * scale};
        }
    }
}

/* Rows in expert order; returns the experts that have any. */
static size_t sort_routes(const lf_pass *pass, lf_group *groups)
{
    const lf_hparams *h = &pass->model->source->hparams;
    lf_scratch *s = pass->s;
    size_t n_routes = (size_t)pass->n * h->n_expert_used;
    memset(s->expert_first, 0, ((size_t)h->n_expert + 1) * sizeof(uint32_t));
    for (size_t i = 0; i < n_routes; i++) {
        s->expert_first[s->routes[i].expert + 1]++;
    }
    size_t n_groups = 0;
    for (uint32_t e = 0; e < h->n_expert; e++) {
        uint32_t n = s->expert_first[e + 1];
        s->expert_first[e + 1] += s->expert_first[e];
        if (n > 0) {
            groups[n_groups++] = (lf_group){e, s->expert_first[e], n};
        }
    }
    for (size_t i = 0; i < n_routes; i++) {
        uint32_t row = s->expert_first[s->routes[i].expert]++;
        s->route_row[i] = row;
        s->row_token[row] = s->routes[i].token;
    }
    return n_groups;
}

/* x += sum over the token's experts, in increasing index, of weight * output. */
static void combine_body(void *ctx, uint32_t thread, size_t begin, size_t end)
{
    (void)thread;
    const ffn_job *j = ctx;
    const lf_hparams *h = &j->pass->model->source->hparams;
    const lf_scratch *s = j->pass->s;
    size_t width = h->n_embd;
    for (size_t t = begin; t < end; t++) {
        float weights[LF_MAX_EXPERTS_USED];
        const float *rows[LF_MAX_EXPERTS_USED];
        for (size_t i = 0; i < h->n_expert_used; i++) {
            size_t route = t * h->n_expert_used + i;
            weights[i] = s->routes[route].weight;
            rows[i] = s->experts_out + s->route_row[route] * width;
        }
        j->pass->kernels->ops.combine(width, h->n_expert_used, weights, rows, s->x + t * width);
    }
}

/* ---- The block ---- */

const lf_packed *lf_ffn_first(const lf_layer *w)
{
    return w->router.gemm != NULL ? &w->router : &w->gate_up;
}

void lf_block_ffn(const lf_pass *pass, uint32_t layer)
{
    const lf_hparams *h = &pass->model->source->hparams;
    const lf_layer *w = &pass->model->layers[layer];
    lf_scratch *s = pass->s;
    size_t width = h->n_embd;
    const lf_packed *next = layer + 1 < h->n_layer ? &w[1].in : &pass->model->head;
    lf_lhs_rows lhs;
    lf_lhs_rows hidden;
    lf_lhs_norm_quantize(pass, s->x, w->ffn_norm, pass->n,
                         lf_format_bit(&w->gate_up) | lf_format_bit(&w->router), &lhs);
    if (w->router.gemm == NULL) {
        lf_group all = {0, 0, pass->n};
        lf_prefetch_hint_rows(pass, &w->down);
        lf_linear_hidden(pass, &lhs, NULL, &all, 1, &w->gate_up, &w->down, &hidden);
        lf_prefetch_hint_rows(pass, next);
        lf_linear_add(pass, &hidden, &w->down, s->x, width);
        return;
    }
    ffn_job j = {pass, w};
    lf_group groups[LF_MAX_EXPERTS];
    lf_prefetch_hint_rows(pass, NULL);
    lf_linear(pass, &lhs, &w->router, s->router, h->n_expert);
    lf_pass_parallel(pass, pass->n, (size_t)h->n_expert * 4, route_body, &j);
    size_t n_groups = sort_routes(pass, groups);
    lf_prefetch_hint(pass, &w->down, groups, n_groups);
    lf_linear_hidden(pass, &lhs, s->row_token, groups, n_groups, &w->gate_up, &w->down, &hidden);
    lf_prefetch_hint_rows(pass, next);
    lf_linear_groups(pass, &hidden, NULL, groups, n_groups, &w->down, s->experts_out, width);
    lf_pass_parallel(pass, pass->n, width, combine_body, &j);
}
