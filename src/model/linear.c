/* SPDX-License-Identifier: Apache-2.0 */
/* Owns activation forms, tiles and the division of matrix products over threads. */
#include "model/linear.h"

#include <string.h>

/* ---- Row-wise work ---- */

/* Below this many nanoseconds a region costs more than it saves: where threads must be woken, and
 * where they stand by. */
enum { WAKING_NS = 8000, SPINNING_NS = 1500 };

static void divide(const lf_pass *pass, size_t n, size_t total_ns, size_t grain, lf_body body,
                   void *ctx)
{
    if (total_ns >= (lf_team_spins(pass->team) ? SPINNING_NS : WAKING_NS)) {
        lf_team_parallel(pass->team, n, grain, body, ctx);
    } else if (n > 0) {
        body(ctx, 0, 0, n);
    }
}

void lf_pass_parallel(const lf_pass *pass, size_t n, size_t cost, lf_body body, void *ctx)
{
    divide(pass, n, n * cost, 0, body, ctx);
}

void lf_pass_balance(const lf_pass *pass, size_t n, size_t total, lf_body body, void *ctx)
{
    divide(pass, n, total, 1, body, ctx);
}

void lf_pass_stream(const lf_pass *pass, size_t n, size_t total, lf_body body, void *ctx)
{
    divide(pass, n, total, LF_GUIDED, body, ctx);
}

typedef struct lhs_job {
    const lf_pass *pass;
    const float *x;
    const float *norm; /* weights, or NULL: the rows as they are */
    const lf_lhs_rows *lhs;
} lhs_job;

/* The row that is quantised: where it is a form itself, it is made in place. */
static const float *norm_row(const lhs_job *j, uint32_t thread, size_t i)
{
    const lf_pass *pass = j->pass;
    const lf_lhs_rows *lhs = j->lhs;
    const float *x = j->x + i * lhs->k;
    if (j->norm == NULL) {
        return x;
    }
    float *row = lhs->row_bytes[LF_LHS_F32] == 0
                     ? pass->s->normed + thread * lhs->k
                     : (float *)(void *)(lhs->rows[LF_LHS_F32] + i * lhs->row_bytes[LF_LHS_F32]);
    pass->kernels->ops.rmsnorm(lhs->k, x, j->norm, pass->model->source->hparams.norm_eps, row);
    return row;
}

static void lhs_body(void *ctx, uint32_t thread, size_t begin, size_t end)
{
    const lhs_job *j = ctx;
    const lf_lhs_rows *lhs = j->lhs;
    for (size_t i = begin; i < end; i++) {
        const float *x = norm_row(j, thread, i);
        for (uint32_t f = 0; f < LF_LHS_COUNT; f++) {
            uint8_t *row = lhs->rows[f] + i * lhs->row_bytes[f];
            if (lhs->row_bytes[f] != 0 && (const void *)row != (const void *)x) {
                j->pass->kernels->lhs[f].quantize(lhs->k, x, row);
            }
        }
    }
}

static void quantize_rows(lhs_job *j, uint32_t n, size_t k, uint32_t formats, size_t cost,
                          lf_lhs_rows *lhs)
{
    lhs->n = n;
    lhs->k = k;
    lhs->are_packed = false;
    for (uint32_t f = 0; f < LF_LHS_COUNT; f++) {
        bool wanted = (formats >> f & 1) != 0;
        lhs->row_bytes[f] = wanted ? j->pass->kernels->lhs[f].row_bytes(k) : 0;
    }
    j->lhs = lhs;
    lf_pass_parallel(j->pass, n, cost, lhs_body, j);
}

void lf_lhs_quantize(const lf_pass *pass, const float *x, uint32_t n, size_t k, uint32_t formats,
                     lf_lhs_rows *lhs)
{
    lhs_job j = {.pass = pass, .x = x};
    quantize_rows(&j, n, k, formats, k / 4, lhs);
}

void lf_lhs_norm_quantize(const lf_pass *pass, const float *x, const float *w, uint32_t n,
                          uint32_t formats, lf_lhs_rows *lhs)
{
    size_t k = pass->model->source->hparams.n_embd;
    lhs_job j = {.pass = pass, .x = x, .norm = w};
    memcpy(lhs->rows, pass->s->lhs, sizeof lhs->rows);
    quantize_rows(&j, n, k, formats, k / 2, lhs);
}

/* ---- Products ---- */

/* A unit is the least of a expert that a thread takes. It is large where a panel meets more than
 * one row: kernels prefetch beyond its end, and what another thread multiplies is fetched in vain.
 * It is small enough that every thread gets some. Panels that belong together stay so. */
enum {
    UNIT_PANELS = 16,
    LEAST_UNITS = 8, /* a thread */
    STRIP_FLOATS = LF_MAX_MR * LF_MAX_NR * 4
};

typedef struct product {
    const lf_pass *pass;
    const lf_lhs *act;
    const uint8_t *rows;
    size_t row_bytes;
    const uint32_t *gather;
    const lf_group *groups;
    size_t n_groups;
    const lf_packed *w;
    uint32_t unit;       /* panels of a unit */
    uint32_t n_units;    /* of one expert */
    uint8_t *tiles;      /* slots for gathered rows, or NULL: `rows` are tiles */
    size_t tile_bytes;   /* of a slot */
    lf_lhs_rows *hidden; /* pairs: where the output goes as tiles of the format `into`, or NULL */
    lf_lhs_format into;
    float *y; /* rows y_stride apart, */
    size_t y_stride;
    float *const *y_rows; /* or each at a place of its own */
    bool add;             /* to what is there */
} product;

static uint32_t tiles_of(const product *p, const lf_group *group)
{
    return (group->n + p->w->gemm->mr - 1) / p->w->gemm->mr;
}

/* First tile slot of a group. Groups are ordered by their first row, and
 * floor(a) + ceil(b) <= floor(a + b) + 1 keeps the slots of neighbours apart. */
static size_t first_tile(const product *p, size_t g)
{
    return p->groups[g].first / p->w->gemm->mr + g;
}

/* Rows [first, first + n) of tile t, relative to the group: as equal as possible. */
static void tile_rows(const product *p, const lf_group *group, uint32_t t, uint32_t *first,
                      uint32_t *n)
{
    uint32_t tiles = tiles_of(p, group);
    uint32_t least = group->n / tiles;
    uint32_t larger = group->n % tiles; /* the first tiles have a row more */
    *first = t * least + (t < larger ? t : larger);
    *n = least + (t < larger ? 1 : 0);
}

static const uint8_t *input_row(const product *p, uint32_t output_row)
{
    uint32_t row = p->gather != NULL ? p->gather[output_row] : output_row;
    return p->rows + row * p->row_bytes;
}

static float *output_row(const product *p, size_t row)
{
    return p->y_rows != NULL ? p->y_rows[row] : p->y + row * p->y_stride;
}

static void gather_tiles(void *ctx, uint32_t thread, size_t begin, size_t end)
{
    (void)thread;
    const product *p = ctx;
    size_t g = 0;
    for (size_t slot = begin; slot < end; slot++) {
        while (g + 1 < p->n_groups && first_tile(p, g + 1) <= slot) {
            g++;
        }
        size_t t = slot - first_tile(p, g);
        if (t >= tiles_of(p, &p->groups[g]) || p->groups[g].n == 1) {
            continue; /* an unused slot, or a single row that is read where it is */
        }
        uint32_t first = 0;
        uint32_t n = 0;
        tile_rows(p, &p->groups[g], (uint32_t)t, &first, &n);
        const void *rows[LF_MAX_MR];
        for (uint32_t r = 0; r < n; r++) {
            rows[r] = input_row(p, p->groups[g].first + first + r);
        }
        p->act->pack(n, p->w->k, rows, p->tiles + slot * p->tile_bytes);
    }
}

/* The same as fold_pairs, by blocks of hidden columns, into the tile of the m rows. */
static void fold_blocks(const product *p, uint32_t m, const float *strip, size_t strip_stride,
                        uint32_t first_column, uint32_t n_pairs, uint32_t first_row)
{
    enum { NR = LF_HIDDEN_BLOCK / 2 };
    const lf_lhs *act = &p->pass->kernels->lhs[p->into];
    size_t block = first_column / LF_HIDDEN_BLOCK;
    uint8_t *out = p->hidden->rows[p->into] + first_row * p->hidden->row_bytes[p->into] +
                   block * m * act->block_bytes;
    _Alignas(LF_ALIGN) float x[LF_MAX_MR * LF_HIDDEN_BLOCK];
    _Alignas(LF_ALIGN) uint8_t blocks[LF_MAX_MR * LF_MAX_BLOCK_BYTES];
    const void *rows[LF_MAX_MR];
    for (uint32_t r = 0; r < m; r++) {
        rows[r] = blocks + r * act->block_bytes;
    }
    for (uint32_t j = 0; j < n_pairs; j += 2, out += m * act->block_bytes) {
        for (uint32_t r = 0; r < m; r++) {
            const float *pairs = strip + r * strip_stride + (size_t)j * 2 * NR;
            float *to = x + r * LF_HIDDEN_BLOCK;
            p->pass->kernels->ops.swiglu(NR, pairs, pairs + NR, to);
            p->pass->kernels->ops.swiglu(NR, pairs + 2 * NR, pairs + 3 * NR, to + NR);
        }
        act->quantize((size_t)m * LF_HIDDEN_BLOCK, x, blocks);
        act->pack(m, LF_HIDDEN_BLOCK, rows, out);
    }
}

/* Strip of gate and up panels in alternation -> hidden columns. */
static void fold_pairs(const product *p, uint32_t m, const float *strip, size_t strip_stride,
                       uint32_t first_column, uint32_t n_pairs, uint32_t first_row)
{
    uint32_t nr = p->w->gemm->nr;
    if (p->hidden != NULL) {
        fold_blocks(p, m, strip, strip_stride, first_column, n_pairs, first_row);
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

/* Panels in one of a kernel's two forms. */
typedef struct panel_form {
    const uint8_t *at;
    size_t bytes; /* of a panel */
    lf_gemm_fn fn;
} panel_form;

/* Panels [panel, panel + n_panels) of a expert, which are `from`, times one tile of rows from
 * first_row. */
static void multiply_tile(const product *p, panel_form from, uint32_t panel, uint32_t n_panels,
                          const void *tile, uint32_t m, uint32_t first_row)
{
    const lf_packed *w = p->w;
    uint32_t nr = w->gemm->nr;
    lf_prefetch_policy policy = p->pass->kernels->prefetch;
    if (!w->pair && !p->add && (p->y_rows == NULL || m == 1)) {
        uint32_t column = panel * nr;
        uint32_t n = n_panels * nr < w->n - column ? n_panels * nr : w->n - column;
        from.fn(m, n, w->k, tile, from.at, output_row(p, first_row) + column, p->y_stride, policy);
        return;
    }
    float strip[STRIP_FLOATS];
    uint32_t together = lf_panels_together(w);
    uint32_t fit = STRIP_FLOATS / (m * nr) / together * together;
    for (uint32_t done = 0; done < n_panels; done += fit) {
        uint32_t now = n_panels - done < fit ? n_panels - done : fit;
        size_t stride = (size_t)now * nr;
        from.fn(m, stride, w->k, tile, from.at + done * from.bytes, strip, stride, policy);
        if (w->pair) {
            fold_pairs(p, m, strip, stride, (panel + done) / 2 * nr, now / 2, first_row);
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

/* The panels in the form that is taken apart, in the thread's own memory. */
static panel_form unpack(const product *p, uint32_t thread, panel_form from, uint32_t n_panels)
{
    const lf_scratch *s = p->pass->s;
    const lf_gemm *gemm = p->w->gemm;
    uint8_t *to = s->wide + thread * s->unpacked_bytes;
    size_t bytes = gemm->unpacked_bytes(p->w->k);
    for (uint32_t i = 0; i < n_panels; i++) {
        gemm->unpack(p->w->k, from.at + i * from.bytes, to + i * bytes);
    }
    return (panel_form){to, bytes, gemm->unpacked_fn};
}

/* Units [unit, unit_end) of one group. */
static void multiply_group(const product *p, uint32_t thread, size_t g, uint32_t unit,
                           uint32_t unit_end)
{
    const lf_group *group = &p->groups[g];
    const lf_packed *w = p->w;
    const uint8_t *expert = w->panels + group->expert * w->expert_bytes;
    uint32_t panel = unit * p->unit;
    uint32_t end = unit_end * p->unit < w->n_panels ? unit_end * p->unit : w->n_panels;
    panel_form from = {expert, w->panel_bytes, w->gemm->fn};
    if (group->n == 1) {
        from.at += panel * w->panel_bytes;
        multiply_tile(p, from, panel, end - panel, input_row(p, group->first), 1, group->first);
        return;
    }
    uint32_t tiles = tiles_of(p, group);
    bool wide = lf_unpacks(w, tiles);
    uint32_t step = tiles == 1 ? end - panel : lf_panels_a_step(w, wide);
    for (; panel < end; panel += step) {
        uint32_t n_panels = end - panel < step ? end - panel : step;
        from.at = expert + panel * w->panel_bytes;
        panel_form now = wide ? unpack(p, thread, from, n_panels) : from;
        for (uint32_t t = 0; t < tiles; t++) {
            uint32_t first = 0;
            uint32_t n = 0;
            tile_rows(p, group, t, &first, &n);
            first += group->first;
            const void *tile = p->tiles != NULL ? p->tiles + (first_tile(p, g) + t) * p->tile_bytes
                                                : input_row(p, first);
            multiply_tile(p, now, panel, n_panels, tile, n, first);
        }
    }
}

static void multiply_units(void *ctx, uint32_t thread, size_t begin, size_t end)
{
    const product *p = ctx;
    while (begin < end) {
        size_t g = begin / p->n_units;
        size_t group_end = (g + 1) * p->n_units;
        size_t stop = end < group_end ? end : group_end;
        multiply_group(p, thread, g, (uint32_t)(begin - g * p->n_units),
                       (uint32_t)(stop - g * p->n_units));
        begin = stop;
    }
}

static size_t rows_of(const lf_group *groups, size_t n_groups)
{
    size_t rows = 0;
    for (size_t g = 0; g < n_groups; g++) {
        rows += groups[g].n;
    }
    return rows;
}

/* How many panels a unit has when the groups have `rows` rows in all. */
static uint32_t unit_panels(const lf_pass *pass, const lf_packed *w, size_t n_groups, size_t rows)
{
    if (rows == n_groups) {
        return w->pair ? 2 : 1; /* each thread streams its share, and ends with the others */
    }
    uint32_t least = lf_panels_together(w); /* divides all others */
    uint32_t unit = UNIT_PANELS;
    size_t panels = n_groups * w->n_panels;
    while (unit > least && panels / unit < (size_t)LEAST_UNITS * lf_team_threads(pass->team)) {
        unit /= 2;
    }
    return unit;
}

void lf_prefetch_hint(const lf_pass *pass, const lf_packed *w, const lf_group *groups,
                      size_t n_groups)
{
    if (!lf_team_spins(pass->team)) {
        return;
    }
    uint32_t threads = lf_team_threads(pass->team);
    if (w == NULL) {
        for (uint32_t thread = 0; thread < threads; thread++) {
            lf_team_prefetch(pass->team, thread, NULL, 0);
        }
        return;
    }
    size_t unit = unit_panels(pass, w, n_groups, rows_of(groups, n_groups));
    size_t n_units = (w->n_panels + unit - 1) / unit;
    size_t all = n_groups * n_units;
    for (uint32_t thread = 0; thread < threads; thread++) {
        size_t first = all * thread / threads;
        size_t end = all * (thread + 1) / threads;
        size_t group_end = (first / n_units + 1) * n_units; /* the next expert lies elsewhere */
        size_t share = (end < group_end ? end : group_end) - first;
        const uint8_t *expert = w->panels + groups[first / n_units].expert * w->expert_bytes;
        lf_team_prefetch(pass->team, thread, expert + first % n_units * unit * w->panel_bytes,
                         share * unit * w->panel_bytes);
    }
}

/* `out` says where the output goes; its other fields are filled here. */
static void run_product(const lf_pass *pass, const lf_lhs_rows *lhs, const uint32_t *gather,
                        const lf_group *groups, size_t n_groups, const lf_packed *w, product out)
{
    if (n_groups == 0) {
        return;
    }
    lf_lhs_format format = w->gemm->lhs;
    size_t rows = rows_of(groups, n_groups);
    size_t gathered = 0; /* rows of tiles */
    for (size_t g = 0; g < n_groups; g++) {
        gathered += groups[g].n > 1 ? groups[g].n : 0;
    }
    product p = out;
    p.pass = pass;
    p.act = &pass->kernels->lhs[format];
    p.rows = lhs->rows[format];
    p.row_bytes = lhs->row_bytes[format];
    p.gather = gather;
    p.groups = groups;
    p.n_groups = n_groups;
    p.w = w;
    p.unit = unit_panels(pass, w, n_groups, rows);
    p.n_units = (w->n_panels + p.unit - 1) / p.unit;
    bool are_packed = lhs->are_packed || (p.act->stacked && gather == NULL);
    p.tiles = are_packed ? NULL : pass->s->tiles;
    size_t units = n_groups * p.n_units;
    size_t unit_ns = w->panel_bytes * p.unit / 16;
    if (gathered == 0) {
        lf_pass_stream(pass, units, units * unit_ns, multiply_units, &p);
        return;
    }
    if (p.tiles != NULL) {
        p.tile_bytes = p.act->tile_bytes(w->gemm->mr, w->k);
        size_t slots = first_tile(&p, n_groups - 1) + tiles_of(&p, &groups[n_groups - 1]);
        lf_pass_parallel(pass, slots, gathered * p.row_bytes / 8 / slots, gather_tiles, &p);
    }
    lf_pass_balance(pass, units, units * unit_ns * (1 + rows / n_groups / 4), multiply_units, &p);
}

void lf_linear_groups(const lf_pass *pass, const lf_lhs_rows *lhs, const uint32_t *gather,
                      const lf_group *groups, size_t n_groups, const lf_packed *w, float *y,
                      size_t y_stride)
{
    product out = {.y = y, .y_stride = y_stride};
    run_product(pass, lhs, gather, groups, n_groups, w, out);
}

/* Panels are widened if so many tiles meet them. The panels of a step stay in the second level
 * cache while all tiles pass them; a kernel that is called for several at once takes less time for
 * each. */
enum { WIDE_TILES = 3, STEP_BYTES = 384 << 10 };

bool lf_unpacks(const lf_packed *w, size_t tiles)
{
    return tiles >= WIDE_TILES && w->gemm->unpack != NULL;
}

uint32_t lf_panels_a_step(const lf_packed *w, bool wide)
{
    size_t bytes = wide ? w->gemm->unpacked_bytes(w->k) : w->panel_bytes;
    uint32_t n = UNIT_PANELS;
    while (n > lf_panels_together(w) && n * bytes > STEP_BYTES) {
        n /= 2;
    }
    return n;
}

bool lf_hidden_tiled(const lf_kernels *kernels, const lf_packed *gate_up, const lf_packed *down)
{
    size_t block_bytes = kernels->lhs[down->gemm->lhs].block_bytes;
    return block_bytes > 0 && block_bytes <= LF_MAX_BLOCK_BYTES &&
           gate_up->gemm->nr == LF_HIDDEN_BLOCK / 2 && gate_up->n % LF_HIDDEN_BLOCK == 0 &&
           gate_up->gemm->mr == down->gemm->mr;
}

void lf_linear_hidden(const lf_pass *pass, const lf_lhs_rows *lhs, const uint32_t *gather,
                      const lf_group *groups, size_t n_groups, const lf_packed *gate_up,
                      const lf_packed *down, lf_lhs_rows *hidden)
{
    lf_scratch *s = pass->s;
    size_t width = gate_up->n;
    uint32_t n = (uint32_t)rows_of(groups, n_groups);
    *hidden = (lf_lhs_rows){.n = n, .k = width};
    memcpy(hidden->rows, s->hidden_lhs, sizeof hidden->rows);
    if (n == n_groups || !lf_hidden_tiled(pass->kernels, gate_up, down)) {
        lf_linear_groups(pass, lhs, gather, groups, n_groups, gate_up, s->hidden, width);
        lf_lhs_quantize(pass, s->hidden, n, width, lf_format_bit(down), hidden);
        return;
    }
    lf_lhs_format into = down->gemm->lhs;
    hidden->row_bytes[into] = pass->kernels->lhs[into].row_bytes(width);
    hidden->are_packed = true;
    product out = {.hidden = hidden, .into = into};
    run_product(pass, lhs, gather, groups, n_groups, gate_up, out);
}

void lf_linear(const lf_pass *pass, const lf_lhs_rows *lhs, const lf_packed *w, float *y,
               size_t y_stride)
{
    lf_group all = {0, 0, lhs->n};
    lf_linear_groups(pass, lhs, NULL, &all, 1, w, y, y_stride);
}

void lf_linear_add(const lf_pass *pass, const lf_lhs_rows *lhs, const lf_packed *w, float *y,
                   size_t y_stride)
{
    lf_group all = {0, 0, lhs->n};
    product out = {.y = y, .y_stride = y_stride, .add = true};
    run_product(pass, lhs, NULL, &all, 1, w, out);
}

void lf_linear_scatter(const lf_pass *pass, const lf_lhs_rows *lhs, const lf_packed *w,
                       float *const *rows)
{
    lf_group all = {0, 0, lhs->n};
    product out = {.y_rows = rows};
    run_product(pass, lhs, NULL, &all, 1, w, out);
}
