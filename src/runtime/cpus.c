/* SPDX-License-Identifier: Apache-2.0 */
/* Reads the topology of the processors from /sys and the CPU quota from the control groups. */
#include "runtime/cpus.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

enum { PATH_BYTES = 1024, LIST_BYTES = 8192 };

/* Reads the start of a small file as text; false if it is missing or empty. */
static bool read_text(const char *path, char *text, size_t capacity)
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

/* Parses a decimal number and moves *text past it; false if there is none or it is 2^48 or more. */
static bool read_number(const char **text, uint64_t *value)
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

/* ---- Topology ---- */

static bool has_cpu(const lf_cpu_mask *mask, size_t cpu)
{
    return (mask->bits[cpu / 8] >> cpu % 8 & 1) != 0;
}

/* The first processor of the core that contains `cpu`. */
static bool first_of_core(const char *root, size_t cpu, uint64_t *first)
{
    static const char *const names[] = {"core_cpus_list", "thread_siblings_list"};
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        char path[PATH_BYTES], list[64];
        snprintf(path, sizeof path, "%s/sys/devices/system/cpu/cpu%zu/topology/%s", root, cpu,
                 names[i]);
        const char *at = list;
        if (read_text(path, list, sizeof list) && read_number(&at, first) && *first < LF_MAX_CPUS) {
            return true;
        }
    }
    return false;
}

/* Counts the cores of the processors in the mask; 0 if the core of any is unknown. */
static uint32_t count_cores(const char *root, const lf_cpu_mask *mask)
{
    lf_cpu_mask seen = {{0}};
    uint32_t n = 0;
    for (size_t cpu = 0; cpu < LF_MAX_CPUS; cpu++) {
        uint64_t first = 0;
        if (!has_cpu(mask, cpu)) {
            continue;
        }
        if (!first_of_core(root, cpu, &first)) {
            return 0;
        }
        if (!has_cpu(&seen, (size_t)first)) {
            seen.bits[first / 8] |= (uint8_t)(1u << first % 8);
            n++;
        }
    }
    return n;
}

static uint32_t count_allowed(const lf_cpu_mask *mask)
{
    uint32_t n = 0;
    for (size_t cpu = 0; cpu < LF_MAX_CPUS; cpu++) {
        n += has_cpu(mask, cpu);
    }
    return n;
}

/* ---- Quota ---- */

/* Processors times 1000. */
static uint64_t milli_cpus(uint64_t quota, uint64_t period)
{
    return period == 0 ? UINT64_MAX : quota * 1000 / period;
}

/* cpu.max of version 2: "QUOTA PERIOD" in microseconds, or "max PERIOD". */
static uint64_t read_v2(const char *folder)
{
    char path[PATH_BYTES + 32], text[64];
    uint64_t quota = 0, period = 0;
    snprintf(path, sizeof path, "%s/cpu.max", folder);
    const char *at = text;
    if (!read_text(path, text, sizeof text) || !read_number(&at, &quota) || *at++ != ' ' ||
        !read_number(&at, &period)) {
        return UINT64_MAX;
    }
    return milli_cpus(quota, period);
}

/* Version 1 has two files; a quota of -1 means no limit. */
static uint64_t read_v1(const char *folder)
{
    char path[PATH_BYTES + 32], text[64];
    uint64_t quota = 0, period = 0;
    snprintf(path, sizeof path, "%s/cpu.cfs_quota_us", folder);
    const char *at = text;
    if (!read_text(path, text, sizeof text) || !read_number(&at, &quota)) {
        return UINT64_MAX;
    }
    snprintf(path, sizeof path, "%s/cpu.cfs_period_us", folder);
    at = text;
    if (!read_text(path, text, sizeof text) || !read_number(&at, &period)) {
        return UINT64_MAX;
    }
    return milli_cpus(quota, period);
}

/* The smallest limit of the group and its ancestors. A container may see only its own part of the
 * hierarchy and still read the group's full path: folders that do not exist have no limit. */
static uint64_t least_limit(const char *root, const char *mount, const char *group, size_t len,
                            uint64_t (*read_limit)(const char *folder))
{
    char folder[PATH_BYTES];
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

/* Whether the comma-separated list of `len` characters contains the controller "cpu". */
static bool names_cpu(const char *list, size_t len)
{
    for (size_t at = 0; at < len;) {
        size_t end = at;
        while (end < len && list[end] != ',') {
            end++;
        }
        if (end - at == 3 && memcmp(list + at, "cpu", 3) == 0) {
            return true;
        }
        at = end + 1;
    }
    return false;
}

/* A line "ID:CONTROLLERS:PATH" of /proc/self/cgroup, 0-terminated; version 2 names no controllers.
 */
static uint64_t limit_of_line(const char *root, const char *line)
{
    const char *list = strchr(line, ':');
    const char *group = list == NULL ? NULL : strchr(list + 1, ':');
    if (group == NULL || group[1] != '/') {
        return UINT64_MAX;
    }
    size_t n = (size_t)(group - list) - 1;
    size_t len = strlen(++group);
    if (n == 0) {
        return least(least_limit(root, "", group, len, read_v2),
                     least_limit(root, "/unified", group, len, read_v2));
    }
    if (names_cpu(list + 1, n)) {
        return least(least_limit(root, "/cpu", group, len, read_v1),
                     least_limit(root, "/cpu,cpuacct", group, len, read_v1));
    }
    return UINT64_MAX;
}

/* The quota in processors times 1000, UINT64_MAX without one. */
static uint64_t read_quota(const char *root, bool *no_groups)
{
    char path[PATH_BYTES], text[LIST_BYTES];
    snprintf(path, sizeof path, "%s/proc/self/cgroup", root);
    *no_groups = !read_text(path, text, sizeof text);
    if (*no_groups) {
        return least(least_limit(root, "", "", 0, read_v2),
                     least_limit(root, "/cpu", "", 0, read_v1));
    }
    uint64_t quota = UINT64_MAX;
    for (char *line = text; line != NULL && *line != 0;) {
        char *end = strchr(line, '\n');
        if (end != NULL) {
            *end++ = 0;
        }
        quota = least(quota, limit_of_line(root, line));
        line = end;
    }
    return quota;
}

/* When the quota is used up, all threads of a process stop until the period ends. So a thread
 * counts only if the quota covers at least three quarters of it. */
static uint32_t whole_cpus(uint64_t milli)
{
    if (milli > (uint64_t)UINT32_MAX * 1000) {
        return UINT32_MAX;
    }
    uint32_t n = (uint32_t)((milli + 250) / 1000);
    return n > 0 ? n : 1;
}

/* ---- Interface ---- */

void lf_cpus_read(const char *root, const lf_cpu_mask *mask, uint32_t threads_per_core,
                  lf_cpus *out)
{
    *out = (lf_cpus){.cores = 1};
    if (mask != NULL) {
        out->allowed = count_allowed(mask);
        out->cores = count_cores(root, mask);
    }
    out->no_topology = mask == NULL || out->cores == 0;
    if (out->cores == 0) {
        out->cores = (out->allowed + threads_per_core - 1) / threads_per_core;
        out->cores = out->cores > 0 ? out->cores : 1;
    }
    out->quota = whole_cpus(read_quota(root, &out->no_groups));
}

uint32_t lf_cpus_threads(const lf_cpus *cpus)
{
    return cpus->cores < cpus->quota ? cpus->cores : cpus->quota;
}
