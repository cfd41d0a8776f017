/* SPDX-License-Identifier: Apache-2.0 */
/* Encoding of Q2_K: 16 groups of 16 values, each with a scale and a minimum of 4 bits.
 *
 * The search is that of Q4_K (encode_k.c) with another error: the sum of absolute errors, each
 * weighted by the magnitude of its value. Four groups are searched at once, one in each vector
 * lane. */
#include "quant/encode.h"

#include "quant/block.h"
#include "quant/lanes.h"
#include "quant/numbers.h"

#include <float.h>

enum {
    GROUP = 16,
    GROUPS = LF_SUPER_BLOCK / GROUP,
    LANES = 4,
    TOP = 3,   /* largest quant */
    STEPS = 16 /* step s divides the range of the values into 2.5 + s / 10 intervals */
};

/* A value is scale * quant - min. The quants of the best grid are round(inverse * (value - low)).
 */
typedef struct fit {
    float scale, min;
    float inverse, low;
} fit;

/* Four groups, one in each lane. */
typedef struct lanes {
    f4 x[GROUP];
    f4 quants[GROUP]; /* of the grid being tried */
    f4 sum_w, sum_wx; /* the weight of a value is its magnitude */
    f4 low, high;
} lanes;

static void gather(const float *src, lanes *v)
{
    v->sum_w = v->sum_wx = all(0.0f);
    v->low = v->high = (f4){src[0], src[GROUP], src[2 * GROUP], src[3 * GROUP]};
    for (int i = 0; i < GROUP; i++, src++) {
        f4 x = {src[0], src[GROUP], src[2 * GROUP], src[3 * GROUP]};
        v->x[i] = x;
        v->sum_w += magnitudes(x);
        v->sum_wx += magnitudes(x) * x;
        v->low = choose((i4)(x < v->low), x, v->low);
        v->high = choose((i4)(x > v->high), x, v->high);
    }
    /* minima are stored without a sign */
    v->low = choose((i4)(v->low > all(0.0f)), all(0.0f), v->low);
}

/* Quants per unit of a grid of n quants over the range; 0 where that overflows. */
static f4 grid_inverse(f4 range, float n)
{
    f4 inverse = all(n) / range;
    return choose((i4)(magnitudes(inverse) <= all(FLT_MAX)), inverse, all(0.0f));
}

/* Sums over the quants l of a grid. */
typedef struct sums {
    f4 wl, wll, wlx;
} sums;

static sums grid_quants(lanes *v, f4 inverse)
{
    sums s = {all(0.0f), all(0.0f), all(0.0f)};
    for (int i = 0; i < GROUP; i++) {
        f4 l = float_lanes(round_lanes(inverse * (v->x[i] - v->low), 0, TOP));
        f4 wl = magnitudes(v->x[i]) * l;
        s.wl += wl;
        s.wll += wl * l;
        s.wlx += wl * v->x[i];
        v->quants[i] = l;
    }
    return s;
}

/* Weighted error of the quants on the line scale * quant + min. */
static f4 line_error(const lanes *v, f4 scale, f4 min)
{
    f4 error = all(0.0f);
    for (int i = 0; i < GROUP; i++) {
        error += magnitudes(v->x[i]) * magnitudes(scale * v->quants[i] + min - v->x[i]);
    }
    return error;
}

/* The grid that just covers the range, or the one of the search whose least-squares line has the
 * smallest error. A better line's minimum is where the grids after it begin. */
static void fit_lanes(const float *src, fit *fits)
{
    lanes v;
    gather(src, &v);
    f4 zero = all(0.0f);
    f4 range = v.high - v.low;
    f4 scale = all(1.0f) / (all((float)TOP) / range); /* 0 where all values are equal */
    f4 inverse = grid_inverse(range, (float)TOP);
    f4 best_low = v.low;
    f4 best_inverse = inverse;
    grid_quants(&v, inverse);
    f4 best = line_error(&v, scale, v.low);
    for (int step = 0; step < STEPS; step++) {
        inverse = grid_inverse(v.high - v.low, -0.5f + 0.1f * (float)step + (float)TOP);
        sums l = grid_quants(&v, inverse);
        f4 det = v.sum_w * l.wll - l.wl * l.wl;
        f4 slope = (v.sum_w * l.wlx - v.sum_wx * l.wl) / det;
        f4 min = (l.wll * v.sum_wx - l.wl * l.wlx) / det;
        i4 positive = (i4)(min > zero);
        slope = choose(positive, l.wlx / l.wll, slope);
        min = choose(positive, zero, min);
        f4 error = line_error(&v, slope, min);
        i4 better = (i4)(det > zero) & (i4)(error < best);
        best = choose(better, error, best);
        best_inverse = choose(better, inverse, best_inverse);
        best_low = choose(better, v.low, best_low);
        scale = choose(better, slope, scale);
        v.low = choose(better, min, v.low);
    }
    for (int j = 0; j < LANES; j++) {
        fits[j] = (fit){scale[j], -v.low[j], best_inverse[j], best_low[j]};
    }
}

static uint8_t code2(float v)
{
    int l = lf_round_even(v);
    l = l > 0 ? l : 0;
    return (uint8_t)(l < TOP ? l : TOP);
}

void lf_pack_two_bits(const uint8_t *quants, uint8_t *dst)
{
    for (int half = 0; half < 2; half++, quants += LF_SUPER_BLOCK / 2, dst += 32) {
        for (int j = 0; j < 32; j++) {
            dst[j] = (uint8_t)(quants[j] | quants[j + 32] << 2 | quants[j + 64] << 4 |
                               quants[j + 96] << 6);
        }
    }
}

/* Writes the scales, d and dmin of a block. */
static void put_scales(const fit *fits, uint8_t *dst)
{
    float scale = 0.0f;
    float min = 0.0f;
    for (int g = 0; g < GROUPS; g++) {
        scale = fits[g].scale > scale ? fits[g].scale : scale;
        min = fits[g].min > min ? fits[g].min : min;
    }
    float inverse_scale = scale > 0.0f ? 15.0f / scale : 0.0f;
    float inverse_min = min > 0.0f ? 15.0f / min : 0.0f;
    for (int g = 0; g < GROUPS; g++) {
        int s = lf_round_even(inverse_scale * fits[g].scale);
        int m = lf_round_even(inverse_min * fits[g].min);
        dst[g] = (uint8_t)((unsigned)s | (unsigned)m << 4);
    }
    lf_block_put_u16(dst + 80, lf_f32_to_f16(scale / 15.0f));
    lf_block_put_u16(dst + 82, lf_f32_to_f16(min / 15.0f));
}

void lf_encode_q2_k(const float *src, uint8_t *dst, size_t blocks)
{
    for (size_t b = 0; b < blocks; b++, src += LF_SUPER_BLOCK, dst += LF_Q2_K_BYTES) {
        fit fits[GROUPS];
        uint8_t quants[LF_SUPER_BLOCK];
        for (int g = 0; g < GROUPS; g += LANES) {
            fit_lanes(src + g * GROUP, fits + g);
        }
        put_scales(fits, dst);
        float d = lf_f16_value(lf_block_u16(dst + 80));
        float dmin = lf_f16_value(lf_block_u16(dst + 82));
        /* the quants for the scales and minima as they are stored */
        for (int i = 0; i < LF_SUPER_BLOCK; i++) {
            const fit *f = &fits[i / GROUP];
            float scale = d * (float)(dst[i / GROUP] & 15);
            float min = dmin * (float)(dst[i / GROUP] >> 4);
            quants[i] =
                code2(scale != 0.0f ? (src[i] + min) / scale : f->inverse * (src[i] - f->low));
        }
        lf_pack_two_bits(quants, dst + 16);
    }
}
