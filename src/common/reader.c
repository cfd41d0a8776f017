/* SPDX-License-Identifier: Apache-2.0 */
/* Implements the bounded reader of bytes in memory, or of a growing copy of the start of a file. */
#include "common/file.h"

#include <string.h>

/* The least number of bytes by which the copy grows, and the most that are read ahead. */
enum { STEP = 1 << 20 };

lf_reader lf_reader_begin(const lf_file *file, uint64_t limit, const char *code)
{
    return (lf_reader){
        .size = file->size, .file = file->path, .code = code, .from = file, .limit = limit};
}

void lf_reader_end(lf_reader *r)
{
    if (r->copy != NULL) {
        lf_free(r->from->alloc, r->copy, (size_t)r->capacity, 1);
    }
    r->copy = NULL;
    r->data = NULL;
    r->have = 0;
    r->capacity = 0;
}

static uint64_t least(uint64_t a, uint64_t b)
{
    return a < b ? a : b;
}

/* Enlarges the copy to `need` bytes, which are within the file and the limit. */
static int32_t grow(lf_reader *r, uint64_t need)
{
    uint64_t most = least(r->size, r->limit);
    uint64_t capacity = r->capacity == 0 ? STEP : 2 * r->capacity;
    capacity = least(capacity > need ? capacity : need, most);
    void *p = NULL;
    LF_TRY(lf_new(r->from->alloc, (size_t)capacity, 1, "header", &p));
    if (r->copy != NULL) {
        memcpy(p, r->copy, (size_t)r->have);
        lf_free(r->from->alloc, r->copy, (size_t)r->capacity, 1);
    }
    r->copy = p;
    r->data = p;
    r->capacity = capacity;
    return LFM2_OK;
}

/* Copies the first `need` bytes of the file, and some more. */
static int32_t read_ahead(lf_reader *r, const char *what, uint64_t need)
{
    if (need > r->limit) {
        return lf_fail(LFM2_E_FORMAT, "file.header",
                       "%s: %s: offset 0x%llx: the header is larger than %llu bytes", r->file, what,
                       (unsigned long long)r->pos, (unsigned long long)r->limit);
    }
    if (need > r->capacity) {
        LF_TRY(grow(r, need));
    }
    uint64_t end = least(r->capacity, need + STEP);
    LF_TRY(lf_file_read(r->from, r->have, r->copy + r->have, (size_t)(end - r->have)));
    r->have = end;
    return LFM2_OK;
}

int32_t lf_read_bytes(lf_reader *r, const char *what, uint64_t n, const uint8_t **out)
{
    uint64_t rest = r->size - r->pos;
    if (n > rest) {
        return lf_fail(LFM2_E_FORMAT, r->code,
                       "%s: %s: offset 0x%llx: needs %llu bytes, the file has %llu more", r->file,
                       what, (unsigned long long)r->pos, (unsigned long long)n,
                       (unsigned long long)rest);
    }
    if (r->from != NULL && r->pos + n > r->have) {
        LF_TRY(read_ahead(r, what, r->pos + n));
    }
    *out = n > 0 ? r->data + r->pos : r->data;
    r->pos += n;
    return LFM2_OK;
}

static int32_t read_little_endian(lf_reader *r, const char *what, uint32_t bytes, uint64_t *out)
{
    const uint8_t *p = NULL;
    LF_TRY(lf_read_bytes(r, what, bytes, &p));
    uint64_t v = 0;
    for (uint32_t i = 0; i < bytes; i++) {
        v |= (uint64_t)p[i] << (8 * i);
    }
    *out = v;
    return LFM2_OK;
}

int32_t lf_read_u8(lf_reader *r, const char *what, uint8_t *out)
{
    uint64_t v = 0;
    LF_TRY(read_little_endian(r, what, 1, &v));
    *out = (uint8_t)v;
    return LFM2_OK;
}

int32_t lf_read_u16(lf_reader *r, const char *what, uint16_t *out)
{
    uint64_t v = 0;
    LF_TRY(read_little_endian(r, what, 2, &v));
    *out = (uint16_t)v;
    return LFM2_OK;
}

int32_t lf_read_u32(lf_reader *r, const char *what, uint32_t *out)
{
    uint64_t v = 0;
    LF_TRY(read_little_endian(r, what, 4, &v));
    *out = (uint32_t)v;
    return LFM2_OK;
}

int32_t lf_read_u64(lf_reader *r, const char *what, uint64_t *out)
{
    return read_little_endian(r, what, 8, out);
}
