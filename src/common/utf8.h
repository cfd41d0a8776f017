/* SPDX-License-Identifier: Apache-2.0 */
/* UTF-8: decoding, checking, encoding, and text for messages. Character classes are in src/text. */
#ifndef LF_COMMON_UTF8_H
#define LF_COMMON_UTF8_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Returned instead of a code point for bytes that are not UTF-8: overlong forms, surrogates and
 * values above U+10FFFF included. */
enum {
    LF_UTF8_BAD = 0x110000, /* these bytes cannot begin a character */
    LF_UTF8_CUT = 0x110001  /* the text ends inside a character that is valid so far */
};

/* Decodes the character at p, of which len >= 1 bytes are present. Returns its length in bytes (1
 * to 4); for LF_UTF8_BAD and LF_UTF8_CUT that of the "maximal subpart" of the Unicode standard (1
 * to 3). */
size_t lf_utf8_decode(const uint8_t *p, size_t len, uint32_t *code_point);

/* The length in bytes (1 to 4) of the character at the start of text; 0 if there is none: len is 0,
 * or the bytes are not UTF-8. */
size_t lf_utf8_char(const char *text, size_t len);

/* Whether all of the text is UTF-8. */
bool lf_utf8_valid(const char *text, size_t len);

/* Encodes a code point up to U+10FFFF. Returns the number of bytes written (1 to 4). */
size_t lf_utf8_encode(uint32_t code_point, char out[4]);

/* Prepares untrusted bytes for a one-line message. Copies at most `cut` bytes of text, cut between
 * characters and followed by "..." if something is missing. Control characters and bytes that are
 * not UTF-8 become '?'. `out` has cut + 4 bytes and receives a terminating 0. Returns out. */
const char *lf_printable(char *out, size_t cut, const char *text, size_t len);

/* The same with the buffer size for names in messages. */
enum { LF_SHOWN = 100 };
typedef struct lf_shown {
    char text[LF_SHOWN + 4];
} lf_shown;
const char *lf_show(lf_shown *out, const char *text, size_t len);

#endif /* LF_COMMON_UTF8_H */
