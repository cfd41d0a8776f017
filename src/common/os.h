/* SPDX-License-Identifier: Apache-2.0 */
/* Declares services of the operating system: folders, clocks, processors, detection of forks,
 * advice about memory, waiting and waking. */
#ifndef LF_COMMON_OS_H
#define LF_COMMON_OS_H

#include "common/status.h"

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>

/* ---- Folders ---- */

/* Calls `visit` with the name of each entry of a folder but "." and "..", in no order. Visits at
 * most `limit` entries; allocates nothing. Errors: IO, and what `visit` returns. */
int32_t lf_os_list(const char *path, uint32_t limit, int32_t (*visit)(void *user, const char *name),
                   void *user);

/* ---- Time ---- */

/* A monotonic clock. */
double lf_os_seconds(void);
uint64_t lf_os_ns(void);

/* The processor time that the calling thread has used, and how often it went to sleep voluntarily.
 * False if the system does not report them. */
bool lf_os_usage(uint64_t *cpu_ns, uint64_t *sleeps);

/* ---- Processors ---- */

enum { LF_MAX_CPUS = 8192 };

/* Bit cpu % 8 of bits[cpu / 8]. */
typedef struct lf_cpu_mask {
    uint8_t bits[LF_MAX_CPUS / 8];
} lf_cpu_mask;

/* The processors on which the calling thread may run (affinity, cpusets). False if the system does
 * not report them. */
bool lf_os_affinity(lf_cpu_mask *mask);

/* The number of these processors; 0 if the system does not report them. */
uint32_t lf_os_processors(void);

/* ---- Processes ---- */

/* Creates a mark that identifies the calling process, in its own page. The kernel clears the page
 * in the child of a fork; where it cannot, process ids are compared. Errors: MEMORY. */
int32_t lf_os_mark_create(void **mark);
void lf_os_mark_free(void *mark); /* NULL is allowed */

/* Whether the calling process created the mark. */
bool lf_os_mark_is_ours(const void *mark);

/* ---- Memory: advice, which the system may ignore ---- */

/* Large pages for `bytes` bytes from the page p on. */
void lf_os_huge_pages(void *p, size_t bytes);

/* The pages of a mapped file are not needed soon; they are read again when they are. */
void lf_os_drop(void *p, size_t bytes);

/* ---- Waiting ---- */

/* One step of a spinning thread: yields the core's execution units to its other hardware thread. */
void lf_os_relax(void);

/* Sleeps while *word is `value`; may return early (futex). */
void lf_os_wait(atomic_uint *word, unsigned value);

/* Wakes a thread that sleeps in lf_os_wait. */
void lf_os_wake(atomic_uint *word);

#endif /* LF_COMMON_OS_H */
