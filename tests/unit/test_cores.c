/* SPDX-License-Identifier: Apache-2.0 */
/* Performance cores of CPUs with cores of several kinds, from imitated /sys folders: the numbers of
 * published systems, and of systems whose /sys lacks some of them. */
#include "runtime/cores.h"
#include "runtime/cpus.h"
#include "support/fake_root.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include <cmocka.h>

static void put_about(size_t cpu, const char *name, const char *text)
{
    char path[128];
    snprintf(path, sizeof path, "/sys/devices/system/cpu/cpu%zu/%s", cpu, name);
    lft_root_put(path, text);
}

/* `n` processors of one kind, after those that exist. */
typedef struct kind {
    size_t n;
    unsigned capacity, khz, midr; /* 0: no such file */
} kind;

static void put_number(size_t cpu, const char *name, unsigned value)
{
    char text[32];
    if (value != 0) {
        snprintf(text, sizeof text, "%u\n", value);
        put_about(cpu, name, text);
    }
}

static void put_midr(size_t cpu, unsigned value)
{
    char text[32];
    if (value != 0) {
        snprintf(text, sizeof text, "0x%016x\n", value);
        put_about(cpu, "regs/identification/midr_el1", text);
    }
}

/* Returns the number of processors. */
static size_t put_kinds(const kind *kinds, size_t n)
{
    size_t cpu = 0;
    for (size_t i = 0; i < n; i++) {
        for (size_t c = 0; c < kinds[i].n; c++, cpu++) {
            char list[16];
            snprintf(list, sizeof list, "%zu\n", cpu);
            put_about(cpu, "topology/core_cpus_list", list);
            put_number(cpu, "cpu_capacity", kinds[i].capacity);
            put_number(cpu, "cpufreq/cpuinfo_max_freq", kinds[i].khz);
            put_midr(cpu, kinds[i].midr);
        }
    }
    return cpu;
}

/* The cores of processors [begin, end). */
static lf_cores count(size_t begin, size_t end, uint32_t threads_per_core)
{
    lf_cpu_mask mask = {{0}};
    for (size_t i = begin; i < end; i++) {
        mask.bits[i / 8] |= (uint8_t)(1u << i % 8);
    }
    lf_cores cores;
    lf_cores_count(lft_root, &mask, threads_per_core, &cores);
    return cores;
}

static const struct {
    const char *name;
    kind kinds[4];
    uint32_t performance, efficiency;
} systems[] = {
    /* 1 + 3 + 4: the middle cores count */
    {"X1, A78, A55",
     {{4, 250, 1803000, 0x411fd050}, {3, 801, 2419000, 0x411fd410}, {1, 1024, 2841000, 0x411fd440}},
     4,
     4},
    {"A520, A720, X4",
     {{2, 284, 2265600, 0x411fd801},
      {3, 855, 3148800, 0x411fd811},
      {2, 803, 2956800, 0x411fd811},
      {1, 1024, 3398400, 0x411fd821}},
     6,
     2},
    /* 4 + 4 */
    {"A55, A76", {{4, 414, 1800000, 0x412fd050}, {4, 1024, 2400000, 0x414fd0b0}}, 4, 4},
    {"Kryo silver and gold, no capacities",
     {{4, 0, 1900800, 0x51af8014}, {4, 0, 2457600, 0x51af8001}},
     4,
     4},
    {"Icestorm, Firestorm", {{4, 459, 2064000, 0x611f0220}, {4, 1024, 3204000, 0x611f0230}}, 4, 4},
    /* 2 + 6 */
    {"A55, A78", {{6, 325, 1804800, 0x411fd050}, {2, 1024, 2208000, 0x411fd410}}, 2, 6},
    /* capacities that do not tell the cores apart */
    {"A53, A72", {{4, 1024, 1512000, 0x410fd034}, {2, 1024, 1800000, 0x410fd082}}, 2, 4},
    {"A53, A72, only MIDR", {{4, 0, 0, 0x410fd034}, {2, 0, 0, 0x410fd082}}, 2, 4},
    {"only frequencies", {{4, 0, 1000000, 0}, {4, 0, 2100000, 0}}, 4, 4},
    /* cores that differ less */
    {"eight of one kind, two frequencies",
     {{4, 815, 1900000, 0x410fd034}, {4, 1024, 2300000, 0x410fd034}},
     8,
     0},
    {"Oryon", {{6, 840, 3532800, 0x512f0014}, {2, 1024, 4320000, 0x512f0011}}, 8, 0},
    {"Zen 5 and 5c", {{4, 0, 5157000, 0}, {8, 0, 3316000, 0}}, 12, 0},
    {"exactly half", {{4, 512, 0, 0}, {4, 1024, 0, 0}}, 8, 0},
    {"less than half", {{4, 511, 0, 0}, {4, 1024, 0, 0}}, 4, 4},
    {"A72 alone", {{4, 0, 1800000, 0x410fd083}}, 4, 0},
    {"A53 alone", {{4, 0, 1400000, 0x410fd034}}, 4, 0},
};

static void test_system(void **state)
{
    const size_t i = (size_t)(uintptr_t)*state;
    assert_int_equal(lft_root_setup(NULL), 0);
    const size_t n = put_kinds(systems[i].kinds, 4);
    const lf_cores cores = count(0, n, 1);
    print_message("%s\n", systems[i].name);
    assert_int_equal(cores.performance, systems[i].performance);
    assert_int_equal(cores.efficiency, systems[i].efficiency);
    assert_false(cores.guessed);
    assert_int_equal(lft_root_teardown(NULL), 0);
}

/* A process that may run on some of the processors only. */
static void test_allowed(void **state)
{
    (void)state;
    const kind kinds[] = {
        {4, 250, 0, 0x411fd050}, {3, 801, 0, 0x411fd410}, {1, 1024, 0, 0x411fd440}};
    put_kinds(kinds, 3);
    assert_int_equal(count(0, 4, 1).performance, 4); /* efficiency cores alone */
    assert_int_equal(count(0, 4, 1).efficiency, 0);
    assert_int_equal(count(2, 5, 1).performance, 1);
    assert_int_equal(count(2, 5, 1).efficiency, 2);
    assert_int_equal(count(4, 8, 1).performance, 4);
    assert_int_equal(count(7, 8, 1).performance, 1);
    lf_cpu_mask mask = {{0xff}};
    lf_cpus cpus;
    lf_cpus_read(lft_root, &mask, 1, &cpus);
    assert_int_equal(cpus.allowed, 8);
    assert_int_equal(cpus.efficiency_cores, 4);
    assert_int_equal(lf_cpus_threads(&cpus), 4);
}

/* x86: 2 cores with two threads each, 4 efficiency cores, 2 of the lowest power. */
static void test_x86(void **state)
{
    (void)state;
    static const char *const lists[] = {"0-1\n", "0-1\n", "2-3\n", "2-3\n", "4\n",
                                        "5\n",   "6\n",   "7\n",   "8\n",   "9\n"};
    for (size_t i = 0; i < 10; i++) {
        put_about(i, "topology/core_cpus_list", lists[i]);
        put_number(i, "cpufreq/cpuinfo_max_freq", i < 4 ? 4700000 : 3500000);
    }
    assert_int_equal(count(0, 10, 2).performance, 8);
    lft_root_put("/sys/devices/cpu_core/cpus", "0-3\n");
    lft_root_put("/sys/devices/cpu_atom/cpus", "4-7\n");
    lft_root_put("/sys/devices/cpu_lowpower/cpus", "8,9\n");
    assert_int_equal(count(0, 10, 2).performance, 2);
    assert_int_equal(count(0, 10, 2).efficiency, 6);
    assert_int_equal(count(3, 8, 2).performance, 1);
    assert_int_equal(count(4, 10, 2).performance, 6);
    assert_int_equal(count(4, 10, 2).efficiency, 0);
}

/* Lists, numbers and files that are damaged or missing. */
static void test_damaged(void **state)
{
    (void)state;
    const kind kinds[] = {{4, 250, 0, 0x411fd050}, {4, 1024, 0, 0x411fd410}};
    put_kinds(kinds, 2);
    static const struct {
        const char *list;
        uint32_t performance;
    } cases[] = {{"", 4},
                 {"x\n", 4},
                 {"7\n", 3},
                 {"6-\n", 4},
                 {"5-4\n", 4},
                 {"7-8-9", 3},
                 {"7-99999999\n", 3},
                 {"4-5,7", 1},
                 {"4-7,0-3\n", 8},
                 {"-7\n", 4},
                 {"7,,6", 3},
                 {"8191\n", 4},
                 {"99999999999999999999", 4}};
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        lft_root_put("/sys/devices/cpu_atom/cpus", cases[i].list);
        assert_int_equal(count(0, 8, 1).performance, cases[i].performance);
    }
    lft_root_put("/sys/devices/cpu_atom/cpus", "\n");
    put_about(3, "cpu_capacity", "?\n"); /* capacities of some: only MIDR counts */
    assert_int_equal(count(0, 8, 1).performance, 4);
    put_about(0, "regs/identification/midr_el1", "?\n");
    assert_int_equal(count(0, 8, 1).performance, 5);
    put_about(6, "topology/core_cpus_list", "x\n");
    assert_true(count(0, 8, 1).guessed);
    assert_int_equal(count(0, 8, 2).performance, 3); /* of 5 processors */
    assert_int_equal(count(0, 0, 2).performance, 1);
}

int main(void)
{
    enum { SYSTEMS = sizeof systems / sizeof systems[0] };
    struct CMUnitTest tests[SYSTEMS + 3] = {
        cmocka_unit_test_setup_teardown(test_allowed, lft_root_setup, lft_root_teardown),
        cmocka_unit_test_setup_teardown(test_x86, lft_root_setup, lft_root_teardown),
        cmocka_unit_test_setup_teardown(test_damaged, lft_root_setup, lft_root_teardown),
    };
    for (size_t i = 0; i < SYSTEMS; i++) {
        tests[3 + i] = (struct CMUnitTest){
            .name = systems[i].name, .test_func = test_system, .initial_state = (void *)i};
    }
    return cmocka_run_group_tests(tests, NULL, NULL);
}
