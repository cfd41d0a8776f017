/* SPDX-License-Identifier: Apache-2.0 */
/* Reads and writes JSON (RFC 8259). The reader is strict: it checks UTF-8, limits the depth,
 * rejects duplicate keys, and reports the byte offset of an error. Numbers keep every digit,
 * and members keep their order. README.md says why no packaged library is used. */
#ifndef LF_COMMON_JSON_H
#define LF_COMMON_JSON_H

#include "common/alloc.h"

typedef enum {
    LF_JSON_NULL,
    LF_JSON_FALSE,
    LF_JSON_TRUE,
    LF_JSON_NUMBER,
    LF_JSON_STRING,
    LF_JSON_ARRAY,
    LF_JSON_OBJECT
} lf_json_kind;

enum {
    /* Published JSON schemas nest 63 levels deep before a list of tools contains them. The reader
     * and the writer have a stack of this size, 8 and 4 KiB. */
    LF_JSON_MAX_DEPTH = 512,
    /* Values of one document. A value takes 64 bytes of memory and as little as 2 of text: the
     * limit bounds the memory for an untrusted text at 256 MiB. */
    LF_JSON_MAX_VALUES = 4 << 20,
    LF_JSON_MAX_DIGITS = 320 /* limit of significant digits for the conversion of a number */
};

/* A value. Children form a list in the order of the source. Strings are unescaped UTF-8 with a
 * terminating 0; they contain a 0 byte for each \u0000. Numbers keep their source text. */
typedef struct lf_json {
    lf_json_kind kind;
    uint32_t count;  /* children of an array or object */
    const char *key; /* of an object member */
    size_t key_len;
    const char *text; /* STRING: its bytes; NUMBER: source text */
    size_t len;
    uint64_t offset;             /* of the value in the source */
    const struct lf_json *child; /* first */
    const struct lf_json *next;  /* sibling */
} lf_json;

/* Parses one document into `arena`. `name` names the source in messages. `status` is the status of
 * a syntax error: FORMAT for files, TEXT for text from the caller. Other errors: MEMORY. */
int32_t lf_json_parse(lf_arena *arena, const char *name, int32_t status, const char *text,
                      size_t len, const lf_json **out);

/* The same with at most `max_values` values, for files that need far fewer than
 * LF_JSON_MAX_VALUES. */
int32_t lf_json_parse_within(lf_arena *arena, const char *name, int32_t status, uint32_t max_values,
                             const char *text, size_t len, const lf_json **out);

/* The member with this key; NULL if there is none, or `object` is NULL or not an object. */
const lf_json *lf_json_get(const lf_json *object, const char *key);

/* Whether the key of a member is `key`. */
bool lf_json_key_is(const lf_json *member, const char *key);

/* Whether the value is the string `text`; false for NULL. */
bool lf_json_is_string(const lf_json *value, const char *text);

/* Convert a number. They return false and leave *out unchanged if value is NULL, not a number, out
 * of range, or has more than LF_JSON_MAX_DIGITS significant digits. lf_json_u64 and lf_json_i64
 * also return false for numbers that are not integers (1.0 and 1e3 are integers). Doubles are
 * correctly rounded in every locale. */
bool lf_json_u64(const lf_json *value, uint64_t *out);
bool lf_json_i64(const lf_json *value, int64_t *out);
bool lf_json_double(const lf_json *value, double *out);

/* ---- Writing ---- */

/* The destination of JSON text. */
typedef struct lf_json_writer {
    void (*write)(void *user, const char *text, size_t len); /* called for each section in turn */
    void *user;
    bool escape_del; /* write U+007F as \u007f, which JSON allows but does not require */
    bool compact;    /* lf_json_write: no space after ',' and ':' */
} lf_json_writer;

/* Writes a section of a string, without quotes. Each byte that is not part of a UTF-8 character
 * becomes \ufffd. */
void lf_json_write_text(const lf_json_writer *writer, const char *text, size_t len);

/* Writes a string with its quotes. */
void lf_json_write_string(const lf_json_writer *writer, const char *text, size_t len);

/* Writes a parsed value as Python's json.dumps(value, ensure_ascii=False) does: separators ", " and
 * ": " (unless `compact`), members and digits of numbers as in the source. Not recursive. */
void lf_json_write(const lf_json_writer *writer, const lf_json *value);

#endif /* LF_COMMON_JSON_H */
