/* SPDX-License-Identifier: Apache-2.0 */
/* JSON values written as Python's json.dumps(value, ensure_ascii=False) writes them. */
#ifndef LF_TEXT_JSON_DUMP_H
#define LF_TEXT_JSON_DUMP_H

#include "common/json.h"

/* Writes twice: first with `out` NULL to count the bytes, then into a buffer of that size. */
typedef struct lf_json_writer {
    char *out;
    size_t len; /* bytes written or counted so far */
} lf_json_writer;

/* Writes the bytes unchanged. */
void lf_json_write(lf_json_writer *writer, const char *text, size_t len);

/* Writes a value with the separators ", " and ": ". Members keep their order, numbers the text of
 * their source. Not recursive. */
void lf_json_dump(const lf_json *value, lf_json_writer *writer);

#endif /* LF_TEXT_JSON_DUMP_H */
