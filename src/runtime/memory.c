/* SPDX-License-Identifier: Apache-2.0 */
/* Reads the free memory of the machine from /proc/meminfo and that of the control groups. */
#include "runtime/memory.h"

#include "runtime/groups.h"

#include <stdio.h>
#include <string.h>

enum { TEXT_BYTES = 8192 };

/* The number in folder/name, or with `key` the number after that word at the start of a line. */
static bool read_value(const char *folder, const char *name, const char *key, uint64_t *value)
{
    char path[LF_GROUP_PATH + 64], text[TEXT_BYTES];
    snprintf(path, sizeof path, "%s/%s", folder, name);
    if (!lf_read_text(path, text, sizeof text)) {
        return false;
    }
    const char *at = text;
    if (key != NULL) {
        size_t n = strlen(key);
        while (strncmp(at, key, n) != 0 || at[n] != ' ') {
            const char *end = strchr(at, '\n');
            if (end == NULL) {
                return false;
            }
            at = end + 1;
        }
        at += n + strspn(at + n, " ");
    }
    return lf_read_number(&at, value);
}

static uint64_t left(uint64_t limit, uint64_t used, uint64_t reclaimable)
{
    used = used > reclaimable ? used - reclaimable : 0;
    return limit > used ? limit - used : 0;
}

/* files_key: the key of memory.stat for pages that can be reclaimed. */
static uint64_t read_group(const char *folder, const char *limit_file, const char *used_file,
                           const char *files_key)
{
    uint64_t limit = 0, used = 0, files = 0;
    if (!read_value(folder, limit_file, NULL, &limit) ||
        !read_value(folder, used_file, NULL, &used)) {
        return UINT64_MAX;
    }
    (void)read_value(folder, "memory.stat", files_key, &files);
    return left(limit, used, files);
}

static uint64_t read_v2(const char *folder)
{
    return read_group(folder, "memory.max", "memory.current", "inactive_file");
}

static uint64_t read_v1(const char *folder)
{
    return read_group(folder, "memory.limit_in_bytes", "memory.usage_in_bytes",
                      "total_inactive_file");
}

uint64_t lf_memory_left(const char *root)
{
    static const lf_group_limit groups = {"memory", {"/memory", "/memory"}, read_v1, read_v2};
    bool no_groups = false;
    uint64_t least = lf_group_least(root, &groups, &no_groups);
    char folder[LF_GROUP_PATH];
    uint64_t kib = 0;
    snprintf(folder, sizeof folder, "%s/proc", root);
    if (read_value(folder, "meminfo", "MemAvailable:", &kib) && kib << 10 < least) {
        least = kib << 10;
    }
    return least;
}
