/* SPDX-License-Identifier: Apache-2.0 */
/* A GGUF v3 writer with two phases: first metadata and tensor declarations, then the tensors' data
 * in the declared order. Errors: MEMORY, IO. */
#ifndef LF_CONVERT_GGUF_WRITE_H
#define LF_CONVERT_GGUF_WRITE_H

#include "load/gguf.h" /* value types */

typedef struct lf_gguf_writer lf_gguf_writer;

/* Creates a temporary file next to `path`. `alloc` must outlive the writer. */
int32_t lf_gguf_create(const lf_alloc *alloc, const char *path, lf_gguf_writer **out);
/* Without a commit, no file appears at `path`. */
void lf_gguf_free(lf_gguf_writer *g);

/* ---- Phase 1 ---- */

int32_t lf_gguf_u32(lf_gguf_writer *g, const char *key, uint32_t value);
int32_t lf_gguf_f32(lf_gguf_writer *g, const char *key, float value);
int32_t lf_gguf_bool(lf_gguf_writer *g, const char *key, bool value);
int32_t lf_gguf_string(lf_gguf_writer *g, const char *key, const char *text, size_t len);
/* Copies an entry of another file byte for byte. */
int32_t lf_gguf_copy(lf_gguf_writer *g, const lf_gguf_value *value);

/* Starts an array; exactly `count` calls of lf_gguf_put_* must follow. */
int32_t lf_gguf_array(lf_gguf_writer *g, const char *key, lf_gguf_type element, uint64_t count);
int32_t lf_gguf_put_i32(lf_gguf_writer *g, int32_t value);
int32_t lf_gguf_put_string(lf_gguf_writer *g, const char *text, size_t len);

/* Declares a tensor; ne[0] is contiguous and must be a multiple of the type's block. INTERNAL
 * otherwise. */
int32_t lf_gguf_tensor(lf_gguf_writer *g, const char *name, lf_type type, uint32_t n_dims,
                       const uint64_t *ne);

/* Bytes of data of all declared tensors, without padding. */
uint64_t lf_gguf_data_bytes(const lf_gguf_writer *g);

/* ---- Phase 2 ---- */

/* Writes everything before the first tensor's data. */
int32_t lf_gguf_begin_data(lf_gguf_writer *g);
/* Writes the next bytes of the current tensor. INTERNAL if they exceed its size. */
int32_t lf_gguf_data(lf_gguf_writer *g, const void *data, size_t bytes);
/* Makes the file appear at its path. INTERNAL if data is missing. */
int32_t lf_gguf_commit(lf_gguf_writer *g);

#endif /* LF_CONVERT_GGUF_WRITE_H */
