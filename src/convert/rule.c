/* SPDX-License-Identifier: Apache-2.0 */
/* Owns the choice of each tensor's type and the tensors' order: llama.cpp's plain quantisation
 * without an importance matrix, measured on its output. */
#include "convert/rule.h"

#include <stdlib.h>
#include <string.h>

static const lf_preset kinds[] = {
    {"f32", LF_F32, LF_PRESET_PLAIN, 0},      {"f16", LF_F16, LF_PRESET_PLAIN, 1},
    {"q4_0", LF_Q4_0, LF_PRESET_PLAIN, 2},    {"q8_0", LF_Q8_0, LF_PRESET_PLAIN, 7},
    {"q4_k_s", LF_Q4_K, LF_PRESET_SMALL, 14}, {"q4_k_m", LF_Q4_K, LF_PRESET_MEDIUM, 15},
    {"q5_k_s", LF_Q5_K, LF_PRESET_SMALL, 16}, {"q5_k_m", LF_Q5_K, LF_PRESET_MEDIUM, 17},
    {"q6_k", LF_Q6_K, LF_PRESET_PLAIN, 18},   {"bf16", LF_BF16, LF_PRESET_PLAIN, 32},
};
enum { N_KINDS = sizeof kinds / sizeof kinds[0] };

static char lower(char c)
{
    return c >= 'A' && c <= 'Z' ? (char)(c - 'A' + 'a') : c;
}

const lf_preset *lf_preset_find(const char *name)
{
    for (size_t i = 0; i < N_KINDS; i++) {
        size_t n = 0;
        while (name[n] != '\0' && kinds[i].name[n] == lower(name[n])) {
            n++;
        }
        if (kinds[i].name[n] == '\0' && name[n] == '\0') {
            return &kinds[i];
        }
    }
    return NULL;
}

int32_t lf_rule_parse(const lfm2_convert_options *options, const lf_preset **out)
{
    const char *name = options->type != NULL ? options->type : "(none)";
    *out = lf_preset_find(name);
    return *out != NULL
               ? LFM2_OK
               : lf_fail(LFM2_E_ARGUMENT, "convert.type",
                         "type '%s' cannot be written: f32, f16, bf16, q8_0, q6_k, q5_k_m, "
                         "q5_k_s, q4_k_m, q4_k_s and q4_0 can",
                         name);
}

static bool ends_with(const char *name, const char *tail)
{
    size_t n = strlen(name);
    size_t t = strlen(tail);
    return n >= t && strcmp(name + n - t, tail) == 0;
}

/* Small tensors on which much depends stay F32 in every file. */
static bool always_f32(const char *name, uint32_t n_dims)
{
    return n_dims < 2 || !ends_with(name, ".weight") || ends_with(name, "_norm.weight") ||
           ends_with(name, "ffn_gate_inp.weight") || ends_with(name, "shortconv.conv.weight");
}

/* The head decides the logits directly. */
static bool is_head(const lf_rule *rule, const char *name)
{
    return strcmp(name, rule->tied ? "token_embd.weight" : "output.weight") == 0;
}

/* Number of the layer; -1 outside the layers. */
static long layer_of(const char *name)
{
    return strncmp(name, "blk.", 4) == 0 ? strtol(name + 4, NULL, 10) : -1;
}

/* How many attention layers come before `layer`; in all for n_layer. */
static long attention_before(const lf_hparams *h, long layer)
{
    long n = 0;
    for (long i = 0; i < layer && i < (long)h->n_layer; i++) {
        n += h->n_head_kv[i] > 0;
    }
    return n;
}

/* Layers that get more bits in the "medium" files: the first and the last eighth, and every third
 * between them. */
static bool wants_more_bits(long i, long n)
{
    return i < n / 8 || i >= 7 * n / 8 || (i - n / 8) % 3 == 2;
}

/* The matrices of a layer on which quality depends most, in the files that make a difference. */
static lf_type mixed_type(const lf_rule *rule, const char *name)
{
    const lf_preset *kind = rule->kind;
    const lf_hparams *h = rule->hparams;
    bool value = ends_with(name, "attn_v.weight");
    bool down = ends_with(name, "ffn_down.weight") || ends_with(name, "ffn_down_exps.weight");
    long layer = layer_of(name);
    long n = (long)h->n_layer;
    if (value) { /* counted among the attention layers */
        layer = attention_before(h, layer);
        n = attention_before(h, n);
    }
    if ((value || down) && kind->mix == LF_PRESET_MEDIUM) {
        return wants_more_bits(layer, n) ? LF_Q6_K : kind->type;
    }
    if ((value || down) && kind->mix == LF_PRESET_SMALL && kind->type == LF_Q4_K) {
        return layer < (value ? 4 : n / 8) ? LF_Q5_K : kind->type;
    }
    /* llama.cpp's special case for models with exactly 8 experts, as the one in lf_rule_type. */
    if (h->n_expert == 8 && kind->type == LF_Q4_K && ends_with(name, "attn_output.weight")) {
        return LF_Q5_K;
    }
    return kind->type;
}

static bool fits(lf_type type, uint64_t row)
{
    return row % lf_type_get((uint32_t)type)->block == 0;
}

/* What a K format is replaced by where rows are no multiple of 256. */
static lf_type small_blocks(lf_type type)
{
    switch ((int)type) {
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
    lf_type type = rule->kind->type;
    lf_quant_info form;
    if (always_f32(name, n_dims)) {
        return LF_F32;
    }
    if (lf_quant_info_of(type, &form) && type != LF_Q8_0) {
        bool kv = ends_with(name, "attn_k.weight") || ends_with(name, "attn_v.weight");
        if (is_head(rule, name)) {
            type = LF_Q6_K;
        } else if (kv && rule->hparams->n_expert == 8) {
            type = LF_Q8_0;
        } else {
            type = mixed_type(rule, name);
        }
    }
    if (!fits(type, row)) {
        type = small_blocks(type);
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

int32_t lf_rule_progress(const lfm2_convert_options *options, uint64_t done, uint64_t total)
{
    if (options->progress == NULL) {
        return LFM2_OK;
    }
    double part = total > 0 ? (double)done / (double)total : 1.0;
    if (options->progress(options->progress_user, part) != 0) {
        return lf_fail(LFM2_E_STOPPED, "convert.stopped", "stopped by the progress callback");
    }
    return LFM2_OK;
}
