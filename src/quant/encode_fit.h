/* SPDX-License-Identifier: Apache-2.0 */
/* Private to src/quant: the search for the scale and the minimum of a group of values, which the
 * encoders of Q2_K, Q4_K and Q5_K share. */
#ifndef LF_QUANT_ENCODE_FIT_H
#define LF_QUANT_ENCODE_FIT_H

#include "quant/numbers.h"

#include <stdbool.h>

enum {
    LF_FIT_GROUPS = 4, /* searched together */
    LF_FIT_VALUES = 32 /* of a group, at most */
};

typedef struct lf_search {
    int size;  /* values of a group */
    int top;   /* largest quant */
    int steps; /* step s divides the range of the values into top + first + s / 10 intervals */
    float first;
    /* true: the sum of absolute errors, each weighted by the magnitude of its value. false: of
     * squared errors, each weighted by the magnitude plus the root mean square of the group. */
    bool absolute;
} lf_search;

/* A value is scale * quant - min. */
typedef struct lf_fit {
    float scale, min;
    float inverse, low; /* the quants of the search are round(inverse * (value - low)) */
} lf_fit;

/* Fits LF_FIT_GROUPS adjacent groups. */
void lf_fit_groups(const float *src, const lf_search *s, lf_fit *fits);

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
