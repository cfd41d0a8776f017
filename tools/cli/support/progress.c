/* SPDX-License-Identifier: Apache-2.0 */
/* A progress bar on standard error, if that is a terminal and the work takes a while. */
#include "cli/support/progress.h"
#include "cli/support/interrupt.h"
#include "cli/support/system.h"

#include <stdio.h>
#include <unistd.h>

static const double delay_seconds = 0.7; /* shorter work shows no bar */
static const double update_seconds = 0.1;

void progress_begin(progress *bar, const char *label)
{
    *bar =
        (progress){.label = label, .start = now_seconds(), .enabled = isatty(STDERR_FILENO) == 1};
}

/* "  1:05:09 left"; the blanks cover the end of a longer one */
static void print_left(double seconds)
{
    static const double most = 359999; /* 99:59:59 */
    uint32_t left = (uint32_t)(seconds < most ? seconds + 0.5 : most);
    if (left >= 3600) {
        fprintf(stderr, "  %u:%02u:%02u left  ", left / 3600, left / 60 % 60, left % 60);
    } else {
        fprintf(stderr, "  %u:%02u left  ", left / 60, left % 60);
    }
}

int32_t progress_update(void *user, double done)
{
    enum { CELLS = 40 };
    progress *bar = user;
    double now = now_seconds();
    if (bar->enabled && now - bar->start > delay_seconds && now - bar->shown > update_seconds) {
        double fraction = done < 0 ? 0 : done > 1 ? 1 : done;
        int full = (int)(fraction * (double)CELLS);
        fprintf(stderr, "\r%s [%.*s%*s] %3d%%", bar->label, full,
                "########################################", CELLS - full, "",
                (int)(fraction * 100));
        if (bar->left > 0) {
            print_left(bar->left);
        }
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
