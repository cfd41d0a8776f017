/* SPDX-License-Identifier: Apache-2.0 */
/* Computes with accepted models, whatever their weights are. */
#include "fuzz/target.h"

#include <math.h>
#include <string.h>

enum { N_CTX = 16, N_IDS = 4, MAX_GENERATED = 8, MAX_IDS = 256, MAX_TEXT = 1 << 17 };

bool fuzz_same(const float *a, const float *b, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        if (memcmp(&a[i], &b[i], sizeof *a) != 0 && !(isnan(a[i]) && isnan(b[i]))) {
            return false;
        }
    }
    return true;
}

static lfm2_session *new_session(lfm2_model *model, uint32_t n_chunk, uint32_t choice)
{
    lfm2_session_options options;
    lfm2_session_options_init(&options, sizeof options);
    lfm2_model_info info = {.size = sizeof info};
    fuzz_must(lfm2_model_get_info(model, &info) == LFM2_OK);
    options.n_ctx = info.n_ctx_train < N_CTX ? info.n_ctx_train : N_CTX;
    options.n_chunk = n_chunk;
    options.kv_type = (int32_t)(choice % 3);
    lfm2_session *session = NULL;
    fuzz_must(lfm2_session_create(model, &options, &session) == LFM2_OK);
    return session;
}

/* Three tokens at once and one more, against one by one; then one token for both in one pass. */
static void run(lfm2_model *model, uint32_t n_vocab, uint32_t choice)
{
    lfm2_session *sessions[2] = {new_session(model, 8, choice), new_session(model, 1, choice)};
    uint32_t n =
        lfm2_session_capacity(sessions[0]) < N_IDS ? lfm2_session_capacity(sessions[0]) : N_IDS;
    int32_t ids[N_IDS];
    for (uint32_t i = 0; i < N_IDS; i++) {
        ids[i] = (int32_t)((choice + 97u * i) % n_vocab);
    }
    const float *logits[2] = {NULL, NULL};
    size_t count = 0;
    for (int s = 0; s < 2; s++) {
        fuzz_must(n < 2 || lfm2_session_prefill(sessions[s], ids, n - 1) == LFM2_OK);
        fuzz_must(lfm2_session_decode(sessions[s], ids[n - 1]) == LFM2_OK);
        fuzz_must(lfm2_session_logits(sessions[s], &logits[s], &count) == LFM2_OK);
        fuzz_must(count == n_vocab && lfm2_session_length(sessions[s]) == n);
    }
    fuzz_must(fuzz_same(logits[0], logits[1], n_vocab));
    if (n < lfm2_session_capacity(sessions[0])) {
        const int32_t next[2] = {ids[0], ids[0]};
        fuzz_must(lfm2_session_decode_many(sessions, next, 2) == LFM2_OK);
        for (int s = 0; s < 2; s++) {
            fuzz_must(lfm2_session_logits(sessions[s], &logits[s], &count) == LFM2_OK);
        }
        fuzz_must(fuzz_same(logits[0], logits[1], n_vocab));
    }
    lfm2_session_free(sessions[1]);
    lfm2_session_free(sessions[0]);
}

typedef struct generated {
    int32_t status, ids[N_CTX];
    uint32_t n; /* tokens of the session */
} generated;

/* Generates after token 0. Logits that are NaN may be refused; the text ends where the context is
 * full. With `draft`, these tokens are expected. */
static generated generate(lfm2_model *model, uint32_t choice, const generated *draft)
{
    lfm2_session *session = new_session(model, 4, choice);
    lfm2_sampler_options how;
    lfm2_sampler_options_init(&how, sizeof how, model);
    how.temperature = choice % 2 == 0 ? 0.0F : 0.8F;
    how.top_k = choice % 5 == 0 ? 3 : 0;
    how.top_p = choice % 7 == 0 ? 0.5F : 1.0F;
    how.seed = choice;
    lfm2_sampler *sampler = NULL;
    fuzz_must(lfm2_sampler_create(model, &how, &sampler) == LFM2_OK);
    lfm2_generate_options options;
    lfm2_generate_options_init(&options, sizeof options);
    options.max_tokens = MAX_GENERATED;
    options.n_top = choice % 4;
    if (draft != NULL) {
        options.flags = LFM2_GENERATE_DRAFT;
        options.draft_ids = draft->ids + 1;
        options.n_draft_ids = draft->n > 0 ? draft->n - 1 : 0;
    }
    const int32_t first = 0;
    lfm2_generate_result result = {.size = sizeof result};
    generated g = {.status = lfm2_generate(session, sampler, &first, 1, &options, &result)};
    fuzz_must(g.status != LFM2_E_INTERNAL && result.n_generated <= MAX_GENERATED);
    g.n = lfm2_session_length(session);
    fuzz_must(g.n <= N_CTX && lfm2_session_tokens(session, 0, g.n, g.ids) == LFM2_OK);
    lfm2_sampler_free(sampler);
    lfm2_session_free(session);
    return g;
}

/* Drafts do not change a text. */
static void check_drafts(lfm2_model *model, const lfm2_model_info *info, uint32_t choice)
{
    generated plain = generate(model, choice, NULL);
    /* 64 rows of logits and of the convolutions' inputs. */
    fuzz_memory_allow(64 * sizeof(float) * (info->n_vocab + (size_t)info->n_layer * info->n_embd));
    generated drafted = generate(model, choice, &plain);
    fuzz_must(drafted.status == plain.status && drafted.n == plain.n);
    fuzz_must(memcmp(drafted.ids, plain.ids, plain.n * sizeof plain.ids[0]) == 0);
}

/* Text to ids and back. */
static void text(lfm2_model *model, uint32_t n_vocab)
{
    static const char words[] =
        "Hello  world's 1234 ab abcd \n\n<|im_end|> \xC3\xA9 \xF0\x9F\x98\x80 \xFF";
    static char out[MAX_TEXT];
    int32_t ids[MAX_IDS];
    for (uint32_t flags = 0; flags < 4; flags++) {
        size_t n = 0;
        size_t len = 0;
        fuzz_must(lfm2_tokenize(model, words, sizeof words - 1, flags, ids, MAX_IDS, &n) ==
                  LFM2_OK);
        fuzz_must(n <= MAX_IDS);
        for (size_t i = 0; i < n; i++) {
            fuzz_must(ids[i] >= 0 && (uint32_t)ids[i] < n_vocab);
        }
        int32_t status =
            lfm2_detokenize(model, ids, n, LFM2_DETOKENIZE_SPECIAL, out, MAX_TEXT, &len);
        fuzz_must(status == LFM2_OK || status == LFM2_E_BUFFER);
        if ((flags & LFM2_TOKENIZE_BOS) == 0) { /* no token before the text */
            fuzz_must(len == sizeof words - 1 && memcmp(out, words, len) == 0);
        }
    }
    static const char chat[] = "[{\"role\": \"user\", \"content\": \"a<|im_end|>\"}]";
    size_t len = 0;
    fuzz_memory_allow(48 << 20); /* for the file's template */
    int32_t status = lfm2_chat_render(model, chat, sizeof chat - 1, NULL, out, MAX_TEXT, &len);
    fuzz_must(status == LFM2_OK || status == LFM2_E_BUFFER || status == LFM2_E_FORMAT ||
              status == LFM2_E_LIMIT || status == LFM2_E_TEXT || status == LFM2_E_UNSUPPORTED);
    for (int32_t id = 0; id < (int32_t)n_vocab; id++) {
        const char *bytes = NULL;
        int32_t kind = 0;
        fuzz_must(lfm2_token_get(model, id, &bytes, &len, &kind) == LFM2_OK && bytes[len] == '\0');
    }
}

/* The queries about a model. */
static void ask(const lfm2_model *model, const lfm2_model_info *info)
{
    for (uint32_t i = 0; i < info->n_tensors; i++) {
        lfm2_tensor_info tensor = {.size = sizeof tensor};
        fuzz_must(lfm2_model_get_tensor(model, i, &tensor) == LFM2_OK && tensor.name[0] != '\0');
    }
    for (uint32_t i = 0; i < info->n_meta; i++) {
        const char *key = NULL;
        const char *value = NULL;
        fuzz_must(lfm2_model_get_meta(model, i, &key, &value) == LFM2_OK);
        fuzz_must(strlen(key) < 1000 && strlen(value) < 1000);
    }
    lfm2_memory memory = {.size = sizeof memory};
    int32_t status = lfm2_estimate_memory(model, NULL, &memory);
    fuzz_must(status == LFM2_OK || status == LFM2_E_MEMORY);
}

void fuzz_use_model(lfm2_model *model, uint32_t choice)
{
    lfm2_model_info info = {.size = sizeof info};
    fuzz_must(lfm2_model_get_info(model, &info) == LFM2_OK);
    ask(model, &info);
    run(model, info.n_vocab, choice);
    int32_t id = 0;
    size_t n = 0;
    if (lfm2_tokenize(model, "", 0, 0, &id, 1, &n) == LFM2_OK) {
        text(model, info.n_vocab);
        check_drafts(model, &info, choice);
    }
}

/* ---- Sources ---- */

static void check_hparams(const lf_hparams *h)
{
    bool moe = h->arch == LF_ARCH_LFM2MOE;
    fuzz_must(h->n_layer >= 1 && h->n_layer <= LF_MAX_LAYERS && h->n_dense <= h->n_layer);
    fuzz_must(h->n_head >= 1 && h->n_head <= LF_MAX_HEADS);
    fuzz_must(h->head_dim % 2 == 0 && h->head_dim >= 2 && h->head_dim <= LF_MAX_HEAD_DIM);
    fuzz_must(h->conv_kernel >= 2 && h->conv_kernel <= LF_MAX_TAPS);
    fuzz_must(!moe || (h->n_expert_used >= 1 && h->n_expert_used <= h->n_expert));
    for (uint32_t l = 0; l < h->n_layer; l++) {
        fuzz_must(h->n_head_kv[l] == 0 || h->n_head % h->n_head_kv[l] == 0);
    }
}

static void check_vocab(const lf_source *source)
{
    const lf_vocab_data *v = &source->vocab;
    const int32_t ids[] = {v->bos_id, v->eos_id, v->pad_id};
    fuzz_must(v->n_tokens == 0 || v->n_tokens == source->hparams.n_vocab);
    for (size_t i = 0; i < sizeof ids / sizeof ids[0]; i++) {
        fuzz_must(ids[i] >= -1 && ids[i] < (int32_t)source->hparams.n_vocab);
    }
    for (uint32_t i = 0; v->tokens != NULL && i < v->n_tokens; i++) {
        fuzz_must(v->tokens[i].kind >= LFM2_TOKEN_NORMAL && v->tokens[i].kind <= LFM2_TOKEN_BYTE);
    }
}

/* Checks that expert e is inside its file and that no other tensor starts inside it. */
static void check_expert(const lf_source *source, const lf_tensor *t, uint64_t e)
{
    uint64_t bytes = t->bytes / (t->ne[2] * t->ne[3]);
    lf_place place = lf_tensor_place(t, e);
    fuzz_must(place.part < source->n_files);
    uint64_t size = source->files[place.part].size;
    fuzz_must(place.offset <= size && bytes <= size - place.offset);
    for (uint32_t i = 0; i < source->n_tensors; i++) {
        lf_place other = lf_tensor_place(&source->tensors[i], 0);
        bool within = other.part == place.part && other.offset - place.offset < bytes;
        fuzz_must(&source->tensors[i] == t || !within);
    }
}

void fuzz_check_source(const lf_source *source)
{
    check_hparams(&source->hparams);
    check_vocab(source);
    for (uint32_t i = 0; i < source->n_tensors; i++) {
        const lf_tensor *t = &source->tensors[i];
        for (uint64_t e = 0; e < t->ne[2] * t->ne[3]; e++) {
            check_expert(source, t, e);
        }
    }
}
