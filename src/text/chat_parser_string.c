/* SPDX-License-Identifier: Apache-2.0 */
/* The parser of answers: strings of Python and JSON, whose escapes are undone once. */
#include "text/chat_parser_internal.h"

#include "common/utf8.h"

#include <string.h>

/* ---- Output ---- */

typedef struct json_output {
    lf_chat_parser *p;
    bool worked;
} json_output;

static void add_json(void *user, const char *text, size_t len)
{
    json_output *o = user;
    o->worked = o->worked && lf_parser_add(o->p, &o->p->args, text, len);
}

bool lf_parser_put(lf_chat_parser *p, lf_sink sink, const char *text, size_t len)
{
    json_output output = {p, true};
    const lf_json_writer writer = {.write = add_json, .user = &output};
    if (sink != LF_SINK_ARGS) {
        return lf_parser_add(p, sink == LF_SINK_RAW ? &p->args : &p->scratch, text, len);
    }
    lf_json_write_text(&writer, text, len);
    return output.worked;
}

static lf_outcome put(lf_chat_parser *p, const char *text, size_t len)
{
    return lf_parser_put(p, p->string.sink, text, len) ? LF_OUTCOME_OK : LF_OUTCOME_BROKEN;
}

static lf_outcome put_code_point(lf_chat_parser *p, uint32_t c)
{
    char text[4];
    bool valid = c < 0xD800 || (c > 0xDFFF && c < 0x110000);
    size_t n = lf_utf8_encode(valid ? c : 0xFFFD, text);
    return put(p, text, n);
}

/* ---- Escapes ---- */

/* Reads n digits at `at`. LF_OUTCOME_FAIL: there are other characters. */
static lf_outcome hex_digits(const lf_chat_parser *p, size_t at, size_t n, uint32_t *out)
{
    *out = 0;
    for (size_t i = at; i < at + n; i++) {
        if (i >= p->limit) {
            return p->final ? LF_OUTCOME_FAIL : LF_OUTCOME_MORE;
        }
        int digit = lf_parser_digit(p->source.data[i], 16);
        if (digit < 0) {
            return LF_OUTCOME_FAIL;
        }
        *out = *out << 4 | (uint32_t)digit;
    }
    return LF_OUTCOME_OK;
}

/* The second half of a surrogate pair at `at`. */
static lf_outcome low_surrogate(const lf_chat_parser *p, size_t at, uint32_t *out)
{
    for (size_t i = 0; i < 2; i++) {
        if (at + i >= p->limit) {
            return p->final ? LF_OUTCOME_FAIL : LF_OUTCOME_MORE;
        }
        if (p->source.data[at + i] != "\\u"[i]) {
            return LF_OUTCOME_FAIL;
        }
    }
    lf_outcome outcome = hex_digits(p, at + 2, 4, out);
    return outcome == LF_OUTCOME_OK && (*out < 0xDC00 || *out > 0xDFFF) ? LF_OUTCOME_FAIL : outcome;
}

/* \xHH, \uHHHH, \UHHHHHHHH. Without the digits the backslash stays. */
static lf_outcome numeric_escape(lf_chat_parser *p, size_t n)
{
    uint32_t c = 0;
    uint32_t low = 0;
    lf_outcome outcome = hex_digits(p, p->pos + 2, n, &c);
    if (outcome == LF_OUTCOME_MORE) {
        return outcome;
    }
    if (outcome == LF_OUTCOME_FAIL || c > 0x10FFFF) {
        p->pos++;
        return put(p, "\\", 1);
    }
    size_t end = p->pos + 2 + n;
    if (n == 4 && c >= 0xD800 && c <= 0xDBFF) {
        outcome = low_surrogate(p, end, &low);
        if (outcome == LF_OUTCOME_MORE) {
            return outcome;
        }
        if (outcome == LF_OUTCOME_OK) {
            c = 0x10000 + ((c - 0xD800) << 10) + (low - 0xDC00);
            end += 6;
        }
    }
    p->pos = end;
    return put_code_point(p, c);
}

static lf_outcome octal_escape(lf_chat_parser *p)
{
    uint32_t c = 0;
    size_t at = p->pos + 1;
    while (at < p->pos + 4) {
        if (at == p->limit && !p->final) {
            return LF_OUTCOME_MORE;
        }
        if (at == p->limit || p->source.data[at] < '0' || p->source.data[at] > '7') {
            break;
        }
        c = c * 8 + (uint32_t)(p->source.data[at++] - '0');
    }
    p->pos = at;
    return put_code_point(p, c);
}

/* The backslash at p->pos. One that begins no escape stays. */
static lf_outcome escape(lf_chat_parser *p)
{
    static const char names[] = "\\'\"nrtbfav";
    static const char values[] = "\\'\"\n\r\t\b\f\a\v";
    if (p->pos + 1 >= p->limit) {
        return p->final ? LF_OUTCOME_FAIL : LF_OUTCOME_MORE;
    }
    char c = p->source.data[p->pos + 1];
    const char *found = c != '\0' ? strchr(names, c) : NULL;
    bool json = p->frames[0].kind == LF_FRAME_TOOL;
    if (found != NULL || (c == '/' && json)) {
        p->pos += 2;
        return put(p, found != NULL ? values + (found - names) : "/", 1);
    }
    if (c == '\n') { /* the string continues in the next line */
        p->pos += 2;
        return LF_OUTCOME_OK;
    }
    if (c >= '0' && c <= '7') {
        return octal_escape(p);
    }
    if (c == 'x' || c == 'u' || c == 'U') {
        return numeric_escape(p, c == 'x' ? 2 : c == 'u' ? 4 : 8);
    }
    p->pos++;
    return put(p, "\\", 1);
}

/* A backslash in a raw string: it and the next character stay. */
static lf_outcome raw_escape(lf_chat_parser *p)
{
    if (p->pos + 1 >= p->limit) {
        return p->final ? LF_OUTCOME_FAIL : LF_OUTCOME_MORE;
    }
    char c = p->source.data[p->pos + 1];
    size_t n = c == '\\' || c == '"' || c == '\'' ? 2 : 1;
    lf_outcome outcome = put(p, p->source.data + p->pos, n);
    p->pos += n;
    return outcome;
}

/* ---- Strings ---- */

/* Reads the opening quote, or three of them. */
static lf_outcome read_opening(lf_chat_parser *p)
{
    const char *text = p->source.data + p->pos;
    size_t left = p->limit - p->pos;
    bool second = left > 1 && text[1] == text[0];
    if (!p->final && (left == 1 || (left == 2 && second))) {
        return LF_OUTCOME_MORE;
    }
    p->string.quote = text[0];
    p->string.triple = second && left > 2 && text[2] == text[0];
    p->pos += p->string.triple ? 3 : 1;
    return LF_OUTCOME_OK;
}

lf_outcome lf_parser_open_string(lf_chat_parser *p, lf_sink sink, bool raw, bool format)
{
    lf_outcome outcome = read_opening(p);
    if (outcome != LF_OUTCOME_OK) {
        return outcome;
    }
    p->string.sink = sink;
    p->string.raw = raw;
    p->string.format = format;
    p->string.broken = p->string.inner_open = false;
    p->phase = LF_PHASE_STRING;
    return sink != LF_SINK_ARGS || lf_parser_add(p, &p->args, "\"", 1) ? LF_OUTCOME_OK
                                                                       : LF_OUTCOME_BROKEN;
}

/* The string has ended; p->pos is after its quote. */
static lf_outcome string_done(lf_chat_parser *p)
{
    lf_sink sink = p->string.sink;
    if (sink == LF_SINK_ARGS && !lf_parser_add(p, &p->args, "\"", 1)) {
        return LF_OUTCOME_BROKEN;
    }
    if (sink == LF_SINK_SCRATCH && p->member_key) {
        p->member_key = false;
        p->phase = LF_PHASE_COLON;
        return LF_OUTCOME_OK;
    }
    return lf_parser_value_done(p);
}

static lf_outcome take_quote(lf_chat_parser *p)
{
    const char *text = p->source.data + p->pos;
    size_t left = p->limit - p->pos;
    size_t len = lf_parser_quote_len(p);
    size_t next = 0;
    if (p->string.triple) {
        bool second = left > 1 && text[1] == text[0];
        if (!p->final && (left == 1 || (left == 2 && second))) {
            return LF_OUTCOME_MORE;
        }
        if (!second || left == 2 || text[2] != text[0]) {
            p->pos++;
            return put(p, text, 1);
        }
    }
    switch (lf_parser_quote(p, &next)) {
    case LF_QUOTE_ENDS:
        p->pos += len;
        return string_done(p);
    case LF_QUOTE_JOINS: {
        size_t before = p->pos;
        p->pos = next;
        lf_outcome outcome = read_opening(p);
        p->pos = outcome == LF_OUTCOME_OK ? p->pos : before;
        return outcome;
    }
    case LF_QUOTE_UNCLEAR:
        p->pos += len;
        p->phase = LF_PHASE_AFTER; /* what follows is not in a string */
        return LF_OUTCOME_FAIL;
    case LF_QUOTE_MORE:
        return LF_OUTCOME_MORE;
    default:
        p->pos += len;
        return put(p, text, len);
    }
}

/* A brace in an f-string: doubled, it is a character; otherwise the value is not known. */
static lf_outcome format_brace(lf_chat_parser *p, char c)
{
    if (p->pos + 1 >= p->limit) {
        return p->final ? LF_OUTCOME_FAIL : LF_OUTCOME_MORE;
    }
    if (p->source.data[p->pos + 1] != c) {
        return LF_OUTCOME_FAIL;
    }
    p->pos += 2;
    return put(p, &c, 1);
}

/* Copies characters without meaning. */
static lf_outcome copy(lf_chat_parser *p)
{
    const char *text = p->source.data;
    size_t at = p->pos;
    while (at < p->limit) {
        uint32_t c = 0;
        char first = text[at];
        if (first == '\\' || first == p->string.quote ||
            (p->string.format && (first == '{' || first == '}'))) {
            break;
        }
        size_t n = lf_utf8_decode((const uint8_t *)text + at, p->limit - at, &c);
        if (c == LF_UTF8_CUT && !p->final) {
            break;
        }
        at += n;
    }
    lf_outcome outcome = put(p, text + p->pos, at - p->pos);
    bool more = at == p->pos;
    p->pos = at;
    return outcome == LF_OUTCOME_OK && more ? LF_OUTCOME_MORE : outcome;
}

lf_outcome lf_parser_string(lf_chat_parser *p)
{
    if (p->pos == p->limit) {
        return LF_OUTCOME_MORE;
    }
    char c = p->source.data[p->pos];
    if (c == '\\') {
        return p->string.raw ? raw_escape(p) : escape(p);
    }
    if (c == p->string.quote) {
        return take_quote(p);
    }
    if (p->string.format && (c == '{' || c == '}')) {
        return format_brace(p, c);
    }
    return copy(p);
}
