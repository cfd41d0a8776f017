/* SPDX-License-Identifier: Apache-2.0 */
/* CPU detection on arm64, from the capabilities that the Linux kernel passes to every process. It
 * reads no file and cannot fail. */
#include "kernels/kernels.h"

#include <sys/auxv.h>

/* Bits of the kernel's arm64 interface. */
#define CAP_ASIMD   (1ul << 1)
#define CAP_ASIMDDP (1ul << 20)
#define CAP2_I8MM   (1ul << 13)

lf_cpu lf_cpu_detect(void)
{
    unsigned long cap = getauxval(AT_HWCAP);
    unsigned long cap2 = getauxval(AT_HWCAP2);
    uint32_t cpu = 0;
    cpu |= (cap & CAP_ASIMD) != 0 ? LF_CPU_NEON : 0;
    cpu |= (cap & CAP_ASIMDDP) != 0 ? LF_CPU_DOTPROD : 0;
    cpu |= (cap2 & CAP2_I8MM) != 0 ? LF_CPU_I8MM : 0;
    return (lf_cpu){.features = lf_cpu_without(cpu, 0), .threads_per_core = 1};
}
