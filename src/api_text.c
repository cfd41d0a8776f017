/* SPDX-License-Identifier: Apache-2.0 */
/* Implements the text functions of lfm2.h: checks arguments and calls text/ and run/decoder. */
#include "api.h"

#include "run/decoder.h"
#include "text/chat.h"
#include "text/detokenize.h"

#include <string.h>

/* Fails unless the model has a tokenizer. */
static int32_t text_model(const lfm2_model *model)
{
    if (model == NULL) {
        return lf_api_null("model");
    }
    return lf_model_need_text(model);
}

/* ---- Tokenizer ---- */

int32_t lfm2_tokenize(const lfm2_model *model, const char *text, size_t len, uint32_t flags,
                      int32_t *ids, size_t capacity, size_t *n_ids)
{
    LF_TRY(text_model(model));
    if ((text == NULL && len > 0) || (ids == NULL && capacity > 0) || n_ids == NULL) {
        return lf_api_null(text == NULL && len > 0 ? "text" : n_ids == NULL ? "n_ids" : "ids");
    }
    LF_TRY(lf_api_flags(flags, LFM2_TOKENIZE_BOS | LFM2_TOKENIZE_SPECIAL, "flags"));
    lf_span span = {text != NULL ? text : "", len, (flags & LFM2_TOKENIZE_SPECIAL) != 0};
    bool bos = (flags & LFM2_TOKENIZE_BOS) != 0 && lf_tokenizer_add_bos(model->tokenizer);
    return lf_tokenizer_encode(model->tokenizer, &span, 1, bos, ids, capacity, n_ids);
}

int32_t lfm2_token_get(const lfm2_model *model, int32_t id, const char **bytes, size_t *len,
                       int32_t *kind)
{
    LF_TRY(text_model(model));
    const char *b = NULL;
    size_t n = 0;
    int32_t k = 0;
    LF_TRY(lf_tokenizer_token(model->tokenizer, id, &b, &n, &k));
    if (bytes != NULL) {
        *bytes = b;
    }
    if (len != NULL) {
        *len = n;
    }
    if (kind != NULL) {
        *kind = k;
    }
    return LFM2_OK;
}

int32_t lfm2_token_is_end(const lfm2_model *model, int32_t id)
{
    return model != NULL && model->tokenizer != NULL && lf_tokenizer_is_end(model->tokenizer, id);
}

int32_t lfm2_detokenize(const lfm2_model *model, const int32_t *ids, size_t n_ids, uint32_t flags,
                        char *text, size_t capacity, size_t *len)
{
    LF_TRY(text_model(model));
    if ((ids == NULL && n_ids > 0) || (text == NULL && capacity > 0) || len == NULL) {
        return lf_api_null(ids == NULL && n_ids > 0 ? "ids" : len == NULL ? "len" : "text");
    }
    LF_TRY(lf_api_flags(flags, LFM2_DETOKENIZE_SPECIAL, "flags"));
    bool special = (flags & LFM2_DETOKENIZE_SPECIAL) != 0;
    return lf_detokenize(model->tokenizer, ids, n_ids, special, text, capacity, len);
}

/* ---- Streaming decoder ---- */

int32_t lfm2_decoder_create(lfm2_model *model, uint32_t flags, lfm2_decoder **out)
{
    LF_TRY(text_model(model));
    if (out == NULL) {
        return lf_api_null("out");
    }
    LF_TRY(lf_api_flags(flags, LFM2_DETOKENIZE_SPECIAL, "flags"));
    return lf_decoder_create(model, (flags & LFM2_DETOKENIZE_SPECIAL) != 0, out);
}

void lfm2_decoder_free(lfm2_decoder *decoder)
{
    lf_decoder_free(decoder);
}

int32_t lfm2_decoder_push(lfm2_decoder *decoder, int32_t id, const char **text, size_t *len)
{
    if (decoder == NULL || text == NULL || len == NULL) {
        return lf_api_null(decoder == NULL ? "decoder" : text == NULL ? "text" : "len");
    }
    return lf_decoder_push(decoder, id, text, len);
}

int32_t lfm2_decoder_flush(lfm2_decoder *decoder, const char **text, size_t *len)
{
    if (decoder == NULL || text == NULL || len == NULL) {
        return lf_api_null(decoder == NULL ? "decoder" : text == NULL ? "text" : "len");
    }
    lf_decoder_flush(decoder, text, len);
    return LFM2_OK;
}

/* ---- Chat ---- */

static const lfm2_chat_options chat_defaults = {.size = sizeof chat_defaults};

void lfm2_chat_options_init(lfm2_chat_options *options, size_t size)
{
    lf_api_init(options, size, &chat_defaults, sizeof chat_defaults);
}

/* Checks the options and builds the chat. The caller frees *chat, after a failure, too. */
static int32_t build(const lf_alloc *alloc, const char *messages, size_t messages_len,
                     const lfm2_chat_options *options, lf_chat *chat)
{
    *chat = (lf_chat){0};
    if (messages == NULL) {
        return lf_api_null("messages");
    }
    lfm2_chat_options o = chat_defaults;
    LF_TRY(
        lf_api_read("options", options, LF_API_FIRST(lfm2_chat_options, reserved), &o, sizeof o));
    LF_TRY(lf_api_flags(o.flags, LFM2_CHAT_GENERATION_PROMPT | LFM2_CHAT_NO_BOS, "flags"));
    LF_TRY(lf_api_flags(o.reserved, 0, "reserved"));
    if (o.tools == NULL && o.tools_len > 0) {
        return lf_api_null("tools");
    }
    return lf_chat_build(alloc, messages, messages_len, &o, chat);
}

/* Copies as much of the text as fits the caller's buffer. */
static int32_t copy_out(const lf_chat *chat, char *text, size_t capacity, size_t *len)
{
    size_t used = 0;
    for (size_t i = 0; i < chat->n_spans && used < capacity; i++) {
        size_t left = capacity - used;
        size_t n = chat->spans[i].len < left ? chat->spans[i].len : left;
        memcpy(text + used, chat->spans[i].text, n);
        used += n;
    }
    *len = chat->len;
    if (chat->len > capacity) {
        return lf_fail(LFM2_E_BUFFER, "text.capacity", "the text has %zu bytes, the buffer %zu",
                       chat->len, capacity);
    }
    return LFM2_OK;
}

int32_t lfm2_chat_render(const lfm2_model *model, const char *messages, size_t messages_len,
                         const lfm2_chat_options *options, char *text, size_t capacity, size_t *len)
{
    if (model == NULL || len == NULL || (text == NULL && capacity > 0)) {
        return lf_api_null(model == NULL ? "model" : len == NULL ? "len" : "text");
    }
    lf_chat chat;
    int32_t status = build(&model->runtime->alloc, messages, messages_len, options, &chat);
    if (status == LFM2_OK) {
        status = copy_out(&chat, text, capacity, len);
    }
    lf_chat_free(&chat);
    return status;
}

int32_t lfm2_chat_tokenize(const lfm2_model *model, const char *messages, size_t messages_len,
                           const lfm2_chat_options *options, int32_t *ids, size_t capacity,
                           size_t *n_ids)
{
    LF_TRY(text_model(model));
    if (n_ids == NULL || (ids == NULL && capacity > 0)) {
        return lf_api_null(n_ids == NULL ? "n_ids" : "ids");
    }
    lf_chat chat;
    int32_t status = build(&model->runtime->alloc, messages, messages_len, options, &chat);
    if (status == LFM2_OK) {
        status = lf_tokenizer_encode(model->tokenizer, chat.spans, chat.n_spans, false, ids,
                                     capacity, n_ids);
    }
    lf_chat_free(&chat);
    return status;
}
