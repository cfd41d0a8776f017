/* SPDX-License-Identifier: Apache-2.0 */
/* Packing: from the tensors of a source to panels. */
#include "load/pack.h"

#include <string.h>

static lf_wformat format_of(lf_type type)
{
    switch (type) {
    case LF_F32:
        return LF_W_F32;
    case LF_F16:
        return LF_W_F16;
    case LF_BF16:
        return LF_W_BF16;
    case LF_Q4_0:
        return LF_W_Q4;
    case LF_Q8_0:
        return LF_W_Q8;
    case LF_Q4_K:
        return LF_W_Q4K;
    case LF_Q5_K:
        return LF_W_Q5K;
    case LF_Q6_K:
        return LF_W_Q6K;
    default:
        return LF_W_I8G;
    }
}

bool lf_can_pack(lf_type type)
{
    return format_of(type) != LF_W_I8G || lf_type_get((uint32_t)type)->group == 32;
}

int32_t lf_pack_plan(const lf_kernels *kernels, const lf_tensor *first, const lf_tensor *second,
                     lf_packed *out)
{
    if (second != NULL &&
        (second->type != first->type || memcmp(second->ne, first->ne, sizeof first->ne) != 0)) {
        return lf_fail(LFM2_E_UNSUPPORTED, "pack.pair",
                       "tensors '%s' and '%s' differ in type or shape: they are computed together "
                       "and must agree",
                       first->name, second->name);
    }
    const lf_type_info *type = lf_type_get((uint32_t)first->type);
    lf_packed p = {.n = (uint32_t)first->ne[1],
                   .k = (uint32_t)first->ne[0],
                   .n_experts = (uint32_t)first->ne[2],
                   .pair = second != NULL};
    if (!lf_can_pack(first->type)) {
        return lf_fail(
            LFM2_E_UNSUPPORTED, "pack.group",
            "tensor '%s': type %s can be converted but not run: it has a scale for every "
            "%u values; convert the model with lfm2 quantize --allow-requantize",
            first->name, type->name, type->group);
    }
    p.gemm = lf_gemm_pick(kernels, format_of(first->type), type->has_min, p.k);
    p.n_panels = (p.n + p.gemm->nr - 1) / p.gemm->nr * (p.pair ? 2 : 1);
    p.panel_bytes = p.gemm->panel_bytes(p.k);
    if (!lf_mul_size(p.panel_bytes, p.n_panels, &p.expert_bytes) ||
        !lf_mul_size(p.expert_bytes, p.n_experts, &p.bytes)) {
        return lf_fail(LFM2_E_MEMORY, "memory.overflow",
                       "tensor '%s': its packed size exceeds the address space", first->name);
    }
    *out = p;
    return LFM2_OK;
}

/* ---- Filling ---- */

/* The work of one step: `n_experts` whole experts from `expert` on, or `n_panels` panels of one
 * expert from `panel` on. */
typedef struct step {
    uint32_t expert, n_experts;
    uint32_t panel, n_panels; /* of each expert */
} step;

typedef struct fill {
    const lf_source *source;
    const lf_packed *packed;
    const lf_tensor *tensors[2];
    uint32_t n_tensors;
    size_t row_bytes;
    const lf_type_info *type; /* of all tensors */
    bool unpack;              /* the kernel packs from quants and scales, not from blocks */
    step now;
    uint8_t *scratch; /* thread_bytes for each thread */
    size_t thread_bytes;
    size_t quants_bytes, scales_bytes; /* of nr rows */
    /* Copied rows of `now`, by expert, then by tensor; NULL if the source has the data in place. */
    uint8_t *rows;
    size_t rows_bytes; /* of the whole buffer */
    size_t stride;     /* bytes from one tensor's rows of an expert to the next */
} fill;

/* The number of rows that a step covers in each of its experts and tensors; *first is the first. */
static uint32_t step_rows(const fill *f, const step *s, uint32_t *first)
{
    const lf_packed *p = f->packed;
    uint32_t nr = p->gemm->nr;
    *first = s->panel / f->n_tensors * nr;
    uint32_t rows = s->n_panels / f->n_tensors * nr;
    return rows < p->n - *first ? rows : p->n - *first;
}

/* Row `row` of an expert of a tensor; the current step covers it. */
static const uint8_t *row_at(const fill *f, uint32_t expert, uint32_t tensor, uint32_t row)
{
    if (f->rows == NULL) {
        return lf_tensor_expert(f->source, f->tensors[tensor], expert) + row * f->row_bytes;
    }
    uint32_t first = 0;
    step_rows(f, &f->now, &first);
    return f->rows + ((expert - f->now.expert) * f->n_tensors + tensor) * f->stride +
           (row - first) * f->row_bytes;
}

static void fill_panel(const fill *f, uint32_t expert, uint32_t panel, uint8_t *scratch)
{
    const lf_packed *p = f->packed;
    uint32_t nr = p->gemm->nr;
    uint32_t t = panel % f->n_tensors;
    const lf_tensor *tensor = f->tensors[t];
    uint32_t first_row = panel / f->n_tensors * nr;
    uint32_t rows = p->n - first_row < nr ? p->n - first_row : nr;
    const uint8_t *src = row_at(f, expert, t, first_row);
    uint8_t *dst = p->owned + expert * p->expert_bytes + panel * p->panel_bytes;
    lf_panel_source source = {.rows = rows, .raw = src};
    if (f->unpack) {
        int8_t *quants = (int8_t *)scratch;
        float *scales = (float *)(void *)(scratch + f->quants_bytes);
        float *mins = (float *)(void *)(scratch + f->quants_bytes + f->scales_bytes);
        size_t groups = p->k / f->type->group;
        for (uint32_t r = 0; r < rows; r++) {
            lf_unpack_row(tensor->type, src + r * f->row_bytes, p->k, quants + (size_t)r * p->k,
                          scales + r * groups, mins + r * groups);
        }
        source = (lf_panel_source){.rows = rows,
                                   .quants = quants,
                                   .scales = scales,
                                   .mins = f->type->has_min ? mins : NULL};
    }
    p->gemm->pack(p->k, &source, dst);
}

static void fill_panels(void *ctx, uint32_t thread, size_t begin, size_t end)
{
    const fill *f = ctx;
    for (size_t i = begin; i < end; i++) {
        uint32_t expert = f->now.expert + (uint32_t)(i / f->now.n_panels);
        uint32_t panel = f->now.panel + (uint32_t)(i % f->now.n_panels);
        fill_panel(f, expert, panel, f->scratch + thread * f->thread_bytes);
    }
}

static size_t round_up(size_t n, size_t to)
{
    return (n + to - 1) / to * to;
}

/* The first step; no other is larger. */
static step first_step(const fill *f)
{
    enum { STEP_BYTES = 32 << 20 };
    const lf_packed *p = f->packed;
    step s = {.n_experts = 1, .n_panels = p->n_panels};
    if (p->expert_bytes <= STEP_BYTES) {
        size_t experts = STEP_BYTES / p->expert_bytes;
        s.n_experts = experts < p->n_experts ? (uint32_t)experts : p->n_experts;
    } else { /* a step has both panels of a pair */
        size_t panels = STEP_BYTES / p->panel_bytes / f->n_tensors * f->n_tensors;
        s.n_panels = panels > f->n_tensors ? (uint32_t)panels : f->n_tensors;
    }
    return s;
}

/* Advances *s to the next step; false at the end. */
static bool next_step(const lf_packed *p, const step *largest, step *s)
{
    s->panel += s->n_panels;
    if (s->panel >= p->n_panels) {
        s->panel = 0;
        s->expert += s->n_experts;
    }
    if (s->expert >= p->n_experts) {
        return false;
    }
    uint32_t panels = p->n_panels - s->panel;
    uint32_t experts = p->n_experts - s->expert;
    s->n_panels = panels < largest->n_panels ? panels : largest->n_panels;
    s->n_experts = experts < largest->n_experts ? experts : largest->n_experts;
    return true;
}

static int32_t read_rows(const fill *f)
{
    uint32_t first = 0;
    size_t rows = step_rows(f, &f->now, &first);
    uint8_t *to = f->rows;
    for (uint32_t i = 0; i < f->now.n_experts; i++) {
        for (uint32_t t = 0; t < f->n_tensors; t++, to += f->stride) {
            LF_TRY(lf_tensor_read(f->source, f->tensors[t], f->now.expert + i, first * f->row_bytes,
                                  to, rows * f->row_bytes));
        }
    }
    return LFM2_OK;
}

static void drop_rows(const fill *f)
{
    uint32_t first = 0;
    size_t rows = step_rows(f, &f->now, &first);
    for (uint32_t i = 0; i < f->now.n_experts; i++) {
        for (uint32_t t = 0; t < f->n_tensors; t++) {
            lf_place place = lf_tensor_place(f->tensors[t], f->now.expert + i);
            lf_file_drop(&f->source->files[place.part], place.offset + first * f->row_bytes,
                         rows * f->row_bytes);
        }
    }
}

/* Fills the panels step by step, so that the source and the panels are never in memory as a whole
 * at the same time. */
static int32_t fill_all(lf_sched *sched, fill *f)
{
    const step largest = first_step(f);
    f->now = largest;
    do {
        if (f->rows != NULL) {
            LF_TRY(read_rows(f));
        }
        LF_TRY(
            lf_parallel_turn(sched, (size_t)f->now.n_experts * f->now.n_panels, 8, fill_panels, f));
        drop_rows(f);
    } while (next_step(f->packed, &largest, &f->now));
    return LFM2_OK;
}

static int32_t new_rows(const lf_alloc *alloc, fill *f)
{
    const step largest = first_step(f);
    uint32_t first = 0;
    f->stride = round_up(step_rows(f, &largest, &first) * f->row_bytes, LF_ALIGN);
    f->rows_bytes = f->stride * f->n_tensors * largest.n_experts;
    void *p = NULL;
    LF_TRY(lf_new(alloc, f->rows_bytes, 1, "reading buffer", &p));
    f->rows = p;
    return LFM2_OK;
}

int32_t lf_pack_fill(const lf_alloc *alloc, lf_sched *sched, const lf_source *source,
                     const lf_tensor *first, const lf_tensor *second, lf_packed *packed)
{
    fill f = {.source = source,
              .packed = packed,
              .tensors = {first, second},
              .n_tensors = second != NULL ? 2 : 1,
              .row_bytes = lf_row_bytes(first->type, packed->k)};
    f.type = lf_type_get((uint32_t)first->type);
    f.unpack = f.type->group > 0 && !packed->gemm->raw_blocks;
    if (f.unpack) {
        uint32_t nr = packed->gemm->nr;
        f.quants_bytes = round_up((size_t)nr * packed->k, LF_ALIGN);
        f.scales_bytes = round_up(nr * (packed->k / f.type->group) * sizeof(float), LF_ALIGN);
        f.thread_bytes = f.quants_bytes + 2 * f.scales_bytes;
    }
    void *panels = NULL;
    LF_TRY(lf_new(alloc, packed->bytes, 1, "packed weights", &panels));
    packed->owned = panels;
    packed->panels = panels;
    void *scratch = NULL;
    int32_t status = lf_new(alloc, sched->n_threads, f.thread_bytes, "packing buffer", &scratch);
    f.scratch = scratch;
    if (status == LFM2_OK && lf_tensor_expert(source, first, 0) == NULL) {
        status = new_rows(alloc, &f);
    }
    if (status == LFM2_OK) {
        status = fill_all(sched, &f);
    }
    lf_free(alloc, f.rows, f.rows_bytes, 1);
    lf_free(alloc, scratch, sched->n_threads, f.thread_bytes);
    return status;
}

void lf_pack_free(const lf_alloc *alloc, lf_packed *packed)
{
    lf_free(alloc, packed->owned, packed->bytes, 1);
    packed->owned = NULL;
    packed->panels = NULL;
}
