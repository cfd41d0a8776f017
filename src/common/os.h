/* SPDX-License-Identifier: Apache-2.0 */
/* What the operating system says: failures as statuses, time, processors, waiting. */
#ifndef LF_COMMON_OS_H
#define LF_COMMON_OS_H

#include "common/status.h"

/* "path: what: text of the errno value"; MEMORY for ENOMEM, otherwise IO. Returns the status. */
int32_t lf_fail_errno(int error, const char *code, const char *path, const char *what);

/* Seconds of a clock that only goes forward. */
double lf_os_seconds(void);

/* Processors this process may run on (affinity, cpusets); 0 if the system does not tell. */
uint32_t lf_os_processors(void);

/* A step of a thread that waits in a loop: leaves the core's units to others. */
void lf_os_relax(void);

#endif /* LF_COMMON_OS_H */
