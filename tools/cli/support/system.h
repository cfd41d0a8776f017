/* SPDX-License-Identifier: Apache-2.0 */
/* What the program asks the operating system: random seeds, time, memory in use. */
#ifndef LFM2_CLI_SYSTEM_H
#define LFM2_CLI_SYSTEM_H

#include <stdint.h>

/* 32 random bits: short enough for a person to type again. */
uint64_t random_seed(void);

/* Monotonic clock. */
double now_seconds(void);
void wait_seconds(double seconds);

/* The peak of this process's resident memory in bytes, since its start or the last restart. */
uint64_t peak_rss(void);

/* Sets the peak to the current value. Does nothing if the system refuses it. */
void peak_rss_restart(void);

#endif /* LFM2_CLI_SYSTEM_H */
