/* SPDX-License-Identifier: Apache-2.0 */
/* The little of UTF-8 that files and messages need; Unicode proper lives in src/text. */
#ifndef LF_COMMON_UTF8_H
#define LF_COMMON_UTF8_H

#include <stddef.h>

/* Bytes (1..4) of the well-formed character that starts at text, of which len bytes are there; 0 if
 * none does (overlong forms, surrogates, values above U+10FFFF and cut characters included). */
size_t lf_utf8_char(const char *text, size_t len);

/* Foreign bytes made fit for a one-line message: copies at most `cut` bytes of text, cut at a
 * character's border with "..." added where something is missing; control characters and bytes
 * that are not UTF-8 come out as '?'. out has room for cut + 4 bytes and ends with a 0. Returns
 * out. */
const char *lf_printable(char *out, size_t cut, const char *text, size_t len);

/* The same for names in messages. */
enum { LF_SHOWN = 100 };
typedef struct lf_shown {
    char text[LF_SHOWN + 4];
} lf_shown;
const char *lf_show(lf_shown *out, const char *text, size_t len);

#endif /* LF_COMMON_UTF8_H */
