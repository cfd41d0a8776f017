/* SPDX-License-Identifier: Apache-2.0 */
/* Times single matrix kernels. */
#include "bench/bench.h"

#include "common/os.h"

#include <string.h>

typedef struct bench {
    const lf_gemm *gemm;
    lf_prefetch_policy prefetch;
    uint32_t m, n, k;
    size_t panel_bytes, n_panels, n_matrices;
    uint8_t *panels;
    const uint8_t *tiles;
    size_t tile_bytes;
    float *c;      /* [threads][mr][nr] */
    size_t matrix; /* which of n_matrices is multiplied next */
} bench;

static void bench_body(void *ctx, uint32_t thread, size_t begin, size_t end)
{
    const bench *b = ctx;
    uint32_t mr = b->gemm->mr;
    uint32_t nr = b->gemm->nr;
    float *c = b->c + (size_t)thread * mr * nr;
    const uint8_t *panels = b->panels + b->matrix * b->n_panels * b->panel_bytes;
    for (size_t p = begin; p < end; p++) {
        for (uint32_t row = 0; row < b->m; row += mr) {
            uint32_t m = b->m - row < mr ? b->m - row : mr;
            b->gemm->fn(m, nr, b->k, b->tiles + row / mr * b->tile_bytes,
                        panels + p * b->panel_bytes, c, nr, b->prefetch);
        }
    }
}

/* Quants of plausible weights: kernels may run faster on zeros. */
static int8_t quant_at(const lf_gemm *gemm, uint32_t i)
{
    uint32_t h = i * 2654435761u >> 16;
    bool few = gemm->weights == LF_W_Q4 || gemm->weights == LF_W_T4 || gemm->weights == LF_W_T4G16;
    return few ? (int8_t)((int32_t)(h & 15) - 8) : (int8_t)(h & 127);
}

static bool is_k(lf_wformat weights)
{
    return weights == LF_W_Q4K || weights == LF_W_Q5K || weights == LF_W_Q6K ||
           weights == LF_W_Q2K || weights == LF_W_Q3K || weights == LF_W_IQ3S;
}

static int32_t fill_panels(const lfm2_runtime *runtime, bench *b)
{
    const lf_alloc *alloc = &runtime->alloc;
    uint32_t nr = b->gemm->nr;
    size_t values = (size_t)nr * b->k;
    void *p = NULL;
    LF_TRY(lf_new_zero(alloc, values, 3 * sizeof(float), "kernel bench", &p));
    int8_t *quants = p;
    uint16_t *halves = p;
    float *scales = (float *)p + values;
    for (uint32_t i = 0; i < values; i++) {
        scales[i] = 0.01f;
        scales[values + i] = 0.001f;
        if (b->gemm->weights <= LF_W_BF16 || is_k(b->gemm->weights)) {
            halves[i] = (uint16_t)(0x3000 + i % 1024); /* small numbers in each of these formats */
        } else {
            quants[i] = quant_at(b->gemm, i);
        }
    }
    lf_panel_source source = {.rows = nr,
                              .quants = is_k(b->gemm->weights) ? NULL : quants,
                              .scales = scales,
                              .mins = b->gemm->mins ? scales + values : NULL,
                              .raw = p};
    b->gemm->pack(b->k, &source, b->panels);
    lf_free(alloc, p, values, 3 * sizeof(float));
    for (size_t i = 1; i < b->n_matrices * b->n_panels; i++) {
        memcpy(b->panels + i * b->panel_bytes, b->panels, b->panel_bytes);
    }
    return LFM2_OK;
}

/* Packs tiles in which every row is `row`. */
static void fill_tiles(const lf_lhs *lhs, const bench *b, const void *row, uint8_t *tiles)
{
    const void *rows[LF_MAX_MR];
    for (uint32_t i = 0; i < LF_MAX_MR; i++) {
        rows[i] = row;
    }
    for (uint32_t first = 0; first < b->m; first += b->gemm->mr) {
        uint32_t m = b->m - first < b->gemm->mr ? b->m - first : b->gemm->mr;
        lhs->pack(m, b->k, rows, tiles + first / b->gemm->mr * b->tile_bytes);
    }
}

static void measure(const lfm2_runtime *runtime, bench *b, double seconds, double *ops,
                    double *bytes)
{
    double start = lf_os_seconds();
    double spent = 0;
    size_t products = 0;
    do {
        lf_parallel(&runtime->sched, b->n_panels, b->m == 1 ? 0 : 4, bench_body, b);
        b->matrix = (b->matrix + 1) % b->n_matrices;
        products++;
        spent = lf_os_seconds() - start;
    } while (spent < seconds);
    double rate = (double)products / spent;
    *ops = rate * 2.0 * b->m * b->n * b->k;
    *bytes = rate * (double)b->n_panels * (double)b->panel_bytes;
}

static int32_t check_shape(const lfm2_runtime *runtime, const lf_gemm *gemm, uint32_t m, uint32_t n,
                           uint32_t k)
{
    enum { MOST = 1 << 20 };
    if (gemm == NULL || (gemm->needs & ~runtime->kernels.cpu) != 0) {
        return lf_fail(LFM2_E_ARGUMENT, "kernel.index",
                       "the kernel does not exist, or this CPU does not support it");
    }
    if (m < 1 || n < 1 || k < 1 || m > MOST || n > MOST || k > MOST || k % 64 != 0) {
        return lf_fail(LFM2_E_ARGUMENT, "kernel.shape",
                       "m %u, n %u, k %u: allowed are 1 to %d each, k a multiple of 64", m, n, k,
                       MOST);
    }
    if (k % gemm->k_multiple != 0) {
        return lf_fail(LFM2_E_UNSUPPORTED, "kernel.k", "k %u is not a multiple of %u", k,
                       gemm->k_multiple);
    }
    return LFM2_OK;
}

int32_t lf_kernel_bench(lfm2_runtime *runtime, uint32_t index, uint32_t m, uint32_t n, uint32_t k,
                        uint64_t pool_bytes, double seconds, double *ops, double *bytes)
{
    const lf_gemm *gemm = lf_gemm_at(index);
    LF_TRY(check_shape(runtime, gemm, m, n, k));
    const lf_alloc *alloc = &runtime->alloc;
    const lf_lhs *lhs = &runtime->kernels.lhs[gemm->lhs];
    bench b = {.gemm = gemm,
               .prefetch = lf_prefetch_now(runtime->prefetch, gemm->weights, m),
               .m = m,
               .n = n,
               .k = k,
               .panel_bytes = gemm->panel_bytes(k),
               .n_panels = (n + gemm->nr - 1) / gemm->nr,
               .tile_bytes = lhs->tile_bytes(gemm->mr, k)};
    uint64_t matrix_bytes = b.panel_bytes * b.n_panels;
    b.n_matrices = (size_t)(pool_bytes / matrix_bytes > 0 ? pool_bytes / matrix_bytes : 1);
    size_t n_tiles = (m + gemm->mr - 1) / gemm->mr;
    size_t c_floats = (size_t)runtime->sched.n_threads * gemm->mr * gemm->nr;
    size_t row_bytes = lhs->row_bytes(k);
    void *panels = NULL, *tiles = NULL, *c = NULL, *row = NULL, *x = NULL;
    int32_t status = LFM2_OK;
    LF_TRY_DONE(lf_new(alloc, b.n_matrices, matrix_bytes, "kernel bench", &panels));
    LF_TRY_DONE(lf_new(alloc, n_tiles, b.tile_bytes, "kernel bench", &tiles));
    LF_TRY_DONE(lf_new(alloc, c_floats, sizeof(float), "kernel bench", &c));
    LF_TRY_DONE(lf_new(alloc, row_bytes, 1, "kernel bench", &row));
    LF_TRY_DONE(lf_new(alloc, k, sizeof(float), "kernel bench", &x));
    for (uint32_t i = 0; i < k; i++) {
        ((float *)x)[i] = (float)(i * 2654435761u >> 20) / 2048.0f - 1.0f;
    }
    lhs->quantize(k, x, row);
    b.panels = panels;
    b.c = c;
    fill_tiles(lhs, &b, row, tiles);
    b.tiles = tiles;
    LF_TRY_DONE(fill_panels(runtime, &b));
    LF_TRY_DONE(lf_sched_begin(&runtime->sched, NULL, NULL));
    measure(runtime, &b, seconds, ops, bytes);
    lf_sched_end(&runtime->sched);
done:
    lf_free(alloc, panels, b.n_matrices, matrix_bytes);
    lf_free(alloc, tiles, n_tiles, b.tile_bytes);
    lf_free(alloc, c, c_floats, sizeof(float));
    lf_free(alloc, row, row_bytes, 1);
    lf_free(alloc, x, k, sizeof(float));
    return status;
}
