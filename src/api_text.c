/* SPDX-License-Identifier: Apache-2.0 */
/* Implements the text functions of lfm2.h: checks arguments and calls text/ and run/decoder. */
#include "api.h"

#include "run/decoder.h"
#include "text/detokenize.h"

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
