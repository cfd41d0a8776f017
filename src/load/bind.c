/* SPDX-License-Identifier: Apache-2.0 */
/* Names, shapes and allowed types of the tensors of both architectures, in one table. */
#include "load/bind.h"

#include "load/hf.h"

#include <stdio.h>
#include <string.h>

/* The dimensions that occur in shapes. */
typedef enum {
    NONE,
    WIDTH,
    WIDTH_3,
    HEADS,
    HEADS_KV,
    HEAD,
    TAPS,
    FF,
    FF_EXPERT,
    EXPERTS
} dimension;

/* The layers that have a tensor. */
typedef enum { EVERY, CONV, ATTENTION, DENSE, MOE, MOE_BIAS } layers_with;

typedef struct layer_tensor {
    const char *name; /* after "blk.N." */
    size_t offset;    /* of the field in lf_layer_weights */
    layers_with with;
    bool float_only; /* quantized types are not allowed */
    dimension ne[3]; /* ne[0] contiguous */
} layer_tensor;

#define FIELD(name) offsetof(lf_layer_weights, name)

static const layer_tensor layer_tensors[] = {
    {"attn_norm.weight", FIELD(mixer_norm), EVERY, true, {WIDTH}},
    {"ffn_norm.weight", FIELD(ffn_norm), EVERY, true, {WIDTH}},
    {"shortconv.in_proj.weight", FIELD(conv_in), CONV, false, {WIDTH, WIDTH_3}},
    {"shortconv.conv.weight", FIELD(conv_kernel), CONV, true, {TAPS, WIDTH}},
    {"shortconv.out_proj.weight", FIELD(conv_out), CONV, false, {WIDTH, WIDTH}},
    {"attn_q.weight", FIELD(q), ATTENTION, false, {WIDTH, HEADS}},
    {"attn_k.weight", FIELD(k), ATTENTION, false, {WIDTH, HEADS_KV}},
    {"attn_v.weight", FIELD(v), ATTENTION, false, {WIDTH, HEADS_KV}},
    {"attn_q_norm.weight", FIELD(q_norm), ATTENTION, true, {HEAD}},
    {"attn_k_norm.weight", FIELD(k_norm), ATTENTION, true, {HEAD}},
    {"attn_output.weight", FIELD(o), ATTENTION, false, {HEADS, WIDTH}},
    {"ffn_gate.weight", FIELD(gate), DENSE, false, {WIDTH, FF}},
    {"ffn_up.weight", FIELD(up), DENSE, false, {WIDTH, FF}},
    {"ffn_down.weight", FIELD(down), DENSE, false, {FF, WIDTH}},
    {"ffn_gate_exps.weight", FIELD(gate), MOE, false, {WIDTH, FF_EXPERT, EXPERTS}},
    {"ffn_up_exps.weight", FIELD(up), MOE, false, {WIDTH, FF_EXPERT, EXPERTS}},
    {"ffn_down_exps.weight", FIELD(down), MOE, false, {FF_EXPERT, WIDTH, EXPERTS}},
    {"ffn_gate_inp.weight", FIELD(router), MOE, false, {WIDTH, EXPERTS}},
    {"exp_probs_b.bias", FIELD(router_bias), MOE_BIAS, true, {EXPERTS}},
};

typedef struct binder {
    const lf_source *source;
    uint8_t *bound; /* [n_tensors]: 1 if the architecture uses the tensor */
} binder;

static uint64_t dimension_value(const lf_hparams *h, uint32_t layer, dimension d)
{
    switch (d) {
    case WIDTH:
        return h->n_embd;
    case WIDTH_3:
        return (uint64_t)h->n_embd * 3;
    case HEADS:
        return (uint64_t)h->n_head * h->head_dim;
    case HEADS_KV:
        return (uint64_t)h->n_head_kv[layer] * h->head_dim;
    case HEAD:
        return h->head_dim;
    case TAPS:
        return h->conv_kernel;
    case FF:
        return h->n_ff;
    case FF_EXPERT:
        return h->n_ff_expert;
    case EXPERTS:
        return h->n_expert;
    case NONE:
        break;
    }
    return 1;
}

static bool layer_has(const lf_hparams *h, uint32_t layer, layers_with with)
{
    bool attention = h->n_head_kv[layer] != 0;
    bool dense = layer < h->n_dense;
    switch (with) {
    case CONV:
        return !attention;
    case ATTENTION:
        return attention;
    case DENSE:
        return dense;
    case MOE:
        return !dense;
    case MOE_BIAS:
        return !dense && h->expert_bias;
    case EVERY:
        break;
    }
    return true;
}

static const char *file_of(const lf_source *source, const lf_tensor *t)
{
    return t->part < source->n_files ? source->files[t->part].path : source->path;
}

static int32_t check_shape(const lf_source *source, const lf_tensor *t, const uint64_t wanted[3])
{
    if (t->ne[0] == wanted[0] && t->ne[1] == wanted[1] && t->ne[2] == wanted[2] && t->ne[3] == 1) {
        return LFM2_OK;
    }
    char buffer[LF_SHOWN_NAME];
    return lf_fail(LFM2_E_FORMAT, "bind.shape",
                   "%s: tensor '%s': its shape is %llu x %llu x %llu x %llu; the model's "
                   "configuration requires %llu x %llu x %llu x 1 (contiguous dimension first)",
                   file_of(source, t), lf_tensor_shown(source, t->name, buffer),
                   (unsigned long long)t->ne[0], (unsigned long long)t->ne[1],
                   (unsigned long long)t->ne[2], (unsigned long long)t->ne[3],
                   (unsigned long long)wanted[0], (unsigned long long)wanted[1],
                   (unsigned long long)wanted[2]);
}

static int32_t check_not_quantized(const lf_source *source, const lf_tensor *t)
{
    if (t->type == LF_F32 || t->type == LF_F16 || t->type == LF_BF16) {
        return LFM2_OK;
    }
    char buffer[LF_SHOWN_NAME];
    const lf_type_info *type = lf_type_get((uint32_t)t->type);
    return lf_fail(LFM2_E_UNSUPPORTED, "bind.type",
                   "%s: tensor '%s': its type is %s; allowed for this tensor: F32, F16 and BF16",
                   file_of(source, t), lf_tensor_shown(source, t->name, buffer),
                   type != NULL ? type->name : "?");
}

static int32_t bind_tensor(binder *b, const char *name, bool float_only, const uint64_t wanted[3],
                           const lf_tensor **out)
{
    const lf_tensor *t = lf_source_find(b->source, name);
    if (t == NULL) {
        char buffer[LF_SHOWN_NAME];
        return lf_fail(LFM2_E_FORMAT, "bind.missing",
                       "%s: tensor '%s' is missing; the model's configuration requires it",
                       b->source->path, lf_tensor_shown(b->source, name, buffer));
    }
    LF_TRY(check_shape(b->source, t, wanted));
    if (float_only) {
        LF_TRY(check_not_quantized(b->source, t));
    }
    b->bound[t - b->source->tensors] = 1;
    *out = t;
    return LFM2_OK;
}

static int32_t bind_layer(binder *b, uint32_t layer, lf_layer_weights *out)
{
    const lf_hparams *h = &b->source->hparams;
    for (size_t i = 0; i < sizeof layer_tensors / sizeof layer_tensors[0]; i++) {
        const layer_tensor *p = &layer_tensors[i];
        if (!layer_has(h, layer, p->with)) {
            continue;
        }
        char name[64];
        snprintf(name, sizeof name, "blk.%u.%s", layer, p->name);
        uint64_t wanted[3];
        for (int d = 0; d < 3; d++) {
            wanted[d] = dimension_value(h, layer, p->ne[d]);
        }
        const lf_tensor *t = NULL;
        LF_TRY(bind_tensor(b, name, p->float_only, wanted, &t));
        memcpy((char *)out + p->offset, &t, sizeof t);
    }
    return LFM2_OK;
}

/* The tensors outside the layers. */
static int32_t bind_outer(binder *b, lf_weights *w)
{
    const lf_hparams *h = &b->source->hparams;
    const uint64_t table[3] = {h->n_embd, h->n_vocab, 1};
    const uint64_t row[3] = {h->n_embd, 1, 1};
    LF_TRY(bind_tensor(b, "token_embd.weight", false, table, &w->embed));
    /* The final norm has this name in published models, and the name `alias` in some files. */
    static const char norm[] = "token_embd_norm.weight";
    static const char alias[] = "output_norm.weight";
    bool usual =
        lf_source_find(b->source, norm) != NULL || lf_source_find(b->source, alias) == NULL;
    LF_TRY(bind_tensor(b, usual ? norm : alias, true, row, &w->final_norm));
    w->head = w->embed;
    return h->tied ? LFM2_OK : bind_tensor(b, "output.weight", false, table, &w->head);
}

/* Tensors that some converters add and that no computation needs. */
static bool ignored(const char *name)
{
    static const char extra[] = "rope_freqs.weight";
    size_t n = strlen(name);
    size_t m = sizeof extra - 1;
    return n >= m && strcmp(name + n - m, extra) == 0 && (n == m || name[n - m - 1] == '.');
}

static int32_t check_unknown(const binder *b)
{
    const lf_source *s = b->source;
    for (uint32_t i = 0; i < s->n_tensors; i++) {
        if (!b->bound[i] && !ignored(s->tensors[i].name)) {
            char buffer[LF_SHOWN_NAME];
            return lf_fail(
                LFM2_E_FORMAT, "bind.unknown",
                "%s: tensor '%s' is unknown: the model's configuration has no such tensor",
                file_of(s, &s->tensors[i]), lf_tensor_shown(s, s->tensors[i].name, buffer));
        }
    }
    return LFM2_OK;
}

int32_t lf_bind(const lf_source *source, lf_weights *weights)
{
    void *marks = NULL;
    LF_TRY(lf_new_zero(&source->alloc, source->n_tensors, 1, "tensor marks", &marks));
    binder b = {.source = source, .bound = marks};
    memset(weights, 0, sizeof *weights);
    int32_t status = LFM2_OK;
    LF_TRY_DONE(bind_outer(&b, weights));
    for (uint32_t l = 0; l < source->hparams.n_layer; l++) {
        LF_TRY_DONE(bind_layer(&b, l, &weights->layers[l]));
    }
    LF_TRY_DONE(check_unknown(&b));
done:
    lf_free(&source->alloc, marks, source->n_tensors, 1);
    return status;
}
