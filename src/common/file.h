/* SPDX-License-Identifier: Apache-2.0 */
/* Declares files: opening and reading them from several origins, a bounded little-endian reader,
 * and a writer of files that appear complete or not at all. */
#ifndef LF_COMMON_FILE_H
#define LF_COMMON_FILE_H

#include "common/alloc.h"

/* Where the bytes of a file come from. */
typedef enum { LF_FROM_PATH, LF_FROM_FD, LF_FROM_MEMORY, LF_FROM_READER } lf_origin_kind;

typedef struct lf_origin {
    lf_origin_kind kind;
    bool copy;        /* do not use bytes in place: lf_file.data stays NULL */
    const char *path; /* PATH */
    int fd;           /* FD: `bytes` bytes at `offset`; 0 = up to the end */
    uint64_t offset, bytes;
    const void *memory;              /* MEMORY: `bytes` bytes */
    const lfm2_model_reader *reader; /* READER */
} lf_origin;

enum {
    LF_FILE_ALIGN = 8,          /* alignment of `data`: no user needs more */
    LF_FILE_MOST_READ = 4 << 20 /* maximum bytes of one request to a callback */
};

/* The name of an origin in messages: its path, "<fd N>", "<memory>" or "<reader>". May use
 * `buffer`. */
enum { LF_FILE_NAME = 32 };
const char *lf_origin_name(const lf_origin *origin, char buffer[LF_FILE_NAME]);

/* An open file. lf_file_read copies its bytes; if `data` is set, they can be used in place. A
 * struct in which only data, size, path and alloc are set is a file in memory, which needs no
 * close. */
typedef struct lf_file {
    const uint8_t *data; /* NULL: size is 0, or the bytes need lf_file_read */
    uint64_t size;
    uint64_t mtime_ns;      /* 0: unknown */
    uint64_t device, inode; /* both 0: not in a file system */
    char *path;             /* the name for messages: a path, "<memory>", ... */
    const lf_alloc *alloc;
    /* Private to file.c. */
    void *map;
    size_t map_bytes;
    const uint8_t *bytes; /* the bytes in memory, which may not be usable in place */
    int32_t (*read)(void *user, uint64_t offset, void *buffer, size_t n);
    void *read_user;
    int fd; /* contains the file at fd_begin; used if nothing above is set */
    bool owns_fd;
    uint64_t fd_begin;
} lf_file;

/* Maps a regular file. Errors: IO, MEMORY. */
int32_t lf_file_open(const lf_alloc *alloc, const char *path, lf_file *out);

/* Opens a file. `origin` and the objects it points to must live until lf_file_release. Errors: IO,
 * MEMORY, ARGUMENT (the range exceeds the file). */
int32_t lf_file_open_from(const lf_alloc *alloc, const lf_origin *origin, lf_file *out);

/* Copies the bytes [offset, offset + n). Errors: IO, MEMORY, STOPPED (by a read callback). */
int32_t lf_file_read(const lf_file *file, uint64_t offset, void *buffer, size_t n);

/* Closes what only lf_file_read needs: data, size, path, identity and time remain. */
void lf_file_release(lf_file *file);
void lf_file_close(lf_file *file);

/* Asks for huge pages, which some file systems provide. Call it before most of the file is read. */
void lf_file_huge_pages(const lf_file *file);

/* Drops the mapped pages within [begin, begin + bytes) from the memory of this process. They may be
 * read again. */
void lf_file_drop(const lf_file *file, uint64_t begin, uint64_t bytes);

/* Reads untrusted bytes; every read is checked against the end. Messages name `file`, the `what` of
 * the call (a key or tensor) and the offset. */
typedef struct lf_reader {
    const uint8_t *data;
    uint64_t size;
    uint64_t pos;
    const char *file;
    const char *code; /* error code for a read beyond the end: "gguf.truncated", ... */
    /* If `from` is set, data is a copy of its first `have` bytes, which grows on demand. */
    const lf_file *from;
    uint8_t *copy;
    uint64_t have, capacity;
    uint64_t limit; /* maximum bytes to copy */
} lf_reader;

/* Reads a copy of the first `limit` bytes of `file`; each byte is read from the file once.
 * lf_reader_end frees the copy. */
lf_reader lf_reader_begin(const lf_file *file, uint64_t limit, const char *code);
void lf_reader_end(lf_reader *r);

int32_t lf_read_u8(lf_reader *r, const char *what, uint8_t *out);
int32_t lf_read_u16(lf_reader *r, const char *what, uint16_t *out);
int32_t lf_read_u32(lf_reader *r, const char *what, uint32_t *out);
int32_t lf_read_u64(lf_reader *r, const char *what, uint64_t *out);
/* Points *out to n bytes, without copying. If `from` is set, they are valid until the next read. */
int32_t lf_read_bytes(lf_reader *r, const char *what, uint64_t n, const uint8_t **out);

/* Bytes that are read once, in order. It must not be copied or moved. */
typedef struct lf_input {
    const char *name;    /* for messages */
    uint64_t left;       /* bytes that follow; UINT64_MAX: unknown */
    const lf_file *file; /* contains them from `at` on; NULL: they come from fd */
    uint64_t at;
    int fd;
    char buffer[LF_FILE_NAME]; /* may contain the name */
} lf_input;

/* `file` must outlive the input. */
void lf_input_of_file(const lf_file *file, lf_input *out);

/* Reads from the position of a descriptor, which may be a pipe. Of a regular file `left` is known.
 * The descriptor stays open, after the last byte that was read. Errors: IO. */
int32_t lf_input_of_fd(int fd, lf_input *out);

/* Copies n bytes. *got receives how many there were: fewer than n only at the end. Errors: IO,
 * MEMORY. */
int32_t lf_input_read(lf_input *input, void *buffer, size_t n, size_t *got);

/* Skips n bytes, or up to the end, of an input of a file. */
void lf_input_skip(lf_input *input, uint64_t n);

/* Writes a file that appears complete or not at all. The data goes through a buffer to a temporary
 * file next to the target. lf_writer_commit renames this file; without a commit, lf_writer_free
 * removes it. Errors: IO, MEMORY; the first failure makes all later calls fail. */
typedef struct lf_writer lf_writer;

enum {
    LF_WRITER_PRIVATE = 1, /* only the owner may read the file (mode 0600) */
    LF_WRITER_NO_SYNC = 2  /* after a crash of the system the file may be incomplete */
};

/* Fails with IO if `path` is empty, or exists and is not a regular file, as lf_writer_create does.
 */
int32_t lf_writer_check(const char *path);

int32_t lf_writer_create(const lf_alloc *alloc, const char *path, uint32_t flags, lf_writer **out);

/* Writes to a descriptor instead, which stays open and has this name in messages; lf_writer_commit
 * flushes the buffer. A pipe or socket without a reader is an IO error: SIGPIPE is not delivered.
 */
int32_t lf_writer_create_fd(const lf_alloc *alloc, int fd, const char *name, lf_writer **out);

/* Writes to the caller's memory instead. More than `capacity` bytes are an INTERNAL error. */
int32_t lf_writer_create_memory(const lf_alloc *alloc, void *memory, size_t capacity,
                                lf_writer **out);

int32_t lf_writer_write(lf_writer *writer, const void *data, size_t bytes);
int32_t lf_writer_zeros(lf_writer *writer, uint64_t bytes);
uint64_t lf_writer_offset(const lf_writer *writer); /* bytes written so far */
int32_t lf_writer_commit(lf_writer *writer);        /* flush, sync, rename */
void lf_writer_free(lf_writer *writer);

#endif /* LF_COMMON_FILE_H */
