/* SPDX-License-Identifier: Apache-2.0 */
/* UTF-8 decoding and the four character classes of LFM2's pre-tokenizer. */
#ifndef LF_TEXT_UNICODE_H
#define LF_TEXT_UNICODE_H

#include <stddef.h>
#include <stdint.h>

/* Returned in place of a code point for bytes that are not UTF-8. */
enum {
    LF_UTF8_BAD = 0x110000, /* no character begins with these bytes */
    LF_UTF8_CUT = 0x110001  /* the text ends inside a character that is valid so far */
};

/* Decodes the character at p, where len >= 1 bytes are readable. Returns its length in bytes
 * (1..4); for LF_UTF8_BAD and LF_UTF8_CUT the length of the maximal subpart that the Unicode
 * standard defines (1..3). */
size_t lf_utf8_decode(const uint8_t *p, size_t len, uint32_t *code_point);

typedef enum {
    LF_CLASS_OTHER,  /* all else: marks, symbols, unassigned code points, invalid bytes */
    LF_CLASS_LETTER, /* \p{L} */
    LF_CLASS_NUMBER, /* \p{N} */
    LF_CLASS_SPACE   /* \s: White_Space */
} lf_class;

/* The class in Unicode 16.0, also where the installed utf8proc implements an older version
 * (README.md). */
lf_class lf_class_of(uint32_t code_point);

/* The class of each ASCII character, as values of lf_class. */
extern const uint8_t lf_class_ascii[128];

#endif /* LF_TEXT_UNICODE_H */
