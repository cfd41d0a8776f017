/* SPDX-License-Identifier: Apache-2.0 */
/* Files: opening them from several origins, a bounded little-endian reader, and writing that is all
 * or nothing. */
#ifndef LF_COMMON_FILE_H
#define LF_COMMON_FILE_H

#include "common/alloc.h"

/* Where the bytes of a file come from. */
typedef enum { LF_FROM_PATH, LF_FROM_FD, LF_FROM_MEMORY, LF_FROM_READER } lf_origin_kind;

typedef struct lf_origin {
    lf_origin_kind kind;
    bool copy;        /* use nothing in place: the file has no `data` */
    const char *path; /* PATH */
    int fd;           /* FD: `bytes` bytes from `offset` on, 0: to the end */
    uint64_t offset, bytes;
    const void *memory;              /* MEMORY: `bytes` bytes */
    const lfm2_model_reader *reader; /* READER */
} lf_origin;

enum {
    LF_FILE_ALIGN = 8,          /* of `data`: no user of it needs more */
    LF_FILE_MOST_READ = 4 << 20 /* bytes that a read callback is asked for at once */
};

/* The name of an origin in messages: its path, "<fd N>", "<memory>" or "<reader>". */
enum { LF_FILE_NAME = 32 };
const char *lf_origin_name(const lf_origin *origin, char room[LF_FILE_NAME]);

/* A file whose bytes can be copied out, and used in place if `data` says so. A struct with data,
 * size, path and alloc alone is a file in memory; lf_file_close is then not called. */
typedef struct lf_file {
    const uint8_t *data; /* NULL: size is 0, or only lf_file_read gets at the bytes */
    uint64_t size;
    uint64_t mtime_ns;      /* 0: unknown */
    uint64_t device, inode; /* both 0: no file of the system */
    char *path;             /* as given, or a name such as "<memory>", for messages */
    const lf_alloc *alloc;
    /* The rest belongs to file.c. */
    void *map;
    size_t map_bytes;
    const uint8_t *bytes; /* readable, not to be used in place */
    int32_t (*read)(void *user, uint64_t offset, void *buffer, size_t n);
    void *read_user;
    int fd; /* the file begins at fd_begin in it; read if nothing above is set */
    bool owns_fd;
    uint64_t fd_begin;
} lf_file;

/* Maps a regular file. Errors: IO, MEMORY. */
int32_t lf_file_open(const lf_alloc *alloc, const char *path, lf_file *out);

/* `origin` and what it points at are used until lf_file_release. Errors: IO, MEMORY, ARGUMENT (a
 * range that exceeds the file). */
int32_t lf_file_open_from(const lf_alloc *alloc, const lf_origin *origin, lf_file *out);

/* Copies [offset, offset + n). Errors: IO, MEMORY; STOPPED by a read callback. */
int32_t lf_file_read(const lf_file *file, uint64_t offset, void *buffer, size_t n);

/* Gives up what only lf_file_read needs; `data`, size, path and times stay. */
void lf_file_release(lf_file *file);
void lf_file_close(lf_file *file);

/* Asks for huge pages, where the system has them for this file. Before most of it is read. */
void lf_file_huge_pages(const lf_file *file);

/* [begin, begin + bytes) is not needed any more: mapped pages leave this process's memory; reading
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
    /* With `from`, data is a copy of its first `have` bytes that grows as reading needs it. */
    const lf_file *from;
    uint8_t *copy;
    uint64_t have, capacity;
    uint64_t limit; /* most bytes of the copy */
} lf_reader;

/* A reader over a copy of the beginning of `file`, at most `limit` bytes. Every byte is read from
 * the file once. lf_reader_end frees the copy. */
lf_reader lf_reader_begin(const lf_file *file, uint64_t limit, const char *code);
void lf_reader_end(lf_reader *r);

int32_t lf_read_u8(lf_reader *r, const char *what, uint8_t *out);
int32_t lf_read_u16(lf_reader *r, const char *what, uint16_t *out);
int32_t lf_read_u32(lf_reader *r, const char *what, uint32_t *out);
int32_t lf_read_u64(lf_reader *r, const char *what, uint64_t *out);
/* A view of n bytes; valid until the next read if the reader's copy grows. */
int32_t lf_read_bytes(lf_reader *r, const char *what, uint64_t n, const uint8_t **out);

/* Writer: a temporary file next to the target; commit renames it into place, free without commit
 * removes it. Buffered. Errors: IO, MEMORY. */
typedef struct lf_writer lf_writer;

/* Fails with IO if `path` exists and is not a regular file. lf_writer_create checks this, too. */
int32_t lf_writer_check(const char *path);

int32_t lf_writer_create(const lf_alloc *alloc, const char *path, lf_writer **out);
int32_t lf_writer_write(lf_writer *writer, const void *data, size_t bytes);
int32_t lf_writer_zeros(lf_writer *writer, uint64_t bytes);
uint64_t lf_writer_offset(const lf_writer *writer);
int32_t lf_writer_commit(lf_writer *writer); /* flush, fsync, rename */
void lf_writer_free(lf_writer *writer);

#endif /* LF_COMMON_FILE_H */
