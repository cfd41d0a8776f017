/* SPDX-License-Identifier: Apache-2.0 */
/* Owns the meaning of GGUF's tokenizer keys. Texts stay in the copy of the header. */
#include "load/gguf.h"

#include <stdio.h>
#include <string.h>

static int32_t fail_item(const lf_gguf *g, const lf_gguf_value *array, uint64_t i, const char *what)
{
    char text[128];
    snprintf(text, sizeof text, "element %llu: %s", (unsigned long long)i, what);
    return lf_gguf_fail_key(g, array, LFM2_E_FORMAT, "gguf.vocab", text);
}

/* A string key that must have one value. */
static int32_t require_text(const lf_gguf *g, const char *key, const char *wanted)
{
    const char *text = NULL;
    size_t len = 0;
    LF_TRY(lf_gguf_get_string(g, key, &text, &len, NULL));
    if (len != strlen(wanted) || memcmp(text, wanted, len) != 0) {
        lf_shown shown;
        return lf_fail(LFM2_E_UNSUPPORTED, "gguf.tokenizer",
                       "%s: key '%s': '%s' is not supported, '%s' is", g->file->path, key,
                       lf_show(&shown, text, len), wanted);
    }
    return LFM2_OK;
}

static int32_t read_tokens(lf_source *source, const lf_gguf *g, const lf_gguf_value *texts)
{
    uint32_t n = source->hparams.n_vocab;
    if (texts->count != n) {
        char text[128];
        snprintf(text, sizeof text, "%llu tokens, but the embedding has %u rows",
                 (unsigned long long)texts->count, n);
        return lf_gguf_fail_key(g, texts, LFM2_E_FORMAT, "gguf.vocab.count", text);
    }
    const lf_gguf_value *kinds = NULL;
    LF_TRY(lf_gguf_get_array(g, "tokenizer.ggml.token_type", false, &kinds, NULL));
    if (kinds->count != n) {
        return lf_gguf_fail_key(g, kinds, LFM2_E_FORMAT, "gguf.vocab.count",
                                "has not one entry for each token");
    }
    void *room = NULL;
    LF_TRY(lf_arena_new(&source->arena, n, sizeof(lf_vocab_token), "vocabulary", &room));
    lf_vocab_token *tokens = room;
    uint64_t cursor = 0;
    for (uint32_t i = 0; i < n; i++) {
        uint64_t len = 0;
        uint32_t kind = 0;
        lf_gguf_next_string(texts, &cursor, &tokens[i].text, &len);
        if (len > LF_MAX_TOKEN_BYTES) {
            return fail_item(g, texts, i, "the token is longer than 65535 bytes");
        }
        if (!lf_gguf_item_u32(kinds, i, &kind) || kind < LFM2_TOKEN_NORMAL ||
            kind > LFM2_TOKEN_BYTE) {
            return fail_item(g, kinds, i, "unknown kind of token");
        }
        tokens[i].len = (uint32_t)len;
        tokens[i].kind = (int32_t)kind;
    }
    source->vocab.tokens = tokens;
    source->vocab.n_tokens = n;
    return LFM2_OK;
}

static int32_t read_merges(lf_source *source, const lf_gguf *g)
{
    const lf_gguf_value *texts = NULL;
    LF_TRY(lf_gguf_get_array(g, "tokenizer.ggml.merges", true, &texts, NULL));
    if (texts->count > LF_MAX_MERGES) {
        return lf_gguf_fail_key(g, texts, LFM2_E_FORMAT, "gguf.vocab.count", "too many merges");
    }
    uint32_t n = (uint32_t)texts->count;
    void *room = NULL;
    LF_TRY(lf_arena_new(&source->arena, n, sizeof(lf_vocab_merge), "merges", &room));
    lf_vocab_merge *merges = room;
    uint64_t cursor = 0;
    for (uint32_t i = 0; i < n; i++) {
        const char *text = NULL;
        uint64_t len = 0;
        lf_gguf_next_string(texts, &cursor, &text, &len);
        /* a space inside a piece is U+0120: the one plain space is the separator */
        const char *space = len > 0 ? memchr(text, ' ', (size_t)len) : NULL;
        if (space == NULL || len > LF_MAX_TOKEN_BYTES) {
            return fail_item(g, texts, i, "is not a pair 'left right'");
        }
        merges[i] = (lf_vocab_merge){.left = text,
                                     .right = space + 1,
                                     .left_len = (uint32_t)(space - text),
                                     .right_len = (uint32_t)(len - 1) - (uint32_t)(space - text)};
        if (merges[i].left_len == 0 || merges[i].right_len == 0 ||
            memchr(merges[i].right, ' ', merges[i].right_len) != NULL) {
            return fail_item(g, texts, i, "is not a pair 'left right'");
        }
    }
    source->vocab.merges = merges;
    source->vocab.n_merges = n;
    return LFM2_OK;
}

static int32_t read_id(const lf_gguf *g, const char *key, uint32_t n_tokens, int32_t *out)
{
    uint32_t id = 0;
    bool found = false;
    LF_TRY(lf_gguf_get_u32(g, key, &id, &found));
    *out = -1;
    if (found && id >= n_tokens) {
        return lf_fail(LFM2_E_FORMAT, "gguf.vocab.id", "%s: key '%s': there is no token %u",
                       g->file->path, key, id);
    }
    if (found) {
        *out = (int32_t)id;
    }
    return LFM2_OK;
}

static int32_t read_template(lf_source *source, const lf_gguf *g)
{
    static const char key[] = "tokenizer.chat_template";
    const char *text = NULL;
    size_t len = 0;
    bool found = false;
    LF_TRY(lf_gguf_get_string(g, key, &text, &len, &found));
    if (!found) {
        return LFM2_OK;
    }
    if (len > LF_MAX_TEMPLATE) {
        return lf_gguf_fail_key(g, lf_gguf_find(g, key), LFM2_E_FORMAT, "gguf.template",
                                "the template is larger than 4 MiB");
    }
    return lf_arena_string(&source->arena, text, len, &source->vocab.chat_template);
}

int32_t lf_gguf_vocab(lf_source *source, const lf_gguf *g)
{
    lf_vocab_data *vocab = &source->vocab;
    const lf_gguf_value *texts = NULL;
    bool found = false;
    LF_TRY(lf_gguf_get_array(g, "tokenizer.ggml.tokens", true, &texts, &found));
    if (!found) {
        return LFM2_OK; /* weights only: refused when text is needed */
    }
    LF_TRY(require_text(g, "tokenizer.ggml.model", "gpt2"));
    LF_TRY(require_text(g, "tokenizer.ggml.pre", "lfm2"));
    LF_TRY(read_tokens(source, g, texts));
    LF_TRY(read_merges(source, g));
    LF_TRY(read_id(g, "tokenizer.ggml.bos_token_id", vocab->n_tokens, &vocab->bos_id));
    LF_TRY(read_id(g, "tokenizer.ggml.eos_token_id", vocab->n_tokens, &vocab->eos_id));
    LF_TRY(read_id(g, "tokenizer.ggml.padding_token_id", vocab->n_tokens, &vocab->pad_id));
    vocab->add_bos = true; /* what the pre-tokenizer's name stands for */
    LF_TRY(lf_gguf_get_bool(g, "tokenizer.ggml.add_bos_token", &vocab->add_bos, &found));
    vocab->add_bos = vocab->add_bos && vocab->bos_id >= 0;
    return read_template(source, g);
}
