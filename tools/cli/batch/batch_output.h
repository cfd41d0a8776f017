/* SPDX-License-Identifier: Apache-2.0 */
/* The output of `batch`: one line for each line of the input, written with one call each, so that a
 * process that is killed leaves at most one incomplete line. The id of a line tells which line of
 * the input it answers. */
#ifndef LFM2_CLI_BATCH_OUTPUT_H
#define LFM2_CLI_BATCH_OUTPUT_H

#include "cli/batch/batch_input.h"

#include "serve/json_out.h"

typedef struct batch_output {
    const char *path;
    int fd;            /* -1 = not open */
    bool is_regular;   /* what was written before is continued */
    uint8_t *done;     /* a bit for each line of the input that has been answered */
    size_t done_bytes; /* of `done` */
    uint64_t n_done;   /* bits that are set */
    uint64_t n_failed; /* lines of an earlier run that report an error */
    uint64_t sum;      /* of their hashes, to compare with those of the input */
    uint64_t last;     /* the highest line that is answered */
} batch_output;

/* All return EXIT_OK, or EXIT_FAILED after a message. `path` "-" is standard output. Opens the file
 * for this process alone, reads which lines it answers, and removes an incomplete last line. */
int batch_output_open(const char *path, batch_output *out);
void batch_output_close(batch_output *out);

/* Checks that what is in the file answers lines of this input, which belong to shard `shard` of
 * `n_shards`. Leaves the input at its first line. */
int batch_output_check(batch_output *out, batch_input *in, uint32_t shard, uint32_t n_shards);

bool batch_output_has(const batch_output *out, uint64_t number);

/* Writes "batch_req_HASH_NUMBER", the id of the answer to a line. */
enum { BATCH_ID_SIZE = 64 };
void batch_output_id(uint64_t number, uint64_t hash, char id[BATCH_ID_SIZE]);

/* Appends a line; `text` ends with a newline. */
int batch_output_line(batch_output *out, const char *text, size_t len);

/* Waits until the disk has everything. */
int batch_output_sync(batch_output *out);

#endif /* LFM2_CLI_BATCH_OUTPUT_H */
