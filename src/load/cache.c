/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Owns the pack cache file. Layout, all little-endian as in memory:
 *   page 0: lf_cache_header
 *   then one XXH3 checksum (u64) per matrix, padded to a page
 *   then the panels of each matrix in the order of the model, each padded to a page.
 * A start checks the header, its checksum and the file's size; the matrices' checksums are for
 * lf_cache_verify, which reads everything.
 */
#include "load/cache.h"

#include <string.h>
#include <xxhash.h>

enum { PAGE = 4096, VERSION = 2 };
static const char MAGIC[8] = "LFM2PACK";

typedef struct lf_cache_header {
    char magic[8];
    uint32_t version;
    uint32_t byte_order; /* 0x01020304 as the writer's machine stores it */
    lf_cache_key key;
    uint64_t sums_hash;   /* of the checksum table */
    uint64_t header_hash; /* of all fields above */
} lf_cache_header;

static uint64_t round_page(uint64_t n)
{
    return (n + PAGE - 1) / PAGE * PAGE;
}

/* ---- Key ---- */

/* Hash of what was added so far and of `data`. */
static uint64_t add(uint64_t hash, const void *data, size_t bytes)
{
    return XXH3_64bits_withSeed(data, bytes, hash);
}

/* The first and last bytes of a tensor's data tell models apart that share shapes and file times
 * (copies that keep times, reproducible images); two pages a tensor are read at once. */
static uint64_t add_samples(uint64_t hash, const lf_tensor *t)
{
    enum { SAMPLE = 64 };
    uint64_t slab_bytes = t->bytes / t->ne[2];
    uint64_t n = slab_bytes < SAMPLE ? slab_bytes : SAMPLE;
    hash = add(hash, lf_tensor_slab(t, 0), n);
    return add(hash, lf_tensor_slab(t, t->ne[2] - 1) + slab_bytes - n, n);
}

static uint64_t hash_source(const lf_source *source)
{
    uint64_t hash = 0;
    for (uint32_t i = 0; i < source->n_files; i++) {
        uint64_t file[] = {source->files[i].size, source->files[i].mtime_ns};
        hash = add(hash, file, sizeof file);
    }
    for (uint32_t i = 0; i < source->n_tensors; i++) {
        const lf_tensor *t = &source->tensors[i];
        uint64_t place[] = {t->type, t->bytes, t->part, t->offset};
        hash = add(hash, t->name, strlen(t->name) + 1);
        hash = add(hash, place, sizeof place);
        hash = add(hash, t->ne, sizeof t->ne);
        hash = add_samples(hash, t);
    }
    return hash;
}

lf_cache_key lf_cache_key_of(const lf_source *source, lf_packed *const *matrices, size_t n)
{
    lf_cache_key key = {.source_hash = hash_source(source), .n_matrices = n};
    for (uint32_t i = 0; i < source->n_files; i++) {
        key.source_bytes += source->files[i].size;
    }
    uint64_t hash = 0;
    for (size_t i = 0; i < n; i++) {
        const lf_packed *m = matrices[i];
        /* Kernels of one provider and format share a panel layout per number of columns and, where
         * kr says so, of consecutive k. */
        uint64_t layout[] = {m->gemm->by == LF_BY_XNNPACK,
                             m->gemm->weights,
                             m->gemm->mins,
                             m->gemm->nr,
                             m->gemm->kr,
                             m->n,
                             m->k,
                             m->n_slabs,
                             m->pair,
                             m->panel_bytes};
        hash = add(hash, layout, sizeof layout);
        key.data_bytes += round_page(m->bytes);
    }
    key.layout_hash = hash;
    return key;
}

static void fill_header(const lf_cache_key *key, uint64_t sums_hash, lf_cache_header *h)
{
    memset(h, 0, sizeof *h); /* padding is hashed too */
    memcpy(h->magic, MAGIC, sizeof h->magic);
    h->version = VERSION;
    h->byte_order = 0x01020304;
    h->key = *key;
    h->sums_hash = sums_hash;
    h->header_hash = XXH3_64bits(h, offsetof(lf_cache_header, header_hash));
}

int32_t lf_cache_path(const lf_source *source, char **path, size_t *bytes)
{
    const char *end = source->hugging_face ? "/model.lfm2pack" : ".lfm2pack";
    size_t base = strlen(source->path);
    size_t n = base + strlen(end) + 1;
    void *p = NULL;
    LF_TRY(lf_new(&source->alloc, n, 1, "path", &p));
    memcpy(p, source->path, base);
    memcpy((char *)p + base, end, strlen(end) + 1);
    *path = p;
    *bytes = n;
    return LFM2_OK;
}

/* ---- Reading ---- */

/* Why the file does not serve, or NULL. */
static const char *mismatch(const lf_file *file, const lf_cache_key *key)
{
    uint64_t head = PAGE + round_page(key->n_matrices * sizeof(uint64_t));
    if (file->size != head + key->data_bytes) {
        return "has another size";
    }
    lf_cache_header have;
    lf_cache_header want;
    memcpy(&have, file->data, sizeof have);
    fill_header(key, have.sums_hash, &want);
    if (memcmp(have.magic, want.magic, sizeof have.magic) != 0) {
        return "is no pack cache";
    }
    if (have.version != want.version || have.byte_order != want.byte_order) {
        return "is of another version or machine";
    }
    if (memcmp(&have, &want, sizeof have) != 0) {
        return "belongs to other weights or kernels, or is damaged";
    }
    if (XXH3_64bits(file->data + PAGE, key->n_matrices * sizeof(uint64_t)) != have.sums_hash) {
        return "is damaged";
    }
    return NULL;
}

int32_t lf_cache_open(const lf_alloc *alloc, const lf_log *log, const char *path,
                      const lf_cache_key *key, lf_packed *const *matrices, size_t n, lf_file **out)
{
    void *p = NULL;
    LF_TRY(lf_new_zero(alloc, 1, sizeof(lf_file), "pack cache", &p));
    lf_file *file = p;
    lf_failure before;
    lf_fail_save(&before);
    int32_t status = lf_file_open(alloc, path, file);
    const char *reason = status == LFM2_OK ? mismatch(file, key) : NULL;
    if (status != LFM2_OK || reason != NULL) {
        if (reason != NULL) {
            lf_log_write(log, LFM2_LOG_INFO, "%s %s: not used", path, reason);
            lf_file_close(file);
        }
        lf_free(alloc, file, 1, sizeof *file);
        if (status == LFM2_E_MEMORY) {
            return status;
        }
        lf_fail_restore(&before);
        return LFM2_OK;
    }
    lf_file_huge_pages(file);
    uint64_t at = PAGE + round_page(n * sizeof(uint64_t));
    for (size_t i = 0; i < n; i++) {
        matrices[i]->panels = file->data + at;
        at += round_page(matrices[i]->bytes);
    }
    *out = file;
    return LFM2_OK;
}

void lf_cache_close(const lf_alloc *alloc, lf_file *cache)
{
    if (cache != NULL) {
        lf_file_close(cache);
        lf_free(alloc, cache, 1, sizeof *cache);
    }
}

int32_t lf_cache_verify(const lf_file *cache, lf_packed *const *matrices, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        uint64_t want = 0;
        memcpy(&want, cache->data + PAGE + i * sizeof want, sizeof want);
        if (XXH3_64bits(matrices[i]->panels, matrices[i]->bytes) != want) {
            return lf_fail(LFM2_E_FORMAT, "cache.checksum",
                           "%s: matrix %zu of %zu does not match its checksum", cache->path, i, n);
        }
    }
    return LFM2_OK;
}

/* ---- Writing ---- */

static int32_t write_all(lf_writer *writer, const lf_cache_key *key, lf_packed *const *matrices,
                         size_t n, const uint64_t *sums)
{
    lf_cache_header header;
    fill_header(key, XXH3_64bits(sums, n * sizeof *sums), &header);
    LF_TRY(lf_writer_write(writer, &header, sizeof header));
    LF_TRY(lf_writer_zeros(writer, PAGE - sizeof header));
    LF_TRY(lf_writer_write(writer, sums, n * sizeof *sums));
    LF_TRY(lf_writer_zeros(writer, round_page(n * sizeof *sums) - n * sizeof *sums));
    for (size_t i = 0; i < n; i++) {
        const lf_packed *m = matrices[i];
        LF_TRY(lf_writer_write(writer, m->panels, m->bytes));
        LF_TRY(lf_writer_zeros(writer, round_page(m->bytes) - m->bytes));
    }
    return lf_writer_commit(writer);
}

int32_t lf_cache_write(const lf_alloc *alloc, const char *path, const lf_cache_key *key,
                       lf_packed *const *matrices, size_t n)
{
    void *p = NULL;
    LF_TRY(lf_new(alloc, n, sizeof(uint64_t), "pack cache", &p));
    uint64_t *sums = p;
    for (size_t i = 0; i < n; i++) {
        sums[i] = XXH3_64bits(matrices[i]->panels, matrices[i]->bytes);
    }
    lf_writer *writer = NULL;
    int32_t status = lf_writer_create(alloc, path, &writer);
    if (status == LFM2_OK) {
        status = write_all(writer, key, matrices, n, sums);
        lf_writer_free(writer);
    }
    lf_free(alloc, p, n, sizeof(uint64_t));
    return status;
}
