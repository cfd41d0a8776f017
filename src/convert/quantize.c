/* SPDX-License-Identifier: Apache-2.0 */
/* Quantization of a model file: tensor by tensor, in blocks of rows. The encoding of a row depends
 * on its values only. */
#include "convert/imatrix.h"
#include "convert/rule.h"

#include <stdatomic.h>
#include <string.h>

enum { BLOCK_VALUES = 256 * 1024 }; /* elements decoded at a time; more if one row is longer */

typedef struct job {
    const lf_alloc *alloc;
    const lf_log *log;
    lf_sched *sched;
    const lfm2_convert_options *options;
    lf_source *source;
    lf_imatrix *imatrix; /* or NULL */
    lf_arena arena;      /* overrides */
    lf_overrides overrides;
    lf_gguf_writer *out;
    lf_out_tensor *tensors; /* [source->n_tensors] */
    float *values;          /* decoded block, [capacity] */
    uint8_t *encoded;       /* encoded block, [capacity * 4]: F32 is the largest type */
    size_t capacity;        /* elements */
    float *importance;      /* of the inputs of one expert, [longest] */
    size_t longest;         /* elements of the longest row */
    lf_progress progress;
} job;

/* ---- Checks before any work ---- */

/* Refuses to quantize a tensor a second time unless the caller asks for it. A quantized tensor may
 * be copied, or decoded to F32 without loss. */
static int32_t check_requantize(const job *j, const lf_out_tensor *t)
{
    const lf_type_info *from = lf_type_get((uint32_t)t->source->type);
    if ((j->options->flags & LFM2_CONVERT_REQUANTIZE) != 0 || from->type == t->type ||
        t->type == LF_F32 || from->group == 0) {
        return LFM2_OK;
    }
    return lf_fail(
        LFM2_E_UNSUPPORTED, "convert.requantize",
        "%s: tensor '%s' is already quantized (%s) and would lose quality as %s; quantize "
        "an F32, F16 or BF16 file",
        j->source->path, t->name, from->name, lf_type_get((uint32_t)t->type)->name);
}

static int32_t plan(job *j, const lf_preset *preset)
{
    const lf_source *source = j->source;
    lf_rule rule = {.preset = preset,
                    .hparams = &source->hparams,
                    .tied = lf_source_find(source, "output.weight") == NULL,
                    .imatrix = j->imatrix != NULL,
                    .overrides = &j->overrides};
    lf_rule_count(&rule);
    for (uint32_t i = 0; i < source->n_tensors; i++) {
        const lf_tensor *from = &source->tensors[i];
        lf_out_tensor *t = &j->tensors[i];
        *t = (lf_out_tensor){.name = from->name,
                             .type = lf_rule_type(&rule, from->name, from->n_dims, from->ne[0]),
                             .n_dims = from->n_dims,
                             .source = from};
        for (uint32_t d = 0; d < LF_MAX_DIMS; d++) {
            t->ne[d] = from->ne[d];
        }
        LF_TRY(check_requantize(j, t));
        if (from->ne[0] > j->longest) {
            j->longest = (size_t)from->ne[0];
        }
    }
    lf_rule_sort(j->tensors, source->n_tensors);
    j->capacity = j->longest > BLOCK_VALUES ? j->longest : BLOCK_VALUES;
    for (size_t i = 0; i < j->overrides.n; i++) {
        if (!j->overrides.items[i].used) {
            lf_log_write(j->log, LFM2_LOG_WARN, "tensor type '%s' changes no tensor",
                         j->overrides.items[i].text);
        }
    }
    return LFM2_OK;
}

/* The importance of a tensor's inputs; NULL if it is copied or the matrix has no entry for it. */
static int32_t find_importance(const job *j, const lf_out_tensor *t, const lf_imatrix_entry **out)
{
    *out = NULL;
    return j->imatrix == NULL || t->source->type == t->type
               ? LFM2_OK
               : lf_imatrix_find(j->imatrix, t->name, t->ne[0], t->ne[2] * t->ne[3], out);
}

/* Whether errors of this type can be weighted. */
static bool is_weighted(lf_type type)
{
    return lf_type_get((uint32_t)type)->group > 0 && type != LF_Q8_0;
}

/* Checks the importance matrix against the matrices of the layers that it is needed for. */
static int32_t check_importance(const job *j)
{
    uint32_t found = 0;
    uint32_t missing = 0;
    const char *first = NULL;
    for (uint32_t i = 0; i < j->source->n_tensors; i++) {
        const lf_out_tensor *t = &j->tensors[i];
        const lf_imatrix_entry *entry = NULL;
        LF_TRY(find_importance(j, t, &entry));
        if (t->source->type == t->type || !is_weighted(t->type) ||
            strncmp(t->name, "blk.", 4) != 0) {
            continue;
        }
        found += entry != NULL;
        missing += entry == NULL;
        first = first == NULL && entry == NULL ? t->name : first;
    }
    if (j->imatrix == NULL || missing == 0) {
        return LFM2_OK;
    }
    const char *path = j->imatrix->file.path;
    if (found == 0) {
        return lf_fail(LFM2_E_FORMAT, "imatrix.model",
                       "%s: the importance matrix has no entry for '%s' or any other matrix of the "
                       "model: it is of another model",
                       path, first);
    }
    lf_log_write(j->log, LFM2_LOG_WARN,
                 "%s: the importance matrix has no entry for %u of %u matrices, such as '%s'; they "
                 "are encoded without it",
                 path, missing, found + missing, first);
    return LFM2_OK;
}

/* ---- Data ---- */

/* v - v is 0 for finite values only. */
static bool all_finite(const float *values, size_t n)
{
    bool finite = true;
    for (size_t i = 0; i < n; i++) {
        finite &= values[i] - values[i] == 0.0f;
    }
    return finite;
}

/* Whether the encoded values are finite: scales and 16-bit floats overflow above 65504. */
static bool encoding_fits(lf_type type, const uint8_t *encoded, float *values, size_t n)
{
    if (type == LF_F32) {
        return true;
    }
    lf_decode_row(type, encoded, values, n);
    return all_finite(values, n);
}

static int32_t fail_values(const job *j, const lf_out_tensor *t, const char *what)
{
    return lf_fail(LFM2_E_FORMAT, "convert.values", "%s: tensor '%s': %s", j->source->path, t->name,
                   what);
}

enum { NOT_FINITE = 1, TOO_LARGE = 2 };

/* The rows that a parallel region converts. */
typedef struct row_block {
    const job *j;
    const lf_out_tensor *t;
    const uint8_t *src;
    const float *importance; /* of the row's inputs; NULL: no importance matrix */
    atomic_uint problems;    /* of all rows, as flags */
} row_block;

static void encode_rows(void *ctx, uint32_t thread, size_t begin, size_t end)
{
    (void)thread;
    row_block *r = ctx;
    lf_type from = r->t->source->type;
    lf_type type = r->t->type;
    size_t row = (size_t)r->t->ne[0];
    size_t n = (end - begin) * row;
    float *values = r->j->values + begin * row;
    uint8_t *encoded = r->j->encoded + begin * lf_row_bytes(type, row);
    lf_decode_row(from, r->src + begin * lf_row_bytes(from, row), values, n);
    if (!all_finite(values, n)) {
        atomic_fetch_or(&r->problems, NOT_FINITE);
        return;
    }
    if (r->importance == NULL) {
        lf_encode_row(type, values, encoded, n);
    } else {
        for (size_t i = begin; i < end; i++) {
            size_t at = (i - begin) * row;
            lf_encode_weighted(type, values + at, r->importance,
                               encoded + (i - begin) * lf_row_bytes(type, row), row);
        }
    }
    if (!encoding_fits(type, encoded, values, n)) {
        atomic_fetch_or(&r->problems, TOO_LARGE);
    }
}

/* Encodes one block of n rows in parallel. All rows are checked before the block is refused, so the
 * message does not depend on the threads. */
static int32_t encode_block(job *j, const lf_out_tensor *t, const float *importance,
                            const uint8_t *src, size_t n)
{
    row_block r = {.j = j, .t = t, .src = src, .importance = importance};
    if (!lf_encode_row(t->type, j->values, j->encoded, 0)) {
        return lf_fail(LFM2_E_INTERNAL, "convert.encode", "tensor '%s': its type has no encoder",
                       t->name);
    }
    atomic_init(&r.problems, 0);
    LF_TRY(lf_parallel_turn(j->sched, n, lf_rule_grain((size_t)t->ne[0]), encode_rows, &r));
    unsigned problems = atomic_load(&r.problems);
    if ((problems & NOT_FINITE) != 0) {
        return fail_values(
            j, t, "a value is infinite or not a number; quantization requires finite values");
    }
    if (problems != 0) {
        return fail_values(
            j, t,
            "a value is too large for the type of the preset; convert to F32, or BF16, instead");
    }
    return LFM2_OK;
}

/* Reads the importance of expert e's inputs. *out is NULL if there is none. */
static int32_t read_importance(job *j, const lf_out_tensor *t, uint64_t e, const float **out)
{
    const lf_imatrix_entry *entry = NULL;
    *out = NULL;
    LF_TRY(find_importance(j, t, &entry));
    if (entry == NULL) {
        return LFM2_OK;
    }
    LF_TRY(lf_imatrix_read(j->imatrix, entry, e, j->importance, (size_t)t->ne[0]));
    *out = j->importance;
    return LFM2_OK;
}

static int32_t write_expert(job *j, const lf_out_tensor *t, uint64_t e)
{
    const float *importance = NULL;
    LF_TRY(read_importance(j, t, e, &importance));
    const uint8_t *src = lf_tensor_expert(j->source, t->source, e);
    lf_place place = lf_tensor_place(t->source, e);
    size_t row = (size_t)t->ne[0];
    uint64_t rows = t->ne[1];
    size_t in_row = lf_row_bytes(t->source->type, row);
    size_t out_row = lf_row_bytes(t->type, row);
    size_t most = j->capacity / row;
    while (rows > 0) {
        size_t n = rows < most ? (size_t)rows : most;
        if (t->source->type == t->type) {
            LF_TRY(lf_gguf_data(j->out, src, n * out_row));
        } else {
            LF_TRY(encode_block(j, t, importance, src, n));
            LF_TRY(lf_gguf_data(j->out, j->encoded, n * out_row));
        }
        lf_file_drop(&j->source->files[place.part], place.offset, n * in_row);
        LF_TRY(lf_progress_add(&j->progress, n * out_row));
        src += n * in_row;
        place.offset += n * in_row;
        rows -= n;
    }
    return LFM2_OK;
}

static int32_t write_tensors(job *j)
{
    LF_TRY(lf_gguf_begin_data(j->out));
    for (uint32_t i = 0; i < j->source->n_tensors; i++) {
        const lf_out_tensor *t = &j->tensors[i];
        uint64_t experts = t->ne[2] * t->ne[3];
        for (uint64_t e = 0; e < experts; e++) {
            LF_TRY(write_expert(j, t, e));
        }
    }
    return LFM2_OK;
}

static int32_t write_file(job *j, const char *out_path, const lf_preset *preset)
{
    lf_source *source = j->source;
    LF_TRY(lf_gguf_create(j->alloc, out_path, &j->out));
    if (source->hugging_face) {
        LF_TRY(lf_meta_model(j->out, &source->hparams, source->name));
        LF_TRY(lf_meta_sampling(j->out, &source->sampling));
        LF_TRY(lf_meta_vocab(j->out, &source->vocab));
    } else {
        LF_TRY(lf_meta_copy(j->out, source->gguf));
    }
    LF_TRY(lf_meta_file(j->out, preset));
    LF_TRY(lf_meta_imatrix(j->out, j->imatrix));
    LF_TRY(lf_rule_declare(j->out, j->tensors, source->n_tensors));
    j->progress.total = lf_gguf_data_bytes(j->out);
    LF_TRY(write_tensors(j));
    return lf_gguf_commit(j->out);
}

static int32_t run(job *j, const char *out_path, const lf_preset *preset)
{
    const lf_alloc *alloc = j->alloc;
    void *p = NULL;
    LF_TRY(lf_source_refuse_overwrite(j->source, out_path));
    if (j->options->imatrix != NULL) {
        LF_TRY(lf_imatrix_open(alloc, j->options->imatrix, &j->imatrix));
    }
    LF_TRY(lf_new(alloc, j->source->n_tensors, sizeof *j->tensors, "tensor plan", &p));
    j->tensors = p;
    LF_TRY(plan(j, preset));
    LF_TRY(check_importance(j));
    LF_TRY(lf_new(alloc, j->capacity, sizeof *j->values, "decoded rows", &p));
    j->values = p;
    LF_TRY(lf_new(alloc, j->capacity, sizeof(float), "encoded rows", &p));
    j->encoded = p;
    LF_TRY(lf_new(alloc, j->longest, sizeof *j->importance, "importance of inputs", &p));
    j->importance = p;
    return write_file(j, out_path, preset);
}

static void release(job *j)
{
    lf_gguf_free(j->out);
    lf_free(j->alloc, j->importance, j->longest, sizeof *j->importance);
    lf_free(j->alloc, j->encoded, j->capacity, sizeof(float));
    lf_free(j->alloc, j->values, j->capacity, sizeof *j->values);
    lf_free(j->alloc, j->tensors, j->source->n_tensors, sizeof *j->tensors);
    lf_imatrix_close(j->imatrix);
    lf_source_close(j->source);
    lf_arena_free(&j->arena);
}

/* Parses what the options say about types. */
static int32_t read_options(job *j, const lf_preset **preset)
{
    LF_TRY(lf_preset_parse(j->options, preset));
    if (j->options->n_tensor_types > 0 && lf_type_get((uint32_t)(*preset)->type)->group == 0) {
        return lf_fail(LFM2_E_ARGUMENT, "convert.tensor_type",
                       "types of tensors need a quantized preset, not '%s'", (*preset)->name);
    }
    return lf_overrides_parse(&j->arena, j->options, &j->overrides);
}

int32_t lf_quantize(const lf_alloc *alloc, const lf_log *log, lf_sched *sched, const char *in_path,
                    const char *out_path, const lfm2_convert_options *options)
{
    const lf_preset *preset = NULL;
    job j = {.alloc = alloc,
             .log = log,
             .sched = sched,
             .options = options,
             .progress = {.options = options}};
    lf_arena_init(&j.arena, alloc);
    int32_t status = read_options(&j, &preset);
    if (status == LFM2_OK) {
        status = lf_source_open(alloc, log, in_path, &j.source);
    }
    if (status != LFM2_OK) {
        lf_arena_free(&j.arena);
        return status;
    }
    if (j.source->vocab.n_tokens == 0) {
        lf_log_write(log, LFM2_LOG_WARN,
                     "%s: the model has no tokenizer: the written file cannot process text",
                     in_path);
    }
    status = lf_source_need_weights(j.source);
    if (status == LFM2_OK) {
        status = run(&j, out_path, preset);
    }
    release(&j);
    return status;
}
