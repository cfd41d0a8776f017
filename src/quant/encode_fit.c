/* SPDX-License-Identifier: Apache-2.0 */
/* The search for the scale and the minimum of a group of values.
 *
 * The bytes must equal the reference encoder's, so every sum follows the order of the values and
 * the grids are tried in its order (a better grid shifts the next ones). For speed, four groups are
 * searched at once, one in each vector lane. */
#include "quant/encode_fit.h"

#include "quant/lanes.h"

#include <float.h>

/* Four groups, one in each lane. */
typedef struct lanes {
    int size;                 /* values of a group */
    f4 x[LF_FIT_VALUES];      /* value */
    f4 weight[LF_FIT_VALUES]; /* of its error */
    f4 quants[LF_FIT_VALUES]; /* of the current grid */
    f4 sum_w, sum_wx;
    f4 low, high;
} lanes;

/* Sums over the quants l of a grid. */
typedef struct sums {
    f4 wl, wll, wlx;
} sums;

/* The root mean square of each group. */
static f4 root_mean_squares(const lanes *v)
{
    f4 squares = all(0.0f);
    for (int i = 0; i < v->size; i++) {
        squares += v->x[i] * v->x[i];
    }
    f4 mean = squares / all((float)v->size);
    return (f4){__builtin_sqrtf(mean[0]), __builtin_sqrtf(mean[1]), __builtin_sqrtf(mean[2]),
                __builtin_sqrtf(mean[3])};
}

/* Loads four groups and their weights. */
static void gather(const float *src, const float *weights, const lf_search *s, lanes *v)
{
    int n = s->size;
    v->size = n;
    for (int i = 0; i < n; i++) {
        const float *x = src + i;
        v->x[i] = (f4){x[0], x[n], x[2 * n], x[3 * n]};
    }
    f4 mean = s->absolute || weights != NULL ? all(0.0f) : root_mean_squares(v);
    v->sum_w = v->sum_wx = all(0.0f);
    v->low = v->high = (f4){src[0], src[n], src[2 * n], src[3 * n]};
    for (int i = 0; i < n; i++) {
        f4 x = v->x[i];
        if (weights != NULL) {
            const float *w = weights + i;
            v->weight[i] = (f4){w[0], w[n], w[2 * n], w[3 * n]};
        } else {
            v->weight[i] = mean + magnitudes(x);
        }
        v->sum_w += v->weight[i];
        v->sum_wx += v->weight[i] * x;
        v->low = choose((i4)(x < v->low), x, v->low);
        v->high = choose((i4)(x > v->high), x, v->high);
    }
    /* The format stores -min as an unsigned number: min <= 0. */
    v->low = choose((i4)(v->low > all(0.0f)), all(0.0f), v->low);
}

/* Quants per unit when n intervals cover the range. If the range is so small that this overflows,
 * all quants are 0. */
static f4 grid_inverse(const lanes *v, float n)
{
    f4 inverse = all(n) / (v->high - v->low);
    return choose((i4)(magnitudes(inverse) <= all(FLT_MAX)), inverse, all(0.0f));
}

/* Sets the quants of a grid and returns their sums. Values below the grid get 0. Values above it
 * get top + 1 at most, which is corrected to top. Adding 1.5 * 2^23 rounds to even and leaves the
 * quant in the low bits. */
static sums grid_quants(lanes *v, f4 inverse, int top)
{
    const f4 magic = all(12582912.0f);
    const f4 last = all(12582912.0f + (float)top);
    f4 low = v->low;
    sums s = {all(0.0f), all(0.0f), all(0.0f)};
    for (int i = 0; i < v->size; i++) {
        f4 above = v->x[i] - low;
        above = (f4)((i4)above & ~((i4)above >> 31));
        i4 bits = (i4)(inverse * above + magic);
        bits += bits > (i4)last;
        f4 l = (f4)bits - magic;
        f4 wl = v->weight[i] * l;
        s.wl += wl;
        s.wll += wl * l;
        s.wlx += wl * v->x[i];
        v->quants[i] = l;
    }
    return s;
}

/* Weighted error of the quants on the line scale * quant + min. */
static f4 line_error(const lanes *v, bool absolute, f4 scale, f4 min)
{
    f4 error = all(0.0f);
    if (absolute) {
        for (int i = 0; i < v->size; i++) {
            error += v->weight[i] * magnitudes(scale * v->quants[i] + min - v->x[i]);
        }
        return error;
    }
    for (int i = 0; i < v->size; i++) {
        f4 miss = scale * v->quants[i] + min - v->x[i];
        error += v->weight[i] * (miss * miss);
    }
    return error;
}

/* Tries the grid that exactly covers the range, then those of the search, each with its
 * least-squares line, and keeps the line with the smallest error. */
void lf_fit_groups(const float *src, const float *weights, const lf_search *s, lf_fit *fits)
{
    lanes v;
    gather(src, weights, s, &v);
    f4 zero = all(0.0f);
    f4 scale = all(1.0f) / (all((float)s->top) / (v.high - v.low));
    f4 inverse = grid_inverse(&v, (float)s->top);
    f4 best_low = v.low; /* of the grid with the best line */
    f4 best_inverse = inverse;
    grid_quants(&v, inverse, s->top);
    f4 best = line_error(&v, s->absolute, scale,
                         v.low); /* 0 if all values are equal: no grid is better */

    for (int step = 0; step < s->steps; step++) {
        inverse = grid_inverse(&v, s->first + s->step * (float)step + (float)s->top);
        sums l = grid_quants(&v, inverse, s->top);
        f4 det = v.sum_w * l.wll - l.wl * l.wl;
        f4 slope = (v.sum_w * l.wlx - v.sum_wx * l.wl) / det;
        f4 min = (l.wll * v.sum_wx - l.wl * l.wlx) / det;
        i4 positive = (i4)(min > zero);
        slope = choose(positive, l.wlx / l.wll, slope);
        min = choose(positive, zero, min);
        f4 error = line_error(&v, s->absolute, slope, min);
        i4 better = (i4)(det > zero) & (i4)(error < best);
        best = choose(better, error, best);
        best_inverse = choose(better, inverse, best_inverse);
        best_low = choose(better, v.low, best_low);
        scale = choose(better, slope, scale);
        v.low = choose(better, min, v.low); /* the next grids start here */
    }
    for (int j = 0; j < LF_FIT_GROUPS; j++) {
        fits[j] = (lf_fit){scale[j], -v.low[j], best_inverse[j], best_low[j]};
    }
}
