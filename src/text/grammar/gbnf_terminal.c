/* SPDX-License-Identifier: Apache-2.0 */
/* Parses the terminals of GBNF: literals, classes of characters, references to tokens. */
#include "text/grammar/gbnf_program.h"

#include "common/hex.h"
#include "common/utf8.h"
#include "text/grammar/rx_chars.h"

#include <string.h>

enum { STEPS_BYTE = 6 }; /* of a byte of a literal, and of a range: each becomes an expression */

/* ---- Characters ---- */

static char peek(const lf_gbnf_program *p, size_t at)
{
    return at < p->len ? p->text[at] : '\0';
}

static int32_t read_hex(const lf_gbnf_program *p, size_t *at, size_t n, uint32_t *out)
{
    uint32_t value = 0;
    if (*at > p->len || p->len - *at < n || !lf_hex_read(p->text + *at, n, &value)) {
        return lf_gbnf_fail(p, LFM2_E_TEXT, "gbnf.syntax", *at, "%zu hexadecimal digits expected",
                            n);
    }
    if (value > 0x10FFFF || (value >= 0xD800 && value <= 0xDFFF)) {
        return lf_gbnf_fail(p, LFM2_E_TEXT, "gbnf.syntax", *at, "U+%04X is not a Unicode character",
                            value);
    }
    *at += n;
    *out = value;
    return LFM2_OK;
}

static int32_t read_escape(const lf_gbnf_program *p, size_t *at, uint32_t *out)
{
    size_t first = *at;
    char c = peek(p, first + 1);
    *at += 2;
    switch (c) {
    case 'x':
        return read_hex(p, at, 2, out);
    case 'u':
        return read_hex(p, at, 4, out);
    case 'U':
        return read_hex(p, at, 8, out);
    case 't':
        *out = '\t';
        return LFM2_OK;
    case 'r':
        *out = '\r';
        return LFM2_OK;
    case 'n':
        *out = '\n';
        return LFM2_OK;
    case '\\':
    case '"':
    case '[':
    case ']':
    case '-':
        *out = (uint32_t)c;
        return LFM2_OK;
    default:
        return lf_gbnf_fail(p, LFM2_E_TEXT, "gbnf.syntax", first,
                            "unknown escape sequence; allowed: "
                            "\\xHH \\uHHHH \\UHHHHHHHH \\t \\r \\n \\\\ \\\" \\[ \\] \\-");
    }
}

/* Reads a character or an escape sequence. */
static int32_t read_character(const lf_gbnf_program *p, size_t *at, uint32_t *out)
{
    if (p->text[*at] == '\\') {
        return read_escape(p, at, out);
    }
    size_t n = lf_utf8_decode((const uint8_t *)p->text + *at, p->len - *at, out);
    if (*out >= LF_UTF8_BAD) {
        return lf_gbnf_fail(p, LFM2_E_TEXT, "gbnf.syntax", *at, "the text is not UTF-8");
    }
    *at += n;
    return LFM2_OK;
}

/* ---- Literals ---- */

int32_t lf_gbnf_literal(lf_gbnf_program *p, size_t *at)
{
    size_t first = *at;
    size_t end = first + 1;
    while (end < p->len && p->text[end] != '"') {
        end += p->text[end] == '\\' ? 2 : 1;
    }
    if (end >= p->len) {
        return lf_gbnf_fail(p, LFM2_E_TEXT, "gbnf.syntax", first,
                            "the literal that begins here does not end");
    }
    *at = end + 1;
    if (end == first + 1) {
        return lf_gbnf_add(p, LF_GBNF_EMPTY, 0, 0);
    }
    LF_TRY(lf_gbnf_spend(p, STEPS_BYTE * (end - first)));
    /* No character is longer than its source. */
    void *bytes = NULL;
    size_t n = 0;
    LF_TRY(lf_new(p->options->alloc, end - first, 1, "literal", &bytes));
    int32_t status = LFM2_OK;
    for (size_t i = first + 1; i < end && status == LFM2_OK;) {
        uint32_t c = 0;
        status = read_character(p, &i, &c);
        n += status == LFM2_OK ? lf_utf8_encode(c, (char *)bytes + n) : 0;
    }
    lf_rx rx = status == LFM2_OK ? lf_rx_text(lf_grammar_rx(p->grammar), bytes, n) : LF_RX_NONE;
    lf_free(p->options->alloc, bytes, end - first, 1);
    return status != LFM2_OK ? status : lf_gbnf_add(p, LF_GBNF_TEXT, rx, (uint32_t)n);
}

/* ---- Classes ---- */

/* The expression of the characters of the set, or of all others. */
static int32_t add_class(lf_gbnf_program *p, lf_chars *chars, bool negated)
{
    lf_rx_set *set = lf_grammar_rx(p->grammar);
    if (negated) {
        lf_chars_complement(set->quota, chars, 0);
    }
    lf_rx rx = lf_chars_rx(set, chars, NULL, NULL);
    uint32_t n = chars->n / 2;
    return set->quota->status != LFM2_OK ? set->quota->status : lf_gbnf_add(p, LF_GBNF_TEXT, rx, n);
}

/* Reads the ranges up to the closing bracket. */
static int32_t read_ranges(lf_gbnf_program *p, size_t *at, size_t first, lf_chars *chars)
{
    lf_quota *quota = lf_grammar_rx(p->grammar)->quota;
    while (*at < p->len && p->text[*at] != ']') {
        size_t begin = *at;
        uint32_t low = 0;
        LF_TRY(read_character(p, at, &low));
        uint32_t high = low;
        if (peek(p, *at) == '-' && *at + 1 < p->len && p->text[*at + 1] != ']') {
            (*at)++;
            LF_TRY(read_character(p, at, &high));
        }
        if (high < low) {
            return lf_gbnf_fail(p, LFM2_E_TEXT, "gbnf.syntax", begin,
                                "the range ends before it begins");
        }
        LF_TRY(lf_gbnf_spend(p, STEPS_BYTE));
        if (!lf_chars_add(quota, chars, low, high)) {
            return quota->status;
        }
    }
    if (*at >= p->len) {
        return lf_gbnf_fail(p, LFM2_E_TEXT, "gbnf.syntax", first,
                            "the class that begins here does not end");
    }
    (*at)++;
    return LFM2_OK;
}

int32_t lf_gbnf_class(lf_gbnf_program *p, size_t *at)
{
    size_t first = *at;
    lf_chars chars = {0};
    bool dot = p->text[first] == '.';
    bool negated = dot || peek(p, first + 1) == '^';
    int32_t status = LFM2_OK;
    *at += negated && !dot ? 2 : 1;
    if (!dot) {
        status = read_ranges(p, at, first, &chars);
        if (status == LFM2_OK && chars.n == 0) {
            status = lf_gbnf_fail(p, LFM2_E_TEXT, "gbnf.syntax", first, "the class is empty");
        }
    }
    status = status != LFM2_OK ? status : add_class(p, &chars, negated);
    lf_list_free(lf_grammar_rx(p->grammar)->quota, &chars);
    return status;
}

/* ---- Tokens ---- */

/* Reads "<[ID]>". */
static int32_t read_id(const lf_gbnf_program *p, size_t *at, int32_t *id)
{
    size_t first = *at;
    uint32_t n_tokens = lf_tokenizer_size(p->options->tokenizer);
    uint64_t value = 0;
    *at += 2;
    size_t digits = *at;
    for (; peek(p, *at) >= '0' && peek(p, *at) <= '9'; (*at)++) {
        value = value > UINT32_MAX ? value : 10 * value + (uint64_t)(p->text[*at] - '0');
    }
    if (*at == digits || peek(p, *at) != ']' || peek(p, *at + 1) != '>') {
        return lf_gbnf_fail(p, LFM2_E_TEXT, "gbnf.syntax", first,
                            "a token is written as <[ID]> or <NAME>");
    }
    *at += 2;
    if (value >= n_tokens) {
        return lf_gbnf_fail(p, LFM2_E_TEXT, "gbnf.token", first,
                            "the vocabulary has the tokens 0 to %u", n_tokens - 1);
    }
    *id = (int32_t)value;
    return LFM2_OK;
}

/* Reads "<NAME>", which must be a single token. */
static int32_t read_token_name(lf_gbnf_program *p, size_t *at, int32_t *id)
{
    size_t first = *at;
    const char *end = memchr(p->text + first, '>', p->len - first);
    if (end == NULL) {
        return lf_gbnf_fail(p, LFM2_E_TEXT, "gbnf.syntax", first,
                            "the token that begins here does not end");
    }
    *at = (size_t)(end - p->text) + 1;
    LF_TRY(lf_gbnf_spend(p, STEPS_BYTE * (*at - first)));
    const lf_span span = {p->text + first, *at - first, true};
    int32_t ids[1];
    size_t n = 0;
    int32_t status = lf_tokenizer_encode(p->options->tokenizer, &span, 1, false, ids, 1, &n);
    if (status != LFM2_OK && status != LFM2_E_BUFFER) {
        return status;
    }
    if (n != 1) {
        lf_shown shown;
        return lf_gbnf_fail(p, LFM2_E_TEXT, "gbnf.token", first, "the vocabulary has no token '%s'",
                            lf_show(&shown, span.text, span.len));
    }
    *id = ids[0];
    return LFM2_OK;
}

int32_t lf_gbnf_token(lf_gbnf_program *p, size_t *at)
{
    const lf_tokenizer *tokenizer = p->options->tokenizer;
    size_t first = *at;
    bool negated = p->text[first] == '!';
    int32_t id = 0;
    const char *bytes = NULL;
    size_t len = 0;
    int32_t kind = 0;
    *at += negated;
    if (peek(p, *at) != '<') {
        return lf_gbnf_fail(p, LFM2_E_TEXT, "gbnf.syntax", first,
                            "'!' must be followed by a token, as in !<think>");
    }
    if (tokenizer == NULL) {
        return lf_gbnf_fail(p, LFM2_E_TEXT, "gbnf.token", first,
                            "there is no vocabulary with tokens");
    }
    bool by_id = peek(p, *at + 1) == '[';
    LF_TRY(by_id ? read_id(p, at, &id) : read_token_name(p, at, &id));
    LF_TRY(lf_tokenizer_token(tokenizer, id, &bytes, &len, &kind));
    lf_shown shown;
    if (lf_tokenizer_is_end(tokenizer, id)) {
        return lf_gbnf_fail(p, LFM2_E_UNSUPPORTED, "gbnf.token", first,
                            "the token '%s' ends the text; it cannot be part of it",
                            lf_show(&shown, bytes, len));
    }
    if (lf_tokenizer_is_control(tokenizer, id)) {
        return lf_gbnf_add(p, negated ? LF_GBNF_NOT_TOKEN : LF_GBNF_TOKEN, (uint32_t)id,
                           (uint32_t)first);
    }
    if (negated) {
        return lf_gbnf_fail(p, LFM2_E_UNSUPPORTED, "gbnf.token", first,
                            "'%s' is a token of ordinary text, which cannot be negated",
                            lf_show(&shown, bytes, len));
    }
    return lf_gbnf_add(p, LF_GBNF_TEXT, lf_rx_text(lf_grammar_rx(p->grammar), bytes, len),
                       (uint32_t)len);
}
