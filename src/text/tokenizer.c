/* SPDX-License-Identifier: Apache-2.0 */
/* Implements the creation of a tokenizer: checks a vocabulary and builds the tables. */
#include "text/tokenizer_internal.h"

#include "common/utf8.h"

#include <string.h>

/* ---- Byte-level form: each byte is written as one printable code point ---- */

enum { MAPPED_END = 0x144 }; /* one more than the largest code point of the form */

typedef struct byte_map {
    int16_t byte[MAPPED_END]; /* index = code point; -1: not part of the form */
} byte_map;

/* Printable Latin-1 maps to itself; the other 68 bytes, in order, map to U+0100, U+0101, ... */
static void byte_map_init(byte_map *map)
{
    memset(map->byte, 0xFF, sizeof map->byte);
    size_t spare = 0x100;
    for (int16_t b = 0; b < 256; b++) {
        bool itself = (b >= 0x21 && b <= 0x7E) || (b >= 0xA1 && b <= 0xAC) || b >= 0xAE;
        map->byte[itself ? (size_t)b : spare++] = b;
    }
}

/* Decodes text in byte-level form to at most `len` bytes. Returns their number, SIZE_MAX if a
 * character is not part of the form. */
static size_t unmap(const byte_map *map, const char *text, size_t len, uint8_t *out)
{
    const uint8_t *p = (const uint8_t *)text;
    size_t n = 0;
    for (size_t i = 0; i < len;) {
        uint32_t c = p[i];
        i += c < 0x80 ? 1 : lf_utf8_decode(p + i, len - i, &c);
        if (c >= MAPPED_END || map->byte[c] < 0) {
            return SIZE_MAX;
        }
        out[n++] = (uint8_t)map->byte[c];
    }
    return n;
}

/* ---- Creation ---- */

typedef struct builder {
    lf_tokenizer *t;
    const lf_vocab_data *vocab;
    const char *name;
    byte_map map;
    uint8_t *blob; /* the tokens' bytes */
    size_t blob_used;
    lf_token *tokens;     /* [n_tokens] */
    lf_token_key *keys;   /* [n_tokens] of the tokens that merges can produce */
    lf_token_index index; /* of keys */
    lf_merge *merges;
    uint32_t guess; /* likely id of the result of the next merge */
    size_t n_control, n_user;
} builder;

static int32_t fail_token(const builder *b, uint32_t id, const char *code, const char *problem)
{
    const lf_vocab_token *token = &b->vocab->tokens[id];
    lf_shown shown;
    return lf_fail(LFM2_E_FORMAT, code, "%s: token %u '%s': %s", b->name, id,
                   lf_show(&shown, token->text, token->len), problem);
}

static int32_t check_id(const builder *b, const char *what, int32_t id)
{
    if (id < -1 || (id >= 0 && (uint32_t)id >= b->vocab->n_tokens)) {
        return lf_fail(LFM2_E_FORMAT, "vocab.id",
                       "%s: %s token id is %d; allowed: 0 to %u, or -1 for none", b->name, what, id,
                       b->vocab->n_tokens - 1);
    }
    return LFM2_OK;
}

static bool is_plain_ascii(const uint8_t *p, size_t len)
{
    for (size_t i = 0; i < len; i++) {
        if (p[i] < 0x21 || p[i] > 0x7E) {
            return false;
        }
    }
    return true;
}

/* Whether a user-defined token is a marker: "<", then at least one letter and no white space, then
 * ">". A marker is never one pre-token, so merges cannot produce it. */
static bool is_marker(const uint8_t *text, size_t len)
{
    bool letter = false;
    for (size_t i = 0; i < len; i++) {
        if (text[i] <= ' ') {
            return false;
        }
        letter |= (text[i] | 0x20) >= 'a' && (text[i] | 0x20) <= 'z';
    }
    return letter && text[0] == '<' && text[len - 1] == '>';
}

/* Whether a token is found only in spans that allow control tokens. */
static bool is_control(int32_t kind, const uint8_t *text, size_t len)
{
    return kind == LFM2_TOKEN_CONTROL || kind == LFM2_TOKEN_UNKNOWN ||
           (kind == LFM2_TOKEN_USER && is_marker(text, len));
}

/* Stores the decoded bytes of token `id` and, if merges can produce it, its key. */
static int32_t add_token(builder *b, lf_token *token, uint32_t id)
{
    const lf_vocab_token *source = &b->vocab->tokens[id];
    uint8_t *bytes = b->blob + b->blob_used;
    size_t len = source->len;
    if (source->kind < LFM2_TOKEN_NORMAL || source->kind > LFM2_TOKEN_BYTE) {
        return fail_token(
            b, id, "vocab.token.kind",
            "its kind is none of normal, unknown, control, user-defined, unused and byte");
    }
    if (source->kind == LFM2_TOKEN_NORMAL) {
        len = unmap(&b->map, source->text, source->len, bytes);
        if (len == SIZE_MAX || len == 0) {
            return fail_token(b, id, "vocab.token.text",
                              len == 0
                                  ? "the text is empty"
                                  : "the text has a character outside the byte-level BPE alphabet");
        }
    } else if (len > 0) {
        memcpy(bytes, source->text, len);
    }
    bool control = is_control(source->kind, bytes, len);
    bool added = control || source->kind == LFM2_TOKEN_USER;
    if (added && (len == 0 || len > LF_ADDED_MAX)) {
        return fail_token(b, id, "vocab.token.length",
                          len == 0 ? "the text is empty"
                                   : "the text is longer than 256 bytes, the limit for control and "
                                     "user-defined tokens");
    }
    bytes[len] = 0;
    b->blob_used += len + 1;
    *token = (lf_token){.bytes = bytes, .len = (uint32_t)len, .kind = (uint8_t)source->kind};
    b->n_control += control;
    b->n_user += added && !control;
    /* Merges can also produce a user-defined token. Its text is literal, so it can be compared with
     * the sides of merges only where the literal and the byte-level form are the same. */
    bool mergeable = source->kind == LFM2_TOKEN_NORMAL ||
                     (source->kind == LFM2_TOKEN_USER && is_plain_ascii(bytes, len));
    b->keys[id] = mergeable ? (lf_token_key){bytes, (uint32_t)len} : (lf_token_key){NULL, 0};
    return LFM2_OK;
}

static int32_t add_tokens(builder *b)
{
    const lf_vocab_data *vocab = b->vocab;
    size_t bytes = 0;
    for (uint32_t id = 0; id < vocab->n_tokens; id++) {
        if (!lf_add_size(bytes, (size_t)vocab->tokens[id].len + 1, &bytes)) {
            return lf_fail(LFM2_E_MEMORY, "memory.overflow",
                           "%s: the text of the tokens is too large for the address space",
                           b->name);
        }
    }
    void *p = NULL;
    LF_TRY(lf_arena_new(&b->t->arena, bytes, 1, "token texts", &p));
    b->blob = p;
    LF_TRY(lf_arena_new(&b->t->arena, vocab->n_tokens, sizeof(lf_token_key), "token keys", &p));
    b->keys = p;
    LF_TRY(lf_arena_new(&b->t->arena, vocab->n_tokens, sizeof(lf_token), "tokens", &p));
    b->tokens = p;
    for (uint32_t id = 0; id < vocab->n_tokens; id++) {
        LF_TRY(add_token(b, &b->tokens[id], id));
    }
    b->t->tokens = b->tokens;
    b->t->n_tokens = vocab->n_tokens;
    int64_t duplicate = -1;
    LF_TRY(lf_token_index_init(&b->t->alloc, b->keys, vocab->n_tokens, b->name, &b->index,
                               &duplicate));
    if (duplicate >= 0) {
        return fail_token(b, (uint32_t)duplicate, "vocab.token.duplicate",
                          "an earlier token has the same text");
    }
    for (unsigned byte = 0; byte < 256; byte++) {
        uint8_t one = (uint8_t)byte;
        int32_t id = lf_token_index_find(&b->index, &one, 1);
        if (id < 0) {
            return lf_fail(LFM2_E_FORMAT, "vocab.bytes",
                           "%s: the vocabulary has no token for the byte 0x%02X", b->name, byte);
        }
        b->t->bpe.byte_id[byte] = (uint32_t)id;
    }
    return LFM2_OK;
}

/* Builds the table of the control tokens or of the user-defined tokens. */
static int32_t add_added(builder *b, bool control, size_t n, lf_added *out)
{
    void *p = NULL;
    LF_TRY(lf_arena_new(&b->t->arena, n, sizeof(lf_added_token), "added tokens", &p));
    lf_added_token *list = p;
    uint32_t used = 0;
    for (uint32_t id = 0; id < b->t->n_tokens; id++) {
        const lf_token *token = &b->t->tokens[id];
        bool is = is_control(token->kind, token->bytes, token->len);
        if (control ? is : !is && token->kind == LFM2_TOKEN_USER) {
            list[used++] = (lf_added_token){token->bytes, token->len, (int32_t)id};
        }
    }
    const lf_added_token *duplicate = lf_added_init(out, list, used);
    if (duplicate != NULL) {
        return fail_token(b, (uint32_t)duplicate->id, "vocab.token.duplicate",
                          control ? "another control token has the same text"
                                  : "another user-defined token has the same text");
    }
    return LFM2_OK;
}

static int32_t fail_merge(const builder *b, uint32_t rank, const char *code, const char *problem)
{
    const lf_vocab_merge *m = &b->vocab->merges[rank];
    lf_shown left;
    lf_shown right;
    return lf_fail(LFM2_E_FORMAT, code, "%s: merge %u '%s' '%s': %s", b->name, rank,
                   lf_show(&left, m->left, m->left_len), lf_show(&right, m->right, m->right_len),
                   problem);
}

/* Id of the token that a merge produces, -1 if there is none. Trained vocabularies list these
 * tokens in the order of the merges, so the id after the previous result is tried first. */
static int32_t find_result(const builder *b, const uint8_t *text, size_t len)
{
    if (b->guess < b->t->n_tokens) {
        const lf_token_key *key = &b->keys[b->guess];
        if (key->bytes != NULL && key->len == len && memcmp(key->bytes, text, len) == 0) {
            return (int32_t)b->guess;
        }
    }
    return lf_token_index_find(&b->index, text, len);
}

static int32_t add_merge(builder *b, uint32_t rank, uint8_t *scratch)
{
    const lf_vocab_merge *m = &b->vocab->merges[rank];
    size_t left_len = unmap(&b->map, m->left, m->left_len, scratch);
    if (left_len == SIZE_MAX) {
        return fail_merge(b, rank, "vocab.merge.text",
                          "left side has a character outside the byte-level BPE alphabet");
    }
    size_t right_len = unmap(&b->map, m->right, m->right_len, scratch + left_len);
    if (right_len == SIZE_MAX) {
        return fail_merge(b, rank, "vocab.merge.text",
                          "right side has a character outside the byte-level BPE alphabet");
    }
    int32_t left = lf_token_index_find(&b->index, scratch, left_len);
    int32_t right = lf_token_index_find(&b->index, scratch + left_len, right_len);
    int32_t result = find_result(b, scratch, left_len + right_len);
    if (left < 0 || right < 0 || result < 0) {
        return fail_merge(b, rank, "vocab.merge.unknown",
                          left < 0    ? "left side is not in the vocabulary"
                          : right < 0 ? "right side is not in the vocabulary"
                                      : "the result is not in the vocabulary");
    }
    b->merges[rank] = (lf_merge){(uint32_t)left, (uint32_t)right, (uint32_t)result};
    b->guess = (uint32_t)result + 1;
    return LFM2_OK;
}

static int32_t add_merges(builder *b)
{
    const lf_alloc *alloc = &b->t->alloc;
    const lf_vocab_data *vocab = b->vocab;
    size_t longest = 0;
    for (uint32_t i = 0; i < vocab->n_merges; i++) {
        size_t len = 0;
        if (!lf_add_size(vocab->merges[i].left_len, vocab->merges[i].right_len, &len)) {
            return fail_merge(b, i, "vocab.merge.text", "the sides are too long");
        }
        longest = len > longest ? len : longest;
    }
    void *p = NULL;
    LF_TRY(lf_new(alloc, vocab->n_merges, sizeof *b->merges, "merges", &p));
    b->merges = p;
    uint8_t *scratch = NULL;
    int32_t status = lf_new(alloc, longest, 1, "merges", &p);
    scratch = status == LFM2_OK ? p : NULL;
    for (uint32_t i = 0; status == LFM2_OK && i < vocab->n_merges; i++) {
        status = add_merge(b, i, scratch);
    }
    lf_free(alloc, scratch, longest, 1);
    LF_TRY(status);
    int64_t duplicate = -1;
    LF_TRY(lf_bpe_init(&b->t->bpe, &b->t->arena, b->merges, vocab->n_merges, b->name, &duplicate));
    if (duplicate >= 0) {
        return fail_merge(b, (uint32_t)duplicate, "vocab.merge.duplicate",
                          "an earlier merge has the same two sides");
    }
    return LFM2_OK;
}

int32_t lf_tokenizer_find_added(const lf_tokenizer *t, const char *name)
{
    const lf_added *tables[] = {&t->control, &t->user};
    size_t len = strlen(name);
    for (size_t i = 0; i < 2; i++) {
        size_t at = 0;
        const lf_added_token *found = lf_added_find(tables[i], (const uint8_t *)name, 0, len, &at);
        if (found != NULL && at == 0 && found->len == len) {
            return found->id;
        }
    }
    return -1;
}

/* Marks the tokens at which generation stops: those that the files list, and the tokens that end a
 * turn or a text by their names, as llama.cpp finds them. */
static void mark_stop_tokens(lf_tokenizer *t, const lf_ends *ends, lf_token *tokens)
{
    static const char *const names[] = {
        "<|im_end|>", "<|endoftext|>", "<|end_of_text|>", "<|eot_id|>",         "<|eom_id|>",
        "<|end|>",    "<|return|>",    "<|call|>",        "<end_of_turn>",      "</s>",
        "<EOT>",      "[EOT]",         "[EOS]",           "<end_of_utterance>",
    };
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        int32_t id = lf_tokenizer_find_added(t, names[i]);
        if (id >= 0) {
            tokens[id].ends = true;
        }
    }
    for (uint32_t i = 0; i < ends->n; i++) {
        tokens[ends->ids[i]].ends = true;
    }
    if (t->eos_id >= 0) {
        tokens[t->eos_id].ends = true;
    }
}

static int32_t list_ends(lf_tokenizer *t)
{
    void *p = NULL;
    for (uint32_t id = 0; id < t->n_tokens; id++) {
        t->n_ends += t->tokens[id].ends;
    }
    LF_TRY(lf_arena_new(&t->arena, t->n_ends, sizeof *t->ends, "end tokens", &p));
    t->ends = p;
    uint32_t n = 0;
    for (uint32_t id = 0; id < t->n_tokens; id++) {
        if (t->tokens[id].ends) {
            t->ends[n++] = (int32_t)id;
        }
    }
    return LFM2_OK;
}

static int32_t build(builder *b, bool ignore_merges)
{
    lf_tokenizer *t = b->t;
    const lf_vocab_data *vocab = b->vocab;
    if (vocab->n_tokens == 0 || vocab->n_tokens > INT32_MAX) {
        return lf_fail(LFM2_E_FORMAT, "vocab.size",
                       "%s: the vocabulary has %u tokens; allowed: 1 to %d", b->name,
                       vocab->n_tokens, INT32_MAX);
    }
    LF_TRY(check_id(b, "BOS", vocab->bos_id));
    LF_TRY(check_id(b, "EOS", vocab->eos_id));
    LF_TRY(check_id(b, "padding", vocab->pad_id));
    for (uint32_t i = 0; i < vocab->ends.n; i++) {
        LF_TRY(check_id(b, "end", vocab->ends.ids[i]));
    }
    byte_map_init(&b->map);
    LF_TRY(add_tokens(b));
    LF_TRY(add_added(b, true, b->n_control, &t->control));
    LF_TRY(add_added(b, false, b->n_user, &t->user));
    LF_TRY(add_merges(b));
    t->bos_id = vocab->bos_id;
    t->eos_id = vocab->eos_id;
    t->pad_id = vocab->pad_id;
    t->add_bos = vocab->add_bos;
    mark_stop_tokens(t, &vocab->ends, b->tokens);
    LF_TRY(list_ends(t));
    t->ignore_merges = ignore_merges;
    if (ignore_merges) {
        t->index = b->index;
        b->index = (lf_token_index){0};
    }
    return LFM2_OK;
}

int32_t lf_tokenizer_create(const lf_alloc *alloc, const lf_vocab_data *vocab, bool ignore_merges,
                            lf_tokenizer **out)
{
    void *p = NULL;
    LF_TRY(lf_new_zero(alloc, 1, sizeof(lf_tokenizer), "tokenizer", &p));
    lf_tokenizer *t = p;
    t->alloc = *alloc;
    lf_arena_init(&t->arena, &t->alloc);
    builder b = {.t = t, .vocab = vocab, .name = vocab->name ? vocab->name : "vocabulary"};
    int32_t status = build(&b, ignore_merges);
    lf_token_index_free(&t->alloc, &b.index);
    lf_free(&t->alloc, b.merges, vocab->n_merges, sizeof *b.merges);
    if (status != LFM2_OK) {
        lf_tokenizer_free(t);
        return status;
    }
    *out = t;
    return LFM2_OK;
}

void lf_tokenizer_free(lf_tokenizer *tokenizer)
{
    if (tokenizer == NULL) {
        return;
    }
    lf_alloc alloc = tokenizer->alloc;
    lf_token_index_free(&alloc, &tokenizer->index);
    lf_arena_free(&tokenizer->arena);
    lf_free(&alloc, tokenizer, 1, sizeof *tokenizer);
}

/* ---- Queries ---- */

uint32_t lf_tokenizer_size(const lf_tokenizer *tokenizer)
{
    return tokenizer->n_tokens;
}

int32_t lf_tokenizer_bos(const lf_tokenizer *tokenizer)
{
    return tokenizer->bos_id;
}

int32_t lf_tokenizer_eos(const lf_tokenizer *tokenizer)
{
    return tokenizer->eos_id;
}

int32_t lf_tokenizer_pad(const lf_tokenizer *tokenizer)
{
    return tokenizer->pad_id;
}

bool lf_tokenizer_add_bos(const lf_tokenizer *tokenizer)
{
    return tokenizer->add_bos;
}

const int32_t *lf_tokenizer_ends(const lf_tokenizer *tokenizer, uint32_t *n)
{
    *n = tokenizer->n_ends;
    return tokenizer->ends;
}

bool lf_tokenizer_is_end(const lf_tokenizer *tokenizer, int32_t id)
{
    return id >= 0 && (uint32_t)id < tokenizer->n_tokens && tokenizer->tokens[id].ends;
}

bool lf_tokenizer_is_control(const lf_tokenizer *tokenizer, int32_t id)
{
    if (id < 0 || (uint32_t)id >= tokenizer->n_tokens) {
        return false;
    }
    const lf_token *token = &tokenizer->tokens[id];
    return is_control(token->kind, token->bytes, token->len);
}

int32_t lf_tokenizer_token(const lf_tokenizer *tokenizer, int32_t id, const char **bytes,
                           size_t *len, int32_t *kind)
{
    if (id < 0 || (uint32_t)id >= tokenizer->n_tokens) {
        return lf_fail(LFM2_E_ARGUMENT, "token.id", "token id is %d; allowed: 0 to %u", id,
                       tokenizer->n_tokens - 1);
    }
    const lf_token *token = &tokenizer->tokens[id];
    if (bytes != NULL) {
        *bytes = (const char *)token->bytes;
    }
    if (len != NULL) {
        *len = token->len;
    }
    if (kind != NULL) {
        *kind = token->kind;
    }
    return LFM2_OK;
}
