/* SPDX-License-Identifier: Apache-2.0 */
/* Hyperparameters from GGUF's architecture keys. */
#include "load/advice.h"
#include "load/config.h"

#include <stdio.h>
#include <string.h>

enum { SIGMOID = 2 }; /* expert_gating_func */

typedef struct keys {
    const lf_gguf *g;
    const char *arch;
    char text[96];
} keys;

/* "{arch}.name", valid until the next call. */
static const char *key(keys *k, const char *name)
{
    snprintf(k->text, sizeof k->text, "%s.%s", k->arch, name);
    return k->text;
}

static int32_t get_u32(keys *k, const char *name, uint32_t *out)
{
    return lf_gguf_get_u32(k->g, key(k, name), out, NULL);
}

static int32_t get_u32_or(keys *k, const char *name, uint32_t otherwise, uint32_t *out)
{
    bool found = false;
    *out = otherwise;
    return lf_gguf_get_u32(k->g, key(k, name), out, &found);
}

static int32_t refuse(const keys *k, const char *why)
{
    return lf_fail(LFM2_E_UNSUPPORTED, "gguf.variant", "%s: key '%s': %s", k->g->file->path,
                   k->text, why);
}

static int32_t read_arch(keys *k, lf_arch *out)
{
    const char *text = NULL;
    size_t len = 0;
    LF_TRY(lf_gguf_get_string(k->g, "general.architecture", &text, &len, NULL));
    static const struct {
        const char *name;
        lf_arch arch;
    } known[] = {{"lfm2", LF_ARCH_LFM2}, {"lfm2moe", LF_ARCH_LFM2MOE}};
    for (size_t i = 0; i < sizeof known / sizeof known[0]; i++) {
        if (len == strlen(known[i].name) && memcmp(text, known[i].name, len) == 0) {
            k->arch = known[i].name;
            *out = known[i].arch;
            return LFM2_OK;
        }
    }
    lf_shown shown;
    const char *advice = lf_advice_model(text, len);
    return lf_fail(LFM2_E_UNSUPPORTED, "gguf.architecture",
                   "%s: key 'general.architecture': '%s' is not supported%s%s", k->g->file->path,
                   lf_show(&shown, text, len), advice != NULL ? ": " : "",
                   advice != NULL ? advice : "; supported: 'lfm2' and 'lfm2moe'");
}

/* Files that are not models state so in general.type; their architecture is that of a model. */
static int32_t refuse_type(const lf_gguf *g)
{
    const char *text = NULL;
    size_t len = 0;
    bool found = false;
    LF_TRY(lf_gguf_get_string(g, "general.type", &text, &len, &found));
    const char *advice = found ? lf_advice_model(text, len) : NULL;
    lf_shown shown;
    return advice == NULL ? LFM2_OK
                          : lf_fail(LFM2_E_UNSUPPORTED, "gguf.general_type",
                                    "%s: key 'general.type': the type is '%s': %s", g->file->path,
                                    lf_show(&shown, text, len), advice);
}

/* Refuses keys that would change the computation. */
static int32_t refuse_variants(keys *k)
{
    bool found = false;
    bool causal = true;
    LF_TRY(lf_gguf_get_bool(k->g, key(k, "attention.causal"), &causal, &found));
    if (!causal) {
        return refuse(k, lf_advice_encoder);
    }
    uint32_t window = 0;
    LF_TRY(get_u32_or(k, "attention.sliding_window", 0, &window));
    if (window != 0) {
        return refuse(k, "sliding-window attention is not supported; only the value 0 is");
    }
    const char *scaling = NULL;
    size_t len = 0;
    LF_TRY(lf_gguf_get_string(k->g, key(k, "rope.scaling.type"), &scaling, &len, &found));
    if (found && len == 4 && memcmp(scaling, "yarn", 4) == 0) {
        return refuse(k, "RoPE scaling with YaRN is not supported; use the original model, whose "
                         "context is shorter");
    }
    if (found && !(len == 4 && memcmp(scaling, "none", 4) == 0)) {
        return refuse(k, "RoPE scaling is not supported; only the value 'none' is");
    }
    uint32_t value = 0;
    LF_TRY(get_u32_or(k, "pooling_type", 0, &value));
    if (value != 0) {
        return refuse(k, lf_advice_encoder);
    }
    LF_TRY(get_u32_or(k, "embedding_length_out", 0, &value));
    if (value != 0) {
        return refuse(k, lf_advice_encoder);
    }
    return LFM2_OK;
}

/* KV heads of every layer: an array, or one number for all. */
static int32_t read_head_kv(keys *k, lf_hparams *h)
{
    const char *name = key(k, "attention.head_count_kv");
    const lf_gguf_value *v = lf_gguf_find(k->g, name);
    if (v == NULL || v->type != LF_GGUF_ARRAY) {
        uint32_t all = 0;
        LF_TRY(lf_gguf_get_u32(k->g, name, &all, NULL));
        for (uint32_t l = 0; l < h->n_layer; l++) {
            h->n_head_kv[l] = all;
        }
        return LFM2_OK;
    }
    LF_TRY(lf_gguf_get_array(k->g, name, false, &v, NULL));
    if (v->count != h->n_layer) {
        char text[96];
        snprintf(text, sizeof text,
                 "the array has %llu elements; it must have one for each of the %u layers",
                 (unsigned long long)v->count, h->n_layer);
        return lf_gguf_fail_key(k->g, v, LFM2_E_FORMAT, "gguf.key.count", text);
    }
    for (uint32_t l = 0; l < h->n_layer; l++) {
        if (!lf_gguf_item_u32(v, l, &h->n_head_kv[l])) {
            char text[96];
            snprintf(text, sizeof text, "element %u is out of range; allowed: 0 to 2^32 - 1", l);
            return lf_gguf_fail_key(k->g, v, LFM2_E_FORMAT, "gguf.key.range", text);
        }
    }
    return LFM2_OK;
}

static int32_t check_same(keys *k, const char *name, uint32_t wanted)
{
    uint32_t value = 0;
    LF_TRY(get_u32_or(k, name, wanted, &value));
    if (value != wanted) {
        char text[96];
        snprintf(text, sizeof text, "the value is %u; it must equal the head dimension %u", value,
                 wanted);
        return refuse(k, text);
    }
    return LFM2_OK;
}

static int32_t read_attention(keys *k, lf_hparams *h)
{
    LF_TRY(get_u32(k, "attention.head_count", &h->n_head));
    uint32_t length = 0;
    LF_TRY(get_u32_or(k, "attention.key_length", 0, &length));
    if (length == 0) {
        if (h->n_head == 0 || h->n_embd % h->n_head != 0) {
            return lf_fail(LFM2_E_FORMAT, "hparams.head_dim",
                           "%s: key '%s.attention.head_count': the value is %u; it must divide the "
                           "embedding width %u",
                           k->g->file->path, k->arch, h->n_head, h->n_embd);
        }
        length = h->n_embd / h->n_head;
    }
    h->head_dim = length;
    LF_TRY(check_same(k, "attention.value_length", length));
    LF_TRY(check_same(k, "rope.dimension_count", length));
    return read_head_kv(k, h);
}

static int32_t read_experts(keys *k, lf_hparams *h)
{
    h->n_dense = h->n_layer;
    h->expert_scale = 1;
    h->norm_topk = true;
    if (h->arch == LF_ARCH_LFM2) {
        uint32_t experts = 0;
        LF_TRY(get_u32_or(k, "expert_count", 0, &experts));
        return experts == 0 ? LFM2_OK
                            : refuse(k, "the architecture 'lfm2' has no experts; models with "
                                        "experts are 'lfm2moe'");
    }
    bool found = false;
    LF_TRY(get_u32(k, "expert_count", &h->n_expert));
    LF_TRY(get_u32(k, "expert_used_count", &h->n_expert_used));
    LF_TRY(get_u32(k, "expert_feed_forward_length", &h->n_ff_expert));
    LF_TRY(get_u32_or(k, "leading_dense_block_count", 0, &h->n_dense));
    LF_TRY(lf_gguf_get_f32(k->g, key(k, "expert_weights_scale"), &h->expert_scale, &found));
    LF_TRY(lf_gguf_get_bool(k->g, key(k, "expert_weights_norm"), &h->norm_topk, &found));
    uint32_t shared = 0;
    LF_TRY(get_u32_or(k, "expert_shared_count", 0, &shared));
    if (shared != 0) {
        return refuse(k, "shared experts are not supported; only the value 0 is");
    }
    uint32_t gating = 0;
    LF_TRY(get_u32_or(k, "expert_gating_func", SIGMOID, &gating));
    return gating == SIGMOID ? LFM2_OK
                             : refuse(k, "only the value 2 (sigmoid gating) is supported");
}

int32_t lf_config_from_gguf(const lf_gguf *g, lf_hparams *out)
{
    lf_hparams h = {.n_layer = 0};
    keys k = {.g = g};
    LF_TRY(refuse_type(g));
    LF_TRY(read_arch(&k, &h.arch));
    LF_TRY(refuse_variants(&k));
    LF_TRY(get_u32(&k, "block_count", &h.n_layer));
    if (h.n_layer < 1 || h.n_layer > LF_MAX_LAYERS) {
        return lf_fail(LFM2_E_FORMAT, "hparams.range",
                       "%s: key '%s.block_count': the value is %u; allowed: 1 to %d", g->file->path,
                       k.arch, h.n_layer, LF_MAX_LAYERS);
    }
    LF_TRY(get_u32(&k, "context_length", &h.n_ctx_train));
    LF_TRY(get_u32(&k, "embedding_length", &h.n_embd));
    LF_TRY(get_u32(&k, "feed_forward_length", &h.n_ff));
    LF_TRY(get_u32(&k, "shortconv.l_cache", &h.conv_kernel));
    LF_TRY(lf_gguf_get_f32(g, key(&k, "attention.layer_norm_rms_epsilon"), &h.norm_eps, NULL));
    LF_TRY(lf_gguf_get_f32(g, key(&k, "rope.freq_base"), &h.rope_theta, NULL));
    LF_TRY(read_attention(&k, &h));
    LF_TRY(read_experts(&k, &h));
    *out = h;
    return LFM2_OK;
}
