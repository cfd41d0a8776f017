/* SPDX-License-Identifier: Apache-2.0 */
/* Cores, quotas and memory from imitated /sys and /proc folders; CPU features from imitated CPUID
 * values.
 */
#include "runtime/cpus.h"
#include "runtime/memory.h"
#include "support/fake_root.h"
#include "kernels/kernels.h"
#if LF_ARCH_X86
#include "kernels/x86/cpu.h"
#endif

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include <cmocka.h>

static lf_cpu_mask first_cpus(size_t n)
{
    lf_cpu_mask mask = {{0}};
    for (size_t i = 0; i < n; i++) {
        mask.bits[i / 8] |= (uint8_t)(1u << i % 8);
    }
    return mask;
}

static lf_cpus read_cpus(size_t n, uint32_t threads_per_core)
{
    lf_cpu_mask mask = first_cpus(n);
    lf_cpus cpus;
    lf_cpus_read(lft_root, &mask, threads_per_core, &cpus);
    return cpus;
}

/* ---- Topology ---- */

/* 12 processors: 8 that share cores in pairs (i, i + 4), then 4 with a core each. */
static void test_cores(void **state)
{
    (void)state;
    static const char *const lists[] = {"0,4\n", "1,5\n", "2,6\n", "3,7\n", "0,4\n", "1,5\n",
                                        "2,6\n", "3,7\n", "8\n",   "9\n",   "10\n",  "11\n"};
    for (int i = 0; i < 12; i++) {
        char path[128];
        snprintf(path, sizeof path, "/sys/devices/system/cpu/cpu%d/topology/%s", i,
                 i < 8 ? "core_cpus_list" : "thread_siblings_list");
        lft_root_put(path, lists[i]);
    }
    static const struct {
        size_t cpus;
        uint32_t cores;
    } cases[] = {{1, 1}, {4, 4}, {6, 4}, {8, 4}, {9, 5}, {12, 8}};
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        lf_cpus cpus = read_cpus(cases[i].cpus, 1);
        assert_int_equal(cpus.allowed, cases[i].cpus);
        assert_int_equal(cpus.cores, cases[i].cores);
        assert_false(cpus.no_topology);
        assert_int_equal(lf_cpus_threads(&cpus), cases[i].cores);
    }
}

static void test_no_topology(void **state)
{
    (void)state;
    lf_cpus cpus = read_cpus(12, 2);
    assert_int_equal(cpus.cores, 6);
    assert_true(cpus.no_topology);
    assert_true(cpus.no_groups);
    assert_int_equal(lf_cpus_threads(&cpus), 6);
    assert_int_equal(read_cpus(3, 2).cores, 2);
    lf_cpus_read(lft_root, NULL, 2, &cpus);
    assert_int_equal(cpus.allowed, 0);
    assert_int_equal(lf_cpus_threads(&cpus), 1);
    lft_root_put("/sys/devices/system/cpu/cpu0/topology/core_cpus_list", "0\n");
    lft_root_put("/sys/devices/system/cpu/cpu1/topology/core_cpus_list",
                 "999999\n"); /* no processor */
    cpus = read_cpus(2, 1);
    assert_int_equal(cpus.cores, 2);
    assert_true(cpus.no_topology);
}

/* ---- Quota ---- */

static uint32_t quota(void)
{
    return read_cpus(16, 1).quota;
}

static void test_quota_v2(void **state)
{
    (void)state;
    lft_root_put("/proc/self/cgroup", "0::/a/b.slice/c\n");
    assert_int_equal(quota(), UINT32_MAX);
    lft_root_put("/sys/fs/cgroup/a/b.slice/c/cpu.max", "max 100000\n");
    assert_int_equal(quota(), UINT32_MAX);
    static const struct {
        const char *text;
        uint32_t cpus;
    } cases[] = {{"200000 100000\n", 2},
                 {"175000 100000\n", 2},
                 {"174000 100000\n", 1},
                 {"50000 100000\n", 1},
                 {"1000 100000\n", 1},
                 {"24000 8000\n", 3},
                 {"1200000 100000", 12},
                 {"max 100000\n", UINT32_MAX},
                 {"5 0\n", UINT32_MAX},
                 {"x\n", UINT32_MAX},
                 {"99999999999999999999 1\n", UINT32_MAX}};
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        lft_root_put("/sys/fs/cgroup/a/b.slice/c/cpu.max", cases[i].text);
        assert_int_equal(quota(), cases[i].cpus);
    }
    lft_root_put("/sys/fs/cgroup/a/b.slice/c/cpu.max", "500000 100000\n");
    lft_root_put("/sys/fs/cgroup/a/cpu.max",
                 "300000 100000\n"); /* an ancestor: the smallest limit counts */
    lf_cpus cpus = read_cpus(16, 1);
    assert_int_equal(cpus.quota, 3);
    assert_false(cpus.no_groups);
    assert_int_equal(lf_cpus_threads(&cpus), 3);
    cpus = read_cpus(2, 1);
    assert_int_equal(lf_cpus_threads(&cpus), 2);
}

/* A container that sees its own group as the root of the hierarchy. */
static void test_quota_at_root(void **state)
{
    (void)state;
    lft_root_put("/sys/fs/cgroup/cpu.max", "400000 100000\n");
    assert_int_equal(quota(), 4); /* without /proc */
    lft_root_put("/proc/self/cgroup", "0::/\n");
    assert_int_equal(quota(), 4);
    lft_root_put("/proc/self/cgroup", "0::/system.slice/somewhere.else\n");
    assert_int_equal(quota(), 4);
    lft_root_put("/proc/self/cgroup", "0::/../other\n");
    lft_root_put("/other/cpu.max", "100000 100000\n");
    assert_int_equal(quota(), 4);
}

static void test_quota_v1(void **state)
{
    (void)state;
    lft_root_put("/proc/self/cgroup",
                 "5:cpuset:/x\n4:cpuacct,cpu:/d/e\n1:name=systemd:/y\n0::/z\n");
    assert_int_equal(quota(), UINT32_MAX);
    lft_root_put("/sys/fs/cgroup/cpu/d/e/cpu.cfs_quota_us", "-1\n");
    lft_root_put("/sys/fs/cgroup/cpu/d/e/cpu.cfs_period_us", "100000\n");
    assert_int_equal(quota(), UINT32_MAX);
    lft_root_put("/sys/fs/cgroup/cpu/d/e/cpu.cfs_quota_us", "250000\n");
    lft_root_put("/sys/fs/cgroup/cpu/d/e/cpu.cfs_period_us", "50000\n");
    assert_int_equal(quota(), 5);
    lft_root_put("/sys/fs/cgroup/cpu/d/cpu.cfs_quota_us", "300000\n");
    lft_root_put("/sys/fs/cgroup/cpu/d/cpu.cfs_period_us", "100000\n");
    assert_int_equal(quota(), 3);
    lft_root_put("/sys/fs/cgroup/cpu/x/cpu.cfs_quota_us",
                 "100000\n"); /* a group of another controller */
    lft_root_put("/sys/fs/cgroup/cpu/x/cpu.cfs_period_us", "100000\n");
    assert_int_equal(quota(), 3);
    lft_root_put("/sys/fs/cgroup/unified/z/cpu.max", "200000 100000\n"); /* both versions */
    assert_int_equal(quota(), 2);
}

/* ---- Memory ---- */

static void test_memory(void **state)
{
    (void)state;
    assert_true(lf_memory_left(lft_root) == UINT64_MAX);
    lft_root_put("/proc/meminfo",
                 "MemTotal:       16000 kB\nMemFree:  10 kB\nMemAvailable:   9000 kB\n");
    assert_int_equal(lf_memory_left(lft_root), 9000 << 10);
    lft_root_put("/proc/self/cgroup", "0::/a/b\n");
    lft_root_put("/sys/fs/cgroup/a/b/memory.max", "max\n");
    lft_root_put("/sys/fs/cgroup/a/b/memory.current", "5000\n");
    assert_int_equal(lf_memory_left(lft_root), 9000 << 10);
    lft_root_put("/sys/fs/cgroup/a/b/memory.max", "7000000\n");
    lft_root_put("/sys/fs/cgroup/a/b/memory.current", "3000000\n");
    assert_int_equal(lf_memory_left(lft_root), 4000000);
    lft_root_put("/sys/fs/cgroup/a/b/memory.stat",
                 "anon 1\ninactive_file 1000000\nactive_file 2\n");
    assert_int_equal(lf_memory_left(lft_root), 5000000);
    lft_root_put("/sys/fs/cgroup/a/memory.max", "2000000\n"); /* an ancestor, more than used up */
    lft_root_put("/sys/fs/cgroup/a/memory.current", "3000000\n");
    assert_int_equal(lf_memory_left(lft_root), 0);
    lft_root_put("/proc/self/cgroup", "4:memory:/d\n2:cpu:/a\n");
    lft_root_put("/sys/fs/cgroup/memory/d/memory.limit_in_bytes",
                 "9223372036854771712\n"); /* no limit */
    lft_root_put("/sys/fs/cgroup/memory/d/memory.usage_in_bytes", "1000\n");
    assert_int_equal(lf_memory_left(lft_root), 9000 << 10);
    lft_root_put("/sys/fs/cgroup/memory/d/memory.limit_in_bytes", "3000000\n");
    lft_root_put("/sys/fs/cgroup/memory/d/memory.stat",
                 "inactive_file 5\ntotal_inactive_file 400\n");
    assert_int_equal(lf_memory_left(lft_root), 3000000 - 600);
}

/* ---- CPUID ---- */

#if LF_ARCH_X86
static lf_cpuid everything(const char *vendor)
{
    lf_cpuid id = {.ecx1 = UINT32_MAX,
                   .ebx7 = UINT32_MAX,
                   .ecx7 = UINT32_MAX,
                   .eax7_1 = UINT32_MAX,
                   .xcr0 = 0xe7,
                   .core_threads = 2};
    memcpy(id.vendor, vendor, sizeof id.vendor);
    return id;
}

static void test_cpuid(void **state)
{
    (void)state;
    const uint32_t below_avx = LF_CPU_SSE41 | LF_CPU_GFNI;
    const uint32_t ymm = below_avx | LF_CPU_AVX | LF_CPU_AVX2 | LF_CPU_AVXVNNI;
    const uint32_t all = ymm | LF_CPU_AVX512 | LF_CPU_AVX512VNNI | LF_CPU_AVX512BF16;
    lf_cpuid id = everything("GenuineIntel");
    lf_cpu cpu = lf_cpu_from_cpuid(&id);
    assert_int_equal(cpu.features, all);
    assert_int_equal(cpu.prefetch, LF_PREFETCH_COMMON);
    assert_int_equal(cpu.threads_per_core, 2);
    id.xcr0 = 0x67; /* masks and lower halves alone: no zmm */
    assert_int_equal(lf_cpu_from_cpuid(&id).features, ymm);
    id.xcr0 = 0x03; /* the system does not save the upper halves of ymm */
    assert_int_equal(lf_cpu_from_cpuid(&id).features, below_avx);
    id = everything("GenuineIntel");
    id.ecx1 &= ~(1u << 27); /* no XGETBV: XCR0 is unknown */
    assert_int_equal(lf_cpu_from_cpuid(&id).features, below_avx);
    static const struct {
        int bit;
        uint32_t left;
    } avx512[] = {{16, 0}, {17, 0}, {28, 0}, {30, 0}, {31, 0}};
    for (size_t i = 0; i < sizeof avx512 / sizeof avx512[0]; i++) {
        id = everything("GenuineIntel");
        id.ebx7 &= ~(1u << avx512[i].bit);
        assert_int_equal(lf_cpu_from_cpuid(&id).features, ymm);
    }
    id = everything("GenuineIntel");
    id.ecx1 &= ~(1u << 12); /* no FMA: AVX2 is not used without it */
    assert_int_equal(lf_cpu_from_cpuid(&id).features, below_avx | LF_CPU_AVX);
    memset(&id, 0, sizeof id);
    cpu = lf_cpu_from_cpuid(&id);
    assert_int_equal(cpu.features, 0);
    assert_int_equal(cpu.threads_per_core, 1);
}

static void test_prefetch_by_vendor(void **state)
{
    (void)state;
    lf_cpuid id = everything("AuthenticAMD");
    assert_int_equal(lf_cpu_from_cpuid(&id).prefetch, LF_PREFETCH_AMD512);
    id = everything("HygonGenuine");
    assert_int_equal(lf_cpu_from_cpuid(&id).prefetch, LF_PREFETCH_AMD512);
    id.ebx7 &= ~(1u << 16); /* no AVX-512 */
    assert_int_equal(lf_cpu_from_cpuid(&id).prefetch, LF_PREFETCH_AMD256);
    id.ebx7 &= ~(1u << 5); /* no AVX2 */
    assert_int_equal(lf_cpu_from_cpuid(&id).prefetch, LF_PREFETCH_COMMON);
}
#endif

/* The machine that the test runs on. */
static void test_this_machine(void **state)
{
    (void)state;
    lf_cpu cpu = lf_cpu_detect();
    assert_int_equal(lf_cpu_without(cpu.features, 0), cpu.features);
    assert_true(cpu.threads_per_core >= 1);
#if LF_ARCH_X86
    __builtin_cpu_init();
    assert_int_equal((cpu.features & LF_CPU_SSE41) != 0, __builtin_cpu_supports("sse4.1") != 0);
    assert_int_equal((cpu.features & LF_CPU_AVX) != 0, __builtin_cpu_supports("avx") != 0);
    assert_int_equal((cpu.features & LF_CPU_AVX2) != 0, __builtin_cpu_supports("avx2") != 0);
    assert_int_equal((cpu.features & LF_CPU_AVX512) != 0,
                     __builtin_cpu_supports("avx512f") != 0 &&
                         __builtin_cpu_supports("avx512bw") != 0);
    assert_int_equal((cpu.features & LF_CPU_AVX512VNNI) != 0,
                     __builtin_cpu_supports("avx512vnni") != 0);
    assert_int_equal((cpu.features & LF_CPU_GFNI) != 0, __builtin_cpu_supports("gfni") != 0);
#else
    assert_true((cpu.features & LF_CPU_NEON) != 0);
#endif
    lf_cpu_mask mask;
    assert_true(lf_os_affinity(&mask));
    lf_cpus cpus;
    lf_cpus_read("", &mask, 1, &cpus);
    assert_true(cpus.allowed >= 1);
    assert_in_range(cpus.cores, 1, cpus.allowed);
    assert_int_equal(cpus.allowed, lf_os_processors());
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_cores, lft_root_setup, lft_root_teardown),
        cmocka_unit_test_setup_teardown(test_no_topology, lft_root_setup, lft_root_teardown),
        cmocka_unit_test_setup_teardown(test_quota_v2, lft_root_setup, lft_root_teardown),
        cmocka_unit_test_setup_teardown(test_quota_at_root, lft_root_setup, lft_root_teardown),
        cmocka_unit_test_setup_teardown(test_quota_v1, lft_root_setup, lft_root_teardown),
        cmocka_unit_test_setup_teardown(test_memory, lft_root_setup, lft_root_teardown),
#if LF_ARCH_X86
        cmocka_unit_test(test_cpuid),
        cmocka_unit_test(test_prefetch_by_vendor),
#endif
        cmocka_unit_test(test_this_machine),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
