/* SPDX-License-Identifier: Apache-2.0 */
/* Splits the inside of a tag into tokens. */
#include "text/template/parse.h"

#include "common/hex.h"
#include "common/utf8.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

int32_t tpl_syntax_error(uint32_t line, const char *format, ...)
{
    char text[512];
    va_list args;
    va_start(args, format);
    vsnprintf(text, sizeof text, format, args);
    va_end(args);
    return lf_fail(LFM2_E_FORMAT, "template.syntax", "chat template, line %u: %s", line, text);
}

static bool is_digit(char c)
{
    return c >= '0' && c <= '9';
}

static bool is_name(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_' || ((uint8_t)c & 0x80) != 0;
}

static char at(const tpl_lexer *lex, size_t i)
{
    return i < lex->len ? lex->text[i] : '\0';
}

static void skip_space(tpl_lexer *lex)
{
    while (lex->pos < lex->len) {
        uint32_t c = 0;
        size_t n = lf_utf8_decode((const uint8_t *)lex->text + lex->pos, lex->len - lex->pos, &c);
        if (!tpl_is_space(c)) {
            break;
        }
        lex->line += c == '\n';
        lex->pos += n;
    }
}

/* The end of the tag, with the white space that it removes. */
static bool read_end(tpl_lexer *lex)
{
    char sign = at(lex, lex->pos);
    size_t p = lex->pos + (sign == '-' || (sign == '+' && lex->block));
    if (at(lex, p) != (lex->block ? '%' : '}') || at(lex, p + 1) != '}') {
        return false;
    }
    lex->pos = p + 2;
    if (sign == '-') {
        skip_space(lex);
    } else if (lex->block && sign != '+' && at(lex, lex->pos) == '\n') {
        lex->pos++;
        lex->line++;
    }
    lex->line_start = lex->text[lex->pos - 1] == '\n';
    return true;
}

/* Digits with single underscores between them. */
static size_t skip_digits(const tpl_lexer *lex, size_t p)
{
    while (is_digit(at(lex, p)) || (at(lex, p) == '_' && is_digit(at(lex, p + 1)))) {
        p++;
    }
    return p;
}

static int32_t read_number(tpl_lexer *lex, tpl_token *out)
{
    size_t start = lex->pos;
    size_t p = skip_digits(lex, start);
    bool real = false;
    char base = at(lex, start + 1) | 0x20;
    if (at(lex, start) == '0' && p == start + 1 && (base == 'x' || base == 'o' || base == 'b')) {
        for (p = start + 2; is_digit(at(lex, p)) || is_name(at(lex, p)); p++) {
        }
    } else if (!lex->after_dot) {
        if (at(lex, p) == '.' && is_digit(at(lex, p + 1))) {
            p = skip_digits(lex, p + 1);
            real = true;
        }
        size_t e = p + 1 + (at(lex, p + 1) == '-' || at(lex, p + 1) == '+');
        if ((at(lex, p) | 0x20) == 'e' && is_digit(at(lex, e))) {
            p = skip_digits(lex, e);
            real = true;
        }
    }
    char text[64];
    size_t n = 0;
    for (size_t i = start; i < p; i++) {
        if (n + 1 >= sizeof text) {
            return tpl_syntax_error(lex->line, "a number of more than %zu digits", sizeof text - 2);
        }
        if (lex->text[i] != '_') {
            text[n++] = lex->text[i];
        }
    }
    out->type = real ? TPL_TOKEN_FLOAT : TPL_TOKEN_INT;
    bool plain_zero = text[0] == '0' && n > 1 && is_digit(text[1]);
    if (real ? !tpl_parse_float(text, n, &out->f)
             : (plain_zero && strspn(text, "0") < n) || !tpl_parse_int(text, n, 0, &out->i)) {
        return tpl_syntax_error(lex->line, "%.*s: not a number, or out of range", (int)n, text);
    }
    out->len = p - start;
    lex->pos = p;
    return LFM2_OK;
}

static int32_t read_string(tpl_lexer *lex, tpl_token *out)
{
    char quote = lex->text[lex->pos];
    size_t p = lex->pos + 1;
    while (p < lex->len && lex->text[p] != quote) {
        p += lex->text[p] == '\\' ? 2 : 1;
    }
    if (p >= lex->len) {
        return tpl_syntax_error(lex->line, "a string without its closing %c", quote);
    }
    out->type = TPL_TOKEN_STRING;
    out->text = lex->text + lex->pos + 1;
    out->len = p - lex->pos - 1;
    for (size_t i = 0; i < out->len; i++) {
        lex->line += out->text[i] == '\n';
    }
    lex->pos = p + 1;
    return LFM2_OK;
}

static int32_t read_operator(tpl_lexer *lex, tpl_token *out)
{
    static const char *const two[] = {"//", "**", "==", "!=", ">=", "<="};
    char c = lex->text[lex->pos];
    out->type = TPL_TOKEN_OPERATOR;
    out->len = 1;
    for (size_t i = 0; i < sizeof two / sizeof *two; i++) {
        if (c == two[i][0] && at(lex, lex->pos + 1) == two[i][1]) {
            out->len = 2;
        }
    }
    if (out->len == 1 && strchr("+-/*%~[](){}><=.:|,;", c) == NULL) {
        char shown[8];
        return tpl_syntax_error(lex->line, "unexpected character '%s'",
                                lf_printable(shown, 4, lex->text + lex->pos, 1));
    }
    if (c == '(' || c == '[' || c == '{') {
        if (lex->n_open == sizeof lex->open) {
            return tpl_syntax_error(lex->line, "more than %zu open brackets", sizeof lex->open);
        }
        lex->open[lex->n_open++] = (uint8_t)(c == '(' ? ')' : c == '[' ? ']' : '}');
    } else if (c == ')' || c == ']' || c == '}') {
        if (lex->n_open == 0 || lex->open[lex->n_open - 1] != (uint8_t)c) {
            return tpl_syntax_error(lex->line, "unexpected '%c'", c);
        }
        lex->n_open--;
    }
    lex->pos += out->len;
    return LFM2_OK;
}

int32_t tpl_lex(tpl_lexer *lex, tpl_token *out)
{
    skip_space(lex);
    *out = (tpl_token){.text = lex->text + lex->pos, .line = lex->line};
    if (lex->pos >= lex->len) {
        return tpl_syntax_error(lex->line, "the template ends inside a tag");
    }
    if (lex->n_open == 0 && read_end(lex)) {
        return LFM2_OK; /* END */
    }
    char c = lex->text[lex->pos];
    int32_t status = LFM2_OK;
    if (is_digit(c)) {
        status = read_number(lex, out);
    } else if (is_name(c)) {
        size_t p = lex->pos;
        while (is_name(at(lex, p)) || is_digit(at(lex, p))) {
            p++;
        }
        out->type = TPL_TOKEN_NAME;
        out->len = p - lex->pos;
        lex->pos = p;
    } else if (c == '"' || c == '\'') {
        status = read_string(lex, out);
    } else {
        status = read_operator(lex, out);
    }
    lex->after_dot = c == '.';
    return status;
}

/* ---- Escapes ---- */

static size_t read_hex(const char *text, size_t len, size_t digits, uint32_t *out)
{
    return len >= digits && lf_hex_read(text, digits, out) ? digits : 0;
}

/* Reads the escape after a backslash. Returns its length; 0: it is none that Python knows. */
static size_t read_escape(const char *text, size_t len, uint32_t *c, bool *bad)
{
    static const char from[] = "\\'\"abfnrtv", to[] = "\\'\"\a\b\f\n\r\t\v";
    const char *simple = strchr(from, text[0]);
    if (text[0] != '\0' && simple != NULL) {
        *c = (uint8_t)to[simple - from];
        return 1;
    }
    if (text[0] >= '0' && text[0] <= '7') {
        size_t n = 0;
        for (*c = 0; n < 3 && n < len && text[n] >= '0' && text[n] <= '7'; n++) {
            *c = *c * 8 + (uint32_t)(text[n] - '0');
        }
        return n;
    }
    size_t digits = text[0] == 'x' ? 2 : text[0] == 'u' ? 4 : text[0] == 'U' ? 8 : 0;
    if (digits == 0) {
        *bad = text[0] == 'N';
        return 0;
    }
    *bad = read_hex(text + 1, len - 1, digits, c) == 0 || *c > 0x10FFFF ||
           (*c >= 0xD800 && *c < 0xE000);
    return digits + 1;
}

int32_t tpl_unescape(const tpl_token *token, char *to, size_t *len)
{
    size_t n = *len;
    for (size_t i = 0; i < token->len; i++) {
        char c = token->text[i];
        if (c != '\\') {
            to[n++] = c;
            continue;
        }
        if (token->text[i + 1] == '\n') { /* Python joins the lines */
            i++;
            continue;
        }
        uint32_t code = 0;
        bool bad = false;
        size_t used = read_escape(token->text + i + 1, token->len - i - 1, &code, &bad);
        if (bad) {
            return tpl_syntax_error(token->line, "a string with an escape that is not supported");
        }
        if (used == 0) {
            to[n++] = c;
            continue;
        }
        char buffer[4];
        size_t bytes = lf_utf8_encode(code, buffer);
        memcpy(to + n, buffer, bytes); /* never longer than its escape: \777 is 2 bytes */
        n += bytes;
        i += used;
    }
    *len = n;
    return LFM2_OK;
}
