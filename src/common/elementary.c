/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Implements exp, log, pow, sine and cosine with a fixed order of operations.
 *
 * The polynomials are Taylor series; their coefficients are written as fractions. Arguments are
 * reduced by the methods of Cody and Waite (exp, log) and of Payne and Hanek (angles). Sums and
 * products of two doubles follow Knuth, Dekker and Veltkamp. tests/golden/make_elementary.py prints
 * the other constants. In the error bounds u is 2^-53, half a unit in the last place of 1.
 */
#include "common/elementary.h"

#include <math.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

/* ---- Double-double arithmetic ---- */

/* The number hi + lo, where lo is the rounding error of hi. */
typedef struct two {
    double hi, lo;
} two;

static double from_bits(uint64_t bits)
{
    double x;
    memcpy(&x, &bits, sizeof x);
    return x;
}

static uint64_t to_bits(double x)
{
    uint64_t bits;
    memcpy(&bits, &x, sizeof bits);
    return bits;
}

/* a + b exactly; |a| >= |b|, or a is 0. */
static two sum_ordered(double a, double b)
{
    double hi = a + b;
    return (two){hi, b - (hi - a)};
}

/* a + b exactly. */
static two sum(double a, double b)
{
    double hi = a + b;
    double rest = hi - a;
    return (two){hi, (a - (hi - rest)) + (b - rest)};
}

/* The upper 26 bits of a, and the rest. */
static two split(double a)
{
    double c = 0x1.000002p+27 * a; /* 2^27 + 1 */
    double hi = c - (c - a);
    return (two){hi, a - hi};
}

/* a * b exactly, for magnitudes from 2^-480 to 2^480. */
static two product(double a, double b)
{
    two x = split(a);
    two y = split(b);
    double hi = a * b;
    return (two){hi, ((x.hi * y.hi - hi) + x.hi * y.lo + x.lo * y.hi) + x.lo * y.lo};
}

/* hi + lo as a float, rounded once. The sum is first rounded to odd in double: if it is inexact,
 * its last bit becomes 1, so it is never halfway between two floats (Boldo and Melquiond). */
static float to_float(two x)
{
    uint64_t bits = to_bits(x.hi);
    uint64_t even = ~bits & 1u;
    if (x.lo != 0) {
        bits += (x.lo > 0) == (x.hi > 0) ? even : 0 - even;
    }
    return (float)from_bits(bits);
}

/* c[0] + z * (c[1] + z * (...)) */
static inline double polynomial(size_t n, const double *c, double z)
{
    double p = c[n - 1];
    for (size_t i = n - 1; i-- > 0;) {
        p = c[i] + z * p;
    }
    return p;
}

/* ---- exp ---- */

enum { EXP_STEPS = 32 };

/* 2^(i / 32) */
static const two exp_table[EXP_STEPS] = {
    {0x1.0000000000000p+0, 0x0.0p+0},
    {0x1.059b0d3158574p+0, 0x1.d73e2a475b465p-55},
    {0x1.0b5586cf9890fp+0, 0x1.8a62e4adc610bp-54},
    {0x1.11301d0125b51p+0, -0x1.6c51039449b3ap-54},
    {0x1.172b83c7d517bp+0, -0x1.19041b9d78a76p-55},
    {0x1.1d4873168b9aap+0, 0x1.e016e00a2643cp-54},
    {0x1.2387a6e756238p+0, 0x1.9b07eb6c70573p-54},
    {0x1.29e9df51fdee1p+0, 0x1.612e8afad1255p-55},
    {0x1.306fe0a31b715p+0, 0x1.6f46ad23182e4p-55},
    {0x1.371a7373aa9cbp+0, -0x1.63aeabf42eae2p-54},
    {0x1.3dea64c123422p+0, 0x1.ada0911f09ebcp-55},
    {0x1.44e086061892dp+0, 0x1.89b7a04ef80d0p-59},
    {0x1.4bfdad5362a27p+0, 0x1.d4397afec42e2p-56},
    {0x1.5342b569d4f82p+0, -0x1.07abe1db13cadp-55},
    {0x1.5ab07dd485429p+0, 0x1.6324c054647adp-54},
    {0x1.6247eb03a5585p+0, -0x1.383c17e40b497p-54},
    {0x1.6a09e667f3bcdp+0, -0x1.bdd3413b26456p-54},
    {0x1.71f75e8ec5f74p+0, -0x1.16e4786887a99p-55},
    {0x1.7a11473eb0187p+0, -0x1.41577ee04992fp-55},
    {0x1.82589994cce13p+0, -0x1.d4c1dd41532d8p-54},
    {0x1.8ace5422aa0dbp+0, 0x1.6e9f156864b27p-54},
    {0x1.93737b0cdc5e5p+0, -0x1.75fc781b57ebcp-57},
    {0x1.9c49182a3f090p+0, 0x1.c7c46b071f2bep-56},
    {0x1.a5503b23e255dp+0, -0x1.d2f6edb8d41e1p-54},
    {0x1.ae89f995ad3adp+0, 0x1.7a1cd345dcc81p-54},
    {0x1.b7f76f2fb5e47p+0, -0x1.5584f7e54ac3bp-56},
    {0x1.c199bdd85529cp+0, 0x1.11065895048ddp-55},
    {0x1.cb720dcef9069p+0, 0x1.503cbd1e949dbp-56},
    {0x1.d5818dcfba487p+0, 0x1.2ed02d75b3707p-55},
    {0x1.dfc97337b9b5fp+0, -0x1.1a5cd4f184b5cp-54},
    {0x1.ea4afa2a490dap+0, -0x1.e9c23179c2893p-54},
    {0x1.f50765b6e4540p+0, 0x1.9d3e12dd8a18bp-54},
};

#define EXP_HIGH    709.79               /* infinity above */
#define EXP_LOW     -745.14              /* 0 below */
#define EXP_INVERSE 0x1.71547652b82fep+5 /* 32 / ln 2 */
/* ln 2 / 32. The upper section has 36 bits: its products with n below 2^16 are exact. */
#define EXP_STEP_HI 0x1.62e42fefa0000p-6
#define EXP_STEP_LO 0x1.cf79abc9e3b3ap-45
#define TO_INTEGER  0x1.8p52 /* adding and subtracting it rounds to the nearest integer */

static double power_of_two(int exponent)
{
    return from_bits((uint64_t)(exponent + 1023) << 52);
}

/* e^(hi + lo), where |lo| is at most a few u * |hi|.
 * n = 32 k + i is the integer nearest to hi * 32 / ln 2, and r the remainder, |r| < 0.01084:
 * e^x = 2^k * 2^(i / 32) * e^r. Errors: the polynomial omits r^7 / 5040 < 0.032 u; rounding r adds
 * 0.008 u, rounding p 0.011 u, the product with the table entry and the addition to it 0.022 u.
 * With the last addition the sum is less than 0.58 units in the last place. */
static double exp_of(double hi, double lo)
{
    static const double c[] = {1.0 / 2, 1.0 / 6, 1.0 / 24, 1.0 / 120, 1.0 / 720};
    if (!(hi <= EXP_HIGH)) {
        return hi > EXP_HIGH ? (double)INFINITY : hi;
    }
    if (hi < EXP_LOW) {
        return 0;
    }
    double n = hi * EXP_INVERSE + TO_INTEGER - TO_INTEGER;
    double r = (hi - n * EXP_STEP_HI) - (n * EXP_STEP_LO - lo);
    double p = r + r * r * polynomial(sizeof c / sizeof *c, c, r);
    int integer = (int)n;
    int i = (int)((unsigned)integer % EXP_STEPS);
    int k = (integer - i) / EXP_STEPS;
    two t = exp_table[i];
    /* 2^k as two factors: k may exceed the range of exponents, and only the second may round. */
    return (t.hi + (t.lo + t.hi * p)) * power_of_two(k / 2) * power_of_two(k - k / 2);
}

double lf_exp_f64(double x)
{
    return exp_of(x, 0);
}

/* ---- log ---- */

#define SQRT_2 0x1.6a09e667f3bcdp+0
/* ln 2. The upper section has 42 bits: its products with exponents are exact. */
#define LOG_2_HI   0x1.62e42fefa3800p-1
#define LOG_2_LO   0x1.ef35793c76730p-45
#define MIN_NORMAL 0x1p-1022

/* The logarithm of a finite x > 0.
 * x = 2^k * m with m from sqrt(1/2) to sqrt(2), and log m = 2 atanh(s), s = (m - 1) / (m + 1),
 * |s| < 0.1716. Errors: the series up to s^23 omits 2^-65 of s; s_lo makes s exact to u^2; q is at
 * most 0.0099 with a relative error of 7 u, including its product with s; lo, at most 0.0034, is
 * rounded three times. The sum is 0.034 u. It matters most where the result is just above 0.3466
 * and u is two units in its last place: 0.57 of them, including the rounding of hi. */
static two log_of(double x)
{
    static const double c[] = {1.0 / 3,  1.0 / 5,  1.0 / 7,  1.0 / 9,  1.0 / 11, 1.0 / 13,
                               1.0 / 15, 1.0 / 17, 1.0 / 19, 1.0 / 21, 1.0 / 23};
    int k = -1023;
    if (x < MIN_NORMAL) {
        x *= 0x1p54;
        k -= 54;
    }
    uint64_t bits = to_bits(x);
    k += (int)(bits >> 52);
    double m = from_bits((bits & 0xFFFFFFFFFFFFFu) | 0x3FF0000000000000u);
    if (m > SQRT_2) {
        m *= 0.5;
        k++;
    }
    double f = m - 1; /* exact */
    two d = sum(m, 1);
    double s = f / d.hi;
    two back = product(s, d.hi);
    double s_lo = (((f - back.hi) - back.lo) - s * d.lo) / d.hi;
    double z = s * s;
    double q = z * polynomial(sizeof c / sizeof *c, c, z);
    two t = sum_ordered(k * LOG_2_HI, 2 * s);
    return sum_ordered(t.hi, t.lo + (k * LOG_2_LO + 2 * (s_lo + s * q)));
}

double lf_log_f64(double x)
{
    if (!(x > 0)) {
        return x == 0 ? (double)-INFINITY : (double)NAN;
    }
    return x == (double)INFINITY ? x : log_of(x).hi;
}

/* ---- pow ---- */

/* e^(y log x). The error of the exponent is that of the logarithm, 0.034 u, times |y|. */
double lf_pow_f64(double x, double y)
{
    if (!(x > 0 && x < (double)INFINITY && y - y == 0)) {
        return (double)NAN;
    }
    two l = log_of(x);
    double hi = y * l.hi;
    /* If it overflows, or is too small for an exact product, hi alone determines the result. */
    if (!(fabs(hi) < 1024) || fabs(hi) < 0x1p-60) {
        return exp_of(hi, 0);
    }
    two p = product(y, l.hi);
    return exp_of(p.hi, p.lo + y * l.lo);
}

/* ---- Sine and cosine ---- */

/* pi / 2 */
#define RIGHT_HI 0x1.921fb54442d18p+0
#define RIGHT_LO 0x1.1a62633145c07p-54
#define EIGHTH   0x1.921fb4p-1f /* the largest f32 below pi / 4 */

/* The bits of 2 / pi, after 32 zeros. */
static const uint32_t two_over_pi[] = {0,          0xA2F9836E, 0x4E441529, 0xFC2757D1, 0xF534DDC0,
                                       0xDB629599, 0x3C439041, 0xFE5163AB, 0xDEBBC561};

/* 32 bits of 2 / pi, starting at bit `at` of the table. */
static uint64_t bits_at(unsigned at)
{
    uint64_t pair = (uint64_t)two_over_pi[at / 32] << 32 | two_over_pi[at / 32 + 1];
    return pair >> (32 - at % 32) & 0xFFFFFFFFu;
}

/* Subtracts right angles from a finite angle above EIGHTH. Returns the remainder, from -pi / 4 to
 * pi / 4, and the number of right angles modulo 4.
 * angle = m * 2^e with an integer m of 24 bits. Bits of 2 / pi do not matter if their product with
 * m * 2^e is a multiple of 4. The next 128 bits give the product modulo 4 to 2^-102, of which the
 * bits down to 2^-94 are used. No f32 is closer than 2^-30 right angles to a multiple of a right
 * angle, so the relative error of the remainder is below 2^-64. */
static two reduce(float angle, unsigned *quadrant)
{
    uint32_t bits;
    memcpy(&bits, &angle, sizeof bits);
    uint64_t m = (bits & 0x7FFFFFu) | 0x800000u;
    unsigned at = (bits >> 23) - 120; /* e + 30: the first bit's product is a multiple of 2 */
    uint64_t word[4];
    uint64_t carry = 0;
    for (unsigned i = 4; i-- > 0;) {
        carry += m * bits_at(at + 32 * i);
        word[i] = carry & 0xFFFFFFFFu;
        carry >>= 32;
    }
    uint64_t upper = word[0] << 32 | word[1]; /* units of 2^-62 right angles */
    uint64_t lower = word[2] << 32 | word[3];
    *quadrant = (unsigned)((upper + (1ull << 61)) >> 62 & 3u);
    upper -= (uint64_t)*quadrant << 62;
    bool negative = upper >> 63 != 0;
    if (negative) {
        upper = ~upper; /* an error of 2^-126, less than what is omitted */
        lower = ~lower;
    }
    /* Sections of 32 bits are exact as doubles. */
    two tail =
        sum_ordered((double)(upper & 0xFFFFFFFFu) * 0x1p-62, (double)(lower >> 32) * 0x1p-94);
    two f = sum_ordered((double)(upper >> 32) * 0x1p-30, tail.hi);
    f = sum_ordered(f.hi, f.lo + tail.lo);
    two r = product(f.hi, RIGHT_HI);
    r.lo += f.hi * RIGHT_LO + f.lo * RIGHT_HI;
    return negative ? (two){-r.hi, -r.lo} : r;
}

/* Sine of hi + lo, at most pi / 4. The series omits hi^19 / 19! < 2^-62.8 of the sine. */
static two sine_of(two x)
{
    static const double c[] = {
        -1.0 / 6,        1.0 / 120,        -1.0 / 5040,          1.0 / 362880,
        -1.0 / 39916800, 1.0 / 6227020800, -1.0 / 1307674368000, 1.0 / 355687428096000};
    double z = x.hi * x.hi;
    double cube = x.hi * (z * polynomial(sizeof c / sizeof *c, c, z));
    return sum_ordered(x.hi, cube + x.lo * (1 - 0.5 * z));
}

/* Cosine of hi + lo, at most pi / 4. The series omits hi^18 / 18! < 2^-58 of the cosine. */
static two cosine_of(two x)
{
    static const double c[] = {
        1.0 / 24,        -1.0 / 720,         1.0 / 40320,         -1.0 / 3628800,
        1.0 / 479001600, -1.0 / 87178291200, 1.0 / 20922789888000};
    two z = product(x.hi, x.hi);
    two top = sum_ordered(1, -0.5 * z.hi);
    double rest = z.hi * z.hi * polynomial(sizeof c / sizeof *c, c, z.hi);
    return sum_ordered(top.hi, top.lo + (rest - (0.5 * z.lo + x.hi * x.lo)));
}

void lf_sincos_f32(float angle, float *sine, float *cosine)
{
    float size = fabsf(angle);
    if (!(size < INFINITY)) {
        *sine = *cosine = NAN;
        return;
    }
    unsigned quadrant = 0;
    two x = size > EIGHTH ? reduce(size, &quadrant) : (two){(double)size, 0};
    float s = to_float(sine_of(x));
    float c = to_float(cosine_of(x));
    float turned_s = quadrant % 2 == 0 ? s : c;
    float turned_c = quadrant % 2 == 0 ? c : s;
    turned_s = quadrant >= 2 ? -turned_s : turned_s;
    *sine = signbit(angle) ? -turned_s : turned_s;
    *cosine = quadrant == 1 || quadrant == 2 ? -turned_c : turned_c;
}
