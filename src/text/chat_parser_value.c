/* SPDX-License-Identifier: Apache-2.0 */
/* The parser of answers: values of arguments, from Python and JSON to JSON. */
#include "text/chat_parser_internal.h"

#include <stdio.h>
#include <string.h>

static bool add_text(lf_chat_parser *p, const char *text)
{
    return lf_parser_add(p, &p->args, text, strlen(text));
}

/* ---- Brackets ---- */

lf_outcome lf_parser_open(lf_chat_parser *p, lf_frame_kind kind)
{
    if (p->n_frames == LF_PARSER_DEPTH) {
        return LF_OUTCOME_FAIL;
    }
    bool any = kind == LF_FRAME_SPREAD && lf_parser_top(p)->any;
    p->frames[p->n_frames++] =
        (lf_frame){.kind = kind, .key = true, .any = any, .open_at = p->args.len};
    if (kind == LF_FRAME_TOOL) {
        p->phase = LF_PHASE_KEY;
        return LF_OUTCOME_OK;
    }
    p->phase = kind == LF_FRAME_CALL ? LF_PHASE_ARGUMENT : LF_PHASE_VALUE;
    bool object = kind == LF_FRAME_CALL || kind == LF_FRAME_BRACE;
    if (kind == LF_FRAME_SPREAD) {
        return LF_OUTCOME_OK;
    }
    return add_text(p, object ? "{" : "[") ? LF_OUTCOME_OK : LF_OUTCOME_BROKEN;
}

bool lf_parser_begin_item(lf_chat_parser *p)
{
    lf_frame *f = lf_parser_top(p);
    bool first = !f->any;
    f->any = true;
    return first || add_text(p, ", ");
}

/* Closes the bracket at p->pos. */
static lf_outcome close_bracket(lf_chat_parser *p)
{
    lf_frame f = *lf_parser_top(p);
    bool object = f.kind == LF_FRAME_BRACE || f.kind == LF_FRAME_DICT;
    p->pos++;
    p->n_frames--;
    if (f.kind == LF_FRAME_SPREAD) {
        lf_parser_top(p)->any = f.any;
        return lf_parser_value_done(p);
    }
    return add_text(p, object ? "}" : "]") ? lf_parser_value_done(p) : LF_OUTCOME_BROKEN;
}

/* An expression in parentheses: they are removed. */
static lf_outcome close_paren(lf_chat_parser *p)
{
    lf_frame f = *lf_parser_top(p);
    p->pos++;
    p->n_frames--;
    char *text = p->args.data + f.open_at;
    memmove(text, text + 1, p->args.len - f.open_at);
    p->args.len--;
    return lf_parser_value_done(p);
}

/* Braces with items but without ":" are a set, which becomes a list. */
static void make_set(lf_chat_parser *p)
{
    lf_frame *f = lf_parser_top(p);
    f->kind = LF_FRAME_SET;
    p->args.data[f->open_at] = '[';
}

static char closing(lf_frame_kind kind)
{
    return kind == LF_FRAME_LIST                              ? ']'
           : kind == LF_FRAME_PAREN || kind == LF_FRAME_TUPLE ? ')'
                                                              : '}';
}

lf_outcome lf_parser_value_done(lf_chat_parser *p)
{
    p->phase = LF_PHASE_AFTER;
    return p->n_frames > 0 && lf_parser_top(p)->kind == LF_FRAME_TOOL ? lf_parser_member_done(p)
                                                                      : LF_OUTCOME_OK;
}

/* A colon after a key, or a comma or bracket after an item, in braces. */
static lf_outcome after_in_braces(lf_chat_parser *p, char c)
{
    lf_frame *f = lf_parser_top(p);
    if (c == ':' && f->kind != LF_FRAME_SET && f->key) {
        f->kind = f->kind == LF_FRAME_BRACE ? LF_FRAME_DICT : f->kind;
        f->key = false;
        p->pos++;
        p->phase = LF_PHASE_VALUE;
        return add_text(p, ": ") ? LF_OUTCOME_OK : LF_OUTCOME_BROKEN;
    }
    if (f->kind == LF_FRAME_BRACE && (c == ',' || c == '}')) {
        make_set(p);
    }
    if (lf_parser_is_dict(f->kind) && f->key) {
        return LF_OUTCOME_FAIL; /* a key without a value */
    }
    f->key = true;
    if (c == '}') {
        return close_bracket(p);
    }
    p->pos++;
    p->phase = LF_PHASE_VALUE;
    return c == ',' ? LF_OUTCOME_OK : LF_OUTCOME_FAIL;
}

lf_outcome lf_parser_after(lf_chat_parser *p)
{
    if (!lf_parser_skip_space(p)) {
        return LF_OUTCOME_MORE;
    }
    char c = p->source.data[p->pos];
    lf_frame *f = lf_parser_top(p);
    switch (f->kind) {
    case LF_FRAME_CALL:
        p->phase = LF_PHASE_ARGUMENT;
        p->pos += c == ',';
        return c == ',' || c == ')' ? LF_OUTCOME_OK : LF_OUTCOME_FAIL;
    case LF_FRAME_TOOL:
        p->phase = LF_PHASE_KEY;
        p->pos += c == ',';
        return c == ',' || c == '}' ? LF_OUTCOME_OK : LF_OUTCOME_FAIL;
    case LF_FRAME_BRACE:
    case LF_FRAME_DICT:
    case LF_FRAME_SPREAD:
    case LF_FRAME_SET:
        return after_in_braces(p, c);
    default:
        break;
    }
    if (c == closing(f->kind)) {
        return f->kind == LF_FRAME_PAREN ? close_paren(p) : close_bracket(p);
    }
    if (c != ',') {
        return LF_OUTCOME_FAIL;
    }
    f->kind = f->kind == LF_FRAME_PAREN ? LF_FRAME_TUPLE : f->kind;
    p->pos++;
    p->phase = LF_PHASE_VALUE;
    return LF_OUTCOME_OK;
}

/* ---- Values ---- */

static lf_outcome begin_value(lf_chat_parser *p, char c)
{
    switch (c) {
    case '"':
    case '\'':
        return lf_parser_open_string(p, LF_SINK_ARGS, false, false);
    case '[':
    case '(':
    case '{':
        p->pos++;
        return lf_parser_open(p, c == '['   ? LF_FRAME_LIST
                                 : c == '(' ? LF_FRAME_PAREN
                                            : LF_FRAME_BRACE);
    default:
        p->token = (lf_slice){p->pos, 0};
        p->look = p->pos;
        p->phase = LF_PHASE_SCALAR;
        return lf_parser_is_word(c) ? LF_OUTCOME_OK : LF_OUTCOME_FAIL;
    }
}

lf_outcome lf_parser_value(lf_chat_parser *p)
{
    if (!lf_parser_skip_space(p)) {
        return LF_OUTCOME_MORE;
    }
    char c = p->source.data[p->pos];
    lf_frame *f = lf_parser_top(p);
    const bool opens = c == '[' || c == '(' || c == '{';
    if (f->kind == LF_FRAME_TOOL) {
        return lf_parser_member_value(p, c);
    }
    if (f->kind == LF_FRAME_CALL || (lf_parser_is_dict(f->kind) && !f->key)) {
        return begin_value(p, c);
    }
    /* After "[" or a comma the bracket may close. */
    if (c == closing(f->kind)) {
        return close_bracket(p);
    }
    if (lf_parser_is_dict(f->kind) && opens) {
        return LF_OUTCOME_FAIL;
    }
    if ((c == '"' || c == '\'') && p->pos + 2 >= p->limit && !p->final) {
        return LF_OUTCOME_MORE; /* lf_parser_open_string looks at two more bytes */
    }
    if (f->kind == LF_FRAME_BRACE && opens) {
        make_set(p);
    }
    return lf_parser_begin_item(p) ? begin_value(p, c) : LF_OUTCOME_BROKEN;
}

/* ---- Numbers and words ---- */

static bool is_digit(char c)
{
    return c >= '0' && c <= '9';
}

/* 0x1F, 0o17, 0b1 as a decimal number. False: not such a number, or beyond 64 bits. */
static bool convert_base(const char *text, size_t len, char out[32])
{
    unsigned base = text[1] == 'x' || text[1] == 'X'   ? 16
                    : text[1] == 'o' || text[1] == 'O' ? 8
                                                       : 2;
    uint64_t value = 0;
    for (size_t i = 2; i < len; i++) {
        int digit = lf_parser_digit(text[i], base);
        if ((digit < 0 && text[i] != '_') || value > (UINT64_MAX - 15) / base) {
            return false;
        }
        value = digit < 0 ? value : value * base + (unsigned)digit;
    }
    snprintf(out, 32, "%llu", (unsigned long long)value);
    return len > 2;
}

/* The parts of a decimal number. */
typedef struct number {
    size_t whole, n_whole;       /* digits before the point */
    size_t fraction, n_fraction; /* and after it */
    size_t exponent, n_exponent; /* with "e" and sign */
    bool point;
} number;

static size_t digits(const char *text, size_t len, size_t *at)
{
    size_t begin = *at;
    while (*at < len && (is_digit(text[*at]) || (text[*at] == '_' && *at > begin))) {
        ++*at;
    }
    return *at - begin;
}

static bool split_number(const char *text, size_t len, number *out)
{
    size_t at = 0;
    *out = (number){.whole = at};
    out->n_whole = digits(text, len, &at);
    out->point = at < len && text[at] == '.';
    at += out->point;
    out->fraction = at;
    out->n_fraction = digits(text, len, &at);
    if (out->n_whole + out->n_fraction == 0) {
        return false;
    }
    out->exponent = at;
    if (at < len && (text[at] == 'e' || text[at] == 'E')) {
        at++;
        at += at < len && (text[at] == '+' || text[at] == '-');
        if (digits(text, len, &at) == 0) {
            return false;
        }
    }
    out->n_exponent = at - out->exponent;
    return at == len;
}

static size_t leading_zeros(const char *text, const number *n)
{
    size_t zeros = 0;
    while (zeros < n->n_whole && (text[n->whole + zeros] == '0' || text[n->whole + zeros] == '_')) {
        zeros++;
    }
    return zeros;
}

/* Whether a number with an exponent or point is in the range of a double: readers of JSON make
 * others infinite. `json` is what was written for it. */
static bool is_finite(const char *text, const number *n, const lf_json *json)
{
    double value = 0;
    long exponent = 0;
    bool negative = false;
    for (size_t i = 1; i < n->n_exponent; i++) {
        char c = text[n->exponent + i];
        negative = negative || c == '-';
        exponent = is_digit(c) && exponent < 100000000 ? exponent * 10 + (c - '0') : exponent;
    }
    long long magnitude =
        (long long)(n->n_whole - leading_zeros(text, n)) + (negative ? -exponent : exponent);
    bool integer = !n->point && n->n_exponent == 0;
    return integer || magnitude < 309 || (magnitude == 309 && lf_json_double(json, &value));
}

static bool put_digits(lf_chat_parser *p, const char *text, size_t len)
{
    for (size_t i = 0; i < len; i++) {
        if (text[i] != '_' && !lf_parser_add(p, &p->args, text + i, 1)) {
            return false;
        }
    }
    return true;
}

/* Writes the number without sign as JSON: no leading zeros, a digit at each side of the point. */
static bool put_number(lf_chat_parser *p, const char *text, const number *n)
{
    size_t zeros = leading_zeros(text, n);
    if (zeros == n->n_whole ? !add_text(p, "0")
                            : !put_digits(p, text + n->whole + zeros, n->n_whole - zeros)) {
        return false;
    }
    if (n->point && (!add_text(p, ".") || (n->n_fraction == 0 && !add_text(p, "0")) ||
                     !put_digits(p, text + n->fraction, n->n_fraction))) {
        return false;
    }
    return put_digits(p, text + n->exponent, n->n_exponent);
}

/* Writes a number. LF_OUTCOME_FAIL: it is none. */
static lf_outcome number_value(lf_chat_parser *p, const char *text, size_t len)
{
    char converted[32];
    number n;
    bool negative = text[0] == '-';
    size_t sign = negative || text[0] == '+' ? 1 : 0;
    text += sign;
    len -= sign;
    if (len > 2 && text[0] == '0' && strchr("xXoObB", text[1]) != NULL && text[1] != '\0') {
        if (!convert_base(text, len, converted)) {
            return LF_OUTCOME_FAIL;
        }
        text = converted;
        len = strlen(converted);
    }
    if (len == 0 || !split_number(text, len, &n)) {
        return LF_OUTCOME_FAIL;
    }
    size_t begin = p->args.len;
    if ((negative && !add_text(p, "-")) || !put_number(p, text, &n)) {
        return LF_OUTCOME_BROKEN;
    }
    const lf_json json = {
        .kind = LF_JSON_NUMBER, .text = p->args.data + begin, .len = p->args.len - begin};
    return is_finite(text, &n, &json) ? LF_OUTCOME_OK : LF_OUTCOME_FAIL;
}

static bool is_word(const char *text, size_t len, const char *word)
{
    return strlen(word) == len && memcmp(text, word, len) == 0;
}

/* The JSON literal of a word, or NULL. */
static const char *literal(const char *text, size_t len)
{
    static const char *const words[][2] = {{"True", "true"}, {"False", "false"}, {"None", "null"},
                                           {"true", "true"}, {"false", "false"}, {"null", "null"}};
    for (size_t i = 0; i < sizeof words / sizeof words[0]; i++) {
        if (is_word(text, len, words[i][0])) {
            return words[i][1];
        }
    }
    return NULL;
}

/* Whether the word is the prefix of a string. */
static bool string_prefix(const char *text, size_t len, bool *raw, bool *format)
{
    *raw = *format = false;
    for (size_t i = 0; i < len; i++) {
        char c = (char)(text[i] | 0x20);
        if (len > 2 || (c != 'r' && c != 'f' && c != 'u')) {
            return false;
        }
        *raw = *raw || c == 'r';
        *format = *format || c == 'f';
    }
    return true;
}

/* Writes a word or number; as a string if it is a key, or declared as a string. */
static lf_outcome put_scalar(lf_chat_parser *p, bool key)
{
    const char *text = p->source.data + p->token.begin;
    size_t len = p->token.end - p->token.begin;
    const char *word = literal(text, len);
    bool string = p->n_frames == 1 && p->wants_string && word == NULL;
    if ((key || string) && !add_text(p, "\"")) {
        return LF_OUTCOME_BROKEN;
    }
    lf_outcome outcome = LF_OUTCOME_OK;
    if (string) {
        outcome = lf_parser_put(p, LF_SINK_ARGS, text, len) ? LF_OUTCOME_OK : LF_OUTCOME_BROKEN;
    } else if (word != NULL) {
        outcome = add_text(p, word) ? LF_OUTCOME_OK : LF_OUTCOME_BROKEN;
    } else {
        outcome = number_value(p, text, len);
    }
    if (outcome == LF_OUTCOME_OK && (key || string) && !add_text(p, "\"")) {
        return LF_OUTCOME_BROKEN;
    }
    return outcome;
}

lf_outcome lf_parser_scalar(lf_chat_parser *p)
{
    bool raw = false;
    bool format = false;
    if (p->token.end == 0) {
        lf_outcome outcome = lf_parser_word(p);
        if (outcome != LF_OUTCOME_OK) {
            return outcome;
        }
    }
    const char *text = p->source.data + p->token.begin;
    size_t len = p->token.end - p->token.begin;
    char next = p->token.end < p->limit ? p->source.data[p->token.end] : '\0';
    if (next == '"' || next == '\'') {
        p->pos = p->token.end;
        return string_prefix(text, len, &raw, &format)
                   ? lf_parser_open_string(p, LF_SINK_ARGS, raw, format)
                   : LF_OUTCOME_FAIL;
    }
    /* Only what follows shows whether this is a key. */
    lf_frame_kind kind = lf_parser_top(p)->kind;
    bool key = lf_parser_top(p)->key && (kind == LF_FRAME_BRACE || lf_parser_is_dict(kind));
    if (key) {
        p->pos = p->token.end > p->pos ? p->token.end : p->pos;
        if (!lf_parser_skip_space(p)) {
            return LF_OUTCOME_MORE;
        }
        key = p->source.data[p->pos] == ':';
    } else {
        p->pos = p->token.end;
    }
    lf_outcome outcome = put_scalar(p, key);
    return outcome == LF_OUTCOME_OK ? lf_parser_value_done(p) : outcome;
}
