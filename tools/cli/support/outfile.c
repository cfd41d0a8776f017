/* SPDX-License-Identifier: Apache-2.0 */
/* Files the program writes itself: complete or not at all. */
#include "cli/support/outfile.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static int fail_errno(const char *path)
{
    return fail("cli.output", "%s: %s", path, strerror(errno));
}

/* A link counts as something special: renaming would replace the link, not its target. */
static bool is_special(const char *path)
{
    struct stat info;
    return lstat(path, &info) == 0 && !S_ISREG(info.st_mode);
}

int outfile_check(const char *path)
{
    struct stat info;
    if (stat(path, &info) == 0 && !S_ISREG(info.st_mode)) {
        return fail("cli.output", "%s: exists and is not a regular file", path);
    }
    return EXIT_OK;
}

int outfile_open(const char *path, outfile *out)
{
    *out = (outfile){.path = path};
    if (is_special(path)) {
        out->stream = fopen(path, "wb");
        return out->stream != NULL ? EXIT_OK : fail_errno(path);
    }
    size_t size = strlen(path) + 32;
    out->temporary = malloc(size);
    if (out->temporary == NULL) {
        return fail("cli.memory", "out of memory");
    }
    snprintf(out->temporary, size, "%s.%ld.tmp", path, (long)getpid());
    int fd = open(out->temporary, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0666);
    out->stream = fd >= 0 ? fdopen(fd, "wb") : NULL;
    if (out->stream == NULL) {
        int code = fail_errno(out->temporary);
        if (fd >= 0) {
            close(fd);
            unlink(out->temporary);
        }
        free(out->temporary);
        out->temporary = NULL;
        return code;
    }
    return EXIT_OK;
}

int outfile_write(outfile *file, const void *data, size_t bytes)
{
    return fwrite(data, 1, bytes, file->stream) == bytes ? EXIT_OK : fail_errno(file->path);
}

int outfile_commit(outfile *file)
{
    bool direct = file->temporary == NULL;
    bool flushed = fflush(file->stream) == 0 && (direct || fsync(fileno(file->stream)) == 0);
    int code = flushed ? EXIT_OK : fail_errno(file->path);
    bool closed = fclose(file->stream) == 0;
    file->stream = NULL;
    if (code == EXIT_OK && !closed) {
        code = fail_errno(file->path);
    }
    if (code == EXIT_OK && !direct && rename(file->temporary, file->path) != 0) {
        code = fail_errno(file->path);
    }
    if (code == EXIT_OK) {
        free(file->temporary);
        file->temporary = NULL;
    }
    return code;
}

void outfile_discard(outfile *file)
{
    if (file->stream != NULL) {
        fclose(file->stream);
        file->stream = NULL;
    }
    if (file->temporary != NULL) {
        unlink(file->temporary);
        free(file->temporary);
        file->temporary = NULL;
    }
}
