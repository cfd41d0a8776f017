/* SPDX-License-Identifier: Apache-2.0 */
/* Prints what was measured of prefetch policies. */
#include "cli/support/prefetch_report.h"

#include "cli/support/output.h"

#include "lfm2_tools.h"

#include <stdio.h>
#include <string.h>

enum { MOST_POLICIES = 16 };

/* The policies of one format and number of rows. */
typedef struct comparison {
    lfm2_prefetch_info policies[MOST_POLICIES];
    uint32_t n;
} comparison;

/* Entries from `index` on; returns the index after them. */
static uint32_t collect(const lfm2_runtime *runtime, uint32_t index, comparison *c)
{
    for (c->n = 0; c->n < MOST_POLICIES; c->n++, index++) {
        lfm2_prefetch_info *info = &c->policies[c->n];
        *info = (lfm2_prefetch_info){.size = sizeof *info};
        if (lfm2_prefetch_get(runtime, index, info) != LFM2_OK ||
            strcmp(info->format, c->policies[0].format) != 0 ||
            info->least_rows != c->policies[0].least_rows) {
            break;
        }
    }
    return index;
}

static void print(const comparison *c)
{
    char others[512] = "";
    char rows[32];
    size_t used = 0;
    const lfm2_prefetch_info *first = &c->policies[0];
    const lfm2_prefetch_info *chosen = NULL;
    for (uint32_t i = 0; i < c->n; i++) {
        const lfm2_prefetch_info *info = &c->policies[i];
        if (info->chosen != 0) {
            chosen = info;
        }
        used = append_format(others, sizeof others, used, "%s%s %.1f (+%.0f%%)", i > 0 ? ", " : "",
                             info->policy, info->bytes_per_second * 1e-9,
                             (info->relative_time - 1) * 100);
    }
    if (first->most_rows == first->least_rows) {
        snprintf(rows, sizeof rows, "%u row%s", first->least_rows, plural(first->least_rows));
    } else if (first->most_rows == 0) {
        snprintf(rows, sizeof rows, "%u and more rows", first->least_rows);
    } else {
        snprintf(rows, sizeof rows, "%u to %u rows", first->least_rows, first->most_rows);
    }
    notice("prefetch of %s, %s: %s after %u rounds%s; GB/s of a thread (time compared with the "
           "fastest): %s",
           first->format, rows, chosen != NULL ? chosen->policy : "another policy", first->rounds,
           first->comparisons == 0 ? ", which continue" : "", others);
}

void notice_prefetch(const lfm2_runtime *runtime)
{
    comparison c;
    for (uint32_t index = 0;;) {
        index = collect(runtime, index, &c);
        if (c.n == 0) {
            return;
        }
        print(&c);
    }
}
