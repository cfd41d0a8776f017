/* SPDX-License-Identifier: Apache-2.0 */
/* The output of `batch`: lines that are written whole, and what an earlier run has written. */
#include "cli/batch/batch_output.h"
#include "cli/support/interrupt.h"
#include "cli/support/system.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#define ID_START "{\"id\":\"batch_req_"
#define LARGEST  (UINT64_C(1) << 36) /* number of a line: its bit is at 8 GiB */

enum { HASH_DIGITS = 16 };

void batch_output_id(uint64_t number, uint64_t hash, char id[BATCH_ID_SIZE])
{
    snprintf(id, BATCH_ID_SIZE, "batch_req_%016" PRIx64 "_%" PRIu64, hash, number);
}

static int fail_errno(const batch_output *out, const char *what)
{
    return fail("cli.batch.output", "cannot %s %s: %s", what, out->path, strerror(errno));
}

/* ---- What an earlier run has written --------------------------------------------------------- */

bool batch_output_has(const batch_output *out, uint64_t number)
{
    return number / 8 < out->done_bytes && (out->done[number / 8] >> (number % 8) & 1) != 0;
}

static int set_done(batch_output *out, uint64_t number)
{
    size_t byte = (size_t)(number / 8);
    if (byte >= out->done_bytes) {
        size_t bytes = (byte + 1) * 2;
        uint8_t *grown = realloc(out->done, bytes);
        if (grown == NULL) {
            return fail("cli.memory", "out of memory for %zu bytes", bytes);
        }
        memset(grown + out->done_bytes, 0, bytes - out->done_bytes);
        out->done = grown;
        out->done_bytes = bytes;
    }
    out->done[byte] |= (uint8_t)(1U << (number % 8));
    out->n_done++;
    out->last = number > out->last ? number : out->last;
    return EXIT_OK;
}

/* Reads the id with which every line starts. */
static bool parse_id(const char *text, size_t len, uint64_t *hash, uint64_t *number)
{
    const size_t start = sizeof ID_START - 1;
    if (len < start + HASH_DIGITS + 1 || memcmp(text, ID_START, start) != 0 ||
        text[start + HASH_DIGITS] != '_') {
        return false;
    }
    size_t at = start;
    for (*hash = 0; at < start + HASH_DIGITS; at++) {
        const char *digits = "0123456789abcdef";
        const char *found = text[at] != 0 ? strchr(digits, text[at]) : NULL;
        if (found == NULL) {
            return false;
        }
        *hash = *hash << 4 | (uint64_t)(found - digits);
    }
    size_t first = ++at;
    for (*number = 0; at < len && text[at] >= '0' && text[at] <= '9'; at++) {
        *number = *number * 10 + (uint64_t)(text[at] - '0');
        if (*number > LARGEST) {
            return false;
        }
    }
    return at > first && at + 1 < len && text[at] == '"' && text[len - 1] == '}';
}

/* Whether the line reports an error: "response", which follows "custom_id", is null, or its status
 * is not 200. */
static bool reports_error(const char *text, size_t len)
{
    static const char key[] = "\"custom_id\":";
    static const char answered[] = ",\"response\":{\"status_code\":200,";
    size_t at = sizeof ID_START - 1;
    while (at < len && text[at] != ',') { /* behind the id */
        at++;
    }
    at += sizeof key;
    if (at < len && text[at] == '"') {
        for (at++; at < len && text[at] != '"'; at++) {
            at += text[at] == '\\';
        }
        at++;
    } else {
        at += 4; /* null */
    }
    return at > len || len - at < sizeof answered - 1 ||
           memcmp(text + at, answered, sizeof answered - 1) != 0;
}

static int read_earlier_line(batch_output *out, const batch_text *line)
{
    uint64_t hash = 0;
    uint64_t number = 0;
    if (line->too_long || !parse_id(line->text, line->len, &hash, &number) || number == 0) {
        return fail("cli.batch.output",
                    "%s: line %" PRIu64 " was not written by this command; name another output "
                    "file, or remove this one",
                    out->path, line->number);
    }
    if (batch_output_has(out, number)) {
        return fail("cli.batch.output",
                    "%s: line %" PRIu64 " answers line %" PRIu64 " of the input for a second time",
                    out->path, line->number, number);
    }
    out->sum += batch_mix(hash ^ batch_mix(number));
    out->n_failed += reports_error(line->text, line->len);
    return set_done(out, number);
}

/* Reads the lines of the file. *end receives the offset behind the last complete one. */
static int read_earlier(batch_output *out, off_t *end)
{
    batch_input in = {.fd = -1};
    int code = batch_input_open(out->path, &in);
    uint64_t offset = 0;
    uint64_t before = 0;
    while (code == EXIT_OK) {
        batch_text line;
        batch_next next = batch_input_next(&in, &line);
        if (next == BATCH_AT_END) {
            break;
        }
        if (next == BATCH_READ_MORE) {
            code = batch_input_read(&in);
            continue;
        }
        /* Blank lines are not written by this command. */
        if (line.number != ++before) {
            code = fail("cli.batch.output", "%s: line %" PRIu64 " is empty", out->path, before);
        } else if (line.bytes == line.len) {
            break; /* the last line has no end */
        } else {
            code = read_earlier_line(out, &line);
            offset += line.bytes;
        }
    }
    batch_input_close(&in);
    *end = (off_t)offset;
    return code;
}

static int continue_earlier(batch_output *out, off_t size)
{
    off_t end = 0;
    int code = read_earlier(out, &end);
    if (code == EXIT_OK && end < size) {
        notice("%s: the last line is incomplete and is written again", out->path);
        if (ftruncate(out->fd, end) != 0) {
            code = fail_errno(out, "shorten");
        }
    }
    return code;
}

/* A process that was killed has its lock until the system has freed its memory. Some network file
 * systems have no locks: then nothing protects the file. */
static bool lock(int fd)
{
    enum { TRIES = 100 };
    for (int i = 0; i < TRIES && !interrupt_seen(); i++) {
        if (flock(fd, LOCK_EX | LOCK_NB) == 0 || errno != EWOULDBLOCK) {
            return true;
        }
        wait_seconds(0.1);
    }
    return false;
}

int batch_output_open(const char *path, batch_output *out)
{
    struct stat info;
    *out = (batch_output){.path = path, .fd = -1};
    if (strcmp(path, "-") == 0) {
        out->path = "standard output";
        out->fd = dup(STDOUT_FILENO);
        return out->fd < 0 ? fail_errno(out, "open") : EXIT_OK;
    }
    out->fd = open(path, O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC, 0666);
    if (out->fd < 0 || fstat(out->fd, &info) != 0) {
        return fail_errno(out, "open");
    }
    out->is_regular = S_ISREG(info.st_mode);
    if (!out->is_regular) {
        return EXIT_OK;
    }
    if (!lock(out->fd)) {
        return fail("cli.batch.output", "%s: another process writes to it", path);
    }
    return fstat(out->fd, &info) != 0 ? fail_errno(out, "open")
                                      : continue_earlier(out, info.st_size);
}

void batch_output_close(batch_output *out)
{
    if (out->fd >= 0) {
        close(out->fd);
        out->fd = -1;
    }
    free(out->done);
    out->done = NULL;
    out->done_bytes = 0;
}

static int other_input(const batch_output *out, const batch_input *in)
{
    return fail("cli.batch.output",
                "%s does not belong to %s: it answers other lines; name another output file, or "
                "remove it",
                out->path, in->path);
}

/* Compares the lines of the input that are answered with those that were. */
static int compare_lines(const batch_output *out, batch_input *in, uint32_t shard,
                         uint32_t n_shards)
{
    uint64_t sum = 0;
    uint64_t n = 0;
    while (n < out->n_done) {
        batch_text line;
        batch_next next = batch_input_next(in, &line);
        if (next == BATCH_AT_END) {
            break;
        }
        if (next == BATCH_READ_MORE) {
            int code = batch_input_read(in);
            if (code != EXIT_OK) {
                return code;
            }
        } else if (batch_output_has(out, line.number)) {
            if (line.number % n_shards != shard) {
                return fail("cli.batch.output",
                            "%s belongs to another shard: it answers line %" PRIu64 " of %s",
                            out->path, line.number, in->path);
            }
            sum += batch_mix(line.hash ^ batch_mix(line.number));
            n++;
        }
    }
    return n == out->n_done && sum == out->sum ? EXIT_OK : other_input(out, in);
}

int batch_output_check(batch_output *out, batch_input *in, uint32_t shard, uint32_t n_shards)
{
    struct stat info;
    if (out->is_regular && in->is_regular && fstat(out->fd, &info) == 0 &&
        info.st_dev == in->device && info.st_ino == in->inode) {
        return fail("cli.batch.output", "%s is the input", out->path);
    }
    if (out->n_done == 0) {
        return EXIT_OK;
    }
    if (!in->is_regular) {
        return fail("cli.batch.output",
                    "%s has answers already, and %s cannot be read again to continue them; name "
                    "another output file, or remove it",
                    out->path, in->path);
    }
    int code = compare_lines(out, in, shard, n_shards);
    return code == EXIT_OK ? batch_input_rewind(in) : code;
}

/* ---- Writing -------------------------------------------------------------------------------- */

int batch_output_line(batch_output *out, const char *text, size_t len)
{
    size_t written = 0;
    while (written < len) {
        ssize_t n = write(out->fd, text + written, len - written);
        if (n > 0) {
            written += (size_t)n;
        } else if (n < 0 && errno != EINTR) {
            int reason = errno;
            if (out->is_regular && written > 0) {
                /* The disk is full: nothing incomplete stays. If that fails too, the next run
                 * removes it. */
                off_t size = lseek(out->fd, 0, SEEK_END);
                int ignored =
                    size >= (off_t)written ? ftruncate(out->fd, size - (off_t)written) : 0;
                (void)ignored;
            }
            errno = reason;
            return fail_errno(out, "write to");
        }
    }
    return EXIT_OK;
}

int batch_output_sync(batch_output *out)
{
    return out->is_regular && fdatasync(out->fd) != 0 ? fail_errno(out, "write to") : EXIT_OK;
}
