/* SPDX-License-Identifier: Apache-2.0 */
/* Reads the topology of the processors from /sys and the CPU quota from the control groups. */
#include "runtime/cpus.h"

#include "runtime/groups.h"

#include <stdio.h>
#include <string.h>

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
        char path[LF_GROUP_PATH], list[64];
        snprintf(path, sizeof path, "%s/sys/devices/system/cpu/cpu%zu/topology/%s", root, cpu,
                 names[i]);
        const char *at = list;
        if (lf_read_text(path, list, sizeof list) && lf_read_number(&at, first) &&
            *first < LF_MAX_CPUS) {
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
    char path[LF_GROUP_PATH + 32], text[64];
    uint64_t quota = 0, period = 0;
    snprintf(path, sizeof path, "%s/cpu.max", folder);
    const char *at = text;
    if (!lf_read_text(path, text, sizeof text) || !lf_read_number(&at, &quota) || *at++ != ' ' ||
        !lf_read_number(&at, &period)) {
        return UINT64_MAX;
    }
    return milli_cpus(quota, period);
}

/* Version 1 has two files; a quota of -1 means no limit. */
static uint64_t read_v1(const char *folder)
{
    char path[LF_GROUP_PATH + 32], text[64];
    uint64_t quota = 0, period = 0;
    snprintf(path, sizeof path, "%s/cpu.cfs_quota_us", folder);
    const char *at = text;
    if (!lf_read_text(path, text, sizeof text) || !lf_read_number(&at, &quota)) {
        return UINT64_MAX;
    }
    snprintf(path, sizeof path, "%s/cpu.cfs_period_us", folder);
    at = text;
    if (!lf_read_text(path, text, sizeof text) || !lf_read_number(&at, &period)) {
        return UINT64_MAX;
    }
    return milli_cpus(quota, period);
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
    static const lf_group_limit quota = {"cpu", {"/cpu", "/cpu,cpuacct"}, read_v1, read_v2};
    out->quota = whole_cpus(lf_group_least(root, &quota, &out->no_groups));
}

uint32_t lf_cpus_threads(const lf_cpus *cpus)
{
    return cpus->cores < cpus->quota ? cpus->cores : cpus->quota;
}
