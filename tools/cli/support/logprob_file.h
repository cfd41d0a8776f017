/* SPDX-License-Identifier: Apache-2.0 */
/* A file of log-probabilities, which serves as a reference for comparisons.
 *
 * Format, little-endian: 8 bytes "LFM2KLD1"; u32 n_vocab, n_ctx, n_windows, type (0 = f32, 1 =
 * f16); i32 ids[n_windows][n_ctx]; then for each window the rows of the positions n_ctx / 2 ..
 * n_ctx - 2: n_vocab natural log-probabilities of the token after that position. */
#ifndef LFM2_CLI_KLFILE_H
#define LFM2_CLI_KLFILE_H

#include "cli/support/outfile.h"

enum { LOGPROB_F32 = 0, LOGPROB_F16 = 1 };

typedef struct logprob_header {
    uint32_t n_vocab, n_ctx, n_windows, type;
} logprob_header;

/* The number of rows of a window: the tokens that are scored. */
uint32_t logprob_rows(uint32_t n_ctx);

/* Functions that return int return EXIT_OK, or EXIT_FAILED after a message. */
int logprob_write_header(outfile *file, const logprob_header *header, const int32_t *ids);
int logprob_write_row(outfile *file, const logprob_header *header, const float *logprobs);

typedef struct logprob_reader {
    FILE *stream;
    const char *path;
    logprob_header header;
    int32_t *ids; /* [n_windows][n_ctx] */
    void *row;    /* one row in the type of the file */
} logprob_reader;

/* Opens a file, checks its header and size, and reads the ids. */
int logprob_open(const char *path, logprob_reader *out);
void logprob_close(logprob_reader *reader);

/* Reads the next row: n_vocab log-probabilities. */
int logprob_read_row(logprob_reader *reader, float *logprobs);

#endif /* LFM2_CLI_KLFILE_H */
