/* SPDX-License-Identifier: Apache-2.0 */
/* The physical cores of this process, and which of them are efficiency cores. */
#ifndef LF_RUNTIME_CORES_H
#define LF_RUNTIME_CORES_H

#include "common/os.h"

typedef struct lf_cores {
    uint32_t performance; /* cores that are not efficiency cores, at least 1 */
    uint32_t efficiency;  /* the others */
    bool guessed;         /* /sys does not say which processors share a core */
} lf_cores;

/* Counts the cores of the processors in `mask`, as /sys below the folder `root` describes them.
 * `threads_per_core` is used where it does not. */
void lf_cores_count(const char *root, const lf_cpu_mask *mask, uint32_t threads_per_core,
                    lf_cores *out);

#endif /* LF_RUNTIME_CORES_H */
