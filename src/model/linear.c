/* SPDX-License-Identifier: Apache-2.0 */
/* Implements the division of matrix products over threads and the sizes of their memory. */
#include "model/linear.h"

#include "model/product.h"
#include "model/workspace.h"

#include <string.h>

/* ---- Units and steps ---- */

/* A unit is the least that a thread takes of one expert. Where a panel is multiplied by several
 * rows it is large: kernels prefetch beyond its end, which is wasted when another thread takes the
 * next unit. It is small enough that every thread gets LEAST_UNITS, and never divides panels that
 * are multiplied together. */
enum { UNIT_PANELS = 16, LEAST_UNITS = 8 };

/* UNPACK_TILES: fewer tiles do not pay for unpacking. STEP_BYTES: the panels of a step stay in the
 * second-level cache while all tiles are multiplied; several panels a kernel call cost less than
 * one each. */
enum { UNPACK_TILES = 3, STEP_BYTES = 384 << 10 };

bool lf_unpacks(const lf_packed *w, size_t tiles)
{
    return w->blocks || (tiles >= UNPACK_TILES && w->gemm->unpack != NULL);
}

size_t lf_unpacked_bytes(const lf_packed *w)
{
    return w->blocks ? w->gemm->panel_bytes(w->k) : w->gemm->unpacked_bytes(w->k);
}

uint32_t lf_panels_a_step(const lf_packed *w, bool unpacked)
{
    size_t bytes = unpacked ? lf_unpacked_bytes(w) : w->panel_bytes;
    uint32_t n = UNIT_PANELS;
    while (n > lf_panels_together(w) && n * bytes > STEP_BYTES) {
        n /= 2;
    }
    return n;
}

static size_t rows_of(const lf_group *groups, size_t n_groups)
{
    size_t rows = 0;
    for (size_t g = 0; g < n_groups; g++) {
        rows += groups[g].n;
    }
    return rows;
}

/* Panels of a unit when the groups have `rows` rows in all. */
static uint32_t unit_panels(const lf_pass *pass, const lf_packed *w, size_t n_groups, size_t rows)
{
    if (rows == n_groups) {
        return w->pair ? 2 : 1; /* single rows: each thread streams its range of panels */
    }
    uint32_t least = lf_panels_together(w); /* divides UNIT_PANELS */
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
        size_t group_end = (first / n_units + 1) * n_units; /* experts are not adjacent */
        size_t range = (end < group_end ? end : group_end) - first;
        const uint8_t *expert = w->panels + groups[first / n_units].expert * w->expert_bytes;
        lf_team_prefetch(pass->team, thread, expert + first % n_units * unit * w->panel_bytes,
                         range * unit * w->panel_bytes);
    }
}

/* ---- Products ---- */

/* While policies are compared, the head is divided into several regions: otherwise a pass would
 * measure it once. A region has at least this many bytes for each thread. */
enum { MEASURED_BYTES = 4 << 20 };

/* Chooses the prefetch policies of the next region; returns how many of the remaining units it has.
 * Kernels ignore the policy for unpacked panels; those of other providers ignore it always. */
static size_t begin_region(lf_product *p, size_t units)
{
    const lf_packed *w = p->w;
    size_t least =
        (size_t)MEASURED_BYTES * lf_team_threads(p->pass->team) / (p->unit * w->panel_bytes);
    size_t n = p->n_groups == 1 && least > 0 && units >= 2 * least ? least : units;
    size_t bytes[LF_ROW_CLASSES] = {0};
    for (size_t g = 0; g < p->n_groups && w->gemm->provider == LF_PROVIDER_LFM2; g++) {
        if (!lf_unpacks(w, lf_group_tiles(p, &p->groups[g]))) {
            size_t panels = p->n_groups == 1 ? n * p->unit : w->n_panels;
            bytes[lf_row_class(p->groups[g].n)] += panels * w->panel_bytes;
        }
    }
    lf_prefetch_begin(p->pass->prefetch, w->gemm->weights, bytes, &p->prefetch);
    return p->prefetch.measured != 0 ? n : units;
}

/* `out` names the output; its other fields are filled here. */
static void multiply(const lf_pass *pass, const lf_lhs_rows *lhs, const uint32_t *gather,
                     const lf_group *groups, size_t n_groups, const lf_packed *w, lf_product out)
{
    if (n_groups == 0) {
        return;
    }
    const lf_observer *observer = pass->workspace->observer;
    if (observer != NULL) {
        observer->inputs(observer->ctx, w, lhs, gather, groups, n_groups);
    }
    lf_lhs_format format = w->gemm->lhs;
    size_t rows = rows_of(groups, n_groups);
    size_t tile_rows = 0; /* rows of groups with several */
    for (size_t g = 0; g < n_groups; g++) {
        tile_rows += groups[g].n > 1 ? groups[g].n : 0;
    }
    lf_product p = out;
    p.pass = pass;
    p.lhs = &pass->kernels->lhs[format];
    p.rows = lhs->rows[format];
    p.row_bytes = lhs->row_bytes[format];
    p.gather = gather;
    p.groups = groups;
    p.n_groups = n_groups;
    p.w = w;
    p.unit = unit_panels(pass, w, n_groups, rows);
    p.n_units = (w->n_panels + p.unit - 1) / p.unit;
    bool are_packed = lhs->are_packed || (p.lhs->stacked && gather == NULL);
    p.tiles = are_packed ? NULL : pass->workspace->linear.tiles;
    pass->workspace->bytes_read += n_groups * w->expert_bytes;
    size_t units = n_groups * p.n_units;
    size_t unit_ns = (w->blocks ? lf_unpacked_bytes(w) : w->panel_bytes) * p.unit / 16;
    if (p.tiles != NULL && tile_rows > 0) {
        p.tile_bytes = p.lhs->tile_bytes(w->gemm->mr, w->k);
        size_t slots = lf_first_tile(&p, n_groups - 1) + lf_group_tiles(&p, &groups[n_groups - 1]);
        lf_pass_parallel(pass, slots, tile_rows * p.row_bytes / 8 / slots, lf_product_pack, &p);
    }
    for (size_t n = 0; p.first < units; p.first += n) {
        n = begin_region(&p, units - p.first);
        if (tile_rows == 0) {
            lf_pass_stream(pass, n, n * unit_ns, lf_product_multiply, &p);
        } else {
            lf_pass_balance(pass, n, n * unit_ns * (1 + rows / n_groups / 4), lf_product_multiply,
                            &p);
        }
        lf_prefetch_end(pass->prefetch, &p.prefetch);
    }
}

void lf_linear_groups(const lf_pass *pass, const lf_lhs_rows *lhs, const uint32_t *gather,
                      const lf_group *groups, size_t n_groups, const lf_packed *w, float *y,
                      size_t y_stride)
{
    lf_product out = {.y = y, .y_stride = y_stride};
    multiply(pass, lhs, gather, groups, n_groups, w, out);
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
    lf_product out = {.y = y, .y_stride = y_stride, .add = true};
    multiply(pass, lhs, NULL, &all, 1, w, out);
}

void lf_linear_scatter(const lf_pass *pass, const lf_lhs_rows *lhs, const lf_packed *w,
                       float *const *rows)
{
    lf_group all = {0, 0, lhs->n};
    lf_product out = {.y_rows = rows};
    multiply(pass, lhs, NULL, &all, 1, w, out);
}

bool lf_packs_hidden(const lf_kernels *kernels, const lf_packed *gate_up, const lf_packed *down)
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
    const lf_linear_memory *memory = &pass->workspace->linear;
    size_t width = gate_up->n;
    uint32_t n = (uint32_t)rows_of(groups, n_groups);
    *hidden = (lf_lhs_rows){.n = n, .k = width};
    memcpy(hidden->rows, memory->hidden_lhs, sizeof hidden->rows);
    /* Single rows stream: memory would wait while a block is quantized. An observer needs floats.
     */
    if (n == n_groups || pass->workspace->observer != NULL ||
        !lf_packs_hidden(pass->kernels, gate_up, down)) {
        lf_linear_groups(pass, lhs, gather, groups, n_groups, gate_up, memory->hidden, width);
        lf_lhs_quantize(pass, memory->hidden, n, width, lf_format_bit(down), hidden);
        return;
    }
    lf_lhs_format into = down->gemm->lhs;
    hidden->row_bytes[into] = pass->kernels->lhs[into].row_bytes(width);
    hidden->are_packed = true;
    lf_product out = {.hidden = hidden, .into = into};
    multiply(pass, lhs, gather, groups, n_groups, gate_up, out);
}

/* ---- Memory ---- */

/* The largest buffers that any matrix of the model needs. */
typedef struct needs {
    size_t rows[LF_LHS_COUNT];   /* bytes: LHS of width H, or of the mixer's output */
    size_t hidden[LF_LHS_COUNT]; /* bytes: LHS of down */
    size_t tiles;                /* bytes */
    size_t unpacked;             /* bytes a thread */
    size_t hidden_floats;        /* of hidden rows that are not packed at once */
} needs;

/* `w` multiplies n_rows rows in groups of at most `largest`. */
static void need_rows(const lfm2_model *model, const lf_packed *w, size_t n_rows, size_t largest,
                      size_t *rows, needs *max)
{
    if (w->gemm == NULL) {
        return;
    }
    const lf_gemm *gemm = w->gemm;
    const lf_lhs *lhs = &model->runtime->kernels.lhs[gemm->lhs];
    rows[gemm->lhs] = lf_max_size(rows[gemm->lhs], n_rows * lhs->row_bytes(w->k));
    if (lf_unpacks(w, (largest + gemm->mr - 1) / gemm->mr)) {
        max->unpacked =
            lf_max_size(max->unpacked, lf_panels_a_step(w, true) * lf_unpacked_bytes(w));
    }
}

/* `w` multiplies `outputs` rows in `groups` groups, packed. */
static void need_tiles(const lfm2_model *model, const lf_packed *w, size_t outputs, size_t groups,
                       needs *max)
{
    if (w->gemm != NULL) {
        const lf_lhs *lhs = &model->runtime->kernels.lhs[w->gemm->lhs];
        size_t tiles = outputs / w->gemm->mr + groups;
        max->tiles = lf_max_size(max->tiles, tiles * lhs->tile_bytes(w->gemm->mr, w->k));
    }
}

static needs measure(const lfm2_model *model, size_t t, bool observed)
{
    const lf_hparams *h = &model->source->hparams;
    size_t r = t * lf_max_size(1, h->n_expert_used);
    needs max = {0};
    need_rows(model, &model->head, t, t, max.rows, &max);
    need_tiles(model, &model->head, t, 1, &max);
    for (uint32_t l = 0; l < h->n_layer; l++) {
        const lf_layer *layer = &model->layers[l];
        const lf_packed *plain[] = {&layer->in, &layer->k, &layer->v, &layer->out, &layer->router};
        for (size_t i = 0; i < sizeof plain / sizeof plain[0]; i++) {
            need_rows(model, plain[i], t, t, max.rows, &max);
            need_tiles(model, plain[i], t, 1, &max);
        }
        bool moe = layer->router.gemm != NULL;
        size_t rows = moe ? r : t;
        size_t groups = moe ? h->n_expert : 1;
        need_rows(model, &layer->gate_up, t, t, max.rows, &max);
        need_tiles(model, &layer->gate_up, rows, groups, &max);
        need_rows(model, &layer->down, rows, t, max.hidden, &max);
        size_t hidden_rows = rows;
        if (observed || !lf_packs_hidden(&model->runtime->kernels, &layer->gate_up, &layer->down)) {
            need_tiles(model, &layer->down, rows, groups, &max);
        } else if (groups < rows) {
            hidden_rows = groups; /* when each group has a single row */
        }
        max.hidden_floats = lf_max_size(max.hidden_floats, hidden_rows * layer->gate_up.n);
    }
    return max;
}

void lf_linear_carve(const lfm2_model *model, const lf_limits *limits, lf_carver *c,
                     lf_linear_memory *out)
{
    size_t threads = model->runtime->sched.n_threads;
    needs max = measure(model, limits->rows, limits->observed);
    size_t normed = limits->observed ? limits->rows : threads;
    out->normed = lf_carve(c, normed * model->source->hparams.n_embd, sizeof(float));
    for (int f = 0; f < LF_LHS_COUNT; f++) {
        out->lhs[f] = lf_carve(c, max.rows[f], 1);
        out->hidden_lhs[f] = lf_carve(c, max.hidden[f], 1);
    }
    out->hidden = lf_carve(c, max.hidden_floats, sizeof(float));
    out->tiles = lf_carve(c, max.tiles, 1);
    out->unpacked = lf_carve(c, threads, max.unpacked);
    out->unpacked_bytes = max.unpacked;
}
