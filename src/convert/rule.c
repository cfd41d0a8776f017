/* SPDX-License-Identifier: Apache-2.0 */
/* The quantization presets: which tensor gets which type, and the order of tensors. Both are those
 * of llama.cpp. */
#include "convert/rule.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const lf_preset presets[] = {
    {"f32", LF_F32, LF_PRESET_PLAIN, 0},        {"f16", LF_F16, LF_PRESET_PLAIN, 1},
    {"q4_0", LF_Q4_0, LF_PRESET_PLAIN, 2},      {"q8_0", LF_Q8_0, LF_PRESET_PLAIN, 7},
    {"q2_k", LF_Q2_K, LF_PRESET_PLAIN, 10},     {"q3_k_s", LF_Q3_K, LF_PRESET_SMALL, 11},
    {"q3_k_m", LF_Q3_K, LF_PRESET_MEDIUM, 12},  {"q3_k_l", LF_Q3_K, LF_PRESET_LARGE, 13},
    {"q4_k_s", LF_Q4_K, LF_PRESET_SMALL, 14},   {"q4_k_m", LF_Q4_K, LF_PRESET_MEDIUM, 15},
    {"q5_k_s", LF_Q5_K, LF_PRESET_SMALL, 16},   {"q5_k_m", LF_Q5_K, LF_PRESET_MEDIUM, 17},
    {"q6_k", LF_Q6_K, LF_PRESET_PLAIN, 18},     {"iq4_nl", LF_IQ4_NL, LF_PRESET_PLAIN, 25},
    {"iq4_xs", LF_IQ4_XS, LF_PRESET_PLAIN, 30}, {"bf16", LF_BF16, LF_PRESET_PLAIN, 32},
};
enum { N_PRESETS = sizeof presets / sizeof presets[0] };

static char lower(char c)
{
    return c >= 'A' && c <= 'Z' ? (char)(c - 'A' + 'a') : c;
}

const lf_preset *lf_preset_find(const char *name)
{
    for (size_t i = 0; i < N_PRESETS; i++) {
        size_t n = 0;
        while (name[n] != '\0' && presets[i].name[n] == lower(name[n])) {
            n++;
        }
        if (presets[i].name[n] == '\0' && name[n] == '\0') {
            return &presets[i];
        }
    }
    return NULL;
}

int32_t lf_preset_parse(const lfm2_convert_options *options, const lf_preset **out)
{
    const char *name = options->type != NULL ? options->type : "(none)";
    *out = lf_preset_find(name);
    return *out != NULL
               ? LFM2_OK
               : lf_fail(LFM2_E_ARGUMENT, "convert.type",
                         "type '%s' is not a quantization preset; allowed: f32, f16, bf16, q8_0, "
                         "q6_k, q5_k_m, q5_k_s, q4_k_m, q4_k_s, q4_0, iq4_nl, iq4_xs, q3_k_l, "
                         "q3_k_m, q3_k_s and q2_k",
                         name);
}

static bool ends_with(const char *name, const char *tail)
{
    size_t n = strlen(name);
    size_t t = strlen(tail);
    return n >= t && strcmp(name + n - t, tail) == 0;
}

/* Small tensors that quality depends on strongly are F32 in every preset. */
static bool always_f32(const char *name, uint32_t n_dims)
{
    return n_dims < 2 || !ends_with(name, ".weight") || ends_with(name, "_norm.weight") ||
           ends_with(name, "ffn_gate_inp.weight") || ends_with(name, "shortconv.conv.weight");
}

/* Whether the tensor is the head, which computes the logits. */
static bool is_head(const lf_rule *rule, const char *name)
{
    return strcmp(name, rule->tied ? "token_embd.weight" : "output.weight") == 0;
}

/* The layer of a tensor; -1 outside the layers. */
static long layer_of(const char *name)
{
    return strncmp(name, "blk.", 4) == 0 ? strtol(name + 4, NULL, 10) : -1;
}

/* The override of a layer's matrix, or NULL. */
static const lf_override *layer_override(const lf_rule *rule, uint32_t layer, const char *matrix)
{
    char name[64];
    if (rule->overrides == NULL) {
        return NULL;
    }
    snprintf(name, sizeof name, "blk.%u.%s.weight", layer, matrix);
    return lf_overrides_find(rule->overrides, name);
}

void lf_rule_count(lf_rule *rule)
{
    const lf_hparams *h = rule->hparams;
    uint16_t values = 0;
    uint16_t downs = 0;
    rule->n_values = 0;
    for (uint32_t i = 0; i < h->n_layer; i++) {
        rule->values_before[i] = values;
        rule->downs_before[i] = downs;
        if (h->n_head_kv[i] > 0) {
            rule->n_values++;
            values = (uint16_t)(values + (layer_override(rule, i, "attn_v") == NULL));
        }
        downs = (uint16_t)(downs + (layer_override(rule, i, "ffn_down") == NULL));
    }
}

/* Whether layer i of n gets more bits in the medium presets: the first and last eighth, and every
 * third layer between them. */
static bool has_more_bits(long i, long n)
{
    return i < n / 8 || i >= 7 * n / 8 || (i - n / 8) % 3 == 2;
}

/* Query heads per KV head of layer 0, which llama.cpp takes for all layers: 0 if that layer is a
 * convolution. */
static uint32_t heads_per_kv(const lf_hparams *h)
{
    return h->n_head_kv[0] > 0 ? h->n_head / h->n_head_kv[0] : 0;
}

/* The type of attn_v in attention layer i of n. */
static lf_type value_type(const lf_rule *rule, long i, long n)
{
    const lf_preset *preset = rule->preset;
    bool grouped = heads_per_kv(rule->hparams) >= 4;
    switch ((int)preset->type) {
    case LF_Q2_K:
        return grouped ? LF_Q4_K : LF_Q3_K;
    case LF_Q3_K:
        if (preset->size == LF_PRESET_MEDIUM) {
            return i < 2 ? LF_Q5_K : LF_Q4_K;
        }
        return preset->size == LF_PRESET_LARGE ? LF_Q5_K : LF_Q3_K;
    case LF_Q4_K:
        if (preset->size == LF_PRESET_SMALL) {
            return i < 4 ? LF_Q5_K : LF_Q4_K;
        }
        return has_more_bits(i, n) ? LF_Q6_K : LF_Q4_K;
    case LF_Q5_K:
        return preset->size == LF_PRESET_MEDIUM && has_more_bits(i, n) ? LF_Q6_K : LF_Q5_K;
    case LF_IQ4_NL:
    case LF_IQ4_XS:
        return grouped ? LF_Q5_K : preset->type;
    default:
        return preset->type;
    }
}

/* The type of ffn_down in layer i of n. */
static lf_type down_type(const lf_rule *rule, long i, long n)
{
    const lf_preset *preset = rule->preset;
    switch ((int)preset->type) {
    case LF_Q2_K:
        return LF_Q3_K;
    case LF_Q3_K:
        if (preset->size == LF_PRESET_MEDIUM) {
            return i < n / 16 ? LF_Q5_K : LF_Q4_K;
        }
        return preset->size == LF_PRESET_LARGE ? LF_Q5_K : LF_Q3_K;
    case LF_Q4_K:
        if (preset->size == LF_PRESET_SMALL) {
            return i < n / 8 ? LF_Q5_K : LF_Q4_K;
        }
        return has_more_bits(i, n) ? LF_Q6_K : LF_Q4_K;
    case LF_Q5_K:
        return preset->size == LF_PRESET_MEDIUM && has_more_bits(i, n) ? LF_Q6_K : LF_Q5_K;
    case LF_Q4_0:
        return i < n / 8 && rule->imatrix ? LF_Q4_1 : LF_Q4_0;
    case LF_IQ4_NL:
    case LF_IQ4_XS:
        return i < n / 8 && !rule->imatrix ? LF_Q5_K : preset->type;
    default:
        return preset->type;
    }
}

/* The type of attn_output. llama.cpp has special cases for models with exactly 8 experts: here and
 * in lf_rule_type. */
static lf_type attention_output_type(const lf_rule *rule)
{
    const lf_preset *preset = rule->preset;
    bool eight = rule->hparams->n_expert == 8;
    switch ((int)preset->type) {
    case LF_Q2_K:
        return eight ? LF_Q5_K : LF_Q3_K;
    case LF_Q3_K:
        if (preset->size == LF_PRESET_LARGE) {
            return eight ? LF_Q3_K : LF_Q5_K;
        }
        return eight ? LF_Q5_K : preset->size == LF_PRESET_MEDIUM ? LF_Q4_K : LF_Q3_K;
    case LF_Q4_K:
    case LF_IQ4_NL:
    case LF_IQ4_XS:
        return eight ? LF_Q5_K : preset->type;
    default:
        return preset->type;
    }
}

/* The type of a layer's matrix in a quantized preset. attn_v and ffn_down, which quality depends on
 * most, get more bits in some layers. */
static lf_type layer_type(const lf_rule *rule, const char *name)
{
    const lf_hparams *h = rule->hparams;
    long layer = layer_of(name);
    if (layer < 0 || layer >= (long)h->n_layer) {
        return rule->preset->type;
    }
    if (ends_with(name, "attn_v.weight")) {
        return value_type(rule, rule->values_before[layer], rule->n_values);
    }
    if (ends_with(name, "ffn_down.weight") || ends_with(name, "ffn_down_exps.weight")) {
        return down_type(rule, h->n_expert > 1 ? layer : rule->downs_before[layer], h->n_layer);
    }
    if (ends_with(name, "attn_output.weight")) {
        return attention_output_type(rule);
    }
    return rule->preset->type;
}

static bool fits(lf_type type, uint64_t row)
{
    return row % lf_type_get((uint32_t)type)->block == 0;
}

/* The type with blocks of 32 that replaces one with super-blocks if rows are not a multiple of 256.
 */
static lf_type without_super_blocks(lf_type type)
{
    switch ((int)type) {
    case LF_Q2_K:
    case LF_Q3_K:
        return LF_Q4_0;
    case LF_IQ4_XS:
        return LF_IQ4_NL;
    case LF_Q4_K:
        return LF_Q5_0;
    case LF_Q5_K:
        return LF_Q5_1;
    case LF_Q6_K:
        return LF_Q8_0;
    default:
        return type;
    }
}

lf_type lf_rule_type(const lf_rule *rule, const char *name, uint32_t n_dims, uint64_t row)
{
    lf_type type = rule->preset->type;
    if (always_f32(name, n_dims)) {
        return LF_F32;
    }
    lf_override *override =
        rule->overrides != NULL ? lf_overrides_find(rule->overrides, name) : NULL;
    if (override != NULL) {
        override->used = true;
        type = override->type;
    } else if (lf_type_get((uint32_t)type)->group > 0 && type != LF_Q8_0) {
        bool kv = ends_with(name, "attn_k.weight") || ends_with(name, "attn_v.weight");
        if (is_head(rule, name)) {
            type = LF_Q6_K;
        } else if (kv && rule->hparams->n_expert == 8) {
            type = LF_Q8_0;
        } else {
            type = layer_type(rule, name);
        }
    }
    if (!fits(type, row)) {
        type = without_super_blocks(type);
    }
    return fits(type, row) ? type : LF_F16;
}

static int compare(const void *pa, const void *pb)
{
    const lf_out_tensor *a = pa;
    const lf_out_tensor *b = pb;
    long la = layer_of(a->name);
    long lb = layer_of(b->name);
    return la != lb ? (la < lb ? -1 : 1) : strcmp(a->name, b->name);
}

void lf_rule_sort(lf_out_tensor *tensors, size_t n)
{
    qsort(tensors, n, sizeof *tensors, compare);
}

int32_t lf_rule_declare(lf_gguf_writer *g, const lf_out_tensor *tensors, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        const lf_out_tensor *t = &tensors[i];
        LF_TRY(lf_gguf_tensor(g, t->name, t->type, t->n_dims, t->ne));
    }
    return LFM2_OK;
}

size_t lf_rule_grain(size_t row)
{
    enum { VALUES = 8192 };
    return row < VALUES / 2 ? VALUES / row & ~(size_t)1 : 2;
}

int32_t lf_progress_add(lf_progress *p, uint64_t bytes)
{
    enum { STEP_BYTES = 16 * 1024 * 1024 };
    p->done += bytes;
    if (p->done - p->reported < STEP_BYTES && p->done != p->total) {
        return LFM2_OK;
    }
    p->reported = p->done;
    if (p->options->progress == NULL) {
        return LFM2_OK;
    }
    double fraction = p->total > 0 ? (double)p->done / (double)p->total : 1.0;
    if (p->options->progress(p->options->progress_user, fraction) != 0) {
        return lf_fail(LFM2_E_STOPPED, "convert.stopped",
                       "conversion stopped by the progress callback");
    }
    return LFM2_OK;
}
