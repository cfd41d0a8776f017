/* SPDX-License-Identifier: Apache-2.0 */
/* Implements reading bytes once and in order, from a file or a descriptor. */
#include "common/file.h"

#include "common/os.h"

#include <errno.h>
#include <sys/stat.h>
#include <unistd.h>

void lf_input_of_file(const lf_file *file, lf_input *out)
{
    *out = (lf_input){.name = file->path, .left = file->size, .file = file, .fd = -1};
}

int32_t lf_input_of_fd(int fd, lf_input *out)
{
    *out = (lf_input){.left = UINT64_MAX, .fd = fd};
    const lf_origin origin = {.kind = LF_FROM_FD, .fd = fd};
    out->name = lf_origin_name(&origin, out->buffer);
    struct stat st;
    if (fstat(fd, &st) != 0) {
        return lf_fail_errno(errno, "io.stat", out->name, "cannot be examined");
    }
    if (S_ISDIR(st.st_mode)) {
        return lf_fail(LFM2_E_IO, "io.directory", "%s: is a directory", out->name);
    }
    if (S_ISREG(st.st_mode)) {
        off_t at = lseek(fd, 0, SEEK_CUR);
        if (at < 0) {
            return lf_fail_errno(errno, "io.seek", out->name, "has no position");
        }
        out->left = st.st_size > at ? (uint64_t)(st.st_size - at) : 0;
    }
    return LFM2_OK;
}

static int32_t read_fd(lf_input *input, uint8_t *buffer, size_t n, size_t *got)
{
    enum { MOST_READ = 1 << 30 };
    *got = 0;
    while (*got < n) {
        size_t step = n - *got < MOST_READ ? n - *got : MOST_READ;
        ssize_t now = read(input->fd, buffer + *got, step);
        if (now < 0 && errno == EINTR) {
            continue;
        }
        if (now < 0) {
            return lf_fail_errno(errno, "io.read", input->name, "cannot be read");
        }
        if (now == 0) {
            break;
        }
        *got += (size_t)now;
    }
    return LFM2_OK;
}

int32_t lf_input_read(lf_input *input, void *buffer, size_t n, size_t *got)
{
    if (input->file == NULL) {
        LF_TRY(read_fd(input, buffer, n, got));
    } else {
        size_t step = n < input->left ? n : (size_t)input->left;
        LF_TRY(lf_file_read(input->file, input->at, buffer, step));
        *got = step;
    }
    input->at += *got;
    if (input->left != UINT64_MAX) {
        input->left -= *got < input->left ? *got : input->left;
    }
    return LFM2_OK;
}

void lf_input_skip(lf_input *input, uint64_t n)
{
    n = n < input->left ? n : input->left;
    input->at += n;
    input->left -= n;
}
