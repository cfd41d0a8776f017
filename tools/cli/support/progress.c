/* SPDX-License-Identifier: Apache-2.0 */
/* A progress bar on stderr: only on a terminal, only for work that takes a while. */
#include "cli/support/progress.h"
#include "cli/support/interrupt.h"

#include <stdio.h>
#include <unistd.h>

static const double quiet_seconds = 0.7; /* shorter work shows nothing */
static const double step_seconds = 0.1;

void progress_begin(progress *bar, const char *label)
{
    *bar = (progress){.label = label, .start = now_seconds(), .wanted = isatty(STDERR_FILENO) == 1};
}

int32_t progress_update(void *user, double done)
{
    enum { CELLS = 40 };
    progress *bar = user;
    double now = now_seconds();
    if (bar->wanted && now - bar->start > quiet_seconds && now - bar->shown > step_seconds) {
        double part = done < 0 ? 0 : done > 1 ? 1 : done;
        int full = (int)(part * (double)CELLS);
        fprintf(stderr, "\r%s [%.*s%*s] %3d%%", bar->label, full,
                "########################################", CELLS - full, "", (int)(part * 100));
        fflush(stderr);
        bar->shown = now;
    }
    return interrupt_seen() ? 1 : 0;
}

void progress_end(progress *bar)
{
    if (bar->shown > 0) {
        fputs("\r\033[K", stderr);
        bar->shown = 0;
    }
}
