/* SPDX-License-Identifier: Apache-2.0 */
/*
 * exp, log, pow, sine and cosine, for everything that reaches a logit, a probability or a choice.
 * C libraries differ in the last bit of these functions. Here each result is one sequence of IEEE
 * 754 additions, subtractions, multiplications, divisions and conversions, so it has the same bits
 * with every C library and on every CPU. That holds in the default rounding mode, without flushing
 * of subnormals, and with -ffp-contract=off.
 *
 * All are pure functions: any thread may call them, and they cannot fail. Errors are bounds in
 * units in the last place of the result; tests/unit/test_elementary.c holds them against exact
 * values.
 */
#ifndef LF_COMMON_ELEMENTARY_H
#define LF_COMMON_ELEMENTARY_H

/* e^x for every x, within 0.58; within 1 where the result is subnormal. Infinity and 0 as limits;
 * NaN for NaN; exactly 1 for 0. */
double lf_exp_f64(double x);

/* The natural logarithm for every x > 0, within 0.57; exactly 0 for 1, -infinity for 0. NaN for
 * negative numbers and NaN. */
double lf_log_f64(double x);

/* x^y for finite x > 0 and finite y, within 0.58 + 0.034 |y|, and within 1 + 0.034 |y| where the
 * result is subnormal; NaN otherwise. */
double lf_pow_f64(double x, double y);

/* Sine and cosine of an f32 angle in radians. Both are the f32 nearest to the exact value for every
 * finite angle, and NaN otherwise. The sine of -0 is -0. */
void lf_sincos_f32(float angle, float *sine, float *cosine);

#endif /* LF_COMMON_ELEMENTARY_H */
