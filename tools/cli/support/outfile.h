/* SPDX-License-Identifier: Apache-2.0 */
/* Output files of the program. */
#ifndef LFM2_CLI_OUTFILE_H
#define LFM2_CLI_OUTFILE_H

#include "cli/support/output.h"

#include "common/file.h"

#include <stdio.h>

/* A regular file appears complete or not at all: it is written under a temporary name and renamed
 * at the end. A device, pipe or link is written directly, because renaming would replace it. */
typedef struct outfile {
    const char *path;
    lf_writer *writer; /* of a regular file */
    FILE *stream;      /* of anything else */
} outfile;

/* All return EXIT_OK, or EXIT_FAILED after a message; only outfile_discard may follow a failure. */
int outfile_open(const char *path, outfile *out);

/* The same for a file that only its owner may read. It is regular: a link is replaced, and anything
 * else is an error. */
int outfile_open_private(const char *path, outfile *out);

int outfile_write(outfile *file, const void *data, size_t bytes);
int outfile_commit(outfile *file);

/* Closes the file and removes it unless it was committed. Harmless after a commit. */
void outfile_discard(outfile *file);

/* For files that the library writes: fails if `path` exists and is not a regular file. */
int outfile_check(const char *path);

#endif /* LFM2_CLI_OUTFILE_H */
