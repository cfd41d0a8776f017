/* SPDX-License-Identifier: Apache-2.0 */
/* The metadata of written files: made from hyperparameters and a vocabulary, or copied from another
 * GGUF file. */
#include "convert/imatrix.h"
#include "convert/rule.h"

#include <stdio.h>
#include <string.h>

enum { KEY_MAX = 96, QUANTIZATION_VERSION = 2, GATING_SIGMOID = 2 };

/* Writes keys of the form "lfm2moe.block_count". */
typedef struct arch_keys {
    lf_gguf_writer *g;
    const char *arch;
} arch_keys;

static void full_key(const arch_keys *k, const char *key, char out[KEY_MAX])
{
    snprintf(out, KEY_MAX, "%s.%s", k->arch, key);
}

static int32_t arch_u32(const arch_keys *k, const char *key, uint32_t value)
{
    char full[KEY_MAX];
    full_key(k, key, full);
    return lf_gguf_u32(k->g, full, value);
}

static int32_t arch_f32(const arch_keys *k, const char *key, float value)
{
    char full[KEY_MAX];
    full_key(k, key, full);
    return lf_gguf_f32(k->g, full, value);
}

static int32_t text(lf_gguf_writer *g, const char *key, const char *value)
{
    return lf_gguf_string(g, key, value, strlen(value));
}

static int32_t attention(const arch_keys *k, const lf_hparams *h)
{
    LF_TRY(arch_u32(k, "attention.head_count", h->n_head));
    char full[KEY_MAX];
    full_key(k, "attention.head_count_kv", full);
    LF_TRY(lf_gguf_array(k->g, full, LF_GGUF_I32, h->n_layer));
    for (uint32_t i = 0; i < h->n_layer; i++) {
        LF_TRY(lf_gguf_put_i32(k->g, (int32_t)h->n_head_kv[i]));
    }
    LF_TRY(arch_f32(k, "rope.freq_base", h->rope_theta));
    LF_TRY(arch_f32(k, "attention.layer_norm_rms_epsilon", h->norm_eps));
    if ((uint64_t)h->head_dim * h->n_head != h->n_embd) {
        LF_TRY(arch_u32(k, "attention.key_length", h->head_dim));
        LF_TRY(arch_u32(k, "attention.value_length", h->head_dim));
    }
    return LFM2_OK;
}

static int32_t experts(const arch_keys *k, const lf_hparams *h)
{
    LF_TRY(arch_u32(k, "expert_count", h->n_expert));
    LF_TRY(arch_u32(k, "expert_used_count", h->n_expert_used));
    LF_TRY(arch_u32(k, "expert_feed_forward_length", h->n_ff_expert));
    LF_TRY(arch_u32(k, "leading_dense_block_count", h->n_dense));
    LF_TRY(arch_u32(k, "expert_gating_func", GATING_SIGMOID));
    if (h->expert_scale > 1.0f || h->expert_scale < 1.0f) {
        LF_TRY(arch_f32(k, "expert_weights_scale", h->expert_scale));
    }
    if (!h->norm_topk) {
        char full[KEY_MAX];
        full_key(k, "expert_weights_norm", full);
        LF_TRY(lf_gguf_bool(k->g, full, false));
    }
    return LFM2_OK;
}

int32_t lf_meta_model(lf_gguf_writer *g, const lf_hparams *h, const char *name)
{
    arch_keys k = {g, h->arch == LF_ARCH_LFM2MOE ? "lfm2moe" : "lfm2"};
    LF_TRY(text(g, "general.architecture", k.arch));
    LF_TRY(text(g, "general.type", "model"));
    LF_TRY(text(g, "general.name", name));
    LF_TRY(arch_u32(&k, "block_count", h->n_layer));
    LF_TRY(arch_u32(&k, "context_length", h->n_ctx_train));
    LF_TRY(arch_u32(&k, "embedding_length", h->n_embd));
    LF_TRY(arch_u32(&k, "feed_forward_length", h->n_ff));
    LF_TRY(attention(&k, h));
    if (h->arch == LF_ARCH_LFM2MOE) {
        LF_TRY(experts(&k, h));
    }
    LF_TRY(arch_u32(&k, "vocab_size", h->n_vocab));
    return arch_u32(&k, "shortconv.l_cache", h->conv_kernel);
}

/* ---- Vocabulary ---- */

static int32_t tokens(lf_gguf_writer *g, const lf_vocab_data *v)
{
    LF_TRY(lf_gguf_array(g, "tokenizer.ggml.tokens", LF_GGUF_STRING, v->n_tokens));
    for (uint32_t i = 0; i < v->n_tokens; i++) {
        const lf_vocab_token *t = &v->tokens[i];
        if (t->kind == LFM2_TOKEN_UNUSED && t->len == 0) {
            char name[24];
            int n = snprintf(name, sizeof name, "[PAD%u]", i);
            LF_TRY(lf_gguf_put_string(g, name, (size_t)n));
        } else {
            LF_TRY(lf_gguf_put_string(g, t->text, t->len));
        }
    }
    LF_TRY(lf_gguf_array(g, "tokenizer.ggml.token_type", LF_GGUF_I32, v->n_tokens));
    for (uint32_t i = 0; i < v->n_tokens; i++) {
        LF_TRY(lf_gguf_put_i32(g, v->tokens[i].kind));
    }
    return LFM2_OK;
}

static int32_t merges(lf_gguf_writer *g, const lf_vocab_data *v)
{
    enum { TOKEN_MAX = 512 };
    LF_TRY(lf_gguf_array(g, "tokenizer.ggml.merges", LF_GGUF_STRING, v->n_merges));
    for (uint32_t i = 0; i < v->n_merges; i++) {
        const lf_vocab_merge *m = &v->merges[i];
        char pair[2 * TOKEN_MAX + 1];
        if (m->left_len > TOKEN_MAX || m->right_len > TOKEN_MAX) {
            return lf_fail(LFM2_E_UNSUPPORTED, "convert.merge",
                           "%s: merge %u: a token is longer than %d bytes, the limit", v->name, i,
                           TOKEN_MAX);
        }
        memcpy(pair, m->left, m->left_len);
        pair[m->left_len] = ' ';
        memcpy(pair + m->left_len + 1, m->right, m->right_len);
        LF_TRY(lf_gguf_put_string(g, pair, (size_t)m->left_len + m->right_len + 1));
    }
    return LFM2_OK;
}

static int32_t token_id(lf_gguf_writer *g, const char *key, int32_t id)
{
    return id >= 0 ? lf_gguf_u32(g, key, (uint32_t)id) : LFM2_OK;
}

/* GGUF has keys for two end tokens beside EOS. */
static int32_t end_ids(lf_gguf_writer *g, const lf_vocab_data *v)
{
    static const char *const keys[] = {"tokenizer.ggml.eot_token_id",
                                       "tokenizer.ggml.eom_token_id"};
    size_t n = 0;
    for (uint32_t i = 0; i < v->ends.n && n < sizeof keys / sizeof keys[0]; i++) {
        if (v->ends.ids[i] != v->eos_id) {
            LF_TRY(token_id(g, keys[n++], v->ends.ids[i]));
        }
    }
    return LFM2_OK;
}

int32_t lf_meta_sampling(lf_gguf_writer *g, const lf_sampling *s)
{
    if (!s->from_file) {
        return LFM2_OK;
    }
    LF_TRY(lf_gguf_f32(g, "general.sampling.temp", s->temperature));
    LF_TRY(lf_gguf_u32(g, "general.sampling.top_k", (uint32_t)s->top_k));
    LF_TRY(lf_gguf_f32(g, "general.sampling.top_p", s->top_p));
    LF_TRY(lf_gguf_f32(g, "general.sampling.min_p", s->min_p));
    return lf_gguf_f32(g, "general.sampling.penalty_repeat", s->repetition_penalty);
}

/* The template "default" is tokenizer.chat_template. Each other one has its own key; a list has
 * their names. */
static int32_t templates(lf_gguf_writer *g, const lf_vocab_data *v)
{
    uint32_t named = 0;
    for (uint32_t i = 0; i < v->n_templates; i++) {
        const lf_vocab_template *t = &v->templates[i];
        char key[KEY_MAX] = "tokenizer.chat_template";
        if (strcmp(t->name, "default") != 0) {
            snprintf(key, sizeof key, "tokenizer.chat_template.%s", t->name);
            named++;
        }
        LF_TRY(lf_gguf_string(g, key, t->text, t->len));
    }
    if (named == 0) {
        return LFM2_OK;
    }
    LF_TRY(lf_gguf_array(g, "tokenizer.chat_templates", LF_GGUF_STRING, named));
    for (uint32_t i = 0; i < v->n_templates; i++) {
        const char *name = v->templates[i].name;
        if (strcmp(name, "default") != 0) {
            LF_TRY(lf_gguf_put_string(g, name, strlen(name)));
        }
    }
    return LFM2_OK;
}

int32_t lf_meta_vocab(lf_gguf_writer *g, const lf_vocab_data *v)
{
    if (v->n_tokens == 0) {
        return LFM2_OK;
    }
    LF_TRY(text(g, "tokenizer.ggml.model", "gpt2"));
    LF_TRY(text(g, "tokenizer.ggml.pre", "lfm2"));
    LF_TRY(tokens(g, v));
    LF_TRY(merges(g, v));
    LF_TRY(token_id(g, "tokenizer.ggml.bos_token_id", v->bos_id));
    LF_TRY(token_id(g, "tokenizer.ggml.eos_token_id", v->eos_id));
    LF_TRY(token_id(g, "tokenizer.ggml.padding_token_id", v->pad_id));
    LF_TRY(end_ids(g, v));
    LF_TRY(lf_gguf_bool(g, "tokenizer.ggml.add_bos_token", v->add_bos));
    LF_TRY(lf_gguf_bool(g, "tokenizer.ggml.add_sep_token", false));
    LF_TRY(lf_gguf_bool(g, "tokenizer.ggml.add_eos_token", false));
    return templates(g, v);
}

/* ---- Copying ---- */

static bool key_is(const lf_gguf_value *value, const char *name)
{
    return value->key_len == strlen(name) && memcmp(value->key, name, value->key_len) == 0;
}

/* Whether a key describes the old file instead of the model. */
static bool describes_file(const lf_gguf_value *value)
{
    static const char *const keys[] = {
        "general.file_type",
        "general.quantization_version",
        "general.alignment",
        "split.no",
        "split.count",
        "split.tensors.count",
        "quantize.imatrix.file",
        "quantize.imatrix.dataset",
        "quantize.imatrix.entries_count",
        "quantize.imatrix.chunks_count",
    };
    for (size_t i = 0; i < sizeof keys / sizeof keys[0]; i++) {
        if (key_is(value, keys[i])) {
            return true;
        }
    }
    return false;
}

int32_t lf_meta_copy(lf_gguf_writer *g, const lf_gguf *old)
{
    for (uint32_t i = 0; i < old->n_values; i++) {
        if (!describes_file(&old->values[i])) {
            LF_TRY(lf_gguf_copy(g, &old->values[i]));
        }
    }
    return LFM2_OK;
}

int32_t lf_meta_file(lf_gguf_writer *g, const lf_preset *preset)
{
    LF_TRY(lf_gguf_u32(g, "general.quantization_version", QUANTIZATION_VERSION));
    return lf_gguf_u32(g, "general.file_type", preset->ftype);
}

/* llama-quantize keeps as many bytes of a text. */
enum { SHORT_TEXT = 127 };

static int32_t short_text(lf_gguf_writer *g, const char *key, const char *value, size_t len)
{
    size_t n = 0;
    while (n < len && n < SHORT_TEXT && value[n] != '\0') {
        n++;
    }
    return lf_gguf_string(g, key, value, n);
}

int32_t lf_meta_imatrix(lf_gguf_writer *g, const lf_imatrix *imatrix)
{
    if (imatrix == NULL) {
        return LFM2_OK;
    }
    const char *path = imatrix->file.path;
    LF_TRY(short_text(g, "quantize.imatrix.file", path, strlen(path)));
    if (imatrix->dataset != NULL) {
        LF_TRY(short_text(g, "quantize.imatrix.dataset", imatrix->dataset, imatrix->dataset_len));
    }
    LF_TRY(lf_gguf_u32(g, "quantize.imatrix.entries_count", imatrix->n_entries));
    if (imatrix->n_chunks > 0 && imatrix->n_chunks <= INT32_MAX) {
        return lf_gguf_u32(g, "quantize.imatrix.chunks_count", imatrix->n_chunks);
    }
    return LFM2_OK;
}
