/* SPDX-License-Identifier: Apache-2.0 */
/* Everything but matrix products and attention: the tables of all levels of this CPU, for each
 * choice of provider, against the scalar table bit for bit, at lengths with every remainder and
 * with buffers that end at inaccessible pages; the scalar table against double precision within
 * derived bounds (u = 2^-24). */
#include "kernels/exp.h"
#include "kernels/numbers.h"
#include "support/kernel_util.h"
#include "support/levels.h"

#include <math.h>
#include <stdlib.h>

static lf_ops scalar;

static int setup(void **state)
{
    (void)state;
    lf_kernels table;
    lf_kernels_init(&table, 0, LF_PICK_SCALAR);
    scalar = table.ops;
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    lft_unguard_all();
    return 0;
}

typedef void (*check_fn)(const lf_ops *ops, uint64_t *seed, size_t n);

/* Runs a check with the tables of a level, at many lengths. */
static void with_all(void **state, check_fn check)
{
    static const size_t more[] = {100, 127, 128, 129, 255, 1000, 1792, 2048, 2051};
    uint64_t seed = lft_seed();
    for (int pick = LF_PICK_AUTO; pick <= LF_PICK_XNNPACK; pick++) {
        lf_kernels table = lft_table(state, (lf_pick)pick);
        for (size_t n = 1; n <= 70; n++) {
            check(&table.ops, &seed, n);
        }
        for (size_t n = 0; n < sizeof more / sizeof more[0]; n++) {
            check(&table.ops, &seed, more[n]);
        }
    }
}

/* Normal values; about every third array also has extreme ones. */
static float *random_floats(uint64_t *seed, size_t n)
{
    static const float odd[] = {0.0f,     -0.0f,     1e-40f, -1e-40f, 3e38f,   -3e38f,
                                INFINITY, -INFINITY, 88.0f,  -88.0f,  -104.0f, 1e-20f,
                                65519.0f, 65520.0f,  1e-7f,  6e-8f,   -1e-8f,  100.0f};
    float *x = lft_floats(n);
    bool strange = lft_below(seed, 3) == 0;
    for (size_t i = 0; i < n; i++) {
        x[i] = lft_normal(seed) * 3.0f;
        if (strange && lft_below(seed, 4) == 0) {
            x[i] = odd[lft_below(seed, sizeof odd / sizeof odd[0])];
        }
    }
    return x;
}

static float *copy(const float *x, size_t n)
{
    float *y = lft_floats(n);
    memcpy(y, x, n * sizeof(float));
    return y;
}

/* ---- Vectors in, vectors out ---- */

static void check_elementwise(const lf_ops *ops, uint64_t *seed, size_t n)
{
    float *x = random_floats(seed, n), *y = random_floats(seed, n);
    float *a = lft_floats(n), *b = lft_floats(n);
    ops->rmsnorm(n, x, y, 1e-5f, a);
    scalar.rmsnorm(n, x, y, 1e-5f, b);
    LFT_SAME(n, a, b);
    float *in_place = copy(x, n);
    ops->rmsnorm(n, in_place, y, 1e-5f, in_place);
    LFT_SAME(n, in_place, b);
    ops->swiglu(n, x, y, a);
    scalar.swiglu(n, x, y, b);
    LFT_SAME(n, a, b);
    ops->sigmoid(n, x, a);
    scalar.sigmoid(n, x, b);
    LFT_SAME(n, a, b);
    ops->scale(n, 0.3f, x, a);
    scalar.scale(n, 0.3f, x, b);
    LFT_SAME(n, a, b);
    float *c = copy(y, n), *d = copy(y, n);
    ops->add(n, x, c);
    scalar.add(n, x, d);
    LFT_SAME(n, c, d);
    ops->axpy(n, -1.7f, x, c);
    scalar.axpy(n, -1.7f, x, d);
    LFT_SAME(n, c, d);
    const float *rows[] = {a, x, b};
    for (size_t m = 1; m <= 3; m++) {
        ops->combine(n, m, (const float[]){0.7f, -1.3f, 1e-3f}, rows, c);
        scalar.combine(n, m, (const float[]){0.7f, -1.3f, 1e-3f}, rows, d);
        LFT_SAME(n, c, d);
    }
    float *all[] = {x, y, a, b, c, d, in_place};
    for (size_t i = 0; i < sizeof all / sizeof all[0]; i++) {
        lft_unguard(all[i]);
    }
}

static void elementwise(void **state)
{
    with_all(state, check_elementwise);
}

static void check_reductions(const lf_ops *ops, uint64_t *seed, size_t n)
{
    float *x = random_floats(seed, n), *a = lft_floats(n), *b = lft_floats(n);
    float m = ops->max(n, x), m_true = scalar.max(n, x);
    LFT_SAME(1, &m, &m_true);
    float shift = isfinite(m) ? m : 1.0f;
    float s = ops->sum_exp(n, x, shift, a), s_true = scalar.sum_exp(n, x, shift, b);
    LFT_SAME(1, &s, &s_true);
    LFT_SAME(n, a, b);
    s = ops->sum_exp(n, x, shift, NULL);
    LFT_SAME(1, &s, &s_true);
    x[lft_below(seed, (uint32_t)n)] = NAN; /* max ignores a NaN, a sum must not */
    m = ops->max(n, x);
    m_true = scalar.max(n, x);
    LFT_SAME(1, &m, &m_true);
    assert_true(isnan(ops->sum_exp(n, x, shift, NULL)));
    lft_unguard(x);
    lft_unguard(a);
    lft_unguard(b);
}

static void reductions(void **state)
{
    with_all(state, check_reductions);
}

static void check_conversions(const lf_ops *ops, uint64_t *seed, size_t n)
{
    float *x = random_floats(seed, n), *a = lft_floats(n), *b = lft_floats(n);
    uint16_t *h = lft_guard(n * 2, 2), *h_true = lft_guard(n * 2, 2);
    ops->f32_to_f16(n, x, h);
    scalar.f32_to_f16(n, x, h_true);
    assert_memory_equal(h, h_true, n * 2);
    ops->f16_to_f32(n, h, a);
    scalar.f16_to_f32(n, h, b);
    LFT_SAME(n, a, b);
    ops->bf16_to_f32(n, h, a);
    scalar.bf16_to_f32(n, h, b);
    LFT_SAME(n, a, b);
    lft_unguard(x);
    lft_unguard(a);
    lft_unguard(b);
    lft_unguard(h);
    lft_unguard(h_true);
}

static void conversions(void **state)
{
    with_all(state, check_conversions);
}

static void check_conv(const lf_ops *ops, uint64_t *seed, size_t n)
{
    enum { MAX_TAPS = 4 };
    size_t taps = 1 + lft_below(seed, MAX_TAPS);
    float *bcx = random_floats(seed, 3 * n), *kernel = random_floats(seed, taps * n);
    float *past[MAX_TAPS];
    const float *views[MAX_TAPS];
    for (size_t t = 0; t + 1 < taps; t++) {
        views[t] = past[t] = random_floats(seed, n);
    }
    float *u = lft_floats(n), *u_true = lft_floats(n), *a = lft_floats(n), *b = lft_floats(n);
    size_t cut = lft_below(seed, (uint32_t)n + 1); /* all channels, in two calls */
    ops->conv(cut, n, n, taps, bcx, views, kernel, u, a);
    ops->conv(0, cut, n, taps, bcx, views, kernel, u, a);
    scalar.conv(0, n, n, taps, bcx, views, kernel, u_true, b);
    LFT_SAME(n, u, u_true);
    LFT_SAME(n, a, b);
    for (size_t t = 0; t + 1 < taps; t++) {
        lft_unguard(past[t]);
    }
    float *all[] = {bcx, kernel, u, u_true, a, b};
    for (size_t i = 0; i < sizeof all / sizeof all[0]; i++) {
        lft_unguard(all[i]);
    }
}

static void convolution(void **state)
{
    with_all(state, check_conv);
}

static void check_rope(const lf_ops *ops, uint64_t *seed, size_t half)
{
    float *c = random_floats(seed, half), *s = random_floats(seed, half);
    float *a = random_floats(seed, 2 * half), *b = copy(a, 2 * half);
    ops->rope(2 * half, c, s, a);
    scalar.rope(2 * half, c, s, b);
    LFT_SAME(2 * half, a, b);
    lft_unguard(c);
    lft_unguard(s);
    lft_unguard(a);
    lft_unguard(b);
}

static void rope(void **state)
{
    with_all(state, check_rope);
}

/* ---- Scalar against double precision ---- */

/* Below 2 ulp at every float that is tried; an ulp of a result below 2^-126 is 2^-149. */
static void exp_is_right(void **state)
{
    (void)state;
    for (uint32_t u = 0; u < 0xFF800000u - 9973; u += 9973) {
        float x = lf_float(u), e = 0.0f;
        if (!(x > -105.0f && x < 89.5f)) {
            continue;
        }
        scalar.sum_exp(1, &x, 0.0f, &e);
        double want = exp((double)x);
        if (want > 0x1.ffffffp127) {
            assert_true(isinf(e));
            continue;
        }
        int exponent = 0;
        frexp(want, &exponent);
        lft_near((double)e, want, 2 * ldexp(1.0, (exponent < -125 ? -125 : exponent) - 24), "exp");
    }
    static const float edges[][2] = {{-INFINITY, 0.0f}, {INFINITY, INFINITY}, {0.0f, 1.0f},
                                     {-0.0f, 1.0f},     {-1e30f, 0.0f},       {1e30f, INFINITY}};
    for (size_t i = 0; i < sizeof edges / sizeof edges[0]; i++) {
        float e = lf_exp_scalar(edges[i][0]);
        assert_int_equal(lf_bits(e), lf_bits(edges[i][1]));
    }
    assert_true(isnan(lf_exp_scalar(NAN)));
}

/* rmsnorm: the sum of squares has n / 16 + 5 roundings of non-negative terms, then mean, eps, root,
 * inverse, two products: (n / 16 + 11) u relative, half of the sum's by the root.
 * swiglu: exp 2 ulp = 4 u, sum, quotient, product: 8 u; sigmoid alike. conv: taps + 2 roundings
 * against magnitudes. rope: 3 u against magnitudes. */
static void simple_ops_are_right(void **state)
{
    (void)state;
    enum { N = 1000, TAPS = 3 };
    const double u = 0x1p-24;
    uint64_t seed = lft_seed();
    static float x[3 * N], w[3 * N], out[N], now[N], p[2][N];
    for (size_t i = 0; i < 3 * N; i++) {
        x[i] = lft_normal(&seed);
        w[i] = lft_normal(&seed) * 4;
        p[i % 2][i / 2 % N] = lft_normal(&seed);
    }
    double squares = 0;
    for (size_t i = 0; i < N; i++) {
        squares += (double)x[i] * (double)x[i];
    }
    scalar.rmsnorm(N, x, w, 1e-5f, out);
    for (size_t i = 0; i < N; i++) {
        double want = (double)x[i] * (double)w[i] / sqrt(squares / (double)N + (double)1e-5f);
        lft_near((double)out[i], want, fabs(want) * (double)(N / 16 + 11) * u, "rmsnorm");
    }
    scalar.swiglu(N, w, x, out);
    for (size_t i = 0; i < N; i++) {
        double want = (double)w[i] / (1 + exp(-(double)w[i])) * (double)x[i];
        lft_near((double)out[i], want, fabs(want) * 8 * u, "swiglu");
    }
    scalar.sigmoid(N, w, out);
    for (size_t i = 0; i < N; i++) {
        double want = 1 / (1 + exp(-(double)w[i]));
        lft_near((double)out[i], want, want * 8 * u, "sigmoid");
    }
    const float *past[2] = {p[0], p[1]};
    scalar.conv(0, N, N, TAPS, x, past, w, now, out);
    for (size_t i = 0; i < N; i++) {
        double b = (double)x[i], c = (double)x[N + i], now_u = b * (double)x[2 * N + i];
        double t0 = (double)w[i] * (double)p[0][i], t1 = (double)w[N + i] * (double)p[1][i];
        double t2 = (double)w[2 * N + i] * now_u;
        lft_near((double)out[i], c * (t0 + t1 + t2),
                 fabs(c) * (fabs(t0) + fabs(t1) + fabs(t2)) * 6 * u, "conv");
    }
    memcpy(out, x, sizeof out);
    scalar.rope(N, w, w + N, out);
    for (size_t i = 0; i < N / 2; i++) {
        double a = (double)x[i], b = (double)x[N / 2 + i];
        double c = (double)w[i], s = (double)w[N + i];
        lft_near((double)out[i], a * c - b * s, (fabs(a * c) + fabs(b * s)) * 3 * u, "rope");
        lft_near((double)out[N / 2 + i], b * c + a * s, (fabs(b * c) + fabs(a * s)) * 3 * u,
                 "rope");
    }
}

/* Every f16 number, and the floats around the middle between two of them. */
static void halves_are_right(void **state)
{
    (void)state;
    for (uint32_t h = 0; h < 0x7C00u; h++) {
        double mantissa = h < 0x400u ? h : (h & 0x3FFu) + 1024;
        double want = ldexp(mantissa, h < 0x400u ? -24 : (int)(h >> 10) - 25);
        uint16_t half = (uint16_t)h, next = (uint16_t)(h + 1), back = 0;
        float f = 0.0f;
        scalar.f16_to_f32(1, &half, &f);
        assert_true((double)f == want);
        scalar.f32_to_f16(1, &f, &back);
        assert_int_equal(back, half);
        double up = h + 1 == 0x7C00u ? 65536.0 : (double)lf_half_to_float(next);
        float middle = (float)((want + up) / 2);
        const float tries[3] = {lf_float(lf_bits(middle) - 1), middle,
                                lf_float(lf_bits(middle) + 1)};
        const uint16_t wants[3] = {half, (h & 1u) != 0 ? next : half, next};
        for (size_t i = 0; i < 3; i++) {
            scalar.f32_to_f16(1, tries + i, &back);
            assert_int_equal(back, wants[i]);
            float negative = -tries[i];
            scalar.f32_to_f16(1, &negative, &back);
            assert_int_equal(back, wants[i] | 0x8000u);
        }
    }
}

int main(void)
{
    static lft_tests tests;
    lft_add(&tests, "exp is right", NULL, exp_is_right, NULL);
    lft_add(&tests, "simple ops are right", NULL, simple_ops_are_right, NULL);
    lft_add(&tests, "halves are right", NULL, halves_are_right, NULL);
    lft_add_levels(&tests, "elementwise", elementwise);
    lft_add_levels(&tests, "reductions", reductions);
    lft_add_levels(&tests, "conversions", conversions);
    lft_add_levels(&tests, "convolution", convolution);
    lft_add_levels(&tests, "rope", rope);
    return cmocka_run_group_tests(tests.list, setup, teardown);
}
