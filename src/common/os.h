/* SPDX-License-Identifier: Apache-2.0 */
/* What the operating system says and does: failures as statuses, time, processors, processes,
 * sleeping and waking. */
#ifndef LF_COMMON_OS_H
#define LF_COMMON_OS_H

#include "common/status.h"

#include <stdatomic.h>
#include <stdbool.h>

/* "path: what: text of the errno value"; MEMORY for ENOMEM, otherwise IO. Returns the status. */
int32_t lf_fail_errno(int error, const char *code, const char *path, const char *what);

/* ---- Time ---- */

/* Of a clock that only goes forward. */
double lf_os_seconds(void);
uint64_t lf_os_ns(void);

/* Processor time that the calling thread has used, and how often it went to sleep by itself; false
 * if the system does not tell. */
bool lf_os_usage(uint64_t *cpu_ns, uint64_t *sleeps);

/* ---- Processors ---- */

enum { LF_MAX_CPUS = 8192 };

/* Bit cpu % 8 of bits[cpu / 8]. */
typedef struct lf_cpu_mask {
    uint8_t bits[LF_MAX_CPUS / 8];
} lf_cpu_mask;

/* Processors that the calling thread may run on (affinity, cpusets); false if the system does not
 * tell. */
bool lf_os_affinity(lf_cpu_mask *mask);

/* How many these are; 0 if the system does not tell. */
uint32_t lf_os_processors(void);

/* ---- Processes ---- */

/* A mark of the process that made it, in a page of its own: the kernel clears it in the child of a
 * fork, or, where it does not support that, process ids are compared. Errors: MEMORY. */
int32_t lf_os_mark_create(void **mark);
void lf_os_mark_free(void *mark); /* NULL is allowed */

/* Whether the calling process made the mark. */
bool lf_os_mark_is_ours(const void *mark);

/* ---- Waiting ---- */

/* A step of a thread that waits in a loop: leaves the core's units to others. */
void lf_os_relax(void);

/* Sleeps while *word is `value`; may return early. */
void lf_os_wait(atomic_uint *word, unsigned value);

/* Wakes a thread that sleeps in lf_os_wait. */
void lf_os_wake(atomic_uint *word);

#endif /* LF_COMMON_OS_H */
