/* SPDX-License-Identifier: Apache-2.0 */
/* Encoding of Q4_K and Q5_K: eight sub-blocks of 32 values, each with a scale and a minimum. A
 * search over a few grids finds these; they are then rounded to 6 bits.
 *
 * The bytes must equal the reference encoder's, so every sum follows the order of the values and
 * the grids are tried in its order (a better grid shifts the next ones). For speed, four sub-blocks
 * are searched at once, one in each vector lane. The vectors are the compilers' portable ones: only
 * additions, multiplications and divisions, with the same results on every machine. */
#include "quant/encode.h"

#include "quant/block.h"
#include "quant/lanes.h"
#include "quant/numbers.h"

#include <float.h>
#include <math.h>

enum {
    SUBS = LF_SUPER_BLOCK / LF_BLOCK, /* sub-blocks of a block */
    LANES = 4,                        /* sub-blocks searched together */
    HEAD_BYTES = 16                   /* d, dmin, 12 bytes of 6-bit scales and minima */
};

/* Step s divides the range of the values into top + first + s / 10 intervals. */
typedef struct search {
    int top; /* largest quant */
    int steps;
    float first;
} search;

static const search search4 = {15, 21, -1.0f};
static const search search5 = {31, 16, -0.5f};

/* The fit of a sub-block: value = scale * quant - min. */
typedef struct fit {
    float scale, min;
    float inverse, low; /* quants of the search: round(inverse * (value - low)) */
} fit;

/* Four sub-blocks, one in each lane. */
typedef struct lanes {
    f4 x[LF_BLOCK];      /* value */
    f4 weight[LF_BLOCK]; /* of its squared error */
    f4 quants[LF_BLOCK]; /* of the current grid */
    f4 sum_w, sum_wx;
    f4 low, high;
} lanes;

/* Sums over the quants l of a grid. */
typedef struct sums {
    f4 wl, wll, wlx;
} sums;

/* Loads four sub-blocks. The weight of a value is its magnitude plus the root mean square of its
 * sub-block. */
static void gather(const float *src, lanes *v)
{
    f4 squares = all(0.0f);
    for (int i = 0; i < LF_BLOCK; i++) {
        const float *x = src + i;
        v->x[i] = (f4){x[0], x[LF_BLOCK], x[2 * LF_BLOCK], x[3 * LF_BLOCK]};
        squares += v->x[i] * v->x[i];
    }
    f4 mean = squares / all((float)LF_BLOCK);
    mean = (f4){__builtin_sqrtf(mean[0]), __builtin_sqrtf(mean[1]), __builtin_sqrtf(mean[2]),
                __builtin_sqrtf(mean[3])};
    v->sum_w = v->sum_wx = all(0.0f);
    v->low = v->high = v->x[0];
    for (int i = 0; i < LF_BLOCK; i++) {
        f4 x = v->x[i];
        v->weight[i] = mean + magnitudes(x);
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
    for (int i = 0; i < LF_BLOCK; i++) {
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

/* Weighted squared error of the quants on the line scale * quant + min. */
static f4 line_error(const lanes *v, f4 scale, f4 min)
{
    f4 error = all(0.0f);
    for (int i = 0; i < LF_BLOCK; i++) {
        f4 miss = scale * v->quants[i] + min - v->x[i];
        error += v->weight[i] * (miss * miss);
    }
    return error;
}

/* Tries the grid that exactly covers the range, then those of the search, each with its
 * least-squares line, and keeps the line with the smallest error. fits[LANES]. */
static void fit_lanes(const float *src, const search *s, fit *fits)
{
    lanes v;
    gather(src, &v);
    f4 zero = all(0.0f);
    f4 scale = all(1.0f) / (all((float)s->top) / (v.high - v.low));
    f4 inverse = grid_inverse(&v, (float)s->top);
    f4 best_low = v.low; /* of the grid with the best line */
    f4 best_inverse = inverse;
    grid_quants(&v, inverse, s->top);
    f4 best = line_error(&v, scale, v.low); /* 0 if all values are equal: no grid is better */

    for (int step = 0; step < s->steps; step++) {
        inverse = grid_inverse(&v, s->first + 0.1f * (float)step + (float)s->top);
        sums l = grid_quants(&v, inverse, s->top);
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
        v.low = choose(better, min, v.low); /* the next grids start here */
    }
    for (int j = 0; j < LANES; j++) {
        fits[j] = (fit){scale[j], -v.low[j], best_inverse[j], best_low[j]};
    }
}

/* Quant 0..top; NaN and values far outside give an arbitrary quant. */
static int quant_at(float v, int top)
{
    int l = lf_round_even(v);
    l = l > 0 ? l : 0;
    return l < top ? l : top;
}

/* A scale or minimum, in 63rds of the largest, as 6 bits. */
static uint8_t six_bits(float v)
{
    uint8_t l = (uint8_t)lf_round_even(v);
    return l < 63 ? l : 63;
}

/* The common part of Q4_K and Q5_K: encodes the head of the block and computes its quants. */
static void encode_head(const float *src, const search *s, uint8_t *head, uint8_t *quants)
{
    fit fits[SUBS];
    float most_scale = 0.0f;
    float most_min = 0.0f;
    for (int b = 0; b < SUBS; b += LANES) {
        fit_lanes(src + b * LF_BLOCK, s, fits + b);
    }
    for (int b = 0; b < SUBS; b++) {
        most_scale = fits[b].scale > most_scale ? fits[b].scale : most_scale;
        most_min = fits[b].min > most_min ? fits[b].min : most_min;
    }
    float inverse_scale = most_scale > 0.0f ? 63.0f / most_scale : 0.0f;
    float inverse_min = most_min > 0.0f ? 63.0f / most_min : 0.0f;
    uint16_t d = lf_f32_to_f16(most_scale / 63.0f);
    uint16_t dmin = lf_f32_to_f16(most_min / 63.0f);
    memset(head, 0, HEAD_BYTES);
    lf_block_put_u16(head, d);
    lf_block_put_u16(head + 2, dmin);
    uint8_t *packed = head + 4;
    for (int b = 0; b < SUBS; b++) {
        uint8_t sc = six_bits(inverse_scale * fits[b].scale);
        uint8_t m = six_bits(inverse_min * fits[b].min);
        if (b < 4) {
            packed[b] = sc;
            packed[b + 4] = m;
        } else { /* the upper two bits go into the spare bits of the first four */
            packed[b + 4] = (uint8_t)((sc & 15) | (m & 15) << 4);
            packed[b - 4] = (uint8_t)(packed[b - 4] | sc >> 4 << 6);
            packed[b] = (uint8_t)(packed[b] | m >> 4 << 6);
        }
        /* Compute the quants again, from the rounded scale and minimum. */
        const float *x = src + b * LF_BLOCK;
        float scale = lf_f16_to_f32(d) * (float)sc;
        float min = lf_f16_to_f32(dmin) * (float)m;
        for (int i = 0; i < LF_BLOCK; i++) {
            float v = scale != 0.0f ? (x[i] + min) / scale : fits[b].inverse * (x[i] - fits[b].low);
            quants[b * LF_BLOCK + i] = (uint8_t)quant_at(v, s->top);
        }
    }
}

/* Packs the lower four bits of the quants: each pair of sub-blocks shares 32 bytes. */
static void pack_nibbles(const uint8_t *quants, uint8_t *dst)
{
    for (int pair = 0; pair < SUBS / 2; pair++, quants += 2 * LF_BLOCK, dst += LF_BLOCK) {
        for (int j = 0; j < LF_BLOCK; j++) {
            dst[j] = (uint8_t)((quants[j] & 15) | (quants[j + LF_BLOCK] & 15) << 4);
        }
    }
}

void lf_encode_q4_k(const float *src, uint8_t *dst, size_t blocks)
{
    for (size_t b = 0; b < blocks; b++, src += LF_SUPER_BLOCK, dst += LF_Q4_K_BYTES) {
        uint8_t quants[LF_SUPER_BLOCK];
        encode_head(src, &search4, dst, quants);
        pack_nibbles(quants, dst + HEAD_BYTES);
    }
}

/* Bit b of byte j is the fifth bit of element j of sub-block b. */
static void pack_fifth_bits(const uint8_t *quants, uint8_t *dst)
{
    memset(dst, 0, LF_BLOCK);
    for (int b = 0; b < SUBS; b++) {
        for (int j = 0; j < LF_BLOCK; j++) {
            dst[j] = (uint8_t)(dst[j] | quants[b * LF_BLOCK + j] >> 4 << b);
        }
    }
}

void lf_encode_q5_k(const float *src, uint8_t *dst, size_t blocks)
{
    for (size_t b = 0; b < blocks; b++, src += LF_SUPER_BLOCK, dst += LF_Q5_K_BYTES) {
        uint8_t quants[LF_SUPER_BLOCK];
        encode_head(src, &search5, dst, quants);
        pack_fifth_bits(quants, dst + HEAD_BYTES);
        pack_nibbles(quants, dst + HEAD_BYTES + LF_BLOCK);
    }
}
