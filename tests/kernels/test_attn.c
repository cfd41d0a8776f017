/* SPDX-License-Identifier: Apache-2.0 */
/* Attention and KV blocks: the tables of all levels of this CPU against the scalar table bit for
 * bit, with buffers that end at inaccessible pages; the scalar table against double precision
 * within derived bounds (u = 2^-24). */
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

/* ---- Attention ---- */

enum { MAX_HEAD = LF_ATTN_MOST_DIMS, MAX_Q = 70, BLOCKS = 3 };

typedef struct attn_case {
    size_t m, head_dim, q_stride, acc_stride;
    float *q;
    uint32_t valid[BLOCKS][MAX_Q];
    void *k[BLOCKS], *v[BLOCKS];
} attn_case;

/* Index of the number of dimension d at position j in a block. */
static size_t kv_place(lf_kv_type type, bool key, size_t head_dim, size_t d, size_t j)
{
    if (type == LF_KV_Q8) {
        return key ? d / 2 * 128 + 2 * j + d % 2 : j / 2 * 2 * head_dim + 2 * d + j % 2;
    }
    return key ? d * 64 + j : j * head_dim + d;
}

/* Scale of a position of LF_KV_Q8; with `odd` sometimes an extreme one. */
static float kv_scale(uint64_t *seed, bool odd)
{
    static const float odds[] = {0.0f, 1e-33f, 1e36f, NAN};
    if (odd && lft_below(seed, 100) == 0) {
        return odds[lft_below(seed, sizeof odds / sizeof odds[0])];
    }
    return 1e-5f * (float)(100 + lft_below(seed, 2000));
}

/* Keys or values. Positions from `most` on, to which no row may attend, are NaN or have a NaN
 * scale. */
static void *kv_block(uint64_t *seed, lf_kv_type type, bool odd, bool key, size_t head_dim,
                      uint32_t most)
{
    uint8_t *block = lft_guard(lf_kv_block_bytes(type, head_dim), sizeof(float));
    for (size_t j = 0; j < LF_ATTN_BLOCK; j++) {
        if (type == LF_KV_Q8) {
            ((float *)(void *)block)[j] = j < most ? kv_scale(seed, odd) : NAN;
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

/* One number of a block, with its scale; both factors are exact in double. */
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

/* A row for the cache, or a query: normal values, zeros, tiny values, or one value that is
 * extreme or NaN. */
static float *kv_row(uint64_t *seed, size_t n)
{
    static const float odd[] = {NAN, INFINITY, -INFINITY, 3e38f, -3e38f, 1e-40f, 65519.9f};
    float *x = lft_floats(n);
    uint32_t choice = lft_below(seed, 6);
    for (size_t i = 0; i < n; i++) {
        x[i] = choice == 0 ? 0.0f : lft_normal(seed) * (choice == 1 ? 1e-31f : 2.0f);
    }
    if (choice == 2) {
        uint32_t at = lft_below(seed, (uint32_t)n);
        x[at] = odd[lft_below(seed, sizeof odd / sizeof odd[0])];
    } else if (choice == 3) {
        x[lft_below(seed, (uint32_t)n)] = lf_float(0x7FC00055u); /* a NaN with a payload */
    }
    return x;
}

/* `odd`: with scales and queries that no model makes. */
static attn_case attn_start(uint64_t *seed, lf_kv_type type, bool odd, size_t m, size_t head_dim)
{
    attn_case c = {
        .m = m, .head_dim = head_dim, .q_stride = head_dim + 5, .acc_stride = head_dim + 3};
    c.q = lft_floats((m - 1) * c.q_stride + head_dim);
    for (size_t i = 0; i < (m - 1) * c.q_stride + head_dim; i++) {
        c.q[i] = lft_normal(seed) * 0.5f;
    }
    for (size_t i = 0; odd && i < m; i++) {
        float *row = kv_row(seed, head_dim);
        memcpy(c.q + i * c.q_stride, row, head_dim * sizeof(float));
        lft_unguard(row);
    }
    for (size_t b = 0; b < BLOCKS; b++) {
        uint32_t most = 0;
        for (size_t i = 0; i < m; i++) {
            uint32_t choice = lft_below(seed, 4);
            c.valid[b][i] = choice == 0 ? 0 : choice == 1 ? LF_ATTN_BLOCK : 1 + lft_below(seed, 64);
            most = c.valid[b][i] > most ? c.valid[b][i] : most;
        }
        c.k[b] = kv_block(seed, type, odd, true, head_dim, most);
        c.v[b] = kv_block(seed, type, odd, false, head_dim, most);
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

/* Attends with rows [first, first + m) to all blocks; out, for each row: max, sum,
 * acc[head_dim]. */
static void attn_run(const attn_case *c, const lf_kv *fn, size_t first, size_t m, float *out)
{
    size_t width = c->head_dim + 2;
    float *max = lft_floats(m), *sum = lft_floats(m);
    float *acc = lft_floats((m - 1) * c->acc_stride + c->head_dim);
    for (size_t i = 0; i < m; i++) {
        max[i] = -INFINITY;
        sum[i] = 0.0f;
        memset(acc + i * c->acc_stride, 0, c->head_dim * sizeof(float));
    }
    float *q = lft_floats((m - 1) * c->q_stride + c->head_dim);
    memcpy(q, c->q + first * c->q_stride, ((m - 1) * c->q_stride + c->head_dim) * sizeof(float));
    for (size_t i = 0; i < m && fn->query != NULL; i++) {
        fn->query(c->head_dim, q + i * c->q_stride);
    }
    const lf_attn_state state = {max, sum, acc, c->acc_stride};
    for (size_t b = 0; b < BLOCKS; b++) {
        size_t next = b + 1 < BLOCKS ? b + 1 : 0;
        const lf_kv_blocks kv = {c->k[b], c->v[b], c->k[next], c->v[next],
                                 lf_prefetch_table[(m + b) % LF_PREFETCH_POLICIES].policy};
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

/* Up to one tile; more than one; as many as use a block together; more than that. */
static const size_t row_counts[] = {1, 2, 3, 4, 5, 6, 7, 9, 13, 32, 33, MAX_Q};
enum { N_ROWS = sizeof row_counts / sizeof row_counts[0] };

static void check_attn(const lf_ops *ops, uint64_t *seed, lf_kv_type type, bool odd, size_t m,
                       size_t head_dim)
{
    attn_case c = attn_start(seed, type, odd, m, head_dim);
    size_t width = head_dim + 2;
    float *a = lft_floats(m * width), *b = lft_floats(m * width);
    for (size_t i = 0; i < m; i++) { /* one row at a time: the result must not depend on the tile */
        attn_run(&c, &scalar.kv[type], i, 1, b + i * width);
    }
    attn_run(&c, &ops->kv[type], 0, m, a);
    LFT_SAME(m * width, a, b);
    lft_unguard(a);
    lft_unguard(b);
    attn_stop(&c);
}

static void attention(void **state)
{
    uint64_t seed = lft_seed();
    lf_kernels table = lft_table(state, LF_PICK_AUTO);
    for (size_t h = 0; h < N_HEAD_DIMS; h++) {
        for (size_t i_m = 0; i_m < N_ROWS; i_m++) {
            size_t m = row_counts[i_m];
            bool tiles = m <= 7; /* one or two tiles, where the special cases are */
            if (!tiles && (head_dims[h] == MAX_HEAD ||
                           (m > 13 && head_dims[h] != 24 && head_dims[h] != 80))) {
                continue;
            }
            for (int type = 0; type < LF_KV_COUNT; type++) {
                check_attn(&table.ops, &seed, (lf_kv_type)type, false, m, head_dims[h]);
                if (tiles) {
                    check_attn(&table.ops, &seed, (lf_kv_type)type, true, m, head_dims[h]);
                }
            }
        }
    }
}

/* The largest sums: all quants at their limits. */
static void int8_sums_fit(void **state)
{
    size_t n = MAX_HEAD;
    lf_kernels table = lft_table(state, LF_PICK_AUTO);
    const lf_kv *kv = &table.ops.kv[LF_KV_Q8];
    float *q = lft_floats(n), *x = lft_floats(n), *acc = lft_floats(n);
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
    kv->attn(1, n, q, n, &valid,
             &(lf_kv_blocks){.k = block, .v = values, .next_k = block, .next_v = values},
             &(lf_attn_state){&max, &sum, acc, n});
    assert_true(fabsf(max + (float)n) < 1e-3f * (float)n);
    assert_true(fabsf(acc[n - 1] / sum + 2.0f) < 1e-3f);
    lft_unguard(q);
    lft_unguard(x);
    lft_unguard(acc);
    lft_unguard(block);
    lft_unguard(values);
}

/* ---- Storing a position ---- */

/* Every position, in another order, against the scalar function; no other bytes may change. */
static void check_store(const lf_ops *ops, uint64_t *seed, lf_kv_type type, size_t head_dim)
{
    size_t bytes = lf_kv_block_bytes(type, head_dim);
    uint8_t *block[4]; /* k, v, then both by the scalar function */
    for (size_t i = 0; i < 4; i++) {
        block[i] = lft_guard(bytes, sizeof(float));
        memset(block[i], 0x5A, bytes);
    }
    for (size_t n = 0; n < LF_ATTN_BLOCK; n++) {
        size_t j = n * 37 % LF_ATTN_BLOCK;
        float *k = kv_row(seed, head_dim), *v = kv_row(seed, head_dim);
        ops->kv[type].store(head_dim, j, k, v, block[0], block[1]);
        scalar.kv[type].store(head_dim, j, k, v, block[2], block[3]);
        assert_memory_equal(block[0], block[2], bytes);
        assert_memory_equal(block[1], block[3], bytes);
        lft_unguard(k);
        lft_unguard(v);
    }
    for (size_t i = 0; i < 4; i++) {
        lft_unguard(block[i]);
    }
}

/* Queries are bit-equal on every ISA, because one ISA may quantize a query that another reads. */
static void check_query(const lf_ops *ops, uint64_t *seed, size_t head_dim)
{
    for (int i = 0; i < 20; i++) {
        float *q = kv_row(seed, head_dim);
        float *want = lft_floats(head_dim);
        memcpy(want, q, head_dim * sizeof(float));
        ops->kv[LF_KV_Q8].query(head_dim, q);
        scalar.kv[LF_KV_Q8].query(head_dim, want);
        assert_memory_equal(q, want, head_dim * sizeof(float));
        lft_unguard(q);
        lft_unguard(want);
    }
}

static void storing(void **state)
{
    uint64_t seed = lft_seed();
    lf_kernels table = lft_table(state, LF_PICK_AUTO);
    for (size_t h = 0; h < N_HEAD_DIMS; h++) {
        for (int type = 0; type < LF_KV_COUNT; type++) {
            check_store(&table.ops, &seed, (lf_kv_type)type, head_dims[h]);
        }
        check_query(&table.ops, &seed, head_dims[h]);
    }
}

/* ---- Scalar against double precision ---- */

/*
 * The ratio acc / sum of one row against double precision. A score has an error of at most
 * (head_dim + 1) * u * sum |q k| =: e (1 of it by the scale), the subtraction of the maximum
 * another u * |score - max|, exp 4 u; so each weight is off by a factor within 1 + e + |score -
 * max| u + 4 u (e is small). Sums add at most (64 * blocks + 8) u and rescaling 6 u a block.
 * Twice that for numerator and denominator.
 *
 * LF_KV_Q8: a quant is off by half a step and by the rounding of factor, product and scale: STEP
 * of the largest number. So e is STEP * largest |q| * sum |k| and 3 u * |score|, and each value
 * of a block contributes another STEP of the block's largest weight times the scale of its
 * position.
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

/* The error by the quants of the weights in dimension d: all values of a block, each with the
 * largest weight of the block. */
static double weights_lost(const attn_case *c, double p[BLOCKS][LF_ATTN_BLOCK], size_t d)
{
    double lost = 0;
    for (size_t b = 0; b < BLOCKS; b++) {
        const float *scales = c->v[b];
        double largest = 0, quants = 0;
        for (size_t j = 0; j < c->valid[b][0]; j++) {
            largest = fmax(largest, p[b][j] * (double)scales[j]);
            quants +=
                fabs(kv_number(LF_KV_Q8, false, c->v[b], c->head_dim, d, j)) / (double)scales[j];
        }
        lost += STEP * largest * quants;
    }
    return lost;
}

static void check_attn_error(uint64_t *seed, lf_kv_type type, size_t head_dim)
{
    const double u = 0x1p-24;
    attn_case c = attn_start(seed, type, false, 1, head_dim);
    float row[MAX_HEAD + 2];
    attn_run(&c, &scalar.kv[type], 0, 1, row);
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
        lft_near((double)row[2 + d] / (double)row[1], want / sum, (magnitude * factor + lost) / sum,
                 "attention");
    }
    attn_stop(&c);
}

/* Largest error of a stored number: half a unit in the last of 11 bits, or half a step of the
 * quants and two roundings. */
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
            scalar.kv[type].store(n, j, k, v, kb, vb);
            for (size_t d = 0; d < n; d++) {
                lft_near(kv_number(type, true, kb, n, d, j), (double)k[d],
                         kv_bound(type, (double)k[d], largest_of(n, k)), "stored key");
                lft_near(kv_number(type, false, vb, n, d, j), (double)v[d],
                         kv_bound(type, (double)v[d], largest_of(n, v)), "stored value");
            }
            k[n / 2] = NAN; /* the results must not be finite */
            v[n / 2] = -INFINITY;
            scalar.kv[type].store(n, j, k, v, kb, vb);
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
                check_attn_error(&seed, (lf_kv_type)type, head_dims[h]);
            }
        }
    }
}

int main(void)
{
    static lft_tests tests;
    lft_add(&tests, "storing is right", NULL, storing_is_right, NULL);
    lft_add(&tests, "attention is right", NULL, attention_is_right, NULL);
    lft_add_levels(&tests, "storing", storing);
    lft_add_levels(&tests, "attention", attention);
    lft_add_levels(&tests, "int8 sums fit", int8_sums_fit);
    return cmocka_run_group_tests(tests.list, setup, teardown);
}
