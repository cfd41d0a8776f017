/* SPDX-License-Identifier: Apache-2.0 */
/* A progress bar on stderr: only on a terminal, only for work that takes a while. */
#ifndef LFM2_TOOLS_PROGRESS_H
#define LFM2_TOOLS_PROGRESS_H

#include "cli/support/util.h"

typedef struct progress {
    const char *label;
    double start; /* seconds */
    double shown; /* when it was last drawn; 0 = never */
    bool wanted;
} progress;

void progress_begin(progress *bar, const char *label);

/* `done` in 0..1. Has the form of the library's progress callbacks; `user` is the progress. Returns
 * 1 (stop) after Ctrl-C, see interrupt.h. */
int32_t progress_update(void *user, double done);

/* Removes the bar. */
void progress_end(progress *bar);

#endif /* LFM2_TOOLS_PROGRESS_H */
