/* SPDX-License-Identifier: Apache-2.0 */
/* Shapes of synthetic models: hyperparameters, tensors, and the distribution of their weights.
 *
 * Matrices have a standard deviation of 1 / sqrt(inputs). Those that write to the residual stream
 * are scaled so that all layers together add about as much variance as the embedding. With less,
 * the layers would not affect the output; with more, a deep random network is chaotic and amplifies
 * rounding errors. The final norm has random signs because a tied head would otherwise always
 * predict the input token. */
#include "convert/rule.h"

#include <stdio.h>
#include <string.h>

enum { PER_LAYER = 13, OUTSIDE = 2, NAME_BYTES = 48 };

typedef struct shape {
    const char *name, *title;
    uint64_t attention; /* bit i: layer i is an attention layer */
    uint32_t n_embd, n_layer, n_head, head_kv, n_ff, n_vocab;
    uint32_t n_dense, n_expert, n_expert_used, n_ff_expert; /* n_expert 0: a dense model */
    float rope_theta;                                       /* 0: 1e6 */
    uint32_t n_ctx;                                         /* 0: 128000 */
} shape;

#define L(i) ((uint64_t)1 << (i))

/* Inferred: which layers are attention layers in lfm2-24b-a2b (10 of 40; here every fourth from
 * layer 2 on), lfm2.5-230m (6 of 14; here every second from layer 2 on) and lfm2-700m (as in
 * lfm2-350m). tiny: every type of layer, two KV heads, and experts whose width is not a multiple
 * of 64. */
static const shape shapes[] = {
    {"lfm2-8b-a1b", "LFM2 8B A1B synthetic", L(2) | L(6) | L(10) | L(14) | L(18) | L(21), 2048, 24,
     32, 8, 7168, 65536, 2, 32, 4, 1792, 0, 0},
    {"lfm2-24b-a2b", "LFM2 24B A2B synthetic",
     L(2) | L(6) | L(10) | L(14) | L(18) | L(22) | L(26) | L(30) | L(34) | L(38), 2048, 40, 32, 8,
     11776, 65536, 2, 64, 4, 1536, 0, 0},
    {"lfm2-350m", "LFM2 350M synthetic", L(2) | L(5) | L(8) | L(10) | L(12) | L(14), 1024, 16, 16,
     8, 4608, 65536, 16, 0, 0, 0, 0, 0},
    {"lfm2-1.2b", "LFM2 1.2B synthetic", L(2) | L(5) | L(8) | L(10) | L(12) | L(14), 2048, 16, 32,
     8, 8192, 65536, 16, 0, 0, 0, 0, 0},
    {"lfm2-700m", "LFM2 700M synthetic", L(2) | L(5) | L(8) | L(10) | L(12) | L(14), 1536, 16, 24,
     8, 6912, 65536, 16, 0, 0, 0, 0, 0},
    {"lfm2-2.6b", "LFM2 2.6B synthetic", L(2) | L(5) | L(9) | L(13) | L(17) | L(21) | L(24) | L(27),
     2048, 30, 32, 8, 10752, 65536, 30, 0, 0, 0, 0, 0},
    {"lfm2.5-230m", "LFM2.5 230M synthetic", L(2) | L(4) | L(6) | L(8) | L(10) | L(12), 1024, 14,
     16, 8, 2560, 65536, 14, 0, 0, 0, 0, 0},
    {"lfm2.5-2.6b", "LFM2.5 2.6B synthetic",
     L(2) | L(5) | L(9) | L(13) | L(17) | L(21) | L(24) | L(27), 2048, 30, 32, 8, 10752, 128000, 30,
     0, 0, 0, 1e7f, 131072},
    {"lfm2.5-8b-a1b", "LFM2.5 8B A1B synthetic", L(2) | L(6) | L(10) | L(14) | L(18) | L(21), 2048,
     24, 32, 8, 7168, 128000, 2, 32, 4, 1792, 5e6f, 0},
    {"tiny", "LFM2 tiny synthetic", L(2) | L(5), 256, 6, 4, 2, 512, 2048, 2, 16, 4, 96, 0, 0},
};

/* Factors for the standard deviation; with 1 a matrix preserves the variance of its input. */
static const float logit_deviation = 3.0f;
static const float router_gain = 1.5f;
static const float bias_deviation = 0.05f;
static const float norm_deviation = 0.1f;
static const float qk_norm_mean = 1.2f;
/* Gains that give each type of block the same output variance: attention averages over tokens, the
 * feed-forward gates halve, and four experts with weights near 1/4 average. */
static const float attention_gain = 2.0f;
static const float conv_gain = 1.0f;
static const float dense_gain = 1.7f;
static const float expert_gain = 3.3f;

/* Square root by Newton's method: only IEEE additions and divisions, the same on every machine. */
static float root(double x)
{
    double r = x > 1.0 ? x : 1.0;
    for (int i = 0; i < 64; i++) {
        r = 0.5 * (r + x / r);
    }
    return (float)r;
}

static int32_t find_shape(const char *name, const shape **out)
{
    for (size_t i = 0; i < sizeof shapes / sizeof shapes[0]; i++) {
        if (strcmp(shapes[i].name, name) == 0) {
            *out = &shapes[i];
            return LFM2_OK;
        }
    }
    return lf_fail(LFM2_E_ARGUMENT, "synth.shape",
                   "shape '%s' is unknown; allowed: lfm2-350m, lfm2-700m, lfm2-1.2b, lfm2-2.6b, "
                   "lfm2-8b-a1b, lfm2-24b-a2b, lfm2.5-230m, lfm2.5-2.6b, lfm2.5-8b-a1b and tiny",
                   name);
}

static void fill_hparams(const shape *s, lf_hparams *h)
{
    *h = (lf_hparams){.arch = s->n_expert > 0 ? LF_ARCH_LFM2MOE : LF_ARCH_LFM2,
                      .n_vocab = s->n_vocab,
                      .n_embd = s->n_embd,
                      .n_layer = s->n_layer,
                      .n_head = s->n_head,
                      .head_dim = s->n_embd / s->n_head,
                      .n_ff = s->n_ff,
                      .n_dense = s->n_dense,
                      .n_expert = s->n_expert,
                      .n_expert_used = s->n_expert_used,
                      .n_ff_expert = s->n_ff_expert,
                      .conv_kernel = 3,
                      .n_ctx_train = s->n_ctx > 0 ? s->n_ctx : 128000,
                      .norm_eps = 1e-5f,
                      .rope_theta = s->rope_theta > 0 ? s->rope_theta : 1e6f,
                      .expert_scale = 1.0f,
                      .norm_topk = true,
                      .expert_bias = s->n_expert > 0,
                      .tied = true};
    for (uint32_t i = 0; i < s->n_layer; i++) {
        h->n_head_kv[i] = (s->attention >> i & 1) != 0 ? s->head_kv : 0;
    }
}

/* ---- The list of tensors ---- */

typedef struct list {
    lf_arena *arena;
    lf_synth_model *model;
    lf_synth_fill *fills; /* [n_tensors], as model->tensors before sorting */
    lf_rule rule;
    float residual; /* scale of matrices that write to the residual stream */
    int layer;      /* -1 outside the layers */
} list;

/* Adds a tensor [n2][n1][n0], n0 contiguous; unused dimensions are 0. */
static int32_t add(list *l, const char *name, uint32_t n0, uint32_t n1, uint32_t n2,
                   lf_synth_fill fill)
{
    char full[NAME_BYTES];
    int len = l->layer >= 0 ? snprintf(full, sizeof full, "blk.%d.%s", l->layer, name)
                            : snprintf(full, sizeof full, "%s", name);
    lf_out_tensor *t = &l->model->tensors[l->model->n_tensors];
    LF_TRY(lf_arena_string(l->arena, full, (size_t)len, &t->name));
    t->n_dims = n2 > 0 ? 3 : n1 > 0 ? 2 : 1;
    t->ne[0] = n0;
    t->ne[1] = n1 > 0 ? n1 : 1;
    t->ne[2] = n2 > 0 ? n2 : 1;
    t->ne[3] = 1;
    t->type = lf_rule_type(&l->rule, t->name, t->n_dims, n0);
    l->fills[l->model->n_tensors] = fill;
    t->fill = &l->fills[l->model->n_tensors];
    l->model->n_tensors++;
    return LFM2_OK;
}

/* A matrix (or n2 of them) of n1 outputs and n0 inputs. */
static int32_t matrix(list *l, const char *name, uint32_t n0, uint32_t n1, uint32_t n2, float gain)
{
    return add(l, name, n0, n1, n2, (lf_synth_fill){0.0f, gain / root(n0), false});
}

static int32_t norm(list *l, const char *name, uint32_t n, float mean, bool signs)
{
    return add(l, name, n, 0, 0, (lf_synth_fill){mean, mean * norm_deviation, signs});
}

static int32_t mixer(list *l, const lf_hparams *h)
{
    uint32_t width = h->n_head * h->head_dim;
    uint32_t width_kv = h->n_head_kv[l->layer] * h->head_dim;
    LF_TRY(norm(l, "attn_norm.weight", h->n_embd, 1.0f, false));
    if (width_kv == 0) {
        LF_TRY(matrix(l, "shortconv.conv.weight", h->conv_kernel, h->n_embd, 0, 1.0f));
        LF_TRY(matrix(l, "shortconv.in_proj.weight", h->n_embd, 3 * h->n_embd, 0, 1.0f));
        return matrix(l, "shortconv.out_proj.weight", h->n_embd, h->n_embd, 0,
                      conv_gain * l->residual);
    }
    LF_TRY(matrix(l, "attn_q.weight", h->n_embd, width, 0, 1.0f));
    LF_TRY(matrix(l, "attn_k.weight", h->n_embd, width_kv, 0, 1.0f));
    LF_TRY(matrix(l, "attn_v.weight", h->n_embd, width_kv, 0, 1.0f));
    LF_TRY(norm(l, "attn_q_norm.weight", h->head_dim, qk_norm_mean, false));
    LF_TRY(norm(l, "attn_k_norm.weight", h->head_dim, qk_norm_mean, false));
    return matrix(l, "attn_output.weight", width, h->n_embd, 0, attention_gain * l->residual);
}

static int32_t feed_forward(list *l, const lf_hparams *h)
{
    LF_TRY(norm(l, "ffn_norm.weight", h->n_embd, 1.0f, false));
    if ((uint32_t)l->layer < h->n_dense) {
        LF_TRY(matrix(l, "ffn_gate.weight", h->n_embd, h->n_ff, 0, 1.0f));
        LF_TRY(matrix(l, "ffn_up.weight", h->n_embd, h->n_ff, 0, 1.0f));
        return matrix(l, "ffn_down.weight", h->n_ff, h->n_embd, 0, dense_gain * l->residual);
    }
    uint32_t wide = h->n_ff_expert;
    uint32_t n = h->n_expert;
    LF_TRY(matrix(l, "ffn_gate_inp.weight", h->n_embd, n, 0, router_gain));
    LF_TRY(add(l, "exp_probs_b.bias", n, 0, 0, (lf_synth_fill){0.0f, bias_deviation, false}));
    LF_TRY(matrix(l, "ffn_gate_exps.weight", h->n_embd, wide, n, 1.0f));
    LF_TRY(matrix(l, "ffn_up_exps.weight", h->n_embd, wide, n, 1.0f));
    return matrix(l, "ffn_down_exps.weight", wide, h->n_embd, n, expert_gain * l->residual);
}

int32_t lf_synth_model_of(lf_arena *arena, const char *name, const lf_preset *preset,
                          lf_synth_model *out)
{
    const shape *s = NULL;
    LF_TRY(find_shape(name, &s));
    *out = (lf_synth_model){.title = s->title};
    fill_hparams(s, &out->hparams);
    const lf_hparams *h = &out->hparams;
    LF_TRY(lf_hparams_check(h, s->title));

    size_t most = OUTSIDE + (size_t)PER_LAYER * h->n_layer;
    void *p = NULL;
    LF_TRY(lf_arena_new(arena, most, sizeof *out->tensors, "tensors", &p));
    out->tensors = p;
    memset(p, 0, most * sizeof *out->tensors);
    LF_TRY(lf_arena_new(arena, most, sizeof(lf_synth_fill), "tensor values", &p));

    float embed = logit_deviation / root(h->n_embd);
    list l = {.arena = arena,
              .model = out,
              .fills = p,
              .rule = {.preset = preset, .hparams = h, .tied = true},
              .residual = embed / root(2.0 * h->n_layer),
              .layer = -1};
    lf_rule_count(&l.rule);
    LF_TRY(matrix(&l, "token_embd.weight", h->n_embd, h->n_vocab, 0, logit_deviation));
    LF_TRY(norm(&l, "token_embd_norm.weight", h->n_embd, 1.0f, true));
    for (l.layer = 0; l.layer < (int)h->n_layer; l.layer++) {
        LF_TRY(mixer(&l, h));
        LF_TRY(feed_forward(&l, h));
    }
    lf_rule_sort(out->tensors, out->n_tensors);
    return LFM2_OK;
}
