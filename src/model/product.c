/* SPDX-License-Identifier: Apache-2.0 */
/* Implements a thread's work on a matrix product: packing tiles, multiplying panels, SwiGLU. */
#include "model/product.h"

#include "common/os.h"
#include "model/workspace.h"

#include <string.h>

enum { STRIP_FLOATS = LF_MAX_MR * LF_MAX_NR * 4 };

/* Rows [first, first + n) of tile t, relative to the group. Tiles differ by at most one row. */
static void tile_rows(const lf_product *p, const lf_group *group, uint32_t t, uint32_t *first,
                      uint32_t *n)
{
    uint32_t tiles = lf_group_tiles(p, group);
    uint32_t least = group->n / tiles;
    uint32_t larger = group->n % tiles; /* the first tiles have one more row */
    *first = t * least + (t < larger ? t : larger);
    *n = least + (t < larger ? 1 : 0);
}

static const uint8_t *input_row(const lf_product *p, uint32_t output_row)
{
    uint32_t row = p->gather != NULL ? p->gather[output_row] : output_row;
    return p->rows + row * p->row_bytes;
}

static float *output_row(const lf_product *p, size_t row)
{
    return p->y_rows != NULL ? p->y_rows[row] : p->y + row * p->y_stride;
}

void lf_product_pack(void *product, uint32_t thread, size_t begin, size_t end)
{
    (void)thread;
    const lf_product *p = product;
    size_t g = 0;
    for (size_t slot = begin; slot < end; slot++) {
        while (g + 1 < p->n_groups && lf_first_tile(p, g + 1) <= slot) {
            g++;
        }
        size_t t = slot - lf_first_tile(p, g);
        if (t >= lf_group_tiles(p, &p->groups[g]) || p->groups[g].n == 1) {
            continue; /* an unused slot, or a single row, which is not packed */
        }
        uint32_t first = 0;
        uint32_t n = 0;
        tile_rows(p, &p->groups[g], (uint32_t)t, &first, &n);
        const void *rows[LF_MAX_MR];
        for (uint32_t r = 0; r < n; r++) {
            rows[r] = input_row(p, p->groups[g].first + first + r);
        }
        p->lhs->pack(n, p->w->k, rows, p->tiles + slot * p->tile_bytes);
    }
}

/* ---- SwiGLU ---- */

/* Pairs of panels -> packed blocks of hidden columns for the tile of m rows from first_row. */
static void pack_hidden(const lf_product *p, uint32_t m, const float *strip, size_t strip_stride,
                        uint32_t first_column, uint32_t n_pairs, uint32_t first_row)
{
    enum { NR = LF_HIDDEN_BLOCK / 2 };
    const lf_lhs *lhs = &p->pass->kernels->lhs[p->into];
    size_t block = first_column / LF_HIDDEN_BLOCK;
    uint8_t *out = p->hidden->rows[p->into] + first_row * p->hidden->row_bytes[p->into] +
                   block * m * lhs->block_bytes;
    _Alignas(LF_ALIGN) float x[LF_MAX_MR * LF_HIDDEN_BLOCK];
    _Alignas(LF_ALIGN) uint8_t blocks[LF_MAX_MR * LF_MAX_BLOCK_BYTES];
    const void *rows[LF_MAX_MR];
    for (uint32_t r = 0; r < m; r++) {
        rows[r] = blocks + r * lhs->block_bytes;
    }
    for (uint32_t j = 0; j < n_pairs; j += 2, out += m * lhs->block_bytes) {
        for (uint32_t r = 0; r < m; r++) {
            const float *pairs = strip + r * strip_stride + (size_t)j * 2 * NR;
            float *to = x + r * LF_HIDDEN_BLOCK;
            p->pass->kernels->ops.swiglu(NR, pairs, pairs + NR, to);
            p->pass->kernels->ops.swiglu(NR, pairs + 2 * NR, pairs + 3 * NR, to + NR);
        }
        lhs->quantize((size_t)m * LF_HIDDEN_BLOCK, x, blocks);
        lhs->pack(m, LF_HIDDEN_BLOCK, rows, out);
    }
}

/* Alternating panels of gate and up -> hidden columns. */
static void swiglu_pairs(const lf_product *p, uint32_t m, const float *strip, size_t strip_stride,
                         uint32_t first_column, uint32_t n_pairs, uint32_t first_row)
{
    uint32_t nr = p->w->gemm->nr;
    if (p->hidden != NULL) {
        pack_hidden(p, m, strip, strip_stride, first_column, n_pairs, first_row);
        return;
    }
    for (uint32_t r = 0; r < m; r++) {
        float *y = output_row(p, first_row + r);
        for (uint32_t j = 0; j < n_pairs; j++) {
            uint32_t column = first_column + j * nr;
            uint32_t n = p->w->n - column < nr ? p->w->n - column : nr;
            const float *gate = strip + r * strip_stride + (size_t)2 * j * nr;
            p->pass->kernels->ops.swiglu(n, gate, gate + nr, y + column);
        }
    }
}

/* ---- Panels times tiles ---- */

/* Panels in one of a kernel's two formats, packed or unpacked. */
typedef struct panel_source {
    const uint8_t *at;
    size_t bytes; /* of a panel */
    lf_gemm_fn fn;
    lf_prefetch_policy policy;
} panel_source;

/* Multiplies panels [panel, panel + n_panels) of an expert, stored at `from`, by the tile of m rows
 * from first_row. */
static void multiply_tile(const lf_product *p, panel_source from, uint32_t panel, uint32_t n_panels,
                          const void *tile, uint32_t m, uint32_t first_row)
{
    const lf_packed *w = p->w;
    uint32_t nr = w->gemm->nr;
    if (!w->pair && !p->add && (p->y_rows == NULL || m == 1)) {
        uint32_t column = panel * nr;
        uint32_t n = n_panels * nr < w->n - column ? n_panels * nr : w->n - column;
        from.fn(m, n, w->k, tile, from.at, output_row(p, first_row) + column, p->y_stride,
                from.policy);
        return;
    }
    float strip[STRIP_FLOATS];
    uint32_t together = lf_panels_together(w);
    uint32_t fit = STRIP_FLOATS / (m * nr) / together * together;
    for (uint32_t done = 0; done < n_panels; done += fit) {
        uint32_t now = n_panels - done < fit ? n_panels - done : fit;
        size_t stride = (size_t)now * nr;
        from.fn(m, stride, w->k, tile, from.at + done * from.bytes, strip, stride, from.policy);
        if (w->pair) {
            swiglu_pairs(p, m, strip, stride, (panel + done) / 2 * nr, now / 2, first_row);
            continue;
        }
        uint32_t column = (panel + done) * nr;
        uint32_t n = now * nr < w->n - column ? now * nr : w->n - column;
        for (uint32_t r = 0; r < m; r++) {
            float *y = output_row(p, first_row + r) + column;
            if (p->add) {
                p->pass->kernels->ops.add(n, strip + r * stride, y);
            } else {
                memcpy(y, strip + r * stride, n * sizeof(float));
            }
        }
    }
}

/* Unpacks panels [panel, panel + n_panels), stored at `from`, into the thread's memory. */
static panel_source unpack(const lf_product *p, uint32_t thread, panel_source from, uint32_t panel,
                           uint32_t n_panels)
{
    const lf_linear_memory *memory = &p->pass->workspace->linear;
    const lf_packed *w = p->w;
    uint8_t *to = memory->unpacked + thread * memory->unpacked_bytes;
    size_t bytes = lf_unpacked_bytes(w);
    for (uint32_t i = 0; i < n_panels; i++) {
        if (w->blocks) {
            lf_unpack_blocks(w, panel + i, from.at + i * from.bytes, to + i * bytes);
        } else {
            w->gemm->unpack(w->k, from.at + i * from.bytes, to + i * bytes);
        }
    }
    return (panel_source){to, bytes, w->blocks ? w->gemm->fn : w->gemm->unpacked_fn, from.policy};
}

/* Units [unit, unit_end) of one group. */
static void multiply_group(const lf_product *p, uint32_t thread, size_t g, uint32_t unit,
                           uint32_t unit_end)
{
    const lf_group *group = &p->groups[g];
    const lf_packed *w = p->w;
    const uint8_t *expert = w->panels + group->expert * w->expert_bytes;
    uint32_t panel = unit * p->unit;
    uint32_t end = unit_end * p->unit < w->n_panels ? unit_end * p->unit : w->n_panels;
    lf_prefetch_policy policy = lf_prefetch_of(&p->prefetch, group->n);
    panel_source from = {expert, w->panel_bytes, w->gemm->fn, policy};
    if (group->n == 1 && !w->blocks) {
        from.at += panel * w->panel_bytes;
        multiply_tile(p, from, panel, end - panel, input_row(p, group->first), 1, group->first);
        return;
    }
    uint32_t tiles = lf_group_tiles(p, group);
    bool unpacks = lf_unpacks(w, tiles);
    uint32_t step = tiles == 1 && !unpacks ? end - panel : lf_panels_a_step(w, unpacks);
    for (; panel < end; panel += step) {
        uint32_t n_panels = end - panel < step ? end - panel : step;
        from.at = expert + panel * w->panel_bytes;
        panel_source now = unpacks ? unpack(p, thread, from, panel, n_panels) : from;
        for (uint32_t t = 0; t < tiles; t++) {
            uint32_t first = 0;
            uint32_t n = 0;
            tile_rows(p, group, t, &first, &n);
            first += group->first;
            const void *tile = p->tiles != NULL && group->n > 1
                                   ? p->tiles + (lf_first_tile(p, g) + t) * p->tile_bytes
                                   : input_row(p, first);
            multiply_tile(p, now, panel, n_panels, tile, n, first);
        }
    }
}

/* The bytes of units [unit, unit_end) of an expert. */
static size_t bytes_of(const lf_product *p, uint32_t unit, uint32_t unit_end)
{
    size_t end = (size_t)unit_end * p->unit;
    return ((end < p->w->n_panels ? end : p->w->n_panels) - (size_t)unit * p->unit) *
           p->w->panel_bytes;
}

void lf_product_multiply(void *product, uint32_t thread, size_t begin, size_t end)
{
    const lf_product *p = product;
    uint64_t start = p->prefetch.measured != 0 ? lf_os_ns() : 0;
    begin += p->first;
    end += p->first;
    while (begin < end) {
        size_t g = begin / p->n_units;
        size_t group_end = (g + 1) * p->n_units;
        size_t stop = end < group_end ? end : group_end;
        uint32_t unit = (uint32_t)(begin - g * p->n_units);
        uint32_t unit_end = (uint32_t)(stop - g * p->n_units);
        multiply_group(p, thread, g, unit, unit_end);
        begin = stop;
        if (p->prefetch.measured != 0) {
            uint64_t now = lf_os_ns();
            lf_prefetch_add(&p->prefetch, thread, lf_row_class(p->groups[g].n),
                            bytes_of(p, unit, unit_end), now - start);
            start = now;
        }
    }
}
