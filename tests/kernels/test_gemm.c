/* SPDX-License-Identifier: Apache-2.0 */
/* Every matrix kernel of the table that this CPU can run. Kernels marked exact against the scalar
 * kernel bit for bit; the scalar kernel computes one row at a time, so that this also shows that
 * a row's result does not depend on its tile. The scalar kernels against double precision; the
 * others against double precision within a derived bound. Buffers end at inaccessible pages,
 * results at canaries. */
#include "kernels/lhs_layout.h"
#include "kernels/panel_layout.h"
#include "quant/quant.h"
#include "support/kernel_util.h"
#include "support/levels.h"

#include <math.h>
#include <stdlib.h>

enum { MAX_M = 16 };

/* One product: weights, quantized rows, and the packed panels of `gemm`. */
typedef struct product {
    const lf_gemm *gemm;
    lft_matrix w;
    void *panels;
    const lf_lhs *lhs;
    size_t m;
    float *x; /* [m][k] */
    void *rows[MAX_M];
} product;

static lf_kernels scalar_table, full_table;

static int setup(void **state)
{
    (void)state;
    uint32_t cpu = lf_cpu_detect().features;
    lf_kernels_init(&scalar_table, 0, LF_PICK_SCALAR);
    lf_kernels_init(&full_table, cpu, LF_PICK_AUTO);
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    lft_unguard_all();
    return 0;
}

static product start(uint64_t *seed, const lf_gemm *gemm, size_t m, size_t n, size_t k,
                     lft_distribution distribution)
{
    product p = {.gemm = gemm, .m = m, .lhs = &full_table.lhs[gemm->lhs]};
    p.w = lft_weights(seed, gemm, n, k, distribution);
    p.panels = lft_pack(gemm, &p.w);
    p.x = lft_guard(m * k * sizeof(float), sizeof(float));
    for (size_t i = 0; i < m; i++) {
        lft_activations(seed, k, distribution, p.x + i * k);
        p.rows[i] = lft_row(p.lhs, k, p.x + i * k);
    }
    return p;
}

static void stop(product *p)
{
    lft_weights_free(&p->w);
    lft_unguard(p->panels);
    lft_unguard(p->x);
    for (size_t i = 0; i < p->m; i++) {
        lft_unguard(p->rows[i]);
    }
}

/* Computes rows [first, first + m) with `gemm`; out: [m][n]. If its LHS format differs from that
 * of the product, the rows are quantized again. */
static void run(const product *p, const lf_gemm *gemm, const void *panels, size_t first, size_t m,
                float *out, lf_prefetch_policy policy)
{
    enum { CANARY = 0x5AA55AA5 };
    size_t n = p->w.n, stride = n + 3;
    const lf_lhs *lhs = &full_table.lhs[gemm->lhs];
    void *rows[MAX_M];
    for (size_t i = 0; i < m; i++) {
        rows[i] =
            lhs == p->lhs ? p->rows[first + i] : lft_row(lhs, p->w.k, p->x + (first + i) * p->w.k);
    }
    void *tile = lft_tile(lhs, m, p->w.k, rows);
    /* Neither its start nor its end is aligned for a vector. */
    float *c = lft_guard(((m - 1) * stride + n) * sizeof(float), sizeof(float));
    for (size_t i = 0; i < (m - 1) * stride + n; i++) {
        c[i] = lf_float(CANARY);
    }
    gemm->fn(m, n, p->w.k, tile, panels, c, stride, policy);
    for (size_t i = 0; i < m; i++) {
        memcpy(out + i * n, c + i * stride, n * sizeof(float));
        for (size_t j = n; j < stride && i + 1 < m; j++) {
            assert_int_equal(lf_bits(c[i * stride + j]), CANARY);
        }
    }
    for (size_t i = 0; i < m && lhs != p->lhs; i++) {
        lft_unguard(rows[i]);
    }
    lft_unguard(c);
    lft_unguard(tile);
}

/* The scalar kernel of the same format. */
static const lf_gemm *scalar_of(const lf_gemm *gemm)
{
    const lf_gemm *s = lf_gemm_pick(&scalar_table, gemm->weights, gemm->mins, 256);
    assert_int_equal(s->provider, LF_PROVIDER_SCALAR);
    assert_int_equal(s->weights, gemm->weights);
    return s;
}

static void check_exact(uint64_t *seed, const lf_gemm *gemm, size_t n, size_t k,
                        lft_distribution distribution)
{
    product p = start(seed, gemm, gemm->mr, n, k, distribution);
    const lf_gemm *scalar = scalar_of(gemm);
    void *panels = lft_pack(scalar, &p.w);
    float *want = lft_guard(p.m * n * sizeof(float), sizeof(float));
    float *out = lft_guard(p.m * n * sizeof(float), sizeof(float));
    for (size_t i = 0; i < p.m; i++) {
        run(&p, scalar, panels, i, 1, want + i * n, (lf_prefetch_policy){0});
    }
    for (size_t m = 1; m <= gemm->mr; m++) {
        size_t first = lft_below(seed, (uint32_t)(gemm->mr - m + 1));
        const lf_prefetch_entry *prefetch =
            &lf_prefetch_table[lft_below(seed, LF_PREFETCH_POLICIES)];
        run(&p, gemm, p.panels, first, m, out, prefetch->policy);
        size_t at = lft_differs(m * n, out, want + first * n);
        if (at != m * n) {
            fail_msg("%s m %zu n %zu k %zu distribution %d prefetch %s: row %zu column %zu: %a, "
                     "scalar %a",
                     gemm->name, m, n, k, (int)distribution, prefetch->name, at / n, at % n,
                     (double)out[at], (double)want[first * n + at]);
        }
    }
    lft_unguard(out);
    lft_unguard(want);
    lft_unguard(panels);
    stop(&p);
}

/* Unpacked panels, which end at an inaccessible page. */
static void check_unpacked(uint64_t *seed, const lf_gemm *gemm, size_t n, size_t k,
                           lft_distribution distribution)
{
    product p = start(seed, gemm, gemm->mr, n, k, distribution);
    size_t bytes = gemm->unpacked_bytes(k);
    size_t n_panels = (n + gemm->nr - 1) / gemm->nr;
    uint8_t *unpacked = lft_guard(n_panels * bytes, 64);
    for (size_t i = 0; i < n_panels; i++) {
        gemm->unpack(k, (const uint8_t *)p.panels + i * gemm->panel_bytes(k), unpacked + i * bytes);
    }
    lf_gemm other = *gemm;
    other.fn = gemm->unpacked_fn;
    float *want = lft_guard(p.m * n * sizeof(float), sizeof(float));
    float *out = lft_guard(p.m * n * sizeof(float), sizeof(float));
    for (size_t m = 1; m <= gemm->mr; m++) {
        run(&p, gemm, p.panels, 0, m, want, (lf_prefetch_policy){0});
        run(&p, &other, unpacked, 0, m, out, (lf_prefetch_policy){0});
        if (lft_differs(m * n, out, want) != m * n) {
            fail_msg("%s unpacked: m %zu n %zu k %zu distribution %d", gemm->name, m, n, k,
                     (int)distribution);
        }
    }
    lft_unguard(out);
    lft_unguard(want);
    lft_unguard(unpacked);
    stop(&p);
}

/* The kernel that a test is for. Skips the test if this CPU cannot run it. */
static const lf_gemm *gemm_of(void **state)
{
    const lf_gemm *gemm = *state;
    if ((gemm->needs & ~full_table.cpu) != 0) {
        skip();
    }
    return gemm;
}

static void exact_kernel_equals_scalar(void **state)
{
    const lf_gemm *gemm = gemm_of(state);
    uint64_t seed = lft_seed();
    static const size_t shapes[][2] = {{1, 32},   {7, 64},    {16, 96},   {17, 256}, {40, 32},
                                       {100, 96}, {17, 1792}, {33, 2048}, {64, 160}, {21, 512}};
    for (size_t s = 0; s < sizeof shapes / sizeof shapes[0]; s++) {
        for (int distribution = 0;
             distribution < LFT_N_DISTRIBUTIONS && shapes[s][1] % gemm->k_multiple == 0;
             distribution++) {
            check_exact(&seed, gemm, shapes[s][0], shapes[s][1], (lft_distribution)distribution);
        }
    }
    for (size_t n = 1; n <= 2 * gemm->nr + 1; n++) { /* every remainder of the last panel */
        check_exact(&seed, gemm, n, gemm->k_multiple == 256 ? 256 : 32, LFT_RANDOM);
    }
    for (size_t k = 1; k < 70 && gemm->k_multiple == 1; k += 7) {
        check_exact(&seed, gemm, 19, k, LFT_RANDOM);
    }
}

static void unpacked_panels_equal_packed(void **state)
{
    const lf_gemm *gemm = gemm_of(state);
    uint64_t seed = lft_seed();
    for (int distribution = 0; distribution < LFT_N_DISTRIBUTIONS; distribution++) {
        check_unpacked(&seed, gemm, 1, 256, (lft_distribution)distribution);
        check_unpacked(&seed, gemm, 16, 768, (lft_distribution)distribution);
        check_unpacked(&seed, gemm, 37, 2048, (lft_distribution)distribution);
    }
}

/* ---- Scalar against double precision ---- */

/* The values that the LHS represents: x itself, or quant * scale. */
static void activation_values(const product *p, size_t row, double *out)
{
    const uint32_t *x = p->rows[row];
    for (size_t i = 0; i < p->w.k; i++) {
        if (p->gemm->lhs == LF_LHS_F32) {
            out[i] = (double)p->x[row * p->w.k + i];
            continue;
        }
        if (p->gemm->lhs == LF_LHS_I16B32) {
            const uint32_t *block = x + i / 32 * LF_X2_DWORDS;
            uint32_t pair = block[LF_X2_QUANTS + i % 32 / 4 * 2 + i % 2];
            int16_t quant = (int16_t)(pair >> i % 4 / 2 * 16 & 0xFFFFu);
            out[i] = (double)lf_float(block[LF_X2_SCALE]) * quant;
            continue;
        }
        const uint32_t *block = x + i / 32 * LF_X_DWORDS;
        int8_t quant = (int8_t)(block[LF_X_QUANTS + i % 32 / 4] >> i % 4 * 8 & 0xFFu);
        size_t scale = p->gemm->lhs != LF_LHS_I8B16 ? LF_X_SCALE
                       : i % 32 < 16                ? LF_X16_SCALE_LO
                                                    : LF_X16_SCALE_HI;
        out[i] = (double)lf_float(block[scale]) * quant;
    }
}

static double weight_value(const lft_matrix *w, size_t row, size_t i)
{
    if (w->quants == NULL) {
        return (double)lft_weight_value(w, row, i);
    }
    size_t at = row * (w->k / w->group) + i / w->group;
    double v = (double)w->scales[at] * w->quants[row * w->k + i];
    return w->mins ? v - (double)w->min[at] : v;
}

/* The bound: a chain acc = fma(t, s, acc) of N steps has an error of at most sum_i |t_i s_i| *
 * ((1 + u)^(N + 1) - 1), u = 2^-24: each product passes through at most N roundings of the chain,
 * and t = fl(isum * scale) adds one. gamma = (N + 2) * u is at least that for the N used here.
 * |t_i s_i| <= sum over the block of |quant * scale * weight|, so that S, the sum of magnitudes,
 * bounds their sum. Minimums are further steps with further magnitudes. Results below the normal
 * range add at most 2^-149 a step. */
static void check_scalar(uint64_t *seed, const lf_gemm *gemm, size_t n, size_t k,
                         lft_distribution distribution)
{
    product p = start(seed, gemm, 2, n, k, distribution);
    float *out = lft_guard(2 * n * sizeof(float), sizeof(float));
    double *x = lft_guard(k * sizeof(double), sizeof(double));
    run(&p, gemm, p.panels, 0, 2, out, (lf_prefetch_policy){0});
    double steps = gemm->lhs == LF_LHS_F32 ? (double)k : (double)k / p.w.group * (p.w.mins ? 2 : 1);
    steps += gemm->lhs == LF_LHS_I16B32 ? 1 : 0; /* isum has up to 28 bits: one rounding more */
    for (size_t i = 0; i < 2; i++) {
        activation_values(&p, i, x);
        for (size_t j = 0; j < n; j++) {
            double sum = 0, magnitude = 0;
            for (size_t a = 0; a < k; a++) {
                double w = weight_value(&p.w, j, a);
                sum += x[a] * w;
                magnitude += fabs(x[a] * w);
                if (p.w.mins) { /* quant and minimum are separate terms */
                    magnitude +=
                        2 * fabs(x[a] * (double)p.w.min[j * (k / p.w.group) + a / p.w.group]);
                }
            }
            double bound = magnitude * (steps + 2) * 0x1p-24 + steps * 0x1p-149 +
                           magnitude * 0x1p-40 /* of the double sum */;
            double error = fabs((double)out[i * n + j] - sum);
            if (!(error <= bound)) {
                fail_msg("%s n %zu k %zu distribution %d column %zu: %g, exact %g, bound %g",
                         gemm->name, n, k, (int)distribution, j, (double)out[i * n + j], sum,
                         bound);
            }
        }
    }
    lft_unguard(x);
    lft_unguard(out);
    stop(&p);
}

static void scalar_is_right(void **state)
{
    (void)state;
    uint64_t seed = lft_seed();
    for (uint32_t index = 0; lf_gemm_at(index) != NULL; index++) {
        const lf_gemm *gemm = lf_gemm_at(index);
        for (int distribution = 0;
             distribution < LFT_N_DISTRIBUTIONS && gemm->provider == LF_PROVIDER_SCALAR;
             distribution++) {
            bool super = gemm->k_multiple == 256;
            check_scalar(&seed, gemm, 5, super ? 256 : 32, (lft_distribution)distribution);
            check_scalar(&seed, gemm, 17, super ? 768 : 288, (lft_distribution)distribution);
            check_scalar(&seed, gemm, 16, 2048, (lft_distribution)distribution);
        }
    }
}

/* ---- Kernels with XNNPACK's arithmetic ---- */

static float to_bf16(float f)
{
    uint32_t u = lf_bits(f);
    return lf_float((u + 0x7FFFu + (u >> 16 & 1u)) & 0xFFFF0000u);
}

/* qb4w: scale * (zero * ksum + sum over blocks of s * dot), with s rounded to bf16, zero at most
 * 128 or (with an LHS made unsigned) 256, and LHS quants of at most 256 in the same way.
 * Magnitudes are at most M = scale * 2 * 256 * sum |s * w|. ksum and the blocks have one rounding
 * a block each; a product by zero, one by scale and the sum with the bias add three: (2 * blocks
 * + 4) u M. */
static double qb4w_exact(const product *p, size_t row, size_t column, double *bound)
{
    struct {
        int32_t zero_point;
        float scale;
    } x;
    memcpy(&x, (const uint8_t *)p->rows[row], sizeof x);
    const int8_t *quants = (const int8_t *)p->rows[row] + 128;
    size_t k = p->w.k;
    double sum = 0, magnitude = 0;
    for (size_t i = 0; i < k; i++) {
        double s = (double)to_bf16(p->w.scales[column * (k / 32) + i / 32]);
        double w = s * p->w.quants[column * k + i];
        sum += w * (quants[i] - x.zero_point);
        magnitude += fabs(w);
    }
    *bound = (double)x.scale * 512 * magnitude * ((double)k / 16 + 4) * 0x1p-24;
    return sum * (double)x.scale;
}

/* Floats without a fused multiply-add: two roundings a step. */
static double f32_exact(const product *p, size_t row, size_t column, double *bound)
{
    size_t k = p->w.k;
    double sum = 0, magnitude = 0;
    for (size_t i = 0; i < k; i++) {
        double t = (double)p->x[row * k + i] * (double)lft_weight_value(&p->w, column, i);
        sum += t;
        magnitude += fabs(t);
    }
    *bound = magnitude * (2 * (double)k + 2) * 0x1p-24 + (double)k * 0x1p-148;
    return sum;
}

static void check_inexact(uint64_t *seed, const lf_gemm *gemm, size_t n, size_t k,
                          lft_distribution distribution)
{
    product p = start(seed, gemm, gemm->mr, n, k, distribution);
    float *alone = lft_guard(p.m * n * sizeof(float), sizeof(float));
    float *out = lft_guard(p.m * n * sizeof(float), sizeof(float));
    for (size_t i = 0; i < p.m; i++) {
        run(&p, gemm, p.panels, i, 1, alone + i * n, (lf_prefetch_policy){0});
        for (size_t j = 0; j < n; j++) {
            double bound = 0;
            double want = gemm->lhs == LF_LHS_QD8 ? qb4w_exact(&p, i, j, &bound)
                                                  : f32_exact(&p, i, j, &bound);
            double got = (double)alone[i * n + j];
            if (!(fabs(got - want) <= bound)) {
                fail_msg(
                    "%s n %zu k %zu distribution %d row %zu column %zu: %g, exact %g, bound %g",
                    gemm->name, n, k, (int)distribution, i, j, got, want, bound);
            }
        }
    }
    /* A row's result must not depend on the other rows of the call. */
    for (size_t m = 2; m <= gemm->mr; m++) {
        size_t first = lft_below(seed, (uint32_t)(gemm->mr - m + 1));
        run(&p, gemm, p.panels, first, m, out, (lf_prefetch_policy){0});
        size_t at = lft_differs(m * n, out, alone + first * n);
        if (at != m * n) {
            fail_msg("%s m %zu n %zu k %zu: row %zu column %zu: %a, alone %a", gemm->name, m, n, k,
                     at / n, at % n, (double)out[at], (double)alone[first * n + at]);
        }
    }
    lft_unguard(out);
    lft_unguard(alone);
    stop(&p);
}

static void inexact_kernel_within_bound(void **state)
{
    const lf_gemm *gemm = gemm_of(state);
    uint64_t seed = lft_seed();
    for (int distribution = 0; distribution < LFT_N_DISTRIBUTIONS; distribution++) {
        for (size_t n = 1; n <= 2 * gemm->nr + 1; n++) {
            check_inexact(&seed, gemm, n, 32, (lft_distribution)distribution);
        }
        check_inexact(&seed, gemm, 7, 64, (lft_distribution)distribution);
        check_inexact(&seed, gemm, 37, 288, (lft_distribution)distribution);
        check_inexact(&seed, gemm, 17, 2048, (lft_distribution)distribution);
    }
}

/* ---- The codebook of IQ3_S ---- */

/* Every vector has the magnitudes that src/quant decodes. */
static void codebook_is_right(void **state)
{
    (void)state;
    enum { INDEX = 2, HIGH = 66 }; /* places in a block */
    for (size_t i = 0; i < 512; i++) {
        uint8_t block[110] = {[INDEX] = (uint8_t)i, [HIGH] = (uint8_t)(i >> 8)};
        int8_t quants[256];
        float scales[8];
        lf_unpack_row(LF_IQ3_S, block, 256, quants, scales, NULL);
        for (size_t j = 0; j < 4; j++) {
            assert_int_equal((int)(lf_iq3s_grid[i] >> 8 * j & 0xFFu) - 128, quants[j]);
            assert_int_equal(2 * (lf_iq3s_fields[i] >> 3 * j & 7) + 1, quants[j]);
        }
    }
}

/* ---- The choice ---- */

static void picks_what_runs(void **state)
{
    static const struct {
        lf_wformat weights;
        uint32_t multiple;
        bool mins;
    } formats[] = {{LF_W_F32, 1, false},   {LF_W_F16, 1, false},    {LF_W_BF16, 1, false},
                   {LF_W_Q4, 32, false},   {LF_W_Q8, 32, false},    {LF_W_I8G, 32, false},
                   {LF_W_I8G, 32, true},   {LF_W_Q4K, 256, false},  {LF_W_Q5K, 256, false},
                   {LF_W_Q6K, 256, false}, {LF_W_I8G16, 32, false}, {LF_W_I8G16, 32, true},
                   {LF_W_Q2K, 256, false}, {LF_W_Q3K, 256, false},  {LF_W_IQ3S, 256, false},
                   {LF_W_T4, 32, false},   {LF_W_T4G16, 32, false}};
    for (int pick = LF_PICK_AUTO; pick <= LF_PICK_XNNPACK; pick++) {
        lf_kernels table = lft_table(state, (lf_pick)pick);
        for (size_t f = 0; f < sizeof formats / sizeof formats[0]; f++) {
            size_t step = formats[f].multiple > 32 ? formats[f].multiple : 32;
            for (size_t k = step; k <= 3 * step; k += step) {
                const lf_gemm *g = lf_gemm_pick(&table, formats[f].weights, formats[f].mins, k);
                assert_int_equal(g->weights, formats[f].weights);
                assert_int_equal(g->needs & ~table.cpu, 0);
                assert_int_equal(k % g->k_multiple, 0);
                assert_true(g->mins == formats[f].mins);
                assert_in_range(g->mr, 1, LF_MAX_MR);
                assert_in_range(g->nr, 1, LF_MAX_NR);
                assert_int_equal(table.lhs[g->lhs].needs & ~table.cpu, 0);
                assert_non_null(table.lhs[g->lhs].quantize);
                assert_true(pick != LF_PICK_SCALAR || g->provider == LF_PROVIDER_SCALAR);
                assert_true(pick != LF_PICK_OWN || g->provider != LF_PROVIDER_XNNPACK);
            }
        }
    }
    assert_null(lf_gemm_at(1000));
}

static void masks_close_under_need(void **state)
{
    (void)state;
    uint32_t all = LF_CPU_AVX2 | LF_CPU_AVXVNNI | LF_CPU_AVX512 | LF_CPU_AVX512VNNI |
                   LF_CPU_AVX512BF16 | LF_CPU_GFNI | LF_CPU_SSE41 | LF_CPU_AVX;
    assert_int_equal(lf_cpu_without(all, 0), all);
    assert_int_equal(lf_cpu_without(all, LF_CPU_SSE41), 0);
    assert_int_equal(lf_cpu_without(all, LF_CPU_AVX), LF_CPU_SSE41 | LF_CPU_GFNI);
    assert_int_equal(lf_cpu_without(all, LF_CPU_AVX2), LF_CPU_SSE41 | LF_CPU_GFNI | LF_CPU_AVX);
    assert_int_equal(lf_cpu_without(all, LF_CPU_AVX512),
                     LF_CPU_SSE41 | LF_CPU_GFNI | LF_CPU_AVX | LF_CPU_AVX2 | LF_CPU_AVXVNNI);
    assert_int_equal(lf_cpu_without(all, 0x7fffffff), 0);
    const uint32_t arm = LF_CPU_NEON | LF_CPU_DOTPROD | LF_CPU_I8MM;
    assert_int_equal(lf_cpu_without(arm, 0), arm);
    assert_int_equal(lf_cpu_without(arm, LF_CPU_I8MM), LF_CPU_NEON | LF_CPU_DOTPROD);
    assert_int_equal(lf_cpu_without(arm, LF_CPU_DOTPROD), LF_CPU_NEON);
    assert_int_equal(lf_cpu_without(arm, LF_CPU_NEON), 0);
}

int main(void)
{
    static lft_tests tests;
    lft_add(&tests, "scalar is right", NULL, scalar_is_right, NULL);
    for (uint32_t index = 0; lf_gemm_at(index) != NULL; index++) {
        const lf_gemm *gemm = lf_gemm_at(index);
        if (gemm->exact) {
            lft_add(&tests, "equals scalar", gemm->name, exact_kernel_equals_scalar, gemm);
        } else {
            lft_add(&tests, "within bound", gemm->name, inexact_kernel_within_bound, gemm);
        }
        if (gemm->unpack != NULL) {
            lft_add(&tests, "unpacked", gemm->name, unpacked_panels_equal_packed, gemm);
        }
    }
    lft_add(&tests, "codebook is right", NULL, codebook_is_right, NULL);
    lft_add_levels(&tests, "picks what runs", picks_what_runs);
    lft_add(&tests, "masks close under need", NULL, masks_close_under_need, NULL);
    return cmocka_run_group_tests(tests.list, setup, teardown);
}
