/* SPDX-License-Identifier: Apache-2.0 */
/* Importance matrices: an observer of the matrix products adds up squares of inputs; the sums are
 * written as tensors NAME.in_sum2 and NAME.counts. */
#include "imatrix/imatrix_compute.h"

#include "convert/gguf_write.h"
#include "model/workspace.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { LEAST_CONTEXT = 16, MOST_NAMES = 2 };

/* The sums of a matrix, or of a pair of matrices with the same inputs. */
typedef struct inputs {
    const lf_packed *w;
    const char *names[MOST_NAMES]; /* of the matrices */
    size_t k, n_experts;
    double *sums;     /* [n_experts][k] */
    uint64_t *counts; /* [n_experts] */
} inputs;

/* One matrix of the file. */
typedef struct entry {
    const char *name;
    const inputs *from;
} entry;

typedef struct job {
    lfm2_model *model;
    const lfm2_imatrix_options *options;
    lf_arena arena;
    inputs *all; /* [n]; at most MOST_MATRICES a layer */
    size_t n;
    entry *entries; /* by name */
    size_t n_entries;
    lf_state state;
    lf_workspace *workspace;
    lf_gguf_writer *out;
    const inputs *current; /* of the observed product */
    const lf_lhs_rows *lhs;
    const uint32_t *gather;
    const lf_group *groups;
    size_t n_groups;
} job;

/* ---- The observer ---- */

/* Adds the squares of columns [begin, end) of all rows. */
static void add_columns(const job *j, size_t begin, size_t end)
{
    const inputs *in = j->current;
    for (size_t g = 0; g < j->n_groups; g++) {
        const lf_group *group = &j->groups[g];
        double *sums = in->sums + group->expert * in->k;
        for (uint32_t r = group->first; r < group->first + group->n; r++) {
            const float *x = j->lhs->floats + (j->gather != NULL ? j->gather[r] : r) * in->k;
            for (size_t c = begin; c < end; c++) {
                sums[c] += (double)x[c] * (double)x[c];
            }
        }
    }
}

static void observe(void *ctx, const lf_packed *w, const lf_lhs_rows *lhs, const uint32_t *gather,
                    const lf_group *groups, size_t n_groups)
{
    job *j = ctx;
    j->current = NULL;
    for (size_t i = 0; i < j->n && j->current == NULL; i++) {
        j->current = j->all[i].w == w ? &j->all[i] : NULL;
    }
    if (j->current == NULL) {
        return; /* the head */
    }
    j->lhs = lhs;
    j->gather = gather;
    j->groups = groups;
    j->n_groups = n_groups;
    for (size_t g = 0; g < n_groups; g++) {
        j->current->counts[groups[g].expert] += groups[g].n;
    }
    add_columns(j, 0, j->current->k);
}

/* ---- Preparation ---- */

/* Adds a matrix, or two with the same inputs; absent ones are NULL. */
static int32_t add(job *j, const lf_packed *w, const lf_tensor *first, const lf_tensor *second)
{
    void *p = NULL;
    if (first == NULL) {
        return LFM2_OK;
    }
    inputs *in = &j->all[j->n++];
    *in = (inputs){.w = w,
                   .names = {first->name, second != NULL ? second->name : NULL},
                   .k = (size_t)first->ne[0],
                   .n_experts = (size_t)first->ne[2]};
    size_t values = 0;
    if (!lf_mul_size(in->k, in->n_experts, &values)) {
        return lf_fail(LFM2_E_MEMORY, "memory.overflow", "the importance matrix is too large");
    }
    LF_TRY(lf_arena_new(&j->arena, values, sizeof *in->sums, "importance matrix", &p));
    in->sums = memset(p, 0, values * sizeof *in->sums);
    LF_TRY(lf_arena_new(&j->arena, in->n_experts, sizeof *in->counts, "importance matrix", &p));
    in->counts = memset(p, 0, in->n_experts * sizeof *in->counts);
    for (size_t i = 0; i < MOST_NAMES; i++) {
        if (in->names[i] != NULL) {
            j->entries[j->n_entries++] = (entry){in->names[i], in};
        }
    }
    return LFM2_OK;
}

static int by_name(const void *a, const void *b)
{
    return strcmp(((const entry *)a)->name, ((const entry *)b)->name);
}

static int32_t add_matrices(job *j)
{
    enum { MOST_MATRICES = 7 };
    const lfm2_model *model = j->model;
    uint32_t n_layer = model->source->hparams.n_layer;
    void *p = NULL;
    LF_TRY(lf_arena_new(&j->arena, (size_t)n_layer * MOST_MATRICES, sizeof *j->all,
                        "importance matrix", &p));
    j->all = p;
    LF_TRY(lf_arena_new(&j->arena, (size_t)n_layer * MOST_MATRICES * MOST_NAMES, sizeof *j->entries,
                        "importance matrix", &p));
    j->entries = p;
    for (uint32_t l = 0; l < n_layer; l++) {
        const lf_layer *layer = &model->layers[l];
        const lf_layer_weights *t = &model->weights.layers[l];
        LF_TRY(add(j, &layer->in, t->q != NULL ? t->q : t->conv_in, NULL));
        LF_TRY(add(j, &layer->k, t->k, NULL));
        LF_TRY(add(j, &layer->v, t->v, NULL));
        LF_TRY(add(j, &layer->out, t->o != NULL ? t->o : t->conv_out, NULL));
        LF_TRY(add(j, &layer->router, t->router, NULL));
        LF_TRY(add(j, &layer->gate_up, t->gate, t->up));
        LF_TRY(add(j, &layer->down, t->down, NULL));
    }
    qsort(j->entries, j->n_entries, sizeof *j->entries, by_name);
    return LFM2_OK;
}

/* ---- Computation ---- */

/* Runs one chunk of n_ctx tokens in passes of at most n_chunk. */
static int32_t run_chunk(job *j, const int32_t *ids, int32_t *first)
{
    uint32_t n_ctx = j->options->n_ctx;
    uint32_t most = j->state.n_chunk;
    lf_state_reset(j->model, &j->state);
    for (uint32_t at = 0; at < n_ctx; at += most) {
        uint32_t n = n_ctx - at < most ? n_ctx - at : most;
        if (at == 0) { /* `first` is a copy of the first pass's tokens, with BOS */
            memcpy(first, ids, n * sizeof *ids);
            const lf_vocab_data *v = &j->model->source->vocab;
            first[0] = v->add_bos && v->bos_id >= 0 ? v->bos_id : first[0];
        }
        lf_item item = {.state = &j->state,
                        .ids = at == 0 ? first : ids + at,
                        .n = n,
                        .wanted = LF_LOGITS_NONE};
        LF_TRY(lf_forward_batch(j->model, j->workspace, &item, 1, true));
    }
    return LFM2_OK;
}

static int32_t run_chunks(job *j, const int32_t *ids, uint32_t n)
{
    void *p = NULL;
    const lfm2_imatrix_options *o = j->options;
    LF_TRY(lf_arena_new(&j->arena, j->state.n_chunk, sizeof *ids, "tokens", &p));
    for (uint32_t i = 0; i < n; i++) {
        LF_TRY(run_chunk(j, ids + (size_t)i * o->n_ctx, p));
        if (o->progress != NULL && o->progress(o->progress_user, (i + 1.0) / n) != 0) {
            return lf_fail(LFM2_E_STOPPED, "imatrix.stopped",
                           "the computation was stopped by the progress callback");
        }
    }
    return LFM2_OK;
}

/* ---- Writing ---- */

static int32_t write_values(job *j, const entry *e)
{
    const inputs *in = e->from;
    size_t n = in->k * in->n_experts;
    for (size_t i = 0; i < n; i++) {
        float v = (float)in->sums[i];
        if (!(v - v >= 0.0f)) {
            return lf_fail(LFM2_E_FORMAT, "imatrix.values",
                           "%s: tensor '%s': an input of this matrix, or the sum of its squares, "
                           "is not a finite number",
                           j->model->source->path, e->name);
        }
        LF_TRY(lf_gguf_data(j->out, &v, sizeof v));
    }
    for (size_t i = 0; i < in->n_experts; i++) {
        float v = (float)in->counts[i];
        LF_TRY(lf_gguf_data(j->out, &v, sizeof v));
    }
    return LFM2_OK;
}

static int32_t declare(job *j, const entry *e)
{
    char name[128];
    const inputs *in = e->from;
    const uint64_t sums[] = {in->k, in->n_experts};
    const uint64_t counts[] = {1, in->n_experts};
    uint32_t n_dims = in->n_experts > 1 ? 2 : 1;
    snprintf(name, sizeof name, "%s.in_sum2", e->name);
    LF_TRY(lf_gguf_tensor(j->out, name, LF_F32, n_dims, sums));
    snprintf(name, sizeof name, "%s.counts", e->name);
    return lf_gguf_tensor(j->out, name, LF_F32, n_dims, counts);
}

static int32_t write_file(job *j, const char *path, uint32_t n_chunks)
{
    const char *dataset = j->options->dataset != NULL ? j->options->dataset : "";
    LF_TRY(lf_gguf_create(&j->model->runtime->alloc, path, &j->out));
    LF_TRY(lf_gguf_string(j->out, "general.type", "imatrix", 7));
    LF_TRY(lf_gguf_array(j->out, "imatrix.datasets", LF_GGUF_STRING, 1));
    LF_TRY(lf_gguf_put_string(j->out, dataset, strlen(dataset)));
    LF_TRY(lf_gguf_u32(j->out, "imatrix.chunk_count", n_chunks));
    LF_TRY(lf_gguf_u32(j->out, "imatrix.chunk_size", j->options->n_ctx));
    for (size_t i = 0; i < j->n_entries; i++) {
        LF_TRY(declare(j, &j->entries[i]));
    }
    LF_TRY(lf_gguf_begin_data(j->out));
    for (size_t i = 0; i < j->n_entries; i++) {
        LF_TRY(write_values(j, &j->entries[i]));
    }
    return lf_gguf_commit(j->out);
}

static int32_t check(const lfm2_model *model, const int32_t *ids, size_t n_ids,
                     const lfm2_imatrix_options *o)
{
    if (o->n_ctx < LEAST_CONTEXT) {
        return lf_fail(LFM2_E_ARGUMENT, "imatrix.n_ctx", "n_ctx is %u; allowed: at least %d",
                       o->n_ctx, LEAST_CONTEXT);
    }
    if (n_ids < o->n_ctx) {
        return lf_fail(LFM2_E_ARGUMENT, "imatrix.tokens",
                       "the text has %zu tokens, but a chunk needs %u", n_ids, o->n_ctx);
    }
    uint32_t n_vocab = model->source->hparams.n_vocab;
    for (size_t i = 0; i < n_ids; i++) {
        if (ids[i] < 0 || (uint32_t)ids[i] >= n_vocab) {
            return lf_fail(LFM2_E_ARGUMENT, "imatrix.id", "ids[%zu] is %d; allowed: 0 to %u", i,
                           ids[i], n_vocab - 1);
        }
    }
    return LFM2_OK;
}

static int32_t compute(job *j, const int32_t *ids, uint32_t n_chunks, const char *out_path)
{
    lfm2_model *model = j->model;
    lfm2_session_options session = {.size = sizeof session, .n_ctx = j->options->n_ctx};
    const lf_observer observer = {observe, j};
    LF_TRY(lf_source_refuse_overwrite(model->source, out_path));
    LF_TRY(lf_writer_check(out_path));
    LF_TRY(add_matrices(j));
    LF_TRY(lf_state_create(model, &session, &j->state));
    const lf_limits limits = {.rows = j->state.n_chunk, .n_ctx = j->state.n_ctx, .observed = true};
    LF_TRY(lf_workspace_new(model, limits, &j->workspace));
    j->workspace->observer = &observer;
    LF_TRY(run_chunks(j, ids, n_chunks));
    return write_file(j, out_path, n_chunks);
}

int32_t lf_imatrix_compute(lfm2_model *model, const int32_t *ids, size_t n_ids,
                           const char *out_path, const lfm2_imatrix_options *options,
                           uint32_t *n_done)
{
    LF_TRY(check(model, ids, n_ids, options));
    size_t most = n_ids / options->n_ctx;
    if (options->n_chunks > 0 && options->n_chunks < most) {
        most = options->n_chunks;
    }
    uint32_t n_chunks = most < INT32_MAX ? (uint32_t)most : INT32_MAX;
    job j = {.model = model, .options = options};
    lf_arena_init(&j.arena, &model->runtime->alloc);
    int32_t status = compute(&j, ids, n_chunks, out_path);
    lf_gguf_free(j.out);
    lf_workspace_free(model, j.workspace);
    lf_state_free(model, &j.state);
    lf_arena_free(&j.arena);
    if (n_done != NULL) {
        *n_done = status == LFM2_OK ? n_chunks : 0;
    }
    return status;
}
