/* SPDX-License-Identifier: Apache-2.0 */
/* Expressions of the JSON numbers in an interval. A number is written plainly ("-12.50") or, unless
 * it must be an integer, with an exponent and one digit before the point ("1.25e+1"): both are
 * exact for every bound. */
#include "text/grammar/schema_internal.h"

#include <string.h>

/* What follows the digits before the point. */
typedef struct fraction {
    lf_rx any;  /* any fraction or none */
    lf_rx zero; /* a fraction that is zero, or none */
    bool integer;
} fraction;

static lf_rx digits_between(lf_rx_set *rx, char first, char last)
{
    uint64_t bits[4] = {0};
    if (first > last) {
        return LF_RX_NONE;
    }
    for (char c = first; c <= last; c++) {
        bits[c >> 6] |= (uint64_t)1 << (c & 63);
    }
    return lf_rx_byte_class(rx, bits);
}

static lf_rx chars(lf_rx_set *rx, const char *set)
{
    uint64_t bits[4] = {0};
    for (; *set != 0; set++) {
        bits[*set >> 6] |= (uint64_t)1 << (*set & 63);
    }
    return lf_rx_byte_class(rx, bits);
}

static lf_rx some_digits(lf_rx_set *rx, uint32_t min, uint32_t max)
{
    return lf_rx_repeat(rx, digits_between(rx, '0', '9'), min, max);
}

static lf_rx optional(lf_rx_set *rx, lf_rx a)
{
    return lf_rx_alt(rx, a, LF_RX_EMPTY);
}

static lf_rx then(lf_rx_set *rx, lf_rx a, lf_rx b, lf_rx c)
{
    return lf_rx_concat(rx, a, lf_rx_concat(rx, b, c));
}

/* Integers without leading zeros of min to max digits, of which "0" has one. */
static lf_rx integers(lf_rx_set *rx, uint32_t min, uint32_t max)
{
    if (min > max) {
        return LF_RX_NONE;
    }
    const uint32_t more = max == LF_RX_UNLIMITED ? max : max - 1;
    lf_rx longer = lf_rx_concat(rx, digits_between(rx, '1', '9'), some_digits(rx, min - 1, more));
    return min == 1 ? lf_rx_alt(rx, digits_between(rx, '0', '0'), longer) : longer;
}

/* Fractions (with their point) above, or below, .F; `equal`: or equal. */
static lf_rx fractions(lf_rx_set *rx, const lf_decimal *m, bool above, bool equal,
                       const fraction *f)
{
    const char *d = m->digits + m->n_int;
    const uint32_t n = m->n_frac;
    if (n == 0) {
        if (above) {
            lf_rx more = f->integer
                             ? LF_RX_NONE
                             : then(rx, lf_rx_text(rx, ".", 1), some_digits(rx, 0, LF_RX_UNLIMITED),
                                    lf_rx_concat(rx, digits_between(rx, '1', '9'),
                                                 some_digits(rx, 0, LF_RX_UNLIMITED)));
            return equal ? f->any : more;
        }
        return equal ? f->zero : LF_RX_NONE;
    }
    const lf_rx any = some_digits(rx, 0, LF_RX_UNLIMITED);
    lf_rx out = LF_RX_NONE;
    /* From the last digit to the first: what may follow those before it. */
    for (uint32_t i = n; i-- > 0;) {
        lf_rx other = above ? lf_rx_concat(rx, digits_between(rx, (char)(d[i] + 1), '9'), any)
                            : lf_rx_concat(rx, digits_between(rx, '0', (char)(d[i] - 1)), any);
        lf_rx same = out;
        if (i == n - 1) {
            same = above
                       ? (equal ? any
                                : then(rx,
                                       lf_rx_repeat(rx, digits_between(rx, '0', '0'), 0,
                                                    LF_RX_UNLIMITED),
                                       digits_between(rx, '1', '9'), any))
                       : (equal ? lf_rx_repeat(rx, digits_between(rx, '0', '0'), 0, LF_RX_UNLIMITED)
                                : LF_RX_NONE);
        } else if (!above) {
            same = optional(rx, out); /* the fraction may end here: it is smaller */
        }
        out = lf_rx_alt(rx, other, lf_rx_concat(rx, digits_between(rx, d[i], d[i]), same));
    }
    out = lf_rx_concat(rx, lf_rx_text(rx, ".", 1), out);
    return above ? out : optional(rx, out);
}

/* Plain numbers without a sign above, or below, the magnitude of m. */
static lf_rx plain(lf_rx_set *rx, const lf_decimal *m, bool above, bool equal, const fraction *f)
{
    const char *d = m->n_int > 0 ? m->digits : "0";
    const uint32_t n = m->n_int > 0 ? m->n_int : 1;
    lf_rx out = fractions(rx, m, above, equal, f);
    for (uint32_t i = n; i-- > 0;) {
        const char least = i == 0 && n > 1 ? '1' : '0';
        lf_rx other = above ? digits_between(rx, (char)(d[i] + 1), '9')
                            : digits_between(rx, least, (char)(d[i] - 1));
        other = then(rx, other, some_digits(rx, n - 1 - i, n - 1 - i), f->any);
        out = lf_rx_alt(rx, other, lf_rx_concat(rx, digits_between(rx, d[i], d[i]), out));
    }
    lf_rx other = above   ? integers(rx, n + 1, LF_RX_UNLIMITED)
                  : n > 1 ? integers(rx, 1, n - 1)
                          : LF_RX_NONE;
    return lf_rx_alt(rx, out, lf_rx_concat(rx, other, f->any));
}

/* Exponents, with their mark, for which no double overflows if one digit is before the point; of at
 * most two digits if `small`, for any other number that is not hundreds of digits long. */
static lf_rx usual_exponents(lf_rx_set *rx, bool small)
{
    lf_rx two = some_digits(rx, 1, 2);
    lf_rx three =
        lf_rx_alt(rx, lf_rx_concat(rx, digits_between(rx, '1', '2'), some_digits(rx, 2, 2)),
                  lf_rx_concat(rx, lf_rx_text(rx, "30", 2), digits_between(rx, '0', '7')));
    lf_rx zeros = lf_rx_repeat(rx, digits_between(rx, '0', '0'), 0, 2);
    return then(rx, chars(rx, "eE"), optional(rx, chars(rx, "+-")),
                lf_rx_concat(rx, zeros, small ? two : lf_rx_alt(rx, two, three)));
}

/* Exponents above, below or equal to e, by `sign`: 1, -1, 0. */
static lf_rx exponents(lf_rx_set *rx, int32_t e, int sign)
{
    static const fraction none = {LF_RX_EMPTY, LF_RX_EMPTY, true};
    char digits[12];
    uint32_t n = 0;
    for (uint32_t v = (uint32_t)(e < 0 ? -e : e), at = 1000000; at > 0; at /= 10) {
        if (v >= at || n > 0) {
            digits[n++] = (char)('0' + v / at % 10);
        }
    }
    const lf_decimal m = {.n_int = n, .digits = digits};
    lf_rx zeros = lf_rx_repeat(rx, digits_between(rx, '0', '0'), 0, LF_RX_UNLIMITED);
    lf_rx all = some_digits(rx, 1, LF_RX_UNLIMITED);
    lf_rx plus = optional(rx, lf_rx_text(rx, "+", 1));
    lf_rx minus = lf_rx_text(rx, "-", 1);
    lf_rx e_mark = chars(rx, "eE");
    lf_rx out = LF_RX_NONE;
    if (sign == 0) {
        lf_rx same = n > 0 ? lf_rx_concat(rx, zeros, lf_rx_text(rx, digits, n))
                           : lf_rx_repeat(rx, digits_between(rx, '0', '0'), 1, LF_RX_UNLIMITED);
        out = e < 0   ? lf_rx_concat(rx, minus, same)
              : e > 0 ? lf_rx_concat(rx, plus, same)
                      : lf_rx_concat(rx, lf_rx_alt(rx, plus, minus), same);
    } else if ((sign > 0) == (e >= 0)) {
        /* The same sign and a larger magnitude; e = 0 and below: any negative. */
        lf_rx larger = lf_rx_concat(rx, zeros, plain(rx, &m, true, false, &none));
        out = lf_rx_concat(rx, e >= 0 ? plus : minus, larger);
    } else {
        lf_rx smaller = lf_rx_concat(rx, zeros, plain(rx, &m, false, false, &none));
        if (e == 0) {
            out =
                lf_rx_concat(rx, minus, lf_rx_concat(rx, zeros, plain(rx, &m, true, false, &none)));
        } else {
            out = lf_rx_alt(rx, lf_rx_concat(rx, e > 0 ? plus : minus, smaller),
                            lf_rx_concat(rx, e > 0 ? minus : plus, all));
        }
    }
    return lf_rx_and(rx, lf_rx_concat(rx, e_mark, out), usual_exponents(rx, false));
}

/* The same as plain() with an exponent; zero is not written so. */
static lf_rx scientific(lf_rx_set *rx, const lf_decimal *m, bool above, bool equal,
                        const fraction *f)
{
    const lf_rx all = then(rx, digits_between(rx, '1', '9'), f->any, usual_exponents(rx, false));
    if (m->n_int + m->n_frac == 0) {
        return above ? all : LF_RX_NONE;
    }
    uint32_t lead = 0;
    while (m->digits[lead] == '0') {
        lead++;
    }
    const int32_t e = (int32_t)m->n_int - 1 - (int32_t)lead;
    uint32_t end = m->n_int + m->n_frac;
    while (m->digits[end - 1] == '0') {
        end--;
    }
    const lf_decimal mantissa = {.digits = m->digits + lead, .n_int = 1, .n_frac = end - lead - 1};
    lf_rx digit = lf_rx_concat(rx, digits_between(rx, '1', '9'), f->any);
    lf_rx same = lf_rx_and(rx, digit, plain(rx, &mantissa, above, equal, f));
    return lf_rx_alt(rx, lf_rx_concat(rx, same, exponents(rx, e, 0)),
                     lf_rx_concat(rx, digit, exponents(rx, e, above ? 1 : -1)));
}

/* Numbers without a sign between two magnitudes, of which NULL is no bound. */
static lf_rx magnitudes(lf_rx_set *rx, const lf_decimal *low, bool low_open, const lf_decimal *high,
                        bool high_open, const fraction *f)
{
    static const lf_decimal zero = {.digits = ""};
    const lf_decimal *from = low != NULL ? low : &zero;
    const bool from_equal = low == NULL || !low_open;
    lf_rx out = plain(rx, from, true, from_equal, f);
    lf_rx wide = f->integer ? LF_RX_NONE : scientific(rx, from, true, from_equal, f);
    if (high != NULL) {
        out = lf_rx_and(rx, out, plain(rx, high, false, !high_open, f));
        if (!f->integer) {
            wide = lf_rx_and(rx, wide, scientific(rx, high, false, !high_open, f));
        }
    }
    return lf_rx_alt(rx, out, wide);
}

/* Every number. */
static lf_rx all_numbers(lf_rx_set *rx, const fraction *f)
{
    lf_rx out = lf_rx_concat(rx, integers(rx, 1, LF_RX_UNLIMITED), f->any);
    if (!f->integer) {
        lf_rx one = then(rx, digits_between(rx, '1', '9'), f->any, usual_exponents(rx, false));
        out = lf_rx_alt(rx, one, lf_rx_concat(rx, out, optional(rx, usual_exponents(rx, true))));
    }
    return lf_rx_concat(rx, optional(rx, lf_rx_text(rx, "-", 1)), out);
}

lf_rx lf_schema_interval(lf_schema *s, const lf_interval *in)
{
    lf_rx_set *rx = s->rx;
    fraction f = {.integer = in->integer};
    lf_rx point = lf_rx_text(rx, ".", 1);
    if (in->integer) {
        /* Draft 4 has no integer 1.0. */
        f.zero = s->draft == LF_DRAFT_4 ? LF_RX_EMPTY : optional(rx, lf_rx_text(rx, ".0", 2));
        f.any = f.zero;
    } else {
        f.zero = optional(
            rx, lf_rx_concat(rx, point,
                             lf_rx_repeat(rx, digits_between(rx, '0', '0'), 1, LF_RX_UNLIMITED)));
        f.any = optional(rx, lf_rx_concat(rx, point, some_digits(rx, 1, LF_RX_UNLIMITED)));
    }
    if (in->low == NULL && in->high == NULL) {
        return all_numbers(rx, &f);
    }
    lf_rx out = LF_RX_NONE;
    if (in->high == NULL || !in->high->negative) {
        const bool low = in->low != NULL && !in->low->negative;
        if (!(in->high != NULL && in->high_open && lf_decimal_is_zero(in->high))) {
            out = magnitudes(rx, low ? in->low : NULL, low && in->low_open, in->high, in->high_open,
                             &f);
        }
    }
    if (in->low == NULL || in->low->negative) {
        /* Negative numbers, from the magnitude of the upper bound (0 is excluded there). */
        static const lf_decimal zero = {.digits = ""};
        const bool high = in->high != NULL && in->high->negative;
        lf_decimal near = high ? *in->high : zero;
        const bool with_zero =
            in->high == NULL || (!high && !(lf_decimal_is_zero(in->high) && in->high_open));
        lf_rx below =
            magnitudes(rx, &near, high ? in->high_open : !with_zero, in->low, in->low_open, &f);
        out = lf_rx_alt(rx, out, lf_rx_concat(rx, lf_rx_text(rx, "-", 1), below));
    }
    return out;
}
