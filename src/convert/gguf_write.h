/* SPDX-License-Identifier: Apache-2.0 */
/* A GGUF v3 writer in two phases: collect metadata and declare tensors, then stream their data in
 * the declared order. */
#ifndef LF_CONVERT_GGUF_WRITE_H
#define LF_CONVERT_GGUF_WRITE_H

#include "load/gguf.h" /* value type codes */

typedef struct lf_gguf_writer lf_gguf_writer;

/* Opens the temporary file next to `path`. `alloc` must outlive the writer. */
int32_t lf_gguf_create(const lf_alloc *alloc, const char *path, lf_gguf_writer **out);
/* Without a commit before, nothing appears at `path`. */
void lf_gguf_free(lf_gguf_writer *g);

/* ---- Phase 1 ---- */

int32_t lf_gguf_u32(lf_gguf_writer *g, const char *key, uint32_t value);
int32_t lf_gguf_f32(lf_gguf_writer *g, const char *key, float value);
int32_t lf_gguf_bool(lf_gguf_writer *g, const char *key, bool value);
int32_t lf_gguf_string(lf_gguf_writer *g, const char *key, const char *text, size_t len);
/* A pair of another file, byte for byte. */
int32_t lf_gguf_copy(lf_gguf_writer *g, const lf_gguf_value *value);

/* Starts an array; exactly `count` elements must follow, put one by one. */
int32_t lf_gguf_array(lf_gguf_writer *g, const char *key, lf_gguf_type element, uint64_t count);
int32_t lf_gguf_put_i32(lf_gguf_writer *g, int32_t value);
int32_t lf_gguf_put_string(lf_gguf_writer *g, const char *text, size_t len);

/* ne[0] contiguous; ne[0] must be a multiple of the type's block. */
int32_t lf_gguf_tensor(lf_gguf_writer *g, const char *name, lf_type type, uint32_t n_dims,
                       const uint64_t *ne);

/* Tensor data bytes declared so far, padding not counted. */
uint64_t lf_gguf_data_bytes(const lf_gguf_writer *g);

/* ---- Phase 2 ---- */

/* Writes everything up to the first tensor's data. */
int32_t lf_gguf_begin_data(lf_gguf_writer *g);
/* The next bytes of the current tensor; a call must not cross into the next one. */
int32_t lf_gguf_data(lf_gguf_writer *g, const void *data, size_t bytes);
/* All data written: the file appears. */
int32_t lf_gguf_commit(lf_gguf_writer *g);

#endif /* LF_CONVERT_GGUF_WRITE_H */
