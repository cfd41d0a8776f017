/* SPDX-License-Identifier: Apache-2.0 */
/* ctest-labels: golden */
/*
 * exp, log, pow, sine and cosine, and the kernels' fma: against exact values
 * (golden/elementary.txt), at their edges, and against the bits that every machine must produce.
 */
#include "common/elementary.h"
#include "kernels/exp.h"
#include "kernels/numbers.h"
#include "support/random.h"

#include <stdbool.h>
#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>

static uint64_t bits_of(double x)
{
    uint64_t bits;
    memcpy(&bits, &x, sizeof bits);
    return bits;
}

static double double_of(uint64_t bits)
{
    double x;
    memcpy(&x, &bits, sizeof x);
    return x;
}

/* ---- Exact values ---- */

/* A line of the file: a name, numbers in hexadecimal, and for doubles the rounding error. */
typedef struct golden {
    char name[16];
    uint64_t v[4];
    double rest;
} golden;

static bool read_golden(FILE *f, golden *g)
{
    char line[128];
    do {
        if (fgets(line, sizeof line, f) == NULL) {
            return false;
        }
    } while (line[0] == '#');
    char *rest = NULL;
    size_t n = 0;
    for (char *word = strtok_r(line, " \n", &rest); word != NULL;
         word = strtok_r(NULL, " \n", &rest)) {
        if (n == 0) {
            snprintf(g->name, sizeof g->name, "%s", word);
        } else if (strchr(word, '.') != NULL) {
            g->rest = strtod(word, NULL);
        } else {
            assert_in_range(n, 1, 4);
            g->v[n - 1] = strtoull(word, NULL, 16);
        }
        n++;
    }
    return true;
}

/* Units in the last place between a result and the exact value. Doubles of one sign have the order
 * of their bits. */
static double error_of(double got, uint64_t nearest, double rest)
{
    return fabs((double)(int64_t)(bits_of(got) - nearest) - rest);
}

static void check_double(const golden *g, double got, double exact, double bound)
{
    uint64_t nearest = bits_of(exact);
    bool subnormal = fabs(exact) < 0x1p-1022;
    double error = error_of(got, nearest, g->rest);
    if (!(error <= bound + (subnormal ? 0.42 : 0))) {
        fail_msg("%s %016" PRIx64 " %016" PRIx64 ": %a, %g units from the exact value", g->name,
                 g->v[0], g->v[1], got, error);
    }
}

static void exact_values(void **state)
{
    (void)state;
    FILE *f = fopen(LFM2_TEST_DATA "/golden/elementary.txt", "r");
    assert_non_null(f);
    int n[5] = {0};
    for (golden g = {0}; read_golden(f, &g);) {
        double x = double_of(g.v[0]);
        if (strcmp(g.name, "exp") == 0) {
            check_double(&g, lf_exp_f64(x), double_of(g.v[1]), 0.58);
            n[0]++;
        } else if (strcmp(g.name, "log") == 0) {
            check_double(&g, lf_log_f64(x), double_of(g.v[1]), 0.57);
            n[1]++;
        } else if (strcmp(g.name, "pow") == 0) {
            double y = double_of(g.v[1]);
            check_double(&g, lf_pow_f64(x, y), double_of(g.v[2]), 0.58 + 0.034 * fabs(y));
            n[2]++;
        } else if (strcmp(g.name, "sincos") == 0) {
            float s = 0;
            float c = 0;
            lf_sincos_f32(lf_float((uint32_t)g.v[0]), &s, &c);
            assert_int_equal(lf_bits(s), g.v[1]);
            assert_int_equal(lf_bits(c), g.v[2]);
            n[3]++;
        } else {
            assert_string_equal(g.name, "fma");
            float sum = lf_fma(lf_float((uint32_t)g.v[0]), lf_float((uint32_t)g.v[1]),
                               lf_float((uint32_t)g.v[2]));
            assert_int_equal(lf_bits(sum), g.v[3]);
            n[4]++;
        }
    }
    fclose(f);
    for (size_t i = 0; i < sizeof n / sizeof n[0]; i++) {
        assert_true(n[i] > 100);
    }
}

/* ---- Edges ---- */

static const double infinity = (double)INFINITY;
static const double no_number = (double)NAN;

static void edges_of_exp_and_log(void **state)
{
    (void)state;
    assert_true(lf_exp_f64(infinity) == infinity);
    assert_true(lf_exp_f64(0x1.62e42fefa39fp+9) == infinity);
    assert_true(lf_exp_f64(1e300) == infinity);
    assert_int_equal(bits_of(lf_exp_f64(-infinity)), 0);
    assert_int_equal(bits_of(lf_exp_f64(-745.13)), 1);
    assert_int_equal(bits_of(lf_exp_f64(-745.2)), 0);
    assert_int_equal(bits_of(lf_exp_f64(-0x1.74910d52d3052p+9)), 0); /* 2^-1075 and less */
    assert_int_equal(bits_of(lf_exp_f64(-1e300)), 0);
    assert_true(isnan(lf_exp_f64(no_number)));
    assert_true(lf_exp_f64(0) == 1 && lf_exp_f64(-0.0) == 1);

    assert_true(lf_log_f64(0) == -infinity && lf_log_f64(-0.0) == -infinity);
    assert_true(lf_log_f64(infinity) == infinity);
    assert_true(isnan(lf_log_f64(no_number)) && isnan(lf_log_f64(-1)) &&
                isnan(lf_log_f64(-infinity)));
    assert_true(isnan(lf_log_f64(-0x1p-1074)));
    assert_int_equal(bits_of(lf_log_f64(1)), 0);
}

static void edges_of_pow(void **state)
{
    (void)state;
    assert_true(lf_pow_f64(5, 0) == 1 && lf_pow_f64(1, -1e308) == 1 && lf_pow_f64(7, 1e-320) == 1);
    assert_true(lf_pow_f64(2, 1024) == infinity);
    assert_true(lf_pow_f64(1e308, 1e308) == infinity);
    assert_true(lf_pow_f64(0.5, 1076) == 0 && lf_pow_f64(0.5, 1e308) == 0);
    assert_true(isnan(lf_pow_f64(0, 1)) && isnan(lf_pow_f64(-2, 2)) &&
                isnan(lf_pow_f64(no_number, 0)));
    assert_true(isnan(lf_pow_f64(infinity, 1)) && isnan(lf_pow_f64(2, infinity)));
    assert_true(isnan(lf_pow_f64(2, no_number)));
}

static void edges_of_angles(void **state)
{
    (void)state;
    const float bad[] = {INFINITY, -INFINITY, NAN};
    for (size_t i = 0; i < 3; i++) {
        float s = 0;
        float c = 0;
        lf_sincos_f32(bad[i], &s, &c);
        assert_true(isnan(s) && isnan(c));
    }
    /* Odd and even. */
    uint64_t seed = 3;
    for (int i = 0; i < 10000; i++) {
        float x = lf_float((uint32_t)random_u64(&seed) & 0x7FFFFFFFu);
        float s[2] = {0};
        float c[2] = {0};
        lf_sincos_f32(x, &s[0], &c[0]);
        lf_sincos_f32(-x, &s[1], &c[1]);
        if (x < INFINITY) {
            assert_int_equal(lf_bits(s[0]) ^ 0x80000000u, lf_bits(s[1]));
            assert_int_equal(lf_bits(c[0]), lf_bits(c[1]));
        }
    }
}

static void edges_of_fma(void **state)
{
    (void)state;
    assert_true(lf_fma(INFINITY, 1, 1) == INFINITY && lf_fma(1, 1, -INFINITY) == -INFINITY);
    assert_true(isnan(lf_fma(INFINITY, 0, 1)) && isnan(lf_fma(INFINITY, 1, -INFINITY)));
    assert_true(isnan(lf_fma(NAN, 1, 1)) && isnan(lf_fma(1, 1, NAN)));
    assert_true(lf_fma(0x1p127f, 2, 0) == INFINITY);
    assert_int_equal(lf_bits(lf_fma(0x1p127f, 2, -0x1p127f)), lf_bits(0x1p127f));
    assert_int_equal(lf_bits(lf_fma(1, -1, 1)), 0);
    assert_int_equal(lf_bits(lf_fma(0, -1, -0.0f)), 0x80000000u);
    assert_int_equal(lf_bits(lf_fma(0, 1, -0.0f)), 0);
    assert_int_equal(lf_bits(lf_fma(-0x1p-149f, 0x1p-149f, 0)), 0x80000000u);
}

/* ---- The same bits everywhere ---- */

/* FNV-1a over the bytes of the bits, lowest first. */
static uint64_t add_bits(uint64_t hash, uint64_t bits)
{
    for (int i = 0; i < 8; i++) {
        hash = (hash ^ (bits >> 8 * i & 0xFFu)) * 0x100000001B3u;
    }
    return hash;
}

/* All NaN are the same: their bits are not defined. */
static uint64_t add_double(uint64_t hash, double x)
{
    return add_bits(hash, isnan(x) ? 1 : bits_of(x));
}

static double between(uint64_t *seed, double low, double high)
{
    return low + (high - low) * ((double)(random_u64(seed) >> 11) * 0x1p-53);
}

static void same_bits_everywhere(void **state)
{
    (void)state;
    enum { N = 1 << 16 };
    const uint64_t basis = 0xCBF29CE484222325u;
    uint64_t hash[5] = {basis, basis, basis, basis, basis};
    uint64_t seed = 14;
    for (int i = 0; i < N; i++) {
        double x = double_of(random_u64(&seed)); /* of every magnitude */
        hash[0] = add_double(hash[0], lf_exp_f64(x));
        hash[0] = add_double(hash[0], lf_exp_f64(between(&seed, -746, 710)));
        hash[0] = add_double(hash[0], lf_exp_f64(between(&seed, -40, 0)));
        hash[1] = add_double(hash[1], lf_log_f64(fabs(x)));
        hash[1] = add_double(hash[1], lf_log_f64(between(&seed, 0, 2)));
        double y = between(&seed, -1, 1);
        hash[2] = add_double(hash[2], lf_pow_f64(fabs(x), y));
        double theta = between(&seed, 0, 1e7);
        y = between(&seed, -40, 0);
        hash[2] = add_double(hash[2], lf_pow_f64(theta, y));
        float f[6];
        for (size_t k = 0; k < 6; k++) {
            f[k] = lf_float((uint32_t)(random_u64(&seed) >> 32));
        }
        float turn[4];
        lf_sincos_f32(f[0], &turn[0], &turn[1]);
        lf_sincos_f32((float)between(&seed, 0, 2e6), &turn[2], &turn[3]);
        for (size_t k = 0; k < 4; k++) {
            hash[3] = add_double(hash[3], (double)turn[k]);
        }
        hash[4] = add_double(hash[4], (double)lf_fma(f[1], f[2], f[3]));
        float near = lf_float((lf_bits(f[4]) & 0x7FFFFFu) | 0x3F800000u);
        hash[4] = add_double(hash[4], (double)lf_fma(near, f[5], -f[5]));
    }
    /* exp, log, pow, sine and cosine, fma: the hashes for every compiler, C library and CPU */
    const uint64_t pinned[5] = {0x4CA8031902CA931Eu, 0x4FF5A864B6C86D9Cu, 0x02086BEC8106F296u,
                                0x4C7B24568A79CC4Au, 0xF767513A61EFC1EDu};
    for (size_t i = 0; i < 5; i++) {
        if (hash[i] != pinned[i]) {
            fail_msg("hash %zu is 0x%016" PRIX64, i, hash[i]);
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(exact_values), cmocka_unit_test(edges_of_exp_and_log),
        cmocka_unit_test(edges_of_pow), cmocka_unit_test(edges_of_angles),
        cmocka_unit_test(edges_of_fma), cmocka_unit_test(same_bits_everywhere),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
