/* SPDX-License-Identifier: Apache-2.0 */
/* The four character classes of LFM2's pre-tokenizer. */
#ifndef LF_TEXT_UNICODE_H
#define LF_TEXT_UNICODE_H

#include <stdint.h>

typedef enum {
    LF_CLASS_OTHER,  /* all else: marks, symbols, unassigned code points, invalid bytes */
    LF_CLASS_LETTER, /* \p{L} */
    LF_CLASS_NUMBER, /* \p{N} */
    LF_CLASS_SPACE   /* \s: White_Space */
} lf_class;

/* The class in Unicode 16.0, even if the installed utf8proc implements an older version
 * (README.md). */
lf_class lf_class_of(uint32_t code_point);

/* The class of each ASCII character, as values of lf_class. */
extern const uint8_t lf_class_ascii[128];

#endif /* LF_TEXT_UNICODE_H */
