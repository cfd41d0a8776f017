/* SPDX-License-Identifier: Apache-2.0 */
/* The head of an HTTP/1 request. */
#include "serve/http_head.h"

#include <string.h>
#include <strings.h>

enum { MAX_LENGTH_DIGITS = 18, MAX_METHOD = 16 };

static bool refuse(http_refusal *refusal, int status, const char *why)
{
    refusal->status = status;
    refusal->why = why;
    return false;
}

size_t http_head_end(const char *bytes, size_t len, size_t *scanned, http_refusal *refusal)
{
    for (size_t i = *scanned; i < len; i++) {
        char before = i > 0 ? bytes[i - 1] : 0;
        if (bytes[i] == 0) {
            refuse(refusal, 400, "the head of the request has a NUL byte");
            return 0;
        }
        if (i >= HTTP_MAX_HEAD) {
            refuse(refusal, 431, "the head of the request is larger than 16 KiB");
            return 0;
        }
        if ((before == '\r') != (bytes[i] == '\n')) {
            refuse(refusal, 400, "a line of the request does not end with CR and LF");
            return 0;
        }
        if (bytes[i] == '\n' && (i == 1 || bytes[i - 2] == '\n')) {
            *scanned = 0;
            return i + 1;
        }
    }
    *scanned = len;
    return 0;
}

bool http_text_is(http_text text, const char *word)
{
    return text.at != NULL && text.len == strlen(word) && strncasecmp(text.at, word, text.len) == 0;
}

static bool is_digit(char c)
{
    return c >= '0' && c <= '9';
}

static bool is_token(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || is_digit(c) ||
           (c != 0 && strchr("!#$%&'*+-.^_`|~", c) != NULL);
}

static bool is_blank(char c)
{
    return c == ' ' || c == '\t';
}

static bool is_visible(char c)
{
    return c > ' ' && c < 0x7F;
}

static size_t count(const char *p, const char *end, bool (*matches)(char c))
{
    size_t n = 0;
    while (p + n < end && matches(p[n])) {
        n++;
    }
    return n;
}

/* METHOD SP TARGET SP VERSION, with exactly these blanks. */
static bool read_request_line(const char *p, const char *end, http_head *out, http_refusal *refusal)
{
    static const char bad_line[] = "the request line is not 'METHOD TARGET HTTP/1.1'";
    size_t n = count(p, end, is_token);
    out->method = (http_text){p, n};
    p += n;
    if (n == 0 || n > MAX_METHOD || p == end || *p != ' ') {
        return refuse(refusal, 400, bad_line);
    }
    p++;
    n = count(p, end, is_visible);
    out->target = (http_text){p, n};
    p += n;
    if (n == 0 || p == end || *p != ' ') {
        return refuse(refusal, 400, bad_line);
    }
    http_text version = {p + 1, (size_t)(end - p) - 1};
    if (version.len != 8 || memcmp(version.at, "HTTP/", 5) != 0 || !is_digit(version.at[5]) ||
        version.at[6] != '.' || !is_digit(version.at[7])) {
        return refuse(refusal, 400, bad_line);
    }
    if (version.at[5] != '1' || version.at[7] > '1') {
        return refuse(refusal, 505, "only HTTP/1.1 and HTTP/1.0 are supported");
    }
    out->version_1_0 = version.at[7] == '0';
    out->keep_alive = !out->version_1_0;
    return true;
}

static bool read_length(http_text value, http_head *out, http_refusal *refusal)
{
    if (out->has_length) {
        return refuse(refusal, 400, "the request has more than one Content-Length");
    }
    if (value.len == 0 || count(value.at, value.at + value.len, is_digit) != value.len) {
        return refuse(refusal, 400, "Content-Length is not a number");
    }
    if (value.len > MAX_LENGTH_DIGITS) {
        return refuse(refusal, 413, "the body of the request is too large");
    }
    for (size_t i = 0; i < value.len; i++) {
        out->length = out->length * 10 + (uint64_t)(value.at[i] - '0');
    }
    out->has_length = true;
    return true;
}

/* The options of Connection, which commas separate. Close is stronger than keep-alive. */
static void read_connection(http_text value, http_head *out, bool *close)
{
    const char *end = value.at + value.len;
    for (const char *p = value.at; p < end;) {
        if (*p == ',' || is_blank(*p)) {
            p++;
            continue;
        }
        size_t n = count(p, end, is_token);
        http_text word = {p, n};
        if (http_text_is(word, "close")) {
            *close = true;
        } else if (http_text_is(word, "keep-alive")) {
            out->keep_alive = true;
        }
        p += n > 0 ? n : 1;
    }
}

/* A field that must not be repeated. */
static bool read_single(http_text value, http_text *out, http_refusal *refusal, const char *why)
{
    if (out->at != NULL) {
        return refuse(refusal, 400, why);
    }
    *out = value;
    return true;
}

static bool read_field(http_text name, http_text value, http_head *out, bool *close,
                       http_refusal *refusal)
{
    if (http_text_is(name, "transfer-encoding")) {
        return refuse(refusal, 411, "send the body with Content-Length, not Transfer-Encoding");
    }
    if (http_text_is(name, "content-length")) {
        return read_length(value, out, refusal);
    }
    if (http_text_is(name, "host")) {
        return read_single(value, &out->host, refusal, "the request has more than one Host");
    }
    if (http_text_is(name, "origin")) {
        return read_single(value, &out->origin, refusal, "the request has more than one Origin");
    }
    if (http_text_is(name, "content-type")) {
        return read_single(value, &out->content_type, refusal,
                           "the request has more than one Content-Type");
    }
    if (http_text_is(name, "authorization")) {
        return read_single(value, &out->authorization, refusal,
                           "the request has more than one Authorization");
    }
    if (http_text_is(name, "x-api-key")) {
        return read_single(value, &out->api_key, refusal,
                           "the request has more than one X-Api-Key");
    }
    if (http_text_is(name, "connection")) {
        read_connection(value, out, close);
    } else if (http_text_is(name, "expect")) {
        if (!http_text_is(value, "100-continue")) {
            return refuse(refusal, 417, "Expect has a value other than 100-continue");
        }
        out->expects_continue = !out->version_1_0;
    }
    return true;
}

/* NAME: VALUE, without white space before the colon or the name. */
static bool read_line(const char *p, const char *end, http_head *out, bool *close,
                      http_refusal *refusal)
{
    if (is_blank(*p)) {
        return refuse(refusal, 400, "a field of the request is continued on the next line");
    }
    size_t n = count(p, end, is_token);
    if (n == 0 || p + n == end || p[n] != ':') {
        return refuse(refusal, 400, "a field of the request has no valid name");
    }
    http_text name = {p, n};
    http_text value = {p + n + 1, (size_t)(end - p) - n - 1};
    for (size_t i = 0; i < value.len; i++) {
        unsigned char c = (unsigned char)value.at[i];
        if ((c < ' ' && c != '\t') || c == 0x7F) {
            return refuse(refusal, 400, "a field of the request has a control character");
        }
    }
    while (value.len > 0 && is_blank(value.at[0])) {
        value.at++;
        value.len--;
    }
    while (value.len > 0 && is_blank(value.at[value.len - 1])) {
        value.len--;
    }
    return read_field(name, value, out, close, refusal);
}

bool http_head_read(const char *bytes, size_t len, http_head *out, http_refusal *refusal)
{
    const char *end = bytes + len;
    const char *p = bytes;
    bool close = false;
    *out = (http_head){0};
    for (uint32_t n = 0; p < end; n++) {
        const char *stop = memchr(p, '\r', (size_t)(end - p));
        if (stop == NULL || stop == p) {
            break;
        }
        if (n > HTTP_MAX_FIELDS) {
            return refuse(refusal, 431, "the request has more than 100 fields");
        }
        if (!(n == 0 ? read_request_line(p, stop, out, refusal)
                     : read_line(p, stop, out, &close, refusal))) {
            return false;
        }
        p = stop + 2;
    }
    if (out->method.at == NULL) {
        return refuse(refusal, 400, "the request line is missing");
    }
    if (out->host.at == NULL || out->host.len == 0) {
        return refuse(refusal, 400, "the request has no Host");
    }
    out->keep_alive = out->keep_alive && !close;
    return true;
}

static int hex_digit(char c)
{
    if (is_digit(c)) {
        return c - '0';
    }
    if (c >= 'a' && c <= 'f') {
        return c - 'a' + 10;
    }
    return c >= 'A' && c <= 'F' ? c - 'A' + 10 : -1;
}

bool http_head_path(http_text target, char *path, http_text *query)
{
    size_t n = 0;
    size_t i = 0;
    *query = (http_text){"", 0};
    if (target.len == 0 || target.at[0] != '/') {
        return false;
    }
    for (; i < target.len && target.at[i] != '?'; i++) {
        char c = target.at[i];
        if (c == '#') {
            return false;
        }
        if (c == '%') {
            int high = i + 2 < target.len ? hex_digit(target.at[i + 1]) : -1;
            int low = i + 2 < target.len ? hex_digit(target.at[i + 2]) : -1;
            unsigned code = high < 0 || low < 0 ? 0 : (unsigned)(high * 16 + low);
            if (code < ' ' || code == 0x7F) {
                return false;
            }
            c = (char)code;
            i += 2;
        }
        path[n++] = c;
    }
    path[n] = 0;
    if (i < target.len) {
        *query = (http_text){target.at + i + 1, target.len - i - 1};
    }
    return true;
}
