/* SPDX-License-Identifier: Apache-2.0 */
/* Converts numbers to and from text as Python does, in every locale. */
#include "text/template/value.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

/* Digits and exponent as JSON, which common/json converts without regard to the locale. */
static bool parse_json_double(const char *text, size_t len, double *out)
{
    lf_json number = {.kind = LF_JSON_NUMBER, .text = text, .len = len};
    return lf_json_double(&number, out);
}

/* The digits of v at this precision, and the exponent of the first one. */
static void digits_of(double v, int precision, char digits[32], int *exponent)
{
    char text[64];
    snprintf(text, sizeof text, "%.*e", precision - 1, v);
    size_t n = 0;
    const char *p = text;
    for (; *p != 'e' && *p != '\0'; p++) { /* the decimal point is the locale's */
        if (*p >= '0' && *p <= '9') {
            digits[n++] = *p;
        }
    }
    digits[n] = '\0';
    *exponent = 0;
    for (const char *e = p + 2; *p == 'e' && *e >= '0' && *e <= '9'; e++) {
        *exponent = *exponent * 10 + (*e - '0');
    }
    if (*p == 'e' && p[1] == '-') {
        *exponent = -*exponent;
    }
}

size_t tpl_float_text(double v, char out[TPL_NUMBER_TEXT])
{
    if (isnan(v) || isinf(v)) {
        return (size_t)snprintf(out, TPL_NUMBER_TEXT, "%s",
                                isnan(v) ? "nan"
                                : v < 0  ? "-inf"
                                         : "inf");
    }
    char digits[32];
    int exponent = 0;
    /* The digits of a normal number with up to 15 of them are exact; zeros at the end are removed.
     */
    for (int precision = fabs(v) < 0x1p-1022 ? 1 : 15; precision <= 17; precision++) {
        char text[64];
        double back = 0;
        digits_of(fabs(v), precision, digits, &exponent);
        int n = snprintf(text, sizeof text, "%se%d", digits, exponent - (precision - 1));
        if (parse_json_double(text, (size_t)n, &back) && back == fabs(v)) {
            break;
        }
    }
    int n = (int)strlen(digits);
    while (n > 1 && digits[n - 1] == '0') {
        n--;
    }
    size_t len = 0;
    if (signbit(v)) {
        out[len++] = '-';
    }
    if (exponent < -4 || exponent >= 16) {
        out[len++] = digits[0];
        if (n > 1) {
            out[len++] = '.';
            memcpy(out + len, digits + 1, (size_t)n - 1);
            len += (size_t)n - 1;
        }
        return len + (size_t)snprintf(out + len, 16, "e%c%02d", exponent < 0 ? '-' : '+',
                                      exponent < 0 ? -exponent : exponent);
    }
    for (int i = exponent < 0 ? exponent : 0; i < n || i <= exponent + 1; i++) {
        if (i == exponent + 1) {
            out[len++] = '.';
        }
        out[len++] = i >= 0 && i < n ? digits[i] : '0';
    }
    return len;
}

size_t tpl_fixed_text(double v, int precision, char out[TPL_NUMBER_TEXT])
{
    if (isnan(v) || isinf(v)) {
        return tpl_float_text(v, out);
    }
    int n = snprintf(out, TPL_NUMBER_TEXT, "%.*f", precision < 60 ? precision : 60, v);
    for (int i = 0; i < n; i++) {
        if (out[i] != '-' && (out[i] < '0' || out[i] > '9')) {
            out[i] = '.'; /* the locale's decimal point */
        }
    }
    return (size_t)n;
}

static bool is_digit(char c)
{
    return c >= '0' && c <= '9';
}

/* Without white space at the ends. */
static void strip(const char **text, size_t *len)
{
    while (*len > 0 && tpl_is_space((uint8_t) * *text) && (uint8_t) * *text < 0x80) {
        ++*text;
        --*len;
    }
    while (*len > 0 && (uint8_t)(*text)[*len - 1] < 0x80 &&
           tpl_is_space((uint8_t)(*text)[*len - 1])) {
        --*len;
    }
}

static bool same_word(const char *text, size_t len, const char *word)
{
    size_t i = 0;
    while (i < len && word[i] != '\0' && (text[i] | 0x20) == word[i]) {
        i++;
    }
    return i == len && word[i] == '\0';
}

bool tpl_parse_float(const char *text, size_t len, double *out)
{
    strip(&text, &len);
    char json[LF_JSON_MAX_DIGITS];
    size_t n = 0, i = 0, digits = 0;
    bool negative = len > 0 && text[0] == '-';
    i += len > 0 && (text[0] == '-' || text[0] == '+');
    if (same_word(text + i, len - i, "inf") || same_word(text + i, len - i, "infinity")) {
        *out = negative ? -(double)INFINITY : (double)INFINITY;
        return true;
    }
    if (same_word(text + i, len - i, "nan")) {
        *out = (double)NAN;
        return true;
    }
    if (len >= sizeof json - 8) {
        return false;
    }
    json[n++] = negative ? '-' : '0';
    bool point = false;
    for (; i < len && (is_digit(text[i]) || (text[i] == '.' && !point) ||
                       (text[i] == '_' && i > 0 && is_digit(text[i - 1]) && i + 1 < len &&
                        is_digit(text[i + 1])));
         i++) {
        point |= text[i] == '.';
        digits += is_digit(text[i]);
        if (text[i] != '_') {
            json[n++] = text[i];
        }
    }
    if (digits == 0) {
        return false;
    }
    if (i < len && (text[i] | 0x20) == 'e') {
        json[n++] = 'e';
        i++;
        if (i < len && (text[i] == '-' || text[i] == '+')) {
            json[n++] = text[i++];
        }
        size_t start = i;
        for (; i < len && is_digit(text[i]); i++) {
            json[n++] = text[i];
        }
        if (i == start) {
            return false;
        }
    }
    json[n] = '\0';
    if (i != len) {
        return false;
    }
    if (!parse_json_double(json, n, out)) {
        *out = negative ? -(double)INFINITY : (double)INFINITY;
    }
    return true;
}

/* Base 0: as the prefix says, as in Python. */
bool tpl_parse_int(const char *text, size_t len, int64_t base, int64_t *out)
{
    strip(&text, &len);
    bool negative = len > 0 && text[0] == '-';
    size_t i = len > 0 && (text[0] == '-' || text[0] == '+');
    char letter = i + 1 < len && text[i] == '0' ? (char)(text[i + 1] | 0x20) : '\0';
    int64_t prefixed = letter == 'x' ? 16 : letter == 'o' ? 8 : letter == 'b' ? 2 : 0;
    if (prefixed != 0 && (base == 0 || base == prefixed)) {
        base = prefixed;
        i += 2;
    }
    base = base == 0 ? 10 : base;
    uint64_t v = 0;
    size_t digits = 0;
    for (; i < len; i++) {
        char c = text[i];
        int64_t d = is_digit(c)                              ? c - '0'
                    : (c | 0x20) >= 'a' && (c | 0x20) <= 'z' ? (c | 0x20) - 'a' + 10
                                                             : 99;
        if (c == '_' && digits > 0 && text[i - 1] != '_' && i + 1 < len) {
            continue;
        }
        if (d >= base || v > (UINT64_MAX - (uint64_t)d) / (uint64_t)base) {
            return false;
        }
        v = v * (uint64_t)base + (uint64_t)d;
        digits++;
    }
    if (digits == 0 || v > (uint64_t)INT64_MAX + negative) {
        return false;
    }
    *out = negative ? (int64_t)(0 - v) : (int64_t)v;
    return true;
}

/* ---- Rounding and remainder: the library does not link the C library's mathematics ---- */

double tpl_floor(double x)
{
    if (!(fabs(x) < 0x1p52)) {
        return x;
    }
    double whole = (double)(int64_t)x;
    whole -= whole > x ? 1 : 0;
    return whole == 0 ? copysign(0, x) : whole;
}

/* The bits of a finite number as mantissa * 2^exponent. */
static uint64_t split(double x, int *exponent)
{
    uint64_t bits = 0;
    memcpy(&bits, &x, sizeof bits);
    uint64_t mantissa = bits & (((uint64_t)1 << 52) - 1);
    int e = (int)(bits >> 52 & 0x7FF);
    *exponent = e > 0 ? e : 1;
    return e > 0 ? mantissa | (uint64_t)1 << 52 : mantissa;
}

double tpl_remainder(double a, double b)
{
    if (isnan(a) || isnan(b) || isinf(a) || b == 0) {
        return (double)NAN;
    }
    if (fabs(a) < fabs(b) || isinf(b)) {
        return a;
    }
    int ea = 0, eb = 0;
    uint64_t m = split(a, &ea), d = split(b, &eb);
    m %= d;
    for (; ea > eb; ea--) {
        m = (m << 1) % d;
    }
    /* m * 2^(eb - 1075) is exact: m < d */
    double unit = 0x1p-1074;
    if (eb > 52) {
        uint64_t bits = (uint64_t)(eb - 52) << 52;
        memcpy(&unit, &bits, sizeof unit);
    } else {
        unit *= (double)((uint64_t)1 << (eb - 1));
    }
    return copysign((double)m * unit, a);
}

bool tpl_integer(const tpl_value *v, int64_t *out)
{
    if (v->type == TPL_INT) {
        *out = v->u.i;
    } else if (v->type == TPL_BOOL) {
        *out = v->u.b;
    } else {
        return false;
    }
    return true;
}

bool tpl_number(const tpl_value *v, double *out)
{
    int64_t i = 0;
    if (v->type == TPL_FLOAT) {
        *out = v->u.f;
    } else if (tpl_integer(v, &i)) {
        *out = (double)i;
    } else {
        return false;
    }
    return true;
}
