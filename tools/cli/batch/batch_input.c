/* SPDX-License-Identifier: Apache-2.0 */
/* The input of `batch`: lines of a file or a pipe, one at a time, in bounded memory. */
#include "cli/batch/batch_input.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum {
    READ_BYTES = 1 << 20,
    KEPT = 4096 /* bytes of a line that is too long, for messages */
};

uint64_t batch_hash(uint64_t hash, const char *text, size_t len)
{
    for (size_t i = 0; i < len; i++) {
        hash = (hash ^ (unsigned char)text[i]) * UINT64_C(0x100000001b3);
    }
    return hash;
}

uint64_t batch_mix(uint64_t value)
{
    value = (value ^ (value >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
    value = (value ^ (value >> 27)) * UINT64_C(0x94d049bb133111eb);
    return value ^ (value >> 31);
}

int batch_input_open(const char *path, batch_input *in)
{
    *in = (batch_input){.path = path, .fd = -1, .hash = BATCH_HASH_START};
    if (strcmp(path, "-") == 0) {
        in->path = "standard input";
        in->fd = dup(STDIN_FILENO);
    } else {
        in->fd = open(path, O_RDONLY | O_CLOEXEC);
    }
    struct stat info;
    if (in->fd < 0 || fstat(in->fd, &info) != 0) {
        return fail("cli.batch.input", "cannot open %s: %s", in->path, strerror(errno));
    }
    if (S_ISDIR(info.st_mode)) {
        return fail("cli.batch.input", "%s is a folder", in->path);
    }
    in->is_regular = S_ISREG(info.st_mode);
    in->size = in->is_regular ? (uint64_t)info.st_size : 0;
    in->device = info.st_dev;
    in->inode = info.st_ino;
    return EXIT_OK;
}

void batch_input_close(batch_input *in)
{
    if (in->fd >= 0) {
        close(in->fd);
        in->fd = -1;
    }
    text_free(&in->data);
}

int batch_input_rewind(batch_input *in)
{
    if (lseek(in->fd, 0, SEEK_SET) != 0) {
        return fail("cli.batch.input", "cannot rewind %s: %s", in->path, strerror(errno));
    }
    in->number = 0;
    in->data.len = in->start = in->scanned = 0;
    in->dropped = 0;
    in->hash = BATCH_HASH_START;
    in->at_end = false;
    return EXIT_OK;
}

int batch_input_read(batch_input *in)
{
    /* What is taken makes room; the rest, part of a line, moves to the front. */
    if (in->start > 0) {
        memmove(in->data.data, in->data.data + in->start, in->data.len - in->start);
        in->data.len -= in->start;
        in->scanned -= in->start;
        in->start = 0;
    }
    if (in->data.len > (size_t)BATCH_LINE_LIMIT) {
        /* No end of line is in it. The hash covers what is dropped, and the bytes that stay. */
        size_t hashed = in->dropped == 0 ? 0 : KEPT;
        in->hash = batch_hash(in->dropped == 0 ? BATCH_HASH_START : in->hash,
                              in->data.data + hashed, in->data.len - hashed);
        in->dropped += in->data.len - KEPT;
        in->data.len = in->scanned = KEPT;
    }
    int code = text_reserve(&in->data, READ_BYTES);
    if (code != EXIT_OK) {
        return code;
    }
    ssize_t got = read(in->fd, in->data.data + in->data.len, READ_BYTES);
    if (got < 0) {
        return errno == EINTR || errno == EAGAIN
                   ? EXIT_OK
                   : fail("cli.batch.input", "cannot read %s: %s", in->path, strerror(errno));
    }
    in->data.len += (size_t)got;
    in->at_end = got == 0;
    return EXIT_OK;
}

/* Describes the line data[start..end), whose end takes `end_bytes`, and takes it. */
static void take(batch_input *in, size_t end, size_t end_bytes, batch_text *line)
{
    const char *text = in->data.data + in->start;
    size_t len = end - in->start;
    *line = (batch_text){.text = text,
                         .len = len,
                         .bytes = len + end_bytes + (size_t)in->dropped,
                         .number = ++in->number,
                         .too_long = in->dropped > 0 || len > (size_t)BATCH_LINE_LIMIT};
    if (in->dropped > 0) {
        line->hash = batch_hash(in->hash, text + KEPT, len - KEPT);
    } else {
        if (len > 0 && text[len - 1] == '\r') {
            line->len--;
        }
        if (line->number == 1 && line->len >= 3 && memcmp(text, "\xef\xbb\xbf", 3) == 0) {
            line->text += 3; /* a byte order mark */
            line->len -= 3;
        }
        line->hash = batch_hash(BATCH_HASH_START, line->text, line->len);
    }
    in->start = in->scanned = end + end_bytes;
    in->dropped = 0;
}

static bool is_blank(const batch_text *line)
{
    for (size_t i = 0; i < line->len; i++) {
        if (line->text[i] != ' ' && line->text[i] != '\t') {
            return false;
        }
    }
    return !line->too_long;
}

batch_next batch_input_next(batch_input *in, batch_text *line)
{
    for (;;) {
        const char *found = NULL;
        if (in->scanned < in->data.len) {
            found = memchr(in->data.data + in->scanned, '\n', in->data.len - in->scanned);
        }
        if (found != NULL) {
            take(in, (size_t)(found - in->data.data), 1, line);
        } else if (!in->at_end) {
            in->scanned = in->data.len;
            return BATCH_READ_MORE;
        } else if (in->start < in->data.len) {
            take(in, in->data.len, 0, line);
        } else {
            return BATCH_AT_END;
        }
        if (!is_blank(line)) {
            return BATCH_TAKEN;
        }
    }
}
