/* SPDX-License-Identifier: Apache-2.0 */
/* Writes JSON values to stdout and into buffers. */
#ifndef LFM2_CLI_JSON_H
#define LFM2_CLI_JSON_H

#include "cli/support/text.h"

#include "common/json.h"

/* Every function writes one whole value, to stdout unless it says otherwise. */

/* Bytes that are not UTF-8 become U+FFFD. */
void json_string(const char *text, size_t len);

/* Append a string or a parsed value to `out`. Return EXIT_OK, or EXIT_FAILED after a message. */
int json_append_string(text_buffer *out, const char *text, size_t len);
int json_append(text_buffer *out, const lf_json *value);

/* null when not finite; enough digits for a float. */
void json_number(double value);

/* Array of ids. */
void json_ids(const int32_t *ids, size_t n);

/* The members "KEY":"text" and, if the bytes are not UTF-8, ,"bytes":[...]. */
void json_text_member(const char *key, const char *text, size_t len);

#endif /* LFM2_CLI_JSON_H */
