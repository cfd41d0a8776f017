/* SPDX-License-Identifier: Apache-2.0 */
/* Writes the tiny model that tests of loading use, in both containers. */
#include "support/tiny_files.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum {
    WIDTH = 32,
    HEADS = 4,
    HEADS_KV = 2,
    HEAD = 8,
    FF = 64,
    FF_EXPERT = 32,
    EXPERTS = 4,
    USED = 2,
    TAPS = 3,
    ATTENTION = 1, /* the one attention layer */
    MAX_TENSORS = 64,
    SPECIALS = 8,
    NAME = 96
};

/* ---- Vocabulary: 8 control tokens, 256 bytes, 4 merged tokens, 1 user token, placeholders ---- */

static const char *const specials[SPECIALS] = {"<|pad|>",      "<|startoftext|>", "<|endoftext|>",
                                               "<|fim_pre|>",  "<|fim_mid|>",     "<|fim_suf|>",
                                               "<|im_start|>", "<|im_end|>"};
static const char *const pieces[TINY_MERGES] = {"ab", "cd", "abcd", "\304\240a"};
static const char *const merges[TINY_MERGES] = {"a b", "c d", "ab cd", "\304\240 a"};

typedef struct vocab {
    char text[TINY_VOCAB][24];
    const char *list[TINY_VOCAB];
    int32_t kinds[TINY_VOCAB];
} vocab;

/* The printable character that represents a byte in byte-level BPE, as UTF-8. */
static void byte_text(unsigned byte, char out[24])
{
    unsigned c = 0x100;
    for (unsigned i = 0; i <= byte; i++) {
        bool itself = (i >= 0x21 && i <= 0x7E) || (i >= 0xA1 && i <= 0xAC) || i >= 0xAE;
        if (i == byte) {
            c = itself ? byte : c;
            break;
        }
        c += !itself;
    }
    if (c < 0x80) {
        snprintf(out, 24, "%c", (char)c);
    } else {
        snprintf(out, 24, "%c%c", (char)(0xC0 | c >> 6), (char)(0x80 | (c & 0x3F)));
    }
}

static void make_vocab(vocab *v)
{
    for (int i = 0; i < TINY_VOCAB; i++) {
        int piece = i - SPECIALS - 256;
        v->list[i] = v->text[i];
        v->kinds[i] = 1;
        if (i < SPECIALS) {
            snprintf(v->text[i], 24, "%s", specials[i]);
            v->kinds[i] = 3;
        } else if (piece < 0) {
            byte_text((unsigned)(i - SPECIALS), v->text[i]);
        } else if (piece < TINY_MERGES) {
            snprintf(v->text[i], 24, "%s", pieces[piece]);
        } else if (piece == TINY_MERGES) {
            snprintf(v->text[i], 24, "python");
            v->kinds[i] = 4;
        } else {
            snprintf(v->text[i], 24, "[PAD%d]", i);
            v->kinds[i] = 5;
        }
    }
}

/* ---- Tensors ---- */

typedef struct tensor {
    char gguf[NAME];
    char hf[NAME]; /* with one %d for the expert if dims[2] is set */
    uint32_t n_dims;
    uint64_t dims[4];
} tensor;

static void add(tensor *list, int *n, int layer, const char *gguf, const char *hf, uint64_t d0,
                uint64_t d1, uint64_t d2)
{
    tensor *t = &list[(*n)++];
    *t = (tensor){.n_dims = d2 > 0 ? 3 : d1 > 0 ? 2 : 1, .dims = {d0, d1, d2, 0}};
    if (layer < 0) {
        snprintf(t->gguf, NAME, "%s", gguf);
        snprintf(t->hf, NAME, "%s", hf);
    } else {
        snprintf(t->gguf, NAME, "blk.%d.%s", layer, gguf);
        snprintf(t->hf, NAME, "model.layers.%d.%s", layer, hf);
    }
}

static void add_layer(tensor *t, int *n, int l, bool moe)
{
    add(t, n, l, "attn_norm.weight", "operator_norm.weight", WIDTH, 0, 0);
    add(t, n, l, "ffn_norm.weight", "ffn_norm.weight", WIDTH, 0, 0);
    if (l == ATTENTION) {
        add(t, n, l, "attn_q.weight", "self_attn.q_proj.weight", WIDTH, WIDTH, 0);
        add(t, n, l, "attn_k.weight", "self_attn.k_proj.weight", WIDTH, HEADS_KV * HEAD, 0);
        add(t, n, l, "attn_v.weight", "self_attn.v_proj.weight", WIDTH, HEADS_KV * HEAD, 0);
        add(t, n, l, "attn_q_norm.weight", "self_attn.q_layernorm.weight", HEAD, 0, 0);
        add(t, n, l, "attn_k_norm.weight", "self_attn.k_layernorm.weight", HEAD, 0, 0);
        add(t, n, l, "attn_output.weight", "self_attn.out_proj.weight", WIDTH, WIDTH, 0);
    } else {
        add(t, n, l, "shortconv.in_proj.weight", "conv.in_proj.weight", WIDTH, 3 * WIDTH, 0);
        add(t, n, l, "shortconv.conv.weight", "conv.conv.weight", TAPS, WIDTH, 0);
        add(t, n, l, "shortconv.out_proj.weight", "conv.out_proj.weight", WIDTH, WIDTH, 0);
    }
    if (!moe || l == 0) {
        add(t, n, l, "ffn_gate.weight", "feed_forward.w1.weight", WIDTH, FF, 0);
        add(t, n, l, "ffn_up.weight", "feed_forward.w3.weight", WIDTH, FF, 0);
        add(t, n, l, "ffn_down.weight", "feed_forward.w2.weight", FF, WIDTH, 0);
        return;
    }
    add(t, n, l, "ffn_gate_inp.weight", "feed_forward.gate.weight", WIDTH, EXPERTS, 0);
    add(t, n, l, "exp_probs_b.bias", "feed_forward.expert_bias", EXPERTS, 0, 0);
    add(t, n, l, "ffn_gate_exps.weight", "feed_forward.experts.%d.w1.weight", WIDTH, FF_EXPERT,
        EXPERTS);
    add(t, n, l, "ffn_up_exps.weight", "feed_forward.experts.%d.w3.weight", WIDTH, FF_EXPERT,
        EXPERTS);
    add(t, n, l, "ffn_down_exps.weight", "feed_forward.experts.%d.w2.weight", FF_EXPERT, WIDTH,
        EXPERTS);
}

static int make_tensors(tensor *t, bool moe, bool untied)
{
    int n = 0;
    add(t, &n, -1, "token_embd.weight", "model.embed_tokens.weight", WIDTH, TINY_VOCAB, 0);
    for (int l = 0; l < TINY_LAYERS; l++) {
        add_layer(t, &n, l, moe);
    }
    add(t, &n, -1, "token_embd_norm.weight", "model.embedding_norm.weight", WIDTH, 0, 0);
    if (untied) {
        add(t, &n, -1, "output.weight", "lm_head.weight", WIDTH, TINY_VOCAB, 0);
    }
    return n;
}

static uint64_t elements(const uint64_t *dims, uint32_t n_dims)
{
    uint64_t n = 1;
    for (uint32_t d = 0; d < n_dims; d++) {
        n *= dims[d];
    }
    return n;
}

/* The bytes of the tensor with this GGUF name, from byte `first` on. */
static void fill(uint8_t *out, const char *name, uint64_t first, uint64_t n)
{
    uint32_t seed = 17;
    for (const char *p = name; *p != '\0'; p++) {
        seed = seed * 31 + (uint8_t)*p;
    }
    for (uint64_t i = 0; i < n; i++) {
        out[i] = (uint8_t)((seed + (first + i) * 2654435761u) >> 13);
    }
}

/* ---- GGUF ---- */

static bool left_out(const tiny_change *c, const char *name)
{
    return c->skip != NULL && strcmp(c->skip, name) == 0;
}

static void key_u32(gguf_builder *b, const tiny_change *c, const char *key, uint32_t value)
{
    bool changed = c->key != NULL && strcmp(c->key, key) == 0;
    if (!left_out(c, key)) {
        gb_u32(b, key, changed ? c->value : value);
    }
}

static void arch_u32(gguf_builder *b, const tiny_change *c, bool moe, const char *key,
                     uint32_t value)
{
    char text[NAME];
    snprintf(text, sizeof text, "%s.%s", moe ? "lfm2moe" : "lfm2", key);
    key_u32(b, c, text, value);
}

static void add_hparams(gguf_builder *b, const tiny_change *c, bool moe)
{
    static const int32_t heads_kv[TINY_LAYERS] = {0, HEADS_KV, 0};
    char text[NAME];
    if (!left_out(c, "general.architecture")) {
        gb_string(b, "general.architecture", moe ? "lfm2moe" : "lfm2");
    }
    gb_string(b, "general.name", "tiny");
    arch_u32(b, c, moe, "block_count", TINY_LAYERS);
    arch_u32(b, c, moe, "context_length", 1000);
    arch_u32(b, c, moe, "embedding_length", WIDTH);
    arch_u32(b, c, moe, "feed_forward_length", FF);
    arch_u32(b, c, moe, "attention.head_count", HEADS);
    arch_u32(b, c, moe, "shortconv.l_cache", TAPS);
    arch_u32(b, c, moe, "vocab_size", TINY_VOCAB);
    snprintf(text, sizeof text, "%s.attention.head_count_kv", moe ? "lfm2moe" : "lfm2");
    if (!left_out(c, text)) {
        gb_i32s(b, text, heads_kv, TINY_LAYERS);
    }
    snprintf(text, sizeof text, "%s.attention.layer_norm_rms_epsilon", moe ? "lfm2moe" : "lfm2");
    if (!left_out(c, text)) {
        gb_f32(b, text, 1e-5F);
    }
    snprintf(text, sizeof text, "%s.rope.freq_base", moe ? "lfm2moe" : "lfm2");
    if (!left_out(c, text)) {
        gb_f32(b, text, 1e6F);
    }
    if (moe) {
        key_u32(b, c, "lfm2moe.expert_count", EXPERTS);
        key_u32(b, c, "lfm2moe.expert_used_count", USED);
        key_u32(b, c, "lfm2moe.expert_feed_forward_length", FF_EXPERT);
        key_u32(b, c, "lfm2moe.leading_dense_block_count", 1);
        key_u32(b, c, "lfm2moe.expert_gating_func", 2);
    }
    if (c->key != NULL && strncmp(c->key, "extra.", 6) == 0) {
        gb_u32(b, c->key + 6, c->value); /* a key that the model does not have */
    }
}

static void add_vocab(gguf_builder *b, const tiny_change *c)
{
    static vocab v;
    make_vocab(&v);
    gb_string(b, "tokenizer.ggml.model", "gpt2");
    if (!left_out(c, "tokenizer.ggml.pre")) {
        gb_string(b, "tokenizer.ggml.pre", "lfm2");
    }
    gb_strings(b, "tokenizer.ggml.tokens", v.list, TINY_VOCAB);
    if (!left_out(c, "tokenizer.ggml.token_type")) {
        gb_i32s(b, "tokenizer.ggml.token_type", v.kinds, TINY_VOCAB);
    }
    if (!left_out(c, "tokenizer.ggml.merges")) {
        gb_strings(b, "tokenizer.ggml.merges", merges, TINY_MERGES);
    }
    key_u32(b, c, "tokenizer.ggml.bos_token_id", 1);
    key_u32(b, c, "tokenizer.ggml.eos_token_id", 7);
    key_u32(b, c, "tokenizer.ggml.padding_token_id", 0);
    gb_bool(b, "tokenizer.ggml.add_bos_token", true);
    gb_string(b, "tokenizer.chat_template", "{{ bos_token }}");
}

void tiny_gguf(gguf_builder *b, bool moe, const tiny_change *change)
{
    static const tiny_change none;
    const tiny_change *c = change != NULL ? change : &none;
    tensor list[MAX_TENSORS];
    int n = make_tensors(list, moe, c->untied);
    gb_init(b);
    add_hparams(b, c, moe);
    if (!c->no_vocab) {
        add_vocab(b, c);
    }
    for (int i = 0; i < n; i++) {
        const tensor *t = &list[i];
        bool changed = c->tensor != NULL && strcmp(c->tensor, t->gguf) == 0;
        const uint64_t *dims = changed && c->dims[0] > 0 ? c->dims : t->dims;
        uint32_t n_dims = t->n_dims;
        if (dims == c->dims) {
            for (n_dims = 1; n_dims < 4 && dims[n_dims] > 0; n_dims++) {
            }
        }
        if (left_out(c, t->gguf)) {
            continue;
        }
        uint64_t bytes = elements(dims, n_dims) * 4; /* enough for every type */
        gb_tensor(b, t->gguf, changed ? c->type : 0, n_dims, dims, bytes);
        fill(gb_last_data(b, bytes), t->gguf, 0, bytes);
    }
    if (c->extra != NULL) {
        gb_tensor(b, c->extra, 0, 1, (const uint64_t[]){4}, 16);
    }
}

/* ---- Hugging Face ---- */

typedef struct text {
    char *data;
    size_t size;
    FILE *stream;
} text;

static void text_open(text *t)
{
    t->stream = open_memstream(&t->data, &t->size);
    if (t->stream == NULL) {
        abort();
    }
}

static char *text_close(text *t)
{
    if (fclose(t->stream) != 0) {
        abort();
    }
    return t->data;
}

static char *make_config(bool moe)
{
    text t;
    text_open(&t);
    fprintf(t.stream,
            "{\"architectures\": [\"%s\"], \"model_type\": \"%s\", \"hidden_size\": %d, "
            "\"num_hidden_layers\": %d, \"num_attention_heads\": %d, \"num_key_value_heads\": %d, "
            "\"layer_types\": [\"conv\", \"full_attention\", \"conv\"], \"conv_L_cache\": %d, "
            "\"conv_bias\": false, \"norm_eps\": 1e-05, \"rope_theta\": 1000000.0, "
            "\"max_position_embeddings\": 1000, \"vocab_size\": %d, \"bos_token_id\": 1, "
            "\"eos_token_id\": 7, \"pad_token_id\": 0, \"tie_word_embeddings\": true, ",
            moe ? "Lfm2MoeForCausalLM" : "Lfm2ForCausalLM", moe ? "lfm2_moe" : "lfm2", WIDTH,
            TINY_LAYERS, HEADS, HEADS_KV, TAPS, TINY_VOCAB);
    if (moe) {
        fprintf(
            t.stream,
            "\"intermediate_size\": %d, \"moe_intermediate_size\": %d, \"num_dense_layers\": 1, "
            "\"num_experts\": %d, \"num_experts_per_tok\": %d, \"norm_topk_prob\": true, "
            "\"use_expert_bias\": true, \"routed_scaling_factor\": 1.0}",
            FF, FF_EXPERT, EXPERTS, USED);
    } else { /* 2/3 of 90 is 60, rounded up to a multiple of 32: 64 */
        fprintf(t.stream, "\"intermediate_size\": 90, \"block_auto_adjust_ff_dim\": true, "
                          "\"block_ffn_dim_multiplier\": 1.0, \"block_multiple_of\": 32}");
    }
    return text_close(&t);
}

static void json_string(FILE *f, const char *s)
{
    fputc('"', f);
    for (; *s != '\0'; s++) {
        if (*s == '"' || *s == '\\') {
            fputc('\\', f);
        }
        fputc(*s, f);
    }
    fputc('"', f);
}

static void json_added(FILE *f, const vocab *v, int id, bool first)
{
    fprintf(f, "%s{\"id\": %d, \"content\": ", first ? "" : ", ", id);
    json_string(f, v->text[id]);
    fprintf(
        f,
        ", \"single_word\": false, \"lstrip\": false, \"rstrip\": false, \"normalized\": false, "
        "\"special\": %s}",
        v->kinds[id] == 3 ? "true" : "false");
}

static char *make_tokenizer(void)
{
    static vocab v;
    text t;
    make_vocab(&v);
    text_open(&t);
    fprintf(t.stream, "{\"version\": \"1.0\", \"added_tokens\": [");
    for (int i = 0; i < TINY_VOCAB; i++) {
        if (v.kinds[i] == 3 || v.kinds[i] == 4) {
            json_added(t.stream, &v, i, i == 0);
        }
    }
    fprintf(
        t.stream,
        "], \"normalizer\": null, \"pre_tokenizer\": {\"type\": \"Sequence\", "
        "\"pretokenizers\": [{\"type\": \"Split\", \"pattern\": {\"Regex\": "
        "\"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\\\\r\\\\n\\\\p{L}\\\\p{N}]?\\\\p{L}+|\\\\p{N}{1,3}| "
        "?[^\\\\s\\\\p{L}\\\\p{N}]+[\\\\r\\\\n]*|\\\\s*[\\\\r\\\\n]+|\\\\s+(?!\\\\S)|\\\\s+\"}, "
        "\"behavior\": \"Isolated\", \"invert\": false}, {\"type\": \"ByteLevel\", "
        "\"add_prefix_space\": false, \"trim_offsets\": true, \"use_regex\": false}]}, "
        "\"post_processor\": {\"type\": \"TemplateProcessing\", \"single\": [{\"SpecialToken\": "
        "{\"id\": \"<|startoftext|>\", \"type_id\": 0}}, {\"Sequence\": {\"id\": \"A\", "
        "\"type_id\": 0}}], \"pair\": [], \"special_tokens\": {\"<|startoftext|>\": {\"id\": "
        "\"<|startoftext|>\", \"ids\": [1], \"tokens\": [\"<|startoftext|>\"]}}}, "
        "\"decoder\": {\"type\": \"ByteLevel\"}, \"model\": {\"type\": \"BPE\", \"dropout\": "
        "null, \"unk_token\": null, \"byte_fallback\": false, \"ignore_merges\": false, "
        "\"vocab\": {");
    for (int i = 0; i < SPECIALS + 256 + TINY_MERGES; i++) {
        fprintf(t.stream, "%s", i == 0 ? "" : ", ");
        json_string(t.stream, v.text[i]);
        fprintf(t.stream, ": %d", i);
    }
    fprintf(t.stream, "}, \"merges\": [");
    for (int i = 0; i < TINY_MERGES; i++) {
        fprintf(t.stream, "%s\"%s\"", i == 0 ? "" : ", ", merges[i]);
    }
    fprintf(t.stream, "]}}");
    return text_close(&t);
}

/* One entry of the header; the data is appended. With `mlx` an entry has all experts. */
static void add_entry(tiny_folder *f, FILE *out, const tensor *t, const char *name, uint64_t first,
                      uint64_t bytes, bool mlx)
{
    fprintf(out, "%s\"%s\": {\"dtype\": \"F32\", \"shape\": [", f->n_data == 0 ? "" : ", ", name);
    if (strstr(t->hf, "conv.conv") != NULL) {
        fprintf(out, mlx ? "%d, %d, 1" : "%d, 1, %d", WIDTH, TAPS);
    } else if (mlx && t->n_dims == 3) {
        fprintf(out, "%d, %d, %d", EXPERTS, (int)t->dims[1], (int)t->dims[0]);
    } else if (t->n_dims == 1) {
        fprintf(out, "%d", (int)t->dims[0]);
    } else {
        fprintf(out, "%d, %d", (int)t->dims[1], (int)t->dims[0]);
    }
    fprintf(out, "], \"data_offsets\": [%zu, %zu]}", f->n_data, f->n_data + (size_t)bytes);
    f->data = realloc(f->data, f->n_data + (size_t)bytes);
    if (f->data == NULL) {
        abort();
    }
    fill(f->data + f->n_data, t->gguf, first, bytes);
    f->n_data += (size_t)bytes;
}

/* The name of a tensor in the folder. */
static void folder_name(const tensor *t, uint64_t expert, bool mlx, char name[NAME])
{
    static const char *const roles[][2] = {{"w1.weight", "gate_proj.weight"},
                                           {"w3.weight", "up_proj.weight"},
                                           {"w2.weight", "down_proj.weight"}};
    char *mark = strstr(t->hf, "%d");
    const char *role = strstr(t->hf, ".w");
    snprintf(name, NAME, "%s", t->hf);
    if (mark != NULL && !mlx) {
        snprintf(name + (mark - t->hf), NAME - (size_t)(mark - t->hf), "%d%s", (int)expert,
                 mark + 2);
    }
    for (size_t i = 0; mlx && i < sizeof roles / sizeof roles[0]; i++) {
        if (role != NULL && strcmp(role + 1, roles[i][0]) == 0) {
            int layer = t->hf[strlen("model.layers.")] - '0';
            snprintf(name, NAME, "model.layers.%d.feed_forward.%s%s", layer,
                     mark != NULL ? "switch_mlp." : "", roles[i][1]);
        }
    }
}

static void init_folder(tiny_folder *f, bool moe, bool mlx)
{
    tensor list[MAX_TENSORS];
    int n = make_tensors(list, moe, false);
    text t;
    *f = (tiny_folder){.n_data = 0};
    text_open(&t);
    fputc('{', t.stream);
    for (int i = 0; i < n; i++) {
        const tensor *p = &list[i];
        uint64_t experts = p->n_dims == 3 && !mlx ? p->dims[2] : 1;
        uint64_t bytes = elements(p->dims, p->n_dims) / experts * 4;
        for (uint64_t e = 0; e < experts; e++) {
            char name[NAME];
            folder_name(p, e, mlx, name);
            add_entry(f, t.stream, p, name, e * bytes, bytes, mlx);
        }
    }
    fprintf(t.stream, ", \"__metadata__\": {\"format\": \"pt\"}}");
    f->header = text_close(&t);
    f->config = make_config(moe);
    f->tokenizer = make_tokenizer();
    text_open(&t);
    fprintf(t.stream, "{\"add_bos_token\": true, \"bos_token\": \"<|startoftext|>\", "
                      "\"eos_token\": {\"content\": \"<|im_end|>\"}, \"pad_token\": \"<|pad|>\", "
                      "\"chat_template\": \"{{ bos_token }}\"}");
    f->settings = text_close(&t);
}

void tiny_folder_init(tiny_folder *f, bool moe)
{
    init_folder(f, moe, false);
}

void tiny_folder_init_mlx(tiny_folder *f, bool moe)
{
    init_folder(f, moe, true);
}

void tiny_folder_free(tiny_folder *f)
{
    free(f->config);
    free(f->tokenizer);
    free(f->settings);
    free(f->header);
    free(f->data);
    *f = (tiny_folder){.n_data = 0};
}

static void write_text(const char *folder, const char *name, const char *content)
{
    char path[1024];
    snprintf(path, sizeof path, "%s/%s", folder, name);
    if (content != NULL) {
        gb_write(path, content, strlen(content));
    } else {
        unlink(path);
    }
}

void tiny_safetensors(const char *path, const char *header, const void *data, size_t n_data)
{
    size_t n = strlen(header);
    size_t padded = (n + 7) / 8 * 8;
    uint8_t *all = calloc(8 + padded + n_data, 1);
    if (all == NULL) {
        abort();
    }
    for (int i = 0; i < 8; i++) {
        all[i] = (uint8_t)((uint64_t)padded >> (8 * i));
    }
    memset(all + 8, ' ', padded);
    memcpy(all + 8, header, n);
    if (n_data > 0) {
        memcpy(all + 8 + padded, data, n_data);
    }
    gb_write(path, all, 8 + padded + n_data);
    free(all);
}

void tiny_folder_write(const tiny_folder *f, const char *folder)
{
    mkdir(folder, 0700);
    write_text(folder, "config.json", f->config);
    write_text(folder, "tokenizer.json", f->tokenizer);
    write_text(folder, "tokenizer_config.json", f->settings);
    char path[1024];
    snprintf(path, sizeof path, "%s/model.safetensors", folder);
    if (f->header != NULL) {
        tiny_safetensors(path, f->header, f->data, f->n_data);
    } else {
        unlink(path);
    }
}

void tiny_replace(char **where, const char *from, const char *to)
{
    char *at = strstr(*where, from);
    if (at == NULL) {
        fprintf(stderr, "'%s' is not in the text\n", from);
        abort();
    }
    text t;
    text_open(&t);
    fprintf(t.stream, "%.*s%s%s", (int)(at - *where), *where, to, at + strlen(from));
    free(*where);
    *where = text_close(&t);
}
