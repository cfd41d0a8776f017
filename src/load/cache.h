/* SPDX-License-Identifier: Apache-2.0 */
/* The pack cache: the packed matrices of one model in a file that later starts map instead of
 * packing again. Mapped pages are clean and shared by all processes. */
#ifndef LF_LOAD_CACHE_H
#define LF_LOAD_CACHE_H

#include "load/pack.h"

/* What a cache must agree with: the weight files and the layout of every matrix. */
typedef struct lf_cache_key {
    uint64_t source_bytes; /* of all weight files */
    uint64_t source_hash;  /* of every file's size and time, the tensor table (names, types, shapes,
                              places), and the first and last bytes of every tensor */
    uint64_t layout_hash;  /* of kernel formats and sizes, in order */
    uint64_t n_matrices;
    uint64_t data_bytes; /* of all matrices, each rounded up to a page */
} lf_cache_key;

/* Reads samples of every tensor. Errors: IO, STOPPED. */
int32_t lf_cache_key_of(const lf_source *source, lf_packed *const *matrices, size_t n,
                        lf_cache_key *out);

/* "PATH.lfm2pack" for a file, "PATH/model.lfm2pack" for a folder. Free with lf_free(path, bytes,
 * 1). */
int32_t lf_cache_path(const lf_source *source, char **path, size_t *bytes);

/* How a cache is to be opened. */
typedef struct lf_cache_use {
    const char *path;
    bool copy;     /* read the matrices into own memory, keep no map */
    bool verify;   /* compare every matrix with its checksum */
    bool required; /* one that is missing or does not fit is an error */
} lf_cache_use;

/* Maps the cache and points every matrix into it, or fills every matrix. *out stays NULL, with
 * LFM2_OK, when there is no such file or it is another model's, another layout's or damaged: a
 * reason to pack, not to fail; `log` says which. Errors: MEMORY, IO (a file that shrinks while it
 * is read; `required`: that cannot be opened), FORMAT (`verify`: names the matrix; `required`: does
 * not fit). After an error lf_pack_free frees what the matrices own. */
int32_t lf_cache_open(const lf_alloc *alloc, const lf_log *log, const lf_cache_use *use,
                      const lf_cache_key *key, lf_packed *const *matrices, size_t n, lf_file **out);
void lf_cache_close(const lf_alloc *alloc, lf_file *cache);

/* Writes the cache: it appears complete or not at all. Errors: IO, MEMORY. */
int32_t lf_cache_write(const lf_alloc *alloc, const char *path, const lf_cache_key *key,
                       lf_packed *const *matrices, size_t n);

#endif /* LF_LOAD_CACHE_H */
