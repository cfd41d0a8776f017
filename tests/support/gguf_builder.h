/* SPDX-License-Identifier: Apache-2.0 */
/* Builds valid and invalid GGUF files in memory for tests. A failed allocation ends the program. */
#ifndef LF_TESTS_GGUF_BUILDER_H
#define LF_TESTS_GGUF_BUILDER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

typedef struct gb_bytes {
    uint8_t *data;
    size_t size, capacity;
} gb_bytes;

/* An integer field of the header: counts, lengths, types, offsets, values. */
typedef struct gb_field {
    size_t offset; /* in the finished file */
    uint32_t bytes;
} gb_field;

typedef struct gguf_builder {
    uint32_t version, alignment;
    uint64_t n_keys, n_tensors;
    gb_bytes keys, tensors, data;
    gb_field *fields; /* final after gb_finish */
    size_t n_fields, n_key_fields;
    gb_bytes file; /* after gb_finish */
} gguf_builder;

void gb_init(gguf_builder *b); /* version 3, alignment 32 */
void gb_free(gguf_builder *b);

/* A key with a value of raw bytes. */
void gb_raw(gguf_builder *b, const char *key, uint32_t type, const void *value, size_t bytes);
void gb_u32(gguf_builder *b, const char *key, uint32_t value);
void gb_f32(gguf_builder *b, const char *key, float value);
void gb_bool(gguf_builder *b, const char *key, bool value);
void gb_string(gguf_builder *b, const char *key, const char *value);
void gb_i32s(gguf_builder *b, const char *key, const int32_t *values, size_t n);
void gb_strings(gguf_builder *b, const char *key, const char *const *values, size_t n);

/* A tensor with `bytes` zero bytes of data, aligned, after those of the tensors before it.
 * Dimensions: contiguous first. */
void gb_tensor(gguf_builder *b, const char *name, uint32_t type, uint32_t n_dims,
               const uint64_t *dims, uint64_t bytes);
/* The data of the last tensor. */
uint8_t *gb_last_data(gguf_builder *b, uint64_t bytes);
/* The same at a chosen offset, without data. */
void gb_tensor_at(gguf_builder *b, const char *name, uint32_t type, uint32_t n_dims,
                  const uint64_t *dims, uint64_t offset);

/* Completes b->file (header, keys, tensors, padding, data) and b->fields. Returns the number of
 * bytes before the padding and the data. */
size_t gb_finish(gguf_builder *b);

void gb_write(const char *path, const void *data, size_t bytes);

#endif /* LF_TESTS_GGUF_BUILDER_H */
