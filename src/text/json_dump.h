/* SPDX-License-Identifier: Apache-2.0 */
/* JSON values written as Python's json.dumps(value, ensure_ascii=False) writes them. */
#ifndef LF_TEXT_JSON_DUMP_H
#define LF_TEXT_JSON_DUMP_H

#include "common/json.h"

/* Counts what is written; stores it too unless out is NULL. */
typedef struct lf_json_writer {
    char *out; /* room for all of it, known from a first pass */
    size_t len;
} lf_json_writer;

void lf_json_write(lf_json_writer *writer, const char *text, size_t len);

/* Separators ", " and ": ", member order kept, numbers as in their source. Not recursive. */
void lf_json_dump(const lf_json *value, lf_json_writer *writer);

#endif /* LF_TEXT_JSON_DUMP_H */
