/* SPDX-License-Identifier: Apache-2.0 */
/* Scales without a minimum: the search over 19 scales that Q6_K uses, and with an importance matrix
 * Q3_K, Q4_0 and Q5_0 too. */
#include "quant/encode_fit.h"

enum {
    STEPS = 9,                 /* candidates on either side of the initial one */
    CANDIDATES = 2 * STEPS + 2 /* the initial one comes first and again in the middle */
};

static const float zero_below = 1e-15f; /* smaller groups are stored as zeros */

/* Quant -top..top - 1 of a value divided by its scale. The limits are applied to integers because
 * compilers do not vectorize comparisons of floats. */
static int quant_of(float v, int top)
{
    int l = lf_round_even(v);
    l = l > -top ? l : -top;
    return l < top - 1 ? l : top - 1;
}

/* For each candidate inverse scale: the sums of w*x*l and w*l*l over its quants l. The candidates
 * are independent; each sum follows the order of x. */
static void weighted_sums(const float *restrict x, const float *restrict weights, int n, int top,
                          const float *restrict inverse, float *restrict xl, float *restrict ll)
{
    for (int i = 0; i < n; i++) {
        float w = weights[i];
        float wx = w * x[i];
        for (int c = 0; c < CANDIDATES; c++) {
            float l = (float)quant_of(inverse[c] * x[i], top);
            xl[c] += wx * l;
            ll[c] += w * l * l;
        }
    }
}

float lf_fit_symmetric(const float *x, const float *weights, int n, int top, uint8_t *quants)
{
    float largest = lf_extreme(x, n);
    if (lf_magnitude(largest) < zero_below) {
        memset(quants, 0, (size_t)n);
        return 0.0f;
    }
    float inverse[CANDIDATES];
    float xl[CANDIDATES] = {0.0f};
    float ll[CANDIDATES] = {0.0f};
    inverse[0] = -(float)top / largest;
    for (int step = -STEPS; step <= STEPS; step++) {
        inverse[step + STEPS + 1] = -((float)top + 0.1f * (float)step) / largest;
    }
    weighted_sums(x, weights, n, top, inverse, xl, ll);
    int chosen = 0;
    float scale = ll[0] != 0.0f ? xl[0] / ll[0] : 0.0f;
    float best = scale * xl[0];
    for (int c = 1; c < CANDIDATES; c++) {
        if (c != STEPS + 1 && ll[c] > 0.0f && xl[c] * xl[c] > best * ll[c]) {
            chosen = c;
            scale = xl[c] / ll[c];
            best = scale * xl[c];
        }
    }
    for (int i = 0; i < n; i++) {
        quants[i] = (uint8_t)(quant_of(inverse[chosen] * x[i], top) + top);
    }
    return scale;
}
