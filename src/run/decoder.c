/* SPDX-License-Identifier: Apache-2.0 */
/* Implements the streaming decoder. */
#include "run/decoder.h"

#include "text/utf8_stream.h"

struct lfm2_decoder {
    lfm2_model *model;
    bool special;
    lf_utf8_stream stream;
    char *text;  /* [size] the text of the last call */
    size_t size; /* bytes */
};

int32_t lf_decoder_create(lfm2_model *model, bool special, lfm2_decoder **out)
{
    const lf_alloc *alloc = &model->runtime->alloc;
    void *p = NULL;
    LF_TRY(lf_new_zero(alloc, 1, sizeof(lfm2_decoder), "decoder", &p));
    lfm2_decoder *decoder = p;
    decoder->size = 64;
    int32_t status = lf_new(alloc, decoder->size, 1, "decoder", &p);
    if (status != LFM2_OK) {
        lf_free(alloc, decoder, 1, sizeof *decoder);
        return status;
    }
    decoder->text = p;
    decoder->special = special;
    decoder->model = lf_model_retain(model);
    *out = decoder;
    return LFM2_OK;
}

void lf_decoder_free(lfm2_decoder *decoder)
{
    if (decoder == NULL) {
        return;
    }
    lfm2_model *model = decoder->model;
    lf_free(&model->runtime->alloc, decoder->text, decoder->size, 1);
    lf_free(&model->runtime->alloc, decoder, 1, sizeof *decoder);
    lf_model_free(model);
}

/* Makes `text` at least `bytes` long; its contents are lost. */
static int32_t reserve(lfm2_decoder *decoder, size_t bytes)
{
    if (bytes <= decoder->size) {
        return LFM2_OK;
    }
    const lf_alloc *alloc = &decoder->model->runtime->alloc;
    void *p = NULL;
    LF_TRY(lf_new(alloc, bytes, 1, "decoder", &p));
    lf_free(alloc, decoder->text, decoder->size, 1);
    decoder->text = p;
    decoder->size = bytes;
    return LFM2_OK;
}

int32_t lf_decoder_bytes(const lf_tokenizer *tokenizer, int32_t id, bool special,
                         const char **bytes, size_t *n)
{
    int32_t kind = 0;
    LF_TRY(lf_tokenizer_token(tokenizer, id, bytes, n, &kind));
    if (kind == LFM2_TOKEN_CONTROL && !special) {
        *n = 0;
    }
    return LFM2_OK;
}

int32_t lf_decoder_push(lfm2_decoder *decoder, int32_t id, const char **text, size_t *len)
{
    const char *bytes = NULL;
    size_t n = 0;
    LF_TRY(lf_decoder_bytes(decoder->model->tokenizer, id, decoder->special, &bytes, &n));
    LF_TRY(reserve(decoder, lf_utf8_push_bound(n) + 1));
    *len = n > 0 ? lf_utf8_push(&decoder->stream, bytes, n, decoder->text) : 0;
    decoder->text[*len] = '\0';
    *text = decoder->text;
    return LFM2_OK;
}

void lf_decoder_flush(lfm2_decoder *decoder, const char **text, size_t *len)
{
    *len = lf_utf8_flush(&decoder->stream, decoder->text);
    decoder->text[*len] = '\0';
    *text = decoder->text;
}
