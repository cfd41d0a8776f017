/* SPDX-License-Identifier: Apache-2.0 */
/* Implements opening, mapping and reading files. reader.c has the bounded reader, writer.c the
 * writer. */
#include "common/file.h"

#include "common/os.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

static uint64_t page_size(void)
{
    long n = sysconf(_SC_PAGESIZE);
    return n > 0 ? (uint64_t)n : 4096;
}

/* ---- Opening ---- */

/* Reads identity, time and size of an open file; *whole receives the size. */
static int32_t examine(int fd, lf_file *file, uint64_t *whole)
{
    struct stat st;
    if (fstat(fd, &st) != 0) {
        return lf_fail_errno(errno, "io.stat", file->path, "cannot be examined");
    }
    if (S_ISDIR(st.st_mode)) {
        return lf_fail(LFM2_E_IO, "io.directory", "%s: is a directory", file->path);
    }
    if (!S_ISREG(st.st_mode)) {
        return lf_fail(LFM2_E_IO, "io.not_regular", "%s: is not a regular file", file->path);
    }
    *whole = (uint64_t)st.st_size;
    file->mtime_ns =
        (uint64_t)st.st_mtim.tv_sec * 1000000000u + (uint64_t)(uint32_t)st.st_mtim.tv_nsec;
    file->device = (uint64_t)st.st_dev;
    file->inode = (uint64_t)st.st_ino;
    return LFM2_OK;
}

/* Sets the bytes of a file that is in memory: usable in place if aligned and `copy` is false. */
static void set_bytes(const uint8_t *p, bool copy, lf_file *file)
{
    file->bytes = p;
    file->data = copy || (uintptr_t)p % LF_FILE_ALIGN != 0 ? NULL : p;
}

static int32_t map(int fd, lf_file *file)
{
    uint64_t lead = file->fd_begin % page_size(); /* a map begins at a page */
    uint64_t bytes = 0;
    if (!lf_add_u64(file->size, lead, &bytes) || bytes > SIZE_MAX) {
        return lf_fail(LFM2_E_IO, "io.address_space", "%s: too large for the address space",
                       file->path);
    }
    void *p = mmap(NULL, (size_t)bytes, PROT_READ, MAP_PRIVATE, fd, (off_t)(file->fd_begin - lead));
    if (p == MAP_FAILED) {
        return lf_fail_errno(errno, "io.map", file->path, "cannot be mapped");
    }
    file->map = p;
    file->map_bytes = (size_t)bytes;
    set_bytes((const uint8_t *)p + lead, false, file);
    return LFM2_OK;
}

static int32_t open_fd(const lf_origin *origin, int fd, lf_file *file)
{
    uint64_t whole = 0;
    LF_TRY(examine(fd, file, &whole));
    if (origin->offset > whole || origin->bytes > whole - origin->offset) {
        return lf_fail(
            LFM2_E_ARGUMENT, "io.range",
            "%s: the range of %llu bytes at offset 0x%llx exceeds the file of %llu bytes",
            file->path, (unsigned long long)origin->bytes, (unsigned long long)origin->offset,
            (unsigned long long)whole);
    }
    file->size = origin->bytes > 0 ? origin->bytes : whole - origin->offset;
    file->fd = fd;
    file->fd_begin = origin->offset;
    return file->size == 0 || origin->copy ? LFM2_OK : map(fd, file);
}

static int32_t open_path(const lf_origin *origin, lf_file *file)
{
    /* O_NONBLOCK: opening a FIFO or a device must not block */
    int fd = open(origin->path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
    if (fd < 0) {
        return lf_fail_errno(errno, "io.open", origin->path, "cannot be opened");
    }
    int32_t status = open_fd(origin, fd, file);
    if (status == LFM2_OK && origin->copy) {
        file->owns_fd = true;
    } else {
        close(fd);
        file->fd = -1;
    }
    return status;
}

static int32_t open_origin(const lf_origin *origin, lf_file *file)
{
    switch (origin->kind) {
    case LF_FROM_PATH:
        return open_path(origin, file);
    case LF_FROM_FD:
        return open_fd(origin, origin->fd, file);
    case LF_FROM_MEMORY:
        file->size = origin->bytes;
        set_bytes(origin->memory, origin->copy, file);
        return LFM2_OK;
    case LF_FROM_READER:
        file->size = origin->reader->bytes;
        file->read = origin->reader->read;
        file->read_user = origin->reader->user;
        return LFM2_OK;
    }
    return lf_fail(LFM2_E_INTERNAL, "io.origin", "unknown origin of a file");
}

const char *lf_origin_name(const lf_origin *origin, char buffer[LF_FILE_NAME])
{
    switch (origin->kind) {
    case LF_FROM_PATH:
        return origin->path;
    case LF_FROM_FD:
        snprintf(buffer, LF_FILE_NAME, "<fd %d>", origin->fd);
        return buffer;
    case LF_FROM_MEMORY:
        return "<memory>";
    case LF_FROM_READER:
        return "<reader>";
    }
    return "?";
}

int32_t lf_file_open_from(const lf_alloc *alloc, const lf_origin *origin, lf_file *out)
{
    lf_file file = {.alloc = alloc, .fd = -1};
    char buffer[LF_FILE_NAME];
    const char *name = lf_origin_name(origin, buffer);
    size_t n = strlen(name) + 1;
    void *copy = NULL;
    LF_TRY(lf_new(alloc, n, 1, "path", &copy));
    memcpy(copy, name, n);
    file.path = copy;
    int32_t status = open_origin(origin, &file);
    if (status != LFM2_OK) {
        lf_free(alloc, copy, n, 1);
        return status;
    }
    *out = file;
    return LFM2_OK;
}

int32_t lf_file_open(const lf_alloc *alloc, const char *path, lf_file *out)
{
    return lf_file_open_from(alloc, &(lf_origin){.kind = LF_FROM_PATH, .path = path}, out);
}

/* ---- Reading ---- */

enum { MOST_PREAD = 1 << 30 }; /* Linux reads at most 2 GiB per call */

static int32_t read_callback(const lf_file *file, uint64_t offset, uint8_t *buffer, size_t n)
{
    while (n > 0) {
        size_t step = n < LF_FILE_MOST_READ ? n : LF_FILE_MOST_READ;
        int32_t answer = file->read(file->read_user, offset, buffer, step);
        if (answer != 0) {
            return lf_fail(LFM2_E_STOPPED, "io.stopped",
                           "%s: offset 0x%llx: the read callback returned %d for %zu bytes",
                           file->path, (unsigned long long)offset, answer, step);
        }
        offset += step;
        buffer += step;
        n -= step;
    }
    return LFM2_OK;
}

static int32_t read_fd(const lf_file *file, uint64_t offset, uint8_t *buffer, size_t n)
{
    while (n > 0) {
        size_t step = n < MOST_PREAD ? n : MOST_PREAD;
        ssize_t got = pread(file->fd, buffer, step, (off_t)(file->fd_begin + offset));
        if (got < 0 && errno == EINTR) {
            continue;
        }
        if (got <= 0) {
            char what[96];
            snprintf(what, sizeof what, "offset 0x%llx: cannot be read",
                     (unsigned long long)offset);
            return got < 0 ? lf_fail_errno(errno, "io.read", file->path, what)
                           : lf_fail(LFM2_E_IO, "io.short",
                                     "%s: offset 0x%llx: the file ends here: it has shrunk",
                                     file->path, (unsigned long long)offset);
        }
        offset += (uint64_t)got;
        buffer += got;
        n -= (size_t)got;
    }
    return LFM2_OK;
}

int32_t lf_file_read(const lf_file *file, uint64_t offset, void *buffer, size_t n)
{
    if (offset > file->size || n > file->size - offset) {
        return lf_fail(LFM2_E_INTERNAL, "io.bounds", "%s: offset 0x%llx: read beyond the end",
                       file->path, (unsigned long long)offset);
    }
    const uint8_t *bytes = file->bytes != NULL ? file->bytes : file->data;
    if (bytes != NULL && n > 0) {
        memcpy(buffer, bytes + offset, n);
        return LFM2_OK;
    }
    return file->read != NULL ? read_callback(file, offset, buffer, n)
                              : read_fd(file, offset, buffer, n);
}

/* ---- Closing ---- */

static void unmap(lf_file *file)
{
    if (file->map != NULL) {
        munmap(file->map, file->map_bytes);
        file->map = NULL;
    }
}

void lf_file_release(lf_file *file)
{
    if (file->data == NULL) {
        unmap(file);
    }
    if (file->owns_fd) {
        close(file->fd);
    }
    file->owns_fd = false;
    file->fd = -1;
    file->bytes = NULL;
    file->read = NULL;
}

void lf_file_close(lf_file *file)
{
    lf_file_release(file);
    unmap(file);
    if (file->path != NULL) {
        lf_free(file->alloc, file->path, strlen(file->path) + 1, 1);
    }
    *file = (lf_file){.fd = -1};
}

/* ---- Advice ---- */

void lf_file_huge_pages(const lf_file *file)
{
    if (file->map != NULL) {
        lf_os_huge_pages(file->map, file->map_bytes);
    }
}

void lf_file_drop(const lf_file *file, uint64_t begin, uint64_t bytes)
{
    if (file->map == NULL || begin >= file->size || bytes == 0) {
        return;
    }
    uint64_t page = page_size();
    uint64_t lead = file->map_bytes - file->size; /* the map begins at a page */
    uint64_t end = file->map_bytes;               /* only this file uses the last page */
    if (bytes < file->size - begin) {
        end = (lead + begin + bytes) / page * page;
    }
    begin = (lead + begin + page - 1) / page * page;
    if (begin < end) {
        lf_os_drop((uint8_t *)file->map + begin, (size_t)(end - begin));
    }
}
