/* SPDX-License-Identifier: Apache-2.0 */
/* Private to src/quant: the searches for the scale and the minimum of a group of values that
 * several encoders share. */
#ifndef LF_QUANT_ENCODE_FIT_H
#define LF_QUANT_ENCODE_FIT_H

#include "quant/numbers.h"

#include <stdbool.h>
#include <stddef.h>

enum {
    LF_FIT_GROUPS = 4, /* searched together */
    LF_FIT_VALUES = 32 /* of a group, at most */
};

typedef struct lf_search {
    int size;  /* values of a group */
    int top;   /* largest quant */
    int steps; /* step s divides the range of the values into top + first + s * step intervals */
    float first, step;
    /* true: the sum of absolute errors, each weighted by the magnitude of its value. false: of
     * squared errors, each weighted by the magnitude plus the root mean square of the group. With
     * weights from the caller: of squared errors. */
    bool absolute;
} lf_search;

/* A value is scale * quant - min. */
typedef struct lf_fit {
    float scale, min;
    float inverse, low; /* the quants of the search are round(inverse * (value - low)) */
} lf_fit;

/* Fits LF_FIT_GROUPS adjacent groups. `weights`: of the errors; NULL: those of `s`. */
void lf_fit_groups(const float *src, const float *weights, const lf_search *s, lf_fit *fits);

/* The scale of n values (a multiple of 8) with quants -top..top - 1: of 19 candidates around
 * largest / -top, the one whose least-squares scale has the smallest weighted squared error.
 * `quants` receives quant + top; zeros if all values are (nearly) 0. */
float lf_fit_symmetric(const float *x, const float *weights, int n, int top, uint8_t *quants);

/* The same for values that are not negative, with codes 0..top, which are then improved one after
 * the other in up to five rounds. */
float lf_fit_codes(const float *x, const float *weights, int n, int top, uint8_t *codes);

/* Mean of the squares; each sum follows the order of x. */
float lf_mean_square(const float *x, size_t n);

/* The weights that llama.cpp gives to errors with an importance matrix: importance * sqrt(variance
 * + x^2). Returns their sum. */
float lf_error_weights(const float *x, const float *importance, float variance, int n,
                       float *weights);

/* The quant of a value for the scale and the minimum as they are stored, or that of the search if
 * the scale is 0: 0..top. NaN and values far outside give an arbitrary quant. */
static inline uint8_t lf_fit_quant(const lf_fit *fit, float value, float scale, float min, int top)
{
    int l =
        lf_round_even(scale != 0.0f ? (value + min) / scale : fit->inverse * (value - fit->low));
    l = l > 0 ? l : 0;
    return (uint8_t)(l < top ? l : top);
}

#endif /* LF_QUANT_ENCODE_FIT_H */
