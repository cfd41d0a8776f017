/* SPDX-License-Identifier: Apache-2.0 */
/* Packing: from the tensors of a source to panels. */
#include "load/pack.h"

#include <string.h>

static size_t round_up(size_t n, size_t to)
{
    return (n + to - 1) / to * to;
}

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
    case LF_Q2_K:
        return LF_W_Q2K;
    case LF_Q3_K:
        return LF_W_Q3K;
    case LF_IQ3_S:
        return LF_W_IQ3S;
    case LF_Q4_K:
        return LF_W_Q4K;
    case LF_Q5_K:
        return LF_W_Q5K;
    case LF_Q6_K:
        return LF_W_Q6K;
    case LF_IQ4_NL:
    case LF_IQ4_XS:
    case LF_MXFP4:
        return LF_W_T4;
    case LF_NVFP4:
        return LF_W_T4G16;
    default:
        return lf_type_get((uint32_t)type)->group == 16 ? LF_W_I8G16 : LF_W_I8G;
    }
}

/* Whether panels hold the blocks of the file. Panels of int8 would be more than twice as large. */
static bool keeps_blocks(const lf_type_info *type)
{
    lf_wformat format = format_of(type->type);
    return format == LF_W_I8G16 || (format == LF_W_I8G && type->block_bytes * 8 < type->block * 4);
}

/* Chooses the kernel, and what panels hold. A pair of two quantized types keeps its blocks, because
 * they unpack to the same panels of int8; with a float type both become F32. */
static void choose(const lf_kernels *kernels, lf_packed *p)
{
    const lf_type_info *first = lf_type_get((uint32_t)p->types[0]);
    const lf_type_info *second = lf_type_get((uint32_t)p->types[1]);
    lf_wformat format = format_of(first->type);
    bool has_min = first->has_min || second->has_min;
    p->blocks = keeps_blocks(first);
    if (first != second) {
        p->blocks = first->group != 0 && second->group != 0;
        format = p->blocks ? LF_W_I8G16 : LF_W_F32;
    }
    p->gemm = lf_gemm_pick(kernels, format, has_min, p->k);
    p->panel_bytes = p->gemm->panel_bytes(p->k);
    if (p->blocks) {
        size_t one = lf_row_bytes(first->type, p->k);
        size_t other = lf_row_bytes(second->type, p->k);
        p->panel_bytes = round_up(p->gemm->nr * (one > other ? one : other), LF_ALIGN);
    }
}

int32_t lf_pack_plan(const lf_kernels *kernels, const lf_tensor *first, const lf_tensor *second,
                     lf_packed *out)
{
    lf_packed p = {.n = (uint32_t)first->ne[1],
                   .k = (uint32_t)first->ne[0],
                   .n_experts = (uint32_t)first->ne[2],
                   .pair = second != NULL,
                   .types = {first->type, second != NULL ? second->type : first->type}};
    choose(kernels, &p);
    p.n_panels = (p.n + p.gemm->nr - 1) / p.gemm->nr * (p.pair ? 2 : 1);
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
    size_t row_bytes[2];
    bool unpack; /* the kernel packs from quants and scales, not from blocks */
    bool decode; /* the kernel packs f32, the tensors have other types */
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
        return lf_tensor_expert(f->source, f->tensors[tensor], expert) + row * f->row_bytes[tensor];
    }
    uint32_t first = 0;
    step_rows(f, &f->now, &first);
    return f->rows + ((expert - f->now.expert) * f->n_tensors + tensor) * f->stride +
           (row - first) * f->row_bytes[tensor];
}

/* What the kernel packs, made from `rows` rows of tensor t at src. */
static lf_panel_source make_source(const fill *f, uint32_t t, const uint8_t *src, uint32_t rows,
                                   uint8_t *scratch)
{
    lf_type type = f->tensors[t]->type;
    const lf_type_info *info = lf_type_get((uint32_t)type);
    size_t k = f->packed->k;
    if (f->decode) {
        float *values = (float *)(void *)scratch;
        lf_decode_row(type, src, values, rows * k);
        return (lf_panel_source){.rows = rows, .raw = values};
    }
    if (!f->unpack) {
        return (lf_panel_source){.rows = rows, .raw = src};
    }
    int8_t *quants = (int8_t *)scratch;
    float *scales = (float *)(void *)(scratch + f->quants_bytes);
    float *mins = (float *)(void *)(scratch + f->quants_bytes + f->scales_bytes);
    lf_unpack_row(type, src, rows * k, quants, scales, mins);
    return (lf_panel_source){
        .rows = rows, .quants = quants, .scales = scales, .mins = info->has_min ? mins : NULL};
}

static void fill_panel(const fill *f, uint32_t expert, uint32_t panel, uint8_t *scratch)
{
    const lf_packed *p = f->packed;
    uint32_t nr = p->gemm->nr;
    uint32_t t = panel % f->n_tensors;
    uint32_t first_row = panel / f->n_tensors * nr;
    uint32_t rows = p->n - first_row < nr ? p->n - first_row : nr;
    const uint8_t *src = row_at(f, expert, t, first_row);
    uint8_t *dst = p->owned + expert * p->expert_bytes + panel * p->panel_bytes;
    if (p->blocks) {
        size_t bytes = rows * f->row_bytes[t];
        memcpy(dst, src, bytes);
        memset(dst + bytes, 0, p->panel_bytes - bytes);
        return;
    }
    const lf_panel_source source = make_source(f, t, src, rows, scratch);
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
            LF_TRY(lf_tensor_read(f->source, f->tensors[t], f->now.expert + i,
                                  first * f->row_bytes[t], to, rows * f->row_bytes[t]));
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
            lf_file_drop(&f->source->files[place.part], place.offset + first * f->row_bytes[t],
                         rows * f->row_bytes[t]);
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
    size_t longest = f->row_bytes[0] > f->row_bytes[1] ? f->row_bytes[0] : f->row_bytes[1];
    f->stride = round_up(step_rows(f, &largest, &first) * longest, LF_ALIGN);
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
              .row_bytes = {lf_row_bytes(packed->types[0], packed->k),
                            lf_row_bytes(packed->types[1], packed->k)}};
    size_t values = (size_t)packed->gemm->nr * packed->k;
    uint32_t group = lf_type_get((uint32_t)first->type)->group;
    f.decode = packed->types[0] != packed->types[1] && !packed->blocks;
    f.unpack = group > 0 && !packed->gemm->raw_blocks && !packed->blocks && !f.decode;
    if (f.unpack) {
        f.quants_bytes = round_up(values, LF_ALIGN);
        f.scales_bytes = round_up(values / group * sizeof(float), LF_ALIGN);
        f.thread_bytes = f.quants_bytes + 2 * f.scales_bytes;
    } else if (f.decode) {
        f.thread_bytes = round_up(values * sizeof(float), LF_ALIGN);
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
