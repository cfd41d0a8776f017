/* SPDX-License-Identifier: Apache-2.0 */
/* The character classes of LFM2's pre-tokenizer, and the case of letters. */
#ifndef LF_TEXT_UNICODE_H
#define LF_TEXT_UNICODE_H

#include <stdbool.h>
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

/* Case as utf8proc knows it: one character for one character. */
uint32_t lf_to_upper(uint32_t code_point);
uint32_t lf_to_lower(uint32_t code_point);
uint32_t lf_to_title(uint32_t code_point);

/* Python's str.isprintable: neither a control, format, surrogate, private or unassigned character
 * nor a separator other than the space. */
bool lf_is_printable(uint32_t code_point);

/* A decimal digit, \p{Nd}. */
bool lf_is_decimal(uint32_t code_point);

/* The class of each ASCII character, as values of lf_class. */
extern const uint8_t lf_class_ascii[128];

#endif /* LF_TEXT_UNICODE_H */
