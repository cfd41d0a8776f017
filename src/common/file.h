/* SPDX-License-Identifier: Apache-2.0 */
/* Files: read-only maps, a bounded little-endian reader, and writing that is all or nothing. */
#ifndef LF_COMMON_FILE_H
#define LF_COMMON_FILE_H

#include "common/alloc.h"

typedef struct lf_file {
    const uint8_t *data; /* NULL when size is 0 */
    uint64_t size;
    uint64_t mtime_ns;
    char *path;          /* as given */
    const lf_alloc *alloc;
} lf_file;

/* Maps a regular file. Errors: IO, MEMORY. */
int32_t lf_file_open(const lf_alloc *alloc, const char *path, lf_file *out);
void lf_file_close(lf_file *file);

/* Asks for huge pages, where the system has them for this file. Before most of it is read. */
void lf_file_huge_pages(const lf_file *file);

/* [begin, begin + bytes) is not needed any more: its pages leave this process's memory; reading
 * them again is legal. */
void lf_file_drop(const lf_file *file, uint64_t begin, uint64_t bytes);

/* Reader over foreign bytes: every read is checked, the first failure is reported with `file`,
 * `what` (the key or tensor being read, may change as the caller goes) and the offset. */
typedef struct lf_reader {
    const uint8_t *data;
    uint64_t size;
    uint64_t pos;
    const char *file;
    const char *code; /* machine name used for failures, e.g. "gguf.truncated" */
} lf_reader;

int32_t lf_read_u8(lf_reader *r, const char *what, uint8_t *out);
int32_t lf_read_u16(lf_reader *r, const char *what, uint16_t *out);
int32_t lf_read_u32(lf_reader *r, const char *what, uint32_t *out);
int32_t lf_read_u64(lf_reader *r, const char *what, uint64_t *out);
/* A view of n bytes inside the data. */
int32_t lf_read_bytes(lf_reader *r, const char *what, uint64_t n, const uint8_t **out);

/* Writer: a temporary file beside the target; commit renames it into place, free without commit
 * removes it. Buffered. Errors: IO, MEMORY. */
typedef struct lf_writer lf_writer;

int32_t lf_writer_create(const lf_alloc *alloc, const char *path, lf_writer **out);
int32_t lf_writer_write(lf_writer *writer, const void *data, size_t bytes);
int32_t lf_writer_zeros(lf_writer *writer, uint64_t bytes);
uint64_t lf_writer_offset(const lf_writer *writer);
int32_t lf_writer_commit(lf_writer *writer); /* flush, fsync, rename */
void lf_writer_free(lf_writer *writer);

#endif /* LF_COMMON_FILE_H */
