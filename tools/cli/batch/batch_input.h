/* SPDX-License-Identifier: Apache-2.0 */
/* The input of `batch`: lines of a file or a pipe, one at a time, in bounded memory. */
#ifndef LFM2_CLI_BATCH_INPUT_H
#define LFM2_CLI_BATCH_INPUT_H

#include "cli/support/text.h"

#include <sys/types.h>

enum { BATCH_LINE_LIMIT = 64 << 20 }; /* bytes of a line; longer ones are not kept */

typedef struct batch_input {
    const char *path;
    int fd;          /* -1 = not open */
    bool is_regular; /* its size is known, and it can be read twice */
    uint64_t size;   /* of a regular file */
    dev_t device;
    ino_t inode;
    uint64_t number;  /* of the last line that was taken, from 1 */
    text_buffer data; /* what was read: data.data[start..data.len) is not taken yet */
    size_t start, scanned;
    uint64_t dropped; /* bytes of the current line that were too many to keep */
    uint64_t hash;    /* of these */
    bool at_end;      /* of the file */
} batch_input;

typedef struct batch_text {
    const char *text; /* valid until the next call; without the end of the line */
    size_t len;
    size_t bytes; /* with the end of the line */
    uint64_t number;
    uint64_t hash; /* of the text */
    bool too_long; /* `text` is only its beginning */
} batch_text;

typedef enum batch_next { BATCH_TAKEN, BATCH_READ_MORE, BATCH_AT_END } batch_next;

/* All but batch_input_next return EXIT_OK, or EXIT_FAILED after a message. `path` "-" is standard
 * input. */
int batch_input_open(const char *path, batch_input *in);
void batch_input_close(batch_input *in);

/* Starts again with the first line of a regular file. */
int batch_input_rewind(batch_input *in);

/* Reads once from the file; may block. */
int batch_input_read(batch_input *in);

/* Takes the next line that is not blank, if it has been read. */
batch_next batch_input_next(batch_input *in, batch_text *line);

/* FNV-1a, to identify lines. */
#define BATCH_HASH_START UINT64_C(0xcbf29ce484222325)
uint64_t batch_hash(uint64_t hash, const char *text, size_t len);

/* A bijection that changes half of the bits if one changes. */
uint64_t batch_mix(uint64_t value);

#endif /* LFM2_CLI_BATCH_INPUT_H */
