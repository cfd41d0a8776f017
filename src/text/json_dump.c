/* SPDX-License-Identifier: Apache-2.0 */
/* Implements the output of JSON with the spacing of Python's json.dumps. */
#include "text/json_dump.h"

#include <string.h>

void lf_json_write(lf_json_writer *writer, const char *text, size_t len)
{
    if (writer->out != NULL && len > 0) {
        memcpy(writer->out + writer->len, text, len);
    }
    writer->len += len;
}

static void put(lf_json_writer *writer, const char *text)
{
    lf_json_write(writer, text, strlen(text));
}

/* The escape sequence of a byte inside a string, NULL if the byte is written unchanged. `buffer`
 * holds 7 bytes. */
static const char *escape(uint8_t byte, char *buffer)
{
    static const char digits[] = "0123456789abcdef";
    switch (byte) {
    case '"':
        return "\\\"";
    case '\\':
        return "\\\\";
    case '\b':
        return "\\b";
    case '\f':
        return "\\f";
    case '\n':
        return "\\n";
    case '\r':
        return "\\r";
    case '\t':
        return "\\t";
    default:
        break;
    }
    if (byte >= 0x20) {
        return NULL;
    }
    memcpy(buffer, "\\u00", 4);
    buffer[4] = digits[byte >> 4];
    buffer[5] = digits[byte & 15];
    buffer[6] = '\0';
    return buffer;
}

static void put_string(lf_json_writer *writer, const char *text, size_t len)
{
    put(writer, "\"");
    size_t start = 0; /* of the bytes that need no escape */
    for (size_t i = 0; i < len; i++) {
        char buffer[7];
        const char *escaped = escape((uint8_t)text[i], buffer);
        if (escaped != NULL) {
            lf_json_write(writer, text + start, i - start);
            put(writer, escaped);
            start = i + 1;
        }
    }
    lf_json_write(writer, text + start, len - start);
    put(writer, "\"");
}

/* Writes a scalar, or the opening bracket of an array or object. */
static void put_head(lf_json_writer *writer, const lf_json *value)
{
    switch (value->kind) {
    case LF_JSON_NULL:
        put(writer, "null");
        break;
    case LF_JSON_FALSE:
        put(writer, "false");
        break;
    case LF_JSON_TRUE:
        put(writer, "true");
        break;
    case LF_JSON_NUMBER:
        lf_json_write(writer, value->text, value->len);
        break;
    case LF_JSON_STRING:
        put_string(writer, value->text, value->len);
        break;
    case LF_JSON_ARRAY:
        put(writer, "[");
        break;
    case LF_JSON_OBJECT:
        put(writer, "{");
        break;
    }
}

void lf_json_dump(const lf_json *value, lf_json_writer *writer)
{
    /* The values that contain `at`. The parser limits the depth. */
    const lf_json *open[LF_JSON_MAX_DEPTH + 1];
    size_t depth = 0;
    const lf_json *at = value;
    for (;;) {
        if (depth > 0 && open[depth - 1]->kind == LF_JSON_OBJECT) {
            put_string(writer, at->key, at->key_len);
            put(writer, ": ");
        }
        put_head(writer, at);
        bool nests = at->kind == LF_JSON_ARRAY || at->kind == LF_JSON_OBJECT;
        if (nests && at->child != NULL && depth < LF_JSON_MAX_DEPTH) {
            open[depth++] = at;
            at = at->child;
            continue;
        }
        if (nests) {
            put(writer, at->kind == LF_JSON_ARRAY ? "]" : "}");
        }
        while (depth > 0 && at->next == NULL) { /* the last child closes its parent */
            at = open[--depth];
            put(writer, at->kind == LF_JSON_ARRAY ? "]" : "}");
        }
        if (depth == 0) {
            return;
        }
        put(writer, ", ");
        at = at->next;
    }
}
