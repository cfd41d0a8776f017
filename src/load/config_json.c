/* SPDX-License-Identifier: Apache-2.0 */
/* Hyperparameters from config.json. A key is optional only if all published models agree on its
 * value and the tensors' shapes would reveal a wrong one: the defaults of transformers' classes are
 * not the values of the published models. */
#include "load/advice.h"
#include "load/generation.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

typedef struct config {
    const lf_json *root; /* of a vision model: its text_config */
    const lf_json *file; /* the whole file */
    const char *name;
    bool vision;
} config;

static int32_t fail_key(const config *c, const lf_json *at, const char *key, int32_t status,
                        const char *code, const char *message)
{
    return lf_fail(status, code, "%s: key '%s': offset %llu: %s", c->name, key,
                   (unsigned long long)at->offset, message);
}

static int32_t fail_missing(const config *c, const char *key)
{
    return lf_fail(LFM2_E_FORMAT, "config.key.missing",
                   "%s: key '%s' is missing; a model of this architecture requires it", c->name,
                   key);
}

const lf_json *lf_config_member(const lf_json *object, const char *key)
{
    const lf_json *v = lf_json_get(object, key);
    return v != NULL && v->kind != LF_JSON_NULL ? v : NULL;
}

static int32_t to_u32(const config *c, const char *key, const lf_json *v, uint32_t *out)
{
    uint64_t n = 0;
    if (!lf_json_u64(v, &n) || n > UINT32_MAX) {
        return fail_key(c, v, key, LFM2_E_FORMAT, "config.key.type",
                        "the value must be an integer from 0 to 2^32 - 1");
    }
    *out = (uint32_t)n;
    return LFM2_OK;
}

static int32_t get_u32(const config *c, const char *key, uint32_t *out)
{
    const lf_json *v = lf_config_member(c->root, key);
    return v != NULL ? to_u32(c, key, v, out) : fail_missing(c, key);
}

static int32_t to_float(const config *c, const char *key, const lf_json *v, float *out)
{
    double d = 0;
    if (!lf_json_double(v, &d) || !isfinite((float)d)) {
        return fail_key(c, v, key, LFM2_E_FORMAT, "config.key.type",
                        "the value must be a number that f32 can represent");
    }
    *out = (float)d;
    return LFM2_OK;
}

/* NULL: `otherwise`. */
static int32_t to_bool_or(const config *c, const char *key, const lf_json *v, bool otherwise,
                          bool *out)
{
    *out = otherwise;
    if (v == NULL) {
        return LFM2_OK;
    }
    if (v->kind != LF_JSON_TRUE && v->kind != LF_JSON_FALSE) {
        return fail_key(c, v, key, LFM2_E_FORMAT, "config.key.type",
                        "the value must be true or false");
    }
    *out = v->kind == LF_JSON_TRUE;
    return LFM2_OK;
}

static int32_t get_bool_or(const config *c, const char *key, bool otherwise, bool *out)
{
    return to_bool_or(c, key, lf_config_member(c->root, key), otherwise, out);
}

/* ---- Architecture ---- */

static int32_t refuse_text(const config *c, const lf_json *v, const char *key,
                           const char *supported)
{
    lf_shown shown;
    if (v->kind != LF_JSON_STRING) {
        return fail_key(c, v, key, LFM2_E_FORMAT, "config.key.type", "the value must be a string");
    }
    const char *advice = lf_advice_model(v->text, v->len);
    return lf_fail(LFM2_E_UNSUPPORTED, "config.architecture",
                   "%s: key '%s': offset %llu: '%s' is not supported%s%s", c->name, key,
                   (unsigned long long)v->offset, lf_show(&shown, v->text, v->len),
                   advice != NULL ? ": " : "; supported: ", advice != NULL ? advice : supported);
}

static int32_t read_arch(const config *c, lf_arch *out)
{
    const lf_json *type = lf_config_member(c->root, "model_type");
    if (type == NULL) {
        return fail_missing(c, "model_type");
    }
    if (lf_json_is_string(type, "lfm2")) {
        *out = LF_ARCH_LFM2;
    } else if (lf_json_is_string(type, "lfm2_moe")) {
        *out = LF_ARCH_LFM2MOE;
    } else {
        return refuse_text(c, type, "model_type", "'lfm2', 'lfm2_moe' and the text of 'lfm2_vl'");
    }
    /* encoders and classifiers have the same model_type */
    const lf_json *list = lf_config_member(c->file, "architectures");
    const char *causal = c->vision              ? "Lfm2VlForConditionalGeneration"
                         : *out == LF_ARCH_LFM2 ? "Lfm2ForCausalLM"
                                                : "Lfm2MoeForCausalLM";
    if (list != NULL && list->kind == LF_JSON_ARRAY && list->child != NULL &&
        !lf_json_is_string(list->child, causal)) {
        return refuse_text(c, list->child, "architectures", causal);
    }
    return LFM2_OK;
}

/* A vision model nests the configuration of its text model. */
static int32_t find_text_config(config *c)
{
    const lf_json *type = lf_config_member(c->root, "model_type");
    if (!lf_json_is_string(type, "lfm2_vl") && !lf_json_is_string(type, "lfm2-vl")) {
        return LFM2_OK;
    }
    const lf_json *text = lf_config_member(c->root, "text_config");
    if (text == NULL || text->kind != LF_JSON_OBJECT) {
        return lf_fail(LFM2_E_FORMAT, "config.key.missing",
                       "%s: key 'text_config' is missing or not an object; a vision model requires "
                       "it",
                       c->name);
    }
    c->vision = true;
    c->root = text;
    return LFM2_OK;
}

static int32_t refuse_variants(const config *c)
{
    static const struct {
        const char *key;
        const char *why;
    } variants[] = {
        {"quantization",
         "the folder holds weights quantized by MLX, which are not supported; use a GGUF file of "
         "the model, or its original folder and lfm2 quantize"},
        {"quantization_config",
         "quantized checkpoints are not supported; use a GGUF file of the model, or its original "
         "folder and lfm2 quantize"},
        {"sliding_window", "sliding-window attention is not supported; only the value null is"},
    };
    for (size_t i = 0; i < sizeof variants / sizeof variants[0]; i++) {
        const lf_json *v = lf_config_member(c->root, variants[i].key);
        v = v != NULL ? v : lf_config_member(c->file, variants[i].key);
        if (v != NULL) {
            return fail_key(c, v, variants[i].key, LFM2_E_UNSUPPORTED, "config.variant",
                            variants[i].why);
        }
    }
    bool causal = true;
    bool both_ways = false;
    LF_TRY(get_bool_or(c, "is_causal", true, &causal));
    LF_TRY(get_bool_or(c, "use_bidirectional_attention", false, &both_ways));
    if (!causal || both_ways) {
        const char *key = causal ? "use_bidirectional_attention" : "is_causal";
        return fail_key(c, lf_config_member(c->root, key), key, LFM2_E_UNSUPPORTED,
                        "config.variant", lf_advice_encoder);
    }
    bool bias = false;
    LF_TRY(get_bool_or(c, "conv_bias", false, &bias));
    if (bias) {
        return fail_key(c, lf_config_member(c->root, "conv_bias"), "conv_bias", LFM2_E_UNSUPPORTED,
                        "config.variant",
                        "convolutions with a bias are not supported; only the value false is");
    }
    return LFM2_OK;
}

/* ---- RoPE: flat (transformers 4) or nested (transformers 5) ---- */

static int32_t check_rope_type(const config *c, const lf_json *rope, const char *key)
{
    const lf_json *type = lf_config_member(rope, "rope_type");
    type = type != NULL ? type : lf_config_member(rope, "type");
    if (type == NULL || lf_json_is_string(type, "default")) {
        return LFM2_OK;
    }
    bool yarn = lf_json_is_string(type, "yarn");
    return fail_key(c, type, key, LFM2_E_UNSUPPORTED, "config.variant",
                    yarn ? "RoPE scaling with YaRN is not supported; use the original model, whose "
                           "context is shorter"
                         : "RoPE scaling is not supported; only the type 'default' is");
}

/* The object that has RoPE's parameters, or NULL. Some versions nest one for each type of layer. */
static int32_t find_rope(const config *c, const lf_json **out)
{
    static const char *const keys[] = {"rope_parameters", "rope_scaling"};
    *out = NULL;
    for (size_t i = 0; i < sizeof keys / sizeof keys[0]; i++) {
        const lf_json *rope = lf_config_member(c->root, keys[i]);
        if (rope == NULL) {
            continue;
        }
        const lf_json *nested = lf_config_member(rope, "full_attention");
        rope = nested != NULL ? nested : rope;
        if (rope->kind != LF_JSON_OBJECT) {
            return fail_key(c, rope, keys[i], LFM2_E_FORMAT, "config.key.type",
                            "the value must be an object or null");
        }
        LF_TRY(check_rope_type(c, rope, keys[i]));
        *out = *out == NULL ? rope : *out;
    }
    return LFM2_OK;
}

static int32_t read_rope(const config *c, float *theta)
{
    const lf_json *nested = NULL;
    LF_TRY(find_rope(c, &nested));
    static const char partial[] = "partial_rotary_factor";
    const lf_json *part = lf_config_member(nested, partial);
    if (part == NULL) {
        part = lf_config_member(c->root, partial);
    }
    double factor = 1;
    if (part != NULL && (!lf_json_double(part, &factor) || factor < 1 || factor > 1)) {
        return fail_key(c, part, partial, LFM2_E_UNSUPPORTED, "config.variant",
                        "partial RoPE is not supported; only the factor 1 is");
    }
    const lf_json *v = lf_config_member(nested, "rope_theta");
    if (v != NULL) {
        return to_float(c, "rope_theta", v, theta);
    }
    const char *key = lf_config_member(c->root, "theta") != NULL ? "theta" : "rope_theta";
    v = lf_config_member(c->root, key);
    return v != NULL ? to_float(c, key, v, theta) : fail_missing(c, key);
}

/* ---- Layers ---- */

static int32_t read_layer_types(const config *c, const lf_json *list, uint32_t heads, lf_hparams *h)
{
    if (list->kind != LF_JSON_ARRAY || list->count != h->n_layer) {
        char text[96];
        snprintf(text, sizeof text,
                 "the value must be a list with one entry for each of the %u layers", h->n_layer);
        return fail_key(c, list, "layer_types", LFM2_E_FORMAT, "config.layers", text);
    }
    uint32_t l = 0;
    for (const lf_json *v = list->child; v != NULL; v = v->next, l++) {
        if (lf_json_is_string(v, "full_attention")) {
            h->n_head_kv[l] = heads;
        } else if (!lf_json_is_string(v, "conv")) {
            return refuse_text(c, v, "layer_types", "'conv' and 'full_attention'");
        }
    }
    return LFM2_OK;
}

/* Older dense configs list the attention layers. */
static int32_t read_attention_list(const config *c, const lf_json *list, uint32_t heads,
                                   lf_hparams *h)
{
    static const char key[] = "full_attn_idxs";
    if (list->kind != LF_JSON_ARRAY) {
        return fail_key(c, list, key, LFM2_E_FORMAT, "config.layers",
                        "the value must be a list of layer numbers");
    }
    for (const lf_json *v = list->child; v != NULL; v = v->next) {
        uint32_t l = 0;
        LF_TRY(to_u32(c, key, v, &l));
        if (l >= h->n_layer) {
            char text[96];
            snprintf(text, sizeof text, "layer %u does not exist; the model has %u layers", l,
                     h->n_layer);
            return fail_key(c, v, key, LFM2_E_FORMAT, "config.layers", text);
        }
        h->n_head_kv[l] = heads;
    }
    return LFM2_OK;
}

static int32_t read_layers(const config *c, lf_hparams *h)
{
    LF_TRY(get_u32(c, "num_hidden_layers", &h->n_layer));
    if (h->n_layer < 1 || h->n_layer > LF_MAX_LAYERS) {
        return lf_fail(LFM2_E_FORMAT, "hparams.range",
                       "%s: key 'num_hidden_layers': the value is %u; allowed: 1 to %d", c->name,
                       h->n_layer, LF_MAX_LAYERS);
    }
    uint32_t heads = 0;
    LF_TRY(get_u32(c, "num_key_value_heads", &heads));
    if (heads == 0) {
        return lf_fail(LFM2_E_FORMAT, "hparams.range",
                       "%s: key 'num_key_value_heads': the value is 0; it must be positive",
                       c->name);
    }
    const lf_json *list = lf_config_member(c->root, "layer_types");
    if (list != NULL) {
        return read_layer_types(c, list, heads, h);
    }
    list = lf_config_member(c->root, "full_attn_idxs");
    return list != NULL ? read_attention_list(c, list, heads, h) : fail_missing(c, "layer_types");
}

static int32_t read_head_dim(const config *c, lf_hparams *h)
{
    LF_TRY(get_u32(c, "num_attention_heads", &h->n_head));
    if (lf_config_member(c->root, "head_dim") != NULL) {
        return get_u32(c, "head_dim", &h->head_dim);
    }
    if (h->n_head == 0 || h->n_embd % h->n_head != 0) {
        return lf_fail(
            LFM2_E_FORMAT, "hparams.head_dim",
            "%s: key 'num_attention_heads': the value is %u; it must divide hidden_size (%u) "
            "unless 'head_dim' is given",
            c->name, h->n_head, h->n_embd);
    }
    h->head_dim = h->n_embd / h->n_head;
    return LFM2_OK;
}

static int32_t read_norm_eps(const config *c, float *eps)
{
    static const char *const keys[] = {"norm_eps", "block_norm_eps"};
    for (size_t i = 0; i < sizeof keys / sizeof keys[0]; i++) {
        const lf_json *v = lf_config_member(c->root, keys[i]);
        if (v != NULL) {
            return to_float(c, keys[i], v, eps);
        }
    }
    return fail_missing(c, keys[0]);
}

/* ---- Feed-forward ---- */

/* Dense models store a nominal width. The real one is two thirds of it, times a factor, rounded up
 * to a multiple. */
static int32_t adjust_width(const config *c, uint32_t *width)
{
    const double end = 0x1p32;
    uint64_t whole = 2 * (uint64_t)*width / 3;
    double f = (double)whole;
    const lf_json *factor = lf_config_member(c->root, "block_ffn_dim_multiplier");
    if (factor != NULL) {
        double times = 0;
        uint32_t multiple = 0;
        if (!lf_json_double(factor, &times)) {
            return fail_key(c, factor, "block_ffn_dim_multiplier", LFM2_E_FORMAT, "config.key.type",
                            "the value must be a number that f32 can represent");
        }
        LF_TRY(get_u32(c, "block_multiple_of", &multiple));
        f *= times;
        if (f >= 0 && f < end) {
            whole = (uint64_t)f;
            whole += multiple > 0 ? (multiple - whole % multiple) % multiple : 0;
            f = (double)whole;
        }
    }
    if (!(f >= 0 && f < end)) {
        return lf_fail(LFM2_E_FORMAT, "hparams.range",
                       "%s: the feed-forward width computed from 'block_ffn_dim_multiplier' and "
                       "'block_multiple_of' is %g; it must be from 0 to 2^32 - 1",
                       c->name, f);
    }
    *width = (uint32_t)whole;
    return LFM2_OK;
}

static int32_t read_dense_width(const config *c, lf_hparams *h)
{
    h->n_dense = h->n_layer;
    h->expert_scale = 1;
    h->norm_topk = true;
    const char *key =
        lf_config_member(c->root, "block_ff_dim") != NULL ? "block_ff_dim" : "intermediate_size";
    LF_TRY(get_u32(c, key, &h->n_ff));
    if (lf_config_member(c->root, "block_auto_adjust_ff_dim") == NULL) {
        return fail_missing(c, "block_auto_adjust_ff_dim");
    }
    bool adjust = false;
    LF_TRY(get_bool_or(c, "block_auto_adjust_ff_dim", false, &adjust));
    return adjust ? adjust_width(c, &h->n_ff) : LFM2_OK;
}

static int32_t read_experts(const config *c, lf_hparams *h)
{
    LF_TRY(get_u32(c, "intermediate_size", &h->n_ff));
    LF_TRY(get_u32(c, "moe_intermediate_size", &h->n_ff_expert));
    LF_TRY(get_u32(c, "num_dense_layers", &h->n_dense));
    const char *experts = lf_config_member(c->root, "num_experts") == NULL &&
                                  lf_config_member(c->root, "num_local_experts") != NULL
                              ? "num_local_experts"
                              : "num_experts";
    LF_TRY(get_u32(c, experts, &h->n_expert));
    LF_TRY(get_u32(c, "num_experts_per_tok", &h->n_expert_used));
    LF_TRY(get_bool_or(c, "norm_topk_prob", true, &h->norm_topk));
    LF_TRY(get_bool_or(c, "use_expert_bias", true, &h->expert_bias));
    h->expert_scale = 1;
    const lf_json *scale = lf_config_member(c->root, "routed_scaling_factor");
    return scale != NULL ? to_float(c, "routed_scaling_factor", scale, &h->expert_scale) : LFM2_OK;
}

/* Whether the embedding is the head. A vision model's own keys count before those of its text
 * model, as in transformers 5; the older key counts first. */
static int32_t read_tied(const config *c, bool *tied)
{
    static const char *const keys[] = {"tie_embedding", "tie_word_embeddings"};
    const lf_json *const objects[] = {c->file, c->root};
    for (size_t i = 0; i < 4; i++) {
        const char *key = keys[i % 2];
        const lf_json *v = lf_config_member(objects[i / 2], key);
        if (v != NULL) {
            return to_bool_or(c, key, v, true, tied);
        }
    }
    *tied = true;
    return LFM2_OK;
}

/* ---- Token ids ---- */

/* -1 means none. */
static int32_t to_id(const config *c, const char *key, const lf_json *v, int32_t *out)
{
    int64_t n = 0;
    if (!lf_json_i64(v, &n) || n < -1 || n > INT32_MAX) {
        return fail_key(c, v, key, LFM2_E_FORMAT, "config.key.type",
                        "the value must be a token id, an integer from 0 to 2^31 - 1, or -1 or "
                        "null for none");
    }
    *out = (int32_t)n;
    return LFM2_OK;
}

static int32_t read_id(const config *c, const char *key, int32_t *out)
{
    const lf_json *v = lf_config_member(c->root, key);
    v = v != NULL ? v : lf_config_member(c->file, key);
    *out = -1;
    return v != NULL ? to_id(c, key, v, out) : LFM2_OK;
}

static int32_t read_ends(const config *c, lf_ends *out)
{
    static const char key[] = "eos_token_id";
    const lf_json *v = lf_config_member(c->root, key);
    v = v != NULL ? v : lf_config_member(c->file, key);
    bool list = v != NULL && v->kind == LF_JSON_ARRAY;
    out->n = 0;
    for (v = list ? v->child : v; v != NULL; v = list ? v->next : NULL) {
        int32_t id = 0;
        LF_TRY(to_id(c, key, v, &id));
        if (id >= 0) {
            LF_TRY(lf_end_add(out, id, c->name));
        }
    }
    return LFM2_OK;
}

int32_t lf_config_ends(const lf_json *root, const char *name, lf_ends *out)
{
    return read_ends(&(const config){.root = root, .file = root, .name = name}, out);
}

int32_t lf_config_from_json(const lf_json *root, const char *name, lf_config_json *out)
{
    config c = {.root = root, .file = root, .name = name};
    if (root->kind != LF_JSON_OBJECT) {
        return lf_fail(LFM2_E_FORMAT, "config.object", "%s: the file must contain a JSON object",
                       name);
    }
    lf_config_json r = {.bos_id = -1};
    lf_hparams *h = &r.hparams;
    LF_TRY(find_text_config(&c));
    r.vision = c.vision;
    LF_TRY(read_arch(&c, &h->arch));
    LF_TRY(refuse_variants(&c));
    LF_TRY(get_u32(&c, "hidden_size", &h->n_embd));
    LF_TRY(get_u32(&c, "vocab_size", &h->n_vocab));
    LF_TRY(get_u32(&c, "max_position_embeddings", &h->n_ctx_train));
    LF_TRY(get_u32(&c, "conv_L_cache", &h->conv_kernel));
    LF_TRY(read_norm_eps(&c, &h->norm_eps));
    LF_TRY(read_rope(&c, &h->rope_theta));
    LF_TRY(read_layers(&c, h));
    LF_TRY(read_head_dim(&c, h));
    LF_TRY(h->arch == LF_ARCH_LFM2 ? read_dense_width(&c, h) : read_experts(&c, h));
    LF_TRY(read_tied(&c, &h->tied));
    LF_TRY(read_id(&c, "bos_token_id", &r.bos_id));
    LF_TRY(read_ends(&c, &r.ends));
    r.ends_file = "config.json";
    LF_TRY(read_id(&c, "pad_token_id", &r.pad_id));
    *out = r;
    return LFM2_OK;
}
