/* SPDX-License-Identifier: Apache-2.0 */
/* A progress bar on standard error, if that is a terminal and the work takes a while. */
#ifndef LFM2_CLI_PROGRESS_H
#define LFM2_CLI_PROGRESS_H

#include "cli/support/output.h"

typedef struct progress {
    const char *label;
    double start; /* seconds */
    double shown; /* time of the last update; 0 = none */
    double left;  /* seconds until the end, which are shown; 0 = not known */
    bool enabled;
} progress;

void progress_begin(progress *bar, const char *label);

/* A progress callback of the library: `done` is 0..1, `user` the progress. Returns 1 (stop) after
 * Ctrl-C between interrupt_begin and interrupt_end. */
int32_t progress_update(void *user, double done);

/* Removes the bar. */
void progress_end(progress *bar);

#endif /* LFM2_CLI_PROGRESS_H */
