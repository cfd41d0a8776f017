/* SPDX-License-Identifier: Apache-2.0 */
/* The vocabulary from tokenizer.json and tokenizer_config.json: tokens, merges, BOS rule.
 * tokenizer_pipeline.c checks the rest of tokenizer.json. */
#include "load/tokenizer_json.h"

#include <stdio.h>
#include <string.h>

int32_t lf_tj_fail(const lf_tj *t, const lf_json *at, int32_t status, const char *code,
                   const char *message)
{
    return lf_fail(status, code, "%s: offset %llu: %s", t->name,
                   at != NULL ? (unsigned long long)at->offset : 0, message);
}

/* ---- Vocabulary ---- */

/* Sets a token; its text is copied into the source's arena. */
static int32_t set_token(const lf_tj *t, const lf_json *at, uint32_t id, const char *text,
                         size_t len, int32_t kind)
{
    if (len > LF_MAX_TOKEN_BYTES) {
        return lf_tj_fail(t, at, LFM2_E_FORMAT, "tokenizer.vocab",
                          "a token is longer than 65535 bytes, the limit");
    }
    lf_vocab_token *token = &t->tokens[id];
    token->len = (uint32_t)len;
    token->kind = kind;
    return lf_arena_string(&t->source->arena, text, len, &token->text);
}

static int32_t read_token_id(const lf_tj *t, const lf_json *v, uint32_t *out)
{
    uint64_t id = 0;
    if (!lf_json_u64(v, &id)) {
        return lf_tj_fail(t, v, LFM2_E_FORMAT, "tokenizer.vocab",
                          "a token id must be a non-negative integer");
    }
    if (id >= t->n_tokens) {
        char text[128];
        snprintf(text, sizeof text,
                 "token id %llu is out of range; allowed: 0 to %u, the last row of the embedding",
                 (unsigned long long)id, t->n_tokens - 1);
        return lf_tj_fail(t, v, LFM2_E_FORMAT, "tokenizer.vocab.id", text);
    }
    *out = (uint32_t)id;
    return LFM2_OK;
}

static int32_t read_vocab(const lf_tj *t, const lf_json *vocab)
{
    if (vocab == NULL || vocab->kind != LF_JSON_OBJECT) {
        return lf_tj_fail(t, vocab, LFM2_E_FORMAT, "tokenizer.vocab",
                          "key 'model.vocab' is missing or not an object");
    }
    for (const lf_json *v = vocab->child; v != NULL; v = v->next) {
        uint32_t id = 0;
        LF_TRY(read_token_id(t, v, &id));
        if (t->tokens[id].text != NULL) {
            char text[64];
            snprintf(text, sizeof text, "two tokens have the id %u", id);
            return lf_tj_fail(t, v, LFM2_E_FORMAT, "tokenizer.vocab.id", text);
        }
        LF_TRY(set_token(t, v, id, v->key, v->key_len, LFM2_TOKEN_NORMAL));
    }
    return LFM2_OK;
}

/* Checks a flag of an added token that must be false. */
static int32_t require_false(const lf_tj *t, const lf_json *token, const char *key)
{
    const lf_json *v = lf_config_member(token, key);
    if (v != NULL && v->kind != LF_JSON_FALSE) {
        char text[96];
        snprintf(text, sizeof text, "added tokens with '%s' are not supported; it must be false",
                 key);
        return lf_tj_fail(t, v, LFM2_E_UNSUPPORTED, "tokenizer.added", text);
    }
    return LFM2_OK;
}

static int32_t read_added(const lf_tj *t, const lf_json *list)
{
    if (list != NULL && list->kind != LF_JSON_ARRAY) {
        return lf_tj_fail(t, list, LFM2_E_FORMAT, "tokenizer.added",
                          "key 'added_tokens' must be a list");
    }
    for (const lf_json *v = list != NULL ? list->child : NULL; v != NULL; v = v->next) {
        const lf_json *content = lf_json_get(v, "content");
        const lf_json *number = lf_json_get(v, "id");
        uint32_t id = 0;
        if (content == NULL || content->kind != LF_JSON_STRING || content->len == 0 ||
            number == NULL) {
            return lf_tj_fail(t, v, LFM2_E_FORMAT, "tokenizer.added",
                              "an added token must have an 'id' and a non-empty 'content'");
        }
        LF_TRY(read_token_id(t, number, &id));
        LF_TRY(require_false(t, v, "single_word"));
        LF_TRY(require_false(t, v, "lstrip"));
        LF_TRY(require_false(t, v, "rstrip"));
        const lf_vocab_token *old = &t->tokens[id];
        if (old->text != NULL &&
            (old->len != content->len || memcmp(old->text, content->text, content->len) != 0)) {
            char text[64];
            snprintf(text, sizeof text, "an added token has the id %u of another token", id);
            return lf_tj_fail(t, v, LFM2_E_FORMAT, "tokenizer.vocab.id", text);
        }
        const lf_json *special = lf_json_get(v, "special");
        bool control = special != NULL && special->kind == LF_JSON_TRUE;
        LF_TRY(set_token(t, v, id, content->text, content->len,
                         control ? LFM2_TOKEN_CONTROL : LFM2_TOKEN_USER));
    }
    return LFM2_OK;
}

/* Marks the rows of the embedding without a token as unused. */
static int32_t fill_gaps(const lf_tj *t)
{
    for (uint32_t id = 0; id < t->n_tokens; id++) {
        if (t->tokens[id].text == NULL) {
            char text[32];
            int n = snprintf(text, sizeof text, "[PAD%u]", id);
            LF_TRY(set_token(t, NULL, id, text, (size_t)n, LFM2_TOKEN_UNUSED));
        }
    }
    return LFM2_OK;
}

/* ---- Merges: "left right", or since 2024 ["left", "right"] ---- */

static int32_t read_merge(const lf_tj *t, const lf_json *v, lf_vocab_merge *out)
{
    const char *left = v->text;
    const char *right = NULL;
    size_t left_len = 0;
    size_t right_len = 0;
    if (v->kind == LF_JSON_STRING) {
        right = memchr(v->text, ' ', v->len);
        left_len = right != NULL ? (size_t)(right - v->text) : 0;
        right_len = right != NULL ? v->len - left_len - 1 : 0;
        right = right != NULL ? right + 1 : NULL;
        if (right != NULL && memchr(right, ' ', right_len) != NULL) {
            right_len = 0;
        }
    } else if (v->kind == LF_JSON_ARRAY && v->count == 2 && v->child->kind == LF_JSON_STRING &&
               v->child->next->kind == LF_JSON_STRING) {
        left = v->child->text;
        left_len = v->child->len;
        right = v->child->next->text;
        right_len = v->child->next->len;
    }
    if (left_len == 0 || right_len == 0 || left_len > LF_MAX_TOKEN_BYTES ||
        right_len > LF_MAX_TOKEN_BYTES) {
        return lf_tj_fail(t, v, LFM2_E_FORMAT, "tokenizer.merges",
                          "a merge must be two tokens: 'left right' or ['left', 'right']");
    }
    out->left_len = (uint32_t)left_len;
    out->right_len = (uint32_t)right_len;
    LF_TRY(lf_arena_string(&t->source->arena, left, left_len, &out->left));
    return lf_arena_string(&t->source->arena, right, right_len, &out->right);
}

static int32_t read_merges(const lf_tj *t, const lf_json *list)
{
    if (list == NULL || list->kind != LF_JSON_ARRAY) {
        return lf_tj_fail(t, list, LFM2_E_FORMAT, "tokenizer.merges",
                          "key 'model.merges' is missing or not a list");
    }
    void *memory = NULL;
    LF_TRY(lf_arena_new(&t->source->arena, list->count, sizeof(lf_vocab_merge), "merges", &memory));
    lf_vocab_merge *merges = memory;
    uint32_t n = 0;
    for (const lf_json *v = list->child; v != NULL; v = v->next) {
        LF_TRY(read_merge(t, v, &merges[n++]));
    }
    t->source->vocab.merges = merges;
    t->source->vocab.n_merges = n;
    return LFM2_OK;
}

/* ---- BOS, EOS, PAD ---- */

/* `file` is the file that has the id. */
static int32_t check_id(const lf_tj *t, const char *file, const char *key, int32_t id)
{
    if (id >= 0 && (uint32_t)id >= t->n_tokens) {
        return lf_fail(LFM2_E_FORMAT, "tokenizer.named",
                       "%s: %s: key '%s_id': the value is %d; allowed: 0 to %u, the last token",
                       t->source->path, file, key, id, t->n_tokens - 1);
    }
    return LFM2_OK;
}

/* *out receives the id of the token that a setting names; the setting is a string, or an object
 * with 'content'. Without the setting it is `otherwise`, the id from config.json (-1: none). */
static int32_t find_named(const lf_tj *t, const lf_json *settings, const char *settings_name,
                          const char *key, int32_t otherwise, int32_t *out)
{
    const lf_json *v = lf_config_member(settings, key);
    if (v != NULL && v->kind == LF_JSON_OBJECT) {
        v = lf_config_member(v, "content");
    }
    if (v == NULL) {
        *out = otherwise;
        return check_id(t, "config.json", key, otherwise);
    }
    if (v->kind != LF_JSON_STRING) {
        return lf_fail(LFM2_E_FORMAT, "tokenizer.named",
                       "%s: key '%s': offset %llu: the value must be a string, null or an object "
                       "with 'content'",
                       settings_name, key, (unsigned long long)v->offset);
    }
    for (uint32_t id = 0; id < t->n_tokens; id++) {
        if (t->tokens[id].len == v->len && memcmp(t->tokens[id].text, v->text, v->len) == 0) {
            *out = (int32_t)id;
            return LFM2_OK;
        }
    }
    lf_shown shown;
    return lf_fail(LFM2_E_FORMAT, "tokenizer.named",
                   "%s: key '%s': offset %llu: token '%s' is not in the vocabulary of "
                   "tokenizer.json",
                   settings_name, key, (unsigned long long)v->offset,
                   lf_show(&shown, v->text, v->len));
}

/* Sets the text of a special token: the setting's, or else that of the token `id`. */
static int32_t set_special(const lf_tj *t, const lf_json *settings, const char *key, int32_t id,
                           const char **out)
{
    const lf_json *v = lf_config_member(settings, key);
    v = v != NULL && v->kind == LF_JSON_OBJECT ? lf_config_member(v, "content") : v;
    if (v != NULL && v->kind == LF_JSON_STRING) {
        return lf_arena_string(&t->source->arena, v->text, v->len, out);
    }
    *out = id >= 0 ? t->tokens[id].text : NULL;
    return LFM2_OK;
}

static int32_t set_specials(const lf_tj *t, const lf_json *settings)
{
    lf_vocab_data *v = &t->source->vocab;
    static const char *const keys[LF_N_SPECIAL] = {
        "bos_token", "eos_token", "unk_token", "sep_token", "pad_token", "cls_token", "mask_token"};
    const int32_t ids[LF_N_SPECIAL] = {v->bos_id, v->eos_id, -1, -1, v->pad_id, -1, -1};
    for (int i = 0; i < LF_N_SPECIAL; i++) {
        LF_TRY(set_special(t, settings, keys[i], ids[i], &v->special[i]));
    }
    return LFM2_OK;
}

static int32_t read_named(const lf_tj *t, const lf_json *settings, const char *settings_name,
                          const lf_config_json *config)
{
    lf_vocab_data *vocab = &t->source->vocab;
    LF_TRY(find_named(t, settings, settings_name, "bos_token", config->bos_id, &vocab->bos_id));
    for (uint32_t i = 0; i < config->ends.n; i++) {
        LF_TRY(check_id(t, config->ends_file, "eos_token", config->ends.ids[i]));
    }
    vocab->ends = config->ends;
    int32_t eos = vocab->ends.n > 0 ? vocab->ends.ids[0] : -1;
    LF_TRY(find_named(t, settings, settings_name, "eos_token", eos, &vocab->eos_id));
    LF_TRY(find_named(t, settings, settings_name, "pad_token", config->pad_id, &vocab->pad_id));
    int32_t bos = -1;
    bool decided = false;
    LF_TRY(lf_tj_bos(t, &bos, &decided));
    if (decided) {
        vocab->add_bos = bos >= 0;
        vocab->bos_id = bos >= 0 ? bos : vocab->bos_id;
        return LFM2_OK;
    }
    const lf_json *add = lf_config_member(settings, "add_bos_token");
    vocab->add_bos = add != NULL && add->kind == LF_JSON_TRUE && vocab->bos_id >= 0;
    return LFM2_OK;
}

/* Sets n_tokens from the largest id unless config.json gives it. Without an embedding nothing else
 * bounds the ids and with them the memory of the vocabulary, so large gaps are refused. */
static int32_t count_tokens(lf_tj *t)
{
    const lf_json *vocab = lf_json_get(lf_json_get(t->root, "model"), "vocab");
    const lf_json *lists[] = {vocab, lf_config_member(t->root, "added_tokens")};
    uint64_t n = 0;
    for (size_t i = 0; i < 2; i++) {
        n += lists[i] != NULL ? lists[i]->count : 0;
    }
    const uint64_t most = 2 * n + 4096;
    uint64_t end = t->n_tokens;
    const lf_json *at = vocab;
    for (size_t i = 0; i < 2 && t->n_tokens == 0; i++) {
        for (const lf_json *v = lists[i] != NULL ? lists[i]->child : NULL; v != NULL; v = v->next) {
            uint64_t id = 0;
            const lf_json *number = i == 0 ? v : lf_json_get(v, "id");
            if (lf_json_u64(number, &id) && id >= end) {
                end = id < most ? id + 1 : most + 1;
                at = v;
            }
        }
    }
    if (end > most) {
        char text[160];
        snprintf(text, sizeof text,
                 "%s is too large for a tokenizer with %llu tokens; allowed: at most %llu",
                 t->n_tokens > 0 ? "'vocab_size' of config.json" : "a token id",
                 (unsigned long long)n, (unsigned long long)(t->n_tokens > 0 ? most : most - 1));
        return lf_tj_fail(t, at, LFM2_E_FORMAT, "tokenizer.vocab.id", text);
    }
    t->n_tokens = (uint32_t)end;
    return end > 0 ? LFM2_OK
                   : lf_tj_fail(t, vocab, LFM2_E_FORMAT, "tokenizer.vocab", "there are no tokens");
}

int32_t lf_tokenizer_from_json(lf_source *source, const lf_json *root, const char *name,
                               const lf_json *settings, const char *settings_name,
                               const lf_config_json *config)
{
    lf_tj t = {source, root, name, source->hparams.n_vocab, NULL};
    bool ignore_merges = false;
    LF_TRY(lf_tj_check_pipeline(&t, &ignore_merges));
    if (source->missing != NULL) {
        LF_TRY(count_tokens(&t));
        source->hparams.n_vocab = t.n_tokens;
    }
    void *memory = NULL;
    LF_TRY(lf_arena_new(&source->arena, t.n_tokens, sizeof(lf_vocab_token), "vocabulary", &memory));
    t.tokens = memory;
    memset(t.tokens, 0, t.n_tokens * sizeof *t.tokens);
    const lf_json *model = lf_json_get(root, "model");
    LF_TRY(read_vocab(&t, lf_json_get(model, "vocab")));
    LF_TRY(read_added(&t, lf_config_member(root, "added_tokens")));
    LF_TRY(fill_gaps(&t));
    LF_TRY(read_merges(&t, lf_json_get(model, "merges")));
    LF_TRY(read_named(&t, settings, settings_name, config));
    LF_TRY(set_specials(&t, settings));
    source->vocab.tokens = t.tokens;
    source->vocab.n_tokens = t.n_tokens;
    source->vocab.ignore_merges = ignore_merges;
    return LFM2_OK;
}
