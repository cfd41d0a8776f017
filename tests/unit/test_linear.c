/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Products of groups of rows against the same kernels on one row at a time, bit for bit: groups,
 * tiles and the division over threads must not matter. The sizes need several steps of panels, also
 * unpacked ones. Every buffer is as large as a workspace's and ends at an inaccessible page.
 */
#include "model/workspace.h"
#include "support/kernel_util.h"
#include "support/levels.h"
#include "support/models.h"
#include "support/retype.h"

#include <stdlib.h>
#include <string.h>

enum { EXPERTS = 3, INPUTS = 30, MOST_ROWS = 44, THREADS = 2 };

static lf_prefetch *prefetch; /* of all products */

static int setup(void **state)
{
    (void)state;
    const lf_alloc alloc = lf_alloc_default();
    return lf_prefetch_create(&alloc, THREADS, LF_PREFETCH_COMMON, &prefetch);
}

static int teardown(void **state)
{
    (void)state;
    const lf_alloc alloc = lf_alloc_default();
    lf_prefetch_free(&alloc, prefetch);
    lft_unguard_all();
    return 0;
}

/* ---- Matrices ---- */

/* n columns, or n of each of a pair. */
static lf_packed make_matrix(uint64_t *seed, const lf_kernels *kernels, lf_wformat format,
                             bool pair, uint32_t n, uint32_t k)
{
    const lf_gemm *gemm = lf_gemm_pick(kernels, format, false, k);
    uint32_t columns = pair ? 2 * n : n;
    lf_packed w = {.gemm = gemm, .n = n, .k = k, .n_experts = EXPERTS, .pair = pair};
    assert_true(!pair || n % gemm->nr == 0);
    w.n_panels = (columns + gemm->nr - 1) / gemm->nr;
    w.panel_bytes = gemm->panel_bytes(k);
    w.expert_bytes = w.n_panels * w.panel_bytes;
    w.bytes = EXPERTS * w.expert_bytes;
    w.owned = lft_guard(w.bytes, 64);
    w.panels = w.owned;
    for (size_t s = 0; s < EXPERTS; s++) {
        lft_matrix weights = lft_weights(seed, gemm, columns, k, LFT_RANDOM);
        uint8_t *panels = lft_pack(gemm, &weights);
        memcpy(w.owned + s * w.expert_bytes, panels, w.expert_bytes);
        lft_unguard(panels);
        lft_weights_free(&weights);
    }
    return w;
}

/* n columns, or n of each of a pair, whose panels hold blocks. *expanded receives the same matrix
 * in the panels of its kernel. */
static lf_packed make_blocks(uint64_t *seed, const lf_kernels *kernels, const lf_type types[2],
                             bool pair, uint32_t n, uint32_t k, lf_packed *expanded)
{
    lf_tensor tensors[2] = {{.name = "first", .type = types[0], .ne = {k, n, EXPERTS, 1}},
                            {.name = "second", .type = types[1], .ne = {k, n, EXPERTS, 1}}};
    lf_packed w = {0};
    assert_int_equal(lf_pack_plan(kernels, &tensors[0], pair ? &tensors[1] : NULL, &w), LFM2_OK);
    assert_true(w.blocks);
    w.owned = lft_guard(w.bytes, 64);
    w.panels = w.owned;
    *expanded = w;
    expanded->panel_bytes = w.gemm->panel_bytes(k);
    expanded->expert_bytes = w.n_panels * expanded->panel_bytes;
    expanded->owned = lft_guard(EXPERTS * expanded->expert_bytes, 64);
    expanded->panels = expanded->owned;
    for (size_t i = 0; i < EXPERTS * (size_t)w.n_panels; i++) {
        lf_type type = w.types[pair ? i % 2 : 0];
        uint32_t nr = w.gemm->nr;
        lft_random_blocks(seed, type, (size_t)nr * k, w.owned + i * w.panel_bytes);
        size_t group = lf_type_get((uint32_t)type)->group, groups = nr * (size_t)k / group;
        size_t step = w.gemm->weights == LF_W_I8G16 ? group / 16 : 1;
        int8_t *quants = lft_guard((size_t)nr * k, 1);
        float *scales = lft_floats(groups * step), *mins = lft_floats(groups * step);
        memset(mins, 0, groups * step * sizeof *mins);
        lf_unpack_row(type, w.owned + i * w.panel_bytes, (size_t)nr * k, quants, scales, mins);
        for (size_t g = groups * step; g-- > 0;) { /* groups of 16 from groups of 32 */
            scales[g] = scales[g / step];
            mins[g] = mins[g / step];
        }
        const lf_panel_source source = {
            .rows = nr, .quants = quants, .scales = scales, .mins = w.gemm->mins ? mins : NULL};
        w.gemm->pack(k, &source, expanded->owned + i * expanded->panel_bytes);
        lft_unguard(quants);
        lft_unguard(scales);
        lft_unguard(mins);
    }
    return w;
}

/* One row times one expert. */
static void multiply_row(const lf_kernels *kernels, const lf_packed *w, uint32_t expert,
                         const float *x, float *y)
{
    void *row = lft_row(&kernels->lhs[w->gemm->lhs], w->k, x);
    w->gemm->fn(1, w->pair ? 2 * w->n : w->n, w->k, row, w->panels + expert * w->expert_bytes, y, 0,
                (lf_prefetch_policy){0});
    lft_unguard(row);
}

/* ---- Working memory ---- */

typedef struct bench {
    lf_kernels kernels;
    lf_workspace workspace;
    lf_pass pass;
    const lf_group *groups;
    size_t n_groups;
    uint32_t gather[MOST_ROWS];
    uint32_t n_rows; /* of all groups */
} bench;

static size_t larger(size_t a, size_t b)
{
    return a > b ? a : b;
}

static void need(bench *b, const lf_packed *w, uint8_t **rows, size_t n_rows, size_t *tiles)
{
    const lf_gemm *gemm = w->gemm;
    const lf_lhs *lhs = &b->kernels.lhs[gemm->lhs];
    rows[gemm->lhs] = lft_guard(n_rows * lhs->row_bytes(w->k), 64);
    *tiles = larger(*tiles, (b->n_rows / gemm->mr + b->n_groups) * lhs->tile_bytes(gemm->mr, w->k));
    if (lf_unpacks(w, (b->n_rows + gemm->mr - 1) / gemm->mr)) {
        b->workspace.linear.unpacked_bytes = larger(
            b->workspace.linear.unpacked_bytes, lf_panels_a_step(w, true) * lf_unpacked_bytes(w));
    }
}

/* down may be NULL. */
static void give_memory(bench *b, const lf_packed *w, const lf_packed *down)
{
    size_t tiles = 0;
    b->workspace = (lf_workspace){0};
    need(b, w, b->workspace.linear.lhs, INPUTS, &tiles);
    if (down != NULL) {
        need(b, down, b->workspace.linear.hidden_lhs, b->n_rows, &tiles);
        bool tiled = lf_packs_hidden(&b->kernels, w, down);
        size_t rows = tiled ? b->n_groups : b->n_rows;
        b->workspace.linear.hidden = lft_guard(rows * w->n * sizeof(float), 64);
    }
    b->workspace.linear.tiles = lft_guard(tiles, 64);
    b->workspace.linear.unpacked = lft_guard(THREADS * b->workspace.linear.unpacked_bytes, 64);
    b->pass = (lf_pass){
        .workspace = &b->workspace, .kernels = &b->kernels, .prefetch = prefetch, .n = INPUTS};
}

static const lf_group several[] = {{2, 0, 1}, {0, 1, 3}, {1, 4, 40}};
static const lf_group single[] = {{0, 0, 1}, {2, 1, 1}};
static const lf_group all_tiles[] = {{1, 0, 13}, {2, 13, 31}};

static void set_groups(bench *b, uint64_t *seed, const lf_group *groups, size_t n_groups)
{
    b->groups = groups;
    b->n_groups = n_groups;
    b->n_rows = groups[n_groups - 1].first + groups[n_groups - 1].n;
    for (uint32_t r = 0; r < b->n_rows; r++) {
        b->gather[r] = lft_below(seed, INPUTS);
    }
}

static uint32_t expert_of(const bench *b, uint32_t row)
{
    size_t g = 0;
    while (row >= b->groups[g].first + b->groups[g].n) {
        g++;
    }
    return b->groups[g].expert;
}

/* ---- The products ---- */

typedef struct job {
    bench *b;
    const lf_packed *w, *down;
    const float *x;
    float *y;
} job;

static void run_job(lf_team *team, void *ctx)
{
    job *j = ctx;
    bench *b = j->b;
    b->pass.team = team;
    lf_lhs_rows lhs;
    memcpy(lhs.rows, b->workspace.linear.lhs, sizeof lhs.rows);
    lf_lhs_quantize(&b->pass, j->x, INPUTS, j->w->k, lf_format_bit(j->w), &lhs);
    if (j->down == NULL) {
        lf_linear_groups(&b->pass, &lhs, b->gather, b->groups, b->n_groups, j->w, j->y, j->w->n);
        return;
    }
    lf_lhs_rows hidden;
    lf_linear_hidden(&b->pass, &lhs, b->gather, b->groups, b->n_groups, j->w, j->down, &hidden);
    lf_linear_groups(&b->pass, &hidden, NULL, b->groups, b->n_groups, j->down, j->y, j->down->n);
}

/* `plain` and `plain_down`: the same matrices as w and down, in panels of their kernels. */
static void check(bench *b, uint64_t *seed, const lf_packed *w, const lf_packed *down,
                  const lf_packed *plain, const lf_packed *plain_down)
{
    const lf_packed *last = down != NULL ? down : w;
    give_memory(b, w, down);
    float *x = lft_floats((size_t)INPUTS * w->k);
    lft_activations(seed, (size_t)INPUTS * w->k, LFT_RANDOM, x);
    float *y = lft_floats((size_t)b->n_rows * last->n);
    lf_sched sched;
    const lf_alloc alloc = lf_alloc_default();
    assert_int_equal(lf_sched_init(&sched, &alloc, THREADS, NULL), LFM2_OK);
    job j = {b, w, down, x, y};
    lf_team_run(&sched, false, run_job, &j);
    lf_sched_free(&sched);
    float *first = lft_floats((size_t)2 * w->n), *want = lft_floats(last->n);
    float *hidden = lft_floats(w->n);
    for (uint32_t r = 0; r < b->n_rows; r++) {
        const float *input = x + (size_t)b->gather[r] * w->k;
        multiply_row(&b->kernels, plain, expert_of(b, r), input, down != NULL ? first : want);
        if (down != NULL) {
            uint32_t nr = w->gemm->nr;
            for (uint32_t c = 0; c < w->n; c += nr) {
                b->kernels.ops.swiglu(nr, first + 2 * c, first + 2 * c + nr, hidden + c);
            }
            multiply_row(&b->kernels, plain_down, expert_of(b, r), hidden, want);
        }
        if (lft_differs(last->n, y + (size_t)r * last->n, want) != last->n) {
            fail_msg("%s, %s: row %u of %u", w->gemm->name, last->gemm->name, r, b->n_rows);
        }
    }
    void *used[] = {x,
                    y,
                    first,
                    want,
                    hidden,
                    b->workspace.linear.tiles,
                    b->workspace.linear.unpacked,
                    b->workspace.linear.hidden};
    for (size_t i = 0; i < sizeof used / sizeof used[0]; i++) {
        lft_unguard(used[i]);
    }
    for (size_t f = 0; f < LF_LHS_COUNT; f++) {
        lft_unguard(b->workspace.linear.lhs[f]);
        lft_unguard(b->workspace.linear.hidden_lhs[f]);
    }
}

static void check_formats(const lf_kernels *kernels, uint64_t *seed, lf_wformat format,
                          lf_wformat down_format, bool pair)
{
    const lf_group *sets[] = {several, single, all_tiles};
    const size_t counts[] = {3, 2, 2};
    uint32_t n = pair ? 256 : 16 * 18 + 5;
    lf_packed w = make_matrix(seed, kernels, format, pair, n, 2560);
    lf_packed down = {0};
    if (pair) {
        down = make_matrix(seed, kernels, down_format, false, 100, n);
    }
    for (size_t i = 0; i < 3; i++) {
        bench b = {.kernels = *kernels};
        set_groups(&b, seed, sets[i], counts[i]);
        lf_prefetch_force(prefetch, (uint32_t)lft_below(seed, LF_PREFETCH_POLICIES + 1));
        check(&b, seed, &w, pair ? &down : NULL, &w, &down);
    }
    lft_unguard(w.owned);
    lft_unguard(down.owned);
}

/* Up to four kernel tables of this CPU, two in samples, and XNNPACK. */
static void with_tables(void (*body)(const lf_kernels *kernels, uint64_t *seed))
{
    uint64_t seed = lft_seed();
    uint32_t masks[8];
    size_t n_masks = lft_masks(masks);
    for (size_t i = 0; i < n_masks && i < (lft_sampled() ? 2 : 4); i++) {
        lf_kernels table;
        lf_kernels_init(&table, masks[i], LF_PICK_AUTO);
        body(&table, &seed);
    }
    lf_kernels table;
    lf_kernels_init(&table, masks[0], LF_PICK_XNNPACK);
    body(&table, &seed);
}

static void groups_of(const lf_kernels *kernels, uint64_t *seed)
{
    static const lf_wformat formats[] = {LF_W_Q4, LF_W_Q8, LF_W_Q5K, LF_W_Q6K, LF_W_F32};
    for (size_t i = 0; i < sizeof formats / sizeof formats[0]; i++) {
        check_formats(kernels, seed, formats[i], formats[i], false);
    }
}

static void test_groups(void **state)
{
    (void)state;
    with_tables(groups_of);
}

/* Formats with the same and with different tile heights, with blocks and without. */
static void hidden_of(const lf_kernels *kernels, uint64_t *seed)
{
    static const lf_wformat formats[][2] = {
        {LF_W_Q4, LF_W_Q4},  {LF_W_Q8, LF_W_Q8},  {LF_W_Q6K, LF_W_Q6K}, {LF_W_Q4, LF_W_Q6K},
        {LF_W_F16, LF_W_Q4}, {LF_W_Q4, LF_W_F32}, {LF_W_F32, LF_W_F32}};
    for (size_t i = 0; i < sizeof formats / sizeof formats[0]; i++) {
        check_formats(kernels, seed, formats[i][0], formats[i][1], true);
    }
}

static void test_hidden(void **state)
{
    (void)state;
    with_tables(hidden_of);
}

/* A matrix that is divided into two regions while prefetch policies are compared. */
static void test_long_product(void **state)
{
    (void)state;
    static const lf_group sets[][1] = {{{1, 0, 1}}, {{2, 0, 5}}};
    uint64_t seed = lft_seed();
    uint32_t masks[8];
    lft_masks(masks);
    lf_kernels kernels;
    lf_kernels_init(&kernels, masks[0], LF_PICK_OWN);
    lf_packed w = make_matrix(&seed, &kernels, LF_W_F32, false, 1800, 2560);
    bool measured = w.gemm->provider == LF_PROVIDER_LFM2; /* not the scalar kernel */
    lf_prefetch *shared = prefetch;
    const lf_alloc alloc = lf_alloc_default();
    assert_int_equal(lf_prefetch_create(&alloc, THREADS, LF_PREFETCH_COMMON, &prefetch), LFM2_OK);
    for (size_t i = 0; i < 2; i++) {
        bench b = {.kernels = kernels};
        set_groups(&b, &seed, sets[i], 1);
        check(&b, &seed, &w, NULL, &w, NULL);
        check(&b, &seed, &w, NULL, &w, NULL);
        const lf_chooser *c = &prefetch->choices[LF_W_F32][lf_row_class(sets[i][0].n)].chooser;
        assert_int_equal(c->bytes, measured ? 2 * w.expert_bytes : 0);
        int samples = 0;
        for (size_t s = 0; s < LF_CHOOSER_SIZES; s++) {
            samples += __builtin_popcount(c->open[s].done);
        }
        assert_int_equal(samples, measured ? 4 : 0);
    }
    lf_prefetch_free(&alloc, prefetch);
    prefetch = shared;
    lft_unguard(w.owned);
}

/* ---- Panels that hold blocks ---- */

static void check_blocks(const lf_kernels *kernels, uint64_t *seed, const lf_type types[3])
{
    const lf_group *sets[] = {several, single, all_tiles};
    const size_t counts[] = {3, 2, 2};
    lf_packed plain[3];
    const lf_type down[] = {types[2], types[2]};
    lf_packed w[3] = {make_blocks(seed, kernels, types, true, 256, 2560, &plain[0]),
                      make_blocks(seed, kernels, down, false, 100, 256, &plain[1]),
                      make_blocks(seed, kernels, types, false, 165, 1280, &plain[2])};
    for (size_t i = 0; i < 3; i++) {
        bench b = {.kernels = *kernels};
        set_groups(&b, seed, sets[i], counts[i]);
        check(&b, seed, &w[0], &w[1], &plain[0], &plain[1]);
        check(&b, seed, &w[2], NULL, &plain[2], NULL);
    }
    for (size_t i = 0; i < 3; i++) {
        lft_unguard(w[i].owned);
        lft_unguard(plain[i].owned);
    }
}

/* With and without minimums, groups of 16 and 32, gate and up of one and of two types. */
static void blocks_of(const lf_kernels *kernels, uint64_t *seed)
{
    static const lf_type types[][3] = {{LF_IQ1_M, LF_IQ1_M, LF_IQ2_XS},
                                       {LF_IQ3_XXS, LF_IQ3_XXS, LF_IQ2_S},
                                       {LF_IQ2_XXS, LF_Q4_K, LF_IQ1_S}};
    for (size_t i = 0; i < sizeof types / sizeof types[0]; i++) {
        check_blocks(kernels, seed, types[i]);
    }
}

static void test_blocks(void **state)
{
    (void)state;
    with_tables(blocks_of);
}

/* ---- Panels of a step ---- */

static size_t kilobytes(size_t k)
{
    return k << 10;
}

static void test_steps(void **state)
{
    (void)state;
    lf_gemm gemm = {.nr = 16, .unpacked_bytes = kilobytes};
    static const struct {
        bool pair;
        uint32_t nr, kilobytes, step;
    } cases[] = {{false, 16, 24, 16}, {false, 16, 25, 8},   {false, 16, 48, 8}, {false, 16, 49, 4},
                 {false, 16, 192, 2}, {false, 16, 9999, 1}, {true, 16, 96, 4},  {true, 16, 97, 4},
                 {true, 16, 9999, 4}, {true, 32, 97, 2},    {true, 32, 48, 8}};
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        gemm.nr = cases[i].nr;
        lf_packed w = {.gemm = &gemm, .k = cases[i].kilobytes, .pair = cases[i].pair};
        assert_int_equal(lf_panels_a_step(&w, true), cases[i].step);
        w.panel_bytes = kilobytes(cases[i].kilobytes);
        assert_int_equal(lf_panels_a_step(&w, false), cases[i].step);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_groups),       cmocka_unit_test(test_hidden),
        cmocka_unit_test(test_long_product), cmocka_unit_test(test_blocks),
        cmocka_unit_test(test_steps),
    };
    return cmocka_run_group_tests(tests, setup, teardown);
}
