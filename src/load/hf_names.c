/* SPDX-License-Identifier: Apache-2.0 */
/* Translation of Hugging Face tensors to GGUF's names, order of dimensions and stacked experts. */
#include "load/hf.h"

#include <stdio.h>
#include <string.h>

static const struct {
    const char *hf;
    const char *gguf;
} whole_names[] = {
    {"embed_tokens.weight", "token_embd.weight"},
    {"embedding_norm.weight", "token_embd_norm.weight"},
};

static const char head_name[] = "lm_head.weight";
static const char head_gguf[] = "output.weight";

static const char conv_kernel[] = "conv.conv.weight";

/* Names after "layers.N." and "blk.N.". MLX has the last three for dense layers of models with
 * experts. */
static const struct {
    const char *hf;
    const char *gguf;
} layer_names[] = {
    {"operator_norm.weight", "attn_norm.weight"},
    {"ffn_norm.weight", "ffn_norm.weight"},
    {"conv.in_proj.weight", "shortconv.in_proj.weight"},
    {conv_kernel, "shortconv.conv.weight"},
    {"conv.out_proj.weight", "shortconv.out_proj.weight"},
    {"self_attn.q_proj.weight", "attn_q.weight"},
    {"self_attn.k_proj.weight", "attn_k.weight"},
    {"self_attn.v_proj.weight", "attn_v.weight"},
    {"self_attn.q_layernorm.weight", "attn_q_norm.weight"},
    {"self_attn.k_layernorm.weight", "attn_k_norm.weight"},
    {"self_attn.out_proj.weight", "attn_output.weight"},
    {"feed_forward.w1.weight", "ffn_gate.weight"},
    {"feed_forward.w3.weight", "ffn_up.weight"},
    {"feed_forward.w2.weight", "ffn_down.weight"},
    {"feed_forward.gate.weight", "ffn_gate_inp.weight"},
    {"feed_forward.expert_bias", "exp_probs_b.bias"},
    {"feed_forward.gate_proj.weight", "ffn_gate.weight"},
    {"feed_forward.up_proj.weight", "ffn_up.weight"},
    {"feed_forward.down_proj.weight", "ffn_down.weight"},
};

/* Names of the experts' matrices: "feed_forward.experts.E." + hf; MLX stacks them itself. */
enum { GATE, UP, DOWN, ROLES };
static const struct {
    const char *hf;
    const char *mlx;
    const char *gguf;
} expert_names[ROLES] = {
    [GATE] = {"w1.weight", "feed_forward.switch_mlp.gate_proj.weight", "ffn_gate_exps.weight"},
    [UP] = {"w3.weight", "feed_forward.switch_mlp.up_proj.weight", "ffn_up_exps.weight"},
    [DOWN] = {"w2.weight", "feed_forward.switch_mlp.down_proj.weight", "ffn_down_exps.weight"},
};

static const char experts_prefix[] = "feed_forward.experts.";

/* The experts' matrices found so far for one GGUF tensor. */
typedef struct stack {
    lf_place *places; /* [n_expert], offset 0: not found yet */
    uint32_t count;
    lf_tensor tensor; /* as of one expert */
} stack;

typedef struct translator {
    lf_source *source;
    lf_tensor *out;
    uint32_t n_out;
    stack (*stacks)[ROLES];   /* [n_layer] */
    const lf_st_tensor *head; /* a stored lm_head.weight */
    bool vision;
    uint32_t n_vision; /* tensors of the vision part */
} translator;

/* ---- Names ---- */

/* Reads a decimal number below `limit`, without leading zeros and followed by a dot; advances past
 * the dot. */
static bool take_number(const char **text, uint32_t limit, uint32_t *out)
{
    const char *p = *text;
    uint32_t v = 0;
    int digits = 0;
    for (; *p >= '0' && *p <= '9' && digits < 7; p++, digits++) {
        v = v * 10 + (uint32_t)(*p - '0');
    }
    if (digits == 0 || (digits > 1 && **text == '0') || *p != '.' || v >= limit) {
        return false;
    }
    *text = p + 1;
    *out = v;
    return true;
}

static bool take_prefix(const char **text, const char *prefix)
{
    size_t n = strlen(prefix);
    if (strncmp(*text, prefix, n) != 0) {
        return false;
    }
    *text += n;
    return true;
}

/* Buffers that some models store with their weights and that no computation needs. */
static bool ignored(const char *name)
{
    static const char buffer[] = "rotary_emb.inv_freq";
    size_t n = strlen(name);
    size_t m = sizeof buffer - 1;
    return n >= m && strcmp(name + n - m, buffer) == 0;
}

/* Writes the folder's name for the suffix of a layer's tensor; false if there is none. */
static bool show_layer(const lf_source *source, uint32_t layer, const char *suffix, char *buffer)
{
    for (size_t i = 0; i < sizeof layer_names / sizeof layer_names[0]; i++) {
        if (strcmp(suffix, layer_names[i].gguf) == 0) {
            snprintf(buffer, LF_SHOWN_NAME, "%slayers.%u.%s", source->hf_prefix, layer,
                     layer_names[i].hf);
            return true;
        }
    }
    for (size_t i = 0; i < ROLES; i++) {
        if (strcmp(suffix, expert_names[i].gguf) == 0) {
            snprintf(buffer, LF_SHOWN_NAME, "%slayers.%u.%s*.%s", source->hf_prefix, layer,
                     experts_prefix, expert_names[i].hf);
            return true;
        }
    }
    return false;
}

const char *lf_tensor_shown(const lf_source *source, const char *name, char buffer[LF_SHOWN_NAME])
{
    const char *rest = name;
    uint32_t layer = 0;
    if (!source->hugging_face) {
        return name;
    }
    if (take_prefix(&rest, "blk.") && take_number(&rest, LF_MAX_LAYERS, &layer) &&
        show_layer(source, layer, rest, buffer)) {
        return buffer;
    }
    snprintf(buffer, LF_SHOWN_NAME, "%s", strcmp(name, head_gguf) == 0 ? head_name : name);
    for (size_t i = 0; i < sizeof whole_names / sizeof whole_names[0]; i++) {
        if (strcmp(name, whole_names[i].gguf) == 0) {
            snprintf(buffer, LF_SHOWN_NAME, "%s%s", source->hf_prefix, whole_names[i].hf);
        }
    }
    return buffer;
}

/* ---- Tensors ---- */

static int32_t fail_tensor(const translator *t, const lf_st_tensor *raw, const char *code,
                           const char *message)
{
    lf_shown shown;
    return lf_fail(LFM2_E_FORMAT, code, "%s: tensor '%s': %s", t->source->files[raw->part].path,
                   lf_show(&shown, raw->name, strlen(raw->name)), message);
}

static int32_t fail_unknown(const translator *t, const lf_st_tensor *raw)
{
    return fail_tensor(t, raw, "bind.unknown",
                       "it is unknown: the model's configuration has no such tensor");
}

/* The tensor with n dimensions of `raw`, from shape[first] on, in GGUF's order. */
static lf_tensor make_tensor(const lf_st_tensor *raw, uint32_t first, uint32_t n)
{
    lf_tensor out = {.type = raw->type,
                     .n_dims = n,
                     .ne = {1, 1, 1, 1},
                     .bytes = raw->bytes,
                     .part = raw->part,
                     .offset = raw->offset};
    for (uint32_t d = 0; d < n; d++) {
        out.ne[d] = raw->shape[first + n - 1 - d];
    }
    return out;
}

static int32_t name_tensor(translator *t, lf_tensor *tensor, uint32_t layer, const char *suffix)
{
    char name[64];
    int n = snprintf(name, sizeof name, "blk.%u.%s", layer, suffix);
    return lf_arena_string(&t->source->arena, name, (size_t)n, &tensor->name);
}

static int32_t add_layer_tensor(translator *t, const lf_st_tensor *raw, uint32_t layer,
                                size_t entry)
{
    lf_tensor tensor = make_tensor(raw, 0, raw->n_dims);
    if (strcmp(layer_names[entry].hf, conv_kernel) == 0) { /* -> {taps, H} */
        bool mlx = raw->n_dims == 3 && raw->shape[1] != 1 && raw->shape[2] == 1;
        if (raw->n_dims != 3 || (raw->shape[1] != 1 && !mlx)) {
            return fail_tensor(t, raw, "bind.shape",
                               "its shape must be [hidden_size, 1, conv_L_cache] or, in MLX's "
                               "layout, [hidden_size, conv_L_cache, 1]");
        }
        tensor.n_dims = 2;
        tensor.ne[0] = raw->shape[mlx ? 1 : 2];
        tensor.ne[1] = raw->shape[0];
        tensor.ne[2] = 1;
    }
    LF_TRY(name_tensor(t, &tensor, layer, layer_names[entry].gguf));
    t->out[t->n_out++] = tensor;
    return LFM2_OK;
}

/* Adds the matrix `expert` of expert `e` to its stack. All of them must have one shape and type. */
static int32_t add_expert_matrix(translator *t, const lf_st_tensor *raw, uint32_t layer, int role,
                                 uint32_t e, const lf_tensor *expert)
{
    stack *s = &t->stacks[layer][role];
    uint32_t n_expert = t->source->hparams.n_expert;
    if (s->places == NULL) {
        void *memory = NULL;
        LF_TRY(lf_arena_new(&t->source->arena, n_expert, sizeof *s->places, "experts", &memory));
        memset(memory, 0, n_expert * sizeof *s->places);
        s->places = memory;
        s->tensor = *expert;
    }
    if (expert->n_dims != 2) {
        return fail_tensor(t, raw, "bind.shape", "a matrix of an expert must have two dimensions");
    }
    if (expert->ne[0] != s->tensor.ne[0] || expert->ne[1] != s->tensor.ne[1] ||
        expert->type != s->tensor.type) {
        return fail_tensor(t, raw, "bind.shape",
                           "its type or shape differs from that of another expert");
    }
    if (s->places[e].offset != 0) {
        return fail_tensor(t, raw, "source.duplicate",
                           "the files have the matrix of this expert twice");
    }
    s->places[e] = (lf_place){expert->part, expert->offset};
    s->count++;
    if (e == 0) {
        s->tensor.part = expert->part;
        s->tensor.offset = expert->offset;
    }
    return LFM2_OK;
}

/* gate_up_proj: [experts, 2 x width, inputs]; the rows of the gate come first. */
static int32_t add_gate_up(translator *t, const lf_st_tensor *raw, uint32_t layer)
{
    const lf_hparams *h = &t->source->hparams;
    if (raw->n_dims != 3 || raw->shape[0] != h->n_expert ||
        raw->shape[1] != (uint64_t)h->n_ff_expert * 2) {
        return fail_tensor(
            t, raw, "bind.shape",
            "its shape must be [num_experts, 2 x moe_intermediate_size, hidden_size]");
    }
    lf_tensor expert = make_tensor(raw, 1, 2);
    expert.ne[1] /= 2;
    expert.bytes = raw->bytes / h->n_expert / 2;
    for (uint32_t e = 0; e < h->n_expert; e++) {
        for (int role = GATE; role <= UP; role++) {
            uint64_t at = (2 * (uint64_t)e + (role == UP ? 1 : 0)) * expert.bytes;
            expert.offset = raw->offset + at;
            LF_TRY(add_expert_matrix(t, raw, layer, role, e, &expert));
        }
    }
    return LFM2_OK;
}

/* All experts of a role in one tensor, [experts, outputs, inputs], contiguous as in GGUF. */
static int32_t add_stacked(translator *t, const lf_st_tensor *raw, uint32_t layer, int role)
{
    lf_tensor tensor = make_tensor(raw, 0, raw->n_dims);
    if (layer < t->source->hparams.n_dense) {
        return fail_unknown(t, raw);
    }
    LF_TRY(name_tensor(t, &tensor, layer, expert_names[role].gguf));
    t->out[t->n_out++] = tensor;
    return LFM2_OK;
}

/* `rest` follows "experts.". */
static int32_t add_expert(translator *t, const lf_st_tensor *raw, uint32_t layer, const char *rest)
{
    const lf_hparams *h = &t->source->hparams;
    uint32_t e = 0;
    if (layer < h->n_dense) {
        return fail_unknown(t, raw);
    }
    if (strcmp(rest, "gate_up_proj") == 0) {
        return add_gate_up(t, raw, layer);
    }
    if (strcmp(rest, "down_proj") == 0) {
        return add_stacked(t, raw, layer, DOWN);
    }
    if (!take_number(&rest, h->n_expert, &e)) {
        return fail_unknown(t, raw);
    }
    for (int role = 0; role < ROLES; role++) {
        if (strcmp(rest, expert_names[role].hf) == 0) {
            lf_tensor expert = make_tensor(raw, 0, raw->n_dims);
            return add_expert_matrix(t, raw, layer, role, e, &expert);
        }
    }
    return fail_unknown(t, raw);
}

/* ---- Prefixes ---- */

/* The prefixes of a text model's tensors: alone, and in a vision model. */
static const char *const prefixes[] = {"model.language_model.", "language_model.model.", "model."};

static bool is_text(const lf_st_tensor *raw, const char *prefix)
{
    const char *rest = raw->name;
    return take_prefix(&rest, prefix) &&
           (strncmp(rest, "layers.", 7) == 0 || strcmp(rest, whole_names[0].hf) == 0);
}

/* Finds the prefix of the text model in a vision model. */
static const char *find_prefix(const lf_st_tensor *raw, uint32_t n)
{
    for (uint32_t i = 0; i < n; i++) {
        for (size_t p = 0; p < sizeof prefixes / sizeof prefixes[0]; p++) {
            if (is_text(&raw[i], prefixes[p])) {
                return prefixes[p];
            }
        }
    }
    return "model.";
}

static bool is_vision(const char *name)
{
    take_prefix(&name, "model.");
    return take_prefix(&name, "vision_") || take_prefix(&name, "multi_modal_projector.");
}

static bool is_head(const translator *t, const char *name)
{
    if (t->vision) {
        take_prefix(&name, "language_model.");
    }
    return strcmp(name, head_name) == 0;
}

static int32_t add_whole(translator *t, const lf_st_tensor *raw, const char *name)
{
    lf_tensor tensor = make_tensor(raw, 0, raw->n_dims);
    tensor.name = name;
    t->out[t->n_out++] = tensor;
    return LFM2_OK;
}

/* `rest` follows "layers.N.". */
static int32_t add_in_layer(translator *t, const lf_st_tensor *raw, uint32_t layer,
                            const char *rest)
{
    for (size_t i = 0; i < sizeof layer_names / sizeof layer_names[0]; i++) {
        if (strcmp(rest, layer_names[i].hf) == 0) {
            return add_layer_tensor(t, raw, layer, i);
        }
    }
    for (int role = 0; role < ROLES; role++) {
        if (strcmp(rest, expert_names[role].mlx) == 0) {
            return add_stacked(t, raw, layer, role);
        }
    }
    return take_prefix(&rest, experts_prefix) ? add_expert(t, raw, layer, rest)
                                              : fail_unknown(t, raw);
}

static int32_t add(translator *t, const lf_st_tensor *raw)
{
    const char *rest = raw->name;
    uint32_t layer = 0;
    if (ignored(rest)) {
        return LFM2_OK;
    }
    if (t->vision && is_vision(rest)) {
        t->n_vision++;
        return LFM2_OK;
    }
    if (is_head(t, rest)) {
        if (t->head != NULL) {
            return fail_tensor(t, raw, "source.duplicate", "the folder has another output matrix");
        }
        t->head = raw;
        return LFM2_OK;
    }
    if (!take_prefix(&rest, t->source->hf_prefix)) {
        return fail_unknown(t, raw);
    }
    for (size_t i = 0; i < sizeof whole_names / sizeof whole_names[0]; i++) {
        if (strcmp(rest, whole_names[i].hf) == 0) {
            return add_whole(t, raw, whole_names[i].gguf);
        }
    }
    return take_prefix(&rest, "layers.") && take_number(&rest, t->source->hparams.n_layer, &layer)
               ? add_in_layer(t, raw, layer, rest)
               : fail_unknown(t, raw);
}

static int32_t close_stacks(translator *t)
{
    const lf_hparams *h = &t->source->hparams;
    for (uint32_t layer = 0; layer < h->n_layer; layer++) {
        for (int role = 0; role < ROLES; role++) {
            stack *s = &t->stacks[layer][role];
            if (s->count == 0) {
                continue; /* lf_bind reports the missing tensor */
            }
            for (uint32_t e = 0; e < h->n_expert; e++) {
                if (s->places[e].offset == 0) {
                    return lf_fail(LFM2_E_FORMAT, "bind.missing",
                                   "%s: tensor '%slayers.%u.%s%u.%s' is missing; the model's "
                                   "configuration requires it",
                                   t->source->path, t->source->hf_prefix, layer, experts_prefix, e,
                                   expert_names[role].hf);
                }
            }
            lf_tensor tensor = s->tensor;
            tensor.n_dims = 3;
            tensor.ne[2] = h->n_expert;
            tensor.bytes *= h->n_expert;
            tensor.places = s->places;
            LF_TRY(name_tensor(t, &tensor, layer, expert_names[role].gguf));
            t->out[t->n_out++] = tensor;
        }
    }
    return LFM2_OK;
}

/* Whether a tensor has the type, the size and the bytes of the embedding. */
static int32_t is_embedding(const translator *t, const lf_st_tensor *raw, bool *out)
{
    uint8_t bytes[2][4096];
    const lf_file *files = t->source->files;
    const lf_tensor *embed = NULL;
    for (uint32_t i = 0; i < t->n_out && embed == NULL; i++) {
        embed = strcmp(t->out[i].name, whole_names[0].gguf) == 0 ? &t->out[i] : NULL;
    }
    *out = embed != NULL && embed->type == raw->type && embed->bytes == raw->bytes;
    for (uint64_t at = 0; *out && at < raw->bytes; at += sizeof bytes[0]) {
        uint64_t left = raw->bytes - at;
        size_t n = left < sizeof bytes[0] ? (size_t)left : sizeof bytes[0];
        LF_TRY(lf_file_read(&files[raw->part], raw->offset + at, bytes[0], n));
        LF_TRY(lf_file_read(&files[embed->part], embed->offset + at, bytes[1], n));
        *out = memcmp(bytes[0], bytes[1], n) == 0;
    }
    return LFM2_OK;
}

/* Adds the head. One that differs from the embedding is used even if the configuration ties them.
 */
static int32_t close_head(translator *t)
{
    bool same = false;
    if (t->head == NULL) {
        return LFM2_OK;
    }
    if (t->source->hparams.tied) {
        LF_TRY(is_embedding(t, t->head, &same));
        if (same) {
            return LFM2_OK;
        }
        lf_log_write(t->source->log, LFM2_LOG_WARN,
                     "%s: config.json makes the embedding the output matrix, but the folder has "
                     "another '%s', which is used",
                     t->source->path, t->head->name);
        t->source->hparams.tied = false;
    }
    return add_whole(t, t->head, head_gguf);
}

int32_t lf_hf_translate(lf_source *source, const lf_st_tensor *raw, uint32_t n, bool vision)
{
    translator t = {.source = source, .vision = vision};
    source->hf_prefix = vision ? find_prefix(raw, n) : "model.";
    void *stacks = NULL;
    uint32_t n_layer = source->hparams.n_layer;
    LF_TRY(lf_new_zero(&source->alloc, n_layer, sizeof *t.stacks, "experts", &stacks));
    t.stacks = stacks;
    int32_t status = LFM2_OK;
    void *p = NULL;
    /* a fused gate_up_proj becomes two tensors */
    LF_TRY_DONE(lf_arena_new(&source->arena, (size_t)n + (size_t)n_layer * ROLES, sizeof(lf_tensor),
                             "tensors", &p));
    t.out = p;
    for (uint32_t i = 0; i < n; i++) {
        LF_TRY_DONE(add(&t, &raw[i]));
    }
    LF_TRY_DONE(close_stacks(&t));
    LF_TRY_DONE(close_head(&t));
    source->tensors = t.out;
    source->n_tensors = t.n_out;
    if (vision) {
        lf_log_write(source->log, LFM2_LOG_WARN,
                     "%s: a vision model: its text model is loaded; %u tensors of the vision part "
                     "are ignored",
                     source->path, t.n_vision);
    }
done:
    lf_free(&source->alloc, stacks, n_layer, sizeof *t.stacks);
    return status;
}
