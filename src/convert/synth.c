/* SPDX-License-Identifier: Apache-2.0 */
/* Writing of synthetic models, which have seeded random weights. Each pair of values is computed
 * from a counter by exact operations (integers and one f32 multiplication): a seed gives the same
 * bytes on every machine, and quantizing a synthetic F32 file gives the synthetic file of that
 * preset. */
#include "convert/rule.h"

enum { BLOCK_VALUES = 256 * 1024 }; /* elements made at a time; more if two rows are longer */

typedef struct job {
    const lf_alloc *alloc;
    lf_sched *sched;
    lf_synth_model model;
    uint64_t seed;
    lf_gguf_writer *out;
    float *values;    /* [capacity] */
    uint8_t *encoded; /* [capacity * 4] */
    size_t capacity;
    lf_progress progress;
} job;

/* ---- Random numbers ---- */

/* The finalizer of SplitMix64: every output bit depends on every input bit. */
static uint64_t hash64(uint64_t z)
{
    z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9u;
    z = (z ^ (z >> 27)) * 0x94D049BB133111EBu;
    return z ^ (z >> 31);
}

static uint64_t tensor_key(uint64_t seed, const char *name)
{
    uint64_t h = hash64(seed + 0x9E3779B97F4A7C15u);
    for (; *name != '\0'; name++) {
        h = hash64(h ^ (uint8_t)*name);
    }
    return h;
}

/* Elements [first, first + n) of a tensor; first is even. One 64-bit hash gives two elements: each
 * is the sum of four bytes, with mean 510 and standard deviation 147.8. The sum is nearly normal;
 * its tails end at 3.45 deviations. */
static void fill(uint64_t key, const lf_synth_fill *f, uint64_t first, float *out, size_t n)
{
    const uint64_t lanes = 0x00FF00FF00FF00FFu;
    float unit = f->deviation / 147.80054f;
    for (size_t i = 0; i < n; i += 2) {
        uint64_t bits = hash64(key + (first + i) / 2 * 0x9E3779B97F4A7C15u);
        uint64_t sums = (bits & lanes) + ((bits >> 8) & lanes);
        sums += sums >> 16;
        int low = (int)(sums & 0xFFFFu) - 510;
        int high = (int)((sums >> 32) & 0xFFFFu) - 510;
        out[i] = unit * (float)low;
        if (i + 1 < n) {
            out[i + 1] = unit * (float)high;
        }
    }
    if (f->mean > 0.0f) {
        for (size_t i = 0; i < n; i++) {
            out[i] += f->mean;
        }
    }
    for (size_t i = 0; f->signs && i < n; i++) {
        bool negative = (hash64(~key + first + i) & 1) != 0;
        out[i] = negative ? -out[i] : out[i];
    }
}

/* ---- Writing ---- */

/* The rows that a parallel region makes. */
typedef struct row_block {
    const job *j;
    const lf_out_tensor *t;
    uint64_t key;   /* of the tensor */
    uint64_t first; /* number of the first row */
} row_block;

/* Makes rows [begin, end) after the first; begin rows have an even number of elements. */
static void make_rows(void *ctx, uint32_t thread, size_t begin, size_t end)
{
    (void)thread;
    const row_block *r = ctx;
    size_t row = (size_t)r->t->ne[0];
    float *values = r->j->values + begin * row;
    fill(r->key, r->t->fill, (r->first + begin) * row, values, (end - begin) * row);
    lf_encode_row(r->t->type, values, r->j->encoded + begin * lf_row_bytes(r->t->type, row),
                  (end - begin) * row);
}

static int32_t write_tensor(job *j, const lf_out_tensor *t)
{
    row_block r = {.j = j, .t = t, .key = tensor_key(j->seed, t->name)};
    if (!lf_encode_row(t->type, j->values, j->encoded, 0)) {
        return lf_fail(LFM2_E_INTERNAL, "synth.encode", "tensor '%s': its type has no encoder",
                       t->name);
    }
    size_t row = (size_t)t->ne[0];
    uint64_t rows = t->ne[1] * t->ne[2];
    size_t most = j->capacity / row & ~(size_t)1; /* a block starts at an even element */
    for (uint64_t first = 0; first < rows;) {
        size_t n = rows - first < most ? (size_t)(rows - first) : most;
        r.first = first;
        LF_TRY(lf_parallel_turn(j->sched, n, lf_rule_grain(row), make_rows, &r));
        size_t bytes = n * lf_row_bytes(t->type, row);
        LF_TRY(lf_gguf_data(j->out, j->encoded, bytes));
        LF_TRY(lf_progress_add(&j->progress, bytes));
        first += n;
    }
    return LFM2_OK;
}

static int32_t write_file(job *j, lf_arena *arena, const char *out_path, const lf_preset *preset)
{
    const lf_synth_model *m = &j->model;
    lf_vocab_data vocab;
    LF_TRY(lf_synth_vocab(arena, m->hparams.n_vocab, &vocab));
    LF_TRY(lf_gguf_create(j->alloc, out_path, &j->out));
    LF_TRY(lf_meta_model(j->out, &m->hparams, m->title));
    LF_TRY(lf_meta_vocab(j->out, &vocab));
    LF_TRY(lf_meta_file(j->out, preset));
    LF_TRY(lf_rule_declare(j->out, m->tensors, m->n_tensors));
    j->progress.total = lf_gguf_data_bytes(j->out);
    LF_TRY(lf_gguf_begin_data(j->out));
    for (size_t i = 0; i < m->n_tensors; i++) {
        LF_TRY(write_tensor(j, &m->tensors[i]));
    }
    return lf_gguf_commit(j->out);
}

static int32_t run(job *j, lf_arena *arena, const char *name, const char *out_path,
                   const lf_preset *preset)
{
    LF_TRY(lf_synth_model_of(arena, name, preset, &j->model));
    size_t capacity = BLOCK_VALUES;
    for (size_t i = 0; i < j->model.n_tensors; i++) {
        size_t two_rows = 2 * (size_t)j->model.tensors[i].ne[0];
        capacity = two_rows > capacity ? two_rows : capacity;
    }
    j->capacity = capacity;
    void *p = NULL;
    LF_TRY(lf_new(j->alloc, capacity, sizeof *j->values, "values", &p));
    j->values = p;
    LF_TRY(lf_new(j->alloc, capacity, sizeof(float), "encoded values", &p));
    j->encoded = p;
    return write_file(j, arena, out_path, preset);
}

int32_t lf_synthesize(const lf_alloc *alloc, const lf_log *log, lf_sched *sched, const char *shape,
                      uint64_t seed, const char *out_path, const lfm2_convert_options *options)
{
    const lf_preset *preset = NULL;
    LF_TRY(lf_preset_parse(options, &preset));
    lf_arena arena;
    lf_arena_init(&arena, alloc);
    job j = {.alloc = alloc, .sched = sched, .seed = seed, .progress = {.options = options}};
    int32_t status = run(&j, &arena, shape, out_path, preset);
    lf_gguf_free(j.out);
    lf_free(alloc, j.encoded, j.capacity, sizeof(float));
    lf_free(alloc, j.values, j.capacity, sizeof *j.values);
    lf_arena_free(&arena);
    if (status == LFM2_OK) {
        lf_log_write(log, LFM2_LOG_INFO, "%s: %s, %llu bytes of weights", out_path, j.model.title,
                     (unsigned long long)j.progress.total);
    }
    return status;
}
