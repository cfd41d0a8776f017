/* SPDX-License-Identifier: Apache-2.0 */
/* The pack cache: a file with the packed matrices of one model. Later loads map it instead of
 * packing again. Mapped pages are clean and shared by all processes. */
#ifndef LF_LOAD_CACHE_H
#define LF_LOAD_CACHE_H

#include "load/identity.h"

/* Identifies the weight files and the layout of every matrix that a cache was written for. */
typedef struct lf_cache_key {
    uint64_t source_bytes; /* of all weight files */
    uint64_t source_hash;  /* of the identity of the weights, every file's size and time, and every
                              tensor's place */
    uint64_t layout_hash;  /* of kernel formats and sizes, in order */
    uint64_t n_matrices;
    uint64_t data_bytes; /* of all matrices, each rounded up to a page */
} lf_cache_key;

lf_cache_key lf_cache_key_of(const lf_source *source, const lf_identity *identity,
                             lf_packed *const *matrices, size_t n);

/* "PATH.lfm2pack" for a file, "PATH/model.lfm2pack" for a folder. Free with lf_free(path, bytes,
 * 1). */
int32_t lf_cache_path(const lf_source *source, char **path, size_t *bytes);

/* How to open a cache. */
typedef struct lf_cache_use {
    const char *path;
    bool copy;     /* read the matrices into memory instead of mapping the file */
    bool verify;   /* compare every matrix with its checksum */
    bool required; /* a missing or unusable cache is an error */
} lf_cache_use;

/* Maps the cache and points every matrix into it, or reads every matrix (`copy`). If the file is
 * missing, was written for another model or layout, or is damaged, *out stays NULL, the result is
 * LFM2_OK and `log` receives the reason: the caller packs instead. Errors: MEMORY; IO (the file
 * shrinks while it is read; with `required` also: it cannot be opened); FORMAT (`verify`: a matrix
 * does not match its checksum; `required`: the file cannot be used). After an error lf_pack_free
 * frees what the matrices own. */
int32_t lf_cache_open(const lf_alloc *alloc, const lf_log *log, const lf_cache_use *use,
                      const lf_cache_key *key, lf_packed *const *matrices, size_t n, lf_file **out);
void lf_cache_close(const lf_alloc *alloc, lf_file *cache);

/* Writes the cache; the file appears complete or not at all. Errors: IO, MEMORY. */
int32_t lf_cache_write(const lf_alloc *alloc, const char *path, const lf_cache_key *key,
                       lf_packed *const *matrices, size_t n);

#endif /* LF_LOAD_CACHE_H */
