/* SPDX-License-Identifier: Apache-2.0 */
/* How many processors this process may use, and for how much of the time. */
#ifndef LF_RUNTIME_CPUS_H
#define LF_RUNTIME_CPUS_H

#include "common/os.h"

typedef struct lf_cpus {
    uint32_t allowed; /* processors in the affinity mask; 0 = unknown */
    uint32_t cores;   /* physical cores that these belong to, at least 1 */
    uint32_t quota;   /* processors whose time the control groups grant, at least 1 */
    bool no_topology; /* `cores` is a guess: /sys does not tell which processors share a core */
    bool no_groups;   /* /proc does not tell the control group: only a limit of the root was seen */
} lf_cpus;

/* What the system says under the folder `root` (tests give another than "") of the processors in
 * `mask` (NULL: unknown). `threads_per_core` serves where the topology is not told. */
void lf_cpus_read(const char *root, const lf_cpu_mask *mask, uint32_t threads_per_core,
                  lf_cpus *out);

/* Threads worth starting: one for each core, as far as the quota goes. */
uint32_t lf_cpus_threads(const lf_cpus *cpus);

#endif /* LF_RUNTIME_CPUS_H */
