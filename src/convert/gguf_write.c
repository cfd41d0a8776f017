/* SPDX-License-Identifier: Apache-2.0 */
/* Writing of the GGUF container. The header has counts, so metadata and the tensor table are
 * collected in memory (a few MB, most of it vocabulary) and written when complete. */
#include "convert/gguf_write.h"

#include <string.h>

enum { ALIGNMENT = 32, VERSION = 3, FIRST_BYTES = 64 * 1024, MAX_DIMS = 4 };

typedef struct bytes {
    uint8_t *data;
    size_t len, capacity;
} bytes;

struct lf_gguf_writer {
    const lf_alloc *alloc;
    lf_writer *file;
    bytes meta;  /* encoded key-value pairs */
    bytes table; /* encoded tensor descriptions */
    bytes sizes; /* uint64_t per tensor: bytes of its data */
    uint64_t n_meta, n_tensors;
    uint64_t data_offset; /* of the next tensor, from the start of the data section */
    uint64_t data_bytes;
    uint64_t current; /* number of the tensor being written */
    uint64_t left;    /* bytes that tensor still needs */
};

/* ---- Growing buffers ---- */

static int32_t reserve(lf_gguf_writer *g, bytes *b, size_t more)
{
    size_t need = 0;
    if (!lf_add_size(b->len, more, &need)) {
        return lf_fail(LFM2_E_MEMORY, "memory.overflow",
                       "the GGUF header exceeds the address space");
    }
    if (need <= b->capacity) {
        return LFM2_OK;
    }
    size_t capacity = b->capacity > 0 ? b->capacity : FIRST_BYTES;
    while (capacity < need) {
        capacity = capacity > SIZE_MAX / 2 ? need : capacity * 2;
    }
    void *fresh = NULL;
    LF_TRY(lf_new(g->alloc, capacity, 1, "gguf header", &fresh));
    if (b->len > 0) {
        memcpy(fresh, b->data, b->len);
    }
    lf_free(g->alloc, b->data, b->capacity, 1);
    b->data = fresh;
    b->capacity = capacity;
    return LFM2_OK;
}

static int32_t put(lf_gguf_writer *g, bytes *b, const void *data, size_t len)
{
    LF_TRY(reserve(g, b, len));
    if (len > 0) {
        memcpy(b->data + b->len, data, len);
    }
    b->len += len;
    return LFM2_OK;
}

static void little_endian(uint8_t *at, uint64_t value, size_t width)
{
    for (size_t i = 0; i < width; i++) {
        at[i] = (uint8_t)(value >> (8 * i));
    }
}

static int32_t put_number(lf_gguf_writer *g, bytes *b, uint64_t value, size_t width)
{
    uint8_t le[8];
    little_endian(le, value, width);
    return put(g, b, le, width);
}

static int32_t put_text(lf_gguf_writer *g, bytes *b, const char *text, size_t len)
{
    LF_TRY(put_number(g, b, len, 8));
    return put(g, b, text, len);
}

/* ---- Creation ---- */

int32_t lf_gguf_create(const lf_alloc *alloc, const char *path, lf_gguf_writer **out)
{
    void *p = NULL;
    LF_TRY(lf_new_zero(alloc, 1, sizeof(lf_gguf_writer), "gguf writer", &p));
    lf_gguf_writer *g = p;
    g->alloc = alloc;
    int32_t status = lf_writer_create(alloc, path, 0, &g->file);
    if (status != LFM2_OK) {
        lf_gguf_free(g);
        return status;
    }
    *out = g;
    return LFM2_OK;
}

void lf_gguf_free(lf_gguf_writer *g)
{
    if (g == NULL) {
        return;
    }
    if (g->file != NULL) {
        lf_writer_free(g->file);
    }
    const lf_alloc *alloc = g->alloc;
    lf_free(alloc, g->meta.data, g->meta.capacity, 1);
    lf_free(alloc, g->table.data, g->table.capacity, 1);
    lf_free(alloc, g->sizes.data, g->sizes.capacity, 1);
    lf_free(alloc, g, 1, sizeof *g);
}

/* ---- Metadata ---- */

static int32_t begin_pair(lf_gguf_writer *g, const char *key, size_t key_len, uint32_t type)
{
    LF_TRY(put_text(g, &g->meta, key, key_len));
    LF_TRY(put_number(g, &g->meta, type, 4));
    g->n_meta++;
    return LFM2_OK;
}

int32_t lf_gguf_u32(lf_gguf_writer *g, const char *key, uint32_t value)
{
    LF_TRY(begin_pair(g, key, strlen(key), LF_GGUF_U32));
    return put_number(g, &g->meta, value, 4);
}

int32_t lf_gguf_f32(lf_gguf_writer *g, const char *key, float value)
{
    uint32_t bits = 0;
    memcpy(&bits, &value, sizeof bits);
    LF_TRY(begin_pair(g, key, strlen(key), LF_GGUF_F32));
    return put_number(g, &g->meta, bits, 4);
}

int32_t lf_gguf_bool(lf_gguf_writer *g, const char *key, bool value)
{
    LF_TRY(begin_pair(g, key, strlen(key), LF_GGUF_BOOL));
    return put_number(g, &g->meta, value, 1);
}

int32_t lf_gguf_string(lf_gguf_writer *g, const char *key, const char *text, size_t len)
{
    LF_TRY(begin_pair(g, key, strlen(key), LF_GGUF_STRING));
    return put_text(g, &g->meta, text, len);
}

int32_t lf_gguf_copy(lf_gguf_writer *g, const lf_gguf_value *value)
{
    LF_TRY(begin_pair(g, value->key, value->key_len, value->type));
    if (value->type == LF_GGUF_ARRAY) {
        LF_TRY(put_number(g, &g->meta, value->item, 4));
    }
    if (value->type == LF_GGUF_ARRAY || value->type == LF_GGUF_STRING) {
        LF_TRY(put_number(g, &g->meta, value->count, 8));
    }
    return put(g, &g->meta, value->data, (size_t)value->bytes);
}

int32_t lf_gguf_array(lf_gguf_writer *g, const char *key, lf_gguf_type element, uint64_t count)
{
    LF_TRY(begin_pair(g, key, strlen(key), LF_GGUF_ARRAY));
    LF_TRY(put_number(g, &g->meta, (uint64_t)element, 4));
    return put_number(g, &g->meta, count, 8);
}

int32_t lf_gguf_put_i32(lf_gguf_writer *g, int32_t value)
{
    return put_number(g, &g->meta, (uint32_t)value, 4);
}

int32_t lf_gguf_put_string(lf_gguf_writer *g, const char *text, size_t len)
{
    return put_text(g, &g->meta, text, len);
}

/* ---- Tensors ---- */

static uint64_t padding(uint64_t at)
{
    return (ALIGNMENT - at % ALIGNMENT) % ALIGNMENT;
}

int32_t lf_gguf_tensor(lf_gguf_writer *g, const char *name, lf_type type, uint32_t n_dims,
                       const uint64_t *ne)
{
    uint64_t size = ne[0] <= SIZE_MAX ? lf_row_bytes(type, (size_t)ne[0]) : 0;
    bool fits = n_dims >= 1 && n_dims <= MAX_DIMS && size > 0;
    for (uint32_t d = 1; fits && d < n_dims; d++) {
        fits = lf_mul_u64(size, ne[d], &size);
    }
    uint64_t end = 0;
    if (!fits || !lf_add_u64(g->data_offset, size, &end) || end > UINT64_MAX - ALIGNMENT) {
        return lf_fail(LFM2_E_INTERNAL, "gguf.write.tensor",
                       "tensor '%s': the type does not allow its shape of %u dimensions", name,
                       n_dims);
    }
    LF_TRY(put_text(g, &g->table, name, strlen(name)));
    LF_TRY(put_number(g, &g->table, n_dims, 4));
    for (uint32_t d = 0; d < n_dims; d++) {
        LF_TRY(put_number(g, &g->table, ne[d], 8));
    }
    LF_TRY(put_number(g, &g->table, (uint64_t)type, 4));
    LF_TRY(put_number(g, &g->table, g->data_offset, 8));
    LF_TRY(put(g, &g->sizes, &size, sizeof size));
    g->n_tensors++;
    g->data_bytes += size;
    g->data_offset = end + padding(end);
    return LFM2_OK;
}

uint64_t lf_gguf_data_bytes(const lf_gguf_writer *g)
{
    return g->data_bytes;
}

/* ---- Data ---- */

static uint64_t size_of(const lf_gguf_writer *g, uint64_t tensor)
{
    uint64_t size = 0;
    if (tensor < g->n_tensors) {
        memcpy(&size, g->sizes.data + tensor * sizeof size, sizeof size);
    }
    return size;
}

int32_t lf_gguf_begin_data(lf_gguf_writer *g)
{
    uint8_t head[24] = {'G', 'G', 'U', 'F'};
    little_endian(head + 4, VERSION, 4);
    little_endian(head + 8, g->n_tensors, 8);
    little_endian(head + 16, g->n_meta, 8);
    LF_TRY(lf_writer_write(g->file, head, sizeof head));
    LF_TRY(lf_writer_write(g->file, g->meta.data, g->meta.len));
    LF_TRY(lf_writer_write(g->file, g->table.data, g->table.len));
    g->current = 0;
    g->left = size_of(g, 0);
    return lf_writer_zeros(g->file, padding(lf_writer_offset(g->file)));
}

int32_t lf_gguf_data(lf_gguf_writer *g, const void *data, size_t len)
{
    if (len > g->left) {
        return lf_fail(LFM2_E_INTERNAL, "gguf.write.data",
                       "tensor %llu: more data than its declared size",
                       (unsigned long long)g->current);
    }
    LF_TRY(lf_writer_write(g->file, data, len));
    g->left -= len;
    if (g->left == 0) {
        /* pad the last tensor too: every reader accepts that, some require it */
        LF_TRY(lf_writer_zeros(g->file, padding(lf_writer_offset(g->file))));
        g->current++;
        g->left = size_of(g, g->current);
    }
    return LFM2_OK;
}

int32_t lf_gguf_commit(lf_gguf_writer *g)
{
    if (g->current != g->n_tensors) {
        return lf_fail(LFM2_E_INTERNAL, "gguf.write.data", "tensor %llu: its data is missing",
                       (unsigned long long)g->current);
    }
    return lf_writer_commit(g->file);
}
