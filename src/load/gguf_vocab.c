/* SPDX-License-Identifier: Apache-2.0 */
/* The vocabulary from GGUF's tokenizer keys. Its texts point into the copy of the header. */
#include "load/generation.h"

#include <stdio.h>
#include <string.h>

static const char pre_key[] = "tokenizer.ggml.pre";

static int32_t fail_element(const lf_gguf *g, const lf_gguf_value *array, uint64_t i,
                            const char *what)
{
    char text[128];
    snprintf(text, sizeof text, "element %llu: %s", (unsigned long long)i, what);
    return lf_gguf_fail_key(g, array, LFM2_E_FORMAT, "gguf.vocab", text);
}

/* Checks a string key that has only one allowed value. */
static int32_t require_text(const lf_gguf *g, const char *key, const char *wanted)
{
    const char *text = NULL;
    size_t len = 0;
    LF_TRY(lf_gguf_get_string(g, key, &text, &len, NULL));
    if (len != strlen(wanted) || memcmp(text, wanted, len) != 0) {
        lf_shown shown;
        return lf_fail(LFM2_E_UNSUPPORTED, "gguf.tokenizer",
                       "%s: key '%s': '%s' is not supported; supported: '%s'", g->file->path, key,
                       lf_show(&shown, text, len), wanted);
    }
    return LFM2_OK;
}

/* Whether the vocabulary has the control tokens of LFM2's, in their order. */
static bool is_lfm2(const lf_vocab_data *vocab)
{
    static const char *const names[] = {"<|startoftext|>", "<|endoftext|>", "<|im_start|>",
                                        "<|im_end|>"};
    enum { NAMES = sizeof names / sizeof names[0] };
    size_t next = 0;
    for (uint32_t i = 0; i < vocab->n_tokens && next < NAMES; i++) {
        const lf_vocab_token *t = &vocab->tokens[i];
        bool same = t->kind == LFM2_TOKEN_CONTROL && t->len == strlen(names[next]) &&
                    memcmp(t->text, names[next], t->len) == 0;
        next += same ? 1 : 0;
    }
    return next == NAMES;
}

/* Converters that do not know the vocabulary write other names, or none, for the pre-tokenizer. If
 * the tokens are LFM2's, so is the pre-tokenizer: *guessed asks for that check. */
static int32_t check_pre(const lf_gguf *g, bool *guessed)
{
    static const char *const names[] = {"default", "llama-bpe", "llama3", "llama-v3"};
    const char *text = "";
    size_t len = 0;
    bool found = false;
    LF_TRY(lf_gguf_get_string(g, pre_key, &text, &len, &found));
    *guessed = !found;
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        *guessed |= len == strlen(names[i]) && memcmp(text, names[i], len) == 0;
    }
    return *guessed ? LFM2_OK : require_text(g, pre_key, "lfm2");
}

static int32_t check_guessed(const lf_source *source, const lf_gguf *g)
{
    if (!is_lfm2(&source->vocab)) {
        return require_text(g, pre_key, "lfm2");
    }
    bool found = lf_gguf_find(g, pre_key) != NULL;
    lf_log_write(source->log, LFM2_LOG_WARN,
                 "%s: key '%s' %s; the tokens are LFM2's, so it is read as 'lfm2'", g->file->path,
                 pre_key, found ? "names another pre-tokenizer" : "is missing");
    return LFM2_OK;
}

static int32_t read_tokens(lf_source *source, const lf_gguf *g, const lf_gguf_value *texts)
{
    uint32_t n = source->hparams.n_vocab;
    if (texts->count != n) {
        char text[128];
        snprintf(text, sizeof text,
                 "there are %llu tokens, but tensor 'token_embd.weight' has %u rows",
                 (unsigned long long)texts->count, n);
        return lf_gguf_fail_key(g, texts, LFM2_E_FORMAT, "gguf.vocab.count", text);
    }
    const lf_gguf_value *kinds = NULL;
    LF_TRY(lf_gguf_get_array(g, "tokenizer.ggml.token_type", false, &kinds, NULL));
    if (kinds->count != n) {
        char text[128];
        snprintf(text, sizeof text,
                 "the array has %llu elements; it must have one for each of the %u tokens",
                 (unsigned long long)kinds->count, n);
        return lf_gguf_fail_key(g, kinds, LFM2_E_FORMAT, "gguf.vocab.count", text);
    }
    void *memory = NULL;
    LF_TRY(lf_arena_new(&source->arena, n, sizeof(lf_vocab_token), "vocabulary", &memory));
    lf_vocab_token *tokens = memory;
    uint64_t cursor = 0;
    for (uint32_t i = 0; i < n; i++) {
        uint64_t len = 0;
        uint32_t kind = 0;
        lf_gguf_next_string(texts, &cursor, &tokens[i].text, &len);
        if (len > LF_MAX_TOKEN_BYTES) {
            return fail_element(g, texts, i, "the token is longer than 65535 bytes, the limit");
        }
        if (!lf_gguf_item_u32(kinds, i, &kind) || kind < LFM2_TOKEN_NORMAL ||
            kind > LFM2_TOKEN_BYTE) {
            char text[64];
            snprintf(text, sizeof text, "unknown kind of token; allowed: %d to %d",
                     LFM2_TOKEN_NORMAL, LFM2_TOKEN_BYTE);
            return fail_element(g, kinds, i, text);
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
        return lf_gguf_fail_key(g, texts, LFM2_E_FORMAT, "gguf.vocab.count",
                                "the array has more than 2^23 merges, the limit");
    }
    uint32_t n = (uint32_t)texts->count;
    void *memory = NULL;
    LF_TRY(lf_arena_new(&source->arena, n, sizeof(lf_vocab_merge), "merges", &memory));
    lf_vocab_merge *merges = memory;
    uint64_t cursor = 0;
    for (uint32_t i = 0; i < n; i++) {
        const char *text = NULL;
        uint64_t len = 0;
        lf_gguf_next_string(texts, &cursor, &text, &len);
        /* a space inside a token is stored as U+0120, so the only plain space is the separator */
        const char *space = len > 0 ? memchr(text, ' ', (size_t)len) : NULL;
        if (space == NULL || len > LF_MAX_TOKEN_BYTES) {
            return fail_element(g, texts, i, "a merge must be two tokens separated by one space");
        }
        merges[i] = (lf_vocab_merge){.left = text,
                                     .right = space + 1,
                                     .left_len = (uint32_t)(space - text),
                                     .right_len = (uint32_t)(len - 1) - (uint32_t)(space - text)};
        if (merges[i].left_len == 0 || merges[i].right_len == 0 ||
            memchr(merges[i].right, ' ', merges[i].right_len) != NULL) {
            return fail_element(g, texts, i, "a merge must be two tokens separated by one space");
        }
    }
    source->vocab.merges = merges;
    source->vocab.n_merges = n;
    return LFM2_OK;
}

/* Some writers store -1, signed or not, for a token that the model does not have. */
static int32_t read_id(const lf_gguf *g, const char *key, uint32_t n_tokens, int32_t *out)
{
    const lf_gguf_value *v = lf_gguf_find(g, key);
    double number = 0;
    uint32_t id = 0;
    bool found = false;
    *out = -1;
    bool is_float = v != NULL && (v->type == LF_GGUF_F32 || v->type == LF_GGUF_F64);
    if (v != NULL && !is_float && lf_gguf_number(v, &number) &&
        (number == -1 || number == UINT32_MAX)) {
        return LFM2_OK;
    }
    LF_TRY(lf_gguf_get_u32(g, key, &id, &found));
    if (found && id >= n_tokens) {
        return lf_fail(LFM2_E_FORMAT, "gguf.vocab.id",
                       "%s: key '%s': the value is %u; allowed: 0 to %u, the last token",
                       g->file->path, key, id, n_tokens - 1);
    }
    if (found) {
        *out = (int32_t)id;
    }
    return LFM2_OK;
}

/* The tokens that end a turn or a message, beside EOS. */
static int32_t read_ends(const lf_gguf *g, lf_vocab_data *vocab)
{
    static const char *const keys[] = {"tokenizer.ggml.eot_token_id",
                                       "tokenizer.ggml.eom_token_id"};
    for (size_t i = 0; i < sizeof keys / sizeof keys[0]; i++) {
        int32_t id = -1;
        LF_TRY(read_id(g, keys[i], vocab->n_tokens, &id));
        if (id >= 0) {
            LF_TRY(lf_end_add(&vocab->ends, id, g->file->path));
        }
    }
    return LFM2_OK;
}

/* The texts of the special tokens. An id beyond the vocabulary names none. */
static int32_t read_special(lf_source *source, const lf_gguf *g)
{
    static const char *const keys[LF_N_SPECIAL] = {
        "tokenizer.ggml.bos_token_id",     "tokenizer.ggml.eos_token_id",
        "tokenizer.ggml.unknown_token_id", "tokenizer.ggml.seperator_token_id",
        "tokenizer.ggml.padding_token_id", "tokenizer.ggml.cls_token_id",
        "tokenizer.ggml.mask_token_id",
    };
    lf_vocab_data *vocab = &source->vocab;
    for (int i = 0; i < LF_N_SPECIAL; i++) {
        const lf_gguf_value *v = lf_gguf_find(g, keys[i]);
        double id = -1;
        if (v != NULL && lf_gguf_number(v, &id) && id >= 0 && id < vocab->n_tokens) {
            const lf_vocab_token *t = &vocab->tokens[(uint32_t)id];
            LF_TRY(lf_arena_string(&source->arena, t->text, t->len, &vocab->special[i]));
        }
    }
    return LFM2_OK;
}

int32_t lf_gguf_vocab(lf_source *source, const lf_gguf *g)
{
    lf_vocab_data *vocab = &source->vocab;
    const lf_gguf_value *texts = NULL;
    bool found = false;
    bool guessed = false;
    LF_TRY(lf_gguf_get_array(g, "tokenizer.ggml.tokens", true, &texts, &found));
    if (!found) {
        return LFM2_OK; /* a file of weights only: text functions fail later */
    }
    LF_TRY(require_text(g, "tokenizer.ggml.model", "gpt2"));
    LF_TRY(check_pre(g, &guessed));
    LF_TRY(read_tokens(source, g, texts));
    if (guessed) {
        LF_TRY(check_guessed(source, g));
    }
    LF_TRY(read_merges(source, g));
    LF_TRY(read_id(g, "tokenizer.ggml.bos_token_id", vocab->n_tokens, &vocab->bos_id));
    LF_TRY(read_id(g, "tokenizer.ggml.eos_token_id", vocab->n_tokens, &vocab->eos_id));
    LF_TRY(read_id(g, "tokenizer.ggml.padding_token_id", vocab->n_tokens, &vocab->pad_id));
    LF_TRY(read_ends(g, vocab));
    vocab->add_bos = true; /* the default of the pre-tokenizer 'lfm2' */
    LF_TRY(lf_gguf_get_bool(g, "tokenizer.ggml.add_bos_token", &vocab->add_bos, &found));
    vocab->add_bos = vocab->add_bos && vocab->bos_id >= 0;
    LF_TRY(read_special(source, g));
    return lf_templates_from_gguf(source, g);
}
