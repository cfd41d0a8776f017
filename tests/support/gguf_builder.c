/* SPDX-License-Identifier: Apache-2.0 */
/* Implements the writing of GGUF files in memory. */
#include "support/gguf_builder.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { STRING = 8, ARRAY = 9, U32 = 4, I32 = 5, F32 = 6, BOOL = 7 };

static void *grow(void *p, size_t bytes)
{
    void *q = realloc(p, bytes);
    if (q == NULL) {
        abort();
    }
    return q;
}

static void put(gb_bytes *to, const void *data, size_t n)
{
    if (n > to->capacity - to->size) {
        to->capacity = (to->size + n) * 2;
        to->data = grow(to->data, to->capacity);
    }
    if (n > 0) {
        memcpy(to->data + to->size, data, n);
    }
    to->size += n;
}

static void put_zeros(gb_bytes *to, size_t n)
{
    static const uint8_t zeros[256];
    for (; n > sizeof zeros; n -= sizeof zeros) {
        put(to, zeros, sizeof zeros);
    }
    put(to, zeros, n);
}

static void put_int(gb_bytes *to, uint64_t v, uint32_t bytes)
{
    uint8_t p[8];
    for (uint32_t i = 0; i < bytes; i++) {
        p[i] = (uint8_t)(v >> (8 * i));
    }
    put(to, p, bytes);
}

/* An integer whose place is recorded, so that tests can change it. */
static void put_field(gguf_builder *b, gb_bytes *to, uint64_t v, uint32_t bytes)
{
    b->fields = grow(b->fields, (b->n_fields + 1) * sizeof *b->fields);
    b->fields[b->n_fields++] = (gb_field){to->size, bytes};
    b->n_key_fields += to == &b->keys;
    put_int(to, v, bytes);
}

static void put_string(gguf_builder *b, gb_bytes *to, const char *text)
{
    put_field(b, to, strlen(text), 8);
    put(to, text, strlen(text));
}

void gb_init(gguf_builder *b)
{
    *b = (gguf_builder){.version = 3, .alignment = 32};
}

void gb_free(gguf_builder *b)
{
    free(b->keys.data);
    free(b->tensors.data);
    free(b->data.data);
    free(b->file.data);
    free(b->fields);
    *b = (gguf_builder){.version = 0};
}

static void begin_key(gguf_builder *b, const char *key, uint32_t type)
{
    b->n_keys++;
    put_string(b, &b->keys, key);
    put_field(b, &b->keys, type, 4);
}

void gb_raw(gguf_builder *b, const char *key, uint32_t type, const void *value, size_t bytes)
{
    begin_key(b, key, type);
    put(&b->keys, value, bytes);
}

void gb_u32(gguf_builder *b, const char *key, uint32_t value)
{
    begin_key(b, key, U32);
    put_field(b, &b->keys, value, 4);
}

void gb_f32(gguf_builder *b, const char *key, float value)
{
    uint32_t bits = 0;
    memcpy(&bits, &value, sizeof bits);
    begin_key(b, key, F32);
    put_field(b, &b->keys, bits, 4);
}

void gb_bool(gguf_builder *b, const char *key, bool value)
{
    begin_key(b, key, BOOL);
    put_field(b, &b->keys, value, 1);
}

void gb_string(gguf_builder *b, const char *key, const char *value)
{
    begin_key(b, key, STRING);
    put_string(b, &b->keys, value);
}

void gb_i32s(gguf_builder *b, const char *key, const int32_t *values, size_t n)
{
    begin_key(b, key, ARRAY);
    put_field(b, &b->keys, I32, 4);
    put_field(b, &b->keys, n, 8);
    for (size_t i = 0; i < n; i++) {
        put_int(&b->keys, (uint32_t)values[i], 4);
    }
}

void gb_strings(gguf_builder *b, const char *key, const char *const *values, size_t n)
{
    begin_key(b, key, ARRAY);
    put_field(b, &b->keys, STRING, 4);
    put_field(b, &b->keys, n, 8);
    for (size_t i = 0; i < n; i++) {
        put_int(&b->keys, strlen(values[i]), 8);
        put(&b->keys, values[i], strlen(values[i]));
    }
}

void gb_tensor_at(gguf_builder *b, const char *name, uint32_t type, uint32_t n_dims,
                  const uint64_t *dims, uint64_t offset)
{
    b->n_tensors++;
    put_string(b, &b->tensors, name);
    put_field(b, &b->tensors, n_dims, 4);
    for (uint32_t d = 0; d < n_dims; d++) {
        put_field(b, &b->tensors, dims[d], 8);
    }
    put_field(b, &b->tensors, type, 4);
    put_field(b, &b->tensors, offset, 8);
}

void gb_tensor(gguf_builder *b, const char *name, uint32_t type, uint32_t n_dims,
               const uint64_t *dims, uint64_t bytes)
{
    size_t rest = b->data.size % b->alignment;
    put_zeros(&b->data, rest > 0 ? b->alignment - rest : 0);
    gb_tensor_at(b, name, type, n_dims, dims, b->data.size);
    put_zeros(&b->data, (size_t)bytes);
}

uint8_t *gb_last_data(gguf_builder *b, uint64_t bytes)
{
    return b->data.data + b->data.size - bytes;
}

size_t gb_finish(gguf_builder *b)
{
    size_t n = b->n_fields;
    gb_field *fields = grow(NULL, (n + 3) * sizeof *fields);
    put(&b->file, "GGUF", 4);
    fields[0] = (gb_field){b->file.size, 4};
    put_int(&b->file, b->version, 4);
    fields[1] = (gb_field){b->file.size, 8};
    put_int(&b->file, b->n_tensors, 8);
    fields[2] = (gb_field){b->file.size, 8};
    put_int(&b->file, b->n_keys, 8);
    size_t keys_at = b->file.size;
    put(&b->file, b->keys.data, b->keys.size);
    size_t tensors_at = b->file.size;
    put(&b->file, b->tensors.data, b->tensors.size);
    size_t header = b->file.size;
    for (size_t i = 0; i < n; i++) { /* callers add all keys before the tensors */
        fields[3 + i] = b->fields[i];
        fields[3 + i].offset += i < b->n_key_fields ? keys_at : tensors_at;
    }
    free(b->fields);
    b->fields = fields;
    b->n_fields = n + 3;
    size_t rest = header % b->alignment;
    put_zeros(&b->file, rest > 0 ? b->alignment - rest : 0);
    put(&b->file, b->data.data, b->data.size);
    return header;
}

void gb_write(const char *path, const void *data, size_t bytes)
{
    FILE *f = fopen(path, "wb");
    if (f == NULL || (bytes > 0 && fwrite(data, 1, bytes, f) != bytes) || fclose(f) != 0) {
        fprintf(stderr, "%s: cannot be written\n", path);
        abort();
    }
}
