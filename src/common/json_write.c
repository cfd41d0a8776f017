/* SPDX-License-Identifier: Apache-2.0 */
/* Writes JSON values with the separators and escapes of Python's json.dumps. */
#include "common/json.h"

#include "common/utf8.h"

#include <string.h>

static void put(const lf_json_writer *writer, const char *text, size_t len)
{
    if (len > 0) {
        writer->write(writer->user, text, len);
    }
}

static void put_text(const lf_json_writer *writer, const char *text)
{
    put(writer, text, strlen(text));
}

/* The escape sequence of an ASCII character, stored in `buffer` if it is not a constant; NULL if
 * the character needs none. */
static const char *escape(const lf_json_writer *writer, uint8_t byte, char buffer[7])
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
    if (byte >= 0x20 && (byte != 0x7F || !writer->escape_del)) {
        return NULL;
    }
    memcpy(buffer, "\\u00", 4);
    buffer[4] = digits[byte >> 4];
    buffer[5] = digits[byte & 15];
    buffer[6] = '\0';
    return buffer;
}

void lf_json_write_text(const lf_json_writer *writer, const char *text, size_t len)
{
    size_t start = 0; /* of the bytes that are copied unchanged */
    for (size_t i = 0; i < len;) {
        char buffer[7];
        size_t n = lf_utf8_char(text + i, len - i);
        const char *escaped = n == 0   ? "\\ufffd"
                              : n == 1 ? escape(writer, (uint8_t)text[i], buffer)
                                       : NULL;
        n = n > 0 ? n : 1;
        if (escaped != NULL) {
            put(writer, text + start, i - start);
            put_text(writer, escaped);
            start = i + n;
        }
        i += n;
    }
    put(writer, text + start, len - start);
}

void lf_json_write_string(const lf_json_writer *writer, const char *text, size_t len)
{
    put_text(writer, "\"");
    lf_json_write_text(writer, text, len);
    put_text(writer, "\"");
}

/* Writes a scalar, or the opening bracket of a container. */
static void put_head(const lf_json_writer *writer, const lf_json *value)
{
    switch (value->kind) {
    case LF_JSON_NULL:
        put_text(writer, "null");
        break;
    case LF_JSON_FALSE:
        put_text(writer, "false");
        break;
    case LF_JSON_TRUE:
        put_text(writer, "true");
        break;
    case LF_JSON_NUMBER:
        put(writer, value->text, value->len);
        break;
    case LF_JSON_STRING:
        lf_json_write_string(writer, value->text, value->len);
        break;
    case LF_JSON_ARRAY:
        put_text(writer, "[");
        break;
    case LF_JSON_OBJECT:
        put_text(writer, "{");
        break;
    }
}

void lf_json_write(const lf_json_writer *writer, const lf_json *value)
{
    const lf_json *open[LF_JSON_MAX_DEPTH + 1]; /* the containers around `at`, outermost first */
    size_t depth = 0;
    const lf_json *at = value;
    for (;;) {
        if (depth > 0 && open[depth - 1]->kind == LF_JSON_OBJECT) {
            lf_json_write_string(writer, at->key, at->key_len);
            put_text(writer, writer->compact ? ":" : ": ");
        }
        put_head(writer, at);
        bool nests = at->kind == LF_JSON_ARRAY || at->kind == LF_JSON_OBJECT;
        if (nests && at->child != NULL && depth < LF_JSON_MAX_DEPTH) {
            open[depth++] = at;
            at = at->child;
            continue;
        }
        if (nests) {
            put_text(writer, at->kind == LF_JSON_ARRAY ? "]" : "}");
        }
        while (depth > 0 && at->next == NULL) { /* the last child closes its container */
            at = open[--depth];
            put_text(writer, at->kind == LF_JSON_ARRAY ? "]" : "}");
        }
        if (depth == 0) {
            return;
        }
        put_text(writer, writer->compact ? "," : ", ");
        at = at->next;
    }
}
