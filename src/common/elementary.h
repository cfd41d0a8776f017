/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Declares exp, log, pow, sine and cosine for every value that affects a logit, a probability or a
 * sampled token. C libraries differ in the last bit of these functions. Here each function is a
 * fixed sequence of IEEE 754 additions, subtractions, multiplications, divisions and conversions:
 * it has the same bits with every C library and on every CPU. This requires the default rounding
 * mode, no flushing of subnormals, and -ffp-contract=off.
 *
 * The functions are pure and cannot fail; any thread may call them. Error bounds are in units in
 * the last place of the result; tests/unit/test_elementary.c compares with exact values.
 */
#ifndef LF_COMMON_ELEMENTARY_H
#define LF_COMMON_ELEMENTARY_H

/* e^x for every x, within 0.58; within 1 if the result is subnormal. Overflow gives infinity,
 * underflow 0, NaN gives NaN. Exactly 1 for 0. */
double lf_exp_f64(double x);

/* The natural logarithm of every x > 0, within 0.57. Exactly 0 for 1; -infinity for 0; NaN for
 * negative numbers and NaN. */
double lf_log_f64(double x);

/* x^y for finite x > 0 and finite y, within 0.58 + 0.034 |y|; within 1 + 0.034 |y| if the result is
 * subnormal. NaN for other arguments. */
double lf_pow_f64(double x, double y);

/* Sine and cosine of an f32 angle in radians. Each is the f32 nearest to the exact value for every
 * finite angle; NaN for other angles. The sine of -0 is -0. */
void lf_sincos_f32(float angle, float *sine, float *cosine);

#endif /* LF_COMMON_ELEMENTARY_H */
