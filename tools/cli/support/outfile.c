/* SPDX-License-Identifier: Apache-2.0 */
/* Writes output files: regular ones through the library's writer, others directly. */
#include "cli/support/outfile.h"

#include <errno.h>
#include <string.h>
#include <sys/stat.h>

static int fail_errno(const char *path)
{
    return fail("cli.output", "%s: %s", path, strerror(errno));
}

/* The failure of lf_writer, which names the file. */
static int fail_writer(int32_t status)
{
    return status == LFM2_OK ? EXIT_OK : fail("cli.output", "%s", lf_fail_text());
}

/* A link counts as special: renaming would replace the link, not its target. */
static bool is_special(const char *path)
{
    struct stat info;
    return lstat(path, &info) == 0 && !S_ISREG(info.st_mode);
}

int outfile_check(const char *path)
{
    return fail_writer(lf_writer_check(path));
}

int outfile_open(const char *path, outfile *out)
{
    *out = (outfile){.path = path};
    if (is_special(path)) {
        out->stream = fopen(path, "wb");
        return out->stream != NULL ? EXIT_OK : fail_errno(path);
    }
    lf_alloc alloc = lf_alloc_default();
    return fail_writer(lf_writer_create(&alloc, path, 0, &out->writer));
}

int outfile_open_private(const char *path, outfile *out)
{
    lf_alloc alloc = lf_alloc_default();
    *out = (outfile){.path = path};
    return fail_writer(lf_writer_create(&alloc, path, LF_WRITER_PRIVATE, &out->writer));
}

int outfile_write(outfile *file, const void *data, size_t bytes)
{
    if (file->writer != NULL) {
        return fail_writer(lf_writer_write(file->writer, data, bytes));
    }
    return fwrite(data, 1, bytes, file->stream) == bytes ? EXIT_OK : fail_errno(file->path);
}

int outfile_commit(outfile *file)
{
    if (file->writer != NULL) {
        return fail_writer(lf_writer_commit(file->writer));
    }
    bool closed = fclose(file->stream) == 0;
    file->stream = NULL;
    return closed ? EXIT_OK : fail_errno(file->path);
}

void outfile_discard(outfile *file)
{
    lf_writer_free(file->writer);
    file->writer = NULL;
    if (file->stream != NULL) {
        fclose(file->stream);
        file->stream = NULL;
    }
}
