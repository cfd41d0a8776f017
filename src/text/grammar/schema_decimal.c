/* SPDX-License-Identifier: Apache-2.0 */
/* Exact decimals: what bounds and multiples of numbers are compared with. */
#include "text/grammar/schema_internal.h"

#include <string.h>

static bool is_digit(char c)
{
    return c >= '0' && c <= '9';
}

/* The exponent of a number's text, at most about 10,000 either way. */
static int32_t exponent_of(const char *text)
{
    const bool negative = *text == '-';
    int32_t e = 0;
    for (text += *text == '-' || *text == '+'; is_digit(*text); text++) {
        if (e < 1000) {
            e = e * 10 + (*text - '0');
        }
    }
    return negative ? -e : e;
}

int32_t lf_schema_decimal(lf_schema *s, const lf_json *number, bool *fits, lf_decimal *out)
{
    enum { MOST = 800 };
    char all[2 * MOST];
    const char *t = number->text;
    bool point = false;
    int32_t n = 0;      /* digits without leading zeros */
    int32_t before = 0; /* of them before the point; negative: zeros after the point */
    *out = (lf_decimal){.negative = *t == '-', .digits = ""};
    *fits = false;
    for (t += *t == '-'; is_digit(*t) || *t == '.'; t++) {
        if (*t == '.') {
            point = true;
            continue;
        }
        if (n == 0 && *t == '0') {
            before -= point;
            continue;
        }
        if (n == MOST) {
            return LFM2_OK;
        }
        all[n++] = *t;
        before += !point;
    }
    if (*t == 'e' || *t == 'E') {
        before += exponent_of(t + 1);
    }
    while (n > 0 && all[n - 1] == '0') {
        n--;
    }
    *fits = n == 0 || (before <= MOST && n - before <= MOST);
    if (n == 0 || !*fits) {
        out->negative = false;
        return LFM2_OK;
    }
    const int32_t lead = before < 0 ? -before : 0;    /* zeros after the point */
    const int32_t tail = before > n ? before - n : 0; /* zeros before it */
    void *memory = NULL;
    LF_TRY(lf_schema_new(s, (size_t)(lead + n + tail), 1, &memory));
    char *digits = memory;
    memset(digits, '0', (size_t)(lead + n + tail));
    memcpy(digits + lead, all, (size_t)n);
    out->digits = digits;
    out->n_int = (uint32_t)(before > 0 ? before : 0);
    out->n_frac = (uint32_t)(lead + n + tail) - out->n_int;
    return LFM2_OK;
}

bool lf_decimal_is_integer(const lf_decimal *a)
{
    return a->n_frac == 0;
}

bool lf_decimal_is_zero(const lf_decimal *a)
{
    return a->n_int + a->n_frac == 0;
}

static int compare_magnitude(const lf_decimal *a, const lf_decimal *b)
{
    if (a->n_int != b->n_int) {
        return a->n_int < b->n_int ? -1 : 1;
    }
    const uint32_t n_a = a->n_int + a->n_frac;
    const uint32_t n_b = b->n_int + b->n_frac;
    const uint32_t n = n_a < n_b ? n_a : n_b;
    const int order = n > 0 ? memcmp(a->digits, b->digits, n) : 0;
    return order != 0 ? order : (n_a > n_b) - (n_a < n_b);
}

int lf_decimal_compare(const lf_decimal *a, const lf_decimal *b)
{
    if (a->negative != b->negative) {
        return a->negative ? -1 : 1;
    }
    return a->negative ? compare_magnitude(b, a) : compare_magnitude(a, b);
}

/* The integer at or next to `a`, away from zero if `away`. */
static int32_t to_integer(lf_schema *s, const lf_decimal *a, bool away, lf_decimal *out)
{
    *out = *a;
    out->n_frac = 0;
    if (away) {
        void *memory = NULL;
        LF_TRY(lf_schema_new(s, a->n_int + 1, 1, &memory));
        char *digits = memory;
        digits[0] = '0';
        if (a->n_int > 0) {
            memcpy(digits + 1, a->digits, a->n_int);
        }
        uint32_t at = a->n_int;
        for (; digits[at] == '9'; at--) {
            digits[at] = '0';
        }
        digits[at]++;
        out->n_int = a->n_int + (digits[0] != '0');
        out->digits = digits + (digits[0] == '0');
    }
    if (out->n_int == 0) {
        out->negative = false;
    }
    return LFM2_OK;
}

/* One less than an integer in magnitude that is not zero. */
static int32_t toward_zero(lf_schema *s, const lf_decimal *a, lf_decimal *out)
{
    void *memory = NULL;
    LF_TRY(lf_schema_new(s, a->n_int, 1, &memory));
    char *digits = memory;
    memcpy(digits, a->digits, a->n_int);
    uint32_t at = a->n_int - 1;
    for (; digits[at] == '0'; at--) {
        digits[at] = '9';
    }
    digits[at]--;
    *out = *a;
    out->n_int = a->n_int - (digits[0] == '0');
    out->digits = digits + (digits[0] == '0');
    out->negative = a->negative && out->n_int > 0;
    return LFM2_OK;
}

int32_t lf_decimal_bound(lf_schema *s, const lf_decimal *a, bool open, bool low, lf_decimal *out)
{
    if (a->n_frac > 0) {
        /* A lower bound rounds up: away from zero if it is positive. */
        return to_integer(s, a, low != a->negative, out);
    }
    if (!open) {
        *out = *a;
        return LFM2_OK;
    }
    if (a->n_int > 0 && low == a->negative) {
        return toward_zero(s, a, out);
    }
    LF_TRY(to_integer(s, a, true, out));
    out->negative = a->n_int > 0 ? a->negative : !low;
    return LFM2_OK;
}

bool lf_decimal_modulus(const lf_decimal *a, uint32_t *c, uint32_t *scale)
{
    uint64_t value = 0;
    for (uint32_t i = 0; i < a->n_int + a->n_frac; i++) {
        value = value * 10 + (uint64_t)(a->digits[i] - '0');
        if (value > 1000000000) {
            return false;
        }
    }
    *c = (uint32_t)value;
    *scale = a->n_frac;
    return value > 0;
}

bool lf_decimal_divides(const lf_decimal *of, const lf_decimal *a, bool *known)
{
    uint32_t c = 0;
    uint32_t scale = 0;
    *known = lf_decimal_modulus(of, &c, &scale);
    if (!*known || a->n_frac > scale) {
        return false;
    }
    uint64_t rest = 0;
    for (uint32_t i = 0; i < a->n_int + scale; i++) {
        const uint32_t digit = i < a->n_int + a->n_frac ? (uint32_t)(a->digits[i] - '0') : 0;
        rest = (rest * 10 + digit) % c;
    }
    return rest == 0;
}
