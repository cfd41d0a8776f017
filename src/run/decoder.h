/* SPDX-License-Identifier: Apache-2.0 */
/* Turns tokens into text, one at a time; only whole UTF-8 characters come out. */
#ifndef LF_RUN_DECODER_H
#define LF_RUN_DECODER_H

#include "model/model.h"

/* The decoder holds a reference to the model, which has a tokenizer. `special`: control tokens
 * become text too. Errors: MEMORY. */
int32_t lf_decoder_create(lfm2_model *model, bool special, lfm2_decoder **out);
void lf_decoder_free(lfm2_decoder *decoder); /* NULL is allowed */

/* The text that `id` completes, zero-terminated, valid until the next call. Errors: ARGUMENT (no
 * such token), MEMORY. */
int32_t lf_decoder_push(lfm2_decoder *decoder, int32_t id, const char **text, size_t *len);

/* What an incomplete last character becomes: U+FFFD. */
void lf_decoder_flush(lfm2_decoder *decoder, const char **text, size_t *len);

#endif /* LF_RUN_DECODER_H */
