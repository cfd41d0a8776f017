/* SPDX-License-Identifier: Apache-2.0 */
/* Measures the share of time in which a thread could not run although it was ready. */
#ifndef LF_RUNTIME_METER_H
#define LF_RUNTIME_METER_H

#include "common/os.h"

/* Initialize with zeros. */
typedef struct lf_meter {
    /* Written by the measured thread: start of the window, and the thread's usage then. */
    bool open;
    uint64_t begin, cpu, sleeps;
    /* Nanoseconds since lf_meter_take: of windows in which the thread never slept, and the part of
     * them in which it waited for a processor. */
    atomic_uint_least64_t watched, lost;
} lf_meter;

/* Called by the measured thread before and after work. Reads the clock; at the end of a window,
 * every ten milliseconds, it makes a system call. */
void lf_meter_step(lf_meter *meter);

/* Discards the current window: another thread will be measured. */
void lf_meter_reset(lf_meter *meter);

/* The share of time lost since the last call, 0 to 1; 0 if no window ended. Any thread may call
 * it. */
double lf_meter_take(lf_meter *meter);

#endif /* LF_RUNTIME_METER_H */
