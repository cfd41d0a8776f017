/* SPDX-License-Identifier: Apache-2.0 */
/* Log-probabilities of a reference run, kept in a file for comparisons.
 *
 * Little-endian: 8 bytes "LFM2KLD1"; u32 n_vocab, n_ctx, n_windows, type (0 = f32, 1 = f16); i32
 * ids[n_windows][n_ctx]; then for each window the rows of the positions n_ctx / 2 .. n_ctx - 2:
 * n_vocab natural log-probabilities of the token after that position. */
#ifndef LFM2_TOOLS_KLFILE_H
#define LFM2_TOOLS_KLFILE_H

#include "cli/support/outfile.h"

enum { KL_F32 = 0, KL_F16 = 1 };

typedef struct kl_header {
    uint32_t n_vocab, n_ctx, n_windows, type;
} kl_header;

/* Rows of one window. */
uint32_t kl_rows(uint32_t n_ctx);

/* Everything returns EXIT_OK, or EXIT_FAILED after a message. */
int kl_write_header(outfile *file, const kl_header *header, const int32_t *ids);
int kl_write_row(outfile *file, const kl_header *header, const float *logprobs);

typedef struct kl_reader {
    FILE *stream;
    const char *path;
    kl_header header;
    int32_t *ids; /* [n_windows][n_ctx] */
    void *row;    /* one row as stored */
} kl_reader;

/* Checks the header against the size of the file and the ids against n_vocab. */
int kl_open(const char *path, kl_reader *out);
void kl_close(kl_reader *reader);

/* The next row: n_vocab log-probabilities. */
int kl_read_row(kl_reader *reader, float *logprobs);

#endif /* LFM2_TOOLS_KLFILE_H */
