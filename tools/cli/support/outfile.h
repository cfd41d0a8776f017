/* SPDX-License-Identifier: Apache-2.0 */
/* Files the program writes itself: complete or not at all. */
#ifndef LFM2_TOOLS_OUTFILE_H
#define LFM2_TOOLS_OUTFILE_H

#include "cli/support/output.h"

#include <stdio.h>

/* Written next to the target and renamed into place at the end. A target that is there and is no
 * regular file (a device, a pipe, a link) is written directly: it must not be replaced. */
typedef struct outfile {
    FILE *stream;
    const char *path;
    char *temporary; /* NULL when written directly */
} outfile;

/* All return EXIT_OK, or EXIT_FAILED after a message; then nothing is left to clean up except by
 * outfile_discard. */
int outfile_open(const char *path, outfile *out);
int outfile_write(outfile *file, const void *data, size_t bytes);
int outfile_commit(outfile *file);

/* Gives up what was not committed. Harmless after commit. */
void outfile_discard(outfile *file);

/* For targets that the library writes: refuses one that is there and is not a regular file. */
int outfile_check(const char *path);

#endif /* LFM2_TOOLS_OUTFILE_H */
