/* SPDX-License-Identifier: Apache-2.0 */
/* UTF-8 and the four character classes that LFM2's pre-tokeniser knows. */
#ifndef LF_TEXT_UNICODE_H
#define LF_TEXT_UNICODE_H

#include <stddef.h>
#include <stdint.h>

/* Given instead of a code point for bytes that are not UTF-8. */
enum {
    LF_UTF8_BAD = 0x110000, /* these bytes can never begin a character */
    LF_UTF8_CUT = 0x110001  /* the text ends inside a character that was sound so far */
};

/* Reads the character at p, len >= 1 bytes are there. Returns the bytes it takes (1..4); for
 * LF_UTF8_BAD and LF_UTF8_CUT those of the "maximal subpart" of the Unicode standard (1..3). */
size_t lf_utf8_decode(const uint8_t *p, size_t len, uint32_t *code_point);

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
