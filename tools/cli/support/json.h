/* SPDX-License-Identifier: Apache-2.0 */
/* JSON: values written to stdout, and a small reader for lines of a data file. */
#ifndef LFM2_TOOLS_JSON_H
#define LFM2_TOOLS_JSON_H

#include "cli/support/text.h"

/* ---- Writing: every function writes one whole value, to stdout unless it says otherwise ------ */

/* Bytes that are not UTF-8 appear as U+FFFD. */
void json_string(const char *text, size_t len);

/* The same, appended to `out`. Returns EXIT_OK, or EXIT_FAILED after saying why. */
int json_append_string(text_buffer *out, const char *text, size_t len);

/* null when not finite; enough digits for a float. */
void json_number(double value);

/* Array of ids. */
void json_ids(const int32_t *ids, size_t n);

/* The members "KEY":"text" and, when the bytes are not UTF-8, ,"bytes":[...]. */
void json_text_member(const char *key, const char *text, size_t len);

/* Length of the UTF-8 character at the start of text, 0 if there is none. */
size_t utf8_length(const char *text, size_t len);

/* ---- Reading -------------------------------------------------------------------------------- */

enum { JSON_MAX_DEPTH = 64 };

/* A place in one document. After a failure `error` says what is wrong and every function returns
 * false. */
typedef struct json_cursor {
    const char *text;
    size_t len;
    size_t at;
    uint32_t depth;
    const char *error;
} json_cursor;

/* Enters an object ('{') or array ('['). */
bool json_enter(json_cursor *c, char open);

/* Moves to the next element of the array, or leaves it: true if there is an element to read.
 * `first` is true before the first call and is managed here. */
bool json_next(json_cursor *c, bool *first);

/* The same for an object; `key` receives the member's name. */
bool json_next_key(json_cursor *c, bool *first, text_buffer *key);

/* A string value; replaces what `out` held. */
bool json_read_string(json_cursor *c, text_buffer *out);

/* Any value, skipped; its source text is [*begin, *end) of the document. */
bool json_skip(json_cursor *c, size_t *begin, size_t *end);

/* Nothing but white space is left. */
bool json_end(json_cursor *c);

#endif /* LFM2_TOOLS_JSON_H */
