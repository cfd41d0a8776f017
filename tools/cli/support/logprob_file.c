/* SPDX-License-Identifier: Apache-2.0 */
/* A file of log-probabilities, which serves as a reference for comparisons. */
#include "cli/support/logprob_file.h"

#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

static const char magic[8] = {'L', 'F', 'M', '2', 'K', 'L', 'D', '1'};

enum { LOGPROB_FIELD_LIMIT = 1 << 20 };

uint32_t logprob_rows(uint32_t n_ctx)
{
    return n_ctx - n_ctx / 2 - 1;
}

/* Converts a log-probability, which is at most 0, to f16. Values out of range become the most
 * negative one. */
static uint16_t to_half(float value)
{
    float size = fabsf(value);
    int exponent = 0;
    if (!(size < 65504.0F)) {
        return 0xfbff;
    }
    if (size == 0.0F) {
        return 0x8000;
    }
    frexpf(size, &exponent); /* size = 0.5..1 * 2^exponent */
    int step = exponent - 11 < -24 ? -24 : exponent - 11;
    uint32_t units = (uint32_t)lrintf(ldexpf(size, -step));
    /* size is units * 2^step. The implicit bit of units adds 1 to the exponent field. */
    uint32_t bits = units + ((uint32_t)(step + 24) << 10);
    return (uint16_t)(0x8000U | bits);
}

static float from_half(uint16_t half)
{
    int exponent = half >> 10 & 31;
    float units = (float)(half & 1023);
    float size = exponent == 0 ? ldexpf(units, -24) : ldexpf(units + 1024.0F, exponent - 25);
    return (half & 0x8000) != 0 ? -size : size;
}

static size_t value_bytes(const logprob_header *header)
{
    return header->type == LOGPROB_F16 ? sizeof(uint16_t) : sizeof(float);
}

int logprob_write_header(outfile *file, const logprob_header *header, const int32_t *ids)
{
    const uint32_t fields[4] = {header->n_vocab, header->n_ctx, header->n_windows, header->type};
    size_t n_ids = (size_t)header->n_windows * header->n_ctx;
    int code = outfile_write(file, magic, sizeof magic);
    if (code == EXIT_OK) {
        code = outfile_write(file, fields, sizeof fields);
    }
    return code == EXIT_OK ? outfile_write(file, ids, n_ids * sizeof *ids) : code;
}

int logprob_write_row(outfile *file, const logprob_header *header, const float *logprobs)
{
    if (header->type == LOGPROB_F32) {
        return outfile_write(file, logprobs, header->n_vocab * sizeof *logprobs);
    }
    int code = EXIT_OK;
    for (uint32_t start = 0; start < header->n_vocab && code == EXIT_OK;) {
        uint16_t halves[512];
        uint32_t n = 0;
        for (; n < COUNT(halves) && start < header->n_vocab; n++, start++) {
            halves[n] = to_half(logprobs[start]);
        }
        code = outfile_write(file, halves, n * sizeof halves[0]);
    }
    return code;
}

static int fail_format(const logprob_reader *reader, const char *what)
{
    return fail("cli.kl.format", "%s: %s", reader->path, what);
}

static int read_all(logprob_reader *reader, void *data, size_t bytes)
{
    if (fread(data, 1, bytes, reader->stream) == bytes) {
        return EXIT_OK;
    }
    return ferror(reader->stream) != 0 ? fail("cli.input", "%s: %s", reader->path, strerror(errno))
                                       : fail_format(reader, "the file is truncated");
}

static int check_header(logprob_reader *reader)
{
    const logprob_header *h = &reader->header;
    struct stat info;
    if (h->n_vocab < 2 || h->n_vocab > LOGPROB_FIELD_LIMIT || h->n_ctx < 4 ||
        h->n_ctx > LOGPROB_FIELD_LIMIT || h->n_windows == 0 || h->n_windows > LOGPROB_FIELD_LIMIT ||
        h->type > LOGPROB_F16) {
        return fail_format(reader, "a field of the header is out of range");
    }
    /* The limits keep these products below 2^63. */
    uint64_t ids = (uint64_t)h->n_windows * h->n_ctx * sizeof(int32_t);
    uint64_t rows = (uint64_t)h->n_windows * logprob_rows(h->n_ctx);
    uint64_t row_bytes = h->n_vocab * value_bytes(h);
    if (fstat(fileno(reader->stream), &info) != 0) {
        return fail("cli.input", "%s: %s", reader->path, strerror(errno));
    }
    uint64_t left = (uint64_t)info.st_size - sizeof magic - 4 * sizeof(uint32_t);
    if (ids > left || rows != (left - ids) / row_bytes || (left - ids) % row_bytes != 0) {
        return fail_format(reader, "the size of the file does not match its header");
    }
    return EXIT_OK;
}

static int read_ids(logprob_reader *reader)
{
    const logprob_header *h = &reader->header;
    size_t n = (size_t)h->n_windows * h->n_ctx;
    reader->ids = malloc(n * sizeof *reader->ids);
    reader->row = malloc(h->n_vocab * value_bytes(h));
    if (reader->ids == NULL || reader->row == NULL) {
        return fail("cli.memory", "out of memory");
    }
    int code = read_all(reader, reader->ids, n * sizeof *reader->ids);
    for (size_t i = 0; i < n && code == EXIT_OK; i++) {
        if (reader->ids[i] < 0 || (uint32_t)reader->ids[i] >= h->n_vocab) {
            code = fail_format(reader, "a token id is not in the vocabulary");
        }
    }
    return code;
}

int logprob_open(const char *path, logprob_reader *out)
{
    char start[8];
    uint32_t fields[4];
    *out = (logprob_reader){.stream = fopen(path, "rb"), .path = path};
    if (out->stream == NULL) {
        return fail("cli.input", "%s: %s", path, strerror(errno));
    }
    int code = read_all(out, start, sizeof start);
    if (code == EXIT_OK && memcmp(start, magic, sizeof magic) != 0) {
        code = fail_format(out, "not a file that --save-logits wrote");
    }
    if (code == EXIT_OK) {
        code = read_all(out, fields, sizeof fields);
    }
    if (code == EXIT_OK) {
        out->header = (logprob_header){fields[0], fields[1], fields[2], fields[3]};
        code = check_header(out);
    }
    return code == EXIT_OK ? read_ids(out) : code;
}

void logprob_close(logprob_reader *reader)
{
    if (reader->stream != NULL) {
        fclose(reader->stream);
    }
    free(reader->ids);
    free(reader->row);
    *reader = (logprob_reader){0};
}

int logprob_read_row(logprob_reader *reader, float *logprobs)
{
    const logprob_header *h = &reader->header;
    int code = read_all(reader, reader->row, h->n_vocab * value_bytes(h));
    if (code != EXIT_OK) {
        return code;
    }
    if (h->type == LOGPROB_F32) {
        memcpy(logprobs, reader->row, h->n_vocab * sizeof *logprobs);
        return EXIT_OK;
    }
    const uint16_t *halves = reader->row;
    for (uint32_t i = 0; i < h->n_vocab; i++) {
        logprobs[i] = from_half(halves[i]);
    }
    return EXIT_OK;
}
