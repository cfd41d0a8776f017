/* SPDX-License-Identifier: Apache-2.0 */
/* The processors and the CPU quota of this process. */
#ifndef LF_RUNTIME_CPUS_H
#define LF_RUNTIME_CPUS_H

#include "common/os.h"

typedef struct lf_cpus {
    uint32_t allowed; /* processors in the affinity mask; 0 = unknown */
    uint32_t cores;   /* physical cores of these processors without efficiency cores, at least 1 */
    uint32_t efficiency_cores; /* their efficiency cores */
    uint32_t quota;            /* CPU quota of the control groups in processors, at least 1 */
    bool no_topology; /* `cores` is a guess: /sys does not say which processors share a core */
    bool no_groups; /* /proc does not name the control group: only the limit of the root was read */
} lf_cpus;

/* Reads /sys and /proc under the folder `root` ("" outside of tests) for the processors in `mask`
 * (NULL: unknown). `threads_per_core` is used where the topology is missing. */
void lf_cpus_read(const char *root, const lf_cpu_mask *mask, uint32_t threads_per_core,
                  lf_cpus *out);

/* The default number of threads: one for each of `cores`, limited by the quota. */
uint32_t lf_cpus_threads(const lf_cpus *cpus);

#endif /* LF_RUNTIME_CPUS_H */
