/* SPDX-License-Identifier: Apache-2.0 */
/* The four character classes that LFM2's pre-tokenizer knows. */
#ifndef LF_TEXT_UNICODE_H
#define LF_TEXT_UNICODE_H

#include <stdint.h>

typedef enum {
    LF_CLASS_OTHER,  /* none of the below: marks, symbols, unassigned, broken bytes */
    LF_CLASS_LETTER, /* \p{L} */
    LF_CLASS_NUMBER, /* \p{N} */
    LF_CLASS_SPACE   /* \s: White_Space */
} lf_class;

/* Class in Unicode 16.0, whichever version the installed utf8proc knows (README.md). */
lf_class lf_class_of(uint32_t code_point);

/* The same for ASCII, as numbers of lf_class. */
extern const uint8_t lf_class_ascii[128];

#endif /* LF_TEXT_UNICODE_H */
