/* SPDX-License-Identifier: Apache-2.0 */
/* Derives CPU features from the words of CPUID. Reading the words is separate, so that tests can
 * pass any words. */
#ifndef LF_KERNELS_X86_CPU_H
#define LF_KERNELS_X86_CPU_H

#include "kernels/kernels.h"

/* Leaves that the CPU lacks are 0. */
typedef struct lf_cpuid {
    char vendor[12];
    uint32_t ecx1;         /* leaf 1 */
    uint32_t ebx7, ecx7;   /* leaf 7, subleaf 0 */
    uint32_t eax7_1;       /* leaf 7, subleaf 1 */
    uint32_t xcr0;         /* by XGETBV: register states that the operating system saves */
    uint32_t core_threads; /* leaf 0xb: logical processors of a core; 0: unknown */
} lf_cpuid;

lf_cpu lf_cpu_from_cpuid(const lf_cpuid *id);

#endif /* LF_KERNELS_X86_CPU_H */
