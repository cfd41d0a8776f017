/* SPDX-License-Identifier: Apache-2.0 */
/* Implements the writer: a temporary file next to the target, synced and renamed at the end; or a
 * descriptor or memory of the caller. */
#include "common/file.h"

#include "common/os.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum {
    BUFFER = 256 * 1024,
    SUFFIX = 48,  /* bytes for ".tmp-<pid>-<try>" */
    TRIES = 1000, /* killed processes may have left files with these names */
    LARGEST_WRITE = 1 << 30
};

struct lf_writer {
    lf_alloc alloc;
    uint32_t flags;
    int fd;            /* -1 once closed */
    bool is_temporary; /* the temporary file exists */
    bool is_foreign;   /* fd is the caller's */
    int32_t failed;    /* status of the first failure, which every later call returns */
    uint64_t offset;
    size_t used;       /* bytes in the buffer */
    size_t path_bytes; /* of path, with its 0; temporary has SUFFIX more */
    char *path;
    char *temporary;
    uint8_t *buffer;
    uint8_t *memory; /* the caller's; NULL: fd is used */
    size_t capacity; /* of memory */
};

static int32_t fail_io(lf_writer *w, int error, const char *code, const char *what)
{
    w->failed = lf_fail_errno(error, code, w->path, what);
    return w->failed;
}

static int32_t fail_again(const lf_writer *w)
{
    return lf_fail(w->failed, "io.write", "%s: %s", w->path,
                   w->failed == LFM2_E_STATE ? "already committed" : "an earlier write failed");
}

int32_t lf_writer_check(const char *path)
{
    struct stat st;
    if (path[0] == 0) {
        return lf_fail(LFM2_E_IO, "io.path", "the path of the output file is empty");
    }
    if (stat(path, &st) == 0 && !S_ISREG(st.st_mode)) {
        return lf_fail(LFM2_E_IO, "io.not_regular", "%s: exists and is not a regular file", path);
    }
    return LFM2_OK;
}

static int32_t open_temporary(lf_writer *w)
{
    for (int i = 0; i < TRIES; i++) {
        snprintf(w->temporary, w->path_bytes + SUFFIX, "%s.tmp-%ld-%d", w->path, (long)getpid(), i);
        w->fd = open(w->temporary, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOCTTY,
                     (w->flags & LF_WRITER_PRIVATE) != 0 ? 0600 : 0666);
        if (w->fd >= 0) {
            w->is_temporary = true;
            return LFM2_OK;
        }
        if (errno != EEXIST) {
            break;
        }
    }
    return lf_fail_errno(errno, "io.create", w->path, "cannot be created");
}

/* A writer without a target; its name in messages is `path`. */
static int32_t new_writer(const lf_alloc *alloc, const char *path, lf_writer **out)
{
    void *p = NULL;
    LF_TRY(lf_new_zero(alloc, 1, sizeof(lf_writer), "file writer", &p));
    lf_writer *w = p;
    w->alloc = *alloc;
    w->fd = -1;
    w->path_bytes = strlen(path) + 1;
    int32_t status = lf_new(alloc, w->path_bytes, 1, "path", &p);
    if (status != LFM2_OK) {
        lf_writer_free(w);
        return status;
    }
    w->path = p;
    memcpy(w->path, path, w->path_bytes);
    *out = w;
    return LFM2_OK;
}

int32_t lf_writer_create(const lf_alloc *alloc, const char *path, uint32_t flags, lf_writer **out)
{
    lf_writer *w = NULL;
    void *p = NULL;
    LF_TRY(lf_writer_check(path));
    LF_TRY(new_writer(alloc, path, &w));
    w->flags = flags;
    int32_t status = LFM2_OK;
    LF_TRY_DONE(lf_new(alloc, w->path_bytes + SUFFIX, 1, "path", &p));
    w->temporary = p;
    LF_TRY_DONE(lf_new(alloc, BUFFER, 1, "write buffer", &p));
    w->buffer = p;
    LF_TRY_DONE(open_temporary(w));
    *out = w;
    return LFM2_OK;
done:
    lf_writer_free(w);
    return status;
}

int32_t lf_writer_create_fd(const lf_alloc *alloc, int fd, const char *name, lf_writer **out)
{
    lf_writer *w = NULL;
    LF_TRY(new_writer(alloc, name, &w));
    void *p = NULL;
    int32_t status = lf_new(alloc, BUFFER, 1, "write buffer", &p);
    if (status != LFM2_OK) {
        lf_writer_free(w);
        return status;
    }
    w->buffer = p;
    w->fd = fd;
    w->is_foreign = true;
    *out = w;
    return LFM2_OK;
}

int32_t lf_writer_create_memory(const lf_alloc *alloc, void *memory, size_t capacity,
                                lf_writer **out)
{
    LF_TRY(new_writer(alloc, "<memory>", out));
    (*out)->memory = memory;
    (*out)->capacity = capacity;
    return LFM2_OK;
}

/* Writes without delivering SIGPIPE, which is raised also if the reader leaves after a part. */
static ssize_t write_quietly(int fd, const void *data, size_t bytes)
{
    sigset_t pipe_set;
    sigset_t before;
    sigset_t pending;
    sigemptyset(&pipe_set);
    sigaddset(&pipe_set, SIGPIPE);
    sigemptyset(&pending);
    sigpending(&pending);
    pthread_sigmask(SIG_BLOCK, &pipe_set, &before);
    ssize_t n = write(fd, data, bytes);
    int error = errno;
    if (sigismember(&pending, SIGPIPE) == 0) {
        const struct timespec now = {0};
        while (sigtimedwait(&pipe_set, NULL, &now) < 0 && errno == EINTR) {
        }
    }
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    errno = error;
    return n;
}

static int32_t put(lf_writer *w, const uint8_t *data, size_t bytes)
{
    while (bytes > 0) {
        size_t step = bytes < LARGEST_WRITE ? bytes : LARGEST_WRITE;
        ssize_t n = w->is_foreign ? write_quietly(w->fd, data, step) : write(w->fd, data, step);
        if (n < 0 && errno == EINTR) {
            continue;
        }
        if (n <= 0) {
            return fail_io(w, n < 0 ? errno : EIO, "io.write", "cannot be written");
        }
        data += n;
        bytes -= (size_t)n;
    }
    return LFM2_OK;
}

static int32_t flush(lf_writer *w)
{
    size_t n = w->used;
    w->used = 0;
    return put(w, w->buffer, n);
}

static int32_t put_memory(lf_writer *w, const void *data, size_t bytes)
{
    if (bytes > w->capacity - w->offset) {
        w->failed = lf_fail(LFM2_E_INTERNAL, "io.capacity", "%s: too small", w->path);
        return w->failed;
    }
    if (bytes > 0) {
        memcpy(w->memory + w->offset, data, bytes);
    }
    w->offset += bytes;
    return LFM2_OK;
}

int32_t lf_writer_write(lf_writer *writer, const void *data, size_t bytes)
{
    if (writer->failed != LFM2_OK) {
        return fail_again(writer);
    }
    if (writer->memory != NULL) {
        return put_memory(writer, data, bytes);
    }
    writer->offset += bytes;
    if (bytes > BUFFER - writer->used) {
        LF_TRY(flush(writer));
    }
    if (bytes >= BUFFER) {
        return put(writer, data, bytes);
    }
    if (bytes > 0) {
        memcpy(writer->buffer + writer->used, data, bytes);
        writer->used += bytes;
    }
    return LFM2_OK;
}

int32_t lf_writer_zeros(lf_writer *writer, uint64_t bytes)
{
    static const uint8_t zeros[4096];
    while (bytes > 0) {
        size_t n = bytes < sizeof zeros ? (size_t)bytes : sizeof zeros;
        LF_TRY(lf_writer_write(writer, zeros, n));
        bytes -= n;
    }
    return LFM2_OK;
}

uint64_t lf_writer_offset(const lf_writer *writer)
{
    return writer->offset;
}

/* Makes the rename durable. Some file systems cannot sync a directory: that is not an error,
 * because the file itself is synced. */
static void sync_directory(lf_writer *w)
{
    char *slash = strrchr(w->temporary, '/');
    const char *directory = ".";
    if (slash == w->temporary) {
        directory = "/";
    } else if (slash != NULL) {
        *slash = '\0';
        directory = w->temporary;
    }
    int fd = open(directory, O_RDONLY | O_CLOEXEC | O_DIRECTORY);
    if (fd >= 0) {
        (void)fsync(fd);
        close(fd);
    }
}

/* Gives the temporary file its name. */
static int32_t publish(lf_writer *w)
{
    bool sync = (w->flags & LF_WRITER_NO_SYNC) == 0;
    if (sync && fsync(w->fd) != 0) {
        return fail_io(w, errno, "io.sync", "cannot be written");
    }
    int closed = close(w->fd);
    w->fd = -1;
    if (closed != 0 && errno != EINTR) {
        return fail_io(w, errno, "io.close", "cannot be written");
    }
    if (rename(w->temporary, w->path) != 0) {
        return fail_io(w, errno, "io.rename", "cannot be renamed to this name");
    }
    w->is_temporary = false;
    if (sync) {
        sync_directory(w);
    }
    return LFM2_OK;
}

int32_t lf_writer_commit(lf_writer *writer)
{
    if (writer->failed != LFM2_OK) {
        return fail_again(writer);
    }
    LF_TRY(flush(writer));
    if (writer->is_temporary) {
        LF_TRY(publish(writer));
    }
    writer->failed = LFM2_E_STATE; /* later writes fail */
    return LFM2_OK;
}

void lf_writer_free(lf_writer *writer)
{
    if (writer == NULL) {
        return;
    }
    if (writer->fd >= 0 && !writer->is_foreign) {
        close(writer->fd);
    }
    if (writer->is_temporary) {
        unlink(writer->temporary);
    }
    lf_alloc alloc = writer->alloc;
    lf_free(&alloc, writer->buffer, BUFFER, 1);
    lf_free(&alloc, writer->temporary, writer->path_bytes + SUFFIX, 1);
    lf_free(&alloc, writer->path, writer->path_bytes, 1);
    lf_free(&alloc, writer, 1, sizeof *writer);
}
