/* SPDX-License-Identifier: Apache-2.0 */
/* Implements finding the control groups of this process and the smallest of their limits. */
#include "runtime/groups.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

enum { LIST_BYTES = 8192 };

bool lf_read_text(const char *path, char *text, size_t capacity)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    if (fd < 0) {
        return false;
    }
    size_t len = 0;
    while (len < capacity - 1) {
        ssize_t n = read(fd, text + len, capacity - 1 - len);
        if (n < 0 && errno == EINTR) {
            continue;
        }
        if (n <= 0) {
            break;
        }
        len += (size_t)n;
    }
    close(fd);
    text[len] = 0;
    return len > 0;
}

bool lf_read_number(const char **text, uint64_t *value)
{
    const char *at = *text;
    uint64_t v = 0;
    while (*at >= '0' && *at <= '9') {
        v = v * 10 + (uint64_t)(*at++ - '0');
        if (v >> 48 != 0) {
            return false;
        }
    }
    bool any = at != *text;
    *text = at;
    *value = v;
    return any;
}

/* The smallest limit of the group and its ancestors. A container may see only its own part of the
 * hierarchy and still read the group's full path: folders that do not exist have no limit. */
static uint64_t least_limit(const char *root, const char *mount, const char *group, size_t len,
                            lf_group_read *read_limit)
{
    char folder[LF_GROUP_PATH];
    int base = snprintf(folder, sizeof folder, "%s/sys/fs/cgroup%s", root, mount);
    if (base < 0 || (size_t)base >= sizeof folder) {
        return UINT64_MAX;
    }
    size_t end = (size_t)base;
    if (len < sizeof folder - end && strstr(group, "/..") == NULL) {
        memcpy(folder + end, group, len);
        end += len;
    }
    uint64_t least = UINT64_MAX;
    for (;;) {
        folder[end] = 0;
        uint64_t limit = read_limit(folder);
        least = limit < least ? limit : least;
        if (end == (size_t)base) {
            return least;
        }
        do {
            end--;
        } while (end > (size_t)base && folder[end] != '/');
    }
}

static uint64_t least(uint64_t a, uint64_t b)
{
    return a < b ? a : b;
}

/* Whether the comma-separated list of `len` characters contains a controller. */
static bool names(const char *list, size_t len, const char *controller)
{
    size_t n = strlen(controller);
    for (size_t at = 0; at < len;) {
        size_t end = at;
        while (end < len && list[end] != ',') {
            end++;
        }
        if (end - at == n && memcmp(list + at, controller, n) == 0) {
            return true;
        }
        at = end + 1;
    }
    return false;
}

/* A line "ID:CONTROLLERS:PATH" of /proc/self/cgroup, 0-terminated; version 2 names no controllers.
 */
static uint64_t limit_of_line(const char *root, const lf_group_limit *limit, const char *line)
{
    const char *list = strchr(line, ':');
    const char *group = list == NULL ? NULL : strchr(list + 1, ':');
    if (group == NULL || group[1] != '/') {
        return UINT64_MAX;
    }
    size_t n = (size_t)(group - list) - 1;
    size_t len = strlen(++group);
    if (n == 0) {
        return least(least_limit(root, "", group, len, limit->v2),
                     least_limit(root, "/unified", group, len, limit->v2));
    }
    if (names(list + 1, n, limit->controller)) {
        return least(least_limit(root, limit->mounts[0], group, len, limit->v1),
                     least_limit(root, limit->mounts[1], group, len, limit->v1));
    }
    return UINT64_MAX;
}

uint64_t lf_group_least(const char *root, const lf_group_limit *limit, bool *no_groups)
{
    char path[LF_GROUP_PATH], text[LIST_BYTES];
    snprintf(path, sizeof path, "%s/proc/self/cgroup", root);
    *no_groups = !lf_read_text(path, text, sizeof text);
    if (*no_groups) {
        return least(least_limit(root, "", "", 0, limit->v2),
                     least_limit(root, limit->mounts[0], "", 0, limit->v1));
    }
    uint64_t smallest = UINT64_MAX;
    for (char *line = text; line != NULL && *line != 0;) {
        char *end = strchr(line, '\n');
        if (end != NULL) {
            *end++ = 0;
        }
        smallest = least(smallest, limit_of_line(root, limit, line));
        line = end;
    }
    return smallest;
}
