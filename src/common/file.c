/* SPDX-License-Identifier: Apache-2.0 */
/* Owns read-only file maps and the bounded reader. The writer is in writer.c. */
#define _DEFAULT_SOURCE /* madvise: glibc's posix_madvise ignores DONTNEED */
#include "common/file.h"

#include "common/os.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

/* ---- Maps ---- */

static int32_t map(int fd, lf_file *file)
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
    if ((uint64_t)st.st_size > SIZE_MAX) {
        return lf_fail(LFM2_E_IO, "io.address_space", "%s: too large to be mapped here",
                       file->path);
    }
    file->size = (uint64_t)st.st_size;
    file->mtime_ns =
        (uint64_t)st.st_mtim.tv_sec * 1000000000u + (uint64_t)(uint32_t)st.st_mtim.tv_nsec;
    if (file->size == 0) {
        return LFM2_OK;
    }
    void *p = mmap(NULL, (size_t)file->size, PROT_READ, MAP_PRIVATE, fd, 0);
    if (p == MAP_FAILED) {
        return lf_fail_errno(errno, "io.map", file->path, "cannot be mapped");
    }
    file->data = p;
    return LFM2_OK;
}

int32_t lf_file_open(const lf_alloc *alloc, const char *path, lf_file *out)
{
    lf_file file = {.alloc = alloc};
    size_t n = strlen(path) + 1;
    void *copy = NULL;
    LF_TRY(lf_new(alloc, n, 1, "path", &copy));
    memcpy(copy, path, n);
    file.path = copy;
    /* O_NONBLOCK: opening a FIFO or a device that waits for a partner must not hang */
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
    int32_t status = LFM2_OK;
    if (fd < 0) {
        status = lf_fail_errno(errno, "io.open", path, "cannot be opened");
    } else {
        status = map(fd, &file);
        close(fd);
    }
    if (status != LFM2_OK) {
        lf_free(alloc, copy, n, 1);
        return status;
    }
    *out = file;
    return LFM2_OK;
}

/* The mapped bytes, for calls that want them writable in type only. */
static void *address(const lf_file *file, uint64_t offset)
{
    return (void *)((uintptr_t)file->data + (uintptr_t)offset);
}

void lf_file_close(lf_file *file)
{
    if (file->data != NULL) {
        munmap(address(file, 0), (size_t)file->size);
    }
    if (file->path != NULL) {
        lf_free(file->alloc, file->path, strlen(file->path) + 1, 1);
    }
    *file = (lf_file){.data = NULL};
}

static uint64_t page_size(void)
{
    long n = sysconf(_SC_PAGESIZE);
    return n > 0 ? (uint64_t)n : 4096;
}

void lf_file_huge_pages(const lf_file *file)
{
    if (file->size > 0) {
        (void)madvise(address(file, 0), (size_t)file->size, MADV_HUGEPAGE);
    }
}

void lf_file_drop(const lf_file *file, uint64_t begin, uint64_t bytes)
{
    if (begin >= file->size || bytes == 0) {
        return;
    }
    uint64_t page = page_size();
    uint64_t end = file->size; /* the last page has no other owner */
    if (bytes < file->size - begin) {
        end = (begin + bytes) / page * page;
    }
    begin = (begin + page - 1) / page * page;
    if (begin < end) {
        (void)madvise(address(file, begin), (size_t)(end - begin), MADV_DONTNEED);
    }
}

/* ---- Reader ---- */

int32_t lf_read_bytes(lf_reader *r, const char *what, uint64_t n, const uint8_t **out)
{
    uint64_t rest = r->size - r->pos;
    if (n > rest) {
        return lf_fail(LFM2_E_FORMAT, r->code,
                       "%s: %s: offset 0x%llx: needs %llu bytes, the file has %llu more", r->file,
                       what, (unsigned long long)r->pos, (unsigned long long)n,
                       (unsigned long long)rest);
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
