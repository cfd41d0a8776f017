/* SPDX-License-Identifier: Apache-2.0 */
/* Builds JSON text in memory, without white space. Commas are written where they belong. After a
 * failing allocation everything is ignored and `failed` is set: check it once, at the end. */
#ifndef LFM2_SERVE_JSON_OUT_H
#define LFM2_SERVE_JSON_OUT_H

#include "common/json.h"

typedef struct json_out {
    char *text; /* NUL-terminated if len > 0 */
    size_t len, capacity;
    bool failed, comma;
} json_out;

void json_out_free(json_out *out);
void json_out_clear(json_out *out); /* keeps the memory; clears `failed` */

/* Values. A key of NULL is for elements of arrays and for the outermost value. Bytes that are not
 * UTF-8 become U+FFFD. */
void out_object(json_out *out, const char *key);
void out_end_object(json_out *out);
void out_array(json_out *out, const char *key);
void out_end_array(json_out *out);
void out_string(json_out *out, const char *key, const char *text); /* NULL = null */
void out_text(json_out *out, const char *key, const char *text, size_t len);
void out_u64(json_out *out, const char *key, uint64_t value);
void out_i64(json_out *out, const char *key, int64_t value);
/* The shortest digits that give the value again, as a float if it is one; null if not finite. */
void out_number(json_out *out, const char *key, double value);
void out_bool(json_out *out, const char *key, bool value);
void out_null(json_out *out, const char *key);
void out_value(json_out *out, const char *key, const lf_json *value);        /* NULL = null */
void out_json(json_out *out, const char *key, const char *json, size_t len); /* as it is */

/* A string in pieces: out_text_begin, any number of out_text_add, out_text_end. A piece must not
 * end inside a character. */
void out_text_begin(json_out *out, const char *key);
void out_text_add(json_out *out, const char *text, size_t len);
void out_text_end(json_out *out);

/* Bytes outside of JSON, such as the lines of server-sent events. A value that follows gets no
 * comma. */
void out_raw(json_out *out, const char *bytes, size_t len);

#endif /* LFM2_SERVE_JSON_OUT_H */
