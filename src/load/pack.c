/* SPDX-License-Identifier: Apache-2.0 */
/* Owns the way from stored blocks to packed panels. */
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

int32_t lf_pack_plan(const lf_kernels *kernels, const lf_tensor *first, const lf_tensor *second,
                     lf_packed *out)
{
    if (second != NULL &&
        (second->type != first->type || memcmp(second->ne, first->ne, sizeof first->ne) != 0)) {
        return lf_fail(LFM2_E_UNSUPPORTED, "pack.pair",
                       "tensors '%s' and '%s' differ in type or shape", first->name, second->name);
    }
    lf_codes codes = {0};
    bool coded = lf_codes_of(first->type, &codes);
    lf_packed p = {.n = (uint32_t)first->ne[1],
                   .k = (uint32_t)first->ne[0],
                   .n_slabs = (uint32_t)first->ne[2],
                   .pair = second != NULL};
    if (format_of(first->type) == LF_W_I8G && codes.group != 32) {
        return lf_fail(LFM2_E_UNSUPPORTED, "pack.group", "tensor '%s': no panels for groups of %u",
                       first->name, codes.group);
    }
    p.gemm = lf_gemm_pick(kernels, format_of(first->type), coded && codes.has_min, p.k);
    p.n_panels = (p.n + p.gemm->nr - 1) / p.gemm->nr * (p.pair ? 2 : 1);
    p.panel_bytes = p.gemm->panel_bytes(p.k);
    if (!lf_mul_size(p.panel_bytes, p.n_panels, &p.slab_bytes) ||
        !lf_mul_size(p.slab_bytes, p.n_slabs, &p.bytes)) {
        return lf_fail(LFM2_E_MEMORY, "memory.overflow", "tensor '%s': packed size overflows",
                       first->name);
    }
    *out = p;
    return LFM2_OK;
}

/* ---- Filling ---- */

typedef struct fill {
    const lf_packed *packed;
    const lf_tensor *tensors[2];
    size_t row_bytes;
    bool coded;
    lf_codes codes;
    uint32_t first_slab; /* of the current step */
    uint8_t *scratch;    /* of all parts */
    size_t part_bytes;
    size_t codes_bytes, scales_bytes; /* of nr rows */
} fill;

static void fill_panel(const fill *f, uint32_t slab, uint32_t panel, uint8_t *scratch)
{
    const lf_packed *p = f->packed;
    uint32_t nr = p->gemm->nr;
    const lf_tensor *tensor = f->tensors[p->pair ? panel & 1 : 0];
    uint32_t first_row = (p->pair ? panel / 2 : panel) * nr;
    uint32_t rows = p->n - first_row < nr ? p->n - first_row : nr;
    const uint8_t *src = lf_tensor_slab(tensor, slab) + first_row * f->row_bytes;
    uint8_t *dst = p->owned + slab * p->slab_bytes + panel * p->panel_bytes;
    lf_panel_source source = {.rows = rows, .values = src};
    if (f->coded) {
        int8_t *codes = (int8_t *)scratch;
        float *scales = (float *)(void *)(scratch + f->codes_bytes);
        float *mins = (float *)(void *)(scratch + f->codes_bytes + f->scales_bytes);
        size_t groups = p->k / f->codes.group;
        for (uint32_t r = 0; r < rows; r++) {
            lf_codes_row(tensor->type, src + r * f->row_bytes, p->k, codes + (size_t)r * p->k,
                         scales + r * groups, mins + r * groups);
        }
        source = (lf_panel_source){
            .rows = rows, .codes = codes, .scales = scales, .mins = f->codes.has_min ? mins : NULL};
    }
    p->gemm->pack(p->k, &source, dst);
}

static void fill_panels(void *ctx, uint32_t part, size_t begin, size_t end)
{
    const fill *f = ctx;
    for (size_t i = begin; i < end; i++) {
        uint32_t slab = f->first_slab + (uint32_t)(i / f->packed->n_panels);
        fill_panel(f, slab, (uint32_t)(i % f->packed->n_panels), f->scratch + part * f->part_bytes);
    }
}

static void drop_slab(const lf_source *source, const lf_tensor *tensor, uint32_t slab)
{
    if (tensor == NULL || tensor->part >= source->n_files) {
        return;
    }
    const lf_file *file = &source->files[tensor->part];
    const uint8_t *data = lf_tensor_slab(tensor, slab);
    uint64_t bytes = tensor->bytes / tensor->ne[2];
    if (data >= file->data && data < file->data + file->size) {
        lf_file_drop(file, (uint64_t)(data - file->data), bytes);
    }
}

static size_t round_up(size_t n, size_t to)
{
    return (n + to - 1) / to * to;
}

int32_t lf_pack_fill(const lf_alloc *alloc, const lf_sched *sched, const lf_source *source,
                     const lf_tensor *first, const lf_tensor *second, lf_packed *packed)
{
    fill f = {.packed = packed,
              .tensors = {first, second},
              .row_bytes = lf_row_bytes(first->type, packed->k)};
    f.coded = lf_codes_of(first->type, &f.codes) && !packed->gemm->stored;
    if (f.coded) {
        uint32_t nr = packed->gemm->nr;
        f.codes_bytes = round_up((size_t)nr * packed->k, LF_ALIGN);
        f.scales_bytes = round_up(nr * (packed->k / f.codes.group) * sizeof(float), LF_ALIGN);
        f.part_bytes = f.codes_bytes + 2 * f.scales_bytes;
    }
    void *panels = NULL;
    LF_TRY(lf_new(alloc, packed->bytes, 1, "packed weights", &panels));
    void *scratch = NULL;
    int32_t status = lf_new(alloc, sched->n_threads, f.part_bytes, "packing buffer", &scratch);
    if (status != LFM2_OK) {
        lf_free(alloc, panels, packed->bytes, 1);
        return status;
    }
    packed->owned = panels;
    packed->panels = panels;
    f.scratch = scratch;
    /* A few slabs at a time, so that source and panels are not in memory together as a whole. */
    enum { STEP_BYTES = 32 << 20 };
    size_t step = packed->slab_bytes < STEP_BYTES ? STEP_BYTES / packed->slab_bytes : 1;
    for (size_t s = 0; s < packed->n_slabs; s += step) {
        size_t n = packed->n_slabs - s < step ? packed->n_slabs - s : step;
        f.first_slab = (uint32_t)s;
        lf_parallel(sched, n * packed->n_panels, 8, fill_panels, &f);
        for (size_t i = s; i < s + n; i++) {
            drop_slab(source, first, (uint32_t)i);
            drop_slab(source, second, (uint32_t)i);
        }
    }
    lf_free(alloc, scratch, sched->n_threads, f.part_bytes);
    return LFM2_OK;
}

void lf_pack_free(const lf_alloc *alloc, lf_packed *packed)
{
    lf_free(alloc, packed->owned, packed->bytes, 1);
    packed->owned = NULL;
    packed->panels = NULL;
}
