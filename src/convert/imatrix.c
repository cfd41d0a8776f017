/* SPDX-License-Identifier: Apache-2.0 */
/* Reading of importance matrices. Of each matrix llama.cpp stores two F32 tensors, NAME.in_sum2 and
 * NAME.counts. */
#include "convert/imatrix.h"

#include "common/utf8.h"

#include <string.h>

enum { STEP = 1024 }; /* floats read at a time */

static int32_t fail_tensor(const lf_imatrix *m, const lf_tensor *t, const char *what)
{
    return lf_fail(LFM2_E_FORMAT, "imatrix.tensor", "%s: tensor '%s': %s", m->file.path, t->name,
                   what);
}

/* ---- Checks ---- */

/* Whether a file begins like the format that llama.cpp wrote before it used GGUF: the number of
 * entries, the length of a name, the name. */
static bool is_old(const lf_file *file)
{
    enum { MOST_ENTRIES = 65536, MOST_NAME = 256 };
    uint8_t head[12];
    if (file->size < sizeof head || lf_file_read(file, 0, head, sizeof head) != LFM2_OK) {
        return false;
    }
    uint32_t n =
        head[0] | (uint32_t)head[1] << 8 | (uint32_t)head[2] << 16 | (uint32_t)head[3] << 24;
    uint32_t len =
        head[4] | (uint32_t)head[5] << 8 | (uint32_t)head[6] << 16 | (uint32_t)head[7] << 24;
    return n > 0 && n <= MOST_ENTRIES && len > 0 && len <= MOST_NAME &&
           (memcmp(head + 8, "blk.", 4) == 0 || memcmp(head + 8, "outp", 4) == 0 ||
            memcmp(head + 8, "toke", 4) == 0);
}

static uint64_t elements(const lf_tensor *t)
{
    return t->bytes / sizeof(float);
}

/* All values are finite and not negative. */
static int32_t check_values(const lf_imatrix *m, const lf_tensor *t)
{
    float values[STEP];
    uint64_t n = elements(t);
    for (uint64_t i = 0; i < n; i += STEP) {
        size_t part = n - i < STEP ? (size_t)(n - i) : STEP;
        LF_TRY(
            lf_file_read(&m->file, t->offset + i * sizeof *values, values, part * sizeof *values));
        for (size_t k = 0; k < part; k++) {
            if (!(values[k] >= 0.0f) || !(values[k] - values[k] >= 0.0f)) {
                return fail_tensor(m, t, "a value is negative, infinite or not a number");
            }
        }
    }
    return LFM2_OK;
}

static int32_t check_entry(const lf_imatrix *m, const lf_imatrix_entry *e)
{
    const lf_tensor *both[] = {e->sums, e->counts};
    for (size_t i = 0; i < sizeof both / sizeof both[0]; i++) {
        if (both[i] == NULL) {
            return fail_tensor(m, both[1 - i],
                               i == 0 ? "there is no tensor .in_sum2 with this name"
                                      : "there is no tensor .counts with this name");
        }
        if (both[i]->type != LF_F32) {
            return fail_tensor(m, both[i], "its type must be F32");
        }
        LF_TRY(check_values(m, both[i]));
    }
    return LFM2_OK;
}

/* ---- Reading ---- */

static bool has_suffix(const char *name, const char *suffix, size_t *stem)
{
    size_t n = strlen(name);
    size_t s = strlen(suffix);
    bool has = n > s && strcmp(name + n - s, suffix) == 0;
    *stem = has ? n - s : 0;
    return has;
}

/* Makes an entry of each .in_sum2 and gives each .counts to the entry with its name. */
static int32_t collect(lf_imatrix *m)
{
    const lf_gguf *g = &m->gguf;
    void *p = NULL;
    size_t stem = 0;
    const lf_index_entry *duplicate = NULL;
    LF_TRY(lf_arena_new(&m->arena, g->n_tensors, sizeof *m->entries, "importance matrix", &p));
    m->entries = p;
    LF_TRY(lf_index_new(&m->arena, g->n_tensors, &m->index));
    for (uint32_t i = 0; i < g->n_tensors; i++) {
        const lf_tensor *t = &g->tensors[i];
        if (has_suffix(t->name, ".in_sum2", &stem)) {
            lf_imatrix_entry *e = &m->entries[m->n_entries];
            *e = (lf_imatrix_entry){.sums = t};
            LF_TRY(lf_arena_string(&m->arena, t->name, stem, &e->name));
            m->index.entries[m->n_entries] =
                (lf_index_entry){.text = e->name, .len = (uint32_t)stem, .id = m->n_entries};
            m->n_entries++;
        }
    }
    m->index.count = m->n_entries;
    LF_TRY(lf_index_build(&m->alloc, &m->index, &duplicate));
    if (duplicate != NULL) {
        return fail_tensor(m, m->entries[duplicate->id].sums, "the file has it twice");
    }
    for (uint32_t i = 0; i < g->n_tensors; i++) {
        const lf_tensor *t = &g->tensors[i];
        if (!has_suffix(t->name, ".counts", &stem)) {
            continue;
        }
        const lf_index_entry *found = lf_index_find(&m->index, t->name, stem);
        if (found == NULL) {
            return check_entry(m, &(lf_imatrix_entry){.counts = t});
        }
        if (m->entries[found->id].counts != NULL) {
            return fail_tensor(m, t, "the file has it twice");
        }
        m->entries[found->id].counts = t;
    }
    for (uint32_t i = 0; i < m->n_entries; i++) {
        LF_TRY(check_entry(m, &m->entries[i]));
    }
    return LFM2_OK;
}

/* The keys that llama-quantize requires too. */
static int32_t need_keys(const lf_imatrix *m)
{
    static const char *const keys[] = {"imatrix.datasets", "imatrix.chunk_count",
                                       "imatrix.chunk_size"};
    for (size_t i = 0; i < sizeof keys / sizeof keys[0]; i++) {
        if (lf_gguf_find(&m->gguf, keys[i]) == NULL) {
            return lf_fail(LFM2_E_FORMAT, "imatrix.key",
                           "%s: key '%s' is missing; every importance matrix has it", m->file.path,
                           keys[i]);
        }
    }
    return LFM2_OK;
}

static int32_t read_keys(lf_imatrix *m)
{
    const lf_gguf *g = &m->gguf;
    const lf_gguf_value *datasets = NULL;
    const char *type = NULL;
    size_t len = 0;
    bool found = false;
    uint32_t chunk_size = 0;
    LF_TRY(lf_gguf_get_string(g, "general.type", &type, &len, &found));
    if (found && (len != 7 || memcmp(type, "imatrix", 7) != 0)) {
        lf_shown shown;
        return lf_fail(LFM2_E_FORMAT, "imatrix.type",
                       "%s: general.type is '%s': this GGUF file is not an importance matrix",
                       m->file.path, lf_show(&shown, type, len));
    }
    LF_TRY(need_keys(m));
    LF_TRY(lf_gguf_get_array(g, "imatrix.datasets", true, &datasets, NULL));
    LF_TRY(lf_gguf_get_u32(g, "imatrix.chunk_count", &m->n_chunks, NULL));
    LF_TRY(lf_gguf_get_u32(g, "imatrix.chunk_size", &chunk_size, NULL));
    if (datasets->count > 0) {
        uint64_t cursor = 0;
        uint64_t bytes = 0;
        lf_gguf_next_string(datasets, &cursor, &m->dataset, &bytes);
        m->dataset_len = (size_t)bytes;
    }
    return LFM2_OK;
}

static int32_t read_file(lf_imatrix *m, const char *path)
{
    LF_TRY(lf_file_open(&m->alloc, path, &m->file));
    if (is_old(&m->file)) {
        return lf_fail(LFM2_E_UNSUPPORTED, "imatrix.old",
                       "%s: this importance matrix has llama.cpp's older format, which is not "
                       "supported; convert it with: llama-imatrix -m MODEL --in-file OLD -o "
                       "NEW.gguf",
                       path);
    }
    LF_TRY(lf_gguf_parse(&m->arena, &m->file, 0, &m->gguf));
    LF_TRY(read_keys(m));
    LF_TRY(collect(m));
    if (m->n_entries == 0) {
        return lf_fail(LFM2_E_FORMAT, "imatrix.empty",
                       "%s: the importance matrix has no entries (tensors NAME.in_sum2 and "
                       "NAME.counts)",
                       path);
    }
    return LFM2_OK;
}

int32_t lf_imatrix_open(const lf_alloc *alloc, const char *path, lf_imatrix **out)
{
    void *p = NULL;
    *out = NULL;
    LF_TRY(lf_new_zero(alloc, 1, sizeof(lf_imatrix), "importance matrix", &p));
    lf_imatrix *m = p;
    m->alloc = *alloc;
    lf_arena_init(&m->arena, &m->alloc);
    int32_t status = read_file(m, path);
    if (status != LFM2_OK) {
        lf_imatrix_close(m);
        return status;
    }
    *out = m;
    return LFM2_OK;
}

void lf_imatrix_close(lf_imatrix *m)
{
    if (m == NULL) {
        return;
    }
    const lf_alloc alloc = m->alloc;
    lf_gguf_close(&m->gguf);
    lf_file_close(&m->file);
    lf_arena_free(&m->arena);
    lf_free(&alloc, m, 1, sizeof *m);
}

/* ---- Use ---- */

int32_t lf_imatrix_find(const lf_imatrix *m, const char *name, uint64_t n, uint64_t n_experts,
                        const lf_imatrix_entry **out)
{
    *out = NULL;
    const lf_index_entry *found = lf_index_find(&m->index, name, strlen(name));
    if (found == NULL) {
        return LFM2_OK;
    }
    const lf_imatrix_entry *e = &m->entries[found->id];
    uint64_t counts = elements(e->counts);
    uint64_t want = 0;
    if (!lf_mul_u64(n, n_experts, &want) || elements(e->sums) != want) {
        return strcmp(name, "token_embd.weight") == 0
                   ? LFM2_OK
                   : lf_fail(LFM2_E_FORMAT, "imatrix.shape",
                             "%s: tensor '%s' has %llu values; the model's tensor has %llu inputs "
                             "and %llu experts: the importance matrix is of another model",
                             m->file.path, e->sums->name, (unsigned long long)elements(e->sums),
                             (unsigned long long)n, (unsigned long long)n_experts);
    }
    if (counts != 1 && counts != n_experts) {
        return lf_fail(LFM2_E_FORMAT, "imatrix.shape",
                       "%s: tensor '%s' has %llu values; allowed: 1, or one for each of %llu "
                       "experts",
                       m->file.path, e->counts->name, (unsigned long long)counts,
                       (unsigned long long)n_experts);
    }
    *out = e;
    return LFM2_OK;
}

int32_t lf_imatrix_read(const lf_imatrix *m, const lf_imatrix_entry *entry, uint64_t expert,
                        float *values, size_t n)
{
    static const float whole = 8388608.0f; /* floats from here on are integers */
    float count = 0.0f;
    uint64_t at = elements(entry->counts) > 1 ? expert : 0;
    LF_TRY(lf_file_read(&m->file, entry->counts->offset + at * sizeof count, &count, sizeof count));
    LF_TRY(lf_file_read(&m->file, entry->sums->offset + expert * n * sizeof *values, values,
                        n * sizeof *values));
    if (count < whole) {
        count = (float)(int32_t)((double)count + 0.5);
    }
    for (size_t i = 0; i < n; i++) {
        values[i] = count > 0.0f ? values[i] / count : 1.0f;
    }
    return LFM2_OK;
}
