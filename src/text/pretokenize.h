/* SPDX-License-Identifier: Apache-2.0 */
/* LFM2's pre-tokeniser: cuts text into the pieces inside which merges happen. */
#ifndef LF_TEXT_PRETOKENIZE_H
#define LF_TEXT_PRETOKENIZE_H

#include <stddef.h>
#include <stdint.h>

/* End of the piece that starts at text[pos], pos < end; text[end..] is as if it were not there.
 * Going through a whole text this way takes time linear in its length. Bytes that are not UTF-8
 * behave like U+FFFD: each maximal subpart is one character of class "other". */
size_t lf_pretoken_end(const uint8_t *text, size_t pos, size_t end);

#endif /* LF_TEXT_PRETOKENIZE_H */
