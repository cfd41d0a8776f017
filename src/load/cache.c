/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The pack cache file. Layout, in the byte order of the machine that wrote it:
 *   page 0: lf_cache_header
 *   one XXH3 checksum (u64) per matrix, padded to a page
 *   the panels of each matrix in the order of the model, each padded to a page.
 * Opening copies the header and the checksums into memory once, then checks them and the file's
 * size. Only LFM2_CACHE_VERIFY reads all panels and compares them with the checksums.
 */
#include "load/cache.h"

#include <string.h>
#include <xxhash.h>

enum { PAGE = 4096, VERSION = 4 };
static const char MAGIC[8] = "LFM2PACK";

typedef struct lf_cache_header {
    char magic[8];
    uint32_t version;
    uint32_t byte_order; /* 0x01020304, as stored by the machine that wrote the file */
    lf_cache_key key;
    uint64_t sums_hash;   /* of the checksum table */
    uint64_t header_hash; /* of the fields above */
} lf_cache_header;

static uint64_t round_page(uint64_t n)
{
    return (n + PAGE - 1) / PAGE * PAGE;
}

/* ---- Key ---- */

/* Continues a hash with `data`. */
static uint64_t add(uint64_t hash, const void *data, size_t bytes)
{
    return XXH3_64bits_withSeed(data, bytes, hash);
}

static uint64_t hash_source(const lf_source *source, const lf_identity *identity)
{
    uint64_t hash = identity->weights;
    for (uint32_t i = 0; i < source->n_files; i++) {
        uint64_t file[] = {source->files[i].size, source->files[i].mtime_ns};
        hash = add(hash, file, sizeof file);
    }
    for (uint32_t i = 0; i < source->n_tensors; i++) {
        const lf_tensor *t = &source->tensors[i];
        uint64_t place[] = {t->bytes, t->part, t->offset};
        hash = add(hash, place, sizeof place);
    }
    return hash;
}

lf_cache_key lf_cache_key_of(const lf_source *source, const lf_identity *identity,
                             lf_packed *const *matrices, size_t n)
{
    lf_cache_key key = {.n_matrices = n, .source_hash = hash_source(source, identity)};
    for (uint32_t i = 0; i < source->n_files; i++) {
        key.source_bytes += source->files[i].size;
    }
    uint64_t hash = 0;
    for (size_t i = 0; i < n; i++) {
        const lf_packed *m = matrices[i];
        /* These fields determine the panel layout: kernels of one provider and format that agree in
         * nr and kr use the same one; blocks of the file have other panel_bytes. */
        uint64_t layout[] = {m->gemm->provider == LF_PROVIDER_XNNPACK,
                             m->gemm->weights,
                             m->gemm->mins,
                             m->gemm->nr,
                             m->gemm->kr,
                             m->n,
                             m->k,
                             m->n_experts,
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
    memset(h, 0, sizeof *h); /* the hash covers the padding */
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

/* *reason receives why the file cannot be used, or NULL if it can. sums[n_matrices] receives the
 * checksums. */
static int32_t examine(const lf_file *file, const lf_cache_key *key, uint64_t *sums,
                       const char **reason)
{
    uint64_t sums_bytes = key->n_matrices * sizeof *sums;
    lf_cache_header have;
    lf_cache_header want;
    *reason = "does not have the size of a pack cache for this model and these kernels";
    if (file->size != PAGE + round_page(sums_bytes) + key->data_bytes) {
        return LFM2_OK;
    }
    LF_TRY(lf_file_read(file, 0, &have, sizeof have));
    LF_TRY(lf_file_read(file, PAGE, sums, (size_t)sums_bytes));
    fill_header(key, have.sums_hash, &want);
    if (memcmp(have.magic, want.magic, sizeof have.magic) != 0) {
        *reason = "is not a pack cache file";
    } else if (have.version != want.version || have.byte_order != want.byte_order) {
        *reason = "was written by another version of lfm2 or on a machine with another byte order";
    } else if (memcmp(&have, &want, sizeof have) != 0) {
        *reason = "was written for other weights or other kernels, or is damaged";
    } else if (XXH3_64bits(sums, sums_bytes) != have.sums_hash) {
        *reason = "is damaged (its checksum table does not match its header)";
    } else {
        *reason = NULL;
    }
    return LFM2_OK;
}

/* Points one matrix at its panels at file offset `at`, or copies them. */
static int32_t take_matrix(const lf_alloc *alloc, const lf_file *file, uint64_t at,
                           lf_packed *matrix)
{
    if (file->data != NULL) {
        matrix->panels = file->data + at;
        return LFM2_OK;
    }
    void *p = NULL;
    LF_TRY(lf_new(alloc, matrix->bytes, 1, "packed weights", &p));
    matrix->owned = p;
    matrix->panels = p;
    return lf_file_read(file, at, p, matrix->bytes);
}

static int32_t take_matrices(const lf_alloc *alloc, const lf_file *file, bool verify,
                             const uint64_t *sums, lf_packed *const *matrices, size_t n)
{
    uint64_t at = PAGE + round_page(n * sizeof *sums);
    for (size_t i = 0; i < n; i++) {
        lf_packed *m = matrices[i];
        LF_TRY(take_matrix(alloc, file, at, m));
        at += round_page(m->bytes);
        if (verify && XXH3_64bits(m->panels, m->bytes) != sums[i]) {
            return lf_fail(LFM2_E_FORMAT, "cache.checksum",
                           "%s: matrix %zu of %zu does not match its checksum: the pack cache is "
                           "damaged; delete it or write it again",
                           file->path, i + 1, n);
        }
    }
    return LFM2_OK;
}

/* Uses an open file for all matrices; *used stays false if the file cannot be used. */
static int32_t use_file(const lf_alloc *alloc, const lf_log *log, const lf_cache_use *use,
                        const lf_cache_key *key, lf_packed *const *matrices, size_t n,
                        lf_file *file, bool *used)
{
    void *sums = NULL;
    const char *reason = NULL;
    LF_TRY(lf_new(alloc, n, sizeof(uint64_t), "pack cache", &sums));
    int32_t status = examine(file, key, sums, &reason);
    if (status == LFM2_OK && reason != NULL) {
        lf_log_write(log, LFM2_LOG_INFO, "pack cache %s not used: it %s", use->path, reason);
        if (use->required) {
            status = lf_fail(LFM2_E_FORMAT, "cache.mismatch",
                             "%s: cannot be used as the pack cache: it %s; delete it or write it "
                             "again",
                             use->path, reason);
        }
    } else if (status == LFM2_OK) {
        lf_file_huge_pages(file);
        status = take_matrices(alloc, file, use->verify, sums, matrices, n);
        *used = status == LFM2_OK;
    }
    lf_free(alloc, sums, n, sizeof(uint64_t));
    return status;
}

int32_t lf_cache_open(const lf_alloc *alloc, const lf_log *log, const lf_cache_use *use,
                      const lf_cache_key *key, lf_packed *const *matrices, size_t n, lf_file **out)
{
    const lf_origin origin = {.kind = LF_FROM_PATH, .path = use->path, .copy = use->copy};
    void *p = NULL;
    LF_TRY(lf_new_zero(alloc, 1, sizeof(lf_file), "pack cache", &p));
    lf_file *file = p;
    bool used = false;
    lf_failure before;
    lf_fail_save(&before);
    int32_t status = lf_file_open_from(alloc, &origin, file);
    if (status == LFM2_E_IO) { /* the file is missing or cannot be opened */
        lf_free(alloc, file, 1, sizeof *file);
        if (use->required) {
            return status;
        }
        lf_fail_restore(&before);
        return LFM2_OK;
    }
    if (status == LFM2_OK) {
        status = use_file(alloc, log, use, key, matrices, n, file, &used);
        lf_file_release(file);
    }
    if (!used) {
        lf_cache_close(alloc, file);
        return status;
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
    int32_t status = lf_writer_create(alloc, path, 0, &writer);
    if (status == LFM2_OK) {
        status = write_all(writer, key, matrices, n, sums);
        lf_writer_free(writer);
    }
    lf_free(alloc, p, n, sizeof(uint64_t));
    return status;
}
