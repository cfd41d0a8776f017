/* SPDX-License-Identifier: Apache-2.0 */
/* What the program asks the operating system: random seeds, time, memory in use. */
#ifndef LFM2_CLI_SYSTEM_H
#define LFM2_CLI_SYSTEM_H

#include "lfm2.h"

#include <stdint.h>

/* 32 random bits: short enough for a person to type again. */
uint64_t random_seed(void);

/* Monotonic clock. */
double now_seconds(void);
void wait_seconds(double seconds);

/* The time of day here. A year that lfm2_time cannot have becomes 1970. */
void local_time(lfm2_time *out);

/* The peak of this process's resident memory in bytes, since its start or the last restart. */
uint64_t peak_rss(void);

/* Sets the peak to the current value. Does nothing if the system refuses it. */
void peak_rss_restart(void);

#endif /* LFM2_CLI_SYSTEM_H */
