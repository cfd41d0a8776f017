/* SPDX-License-Identifier: Apache-2.0 */
/* LFM2's pre-tokenizer: splits text into the pre-tokens inside which BPE merges happen. */
#ifndef LF_TEXT_PRETOKENIZE_H
#define LF_TEXT_PRETOKENIZE_H

#include <stddef.h>
#include <stdint.h>

/* End of the pre-token that starts at text[pos], pos < end. Bytes from text[end] on are not read.
 * Splitting a whole text takes time linear in its length. Each maximal subpart of invalid UTF-8
 * counts as one character of class "other", as U+FFFD does. */
size_t lf_pretoken_end(const uint8_t *text, size_t pos, size_t end);

#endif /* LF_TEXT_PRETOKENIZE_H */
