/* SPDX-License-Identifier: Apache-2.0 */
/* The streaming decoder: token ids in, whole UTF-8 characters out. */
#ifndef LF_RUN_DECODER_H
#define LF_RUN_DECODER_H

#include "model/model.h"

/* The bytes that a token adds to a text: those of the token, or none for a control token without
 * `special`. They live as long as the tokenizer. Errors: ARGUMENT (id out of range). */
int32_t lf_decoder_bytes(const lf_tokenizer *tokenizer, int32_t id, bool special,
                         const char **bytes, size_t *n);

/* The model must have a tokenizer; the decoder holds a reference to it. With `special`, control
 * tokens are decoded to their names, else to nothing. One thread at a time. Errors: MEMORY. */
int32_t lf_decoder_create(lfm2_model *model, bool special, lfm2_decoder **out);
void lf_decoder_free(lfm2_decoder *decoder); /* NULL is allowed */

/* Adds a token. *text receives the characters that are complete now, 0-terminated, in memory of the
 * decoder that is valid until the next call. Errors: ARGUMENT (id out of range), MEMORY; then the
 * decoder is unchanged. */
int32_t lf_decoder_push(lfm2_decoder *decoder, int32_t id, const char **text, size_t *len);

/* Ends the text: *text is U+FFFD if the last character is incomplete, else empty; memory as
 * above. */
void lf_decoder_flush(lfm2_decoder *decoder, const char **text, size_t *len);

#endif /* LF_RUN_DECODER_H */
