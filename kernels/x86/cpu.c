/* SPDX-License-Identifier: Apache-2.0 */
/* CPU detection on x86-64: CPUID for the features, XGETBV for the registers that the operating
 * system saves. It reads no file and cannot fail. */
#include "kernels/x86/cpu.h"

#include <cpuid.h>
#include <string.h>

enum {
    /* XCR0: SSE and AVX registers; with AVX-512 also mask registers and both halves of zmm. */
    STATE_AVX = 0x06,
    STATE_AVX512 = 0xe6
};

static bool has(uint32_t word, uint32_t bit)
{
    return (word >> bit & 1) != 0;
}

static bool is_amd(const lf_cpuid *id)
{
    return memcmp(id->vendor, "AuthenticAMD", sizeof id->vendor) == 0 ||
           memcmp(id->vendor, "HygonGenuine", sizeof id->vendor) == 0;
}

lf_cpu lf_cpu_from_cpuid(const lf_cpuid *id)
{
    bool avx = has(id->ecx1, 27) && (id->xcr0 & STATE_AVX) == STATE_AVX && has(id->ecx1, 28);
    bool avx512 = avx && (id->xcr0 & STATE_AVX512) == STATE_AVX512 && has(id->ebx7, 16) &&
                  has(id->ebx7, 17) && has(id->ebx7, 28) && has(id->ebx7, 30) && has(id->ebx7, 31);
    uint32_t cpu = 0;
    cpu |= has(id->ecx1, 19) ? LF_CPU_SSE41 : 0;
    cpu |= avx ? LF_CPU_AVX : 0;
    cpu |= has(id->ecx7, 8) ? LF_CPU_GFNI : 0;
    cpu |= has(id->ebx7, 5) && has(id->ecx1, 12) && has(id->ecx1, 29) ? LF_CPU_AVX2 : 0;
    cpu |= has(id->eax7_1, 4) ? LF_CPU_AVXVNNI : 0;
    cpu |= avx512 ? LF_CPU_AVX512 : 0;
    cpu |= has(id->ecx7, 11) ? LF_CPU_AVX512VNNI : 0;
    cpu |= has(id->eax7_1, 5) ? LF_CPU_AVX512BF16 : 0;
    lf_cpu result = {.features = lf_cpu_without(cpu, 0), .threads_per_core = 1};
    if (is_amd(id) && (result.features & LF_CPU_AVX2) != 0) {
        result.prefetch =
            (result.features & LF_CPU_AVX512) != 0 ? LF_PREFETCH_AMD512 : LF_PREFETCH_AMD256;
    }
    if (id->core_threads > 1) {
        result.threads_per_core = id->core_threads;
    }
    return result;
}

static uint32_t read_xcr0(void)
{
    uint32_t low = 0, high = 0;
    __asm__ volatile("xgetbv" : "=a"(low), "=d"(high) : "c"(0));
    return low;
}

lf_cpu lf_cpu_detect(void)
{
    lf_cpuid id = {0};
    uint32_t a = 0, b = 0, c = 0, d = 0;
    __cpuid(0, a, b, c, d);
    const uint32_t last = a;
    memcpy(id.vendor, &b, 4);
    memcpy(id.vendor + 4, &d, 4);
    memcpy(id.vendor + 8, &c, 4);
    __cpuid(1, a, b, id.ecx1, d);
    if (has(id.ecx1, 27)) {
        id.xcr0 = read_xcr0();
    }
    if (last >= 7) {
        __cpuid_count(7, 0, a, id.ebx7, id.ecx7, d);
        if (a >= 1) {
            __cpuid_count(7, 1, id.eax7_1, b, c, d);
        }
    }
    if (last >= 0xb) {
        __cpuid_count(0xb, 0, a, b, c, d);
        enum { LEVEL_SMT = 1 };
        id.core_threads = (c >> 8 & 0xff) == LEVEL_SMT ? b & 0xffff : 0;
    }
    return lf_cpu_from_cpuid(&id);
}
