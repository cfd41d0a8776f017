/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Counts cores from the descriptions of processors in /sys. An efficiency core is one
 * - that Linux lists as such (x86),
 * - that has less than half of the capacity of the fastest core (cpu_capacity, where the system
 *   has it) or of its highest frequency, or
 * - that is an in-order core next to cores that are not (MIDR, arm64).
 * Cores of one kind are never efficiency cores, whatever they are.
 */
#include "runtime/cores.h"

#include "runtime/groups.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static bool has_cpu(const lf_cpu_mask *mask, uint64_t cpu)
{
    return (mask->bits[cpu / 8] >> cpu % 8 & 1) != 0;
}

static void add_cpu(lf_cpu_mask *mask, uint64_t cpu)
{
    mask->bits[cpu / 8] |= (uint8_t)(1u << cpu % 8);
}

static uint32_t count_cpus(const lf_cpu_mask *mask)
{
    uint32_t n = 0;
    for (size_t i = 0; i < sizeof mask->bits; i++) {
        n += (uint32_t)__builtin_popcount(mask->bits[i]);
    }
    return n;
}

/* ---- Files ---- */

/* The text of a file about one processor. */
static bool read_about(const char *root, size_t cpu, const char *name, char text[64])
{
    char path[LF_GROUP_PATH];
    snprintf(path, sizeof path, "%s/sys/devices/system/cpu/cpu%zu/%s", root, cpu, name);
    return lf_read_text(path, text, 64);
}

/* The number in such a file. */
static bool read_number(const char *root, size_t cpu, const char *name, uint64_t *value)
{
    char text[64];
    const char *at = text;
    return read_about(root, cpu, name, text) && lf_read_number(&at, value);
}

/* Adds the processors of a list such as "0-3,8" to a mask. */
static void read_list(const char *root, const char *name, lf_cpu_mask *mask)
{
    char path[LF_GROUP_PATH], text[1024];
    snprintf(path, sizeof path, "%s/sys/devices/%s", root, name);
    if (!lf_read_text(path, text, sizeof text)) {
        return;
    }
    uint64_t first = 0, last = 0;
    for (const char *at = text; lf_read_number(&at, &first); at++) {
        last = first;
        if (*at == '-') {
            at++;
            if (!lf_read_number(&at, &last)) {
                return;
            }
        }
        for (uint64_t cpu = first; cpu <= last && cpu < LF_MAX_CPUS; cpu++) {
            add_cpu(mask, cpu);
        }
        if (*at != ',') {
            return;
        }
    }
}

/* ---- Efficiency cores ---- */

/* Adds the processors whose number in the file is less than half of the largest, if all have one.
 * Returns whether all have one. */
static bool add_slow(const char *root, const lf_cpu_mask *mask, const char *name, lf_cpu_mask *out)
{
    uint64_t most = 0, value = 0;
    for (size_t cpu = 0; cpu < LF_MAX_CPUS; cpu++) {
        if (has_cpu(mask, cpu)) {
            if (!read_number(root, cpu, name, &value)) {
                return false;
            }
            most = value > most ? value : most;
        }
    }
    for (size_t cpu = 0; cpu < LF_MAX_CPUS; cpu++) {
        if (has_cpu(mask, cpu) && read_number(root, cpu, name, &value) && value < most - value) {
            add_cpu(out, cpu);
        }
    }
    return true;
}

/* Arm's Cortex-A35, A53, A55, A510 and A520, and Qualcomm's names for A53 and A55. */
static bool is_in_order(uint64_t midr)
{
    static const uint32_t kinds[] = {0x41d04, 0x41d03, 0x41d05, 0x41d46,
                                     0x41d80, 0x51801, 0x51803, 0x51805};
    const uint32_t kind = (uint32_t)((midr >> 24 & 0xff) << 12 | (midr >> 4 & 0xfff));
    for (size_t i = 0; i < sizeof kinds / sizeof kinds[0]; i++) {
        if (kind == kinds[i]) {
            return true;
        }
    }
    return false;
}

static void add_in_order(const char *root, const lf_cpu_mask *mask, lf_cpu_mask *out)
{
    for (size_t cpu = 0; cpu < LF_MAX_CPUS; cpu++) {
        char text[64];
        if (!has_cpu(mask, cpu)) {
            continue;
        }
        if (!read_about(root, cpu, "regs/identification/midr_el1", text)) {
            return;
        }
        if (is_in_order(strtoull(text, NULL, 16))) {
            add_cpu(out, cpu);
        }
    }
}

/* Divides the processors by whether their core is an efficiency core. */
static void divide(const char *root, const lf_cpu_mask *mask, lf_cpu_mask *performance,
                   lf_cpu_mask *efficiency)
{
    lf_cpu_mask slow = {{0}};
    read_list(root, "cpu_atom/cpus", &slow);
    read_list(root, "cpu_lowpower/cpus", &slow);
    if (!add_slow(root, mask, "cpu_capacity", &slow)) {
        add_slow(root, mask, "cpufreq/cpuinfo_max_freq", &slow);
    }
    add_in_order(root, mask, &slow);
    for (size_t i = 0; i < sizeof slow.bits; i++) {
        performance->bits[i] = mask->bits[i] & (uint8_t)~slow.bits[i];
        efficiency->bits[i] = mask->bits[i] & slow.bits[i];
    }
    if (count_cpus(performance) == 0) {
        *performance = *mask;
        memset(efficiency, 0, sizeof *efficiency);
    }
}

/* ---- Cores ---- */

/* The first processor of the core that contains `cpu`. */
static bool first_of_core(const char *root, size_t cpu, uint64_t *first)
{
    return (read_number(root, cpu, "topology/core_cpus_list", first) && *first < LF_MAX_CPUS) ||
           (read_number(root, cpu, "topology/thread_siblings_list", first) && *first < LF_MAX_CPUS);
}

/* The cores of the processors in the mask. *guessed: the core of one of them is unknown. */
static uint32_t count_cores(const char *root, const lf_cpu_mask *mask, uint32_t threads_per_core,
                            bool *guessed)
{
    lf_cpu_mask cores = {{0}};
    for (size_t cpu = 0; cpu < LF_MAX_CPUS; cpu++) {
        uint64_t first = 0;
        if (!has_cpu(mask, cpu)) {
            continue;
        }
        if (!first_of_core(root, cpu, &first)) {
            *guessed = true;
            return (count_cpus(mask) + threads_per_core - 1) / threads_per_core;
        }
        add_cpu(&cores, first);
    }
    return count_cpus(&cores);
}

void lf_cores_count(const char *root, const lf_cpu_mask *mask, uint32_t threads_per_core,
                    lf_cores *out)
{
    lf_cpu_mask performance, efficiency;
    divide(root, mask, &performance, &efficiency);
    *out = (lf_cores){0};
    out->performance = count_cores(root, &performance, threads_per_core, &out->guessed);
    out->performance = out->performance > 0 ? out->performance : 1;
    out->efficiency = count_cores(root, &efficiency, threads_per_core, &out->guessed);
}
