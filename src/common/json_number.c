/* SPDX-License-Identifier: Apache-2.0 */
/* Converts JSON numbers: to exact integers, and to doubles independently of the host's locale. */
#include "common/json.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* The number digits[0..n) * 10^exponent, without leading and trailing zeros; n = 0 is zero. */
typedef struct decimal {
    char digits[LF_JSON_MAX_DIGITS];
    size_t n;
    int64_t exponent;
    bool negative;
} decimal;

static bool is_digit(char c)
{
    return c >= '0' && c <= '9';
}

/* The exponent in the source text, bounded by about 10^10 either way. */
static int64_t read_exponent(const char *text)
{
    enum { LARGE = 1000000000 };
    bool negative = *text == '-';
    int64_t e = 0;
    for (text += *text == '-' || *text == '+'; is_digit(*text); text++) {
        if (e < LARGE) {
            e = e * 10 + (*text - '0');
        }
    }
    return negative ? -e : e;
}

/* False: not a number, or more than LF_JSON_MAX_DIGITS digits. The parser checked the syntax. */
static bool read_decimal(const lf_json *value, decimal *out)
{
    if (value == NULL || value->kind != LF_JSON_NUMBER) {
        return false;
    }
    const char *t = value->text;
    *out = (decimal){.negative = *t == '-'};
    t += *t == '-';
    int64_t point = 0;
    int64_t zeros = 0; /* after the last digit stored */
    bool fraction = false;
    for (; is_digit(*t) || *t == '.'; t++) {
        if (*t == '.') {
            fraction = true;
            continue;
        }
        point -= fraction;
        if (*t == '0') {
            zeros++;
            continue;
        }
        for (; zeros > 0 && out->n > 0; zeros--) {
            if (out->n == LF_JSON_MAX_DIGITS) {
                return false;
            }
            out->digits[out->n++] = '0';
        }
        zeros = 0;
        if (out->n == LF_JSON_MAX_DIGITS) {
            return false;
        }
        out->digits[out->n++] = *t;
    }
    out->exponent = point + zeros;
    if (*t == 'e' || *t == 'E') {
        out->exponent += read_exponent(t + 1);
    }
    return true;
}

/* The absolute value of an integer below 2^64. */
static bool read_magnitude(const lf_json *value, uint64_t *out, bool *negative)
{
    decimal d;
    if (!read_decimal(value, &d)) {
        return false;
    }
    uint64_t v = 0;
    *negative = d.negative;
    if (d.n > 0) {
        if (d.exponent < 0 || d.exponent > 19) {
            return false;
        }
        for (int64_t i = 0; i < (int64_t)d.n + d.exponent; i++) {
            uint64_t digit = i < (int64_t)d.n ? (uint64_t)(d.digits[i] - '0') : 0;
            if (v > (UINT64_MAX - digit) / 10) {
                return false;
            }
            v = v * 10 + digit;
        }
    }
    *out = v;
    return true;
}

bool lf_json_u64(const lf_json *value, uint64_t *out)
{
    uint64_t v = 0;
    bool negative = false;
    if (!read_magnitude(value, &v, &negative) || (negative && v != 0)) {
        return false;
    }
    *out = v;
    return true;
}

bool lf_json_i64(const lf_json *value, int64_t *out)
{
    uint64_t v = 0;
    bool negative = false;
    if (!read_magnitude(value, &v, &negative)) {
        return false;
    }
    if (v > (uint64_t)INT64_MAX + (negative ? 1 : 0)) {
        return false;
    }
    *out = negative ? (v == 0 ? 0 : -(int64_t)(v - 1) - 1) : (int64_t)v;
    return true;
}

bool lf_json_double(const lf_json *value, double *out)
{
    decimal d;
    if (!read_decimal(value, &d)) {
        return false;
    }
    /* strtod reads the decimal point of the locale: this text has none */
    char text[LF_JSON_MAX_DIGITS + 32];
    char *w = text;
    if (d.negative) {
        *w++ = '-';
    }
    if (d.n == 0) {
        d.digits[d.n++] = '0';
        d.exponent = 0;
    }
    memcpy(w, d.digits, d.n);
    w += d.n;
    snprintf(w, 32, "e%lld", (long long)d.exponent);
    double v = strtod(text, NULL);
    if (!isfinite(v)) {
        return false;
    }
    *out = v;
    return true;
}
