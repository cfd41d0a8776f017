/* SPDX-License-Identifier: Apache-2.0 */
/* Prints what was measured of prefetch policies. */
#include "cli/support/prefetch_report.h"

#include "cli/support/output.h"

#include "lfm2_tools.h"

#include <stdio.h>
#include <string.h>

enum { MOST_POLICIES = 16, LINE = 512 };

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

static void name_rows(uint32_t least, uint32_t most, char *out, size_t size)
{
    if (most == least) {
        snprintf(out, size, "%u row%s", least, plural(least));
    } else if (most == 0) {
        snprintf(out, size, "%u and more rows", least);
    } else {
        snprintf(out, size, "%u to %u rows", least, most);
    }
}

static void print(const comparison *c)
{
    char others[LINE] = "";
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
    name_rows(first->least_rows, first->most_rows, rows, sizeof rows);
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
        if (c.policies[0].bytes_per_second > 0) {
            print(&c);
        }
    }
}

/* Writes the policies of the format at *index, which becomes the index after it; false if there is
 * none. Neighboring numbers of rows with the same policy are written together. */
static bool start_of_format(const lfm2_runtime *runtime, uint32_t *index, const char **format,
                            char out[LINE])
{
    comparison c;
    char rows[32];
    size_t used = 0;
    lfm2_prefetch_info same = {.policy = NULL};
    *format = NULL;
    for (;;) {
        uint32_t next = collect(runtime, *index, &c);
        const lfm2_prefetch_info *now = &c.policies[0];
        bool more = c.n > 0 && (*format == NULL || strcmp(now->format, *format) == 0);
        if (same.policy != NULL && (!more || strcmp(now->policy, same.policy) != 0)) {
            name_rows(same.least_rows, same.most_rows, rows, sizeof rows);
            used = append_format(out, LINE, used, "%s%s (%s)", used > 0 ? ", " : "", same.policy,
                                 rows);
            same.policy = NULL;
        }
        if (!more) {
            return *format != NULL;
        }
        if (same.policy == NULL) {
            same = *now;
        }
        same.most_rows = now->most_rows;
        *format = now->format;
        *index = next;
    }
}

void notice_prefetch_start(const lfm2_runtime *runtime)
{
    char formats[LINE] = "";
    char policies[LINE] = "";
    char last[LINE] = "";
    size_t used = 0;
    uint32_t index = 0;
    bool more = true;
    while (more) {
        const char *format = NULL;
        more = start_of_format(runtime, &index, &format, policies);
        if (used > 0 && (!more || strcmp(policies, last) != 0)) {
            notice("prefetch of %s until it is measured: %s", formats, last);
            used = 0;
        }
        if (more) {
            used = append_format(formats, LINE, used, "%s%s", used > 0 ? ", " : "", format);
            memcpy(last, policies, LINE);
        }
    }
}
