/* SPDX-License-Identifier: Apache-2.0 */
/* Helpers of the kernel tests. */
#define _DEFAULT_SOURCE /* MAP_ANONYMOUS */
#include "support/kernel_util.h"

#include "kernels/numbers.h"
#include "quant/quant.h"

#include <math.h>
#include <stdarg.h>
#include <setjmp.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

#include <cmocka.h>

/* ---- Memory ---- */

enum { MAX_GUARDS = 4096 };
static struct {
    uint8_t *map, *user;
    size_t bytes;
} guards[MAX_GUARDS];
static size_t n_guards;

void *lft_guard(size_t bytes, size_t align)
{
    size_t page = (size_t)sysconf(_SC_PAGESIZE);
    size_t padded = (bytes + align - 1) / align * align;
    size_t inner = (padded + page - 1) / page * page;
    uint8_t *map =
        mmap(NULL, inner + 2 * page, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    assert_true(map != (uint8_t *)MAP_FAILED);
    assert_int_equal(mprotect(map, page, PROT_NONE), 0);
    assert_int_equal(mprotect(map + page + inner, page, PROT_NONE), 0);
    assert_true(n_guards < MAX_GUARDS);
    uint8_t *user = map + page + inner - padded;
    memset(user, 0xA5, padded);
    guards[n_guards].map = map;
    guards[n_guards].user = user;
    guards[n_guards].bytes = inner + 2 * page;
    n_guards++;
    return user;
}

float *lft_floats(size_t n)
{
    return lft_guard(n * sizeof(float), sizeof(float));
}

void lft_unguard(void *p)
{
    for (size_t i = n_guards; p != NULL && i-- > 0;) {
        if (guards[i].user == p) {
            munmap(guards[i].map, guards[i].bytes);
            guards[i] = guards[--n_guards];
            return;
        }
    }
    assert_null(p);
}

void lft_unguard_all(void)
{
    while (n_guards > 0) {
        lft_unguard(guards[n_guards - 1].user);
    }
}

/* ---- Random numbers ---- */

uint64_t lft_seed(void)
{
    const char *text = getenv("LFT_SEED");
    uint64_t seed = text != NULL ? strtoull(text, NULL, 10) : 20240611u;
    print_message("LFT_SEED=%llu\n", (unsigned long long)seed);
    return seed;
}

uint64_t lft_next(uint64_t *state)
{
    uint64_t z = *state += 0x9E3779B97F4A7C15u;
    z = (z ^ z >> 30) * 0xBF58476D1CE4E5B9u;
    z = (z ^ z >> 27) * 0x94D049BB133111EBu;
    return z ^ z >> 31;
}

float lft_uniform(uint64_t *state)
{
    return (float)(lft_next(state) >> 40) * 0x1p-24f;
}

float lft_normal(uint64_t *state)
{
    float sum = -6.0f;
    for (int i = 0; i < 12; i++) {
        sum += lft_uniform(state);
    }
    return sum;
}

uint32_t lft_below(uint64_t *state, uint32_t n)
{
    return (uint32_t)((lft_next(state) >> 32) * n >> 32);
}

/* ---- Weights ---- */

static int8_t random_quant(uint64_t *state, bool nibble, lft_distribution distribution)
{
    int low = nibble ? -8 : -128, high = nibble ? 7 : 127;
    if (distribution == LFT_EXTREME) {
        return (int8_t)(lft_below(state, 2) != 0 ? low : high);
    }
    return (int8_t)(low + (int)lft_below(state, (uint32_t)(high - low + 1)));
}

/* Scales are f16 values for the formats that store f16. */
static float random_scale(uint64_t *state, bool half, lft_distribution distribution)
{
    float f = (0.5f + lft_uniform(state)) * 0.02f;
    if (distribution == LFT_SCALES) {
        static const float odd[] = {0.0f, 0x1p-24f, 0x1.8p-20f, 65504.0f, -65504.0f, -0.001f, 1.0f};
        f = odd[lft_below(state, sizeof odd / sizeof odd[0])];
    }
    return half ? lf_half_to_float(lf_float_to_half(f)) : f;
}

static void random_value(uint64_t *state, lf_wformat format, lft_distribution distribution,
                         uint8_t *out)
{
    float f = distribution == LFT_EXTREME ? (lft_below(state, 2) != 0 ? 1000.0f : -1000.0f)
                                          : lft_normal(state);
    if (distribution == LFT_SCALES) {
        static const float odd[] = {0.0f, -0.0f, 0x1p-24f, 0x1p-126f, 60000.0f, -1.0f};
        f = odd[lft_below(state, sizeof odd / sizeof odd[0])];
    }
    uint16_t h = format == LF_W_F16 ? lf_float_to_half(f) : (uint16_t)(lf_bits(f) >> 16);
    if (format == LF_W_F32) {
        memcpy(out, &f, sizeof f);
    } else {
        memcpy(out, &h, sizeof h);
    }
}

static bool is_float(lf_wformat format)
{
    return format == LF_W_F32 || format == LF_W_F16 || format == LF_W_BF16;
}

static size_t value_size(lf_wformat format)
{
    return format == LF_W_F32 ? 4 : 2;
}

/* Type of a K format. */
static bool is_k(lf_wformat format, lf_type *type)
{
    static const struct {
        lf_wformat format;
        lf_type type;
    } types[] = {{LF_W_Q2K, LF_Q2_K}, {LF_W_Q3K, LF_Q3_K}, {LF_W_IQ3S, LF_IQ3_S},
                 {LF_W_Q4K, LF_Q4_K}, {LF_W_Q5K, LF_Q5_K}, {LF_W_Q6K, LF_Q6_K}};
    for (size_t i = 0; i < sizeof types / sizeof types[0]; i++) {
        *type = types[i].type;
        if (types[i].format == format) {
            return true;
        }
    }
    return false;
}

/* Raw blocks of random bytes (with LFT_EXTREME all 0 or all 255) with chosen d and dmin, and
 * their quants, scales and minimums by src/quant. */
static void random_k(uint64_t *state, lft_matrix *w, lf_type type, lft_distribution distribution)
{
    const lf_type_info *info = lf_type_get(type);
    size_t row_bytes = lf_row_bytes(type, w->k), groups = w->k / w->group;
    w->values = lft_guard(w->n * row_bytes, 1);
    for (uint8_t *block = w->values; block < w->values + w->n * row_bytes;
         block += info->block_bytes) {
        for (uint32_t i = 0; i < info->block_bytes; i++) {
            uint32_t random = lft_below(state, distribution == LFT_EXTREME ? 2 : 256);
            block[i] = (uint8_t)(distribution == LFT_EXTREME ? random * 255 : random);
        }
        uint16_t d[2];
        for (size_t i = 0; i < 2; i++) {
            d[i] = lf_float_to_half(random_scale(state, true, distribution));
        }
        size_t bytes = info->has_min ? 4 : 2; /* d and dmin are at the start or the end */
        bool first = type == LF_Q4_K || type == LF_Q5_K || type == LF_IQ3_S;
        memcpy(block + (first ? 0 : info->block_bytes - bytes), d, bytes);
    }
    for (size_t row = 0; row < w->n; row++) {
        lf_unpack_row(type, w->values + row * row_bytes, w->k, w->quants + row * w->k,
                      w->scales + row * groups, w->mins ? w->min + row * groups : NULL);
    }
}

/* One of 16 quants, from -128 to 127 or from -32 to 31; quant: -8 to 7. */
static int8_t table_value(lf_wformat format, int8_t quant)
{
    int8_t value = (int8_t)(format == LF_W_T4 ? quant * 16 : quant * 4);
    return quant == 7 ? (int8_t)(format == LF_W_T4 ? 127 : 31) : value;
}

lft_matrix lft_weights(uint64_t *state, const lf_gemm *like, size_t n, size_t k,
                       lft_distribution distribution)
{
    lft_matrix w = {.format = like->weights,
                    .group = like->lhs == LF_LHS_I8B16 ? 16 : 32,
                    .mins = like->mins,
                    .n = n,
                    .k = k};
    lf_type type;
    if (is_k(w.format, &type)) {
        w.mins = lf_type_get(type)->has_min;
    }
    if (is_float(w.format)) {
        w.values = lft_guard(n * k * value_size(w.format), 1);
        for (size_t i = 0; i < n * k; i++) {
            random_value(state, w.format, distribution, w.values + i * value_size(w.format));
        }
        return w;
    }
    w.quants = lft_guard(n * k, 1);
    const bool table = w.format == LF_W_T4 || w.format == LF_W_T4G16;
    for (size_t i = 0; i < n * k; i++) {
        int8_t quant = random_quant(state, w.format == LF_W_Q4 || table, distribution);
        w.quants[i] = table ? table_value(w.format, quant) : quant;
    }
    size_t groups = n * (k / w.group);
    w.scales = lft_guard(groups * sizeof(float), sizeof(float));
    w.min = w.mins ? lft_guard(groups * sizeof(float), sizeof(float)) : NULL;
    if (is_k(w.format, &type)) {
        random_k(state, &w, type, distribution);
        return w;
    }
    for (size_t i = 0; i < groups; i++) {
        bool half = w.format != LF_W_I8G && w.format != LF_W_I8G16 && w.format != LF_W_T4;
        w.scales[i] = random_scale(state, half, distribution);
        if (w.mins) {
            float scale = random_scale(state, false, distribution);
            w.min[i] = scale * lft_normal(state);
        }
    }
    return w;
}

void lft_weights_free(lft_matrix *w)
{
    lft_unguard(w->quants);
    lft_unguard(w->scales);
    lft_unguard(w->min);
    lft_unguard(w->values);
    *w = (lft_matrix){0};
}

float lft_weight_value(const lft_matrix *w, size_t row, size_t i)
{
    const uint8_t *p = w->values + (row * w->k + i) * value_size(w->format);
    switch (w->format) {
    case LF_W_F32:
        return lf_load_f32(p);
    case LF_W_F16:
        return lf_half_to_float(lf_load_u16(p));
    default:
        return lf_float((uint32_t)lf_load_u16(p) << 16);
    }
}

void *lft_pack(const lf_gemm *gemm, const lft_matrix *w)
{
    size_t bytes = gemm->panel_bytes(w->k);
    size_t panels = (w->n + gemm->nr - 1) / gemm->nr;
    assert_int_equal(bytes % 64, 0);
    uint8_t *out = lft_guard(bytes * panels, 64);
    for (size_t p = 0; p < panels; p++) {
        size_t row = p * gemm->nr;
        size_t groups = w->k / w->group;
        lf_panel_source source = {.rows =
                                      (uint32_t)(w->n - row < gemm->nr ? w->n - row : gemm->nr)};
        lf_type type;
        if (is_k(w->format, &type)) {
            source.raw = w->values + row * lf_row_bytes(type, w->k);
        } else if (is_float(w->format)) {
            source.raw = w->values + row * w->k * value_size(w->format);
        } else {
            source.quants = w->quants + row * w->k;
            source.scales = w->scales + row * groups;
            source.mins = w->mins ? w->min + row * groups : NULL;
        }
        gemm->pack(w->k, &source, out + p * bytes);
    }
    return out;
}

/* ---- Activations ---- */

void lft_activations(uint64_t *state, size_t k, lft_distribution distribution, float *x)
{
    float block = 1.0f;
    for (size_t i = 0; i < k; i++) {
        if (distribution == LFT_SCALES && i % 32 == 0) {
            static const float odd[] = {0.0f, 0x1p-120f, 0x1p-60f, 1.0f, 0x1p40f};
            block = odd[lft_below(state, sizeof odd / sizeof odd[0])];
        }
        float f = lft_normal(state);
        x[i] = distribution == LFT_EXTREME ? (f < 0.0f ? -3.0f : 3.0f) : f * block;
    }
}

void *lft_row(const lf_lhs *lhs, size_t k, const float *x)
{
    assert_int_equal(lhs->row_bytes(k) % 64, 0);
    void *row = lft_guard(lhs->row_bytes(k), 64);
    lhs->quantize(k, x, row);
    return row;
}

void *lft_tile(const lf_lhs *lhs, size_t m, size_t k, void *const *rows)
{
    const void *views[64];
    assert_true(m <= sizeof views / sizeof views[0]);
    for (size_t i = 0; i < m; i++) {
        views[i] = rows[i];
    }
    assert_int_equal(lhs->tile_bytes(m, k) % 64, 0);
    void *tile = lft_guard(lhs->tile_bytes(m, k), 64);
    lhs->pack(m, k, views, tile);
    return tile;
}

/* ---- Comparison ---- */

size_t lft_differs(size_t n, const float *a, const float *b)
{
    for (size_t i = 0; i < n; i++) {
        bool both_nan = a[i] != a[i] && b[i] != b[i];
        if (lf_bits(a[i]) != lf_bits(b[i]) && !both_nan) {
            return i;
        }
    }
    return n;
}

void lft_near(double got, double want, double bound, const char *what)
{
    if (!(fabs(got - want) <= bound)) {
        fail_msg("%s: %.9g, exact %.9g, bound %.3g", what, got, want, bound);
    }
}
