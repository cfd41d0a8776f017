/* SPDX-License-Identifier: Apache-2.0 */
/* How much of the time that a thread wants to run it does run. */
#ifndef LF_RUNTIME_METER_H
#define LF_RUNTIME_METER_H

#include "common/os.h"

/* Start with zeros. */
typedef struct lf_meter {
    /* Of the thread that is watched: when the window began, and its usage then. */
    bool open;
    uint64_t begin, cpu, sleeps;
    /* Nanoseconds, since they were last taken: of windows in which the thread never slept, and of
     * these how many it stood in the queue for a processor. */
    atomic_uint_least64_t watched, lost;
} lf_meter;

/* To be called by the thread itself, before and after work. Costs a look at the clock; every ten
 * milliseconds a window ends, which costs a system call. */
void lf_meter_step(lf_meter *meter);

/* Another thread follows. */
void lf_meter_reset(lf_meter *meter);

/* The share of time that was lost since the last call, 0 to 1; 0 if nothing was watched. May be
 * called by another thread than the one that is watched. */
double lf_meter_take(lf_meter *meter);

#endif /* LF_RUNTIME_METER_H */
