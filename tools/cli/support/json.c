/* SPDX-License-Identifier: Apache-2.0 */
/* JSON: values written to stdout, and a small reader for lines of a data file. */
#include "cli/support/json.h"

#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

/* ---- Writing -------------------------------------------------------------------------------- */

size_t utf8_length(const char *text, size_t len)
{
    const unsigned char *s = (const unsigned char *)text;
    if (len == 0) {
        return 0;
    }
    if (s[0] < 0x80) {
        return 1;
    }
    size_t n = s[0] >= 0xf0 ? 4 : s[0] >= 0xe0 ? 3 : 2;
    if (s[0] < 0xc2 || s[0] > 0xf4 || len < n) {
        return 0;
    }
    for (size_t i = 1; i < n; i++) {
        if ((s[i] & 0xc0) != 0x80) {
            return 0;
        }
    }
    /* overlong forms, surrogates, beyond U+10FFFF */
    if ((s[0] == 0xe0 && s[1] < 0xa0) || (s[0] == 0xed && s[1] > 0x9f) ||
        (s[0] == 0xf0 && s[1] < 0x90) || (s[0] == 0xf4 && s[1] > 0x8f)) {
        return 0;
    }
    return n;
}

/* Where a value goes; returns an exit code. */
typedef int (*json_sink)(void *ctx, const char *text, size_t len);

static int to_stdout(void *ctx, const char *text, size_t len)
{
    (void)ctx;
    out_write(text, len);
    return EXIT_OK;
}

static int to_buffer(void *ctx, const char *text, size_t len)
{
    return text_append(ctx, text, len);
}

/* A byte that JSON does not take as it is. */
static int write_escaped(json_sink sink, void *ctx, unsigned char byte)
{
    char code[8];
    switch (byte) {
    case '"':
        return sink(ctx, "\\\"", 2);
    case '\\':
        return sink(ctx, "\\\\", 2);
    case '\n':
        return sink(ctx, "\\n", 2);
    case '\r':
        return sink(ctx, "\\r", 2);
    case '\t':
        return sink(ctx, "\\t", 2);
    default:
        snprintf(code, sizeof code, "\\u%04x", (unsigned)byte);
        return sink(ctx, code, 6);
    }
}

static int write_string(json_sink sink, void *ctx, const char *text, size_t len)
{
    int code = sink(ctx, "\"", 1);
    while (len > 0 && code == EXIT_OK) {
        unsigned char byte = (unsigned char)text[0];
        size_t n = utf8_length(text, len);
        if (n == 0) {
            code = sink(ctx, "\\ufffd", 6);
            n = 1;
        } else if (byte < 0x20 || byte == 0x7f || byte == '"' || byte == '\\') {
            code = write_escaped(sink, ctx, byte);
        } else {
            code = sink(ctx, text, n);
        }
        text += n;
        len -= n;
    }
    return code == EXIT_OK ? sink(ctx, "\"", 1) : code;
}

void json_string(const char *text, size_t len)
{
    write_string(to_stdout, NULL, text, len);
}

int json_append_string(text_buffer *out, const char *text, size_t len)
{
    return write_string(to_buffer, out, text, len);
}

void json_number(double value)
{
    if (isfinite(value)) {
        out_printf("%.9g", value);
    } else {
        out_write("null", 4);
    }
}

void json_ids(const int32_t *ids, size_t n)
{
    out_write("[", 1);
    for (size_t i = 0; i < n; i++) {
        out_printf("%s%" PRId32, i > 0 ? "," : "", ids[i]);
    }
    out_write("]", 1);
}

void json_text_member(const char *key, const char *text, size_t len)
{
    bool valid = true;
    for (size_t i = 0; i < len && valid;) {
        size_t n = utf8_length(text + i, len - i);
        valid = n > 0;
        i += n;
    }
    out_printf("\"%s\":", key);
    json_string(text, len);
    if (!valid) {
        out_printf(",\"bytes\":[");
        for (size_t i = 0; i < len; i++) {
            out_printf("%s%u", i > 0 ? "," : "", (unsigned)(unsigned char)text[i]);
        }
        out_write("]", 1);
    }
}

/* ---- Reading -------------------------------------------------------------------------------- */

static bool wrong(json_cursor *c, const char *error)
{
    if (c->error == NULL) {
        c->error = error;
    }
    return false;
}

static char peek(json_cursor *c)
{
    while (c->at < c->len && strchr(" \t\r\n", c->text[c->at]) != NULL && c->text[c->at] != 0) {
        c->at++;
    }
    return c->at < c->len ? c->text[c->at] : 0;
}

static bool take(json_cursor *c, char wanted)
{
    if (c->error == NULL && peek(c) == wanted && c->at < c->len) {
        c->at++;
        return true;
    }
    return false;
}

bool json_enter(json_cursor *c, char open)
{
    if (!take(c, open)) {
        return wrong(c, open == '{' ? "an object is wanted" : "an array is wanted");
    }
    if (++c->depth > JSON_MAX_DEPTH) {
        return wrong(c, "nested too deeply");
    }
    return true;
}

static bool next(json_cursor *c, bool *first, char close)
{
    if (c->error != NULL) {
        return false;
    }
    if (take(c, close)) {
        c->depth--;
        return false;
    }
    if (!*first && !take(c, ',')) {
        return wrong(c, "',' or the closing bracket is missing");
    }
    *first = false;
    return true;
}

bool json_next(json_cursor *c, bool *first)
{
    return next(c, first, ']');
}

bool json_next_key(json_cursor *c, bool *first, text_buffer *key)
{
    if (!next(c, first, '}') || !json_read_string(c, key)) {
        return false;
    }
    return take(c, ':') || wrong(c, "':' is missing");
}

static bool hex4(json_cursor *c, uint32_t *out)
{
    static const char digits[] = "0123456789abcdef";
    uint32_t value = 0;
    for (int i = 0; i < 4; i++, c->at++) {
        int byte = c->at < c->len ? (unsigned char)c->text[c->at] : 0;
        byte = byte >= 'A' && byte <= 'F' ? byte - 'A' + 'a' : byte;
        const char *digit = byte != 0 ? strchr(digits, byte) : NULL;
        if (digit == NULL) {
            return wrong(c, "bad \\u escape");
        }
        value = value * 16 + (uint32_t)(digit - digits);
    }
    *out = value;
    return true;
}

static bool append(json_cursor *c, text_buffer *out, const char *data, size_t len)
{
    return text_append(out, data, len) == EXIT_OK || wrong(c, "out of memory");
}

static bool append_code_point(json_cursor *c, text_buffer *out, uint32_t code)
{
    char bytes[4];
    size_t n = 0;
    if (code < 0x80) {
        bytes[n++] = (char)code;
    } else if (code < 0x800) {
        bytes[n++] = (char)(0xc0 | code >> 6);
    } else if (code < 0x10000) {
        bytes[n++] = (char)(0xe0 | code >> 12);
    } else {
        bytes[n++] = (char)(0xf0 | code >> 18);
        bytes[n++] = (char)(0x80 | (code >> 12 & 0x3f));
    }
    if (code >= 0x800) {
        bytes[n++] = (char)(0x80 | (code >> 6 & 0x3f));
    }
    if (code >= 0x80) {
        bytes[n++] = (char)(0x80 | (code & 0x3f));
    }
    return append(c, out, bytes, n);
}

/* After "\u". */
static bool unicode_escape(json_cursor *c, text_buffer *out)
{
    uint32_t code = 0;
    uint32_t low = 0;
    if (!hex4(c, &code)) {
        return false;
    }
    if (code >= 0xd800 && code <= 0xdfff) {
        if (code > 0xdbff || c->len - c->at < 6 || c->text[c->at] != '\\' ||
            c->text[c->at + 1] != 'u') {
            return wrong(c, "lone surrogate");
        }
        c->at += 2;
        if (!hex4(c, &low)) {
            return false;
        }
        if (low < 0xdc00 || low > 0xdfff) {
            return wrong(c, "lone surrogate");
        }
        code = 0x10000 + ((code - 0xd800) << 10) + (low - 0xdc00);
    }
    return append_code_point(c, out, code);
}

/* After the backslash. */
static bool escape(json_cursor *c, text_buffer *out)
{
    static const char from[] = "\"\\/bfnrt";
    static const char to[] = "\"\\/\b\f\n\r\t";
    char byte = c->at < c->len ? c->text[c->at++] : 0;
    if (byte == 'u') {
        return unicode_escape(c, out);
    }
    const char *found = byte != 0 ? strchr(from, byte) : NULL;
    return found != NULL ? append(c, out, &to[found - from], 1) : wrong(c, "bad escape");
}

bool json_read_string(json_cursor *c, text_buffer *out)
{
    out->len = 0;
    if (!take(c, '"')) {
        return wrong(c, "a string is wanted");
    }
    if (!append(c, out, "", 0)) {
        return false;
    }
    while (c->at < c->len) {
        unsigned char byte = (unsigned char)c->text[c->at];
        size_t n = utf8_length(c->text + c->at, c->len - c->at);
        if (byte == '"') {
            c->at++;
            return true;
        }
        if (n == 0 || byte < 0x20) {
            return wrong(c, n == 0 ? "not UTF-8" : "control character in a string");
        }
        c->at += n;
        if (byte == '\\' ? !escape(c, out) : !append(c, out, c->text + c->at - n, n)) {
            return false;
        }
    }
    return wrong(c, "unfinished string");
}

static bool skip_value(json_cursor *c, text_buffer *scratch)
{
    bool first = true;
    char byte = peek(c);
    if (byte == '"') {
        return json_read_string(c, scratch);
    }
    if (byte == '[') {
        json_enter(c, '[');
        while (json_next(c, &first)) {
            skip_value(c, scratch);
        }
        return c->error == NULL;
    }
    if (byte == '{') {
        json_enter(c, '{');
        while (json_next_key(c, &first, scratch)) {
            skip_value(c, scratch);
        }
        return c->error == NULL;
    }
    /* numbers and words: whoever uses the text checks their form */
    size_t start = c->at;
    while (c->at < c->len && c->text[c->at] != 0 &&
           strchr("+-.0123456789abcdefghijklmnopqrstuvwxyzE", c->text[c->at]) != NULL) {
        c->at++;
    }
    return c->at > start || wrong(c, "a value is wanted");
}

bool json_skip(json_cursor *c, size_t *begin, size_t *end)
{
    text_buffer scratch = {0};
    peek(c);
    *begin = c->at;
    bool ok = c->error == NULL && skip_value(c, &scratch);
    *end = c->at;
    text_free(&scratch);
    return ok;
}

bool json_end(json_cursor *c)
{
    peek(c);
    return c->error == NULL && (c->at == c->len || wrong(c, "text after the end"));
}
