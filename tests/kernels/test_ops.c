/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Everything that is not a matrix product: each table of this machine (less and less CPU, each
 * choice of provider) against the scalar table bit for bit, at lengths that end anywhere and at
 * forbidden pages; the scalar table against double precision within derived bounds (u = 2^-24).
 */
#include "kernels/internal.h"
#include "support/kernel_util.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>

#include <cmocka.h>

static lf_ops truth;

static int setup(void **state)
{
    (void)state;
    lf_kernels table;
    lf_kernels_init(&table, 0, LF_PICK_SCALAR);
    truth = table.ops;
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    lft_unguard_all();
    return 0;
}

typedef void (*check_fn)(const lf_ops *ops, uint64_t *seed, size_t n);

/* Runs a check with every table and lengths of every kind. */
static void with_all(check_fn check)
{
    static const size_t more[] = {100, 127, 128, 129, 255, 1000, 1792, 2048, 2051};
    uint32_t masks[8];
    size_t n_masks = lft_masks(masks);
    uint64_t seed = lft_seed();
    for (size_t i = 0; i < n_masks; i++) {
        for (int pick = LF_PICK_AUTO; pick <= LF_PICK_XNNPACK; pick++) {
            lf_kernels table;
            lf_kernels_init(&table, masks[i], (lf_pick)pick);
            for (size_t n = 1; n <= 70; n++) {
                check(&table.ops, &seed, n);
            }
            for (size_t n = 0; n < sizeof more / sizeof more[0]; n++) {
                check(&table.ops, &seed, more[n]);
            }
        }
    }
}

static float *floats(size_t n)
{
    return lft_guard(n * sizeof(float), sizeof(float));
}

/* Normal values, with some extremes in every third array. */
static float *random_floats(uint64_t *seed, size_t n)
{
    static const float odd[] = {0.0f,     -0.0f,     1e-40f, -1e-40f, 3e38f,   -3e38f,
                                INFINITY, -INFINITY, 88.0f,  -88.0f,  -104.0f, 1e-20f,
                                65519.0f, 65520.0f,  1e-7f,  6e-8f,   -1e-8f,  100.0f};
    float *x = floats(n);
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
    float *y = floats(n);
    memcpy(y, x, n * sizeof(float));
    return y;
}

#define SAME(n, a, b)                                                                              \
    do {                                                                                           \
        size_t at_ = lft_differs((n), (a), (b));                                                   \
        if (at_ != (n)) {                                                                          \
            fail_msg("%s:%d: n %zu: [%zu] is %a, scalar %a", __func__, __LINE__, (size_t)(n), at_, \
                     (double)(a)[at_], (double)(b)[at_]);                                          \
        }                                                                                          \
    } while (0)

/* ---- Vectors in, vectors out -------------------------------------------------------------------
 */

static void check_elementwise(const lf_ops *ops, uint64_t *seed, size_t n)
{
    float *x = random_floats(seed, n), *y = random_floats(seed, n);
    float *a = floats(n), *b = floats(n);
    ops->rmsnorm(n, x, y, 1e-5f, a);
    truth.rmsnorm(n, x, y, 1e-5f, b);
    SAME(n, a, b);
    float *in_place = copy(x, n);
    ops->rmsnorm(n, in_place, y, 1e-5f, in_place);
    SAME(n, in_place, b);
    ops->swiglu(n, x, y, a);
    truth.swiglu(n, x, y, b);
    SAME(n, a, b);
    ops->sigmoid(n, x, a);
    truth.sigmoid(n, x, b);
    SAME(n, a, b);
    ops->scale(n, 0.3f, x, a);
    truth.scale(n, 0.3f, x, b);
    SAME(n, a, b);
    float *c = copy(y, n), *d = copy(y, n);
    ops->add(n, x, c);
    truth.add(n, x, d);
    SAME(n, c, d);
    ops->axpy(n, -1.7f, x, c);
    truth.axpy(n, -1.7f, x, d);
    SAME(n, c, d);
    float *all[] = {x, y, a, b, c, d, in_place};
    for (size_t i = 0; i < sizeof all / sizeof all[0]; i++) {
        lft_unguard(all[i]);
    }
}

static void elementwise(void **state)
{
    (void)state;
    with_all(check_elementwise);
}

static void check_reductions(const lf_ops *ops, uint64_t *seed, size_t n)
{
    float *x = random_floats(seed, n), *a = floats(n), *b = floats(n);
    float m = ops->max(n, x), m_true = truth.max(n, x);
    SAME(1, &m, &m_true);
    float shift = isfinite(m) ? m : 1.0f;
    float s = ops->sum_exp(n, x, shift, a), s_true = truth.sum_exp(n, x, shift, b);
    SAME(1, &s, &s_true);
    SAME(n, a, b);
    s = ops->sum_exp(n, x, shift, NULL);
    SAME(1, &s, &s_true);
    x[lft_below(seed, (uint32_t)n)] = NAN; /* a NaN is not the largest, and shows in the sum */
    m = ops->max(n, x);
    m_true = truth.max(n, x);
    SAME(1, &m, &m_true);
    assert_true(isnan(ops->sum_exp(n, x, shift, NULL)));
    lft_unguard(x);
    lft_unguard(a);
    lft_unguard(b);
}

static void reductions(void **state)
{
    (void)state;
    with_all(check_reductions);
}

static void check_conversions(const lf_ops *ops, uint64_t *seed, size_t n)
{
    float *x = random_floats(seed, n), *a = floats(n), *b = floats(n);
    uint16_t *h = lft_guard(n * 2, 2), *h_true = lft_guard(n * 2, 2);
    ops->f32_to_f16(n, x, h);
    truth.f32_to_f16(n, x, h_true);
    assert_memory_equal(h, h_true, n * 2);
    ops->f16_to_f32(n, h, a);
    truth.f16_to_f32(n, h, b);
    SAME(n, a, b);
    ops->bf16_to_f32(n, h, a);
    truth.bf16_to_f32(n, h, b);
    SAME(n, a, b);
    lft_unguard(x);
    lft_unguard(a);
    lft_unguard(b);
    lft_unguard(h);
    lft_unguard(h_true);
}

static void conversions(void **state)
{
    (void)state;
    with_all(check_conversions);
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
    float *u = floats(n), *u_true = floats(n), *a = floats(n), *b = floats(n);
    size_t cut = lft_below(seed, (uint32_t)n + 1); /* all channels, in two calls */
    ops->conv(cut, n, n, taps, bcx, views, kernel, u, a);
    ops->conv(0, cut, n, taps, bcx, views, kernel, u, a);
    truth.conv(0, n, n, taps, bcx, views, kernel, u_true, b);
    SAME(n, u, u_true);
    SAME(n, a, b);
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
    (void)state;
    with_all(check_conv);
}

static void check_rope(const lf_ops *ops, uint64_t *seed, size_t half)
{
    float *c = random_floats(seed, half), *s = random_floats(seed, half);
    float *a = random_floats(seed, 2 * half), *b = copy(a, 2 * half);
    ops->rope(2 * half, c, s, a);
    truth.rope(2 * half, c, s, b);
    SAME(2 * half, a, b);
    lft_unguard(c);
    lft_unguard(s);
    lft_unguard(a);
    lft_unguard(b);
}

static void rope(void **state)
{
    (void)state;
    with_all(check_rope);
}

/* ---- Attention ---------------------------------------------------------------------------------
 */

enum { MAX_HEAD = LF_ATTN_MOST_DIMS, MAX_Q = 70, BLOCKS = 3 };

typedef struct attn_case {
    size_t m, head_dim, q_stride, acc_stride;
    float *q;
    uint32_t valid[BLOCKS][MAX_Q];
    void *k[BLOCKS], *v[BLOCKS];
} attn_case;

/* Where a number of a block stands among the others. */
static size_t kv_place(lf_kv_type type, bool key, size_t head_dim, size_t d, size_t j)
{
    if (type == LF_KV_Q8) {
        return key ? d / 2 * 128 + 2 * j + d % 2 : j / 2 * 2 * head_dim + 2 * d + j % 2;
    }
    return key ? d * 64 + j : j * head_dim + d;
}

/* Keys or values; what no row may see is NaN, or has a NaN scale. */
static void *kv_block(uint64_t *seed, lf_kv_type type, bool key, size_t head_dim, uint32_t most)
{
    uint8_t *block = lft_guard(lf_kv_block_bytes(type, head_dim), sizeof(float));
    for (size_t j = 0; j < LF_ATTN_BLOCK; j++) {
        if (type == LF_KV_Q8) {
            ((float *)(void *)block)[j] =
                j < most ? 1e-5f * (float)(100 + lft_below(seed, 2000)) : NAN;
        }
        for (size_t d = 0; d < head_dim; d++) {
            size_t at = kv_place(type, key, head_dim, d, j);
            float f = j < most ? lft_normal(seed) : NAN;
            if (type == LF_KV_F32) {
                ((float *)(void *)block)[at] = f;
            } else if (type == LF_KV_F16) {
                ((uint16_t *)(void *)block)[at] = lf_float_to_half(f);
            } else {
                ((int8_t *)block + LF_KV_SCALES)[at] =
                    (int8_t)((int32_t)lft_below(seed, 255) - 127);
            }
        }
    }
    return block;
}

/* One number of a block, scale included; both factors are exact in double. */
static double kv_number(lf_kv_type type, bool key, const void *block, size_t head_dim, size_t d,
                        size_t j)
{
    size_t at = kv_place(type, key, head_dim, d, j);
    switch (type) {
    case LF_KV_F32:
        return (double)((const float *)block)[at];
    case LF_KV_Q8:
        return (double)((const float *)block)[j] *
               (double)((const int8_t *)block + LF_KV_SCALES)[at];
    default:
        return (double)lf_half_to_float(((const uint16_t *)block)[at]);
    }
}

static attn_case attn_start(uint64_t *seed, lf_kv_type type, size_t m, size_t head_dim)
{
    attn_case c = {
        .m = m, .head_dim = head_dim, .q_stride = head_dim + 5, .acc_stride = head_dim + 3};
    c.q = floats((m - 1) * c.q_stride + head_dim);
    for (size_t i = 0; i < (m - 1) * c.q_stride + head_dim; i++) {
        c.q[i] = lft_normal(seed) * 0.5f;
    }
    for (size_t b = 0; b < BLOCKS; b++) {
        uint32_t most = 0;
        for (size_t i = 0; i < m; i++) {
            uint32_t kind = lft_below(seed, 4);
            c.valid[b][i] = kind == 0 ? 0 : kind == 1 ? LF_ATTN_BLOCK : 1 + lft_below(seed, 64);
            most = c.valid[b][i] > most ? c.valid[b][i] : most;
        }
        c.k[b] = kv_block(seed, type, true, head_dim, most);
        c.v[b] = kv_block(seed, type, false, head_dim, most);
    }
    return c;
}

static void attn_stop(attn_case *c)
{
    lft_unguard(c->q);
    for (size_t b = 0; b < BLOCKS; b++) {
        lft_unguard(c->k[b]);
        lft_unguard(c->v[b]);
    }
}

/* Rows first .. first + m - 1 through all blocks; out per row: max, sum, acc[head_dim]. */
static void attn_run(const attn_case *c, const lf_kv *fn, size_t first, size_t m, float *out)
{
    size_t width = c->head_dim + 2;
    float *max = floats(m), *sum = floats(m);
    float *acc = floats((m - 1) * c->acc_stride + c->head_dim);
    for (size_t i = 0; i < m; i++) {
        max[i] = -INFINITY;
        sum[i] = 0.0f;
        memset(acc + i * c->acc_stride, 0, c->head_dim * sizeof(float));
    }
    float *q = floats((m - 1) * c->q_stride + c->head_dim);
    memcpy(q, c->q + first * c->q_stride, ((m - 1) * c->q_stride + c->head_dim) * sizeof(float));
    for (size_t i = 0; i < m && fn->query != NULL; i++) {
        fn->query(c->head_dim, q + i * c->q_stride);
    }
    const lf_attn_state state = {max, sum, acc, c->acc_stride};
    for (size_t b = 0; b < BLOCKS; b++) {
        size_t next = b + 1 < BLOCKS ? b + 1 : 0;
        const lf_kv_blocks kv = {c->k[b], c->v[b], c->k[next], c->v[next]};
        fn->attn(m, c->head_dim, q, c->q_stride, c->valid[b] + first, &kv, &state);
    }
    for (size_t i = 0; i < m; i++) {
        out[i * width] = max[i];
        out[i * width + 1] = sum[i];
        memcpy(out + i * width + 2, acc + i * c->acc_stride, c->head_dim * sizeof(float));
    }
    lft_unguard(q);
    lft_unguard(max);
    lft_unguard(sum);
    lft_unguard(acc);
}

static const size_t head_dims[] = {2, 8, 16, 24, 32, 48, 64, 80, 128, MAX_HEAD};
enum { N_HEAD_DIMS = sizeof head_dims / sizeof head_dims[0] };

/* One tile and less, more than one, as many as pass a block together, more than that. */
static const size_t row_counts[] = {1, 2, 3, 4, 5, 6, 7, 9, 13, 32, 33, MAX_Q};
enum { N_ROWS = sizeof row_counts / sizeof row_counts[0] };

static void check_attn(const lf_ops *ops, uint64_t *seed, lf_kv_type type, size_t m,
                       size_t head_dim)
{
    attn_case c = attn_start(seed, type, m, head_dim);
    size_t width = head_dim + 2;
    float *a = floats(m * width), *b = floats(m * width);
    for (size_t i = 0; i < m; i++) { /* one row at a time: the tile must not matter */
        attn_run(&c, &truth.kv[type], i, 1, b + i * width);
    }
    attn_run(&c, &ops->kv[type], 0, m, a);
    SAME(m * width, a, b);
    lft_unguard(a);
    lft_unguard(b);
    attn_stop(&c);
}

static void attention(void **state)
{
    (void)state;
    uint64_t seed = lft_seed();
    uint32_t masks[8];
    size_t n_masks = lft_masks(masks);
    for (size_t i = 0; i < n_masks; i++) {
        lf_kernels table;
        lf_kernels_init(&table, masks[i], LF_PICK_AUTO);
        for (size_t h = 0; h < N_HEAD_DIMS; h++) {
            for (size_t i_m = 0; i_m < N_ROWS; i_m++) {
                size_t m = row_counts[i_m];
                for (int type = 0; type < LF_KV_COUNT; type++) {
                    check_attn(&table.ops, &seed, (lf_kv_type)type, m, head_dims[h]);
                }
            }
        }
    }
}

/* The largest sums there are: all codes at their ends. */
static void int8_sums_fit(void **state)
{
    (void)state;
    uint32_t masks[8];
    size_t n_masks = lft_masks(masks);
    size_t n = MAX_HEAD;
    for (size_t i = 0; i < n_masks; i++) {
        lf_kernels table;
        lf_kernels_init(&table, masks[i], LF_PICK_AUTO);
        const lf_kv *kv = &table.ops.kv[LF_KV_Q8];
        float *q = floats(n), *x = floats(n), *acc = floats(n);
        void *block = lft_guard(lf_kv_block_bytes(LF_KV_Q8, n), sizeof(float));
        void *values = lft_guard(lf_kv_block_bytes(LF_KV_Q8, n), sizeof(float));
        for (size_t d = 0; d < n; d++) {
            q[d] = 0.5f;
            x[d] = -2.0f;
        }
        kv->query(n, q);
        for (size_t j = 0; j < LF_ATTN_BLOCK; j++) {
            kv->store(n, j, x, x, block, values);
        }
        memset(acc, 0, n * sizeof(float));
        float max = -INFINITY, sum = 0.0f;
        const uint32_t valid = LF_ATTN_BLOCK;
        kv->attn(1, n, q, n, &valid, &(lf_kv_blocks){block, values, block, values},
                 &(lf_attn_state){&max, &sum, acc, n});
        assert_true(fabsf(max + (float)n) < 1e-3f * (float)n);
        assert_true(fabsf(acc[n - 1] / sum + 2.0f) < 1e-3f);
        lft_unguard(q);
        lft_unguard(x);
        lft_unguard(acc);
        lft_unguard(block);
        lft_unguard(values);
    }
}

/* ---- Storing a position -------------------------------------------------------------------------
 */

/* A row for the cache: ordinary, or with a value that is none, or tiny, or huge. */
static float *kv_row(uint64_t *seed, size_t n)
{
    static const float odd[] = {NAN, INFINITY, -INFINITY, 3e38f, -3e38f, 1e-40f, 65519.9f};
    float *x = floats(n);
    uint32_t kind = lft_below(seed, 6);
    for (size_t i = 0; i < n; i++) {
        x[i] = kind == 0 ? 0.0f : lft_normal(seed) * (kind == 1 ? 1e-31f : 2.0f);
    }
    if (kind == 2) {
        x[lft_below(seed, (uint32_t)n)] = odd[lft_below(seed, sizeof odd / sizeof odd[0])];
    } else if (kind == 3) {
        x[lft_below(seed, (uint32_t)n)] = lf_float(0x7FC00055u); /* a NaN with a payload */
    }
    return x;
}

/* Every position, in any order, against the truth; nothing but its place may change. */
static void check_store(const lf_ops *ops, uint64_t *seed, lf_kv_type type, size_t head_dim)
{
    size_t bytes = lf_kv_block_bytes(type, head_dim);
    uint8_t *block[4]; /* k, v, and the truth of both */
    for (size_t i = 0; i < 4; i++) {
        block[i] = lft_guard(bytes, sizeof(float));
        memset(block[i], 0x5A, bytes);
    }
    for (size_t n = 0; n < LF_ATTN_BLOCK; n++) {
        size_t j = n * 37 % LF_ATTN_BLOCK;
        float *k = kv_row(seed, head_dim), *v = kv_row(seed, head_dim);
        ops->kv[type].store(head_dim, j, k, v, block[0], block[1]);
        truth.kv[type].store(head_dim, j, k, v, block[2], block[3]);
        assert_memory_equal(block[0], block[2], bytes);
        assert_memory_equal(block[1], block[3], bytes);
        lft_unguard(k);
        lft_unguard(v);
    }
    for (size_t i = 0; i < 4; i++) {
        lft_unguard(block[i]);
    }
}

static void storing(void **state)
{
    (void)state;
    uint64_t seed = lft_seed();
    uint32_t masks[8];
    size_t n_masks = lft_masks(masks);
    for (size_t i = 0; i < n_masks; i++) {
        lf_kernels table;
        lf_kernels_init(&table, masks[i], LF_PICK_AUTO);
        for (size_t h = 0; h < N_HEAD_DIMS; h++) {
            for (int type = 0; type < LF_KV_COUNT; type++) {
                check_store(&table.ops, &seed, (lf_kv_type)type, head_dims[h]);
            }
        }
    }
}

/* ---- Scalar against double precision -----------------------------------------------------------
 */

static void near(double got, double want, double bound, const char *what)
{
    if (!(fabs(got - want) <= bound)) {
        fail_msg("%s: %.9g, truth %.9g, bound %.3g", what, got, want, bound);
    }
}

/* Below 2 ulp at every float that is tried; an ulp of a result below 2^-126 is 2^-149. */
static void exp_is_right(void **state)
{
    (void)state;
    for (uint32_t u = 0; u < 0xFF800000u - 9973; u += 9973) {
        float x = lf_float(u), e = 0.0f;
        if (!(x > -105.0f && x < 89.5f)) {
            continue;
        }
        truth.sum_exp(1, &x, 0.0f, &e);
        double want = exp((double)x);
        if (want > 0x1.ffffffp127) {
            assert_true(isinf(e));
            continue;
        }
        int exponent = 0;
        frexp(want, &exponent);
        near((double)e, want, 2 * ldexp(1.0, (exponent < -125 ? -125 : exponent) - 24), "exp");
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
    truth.rmsnorm(N, x, w, 1e-5f, out);
    for (size_t i = 0; i < N; i++) {
        double want = (double)x[i] * (double)w[i] / sqrt(squares / (double)N + (double)1e-5f);
        near((double)out[i], want, fabs(want) * (double)(N / 16 + 11) * u, "rmsnorm");
    }
    truth.swiglu(N, w, x, out);
    for (size_t i = 0; i < N; i++) {
        double want = (double)w[i] / (1 + exp(-(double)w[i])) * (double)x[i];
        near((double)out[i], want, fabs(want) * 8 * u, "swiglu");
    }
    truth.sigmoid(N, w, out);
    for (size_t i = 0; i < N; i++) {
        double want = 1 / (1 + exp(-(double)w[i]));
        near((double)out[i], want, want * 8 * u, "sigmoid");
    }
    const float *past[2] = {p[0], p[1]};
    truth.conv(0, N, N, TAPS, x, past, w, now, out);
    for (size_t i = 0; i < N; i++) {
        double b = (double)x[i], c = (double)x[N + i], now_u = b * (double)x[2 * N + i];
        double t0 = (double)w[i] * (double)p[0][i], t1 = (double)w[N + i] * (double)p[1][i];
        double t2 = (double)w[2 * N + i] * now_u;
        near((double)out[i], c * (t0 + t1 + t2), fabs(c) * (fabs(t0) + fabs(t1) + fabs(t2)) * 6 * u,
             "conv");
    }
    memcpy(out, x, sizeof out);
    truth.rope(N, w, w + N, out);
    for (size_t i = 0; i < N / 2; i++) {
        double a = (double)x[i], b = (double)x[N / 2 + i];
        double c = (double)w[i], s = (double)w[N + i];
        near((double)out[i], a * c - b * s, (fabs(a * c) + fabs(b * s)) * 3 * u, "rope");
        near((double)out[N / 2 + i], b * c + a * s, (fabs(b * c) + fabs(a * s)) * 3 * u, "rope");
    }
}

/* Every half there is, and every float near the middle between two of them. */
static void halves_are_right(void **state)
{
    (void)state;
    for (uint32_t h = 0; h < 0x7C00u; h++) {
        double mantissa = h < 0x400u ? h : (h & 0x3FFu) + 1024;
        double want = ldexp(mantissa, h < 0x400u ? -24 : (int)(h >> 10) - 25);
        uint16_t half = (uint16_t)h, next = (uint16_t)(h + 1), back = 0;
        float f = 0.0f;
        truth.f16_to_f32(1, &half, &f);
        assert_true((double)f == want);
        truth.f32_to_f16(1, &f, &back);
        assert_int_equal(back, half);
        double up = h + 1 == 0x7C00u ? 65536.0 : (double)lf_half_to_float(next);
        float middle = (float)((want + up) / 2);
        const float tries[3] = {lf_float(lf_bits(middle) - 1), middle,
                                lf_float(lf_bits(middle) + 1)};
        const uint16_t wants[3] = {half, (h & 1u) != 0 ? next : half, next};
        for (size_t i = 0; i < 3; i++) {
            truth.f32_to_f16(1, tries + i, &back);
            assert_int_equal(back, wants[i]);
            float negative = -tries[i];
            truth.f32_to_f16(1, &negative, &back);
            assert_int_equal(back, wants[i] | 0x8000u);
        }
    }
}

/* The ratio acc / sum of one row against double precision. A score has an error of at most
 * (head_dim + 1) * u * sum |q k| =: e (1 by the scale), the subtraction of the maximum another u *
 * |score - max|, exp 4 u; so each weight is off by a factor within 1 + e + |score - max| u + 4 u (e
 * is small), sums add (64 * blocks + 8) u at most, and rescaling 6 u a block. Twice that for
 * numerator and denominator.
 * LF_KV_Q8: a code is off by half a step and the rounding of factor, product and scale, STEP of the
 * largest number: so e is STEP * largest |q| * sum |k| and 3 u * |score|, and each value of a block
 * counts by another STEP of the block's largest weight times the scale of its position.
 */
#define STEP (0.5 / 32767 + 4 * 0x1p-24)

static double largest_of(size_t n, const float *x)
{
    double largest = 0;
    for (size_t i = 0; i < n; i++) {
        largest = fmax(largest, fabs((double)x[i]));
    }
    return largest;
}

/* Dimension d of the values of all blocks, each with the largest weight of its block. */
static double weights_lost(const attn_case *c, double p[BLOCKS][LF_ATTN_BLOCK], size_t d)
{
    double lost = 0;
    for (size_t b = 0; b < BLOCKS; b++) {
        const float *scales = c->v[b];
        double largest = 0, codes = 0;
        for (size_t j = 0; j < c->valid[b][0]; j++) {
            largest = fmax(largest, p[b][j] * (double)scales[j]);
            codes +=
                fabs(kv_number(LF_KV_Q8, false, c->v[b], c->head_dim, d, j)) / (double)scales[j];
        }
        lost += STEP * largest * codes;
    }
    return lost;
}

static void check_attn_truth(uint64_t *seed, lf_kv_type type, size_t head_dim)
{
    const double u = 0x1p-24;
    attn_case c = attn_start(seed, type, 1, head_dim);
    float row[MAX_HEAD + 2];
    attn_run(&c, &truth.kv[type], 0, 1, row);
    double sum = 0, worst = 0, top = -1e30;
    static double p[BLOCKS][LF_ATTN_BLOCK];
    for (int pass = 0; pass < 2; pass++) {
        for (size_t b = 0; b < BLOCKS; b++) {
            for (size_t j = 0; j < c.valid[b][0]; j++) {
                double s = 0, magnitude = 0, keys = 0;
                for (size_t d = 0; d < head_dim; d++) {
                    double k = kv_number(type, true, c.k[b], head_dim, d, j);
                    s += (double)c.q[d] * k;
                    magnitude += fabs((double)c.q[d] * k);
                    keys += fabs(k);
                }
                double e = type == LF_KV_Q8
                               ? STEP * largest_of(head_dim, c.q) * keys + 3 * u * fabs(s)
                               : (double)(head_dim + 1) * u * magnitude;
                top = s > top ? s : top;
                if (pass == 1) {
                    p[b][j] = exp(s - top);
                    sum += p[b][j];
                    worst = fmax(worst, e + fabs(s - top) * u);
                }
            }
        }
    }
    double factor = 2 * (worst + (64 * BLOCKS + 12 + 6 * BLOCKS) * u);
    for (size_t d = 0; d < head_dim && sum > 0; d++) {
        double want = 0, magnitude = 0;
        for (size_t b = 0; b < BLOCKS; b++) {
            for (size_t j = 0; j < c.valid[b][0]; j++) {
                double v = kv_number(type, false, c.v[b], head_dim, d, j);
                want += p[b][j] * v;
                magnitude += p[b][j] * fabs(v);
            }
        }
        double lost = type == LF_KV_Q8 ? 2 * weights_lost(&c, p, d) : 0;
        near((double)row[2 + d] / (double)row[1], want / sum, (magnitude * factor + lost) / sum,
             "attention");
    }
    attn_stop(&c);
}

/* What a stored number may be off by: half a unit in the last of 11 bits, or half a step of the
 * codes and two roundings. */
static double kv_bound(lf_kv_type type, double value, double largest)
{
    switch (type) {
    case LF_KV_F32:
        return 0;
    case LF_KV_Q8:
        return largest * (0.5 / 127 + 0x1p-22);
    default:
        return fmax(fabs(value) * 0x1p-11, 0x1p-25);
    }
}

static void storing_is_right(void **state)
{
    (void)state;
    uint64_t seed = lft_seed();
    for (int t = 0; t < LF_KV_COUNT; t++) {
        lf_kv_type type = (lf_kv_type)t;
        for (size_t h = 0; h < N_HEAD_DIMS; h++) {
            size_t n = head_dims[h], j = lft_below(&seed, LF_ATTN_BLOCK);
            size_t bytes = lf_kv_block_bytes(type, n);
            void *kb = lft_guard(bytes, sizeof(float)), *vb = lft_guard(bytes, sizeof(float));
            float k[MAX_HEAD], v[MAX_HEAD];
            for (size_t d = 0; d < n; d++) {
                k[d] = lft_normal(&seed) * 5;
                v[d] = lft_normal(&seed) * 0.2f;
            }
            truth.kv[type].store(n, j, k, v, kb, vb);
            for (size_t d = 0; d < n; d++) {
                near(kv_number(type, true, kb, n, d, j), (double)k[d],
                     kv_bound(type, (double)k[d], largest_of(n, k)), "stored key");
                near(kv_number(type, false, vb, n, d, j), (double)v[d],
                     kv_bound(type, (double)v[d], largest_of(n, v)), "stored value");
            }
            k[n / 2] = NAN; /* no number must show */
            v[n / 2] = -INFINITY;
            truth.kv[type].store(n, j, k, v, kb, vb);
            assert_true(!isfinite(kv_number(type, true, kb, n, n / 2, j)));
            assert_true(!isfinite(kv_number(type, false, vb, n, n / 2, j)));
            lft_unguard(kb);
            lft_unguard(vb);
        }
    }
}

static void attention_is_right(void **state)
{
    (void)state;
    uint64_t seed = lft_seed();
    for (size_t h = 0; h < N_HEAD_DIMS; h++) {
        for (int i = 0; i < 4; i++) {
            for (int type = 0; type < LF_KV_COUNT; type++) {
                check_attn_truth(&seed, (lf_kv_type)type, head_dims[h]);
            }
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(exp_is_right),
        cmocka_unit_test(simple_ops_are_right),
        cmocka_unit_test(halves_are_right),
        cmocka_unit_test(storing_is_right),
        cmocka_unit_test(attention_is_right),
        cmocka_unit_test(elementwise),
        cmocka_unit_test(reductions),
        cmocka_unit_test(conversions),
        cmocka_unit_test(convolution),
        cmocka_unit_test(rope),
        cmocka_unit_test(storing),
        cmocka_unit_test(attention),
        cmocka_unit_test(int8_sums_fit),
    };
    return cmocka_run_group_tests(tests, setup, teardown);
}
