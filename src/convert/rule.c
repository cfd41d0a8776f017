/* SPDX-License-Identifier: Apache-2.0 */
/* Owns the choice of each tensor's type and the tensors' order: llama.cpp's plain quantisation
 * without an importance matrix, measured on its output. */
#include "convert/rule.h"

#include <stdlib.h>
#include <string.h>

typedef struct file_kind {
    lf_type type;
    uint32_t file_type;
} file_kind;

static const file_kind kinds[] = {
    {LF_F32, 0}, {LF_F16, 1}, {LF_Q4_0, 2}, {LF_Q8_0, 7}, {LF_BF16, 32},
};
enum { N_KINDS = sizeof kinds / sizeof kinds[0] };

int32_t lf_rule_parse(const lfm2_convert_options *options, lf_type *out)
{
    const char *name = options->type;
    const lf_type_info *info = name != NULL ? lf_type_find(name) : NULL;
    for (size_t i = 0; info != NULL && i < N_KINDS; i++) {
        if (kinds[i].type == info->type) {
            *out = info->type;
            return LFM2_OK;
        }
    }
    return lf_fail(LFM2_E_ARGUMENT, "convert.type",
                   "type '%s' cannot be written: f32, f16, bf16, q8_0 and q4_0 can",
                   name != NULL ? name : "(none)");
}

uint32_t lf_rule_file_type(lf_type type)
{
    uint32_t file_type = 0;
    for (size_t i = 0; i < N_KINDS; i++) {
        if (kinds[i].type == type) {
            file_type = kinds[i].file_type;
        }
    }
    return file_type;
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

/* The head decides the logits directly: 6 bits instead of 4. */
static bool is_head(const lf_rule *rule, const char *name)
{
    return strcmp(name, rule->tied ? "token_embd.weight" : "output.weight") == 0;
}

lf_type lf_rule_type(const lf_rule *rule, const char *name, uint32_t n_dims, uint64_t row)
{
    if (always_f32(name, n_dims)) {
        return LF_F32;
    }
    lf_type type = rule->type;
    if (type == LF_Q4_0) {
        bool kv = ends_with(name, "attn_k.weight") || ends_with(name, "attn_v.weight");
        if (is_head(rule, name)) {
            type = row % lf_type_get(LF_Q6_K)->block == 0 ? LF_Q6_K : LF_Q8_0;
        } else if (kv && rule->n_expert == 8) {
            type = LF_Q8_0; /* llama.cpp's special case for models with exactly 8 experts */
        }
    }
    return row % lf_type_get((uint32_t)type)->block == 0 ? type : LF_F16;
}

/* Number of the layer; -1 outside the layers. */
static long layer_of(const char *name)
{
    return strncmp(name, "blk.", 4) == 0 ? strtol(name + 4, NULL, 10) : -1;
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
