/* SPDX-License-Identifier: Apache-2.0 */
/* Reads the number of cores from /sys and the CPU quota from the control groups. */
#include "runtime/cpus.h"

#include "runtime/cores.h"
#include "runtime/groups.h"

#include <stdio.h>

static uint32_t count_allowed(const lf_cpu_mask *mask)
{
    uint32_t n = 0;
    for (size_t i = 0; i < sizeof mask->bits; i++) {
        n += (uint32_t)__builtin_popcount(mask->bits[i]);
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
    lf_cores cores = {.performance = 1, .guessed = true};
    *out = (lf_cpus){0};
    if (mask != NULL) {
        out->allowed = count_allowed(mask);
        lf_cores_count(root, mask, threads_per_core, &cores);
    }
    out->cores = cores.performance;
    out->efficiency_cores = cores.efficiency;
    out->no_topology = cores.guessed;
    static const lf_group_limit quota = {"cpu", {"/cpu", "/cpu,cpuacct"}, read_v1, read_v2};
    out->quota = whole_cpus(lf_group_least(root, &quota, &out->no_groups));
}

uint32_t lf_cpus_threads(const lf_cpus *cpus)
{
    return cpus->cores < cpus->quota ? cpus->cores : cpus->quota;
}
