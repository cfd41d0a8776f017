/* SPDX-License-Identifier: Apache-2.0 */
/* Turns a list of token ids into text. */
#ifndef LF_TEXT_DETOKENIZE_H
#define LF_TEXT_DETOKENIZE_H

#include "text/tokenizer.h"

/* Concatenates the bytes of the tokens, with the contract of lfm2_detokenize. `special` includes
 * the names of control tokens. Errors: ARGUMENT (id out of range; nothing is written), BUFFER,
 * LIMIT. */
int32_t lf_detokenize(const lf_tokenizer *tokenizer, const int32_t *ids, size_t n_ids, bool special,
                      char *text, size_t capacity, size_t *len);

#endif /* LF_TEXT_DETOKENIZE_H */
